"""What all end-to-end tests share: one stand-in service for the session, and a runner for the
command.

The environment says what is tested: REKEY (the command), REKEY_EXEC (a prefix such as
qemu-arm-static or valgrind), REKEY_BUILD (the directory of heap.so, clock.so and the archives),
REKEY_SANITIZED (set for a build with sanitizers). After every run the runner checks what holds for
all runs: the last line names the outcome and the exit code; no secret was printed or is in an
operation file, nor in the command line or the environment of a process that ran for a second; no
key is in a command line, on standard error or in status.json; a run of rotate or sync that succeeds
leaves no temporary file; and the stand-in found no fault in any request. No test sleeps to let
something happen: the tests wait for lines of output, for the stand-in's log, or for a process to
end, all with a deadline.
"""

import base64
import contextlib
import dataclasses
import hashlib
import http.client
import json
import os
import random
import re
import secrets
import select
import shlex
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CERTS = ROOT / "build/certs"
BUILD = ROOT / os.environ.get("REKEY_BUILD", "build/linux")
REKEY = ROOT / os.environ.get("REKEY", "build/linux/rekey")
EXEC = shlex.split(os.environ.get("REKEY_EXEC", ""))
# mbedTLS was built by somebody else. Then mbedTLS's own parser alone reads some of a server's
# bytes, and refuses some that the owner's build accepts (docs/security.md); tests marked `owner`
# are skipped.
GUEST = BUILD.name.startswith("linux-stock")
SANITIZED = os.environ.get("REKEY_SANITIZED", "") not in ("", "0")
# A clean environment: only PATH and the settings of sanitizers and emulators.
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if name == "PATH" or name.endswith("SAN_OPTIONS") or name.startswith("QEMU_")
}
SLOW = 10 if EXEC else 3 if SANITIZED else 1  # factor for the upper bounds of durations
# `make test` runs a sample of the rows of a sweep, `make test-all` all of them. The process that
# starts the workers of a run reads this first; the workers get its seed.
ALL = os.environ.get("REKEY_ALL", "") not in ("", "0")
SEED = int(os.environ.setdefault("REKEY_SEED", str(int(time.time()))))
# Modules whose tests share something that one worker builds or starts, and the names of these
# groups.
TOGETHER = {f"test_{name}": name for name in ("front_ends", "hostile", "proxy", "trust")}
TOGETHER |= {f"test_{name}": "make" for name in ("install", "library", "build", "packaging", "sdk", "glibc_32")}
# Modules that start many processes at the same time.
TOGETHER |= {f"test_{name}": "many" for name in ("kill", "load", "random_rotations")}
# Modules that can never run with this board.
collect_ignore = [] if REKEY.suffix == ".elf" else ["test_firmware.py"]
collect_ignore += [] if BUILD.name == "linux-armhf-glibc" else ["test_glibc_32.py"]

SUBSCRIPTION = "00000000-1111-2222-3333-444444444444"
PROVIDER = "providers/Microsoft.MachineLearningServices"
GROUP, WORKSPACE = "test-group", "test-workspace"
LEND = ROOT / "tests/arm/lend.py"
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
SECOND_NAME = "eastus.management.example"  # also in the certificate; tests give it addresses
RANDOM = random.Random(SEED)  # the same in all workers: it makes part of the test names
TOKEN = f"e2e-{RANDOM.randbytes(16).hex()}.~+/-_=="
PROXY_USER, PROXY_PASSWORD = "device", f"e2e{RANDOM.randbytes(12).hex()}"

WORDS = {
    0: ["succeeded"],
    1: ["refused", "failed"],
    2: ["usage"],
    10: ["not-reached"],
    11: ["not-trusted"],
    12: ["unknown"],
    13: ["running"],
    14: ["credentials"],
    15: ["local"],
}
POLLING_FIELDS = ("azure-asyncoperation", "operation-location", "location")

# Pieces from which many tests build scenarios (the format is described in tests/arm/scenarios.py).
NOW = ["Retry-After", "0"]
ASYNC = ["Azure-AsyncOperation", "{async}"]
LOCATION = ["Location", "{location}"]
ACCEPTED = {"status": 202, "headers": [ASYNC, LOCATION, NOW], "body": ""}
RUNNING = {"status": 200, "headers": [NOW], "body": {"status": "Updating", "percentComplete": 0.0}}
DONE = {"status": 200, "headers": [NOW], "body": {"status": "Succeeded", "percentComplete": 100.0}}


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "board: quick and representative; also run under an emulator"
    )
    config.addinivalue_line("markers", "owner: needs what port/mbedtls/owner changes in mbedTLS")
    config.addinivalue_line("markers", "sweep(n): of its rows `make test` runs n, picked at random")


def pytest_terminal_summary(terminalreporter):
    if not ALL:
        terminalreporter.write_line(f"sweeps: samples, REKEY_SEED={SEED}; all: make test-all")


def sample(rows, n):
    """`n` of the rows, picked at random; all of them with `make test-all`."""
    rows = list(rows)
    return rows if ALL or len(rows) <= n else random.Random(SEED).sample(rows, n)


@pytest.hookimpl(tryfirst=True)  # before the workers read the groups
def pytest_collection_modifyitems(config, items):
    sweeps = {}
    for item in items:
        mark = item.get_closest_marker("sweep")
        if mark and not item.get_closest_marker("board"):
            sweeps.setdefault((item.originalname, mark.args[0]), []).append(item)
    left = {id(item) for (_, n), rows in sweeps.items() for item in rows} - {
        id(item) for (_, n), rows in sweeps.items() for item in sample(rows, n)
    }
    config.hook.pytest_deselected(items=[item for item in items if id(item) in left])
    items[:] = [item for item in items if id(item) not in left]
    for item in items:
        if GUEST and item.get_closest_marker("owner"):
            item.add_marker(pytest.mark.skip(reason="needs port/mbedtls/owner (docs/security.md)"))
        name = item.module.__name__
        if name in TOGETHER:
            item.add_marker(pytest.mark.xdist_group(TOGETHER[name]))


def error(status, *headers, code="Code", message="message", **more):
    """An answer with an ErrorResponse."""
    return {
        "status": status,
        "headers": list(headers),
        "body": {"error": {"code": code, "message": message}},
        **more,
    }


def header(request, name):
    """The value of a header that must have come exactly once."""
    values = [value for each, value in request["headers"] if each.lower() == name.lower()]
    assert len(values) == 1, f"{name}: {values}"
    return values[0]


def gaps(events):
    """The seconds between each answer and the next request."""
    times = [
        (event["event"], event["time"])
        for event in events
        if event["event"] in ("request", "answer")
    ]
    return [
        after[1] - before[1] for before, after in zip(times, times[1:]) if after[0] == "request"
    ]


def wait_until(condition, what, seconds=20):
    """Returns the first true value of condition(), which may itself wait for a moment."""
    until = time.monotonic() + seconds * SLOW
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < until, f"not within {seconds * SLOW} s: {what}"
        select.select([], [], [], 0.005)


# ---- the stand-in service ------------------------------------------------------------------------


class Arm:
    """The stand-in service: its process, and its control listener."""

    def __init__(self):
        subprocess.run([ROOT / "tests/arm/certs.sh", CERTS], check=True)
        self.folder = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen(
            [
                sys.executable,
                ROOT / "tests/arm/arm.py",
                "--certs",
                CERTS,
                "--until-eof",
                "--host",
                SECOND_NAME,
                "--lend",
                f"{self.folder.name}/lend",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        ready = json.loads(self.process.stdout.readline())
        self.port, self.ports = ready["control"], ready["ports"]
        self.no_identity = f"http://127.0.0.1:{self.identity('imds', absent=True)['port']}"
        self.secrets, self.pieces = 0, {TOKEN: "a token", **dict(private_keys())}
        basic = base64.b64encode(f"{PROXY_USER}:{PROXY_PASSWORD}".encode()).decode()
        self.pieces.update(dict.fromkeys([PROXY_PASSWORD, basic], "the proxy's password"))

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(20) == 0
        self.folder.cleanup()

    def control(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        assert answer.status == 200, f"{method} {path}: {text}"
        return json.loads(text)

    def url(self, listener="main", host="localhost"):
        return f"https://{host}:{self.ports[listener]}"

    # Endpoints: the name up to "--" is the built-in scenario.

    def endpoint(self, scenario="ok-200"):
        return f"{scenario}--{secrets.token_hex(6)}"

    def play(self, base="ok-200", name=None, **scenario):
        """Makes an endpoint with these members of a scenario; the others are those of the scenario
        `base`."""
        name = name or self.endpoint("own")
        self.control("PUT", f"/scenario/{name}", {"base": base, **scenario})
        return name

    def keys(self, name):
        return self.control("GET", f"/keys/{name}")

    def set_keys(self, name, **keys):
        """Sets primaryKey and secondaryKey, as a person or the service would; None is null."""
        self.control("PUT", f"/keys/{name}", keys)

    def regenerate(self, name, which):
        """Regenerates a key as another client would."""
        self.control("PUT", f"/keys/{name}?regenerate={which}")

    # Identities (tests/arm/identity.py).

    def identity(self, name, **members):
        """Makes or changes an identity; without members, returns what the identity has issued so
        far."""
        return self.control("PUT" if members else "GET", f"/identity/{name}", members or None)

    def must_not_show(self):
        """Pieces of all secrets that the stand-in issued or received so far: {piece: what it
        is}."""
        answer = self.control("GET", f"/secrets?since={self.secrets}")
        self.secrets = answer["next"]
        for secret in answer["secrets"]:
            self.pieces.update({piece: "a secret of an identity" for piece in pieces(secret)})
        return self.pieces

    # The log.

    def log(self, name, idle=5.0):
        """All events of an endpoint's connections, after these have ended (or after `idle`
        seconds)."""
        return self.control("GET", f"/log/{name}?idle={idle}")

    def requests(self, name, kind=None, idle=5.0):
        """An endpoint's requests, in order; kind: post, list, async or location."""
        return [
            event
            for event in self.log(name, idle)
            if event["event"] == "request" and kind in (None, event["kind"])
        ]

    def counts(self, name):
        """The number of POSTs of an endpoint, and the number of polls."""
        kinds = [request["kind"] for request in self.requests(name)]
        return kinds.count("post"), len(kinds) - kinds.count("post")

    def answers(self, name, idle=5.0):
        return [event for event in self.log(name, idle) if event["event"] == "answer"]

    def handshakes(self, name):
        return [event for event in self.log(name) if event["event"] == "handshake"]

    def wait_for(self, name, event, count=1, kind=None):
        """Waits for the count-th event (of this kind of request) of an endpoint. The request may
        still be in progress."""

        def seen():
            events = [
                each
                for each in self.log(name, idle=0.02)
                if each["event"] == event and (kind is None or each.get("kind") == kind)
            ]
            return events if len(events) >= count else None

        return wait_until(seen, f"{count} x {event} {kind or ''} of {name}")

    def mark(self):
        """The number of the last event so far."""
        events = self.control("GET", "/log")
        return events[-1]["seq"] if events else 0

    def connections(self, listener, since=0, idle=5):
        """The events of a listener's connections that were accepted after a mark, after all
        connections have ended (or after `idle` seconds)."""
        return self.control("GET", f"/log?listener={listener}&since={since}&idle={idle}")

    def forbidden(self, since):
        """The events after a mark on all listeners that must never be contacted."""
        return [
            event
            for listener in ("forbidden", "forbidden-tls", "forbidden-host")
            for event in self.connections(listener, since)
        ]


def pieces(secret):
    """Parts of a secret that are long enough to identify it, both as it is and as a form encodes
    it."""
    if len(secret) < 64:
        return {secret, urllib.parse.quote(secret, safe="")}
    middle = len(secret) // 2
    return {secret[start : start + 24] for start in (40, middle, len(secret) - 24)}


def private_keys():
    """The lines of the private keys that the tests give to the command."""
    for path in sorted(CERTS.glob("device*.pem")):
        for key in re.findall(
            r"-----BEGIN [A-Z ]*KEY-----\n(.*?)-----END", path.read_text(), re.DOTALL
        ):
            lines = [line for line in key.splitlines() if len(line) == 64]
            yield from ((line, f"the key in {path.name}") for line in lines[1::5])


@pytest.fixture(scope="session")
def arm():
    service = Arm()
    yield service
    service.close()


@pytest.fixture
def main_put_back(arm):
    """For tests that change the listener main: restores it."""
    yield
    arm.control("PUT", "/listener/main?state=up")
    arm.control("PUT", "/certificate/main?name=server")
    arm.control("PUT", "/scenario/@main", {"connect": []})


class Gate:
    """Holds back an answer of the stand-in until the test opens the gate: put `line` into the
    answer's do_before.

    The line asks the stand-in for a log that is complete only when a certain connection has ended.
    The gate holds that connection.
    """

    def __init__(self, arm):
        self.name = arm.endpoint()
        context = ssl.create_default_context(cafile=CERTS / "ca.pem")
        self.connection = http.client.HTTPSConnection(
            "localhost", arm.ports["main"], context=context, timeout=60
        )
        path = (
            f"/subscriptions/{SUBSCRIPTION}/resourceGroups/gate/{PROVIDER}"
            f"/workspaces/gate/onlineEndpoints/{self.name}/listKeys?api-version=2025-09-01"
        )
        self.connection.request(
            "POST",
            path,
            b"",
            {
                "Authorization": "Bearer gate",
                "User-Agent": "rekey/gate",
                "x-ms-client-request-id": "00000000-0000-4000-8000-000000000000",
            },
        )
        assert self.connection.getresponse().read()
        self.line = f"GET /log/{self.name}?idle=60"

    def open(self):
        self.connection.close()


@pytest.fixture
def gate(arm):
    one = Gate(arm)
    yield one
    one.open()


# ---- the command ---------------------------------------------------------------------------------


@dataclasses.dataclass
class Result:
    """What a run left behind: its output and exit code."""

    code: int
    out: str
    err: str
    seconds: float
    after_signal: float = 0  # seconds from the last signal to the end

    @property
    def lines(self):
        return self.err.splitlines()

    @property
    def word(self):
        return re.fullmatch(r"rekey: outcome=([a-z-]+) exit=\d+", self.lines[-1])[1]

    @property
    def json(self):
        """The one JSON object on standard output."""
        assert self.out.endswith("}\n") and self.out.count("\n") == 1, self.out
        return json.loads(self.out)

    def says(self, *texts):
        """Asserts that standard error has each of these."""
        for text in texts:
            assert text in self.err, f"{text!r} is not in:\n{self.err}"


class Process:
    """A running command."""

    def __init__(self, arguments, env, stdin, **more):
        self.started, self.arguments = time.monotonic(), arguments
        self.looks, self.signalled = [], None
        self.popen = subprocess.Popen(
            arguments, env=env, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more
        )
        self.pid, self.err = self.popen.pid, b""

    def line(self, pattern, seconds=20):
        """Waits for a line of standard error that matches. Returns the match."""
        until = time.monotonic() + seconds * SLOW
        while True:
            match = re.search(pattern, self.err.decode(errors="replace"), re.MULTILINE)
            if match:
                return match
            left = until - time.monotonic()
            assert (
                left > 0 and select.select([self.popen.stderr], [], [], left)[0]
            ), f"no {pattern!r}:\n{self.err}"
            data = os.read(self.popen.stderr.fileno(), 65536)
            assert data, f"it ended without {pattern!r}:\n{self.err.decode()}"
            self.err += data

    def signal(self, number):
        self.signalled = time.monotonic()
        self.popen.send_signal(number)

    def kill(self):
        """Sends SIGKILL and waits for the end."""
        self.popen.kill()
        self.popen.communicate(timeout=20)

    def look(self):
        """Records what everybody can see of the process: its command line, and its environment."""
        for name in ("cmdline", "environ"):
            with contextlib.suppress(OSError), open(f"/proc/{self.pid}/{name}", "rb") as file:
                self.looks.append((f"/proc/PID/{name}", file.read().decode("latin-1")))

    def end(self, seconds=60):
        """Waits for the end. Once the process has run for a second, records what can be seen of it
        now and then."""
        until = time.monotonic() + seconds * SLOW
        while True:
            try:
                out, err = self.popen.communicate(timeout=SLOW)
                break
            except subprocess.TimeoutExpired:
                if time.monotonic() > until:
                    raise
                if not EXEC and Path(self.arguments[0]).name == "rekey":  # not its tracer
                    self.look()
        now = time.monotonic()
        return Result(
            self.popen.returncode,
            out.decode(),
            (self.err + err).decode(),
            now - self.started,
            now - (self.signalled or now),
        )


def first_key(name, which):
    """The key that an endpoint of the stand-in has at first."""
    return base64.b64encode(hashlib.sha256(f"{name}-{which}-0".encode()).digest()).decode()


class Rekey:
    """Runs the command as a process with a clean environment, and checks what must hold for every
    run."""

    def __init__(self, arm, directory):
        self.arm, self.directory, self.processes, self.identities = arm, directory, [], []

    # Running.

    def options(self, name, listener="main"):
        """The options that name an endpoint of the stand-in."""
        return [
            "--management-url",
            self.arm.url(listener),
            "--ca-file",
            CERTS / "ca-all.pem",
            "--subscription",
            SUBSCRIPTION,
            "-g",
            GROUP,
            "-w",
            WORKSPACE,
            "-n",
            name,
        ]

    def start(self, *arguments, token=TOKEN, env=None, stdin=None, prefix=(), **more):
        """Starts the command. token None: no token in the environment. stdin: bytes for standard
        input. Where a virtual machine has its identity service, the command finds the stand-in,
        which says that there is no identity: no test asks the machine that it runs on."""
        given = {"AZURE_ACCESS_TOKEN": token} if token else {}
        full = {**ENVIRONMENT, "IMDS_ENDPOINT": self.arm.no_identity, **given, **(env or {})}
        process = Process(
            [str(each) for each in (*prefix, *EXEC, REKEY, *arguments)],
            full,
            subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            **{"cwd": self.directory, **more},
        )
        self.processes.append(process)
        if stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # the command may end without reading it
                process.popen.stdin.write(stdin)
                process.popen.stdin.close()
            process.popen.stdin = None
        return process

    def start_regenerate(self, name, *arguments, listener="main", key_type="primary", **more):
        return self.start(
            "regenerate", *self.options(name, listener), "--key-type", key_type, *arguments, **more
        )

    def run(self, *arguments, code, name=None, shows=(), **more):
        return self.finish(self.start(*arguments, **more), code, name, shows)

    def regenerate(self, name, *arguments, code=0, shows=(), **more):
        return self.finish(self.start_regenerate(name, *arguments, **more), code, name, shows)

    def regenerate_all(self, names, *arguments):
        """Runs the command for several endpoints at the same time: {endpoint: exit code}. Returns
        the results in order."""
        started = [
            (self.start_regenerate(name, *arguments), code, name) for name, code in names.items()
        ]
        return [self.finish(*each) for each in started]

    def list_keys(self, name, *arguments, code=0, shows=("keys",), listener="main", **more):
        return self.run(
            "list-keys",
            *self.options(name, listener),
            *arguments,
            code=code,
            name=name,
            shows=shows,
            **more,
        )

    def start_switch(self, command, name, *arguments, state="state", listener="main", **more):
        """Starts rotate or sync. The state directory may be on a file system that a restart
        empties; the options allow that. Most tests want a settling time of 0 and a minimum age of
        0, which are the defaults here."""
        if state == "state":
            (self.directory / state).mkdir(exist_ok=True)
        given = {str(each) for each in arguments}
        defaults = ["--settle", "0"] if command == "rotate" and "--settle" not in given else []
        defaults += ["--min-age", "0"] if command == "rotate" and "--min-age" not in given else []
        where = ["--state", state, "--volatile-ok"]
        options = self.options(name, listener)
        return self.start(command, *options, *where, *defaults, *arguments, **more)

    def rotate(self, name, *arguments, code=0, **more):
        return self.finish(self.start_switch("rotate", name, *arguments, **more), code, name)

    def sync(self, name, *arguments, code=0, **more):
        return self.finish(self.start_switch("sync", name, *arguments, **more), code, name)

    def wait(self, file, *arguments, code=0, name=None, shows=(), **more):
        return self.run(
            "wait",
            "--operation-file",
            file,
            "--management-url",
            self.arm.url(),
            "--ca-file",
            CERTS / "ca-all.pem",
            *arguments,
            code=code,
            name=name,
            shows=shows,
            **more,
        )

    def clean_up(self):
        for process in self.processes:
            if process.popen.poll() is None:
                process.kill()

    # Checking.

    def finish(self, process, code, name=None, shows=()):
        """Waits for the end of a process and checks it. code: the expected exit code, or a tuple if
        the rules leave a choice. shows: "keys", "url": secrets that the run was asked to print."""
        result = process.end()
        text = f"{shlex.join(process.arguments)}\nexit {result.code}\n{result.out}\n{result.err}"
        assert result.code in (code if isinstance(code, tuple) else (code,)), text
        words = [Path(word).name for word in process.arguments]  # after its tracer
        own = process.arguments[words.index("rekey") if "rekey" in words else 0 :]
        quiet = any(re.fullmatch(r"-[hqv]*q\w*|--quiet|status", word) for word in own)
        if result.code == 0 and quiet:
            # In the output of `status` an outcome would be taken for that of the run that it
            # reports; -q prints none.
            assert result.err == "", text
        else:
            assert result.err.endswith("\n"), text
            last = re.fullmatch(r"rekey: outcome=([a-z-]+) exit=(\d+)", result.lines[-1])
            assert last and int(last[2]) == result.code and last[1] in WORDS[result.code], text
        assert all(line.startswith("rekey: ") for line in result.lines), text
        for secret in self.secrets(name, shows):
            assert secret not in result.out + result.err, f"shows {secret!r}: {text}"
        for identity in self.identities:
            for request in self.arm.requests(identity):
                assert request["faults"] == [], text
        self.check_secrets(process, result)
        self.check_keys(process, result, name)
        return result

    def check_keys(self, process, result, name):
        """Checks that no key that the endpoint ever had is visible to others, and that a state
        directory holds what it should, and nothing else."""
        places = [("arguments", "\n".join(process.arguments)), ("stderr", result.err)]
        places += process.looks
        if "--state" in process.arguments:
            folder = self.directory / process.arguments[process.arguments.index("--state") + 1]
            status = folder / "status.json"
            if status.is_file():
                places.append(("status.json", status.read_text()))
            if result.code == 0 and folder.is_dir() and "status" not in process.arguments:
                assert not list(folder.glob("*.tmp")), os.listdir(folder)
        for place, text in places:
            assert TOKEN not in text, f"the token is in {place}"
            for key in self.arm.keys(name)["ever"] if name else ():
                assert key not in text, f"a key is in {place}: {text}"

    def check_secrets(self, process, result):
        """Checks that no secret of any identity is visible to others."""
        places = [
            *process.looks,
            ("arguments", "\n".join(process.arguments)),
            ("stderr", result.err),
        ]
        if "--show" not in process.arguments:
            places.append(("stdout", result.out))
        for option, value in zip(process.arguments, process.arguments[1:]):
            path = self.directory / value
            if option == "--operation-file" and path.is_file():
                places.append((value, path.read_bytes().decode("latin-1")))
        for piece, what in self.arm.must_not_show().items():
            for place, text in places:
                assert piece not in text, f"{what} is in {place}: {piece!r}\n{text}"

    def secrets(self, name, shows):
        """The texts that must not be printed in a run about an endpoint. Includes secrets from the
        requests."""
        yield TOKEN
        if name is None:
            return
        if "keys" not in shows:
            keys = self.arm.keys(name)
            yield from (keys[which] for which in ("primaryKey", "secondaryKey") if keys[which])
            yield from (first_key(name, which) for which in ("Primary", "Secondary"))
        for event in self.arm.log(name):
            if event["event"] == "request":
                assert event["faults"] == []
            if event["event"] == "answer" and "url" not in shows:
                for field, value in event["headers"]:
                    if field.lower() in POLLING_FIELDS and "?" in value:
                        yield from signed_parts(value)


def signed_parts(url):
    """The parts of a polling URL that must not be printed. With the plain query that every request
    has, that is the whole query."""
    path, _, query = url.partition("?")
    return [f"{path}?"] + ([query] if query != "api-version=2025-09-01" else [])


@pytest.fixture
def rekey(arm, tmp_path):
    runner = Rekey(arm, tmp_path)
    yield runner
    runner.clean_up()


@pytest.fixture(scope="session")
def limits():
    """The sizes that the command was built with, from its --version."""
    text = subprocess.run(
        [*EXEC, REKEY, "--version"], stdout=subprocess.PIPE, check=True
    ).stdout.decode()
    return {name: int(value) for name, value in re.findall(r"(REKEY_\w+)=(\d+)", text)}


# ---- what not every machine can do ---------------------------------------------------------------


@pytest.fixture
def native():
    """For tests that look at the process itself: under an emulator they would look at the
    emulator."""
    if EXEC:
        pytest.skip(f"looks at the process itself, which is {EXEC[0]} here")


def preloadable():
    """Returns None, or the reason why LD_PRELOAD cannot load a library into the command."""
    if EXEC:
        return f"LD_PRELOAD would get into {EXEC[0]}"
    if SANITIZED:
        return "the sanitizer's library must be the first"
    if (
        b"INTERP"
        not in subprocess.run(["readelf", "-lW", REKEY], stdout=subprocess.PIPE, check=True).stdout
    ):
        return "the command is static"
    return None


@pytest.fixture
def preload():
    """Returns a function that gives the environment for NAME.so."""
    reason = preloadable()
    if reason:
        pytest.skip(reason)

    def environment(name, **more):
        assert (BUILD / f"{name}.so").exists()
        return {"LD_PRELOAD": str(BUILD / f"{name}.so"), **more}

    return environment


@pytest.fixture
def namespace():
    """Returns a function that makes a prefix, with which the command runs in its own namespaces
    (-n: network, -m: mounts)."""

    def prefix(flags, script):
        arguments = ["unshare", f"-r{flags}", "sh", "-ec", f'{script}\nexec "$@"', "sh"]
        try:
            run = subprocess.run(
                [*arguments, "true"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20
            )
        except FileNotFoundError:
            pytest.skip("there is no unshare")
        if run.returncode != 0:
            pytest.skip(f"no namespaces: {run.stdout.decode().strip()}")
        return arguments

    return prefix


@pytest.fixture
def lent(arm, namespace):
    """Returns a function that makes a prefix, with which the command runs in its own network. There
    the listeners of the stand-in have these addresses ("imds=169.254.169.254:80") in addition to
    main."""

    def prefix(script, *addresses, flags="n"):
        main = f"main=127.0.0.1:{arm.ports['main']}"
        lines = f"ip link set lo up\n{script}"
        return [
            *namespace(flags, lines),
            PYTHON,
            str(LEND),
            f"{arm.folder.name}/lend",
            main,
            *addresses,
            "--",
        ]

    return prefix


@pytest.fixture
def nobody():
    """A directory of a user who is not root, and a prefix that runs the command as that user."""
    prefix = []
    if os.getuid() == 0:
        prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    with tempfile.TemporaryDirectory() as folder:
        try:
            if prefix:
                os.chown(folder, 65534, 65534)
        except OSError:
            pytest.skip("no other user in this namespace")
        command = [*prefix, "test", "-x", REKEY, "-a", "-r", CERTS / "ca.pem", "-a", "-w", folder]
        if subprocess.run(command).returncode != 0:
            pytest.skip("another user cannot get at the command")
        yield Path(folder), prefix


@pytest.fixture
def etc(tmp_path):
    """Returns a function that makes an /etc for name lookup only, and returns the shell line that
    mounts it."""

    def make(hosts="127.0.0.1 localhost\n", name_server="127.0.0.1"):
        folder = tmp_path / "etc"
        folder.mkdir()
        for name, text in (
            ("hosts", hosts),
            ("host.conf", "multi on\n"),
            ("nsswitch.conf", "hosts: files dns\n"),
            ("resolv.conf", f"nameserver {name_server}\n"),
        ):
            (folder / name).write_text(text)
        return f"mount --bind {shlex.quote(str(folder))} /etc"

    return make


class Hook:
    """A program for --exec that records how it was started: its environment and its descriptors."""

    def __init__(self, folder):
        self.folder, self.script = folder, folder / "program"
        folder.mkdir()

    @property
    def path(self):
        return self.that("exit 0")

    def that(self, command):
        """A shell line that the hook runs after it has recorded its start."""
        folder = shlex.quote(str(self.folder))
        self.script.write_text(
            f"#!/bin/sh\ncd {folder}\necho $$ >>pids\n"
            "(ls -l /proc/$$/fd >fds.$$)\n"  # a process of its own
            "cat /proc/$$/environ >new.$$\nmv new.$$ run.$$\n"
            f"{command}\n"
        )
        self.script.chmod(0o755)
        return self.script

    def runs(self):
        """The environment of each run so far, in order."""
        files = sorted(self.folder.glob("run.*"), key=lambda path: path.stat().st_mtime_ns)
        return [
            dict(entry.split("=", 1) for entry in path.read_text().split("\0") if entry)
            for path in files
        ]

    def descriptors(self):
        """{number: file} of the last run, without the script, which the shell reads."""
        path = max(self.folder.glob("fds.*"), key=lambda path: path.stat().st_mtime_ns)
        pairs = re.findall(r" (\d+) -> (.*)", path.read_text())
        return {int(number): what for number, what in pairs if what != str(self.script)}

    def alive(self):
        """Those processes in the hook's file of process ids that still exist."""
        pids = (self.folder / "pids").read_text().split()
        return [pid for pid in pids if os.path.exists(f"/proc/{pid}/cmdline") and running(pid)]


def running(pid):
    """Returns true if the process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def hook(tmp_path):
    return Hook(tmp_path / "hook")
