"""Shared by the pictures of docs/: the style, and the few shapes of which they are made.

All coordinates are whole numbers that a script has computed, so that every machine writes the same
bytes. Text stays text, in the reader's own font. Each picture has its own background, which follows
the reader's colour scheme, so that it can be read on any page.
"""

import re
from xml.sax.saxutils import escape

# class: its properties, for a light background, for a dark one
LOOK = [
    (".ground", "fill:{};stroke:{}", ("#ffffff", "#d0d7de"), ("#0d1117", "#30363d")),
    (".terminal", "fill:{};stroke:{}", ("#161b22", "#161b22"), ("#161b22", "#484f58")),
    ("text", "fill:{}", ("#1f2328",), ("#e6edf3",)),
    (".dim", "fill:{}", ("#59636e",), ("#9198a1",)),
    (".band", "fill:{}", ("#f6f8fa",), ("#161b22",)),
    (".grid", "stroke:{}", ("#d0d7de",), ("#30363d",)),
    (".plain", "fill:{};stroke:{}", ("#ffffff", "#818b98"), ("#21262d", "#9198a1")),
    (".blue", "fill:{};stroke:{}", ("#ddf4ff", "#0969da"), ("#0c2d4d", "#4493f8")),
    (".green", "fill:{};stroke:{}", ("#dafbe1", "#1a7f37"), ("#12361f", "#3fb950")),
    (".amber", "fill:{};stroke:{}", ("#fff8c5", "#9a6700"), ("#3d2e00", "#d29922")),
    (".red", "fill:{};stroke:{}", ("#ffebe9", "#cf222e"), ("#4a1519", "#f85149")),
    (".violet", "fill:{};stroke:{}", ("#fbefff", "#8250df"), ("#2d1b4e", "#ab7df8")),
    (".arrow", "stroke:{}", ("#59636e",), ("#9198a1",)),
    (".head", "fill:{}", ("#59636e",), ("#9198a1",)),
]
FIXED = (
    "text{font:13px sans-serif}.code{font-family:ui-monospace,Menlo,Consolas,monospace}"
    ".small{font-size:11px}.bold{font-weight:bold}.arrow{fill:none;stroke-width:1.5}"
    ".curve{fill:none;stroke-width:2.5}.dashed{stroke-dasharray:4 4}.dot{fill:#6e7681}.screen{fill:#e6edf3;white-space:pre}.typed{fill:#7ee787}"
)


class Picture:
    """Shapes in the order in which they were added, written as SVG."""

    def __init__(self, width, height, title, description, ground="ground"):
        self.size, self.title, self.description = (width, height), title, description
        self.lines = []
        self.box(1, 1, width - 2, height - 2, ground, 8)

    def box(self, x, y, width, height, look="plain", radius=5):
        self.lines.append(
            f'<rect class="{look}" x="{x}" y="{y}" width="{width}" height="{height}" rx="{radius}"/>'
        )

    def text(self, x, y, words, look="", anchor="start"):
        look = f' class="{look}"' if look else ""
        anchor = f' text-anchor="{anchor}"' if anchor != "start" else ""
        self.lines.append(f'<text{look} x="{x}" y="{y}"{anchor}>{escape(words)}</text>')

    def line(self, points, look="grid"):
        points = " ".join(f"{x},{y}" for x, y in points)
        self.lines.append(f'<polyline class="{look}" points="{points}"/>')

    def arrow(self, *points, look="arrow"):
        """An arrow from the first point through the others. Its head is at the last point, and its
        last segment is vertical or horizontal."""
        (x, y), (tip_x, tip_y) = points[-2:]
        dx, dy = (tip_x > x) - (tip_x < x), (tip_y > y) - (tip_y < y)
        base_x, base_y = tip_x - 8 * dx, tip_y - 8 * dy
        self.line([*points[:-1], (base_x, base_y)], look)
        corners = [
            (tip_x, tip_y),
            (base_x + 4 * dy, base_y + 4 * dx),
            (base_x - 4 * dy, base_y - 4 * dx),
        ]
        corners = " ".join(f"{x},{y}" for x, y in corners)
        self.lines.append(f'<polygon class="head" points="{corners}"/>')

    def svg(self):
        width, height = self.size
        used = "\n".join(self.lines)
        looks = [
            each for each in LOOK if each[0] == "text" or re.search(rf"\b{each[0][1:]}\b", used)
        ]
        light, dark = (
            "".join(f"{name}{{{rule.format(*pair[i])}}}" for name, rule, *pair in looks)
            for i in range(2)
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width}" height="{height}"'
            f' viewBox="0 0 {width} {height}">\n'
            f"<title>{escape(self.title)}</title>\n<desc>{escape(self.description)}</desc>\n"
            f"<style>{light}\n@media(prefers-color-scheme:dark){{{dark}}}\n{FIXED}</style>\n"
            f"{used}\n</svg>\n"
        )


def require(condition, words):
    """Fails unless the picture and the code have the same items."""
    if not condition:
        raise SystemExit(f"tests/pictures: {words}")


def enumerators(source, name):
    """The names of an enum, from the text of a C file."""
    body = re.search(rf"\benum {name} \{{(.*?)\}};", source, re.DOTALL)
    require(body is not None, f"there is no enum {name}")
    return re.findall(r"\b[A-Z][A-Z_0-9]+\b", re.sub(r"//.*", "", body[1]))
