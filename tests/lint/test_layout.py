"""layout.py finds the faults that are planted into a copy of the tree, and none in the tree
itself."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


@pytest.fixture
def tree(tmp_path):
    for top in ("src", "port", "boards"):
        for path in (ROOT / top).rglob("*.[ch]"):
            copy = tmp_path / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
    return tmp_path


def check(tree):
    return subprocess.run(
        [sys.executable, HERE / "layout.py", tree], capture_output=True, text=True, check=False
    )


def test_the_tree_as_it_is(tree):
    result = check(tree)
    assert (result.returncode, result.stdout) == (0, "layout: all arrows run one way\n")


@pytest.mark.parametrize(
    "path, target, said",
    [
        ("src/json.c", "rotate.h", "src/json is below src/rotate"),
        ("src/http.c", "rekey.h", "src/http is below src/rekey.h"),
        ("src/span.h", "url.h", "src/span is below src/url"),
        ("src/retry.c", "../port/posix/posix.h", "src/retry is below port/posix/posix"),
        ("src/message.c", "../boards/linux/text.h", "src/message is below boards/linux/text"),
        ("port/posix/tcp.c", "../../boards/linux/process.h", "is below boards/linux/process"),
        ("boards/linux/proxy.c", "output.h", "boards/linux/proxy is below boards/linux/output"),
        ("boards/linux/identity.c", "session.h", "is below boards/linux/session"),
        ("boards/linux/outcome.c", "rotation.h", "is below boards/linux/rotation"),
        ("boards/linux/options.c", "command/commands.h", "is below boards/linux/command/commands"),
    ],
)
def test_a_back_arrow(tree, path, target, said):
    with open(tree / path, "a", encoding="utf-8") as file:
        file.write(f'#include "{target}"\n')
    result = check(tree)
    line = (tree / path).read_text(encoding="utf-8").count("\n")
    assert result.returncode == 1
    assert f"{path}:{line}: " in result.stdout and said in result.stdout


@pytest.mark.parametrize(
    "path, target, circle",
    [
        ("boards/linux/fault.h", "proxy.h", ["boards/linux/fault", "boards/linux/proxy"]),
        ("boards/linux/options.h", "help.h", ["boards/linux/options", "boards/linux/help"]),
        ("src/url.h", "json.h", ["src/url", "src/json"]),
    ],
)
def test_a_circle(tree, path, target, circle):
    with open(tree / path, "a", encoding="utf-8") as file:
        file.write(f'#  include "{target}"\n')
    if path == "src/url.h":  # the other half of the circle
        with open(tree / "src/json.h", "a", encoding="utf-8") as file:
            file.write('#include "url.h"\n')
    result = check(tree)
    assert result.returncode == 1
    assert "a circle of includes: " in result.stdout
    assert all(module in result.stdout for module in circle)


def test_a_comment_is_no_arrow(tree):
    with open(tree / "src/json.c", "a", encoding="utf-8") as file:
        file.write('// #include "rotate.h"\n')
    assert check(tree).returncode == 0


def test_a_new_file_of_src_needs_a_level(tree):
    (tree / "src/other.c").write_text("", encoding="utf-8")
    result = check(tree)
    assert result.returncode == 1 and "src/other: it has no level" in result.stdout


@pytest.mark.parametrize("lines, code", [(400, 0), (401, 1)])
def test_a_long_file(tree, lines, code):
    (tree / "boards/linux/command/long.c").write_text("\n" * lines, encoding="utf-8")
    result = check(tree)
    assert result.returncode == code
    assert ("long.c: 401 lines, the most is 400" in result.stdout) == (code == 1)
