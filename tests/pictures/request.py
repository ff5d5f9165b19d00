"""docs/request.svg: the life of a request, as rekey_step handles it. States, answers and arrows are
those of the code: the next states of a step are read from src/rekey.c."""

import re

from style import Picture, enumerators, require

# The action of a step, by its state. An operation begins with `start`.
STEPS = {"TOKEN": "step_token", "WAIT": "step_wait", "EXCHANGE": "step_exchange", "IDLE": "start"}
BOXES = {
    "UNUSABLE": (30, 60, 140, 50, "plain", "zeroed memory"),
    "IDLE": (30, 170, 140, 50, "plain", "nothing was started"),
    "TOKEN": (310, 170, 140, 50, "blue", "get a token"),
    "EXCHANGE": (590, 90, 190, 186, "green", "one request, one answer"),
    "WAIT": (590, 340, 190, 50, "amber", "until a time"),
    "ENDED": (900, 170, 150, 50, "plain", "until the next operation"),
}
PARTS = {  # states of an exchange
    "OPEN": "lookup, TCP, proxy, TLS",
    "SEND": "the operation is saved first",
    "RECEIVE": "the head, then the body",
}
ARROWS = {
    ("UNUSABLE", "IDLE"): [(100, 110), (100, 170)],
    ("IDLE", "WAIT"): [(130, 220), (130, 378), (590, 378)],
    ("IDLE", "ENDED"): [(60, 220), (60, 430), (1000, 430), (1000, 220)],
    ("TOKEN", "EXCHANGE"): [(450, 185), (590, 185)],
    ("TOKEN", "ENDED"): [(380, 170), (380, 66), (1000, 66), (1000, 170)],
    ("WAIT", "TOKEN"): [(590, 356), (380, 356), (380, 220)],
    ("WAIT", "EXCHANGE"): [(640, 340), (640, 276)],
    ("EXCHANGE", "EXCHANGE"): [(660, 90), (660, 74), (720, 74), (720, 90)],
    ("EXCHANGE", "TOKEN"): [(590, 245), (420, 245), (420, 220)],
    ("EXCHANGE", "WAIT"): [(730, 276), (730, 340)],
    ("EXCHANGE", "ENDED"): [(780, 195), (900, 195)],
}
WORDS = [  # x, y, anchor, text at an arrow
    (108, 145, "start", "rekey_init"),
    (138, 396, "start", "rekey_regenerate, or another operation: a wait that is over"),
    (66, 446, "start", "a parameter breaks its rule"),
    (994, 446, "end", "from every state: the deadline, rekey_abort"),
    (520, 177, "middle", "there is a token"),
    (386, 58, "start", "no token"),
    (386, 348, "start", "there is no token, or it is old"),
    (632, 312, "end", "it is time"),
    (652, 84, "end", "an idle connection was closed: at once"),
    (500, 261, "middle", "401"),
    (738, 306, "start", "poll, or try again"),
    (738, 322, "start", "later"),
    (840, 186, "middle", "done, refused,"),
    (840, 212, "middle", "failed, unknown"),
]
# The possible meanings of an answer: the state that follows, and why.
ANSWERS = {
    "SUCCEEDED": ("ENDED", "the service says that it is done"),
    "POLL": ("WAIT", "accepted, with a polling URL: from now on that is polled"),
    "RUNNING": ("WAIT", "still running: poll again"),
    "NEW_TOKEN": ("TOKEN", "401; a second one in a row ends the operation"),
    "REPEAT": ("WAIT", "not processed: again, a few times; a poll until the deadline"),
    "NOT_FOUND": ("WAIT", "404 to a poll: poll again, a few times in a row"),
    "MAYBE": ("ENDED", "the POST may have been executed; what only reads is repeated"),
    "REFUSED": ("ENDED", "the service refused: nothing was executed"),
    "FAILED": ("ENDED", "the operation failed, or was canceled"),
    "UNKNOWN": ("ENDED", "what became of the operation cannot be said"),
}


def leads_to(source):
    """{(state, next state)}: the assignments to the state that the code of a step can reach."""
    pattern = r"^\w[\w *]*?\b(\w+)\([^;{]*\) \{\n(.*?)^\}"
    functions = dict(re.findall(pattern, source, re.M | re.S))

    def reached(name, seen):
        if name in seen or name not in functions:
            return set()
        seen.add(name)
        states = set(re.findall(r"\br->state = (\w+);", functions[name]))
        calls = re.findall(r"(?<![>.\w])(\w+)\(", functions[name])
        return states.union(*(reached(each, seen) for each in calls))

    return {(state, to) for state, name in STEPS.items() for to in reached(name, set())} | {
        ("UNUSABLE", to) for to in reached("rekey_init", set())
    }


def draw(rekey, exchange, operation):
    """Draws it from the text of src/rekey.c, src/exchange.c and src/operation.h."""
    answers = [each.removeprefix("REKEY_NEXT_") for each in enumerators(operation, "rekey_next")]
    for found, shown, what in (
        (enumerators(rekey, "state"), BOXES, "states of src/rekey.c"),
        (enumerators(exchange, "state"), PARTS, "states of src/exchange.c"),
        (answers, ANSWERS, "values of enum rekey_next"),
        (leads_to(rekey), ARROWS, "ways between the states of src/rekey.c"),
    ):
        differ = sorted(set(found) ^ set(shown))
        require(not differ, f"request.py and the {what} differ: {differ}")
    picture = Picture(
        1080,
        500 + 24 * ((len(ANSWERS) + 1) // 2),
        "The life of a request",
        "The states of the client. An operation begins by getting a token, goes through exchanges of one"
        " request and one answer with waits between them, and ends. A table says what an answer means.",
    )
    picture.text(20, 30, "The life of a request: the states of rekey_step", "bold")
    for points in ARROWS.values():
        picture.arrow(*points)
    for name, (x, y, width, height, look, words) in BOXES.items():
        picture.box(x, y, width, height, look)
        picture.text(x + width // 2, y + 21, name, "bold", "middle")
        picture.text(x + width // 2, y + 38, words, "small", "middle")
    for i, (name, words) in enumerate(PARTS.items()):
        y = 136 + 45 * i
        picture.box(600, y, 170, 38, "plain")
        picture.text(685, y + 16, name, "small bold", "middle")
        picture.text(685, y + 31, words, "small", "middle")
    for x, y, anchor, words in WORDS:
        picture.text(x, y, words, "small dim", anchor)
    picture.text(20, 480, "What an answer means", "bold")
    for i, (name, (state, why)) in enumerate(ANSWERS.items()):
        x, y = 20 + 540 * (i % 2), 506 + 24 * (i // 2)
        picture.text(x, y, name, "small bold")
        picture.text(x + 84, y, state, "small code")
        picture.text(x + 140, y, why, "small")
    return picture
