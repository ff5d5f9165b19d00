"""File systems that lack something: the sync of a directory, hard links, a rename that does not
replace. If a file can still be written as safely as the file system allows, it is written.
Otherwise the message says what is not possible, and where."""

import errno
import os

import pytest

from conftest import ACCEPTED, DONE, RUNNING

# File systems: the calls that fail, each with its errno.
LESSER = {
    "CIFS before 4.17": {"SYNC_DIRECTORY": errno.EINVAL},
    "no sync of a directory": {"SYNC_DIRECTORY": errno.EOPNOTSUPP},
    "a FUSE without fsyncdir": {"SYNC_DIRECTORY": errno.ENOSYS},
    "FAT": {"LINK": errno.EPERM},
    "FUSE": {"LINK": errno.EPERM, "RENAME_NEW": errno.EINVAL},
    "FUSE, nothing at all": {"LINK": errno.ENOSYS, "RENAME_NEW": errno.ENOSYS},
    "an old kernel": {"LINK": errno.EOPNOTSUPP, "RENAME_NEW": errno.ENOSYS},
    "all of it": {
        "LINK": errno.EPERM,
        "RENAME_NEW": errno.EINVAL,
        "SYNC_DIRECTORY": errno.EINVAL,
    },
}


def lacking(preload, calls):
    return preload("files", **{f"FAIL_{name}": str(number) for name, number in calls.items()})


@pytest.mark.parametrize("kind", LESSER)
def test_an_operation_file(arm, rekey, preload, tmp_path, kind):
    """The file is kept while the operation runs, with its URL, and removed in the end; no other
    file stays."""
    folder, env = tmp_path / "place", lacking(preload, LESSER[kind])
    folder.mkdir()
    name = arm.play(post=[ACCEPTED], poll=[RUNNING, DONE])
    rekey.regenerate(name, "--operation-file", folder / "op", "--no-wait", env=env, code=13)
    assert os.listdir(folder) == ["op"] and "\nurl https" in (folder / "op").read_text()
    other = arm.endpoint()
    rekey.regenerate(other, "--operation-file", folder / "op", env=env, code=2).says("exists")
    assert arm.requests(other) == []
    rekey.wait(folder / "op", env=env, name=name)
    assert os.listdir(folder) == []


@pytest.mark.parametrize("kind", LESSER)
def test_a_state_directory(arm, rekey, preload, tmp_path, kind):
    name, env = arm.endpoint(), lacking(preload, LESSER[kind])
    for _ in range(2):
        rekey.rotate(name, env=env)
    keys = arm.keys(name)
    assert (tmp_path / "state/key").read_text() in (keys["primaryKey"], keys["secondaryKey"])
    assert sorted(os.listdir(tmp_path / "state")) == [
        "key", "key.previous", "lock", "state", "status.json"
    ]  # fmt: skip


BROKEN = {
    "the directory: EIO": ({"SYNC_DIRECTORY": errno.EIO}, "cannot sync the directory"),
    "the directory: ENOSPC": ({"SYNC_DIRECTORY": errno.ENOSPC}, "cannot sync the directory"),
    "a link: EIO": ({"LINK": errno.EIO}, "cannot give the file its name"),
    "a rename: EIO": (
        {"LINK": errno.EPERM, "RENAME_NEW": errno.EIO},
        "cannot give the file its name",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_failure_is_told(arm, rekey, preload, tmp_path, kind):
    """The message says what is not possible, and the path; nothing is sent, and no file is left."""
    calls, words = BROKEN[kind]
    folder, env, name = tmp_path / "place", lacking(preload, calls), arm.endpoint()
    folder.mkdir()
    rekey.regenerate(name, "--operation-file", folder / "op", env=env, code=15).says(
        f"'{folder}/op'", words
    )
    assert os.listdir(folder) == [] and arm.requests(name) == []
    if "SYNC_DIRECTORY" in calls:
        rekey.rotate(name, env=env, code=15).says("--state 'state'", words)
        assert os.listdir(tmp_path / "state") == ["lock"] and arm.requests(name) == []
