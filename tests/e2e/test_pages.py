"""The commands of README.md, docs/gateway.md and docs/contributing.md work, in their order, and the C
of all pages is compiled.

Each command of these pages is run unchanged, unless NOT_RUN lists it with a reason. A new line of a
page is therefore run, and the test fails if it cannot be. The commands of gateway.md are run on a
Debian with systemd as process 1, all others in a copy of the tree. `make check-install` does this.
"""

import json
import re
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

import pages
import pytest
from conftest import ENVIRONMENT, GROUP, ROOT, SUBSCRIPTION, TOKEN, WORKSPACE
from making import TAKES_A_WHILE, need
from nspawn import FOR_THIS_BUILD, UNITS, configure, debian, make_identity  # noqa: F401

PAGES = ["README.md", "docs/gateway.md", "docs/contributing.md"]

AZURE = "it needs az, and an Azure subscription"
GATE = "it is a step of .ci/run, or a part of one, and takes minutes"
NOT_RUN = {
    "make test": GATE,
    "make deps": "it installs packages; `make check-install` has done so",
    "make format": "it changes files",
    "apt-get install ca-certificates": "it needs a mirror; the test brings its own trust anchor",
    "editor /etc/rekey/scoring.conf": "it is for a person; the test writes the values",
    **{each: AZURE for each in pages.commands("docs/gateway.md") if each.startswith("az ")},
}


def commands_to_run(page):
    return [each for each in pages.commands(page) if each not in NOT_RUN]


def test_what_is_not_run_is_on_a_page():
    there = [command for page in PAGES for command in pages.commands(page)]
    assert [each for each in NOT_RUN if each not in there] == []
    gate = (ROOT / ".ci/run").read_text()
    assert [
        each for each, why in NOT_RUN.items() if why == GATE and f"step {each}\n" not in gate
    ] == []
    for page in PAGES:
        assert len(commands_to_run(page)) > 2, page
        # A command in a fence would be neither.
        assert {language for language, _ in pages.FENCE.findall(pages.read(page))} <= {"c", "ini"}, page


def test_the_role_has_the_actions_that_rekey_names():
    """Of an error 403, and of `rekey check`."""
    (text,) = [each for each in pages.commands("docs/gateway.md") if "rekey-role.json <<" in each]
    role = json.loads("\n".join(text.splitlines()[1:-1]))
    place = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/"
    actions = [each.removeprefix(place) for each in role["Actions"]]
    source = (ROOT / "boards/linux/session_end.c").read_text()
    named = re.search(r"action_of\(.*?^}", source, re.M | re.S)[0]
    assert sorted(actions) == sorted(re.findall(r'"(read|\w+/action)"', named))


@TAKES_A_WHILE
@pytest.mark.parametrize("command", [each for each, why in NOT_RUN.items() if why == AZURE])
def test_az_knows_the_options(command, tmp_path):
    """az reads all options before it says that nobody is signed in."""
    need("az")
    (tmp_path / "rekey-role.json").write_text("{}")
    given = {"AZURE_CONFIG_DIR": str(tmp_path / "az"), "AZURE_CORE_COLLECT_TELEMETRY": "false"}
    result = subprocess.run(
        ["sh", "-c", command],
        cwd=tmp_path,
        env={**ENVIRONMENT, "HOME": str(tmp_path), **given},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
    )
    if "connectedmachine' is misspelled" in result.stderr:
        pytest.skip("an extension of az is not there")
    assert "run 'az login'" in result.stderr, result


# ---- the C ---------------------------------------------------------------------------------------

# The code around a piece that is not a complete file: (a text in the piece; before; after).
AROUND = [
    ("void set_time(", '#include "rekey_port.h"\nuint64_t now_ms(void *);\n', ""),
    (
        "tcp.lookup_arg",
        '#include "sockets.h"\nstruct rekey_port port; struct rekey_sockets_tcp tcp; int resolver;\n'
        "int look_up(void *, const char *, struct rekey_sockets_address *, size_t, size_t *);\n"
        "void f(void); void f(void) {",
        "}",
    ),
    (
        "int look_up(",
        '#include "sockets.h"\n#include <netdb.h>\n#include <string.h>\n',
        "void *use = (void *)look_up;",
    ),
    (
        "xSemaphoreTake",
        '#include "rekey.h"\nvoid xSemaphoreGive(void *); void xSemaphoreTake(void *, unsigned long);\n'
        "unsigned long to_ticks(uint32_t); void *semaphore; struct rekey client;\n",
        "",
    ),
]


def pieces():
    for path in sorted([ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("port/**/*.md")]):
        for language, text in pages.FENCE.findall(path.read_text()):
            if language == "c":
                yield pytest.param(text, id=f"{path.name}: {text.strip().splitlines()[0]}")


def test_c_is_in_fences():
    for path in [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("port/**/*.md")]:
        for block in pages.blocks(path.relative_to(ROOT)):
            assert not re.search(r"(\)|=.*);( *//.*)?$", block, re.M), f"{path.name}: {block}"


@pytest.mark.parametrize("piece", pieces())
def test_the_c_of_the_pages(piece, tmp_path):
    need("cc")
    before, behind = next((each[1:] for each in AROUND if each[0] in piece), ("", ""))
    (tmp_path / "piece.c").write_text(f"{before}{piece}{behind}\n")
    folders = [f"-I{ROOT / each}" for each in ("src", "port/posix", "port/sockets", "port/lwip")]
    warnings = ["-std=c11", "-Wall", "-Wextra", "-Werror"]
    unused = ["-Wno-unused-function", "-Wno-unused-parameter"]
    command = [
        "cc",
        "-fsyntax-only",
        *warnings,
        *unused,
        "-D_GNU_SOURCE",
        *folders,
        tmp_path / "piece.c",
    ]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr


# ---- README.md, docs/contributing.md --------------------------------------------------------------


@pytest.fixture(scope="module")
def tree():
    """A copy of the tree, on a file system that keeps what is written."""
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
        copy = subprocess.run(
            "git ls-files -z --cached --others --exclude-standard | "
            f"xargs -0 sh -c 'cp --parents --no-dereference \"$@\" {shlex.quote(folder)} 2>&-' sh",
            shell=True,
            cwd=ROOT,
        )
        assert (Path(folder) / "Makefile").exists(), copy
        yield Path(folder)


def run(command, tree, **env):
    result = subprocess.run(
        ["bash", "-ec", command],
        cwd=tree,
        env={**ENVIRONMENT, "DEPS_DIR": str(ROOT / "build/deps"), **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=580,
    )
    assert result.returncode == 0, f"{command}: {result.returncode}\n{result.stdout}"
    return result.stdout


@FOR_THIS_BUILD
@TAKES_A_WHILE
def test_contributing(tree):
    for command in commands_to_run("docs/contributing.md"):
        run(command, tree)


@FOR_THIS_BUILD
@TAKES_A_WHILE
def test_readme(tree, arm):
    """The commands of an endpoint, as one script; the state directory is on a disk that survives a
    restart."""
    run("make", tree)
    name = arm.endpoint()
    before = arm.keys(name)
    state = tree / "lib/rekey/state"
    script = "\n".join(commands_to_run("README.md"))
    for word, value in {
        "=ID": f"={SUBSCRIPTION}",
        "=GROUP": f"={GROUP}",
        "=WORKSPACE": f"={WORKSPACE}",
        " ENDPOINT": f" {name}",
        "/var/lib/rekey/scoring": str(state),
    }.items():
        assert word in script
        script = script.replace(word, value)
    given = {
        "PATH": f"{tree}/build/linux:{ENVIRONMENT['PATH']}",
        "AZURE_ACCESS_TOKEN": TOKEN,
        "REKEY_MANAGEMENT_URL": arm.url(),
        "SSL_CERT_FILE": str(ROOT / "build/certs/ca.pem"),
    }
    run(script, tree, **given)
    assert (state / "key").read_text() == before["primaryKey"]
    assert arm.keys(name)["regenerated"] == ["Secondary"]


# ---- docs/gateway.md -----------------------------------------------------------------------------


@TAKES_A_WHILE
@FOR_THIS_BUILD
def test_gateway(debian, arm):  # noqa: F811
    """From the package to the first rotation, and to its removal. `before` has the actions of a
    person, or of another machine, between two commands; `behind` checks the results."""
    endpoint = arm.play(tokens="issued")
    secret, values = make_identity(arm, endpoint)
    etc = debian.root / "etc/rekey"
    state = debian.root / "var/lib/rekey/scoring"
    was = {}

    def fill_in():
        configure(etc / "scoring.conf", REKEY_OPTIONS="--timeout 20m", **values)

    def follower():
        """The rotator uses the secondary key by now."""
        assert re.search("^key type: *Secondary$", was["status"], re.M)
        for name in ("scoring.conf", "scoring.secret"):
            shutil.copy(etc / name, etc / name.replace("scoring", "follower"))
        configure(etc / "follower.conf", REKEY_FIRST_KEY="secondary")
        units = debian.root / UNITS
        shutil.copytree(
            units / "rekey-@scoring.service.d",
            units / "rekey-@follower.service.d",
            dirs_exist_ok=True,
        )
        debian.run("systemctl", "daemon-reload")

    def rotate_once():
        """Rotates once, so that there is a previous key."""
        configure(etc / "scoring.conf", REKEY_MIN_AGE="0")
        debian.run("systemctl", "restart", "rekey-rotate@scoring")
        configure(etc / "scoring.conf", REKEY_MIN_AGE="86400")
        was["previous"] = (state / "key.previous").read_text()

    def use_primary():
        """Activates the primary key, which has leaked."""
        if debian.key("scoring") != arm.keys(endpoint)["primaryKey"]:
            rotate_once()
        was["keys"] = arm.keys(endpoint)

    def application():
        debian.write(f"{UNITS}/scoring.service", "[Service]\nExecStart=/bin/sleep infinity\n")
        (debian.root / "var/lib/prometheus/node-exporter").mkdir(parents=True)

    before = {
        "mkdir -p /etc/systemd/system/rekey-@scoring.service.d": fill_in,
        "echo REKEY_RELOAD=": application,
        "systemctl restart rekey-sync@": follower,
        "rekey rotate --rollback": rotate_once,
        "systemd-run ": use_primary,
        "journalctl --unit rekey-regenerate@": lambda: debian.run("journalctl", "--sync"),
    }

    def adopted():
        assert debian.key("scoring") == arm.keys(endpoint)["primaryKey"]
        assert arm.keys(endpoint)["regenerated"] == []
        for file, mode in (("", "750"), ("/key", "640"), ("/state", "600")):
            text = debian.run("stat", "-c", "%a %U:%G", f"/var/lib/rekey/scoring{file}")
            assert text.split() == [mode, "rekey:rekey-key"]

    def rotated():
        assert arm.keys(endpoint)["regenerated"] == ["Secondary"]
        assert debian.key("scoring") == arm.keys(endpoint)["secondaryKey"]

    def restored():
        assert debian.key("scoring") == was["previous"]

    def regenerated():
        assert arm.keys(endpoint)["primaryKey"] != was["keys"]["primaryKey"]
        assert debian.key("scoring") == was["keys"]["primaryKey"]

    def switched():
        assert debian.key("scoring") == was["keys"]["secondaryKey"]

    def followed():
        assert debian.key("follower") == debian.key("scoring")

    behind = {
        "systemctl restart rekey-rotate@scoring": adopted,
        "rekey status": rotated,
        "rekey rotate --rollback": restored,
        "systemd-run ": regenerated,
        "systemctl restart rekey-sync@": followed,
        "systemctl disable --now rekey-rotate@scoring.timer": switched,
    }

    def call(steps, command):
        """Calls the function for this command, once."""
        for start in [each for each in steps if command.startswith(each)]:
            steps.pop(start)()

    for command in commands_to_run("docs/gateway.md"):
        call(before, command)
        # In the guide another machine follows; here it is another instance.
        there = command.replace("@scoring", "@follower") if "rekey-sync@" in command else command
        there = there.replace("KEYTYPE", "primary")  # the key that has leaked
        given = f"{secret}\n" if "cat >/etc" in command else None
        text = debian.run("sh", "-ec", there, given=given)
        if command.startswith("journalctl --unit rekey-check@"):
            assert "clock: ok" in text and "outcome=succeeded" in text
        if command.startswith("journalctl --unit rekey-regenerate@"):
            assert "outcome=succeeded" in text
        if command.startswith("rekey status "):
            was["status"] = text
        call(behind, command)
    assert not before and not behind
    assert not (debian.root / "usr/bin/rekey").exists() and (state / "key").exists()
