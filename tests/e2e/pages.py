"""The commands and the C code of the pages: the content of a block that is indented by four spaces
or fenced."""

import re
import textwrap

from conftest import ROOT

BLOCK = re.compile(r"(?:^ {4}.*\n(?:\n(?= {4}))?)+", re.M)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)


def read(page):
    return (ROOT / page).read_text()


def blocks(page):
    """The indented blocks, without the indentation."""
    return [textwrap.dedent(each) for each in BLOCK.findall(FENCE.sub("", read(page)))]


def split(text):
    """The commands of a block: lines, with their continuation lines and here-documents."""
    found, lines = [], iter(text.splitlines())
    for line in lines:
        while line.endswith("\\"):
            line += f"\n{next(lines)}"
        document = re.search(r"<<'(\w+)'", line)
        while document and not line.endswith(f"\n{document[1]}"):
            line += f"\n{next(lines)}"
        if line and not line.startswith("#"):
            found.append(re.sub(r"\s{2,}# .*$", "", line))
    return found


def commands(page):
    return [command for block in blocks(page) for command in split(block)]


def block(page, text):
    """The commands of the one block that contains this text."""
    (found,) = [each for each in blocks(page) if text in each]
    return split(found)
