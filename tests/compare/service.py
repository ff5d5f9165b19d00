# service.py - the stand-in service (tests/arm) for clients other than rekey. In its own network
# namespace it has the addresses and the port to which the names of the public cloud lead. It does
# not require the headers that rekey always sends, it has the additional documents that the SDKs
# read (those of a tenant, the list of subscriptions), and it counts the bytes of each connection:
# the event "close" of the log has "received" and "sent".

import json
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "arm"))
import arm
import identity
from wire import Connection

MANAGEMENT, AUTHORITY = "management.azure.com", "login.microsoftonline.com"
TLS = {"tls": "clouds", "hosts": [MANAGEMENT, AUTHORITY]}
# On port 443, which --port-main sets.
LISTENERS = {
    "main": TLS,
    "authority": {**TLS, "role": "authority", "addresses": ["127.0.0.2"], "port_of": "main"},
}
DOCUMENT = "/v2.0/.well-known/openid-configuration"
INSTANCE = {
    "tenant_discovery_endpoint": f"https://{AUTHORITY}/common{DOCUMENT}",
    "api-version": "1.1",
    "metadata": [
        {
            "preferred_network": AUTHORITY,
            "preferred_cache": "login.windows.net",
            "aliases": [AUTHORITY, "login.windows.net", "login.microsoft.com", "sts.windows.net"],
        }
    ],
}


def tenant_document(tenant):
    """The service's document about a tenant: the members that MSAL reads, and most of the others
    for a realistic length."""
    base = f"https://{AUTHORITY}/{tenant}"
    return {
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "token_endpoint_auth_methods_supported": [
            "client_secret_post",
            "private_key_jwt",
            "client_secret_basic",
        ],
        "jwks_uri": f"{base}/discovery/v2.0/keys",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": f"{base}/v2.0",
        "request_uri_parameter_supported": False,
        "userinfo_endpoint": "https://graph.microsoft.com/oidc/userinfo",
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "http_logout_supported": True,
        "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        "frontchannel_logout_supported": True,
        "end_session_endpoint": f"{base}/oauth2/v2.0/logout",
        "tenant_region_scope": "EU",
        "cloud_instance_name": "microsoftonline.com",
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": "graph.microsoft.com",
        "rbac_url": "https://pas.windows.net",
    }


class Counted:
    """A socket that counts its bytes."""

    def __init__(self, sock):
        self.sock, self.received, self.sent = sock, 0, 0

    def recv(self, size):
        data = self.sock.recv(size)
        self.received += len(data)
        return data

    def sendall(self, data):
        self.sock.sendall(data)
        self.sent += len(data)

    def __getattr__(self, name):
        return getattr(self.sock, name)


class Identities(identity.Identities):
    def authority(self, request, body):
        # MSAL for JavaScript appends a query to the path.
        path = request["target"] = request["target"].partition("?")[0]
        tenant = re.fullmatch("/([A-Za-z0-9.-]+)" + re.escape(DOCUMENT), path)
        if request["method"] == "GET" and tenant:
            return {"status": 200, "body": tenant_document(tenant[1])}, {}
        if request["method"] == "GET" and path == "/common/discovery/instance":
            return {"status": 200, "body": INSTANCE}, {}
        return super().authority(request, body)


class Arm(arm.Arm):
    def decide(self, request, wanted):
        path = request["target"].partition("?")[0]
        # The SDKs send the same id with each attempt, and the service accepts that.
        request["faults"] = [
            fault for fault in request["faults"] if not fault.startswith("x-ms-client-request-id")
        ]
        if request["method"] == "GET" and path in ("/tenants", "/subscriptions"):  # sent by `az login`
            return {"status": 200, "body": {"value": [json.loads(os.environ["SUBSCRIPTION"])]}}
        return super().decide(request, wanted)

    def record(self, event, listener, connection, **more):
        if event == "close":
            more.update(received=connection.sock.received, sent=connection.sock.sent)
        super().record(event, listener, connection, **more)


def parse_form(text, what, faults, parse=identity.parse_form):
    """The required fields: MSAL sends others as well. az asks for the service under its older
    name."""
    form = {
        name: value
        for name, value in parse(text.replace("+", "%20"), what, []).items()
        if name in identity.PARAMETERS["secret"]
    }
    if form.get("scope", "").startswith("https://management.core.windows.net/"):
        form["scope"] = identity.MEMBERS["scope"]
    return form


def check_body(request, body):
    """Returns (key type, None) of a regenerate request."""
    return (json.loads(body)["keyType"], None) if request["kind"] == "post" else None


arm.LISTENERS, arm.Arm, arm.Identities = LISTENERS, Arm, Identities
arm.check_headers = identity.check_headers = lambda *_: None
arm.check_body, identity.parse_form = check_body, parse_form
arm.Connection = lambda sock, number: Connection(Counted(sock), number)

if __name__ == "__main__":
    arm.main()
