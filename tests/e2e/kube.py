"""A stand-in for the Kubernetes API server: one namespace with Secrets, over TLS, with as much of
the API as kubectl uses.

It implements discovery, resourceVersion, 409 Conflict, server-side apply by field manager, merge
patches, and authorization by the rules of a Role (403 for what is not allowed). `requests` has
every request. `hook(number, method, path, moment)` is called twice for each request that makes a
change: before the change is made, and before the answer is sent. The hook may raise Dropped (no
answer) or return (status, reason).
"""

import http.server
import json
import ssl
import threading

import yaml

GROUPS = {
    "v1": {"secrets": "Secret", "configmaps": "ConfigMap", "serviceaccounts": "ServiceAccount"}
    | {"persistentvolumeclaims": "PersistentVolumeClaim"},
    "batch/v1": {"cronjobs": "CronJob", "jobs": "Job"},
    "rbac.authorization.k8s.io/v1": {"roles": "Role", "rolebindings": "RoleBinding"},
    "networking.k8s.io/v1": {"networkpolicies": "NetworkPolicy"},
}
VERBS = {"GET": "get", "PATCH": "patch", "PUT": "update", "POST": "create", "DELETE": "delete"}


class Dropped(Exception):
    """The connection ends without an answer."""


class Refused(Exception):
    """A Status of the API server."""


class Api:
    """One namespace. `rules`: those of the Role that the token belongs to."""

    def __init__(self, certificate, key, namespace, token, rules):
        self.namespace, self.token, self.rules = namespace, token, rules
        self.secrets, self.version, self.requests, self.hook = {}, 0, [], None
        self.changes = 0  # requests that make a change
        self.written = lambda secret: None
        self.lock = threading.RLock()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def serve(self):
                try:
                    size = int(self.headers.get("Content-Length") or 0)
                    api.answer(self, self.rfile.read(size))
                except (Dropped, ConnectionError):
                    self.close_connection = True

            do_GET = do_PATCH = do_PUT = do_POST = do_DELETE = serve

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):  # a client that was killed
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    # Changes by a person, or by another controller.

    def create(self, secret):
        self.store({**secret, "metadata": {**secret["metadata"], "namespace": self.namespace}})

    def data(self, name):
        return self.secrets[name].get("data", {})

    # Requests.

    def answer(self, handler, body):
        path, _, query = handler.path.partition("?")
        with self.lock:
            self.requests.append((handler.command, handler.path))
        try:
            if handler.headers.get("Authorization") != f"Bearer {self.token}":
                raise Refused(401, "Unauthorized")
            found = self.discovery(path) if handler.command == "GET" else None
            status, value = (200, found) if found else self.serve(handler, path, query, body)
        except Refused as refused:
            status, reason = refused.args
            value = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status}
            value |= {"reason": reason, "message": f"{handler.command} {path}: {reason}"}
        data = json.dumps(value).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def discovery(self, path):
        if path == "/version":
            return {"major": "1", "minor": "32", "gitVersion": "v1.32.0"}
        if path == "/api":
            return {"kind": "APIVersions", "versions": ["v1"]}
        if path == "/apis":
            groups = [
                {
                    "name": name.split("/")[0],
                    "versions": [{"groupVersion": name, "version": "v1"}],
                    "preferredVersion": {"groupVersion": name, "version": "v1"},
                }
                for name in GROUPS
                if "/" in name
            ]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
        for name, kinds in GROUPS.items():
            if path == (f"/apis/{name}" if "/" in name else f"/api/{name}"):
                resources = [
                    {"name": each, "kind": kind, "namespaced": True, "verbs": list(VERBS.values())}
                    for each, kind in kinds.items()
                ]
                return {"kind": "APIResourceList", "groupVersion": name, "resources": resources}
        return None

    def serve(self, handler, path, query, body):
        parts = path.strip("/").split("/")
        if parts[:3] != ["api", "v1", "namespaces"] or len(parts) not in (5, 6):
            raise Refused(404, "NotFound")
        namespace, resource, name = parts[3], parts[4], parts[5] if len(parts) == 6 else None
        verb = VERBS[handler.command] if name or handler.command != "GET" else "list"
        if namespace != self.namespace or not self.allows(verb, resource, name):
            raise Refused(403, "Forbidden")
        if handler.command == "GET":
            if name not in self.secrets:
                raise Refused(404, "NotFound")
            return 200, self.secrets[name]
        with self.lock:
            self.changes += 1
            number = self.changes
            self.call_hook(number, handler, path, "before")
            value = self.change(handler, name, query, body)
        self.call_hook(number, handler, path, "after")
        return 200, value

    def call_hook(self, number, handler, path, moment):
        wanted = self.hook and self.hook(number, handler.command, path, moment)
        if wanted:
            raise Refused(*wanted)

    def allows(self, verb, resource, name):
        return any(
            "" in rule["apiGroups"]
            and resource in rule["resources"]
            and verb in rule["verbs"]
            and ("resourceNames" not in rule or name in rule["resourceNames"])
            for rule in self.rules
        )

    def change(self, handler, name, query, body):
        given, old = yaml.safe_load(body), self.secrets.get(name)
        kind = handler.headers.get("Content-Type", "").split(";")[0]
        if kind == "application/json-patch+json":
            raise Refused(415, "UnsupportedMediaType")
        if old is None:  # apply may create the object if the Role allows it
            if kind != "application/apply-patch+yaml" or not self.allows("create", "secrets", None):
                raise Refused(403 if kind == "application/apply-patch+yaml" else 404, "NotFound")
            old = {"metadata": {"name": name}}
        version = given.get("metadata", {}).get("resourceVersion")
        if handler.command == "PUT" or version:
            if version != old["metadata"].get("resourceVersion"):
                raise Refused(409, "Conflict")
        if handler.command == "PUT":
            new = given
        else:
            if kind == "application/apply-patch+yaml" and (
                given.get("kind") != "Secret" or "fieldManager=" not in query
            ):
                raise Refused(400, "BadRequest")
            new = {**old, "kind": "Secret", "apiVersion": "v1", "type": given.get("type", "Opaque")}
            new["data"] = {**old.get("data", {}), **(given.get("data") or {})}
            new["metadata"] = {**old["metadata"], **given.get("metadata", {})}
        new["metadata"]["namespace"] = self.namespace
        return self.store(new)

    def store(self, secret):
        name = secret["metadata"]["name"]
        old = self.secrets.get(name)
        if old is None or {**secret, "metadata": {**secret["metadata"], "resourceVersion": 0}} != {
            **old,
            "metadata": {**old["metadata"], "resourceVersion": 0},
        }:
            self.version += 1
            secret["metadata"]["resourceVersion"] = str(self.version)
            self.secrets[name] = secret
            self.written(secret)
        return self.secrets[name]
