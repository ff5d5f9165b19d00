"""The pages of `rekey help`, parsed for the tests of the command, of its manual and of its
completion."""

import re
import subprocess
from functools import lru_cache

from conftest import ENVIRONMENT, EXEC, REKEY


@lru_cache(None)
def page(*words):
    """The text of `rekey help WORDS`."""
    process = subprocess.run(
        [*EXEC, REKEY, "help", *words], env=ENVIRONMENT, capture_output=True, text=True, timeout=60
    )
    assert process.returncode == 0 and process.stderr == "", process
    return process.stdout


def commands():
    return re.findall(r"^  rekey ([a-z-]+) ", page().split("\nHelp:")[0], re.M)


def topics(*command):
    """The names of the pages to which the overview, or the page of a command, refers."""
    return re.findall(rf"^  rekey help {' '.join([*command, ''])}([a-z-]+)", page(*command), re.M)


def options_of(text):
    """The options as the page writes them: "-n, --name" or "--subscription"."""
    return re.findall(r"^  ((?:-\w, )?--[a-z-]+)", text, re.M)


def pages_of(command):
    return page(command) + "".join(page(command, topic) for topic in topics(command))


def options(command):
    """The options that a command accepts, from all of its pages."""
    found = options_of(pages_of(command))
    assert len(found) == len(set(found)), found
    return sorted(found)


def default(option):
    """The default of an option, in seconds."""
    text = "".join(pages_of(command) for command in commands())
    number, unit = re.search(
        rf"--{option} TIME(?:(?!\n  -).)*?(?:default|:)\s+(\d+)([smhd])", text, re.S
    ).groups()
    return int(number) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit]
