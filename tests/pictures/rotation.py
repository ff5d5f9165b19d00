"""docs/rotation.svg: the rotation as a state machine. The states are those of src/rotate.c. The
arrows are the transitions that `model -a` (tests/model) has seen, except those to ENDED."""

import re

from style import Picture, enumerators, require

BOXES = {
    "BEGIN": (340, 70, 200, 50, "blue", "what did the last run leave?"),
    "FIRST_HOOK": (640, 70, 180, 50, "violet", "its hook is pending"),
    "RESUMING": (40, 170, 180, 50, "green", "poll its operation"),
    "LISTING": (340, 170, 200, 64, "green", "both keys: which is in use?"),
    "LIST_LATER": (640, 170, 180, 42, "amber", "the list may be out of date"),
    "REGENERATING": (340, 280, 200, 50, "green", "the key that is not in use"),
    "COMPARING": (40, 340, 180, 64, "green", "has its key changed?"),
    "CONFIRMING": (340, 380, 200, 56, "green", "is the new key listed?"),
    "CONFIRM_LATER": (640, 380, 180, 42, "amber", "not yet"),
    "COMPARE_LATER": (40, 460, 180, 50, "amber", "not yet"),
    "SETTLING": (640, 466, 180, 50, "amber", "--settle"),
    "SHOWING": (640, 556, 180, 50, "green", "--probe: the scoring URI"),
    "PROBING": (640, 646, 180, 42, "green", "does it accept the new key?"),
    "PROBE_LATER": (860, 646, 110, 42, "amber", "not yet"),
    "HOOK": (340, 656, 200, 70, "violet", "the new key is in use; --exec"),
    "ENDED": (340, 776, 200, 50, "plain", "the report is final"),
}
# The point at which the paths to SETTLING, SHOWING and HOOK separate: src/rotate.c, settle().
LISTED = (340, 482, 200, 34)
ARROWS = [  # points, text and its place, and the transitions that the arrow stands for
    ([(440, 42), (440, 70)], (450, 58, "start", "rekey rotate, rekey sync"), ["ENDED BEGIN"]),
    ([(60, 706), (340, 706)], (60, 698, "start", "rekey rotate --rollback"), ["ENDED HOOK"]),
    ([(540, 86), (640, 86)], None, ["BEGIN FIRST_HOOK"]),
    ([(640, 104), (540, 104)], None, ["FIRST_HOOK BEGIN"]),
    ([(440, 120), (440, 170)], (448, 148, "start", "nothing"), ["BEGIN LISTING"]),
    ([(340, 104), (130, 104), (130, 170)], (140, 98, "start", "an operation"), ["BEGIN RESUMING"]),
    (
        [(340, 86), (20, 86), (20, 372), (40, 372)],
        (30, 80, "start", "one without a URL, or too old to be polled"),
        ["BEGIN COMPARING"],
    ),
    ([(130, 220), (130, 340)], (122, 330, "end", "unknown"), ["RESUMING COMPARING"]),
    ([(220, 186), (340, 186)], (280, 180, "middle", "it failed"), ["RESUMING LISTING"]),
    (
        [(220, 206), (290, 206), (290, 400), (340, 400)],
        (226, 222, "start", "succeeded"),
        ["RESUMING CONFIRMING"],
    ),
    (
        [(220, 356), (256, 356), (256, 306), (340, 306)],
        (250, 336, "end", "it is over"),
        ["COMPARING REGENERATING"],
    ),
    ([(100, 404), (100, 460)], None, ["COMPARING COMPARE_LATER"]),
    ([(160, 460), (160, 404)], None, ["COMPARE_LATER COMPARING"]),
    (
        [(220, 388), (256, 388), (256, 499), (340, 499)],
        (264, 493, "start", "yes"),
        ["COMPARING SETTLING", "COMPARING SHOWING", "COMPARING HOOK"],
    ),
    ([(540, 182), (640, 182)], None, ["LISTING LIST_LATER"]),
    ([(640, 200), (540, 200)], None, ["LIST_LATER LISTING"]),
    ([(440, 234), (440, 280)], (448, 262, "start", "it is due"), ["LISTING REGENERATING"]),
    (
        [(540, 226), (980, 226), (980, 714), (540, 714)],
        (972, 708, "end", "a listed key is adopted; sync: the new key is listed twice"),
        ["LISTING HOOK"],
    ),
    (
        [(540, 216), (850, 216), (850, 490), (820, 490)],
        (842, 250, "end", "sync: a key has changed"),
        ["LISTING SETTLING"],
    ),
    ([(820, 490), (850, 490), (850, 216), (540, 216)], None, ["SETTLING LISTING"]),
    ([(440, 330), (440, 380)], (448, 360, "start", "it succeeded"), ["REGENERATING CONFIRMING"]),
    ([(540, 392), (640, 392)], None, ["CONFIRMING CONFIRM_LATER"]),
    ([(640, 410), (540, 410)], None, ["CONFIRM_LATER CONFIRMING"]),
    (
        [(440, 436), (440, 482)],
        (432, 464, "end", "yes"),
        ["CONFIRMING SETTLING", "CONFIRMING SHOWING", "CONFIRMING HOOK"],
    ),
    ([(640, 478), (590, 478), (590, 426), (540, 426)], None, ["SETTLING CONFIRMING"]),
    (
        [(540, 502), (640, 502)],
        (548, 518, "start", "once"),
        ["CONFIRMING SETTLING", "COMPARING SETTLING"],
    ),
    (
        [(500, 516), (500, 581), (640, 581)],
        (510, 575, "start", "with --probe"),
        ["CONFIRMING SHOWING", "COMPARING SHOWING"],
    ),
    ([(400, 516), (400, 656)], (392, 590, "end", "twice"), ["CONFIRMING HOOK", "COMPARING HOOK"]),
    ([(730, 606), (730, 646)], None, ["SHOWING PROBING"]),
    ([(820, 658), (860, 658)], None, ["PROBING PROBE_LATER"]),
    ([(860, 676), (820, 676)], None, ["PROBE_LATER PROBING"]),
    ([(640, 667), (540, 667)], (590, 661, "middle", "yes"), ["PROBING HOOK"]),
    ([(440, 726), (440, 776)], None, ["HOOK ENDED"]),
]


def draw(rotate, seen):
    """Draws it from the text of src/rotate.c, and the output of `model -a`."""
    differ = sorted(set(enumerators(rotate, "phase")) ^ set(BOXES))
    require(not differ, f"rotation.py and enum phase of src/rotate.c differ: {differ}")
    followed = {
        f"{start} {end}"
        for start, ends in re.findall(r"^after (\w+):(.*)$", seen, re.M)
        for end in ends.split()
    }
    shown = {each for _, _, changes in ARROWS for each in changes}
    to_end = {each for each in followed if each.endswith(" ENDED")}
    differ = sorted(shown ^ (followed - to_end | {"HOOK ENDED"}))
    require(not differ, f"rotation.py and what `model -a` has seen differ: {differ}")
    picture = Picture(
        1000,
        850,
        "The rotation as a machine of states",
        "A run of rekey rotate begins with what the last run left: a hook, or an operation. It lists the"
        " keys, regenerates the one that is not in use, waits until that is listed, settles or probes,"
        " writes the key file, and runs the hook.",
    )
    picture.text(20, 30, "A rotation", "bold")
    for points, _, _ in ARROWS:
        picture.arrow(*points)
    for name, (x, y, width, height, look, words) in BOXES.items():
        picture.box(x, y, width, height, look)
        middle = y + height // 2
        picture.text(x + width // 2, middle - 4, name, "small bold", "middle")
        picture.text(x + width // 2, middle + 12, words, "small", "middle")
    x, y, width, height = LISTED
    picture.box(x, y, width, height, "plain", 17)
    picture.text(x + width // 2, y + 21, "the new key is listed", "small", "middle")
    for _, words, _ in ARROWS:
        if words:
            x, y, anchor, text = words
            picture.text(x, y, text, "small dim", anchor)
    for i, words in enumerate(
        (
            "Every state can end the run: an error, the deadline, a signal;",
            "LISTING also if no key is due. What was begun stays in the",
            "storage, and the next run finds it.",
        )
    ):
        picture.text(570, 790 + 16 * i, words, "small dim")
    return picture
