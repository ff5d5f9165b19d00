#!/usr/bin/python3
# arm.py - a stand-in for Azure Resource Manager: one process that speaks real TLS on loopback, checks each request as
# strictly as a front end would, answers as the scenarios of scenarios.py say, and records what it saw. This file has
# the listeners, the endpoints and the control listener. wire.py has the bytes of requests and answers; identity.py has
# the token services.
#
# It prints one line of JSON: {"control": PORT, "ports": {LISTENER: PORT}, "ca": FILE}, and serves until SIGTERM, POST
# /quit, or with --until-eof the end of its standard input. The control listener speaks plain HTTP and JSON:
#   GET  /ports                           ports of the listeners
#   GET  /log/ENDPOINT                    its requests, and all events of their connections
#   GET  /log[?listener=L][&since=SEQ]    all events, or those of the connections that were accepted after event SEQ;
#                                         idle=S: both wait up to S s for the last connection to end
#   GET  /log/ENDPOINT@score              the same for its scoring URI, whose requests have their own log
#   GET  /keys/ENDPOINT                   its keys, the regenerations in order, and every key that it ever had
#   PUT  /keys/ENDPOINT                   {"primaryKey": text or null, ...}: sets the keys, immediately and everywhere
#   PUT  /keys/ENDPOINT?regenerate=WHICH  regenerates "Primary" or "Secondary" as another client would
#   PUT  /watch/ENDPOINT                  a list of key files: regenerating a key that is in one of them is recorded
#                                         in the "violations" of the endpoint's keys
#   PUT  /scenario/ENDPOINT               a scenario (JSON); its lists start again, keys and polling URLs stay
#   PUT  /scenario/@LISTENER              {"connect": [...]}: how its next connections are answered
#   PUT  /certificate/LISTENER?name=N     new connections to this listener get N.pem
#   PUT  /listener/LISTENER?state=down    closes its sockets and connections; "up" opens the same port again
#   .../identity/NAME, GET /secrets       the token services: see identity.py
#   POST /quit

import argparse
import base64
import collections
import email.utils
import hashlib
import http.server
import itertools
import json
import os
import pathlib
import re
import signal
import socket
import ssl
import sys
import textwrap
import threading
import time
import traceback
import urllib.parse
import uuid
import warnings

sys.dont_write_bytecode = True
from identity import Identities
from scenarios import ANSWER_MEMBERS, DEFAULT, LISTS, MEMBERS, SCENARIOS
from wire import Connection, Ended, HEAD_MAX, REQUIRED, check_body, check_headers, decode_segment, describe, only, parse_head
from wire import read_body, render

REMEMBERED = 4096   # the maximum of events, endpoints and polling URLs; the oldest are dropped first

HERE = "127.0.0.1"
CLOUD_HOSTS = ["management.azure.com", "management.usgovcloudapi.net", "management.chinacloudapi.cn",
               "login.microsoftonline.com", "login.microsoftonline.us", "login.chinacloudapi.cn"]
# What each listener does with a connection: it serves HTTP (the default), records the request (for listeners that must
# never be contacted), stalls, sends garbage, or closes immediately.
LISTENERS = {
    "main": {"tls": "server", "addresses": [HERE, "::1"]},
    "tls12": {"tls": "server", "max": "TLSv1_2"},
    "tls12-noticket": {"tls": "server", "max": "TLSv1_2", "options": ssl.OP_NO_TICKET},
    "tls13": {"tls": "server", "min": "TLSv1_3"},
    "tls11": {"tls": "server", "min": "TLSv1_1", "max": "TLSv1_1", "ciphers": "DEFAULT:@SECLEVEL=0"},
    **{name: {"tls": name} for name in ("expired", "future", "wronghost", "unknown", "impostor", "selfsigned", "ec")},
    "forbidden": {"serve": "record"},
    "forbidden-tls": {"tls": "server", "serve": "record"},
    "forbidden-host": {"tls": "server", "serve": "record", "addresses": ["127.0.0.2"], "port_of": "main"},
    "plain": {"serve": "stall"},
    "scoring": {"tls": "server", "role": "scoring"},    # the target of every endpoint's scoringUri
    "behind": {},    # plain HTTP, for a front end that terminates TLS and passes the Host header on
    "authority": {"tls": "server", "role": "authority", "addresses": [HERE, "::1"]},
    # For processes that lend a socket on port 443 of a namespace, to which the real host names resolve.
    "clouds": {"tls": "clouds", "hosts": CLOUD_HOSTS},
    "clouds-authority": {"tls": "clouds", "role": "authority", "hosts": CLOUD_HOSTS},
    "garbage": {"serve": "garbage"},
    "closer": {"serve": "close"},
}

# The path of an endpoint's operation, one segment at a time, after percent-decoding (docs/service.md 1.1).
SEGMENTS = [
    ("subscriptions", None), ("subscriptionId", r"[A-Za-z0-9-]{1,64}"),
    ("resourceGroups", None), ("resourceGroupName", r"[\w.()-]{0,89}[\w()-]"),
    ("providers", None), ("Microsoft.MachineLearningServices", None),
    ("workspaces", None), ("workspaceName", r"[A-Za-z0-9][A-Za-z0-9_-]{2,32}"),
    ("onlineEndpoints|serverlessEndpoints", None), ("endpointName", r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}"),
]
ACTIONS = {("POST", "regenerateKeys"): "post", ("POST", "listKeys"): "list", ("GET", None): "get"}
COLLECTIONS = {"onlineEndpoints": "online", "serverlessEndpoints": "serverless"}
SCORING_PATH = re.compile(r"/endpoints/([A-Za-z0-9][A-Za-z0-9_-]{0,254})/score")
# The answer of a listener that must never be contacted. It looks like success, so that a wrong client continues.
TEMPTING = {"body": {"status": "Succeeded"}, "then": "close"}
PLACEHOLDER = re.compile(r"\{([a-z_]+)(?::(\d+)|([+-]\d+))?\}")


class Remembered(collections.OrderedDict):
    """A dict that drops its oldest entries."""

    def __setitem__(self, key, value):
        super().__setitem__(key, value)
        if len(self) > REMEMBERED:
            self.popitem(last=False)


class Listener:
    """The listening sockets of one name, all on one port, and the TLS settings of their connections."""

    def __init__(self, arm, name, spec, port=0):
        self.arm, self.name, self.spec, self.port = arm, name, spec, port
        self.sockets, self.connections, self.connect = [], set(), []
        if "tls" in spec:
            self.use_certificate(spec["tls"])
        self.up()

    def use_certificate(self, name):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion[self.spec.get("min", "TLSv1_2")]
        context.maximum_version = ssl.TLSVersion[self.spec.get("max", "TLSv1_3")]
        context.options |= self.spec.get("options", 0)
        context.set_ciphers(self.spec.get("ciphers", "DEFAULT"))
        context.load_cert_chain(f"{self.arm.certs}/{name}.pem", f"{self.arm.certs}/{name}.key")
        context.set_alpn_protocols(["http/1.1"])
        context.sni_callback = lambda tls, server_name, _: setattr(tls, "sni", server_name)
        self.context = context

    def up(self):
        if self.sockets:
            return
        for address in self.spec.get("addresses", [HERE]):
            sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if ":" in address:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                sock.bind((address, self.port))
            except OSError as error:
                sock.close()
                if address == HERE:
                    raise
                print(f"arm.py: {self.name} is not on {address}: {error.strerror}", file=sys.stderr)
                continue
            sock.listen(64)
            self.port = sock.getsockname()[1]
            self.add(sock)

    def add(self, sock):
        """Adds a socket that is already listening."""
        with self.arm.state:
            self.sockets.append(sock)
        threading.Thread(target=self.accept, args=(sock,), daemon=True).start()

    def accept(self, sock):
        while True:
            try:
                client, _ = sock.accept()
                connection = Connection(client, next(self.arm.numbers))
            except OSError:
                if sock not in self.sockets or self.arm.stop.wait(0.05):
                    return
                continue
            with self.arm.state:
                if sock not in self.sockets:
                    client.close()
                    return
                self.connections.add(connection)
            threading.Thread(target=self.arm.serve, args=(self, connection), daemon=True).start()

    def down(self):
        with self.arm.state:
            sockets, self.sockets = self.sockets, []
            connections = list(self.connections)
        for sock in sockets:
            sock.shutdown(socket.SHUT_RDWR)    # wakes accept()
            sock.close()
        for connection in connections:
            connection.cut = True
            try:
                connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Endpoint:
    """An online or serverless endpoint: its keys, its scenario, and the position in each list of the scenario."""

    def __init__(self, name, scenario):
        self.name, self.keys, self.regenerated = name, {}, []
        self.urls, self.given, self.pending, self.request_ids = {}, 0, None, Remembered()
        self.before, self.stale_until, self.stale_left = {}, 0, 0    # previous keys, which lists may still give
        self.ever = []
        self.watched, self.violations = [], []
        self.accepted_from, self.retired = {}, []                    # for scoring: {which: time}, [(old key, until)]
        self.lock = threading.RLock()
        self.play(scenario)
        for which in ("Primary", "Secondary"):
            self.set_key(which)

    def play(self, scenario):
        answers = [answer for each in LISTS for answer in scenario.get(each, ())]
        unknown = [*(set(scenario) - MEMBERS), *(set().union(*answers) - ANSWER_MEMBERS)]
        if unknown:
            raise ValueError(f"scenario of {self.name}: no such member: {', '.join(unknown)}")
        self.scenario, self.played = {**DEFAULT, **scenario}, collections.Counter()

    def set_key(self, which, value=None):
        text = f"{self.name}-{which}-{len(self.regenerated)}"
        self.keys[f"{which.lower()}Key"] = (
            base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() if value is None else value)
        self.ever.append(self.keys[f"{which.lower()}Key"])

    def regenerate(self, which, value=None):
        """Does what the service does when it executes a request."""
        with self.lock:
            now, name = time.monotonic(), f"{which.lower()}Key"
            self.violations += [f"{which} was regenerated while its key was in {path}" for path in map(pathlib.Path, self.watched)
                                if path.exists() and path.read_text() == self.keys[name]]
            self.before = dict(self.keys)
            self.stale_until, self.stale_left = now + self.scenario["stale_for"], self.scenario["stale_lists"]
            self.accepted_from[name] = now + self.scenario["accept_after"]
            self.retired = [(key, until) for key, until in self.retired if until > now]
            if self.scenario["old_accepted"]:
                self.retired.append((self.keys[name], self.accepted_from[name]))
            self.regenerated.append(which)
            self.set_key(which, value)

    def put_keys(self, keys):
        with self.lock:
            self.keys.update(keys)
            self.ever += filter(None, keys.values())
            self.before, self.accepted_from, self.retired = {}, {}, []

    def listed(self):
        """The keys that this listKeys request gets."""
        with self.lock:
            if self.before and (self.stale_left > 0 or time.monotonic() < self.stale_until):
                self.stale_left -= 1
                return dict(self.before)
            return dict(self.keys)

    def scores(self, key):
        """Returns true if the scoring URI accepts a key now."""
        with self.lock:
            now = time.monotonic()
            return (any(key == value and now >= self.accepted_from.get(name, 0) for name, value in self.keys.items())
                    or any(key == old and now < until for old, until in self.retired))

    def list_for(self, kind):
        if kind in ("async", "location"):
            return f"poll_{kind}" if f"poll_{kind}" in self.scenario else "poll"
        return kind

    def peek(self, kind):
        name = self.list_for(kind)
        answers = self.scenario[name]
        return answers[min(self.played[name], len(answers) - 1)]

    def values(self, kind, keys):
        """The values that fill an answer's placeholders. keys: filled in at the first call, reused afterwards."""
        keys.update(keys or (self.listed() if kind == "list" else self.keys))
        return {"primary": keys["primaryKey"], "secondary": keys["secondaryKey"], "keys": json.dumps(keys),
                "keys_before": json.dumps(self.before or self.keys), "name": self.name}

    def accepts(self, token, kind, issued):
        tokens = self.scenario.get("tokens")
        if isinstance(tokens, dict):
            tokens = tokens.get("poll" if kind in ("async", "location") else kind)
        return tokens is None or (issued(token) if tokens == "issued" else token in tokens)

    def next_answer(self, kind, wanted):
        """Returns the next answer and applies its effect on the keys. wanted: (key type, key value) of a readable
        POST."""
        answer = self.peek(kind)
        if "properties" in self.scenario and kind == "get" and answer is DEFAULT["get"][0]:
            body = answer["body"]
            answer = {**answer, "body": {**body, "properties": {**body["properties"], **self.scenario["properties"]}}}
        self.played[self.list_for(kind)] += 1
        status, when = answer.get("status", 200), self.scenario.get("execute", "unless refused")
        if kind == "post":
            self.pending, self.urls = wanted, {}
        now = (kind == "post" and (when == "post" or when == "unless refused" and status < 300)
               or kind in ("async", "location") and when == "first-poll"
               or kind not in ("list", "get") and when == "success" and succeeds(answer))
        if now and self.pending:
            self.regenerate(*self.pending)
            self.pending = None
        elif kind == "post" and isinstance(when, dict) and self.pending:
            timer = threading.Timer(when["after"], self.regenerate, self.pending)
            timer.daemon = True
            timer.start()
            self.pending = None
        return answer


def succeeds(answer):
    body = answer.get("body")
    if isinstance(body, dict) and "status" in body:
        return str(body["status"]).lower() in ("succeeded", "completed")
    return answer.get("status", 200) in (200, 201, 204)


def arm_error(status, code, message, **more):
    return {"status": status, "body": {"error": {"code": code, "message": message}}, **more}


class Arm:
    def __init__(self, options):
        self.certs, self.demo, self.hosts = os.path.abspath(options.certs), options.demo, ["localhost", *options.host]
        self.start, self.stop, self.state = time.monotonic(), threading.Event(), threading.Condition(threading.RLock())
        self.numbers, self.sequence = itertools.count(1), itertools.count(1)
        self.events = collections.deque(maxlen=REMEMBERED)
        self.endpoints, self.issued, self.listeners = Remembered(), Remembered(), {}
        self.identities = Identities(self)
        for name, spec in LISTENERS.items():
            port = options.port_main if name == "main" else self.port(spec.get("port_of"))
            try:
                self.listeners[name] = Listener(self, name, spec, port)
            except (ssl.SSLError, ValueError) as error:    # the TLS library lacks this version
                print(f"arm.py: no listener {name}: {error}", file=sys.stderr)
        for kind in ("imds", "arc"):
            self.identities.control("PUT", kind, {}, json.dumps({"kind": kind}))
        if options.lend:
            threading.Thread(target=self.borrow, args=(options.lend,), daemon=True).start()
        self.control_server = http.server.ThreadingHTTPServer((HERE, 0), control_handler(self))
        threading.Thread(target=self.control_server.serve_forever, daemon=True).start()

    def listen(self, name, spec):
        """Adds a listener."""
        if name in self.listeners:
            raise ValueError(f"there is a listener {name} already")
        self.listeners[name] = Listener(self, name, spec)

    def borrow(self, path):
        """Accepts the listening sockets that lend.py sends and adds each to the listener that it names."""
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
            os.chmod(path, 0o600)
            server.listen(16)
            while True:
                client, _ = server.accept()
                with client:
                    try:
                        text, descriptors, _, _ = socket.recv_fds(client, 4096, 16)
                        for name, descriptor in zip(json.loads(text), descriptors):
                            self.listeners[name].add(socket.socket(fileno=descriptor))
                        client.sendall(b"ok")
                    except (OSError, ValueError, KeyError) as error:
                        client.sendall(repr(error).encode())

    def port(self, name):
        return self.listeners[name].port if name in self.listeners else 0

    def record(self, event, listener, connection, **more):
        with self.state:
            self.events.append({"seq": next(self.sequence), "time": round(time.monotonic() - self.start, 4),
                                "event": event, "listener": listener.name, "connection": connection.number, **more})

    # A connection, from its first byte to its last.

    def serve(self, listener, connection):
        how = by = None
        try:
            self.record("accept", listener, connection)
            how = self.serve_connection(listener, connection)
            by = "server"
        except Ended as error:
            how, by = str(error), "client"
        except OSError as error:
            how, by = describe(error), "client"
        except Exception as error:    # an error in a scenario or here: it is logged, the process continues
            how, by = repr(error), "fault"
            traceback.print_exc()
        if connection.cut:
            how, by = "down", "server"
        connection.end(how if by == "server" else "gone")
        self.record("close", listener, connection, by=by, how=how)
        with self.state:
            listener.connections.discard(connection)
            self.state.notify_all()

    def serve_connection(self, listener, connection):
        """Returns how to end the connection."""
        with self.state:
            first = listener.connect.pop(0) if listener.connect else None
        nothing = {"method": "", "target": "", "headers": [], "endpoint": None}
        if first and first.get("before_handshake"):
            return self.perform(listener, connection, first, nothing) or "close"
        if "tls" in listener.spec:
            try:
                connection.start_tls(listener.context)
            except OSError as error:
                self.record("handshake-failed", listener, connection, why=describe(error))
                raise
            tls = connection.tls
            self.record("handshake", listener, connection, tls=tls.version(), cipher=tls.cipher()[0],
                        alpn=tls.selected_alpn_protocol(), resumed=tls.session_reused, sni=getattr(tls, "sni", None))
        if first:
            return self.perform(listener, connection, first, nothing) or "close"
        serve = listener.spec.get("serve", "http")
        if serve == "record":
            self.record("bytes", listener, connection, text=connection.receive().decode("latin-1"))
            return self.perform(listener, connection, TEMPTING, nothing)
        if serve == "stall":
            connection.stall()
        if serve == "garbage":
            connection.send(b"220 mail.example ESMTP ready\r\n")
        if serve != "http":
            return "close"
        for index in itertools.count():
            then = self.serve_request(listener, connection, index)
            if then:
                return then

    def serve_request(self, listener, connection, index):
        head = connection.receive_until(b"\r\n\r\n", HEAD_MAX)
        tls = connection.tls
        request = {"index": index, "tls": tls and tls.version(), "resumed": tls and tls.session_reused,
                   "faults": [] if head else [f"no end of the head within {HEAD_MAX} bytes"]}
        parse_head(head or b"", request)
        if listener.spec.get("role") == "scoring":
            return self.serve_scoring(listener, connection, request)
        if "role" in listener.spec:
            return self.perform(listener, connection, self.identities.serve(listener, connection, request), request)
        self.find(request)
        endpoint, kind = request["endpoint"], request["kind"]
        if request["method"]:
            called = listener.port if tls else (only(request, "Host") or "").rpartition(":")[2]    # the front end's port
            hosts = (*self.hosts, HERE, "[::1]", *listener.spec.get("hosts", ()))
            check_headers(request, [f"{host}{port}" for host in hosts
                                    for port in ("", f":{called}")
                                    if port or called == 443 or "hosts" in listener.spec])
        body, wanted = b"", None
        if not (endpoint and endpoint.peek(kind).get("after_head")):
            body = read_body(connection, request)
            wanted = check_body(request, body)
        request_id = only(request, "x-ms-client-request-id")
        if kind in ("post", "list", "get"):
            if request_id in endpoint.request_ids:
                request["faults"].append("x-ms-client-request-id: used before (docs/service.md 4.12)")
            endpoint.request_ids[request_id] = True
        name = endpoint.name if endpoint else None
        self.record("request", listener, connection,
                    **{**request, "endpoint": name, "body": body.decode("utf-8", "backslashreplace")},
                    token=self.identities.about(request))
        with self.state:
            answer = self.decide(request, wanted)
        return self.perform(listener, connection, answer, request)

    def serve_scoring(self, listener, connection, request):
        """Serves a request to a scoring URI, by an application or by rekey. A request by rekey is checked more
        strictly."""
        match = SCORING_PATH.fullmatch(request["target"])
        endpoint = match and self.endpoint(match[1])
        request.update(endpoint=endpoint, kind="score")
        ours = (only(request, "User-Agent") or "").startswith("rekey/")
        check_headers(request, [f"{host}:{listener.port}" for host in (*self.hosts, HERE)],
                      REQUIRED if ours else REQUIRED[:1])
        if request["method"] not in ("GET", "POST"):
            request["faults"].append(f"method: {request['method']!r}")
        body = read_body(connection, request)
        key = (only(request, "Authorization") or "").removeprefix("Bearer ")
        taken = bool(endpoint and endpoint.scores(key))
        self.record("request", listener, connection, **{
            **request, "endpoint": endpoint and f"{endpoint.name}@score", "accepted": taken,
            "body": body.decode("utf-8", "backslashreplace")})
        if request["faults"]:
            answer = arm_error(400, "BadRequest", "; ".join(request["faults"]))
        elif not endpoint:
            answer = arm_error(404, "NotFound", "There is no such endpoint.")
        elif not taken:
            answer = {"status": 401, "body": "key_auth_access_denied"}
        else:
            with self.state:
                answer = endpoint.next_answer("score", None)
        return self.perform(listener, connection, answer, request)

    # Which endpoint a request is for, and which answer it gets.

    def find(self, request):
        """Sets the request's endpoint and kind: post, list, get, async, location, or None."""
        path, mark, query = request["target"].partition("?")
        request["endpoint"] = request["kind"] = None
        issued = self.issued.get(path)
        if issued and request["method"] == "GET":
            target, authority, endpoint, kind, number = issued
            request.update(endpoint=endpoint, kind=kind, url=number)
            if request["target"] != target:
                request["faults"].append("polling URL: the query is not the one that was given")
            if (only(request, "Host") or "").lower().removesuffix(":443") != authority.lower().removesuffix(":443"):
                request["faults"].append(f"polling URL: it was given for {authority}")
            return
        segments = [decode_segment(segment, request["faults"]) for segment in path.split("/")[1:]]
        action = (request["method"], segments[-1] if len(segments) == len(SEGMENTS) + 1 else None)
        if (len(segments) not in (len(SEGMENTS), len(SEGMENTS) + 1) or action not in ACTIONS
                or any(pattern is None and segment not in name.split("|")
                       for segment, (name, pattern) in zip(segments, SEGMENTS))):
            if "mfeOperation" in path:
                request["faults"].append("polling URL: never given")
            return
        request["faults"] += [f"{name}: {segment!r}" for segment, (name, pattern) in zip(segments, SEGMENTS)
                              if pattern and not re.fullmatch(pattern, segment)]
        if not re.fullmatch(r"api-version=[A-Za-z0-9.-]{1,32}", query):
            request["faults"].append(f"query: {query!r}")
        endpoint = self.endpoint(segments[len(SEGMENTS) - 1])
        if endpoint and endpoint.scenario["kind"] == COLLECTIONS[segments[len(SEGMENTS) - 2]]:
            request.update(endpoint=endpoint, kind=ACTIONS[action])

    def endpoint(self, name):
        with self.state:
            scenario = SCENARIOS.get(name.partition("--")[0])
            if name not in self.endpoints and scenario is not None:
                self.endpoints[name] = Endpoint(name, scenario)
            return self.endpoints.get(name)

    def decide(self, request, wanted):
        endpoint, kind = request["endpoint"], request["kind"]
        if request["faults"]:
            poll = request["faults"][0].startswith("polling URL")
            return arm_error(403 if poll else 400, "AuthorizationFailed" if poll else "BadRequest",
                             "; ".join(request["faults"]), headers=[["Connection", "close"]])
        if not endpoint:
            return arm_error(404, "ResourceNotFound", f"The resource '{request['target'][:200]}' was not found.")
        token = only(request, "Authorization").removeprefix("Bearer ")
        if not endpoint.accepts(token, kind, self.identities.accepts):
            return arm_error(401, "ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than now.",
                             headers=[["WWW-Authenticate", 'Bearer authorization_uri="https://login.windows.net/x", '
                                       'error="invalid_token", error_description="The token, with a comma, expired"']])
        return endpoint.next_answer(kind, wanted)

    # Answers, from data to bytes.

    def filler(self, listener, request):
        """Returns a function that fills in the placeholders of a string, or of all strings in a JSON value."""
        endpoint = request["endpoint"]
        authority = only(request, "Host") or f"localhost:{listener.port}"
        keys = {}    # taken once, so that both keys belong together
        host = re.sub(r":\d+$", "", authority)

        def url(kind, size=None, signed=False, new=False):
            with self.state:
                if new or kind not in endpoint.urls:
                    endpoint.urls[kind] = self.new_url(endpoint, authority, kind, size, signed)
                return endpoint.urls[kind]

        def replace(match):
            name, size, offset = match[1], int(match[2] or 0), int(match[3] or 0)
            parts = name.split("_")
            if parts[-1] in ("async", "location") and endpoint:
                return url(parts[-1], size, "signed" in parts, "new" in parts)
            if name in ("operation", "operation_path"):
                path = urllib.parse.urlsplit(url("async")).path
                return path if name == "operation_path" else path.rpartition("/")[2]
            values = {"self": f"https://{authority}", "host": host, "port": listener.port, "guid": uuid.uuid4(),
                      "forbidden": self.port("forbidden"), "forbidden_tls": self.port("forbidden-tls"),
                      "pad": "x" * size, "date": email.utils.formatdate(time.time() + offset, usegmt=True)}
            if endpoint:
                values.update(endpoint.values(request.get("kind"), keys))
                values["scoring_uri"] = f"https://{host}:{self.port('scoring')}/endpoints/{endpoint.name}/score"
            return str(values.get(name, match[0]))

        def fill(value):
            if isinstance(value, str):
                return PLACEHOLDER.sub(replace, value)
            if isinstance(value, list):
                return [fill(each) for each in value]
            return {name: fill(each) for name, each in value.items()} if isinstance(value, dict) else value

        return fill

    def new_url(self, endpoint, authority, kind, size, signed):
        endpoint.given += 1
        what = "mfeOperationsStatus" if kind == "async" else "mfeOperationResults"
        path = ("/subscriptions/00000000-0000-0000-0000-000000000000/providers/Microsoft.MachineLearningServices"
                f"/locations/eastus/{what}/oe:{uuid.uuid4()}:{uuid.uuid4()}")
        target = f"{path}?api-version=2025-09-01"
        if signed:
            target += "&t=638000000000000000" + "".join(
                f"&{name}={base64.urlsafe_b64encode(os.urandom(length)).decode()[:length]}"
                for name, length in (("c", 2575), ("s", 342), ("h", 43)))
        url = f"https://{authority}{target}"
        if size:
            pad = "&pad=" + "x" * (size - len(url) - 5)
            url, target = url + pad, target + pad
        self.issued[path] = target, authority, endpoint, kind, endpoint.given
        return url

    def perform(self, listener, connection, answer, request):
        """Sends an answer as it specifies. Returns how to end the connection, or None to keep it open."""
        fill = self.filler(listener, request)
        for line in answer.get("do_before", ()):
            self.do(line)
        self.stop.wait(answer.get("delay", 0))
        for interim in answer.get("interim", ()):
            connection.send(render({"bare": True, **interim}, fill)[1])
        headers, data = render(answer, fill)
        data = data[:answer.get("cut")]
        asked = [only({"headers": each}, "Connection") for each in (headers, request["headers"])]
        then = answer.get("then") or ("close" if "close" in asked or answer.get("framing") == "close" else "keep")
        name = request["endpoint"] and request["endpoint"].name + ("@score" if request.get("kind") == "score" else "")
        status = answer.get("status", 200) if data else None
        self.record("answer", listener, connection, endpoint=name, status=status, headers=headers, bytes=len(data),
                    then=then)
        if self.demo and request["method"]:
            say(f"{request['method']} {request['target'].partition('?')[0]} -> {status or then}")
        size = answer.get("split") or len(data) or 1
        for start in range(0, len(data), size):
            self.stop.wait(answer.get("pause", 0))
            connection.send(data[start:start + size])
        for line in answer.get("do_after", ()):
            self.do(line)
        if then == "stall":
            connection.stall()
        return None if then == "keep" else then

    # The control listener.

    def do(self, line):
        method, target = line.split(" ", 1)
        status, result = self.control(method, target, None)
        if status != 200:
            raise ValueError(f"{line}: {result}")

    def control(self, method, target, body):
        """Returns (HTTP status, JSON value)."""
        url = urllib.parse.urlsplit(target)
        query = dict(urllib.parse.parse_qsl(url.query))
        what, _, name = url.path[1:].partition("/")
        name = urllib.parse.unquote(name)
        listener = self.listeners.get(name.removeprefix("@"))
        if (method, what) == ("GET", "ports"):
            return 200, {name: listener.port for name, listener in self.listeners.items()}
        if (method, what) == ("GET", "log"):
            return 200, self.log(name, query)
        if what == "identity":
            return self.identities.control(method, name, query, body)
        if (method, what) == ("GET", "secrets"):
            with self.state:
                texts = self.identities.secrets
                return 200, {"next": len(texts), "secrets": texts[int(query.get("since", 0)):]}
        if (method, what) == ("GET", "keys") and self.endpoint(name):
            with self.state:
                one = self.endpoint(name)
                return 200, {**one.keys, "regenerated": one.regenerated, "ever": one.ever,
                             "violations": one.violations}
        if (method, what) == ("PUT", "keys") and self.endpoint(name):
            if query.get("regenerate", "Primary") not in ("Primary", "Secondary"):
                return 400, {"error": "regenerate: Primary or Secondary"}
            keys = {} if "regenerate" in query else json.loads(body)
            if set(keys) - {"primaryKey", "secondaryKey"}:
                return 400, {"error": "members: primaryKey and secondaryKey"}
            if "regenerate" in query:
                self.endpoint(name).regenerate(query["regenerate"])
            else:
                self.endpoint(name).put_keys(keys)
            return 200, {}
        if (method, what) == ("PUT", "watch") and self.endpoint(name):
            self.endpoint(name).watched = json.loads(body)
            return 200, {}
        if (method, what) == ("PUT", "scenario"):
            scenario = json.loads(body)
            with self.state:
                if name.startswith("@") and listener:
                    listener.connect = list(scenario["connect"])
                elif name.startswith("@"):
                    return 404, {"error": "no such listener"}
                else:
                    scenario = {**SCENARIOS[scenario["base"]], **scenario} if "base" in scenario else scenario
                    if self.endpoint(name):
                        self.endpoint(name).play(scenario)
                    else:
                        self.endpoints[name] = Endpoint(name, scenario)
            return 200, {}
        if (method, what) == ("PUT", "certificate") and listener:
            listener.use_certificate(query["name"])
            return 200, {}
        if (method, what) == ("PUT", "listener") and listener and query.get("state") in ("up", "down"):
            getattr(listener, query["state"])()
            return 200, {}
        if (method, what) == ("POST", "quit"):
            self.stop.set()
            return 200, {}
        return 404, {"error": f"{method} {target}: not known"}

    def log(self, name, query):
        def mine():
            numbers = {event["connection"] for event in self.events if name in ("", event.get("endpoint"))}
            return [event for event in self.events
                    if event["connection"] in numbers and (not name or event.get("endpoint") in (None, name))]

        def ended():
            numbers = {event["connection"] for event in mine()}
            return not any(connection.number in numbers
                           for listener in self.listeners.values() for connection in listener.connections)

        with self.state:
            self.state.wait_for(ended, float(query.get("idle", 0)))
            events = mine()
        if "listener" in query:
            events = [event for event in events if event["listener"] == query["listener"]]
        if "since" in query:    # the end of an older connection may be recorded late
            accepted = {event["connection"] for event in events
                        if event["event"] == "accept" and event["seq"] > int(query["since"])}
            events = [event for event in events if event["connection"] in accepted]
        return events

    def close(self):
        for listener in self.listeners.values():
            listener.down()
        self.control_server.server_close()


def say(text):
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        pass


def control_handler(arm):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            try:
                status, value = arm.control(self.command, self.path, body)
            except (ValueError, KeyError, TypeError, OSError) as error:
                status, value = 400, {"error": repr(error)}
            data = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_POST = answer

        def log_message(self, *_):
            pass

    return Handler


def main():
    parser = argparse.ArgumentParser(description="A stand-in for Azure Resource Manager on loopback.")
    parser.add_argument("--certs", required=True, metavar="DIR", help="what certs.sh made")
    parser.add_argument("--demo", metavar="REKEY", help="print how to try this command, and a line per request")
    parser.add_argument("--port-main", type=int, default=0, metavar="N", help="port of the listener main")
    parser.add_argument("--host", action="append", default=[], help="one more name that requests may call this host by")
    parser.add_argument("--lend", metavar="PATH", help="a Unix socket through which lend.py lends listening sockets")
    parser.add_argument("--until-eof", action="store_true", help="end when standard input does")
    options = parser.parse_args()
    warnings.simplefilter("ignore", DeprecationWarning)    # TLS 1.1 is needed to test that it is refused

    if not os.path.exists(f"{options.certs}/complete"):
        sys.exit(f"arm.py: no certificates in {options.certs}: run certs.sh {options.certs} first")
    try:
        arm = Arm(options)
    except OSError as error:
        sys.exit(f"arm.py: {error}")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: arm.stop.set())
    if options.until_eof:
        threading.Thread(target=lambda: (sys.stdin.buffer.read(), arm.stop.set()), daemon=True).start()
    if not options.demo:
        print(json.dumps({"control": arm.control_server.server_port, "ports": arm.control("GET", "/ports", None)[1],
                          "ca": f"{arm.certs}/ca.pem"}), flush=True)
    else:
        token = f"{arm.certs}/token"
        with open(token, "w") as file:
            file.write("a-token-for-the-stand-in-service\n")
        say(f"\nThe stand-in service is at https://localhost:{arm.port('main')}. Try:\n\n"
            f"{options.demo} regenerate --management-url https://localhost:{arm.port('main')} --ca-file {arm.certs}/ca.pem"
            f" --token-file {token} --subscription 00000000-0000-0000-0000-000000000000"
            " -g demo -w demo -n three-polls --key-type primary\n\n"
            "For the units: copy ca.pem to /etc/rekey, readable for all, and add to the configuration:\n\n"
            f"REKEY_OPTIONS=--management-url https://localhost:{arm.port('main')} --ca-file /etc/rekey/ca.pem\n"
            "AZURE_ACCESS_TOKEN=a-token-for-the-stand-in-service\n\n"
            "The endpoint's name chooses the scenario:\n"
            + textwrap.fill(" ".join(SCENARIOS), 100, break_on_hyphens=False) + "\n")
    arm.stop.wait()
    arm.close()


if __name__ == "__main__":
    main()
