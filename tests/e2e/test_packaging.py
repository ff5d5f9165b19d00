"""What distributions are given: the licences, the bill of materials, the recipes, builds with their
flags, and a build that gives the same bytes anywhere.

`make check-install` runs these; what takes minutes is skipped elsewhere.
"""

import fnmatch
import hashlib
import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from conftest import BUILD, ENVIRONMENT, EXEC, ROOT, SANITIZED

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
    """The version and the sum of a source in boards/deps.sh, without Debian's revision."""
    row = re.search(rf"^ +{name} +(\S+) +(\w+) ", DEPS_TABLE, re.M)
    return row[1].split("-")[0], row[2]


def run(*arguments, code=0, env=None, **more):
    """Runs a program; standard error comes with standard output."""
    result = subprocess.run(
        [str(each) for each in arguments],
        env={**ENVIRONMENT, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        **more,
    )
    assert result.returncode == code, f"{arguments}: {result.returncode}\n{result.stdout}"
    return result.stdout


def make(*arguments, cwd=ROOT, env=None):
    """The sources of the libraries are those of this tree, or the caller's."""
    given = {name: value for name, value in os.environ.items() if name.endswith("_DIR")}
    return run(
        "make", "--no-print-directory", "-s", *arguments, cwd=cwd, env={**given, **(env or {})}
    )


def installed(folder):
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if not each.is_dir())


def takes_minutes(test):
    return pytest.mark.skipif(
        "REKEY_DEB" not in os.environ, reason="takes minutes: make check-install"
    )(test)


# ---- licences ------------------------------------------------------------------------------------


def words(text):
    """Without what differs from one comment to another: its margin and its quotation marks."""
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
    """Of each file of it that the linker took, as Debian's copyright file has it."""
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
    for member in members:  # libc_string_strchr.c, or memchr.c of the architecture
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
    """{name: version} of what the program is linked with, and what must be so in any document."""
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
    """It names what `rekey --version` and Static-Built-Using do."""
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
    """Also where it is unpacked inside of another repository, and is committed there."""
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
    another umask, time zone and locale, of a tarball and of a clone."""
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
