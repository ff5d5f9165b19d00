"""What distributions get: the licences, the bill of materials, the recipes, builds with their
flags, and a build that gives the same bytes anywhere.

`make check-install` runs these tests; elsewhere the tests that take minutes are skipped.
"""

import fnmatch
import hashlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import BUILD, ENVIRONMENT, EXEC, ROOT, SANITIZED
from making import run

pytestmark = pytest.mark.skipif(
    bool(EXEC) or SANITIZED or BUILD.name != "linux",
    reason="of what is built for this machine, without an emulator or a sanitizer",
)
PACKAGING = ROOT / "boards/linux/packaging"
DEPS = ROOT / "build/deps"
DEPS_TABLE = (ROOT / "boards/deps.sh").read_text()
MAKEFILE = "".join((ROOT / name).read_text() for name in ("Makefile", "boards/linux/install.mk"))
VERSION = re.search(r'REKEY_VERSION "(.*)"', (ROOT / "src/rekey_config.h").read_text())[1]


def recorded(name):
    """The version and the checksum of a source in boards/deps.sh, without Debian's revision."""
    row = re.search(rf"^ +{name} +(\S+) +(\w+) ", DEPS_TABLE, re.M)
    return row[1].split("-")[0], row[2]


def make(*arguments, cwd=ROOT, env=None):
    """The sources of the libraries are those of this tree, or the caller's."""
    given = {name: value for name, value in os.environ.items() if name.endswith("_DIR")}
    return run(
        *("make", "--no-print-directory", "-s", *arguments),
        cwd=cwd,
        env={**given, **(env or {})},
        timeout=900,
    )


def installed(folder):
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if not each.is_dir())


def takes_minutes(test):
    return pytest.mark.skipif(
        "REKEY_DEB" not in os.environ, reason="takes minutes: make check-install"
    )(test)


# ---- licences ------------------------------------------------------------------------------------


def words(text):
    """The words, without what differs between comments: the margin and the kind of quotation
    marks."""
    text = re.sub(r"^[ \t]*(/?\*+/?|\.)?", "", text, flags=re.M)
    return " ".join(re.sub(r"[\"'`]", "", text).split())


def part(path, first, last):
    """The text of a file from one line to another."""
    if not path.exists():
        pytest.skip(f"there is no {path}")
    text = path.read_text(errors="replace")
    begin = text.index(first)
    return words(text[begin : text.index(last, begin) + len(last)])


@pytest.mark.parametrize(
    "path, first, last",
    [
        (ROOT / "LICENSE", "MIT License", "SOFTWARE."),
        (DEPS / "mbedtls/LICENSE", "Apache License", "limitations under the License."),
        (DEPS / "jsmn/jsmn.h", "Copyright", "SOFTWARE."),
        (DEPS / "lwip/COPYING", "Redistribution", "DAMAGE."),
        (DEPS / "musl-armhf/COPYRIGHT", "Permission is", "OTHER DEALINGS IN THE SOFTWARE."),
    ],
    ids=lambda value: value.parent.name if isinstance(value, Path) else "",
)
def test_the_notice_has_the_text_of_each_library(path, first, last):
    assert part(path, first, last) in words((ROOT / "boards/linux/NOTICE").read_text())


def test_the_notice_has_the_texts_of_picolibc():
    """The notice has the text of each file that the linker used, as Debian's copyright file has
    it."""
    image = ROOT / "build/lm3s6965evb/firmware.elf.map"
    source = Path("/usr/share/doc/picolibc-arm-none-eabi/copyright")
    if not image.exists() or not source.exists():
        pytest.skip("make BOARD=lm3s6965evb")
    files, texts = [], {}
    for paragraph in source.read_text().split("\n\n"):
        name = re.search(r"^License: *(\S+)", paragraph, re.M)
        patterns = re.match(r"Files:(.*?)^\w+:", paragraph, re.M | re.S)
        if patterns:
            files += [(pattern, name[1]) for pattern in patterns[1].split()]
        elif name:
            texts[name[1]] = words(paragraph.split("\n", 1)[1])
    notice = words((ROOT / "boards/linux/NOTICE").read_text())
    members = set(re.findall(r"libc\.a\(([\w.]+)\.o\)", image.read_text()))
    assert members
    for member in members:  # libc_string_strchr.c, or the architecture's memchr.c
        path = member if member.startswith("libc_") else f"libc_machine_arm_{member}"
        name = next(
            name
            for pattern, name in files
            if fnmatch.fnmatch(f"newlib_{path}", pattern.replace("/", "_")) and pattern != "*"
        )
        assert texts[name] in notice, (member, name)


@pytest.mark.parametrize("verb", ["install-command", "install-library"])
def test_the_notice_is_installed(tmp_path, verb):
    make(verb, f"DESTDIR={tmp_path}", "PREFIX=/usr")
    notice = tmp_path / "usr/share/doc/rekey/NOTICE"
    assert notice.read_bytes() == (ROOT / "boards/linux/NOTICE").read_bytes()


def test_without_systemd(tmp_path):
    make("install-command", f"DESTDIR={tmp_path}", "PREFIX=/usr", "UNITDIR=")
    there = installed(tmp_path)
    assert "usr/bin/rekey" in there
    assert not [name for name in there if re.search("systemd|sysusers|examples", name)]
    make("uninstall", f"DESTDIR={tmp_path}", "PREFIX=/usr", "UNITDIR=")
    assert installed(tmp_path) == []


# ---- bill of materials ---------------------------------------------------------------------------


def libraries_of(document):
    """{name: version} of the libraries in the program. Checks what must hold for any document."""
    assert document["spdxVersion"] == "SPDX-2.3" and document["dataLicense"] == "CC0-1.0"
    ids = {each["SPDXID"]: each for each in document["packages"]}
    assert len(ids) == len(document["packages"])
    for name, each in ids.items():
        assert re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", name)
        assert each["licenseConcluded"] and each["copyrightText"] and each["downloadLocation"]
        for checksum in each.get("checksums", []):
            assert re.fullmatch(r"[0-9a-f]{64}", checksum["checksumValue"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document["creationInfo"]["created"])
    linked = set()
    for each in document["relationships"]:
        assert each["spdxElementId"] in {"SPDXRef-DOCUMENT", *ids}
        if each["relationshipType"] == "STATIC_LINK":
            linked.add(each["relatedSpdxElement"])
    assert linked == set(ids) - {"SPDXRef-rekey"}
    return {ids[name]["name"]: ids[name].get("versionInfo") for name in linked}


def test_the_bill_of_materials(tmp_path):
    path = ROOT / make("sbom").strip()
    document = json.loads(path.read_text())
    libraries = libraries_of(document)
    program = document["packages"][0]
    assert program["versionInfo"] == VERSION
    digest = hashlib.sha256((BUILD / "rekey").read_bytes()).hexdigest()
    assert program["checksums"][0]["checksumValue"] == digest and digest in (
        document["documentNamespace"]
    )
    told = run(BUILD / "rekey", "--version")
    assert set(libraries) == {"Mbed TLS", "jsmn"}
    for name, version in libraries.items():
        assert f"{name} {version}\n" in told


@takes_minutes
@pytest.mark.parametrize(
    "package",
    sorted((ROOT / os.environ.get("REKEY_DEB", "none")).glob("*.deb")),
    ids=str,
)
def test_the_bill_of_materials_of_a_package(tmp_path, package):
    """It names the same versions as `rekey --version` and Static-Built-Using."""
    run("dpkg-deb", "-x", package, tmp_path)
    document = json.loads((tmp_path / "usr/share/doc/rekey/rekey.spdx.json").read_text())
    libraries = libraries_of(document)
    command = (tmp_path / "usr/bin/rekey").read_bytes()
    checksum = document["packages"][0]["checksums"][0]["checksumValue"]
    assert checksum == hashlib.sha256(command).hexdigest()
    for name, version in libraries.items():
        assert f"{name} {version}\n".encode() in command
    field = run("dpkg-deb", "-f", package, "Static-Built-Using")
    assert sorted(re.findall(r"(\S+) \(= \S+\)", field)) == ["jsmn", "mbedtls", "musl"]
    assert set(libraries) == {"Mbed TLS", "jsmn", "musl"}


# ---- recipes -------------------------------------------------------------------------------------

RECIPES = {
    "buildroot": ["package/rekey/rekey.mk", "package/rekey/rekey.hash"],
    "openembedded": [f"recipes-connectivity/rekey/rekey_{VERSION}.bb"],
    "openwrt": ["rekey/Makefile"],
    "alpine": ["APKBUILD"],
}
SCRIPTS = [
    PACKAGING / name
    for name in (
        "rekey-loop",
        "alpine/rekey.initd",
        "alpine/rekey.pre-install",
        "openwrt/rekey/files/rekey.init",
    )
]


def recipe(system):
    return "".join((PACKAGING / system / name).read_text() for name in RECIPES[system])


def digest(path, kind):
    return hashlib.new(kind, path.read_bytes()).hexdigest()


@pytest.mark.parametrize("system", RECIPES)
def test_what_a_recipe_gives_to_make(system):
    """Only variables that the Makefile accepts, and targets that it has."""
    given = set(re.findall(r"[\s\",]([A-Z][A-Z_]+)=(?![=?])", recipe(system)))
    taken = set(re.findall(r"^([A-Z_]+) +\?=|or \$\(([A-Z]+_DIR)\)", MAKEFILE, re.M))
    assert {"MBEDTLS_DIR", "JSMN_DIR", "JSMN_VERSION", "PREFIX", "UNITDIR"} <= given
    assert given - {"DESTDIR"} <= {name for pair in taken for name in pair}
    for verb in re.findall(r"\binstall(?:-command|-library)\b", recipe(system)):
        assert re.search(rf"^{verb}:", MAKEFILE, re.M), verb
    assert "$(DESTDIR)" in MAKEFILE or "DESTDIR" in (ROOT / "boards/linux/install.sh").read_text()


@pytest.mark.parametrize("system", RECIPES)
def test_the_version_of_a_recipe(system):
    text = recipe(system) + RECIPES[system][0]
    assert re.search(rf"(?:VERSION :?=|pkgver=|rekey_|VERSION:=) ?{VERSION}\b", text)
    names = set(re.findall(r"\b(mbedtls|jsmn)-v?(\d+\.\d+\.\d+)\b", text, re.I))
    names |= {
        (name.lower(), version)
        for name, version in re.findall(r"_(mbedtls|jsmn)(?:_version)? ?= ?(\d\S*)", text, re.I)
    }
    assert ("mbedtls", recorded("mbedtls")[0]) in names
    assert not [name for name in names if name[1] != recorded(name[0])[0]]


@pytest.mark.parametrize("system", RECIPES)
def test_the_files_and_the_sums_of_a_recipe(system):
    """The files that it names exist; the checksums are those of these files, and of
    boards/deps.sh."""
    text = recipe(system)
    for name in set(re.findall(r"\b(boards/linux/[\w/.-]+|LICENSE)\b", text)):
        assert (ROOT / name).exists(), name
    for name in set(re.findall(r"\./files/([\w.-]+)|install\.d/([\w.-]+)", text)):
        assert (PACKAGING / system / "rekey/files" / name[0]).exists()
    sums = dict(re.findall(r"file://(\S+);md5=(\w+)", text))
    sums |= {name: sum for sum, name in re.findall(r"^(?:sha\d+ +)?(\w{64,})  (\S+)$", text, re.M)}
    kinds = {32: "md5", 64: "sha256", 128: "sha512"}
    found = set()
    for name, expected in sums.items():
        kind = kinds[len(expected)]
        beside = PACKAGING / system / name
        if re.match(r"parts/mbedtls.*LICENSE", name):
            path = DEPS / "mbedtls/LICENSE"
        elif (ROOT / name).exists() or beside.exists():
            path = ROOT / name if (ROOT / name).exists() else beside
        else:
            continue
        found.add(path.name)
        assert digest(path, kind) == expected, name
    assert system == "openwrt" or found
    if kinds.get(64) and system != "alpine":  # its checksums are of another kind
        assert recorded("mbedtls")[1] in text


def test_openwrt_and_openembedded_fetch_the_same_jsmn():
    """Both use upstream's tarball, as Buildroot's own package does, and the commit of its tag."""
    assert "5f0913a10657fe7ec8d5794ccf00a01000e3e1f2f1e1f143c34a0f7b47edcb38" in recipe("openwrt")
    assert "fdcef3ebf886fa210d14956d3c068a653e76a24e" in recipe("openembedded")


@pytest.mark.parametrize("system", RECIPES)
def test_where_a_recipe_looks_for_the_tarball(system):
    """The recipe has a path relative to its own directory: here it must lead to build/."""
    text = recipe(system)
    base = {
        "buildroot": r"BR2_EXTERNAL_REKEY_PATH\)((?:/\.\.)+)",
        "openembedded": r"\$\{THISDIR\}((?:/\.\.)+)",
        "openwrt": r"\$\(CURDIR\)((?:/\.\.)+)",
    }.get(system)
    if base is None:
        pytest.skip("it is copied to the recipe")
    folder = PACKAGING / system
    if system != "buildroot":
        folder = (folder / RECIPES[system][0]).parent
    found = re.search(base, text)
    assert (folder / found[1].lstrip("/")).resolve() == ROOT
    assert "/build" in text[found.end() : found.end() + 10]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_the_syntax_of_a_script(script):
    run("sh", "-n", script)
    if shutil.which("busybox"):
        run("busybox", "ash", "-n", script)
    if shutil.which("shellcheck") and script.name != "rekey.init":  # OpenWrt's shell has `local`
        run("shellcheck", "-s", "sh", "-e", "SC1090,SC2034,SC2154", script)


def test_the_syntax_of_kconfig():
    """Buildroot's files: only existing statements, and a text that is indented below help."""
    folder = PACKAGING / "buildroot"
    top = (folder / "Config.in").read_text()
    name = re.fullmatch(r"name: (\w+)\ndesc: .+\n", (folder / "external.desc").read_text())[1]
    path = re.fullmatch(r'source "\$BR2_EXTERNAL_(\w+)_PATH/(\S+)"\n', top)
    assert path[1] == name
    lines = (folder / path[2]).read_text().split("\thelp\n")
    assert all(re.match(r"\t  \S|$", line) for line in lines[1].splitlines())
    statements = lines[0].splitlines()
    assert statements[0] == "config BR2_PACKAGE_REKEY"
    for line in statements[1:]:
        assert re.match(r'\t(bool "rekey"|depends on BR2_\w+|select BR2_PACKAGE_\w+)( #|$)', line)


def test_the_layer(tmp_path):
    text = (PACKAGING / "openembedded/conf/layer.conf").read_text()
    collection = re.search(r'BBFILE_COLLECTIONS \+= "(\w+)"', text)[1]
    for name in ("BBFILE_PATTERN", "BBFILE_PRIORITY", "LAYERDEPENDS", "LAYERSERIES_COMPAT"):
        assert f"{name}_{collection} = " in text
    assert "scarthgap" in re.search(r'LAYERSERIES_COMPAT_\w+ = "(.*)"', text)[1].split()


# OpenWrt's init script, in the shell in which it runs there, with stand-ins for UCI and procd. The
# stand-in for procd prints its arguments, one on a line.

OPENWRT = r"""
sections=
config() { type=$1 section=$2; sections="$sections $2"; }
option() { eval "value_${section}_$1=\$2"; }
list() { eval "list_${section}_$1=\"\${list_${section}_$1:-} \$2\""; }
config_load() { . "$CONFIG"; }
config_foreach() { for each in $sections; do "$1" "$each"; done; }
config_get() { eval "$1=\${value_$2_$3:-${4:-}}"; }
config_get_bool() { config_get "$@"; }
config_list_foreach() { eval "set -- \"$3\" \${list_$1_$2:-}"; f=$1; shift; for w; do "$f" "$w"; done; }
extra_command() { echo "extra $1"; }
procd_open_instance() { echo "instance $1"; }
procd_set_param() { echo "set $*"; }
procd_append_param() { echo "append $*"; }
procd_close_instance() { echo end; }
procd_add_reload_trigger() { echo "trigger $*"; }
procd_send_signal() { echo "signal $*"; }
mkdir() { echo "mkdir $*"; }
chown() { echo "chown $*"; }
chmod() { echo "chmod $*"; }
. "$SCRIPT"
"""


def openwrt(tmp_path, action, configuration=None):
    if not shutil.which("busybox"):
        pytest.skip("there is no busybox")
    files = PACKAGING / "openwrt/rekey/files"
    path = tmp_path / "config"
    path.write_text(configuration or (files / "rekey.config").read_text())
    env = {"CONFIG": str(path), "SCRIPT": str(files / "rekey.init")}
    return run("busybox", "ash", "-c", f"{OPENWRT}\n{action}", env=env)


TWO = """
config endpoint 'scoring'
	option enabled '1'
	option subscription 'S'
	option resource_group 'R'
	option workspace 'W'
	option endpoint 'my-endpoint'
	option min_age '30d'
	option auth 'secret'
	option tenant 'T'
	option client 'C'
	option secret_file '/etc/rekey/scoring.secret'
	list option '--cloud'
	list option 'usgov'

config endpoint 'follower'
	option enabled '1'
	option command 'sync'
	option endpoint 'other'
	option min_age '30d'
	option first_key 'secondary'
"""


def test_the_services_of_openwrt(tmp_path):
    text = openwrt(tmp_path, "start_service; service_triggers; run scoring", TWO)
    instances = re.findall(r"^instance (\w+)\n(.*?)^end$", text, re.M | re.S)
    assert [name for name, _ in instances] == ["scoring", "follower"]
    commands = {}
    for name, lines in instances:
        told = re.findall(r"^(?:set|append) command (.*)", lines, re.M)
        commands[name] = " ".join(told).split()
        assert "set user rekey\nset group rekey-key\n" in lines
        assert "set stdout 1\nset stderr 1\n" in lines
    assert (
        commands["scoring"]
        == (
            "/usr/libexec/rekey-loop scoring /etc/rekey/scoring rotate --key-group rekey-key "
            "--subscription S --resource-group R --workspace-name W --name my-endpoint --min-age 30d "
            "--auth secret --secret-file /etc/rekey/scoring.secret --cloud usgov"
        ).split()
    )
    assert (
        commands["follower"]
        == (
            "/usr/libexec/rekey-loop follower /etc/rekey/follower sync --key-group rekey-key "
            "--name other --key-type secondary --settle 60s"
        ).split()
    )
    env = re.findall(r"^(?:set|append) env (.*)", text, re.M)
    assert env == ["AZURE_TENANT_ID=T", "AZURE_CLIENT_ID=C"]
    assert "chown rekey:rekey-key /etc/rekey/scoring\nchmod 750 /etc/rekey/scoring\n" in text
    assert "trigger rekey\n" in text and "signal rekey scoring USR1\n" in text
    for command in commands.values():  # the command knows them all
        pages = run(BUILD / "rekey", "help", command[3])
        for page in ("endpoint", "identity", "connection", "output"):
            pages += run(BUILD / "rekey", "help", command[3], page)
        assert not [word for word in command[4:] if word[:2] == "--" and word not in pages]


def test_the_configuration_of_openwrt_does_nothing_until_it_is_enabled(tmp_path):
    assert openwrt(tmp_path, "start_service") == "extra run\n"


def test_every_option_of_openwrts_configuration_is_read():
    files = PACKAGING / "openwrt/rekey/files"
    names = set(re.findall(r"(?:option|list) (\w+) '", (files / "rekey.config").read_text()))
    script = (files / "rekey.init").read_text()
    assert not [name for name in names if not re.search(rf"\b{name}\b", script)]


# The loop, with a clock that advances when the loop sleeps, and a command that ends as it is told.


class Loop:
    """Programs on PATH: rekey (its exit codes are in `codes`), sleep and date."""

    def __init__(self, folder, now):
        self.folder = folder
        for name, lines in {
            "rekey": 'echo "run $(cat clock) $*" >>log; read -r code <codes || kill -TERM $PPID\n'
            'sed -i 1d codes; : >state/status.json; [ "$code" != hang ] || exec /bin/sleep 60\n'
            "exit ${code:-0}",
            "sleep": 'echo "sleep $1" >>log; echo $(($(cat clock) + $1)) >clock',
            "date": 'if [ "$1" = -r ]; then [ -e "$2" ] && cat last; else cat clock; fi',
        }.items():
            (folder / name).write_text(f"#!/bin/sh\ncd {folder}\n{lines}\n")
            (folder / name).chmod(0o755)
        (folder / "state").mkdir()
        (folder / "clock").write_text(f"{now}\n")

    def start(self, verb, codes, last=None):
        (self.folder / "codes").write_text("".join(f"{code}\n" for code in codes))
        if last is not None:
            (self.folder / "last").write_text(f"{last}\n")
            (self.folder / "state/status.json").touch()
        shell = ["busybox", "ash"] if shutil.which("busybox") else ["sh"]
        return subprocess.Popen(
            [
                *shell,
                PACKAGING / "rekey-loop",
                "scoring",
                self.folder / "state",
                verb,
                "--name",
                "x",
            ],
            env={"PATH": f"{self.folder}:{os.environ['PATH']}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def log(self):
        path = self.folder / "log"
        return path.read_text().splitlines() if path.exists() else []

    def runs(self):
        return [int(line.split()[1]) for line in self.log() if line.startswith("run")]

    def wait_for(self, what, number):
        deadline = time.monotonic() + 30
        while len([line for line in self.log() if line.startswith(what)]) < number:
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.01)


NOW = 1_800_000_000


@pytest.mark.parametrize("verb, period", [("rotate", 86400), ("sync", 3600)])
def test_the_loop(tmp_path, verb, period):
    """It begins within ten minutes, retries what should be retried, and then runs at its own
    time."""
    loop = Loop(tmp_path, NOW)
    codes = [12, 10, 13, 143, 0, 2, 11, 0]
    process = loop.start(verb, codes)
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    runs = loop.runs()
    assert f"{verb} --state {tmp_path}/state --name x" in loop.log()[1]
    assert 0 <= runs[0] - NOW < 600
    assert [b - a for a, b in zip(runs[:4], runs[1:5])] == [600, 600, 600, 600]
    waits = [b - a for a, b in zip(runs[5:], runs[6:])]
    assert waits and set(waits) == {period} and 0 < runs[5] - runs[4] <= period
    told = [int(code) for code in re.findall(r"ended with exit code (\d+)", text)]
    assert told[: len(codes)] == codes
    assert max(int(line.split()[1]) for line in loop.log() if line.startswith("sleep")) <= 600


def test_the_loop_remembers_the_last_run(tmp_path):
    """After a restart it waits for its time; a missed run is made up for."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    early, late = Loop(tmp_path / "a", NOW), Loop(tmp_path / "b", NOW)
    early.start("rotate", [], last=NOW - 10).communicate(timeout=60)
    late.start("rotate", [], last=NOW - 2 * 86400).communicate(timeout=60)
    assert 0 <= late.runs()[0] - NOW < 600
    assert NOW < early.runs()[0] <= NOW - 10 + 86400 + 600


def test_the_loop_is_told_to_end(tmp_path):
    """The run in progress gets the signal as well."""
    loop = Loop(tmp_path, NOW)
    process = loop.start("rotate", ["hang"])
    loop.wait_for("run", 1)
    process.terminate()
    text, _ = process.communicate(timeout=30)
    assert process.returncode == 0 and len(loop.runs()) == 1


def test_the_loop_is_told_to_run(tmp_path):
    """USR1 ends the wait, and does not disturb a run in progress."""
    loop = Loop(tmp_path, NOW)
    (tmp_path / "sleep").write_text(
        f'#!/bin/sh\ncd {tmp_path}\necho "sleep $1" >>log\nexec /bin/sleep 300\n'
    )
    process = loop.start("rotate", [0, "hang"], last=NOW)
    for number in (1, 2):
        loop.wait_for("sleep", number)
        process.send_signal(signal.SIGUSR1)
        loop.wait_for("run", number)
    process.send_signal(signal.SIGUSR1)
    process.terminate()
    text, _ = process.communicate(timeout=30)
    assert process.returncode == 0 and "exit code 0" in text and len(loop.runs()) == 2


# ---- the same bytes anywhere ---------------------------------------------------------------------


def date_of(folder, **env):
    return make("--eval=date: ; @echo $(SOURCE_DATE_EPOCH)", "date", cwd=folder, env=env).strip()


def git(*arguments, cwd, **env):
    names = ["-c", "user.name=x", "-c", "user.email=x@x.invalid"]
    return run("git", *names, *arguments, cwd=cwd, env=env).strip()


def unpack_tarball(folder):
    tarball = ROOT / make("dist").strip()
    folder.mkdir(parents=True)
    run("tar", "-C", folder, "--strip-components=1", "-xf", tarball)
    return folder


def test_the_tarball_knows_its_date(tmp_path):
    """Also if it is unpacked inside another repository and committed there."""
    if not (ROOT / ".git").exists():
        pytest.skip("takes a repository")
    ours = git("log", "-1", "--format=%ct", cwd=ROOT)
    assert date_of(ROOT) == ours
    folder = unpack_tarball(tmp_path / "vendor/rekey")
    assert date_of(folder) == ours
    git("init", "-q", cwd=tmp_path)
    git("add", ".", cwd=tmp_path)
    git("commit", "-qm", "x", cwd=tmp_path, GIT_COMMITTER_DATE="1500000000 +0000")
    assert git("log", "-1", "--format=%ct", cwd=folder) == "1500000000"
    assert date_of(folder) == ours
    assert date_of(folder, SOURCE_DATE_EPOCH="1600000000") == "1600000000"


def digests(folder):
    return {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in installed(folder)
    }


@takes_minutes
def test_the_same_bytes(tmp_path):
    """Of the dynamic command with its archives, and of the package: in another directory, with
    another umask, time zone and locale, from a tarball and from a clone."""
    places = [tmp_path / "a", tmp_path / "a directory of another length".replace(" ", "-")]
    git("clone", "-q", ROOT, places[0], cwd=tmp_path)
    unpack_tarball(places[1])
    circumstances = [{"TZ": "UTC", "LC_ALL": "C"}, {"TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8"}]
    found = []
    for place, umask, env in zip(places, (0o022, 0o077), circumstances):
        (place / "build").mkdir(exist_ok=True)
        (place / "build/deps").symlink_to(DEPS)
        old = os.umask(umask)
        try:
            make("install", f"DESTDIR={place}/build/out", cwd=place, env=env)
            make("deb-one", "BOARD=linux-musl", cwd=place, env=env)
        finally:
            os.umask(old)
        command = place / "build/linux-musl/rekey"  # with its debugging information
        found.append(
            {
                **digests(place / "build/out"),
                **digests(place / "build/deb"),
                "static": hashlib.sha256(command.read_bytes()).hexdigest(),
            }
        )
    assert found[0] == found[1]
    assert len([name for name in found[0] if name.endswith((".a", ".deb", "bin/rekey"))]) == 4


# ---- hardening -----------------------------------------------------------------------------------


def hardening(command):
    """The hardening that a command has: PIE, RELRO, BIND_NOW, a stack protector, fortified
    functions."""
    head = run("readelf", "-hldsW", command)
    return {
        "pie": bool(re.search(r"Type: +DYN", head)),
        "relro": "GNU_RELRO" in head,
        "now": "BIND_NOW" in head or re.search(r"FLAGS_1.*NOW", head) is not None,
        "canary": "__stack_chk_fail" in head,
        "fortify": re.search(r"__\w+_chk\b", head.replace("__stack_chk", "")) is not None,
    }


@takes_minutes
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_flags_of_a_distribution(tmp_path, compiler):
    """The code compiles with them without a warning, and the command has the properties that they
    ask for."""
    if not shutil.which(compiler):
        pytest.skip(f"there is no {compiler}")
    flags = ["-O2", "-g", "-fPIE", "-fstack-protector-strong", "-fstack-clash-protection"]
    flags += ["-Wformat", "-Werror=format-security"]
    if platform.machine() == "x86_64":
        flags.append("-fcf-protection")
    make(
        "all",
        f"B={tmp_path}/build",
        f"CC={compiler}",
        f"CFLAGS={' '.join(flags)}",
        "CPPFLAGS=-D_FORTIFY_SOURCE=3",
        "LDFLAGS=-pie -Wl,-z,relro -Wl,-z,now",
    )
    command = tmp_path / "build/rekey"
    assert run(command, "--version").startswith(f"rekey {VERSION}")
    assert all(hardening(command).values()), hardening(command)


STATIC = ROOT / "build/linux-musl/rekey"


@takes_minutes
def test_the_static_command_is_hardened():
    """docs/security.md says which boards are; this test uses one for this machine's
    architecture."""
    if not STATIC.exists():
        pytest.skip("make BOARD=linux-musl")
    found = hardening(STATIC)
    assert found["pie"] and found["relro"] and found["now"] and found["canary"], found
    assert "INTERP" not in run("readelf", "-lW", STATIC)


@takes_minutes
def test_the_tables_of_the_static_command_are_read_only(tmp_path):
    """In the running program, the segment is read-only up to its last complete page."""
    if not STATIC.exists() or os.getuid() != 0:
        pytest.skip("make BOARD=linux-musl, and root, who sees a process that is not dumpable")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    begin, size = (
        int(word, 16)
        for word in re.search(
            r"GNU_RELRO +\S+ +(\S+) +\S+ +\S+ +(\S+)", run("readelf", "-lW", STATIC)
        ).groups()
    )
    process = subprocess.Popen(
        [STATIC, "token", "--token-file", pipe], stderr=subprocess.DEVNULL, env=ENVIRONMENT
    )
    try:
        with open(f"/proc/{process.pid}/maps") as maps:
            deadline = time.monotonic() + 30
            while True:  # until the program has begun
                maps.seek(0)
                lines = [line.split() for line in maps if str(STATIC) in line]
                ranges = [
                    (*(int(end, 16) for end in line[0].split("-")), line[1]) for line in lines
                ]
                base = min((first for first, _, _ in ranges), default=0)
                page = os.sysconf("SC_PAGESIZE")
                last = (base + begin + size) // page * page - 1
                modes = {mode for first, end, mode in ranges if first <= last < end}
                if modes == {"r--p"}:
                    break
                assert time.monotonic() < deadline and process.poll() is None, ranges
                time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
