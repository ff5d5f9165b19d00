"""docs/to_html.py makes pages with working links, and finds links that are broken."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = """# Title

See [the guide](docs/guide.md#in-short), [the manual](docs/tool.1), [code](src/tool.c), [all](src) and
[this](#title). ![picture](docs/picture.svg) <https://example.com/nothing.md>
"""
GUIDE = """# Guide

## In short: `x`

[Back](../README.md), [again](#in-short-x), [more](more/notes.md)
"""
MANUAL = """.Dd January 1, 2026
.Dt TOOL 1
.Os
.Sh NAME
.Nm tool
.Nd a tool
"""


@pytest.fixture
def tree(tmp_path):
    for path, text in {
        "README.md": README.replace("in-short", "in-short-x"),
        "docs/guide.md": GUIDE,
        "docs/more/notes.md": "# Notes\n\n| a | b |\n|---|---|\n| 1 | [up](../tool.1#NAME) |\n",
        "docs/tool.1": MANUAL,
        "docs/picture.svg": "<svg/>",
        "src/tool.c": "int x;\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    return tmp_path


def convert(tree):
    for tool in ("cmark-gfm", "mandoc"):
        if shutil.which(tool) is None:
            pytest.skip(f"there is no {tool}: make html gets it")
    result = subprocess.run(
        [sys.executable, ROOT / "docs/to_html.py", "--root", tree, tree / "out"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stderr == ""
    return result.returncode, result.stdout.splitlines()


def test_all_links_lead_to_html(tree):
    assert convert(tree) == (0, [f"{tree}/out/index.html"])
    text = (tree / "out/index.html").read_text(encoding="utf-8")
    for link in (
        "docs/guide.html#in-short-x",
        "docs/tool.1.html",
        "src/tool.c",
        "docs/picture.svg",
    ):
        assert f'"{link}"' in text, link
    assert 'href="https://example.com/nothing.md"' in text
    guide = (tree / "out/docs/guide.html").read_text(encoding="utf-8")
    assert 'id="in-short-x"' in guide and 'href="../index.html"' in guide
    notes = (tree / "out/docs/more/notes.html").read_text(encoding="utf-8")
    assert "<td>" in notes and 'href="../tool.1.html#NAME"' in notes
    assert (tree / "out/docs/picture.svg").exists() and (tree / "out/src/tool.c").exists()


@pytest.mark.parametrize(
    "page, old, new, told",
    [
        ("README.md", "docs/guide.md#", "docs/none.md#", "README.md: there is no docs/none.md"),
        ("README.md", "picture.svg", "none.svg", "README.md: there is no docs/none.svg"),
        ("README.md", "#title", "#other", "index.html: broken link: #other"),
        ("README.md", "(src)", "(../other)", "README.md: there is no ../other"),
        (
            "docs/guide.md",
            "short: `x`",
            "long",
            "index.html: broken link: docs/guide.html#in-short-x",
        ),
        (
            "docs/more/notes.md",
            "#NAME",
            "#N",
            "docs/more/notes.html: broken link: ../tool.1.html#N",
        ),
        (
            "docs/tool.1",
            ".Nd a tool",
            ".Nd see\n.Xr other 1",
            "docs/tool.1.html: broken link: other.1.html",
        ),
    ],
)
def test_a_broken_link(tree, page, old, new, told):
    (tree.parent / "other").mkdir(exist_ok=True)
    text = (tree / page).read_text(encoding="utf-8")
    assert old in text
    (tree / page).write_text(text.replace(old, new), encoding="utf-8")
    code, lines = convert(tree)
    assert code == 1 and told in lines
