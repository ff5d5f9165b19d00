# firmware.py - runs the firmware of lm3s6965evb in QEMU against the stand-in service. It provides a name server on
# loopback, and the token and the configuration in files that the firmware reads by semihosting; it parses what the
# firmware prints. As a program it is `make demo BOARD=lm3s6965evb` (environment: REKEY, the firmware): a complete
# regeneration over TLS, then four servers that must be refused. Exits with 0 only if each run ended as it must.

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
BOARD = os.path.join(HERE, "..", "..", "boards", "lm3s6965evb")
HOST = "10.0.2.2"           # the address by which the guest reaches the host's loopback
ICOUNT = "-icount shift=4"  # busy times are instruction counts
NS_PER_INSTRUCTION = 16     # with ICOUNT
SKIP_SLEEP = "-icount shift=4,sleep=off"    # and sleeps take no time, which saves some 40 s in one test
TOKEN = "a-token-for-the-stand-in-service"
NUMBERS = {                 # the numbers that the firmware prints, by name
    "outcome": r"^outcome: (\d+)", "requests": r"requests: (\d+)", "polls": r"polls: (\d+)", "error": r"^error: (-\d+)",
    "arena_peak": r"^arena peak: (\d+)", "arena": r"^arena peak: \d+ of (\d+)",
    "stack_peak": r"^stack peak: (\d+)", "stack": r"^stack peak: \d+ of (\d+)",
    "ram": r"^RAM: (\d+)", "longest_us": r"^longest step: (\d+)", "busy_us": r"^longest step: .*busy: (\d+)",
    "handshake_us": r"^longest step: .*handshake: (\d+)",
}
RUN = r"^run \d+: outcome (\d+), arena peak (\d+), busy (\d+) us, handshake (\d+) us$"


class NameServer:
    """Answers each question with HOST, or never if it is silent."""

    def __init__(self, silent=False):
        self.silent, self.questions = silent, 0
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            question, sender = self.sock.recvfrom(512)
            self.questions += 1
            end = question.index(b"\0", 12) + 5
            if not self.silent:
                self.sock.sendto(question[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + question[12:end]
                                 + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(HOST), sender)


class Run:
    """The output of a run. Numbers are by name (see NUMBERS), None if they are missing; runs has one (outcome, arena
    peak, busy us, handshake us) for each of several."""

    def __init__(self, code, text, seconds):
        self.code, self.text, self.seconds = code, text, seconds
        for name, form in NUMBERS.items():
            found = re.search(form, text, re.M)
            setattr(self, name, int(found[1]) if found else None)
        self.runs = [tuple(map(int, each)) for each in re.findall(RUN, text, re.M)]


class Firmware:
    """Runs one ELF file; arm is the object that arm.py printed."""

    def __init__(self, elf, ports, name_server=None):
        self.elf, self.ports, self.name_server = elf, ports, name_server or NameServer()
        self.directory = tempfile.mkdtemp(prefix="rekey-firmware-")    # has mode 0700
        self.token = os.path.join(self.directory, "token")
        with open(os.open(self.token, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(TOKEN + "\n")

    def close(self):
        shutil.rmtree(self.directory)

    def settings(self, endpoint, listener):
        """Returns the text of a configuration (see `settings` in main.c)."""
        return {"command": "regenerate", "host": "localhost", "port": self.ports[listener],
                "subscription": "0" * 8 + "-0000" * 3 + "-" + "0" * 12, "resource-group": "demo", "workspace": "demo", "endpoint": endpoint, "key-type": "primary",
                "token-file": self.token, "name-server": HOST, "name-server-port": self.name_server.port}

    def start(self, configuration, flags="", env=None):
        """Starts QEMU. configuration: a dictionary, or None for no configuration."""
        argument = []
        if configuration is not None:
            argument = [os.path.join(self.directory, "configuration")]
            with open(argument[0], "w") as file:
                file.writelines(f"{name} {value}\n" for name, value in configuration.items())
        return subprocess.Popen([os.path.join(BOARD, "run"), self.elf, *argument], text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, env={**os.environ, "RUN_FLAGS": flags, **(env or {})})

    def run(self, endpoint, listener="tls12", flags="", env=None, seconds=120, **settings):
        """Regenerates a key of an endpoint. settings: those that differ (None removes one), with _ for -."""
        configuration = self.settings(endpoint, listener)
        configuration.update({name.replace("_", "-"): value for name, value in settings.items()})
        return self.wait({name: value for name, value in configuration.items() if value is not None}, flags, env, seconds)

    def wait(self, configuration, flags="", env=None, seconds=120):
        start = time.monotonic()
        process = self.start(configuration, flags, env)
        try:
            text = process.communicate(timeout=seconds)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            text = process.communicate()[0] + f"killed after {seconds} s\n"
        return Run(process.returncode, text, time.monotonic() - start)


class Service:
    """The stand-in service as a process, for the demo and the benchmarks."""

    def __init__(self, certs):
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "arm.py"), "--certs", certs, "--until-eof"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        ready = json.loads(self.process.stdout.readline())
        self.control, self.ports = ready["control"], ready["ports"]

    def call(self, method, path, data=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.control}{path}", method=method,
                                         data=json.dumps(data).encode() if data else None)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


# The scenarios of both the demo and the tests: listener, scenario, exit code, number of polls, and expected output.
SHOWN = {
    "a whole regenerate: 202, three polls, two signed URLs of 3.2 KB": ("tls12", "signed-now", 0, 3, "outcome: 0"),
    "a certificate that has expired": ("expired", "three-polls", 11, 0, "it is valid from 2020-01-01"),
    "a certificate for another host": ("wronghost", "three-polls", 11, 0, "it is not for localhost"),
    "a certificate of an unknown issuer": ("unknown", "three-polls", 11, 0, "is not among the trust anchors"),
    "a polling URL on another host": ("tls12", "other-host", 12, 0, "host: 127.0.0.2"),
}


def show(firmware, call, title, endpoint):
    """Runs one scenario of SHOWN. Returns the run, and a list of what is wrong with it."""
    listener, base, code, polls, text = SHOWN[title]
    scenario = {"base": base}
    if code == 0:
        scenario["poll"] = [{"status": 200, "headers": [["Retry-After", "0"]], "body": {"status": status}}
                            for status in ("Updating", "Updating", "Succeeded")]
    call("PUT", f"/scenario/{endpoint}", scenario)
    before = call("GET", f"/keys/{endpoint}")
    run = firmware.run(endpoint, listener, ICOUNT if code == 0 else "")
    after = call("GET", f"/keys/{endpoint}")
    requests = [event for event in call("GET", f"/log/{endpoint}") if event["event"] == "request"]
    wrong = [f"fault of a request: {fault}" for request in requests for fault in request["faults"]]
    if run.code != code or run.polls != polls or text not in run.text:
        wrong.append(f"exit {run.code} with {run.polls} polls; {code} with {polls} and {text!r} expected")
    # A service whose polling URL is on another host has executed the request. A server that is not trusted never saw it.
    times = 0 if code == 11 else 1
    if after["regenerated"] != ["Primary"] * times or (before["primaryKey"] != after["primaryKey"]) != bool(times):
        wrong.append(f"regenerated: {after['regenerated']}")
    if len(requests) != times + polls:
        wrong.append(f"{len(requests)} requests arrived")
    if before["secondaryKey"] != after["secondaryKey"] or TOKEN in run.text or after["primaryKey"] in run.text:
        wrong.append("the other key changed, or a secret was shown")
    return run, wrong


def main():
    service = Service("build/certs")
    firmware = Firmware(os.environ["REKEY"], service.ports)
    failed = False
    try:
        for number, title in enumerate(SHOWN):
            run, wrong = show(firmware, service.call, title, f"demo-{number}")
            print(f"\n{title}: exit {run.code}, {run.seconds:.2f} s")
            print("".join(f"  {line}\n" for line in run.text.splitlines()), end="")
            print("".join(f"  NOT as it must be: {each}\n" for each in wrong), end="", flush=True)
            failed |= bool(wrong)
        print(f"\nAll memory is static; the step and busy times of the first are {NS_PER_INSTRUCTION} ns an instruction."
              f"\n{'FAILED' if failed else 'The key was regenerated, and what must be refused was.'}")
    finally:
        firmware.close()
        service.close()
    return failed


if __name__ == "__main__":
    sys.exit(main())
