"""The container image of `make image`: its content, that two builds give the same bytes, and a
rotation in it as a container engine would run it. `make check-install` makes the image and runs
these tests."""

import calendar
import json
import os
import platform
import shutil
import subprocess
import time

import container
import pytest
from conftest import CERTS, ENVIRONMENT, GROUP, PROVIDER, ROOT, SUBSCRIPTION, TOKEN, WORKSPACE

ARCHIVE = os.environ.get("REKEY_IMAGE", "")
pytestmark = [
    pytest.mark.skipif(not ARCHIVE, reason="of the image that `make check-install` makes"),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="of the image for amd64"),
]
USER = 65532
STATE = "/var/lib/rekey"


@pytest.fixture(scope="module")
def archive():
    return container.Archive(ROOT / ARCHIVE)


@pytest.fixture
def root(tmp_path):
    """The root directory of the image, if runc can run it."""
    container.need(ARCHIVE, tmp_path)
    return tmp_path / "root"


def test_what_is_in_it(archive, tmp_path):
    assert sorted(archive.platforms) == ["linux/amd64", "linux/arm/v7", "linux/arm64"]
    for name, magic in (("linux/amd64", 62), ("linux/arm64", 183), ("linux/arm/v7", 40)):
        config, (layer,) = archive.image(name)
        assert {"os": "linux", "architecture": name.split("/")[1]}.items() <= config.items()
        assert config["config"]["User"] == f"{USER}:{USER}"
        labels = config["config"]["Labels"]
        assert (
            labels["org.opencontainers.image.version"]
            == archive.tag["annotations"]["org.opencontainers.image.ref.name"]
        )
        entries = {each.name: each for each in layer}
        assert [each for each in entries if entries[each].isfile()] == [
            "etc/ssl/certs/ca-certificates.crt",
            "usr/bin/rekey",
            "usr/share/doc/rekey/NOTICE",
        ]
        command = layer.extractfile("usr/bin/rekey").read()
        assert int.from_bytes(command[18:20], "little") == magic  # e_machine
        for text in (
            b"Apache License",
            b"Serge Zaitsev",
            b"Rich Felker",
            b"The Android Open Source Project",
        ):
            assert text in layer.extractfile("usr/share/doc/rekey/NOTICE").read()
        bundle = layer.extractfile("etc/ssl/certs/ca-certificates.crt").read()
        assert (
            bundle.count(b"-----BEGIN CERTIFICATE-----\n")
            == bundle.count(b"-----END CERTIFICATE-----\n")
            > 100
        )
        for name, entry in entries.items():
            ours = name == STATE[1:]
            assert (entry.uid, entry.gid) == ((USER, USER) if ours else (0, 0)), name
            assert entry.mode & 0o7777 == (
                0o700 if ours else 0o644 if entry.isfile() and "bin" not in name else 0o755
            ), name


def test_skopeo_reads_it():
    """An independent program: it follows the index to each platform, and checks all digests."""
    if shutil.which("skopeo") is None:
        pytest.skip("there is no skopeo")
    for more in (["amd64"], ["arm64"], ["arm", "--override-variant", "v7"]):
        text = subprocess.run(
            [
                "skopeo",
                "--override-os",
                "linux",
                "--override-arch",
                *more,
                "inspect",
                f"oci-archive:{ROOT / ARCHIVE}",
            ],
            check=True,
            stdout=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
        ).stdout
        assert json.loads(text)["Architecture"] == more[0]


def test_two_builds_are_the_same(archive, tmp_path):
    """Another directory, another time, umask, time zone and language."""
    folder = tmp_path / "a-longer-name"
    (folder / "build").mkdir(parents=True)
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, stdout=subprocess.PIPE)
    deps = ROOT / os.environ.get("DEPS_DIR", "build/deps")
    # The specs of musl name its directory relative to the top directory.
    wanted = [*deps.glob("mbedtls*"), *deps.glob("jsmn*"), *deps.glob("musl-*")]
    subprocess.run(
        [
            "cp",
            "-a",
            "--parents",
            *names.stdout.decode().split(),
            *(each.relative_to(ROOT) for each in wanted),
            folder,
        ],
        cwd=ROOT,
        check=True,
    )
    created = archive.index["annotations"]["org.opencontainers.image.created"]
    seconds = calendar.timegm(time.strptime(created, "%Y-%m-%dT%H:%M:%SZ"))
    subprocess.run(
        ["sh", "-ec", f"umask 077; exec make image SOURCE_DATE_EPOCH={seconds}"],
        cwd=folder,
        env={**ENVIRONMENT, "TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8"},
        check=True,
        stdout=subprocess.DEVNULL,
        timeout=900,
    )
    (path,) = (folder / "build").glob("rekey-*.oci.tar")
    assert path.read_bytes() == (ROOT / ARCHIVE).read_bytes()
    shutil.rmtree(folder)


def test_a_rotation_in_it(archive, root, arm, tmp_path):
    """Read-only, as the image's user, with a state volume and another bundle of trust anchors."""
    name = arm.endpoint("three-polls")
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    os.chown(state, USER, USER)
    entry = archive.image("linux/amd64")[0]["config"]["Entrypoint"]
    env = {
        "AZURE_ACCESS_TOKEN": TOKEN,
        "REKEY_MANAGEMENT_URL": arm.url(),
        "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
        "AZURE_DEFAULTS_GROUP": GROUP,
        "AZURE_DEFAULTS_WORKSPACE": WORKSPACE,
    }
    mounts = [
        (state, STATE, False),
        (CERTS / "ca-all.pem", "/etc/ssl/certs/ca-certificates.crt", True),
    ]

    def run(*arguments):
        return container.Container(
            tmp_path, root, [*entry, *arguments], user=USER, env=env, mounts=mounts
        ).end()

    for turn in ("first", "second"):
        code, text = run(
            "rotate",
            "--state",
            STATE,
            "--volatile-ok",
            "--name",
            name,
            "--settle",
            "0",
            "--min-age",
            "0",
        )
        assert code == 0, text
    keys = arm.keys(name)
    assert keys["regenerated"] == ["Secondary"]
    assert (state / "key").read_text() == keys["secondaryKey"]
    assert (state / "key").stat().st_uid == USER
    code, text = run("status", "--state", STATE)
    assert code == 0 and "rotated" in text, text


def test_its_own_trust_anchors(archive, root, tmp_path, arm):
    """The command finds the bundle of the image, which does not have the stand-in's root."""
    entry = archive.image("linux/amd64")[0]["config"]["Entrypoint"]
    code, text = container.Container(
        tmp_path,
        root,
        [
            *entry,
            "list-keys",
            "--ids",
            f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/"
            f"{PROVIDER}/workspaces/{WORKSPACE}/onlineEndpoints/{arm.endpoint()}",
        ],
        user=USER,
        env={"AZURE_ACCESS_TOKEN": TOKEN, "REKEY_MANAGEMENT_URL": arm.url()},
    ).end()
    assert code == 11 and "no trust anchors" not in text, text
