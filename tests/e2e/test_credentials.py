"""The identities of a device, against the stand-ins for Microsoft Entra, IMDS and Azure Arc
(tests/arm/identity.py): tokens obtained by secret, certificate, workload identity and managed
identity, renewed while an operation runs, and everything that can go wrong in these services and
their files. The stand-ins check every field of every request; the tests here check how the command
handles the answers."""

import contextlib
import ctypes
import dataclasses
import datetime
import json
import os
import re
import secrets
import shlex
import shutil
import signal
import struct
import subprocess
import time
import uuid
from pathlib import Path

import pytest

from conftest import (
    ACCEPTED,
    ASYNC,
    BUILD,
    CERTS,
    DONE,
    ENVIRONMENT,
    EXEC,
    GROUP,
    NOW,
    PYTHON,
    REKEY,
    ROOT,
    RUNNING,
    SLOW,
    SUBSCRIPTION,
    WORKSPACE,
    error,
    first_key,
    header,
    wait_until,
)

KINDS = ["secret", "certificate", "workload", "imds", "arc"]
ENTRA = ["secret", "certificate", "workload"]
ON_A_BOARD = {"secret", "certificate", "imds"}
GUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
IDENTITY_PATH = "/metadata/identity/oauth2/token"
TOKENS = "/var/opt/azcmagent/tokens"
RESOURCE = "https%3A%2F%2Fmanagement.azure.com%2F"
STALL = {"cut": 0, "then": "stall"}
SECOND = ["Retry-After", "1"]
BUDGET = 4096  # maximum bytes of a token service's answer
CHALLENGE = ["WWW-Authenticate", 'Bearer authorization_uri="https://login.example/x, y", error="e"']

kinds = pytest.mark.parametrize(
    "kind",
    [pytest.param(each, marks=pytest.mark.board if each in ON_A_BOARD else ()) for each in KINDS],
)


@dataclasses.dataclass
class Who:
    """An identity at its stand-in, and what the command needs to use it."""

    arm: object
    kind: str
    name: str
    env: dict
    prefix: list = dataclasses.field(default_factory=list)
    folder: Path = None  # the directory of Arc's key files

    def change(self, **members):
        """Sets its answers and lifetimes from now on."""
        self.arm.identity(self.name, **members)

    def without(self, *names):
        return {name: value for name, value in self.env.items() if name not in names}

    def requests(self):
        return self.arm.requests(self.name)

    def count(self):
        """The number of token requests; Arc's challenges are not counted."""
        return len([each for each in self.requests() if each["kind"] != "challenge"])

    def refused(self):
        """The reason for which the stand-in last refused a request."""
        return [each["refused"] for each in self.requests() if "refused" in each][-1]

    def tokens(self):
        return self.arm.identity(self.name)["tokens"]

    def used(self, endpoint):
        """Numbers of its tokens, in the order in which they were used for an endpoint. None of them
        had expired."""
        about = [request["token"] for request in self.arm.requests(endpoint)]
        assert all(each and each["identity"] == self.name and each["left"] > 0 for each in about), (
            self.kind,
            about,
        )
        return [each["number"] for each in about]


@pytest.fixture
def identity(arm, rekey, tmp_path, request):
    """A function that makes an identity of a kind; the members are those of
    tests/arm/identity.py."""

    def make(kind, /, **members):
        name = str(uuid.uuid4())
        client = str(uuid.uuid4())
        rekey.identities.append(name)
        if kind in ENTRA:
            env = {
                "AZURE_TENANT_ID": name,
                "AZURE_CLIENT_ID": client,
                "AZURE_AUTHORITY_HOST": arm.url("authority"),
            }
            if kind == "secret":
                # All characters that a secret can have and a form must encode.
                value = f"e2e~{secrets.token_hex(8)}.-_+/=&%;?#\"'<>\\"
                env["AZURE_CLIENT_SECRET"] = members.setdefault("secret", value)
            elif kind == "certificate":
                file = members.setdefault("certificate", str(CERTS / "device.pem"))
                env["AZURE_CLIENT_CERTIFICATE_PATH"] = file
            else:
                token = members.setdefault("federated", f"eyJ.{secrets.token_urlsafe(900)}.x")
                file = tmp_path / f"federated-{client}"
                file.write_text(f"{token}\n")
                env["AZURE_FEDERATED_TOKEN_FILE"] = str(file)
            arm.identity(name, **{"client_id": client, **members})
            return Who(arm, kind, name, env)
        if kind == "imds":
            port = arm.identity(name, kind="imds", **members)["port"]
            return Who(arm, kind, name, {"IMDS_ENDPOINT": f"http://127.0.0.1:{port}"})
        folder = tmp_path / f"opt-{client}"
        tokens = folder / "azcmagent/tokens"
        tokens.mkdir(parents=True)
        port = arm.identity(name, kind="arc", directory=str(tokens), **members)["port"]
        prefix = request.getfixturevalue("namespace")("m", mount(folder))
        env = {"IDENTITY_ENDPOINT": f"http://127.0.0.1:{port}{IDENTITY_PATH}"}
        return Who(arm, kind, name, env, prefix, tokens)

    return make


def mount(folder):
    """A shell line that mounts the directory as /var/opt."""
    return f"mount --bind {shlex.quote(str(folder))} /var/opt"


@pytest.fixture
def regenerate(rekey):
    """A function that regenerates a key with an identity."""

    def run(who, name, *arguments, code=0, auth=True, env=None, start=False, **more):
        method = rekey.start_regenerate if start else rekey.regenerate
        return method(
            name,
            *(["--auth", who.kind] if auth else []),
            *arguments,
            **{
                "token": None,
                "env": {**who.env, **(env or {})},
                "prefix": who.prefix,
                **({} if start else {"code": code}),
                **more,
            },
        )

    return run


@pytest.fixture
def refused(arm, regenerate):
    """A function that runs with an identity that gets no token: nothing is sent to the management
    host."""

    def run(who, *arguments, code=14, **more):
        name, mark = arm.endpoint("three-polls"), arm.mark()
        result = regenerate(who, name, *arguments, code=code, **more)
        assert arm.requests(name) == [] and arm.connections("main", mark) == []
        assert arm.forbidden(mark) == []
        return result

    return run


@pytest.fixture
def authority_put_back(arm):
    """For tests that change the listener authority: restores it."""
    yield
    arm.control("PUT", "/listener/authority?state=up")
    arm.control("PUT", "/certificate/authority?name=server")
    arm.control("PUT", "/scenario/@authority", {"connect": []})


def issued(arm, base="three-polls", **scenario):
    """An endpoint that accepts only tokens of identities."""
    return arm.play(base, tokens="issued", **scenario)


def token_requests(who):
    """The kinds of requests with which a token is obtained."""
    return (
        ["challenge", "arc"]
        if who.kind == "arc"
        else [who.kind if who.kind == "imds" else "authority"]
    )


# ---- success -------------------------------------------------------------------------------------


@kinds
def test_a_key_is_regenerated(arm, regenerate, identity, kind):
    who, name = identity(kind), issued(arm)
    result = regenerate(who, name, "-v", "-o", "json")
    assert result.json["outcome"] == "succeeded" and arm.counts(name) == (1, 3)
    assert arm.keys(name)["primaryKey"] != first_key(name, "Primary")
    assert [each["kind"] for each in who.requests()] == token_requests(who)
    assert who.used(name) == [0, 0, 0, 0]
    assert re.search(rf"^rekey: auth: {kind}\b", result.err, re.MULTILINE)


@pytest.mark.parametrize("kind", KINDS)
def test_the_other_commands(arm, rekey, regenerate, identity, kind):
    """listKeys, and waiting for an operation that another process started."""
    who, name = identity(kind), issued(arm)
    more = {"token": None, "env": who.env, "prefix": who.prefix}
    keys = rekey.list_keys(name, "--auth", kind, "-o", "json", **more).json
    assert keys["primaryKey"] == first_key(name, "Primary")
    arm.play(name=name, tokens="issued", post=[ACCEPTED], poll=[STALL, DONE])
    process = regenerate(who, name, "--operation-file", "op", start=True)
    arm.wait_for(name, "request", kind="async")
    process.kill()
    rekey.wait("op", "--auth", kind, name=name, **more)
    assert arm.keys(name)["regenerated"] == ["Primary"]
    assert who.used(name) == [0, 1, 1, 2] and who.count() == 3


@pytest.mark.owner
@pytest.mark.parametrize("listener", ["tls12", "tls13"])
def test_a_long_key_and_either_version_of_tls(arm, regenerate, identity, listener):
    who = identity("certificate", certificate=str(CERTS / "device-4096.pem"), lifetime=2)
    name = issued(arm, post=[{**ACCEPTED, "headers": [ASYNC, SECOND]}], poll=[waiting(), DONE])
    result = regenerate(who, name, "-v", listener=listener)
    assert who.count() >= 2 and arm.counts(name) == (1, 2)
    # TLS has its buffers during signing and during the session with the management host: all of it
    # fits, with some to spare.
    peak, size = map(int, re.search(r"arena peak (\d+) of (\d+) bytes", result.err).groups())
    assert 20000 < peak < size - 8192, (peak, size)


# ---- the requests --------------------------------------------------------------------------------


def user_agent(rekey):
    version, board = re.match(r"rekey (\S+) \((.*?)\)", rekey.start("--version").end().out).groups()
    return f"rekey/{version} ({board})"


def names_of(request):
    return sorted(name.lower() for name, _ in request["headers"])


def test_the_request_to_the_authority(arm, rekey, regenerate, identity):
    who = identity("secret")
    regenerate(who, issued(arm, "ok-200"))
    regenerate(who, issued(arm, "ok-200"))
    one, other = who.requests()
    assert one["method"] == "POST" and one["target"] == f"/{who.name}/oauth2/v2.0/token"
    assert header(one, "Host") == f"localhost:{arm.ports['authority']}"
    assert header(one, "Content-Type") == "application/x-www-form-urlencoded"
    assert header(one, "Content-Length") == str(len(one["body"]))
    assert header(one, "Accept") == "application/json"
    assert header(one, "Accept-Encoding") == "identity"
    assert header(one, "User-Agent") == user_agent(rekey)
    ids = [header(each, "client-request-id") for each in (one, other)]
    assert all(re.fullmatch(GUID, each) for each in ids) and ids[0] != ids[1]
    assert "authorization" not in names_of(one)
    assert one["form"] == {
        "client_id": who.env["AZURE_CLIENT_ID"],
        "scope": "https://management.azure.com/.default",
        "client_secret": who.env["AZURE_CLIENT_SECRET"],
        "grant_type": "client_credentials",
    }


def test_the_assertion(arm, regenerate, identity):
    """The stand-in has verified the assertion with openssl; this test checks its content."""
    who = identity("certificate")
    before = int(time.time())
    for _ in range(2):
        regenerate(who, issued(arm, "ok-200"))
    claims = [request["claims"] for request in who.requests()]
    for each in claims:
        assert each["aud"] == f"{arm.url('authority')}/{who.name}/oauth2/v2.0/token"
        assert each["iss"] == each["sub"] == who.env["AZURE_CLIENT_ID"]
        assert before <= each["nbf"] + 300 and each["nbf"] < each["exp"] <= each["nbf"] + 600
        assert each["exp"] > time.time()
    assert claims[0]["jti"] != claims[1]["jti"]
    assert all(re.fullmatch(GUID, each["jti"]) for each in claims)


def test_a_federated_token_is_read_again_each_time(arm, rekey, regenerate, identity):
    """The kubelet replaces the file while the operation runs."""
    who = identity("workload", lifetime=2)
    name = issued(
        arm, post=[{**ACCEPTED, "headers": [ASYNC, SECOND]}], poll=[waiting()] * 3 + [DONE]
    )
    process = regenerate(who, name, start=True)
    arm.wait_for(name, "request", kind="post")
    other = f"eyJ.{secrets.token_urlsafe(800)}.y"
    who.change(federated=other)
    fresh = rekey.directory / "fresh"
    fresh.write_text(f"  {other} \r\n")
    fresh.rename(who.env["AZURE_FEDERATED_TOKEN_FILE"])
    rekey.finish(process, 0, name)
    assert [each["form"]["client_assertion"] for each in who.requests()][-1] == other
    who.used(name)


def test_the_request_to_imds(arm, rekey, regenerate, identity):
    who = identity("imds")
    regenerate(who, issued(arm, "ok-200"))
    (request,) = who.requests()
    assert request["target"] == f"{IDENTITY_PATH}?api-version=2018-02-01&resource={RESOURCE}"
    assert header(request, "Metadata") == "true" and header(request, "User-Agent") == user_agent(
        rekey
    )
    assert "authorization" not in names_of(request)


def test_the_requests_to_arc(arm, regenerate, identity):
    who = identity("arc")
    regenerate(who, issued(arm, "ok-200"))
    challenge, request = who.requests()
    target = f"{IDENTITY_PATH}?api-version=2020-06-01&resource={RESOURCE}"
    assert challenge["target"] == request["target"] == target
    assert header(challenge, "Metadata") == header(request, "Metadata") == "true"
    assert "authorization" not in names_of(challenge)
    assert re.fullmatch(r"Basic [A-Za-z0-9+/]{128}", header(request, "Authorization"))


def test_a_user_assigned_identity(arm, regenerate, identity):
    client = str(uuid.uuid4())
    who = identity("imds", user_assigned=[client])
    regenerate(who, issued(arm, "ok-200"), env={"AZURE_CLIENT_ID": client})
    assert who.requests()[0]["query"]["client_id"] == client


def test_arc_has_no_user_assigned_identities(arm, regenerate, identity):
    """The client id is left out of the request, and a message says so."""
    who = identity("arc")
    result = regenerate(
        who, issued(arm, "ok-200"), "-v", env={"AZURE_CLIENT_ID": str(uuid.uuid4())}
    )
    result.says("AZURE_CLIENT_ID")
    assert all("client_id" not in each["query"] for each in who.requests())


# ---- a token is renewed --------------------------------------------------------------------------


def waiting(seconds=1):
    return {
        "status": 200,
        "headers": [["Retry-After", str(seconds)]],
        "body": {"status": "Updating"},
    }


SIX_SECONDS = {
    "post": [{**ACCEPTED, "headers": [ASYNC, SECOND]}],
    "poll": [*[waiting()] * 5, DONE],
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_rotation_gets_one_token(arm, rekey, identity, kind):
    who = identity(kind)
    name = issued(arm)
    for _ in range(2):  # the first stores the key, with one list
        before = who.count()
        rekey.rotate(name, "--auth", who.kind, token=None, env=who.env, prefix=who.prefix)
        assert who.count() == before + 1
    assert len(arm.requests(name)) == 8


@pytest.fixture
def long_ones(arm, regenerate, identity):
    """Operations of six seconds with tokens that are valid for two, running at the same time. Under
    an emulator a handshake may take longer than that: they are valid for four, and a service that
    returns a token until its last moment is left out."""
    everybody = [identity(kind, lifetime=4 if EXEC else 2) for kind in KINDS]
    if not EXEC:
        everybody.append(identity("imds", lifetime=4, cached=True))
    names = [issued(arm, **SIX_SECONDS) for _ in everybody]
    started = [regenerate(who, name, start=True) for who, name in zip(everybody, names)]
    return list(zip(everybody, names, started))


def test_a_token_that_lives_for_two_seconds_is_renewed(arm, rekey, long_ones):
    """The stand-in refuses an expired token, and none was sent. A service that returns the same
    token until it has expired is not asked all the time."""
    for who, name, process in long_ones:
        rekey.finish(process, 0, name)
        numbers = who.used(name)
        assert numbers == sorted(numbers) and len(set(numbers)) >= 2, (who.kind, numbers)
        assert arm.counts(name) == (1, 6), who.kind  # and none was answered with 401
        assert who.count() <= 12, who.kind


@pytest.mark.parametrize("kind", ["secret", "imds"])
def test_a_renewal_that_fails_is_13_and_can_be_resumed(arm, rekey, regenerate, identity, kind):
    who = identity(kind, lifetime=2)
    bad = {"error": 7000222} if kind == "secret" else {"status": 403, "body": {"error": "no"}}
    who.change(answers=[{}, bad])
    name = issued(arm, **SIX_SECONDS)
    result = regenerate(who, name, "--operation-file", "op", code=13)
    if kind == "secret":
        result.says("AADSTS7000222", who.refused()["trace_id"])
    assert who.count() == 2 and arm.counts(name)[0] == 1
    who.change(answers=[{}])
    rekey.wait("op", "--auth", kind, name=name, token=None, env=who.env)
    who.used(name)


def test_the_authority_goes_away_while_polling(
    arm, rekey, regenerate, identity, authority_put_back
):
    who = identity("secret", lifetime=2)
    post = {**SIX_SECONDS["post"][0], "do_before": ["PUT /listener/authority?state=down"]}
    name = issued(arm, post=[post], poll=SIX_SECONDS["poll"])
    regenerate(who, name, "--operation-file", "op", "--timeout", "4", code=13)
    arm.control("PUT", "/listener/authority?state=up")
    rekey.wait("op", "--auth", "secret", name=name, token=None, env=who.env)
    who.used(name)


def test_the_authority_turns_untrusted_while_polling(arm, regenerate, identity, authority_put_back):
    who = identity("secret", lifetime=2)
    post = {**SIX_SECONDS["post"][0], "do_before": ["PUT /certificate/authority?name=expired"]}
    name = issued(arm, post=[post], poll=SIX_SECONDS["poll"])
    regenerate(who, name, "--operation-file", "op", "--timeout", "5", code=13)
    assert who.count() == 1


def test_a_file_that_goes_away_while_polling(arm, rekey, regenerate, identity):
    who = identity("workload", lifetime=2)
    name = issued(arm, **SIX_SECONDS)
    process = regenerate(who, name, "--operation-file", "op", start=True)
    arm.wait_for(name, "request", kind="post")
    file = Path(who.env["AZURE_FEDERATED_TOKEN_FILE"])
    file.rename(rekey.directory / "away")
    rekey.finish(process, 13, name).says(file.name)


@pytest.mark.parametrize("end", ["a signal", "the timeout"])
def test_a_pipe_in_the_place_of_the_federated_token(arm, rekey, native, regenerate, identity, end):
    """The token has to be renewed while the operation runs, but nobody writes to the pipe: the
    operation can be resumed."""
    who = identity("workload", lifetime=2)
    name = issued(arm, **SIX_SECONDS)
    more = ["--timeout", "4"] if end == "the timeout" else []
    process = regenerate(who, name, "--operation-file", "op", *more, start=True)
    arm.wait_for(name, "request", kind="post")
    file = Path(who.env["AZURE_FEDERATED_TOKEN_FILE"])
    file.unlink()
    os.mkfifo(file)
    if end == "the timeout":
        result = rekey.finish(process, 13, name)
        result.says(f"'{file}': no more data came before the limit (--timeout)")
        assert result.seconds < 5 * SLOW
    else:
        wait_until(lambda: has_opened(process.pid, file), "it is opened")
        process.signal(signal.SIGTERM)
        result = rekey.finish(process, 13, name)
        result.says("the operation was interrupted")
        assert result.after_signal < 0.2 * SLOW
    assert (rekey.directory / "op").exists()


def has_opened(pid, file):
    for descriptor in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            if os.readlink(f"/proc/{pid}/fd/{descriptor}") == str(file):
                return True
    return False


@pytest.mark.parametrize("kind", ["secret", "imds"])
def test_a_signal_while_a_token_is_asked_for(arm, rekey, regenerate, identity, kind):
    """Before the POST, nothing was sent; during a renewal, the operation continues at the
    service."""
    who, name = identity(kind, answers=[STALL]), arm.endpoint()
    process = regenerate(who, name, "--operation-file", "op", start=True)
    arm.wait_for(who.name, "request")
    process.signal(signal.SIGTERM)
    rekey.finish(process, 10, name)
    assert arm.requests(name) == [] and not (rekey.directory / "op").exists()
    who.change(lifetime=2, answers=[{}, STALL])
    name = issued(arm, **SIX_SECONDS)
    process = regenerate(who, name, "--operation-file", "op", start=True)
    arm.wait_for(who.name, "request", count=3)
    process.signal(signal.SIGTERM)
    rekey.finish(process, 13, name)
    assert (rekey.directory / "op").exists()


# ---- 401 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_401_then_success(arm, regenerate, identity, kind):
    """The POST is repeated once with a fresh token, and so is a poll."""
    who = identity(kind)
    no = error(401, CHALLENGE)
    name = issued(arm, post=[no, ACCEPTED], poll=[RUNNING, no, DONE])
    regenerate(who, name)
    assert who.used(name) == [0, 1, 1, 1, 2] and who.count() == 3


def test_a_token_that_is_revoked_while_polling(arm, regenerate, identity):
    who = identity("secret")
    revoke = f"PUT /identity/{who.name}?revoke=1"
    name = issued(arm, post=[{**ACCEPTED, "do_before": [revoke]}], poll=[RUNNING, DONE])
    regenerate(who, name)
    assert who.used(name) == [0, 0, 1, 1] and who.count() == 2


@pytest.mark.parametrize("kind", ["secret", "arc"])
def test_401_again(arm, regenerate, identity, kind):
    who, name = identity(kind), issued(arm, post=[error(401, CHALLENGE)])
    regenerate(who, name, code=14)
    assert who.used(name) == [0, 1] and who.count() == 2


def test_401_again_while_polling(arm, regenerate, identity):
    """A fresh token once per poll. After that the outcome is open, but the operation can be
    resumed."""
    who = identity("secret")
    name = issued(arm, post=[ACCEPTED], poll=[RUNNING, error(401, CHALLENGE)])
    regenerate(who, name, "--operation-file", "op", code=13)
    assert who.used(name) == [0, 0, 0, 1]


@pytest.mark.parametrize(
    "fields",
    [
        ['Bearer realm="a, b", error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ=="'],
        ['Basic realm="x", Bearer realm="", error="insufficient_claims", claims="e30="'],
        ["Negotiate", 'Bearer error="insufficient_claims", claims="e30="'],
    ],
    ids=["commas in quotes", "not the first", "a second field"],
)
def test_a_claims_challenge_is_said_to_be_one(arm, regenerate, identity, fields):
    who = identity("secret")
    no = error(401, *(["WWW-Authenticate", field] for field in fields))
    regenerate(who, issued(arm, post=[no]), code=14).says("claims")


def test_claims_in_a_text_are_not_a_claims_challenge(arm, regenerate, identity):
    no = error(
        401, ["WWW-Authenticate", 'Bearer error="x", error_description="no claims=\\"e30=\\""']
    )
    result = regenerate(identity("secret"), issued(arm, post=[no]), code=14)
    assert "claims challenge" not in result.err


# ---- refusals by the authority -------------------------------------------------------------------

OTHER_ID = "99999999-8888-4777-8666-555555555555"
WRONG_SECRET = "not~the.right-secret_0123456789"
# What is wrong: kind, environment, members of the identity, exit code, words that the remedy must
# have.
REFUSALS = {
    "wrong secret": ("secret", {"AZURE_CLIENT_SECRET": WRONG_SECRET}, {}, 7000215, "secret"),
    "expired secret": ("secret", {}, {"secret_expired": True}, 7000222, "expired"),
    "unknown tenant": ("secret", {"AZURE_TENANT_ID": OTHER_ID}, {}, 90002, "AZURE_TENANT_ID"),
    "unknown application": ("secret", {"AZURE_CLIENT_ID": OTHER_ID}, {}, 700016, "AZURE_CLIENT_ID"),
    "the clock": ("certificate", {}, {"answers": [{"error": 700024}]}, 700024, "clock"),
    "no federated credential": (
        "workload",
        {},
        {"answers": [{"error": 70021}]},
        70021,
        "federated",
    ),
    "another subject": ("workload", {}, {"answers": [{"error": 700213}]}, 700213, "federated"),
    "unknown certificate": (
        "certificate",
        {},
        {"certificate": str(CERTS / "device-4096.pem")},
        700027,
        None,
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_the_authority_says_no(refused, identity, case):
    """One request only: a refusal is not repeated. The message shows its code, its ids, the first
    line of its text, and a remedy."""
    kind, env, members, code, word = REFUSALS[case]
    who = identity(kind, **members)
    if case == "unknown certificate":
        env = {"AZURE_CLIENT_CERTIFICATE_PATH": str(CERTS / "device.pem")}
    result = refused(who, env=env)
    at = dataclasses.replace(who, name=env.get("AZURE_TENANT_ID", who.name))
    assert at.count() == 1 and at.requests()[0]["faults"] == []
    shown = at.refused()
    assert shown["code"] == code
    result.says(f"AADSTS{code}", shown["error"], shown["trace_id"], shown["correlation_id"])
    result.says(shown["text"][:60])
    assert "\r" not in result.err and "Timestamp" not in result.err
    if word:
        advice = [line for line in result.lines if f"AADSTS{code}" not in line]
        assert any(word in line for line in advice), f"no remedy with {word!r}:\n{result.err}"


def test_a_refusal_leaves_no_operation_file(rekey, refused, identity):
    """No operation was started: there is nothing to wait for, and no file disturbs the next run."""
    who = identity("secret", answers=[{"error": 7000215}])
    for _ in range(2):
        refused(who, "--operation-file", "op")
        assert not (rekey.directory / "op").exists()


def test_the_ids_are_also_in_the_report(refused, identity):
    who = identity("secret", answers=[{"error": 7000215}])
    result = refused(who, "-o", "json")
    assert result.json["outcome"] == "credentials" and "AADSTS7000215" in result.out


def entra(status=400, description="AADSTS53003: Blocked by policy.", **more):
    body = {"error": "invalid_grant", "error_description": description, **more}
    return {"status": status, "body": body}


@pytest.mark.parametrize("kind", ["secret", "imds"])
def test_a_byte_order_mark_before_the_token(arm, regenerate, identity, kind):
    body = '\ufeff{"token_type":"Bearer","expires_in":3599,"access_token":"{token}"}'
    who = identity(kind, answers=[{"status": 200, "body": body}])
    regenerate(who, issued(arm, "ok-200"))


def test_a_byte_order_mark_before_a_refusal(refused, identity):
    who = identity("secret", answers=[{"status": 400, "body": '\ufeff{"error":"invalid_request"}'}])
    refused(who).says("invalid_request")


def test_an_error_that_nobody_foresaw(refused, identity):
    trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
    body = entra(trace_id=trace, correlation_id=correlation, error_codes=[53003])
    who = identity("secret", answers=[body])
    refused(who).says("invalid_grant", "AADSTS53003: Blocked by policy.", trace, correlation)
    assert who.count() == 1


def test_a_description_in_one_line(refused, identity):
    """The newer form, in which the ids follow the text."""
    text = "AADSTS7000215: Invalid client secret provided. Trace ID: t-1 Correlation ID: c-1"
    who = identity("secret", answers=[entra(401, text, trace_id="t-1", correlation_id="c-1")])
    refused(who).says("AADSTS7000215: Invalid client secret provided.", "t-1", "c-1")


HOSTILE = {
    "control characters": "AADSTS1: a\x1b[2Jb\x07\u202ec\u0000d",
    "long": "AADSTS1: " + "x" * 3000,
    "empty": "",
    "null": None,
    "a number": 7,
    "an object": {"a": ["AADSTS1"]},
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_description(refused, identity, text):
    who = identity("secret", answers=[entra(description=text)])
    result = refused(who)
    result.says("invalid_grant")
    assert re.fullmatch(r"[^\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]*", result.err)
    assert who.count() == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413])
def test_an_error_without_oauth(refused, identity, status):
    """A page of some proxy: only the status is known."""
    who = identity("secret", answers=[{"status": status, "body": "<html>no</html>"}])
    refused(who).says(str(status))
    assert who.count() == 1


def test_the_devices_clock_is_an_hour_off(refused, identity, preload):
    """The stand-in compares the assertion with its own clock."""
    who = identity("certificate")
    result = refused(who, env=preload("clock", CLOCK_SHIFT="3600"))
    result.says("AADSTS700024", "clock")


# ---- the connection to the authority -------------------------------------------------------------

PASSES = {
    "408": {"status": 408},
    "429": {"status": 429},
    "500": {"status": 500, "body": "<html>"},
    "502": {"status": 502},
    "503": {"status": 503},
    "504": {"status": 504},
    "reset": {"cut": 0, "then": "reset"},
    "close": {"cut": 0, "then": "close"},
    "half a head": {"cut": 50, "then": "close"},
    "half a body": {"cut": -100, "then": "close"},
    "abort": {"cut": -100, "then": "abort"},
}


def passing(name):
    """Answers after which another request may succeed; at once if the answer allows that."""
    answer = PASSES[name]
    return {**answer, "headers": [NOW]} if "status" in answer else answer


@pytest.mark.parametrize("case", PASSES)
def test_what_passes_is_asked_again(arm, regenerate, identity, case):
    who, name = identity("secret", answers=[passing(case), {}]), issued(arm, "ok-200")
    regenerate(who, name)
    assert who.count() == 2 and arm.counts(name) == (1, 0)
    ids = [header(request, "client-request-id") for request in who.requests()]
    assert ids[0] != ids[1]


@pytest.mark.parametrize("kind", ["certificate", "imds", "arc"])
def test_others_ask_again_as_well(arm, regenerate, identity, kind):
    who, name = identity(kind, answers=[passing("503"), passing("close"), {}]), issued(
        arm, "ok-200"
    )
    regenerate(who, name)
    assert who.count() == 3
    if kind == "certificate":  # each time with a new assertion
        assert len({request["claims"]["jti"] for request in who.requests()}) == 3


@pytest.mark.parametrize("status", [404, 410, 429, 500])
def test_imds_is_asked_again(arm, regenerate, identity, status):
    who = identity("imds", answers=[{"status": status, "headers": [NOW]}, {}])
    regenerate(who, issued(arm, "ok-200"))
    assert who.count() == 2


def test_five_tries_in_all(refused, identity):
    who = identity("secret", answers=[passing("503")])
    refused(who, code=(10, 14)).says("503")
    assert who.count() == 5


def test_retry_after_is_kept_to(arm, regenerate, identity):
    who = identity("secret", answers=[{"status": 429, "headers": [["Retry-After", "2"]]}, {}])
    result = regenerate(who, issued(arm, "ok-200"))
    times = [request["time"] for request in who.requests()]
    assert 1.9 < times[1] - times[0] < 2 + SLOW and result.seconds < 2 + 2 * SLOW


def test_a_retry_after_beyond_the_deadline_is_not_waited_for(refused, identity):
    who = identity("secret", answers=[{"status": 429, "headers": [["Retry-After", "300"]]}])
    result = refused(who, "--timeout", "10", code=(10, 14))
    assert who.count() == 1 and result.seconds < 3 * SLOW


def test_the_authority_is_down_then_up(
    arm, rekey, regenerate, identity, authority_put_back, native
):
    """The authority is named by its address, so that the command first sleeps after a refused
    connection."""
    who, name = identity("secret"), issued(arm, "ok-200")
    who.env["AZURE_AUTHORITY_HOST"] = arm.url("authority", "127.0.0.1")
    arm.control("PUT", "/listener/authority?state=down")
    process = regenerate(who, name, start=True)
    wait_until(lambda: sleeping(process.pid), "it waits before it tries again")
    arm.control("PUT", "/listener/authority?state=up")
    rekey.finish(process, 0, name)
    assert who.used(name) == [0]


def sleeping(pid):
    """Whether the process is the command already, and sleeps."""
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        if b"regenerate" not in file.read():
            return False
    with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
        return file.read().rpartition(")")[2].split()[0] == "S"


def test_the_authority_stays_down(arm, refused, identity, authority_put_back):
    who = identity("secret")
    arm.control("PUT", "/listener/authority?state=down")
    result = refused(who, "--timeout", "2", code=10)
    result.says("localhost")
    assert result.seconds < 2 + 2 * SLOW


def test_an_authority_whose_name_is_unknown(refused, identity, namespace, etc):
    who = identity("secret")
    who.prefix = namespace("nm", f"ip link set lo up\n{etc()}")
    env = {"AZURE_AUTHORITY_HOST": "https://nowhere.test"}
    refused(who, "--timeout", "1", env=env, code=10)


@pytest.mark.parametrize("certificate", ["expired", "wronghost", "unknown", "selfsigned"])
def test_an_authority_that_is_not_trusted(arm, refused, identity, authority_put_back, certificate):
    """The secret is not sent to it."""
    who = identity("secret")
    arm.control("PUT", f"/certificate/authority?name={certificate}")
    refused(who, code=11)
    assert who.requests() == []


def test_a_slow_authority(arm, regenerate, identity):
    who = identity("secret", answers=[{"delay": 1.5, "split": 100, "pause": 0.02}])
    name = issued(arm, "ok-200")
    assert regenerate(who, name).seconds > 1.5
    assert who.count() == 1 and who.used(name) == [0]


def test_the_deadline_holds_for_the_authority(refused, identity):
    who = identity("secret", answers=[STALL])
    result = refused(who, "--timeout", "1", code=10)
    result.says("deadline")
    assert 1 <= result.seconds < 1 + SLOW


def test_an_authority_that_says_nothing(arm, regenerate, identity):
    who, name = identity("secret", answers=[STALL, {}]), issued(arm, "ok-200")
    regenerate(who, name, "--idle-timeout", "1")
    assert who.count() == 2


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(refused, identity, status):
    where = ["Location", "https://localhost:{forbidden_tls}/"]
    who = identity("secret", answers=[{"status": status, "headers": [where]}])
    refused(who)
    assert who.count() == 1


def test_redirects_of_managed_identities_are_not_followed(refused, identity):
    where = ["Location", "http://127.0.0.1:{forbidden}/"]
    for kind, which in (("imds", "answers"), ("arc", "challenges"), ("arc", "answers")):
        refused(identity(kind, **{which: [{"status": 302, "headers": [where]}]}))


# ---- answers of a token service ------------------------------------------------------------------


def token_answer(**more):
    return {"body": {"token_type": "Bearer", "expires_in": 3599, "access_token": "{token}", **more}}


GOOD = {
    "expires_in as a string": {"body": token_answer(expires_in="3599")["body"]},
    "expires_in of a day": token_answer(expires_in=86400),
    "expires_in that is huge": token_answer(expires_in=99999999999),
    "other members": token_answer(x={"access_token": "no"}, y=[{"expires_in": 1}], z=None),
    "lower case": token_answer(token_type="bearer"),
    "white space": {"body": '\r\n { "access_token" :\t"{token}" , "expires_in":"60"\n} \n'},
    "chunked": {"framing": "chunked", "chunk": 100},
    "close-delimited": {"framing": "close"},
    "one byte at a time": {"split": 1},
    "an interim answer": {"interim": [{"status": 100}]},
    "identity as its coding": {"headers": [["Content-Encoding", "identity"]]},
}


@pytest.mark.parametrize("case", GOOD)
def test_good_answers(arm, regenerate, identity, case):
    who, name = identity("secret", answers=[GOOD[case]]), issued(arm, "ok-200")
    regenerate(who, name)
    assert who.count() == 1 and who.used(name) == [0]


@pytest.mark.parametrize("kind", ["secret", "imds", "arc"])
@pytest.mark.parametrize("stated", [3599, "3599"], ids=["number", "string"])
def test_numbers_and_strings(arm, regenerate, identity, kind, stated):
    who, name = identity(kind, stated=stated), issued(arm, "ok-200")
    regenerate(who, name)
    assert who.count() == 1


GARBAGE = {
    "nothing": {"body": ""},
    "204": {"status": 204},
    "not JSON": {"body": "access_token={token}"},
    "a page": {"body": "<html>Sign in to the guest network</html>"},
    "an array": {"body": ["{token}"]},
    "a string": {"body": '"{token}"'},
    "no token": {"body": {"token_type": "Bearer", "expires_in": 3599}},
    "a null token": token_answer(access_token=None),
    "a number": token_answer(access_token=12345),
    "an empty token": token_answer(access_token=""),
    "a token with a space": token_answer(access_token="two words of no token"),
    "a token with a line": token_answer(access_token="eyJx\r\nX-Evil: 1"),
    "a token with a tab": token_answer(access_token="eyJx\ty"),
    "a token not in ASCII": token_answer(access_token="töken-töken-töken"),
    "a token in an object": {"body": {"token": {"access_token": "{token}", "expires_in": 1}}},
    "cut JSON": {"body": '{"token_type":"Bearer","expires_in":3599,"access_token":"{token}'},
    "gzip": {"headers": [["Content-Encoding", "gzip"]], "body": "\x1f\x00\x00{token}"},
    "a gzip that is a good answer": {"headers": [["Content-Encoding", "gzip"]]},
    "not HTTP": {"raw": "220 mail.example ESMTP\r\n", "then": "close"},
    "upgrade": {"status": 101, "headers": [["Upgrade", "h2c"], ["Connection", "Upgrade"]]},
}


@pytest.mark.parametrize("case", GARBAGE)
def test_garbage(refused, identity, case):
    """Nothing in it is accepted as a token. A few more requests are allowed."""
    who = identity("secret", answers=[GARBAGE[case]])
    code = (10, 14) if case in ("not HTTP",) else 14
    refused(who, code=code)
    assert 1 <= who.count() <= 5


@pytest.mark.parametrize("kind", ["imds", "arc"])
def test_garbage_from_a_managed_identity(refused, identity, kind):
    for case in ("not JSON", "no token", "a token with a line"):
        refused(identity(kind, answers=[GARBAGE[case]]))


@pytest.mark.parametrize(
    "stated", [0, -1, None, "", "soon", 1.5, True, {}, "0x10", "99999999999999999999"]
)
def test_a_lifetime_that_makes_no_sense(arm, regenerate, identity, stated):
    """It is refused, or the token is used once. In no case are tokens requested all the time."""
    who, name = identity("secret", answers=[token_answer(expires_in=stated)]), issued(arm, "ok-200")
    regenerate(who, name, code=(0, 14))
    assert 1 <= who.count() <= 5


def padded(size):
    """A valid answer of this many bytes."""
    token = "t" * 3000
    text = json.dumps({"expires_in": 3599, "access_token": token, "x": ""})
    return {"body": text[:-2] + "p" * (size - len(text)) + text[-2:]}


def test_an_answer_of_just_the_budget(arm, regenerate, identity):
    who, name = identity("secret", answers=[padded(BUDGET)]), arm.endpoint()
    regenerate(who, name)
    assert header(arm.requests(name)[0], "Authorization") == "Bearer " + "t" * 3000


@pytest.mark.parametrize("size", [BUDGET + 1, 5000, 100000])
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_an_answer_over_the_budget(refused, identity, size, framing):
    """The error names the limit. Another request would not help."""
    who = identity("secret", answers=[{**padded(size), "framing": framing}])
    refused(who).says("REKEY_TOKEN_MAX", str(BUDGET))
    assert who.count() == 1


@pytest.mark.parametrize("kind", ["imds", "arc"])
def test_a_managed_identitys_answer_over_the_budget(refused, identity, kind):
    refused(identity(kind, size=BUDGET)).says("REKEY_TOKEN_MAX")


@pytest.mark.parametrize("kind", ["secret", "imds"])
def test_a_long_token(arm, regenerate, identity, kind):
    who, name = identity(kind, size=3600), issued(arm)
    regenerate(who, name)
    assert who.used(name) == [0] * 4


# ---- managed identities --------------------------------------------------------------------------


def test_no_managed_identity(refused, identity):
    who = identity("imds", absent=True)
    result = refused(who)
    result.says("Identity not found", "managed identity")
    assert who.count() == 1


ARCS = {
    "plain": "Basic realm=/var/opt/azcmagent/tokens/0.key",
    "quoted": 'Basic realm="/var/opt/azcmagent/tokens/0.key"',
    "of Windows": "Basic realm=C:\\ProgramData\\AzureConnectedMachineAgent\\Tokens\\0.key",
}


@pytest.mark.parametrize("chosen", [True, False], ids=["--auth imds", "the default"])
@pytest.mark.parametrize("case", ARCS)
def test_imds_that_is_the_agent_of_arc(refused, identity, case, chosen):
    """The agent sets IMDS_ENDPOINT, too. It is not asked twice."""
    answer = {"status": 401, "headers": [["WWW-Authenticate", ARCS[case]]]}
    who = identity("imds", answers=[answer])
    refused(who, auth=chosen).says("the Azure Arc agent", "--auth arc", "HTTP 401")
    assert who.count() == 1


def test_an_unknown_user_assigned_identity(refused, identity):
    who = identity("imds", user_assigned=[str(uuid.uuid4())])
    refused(who, env={"AZURE_CLIENT_ID": OTHER_ID}).says("Identity not found")


def challenge(*values, **more):
    fields = [["WWW-Authenticate", value] for value in values]
    return {"status": 401, "headers": fields, **more}


CHALLENGES = {
    "plain": ["Basic realm={key}"],
    "quoted": ['Basic realm="{key}"'],
    "any case": ["bAsIc ReAlM={key}"],
    "spaces": ["Basic   realm = {key} "],
    "a charset": ['Basic charset="UTF-8", realm={key}'],
    "after another": ['Bearer authorization_uri="https://login.example/a, b", Basic realm={key}'],
    "after one without parameters": ["Negotiate, Basic realm={key}"],
    "before another": ['Basic realm={key}, Bearer realm="x"'],
    "a second field": ['Bearer realm="x"', "Basic realm={key}"],
    "one in quotes": ['Bearer realm="Basic realm=/etc/shadow, x", Basic realm={key}'],
    "an escaped quote": ['Bearer realm="a\\", Basic realm=/etc/shadow, \\"", Basic realm={key}'],
    "empty elements": [", ,Negotiate,, Basic realm={key}"],
}


@pytest.mark.parametrize("case", CHALLENGES)
def test_arcs_challenge_is_found(arm, regenerate, identity, case):
    who, name = identity("arc", challenges=[challenge(*CHALLENGES[case])]), issued(arm, "ok-200")
    regenerate(who, name)
    assert [each["kind"] for each in who.requests()] == ["challenge", "arc"]


NO_CHALLENGES = {
    "no field": {"status": 401, "headers": []},
    "another scheme": challenge('Bearer realm="{key}"'),
    "no realm": challenge("Basic"),
    "an empty realm": challenge("Basic realm="),
    "an empty realm in quotes": challenge('Basic realm=""'),
    "a realm of another scheme": challenge("Basic charset=x, Bearer realm={key}"),
    "an open quote": challenge('Basic realm="{key}'),
    "a name that ends in realm": challenge("Basic xrealm={key}"),
    "in quotes alone": challenge('Bearer error="Basic realm={key}"'),
    "long": challenge(f"Basic realm={TOKENS}/{'x' * 5000}.key"),
    "not 401": {"status": 403, "headers": [["WWW-Authenticate", "Basic realm={key}"]]},
}


@pytest.mark.parametrize("case", NO_CHALLENGES)
def test_no_challenge_of_arcs(refused, identity, case):
    who = identity("arc", challenges=[NO_CHALLENGES[case]])
    refused(who)
    assert who.count() == 0


def test_arc_does_not_like_the_key(refused, identity):
    """One more attempt is allowed, with a new challenge; then an error says so."""
    who = identity(
        "arc", answers=[{"status": 401, "headers": [["WWW-Authenticate", "Basic realm={key}"]]}]
    )
    refused(who)
    assert 1 <= who.count() <= 2


# Arc's key files, each wrong in one property.
KEY_FILES = {
    "a directory": {"kind": "directory"},
    "a symlink": {"kind": "symlink"},
    "a pipe": {"kind": "fifo"},
    "missing": {"kind": "missing"},
    "no .key": {"name": ""},
    "another ending": {"name": ".key.txt"},
    "upper case": {"name": ".KEY"},
    "4097 bytes": {"content": secrets.token_hex(2049)[1:]},
    "a megabyte": {"content": secrets.token_hex(1 << 19)},
    "two lines": {"content": "a-key-of-two-lines-0123456789\r\nX-Evil: 1"},
    "control characters": {"content": "a-key-with-an-escape-\x1b[2J-0123456789"},
    "not ASCII": {"content": "a-key-that-is-not-äöü-0123456789"},
}
READ = {"two lines", "control characters", "not ASCII"}  # only their content is wrong
BY_NAME = {"no .key", "another ending", "upper case"}


class Watch:
    """Watches what happens to a file, with inotify."""

    ACCESS, OPEN = 0x1, 0x20

    def __init__(self):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.fd = self.libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)

    def add(self, path):
        watch = self.libc.inotify_add_watch(self.fd, os.fsencode(path), self.ACCESS | self.OPEN)
        assert watch >= 0, os.strerror(ctypes.get_errno())

    def seen(self):
        """The events since the last call: pairs of the event and the name within a watched
        directory."""
        found = []
        with contextlib.suppress(BlockingIOError):
            data = os.read(self.fd, 65536)
            while data:
                _, mask, _, length = struct.unpack("iIII", data[:16])
                found.append((mask, data[16 : 16 + length].rstrip(b"\0").decode()))
                data = data[16 + length :]
        return found

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)


def test_the_key_file_is_read(arm, regenerate, identity):
    """A control for the next tests: the watch sees that a file is read."""
    who = identity("arc")
    with Watch() as watch:
        watch.add(who.folder)
        regenerate(who, issued(arm, "ok-200"))
        events = watch.seen()
    (name,) = [Path(key).name for key in arm.identity(who.name)["keys"]]
    assert any(mask & Watch.ACCESS and each == name for mask, each in events)


@pytest.mark.parametrize("case", KEY_FILES)
def test_a_bad_key_file(refused, identity, case):
    """Refused: nothing of the file is sent. If the defect is visible before reading, the file is
    not even read. Files with a wrong name are not opened by the command; the stand-in opened them
    when it wrote them."""
    who = identity("arc", key=KEY_FILES[case])
    with Watch() as watch:
        watch.add(who.folder)
        result = refused(who)
        events = [(mask, name) for mask, name in watch.seen() if name]
    assert case in READ or not any(mask & Watch.ACCESS for mask, _ in events)
    assert case not in BY_NAME or len([mask for mask, _ in events if mask & Watch.OPEN]) == 1
    assert who.requests() and who.count() == 0
    result.says("key")


def test_a_key_file_of_4096_bytes(arm, regenerate, identity):
    who, name = identity("arc", key={"content": secrets.token_hex(2048)}), issued(arm, "ok-200")
    regenerate(who, name)
    assert who.used(name) == [0]


@pytest.fixture
def without_rights(identity):
    """Arc, and a command that runs without the rights of root."""

    def make(**members):
        who = identity("arc", **members)
        command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
        if subprocess.run([*who.prefix, *command, "true"], stderr=subprocess.PIPE).returncode != 0:
            pytest.skip("rights cannot be dropped")
        who.prefix = [*who.prefix, *command]
        return who

    return make


def test_a_key_file_that_cannot_be_read(refused, without_rights):
    """The user is not a member of the agent's group."""
    who = without_rights(key={"mode": 0})
    result = refused(who)
    result.says("Permission denied", "himds")
    assert who.count() == 0


def test_a_key_file_that_the_group_can_read(arm, regenerate, without_rights):
    who = without_rights()
    regenerate(who, issued(arm, "ok-200"))
    assert who.count() == 1


# The path in the challenge; {name} is a file in several directories, {outside} a file elsewhere.
ELSEWHERE = {
    "outside": "{outside}",
    "dots": TOKENS + "/../tokens/{name}",
    "dots that lead out": TOKENS + "/../elsewhere.key",
    "a subdirectory": TOKENS + "/sub/{name}",
    "a double slash": TOKENS + "//{name}",
    "a dot": TOKENS + "/./{name}",
    "a prefix": TOKENS + "-more/{name}",
    "relative": "{name}",
    "a URL": "file://" + TOKENS + "/{name}",
    "the parent": "/var/opt/azcmagent/{name}",
    "the directory": TOKENS,
    "the directory and a slash": TOKENS + "/",
    "an ending alone": TOKENS + "/.key",
    "percent": TOKENS + "/..%2felsewhere.key",
    "a backslash": TOKENS + "\\{name}",
}


@pytest.mark.parametrize("case", ELSEWHERE)
def test_a_key_file_elsewhere(refused, identity, tmp_path, case):
    """None of these files is opened, although each of them exists."""
    who = identity("arc")
    folder, name = who.folder, f"{uuid.uuid4()}.key"
    outside = tmp_path / "outside.key"
    (folder / "sub").mkdir()
    (folder.parent / "tokens-more").mkdir()
    places = [folder, folder / "sub", folder.parent, folder.parent / "tokens-more", tmp_path]
    files = [place / name for place in places]
    files += [
        outside,
        folder / ".key",
        folder.parent / "elsewhere.key",
        folder / "..%2felsewhere.key",
    ]
    files += [folder.parent / f"tokens\\{name}"]
    for file in files:
        file.write_text("the-content-of-a-file-that-is-nobodys-business")
    realm = ELSEWHERE[case].format(name=name, outside=outside)
    quoted = realm.replace("\\", "\\\\")
    who.change(challenges=[challenge(f'Basic realm="{quoted}"')])
    with Watch() as watch:
        for file in files:
            watch.add(file)
        result = refused(who)
        assert watch.seen() == []
    assert who.count() == 0 and "nobodys-business" not in result.err


def test_a_tokens_directory_that_is_not_there(refused, identity):
    who = identity("arc", challenges=[challenge(f"Basic realm={TOKENS}/{uuid.uuid4()}.key")])
    shutil.rmtree(who.folder.parent)
    refused(who).says("No such file")


# ---- addresses of managed identities -------------------------------------------------------------


USUAL = {"IMDS_ENDPOINT": ""}  # as if it were not set; the runner sets it otherwise


def test_the_address_of_imds(arm, rekey, lent, identity):
    """169.254.169.254, port 80, unless a variable names another address."""
    who = identity("imds")
    prefix = lent("ip addr add 169.254.169.254/32 dev lo", f"{who.name}=169.254.169.254:80")
    name = issued(arm)
    rekey.regenerate(name, "--auth", "imds", token=None, env=USUAL, prefix=prefix)
    assert who.used(name) == [0] * 4
    assert header(who.requests()[0], "Host") in ("169.254.169.254", "169.254.169.254:80")


def test_imds_is_the_last_choice(arm, rekey, lent, identity):
    who = identity("imds")
    prefix = lent("ip addr add 169.254.169.254/32 dev lo", f"{who.name}=169.254.169.254:80")
    name = issued(arm, "ok-200")
    result = rekey.regenerate(name, "-v", token=None, env=USUAL, prefix=prefix)
    result.says("auth: imds", "AZURE_ACCESS_TOKEN", "AZURE_CLIENT_SECRET", "himds")
    result.says("AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE")
    assert who.count() == 1


@pytest.mark.parametrize("chosen", ["--auth arc", "himds"])
def test_the_address_of_arc(arm, rekey, lent, identity, tmp_path, chosen):
    """Port 40342 if no variable names another address; on Linux usually none does. The agent's
    program shows that Arc is installed."""
    who = identity("arc")
    (tmp_path / "opt/azcmagent/bin").mkdir(parents=True)
    (tmp_path / "opt/azcmagent/bin/himds").touch(0o755)
    script = f"{mount(who.folder.parents[1])}\nmount --bind {shlex.quote(str(tmp_path))}/opt /opt"
    prefix = lent(script, f"{who.name}=127.0.0.1:40342", flags="nm")
    name = issued(arm)
    arguments = chosen.split() if chosen.startswith("-") else []
    result = rekey.regenerate(name, "-v", *arguments, token=None, env=USUAL, prefix=prefix)
    result.says("auth: arc")
    assert who.used(name) == [0] * 4


# Fills the queue of a listener that never accepts, and becomes the command: packets are lost, as
# outside of Azure.
HOLE = (
    "import os, socket, sys\n"
    "at = ('169.254.169.254', 80)\n"
    "s = [socket.socket() for _ in range(3)]\n"
    "s[0].bind(at)\n"
    "s[0].listen(0)\n"
    "for each in s[1:]:\n"
    "    each.setblocking(False)\n"
    "    each.connect_ex(at)\n"
    "for each in s:\n"
    "    each.set_inheritable(True)\n"
    "os.execvp(sys.argv[1], sys.argv[1:])\n"
)


@pytest.fixture
def nowhere(lent):
    """A prefix: 169.254.169.254 does not answer."""
    return [*lent("ip addr add 169.254.169.254/32 dev lo"), PYTHON, "-c", HOLE]


def test_off_azure_imds_gets_one_second(arm, rekey, nowhere):
    """The limit applies if IMDS is tried only because nothing else is configured. The error lists
    the variables that could be set."""
    name, mark = arm.endpoint(), arm.mark()
    result = rekey.regenerate(name, token=None, env=USUAL, prefix=nowhere, code=(10, 14))
    assert 0.9 <= result.seconds < 1 + 1.5 * SLOW and arm.requests(name) == []
    assert arm.connections("main", mark) == []


def test_imds_that_was_asked_for_gets_more_than_a_second(arm, rekey, nowhere):
    name = arm.endpoint()
    arguments = ["--auth", "imds", "--connect-timeout", "2", "--timeout", "3"]
    result = rekey.regenerate(
        name, *arguments, token=None, env=USUAL, prefix=nowhere, code=(10, 14)
    )
    assert result.seconds > 1.9


UNSAFE = {
    "IMDS elsewhere": ("imds", "IMDS_ENDPOINT", "http://192.0.2.1"),
    "IMDS by name": ("imds", "IMDS_ENDPOINT", "http://metadata.test"),
    "IMDS with the name of another": ("imds", "IMDS_ENDPOINT", "http://127.0.0.1.example:{port}"),
    "IMDS after userinfo": ("imds", "IMDS_ENDPOINT", "http://127.0.0.1:80@192.0.2.1"),
    "IMDS without scheme": ("imds", "IMDS_ENDPOINT", "127.0.0.1:{port}"),
    "IMDS with ftp": ("imds", "IMDS_ENDPOINT", "ftp://127.0.0.1:{port}"),
    "Arc elsewhere": (
        "arc",
        "IDENTITY_ENDPOINT",
        "http://192.0.2.1/metadata/identity/oauth2/token",
    ),
    "Arc at IMDS": (
        "arc",
        "IDENTITY_ENDPOINT",
        "http://169.254.169.254/metadata/identity/oauth2/token",
    ),
    "Arc by name": ("arc", "IDENTITY_ENDPOINT", "http://localhost.example:{port}/x"),
    "an authority over http": ("secret", "AZURE_AUTHORITY_HOST", "http://localhost:{port}"),
    "an authority over HTTP": ("secret", "AZURE_AUTHORITY_HOST", "HTTP://127.0.0.1:{port}/"),
    "an authority with userinfo": ("secret", "AZURE_AUTHORITY_HOST", "https://a@localhost:{port}"),
    "an authority with a bad port": ("secret", "AZURE_AUTHORITY_HOST", "https://localhost:99999"),
    "an authority without a name": ("secret", "AZURE_AUTHORITY_HOST", "https://"),
}


@pytest.mark.parametrize("case", UNSAFE)
def test_an_unsafe_address(arm, refused, identity, lent, case):
    """An error of usage: nothing is sent anywhere. All of these addresses lead to listeners that
    must not be contacted."""
    kind, variable, url = UNSAFE[case]
    who, port = identity(kind), arm.ports["forbidden"]
    addresses = ["169.254.169.254", "192.0.2.1"]
    script = "\n".join(f"ip addr add {address}/32 dev lo" for address in addresses)
    listeners = [f"forbidden={address}:80" for address in addresses]
    who.prefix = lent(script, *listeners, f"forbidden=127.0.0.1:{port}")
    refused(who, env={variable: url.format(port=port)}, code=2).says(variable)
    assert who.requests() == []


# ---- which identity ------------------------------------------------------------------------------


@pytest.fixture
def everybody(arm, identity):
    """One identity of each kind, and all of their variables at the same time."""
    people = {kind: identity(kind) for kind in KINDS}
    tenant = people["secret"]
    # One application has a secret, a certificate and a federated credential.
    arm.identity(
        tenant.name,
        client_id=tenant.env["AZURE_CLIENT_ID"],
        secret=tenant.env["AZURE_CLIENT_SECRET"],
        certificate=str(CERTS / "device.pem"),
    )
    env = {}
    for kind in ("arc", "imds", "workload", "certificate", "secret"):
        env.update(people[kind].env)
    return people, env


ORDER = {
    "token": ([], "token"),
    "secret": (["AZURE_ACCESS_TOKEN"], "secret"),
    "certificate": (["AZURE_ACCESS_TOKEN", "AZURE_CLIENT_SECRET"], "certificate"),
    "workload": (
        ["AZURE_ACCESS_TOKEN", "AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH"],
        "workload",
    ),
    "arc": (
        [
            "AZURE_ACCESS_TOKEN",
            "AZURE_CLIENT_SECRET",
            "AZURE_CLIENT_CERTIFICATE_PATH",
            "AZURE_FEDERATED_TOKEN_FILE",
        ],
        "arc",
    ),
    "arc without a tenant": (["AZURE_ACCESS_TOKEN", "AZURE_TENANT_ID"], "arc"),
    "arc without a client": (["AZURE_ACCESS_TOKEN", "AZURE_CLIENT_ID"], "arc"),
    "imds": (
        ["AZURE_ACCESS_TOKEN", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "IDENTITY_ENDPOINT"],
        "imds",
    ),
}


@pytest.mark.parametrize("case", ORDER)
def test_the_order_of_identities(arm, rekey, everybody, case):
    """The order is that of Azure's SDKs. With -v the command says which identity it chose, and what
    the ones before it lacked."""
    people, env = everybody
    missing, kind = ORDER[case]
    token = f"given-{secrets.token_hex(16)}"
    env = {"AZURE_ACCESS_TOKEN": token, **env}
    env = {name: value for name, value in env.items() if name not in missing}
    who = people["secret"] if kind in ENTRA else people.get(kind)
    if kind == "workload":
        federated = Path(env["AZURE_FEDERATED_TOKEN_FILE"]).read_text().strip()
        who.change(federated=federated)
    name = arm.endpoint()
    prefix = people["arc"].prefix
    result = rekey.regenerate(name, "-v", token=None, env=env, prefix=prefix)
    line = [line for line in result.lines if line.startswith("rekey: auth: ")][0]
    assert line.startswith(f"rekey: auth: {kind}")
    for variable in missing:
        if variable not in ("IDENTITY_ENDPOINT", "AZURE_CLIENT_ID") or len(missing) == 2:
            assert variable in line
    if kind == "token":
        assert header(arm.requests(name)[0], "Authorization") == f"Bearer {token}"
        assert token not in result.err
    else:
        who.used(name)
    for other in people.values():
        assert (other.requests() != []) == (other is who)


def test_app_service_is_not_arc(arm, rekey, identity):
    """IDENTITY_ENDPOINT with IDENTITY_HEADER: a message says so, and they are not used."""
    imds, mark = identity("imds"), arm.mark()
    header_value = f"app-service-{secrets.token_hex(16)}"
    env = {
        **imds.env,
        "IDENTITY_ENDPOINT": f"http://127.0.0.1:{arm.ports['forbidden']}/msi/token",
        "IDENTITY_HEADER": header_value,
    }
    result = rekey.regenerate(issued(arm, "ok-200"), "-v", token=None, env=env)
    result.says("auth: imds", "App Service")
    assert header_value not in result.err and arm.forbidden(mark) == []


def test_what_was_asked_for_is_used(arm, rekey, everybody):
    """--auth takes precedence over identities that come earlier in the order."""
    people, env = everybody
    for kind in ("imds", "arc", "certificate"):
        name = issued(arm, "ok-200")
        env = {**env, "AZURE_CLIENT_ID": people["secret"].env["AZURE_CLIENT_ID"]}
        if kind == "imds":
            people["imds"].change(user_assigned=[env["AZURE_CLIENT_ID"]])
        prefix = people["arc"].prefix
        rekey.regenerate(name, "--auth", kind, token="given-and-not-used", env=env, prefix=prefix)
        (people["secret"] if kind == "certificate" else people[kind]).used(name)


@pytest.mark.parametrize("value", ["", "Secret", "msi", "secrets"])
def test_no_such_kind(rekey, arm, value):
    mark = arm.mark()
    arguments = [*rekey.options("e", "forbidden-tls"), "--key-type", "primary"]
    rekey.run("regenerate", *arguments, "--auth", value, code=2).says("--auth")
    assert arm.forbidden(mark) == []


MISSING = [
    ("secret", "AZURE_TENANT_ID"),
    ("secret", "AZURE_CLIENT_ID"),
    ("secret", "AZURE_CLIENT_SECRET"),
    ("certificate", "AZURE_TENANT_ID"),
    ("certificate", "AZURE_CLIENT_ID"),
    ("certificate", "AZURE_CLIENT_CERTIFICATE_PATH"),
    ("workload", "AZURE_TENANT_ID"),
    ("workload", "AZURE_CLIENT_ID"),
    ("workload", "AZURE_FEDERATED_TOKEN_FILE"),
]


@pytest.mark.parametrize("empty", [False, True], ids=["unset", "empty"])
@pytest.mark.parametrize("kind,variable", MISSING)
def test_a_missing_variable(refused, identity, kind, variable, empty):
    who = identity(kind)
    del who.env[variable]
    refused(who, env={variable: ""} if empty else {}).says(variable)
    assert who.requests() == []


BAD_CONTENTS = {
    "missing": None,
    "empty": b"",
    "an empty line": b"\n",
    "a directory": "directory",
    "NULs": b"\0" * 10,
    "long": b"x" * 100000,
}


def write_bad(file, content):
    if content == "directory":
        file.mkdir()
    elif content is not None:
        file.write_bytes(content)


@pytest.mark.parametrize("kind", ["certificate", "workload"])
@pytest.mark.parametrize("case", BAD_CONTENTS)
def test_a_bad_file(refused, identity, tmp_path, kind, case):
    who, file = identity(kind), tmp_path / "given.file"
    write_bad(file, BAD_CONTENTS[case])
    variable = list(who.env)[-1]
    refused(who, env={variable: str(file)}).says("given.file")
    assert who.requests() == []


def test_a_long_federated_token(arm, regenerate, identity):
    """Those of GitHub and Kubernetes have one to two KB."""
    who = identity("workload", federated=f"eyJ.{secrets.token_urlsafe(2900)}.x")
    regenerate(who, issued(arm, "ok-200"))
    assert who.count() == 1


BAD_NAMES = {
    "a slash": "a/b",
    "a dot": ".",
    "dots": "..",
    "a space": "a b",
    "a query": "a?b",
    "percent": "a%2fb",
    "a fragment": "a#b",
    "a line": "a\nb",
    "not ASCII": "é",
    "long": "x" * 300,
}


@pytest.mark.parametrize("case", BAD_NAMES)
def test_a_bad_tenant(arm, refused, identity, case):
    """The tenant becomes part of a path."""
    who, mark = identity("secret"), arm.mark()
    env = {"AZURE_TENANT_ID": BAD_NAMES[case]}
    refused(who, env=env, code=(2, 14)).says("AZURE_TENANT_ID")
    assert arm.connections("authority", mark) == []


@pytest.mark.parametrize("kind", ["secret", "certificate", "imds"])
@pytest.mark.parametrize("case", ["a query", "a line", "percent"])
def test_a_bad_client_id(refused, identity, kind, case):
    """The request has one form field with exactly that value, or nothing is sent."""
    who = identity(kind)
    refused(who, env={"AZURE_CLIENT_ID": BAD_NAMES[case]}, code=(2, 14))


def test_a_tenant_by_its_domain(arm, rekey, identity):
    who = identity("secret")
    domain = f"{secrets.token_hex(8)}.onmicrosoft.com"
    arm.identity(
        domain, client_id=who.env["AZURE_CLIENT_ID"], secret=who.env["AZURE_CLIENT_SECRET"]
    )
    env = {**who.env, "AZURE_TENANT_ID": domain}
    rekey.regenerate(issued(arm, "ok-200"), "--auth", "secret", token=None, env=env)
    assert len(arm.requests(domain)) == 1


@pytest.mark.parametrize(
    "form", ["https://localhost:{port}", "https://localhost:{port}/", "localhost:{port}"]
)
def test_how_the_authority_is_written(arm, regenerate, identity, form):
    who = identity("secret")
    env = {"AZURE_AUTHORITY_HOST": form.format(port=arm.ports["authority"])}
    regenerate(who, issued(arm, "ok-200"), env=env)
    assert who.count() == 1


# ---- secrets and certificates --------------------------------------------------------------------


@pytest.mark.parametrize("place", ["--secret-file", "credentials", "credentials, chosen alone"])
def test_where_a_secret_can_be(arm, rekey, regenerate, identity, place):
    """In a file, or where systemd puts it; a line ending is not part of the secret."""
    who = identity("secret")
    secret = who.env.pop("AZURE_CLIENT_SECRET")
    folder = rekey.directory / "credentials"
    folder.mkdir()
    (folder / "client-secret").write_text(f"{secret}\n")
    arguments, env = [], {"CREDENTIALS_DIRECTORY": str(folder)}
    if place == "--secret-file":
        arguments, env = ["--secret-file", folder / "client-secret"], {}
    result = regenerate(
        who, issued(arm, "ok-200"), "-v", *arguments, env=env, auth=place.count(",") == 0
    )
    result.says("auth: secret")
    assert who.requests()[0]["form"]["client_secret"] == secret


def test_a_secret_is_not_an_argument(rekey, identity):
    """No option accepts a secret, and one that looks similar is not guessed."""
    who = identity("secret")
    arguments = [*rekey.options("e"), "--key-type", "primary", "--secret", "x" * 40]
    rekey.run("regenerate", *arguments, code=2, env=who.env, token=None)


@pytest.mark.parametrize("case", [each for each in BAD_CONTENTS if each != "NULs"])
def test_a_bad_secret_file(refused, rekey, identity, case):
    who, file = identity("secret"), rekey.directory / "given.secret"
    del who.env["AZURE_CLIENT_SECRET"]
    write_bad(file, BAD_CONTENTS[case])
    refused(who, "--secret-file", file).says("given.secret")
    assert who.requests() == []


GOOD_FILES = ["device.pem", "device-pkcs1.pem", "device-key-first.pem", "device-chain.pem"]


@pytest.mark.parametrize("file", GOOD_FILES)
def test_certificate_files(arm, regenerate, identity, file):
    """The key in either form, in any order, with the chain."""
    who = identity("certificate", certificate=str(CERTS / "device.pem"))
    name = issued(arm, "ok-200")
    regenerate(who, name, env={"AZURE_CLIENT_CERTIFICATE_PATH": str(CERTS / file)})
    assert who.used(name) == [0]


# Variants of device.pem as people and tools write them: all can be read.
REWRITTEN = {
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "CR": lambda text: text.replace("\n", "\r"),
    "BOM": lambda text: "\ufeff" + text,
    "indented": lambda text: re.sub("^", " \t", text, flags=re.M),
    "spaces at the ends of lines": lambda text: text.replace("\n", " \t\n"),
    "one line": lambda text: text.replace("\n", " "),
    "joined": lambda text: text.replace("-----\n-----", "----------"),
    "text between": lambda text: "Bag Attributes\n key: value\n"
    + text.replace("\n-----B", "\n# x\n-----B"),
    "X509 CERTIFICATE": lambda text: text.replace(" CERTIFICATE", " X509 CERTIFICATE"),
    "a damaged CA last": lambda text: text + (CERTS / "ca.pem").read_text().replace("MII", "M!I"),
}


@pytest.mark.parametrize("way", REWRITTEN)
def test_how_a_certificate_file_is_written(arm, rekey, regenerate, identity, way):
    who = identity("certificate", certificate=str(CERTS / "device.pem"))
    text = REWRITTEN[way]((CERTS / "device.pem").read_text())
    (rekey.directory / "device.pem").write_text(text, newline="")
    name = issued(arm, "ok-200")
    regenerate(who, name, env={"AZURE_CLIENT_CERTIFICATE_PATH": "device.pem"})
    assert who.used(name) == [0]


BAD_FORMS = {
    "pfx": "PKCS#12",
    "pss": "RSA-PSS",
    "ca-first": "put that one first",
    "der": "private key",
    "commented-out": "there is no certificate",
    "cut": "certificate is damaged",
    "old-encryption": "encrypted",
}


def write_bad_form(form, file):
    """Writes it with openssl, from device.pem."""
    device = CERTS / "device.pem"
    text = device.read_text()

    def openssl(*arguments):
        return subprocess.run(
            ["openssl", *map(str, arguments)],
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ).stdout

    if form == "pfx":
        openssl("pkcs12", "-export", "-in", device, "-passout", "pass:", "-out", file)
    elif form == "pss":
        pss = openssl("genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048")
        file.write_text(text[: text.index("-----BEGIN PRIVATE")] + pss.decode())
    elif form == "ca-first":
        file.write_text((CERTS / "ca.pem").read_text() + text)
    elif form == "der":
        file.write_bytes(openssl("x509", "-in", device, "-outform", "DER"))
    elif form == "commented-out":
        file.write_text(re.sub("^", "#", text, flags=re.M))
    elif form == "cut":
        file.write_text(text[:400] + "\n" + text[text.index("-----BEGIN PRIVATE") :])
    else:
        key = openssl("rsa", "-in", device, "-traditional", "-aes128", "-passout", "pass:secret")
        file.write_text(text[: text.index("-----BEGIN PRIVATE")] + key.decode())


@pytest.mark.parametrize("form", BAD_FORMS)
def test_forms_that_are_not_accepted(refused, identity, tmp_path, form):
    """The message names each form."""
    write_bad_form(form, tmp_path / "given.pem")
    who = identity("certificate")
    result = refused(who, env={"AZURE_CLIENT_CERTIFICATE_PATH": str(tmp_path / "given.pem")})
    result.says("given.pem", BAD_FORMS[form])
    assert who.requests() == []


BAD_FILES = {
    "device-mismatch.pem": "key",
    "device-no-key.pem": "key",
    "device-no-certificate.pem": "certificate",
    "device-encrypted.pem": "encrypted",
    "device-ec.pem": "RSA",
    "ca.pem": "key",
}


@pytest.mark.parametrize("file", BAD_FILES)
def test_bad_certificate_files(refused, identity, file):
    who = identity("certificate")
    result = refused(who, env={"AZURE_CLIENT_CERTIFICATE_PATH": str(CERTS / file)})
    result.says(file, BAD_FILES[file])
    assert who.requests() == []


def test_a_damaged_key(refused, identity, tmp_path):
    text = (CERTS / "device.pem").read_text()
    start = text.index("PRIVATE KEY-----") + 100
    for number, damaged in enumerate(
        (text[:start] + "A" * 64 + text[start + 64 :], text[: start + 200])
    ):
        file = tmp_path / f"damaged-{number}.pem"
        file.write_text(damaged)
        who = identity("certificate")
        refused(who, env={"AZURE_CLIENT_CERTIFICATE_PATH": str(file)}).says(file.name)
        assert who.requests() == []


def test_a_clock_that_was_never_set_makes_no_assertion(refused, identity, preload):
    years = str(-20 * 365 * 86400)
    refused(identity("certificate"), env=preload("clock", CLOCK_SHIFT=years), code=(11, 14)).says(
        "clock"
    )


# ---- clouds --------------------------------------------------------------------------------------

CLOUDS = {
    "public": ("management.azure.com", "login.microsoftonline.com"),
    "usgov": ("management.usgovcloudapi.net", "login.microsoftonline.us"),
    "china": ("management.chinacloudapi.cn", "login.chinacloudapi.cn"),
}


@pytest.fixture
def cloud(lent, etc):
    """A prefix: the names of all clouds lead to the stand-ins, on port 443."""
    hosts = "127.0.0.1 localhost\n"
    for management, authority in CLOUDS.values():
        hosts += f"127.0.0.1 {management}\n127.0.0.2 {authority}\n"
    return lent(etc(hosts), "clouds=127.0.0.1:443", "clouds-authority=127.0.0.2:443", flags="nm")


OPTIONS = ["--subscription", SUBSCRIPTION, "-g", GROUP, "-w", WORKSPACE, "--key-type", "primary"]


def run_in_a_cloud(rekey, who, name, prefix, *arguments):
    """Runs without --management-url. Returns the result."""
    arguments = [
        *OPTIONS,
        "-n",
        name,
        "--ca-file",
        CERTS / "ca.pem",
        "--auth",
        who.kind,
        *arguments,
    ]
    env = who.without("AZURE_AUTHORITY_HOST")
    return rekey.run(
        "regenerate", *arguments, token=None, env=env, prefix=prefix, code=0, name=name
    )


@pytest.mark.parametrize("which", [None, *CLOUDS])
def test_a_cloud_is_host_authority_and_scope(arm, rekey, identity, cloud, which):
    management, authority = CLOUDS[which or "public"]
    who = identity("secret", scope=f"https://{management}/.default")
    name = issued(arm)
    run_in_a_cloud(rekey, who, name, cloud, *(["--cloud", which] if which else []))
    assert arm.handshakes(name)[0]["sni"] == management
    assert arm.handshakes(who.name)[0]["sni"] == authority
    assert header(who.requests()[0], "Host") == authority
    assert who.used(name) == [0] * 4


def test_the_assertion_of_a_cloud(arm, rekey, identity, cloud):
    """Its audience is the authority as it was called, without the default port."""
    management, authority = CLOUDS["usgov"]
    who = identity("certificate", scope=f"https://{management}/.default")
    run_in_a_cloud(rekey, who, issued(arm), cloud, "--cloud", "usgov")
    claims = who.requests()[0]["claims"]
    assert claims["aud"] == f"https://{authority}/{who.name}/oauth2/v2.0/token"


@pytest.mark.parametrize("which", ["usgov", "china"])
def test_other_addresses_do_not_change_what_a_token_is_for(arm, regenerate, identity, which):
    """--management-url and AZURE_AUTHORITY_HOST override the cloud's hosts; scope and resource stay
    the cloud's."""
    management, _ = CLOUDS[which]
    for kind in ("secret", "imds"):
        who = identity(
            kind, scope=f"https://{management}/.default", resource=f"https://{management}/"
        )
        regenerate(who, issued(arm, "ok-200"), "--cloud", which)
        assert who.count() == 1


@pytest.mark.parametrize("value", ["", "Public", "germany", "https://management.azure.com"])
def test_no_such_cloud(rekey, arm, value):
    mark = arm.mark()
    arguments = [*rekey.options("e", "forbidden-tls"), "--key-type", "primary"]
    rekey.run("regenerate", *arguments, "--cloud", value, code=2).says("--cloud")
    assert arm.forbidden(mark) == []


# ---- rekey token ---------------------------------------------------------------------------------


@pytest.fixture
def show(arm, rekey):
    """A function that runs `rekey token` with an identity. The management host is not contacted."""

    def run(who, *arguments, code=0, auth=True, **more):
        mark = arm.mark()
        chosen = ["--auth", who.kind] if auth else []
        arguments = ["--ca-file", CERTS / "ca.pem", *chosen, *arguments]
        more = {"token": None, "env": who.env, "prefix": who.prefix, **more}
        result = rekey.run("token", *arguments, code=code, **more)
        assert arm.connections("main", mark) == [] and arm.forbidden(mark) == []
        return result

    return run


@kinds
def test_rekey_token(identity, show, kind):
    who = identity(kind)
    result = show(who)
    tenant = who.name if kind in ENTRA else "-"
    lines = result.out.splitlines()
    assert lines[:2] == [f"auth: {kind}", f"tenant: {tenant}"]
    seconds = int(re.fullmatch(r"expires in: (\d+) s", lines[2])[1])
    assert 3500 < seconds <= 3600
    assert lines[3:] == (["certificate expires: 2049-12-31"] if kind == "certificate" else [])
    assert "warning" not in result.err and who.count() == 1


@pytest.mark.parametrize("kind", KINDS)
def test_rekey_token_json(identity, show, kind):
    who = identity(kind)
    value = show(who, "-o", "json").json
    assert value["auth"] == kind and 3500 < value["expiresIn"] <= 3600
    assert value["tenant"] == (who.name if kind in ENTRA else None) or value["tenant"] == "-"
    assert "accessToken" not in value


@pytest.mark.parametrize("kind", ["secret", "arc"])
def test_the_token_is_shown_when_asked_for(identity, show, kind):
    who = identity(kind)
    assert f"token: {who_token(show(who, '--show').out)}" and who.tokens()
    result = show(who, "--show")
    assert result.out.splitlines()[-1] == f"token: {who.tokens()[1]}"
    assert show(who, "--show", "-o", "json").json["accessToken"] == who.tokens()[2]


def who_token(out):
    return re.search(r"^token: (\S+)$", out, re.MULTILINE)[1]


def test_rekey_token_with_a_token(rekey):
    """Only the token's form is checked; its lifetime is not known."""
    token = f"given-{secrets.token_hex(16)}"
    result = rekey.run("token", "--ca-file", CERTS / "ca.pem", token=token, code=0)
    assert result.out.splitlines()[0] == "auth: token" and token not in result.out


@pytest.mark.parametrize("case", ["wrong secret", "unknown tenant"])
def test_rekey_token_says_why_not(identity, show, case):
    kind, env, members, code, word = REFUSALS[case]
    who = identity(kind, **members)
    result = show(who, env={**who.env, **env}, code=14)
    result.says(f"AADSTS{code}", word)
    assert result.out == ""


def test_rekey_token_json_says_why_not(identity, show):
    who = identity("imds", absent=True)
    assert show(who, "-o", "json", code=14).json["outcome"] == "credentials"


def test_rekey_token_and_the_way_to_the_authority(arm, identity, show, authority_put_back):
    who = identity("secret")
    arm.control("PUT", "/certificate/authority?name=unknown")
    show(who, code=11)
    arm.control("PUT", "/listener/authority?state=down")
    show(who, "--timeout", "1", code=10)


def test_rekey_token_with_a_bad_option(identity, show):
    who = identity("secret")
    show(who, "--key-type", "primary", code=2)
    show(who, "--auth", "nobody", code=2)


def make_certificate(folder, days):
    """A certificate of a device that expires in so many days: its file, and the date."""
    key, crt = str(folder / "soon.key"), str(folder / "soon.crt")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=soon"]
    command += ["-days", str(days), "-keyout", key, "-out", crt]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    shown = subprocess.run(
        ["openssl", "x509", "-noout", "-enddate", "-in", crt], check=True, stdout=subprocess.PIPE
    ).stdout.decode()
    end = datetime.datetime.strptime(shown.strip(), "notAfter=%b %d %H:%M:%S %Y %Z")
    file = folder / f"soon-{days}.pem"
    file.write_text(Path(crt).read_text() + Path(key).read_text())
    return str(file), end.strftime("%Y-%m-%d")


@pytest.mark.parametrize("days,warned", [(20, True), (29, True), (32, False)])
def test_a_certificate_that_ends_soon(identity, show, tmp_path, days, warned):
    file, end = make_certificate(tmp_path, days)
    who = identity("certificate", certificate=file)
    result = show(who)
    assert f"certificate expires: {end}" in result.out.splitlines()
    lines = [line for line in result.lines if "warning" in line and "certificate" in line]
    assert bool(lines) == warned, result.err
    assert show(who, "-o", "json").json["certificateExpires"] == end


# ---- nothing is left where others can see it -----------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_no_secret_in_the_process(arm, regenerate, identity, native, kind):
    """The environment keeps the names of the variables and loses the secrets. (After every run of
    every test the runner looks for all secrets in everything that was printed.)"""
    who, name = identity(kind), issued(arm, post=[STALL])
    process = regenerate(who, name, env={"MARKER": "can-be-read"}, start=True)
    arm.wait_for(name, "request")
    try:
        with open(f"/proc/{process.pid}/environ", "rb") as file:
            environ = file.read().decode("latin-1")
    except PermissionError:
        pytest.skip("/proc/PID/environ is for root alone: the process is not dumpable")
    with open(f"/proc/{process.pid}/cmdline", "rb") as file:
        arguments = file.read().decode("latin-1")
    assert "MARKER=can-be-read" in environ and "regenerate" in arguments
    assert kind != "secret" or "AZURE_CLIENT_SECRET=" in environ
    for piece, what in arm.must_not_show().items():
        assert piece not in environ and piece not in arguments, what


def test_all_variables_with_secrets_are_overwritten(arm, regenerate, identity, native):
    """Also variables of kinds of identity that were not chosen."""
    who, name = identity("imds"), issued(arm, post=[STALL])
    secret, token = f"unused-{secrets.token_hex(20)}", f"unused-{secrets.token_hex(20)}"
    env = {"AZURE_CLIENT_SECRET": secret, "AZURE_ACCESS_TOKEN": token}
    process = regenerate(who, name, env=env, start=True)
    arm.wait_for(name, "request")
    try:
        with open(f"/proc/{process.pid}/environ", "rb") as file:
            environ = file.read().decode("latin-1")
    except PermissionError:
        pytest.skip("/proc/PID/environ is for root alone: the process is not dumpable")
    assert "AZURE_CLIENT_SECRET=" in environ and secret not in environ and token not in environ


@pytest.mark.parametrize("kind", ["secret", "certificate"])
def test_core_dumps_are_off_before_a_secret_is_used(arm, regenerate, identity, native, kind):
    """Checked while the authority has not answered yet."""
    who = identity(kind, answers=[STALL])
    process = regenerate(who, arm.endpoint(), start=True)
    arm.wait_for(who.name, "request")
    try:
        with open(f"/proc/{process.pid}/limits", encoding="ascii") as file:
            limits = file.read()
    except PermissionError:
        pytest.skip("/proc/PID/limits is for root alone: the process is not dumpable")
    assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE)


def test_the_operation_file_holds_no_secret(arm, rekey, regenerate, identity):
    """While an operation is saved in it."""
    who, name = identity("secret"), issued(arm, post=[ACCEPTED], poll=[STALL])
    process = regenerate(who, name, "--operation-file", "op", start=True)
    arm.wait_for(name, "request", kind="async")
    text = (rekey.directory / "op").read_bytes().decode("latin-1")
    assert "mfeOperationsStatus" in text
    for piece, what in arm.must_not_show().items():
        assert piece not in text, what
    process.kill()


@pytest.mark.owner
@pytest.mark.parametrize("kind", ["certificate", "arc"])
def test_the_demo(preload, namespace, kind):
    """The program behind `make demo AUTH=...`, which also counts calls of the heap."""
    preload("heap")
    if kind == "arc":
        namespace("m", "true")
    env = {**ENVIRONMENT, "AUTH": kind, "REKEY": str(REKEY), "REKEY_BUILD": str(BUILD)}
    run = subprocess.run(
        [PYTHON, ROOT / "tests/arm/demo.py"], env=env, cwd=ROOT, stdout=subprocess.PIPE, timeout=60
    )
    text = run.stdout.decode()
    assert run.returncode == 0 and f"--auth {kind}" in text and "heap allocations: 0" in text


@pytest.mark.owner
@pytest.mark.parametrize("kind", ["certificate", "arc"])
def test_no_heap(arm, regenerate, identity, preload, tmp_path, kind):
    report = tmp_path / "heap.txt"
    env = preload("heap", HEAP_REPORT=str(report))
    who = identity(kind, lifetime=2)
    name = issued(arm, post=[{**ACCEPTED, "headers": [ASYNC, SECOND]}], poll=[waiting(), DONE])
    regenerate(who, name, env=env)
    assert report.read_text().strip() == "heap allocations: 0"
