"""The command as a person or a script uses it: the options and their rules, secrets and where they
may be read from, what is printed on which stream, signals, and what another user of the machine
could see of the process."""

import errno
import json
import os
import pty
import re
import select
import signal
import subprocess
import time

import help_pages
import pytest

from conftest import (
    ACCEPTED,
    DONE,
    ENVIRONMENT,
    EXEC,
    GROUP,
    REKEY,
    RUNNING,
    SLOW,
    SUBSCRIPTION,
    TOKEN,
    WORKSPACE,
    first_key,
    header,
    wait_until,
)

STALL = {"cut": 0, "then": "stall"}
HALF = {**RUNNING, "body": {"status": "Updating", "percentComplete": 50.0}}


# ---- bad parameters ------------------------------------------------------------------------------

# Option, its value, and words of the rule in the error.
BAD = [
    ("--subscription", "", "1 to 64"),
    ("--subscription", "s" * 65, "1 to 64"),
    ("--subscription", "a/b", "A-Z"),
    ("--subscription", "a_b", "A-Z"),
    ("--subscription", "..", "A-Z"),
    ("--subscription", "a\nb", "A-Z"),
    ("--resource-group", "", "1 to 90"),
    ("--resource-group", "g" * 91, "1 to 90"),
    ("--resource-group", "ü" * 91, "1 to 90"),
    ("--resource-group", "ends.", "'.'"),
    ("--resource-group", ".", "'.'"),
    ("--resource-group", "..", "'.'"),
    ("--resource-group", "a/b", "letters"),
    ("--resource-group", "a b", "letters"),
    ("--resource-group", "a%2Fb", "letters"),
    ("--resource-group", "a?b", "letters"),
    ("--resource-group", "a\u202eb", "letters"),
    ("--resource-group", b"a\xffb", "letters"),
    ("--resource-group", b"a\xc0\xafb", "letters"),
    ("--resource-group", b"a\xed\xa0\x80b", "letters"),
    ("--workspace-name", "ab", "2 to 32"),
    ("--workspace-name", "w" * 34, "2 to 32"),
    ("--workspace-name", "-abc", "letter"),
    ("--workspace-name", "_abc", "letter"),
    ("--workspace-name", "a.bc", "A-Z"),
    ("--workspace-name", "", "letter"),
    ("--name", "", "letter"),
    ("--name", "n" * 256, "254"),
    ("--name", "-abc", "letter"),
    ("--name", "_a", "letter"),
    ("--name", "a/../b", "A-Z"),
    ("--name", "a?b", "A-Z"),
    ("--name", "a#b", "A-Z"),
    ("--name", "a%b", "A-Z"),
    ("--name", "..", "letter"),
    ("--name", "naïve", "A-Z"),
    ("--api-version", "", "1 to 32"),
    ("--api-version", "v" * 33, "1 to 32"),
    ("--api-version", "a&b", "A-Z"),
    ("--key-type", "", "primary or secondary"),
    ("--key-type", "both", "primary or secondary"),
    ("--key-type", "primary ", "primary or secondary"),
    ("--management-url", "http://localhost", "https://"),
    ("--management-url", "localhost", "https://"),
    ("--management-url", "https://user@localhost", "https://"),
    ("--management-url", "https://u:p@localhost", "https://"),
    ("--management-url", "https://localhost/path", "nothing else"),
    ("--management-url", "https://localhost?q", "nothing"),
    ("--management-url", "https://localhost:0", "PORT"),
    ("--management-url", "https://localhost:65536", "PORT"),
    ("--management-url", "https://localhost:x", "PORT"),
    ("--management-url", "https://", "HOST"),
    ("--management-url", "https://a b", "HOST"),
    ("--management-url", "https://[::1", "HOST"),
    ("--management-url", "https://localhost\\@example.com", "HOST"),
    ("--management-url", "", "HOST"),
    ("--timeout", "0", "seconds"),
    ("--timeout", "604801", "604800"),
    ("--timeout", "-1", "seconds"),
    ("--timeout", "1.5", "seconds"),
    ("--timeout", "", "seconds"),
    ("--timeout", "4294967297", "seconds"),
    ("--connect-timeout", "0", "seconds"),
    ("--connect-timeout", "3601", "3600"),
    ("--idle-timeout", "0", "seconds"),
    ("--idle-timeout", "x", "seconds"),
    ("--poll-interval", "601", "600"),
    ("--poll-interval", "11m", "600"),
    ("--poll-interval", "s", "seconds"),
    ("--timeout", "8d", "604800"),
    ("--timeout", "0h", "seconds"),
    ("--timeout", "10 m", "seconds"),
    ("--timeout", "10M", "seconds"),
    ("--timeout", "1h30m", "seconds"),
    ("--timeout", "10ms", "seconds"),
    ("--timeout", "-1d", "seconds"),
    ("--timeout", "50000d", "seconds"),
    ("--connect-timeout", "2w", "10m, 12h, 30d"),
    ("--output", "xml", "text or json"),
    ("--output", "", "text or json"),
    ("--operation-file", "", "file"),
]


def shown(value):
    """The value as a message shows it: characters that are not visible text are escaped."""
    data = value if isinstance(value, bytes) else value.encode()
    text = data.decode("utf-8", "surrogateescape")
    return "".join(
        c
        if c.isprintable()
        else "".join(f"\\x{byte:02X}" for byte in c.encode("utf-8", "surrogateescape"))
        for c in text
    )


@pytest.mark.parametrize("option", sorted({option for option, _, _ in BAD}))
def test_bad_values(arm, rekey, option):
    """Exit 2 before any network access; the message names the option, the value and the rule. The
    management host is one that must never be contacted."""
    mark = arm.mark()
    for _, value, rule in [row for row in BAD if row[0] == option]:
        arguments = [
            os.fsencode(each) if isinstance(value, bytes) else each
            for each in (*rekey.options(arm.endpoint(), "forbidden-tls"), "--key-type", "primary")
        ]
        process = rekey.start(
            "regenerate", *map(os.fsdecode, arguments), option, os.fsdecode(value)
        )
        result = rekey.finish(process, 2)
        assert result.lines[0].startswith(
            f"rekey: error: {option} '{shown(value)[:400]}"
        ), result.err
        assert rule in result.lines[0] and len(result.lines) == 2, result.err
    assert arm.forbidden(mark) == []


GOOD = [
    ("--subscription", "s"),
    ("--subscription", "s" * 64),
    ("--resource-group", "g"),
    ("--resource-group", "ü" * 90),
    ("--resource-group", "a.b"),
    ("--resource-group", "-_().x"),
    ("--workspace-name", "a-_"),
    ("--workspace-name", "w" * 33),
    ("--api-version", "v"),
    ("--api-version", "v" * 32),
    ("--timeout", "1"),
    ("--timeout", "604800"),
    ("--connect-timeout", "3600"),
    ("--idle-timeout", "3600"),
    ("--poll-interval", "600"),
    ("--poll-interval", "0"),
    ("--timeout", "1s"),
    ("--timeout", "7d"),
    ("--timeout", "168h"),
    ("--connect-timeout", "60m"),
    ("--idle-timeout", "1h"),
    ("--poll-interval", "10m"),
    ("--output", "text"),
]


def test_values_at_their_bounds(arm, rekey):
    """One after the other: one second must be enough for a whole operation, also in an emulator."""
    for row in GOOD:
        name = arm.endpoint()
        rekey.finish(rekey.start_regenerate(name, *row), 0, name)
        assert arm.counts(name) == (1, 0)


@pytest.mark.parametrize(
    "variable, option",
    [
        ("AZURE_SUBSCRIPTION_ID", "--subscription"),
        ("AZURE_DEFAULTS_GROUP", "--resource-group"),
        ("AZURE_DEFAULTS_WORKSPACE", "--workspace-name"),
        ("REKEY_MANAGEMENT_URL", "REKEY_MANAGEMENT_URL"),
    ],
)
def test_bad_values_in_the_environment(arm, rekey, variable, option):
    """The user has to correct the variable, so the message names it, and also the option if there
    is one."""
    environment = {
        "AZURE_SUBSCRIPTION_ID": "s",
        "AZURE_DEFAULTS_GROUP": "g",
        "AZURE_DEFAULTS_WORKSPACE": "www",
        "REKEY_MANAGEMENT_URL": arm.url("forbidden-tls"),
        variable: "http://a/b",
    }
    mark = arm.mark()
    result = rekey.run("regenerate", "-n", "e", "--key-type", "primary", env=environment, code=2)
    result.says("'http://a/b'", option)
    assert arm.forbidden(mark) == []


BAD_LINES = [
    ([], ["a command is missing: "]),
    (["frobnicate"], ["'frobnicate'"]),
    (["regenerate", "more"], ["'more'"]),
    (["regenerate", "--frobnicate"], ["--frobnicate"]),
    (["regenerate", "-x"], ["-x"]),
    (["regenerate", "--name"], ["--name", "value"]),
    (["regenerate", "-g"], ["-g", "value"]),
    (["regenerate", "--no-wait=yes"], ["--no-wait"]),
    (["regenerate", "--", "--frobnicate"], ["--frobnicate"]),
    (["list-keys", "--operation-file", "x"], ["--operation-file"]),
    (["list-keys", "--no-wait"], ["--no-wait"]),
    (["list-keys", "--key-value-file", "x"], ["--key-value-file"]),
    (["regenerate", "--show"], ["--show"]),
    (["wait"], ["--operation-file"]),
    (["wait", "--operation-file", "x", "--name", "e"], ["--name"]),
    (["wait", "--operation-file", "x", "--key-type", "primary"], ["--key-type"]),
]


@pytest.mark.board
def test_bad_command_lines(rekey):
    """Unknown commands and options, missing values, options of another command."""
    for arguments, texts in BAD_LINES:
        result = rekey.run(*arguments, code=2)
        result.says(*texts)
        assert result.out == "", arguments


@pytest.mark.parametrize(
    "option", ["--key-value", "--token", "--operation", "--secret", "--secrets", "-k", "--tokn"]
)
def test_abbreviations_are_not_options(arm, rekey, option):
    """az has --key-value KEY. If that were accepted for --key-value-file, the message about it
    would print the key."""
    mark = arm.mark()
    result = rekey.run(
        "regenerate",
        *rekey.options("e", "forbidden-tls"),
        "--key-type",
        "primary",
        option,
        "secret-0123456789",
        code=2,
    )
    assert option in result.err and "secret-0123456789" not in result.err
    assert arm.forbidden(mark) == []


def test_missing_parameters(arm, rekey):
    arguments, mark = [*rekey.options("e", "forbidden-tls"), "--key-type", "primary"], arm.mark()
    for missing, full in (
        ("--subscription", "--subscription"),
        ("-g", "--resource-group"),
        ("-w", "--workspace-name"),
        ("-n", "--name"),
        ("--key-type", "--key-type"),
    ):
        at = arguments.index(missing)
        rekey.run("regenerate", *arguments[:at], *arguments[at + 2 :], code=2).says(full, "missing")
    assert arm.forbidden(mark) == []


ENDPOINT_NAMES = {"--subscription": "s", "-g": "g", "-w": "www", "-n": "e"}


@pytest.mark.parametrize(
    "short, option",
    [("--subscription",) * 2, ("-g", "--resource-group"), ("-w", "--workspace-name"), ("-n", "--name")],
)
def test_the_endpoint_of_a_rollback(rekey, tmp_path, short, option):
    """A rollback needs no endpoint, and ignores an incomplete one without --name. With --name, the
    endpoint is checked like that of any other command."""
    (tmp_path / "state").mkdir(mode=0o700)

    def roll_back(names):
        words = [word for pair in names.items() for word in pair]
        return rekey.run(
            *("rotate", "--rollback", "--state", "state", "--volatile-ok", *words),
            token=None,
            code=2,
        )

    others = {name: value for name, value in ENDPOINT_NAMES.items() if name != short}
    if short == "-n":
        roll_back(others).says("there is no previous key")
    else:
        roll_back(others).says(f"{option} (or AZURE_", "is missing")
        roll_back({"-n": "e"}).says("--subscription (or AZURE_SUBSCRIPTION_ID) is missing")
    for value in ("x" * 2000, "é" * 700, "x?y", ""):
        roll_back({**others, short: value}).says(f"{option} '")
    roll_back(ENDPOINT_NAMES).says("there is no previous key")


def test_a_bad_value_that_would_draw_on_the_terminal(rekey):
    result = rekey.run("regenerate", "--output", "\x1b[31m\r\n", code=2)
    assert "\x1b" not in result.err and "\\x1B[31m" in result.err


# A mistyped word, and words of the error.
MISTYPED = [
    (["regenrate"], "did you mean regenerate?"),
    (["wiat"], "did you mean wait?"),
    (["reg"], "did you mean regenerate?"),
    (["list"], "did you mean list-keys?"),
    (["regenerate-keys"], "did you mean regenerate?"),
    (["help", "statsu"], "did you mean status?"),
    (["help", "frobnicate"], "neither a command nor a page of help"),
    (["frobnicate"], "regenerate, list-keys, wait"),
    (["w" * 200], "is not a command"),
    (["regenerate", "--kye-type", "primary"], "did you mean --key-type?"),
    (["regenerate", "--key_type", "primary"], "did you mean --key-type?"),
    (["rotate", "--min-agee", "1d"], "did you mean --min-age?"),
    (["rotate", "--prometeus"], "did you mean --prometheus?"),
    (["regenerate", "--resource-grup=g"], "did you mean --resource-group?"),
    (["regenerate", "--key-typ", "primary"], "abbreviation", "write --key-type\n"),
    (["regenerate", "--key", "x"], "abbreviation", "--key-type, --key-value-file or --key-group"),
    (["rotate", "--pro", "x"], "--proxy or --proxy-auth-file"),
    (["regenerate", "--proxy-auth", "x"], "other users can read", "--proxy-auth-file FILE"),
    (["regenerate", "--token", "x"], "other users can read", "--token-file FILE"),
    (["regenerate", "--key-value=x"], "other users can read", "--key-value-file FILE"),
    (["token", "--secret", "x"], "other users can read", "--secret-file FILE"),
    (["token", "--" + "x" * 200], "is not an option; see rekey help"),
    (["token", "--x\x1b[31m"], "--x\\x1B[31m"),
    (["token", "-\xff"], "is not an option"),
    (["token", "--=x"], "'--' is not an option"),
    (["token", "--quiet=yes"], "--quiet takes no value"),
    (["token", "-qn"], "-n needs a value: ENDPOINT"),
    (["token", "--name"], "--name needs a value: ENDPOINT"),
    (["list-keys", "--operation-file", "x"], "is not an option of list-keys, but of regenerate and wait;"),
    (["status", "-n", "x"], "--name is not an option of status", "list-keys, check, show, rotate and sync"),
    (["token", "--prometheus"], "is not an option of token, but of status;"),
    (["wait"], "--operation-file is missing", "see rekey help wait"),
    (["token", "-"], "unexpected argument '-'"),
    (["help", "rotate", "endpoint", "more"], "unexpected argument 'more'"),
]


def test_mistyped_words(rekey):
    for arguments, *texts in MISTYPED:
        result = rekey.run(*arguments, code=2)
        assert len(result.lines) == 2 and result.out == ""
        for text in texts:
            assert text in result.err, (arguments, result.err)


def test_short_options_are_read_as_getopt_reads_them(arm, rekey):
    """Several options in one word; the last one has its value in that word or after it."""
    name = arm.endpoint()
    options = [str(each) for each in rekey.options(name)]
    for flag in ("-g", "-w", "-n"):
        at = options.index(flag)
        options[at : at + 2] = [flag + options[at + 1]]
    rekey.run("-qo", "json", "list-keys", *options, code=0, name=name, shows=("keys",))
    rekey.run("list-keys", *options, "-qojson", code=0, name=name, shows=("keys",))
    for at, option in enumerate(options):
        if option.startswith("--") and at + 1 < len(options):
            options[at : at + 2] = [f"{option}={options[at + 1]}"]
    rekey.run("list-keys", *options, code=0, name=name, shows=("keys",))


@pytest.mark.board
def test_help(rekey):
    """A page for each command and topic, of at most 24 lines and 80 columns, in reply to each of
    the usual ways to ask for it."""
    assert len(help_pages.commands()) >= 8
    words = [(), *((topic,) for topic in help_pages.topics())]
    for command in help_pages.commands():
        words += [(command,), *((command, topic) for topic in help_pages.topics(command))]
        text = help_pages.page(command)
        assert f"Usage: rekey {command} " in text, command
        assert f"\nExamples:\n  rekey {command} " in text, command
        for spelling in (
            [command, "--help"],
            ["--help", command],
            ["-h", command],
            [command, "-h"],
        ):
            assert rekey.start(*spelling, token=None).end().out == text, spelling
        assert {"-h, --help", "-o, --output"} <= set(help_pages.options(command))
    for each in words:
        lines = help_pages.page(*each).splitlines()
        assert 4 < len(lines) <= 24 and max(map(len, lines)) <= 80, (each, lines)
    for spelling in (["--help"], ["-h"], ["help"], ["help", "--help"]):
        assert rekey.start(*spelling, token=None).end().out == help_pages.page(), spelling


def test_the_help_names_variables(rekey):
    for topic, variables in {
        "endpoint": ["AZURE_SUBSCRIPTION_ID", "AZURE_DEFAULTS_GROUP", "AZURE_DEFAULTS_WORKSPACE"],
        "identity": ["AZURE_ACCESS_TOKEN", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID"],
        "connection": ["REKEY_MANAGEMENT_URL", "SSL_CERT_FILE", "HTTPS_PROXY"],
    }.items():
        assert [name for name in variables if name not in help_pages.page(topic)] == []


def test_the_examples_of_the_help_are_command_lines(rekey):
    """Their options are those of the command, and their values are valid: the only error is the one
    that the test adds."""
    for command in help_pages.commands():
        names = ", ".join(help_pages.options(command)).split(", ")
        for line in help_pages.page(command).split("\nExamples:\n")[1].splitlines():
            arguments = line.split()[1:]
            assert [each for each in arguments if each[0] == "-" and each not in names] == [], line
            rekey.run(*arguments, "--output", "x", code=2).says("--output 'x'")


@pytest.mark.board
def test_version(rekey):
    result = rekey.start("--version", token=None).end()
    assert result.code == 0 and result.err == ""
    for pattern in (
        r"rekey \d+\.\d+\.\d+ \(\S+\)",
        r"Mbed TLS 3\.6\.\d+",
        r"jsmn \S+",
        r"2025-09-01",
        "REKEY_URL_MAX=",
        r"struct rekey: \d+",
    ):
        assert re.search(pattern, result.out)


# ---- tokens and key values -----------------------------------------------------------------------

# Where the token comes from: options and more for the run. `text` is replaced by the text under
# test.
SOURCES = ["environment", "file", "stdin"]


def give(rekey, source, text):
    """Options, and arguments of the runner, that provide a token from this source."""
    if source == "environment":
        return [], {"token": text}
    if source == "stdin":
        return ["--token-file", "-"], {"token": None, "stdin": text.encode()}
    (rekey.directory / "token").write_text(text)
    return ["--token-file", "token"], {"token": None}


@pytest.mark.parametrize("source", SOURCES)
def test_token_sources(arm, rekey, source):
    ending = "" if source == "environment" else "\n"
    arguments, more = give(rekey, source, f"{TOKEN}{ending}")
    name = arm.endpoint("three-polls")
    rekey.regenerate(name, *arguments, **more)
    assert {header(request, "Authorization") for request in arm.requests(name)} == {
        f"Bearer {TOKEN}"
    }


@pytest.mark.parametrize("path", ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"])
def test_a_token_from_a_pipe_by_its_name(arm, rekey, native, path):
    """The name that a shell makes of --token-file <(...): it can be read only once."""
    name = arm.endpoint("three-polls")
    rekey.regenerate(name, "--token-file", path, token=None, stdin=TOKEN.encode() + b"\n")
    assert arm.counts(name) == (1, 3)


@pytest.mark.parametrize("source", SOURCES)
def test_bad_tokens(arm, rekey, source):
    mark = arm.mark()
    for bad in (
        "two words",
        "a\tb",
        "a\nb",
        "a\rb\r",
        "tok\x7f",
        "töken",
        "a\n\n",
        " seven",
        "\x01",
    ):
        arguments, more = give(rekey, source, bad)
        result = rekey.run(
            "regenerate",
            *rekey.options("e", "forbidden-tls"),
            "--key-type",
            "primary",
            *arguments,
            code=2,
            **more,
        )
        result.says("token")
        assert bad not in result.err and "two" not in result.err and "seven" not in result.err
    assert arm.forbidden(mark) == []


def test_a_token_with_nul(arm, rekey):
    rekey.regenerate(arm.endpoint(), "--token-file", "-", token=None, stdin=b"a\0b", code=2)


def test_no_token(arm, rekey):
    (rekey.directory / "empty").write_text("")
    mark = arm.mark()
    for arguments, more in (
        ([], {"token": None}),
        ([], {"token": None, "env": {"AZURE_ACCESS_TOKEN": ""}}),
        (["--token-file", "missing"], {}),
        (["--token-file", "."], {}),
        (["--token-file", "empty"], {}),
        (["--token-file", "-"], {"stdin": b""}),
        (["--token-file", "-"], {"stdin": b"\n"}),
    ):
        rekey.run(
            "regenerate",
            *rekey.options("e", "forbidden-tls"),
            "--key-type",
            "primary",
            *arguments,
            code=14,
            **more,
        ).says("token")
    assert arm.forbidden(mark) == []


@pytest.mark.parametrize("source", SOURCES)
def test_a_token_over_its_budget(arm, rekey, limits, source):
    size = limits["REKEY_TOKEN_MAX"]
    arguments, more = give(rekey, source, "t" * size)
    name = arm.endpoint()
    rekey.regenerate(name, *arguments, **more)
    arguments, more = give(rekey, source, "t" * (size + 1))
    mark = arm.mark()
    result = rekey.run(
        "regenerate",
        *rekey.options("e", "forbidden-tls"),
        "--key-type",
        "primary",
        *arguments,
        code=2,
        **more,
    )
    result.says(
        "REKEY_TOKEN_MAX",
        str(size + 1),
        str(size),
        "AZURE_ACCESS_TOKEN" if source == "environment" else "--token-file",
    )
    assert "ttttt" not in result.err and arm.forbidden(mark) == []


def test_an_endless_token(arm, rekey):
    rekey.regenerate(arm.endpoint(), "--token-file", "/dev/zero", token=None, code=2)


def test_bad_key_values(arm, rekey):
    value, mark = rekey.directory / "value", arm.mark()
    for content in (b"caf\xe9", b"\xed\xa0\x80", b"", b"\n", None):
        if content is None:
            value.unlink()
        else:
            value.write_bytes(content)
        rekey.run(
            "regenerate",
            *rekey.options("e", "forbidden-tls"),
            "--key-type",
            "primary",
            "--key-value-file",
            "value",
            code=2,
        ).says("--key-value-file")
    assert arm.forbidden(mark) == []


def test_a_key_value_over_its_budget(arm, rekey, limits):
    limit, mark = limits["REKEY_KEY_VALUE_MAX"], arm.mark()
    for text in ("k" * (limit + 1), "\u00fc" * (limit // 2 + 1)):
        (rekey.directory / "value").write_text(text)
        result = rekey.run(
            "regenerate",
            *rekey.options("e", "forbidden-tls"),
            "--key-type",
            "primary",
            "--key-value-file",
            "value",
            code=2,
        )
        result.says("--key-value-file", "REKEY_KEY_VALUE_MAX", str(len(text.encode())), str(limit))
        assert text[:5] not in result.err
    assert arm.forbidden(mark) == []


def test_standard_input_cannot_be_both(rekey):
    result = rekey.run(
        "regenerate",
        *rekey.options("e"),
        "--key-type",
        "primary",
        "--token-file",
        "-",
        "--key-value-file",
        "-",
        token=None,
        stdin=b"a\n",
        code=2,
    )
    result.says("--key-value-file", "standard input")


# ---- what is printed -----------------------------------------------------------------------------

MEMBERS = {
    "outcome",
    "status",
    "keyType",
    "error",
    "httpStatus",
    "requestId",
    "correlationId",
    "polls",
    "elapsedMs",
}


def scenario_json(arm, rekey, base, code, *arguments, shows=()):
    name = arm.endpoint(base)
    return (
        name,
        rekey.regenerate(
            name, "-o", "json", "--poll-interval", "0", *arguments, code=code, shows=shows
        ).json,
    )


@pytest.mark.board
def test_json_of_a_success(arm, rekey):
    name, value = scenario_json(arm, rekey, "three-polls", 0)
    last = {name: value for name, value in arm.answers(name)[-1]["headers"]}
    assert set(value) == MEMBERS
    assert value["elapsedMs"] >= 0 and isinstance(value["elapsedMs"], int)
    del value["elapsedMs"]
    assert value == {
        "outcome": "succeeded",
        "status": "Succeeded",
        "keyType": "Primary",
        "error": None,
        "httpStatus": 200,
        "requestId": last["x-ms-request-id"],
        "correlationId": last["x-ms-correlation-request-id"],
        "polls": 3,
    }


def test_json_of_a_refusal(arm, rekey):
    _, value = scenario_json(arm, rekey, "http-400", 1)
    assert set(value) == MEMBERS and value["outcome"] == "refused" and value["httpStatus"] == 400
    assert value["error"] == {
        "code": "KeyRegenerationFailed",
        "message": "The key store is not available.",
        "target": "keyStore",
    }


def test_json_of_a_failed_operation(arm, rekey):
    _, value = scenario_json(arm, rekey, "failed", 1)
    assert value["outcome"] == "failed" and value["status"] == "Failed" and value["polls"] == 2
    assert value["error"]["code"] == "KeyRegenerationFailed"


def test_json_of_an_unknown_outcome(arm, rekey):
    _, value = scenario_json(arm, rekey, "reset-after-post", 12)
    assert set(value) == MEMBERS and value["outcome"] == "unknown" and value["httpStatus"] is None
    assert set(value["error"]) == {"code", "message", "target"} and value["requestId"] is None


@pytest.mark.parametrize(
    "base, kind",
    [
        ("async-only", "Azure-AsyncOperation"),
        ("location-only", "Location"),
        ("operation-location", "Operation-Location"),
    ],
)
def test_json_of_a_running_operation(arm, rekey, base, kind):
    """While the operation has not ended, the object says where it can be polled. The user asked for
    it with -o json, so the URL is shown in full."""
    name, value = scenario_json(arm, rekey, base, 13, "--no-wait", shows=("url",))
    assert set(value) == MEMBERS | {"operationUrl", "operationKind"}
    assert (
        value["outcome"] == "running"
        and value["operationKind"] == kind
        and value["httpStatus"] == 202
    )
    assert [kind, value["operationUrl"]] in arm.answers(name)[0]["headers"]


def test_json_of_an_operation_lost_while_polling(arm, rekey):
    _, value = scenario_json(arm, rekey, "poll-403", 12, shows=("url",))
    assert value["outcome"] == "unknown" and value["operationKind"] == "Azure-AsyncOperation"
    assert value["error"]["code"] == "AuthorizationFailed"


def test_json_holds_any_text(arm, rekey):
    text = 'quote " back \\ esc \x1b nul \x00 line \n ü \U0001f511 \u2028'
    name = arm.play(
        post=[{"status": 400, "body": {"error": {"code": "c", "message": text, "target": text}}}]
    )
    value = rekey.regenerate(name, "-o", "json", code=1).json
    assert value["error"] == {"code": "c", "message": text, "target": text}


def test_json_of_what_was_not_begun(arm, rekey):
    """A script that reads the object gets one in this case, too."""
    for arguments, token, code, outcome in (
        (["--auth", "token"], None, 14, "credentials"),
        (["--ca-file", "missing"], TOKEN, 11, "not-trusted"),
        (["--operation-file", "/dev/null"], TOKEN, 2, "usage"),
        (["--key-value-file", "missing"], TOKEN, 2, "usage"),
    ):
        value = rekey.regenerate(
            arm.endpoint(), "-o", "json", *arguments, code=code, token=token
        ).json
        assert set(value) == MEMBERS and value["outcome"] == outcome and value["polls"] == 0
        assert set(value["error"]) == {"code", "message", "target"} and value["httpStatus"] is None


def test_text_of_a_success(arm, rekey):
    """Nothing on standard output, which is for results."""
    result = rekey.regenerate(arm.endpoint("three-polls"))
    assert result.out == "" and "the Primary key was regenerated" in result.err


def test_progress_on_a_pipe_is_one_line_per_change(arm, rekey):
    name = arm.play(post=[ACCEPTED], poll=[RUNNING, RUNNING, RUNNING, HALF, HALF, DONE])
    lines = rekey.regenerate(name).lines
    assert [line.split(",")[0] for line in lines[:-2]] == [
        "rekey: Accepted",
        "rekey: Updating 0 %",
        "rekey: Updating 50 %",
    ]
    assert all("next poll in" in line for line in lines[:-2])


def test_quiet(arm, rekey):
    assert rekey.regenerate(arm.endpoint("three-polls"), "-q").err == ""
    result = rekey.regenerate(arm.endpoint("http-400"), "-q", code=1)
    result.says("KeyRegenerationFailed")


@pytest.mark.parametrize("scenario", ["three-polls", "signed-now", "adopt-url"])
def test_verbose_shows_requests_and_answers_and_no_secret(arm, rekey, scenario):
    """The runner checks that no query of a polling URL is shown."""
    name = arm.endpoint(scenario)
    (rekey.directory / "value").write_text("the-key-value-that-was-given")
    result = rekey.regenerate(name, "-v", "--key-value-file", "value")
    requests = [line for line in result.lines if line.startswith("rekey: > ")]
    answers = [line for line in result.lines if line.startswith("rekey: < ")]
    logged = arm.requests(name)
    assert len(requests) == len(answers) == len(logged)
    for line, request in zip(requests, logged):
        path = (
            request["target"] if request["kind"] == "post" else request["target"].partition("?")[0]
        )
        assert line == f"rekey: > {request['method']} https://localhost:{arm.ports['main']}{path}"
    assert [line.split()[2] for line in answers] == ["202"] + ["200"] * (len(logged) - 1)
    assert "the-key-value-that-was-given" not in result.out + result.err


@pytest.mark.parametrize(
    "arguments, name",
    [
        (["regenerate", "--key-type", "primary", "-o", "json"], "ok-200"),
        (["list-keys"], "ok-200"),
        (["list-keys", "-o", "json"], "ok-200"),
    ],
    ids=["regenerate", "list-keys", "list-keys-json"],
)
def test_full_standard_output_is_15(arm, rekey, arguments, name):
    name = arm.endpoint(name)
    with open("/dev/full", "w") as full:
        process = subprocess.run(
            [*EXEC, REKEY, arguments[0], *map(str, rekey.options(name)), *arguments[1:]],
            env={**ENVIRONMENT, "AZURE_ACCESS_TOKEN": TOKEN},
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
        )
    assert process.returncode == 15
    assert (
        b"standard output" in process.stderr and b"succeeded" in process.stderr
    )  # the service's words
    assert process.stderr.decode().splitlines()[-1] == "rekey: outcome=local exit=15"


@pytest.mark.parametrize("arguments", [["list-keys"], ["--help"], ["--version"]], ids=" ".join)
def test_no_standard_output_is_15(arm, rekey, arguments):
    """Never a success, and the message says why. A closed descriptor must not become a socket
    either."""
    name = arm.endpoint()
    options = rekey.options(name) if arguments == ["list-keys"] else []
    for close in (">&-", "0>&- >&-", "> /dev/full", "0>&- >&- 2>&-"):
        process = subprocess.run(
            ["sh", "-c", f'exec "$@" {close}', "sh", *EXEC, REKEY, *arguments, *map(str, options)],
            env={**ENVIRONMENT, "AZURE_ACCESS_TOKEN": TOKEN},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=60,
        )
        assert process.returncode == 15 and process.stdout == b"", close
        if "2>&-" not in close:
            assert process.stderr.decode().splitlines()[-1:] == [
                "rekey: outcome=local exit=15"
            ], close


def test_all_descriptors_closed(arm, rekey):
    """There is nothing to print, so nothing fails, and no request was mixed with a message."""
    name = arm.endpoint("three-polls")
    process = subprocess.run(
        [
            "sh",
            "-c",
            'exec "$@" 0>&- >&- 2>&-',
            "sh",
            *EXEC,
            REKEY,
            "regenerate",
            "-v",
            *map(str, rekey.options(name)),
            "--key-type",
            "primary",
            "--operation-file",
            "op",
        ],
        env={**ENVIRONMENT, "AZURE_ACCESS_TOKEN": TOKEN},
        cwd=rekey.directory,
        timeout=60,
    )
    assert process.returncode == 0
    assert arm.counts(name) == (1, 3) and all(
        request["faults"] == [] for request in arm.requests(name)
    )


def test_a_closed_pipe_is_an_error_and_not_a_signal(arm, rekey):
    """SIGPIPE would end the command without a message."""
    name, (read, write) = arm.endpoint(), os.pipe()
    os.close(read)
    process = subprocess.run(
        [*EXEC, REKEY, "list-keys", *map(str, rekey.options(name))],
        env={**ENVIRONMENT, "AZURE_ACCESS_TOKEN": TOKEN},
        stdout=write,
        stderr=subprocess.PIPE,
        timeout=60,
    )
    os.close(write)
    assert process.returncode == 15 and b"outcome=local exit=15" in process.stderr


# ---- on a terminal -------------------------------------------------------------------------------


class Terminal:
    """A command whose standard output or standard error is a terminal."""

    def __init__(self, arguments, which):
        self.master, slave = pty.openpty()
        self.text = ""
        env = {**ENVIRONMENT, "AZURE_ACCESS_TOKEN": TOKEN, "TERM": "xterm"}
        streams = {
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            **{each: slave for each in which},
        }
        self.popen = subprocess.Popen(
            [str(each) for each in (*EXEC, REKEY, *arguments)],
            env=env,
            stdin=subprocess.DEVNULL,
            **streams,
        )
        os.close(slave)

    def end(self):
        """Returns its exit code, the terminal's text, and the other stream's text."""
        until = time.monotonic() + 20 * SLOW
        while select.select([self.master], [], [], until - time.monotonic())[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError as reason:  # EIO: the last process that had it open has ended
                assert reason.errno == errno.EIO
                break
            if not data:
                break
            self.text += data.decode()
        out, err = self.popen.communicate(timeout=20)
        os.close(self.master)
        return self.popen.returncode, self.text, (out or b"").decode() + (err or b"").decode()


@pytest.mark.parametrize("output", ["text", "json"])
def test_progress_on_a_terminal_is_one_line_redrawn(arm, rekey, output):
    name = arm.play(post=[ACCEPTED], poll=[RUNNING, RUNNING, HALF, DONE])
    code, text, other = Terminal(
        ["regenerate", *rekey.options(name), "--key-type", "primary", "-o", output], ["stderr"]
    ).end()
    assert code == 0
    lines = text.split("\n")
    assert len(lines) == 3 and len(lines[0].split("\r\x1b[K")) == 5
    drawn = lines[0].rstrip("\r").split("\r\x1b[K")
    assert [each.split(",")[0] for each in drawn[:4]] == [
        "rekey: Accepted",
        "rekey: Updating 0 %",
        "rekey: Updating 0 %",
        "rekey: Updating 50 %",
    ]
    assert all("next poll in" in each for each in drawn[:4]) and drawn[4].startswith(
        "rekey: Succeeded"
    )
    assert lines[-2].rstrip("\r") == "rekey: outcome=succeeded exit=0" and lines[-1] == ""
    assert (json.loads(other)["outcome"] == "succeeded") if output == "json" else other == ""


def test_the_output_of_a_hook_is_not_on_the_progress_line(arm, rekey, tmp_path, hook):
    """The line is erased before the program starts."""
    (tmp_path / "state").mkdir(mode=0o700)
    name = arm.play(post=[ACCEPTED], poll=[RUNNING, DONE])
    rekey.rotate(name)
    code, text, _ = Terminal(
        ["rotate", *rekey.options(name), "--state", tmp_path / "state", "--volatile-ok"]
        + ["--min-age", "0", "--settle", "0", "--exec", hook.that("echo from the program")],
        ["stderr"],
    ).end()
    assert code == 0 and "next poll in" in text
    assert "\r\x1b[Kfrom the program\r\n" in text


def test_keys_are_masked_on_a_terminal(arm, rekey):
    name = arm.endpoint()
    keys = arm.keys(name)
    code, text, other = Terminal(["list-keys", *rekey.options(name)], ["stdout"]).end()
    assert (
        code == 0
        and "primaryKey" in text
        and "secondaryKey" in text
        and "***" in text
        and "--show" in other
    )
    assert keys["primaryKey"] not in text + other and keys["secondaryKey"] not in text + other


@pytest.mark.parametrize(
    "arguments", [[], ["-o", "json"], ["--key-type", "secondary"]], ids=["text", "json", "one"]
)
def test_show_prints_keys_on_a_terminal(arm, rekey, arguments):
    name = arm.endpoint()
    masked = Terminal(["list-keys", *rekey.options(name), *arguments], ["stdout"]).end()
    shown_keys = Terminal(
        ["list-keys", *rekey.options(name), *arguments, "--show"], ["stdout"]
    ).end()
    key = arm.keys(name)["secondaryKey"]
    assert masked[0] == shown_keys[0] == 0
    assert key not in masked[1] and key in shown_keys[1]


def test_a_shown_key_cannot_draw_on_the_terminal(arm, rekey):
    """A key is text from a server; on a terminal its control characters are shown in visible
    form."""
    name = arm.endpoint("list-escaped")
    code, text, _ = Terminal(["list-keys", *rekey.options(name), "--show"], ["stdout"]).end()
    assert code == 0 and "esc" in text and "\x1b" not in text


# ---- list-keys -----------------------------------------------------------------------------------


@pytest.mark.board
def test_list_keys_text(arm, rekey):
    name = arm.endpoint()
    keys = arm.keys(name)
    assert rekey.list_keys(name).out == (
        f"primaryKey: {keys['primaryKey']}\nsecondaryKey: {keys['secondaryKey']}\n"
    )
    request = arm.requests(name, "list")[0]
    assert (
        request["method"] == "POST"
        and request["body"] == ""
        and header(request, "Content-Length") == "0"
    )
    assert f"/onlineEndpoints/{name}/listKeys?api-version=2025-09-01" in request["target"]


def test_list_keys_json(arm, rekey):
    """As az prints them."""
    name = arm.endpoint()
    keys = arm.keys(name)
    assert rekey.list_keys(name, "-o", "json").json == {
        "primaryKey": keys["primaryKey"],
        "secondaryKey": keys["secondaryKey"],
    }


@pytest.mark.parametrize("which", ["primary", "Secondary"])
def test_list_one_key(arm, rekey, which):
    """Prints just the value and a newline, for scripts."""
    name = arm.endpoint()
    key = arm.keys(name)[f"{which.lower()}Key"]
    assert rekey.list_keys(name, "--key-type", which).out == f"{key}\n"
    assert rekey.list_keys(name, "--key-type", which, "-o", "json").json == {
        f"{which.lower()}Key": key
    }


def test_list_keys_of_any_text(arm, rekey):
    """The key is printed byte for byte in text output, and also as JSON."""
    primary = 'q"b\\s/\u00e9\U0001f600\t'
    name = arm.endpoint("list-escaped")
    assert rekey.list_keys(name, "--key-type", "primary").out == primary + "\n"
    assert rekey.list_keys(name, "-o", "json").json == {
        "primaryKey": primary,
        "secondaryKey": "esc\x1b[31m\r\n\u0085",
    }


def test_null_keys(arm, rekey):
    """A null key is shown as null. If it was asked for alone, the output must not be the word null
    or an empty line."""
    name = arm.endpoint("list-null")
    assert rekey.list_keys(name).out == "primaryKey: null\nsecondaryKey: null\n"
    assert rekey.list_keys(name, "-o", "json").json == {"primaryKey": None, "secondaryKey": None}
    result = rekey.list_keys(name, "--key-type", "primary", code=1)
    assert result.out == "" and "null" in result.err


def test_one_null_key(arm, rekey):
    name = arm.endpoint("list-one-null")
    assert rekey.list_keys(name, "--key-type", "primary").out == f"{first_key(name, 'Primary')}\n"
    assert rekey.list_keys(name, "-o", "json").json["secondaryKey"] is None


def test_keys_follow_what_was_regenerated(arm, rekey):
    name = arm.endpoint("three-polls")
    before = rekey.list_keys(name, "-o", "json").json
    rekey.regenerate(name, key_type="secondary")
    after = rekey.list_keys(name, "-o", "json").json
    assert (
        before["primaryKey"] == after["primaryKey"]
        and before["secondaryKey"] != after["secondaryKey"]
    )


# ---- signals before the run, and what others can see ---------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("option", ["--token-file", "--key-value-file"])
def test_a_signal_while_standard_input_is_read(arm, rekey, native, option, number):
    """A command that waits for input can be stopped; nothing was sent."""
    token = None if option == "--token-file" else TOKEN
    name = arm.endpoint()
    read, write = os.pipe()
    process = subprocess.Popen(
        [REKEY, "regenerate", *map(str, rekey.options(name)), "--key-type", "primary", option, "-"],
        env={**ENVIRONMENT, **({"AZURE_ACCESS_TOKEN": token} if token else {})},
        stdin=read,
        stderr=subprocess.PIPE,
    )
    os.close(read)
    try:
        wait_until(lambda: blocked_in_read(process.pid), "it reads its standard input")
        process.send_signal(number)
        assert process.wait(5 * SLOW) == 10
        assert process.stderr.read().splitlines()[-1] == b"rekey: outcome=not-reached exit=10"
    finally:
        process.kill()
        process.communicate()
        os.close(write)
    assert arm.requests(name) == []


def blocked_in_read(pid):
    """Whether the process sleeps until there is data to read from a pipe (according to the
    kernel)."""
    with open(f"/proc/{pid}/wchan") as file:
        where = file.read()
    with open(f"/proc/{pid}/stat") as file:
        sleeping = file.read().rpartition(")")[2].split()[0] == "S"
    return sleeping and ("poll" in where or where in ("0", ""))


@pytest.fixture
def running(arm, rekey, native):
    """A process of the command that waits for the answer to its POST."""
    name = arm.play(post=[STALL])
    process = rekey.start_regenerate(name, env={"MARKER": "can-be-read"})
    arm.wait_for(name, "request")
    return process


def read_process(process, name):
    try:
        with open(f"/proc/{process.pid}/{name}", "rb") as file:
            return file.read()
    except PermissionError:
        pytest.skip(f"/proc/PID/{name} is for root alone: the process is not dumpable")


def test_core_dumps_are_off(running):
    line = [
        line
        for line in read_process(running, "limits").decode().splitlines()
        if "core file size" in line
    ][0]
    assert re.fullmatch(r"Max core file size +0 +0 +bytes *", line)


def test_the_process_is_not_dumpable(arm, rekey, native, nobody):
    """Other processes of the same user cannot read its memory: its files in /proc belong to
    root."""
    name = arm.play(post=[STALL])
    process = rekey.start_regenerate(name, prefix=nobody[1])
    arm.wait_for(name, "request")
    assert os.stat(f"/proc/{process.pid}/environ").st_uid == 0
    status = read_process(process, "status").decode()
    assert re.search(r"^Uid:\s+(?!0\s)", status, re.MULTILINE)  # not run as root


def test_the_token_is_not_in_the_environment_of_the_process(running):
    environ = read_process(running, "environ")
    assert b"MARKER=can-be-read" in environ and b"AZURE_ACCESS_TOKEN" in environ
    assert TOKEN.encode() not in environ


def test_the_token_is_not_in_the_command_line(running):
    arguments = read_process(running, "cmdline")
    assert b"regenerate" in arguments and TOKEN.encode() not in arguments


def test_descriptors_are_not_given_to_children(running):
    """All descriptors but the first three are close-on-exec, as the flags in /proc/PID/fdinfo
    show."""
    folder = f"/proc/{running.pid}/fdinfo"
    if not os.access(folder, os.R_OK):
        pytest.skip(f"{folder} is for root alone: the process is not dumpable")
    seen = 0
    for fd in os.listdir(folder):
        flags = int(
            re.search(r"flags:\s+(\d+)", read_process(running, f"fdinfo/{fd}").decode())[1], 8
        )
        if int(fd) > 2:
            seen += 1
            assert flags & os.O_CLOEXEC, fd
    assert seen >= 1


def test_a_pipe_without_a_writer_is_not_a_bundle(arm, rekey):
    """A writer may be slow: the command waits for as long as --timeout says."""
    os.mkfifo(rekey.directory / "pipe")
    result = rekey.regenerate(arm.endpoint(), "--ca-file", "pipe", "--timeout", "1", code=11)
    result.says("'pipe'", "no more data came before the limit (--timeout)")
    assert 0.95 <= result.seconds < 5 * SLOW


def test_standard_input_is_given_once(arm, rekey):
    name = arm.endpoint()
    more = ["--key-value-file", "-", "--secret-file", "-", "--auth", "secret"]
    rekey.regenerate(name, *more, code=2).says("standard input")


def test_an_option_counts_before_the_environment(rekey):
    (rekey.directory / "file").write_text("the-client-secret")
    result = rekey.run("token", "--secret-file", "file", "-v", code=14)
    result.says("auth: secret", "AZURE_TENANT_ID")


def test_a_service_that_repeats_the_token(arm, rekey):
    """The runner looks for the token in everything that is printed."""
    refusal = {"code": "BadHeader", "message": f"bad header: Bearer {TOKEN}"}
    for form in ("text", "json"):
        name = arm.play(post=[{"status": 403, "body": {"error": refusal}}])
        rekey.regenerate(name, "-o", form, code=1).says("BadHeader")


def test_an_empty_key_is_not_a_key(arm, rekey):
    name = arm.endpoint()
    arm.set_keys(name, primaryKey="")
    rekey.list_keys(name, "--key-type", "primary", code=1).says("null or empty")


# ---- --ids ---------------------------------------------------------------------------------------

PROVIDER = "Microsoft.MachineLearningServices"


def resource_id(name, kind="onlineEndpoints", **other):
    names = {"s": SUBSCRIPTION, "g": GROUP, "w": WORKSPACE, "p": PROVIDER, **other}
    return "/subscriptions/{s}/resourceGroups/{g}/providers/{p}/workspaces/{w}/{kind}/{n}".format(
        **{"kind": kind, "n": name, **names}
    )


def connection(rekey):
    """The options for an endpoint that --ids does not replace."""
    options = [str(each) for each in rekey.options("e")]
    at = options.index("--subscription")
    return options[:at]


@pytest.mark.parametrize(
    "kind, base", [("online", None), ("ONLINE", None), ("serverless", "serverless")]
)
def test_ids(arm, rekey, kind, base):
    """The request is the same as with the single options; the environment does not override
    --ids."""
    name = arm.endpoint(*([base] if base else []))
    environment = {"AZURE_SUBSCRIPTION_ID": "other", "AZURE_DEFAULTS_GROUP": "other"}
    environment["AZURE_DEFAULTS_WORKSPACE"] = "other"
    given = [*connection(rekey), "--ids", resource_id(name, f"{kind}Endpoints")]
    rekey.run("list-keys", *given, env=environment, code=0, name=name, shows=("keys",))
    target = arm.requests(name, "list")[0]["target"]
    same = resource_id(name, f"{kind.lower()}Endpoints")
    assert target.startswith(f"{same}/listKeys?api-version=")
    rekey.run("regenerate", *given, "--key-type", "primary", code=0, name=name)


def test_ids_in_any_case_of_the_fixed_words(arm, rekey):
    name = arm.endpoint()
    given = resource_id(name).replace("resourceGroups", "resourcegroups").replace("Learn", "learn")
    rekey.run("show", *connection(rekey), "--ids", given, code=0, name=name)


# A resource ID, and words of the error about it.
BAD_IDS = [
    ("", "expected subscriptions instead of nothing"),
    ("e", "expected subscriptions instead of 'e'"),
    ("https://ml.azure.com/x", "expected subscriptions instead of 'https:'"),
    (resource_id("e")[1:], "expected /subscriptions instead of"),
    ("/subscription/s", "expected subscriptions instead of 'subscription'"),
    ("/subscriptions", "a name after subscriptions"),
    ("/subscriptions//resourceGroups/g", "a name after subscriptions"),
    ("/subscriptions/s", "expected resourceGroups instead of nothing"),
    ("/subscriptions/s/resourceGroup/g", "expected resourceGroups instead of 'resourceGroup'"),
    (resource_id("e", p="Microsoft.Web"), f"expected {PROVIDER} instead of 'Microsoft.Web'"),
    (resource_id("e", w=""), "a name after workspaces"),
    (resource_id("e", "batchEndpoints"), "expected onlineEndpoints instead of 'batchEndpoints'"),
    (resource_id(""), "a name after onlineEndpoints"),
    (resource_id("e") + "/", "expected the end instead of '/'"),
    (resource_id("e") + "/deployments/blue", "expected the end instead of '/deployments/blue'"),
    (resource_id("e") + "?x", "'e?x': endpoint:"),
    (resource_id("e", w="a"), "'a': workspace:"),
    (resource_id("e", g="a b"), "'a b': resource group:"),
    (resource_id("e", s="a_b"), "'a_b': subscription:"),
    (resource_id("e\x1b[31m"), "\\x1B[31m"),
    (resource_id("e" * 5000), "endpoint:"),
]


def test_bad_ids(arm, rekey):
    mark = arm.mark()
    given = rekey.options("e", "forbidden-tls")
    given = [str(each) for each in given[: [*map(str, given)].index("--subscription")]]
    for text, words in BAD_IDS:
        result = rekey.run("list-keys", *given, "--ids", text, code=2)
        assert result.lines[0].startswith("rekey: error: --ids '") and len(result.lines) == 2
        assert words in result.lines[0], (text, result.err)
    assert arm.forbidden(mark) == []


def test_ids_beside_the_single_options(arm, rekey):
    for option, value in (
        ("--subscription", SUBSCRIPTION),
        ("--resource-group", GROUP),
        ("--workspace-name", WORKSPACE),
        ("--name", "e"),
        ("--kind", "online"),
    ):
        for given in (
            ["--ids", resource_id("e"), option, value],
            [option, value, "--ids", resource_id("e")],
        ):
            rekey.run("list-keys", *given, code=2).says(f"{option} cannot be combined with --ids")
    text = resource_id("e", "serverlessEndpoints")
    rekey.run("show", "--ids", text, code=2).says("--kind is not an option of show")
    rekey.run("token", "--ids", text, code=2).says("--ids is not an option of token")
