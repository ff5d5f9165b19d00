"""Lookup of names over UDP and, if the answer is truncated, over TCP. musl before 1.2.4 cannot do
that, and Azure's chains of aliases need it. The name server is part of the test."""

import contextlib
import os
import socket
import socketserver
import struct
import threading

import pytest

from conftest import SECOND_NAME

# One for each run of the tests, because several may run at the same time.
NAME_SERVER = f"127.53.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"
CNAME, IN = 5, 1
A, AAAA = 1, 28
ALIASES = [f"alias-{n}.{'x' * 60}.{'y' * 60}.{'z' * 60}.example" for n in range(4)]


def labels(name):
    return b"".join(bytes([len(each)]) + each.encode() for each in name.split(".")) + b"\0"


def record(name, kind, data):
    return labels(name) + struct.pack("!HHIH", kind, IN, 60, len(data)) + data


class NameServer:
    """Answers over UDP and TCP. addresses: those of every name, behind a chain of aliases if
    `aliases` is set; without addresses, the names do not exist. truncated: over UDP it sends only
    the bit that says so."""

    def __init__(self, addresses, aliases=(), truncated=False):
        self.addresses, self.aliases, self.truncated = addresses, aliases, truncated
        self.asked = {"udp": set(), "tcp": set()}  # kinds of records
        self.questions = 0

    def answer(self, query, how):
        end = query.index(b"\0", 12) + 1  # of the name; then the record's type and class
        kind = struct.unpack("!H", query[end : end + 2])[0]
        self.asked[how].add(kind)
        self.questions += 1
        records = []
        if not (self.truncated and how == "udp"):
            names = [SECOND_NAME, *self.aliases]
            for name, target in zip(names, names[1:]):
                records.append(record(name, CNAME, labels(target)))
            for address in self.addresses:
                family = socket.AF_INET6 if ":" in address else socket.AF_INET
                if kind == (AAAA if ":" in address else A):
                    records.append(record(names[-1], kind, socket.inet_pton(family, address)))
        flags = 0x8180 if self.addresses else 0x8183  # no such name
        flags |= 0x0200 if self.truncated and how == "udp" else 0
        head = query[:2] + struct.pack("!HHHHH", flags, 1, len(records), 0, 0)
        return head + query[12 : end + 4] + b"".join(records)

    @contextlib.contextmanager
    def running(self):
        outer = self

        class Udp(socketserver.BaseRequestHandler):
            def handle(self):
                data, sock = self.request
                sock.sendto(outer.answer(data, "udp"), self.client_address)

        class Tcp(socketserver.StreamRequestHandler):
            def handle(self):
                while len(head := self.rfile.read(2)) == 2:
                    text = outer.answer(self.rfile.read(struct.unpack("!H", head)[0]), "tcp")
                    self.wfile.write(struct.pack("!H", len(text)) + text)

        class TcpServer(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True

        with contextlib.ExitStack() as stack:
            for server, handler in (
                (socketserver.ThreadingUDPServer, Udp),
                (TcpServer, Tcp),
            ):
                try:
                    one = stack.enter_context(server((NAME_SERVER, 53), handler))
                except OSError as error:
                    pytest.skip(f"no name server on port 53: {error}")
                threading.Thread(target=one.serve_forever, args=(0.02,), daemon=True).start()
                stack.callback(one.shutdown)
            yield self


@pytest.fixture
def asked(namespace, etc):
    """A prefix with which the command asks NAME_SERVER."""
    return namespace("m", etc(name_server=NAME_SERVER))


def test_a_truncated_answer_is_asked_for_again_over_tcp(arm, rekey, asked):
    name = arm.endpoint("three-polls")
    with NameServer(["127.0.0.1"], ALIASES, truncated=True).running() as server:
        rekey.regenerate(name, "--management-url", arm.url(host=SECOND_NAME), prefix=asked)
    assert A in server.asked["udp"] and A in server.asked["tcp"]
    assert arm.handshakes(name)[0]["sni"] == SECOND_NAME and arm.counts(name) == (1, 3)


@pytest.mark.parametrize("truncated", [False, True], ids=["udp", "tcp"])
def test_a_name_that_has_only_an_ipv6_address(arm, rekey, asked, truncated):
    name = arm.endpoint("three-polls")
    with NameServer(["::1"], truncated=truncated).running() as server:
        rekey.regenerate(name, "--management-url", arm.url(host=SECOND_NAME), prefix=asked)
    assert AAAA in server.asked["tcp" if truncated else "udp"]
    assert bool(server.asked["tcp"]) == truncated and arm.counts(name) == (1, 3)


def test_a_name_that_does_not_exist(arm, rekey, asked):
    """The answer comes at once, and the lookup is repeated with backoff."""
    with NameServer([]).running() as server:
        result = rekey.regenerate(
            arm.endpoint(),
            "--management-url",
            "https://nowhere.test",
            "--timeout",
            "2",
            prefix=asked,
            code=10,
        )
    result.says("could not be resolved")
    assert server.questions >= 4  # two for each lookup


@pytest.mark.parametrize("host", [SECOND_NAME.title(), f"{SECOND_NAME}."])
def test_how_a_host_is_written(arm, rekey, asked, host):
    """With capital letters, or with the dot of the root: it is the same host as in the polling URLs
    and in the certificate."""
    name = arm.endpoint("three-polls")
    with NameServer(["127.0.0.1"]).running():
        rekey.regenerate(name, "--management-url", arm.url(host=host), prefix=asked)
    assert len(arm.requests(name, "async")) == 3
