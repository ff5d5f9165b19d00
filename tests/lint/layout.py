"""Checks how the files of src, port and boards are laid out (docs/design.md): that the includes
between them have one direction, and that no file of the command is too long to read.

Arrows are the #include lines with quotation marks. A file may include files of its own level and of
lower ones; a chain of arrows must not be a circle. For this check x.c and x.h count as one module,
except for the headers in INTERFACES, whose types are also used by lower files.

    layout.py [ROOT]    prints each fault; the exit code is 1 if there is one
"""

import fnmatch
import os
import re
import sys
from pathlib import Path

INTERFACES = ["src/rekey.h", "src/credential.h", "port/mbedtls/tls.h"]

# From top to bottom; a name stands for the module, a name with a suffix only for that file. Files
# below output never print a message for the user: they fill in a fault, which the command prints.
LEVELS = [
    ["boards/linux/main"],
    ["boards/linux/command/*"],
    ["boards/linux/regeneration", "boards/linux/rotation"],
    ["boards/linux/session*", "boards/linux/outcome", "boards/linux/help", "boards/linux/option*"],
    ["boards/linux/output"],
    ["boards/*"],
    ["port/mbedtls/owner/*"],
    ["port/mbedtls/*"],
    ["port/anchors/*"],
    ["port/*"],
    ["src/rotate", "src/show"],
    ["src/rekey"],
    ["src/credential*", "src/message", "src/hide"],
    ["src/endpoint", "src/exchange", "src/operation", "src/arm_error", "src/retry", "src/rekey.h"],
    ["src/http", "src/json", "src/url", "src/httpdate"],
    ["src/span", "src/rekey_error", "src/rekey_config", "src/rekey_port", "src/error"],
]

# Words that the files of a folder must not contain. The anchors are for any TLS library; the
# transport is for any mbedTLS, and uses nothing of it that is private.
FORBIDDEN = {
    "port/anchors": re.compile(r"(?i)mbedtls_|<mbedtls|<psa/"),
    "port/mbedtls": re.compile(r"MBEDTLS_PRIVATE|MBEDTLS_ALLOW_PRIVATE_ACCESS|_internal\.h|ssl_misc"),
}

LINES_MAX = 400  # limit for a file of boards/linux

# Where the compiler searches after the directory of the file itself.
SEARCH = ["src", "port/posix", "port/anchors", "port/mbedtls", "port/mbedtls/owner", "port/lwip"]

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def module_of(path):
    return path if path in INTERFACES else os.path.splitext(path)[0]


def level_of(module):
    """The level of the longest pattern that matches, or None."""
    fits = [
        (len(pattern), number)
        for number, level in enumerate(LEVELS)
        for pattern in level
        if fnmatch.fnmatchcase(module, pattern)
    ]
    return max(fits)[1] if fits else None


def read_arrows(root):
    """{module: {module that it includes: a file and line that does}}, and the files without a
    level."""
    files = [
        str(path.relative_to(root))
        for top in ("src", "port", "boards")
        for path in sorted((root / top).rglob("*.[ch]"))
    ]
    arrows = {module_of(path): {} for path in files}
    for path in files:
        text = (root / path).read_text(encoding="utf-8")
        for match in INCLUDE.finditer(text):
            for directory in [os.path.dirname(path), *SEARCH]:
                target = os.path.normpath(os.path.join(directory, match[1]))
                if target in files:
                    break
            else:
                continue  # a header of a library, or a generated one
            if module_of(target) != module_of(path):
                line = text.count("\n", 0, match.start(1)) + 1
                arrows[module_of(path)].setdefault(module_of(target), f"{path}:{line}")
    return arrows


def find_circle(arrows):
    """The modules of one circle, in its order, or None."""
    state = {}  # modules on the current path, and modules that are finished
    path = []

    def look(module):
        state[module] = "on the path"
        path.append(module)
        for target in arrows[module]:
            if state.get(target) == "on the path":
                return path[path.index(target) :] + [target]
            if target not in state:
                circle = look(target)
                if circle:
                    return circle
        path.pop()
        state[module] = "done"
        return None

    for module in arrows:
        if module not in state:
            circle = look(module)
            if circle:
                return circle
    return None


def find_faults(root):
    arrows = read_arrows(root)
    for module in arrows:
        if level_of(module) is None:
            yield f"{module}: it has no level in tests/lint/layout.py"
    for module, targets in arrows.items():
        for target, place in targets.items():
            if (level_of(module) or 0) > (level_of(target) or 0):
                yield f"{place}: {module} is below {target}, and must not include it"
    for path in sorted((root / "boards/linux").rglob("*.[ch]")):
        lines = path.read_text(encoding="utf-8").count("\n")
        if lines > LINES_MAX:
            yield f"{path.relative_to(root)}: {lines} lines, the most is {LINES_MAX}"
    for folder, words in FORBIDDEN.items():
        for path in sorted((root / folder).glob("*.[ch]")):
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                if words.search(line):
                    yield f"{path.relative_to(root)}:{number}: {line.strip()}: not in {folder}"
    circle = find_circle(arrows)
    if circle:
        yield "a circle of includes: " + " -> ".join(circle)


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else __file__ + "/../../..").resolve()
    faults = list(find_faults(root))
    print("\n".join(faults) or "layout: all arrows run one way")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
