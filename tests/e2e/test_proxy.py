"""Through a proxy, with CONNECT: real ones (squid and tinyproxy, from `boards/deps.sh peers`; their
settings are in front_ends/), and a scripted one for answers that the real ones do not give. The
tunnel carries the command's own TLS, which is checked as in all other tests."""

import base64
import re
import socket
import socketserver
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

from conftest import (
    ACCEPTED,
    ASYNC,
    DONE,
    PROXY_PASSWORD,
    PROXY_USER,
    RUNNING,
    SECOND_NAME,
    SLOW,
    wait_until,
)
from peer import Peer, skip_without
from test_credentials import identity, issued, regenerate, user_agent  # noqa: F401: fixtures
from test_network import pass_on

CREDENTIALS = f"{PROXY_USER}:{PROXY_PASSWORD}"
# The arguments of each, its path, and the form of a request's line in its log.
SERVERS = {
    "squid": (
        ["usr/sbin/squid", "-N", "-f"],
        # A connection without a request has a line as well: those of the test whether it is up.
        re.compile(r"^\d+ (\S+) (?!error:transaction-end-before-headers)(\S+)$", re.MULTILINE),
    ),
    "tinyproxy": (
        ["usr/bin/tinyproxy", "-d", "-c"],
        re.compile(r"Request \(file descriptor \d+\): (\S+) (\S+) HTTP", re.MULTILINE),
    ),
}


class Proxy(Peer):
    """A real proxy with two ports: `open` lets everybody through, `guarded` requires
    credentials."""

    def __init__(self, kind):
        self.folder = tempfile.TemporaryDirectory()  # squid runs as another user
        super().__init__(kind, SERVERS[kind][0], ("open", "guarded"), Path(self.folder.name))
        self.directory.chmod(0o777)
        (self.directory / "denied").write_text("^denied\\.test$\n")
        (self.directory / "none").write_text("{errno} {cause}\n")
        hashed = subprocess.run(
            ["openssl", "passwd", "-apr1", "-stdin"],
            input=PROXY_PASSWORD.encode(),
            stdout=subprocess.PIPE,
            check=True,
        )
        (self.directory / "users").write_text(f"{PROXY_USER}:{hashed.stdout.decode()}")
        for name in ("denied", "none", "users"):
            (self.directory / name).chmod(0o644)

    def launch(self):
        if self.kind == "squid":
            self.run(**self.ports)
        else:
            self.run(port=self.ports["open"], auth="")
            auth = f"BasicAuth {PROXY_USER} {PROXY_PASSWORD}"
            self.run(port=self.ports["guarded"], auth=auth)

    def url(self, door="open", credentials=None):
        return f"http://{credentials + '@' if credentials else ''}127.0.0.1:{self.ports[door]}"

    def visits(self):
        """(method, target) of each request so far. squid writes a tunnel's line when the tunnel
        ends."""
        return SERVERS[self.kind][1].findall(self.text())

    def wait_for(self, count, since):
        """The requests after the first `since`, as soon as there are that many."""
        visits = wait_until(
            lambda: self.visits()[since:] if len(self.visits()) >= since + count else None,
            f"{count} requests in the log of {self.kind}",
        )
        assert len(visits) == count, visits
        return visits


@pytest.fixture(scope="module", params=SERVERS)
def proxy(request, tmp_path_factory):
    skip_without(request.param, SERVERS[request.param][0])
    one = Proxy(request.param)
    try:
        one.start()
        yield one
    finally:
        print(one.text())  # pytest shows it if a test failed
        one.stop()
        one.folder.cleanup()


@pytest.fixture
def credentials(tmp_path):
    """The file for --proxy-auth-file."""
    file = tmp_path / "proxy-auth"
    file.write_text(f"{CREDENTIALS}\n")
    return file


def target(arm, listener="main", host="localhost"):
    return f"{host}:{arm.ports[listener]}"


# ---- real proxies --------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["environment", "option", "userinfo", "file", "option and file"])
def test_an_operation(arm, rekey, proxy, credentials, how):
    """The whole operation goes over one tunnel."""
    door = "open" if how in ("environment", "option") else "guarded"
    url = proxy.url(door, CREDENTIALS if how == "userinfo" else None)
    arguments = ["--proxy", url] if "option" in how else []
    env = {} if arguments else {"https_proxy": url}
    if "file" in how:
        arguments += ["--proxy-auth-file", credentials]
    since, name = len(proxy.visits()), arm.endpoint("three-polls")
    rekey.regenerate(name, *arguments, env=env)
    assert arm.counts(name) == (1, 3) and len(arm.handshakes(name)) == 1
    assert arm.handshakes(name)[0]["sni"] == "localhost"
    assert proxy.wait_for(1, since) == [("CONNECT", target(arm))]


@pytest.mark.parametrize("listener", ["tls12", "tls13"])
def test_a_session_is_resumed_through_it(arm, rekey, proxy, listener):
    """Each connection has a tunnel of its own."""
    accepted = {**ACCEPTED, "headers": [*ACCEPTED["headers"], ["Connection", "close"]]}
    name, since = arm.play(post=[accepted], poll=[RUNNING, DONE]), len(proxy.visits())
    rekey.regenerate(name, listener=listener, env={"https_proxy": proxy.url()})
    assert [each["resumed"] for each in arm.handshakes(name)] == [False, True]
    assert proxy.wait_for(2, since) == [("CONNECT", target(arm, listener))] * 2


def test_a_token_is_asked_for_through_it(arm, regenerate, identity, proxy):  # noqa: F811
    who, name, since = identity("secret"), issued(arm, "ok-200"), len(proxy.visits())
    url = proxy.url("guarded", CREDENTIALS)
    regenerate(who, name, env={"HTTPS_PROXY": url})
    assert who.used(name) == [0]
    assert proxy.wait_for(2, since) == [
        ("CONNECT", target(arm, "authority")),
        ("CONNECT", target(arm)),
    ]


@pytest.mark.parametrize("kind", ["imds", "arc"])
def test_managed_identities_are_not_asked_through_it(
    arm, regenerate, identity, proxy, kind  # noqa: F811
):
    who, name, since = identity(kind), issued(arm, "ok-200"), len(proxy.visits())
    names = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
    regenerate(who, name, env=dict.fromkeys(names, proxy.url()))
    assert who.used(name) == [0]
    assert proxy.wait_for(1, since) == [("CONNECT", target(arm))]


def test_an_operation_that_another_process_began(arm, rekey, proxy, credentials):
    name = arm.play(post=[{**ACCEPTED, "headers": [ASYNC, ["Retry-After", "2"]]}], poll=[DONE])
    options = ["--proxy", proxy.url("guarded"), "--proxy-auth-file", credentials]
    result = rekey.regenerate(name, "--no-wait", "--operation-file", "op", *options, code=13)
    result.says(f" --proxy '{proxy.url('guarded')}' --proxy-auth-file '{credentials}'")
    rekey.wait("op", *options, name=name)
    assert arm.counts(name) == (1, 1)


MISSING = "407: it requires credentials (--proxy-auth-file)"
WRONG = {"squid": "407: it refused the credentials", "tinyproxy": "401"}


@pytest.mark.parametrize("given", [None, "x:y"])
def test_credentials_that_are_missing_or_wrong(arm, rekey, proxy, given):
    """One error, and no second attempt."""
    name, since = arm.endpoint(), len(proxy.visits())
    env = {"https_proxy": proxy.url("guarded", given)}
    result = rekey.regenerate(name, env=env, code=10)
    text = f"answered CONNECT with {WRONG[proxy.kind] if given else MISSING}"
    result.says("the proxy did not open a tunnel: 127.0.0.1:", text)
    assert result.seconds < 2 * SLOW and arm.requests(name) == []
    assert len(proxy.wait_for(1, since)) == 1


def test_a_target_that_is_denied(arm, rekey, proxy):
    since = len(proxy.visits())
    url = f"https://denied.test:{arm.ports['main']}"
    result = rekey.regenerate(
        arm.endpoint(), "--management-url", url, env={"https_proxy": proxy.url()}, code=10
    )
    result.says("the proxy did not open a tunnel: 127.0.0.1:", "answered CONNECT with 403")
    assert len(proxy.wait_for(1, since)) == 1


def test_a_target_that_cannot_be_reached(arm, rekey, proxy):
    """The attempt is repeated, as after a refused connection."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{closed.getsockname()[1]}"
        result = rekey.regenerate(
            arm.endpoint(),
            "--management-url",
            url,
            "--timeout",
            "2",
            env={"https_proxy": proxy.url()},
            code=10,
        )
    status = {"squid": 503, "tinyproxy": 500}[proxy.kind]
    text = f"the proxy could not reach the host: 127.0.0.1:{proxy.ports['open']}"
    result.says(f"{text} answered CONNECT with {status}")


def test_the_password_is_nowhere_while_it_runs(arm, rekey, proxy):
    """conftest.py looks at the command line and the environment of a process that runs for a
    second, whichever variable has the password."""
    name = arm.play(post=[{**ACCEPTED, "headers": [ASYNC, ["Retry-After", "3"]]}], poll=[DONE])
    url = proxy.url("guarded", CREDENTIALS)
    names = ("https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy", "http_proxy", "HTTP_PROXY")
    rekey.regenerate(name, "-v", env=dict.fromkeys(names, url))
    assert arm.counts(name) == (1, 1)
    rekey.regenerate(name, "-v", "--proxy", proxy.url(), env=dict.fromkeys(names, url))


# ---- a scripted proxy ----------------------------------------------------------------------------

OPEN = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Script(socketserver.ThreadingTCPServer):
    """Plays an answer for each connection, and repeats the last one: a list of pieces, which are
    bytes to send, seconds to wait, "tunnel" or "stall". After the list the connection is closed. A
    tunnel always leads to a listener of the stand-in, no matter which host is asked for."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, arm):
        super().__init__(("127.0.0.1", 0), None)
        self.arm, self.answers, self.heads = arm, [[OPEN, "tunnel"]], []
        self.done = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def env(self):
        return {"https_proxy": self.url}

    def finish_request(self, request, client_address):
        answer = self.answers[min(len(self.heads), len(self.answers) - 1)]
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            data = request.recv(1)
            if not data:
                return
            head += data
        self.heads.append(head.decode())
        try:
            for piece in answer:
                if isinstance(piece, bytes):
                    request.sendall(piece)
                elif piece == "stall":
                    self.done.wait(60)
                elif piece == "tunnel":
                    self.tunnel(request, int(head.split()[1].rpartition(b":")[2]))
                else:
                    self.done.wait(piece)
        except OSError:
            pass

    def tunnel(self, request, port):
        with socket.create_connection(("127.0.0.1", port)) as sink:
            back = threading.Thread(target=pass_on, args=(sink, request), daemon=True)
            back.start()
            pass_on(request, sink)
            back.join()

    def targets(self):
        return [head.split()[1] for head in self.heads]


@pytest.fixture
def script(arm):
    with Script(arm) as server:
        yield server
        server.done.set()
        server.shutdown()


def test_the_request(arm, rekey, script):
    """The password has all possible characters, percent-encoded in the environment."""
    url = script.url.replace("//", f"//d%C3%A9vice:p%40s:%2F%25{PROXY_PASSWORD}%FF@")
    rekey.regenerate(arm.endpoint(), env={"https_proxy": url})
    password = f"p@s:/%{PROXY_PASSWORD}".encode() + b"\xff"
    basic = base64.b64encode("dévice:".encode() + password).decode()
    assert script.heads == [
        f"CONNECT {target(arm)} HTTP/1.1\r\nHost: {target(arm)}\r\n"
        f"User-Agent: {user_agent(rekey)}\r\nProxy-Authorization: Basic {basic}\r\n\r\n"
    ]


@pytest.mark.parametrize(
    "userinfo, sent",
    [
        ("user:100%", "user:100%"),
        ("user:50%off", "user:50%off"),
        ("user:a%2", "user:a%2"),
        ("user:%%41%", "user:%A%"),
        ("%:%zz%4", "%:%zz%4"),
        ("a%2:b", "a%2:b"),
        ("a%2@b:c", "a%2@b:c"),
        ("user", "user:"),
        ("user:", "user:"),
        ("a%", "a%:"),
        ("a%3Ab", "a:b"),
        ("", ":"),
        (":password", ":password"),
        ("x" * 215, "x" * 215 + ":"),
    ],
)
@pytest.mark.parametrize("scheme", ["http://", ""])
def test_what_userinfo_means(arm, rekey, script, userinfo, sent, scheme):
    """The same as for curl, also if it is malformed."""
    url = f"{scheme}{userinfo}@{script.url[7:]}"
    rekey.regenerate(arm.endpoint(), env={"https_proxy": url})
    assert f"Basic {base64.b64encode(sent.encode()).decode()}\r\n" in script.heads[0]


@pytest.mark.parametrize("length", [1, 2, 3, 216])
def test_credentials_of_a_file(arm, rekey, script, length):
    """All characters in which the two alphabets of Base64 differ, and all kinds of padding."""
    text = (":" + "?~>\xff\xbf" * 100)[:length].encode("latin-1")
    (rekey.directory / "auth").write_bytes(text + b"\r\n")
    rekey.regenerate(arm.endpoint(), "--proxy-auth-file", "auth", env=script.env)
    assert (
        f"\r\nProxy-Authorization: Basic {base64.b64encode(text).decode()}\r\n" in script.heads[0]
    )


def test_nothing_on_the_heap(arm, rekey, script, preload, tmp_path):
    url = script.url.replace("//", f"//{CREDENTIALS}@")
    env = preload("heap", HEAP_REPORT=str(tmp_path / "heap"), https_proxy=url)
    rekey.regenerate(arm.endpoint("three-polls"), "-v", env=env)
    assert (tmp_path / "heap").read_text() == "heap allocations: 0\n"


def test_the_proxy_looks_the_host_up(arm, rekey, script):
    """Only the proxy can resolve the name; the certificate is for the name, not for the proxy."""
    name = arm.endpoint()
    url = arm.url(host=SECOND_NAME)
    rekey.regenerate(name, "--management-url", url, env=script.env)
    assert arm.handshakes(name)[0]["sni"] == SECOND_NAME
    assert script.targets() == [target(arm, host=SECOND_NAME)]


def test_tls_is_end_to_end(arm, rekey, script):
    """A proxy that connects to another host."""
    url = arm.url(host="elsewhere.test")
    result = rekey.regenerate(arm.endpoint(), "--management-url", url, env=script.env, code=11)
    result.says("another host name", "elsewhere.test")


def test_an_address_of_ipv6(arm, rekey, script):
    script.answers = [[b"HTTP/1.1 403 Forbidden\r\n\r\n"]]
    url = f"https://[::1]:{arm.ports['main']}"
    rekey.regenerate(arm.endpoint(), "--management-url", url, env=script.env, code=10)
    assert script.targets() == [target(arm, host="[::1]")]


HUGE = b"".join(b"X-%d: %s\r\n" % (number, b"x" * 400) for number in range(100))
TUNNELS = {
    "another 2xx": [b"HTTP/1.1 204 No Content\r\n\r\n", "tunnel"],
    "HTTP/1.0": [b"HTTP/1.0 200 OK\r\nProxy-agent: x\r\n\r\n", "tunnel"],
    **{
        f"framing {framing}": [b"HTTP/1.1 200 OK\r\n%s\r\n\r\n" % framing, "tunnel"]
        for framing in (
            b"Content-Length: 10",
            b"Content-Length: 0",
            b"Content-Length: -1",
            b"Content-Length:",
            b"Content-Length: 99999999999",
            b"Content-Length: 1\r\nContent-Length: 2",
            b"Transfer-Encoding: chunked",
            b"Transfer-Encoding: gzip, chunked",
            b"Transfer-Encoding: identity",
            b"Transfer-Encoding: chunked\r\nContent-Length: 10",
        )
    },
    "chunked in HTTP/1.0": [b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "tunnel"],
    "interim": [b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + OPEN, "tunnel"],
    "slow": [each for byte in OPEN for each in (bytes([byte]), 0.005)] + ["tunnel"],
    "a large head": [OPEN[:-2] + HUGE + b"\r\n", "tunnel"],
}


@pytest.mark.parametrize("answer", TUNNELS)
def test_answers_that_open_a_tunnel(arm, rekey, script, answer):
    script.answers = [TUNNELS[answer]]
    name = arm.endpoint("three-polls")
    rekey.regenerate(name, env=script.env)
    assert arm.counts(name) == (1, 3) and len(script.heads) == 1


# The proxy's answer, and the words of the error. None is tried again.
REFUSALS = {
    "garbage": ([b"220 mail.example ESMTP\r\n"], "the status line is malformed"),
    "TLS": ([b"\x15\x03\x03\x00\x02\x02\x28"], "the status line is malformed"),
    "a folded line": ([OPEN[:-2] + b" x\r\n\r\n"], "a field line is malformed"),
    "more bytes": ([OPEN + b"hello"], "answered CONNECT with 200, followed by unexpected bytes"),
    "endless head": ([OPEN[:-2] + HUGE * 2], "the head is longer than REKEY_HEAD_MAX"),
    "many interim": ([b"HTTP/1.1 100 Continue\r\n\r\n" * 20], "more interim answers than"),
    "redirect": (
        [b"HTTP/1.1 302 Found\r\nLocation: http://login.test/\r\n\r\n"],
        "answered CONNECT with 302",
    ),
    "upgrade": ([b"HTTP/1.1 101 Switching Protocols\r\n\r\n"], "answered CONNECT with 101"),
    "bad request": ([b"HTTP/1.1 400 Bad\r\nContent-Length: 9\r\n\r\n"], "CONNECT with 400"),
    "no method": ([b"HTTP/1.1 405 \r\nContent-Length: 2\r\n\r\nno"], "CONNECT with 405"),
}


@pytest.mark.parametrize("answer", REFUSALS)
def test_answers_that_refuse(arm, rekey, script, answer):
    pieces, text = REFUSALS[answer]
    script.answers = [[*pieces, "stall"]]
    name = arm.endpoint()
    result = rekey.regenerate(name, "-o", "json", env=script.env, code=10)
    result.says("the proxy did not open a tunnel: 127.0.0.1:", text)
    assert (
        result.json["error"]["code"] == "REKEY_E_PROXY" and text in result.json["error"]["message"]
    )
    assert len(script.heads) == 1 and arm.requests(name) == []


# The rest of a 407 after the status line, and the words of the error, without credentials and with
# them.
NEEDED, WRONG_ONES = "it requires credentials (--proxy-auth-file)", "it refused the credentials"
NO_BASIC = "rekey supports only Basic"
SCHEMES = {
    "Proxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM": (False, "Negotiate, NTLM"),
    'Proxy-Authenticate: Digest realm="Basic, a", nonce=x': (False, "Digest"),
    "Proxy-Authenticate: Negotiate, Kerberos": (False, "Negotiate, Kerberos"),
    "Proxy-Authenticate: \x1b[31mNTLM": (None, ""),
    "Proxy-Authenticate: \x9bNTLM": (False, "\\xC2\\x9BNTLM"),
    "Proxy-Authenticate: NTLM, basic realm=x": (True, "NTLM, basic"),
    'Proxy-Authenticate: NTLM\r\nproxy-authenticate: Basic realm="x"': (True, "NTLM, Basic"),
    "Content-Length: -1\r\nProxy-Authenticate: Basic": (True, "Basic"),
    "Server: x": (True, ""),
}


@pytest.mark.parametrize("fields", SCHEMES)
@pytest.mark.parametrize("given", [False, True], ids=["without", "with"])
def test_the_schemes_that_it_offers(arm, rekey, script, credentials, fields, given):
    basic, schemes = SCHEMES[fields]
    script.answers = [[f"HTTP/1.1 407 x\r\n{fields}\r\n\r\n".encode()]]
    arguments = ["--proxy-auth-file", credentials] if given else []
    result = rekey.regenerate(arm.endpoint(), *arguments, env=script.env, code=10)
    if basic is None:
        result.says("a field line is malformed")
    else:
        text = (WRONG_ONES if given else NEEDED) + (f"; it offers {schemes}" if schemes else "")
        if not basic:
            text = f"it offers {schemes}; {NO_BASIC}"
        result.says(f"answered CONNECT with 407: {text} (", "correct the proxy's address or credentials")
    assert len(script.heads) == 1


@pytest.mark.parametrize("status", [403, 407])
def test_the_remedy_for_a_proxy_that_refuses(arm, rekey, script, status):
    """It names the host that the proxy must allow, and not the option that was given."""
    script.answers = [[b"HTTP/1.1 %d x\r\n\r\n" % status]]
    name, given = arm.endpoint(), ["--proxy", script.url]
    host = f"localhost:{arm.ports['main']}"
    remedy = f"correct the proxy's address or credentials, or let its rules allow {host}"
    found = rekey.run("check", *rekey.options(name), *given, code=10, name=name).out
    (route,) = [line for line in found.splitlines() if line.startswith("route: failed: ")]
    assert route.endswith(f"; {remedy}") and "give --proxy" not in route
    rekey.rotate(name, *given, code=10).says(f"rekey: {remedy}\n")


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_answers_after_which_it_is_tried_again(arm, rekey, script, status):
    script.answers = [[f"HTTP/1.1 {status} x\r\n\r\n".encode()], [OPEN, "tunnel"]]
    name = arm.endpoint()
    rekey.regenerate(name, env=script.env)
    assert arm.counts(name) == (1, 0) and len(script.heads) == 2


@pytest.mark.parametrize("pieces", [[], [OPEN[:20]]], ids=["at once", "half a head"])
def test_it_closes(arm, rekey, script, pieces):
    script.answers = [pieces, [OPEN, "tunnel"]]
    rekey.regenerate(arm.endpoint(), env=script.env)
    assert len(script.heads) == 2


def test_it_always_closes(arm, rekey, script):
    script.answers = [[]]
    result = rekey.regenerate(arm.endpoint(), env=script.env, code=10)
    result.says("the connection ended", f"the proxy {script.url[7:]}: no answer to CONNECT")
    assert len(script.heads) == 5


@pytest.mark.parametrize(
    "pieces", [["stall"], [each for byte in OPEN for each in (bytes([byte]), 0.5)]]
)
def test_it_does_not_answer_in_time(arm, rekey, script, pieces):
    """The connect timeout covers the tunnel, too."""
    script.answers = [pieces]
    result = rekey.regenerate(arm.endpoint(), "--connect-timeout", "1", env=script.env, code=10)
    result.says("connect timeout", f"the proxy {script.url[7:]}: no answer to CONNECT")
    assert 0.95 <= result.seconds < 1 + SLOW and len(script.heads) == 1


def test_a_tunnel_without_a_server(arm, rekey, script):
    """After the tunnel is open, errors are not the proxy's."""
    script.answers = [[OPEN, "stall"]]
    result = rekey.regenerate(arm.endpoint(), "--connect-timeout", "1", env=script.env, code=10)
    result.says("connect timeout (localhost")


def test_nobody_listens(arm, rekey):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{closed.getsockname()[1]}"
        result = rekey.regenerate(
            arm.endpoint(), "--timeout", "1", "--proxy", f"http://{where}", code=10
        )
    result.says("no connection to the host", f"the proxy {where}: Connection refused")


def test_a_proxy_whose_name_is_unknown(arm, rekey, namespace, etc):
    prefix = namespace("nm", f"ip link set lo up\n{etc()}")
    arguments = ["--timeout", "1", "--proxy", "http://nowhere.test"]
    result = rekey.regenerate(arm.endpoint(), *arguments, prefix=prefix, code=10)
    assert re.search("could not be resolved: the proxy nowhere.test|deadline", result.err)


@pytest.mark.parametrize("status, code", [(407, 13), (503, 0)])
def test_it_refuses_while_polls_are_due(arm, rekey, script, status, code):
    """The operation continues at the service; the user is told to run `rekey wait`."""
    accepted = {**ACCEPTED, "headers": [*ACCEPTED["headers"], ["Connection", "close"]]}
    name = arm.play(post=[accepted], poll=[DONE])
    refusal = [f"HTTP/1.1 {status} x\r\n\r\n".encode()]
    script.answers = [[OPEN, "tunnel"], refusal, [OPEN, "tunnel"]]
    rekey.regenerate(name, "--operation-file", "op", env=script.env, code=code)
    if code == 13:
        rekey.wait("op", env=script.env, name=name)
    assert arm.counts(name) == (1, 1) and len(script.heads) == 3


# ---- which proxy, and for what -------------------------------------------------------------------


@pytest.mark.parametrize(
    "excepted, listed",
    [
        (True, "*"),
        (True, "localhost"),
        (True, "LOCALHOST"),
        (True, ".localhost"),
        (True, "x.example, localhost"),
        (True, "localhost:{port}"),
        (False, "localhost:1"),
        (False, "ocalhost"),
        (False, "127.0.0.1"),
        (False, "a.localhost"),
        (False, ""),
    ],
)
def test_no_proxy(arm, rekey, script, excepted, listed):
    env = {**script.env, "NO_PROXY": listed.format(port=arm.ports["main"])}
    rekey.regenerate(arm.endpoint(), env=env)
    assert script.targets() == ([] if excepted else [target(arm)])


@pytest.mark.parametrize(
    "excepted, host, listed",
    [
        (True, "127.0.0.1", "127.0.0.1"),
        (True, "127.0.0.1", "127.0.0.0/8"),
        (False, "127.0.0.1", "127.0.0.2/31"),
        (False, "127.0.0.1", "0.0.1"),
        (True, "[::1]", "::1"),
        (True, "[::1]", "[::1]:{port}"),
        (True, "[::1]", "::/64"),
        (False, "[::1]", "::2,fd00::/8,0.0.0.0/0"),
    ],
)
def test_no_proxy_for_addresses(arm, rekey, script, excepted, host, listed):
    env = {**script.env, "NO_PROXY": listed.format(port=arm.ports["main"])}
    rekey.regenerate(arm.endpoint(), "--management-url", arm.url(host=host), env=env)
    assert script.targets() == ([] if excepted else [target(arm, host=host)])


def test_no_proxy_for_the_authority(arm, regenerate, identity, script):  # noqa: F811
    who, name = identity("secret"), issued(arm, "ok-200")
    regenerate(who, name, env={**script.env, "no_proxy": target(arm, "authority")})
    assert script.targets() == [target(arm)]


def test_lower_case_wins(arm, rekey, script):
    wrong, right = "http://127.0.0.1:1", script.url
    rekey.regenerate(arm.endpoint(), env={"https_proxy": right, "HTTPS_PROXY": wrong})
    rekey.regenerate(arm.endpoint(), env={"https_proxy": "", "HTTPS_PROXY": right})
    names = {"no_proxy": "x.example", "NO_PROXY": "localhost"}
    rekey.regenerate(arm.endpoint(), env={"https_proxy": right, **names})
    assert len(script.heads) == 3
    rekey.regenerate(arm.endpoint(), env={"https_proxy": right, **names, "no_proxy": ""})
    assert len(script.heads) == 3


def test_the_option_wins(arm, rekey, script):
    """The option also overrides a variable in the environment that is not valid; exceptions still
    apply."""
    env = {"https_proxy": f"socks5://{CREDENTIALS}@127.0.0.1:1"}
    rekey.regenerate(arm.endpoint(), "--proxy", f"{script.url}/", env=env)
    assert len(script.heads) == 1 and "Authorization" not in script.heads[0]
    env["no_proxy"] = "*"
    rekey.regenerate(arm.endpoint(), "--proxy", script.url, env=env)
    assert len(script.heads) == 1


def test_a_file_wins_over_userinfo(arm, rekey, script, credentials):
    url = script.url.replace("//", "//x:y@")
    rekey.regenerate(arm.endpoint(), "--proxy-auth-file", credentials, env={"https_proxy": url})
    assert f"Basic {base64.b64encode(CREDENTIALS.encode()).decode()}\r\n" in script.heads[0]


def test_other_variables_are_ignored(arm, rekey):
    mark = arm.mark()
    proxy = f"http://127.0.0.1:{arm.ports['forbidden']}"
    names = ("http_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY")
    result = rekey.regenerate(arm.endpoint(), "-v", env=dict.fromkeys(names, proxy))
    result.says("proxy: all_proxy is ignored", "proxy: ALL_PROXY is ignored")
    assert arm.forbidden(mark) == []


def test_verbose(arm, rekey, script):
    rekey.regenerate(arm.endpoint(), "-v", env=script.env).says(
        f"rekey: proxy: {script.url[7:]}, from https_proxy\n"
    )
    result = rekey.regenerate(arm.endpoint(), "-v", "--proxy", script.url, env={"NO_PROXY": "*"})
    result.says("from --proxy; not for the management host (NO_PROXY)")


def test_the_default_port(arm, rekey):
    """The message names the value given; nothing listens on port 80 of this address."""
    for url in ("http://127.0.0.77", "http://127.0.0.77/", "http://127.0.0.77:"):
        result = rekey.regenerate(arm.endpoint(), "--timeout", "1", "--proxy", url, code=10)
        result.says("the proxy 127.0.0.77", "Connection refused")


@pytest.mark.parametrize("form", ["{}", "{}/", "http://{}", "HTTP://{}/"])
def test_how_a_proxy_is_written(arm, rekey, script, form):
    url = form.format(script.url[7:])
    rekey.regenerate(arm.endpoint(), "--proxy", url)
    rekey.regenerate(arm.endpoint(), env={"HTTPS_PROXY": url})
    assert len(script.heads) == 2


def test_an_address_of_ipv6_without_a_scheme(arm, rekey):
    """The port is bound, but nothing listens."""
    with socket.socket(socket.AF_INET6) as closed:
        closed.bind(("::1", 0))
        url = f"[::1]:{closed.getsockname()[1]}"
        result = rekey.regenerate(arm.endpoint(), "--timeout", "1", "--proxy", url, code=10)
        result.says(f"the proxy {url}: Connection refused")


RULE = "http://HOST, http://HOST:PORT or HOST:PORT is needed"
URLS = {
    "https://proxy.example:3128": "https:// proxies are not supported",
    "HTTPS://proxy.example": "https:// proxies are not supported",
    "socks5://proxy.example": "socks proxies are not supported",
    "SOCKS5H://proxy.example": "socks proxies are not supported",
    "proxy.example": RULE,
    "proxy.example:": RULE,
    "proxy.example:0": RULE,
    "proxy.example:65536": RULE,
    "proxy.example:3128/path": RULE,
    "//proxy.example:3128": RULE,
    "://proxy.example:3128": RULE,
    "::1": RULE,
    "::1:3128": RULE,
    "[::1]": RULE,
    "ftp://proxy.example": RULE,
    "http:": RULE,
    "http:/proxy.example": RULE,
    "http://": RULE,
    "http://:3128": RULE,
    "http://proxy.example:0": RULE,
    "http://proxy.example:65536": RULE,
    "http://proxy.example:x": RULE,
    "http://proxy.example/path": RULE,
    "http://proxy.example?": RULE,
    "http://proxy example": RULE,
    "http://::1": RULE,
    "http://[::1": RULE,
    "http://" + "x" * 600: RULE,
    "x": RULE,
}


@pytest.mark.parametrize("url", URLS)
def test_urls_that_are_refused(arm, rekey, url):
    for arguments, env, name in (
        (["--proxy", url], {}, "--proxy"),
        ([], {"https_proxy": url}, "https_proxy"),
        ([], {"HTTPS_PROXY": url}, "HTTPS_PROXY"),
    ):
        result = rekey.regenerate(arm.endpoint(), *arguments, env=env, code=2)
        result.says(f"error: {name}: {URLS[url]}\n")


@pytest.mark.parametrize("userinfo", [CREDENTIALS, "user", "", f"a@b:{PROXY_PASSWORD}"])
def test_credentials_in_an_argument_are_refused(rekey, userinfo):
    """conftest.py looks for the password; here the user put it into the arguments."""
    for scheme in ("http://", ""):
        url = f"{scheme}{userinfo}@proxy.example:3128"
        result = rekey.start("token", "--proxy", url, token="t").end()
        assert result.code == 2 and PROXY_PASSWORD not in result.err + result.out
        result.says("--proxy: other users can see a password on the command line: use --proxy-auth-file")


@pytest.mark.parametrize("userinfo", [":" * 217, "x" * 216, "x" * 300, "x" * 600])
def test_values_that_are_not_credentials(arm, rekey, userinfo):
    result = rekey.regenerate(
        arm.endpoint(), env={"https_proxy": f"http://{userinfo}@p.example"}, code=2
    )
    result.says("error: https_proxy: ")


def test_files_that_are_not_credentials(arm, rekey, script):
    for content in ("", "user", "\n", "x:" + "y" * 215):
        (rekey.directory / "auth").write_text(content)
        arguments = ["--proxy", script.url, "--proxy-auth-file", "auth"]
        result = rekey.regenerate(arm.endpoint(), *arguments, code=2)
        result.says("--proxy-auth-file: user:password is needed")
    result = rekey.regenerate(arm.endpoint(), *arguments[:3], "missing", code=2)
    result.says("--proxy-auth-file 'missing': No such file or directory")
    rekey.regenerate(arm.endpoint(), *arguments[2:], code=2).says(
        "--proxy-auth-file: no proxy is configured"
    )
    assert script.heads == []
