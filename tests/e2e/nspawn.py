"""A Debian that systemd-nspawn boots (boards/deps.sh tree), for the tests of the units and of the
pages. It requires root, and shares the network of this machine, where the stand-in service runs."""

import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import uuid
from pathlib import Path

import pages
import pytest
from conftest import (
    BUILD,
    CERTS,
    EXEC,
    GROUP,
    ROOT,
    SANITIZED,
    SUBSCRIPTION,
    WORKSPACE,
    wait_until,
)

FOR_THIS_BUILD = pytest.mark.skipif(
    bool(EXEC) or SANITIZED or BUILD.name != "linux",
    reason="of what is built for this machine, without an emulator or a sanitizer",
)
DEPS = ROOT / os.environ.get("DEPS_DIR", "build/deps")
UNITS = "etc/systemd/system"


class Machine:
    """A Debian in a directory, and the systemd that runs it."""

    def __init__(self, root):
        self.root, self.output = root, Path(f"{root}.log")
        try:
            self.boot()
        except AssertionError:  # if the machine cannot run, systemd-nspawn ends
            if self.process.poll() is None:
                raise
            pytest.skip(f"systemd-nspawn cannot boot here: {self.output.read_text()[-300:]}")

    def boot(self):
        options = ["--quiet", "--boot", "--register=no", "--keep-unit", "--console=pipe"]
        with open(self.output, "w") as output:
            self.process = subprocess.Popen(
                ["systemd-nspawn", *options, "--link-journal=no", "--directory", self.root],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")

        def up():
            assert self.process.poll() is None
            self.leader = next(iter(children.read_text().split()), None)
            if self.leader is None:
                return False
            state = self.popen("systemctl", "is-system-running").communicate()[0]
            return state.strip() in ("running", "degraded")

        wait_until(up, "the machine is up", 90)

    def popen(self, *arguments, stdin=subprocess.DEVNULL):
        enter = ["nsenter", "--target", self.leader, "--all", "env", "--chdir=/root"]
        return subprocess.Popen(
            [*enter, *arguments],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments, code=0, given=None):
        """Runs commands. Returns their output; given: their input."""
        process = self.popen(*arguments, stdin=subprocess.PIPE if given else subprocess.DEVNULL)
        text = process.communicate(given, timeout=150)[0]
        if process.returncode != code:
            log = self.popen("journalctl", "--output=cat", "--lines=20").communicate()[0]
            raise AssertionError(f"{arguments}: {process.returncode}\n{text}\n{log}")
        return text

    def guide(self, text):
        """Runs the block of docs/gateway.md that contains this text, unchanged."""
        return "".join(self.run("sh", "-ec", line) for line in block(text))

    def write(self, name, text, mode=0o644):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def show(self, unit, name):
        return self.run("systemctl", "show", "-P", name, unit).strip()

    def journal(self, unit):
        self.run("journalctl", "--sync")
        return self.run("journalctl", "--unit", unit, "--output=cat")

    def outcomes(self, unit):
        """The outcomes of the runs so far."""
        return re.findall(r"^rekey: outcome=(\S+) ", self.journal(unit), re.M)

    def key(self, instance):
        return (self.root / f"var/lib/rekey/{instance}/key").read_text()

    def restart(self):
        """systemd-nspawn ends with 133 and leaves the second half of a restart to its caller."""
        self.popen("systemctl", "reboot")
        assert self.process.wait(60) == 133
        self.boot()

    def close(self):
        """The end of process 1 ends all others."""
        if self.process.poll() is None:
            os.kill(int(self.leader or self.process.pid), signal.SIGKILL)
            self.process.wait(30)


def block(text):
    """The commands of a block of docs/gateway.md."""
    return pages.block("docs/gateway.md", text)


@pytest.fixture(scope="module")
def debian():
    """A machine without rekey; the package is in /root."""
    if os.getuid() != 0 or shutil.which("systemd-nspawn") is None:
        pytest.skip("requires root and systemd-nspawn: make check-install")
    if not (DEPS / "tree.version").exists():
        pytest.skip("there is no Debian to boot: boards/deps.sh tree")
    architecture = subprocess.check_output(["dpkg", "--print-architecture"], text=True).strip()
    package = list((ROOT / os.environ.get("REKEY_DEB", "none")).glob(f"*_{architecture}.deb"))
    if len(package) != 1:
        pytest.skip("make check-install makes the package")
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
        root = Path(folder) / "machine"
        subprocess.run(["cp", "-a", "--reflink=auto", DEPS / "tree", root], check=True)
        (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
        (root / "etc/machine-id").write_text(f"{uuid.uuid4().hex}\n")
        shutil.copy(package[0], root / "root")
        one = Machine(root)
        shutil.copy(CERTS / "ca.pem", root / "etc/ca.pem")
        try:
            yield one
        finally:
            one.close()


@pytest.fixture(scope="module")
def machine(debian):
    """A machine on which the package is installed as the guide says."""
    for line in block("dpkg -i")[1:]:  # without apt-get, which needs a mirror
        debian.run("sh", "-ec", line)
    return debian


def make_identity(arm, endpoint):
    """Makes an application at the stand-in. Returns its secret, and the variables of a
    configuration."""
    tenant, client, secret = str(uuid.uuid4()), str(uuid.uuid4()), secrets.token_hex(20)
    arm.identity(tenant, client_id=client, secret=secret)
    return secret, {
        "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
        "AZURE_DEFAULTS_GROUP": GROUP,
        "AZURE_DEFAULTS_WORKSPACE": WORKSPACE,
        "REKEY_ENDPOINT_NAME": endpoint,
        "AZURE_TENANT_ID": tenant,
        "AZURE_CLIENT_ID": client,
        "AZURE_AUTHORITY_HOST": arm.url("authority"),
        "REKEY_MANAGEMENT_URL": arm.url(),
        "SSL_CERT_FILE": "/etc/ca.pem",
        "REKEY_ROTATE_OPTIONS": "--settle 0",
        "REKEY_SYNC_OPTIONS": "--settle 0",
    }


@pytest.fixture
def instance(machine, arm):
    """Returns a function that makes an instance, with an endpoint and the identity of secret.conf,
    and returns both names."""

    def make(name=None, **members):
        name = name or f"own-{secrets.token_hex(3)}"
        endpoint = arm.play(**{"tokens": "issued", **members})
        secret, values = make_identity(arm, endpoint)
        machine.write(f"etc/rekey/{name}.secret", secret, 0o600)
        example = machine.root / "usr/share/doc/rekey/examples/endpoint.conf"
        path = machine.write(f"etc/rekey/{name}.conf", example.read_text(), 0o600)
        configure(path, REKEY_MIN_AGE="0", **values)
        drop_in = machine.root / UNITS / f"rekey-@{name}.service.d"
        drop_in.mkdir(parents=True, exist_ok=True)
        shutil.copy(machine.root / "usr/share/doc/rekey/examples/secret.conf", drop_in)
        machine.run("systemctl", "daemon-reload")
        return name, endpoint

    return make


def configure(path, **values):
    """Sets variables of a configuration, in place or at its end."""
    text = path.read_text()
    for name, value in values.items():
        line = f"{name}={value}\n"
        text, n = re.subn(rf"^#?{name}=.*\n", line.replace("\\", r"\\"), text, flags=re.M)
        text += "" if n else line
    path.write_text(text)
