"""Certificate chains for test_chains.py, encoded here byte by byte (X.690, RFC 5280), so that the
tests can have certificates that no tool would issue. A chain is described by its certificates. Each
has a name in the test, a signer (`by`), and the properties in which it differs from a usual
certificate in its place. Keys of elliptic curves are made for each run. RSA keys are made once and
kept in build/chains."""

import base64
import dataclasses
import functools
import ipaddress
import os
import tempfile

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from conftest import ROOT

KEYS = ROOT / "build/chains"

# ---- DER -----------------------------------------------------------------------------------------


def tlv(tag, *parts):
    content = b"".join(parts)
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def sequence(*parts):
    return tlv(0x30, *parts)


def oid(text):
    first, second, *rest = map(int, text.split("."))
    octets = bytearray([40 * first + second])
    for number in rest:
        groups = [number & 127]
        while number > 127:
            number >>= 7
            groups.insert(0, 128 | number & 127)
        octets += bytes(groups)
    return tlv(6, bytes(octets))


def integer(number):
    return tlv(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def bits(content, unused=0):
    return tlv(3, bytes([unused]), content)


def date(text):
    """20500101000000Z, or with a year of two digits (UTCTime)."""
    return tlv(0x18 if len(text) == 15 else 0x17, text.encode())


UTF8, PRINTABLE = 0x0C, 0x13


def distinguished(common_name, kind=UTF8):
    text = common_name.encode() if isinstance(common_name, str) else common_name
    return sequence(tlv(0x31, sequence(oid("2.5.4.3"), tlv(kind, text))))


# ---- extensions (RFC 5280, 4.2) ------------------------------------------------------------------

TRUE = tlv(1, b"\xff")
SERVER, CLIENT, CODE, EMAIL = (f"1.3.6.1.5.5.7.3.{number}" for number in (1, 2, 3, 4))
ANY = "2.5.29.37.0"


def extension(name, value, critical=False):
    return sequence(oid(name), TRUE if critical else b"", tlv(4, value))


def basic(ca=True, path=None, critical=True):
    parts = [TRUE] if ca else []
    parts += [] if path is None else [integer(path)]
    return extension("2.5.29.19", sequence(*parts), critical)


USAGES = [
    "signature",
    "nonrepudiation",
    "encipherment",
    "data",
    "agreement",
    "certificates",
    "crls",
]


def usage(*names, critical=True):
    octet = sum(128 >> USAGES.index(each) for each in names)
    unused = (octet & -octet).bit_length() - 1 if octet else 0
    return extension("2.5.29.15", bits(bytes([octet]), unused), critical)


def eku(*purposes, critical=False):
    return extension("2.5.29.37", sequence(*map(oid, purposes)), critical)


def text(value):
    return value.encode() if isinstance(value, str) else value


def dns(name):
    return tlv(0x82, text(name))


def email(name):
    return tlv(0x81, text(name))


def uri(name):
    return tlv(0x86, text(name))


def address(name):
    return tlv(0x87, name if isinstance(name, bytes) else ipaddress.ip_address(name).packed)


def network(name):
    """An address and a mask, as a name constraint has them."""
    net = ipaddress.ip_network(name)
    return tlv(0x87, net.network_address.packed, net.netmask.packed)


def directory(common_name):
    return tlv(0xA4, distinguished(common_name))


def other_name():
    return tlv(0xA0, oid("1.3.6.1.4.1.311.20.2.3"), tlv(0xA0, tlv(UTF8, b"device@example.com")))


def names(*general_names, critical=False):
    return extension("2.5.29.17", sequence(*general_names), critical)


def constraints(permitted=(), excluded=(), critical=True, more=b""):
    """more: the bytes after the base in each subtree."""
    subtrees = [
        tlv(tag, *(sequence(base, more) for base in bases))
        for tag, bases in ((0xA0, permitted), (0xA1, excluded))
        if bases
    ]
    return extension("2.5.29.30", sequence(*subtrees), critical)


# ---- keys and signatures -------------------------------------------------------------------------

CURVES = {
    "p224": ec.SECP224R1,
    "p256": ec.SECP256R1,
    "p384": ec.SECP384R1,
    "p521": ec.SECP521R1,
    "secp256k1": ec.SECP256K1,
    "brainpool": ec.BrainpoolP256R1,
}


@functools.lru_cache(maxsize=None)
def key(kind, owner=""):
    """kind: a curve, ed25519, rsa2048 (also with an exponent: rsa2048e3). All certificates share
    the RSA key of a kind."""
    if kind in CURVES:
        return ec.generate_private_key(CURVES[kind]())
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    path = KEYS / f"{kind}.pem"
    if not path.exists():
        size, _, exponent = kind.removeprefix("rsa").partition("e")
        made = rsa.generate_private_key(int(exponent or 65537), int(size))
        KEYS.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=KEYS, delete=False) as file:
            file.write(pem_of_key(made))
        os.replace(file.name, path)  # complete, even if two runs make it at the same time
    return serialization.load_pem_private_key(path.read_bytes(), None)


def pem_of_key(private):
    return private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


# Hash: its name, and the last numbers of the object ids "with RSA" and "ECDSA with".
HASHES = {
    "md5": (hashes.MD5(), "1.2.840.113549.1.1.4", None),
    "sha1": (hashes.SHA1(), "1.2.840.113549.1.1.5", "1.2.840.10045.4.1"),
    "sha224": (hashes.SHA224(), "1.2.840.113549.1.1.14", "1.2.840.10045.4.3.1"),
    "sha256": (hashes.SHA256(), "1.2.840.113549.1.1.11", "1.2.840.10045.4.3.2"),
    "sha384": (hashes.SHA384(), "1.2.840.113549.1.1.12", "1.2.840.10045.4.3.3"),
    "sha512": (hashes.SHA512(), "1.2.840.113549.1.1.13", "1.2.840.10045.4.3.4"),
    "sha3": (hashes.SHA3_256(), "2.16.840.1.101.3.4.3.14", "2.16.840.1.101.3.4.3.10"),
}
PLAIN_HASHES = {
    "sha1": "1.3.14.3.2.26",
    "sha256": "2.16.840.1.101.3.4.2.1",
    "sha384": "2.16.840.1.101.3.4.2.2",
    "sha512": "2.16.840.1.101.3.4.2.3",
}
PSS = "1.2.840.113549.1.1.10"
NULL = tlv(5)


def algorithm(private, digest, pss):
    """The AlgorithmIdentifier of signatures with this key."""
    made, rsa_oid, ec_oid = HASHES[digest]
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return sequence(oid("1.3.101.112"))
    if isinstance(private, ec.EllipticCurvePrivateKey):
        return sequence(oid(ec_oid))
    if not pss:
        return sequence(oid(rsa_oid), NULL)
    if digest == "sha1":  # the defaults
        return sequence(oid(PSS), sequence())
    one = sequence(oid(PLAIN_HASHES[digest]), NULL)
    mask = sequence(oid("1.2.840.113549.1.1.8"), one)
    salt = integer(made.digest_size)
    return sequence(oid(PSS), sequence(tlv(0xA0, one), tlv(0xA1, mask), tlv(0xA2, salt)))


def signature(private, data, digest, pss):
    made = HASHES[digest][0]
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return private.sign(data)
    if isinstance(private, ec.EllipticCurvePrivateKey):
        return private.sign(data, ec.ECDSA(made))
    if pss:
        return private.sign(data, padding.PSS(padding.MGF1(made), made.digest_size), made)
    return private.sign(data, padding.PKCS1v15(), made)


# ---- certificates --------------------------------------------------------------------------------


@dataclasses.dataclass
class Certificate:
    der: bytes
    key: object

    @property
    def pem(self):
        body = base64.encodebytes(self.der).decode()
        return f"-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n"


LEAF_NAMES = names(dns("www.example.com"))
AUTHORITY = {"basic": basic(), "usage": usage("certificates", "crls")}
LEAF = {
    "basic": basic(False),
    "usage": usage("signature"),
    "eku": eku(SERVER),
    "names": LEAF_NAMES,
}
EXTENSIONS = ("basic", "usage", "eku", "names", "constraints", "more", "last")


class Chain:
    """Certificates by their names, made on demand. The properties in which a certificate can differ:

    by            the signer; the certificate itself if not given
    key           kind of its key, default p256; of: the certificate whose key it shares
    subject       its name, or DER; issuer: the name of the issuer that it states
    basic, usage, eku, names, constraints, more, last    extensions, None for none
    digest, pss   how it is signed; inside: the algorithm in the signed part
    begins, ends, version, spoiled (its signature is wrong), spki
    """

    def __init__(self, **described):
        self.described, self.made = described, {}

    def key(self, name):
        what = self.described[name]
        return self.key(what["of"]) if "of" in what else key(what.get("key", "p256"), name)

    def subject(self, name):
        what = self.described[name].get("subject", f"The {name}")
        return what if isinstance(what, bytes) else distinguished(what)

    def __getitem__(self, name):
        if name not in self.made:
            self.made[name] = self.certificate(name)
        return self.made[name]

    def certificate(self, name):
        what = self.described[name]
        by = what.get("by", name)
        usual = LEAF if name.startswith("leaf") else AUTHORITY
        given = [what.get(each, usual.get(each)) for each in EXTENSIONS]
        version = what.get("version", 3)
        extensions = tlv(0xA3, sequence(*filter(None, given))) if version == 3 else b""
        digest, pss = what.get("digest", "sha256"), what.get("pss", False)
        signs = algorithm(self.key(by), digest, pss)
        public = self.key(name).public_key()
        issuer = what.get("issuer", self.subject(by))
        signed = sequence(
            tlv(0xA0, integer(version - 1)) if version > 1 else b"",
            integer(int.from_bytes(os.urandom(8), "big")),
            what.get("inside", signs),
            issuer if isinstance(issuer, bytes) else distinguished(issuer),
            sequence(
                date(what.get("begins", "240101000000Z")), date(what.get("ends", "491231000000Z"))
            ),
            self.subject(name),
            what.get("spki")
            or public.public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            ),
            extensions,
        )
        value = bytearray(signature(self.key(by), signed, digest, pss))
        if what.get("spoiled"):
            value[len(value) // 2] ^= 1
        return Certificate(sequence(signed, signs, bits(bytes(value))), self.key(name))


def usual(**changes):
    """root <- issuer <- leaf, with these changes or additions, by name."""
    described = {"root": {}, "issuer": {"by": "root"}, "leaf": {"by": "issuer"}}
    for name, what in changes.items():
        described[name] = {**described.get(name, {}), **what}
    return Chain(**described)
