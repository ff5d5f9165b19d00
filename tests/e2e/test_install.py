"""The results of `make install` and `make deb`: units, man pages, completion, the library,
packages.

`make check-install` makes the packages, installs the tools, and runs these tests; in `make e2e` the
tests that lack a tool or a package are skipped. No package is installed on this machine, and no
daemon is started.
"""

import grp
import os
import re
import shutil
import tempfile
from pathlib import Path

import help_pages
import pytest
from conftest import CERTS, GROUP, REKEY, ROOT, SUBSCRIPTION, TOKEN, WORKSPACE
from making import (  # noqa: F401 (a fixture)
    FOR_THIS_MACHINE,
    MADE,
    TAKES_A_WHILE,
    make,
    need,
    prefix,
    run,
)

pytestmark = FOR_THIS_MACHINE
PACKAGES = sorted((ROOT / os.environ.get("REKEY_DEB", "none")).glob("*.deb"))


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


# ---- the tree ------------------------------------------------------------------------------------


def test_install_with_destdir_and_uninstall(tmp_path):
    where = [f"DESTDIR={tmp_path}", "PREFIX=/usr"]
    make("install", *where)
    there = files(tmp_path)
    assert all(name.startswith("usr/") for name in there)
    for name in (
        "bin/rekey",
        "include/rekey/rekey.h",
        "lib/librekey.a",
        "lib/librekey-tls.a",
        "lib/pkgconfig/rekey.pc",
        "lib/pkgconfig/rekey-core.pc",
        "lib/systemd/system/rekey-rotate@.service",
        "lib/sysusers.d/rekey.conf",
        "share/bash-completion/completions/rekey",
        "share/man/man1/rekey.1",
        "share/man/man3/librekey.3",
    ):
        assert f"usr/{name}" in there
    for path in tmp_path.rglob("*"):  # no path of the build, and no @NAME@ without its value
        if path.suffix in (".service", ".timer", ".pc", ".h", ".conf"):
            text = path.read_text()
            assert str(tmp_path) not in text and str(ROOT) not in text
            assert not re.search(r"@[A-Z]+@", text), path
    other = tmp_path / "usr/bin/other"
    other.touch()
    make("uninstall", *where)
    assert files(tmp_path) == ["usr/bin/other"]


def test_the_makefile_lists_the_verbs():
    text = make("help")
    for verb in ("install", "uninstall", "deb", "dist", "check-install"):
        assert re.search(rf"^  {verb} ", text, re.M), verb


# ---- systemd -------------------------------------------------------------------------------------


@pytest.fixture
def instances(prefix, tmp_path):
    """The units and the examples, each as an instance: systemd-analyze does not check a template
    completely."""
    need("systemd-analyze")
    examples = prefix / "share/doc/rekey/examples"
    for path in [*prefix.glob("lib/systemd/system/*"), *examples.glob("*@.*")]:
        shutil.copy(path, tmp_path / path.name)
        shutil.copy(path, tmp_path / path.name.replace("@.", "@scoring."))
    return tmp_path


def verify(prefix, folder):
    manual = [] if shutil.which("man") else ["--man=no"]
    return run(
        "systemd-analyze",
        "verify",
        *manual,
        *sorted(folder.glob("*@scoring.*[a-z]")),
        env={"MANPATH": str(prefix / "share/man"), "SYSTEMD_UNIT_PATH": f"{folder}:"},
    )


def test_units(prefix, instances):
    assert verify(prefix, instances) == ""


@pytest.mark.parametrize("name", ["arc", "certificate", "metrics", "proxy", "secret"])
def test_drop_ins(prefix, instances, name):
    """One directory applies to rotate, sync and check, but not to endpoint-key@.service."""
    folder = instances / "rekey-@.service.d"
    folder.mkdir()
    drop_in = folder / f"{name}.conf"
    shutil.copy(prefix / f"share/doc/rekey/examples/{name}.conf", drop_in)
    assert verify(prefix, instances) == ""
    drop_in.write_text("[Service]\nNoSuchSetting=yes\n")
    assert verify(prefix, instances).count("NoSuchSetting") == 3


@pytest.mark.parametrize("verb", ["rotate", "sync", "check"])
def test_sandbox(instances, verb):
    text = run(
        "systemd-analyze",
        "security",
        "--offline=yes",
        "--threshold=19",  # of 100: below 2.0
        instances / f"rekey-{verb}@scoring.service",
    )
    assert float(re.search(r"exposure level for .*: ([\d.]+)", text)[1]) < 2.0


def calls_of(name):
    """The system calls of one of systemd's sets."""
    calls = set()
    for line in run("systemd-analyze", "syscall-filter", name).splitlines()[1:]:
        word = line.strip()
        if word.startswith("@"):
            calls |= calls_of(word)
        elif word and not word.startswith("#"):
            calls.add(word)
    return calls


def command_of(unit, state, **variables):
    """The words of a unit's ExecStart, as systemd makes them; the group of the key file is the
    test's."""
    text = unit.read_text()
    values = dict(re.findall(r"(?:^Environment=| )(REKEY_\w+)=(\S*)(?= |$)", text, re.M))
    values |= variables
    words = []
    for word in re.search(r"^ExecStart=(.*)", text, re.M)[1].split():
        if re.fullmatch(r"\$\w+", word):  # may be several words, or none
            words += values[word[1:]].split()
        else:
            word = re.sub(r"\$\{(\w+)\}", lambda match: values[match[1]], word)
            words.append(word.replace("%S/rekey/%i", str(state)))
    words[words.index("rekey-key")] = grp.getgrgid(os.getgid()).gr_name
    assert not [word for word in words if "%" in word or "$" in word]
    return words


@pytest.mark.parametrize("verb", ["rotate", "sync"])
def test_the_command_of_the_unit_and_its_sandbox(arm, rekey, prefix, tmp_path, verb):
    """The line works without changes, and the unit allows every system call in it."""
    need("strace", "systemd-analyze")
    unit = prefix / f"lib/systemd/system/rekey-{verb}@.service"
    allowed = set()
    for line in re.findall(r"^SystemCallFilter=(.*)", unit.read_text(), re.M):
        named = set().union(*(calls_of(each) for each in line.strip("~").split()))
        allowed = allowed - named if line.startswith("~") else allowed | named
    name = arm.endpoint()
    options = rekey.options(name)
    place = dict(zip(options[4::2], options[5::2]))
    environment = {
        "AZURE_SUBSCRIPTION_ID": place["--subscription"],
        "AZURE_DEFAULTS_GROUP": place["-g"],
        "AZURE_DEFAULTS_WORKSPACE": place["-w"],
        "REKEY_MANAGEMENT_URL": arm.url(),
        "SSL_CERT_FILE": str(CERTS / "ca-all.pem"),
    }
    state = tmp_path / "state"
    state.mkdir()
    keys, seen = arm.keys(name), set()
    for more in ({}, {"REKEY_MIN_AGE": "0"}):  # reads the primary key; rotates, or keeps it
        command = command_of(
            unit,
            state,
            REKEY_ENDPOINT_NAME=name,
            REKEY_OPTIONS="--volatile-ok --exec /bin/true",
            **({"REKEY_ROTATE_OPTIONS": "--settle 0"} if verb == "rotate" else {}),
            **more,
        )
        assert command[0] == str(prefix / "bin/rekey")
        rekey.run(
            *command[1:],
            code=0,
            env=environment,
            prefix=["strace", "-f", "-qq", "-o", tmp_path / "trace"],
        )
        seen |= set(re.findall(r"^\d+ +(\w+)\(", (tmp_path / "trace").read_text(), re.M))
    assert {"connect", "execve", "fsync", "fchown"} <= seen and seen <= allowed, seen - allowed
    after = arm.keys(name)
    assert (after == keys) == (verb == "sync")
    assert (state / "key").read_text() == after["primaryKey" if verb == "sync" else "secondaryKey"]


def seconds(text):
    units = {"": 1, "s": 1, "min": 60, "h": 3600, "d": 86400}
    number, unit = re.fullmatch(r"(\d+)([a-z]*)", text).groups()
    return int(number) * units[unit]


def setting(path, name):
    (value,) = re.findall(rf"^{name}=(.*)$", path.read_text(), re.M)
    return value


def test_the_units_wait_long_enough(prefix):
    units = prefix / "lib/systemd/system"
    timeout, hook = help_pages.default("timeout"), help_pages.default("exec-timeout")
    settle = help_pages.default("settle")
    rotate = 5 * timeout + 120 + settle + hook  # docs/rotation.md; test_longest_run in tests/unit
    sync = 2 * timeout + settle + hook
    assert seconds(setting(units / "rekey-rotate@.service", "TimeoutStartSec")) > rotate
    assert seconds(setting(units / "rekey-sync@.service", "TimeoutStartSec")) > sync


def test_what_is_tried_again(prefix):
    """Every failure that may have passed by the next run, and no other; no start is ever
    refused."""
    codes = set(re.findall(r"^ +(\d+) ", help_pages.page("exit-codes"), re.M))
    for unit in prefix.glob("lib/systemd/system/*.service"):
        assert setting(unit, "StartLimitIntervalSec") == "0"
        if "check" not in unit.name:
            prevented = setting(unit, "RestartPreventExitStatus").split()
            assert {code for code in prevented if code.isdigit()} == codes - {"0", "10", "12", "13"}
            assert {"CREDENTIALS", "EXEC", "GROUP", "USER"} <= set(prevented)


def test_sync_runs_twice_within_the_minimum_age(prefix):
    units = prefix / "lib/systemd/system"
    assert setting(units / "rekey-sync@.timer", "OnCalendar") == "hourly"
    longest = 3600 + seconds(setting(units / "rekey-sync@.timer", "RandomizedDelaySec"))
    (age,) = re.findall(r"REKEY_MIN_AGE=(\d+)", (units / "rekey-rotate@.service").read_text())
    assert 2 * longest < min(int(age), help_pages.default("min-age"))


def test_the_units_give_options_that_exist(prefix):
    known = [option for command in help_pages.commands() for option in help_pages.options(command)]
    for path in [
        *prefix.glob("lib/systemd/system/*.service"),
        *prefix.glob("share/doc/rekey/examples/*.conf"),
    ]:
        text = re.sub(r"^# .*", "", path.read_text(), flags=re.M)
        for option in re.findall(r" (--[a-z-]+)", text):
            assert any(each.endswith(option) for each in known), f"{path}: {option}"


def test_the_example_configuration_names_variables_that_exist(prefix):
    example = (prefix / "share/doc/rekey/examples/endpoint.conf").read_text()
    known = "".join(
        path.read_text()
        for path in [
            *prefix.glob("share/man/man1/*"),
            *prefix.glob("lib/systemd/system/*.service"),
            *prefix.glob("share/doc/rekey/examples/*.service"),
        ]
    )
    names = re.findall(r"^#?([A-Z_]+)=", example, re.M)
    assert len(names) > 8 and [name for name in names if not re.search(rf"\b{name}\b", known)] == []


def test_the_user_and_the_group(prefix, tmp_path):
    need("systemd-sysusers")
    (tmp_path / "etc").mkdir()
    run("systemd-sysusers", f"--root={tmp_path}", prefix / "lib/sysusers.d/rekey.conf")
    (user,) = re.findall(r"^rekey:.*", (tmp_path / "etc/passwd").read_text(), re.M)
    assert user.split(":")[5] == "/var/lib/rekey" and user.endswith("/nologin")
    assert re.search(r"^rekey-key:x:\d+:$", (tmp_path / "etc/group").read_text(), re.M)


# ---- man pages, completion -----------------------------------------------------------------------


def test_man_pages_are_silent(prefix, namespace):
    """For references, mandoc looks only in the system's own directory of pages."""
    need("mandoc", "makewhatis")
    pages = prefix / "share/man"
    run("makewhatis", pages)
    mount = namespace("m", f"mount --bind '{pages}' /usr/share/man")
    assert run(*mount, "mandoc", "-Tlint", *pages.glob("man?/*")) == ""


def sections(text, heading):
    """{heading of a subsection: its text} of a section of the manual."""
    section = text.split(f"\n.Sh {heading}\n")[1].split("\n.Sh ")[0]
    parts = re.split(r"^\.Ss (.+)\n", section, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def described(section):
    """{option: the text after it} in a section of the manual."""
    options = {}
    for part in re.split(r"^\.It ", section, flags=re.M)[1:]:
        short, name = re.match(r"Fl (?:(\w) , Fl )?-([a-z-]+)", part).groups()
        options[f"-{short}, --{name}" if short else f"--{name}"] = part
    return options


def excepted(text, command):
    """Whether an option of a common section does not apply to this command."""
    for word, named in re.findall(r"^(Only|Not) with\n(.*?) \.$", text, re.M | re.S):
        commands = re.findall(r"[a-z-]+", re.sub(r"\.Cm|\band\b", "", named))
        assert set(commands) <= set(help_pages.commands()), named
        if (command in commands) == (word == "Not"):
            return True
    return False


def read_manual(text):
    """{command: its options}: its own, and those of the sections to which it refers."""
    common = {name: described(section) for name, section in sections(text, "OPTIONS").items()}
    found = {}
    for command, section in sections(text, "COMMANDS").items():
        found[command] = list(described(section))
        for name in re.findall(r"^\.Sx (.+ options)", section, re.M):
            found[command] += [
                option for option, each in common[name].items() if not excepted(each, command)
            ]
    return found


def test_the_manual_has_the_options_of_the_help(prefix):
    """Command by command."""
    found = read_manual((prefix / "share/man/man1/rekey.1").read_text())
    assert found.pop("help") == []
    assert list(found) == help_pages.commands()
    for command, options in found.items():
        assert sorted(options) == help_pages.options(command), command


def test_the_manual_has_the_variables_of_the_configuration(prefix):
    """Those in the example, in its section about that file."""
    text = (prefix / "share/man/man1/rekey.1").read_text()
    section = text.split("\n.Sh CONFIGURATION FILE\n")[1].split("\n.Sh ")[0]
    names = " ".join(re.findall(r"^\.It Ev (.*)", section, re.M))
    example = (prefix / "share/doc/rekey/examples/endpoint.conf").read_text()
    assert sorted(re.findall(r"[A-Z_]{5,}", names)) == sorted(re.findall(r"^#?([A-Z_]+)=", example, re.M))


def test_the_examples_of_the_manual_are_command_lines(prefix, rekey):
    """Their options are those of the command, and their values are valid: the only error is the one
    that the test adds."""
    text = (prefix / "share/man/man1/rekey.1").read_text()
    examples = text.split("\n.Sh EXAMPLES\n")[1].split("\n.Sh ")[0].replace("\\e\n", "")
    lines = re.findall(r"(?:^|\()rekey (.*?)\)?$", examples, re.M)
    assert len(lines) > 5
    for line in lines:
        arguments = line.replace("/usr/local/bin/reload-scoring", "/bin/true").split()
        names = ", ".join(help_pages.options(arguments[0])).split(", ")
        assert [each for each in arguments if each[0] == "-" and each not in names] == [], line
        rekey.run(*arguments, "--output", "x", code=2).says("--output 'x'")


def test_the_manual_has_the_exit_codes_of_the_help(prefix):
    codes = re.findall(r"^ +(\d+) ", help_pages.page("exit-codes"), re.M)
    text = (prefix / "share/man/man1/rekey.1").read_text()
    assert len(codes) == 9 and re.findall(r"^\.It (\d+)$", text, re.M) == codes


@pytest.fixture
def complete(prefix):
    """The words that the completion offers after the words of a command line."""
    need("bash")

    def run_rule(*words):
        script = (
            '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _rekey; '
            'printf "%s\\n" "${COMPREPLY[@]}"'
        )
        rule = prefix / "share/bash-completion/completions/rekey"
        return sorted(run("bash", "-ec", script, "bash", rule, REKEY, *words).split())

    return run_rule


def test_completion_offers_the_options_of_the_command(complete):
    for command in help_pages.commands():
        long_names = sorted(each.split(", ")[-1] for each in help_pages.options(command))
        assert complete(command, "--") == long_names, command
    general = sorted(
        each.split(", ")[-1] for each in help_pages.options_of(help_pages.page("output"))
    )
    assert complete("--") == general


def test_completion(complete):
    verbs = help_pages.commands()
    assert complete("") == sorted([*verbs, "help"])
    assert complete("help", "") == sorted([*verbs, *help_pages.topics()])
    assert complete("-q", "reg") == ["regenerate"]
    assert complete("wait", "--no-wait", "reg") == []
    assert complete("list-keys", "--key-type", "") == ["primary", "secondary"]
    assert complete("list-keys", "-o", "j") == ["json"]
    assert complete("token", "--ca-file", f"{CERTS}/ca-a") == [str(CERTS / "ca-all.pem")]
    assert complete("rotate", "--timeout", "") == []
    rule = re.search(r"--auth KIND +(.*?);", help_pages.page("identity"), re.S)[1]
    assert complete("token", "--auth", "") == sorted(re.findall(r"\w+", rule.replace(" or", " ")))


# ---- from the source ----------------------------------------------------------------------------


@TAKES_A_WHILE
def test_the_tarball_builds_with_what_the_recipes_give(tmp_path):
    """As the recipes build: variables on the command line, sources from elsewhere, no git."""
    need("gcc", "git")
    tarball = ROOT / make("dist").strip()
    run("tar", "-C", tmp_path, "--strip-components=1", "-xf", tarball)
    deps = ROOT / "build/deps"
    sources = {name: MADE.get(f"{name}_DIR") or deps / name.lower() for name in ("MBEDTLS", "JSMN")}
    variables = [
        *(f"{name}_DIR={path}" for name, path in sources.items()),
        "CC=gcc",
        "CFLAGS=-O0",
        "CPPFLAGS=-D_LARGEFILE_SOURCE",
        "LDFLAGS=-Wl,-O1",
        "AR=ar",
        "PREFIX=/usr",
        "LIBDIR=/usr/lib64",
    ]
    nothing = {"GIT_DIR": "/dev/null", "SOURCE_DATE_EPOCH": "1700000000"}
    run("make", "-s", "-j2", *variables, env=nothing, cwd=tmp_path)
    for verb, root in (("install-command", "target"), ("install-library", "staging")):
        run("make", "-s", verb, f"DESTDIR={tmp_path}/{root}", *variables, env=nothing, cwd=tmp_path)
    assert "(linux)" in run(tmp_path / "target/usr/bin/rekey", "--version")
    assert not list((tmp_path / "target").rglob("*.a"))
    assert (tmp_path / "staging/usr/lib64/librekey.a").exists()
    assert "libdir=/usr/lib64" in (tmp_path / "staging/usr/lib64/pkgconfig/rekey.pc").read_text()


# ---- packages ------------------------------------------------------------------------------------


def packages(test):
    if not PACKAGES:
        return pytest.mark.skip(reason="make check-install makes the packages")(test)
    return pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.stem)(test)


@packages
def test_lintian(package):
    need("lintian")
    lintian = ["lintian", "--allow-root", "--display-info", "--pedantic", "--fail-on", "none"]
    assert run(*lintian, package) == ""
    text = run(*lintian, "--show-overrides", package)
    static = "statically-linked-binary"  # static-pie is mistaken for something else
    if not package.stem.endswith("_armhf"):
        static = "shared-library-lacks-prerequisites"
    expected = {"initial-upload-closes-no-bugs", "unknown-field", static}
    assert set(re.findall(r"^O: rekey: ([a-z-]+)", text, re.M)) == expected, text


@packages
def test_what_is_in_a_package(package, tmp_path):
    run("dpkg-deb", "-R", package, tmp_path)
    sums = (tmp_path / "DEBIAN/md5sums").read_text()
    run("md5sum", "-c", "--quiet", "DEBIAN/md5sums", cwd=tmp_path)
    named = {line.split("  ", 1)[1] for line in sums.splitlines()}
    there = {name for name in files(tmp_path) if not name.startswith("DEBIAN/")}
    assert named == there and "usr/bin/rekey" in there
    assert not [name for name in there if not name.startswith("usr/")]
    doc = tmp_path / "usr/share/doc/rekey"
    for page in ("gateway.md", "troubleshooting.md"):
        links = re.findall(r"\]\(([^)#:]+)", (doc / page).read_text())
        assert links and [link for link in links if not (doc / link).exists()] == [], page
    guide = (doc / "gateway.md").read_text()
    units = "".join(path.read_text() for path in tmp_path.glob("usr/lib/systemd/system/*"))
    for name in set(re.findall(r"/(usr/(?:share|lib)/[\w./@*-]*[\w*])", guide + units)):
        assert list(tmp_path.glob(name)), name
    owners = {line.split()[1] for line in run("dpkg-deb", "-c", package).splitlines()}
    assert owners == {"root/root"}
    architecture = run("dpkg-deb", "-f", package, "Architecture").strip()
    machine = {"amd64": "X86-64", "arm64": "AArch64", "armhf": "ARM"}[architecture]
    head = run("readelf", "-hlW", tmp_path / "usr/bin/rekey")
    assert re.search(rf"Machine: .*{machine}", head) and "INTERP" not in head


# An armhf root with the package; of this machine it has only the emulator and trust anchors.


@pytest.fixture
def armhf(tmp_path, namespace):
    """A function that runs the package's command in that root."""
    need("qemu-arm-static")
    package = [path for path in PACKAGES if path.stem.endswith("_armhf")]
    if not package:
        pytest.skip("make check-install makes the packages")
    run("dpkg-deb", "-x", package[0], tmp_path)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/hosts").write_text("127.0.0.1 localhost\n")
    (tmp_path / "dev").mkdir()
    shutil.copy(shutil.which("qemu-arm-static"), tmp_path / "qemu")
    shutil.copy(CERTS / "ca-all.pem", tmp_path / "etc/ca.pem")
    chroot = [*namespace("m", ""), "chroot", tmp_path, "/qemu", "/usr/bin/rekey"]

    def command(*arguments, **more):
        return run(*chroot, *arguments, **more)

    command.root = tmp_path
    return command


def test_the_armhf_package_runs(armhf):
    text = armhf("--version")
    assert text.startswith("rekey ") and "(linux-armhf)" in text


def test_the_armhf_package_rotates(arm, armhf):
    name = arm.endpoint("three-polls")
    arguments = [
        "rotate",
        "--state",
        "/var/lib/rekey/scoring",
        "--volatile-ok",  # the test's directory may be anywhere
        "--management-url",
        arm.url(),
        "--ca-file",
        "/etc/ca.pem",
        "--subscription",
        SUBSCRIPTION,
        "-g",
        GROUP,
        "-w",
        WORKSPACE,
        "-n",
        name,
        "--settle",
        "0",
        "--min-age",
        "0",
    ]
    state = armhf.root / "var/lib/rekey/scoring"
    state.mkdir(parents=True, mode=0o750)
    before = arm.keys(name)
    armhf(*arguments, env={"AZURE_ACCESS_TOKEN": TOKEN})
    assert (state / "key").read_text() == before["primaryKey"]  # adopted
    armhf(*arguments, env={"AZURE_ACCESS_TOKEN": TOKEN})
    after = arm.keys(name)
    assert after["primaryKey"] == before["primaryKey"]
    assert (state / "key").read_text() == after["secondaryKey"] != before["secondaryKey"]


# ---- who can read the key ------------------------------------------------------------------------


def test_the_group_of_the_key_file(arm, rekey):
    """The directory as systemd makes it (0750, of the group), the file as rekey makes it."""
    if os.getuid() != 0:
        pytest.skip("requires root to be other users")
    need("setpriv")
    group = next(each for each in grp.getgrall() if 0 < each.gr_gid < 60000)
    name = arm.endpoint()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        state = Path(folder) / "scoring"
        state.mkdir()
        os.chown(state, 0, group.gr_gid)
        os.chmod(state, 0o750)
        rekey.run(
            "rotate",
            "--state",
            state,
            "--volatile-ok",
            "--key-group",
            group.gr_name,
            *rekey.options(name),
            code=0,
        )

        def cat(file, *groups, code=0):
            user = ["setpriv", "--reuid=65534", "--regid=65534", *groups]
            return run(*user, "cat", state / file, code=code)

        assert cat("key", f"--groups={group.gr_gid}") == arm.keys(name)["primaryKey"]
        assert "Permission denied" in cat("key", "--clear-groups", code=1)
        assert oct((state / "key").stat().st_mode) == "0o100640"
        for path in state.iterdir():  # the group cannot read the other secrets
            assert path.name in ("key", "status.json") or path.stat().st_mode & 0o077 == 0, path
