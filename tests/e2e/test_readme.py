"""Statements of README.md and the other pages must be true, and everything that docs/security.md
names must exist."""

import re

import help_pages
from conftest import ROOT

VERSION = re.search(r'REKEY_VERSION "(.*)"', (ROOT / "src/rekey_config.h").read_text())[1]
# The files that name the version of rekey.
NAMED = re.compile(
    r"(?:\brekey[-_:/]|\bnewTag: |^ *rekey_version: |^pkgver=|^PKG_VERSION:=|^REKEY_VERSION = "
    r"|^- \*\*Version )(\d+\.\d+\.\d+)",
    re.M,
)


def test_the_first_five_minutes():
    """README can be read in five minutes."""
    assert len((ROOT / "README.md").read_text().split()) <= 1100


def test_the_version_everywhere():
    """Recipes, overlays, an inventory and pages name the current version."""
    named = {}
    for folder in ("README.md", "docs", "boards"):
        place = ROOT / folder
        for path in [place] if place.is_file() else place.rglob("*"):
            if path.is_file() and path.suffix not in (".svg", ".png"):
                for found in NAMED.findall(f"{path.name}\n{path.read_text()}"):
                    named.setdefault(found, []).append(str(path.relative_to(ROOT)))
    assert len(named[VERSION]) > 10 and list(named) == [VERSION], named
    assert re.search(r"^## (\d\S+)", (ROOT / "docs/changelog.md").read_text(), re.M)[1] == VERSION


def test_the_sizes_are_those_of_the_measured_page():
    text = (ROOT / "README.md").read_text().split("\n## Sizes\n")[1].split("\n## ")[0]
    cells = " ".join(re.findall(r"\| ([^|]*) \|$", text, re.M))
    number = r"(?<![\d,])\d[\d,]*\d"
    sizes = re.findall(number, cells.replace(", ", " "))
    measured = set(re.findall(number, (ROOT / "docs/memory.md").read_text()))
    assert len(sizes) >= 8 and [size for size in sizes if size not in measured] == []


def test_exit_codes():
    """For each exit code docs/gateway.md says what systemd and a person do."""
    rows = re.findall(r"^\| (\d[\d, ]*) \|", (ROOT / "docs/gateway.md").read_text(), re.M)
    codes = {int(code) for row in rows for code in row.split(",")}
    assert codes == {
        int(code) for code in re.findall(r"^ +(\d+) ", help_pages.page("exit-codes"), re.M)
    } - {0}


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
    """It lists those of the headers that an application includes. A header that is only for the
    files of the library says so."""
    page = (ROOT / "docs/librekey.3").read_text()
    core = "rekey rekey_error show rotate credential credential_entra credential_managed"
    ports = "posix proxy sockets tcp pem_bundle der_table tls client_certificate owner"
    headers = [ROOT / f"src/{name}.h" for name in core.split()]
    for name in ports.split():
        headers += (ROOT / "port").rglob(f"{name}.h")
    assert len(headers) == 16
    for header in headers:
        text = header.read_text()
        public = re.sub(r"//.*", "", re.split(r"// (?:---- )?[Ff]or the (?:\w+ )?files", text)[0])
        functions = re.findall(r"^(?:static inline )?\w[\w ]*[ *](rekey_\w+)\(", public, re.M)
        assert functions
        for function in functions:
            assert f".Fn {function} " in page, function
