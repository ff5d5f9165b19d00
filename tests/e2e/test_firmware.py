"""The firmware of the board lm3s6965evb, in QEMU, against the stand-in service. The other files
test the outcomes with the command. This file tests what is special on a microcontroller: DHCP, DNS
and TCP by lwIP, TLS in a small arena, and memory that stays the same."""

import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time

import pytest

from conftest import BUILD, CERTS, DONE, REKEY, ROOT, RUNNING, error

sys.path.insert(0, str(ROOT / "tests/arm"))
from firmware import SHOWN, SKIP_SLEEP, TOKEN, Firmware, NameServer, show


@pytest.fixture(scope="module")
def firmware(arm):
    one = Firmware(str(REKEY), arm.ports)
    yield one
    one.close()


@pytest.fixture
def run(arm, firmware):
    """Runs the firmware, and checks what holds for every run."""

    def check(name, code, *texts, firmware=firmware, **more):
        result = firmware.run(name, **more)
        assert result.code == code, result.text
        for text in texts:
            assert text in result.text, result.text
        assert TOKEN not in result.text
        for key in ("primaryKey", "secondaryKey"):
            assert arm.keys(name)[key] not in result.text
        assert all(request["faults"] == [] for request in arm.requests(name))
        if result.outcome is not None:
            assert (1 if result.outcome == 101 else result.outcome) == code
            assert result.arena_peak < result.arena and result.stack_peak < result.stack
            assert result.ram <= 49152
        return result

    return check


@pytest.mark.parametrize("title", SHOWN)
def test_what_the_demo_shows(arm, firmware, title):
    since = arm.mark()
    result, wrong = show(firmware, arm.control, title, arm.endpoint("own"))
    assert not wrong, result.text
    assert arm.forbidden(since) == []


def test_the_key_changes_once(arm, run):
    for key_type in ("primary", "secondary"):
        name = arm.endpoint("three-polls")
        result = run(name, 0, "address: 10.0.2.15", key_type=key_type)  # by QEMU's DHCP server
        assert (result.requests, result.polls) == (4, 3)
        assert arm.counts(name) == (1, 3)
        assert arm.keys(name)["regenerated"] == [key_type.capitalize()]
        (handshake,) = arm.handshakes(name)
        assert (handshake["tls"], handshake["sni"]) == ("TLSv1.2", "localhost")


@pytest.mark.parametrize("listener", ["main", "tls12", "tls12-noticket"])
def test_list_keys(arm, run, listener):
    name = arm.endpoint()
    result = run(name, 0, command="list-keys", listener=listener)
    lengths = [len(arm.keys(name)[key]) for key in ("primaryKey", "secondaryKey")]
    assert f"keys: primary {lengths[0]} bytes, secondary {lengths[1]} bytes" in result.text
    assert [request["kind"] for request in arm.requests(name)] == ["list"]
    assert arm.keys(name)["regenerated"] == []


@pytest.mark.parametrize(
    "scenario, code, texts",
    [
        ("ok-204", 0, ()),
        ("signed", 0, ()),
        ("retry-after-date", 0, ()),
        ("close-each", 0, ()),
        ("reused-reset", 0, ()),
        ("slow-bytes", 0, ()),
        ("poll-cut-off", 0, ()),
        ("http-403", 1, ("service: AuthorizationFailed", "message: The stand-in service answers")),
        ("http-409", 1, ("service: Conflict",)),
        ("failed", 1, ("service: KeyRegenerationFailed", "message: The key store is not")),
        ("canceled", 1, ()),
        ("http-500", 12, ()),
        ("reset-after-post", 12, ()),
        ("half-head", 12, ()),
        ("cut-body", 12, ()),
        ("other-port", 12, ("host: localhost:",)),
        ("plain-http", 12, ()),
        ("long-url", 12, ()),
        ("unauthorized", 14, ("service: ExpiredAuthenticationToken",)),
    ],
)
def test_outcomes(arm, run, scenario, code, texts):
    since = arm.mark()
    run(arm.endpoint(scenario), code, *texts, flags=SKIP_SLEEP)
    assert arm.forbidden(since) == []


@pytest.mark.parametrize("listener", ["future", "impostor", "selfsigned"])
def test_certificates(arm, run, listener):
    name = arm.endpoint()
    run(name, 11, "why: ", listener=listener)
    assert arm.requests(name) == []


@pytest.mark.parametrize(
    "chain, says",
    [
        ("forMail", "an issuer's extended key usage"),
        ("excluding", "an issuer's name constraints"),
        ("elsewhereOnly", "an issuer's name constraints"),
        ("permitting", None),
    ],
)
def test_issuers_are_held_to_their_constraints(arm, run, main_put_back, chain, says):
    name = arm.endpoint()
    arm.control("PUT", f"/certificate/main?name={chain}")
    if says is None:
        run(name, 0, listener="main", command="list-keys")
    else:
        run(name, 11, says, listener="main", command="list-keys")
        assert arm.requests(name) == []


class Server:
    """One connection with a certificate of the stand-in and one curve; it answers the request with
    success."""

    def __init__(self, certificate, curve):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.maximum_version = ssl.TLSVersion.TLSv1_2
        self.context.load_cert_chain(CERTS / f"{certificate}.pem", CERTS / f"{certificate}.key")
        self.context.set_ecdh_curve(curve)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        connection = self.listener.accept()[0]
        connection.settimeout(60)
        with self.context.wrap_socket(connection, server_side=True) as tls:
            data = b""
            while b"\r\n\r\n" not in data:
                data += tls.recv(65536)
            tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            tls.recv(1)  # its close_notify
        self.listener.close()


@pytest.mark.parametrize("curve", ["prime256v1", "secp384r1", "secp521r1"])
@pytest.mark.parametrize("certificate", ["server", "wide", "ec"])
def test_the_memory_is_enough(arm, run, certificate, curve):
    """For the longest keys; `wide` is signed by RSA-PSS, and leaves 3 KB of a record."""
    server = Server(certificate, curve)
    run(arm.endpoint(), 0, port=server.port)
    server.thread.join()


@pytest.mark.parametrize("listener", ["tls11", "tls13", "garbage", "closer"])
def test_no_handshake(arm, run, listener):
    name = arm.endpoint()
    run(name, 10, listener=listener, flags=SKIP_SLEEP)
    assert arm.requests(name) == []


def test_no_answer_of_the_name_server(arm, run):
    silent = Firmware(str(REKEY), arm.ports, NameServer(silent=True))
    result = run(arm.endpoint(), 10, firmware=silent, flags=SKIP_SLEEP, timeout=30)
    silent.close()
    assert silent.name_server.questions > 1
    assert "could not be resolved" in result.text or "deadline" in result.text


def test_connection_refused(arm, run):
    with socket.socket() as sock:  # the port is bound, but nothing listens
        sock.bind(("127.0.0.1", 0))
        run(arm.endpoint(), 10, port=sock.getsockname()[1], flags=SKIP_SLEEP, timeout=30)


def test_the_network_dies_while_polling(arm, run, main_put_back):
    name = arm.endpoint("goes-down")
    run(name, 13, listener="main", flags=SKIP_SLEEP, timeout=60)
    assert arm.keys(name)["regenerated"] == ["Primary"]


def test_the_service_falls_silent_while_polling(arm, run):
    run(arm.endpoint("stall-poll"), 13, flags=SKIP_SLEEP, timeout=30)


def test_an_operation_that_does_not_end(arm, run):
    result = run(arm.endpoint("forever"), 13, flags=SKIP_SLEEP, timeout=30)
    assert result.polls > 10


def test_no_token(arm, run, tmp_path):
    name = arm.endpoint()
    run(name, 14, token_file=tmp_path / "missing")
    (tmp_path / "empty").write_text("\n")
    run(name, 14, token_file=tmp_path / "empty")
    (tmp_path / "long").write_text("a" * 3073)
    run(name, 2, token_file=tmp_path / "long")
    assert arm.requests(name) == []


def test_no_configuration(firmware):
    result = firmware.wait(None)
    assert result.code == 2 and "no configuration" in result.text
    result = firmware.wait({"host": "localhost", "command": "regenerate"})
    assert result.code == 2 and "outcome: 2" in result.text
    result = firmware.wait({"host": "a" * 512})
    assert result.code == 2 and "configuration is too long" in result.text


@pytest.mark.parametrize("key_type", [None, "Primary", "both"])
def test_no_key_is_changed_by_default(arm, run, key_type):
    name = arm.endpoint("three-polls")
    run(name, 2, "key type", key_type=key_type)
    assert arm.keys(name)["regenerated"] == []


@pytest.mark.parametrize(
    "settings, text",
    [
        ({"command": None}, "the command is neither"),
        ({"command": "list-key"}, "the command is neither"),
        ({"keytype": "primary"}, "no setting"),
    ],
)
def test_a_bad_configuration(arm, run, settings, text):
    name = arm.endpoint("three-polls")
    run(name, 2, text, **settings)
    assert arm.keys(name)["regenerated"] == []


def test_a_clock_that_was_never_set(arm, run):
    name = arm.endpoint()
    env = {"LD_PRELOAD": str(BUILD / "clock.so"), "CLOCK_SHIFT": str(86400 - int(time.time()))}
    run(name, 11, "why: the device's clock says 1970-01-02", env=env)
    assert arm.requests(name) == []


def test_a_long_wait_resumes_the_session(arm, run):
    later = {**RUNNING, "headers": [["Retry-After", "20"]]}
    name = arm.play("three-polls", poll=[later, later, DONE])
    run(name, 0, flags=SKIP_SLEEP)
    assert [handshake["resumed"] for handshake in arm.handshakes(name)] == [False, True, True]


def test_100_in_one_boot(arm, run):
    name = arm.play("three-polls", poll=[RUNNING, RUNNING, DONE] * 100)
    result = run(name, 0, runs=100)
    assert [each[0] for each in result.runs] == [0] * 100
    assert len({each[1] for each in result.runs[1:]}) == 1
    assert result.runs[0][1] <= result.runs[1][1] == result.arena_peak
    assert arm.keys(name)["regenerated"] == ["Primary"] * 100
    assert arm.counts(name) == (100, 300)


def test_it_tries_again_if_nothing_was_executed(arm, run):
    busy = error(503, ["Retry-After", "1"], code="ServerBusy")
    name = arm.play("three-polls", post=[busy, {"status": 200}])
    reset = {"before_handshake": True, "cut": 0, "then": "reset"}
    arm.control("PUT", "/scenario/@tls12", {"connect": [reset, None]})
    run(name, 0, flags=SKIP_SLEEP)
    assert arm.keys(name)["regenerated"] == ["Primary"]


def test_no_heap():
    names = subprocess.run(
        [os.environ.get("REKEY_NM", "nm"), REKEY], stdout=subprocess.PIPE, check=True, text=True
    ).stdout
    assert re.search(r" T rekey_step$", names, re.M)
    assert not re.search(r" _*(malloc|free|calloc|realloc|sbrk)(_r)?$", names, re.M), names
