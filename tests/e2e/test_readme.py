"""What README.md shows must be true, and what docs/security.md names must exist."""

import re
import subprocess

import help_pages
from conftest import (
    BUILD,
    CERTS,
    ENVIRONMENT,
    EXEC,
    GROUP,
    REKEY,
    ROOT,
    SUBSCRIPTION,
    TOKEN,
    WORKSPACE,
)


def test_the_example_regenerates_a_key(arm):
    name = arm.endpoint("three-polls")
    before = arm.keys(name)
    result = subprocess.run(
        [
            *EXEC,
            BUILD / "example",
            "localhost",
            str(arm.ports["main"]),
            CERTS / "ca.pem",
            SUBSCRIPTION,
            GROUP,
            WORKSPACE,
            name,
        ],
        env={**ENVIRONMENT, "TOKEN": TOKEN},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0 and result.stdout == "outcome 0, error , polls 3\n", result
    assert arm.keys(name)["primaryKey"] != before["primaryKey"]


def test_the_example_is_forty_lines_or_so():
    text = (ROOT / "README.md").read_text()
    assert len(re.search(r"```c\n(.*?)```", text, re.S)[1].splitlines()) <= 45


def test_exit_codes():
    table = re.findall(r"^\| (\d+) \|", (ROOT / "README.md").read_text(), re.M)
    assert table == re.findall(r"^ +(\d+) ", help_pages.page("exit-codes"), re.M)


def test_what_the_security_page_names_exists():
    def text(pattern):
        return "".join(path.read_text() for path in ROOT.glob(pattern))

    page = text("docs/security.md")
    vectors = text("tests/vectors/http.h") + text("tests/unit/test_rekey.c")
    names = re.findall(r'"([^"]+)"', page)
    assert len(names) > 80 and [name for name in names if f'"{name}"' not in vectors] == []
    tests = text("tests/unit/*.c") + text("tests/e2e/test_*.py")
    names = set(re.findall(r"`(test_\w+)`", page))
    assert len(names) > 30
    assert [
        each for each in names if f"UNIT({each})" not in tests and f"def {each}(" not in tests
    ] == []


def test_the_man_page_lists_every_function():
    """Of the headers that an application includes. What is for the files of the library, its header
    says."""
    page = (ROOT / "docs/librekey.3").read_text()
    core = "rekey rekey_error show rotate credential credential_entra credential_managed"
    ports = "posix proxy sockets tcp pem_bundle der_table tls client_certificate owner"
    headers = [ROOT / f"src/{name}.h" for name in core.split()]
    for name in ports.split():
        headers += (ROOT / "port").rglob(f"{name}.h")
    assert len(headers) == 16
    for header in headers:
        text = header.read_text()
        public = re.sub(r"//.*", "", re.split(r"// (?:---- )?[Ff]or the \w+ files", text)[0])
        functions = re.findall(r"^(?:static inline )?\w[\w ]*[ *](rekey_\w+)\(", public, re.M)
        assert functions
        for function in functions:
            assert f".Fn {function} " in page, function
