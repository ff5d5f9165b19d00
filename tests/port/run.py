"""Runs the programs of `make port-check`, each with a peer.py of its own, and prints a table: for
each port of rekey the result of each check; and for each transport that is broken on purpose
whether exactly the sentence that it breaks was named.

    run.py PROGRAM...    the exit code is 1 if a port breaks a sentence, or a broken one is not named
"""

import concurrent.futures
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
HEADER = HERE / "../../src/rekey_port.h"
AT_ONCE = 4  # number of programs at a time: most of the time is waiting
SECONDS = 100  # seconds for one program, after which a call counts as one that does not return

# How to run a port: the options of peer.py, and the program's arguments after the first port.
PLAIN = [("", [], [])]
TLS = [
    ("", ["--tls=DIR"], ["DIR/ca.pem"]),
    ("-1.2", ["--tls=DIR", "--tls-max=1.2"], ["DIR/ca.pem"]),
    ("-small", ["--tls=DIR"], ["DIR/ca.pem", "small"]),
]
EMULATOR = ["--address=10.0.2.2", "--host=10.0.2.2"]  # the address of this machine for a guest
FIRMWARE = [
    ("-lwip", EMULATOR, []),
    ("-mbedtls", [*EMULATOR, "--tls=DIR"], ["DIR/ca.der"]),
]
PORTS = {
    "firmware": FIRMWARE,
    "posix": [*PLAIN, ("-poll", [], ["poll"])],
    "sockets": PLAIN,
    "lwip": [*PLAIN, ("-tls", ["--tls=DIR"], ["DIR/ca.pem"])],
    "mbedtls": TLS,
}

READ_ENDS = (
    "wait close-is-seen close-beside-lookup one-byte-at-a-time large-read close-blocked written-is-sent"
    " end reset-after-data"
)
# The transport on which each broken one is built, and the sentences (sentences.h) that the checks
# name.
BROKEN = {
    "order": (
        "posix",
        {"reset-after-data": "DELIVER", "answer-while-writing": "DELIVER"},
    ),
    "refuse": ("posix", {"answer-while-writing": "DELIVER"}),
    "keep": ("posix", {"written-is-sent": "FLUSH"}),
    "block": ("posix", dict.fromkeys(("no-answer", "no-lookup", "close-beside-lookup"), "BLOCKS")),
    "timer": ("posix", {"second-address": "WAIT_MS"}),
    "part": ("posix", {"large-write": "WANT_WRITE"}),
    "zero": (
        "posix",
        dict.fromkeys(READ_ENDS.split(), "READ")
        | dict.fromkeys(("one-byte-at-a-time", "large-read", "close-blocked", "end"), "READ END"),
    ),
    "close": ("posix", {"close-is-seen": "CLOSE"}),
    "explain": (
        "posix",
        dict.fromkeys(
            ("refused", "reset-at-once", "reset-after-data", "answer-while-writing"), "EXPLAIN"
        ),
    ),
    "cut": ("mbedtls", dict.fromkeys(("cut", "cut-record"), "CUT")),
    "name": ("mbedtls", {"wrong-name": "VERIFIED"}),
    "notify": ("mbedtls", {"close-is-seen": "NOTIFY", "close-beside-lookup": "NOTIFY"}),
}


def read_sentences():
    """{text: name} of sentences.h."""
    rows = re.findall(r'X\((\w+), "(.*)"\)', (HERE / "sentences.h").read_text())
    return {text: name for name, text in rows}


def missing_sentences(sentences):
    """The sentences that are not in the contract, word for word."""
    header = " ".join(HEADER.read_text().replace("//", " ").split())
    return [text for text in sentences if text not in header]


class Result:
    """The output of a program: {check: (mark, names of broken sentences)}, and its lines."""

    def __init__(self, text, sentences):
        self.checks, self.lines = {}, []
        check = None
        for line in text.splitlines():
            mark, name, rest = line[:8].strip(), line[9:29].strip(), line[30:].strip()
            if mark not in ("checking", "passed", "BROKEN", "-", ""):
                continue  # output of the emulator
            if mark:
                check = name
                self.checks[check] = [mark, set()]
            elif name == "sentence":
                self.checks[check][1].add(sentences[rest])
            if mark in ("BROKEN", "") and line:
                self.lines.append(line)
        # The last check did not return.
        if check and self.checks[check][0] == "checking":
            self.checks[check] = ["BROKEN", {"BLOCKS"}]
            self.lines.append(f"BROKEN   {check}: a call did not return, or it crashed")

    def broken(self):
        return {
            (check, name) for check, (_, names) in self.checks.items() for name in names
        }


def run(program, peer_options, arguments, sentences):
    with tempfile.TemporaryDirectory() as directory:
        options = [o.replace("DIR", directory) for o in peer_options]
        arguments = [a.replace("DIR", directory) for a in arguments]
        with subprocess.Popen(
            [sys.executable, HERE / "peer.py", *options], stdout=subprocess.PIPE, text=True
        ) as peer:
            try:
                first = peer.stdout.readline().split()[0]
                command = [*shlex.split(os.environ.get("EXEC", "")), program]
                if program.suffix == ".elf":  # it has one argument, and prints to standard error
                    command += [" ".join([first, *arguments])]
                else:
                    command += [first, *arguments]
                try:
                    done = subprocess.run(
                        command,
                        stdout=subprocess.PIPE,
                        stderr=subprocess.STDOUT,
                        text=True,
                        timeout=SECONDS,
                        check=False,
                    )
                    text = done.stdout
                except subprocess.TimeoutExpired as e:
                    text = (e.stdout or b"").decode()
            finally:
                peer.kill()
    return Result(text, sentences)


def print_table(results):
    print(" " * 22 + "".join(f"{name:<15}" for name in results))
    for check in next(iter(results.values())).checks:
        marks = [result.checks.get(check, ["?"])[0] for result in results.values()]
        print(f"{check:<22}" + "".join(f"{mark:<15}" for mark in marks))


def main():
    sentences = read_sentences()
    jobs = {}
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for program in map(pathlib.Path, sys.argv[1:]):
            of = program.stem.removeprefix("broken_")
            port = PORTS[BROKEN[of][0]][:1] if of in BROKEN else PORTS[of]
            for suffix, options, arguments in port:
                jobs[program.stem + suffix] = pool.submit(
                    run, program, options, arguments, sentences
                )
    results = {name: job.result() for name, job in jobs.items()}
    ports = {n: r for n, r in results.items() if not n.startswith("broken_")}
    print_table(ports)
    faulty = False
    for name, result in ports.items():
        if result.broken() or not result.checks:
            faulty = True
            print(f"\n{name} breaks the contract:", *result.lines, sep="\n")
    print()
    for name, (base, expected) in BROKEN.items():
        if f"broken_{name}" not in results:
            continue
        result = results[f"broken_{name}"]
        wanted = {(c, n) for c, names in expected.items() for n in names.split()}
        found = result.broken() - (ports[base].broken() - wanted)
        if found == wanted:
            print(f"broken on purpose: {name:<10} named by {', '.join(expected)}")
        else:
            faulty = True
            print(f"broken on purpose: {name:<10} NOT AS EXPECTED: {wanted ^ found}")
            print(*result.lines, sep="\n")
    for text in missing_sentences(sentences):
        faulty = True
        print("not in src/rekey_port.h:", text)
    sys.exit(faulty)


if __name__ == "__main__":
    main()
