"""A TLS server that does exactly what it is told, correct or not: TLS 1.2 (RFC 5246) with
ECDHE-ECDSA-AES128-GCM-SHA256, and TLS 1.3 (RFC 8446) with AES-128-GCM-SHA256. A connection is a
list of steps: methods of Tls12 or Tls13, or functions that get the server as argument.
test_hostile.py makes hostile servers by other steps, and by options of the steps. The server keeps
all data of the client that it could decrypt."""

import hashlib
import hmac
import os
import socket
import struct
import threading

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

CCS, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23  # types of records
HELLO_REQUEST, CLIENT_HELLO, SERVER_HELLO, TICKET, ENCRYPTED, CERTIFICATE = 0, 1, 2, 4, 8, 11
KEY_EXCHANGE, REQUEST, DONE, VERIFY, CLIENT_KEY, FINISHED, STATUS = 12, 13, 14, 15, 16, 20, 22
KEY_UPDATE, MESSAGE_HASH = 24, 254
RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
CURVES = {23: ec.SECP256R1, 24: ec.SECP384R1, 25: ec.SECP521R1}
X25519 = 29
ECDSA_SHA256 = 0x0403


def u8(data):
    return bytes([len(data)]) + data


def u16(data):
    return struct.pack(">H", len(data)) + data


def u24(data):
    return len(data).to_bytes(3, "big") + data


def number(value):
    return struct.pack(">H", value)


def extensions(pairs):
    return u16(b"".join(number(kind) + u16(body) for kind, body in pairs))


def certificate_list(ders, version):
    """version 13: each certificate has an empty list of extensions."""
    behind = u16(b"") if version == 13 else b""
    return u24(b"".join(u24(der) + behind for der in ders))


class Gone(Exception):
    """The client has ended the connection, or announced that it will."""


# ---- ciphers of records --------------------------------------------------------------------------


class Gcm12:
    """RFC 5288: the nonce is a salt and eight explicit bytes, here the number of the record."""

    def __init__(self, key, salt):
        self.aead, self.salt, self.count = AESGCM(key), salt, 0

    def associated(self, kind, size):
        self.count += 1
        return struct.pack(">QBHH", self.count - 1, kind, 0x0303, size)

    def seal(self, kind, data, padding):
        explicit = struct.pack(">Q", self.count)
        sealed = self.aead.encrypt(self.salt + explicit, data, self.associated(kind, len(data)))
        return kind, explicit + sealed

    def open(self, kind, data):
        return kind, self.aead.decrypt(
            self.salt + data[:8], data[8:], self.associated(kind, len(data) - 24)
        )


class Gcm13:
    """RFC 8446, 5.2: the real type follows the data, then come zeros."""

    def __init__(self, secret):
        key, self.iv = expand_label(secret, "key", b"", 16), expand_label(secret, "iv", b"", 12)
        self.aead, self.count = AESGCM(key), 0

    def nonce(self):
        self.count += 1
        value = int.from_bytes(self.iv, "big") ^ (self.count - 1)
        return value.to_bytes(12, "big")

    def seal(self, kind, data, padding):
        inner = data + (b"" if kind is None else bytes([kind])) + bytes(padding)
        header = struct.pack(">BHH", DATA, 0x0303, len(inner) + 16)
        return DATA, self.aead.encrypt(self.nonce(), inner, header)

    def open(self, kind, data):
        if kind != DATA:
            return kind, data
        header = struct.pack(">BHH", DATA, 0x0303, len(data))
        try:
            inner = self.aead.decrypt(self.nonce(), data, header).rstrip(b"\0")
        except InvalidTag:
            self.count -= 1
            raise
        return inner[-1], inner[:-1]


def prf(secret, label, seed, size):
    """RFC 5246, 5, with SHA-256."""
    out, a, seed = b"", label + seed, label + seed
    while len(out) < size:
        a = hmac.digest(secret, a, "sha256")
        out += hmac.digest(secret, a + seed, "sha256")
    return out[:size]


def expand_label(secret, label, context, size):
    """RFC 8446, 7.1; no more than one block is ever needed."""
    info = number(size) + u8(b"tls13 " + label.encode()) + u8(context)
    return hmac.digest(secret, info + b"\1", "sha256")[:size]


def digest(data):
    return hashlib.sha256(data).digest()


# ---- common to both versions ---------------------------------------------------------------------


class Server:
    """One connection. `chain`: the certificates in DER; `key`: the leaf's key."""

    def __init__(self, connection, chain, key):
        self.connection, self.chain, self.key = connection, chain, key
        self.input, self.waiting, self.transcript = b"", b"", b""
        self.sends = self.receives = self.next_receives = None
        self.seen = []  # (type of the record, its content)
        self.piece = 16384  # number of message bytes in one record

    # Sending.

    def raw(self, data):
        self.connection.sendall(data)

    def record(self, kind, data, version=0x0303, padding=0, plain=False, spoil=False, length=None):
        """kind None: TLS 1.3 without an inner type. length: the length in the header."""
        if self.sends and not plain:
            kind, data = self.sends.seal(kind, data, padding)
        if spoil:
            data = data[:-1] + bytes([data[-1] ^ 1])
        size = len(data) if length is None else length
        self.raw(struct.pack(">BHH", kind, version, size) + data)

    def send(self, kind, body, edit=None, length=None, **options):
        """Sends a handshake message. edit: a function that changes its body."""
        body = edit(body) if edit else body
        size = len(body) if length is None else length
        data = bytes([kind]) + size.to_bytes(3, "big") + body
        self.transcript += data
        for start in range(0, len(data), self.piece):
            self.record(HANDSHAKE, data[start : start + self.piece], **options)

    def alert(self, level=2, description=40, **options):
        self.record(ALERT, bytes([level, description]), **options)

    # Receiving.

    def read(self, size):
        while len(self.input) < size:
            data = self.connection.recv(65536)
            if not data:
                raise Gone
            self.input += data
        data, self.input = self.input[:size], self.input[size:]
        return data

    def receive(self):
        """Returns the type and the plain text of the next record."""
        kind, _, size = struct.unpack(">BHH", self.read(5))
        data = self.read(size)
        if self.receives and kind != CCS:
            try:
                kind, data = self.receives.open(kind, data)
            except InvalidTag:
                if self.next_receives is None:
                    raise
                self.receives, self.next_receives = self.next_receives, None
                kind, data = self.receives.open(kind, data)
        self.seen.append((kind, data))
        return kind, data

    def expect(self, wanted):
        """Returns the body of the next message, which must be of this type."""
        while len(self.waiting) < 4 or len(self.waiting) < self.message_size():
            kind, data = self.receive()
            if kind == ALERT:
                raise Gone
            if kind == HANDSHAKE:
                self.waiting += data
        size = self.message_size()
        message, self.waiting = self.waiting[:size], self.waiting[size:]
        assert message[0] == wanted, f"the client sends message {message[0]}, not {wanted}"
        self.transcript += message
        return message[4:]

    def message_size(self):
        return 4 + int.from_bytes(self.waiting[1:4], "big")

    def client_hello(self):
        body = self.expect(CLIENT_HELLO)
        self.client_random, rest = body[2:34], body[34:]
        self.session, rest = rest[1 : 1 + rest[0]], rest[1 + rest[0] :]
        size = struct.unpack(">H", rest[:2])[0]
        rest = rest[2 + size :]
        rest = rest[1 + rest[0] + 2 :]  # compression, and the length of the extensions
        self.offered = {}
        while rest:
            kind, size = struct.unpack(">HH", rest[:4])
            self.offered[kind], rest = rest[4 : 4 + size], rest[4 + size :]

    def request(self):
        """Receives the complete request, which has a body with a length."""
        data = b""
        while b"\r\n\r\n" not in data or not data.rstrip().endswith(b"}"):
            kind, more = self.receive()
            if kind == ALERT:
                raise Gone
            data += more if kind == DATA else b""

    def answer(self, size=16384, body=b"", **options):
        text = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        for start in range(0, len(text), size):
            self.record(DATA, text[start : start + size], **options)

    def half_answer(self):
        self.record(DATA, b"HTTP/1.1 200 OK\r\nContent-Le")

    def close_notify(self):
        self.alert(1, 0)

    def close(self):
        """Ends the connection without close_notify."""
        self.connection.shutdown(socket.SHUT_WR)
        raise Gone

    def stall(self):
        raise Gone

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        raise Gone

    # All steps.

    def play(self, steps):
        """Plays the steps; ends when the client does."""
        try:
            for step in steps:
                step(self) if callable(step) else getattr(self, step)()
            self.connection.shutdown(socket.SHUT_WR)
        except (Gone, OSError, InvalidTag):
            pass
        try:
            self.last_keys()
            while True:
                self.receive()
        except (Gone, OSError, InvalidTag):
            pass

    def last_keys(self):
        """The state needed to read a client that wrongly continues."""

    def sign(self, data, key=None, **_):
        return (key or self.key).sign(data, ec.ECDSA(hashes.SHA256()))


def share(group, theirs, scalar=None):
    """Returns our key share, and the shared secret."""
    if group == X25519:
        private = x25519.X25519PrivateKey.generate()
        peer = x25519.X25519PublicKey.from_public_bytes(theirs)
        ours = private.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw
        )
        return ours, private.exchange(peer)
    private = ec.generate_private_key(CURVES[group]())
    return point(private), private.exchange(
        ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(CURVES[group](), theirs)
    )


def point(private):
    return private.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )


# ---- TLS 1.2 -------------------------------------------------------------------------------------


class Tls12(Server):
    NAME = "TLS 1.2"
    STEPS = (
        "client_hello hello certificate key_exchange done client ccs finished request answer"
        " close_notify"
    ).split()

    def hello(
        self,
        version=0x0303,
        suite=0xC02B,
        session=b"",
        compression=0,
        sentinel=b"",
        extra=(),
        master=True,
        **options,
    ):
        """sentinel: the last bytes of the random; session: bytes, or "theirs". master: the extended
        master secret."""
        self.random = os.urandom(32 - len(sentinel)) + sentinel
        self.extended = master
        pairs = [(0xFF01, b"\0")] + ([(23, b"")] if master else []) + list(extra)
        body = number(version) + self.random
        body += u8(self.session if session == "theirs" else session)
        body += number(suite) + bytes([compression]) + extensions(pairs)
        self.send(SERVER_HELLO, body, **options)

    def certificate(self, chain=None, **options):
        ders = self.chain if chain is None else chain
        self.send(CERTIFICATE, certificate_list(ders, 12), **options)

    def key_exchange(
        self,
        curve=b"\3",
        group=23,
        public=None,
        scheme=ECDSA_SHA256,
        randoms=None,
        signature=None,
        key=None,
        **options,
    ):
        """randoms: the randoms to sign instead of the real ones. signature: a function that changes
        the correct signature."""
        self.private = ec.generate_private_key(ec.SECP256R1())
        ours = point(self.private) if public is None else public
        parameters = curve + number(group) + u8(ours)
        right = self.sign((randoms or self.client_random + self.random) + parameters, key)
        value = signature(right) if signature else right
        self.send(KEY_EXCHANGE, parameters + number(scheme) + u16(value), **options)

    def request_certificate(self, body=b"\1\x40\0\2\4\3\0\0", **options):
        self.send(REQUEST, body, **options)

    def done(self, **options):
        self.send(DONE, b"", **options)

    def ticket(self, lifetime=3600, size=100, **options):
        self.send(TICKET, struct.pack(">I", lifetime) + u16(bytes(size)), **options)

    def empty_certificate(self):
        self.expect(CERTIFICATE)

    def client(self):
        """Receives the client's messages and derives the keys."""
        theirs = self.expect(CLIENT_KEY)[1:]
        peer = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs)
        secret = self.private.exchange(ec.ECDH(), peer)
        seed, label = digest(self.transcript), b"extended master secret"
        if not self.extended:
            seed, label = self.client_random + self.random, b"master secret"
        self.master = prf(secret, label, seed, 48)
        block = prf(self.master, b"key expansion", self.random + self.client_random, 40)
        self.receives = Gcm12(block[:16], block[32:36])
        self.next_sends = Gcm12(block[16:32], block[36:40])
        self.client_finished = self.expect(FINISHED)

    def ccs(self, body=b"\1"):
        """From here on the keys are used."""
        self.record(CCS, body)
        self.sends = self.next_sends

    def finished(self, **options):
        right = prf(self.master, b"server finished", digest(self.transcript), 12)
        self.send(FINISHED, right, **options)


# ---- TLS 1.3 -------------------------------------------------------------------------------------


class Tls13(Server):
    NAME = "TLS 1.3"
    STEPS = (
        "client_hello hello compatible encrypted certificate verify finished client request answer"
        " close_notify"
    ).split()
    secret = b""

    def shares(self):
        """The client's key shares: {group: share}."""
        rest, found = self.offered[51][2:], {}
        while rest:
            group, size = struct.unpack(">HH", rest[:4])
            found[group], rest = rest[4 : 4 + size], rest[4 + size :]
        return found

    def hello(
        self,
        version=0x0303,
        session="theirs",
        suite=0x1301,
        compression=0,
        supported=0x0304,
        group=None,
        public=None,
        extra=(),
        without=(),
        **options,
    ):
        """group: the group to state; public: sent instead of our share; without: types of
        extensions to leave out."""
        theirs = self.shares()
        mine = next(iter(theirs))
        ours, secret = share(mine, theirs[mine])
        said = number(mine if group is None else group) + u16(ours if public is None else public)
        pairs = [(43, number(supported)), (51, said), *extra]
        body = number(version) + os.urandom(32)
        body += u8(self.session if session == "theirs" else session)
        body += number(suite) + bytes([compression])
        body += extensions(pair for pair in pairs if pair[0] not in without)
        self.send(SERVER_HELLO, body, **options)
        early = hmac.digest(bytes(32), bytes(32), "sha256")
        derived = expand_label(early, "derived", digest(b""), 32)
        self.secret = hmac.digest(derived, secret, "sha256")
        seen = digest(self.transcript)
        self.client_secret = expand_label(self.secret, "c hs traffic", seen, 32)
        self.server_secret = expand_label(self.secret, "s hs traffic", seen, 32)
        self.receives, self.sends = Gcm13(self.client_secret), Gcm13(self.server_secret)

    def retry(self, group=24, session="theirs", suite=0x1301, extra=(), without=(), **options):
        """HelloRetryRequest, and the second ClientHello. extra: extensions such as a cookie."""
        pairs = [(43, number(0x0304)), (51, number(group)), *extra]
        body = number(0x0303) + RETRY + u8(self.session if session == "theirs" else session)
        body += number(suite) + b"\0"
        body += extensions(pair for pair in pairs if pair[0] not in without)
        first = digest(self.transcript)
        self.transcript = bytes([MESSAGE_HASH]) + u24(first)
        self.send(SERVER_HELLO, body, **options)
        self.client_hello()
        for kind, cookie in extra:
            assert kind != 44 or self.offered.get(44) == cookie, "the cookie did not come back"

    def compatible(self, body=b"\1", **options):
        """The change_cipher_spec of RFC 8446, D.4."""
        self.record(CCS, body, plain=True, **options)

    def encrypted(self, extra=(), **options):
        self.send(ENCRYPTED, extensions([(16, u16(u8(b"http/1.1"))), *extra]), **options)

    def request_certificate(self, context=b"", **options):
        body = u8(context) + extensions([(13, u16(number(ECDSA_SHA256)))])
        self.send(REQUEST, body, **options)

    def certificate(self, chain=None, context=b"", **options):
        ders = self.chain if chain is None else chain
        self.send(CERTIFICATE, u8(context) + certificate_list(ders, 13), **options)

    def verify(
        self, side="server", scheme=ECDSA_SHA256, seen=None, signature=None, key=None, **options
    ):
        """seen: signed instead of the transcript. signature: a function that changes the correct
        signature."""
        label = f"TLS 1.3, {side} CertificateVerify".encode()
        text = b" " * 64 + label + b"\0" + digest(self.transcript if seen is None else seen)
        right = self.sign(text, key)
        value = signature(right) if signature else right
        self.send(VERIFY, number(scheme) + u16(value), **options)

    def finished(self, secret=None, keys=True, **options):
        """keys: from here on the server sends under the application's keys."""
        finished_key = expand_label(secret or self.server_secret, "finished", b"", 32)
        right = hmac.digest(finished_key, digest(self.transcript), "sha256")
        self.send(FINISHED, right, **options)
        if keys:
            self.last_keys()
            self.sends = Gcm13(self.application("s ap traffic"))

    def application(self, label):
        derived = expand_label(self.secret, "derived", digest(b""), 32)
        master = hmac.digest(derived, bytes(32), "sha256")
        return expand_label(master, label, digest(self.transcript), 32)

    def last_keys(self):
        if self.secret and self.next_receives is None and self.receives:
            self.next_receives = Gcm13(self.application("c ap traffic"))

    def empty_certificate(self):
        self.expect(CERTIFICATE)

    def client(self):
        self.expect(FINISHED)

    def ticket(self, lifetime=3600, size=100, extra=(), nonce=b"\0", **options):
        body = struct.pack(">II", lifetime, 7) + u8(nonce) + u16(bytes(size)) + extensions(extra)
        self.send(TICKET, body, **options)

    def key_update(self, value=0, **options):
        self.send(KEY_UPDATE, bytes([value]), **options)


# ---- listening -----------------------------------------------------------------------------------


class Listener:
    """Plays the steps to each client that connects, one client after another."""

    def __init__(self, version, steps, chain, key):
        self.version, self.steps, self.chain, self.key = version, steps, chain, key
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.played, self.faults = [], []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                connection = self.socket.accept()[0]
            except OSError:
                return
            connection.settimeout(30)
            server = self.version(connection, self.chain, self.key)
            self.played.append(server)
            try:
                server.play(self.steps)
            except Exception as fault:  # an error of this server, not of the client
                self.faults.append(repr(fault))
            finally:
                connection.close()

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(40)
