"""What a 32-bit glibc asks of a program whose time_t has 64 bits: BOARD=linux-armhf-glibc."""

import os
import re
import socket
import subprocess

import pytest

from conftest import BUILD, ROOT

pytestmark = pytest.mark.board
NM = os.environ.get("REKEY_NM", "nm")
# Functions of the C library that take or give a time of 32 bits, with another name for 64.
TIMES_32 = """adjtime clock_getres clock_gettime clock_nanosleep clock_settime ctime difftime fcntl
fstat fstat64 fstatat fstatat64 futimens futimes getitimer getrusage gettimeofday gmtime gmtime_r
localtime localtime_r lstat lstat64 mktime nanosleep ppoll prctl pselect recvmmsg select
sem_timedwait setitimer stat stat64 time timegm timer_settime timerfd_gettime timerfd_settime
utime utimensat utimes wait3 wait4""".split()
FLAGS = {
    "as it is typed": [],
    "fortified": ["CFLAGS=-O2 -D_FORTIFY_SOURCE=2"],
    "fortified, level 1": ["CFLAGS=-O2 -D_FORTIFY_SOURCE=1"],
    "fortified by CPPFLAGS": ["CFLAGS=-O2", "CPPFLAGS=-D_FORTIFY_SOURCE=2"],
    "with the two macros": [
        "CFLAGS=-O2 -D_FORTIFY_SOURCE=2",
        "CPPFLAGS=-D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64",
    ],
}


def undefined(*arguments):
    """The names that a file wants of others, without their versions."""
    names = subprocess.run([NM, "-u", *arguments], stdout=subprocess.PIPE, text=True, check=True)
    return {line.split()[-1].partition("@")[0] for line in names.stdout.splitlines() if line}


def make(*arguments):
    """Of what stands for itself: make's own variables come from the `make e2e` around this."""
    env = {name: value for name, value in os.environ.items() if "MAKE" not in name and name != "B"}
    command = ["make", "-s", "-C", str(ROOT), "BOARD=linux-armhf-glibc", *arguments]
    subprocess.run(command, env=env, check=True)


def test_a_wait_is_one_call(arm, rekey, tmp_path):
    """The emulator writes down each system call. A wait that takes a time of 64 bits for one of 32
    returns at once, and is repeated thousands of times."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        result = rekey.regenerate(
            arm.endpoint(),
            "--management-url",
            f"https://127.0.0.1:{silent.getsockname()[1]}",
            "--timeout",
            "4",
            env={"QEMU_STRACE": "1", "QEMU_LOG_FILENAME": str(tmp_path / "calls")},
            code=10,
        )
    calls = (tmp_path / "calls").read_text()
    # Behind the ClientHello.
    assert len(re.findall(r"\bppoll\w*\(", calls[calls.rindex(" send(") :])) == 1
    assert 3.9 <= result.seconds < 10


def test_symbols():
    names = undefined("-D", BUILD / "rekey")
    assert "__ppoll64" in names and not names & set(TIMES_32)


@pytest.mark.parametrize("flags", FLAGS)
def test_ppoll(tmp_path, flags):
    make(f"B={tmp_path}", *FLAGS[flags], f"{tmp_path}/port/posix/wait.o")
    names = undefined(tmp_path / "port/posix/wait.o")
    assert "__ppoll64" in names and "ppoll" not in names


def test_what_an_application_is_told(tmp_path):
    """What it includes beside the installed headers then has the types that the archives have."""
    make("install-library", f"DESTDIR={tmp_path}", "PREFIX=/usr")
    text = (tmp_path / "usr/lib/pkgconfig/rekey-core.pc").read_text()
    cflags = re.search("^Cflags: (.*)$", text, re.MULTILINE)[1]
    assert cflags == "-I${includedir} -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64"
