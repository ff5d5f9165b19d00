"""The manifests of boards/linux/kubernetes: the output of kustomize, and the pods.

runc runs the containers of a pod one after the other as the manifest says: images, commands,
variables, volumes, user, read-only root, memory. rekey is the image of `make image`, kubectl is
this machine's own; the service and the API server are stand-ins. `make check-install` runs these
tests."""

import base64
import concurrent.futures
import os
import platform
import re
import secrets
import shutil
import subprocess
from pathlib import Path

import container
import kube
import pytest
import yaml
from conftest import ACCEPTED, CERTS, DONE, GROUP, ROOT, RUNNING, SUBSCRIPTION, WORKSPACE
from conftest import Gate, wait_until

ARCHIVE = os.environ.get("REKEY_IMAGE", "")
pytestmark = [
    pytest.mark.skipif(not ARCHIVE, reason="of the image that `make check-install` makes"),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="of the image for amd64"),
    pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl"),
]
MANIFESTS = ROOT / "boards/linux/kubernetes"
ROTATORS = ["workload-identity", "secret", "arc"]
OVERLAYS = [*ROTATORS, "follower"]
SECRET, CLIENT_SECRET = "endpoint-key", "rekey-identity"
ARC_PATH = "/metadata/identity/oauth2/token"
WORKERS = 4
ANSWERS = {
    "post": [ACCEPTED],
    "poll_async": [RUNNING, DONE],
    "list": [{"status": 200, "body": "{keys}"}],
}
# To change the volume, rekey syncs a file, renames it, and syncs its directory.
FILE_CALLS = ("fsync", "rename")


def kustomize(folder, kubectl="kubectl"):
    text = subprocess.run(
        [kubectl, "kustomize", folder], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    return list(yaml.safe_load_all(text))


def find(objects, kind, prefix=""):
    (found,) = [
        each
        for each in objects
        if each["kind"] == kind and each["metadata"]["name"].startswith(prefix)
    ]
    return found


def pod_of(objects):
    return find(objects, "CronJob")["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def containers_of(pod):
    return [*pod["initContainers"], *pod["containers"]]


def is_rekey(each):
    return each["image"].startswith("registry.example/rekey:")


def overlay(folder, name, values):
    """A copy of an overlay with these values, made as docs/kubernetes.md says."""
    shutil.copytree(MANIFESTS, folder)
    path = folder / "overlays" / name / "kustomization.yaml"
    text = path.read_text()
    for key, value in values.items():
        text, n = re.subn(rf"^(      - {key}=).*$", lambda m: m[1] + value, text, flags=re.M)
        if n == 0:
            text = text.replace("    literals:\n", f"    literals:\n      - {key}={value}\n")
    path.write_text(text)
    return folder / "overlays" / name


# ---- the content of the manifests ----------------------------------------------------------------


@pytest.fixture(scope="module", params=OVERLAYS)
def objects(request):
    return kustomize(MANIFESTS / "overlays" / request.param)


def paths(value, path=""):
    """The names of all fields, without positions in lists: {"spec.egress.ports.port": ...}."""
    if isinstance(value, dict) and value:
        return {each for name in value for each in paths(value[name], f"{path}.{name}")}
    if isinstance(value, list):
        return {each for item in value for each in paths(item, path)}
    return {path.removeprefix(".")}


def without(value, known, path=""):
    """The places where `known` lacks or changes something that `value` has."""
    if isinstance(value, dict) and isinstance(known, dict):
        lost = [f"{path}.{name}" for name in value if name not in known]
        both = [name for name in value if name in known]
        return lost + [e for n in both for e in without(value[n], known[n], f"{path}.{n}")]
    if isinstance(value, list) and isinstance(known, list) and len(value) == len(known):
        return [e for n, each in enumerate(value) for e in without(each, known[n], f"{path}.{n}")]
    return [] if value == known else [path]


# kubectl has no command that reads these kinds into their own types, so their fields are listed
# here, from the reference of the API.
FIELDS = {
    "v1 ServiceAccount": "automountServiceAccountToken",
    "v1 Secret": "type",
    "v1 ConfigMap": "data.",
    "v1 PersistentVolumeClaim": "spec.accessModes spec.resources.requests.storage",
    "rbac.authorization.k8s.io/v1 Role": "rules.apiGroups rules.resources rules.resourceNames "
    "rules.verbs",
    "rbac.authorization.k8s.io/v1 RoleBinding": "roleRef.apiGroup roleRef.kind roleRef.name "
    "subjects.kind subjects.name subjects.namespace",
    "networking.k8s.io/v1 NetworkPolicy": "spec.podSelector.matchLabels. spec.policyTypes "
    "spec.egress.ports.protocol spec.egress.ports.port",
}
METADATA = "apiVersion kind metadata.name metadata.namespace metadata.labels. metadata.annotations."


def test_each_field_is_known(objects):
    """kubectl reads the CronJob into the API's own type, which drops unknown fields."""
    job = find(objects, "CronJob")
    command = ["kubectl", "set", "serviceaccount", "--local", "-o", "yaml", "-f", "-", "rekey"]
    made = subprocess.run(
        command, input=yaml.dump(job), check=True, stdout=subprocess.PIPE, text=True
    )
    assert without(job, yaml.safe_load(made.stdout)) == []
    for each in objects:
        if each is not job:
            known = f"{METADATA} {FIELDS[each['apiVersion'] + ' ' + each['kind']]}".split()
            for path in paths(each):
                fits = [name for name in known if name.endswith(".") and path.startswith(name)]
                assert fits or path in known, (each["kind"], path)


def test_what_is_locked(objects):
    """Everything that Pod Security calls "restricted", except for Arc's network and directory."""
    pod = pod_of(objects)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False and pod["restartPolicy"] == "Never"
    for each in containers_of(pod):
        assert each["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        # Only kubectl gets the token for the API server; only rekey gets the identity.
        mounted = {mount["name"] for mount in each["volumeMounts"]}
        assert mounted & {"api", "identity"} == ({"identity"} if is_rekey(each) else {"api"})
        if is_rekey(each):
            assert each["resources"]["limits"] == {"memory": "8Mi"}
    kinds = [next(name for name in each if name != "name") for each in pod["volumes"]]
    assert ("hostPath" in kinds) == bool(pod.get("hostNetwork"))
    spec = find(objects, "CronJob")["spec"]
    assert spec["concurrencyPolicy"] == "Forbid"
    policy = find(objects, "NetworkPolicy")["spec"]
    labels = spec["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()


def test_the_rights(objects):
    """Rights to this one Secret only, which exists already, without an entry that would overwrite
    the key."""
    (rule,) = find(objects, "Role")["rules"]
    assert rule["resources"] == ["secrets"] and rule["resourceNames"] == [SECRET]
    assert set(rule["verbs"]) == {"get", "patch"}
    secret = find(objects, "Secret")
    assert secret["metadata"]["name"] == SECRET and "data" not in secret
    publish = yaml.safe_load(
        find(objects, "ConfigMap", "rekey-publish")["data"]["kustomization.yaml"]
    )
    assert publish["secretGenerator"] == [{"name": SECRET, "files": ["key=state/key"]}]
    account = find(objects, "ServiceAccount")["metadata"]["name"]
    assert find(objects, "RoleBinding")["subjects"][0]["name"] == account
    assert pod_of(objects)["serviceAccountName"] == account


def test_exit_codes_are_those_of_the_units(objects):
    """Kubernetes retries before the next scheduled run exactly what systemd retries."""
    unit = (ROOT / "boards/linux/systemd/rekey-rotate@.service.in").read_text()
    (line,) = re.findall(r"^RestartPreventExitStatus=([\d ]*\d)", unit, re.M)
    job = find(objects, "CronJob")["spec"]["jobTemplate"]["spec"]
    rules = job["podFailurePolicy"]["rules"]
    names = [each["name"] for each in containers_of(pod_of(objects)) if is_rekey(each)]
    assert [rule["onExitCodes"]["containerName"] for rule in rules] == names
    for rule in rules:
        assert rule["action"] == "FailJob" and rule["onExitCodes"]["operator"] == "In"
        assert rule["onExitCodes"]["values"] == [int(code) for code in line.split()]


@pytest.mark.parametrize("name", OVERLAYS)
def test_which_containers(name):
    names = [
        each["name"] for each in containers_of(pod_of(kustomize(MANIFESTS / "overlays" / name)))
    ]
    rotator = ["adopt", "publish-first", "rotate", "publish"]
    assert names == (["sync", "publish"] if name == "follower" else rotator)


def test_each_kubectl_says_the_same(objects, request):
    """Google's package contains several versions, which merge in different orders."""
    folder = Path(shutil.which("kubectl")).resolve().parent
    for each in sorted(folder.glob("kubectl.1.*")):
        overlay_name = request.node.callspec.params["objects"]
        assert kustomize(MANIFESTS / "overlays" / overlay_name, each) == objects, each.name


def test_what_the_guide_says():
    """The overlays, containers and exit codes in docs/kubernetes.md are those of the manifests."""
    guide = (ROOT / "docs/kubernetes.md").read_text()
    for name in re.findall(r"(?:overlays|identity)/[a-z-]+", guide):
        assert name == "overlays/mine" or (MANIFESTS / name / "kustomization.yaml").is_file(), name
    rows = dict(re.findall(r"^\| ([\w-]+) \| (.*) \|$", guide, re.M))
    objects = kustomize(MANIFESTS / "overlays/workload-identity")
    for name in (each["name"] for each in containers_of(pod_of(objects))):
        assert name in rows, name
    policy = find(objects, "CronJob")["spec"]["jobTemplate"]["spec"]["podFailurePolicy"]
    values = policy["rules"][0]["onExitCodes"]["values"]
    assert f"| {', '.join(map(str, values))} | fails at once" in guide


# ---- the pod -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """{name of an image: (its root directory, entry point, variables)}."""
    folder = tmp_path_factory.mktemp("images")
    archive = container.need(ARCHIVE, folder)
    config = archive.image("linux/amd64")[0]["config"]
    # Google's kubectl starts the version beside it that fits the server.
    found = Path(shutil.which("kubectl")).resolve()
    found = max(found.parent.glob("kubectl.1.*"), default=found)
    if b"statically linked" not in subprocess.run(["file", found], stdout=subprocess.PIPE).stdout:
        pytest.skip(f"{found} needs libraries, and so an image that is not here")
    root = folder / "kubectl"
    for name in ("bin", "tmp", "proc", "dev", "etc"):
        (root / name).mkdir(parents=True)
    shutil.copy(found, root / "bin/kubectl")
    return {
        "registry.example/rekey:0.2.0": (folder / "root", config["Entrypoint"], {}),
        "registry.example/kubectl:1.32": (root, [], {"PATH": "/bin"}),
    }


class Cluster:
    """A namespace with the objects of an overlay, an endpoint, and the volume."""

    def __init__(
        self,
        arm,
        images,
        folder,
        overlay_name="workload-identity",
        **values,
    ):
        self.arm, self.images, self.folder = arm, images, folder
        folder.mkdir()
        self.endpoint = arm.endpoint()
        tenant, client = f"{secrets.token_hex(4)}-t", f"{secrets.token_hex(4)}-c"
        self.federated, self.client_secret = secrets.token_urlsafe(300), secrets.token_urlsafe(30)
        proof = (
            {"secret": self.client_secret}
            if overlay_name == "secret"
            else {"federated": self.federated}
        )
        arm.identity(tenant, client_id=client, **proof)
        self.trace, self.tokens = (None, ()), folder / "tokens"  # Arc's, on the node
        self.play()
        given = {
            "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
            "AZURE_DEFAULTS_GROUP": GROUP,
            "AZURE_DEFAULTS_WORKSPACE": WORKSPACE,
            "REKEY_ENDPOINT_NAME": self.endpoint,
            "REKEY_MIN_AGE": "0",
            "REKEY_SETTLE": "0",
            "AZURE_TENANT_ID": tenant,
            "AZURE_CLIENT_ID": client,
            "AZURE_AUTHORITY_HOST": arm.url("authority"),
            "REKEY_MANAGEMENT_URL": arm.url(),
            **values,
        }
        self.objects = kustomize(overlay(folder / "manifests", overlay_name, given))
        self.pod = pod_of(self.objects)
        for each in filter(is_rekey, self.pod["initContainers"]):
            each["args"].append("--timeout=3s")  # the limit of the wait for a lost operation
        self.volume = folder / "volume"
        self.volume.mkdir()
        self.give(self.volume, 0o2775)
        self.api_token = secrets.token_urlsafe(30)
        self.api = kube.Api(
            CERTS / "server.pem",
            CERTS / "server.key",
            "rekey",
            self.api_token,
            find(self.objects, "Role")["rules"],
        )
        # The key in the Secret, as a file: the stand-in notices if it regenerates that key.
        self.published = folder / "published"
        self.published.write_text("")
        self.api.written = lambda secret: self.published.write_text(self.key_of(secret) or "")
        arm.control(
            "PUT", f"/watch/{self.endpoint}", [str(self.published), str(self.volume / "key")]
        )
        self.api.create(find(self.objects, "Secret"))
        self.running = None

    def close(self):
        self.api.close()

    def play(self, **more):
        self.arm.play(name=self.endpoint, **{"tokens": "issued", **ANSWERS, **more})

    def give(self, path, mode):
        """Sets owner root and the group, as the kubelet does for fsGroup."""
        os.chown(path, 0, self.pod["securityContext"]["fsGroup"])
        path.chmod(mode)

    def write(self, path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.give(path, 0o640)

    # Volumes and variables.

    def make_volume(self, volume, folder):
        """Makes the directory of a volume of the pod."""
        if "persistentVolumeClaim" in volume:
            assert (
                volume["persistentVolumeClaim"]["claimName"]
                == find(self.objects, "PersistentVolumeClaim")["metadata"]["name"]
            )
            return self.volume
        path = folder / volume["name"]
        path.mkdir(parents=True, exist_ok=True)
        if "emptyDir" in volume:
            path.chmod(0o2777)
        elif "configMap" in volume:
            for name, text in find(self.objects, "ConfigMap", volume["configMap"]["name"])[
                "data"
            ].items():
                self.write(path / name, text)
        elif "hostPath" in volume:
            assert volume["hostPath"]["path"] == "/var/opt/azcmagent/tokens"
            return self.tokens
        elif "secret" in volume:
            assert volume["secret"]["secretName"] == CLIENT_SECRET
            self.write(path / "client-secret", self.client_secret)
        else:
            for source in volume["projected"]["sources"]:
                ((kind, what),) = source.items()
                if kind == "serviceAccountToken":
                    ours = what.get("audience") == "api://AzureADTokenExchange"
                    self.write(path / what["path"], self.federated if ours else self.api_token)
                elif kind == "configMap":
                    assert what["name"] == "kube-root-ca.crt"
                    self.write(path / what["items"][0]["path"], (CERTS / "ca.pem").read_text())
                else:
                    assert what["items"][0]["fieldRef"]["fieldPath"] == "metadata.namespace"
                    self.write(path / what["items"][0]["path"], "rekey")
        return path

    def variables(self, each):
        env = {
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(self.api.port),
        }
        for source in each.get("envFrom", ()):
            env |= find(self.objects, "ConfigMap", source["configMapRef"]["name"])["data"]
        assert "env" not in each
        return env

    # Running.

    def start(self, each, folder):
        root, entry, env = self.images[each["image"]]
        env = {**env, **self.variables(each)}
        volumes = {volume["name"]: volume for volume in self.pod["volumes"]}
        mounts = [(CERTS / "ca-all.pem", "/etc/ssl/certs/ca-certificates.crt", True)]
        for mount in each["volumeMounts"]:
            path = self.make_volume(volumes[mount["name"]], folder)
            path = path / mount["subPath"] if "subPath" in mount else path
            mounts.append((path, mount["mountPath"], mount.get("readOnly", False)))
        words = [*each.get("command", entry), *each.get("args", ())]
        words = [re.sub(r"\$\((\w+)\)", lambda m: env.get(m[1], m[0]), word) for word in words]
        context = {**self.pod["securityContext"], **each["securityContext"]}
        (number, unit) = re.fullmatch(r"(\d+)(Mi)", each["resources"]["limits"]["memory"]).groups()
        return container.Container(
            folder,
            root,
            words,
            user=context["runAsUser"],
            env=env,
            mounts=mounts,
            groups=[context["fsGroup"], *context.get("supplementalGroups", ())],
            memory=int(number) * 2**20,
            read_only=context["readOnlyRootFilesystem"],
            prefix=self.trace[1] if each["name"] == self.trace[0] else (),
        )

    def run(self, until=None, code=None):
        """Runs one pod. Returns (name, exit code, output) of its last container. until: the pod
        ends (a node that fails) after the container with this name."""
        folder = self.folder / f"pod-{secrets.token_hex(4)}"
        folder.mkdir()
        for each in containers_of(self.pod):
            self.running = self.start(each, folder)
            result = self.running.end()
            self.check_output(result[1])
            if result[0] != 0 or each["name"] == until:
                break
        shutil.rmtree(folder)
        if code is not None:
            assert result[0] == code, f"{each['name']}: {result}"
        return (each["name"], *result)

    def kill(self):
        """The node fails: all its processes end."""
        self.running.kill()

    # Invariants.

    def key_of(self, secret):
        data = secret.get("data", {}).get("key")
        return data and base64.b64decode(data).decode()

    def key(self):
        return self.key_of(self.api.secrets[SECRET])

    def check_output(self, text):
        for secret in (
            *self.arm.keys(self.endpoint)["ever"],
            self.api_token,
            self.federated,
            self.client_secret,
        ):
            assert secret not in text, text

    def check(self, what):
        """If there is a key in the Secret, it is accepted; no key in use was regenerated."""
        keys = self.arm.keys(self.endpoint)
        assert keys["violations"] == [], f"{what}: {keys['violations']}"
        assert self.key() in (None, keys["primaryKey"], keys["secondaryKey"]), what

    def complete(self, what):
        """Runs the next pod, which must complete."""
        name, code, text = self.run()
        assert (name, code) == (
            "publish",
            0,
        ), f"{what}: the next pod did not complete: {name}: {code}\n{text}"
        self.check(what)
        assert self.key() == (self.volume / "key").read_text(), what


@pytest.fixture
def cluster(arm, images, tmp_path):
    made = []

    def make(*arguments, **more):
        made.append(Cluster(arm, images, tmp_path / f"cluster-{len(made)}", *arguments, **more))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_first_and_later_runs(cluster):
    one = cluster(REKEY_MIN_AGE="1d")
    one.complete("the first run")
    keys = one.arm.keys(one.endpoint)
    assert one.key() == keys["primaryKey"] and keys["regenerated"] == []
    version = one.api.version
    one.complete("nothing is due")
    assert one.api.version == version, "the Secret was written although nothing had changed"
    one = cluster()
    for n in range(1, 4):
        one.complete(f"run {n}")
        assert len(one.arm.keys(one.endpoint)["regenerated"]) == n
    # Entries, labels and annotations of others are not changed.
    secret = one.api.secrets[SECRET]
    secret["metadata"]["annotations"] = {"of": "others"}
    secret["data"]["more"] = "bW9yZQ=="
    one.complete("with entries of others")
    secret = one.api.secrets[SECRET]
    assert secret["metadata"]["annotations"] == {"of": "others"} and secret["data"]["more"]
    assert secret["metadata"]["labels"] == {"app.kubernetes.io/name": "rekey"}


def test_with_a_client_secret(cluster):
    cluster("secret").complete("the first run")


def test_with_the_identity_of_the_node(cluster, arm):
    one = cluster("arc", IDENTITY_ENDPOINT=f"http://127.0.0.1:{arm.ports['arc']}{ARC_PATH}")
    one.tokens.mkdir()
    os.chown(one.tokens, 0, one.pod["securityContext"]["supplementalGroups"][0])
    one.tokens.chmod(0o2750)
    arm.identity("arc", directory=str(one.tokens))
    one.complete("the first run")


def test_a_follower(cluster):
    one = cluster("follower")
    one.complete("the first run")
    assert one.key() == one.arm.keys(one.endpoint)["primaryKey"]
    one.arm.regenerate(one.endpoint, "Secondary")
    one.complete("the other cluster has rotated")
    assert one.key() == one.arm.keys(one.endpoint)["secondaryKey"]
    assert one.arm.requests(one.endpoint, "post") == []


@pytest.mark.parametrize("answer", [(409, "Conflict"), (500, "InternalError"), (403, "Forbidden")])
def test_no_rotation_before_the_last_key_is_published(cluster, answer):
    """Even if publishing keeps failing, and although the key is always due."""
    one = cluster()
    one.complete("the first run")
    one.run(until="rotate")
    before = one.arm.keys(one.endpoint)["regenerated"]
    assert len(before) == 2
    one.api.hook = lambda *_: answer
    for turn in range(3):
        name, code, _ = one.run()
        assert name == "publish-first" and code != 0
        one.check(turn)
    assert one.arm.keys(one.endpoint)["regenerated"] == before
    one.api.hook = None
    one.complete("the API server is back")


def test_one_conflict(cluster):
    """A temporary 409: kubectl may try again itself; otherwise the next pod does."""
    one = cluster()
    one.complete("the first run")
    one.api.hook = lambda number, *_: (409, "Conflict") if number == one.first else None
    one.first = one.api.changes + 2  # the exit code of the last container
    one.run()
    one.check("a conflict")
    one.complete("after a conflict")


def test_a_secret_that_is_gone(cluster):
    """The pod is not allowed to create it again, and then does not rotate."""
    one = cluster()
    one.complete("the first run")
    secret = one.api.secrets.pop(SECRET)
    assert one.run()[0] == "publish-first"
    assert len(one.arm.keys(one.endpoint)["regenerated"]) == 1
    del secret["data"]
    one.api.create(secret)
    one.complete("it was made again")


# ---- killed at any point -------------------------------------------------------------------------


def started(one, runs):
    for n in range(runs):
        one.complete(f"run {n}")
    return one


def traced(log, *more):
    """A prefix: strace of the command's calls that change a file."""
    return ["strace", "-f", "-o", log, "-e", f"trace={','.join(FILE_CALLS)}", *more]


def count(one, what, log):
    """Runs the next pod. Returns how often the container `what` made each call of FILE_CALLS."""
    one.trace = (what, traced(log))
    one.complete("the run that is counted")
    one.trace = (None, ())
    calls = re.findall(r"^\d+ +(\w+)\(", log.read_text(), re.M)
    return {name: calls.count(name) for name in FILE_CALLS}


def ways(one):
    """The points at which the next pod can be interrupted: after each container, at each request of
    kubectl that makes a change (before and after the change), at each request of rekey (executed,
    but not answered), and at each change of a file."""
    names = [each["name"] for each in containers_of(one.pod)]
    changes, seen = one.api.changes, len(one.arm.requests(one.endpoint))
    calls = count(one, "rotate", one.folder / "calls")
    kinds = [request["kind"] for request in one.arm.requests(one.endpoint)[seen:]]
    changes = range(1, one.api.changes - changes + 1)
    return [
        *(("behind", name, 0) for name in names[:-1]),
        *((moment, "kubectl", n) for n in changes for moment in ("before", "after")),
        *(("answer", kind, n + 1) for kind in set(kinds) for n in range(kinds.count(kind))),
        *(("file", call, n + 1) for call in calls for n in range(calls[call])),
    ]


def cut(one, how, what, number):
    """Runs a pod that is interrupted at that point. Returns whether the point was reached."""
    if how == "behind":
        return one.run(until=what)[0] == what
    if how == "file":
        inject = ["-e", f"inject={what}:signal=KILL:when={number}"]
        one.trace = ("rotate", traced("/dev/null", *inject))
        name, code, _ = one.run()
        one.trace = (None, ())
        return (name, code) == ("rotate", 137)
    if how in ("before", "after"):
        wanted, reached = one.api.changes + number, []

        def hook(n, _method, _path, moment):
            if n == wanted and moment == how:
                reached.append(n)
                one.kill()
                raise kube.Dropped

        one.api.hook = hook
        one.run()
        one.api.hook = None
        return bool(reached)
    # The answer is held back until the container has ended.
    gate = Gate(one.arm)
    member = {"async": "poll_async"}.get(what, what)
    answers = ANSWERS[member] + ANSWERS[member][-1:] * number
    answers[number - 1] = {**answers[number - 1], "do_before": [gate.line]}
    one.play(**{member: answers})

    def came():
        return len(one.arm.requests(one.endpoint, what, idle=0.02)) - before >= number

    before = len(one.arm.requests(one.endpoint, what, idle=0.02))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        run = pool.submit(one.run)
        wait_until(lambda: run.done() or came(), f"{what} {number}")
        reached = not run.done()
        if reached:
            one.kill()
        gate.open()
        run.result()
    one.play()
    return reached


@pytest.mark.parametrize("runs", [0, 1], ids=["first", "later"])
def test_killed_at_any_point(arm, images, tmp_path, runs):
    """The Secret never has a key that is refused, and the next pod completes."""
    counted = Cluster(arm, images, tmp_path / "counted")
    points = ways(started(counted, runs))
    counted.close()

    def one_point(point):
        one = Cluster(arm, images, tmp_path / "-".join(map(str, point)))
        try:
            started(one, runs)
            reached = cut(one, *point)
            one.check(point)
            one.complete(point)
            return reached
        finally:
            one.close()

    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        reached = list(pool.map(one_point, points))
    missed = [point for point, there in zip(points, reached) if not there]
    assert missed == [], "points that no run reached"
    print(f"killed at {len(points)} points, all complete")
