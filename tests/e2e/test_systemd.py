"""The package under a live systemd: a small Debian (boards/deps.sh tree) that systemd-nspawn boots.

`make check-install` runs these tests; they require root. Blocks of docs/gateway.md are run unchanged.
There is one machine for all tests. It shares the network of this one, where the stand-in service
runs; each test has its own instances. The last tests restart the machine and remove the package.
"""

import re
import shutil

import pytest
from conftest import ACCEPTED, DONE, RUNNING, wait_until
from nspawn import (  # noqa: F401 (three fixtures)
    FOR_THIS_BUILD,
    UNITS,
    block,
    configure,
    debian,
    instance,
    machine,
)

pytestmark = FOR_THIS_BUILD
PORTAL = {"status": 200, "headers": [["Content-Type", "text/html"]], "body": "<html>Log in</html>"}
FAST = "[Timer]\nOnCalendar=\nOnCalendar=*:*:*\nRandomizedDelaySec=0\nAccuracySec=1ms\n"


def state_of(machine, unit):
    return machine.show(unit, "ActiveState"), machine.show(unit, "SubState")


def start_timer(machine, name):
    """Starts a timer that fires each second, with no delay."""
    timer = f"rekey-rotate@{name}.timer"
    machine.write(f"{UNITS}/{timer}.d/fast.conf", FAST)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "enable", "--now", timer)
    return timer


def more_runs(arm, endpoint):
    """Waits for two more runs; the first may have begun before."""

    def lists():
        return len(arm.requests(endpoint, "list", idle=0))

    count = lists()
    wait_until(lambda: lists() >= count + 2, "the timer fires", 30)


def test_one_configuration_for_rotate_and_sync(machine, instance, arm):
    """It has an option that sync does not accept, and an identity, in one directory."""
    name, endpoint = instance()
    path = machine.root / f"etc/rekey/{name}.conf"
    configure(path, REKEY_ROTATE_OPTIONS="--settle 0 --min-age 60")
    for verb in ("rotate", "sync"):
        machine.run("systemctl", "start", f"rekey-{verb}@{name}")
        assert machine.outcomes(f"rekey-{verb}@{name}") == ["succeeded"]


# ---- starts, failures ----------------------------------------------------------------------------


def test_no_start_is_refused(machine, instance):
    """Neither after 20 good runs nor after failed ones."""
    name, endpoint = instance()
    unit = f"rekey-rotate@{name}"
    loop = f"for i in $(seq 20); do systemctl start {unit}; done"
    machine.run("sh", "-ec", loop)
    assert machine.outcomes(unit) == ["succeeded"] * 20
    assert state_of(machine, unit) == ("inactive", "dead")


def test_temporary_failures_are_tried_again(machine, instance, arm):
    """Exit code 10: systemd waits for the next attempt, and nobody has to do anything."""
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
    """The message has the path, and there is no second attempt."""
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
def test_an_unusable_state(machine, instance, arm, fault):
    """The run is not repeated, and the guide's remedy works."""
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
    """SIGKILL during a run: the next run finishes what it finds."""
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
    """A service of another user, in the group, which reads the key when it is reloaded. Gives a
    function that waits until the service uses the current key, and the names of the instance and
    the endpoint."""
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
    configure(machine.root / f"etc/rekey/{name}.conf", REKEY_MIN_AGE="86400")  # no third rotation
    more_runs(arm, endpoint)
    told()
    machine.run("systemctl", "disable", "--now", f"rekey-rotate@{name}.timer")
    assert set(machine.outcomes(f"rekey-rotate@{name}")) == {"succeeded"}
    keys = arm.keys(endpoint)
    assert machine.key(name) in (keys["primaryKey"], keys["secondaryKey"])
    other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "cat"]
    machine.run(*other, f"/var/lib/rekey/{name}/key", code=1)


def test_a_change_that_systemd_missed(machine, application):
    """The next run reloads the application, and a run without a change does not."""
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
    """Another user can read them, and the journal ends with the run's own outcome."""
    (machine.root / "var/lib/prometheus/node-exporter").mkdir(parents=True)
    machine.guide("metrics.conf")
    name, endpoint = instance()
    unit, file = f"rekey-rotate@{name}", f"/var/lib/prometheus/node-exporter/rekey-{name}.prom"

    def metrics():
        cat = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "cat", file]
        return dict(re.findall(r"^(rekey_\w+)\{.*\} (\S+)$", machine.run(*cat), re.M))

    aim = machine.write("etc/aim", "as it was")
    for ending in ("tmp", "prom"):  # if another user owns the directory
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
    """An instance whose timer fires each second; a function that waits for two more runs."""
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
    """A removal stops the timers and says so. They return with the package, unless it was
    purged."""
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
    """The user is created when systemd is installed, by the package's trigger."""
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
