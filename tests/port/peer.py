#!/usr/bin/python3
"""The peer of the porters' kit (check.h): a listener for each way in which a peer can behave, in
the clear or under TLS. The port number alone selects the behaviour, so that a device needs nothing
but TCP to be tested. It prints "FIRST LAST" when all ports are open.

    peer.py [--tls DIR [--tls-max 1.2]] [--bind ADDRESS] [--hole ADDRESS] [--host NAME] [--two NAME]

With --tls the certificates are made in DIR; DIR/ca.pem is the client's trust anchor.
"""

import argparse
import fcntl
import pathlib
import random
import selectors
import socket
import ssl
import struct
import termios
import threading
import time

BLOCK = 100  # bytes: what most listeners send
LARGE = 1 << 20
PATTERN = bytes((i * 2654435761 >> 24) & 255 for i in range(LARGE))
PATIENCE = 3.0  # seconds that the peer waits for an action of the client


class Cut(Exception):
    """The stream ended with FIN, under TLS without close_notify."""


def queued(sock, request):
    """Bytes in a queue of the kernel: FIONREAD: received; TIOCOUTQ: sent, but not acknowledged."""
    return struct.unpack("i", fcntl.ioctl(sock, request, b"\0" * 4))[0]


def until(condition, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.001)
    return condition()


class Stream:
    """An accepted connection. `piece`: this many bytes are sent at a time, the next ones when the
    previous ones have been received, or could have been."""

    def __init__(self, sock, context, piece=None):
        self.sock, self.piece = sock, piece
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(60)
        self.tls = context and context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        if self.tls:
            self.drive(self.tls.do_handshake)

    def raw(self, data):
        if self.piece is None:
            self.sock.sendall(data)
            return
        for at in range(0, len(data), self.piece):
            self.sock.sendall(data[at : at + self.piece])
            until(lambda: queued(self.sock, termios.TIOCOUTQ) == 0, 0.002)

    def drive(self, call, *args):
        """Makes a call of TLS, and sends and receives what it needs."""
        while True:
            try:
                result = call(*args)
                self.raw(self.outgoing.read())
                return result
            except ssl.SSLWantReadError:
                self.raw(self.outgoing.read())
            data = self.sock.recv(16384)
            if not data:
                raise Cut
            self.incoming.write(data)

    def record(self, data):
        """The bytes of the record with `data`, not yet sent."""
        if not self.tls:
            return data
        self.tls.write(data)
        return self.outgoing.read()

    def send(self, data):
        for at in range(0, len(data), 16384):
            self.raw(self.record(data[at : at + 16384]))

    def receive(self, cap=16384):
        """Returns b"" at an orderly end."""
        if not self.tls:
            return self.sock.recv(cap)
        try:
            return self.drive(self.tls.read, cap)
        except ssl.SSLZeroReturnError:
            return b""

    def receive_all(self, count):
        data = b""
        while len(data) < count:
            more = self.receive(count - len(data))
            if not more:
                break
            data += more
        return data

    def notify(self):
        """Announces the end with close_notify. Does not wait for the client's."""
        if self.tls:
            try:
                self.tls.unwrap()
            except ssl.SSLError:
                pass
            self.raw(self.outgoing.read())

    def end(self):
        self.notify()
        self.fin()

    def fin(self):
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self):
        until(lambda: queued(self.sock, termios.TIOCOUTQ) == 0)
        time.sleep(0.05)  # QEMU's network makes an end of data and RST if they arrive together
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def wait_for_end(self):
        """Reads until the client has ended the connection, so that no RST overtakes an answer."""
        while self.sock.recv(16384):
            pass


# ---- the listeners, in the order of their ports --------------------------------------------------

noted = []  # connections whose end a client can ask for
held = [0]  # number of bytes that `hold` received, by connection


def begin_note():
    noted.append({"state": "open"})
    return noted[-1]


def echo(stream):
    """Records how the connection ended."""
    mine = begin_note()
    try:
        while True:
            data = stream.receive()
            if not data:
                mine["state"] = "notify" if stream.tls else "fin"
                break
            stream.send(data)
    except Cut:
        mine["state"] = "fin"
    except ConnectionError:
        mine["state"] = "reset"


def report_end(stream):
    """Reports how the last recorded connection ended, as soon as it has."""
    seen = noted[-1]
    until(lambda: seen["state"] != "open")
    stream.send(seen["state"].encode())
    stream.end()


def report_count(stream):
    """Reports how many bytes `hold`, which sends nothing, has received. That connection may still
    be new."""
    until(lambda: held[-1] >= BLOCK)
    stream.send(str(held[-1]).encode())
    stream.end()


def hold(stream):
    held.append(0)
    while data := stream.receive():
        held[-1] += len(data)


def block(stream):
    stream.send(PATTERN[:BLOCK])
    stream.end()


def source(stream):
    """The client says in four bytes how many bytes it wants."""
    stream.send(PATTERN[: int.from_bytes(stream.receive_all(4), "big")])
    stream.end()


def sink(stream):
    """The client says in four bytes how many bytes follow. Ten times, nothing is received until the
    client cannot send any more."""
    size = int.from_bytes(stream.receive_all(4), "big")
    data = b""
    while len(data) < size:
        if len(data) < 10 * 1024:
            before = -1
            while queued(stream.sock, termios.FIONREAD) != before:
                before = queued(stream.sock, termios.FIONREAD)
                time.sleep(0.02)
        more = stream.receive(1024 if len(data) < 10 * 1024 else 65536)
        if not more:
            return
        data += more
    stream.send(b"right" if data == PATTERN[:size] else b"wrong")
    stream.end()


def late(stream):
    """Waits for a second; for devices without another clock."""
    data = stream.receive_all(1)
    time.sleep(1)
    stream.send(data)
    stream.end()


def cut(stream):
    stream.send(PATTERN[:BLOCK])
    stream.fin()


def notify(stream):
    stream.send(PATTERN[:BLOCK])
    stream.notify()


def half(stream):
    stream.send(PATTERN[:BLOCK])
    record = stream.record(PATTERN[BLOCK : 2 * BLOCK])
    stream.raw(record[: len(record) // 2])
    stream.fin()


def reset_after(stream):
    """The first byte shows the client that report_end will be about this connection. The client's
    byte shows that it has seen the connection open."""
    mine = begin_note()
    stream.send(b"!")
    stream.receive_all(1)
    stream.send(PATTERN[:BLOCK])
    stream.reset()
    mine["state"] = "reset"


def answer(stream):
    """Answers a request that has only begun, and closes: the rest of it gets a RST."""
    until(lambda: queued(stream.sock, termios.FIONREAD) > 0)
    stream.send(PATTERN[:BLOCK])
    stream.notify()
    until(lambda: queued(stream.sock, termios.TIOCOUTQ) == 0)
    stream.sock.close()


def garbage(stream):
    stream.send(PATTERN[:BLOCK])
    stream.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def changed(stream):
    stream.send(PATTERN[:BLOCK])
    record = bytearray(stream.record(PATTERN[BLOCK : 2 * BLOCK]))
    record[-1] ^= 1
    stream.raw(record)


# The functions below get the socket.
def reset_at_once(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def silent(sock):
    while sock.recv(16384):
        pass


def plaintext(sock):
    sock.sendall(PATTERN[:BLOCK])
    silent(sock)


RAW = [reset_at_once, silent, plaintext]
# Each with its certificate. `closed` and `hole` are not functions, because nobody accepts there.
LISTENERS = [
    (report_end, "good"),
    (report_count, "good"),
    (echo, "good"),
    (hold, "good"),
    (block, "good"),
    (block, "trickle"),
    (source, "good"),
    (sink, "good"),
    (late, "good"),
    (cut, "good"),
    (notify, "good"),
    (half, "good"),
    (reset_at_once, "good"),
    (reset_after, "good"),
    (answer, "good"),
    (silent, "good"),
    (plaintext, "good"),
    (garbage, "good"),
    (changed, "good"),
    ("closed", "good"),
    ("hole", "good"),
    (echo, "good"),  # the second address of the name with two addresses; the first one is a hole
    (echo, "wrong-name"),
    (echo, "expired"),
    (echo, "not-yet"),
    (echo, "untrusted"),
    (echo, "impostor"),
    (echo, "self-signed"),
    (echo, "no-address"),
    (echo, "no-authority"),
]
SECOND = 21


def serve(sock, behave, context, piece):
    try:
        with sock:
            if behave in RAW:
                behave(sock)
                return
            stream = Stream(sock, context, piece)
            behave(stream)
            if stream.sock.fileno() >= 0:
                stream.wait_for_end()
    except (OSError, Cut):  # the client has closed; ssl.SSLError is an OSError
        pass


def listen(address, port, backlog=64):
    sock = socket.socket()
    # Small, so that the client soon has to wait if the peer does not read.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
    sock.bind((address, port))
    if backlog is not None:
        sock.listen(backlog)
    return sock


def dig_hole(address, port):
    """Nothing answers if the queue of a listener is full."""
    kept = [listen(address, port, 0)]
    for _ in range(3):
        kept.append(socket.socket())
        kept[-1].setblocking(False)
        kept[-1].connect_ex((address, port))
    return kept


def open_ports(args):
    """Opens one port after the other for the listeners. They are below those that the kernel gives
    to clients."""
    for _ in range(100):
        first = random.randrange(18000, 30000)
        opened = []
        try:
            for number, (behave, _) in enumerate(LISTENERS):
                if behave == "hole":
                    opened.append(dig_hole(args.bind, first + number))
                else:
                    backlog = None if behave == "closed" else 64
                    opened.append(listen(args.bind, first + number, backlog))
            opened.append(dig_hole(args.hole, first + SECOND))
            return first, opened
        except OSError:
            continue
    raise SystemExit("peer.py: no ports are free")


def make_contexts(args):
    if not args.tls:
        return {}
    import certificates  # imported here, because TCP alone does not need this library

    directory = pathlib.Path(args.tls)
    certificates.make(directory, [args.host, args.two], args.address or args.bind)
    contexts = {}
    for path in directory.glob("*.pem"):
        if path.stem != "ca":
            contexts[path.stem] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            contexts[path.stem].load_cert_chain(path)
            if args.tls_max == "1.2":
                contexts[path.stem].maximum_version = ssl.TLSVersion.TLSv1_2
    contexts["trickle"] = contexts["good"]
    return contexts


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--tls", metavar="DIR", help="speak TLS; make the certificates in DIR")
    parser.add_argument("--tls-max", choices=["1.2"], help="the highest version")
    parser.add_argument(
        "--bind", default="127.0.0.1", help="address of the listeners; default %(default)s"
    )
    parser.add_argument("--address", help="address in the certificate; default: --bind")
    parser.add_argument(
        "--hole", default="127.0.0.2", help="the first address of --two; default %(default)s"
    )
    parser.add_argument(
        "--host", default="localhost", help="name in the certificate; default %(default)s"
    )
    parser.add_argument(
        "--two", default="two.localhost", help="a name with two addresses; default %(default)s"
    )
    args = parser.parse_args()

    contexts = make_contexts(args)
    first, opened = open_ports(args)
    selector = selectors.DefaultSelector()
    for sock, (behave, certificate) in zip(opened, LISTENERS):
        if callable(behave):
            piece = 1 if certificate == "trickle" else None
            row = behave, contexts.get(certificate), piece
            selector.register(sock, selectors.EVENT_READ, row)
    print(first, first + len(LISTENERS) - 1, flush=True)
    while True:
        for key, _ in selector.select():
            sock, _ = key.fileobj.accept()
            threading.Thread(target=serve, args=(sock, *key.data), daemon=True).start()


if __name__ == "__main__":
    main()
