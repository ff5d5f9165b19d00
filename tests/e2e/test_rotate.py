"""`rekey rotate` and the related commands against the stand-in: what a run does with the key file,
the state directory and the service, with and without failures. The invariant: the slot whose key is
in the key file is never regenerated, and a key is not in the key file before the service has listed
it."""

import json
import os
import re
import shutil
import signal
import time
from pathlib import Path

import pytest

from conftest import (
    ACCEPTED,
    DONE,
    EXEC,
    NOW,
    RUNNING,
    SLOW,
    TOKEN,
    error,
    header,
    wait_until,
)

STALL = {"cut": 0, "then": "stall"}
LOST = {"cut": 0, "then": "reset"}
SLOTS = {"Primary": "primaryKey", "Secondary": "secondaryKey"}


@pytest.fixture
def state(tmp_path):
    (tmp_path / "state").mkdir()
    return tmp_path / "state"


@pytest.fixture
def adopted(arm, rekey, state):
    """A function that makes an endpoint whose primary key was adopted into the key file. Its
    scenario is set only after that."""

    def adopt(name=None, **scenario):
        name = name or arm.endpoint()
        rekey.rotate(name)
        if scenario:
            arm.play(name=name, **scenario)
        return name

    return adopt


def key_of(state):
    return (state / "key").read_text()


def in_use(arm, name, state):
    """The slot whose key is in the key file. The service must know that key."""
    keys, key = arm.keys(name), key_of(state)
    return next(slot for slot, member in SLOTS.items() if keys[member] == key)


def status_of(state):
    return json.loads((state / "status.json").read_text())


def kinds(arm, name):
    return [request["kind"] for request in arm.requests(name)]


def fields(path):
    return dict(line.split(" ", 1) for line in path.read_text().splitlines() if " " in line)


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


# ---- one run after the other ---------------------------------------------------------------------


@pytest.mark.board
def test_adopt_rotate_rotate(arm, rekey, state):
    name = arm.endpoint("three-polls")
    rekey.rotate(name).says("the Primary key is in 'state/key' now; the next rotation is due")
    assert kinds(arm, name) == ["list"] and arm.keys(name)["regenerated"] == []
    assert in_use(arm, name, state) == "Primary" and not (state / "key.previous").exists()
    first = key_of(state)
    rekey.rotate(name).says("the Secondary key was regenerated, and is in 'state/key' now")
    # The new key is listed twice. --settle, which is 0 here, is the time between.
    assert kinds(arm, name)[1:] == ["list", "post", "async", "async", "async", "list", "list"]
    assert in_use(arm, name, state) == "Secondary" and (state / "key.previous").read_text() == first
    arm.play("three-polls", name)
    rekey.rotate(name).says("the Primary key was regenerated")
    assert in_use(arm, name, state) == "Primary"
    assert arm.keys(name)["regenerated"] == ["Secondary", "Primary"]
    assert sorted(os.listdir(state)) == ["key", "key.previous", "lock", "state", "status.json"]


def test_adoption_of_a_key_that_is_there(arm, rekey, state):
    """Somebody put a key there by hand, with a newline. It is the secondary one: that slot is in
    use, and the first run rotates at once."""
    name = arm.endpoint()
    (state / "key").write_text(arm.keys(name)["secondaryKey"] + "\n")
    rekey.rotate(name)
    assert arm.keys(name)["regenerated"] == ["Primary"] and in_use(arm, name, state) == "Primary"


def test_a_key_that_the_service_does_not_know(arm, rekey, state):
    """The key is replaced by the primary one and kept as key.previous, and a message says so;
    nothing is regenerated."""
    name = arm.endpoint()
    (state / "key").write_text("of-another-endpoint")
    rekey.rotate(name, "--timeout", "4").says("has changed the key that was in use")
    assert arm.keys(name)["regenerated"] == [] and in_use(arm, name, state) == "Primary"
    assert (state / "key.previous").read_text() == "of-another-endpoint"


def test_not_due(arm, rekey, adopted, state):
    name = adopted()
    before = (state / "state").read_text(), key_of(state)
    rekey.rotate(name, "--min-age", "3600").says("not due")
    assert kinds(arm, name) == ["list", "list"] and status_of(state)["result"] == "not-due"
    assert ((state / "state").read_text(), key_of(state)) == before
    due = status_of(state)
    assert due["nextDue"] == due["switched"] + 3600


def test_due_by_the_clock(arm, rekey, adopted, preload, state):
    """The same --min-age two hours later, and with a clock that was set back."""
    name = adopted()
    rekey.rotate(name, "--min-age", "3600", env=preload("clock", CLOCK_SHIFT="3500"))
    assert arm.keys(name)["regenerated"] == []
    rekey.rotate(name, "--min-age", "3600", env=preload("clock", CLOCK_SHIFT="7200"))
    assert arm.keys(name)["regenerated"] == ["Secondary"]
    rekey.rotate(name, "--min-age", "3600")
    assert arm.keys(name)["regenerated"] == ["Secondary"]
    assert abs(int(fields(state / "state")["switched"]) - time.time()) < 60 * SLOW


@pytest.mark.parametrize("key", ["primaryKey", "secondaryKey"])
def test_null_keys(arm, rekey, adopted, state, key):
    name = adopted()
    arm.set_keys(name, **{key: None})
    before = key_of(state)
    rekey.rotate(name, code=1)
    assert key_of(state) == before and "post" not in kinds(arm, name)


def test_equal_keys(arm, rekey, adopted, state):
    name = adopted()
    arm.set_keys(name, secondaryKey=key_of(state))
    rekey.rotate(name, code=1)
    assert "post" not in kinds(arm, name)


def test_no_right_to_list(arm, rekey, adopted, state):
    name = adopted(list=[error(403, code="AuthorizationFailed")])
    rekey.rotate(name, code=1).says("AuthorizationFailed")
    assert "post" not in kinds(arm, name) and in_use(arm, name, state) == "Primary"


@pytest.mark.parametrize("post", [error(403), error(409), {"status": 404}])
def test_refused(arm, rekey, adopted, state, post):
    """The key in use stays, and there is no intent: the next run rotates."""
    name = adopted(post=[post])
    rekey.rotate(name, code=1)
    assert in_use(arm, name, state) == "Primary" and not (state / "operation").exists()
    arm.play(name=name)
    rekey.rotate(name)
    assert in_use(arm, name, state) == "Secondary"


def test_failed(arm, rekey, adopted, state):
    name = adopted(base="failed")
    rekey.rotate(name, code=1).says("KeyRegenerationFailed")
    assert in_use(arm, name, state) == "Primary" and not (state / "operation").exists()


def test_not_reached(arm, rekey, adopted, state, main_put_back):
    name = adopted()
    arm.control("PUT", "/listener/main?state=down")
    rekey.rotate(name, "--timeout", "1", code=10).says("it is safe to run the command again")
    assert status_of(state)["exit"] == 10 and status_of(state)["slot"] == "Primary"


def test_not_trusted(arm, rekey, adopted, main_put_back):
    name = adopted()
    arm.control("PUT", "/certificate/main?name=unknown")
    rekey.rotate(name, code=11)
    assert kinds(arm, name) == ["list"]


# ---- rollback ------------------------------------------------------------------------------------


def rollback(rekey, *arguments, code=0, **more):
    return rekey.run(
        *("rotate", "--rollback", "--state", "state", "--volatile-ok", *arguments),
        code=code,
        token=None,
        **more,
    )


@pytest.mark.board
def test_rollback(arm, rekey, adopted, state, hook):
    """The rollback is local: it needs no token and sends nothing. The hook runs, and the next run
    respects --min-age."""
    name = adopted()
    rekey.rotate(name)
    before, mark = (state / "key.previous").read_text(), arm.mark()
    rollback(rekey, "--exec", hook.path).says("the previous key is in 'state/key' again")
    assert arm.connections("main", mark) == []
    assert key_of(state) == before and in_use(arm, name, state) == "Primary"
    assert [run["REKEY_KEY_TYPE"] for run in hook.runs()] == ["Primary"]
    assert status_of(state)["result"] == "restored" and status_of(state)["slot"] == "Primary"
    rekey.rotate(name, "--min-age", "3600").says("not due")
    rollback(rekey)  # and back again
    assert in_use(arm, name, state) == "Secondary"


def test_the_slot_after_a_rollback(arm, rekey, adopted, state):
    """The key file says which slot is in use: the other one is regenerated."""
    name = adopted()
    rekey.rotate(name)
    rollback(rekey)
    rekey.rotate(name)
    assert arm.keys(name)["regenerated"] == ["Secondary", "Secondary"]
    assert in_use(arm, name, state) == "Secondary"


def test_a_rollback_to_a_slot_that_nobody_knows(rekey, state, hook):
    """Both keys were put there by hand, and no run has contacted the service yet."""
    (state / "key").write_text("one")
    (state / "key.previous").write_text("other")
    rollback(rekey, "--exec", hook.path)
    assert key_of(state) == "other" and (state / "key.previous").read_text() == "one"
    assert [run["REKEY_KEY_TYPE"] for run in hook.runs()] == ["none"]
    assert status_of(state)["slot"] == "none"


def test_nothing_to_roll_back_to(rekey, adopted, state, hook):
    adopted()
    before = key_of(state)
    rollback(rekey, "--exec", hook.path, code=2)
    assert key_of(state) == before and status_of(state)["hookPending"] is False


def test_nothing_to_roll_back_to_in_an_empty_directory(arm, rekey, state):
    """No state is left, because it would not belong to any endpoint; a state of an earlier version
    does no harm."""
    rollback(rekey, code=2)
    assert not (state / "state").exists()
    name = arm.endpoint()
    rekey.rotate(name)
    path = state / "state"
    path.write_text(re.sub("(?m)^endpoint .*$", "endpoint ", path.read_text()))
    rekey.rotate(name)
    assert in_use(arm, name, state) == "Secondary" and name in path.read_text()


def test_a_rollback_whose_hook_fails(arm, rekey, adopted, state, hook):
    """A repeated rollback runs the hook and exchanges nothing; so does a rotation."""
    name = adopted()
    rekey.rotate(name)
    for _ in range(2):
        rollback(rekey, "--exec", hook.that("exit 1"), code=15)
        assert in_use(arm, name, state) == "Primary"
    rekey.rotate(name, "--exec", hook.path, "--min-age", "3600").says("not due")
    assert in_use(arm, name, state) == "Primary" and len(hook.runs()) == 3
    rollback(rekey, "--exec", hook.path)
    assert in_use(arm, name, state) == "Secondary"


def test_a_lock_that_is_removed(arm, rekey, adopted, state):
    """Another run may be in progress then: nothing is sent or changed any more."""
    name = adopted(list=[{"status": 200, "body": "{keys}", "delay": 1}])
    process = rekey.start_switch("rotate", name)
    arm.wait_for(name, "request", 2, "list")
    (state / "lock").unlink()
    rekey.finish(process, 15, name).says("'state/lock': it was removed during this run")
    assert "post" not in kinds(arm, name)


def test_a_hook_does_not_outlive_rekey(rekey, state, hook):
    if EXEC:
        pytest.skip("it is the emulator that dies")
    (state / "key").write_text("one")
    (state / "key.previous").write_text("other")
    arguments = ["rotate", "--rollback", "--state", "state", "--volatile-ok"]
    process = rekey.start(*arguments, "--exec", hook.that("exec sleep 600"))
    wait_until(hook.runs, "a hook")
    process.signal(signal.SIGKILL)
    wait_until(lambda: not hook.alive(), "its end")


def test_no_rollback_of_what_is_unfinished(arm, rekey, adopted, state):
    """The key that would be restored is the one that may still be regenerated."""
    name = adopted()
    rekey.rotate(name)
    arm.play(name=name, post=[LOST], execute={"after": 2})
    rekey.rotate(name, code=12)
    rollback(rekey, code=2).says("run `rekey rotate` first")
    assert in_use(arm, name, state) == "Secondary" and (state / "operation").exists()
    rekey.rotate(name, "--poll-interval", "1")
    assert in_use(arm, name, state) == "Primary"


def test_a_rollback_after_a_hook_that_failed(arm, rekey, adopted, state, hook):
    name = adopted()
    rekey.rotate(name, "--exec", hook.that("exit 1"), code=15)
    rollback(rekey, "--exec", hook.that("exit 0"))
    assert in_use(arm, name, state) == "Primary" and not (state / "operation").exists()
    result = rekey.rotate(name, "--exec", hook.path, "--min-age", "3600")
    result.says("not due")
    assert result.seconds < 5 * SLOW


def test_no_secret_stays_in_the_environment_of_a_rollback(rekey, state, hook):
    if os.getuid() != 0 or EXEC:
        pytest.skip("/proc/PID/environ is for root alone, and the emulator's its own")
    (state / "key").write_text("one")
    (state / "key.previous").write_text("other")
    secrets = {"AZURE_CLIENT_SECRET": "a-secret-1", "HTTPS_PROXY": "http://u:a-secret-2@p"}
    arguments = ["rotate", "--rollback", "--state", "state", "--volatile-ok"]
    process = rekey.start(*arguments, "--exec", hook.that("sleep 600"), env=secrets)
    wait_until(hook.runs, "a hook")
    environ = Path(f"/proc/{process.pid}/environ").read_bytes()
    process.signal(signal.SIGTERM)
    rekey.finish(process, 15)
    assert b"AZURE_CLIENT_SECRET=" in environ
    assert b"a-secret" not in environ and TOKEN.encode() not in environ


def test_a_key_file_with_a_newline_before(arm, rekey, state):
    name = arm.endpoint()
    (state / "key").write_text(arm.keys(name)["primaryKey"] + "\n")
    rekey.rotate(name)
    assert "\n" not in (state / "key.previous").read_text()


# ---- unknown, late and lost ----------------------------------------------------------------------


@pytest.mark.parametrize("base", ["reset-after-post", "http-500-executed", "no-url"])
def test_executed_without_an_answer(arm, rekey, adopted, state, base):
    """The first run ends with an unknown outcome, and changes nothing; the next run sees the new
    key."""
    name = adopted(base=base, execute="post")
    rekey.rotate(name, code=12).says("the next run checks whether the other key has changed")
    assert (state / "operation").exists() and in_use(arm, name, state) == "Primary"
    rekey.rotate(name).says("did not confirm that this run did it")
    assert arm.keys(name)["regenerated"] == ["Secondary"] and in_use(arm, name, state) == "Secondary"
    assert not (state / "operation").exists()


def test_executed_late(arm, rekey, adopted, state):
    """The POST is executed while the next run looks: that run waits for it, and sends no second
    one."""
    name = adopted(post=[LOST], execute={"after": 2.5})
    rekey.rotate(name, "--timeout", "20", code=12)
    result = rekey.rotate(name, "--timeout", "20", "--poll-interval", "1")
    result.says("did not confirm that this run did it")
    assert arm.keys(name)["regenerated"] == ["Secondary"] and in_use(arm, name, state) == "Secondary"
    assert kinds(arm, name).count("post") == 1


def test_executed_after_the_deadline(arm, rekey, adopted, state, gate):
    """The deadline of the first POST has passed: its slot, which is not in use, is regenerated once
    more. After both have been executed, the key in use is still accepted, or was never activated:
    the next runs correct the state."""
    name = adopted(post=[LOST], execute={"after": 3.5})
    rekey.rotate(name, "--timeout", "1", code=12)
    arm.play(name=name)
    wait_until(lambda: time.time() - int(fields(state / "operation")["time"]) > 2, "the deadline")
    rekey.rotate(name, "--timeout", "1")
    assert (
        arm.keys(name)["regenerated"] == ["Secondary"] and in_use(arm, name, state) == "Secondary"
    )
    wait_until(lambda: len(arm.keys(name)["regenerated"]) == 2, "the late one")
    rekey.rotate(name, "--timeout", "3").says("has changed the key that was in use")
    in_use(arm, name, state)  # one of the two


def test_lost(arm, rekey, adopted, state):
    """The POST is never executed: within the deadline of the intent the next run waits, then it
    regenerates."""
    name = adopted(post=[LOST, {"status": 200}], execute="never")
    rekey.rotate(name, "--timeout", "4", code=12)
    arm.play(name=name)
    result = rekey.rotate(name, "--timeout", "4")
    assert (
        arm.keys(name)["regenerated"] == ["Secondary"] and in_use(arm, name, state) == "Secondary"
    )
    assert kinds(arm, name).count("post") == 2 and 1 < result.seconds < 8 * SLOW


@pytest.mark.parametrize("how", ["later", "another boot", "the wall clock was set", "format 1"])
def test_lost_long_ago(arm, rekey, adopted, preload, state, how):
    """A day later the run waits only as long as a list may be stale. The wall clock proves nothing,
    and neither does a file of an earlier version."""
    name = adopted(post=[LOST], execute="never")
    rekey.rotate(name, "--timeout", "8", code=12)
    arm.play(name=name)
    env, text = None, (state / "operation").read_text()
    if how == "later":
        env = preload("clock", BOOT_SHIFT="86400")
    elif how == "another boot":
        edit(state / "operation", fields(state / "operation")["boot"], "0" * 36)
    elif how == "the wall clock was set":
        env = preload("clock", CLOCK_SHIFT="86400")
    else:
        text = re.sub(r"boot.* .*\n", "", text.replace("rekey-operation 2", "rekey-operation 1"))
        (state / "operation").write_text(text)
    result = rekey.rotate(name, "--timeout", "8", "--poll-interval", "1", env=env)
    assert in_use(arm, name, state) == "Secondary" and kinds(arm, name).count("post") == 2
    if how in ("later", "another boot"):
        assert 4 <= result.seconds < 8 * SLOW
    else:
        assert result.seconds > 8


@pytest.mark.parametrize("stale", [{"stale_lists": 2}, {"stale_for": 1.5}])
def test_stale_lists(arm, rekey, adopted, state, stale):
    """listKeys gives the previous keys for a while: the new key is not used before it is listed."""
    name = adopted(**stale)
    before = key_of(state)
    process = rekey.start_switch("rotate", name, "--poll-interval", "1", "--timeout", "20")
    arm.wait_for(name, "request", 3, "list")
    assert key_of(state) == before
    rekey.finish(process, 0, name)
    assert in_use(arm, name, state) == "Secondary"
    assert arm.keys(name)["regenerated"] == ["Secondary"]


def test_lists_that_stay_stale(arm, rekey, adopted, state):
    """After the deadline the outcome is unknown, and the file stays. The next run finds the key."""
    name = adopted(stale_for=60)
    rekey.rotate(name, "--timeout", "2", "--poll-interval", "1", code=12)
    assert (state / "operation").exists()
    assert in_use(arm, name, state) == "Primary"
    arm.set_keys(name)  # now the lists are up to date
    rekey.rotate(name)
    assert (
        arm.keys(name)["regenerated"] == ["Secondary"] and in_use(arm, name, state) == "Secondary"
    )


def test_a_list_that_goes_back(arm, rekey, adopted, state):
    """One of two front ends is late: the run after a rotation gets the previous keys. The key in
    use is not among them. It must not be replaced by a key that is not valid any more."""
    old, new = {"status": 200, "body": "{keys_before}"}, {"status": 200, "body": "{keys}"}
    name = adopted()
    rekey.rotate(name)
    arm.play(name=name, list=[old, old, new])
    rekey.rotate(name, "--min-age", "3600", "--poll-interval", "1", "--timeout", "30").says(
        "not due"
    )
    assert (
        arm.keys(name)["regenerated"] == ["Secondary"] and in_use(arm, name, state) == "Secondary"
    )


# ---- polls, kills and signals --------------------------------------------------------------------


@pytest.mark.board
def test_resumed_after_a_kill_while_polling(arm, rekey, adopted, state):
    name = adopted(post=[ACCEPTED], poll=[RUNNING, STALL, RUNNING, DONE], execute="success")
    process = rekey.start_switch("rotate", name)
    arm.wait_for(name, "request", 2, "async")
    process.kill()
    assert fields(state / "operation")["kind"] == "Azure-AsyncOperation"
    rekey.rotate(name).says("before its own work, this run continued the operation of an earlier run")
    assert kinds(arm, name).count("post") == 1 and not (state / "operation").exists()
    assert in_use(arm, name, state) == "Secondary"


def test_resumed_and_failed(arm, rekey, adopted, state):
    """The previous operation has failed: the same run starts another one."""
    failed = {"status": 200, "body": {"status": "Failed", "error": {"code": "TheCode"}}}
    name = adopted(post=[ACCEPTED], poll=[STALL], execute="never")
    process = rekey.start_switch("rotate", name)
    arm.wait_for(name, "request", 1, "async")
    process.kill()
    arm.play(name=name, post=[{"status": 200}], poll=[failed])
    rekey.rotate(name)
    assert (
        arm.keys(name)["regenerated"] == ["Secondary"] and in_use(arm, name, state) == "Secondary"
    )


def test_still_running_at_the_deadline(arm, rekey, adopted, state):
    name = adopted(base="forever")
    rekey.rotate(name, "--timeout", "2", code=13).says("the next run continues")
    assert in_use(arm, name, state) == "Primary" and (state / "operation").exists()
    assert status_of(state)["outcome"] == "running"


# When SIGTERM comes: the scenario, the request that the run waits for, more arguments, the exit
# code.
PHASES = {
    "listing": ({"list": [STALL]}, ("list", 2), [], 10),
    "regenerating": ({"post": [STALL]}, ("post", 1), [], 12),
    "polling": ({"post": [ACCEPTED], "poll": [STALL]}, ("async", 1), [], 13),
    "looking": (
        {"list": [{"status": 200, "body": "{keys}"}, STALL]},
        ("list", 3),
        [],
        13,
    ),
    "settling": ({}, ("list", 3), ["--settle", "600"], 13),
    "showing": ({"get": [STALL]}, ("get", 1), ["--probe"], 13),
}


@pytest.mark.parametrize("phase", PHASES)
def test_sigterm(arm, rekey, adopted, state, phase):
    """The run ends at once, with the outcome of its phase; the next run completes."""
    scenario, (kind, count), arguments, code = PHASES[phase]
    name = adopted()
    arm.play(name=name, **scenario)
    process = rekey.start_switch("rotate", name, *arguments)
    arm.wait_for(name, "request", count, kind)
    process.signal(signal.SIGTERM)
    result = rekey.finish(process, code, name)
    assert result.after_signal < 0.2 * SLOW and in_use(arm, name, state) == "Primary"
    assert status_of(state)["exit"] == code
    arm.play(name=name)
    rekey.rotate(name, "--timeout", "5")
    assert in_use(arm, name, state) == "Secondary"


def test_sigterm_while_it_probes(arm, rekey, adopted, state):
    name = adopted(score=[STALL])
    process = rekey.start_switch("rotate", name, "--probe")
    arm.wait_for(f"{name}@score", "request")
    process.signal(signal.SIGTERM)
    rekey.finish(process, 13, name)
    assert in_use(arm, name, state) == "Primary"
    arm.play(name=name)
    rekey.rotate(name, "--probe")
    assert in_use(arm, name, state) == "Secondary" and arm.keys(name)["regenerated"] == [
        "Secondary"
    ]


@pytest.mark.parametrize("phase", ["resuming", "comparing"])
def test_sigterm_while_it_finishes_what_was_left(arm, rekey, adopted, state, phase):
    """The intent stays, and the next run continues with it."""
    if phase == "resuming":
        name = adopted(post=[ACCEPTED], poll=[STALL], execute="success")
        process = rekey.start_switch("rotate", name)
        arm.wait_for(name, "request", 1, "async")
        process.kill()
        count = ("async", 2)
    else:
        name = adopted(post=[LOST])
        rekey.rotate(name, code=12)
        arm.play(name=name, list=[STALL])
        count = ("list", 3)
    process = rekey.start_switch("rotate", name)
    arm.wait_for(name, "request", count[1], count[0])
    process.signal(signal.SIGTERM)
    rekey.finish(process, (12, 13), name)
    assert (state / "operation").exists() and in_use(arm, name, state) == "Primary"
    arm.play(name=name)
    rekey.rotate(name, "--timeout", "5")
    assert in_use(arm, name, state) == "Secondary" and kinds(arm, name).count("post") <= 2


def test_sigterm_while_the_hook_runs(arm, rekey, adopted, state, hook):
    """The hook and its children are ended. The hook runs again in the next run, and nothing is
    regenerated before."""
    name = adopted()
    process = rekey.start_switch("rotate", name, "--exec", hook.that("sleep 600"))
    wait_until(hook.runs, "a hook")
    process.signal(signal.SIGTERM)
    result = rekey.finish(process, 15, name)
    result.says("the next run runs the hook again")
    assert result.after_signal < 0.2 * SLOW
    wait_until(lambda: not hook.alive(), "the end of the hook")
    rekey.rotate(name, "--min-age", "3600", "--exec", hook.that("exit 0"))
    assert len(hook.runs()) >= 2 and arm.keys(name)["regenerated"] == ["Secondary"]
    assert {run["REKEY_KEY_TYPE"] for run in hook.runs()} == {"Secondary"}


# ---- changes by another client -------------------------------------------------------------------


def test_a_second_rotator(arm, rekey, adopted, state):
    """Another client regenerates the slot that is not in use. A message says so, and the slot is
    left alone for --min-age; then rotation continues."""
    name = adopted()
    arm.regenerate(name, "Secondary")
    rekey.rotate(name, code=1).says("somebody else has changed the key", "leaves that key alone")
    assert "post" not in kinds(arm, name) and in_use(arm, name, state) == "Primary"
    rekey.rotate(name, "--min-age", "3600").says("not due")
    rekey.rotate(name)
    assert in_use(arm, name, state) == "Secondary"


def test_the_key_in_use_is_changed_by_hand(arm, rekey, adopted, state):
    """The other key has not changed: that key is used, not one that may be from a stale list."""
    name = adopted()
    arm.regenerate(name, "Primary")
    rekey.rotate(name, "--timeout", "3").says("has changed the key that was in use")
    assert "post" not in kinds(arm, name) and in_use(arm, name, state) == "Secondary"


def test_two_at_once(arm, rekey, adopted, state):
    name = adopted()
    arm.play(name=name, list=[STALL])
    process = rekey.start_switch("rotate", name)
    arm.wait_for(name, "request", 2, "list")
    for command in ("rotate", "sync"):
        result = rekey.finish(rekey.start_switch(command, name), 15)
        result.says("another run is using it")
    process.signal(signal.SIGTERM)
    rekey.finish(process, 10, name)
    assert kinds(arm, name) == ["list", "list"]
    arm.play(name=name)
    rekey.rotate(name)


# ---- probe and settle ----------------------------------------------------------------------------


def scores(arm, name):
    """The requests to the scoring URI, and whether it accepted the key."""
    return [
        request["accepted"]
        for request in arm.requests(f"{name}@score")
        if request["faults"] == [] and request["method"] == "GET"
    ]


LARGE = {"body": "{pad:40000}"}


@pytest.mark.parametrize("answer", [{}, LARGE, {"status": 405}, {"status": 400}])
def test_probe(arm, rekey, adopted, state, answer):
    """Any answer passes except a refusal of the key."""
    name = adopted(score=[answer])
    rekey.rotate(name, "--probe", "--settle", "600")
    assert scores(arm, name) == [True] and in_use(arm, name, state) == "Secondary"
    asked = arm.requests(f"{name}@score")[0]
    assert header(asked, "Authorization") == f"Bearer {key_of(state)}"


@pytest.mark.board
def test_probe_waits_until_the_key_is_accepted(arm, rekey, adopted, state):
    name = adopted(accept_after=6 if EXEC else 1.5)
    process = rekey.start_switch("rotate", name, "--probe", "--poll-interval", "1")
    arm.wait_for(f"{name}@score", "request")
    assert in_use(arm, name, state) == "Primary"
    rekey.finish(process, 0, name)
    asked = scores(arm, name)
    assert asked[0] is False and asked[-1] is True and in_use(arm, name, state) == "Secondary"


def test_probe_of_a_key_that_is_not_accepted(arm, rekey, adopted, state):
    """Within the deadline: the key in use stays, and the next run continues."""
    name = adopted(accept_after=600)
    rekey.rotate(name, "--probe", "--poll-interval", "1", "--timeout", "3", code=13)
    assert in_use(arm, name, state) == "Primary" and set(scores(arm, name)) == {False}
    arm.set_keys(name)
    rekey.rotate(name, "--probe")
    assert in_use(arm, name, state) == "Secondary" and arm.keys(name)["regenerated"] == [
        "Secondary"
    ]


@pytest.mark.parametrize("uri", ["", "http://localhost/score", "https://localhost/" + 250 * "a"])
def test_probe_without_a_usable_scoring_uri(arm, rekey, adopted, state, uri):
    """There is none, it is a plain one (the key is never sent there), or it is too long. No timer
    should try again with --probe; without it, the key that was regenerated is activated."""
    name = adopted(properties={"scoringUri": uri})
    for _ in range(2):
        result = rekey.rotate(name, "--probe", code=15)
        result.says("error: no scoring URI of https and at most 255 bytes: rotate without --probe")
        result.says("--probe: http://localhost/score" if uri.startswith("http:") else "--probe (")
        assert in_use(arm, name, state) == "Primary"
    rekey.rotate(name)
    assert in_use(arm, name, state) == "Secondary" and arm.keys(name)["regenerated"] == [
        "Secondary"
    ]


def test_probe_of_a_uri_that_does_not_score(arm, rekey, adopted, state):
    name = adopted(properties={"scoringUri": "https://127.0.0.1:{main}/x".format_map(arm.ports)})
    rekey.rotate(name, "--probe", "--poll-interval", "1", "--timeout", "3", code=(12, 13))
    assert in_use(arm, name, state) == "Primary"
    rekey.rotate(name)
    assert in_use(arm, name, state) == "Secondary" and arm.keys(name)["regenerated"] == [
        "Secondary"
    ]


def test_probe_says_what_is_wrong_with_the_scoring_host(arm, rekey, adopted, state):
    name = adopted(properties={"scoringUri": "https://nobody.invalid/score"})
    result = rekey.rotate(name, "--probe", "--poll-interval", "1", "--timeout", "4", code=13)
    result.says("could not be resolved", "(nobody.invalid)")
    assert in_use(arm, name, state) == "Primary"


def test_probe_verbose(arm, rekey, adopted, state):
    name = adopted()
    result = rekey.rotate(name, "--probe", "-v")
    told = [line.split()[2:] for line in result.lines if line.startswith("rekey: > ")]
    methods = [method for method, _ in told]
    actions = [url.partition("?")[0].rpartition("/")[2] for _, url in told]
    assert methods == ["POST", "POST", "POST", "GET", "GET"]
    assert actions[:3] == ["listKeys", "regenerateKeys", "listKeys"] and actions[3] == name


def test_a_refused_token_ends_the_search(arm, rekey, adopted, state):
    """It would be refused again and again."""
    keys = {"status": 200, "body": "{keys}"}
    name = adopted(list=[keys, {"status": 401}], post=[{"status": 200}], execute="post")
    result = rekey.rotate(name, code=12)
    result.says("refused the token")
    assert kinds(arm, name).count("list") == 3  # with the request of the adoption
    arm.play(name=name)
    rekey.rotate(name)
    assert in_use(arm, name, state) == "Secondary"


def test_settle_of_sync(arm, rekey, state):
    """The application that scores may not accept the key yet when the key is listed."""
    name = arm.endpoint()
    rekey.sync(name, "--key-type", "secondary")
    arm.regenerate(name, "Primary")
    result = rekey.sync(name, "--settle", "2")
    assert result.seconds >= 2 and in_use(arm, name, state) == "Primary"
    assert kinds(arm, name) == ["list"] * 3


def test_settle(arm, rekey, adopted, state):
    name = adopted()
    process = rekey.start_switch("rotate", name, "--settle", "2")
    listed = arm.wait_for(name, "request", 3, "list")[-1]
    assert listed and in_use(arm, name, state) == "Primary"
    result = rekey.finish(process, 0, name)
    assert result.seconds >= 2 and in_use(arm, name, state) == "Secondary"


# ---- credentials other than a token --------------------------------------------------------------


def test_a_token_is_renewed_during_a_rotation(arm, rekey, state):
    """A client secret is used; the token with which the polls begin is refused half way."""
    tenant = "11111111-2222-3333-4444-" + os.urandom(6).hex()
    arm.identity(tenant, kind="authority", client_id="the-client", secret="the-secret-of-e2e")
    env = {
        "AZURE_TENANT_ID": tenant,
        "AZURE_CLIENT_ID": "the-client",
        "AZURE_CLIENT_SECRET": "the-secret-of-e2e",
        "AZURE_AUTHORITY_HOST": arm.url("authority"),
    }
    name = arm.play("three-polls", tokens="issued")
    more = {"token": None, "env": env}
    rekey.rotate(name, "--auth", "secret", **more)
    revoke = {**RUNNING, "do_after": [f"PUT /identity/{tenant}?revoke=1"]}
    arm.play("three-polls", name, tokens="issued", poll=[revoke, RUNNING, DONE])
    rekey.rotate(name, "--auth", "secret", **more)
    assert in_use(arm, name, state) == "Secondary" and arm.keys(name)["regenerated"] == [
        "Secondary"
    ]
    numbers = [request["token"]["number"] for request in arm.requests(name, "async")]
    assert len(numbers) == 4 and numbers[0] == numbers[1] and len(set(numbers)) == 2  # one got 401


def test_a_token_that_is_refused(arm, rekey, adopted, state):
    name = adopted(tokens=[])
    rekey.rotate(name, code=14)
    assert in_use(arm, name, state) == "Primary" and status_of(state)["exit"] == 14


# ---- serverless ----------------------------------------------------------------------------------


@pytest.mark.parametrize("base", ["serverless", "serverless-202"])
def test_serverless(arm, rekey, state, base):
    name = arm.endpoint(base)
    rekey.rotate(name, "--kind", "serverless")
    rekey.rotate(name, "--kind", "serverless")
    assert in_use(arm, name, state) == "Secondary"
    assert all("/serverlessEndpoints/" in each["target"] for each in arm.requests(name, "list"))
    keys = arm.keys(name)
    result = rekey.list_keys(name, "--kind", "serverless", "-o", "json")
    assert result.json == {member: keys[member] for member in SLOTS.values()}
    rekey.regenerate(name, "--kind", "serverless")
    assert arm.keys(name)["regenerated"] == ["Secondary", "Primary"]


def test_the_kinds_are_not_the_same(arm, rekey, state):
    for name, kind in ((arm.endpoint(), "serverless"), (arm.endpoint("serverless"), "online")):
        rekey.rotate(name, "--kind", kind, code=1).says("ResourceNotFound")
    rekey.rotate(name, "--kind", "other", code=2)


# ---- sync ----------------------------------------------------------------------------------------


@pytest.mark.board
@pytest.mark.parametrize("first", ["primary", "secondary"])
def test_sync_follows(arm, rekey, state, first):
    name = arm.endpoint()
    slot, other = first.capitalize(), {"primary": "Secondary", "secondary": "Primary"}[first]
    rekey.sync(name, "--key-type", first).says("later runs follow the machine that rotates")
    assert in_use(arm, name, state) == slot
    rekey.sync(name).says("nothing has changed")
    arm.regenerate(name, other)
    rekey.sync(name).says(f"the {other} key has changed")
    assert in_use(arm, name, state) == other
    arm.regenerate(name, slot)
    rekey.sync(name)
    assert in_use(arm, name, state) == slot and set(kinds(arm, name)) == {"list"}
    assert status_of(state)["nextDue"] == 0 and status_of(state)["result"] == "rotated"


def test_sync_that_missed_a_rotation(arm, rekey, state):
    name = arm.endpoint()
    rekey.sync(name, "--key-type", "primary")
    arm.regenerate(name, "Secondary")
    arm.regenerate(name, "Primary")
    rekey.sync(name).says("both keys have changed since the last run")
    assert in_use(arm, name, state) == "Primary"


def test_sync_after_a_change_by_hand(arm, rekey, state):
    name = arm.endpoint()
    rekey.sync(name, "--key-type", "secondary")
    (state / "key").write_text("by hand")
    rekey.sync(name, "--timeout", "4").says("has changed the key that was in use")
    assert in_use(arm, name, state) == "Secondary"


def test_the_first_sync_without_a_slot(arm, rekey, state):
    name, mark = arm.endpoint(), arm.mark()
    rekey.sync(name, code=2).says("--key-type")
    assert arm.connections("main", mark) == [] and not (state / "key").exists()


# ---- status and show -----------------------------------------------------------------------------


def status(rekey, *arguments, code=0):
    return rekey.run("status", "--state", "state", *arguments, code=code, token=None)


def test_status(rekey, arm, adopted, state):
    name = adopted()
    rekey.rotate(name, "--min-age", "3600")
    rekey.rotate(name, "--min-age", "0")
    seen = json.loads(status(rekey, "-o", "json").out)
    assert seen == status_of(state)
    assert seen["format"] == 1 and seen["outcome"] == "succeeded" and seen["exit"] == 0
    assert seen["result"] == "rotated" and seen["slot"] == "Secondary"
    assert seen["hookPending"] is False and abs(seen["time"] - time.time()) < 60 * SLOW
    assert seen["switched"] <= seen["time"] and seen["keyAge"] == seen["time"] - seen["switched"]
    given = [
        value
        for answer in arm.answers(name)
        for field, value in answer["headers"]
        if field == "x-ms-request-id"
    ]
    assert seen["requestId"] == given[-1]


def read_status(rekey):
    """{label: text}"""
    return dict(line.split(": ", 1) for line in status(rekey).out.splitlines())


def utc(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def test_status_as_text(rekey, adopted, state):
    name = adopted()
    rekey.rotate(name, "--min-age", "30d")
    seen, text = status_of(state), read_status(rekey)
    assert text.pop("time").startswith(f"{utc(seen['time'])} (")
    assert text.pop("in use since").startswith(f"{utc(seen['switched'])} (")
    due = utc(seen["switched"] + 30 * 86400)
    assert text.pop("next due") in (f"{due} (in 29 days)", f"{due} (in 30 days)")
    assert text == {
        "outcome": "succeeded",
        "exit code": "0",
        "result": "not-due",
        "key type": "Primary",
        "hook pending": "false",
        "request id": seen["requestId"],
    }


def test_status_after_a_failed_run(rekey, adopted, state):
    """Its output is about the failed run; it has no last line of its own."""
    rekey.rotate(adopted(), "--auth", "secret", code=14)
    result = status(rekey)
    assert "outcome: credentials\nexit code: 14\n" in result.out and result.err == ""


# Seconds from now, and how status writes that time.
DISTANCES = [
    (-30, "30 seconds ago"),
    (-150, "2 minutes ago"),
    (-2 * 3600 - 30, "2 hours ago"),
    (-47 * 3600, "47 hours ago"),
    (-48 * 3600 - 30, "2 days ago"),
    (-400 * 86400, "400 days ago"),
    (170, "in 2 minutes"),
    (3 * 86400 + 60, "in 3 days"),
]
# Seconds since 1970: leap days, ends of years and of centuries.
TIMES = [1, 86399, 86400, 951782399, 951782400, 951868800, 1709164800, 1709251200, 1735689599]
TIMES += [4107542399, 4107542400, 4133980799, 253402300799]


def test_status_tells_times(rekey, adopted, state):
    adopted()
    seen = status_of(state)
    for distance, words in DISTANCES:
        (state / "status.json").write_text(
            json.dumps({**seen, "nextDue": int(time.time()) + distance})
        )
        seconds = re.search(r"(\d+) second", words)  # the clock may advance by some seconds
        pattern = r"\d+ seconds ago" if seconds else re.escape(words)
        assert re.search(rf"Z \({pattern}\)$", read_status(rekey)["next due"]), words
    for at in TIMES:
        (state / "status.json").write_text(json.dumps({**seen, "nextDue": at}))
        assert read_status(rekey)["next due"].startswith(f"{utc(at)} ("), at
    for at in (-1, 253402300800, 2**63 - 1, "none", None):
        (state / "status.json").write_text(json.dumps({**seen, "nextDue": at}))
        assert read_status(rekey)["next due"] in ("-", "never: sync follows another machine")


def test_a_rollback_keeps_the_minimum_age(arm, rekey, adopted, state):
    """The rollback is not a run of the timer, which has its own --min-age."""
    name = adopted()
    rekey.rotate(name, "--min-age", "30d")
    rekey.rotate(name, "--min-age", "0")
    rekey.rotate(name, "--min-age", "30d")
    rollback(rekey)
    seen = status_of(state)
    assert seen["result"] == "restored" and seen["nextDue"] == seen["switched"] + 30 * 86400
    rollback(rekey, "--min-age", "2h")
    seen = status_of(state)
    assert seen["nextDue"] == seen["switched"] + 7200


def test_a_rollback_where_sync_follows_makes_nothing_due(arm, rekey, state):
    name = arm.endpoint()
    rekey.sync(name, "--key-type", "primary")
    arm.regenerate(name, "Secondary")
    rekey.sync(name)
    rollback(rekey)
    assert status_of(state)["result"] == "restored" and status_of(state)["nextDue"] == 0
    assert read_status(rekey)["next due"] == "never: sync follows another machine"


def test_a_run_that_did_not_begin_keeps_the_date(rekey, adopted, state):
    name = adopted()
    rekey.rotate(name, "--min-age", "30d", "--auth", "secret", code=14)
    seen = status_of(state)
    assert seen["nextDue"] == seen["switched"] + 30 * 86400


@pytest.mark.board
def test_status_prometheus(rekey, adopted, state):
    adopted()
    text = status(rekey, "--prometheus").out
    seen, values = status_of(state), {}
    for line in text.splitlines():
        match = re.fullmatch(r"(?:# (?:HELP|TYPE) \w+ .+|(\w+\{[^}]*\}) (-?\d+))", line)
        assert match, line
        if match[1]:
            values[match[1]] = int(match[2])
    assert values == {
        'rekey_last_run_timestamp_seconds{state="state"}': seen["time"],
        'rekey_last_exit_code{state="state"}': 0,
        'rekey_key_switched_timestamp_seconds{state="state"}': seen["switched"],
        'rekey_next_due_timestamp_seconds{state="state"}': seen["nextDue"],
        'rekey_slot_in_use{state="state",slot="Primary"}': 1,
    }


def test_prometheus_label(rekey, adopted, state):
    """Characters that a label must not contain unescaped."""
    adopted()
    directory = r'the "state" \1'
    state.rename(state.with_name(directory))
    text = rekey.run("status", "--state", directory, "--prometheus", code=0, token=None).out
    assert 'rekey_last_exit_code{state="the \\"state\\" \\\\1"} 0' in text.splitlines()


def test_status_of_a_run_that_did_not_begin(rekey, adopted, state):
    name = adopted()
    rekey.rotate(name, "--auth", "secret", code=14)
    seen = status_of(state)
    assert (seen["outcome"], seen["exit"], seen["slot"]) == ("credentials", 14, "Primary")
    assert seen["switched"] > 0
    rekey.rotate(name, "--ca-file", "missing", code=11)
    assert status_of(state)["exit"] == 11


def test_status_with_a_strange_request_id(arm, rekey, adopted, state):
    for identity in ("ab\xffc", 'ab"c', "ab\\c", "ab c", "ab\tc"):
        name = adopted(post=[{"status": 200, "headers": [["x-ms-request-id", identity]]}])
        answer = {"status": 200, "body": "{keys}", "headers": [["x-ms-request-id", identity]]}
        arm.play(name=name, list=[answer])
        rekey.rotate(name, "--min-age", "3600")
        assert status_of(state)["requestId"] == "ab" and status(rekey).code == 0
        shutil.rmtree(state)
        state.mkdir()


def test_status_before_any_run(rekey, state):
    status(rekey, code=15).says("No such file")


@pytest.mark.parametrize("text", ["", "{", '{"format":2}', "null", "x" * 5000])
def test_a_damaged_status(rekey, state, text):
    (state / "status.json").write_text(text)
    status(rekey, code=15)
    assert (state / "status.json").read_text() == text


def test_json_of_a_run(rekey, arm, adopted, state):
    name = adopted()
    result = rekey.rotate(name, "-o", "json")
    assert result.json == status_of(state)


def show(rekey, name, *arguments, code=0):
    return rekey.run("show", *rekey.options(name), *arguments, code=code, name=name)


@pytest.mark.board
def test_show(arm, rekey):
    name = arm.endpoint()
    uri = f"https://localhost:{arm.ports['scoring']}/endpoints/{name}/score"
    assert show(rekey, name).out == (
        f"authMode: Key\nprovisioningState: Succeeded\nscoringUri: {uri}\n"
    )
    assert show(rekey, name, "-o", "json").json == {
        "authMode": "Key",
        "provisioningState": "Succeeded",
        "scoringUri": uri,
    }
    assert kinds(arm, name) == ["get", "get"]
    size = arm.answers(name)[0]["bytes"]
    assert 1000 < size < 4500


@pytest.mark.parametrize("mode", ["AMLToken", "AADToken"])
def test_show_of_other_modes(arm, rekey, mode):
    name = arm.play(properties={"authMode": mode, "provisioningState": "Updating"})
    result = show(rekey, name, "-o", "json")
    result.says(mode, "has no keys to regenerate")
    assert result.json["authMode"] == mode and result.json["provisioningState"] == "Updating"


def test_show_of_an_endpoint_with_many_properties(arm, rekey):
    many = {f"x{i}": str(i) for i in range(60)}
    assert "authMode: Key\n" in show(rekey, arm.play(properties=many)).out


def test_show_without_some_properties(arm, rekey):
    name = arm.play(properties={"authMode": None, "provisioningState": None, "scoringUri": None})
    assert show(rekey, name).out == "authMode: -\nprovisioningState: -\nscoringUri: -\n"
    assert set(show(rekey, name, "-o", "json").json.values()) == {None}
    show(rekey, arm.play(get=[error(404, code="ResourceNotFound")]), code=1)
