"""Real web servers between the command and the stand-in service: each terminates TLS and passes
plain HTTP/1.1 on, and writes the answer in its own way. `boards/deps.sh peers` installs them; their
settings are in front_ends/. Each has six ports (`doors`):

main    TLS 1.2 and 1.3, keep-alive, gzip on
tls12   only TLS 1.2, and each connection is closed after one answer
tls13   only TLS 1.3, otherwise the same
idle    a connection without a request is closed after 0.2 s (lighttpd: 1 s, its minimum)
strict  a request with a head of more than 5 KB is refused, and the back end has a second to answer
dead    there is no back end
"""

import collections
import re
import signal
import socket
import ssl

import pytest

from conftest import (
    ACCEPTED,
    ASYNC,
    CERTS,
    DONE,
    GROUP,
    NOW,
    PROVIDER,
    RUNNING,
    SUBSCRIPTION,
    WORKSPACE,
    Rekey,
    error,
    header,
    wait_until,
)
from peer import PEERS, Peer, skip_without
from test_regenerate import AT_ONCE, check_success

DOORS = ["main", "tls12", "tls13", "idle", "strict", "dead"]
# The command that starts each in the foreground, as one process.
SERVERS = {
    "nginx": ["usr/sbin/nginx", "-e", "stderr", "-c"],
    "haproxy": ["usr/sbin/haproxy", "-db", "-f"],
    "apache2": ["usr/sbin/apache2", "-X", "-f"],
    "lighttpd": ["usr/sbin/lighttpd", "-D", "-m", PEERS / "usr/lib/lighttpd", "-f"],
}
# A line of a server's log: a request's x-ms-client-request-id, the client's port, the version of
# TLS, whether the session was resumed, the status. lighttpd logs neither of the two TLS fields.
Visit = collections.namedtuple("Visit", "id client tls resumed status")
VISIT = re.compile(r"^([0-9a-f-]{36}) (\d+) (TLSv\S+|-) (\S+) (\d{3})$", re.MULTILINE)
RESUMED = {"r": True, ".": False, "1": True, "0": False, "Resumed": True, "Initial": False}


class FrontEnd(Peer):
    """A server with the stand-in behind it. To the tests it looks like the stand-in itself."""

    def __init__(self, arm, kind, directory):
        self.arm = arm
        super().__init__(kind, SERVERS[kind], DOORS, directory)
        key = (CERTS / "server.pem").read_text() + (CERTS / "server.key").read_text()
        (directory / "server.pem").write_text(key)  # haproxy needs both in one file

    def __getattr__(self, name):
        return getattr(self.arm, name)

    def launch(self):
        behind, control = self.arm.ports["behind"], self.arm.port
        self.run(**self.ports, behind=behind, control=control, certs=CERTS)

    def url(self, door="main", host="localhost"):
        return f"https://{host}:{self.ports[door]}"

    def visits(self, name):
        """The server's log entries for an endpoint's requests, all of which reached the
        stand-in."""
        requests = self.requests(name)
        ids = {header(request, "x-ms-client-request-id") for request in requests}

        def logged():
            if self.kind == "lighttpd":
                self.processes[0][0].send_signal(signal.SIGHUP)  # flushes its log
            visits = [Visit(*each) for each in VISIT.findall(self.text()) if each[0] in ids]
            return visits if len(visits) == len(requests) else None

        return wait_until(logged, f"{len(requests)} requests in the log of {self.kind}")

    def connect(self, door, **versions):
        """A TLS connection made by the test."""
        context = ssl.create_default_context(cafile=CERTS / "ca.pem")
        for name, value in versions.items():
            setattr(context, name, value)
        plain = socket.create_connection(("127.0.0.1", self.ports[door]), timeout=20)
        return context.wrap_socket(plain, server_hostname="localhost")

    def ask(self, method, target, *headers):
        """The bytes of the answer to a request of the test."""
        head = [
            f"{method} {target} HTTP/1.1",
            f"Host: localhost:{self.ports['main']}",
            "Connection: close",
            *headers,
        ]
        with self.connect("main") as connection:
            connection.sendall("\r\n".join([*head, "", ""]).encode())
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode("latin-1")

    def ask_for_keys(self, name):
        """The same for the request with which the command lists an endpoint's keys."""
        return self.ask(
            "POST",
            f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/{PROVIDER}"
            f"/workspaces/{WORKSPACE}/onlineEndpoints/{name}/listKeys?api-version=2025-09-01",
            "Authorization: Bearer front",
            "Accept-Encoding: identity",
            "User-Agent: rekey/front",
            "x-ms-client-request-id: 00000000-0000-4000-8000-000000000000",
            "Content-Length: 0",
        )


@pytest.fixture(scope="module", params=SERVERS)
def front(request, arm, tmp_path_factory):
    skip_without(request.param, SERVERS[request.param])
    front = FrontEnd(arm, request.param, tmp_path_factory.mktemp(request.param))
    try:
        front.start()
        yield front
    finally:
        front.stop()
        print(front.text())  # pytest shows it if a test failed


@pytest.fixture
def rekey(front, tmp_path):
    """The command, with the front end as its service."""
    runner = Rekey(front, tmp_path)
    yield runner
    runner.clean_up()


def accepted(*headers):
    return {**ACCEPTED, "headers": list(headers)}


@pytest.fixture(scope="module")
def waiting(front, tmp_path_factory):
    """Runs that mostly wait, at the same time: {test: (endpoint, process)}."""
    runner = Rekey(front, tmp_path_factory.mktemp("waiting"))
    busy = [error(429, ["Retry-After", "1"]), error(503, NOW)]
    wait = ["Retry-After-Ms", "2500" if front.kind == "lighttpd" else "500"]
    doors = {
        "busy": ("main", front.play(post=[*busy, ACCEPTED], poll=[*busy, DONE])),
        "idle": ("idle", front.play(post=[accepted(ASYNC, wait)], poll=[RUNNING, DONE])),
        "half": ("idle", front.endpoint("half-body")),
        "stall": ("strict", front.endpoint("stall-after-post")),
    }
    yield {
        test: (name, runner.start_regenerate(name, "-o", "json", "--timeout", "60", listener=door))
        for test, (door, name) in doors.items()
    }
    runner.clean_up()


# ---- how the servers behave ----------------------------------------------------------------------

# The form of a field's name, the framing of a chunked answer and of one that ends with its
# connection, and the interim answers that are passed on; the same on Debian 12 and 13.
HAND = {
    "nginx": ("X-Some-Field", "chunked", "chunked", ["100", "103"]),
    "haproxy": ("x-some-field", "chunked", "close", ["100", "103"]),
    "apache2": ("X-Some-Field", "chunked", "chunked", ["103"]),
    "lighttpd": ("X-Some-Field", "length", "length", ["100", "103"]),
}


def framing(answer):
    head = answer.partition("\r\n\r\n")[0].lower()
    names = {"transfer-encoding: chunked": "chunked", "content-length: ": "length"}
    return next((names[name] for name in names if f"\r\n{name}" in head), "close")


def test_how_each_server_writes_answers(front):
    """Requests without rekey, to see what rekey has to handle here. lighttpd reads an answer
    completely before it passes it on. nginx takes the 100 for the final answer, and the rest for a
    body that ends with the connection: the bytes are passed on, and happen to be right."""
    body = {"status": 200, "headers": [["X-Some-Field", "x"]], "body": "{keys}"}
    chunked = front.ask_for_keys(front.play(list=[{**body, "framing": "chunked", "chunk": 7}]))
    close = front.ask_for_keys(front.play(list=[{**body, "framing": "close"}]))
    interim = front.ask_for_keys(
        front.play(list=[{**body, "interim": [{"status": 100}, {"status": 103}]}])
    )
    field = re.search("x-some-field", chunked, re.IGNORECASE)[0]
    statuses = re.findall(r"^HTTP/1.1 (\d+)", interim, re.MULTILINE)
    assert statuses[-1] == "200"
    assert (field, framing(chunked), framing(close), statuses[:-1]) == HAND[front.kind]


def test_compression_is_on_but_not_for_rekey(front, rekey):
    """The page that is compressed is the stand-in's control listener."""
    page = front.ask("GET", "/ports", "Accept-Encoding: gzip")
    assert "\r\ncontent-encoding: gzip\r\n" in page.partition("\r\n\r\n")[0].lower() + "\r\n"
    name = front.endpoint("three-polls")
    assert "content-encoding" not in front.ask_for_keys(name).lower()
    rekey.regenerate(name)


# ---- operations that succeed ---------------------------------------------------------------------


@pytest.mark.parametrize("scenario", AT_ONCE)
def test_success(front, rekey, scenario):
    """Includes "signed", two URLs of 3.2 KB in a head of 8 KB, and "interim-100", a 100 and a 103
    before the 202; all kinds of framing occur."""
    name = front.endpoint(scenario)
    result = rekey.regenerate(name, "-o", "json", "--poll-interval", "0")
    check_success(front, result, name, *AT_ONCE[scenario])


def test_refused_for_now(front, rekey, waiting):
    """Retry-After is passed on, for the POST and for a poll."""
    name, process = waiting["busy"]
    result = rekey.finish(process, 0, name)
    check_success(front, result, name, "async", 3)
    assert result.json["elapsedMs"] >= 2000 and front.counts(name) == (3, 3)


def test_answers_of_http_1_0(front, rekey):
    """haproxy passes the version on, too."""
    old = {"version": "HTTP/1.0", "framing": "close"}
    name = front.play(post=[{**ACCEPTED, **old}], poll=[{**RUNNING, **old}, {**DONE, **old}])
    check_success(front, rekey.regenerate(name, "-o", "json"), name, "async", 2)


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_list_keys(front, rekey, framing):
    answer = {"status": 200, "body": "{keys}", "framing": framing, "chunk": 7}
    name = front.play(list=[answer])
    keys = front.keys(name)
    assert rekey.list_keys(name, "-o", "json").json == {
        "primaryKey": keys["primaryKey"],
        "secondaryKey": keys["secondaryKey"],
    }


# ---- what the service refuses --------------------------------------------------------------------


# Scenario: the exit code, and the words that are shown.
REFUSED = {
    "failed": (1, ["KeyRegenerationFailed", "The key store is not available."]),
    "canceled": (1, []),
    "http-400": (1, ["HTTP 400", "KeyRegenerationFailed"]),
    "http-403": (1, ["HTTP 403", "AuthorizationFailed"]),
    "http-404": (1, ["HTTP 404", "ResourceNotFound"]),
    "http-409": (1, ["HTTP 409", "Conflict"]),
    "redirect-307": (1, ["HTTP 307"]),
    "unauthorized": (14, ["HTTP 401", "ExpiredAuthenticationToken"]),
    "http-408": (12, ["HTTP 408", "RequestTimeout"]),
    "http-500": (12, ["HTTP 500", "InternalServerError"]),
    "http-503": (12, ["HTTP 503", "ServiceUnavailable"]),
    "http-504": (12, ["HTTP 504", "GatewayTimeout"]),
    "no-url": (12, []),
    "poll-403": (12, ["HTTP 403", "AuthorizationFailed"]),
}


@pytest.mark.parametrize("scenario", REFUSED)
def test_refused(front, rekey, scenario):
    code, texts = REFUSED[scenario]
    name = front.endpoint(scenario)
    rekey.regenerate(name, code=code).says(*texts)
    assert len(front.requests(name, "post")) == 1


# ---- connections and TLS -------------------------------------------------------------------------


def test_polls_use_one_connection(front, rekey):
    name = front.endpoint("three-polls")
    rekey.regenerate(name)
    visits = front.visits(name)
    assert [each.status for each in visits] == ["202", "200", "200", "200"]
    assert len({each.client for each in visits}) == 1


@pytest.mark.parametrize("door, version, other", [("tls12", 2, 3), ("tls13", 3, 2)])
def test_one_version_of_tls_and_a_connection_for_each_request(front, rekey, door, version, other):
    """Each connection after the first resumes the session; lighttpd's log does not show that."""
    version, other = ssl.TLSVersion[f"TLSv1_{version}"], ssl.TLSVersion[f"TLSv1_{other}"]
    with front.connect(door, minimum_version=version, maximum_version=version) as connection:
        name = connection.version()
    with pytest.raises(ssl.SSLError):
        front.connect(door, minimum_version=other, maximum_version=other)

    endpoint = front.endpoint("three-polls")
    rekey.regenerate(endpoint, listener=door)
    visits = front.visits(endpoint)
    assert len({each.client for each in visits}) == len(visits) == 4
    if front.kind != "lighttpd":
        assert {each.tls for each in visits} == {name}
        assert [RESUMED[each.resumed] for each in visits] == [False, True, True, True]


def test_a_connection_that_was_closed_while_we_waited(front, rekey, waiting):
    name, process = waiting["idle"]
    rekey.finish(process, 0, name)
    post, first, second = (each.client for each in front.visits(name))
    assert post != first == second
    assert front.counts(name) == (1, 2)


# ---- answers and failures of the server itself ---------------------------------------------------


def test_no_back_end_for_the_post(front, rekey):
    """The request was not executed, but a 502, and a 503 without Retry-After, do not prove that."""
    name = front.endpoint()
    rekey.regenerate(name, listener="dead", code=12).says("HTTP 50")
    assert front.requests(name) == []


@pytest.mark.parametrize(
    "scenario", ["reset-after-post", "abort-after-post", "close-after-post", "half-head"]
)
def test_a_back_end_that_breaks_is_not_asked_twice(front, rekey, scenario):
    """Neither rekey nor the server repeats the request: that would regenerate the key a second
    time."""
    name = front.endpoint(scenario)
    rekey.regenerate(name, code=12).says("HTTP 50")
    assert front.counts(name) == (1, 0) and front.keys(name)["regenerated"] == ["Primary"]


def test_half_a_body(front, rekey, waiting):
    """It is passed on as it is; lighttpd then waits for another request before it closes."""
    name, process = waiting["half"]
    rekey.finish(process, 12, name)
    assert front.counts(name) == (1, 0) and front.keys(name)["regenerated"] == ["Primary"]


def test_a_back_end_that_does_not_speak_http(front, rekey):
    """apache2 mistakes it for an answer of HTTP/0.9, and sends status 200. A body that is not JSON
    means nothing."""
    name = front.endpoint("not-http")
    result = rekey.regenerate(name, code=12)
    if front.kind == "apache2":
        result.says("not JSON")
    assert front.counts(name) == (1, 0) and front.keys(name)["regenerated"] == ["Primary"]


def test_a_back_end_that_does_not_answer(front, rekey, waiting):
    name, process = waiting["stall"]
    rekey.finish(process, 12, name).says("HTTP 50")
    assert front.counts(name) == (1, 0) and front.keys(name)["regenerated"] == ["Primary"]


def test_an_answer_that_is_too_large_for_the_server(front, rekey):
    """The answer becomes a 502. With nginx's default buffers, two signed URLs would, too."""
    name = front.play(post=[accepted(ASYNC, ["X-Large", "{pad:100000}"])])
    rekey.regenerate(name, code=12).says("HTTP 50")
    assert front.counts(name) == (1, 0) and front.keys(name)["regenerated"] == ["Primary"]


TOO_LARGE = re.compile(r"HTTP (400|414|431)")


def test_a_post_that_is_too_large_for_the_server(front, rekey):
    name = front.endpoint()
    more = ["--resource-group", "\U00020000" * 90, "--subscription", "s" * 64]
    result = rekey.regenerate(name, *more, listener="strict", token="t" * 4096, code=1)
    assert TOO_LARGE.search(result.err) and front.requests(name) == []


def test_a_poll_that_is_too_large_for_the_server(front, rekey):
    name = front.play(post=[accepted(["Azure-AsyncOperation", "{async:7000}"], NOW)])
    result = rekey.regenerate(name, listener="strict", code=12)
    assert TOO_LARGE.search(result.err) and front.counts(name) == (1, 0)


# These two tests remove the back end for everybody, so no other run may be in progress.


@pytest.fixture
def behind_put_back(arm):
    yield
    arm.control("PUT", "/listener/behind?state=up")


GONE = {**ACCEPTED, "do_after": ["PUT /listener/behind?state=down"]}


def test_no_back_end_for_some_polls(front, rekey, behind_put_back):
    name = front.play(post=[GONE], poll=[RUNNING, DONE])
    process = rekey.start_regenerate(name, "-v")
    process.line(r"< 50[23] ")
    front.control("PUT", "/listener/behind?state=up")
    rekey.finish(process, 0, name)
    assert front.counts(name) == (1, 2)


def test_no_back_end_until_the_deadline(front, rekey, behind_put_back):
    name = front.play(post=[GONE], poll=[RUNNING, DONE])
    rekey.regenerate(name, "--timeout", "2", "--operation-file", "operation", code=13)
    assert front.counts(name) in ((1, 0), (1, 1))  # a poll may come before it is down
    front.control("PUT", "/listener/behind?state=up")
    rekey.wait("operation", name=name)
    assert front.counts(name) == (1, 2) and front.keys(name)["regenerated"] == ["Primary"]
