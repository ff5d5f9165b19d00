# operation.py - the part of `make bench` that counts instructions: those of one complete operation (202, three polls at
# once) by the command, by part, for TLS 1.2 and 1.3: the start of the process, the full handshake and five requests,
# with a token of 2 KB and a bundle of 121 trust anchors of which the last one is needed. On this machine valgrind
# counts them; for another one QEMU does, which writes a line for each instruction (environment: REKEY, the command with
# -g; EXEC, the emulator or nothing; ADDR2LINE; BUDGETS, million instructions for TLS 1.2 and 1.3). Unlike times, they
# are repeatable. Exits with 1 above a budget.

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
TOKEN = base64.urlsafe_b64encode(b"".join(hashlib.sha256(bytes([i])).digest() for i in range(48))).decode()
# Parts by the source file of an instruction.
PARTS = {
    "RSA": r"/rsa_(public|square)\.[ch]$",
    "curves": r"/(bignum|ecp\w*|ecdh)\.[ch]$",
    "SHA": r"/(sha\d+|md)\.[ch]$",
    "AES": r"/(aes\w*|gcm|cipher)\.[ch]$",
    "anchors": r"/(pem\w*|der\w*)\.[ch]$",
}
HELPERS = r"/(bignum_core|bn_mul|constant_time\w*)\.[ch]$"   # functions that both RSA and curves use


def part_of(file):
    """The name of a part; None for a function that works for the part that called it; "?" without debugging
    information."""
    if re.search(HELPERS, file):
        return None
    if file == "??":
        return "?"
    return next((part for part, form in PARTS.items() if re.search(form, file)), "the rest")


def run(arm, version, before, **how):
    """Starts one operation, run by the program `before`."""
    listener = "tls" + version.replace(".", "")
    return subprocess.Popen(
        [*before, os.environ["REKEY"], "regenerate", "--subscription", "00000000-0000-0000-0000-000000000000", "-g", "bench",
         "-w", "bench", "-n", f"three-polls--{listener}", "--key-type", "primary", "--ca-file",
         os.path.join(os.path.dirname(arm["ca"]), "bundle.pem"), "--management-url",
         f"https://localhost:{arm['ports'][listener]}", "--connect-timeout", "600", "--idle-timeout", "600"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={"AZURE_ACCESS_TOKEN": TOKEN}, **how)


def finish(child, version):
    said = child.communicate()[1]
    if child.returncode != 0:
        sys.exit(f"TLS {version}: exit {child.returncode}\n{said[-2000:]}")


def by_valgrind(arm, version):
    """callgrind's file has lines of a place and a cost; the line after `calls=` has the cost of the called function."""
    parts = dict.fromkeys([*PARTS, "the rest"], 0)
    with tempfile.TemporaryDirectory() as folder:
        child = run(arm, version, ["valgrind", "-q", "--tool=callgrind", "--compress-strings=no",
                                   f"--callgrind-out-file={folder}/%p"])
        finish(child, version)
        # The child process that looks up the name has its own file.
        with open(f"{folder}/{child.pid}", encoding="utf-8") as lines:
            part, called, helper, in_helper, in_rsa = "the rest", False, False, 0, 0
            for line in lines:
                if line.startswith("fn="):
                    function = line[3:].strip()
                elif line.startswith(("fl=", "fi=", "fe=")):
                    part = part_of(line.strip())
                elif line.startswith(("cfi=", "cfl=")):
                    helper = re.search(HELPERS, line.strip())
                elif line.startswith("cfn="):
                    if line[4:].startswith(("mbedtls_mpi_core", "mbedtls_ct")):
                        helper = True
                elif line.startswith("calls="):
                    called = True
                elif line[0] in "0123456789+-*":
                    cost = int(line.split()[1])
                    if called:
                        # What the helpers do for RSA; otherwise they are counted with the curves.
                        in_rsa += cost if helper and function.startswith(("rekey_rsa", "square_of_r", "double_it")) else 0
                        called = helper = False
                    elif part is None:
                        in_helper += cost
                    else:
                        parts[part] += cost
    parts["RSA"] += in_rsa
    parts["curves"] += in_helper - in_rsa
    return parts


def files_of(program):
    """The source file of each address of the code, from the debugging information."""
    headers = subprocess.run(["readelf", "-SW", program], capture_output=True, text=True, check=True).stdout
    start, size = [int(text, 16) for text in re.search(r" \.text +PROGBITS +(\w+) \w+ (\w+)", headers).groups()]
    addresses = range(start, start + size, 2)
    named = subprocess.run([os.environ["ADDR2LINE"], "-e", program], input="".join(f"{at:x}\n" for at in addresses),
                           capture_output=True, text=True, check=True).stdout.splitlines()
    return {at: name.rsplit(":", 1)[0] for at, name in zip(addresses, named)}


def by_qemu(arm, version):
    """One instruction is one block, and one line with its address. Both processes are counted, including that of the
    look-up."""
    program = os.environ["REKEY"]
    part_at = {at: part_of(file) for at, file in files_of(program).items()}
    parts = dict.fromkeys([*PARTS, "the rest", "?"], 0)
    near, far = os.pipe()
    child = run(arm, version, [*os.environ["EXEC"].split(), "-singlestep", "-d", "nochain,exec", "-D", f"/dev/fd/{far}"],
                pass_fds=[far])
    os.close(far)
    base, part = None, "the rest"
    entry = int(re.search(r"Entry point address: +0x(\w+)", subprocess.run(
        ["readelf", "-h", program], capture_output=True, text=True, check=True).stdout)[1], 16) & ~1
    with os.fdopen(near, "rb") as lines:
        for line in lines:
            if line.startswith(b"Trace"):
                at = int(line.split(b"/", 2)[1], 16)
                base = at - entry if base is None else base   # the first instruction is at the entry point
                here = part_at.get(at - base, "?")
                part = here if here not in (None, "?") else part
                parts[part if here is None else here] += 1
    finish(child, version)
    parts["the rest"] += parts.pop("?")   # the C library
    return parts


def main():
    count = by_qemu if os.environ["EXEC"] else by_valgrind
    service = subprocess.Popen([sys.executable, os.path.join(ROOT, "tests", "arm", "arm.py"), "--certs", "build/certs",
                                "--until-eof"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    arm = json.loads(service.stdout.readline())
    failed = False
    print("million instructions of one operation")
    for version, budget in zip(("1.2", "1.3"), map(float, os.environ["BUDGETS"].split())):
        parts = count(arm, version)
        total = sum(parts.values()) / 1e6
        failed |= total > budget
        print(f"TLS {version}  {total:5.2f} (the budget is {budget}): "
              + ", ".join(f"{part} {cost / 1e6:.2f}" for part, cost in parts.items())
              + ("  ABOVE the budget" if total > budget else ""), flush=True)
    service.stdin.close()
    service.wait()
    return failed


sys.exit(main())
