"""Makes the certificates of the peer of the porters' kit: a trust anchor, ca.pem, and a chain with
its key, NAME.pem, for each way in which a certificate can be valid or not.
"""

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


def date(year):
    return datetime.datetime(year, 1, 1)


def name_of(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def sign(subject, key, issuer, issuer_key, names=None, first=2024, last=2049):
    """Makes a certificate; without names, one of an authority."""
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
        + ("encipher_only", "decipher_only"),
        False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(name_of(subject))
        .issuer_name(name_of(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(date(first))
        .not_valid_after(date(last))
        .add_extension(x509.BasicConstraints(names is None, None), True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=names is not None,
                key_cert_sign=names is None,
                crl_sign=names is None,
                **usage,
            ),
            True,
        )
    )
    if names is not None:
        usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        builder = builder.add_extension(usages, False)
    return builder.sign(issuer_key, hashes.SHA256())


def pem_of(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def make(directory, hosts, address):
    """The valid chain is for `hosts` and the IP address `address`."""
    directory.mkdir(parents=True, exist_ok=True)
    root_key, other_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    root, other = "rekey port check root", "another root"
    dns = [x509.DNSName(host) for host in hosts]
    ip = [x509.IPAddress(ipaddress.ip_address(address))]
    rows = {
        "good": sign(hosts[0], key, root, root_key, dns + ip),
        # The common name is the host's: only subjectAltName counts (RFC 9525 2).
        "wrong-name": sign(hosts[0], key, root, root_key, [x509.DNSName("other.example")]),
        "expired": sign(hosts[0], key, root, root_key, dns + ip, 2020, 2021),
        "not-yet": sign(hosts[0], key, root, root_key, dns + ip, 2048, 2049),
        "untrusted": sign(hosts[0], key, other, other_key, dns + ip),
        # It has the name of the trust anchor, but another key signed it.
        "impostor": sign(hosts[0], key, root, other_key, dns + ip),
        "self-signed": sign(hosts[0], key, hosts[0], key, dns + ip),
        # The text of an address as a dNSName is not an iPAddress.
        "no-address": sign(address, key, root, root_key, dns + [x509.DNSName(address)]),
    }
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    for name, certificate in rows.items():
        (directory / f"{name}.pem").write_bytes(private + pem_of(certificate))
    # Its issuer is trusted, but is not an authority.
    leaf_key = ec.generate_private_key(ec.SECP256R1())
    leaf = sign("a server", leaf_key, root, root_key, [x509.DNSName("a.example")])
    below = sign(hosts[0], key, "a server", leaf_key, dns + ip)
    (directory / "no-authority.pem").write_bytes(private + pem_of(below) + pem_of(leaf))
    anchor = sign(root, root_key, root, root_key)
    (directory / "ca.pem").write_bytes(pem_of(anchor))
    (directory / "ca.der").write_bytes(anchor.public_bytes(serialization.Encoding.DER))
