# bench.py - the program behind `make bench`: complete operations over real TLS against the stand-in service, difficult
# ones beside a plain one (environment: REKEY, REKEY_BENCH, the build with the fast clock). Memory must not depend on
# what the service sends: the peaks of the process (VmHWM) and of the arena are the same in each row, or it exits with
# 1.

import json
import os
import re
import subprocess
import sys
import urllib.request

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "tests", "arm"))
from scenarios import ASYNC, DONE, RUNNING, accepted

TOLERANCE_KB = 256   # the kernel counts pages in batches of 64
FAST = "10000"   # the factor by which the clock runs faster between two requests
RUNNING = {**RUNNING, "headers": []}   # no Retry-After: the default wait
PAD = [[f"x-pad-{i}", "{pad:1000}"] for i in range(58)]
# name, answers to the POST and to the polls
ROWS = [
    ("one poll", [accepted(ASYNC)], [DONE]),
    ("a head of 60 KB", [accepted(*PAD, ASYNC)], [{**DONE, "headers": PAD}]),
    ("1 MB in 1-byte records", [accepted(ASYNC, body="{pad:1048576}", split=1)], [DONE]),
    ("10,000 polls", [accepted(ASYNC)], [*[RUNNING] * 9999, DONE]),
    ("1,000 polls, each resumed", [accepted(ASYNC)],
     [*[{**RUNNING, "headers": [["Retry-After", "30"]]}] * 999, DONE]),
]


def call(arm, method, path, data=None):
    request = urllib.request.Request(f"http://127.0.0.1:{arm['control']}{path}", method=method,
                                     data=json.dumps(data).encode() if data else None)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def run(arm, listener, row, scenario):
    """Runs one row. Returns the two peaks, and the number of answers."""
    call(arm, "PUT", f"/scenario/{row}", scenario)
    done = subprocess.run(
        [os.environ["REKEY_BENCH"], "regenerate", "--subscription", "00000000-0000-0000-0000-000000000000",
         "-g", "bench", "-w", "bench", "-n", row, "--key-type", "primary", "--ca-file", arm["ca"],
         "--management-url", f"https://localhost:{arm['ports'][listener]}", "--timeout", "604800", "-v"],
        capture_output=True, text=True, env={"AZURE_ACCESS_TOKEN": "bench-token", "CLOCK_FACTOR": FAST})
    if done.returncode != 0:
        sys.exit(f"{row}: exit {done.returncode}\n{done.stderr[-2000:]}")
    peaks = [int(re.search(form, done.stderr)[1]) for form in (r"VmHWM:\s+(\d+) kB", r"arena peak (\d+)")]
    return *peaks, len(re.findall("^rekey: < 20", done.stderr, re.M))


def main():
    service = subprocess.Popen([sys.executable, os.path.join(ROOT, "tests", "arm", "arm.py"), "--certs", "build/certs",
                                "--until-eof"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    arm = json.loads(service.stdout.readline())
    failed = False
    print(f"{'':27}TLS  answers  VmHWM (KB)  arena peak (bytes)")
    for listener, version in (("tls12", "1.2"), ("tls13", "1.3")):
        plain = None
        for i, (name, post, poll) in enumerate(ROWS):
            peak, arena, answers = run(arm, listener, f"{listener}-{i}", {"post": post, "poll": poll})
            plain = plain or (peak, arena)
            same = abs(peak - plain[0]) <= TOLERANCE_KB and arena == plain[1]
            failed |= not same
            print(f"{name:27}{version}  {answers:7}  {peak:10}  {arena:18}{'' if same else '  NOT the same'}", flush=True)
    service.stdin.close()
    service.wait()
    return failed


sys.exit(main())
