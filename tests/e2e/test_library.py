"""The result of `make install-library`, as an application uses it: archives, headers, pkg-config.

The application with its own mbedTLS uses Debian's here (libmbedtls-dev), of any version.
"""

import re

import pytest
from conftest import CERTS, GROUP, ROOT, SUBSCRIPTION, TOKEN, WORKSPACE
from making import (  # noqa: F401 (a fixture)
    FOR_THIS_MACHINE,
    TAKES_A_WHILE,
    make,
    need,
    prefix,
    run,
)

pytestmark = FOR_THIS_MACHINE

STRICT = ["-Wall", "-Wextra", "-pedantic", "-Werror"]
COMPILERS = {
    "gcc": ["gcc", "-std=c11", *STRICT],
    "clang": ["clang", "-std=c11", *STRICT],
    "g++": ["g++", "-std=c++17", *STRICT],
    "clang++": ["clang++", "-std=c++17", *STRICT],
}
E2E = ROOT / "tests/e2e"


@pytest.fixture
def flags(prefix):
    """The output of pkg-config for a package."""
    need("pkg-config")
    place = {"PKG_CONFIG_PATH": str(prefix / "lib/pkgconfig")}
    return lambda *words: run("pkg-config", *words, env=place).split()


@pytest.fixture
def operate(arm):
    """A function that runs a program with the arguments of regenerate.c; returns its output and the
    keys, before and after."""

    def run_program(program):
        name = arm.endpoint("three-polls")
        before = arm.keys(name)
        where = ["localhost", arm.ports["main"], CERTS / "ca.pem"]
        text = run(program, *where, SUBSCRIPTION, GROUP, WORKSPACE, name, env={"TOKEN": TOKEN})
        return text, before, arm.keys(name)

    return run_program


# ---- headers -------------------------------------------------------------------------------------


def headers(prefix):
    return sorted(path.name for path in (prefix / "include/rekey").glob("*.h"))


def test_the_headers_are_in_a_folder_of_their_own(prefix, flags):
    """They hide no other headers, and none of mbedTLS's is among them."""
    assert flags("--cflags", "rekey") == flags("--cflags", "rekey-core") == [f"-I{prefix}/include"]
    assert [path.name for path in (prefix / "include").iterdir()] == ["rekey"]
    assert [path for path in (prefix / "include/rekey").iterdir() if path.is_dir()] == []
    for name in headers(prefix):
        text = (prefix / "include/rekey" / name).read_text()
        assert not re.search(r"include.*(mbedtls/|psa/)", text), name
    for name in ("rekey", "rotate", "credential_entra", "posix", "tls", "owner", "pem_bundle"):
        assert f"{name}.h" in headers(prefix)


@pytest.mark.parametrize("compiler", COMPILERS)
def test_every_installed_header_stands_alone(prefix, flags, tmp_path, compiler):
    need(COMPILERS[compiler][0])
    one = tmp_path / ("one.cc" if "++" in compiler else "one.c")
    faults = []
    for name in headers(prefix):
        one.write_text(f"#include <rekey/{name}>\nextern int one;\n")
        try:
            run(*COMPILERS[compiler], *flags("--cflags", "rekey"), "-fsyntax-only", one)
        except AssertionError as fault:
            faults.append(str(fault))
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_every_function_of_the_headers_links_from_cxx(prefix, flags, tmp_path, compiler):
    """All headers in one program, which takes the address of each function that they declare."""
    need(compiler)
    text = "".join((prefix / "include/rekey" / name).read_text() for name in headers(prefix))
    defined = set()
    for archive in ("librekey.a", "librekey-tls.a"):
        listed = run("nm", "-g", "--defined-only", prefix / "lib" / archive)
        defined |= set(re.findall(r" T (rekey_\w+)$", listed, re.M))
    functions = sorted(name for name in defined if re.search(rf"\b{name}\(", text))
    assert len(functions) > 40
    program = tmp_path / "all.cc"
    program.write_text(
        "".join(f"#include <rekey/{name}>\n" for name in headers(prefix))
        + "using any = void (*)();\n"
        + "const any all[] = {\n"
        + "".join(f"    reinterpret_cast<any>(&{name}),\n" for name in functions)
        + "};\n"
        + "int main() {\n    for (any each : all) {\n        if (each == nullptr) return 1;\n    }\n}\n"
    )
    more = flags("--cflags", "--libs", "rekey")
    run(*COMPILERS[compiler], "-Wno-cast-function-type", program, *more, "-o", tmp_path / "all")
    run(tmp_path / "all")


def test_other_limits_than_those_of_the_archive(flags, tmp_path):
    (tmp_path / "one.c").write_text("#include <rekey/tls.h>\n#include <rekey/rekey.h>\n")
    (tmp_path / "limits.h").write_text("#define REKEY_TOKEN_MAX 5000\n")
    compile_one = ["gcc", *flags("--cflags", "rekey"), "-fsyntax-only", tmp_path / "one.c"]
    run(*compile_one, "-DREKEY_URL_MAX=8192")
    for macro, flag in (
        ("REKEY_URL_MAX", "-DREKEY_URL_MAX=4096"),
        ("REKEY_TLS_SIZE", "-DREKEY_TLS_SIZE=64"),
        ("REKEY_TOKEN_MAX", f'-DREKEY_CONFIG_FILE="{tmp_path}/limits.h"'),
    ):
        text = run(*compile_one, flag, code=1)
        assert re.search(rf'error "{macro}: the archives were built with \d+"', text), flag


# ---- programs ------------------------------------------------------------------------------------


def test_the_example_builds_against_the_installed_library(flags, operate, tmp_path):
    need("cc")
    more = flags("--cflags", "--libs", "rekey")
    source = ROOT / "boards/examples/regenerate.c"
    run("cc", "-Wall", "-Wextra", "-Werror", source, *more, "-o", tmp_path / "example")
    text, before, after = operate(tmp_path / "example")
    assert text == "outcome 0, error , polls 3\n"
    assert after["primaryKey"] != before["primaryKey"]


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_a_client_in_cxx(flags, operate, tmp_path, compiler):
    need(compiler)
    more = flags("--cflags", "--libs", "rekey")
    run(*COMPILERS[compiler], E2E / "client.cc", *more, "-o", tmp_path / "client")
    text, before, after = operate(tmp_path / "client")
    assert text == "outcome 0, error , polls 3\n"
    assert after["primaryKey"] != before["primaryKey"]


def compile_with_own_mbedtls(flags, package, tmp_path, *more):
    """Compiles with the address sanitizer. An application may name the libraries in either
    order."""
    need("gcc")
    (tmp_path / "one.c").write_text("#include <mbedtls/ssl.h>\n")
    if run("sh", "-c", f"gcc -fsyntax-only {tmp_path}/one.c || echo none").strip():
        pytest.skip("there is no libmbedtls-dev")
    source = E2E / "own_mbedtls.c"
    own = ["-lmbedtls", "-lmbedx509", "-lmbedcrypto"]
    for order in (own + flags("--libs", package), flags("--libs", package) + own):
        run(
            *["gcc", "-g", "-fsanitize=address", "-Wall", "-Wextra", "-Werror", *more, source],
            *[*flags("--cflags", package), *order, "-o", tmp_path / "own"],
        )
    return tmp_path / "own"


def test_an_application_with_its_own_mbedtls_beside_ours(flags, operate, tmp_path):
    """Two mbedTLS in one program: each makes connections, in turns."""
    program = compile_with_own_mbedtls(flags, "rekey", tmp_path, "-DOVER_REKEY_TLS")
    text, before, after = operate(program)
    assert text == 3 * "outcome 0, error \n"
    assert before["primaryKey"] != after["primaryKey"]
    assert before["secondaryKey"] != after["secondaryKey"]


def test_an_application_with_its_own_transport(flags, operate, tmp_path):
    """Only -lrekey, over the application's mbedTLS."""
    program = compile_with_own_mbedtls(flags, "rekey-core", tmp_path)
    text, before, after = operate(program)
    assert text == "outcome 0, error \n"
    assert before["primaryKey"] != after["primaryKey"]


# ---- archives ------------------------------------------------------------------------------------


def test_no_name_of_mbedtls_is_taken(prefix):
    """The core has none of them; in librekey-tls all of them have a prefix."""
    for archive in ("librekey.a", "librekey-tls.a"):
        listed = run("nm", "-g", prefix / "lib" / archive)
        defined = set(re.findall(r" [A-TV-Z] (\w+)$", listed, re.M))
        assert len(defined) > 100 and [n for n in defined if not n.startswith("rekey_")] == []
        used = set(re.findall(r" U (\w+)$", listed, re.M))
        assert [name for name in used if re.match("mbedtls_|psa_", name)] == []
        assert bool([n for n in defined if "mbedtls_" in n or "psa_" in n]) == ("tls" in archive)


@TAKES_A_WHILE
def test_the_library_of_a_firmware(tmp_path):
    """The library that is installed for the toolchain of a board: its ports, its flags, nothing of
    POSIX."""
    need("arm-none-eabi-gcc", "pkg-config")
    if not (ROOT / "build/deps/lwip").exists():
        pytest.skip("there is no lwIP: make deps BOARD=lm3s6965evb")
    make("install-library", "BOARD=lm3s6965evb", f"PREFIX={tmp_path}")
    there = headers(tmp_path)
    assert {"rekey.h", "tls.h", "der_table.h", "owner.h"} <= set(there)
    assert not {"posix.h", "proxy.h", "pem_bundle.h"} & set(there)
    (tmp_path / "main.c").write_text(
        "#include <rekey/rekey.h>\n"
        "struct rekey client;\n"
        "int main(void) { return rekey_run(&client); }\n"
    )
    place = {"PKG_CONFIG_PATH": str(tmp_path / "lib/pkgconfig")}
    more = run("pkg-config", "--cflags", "--libs", "rekey", env=place).split()
    assert {"-mcpu=cortex-m3", "-mthumb"} <= set(more)
    assert not [flag for flag in more if flag.startswith("-T") or flag == "-nostartfiles"]
    specs = "--specs=/usr/lib/picolibc/arm-none-eabi/picolibc.specs"
    link = ["-nostartfiles", "-Wl,-e,main", "-o", "main.elf"]
    run("arm-none-eabi-gcc", specs, "main.c", *more, *link, cwd=tmp_path)
    assert re.search(r" T rekey_run$", run("arm-none-eabi-nm", tmp_path / "main.elf"), re.M)
