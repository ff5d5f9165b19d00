"""Which servers the command trusts: the forms of a bundle of trust anchors, the ways to give one,
and the forms of a chain. The server and the certificates of these tests are made here."""

import contextlib
import datetime
import hashlib
import ipaddress
import os
import random
import re
import socket
import ssl
import subprocess
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.name import _ASN1Type as Kind
from cryptography.x509.oid import ExtendedKeyUsageOID as Usage
from cryptography.x509.oid import NameOID, ObjectIdentifier

from conftest import BUILD, CERTS, EXEC, GROUP, GUEST, SLOW, SUBSCRIPTION, WORKSPACE

HOST = "localhost"

pytestmark = pytest.mark.filterwarnings("ignore:SHA1 signatures")

# ---- certificates --------------------------------------------------------------------------------

KEYS = {}


def key(name):
    """A key is made once for each name, so that a certificate can be issued twice for one key."""
    if name not in KEYS:
        KEYS[name] = ec.generate_private_key(ec.SECP256R1())
    return KEYS[name]


def dn(common, kind=Kind.UTF8String, country="XX"):
    return x509.Name(
        [x509.NameAttribute(NameOID.COUNTRY_NAME, country)]
        + ([x509.NameAttribute(NameOID.COMMON_NAME, common, _type=kind)] if common else [])
    )


def names(*values):
    """A subjectAltName: host names, addresses, or GeneralNames."""
    found = []
    for value in values:
        if not isinstance(value, str):
            found.append(value)
        elif re.fullmatch(r"ip:.*", value):
            found.append(x509.IPAddress(ipaddress.ip_address(value[3:])))
        else:
            found.append(x509.DNSName(value))
    return x509.SubjectAlternativeName(found)


def usage(**given):
    all_of = dict.fromkeys(
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement "
        "key_cert_sign crl_sign encipher_only decipher_only".split(),
        False,
    )
    return x509.KeyUsage(**{**all_of, **given})


def certificate(
    subject,
    issuer,
    ca=True,
    san=None,
    more=(),
    digest=hashes.SHA256,
    days=(-1000, 5000),
    issuer_name=None,
    subject_name=None,
):
    """For the key `subject`, signed by the key `issuer`; the names are those of the keys. more:
    pairs of an extension and whether it is critical."""
    now = datetime.datetime.utcnow()
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject_name or dn(subject))
        .issuer_name(issuer_name or dn(issuer))
        .public_key(key(subject).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=days[0]))
        .not_valid_after(now + datetime.timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca, None), True)
    )
    if san is not None:
        builder = builder.add_extension(san, False)
    for extension, critical in more:
        builder = builder.add_extension(extension, critical)
    return builder.sign(key(issuer), digest())


def pem(*certificates):
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates).decode()


def leaf(issuer="issuer", san=names(HOST, "ip:127.0.0.1"), **more):
    return certificate("leaf", issuer, ca=False, san=san, **more)


# ---- a server ------------------------------------------------------------------------------------


class Server:
    """Lists keys, over TLS with one chain; records the requests."""

    ANSWER = b'{"primaryKey":"one","secondaryKey":"two"}'

    def __init__(self, chain, version, folder):
        self.told, self.connections = [], 0
        file = folder / "chain.pem"
        secret = key("leaf").private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        file.write_bytes(secret + pem(*chain).encode())
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.set_ciphers("DEFAULT@SECLEVEL=0")
        self.context.minimum_version = self.context.maximum_version = version
        self.context.load_cert_chain(file)
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.sock.accept()
                self.connections += 1
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(20)
                    with self.context.wrap_socket(connection, server_side=True) as tls:
                        self.told.append(tls.recv(8192))
                        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(self.ANSWER)
                        tls.sendall(head + self.ANSWER)

    def close(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        self.thread.join(20)


VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@pytest.fixture
def ask(rekey):
    """Lists the keys of a server with this chain. code 0: the server is trusted; any other code: it
    must be refused, after one connection and before it was sent anything."""
    (rekey.directory / "token").write_text("a.b.c")

    def run(chain, anchors, code=0, version="1.2", says=(), host=HOST, options=(), **more):
        server = Server(chain, VERSIONS[version], rekey.directory)
        if isinstance(anchors, str):
            (rekey.directory / "anchors").write_text(anchors, newline="", encoding="utf-8")
            options = [*options, "--ca-file", "anchors"]
        where = ["--subscription", SUBSCRIPTION, "-g", GROUP, "-w", WORKSPACE, "-n", "e"]
        arguments = ["--management-url", f"https://{host}:{server.port}", *where, *options]
        arguments += ["--token-file", "token"]
        try:
            result = rekey.run("list-keys", *arguments, code=code, shows=("keys",), **more)
        finally:
            server.close()
        if code == 0:
            assert "two" in result.out and len(server.told) == 1
        else:
            result.says(*says)
            assert not any(server.told) and server.connections <= 1
        return result

    return run


@pytest.fixture(params=VERSIONS)
def version(request):
    return request.param


# ---- forms of a bundle ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def root():
    return certificate("root", "root")


@pytest.fixture(scope="module")
def plain(root):
    """A usual chain to that anchor."""
    return [leaf(), certificate("issuer", "root")]


def labelled(label):
    return lambda text: text.replace(" CERTIFICATE", f" {label}")


BEGIN, END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"

WRITTEN = {
    "plain": lambda text: text,
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "CR": lambda text: text.replace("\n", "\r"),
    "no end of the last line": lambda text: text.rstrip("\n"),
    "space after BEGIN": lambda text: text.replace(BEGIN, BEGIN + " "),
    "tab after END": lambda text: text.replace(END, END + "\t"),
    "space after a line": lambda text: text.replace("\n", " \n", 3),
    "blank before lines": lambda text: text.replace("\nMII", "\n MII"),
    "indented": lambda text: re.sub("^", "    ", text, flags=re.M),
    "BOM": lambda text: "\ufeff" + text,
    "BOM within": lambda text: "# a file\n\ufeff" + text,
    "empty lines": lambda text: text.replace("\n", "\n\n"),
    "one line of base64": lambda text: BEGIN + "\n" + text[28:-27].replace("\n", "") + "\n" + END,
    "one line": lambda text: text.replace("\n", ""),
    "76 columns": lambda text: re.sub("(.{76})", "\\1\n", text.replace("\n", " ")),
    "X509 CERTIFICATE": labelled("X509 CERTIFICATE"),
    "joined to another": lambda text: text.rstrip("\n") + text,
    "joined to a damaged one": lambda text: text.replace("MII", "M*I").rstrip("\n") + text,
    "after one that was cut": lambda text: text[:200] + "\n" + text,
    "after a key": lambda text: "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"
    + text,
    "after text": lambda text: "# \xe9 text - ----- of some kind\n" + "x" * 5000 + "\n" + text,
    "after NUL": lambda text: "\0" * 100 + "\n" + text,
    "a hundred times": lambda text: text * 100,
    "after a hundred of its name": lambda text: text * 50 + pem(certificate("root", "root")) * 50,
}


@pytest.mark.parametrize("way", WRITTEN)
def test_how_a_bundle_is_written(ask, root, plain, way):
    ask(plain, WRITTEN[way](pem(root)))


@pytest.mark.parametrize("way", ["plain", "space after a line", "BOM within", "joined to another"])
def test_it_is_the_last_of_a_bundle(ask, root, plain, way):
    ask(plain, (CERTS / "bundle.pem").read_text() + WRITTEN[way](pem(root)))


def test_the_label_of_openssl(ask, root, plain, tmp_path):
    """With its list of purposes after the certificate."""
    (tmp_path / "root.pem").write_text(pem(root))
    command = ["openssl", "x509", "-in", tmp_path / "root.pem", "-trustout", "-addtrust"]
    trusted = subprocess.run([*command, "serverAuth"], check=True, capture_output=True, text=True)
    assert "TRUSTED CERTIFICATE" in trusted.stdout
    ask(plain, trusted.stdout * 100)


NOT_READ = {
    "damaged": lambda text: text.replace("MII", "M*I"),
    "cut off": lambda text: text[:300],
    "too long": lambda text: BEGIN + "\n" + "MIIF" + "A" * 20000 + "\n" + END + "\n",
    "no certificate": lambda text: BEGIN + "\naGVsbG8=\n" + END + "\n",
}


@pytest.mark.parametrize("way", NOT_READ)
def test_what_cannot_be_read_is_counted(ask, root, plain, way):
    """If it is the only one, and if another anchor is not the right one."""
    text = NOT_READ[way](pem(root)).rstrip("\n") + "\n"
    ask(plain, text, code=11, says=["'anchors'", "no usable PEM certificate", "bytes: 1)"])
    says = ["CN=root is not among the trust anchors", "cannot be read, and were passed over: 2"]
    ask(plain, text + text + pem(certificate("other", "other")), code=11, says=says)


@pytest.mark.parametrize("way", ["commented out", "only its markers", "UTF-16", "another label"])
def test_what_is_not_an_anchor(ask, root, plain, way):
    text = {
        "commented out": re.sub("^", "# ", pem(root), flags=re.M),
        "only its markers": pem(root).replace("-----B", "#-----B").replace("-----E", "#-----E"),
        "UTF-16": "\0".join(pem(root)),
        "another label": labelled("CERTIFICATE REQUEST")(pem(root)),
    }[way]
    ask(plain, text, code=11, says=["it contains no PEM certificate"])


# ---- ways to give a bundle -----------------------------------------------------------------------


@contextlib.contextmanager
def written(fd, pieces, pause=0.0):
    """Writes pieces into a pipe while the block runs."""

    def write():
        with contextlib.suppress(OSError), os.fdopen(fd, "wb") as file:
            for piece in pieces:
                file.write(piece)
                file.flush()
                time.sleep(pause)

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    yield
    thread.join(20)


@pytest.mark.parametrize("pieces", [1, 7, 300], ids=["at once", "slowly", "in 300 pieces"])
def test_a_pipe_is_read_once(ask, root, plain, pieces):
    """As in --ca-file <(cat ca.pem). The chain needs the anchors twice."""
    text = ((CERTS / "bundle.pem").read_text() + pem(root)).encode()
    step = len(text) // pieces + 1
    reader, writer = os.pipe()
    parts = [text[at : at + step] for at in range(0, len(text), step)]
    with written(writer, parts, 0.05 if pieces == 7 else 0):
        ask(plain, None, options=["--ca-file", f"/dev/fd/{reader}"], pass_fds=[reader])
    os.close(reader)


def test_standard_input(ask, root, plain):
    ask(plain, None, options=["--ca-file", "/dev/stdin"], stdin=pem(root).encode())


def test_a_named_pipe_with_a_late_writer(ask, rekey, root, plain):
    os.mkfifo(rekey.directory / "pipe")

    def write():
        time.sleep(0.3)
        (rekey.directory / "pipe").write_text(pem(root))

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    ask(plain, None, options=["--ca-file", "pipe"])
    thread.join(20)


@pytest.mark.parametrize(
    "pieces, options, text",
    [
        ([b"x" * 65536] * 65, [], "File too large"),
        ([b"# no certificate\n"], [], "no PEM certificate"),
        ([], [], "no PEM certificate"),
        ([b"x"] * 20, ["--timeout", "1"], "before the limit (--timeout)"),
    ],
    ids=["4 MB", "text", "empty", "no end"],
)
def test_a_pipe_with_no_anchor(ask, plain, pieces, options, text):
    reader, writer = os.pipe()
    start = time.monotonic()
    with written(writer, pieces, 0.1 if options else 0):
        given = ["--ca-file", f"/dev/fd/{reader}", *options]
        ask(plain, None, code=11, says=[text], options=given, pass_fds=[reader])
        os.close(reader)
    assert time.monotonic() - start < 6 * SLOW


# ---- 1,000 bundles, compared with OpenSSL --------------------------------------------------------

SEED, BUNDLES = 20261130, 1000


def bundle(pick, certificates):
    """A bundle; the complete certificates in it; and the reason why OpenSSL reads it differently
    from rekey, if it does."""
    text, whole, reasons = "", set(), set()
    for _ in range(pick.randint(1, 8)):
        chosen = pick.choice(certificates)
        one = pem(chosen)
        how = pick.randint(0, 15)
        if how == 0:
            one = one.replace("\n", " \n")
        elif how == 1:
            one = one.replace("\n", "\t\n", pick.randint(1, 5))
        elif how == 2:
            one = one.replace("\n", "\r\n")
        elif how == 3:
            one = labelled("X509 CERTIFICATE")(one)
        elif how == 4:
            lines = one.split("\n")
            one = "\n".join([lines[0], "".join(lines[1:-2]), lines[-2], ""])
        elif how == 5:
            one = re.sub("^", " " * pick.randint(1, 4), one, flags=re.M)
            reasons.add("indented: OpenSSL passes the block over")
        elif how == 6:
            one = one.rstrip("\n")
            reasons.add("joined: OpenSSL refuses the file, or loses a certificate")
        elif how == 7:
            at = pick.randint(30, len(one) - 40)
            one = one[:at] + "*" + one[at + 1 :]
            reasons.add("damaged: OpenSSL refuses the file")
        elif how == 8:
            one = one.replace("\n", "\r")
            reasons.add("CR: OpenSSL sees one long line")
        elif how == 9:
            one = one[: pick.randint(60, len(one) - 60)] + "\n"
            reasons.add("cut off: OpenSSL refuses the file")
        if how not in (7, 9):
            whole.add(chosen.fingerprint(hashes.SHA256()).hex())
        text += pick.choice(["", "", "# a comment\n", "\n\n", "subject=CN = x\n===\n", "-- \n"])
        if pick.randint(0, 30) == 0:
            text += "\ufeff"
            if text != "\ufeff":
                reasons.add("BOM within: OpenSSL passes the block over")
        text += one
    return text, whole, reasons


def openssl_reads(file):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(file)
    except ssl.SSLError:
        return None
    return {hashlib.sha256(each).hexdigest() for each in context.get_ca_certs(binary_form=True)}


def test_a_thousand_bundles(tmp_path, native):
    """rekey finds the complete certificates in them. OpenSSL finds the same ones, or there is one
    of the reasons above."""
    certificates = [certificate(f"anchor {n}", f"anchor {n}") for n in range(12)]
    pick = random.Random(SEED)
    files, given = [], []
    for number in range(BUNDLES):
        text, whole, reasons = bundle(pick, certificates)
        files.append(tmp_path / f"{number}.pem")
        files[-1].write_text(text, newline="", encoding="utf-8")
        given.append((whole, reasons))
    lines = subprocess.run(
        [*EXEC, BUILD / "anchors", *files], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert len(lines) == BUNDLES
    same = 0
    for file, line, (whole, reasons) in zip(files, lines, given):
        ours = set(line.partition("passed over: ")[0].split())
        theirs = openssl_reads(file)
        assert ours == whole, file
        if not reasons:
            assert ours == theirs, file
            same += 1
        elif theirs is not None:
            assert theirs <= ours, file
    assert same > BUNDLES / 8


# ---- chains that are trusted ---------------------------------------------------------------------


def constraints(permitted=None, excluded=None):
    return x509.NameConstraints(permitted, excluded)


def address(text):
    return x509.IPAddress(ipaddress.ip_network(text))


DNS = x509.DNSName
SERVER = x509.ExtendedKeyUsage([Usage.SERVER_AUTH, Usage.CLIENT_AUTH])
ANY = x509.ExtendedKeyUsage([Usage.ANY_EXTENDED_KEY_USAGE])
MAIL = x509.ExtendedKeyUsage([Usage.EMAIL_PROTECTION])
CODE = x509.ExtendedKeyUsage([Usage.CODE_SIGNING])
BOTH = names(HOST, "ip:127.0.0.1")

# Of each: the leaf, the issuers in the order in which they are sent, the anchors, and the host if
# it is another one.
GOOD = {
    "SHA-1 root": lambda: (
        [leaf(), certificate("issuer", "root")],
        [certificate("root", "root", digest=hashes.SHA1)],
    ),
    "SHA-1 root sent along": lambda: (
        [leaf(), certificate("issuer", "root"), certificate("root", "root", digest=hashes.SHA1)],
        [certificate("root", "root")],
    ),
    "SHA-224 root": lambda: ([leaf("root")], [certificate("root", "root", digest=hashes.SHA224)]),
    "issuer in another string": lambda: (
        [leaf("root", issuer_name=dn("root", Kind.PrintableString))],
        [certificate("root", "root")],
    ),
    "issuer in another case": lambda: (
        [leaf("root", issuer_name=dn("ROOT"))],
        [certificate("root", "root")],
    ),
    "both, of an issuer that is sent": lambda: (
        [leaf(issuer_name=dn("ISSUER", Kind.PrintableString)), certificate("issuer", "root")],
        [certificate("root", "root")],
    ),
    "server usage": lambda: (
        [leaf(more=[(SERVER, False)]), certificate("issuer", "root", more=[(SERVER, True)])],
        [certificate("root", "root", more=[(ANY, False)])],
    ),
    "permitted, critical": lambda: (
        [
            leaf(),
            certificate(
                "issuer", "root", more=[(constraints([DNS(HOST), address("127.0.0.0/8")]), True)]
            ),
        ],
        [certificate("root", "root")],
    ),
    "permitted by a critical anchor": lambda: (
        [leaf(), certificate("issuer", "root")],
        [certificate("root", "root", more=[(constraints([DNS(HOST)]), True)])],
    ),
    "another excluded": lambda: (
        [
            leaf(),
            certificate("issuer", "root", more=[(constraints(None, [DNS("example.com")]), False)]),
        ],
        [certificate("root", "root")],
    ),
    "directory names permitted": lambda: (
        [
            leaf(),
            certificate(
                "issuer",
                "root",
                more=[(constraints([DNS(HOST), x509.DirectoryName(dn(""))]), True)],
            ),
        ],
        [certificate("root", "root")],
    ),
    "mail constrained, no mail": lambda: (
        [
            leaf(),
            certificate(
                "issuer", "root", more=[(constraints([x509.RFC822Name("example.com")]), True)]
            ),
        ],
        [certificate("root", "root")],
    ),
    "by address": lambda: ([leaf("root")], [certificate("root", "root")], "127.0.0.1"),
    "reversed": lambda: (
        [leaf("b"), certificate("r", "r"), certificate("a", "r"), certificate("b", "a")],
        [certificate("r", "r")],
    ),
    "an unrelated one between": lambda: (
        [
            leaf(),
            certificate("x", "x", more=[(x509.PolicyConstraints(3, None), True)]),
            certificate("issuer", "root"),
        ],
        [certificate("root", "root")],
    ),
    "twice the same issuer": lambda: (
        [leaf()] + [certificate("issuer", "root")] * 2,
        [certificate("root", "root")],
    ),
    "leaf is an anchor": lambda: ([leaf_once()], [leaf_once()]),
    "self-signed leaf is an anchor": lambda: ([self_signed()], [self_signed()]),
    "eight issuers": lambda: (
        [leaf("i8")]
        + [certificate(f"i{n}", f"i{n - 1}" if n > 1 else "root") for n in range(8, 0, -1)],
        [certificate("root", "root")],
    ),
    "anchor of the same name first": lambda: (
        [leaf("root")],
        [
            certificate("twin", "twin", subject_name=dn("root"), issuer_name=dn("root")),
            certificate("root", "root"),
        ],
    ),
    "expired twin of the anchor": lambda: (
        [leaf("root")],
        [certificate("root", "root", days=(-2000, -1000)), certificate("root", "root")],
    ),
}

ONCE = {}


def leaf_once():
    return ONCE.setdefault("leaf", leaf("nobody"))


def self_signed():
    return ONCE.setdefault(
        "self",
        certificate(
            "leaf", "leaf", ca=False, san=BOTH, more=[(usage(digital_signature=True), True)]
        ),
    )


# The error of mbedTLS's own parser if that is the only one (GUEST) and stops there.
UNREAD = ["the server sent a certificate that mbedTLS cannot read"]
GOOD_BUT_UNREAD = [
    "permitted, critical",
    "directory names permitted",
    "mail constrained, no mail",
    "an unrelated one between",
]


@pytest.mark.parametrize("kind", GOOD)
def test_chains_that_are_trusted(ask, kind, version):
    chain, anchors, *host = GOOD[kind]()
    unread = {"code": 11, "says": UNREAD} if GUEST and kind in GOOD_BUT_UNREAD else {}
    ask(chain, pem(*anchors), version=version, host=host[0] if host else HOST, **unread)


# ---- chains that are not trusted -----------------------------------------------------------------


def under(more=(), anchor=(), **of_leaf):
    """A chain with extensions of the issuer and of the anchor, and more properties of the leaf."""
    return (
        [leaf(**of_leaf), certificate("issuer", "root", more=list(more))],
        [certificate("root", "root", more=list(anchor))],
    )


# Of each: chain and anchors, and words of the error.
BAD = {
    # S1: what the issuer is allowed to do
    "mail": (lambda: under([(MAIL, False)]), ["extended key usage", "issuer"]),
    "code, critical": (
        lambda: under([(CODE, True)]),
        ["an issuer's extended key usage does not allow it to certify servers"],
    ),
    "mail at the anchor": (lambda: under(anchor=[(MAIL, False)]), ["extended key usage"]),
    "not permitted": (
        lambda: under([(constraints([DNS("corp.example")]), False)]),
        ["name constraints do not permit"],
    ),
    "excluded": (
        lambda: under([(constraints(None, [DNS(HOST)]), False)]),
        ["name constraints do not permit"],
    ),
    "not permitted, critical": (
        lambda: under([(constraints([DNS("corp.example")]), True)]),
        ["name constraints do not permit"],
    ),
    "not permitted by the anchor": (
        lambda: under(anchor=[(constraints([DNS("corp.example")]), False)]),
        ["name constraints do not permit"],
    ),
    "excluded by a critical anchor": (
        lambda: under(anchor=[(constraints(None, [DNS(HOST)]), True)]),
        ["name constraints do not permit"],
    ),
    "one name of two": (
        lambda: under([(constraints([DNS(HOST)]), True)], san=names(HOST, "other.example")),
        ["name constraints do not permit"],
    ),
    "address": (
        lambda: under([(constraints([address("10.0.0.0/8")]), True)]),
        ["name constraints do not permit"],
    ),
    "address, excluded": (
        lambda: under([(constraints(None, [address("127.0.0.0/8")]), True)]),
        ["name constraints do not permit"],
    ),
    "directory": (
        lambda: under([(constraints([x509.DirectoryName(dn("", country="DE"))]), True)]),
        ["name constraints do not permit"],
    ),
    "URI": (
        lambda: under(
            [(constraints([x509.UniformResourceIdentifier("example.com")]), False)],
            san=names(HOST, x509.UniformResourceIdentifier("https://example.com/")),
        ),
        ["cannot be evaluated"],
    ),
    # S8: names
    "no subjectAltName": (lambda: under(san=None, subject_name=dn(HOST)), ["no subjectAltName"]),
    "another name": (lambda: under(san=names("other.example")), ["not for localhost"]),
    # S6: the leaf, signatures, extensions
    "leaf for mail": (
        lambda: bad_leaf([(MAIL, False)]),
        ["its extended key usage is not that of a server"],
    ),
    "leaf for certificates": (
        lambda: bad_leaf([(usage(key_cert_sign=True), True)]),
        ["key usage has no digitalSignature"],
    ),
    "leaf with an unknown extension": (
        lambda: bad_leaf(
            [(x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)]
        ),
        ["it has a critical extension that this build cannot evaluate", "SHA-256"],
    ),
    "issuer with an unknown extension": (
        lambda: under(
            [(x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)]
        ),
        ["critical extension", "CN=issuer"],
    ),
    "issuer with policy constraints": (
        lambda: under([(x509.PolicyConstraints(3, None), True)]),
        ["critical extension", "CN=issuer"],
    ),
    "anchor with an unknown extension": (
        lambda: under(
            anchor=[(x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)]
        ),
        ["critical extension", "CN=root"],
    ),
    "leaf signed with SHA-1": (
        lambda: under(digest=hashes.SHA1),
        ["signed with SHA-1", "CN=issuer"],
    ),
    "leaf signed with SHA-224": (
        lambda: under(digest=hashes.SHA224),
        ["algorithm that is not accepted"],
    ),
    "issuer signed with SHA-1": (
        lambda: (
            [leaf(), certificate("issuer", "root", digest=hashes.SHA1)],
            [certificate("root", "root")],
        ),
        ["signed with SHA-1", "CN=root"],
    ),
    "nine issuers": (
        lambda: (
            [leaf("i9")]
            + [certificate(f"i{n}", f"i{n - 1}" if n > 1 else "root") for n in range(9, 0, -1)],
            [certificate("root", "root")],
        ),
        ["more than 8 issuers", "were sent: 9"],
    ),
    "expired leaf that is an anchor": (
        lambda: ([expired_once()], [expired_once()]),
        ["it is valid from"],
    ),
    "issuer that is not a CA": (
        lambda: ([leaf(), certificate("issuer", "root", ca=False)], [certificate("root", "root")]),
        ["not among the trust anchors"],
    ),
}


def bad_leaf(more):
    return [leaf(more=more), certificate("issuer", "root")], [certificate("root", "root")]


def expired_once():
    return ONCE.setdefault("expired", leaf("nobody", days=(-100, -10)))


BAD_AND_UNREAD = {
    "not permitted, critical": UNREAD,
    "one name of two": UNREAD,
    "address": UNREAD,
    "address, excluded": UNREAD,
    "directory": UNREAD,
    "leaf with an unknown extension": UNREAD,
    "issuer with an unknown extension": UNREAD,
    "issuer with policy constraints": UNREAD,
    "nine issuers": ["more than 8 issuers"],
}
assert BAD_AND_UNREAD.keys() <= BAD.keys()


@pytest.mark.parametrize("kind", BAD)
def test_chains_that_are_not(ask, kind, version):
    if kind == "leaf for certificates" and version == "1.2":
        pytest.skip("OpenSSL's server refuses to use such a certificate itself")
    make, says = BAD[kind]
    if GUEST:
        says = BAD_AND_UNREAD.get(kind, says)
    chain, anchors = make()
    ask(chain, pem(*anchors), code=11, version=version, says=says)


@pytest.mark.parametrize("name", ["127.0.0.1", "*.0.0.1"])
def test_an_address_is_not_a_host_name(ask, root, version, name):
    chain = [leaf("root", san=names(name))]
    ask(chain, pem(root), code=11, version=version, host="127.0.0.1", says=["not for 127.0.0.1"])
