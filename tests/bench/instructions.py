# instructions.py - the program behind `make bench BOARD=lm3s6965evb`: how many instructions the firmware needs for a
# full TLS handshake, a resumed one, and a whole operation (202, three polls), by QEMU's instruction counter
# (environment: REKEY, the firmware). The count includes the client, the network driver and lwIP, but no waiting. Exits
# with 1 above a budget.

import os
import statistics
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "tests", "arm"))
from firmware import ICOUNT, NS_PER_INSTRUCTION, Firmware, Service

TIMES = 3
# What is measured, and the budget in million instructions.
BUDGETS = {"a full handshake": 50, "a resumed handshake": 2, "a whole operation": 55}


def millions(us):
    return us * 1000 / NS_PER_INSTRUCTION / 1e6


def measure(firmware, number):
    """One boot with two operations: the first makes a full handshake, the second uses the first one's ticket."""
    run = firmware.run(f"three-polls--bench-{number}", flags=ICOUNT, runs=2)
    if run.code != 0 or len(run.runs) != 2:
        sys.exit(f"exit {run.code}\n{run.text}")
    (_, _, busy, handshake), (_, _, _, resumed) = run.runs
    return [millions(us) for us in (handshake, resumed, busy)]


def main():
    service = Service("build/certs")
    firmware = Firmware(os.environ["REKEY"], service.ports)
    try:
        rows = [measure(firmware, number) for number in range(TIMES)]
        for number in range(TIMES):
            log = service.call("GET", f"/log/three-polls--bench-{number}")
            resumed = [event["resumed"] for event in log if event["event"] == "handshake"]
            methods = [event["method"] for event in log if event["event"] == "request"]
            if resumed != [False, True] or methods != ["POST", "GET", "GET", "GET", "POST", "GET"]:
                sys.exit(f"boot {number} was not as expected: resumed {resumed}, {methods}")
    finally:
        firmware.close()
        service.close()
    failed = False
    print(f"{'million instructions':22}median  lowest  highest  budget")
    for (name, budget), values in zip(BUDGETS.items(), zip(*rows)):
        median = statistics.median(values)
        failed |= median > budget
        print(f"{name:22}{median:6.2f}  {min(values):6.2f}  {max(values):7.2f}  {budget:6}"
              f"{'  ABOVE the budget' if median > budget else ''}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
