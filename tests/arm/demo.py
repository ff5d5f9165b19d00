# demo.py - what `make demo` runs: starts the stand-in service, regenerates a key through 202 and three polls with the
# command as it was built (environment: REKEY, REKEY_BUILD, REKEY_EXEC), and shows what that took. Exits with the
# command's exit code, or 1 if the key did not change or the heap was used.

import json
import os
import subprocess
import sys
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
CERTS = "build/certs"
ENDPOINT = "three-polls--demo"


def keys(arm):
    with urllib.request.urlopen(f"http://127.0.0.1:{arm['control']}/keys/{ENDPOINT}") as answer:
        return json.load(answer)


def main():
    exec_prefix = os.environ.get("REKEY_EXEC", "").split()
    report = os.path.join(os.environ["REKEY_BUILD"], "demo-heap.txt")
    service = subprocess.Popen([sys.executable, os.path.join(HERE, "arm.py"), "--certs", CERTS, "--until-eof"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    arm = json.loads(service.stdout.readline())
    command = exec_prefix + [
        os.environ["REKEY"], "regenerate", "--subscription", "00000000-0000-0000-0000-000000000000",
        "-g", "demo", "-w", "demo", "-n", ENDPOINT, "--key-type", "primary", "-v",
        "--management-url", f"https://localhost:{arm['ports']['main']}", "--ca-file", arm["ca"]]
    environment = {"PATH": os.environ["PATH"], "AZURE_ACCESS_TOKEN": "demo-token"}
    if not exec_prefix:
        environment.update(LD_PRELOAD=os.path.abspath(os.path.join(os.environ["REKEY_BUILD"], "heap.so")),
                           HEAP_REPORT=os.path.abspath(report))
    before = keys(arm)
    print("$ " + " ".join(command), flush=True)
    code = subprocess.run(command, env=environment).returncode
    after = keys(arm)
    service.stdin.close()
    service.wait()
    print(f"primary key changed: {before['primaryKey'] != after['primaryKey']}, "
          f"secondary key changed: {before['secondaryKey'] != after['secondaryKey']}")
    if before["primaryKey"] == after["primaryKey"]:
        return 1
    if not exec_prefix:
        with open(report) as file:
            text = file.read().strip()
        print(text)
        if text != "heap allocations: 0":
            return 1
    return code


sys.exit(main())
