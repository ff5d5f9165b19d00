"""What a 32-bit glibc requires of a program whose time_t has 64 bits: BOARD=linux-armhf-glibc."""

import os
import re
import socket
import subprocess

import pytest

from conftest import BUILD, ROOT

pytestmark = pytest.mark.board
NM = os.environ.get("REKEY_NM", "nm")
# Functions of the C library that accept or return a 32-bit time, and have another name for 64 bits.
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
    """The undefined symbols of a file, without their versions."""
    names = subprocess.run([NM, "-u", *arguments], stdout=subprocess.PIPE, text=True, check=True)
    return {line.split()[-1].partition("@")[0] for line in names.stdout.splitlines() if line}


def make(*arguments):
    """Runs make independently: the variables of the `make e2e` around this test are removed."""
    env = {name: value for name, value in os.environ.items() if "MAKE" not in name and name != "B"}
    command = ["make", "-s", "-C", str(ROOT), "BOARD=linux-armhf-glibc", *arguments]
    subprocess.run(command, env=env, check=True)


def test_a_wait_is_one_call(arm, rekey, tmp_path):
    """The emulator logs each system call. A wait that mistakes a 64-bit time for a 32-bit one
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
    # After the ClientHello.
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
    """The installed headers then give the application the types that the archives use."""
    make("install-library", f"DESTDIR={tmp_path}", "PREFIX=/usr")
    text = (tmp_path / "usr/lib/pkgconfig/rekey-core.pc").read_text()
    cflags = re.search("^Cflags: (.*)$", text, re.MULTILINE)[1]
    assert cflags == "-I${includedir} -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64"
