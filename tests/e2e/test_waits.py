"""Silence is explained: for a wait of more than ten seconds the command prints one line that says
what it waits for, and until when; on a terminal it shows a countdown. A wait that may end sooner is
reported when it has lasted ten seconds. The waits are long, and no test waits until they end: the
tests read the line and stop the run."""

import datetime
import json
import os
import re
import select
import signal
import uuid

import pytest

from conftest import ACCEPTED, EXEC, error, wait_until
from test_command_line import Terminal

LOST = {"cut": 0, "then": "reset"}
KEYS = {"status": 200, "body": "{keys}"}
WAIT = r"^rekey: waiting for (.*?), (?:at most )?(\d+) s, until (\S+Z)$"


def wait_line(process, what, seconds):
    """The line for a wait for `what`, of at most so many seconds, with the time at which it
    ends."""
    match = process.line(WAIT, 40)
    assert what in match[1], match[0]
    assert seconds - 20 < int(match[2]) <= seconds
    until = datetime.datetime.fromisoformat(match[3].replace("Z", "+00:00"))
    left = (until - datetime.datetime.now(datetime.timezone.utc)).total_seconds()
    assert left <= int(match[2]) + 1
    return match


def stop(rekey, process, name, code):
    process.signal(signal.SIGTERM)
    result = rekey.finish(process, code, name)
    assert len(re.findall(WAIT, result.err, re.MULTILINE)) == 1, result.err


@pytest.mark.board
def test_a_try_after_429(arm, rekey):
    name = arm.play(list=[error(429, ["Retry-After", "300"]), KEYS])
    process = rekey.start("list-keys", *rekey.options(name))
    wait_line(process, "the next try", 300)
    stop(rekey, process, name, 10)


def test_a_poll_that_is_far(arm, rekey):
    """The line of the progress names the first poll; a later poll that is further away is reported
    as well."""
    far = {"status": 200, "headers": [["Retry-After", "300"]], "body": {"status": "Updating"}}
    near = {"status": 200, "headers": [["Retry-After", "0"]], "body": {"status": "Updating"}}
    name = arm.play(post=[ACCEPTED], poll=[near, far])
    process = rekey.start_regenerate(name)
    wait_line(process, "the next poll", 300)
    stop(rekey, process, name, 13)


def test_an_answer_that_does_not_come(arm, rekey):
    """It is reported once it is late: before that nobody knows."""
    name = arm.play(list=[{"cut": 0, "then": "stall"}])
    process = rekey.start("list-keys", *rekey.options(name))
    match = process.line(WAIT, 30)
    assert match[1] == "an answer" and 80 <= int(match[2]) <= 90
    stop(rekey, process, name, 10)


def test_a_key_that_is_not_listed_yet(arm, rekey):
    name = arm.endpoint()
    rekey.rotate(name)
    arm.play(name=name, post=[{"status": 200}], execute="never")
    process = rekey.start_switch("rotate", name, "--timeout", "200")
    wait_line(process, "the service to list the new key", 200)
    stop(rekey, process, name, 13)


def test_settling(arm, rekey):
    name = arm.endpoint()
    rekey.rotate(name)
    process = rekey.start_switch("rotate", name, "--settle", "100")
    wait_line(process, "the new key to be listed again (--settle)", 100)
    stop(rekey, process, name, 13)


def test_a_key_that_has_vanished(arm, rekey, tmp_path):
    name = arm.endpoint()
    rekey.rotate(name)
    arm.regenerate(name, "Primary")
    process = rekey.start_switch("rotate", name)
    wait_line(process, "the service to list the key in use again", 60)
    stop(rekey, process, name, 10)


def test_an_operation_of_an_earlier_run(arm, rekey):
    name = arm.endpoint()
    rekey.rotate(name)
    arm.play(name=name, post=[LOST], execute="never")
    rekey.rotate(name, "--timeout", "100", code=12)
    process = rekey.start_switch("rotate", name, "--timeout", "100")
    wait_line(process, "an operation of an earlier run", 150)
    stop(rekey, process, name, 12)


def test_a_scoring_uri_that_does_not_take_the_key(arm, rekey):
    uri = f"https://localhost:{arm.ports['scoring']}/endpoints/nobody/score"
    name = arm.endpoint()
    rekey.rotate(name)
    arm.play(name=name, properties={"scoringUri": uri})
    process = rekey.start_switch("rotate", name, "--probe", "--timeout", "200")
    wait_line(process, "the scoring URI to accept the new key", 200)
    stop(rekey, process, name, 13)


def test_a_program_that_takes_long(arm, rekey, hook):
    name = arm.endpoint()
    process = rekey.start_switch("rotate", name, "--exec", hook.that("exec tail -f /dev/null"))
    wait_line(process, "the program of --exec", 60)
    stop(rekey, process, name, 15)


def test_a_short_wait_is_not_told(arm, rekey):
    name = arm.play(list=[error(429, ["Retry-After", "1"]), KEYS])
    assert "waiting" not in rekey.list_keys(name).err


def test_a_program_that_ends_soon_is_not_told(arm, rekey, hook):
    assert "waiting" not in rekey.rotate(arm.endpoint(), "--exec", hook.path).err


def test_quiet_says_nothing(arm, rekey, hook):
    """After a success nothing is printed, not even warnings; after a failure, the error with its
    cause."""
    name = arm.endpoint()
    assert rekey.rotate(name, "-q").err == ""
    arm.regenerate(name, "Secondary")
    result = rekey.rotate(name, "-q", code=1)
    result.says("somebody else", "outcome=refused exit=1")
    (rekey.directory / "two").mkdir()
    result = rekey.rotate(arm.endpoint(), "-q", "--exec", hook.that("exit 3"), state="two", code=15)
    result.says("ended with exit code 3", "outcome=local")


@pytest.mark.skipif(bool(EXEC), reason="the program is started by the emulator")
def test_quiet_and_a_program_that_cannot_be_started(arm, rekey, tmp_path):
    program = tmp_path / "program"
    program.write_text("#!/nowhere/sh\n")
    program.chmod(0o755)
    result = rekey.rotate(arm.endpoint(), "-q", "--exec", program, code=15)
    assert result.err.count("No such file or directory") == 1


def test_quiet_prints_what_was_asked_for(arm, rekey):
    name = arm.endpoint()
    assert json.loads(rekey.list_keys(name, "-q", "-o", "json").out)["primaryKey"]


def test_verbose_shows_token_requests(arm, rekey):
    """They show to whom the request went and that a token came, but not the token."""
    tenant, client = str(uuid.uuid4()), str(uuid.uuid4())
    rekey.identities.append(tenant)
    arm.identity(tenant, client_id=client, secret="wait-s" * 4)
    env = {"AZURE_TENANT_ID": tenant, "AZURE_CLIENT_ID": client, "AZURE_CLIENT_SECRET": "wait-s" * 4}
    env["AZURE_AUTHORITY_HOST"] = arm.url("authority")
    lines = rekey.list_keys(arm.endpoint(), "-v", token=None, env=env).lines
    starts = [line[:9] for line in lines if line[7:9] in ("> ", "< ")]
    assert starts == ["rekey: > ", "rekey: < "] * 2
    assert f"rekey: > token request to localhost:{arm.ports['authority']}" in lines
    assert "rekey: < token" in lines


@pytest.mark.skipif(bool(EXEC), reason="looks at a terminal, which is the emulator's")
@pytest.mark.parametrize(
    "command, pattern, code",
    [("list-keys", r"waiting for the next try, (\d+) s", 10), ("regenerate", r"Accepted, next poll in (\d+)", 13)],
)
def test_a_countdown_on_a_terminal(arm, rekey, command, pattern, code):
    far = {"status": 202, "headers": [["Azure-AsyncOperation", "{async}"], ["Retry-After", "300"]], "body": ""}
    name = arm.play(list=[error(429, ["Retry-After", "300"]), KEYS], post=[far])
    key = ["--key-type", "primary"] if command == "regenerate" else []
    terminal = Terminal([command, *rekey.options(name), *key], ["stderr"])

    def seconds():
        if select.select([terminal.master], [], [], 1)[0]:
            terminal.text += os.read(terminal.master, 65536).decode()
        return sorted(set(re.findall(pattern, terminal.text)))

    wait_until(lambda: len(seconds()) >= 2, "two numbers of the countdown")
    terminal.popen.send_signal(signal.SIGTERM)
    ended, text, _ = terminal.end()
    assert ended == code and text.count("\n") < 8
