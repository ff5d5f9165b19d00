# compare.py - the program behind `make compare`: regenerates the Primary key of an endpoint with
# rekey and with other common tools, each against the stand-in service under the names of the public
# cloud, and writes the page: compare.py PAGE. Environment: REKEY, the dynamic command,
# REKEY_STATIC. It runs in its own namespaces, in which these names lead to the stand-in, and in
# which the stand-in's root certificate is one of the machine's trust anchors: no program gets a
# different address.

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "..", "arm"))
import page
import process
from scenarios import DONE, HALF, NOW, RUNNING, SIGNED, error

ROUNDS, SIZE_ROUNDS = 21, 3
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
NODE_MODULES = "build/compare/node_modules"
TENANT, CLIENT, SECRET = (
    "11111111-1111-4111-8111-111111111111",
    "22222222-2222-4222-8222-222222222222",
    "not-a-secret~0123456789",
)
SUBSCRIPTION = "33333333-3333-4333-8333-333333333333"
ACCOUNT = {
    "id": f"/subscriptions/{SUBSCRIPTION}",
    "subscriptionId": SUBSCRIPTION,
    "tenantId": TENANT,
    "displayName": "test",
    "state": "Enabled",
    "defaultDomain": "test.example",
}
# The service's answers in their form since 2024, with three polls and no pause between them. The
# key changes with the last poll.
SCENARIO = {
    "post": [{**SIGNED, "headers": [*SIGNED["headers"], NOW]}],
    "poll": [RUNNING, HALF, DONE],
    "execute": "success",
    "tokens": "issued",
}
# The first request is executed, but its answer is lost: the connection is reset, or a gateway
# answers instead.
LOST = {
    how: {**SCENARIO, "post": [answer, *SCENARIO["post"]], "execute": "post"}
    for how, answer in (
        ("reset", {"raw": "", "then": "reset"}),
        ("503", error(503, "ServiceUnavailable", "The service is unavailable.")),
    )
}
BODY = '{"keyType":"Primary"}'
ERROR_LINE = re.compile(r"(\S+: )?\S*(error|exception)\S*( \[\w+\])?: ", re.I)


class Service:
    def __init__(self):
        self.process = subprocess.Popen(
            [
                sys.executable,
                os.path.join(HERE, "service.py"),
                "--certs",
                "build/certs",
                "--until-eof",
                "--port-main",
                "443",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "SUBSCRIPTION": json.dumps(ACCOUNT)},
        )
        self.control = json.loads(self.process.stdout.readline())["control"]
        self.call(
            "PUT", f"/identity/{TENANT}", {"client_id": CLIENT, "secret": SECRET, "size": 1900}
        )

    def call(self, method, path, data=None):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.control}{path}",
            method=method,
            data=json.dumps(data).encode() if data else None,
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Tools:
    """The rows: functions that return a command, and the preparation before each run of it."""

    def __init__(self, service, home):
        self.service, self.home = service, home
        self.error = f"{home}/error"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": home,
            "AZURE_TENANT_ID": TENANT,
            "AZURE_CLIENT_ID": CLIENT,
            "AZURE_CLIENT_SECRET": SECRET,
            "AZURE_CONFIG_DIR": f"{home}/azure",
            "AZURE_CORE_COLLECT_TELEMETRY": "no",
            "NODE_EXTRA_CA_CERTS": os.path.abspath("build/certs/ca.pem"),
        }

    def rekey(self, endpoint, program="REKEY_STATIC"):
        return [os.environ[program], "regenerate", "--ids", endpoint, "--key-type", "primary"]

    def rekey_dynamic(self, endpoint):
        return self.rekey(endpoint, "REKEY")

    def curl(self, endpoint):
        token = self.service.call("GET", f"/identity/{TENANT}")["tokens"][-1]
        return [
            "curl",
            "-sSf",
            "-o",
            os.devnull,
            "-H",
            f"Authorization: Bearer {token}",
            "-H",
            "Content-Type: application/json",
            "-d",
            BODY,
            f"https://management.azure.com{endpoint}/regenerateKeys?api-version=2025-09-01",
        ]

    def script(self, _):
        return [f"{HERE}/script.sh"]

    def az(self, endpoint):
        """Removes the cached token: as after an hour, az has to get a new one with its stored
        secret."""
        kept = f"{self.home}/azure/msal_token_cache.json"
        if os.path.exists(kept):
            os.unlink(kept)
        else:
            self.login()
        return [
            "az",
            "resource",
            "invoke-action",
            "--ids",
            endpoint,
            "--action",
            "regenerateKeys",
            "--api-version",
            "2025-09-01",
            "--request-body",
            BODY,
        ]

    def login(self):
        if not shutil.which("az"):
            raise Failed("there is no az")
        done = subprocess.run(
            ["az", "login", "--service-principal", "-u", CLIENT, "-p", SECRET, "--tenant", TENANT],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        if done.returncode != 0:
            raise Failed(f"az login: {reason(done.stderr)}")
        os.unlink(f"{self.home}/azure/msal_token_cache.json")

    def python(self, _):
        return ["/usr/bin/python3", f"{HERE}/sdk.py"]

    def node(self, _):
        return ["node", os.path.abspath("build/compare/sdk.mjs")]

    def start(self, name, number, scenario, measure):
        """One run. Returns what was measured, the exit code, the program's output, the service's
        log, and the keys that were changed."""
        endpoint = f"compare--{name}-{number}"
        path = (
            f"/subscriptions/{SUBSCRIPTION}/resourceGroups/compare/providers"
            f"/Microsoft.MachineLearningServices/workspaces/compare/onlineEndpoints/{endpoint}"
        )
        self.service.call("PUT", f"/scenario/{endpoint}", scenario)
        command = getattr(self, name)(path)
        program = shutil.which(command[0])
        if not program:
            raise Failed(f"there is no {command[0]}")
        log = self.service.call("GET", "/log?idle=5")
        since = log[-1]["seq"] if log else 0
        result, code = measure(
            [program, *command[1:]], {**self.environment, "ENDPOINT_ID": path}, self.error
        )
        with open(self.error, encoding="utf-8", errors="replace") as file:
            said = file.read()
        log = self.service.call("GET", f"/log?idle=5&since={since}")
        return result, code, said, log, self.service.call("GET", f"/keys/{endpoint}")["regenerated"]

    def run(self, name, number, measure):
        """A run that must succeed. Returns what was measured, with what the service saw."""
        result, code, said, log, changed = self.start(name, number, SCENARIO, measure)
        if code != 0:
            raise Failed(f"exit {code}: {reason(said)}")
        if changed != ([] if name == "curl" else ["Primary"]):
            raise Failed(f"the key was changed {len(changed)} times")
        ends = [event for event in log if event["event"] == "close"]
        return {
            **result,
            "received": sum(each["sent"] for each in ends),
            "sent": sum(each["received"] for each in ends),
            **{
                f"{event}s": sum(each["event"] == event for each in log)
                for event in ("handshake", "request")
            },
        }

    def lose(self, name, how):
        """A run in which the answer to the first POST is lost."""
        _, code, _, _, changed = self.start(name, f"lost-{how}", LOST[how], process.timed)
        return {"code": code, "changed": len(changed)}


class Failed(Exception):
    """A row that cannot be measured, and the reason."""


def reason(text):
    """The first line of a program's output that names an error, or else the last line."""
    lines = text.strip().splitlines() or ["nothing"]
    return next(filter(ERROR_LINE.match, lines), lines[-1])[:200]


def measure(tools):
    """{row: the results of each kind of run, or the reason why there are none}."""
    times, sizes, failed = ({name: [] for name in page.ROWS} for _ in range(3))
    order = list(page.ROWS)
    # The first round is not counted: it loads everything into the page cache.
    for number in range(-1, ROUNDS + SIZE_ROUNDS):
        for name in order:
            how, results = (process.timed, times) if number < ROUNDS else (process.sized, sizes)
            try:
                result = None if failed[name] else tools.run(name, number, how)
            except Failed as error:
                if name == "rekey":  # all others are compared with it
                    sys.exit(f"rekey: {error}")
                failed[name].append(str(error))
                print(f"{name}: {error}", file=sys.stderr)
                continue
            if result and number >= 0:
                results[name].append(result)
        order = order[1:] + order[:1]
        print(f"round {number + 2} of {ROUNDS + SIZE_ROUNDS + 1}", file=sys.stderr)
    results = {name: {"failed": reasons[0]} for name, reasons in failed.items() if reasons}
    for name in page.ROWS:
        if name not in results:
            lost = {how: tools.lose(name, how) for how in LOST}
            results[name] = {"times": times[name], "sizes": sizes[name], "lost": lost}
    return results


def inside(output):
    """The part that runs in the namespaces."""
    with tempfile.TemporaryDirectory() as home, contextlib.ExitStack() as at_end:
        with open(f"{home}/hosts", "w", encoding="utf-8") as hosts:
            hosts.write(
                "127.0.0.1 localhost management.azure.com\n127.0.0.2 login.microsoftonline.com\n"
            )
        with open(f"{home}/bundle", "w", encoding="utf-8") as bundle:
            for name in (BUNDLE, "build/certs/ca.pem"):
                with open(name, encoding="utf-8") as file:
                    bundle.write(file.read())
        for arguments in (
            ["ip", "link", "set", "lo", "up"],
            ["mount", "--bind", f"{home}/hosts", "/etc/hosts"],
            ["mount", "--bind", f"{home}/bundle", BUNDLE],
        ):
            subprocess.run(arguments, check=True)
        at_end.callback(subprocess.run, ["umount", "/etc/hosts", BUNDLE], check=True)
        service = Service()
        at_end.callback(service.close)
        load = os.getloadavg()[0]
        results = measure(Tools(service, home))
    page.write(output, results, ROUNDS, SIZE_ROUNDS, load, NODE_MODULES)


def main():
    if sys.argv[1] == "--inside":
        inside(sys.argv[2])
    else:
        os.execvp(
            "unshare",
            ["unshare", "-rnm", sys.executable, os.path.abspath(__file__), "--inside", sys.argv[1]],
        )


if __name__ == "__main__":
    main()
