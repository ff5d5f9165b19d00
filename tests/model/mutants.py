"""Tests whether the model notices a fault in src/rotate.c.

Changes one token of src/rotate.c at a time, as tests/mutate does, and explores the rotation until a
promise is broken. Prints the mutants that break no promise.

A mutant survives if it only changes a text, a wait or an order about which there is no promise. The
unit tests notice those (`make mutate`).
"""

import argparse
import collections
import concurrent.futures
import os
import random
import re
import shlex
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, "tests/mutate")
import mutate  # noqa: E402

BUILD = Path("build/model")
SOURCE = Path("src/rotate.c")
SECONDS = 600  # seconds for a mutant, on a machine with other work


def compiler():
    """The command with which the Makefile compiles phases.c, without its input and output files."""
    make = [os.environ.get("MAKE", "make"), "--no-print-directory", "-nB", "V=1", f"B={BUILD}"]
    shown = [*make, "CFLAGS=-O2", f"{BUILD}/tests/phases.o"]
    plan = subprocess.run(shown, check=True, capture_output=True, text=True).stdout
    line = re.search(r"^(.*) -c tests/model/phases.c -o .*$", plan, re.M).group(1)
    return [arg for arg in shlex.split(line) if not re.fullmatch(r"-W.*|-M.*|-g", arg)] + ["-w"]


def try_mutant(number, m, command):
    place = BUILD / f"mutant{number}"
    place.mkdir(exist_ok=True)
    source = SOURCE.read_text()
    (place / "rotate.c").write_text(source[: m.start] + m.new + source[m.end :])
    objects = [str(o) for part in ("src", "tests") for o in (BUILD / part).glob("*.o")]
    others = [o for o in objects if not o.endswith(("rotate.o", "phases.o"))]
    compile = [command[0], f"-I{place}", *command[1:], "-c", "tests/model/phases.c", "-o"]
    if mutate.run([*compile, f"{place}/phases.o"]) != 0:
        return "does not compile"
    if mutate.run([command[0], f"{place}/phases.o", *others, "-o", f"{place}/model"]) != 0:
        return "does not compile"
    status = mutate.run([f"{place}/model", "-q"], timeout=SECONDS)
    return "timed out" if status is None else "lives" if status == 0 else "found"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sample", type=int, metavar="N", help="only N mutants, picked at random")
    parser.add_argument("--seed", type=int, default=1, help="for --sample")
    args = parser.parse_args()
    mutate.BASE = Path(".")
    mutants = list(mutate.mutants_of(str(SOURCE)))
    if args.sample is not None:
        mutants = random.Random(args.seed).sample(mutants, min(args.sample, len(mutants)))
    command = compiler()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = pool.map(lambda job: try_mutant(*job, command), enumerate(mutants))
        counts = collections.Counter()
        for m, what in zip(mutants, jobs):
            counts[what] += 1
            if what == "lives":
                print(f"{m.file}:{m.line} {m.function}: {m.text}\n    {mutate.change_of(m)}", flush=True)
    print(f"{len(mutants)} mutants: " + ", ".join(f"{n} {what}" for what, n in counts.items()))


if __name__ == "__main__":
    main()
