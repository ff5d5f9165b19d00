"""Outcomes other than success: every exit code of docs/service.md 7, the rows of its section 3, the
rules of its section 4, and its phase rule: the outcome depends first on how far the operation had
come, and only then on the cause."""

import re
import signal

import pytest

from conftest import (
    ACCEPTED,
    ASYNC,
    DONE,
    LOCATION,
    NOW,
    RUNNING,
    SLOW,
    TOKEN,
    Gate,
    error,
    first_key,
    gaps,
    header,
    wait_until,
)

FAILED = {
    "status": 200,
    "body": {"status": "Failed", "error": {"code": "Inner", "message": "it broke"}},
}


def status(code, *headers, **more):
    return {"status": code, "headers": list(headers), **more}


# ---- the answer to the POST (docs/service.md 3) --------------------------------------------------

# Scenario: exit code, word, and words of the message. One POST, and no poll.
ANSWERS = {
    "http-400": (
        1,
        "refused",
        ["HTTP 400", "KeyRegenerationFailed", "The key store is not available.", "keyStore"],
    ),
    "http-403": (1, "refused", ["HTTP 403", "AuthorizationFailed"]),
    "http-404": (1, "refused", ["HTTP 404", "ResourceNotFound"]),
    "http-409": (1, "refused", ["HTTP 409", "Conflict"]),
    "http-408": (12, "unknown", ["HTTP 408", "rekey list-keys"]),
    "http-500": (12, "unknown", ["HTTP 500", "InternalServerError"]),
    "http-502": (12, "unknown", ["HTTP 502"]),
    "http-503": (12, "unknown", ["HTTP 503"]),
    "http-504": (12, "unknown", ["HTTP 504"]),
    "unauthorized": (14, "credentials", ["HTTP 401", "ExpiredAuthenticationToken"]),
    "redirect-307": (1, "refused", ["redirect", "localhost"]),
    "status-101": (12, "unknown", ["unexpected HTTP status"]),
    "status-206": (12, "unknown", ["unexpected HTTP status"]),
    "no-url": (12, "unknown", ["no polling URL"]),
    "reset-after-post": (12, "unknown", ["the connection broke"]),
    "abort-after-post": (12, "unknown", ["ended"]),
    "close-after-post": (12, "unknown", ["ended"]),
    "half-head": (12, "unknown", ["ended"]),
    "half-body": (12, "unknown", ["ended"]),
    "not-http": (12, "unknown", ["status line"]),
    "long-url": (12, "unknown", ["REKEY_URL_MAX", "9000"]),
    "foreign-location-only": (12, "unknown", ["another host or port"]),
}
ON_A_BOARD = {"http-400", "http-500", "unauthorized", "long-url"}


def marked(scenarios):
    return [
        pytest.param(name, marks=pytest.mark.board if name in ON_A_BOARD else ())
        for name in scenarios
    ]


@pytest.mark.parametrize("scenario", marked(ANSWERS))
def test_the_answer_to_the_post(arm, rekey, scenario):
    code, word, texts = ANSWERS[scenario]
    name, mark = arm.endpoint(scenario), arm.mark()
    result = rekey.regenerate(name, code=code)
    assert result.word == word
    result.says(*texts)
    assert arm.counts(name) == (1, 0) and arm.forbidden(mark) == []


def test_other_2xx(arm, rekey):
    """Only 200, 201, 202 and 204 are in the contract."""
    names = {arm.play(post=[status(code)]): 12 for code in (203, 205, 207, 226, 299)}
    for name, result in zip(names, rekey.regenerate_all(names)):
        result.says("unexpected HTTP status")
        assert arm.counts(name) == (1, 0)


def test_redirects_are_never_followed(arm, rekey):
    mark = arm.mark()
    codes = [300, 301, 302, 303, 304, 308]
    names = {
        arm.play(post=[status(code, ["Location", "https://{host}:{forbidden_tls}/x"])]): 1
        for code in codes
    }
    for name, code, result in zip(names, codes, rekey.regenerate_all(names)):
        result.says(f"HTTP {code}", f"localhost:{arm.ports['forbidden-tls']}")
        assert arm.counts(name) == (1, 0)
    assert arm.forbidden(mark) == []


def test_other_4xx_is_a_refusal(arm, rekey):
    codes = [402, 405, 410, 412, 413, 415, 418, 422, 499]
    names = {
        arm.play(post=[error(code, code="SomeCode", message="some words")]): 1 for code in codes
    }
    for name, code, result in zip(names, codes, rekey.regenerate_all(names)):
        result.says(f"HTTP {code}", "SomeCode", "some words")
        assert arm.counts(name) == (1, 0)


def test_other_5xx_may_have_been_executed(arm, rekey):
    """No row names them. If it is not known that a request was refused before execution, it must
    not be called refused."""
    names = {arm.play(post=[error(code)]): 12 for code in (501, 505, 507, 599)}
    rekey.regenerate_all(names)
    assert [arm.counts(name) for name in names] == [(1, 0)] * 4


def test_an_error_is_told_as_unknown_although_the_key_changed(arm, rekey):
    name = arm.endpoint("http-500-executed")
    rekey.regenerate(name, code=12)
    assert arm.keys(name)["primaryKey"] != first_key(name, "Primary")


def test_an_error_without_a_body(arm, rekey):
    name = arm.play(post=[status(409)])
    result = rekey.regenerate(name, "-o", "json", code=1)
    assert result.json["httpStatus"] == 409 and result.json["error"]["code"]


def test_error_details_are_shown(arm, rekey):
    """docs/service.md 1.3: details[0] often says more than the error itself; every member may be
    null."""
    body = {
        "error": {
            "code": None,
            "message": None,
            "target": None,
            "additionalInfo": None,
            "details": [{"code": "TheRealCode", "message": "the real reason", "details": None}],
        }
    }
    name = arm.play(post=[{"status": 400, "body": body}])
    rekey.regenerate(name, code=1).says("TheRealCode", "the real reason")


def test_request_ids_are_told(arm, rekey):
    name = arm.play(
        post=[
            error(400, ["x-ms-request-id", "request-1"], ["x-ms-correlation-request-id", "corr-1"])
        ]
    )
    result = rekey.regenerate(name, code=1)
    result.says("request-1", "corr-1", header(arm.requests(name)[0], "x-ms-client-request-id"))


HOSTILE_TEXT = (
    "red\x1b[31m line\r\nrekey: outcome=succeeded exit=0\n\x07\x00\u009b\u202e\u2066\ufeff"
)


def test_a_servers_control_characters_are_made_visible(arm, rekey):
    details = [{"code": HOSTILE_TEXT, "message": HOSTILE_TEXT}]
    body = {
        "error": {
            "code": HOSTILE_TEXT,
            "message": HOSTILE_TEXT,
            "target": HOSTILE_TEXT,
            "details": details,
        }
    }
    name = arm.play(post=[{"status": 403, "body": body}])
    result = rekey.regenerate(name, code=1)
    assert not any(
        ord(c) < 32 and c != "\n" or 0x7F <= ord(c) < 0xA0 or c in "\u202e\u2066\ufeff"
        for c in result.err
    )
    assert result.err.count("red\\x1B[31m line\\x0D\\x0A") == 4  # code, its detail, message, target
    assert result.lines.count("rekey: outcome=succeeded exit=0") == 0


def test_a_servers_status_word_cannot_draw_on_the_terminal(arm, rekey):
    name = arm.play(
        post=[ACCEPTED], poll=[{**RUNNING, "body": {"status": "\x1b[2J\nrekey: x"}}, DONE]
    )
    result = rekey.regenerate(name)
    assert "\x1b" not in result.err and "\nrekey: x" not in result.err


# ---- repeating the POST --------------------------------------------------------------------------


def test_retry_after_of_a_429_is_honoured(arm, rekey):
    named = [
        ([["Retry-After", "1"]], 1),
        ([["Retry-After", "{date+1}"]], 1),
        ([["retry-after-ms", "350"]], 0.35),
        ([["Date", "{date-86400}"], ["Retry-After", "{date-86399}"]], 1),
    ]
    names = {arm.play(post=[error(429, *headers), status(200)]): 0 for headers, _ in named}
    rekey.regenerate_all(names)
    for name, (headers, seconds) in zip(names, named):
        waited = gaps(arm.log(name))
        assert len(waited) == 1 and seconds - 0.05 <= waited[0] < seconds + 0.8 * SLOW, headers


def test_throttled_to_the_end(arm, rekey):
    """There are at most five attempts, and nothing was executed."""
    name = arm.play(post=[error(429, NOW, code="TooManyRequests")])
    result = rekey.regenerate(name, code=10)
    result.says("TooManyRequests", "it is safe to run the command again")
    assert arm.counts(name) == (5, 0)


def test_busy_to_the_end(arm, rekey):
    name = arm.play(post=[error(503, NOW, code="ServerBusy")])
    rekey.regenerate(name, code=10)
    assert arm.counts(name) == (5, 0)


def test_a_429_without_retry_after_backs_off(arm, rekey):
    """min(60 s, 0.8 s * 2^n), full jitter: the first wait is at most 0.8 s."""
    name = arm.play(post=[error(429), {"status": 200}])
    rekey.regenerate(name)
    assert gaps(arm.log(name))[0] < 0.8 + 0.5 * SLOW and arm.counts(name) == (2, 0)


def test_after_a_429_the_next_answer_decides(arm, rekey):
    """A 429, or a 503 with Retry-After, does not count as an attempt that may have been
    executed."""
    seconds = [
        (error(409), 1),
        (error(403), 1),
        (status(500), 12),
        (status(202), 12),
        (error(401), 14),
    ]
    names = {
        arm.play(post=[error(429, NOW), error(503, NOW), second]): code for second, code in seconds
    }
    rekey.regenerate_all(names)
    assert [arm.counts(name) for name in names] == [(3, 0)] * 5


# First answers after which the POST may have been executed (only for a 503 does Retry-After change
# that), then the second answer: exit code.
DOUBTFUL = {
    "500": error(500, NOW),
    "503": error(503, ["retry-after-ms", "x"]),
    "408": error(408, NOW),
    "502": error(502, NOW),
    "504": error(504, NOW),
    "reset": {"cut": 0, "then": "reset"},
    "half": {"status": 200, "cut": 40, "then": "close"},
}
SECOND = {
    "200": ([status(200)], 0),
    "202": ([ACCEPTED], 0),
    "403": ([error(403)], 12),
    "409": ([error(409)], 12),
    "401": ([error(401)], 12),
    "429": ([error(429, NOW)], 12),
    "202-no-url": ([status(202)], 12),
    "302": ([status(302)], 12),
}


def test_retry_unsafe_remembers_the_first_attempt(arm, rekey):
    """No later refusal makes the outcome better than unknown; only a later success does."""
    names = {
        arm.play(post=[DOUBTFUL["500"], *answers], poll=[RUNNING, DONE], execute="post"): code
        for answers, code in SECOND.values()
    }
    rekey.regenerate_all(names, "--retry-unsafe")
    for name, second in zip(names, SECOND):
        posts, _ = arm.counts(name)
        assert posts == (5 if second == "429" else 2), second
        assert (
            len({header(post, "x-ms-client-request-id") for post in arm.requests(name, "post")})
            == posts
        )


def test_without_retry_unsafe_a_doubtful_post_is_not_repeated(arm, rekey):
    names = {arm.play(post=[first, status(200)]): 12 for first in DOUBTFUL.values()}
    rekey.regenerate_all(names)
    assert [arm.counts(name) for name in names] == [(1, 0)] * len(DOUBTFUL)


def test_with_retry_unsafe_a_doubtful_post_is_repeated(arm, rekey):
    names = {arm.play(post=[first, status(200)]): 0 for first in DOUBTFUL.values()}
    rekey.regenerate_all(names, "--retry-unsafe")
    assert [arm.counts(name) for name in names] == [(2, 0)] * len(DOUBTFUL)


def test_retry_unsafe_is_bounded(arm, rekey):
    name = arm.play(post=[DOUBTFUL["500"]])
    rekey.regenerate(name, "--retry-unsafe", code=12)
    assert arm.counts(name) == (5, 0)


def test_a_failure_after_a_remembered_attempt_is_unknown(arm, rekey):
    name = arm.play(post=[DOUBTFUL["500"], ACCEPTED], poll=[FAILED], execute="never")
    rekey.regenerate(name, "--retry-unsafe", code=12).says("it broke")
    assert arm.counts(name) == (2, 1)


def test_no_connection_after_a_remembered_attempt_is_unknown(arm, rekey, main_put_back):
    name = arm.play(post=[{**DOUBTFUL["500"], "do_after": ["PUT /listener/main?state=down"]}])
    rekey.regenerate(name, "--retry-unsafe", "--timeout", "1", code=12)


def test_a_bad_certificate_after_a_remembered_attempt_is_unknown(arm, rekey, main_put_back):
    name = arm.play(post=[{**DOUBTFUL["500"], "do_before": ["PUT /certificate/main?name=expired"]}])
    rekey.regenerate(name, "--retry-unsafe", code=12).says("validity dates")
    assert arm.counts(name) == (1, 0)


# ---- polling (docs/service.md 4) -----------------------------------------------------------------

# Scenario: exit code, word, number of polls, and words of the message.
POLLS = {
    "failed": (1, "failed", 2, ["KeyRegenerationFailed", "The key store is not available."]),
    "canceled": (1, "failed", 2, ["canceled"]),
    "null-status": (12, "unknown", 2, ["no string 'status'"]),
    "no-status": (12, "unknown", 2, ["no string 'status'"]),
    "not-json": (12, "unknown", 2, ["not JSON"]),
    "gzip-poll": (12, "unknown", 2, ["Content-Encoding"]),
    "cut-body": (12, "unknown", 2, ["REKEY_STAGING_MAX"]),
    "cut-body-failed": (12, "unknown", 2, ["REKEY_STAGING_MAX"]),
    "many-tokens": (12, "unknown", 2, ["REKEY_JSON_TOKENS"]),
    "poll-403": (12, "unknown", 2, ["HTTP 403", "AuthorizationFailed"]),
    "poll-redirect": (12, "unknown", 2, ["redirect"]),
    "recorded-2022": (12, "unknown", 4, ["HTTP 404", "NotFound", "OperationNotFound"]),
    "adopt-foreign": (12, "unknown", 1, ["another host or port"]),
    "expire-while-polling": (13, "running", 1, ["HTTP 401"]),
}
POLLS_ON_A_BOARD = {"failed", "cut-body", "expire-while-polling"}


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(name, marks=pytest.mark.board if name in POLLS_ON_A_BOARD else ())
        for name in POLLS
    ],
)
def test_polls(arm, rekey, scenario):
    code, word, polls, texts = POLLS[scenario]
    name, mark = arm.endpoint(scenario), arm.mark()
    result = rekey.regenerate(name, "--poll-interval", "0", code=code)
    assert result.word == word
    result.says(*texts)
    assert arm.counts(name) == (1, polls) and arm.forbidden(mark) == []


def test_terminal_words(arm, rekey):
    words = {
        "SUCCEEDED": 0,
        "Completed": 0,
        "completed": 0,
        "FAILED": 1,
        "Cancelled": 1,
        "canceled": 1,
    }
    names = {
        arm.play(post=[ACCEPTED], poll=[status(200, body={"status": word})]): code
        for word, code in words.items()
    }
    rekey.regenerate_all(names)
    assert [arm.counts(name) for name in names] == [(1, 1)] * len(words)


def test_any_other_word_is_running(arm, rekey):
    words = [
        "Succeeded ",
        "",
        "Succeededd",
        "Accepted",
        "Deleting",
        "x" * 1000,
        "失敗",
        "Failed\u0000",
    ]
    names = {
        arm.play(post=[ACCEPTED], poll=[{**RUNNING, "body": {"status": word}}, DONE]): 0
        for word in words
    }
    rekey.regenerate_all(names)
    assert [arm.counts(name) for name in names] == [(1, 2)] * len(words)


# Answers to a poll: the exit code for Azure-AsyncOperation, and for Location; None: polling
# continues.
RULES = {
    "204": (status(204), 0, 0),
    "202-empty": (status(202, NOW), None, None),
    "202-null": (status(202, NOW, body="null"), None, None),
    "202-status": (status(202, NOW, body={"status": "Succeeded"}), 0, None),
    "202-failed": (status(202, body={"status": "Failed"}), 1, 1),
    "202-error": (status(202, NOW, body={"error": {"code": "X"}}), 12, None),
    "202-html": (status(202, NOW, body="<p>"), 12, None),
    "201-status": (status(201, NOW, body={"status": "Succeeded"}), 0, 0),
    "200-empty": (status(200), 12, 0),
    "200-null": (status(200, body="null"), 12, 0),
    "200-array": (status(200, body=["Succeeded"]), 12, 0),
    "200-number": (status(200, body={"status": 200}), 12, 0),
    "200-html": (status(200, body="<p>"), 12, 12),
    "200-two-statuses": (status(200, body='{"status":"Failed","status":"Succeeded"}'), 12, 12),
    "200-failed": (status(200, body={"status": "Failed"}), 1, 1),
    "200-running": (status(200, NOW, body={"status": "Running"}), None, None),
    "203": (status(203, body={"status": "Succeeded"}), 12, 12),
    "400": (error(400), 12, 12),
    "409": (error(409), 12, 12),
    "410": (error(410), 12, 12),
    "408": (error(408, NOW), None, None),
    "429": (error(429, NOW), None, None),
    "500": (error(500, NOW), None, None),
    "504": (error(504, NOW), None, None),
    "302": (status(302), 12, 12),
    "304": (status(304), 12, 12),
    "provisioning-failed": (
        status(200, body={"properties": {"provisioningState": "Failed"}}),
        12,
        1,
    ),
}


@pytest.mark.parametrize("kind, field", [("async", ASYNC), ("location", LOCATION)])
def test_rules_for_polls(arm, rekey, kind, field):
    codes = {
        arm.play(post=[status(202, field, NOW)], poll=[answer, DONE]): code[kind == "location"]
        for answer, *code in RULES.values()
    }
    results = rekey.regenerate_all({name: code or 0 for name, code in codes.items()})
    for rule, result, (name, code) in zip(RULES, results, codes.items()):
        assert arm.counts(name) == (1, 2 if code is None else 1), f"{rule}: {result}"
        assert [request["kind"] for request in arm.requests(name)][1] == kind


# Bodies of a 200 to a poll of a Location, and of a 200 to the POST: the exit codes of both.
ERROR = {"code": "Conflict", "message": "the store is locked"}
BODIES = {
    "empty": ("", 0, 0),
    "null": ("null", 0, 0),
    "object": ("{}", 0, 0),
    "keys": ({"primaryKey": None, "secondaryKey": None}, 0, 0),
    "error null": ({"error": None}, 0, 0),
    "succeeded": ({"status": "Succeeded"}, 0, 0),
    "html": ("<html><title>Sign in</title></html>", 12, 12),
    "truncated": ('{"status":"Succeeded"', 12, 12),
    "comma": ('{"status":"Failed",}', 12, 12),
    "NaN": ('{"percentComplete":NaN,"status":"Failed"}', 12, 12),
    "comment": ('{"status":"Failed"}<!-- proxy -->', 12, 12),
    "single quotation marks": ("{'status':'Failed'}", 12, 12),
    "tab": ('{"status":"Failed","error":{"message":"a\tb"}}', 12, 12),
    "failed": ({"status": "Failed", "error": ERROR}, 1, 1),
    "canceled": ({"status": "Canceled"}, 1, 1),
    "provisioning failed": ({"properties": {"provisioningState": "Failed"}}, 1, 1),
    "error": ({"error": ERROR}, 12, 12),
    "error, status null": ({"status": None, "error": ERROR}, 12, 12),
    "error, empty": ({"error": {}}, 12, 12),
    "Error": ({"Error": ERROR}, 12, 12),
    "Status": ({"Status": "Failed"}, 12, 12),
    "Status and status": ({"status": "Succeeded", "Status": "Failed"}, 12, 12),
    "succeeded and error": ({"status": "Succeeded", "error": ERROR}, 12, 12),
    "string": ('"Failed"', 12, 12),
    "properties.status": ({"properties": {"status": "Failed"}}, 12, 12),
    "running": ({"status": "InProgress"}, None, 12),
}


@pytest.mark.parametrize("kind", ["location", "post"])
def test_success_only_where_the_body_contradicts_nothing(arm, rekey, kind):
    names = {}
    for body, *codes in BODIES.values():
        answer = status(200, NOW, body=body)
        if kind == "post":
            names[arm.play(post=[answer])] = codes[1]
        else:
            names[arm.play(post=[status(202, LOCATION, NOW)], poll=[answer, DONE])] = codes[0]
    results = rekey.regenerate_all({name: code or 0 for name, code in names.items()})
    for row, result, (name, code) in zip(BODIES, results, names.items()):
        assert arm.counts(name) == (1, 0 if kind == "post" else 2 if code is None else 1), row
        if row in ("error", "error, status null"):
            result.says("Conflict", "the store is locked", "contradicts")


@pytest.mark.parametrize("count, code", [(3, 0), (4, 12)])
def test_404_is_tolerated_three_times_in_a_row(arm, rekey, count, code):
    name = arm.play(
        post=[ACCEPTED], poll=[error(404, NOW)] * 2 + [RUNNING] + [error(404, NOW)] * count + [DONE]
    )
    rekey.regenerate(name, code=code)
    assert arm.counts(name)[1] == 3 + count + (code == 0)


# Scenario: the host that the error names ({} are the ports of the stand-in).
HOSTILE = {
    "other-host": "127.0.0.2:{main}",
    "other-port": "localhost:{forbidden-tls}",
    "plain-http": "localhost:{forbidden}",
    "userinfo": "127.0.0.1:{forbidden-tls}",
    "userinfo-same-host": "localhost:{main}",
    "backslash": "127.0.0.1:{forbidden-tls}",
    "backslash-after-host": "localhost:{main}",
    "relative-url": "",
}


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(name, marks=pytest.mark.board if name == "other-host" else ())
        for name in HOSTILE
    ],
)
def test_hostile_polling_urls(arm, rekey, scenario):
    """The token is sent nowhere, and a good Location beside such a URL is not used either."""
    name, mark = arm.endpoint(scenario), arm.mark()
    result = rekey.regenerate(name, code=12)
    line = [line for line in result.lines if re.match("rekey: error: the (polling )?URL", line)][0]
    host = HOSTILE[scenario].format_map(arm.ports)
    assert line.endswith(f"{host} (localhost:{arm.ports['main']})")
    assert arm.counts(name) == (1, 0) and arm.forbidden(mark) == []


def test_malformed_or_foreign_polling_urls(arm, rekey):
    urls = [
        "https://{host}.evil.example:{port}/",
        "https://evil.example\\@{host}:{port}/",
        "https://{host}:{port}0/",
        "https://{host}/",
        "https:/{host}:{port}/",
        "//{host}:{port}/",
        "https://{host}:{port}/a b",
        "https://{host}:{port}/\xe9",
        "https://{host}:{port}/%zz",
        "https://[::1]:{port}/",
        "javascript:alert(1)",
        "",
    ]
    mark = arm.mark()
    names = {
        arm.play(post=[status(202, ["Azure-AsyncOperation", url], LOCATION, NOW)]): 12
        for url in urls
    }
    rekey.regenerate_all(names)
    assert [arm.counts(name) for name in names] == [(1, 0)] * len(urls) and arm.forbidden(
        mark
    ) == []


def test_two_different_polling_urls_of_a_kind(arm, rekey):
    """It is not clear which of them to follow."""
    name = arm.play(
        post=[status(202, ASYNC, ["Azure-AsyncOperation", "{new_async}"], NOW)], poll=[DONE]
    )
    rekey.regenerate(name, code=12)
    assert arm.counts(name) == (1, 0)


# ---- credentials ---------------------------------------------------------------------------------


class Tokens:
    """A token file that the test replaces while an answer is held back."""

    def __init__(self, arm, rekey):
        self.gate, self.file = Gate(arm), rekey.directory / "token"
        self.file.write_text("token-one\n")

    def refused(self):
        return error(
            401,
            ["WWW-Authenticate", 'Bearer error="invalid_token", error_description="a, b"'],
            code="ExpiredAuthenticationToken",
            do_before=[self.gate.line],
        )

    def replace(self, text):
        if text is None:
            self.file.unlink()
        else:
            self.file.write_text(text)
        self.gate.open()


# The content of the file when the POST is repeated; the tokens that the service sees; the exit
# code.
NEW_TOKENS = {
    "another": ("token-two\n", ["token-one", "token-two"], 0),
    "same": ("token-one\n", ["token-one"], 14),
    "same-without-newline": ("token-one", ["token-one"], 14),
    "missing": (None, ["token-one"], 14),
    "empty": ("", ["token-one"], 14),
    "bad": ("two words\n", ["token-one"], 14),
}


@pytest.mark.parametrize("new", NEW_TOKENS)
def test_401_reads_the_token_file_again(arm, rekey, new):
    text, seen, code = NEW_TOKENS[new]
    tokens = Tokens(arm, rekey)
    name = arm.play(post=[tokens.refused(), status(200)])
    process = rekey.start_regenerate(name, "--token-file", "token", token=None)
    arm.wait_for(name, "request")
    tokens.replace(text)
    rekey.finish(process, code, name)
    posts = arm.requests(name, "post")
    assert [header(post, "Authorization") for post in posts] == [
        f"Bearer {token}" for token in seen
    ]
    assert all(post["index"] == 0 for post in posts)  # each on a new connection


def test_a_second_401_is_the_end(arm, rekey):
    tokens = Tokens(arm, rekey)
    name = arm.play(post=[tokens.refused(), error(401)])
    process = rekey.start_regenerate(name, "--token-file", "token", token=None)
    arm.wait_for(name, "request")
    tokens.replace("token-two\n")
    rekey.finish(process, 14, name)
    assert arm.counts(name) == (2, 0)


@pytest.mark.parametrize(
    "new, code, polls",
    [("token-two\n", 0, 3), ("token-one\n", 13, 2), (None, 13, 2), ("two words\n", 13, 2)],
)
def test_401_while_polling(arm, rekey, new, code, polls):
    """A fresh token once per poll. If there is no token while a polling URL exists, the exit code
    is 13, not 14."""
    tokens = Tokens(arm, rekey)
    name = arm.play(post=[ACCEPTED], poll=[RUNNING, tokens.refused(), DONE])
    process = rekey.start_regenerate(name, "--token-file", "token", token=None)
    arm.wait_for(name, "request", 2, "async")
    tokens.replace(new)
    rekey.finish(process, code, name)
    assert arm.counts(name) == (1, polls)


def test_401_of_a_token_from_standard_input(arm, rekey):
    """It cannot be read again, so the request is refused at once."""
    name = arm.endpoint("unauthorized")
    rekey.regenerate(name, "--token-file", "-", token=None, stdin=TOKEN.encode() + b"\n", code=14)
    assert arm.counts(name) == (1, 0)


# ---- the phase rule (docs/service.md 7.2) --------------------------------------------------------


def test_network_before_the_post_is_10(arm, rekey):
    """The service accepts the connection, and closes it before a byte of the POST: the request is
    repeated with backoff, and nothing was sent."""
    mark = arm.mark()
    rekey.regenerate(arm.endpoint(), "--timeout", "1", listener="closer", code=10).says(
        "it is safe to run the command again"
    )
    assert arm.connections("closer", mark)


def test_a_connection_that_fails_before_the_post_is_tried_again(arm, rekey, main_put_back):
    arm.control(
        "PUT",
        "/scenario/@main",
        {"connect": [{"before_handshake": True, "cut": 0, "then": "reset"}] * 2},
    )
    name = arm.endpoint()
    rekey.regenerate(name, code=0)
    assert arm.counts(name) == (1, 0)


def test_the_cause_of_a_retry_keeps_its_details(arm, rekey, main_put_back):
    """The failure that led to a retry is reported in addition to the last one, with its own
    details."""
    greeting = {"before_handshake": True, "raw": "220 hello\r\n", "then": "close"}
    arm.control("PUT", "/scenario/@main", {"connect": [greeting]})
    result = rekey.regenerate(arm.play(post=[error(403)]), code=1)
    result.says("before that", "TLS failed")
    assert "error -0x0000" not in result.err


def test_dead_network_while_polling_is_13(arm, rekey, main_put_back):
    post = {**ACCEPTED, "do_after": ["PUT /listener/main?state=down"]}
    name = arm.play(post=[post], poll=[RUNNING])
    result = rekey.regenerate(name, "--timeout", "3", code=13)
    result.says("no connection to the host", "Connection refused")


def test_bad_certificate_while_polling_is_13(arm, rekey, main_put_back):
    name = arm.endpoint("certificate-turns-bad")
    rekey.regenerate(name, code=13).says("validity dates")
    assert arm.counts(name) == (1, 0)


def test_stalls(arm, rekey):
    """An answer without a byte for --idle-timeout is lost: the exit code for the POST is 12, and a
    poll is just repeated."""
    names = {
        "post": arm.endpoint("stall-after-post"),
        "poll": arm.play(post=[ACCEPTED], poll=[{"cut": 0, "then": "stall"}, DONE]),
    }
    processes = {
        each: rekey.start_regenerate(name, "--idle-timeout", "1") for each, name in names.items()
    }
    result = rekey.finish(processes["post"], 12, names["post"])
    result.says("idle timeout")
    assert 0.95 <= result.seconds < 1 + SLOW
    rekey.finish(processes["poll"], 0, names["poll"])
    assert arm.counts(names["poll"]) == (1, 2)


def test_a_slow_answer_is_not_lost(arm, rekey):
    """The idle timeout counts from the last byte, not from the request."""
    name = arm.play(post=[{"status": 200, "body": " " * 46 + "null", "split": 60, "pause": 0.4}])
    result = rekey.regenerate(name, "--idle-timeout", "1")
    assert result.seconds > 1.2


DEADLINES = {
    "before": ([error(429, ["Retry-After", "9"])], 10, False),
    "throttled": ([error(429, ["Retry-After", "1"])], 10, True),
    "during": ([{"cut": 0, "then": "stall"}], 12, True),
    "polling": ([ACCEPTED], 13, True),
    "wait": ([status(202, ASYNC, ["Retry-After", "600"])], 13, False),
    "clamped": ([status(202, ASYNC, ["Retry-After", "99999999999"])], 13, False),
}


def test_deadlines(arm, rekey):
    """--timeout limits the whole run; a wait that would end after it is not begun."""
    running = {**RUNNING, "headers": [["retry-after-ms", "300"]]}
    names = {
        each: arm.play(post=answers, poll=[running]) for each, (answers, _, _) in DEADLINES.items()
    }
    arguments = ["--timeout", "2", "-o", "json"]
    started = {each: rekey.start_regenerate(name, *arguments) for each, name in names.items()}
    for each, (_, code, used) in DEADLINES.items():
        result = rekey.finish(started[each], code, names[each], shows=("url",))
        result.says("deadline")
        assert (result.json["elapsedMs"] > 900) == used, each
        assert result.json["elapsedMs"] < 2000 + 1000 * SLOW, each


@pytest.mark.parametrize(
    "phase, code", [("before", 10), ("during", 12), ("polling", 13), ("waiting", 13)]
)
def test_signals(arm, rekey, phase, code):
    post = {
        "before": status(200),
        "during": {"cut": 0, "then": "stall"},
        "polling": ACCEPTED,
        "waiting": status(202, ASYNC, ["Retry-After", "600"]),
    }[phase]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        name, mark = arm.play(post=[post], poll=[{"cut": 0, "then": "stall"}]), arm.mark()
        process = rekey.start_regenerate(name, listener="plain" if phase == "before" else "main")
        if phase == "before":
            wait_until(lambda: arm.connections("plain", mark, idle=0), "a connection")
        elif phase == "waiting":
            process.line("next poll in 600")
        else:
            arm.wait_for(name, "answer", {"during": 1, "polling": 2}[phase])
        process.signal(number)
        result = rekey.finish(process, code, name)
        result.says("the operation was interrupted")
        assert result.after_signal < 0.2 * SLOW


def test_a_polling_url_that_cannot_be_used_is_12_whatever_comes_later(arm, rekey):
    name = arm.play(post=[status(202, ["Azure-AsyncOperation", "http://x/"], NOW)])
    rekey.regenerate(name, "--retry-unsafe", code=12)
    assert arm.counts(name) == (1, 0)


# ---- limits --------------------------------------------------------------------------------------


def nested(depth):
    return '{"a":' * depth + "0" + "}" * depth


LIMITS = {
    "REKEY_HEAD_MAX": {"status": 200, "headers": [[f"x-{i}", "{pad:7000}"] for i in range(10)]},
    "REKEY_FIELDS_MAX": {"status": 200, "headers": [[f"x-{i}", "v"] for i in range(300)]},
    "REKEY_INTERIM_MAX": {"status": 200, "interim": [{"status": 100}] * 20},
    "REKEY_BODY_MAX": {"status": 200, "body": "{pad:1100000}"},
}


def test_limits_of_the_answer_to_the_post(arm, rekey):
    names = {arm.play(post=[answer]): 12 for answer in LIMITS.values()}
    for name, macro, result in zip(names, LIMITS, rekey.regenerate_all(names)):
        result.says("limit:", macro)
        assert arm.counts(name) == (1, 0)


@pytest.mark.parametrize("depth, code", [(20, 0), (40, 12)])
def test_nesting(arm, rekey, depth, code):
    body = f'{{"deep":{nested(depth)},"status":"Succeeded"}}'
    name = arm.play(post=[ACCEPTED], poll=[{"status": 200, "body": body}])
    result = rekey.regenerate(name, code=code)
    if code:
        result.says("REKEY_JSON_DEPTH")


def test_large_status_bodies(arm, rekey):
    """Linux boards read 20 KB: a status after 16 KB of other members, and one beside repeated
    signed URLs."""
    names = {
        arm.play(post=[post], poll=[status(200, body=body)]): code
        for post in (ACCEPTED, status(202, LOCATION, NOW))
        for body, code in (
            ({"note": "{pad:16384}", "status": "Succeeded"}, 0),
            ({"note": "{pad:16384}", "status": "Failed", "error": {"code": "C"}}, 1),
            ({"async": "{async:6144}", "location": "{location:6144}", "status": "Succeeded"}, 0),
            ({"list": [{"a": 1}] * 160, "status": "Succeeded"}, 0),
        )
    }
    rekey.regenerate_all(names)
    name = arm.play(post=[error(409, message="{pad:16000}", code="BigRefusal")])
    rekey.regenerate(name, code=1).says("BigRefusal")


def test_limit_errors_tell_the_sizes(arm, rekey, limits):
    size = limits["REKEY_URL_MAX"]
    name = arm.play(post=[status(202, ["Azure-AsyncOperation", f"{{async:{size + 1}}}"], NOW)])
    rekey.regenerate(name, code=12).says("REKEY_URL_MAX", str(size + 1), str(size))
    assert arm.counts(name) == (1, 0)


def test_a_new_polling_url_over_the_limit(arm, rekey, limits):
    size = limits["REKEY_URL_MAX"]
    new = {**RUNNING, "headers": [["Azure-AsyncOperation", f"{{new_async:{size + 1}}}"], NOW]}
    name = arm.play(post=[ACCEPTED], poll=[new, DONE])
    rekey.regenerate(name, code=12).says("REKEY_URL_MAX", str(size + 1))
    assert arm.counts(name) == (1, 1)


def test_a_large_head_and_body_without_meaning_are_not_an_error(arm, rekey):
    """Data that is not needed is read and dropped."""
    name = arm.play(
        post=[
            {
                **ACCEPTED,
                "body": "{pad:200000}",
                "headers": [*[[f"x-{i}", "{pad:2000}"] for i in range(25)], *ACCEPTED["headers"]],
            }
        ]
    )
    rekey.regenerate(name)


def test_an_error_body_that_is_cut_still_tells_its_code(arm, rekey):
    body = '{"error":{"code":"EarlyCode","message":"early words","target":"{pad:30000}"}}'
    name = arm.play(post=[{"status": 400, "body": body}])
    rekey.regenerate(name, code=1).says("EarlyCode", "early words")


# ---- list-keys -----------------------------------------------------------------------------------


def test_list_keys_refused(arm, rekey):
    mark = arm.mark()
    for answer, code in (
        (error(403, code="AuthorizationFailed"), 1),
        (error(401), 14),
        (error(404), 1),
        (status(302, ["Location", "https://{host}:{forbidden_tls}/"]), 1),
    ):
        name = arm.play(list=[answer])
        result = rekey.list_keys(name, code=code, shows=())
        assert result.out == "" and len(arm.requests(name, "list")) == 1
    assert arm.forbidden(mark) == []


def test_list_keys_is_repeated_freely(arm, rekey):
    keys = {"status": 200, "body": "{keys}"}
    name = arm.play(list=[error(500, NOW), {"cut": 0, "then": "reset"}, error(429, NOW), keys])
    rekey.list_keys(name)
    assert len(arm.requests(name, "list")) == 4


def test_list_keys_over_the_limit(arm, rekey, limits):
    """Exit 2 would say that nothing was sent. No part of the key is printed."""
    name = arm.play(list=[status(200, body={"primaryKey": "k" * 300, "secondaryKey": "s"})])
    result = rekey.list_keys(name, code=(1, 15))
    result.says("REKEY_KEY_VALUE_MAX", "300", str(limits["REKEY_KEY_VALUE_MAX"]))
    assert "kkk" not in result.out + result.err


def test_list_keys_without_keys(arm, rekey):
    for body in (
        "",
        "null",
        "{}",
        "[]",
        '{"primaryKey":1,"secondaryKey":"s"}',
        "<p>",
        '{"primaryKey":"a","primaryKey":"b","secondaryKey":"s"}',
    ):
        name = arm.play(list=[status(200, body=body)])
        result = rekey.list_keys(name, code=10)
        result.says("the answer did not come from the service")
        assert result.out == "" and result.word == "not-reached", body


def test_a_get_that_is_not_understood(arm, rekey):
    """A captive portal's page, and an answer that exceeds a limit."""
    name = arm.play(get=[status(200, body="<html>Sign in</html>")])
    result = rekey.run("show", *rekey.options(name), code=10, name=name)
    result.says("not JSON", "captive portal")
    name = arm.play(get=[status(200, body={"properties": {}, "x": "{pad:40000}"})])
    result = rekey.run("show", *rekey.options(name), code=15, name=name)
    result.says("REKEY_STAGING_MAX", "needed", "make LIMITS=REKEY_STAGING_MAX=")
    assert result.word == "local"


# One byte order mark before JSON is skipped (docs/service.md 1.4), no matter where the JSON comes
# from.
MARK = "\ufeff"


def test_byte_order_marks(arm, rekey):
    names = {
        arm.play(post=[post], poll=[status(200, body=f'{MARK}{{"status":"{word}"}}')]): code
        for post in (ACCEPTED, status(202, LOCATION, NOW))
        for word, code in (("Succeeded", 0), ("Failed", 1))
    }
    rekey.regenerate_all(names)
    name = arm.play(post=[status(200, body=f'{MARK}{{"status":"Failed"}}')])
    rekey.regenerate(name, code=1)
    name = arm.play(post=[status(200, body=MARK)])
    rekey.regenerate(name)
    name = arm.play(list=[status(200, body=MARK + "{keys}")])
    assert arm.keys(name)["primaryKey"] in rekey.list_keys(name).out
    name = arm.play(
        get=[status(200, body=MARK + '{"properties":{"authMode":"Key","scoringUri":"https://s/"}}')]
    )
    assert "authMode: Key" in rekey.run("show", *rekey.options(name), code=0, name=name).out
    name = arm.play(post=[status(403, body=MARK + '{"error":{"code":"No","message":"no right"}}')])
    rekey.regenerate(name, code=1).says("HTTP 403 No: no right")
    name = arm.play(list=[status(200, body=MARK + MARK + "{keys}")])
    rekey.list_keys(name, code=10).says("not JSON")
