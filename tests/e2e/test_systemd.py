"""The package under a live systemd: a small Debian (boards/deps.sh tree) that systemd-nspawn boots.

`make check-install` runs it; it takes root. The commands of docs/gateway.md are run as they are
there. The machine is one for all tests, and shares the network of this one, where the stand-in
service is; each test has instances of its own. The last ones restart it and remove the package.
"""

import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import uuid
from pathlib import Path

import pytest
from conftest import (
    ACCEPTED,
    BUILD,
    CERTS,
    DONE,
    EXEC,
    GROUP,
    ROOT,
    RUNNING,
    SANITIZED,
    SUBSCRIPTION,
    WORKSPACE,
    wait_until,
)

pytestmark = pytest.mark.skipif(
    bool(EXEC) or SANITIZED or BUILD.name != "linux",
    reason="of what is built for this machine, without an emulator or a sanitizer",
)
DEPS = ROOT / os.environ.get("DEPS_DIR", "build/deps")
UNITS = "etc/systemd/system"
PORTAL = {"status": 200, "headers": [["Content-Type", "text/html"]], "body": "<html>Log in</html>"}
FAST = "[Timer]\nOnCalendar=\nOnCalendar=*:*:*\nRandomizedDelaySec=0\nAccuracySec=1ms\n"


class Machine:
    """A Debian in a directory, and the systemd that runs it."""

    def __init__(self, root):
        self.root, self.output = root, Path(f"{root}.log")
        try:
            self.boot()
        except AssertionError:  # where there can be no such machine systemd-nspawn ends
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

    def popen(self, *arguments, **more):
        enter = ["nsenter", "--target", self.leader, "--all", "env", "--chdir=/root"]
        return subprocess.Popen(
            [*enter, *arguments],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **more,
        )

    def run(self, *arguments, code=0):
        process = self.popen(*arguments)
        text = process.communicate(timeout=60)[0]
        assert process.returncode == code, f"{arguments}: {process.returncode}\n{text}"
        return text

    def guide(self, text):
        """Runs the block of docs/gateway.md that has this text, as it is there."""
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
        """The words of the runs so far."""
        return re.findall(r"^rekey: outcome=(\S+) ", self.journal(unit), re.M)

    def key(self, instance):
        return (self.root / f"var/lib/rekey/{instance}/key").read_text()

    def restart(self):
        """systemd-nspawn ends with 133 and leaves the second half to whoever started it."""
        self.popen("systemctl", "reboot")
        assert self.process.wait(60) == 133
        self.boot()

    def close(self):
        """The end of process 1 is the end of all others."""
        if self.process.poll() is None:
            os.kill(int(self.leader or self.process.pid), signal.SIGKILL)
            self.process.wait(30)


def block(text):
    """The lines of a block of commands in docs/gateway.md."""
    guide = (ROOT / "docs/gateway.md").read_text()
    (found,) = [each for each in re.findall(r"(?:^ {4}.*\n)+", guide, re.M) if text in each]
    return [line.strip() for line in found.splitlines()]


@pytest.fixture(scope="module")
def machine():
    """One with the package, installed as the guide has it, by root of a machine without rekey."""
    if os.getuid() != 0 or shutil.which("systemd-nspawn") is None:
        pytest.skip("takes root and systemd-nspawn: make check-install")
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
        try:
            one.guide_lines = iter(block("dpkg -i"))
            one.run("sh", "-ec", next(one.guide_lines))  # dpkg -i
            one.run("sh", "-ec", next(one.guide_lines))  # install -d
            shutil.copy(CERTS / "ca.pem", root / "etc/rekey/ca.pem")
            yield one
        finally:
            one.close()


@pytest.fixture
def instance(machine, arm):
    """A function that makes an instance, with an endpoint and the identity that secret.conf has;
    returns both names."""

    def make(name=None, **members):
        name = name or f"own-{secrets.token_hex(3)}"
        endpoint = arm.play(**{"tokens": "issued", **members})
        tenant, client, secret = str(uuid.uuid4()), str(uuid.uuid4()), secrets.token_hex(20)
        arm.identity(tenant, client_id=client, secret=secret)
        machine.write(f"etc/rekey/{name}.secret", secret, 0o600)
        example = machine.root / "usr/share/doc/rekey/examples/endpoint.conf"
        configure(
            machine.write(f"etc/rekey/{name}.conf", example.read_text(), 0o600),
            AZURE_SUBSCRIPTION_ID=SUBSCRIPTION,
            AZURE_DEFAULTS_GROUP=GROUP,
            AZURE_DEFAULTS_WORKSPACE=WORKSPACE,
            REKEY_ENDPOINT_NAME=endpoint,
            AZURE_TENANT_ID=tenant,
            AZURE_CLIENT_ID=client,
            AZURE_AUTHORITY_HOST=arm.url("authority"),
            REKEY_MANAGEMENT_URL=arm.url(),
            SSL_CERT_FILE="/etc/rekey/ca.pem",
            REKEY_MIN_AGE="0",
            REKEY_ROTATE_OPTIONS="--settle 0",
            REKEY_SYNC_OPTIONS="--settle 0",
        )
        drop_in = machine.root / UNITS / f"rekey-@{name}.service.d"
        drop_in.mkdir(parents=True, exist_ok=True)
        shutil.copy(machine.root / "usr/share/doc/rekey/examples/secret.conf", drop_in)
        machine.run("systemctl", "daemon-reload")
        return name, endpoint

    return make


def configure(path, **values):
    """Sets variables of a configuration, where they are, or at its end."""
    text = path.read_text()
    for name, value in values.items():
        line = f"{name}={value}\n"
        text, n = re.subn(rf"^#?{name}=.*\n", line.replace("\\", r"\\"), text, flags=re.M)
        text += "" if n else line
    path.write_text(text)


def state_of(machine, unit):
    return machine.show(unit, "ActiveState"), machine.show(unit, "SubState")


def start_timer(machine, name):
    """One that comes each second, with no delay."""
    timer = f"rekey-rotate@{name}.timer"
    machine.write(f"{UNITS}/{timer}.d/fast.conf", FAST)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "enable", "--now", timer)
    return timer


def more_runs(arm, endpoint):
    """Waits for two more; the first may have begun before."""

    def lists():
        return len(arm.requests(endpoint, "list", idle=0))

    count = lists()
    wait_until(lambda: lists() >= count + 2, "the timer fires", 30)


# ---- the guide, from the package to the first rotation -------------------------------------------


def test_the_guide(machine, instance, arm):
    """What it says, in its order, for the instance scoring."""
    name, endpoint = instance("scoring")
    filled = (machine.root / "etc/rekey/scoring.conf").read_text()
    shutil.rmtree(machine.root / UNITS / "rekey-@scoring.service.d")
    machine.guide("rekey-@scoring.service.d")
    for line in machine.guide_lines:
        # systemctl status has 3 for a unit that has ended.
        text = machine.run("sh", "-ec", line, code=3 if "systemctl status" in line else 0)
        if "endpoint.conf" in line:
            assert "my-endpoint" in (machine.root / "etc/rekey/scoring.conf").read_text()
            machine.write("etc/rekey/scoring.conf", filled, 0o600)
        if "systemctl status" in line:
            assert "outcome=succeeded" in text
    assert machine.key("scoring") == arm.keys(endpoint)["primaryKey"]
    assert arm.keys(endpoint)["regenerated"] == []
    assert machine.show("rekey-rotate@scoring.timer", "ActiveState") == "active"
    for file, mode, owner in (
        ("", "750", "rekey:rekey-key"),
        ("/key", "640", "rekey:rekey-key"),
        ("/state", "600", "rekey:rekey-key"),
    ):
        path = f"/var/lib/rekey/scoring{file}"
        assert machine.run("stat", "-c", "%a %U:%G", path).split() == [mode, owner]


def test_one_configuration_for_rotate_and_sync(machine, instance, arm):
    """An option that sync does not take, and an identity in one directory."""
    name, endpoint = instance()
    path = machine.root / f"etc/rekey/{name}.conf"
    configure(path, REKEY_ROTATE_OPTIONS="--settle 0 --min-age 60")
    for verb in ("rotate", "sync"):
        machine.run("systemctl", "start", f"rekey-{verb}@{name}")
        assert machine.outcomes(f"rekey-{verb}@{name}") == ["succeeded"]


# ---- starts, failures ----------------------------------------------------------------------------


def test_no_start_is_refused(machine, instance):
    """Neither after 20 good runs nor after bad ones."""
    name, endpoint = instance()
    unit = f"rekey-rotate@{name}"
    loop = f"for i in $(seq 20); do systemctl start {unit}; done"
    machine.run("sh", "-ec", loop)
    assert machine.outcomes(unit) == ["succeeded"] * 20
    assert state_of(machine, unit) == ("inactive", "dead")


def test_what_passes_is_tried_again(machine, instance, arm):
    """Exit code 10: systemd waits for the next try, and a person need not."""
    name, endpoint = instance(list=[PORTAL])
    unit = f"rekey-rotate@{name}"
    for _ in range(6):
        machine.run("systemctl", "restart", unit, code=1)
        assert state_of(machine, unit) == ("activating", "auto-restart")
    assert machine.outcomes(unit) == ["not-reached"] * 6
    arm.play(name=endpoint, tokens="issued")
    machine.run("systemctl", "restart", unit)
    assert machine.outcomes(unit)[-1] == "succeeded"
    assert machine.key(name) == arm.keys(endpoint)["primaryKey"]


def test_without_a_configuration(machine):
    """The message has the path, and there is no second try."""
    unit = "rekey-rotate@nowhere"
    machine.run("systemctl", "start", unit, code=1)
    assert "/etc/rekey/nowhere.conf" in machine.journal(unit)
    assert state_of(machine, unit) == ("inactive", "dead")


def test_without_the_secret(machine, instance):
    name, endpoint = instance()
    unit = f"rekey-rotate@{name}"
    (machine.root / f"etc/rekey/{name}.secret").unlink()
    machine.run("systemctl", "start", unit, code=1)
    assert state_of(machine, unit) == ("failed", "failed")
    assert machine.show(unit, "ExecMainStatus") == "243"


@pytest.mark.parametrize("fault", ["foreign", "damaged"])
def test_a_state_that_is_no_use(machine, instance, arm, fault):
    """Not retried, and the guide's remedy works."""
    name, endpoint = instance()
    unit = f"rekey-rotate@{name}"
    machine.run("systemctl", "start", unit)
    if fault == "foreign":
        endpoint = arm.play(tokens="issued")
        configure(machine.root / f"etc/rekey/{name}.conf", REKEY_ENDPOINT_NAME=endpoint)
        remedy = block("scoring.old")
    else:
        machine.write(f"var/lib/rekey/{name}/state", "what is this?\n", 0o600)
        remedy = block("rm -f /var/lib/rekey/scoring/state")
    machine.run("systemctl", "start", unit, code=1)
    assert machine.show(unit, "ExecMainStatus") == "15"
    assert state_of(machine, unit) == ("failed", "failed")
    for line in remedy:
        machine.run("sh", "-ec", line.replace("scoring", name))
    assert machine.outcomes(unit)[-1] == "succeeded"
    keys = arm.keys(endpoint)
    assert machine.key(name) in (keys["primaryKey"], keys["secondaryKey"])


def test_killed(machine, instance, arm):
    """SIGKILL while the service is at work: the next run finishes what it finds."""
    name, endpoint = instance()
    unit = f"rekey-rotate@{name}"
    machine.run("systemctl", "start", unit)
    before = arm.keys(endpoint)
    waiting = {**RUNNING, "headers": [["Retry-After", "1"]]}
    arm.play(name=endpoint, tokens="issued", post=[ACCEPTED], poll=[waiting])
    machine.run("systemctl", "start", "--no-block", unit)
    arm.wait_for(endpoint, "request", count=2, kind="async")
    machine.run("systemctl", "kill", "--signal=KILL", unit)
    wait_until(lambda: state_of(machine, unit)[1] == "auto-restart", "systemd saw it")
    assert machine.key(name) == before["primaryKey"]
    arm.play(name=endpoint, tokens="issued", poll=[DONE])
    machine.run("systemctl", "restart", unit)
    assert machine.outcomes(unit) == ["succeeded", "succeeded"]
    assert arm.keys(endpoint)["regenerated"] == ["Secondary"]
    assert machine.key(name) == arm.keys(endpoint)["secondaryKey"] != before["secondaryKey"]


# ---- applications, metrics -----------------------------------------------------------------------


@pytest.fixture
def application(machine, instance):
    """A service of another user, in the group, which reads the key when it is reloaded. A function
    that waits until it has the key in use, and the names of the instance and the endpoint."""
    name, endpoint = instance()
    machine.run("systemctl", "start", f"rekey-rotate@{name}")
    machine.write(
        f"{UNITS}/{name}.service",
        "[Service]\nDynamicUser=yes\nSupplementaryGroups=rekey-key\n"
        f"RuntimeDirectory={name}\nRuntimeDirectoryMode=0755\n"
        "ExecStart=/bin/sleep infinity\n"
        f"ExecReload=/bin/cp /var/lib/rekey/{name}/key /run/{name}/seen\n",
    )
    for line in block("endpoint-key@"):
        machine.run("sh", "-ec", line.replace("scoring", name))
    machine.run("systemctl", "start", name)

    def seen():
        return machine.popen("cat", f"/run/{name}/seen").communicate()[0] == machine.key(name)

    return lambda: wait_until(seen, "the application has the key that is in use"), name, endpoint


def test_the_timer_rotates_and_an_application_is_told(machine, application, arm):
    told, name, endpoint = application
    start_timer(machine, name)
    wait_until(lambda: len(arm.keys(endpoint)["regenerated"]) >= 2, "two rotations", 30)
    configure(machine.root / f"etc/rekey/{name}.conf", REKEY_MIN_AGE="86400")  # and no third one
    more_runs(arm, endpoint)
    told()
    machine.run("systemctl", "disable", "--now", f"rekey-rotate@{name}.timer")
    assert set(machine.outcomes(f"rekey-rotate@{name}")) == {"succeeded"}
    keys = arm.keys(endpoint)
    assert machine.key(name) in (keys["primaryKey"], keys["secondaryKey"])
    other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "cat"]
    machine.run(*other, f"/var/lib/rekey/{name}/key", code=1)


def test_a_change_that_systemd_missed(machine, application):
    """The next run tells of it, and a run without a change reloads nothing."""
    told, name, _ = application
    path, service = f"endpoint-key@{name}.path", f"endpoint-key@{name}.service"
    machine.run("systemctl", "start", f"rekey-rotate@{name}")
    told()
    machine.run("systemctl", "stop", path)
    machine.run("systemctl", "start", f"rekey-rotate@{name}")
    machine.run("systemctl", "start", path)
    configure(machine.root / f"etc/rekey/{name}.conf", REKEY_MIN_AGE="86400")
    machine.run("systemctl", "start", f"rekey-rotate@{name}")
    told()
    reloads = machine.journal(name).count("Reloading")

    def skipped():
        return machine.journal(service).count("exec-condition")

    count = skipped()
    machine.run("systemctl", "start", f"rekey-rotate@{name}")
    wait_until(lambda: skipped() > count, "nothing to tell")
    assert machine.journal(name).count("Reloading") == reloads


def test_metrics(machine, instance, arm):
    """Another user reads them, and the journal ends with the run's own outcome."""
    (machine.root / "var/lib/prometheus/node-exporter").mkdir(parents=True)
    machine.guide("metrics.conf")
    name, endpoint = instance()
    unit, file = f"rekey-rotate@{name}", f"/var/lib/prometheus/node-exporter/rekey-{name}.prom"

    def metrics():
        cat = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "cat", file]
        return dict(re.findall(r"^(rekey_\w+)\{.*\} (\S+)$", machine.run(*cat), re.M))

    aim = machine.write("etc/aim", "as it was")
    for ending in ("tmp", "prom"):  # where another user owns the directory
        (machine.root / file.lstrip("/")).with_suffix(f".{ending}").symlink_to("/etc/aim")
    machine.run("systemctl", "start", unit)
    assert aim.read_text() == "as it was"
    assert metrics()["rekey_last_exit_code"] == "0"
    arm.play(name=endpoint, tokens="issued", list=[PORTAL])
    machine.run("systemctl", "restart", unit, code=1)
    assert metrics()["rekey_last_exit_code"] == "10"
    assert machine.outcomes(unit) == ["succeeded", "not-reached"]
    machine.run("systemctl", "stop", unit)
    shutil.rmtree(machine.root / UNITS / "rekey-@.service.d")


# ---- the machine and the package come and go -----------------------------------------------------


@pytest.fixture
def ticking(machine, instance, arm):
    """An instance whose timer comes each second; a function that waits for two more runs."""
    name, endpoint = instance()
    configure(machine.root / f"etc/rekey/{name}.conf", REKEY_MIN_AGE="86400")

    def more():
        more_runs(arm, endpoint)

    more.timer = start_timer(machine, name)
    more()
    yield more
    machine.popen("systemctl", "disable", "--now", more.timer).communicate()


def no_unit_failed(machine):
    failed = machine.run("systemctl", "list-units", "--failed", "--plain", "--no-legend", "*rekey*")
    assert failed == ""


def test_restart(machine, ticking):
    machine.restart()
    ticking()


def test_upgrade(machine, ticking):
    since = machine.show(ticking.timer, "ActiveEnterTimestampMonotonic")
    machine.run("sh", "-ec", "dpkg -i rekey_*.deb")
    assert machine.show(ticking.timer, "ActiveEnterTimestampMonotonic") == since
    ticking()


@pytest.mark.parametrize("how", ["-r", "-P"])
def test_remove_and_reinstall(machine, ticking, how):
    """A removal stops timers and says so. They are back with the package, unless it was purged."""
    text = machine.run("dpkg", how, "rekey")
    assert f"{ticking.timer} is stopped" in text
    no_unit_failed(machine)
    link = machine.root / UNITS / "timers.target.wants" / ticking.timer
    assert link.is_symlink() == (how == "-r")
    dangling = machine.run("find", "/etc/systemd", "-xtype", "l")
    assert how == "-r" or "rekey" not in dangling
    machine.run("sh", "-ec", "dpkg -i rekey_*.deb")
    if how == "-P":
        assert machine.show(ticking.timer, "ActiveState") == "inactive"
        machine.run("systemctl", "enable", "--now", ticking.timer)
    ticking()
    no_unit_failed(machine)


def test_systemd_comes_after_the_package(machine):
    """The user is made then: the trigger."""
    machine.run("dpkg", "-P", "rekey")
    for command in ("userdel rekey", "groupdel rekey-key"):
        machine.run(*command.split())
    owner = machine.run("dpkg", "--search", "*/bin/systemd-sysusers")
    (real,) = re.findall(r"^[^ ]+: (/.*)$", owner, re.M)
    machine.run("dpkg-divert", "--local", "--rename", "--divert", f"{real}.away", "--add", real)
    machine.run("sh", "-ec", "dpkg -i rekey_*.deb")
    machine.run("id", "rekey", code=1)
    machine.run("dpkg-divert", "--local", "--rename", "--remove", real)
    control = "Package: later\nVersion: 1\nArchitecture: all\nMaintainer: nobody <n@example.com>\n"
    machine.write("root/later/DEBIAN/control", f"{control}Description: a file of systemd's\n")
    shutil.copy(machine.root / real.lstrip("/"), machine.write(f"root/later{real}", ""))
    machine.run("dpkg-deb", "--build", "later")
    machine.run("dpkg", "-i", "--force-overwrite", "later.deb")
    assert "rekey" in machine.run("id", "rekey")
    assert "rekey-key" in machine.run("getent", "group", "rekey-key")
