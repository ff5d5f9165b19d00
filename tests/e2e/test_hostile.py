"""Servers that break TLS in one place each (hostile.py), and some whose behaviour is allowed but
unusual. For all of them: if the server has not proved its identity, the exit code is 10 or 11 and
the server saw nothing of a request. If the request was sent and no complete answer came, the exit
code is 12. The command ends within its timeouts. All servers play at the same time, because most of
the time is waiting."""

import concurrent.futures
import functools
import re
import struct
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from chains import SERVER, dns, eku, extension, names, usage, usual
from conftest import GROUP, SLOW, SUBSCRIPTION, TOKEN, WORKSPACE, Rekey
from hostile import (
    ALERT,
    CCS,
    CERTIFICATE,
    CLIENT_HELLO,
    DATA,
    DONE,
    ENCRYPTED,
    FINISHED,
    HANDSHAKE,
    HELLO_REQUEST,
    SERVER_HELLO,
    STATUS,
    Gcm13,
    Listener,
    Tls12,
    Tls13,
    extensions,
    number,
    u8,
    u16,
    u24,
)

KINDS = {}
NAMES = names(dns("localhost"))


def leaf(**more):
    return {"by": "issuer", "names": NAMES, **more}


# In addition to a valid chain, leaves that a server with OpenSSL would not load.
LEAVES = {
    "leaf, two lists of names": leaf(more=NAMES),
    "leaf, garbage for its names": leaf(names=extension("2.5.29.17", b"\x30\x05\x82")),
    "leaf, a use twice": leaf(more=eku(SERVER)),
    "leaf, may only encipher": leaf(usage=usage("encipherment")),
    "leaf, may only agree": leaf(usage=usage("agreement")),
    "leaf, of version 1": leaf(version=1),
    "leaf, of 17,000 bytes": leaf(more=extension("1.3.6.1.4.1.55555.1", bytes(17000))),
}
CHAIN = usual(leaf=leaf(), **LEAVES)
STRANGER = ec.generate_private_key(ec.SECP256R1())
FINE, NOT_REACHED, NOT_TRUSTED, UNKNOWN, LOCAL = 0, 10, 11, 12, 15
LONG = "20"  # seconds, for tests that must not depend on timing


def at(step, **options):
    """A step with options."""
    return lambda server: getattr(server, step)(**options)


def many(count, step, **options):
    return [at(step, **options)] * count


def kind(version, title, code, /, **changed):
    """changed: the steps (one, or a list) that replace a usual one."""
    steps = []
    for step in version.STEPS:
        new = changed.pop(step, step)
        steps += new if isinstance(new, list) else [new]
    assert not changed, changed
    title = f"{version.NAME} {title}"
    assert title not in KINDS, title
    KINDS[title] = version, steps, code


def both(title, code, /, **changed):
    kind(Tls12, title, code, **changed)
    kind(Tls13, title, code, **changed)


def flip(data):
    return data[:-1] + bytes([data[-1] ^ 1])


both("as it should be", FINE)

# ---- ServerHello ---------------------------------------------------------------------------------

for version in (0x0200, 0x0300, 0x0301, 0x0302, 0x0304, 0x0305, 0x7F1C, 0xFEFD):
    kind(Tls12, f"version {version:04x}", NOT_REACHED, hello=at("hello", version=version))
for suite, what in {
    0x0000: "NULL",
    0x00FF: "the renegotiation signal",
    0x5600: "the fallback signal",
    0x002F: "RSA key exchange",
    0xC006: "no encryption",
    0xC007: "RC4",
    0xC009: "CBC",
    0xC018: "anonymous",
    0xC02F: "for an RSA certificate",
    0x1301: "of TLS 1.3",
    0x0A0A: "GREASE",
}.items():
    # mbedTLS accepts an ECDSA key for an RSA suite: what counts is the key that signs.
    code = FINE if suite == 0xC02F else NOT_REACHED
    kind(Tls12, f"suite {suite:04x}, {what}", code, hello=at("hello", suite=suite))
for suite in (0x0000, 0x1305, 0x13FF, 0xC02B, 0xC02F, 0x0A0A):
    kind(Tls13, f"suite {suite:04x}", NOT_REACHED, hello=at("hello", suite=suite))
both("compression", NOT_REACHED, hello=at("hello", compression=1))
both("session id of 33 bytes", NOT_REACHED, hello=at("hello", session=bytes(33)))
kind(Tls12, "a new session id", FINE, hello=at("hello", session=bytes(32)))
kind(Tls13, "another session id", NOT_REACHED, hello=at("hello", session=bytes(32)))
kind(Tls13, "no session id", NOT_REACHED, hello=at("hello", session=b""))
# If a server repeats the client's id, it says that a session is resumed; there is none.
kind(
    Tls12,
    "a session that never was",
    NOT_REACHED,
    hello=at("hello", session="theirs"),
    certificate=[],
    key_exchange=[],
    done=[],
    client=[],
    ccs=at("record", kind=CCS, data=b"\1"),
    finished=at("send", kind=FINISHED, body=bytes(12)),
)
# RFC 8446, 4.1.3: a client that knows TLS 1.3 is downgraded to 1.2.
for last in (0, 1):
    kind(
        Tls12,
        f"downgrade sentinel {last}",
        NOT_REACHED,
        hello=at("hello", sentinel=b"DOWNGRD" + bytes([last])),
    )
kind(Tls12, "no extended master secret", FINE, hello=at("hello", master=False))
EXTRA = {
    # mbedTLS ignores what it does not know, and duplicates; an attacker gains nothing by them.
    "unknown": (FINE, [(0x5555, b"x")]),
    "not asked for: max fragment length": (FINE, [(1, b"\1")]),
    "session ticket with a body": (NOT_REACHED, [(35, b"x")]),
    "renegotiation of what never was": (NOT_REACHED, [(0xFF01, u8(bytes(24)))]),
    "renegotiation, garbage": (NOT_REACHED, [(0xFF01, b"")]),
    "extended master secret with a body": (NOT_REACHED, [(23, b"x")]),
    "another protocol": (NOT_REACHED, [(16, u16(u8(b"h2")))]),
    "two protocols": (NOT_REACHED, [(16, u16(u8(b"http/1.1") + u8(b"h2")))]),
    "no protocol": (NOT_REACHED, [(16, u16(b""))]),
    "an empty name of a protocol": (NOT_REACHED, [(16, u16(u8(b"")))]),
    "points only compressed": (FINE, [(11, u8(b"\1"))]),  # none comes
    "points, garbage": (NOT_REACHED, [(11, b"\7\0")]),
}
for title, (code, extra) in EXTRA.items():
    kind(Tls12, f"extension: {title}", code, hello=at("hello", extra=extra))
for title, extra in {
    "unknown": (0x5555, b"x"),
    "protocol, in the wrong message": (16, u16(u8(b"http/1.1"))),
    "pre-shared key that was not offered": (41, number(0)),
    "second pre-shared key": (41, number(1)),
    "cookie": (44, u16(b"x" * 20)),
    "early data": (42, b""),
    "second key share": (51, number(23) + u16(bytes(65))),
    "renegotiation": (0xFF01, b"\0"),
}.items():
    kind(Tls13, f"extension: {title}", NOT_REACHED, hello=at("hello", extra=[extra]))
# mbedTLS ignores the second of two, and bytes after all extensions.
kind(
    Tls13,
    "extension: the same version twice",
    FINE,
    hello=at("hello", extra=[(43, number(0x0304))]),
)
EDITS = {
    "empty": lambda body: b"",
    "cut in the random": lambda body: body[:20],
    "cut after the random": lambda body: body[:34],
    "cut in the extensions": lambda body: body[:-1],
    "extensions longer than it": lambda body: body[:-2] + b"\xff\xff",
    "giant": lambda body: body + bytes(60000),
}
for title, edit in EDITS.items():
    both(f"ServerHello {title}", NOT_REACHED, hello=at("hello", edit=edit))
BEHIND = at("hello", edit=lambda body: body + b"\0\0")
kind(Tls12, "ServerHello with bytes at the end", NOT_REACHED, hello=BEHIND)
kind(Tls13, "ServerHello with bytes at the end", FINE, hello=BEHIND)
both("ServerHello says 16 MB", NOT_REACHED, hello=[at("hello", length=0xFFFFFF), "close"])
both("ServerHello twice", NOT_REACHED, hello=["hello", lambda s: type(s).hello(s, plain=True)])
for supported in (0x0300, 0x0302, 0x0303, 0x0305, 0x7F1C):
    kind(Tls13, f"version {supported:04x}", NOT_REACHED, hello=at("hello", supported=supported))
kind(Tls13, "no version", NOT_REACHED, hello=at("hello", without=[43]))
kind(Tls13, "old version field 0304", NOT_REACHED, hello=at("hello", version=0x0304))
for title, options in {
    "none": {"without": [51]},
    "of a group that was not offered": {"group": 30, "public": bytes(56)},
    "of a finite field": {"group": 256, "public": bytes(256)},
    "of a group without a share": {"group": 25, "public": b"\4" + bytes(132)},
    "not on the curve": {"group": 23, "public": b"\4" + b"\1" * 64},
    "at infinity": {"public": b"\0"},
    "of zeros": {"public": bytes(32)},
    "too short": {"public": b"\4" * 31},
    "empty": {"public": b""},
}.items():
    kind(Tls13, f"key share {title}", NOT_REACHED, hello=at("hello", **options))

# ---- HelloRetryRequest ---------------------------------------------------------------------------

kind(Tls13, "another group asked for", FINE, hello=[at("retry", group=24), "hello"])
kind(Tls13, "another group asked for twice", NOT_REACHED, hello=[at("retry", group=24)] * 2)
kind(
    Tls13,
    "a group that was not offered asked for",
    NOT_REACHED,
    hello=[at("retry", group=30), "hello"],
)
kind(
    Tls13,
    "the group of the share asked for",
    NOT_REACHED,
    hello=[lambda server: server.retry(group=next(iter(server.shares()))), "hello"],
)
# RFC 8446, 4.1.4, requires a refusal; mbedTLS sends the same hello once more, and continues.
kind(Tls13, "retry for nothing", FINE, hello=[at("retry", without=[51]), "hello"])
kind(Tls13, "retry without a version", NOT_REACHED, hello=[at("retry", without=[43]), "hello"])
kind(Tls13, "retry, another session", NOT_REACHED, hello=[at("retry", session=b"x"), "hello"])
kind(Tls13, "retry, suite not offered", NOT_REACHED, hello=[at("retry", suite=0x1305), "hello"])
kind(Tls13, "retry, then another suite", NOT_REACHED, hello=["retry", at("hello", suite=0x1302)])
kind(
    Tls13,
    "retry, then the first group",
    NOT_REACHED,
    hello=["retry", at("hello", group=23, public=b"\4" + bytes(64))],
)
kind(
    Tls13,
    "retry, then TLS 1.2",
    NOT_REACHED,
    hello=["retry", at("hello", supported=0x0303, suite=0xC02B)],
)
# RFC 8446, 4.2.2: the client returns a cookie if its ClientHello has space for it (4 KB). An empty
# cookie should be refused; mbedTLS returns it, too.
for size in (0, 1, 20, 200, 1000, 2000, 4000, 20000, 60000):
    code = FINE if size <= 2000 else NOT_REACHED
    cookie = (44, u16(bytes(size)))
    kind(Tls13, f"cookie of {size} bytes", code, hello=[at("retry", extra=[cookie]), "hello"])
for title, body in {"cut short": b"\0\5abc", "of no length": b""}.items():
    kind(Tls13, f"cookie {title}", NOT_REACHED, hello=[at("retry", extra=[(44, body)]), "hello"])

# ---- EncryptedExtensions -------------------------------------------------------------------------

kind(Tls13, "no EncryptedExtensions", NOT_REACHED, encrypted=[])
kind(Tls13, "EncryptedExtensions twice", NOT_REACHED, encrypted=["encrypted"] * 2)
kind(
    Tls13,
    "empty EncryptedExtensions",
    FINE,
    encrypted=at("encrypted", edit=lambda body: u16(b"")),
)
kind(Tls13, "EncryptedExtensions not encrypted", NOT_REACHED, encrypted=at("encrypted", plain=True))
for title, extra in {
    "unknown": (0x5555, b""),
    "early data": (42, b""),
    "key share": (51, number(23) + u16(bytes(65))),
    "version": (43, number(0x0304)),
    "pre-shared key": (41, number(0)),
    "cookie": (44, u16(b"x")),
}.items():
    kind(
        Tls13,
        f"EncryptedExtensions: {title}",
        NOT_REACHED,
        encrypted=at("encrypted", extra=[extra]),
    )
for title, body in {
    "another protocol": extensions([(16, u16(u8(b"h2")))]),
    "longer than it is": b"\0\x10",
    "of one byte": b"\0",
    "bytes at the end": u16(b"") + b"x",
}.items():
    kind(
        Tls13,
        f"EncryptedExtensions: {title}",
        NOT_REACHED,
        encrypted=at("encrypted", edit=lambda _, body=body: body),
    )

kind(  # mbedTLS uses the first
    Tls13,
    "EncryptedExtensions: two protocols",
    FINE,
    encrypted=at("encrypted", edit=lambda _: extensions([(16, u16(u8(b"http/1.1") + u8(b"h2")))])),
)

# ---- Certificate ---------------------------------------------------------------------------------

both("no Certificate", NOT_REACHED, certificate=[])
both("Certificate twice", NOT_REACHED, certificate=["certificate"] * 2)
both("Certificate of nothing", NOT_TRUSTED, certificate=at("certificate", chain=[]))
both("certificate of no bytes", NOT_TRUSTED, certificate=at("certificate", chain=[b""]))
both("certificate of garbage", NOT_TRUSTED, certificate=at("certificate", chain=[b"garbage" * 9]))
both("certificate of zeros", NOT_TRUSTED, certificate=at("certificate", chain=[bytes(300)]))
both(
    "certificate cut short",
    NOT_TRUSTED,
    certificate=lambda server: server.certificate([server.chain[0][:-20]]),
)
both(
    "certificate with bytes at the end",
    NOT_TRUSTED,
    certificate=lambda server: server.certificate([server.chain[0] + b"\0" * 4]),
)
both(
    "Certificate shorter than it says",
    NOT_TRUSTED,
    certificate=at("certificate", edit=lambda body: body[:-3]),
)
both("Certificate, more bytes", NOT_TRUSTED, certificate=at("certificate", edit=lambda b: b + b"x"))
both("Certificate, empty body", NOT_TRUSTED, certificate=at("certificate", edit=lambda body: b""))
both(
    "Certificate says 16 MB", NOT_REACHED, certificate=[at("certificate", length=0xFFFFFF), "close"]
)
for size in (17000, 70000):
    both(
        f"Certificate of {size} bytes",
        {NOT_TRUSTED, LOCAL},
        certificate=lambda s, size=size: s.certificate([*s.chain, bytes(size)]),
    )
both(
    "2,000 certificates",
    {NOT_TRUSTED, LOCAL},
    certificate=lambda s: s.certificate([s.chain[0]] + [b"\x30\0"] * 2000),
)
for title in LEAVES:
    ders = [CHAIN[name].der for name in (title, "issuer")]
    code = {NOT_TRUSTED, LOCAL} if "17,000" in title else NOT_TRUSTED
    both(title, code, certificate=at("certificate", chain=ders))
both("certificates without the leaf", NOT_TRUSTED, certificate=lambda s: s.certificate(s.chain[1:]))
both(
    "certificates, the leaf last",
    NOT_TRUSTED,
    certificate=lambda server: server.certificate(server.chain[::-1]),
)
kind(Tls13, "Certificate with a context", NOT_TRUSTED, certificate=at("certificate", context=b"x"))
kind(
    Tls12,
    "OCSP status that was not asked for",
    NOT_REACHED,
    certificate=[
        "certificate",
        at("send", kind=STATUS, body=b"\1" + u24(b"\x30\0")),
    ],
)

# ---- proof of the key ----------------------------------------------------------------------------

PROOF = {
    "of another key": {"key": STRANGER},
    "spoiled": {"signature": flip},
    "empty": {"signature": lambda right: b""},
    "of zeros": {"signature": lambda right: bytes(70)},
    "r and s are zero": {"signature": lambda right: bytes.fromhex("3006020100020100")},
    "with bytes at the end": {"signature": lambda right: right + b"\0"},
}
for title, options in PROOF.items():
    kind(Tls12, f"signature {title}", NOT_TRUSTED, key_exchange=at("key_exchange", **options))
    kind(Tls13, f"signature {title}", NOT_TRUSTED, verify=at("verify", **options))
kind(
    Tls12,
    "signature of other randoms",
    NOT_TRUSTED,
    key_exchange=at("key_exchange", randoms=bytes(64)),
)
kind(Tls13, "signature as a client", NOT_TRUSTED, verify=at("verify", side="client"))
kind(Tls13, "signature of another handshake", NOT_TRUSTED, verify=at("verify", seen=b"x"))
# RSA PKCS#1 with SHA-256, ECDSA with SHA-1 and with SHA-512, Ed25519, RSA-PSS, none.
for scheme in (0x0401, 0x0203, 0x0603, 0x0807, 0x0804, 0x0000):
    kind(
        Tls12,
        f"signature scheme {scheme:04x}",
        {NOT_REACHED, NOT_TRUSTED},
        key_exchange=at("key_exchange", scheme=scheme),
    )
    kind(
        Tls13,
        f"signature scheme {scheme:04x}",
        {NOT_REACHED, NOT_TRUSTED},
        verify=at("verify", scheme=scheme),
    )
kind(Tls12, "no ServerKeyExchange", NOT_REACHED, key_exchange=[], done=["done", "close"])
kind(Tls12, "ServerKeyExchange twice", NOT_REACHED, key_exchange=["key_exchange"] * 2)
kind(
    Tls12,
    "ServerKeyExchange before Certificate",
    NOT_REACHED,
    certificate="key_exchange",
    key_exchange="certificate",
)
kind(Tls13, "no CertificateVerify", NOT_REACHED, verify=[])
kind(Tls13, "no Certificate, no CertificateVerify", NOT_REACHED, certificate=[], verify=[])
kind(Tls13, "CertificateVerify twice", NOT_REACHED, verify=["verify"] * 2)
kind(Tls13, "CertificateVerify first", NOT_REACHED, certificate="verify", verify="certificate")
KEY_EXCHANGES = {
    "group not offered": {"group": 22},
    "group without a name": {"group": 0},
    "explicit curve": {"curve": b"\1"},
    "point not on the curve": {"public": b"\4" + b"\1" * 64},
    "point at infinity": {"public": b"\0"},
    "compressed point": {"public": b"\2" + b"\1" * 32},
    "no point": {"public": b""},
    "short point": {"public": b"\4" + bytes(20)},
}
for title, options in KEY_EXCHANGES.items():
    kind(Tls12, title, NOT_REACHED, key_exchange=at("key_exchange", **options))
for title, edit in {
    "cut in the point": lambda body: body[:30],
    "cut in the signature": lambda body: body[:-5],
    "bytes at the end": lambda body: body + b"xx",
    "empty": lambda body: b"",
}.items():
    kind(
        Tls12, f"ServerKeyExchange {title}", NOT_REACHED, key_exchange=at("key_exchange", edit=edit)
    )

# ---- requests for a client certificate -----------------------------------------------------------

kind(
    Tls12,
    "certificate of ours asked for",
    FINE,
    done=["request_certificate", "done", "empty_certificate"],
)
kind(
    Tls12, "asked for, garbage", NOT_REACHED, done=[at("request_certificate", body=b"\xff"), "done"]
)
kind(
    Tls13,
    "certificate of ours asked for",
    FINE,
    encrypted=["encrypted", "request_certificate"],
    client=["empty_certificate", "client"],
)
kind(
    Tls13,
    "certificate of ours asked for, with a context",
    FINE,  # which is not allowed (RFC 8446, 4.3.2); mbedTLS returns it
    encrypted=["encrypted", at("request_certificate", context=b"x")],
    client=["empty_certificate", "client"],
)
kind(Tls13, "asked for too late", NOT_REACHED, verify=["verify", "request_certificate"])

# ---- the end of the handshake --------------------------------------------------------------------

kind(Tls12, "no ServerHelloDone", NOT_REACHED, done=[])
kind(Tls12, "ServerHelloDone with a body", NOT_REACHED, done=at("send", kind=DONE, body=b"x"))
kind(Tls12, "ServerHelloDone twice", NOT_REACHED, done=["done"] * 2)
for title, edit in {
    "spoiled": flip,
    "empty": lambda body: b"",
    "short": lambda body: body[:-1],
    "long": lambda body: body + b"\0",
    "of zeros": lambda body: bytes(len(body)),
}.items():
    both(f"Finished {title}", NOT_REACHED, finished=at("finished", edit=edit))
both("no Finished", NOT_REACHED, finished=[])
kind(
    Tls12,
    "the client's Finished sent back",
    NOT_REACHED,
    finished=lambda s: s.send(FINISHED, s.client_finished),
)
kind(
    Tls13,
    "Finished by the client's secret",
    NOT_REACHED,
    finished=lambda s: s.finished(secret=s.client_secret),
)
kind(Tls12, "Finished not encrypted", NOT_REACHED, finished=at("finished", plain=True))
kind(Tls12, "no change of keys", NOT_REACHED, ccs=[])
kind(Tls12, "change of keys, garbage", NOT_REACHED, ccs=at("ccs", body=b"\2"))
kind(Tls12, "change of keys of two bytes", NOT_REACHED, ccs=at("ccs", body=b"\1\1"))
kind(Tls12, "change of keys of no bytes", NOT_REACHED, ccs=at("ccs", body=b""))
EARLY = at("record", kind=CCS, data=b"\1")
for place in ("hello", "certificate", "key_exchange", "done"):  # CVE-2014-0224
    kind(Tls12, f"early change of keys, after {place}", NOT_REACHED, **{place: [place, EARLY]})
kind(Tls12, "change of keys before ServerHello", FINE, hello=[EARLY, "hello"])  # as 1.3, D.4
kind(Tls12, "change of keys twice", NOT_REACHED, ccs=[EARLY, "ccs"])
kind(Tls12, "data before Finished", NOT_REACHED, finished=["answer", "finished"])
kind(Tls12, "ticket that was not promised", NOT_REACHED, ccs=["ticket", "ccs"])
PROMISED = at("hello", extra=[(35, b"")])
kind(Tls12, "ticket", FINE, hello=PROMISED, ccs=["ticket", "ccs"])
kind(Tls12, "no ticket, as promised", FINE, hello=PROMISED, ccs=[at("ticket", size=0), "ccs"])
kind(Tls12, "promised, and no ticket", NOT_REACHED, hello=PROMISED)
kind(Tls12, "two tickets", NOT_REACHED, hello=PROMISED, ccs=["ticket", "ticket", "ccs"])
kind(
    Tls12,
    "ticket of a year",
    FINE,
    hello=PROMISED,
    ccs=[at("ticket", lifetime=31536000), "ccs"],
)
kind(
    Tls12,
    "ticket cut short",
    NOT_REACHED,
    hello=PROMISED,
    ccs=[at("ticket", edit=lambda body: body[:-1]), "ccs"],
)
# D.4 allows it at any time during the handshake.
kind(Tls13, "compatible change of keys first", FINE, hello=["compatible", "hello"])
kind(Tls13, "no compatible change of keys", FINE, compatible=[])
kind(Tls13, "compatible change of keys, late", FINE, verify=["verify", "compatible"])
kind(Tls13, "compatible, garbage", NOT_REACHED, compatible=at("compatible", body=b"\2"))
kind(Tls13, "compatible, two bytes", NOT_REACHED, compatible=at("compatible", body=b"\1\1"))
# RFC 8446, 5, requires that these two are refused; mbedTLS ignores them, and changes no key.
kind(Tls13, "compatible, encrypted", FINE, encrypted=[EARLY, "encrypted"])
kind(Tls13, "compatible, after Finished", FINE, answer=["compatible", "answer"])
kind(Tls13, "data before Finished", NOT_REACHED, finished=["answer", "finished"])
kind(Tls13, "KeyUpdate in the handshake", NOT_REACHED, verify=["verify", "key_update"])
kind(Tls13, "ticket in the handshake", NOT_REACHED, verify=["verify", "ticket"])
for title, number_of in {
    "HelloRequest": 0,
    "EndOfEarlyData": 5,
    "unknown 99": 99,
    "hash": 254,
}.items():
    both(
        f"message {title} in the handshake",
        # A client may ignore a HelloRequest of TLS 1.2 (RFC 5246, 7.4.1.1); mbedTLS does not.
        NOT_REACHED,
        certificate=["certificate", at("send", kind=number_of, body=b"")],
    )
both(
    "ClientHello from the server",
    NOT_REACHED,
    hello=[at("send", kind=CLIENT_HELLO, body=bytes(60)), "close"],
)
kind(Tls13, "Certificate not encrypted", NOT_REACHED, certificate=at("certificate", plain=True))
kind(Tls13, "Finished not encrypted", NOT_REACHED, finished=at("finished", plain=True))
kind(
    Tls13,
    "a record under no key",
    NOT_REACHED,
    encrypted=at("record", kind=DATA, data=bytes(40), plain=True),
)
kind(Tls13, "a record without a type", NOT_REACHED, encrypted=at("record", kind=None, data=b""))
kind(Tls13, "a record of zeros", NOT_REACHED, encrypted=at("record", kind=None, data=bytes(50)))
kind(Tls13, "padding", FINE, verify=at("verify", padding=1000), answer=at("answer", padding=9000))


def together(server):
    """ServerHello and more in one record: the keys would change in the middle of it (RFC 8446,
    5.1)."""
    parts, server.record = [], lambda kind, data, **_: parts.append(data)
    server.hello()
    server.send(ENCRYPTED, extensions([]))
    del server.record
    server.record(HANDSHAKE, b"".join(parts), plain=True)


# mbedTLS has refused it since 3.6.7.
kind(Tls13, "keys change in a record", NOT_REACHED, hello=together, encrypted=[])

# ---- records -------------------------------------------------------------------------------------


def in_pieces(size):
    return ["client_hello", lambda server: setattr(server, "piece", size)]


for size in (5, 100, 500):
    both(f"messages in records of {size} bytes", FINE, client_hello=in_pieces(size))
# mbedTLS needs the four bytes of a message's header in one record.
for size in (1, 3):
    both(f"messages in records of {size} bytes", NOT_REACHED, client_hello=in_pieces(size))


def in_one_record(*steps):
    def flight(server):
        parts, server.record = [], lambda kind, data, **_: parts.append(data)
        for step in steps:
            getattr(server, step)()
        del server.record
        server.record(HANDSHAKE, b"".join(parts))

    return {steps[0]: flight, **{step: [] for step in steps[1:]}}


FLIGHT_12 = in_one_record("hello", "certificate", "key_exchange", "done")
kind(Tls12, "several messages in one record", FINE, **FLIGHT_12)
FLIGHT_13 = in_one_record("encrypted", "certificate", "verify")
kind(Tls13, "several messages in one record", FINE, **FLIGHT_13)


def in_record_of(version):
    """A correct ServerHello, but the version of its record is different."""

    def hello(server):
        server.record = functools.partial(server.record, version=version)
        server.hello()
        del server.record

    return hello


# RFC 8446, 5.1, requires that the field is ignored; mbedTLS refuses versions after TLS 1.3.
for version in (0x0000, 0x0200, 0x0301, 0x0304, 0x0505, 0xFEFF):
    code = FINE if version < 0x0305 else NOT_REACHED
    both(f"record version {version:04x}", code, hello=in_record_of(version))
for name, data in {
    "HTTP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "SSLv2": bytes.fromhex("802e0100020015000000100100800200800600400400800300800500800a0a0a"),
    "zeros": bytes(100),
    "ones": b"\xff" * 100,
    "one byte": b"\x16",
    "half a header": b"\x16\3\3",
    "a header": b"\x16\3\3\0\x40",
    "nothing": b"",
}.items():
    kind(Tls13, f"what is not TLS: {name}", NOT_REACHED, hello=[at("raw", data=data), "close"])
for type_of in (0, 24, 25, 99, 255):
    both(
        f"record of type {type_of}",
        NOT_REACHED,
        hello=[at("record", kind=type_of, data=b"x"), "hello"],
    )
both(
    "record of 16,385 bytes",
    NOT_REACHED,
    hello=[at("record", kind=HANDSHAKE, data=b"\2\0\x40\0" + bytes(16381)), "close"],
)
both(
    "record that says 65,535",
    NOT_REACHED,
    hello=[at("record", kind=HANDSHAKE, data=b"\2", length=65535), "close"],
)
both(
    "empty record in the handshake",
    NOT_REACHED,
    hello=[at("record", kind=HANDSHAKE, data=b""), "hello"],
)
both(
    "empty records without end",
    NOT_REACHED,
    hello=[*many(5000, "record", kind=HANDSHAKE, data=b""), "stall"],
)
both("message that begins another one", NOT_REACHED, hello=at("hello", length=20))
both("data before the handshake", NOT_REACHED, hello=[at("record", kind=DATA, data=b"x"), "hello"])
both(
    "an alert between two pieces",
    NOT_REACHED,
    hello=[
        at("record", kind=HANDSHAKE, data=b"\2\0\0\x50" + bytes(10)),
        at("alert", level=1, description=90),
        "hello",
    ],
)

# ---- alerts --------------------------------------------------------------------------------------

for description in (0, 10, 20, 40, 42, 48, 70, 80, 90, 109, 112, 255):
    both(
        f"alert {description} at once",
        NOT_REACHED,
        hello=[at("alert", description=description), "close"],
    )
both("close_notify at once", NOT_REACHED, hello=["close_notify", "close"])
both("alert after ServerHello", NOT_REACHED, certificate=at("alert", description=80))
both("alert not encrypted", NOT_REACHED, certificate=at("alert", description=80, plain=True))
both("alert of one byte", NOT_REACHED, hello=[at("record", kind=ALERT, data=b"\2"), "close"])
both("alert of no bytes", NOT_REACHED, hello=[at("record", kind=ALERT, data=b""), "close"])
both(
    "alert of three bytes",
    NOT_REACHED,
    hello=[at("record", kind=ALERT, data=b"\2\x28\x28"), "close"],
)
kind(Tls12, "a warning", FINE, hello=[at("alert", level=1, description=112), "hello"])
# After a warning mbedTLS waits for the next message: a server that sends only warnings ends at the
# timeout.
kind(
    Tls12,
    "warnings without end",
    NOT_REACHED,
    hello=[*many(5000, "alert", level=1, description=112), "stall"],
)

# ---- the connection ends at each point -----------------------------------------------------------

for version in (Tls12, Tls13):
    # After Finished the request is sent.
    places = version.STEPS[: version.STEPS.index("finished")]
    for place in places:
        kind(version, f"close after {place}", NOT_REACHED, **{place: [place, "close"]})
    for how in ("reset", "stall"):
        for place in ("client_hello", "hello", "certificate"):
            kind(version, f"{how} after {place}", NOT_REACHED, **{place: [place, how]})


def cut(step):
    """The first half of the data that a step sends."""

    def half(server):
        parts, server.raw = [], lambda data: parts.append(data)
        getattr(server, step)()
        del server.raw
        data = b"".join(parts)
        server.raw(data[: len(data) // 2])
        server.close()

    return half


for version in (Tls12, Tls13):
    for place in ("hello", "certificate", "finished"):
        kind(version, f"half of {place}", NOT_REACHED, **{place: cut(place)})

# ---- after the request ---------------------------------------------------------------------------

both("no answer: close", UNKNOWN, answer="close")
both("no answer: reset", UNKNOWN, answer="reset")
both("no answer: stall", UNKNOWN, answer="stall")
both("no answer: close_notify", UNKNOWN, answer=[])
both("half an answer: close", UNKNOWN, answer=["half_answer", "close"])
both("half an answer: reset", UNKNOWN, answer=["half_answer", "reset"])
both("half an answer: close_notify", UNKNOWN, answer="half_answer")
both("half an answer, an alert, the rest", UNKNOWN, answer=["half_answer", "alert", "answer"])
both("half a record", UNKNOWN, answer=cut("answer"))
for description in (10, 20, 40, 80, 255):
    both(f"alert {description} for an answer", UNKNOWN, answer=at("alert", description=description))
both("an alert that is not encrypted", UNKNOWN, answer=at("alert", plain=True))
both("an answer that is not encrypted", UNKNOWN, answer=at("answer", plain=True))
both("an answer that is spoiled", UNKNOWN, answer=at("answer", spoil=True))
both("a record of unknown type", UNKNOWN, answer=[at("record", kind=99, data=b"x"), "answer"])
both("a heartbeat", UNKNOWN, answer=[at("record", kind=24, data=b"\1\0\x40"), "answer"])
kind(
    Tls12,
    "a change of keys after Finished",
    UNKNOWN,
    answer=[at("record", kind=CCS, data=b"\1"), "answer"],
)
both(
    "a record that says 65,535, later",
    UNKNOWN,
    answer=at("raw", data=b"\x17\3\3\xff\xff" + bytes(9)),
)
both("a record of 20,000 bytes", UNKNOWN, answer=at("record", kind=DATA, data=bytes(20000)))
both("a record of another version", UNKNOWN, answer=at("answer", version=0x0505))
both("a record of 5 bytes", UNKNOWN, answer=at("raw", data=b"\x17\3\3\0\5abcde"))
both("HTTP not encrypted", UNKNOWN, answer=at("raw", data=b"HTTP/1.1 200 OK\r\n\r\n"))
both("a second Finished", UNKNOWN, answer=[at("send", kind=FINISHED, body=bytes(32)), "answer"])
both(
    "a second ServerHello",
    UNKNOWN,
    answer=[at("send", kind=SERVER_HELLO, body=bytes(70)), "answer"],
)
both(
    "a second Certificate", UNKNOWN, answer=[at("send", kind=CERTIFICATE, body=bytes(7)), "answer"]
)
both("a message of unknown type", UNKNOWN, answer=[at("send", kind=99, body=b""), "answer"])
both(
    "ClientHello, later", UNKNOWN, answer=[at("send", kind=CLIENT_HELLO, body=bytes(60)), "answer"]
)


def repeated(server):
    """The same bytes once more: the record's number has been used."""
    parts, server.raw = [], lambda data: parts.append(data)
    server.half_answer()
    del server.raw
    server.raw(parts[0] * 2)


def exchanged(server):
    """The second record before the first."""
    parts, server.raw = [], lambda data: parts.append(data)
    server.answer(size=20)
    del server.raw
    server.raw(parts[1] + parts[0] + b"".join(parts[2:]))


both("a record twice", UNKNOWN, answer=repeated)
# TLS 1.2 sends the number, but the signature covers the real one.
both("records exchanged", UNKNOWN, answer=exchanged)

# Complete answers.
both("an answer in pieces of 1 byte", FINE, answer=at("answer", size=1))
both("an answer of a full record", FINE, answer=at("answer", body=b" " * 15996 + b"null"))
both("an answer, then close", FINE, answer=["answer", "close"])
both("an answer, then an alert", FINE, answer=["answer", "alert"])
both("an answer, then garbage", FINE, answer=["answer", at("raw", data=b"garbage" * 9)])
both("an answer, then a stall", FINE, answer=["answer", "stall"])
both("an answer before the request", FINE, request=["answer", "request"], answer=[])
EMPTY = {"kind": DATA, "data": b""}
for count in (1, 3):
    both(
        f"{count} empty records, an answer",
        FINE,
        answer=[*many(count, "record", **EMPTY), "answer"],
    )
both(
    "empty records inside an answer",
    FINE,
    answer=[
        at("record", kind=DATA, data=b"HTTP/1.1 200 OK\r\n"),
        *many(3, "record", **EMPTY),
        at("record", kind=DATA, data=b"Content-Length: 0\r\n\r\n"),
    ],
)


def flood(step, **options):
    """Until the client ends the connection, or for longer than the command's timeouts."""

    def go_on(server):
        until = time.monotonic() + 10 * SLOW
        while time.monotonic() < until:
            getattr(server, step)(**options)

    return go_on


# mbedTLS accepts at most three in succession.
both("4 empty records, an answer", UNKNOWN, answer=[*many(4, "record", **EMPTY), "answer"])
both("empty records without end, later", UNKNOWN, answer=flood("record", **EMPTY))
kind(Tls12, "HelloRequest", FINE, answer=[at("send", kind=HELLO_REQUEST, body=b""), "answer"])
kind(
    Tls12,
    "HelloRequest before the request",
    FINE,
    request=[at("send", kind=HELLO_REQUEST, body=b""), "request"],
)
kind(Tls12, "HelloRequest without end", UNKNOWN, answer=flood("send", kind=HELLO_REQUEST, body=b""))
kind(Tls12, "a warning, later", FINE, answer=[at("alert", level=1, description=112), "answer"])
kind(Tls12, "warnings without end, later", UNKNOWN, answer=flood("alert", level=1, description=112))
kind(Tls12, "a ticket after Finished", UNKNOWN, answer=["ticket", "answer"])
kind(Tls13, "HelloRequest", UNKNOWN, answer=[at("send", kind=HELLO_REQUEST, body=b""), "answer"])
for title, options in {
    "": {},
    " of a second": {"lifetime": 1},
    " of no time": {"lifetime": 0},
    " of 7 days": {"lifetime": 604800},
    # RFC 8446, 4.6.1, forbids more than 7 days; the answer after the ticket is still valid.
    " of 8 days": {"lifetime": 691200},
    " of 136 years": {"lifetime": 0xFFFFFFFF},
    " for early data": {"extra": [(42, struct.pack(">I", 9999))]},
    " with an unknown extension": {"extra": [(0x5555, b"x")]},
    " of 1,000 bytes": {"size": 1000},
    " of 15,000 bytes": {"size": 15000},
}.items():
    kind(Tls13, f"a ticket{title}", FINE, answer=[at("ticket", **options), "answer"])
    kind(
        Tls13,
        f"a ticket{title}, before the request",
        FINE,
        client=["client", at("ticket", **options)],
    )
# mbedTLS accepts these; we discard the ticket.
kind(Tls13, "a ticket of no bytes", FINE, answer=[at("ticket", size=0), "answer"])
kind(Tls13, "a ticket, more bytes", FINE, answer=[at("ticket", edit=lambda b: b + b"x"), "answer"])
kind(Tls13, "100 tickets", FINE, answer=[*many(100, "ticket"), "answer"])
kind(Tls13, "tickets without end", UNKNOWN, answer=flood("ticket"))
kind(Tls13, "a ticket of 60,000 bytes", UNKNOWN, answer=[at("ticket", size=60000), "answer"])
kind(
    Tls13,
    "a ticket cut short",
    UNKNOWN,
    answer=[at("ticket", edit=lambda body: body[:9]), "answer"],
)
# mbedTLS 3.6 has no KeyUpdate: the complete answer after it cannot be read.
for value in (0, 1, 2):
    kind(Tls13, f"KeyUpdate {value}", UNKNOWN, answer=[at("key_update", value=value), "answer"])
kind(Tls13, "KeyUpdate without end", UNKNOWN, answer=flood("key_update"))
kind(
    Tls13,
    "certificate of ours asked for, later",
    UNKNOWN,
    answer=[at("request_certificate", context=b"x"), "answer"],
)
kind(
    Tls13,
    "a record without a type, later",
    UNKNOWN,
    answer=[at("record", kind=None, data=bytes(9)), "answer"],
)


def under_old_keys(server):
    server.sends = Gcm13(server.server_secret)
    server.answer()


kind(Tls13, "an answer under the handshake's keys", UNKNOWN, answer=under_old_keys)


# ---- the test ------------------------------------------------------------------------------------


# Words that standard error must have, in addition to what must be true for all.
SAYS = {
    "TLS 1.3 KeyUpdate 0": "KeyUpdate|key update",
    "TLS 1.3 KeyUpdate 1": "KeyUpdate|key update",
    "TLS 1.2 alert 40 at once": "refuses the handshake",
    "TLS 1.3 alert 40 at once": "refuses the handshake",
    "TLS 1.3 what is not TLS: HTTP": "does not speak TLS",
}


def run(rekey, title):
    """One server and one command. Returns the command's result, and the connections."""
    version, steps, code = KINDS[title]
    codes = tuple(code) if isinstance(code, set) else (code,)
    again = "1" if NOT_REACHED in codes else LONG  # it tries again until then
    chain = [CHAIN[name].der for name in ("leaf", "issuer")]
    listener = Listener(version, steps, chain, CHAIN["leaf"].key)
    try:
        process = rekey.start(
            "regenerate",
            *("--management-url", f"https://localhost:{listener.port}", "--ca-file", "ca.pem"),
            *("--subscription", SUBSCRIPTION, "-g", GROUP, "-w", WORKSPACE, "-n", "endpoint"),
            *("--key-type", "primary", "--timeout", again, "--connect-timeout", again),
            *("--idle-timeout", "1" if code == UNKNOWN else LONG),
        )
        result = rekey.finish(process, codes)
    finally:
        listener.close()
    return result, listener


@pytest.fixture(scope="module")
def runs(request, arm, tmp_path_factory):
    """The result of each kind that is tested in this run, six at a time."""
    rekey = Rekey(arm, tmp_path_factory.mktemp("hostile"))
    (rekey.directory / "ca.pem").write_text(CHAIN["root"].pem)
    titles = [
        item.callspec.params["title"]
        for item in request.session.items
        if getattr(item, "originalname", "") == "test_hostile_server"
    ]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        yield {title: pool.submit(run, rekey, title) for title in titles}
        pool.shutdown(cancel_futures=True)
    rekey.clean_up()


# mbedTLS itself refuses cookies and long tickets. For a malformed message with certificates it does
# not say which certificate was malformed.
OWNER = re.compile(
    r"cookie of|ticket of (8 days|136 years)|[cC]ertificates?( of|,| shorter| with a context)|,000 cert"
    r"|leaf, of 17,000|max fragment length|group that was not offered asked for"
)


@pytest.mark.sweep(80)
@pytest.mark.parametrize(
    "title",
    [pytest.param(each, marks=pytest.mark.owner if OWNER.search(each) else ()) for each in KINDS],
)
def test_hostile_server(runs, title):
    result, listener = runs[title].result()
    assert listener.faults == []
    requests = [
        server
        for server in listener.played
        if any(TOKEN.encode() in data for _, data in server.seen)
    ]
    assert len(requests) == (result.code in (FINE, UNKNOWN)), result.err
    assert re.search(SAYS.get(title, ""), result.err), result.err
    assert "split a handshake message" not in result.err or "messages in records" in title
    if result.code in (NOT_TRUSTED, LOCAL):
        assert len(listener.played) == 1, "it tried again"
    if result.code == NOT_TRUSTED:
        assert "the server's certificate" in result.err
    if result.code == UNKNOWN:
        assert "refuses the handshake" not in result.err, "it was over"
    assert result.seconds < 8 * SLOW
