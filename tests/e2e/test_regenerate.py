"""Successful regenerations of a key: every way in which the service can report success, the
requests byte for byte, and every way to give a parameter. The stand-in confirms that the key really
changed."""

import json
import re

import pytest

from conftest import (
    ACCEPTED,
    ASYNC,
    CERTS,
    DONE,
    GROUP,
    LOCATION,
    NOW,
    PROVIDER,
    RUNNING,
    SLOW,
    SUBSCRIPTION,
    TOKEN,
    WORKSPACE,
    Rekey,
    error,
    first_key,
    gaps,
    header,
)

GUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"

# Scenario: the kind of URL that is polled, and how many polls are answered.
AT_ONCE = {
    "ok-200": (None, 0),
    "ok-201": (None, 0),
    "ok-204": (None, 0),
    "ok-200-location": (None, 0),
    "ok-200-async": ("async", 2),
    "ok-201-operation-location": ("async", 2),
    "three-polls": ("async", 3),
    "both-headers": ("async", 1),
    "async-only": ("async", 2),
    "location-only": ("location", 3),
    "location-204": ("location", 2),
    "location-status": ("location", 2),
    "location-provisioning-state": ("location", 2),
    "operation-location": ("async", 2),
    "async-202-null": ("async", 3),
    "lower-case": ("async", 1),
    "early-404": ("async", 4),
    "signed": ("async", 2),
    "signed-now": ("async", 2),
    "adopt-url": ("async", 3),
    "close-delimited": ("async", 2),
    "reused-close": ("async", 2),
    "reused-reset": ("async", 2),
    "interim-100": ("async", 1),
    "answer-then-reset": (None, 0),
    "foreign-location": ("async", 1),
    "long-async-short-location": ("location", 1),
}
# These wait for a second or more, or back off for a random time: they run at the same time.
WITH_WAITS = {
    "retry-after": ("async", 3),
    "retry-after-date": ("async", 1),
    "retry-after-old-date": ("async", 1),
    "close-each": ("async", 3),
    "poll-503": ("async", 3),
    "poll-429": ("async", 2),
    "poll-reset": ("async", 1),
    "poll-cut-off": ("async", 1),
    "close-delimited-abort": ("async", 1),
    "http-429": ("async", 1),
    "http-503-retry": (None, 0),
    "slow-bytes": ("async", 2),
}
ON_A_BOARD = {"three-polls", "location-only", "signed"}
SECONDS = {
    "retry-after": 4,
    "retry-after-date": 2,
    "retry-after-old-date": 2,
    "close-each": 3,
    "poll-429": 1,
    "http-429": 1,
    "http-503-retry": 1,
}  # at least


def marked(scenarios):
    return [
        pytest.param(name, marks=pytest.mark.board if name in ON_A_BOARD else ())
        for name in scenarios
    ]


def check_success(arm, result, name, polled, polls):
    """One key changed, and the requests were those of docs/service.md 3 and 4."""
    assert result.json["outcome"] == "succeeded" and result.json["polls"] == polls
    keys = arm.keys(name)
    assert keys["regenerated"] == ["Primary"]
    assert keys["primaryKey"] != first_key(name, "Primary")
    assert keys["secondaryKey"] == first_key(name, "Secondary")
    kinds = [request["kind"] for request in arm.requests(name)]
    posts = kinds.count("post")
    assert kinds == ["post"] * posts + [polled] * (len(kinds) - posts)
    ids = [header(request, "x-ms-client-request-id") for request in arm.requests(name)]
    assert all(re.fullmatch(GUID, each) for each in ids)
    assert len(set(ids[:posts])) == posts and set(ids[posts:]) <= {ids[posts - 1]}


@pytest.mark.parametrize("scenario", marked(AT_ONCE))
def test_success(arm, rekey, scenario):
    name = arm.endpoint(scenario)
    result = rekey.regenerate(name, "-o", "json", "--poll-interval", "0")
    check_success(arm, result, name, *AT_ONCE[scenario])


@pytest.fixture(scope="module")
def side_by_side(arm, tmp_path_factory):
    """All scenarios that wait, started at the same time: {scenario: (runner, endpoint,
    process)}."""
    runner = Rekey(arm, tmp_path_factory.mktemp("side-by-side"))
    names = {scenario: arm.endpoint(scenario) for scenario in WITH_WAITS}
    yield {
        scenario: (
            runner,
            name,
            runner.start_regenerate(name, "-o", "json", "--poll-interval", "0"),
        )
        for scenario, name in names.items()
    }
    runner.clean_up()


@pytest.mark.parametrize("scenario", WITH_WAITS)
def test_success_with_waits(arm, side_by_side, scenario):
    runner, name, process = side_by_side[scenario]
    result = runner.finish(process, 0, name)
    polled, polls = WITH_WAITS[scenario]
    if scenario not in ("poll-503", "poll-429"):
        assert result.json["polls"] == polls
    check_success(arm, result, name, polled, result.json["polls"])
    assert result.json["elapsedMs"] >= SECONDS.get(scenario, 0) * 1000


def test_an_answer_before_the_whole_request_was_sent_counts(arm, rekey):
    """docs/service.md 3.1: after a failed write, the client reads what the server has already sent,
    and a complete answer counts."""
    name = arm.endpoint("early-answer-then-reset")
    assert rekey.regenerate(name).word == "succeeded"


# ---- the requests --------------------------------------------------------------------------------


@pytest.mark.board
def test_the_post_byte_for_byte(arm, rekey):
    name = arm.endpoint("three-polls")
    version = rekey.start("--version").end().out.split()[1]
    board = re.search(r"\((.*)\)", rekey.start("--version").end().out)[1]
    rekey.regenerate(name)
    post = arm.requests(name, "post")[0]
    assert post["target"] == (
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/{PROVIDER}"
        f"/workspaces/{WORKSPACE}/onlineEndpoints/{name}/regenerateKeys?api-version=2025-09-01"
    )
    assert post["body"] == '{"keyType":"Primary"}'
    assert header(post, "Host") == f"localhost:{arm.ports['main']}"
    assert header(post, "Content-Type") == "application/json"
    assert header(post, "Content-Length") == str(len(post["body"]))
    assert header(post, "Accept-Encoding") == "identity"
    assert header(post, "User-Agent") == f"rekey/{version} ({board})"


def test_polls_have_no_body_and_the_same_token(arm, rekey):
    name = arm.endpoint("three-polls")
    rekey.regenerate(name)
    for request in arm.requests(name):
        assert header(request, "Authorization") == f"Bearer {TOKEN}"
    polls = arm.requests(name, "async")
    assert len(polls) == 3 and all(poll["method"] == "GET" and poll["body"] == "" for poll in polls)


def test_each_post_has_an_id_of_its_own(arm, rekey):
    name = arm.play(post=[error(429, NOW), error(503, NOW), ACCEPTED], poll=[RUNNING, DONE])
    rekey.regenerate(name)
    ids = [header(request, "x-ms-client-request-id") for request in arm.requests(name)]
    assert len(ids) == 5 and len(set(ids[:3])) == 3 and ids[2:] == [ids[2]] * 3


@pytest.mark.parametrize("base", ["async", "location"])
def test_signed_urls_go_back_byte_for_byte(arm, rekey, base):
    fields = {
        "async": ["Azure-AsyncOperation", "{signed_async}"],
        "location": ["Location", "{signed_location}"],
    }
    name = arm.play(post=[{"status": 202, "headers": [fields[base], NOW]}], poll=[RUNNING, DONE])
    rekey.regenerate(name, "-v")
    given = [value for each, value in arm.answers(name)[0]["headers"] if each == fields[base][0]][0]
    assert len(given) > 3200
    targets = [request["target"] for request in arm.requests(name, base)]
    assert targets == [given[given.index("/subscriptions") :]] * 2


@pytest.mark.parametrize(
    "kind, field", [("async", "Azure-AsyncOperation"), ("location", "Location")]
)
def test_a_url_of_exactly_the_limit(arm, rekey, limits, kind, field):
    size = limits["REKEY_URL_MAX"]
    name = arm.play(
        post=[{"status": 202, "headers": [[field, f"{{{kind}:{size}}}"], NOW]}],
        poll=[RUNNING, DONE],
    )
    rekey.regenerate(name)
    given = [value for each, value in arm.answers(name)[0]["headers"] if each == field][0]
    assert len(given) == size and given.endswith(arm.requests(name, kind)[1]["target"])


def test_a_poll_may_bring_a_new_url(arm, rekey):
    name = arm.endpoint("adopt-url")
    rekey.regenerate(name)
    assert [poll["url"] for poll in arm.requests(name, "async")][0::2] == [1, 3]
    first, second, third = (poll["target"] for poll in arm.requests(name, "async"))
    assert first != second == third


def test_a_new_location_is_not_adopted_by_a_poll_of_the_other_kind(arm, rekey):
    other = {**RUNNING, "headers": [["Location", "{new_location}"], NOW]}
    name = arm.play(post=[ACCEPTED], poll=[other, DONE])
    rekey.regenerate(name)
    assert [request["kind"] for request in arm.requests(name)] == ["post", "async", "async"]


@pytest.mark.parametrize("origin", ["HTTPS://LOCALHOST:{port}", "https://localhost.:{port}"])
def test_the_same_host_in_another_spelling(arm, rekey, origin):
    """docs/service.md 4.1: neither case nor a trailing dot makes it another host. A fragment is
    never sent."""
    url = origin + "{operation_path}?api-version=2025-09-01#fragment"
    name = arm.play(
        post=[{"status": 202, "headers": [["Azure-AsyncOperation", url], NOW]}],
        poll=[RUNNING, DONE],
    )
    rekey.regenerate(name)
    assert len(arm.requests(name, "async")) == 2


# ---- waits ---------------------------------------------------------------------------------------


# The headers of the 202, and how long the first poll must wait, with --poll-interval 1.
FIRST_WAITS = [
    ([["Retry-After", "1"]], 1),
    ([["retry-after-ms", "300"]], 0.3),
    ([["x-ms-retry-after-ms", "400"]], 0.4),
    ([["Retry-After", "5"], ["Retry-After-Ms", "200"]], 0.2),
    ([["Retry-After", "{date-5}"]], 1),
    ([], 1),
    ([["Retry-After", "soon"]], 1),
    ([["Retry-After", "-1"]], 1),
    ([["Retry-After", "0.5"]], 1),
]


def test_the_wait_before_the_first_poll(arm, rekey):
    """docs/service.md 4.2: the time in the 202 also applies before the first poll; without it,
    --poll-interval applies."""
    names = [
        arm.play(post=[{"status": 202, "headers": [ASYNC, *headers]}], poll=[DONE])
        for headers, _ in FIRST_WAITS
    ]
    processes = [rekey.start_regenerate(name, "--poll-interval", "1") for name in names]
    for process, name, (headers, seconds) in zip(processes, names, FIRST_WAITS):
        rekey.finish(process, 0, name)
        waited = gaps(arm.log(name))
        assert len(waited) == 1 and seconds - 0.05 <= waited[0] < seconds + 0.8 * SLOW, headers


def test_each_poll_names_the_next_wait(arm, rekey):
    named = {**RUNNING, "headers": [["retry-after-ms", "300"]]}
    name = arm.play(post=[ACCEPTED], poll=[named, {**RUNNING, "headers": []}, DONE])
    rekey.regenerate(name, "--poll-interval", "1")
    waited = gaps(arm.log(name))
    assert (
        len(waited) == 3
        and waited[0] < 0.2 * SLOW
        and 0.25 <= waited[1] < 0.8 * SLOW
        and 0.95 <= waited[2]
    )


def test_at_once_never_for_long(arm, rekey):
    """docs/service.md 4.2: Retry-After 0 polls at once, but after the 10th poll no more than one a
    second."""
    name = arm.play(post=[ACCEPTED], poll=[RUNNING] * 11 + [DONE])
    rekey.regenerate(name)
    waited = gaps(arm.log(name))
    assert len(waited) == 12
    assert max(waited[:10]) < 0.5 * SLOW and all(0.95 <= each < 1 + SLOW for each in waited[10:])


# ---- parameters ----------------------------------------------------------------------------------


def test_key_type(arm, rekey):
    for key_type, wire, other in (
        ("primary", "Primary", "Secondary"),
        ("Secondary", "Secondary", "Primary"),
        ("PRIMARY", "Primary", "Secondary"),
        ("sEcOnDaRy", "Secondary", "Primary"),
    ):
        name = arm.endpoint("both-headers")
        result = rekey.regenerate(name, "-o", "json", key_type=key_type)
        assert arm.requests(name, "post")[0]["body"] == f'{{"keyType":"{wire}"}}'
        assert arm.keys(name)["regenerated"] == [wire] == [result.json["keyType"]]
        assert arm.keys(name)[f"{other.lower()}Key"] == first_key(name, other)


def test_api_version(arm, rekey):
    name = arm.endpoint()
    rekey.regenerate(name, "--api-version", "2026-01-01-preview.1")
    assert arm.requests(name)[0]["target"].endswith(
        "/regenerateKeys?api-version=2026-01-01-preview.1"
    )


VALUES = {
    "plain": "abcABC012-_=+/",
    "json": '"quoted" \\back\\ /slash/ {"keyType":"Secondary"}',
    "control": "".join(map(chr, range(1, 32))) + "\x7f",
    "nul": "a\0b",
    "languages": "clé schlüssel ключ 鍵",
    "astral": "\U0001f511 \U0010fffd",
    "separators": "\u2028\u2029\ufeff\u0085",
    "spaces": "  a  ",
    "a-newline-of-its-own": "a\nb\n",
}


def test_key_value(arm, rekey):
    """Characters of every kind, escaped so that the service gets the same text; the value is never
    shown."""
    for what, value in VALUES.items():
        (rekey.directory / "value").write_bytes(value.encode() + b"\n")
        name = arm.endpoint("both-headers")
        rekey.regenerate(name, "--key-value-file", "value", "-v", key_type="secondary")
        body = arm.requests(name, "post")[0]["body"]
        assert json.loads(body) == {"keyType": "Secondary", "keyValue": value}, what
        assert arm.keys(name)["secondaryKey"] == value, what


@pytest.mark.parametrize("ending", ["", "\n"], ids=["none", "newline"])
def test_key_value_of_exactly_the_limit(arm, rekey, limits, ending):
    """Every character becomes six bytes on the wire: this is the longest possible body."""
    value = "\x01" * limits["REKEY_KEY_VALUE_MAX"]
    (rekey.directory / "value").write_text(value + ending)
    name = arm.endpoint()
    rekey.regenerate(name, "--key-value-file", "value")
    assert arm.keys(name)["primaryKey"] == value


@pytest.mark.board
def test_key_value_from_standard_input(arm, rekey):
    name = arm.endpoint()
    rekey.regenerate(name, "--key-value-file", "-", stdin=b"from-stdin-0123456789\n")
    assert arm.keys(name)["primaryKey"] == "from-stdin-0123456789"


def test_environment_instead_of_options(arm, rekey):
    name = arm.endpoint()
    environment = {
        "AZURE_SUBSCRIPTION_ID": "from-environment",
        "AZURE_DEFAULTS_GROUP": "group-e",
        "AZURE_DEFAULTS_WORKSPACE": "workspace-e",
        "REKEY_MANAGEMENT_URL": arm.url(),
        "SSL_CERT_FILE": str(CERTS / "ca.pem"),
    }
    rekey.run(
        "regenerate", "--name", name, "--key-type", "primary", code=0, name=name, env=environment
    )
    assert arm.requests(name)[0]["target"].startswith(
        f"/subscriptions/from-environment/resourceGroups/group-e/{PROVIDER}"
        "/workspaces/workspace-e/onlineEndpoints/"
    )


def test_options_win_over_the_environment(arm, rekey):
    name = arm.endpoint()
    environment = {
        "AZURE_SUBSCRIPTION_ID": "e",
        "AZURE_DEFAULTS_GROUP": "e",
        "AZURE_DEFAULTS_WORKSPACE": "e-e",
        "REKEY_MANAGEMENT_URL": "https://localhost:1",
        "SSL_CERT_FILE": "/nonexistent",
    }
    rekey.regenerate(name, env=environment)
    assert f"/{SUBSCRIPTION}/resourceGroups/{GROUP}/" in arm.requests(name)[0]["target"]


def test_a_token_file_wins_over_the_environment(arm, rekey):
    (rekey.directory / "token").write_text("from-the-file\n")
    name = arm.play(tokens=["from-the-file"])
    rekey.regenerate(name, "--token-file", "token", token="from-the-environment")
    assert len(arm.requests(name, "post")) == 1


def test_resource_group(arm, rekey):
    """UTF-8, percent-encoded."""
    for group, encoded in (
        ("grüße", "gr%C3%BC%C3%9Fe"),
        ("資源.(1)_-", "%E8%B3%87%E6%BA%90.(1)_-"),
        ("g", "g"),
        ("\U00020000" * 90, "%F0%A0%80%80" * 90),
    ):
        name = arm.endpoint()
        rekey.regenerate(name, "--resource-group", group)
        assert f"/resourceGroups/{encoded}/providers/" in arm.requests(name)[0]["target"]


def test_management_host(arm, rekey):
    for host in ("127.0.0.1", "[::1]", "LocalHost", "localhost."):
        name = arm.endpoint("three-polls")
        rekey.regenerate(name, "--management-url", f"https://{host}:{arm.ports['main']}/")
        assert len(arm.requests(name, "async")) == 3, host


def test_the_longest_names(arm, rekey):
    name = arm.play(name="e" * 249 + arm.endpoint("x")[-6:])
    rekey.regenerate(
        name, "--subscription", "s" * 64, "-w", "w" * 33, "-g", "g" * 90, "--api-version", "v" * 32
    )
    assert len(name) == 255 and len(arm.requests(name)) == 1


def test_a_chain_of_tries_with_nothing_executed(arm, rekey):
    """429 and 503 with Retry-After are not processed: no attempt counts as one that may have been
    executed."""
    busy = [error(429, NOW), error(503, NOW), error(429, NOW), error(503, NOW)]
    name = arm.play(
        post=[*busy, {"status": 202, "headers": [LOCATION, NOW]}], poll=[{"status": 204}]
    )
    rekey.regenerate(name)
    assert len(arm.requests(name, "post")) == 5 and arm.keys(name)["regenerated"] == ["Primary"]
