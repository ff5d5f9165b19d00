"""A board's mandatory flags are separate from the user's CFLAGS: a toolchain from an SDK (CC and
CFLAGS of Yocto, Buildroot or OpenWrt) removes none of them."""

import os
import shutil
import subprocess

import pytest

from conftest import ROOT

COMPILER, EMULATOR = "arm-linux-gnueabihf-gcc", "qemu-arm-static"


@pytest.mark.parametrize(
    "compiler",
    [
        f"CC={COMPILER} -mcpu=cortex-a7 -mfpu=neon-vfpv4 -mfloat-abi=hard",
        f"CROSS_COMPILE={shutil.which(COMPILER) or COMPILER}".removesuffix("gcc"),
    ],
    ids=["cc", "cross-compile"],
)
def test_cc_and_cflags_of_an_sdk(tmp_path, compiler):
    for tool in (COMPILER, EMULATOR, "readelf"):
        if shutil.which(tool) is None:
            pytest.skip(f"there is no {tool}")
    if not (ROOT / os.environ.get("DEPS_DIR", "build/deps") / "musl-armhf.version").exists():
        pytest.skip("there is no musl for armhf: make deps BOARD=linux-armhf")
    # No variable of the make that runs the tests reaches this one.
    environment = {
        name: value
        for name, value in os.environ.items()
        if name
        not in (
            "MAKEFLAGS",
            "MFLAGS",
            "MAKEOVERRIDES",
            "MAKELEVEL",
            "BOARD",
            "B",
            "EXEC",
            "CC",
            "CROSS_COMPILE",
        )
    }
    build = tmp_path / "sdk"
    done = subprocess.run(
        [
            "make",
            "V=1",
            "BOARD=linux-armhf",
            f"B={build}",
            f"{build}/rekey",
            "CFLAGS=-O1 -DNOTHING",
            compiler,
        ],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    # Both the user's flags and ours are in each line that compiles one of our files.
    compiled = [line for line in done.stdout.splitlines() if " -c src/" in line]
    assert len(compiled) == len(list((ROOT / "src").glob("*.c")))
    for line in compiled:
        assert line.startswith(f"{compiler.partition('=')[2]}"), line
        for flag in "-O1 -DNOTHING -std=c11 -Werror -specs= -DREKEY_URL_MAX=".split():
            assert f" {flag}" in line, f"no {flag}: {line}"
    headers = subprocess.run(
        ["readelf", "-lW", build / "rekey"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    assert "LOAD" in headers and "INTERP" not in headers and "DYNAMIC" not in headers
    version = subprocess.run(
        [EMULATOR, build / "rekey", "--version"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    assert "(linux-armhf)" in version and "REKEY_URL_MAX=8192" in version
