"""The network below TLS: name lookup in a child process that can be killed, and every address of a
name is tried. The names and name servers are the test's own, in namespaces, so that no test depends
on the network of the machine."""

import contextlib
import os
import re
import signal
import socket
import socketserver
import sys
import threading
import time

import pytest

from conftest import EXEC, REKEY, SECOND_NAME, SLOW, wait_until

# Binds the port of the name server of this network namespace without ever answering, and becomes
# the command.
SILENT = (
    "import os, socket, sys\n"
    "s = socket.socket(type=socket.SOCK_DGRAM)\n"
    "s.bind(('127.0.0.1', 53))\n"
    "s.set_inheritable(True)\n"
    "os.execvp(sys.argv[1], sys.argv[1:])\n"
)


@pytest.fixture
def silent(namespace, etc):
    """A prefix with which the command runs where no name server answers."""
    # A probe without the silent server comes first, so that a skip says why.
    prefix = namespace("nm", f"ip link set lo up\n{etc()}")
    return [
        *prefix,
        "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable,
        "-c",
        SILENT,
    ]


@pytest.fixture
def named(namespace, etc):
    """A function that makes a prefix: SECOND_NAME has these addresses, in this order."""

    def prefix(*addresses):
        return namespace("m", etc("".join(f"{address} {SECOND_NAME}\n" for address in addresses)))

    return prefix


def processes_of(name):
    """The ids of all processes of the command for this endpoint: the command itself, and its
    child."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                arguments = file.read().split(b"\0")
        except OSError:
            continue
        if os.fsencode(REKEY) in arguments[: len(EXEC) + 1] and name.encode() in arguments:
            found.append(int(pid))
    return found


def start_lookup(arm, rekey, prefix, *arguments):
    """Starts a command that looks a name up without getting an answer. Returns its endpoint and its
    process."""
    name = arm.endpoint()
    process = rekey.start_regenerate(
        name, "--management-url", "https://silent.test", *arguments, prefix=prefix
    )
    wait_until(lambda: len(processes_of(name)) == 2, "a child looks the name up")
    return name, process


def test_silent_name_servers(arm, rekey, silent):
    name, process = start_lookup(arm, rekey, silent, "--connect-timeout", "2")
    result = rekey.finish(process, 10)
    result.says("connect timeout")
    assert 2 <= result.seconds < 3.5
    assert processes_of(name) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_the_lookup_hangs(arm, rekey, silent, number):
    name, process = start_lookup(arm, rekey, silent)
    sent = time.monotonic()
    process.signal(number)
    process.popen.wait(10)
    assert time.monotonic() - sent < 0.2 * SLOW
    rekey.finish(process, 10)
    assert processes_of(name) == []


def test_the_deadline_while_the_lookup_hangs(arm, rekey, silent):
    name, process = start_lookup(arm, rekey, silent, "--timeout", "1")
    result = rekey.finish(process, 10)
    result.says("deadline")
    assert 1 <= result.seconds < 2 and processes_of(name) == []


def test_the_child_dies_with_its_parent(arm, rekey, silent):
    """Even if the parent is killed and can do nothing about it."""
    name, process = start_lookup(arm, rekey, silent)
    process.popen.kill()
    process.popen.wait()
    wait_until(lambda: processes_of(name) == [], "the child has gone", seconds=1)


def test_an_unknown_name(arm, rekey, namespace, etc):
    """There is no name server: glibc says so at once, and the lookup is repeated with backoff; musl
    waits for one until the deadline."""
    prefix = namespace("nm", f"ip link set lo up\n{etc()}")
    name = arm.endpoint()
    result = rekey.regenerate(
        name, "--management-url", "https://nowhere.test", "--timeout", "1", prefix=prefix, code=10
    )
    assert re.search("could not be resolved|deadline", result.err), result
    assert processes_of(name) == []


def test_a_name_that_is_too_long(arm, rekey):
    rekey.run(
        "regenerate",
        *rekey.options("e"),
        "--key-type",
        "primary",
        "--management-url",
        f"https://{'x' * 254}",
        code=2,
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
def test_a_refused_port(arm, rekey, host):
    """The port is bound, but nothing listens: no other process can take it meanwhile."""
    with socket.socket(socket.AF_INET6) as closed:
        closed.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        closed.bind(("::", 0))
        result = rekey.regenerate(
            arm.endpoint(),
            "--management-url",
            f"https://{host}:{closed.getsockname()[1]}",
            "--timeout",
            "1",
            code=10,
        )
    result.says("no connection to the host", "Connection refused")


# ---- several addresses ---------------------------------------------------------------------------

# getaddrinfo sorts (RFC 6724): IPv6 before IPv4, then, except for musl's, by the number of leading
# bits in common with our own address, 127.0.0.1.
LAST = "127.200.0.1"


class Forwarder(socketserver.ThreadingTCPServer):
    """An address that sorts last, on the port of main: forwards everything to main."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, port):
        super().__init__((LAST, port), None)
        self.target, self.accepted = ("127.0.0.1", port), 0
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def finish_request(self, request, client_address):
        self.accepted += 1
        with socket.create_connection(self.target) as target:
            back = threading.Thread(target=pass_on, args=(target, request), daemon=True)
            back.start()
            pass_on(request, target)
            back.join()


def pass_on(source, sink):
    """Forwards all bytes, then the end."""
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@pytest.fixture
def forwarder(arm):
    with Forwarder(arm.ports["main"]) as server:
        yield server
        server.shutdown()


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_one_address(arm, rekey, named, address):
    name = arm.endpoint("three-polls")
    rekey.regenerate(name, "--management-url", arm.url(host=SECOND_NAME), prefix=named(address))
    assert arm.handshakes(name)[0]["sni"] == SECOND_NAME and arm.counts(name) == (1, 3)


@pytest.mark.parametrize(
    "others", [["127.0.0.3"], [f"127.0.0.{n}" for n in range(3, 18)]], ids=["two", "sixteen"]
)
def test_every_address_is_tried(arm, rekey, named, forwarder, others):
    """Only the last address listens."""
    name = arm.endpoint("three-polls")
    result = rekey.regenerate(
        name, "--management-url", arm.url(host=SECOND_NAME), prefix=named(LAST, *others)
    )
    assert forwarder.accepted == 1 and arm.counts(name) == (1, 3) and result.seconds < 2 * SLOW


def test_ipv6_is_refused_and_ipv4_is_used(arm, rekey, named):
    """The listener tls12 has only an IPv4 address."""
    name = arm.endpoint()
    rekey.regenerate(
        name, "--management-url", arm.url("tls12", SECOND_NAME), prefix=named("::1", "127.0.0.1")
    )
    assert arm.counts(name) == (1, 0)


def test_no_address_listens(arm, rekey, named):
    result = rekey.regenerate(
        arm.endpoint(),
        "--management-url",
        arm.url(host=SECOND_NAME),
        "--timeout",
        "1",
        prefix=named("127.0.0.3", "127.0.0.4"),
        code=10,
    )
    result.says("no connection to the host", "Connection refused")


@contextlib.contextmanager
def black_hole(address, port):
    """No connection to this address succeeds: the queue of its listener is full."""
    with socket.socket(
        socket.AF_INET6 if ":" in address else socket.AF_INET
    ) as listener, contextlib.ExitStack() as clients:
        if ":" in address:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address, port))
        listener.listen(0)
        for _ in range(2):
            client = clients.enter_context(socket.socket(listener.family))
            client.setblocking(False)
            client.connect_ex((address, port))
        yield


@contextlib.contextmanager
def slow_address(address, target, seconds):
    """A connection to this address is not answered for this many seconds; then it is forwarded to
    the port `target`. The kernel repeats a SYN after 1, 3 and 7 seconds."""
    with socket.socket() as listener, contextlib.ExitStack() as clients:
        listener.bind((address, target))
        listener.listen(0)
        for _ in range(2):
            client = clients.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex((address, target))

        def serve():
            clients.close()
            while True:
                try:
                    source, _ = listener.accept()
                except OSError:  # the test is over
                    return
                with source, socket.create_connection(("127.0.0.1", target)) as sink:
                    back = threading.Thread(target=pass_on, args=(sink, source), daemon=True)
                    back.start()
                    pass_on(source, sink)
                    back.join()

        timer = threading.Timer(seconds, serve)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            listener.shutdown(socket.SHUT_RDWR)


def test_a_black_hole_costs_a_moment(arm, rekey, named, forwarder):
    """The next address is tried in parallel (RFC 8305)."""
    name = arm.endpoint()
    with black_hole("127.0.0.3", arm.ports["main"]):
        url, prefix = arm.url(host=SECOND_NAME), named("127.0.0.3", LAST)
        result = rekey.regenerate(name, "--management-url", url, prefix=prefix)
    assert 0.25 <= result.seconds < 1.5 * SLOW
    assert forwarder.accepted == 1 and arm.counts(name) == (1, 0)


def test_fifteen_black_holes(arm, rekey, named, forwarder):
    """All of them get their attempt within half of the connect timeout."""
    name, holes = arm.endpoint(), [f"127.0.0.{n}" for n in range(3, 18)]
    with contextlib.ExitStack() as stack:
        for each in holes:
            stack.enter_context(black_hole(each, arm.ports["main"]))
        result = rekey.regenerate(
            name,
            "--management-url",
            arm.url(host=SECOND_NAME),
            "--connect-timeout",
            "4",
            prefix=named(*holes, LAST),
        )
    assert 1.8 <= result.seconds < 4 and forwarder.accepted == 1 and arm.counts(name) == (1, 0)


def test_ipv6_is_a_black_hole_and_ipv4_is_used(arm, rekey, named):
    name, port = arm.endpoint(), arm.ports["tls12"]
    with black_hole("::1", port):
        url, prefix = arm.url("tls12", SECOND_NAME), named("127.0.0.1", "::1")
        result = rekey.regenerate(name, "--management-url", url, prefix=prefix)
    assert 0.25 <= result.seconds < 1.5 * SLOW and arm.counts(name) == (1, 0)


def test_the_only_address_that_works_is_slow(arm, rekey, named):
    """The addresses after it do not cut its attempt short: it has the whole connect timeout."""
    name, port = arm.endpoint(), arm.ports["main"]
    dead = [f"127.200.0.{n}" for n in range(1, 8)]
    with slow_address("127.0.0.3", port, 2.4), contextlib.ExitStack() as stack:
        for each in dead:
            stack.enter_context(black_hole(each, port))
        url, prefix = arm.url(host=SECOND_NAME), named("127.0.0.3", *dead)
        result = rekey.regenerate(name, "--management-url", url, prefix=prefix)
    assert 2.3 <= result.seconds < 15 and arm.counts(name) == (1, 0)


def test_eight_slow_addresses(arm, rekey, named):
    """The first to connect is kept, and the others are closed: the service sees one connection."""
    name, port = arm.endpoint("three-polls"), arm.ports["main"]
    addresses = [f"127.0.0.{n}" for n in range(3, 11)]
    with contextlib.ExitStack() as stack:
        for each in addresses:
            stack.enter_context(slow_address(each, port, 2.4))
        url, prefix = arm.url(host=SECOND_NAME), named(*addresses)
        result = rekey.regenerate(name, "--management-url", url, prefix=prefix)
    assert 2.3 <= result.seconds < 15 and arm.counts(name) == (1, 3)
    assert len(arm.handshakes(name)) == 1


def test_some_refuse_and_some_do_not_answer(arm, rekey, named):
    """The error says why the time ran out, not what the other addresses answered."""
    with black_hole("127.0.0.3", arm.ports["main"]):
        url, prefix = arm.url(host=SECOND_NAME), named("127.0.0.3", "127.200.0.1")
        result = rekey.regenerate(
            arm.endpoint(),
            "--management-url",
            url,
            "--connect-timeout",
            "1",
            prefix=prefix,
            code=10,
        )
    result.says("connect timeout")
    assert "refused" not in result.err


@pytest.mark.parametrize(
    "addresses, said",
    [
        (["2001:db8::1"], "Network is unreachable"),
        (["2001:db8::1", "127.0.0.3"], "Connection refused"),
    ],
    ids=["alone", "and IPv4"],
)
def test_no_way_to_ipv6(arm, rekey, namespace, etc, addresses, said):
    """A machine without IPv6, and a name that has an IPv6 address: the error is that of IPv4."""
    hosts = "".join(f"{address} {SECOND_NAME}\n" for address in addresses)
    prefix = namespace("nm", f"ip link set lo up\n{etc(hosts)}")
    url = f"https://{SECOND_NAME}:9"
    arguments = ["--management-url", url, "--timeout", "1"]
    result = rekey.regenerate(arm.endpoint(), *arguments, prefix=prefix, code=10)
    result.says("no connection to the host", said)


def test_a_black_hole_alone(arm, rekey):
    with black_hole("127.0.0.3", arm.ports["main"]):
        result = rekey.regenerate(
            arm.endpoint(),
            "--management-url",
            arm.url(host="127.0.0.3"),
            "--connect-timeout",
            "1",
            code=10,
        )
    result.says("connect timeout")
    assert 0.95 <= result.seconds < 1 + SLOW
