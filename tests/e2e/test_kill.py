"""A rotation that is killed at any system call, and one whose files fail at any call: the key file
holds a key that the service accepts, and the next run completes.

strace records one run. Then, for each n-th occurrence of a system call in that run, another run
gets SIGKILL as it enters that call. strace counts occurrences for each process. Therefore signals
at the command's own calls are injected without -f, and those at the calls of its children (name
lookup, the hook) with -f. In the latter case the child is killed, and the command notices that."""

import collections
import concurrent.futures
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from conftest import ALL, EXEC, SANITIZED, WORDS, sample

pytestmark = pytest.mark.skipif(
    bool(EXEC) or SANITIZED, reason="strace would trace the emulator, or the sanitizer"
)

CALL = re.compile(r"(\d+) +(\w+)\(")
# The calls with which a run begins, before it has looked at its arguments. The loader's calls are
# not the command's own, and a loader that cannot read the C library ends in its own way.
BEGUN = "prctl(PR_SET_DUMPABLE, SUID_DUMP_DISABLE)"
FILE_CALLS = ("openat", "open", "write", "fsync", "rename", "renameat", "renameat2", "link")
FILE_CALLS += ("linkat", "unlink", "unlinkat", "close", "flock", "fchown", "fchmod", "fchown32")
ERRORS = ("ENOSPC", "EIO", "EROFS")
SCENARIO = "location-only"
WORKERS = 8
TRIES = 4  # a call whose number depends on how the bytes arrive may occur once less


@pytest.fixture(scope="module", autouse=True)
def strace():
    if shutil.which("strace") is None:
        pytest.fail("there is no strace: `make deps` installs it")
    run = subprocess.run(["strace", "-o", "/dev/null", "true"], stderr=subprocess.PIPE)
    if run.returncode != 0:
        pytest.skip(f"strace cannot trace here: {run.stderr.decode().strip()}")


@pytest.fixture
def hook(tmp_path):
    """A hook that records each of its runs."""
    path = tmp_path / "hook"
    path.write_text('#!/bin/sh\necho "$REKEY_KEY_TYPE" >>"$REKEY_KEY_FILE.hooks"\n')
    path.chmod(0o755)
    return path


class Gateway:
    """A gateway with its own endpoint and state directory, after so many runs."""

    def __init__(self, arm, rekey, hook, runs, *more):
        self.arm, self.rekey, self.arguments = arm, rekey, ["--exec", hook, "--timeout", "3", *more]
        self.name = arm.endpoint(SCENARIO)
        self.state = rekey.directory / self.name
        self.state.mkdir()
        for _ in range(runs):
            assert self.rotate().code == 0

    def switch(self, command, *arguments, prefix=()):
        more = {"state": self.state, "prefix": prefix}
        return self.rekey.start_switch(
            command, self.name, *self.arguments, *arguments, **more
        ).end()

    def rotate(self, *prefix):
        return self.switch("rotate", prefix=prefix)

    run = rotate  # the run that is killed

    def key(self):
        path = self.state / "key"
        return path.read_text() if path.exists() else None

    def check(self, what):
        """Checks the invariant at this moment, and that no secret was revealed."""
        keys, key = self.arm.keys(self.name), self.key()
        accepted = (keys["primaryKey"], keys["secondaryKey"])
        assert key is None or key in accepted, f"{what}: the key is lost: {os.listdir(self.state)}"
        return keys

    def complete(self, what):
        """Makes one more run, which must complete."""
        result = self.rotate()
        assert result.code == 0, f"{what}: the next run did not complete:\n{result.err}"
        keys = self.check(what)
        assert self.key() is not None, what
        assert all(key not in result.err for key in keys["ever"]), what
        left = set(os.listdir(self.state))
        names = {"key", "key.previous", "key.hooks", "state", "status.json", "lock"}
        assert left <= names, f"{what}: {left - names} stayed"
        assert (self.state / "key.hooks").read_text().strip(), f"{what}: no hook ever ran"
        shutil.rmtree(self.state)


class Follower(Gateway):
    """A gateway that follows a rotator, and has to notice a rotation."""

    def __init__(self, arm, rekey, hook, _, *more):
        super().__init__(arm, rekey, hook, 0, *more)
        assert self.switch("sync", "--key-type", "primary").code == 0
        self.arm.regenerate(self.name, "Secondary")

    def run(self, *prefix):
        return self.switch("sync", prefix=prefix)

    def complete(self, what):
        assert self.run().code == 0, what
        assert self.key() == self.arm.keys(self.name)["secondaryKey"], what
        super().complete(what)


class RolledBack(Gateway):
    """A gateway that is told to restore the previous key."""

    def __init__(self, arm, rekey, hook, _, *more):
        super().__init__(arm, rekey, hook, 2, *more)
        self.current, self.previous = self.key(), (self.state / "key.previous").read_text()

    def run(self, *prefix):
        return self.switch("rotate", "--rollback", prefix=prefix)

    def complete(self, what):
        """The rollback was done, or can be done again."""
        if self.key() == self.current:
            assert self.run().code == 0, what
        assert self.key() == self.previous, f"{what}: the previous key is lost"
        super().complete(what)


def recorded(gateway, follow):
    """The calls of a run: {name: how many}, by the command itself or (follow) the maximum among its
    children; and which of them come before the run has really begun."""
    trace = gateway.rekey.directory / f"trace-{gateway.name}"
    result = gateway.run("strace", *["-f"] * follow, "-o", trace)
    assert result.code == 0, result.err
    lines, calls, before = trace.read_text().splitlines(), {}, None
    for line in lines:
        call = CALL.match(line if follow else f"1 {line}")
        if call is None:
            continue
        if before is None and BEGUN in line:
            before = calls[call[1]].copy()
        calls.setdefault(call[1], collections.Counter())[call[2]] += 1
    own = calls.pop(lines[0].split()[0] if follow else "1")
    assert before is not None and own["execve"] == 1
    most = collections.Counter()
    for counts in calls.values():
        most |= counts
    return most if follow else own, before


def points_of(make, follow=False):
    """The pairs (name, n) that all of three recordings have, so that they do not depend on how
    bytes arrived; and the calls from before the run began. The command itself is recorded without
    -f, because -f makes it slower, so that it waits less often."""
    runs = [recorded(make(), follow) for _ in range(3)]
    calls = runs[0][0] & runs[1][0] & runs[2][0]
    return [(name, n + 1) for name in sorted(calls) for n in range(calls[name])], runs[0][1]


def in_parallel(function, points):
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(lambda point: function(*point), points))


# What is killed, and how many runs came before: the first run reads the primary key, the second and
# the third rotate.
STAGES = {
    "adoption": (Gateway, 0),
    "rotation": (Gateway, 1),
    "following": (Gateway, 2),
    "sync": (Follower, None),
    "rollback": (RolledBack, None),
}


@pytest.mark.sweep(len(STAGES))
@pytest.mark.parametrize("stage", STAGES)
def test_killed_at_any_call(arm, rekey, hook, capsys, stage):
    """SIGKILL at each call of the command: the run must have been killed. The exception is execve,
    which is over when strace begins to count."""
    started = time.monotonic()
    kind, runs = STAGES[stage]

    def make():
        return kind(arm, rekey, hook, runs)

    children, _ = points_of(make, follow=True)
    own, _ = points_of(make)
    own = sample([(name, n) for name, n in own if name != "execve"], 24)
    children = sample(children, 8)

    def killed(name, n):
        what = f"{stage}, killed at {name} {n}"
        for _ in range(TRIES):
            gateway = make()
            trace = rekey.directory / f"trace-{gateway.name}"
            inject = ["-e", f"trace={name}", "-e", f"inject={name}:signal=KILL:when={n}"]
            result = gateway.run("strace", "-o", trace, *inject)
            gateway.check(what)
            if result.code == -signal.SIGKILL:
                gateway.complete(what)
                return True
            assert result.code == 0, f"{what}: {result.err}"
            came = trace.read_text().count(f"{name}(")
            assert came < n, f"{what}: it was not killed, and called it {came} times"
        return False  # the number of waits depends on how the bytes arrive

    def child_killed(name, n):
        what = f"{stage}, a child killed at {name} {n}"
        gateway = make()
        inject = f"inject={name}:signal=KILL:when={n}"
        result = gateway.run("strace", "-f", "-o", "/dev/null", "-e", inject)
        assert result.code == -signal.SIGKILL or result.code in WORDS, f"{what}: {result.err}"
        gateway.check(what)
        gateway.complete(what)

    count = sum(in_parallel(killed, own))
    assert count > 80 * ALL and count >= len(own) * 0.9
    in_parallel(child_killed, children)
    with capsys.disabled():
        print(
            f"\n{stage}: killed at {count} calls of rekey ({len(own) - count} did not come again),"
            f" {len(children)} of its children"
            f" ({time.monotonic() - started:.0f} s)"
        )


@pytest.mark.sweep(len(STAGES))
@pytest.mark.parametrize("stage", STAGES)
def test_files_that_fail_at_any_call(arm, rekey, hook, capsys, stage):
    """Each file call of the command fails with each error: the exit code is a documented one, the
    invariant holds, and the next run completes. With a group, so that there are an fchown and an
    fchmod."""
    started = time.monotonic()
    kind, runs = STAGES[stage]

    def make():
        return kind(arm, rekey, hook, runs, "--key-group", str(os.getgid()))

    own, before = points_of(make)
    points = [
        (name, n, error)
        for name, n in own
        if name in FILE_CALLS and n > before[name]
        for error in ERRORS
    ]
    names = {each[0].replace("openat", "open") for each in points}  # musl calls open
    points = sample(points, 32)
    assert {"open", "write", "fsync", "rename", "close", "flock"} <= names
    codes = collections.Counter()

    def failing(name, n, error):
        what = f"{stage}, {name} {n}: {error}"
        gateway = make()
        inject = f"inject={name}:error={error}:when={n}"
        result = gateway.run("strace", "-o", "/dev/null", "-e", inject)
        assert result.code in WORDS, f"{what}: exit {result.code}\n{result.err}"
        codes[result.code] += 1
        gateway.check(what)
        gateway.complete(what)

    in_parallel(failing, points)
    assert codes[15] > 0 or not ALL
    with capsys.disabled():
        ends = ", ".join(f"exit {code}: {count}" for code, count in sorted(codes.items()))
        print(
            f"\n{stage}: {len(points)} failures of file calls; {ends}"
            f" ({time.monotonic() - started:.0f} s)"
        )
