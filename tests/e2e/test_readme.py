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
    page = (ROOT / "docs/librekey.3").read_text()
    headers = "rekey rekey_error show rotate credential credential_entra credential_managed"
    for name in headers.split():
        text = (ROOT / f"src/{name}.h").read_text()
        public = re.sub(r"//.*", "", re.split(r"// (?:---- )?[Ff]or the \w+ files", text)[0])
        functions = re.findall(r"^(?:static inline )?\w[\w ]*[ *](rekey_\w+)\(", public, re.M)
        assert functions
        for function in functions:
            assert f".Fn {function} " in page, function
