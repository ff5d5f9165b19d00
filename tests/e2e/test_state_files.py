"""The state directory of rotate and sync: who can read which file, what is refused before anything
is sent, and what happens with a damaged or foreign file; and the hook that is told of a new key."""

import contextlib
import json
import os
import re
import shlex
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest

from conftest import EXEC, PYTHON, SLOW, error, wait_until

LOST = {"cut": 0, "then": "reset"}


@pytest.fixture
def state(tmp_path):
    (tmp_path / "state").mkdir()
    return tmp_path / "state"


def accepted(arm, name, state):
    """The invariant: the key file has one of the service's keys."""
    keys = arm.keys(name)
    return (state / "key").read_text() in (keys["primaryKey"], keys["secondaryKey"])


def posts(arm, name):
    return len(arm.requests(name, "post"))


# ---- hooks ---------------------------------------------------------------------------------------


@pytest.mark.skipif(bool(EXEC), reason="an emulator has descriptors of its own")
def test_what_a_hook_gets(arm, rekey, state, hook):
    """An environment of four variables; descriptors 0, 1 and 2 and no others, not even one that the
    command inherited itself; /dev/null to read."""
    name = arm.endpoint()
    descriptor = os.open("/", os.O_RDONLY)
    rekey.rotate(name, "--exec", hook.path, env={"SECRET_OF_OURS": "x"}, pass_fds=[descriptor])
    os.close(descriptor)
    (environment,) = hook.runs()
    assert set(environment) == {"PATH", "REKEY_KEY_FILE", "REKEY_ENDPOINT", "REKEY_KEY_TYPE"}
    assert (rekey.directory / environment["REKEY_KEY_FILE"]) == state / "key"
    assert environment["REKEY_KEY_TYPE"] == "Primary"
    assert environment["REKEY_ENDPOINT"].endswith(f"/onlineEndpoints/{name}")
    assert environment["PATH"].startswith("/usr/local/sbin:")
    seen = hook.descriptors()
    assert set(seen) == {0, 1, 2} and seen[0] == "/dev/null", seen
    rekey.rotate(name, "--exec", hook.path)
    assert [run["REKEY_KEY_TYPE"] for run in hook.runs()] == ["Primary", "Secondary"]


@pytest.mark.skipif(bool(EXEC), reason="an emulator has descriptors of its own")
def test_a_hook_inherits_none_of_our_descriptors(arm, rekey, state, hook):
    """execve closes each of them. This matters most for the lock, which a daemon started by the
    hook would otherwise keep."""
    name = arm.endpoint()
    daemon = "setsid sleep 600 >/dev/null 2>&1 & echo $! >>pids"
    rekey.rotate(name, "--exec", hook.that(f"{daemon}\nexit 0"), stdin=b"")
    assert set(hook.descriptors()) == {0, 1, 2}
    left = hook.alive()
    try:
        rekey.rotate(name, "--min-age", "3600", "--exec", hook.path)
    finally:
        for pid in left:
            os.kill(int(pid), 9)


def test_a_hook_that_speaks(arm, rekey, state, hook):
    """Its output goes to standard error, so that a result on standard output stays clean."""
    name = arm.endpoint()
    process = rekey.start_switch(
        "rotate", name, "-o", "json", "--exec", hook.that("echo rekey: out; echo rekey: err >&2")
    )
    result = rekey.finish(process, 0, name)
    assert result.json["result"] == "adopted" and {"rekey: out", "rekey: err"} <= set(result.lines)


@pytest.mark.board
def test_a_hook_that_fails_and_then_succeeds(arm, rekey, state, hook):
    """The new key stays in the file. The next run begins with the hook, and only after that can a
    rotation be due."""
    name = arm.endpoint()
    rekey.rotate(name)
    rekey.rotate(name, "--exec", hook.that("exit 7"), code=15).says("ended with exit code 7", "hook again")
    assert accepted(arm, name, state) and posts(arm, name) == 1
    assert json.loads((state / "status.json").read_text())["hookPending"] is True
    rekey.rotate(name, "--exec", hook.that("kill -9 $$"), code=15).says("killed by signal 9")
    assert posts(arm, name) == 1
    more = ["--min-age", "3600"]
    rekey.rotate(name, *more, "--exec", hook.that("exit 0"))
    runs = len(hook.runs())
    assert runs >= 3 and posts(arm, name) == 1
    assert json.loads((state / "status.json").read_text())["hookPending"] is False
    rekey.rotate(name, *more, "--exec", hook.path).says("not due")
    assert len(hook.runs()) == runs and {run["REKEY_KEY_TYPE"] for run in hook.runs()} == {"Secondary"}


@pytest.mark.skipif(bool(EXEC), reason="the emulator knows more formats")
def test_a_hook_that_is_not_a_program(arm, rekey, state, hook):
    program = hook.path
    program.write_text("exit 0\n")
    rekey.rotate(arm.endpoint(), "--exec", program, code=15).says("Exec format error", "with exit code 127")


def test_a_run_without_the_hook_that_is_due(arm, rekey, state, hook):
    """Nobody has been told of the key in use: no rotation begins, and the hook stays pending."""
    name = arm.endpoint()
    rekey.rotate(name, "--exec", hook.that("exit 1"), code=15)
    rekey.rotate(name, code=15).says("must run first", "give --exec")
    assert posts(arm, name) == 0
    rekey.rotate(name, "--exec", hook.that("exit 0"))
    assert posts(arm, name) == 1


@pytest.mark.board
def test_a_hook_that_takes_too_long(arm, rekey, state, hook):
    """The hook and its children are ended."""
    name = arm.endpoint()
    script = hook.that("sleep 600 & echo $! >>pids\nwait")
    process = rekey.start_switch("rotate", name, "--exec", script, "--exec-timeout", "1")
    wait_until(lambda: hook.runs() and len(hook.alive()) == 2, "the hook and its child")
    result = rekey.finish(process, 15, name)
    result.says("killed after 1 s (--exec-timeout)")
    assert 1 <= result.seconds < 10 * SLOW
    wait_until(lambda: not hook.alive(), "their end")
    assert accepted(arm, name, state)


def test_hooks_of_sync(arm, rekey, state, hook):
    name = arm.endpoint()
    rekey.sync(name, "--key-type", "secondary", "--exec", hook.path)
    rekey.sync(name, "--exec", hook.path)
    arm.regenerate(name, "Primary")
    rekey.sync(name, "--exec", hook.that("exit 1"), code=15)
    rekey.sync(name, "--exec", hook.path)
    assert [run["REKEY_KEY_TYPE"] for run in hook.runs()] == ["Secondary", "Primary", "Primary"]


@pytest.mark.parametrize("what", ["missing", "not-executable", "directory"])
def test_a_hook_that_cannot_be_run(arm, rekey, state, hook, what):
    name, mark = arm.endpoint(), arm.mark()
    program = hook.path
    program.chmod(0o644)
    if what != "not-executable":
        program.unlink()
    if what == "directory":
        program.mkdir()
    rekey.rotate(name, "--exec", program, code=2).says("--exec")
    assert arm.connections("main", mark) == [] and os.listdir(state) == []


# ---- modes and groups ----------------------------------------------------------------------------


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_modes(arm, rekey, state):
    """The modes do not depend on the umask."""
    name = arm.endpoint()
    prefix = [] if EXEC else ["sh", "-c", 'umask 0; exec "$@"', "sh"]
    for _ in range(2):
        rekey.rotate(name, prefix=prefix)
    assert {path.name: mode(path) for path in state.iterdir()} == dict.fromkeys(
        ["key", "key.previous", "state", "status.json", "lock"], 0o600
    )


GROUP, MEMBER, OUTSIDER = 61234, 61235, 61236


def can_read(path, user, *groups):
    drop = [f"--reuid={user}", f"--regid={user}"]
    drop.append(f"--groups={','.join(map(str, groups))}" if groups else "--clear-groups")
    run = subprocess.run(["setpriv", *drop, "cat", path], capture_output=True, text=True)
    return run.returncode == 0 and run.stdout == path.read_text()


def test_a_group(arm, rekey, nobody):
    """The key file belongs to the group, with mode 0640: a user of the group can read it, another
    user cannot. The same holds after a rotation, also for status.json, but for no other file."""
    if os.getuid() != 0:
        pytest.skip("only root can be another user")
    folder, _ = nobody
    os.chown(folder, 0, GROUP)
    folder.chmod(0o750)
    name = arm.endpoint()
    for _ in range(2):
        rekey.rotate(name, "--key-group", str(GROUP), state=folder)
        for file in ("key", "status.json"):
            assert mode(folder / file) == 0o640 and (folder / file).stat().st_gid == GROUP
            assert can_read(folder / file, MEMBER, GROUP)
            assert not can_read(folder / file, MEMBER) and not can_read(folder / file, OUTSIDER)
    for file in ("key.previous", "state", "lock"):
        assert mode(folder / file) == 0o600 and not can_read(folder / file, MEMBER, GROUP)
    folder.chmod(0o755)  # the directory is not the only protection
    assert not can_read(folder / "key", OUTSIDER) and can_read(folder / "key", MEMBER, GROUP)


def test_a_group_that_is_given_later(arm, rekey, state):
    if os.getuid() != 0:
        pytest.skip("only root can give a file to any group")
    name = arm.endpoint()
    (state / "key").write_text(arm.keys(name)["primaryKey"])
    (state / "key").chmod(0o644)
    rekey.sync(name, "--key-type", "primary")
    assert mode(state / "key") == 0o600
    rekey.sync(name, "--key-group", str(GROUP))
    assert mode(state / "key") == 0o640 and (state / "key").stat().st_gid == GROUP
    before = (state / "key").stat().st_ctime_ns
    rekey.sync(name, "--key-group", str(GROUP))
    assert (state / "key").stat().st_ctime_ns == before  # an application may watch it
    rekey.sync(name)
    assert mode(state / "key") == 0o640  # a run without the option locks nobody out


def test_a_rollback_keeps_the_group(arm, rekey, state):
    if os.getuid() != 0:
        pytest.skip("only root can give a file to any group")
    name = arm.endpoint()
    for _ in range(2):
        rekey.rotate(name, "--key-group", str(GROUP))
    arguments = ["rotate", "--rollback", "--state", "state", "--volatile-ok"]
    rekey.run(*arguments, token=None, code=0).says("no program was run")
    assert mode(state / "key") == 0o640 and (state / "key").stat().st_gid == GROUP


def test_root_takes_nothing_from_another_user(arm, rekey, nobody):
    """Whatever root runs there by hand, the user who owns the directory can continue afterwards."""
    if os.getuid() != 0:
        pytest.skip("root alone can")
    folder, prefix = nobody
    owner = folder.stat().st_uid
    name = arm.endpoint()
    rekey.rotate(name, state=folder)
    arm.play(name=name, post=[{"cut": 0, "then": "reset"}], execute="post")
    rekey.rotate(name, state=folder, code=12)
    assert {path.stat().st_uid for path in folder.iterdir()} == {owner}
    assert (folder / "operation").exists()
    rekey.rotate(name, state=folder, prefix=prefix)
    arguments = ["rotate", "--rollback", "--state", folder, "--volatile-ok"]
    rekey.run(*arguments, token=None, code=0)
    assert {path.stat().st_uid for path in folder.iterdir()} == {owner}


def test_a_group_by_name(arm, rekey, state):
    """The names come from /etc/group."""
    line = next(line for line in open("/etc/group") if re.match(r"[a-z]+:[^:]*:[1-9]", line))
    group, _, number, _ = line.split(":")
    rekey.rotate(arm.endpoint(), "--key-group", group, code=(0, 15) if os.getuid() else 0)
    if (state / "key").exists():
        assert (state / "key").stat().st_gid == int(number)


@pytest.mark.parametrize("group", ["no-such-group", "", "-1"])
def test_an_unknown_group(arm, rekey, state, group):
    mark = arm.mark()
    rekey.rotate(arm.endpoint(), f"--key-group={group}", code=2).says("there is no such group")
    assert arm.connections("main", mark) == [] and not (state / "key").exists()


def test_a_group_without_membership(arm, rekey, nobody):
    """The error comes before anything is sent."""
    folder, prefix = nobody
    if not prefix:
        pytest.skip("only root can be another user")
    mark = arm.mark()
    more = {"state": folder, "prefix": prefix, "code": 15}
    rekey.rotate(arm.endpoint(), "--key-group", "0", **more).says("Operation not permitted")
    assert arm.connections("main", mark) == [] and not (folder / "key").exists()


# ---- what is refused before anything is sent -----------------------------------------------------


def options(rekey, name):
    return ["rotate", *rekey.options(name), "--state", "state"]


def overlay(folder, upper, hidden=False):
    """The lines that mount an overlayfs at the folder, with its upper directory below `upper`."""
    folder, upper = shlex.quote(str(folder)), str(upper)
    inside = f"{upper}/a, b"
    option = f"lowerdir={upper}/lower,upperdir={upper}/a\\, b,workdir={upper}/work"
    hide = f"\nmount -t tmpfs none {upper}" if hidden else ""
    return (
        f"mkdir -p {upper}/lower {shlex.quote(inside)} {upper}/work\n"
        f"mount -t overlay -o {shlex.quote(option)} none {folder}{hide}"
    )


VOLATILE = {
    "tmpfs": "it is on tmpfs",
    "ramfs": "it is on ramfs",
    "overlay over tmpfs": "is on tmpfs",
    "overlay, hidden": "cannot be checked from here",
}


@pytest.mark.parametrize("kind", VOLATILE)
def test_volatile(arm, rekey, namespace, state, tmp_path, kind):
    """A directory that a restart empties is refused, unless an option allows it."""
    folder, upper = shlex.quote(str(state)), tmp_path / "upper"
    upper.mkdir()
    script = f"mount -t {kind} none {folder}"
    if kind.startswith("overlay"):
        script = f"mount -t tmpfs none {shlex.quote(str(upper))}\n" if kind.endswith("tmpfs") else ""
        script += overlay(state, upper, hidden=kind.endswith("hidden"))
    prefix = namespace("m", script)
    name, mark = arm.endpoint(), arm.mark()
    rekey.run(*options(rekey, name), code=2, prefix=prefix).says("--volatile-ok", VOLATILE[kind])
    assert arm.connections("main", mark) == []
    rekey.run(*options(rekey, name), "--volatile-ok", code=0, prefix=prefix, name=name)


def test_an_overlay_over_a_disk(arm, rekey, namespace, state, tmp_path, on_a_disk):
    """OpenWrt and other systems with a read-only image use one: writes go to the upper directory,
    which stays."""
    upper = tmp_path / "upper"
    upper.mkdir()
    name = arm.endpoint()
    rekey.run(*options(rekey, name), code=0, prefix=namespace("m", overlay(state, upper)), name=name)
    assert (upper / "a, b/key").exists() and not (state / "key").exists()


@pytest.fixture
def on_a_disk(tmp_path):
    command = ["stat", "-f", "-c", "%T", tmp_path]
    kind = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    if kind in ("tmpfs", "overlayfs", "ramfs"):
        pytest.skip(f"the temporary directory is on {kind}")


def test_a_permanent_file_system(arm, rekey, state, on_a_disk):
    """A real file system counts as permanent."""
    rekey.run(*options(rekey, arm.endpoint()), code=0)


PLACES = {
    "read-only": ("mount --bind {0} {0} && mount -o remount,bind,ro {0}", "Read-only file system"),
    "full": (
        "mount -t tmpfs -o size=8k none {0} && head -c 4096 /dev/zero >{0}/other",
        "No space left on device",
    ),
    "no-inodes": (
        "mount -t tmpfs -o nr_inodes=1 none {0}",
        "No space left on device",
    ),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_place_that_cannot_be_written(arm, rekey, namespace, state, place):
    script, text = PLACES[place]
    prefix = namespace("m", script.format(shlex.quote(str(state))))
    for command in ("rotate", "sync"):
        name = arm.endpoint()
        more = ["--key-type", "primary"] if command == "sync" else []
        process = rekey.start_switch(command, name, *more, prefix=prefix)
        rekey.finish(process, 15, name).says(text)
        assert arm.log(name) == []


@pytest.mark.parametrize("place", ["missing", "file"])
def test_no_directory(arm, rekey, tmp_path, place):
    (tmp_path / "file").write_text("")
    name = arm.endpoint()
    rekey.rotate(name, state=tmp_path / place, code=15)
    assert arm.log(name) == []


def test_a_directory_of_somebody_else(arm, rekey, nobody):
    folder, prefix = nobody
    folder.chmod(0o500)
    name = arm.endpoint()
    rekey.rotate(name, state=folder, prefix=prefix, code=15 if os.getuid() or prefix else 0)
    folder.chmod(0o700)
    assert arm.log(name) == [] and os.listdir(folder) == []


# ---- damaged, foreign and unknown files ----------------------------------------------------------


@pytest.fixture
def left(arm, rekey, state):
    """A function that leaves a directory with all possible files, including an unfinished
    operation."""

    def leave():
        name = arm.endpoint()
        rekey.rotate(name)
        rekey.rotate(name)
        arm.play(name=name, post=[LOST], execute="never")
        rekey.rotate(name, code=12)
        return name

    return leave


def replaced(pattern, text):
    return lambda old: re.sub(pattern, text, old, count=1)


DAMAGES = {
    "state-format": ("state", replaced("rekey-state 1", "rekey-state 2"), "another version"),
    "state-empty-format": ("state", replaced("rekey-state 1", "rekey-state "), "another version"),
    "state-other-endpoint": ("state", replaced("workspaces/", "workspaces/x"), "another endpoint"),
    "state-half": ("state", lambda old: old[: len(old) // 2], "it is damaged"),
    "state-no-end": ("state", replaced("\nend\n", "\n"), "it is damaged"),
    "state-slot": ("state", replaced("slot .*", "slot Tertiary"), "it is damaged"),
    "state-sum": ("state", replaced("primary ..", "primary "), "it is damaged"),
    "state-hex": ("state", replaced("primary ..", "primary xy"), "it is damaged"),
    "state-long": ("state", lambda old: old + "x" * 9000, "state"),
    "state-text": ("state", lambda old: "hello", "it is damaged"),
    "operation-format": ("operation", replaced(" 2\n", " 7\n"), "another version"),
    "operation-half": ("operation", lambda old: old[: len(old) // 2], "it is damaged"),
    "operation-empty": ("operation", lambda old: "", "it is damaged"),
    "operation-slot": ("operation", replaced("key-type .*", "key-type x"), "it is damaged"),
    "key-long": ("key", lambda old: old * 200, "File too large"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files(arm, rekey, state, left, damage):
    """Refused (exit 15): nothing is sent, and nothing is overwritten, neither the key nor the
    file."""
    name = left()
    file, change, text = DAMAGES[damage]
    (state / file).write_text(change((state / file).read_text()))
    names = ("key", "key.previous", "state", "operation")
    before, mark = {each: (state / each).read_text() for each in names}, arm.mark()
    rekey.rotate(name, code=15).says(f"'state/{file}'", text)
    assert {each: (state / each).read_text() for each in names} == before
    assert arm.connections("main", mark) == []


@pytest.mark.parametrize("text", ['{"format":2,"outcome":"x"}', '{"format":10,"outcome":"x"}'])
def test_a_status_of_another_version(arm, rekey, state, left, text):
    name = left()
    (state / "status.json").write_text(text)
    before, mark = (state / "state").read_text(), arm.mark()
    for run in rekey.rotate, rekey.sync:
        run(name, code=15).says("'state/status.json': it was written by another version")
    assert (state / "status.json").read_text() == text and (state / "state").read_text() == before
    assert arm.connections("main", mark) == []


@pytest.mark.parametrize("text", ["", "{", '{"format":1,"outcome'])
def test_a_damaged_status_is_replaced(arm, rekey, state, text):
    """No run depends on that file."""
    name = arm.endpoint()
    (state / "status.json").write_text(text)
    rekey.rotate(name)
    assert json.loads((state / "status.json").read_text())["result"] == "adopted"


def test_an_endpoint_of_another_name(arm, rekey, state, left):
    """A directory always belongs to one endpoint; sync and rollback check that, too."""
    left()
    before, mark = (state / "state").read_text(), arm.mark()
    other = arm.endpoint()
    rekey.rotate(other, code=15).says("it belongs to another endpoint")
    rekey.sync(other, "--key-type", "primary", code=15).says("it belongs to another endpoint")
    assert (state / "state").read_text() == before and arm.connections("main", mark) == []


def test_the_longest_name_of_a_resource_group(arm, rekey, state):
    """90 letters, each of which is 12 bytes in the path."""
    name = arm.endpoint()
    for _ in range(2):
        rekey.rotate(name, "-g", 90 * "\U00020000")
    assert accepted(arm, name, state) and arm.keys(name)["regenerated"] == ["Secondary"]
    assert 90 * "%F0%A0%80%80" in (state / "state").read_text()


def test_an_empty_state_is_like_no_state(arm, rekey, state):
    """A file system that lost the content leaves an empty file: no earlier state is known, and the
    service's keys tell which slot is in use."""
    name = arm.endpoint()
    rekey.rotate(name)
    (state / "state").write_text("")
    rekey.rotate(name)
    assert arm.keys(name)["regenerated"] == ["Secondary"] and accepted(arm, name, state)


def test_a_lost_key_file(arm, rekey, state):
    name = arm.endpoint()
    rekey.rotate(name)
    rekey.rotate(name)
    (state / "key").unlink()
    rekey.rotate(name)
    assert arm.keys(name)["regenerated"] == ["Secondary"] and accepted(arm, name, state)


@pytest.mark.parametrize("file", ["key", "key.previous", "state", "lock", "operation", "key.tmp", "probe.tmp"])
def test_links_are_not_followed(arm, rekey, state, tmp_path, file):
    """Otherwise whoever can write to the directory could have other files overwritten or shown."""
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    name = arm.endpoint()
    rekey.rotate(name)
    (state / file).unlink(missing_ok=True)
    (state / file).symlink_to(victim)
    rekey.rotate(name, code=(0, 15))
    assert victim.read_text() == "untouched" and victim.stat().st_mode & 0o777 != 0o640
    assert (state / "key").is_symlink() or accepted(arm, name, state)


@pytest.mark.parametrize("file", ["key", "key.previous", "state", "lock", "operation", "status.json"])
@pytest.mark.parametrize("kind", ["hard link", "FIFO"])
def test_links_and_pipes_in_place_of_a_file(arm, rekey, state, tmp_path, hook, kind, file):
    """A hard link could make a file from elsewhere the property of the directory's owner, as the
    previous key; a pipe could block the run. Neither is read or changed."""
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    victim.chmod(0o604)
    name = arm.endpoint()
    for _ in range(2):
        rekey.rotate(name)
    (state / file).unlink(missing_ok=True)
    if kind == "FIFO":
        os.mkfifo(state / file)
    else:
        os.link(victim, state / file)
    before = posts(arm, name)
    result = rekey.rotate(name, code=(0, 15))
    if file not in ("key.previous", "status.json"):  # only written, never read
        assert result.code == 15 and posts(arm, name) == before
        result.says("other hard links" if kind == "hard link" else "Not a regular file")
    assert result.seconds < 5 * SLOW
    assert victim.read_text() == "untouched" and mode(victim) == 0o604
    assert all("untouched" not in path.read_text() for path in state.iterdir()
               if path.is_file() and path.stat().st_nlink == 1)  # fmt: skip
    if file == "key.previous":
        arguments = ["rotate", "--rollback", "--state", "state", "--volatile-ok"]
        os.unlink(state / file)
        os.link(victim, state / file)
        rekey.run(*arguments, token=None, code=15).says("other hard links")
        assert accepted(arm, name, state)


RACER = """
import os, sys
folder, victim = sys.argv[1:]
names = [f"{name}.tmp" for name in ("key", "key.previous", "state", "status.json", "probe", "operation")]
print("racing", flush=True)
n = 0
while True:
    for name in names:
        path = f"{folder}/{name}"
        try:
            n += 1
            (os.link, lambda _, path: os.mkfifo(path), os.symlink)[n % 3](victim, path)
        except OSError:
            pass
        if n % 40 == 0:
            try:
                os.unlink(path)
            except OSError:
                pass
"""


def test_the_owner_races_with_root(arm, rekey, nobody, tmp_path):
    """The owner of the directory plants links and pipes while root works there: none of root's
    files is changed or given away, and no run is blocked. If a run cannot write a file, it says
    so."""
    folder, prefix = nobody
    if not prefix:
        pytest.skip("only root can be another user")
    with tempfile.TemporaryDirectory() as place:
        victim = Path(place) / "victim"
        os.chmod(place, 0o755)
        victim.write_text("root's own")
        victim.chmod(0o666)  # with protected_hardlinks set, only such a file can be linked
        racer = subprocess.Popen(
            [*prefix, PYTHON, "-c", RACER, folder, victim], stdout=subprocess.PIPE
        )
        try:
            assert racer.stdout.readline() == b"racing\n"
            names = [arm.endpoint() for _ in range(10)]
            codes = set()
            for name in names:
                process = rekey.start_switch("rotate", name, state=folder)
                result = process.end()
                assert result.code in (0, 15) and result.seconds < 5 * SLOW, result.err
                codes.add(result.code)
                for file in ("state", "key", "key.previous"):
                    with contextlib.suppress(FileNotFoundError):
                        (folder / file).unlink()
        finally:
            racer.kill()
            racer.wait()
            racer.stdout.close()
        assert victim.read_text() == "root's own" and victim.stat().st_uid == 0
        assert mode(victim) == 0o666


def test_files_of_a_killed_run_are_removed(arm, rekey, state):
    """Temporary files with a key or a signed URL in them, also if the run has nothing else to
    do."""
    name = arm.endpoint()
    rekey.rotate(name)
    for file in ("key", "key.previous", "state", "status.json", "operation", "probe"):
        (state / f"{file}.tmp").write_text("what was being written")
    (state / "probe").write_text("what was tried")
    rekey.rotate(name, "--min-age", "3600").says("not due")
    assert sorted(os.listdir(state)) == ["key", "lock", "state", "status.json"]


def test_a_refusal_in_status(arm, rekey, state):
    """It has the last run's outcome, whatever that was, without any secret (the runner checks)."""
    name = arm.endpoint()
    rekey.rotate(name)
    arm.play(name=name, list=[error(403, code="AuthorizationFailed")])
    rekey.rotate(name, code=1)
    seen = json.loads((state / "status.json").read_text())
    assert seen["outcome"] == "refused" and seen["exit"] == 1 and seen["slot"] == "Primary"
