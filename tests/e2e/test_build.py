"""Builds of others: a board outside of the tree, CMake, Zephyr, ESP-IDF."""

import json
import os
import re
import shlex
import shutil
from pathlib import Path

import conftest
import pytest
from conftest import BUILD, CERTS, GROUP, ROOT, SUBSCRIPTION, TOKEN, WORKSPACE
from making import FOR_THIS_MACHINE, MADE, TAKES_A_WHILE, make, need, run

pytestmark = FOR_THIS_MACHINE


# ---- a board outside of the tree -----------------------------------------------------------------


@pytest.fixture
def board(tmp_path):
    """A folder with a board that has its own limits, source and rules."""
    need("gcc")
    folder = tmp_path / f"board-of-{os.getpid()}"
    folder.mkdir()
    (folder / "board.mk").write_text(
        "BOARD_TITLE   := a board of somebody else\n"
        "BOARD_LIMITS  := REKEY_URL_MAX=6000 REKEY_STAGING_MAX=8000\n"
        "BOARD_PROGRAM := sizes\n"
        "CC            := gcc\n"
        "CFLAGS        := -O0\n"
    )
    (folder / "rules.mk").write_text(
        "$(B)/sizes: $(B)/board/sizes.o $(B)/librekey.a\n\t$(call say,LD)\n\t$(link)\n"
    )
    (folder / "sizes.c").write_text(
        "#include <stdio.h>\n"
        '#include "rekey_config.h"\n'
        "int main(void) {\n"
        '    return printf("%s %d %d", REKEY_BOARD, REKEY_URL_MAX, REKEY_STAGING_MAX) < 0;\n'
        "}\n"
    )
    yield folder
    shutil.rmtree(ROOT / "build" / folder.name, ignore_errors=True)


@TAKES_A_WHILE
def test_a_board_outside_of_the_tree(board):
    built = ROOT / "build" / board.name
    make(f"BOARD={board}")
    assert run(built / "sizes") == f"{board.name} 6000 8000"
    make(f"BOARD={board}", f"build/{board.name}/unit/span")
    assert "failed" not in run(built / "unit/span").lower()
    (built / "sizes").unlink()
    make(f"BOARD={os.path.relpath(board, ROOT)}/")
    assert run(built / "sizes") == f"{board.name} 6000 8000"


def test_an_unknown_board(tmp_path):
    for name, place in (("no-such", "boards/no-such"), (f"{tmp_path}", tmp_path)):
        assert f"there is no {place}/board.mk" in make(f"BOARD={name}", "help", code=2)


# ---- CMake ---------------------------------------------------------------------------------------

PROJECTS = ROOT / "tests/e2e/cmake"
DEPS = [
    f"-D{name}_DIR={MADE.get(f'{name}_DIR') or ROOT / 'build/deps' / name.lower()}"
    for name in ("MBEDTLS", "JSMN")
]


def configure(source, folder, *more):
    need("cmake", "cc")
    run("cmake", "-S", source, "-B", folder, "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON", *DEPS, *more)


def build_example(folder, libraries, without="", *more):
    """Builds boards/examples/regenerate.c without the lines that contain one of these words."""
    source = (ROOT / "boards/examples/regenerate.c").read_text()
    if without:
        source = re.sub(rf"^.*({without}).*\n", "", source, flags=re.M)
    (folder / "example.c").write_text(source)
    configure(
        PROJECTS / "example",
        folder,
        f"-DEXAMPLE={folder}/example.c",
        f"-DLIBRARIES={libraries};rekey::posix;rekey::core",
        *more,
    )
    run("cmake", "--build", folder, "-j2")
    return folder / "example"


@pytest.fixture(scope="module")
def owner(tmp_path_factory):
    """An application with no other mbedTLS in its image: rekey brings it."""
    return build_example(tmp_path_factory.mktemp("owner"), "rekey::mbedtls_owned")


@pytest.fixture(scope="module")
def guest(tmp_path_factory):
    """An application that uses the mbedTLS of its image, which is built separately."""
    off = [f"-D{name}=OFF" for name in ("ENABLE_TESTING", "ENABLE_PROGRAMS", "GEN_FILES")]
    folder = tmp_path_factory.mktemp("guest")
    of_owner = "owner.h|rekey_mbedtls_init|arena"
    return build_example(folder, "rekey::mbedtls", of_owner, "-DHAS_MBEDTLS=ON", *off)


@pytest.fixture(scope="module")
def by_make():
    make(f"{BUILD.relative_to(ROOT)}/examples/regenerate")
    return BUILD / "examples/regenerate"


@TAKES_A_WHILE
@pytest.mark.parametrize("built", ["by_make", "owner", "guest"])
def test_the_example_of_either_build(arm, request, built):
    program = request.getfixturevalue(built)
    name = arm.endpoint("three-polls")
    before = arm.keys(name)
    where = ["localhost", arm.ports["main"], CERTS / "ca.pem"]
    text = run(program, *where, SUBSCRIPTION, GROUP, WORKSPACE, name, env={"TOKEN": TOKEN})
    assert text == "outcome 0, error , polls 3\n"
    assert arm.keys(name)["primaryKey"] != before["primaryKey"]


@pytest.mark.parametrize("folder", ["src", "port"])
def test_cmake_has_all_sources(folder):
    text = re.sub(r"#.*", "", (ROOT / folder / "CMakeLists.txt").read_text())
    listed = set(re.findall(r"(?<![\w/}])[\w/]+\.c\b", text))
    there = {str(path.relative_to(ROOT / folder)) for path in (ROOT / folder).rglob("*.c")}
    assert {name for name in listed if (ROOT / folder / name).exists()} == there - {
        "template/port.c"
    }


def special_flags(words):
    """The flags of a compiler's command that apply to one file only, or that rename something in
    it."""
    pairs = zip(words, [*words[1:], ""])
    flags = {f"-include {Path(value).name}" for word, value in pairs if word == "-include"}
    return flags | {word for word in words if re.match(r"-Dmbedtls_", word)}


@TAKES_A_WHILE
def test_cmake_compiles_mbedtls_as_make_does(owner):
    by_cmake = {}
    for entry in json.loads((owner.parent / "compile_commands.json").read_text()):
        path = Path(entry["file"])
        if path.parent.name == "library":
            by_cmake[path.name] = special_flags(shlex.split(entry["command"]))
    by_make = {}
    for line in make("-nB", "V=1", f"{BUILD.relative_to(ROOT)}/libmbedtls.a").splitlines():
        found = re.search(r" -c \S*/library/(\w+\.c) ", line)
        if found:
            by_make[found[1]] = special_flags(shlex.split(line))
    assert len(by_make) > 80 and len([1 for flags in by_make.values() if flags]) > 5
    assert by_cmake == by_make


@TAKES_A_WHILE
def test_limits_by_cmake(tmp_path):
    """The limits reach every file that includes a header; a file of limits is accepted as well."""
    (tmp_path / "limits.h").write_text("#define REKEY_TOKEN_MAX 4000\n")
    (tmp_path / "main.c").write_text(
        "#include <rekey/rekey.h>\n"
        '_Static_assert(REKEY_URL_MAX == 6000 && REKEY_TOKEN_MAX == 4000, "the limits");\n'
        "int main(void) {\n    static struct rekey client;\n    return rekey_step(&client) == 0;\n}\n"
    )
    variables = {
        "REKEY_LIMITS": "REKEY_URL_MAX=6000;REKEY_STAGING_MAX=6000",
        "REKEY_CONFIG_FILE": tmp_path / "limits.h",
        "EXAMPLE": tmp_path / "main.c",
        "LIBRARIES": "rekey::core",
    }
    configure(
        PROJECTS / "example", tmp_path, *(f"-D{name}={value}" for name, value in variables.items())
    )
    run("cmake", "--build", tmp_path, "-j2")


@TAKES_A_WHILE
def test_lwip_by_cmake(tmp_path):
    """lwIP's headers come from the target that the application names."""
    lwip = Path(MADE.get("LWIP_DIR") or ROOT / "build/deps/lwip")
    if not lwip.exists():
        pytest.skip("there is no lwIP: make deps BOARD=lm3s6965evb")
    (tmp_path / "main.c").write_text(
        "#include <rekey/tcp.h>\n"
        "struct rekey_lwip_tcp tcp;\n"
        "int main(void) {\n    return tcp.error;\n}\n"
    )
    variables = {"LWIP_DIR": lwip, "EXAMPLE": tmp_path / "main.c", "LIBRARIES": "rekey::lwip"}
    configure(PROJECTS / "example", tmp_path, *(f"-D{n}={v}" for n, v in variables.items()))
    run("cmake", "--build", tmp_path, "-j2")


# ---- Zephyr and ESP-IDF --------------------------------------------------------------------------

KCONFIG = {
    "zephyr": ROOT / "port/zephyr/Kconfig",
    "esp-idf": ROOT / "port/esp-idf/rekey/Kconfig",
}


@TAKES_A_WHILE
@pytest.mark.parametrize("system", KCONFIG)
def test_the_folder_of_another_system(tmp_path, system):
    """All of rekey is compiled, with the flags of that system and the choices of Kconfig."""
    (tmp_path / "app.c").write_text(
        "#include <rekey/der_table.h>\n"
        "#include <rekey/rekey.h>\n"
        "#include <rekey/sockets.h>\n"
        "#include <rekey/tls.h>\n"
        '_Static_assert(REKEY_URL_MAX == 6000 && REKEY_STAGING_MAX == 6000, "the limits");\n'
        '_Static_assert(REKEY_TLS_SIZE == 4096, "a limit of a port");\n'
        "struct rekey client;\n"
        "struct rekey_tls tls;\n"
        "struct rekey_sockets_tcp tcp;\n"
    )
    configure(PROJECTS / system, tmp_path, f"-DEXAMPLE={tmp_path}/app.c")
    run("cmake", "--build", tmp_path, "-j2")
    compiled = {}
    for entry in json.loads((tmp_path / "compile_commands.json").read_text()):
        if "mbedtls_owned" not in entry["command"]:  # this target is defined, but nothing links it
            compiled[os.path.relpath(entry["file"], ROOT)] = entry["command"]
    core = {f"src/{path.name}" for path in (ROOT / "src").glob("*.c")}
    assert core | {"port/sockets/sockets.c", "port/mbedtls/tls.c"} <= set(compiled)
    for name in core | {"port/sockets/sockets.c", "port/mbedtls/tls.c", "port/anchors/der_table.c"}:
        for flag in ("-DREKEY_URL_MAX=6000", "-DFLAG_OF_THE_SYSTEM"):
            assert flag in compiled[name].split(), name


def value_of(macro):
    """The default value in rekey_config.h."""
    text = run("sh", "-c", f"echo {macro} | cc -E -P -include {ROOT}/src/rekey_config.h -")
    return text.split()[-1].rstrip("u")


@pytest.mark.parametrize("system", KCONFIG)
def test_the_options_of_kconfig(tmp_path, system):
    kconfiglib = pytest.importorskip("kconfiglib")
    (tmp_path / "Kconfig").write_text(
        "config NET_SOCKETS\n    def_bool y\n"
        "config MBEDTLS\n    def_bool y\n"
        f'source "{KCONFIG[system]}"\n'
    )
    options = kconfiglib.Kconfig(str(tmp_path / "Kconfig"), warn_to_stderr=False)
    assert options.warnings == []
    if system == "zephyr":
        assert options.syms["REKEY_URL_MAX"].visibility == 0  # unless rekey is selected
        options.syms["REKEY"].set_value("y")
    names = [name for name in options.syms if name.startswith("REKEY_")]
    config = (ROOT / "src/rekey_config.h").read_text()
    assert len(names) > 5
    for name in names:
        assert re.search(rf"^#ifndef {name}$", config, re.M), name
        assert options.syms[name].str_value == value_of(name), name
    options.syms["REKEY_URL_MAX"].set_value("8192")
    assert options.syms["REKEY_STAGING_MAX"].str_value == "8192"


def test_the_module_of_zephyr():
    yaml = pytest.importorskip("yaml")
    folder = ROOT / "port/zephyr"
    module = yaml.safe_load((folder / "zephyr/module.yml").read_text())
    assert module["name"] == "rekey"
    assert (folder / module["build"]["cmake"] / "CMakeLists.txt").exists()
    assert (folder / module["build"]["kconfig"]).exists()


# ---- an mbedTLS built by somebody else -----------------------------------------------------------


@TAKES_A_WHILE
def test_an_mbedtls_that_computes_in_pieces(tmp_path, rekey, arm, monkeypatch):
    """The owner of that mbedTLS limits the work of one call (MBEDTLS_ECP_RESTARTABLE, for TLS
    1.2)."""
    need("gcc")
    built = tmp_path / "built"
    (tmp_path / "user.h").write_text(
        "#define MBEDTLS_ECP_RESTARTABLE\n#undef MBEDTLS_SSL_PROTO_TLS1_3\n"
    )
    (tmp_path / "pieces.c").write_text(
        "void mbedtls_ecp_set_max_ops(unsigned operations);\n"
        "__attribute__((constructor)) static void set(void) { mbedtls_ecp_set_max_ops(200); }\n"
    )
    run("gcc", "-c", tmp_path / "pieces.c", "-o", tmp_path / "pieces.o")
    more = [
        f"CPPFLAGS=-DMBEDTLS_USER_CONFIG_FILE='<{tmp_path}/user.h>'",
        f"LDFLAGS={tmp_path}/pieces.o",
    ]
    make("BOARD=linux-stock", f"B={built}", "-j2", *more, f"{built}/rekey")
    monkeypatch.setattr(conftest, "REKEY", built / "rekey")
    rekey.regenerate(arm.endpoint("three-polls"), listener="ec")
