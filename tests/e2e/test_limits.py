"""An application that is compiled with other limits than the archive does not link. If
REKEY_CONFIG_FILE names a file, the limits come from that file."""

import re
import subprocess

import pytest

from conftest import BUILD, EXEC, ROOT, SANITIZED
from making import make

pytestmark = pytest.mark.skipif(
    bool(EXEC) or SANITIZED, reason="links for this machine, without a sanitizer"
)

PROGRAM = """
#include "rekey.h"

static struct {
    struct rekey client;
    unsigned char behind[65536];
} memory;

int main(void) {
    int result;

    memset(memory.behind, 0xA5, sizeof(memory.behind));
    result = rekey_init(&memory.client, NULL, NULL);
    for (size_t i = 0; i < sizeof(memory.behind); i++) {
        if (memory.behind[i] != 0xA5) {
            return 1;
        }
    }
    return result == REKEY_E_PORT ? 0 : 2;
}
"""

# The parts of the name, and the macros whose values they contain.
PARTS = {
    "url": "REKEY_URL_MAX",
    "token": "REKEY_TOKEN_MAX",
    "staging": "REKEY_STAGING_MAX",
    "key": "REKEY_KEY_VALUE_MAX",
    "io": "REKEY_IO_SIZE",
}


@pytest.fixture
def limits():
    """The limits of the archive, from its name for rekey_init."""
    names = subprocess.run(
        ["nm", BUILD / "librekey.a"], stdout=subprocess.PIPE, check=True, text=True
    ).stdout
    name = re.search(r" T rekey_init_(\w+)", names)[1]
    return {PARTS[part]: int(value) for part, value in re.findall(r"_?([a-z]+)(\d+)", name)}


def build(tmp_path, *flags):
    (tmp_path / "program.c").write_text(PROGRAM)
    return subprocess.run(
        ["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", *flags, "-I", ROOT / "src"]
        + ["-I", tmp_path, tmp_path / "program.c", BUILD / "librekey.a"]
        + ["-o", tmp_path / "program"],
        capture_output=True,
        text=True,
    )


def definitions(limits):
    return [f"-D{name}={value}" for name, value in limits.items()]


def write_file(tmp_path, limits):
    lines = [f"#define {name} {value}\n" for name, value in limits.items()]
    (tmp_path / "my_limits.h").write_text("".join(lines))


def test_the_same_limits_link_and_run(limits, tmp_path):
    assert set(limits) == set(PARTS.values())
    result = build(tmp_path, *definitions(limits))
    assert result.returncode == 0, result.stderr
    assert subprocess.run([tmp_path / "program"]).returncode == 0


@pytest.mark.parametrize("name", ['"my_limits.h"', "<my_limits.h>"])
def test_limits_from_a_file(limits, tmp_path, name):
    write_file(tmp_path, limits)
    result = build(tmp_path, f"-DREKEY_CONFIG_FILE={name}")
    assert result.returncode == 0, result.stderr
    assert subprocess.run([tmp_path / "program"]).returncode == 0


@pytest.mark.parametrize("macro", PARTS.values())
@pytest.mark.parametrize("by_file", [False, True])
def test_other_limits_do_not_link(limits, tmp_path, macro, by_file):
    limits[macro] += 16
    if macro == "REKEY_URL_MAX":  # which has to fit into REKEY_STAGING_MAX
        limits["REKEY_STAGING_MAX"] = max(limits["REKEY_STAGING_MAX"], limits[macro])
    write_file(tmp_path, limits)
    flags = ['-DREKEY_CONFIG_FILE="my_limits.h"'] if by_file else definitions(limits)
    result = build(tmp_path, *flags)
    assert result.returncode != 0
    part = next(part for part, name in PARTS.items() if name == macro)
    assert re.search(
        rf"undefined reference to .rekey_init_\w*{part}{limits[macro]}", result.stderr
    ), result.stderr
    assert not (tmp_path / "program").exists()


@pytest.mark.parametrize("name", ["'\"x.h\"'", "'<x.h>'", '"<x.h>"'])
def test_a_file_for_make_in_quotation_marks(tmp_path, name):
    make(f"B={tmp_path}", f"CPPFLAGS=-DREKEY_CONFIG_FILE={name}", f"{tmp_path}/flags")
    assert "REKEY_CONFIG_FILE" in (tmp_path / "flags").read_text()


def test_a_file_holds_for_each_header_alone(tmp_path):
    """Of two sources that include a port's header, one may have included rekey.h before, and the
    other not: for both a struct has the same size."""
    (tmp_path / "lwip").mkdir()
    for name in ("ip_addr.h", "pbuf.h", "tcp.h"):
        (tmp_path / "lwip" / name).touch()
    folders = ["src", *(str(path.parent) for path in (ROOT / "port").rglob("*.h"))]
    flags = ["-DREKEY_CONFIG_FILE=<my_limits.h>", "-I", tmp_path]
    flags += [flag for folder in sorted(set(folders)) for flag in ("-I", ROOT / folder)]
    found = 0
    for header in [*(ROOT / "port").rglob("*.h"), *(ROOT / "src").glob("*.h")]:
        macros = re.findall(r"^#ifndef (REKEY_\w+)\n#define \1 \S", header.read_text(), re.M)
        if not macros:
            continue
        write_file(tmp_path, {macro: 4711 for macro in macros})
        text = subprocess.run(
            ["cc", "-E", "-dM", *flags, header], stdout=subprocess.PIPE, check=True, text=True
        ).stdout
        for macro in macros:
            assert f"#define {macro} 4711\n" in text, (header, macro)
        found += len(macros)
    assert found > 15


def test_the_version_is_the_same_twice():
    text = (ROOT / "src/rekey_config.h").read_text()
    numbers = re.search(r'#define REKEY_VERSION "(\d+)\.(\d+)\.(\d+)"', text).groups()
    packed = int(re.search(r"#define REKEY_VERSION_NUMBER (0x\w+)", text)[1], 16)
    assert packed == sum(int(n) << s for n, s in zip(numbers, (16, 8, 0)))
