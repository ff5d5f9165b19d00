"""The pages of `rekey help`, read as the tests of the command, of its manual and of its completion
need them."""

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
    """The pages that the overview, or the page of a command, names."""
    return re.findall(rf"^  rekey help {' '.join([*command, ''])}([a-z-]+)", page(*command), re.M)


def options_of(text):
    """Each as it is there: "-n, --name" or "--subscription"."""
    return re.findall(r"^  ((?:-\w, )?--[a-z-]+)", text, re.M)


def pages_of(command):
    return page(command) + "".join(page(command, topic) for topic in topics(command))


def options(command):
    """Those that a command takes, by all of its pages."""
    found = options_of(pages_of(command))
    assert len(found) == len(set(found)), found
    return sorted(found)


def default(option):
    """Seconds that an option has by default."""
    text = "".join(pages_of(command) for command in commands())
    number, unit = re.search(
        rf"--{option} TIME(?:(?!\n  -).)*?(?:default|:)\s+(\d+)([smhd])", text, re.S
    ).groups()
    return int(number) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit]
