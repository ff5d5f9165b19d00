"""Compares docs/troubleshooting.md with the code. Every exit code with its words, every text of
src/rekey_error.h, and every printed text of boards/linux and port/mbedtls that has five words or
more must have an entry with the same text; if the code inserts a value, the entry has "...". Every
text of an entry must be in the code.

    troubleshooting.py [ROOT]    prints each fault; the exit code is 1 if there is one
"""

import re
import sys
from pathlib import Path

PAGE = "docs/troubleshooting.md"
WORDS = 5

# Texts that are not messages: help, metrics, the files of a state, -v.
OTHER = [
    r"^\\n|^# HELP |\\n$|^\{",
    r"^(?:When|What) .*\.$",
    r"x-ms-request-id|^error: trace id|arena peak",
    r"^never: sync|^REKEY_\w+",
]
WITHOUT_MESSAGES = ("help.c", "option_table.c")

# Literals that the compiler joins; what a macro adds between them is inserted, too.
STRING = r'"(?:\\.|[^"\\\n])*"'
MACRO = r"TEXT_OF\(\s*\w+\s*\)|\b[A-Z][A-Z0-9_]+\b|\bPRI\w+"
LITERAL = re.compile(rf"{STRING}(?:\s*(?:{MACRO})?\s*{STRING})*")
CONVERSION = re.compile(r"%[-+ #0-9.*]*(?:hh|h|ll|l|z)?[a-zA-Z]")
SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")


def as_printed(text):
    """A C literal, with "..." for one conversion or several adjacent ones."""
    text = re.sub(r"(?:\.\.\.)+", "...", CONVERSION.sub("...", text))
    text = text.replace("%%", "%").replace('\\"', '"').replace("\\\\", "\\")
    return text.removeprefix(": ").strip()


def literals(path):
    """The strings of a file as they are printed, without the rows of commands."""
    code = re.sub(r"^\s*//.*|\s// .*", "", path.read_text(encoding="utf-8"), flags=re.M)
    code = re.sub(r"^const struct command_row.*?^};", "", code, flags=re.M | re.S)
    code = re.sub(r"_Static_assert\(.*?\);", "", code, flags=re.S)
    for found in LITERAL.findall(code):
        parts = re.findall(rf"{STRING}|{MACRO}", found)
        text = "".join(
            part[1:-1] if part[0] == '"' else "d" if part.startswith("PRI") else "%s"
            for part in parts
        )
        if not any(re.search(pattern, text) for pattern in OTHER):
            yield as_printed(text)


def errors(root):
    text = (root / "src/rekey_error.h").read_text(encoding="utf-8")
    return re.findall(r'^    X\(REKEY_E_\w+, +-\d+, "(.*)"\)', text, re.M)


def messages(root):
    """{text: the file that contains it}"""
    found = {text: "src/rekey_error.h" for text in errors(root)}
    for path in sorted(
        [*(root / "boards/linux").rglob("*.c"), *(root / "port/mbedtls").glob("*.c")]
    ):
        if path.name not in WITHOUT_MESSAGES:
            found.update((text, str(path.relative_to(root))) for text in literals(path))
    return found


def exit_codes(root):
    """{code: the words after outcome= for it}, from rekey.h and outcome.c."""
    header = (root / "src/rekey.h").read_text(encoding="utf-8")
    code = (root / "boards/linux/outcome.c").read_text(encoding="utf-8")
    numbers = dict(re.findall(r"^    REKEY_(\w+) = (\d+),", header, re.M))
    words = dict(re.findall(r'case REKEY_(\w+):\n\s+return "([a-z-]+)";', code))
    words["LOCAL"] = re.search(r'default:\n\s+return "([a-z-]+)";', code)[1]
    found = {}
    for name, word in words.items():
        number = numbers["REFUSED" if name == "FAILED" else name]
        found.setdefault(number, []).append(word)
    return found


def rows(page, heading):
    """The first two cells of each row in the tables below a heading."""
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", page, re.M | re.S)
    return re.findall(r"^\| (.+?) \| (.+?) \|", section[1] if section else "", re.M)


def spans(cell):
    return [text.strip() if "`" in text else text for _, text in SPAN.findall(cell)]


def find_faults(root):
    page = (root / PAGE).read_text(encoding="utf-8")
    codes = {
        first: spans(second) for first, second in rows(page, "By exit code") if first.isdigit()
    }
    known = exit_codes(root)
    for code in sorted({*codes, *known}, key=int):
        if codes.get(code) != known.get(code):
            yield f"exit code {code}: the page has {codes.get(code)}, the code {known.get(code)}"

    entries = [text for first, _ in rows(page, "By message") for text in spans(first)]
    code = messages(root)
    for text, path in code.items():
        long = len(re.findall(r"\S*[A-Za-z]\S*", text)) >= WORDS
        if (long or path == "src/rekey_error.h") and text not in entries:
            yield f"{path}: no entry for: {text}"
    for text in entries:
        if text not in code:
            yield f"{PAGE}: the code does not print: {text}"
        if entries.count(text) > 1:
            yield f"{PAGE}: more than one entry for: {text}"


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else __file__ + "/../../..").resolve()
    faults = list(find_faults(root))
    print("\n".join(faults) or "troubleshooting: every message has an entry")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
