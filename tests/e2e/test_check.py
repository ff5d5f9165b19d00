"""`rekey check`: one line for each thing that a rotation needs, a remedy for what fails, and the
exit code of the worst. Whatever it finds, it changes nothing, neither at the service nor in the
state directory."""

import json
import os
import socket

import pytest

from conftest import CERTS, EXEC, SUBSCRIPTION, error

CHECKS = [
    "clock",
    "name lookup",
    "route",
    "TLS and trust",
    "identity",
    "read endpoint",
    "authMode",
    "list keys",
    "regenerate",
    "state directory",
    "hook",
]
OK = ["ok"] * 8 + ["not checked"]
RIGHT = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/"


def check(rekey, name, *arguments, code=0, **more):
    """Runs the check. Returns {check: (result, text)}."""
    result = rekey.run("check", *rekey.options(name), *arguments, code=code, name=name, **more)
    lines = [line.split(": ", 2) for line in result.out.splitlines()]
    assert [name for name, _, _ in lines] == CHECKS, result.out
    return {name: (word, text) for name, word, text in lines}


def words(found):
    return [found[name][0] for name in CHECKS]


@pytest.mark.board
def test_all_checks_pass(arm, rekey, tmp_path, hook):
    name = arm.endpoint()
    (tmp_path / "state").mkdir()
    given = ["--state", "state", "--volatile-ok", "--exec", hook.path]
    found = check(rekey, name, *given)
    assert words(found) == [*OK, "ok", "ok"]
    assert found["regenerate"][1].endswith(RIGHT + "regenerateKeys/action")
    assert f"localhost:{arm.ports['main']}" in found["TLS and trust"][1]
    assert [each["kind"] for each in arm.requests(name)] == ["get", "list"]
    assert arm.keys(name)["regenerated"] == [] and hook.runs() == []
    assert os.listdir(tmp_path / "state") == ["lock"]


def test_without_state_and_hook(arm, rekey):
    assert words(check(rekey, arm.endpoint())) == [*OK, "skipped", "skipped"]


def test_json_and_quiet(arm, rekey):
    name = arm.play(list=[error(403, code="AuthorizationFailed")])
    asked = ["check", *rekey.options(name)]
    found = rekey.run(*asked, "-o", "json", code=1, name=name).json
    assert [each["name"] for each in found["checks"]] == CHECKS and found["outcome"] == "refused"
    assert found["checks"][CHECKS.index("list keys")]["result"] == "failed"
    assert rekey.run(*asked, "-q", code=1, name=name).out.startswith("list keys: failed: ")


def nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


UNAUTHORIZED = error(401, code="InvalidAuthenticationToken")
FORBIDDEN = error(403, code="AuthorizationFailed")
NETWORK = ["name lookup", "route", "TLS and trust"]
SERVICE = ["identity", "read endpoint", "authMode", "list keys", "regenerate"]

# What is wrong: (the scenario, options, environment), the check that fails, the exit code, the
# words in its line, and the checks that are skipped because of it.
FAILURES = {
    "the name is not known": (
        {},
        ["--management-url", "https://nobody.invalid", "--connect-timeout", "5"],
        "name lookup",
        10,
        ["name server"],
        ["route", "TLS and trust", *SERVICE],
    ),
    "nobody listens": (
        {},
        ["--management-url", "https://127.0.0.1:{closed}"],
        "route",
        10,
        ["Connection refused", "firewall"],
        ["TLS and trust", *SERVICE],
    ),
    "a proxy that is not there": (
        {},
        ["--proxy", "http://127.0.0.1:{closed}"],
        "route",
        10,
        ["the proxy 127.0.0.1:{closed}: Connection refused", "; correct the proxy's address"],
        ["TLS and trust", *SERVICE],
    ),
    "a proxy that cannot be": (
        {},
        ["--proxy", "ftp://127.0.0.1"],
        "route",
        2,
        ["--proxy"],
        ["name lookup", "TLS and trust", *SERVICE],
    ),
    "other trust anchors": (
        {},
        ["--ca-file", str(CERTS / "elsewhereOnly.pem")],
        "TLS and trust",
        11,
        ["is not among the trust anchors"],
        SERVICE,
    ),
    "no trust anchors": (
        {},
        ["--ca-file", "/nowhere/ca.pem"],
        "TLS and trust",
        11,
        ["'/nowhere/ca.pem': No such file or directory"],
        SERVICE,
    ),
    "no token": ({}, ["--auth", "secret"], "identity", 14, ["AZURE_TENANT_ID"], SERVICE[1:]),
    "a token that is refused": (
        {"get": [UNAUTHORIZED] * 2},
        [],
        "identity",
        14,
        ["HTTP 401 InvalidAuthenticationToken", "or has expired: get a new one"],
        SERVICE[1:],
    ),
    "no right to read": ({"get": [FORBIDDEN]}, [], "read endpoint", 1, [RIGHT + "read"], ["authMode"]),
    "no such endpoint": ({"get": [error(404)]}, [], "read endpoint", 1, ["-w"], SERVICE[2:]),
    "no keys": (
        {"properties": {"authMode": "AADToken"}},
        [],
        "authMode",
        1,
        ["AADToken"],
        [],
    ),
    "no right to list": ({"list": [FORBIDDEN]}, [], "list keys", 1, [RIGHT + "listKeys/action"], ["regenerate"]),
    "no state directory": ({}, ["--state", "none"], "state directory", 15, ["'none': there is no such directory"], []),
}


@pytest.mark.parametrize("row", FAILURES)
def test_failures(arm, rekey, row):
    scenario, arguments, failing, code, says, skipped = FAILURES[row]
    name, closed = arm.play(**scenario), nobody_listens()
    found = check(rekey, name, *[each.format(closed=closed) for each in arguments], code=code)
    results = {name: word for name, (word, _) in found.items() if name not in ("state directory", "hook")}
    assert found[failing][0] == "failed", found
    for text in says:
        assert text.format(closed=closed) in found[failing][1]
    assert [name for name, word in results.items() if word == "skipped"] == skipped
    assert [name for name, (word, _) in found.items() if word == "failed"] == [failing]
    assert arm.keys(name)["regenerated"] == []


def test_a_key_that_is_null(arm, rekey):
    name = arm.endpoint()
    arm.set_keys(name, secondaryKey=None)
    assert check(rekey, name, code=1)["list keys"][0] == "failed"


def test_a_clock_that_was_never_set(arm, rekey, preload):
    found = check(rekey, arm.endpoint(), code=11, env=preload("clock", CLOCK_SHIFT="-1000000000"))
    assert words(found)[:5] == ["failed", "ok", "ok", "skipped", "skipped"]
    assert "set the clock" in found["clock"][1]


def test_a_permanent_failure_decides_the_exit_code(arm, rekey):
    """A host that does not answer now may answer later; the directory will not create itself."""
    given = ["--management-url", f"https://127.0.0.1:{nobody_listens()}", "--state", "none"]
    found = check(rekey, arm.endpoint(), *given, code=15)
    assert [found[name][0] for name in ("route", "state directory")] == ["failed", "failed"]


def test_the_state_of_another_run(arm, rekey, tmp_path, hook):
    """The state is damaged, of another endpoint, has a pending hook, or is in use: nothing in it is
    touched."""
    name, state = arm.endpoint(), tmp_path / "state"
    given = ["--state", "state", "--volatile-ok"]
    rekey.rotate(name, "--exec", hook.that("exit 1"), code=15)
    (state / "key.tmp").write_text("left by a run that was killed")
    before = {each.name: each.read_text() for each in state.iterdir()}
    found = check(rekey, name, *given, code=15)
    assert found["state directory"][0] == "ok" and "--exec" in found["hook"][1]
    assert check(rekey, arm.endpoint(), *given, code=15)["state directory"][0] == "failed"
    assert {each.name: each.read_text() for each in state.iterdir()} == before
    (state / "state").write_text("damaged\n")
    assert "damaged" in check(rekey, name, *given, code=15)["state directory"][1]


@pytest.mark.skipif(bool(EXEC), reason="locks are the emulator's")
def test_a_run_in_progress_is_not_a_failure(arm, rekey, tmp_path, gate):
    name = arm.play(list=[{"status": 200, "body": "{keys}", "do_before": [gate.line]}])
    run = rekey.start_switch("rotate", name)
    arm.wait_for(name, "request", kind="list")
    other = arm.endpoint()
    found = check(rekey, other, "--state", "state", "--volatile-ok")
    assert found["state directory"] == (
        "skipped",
        "--state 'state': another run is using it",
    )
    gate.open()
    rekey.finish(run, 0, name)
