# operation.py - the last part of `make bench` on this machine: instructions of one whole operation (202, three polls at
# once) by the command, by part, for TLS 1.2 and 1.3: the start of the process, the full handshake and five requests.
# valgrind counts them (environment: REKEY, the command with -g). Unlike times, they are repeatable. Exits with 1 above
# a budget.

import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
# Budget in million instructions for one operation, some 8 % above the need: compilers differ by less.
BUDGETS = {"1.2": 26.5, "1.3": 24}
RSA = "rekey_rsa_public"
# Parts by the source file of an instruction. RSA is its one function, with all that it calls.
PARTS = {
    "curves": r"/(bignum\w*|ecp\w*|ecdh|constant_time\w*)\.[ch]$",
    "SHA": r"/(sha\d+|md)\.[ch]$",
    "AES": r"/(aes\w*|gcm|cipher)\.[ch]$",
}


def run(arm, version, folder):
    """Runs one operation. Returns the name of the file that callgrind wrote."""
    listener = "tls" + version.replace(".", "")
    child = subprocess.Popen(
        ["valgrind", "-q", "--tool=callgrind", "--compress-strings=no", f"--callgrind-out-file={folder}/%p", os.environ["REKEY"],
         "regenerate", "--subscription", "00000000-0000-0000-0000-000000000000", "-g", "bench", "-w", "bench", "-n",
         f"three-polls--{listener}", "--key-type", "primary", "--ca-file", arm["ca"], "--management-url",
         f"https://localhost:{arm['ports'][listener]}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={"AZURE_ACCESS_TOKEN": "bench-token"})
    said = child.communicate()[1]
    if child.returncode != 0:
        sys.exit(f"TLS {version}: exit {child.returncode}\n{said[-2000:]}")
    return f"{folder}/{child.pid}"   # the child process that looks up the name has its own file


def count(name):
    """Instructions by part. The file has lines of a place and a cost; the line after `calls=` has the cost of the
    called function."""
    parts = dict.fromkeys([*PARTS, "RSA", "the rest"], 0)
    part = called = None
    with open(name, encoding="utf-8") as lines:
        for line in lines:
            if line.startswith(("fl=", "fi=", "fe=")):
                part = next((part for part, form in PARTS.items() if re.search(form, line)), "the rest")
            elif line.startswith("cfn="):
                called = line[4:].strip()
            elif line[0] in "0123456789+-*":
                cost = int(line.split()[1])
                if called is None:
                    parts[part] += cost
                elif called == RSA:
                    parts["RSA"] += cost
                called = None
    parts["curves"] -= parts["RSA"]   # nearly all of its callees are in the same files
    return parts


def main():
    service = subprocess.Popen([sys.executable, os.path.join(ROOT, "tests", "arm", "arm.py"), "--certs", "build/certs",
                                "--until-eof"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    arm = json.loads(service.stdout.readline())
    failed = False
    print("million instructions of one operation")
    with tempfile.TemporaryDirectory() as folder:
        for version, budget in BUDGETS.items():
            parts = count(run(arm, version, folder))
            total = sum(parts.values()) / 1e6
            failed |= total > budget
            print(f"TLS {version}  {total:5.2f} (the budget is {budget}): "
                  + ", ".join(f"{part} {cost / 1e6:.2f}" for part, cost in parts.items())
                  + ("  ABOVE the budget" if total > budget else ""))
    service.stdin.close()
    service.wait()
    return failed


sys.exit(main())
