"""docs/house.svg: the files of boards, port and src, and which include which, as the check of the
include graph (tests/lint/layout.py) reads them. Files of the command and of the core are grouped by
their level in that check, all others by their folder. Arrows that follow from others are left
out."""

import textwrap

from style import Picture, require

COMMAND = "boards/linux"
# The text of each box, from top to bottom. A row of the command, or a level of the core, has this
# name.
ROWS = {
    "boards/linux/main": "where it starts",
    "boards/linux/command/*": "a file for each command",
    "boards/linux/regeneration": "what commands share",
    "boards/linux/session*": "a session, its options, its words",
    "boards/linux/output": "what prints",
    "boards/*": "what never prints",
}
BOARDS = {
    "boards/examples": "to copy from",
    "boards/lm3s6965evb": "a firmware for a Cortex-M3",
    "boards/linux-stock": "for the tests",
}
TLS = {
    "port/mbedtls/owner": "mbedTLS, its arena",
    "port/mbedtls": "TLS over any transport",
    "port/anchors": "trust anchors",
    "port/posix": "sockets, proxy, clocks, files",
}
PORTS = ["port/template", "port/sockets", "port/lwip"]
TOP = {
    "src/rekey": "the operation",
    "src/rotate": "a rotation; what the service says of an endpoint",
}
CORE = {
    "src/credential*": "requests, and the identity that they need",
    "src/endpoint": "one request and its answer: what they hold, and what follows",
    "src/http": "parsers",
    "src/span": "texts, errors, limits, what a port provides",
}


def group_of(layout, module):
    """The box of a module; for a file of the command, the row in that box."""
    folder = module.rpartition("/")[0]
    level = layout.LEVELS[layout.level_of(module)][0]
    if folder == "src":
        return level, None
    if folder.startswith("boards/"):
        folder = "/".join(folder.split("/")[:2])
    return folder, level if folder == COMMAND else None


def reduced(arrows):
    """The arrows without those that a longer path implies. `arrows` has no circle."""

    def reached(start, skip):
        found, todo = set(), [each for each in arrows.get(start, ()) if each != skip]
        while todo:
            each = todo.pop()
            if each not in found:
                found.add(each)
                todo += arrows.get(each, ())
        return found

    return {
        (start, end) for start in arrows for end in arrows[start] if end not in reached(start, end)
    }


def read(layout, root):
    """{box or row: its modules}, the arrows between boxes, and the arrows between rows."""
    modules, boxes, rows = {}, {}, {}
    for module, targets in layout.read_arrows(root).items():
        box, row = group_of(layout, module)
        name = module.removeprefix("src/").removeprefix(box + "/").removeprefix("command/")
        modules.setdefault(row or box, set()).add(name)
        for target in targets:
            to_box, to_row = group_of(layout, target)
            if box != to_box:
                boxes.setdefault(box, set()).add(to_box)
            elif row != to_row:
                rows.setdefault(row, set()).add(to_row)
    return modules, reduced(boxes), reduced(rows)


class House:
    """Boxes in their places, and the points at their edges for arrows."""

    def __init__(self, modules):
        self.modules, self.boxes, self.shapes = modules, {}, []

    def place(self, name, title, x, y, width, look):
        """Returns where the next box can begin."""
        modules = self.modules.get(name, set())
        names = sorted(each for each in modules if each.removesuffix(".h") not in modules - {each})
        lines = textwrap.wrap(" ".join(names), (width - 20) * 10 // 67)
        height = 26 + 15 * len(lines)
        self.boxes[name] = (x, y, width, height)
        self.shapes.append((name, title, lines, look))
        return y + height + 18

    def at(self, name, side, along):
        """The point at distance `along` on an edge, from its left or upper end."""
        x, y, width, height = self.boxes[name]
        return {
            "top": (x + along, y),
            "bottom": (x + along, y + height),
            "left": (x, y + along),
            "right": (x + width, y + along),
        }[side]

    def down(self, start, end, along):
        """An arrow from a box straight down to a lower one."""
        tip = self.at(end, "top", along)
        return [(tip[0], self.at(start, "bottom", 0)[1]), tip]

    def way(self, start, end, lane):
        """An arrow from a point at one side to a lane, along the lane, and to a point at another
        side."""
        (_, y), (_, to_y) = self.at(*start), self.at(*end)
        return [self.at(*start), (lane, y), (lane, to_y), self.at(*end)]


def draw(layout, root):
    modules, arrows, row_arrows = read(layout, root)
    house = House(modules)
    # Boards: the command's rows on the left, the others beside them.
    y = beside = 84
    for name, words in ROWS.items():
        y = house.place(name, words, 40, y, 240 if words == "what prints" else 340, "blue")
    house.boxes[COMMAND] = (28, 52, 364, y - 64)
    for name, words in BOARDS.items():
        beside = house.place(name, f"{name}: {words}", 500, beside, 360, "blue")
    port = max(y, beside) + 12
    y = port + 40
    for name, words in TLS.items():
        y = house.place(name, f"{name}: {words}", 40, y, 320, "green")
    for i, name in enumerate(PORTS):
        house.place(name, name, 480 + 140 * i, house.boxes["port/posix"][1], 120, "green")
    src = y + 8
    y = src + 40
    house.place("src/rekey", TOP["src/rekey"], 80, y, 240, "amber")
    y = house.place("src/rotate", TOP["src/rotate"], 360, y, 440, "amber")
    for name, words in CORE.items():
        y = house.place(name, words, 80, y, 720, "amber")
    require(
        set(modules) == house.boxes.keys() - {COMMAND},
        f"house.py has no place for {set(modules) - house.boxes.keys()}",
    )

    routes = {
        (COMMAND, "port/mbedtls/owner"): house.down(COMMAND, "port/mbedtls/owner", 150),
        (COMMAND, "src/rotate"): [
            house.at(COMMAND, "bottom", 355),
            (383, house.boxes["src/rotate"][1]),
        ],
        ("boards/examples", "src/rotate"): [
            house.at("boards/examples", "left", 12),
            (420, house.at("boards/examples", "left", 12)[1]),
            (420, house.boxes["src/rotate"][1]),
        ],
        ("boards/examples", "port/mbedtls/owner"): house.way(
            ("boards/examples", "left", 30), ("port/mbedtls/owner", "right", 20), 460
        ),
        ("boards/lm3s6965evb", "port/mbedtls/owner"): house.way(
            ("boards/lm3s6965evb", "left", 20), ("port/mbedtls/owner", "right", 20), 460
        ),
        ("boards/linux-stock", "port/mbedtls/owner"): house.way(
            ("boards/linux-stock", "left", 20), ("port/mbedtls/owner", "right", 20), 460
        ),
        ("boards/examples", "port/lwip"): house.way(
            ("boards/examples", "right", 20), ("port/lwip", "right", 16), 900
        ),
        ("boards/lm3s6965evb", "port/lwip"): house.way(
            ("boards/lm3s6965evb", "right", 20), ("port/lwip", "right", 16), 900
        ),
        ("port/mbedtls/owner", "port/mbedtls"): house.down(
            "port/mbedtls/owner", "port/mbedtls", 150
        ),
        ("port/mbedtls", "port/anchors"): house.down("port/mbedtls", "port/anchors", 150),
        ("port/anchors", "port/posix"): house.down("port/anchors", "port/posix", 150),
        ("port/mbedtls", "src/credential*"): house.way(
            ("port/mbedtls", "left", 20), ("src/credential*", "left", 20), 24
        ),
        ("port/posix", "src/http"): house.way(
            ("port/posix", "left", 20), ("src/http", "left", 20), 32
        ),
        ("port/template", "src/rotate"): house.down("port/template", "src/rotate", 180),
    }
    for name in ("port/sockets", "port/lwip"):
        start, tip = house.at(name, "bottom", 60), house.at("src/span", "right", 20)
        routes[name, "src/span"] = [
            start,
            (start[0], src - 12),
            (830, src - 12),
            (830, tip[1]),
            tip,
        ]
    for upper, lower in zip(["src/rotate", *CORE], CORE):
        routes[upper, lower] = house.down(upper, lower, 400)
    routes["src/rekey", "src/credential*"] = house.down("src/rekey", "src/credential*", 120)
    require(
        arrows == routes.keys(), f"house.py: these arrows differ: {sorted(arrows ^ routes.keys())}"
    )

    picture = Picture(
        924,
        y + 12,
        "The house: boards, port, src",
        "Boxes of files on three floors: boards on port on src. Each arrow stands for #include lines, and"
        " leads downwards: nothing in src includes anything of port, and nothing in port of boards.",
    )
    for words, x, top, end in (
        ("boards: what can be run", 28, 12, port - 4),
        ("port: adapters", 40, port, src - 4),
        ("src: the core, without I/O", 80, src, y),
    ):
        picture.box(12, top, 900, end - top, "band", 6)
        picture.text(x, top + 24, words, "bold")
    picture.text(
        500, port + 64, "An arrow leads from what includes to what is included.", "small dim"
    )
    picture.text(500, port + 80, "One that other arrows imply is left out.", "small dim")
    picture.box(*house.boxes[COMMAND], "plain")
    picture.text(40, 73, "boards/linux: the command", "small bold")
    for points in routes.values():
        picture.arrow(*points)
    for name, title, lines, look in house.shapes:
        x, top, width, height = house.boxes[name]
        picture.box(x, top, width, height, look)
        picture.text(x + 10, top + 17, title, "small bold")
        for i, line in enumerate(lines):
            picture.text(x + 10, top + 33 + 15 * i, line, "small code")
    for start, end in sorted(row_arrows):
        picture.arrow(*house.down(start, end, 140 if end == "boards/linux/output" else 320))
    return picture
