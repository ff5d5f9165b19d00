# beside_curl.py - the second half of `make bench`: one complete operation (202, three polls at once) by the command as
# released and by curl, in turns, against the same stand-in service (environment: REKEY, the command). curl is one
# process with one connection, and gets the polling URL in advance: this is the best that a script could do. Wall and
# CPU time are those of the whole process. Memory is VmHWM when the process ends; bytes are those that a relay on
# loopback counted; both come from separate runs. Nothing is required; with --require the medians must reach REQUIRED.

import ctypes
import json
import os
import select
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
import uuid

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.dont_write_bytecode = True
PAIRS = 31
REQUIRED = {"wall": 2, "CPU": 2, "VmHWM": 20}   # how many times as much curl must need
TOKEN = "a-token-for-the-stand-in-service"
SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
SEIZE, CONTINUE, TRACE_EXIT, EVENT_EXIT = 0x4206, 7, 0x40, 6    # of ptrace(2)

ptrace = ctypes.CDLL(None, use_errno=True).ptrace
ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


class Relay:
    """Forwards connections to a port of ::1, and counts the bytes. The port is the service's, because the service
    checks it."""

    def __init__(self, port):
        self.port, self.bytes = port, 0
        self.listener = socket.create_server(("::1", port), family=socket.AF_INET6)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            near = self.listener.accept()[0]
            far = socket.create_connection(("127.0.0.1", self.port))
            other = {near: far, far: near}
            while other:
                for sock in select.select(list(other), [], [])[0]:
                    try:
                        data = sock.recv(65536)
                        self.bytes += len(data)
                        if data:
                            other[sock].sendall(data)
                            continue
                        other.pop(sock).shutdown(socket.SHUT_WR)
                    except OSError:
                        other = {}
                        break
            near.close()
            far.close()


class Bench:
    def __init__(self):
        self.service = subprocess.Popen(
            [sys.executable, os.path.join(ROOT, "tests", "arm", "arm.py"), "--certs", "build/certs", "--until-eof"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.arm = json.loads(self.service.stdout.readline())
        main, other = self.arm["ports"]["main"], self.arm["ports"]["tls13"]
        self.relay = Relay(other)    # main itself listens on ::1
        self.by_name, self.by_address, self.by_relay = f"localhost:{main}", f"127.0.0.1:{main}", f"[::1]:{other}"

    def close(self):
        self.service.stdin.close()
        self.service.wait()

    def call(self, method, path, data=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.arm['control']}{path}", method=method,
                                         data=json.dumps(data).encode() if data else None)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    # The two clients.

    def rekey(self, endpoint, authority):
        return ([os.environ["REKEY"], "regenerate", "--subscription", SUBSCRIPTION, "-g", "bench", "-w", "bench", "-n",
                 endpoint, "--key-type", "primary", "--management-url", f"https://{authority}", "--ca-file",
                 self.arm["ca"]], {"AZURE_ACCESS_TOKEN": TOKEN})

    def curl(self, endpoint, authority):
        url = (f"https://{authority}/subscriptions/{SUBSCRIPTION}/resourceGroups/bench/providers/Microsoft.Machine"
               f"LearningServices/workspaces/bench/onlineEndpoints/{endpoint}/regenerateKeys?api-version=2025-09-01")

        def each(*arguments):
            return ["-sSf", "-o", "/dev/null", "--cacert", self.arm["ca"], "-H", f"Authorization: Bearer {TOKEN}",
                    "-H", f"x-ms-client-request-id: {uuid.uuid4()}", "-H", "Accept: application/json",
                    "-H", "Accept-Encoding: identity", "-A", "rekey/0 (curl)", *arguments]

        poll = self.polling_url(endpoint, authority)
        return (["curl", "-q", *each("-H", "Content-Type: application/json", "--data", '{"keyType":"Primary"}', url),
                 *3 * ["--next", *each(poll)]], {"PATH": os.environ["PATH"]})

    def polling_url(self, endpoint, authority):
        """A polling URL that the service gave for an earlier operation, and still knows."""
        arguments, environment = self.rekey(endpoint, authority)
        subprocess.run(arguments, env=environment, check=True, stderr=subprocess.DEVNULL)
        answers = [event for event in self.call("GET", f"/log/{endpoint}?idle=5") if event["event"] == "answer"]
        return [dict(event["headers"])["Azure-AsyncOperation"] for event in answers if event["status"] == 202][-1]

    def prepare(self, which, endpoint, authority):
        """Prepares a command for a new operation. Returns the command, its environment, and where the log begins."""
        self.call("PUT", f"/scenario/{endpoint}", {"base": "three-polls"})
        command = getattr(self, which)(endpoint, authority)
        self.call("PUT", f"/scenario/{endpoint}", {"base": "three-polls"})
        log = self.call("GET", f"/log/{endpoint}?idle=5")
        return *command, log[-1]["seq"] if log else 0

    def check(self, which, endpoint, since, code):
        """Checks that both did the same. Returns the number of handshakes."""
        log = self.call("GET", f"/log/{endpoint}?idle=5&since={since}")
        requests = [event for event in log if event["event"] == "request"]
        faults = [fault for event in requests for fault in event["faults"]]
        if code != 0 or faults or [event["method"] for event in requests] != ["POST", "GET", "GET", "GET"]:
            sys.exit(f"{which}: exit {code}, {[event['method'] for event in requests]}, {faults}")
        return sum(event["event"] == "handshake" for event in log)

    def time(self, which, endpoint, authority):
        """Wall and CPU milliseconds of one run, and its handshakes."""
        arguments, environment, since = self.prepare(which, endpoint, authority)
        null = os.open(os.devnull, os.O_RDWR)
        path = "/usr/bin/curl" if which == "curl" else arguments[0]
        start = time.perf_counter()
        pid = os.posix_spawn(path, arguments, environment, file_actions=[
            (os.POSIX_SPAWN_DUP2, null, number) for number in (0, 1, 2)])
        status, usage = os.wait4(pid, 0)[1:]
        wall = time.perf_counter() - start
        os.close(null)
        handshakes = self.check(which, endpoint, since, os.waitstatus_to_exitcode(status))
        return {"wall": wall * 1000, "CPU": (usage.ru_utime + usage.ru_stime) * 1000, "handshakes": handshakes}

    def size(self, which, endpoint):
        """The peak of its memory in KB, and the bytes in both directions. ru_maxrss would include this program's
        memory."""
        arguments, environment, since = self.prepare(which, endpoint, self.by_relay)
        self.relay.bytes = 0
        process = subprocess.Popen(arguments, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        if ptrace(SEIZE, process.pid, None, TRACE_EXIT) != 0:
            sys.exit(f"ptrace: {os.strerror(ctypes.get_errno())}")
        peak = None
        while True:
            _, status = os.waitpid(process.pid, 0)
            if not os.WIFSTOPPED(status):
                break
            if status >> 16 == EVENT_EXIT:
                with open(f"/proc/{process.pid}/status") as file:
                    peak = [int(line.split()[1]) for line in file if line.startswith("VmHWM:")][0]
            number = os.WSTOPSIG(status)
            ptrace(CONTINUE, process.pid, None, None if status >> 16 or number == signal.SIGTRAP else number)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.check(which, endpoint, since, process.returncode)
        return {"VmHWM": peak, "bytes": self.relay.bytes}


def main():
    bench = Bench()
    sizes = {"rekey": [], "curl": []}
    timed = {"by name": bench.by_name, "by address": bench.by_address}
    times = {how: {"rekey": [], "curl": []} for how in timed}
    try:
        for which in 2 * list(sizes):    # not counted: it loads both into the page cache
            bench.time(which, "bench--warm", bench.by_name)
        for number in range(PAIRS):
            for how, authority in timed.items():
                for which in sorted(sizes, reverse=number % 2 == 0):
                    times[how][which].append(bench.time(which, f"bench--{number}", authority))
        for number in range(3):
            for which in sizes:
                sizes[which].append(bench.size(which, f"bench--size-{number}"))
    finally:
        bench.close()

    print(f"\nbeside curl: 202 and three polls; medians, of {PAIRS} pairs or 3 runs\n{'':22}rekey     curl  curl/rekey")
    missed = False
    for label, rows, name, unit in (
            *((f"{name} {how}", rows, name, "ms") for how, rows in times.items() for name in ("wall", "CPU")),
            ("VmHWM", sizes, "VmHWM", "KB"), ("bytes", sizes, "bytes", ""),
            ("handshakes", times["by name"], "handshakes", "")):
        mine, theirs = [[row[name] for row in rows[which]] for which in ("rekey", "curl")]
        # In pairs: a disturbance of the machine disturbs both.
        ratio, wanted = statistics.median(b / a for a, b in zip(mine, theirs)), REQUIRED.get(name, 0)
        missed |= ratio < wanted
        numbers = "".join(f"{statistics.median(each):9.{2 if unit == 'ms' else 0}f}" for each in (mine, theirs))
        print(f"{label:15}{unit:>3}{numbers}{ratio:12.2f}"
              + (f"  (wanted: {wanted}{', NOT reached' if ratio < wanted else ''})" if wanted else ""))
    return missed and "--require" in sys.argv


if __name__ == "__main__":
    sys.exit(main())
