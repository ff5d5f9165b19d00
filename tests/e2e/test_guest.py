"""A configuration of mbedTLS that cannot work is an error of the compiler, which names the macro."""

import re
import subprocess

import pytest
from conftest import BUILD, EXEC, GUEST, ROOT

pytestmark = [
    pytest.mark.owner,  # this test edits the owner's configuration
    pytest.mark.skipif(bool(EXEC), reason="it is about sources, not about a board"),
]

# A change to the configuration, and the file whose compilation reports it.
BAD = {
    "no client": ("#undef MBEDTLS_SSL_CLI_C", "tls.c"),
    "no certificates": ("#undef MBEDTLS_X509_CRT_PARSE_C", "tls.c"),
    "no dates": ("#undef MBEDTLS_HAVE_TIME_DATE", "tls.c"),
    "no server name": ("#undef MBEDTLS_SSL_SERVER_NAME_INDICATION", "tls.c"),
    "short records": (
        "#undef MBEDTLS_SSL_IN_CONTENT_LEN\n#define MBEDTLS_SSL_IN_CONTENT_LEN 4096",
        "tls.c",
    ),
    "too few bytes": ("#define REKEY_TLS_SIZE 512", "tls.c"),
    "another allocator": (
        "#undef MBEDTLS_PLATFORM_CALLOC_MACRO\n#define MBEDTLS_PLATFORM_CALLOC_MACRO calloc",
        "owner/owner.c",
    ),
    "no allocator": ("#undef MBEDTLS_PLATFORM_CALLOC_MACRO", "owner/owner.c"),
    "too long an arena": ("#define REKEY_ARENA_SIZE 1000000", "owner/owner.c"),
    "two allocators": ("#define MBEDTLS_MEMORY_BUFFER_ALLOC_C", "owner/owner.c"),
}


def compile(tmp_path, file, lines, version=None):
    """Runs make's command for the file with another configuration, and with the header of a
    version."""
    target = f"{BUILD.relative_to(ROOT)}/port/mbedtls/{file[:-2]}.o"
    plan = subprocess.run(
        ["make", "-n", "-B", f"B={BUILD.relative_to(ROOT)}", target],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    command = re.search(rf"^(.* -c port/mbedtls/{file}) -o \S+$", plan, re.M)[1]
    (tmp_path / "bad.h").write_text(f"#include <mbedtls_config.h>\n{lines}\n")
    command = command.replace("<mbedtls_config.h>", f"<{tmp_path}/bad.h>")
    if version:
        (tmp_path / "mbedtls").mkdir()
        (tmp_path / "mbedtls/version.h").write_text(f"#define MBEDTLS_VERSION_NUMBER {version}\n")
        command = command.replace(" -Isrc", f" -I{tmp_path} -Isrc", 1)
    return subprocess.run(
        f"{command} -fsyntax-only -MF /dev/null",
        shell=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("kind", BAD)
def test_a_configuration_that_cannot_work(tmp_path, kind):
    lines, file = BAD[kind]
    result = compile(tmp_path, file, lines)
    macro = re.search(r"(MBEDTLS|REKEY)_\w+", lines)[0]
    assert result.returncode != 0
    assert re.search(rf'error: .*"?{macro}', result.stderr), result.stderr


@pytest.mark.parametrize("version", ["0x021C0300", "0x03070000", "0x05000000"])
def test_a_version_that_is_not_known(tmp_path, version):
    result = compile(tmp_path, "tls.c", "", version)
    assert result.returncode != 0 and "MBEDTLS_VERSION_NUMBER: rekey needs" in result.stderr


def test_the_configuration_as_it_is(tmp_path):
    for file in ("tls.c", "owner/owner.c"):
        result = compile(tmp_path, file, "")
        assert result.returncode == 0, result.stderr
