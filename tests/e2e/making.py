"""Shared by the tests of `make install`, of the library and of other builds."""

import os
import shutil
import subprocess

import pytest
from conftest import BUILD, ENVIRONMENT, EXEC, ROOT, SANITIZED

FOR_THIS_MACHINE = pytest.mark.skipif(
    bool(EXEC) or SANITIZED or BUILD.name != "linux",
    reason="of what is built for this machine, without an emulator or a sanitizer",
)
TAKES_A_WHILE = pytest.mark.skipif(
    "REKEY_DEB" not in os.environ, reason="takes a while: make check-install"
)
MADE = {  # the caller's variables that the Makefile accepts, besides PATH
    name: value
    for name, value in os.environ.items()
    if name in ("CC", "CFLAGS", "CPPFLAGS", "LDFLAGS", "LIMITS", "SOURCE_DATE_EPOCH")
    or name.endswith("_DIR")
}


def run(*arguments, code=0, env=None, timeout=300, **more):
    """Runs a program; standard error is part of the output."""
    result = subprocess.run(
        [str(each) for each in arguments],
        env={**ENVIRONMENT, **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        **more,
    )
    assert result.returncode == code, f"{arguments}: {result.returncode}\n{result.stdout}"
    return result.stdout


def make(*arguments, code=0):
    return run("make", "--no-print-directory", "-s", *arguments, code=code, env=MADE, cwd=ROOT)


def need(*tools):
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"there is no {tool}")


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """An installed tree that is used in place."""
    folder = tmp_path_factory.mktemp("prefix")
    make("install", f"PREFIX={folder}")
    return folder
