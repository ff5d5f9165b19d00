"""Secrets that a service repeats, and secrets in the memory of the process.

A service may put what it was sent into an error, and so may a token service. The service of these
tests does so with every secret, in every place that the command prints. The other half of the tests
looks into the memory of the process, as root can: during the wait for a poll, while a hook runs,
and at the end."""

import base64
import http.server
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import urllib.parse
from pathlib import Path

import pytest

from conftest import (
    ACCEPTED,
    ASYNC,
    CERTS,
    ENVIRONMENT,
    EXEC,
    LOCATION,
    REKEY,
    SANITIZED,
    SLOW,
    TOKEN,
    first_key,
    wait_until,
)

RUN = 16  # bytes of a secret that must not be visible in sequence
TOKEN_GIVEN = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9." + base64.b64encode(os.urandom(900)).decode()
TOKEN_ISSUED = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9." + base64.b64encode(os.urandom(901)).decode()
KEY_VALUE = base64.b64encode(os.urandom(63)).decode()
CLIENT_SECRET = "s8Q~" + base64.urlsafe_b64encode(os.urandom(30)).decode()
FEDERATED = ".".join(base64.urlsafe_b64encode(os.urandom(n)).decode().strip("=") for n in (60, 300, 256))
PASSWORD = base64.urlsafe_b64encode(os.urandom(24)).decode()
PRIMARY, SECONDARY = (base64.b64encode(os.urandom(63)).decode() for _ in range(2))


def error(text, place):
    """An ErrorResponse with the text in one place, and without text in the others."""
    body = {"code": "Code", "message": "message", "target": None, "details": []}
    if place == "details":
        body["details"] = [{"code": text, "message": text}]
    else:
        body[place] = text
    return {"error": body}


class Service:
    """The management plane, an authority and IMDS in one. `answers` are functions from a request
    to an answer (status, headers, body), by the end of the path; the last one repeats."""

    def __init__(self, tls):
        outer = self
        self.answers, self.seen = {}, []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                path = self.path.partition("?")[0]
                outer.seen.append((self.command, path))
                kind = next(kind for kind in outer.answers if path.endswith(kind))
                answers = outer.answers[kind]
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                status, headers, body = answer(
                    {"token": (self.headers.get("Authorization") or "none").split()[-1], "body": body}
                )
                body = body if isinstance(body, str) else json.dumps(body)
                self.send_response_only(status)
                for name, value in {"Content-Length": len(body.encode()), **headers}.items():
                    self.send_header(name, str(value))
                self.end_headers()
                self.wfile.write(body.encode())

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTS / "server.pem", CERTS / "server.key")
            self.server.socket = context.wrap_socket(
                self.server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.url = f"http{'s' * tls}://localhost:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def service():
    server = Service(True)
    yield server
    server.close()


@pytest.fixture
def plain():
    server = Service(False)
    yield server
    server.close()


@pytest.fixture
def files(tmp_path):
    for name, text in {"token": TOKEN_GIVEN, "value": KEY_VALUE, "federated": FEDERATED}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def arguments(service, command, *more):
    where = ["--subscription", "1", "-g", "group", "-w", "work", "-n", "ep"]
    return [
        *EXEC,
        REKEY,
        command,
        *([] if command == "token" else ["--management-url", service.url, *where]),
        *("--ca-file", CERTS / "ca.pem"),
        *more,
    ]


def run(files, line, env=None):
    return subprocess.run(
        [str(each) for each in line],
        cwd=files,
        env={**ENVIRONMENT, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60 * SLOW,
    )


def shown(result):
    return result.stdout + result.stderr


def check_hidden(result, *secrets):
    """No secret is shown, nor are 16 bytes of one."""
    for secret in secrets:
        for form in {secret, urllib.parse.quote(secret, safe="")}:
            for start in range(max(len(form) - RUN, 0) + 1):
                assert form[start : start + RUN] not in shown(result), (secret, shown(result))


PLACES = ["code", "message", "target", "details"]
everywhere = pytest.mark.parametrize("place", PLACES)


def repeat(*texts):
    """Words around the repeated text."""
    return "not " + " nor ".join(texts) + " is good"


# ---- what a service repeats ----------------------------------------------------------------------


@everywhere
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_refusal_that_repeats_what_was_sent(service, files, place, form):
    line = arguments(service, "regenerate", "--key-type", "primary", "-v", "-o", form)
    for secret in (TOKEN_GIVEN, KEY_VALUE):

        def refuse(request, secret=secret):
            assert request["token"] == TOKEN_GIVEN
            assert json.loads(request["body"])["keyValue"] == KEY_VALUE
            return 400, {}, error(repeat(secret), place)

        service.answers = {"/regenerateKeys": [refuse]}
        result = run(files, [*line, "--token-file", "token", "--key-value-file", "value"])
        assert result.returncode == 1 and "not ****" in shown(result), shown(result)
        check_hidden(result, TOKEN_GIVEN, KEY_VALUE)


def test_a_secret_that_is_cut_at_the_end_of_the_text(service, files):
    """Up to 256 bytes of a message are shown, and 64 of a code. No part of a secret may remain
    there."""
    line = arguments(service, "regenerate", "--key-type", "primary")
    for secret in (TOKEN_GIVEN, KEY_VALUE):
        for place, cap in (("message", 256), ("code", 64)):
            for left in (1, 2, 7, 8, 9, 15, 16, 17):
                text = "-" * (cap - left) + secret
                service.answers = {"/regenerateKeys": [lambda _: (400, {}, error(text, place))]}
                result = run(files, [*line, "--token-file", "token", "--key-value-file", "value"])
                assert "-" * (cap - left) + "*" * left in shown(result), (place, left, shown(result))


@everywhere
def test_a_poll_that_repeats_the_key_value(service, files, place):
    """The client has discarded the value by then, but still recognizes it."""
    service.answers = {
        "/regenerateKeys": [
            lambda _: (202, {"Location": f"{service.url}/poll", "Retry-After": 0}, "")
        ],
        "/poll": [lambda _: (200, {}, {"status": "Failed", **error(repeat(KEY_VALUE), place)})],
    }
    line = arguments(service, "regenerate", "--key-type", "primary", "--token-file", "token")
    result = run(files, [*line, "--key-value-file", "value"])
    assert result.returncode == 1 and "****" in shown(result), shown(result)
    check_hidden(result, TOKEN_GIVEN, KEY_VALUE)


def test_status_words_and_ids_that_repeat(service, files):
    for secret in (TOKEN_GIVEN, KEY_VALUE):
        headers = {"x-ms-request-id": secret, "x-ms-correlation-request-id": secret[40:]}
        service.answers = {
            "/regenerateKeys": [
                lambda _: (202, {"Location": f"{service.url}/poll", "Retry-After": 0}, "")
            ],
            "/poll": [
                lambda _: (200, {**headers, "Retry-After": 0}, {"status": secret[:30]}),
                lambda _: (200, headers, {"status": "Failed", "error": {"code": "C"}}),
            ],
        }
        line = arguments(service, "regenerate", "--key-type", "primary", "--token-file", "token")
        result = run(files, [*line, "--key-value-file", "value", "-v"])
        assert result.returncode == 1, shown(result)
        check_hidden(result, secret)


def test_a_host_that_repeats(service, files):
    secret = re.sub("[^A-Za-z0-9]", "", KEY_VALUE)
    (files / "value").write_text(secret)
    service.answers = {
        "/regenerateKeys": [lambda _: (202, {"Location": f"https://{secret[:60]}.example/"}, "")]
    }
    line = arguments(service, "regenerate", "--key-type", "primary", "--token-file", "token")
    result = run(files, [*line, "--key-value-file", "value"])
    assert result.returncode == 12 and "another host" in shown(result), shown(result)
    check_hidden(result, secret)


@everywhere
def test_a_token_that_rekey_got_itself(service, plain, files, place):
    """From IMDS, and from an authority for a client secret."""
    answer = {"access_token": TOKEN_ISSUED, "expires_in": 3600}
    plain.answers = {"/token": [lambda _: (200, {}, answer)]}
    service.answers = {
        "/token": [lambda _: (200, {}, answer)],
        "/regenerateKeys": [lambda request: (400, {}, error(repeat(request["token"]), place))],
    }
    line = arguments(service, "regenerate", "--key-type", "primary")
    entra = {
        "AZURE_AUTHORITY_HOST": service.url,
        "AZURE_TENANT_ID": "tenant",
        "AZURE_CLIENT_ID": "client",
        "AZURE_CLIENT_SECRET": CLIENT_SECRET,
    }
    for auth, env in (("imds", {"IMDS_ENDPOINT": plain.url}), ("secret", entra)):
        result = run(files, [*line, "--auth", auth], env)
        assert result.returncode == 1 and "not ****" in shown(result), shown(result)
        check_hidden(result, TOKEN_ISSUED, CLIENT_SECRET)


@pytest.mark.parametrize("place", ["error", "error_description", "trace_id", "correlation_id"])
@pytest.mark.parametrize("auth", ["secret", "workload", "certificate"])
def test_a_token_service_that_repeats_the_proof(service, files, place, auth):
    sent = []

    def refuse(request):
        form = urllib.parse.parse_qs(request["body"])
        sent.append((form.get("client_secret") or form.get("client_assertion"))[0])
        return 401, {}, {"error": "invalid_client", place: f"AADSTS1: {sent[-1]}"}

    service.answers = {"/token": [refuse]}
    env = {
        "AZURE_AUTHORITY_HOST": service.url,
        "AZURE_TENANT_ID": "tenant",
        "AZURE_CLIENT_ID": "client",
        **{
            "secret": {"AZURE_CLIENT_SECRET": CLIENT_SECRET},
            "workload": {"AZURE_FEDERATED_TOKEN_FILE": str(files / "federated")},
            "certificate": {"AZURE_CLIENT_CERTIFICATE_PATH": str(CERTS / "device.pem")},
        }[auth],
    }
    for form in ("text", "json"):
        result = run(files, arguments(service, "token", "--auth", auth, "-o", form), env)
        assert result.returncode == 14 and "*" * 8 in shown(result), shown(result)
        check_hidden(result, sent[-1])


def keys(_):
    return 200, {}, {"primaryKey": PRIMARY, "secondaryKey": SECONDARY}


@everywhere
def test_listed_keys(service, files, place):
    """Of `rotate`, and of `regenerate --check-keys`."""
    service.answers = {
        "/listKeys": [keys],
        "/regenerateKeys": [lambda _: (400, {}, error(repeat(PRIMARY, SECONDARY), place))],
    }
    (files / "state").mkdir(mode=0o700)
    rotate = ["--state", "state", "--volatile-ok", "--min-age", "0", "--token-file", "token"]
    for line, codes in (
        (arguments(service, "rotate", *rotate), (0,)),  # the first run reads an existing key
        (arguments(service, "rotate", *rotate), (1,)),
        (
            arguments(service, "regenerate", "--check-keys", "--key-type", "primary")
            + ["--token-file", "token"],
            (1,),
        ),
    ):
        result = run(files, line)
        assert result.returncode in codes, shown(result)
        assert result.returncode == 0 or "****" in shown(result)
        check_hidden(result, PRIMARY, SECONDARY)


class Tunnel:
    """A proxy that opens every tunnel to one port."""

    def __init__(self, port):
        self.listener, self.port = socket.create_server(("127.0.0.1", 0)), port
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            head = b""
            while b"\r\n\r\n" not in head:
                head += near.recv(4096)
            far = socket.create_connection(("127.0.0.1", self.port))
            near.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self.copy, args=(a, b), daemon=True).start()

    @staticmethod
    def copy(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def test_the_password_of_a_proxy(service, files):
    basic = base64.b64encode(f"device:{PASSWORD}".encode()).decode()
    tunnel = Tunnel(service.server.server_port)
    env = {"HTTPS_PROXY": f"http://device:{PASSWORD}@127.0.0.1:{tunnel.listener.getsockname()[1]}"}
    line = arguments(service, "regenerate", "--key-type", "primary", "--token-file", "token", "-v")
    for secret in (PASSWORD, basic):
        service.answers = {"/regenerateKeys": [lambda _: (400, {}, error(repeat(secret), "message"))]}
        result = run(files, line, env)
        assert result.returncode == 1 and "not ****" in shown(result), shown(result)
        check_hidden(result, PASSWORD, basic)
    tunnel.listener.close()


# ---- what is in the memory of the process --------------------------------------------------------

looks = pytest.mark.skipif(
    bool(EXEC) or SANITIZED, reason="the memory is the emulator's, or the sanitizer's"
)


def memory(pid):
    """All readable memory of a process."""
    found = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            area, permissions = line.split()[:2]
            start, end = (int(each, 16) for each in area.split("-"))
            if permissions[0] != "r" or "[v" in line:  # vvar, vsyscall
                continue
            mem.seek(start)
            found.append(mem.read(end - start))
    return b"\0".join(found)


def counts(pid, *secrets):
    """How often each occurs: by 16 bytes from its middle, so that parts of it count as well."""
    try:
        text = memory(pid)
    except PermissionError:
        pytest.skip("only root can look into a process that is not dumpable")
    middles = [secret[len(secret) // 2 :][:RUN].encode() for secret in secrets]
    return [text.count(middle) for middle in middles]


@looks
def test_memory_while_it_waits_for_a_poll(arm, rekey):
    """The token occurs once, because polls need it. The key value and the request do not occur."""
    name = arm.play(post=[{**ACCEPTED, "headers": [ASYNC, LOCATION, ["Retry-After", "600"]]}])
    (rekey.directory / "token").write_text(TOKEN)
    (rekey.directory / "value").write_text(KEY_VALUE)
    line = ["--token-file", "token", "--key-value-file", "value"]
    process = rekey.start_regenerate(name, *line, token=None)
    process.line("next poll in 600")
    assert counts(process.pid, TOKEN, KEY_VALUE) == [1, 0]
    process.signal(signal.SIGTERM)
    rekey.finish(process, 13, name)


@looks
def test_memory_while_it_waits_for_the_answer(arm, rekey):
    """The POST may have to be repeated, with the token and the key value: each occurs once."""
    name = arm.play(post=[{"cut": 0, "then": "stall"}])
    (rekey.directory / "token").write_text(TOKEN)
    (rekey.directory / "value").write_text(KEY_VALUE)
    line = ["--token-file", "token", "--key-value-file", "value"]
    process = rekey.start_regenerate(name, *line, token=None)
    arm.wait_for(name, "answer")
    wait_until(lambda: counts(process.pid, TOKEN, KEY_VALUE) == [1, 1], "one of each")
    process.signal(signal.SIGTERM)
    rekey.finish(process, 12, name)


@looks
def test_memory_while_it_waits_before_another_try(arm, rekey):
    name = arm.play(post=[{"status": 429, "headers": [["Retry-After", "600"]]}])
    (rekey.directory / "token").write_text(TOKEN)
    process = rekey.start_regenerate(name, "--token-file", "token", token=None)
    arm.wait_for(name, "answer")
    wait_until(lambda: counts(process.pid, TOKEN) == [1], "one token")
    process.signal(signal.SIGTERM)
    rekey.finish(process, 10, name)


@looks
@pytest.mark.parametrize("given", ["file", "environment"])
def test_memory_while_a_hook_runs(arm, rekey, hook, given):
    """The process that waits for the hook has no key, no token, and no password of a proxy."""
    name, seen = arm.endpoint("ok-200"), []
    (rekey.directory / "token").write_text(TOKEN)
    token = ["--token-file", "token"] if given == "file" else []
    go = rekey.directory / "go"
    process = rekey.start_switch(
        "rotate",
        name,
        *token,
        *("--exec", hook.that(f"while [ ! -e {go} ]; do sleep 0.05; done")),
        token=TOKEN if given == "environment" else None,
    )
    wait_until(hook.runs, "the hook")
    listed = arm.keys(name)
    seen = counts(process.pid, TOKEN, listed["primaryKey"], listed["secondaryKey"])
    go.touch()
    rekey.finish(process, 0, name)
    assert seen == [0, 0, 0]


@looks
@pytest.mark.parametrize("command", ["regenerate", "list-keys", "rotate", "check-keys"])
def test_memory_at_the_end(arm, rekey, command):
    """strace holds the process where it enters its last system call."""
    if shutil.which("strace") is None:
        pytest.fail("there is no strace: `make deps` installs it")
    name = arm.endpoint("three-polls")
    listed = arm.keys(name)
    (rekey.directory / "token").write_text(TOKEN)
    (rekey.directory / "value").write_text(KEY_VALUE)
    line = {
        "regenerate": ["regenerate", *rekey.options(name), "--key-type", "primary"]
        + ["--key-value-file", "value"],
        "list-keys": ["list-keys", *rekey.options(name)],
        "rotate": ["rotate", *rekey.options(name), "--state", "state", "--volatile-ok"],
        "check-keys": ["regenerate", *rekey.options(name), "--key-type", "primary"]
        + ["--check-keys"],
    }[command]
    (rekey.directory / "state").mkdir(mode=0o700)
    strace = ["strace", "-qq", "-o", "trace", "-e", "trace=exit_group"]
    process = subprocess.Popen(
        [str(each) for each in (*strace, "-e", "inject=exit_group:delay_enter=2000000", REKEY)]
        + [str(each) for each in (*line, "--token-file", "token")],
        cwd=rekey.directory,
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )

    def held():
        """The process, after it has printed its last line, stopped in exit_group."""
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for pid in children:
            call = Path(f"/proc/{pid}/syscall").read_text().split()
            if call and call[0] in ("231", "94", "248", "252"):  # exit_group, by machine
                return int(pid)
        return None

    pids = []
    wait_until(lambda: pids.append(held()) or pids[-1] is not None, "exit_group")
    keys = [*listed.values(), *arm.keys(name).values()]
    keys = [key for key in keys if isinstance(key, str)] + [
        first_key(name, which) for which in ("Primary", "Secondary")
    ]
    seen = counts(pids[-1], TOKEN, KEY_VALUE, *keys)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert seen == [0] * len(seen)
