# demo.py - the program behind `make demo`: starts the stand-in service, regenerates a key through a 202 and three polls
# with the command as built (environment: REKEY, REKEY_BUILD, REKEY_EXEC), and shows how much heap the command used.
# Exits with the command's exit code, or with 1 if the key did not change or the heap was used. AUTH names the identity:
# token (the default), secret, certificate, workload, imds or arc. With any but token, the service accepts only the
# tokens of that identity.

import json
import os
import secrets
import shlex
import subprocess
import sys
import tempfile
import urllib.request
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
CERTS = "build/certs"
ENDPOINT = "three-polls--demo"
AUTHS = ("token", "secret", "certificate", "workload", "imds", "arc")


def control(arm, path, value=None):
    request = urllib.request.Request(f"http://127.0.0.1:{arm['control']}{path}", method="PUT" if value else "GET",
                                     data=json.dumps(value).encode() if value else None)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def in_a_namespace(folder):
    """Returns a prefix with which the command sees this folder as /var/opt. It works for root and for other users."""
    script = f'mount --bind {shlex.quote(folder)} /var/opt; exec "$@"'
    for flags in ("-rm", "-m"):
        prefix = ["unshare", flags, "sh", "-ec", script, "sh"]
        run = subprocess.run([*prefix, "true"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if run.returncode == 0:
            return prefix
    sys.exit("AUTH=arc needs a mount namespace, for /var/opt/azcmagent/tokens: "
             + run.stdout.decode(errors="replace").strip())


def identity(arm, auth, folder):
    """Sets the identity up at the stand-in. Returns the environment and the prefix of the command."""
    if auth == "token":
        return {"AZURE_ACCESS_TOKEN": "demo-token"}, []
    control(arm, f"/scenario/{ENDPOINT}", {"base": "three-polls", "tokens": "issued"})
    if auth == "imds":
        return {"IMDS_ENDPOINT": f"http://127.0.0.1:{arm['ports']['imds']}"}, []
    if auth == "arc":
        tokens = os.path.join(folder, "azcmagent", "tokens")
        os.makedirs(tokens)
        control(arm, "/identity/arc", {"directory": tokens})
        endpoint = f"http://127.0.0.1:{arm['ports']['arc']}/metadata/identity/oauth2/token"
        return {"IDENTITY_ENDPOINT": endpoint}, in_a_namespace(folder)
    tenant, client = str(uuid.uuid4()), str(uuid.uuid4())
    environment = {"AZURE_TENANT_ID": tenant, "AZURE_CLIENT_ID": client,
                   "AZURE_AUTHORITY_HOST": f"https://localhost:{arm['ports']['authority']}"}
    if auth == "secret":
        proof = environment["AZURE_CLIENT_SECRET"] = secrets.token_urlsafe(30)
    elif auth == "certificate":
        proof = os.path.abspath(f"{CERTS}/device.pem")
        environment["AZURE_CLIENT_CERTIFICATE_PATH"] = proof
    else:
        auth, proof = "federated", secrets.token_urlsafe(900)
        environment["AZURE_FEDERATED_TOKEN_FILE"] = os.path.join(folder, "federated-token")
        with open(environment["AZURE_FEDERATED_TOKEN_FILE"], "w") as file:
            file.write(proof)
    control(arm, f"/identity/{tenant}", {"client_id": client, auth: proof})
    return environment, []


def main():
    auth = os.environ.get("AUTH") or "token"
    if auth not in AUTHS:
        sys.exit(f"AUTH={auth}: one of {', '.join(AUTHS)}")
    exec_prefix = os.environ.get("REKEY_EXEC", "").split()
    report = os.path.join(os.environ["REKEY_BUILD"], "demo-heap.txt")
    service = subprocess.Popen([sys.executable, os.path.join(HERE, "arm.py"), "--certs", CERTS, "--until-eof"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    arm = json.loads(service.stdout.readline())
    with tempfile.TemporaryDirectory() as folder:
        environment, prefix = identity(arm, auth, folder)
        command = exec_prefix + [
            os.environ["REKEY"], "regenerate", "--subscription", "00000000-0000-0000-0000-000000000000",
            "-g", "demo", "-w", "demo", "-n", ENDPOINT, "--key-type", "primary", "-v",
            "--management-url", f"https://localhost:{arm['ports']['main']}", "--ca-file", arm["ca"]]
        if auth != "token":
            command += ["--auth", auth]
        environment["PATH"] = os.environ["PATH"]
        print("$ " + " ".join(command), flush=True)
        if not exec_prefix:    # only for the command: the shell in the namespace uses the heap
            command = ["env", f"LD_PRELOAD={os.path.abspath(os.environ['REKEY_BUILD'])}/heap.so",
                       f"HEAP_REPORT={os.path.abspath(report)}", *command]
        before = control(arm, f"/keys/{ENDPOINT}")
        code = subprocess.run([*prefix, *command], env=environment).returncode
        after = control(arm, f"/keys/{ENDPOINT}")
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
