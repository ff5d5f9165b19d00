"""docs/memory.svg: the flash and RAM of each board as bars, from docs/memory.md."""

import re

from style import Picture, require

# The questions of a reader: the style of the bar, and its rows in the table of `make size`.
PARTS = {
    "rekey: core, identity, rotation": ("blue", ["core", "credentials, rotation", "struct rekey"]),
    "TLS and its arena": ("green", ["TLS: mbedTLS, port/mbedtls", "TLS arena"]),
    "board, port, TCP/IP, stack": ("amber", ["board and its port", "lwIP, port/lwip", "stack"]),
    "texts": ("violet", ["error texts", "texts of these"]),
    "C library": ("plain", ["C library"]),
}
LEFT, WIDTH, ROW, BAR = 70, 600, 70, 16


def boards(text):
    """(name, description, {row: [flash, RAM]}) of each board that is not only for tests."""
    for name, title, block in re.findall(r"^## (\S+): (.*?)$(.*?)(?=^## |\Z)", text, re.M | re.S):
        table = re.search(r"^\S+ \(bytes\) +flash +RAM\n((?:  .*\n)+?  in all .*\n)", block, re.M)
        require(table is not None, f"docs/memory.md has no table of flash and RAM for {name}")
        rows = {}
        for line in table[1].splitlines():
            numbers = (line[30:39].strip(), line[39:48].strip())
            rows[line[:30].strip()] = [int(each.replace(",", "") or 0) for each in numbers]
        if "for the tests" not in title:
            yield name, title, rows


def draw(text):
    shown = list(boards(text))
    require(shown, "docs/memory.md has no boards")
    scale = WIDTH / max(max(rows["in all"]) for _, _, rows in shown)
    picture = Picture(
        LEFT + WIDTH + 90,
        80 + ROW * len(shown),
        "Flash and RAM of each board",
        "For each board one bar of flash and one of RAM, in bytes, divided into rekey, TLS, the board"
        " with its port, texts, and the C library. docs/memory.md has the numbers.",
    )
    picture.text(16, 28, "Flash and RAM of each board, in bytes", "bold")
    x = 16
    for words, (look, _) in PARTS.items():
        picture.box(x, 42, 12, 12, look, 2)
        picture.text(x + 18, 53, words, "small")
        x += 46 + 6 * len(words)
    for number, (name, title, rows) in enumerate(shown):
        y = 88 + ROW * number
        picture.text(16, y, name, "bold")
        picture.text(36 + 9 * len(name), y, title, "dim small")
        for i, memory in enumerate(("flash", "RAM")):
            x, top = LEFT, y + 8 + i * (BAR + 3)
            picture.text(16, top + 12, memory, "small")
            for look, names in PARTS.values():
                size = sum(rows[each][i] for each in names if each in rows)
                if size > 0:
                    picture.box(round(x), top, round(x + size * scale) - round(x), BAR, look, 0)
                x += size * scale
            total = rows["in all"][i]
            known = [each for _, names in PARTS.values() for each in names if each in rows]
            require(
                sum(rows[each][i] for each in known) == total,
                f"docs/memory.md: a row of {name} belongs to no part of tests/pictures/memory.py",
            )
            picture.text(round(x) + 8, top + 12, f"{total:,}", "small")
    return picture
