"""Chains of certificates, valid and not: how rekey judges each, in TLS 1.2 and 1.3. A row says how
the chain differs from a usual one (chains.py), the exit code, and for a refusal the words that
standard error must have. A refusal happens at once, after one connection, and the server gets no
byte of a request. The host is reached through a proxy, so that it can have any name."""

import re
import socket
import ssl
import threading

import pytest

from chains import (
    ANY,
    CLIENT,
    CODE,
    EMAIL,
    PRINTABLE,
    SERVER,
    Chain,
    address,
    algorithm,
    basic,
    constraints,
    directory,
    distinguished,
    dns,
    eku,
    email,
    extension,
    integer,
    key,
    names,
    network,
    oid,
    other_name,
    pem_of_key,
    sequence,
    tlv,
    uri,
    usage,
    usual,
)
from conftest import GROUP, GUEST, SLOW, SUBSCRIPTION, WORKSPACE

ROWS = {}


def row(
    title,
    code=0,
    *words,
    host="www.example.com",
    sent=("leaf", "issuer"),
    anchors=("root",),
    chain=None,
    **changes,
):
    """code may be a set if several are right. sent, anchors: names of certificates, in order."""
    assert title not in ROWS, title
    assert bool(words) == (code not in (0, {0, 15})), title
    ROWS[title] = code, words, host, sent, anchors, chain or changes


# What the error texts must say.
USE = "extended key usage"
CONSTRAINT = "name constraints"
NAME = "it is not for"
NO_NAMES = "it has no subjectAltName"
ISSUER = "is not among the trust anchors"
DATES = "it is valid from"
SIGNED = "it is signed with"
KEY = "its key"
DAMAGED = "it is damaged"
CRITICAL = "critical extension"

# ---- purposes: extended key usage (RFC 5280, 4.2.1.12) -------------------------------------------

row("plain")
for place in ("leaf", "issuer", "root"):
    for critical in (False, True):
        kind = "critical " if critical else ""

        def purposes(*of, _critical=critical, _place=place):
            return {_place: {"eku": eku(*of, critical=_critical)}}

        row(f"{place}: {kind}use serverAuth", **purposes(SERVER))
        row(f"{place}: {kind}use any", **purposes(ANY))
        row(f"{place}: {kind}use clientAuth and serverAuth", **purposes(CLIENT, SERVER))
        row(f"{place}: {kind}use emailProtection", 11, USE, **purposes(EMAIL))
        row(f"{place}: {kind}use codeSigning and clientAuth", 11, USE, **purposes(CODE, CLIENT))
    row(f"{place}: no use named", **{place: {"eku": None}})
    row(f"{place}: use of nothing", 11, DAMAGED, **{place: {"eku": eku()}})
row(
    "second issuer: use emailProtection",
    11,
    USE,
    sent=("leaf", "issuer", "upper"),
    upper={"by": "root", "eku": eku(EMAIL)},
    issuer={"by": "upper"},
)
row(
    "anchor below the root: use emailProtection",
    11,
    USE,
    anchors=("issuer",),
    issuer={"eku": eku(EMAIL)},
)

# ---- name constraints (RFC 5280, 4.2.1.10) -------------------------------------------------------

EVERYTHING = [network("0.0.0.0/0"), network("::/0")]
TWO_NAMES = {"names": names(dns("www.example.com"), dns("www.other.example"))}
IP4, IP6 = "192.0.2.7", "[2001:db8::7]"
BY_IP4 = {"names": names(address("192.0.2.7"))}
BY_IP6 = {"names": names(address("2001:db8::7"))}

# Title: code, permitted, excluded, and more.
CONSTRAINTS = {
    "permitted, above the name": (0, [dns("example.com")], []),
    "permitted, the name itself": (0, [dns("www.example.com")], []),
    "permitted, in capitals": (0, [dns("EXAMPLE.Com")], []),
    "permitted, every name": (0, [dns("")], []),
    "permitted, the second of three": (
        0,
        [dns("a.example"), dns("example.com"), dns("b.example")],
        [],
    ),
    "permitted, another name": (11, [dns("corp.example")], []),
    "permitted, part of a label": (11, [dns("xample.com")], []),
    "permitted, below the name": (11, [dns("a.www.example.com")], []),
    "permitted, with a NUL": (11, [dns("example.com\0")], []),
    "permitted, a longer name that ends like it": (11, [dns("www.example.com.corp.example")], []),
    "excluded, above the name": (11, [], [dns("example.com")]),
    "excluded, the name itself": (11, [], [dns("www.example.com")]),
    "excluded, in capitals": (11, [], [dns("WWW.EXAMPLE.COM")]),
    "excluded, every name": (11, [], [dns("")]),
    "excluded, the top": (11, [], [dns("com")]),
    "excluded, with a dot before": (11, [], [dns(".example.com")]),
    "excluded, another name": (0, [], [dns("corp.example")]),
    "excluded, part of a label": (0, [], [dns("ample.com")]),
    "excluded, below the name": (0, [], [dns("a.www.example.com")]),
    "permitted and excluded": (11, [dns("example.com")], [dns("www.example.com")]),
    "permitted, and another excluded": (0, [dns("example.com")], [dns("mail.example.com")]),
    "names permitted, addresses excluded": (0, [dns("example.com")], EVERYTHING),
    "addresses permitted, a name": (0, [network("192.0.2.0/24")], []),
    "mail permitted, a name": (0, [email("corp.example")], []),
    "a URI permitted, a name": (0, [uri("corp.example")], []),
    "mail excluded, a name": (0, [], [email("example.com")]),
    "one of two names permitted": (11, [dns("example.com")], [], TWO_NAMES),
    "both of two names permitted": (0, [dns("example.com"), dns("other.example")], [], TWO_NAMES),
    "one of two names excluded": (11, [], [dns("other.example")], TWO_NAMES),
    "wildcard, permitted": (
        0,
        [dns("example.com")],
        [],
        {"names": names(dns("*.example.com"))},
    ),
    "wildcard, excluded": (
        11,
        [],
        [dns("example.com")],
        {"names": names(dns("*.example.com"))},
    ),
    # The name is not below the excluded name, but it covers names that are (Go: CVE-2025-61727).
    "wildcard, one of its hosts excluded": (
        11,
        [],
        [dns("www.example.com")],
        {"names": names(dns("*.example.com"))},
    ),
    "IPv4, permitted": (0, [network("192.0.2.0/24")], [], BY_IP4, IP4),
    "IPv4, permitted, itself": (0, [network("192.0.2.7/32")], [], BY_IP4, IP4),
    "IPv4, permitted, half an octet": (0, [network("192.0.2.0/29")], [], BY_IP4, IP4),
    "IPv4, not permitted": (11, [network("198.51.100.0/24")], [], BY_IP4, IP4),
    "IPv4, not permitted, by one bit": (11, [network("192.0.2.8/29")], [], BY_IP4, IP4),
    "IPv4, excluded": (11, [], [network("192.0.2.0/24")], BY_IP4, IP4),
    "IPv4, another excluded": (0, [], [network("198.51.100.0/24")], BY_IP4, IP4),
    "IPv4, all excluded": (11, [dns("example.com")], EVERYTHING, BY_IP4, IP4),
    "IPv4, names permitted": (0, [dns("example.com")], [], BY_IP4, IP4),
    "IPv4, only IPv6 permitted": (11, [network("2001:db8::/32")], [], BY_IP4, IP4),
    "IPv6, permitted": (0, [network("2001:db8::/32")], [], BY_IP6, IP6),
    "IPv6, not permitted": (11, [network("2001:db9::/32")], [], BY_IP6, IP6),
    "IPv6, excluded": (11, [], [network("2001:db8::/33")], BY_IP6, IP6),
    "IPv6, only IPv4 permitted": (11, [network("0.0.0.0/0")], [], BY_IP6, IP6),
    "IPv4, an address of five octets": (11, [tlv(0x87, b"\xc0\0\2\0\xff")], [], BY_IP4, IP4),
    "IPv4, excluded, five octets": (11, [], [tlv(0x87, b"\xc0\0\2\0\xff")], BY_IP4, IP4),
    # A constraint that cannot be read is not treated as a constraint of another kind of name.
    "an address of five octets": (11, [tlv(0x87, b"\xc0\0\2\0\xff")], []),
    "a kind that there is not": (11, [tlv(0x8F, b"example.com")], []),
}
for title, (code, permitted, excluded, *more) in CONSTRAINTS.items():
    for place in ("issuer",) if more else ("issuer", "root"):
        row(
            f"{place}: constraint: {title}",
            code,
            *([CONSTRAINT] if code else []),
            host=more[1] if len(more) > 1 else "www.example.com",
            leaf=more[0] if more else {},
            **{
                place: {"constraints": constraints(permitted, excluded, critical=place == "issuer")}
            },
        )
for title, (code, domain) in {"kept": (0, "example.com"), "broken": (11, "example.org")}.items():
    one = constraints([dns(domain)], critical=False)
    row(
        f"issuer: constraint, not critical, {title}",
        code,
        *[CONSTRAINT][:code],
        issuer={"constraints": one},
    )
    one = constraints([dns(domain)])
    row(
        f"root: critical constraint, {title}", code, *[CONSTRAINT][:code], root={"constraints": one}
    )
GARBAGE = [tlv(0x30, b"\x01\x02\x03"), b"", b"\x30\x80", sequence(tlv(0xA0, sequence()))]
for number, value in enumerate(GARBAGE):
    for critical in (False, True):
        row(
            f"constraint that is not one, {number}{', critical' if critical else ''}",
            11,
            CONSTRAINT,
            issuer={"constraints": extension("2.5.29.30", value, critical)},
        )
for title, more in {"minimum": tlv(0x80, b"\1"), "maximum": tlv(0x81, b"\5")}.items():
    row(
        f"constraint with a {title}",
        11,
        CONSTRAINT,
        issuer={"constraints": constraints([dns("example.com")], more=more)},
    )
row(
    "constraints of issuer and root, both kept",
    root={"constraints": constraints([dns("com")])},
    issuer={"constraints": constraints([dns("example.com")])},
)
row(
    "constraints of issuer and root, the root's not kept",
    11,
    CONSTRAINT,
    root={"constraints": constraints([dns("org")])},
    issuer={"constraints": constraints([dns("example.com")])},
)
row(
    "constraint of the second issuer",
    11,
    CONSTRAINT,
    sent=("leaf", "issuer", "upper"),
    upper={"by": "root", "constraints": constraints([dns("org")], critical=False)},
    issuer={"by": "upper"},
)
row(
    "constraint of an anchor below the root",
    11,
    CONSTRAINT,
    anchors=("issuer",),
    issuer={"constraints": constraints([dns("org")])},
)
row(
    "constraint: its directory name permitted",
    issuer={"constraints": constraints([directory("The leaf")])},
)
row(
    "constraint: any directory name permitted",
    issuer={"constraints": constraints([tlv(0xA4, sequence())])},
)
row(
    "constraint: another directory name excluded",
    issuer={"constraints": constraints(excluded=[directory("somebody else")])},
)
row(
    "constraint: a directory name permitted, an empty subject",
    issuer={"constraints": constraints([directory("somebody else")])},
    leaf={"subject": sequence(), "names": names(dns("www.example.com"), critical=True)},
)
row(
    "constraint: another directory name permitted",
    11,
    CONSTRAINT,
    issuer={"constraints": constraints([directory("somebody else")])},
)
row(
    "constraint: its directory name excluded",
    11,
    CONSTRAINT,
    issuer={"constraints": constraints(excluded=[directory("The leaf")], critical=False)},
)

# ---- names (RFC 9525, RFC 5280 4.2.1.6) ----------------------------------------------------------

IDN = "xn--bcher-kva.example.com"
# Title: code, general names of the leaf, and the host.
NAMES = {
    "wildcard": (0, [dns("*.example.com")]),
    "capitals": (0, [dns("WWW.Example.COM")]),
    "host in capitals": (0, [dns("www.example.com")], "WWW.EXAMPLE.COM"),
    "host with a dot at the end": (0, [dns("www.example.com")], "www.example.com."),
    "another kind of name first": (0, [other_name(), email("a@b.example"), dns("www.example.com")]),
    "the hundredth": (0, [dns(f"a{n}.example") for n in range(99)] + [dns("www.example.com")]),
    "IPv4": (0, [address("192.0.2.7")], IP4),
    "IPv6": (0, [address("2001:db8::7")], IP6),
    "IDN": (0, [dns(IDN)], IDN),
    "IDN by a wildcard": (0, [dns("*.example.com")], IDN),
    "another": (11, [dns("www.example.org")]),
    "one more label": (11, [dns("example.com")]),
    "one label less": (11, [dns("a.www.example.com")]),
    "longer at its end": (11, [dns("www.example.com.evil.example")]),
    "NUL inside": (11, [dns("www.example.com\0.evil.example")]),
    "NUL at the end": (11, [dns("www.example.com\0")]),
    "space at the end": (11, [dns("www.example.com ")]),
    "dot at the end": (11, [dns("www.example.com.")]),
    "dot before": (11, [dns(".example.com")]),
    "empty": (11, [dns("")]),
    "IDN in UTF-8": (11, [dns("bücher.example.com")], IDN),
    "wildcard for two labels": (11, [dns("*.example.com")], "a.b.example.com"),
    "wildcard for none": (11, [dns("*.example.com")], "example.com"),
    "wildcard in the middle": (11, [dns("www.*.com")]),
    "wildcard in a label": (11, [dns("w*.example.com")]),
    "wildcard before a label": (11, [dns("*w.example.com")]),
    "two wildcards": (11, [dns("*.*.com")]),
    "wildcard of the top": (11, [dns("*.com")], "example.com"),
    "wildcard alone": (11, [dns("*")]),
    "wildcard alone, for one label": (11, [dns("*")], "gateway"),
    "wildcard and dot": (11, [dns("*.")], "gateway"),
    "URI": (11, [uri("https://www.example.com")]),
    "mail": (11, [email("www.example.com")]),
    "address for a name": (11, [address("192.0.2.7")]),
    "name for an address": (11, [dns("192.0.2.7")], IP4),
    "name for an IPv6 address": (11, [dns("2001:db8::7")], IP6),
    "wildcard for an address": (11, [dns("*.0.2.7")], IP4),
    "another address": (11, [address("192.0.2.8")], IP4),
    "another IPv6 address": (11, [address("2001:db8::8")], IP6),
    "IPv4 within IPv6": (11, [address("::ffff:192.0.2.7")], IP4),
    "address as text": (11, [address(b"192.0.2.7")], IP4),
    "address of three octets": (11, [address(b"\xc0\0\2")], IP4),
    "address and its mask": (11, [network("192.0.2.7/32")], IP4),
}
for title, (code, general, *host) in NAMES.items():
    row(
        f"name: {title}",
        code,
        *([f"{NAME}|{DAMAGED}"] if code else []),
        host=host[0] if host else "www.example.com",
        leaf={"names": names(*general)},
    )
# The common name is ignored (RFC 9525, 2): a leaf has its names in subjectAltName.
BY_NAME = {"subject": "www.example.com"}
row("name: only the common one", 11, NO_NAMES, leaf={**BY_NAME, "names": None})
row("name: none in the list, the common one", 11, NO_NAMES, leaf={**BY_NAME, "names": names()})
row("name: only mail in the list", 11, NAME, leaf={**BY_NAME, "names": names(email("a@b.example"))})
row("name: another in the list", 11, NAME, leaf={**BY_NAME, "names": names(dns("a.example"))})
row("name: an address as common name", 11, NO_NAMES, host=IP4, leaf={"subject": IP4, "names": None})
row(
    "name: critical list, empty subject",
    leaf={"subject": sequence(), "names": names(dns("www.example.com"), critical=True)},
)
row(
    "name: the last of 600",
    {0, 15},
    leaf={"names": names(*(dns(f"a{n}.example") for n in range(599)), dns("www.example.com"))},
)

# ---- extensions ----------------------------------------------------------------------------------

for place in ("leaf", "issuer", "root"):
    unknown = extension("1.3.6.1.4.1.55555.1", b"\5\0")
    critical = extension("1.3.6.1.4.1.55555.1", b"\5\0", True)
    row(f"{place}: an unknown extension", **{place: {"more": unknown}})
    row(f"{place}: a critical unknown extension", 11, CRITICAL, **{place: {"more": critical}})
POISON = extension("1.3.6.1.4.1.11129.2.4.3", b"\5\0", True)
row("leaf: a precertificate", 11, CRITICAL, leaf={"more": POISON})
row("issuer: basic constraints twice", 11, DAMAGED, issuer={"more": basic()})
row(
    "leaf: must staple",  # RFC 7633; revocation is not checked (docs/security.md)
    leaf={"more": extension("1.3.6.1.5.5.7.1.24", sequence(integer(5)))},
)
POLICY = sequence(sequence(oid("2.23.140.1.2.2")))
row("leaf: certificate policies", leaf={"more": extension("2.5.29.32", POLICY)})
row("issuer: certificate policies", issuer={"more": extension("2.5.29.32", POLICY)})
# mbedTLS does not know policies: certificates with policy constraints are refused, although OpenSSL
# accepts them.
DEMAND = {
    "policy constraints": extension("2.5.29.36", sequence(tlv(0x80, b"\3")), True),
    "inhibit any policy": extension("2.5.29.54", integer(0), True),
    "policy mappings": extension("2.5.29.33", sequence(sequence(*[oid("2.5.29.32.1")] * 2)), True),
}
for title, demand in DEMAND.items():
    row(f"issuer: critical {title}", 11, CRITICAL, issuer={"more": demand})
# They must not be critical (RFC 5280, 4.2.1.1 and 4.2.1.2); mbedTLS accepts them nevertheless.
row(
    "leaf: a critical key identifier",
    leaf={"more": extension("2.5.29.14", tlv(4, b"x" * 20), True)},
)

# ---- permitted uses of a key, and authorities ----------------------------------------------------

row("issuer: any use of its key", issuer={"usage": None})
row("issuer: may sign no certificates", 11, ISSUER, issuer={"usage": usage("crls")})
row("root: may sign no certificates", 11, ISSUER, root={"usage": usage("signature")})
row("leaf: any use of its key", leaf={"usage": None})
row("leaf: may sign, and more", leaf={"usage": usage("signature", "encipherment", "agreement")})
row("leaf: is an authority", leaf={"basic": basic(), "usage": usage("signature", "certificates")})
row("leaf: no basic constraints", leaf={"basic": None})
row("issuer: no basic constraints", 11, ISSUER, issuer={"basic": None})
row("issuer: is not an authority", 11, ISSUER, issuer={"basic": basic(False)})
row("issuer: basic constraints that are not critical", issuer={"basic": basic(critical=False)})
row("issuer: of version 1", 11, ISSUER, issuer={"version": 1})
row("root: of version 1", root={"version": 1})
row("root: is not an authority", 11, ISSUER, root={"basic": basic(False)})
row("root: no basic constraints", 11, ISSUER, root={"basic": None})
row(
    "a leaf that issues",
    11,
    ISSUER,
    sent=("leaf", "leaf-above", "issuer"),
    **{"leaf": {"by": "leaf-above"}, "leaf-above": {"by": "issuer"}},
)
TWO = {"upper": {"by": "root"}, "issuer": {"by": "upper"}}
TWO_SENT = ("leaf", "issuer", "upper")
row("path: 0 below it, and there is none", issuer={"basic": basic(path=0)})
row("path: root allows one", root={"basic": basic(path=1)})
row("path: root allows none", 11, ISSUER, root={"basic": basic(path=0)})
row("path: two, all as allowed", sent=TWO_SENT, **TWO, root={"basic": basic(path=2)})
row(
    "path: two, the upper allows none",
    11,
    ISSUER,
    sent=TWO_SENT,
    issuer={"by": "upper"},
    upper={"by": "root", "basic": basic(path=0)},
)
row(
    "path: two, the root allows one",
    11,
    ISSUER,
    sent=TWO_SENT,
    **TWO,
    root={"basic": basic(path=1)},
)

# ---- dates ---------------------------------------------------------------------------------------

PAST = {"begins": "200101000000Z", "ends": "210101000000Z"}
FUTURE = {"begins": "480101000000Z", "ends": "491231000000Z"}
for place in ("leaf", "issuer", "root"):
    row(f"{place}: has ended", 11, DATES, "2021-01-01", **{place: PAST})
    row(f"{place}: has not begun", 11, DATES, "2048-01-01", **{place: FUTURE})
row("leaf: never ends", leaf={"ends": "99991231235959Z"})
row("leaf: ends in 2050, of four digits", leaf={"ends": "20500101000000Z"})
row("leaf: ends in 1950, of two digits", 11, DATES, leaf={"ends": "500101000000Z"})
row("leaf: no date", 11, DAMAGED, leaf={"ends": "soon"})
row("leaf: a date of month 13", 11, DAMAGED, leaf={"ends": "491331000000Z"})

# ---- signatures and keys -------------------------------------------------------------------------

for digest in ("sha256", "sha384", "sha512"):
    row(
        f"all signed by {digest}",
        **{each: {"digest": digest} for each in ("root", "issuer", "leaf")},
    )
# An anchor is a name and a key: its own signature is not checked (RFC 5280, 6.1).
for digest in ("sha1", "sha224", "md5"):
    code = [0] if digest == "sha1" else [11, ISSUER]
    made = {"digest": digest, "key": "rsa2048"}
    if digest == "sha1":
        row(f"root: signed by {digest}", root=made)
        row(f"root: signed by {digest}, sent along", sent=("leaf", "issuer", "root"), root=made)
    row(
        f"issuer: signed by {digest}",
        11,
        SIGNED,
        root={"key": "rsa2048"},
        issuer={"digest": digest},
    )
    row(
        f"leaf: signed by {digest}",
        11,
        SIGNED,
        issuer={"key": "rsa2048"},
        leaf={"digest": digest},
    )
row("leaf: signed by ECDSA and SHA-1", 11, SIGNED, leaf={"digest": "sha1"})
row("leaf: signed by SHA-3", 11, SIGNED, leaf={"digest": "sha3"})
for kind in ("p384", "p521", "rsa2048", "rsa3072", "rsa4096"):
    row(f"leaf: {kind}", leaf={"key": kind})
    row(f"issuer: {kind}", issuer={"key": kind})
    row(f"root: {kind}", root={"key": kind})
row("leaf: rsa2048 with exponent 3", leaf={"key": "rsa2048e3"})
row("issuer: rsa2048 with exponent 3", issuer={"key": "rsa2048e3"})
row("leaf: rsa1024", 11, KEY, leaf={"key": "rsa1024"})
row("issuer: rsa1024", 11, KEY, issuer={"key": "rsa1024"})
for kind in ("p224", "secp256k1", "brainpool", "ed25519"):
    word = SIGNED if kind == "ed25519" else KEY
    row(f"issuer: {kind}", 11, word, issuer={"key": kind})
    row(f"root: {kind}", 11, word, root={"key": kind})
for digest in ("sha256", "sha384", "sha512"):
    row(
        f"leaf: signed by RSA-PSS and {digest}",
        issuer={"key": "rsa2048"},
        leaf={"pss": True, "digest": digest},
    )
row("issuer: signed by RSA-PSS", root={"key": "rsa2048"}, issuer={"pss": True})
row("root: signed by RSA-PSS", root={"key": "rsa2048", "pss": True})
row(
    "leaf: signed by RSA-PSS and SHA-1",
    11,
    SIGNED,
    issuer={"key": "rsa2048"},
    leaf={"pss": True, "digest": "sha1"},
)
row("leaf: signature spoiled", 11, ISSUER, leaf={"spoiled": True})
row("issuer: signature spoiled", 11, ISSUER, issuer={"spoiled": True})
row("root: its own signature spoiled", root={"spoiled": True})
row(
    "leaf: rsa2048, signature spoiled",
    11,
    ISSUER,
    issuer={"key": "rsa2048"},
    leaf={"spoiled": True},
)
row(
    "leaf: another algorithm inside",
    11,
    DAMAGED,
    leaf={"inside": algorithm(key("p256"), "sha384", False)},
)
row(
    "leaf: signed by a namesake of its issuer",
    11,
    ISSUER,
    leaf={"by": "impostor"},
    impostor={"by": "root", "subject": "The issuer"},
)
row(
    "issuer: signed by a namesake of the root",
    11,
    ISSUER,
    issuer={"by": "impostor"},
    impostor={"subject": "The root"},
)
row("leaf: its issuer is not sent", 11, ISSUER, "The issuer", sent=("leaf",))

# ---- how names are compared (RFC 5280, 7.1) ------------------------------------------------------

row("issuer's name: in PrintableString", leaf={"issuer": distinguished("The issuer", PRINTABLE)})
row("root's name: in PrintableString", issuer={"issuer": distinguished("The root", PRINTABLE)})
row("issuer's name: in capitals", leaf={"issuer": "THE ISSUER"})
row("root's name: in capitals", issuer={"issuer": "THE ROOT"})
# mbedTLS does not fold white space.
row("issuer's name: two blanks for one", 11, ISSUER, leaf={"issuer": "The  issuer"})
row("issuer's name: 300 letters", 11, "name|anchors", sent=("leaf",), issuer={"subject": "x" * 300})
row(
    "issuer's name: control characters",
    11,
    ISSUER,
    sent=("leaf",),
    issuer={"subject": "a\x1b[2Jb\nrekey: outcome=succeeded exit=0"},
)

# ---- order, and extra certificates (RFC 8446, 4.4.2) ---------------------------------------------

FOUR = {
    "d": {"by": "root"},
    "c": {"by": "d"},
    "b": {"by": "c"},
    "issuer": {"by": "b"},
    "stranger": {},
}
ORDERS = {
    "in order": "leaf issuer b c d",
    "root, too": "leaf issuer b c d root",
    "root first": "leaf root issuer b c d",
    "reversed": "leaf d c b issuer",
    "reversed, root first": "leaf root d c b issuer",
    "shuffled": "leaf c issuer d b",
    "two changed": "leaf b issuer c d",
    "issuer twice": "leaf issuer issuer b c d",
    "leaf twice": "leaf leaf issuer b c d",
    "all twice": "leaf issuer b c d issuer b c d",
    "stranger at the end": "leaf issuer b c d stranger",
    "stranger between": "leaf issuer stranger b c d",
    "stranger first": "leaf stranger issuer b c d",
}
for title, order in ORDERS.items():
    row(f"order: {title}", sent=order.split(), **FOUR)
row("order: one is missing", 11, ISSUER, sent="leaf issuer b d".split(), **FOUR)
STRANGERS = {
    "with an unknown critical extension": {"more": extension("1.3.6.1.4.1.55555.1", b"\5\0", True)},
    "signed by SHA-224": {"digest": "sha224"},
    "signed by SHA-1": {"digest": "sha1"},
    "of another curve": {"key": "secp256k1"},
    "of Ed25519": {"key": "ed25519"},
    "that has ended": PAST,
    "for mail": {"eku": eku(EMAIL)},
    "with constraints": {"constraints": constraints([dns("corp.example")])},
}
for title, stranger in STRANGERS.items():
    row(f"stranger {title}", sent=("leaf", "issuer", "stranger"), stranger=stranger)
    row(f"stranger {title}, first", sent=("leaf", "stranger", "issuer"), stranger=stranger)
for depth in (1, 2, 3, 5, 8, 9, 12, 20):
    links = {f"i{n}": {"by": f"i{n + 1}" if n < depth else "root"} for n in range(1, depth + 1)}
    row(
        f"depth: {depth}",
        *([0] if depth <= 8 else [11, "more than 8 issuers"]),  # MBEDTLS_X509_MAX_INTERMEDIATE_CA
        sent=["leaf", *links],
        leaf={"by": "i1"},
        **links,
    )

# ---- anchors -------------------------------------------------------------------------------------

SELF = {"by": "leaf"}
row("anchor: the issuer", anchors=("issuer",), sent=("leaf",))
row("anchor: the issuer, sent too", anchors=("issuer",))
row("anchor: the leaf", anchors=("leaf",), sent=("leaf",))
row("anchor: the leaf, its issuer sent", anchors=("leaf",))
row("anchor: a leaf that signed itself", anchors=("leaf",), sent=("leaf",), leaf=SELF)
row(
    "anchor: a leaf that signed itself, an authority",
    anchors=("leaf",),
    sent=("leaf",),
    leaf={**SELF, "basic": basic(), "usage": usage("signature", "certificates")},
)
row(
    "anchor: a leaf for another host",
    11,
    NAME,
    anchors=("leaf",),
    sent=("leaf",),
    leaf=SELF,
    host="a.example",
)
row(
    "anchor: a leaf that has ended",
    11,
    DATES,
    anchors=("leaf",),
    sent=("leaf",),
    leaf={**SELF, **PAST},
)
row(
    "anchor: a leaf for mail",
    11,
    USE,
    anchors=("leaf",),
    sent=("leaf",),
    leaf={**SELF, "eku": eku(EMAIL)},
)
row("a leaf that signed itself", 11, ISSUER, "The leaf", sent=("leaf",), leaf=SELF)
row(
    "a leaf that signed itself, with the name of the anchor",
    11,
    ISSUER,
    sent=("leaf",),
    leaf={**SELF, "subject": "The root"},
)
NAMESAKES = {f"other{n}": {"subject": "The root"} for n in (1, 2, 3)}
row("anchors of one name, the last is it", anchors=(*NAMESAKES, "root"), **NAMESAKES)
row("anchors of one name, the first is it", anchors=("root", *NAMESAKES), **NAMESAKES)
row("anchors of one name, none is it", 11, ISSUER, anchors=NAMESAKES, **NAMESAKES)
row("anchors: one thirty times", anchors=["root"] * 30)
OLD_ROOT = {"of": "root", "subject": "The root", **PAST}
row("anchors: an ended twin first", anchors=("old", "root"), old=OLD_ROOT)
row("anchors: an ended twin last", anchors=("root", "old"), old=OLD_ROOT)
row("anchors: only the ended twin", 11, DATES, anchors=("old",), old=OLD_ROOT)
OLD = {"by": "root", "of": "issuer", "subject": "The issuer", **PAST}
row("an ended twin of the issuer first", sent=("leaf", "old", "issuer"), old=OLD)
row("an ended twin of the issuer last", sent=("leaf", "issuer", "old"), old=OLD)
CROSS = {"cross": {"by": "new", "of": "root", "subject": "The root"}, "new": {}}
row(
    "cross-signed root, the new anchor", sent=("leaf", "issuer", "cross"), anchors=("new",), **CROSS
)
row("cross-signed root, the old anchor", sent=("leaf", "issuer", "cross"), **CROSS)
row("cross-signed root, both", sent=("leaf", "issuer", "cross"), anchors=("new", "root"), **CROSS)
row(
    "cross-signed root, neither",
    11,
    ISSUER,
    sent=("leaf", "issuer", "cross"),
    anchors=("other",),
    other={},
    **CROSS,
)
TWIN = {"twin": {"by": "new", "of": "issuer", "subject": "The issuer"}, "new": {}}
row("cross-signed issuer, the good one first", sent=("leaf", "issuer", "twin"), **TWIN)
# mbedTLS picks the first issuer whose key fits, and does not try another.
row("cross-signed issuer, the good one last", 11, ISSUER, sent=("leaf", "twin", "issuer"), **TWIN)
row(
    "two that signed each other",
    11,
    ISSUER,
    sent=("leaf", "issuer", "upper"),
    issuer={"by": "upper"},
    upper={"by": "issuer"},
)


# ---- the server ----------------------------------------------------------------------------------


class Server:
    """A proxy that connects to itself: it answers CONNECT to any host, speaks TLS with one chain,
    and answers each POST with success. Counts connections and requests."""

    def __init__(self, chain, version):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.set_ciphers("DEFAULT:@SECLEVEL=0")  # weak certificates are part of the tests
        self.context.minimum_version = self.context.maximum_version = version
        self.context.load_cert_chain(chain)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.connections, self.requests = 0, []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            self.connections += 1
            connection.settimeout(20)
            try:
                self.serve(connection)
            except OSError:
                pass  # the command has refused the chain
            finally:
                connection.close()

    def serve(self, connection):
        self.head(connection)
        connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        with self.context.wrap_socket(connection, server_side=True) as tls:
            head = self.head(tls)
            if head:
                self.requests.append(head)
                tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                tls.recv(1)  # its close_notify

    @staticmethod
    def head(connection):
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                break
            data += more
        return data

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(30)


# Certificates that mbedTLS's own parser refuses, or skips although one is the leaf. If it is the
# only parser (GUEST), the chain may be refused for that reason, in other words; still nothing is
# sent.
REFUSED_BY_PARSER = re.compile(
    "constraint|critical unknown|precertificate|critical inhibit|critical policy|use of nothing"
    "|name: address (as text|of three|and its)|of month 13|no date|SHA-3|brainpool|p224|[eE]d25519"
    "|another algorithm inside|stranger with an unknown"
)
# Curves that only such an mbedTLS may have; its own default profile accepts them as strong enough.
CURVE_OF_GUEST = re.compile("brainpool")

# One row for each place that checks a chain, for the boards under an emulator.
BOARD = {
    "plain",
    "issuer: use emailProtection",
    "issuer: constraint: permitted, above the name",
    "issuer: constraint: IPv4, not permitted, by one bit",
    "root: constraint: excluded, above the name",
    "name: wildcard of the top",
    "leaf: has ended",
    "leaf: signed by RSA-PSS and sha384",
    "issuer: p521",
    "order: shuffled",
}
assert BOARD <= set(ROWS)


@pytest.mark.sweep(80)
@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize(
    "title",
    [pytest.param(each, marks=pytest.mark.board if each in BOARD else ()) for each in ROWS],
)
def test_chain(rekey, title, version):
    code, words, host, sent, anchors, described = ROWS[title]
    codes = set(code) if isinstance(code, set) else {code}
    may_be_refused = GUEST and REFUSED_BY_PARSER.search(title) is not None
    if GUEST and CURVE_OF_GUEST.search(title):
        codes |= {0}
    chain = described if isinstance(described, Chain) else usual(**described)
    pem = "".join(chain[name].pem for name in sent)
    (rekey.directory / "chain.pem").write_bytes(pem_of_key(chain[sent[0]].key) + pem.encode())
    (rekey.directory / "ca.pem").write_text("".join(chain[name].pem for name in anchors))
    number = ssl.TLSVersion.TLSv1_2 if version == "1.2" else ssl.TLSVersion.TLSv1_3
    server = Server(rekey.directory / "chain.pem", number)
    try:
        result = rekey.run(
            "regenerate",
            *("--management-url", f"https://{host}", "--proxy", f"http://127.0.0.1:{server.port}"),
            *("--ca-file", "ca.pem", "--subscription", SUBSCRIPTION),
            *("--timeout", 3 * SLOW),
            *("-g", GROUP, "-w", WORKSPACE, "-n", "endpoint", "--key-type", "primary"),
            code=tuple(codes | {11} if may_be_refused else codes),
        )
    finally:
        server.close()
    if result.code == 0:
        assert len(server.requests) == 1
        return
    assert server.requests == [] and server.connections == 1, result.err
    if may_be_refused and result.code == 11:
        return
    for word in words:
        assert re.search(word, result.err), f"none of {word!r} is in:\n{result.err}"
    if result.code == 15:
        assert re.search(r"LIMITS=REKEY_ARENA_SIZE=\d+", result.err), result.err
