# identity.py - the token services, beside arm.py's endpoints and in the same process: Microsoft Entra's authority (over
# TLS), the metadata service of a virtual machine (IMDS) and the agent of Azure Arc (both over plain HTTP). They check
# every field of a request. A wrong field is recorded as a fault in the log and answered with the real service's error.
# openssl verifies assertions.
#
# An identity is made and changed over the control listener of arm.py:
#   PUT /identity/NAME            sets members (JSON, below); members not given do not change; its lists start again
#   PUT /identity/NAME?revoke=1   endpoints refuse all of its tokens so far
#   GET /identity/NAME            {"port", "tokens": [...], "assertions": [...], "keys": [paths of Arc's key files]}
#   GET /log/NAME                 its requests, with `form` or `query` (decoded), `claims`, `refused` (the reason)
#   GET /secrets?since=N          {"next": M, "secrets": [...]}: all texts that must appear nowhere, from the N-th on
# An identity of kind "authority" is a tenant at the listener "authority": NAME is the first segment of the path. Each
# identity of another kind has its own listener, called NAME; "imds" and "arc" always exist. A process in another
# network namespace can lend listening sockets to a listener: see lend.py.
#
# Members of an identity:
#   kind              "authority" (the default), "imds" or "arc"
#   client_id, secret, certificate (a PEM file), federated (a token)   the accepted credentials; others are refused
#   secret_expired    true: the secret is correct but has expired
#   scope, resource   the tokens' audience (default: management of the public cloud)
#   user_assigned     client ids that IMDS knows in addition to the machine's own identity
#   absent            true: the machine has no identity
#   answers           the n-th valid request gets the n-th answer, the last one repeats: as in scenarios.py, but an
#                     answer without raw, status and body has a token; {"error": 90002}: an error of Entra
#   challenges        the same for the first request to Arc, which has no key
#   lifetime          seconds for which a token is accepted (3599); stated: the value of expires_in instead (any JSON)
#   size              bytes of a token (by default 1.5 to 2.5 KB); cached: true: the same token until it has expired
#   directory         where Arc's key files are written; the client sees it as /var/opt/azcmagent/tokens
#   key               {"mode": 0o640, "content": text, "kind": "file", "directory", "symlink", "fifo" or "missing",
#                     "name": ".key" (the ending)}
# Texts of answers may hold {token} (a new one), {key} (the path of a new key file) and the placeholders of arm.py. The
# identities' tokens are accepted by endpoints whose scenario has "tokens": "issued" (or one of its lists), unless they
# are too old or revoked; the log has `token` with each request: {"identity", "number", "left": seconds}.

import base64
import binascii
import hashlib
import json
import os
import re
import secrets
import subprocess
import tempfile
import threading
import time
import urllib.parse
import uuid

from scenarios import ANSWER_MEMBERS
from wire import GUID, check_headers, only, read_body

PUBLIC = "https://management.azure.com/"
KINDS = ("authority", "imds", "arc")
MEMBERS = {
    "kind": "authority", "client_id": None, "secret": None, "secret_expired": False, "certificate": None,
    "federated": None, "scope": f"{PUBLIC}.default", "resource": PUBLIC, "user_assigned": [], "absent": False,
    "answers": [{}], "challenges": [{}], "lifetime": 3599, "stated": None, "size": 0, "cached": False,
    "directory": None, "key": {}}
KEY_MEMBERS = {"mode": 0o640, "content": None, "kind": "file", "name": ".key"}
TOKENS_DIRECTORY = "/var/opt/azcmagent/tokens"
# Every request has each of these exactly once.
REQUIRED = [("Accept-Encoding", r"identity"), ("User-Agent", r"rekey/[!-~]+( [ -~]*)?")]
REQUIRED_TOKEN = [*REQUIRED, ("Accept", r"application/json"), ("client-request-id", GUID),
                  ("Content-Type", r"application/x-www-form-urlencoded")]
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
PARAMETERS = {
    "secret": {"client_id", "scope", "grant_type", "client_secret"},
    "assertion": {"client_id", "scope", "grant_type", "client_assertion_type", "client_assertion"}}
IDENTITY_PATH = "/metadata/identity/oauth2/token"
API_VERSIONS = {"imds": "2018-02-01", "arc": "2020-06-01"}

# Entra's errors: status, error, text.
ERRORS = {
    70003: (400, "unsupported_grant_type", "The app requested an unsupported grant type '{what}'."),
    70011: (400, "invalid_scope", "The provided request must include a 'scope' input parameter. The provided value for "
            "the input parameter 'scope' is not valid. The scope {what} is not valid."),
    70021: (400, "invalid_request", "No matching federated identity record found for presented assertion. Assertion "
            "Issuer: 'https://issuer.example'. Assertion Subject: 'system:serviceaccount:ns:rekey'."),
    90002: (400, "invalid_request", "Tenant '{what}' not found. Check to make sure you have the correct tenant ID and "
            "are signing into the correct cloud. Check with your subscription administrator, this may happen if there "
            "are no active subscriptions for the tenant."),
    700016: (400, "unauthorized_client", "Application with identifier '{what}' was not found in the directory 'Test'. "
             "This can happen if the application has not been installed by the administrator of the tenant or consented "
             "to by any user in the tenant. You may have sent your authentication request to the wrong tenant."),
    700024: (401, "invalid_client", "Client assertion is not within its valid time range. Current time: {now}, "
             "assertion valid from {what}."),
    700027: (401, "invalid_client", "The certificate with identifier used to sign the client assertion is not "
             "registered on application. [Reason - The key was not found., Thumbprint of key used by client: '{what}']"),
    700213: (400, "invalid_request", "No matching federated identity record found for presented assertion subject "
             "'{what}'. Check your federated identity credential Subject, Audience and Issuer against the presented "
             "assertion."),
    900144: (400, "invalid_request", "The request body must contain the following parameter: '{what}'."),
    7000215: (401, "invalid_client", "Invalid client secret provided. Ensure the secret being sent in the request is "
              "the client secret value, not the client secret ID, for a secret added to app '{what}'."),
    7000222: (401, "invalid_client", "The provided client secret keys for app '{what}' are expired. Visit the Azure "
              "portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate "
              "credentials for added security: https://aka.ms/certCreds."),
    9002313: (400, "invalid_request", "Invalid request. Request is malformed or invalid."),
}
# Entra sends these headers in addition to those of every answer.
ENTRA_HEADERS = [
    ["Cache-Control", "no-store, no-cache"], ["Pragma", "no-cache"], ["Expires", "-1"],
    ["Strict-Transport-Security", "max-age=31536000; includeSubDomains"], ["X-Content-Type-Options", "nosniff"],
    ["P3P", 'CP="DSP CUR OTPi IND OTRi ONL FIN"'], ["x-ms-ests-server", "2.1.22006.7 - WEULR1 ProdSlices"],
    ["x-ms-srs", "1.P"], ["Referrer-Policy", "strict-origin-when-cross-origin"],
    ["Set-Cookie", "fpc={pad:44}; expires=Fri, 25-Dec-2026 09:00:00 GMT; path=/; secure; HttpOnly; SameSite=None"],
    ["Set-Cookie", "x-ms-gateway-slice=estsfd; path=/; secure; httponly"],
    ["Set-Cookie", "stsservicecookie=estsfd; path=/; secure; httponly"]]


class Refused(Exception):
    """Raised for a well-formed request that gets no token: Entra's error code, and the value that its text names."""

    def __init__(self, code, what=""):
        super().__init__(code, what)
        self.code, self.what = code, what


class Identity:
    """A tenant with one application, or one machine: what it accepts, and the tokens it has issued."""

    def __init__(self, identities, name, members):
        self.identities, self.name, self.lock = identities, name, threading.RLock()
        self.members, self.played = dict(MEMBERS), {"answers": 0, "challenges": 0}
        self.issued, self.ids, self.assertions, self.keys, self.key_paths = [], set(), [], {}, []
        self.change(members)

    def change(self, members):
        answers = [*members.get("answers", ()), *members.get("challenges", ())]
        unknown = [*(set(members) - set(MEMBERS)), *(set(members.get("key", ())) - set(KEY_MEMBERS)),
                   *(set().union(*answers) - ANSWER_MEMBERS - {"error"})]
        if unknown:
            raise ValueError(f"identity {self.name}: no such member: {', '.join(unknown)}")
        if members.get("kind", "authority") not in KINDS:
            raise ValueError(f"identity {self.name}: no such kind: {members['kind']}")
        with self.lock:
            self.members.update(members)
            self.played.update({each: 0 for each in self.played if each in members})
        for each in ("secret", "federated"):
            self.identities.keep_secret(members.get(each))

    def __getitem__(self, member):
        return self.members[member]

    def values(self, *_):
        """arm.py has nothing more to fill in here."""
        return {}

    def next_answer(self, which):
        answers = self[which]
        answer = answers[min(self.played[which], len(answers) - 1)]
        self.played[which] += 1
        return answer

    # Tokens.

    def issue(self):
        now = time.monotonic()
        if self["cached"] and self.issued and now < self.issued[-1]["expires"] and not self.issued[-1]["revoked"]:
            return self.issued[-1]
        size = self["size"] or 1500 + secrets.randbelow(1001)
        text = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9." + base64.urlsafe_b64encode(secrets.token_bytes(size)).decode()
        text = f"{text[:size - 343]}.{text[size - 342:size]}" if size > 400 else text[:size]
        one = {"token": text, "identity": self.name, "number": len(self.issued), "expires": now + self["lifetime"],
               "revoked": False}
        self.issued.append(one)
        self.identities.issued[text] = one
        self.identities.keep_secret(text)
        return one

    def token_body(self, client_id):
        one, strings = self.issue(), self["kind"] != "authority"
        left = max(0, int(one["expires"] - time.monotonic() + 0.5))
        stated = self["stated"]
        if stated is None:
            stated = str(left) if strings else left
        if not strings:
            return {"token_type": "Bearer", "expires_in": stated, "ext_expires_in": stated, "access_token": one["token"]}
        now = int(time.time())
        return {"access_token": one["token"], "client_id": client_id or str(uuid.uuid4()), "expires_in": stated,
                "expires_on": str(now + left), "ext_expires_in": "86399", "not_before": str(now - 300),
                "resource": self["resource"], "token_type": "Bearer"}

    # Arc's key files.

    def make_key(self):
        """Writes a new key file as the scenario says. Returns its path as the client sees it."""
        key = {**KEY_MEMBERS, **self["key"]}
        name = f"{uuid.uuid4()}{key['name']}"
        content = key["content"] or base64.b64encode(secrets.token_bytes(96)).decode()
        folder = self["directory"]
        if folder is None:
            raise ValueError(f"identity {self.name}: no directory for its key files")
        path = os.path.join(folder, name)
        self.keys[content] = path
        self.identities.keep_secret(content)
        if key["kind"] == "directory":
            os.mkdir(path)
        elif key["kind"] == "fifo":
            os.mkfifo(path)
        elif key["kind"] == "symlink":
            os.symlink(name + ".target", path)
            path += ".target"
        if key["kind"] in ("file", "symlink"):
            with open(path, "w", encoding="utf-8") as file:
                file.write(content)
            os.chmod(path, key["mode"])
        self.key_paths.append(path)
        return f"{TOKENS_DIRECTORY}/{name}"

    # Answers.

    def fill(self, value):
        if isinstance(value, str):
            value = re.sub(r"\{token\}", lambda _: self.issue()["token"], value)
            return re.sub(r"\{key\}", lambda _: self.make_key(), value)
        if isinstance(value, list):
            return [self.fill(each) for each in value]
        return {name: self.fill(each) for name, each in value.items()} if isinstance(value, dict) else value

    def check_assertion(self, form, audience, request):
        """Checks a signed assertion, or the token of a federated issuer. Raises Refused, or adds faults."""
        text = form["client_assertion"]
        self.identities.keep_secret(text)
        self.assertions.append(text)
        if self["federated"] is not None:
            if text != self["federated"]:
                raise Refused(700213, "system:serviceaccount:ns:rekey")
            return
        with open(self["certificate"], encoding="ascii") as file:
            pem = re.search(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", file.read(), re.DOTALL)
        thumbprint = encode(hashlib.sha256(base64.b64decode(pem[1])).digest())
        head, claims, refused = check_jwt(text, request["faults"])
        request["claims"] = claims
        if request["faults"]:
            return
        if head["x5t#S256"] != thumbprint:
            raise Refused(700027, head["x5t#S256"])
        if claims["aud"] != audience:
            request["faults"].append(f"assertion: aud {claims['aud']!r}, not {audience!r}")
        if not claims["iss"] == claims["sub"] == form["client_id"]:
            request["faults"].append(f"assertion: iss {claims['iss']!r}, sub {claims['sub']!r}")
        if claims["jti"] in self.ids:
            request["faults"].append("assertion: jti used before")
        self.ids.add(claims["jti"])
        if not verified(pem[0], text):
            request["faults"].append("assertion: the signature is not that of the certificate's key")
        if refused and not request["faults"]:
            raise refused


def encode(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def decode(text):
    """Decodes base64url without padding; only the canonical form is accepted."""
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if encode(data) != text:
        raise ValueError("not base64url")
    return data


def check_jwt(text, faults):
    """Returns the header, the claims, and a Refused if the current time is outside their validity."""
    try:
        parts = text.split(".")
        if len(parts) != 3:
            raise ValueError(f"{len(parts)} parts")
        head, claims = (json.loads(decode(part)) for part in parts[:2])
        if head != {"alg": "PS256", "typ": "JWT", "x5t#S256": head.get("x5t#S256")}:
            raise ValueError(f"header {head}")
        if set(claims) != {"aud", "iss", "sub", "jti", "nbf", "iat", "exp"}:
            raise ValueError(f"claims {sorted(claims)}")
        if not re.fullmatch(GUID, claims["jti"]):
            raise ValueError(f"jti {claims['jti']!r}")
        if not all(type(claims[each]) is int for each in ("nbf", "iat", "exp")):
            raise ValueError("times that are not integers")
        if not 0 < claims["exp"] - claims["nbf"] <= 600 or not claims["nbf"] <= claims["iat"] < claims["exp"]:
            raise ValueError(f"nbf {claims['nbf']}, iat {claims['iat']}, exp {claims['exp']}")
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        faults.append(f"assertion: {error}")
        return None, None, None
    within = claims["nbf"] <= time.time() < claims["exp"]
    return head, claims, None if within else Refused(700024, f"{stamp(claims['nbf'])}, expiry time of assertion "
                                                     f"{stamp(claims['exp'])}")


def verified(pem, text):
    """Returns true if openssl verifies the signature of a PS256 token with a salt of 32 bytes."""
    message, _, signature = text.rpartition(".")
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/signature", "wb") as file:
            file.write(decode(signature))
        public = subprocess.run(["openssl", "x509", "-pubkey", "-noout"], input=pem.encode(), stdout=subprocess.PIPE,
                                check=True).stdout
        with open(f"{folder}/public", "wb") as file:
            file.write(public)
        options = [each for option in ("rsa_padding_mode:pss", "rsa_pss_saltlen:32", "rsa_mgf1_md:sha256")
                   for each in ("-sigopt", option)]
        return subprocess.run(["openssl", "dgst", "-sha256", *options, "-verify", f"{folder}/public", "-signature",
                               f"{folder}/signature"], input=message.encode(), stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode == 0


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S.0000000Z", time.gmtime(seconds))


def parse_form(text, what, faults):
    """The fields of a form or a query. All but the unreserved characters must be percent-encoded, and no field may
    repeat."""
    fields = {}
    for pair in text.split("&"):
        name, mark, value = pair.partition("=")
        encoded = r"(?:[A-Za-z0-9._~-]|%[0-9A-Fa-f]{2})+"
        if not mark or not re.fullmatch(r"[a-z_-]+", name) or not re.fullmatch(encoded, value):
            faults.append(f"{what}: {name[:40]!r} is not a well-formed field")
            continue
        if name in fields:
            faults.append(f"{what}: {name!r} comes twice")
        try:
            fields[name] = urllib.parse.unquote_to_bytes(value).decode("utf-8")
        except UnicodeDecodeError:
            faults.append(f"{what}: {name!r} is not UTF-8")
    return fields


def entra_error(code, what, correlation):
    """Returns the answer, and the parts of it that the client must show."""
    status, error, text = ERRORS[code]
    now, trace = time.time(), str(uuid.uuid4())
    correlation = correlation or str(uuid.uuid4())
    text = text.replace("{what}", str(what)).replace("{now}", stamp(now))
    at = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(now))
    body = {"error": error, "error_codes": [code], "timestamp": at, "trace_id": trace, "correlation_id": correlation,
            "error_description": f"AADSTS{code}: {text}\r\nTrace ID: {trace}\r\nCorrelation ID: {correlation}\r\n"
                                 f"Timestamp: {at}",
            "error_uri": f"https://login.microsoftonline.com/error?code={code}"}
    return ({"status": status, "headers": ENTRA_HEADERS, "body": body},
            {"code": code, "error": error, "text": text, "trace_id": trace, "correlation_id": correlation})


def metadata_error(status, error, text, *headers):
    return {"status": status, "headers": list(headers), "body": {"error": error, "error_description": text}}


class Identities:
    """All identities, and the handling of requests for tokens."""

    def __init__(self, arm):
        self.arm, self.named, self.issued, self.secrets = arm, {}, {}, []

    def keep_secret(self, text):
        with self.arm.state:
            if text and text not in self.secrets:
                self.secrets.append(text)

    def accepts(self, token):
        one = self.issued.get(token)
        return bool(one) and not one["revoked"] and time.monotonic() < one["expires"]

    def about(self, request):
        """What the log records about a bearer token."""
        one = self.issued.get((only(request, "Authorization") or "").removeprefix("Bearer "))
        return one and {"identity": one["identity"], "number": one["number"],
                        "left": round(one["expires"] - time.monotonic(), 3)}

    def control(self, method, name, query, body):
        """Returns (HTTP status, JSON value), or None if the request is not about identities."""
        identity = self.named.get(name)
        if method == "PUT" and query.get("revoke") and identity:
            for one in identity.issued:
                one["revoked"] = True
        elif method == "PUT" and body:
            members = json.loads(body)
            if identity:
                identity.change(members)
            else:
                identity = self.named[name] = Identity(self, name, members)
                if identity["kind"] != "authority":
                    self.arm.listen(name, {"role": identity["kind"]})
        elif method != "GET" or not identity:
            return 404, {"error": f"{method} identity {name}: not known"}
        return 200, {"port": self.arm.port(name if identity["kind"] != "authority" else "authority"),
                     "tokens": [one["token"] for one in identity.issued], "assertions": identity.assertions,
                     "keys": identity.key_paths}

    # A request: which identity it is for, what is wrong with it, and the answer.

    def serve(self, listener, connection, request):
        role, faults = listener.spec["role"], request["faults"]
        request.update(endpoint=None, kind=role)
        if request["method"]:
            address, port = connection.sock.getsockname()[:2]
            names = [address, "localhost", *listener.spec.get("hosts", ())]
            default = 443 if connection.tls else 80
            required = REQUIRED_TOKEN if role == "authority" else REQUIRED
            check_headers(request, [f"{name}:{port}" for name in names] + (names if port == default else []), required)
        body = read_body(connection, request)
        if role == "authority":
            answer, more = self.authority(request, body.decode("utf-8", "backslashreplace"))
        else:
            if body:
                faults.append("a body on a GET")
            answer, more = self.metadata(request, listener)
        name = request["endpoint"].name if request["endpoint"] else request.pop("unknown", None)
        self.arm.record("request", listener, connection, **{
            **request, "endpoint": name, "body": body.decode("utf-8", "backslashreplace"), **more})
        return answer

    def authority(self, request, body):
        faults, correlation = request["faults"], only(request, "client-request-id")
        if any(name.lower() in ("authorization", "metadata") for name, _ in request["headers"]):
            faults.append("Authorization or Metadata: not for the authority")
        path = re.fullmatch(r"/([A-Za-z0-9.-]{1,255})/oauth2/v2\.0/token", request["target"])
        if not path or request["method"] != "POST":
            faults.append(f"{request['method']} {request['target'][:200]}: not where tokens are")
            return {"status": 404, "body": "<html>", "headers": [["Content-Type", "text/html"]]}, {}
        form = parse_form(body, "form", faults)
        identity = request["endpoint"] = self.named.get(path[1])
        more, code, what = {"form": form}, 9002313, ""
        try:
            if identity is None:
                request["unknown"] = path[1]
                raise Refused(90002, path[1])
            which = "assertion" if "client_assertion" in form else "secret"
            missing, unknown = PARAMETERS[which] - set(form), set(form) - PARAMETERS[which]
            if missing or unknown:
                code, what = 900144 if missing else 9002313, ", ".join(sorted(missing))
                faults.append(f"form: missing {sorted(missing)}, not known {sorted(unknown)}")
            elif form["grant_type"] != "client_credentials":
                code, what = 70003, form["grant_type"]
                faults.append(f"form: grant_type {what!r}")
            elif form["scope"] != identity["scope"]:
                code, what = 70011, form["scope"]
                faults.append(f"form: scope {what!r}")
            elif which == "assertion" and form["client_assertion_type"] != ASSERTION_TYPE:
                faults.append(f"form: client_assertion_type {form['client_assertion_type']!r}")
            if not faults:
                with identity.lock:
                    answer = identity.next_answer("answers")
                    refusal = None
                    try:
                        self.check_credentials(identity, form, which, request)
                    except Refused as refused:
                        refusal = refused
                    if "error" in answer:
                        raise Refused(answer["error"], form["client_id"])
                    if refusal and not {"raw", "status", "body", "cut"} & set(answer):
                        raise refusal
                    if not faults:
                        return self.complete(identity, answer, None, ENTRA_HEADERS), more
        except Refused as refused:
            code, what = refused.code, refused.what
        answer, shown = entra_error(code, what, correlation)
        return answer, {**more, "refused": shown}

    def check_credentials(self, identity, form, which, request):
        if form["client_id"] != identity["client_id"]:
            raise Refused(700016, form["client_id"])
        if which == "assertion" and (identity["federated"] or identity["certificate"]):
            identity.check_assertion(form, f"https://{only(request, 'Host')}{request['target']}", request)
        elif which == "assertion":
            self.keep_secret(form["client_assertion"])
            raise Refused(70021)
        else:
            self.keep_secret(form["client_secret"])
            if form["client_secret"] != identity["secret"]:
                raise Refused(7000215, form["client_id"])
            if identity["secret_expired"]:
                raise Refused(7000222, form["client_id"])

    def metadata(self, request, listener):
        role, faults = listener.spec["role"], request["faults"]
        path, _, query = request["target"].partition("?")
        identity = request["endpoint"] = self.named[listener.name]
        if request["method"] != "GET" or path != IDENTITY_PATH:
            faults.append(f"{request['method']} {path[:200]}: not where tokens are")
            return metadata_error(404, "not_found", "Not found"), {}
        fields = parse_form(query, "query", faults)
        more = {"query": fields}
        if fields.get("api-version") != API_VERSIONS[role]:
            faults.append(f"api-version: {fields.get('api-version')!r}")
        if fields.get("resource") != identity["resource"]:
            faults.append(f"resource: {fields.get('resource')!r}")
        optional = {"client_id"} if role == "imds" else set()
        if set(fields) - optional != {"api-version", "resource"}:
            faults.append(f"query: {sorted(fields)}")
        if only(request, "Metadata") != "true":
            faults.append(f"Metadata: {only(request, 'Metadata')!r}")
        basic = only(request, "Authorization")
        if role == "imds" and any(name.lower() == "authorization" for name, _ in request["headers"]):
            faults.append("Authorization: not for the metadata service")
        if faults:
            return metadata_error(400, "invalid_request", "Required metadata header not specified"), more
        with identity.lock:
            if identity["absent"] or fields.get("client_id") not in (None, *identity["user_assigned"]):
                refused = {"code": 400, "error": "invalid_request", "text": "Identity not found"}
                return metadata_error(400, "invalid_request", "Identity not found"), {**more, "refused": refused}
            if role == "imds":
                return self.complete(identity, identity.next_answer("answers"), fields.get("client_id")), more
            if basic is None:
                request["kind"] = "challenge"
                challenge = identity.next_answer("challenges")
                if not {"raw", "status", "headers"} & set(challenge):
                    challenge = {"status": 401, "headers": [["WWW-Authenticate", "Basic realm={key}"]], **challenge}
                return identity.fill(challenge), more
            content = basic.removeprefix("Basic ")
            if not basic.startswith("Basic ") or content not in identity.keys:
                faults.append("Authorization: not the content of a key file that is still good")
                return metadata_error(401, "unauthorized", "The key is not valid"), more
            key = identity.keys.pop(content)    # valid once
            try:
                os.unlink(key)
            except OSError:
                pass
            return self.complete(identity, identity.next_answer("answers"), None), more

    def complete(self, identity, answer, client_id, headers=()):
        """Completes an answer for arm.py: adds a token, unless the answer has its own body."""
        answer = {name: value for name, value in answer.items() if name != "error"}
        if not {"raw", "status", "body"} & set(answer):
            answer["body"] = identity.token_body(client_id)
        return identity.fill({**answer, "headers": [*answer.get("headers", ()), *headers]})
