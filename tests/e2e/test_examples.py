"""The programs of boards/examples do what they say, against the stand-in service and over real TLS.
What a device has of its own is a model: flash_file.c."""

import itertools
import re
import struct
import subprocess
import zlib

import pytest

from conftest import BUILD, CERTS, ENVIRONMENT, EXEC, GROUP, ROOT, SLOW, SUBSCRIPTION, TOKEN, WORKSPACE

POWER_LOST = 77  # flash_file.c
# Saves of a rotation, sectors, points of an erasure and of a write.
CUTS = 8 * 2 * 4


def run(name, *arguments, code=0, **env):
    """What an example prints. No secret is in it."""
    result = subprocess.run(
        [*EXEC, BUILD / "examples" / name, *map(str, arguments)],
        env={**ENVIRONMENT, "TOKEN": TOKEN, **env},
        capture_output=True,
        text=True,
        timeout=60 * SLOW,
    )
    assert result.returncode == code, result
    assert TOKEN not in result.stdout + result.stderr
    return result.stdout


def where(arm, name):
    return "localhost", arm.ports["main"], CERTS / "ca.pem", SUBSCRIPTION, GROUP, WORKSPACE, name


def test_each_can_be_read_in_minutes():
    files = list((ROOT / "boards/examples").glob("*.[ch]"))
    assert len(files) > 3
    assert [f.name for f in files if len(f.read_text().splitlines()) > 150] == []


# ---- a rotation in flash -------------------------------------------------------------------------


class Device:
    """One that keeps its key in flash."""

    def __init__(self, arm, path):
        self.arm, self.path, self.name = arm, path, arm.endpoint("three-polls")
        self.run("format")

    def run(self, *arguments, code=0, **env):
        return run("flash_rotation", *arguments, code=code, FLASH=str(self.path), **env)

    def rotate(self, code=0, age=0, **env):
        return self.run(*where(self.arm, self.name), 0, age, code=code, **env)

    def key(self):
        """The key in use: the first one in a record that is whole."""
        text = self.path.read_bytes()
        for start, order in itertools.product((0, len(text) // 2), "<>"):
            form, size, crc = struct.unpack_from(f"{order}III", text, start)
            record = text[start + 16 : start + size]
            if form == 0x524B4631 and zlib.crc32(record) == crc:
                return re.search(rb"[A-Za-z0-9+/=]{40,}", record)[0].decode()
        raise AssertionError("no record is whole")


@pytest.fixture
def device(arm, tmp_path):
    return Device(arm, tmp_path / "flash")


def test_a_rotation_in_flash(arm, device):
    told = "the key has changed: load_key has the new one\n"
    assert device.rotate() == f"{told}outcome 0, result 2, error \n"
    before = arm.keys(device.name)
    assert device.rotate(age=3600) == "outcome 0, result 3, error \n"
    assert arm.keys(device.name) == before
    assert device.rotate() == f"{told}outcome 0, result 1, error \n"
    assert arm.keys(device.name) != before
    assert device.key() in arm.keys(device.name).values()


# Where the intent is saved and nothing was sent yet the next run waits for half an hour: the unit
# test of the storage cuts there.
@pytest.mark.sweep(16)
@pytest.mark.parametrize("cut", [n for n in range(1, CUTS + 1) if not 12 <= n <= 16])
def test_power_cuts(arm, device, cut):
    device.rotate()
    first = device.key()
    device.rotate(code=POWER_LOST, FLASH_CUT=str(cut))
    assert device.key() in arm.keys(device.name).values()
    device.rotate()
    assert device.key() in arm.keys(device.name).values() and device.key() != first


def test_all_power_cuts_are_there(device):
    device.rotate()
    device.rotate(FLASH_CUT=str(CUTS + 1))
