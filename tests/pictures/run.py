"""docs/run.svg: a terminal in which a shell runs the real command against the stand-in service
(tests/arm). The output is not edited: in its own namespace the name of the service leads to the
stand-in, and the wall clock stands still.

    run.py BUILD    prints what the terminal has shown; BUILD has the command and clock.so
"""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.request
from pathlib import Path

from style import Picture, require

ROOT = Path(__file__).resolve().parents[2]
TYPED = [
    "export AZURE_SUBSCRIPTION_ID=00000000-0000-0000-0000-000000000000",
    "export AZURE_DEFAULTS_GROUP=my-group AZURE_DEFAULTS_WORKSPACE=my-workspace",
    "rekey check --name my-endpoint",
    "rekey rotate --name my-endpoint --state /var/lib/rekey/scoring --probe",
    "rekey regenerate --name my-endpoint --key-type primary 2>&1 | tee rekey.log",
]
HOSTS = "127.0.0.1 localhost management.azure.com\n"
CLOCK = 1893456000  # 2030-01-01, later than any build and within the stand-in's certificates
# The command sees a folder of this machine as /var/lib, and nothing else of /var/lib.
NAMESPACE = """
    ip link set lo up
    mount --bind "$1/hosts" /etc/hosts
    mount --bind "$1/lib" /var/lib
    shift; exec "$@"
"""
PROMPT = "$ "
COLUMNS, LINE, TOP = 90, 19, 56


def answer(status, percent):
    body = {"status": status, "percentComplete": percent}
    return {"status": 200, "headers": [["Retry-After", "1"]], "body": body}


ACCEPTED = {"status": 202, "headers": [["Azure-AsyncOperation", "{async}"], ["Retry-After", "1"]]}
POLLS = [answer("Updating", 0.0), answer("Updating", 50.0), answer("Succeeded", 100.0)]


class StandIn:
    """The service, on port 443 of this namespace."""

    def __enter__(self):
        command = [sys.executable, ROOT / "tests/arm/arm.py", "--certs", ROOT / "build/certs"]
        self.process = subprocess.Popen(
            [*command, "--until-eof"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.arm = json.loads(self.process.stdout.readline())
        server = socket.create_server(("127.0.0.1", 443))
        threading.Thread(target=self.relay, args=(server,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def relay(self, server):
        while True:
            client, _ = server.accept()
            target = socket.create_connection(("127.0.0.1", self.arm["ports"]["clouds"]))
            for pair in ((client, target), (target, client)):
                threading.Thread(target=copy, args=pair, daemon=True).start()

    def control(self, path, value=None):
        data = json.dumps(value).encode() if value else None
        url = f"http://127.0.0.1:{self.arm['control']}{path}"
        request = urllib.request.Request(url, data, method="PUT" if value else "GET")
        with urllib.request.urlopen(request) as reply:
            return json.load(reply)


def copy(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def run(build):
    """Types everything in the namespace. Returns what the terminal shows."""
    with StandIn() as service:
        uri = f"https://localhost:{service.arm['ports']['scoring']}/endpoints/my-endpoint/score"
        scenario = {"post": [ACCEPTED], "poll": POLLS * 2, "properties": {"scoringUri": uri}}
        service.control("/scenario/my-endpoint", scenario)
        state = Path("/var/lib/rekey/scoring")
        state.mkdir(mode=0o700, parents=True)
        key = state / "key"  # the key in use before rekey was installed
        key.write_text(service.control("/keys/my-endpoint")["primaryKey"])
        key.chmod(0o600)
        environment = {
            "PATH": f"{build}:{os.environ['PATH']}",
            "PS1": PROMPT,
            "SSL_CERT_FILE": service.arm["ca"],
            "AZURE_ACCESS_TOKEN": "a-token",
            "LD_PRELOAD": f"{build}/clock.so",
            "CLOCK_AT": str(CLOCK),
        }
        shell, terminal = pty.fork()
        if shell == 0:
            os.chdir("/var/lib")
            os.execve("/bin/sh", ["sh", "-i"], environment)
        signal.alarm(120)  # otherwise it would wait for a prompt that never comes
        shown = b""
        for line in [*TYPED, None]:
            while not shown.endswith(PROMPT.encode()):
                shown += os.read(terminal, 65536)
            if line is not None:
                os.write(terminal, line.encode() + b"\n")
                shown += os.read(terminal, len(line) + 2)  # the terminal echoes it
        os.close(terminal)  # ends the shell
        os.waitpid(shell, 0)
        return shown.decode()


def in_a_namespace(build):
    """Does the same in a process that is in a namespace."""
    with tempfile.TemporaryDirectory(dir=build) as folder:
        Path(folder, "hosts").write_text(HOSTS)
        Path(folder, "lib").mkdir()
        command = ["unshare", "-rnm", "sh", "-ec", NAMESPACE, "sh", folder]
        command += [sys.executable, __file__, build]
        return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode()


def lines_of(shown):
    """The lines as they are on the terminal at the end: long lines are wrapped."""
    lines = []
    for line in shown.split("\r\n"):
        line = line.rpartition("\r\x1b[K")[2]
        require(line.isprintable(), f"the terminal shows {line!r}")
        lines += [line[at : at + COLUMNS] for at in range(0, max(len(line), 1), COLUMNS)]
    return lines


def draw(shown):
    lines = lines_of(shown)[:-1]  # without the last prompt
    for word in ("check", "Accepted", "50 %", "Succeeded", "/scoring/key' now"):
        require(word in shown, f"the run does not show {word}:\n{shown}")
    picture = Picture(
        30 + 8 * COLUMNS,
        TOP + LINE * len(lines) + 6,
        "rekey in a terminal",
        "A shell runs rekey check, which tells what a rotation needs; rekey rotate, which writes the new"
        " key into a file; and rekey regenerate with its progress. Each ends with outcome=succeeded exit=0.",
        ground="terminal",
    )
    for i in range(3):
        picture.box(16 + 20 * i, 14, 11, 11, "dot", 6)
    for i, line in enumerate(lines):
        look = "code screen typed" if line.startswith(PROMPT) else "code screen"
        picture.text(16, TOP + LINE * i, line, look)
    return picture


if __name__ == "__main__":
    sys.stdout.buffer.write(run(sys.argv[1]).encode())
