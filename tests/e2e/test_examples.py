"""The programs of boards/examples do what they say, against the stand-in service and over real TLS.
The hardware of a device is modelled by flash_file.c, element.c and rtos_board.c."""

import itertools
import os
import re
import socket
import struct
import subprocess
import threading
import tty
import uuid
import zlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, utils

from conftest import (
    ACCEPTED,
    BUILD,
    CERTS,
    DONE,
    ENVIRONMENT,
    EXEC,
    GROUP,
    ROOT,
    RUNNING,
    SLOW,
    SUBSCRIPTION,
    TOKEN,
    WORKSPACE,
    error,
    gaps,
)

POWER_LOST = 77  # flash_file.c
# Saves of a rotation, sectors, and points of an erasure and of a write.
CUTS = 8 * 2 * 4


def run(name, *arguments, code=0, pass_fds=(), **env):
    """Runs an example and returns its output. Checks that it has no secret."""
    result = subprocess.run(
        [*EXEC, BUILD / "examples" / name, *map(str, arguments)],
        env={**ENVIRONMENT, "TOKEN": TOKEN, **env},
        capture_output=True,
        text=True,
        timeout=20 * SLOW,
        pass_fds=pass_fds,
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


def test_regenerate(arm):
    name = arm.endpoint("three-polls")
    before = arm.keys(name)
    assert run("regenerate", *where(arm, name)) == "outcome 0, error , polls 3\n"
    assert arm.keys(name)["primaryKey"] != before["primaryKey"]


# ---- a rotation in flash -------------------------------------------------------------------------


class Device:
    """A device that keeps its key in flash."""

    def __init__(self, arm, path):
        self.arm, self.path, self.name = arm, path, arm.endpoint("three-polls")
        self.run("format")

    def run(self, *arguments, code=0, **env):
        return run("flash_rotation", *arguments, code=code, FLASH=str(self.path), **env)

    def rotate(self, code=0, age=0, **env):
        return self.run(*where(self.arm, self.name), 0, age, code=code, **env)

    def key(self):
        """The key in use: the first key in a complete record."""
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


def test_a_rotation_that_cannot_begin(device):
    _, *rest = where(device.arm, device.name)
    assert device.run("no host", *rest, 0, 0, code=2) == ""
    assert device.arm.requests(device.name) == []


# If the intent is saved and nothing was sent, the next run waits for half an hour. The unit test of
# the storage covers power loss at that point.
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


# ---- a key in a secure element -------------------------------------------------------------------


class Element(threading.Thread):
    """A secure element with the key and the certificate of device.pem (element.c). It answers until
    the program has ended."""

    def __init__(self, signs=True):
        super().__init__(daemon=True)
        self.here, self.there = socket.socketpair()
        text = (CERTS / "device.pem").read_bytes()
        self.key = serialization.load_pem_private_key(text, None)
        certificate = x509.load_pem_x509_certificate(text)
        self.certificate = certificate.public_bytes(serialization.Encoding.DER)
        self.signs, self.signatures = signs, 0

    def sign(self, digest):
        self.signatures += 1
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        return self.key.sign(digest, pss, utils.Prehashed(hashes.SHA256())) if self.signs else b""

    def run(self):
        while question := self.here.recv(1):
            if question == b"C":
                answer = self.certificate
            else:
                answer = self.sign(self.here.recv(32, socket.MSG_WAITALL))
            self.here.sendall(len(answer).to_bytes(2, "big") + answer)


@pytest.fixture
def list_keys(arm):
    """A function that lists the keys of an endpoint that accepts issued tokens only, by means of an
    element. Returns the output, and the tokens that the tenant issued."""

    def run_with(element, code=0):
        name = arm.play(tokens="issued")
        tenant, client = str(uuid.uuid4()), str(uuid.uuid4())
        arm.identity(tenant, client_id=client, certificate=str(CERTS / "device.pem"))
        element.start()
        with element.here, element.there:
            fd = element.there.fileno()
            who = "localhost", arm.ports["authority"], tenant, client
            text = run(
                "secure_element", *where(arm, name), *who, code=code, pass_fds=[fd], ELEMENT=str(fd)
            )
            element.there.close()
            element.join()
        for piece, what in arm.must_not_show().items():
            assert piece not in text, what
        return text, arm.identity(tenant)

    return run_with


def test_a_key_in_a_secure_element(list_keys):
    element = Element()
    text, given = list_keys(element)
    assert text == "outcome 0, error , keys of 44 and 44 bytes\n"
    assert element.signatures == len(given["tokens"]) == 1


def test_a_secure_element_that_does_not_sign(list_keys):
    text, given = list_keys(Element(signs=False), code=14)
    assert text == "outcome 14, error REKEY_E_SIGN, keys of 0 and 0 bytes\n"
    assert given["tokens"] == []


# ---- a token from another processor --------------------------------------------------------------


class Modem(threading.Thread):
    """Gets tokens for a device at the other end of a serial line: one for each line "token". Then
    it closes the line."""

    def __init__(self, *tokens):
        super().__init__(daemon=True)
        self.here, self.there = os.openpty()
        tty.setraw(self.there)
        self.path, self.tokens = os.ttyname(self.there), tokens

    def run(self):
        for token in self.tokens:
            line = b""
            while line != b"token\n":
                line += os.read(self.here, 6 - len(line))
            for start in range(0, len(token), 1000):
                os.write(self.here, token[start : start + 1000].encode())
            os.write(self.here, b"\n")

    def hang_up(self):
        self.join()
        os.close(self.here)
        os.close(self.there)


def test_a_token_from_a_modem(arm):
    name, modem = arm.endpoint(), Modem(TOKEN)
    modem.start()
    text = run("modem_token", *where(arm, name), modem.path)
    modem.hang_up()
    assert text == "outcome 0, error , keys of 44 and 44 bytes\n"


def test_a_token_that_is_refused_is_asked_for_once_more(arm):
    name, modem = arm.play(list=[error(401), {"status": 200, "body": "{keys}"}]), Modem("x" * 2500, TOKEN)
    modem.start()
    text = run("modem_token", *where(arm, name), modem.path)
    modem.hang_up()
    assert text == "outcome 0, error , keys of 44 and 44 bytes\n"
    assert len(arm.requests(name, "list")) == 2


def test_a_token_that_is_too_long(arm):
    name, modem = arm.endpoint(), Modem("x" * 6000)
    modem.start()
    text = run("modem_token", *where(arm, name), modem.path, code=2)
    modem.hang_up()
    assert text == "outcome 2, error REKEY_E_LIMIT_TOKEN, keys of 0 and 0 bytes\n"
    assert arm.requests(name) == []


def test_no_modem(arm, tmp_path):
    name = arm.endpoint()
    text = run("modem_token", *where(arm, name), tmp_path / "none", code=14)
    assert text == "outcome 14, error REKEY_E_NO_TOKEN, keys of 0 and 0 bytes\n"
    assert arm.requests(name) == []


# ---- many clients in one thread ------------------------------------------------------------------


def test_fifty_clients_in_one_thread(arm):
    names = [arm.endpoint("three-polls") for _ in range(50)]
    before = [arm.keys(name)["primaryKey"] for name in names]
    lines = run("many_clients", *where(arm, names[0]), *names[1:]).splitlines()
    assert sorted(lines[:-1]) == sorted(f"{name}: outcome 0, error " for name in names)
    assert re.fullmatch(
        r"50 of 50 succeeded, \d+ at once; RAM: \d{5} bytes for each of these, \d+ of arena",
        lines[-1],
    )
    for name, key in zip(names, before):
        assert arm.keys(name)["primaryKey"] != key and arm.counts(name) == (1, 3)


def test_one_of_many_is_refused(arm):
    good, bad = arm.endpoint(), arm.play(post=[error(403)])
    lines = run("many_clients", *where(arm, good), bad, code=1).splitlines()
    assert f"{good}: outcome 0, error " in lines
    assert f"{bad}: outcome 1, error REKEY_E_REFUSED" in lines
    assert lines[-1].startswith("1 of 2 succeeded")


# ---- a task of an RTOS ---------------------------------------------------------------------------


@pytest.mark.parametrize("listener", ["main", "tls12"])
def test_a_task_of_an_rtos(arm, listener):
    for _ in range(10):  # a missing lock shows in one run of six
        name = arm.endpoint("three-polls")
        host, _, *rest = where(arm, name)
        text = run("rtos_task", host, arm.ports[listener], *rest)
        assert text == "outcome 0, error , polls 3\n"


def test_a_task_waits_for_the_next_poll(arm):
    """Nothing wakes it before the time of the poll."""
    name = arm.play(poll=[{**RUNNING, "headers": [["Retry-After", "1"]]}, DONE], post=[ACCEPTED])
    assert run("rtos_task", *where(arm, name)) == "outcome 0, error , polls 2\n"
    assert any(0.9 < gap < 1.5 * SLOW for gap in gaps(arm.log(name)))
