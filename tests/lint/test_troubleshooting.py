"""troubleshooting.py finds the faults that are planted into a copy of the page and of the code, and
none in the tree itself."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PAGE = "docs/troubleshooting.md"


@pytest.fixture
def tree(tmp_path):
    files = [PAGE, "src/rekey.h", "src/rekey_error.h"]
    for pattern in ("boards/linux/**/*.c", "port/mbedtls/*.c"):
        files += [path.relative_to(ROOT) for path in ROOT.glob(pattern)]
    for path in map(Path, files):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    return tmp_path


def check(tree):
    result = subprocess.run(
        [sys.executable, HERE / "troubleshooting.py", tree],
        capture_output=True,
        text=True,
        check=False,
    )
    return result.returncode, result.stdout.splitlines()


def replace(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_the_tree_as_it_is(tree):
    assert check(tree) == (0, ["troubleshooting: every message has an entry"])


def test_an_error_without_an_entry(tree):
    replace(tree / "src/rekey_error.h", '"TLS failed")', '"TLS is broken")')
    assert check(tree) == (
        1,
        [
            "src/rekey_error.h: no entry for: TLS is broken",
            f"{PAGE}: the code does not print: TLS failed",
        ],
    )


@pytest.mark.parametrize(
    "line, told",
    [
        ('say("the %s of %lu bytes "\n    "is too long");', "the ... of ... bytes is too long"),
        ('say(": at %" PRId64 " it already has " TEXT_OF(MOST) " bytes");', "at ... it already has ... bytes"),
        ('"%s%s: it is \\"%.*s\\" and \\\\x%02X here"', '...: it is "..." and \\x... here'),
    ],
)
def test_a_message_without_an_entry(tree, line, told):
    for name in ("boards/linux/command/show.c", "port/mbedtls/tls.c"):
        text = (tree / name).read_text(encoding="utf-8")
        (tree / name).write_text(f"{text}void more(void) {{\n    {line}\n}}\n", encoding="utf-8")
        assert check(tree) == (1, [f"{name}: no entry for: {told}"])
        (tree / name).write_text(text, encoding="utf-8")


def test_comments_and_short_texts_need_no_entry(tree):
    with open(tree / "boards/linux/main.c", "a", encoding="utf-8") as file:
        file.write(
            '// "one two three four five six"\nstatic const char *text = "a few words more";\n'
        )
    assert check(tree)[0] == 0


def test_a_message_that_is_in_the_page_twice(tree):
    replace(tree / PAGE, "| `TLS failed` |", "| `TLS failed`, `TLS failed` |")
    assert f"{PAGE}: more than one entry for: TLS failed" in check(tree)[1]


def test_a_message_in_another_cell_is_no_entry(tree):
    replace(
        tree / PAGE, "| `TLS failed` | ", "| `the operation was canceled at once` | `TLS failed` "
    )
    assert check(tree) == (
        1,
        [
            "src/rekey_error.h: no entry for: TLS failed",
            f"{PAGE}: the code does not print: the operation was canceled at once",
        ],
    )


@pytest.mark.parametrize(
    "old, new, told",
    [
        ("| 11 | `not-trusted` |", "| 11 | `trusted` |", "exit code 11: "),
        ("| 13 | `running` |", "| 16 | `running` |", "exit code 16: "),
        ("| 1 | `refused`, `failed` |", "| 1 | `refused` |", "exit code 1: "),
    ],
)
def test_exit_codes(tree, old, new, told):
    replace(tree / PAGE, old, new)
    code, lines = check(tree)
    assert code == 1 and any(line.startswith(told) for line in lines)
