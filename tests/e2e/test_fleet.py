"""The files and the arithmetic of docs/fleet.md: a play for Ansible, user data for cloud-init,
files for Mender, a deployment for IoT Edge. Each file is tried with its own tool if Debian has
that. `make check-install` runs these tests."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from conftest import ENVIRONMENT, ROOT

pytestmark = pytest.mark.skipif(
    not os.environ.get("REKEY_IMAGE"), reason="of `make check-install`, which gets the tools"
)
FILES = ROOT / "boards/linux/fleet"
GUIDE = (ROOT / "docs/fleet.md").read_text()
PACKAGES = sorted((ROOT / os.environ.get("REKEY_DEB", "none")).glob("*_amd64.deb"))
CLOUD_INIT = ROOT / "build/cloud-init/usr/lib/python3/dist-packages"


def run(*command, code=0, **more):
    more["env"] = {**ENVIRONMENT, "LC_ALL": "C.UTF-8", **more.get("env", {})}
    result = subprocess.run(
        [str(each) for each in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        **more,
    )
    assert result.returncode == code, f"{command}: {result.returncode}\n{result.stdout}"
    return result.stdout


def need(*tools):
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"there is no {tool}")


def test_the_guide_names_each_file():
    for path in FILES.rglob("*"):
        if path.is_file():
            assert path.name in GUIDE, path.name


# ---- the arithmetic ------------------------------------------------------------------------------


def test_the_plot_and_the_table_are_up_to_date():
    run(sys.executable, "tests/bench/fleet.py", "check", cwd=ROOT)


def test_the_model():
    """Compares the model with what is known without it."""
    sys.path.insert(0, str(ROOT / "tests/bench"))
    import fleet

    assert fleet.run([0.0] * 200, fleet.LIST) == ([0.0] * 200, 0)
    waits, refused = fleet.run([0.0] * 201, fleet.LIST)
    assert refused == 1 and waits[-1] == fleet.RETRY_AFTER
    for n in (1000, 3000):  # the bucket gives at most its content
        assert fleet.run([0.0] * n, fleet.LIST)[0][-1] >= (n - fleet.BUCKET) / fleet.REFILL
    even = [number / fleet.REFILL for number in range(3000)]  # as many as are refilled
    assert fleet.run(even, fleet.LIST)[1] == 0
    # One that was refused five times starts again after RestartSec.
    crowd = [0.0] * fleet.BUCKET + [0.0] * 10 * (fleet.TRIES + 20) * fleet.RETRY_AFTER
    assert fleet.run(crowd, fleet.LIST)[0][-1] >= fleet.RESTART
    assert fleet.TRIES == 5 and fleet.RESTART == 600
    assert fleet.SPREAD == {"rotate": 21600, "sync": 3000}


# ---- Ansible -------------------------------------------------------------------------------------


def test_ansible_lint():
    need("ansible-lint")
    run("ansible-lint", "--offline", "-p", "--nocolor", FILES / "ansible/rekey.yml", cwd=FILES)


# A copy of this machine that is discarded afterwards: writes go into memory. The play configures
# the machine on which it runs. No systemd runs in the copy, so units are enabled, but nothing is
# started.
THROW_AWAY = """
mount -t tmpfs tmpfs "$1"; cd "$1"; mkdir upper work root
mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
mount --rbind /dev root/dev; mount -t proc proc root/proc; mount --bind "$2" root/mnt
shift 2; exec chroot root "$@"
"""


@pytest.mark.parametrize("rotates", [True, False], ids=["rotator", "follower"])
def test_the_play(tmp_path, rotates):
    """Twice: the second run changes nothing."""
    need("ansible-playbook", "unshare")
    if not PACKAGES:
        pytest.skip("there is no package: `make check-install` makes it")
    shutil.copytree(FILES / "ansible", tmp_path / "in")
    shutil.copy(PACKAGES[0], tmp_path / "in")
    inventory = yaml.safe_load((FILES / "ansible/inventory.yml").read_text())
    group = inventory["gateways"]
    assert sum(bool(each and each["rekey_rotates"]) for each in group["hosts"].values()) == 1
    group["vars"] |= {
        "ansible_connection": "local",
        "ansible_python_interpreter": "/usr/bin/python3",
        "rekey_packages": "/mnt",
        "rekey_version": PACKAGES[0].name.split("_")[1],
        "rekey_identity": "secret",
        "rekey_secret": "a-secret-of-the-inventory",
    }
    (tmp_path / "in/inventory.yml").write_text(yaml.dump(inventory))
    host = "gateway-1.example" if rotates else "gateway-2.example"
    play = f"ansible-playbook -i /mnt/inventory.yml --limit {host} /mnt/rekey.yml"
    script = f"""
        cd /tmp; export HOME=/tmp ANSIBLE_NOCOLOR=1 SYSTEMD_OFFLINE=1
        {play}; echo AGAIN; {play}; echo SEEN
        dpkg-query -W -f '${{Status}}\\n' rekey
        cat /etc/rekey/scoring.conf
        stat -c '%a %n' /etc/rekey/scoring.*
        ls /etc/systemd/system/timers.target.wants
        cat /etc/systemd/system/rekey-@.service.d/identity.conf
    """
    (tmp_path / "root").mkdir()
    command = ["unshare", "--mount", "sh", "-ec", THROW_AWAY, "sh", tmp_path / "root"]
    text = run(*command, tmp_path / "in", "sh", "-ec", script)
    first, rest = text.split("AGAIN\n")
    second, seen = rest.split("SEEN\n")
    assert "failed=0" in first and "changed=0" not in first, first
    assert "failed=0" in second and "changed=0" in second, second
    assert "a-secret-of-the-inventory" not in text
    assert "install ok installed" in seen
    assert "\nREKEY_ENDPOINT_NAME=my-endpoint\n" in seen
    assert "600 /etc/rekey/scoring.conf" in seen and "600 /etc/rekey/scoring.secret" in seen
    timer = "rekey-rotate@scoring.timer" if rotates else "rekey-sync@scoring.timer"
    assert [line for line in seen.splitlines() if line.endswith(".timer")].count(timer) == 1
    assert len(re.findall(r"^rekey-.*@scoring\.timer$", seen, re.M)) == 1
    assert "LoadCredential=secret:" in seen


def test_two_rotators_are_refused(tmp_path):
    need("ansible-playbook")
    shutil.copytree(FILES / "ansible", tmp_path / "in")
    inventory = yaml.safe_load((FILES / "ansible/inventory.yml").read_text())
    for hosts in ({"a": {"rekey_rotates": True}, "b": {"rekey_rotates": True}}, {"a": {}}):
        inventory["gateways"] |= {"hosts": hosts}
        inventory["gateways"]["vars"] |= {
            "ansible_connection": "local",
            "ansible_become": False,
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        (tmp_path / "in/inventory.yml").write_text(yaml.dump(inventory))
        command = [
            "ansible-playbook",
            "-i",
            tmp_path / "in/inventory.yml",
            tmp_path / "in/rekey.yml",
        ]
        text = run(*command, code=2, env={"HOME": str(tmp_path), "ANSIBLE_NOCOLOR": "1"})
        assert "rekey_rotates is true for one host of the group" in text


# ---- cloud-init, Mender, IoT Edge ----------------------------------------------------------------


def test_user_data():
    text = (FILES / "cloud-init/user-data").read_text()
    value = yaml.safe_load(text)
    assert text.startswith("#cloud-config\n") and "SECRET" not in text
    example = (ROOT / "boards/linux/systemd/examples/endpoint.conf").read_text()
    set_there = re.findall(r"^\w+=.*$", example, re.M)
    assert value["write_files"][0]["content"].splitlines() == set_there
    if not CLOUD_INIT.is_dir():
        pytest.skip("there is no cloud-init: its package could not be obtained")
    command = [sys.executable, "-m", "cloudinit.cmd.main", "schema", "--config-file"]
    env = {"PYTHONPATH": str(CLOUD_INIT)}
    assert "Valid" in run(*command, FILES / "cloud-init/user-data", env=env)


def test_mender_mount(tmp_path):
    need("systemd-analyze")
    shutil.copy(FILES / "mender/var-lib-rekey.mount", tmp_path)
    text = run("systemd-analyze", "verify", "--man=no", tmp_path / "var-lib-rekey.mount")
    assert "var-lib-rekey" not in text, text


@pytest.mark.parametrize("result", [0, 1])
def test_mender_state_script(tmp_path, result):
    """In a namespace with one enabled timer, and a systemctl that records its arguments."""
    wants = tmp_path / "timers.target.wants"
    wants.mkdir()
    for name in ("rekey-rotate@scoring.timer", "apt-daily.timer"):
        (wants / name).symlink_to(f"/lib/systemd/system/{name}")
    script = (FILES / "mender/ArtifactCommit_Enter_10_rekey").read_text()
    (tmp_path / "script").write_text(script.replace("/etc/systemd/system", str(tmp_path)))
    stand_in = tmp_path / "systemctl"
    stand_in.write_text(f'#!/bin/sh\necho "$@"\nexit {result}\n')
    stand_in.chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    text = run("sh", tmp_path / "script", env=env, code=21 if result else 0)
    assert text == "start rekey-check@scoring.service\n"


def test_mender_artifact(tmp_path):
    """The package as an artifact of Mender's module for packages, with the state script, as the guide says."""
    need("mender-artifact")
    if not PACKAGES:
        pytest.skip("there is no package: `make check-install` makes it")
    (block,) = [
        each for each in re.findall(r"(?:^ {4}.*\n)+", GUIDE, re.M) if "mender-artifact" in each
    ]
    (tmp_path / "build").mkdir()
    (tmp_path / "boards").symlink_to(ROOT / "boards")
    (tmp_path / "build/deb").symlink_to(PACKAGES[0].parent)
    run("sh", "-ec", block, cwd=tmp_path)
    text = run("mender-artifact", "read", tmp_path / "rekey.mender")
    assert "ArtifactCommit_Enter_10_rekey" in text and re.search(r"Type:\s+deb", text), text


def test_iot_edge_deployment():
    value = json.loads((FILES / "iot-edge/deployment.json").read_text())
    (module,) = value["content"]["modulesContent"]["$edgeAgent"].values()
    host = json.loads(module["settings"]["createOptions"])["HostConfig"]
    # The directory is mounted, not the file: a new key is a new file in the directory.
    assert host["Binds"] == ["/var/lib/rekey/scoring:/run/endpoint-key:ro"]
    assert host["GroupAdd"][0].isdecimal()
