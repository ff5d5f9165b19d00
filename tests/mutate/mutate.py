"""Mutation testing of src/ and port/: does a test fail if one token of the code is changed?

Each mutant changes one operator, number, character, truth value, error, simple statement, or cell of a table. It is
compiled into the unit tests, and those that use its object run until one fails. A mutant that no test notices must be
in survivors.txt, with the reason why it does not matter.

The compiler and its flags are the Makefile's, asked for with `make -n`. src/, port/ and tests/ are copied first, so all
of them may be edited during a run. Not mutated: rekey_config.h (choices, which a test would only repeat; the code that
compares with them is mutated), rekey_error.h (the numbers mean nothing but their group), declarations, and the files of
port/ that are not in PORT.
"""

import argparse
import collections
import concurrent.futures
import os
import queue
import random
import re
import resource
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

BUILD = Path("build/mutate")
BASE = BUILD / "base"  # the copy that this run uses
LIST = Path("tests/mutate/survivors.txt")
UNTOUCHED = ("rekey_config.h", "rekey_error.h")
# The files of port/ that unit tests look at. Of the others, only the end-to-end tests reach client_certificate.c,
# der_table.c, peer.c, peer_fault.c, pem_bundle.c and tls.c; clock.c and wait.c measure time, and a little more time
# does no harm; a mutant of lookup.c could kill other processes.
PORT = [
    "port/mbedtls/owner/arena.c",
    "port/mbedtls/constraints.c",
    "port/anchors/der.c",
    "port/anchors/pem.c",
    "port/mbedtls/owner/rsa_public.c",
    "port/posix/file.c",
    "port/posix/no_proxy.c",
    "port/posix/proxy.c",
    "port/posix/tcp.c",
    "port/sockets/sockets.c",
]
REAL_TIME = ("file", "flash_storage", "tcp", "sockets")  # slow tests: only for mutants of their own ports
SANITIZERS = ["-fsanitize=address,undefined,bounds-strict", "-fno-sanitize-recover=all"]
FIRST = ["rekey", "fault"]  # the tests that notice most, after the module's own

# A directive is one token. For #define, only its name and parameters are one token; its body is code.
TOKEN = re.compile(
    r"""(?P<space>(?:\s|\\\n|//[^\n]*|/\*.*?\*/)+)
    |(?P<define>(?<![^\n])\#define\ \w+(?:\([^)]*\))?)
    |(?P<skip>(?<![^\n])\#(?:[^\n\\]|\\.)*|_Static_assert\s*\(.*?\);)
    |(?P<string>"(?:[^"\\\n]|\\.)*")
    |(?P<char>'(?:[^'\\\n]|\\.)+')
    |(?P<name>[A-Za-z_]\w*)
    |(?P<number>0[xX][0-9A-Fa-f]+[uUlL]*|\d+[uUlL]*)
    |(?P<op><<=|>>=|\.\.\.|->|\+\+|--|<<|>>|[<>=!+\-*/%&|^]=|&&|\|\||\#\#|.)""",
    re.X | re.S,
)
# The replacements of each operator; those below only if it has two operands.
SWAPS = (
    "< <=,>=;<= <,>;> >=,<=;>= >,<;== !=;!= ==;&& ||;|| &&;++ --;-- ++;+= -=;-= +=;|= &=;&= |=;"
    "<< >>;>> <<;<<= >>=;>>= <<=;/= *=;! ;~ ;true false;false true"
)
SWAPS = {old: new.split(",") for old, new in (swap.split(" ") for swap in SWAPS.split(";"))}
BINARY = {"+": "-", "-": "+", "*": "/", "/": "*", "%": "/", "&": "|", "|": "&"}
ESCAPES = {"\\0": 0, "\\t": 9, "\\n": 10, "\\r": 13, "\\\\": 92, "\\'": 39}

Token = collections.namedtuple("Token", "kind text start end place macro")
Mutant = collections.namedtuple("Mutant", "file line function text nth index start end old new")


def tokenize(text):
    """The tokens without space. `place`: the function, table or macro; None: a declaration."""
    tokens, head = [], []
    depth, place, macro = 0, None, None
    for match in TOKEN.finditer(text):
        kind, token = match.lastgroup, match.group()
        if kind == "define":
            macro = re.match(r"#define (\w+)", token).group(1)
        elif kind == "space" and re.search(r"(?<!\\)\n", token):
            macro = None
        if kind in ("space", "skip", "define"):
            continue
        if depth == 0 and token == "{" and not macro:
            names = [a.text for a, b in zip(head, head[1:]) if a.kind == "name" and b.text in "(["]
            place = names[0] if names and head[-1].text in ")=" else None
        tokens.append(Token(kind, token, match.start(), match.end(), macro or place, macro))
        if not macro:
            head.append(tokens[-1])
            depth += {"{": 1, "}": -1}.get(token, 0)
            if depth == 0 and token in "};":
                head, place = [], None
    return tokens


def split_list(tokens, at):
    """The elements of the list that tokens[at] opens, each a list of tokens, and the position where it closes."""
    parts, depth = [[]], 1
    while depth > 0:
        at += 1
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(tokens[at].text, 0)
        if depth == 1 and tokens[at].text == ",":
            parts.append([])
        elif depth > 0:
            parts[-1].append(tokens[at])
    return [part for part in parts if part], at


def row_of(element):
    """The cells of one element of a table."""
    texts = [token.text for token in element]
    if texts[0] == "[":  # [index] = cell
        element = element[texts.index("=") + 1 :]
    if element[0].text == "{":
        return split_list(element, 0)[0]
    if element[0].text.isupper() and element[1:] and element[1].text == "(":  # MACRO(cells)
        return split_list(element, 1)[0]
    return [element]


def tables(tokens):
    """Yields tables as lists of rows, a row as a list of cells, a cell as a list of tokens."""
    texts = [token.text for token in tokens]
    i = 0
    while i < len(tokens) - 2:
        if texts[i : i + 2] == ["=", "{"] and texts[i + 2] != ".":
            yield [row_of(element) for element in split_list(tokens, i + 1)[0]]
        rows, k = [], i  # MACRO(a, b) several times, separated by , or ; or nothing: these are rows, too
        while texts[i].isupper() and texts[k : k + 2] == [texts[i], "("]:
            cells, end = split_list(tokens, k + 1)
            rows.append(cells)
            k = end + (2 if texts[end + 1] in ",;" else 1)
        yield rows
        i = max(i + 1, k)


def next_char(text):
    code = ESCAPES.get(text[1:-1], ord(text[-2])) + 1
    return f"'{chr(code)}'" if 32 <= code < 127 and chr(code) not in "'\\" else f"'\\x{code:02x}'"


def changes(tokens, i, source):
    """The replacements of token i."""
    token, before = tokens[i], tokens[i - 1].text if i else ""
    after = tokens[i + 1].text if i + 1 < len(tokens) else ""
    if token.kind == "number":
        digits = token.text.rstrip("uUlL")
        show, base = (hex, 16) if "x" in digits.lower() else (str, 10)
        if digits[0] == "0" and digits.isdecimal() and len(digits) > 1:
            show, base = "0{:o}".format, 8
        return [show(int(digits, base) + 1) + token.text[len(digits) :]]
    if token.kind == "char":
        return [next_char(token.text)]
    if token.text in ("break", "continue"):
        return [""]
    if (before, after) == ("return", ";") and token.kind == "name" and token.text not in SWAPS:
        return [f"{token.text} + 1"]
    if token.kind == "name" and token.text.startswith("REKEY_E_"):
        return [f"({token.text} - 1)"]
    if token.kind == "op" and token.text in BINARY:  # as operators with one operand, & * - have no space after them
        two = source[token.end].isspace() and source[token.start - 1].isspace()
        return [BINARY[token.text]] if two else []
    return SWAPS.get(token.text, [])


def mutants_of(file):
    source = (BASE / file).read_text()
    tokens = tokenize(source)
    found = {}  # (start, end, new): the same change is one mutant, even if it was found twice
    in_table = set()
    for rows in tables([token for token in tokens if not token.macro]):
        for row, other in list(zip(rows, rows[1:])) + list(zip(rows[1:], rows)):
            for cell, neighbour in zip(row, other):
                in_table.update(cell)
                old = source[cell[0].start : cell[-1].end]
                new = source[neighbour[0].start : neighbour[-1].end]
                if new != old:
                    found[cell[0].start, cell[-1].end, new] = cell[0]
    for i, token in enumerate(tokens):
        if not (token in in_table and token.text.startswith("REKEY_E_")):
            for new in changes(tokens, i, source):
                found.setdefault((token.start, token.end, new), token)
    line_of = {token: source.count("\n", 0, token.start) for token in tokens}
    on_line = collections.defaultdict(list)
    for token in tokens:
        on_line[line_of[token]].append(token)
    texts = {}  # of the lines, without comments
    nth, same = {}, collections.Counter()  # the number of the line among those of its function that have the same text
    for line, (token, *_) in on_line.items():
        start = source.rfind("\n", 0, token.start) + 1
        texts[line] = source[start : on_line[line][-1].end].split("\n")[0].strip()
        same[token.place, texts[line]] += 1
        nth[line] = same[token.place, texts[line]]
    for (start, end, new), token in sorted(found.items()):
        if token.place:
            line = line_of[token]
            where = file, line + 1, token.place, texts[line], nth[line]
            index = on_line[line].index(token) + 1
            yield Mutant(*where, index, start, end, source[start:end], new)


def place_of(m):
    return f"{m.file} {m.function}{f' [{m.nth}]' if m.nth > 1 else ''}: {m.text}"


def change_of(m):
    return " ".join(f"#{m.index} {m.old} -> {m.new or 'nothing'}".split())


class Builder:
    """The compiler, called as the Makefile would call it, and the dependencies."""

    def __init__(self):
        # The default sizes: a request is longer than the staging buffer.
        limits = "LIMITS=REKEY_URL_MAX=4096 REKEY_STAGING_MAX=4096 REKEY_JSON_TOKENS=192"
        make = [os.environ.get("MAKE", "make"), "--no-print-directory", f"B={BUILD}", limits]
        libraries = [f"{BUILD}/tests/cmocka.o", f"{BUILD}/libmbedtls.a"]
        subprocess.run([*make, "-s", *libraries], check=True)
        # rsa_public.c needs more of mbedTLS's headers than most of port/.
        asked = {
            "src": "src/url.c",
            "port": "port/mbedtls/owner/rsa_public.c",
            "tests": "tests/unit/support.c",
        }
        shown = [f"{BUILD}/{file.replace('/unit', '')[:-1]}o" for file in asked.values()]
        plan = subprocess.run(
            [*make, "-nB", "V=1", *shown], check=True, capture_output=True, text=True
        ).stdout
        self.command = {}
        for part, file in asked.items():
            line = re.search(rf"^(.*) -c {file} -o .*$", plan, re.M).group(1)
            unwanted = re.compile(r"-[WMOg].*")
            kept = [arg for arg in shlex.split(line) if not unwanted.fullmatch(arg)]
            self.command[part] = [*kept, "-w"]
        shutil.rmtree(BASE, ignore_errors=True)
        for part in ("src", "port", "boards/examples", "tests/unit", "tests/fault", "tests/vectors"):
            shutil.copytree(part, BASE / part)
        self.core = [  # linked with every test, which uses the parts that it needs
            str(path.relative_to(BASE))
            for part in ("src", "port/posix", "port/sockets", "port/anchors", "port/mbedtls", "port/mbedtls/owner")
            for path in sorted((BASE / part).glob("*.c"))
        ]
        self.tests = {
            path.stem.removeprefix("test_"): f"tests/{path.parent.name}/{path.name}"
            for path in sorted((BASE / "tests").glob("*/test_*.c"))
            if path.name != "test_lwip.c"  # files of port/lwip, which need lwIP
        }

    def compile(self, file, root, out, *options):
        """Compiles `file` of the copy; src/ and port/ come from `root`. Returns whether it compiles."""
        part = file.split("/")[0]
        command = [
            re.sub("^-I(?=src|port|tests)", f"-I{BASE if '-Itests' in arg else root}/", arg)
            for arg in self.command[part]
        ]
        source = f"{BASE if part == 'tests' else root}/{file}"
        return run([*command, *options, "-c", source, "-o", str(out)]) == 0

    def link(self, test, objects, out, *options):
        fixed = [f"{BASE}/support.o", f"{BUILD}/tests/cmocka.o"]
        fixed += ["-Wl,--start-group", f"{BASE}/core.a", f"{BUILD}/libmbedtls.a", "-Wl,--end-group"]
        return run([self.command["src"][0], *options, test, *objects, *fixed, "-o", str(out)]) == 0

    def includes(self, test):
        """The sources that a test includes in order to change what they call."""
        names = re.findall(r'#include "(\w+\.c)"', (BASE / self.tests[test]).read_text())
        return {file for file in self.core if file.split("/")[-1] in names}

    def baseline(self, pool):
        """Runs all programs without a mutant: the seconds that each takes, and the objects of the core in it."""
        jobs = [(file, BASE / f"{file}.O2", "-O2") for file in self.core]
        for file in [*self.core, "tests/unit/support.c", *self.tests.values()]:
            jobs.append((file, BASE / f"{Path(file).stem}.o", "-O1"))
        if not all(pool.map(lambda job: self.compile(job[0], BASE, *job[1:]), jobs)):
            sys.exit("mutate: the code does not compile as it is")
        run(["ar", "crs", f"{BASE}/core.a", *(f"{BASE}/{Path(file).stem}.o" for file in self.core)])
        self.time, self.uses = {}, {}
        for test in self.tests:
            program = BASE / test
            if not self.link(f"{BASE}/test_{test}.o", [], program, f"-Wl,-Map={program}.map"):
                sys.exit(f"mutate: {test} does not link")
            begin = time.monotonic()
            if run([str(program)]) != 0:
                sys.exit(f"mutate: {test} fails without a mutant")
            self.time[test] = time.monotonic() - begin
            members = re.findall(r"core\.a\((\w+)\.o\)", Path(f"{program}.map").read_text())
            self.uses[test] = {file for file in self.core if Path(file).stem in members}
            self.uses[test] |= self.includes(test)


def run(command, timeout=None):
    """Returns the exit status, or None if it took too long. It has its own process group, which can be signalled."""
    quiet = subprocess.DEVNULL
    environment = os.environ | {"REKEY_FIRST_FAILURE": "1", "TMPDIR": str(BASE.absolute())}
    try:
        return subprocess.run(
            command,
            stdin=quiet,
            stdout=quiet,
            stderr=quiet,
            timeout=timeout,
            env=environment,
            start_new_session=True,
        ).returncode
    except subprocess.TimeoutExpired:
        return None


def try_mutant(builder, m, root):
    """Tests one mutant, in the worker's own copy of src/ and port/. Returns the result."""
    path = root / m.file
    original = path.read_text()
    path.write_text(original[: m.start] + m.new + original[m.end :])
    try:
        return run_mutant(builder, m, root)
    finally:
        path.write_text(original)


def run_mutant(builder, m, root):
    header = m.file.endswith(".h")  # everything that may include it is compiled again
    changed = builder.core if header else [m.file]
    tests = [test for test, uses in builder.uses.items() if uses & set(changed)]
    if not m.file.startswith(("port/posix/", "port/sockets/")):
        tests = [test for test in tests if test not in REAL_TIME]
    order = [Path(m.file).stem, *FIRST]
    rank = {test: order.index(test) if test in order else len(order) for test in tests}
    tests.sort(key=lambda test: (rank[test], builder.time[test]))
    for killed, *options in (("killed", "-O0"), ("killed by sanitizers", "-O1", *SANITIZERS)):
        if "-O1" in options and same_code(builder, changed, root):
            return "same code"
        objects = {file: f"{root}/{Path(file).stem}.o" for file in changed}
        if not all(builder.compile(file, root, out, *options) for file, out in objects.items()):
            return "does not compile"
        for test in tests:
            anew = header or m.file in builder.includes(test)
            test_object = f"{root if anew else BASE}/test_{test}.o"
            if anew and not builder.compile(builder.tests[test], root, test_object, *options):
                return "does not compile"
            used = [out for file, out in objects.items() if file in builder.uses[test]]
            if not builder.link(test_object, used, root / test, *options[1:]):
                return "does not compile"
            usual = builder.time[test]
            most = 1 + min(10 * usual, 10 + 2 * usual) * len(options)
            status = run([str(root / test)], timeout=most)
            if status != 0:
                return "timed out" if status is None else killed
    return "survived"


def same_code(builder, changed, root):
    for file in changed:
        builder.compile(file, root, root / "same.o", "-O2")
        if (root / "same.o").read_bytes() != (BASE / f"{file}.O2").read_bytes():
            return False
    return True


def accepted():
    """survivors.txt: {(place, change): reason}."""
    entries, place = {}, None
    for line in LIST.read_text().splitlines() if LIST.exists() else []:
        if line.startswith("    "):
            change, reason = line.strip().split(" because ", 1)
            entries[place, change] = reason
        elif line and not line.startswith("#"):
            place = line
    return entries


def counted(whats):
    counts = collections.Counter(whats).most_common()
    return f"{len(whats)} mutants: " + ", ".join(f"{n} {what}" for what, n in counts)


def report(results, known, full):
    """Prints the results; returns the exit status."""
    print(counted(results.values()))
    for file in sorted({m.file for m in results}):
        print(f"  {file}: " + counted([what for m, what in results.items() if m.file == file]))
    survivors = {
        (place_of(m), change_of(m)): m for m, what in results.items() if what == "survived"
    }
    tried = {(place_of(m), change_of(m)) for m in results}
    stale = [key for key in known if key not in survivors and (full or key in tried)]
    unknown = {key: m for key, m in survivors.items() if key not in known}
    shown = None
    for (place, change), m in sorted(
        unknown.items(), key=lambda item: (item[1].file, item[1].line)
    ):
        if place != shown:
            print(place)
        print(f"    {change} because (line {m.line})")
        shown = place
    for place, change in stale:
        how = "any more" if (place, change) in tried else "of that text"
        print(f"no survivor {how}: {place}\n    {change}")
    print(f"{len(survivors)} survivors: {len(unknown)} not in {LIST}, where {len(stale)} are stale")
    return 1 if unknown or (full and stale) else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sample", type=int, metavar="N", help="only N mutants, picked at random")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="for --sample")
    parser.add_argument("--file", action="append", metavar="src/x.c", help="only these files")
    parser.add_argument("--list", action="store_true", help="print the mutants and do nothing")
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    builder = Builder()
    sources = [path.name for path in sorted((BASE / "src").iterdir())]
    files = args.file or [f"src/{name}" for name in sources if name not in UNTOUCHED] + PORT
    mutants = [m for file in files for m in mutants_of(file)]
    if args.sample is not None:
        print(f"seed {args.seed}")
        mutants = random.Random(args.seed).sample(mutants, min(args.sample, len(mutants)))
    if args.list:
        for m in mutants:
            print(f"{m.file}:{m.line} {m.function}: {m.text}\n    {change_of(m)}")
        return 0

    begin = time.monotonic()
    workers = queue.Queue()
    for k in range(os.cpu_count()):
        shutil.rmtree(BUILD / f"worker{k}", ignore_errors=True)
        for part in ("src", "port"):
            shutil.copytree(BASE / part, BUILD / f"worker{k}/{part}")
        workers.put(BUILD / f"worker{k}")

    def job(m):
        root = workers.get()
        try:
            return try_mutant(builder, m, root)
        finally:
            workers.put(root)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        builder.baseline(pool)
        results = {}
        for m, what in zip(mutants, pool.map(job, mutants)):
            results[m] = what
            if sys.stderr.isatty():
                print(f"\r{len(results)} of {len(mutants)}", end="", file=sys.stderr)
    status = report(results, accepted(), args.sample is None and args.file is None)
    print(f"{time.monotonic() - begin:.0f} seconds")
    return status


if __name__ == "__main__":
    sys.exit(main())
