"""Checks what the files of the project refer to: sections of the pages ("docs/service.md 4.6", or a
page's name and one of its headings in quotation marks), pages by their names alone, files of this
tree, targets of make in `backquotes` and in the pages' examples, and, in pages, links and anchors.
A reference may continue on the next line of a comment. Paths and targets in code are not checked,
because the compiler, the shell or a test finds a wrong one there.

    references.py [ROOT]    prints each fault; the exit code is 1 if there is one
"""

import glob
import re
import sys
from pathlib import Path

PLACES = [".ci/run", "Makefile", "README.md", "src", "port", "boards", "tests", "docs"]
# Files that nobody reads; and the tests of this folder, which have faults on purpose.
SKIPPED = re.compile(r"^tests/(fuzz/seeds/|lint/test_)|\.(pyc|svg|png)$")
# Parts of examples that are not in this tree: a name to fill in, a folder of the reader, a target
# of another project.
EXAMPLES = re.compile(r"/(NAME|MODULE)\.c$|^boards/linux/kubernetes/overlays/mine$|^menuconfig$")

PAGE = r"([\w./-]*\b[\w-]+\.md)\b[`)]*"
NUMBER = r"\d+(?:\.\d+)*"
NUMBERED = re.compile(
    rf"{PAGE},?\s+(?:sections?\s+)?({NUMBER}(?:(?:,|,?\s+and|\s+to)\s+{NUMBER})*)"
)
NAMED = re.compile(rf'{PAGE},?\s+"([A-Z][^"]+)"|"([A-Z][^"]+)"\s+(?:in|of)\s+{PAGE}')
ANY_PAGE = re.compile(r"(?<![\w./*-])[\w-]+\.md\b")
PATH = re.compile(
    r"(?<![\w./$)}%@*-])((?:src|port|boards|tests|docs|\.ci)/[\w.*?/+-]+(?:\[\w+\][\w.*?/+-]*)*)"
    r"(?![\w.*?/+${%<@…-])"
)
LINK = re.compile(r"\]\((?!\w+:|<)([^)#\s]*)(#[^)\s]*)?\)")
COMMAND = re.compile(r"^```\w*\n([\s\S]*?)^```|`([^`]*)`|^(?: {4}|\$ )([^`\n]*)$", re.M)
COMMENT = re.compile(r'(?://|#|^\s*\*).*|"""[\s\S]*?"""', re.M)
# A line break, with the beginning of the next line of a comment.
BREAK = re.compile(r"\n[ \t]*(?://+|#+|\*|\.\\\")?[ \t]*")


def read(root):
    """{name: text} of all files that may refer to something."""
    texts = {}
    for place in PLACES:
        top = root / place
        for path in sorted(top.rglob("*") if top.is_dir() else [top]):
            name = str(path.relative_to(root))
            if path.is_file() and not SKIPPED.search(name):
                texts[name] = path.read_bytes().decode(errors="replace")
    return texts


def headings_of(page):
    return re.findall(r"^#+ +(.*?) *$", re.sub(r"^```.*?^```", "", page, flags=re.M | re.S), re.M)


def anchors_of(page):
    """The anchors that GitHub generates for the headings."""
    seen = {}
    for heading in headings_of(page):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        seen[slug] = seen.get(slug, -1) + 1
        yield f"#{slug}-{seen[slug]}" if seen[slug] else f"#{slug}"


def targets_in(texts):
    rules = "\n".join(text for name, text in texts.items() if re.search(r"Makefile$|\.mk$", name))
    named = re.findall(r"^(?:\.PHONY:(.*)|([^\s#:=][^:=#\n]*):(?!=))", rules, re.M)
    return set(" ".join(word for both in named for word in both).split())


def targets_of(command):
    """The targets that a shell line builds with make, in this tree."""
    command = re.sub(r"\"[^\"]*\"|'[^']*'|#.*", "", command)
    for call in re.findall(r"(?:^|[;&|(]|\s)make((?:\s+[^\s;&|>)]+)*)", command):
        if not re.search(r"\s-[Cf]", call):
            yield from re.findall(r"(?<=\s)[a-z][a-z0-9-]*(?!\S)", call)


def commands_in(part, is_page):
    """(Place, shell line) for text that is marked as code; in comments, text in backquotes."""
    for match in COMMAND.finditer(part):
        if match[2] is not None:
            yield match.start(), " ".join(match[2].split())
        elif is_page:
            for line in (match[1] or match[3] or "").splitlines():
                yield match.start(), line


def find_faults(root):
    texts = read(root)
    pages = {Path(name).name: headings_of(texts[name]) for name in texts if name.endswith(".md")}
    targets = targets_in(texts)

    for name, text in texts.items():
        if name == "docs/changelog.md":
            continue  # it mentions files and names that no longer exist
        is_page = name.endswith(".md")
        joined = BREAK.sub(lambda m: "\n" + " " * (len(m[0]) - 1), text)
        prose = (
            [(0, text)]
            if re.search(r"\.(md|\d)$", name)
            else [(match.start(), match[0]) for match in COMMENT.finditer(text)]
        )

        def fault(at, what):
            return f"{name}:{text.count(chr(10), 0, at) + 1}: {what}"

        for match in ANY_PAGE.finditer(joined):
            if match[0] not in pages:
                yield fault(match.start(), f"there is no page {match[0]}")
        for match in NUMBERED.finditer(joined):
            headings = pages.get(Path(match[1]).name, [])
            for number in re.findall(NUMBER, match[2]):
                if not any(re.match(rf"{re.escape(number)}\.? ", heading) for heading in headings):
                    yield fault(match.start(), f"{match[1]} has no section {number}")
        for match in NAMED.finditer(joined):
            page, heading = match[1] or match[4], " ".join((match[2] or match[3]).split())
            if heading not in pages.get(Path(page).name, []):
                yield fault(match.start(), f'{page} has no section "{heading}"')
        for start, part in prose:
            for match in PATH.finditer(part):
                path = match[1].rstrip(".-/")
                if "..." not in match[1] and not EXAMPLES.search(path):
                    if not glob.glob(str(root / path)):
                        yield fault(start + match.start(), f"there is no {path}")
            for place, command in commands_in(part, is_page):
                for target in targets_of(command):
                    if target not in targets and not EXAMPLES.search(target):
                        yield fault(start + place, f"make has no target {target}")
        for match in LINK.finditer(text) if is_page else ():
            path = (root / name).parent / match[1] if match[1] else root / name
            if not path.exists():
                yield fault(match.start(), f"the link leads to {match[1]}, which does not exist")
            elif match[2] and match[2] not in anchors_of(path.read_text(encoding="utf-8")):
                yield fault(match.start(), f"{path.name} has no anchor {match[2]}")


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else __file__ + "/../../..").resolve()
    faults = list(find_faults(root))
    print("\n".join(faults) or "references: all lead somewhere")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
