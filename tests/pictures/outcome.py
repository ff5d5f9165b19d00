"""docs/outcome.svg: the outcome of each error in each phase. outcomes.c runs the function of
src/rekey.c for every pair; errors of a group with the same outcomes share a row."""

import re

from style import Picture, require

# The columns: phases of outcomes.c.
PHASES = {
    "reading": ("only reads", "list-keys, show, check"),
    "before": ("nothing was executed", "no POST, or a refused one"),
    "sent": ("may be executed", "no clear answer to a POST"),
    "polling": ("accepted", "there is a polling URL"),
}
# Phases without a column: the phase that they resemble, and the errors in which they differ.
LIKE = {"repeated": ("sent", set()), "renewing": ("before", {"REKEY_E_LIMIT_TOKEN"})}
FOOTNOTE = "* credentials (14) if it replaces a token that the service refused"
LOOKS = {
    "SUCCEEDED": "green",
    "NOT_REACHED": "blue",
    "NOT_TRUSTED": "violet",
    "CREDENTIALS": "violet",
    "LOCAL": "violet",
    "RUNNING": "amber",
    "UNKNOWN": "red",
}
LEFT, COLUMN, ROW, TOP = 300, 170, 30, 96


def groups(header, ends):
    """(title, outcomes by phase) of each row, from the text of rekey_error.h."""
    yield "no error", [ends[phase, ""] for phase in PHASES]
    for group in re.split(r"^    /\* ", header, flags=re.M)[1:]:
        title = re.match(r"[\w ]+", group)[0]
        by_ends = {}
        for name in re.findall(r"\bX\((REKEY_E_\w+),", group):
            by_ends.setdefault(tuple(ends[phase, name] for phase in PHASES), []).append(name)
        most = max(by_ends, key=lambda each: len(by_ends[each]))
        yield title, most
        for each, names in by_ends.items():
            if each != most:
                yield "  " + ", ".join(name.removeprefix("REKEY_E_") for name in names), each


def draw(header, outcomes, lines):
    """`outcomes` is the text of rekey.h, `lines` the output of outcomes.c."""
    names = {
        value: name for name, value in re.findall(r"^    REKEY_(\w+) = (\d+),", outcomes, re.M)
    }
    ends = {}
    for phase, error, outcome, code in re.findall(r"^(\w+),(\w*),(\d+),(\d+)$", lines, re.M):
        ends[phase, error] = (names[outcome], code)
    phases = {phase for phase, _ in ends}
    require(phases == {*PHASES, *LIKE}, "the phases of outcomes.c and outcome.py are not the same")
    for phase, (like, but) in LIKE.items():
        differs = {
            error for at, error in ends if at == phase and ends[phase, error] != ends[like, error]
        }
        require(differs == but, f"{phase} differs from {like} in {differs}, and not in {but}")
    table = list(groups(header, ends))
    picture = Picture(
        LEFT + COLUMN * len(PHASES) + 14,
        TOP + ROW * len(table) + 34,
        "The outcome, by phase and error",
        "A table with a row for each group of errors and a column for each phase of an operation. While"
        " nothing was executed the error decides; once a POST may have been executed the outcome is"
        " unknown, exit code 12; once the service has accepted it is running, exit code 13, or unknown.",
    )
    picture.text(16, 28, "The phase decides before the error", "bold")
    picture.text(16, 64, "error", "bold")
    for column, (title, words) in enumerate(PHASES.values()):
        x = LEFT + COLUMN * column + COLUMN // 2 - 4
        picture.text(x, 60, title, "bold", "middle")
        picture.text(x, 78, words, "dim small", "middle")
    for row, (what, by_phase) in enumerate(table):
        y = TOP + ROW * row
        star = "*" if what.strip() == "LIMIT_TOKEN" else ""
        alone = what.startswith("  ")
        picture.text(
            30 if alone else 16, y + 17, what.strip() + star, "small code" if alone else ""
        )
        for column, (outcome, code) in enumerate(by_phase):
            x = LEFT + COLUMN * column
            words = outcome.lower().replace("_", " ")
            picture.box(x, y, COLUMN - 8, ROW - 6, LOOKS.get(outcome, "plain"), 4)
            picture.text(x + COLUMN // 2 - 4, y + 16, f"{words} ({code})", "small", "middle")
    picture.text(16, TOP + ROW * len(table) + 16, FOOTNOTE, "dim small")
    return picture
