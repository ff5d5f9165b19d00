# size.py - the program behind `make size`: flash and RAM of the board's program by part, from the linker's map; each
# object of the core; sizeof(struct rekey); the stack of the core along its deepest path. Fails above a budget.
#
#     size.py BUILD PROGRAM [BUDGET=BYTES...]     budgets: file, flash, ram, core
#
# Environment: CC and CPPFLAGS (how the core is compiled), SIZE, STRIP and NM (of the same toolchain).

import glob
import os
import re
import shlex
import subprocess
import sys

BUILD, PROGRAM = sys.argv[1:3]
BUDGETS = dict((name, int(value)) for name, value in (each.split("=") for each in sys.argv[3:] if each[-1] != "="))
WORK = f"{BUILD}/size"
STACK_MAX = 1024    # the core's own stack
STRUCT_MAX = 14336  # with the default limits
# The first pattern that matches the path of an object, or of an archive's member, names its part.
PARTS = [("error texts", r"librekey\.a\(error\.o|/src/error\.o"),
         ("credentials, rotation", r"librekey\.a\((credential|rotate|show)|/src/(credential|rotate|show)"), ("core", r"librekey\.a|/src/"),
         ("TLS: mbedTLS, port/mbedtls", r"libmbedtls\.a|/mbedtls/"), ("lwIP, port/lwip", r"/lwip/"),
         ("board and its port", r"/boards/|/port/"), ("C library", r"")]
KINDS = [("flash", r"\.(text|rodata|vectors|init|fini|ARM|data)"), ("ram", r"\.(data|bss|stack)|COMMON")]


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def compile_core():
    """Compiles the core's objects with -Os, each with its call graph beside it."""
    objects = []
    for source in sorted(glob.glob("src/*.c")):
        objects.append(f"{WORK}/{os.path.basename(source)[:-2]}.o")
        run(*COMPILE, "-std=c11", "-Os", "-ffunction-sections", "-fcallgraph-info=su,da", "-c", source, "-o", objects[-1])
    return objects


def sections_of(path):
    """{section: bytes}"""
    return {match[1]: int(match[2]) for match in re.finditer(r"^(\S+) +(\d+) +\d+$", run(SIZE, "-A", path), re.M)}


def symbols_of(path):
    """(name, bytes, number of the section) of each function and variable. Not from nm, which lists the optimizer's own
    names."""
    form = r": \w+ +(\w+) (?:FUNC|OBJECT) .* (\d+) (\S+)$"
    found = re.findall(form, run(READELF, "-sW", path), re.M)
    return [(re.sub(r"\.(constprop|part|isra|lto_priv|cold|\d+)\b.*", "", name), int(size, 0), int(section)) for size, section, name in found]


def add(parts, part, section, size):
    for kind, form in KINDS:
        if re.match(form, section):
            parts[part][kind] += size


def part_of(path):
    return next(name for name, form in PARTS if re.search(form, path))


def by_symbol(program):
    """The same as by_part, for a program with link-time optimization, whose map names no objects. If local symbols
    share a name, the largest one decides the part. Bytes without a symbol are text shared by all parts."""
    parts = {name: {"flash": 0, "ram": 0} for name in [*(name for name, _ in PARTS), "texts of these"]}
    places = {}
    linked = re.findall(r"^LOAD (\S+\.o)$", open(f"{program}.map").read(), re.M)  # and the objects of the two archives
    for path in [*(path for path in linked if path.startswith(f"{BUILD}/")), *glob.glob(f"{BUILD}/src/*.o"), *glob.glob(f"{BUILD}/mbedtls/*.o")]:
        for name, size, _ in symbols_of(path):
            places[name] = max(places.get(name, (0, "")), (size, path))
    sections = re.findall(r"^ +\[ *(\d+)\] (\S+) +\w+ +\w+ +\w+ +(\w+)", run(READELF, "-SW", program), re.M)
    left = {int(number): int(size, 16) for number, _, size in sections}
    names = {int(number): name for number, name, _ in sections}
    for name, size, number in symbols_of(program):
        add(parts, part_of(places.get(name, (0, ""))[1]), names[number], size)
        left[number] -= size
    for number, size in left.items():
        add(parts, "texts of these", names[number], max(size, 0))
    return parts


def by_part(map_file):
    """{part: {"flash": bytes, "ram": bytes}} from the linker's map."""
    parts = {name: {"flash": 0, "ram": 0} for name, _ in PARTS}
    text = open(map_file).read().partition("Linker script and memory map")[2]
    if ".ltrans" in text:
        return by_symbol(PROGRAM)
    # If a section's name is long, the rest is on the next line; *fill* has no object.
    for section, size, path in re.findall(r"^ (\S+)\s+0x[0-9a-f]+\s+0x([0-9a-f]+) (\S.*)$", text, re.M):
        add(parts, part_of(path), section, int(size, 16))
    return parts


def symbol(path, name):
    found = re.search(rf"^\S+ (\S+) \w {name}$", run(NM, "-S", path), re.M)
    return int(found[1], 16) if found else 0


def check(name, value, budget):
    if budget and value > budget:
        FAILED.append(f"{name}: {value:,} bytes, the budget is {budget:,}")
    return f" (the budget is {budget:,})" if budget else ""


def main():
    os.makedirs(WORK, exist_ok=True)
    objects = compile_core()
    print("core, with -Os (bytes of code and constants)")
    rows = []
    for path in objects:
        sections = sections_of(path)
        code = sum(size for name, size in sections.items() if name.startswith((".text", ".rodata", ".data.rel.ro")))
        state = sum(size for name, size in sections.items()
                    if name.startswith((".data", ".bss")) and not name.startswith(".data.rel.ro"))
        check(f"data and bss of {path}", state + 1, 1)
        rows.append((os.path.basename(path)[:-2] + ".c", code))
    apart = [row for row in rows if row[0].startswith(("credential", "error", "rotate", "show"))]
    for name, code in [row for row in rows if row not in apart]:
        print(f"  {name:26}{code:7,}")
    total = sum(code for _, code in rows) - sum(code for _, code in apart)
    print(f"  {'core':26}{total:7,}{check('core', total, BUDGETS.get('core'))}")
    print("linked only when used")
    for name, code in apart:
        print(f"  {name:26}{code:7,}")

    with open(f"{WORK}/sizeof.c", "w") as file:
        file.write('#include "rekey.h"\nchar size_of_struct_rekey[sizeof(struct rekey)];\n')
    struct = {}
    for which, command in (("default", DEFAULTS), ("board", COMPILE)):
        run(*command, "-std=c11", "-c", f"{WORK}/sizeof.c", "-o", f"{WORK}/sizeof.o")
        struct[which] = symbol(f"{WORK}/sizeof.o", "size_of_struct_rekey")
    print(f"sizeof(struct rekey): {struct['default']:,} bytes with the default limits"
          + check("struct rekey", struct["default"], STRUCT_MAX) + f", {struct['board']:,} with this board's")

    parts = by_part(f"{PROGRAM}.map")
    arena = int(re.search(r"-DREKEY_ARENA_SIZE=(\d+)", " ".join(COMPILE) + " -DREKEY_ARENA_SIZE=65536")[1])
    stack = sections_of(PROGRAM).get(".stack", 0)
    parts["board and its port"]["ram"] -= arena + struct["board"]
    rows = [(name, part["flash"], part["ram"]) for name, part in parts.items()]
    rows += [("TLS arena", 0, arena), ("struct rekey", 0, struct["board"])] + [("stack", 0, stack)] * (stack > 0)
    print(f"\n{os.path.basename(PROGRAM) + ' (bytes)':30}{'flash':>9}{'RAM':>9}")
    for name, flash, ram in rows:
        if flash or ram:
            print(f"  {name:28}{f'{flash:,}' if flash else '':>9}{f'{ram:,}' if ram else '':>9}")
    flash, ram = sum(row[1] for row in rows), sum(row[2] for row in rows)
    print(f"  {'in all':28}{flash:>9,}{ram:>9,}" + check("flash", flash, BUDGETS.get("flash")) + check("RAM", ram, BUDGETS.get("ram")))
    run(STRIP, "-o", f"{WORK}/stripped", PROGRAM)
    if not stack:
        size = os.path.getsize(f"{WORK}/stripped")
        print(f"  {'file, stripped':28}{size:>9,}" + check("file", size, BUDGETS.get("file")))
    print(flush=True)
    stacks = subprocess.run([sys.executable, "tests/bench/stack.py", "rekey_step", str(STACK_MAX), *glob.glob(f"{WORK}/*.ci")])
    for line in FAILED:
        print(f"size: over budget: {line}", file=sys.stderr)
    return 1 if FAILED or stacks.returncode else 0


FAILED = []
SIZE, STRIP, NM = (os.environ[name] for name in ("SIZE", "STRIP", "NM"))
READELF = NM.replace("nm", "readelf")
COMPILE = shlex.split(os.environ["CC"]) + shlex.split(os.environ["CPPFLAGS"]) + ["-fno-lto"]
DEFAULTS = [flag for flag in COMPILE if not flag.startswith("-DREKEY_")]
sys.exit(main())
