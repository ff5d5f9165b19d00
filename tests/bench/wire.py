# wire.py - part of `make bench`: the bytes that the command sends and receives in a regenerate (POST, three polls), a
# sync and a rotate, by part: the cost on a metered link (environment: REKEY_BENCH, the build with the fast clock). The
# stand-in service, which runs in this process, counts them as records of TLS; TCP and IP are not counted. The service
# answers as the real one does: a 202 with a head of 8 KB that has two signed URLs, and a token of 1,600 bytes. Exits
# with 1 above a budget, or if the connections are not the expected ones. With --connections each of them is printed,
# too.

import argparse
import collections
import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "tests", "arm"))
import arm
from scenarios import DONE, HALF, RUNNING, SIGNED

HEADER, INNER_TYPE = 0x100, 0x101          # for OpenSSL's message callback
ALERT, HANDSHAKE, DATA = 21, 22, 23        # types of a record
CLIENT_HELLO, TICKET, CERTIFICATE = 1, 4, 11
SENT = ["ClientHello", "the rest of the handshake", "request heads", "request bodies", "records of requests", "alerts"]
RECEIVED = ["handshake without certificates", "certificates", "tickets", "answer heads", "answer bodies",
            "records of answers", "alerts "]
SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
TOKEN_SIZE = 1600
# Without Retry-After, so that the default wait applies to polls.
POLLS = [{**answer, "headers": []} for answer in (RUNNING, HALF, DONE)]
# Operation, source of the token, TLS: the budget in bytes, which is 100 more than needed (an unwanted ticket has 200);
# the expected numbers of full handshakes, resumed handshakes and round trips.
BUDGETS = {
    ("regenerate", "file", "1.2"): (35131, 1, 0, 7),
    ("regenerate", "file", "1.3"): (35497, 1, 0, 6),
    ("regenerate", "secret", "1.2"): (44959, 2, 0, 11),
    ("regenerate", "secret", "1.3"): (45933, 2, 0, 9),
    ("sync", "file", "1.2"): (9567, 1, 0, 4),
    ("sync", "file", "1.3"): (9996, 1, 0, 3),
    ("sync", "secret", "1.2"): (19395, 2, 0, 8),
    ("sync", "secret", "1.3"): (20432, 2, 0, 6),
    ("rotate", "file", "1.2"): (43703, 1, 2, 14),
    ("rotate", "file", "1.3"): (45333, 1, 2, 13),
    ("rotate", "secret", "1.2"): (53537, 2, 2, 18),
    ("rotate", "secret", "1.3"): (55775, 2, 2, 16),
}


class Counted(arm.Connection):
    """A connection that counts its bytes by part."""

    all = []

    def __init__(self, sock, number):
        super().__init__(sock, number)
        self.parts = collections.Counter()
        self.records = {"read": None, "write": None}    # the size of a record whose part is not known yet
        self.requests, self.hellos, self.head = 0, 0, False
        Counted.all.append(self)

    def start_tls(self, context):
        context._msg_callback = Counted.message
        super().start_tls(context)

    @staticmethod
    def message(tls, direction, _version, content, kind, data):
        """OpenSSL calls this for each header of a record, then for its content. Application data only has the call for
        the header."""
        self = next(each for each in reversed(Counted.all) if each.tls is tls)
        sent = direction == "read"                      # sent by the client
        if content == HEADER:
            self.settle(direction)
            self.records[direction] = 5 + int.from_bytes(data[3:5], "big"), data[0]
            return
        size, _ = self.records[direction] or (0, 0)
        if content == INNER_TYPE:
            self.records[direction] = size, data[0]
            return
        self.records[direction] = None
        self.hellos += content == HANDSHAKE and kind == CLIENT_HELLO
        if content == ALERT:
            part = "alerts" if sent else "alerts "
        elif sent:
            part = "ClientHello" if kind == CLIENT_HELLO and content == HANDSHAKE else SENT[1]
        else:
            part = {TICKET: "tickets", CERTIFICATE: "certificates"}.get(kind if content == HANDSHAKE else None, RECEIVED[0])
        self.parts[part] += size

    def settle(self, direction):
        """Counts a record without a call for its content: it holds data, or changes the cipher."""
        if self.records[direction]:
            size, kind = self.records[direction]
            parts = ("records of requests", SENT[1]) if direction == "read" else ("records of answers", RECEIVED[0])
            self.parts[parts[kind != DATA]] += size
            self.records[direction] = None

    def count(self, part, data):
        self.parts[part] += len(data)
        self.parts["records of requests" if part in SENT else "records of answers"] -= len(data)

    def receive_until(self, mark, limit):
        data = super().receive_until(mark, limit)
        self.requests += 1
        self.count("request heads", data)
        return data

    def receive_exactly(self, size):
        data = super().receive_exactly(size)
        self.count("request bodies", data)
        return data

    def send(self, data):
        head, mark, body = data.partition(b"\r\n\r\n")
        self.count("answer heads", head + mark)
        self.count("answer bodies", body)
        super().send(data)

    def end(self, how):
        super().end(how)
        self.settle("read")
        self.settle("write")

    def round_trips(self):
        """One for TCP, one for each ClientHello, one more for a full handshake of TLS 1.2, one for each request."""
        full12 = self.tls.version() == "TLSv1.2" and not self.tls.session_reused
        return 1 + self.hellos + full12 + self.requests


class Service(arm.Arm):
    def __init__(self):
        arm.Connection = Counted
        super().__init__(argparse.Namespace(certs=os.path.join(ROOT, "build", "certs"), demo=None, port_main=0, host=[],
                                            lend=None))
        self.put("/identity/bench", {"client_id": "bench", "secret": "bench-secret", "size": TOKEN_SIZE})

    def put(self, path, body=None):
        status, value = self.control("PUT", path, json.dumps(body))
        if status != 200:
            sys.exit(f"{path}: {value}")


def command(service, folder, name, endpoint, source, tls, *more):
    """Runs the command. Returns the connections that it made."""
    listener = service.listeners["tls" + tls.replace(".", "")]
    service.listeners["authority"].context.maximum_version = listener.context.maximum_version
    environment = {"CLOCK_FACTOR": "1000", "AZURE_TENANT_ID": "bench", "AZURE_CLIENT_ID": "bench",
                   "AZURE_CLIENT_SECRET": "bench-secret",
                   "AZURE_AUTHORITY_HOST": f"https://localhost:{service.port('authority')}"}
    if source == "file":
        environment = {"CLOCK_FACTOR": "1000"}
        more = [*more, "--token-file", f"{folder}/token"]
    del Counted.all[:]
    done = subprocess.run(
        [os.environ.get("REKEY_BENCH", os.path.join(ROOT, "build", "linux", "rekey-bench")), name, "--subscription",
         SUBSCRIPTION, "-g", "bench", "-w", "bench", "-n", endpoint, "--management-url",
         f"https://localhost:{listener.port}", "--ca-file", f"{service.certs}/ca.pem", *more],
        capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        sys.exit(f"{name} {source} TLS {tls}: exit {done.returncode}\n{done.stderr[-2000:]}")
    with service.state:    # until the last connection has ended
        service.state.wait_for(lambda: not any(each.connections for each in service.listeners.values()), 20)
    faults = [fault for event in service.events for fault in event.get("faults", ())]
    if faults:
        sys.exit(f"{name} {source} TLS {tls}: {faults}")
    return list(Counted.all)


def regenerate(service, folder, endpoint, source, tls):
    return command(service, folder, "regenerate", endpoint, source, tls, "--key-type", "primary")


def sync(service, folder, endpoint, source, tls):
    """A sync that finds the keys unchanged, as nearly all do. The run before it stored the key."""
    state = ["--state", f"{folder}/{endpoint}"]
    command(service, folder, "sync", endpoint, source, tls, *state, "--key-type", "primary")
    return command(service, folder, "sync", endpoint, source, tls, *state)


def rotate(service, folder, endpoint, source, tls):
    """A list, the regeneration, a list, and another list after the settling of 60 s. The run before it stored the
    key."""
    state = ["--state", f"{folder}/{endpoint}", "--min-age", "0"]
    command(service, folder, "rotate", endpoint, source, tls, *state)
    return command(service, folder, "rotate", endpoint, source, tls, *state)


def print_connection(one):
    kind = "resumed" if one.tls.session_reused else "full"
    parts = ", ".join(f"{part.strip()} {one.parts[part]}" for part in SENT + RECEIVED if one.parts[part])
    print(f"    {one.tls.version()} {kind}, {one.requests} requests, {one.round_trips()} round trips: {parts}")


def main():
    service, failed, rows = Service(), False, {}
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/token", "w", encoding="ascii") as file:
            file.write("x" * TOKEN_SIZE)
        for operation in (regenerate, sync, rotate):
            for source in ("file", "secret"):
                for tls in ("1.2", "1.3"):
                    endpoint = f"bench--{operation.__name__}-{source}-{tls[2]}"
                    os.mkdir(f"{folder}/{endpoint}")    # for --state
                    service.put(f"/scenario/{endpoint}", {"post": [SIGNED], "poll": POLLS})
                    connections = operation(service, folder, endpoint, source, tls)
                    rows[operation.__name__, source, tls] = connections
    service.stop.set()
    service.close()

    print(f"\nbytes on the wire, by records of TLS\n{'':32}" + "".join(f"{name + ' ' + source:>20}" for name, source, tls in rows
                                                                     if tls == "1.2"))
    print(f"{'':32}" + f"{'TLS 1.2':>12}{'1.3':>8}" * (len(rows) // 2))
    totals = {key: sum((each.parts for each in connections), collections.Counter()) for key, connections in rows.items()}

    def line(name, values):
        print(f"{name:32}" + "".join(f"{value:{8 if i % 2 else 12},}" for i, value in enumerate(values)))

    for title, parts in (("sent", SENT), ("received", RECEIVED)):
        for part in parts:
            line(part, [total[part] for total in totals.values()])
        line(title, [sum(total[part] for part in parts) for total in totals.values()])
    line("in all", [sum(total.values()) for total in totals.values()])
    counts = {key: (sum(not each.tls.session_reused for each in connections),
                    sum(each.tls.session_reused for each in connections), sum(each.round_trips() for each in connections))
              for key, connections in rows.items()}
    for i, name in enumerate(("full handshakes", "resumed handshakes", "round trips")):
        line(name, [count[i] for count in counts.values()])
    for key, connections in rows.items():
        budget, *expected = BUDGETS[key]
        total = sum(totals[key].values())
        if "--connections" in sys.argv:
            print(*key)
            for one in connections:
                print_connection(one)
        if total > budget or counts[key] != tuple(expected):
            failed = True
            print(f"{' '.join(key)}: {total} bytes, {counts[key]}; the budget is {budget} bytes, {tuple(expected)}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
