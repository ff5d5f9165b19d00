"""TLS in practice: versions, chains and trust anchors; every way in which a server can fail to
prove its identity, with the error for each; and how many connections and handshakes an operation
needs, as the stand-in counts them."""

import datetime
import hashlib
import re
import socket
import ssl
import subprocess

import pytest

from conftest import (
    ACCEPTED,
    ASYNC,
    CERTS,
    DONE,
    ENVIRONMENT,
    NOW,
    ROOT,
    RUNNING,
    SANITIZED,
    SLOW,
    TOKEN,
    error,
)

CLOSE = ["Connection", "close"]


# ---- servers that are trusted --------------------------------------------------------------------


@pytest.mark.parametrize(
    "listener, version",
    [
        ("main", "TLSv1.3"),
        ("tls13", "TLSv1.3"),
        ("tls12", "TLSv1.2"),
        ("tls12-noticket", "TLSv1.2"),
        pytest.param("ec", "TLSv1.3", marks=pytest.mark.board),
    ],
)
def test_versions_and_chains(arm, rekey, listener, version):
    """main: an RSA chain as long as Azure's (6 KB). ec: P-256, P-384, P-521."""
    name = arm.endpoint("three-polls")
    rekey.regenerate(name, listener=listener)
    handshakes = arm.handshakes(name)
    assert [each["tls"] for each in handshakes] == [version]
    assert handshakes[0]["sni"] == "localhost" and handshakes[0]["alpn"] == "http/1.1"
    assert not handshakes[0]["resumed"]


@pytest.mark.parametrize("bundle", ["ca.pem", "ca-all.pem", "bundle.pem", "bundle-same-name.pem"])
def test_trust_anchors(arm, rekey, bundle):
    """bundle.pem: the 121st anchor is the right one. bundle-same-name.pem: another anchor with the
    same name comes first."""
    name = arm.endpoint()
    rekey.regenerate(name, "--ca-file", CERTS / bundle)
    assert arm.keys(name)["regenerated"] == ["Primary"]


def test_text_and_damaged_certificates_in_a_bundle_are_passed_over(arm, rekey):
    ca = (CERTS / "ca.pem").read_text()
    damaged = ca.replace("MII", "M!I")
    (rekey.directory / "bundle").write_text(
        f"# text \xe9\n{'x' * 5000}\n{damaged}\r\n{ca[:300]}\n" + ca.replace("\n", "\r\n"),
        newline="",
    )
    rekey.regenerate(arm.endpoint(), "--ca-file", "bundle")


def test_ssl_cert_file(arm, rekey):
    name = arm.endpoint()
    options = [
        each for each in rekey.options(name) if each not in ("--ca-file", CERTS / "ca-all.pem")
    ]
    rekey.run(
        "regenerate",
        *options,
        "--key-type",
        "primary",
        code=0,
        name=name,
        env={"SSL_CERT_FILE": str(CERTS / "ca.pem")},
    )


def test_without_a_ca_file_the_usual_places_are_used(arm, rekey):
    """They do not have the test root. Whether or not this machine has a bundle, nothing is
    trusted."""
    name = arm.endpoint()
    options = [
        each for each in rekey.options(name) if each not in ("--ca-file", CERTS / "ca-all.pem")
    ]
    result = rekey.run("regenerate", *options, "--key-type", "primary", code=11, name=name)
    assert (
        "not among the trust anchors" in result.err
        or "/etc/ssl/certs/ca-certificates.crt" in result.err
    )
    assert arm.requests(name) == []


# ---- servers that are not trusted ----------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [None, "", "garbage\n" * 100, "-----BEGIN CERTIFICATE-----\n!!!\n"],
    ids=["missing", "empty", "garbage", "broken-off"],
)
def test_no_trust_anchors(arm, rekey, content):
    mark = arm.mark()
    if content is not None:
        (rekey.directory / "ca").write_text(content)
    result = rekey.regenerate(arm.endpoint(), "--ca-file", "ca", code=11)
    result.says("'ca'", "No such file" if content is None else "PEM certificate")
    assert arm.connections("main", mark) == []


# Listener: words of the error.
NOT_TRUSTED = {
    "unknown": ["Captive Portal Root", "captive portal?"],
    "selfsigned": ["CN=localhost", "not among the trust anchors"],
    "impostor": ["rekey test root"],
    "wronghost": ["another host name", "localhost"],
    "expired": ["2020-01-01", "2021-01-01"],
    "future": ["2048-01-01", "2049-12-31"],
}


@pytest.mark.parametrize(
    "listener",
    [
        pytest.param(each, marks=pytest.mark.board if each in ("unknown", "expired") else ())
        for each in NOT_TRUSTED
    ],
)
def test_not_trusted(arm, rekey, listener):
    name, mark = arm.endpoint(), arm.mark()
    result = rekey.regenerate(name, listener=listener, code=11)
    result.says(*NOT_TRUSTED[listener])
    if listener not in ("expired", "future"):
        first = (CERTS / f"{listener}.pem").read_text().partition(ssl.PEM_FOOTER)
        leaf = ssl.PEM_cert_to_DER_cert("".join(first[:2]))
        assert f"SHA-256 {hashlib.sha256(leaf).hexdigest().upper()}" in result.err
    events = arm.connections(listener, mark)
    assert [event["event"] for event in events if event["event"] in ("accept", "request")] == [
        "accept"
    ]


@pytest.mark.parametrize("listener", ["expired", "future"])
def test_dates_are_shown_beside_the_devices_clock(arm, rekey, listener):
    result = rekey.regenerate(arm.endpoint(), listener=listener, code=11)
    shown = re.search(r"clock says (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)Z", result.err)[1]
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    assert abs(now - datetime.datetime.fromisoformat(shown)) < datetime.timedelta(seconds=30)


def test_a_name_that_is_not_in_the_certificate(arm, rekey):
    """The host is the address of the listener wronghost; its certificate is for other.example, and
    has no IP address."""
    rekey.regenerate(arm.endpoint(), "--management-url", arm.url("wronghost", "127.0.0.1"), code=11)


def test_a_clock_that_was_never_set(arm, rekey, preload):
    mark = arm.mark()
    years = str(-20 * 365 * 86400)
    result = rekey.regenerate(arm.endpoint(), env=preload("clock", CLOCK_SHIFT=years), code=11)
    result.says("the clock was never set", "the device's clock says 20")
    assert arm.connections("main", mark) == []


def test_a_clock_that_is_far_ahead(arm, rekey, preload):
    year = datetime.datetime.now().year + 30
    result = rekey.regenerate(
        arm.endpoint(), env=preload("clock", CLOCK_SHIFT=str(30 * 366 * 86400)), code=11
    )
    result.says("validity dates", f"the device's clock says {year}")


def test_a_clock_that_is_an_hour_wrong_does_no_harm(arm, rekey, preload):
    rekey.regenerate(arm.endpoint("three-polls"), env=preload("clock", CLOCK_SHIFT="3600"))


def test_clock_never_set_while_waiting_is_13(arm, rekey, preload):
    """docs/service.md 7.2: there is a polling URL."""
    name = arm.endpoint("forever")
    rekey.regenerate(name, "--no-wait", "--operation-file", "op", code=13)
    rekey.wait("op", env=preload("clock", CLOCK_SHIFT=str(-20 * 365 * 86400)), code=13, name=name)


# ---- servers without TLS, or with broken TLS -----------------------------------------------------


@pytest.mark.parametrize(
    "listener, text",
    [("tls11", "the server refuses the handshake"), ("garbage", "does not speak TLS")],
)
def test_servers_without_proper_tls(arm, rekey, listener, text):
    mark = arm.mark()
    result = rekey.regenerate(arm.endpoint(), "--timeout", "1", listener=listener, code=10)
    result.says(text)
    events = arm.connections(listener, mark)
    assert events and not any(event["event"] in ("handshake", "request") for event in events)


def test_a_handshake_that_stalls(arm, rekey):
    mark = arm.mark()
    result = rekey.regenerate(arm.endpoint(), "--connect-timeout", "1", listener="plain", code=10)
    result.says("connect timeout")
    assert 0.95 <= result.seconds < 1 + 0.8 * SLOW
    assert (
        len([event for event in arm.connections("plain", mark) if event["event"] == "accept"]) == 1
    )


def test_a_handshake_that_is_cut_short(arm, rekey, main_put_back):
    """The attempt is repeated with backoff: nothing was sent."""
    cut = {"raw": "\x16\x03\x03", "before_handshake": True, "then": "abort"}
    arm.control("PUT", "/scenario/@main", {"connect": [cut]})
    name = arm.endpoint()
    rekey.regenerate(name)
    assert arm.counts(name) == (1, 0)


# ---- connections and handshakes ------------------------------------------------------------------


def connections(events):
    """Of each connection: (resumed, its requests), in order."""
    order = {}
    for event in events:
        if event["event"] == "handshake":
            order[event["connection"]] = (event["resumed"], [])
        if event["event"] == "request":
            order[event["connection"]][1].append(event["kind"])
    return list(order.values())


@pytest.mark.board
@pytest.mark.parametrize("listener", ["tls12", "tls13"])
def test_three_polls_take_one_handshake(arm, rekey, listener):
    name = arm.endpoint("three-polls")
    rekey.regenerate(name, listener=listener)
    assert connections(arm.log(name)) == [(False, ["post", "async", "async", "async"])]


@pytest.mark.parametrize("listener", ["tls12", "tls13"])
def test_a_rotation_takes_one_full_handshake(arm, rekey, listener):
    """The POST has a connection of its own, over which the polls and the lists after it go."""
    name = arm.endpoint("three-polls")
    rekey.rotate(name, listener=listener)
    before = len(connections(arm.log(name)))
    rekey.rotate(name, listener=listener)
    assert connections(arm.log(name))[before:] == [
        (False, ["list"]),
        (True, ["post", "async", "async", "async", "list", "list"]),
    ]


@pytest.mark.parametrize("then", ["close", "reset", "abort"])
def test_a_list_on_a_connection_that_has_gone_is_repeated_at_once(arm, rekey, then):
    name = arm.endpoint()
    rekey.rotate(name)
    before = len(connections(arm.log(name)))
    arm.play(name=name, post=[{"then": then}])
    rekey.rotate(name)
    assert connections(arm.log(name))[before:] == [
        (False, ["list"]),
        (True, ["post"]),
        (True, ["list", "list"]),
    ]


@pytest.mark.parametrize("listener", ["tls12", "tls12-noticket", "tls13", "ec"])
def test_connection_close_takes_one_full_handshake(arm, rekey, listener):
    """The others resume the session: by ticket or by id in TLS 1.2, by ticket in 1.3."""
    name = arm.play(
        post=[{**ACCEPTED, "headers": [ASYNC, NOW, CLOSE]}],
        poll=[{**RUNNING, "headers": [NOW, CLOSE]}] * 2 + [{**DONE, "headers": [CLOSE]}],
    )
    rekey.regenerate(name, listener=listener)
    assert connections(arm.log(name)) == [
        (False, ["post"]),
        (True, ["async"]),
        (True, ["async"]),
        (True, ["async"]),
    ]


@pytest.mark.parametrize("then", ["close", "reset", "abort"])
def test_an_idle_connection_that_has_gone_costs_one_resumed_handshake(arm, rekey, then):
    name = arm.play(post=[{**ACCEPTED, "then": then}], poll=[RUNNING, DONE])
    rekey.regenerate(name, listener="tls12")
    assert connections(arm.log(name)) == [(False, ["post"]), (True, ["async", "async"])]


def test_a_repeated_post_goes_out_on_a_fresh_connection(arm, rekey):
    """docs/service.md 3.2: also if the connection stays open after the answer; the session is
    resumed."""
    name = arm.play(post=[error(429, NOW), error(503, NOW), ACCEPTED], poll=[RUNNING, DONE])
    rekey.regenerate(name)
    assert connections(arm.log(name)) == [
        (False, ["post"]),
        (True, ["post"]),
        (True, ["post", "async", "async"]),
    ]


def test_a_server_that_forgot_the_session_gets_a_full_handshake(arm, rekey, main_put_back):
    """A new certificate (a valid one: it stays server.pem) brings a new context with new ticket
    keys."""
    name = arm.play(
        post=[
            {
                **ACCEPTED,
                "headers": [ASYNC, NOW, CLOSE],
                "do_before": ["PUT /certificate/main?name=server"],
            }
        ],
        poll=[DONE],
    )
    rekey.regenerate(name)
    assert connections(arm.log(name)) == [(False, ["post"]), (False, ["async"])]


def test_a_certificate_that_changes_between_polls_is_verified_again(arm, rekey, main_put_back):
    name = arm.play(
        post=[
            {
                **ACCEPTED,
                "headers": [ASYNC, NOW, CLOSE],
                "do_before": ["PUT /certificate/main?name=unknown"],
            }
        ],
        poll=[DONE],
    )
    rekey.regenerate(name, code=13).says("captive portal?")
    assert arm.counts(name) == (1, 0)


def test_tls_is_ended_in_order(arm, rekey):
    """The command sends close_notify: the stand-in saw an orderly end."""
    name = arm.endpoint("three-polls")
    rekey.regenerate(name)
    ends = [event for event in arm.log(name) if event["event"] == "close"]
    assert [(each["by"], each["how"]) for each in ends] == [("client", "close_notify")]


@pytest.mark.owner
def test_a_full_arena_is_a_limit(arm, rekey, native):
    """It is not reported as an untrusted certificate, which is what mbedTLS makes of it. Needs a
    build of its own."""
    if SANITIZED:
        pytest.skip("the plain build is enough")
    command = [
        "make",
        "-s",
        "B=build/small-arena",
        "LIMITS=REKEY_ARENA_SIZE=36000",
        "build/small-arena/rekey",
    ]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    name = arm.endpoint()
    result = subprocess.run(
        [
            ROOT / "build/small-arena/rekey",
            "regenerate",
            *map(str, rekey.options(name)),
            "--key-type",
            "primary",
        ],
        env={**ENVIRONMENT, "AZURE_ACCESS_TOKEN": TOKEN},
        capture_output=True,
        text=True,
        timeout=60,
    )
    told = re.search(r"at least (\d+) needed, the limit is 36000; .*_SIZE=(\d+)`", result.stderr)
    assert result.returncode == 15 and told, result
    assert 36000 < int(told[1]) < 39800 < int(told[2]) < 65536, result.stderr  # see docs/memory.md
    assert arm.requests(name) == []


# ---- messages that the stand-in does not send ----------------------------------------------------


class OpenSsl:
    """openssl s_server with the certificate of the stand-in; it does what is typed on its standard
    input."""

    def __init__(self, *options):
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            self.port = sock.getsockname()[1]
        chain = ["-cert", "server.pem", "-cert_chain", "server.pem", "-key", "server.key"]
        self.popen = subprocess.Popen(
            ["openssl", "s_server", "-accept", f"127.0.0.1:{self.port}", *chain, *options],
            cwd=CERTS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
        )
        self.read_until(b"ACCEPT")

    def read_until(self, text):
        seen = b""
        while text not in seen:
            piece = self.popen.stdout.read(1)
            assert piece, seen
            seen += piece

    def type(self, text):
        self.popen.stdin.write(text)

    def close(self):
        self.popen.kill()
        self.popen.wait()
        self.popen.stdin.close()
        self.popen.stdout.close()


@pytest.fixture
def openssl():
    servers = []

    def start(*options):
        servers.append(OpenSsl(*options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.mark.parametrize(
    "version, command, says",
    [
        ("-tls1_3", b"k\n", "KeyUpdate"),
        ("-tls1_3", b"K\n", "KeyUpdate"),
        ("-tls1_2", b"R\n", "broke the connection off, with an alert"),
    ],
    ids=["KeyUpdate", "KeyUpdate, requested", "HelloRequest"],
)
def test_a_message_after_the_request(rekey, openssl, version, command, says):
    """mbedTLS cannot follow it. The key may have changed, and the error does not speak of a refused
    handshake."""
    server = openssl(version)
    url = f"https://localhost:{server.port}"
    process = rekey.start_regenerate("e", "--management-url", url, "--timeout", "10")
    server.read_until(b'"keyType"')
    server.read_until(b"}")
    server.type(command)
    result = rekey.finish(process, 12)
    result.says(says)
    assert "refuses the handshake" not in result.err


def test_a_cookie_of_the_server(rekey, openssl):
    """RFC 8446 4.2.2: the cookie is returned. Then comes OpenSSL's page about itself, which is not
    JSON."""
    server = openssl("-tls1_3", "-stateless", "-www")
    url = f"https://localhost:{server.port}"
    options = ["--management-url", url, "--timeout", "10"]
    rekey.run("show", *rekey.options("e"), *options, code=10).says("not JSON")
