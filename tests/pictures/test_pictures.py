"""The pictures of docs/: that they can be read, and that each script notices a change of the code.
`make check-pictures` runs these tests after it has compared the pictures themselves."""

import re
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/pictures"), str(ROOT / "tests/lint")]

import house
import layout
import memory
import outcome
import request as request_picture
import rotation
import run

MADE = [*(ROOT / "build/pictures").glob("*.svg"), ROOT / "docs/fleet.svg"]
SVG = "{http://www.w3.org/2000/svg}"


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


# ---- what a reader sees --------------------------------------------------------------------------


def extent(element):
    """Left end, right end and baseline of a text, for a wide font."""
    look = element.get("class", "")
    size = 11 if "small" in look else 13
    width = len(element.text) * size * (0.61 if "code" in look else 0.6 if "bold" in look else 0.56)
    x, anchor = int(element.get("x")), element.get("text-anchor", "start")
    left = x - {"start": 0, "middle": width / 2, "end": width}[anchor]
    return left, left + width, int(element.get("y")), size


@pytest.mark.parametrize("path", MADE, ids=lambda path: path.stem)
def test_it_can_be_read(path):
    assert path.stat().st_size < 16384
    root = xml.parse(path).getroot()
    width, height = int(root.get("width")), int(root.get("height"))
    assert root.get("viewBox") == f"0 0 {width} {height}"
    assert root[0].tag == f"{SVG}title" and root[1].tag == f"{SVG}desc"
    assert len(root[0].text) > 10 and len(root[1].text) > 80
    assert "prefers-color-scheme:dark" in root.find(f"{SVG}style").text
    assert "href" not in path.read_text() and root.find(f".//{SVG}script") is None
    extents = [(element.text, *extent(element)) for element in root.iter(f"{SVG}text")]
    assert extents
    for i, (words, left, right, y, size) in enumerate(extents):
        assert left >= 0 and right <= width and size <= y <= height - 3, f"{words} is cut"
        for other, other_left, other_right, other_y, _ in extents[:i]:
            apart = right <= other_left or other_right <= left or abs(y - other_y) >= size
            assert apart, f"{words} is over {other}"


# ---- changes that the scripts notice -------------------------------------------------------------

SOURCES = ("src/rekey.c", "src/exchange.c", "src/operation.h")


@pytest.mark.parametrize(
    "number, old, new",
    [
        (0, "TOKEN, WAIT, EXCHANGE }", "TOKEN, WAIT, EXCHANGE, PAUSED }"),
        (0, "    r->state = WAIT;\n", ""),
        (0, "r->error = REKEY_E_IDLE;", "r->error = REKEY_E_IDLE; r->state = ENDED;"),
        (1, "enum state { OPEN, SEND, RECEIVE }", "enum state { OPEN, SEND, RECEIVE, FLUSH }"),
        (2, "    REKEY_NEXT_SUCCEEDED,\n", "    REKEY_NEXT_SUCCEEDED,\n    REKEY_NEXT_AGAIN,\n"),
    ],
)
def test_another_life_of_a_request(number, old, new):
    texts = [text_of(name) for name in SOURCES]
    request_picture.draw(*texts)
    assert old in texts[number]
    texts[number] = texts[number].replace(old, new)
    with pytest.raises(SystemExit, match="differ"):
        request_picture.draw(*texts)


def test_another_rotation():
    source = text_of("src/rotate.c")
    changes = {each for _, _, those in rotation.ARROWS for each in those}
    lines = [f"after {start}: {end}\n" for start, end in map(str.split, sorted(changes))]
    rotation.draw(source, "".join(lines) + "after LISTING: ENDED\n")
    with pytest.raises(SystemExit, match="PAUSED"):
        rotation.draw(re.sub(r"(?<=enum phase \{\n)", "    PAUSED,\n", source), "".join(lines))
    with pytest.raises(SystemExit, match="BEGIN HOOK"):
        rotation.draw(source, "".join(lines) + "after BEGIN: HOOK\n")
    missing = lines.pop(0).split()
    with pytest.raises(SystemExit, match=f"{missing[1][:-1]} {missing[2]}"):
        rotation.draw(source, "".join(lines))


def test_another_outcome():
    headers = text_of("src/rekey_error.h"), text_of("src/rekey.h")
    names = re.findall(r"X\((REKEY_E_\w+),", headers[0])
    phases = [*outcome.PHASES, *outcome.LIKE]
    same = "".join(f"{phase},{name},15,15\n" for phase in phases for name in ["", *names])
    differs = same.replace(
        "renewing,REKEY_E_LIMIT_TOKEN,15,15", "renewing,REKEY_E_LIMIT_TOKEN,14,14"
    )
    text = outcome.draw(
        *headers, differs.replace("polling,REKEY_E_IO,15,15", "polling,REKEY_E_IO,12,12")
    ).svg()
    assert ">IO</text>" in text and text.count("unknown (12)") == 1
    for lines in (same, differs + "resuming,,12,12\n"):
        with pytest.raises(SystemExit):
            outcome.draw(*headers, lines)


def test_other_memory():
    text = text_of("docs/memory.md")
    memory.draw(text)
    with pytest.raises(SystemExit, match="belongs to no part"):
        memory.draw(text.replace("  board and its port  ", "  another part        ", 1))
    with pytest.raises(SystemExit, match="no table"):
        memory.draw(text + "\n## a-board: new\n")


def test_another_house(monkeypatch):
    arrows = layout.read_arrows(ROOT)
    monkeypatch.setattr(layout, "read_arrows", lambda root: arrows)
    house.draw(layout, ROOT)
    arrows["port/template/port"]["port/lwip/tcp"] = "port.c:1"
    with pytest.raises(SystemExit, match="port/template"):
        house.draw(layout, ROOT)


def test_a_terminal():
    shown = "$ true\r\nrekey: one\r\x1b[Krekey: two\r\n$ "
    assert run.lines_of(shown) == ["$ true", "rekey: two", "$ "]
    assert run.lines_of("x" * 100) == ["x" * run.COLUMNS, "x" * (100 - run.COLUMNS)]
    with pytest.raises(SystemExit):
        run.lines_of("\x1b[31mred\r\n")
