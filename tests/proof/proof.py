"""Runs the proofs in the table below with CBMC, a bounded model checker, two at a time.

A proof is a function of tests/proof/NAME.c, checked for all values at once, up to a bound. CBMC's
own checks (memory, pointers, signed overflow, shifts, division, unwinding) count, and so do those
of the harness. `--mutants` changes one line of each module, and requires that the proof named
beside it fails, which shows that the proofs can fail.

docs/testing.md says what each proof means.
"""

import argparse
import collections
import concurrent.futures
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

BUILD = Path("build/proof")
LIMIT = 300  # seconds of CPU time for one proof; the longest needs 60 on an idle machine
CHECKS = [
    "--drop-unused-functions",
    "--pointer-overflow-check",
    "--unwinding-assertions",
    "--slice-formula",
]

# module and entry: tests/proof/MODULE.c and its function. unwind: the rounds of a loop, plus one.
# loops: the same for single loops, in the form of --unwindset. text: TEXT_MAX of the harness.
# sources: files compiled together with it; the harness replaces all other functions that the module
# calls. mutant: (file, old, new); the old text occurs once. None if another proof of the module has
# one.
Proof = collections.namedtuple("Proof", "module entry what bound unwind loops text sources mutant")


def proof(module, entry, what, bound, unwind, loops="", text=0, sources="", mutant=None):
    return Proof(module, entry, what, bound, unwind, loops.split(), text, sources.split(), mutant)


PROOFS = [
    proof(
        "httpdate",
        "any_date",
        "a date is of the years 1 to 9999",
        "texts up to 40 bytes",
        42,
        text=40,
        sources="src/span.c",
        mutant=("src/httpdate.c", "text.len != sizeof(form) - 1", "text.len > sizeof(form) - 1"),
    ),
    proof(
        "httpdate",
        "calendar",
        "the days are those of the calendar",
        "complete",
        14,
        sources="src/span.c",
        mutant=("src/httpdate.c", "month * 153 - 304", "month * 153 - 302"),
    ),
    proof(
        "span",
        "equal",
        "comparison, also without case",
        "two texts up to 12 bytes",
        14,
        text=12,
        sources="src/span.c",
        mutant=("src/span.c", "if (a.len != b.len) {", "if (a.len < b.len) {"),
    ),
    proof(
        "span",
        "number_range",
        "a number stays in its range",
        "texts up to 12 bytes",
        14,
        text=12,
        sources="src/span.c",
        mutant=("src/span.c", "return value < max ? value : max;", "return value;"),
    ),
    proof(
        "span",
        "number",
        "a number is the one written",
        "texts up to 5 bytes",
        7,
        text=5,
        sources="src/span.c",
        mutant=(
            "src/span.c",
            "value = value * 10 + (text.ptr[i] - '0');",
            "value = value * 10 + text.ptr[i];",
        ),
    ),
    proof(
        "span",
        "utf8",
        "UTF-8 is that of RFC 3629",
        "complete",
        6,
        sources="src/span.c",
        mutant=("src/span.c", "first < 0xC2 ? 0", "first < 0xC1 ? 0"),
    ),
    proof(
        "span",
        "hex",
        "hexadecimal digits, both ways",
        "complete",
        6,
        sources="src/span.c",
        mutant=("src/span.c", "c <= 'f' ?", "c <= 'g' ?"),
    ),
    proof(
        "span",
        "zeroize",
        "every byte is zero",
        "blocks up to 12 bytes",
        14,
        text=12,
        sources="src/span.c",
        mutant=("src/span.c", "set(ptr, 0, len);", "set(ptr, 1, len);"),
    ),
    proof(
        "retry",
        "retry_after",
        "a wait is at most 600 s",
        "complete",
        5,
        mutant=("src/retry.c", "until - now < WAIT_MAX_MS / 1000", "until - now < WAIT_MAX_MS"),
    ),
    proof(
        "retry",
        "backoff",
        "a pause is within its bound",
        "complete",
        5,
        mutant=("src/retry.c", "n < 7 ?", "n < 8 ?"),
    ),
    proof(
        "retry",
        "helps",
        "network errors alone may pass",
        "complete",
        5,
        mutant=("src/retry.c", "/ 100 == 2 &&", "/ 100 >= 2 &&"),
    ),
    proof(
        "url",
        "scheme",
        "https alone is a scheme",
        "texts up to 20 bytes",
        24,
        text=20,
        sources="src/url.c src/span.c",
        mutant=("src/url.c", "if (text.len < scheme ||", "if (text.len + 1 < scheme ||"),
    ),
    proof(
        "url",
        "after_scheme",
        "host and target cannot be left",
        "up to 12 bytes after the scheme",
        22,
        text=12,
        sources="src/url.c src/span.c",
        mutant=("src/url.c", "target->len - i < 3", "target->len - i < 2"),
    ),
    proof(
        "url",
        "host_of",
        "a host that is shown is one",
        "texts up to 20 bytes",
        24,
        text=20,
        sources="src/url.c src/span.c",
        mutant=("src/url.c", "at > 0; at--", "at > 1; at--"),
    ),
    proof(
        "url",
        "same_host",
        "one trailing dot does not count",
        "hosts up to 20 bytes",
        24,
        text=20,
        sources="src/url.c src/span.c",
        mutant=("src/url.c", "host.len > 1 &&", "host.len > 2 &&"),
    ),
    proof(
        "http",
        "start",
        "the invariant holds at first",
        "complete",
        5,
        mutant=("src/http.c", "start_head(h);\n}\n\n// One byte", "}\n\n// One byte"),
    ),
    proof(
        "http",
        "line",
        "a byte of a line keeps it",
        "answers of any length (induction)",
        5,
        "rekey_http_feed.0:3 strlen.0:11",
        mutant=("src/http.c", "if (!h->trailers) { // trailers", "if (h->trailers) { // trailers"),
    ),
    proof(
        "http",
        "nothing",
        "an empty piece keeps it",
        "answers of any length (induction)",
        5,
        mutant=("src/http.c", "            h->remaining = 0;", "            ;"),
    ),
    proof(
        "http",
        "body",
        "a piece of a body keeps it",
        "answers of any length (induction)",
        5,
        mutant=("src/http.c", "n > REKEY_BODY_MAX - h->body_size", "n > REKEY_BODY_MAX"),
    ),
    proof(
        "http",
        "end",
        "the end is one where it may be",
        "answers of any length (induction)",
        5,
        mutant=("src/http.c", "if (h->state == BODY_CLOSE) {", "if (h->state >= BODY) {"),
    ),
    proof(
        "http",
        "emit",
        "a request stays in its buffer",
        "forms of 4 bytes, values up to 6 bytes",
        8,
        text=6,
        mutant=("src/http.c", "n = n < cap - len ? n : cap - len;", "n = n < cap ? n : cap;"),
    ),
    proof(
        "http",
        "decimal",
        "a number fits in ten digits",
        "complete",
        12,
        mutant=("src/http.c", "len == 0 || rest > 0", "rest > 0"),
    ),
    proof(
        "http",
        "decimal_value",
        "the digits say the number",
        "numbers up to 65,535",
        12,
        mutant=("src/http.c", "i > 0; value /= 10", "i > 0; value /= 16"),
    ),
    proof(
        "arena",
        "init",
        "a new arena is whole",
        "arenas of 9 units, any number of calls",
        73,
        "is_whole.0:10",
        mutant=(
            "port/mbedtls/owner/arena.c",
            "        put(r, 0, r->units, 0);",
            "        put(r, 0, r->units, USED);",
        ),
    ),
    proof(
        "arena",
        "allocate",
        "calloc leaves it whole, others alone",
        "arenas of 9 units, any number of calls",
        10,
        "any_arena.0:73 is_zero.0:73",
        mutant=(
            "port/mbedtls/owner/arena.c",
            "head_at(r, unit)->size < need",
            "head_at(r, unit)->size + 1u < need",
        ),
    ),
    proof(
        "arena",
        "release",
        "free leaves it whole, others alone",
        "arenas of 9 units, any number of calls",
        10,
        "any_arena.0:73 is_zero.0:73",
        mutant=("port/mbedtls/owner/arena.c", "        memset(own, 0, sizeof(*own));", "        ;"),
    ),
    proof(
        "arena",
        "lend",
        "lent memory is within its bounds",
        "72 bytes, at any address",
        73,
        mutant=("port/mbedtls/owner/arena.c", "size - skipped : 0);", "size : 0);"),
    ),
    proof(
        "arena",
        "give_back",
        "memory in use is not returned",
        "arenas of 9 units, any number of calls",
        10,
        "any_arena.0:73 is_zero.0:73",
        mutant=(
            "port/mbedtls/owner/arena.c",
            "head_at(&lent, 0)->size == lent.units;",
            "size_of(head_at(&lent, 0)) > 0;",
        ),
    ),
    proof(
        "operation_file",
        "line",
        "a line is a name and a value",
        "texts up to 32 bytes, names up to 8",
        34,
        text=32,
        sources="",
        mutant=("boards/linux/operation_file.c", "len < name_len + 1 ||", ""),
    ),
    proof(
        "json",
        "check_tokens",
        "the check goes on and comes to an end",
        "any state, texts up to 8 bytes",
        10,
        text=8,
        mutant=(
            "src/json.c",
            "return ++c->depth <= REKEY_JSON_DEPTH;",
            "return ++c->depth <= REKEY_JSON_DEPTH + 1;",
        ),
    ),
    proof(
        "json",
        "check_strings",
        "strings end, without controls",
        "texts up to 10 bytes",
        12,
        text=10,
        mutant=("src/json.c", ">= ' ') {", ">= 9) {"),
    ),
    proof(
        "json",
        "check_numbers",
        "numbers are those of RFC 8259",
        "texts up to 9 bytes",
        11,
        text=9,
        mutant=(
            "src/json.c",
            "if (accept(c, '.') && !digits(c)) {",
            "if (accept(c, '.') && digits(c)) {",
        ),
    ),
    proof(
        "json",
        "jsmn_round",
        "a round keeps the tokens in order",
        "any state, 5 tokens, any byte",
        6,
        "jsmn_parse_string.0:2 jsmn_parse_string.1:2 jsmn_parse_primitive.0:2",
        text=6,
    ),
    proof(
        "json",
        "jsmn_string",
        "a string keeps them in order",
        "any state, 5 tokens, 10 bytes",
        12,
        text=10,
    ),
    proof(
        "json",
        "jsmn_primitive",
        "a primitive keeps them in order",
        "any state, 5 tokens, 10 bytes",
        14,
        text=10,
    ),
    proof(
        "json",
        "find",
        "a member found is one, by its name",
        "any 5 tokens, texts up to 6 bytes",
        8,
        "find_member.0:4 encode.0:1 hex4.0:1 strchr.0:1 rekey_json_string.0:7",
        text=6,
        mutant=("src/json.c", "found = at + 1;", "found = at;"),
    ),
    proof(
        "json",
        "values",
        "a value lies in the text",
        "any 5 tokens, texts up to 8 bytes",
        10,
        text=8,
        mutant=("src/json.c", "return raw.len == 4 &&", "return"),
    ),
    proof(
        "json",
        "character",
        "an escape is a character",
        "complete",
        16,
        "strchr.0:12",
        text=14,
        mutant=("src/json.c", "escape[6] == '\\\\' && escape[7]", "escape[7]"),
    ),
    proof(
        "json",
        "string",
        "a string fits, or is cut",
        "strings up to 6 bytes",
        10,
        "strchr.0:12",
        text=7,
        mutant=("src/json.c", "n <= cap - kept", "n <= cap"),
    ),
    proof(
        "json",
        "escape",
        "what is escaped is a JSON string",
        "texts up to 5 bytes",
        7,
        text=5,
        mutant=("src/json.c", "if (n > cap - len) {", "if (n > cap) {"),
    ),
    proof(
        "operation",
        "post",
        "success and refusal as the service said",
        "complete",
        24,
        mutant=(
            "src/operation.c",
            "    {408, 408, 0, REKEY_NEXT_MAYBE, REKEY_E_MAYBE_EXECUTED},\n",
            "",
        ),
    ),
    proof(
        "operation",
        "poll",
        "the same for polls; never refused",
        "complete",
        24,
        mutant=("src/operation.c", "    {202, 202, LOCATION, REKEY_NEXT_RUNNING, 0},\n", ""),
    ),
    proof(
        "operation",
        "body",
        "a body has one meaning, and a word",
        "complete",
        34,
        text=6,
        mutant=(
            "src/operation.c",
            "    out->status[len] = '\\0';",
            "    out->status[len + 1] = '\\0';",
        ),
    ),
    proof(
        "rsa_public",
        "power",
        "mbedTLS gets what it demands",
        "2^n limbs to 8,192, 17 bits of exponent",
        9,
        "rekey_rsa_public.0:18 double_it.0:40 square_of_r.0:20 square_of_r.1:20",
        mutant=(
            "port/mbedtls/owner/rsa_public.c",
            "rekey_arena_calloc(3 * m.limbs + 1,",
            "rekey_arena_calloc(3 * m.limbs,",
        ),
    ),
    proof(
        "pem",
        "init",
        "the invariant holds at first",
        "complete",
        33,
        mutant=("port/anchors/pem.c", "memset(p, 0, sizeof(*p));", "memset(p, 1, sizeof(*p));"),
    ),
    proof(
        "pem",
        "byte",
        "a byte keeps it",
        "texts of any length (induction)",
        33,
        mutant=(
            "port/anchors/pem.c",
            "p->begun >= sizeof(p->label)",
            "p->begun > sizeof(p->label)",
        ),
    ),
    proof("pem", "take", "a part keeps it", "parts of 8 bytes", 33),
    proof(
        "pem", "end", "the end is a fault where one must be", "texts of any length (induction)", 33
    ),
    proof(
        "der",
        "take",
        "an element lies in the text",
        "texts of any length",
        6,
        mutant=("port/anchors/der.c", "len > rest.len) {", "len > rest.len + 1) {"),
    ),
    proof(
        "der",
        "subject",
        "a subject lies in the certificate",
        "certificates up to 20 bytes",
        6,
        text=20,
        mutant=("port/anchors/der.c", "start.len - rest.len);", "start.len + rest.len);"),
    ),
    proof(
        "constraints",
        "address",
        "an address is in its subtree",
        "complete",
        34,
        mutant=(
            "port/mbedtls/constraints.c",
            "if (base.len != 2 * name.len) {",
            "if (base.len < name.len) {",
        ),
    ),
    proof(
        "constraints",
        "host",
        "*.com is no name of a host",
        "names up to 12 bytes",
        14,
        text=12,
        mutant=("port/mbedtls/constraints.c", "parent_of(rest).len > 0 &&", "rest.len > 0 &&"),
    ),
    proof(
        "constraints",
        "subtrees",
        "a subtree of the kind has an answer",
        "lists up to 6 bytes",
        8,
        text=6,
        mutant=("port/mbedtls/constraints.c", "return applies && inside", "return inside"),
    ),
    proof(
        "constraints",
        "extension",
        "an extension lies among the others",
        "lists up to 16 bytes",
        10,
        text=16,
    ),
]


def command(args, p, root, extra=()):
    return [
        *args.cbmc,
        "--function",
        p.entry,
        "--unwind",
        str(p.unwind),
        *(["--unwindset", ",".join(p.loops)] if p.loops else []),
        *CHECKS,
        *extra,
        f"-DTEXT_MAX={p.text}",
        *args.cppflags,
        f"{root}/tests/proof/{p.module}.c",
        *(s if os.path.isabs(s) else f"{root}/{s}" for s in p.sources),
    ]


def run(args, p, root=".", extra=()):
    """Returns (checks, CPU seconds, what is wrong or "")."""
    log = BUILD / f"{p.module}.{p.entry}{'.mutant' if root != '.' else ''}.log"
    with open(log, "w", encoding="utf-8") as out:
        child = subprocess.Popen(
            command(args, p, root, extra),
            stdout=out,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (args.limit, args.limit)),
        )
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    seconds = usage.ru_utime + usage.ru_stime
    text = log.read_text(encoding="utf-8")
    if child.returncode < 0:
        return 0, seconds, f"not finished in {args.limit} s of CPU time"
    results = re.findall(
        r"^\[(\S+)\] (?:file \S+ )?(?:line \d+ )?(.*): (SUCCESS|FAILURE|UNKNOWN)$", text, re.M
    )
    violated = re.search(r"^Violated property:\n.*\n(.*)\n", text, re.M)  # --stop-on-fail
    if violated:
        return 0, seconds, violated[1].strip()
    if not results or "VERIFICATION" not in text:
        return 0, seconds, f"no result; see {log}"
    checks = [
        (name, what, result) for name, what, result in results if not what.startswith("reached: ")
    ]
    wrong = [f"{name}: {what}" for name, what, result in checks if result != "SUCCESS"]
    wrong += [
        f"{name}: never {what}"
        for name, what, result in results
        if what.startswith("reached: ") and result != "FAILURE"
    ]
    if re.search(r"no body for", text):
        wrong += re.findall(r"no body for .*", text)
    return len(checks), seconds, "\n    ".join(wrong)


def prove(args, proofs):
    failed, start = 0, time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        tasks = [(p, pool.submit(run, args, p)) for p in proofs]
        print(f"{'proof':25}{'what is proved':40}{'bound':38}{'checks':>6}{'s (CPU)':>9}")
        for p, task in tasks:
            checks, seconds, wrong = task.result()
            failed += bool(wrong)
            print(
                f"{f'{p.module}.{p.entry}':25}{p.what:40}{p.bound:38}{checks:6}{seconds:9.1f}"
                f"{'  NOT PROVED' if wrong else ''}",
                flush=True,
            )
            if wrong:
                print("   ", wrong, flush=True)
    print(
        f"{len(proofs) - failed} of {len(proofs)} proved; {sum(t.result()[0] for _, t in tasks)} checks, "
        f"{sum(t.result()[1] for _, t in tasks):.0f} s of CPU time, {time.monotonic() - start:.0f} s"
    )
    return failed


def mutated(p):
    """A copy of the tree with one line changed."""
    root = BUILD / f"mutant.{p.module}.{p.entry}"
    shutil.rmtree(root, ignore_errors=True)
    for part in ("src", "port", "boards", "tests/proof"):
        shutil.copytree(part, root / part)
    name, old, new = p.mutant
    text = (root / name).read_text(encoding="utf-8")
    if text.count(old) != 1:
        sys.exit(
            f"proof: {name} has not exactly one {old!r}: change the mutant of {p.module} in tests/proof/proof.py"
        )
    (root / name).write_text(text.replace(old, new), encoding="utf-8")
    return root


def kill_mutants(args, proofs):
    missed = 0
    proofs = [p for p in proofs if p.mutant]
    roots = [mutated(p) for p in proofs]
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        tasks = [
            (p, pool.submit(run, args, p, root, ["--stop-on-fail", "-DMUTANT"]))
            for p, root in zip(proofs, roots)
        ]
        for p, task in tasks:
            _, seconds, wrong = task.result()
            caught = wrong and "not finished" not in wrong and "no result" not in wrong
            missed += not caught
            print(
                f"{p.mutant[0]}: {p.mutant[1]!r} -> {p.mutant[2]!r}\n    "
                f"{'caught' if caught else 'NOT CAUGHT'} by {p.module}.{p.entry} in {seconds:.1f} s: {wrong}",
                flush=True,
            )
    print(f"{len(proofs) - missed} of {len(proofs)} mutants caught")
    return missed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", help="only these: MODULE, or MODULE.ENTRY")
    parser.add_argument(
        "--mutants", action="store_true", help="change one line for each proof: is it caught?"
    )
    parser.add_argument("--cbmc", default="cbmc", type=str.split)
    parser.add_argument("--jobs", default=2, type=int)
    parser.add_argument("--limit", default=LIMIT, type=int, help="CPU seconds of one proof")
    parser.add_argument("--cppflags", nargs=argparse.REMAINDER, default=[])
    args = parser.parse_args()
    proofs = [
        p
        for p in PROOFS
        if not args.names or p.module in args.names or f"{p.module}.{p.entry}" in args.names
    ]
    if not proofs:
        sys.exit("proof: no such proof")
    BUILD.mkdir(parents=True, exist_ok=True)
    sys.exit(1 if (kill_mutants if args.mutants else prove)(args, proofs) else 0)


main()
