"""The stand-in service's own rules about keys, tested without the command: the tests of rotate rely
on them."""

import http.client
import json
import socket
import ssl
import uuid

import pytest

from conftest import CERTS, GROUP, PROVIDER, SUBSCRIPTION, WORKSPACE, wait_until

OURS = {"Accept-Encoding": "identity", "User-Agent": "rekey/test"}


@pytest.fixture
def ask(arm):
    """A function that sends one request. Returns the status, and the JSON of the answer or its text."""

    def send(listener, method, path, token, body=None, **headers):
        context = ssl.create_default_context(cafile=CERTS / "ca.pem")
        port = arm.ports[listener]
        connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=20)
        # http.client adds its own Accept-Encoding unless told not to.
        connection.putrequest(method, path, skip_accept_encoding=True)
        given = {"Authorization": f"Bearer {token}", **headers}
        if body is not None:
            given["Content-Length"] = str(len(body))
        for name, value in given.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text

    return send


@pytest.fixture
def score(ask):
    return lambda name, key, method="POST": ask(
        "scoring", method, f"/endpoints/{name}/score", key, b"{}" if method == "POST" else None
    )[0]


@pytest.fixture
def manage(ask):
    def send(name, action="", body=None, kind="online", method="POST"):
        path = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/{PROVIDER}/workspaces"
        path += f"/{WORKSPACE}/{kind}Endpoints/{name}{action}?api-version=2025-09-01"
        headers = {**OURS, "x-ms-client-request-id": str(uuid.uuid4())}
        if body:
            headers["Content-Type"] = "application/json"
        return ask("main", method, path, "a-token", body, **headers)

    return send


def regenerate(manage, name, which, kind="online"):
    body = json.dumps({"keyType": which}).encode()
    return manage(name, "/regenerateKeys", body, kind)


def test_scoring_takes_the_current_keys(arm, score):
    name = arm.endpoint()
    keys = arm.keys(name)
    for key in (keys["primaryKey"], keys["secondaryKey"]):
        assert score(name, key) == 200 and score(name, key, "GET") == 200
    arm.regenerate(name, "Primary")
    assert score(name, keys["primaryKey"]) == 401 and score(name, keys["secondaryKey"]) == 200
    assert score(name, arm.keys(name)["primaryKey"]) == 200
    assert score(name, "a-token") == 401 and score("none--1", "a-token") == 404
    assert [each["accepted"] for each in arm.requests(f"{name}@score")] == [True] * 4 + [
        *(False, True, True, False)
    ]
    assert arm.requests(name) == []


@pytest.mark.parametrize("old_accepted", [False, True])
def test_scoring_takes_a_new_key_later(arm, score, old_accepted):
    """Until then the old key of the slot may or may not be accepted; the other key always is."""
    name = arm.play(accept_after=1, old_accepted=old_accepted)
    before = arm.keys(name)
    arm.regenerate(name, "Primary")
    after = arm.keys(name)
    assert score(name, after["primaryKey"]) == 401
    assert score(name, before["primaryKey"]) == (200 if old_accepted else 401)
    assert score(name, before["secondaryKey"]) == 200
    wait_until(lambda: score(name, after["primaryKey"]) == 200, "the new key")
    assert score(name, before["primaryKey"]) == 401


def test_stale_lists(arm, manage):
    name = arm.play(stale_lists=2)
    before = {each: arm.keys(name)[each] for each in ("primaryKey", "secondaryKey")}
    assert manage(name, "/listKeys", b"") == (200, before)
    assert regenerate(manage, name, "Secondary")[0] == 200
    assert [manage(name, "/listKeys", b"")[1] == before for _ in range(3)] == [True, True, False]
    name = arm.play(stale_for=0.5)
    regenerate(manage, name, "Secondary")
    listed = manage(name, "/listKeys", b"")[1]
    now = arm.keys(name)
    assert listed["secondaryKey"] == now["ever"][1] != now["secondaryKey"]
    wait_until(
        lambda: manage(name, "/listKeys", b"")[1]["secondaryKey"] == now["secondaryKey"],
        "the new list",
    )


def test_executed_late(arm, manage):
    name = arm.play(post=[{"status": 500}], execute={"after": 0.5})
    assert regenerate(manage, name, "Primary")[0] == 500
    assert arm.keys(name)["regenerated"] == []
    wait_until(lambda: arm.keys(name)["regenerated"] == ["Primary"], "the execution")


def test_get(arm, manage):
    name = arm.play(properties={"authMode": "AMLToken", "more": 1})
    status, body = manage(name, method="GET")
    assert status == 200 and body["name"] == name
    assert body["properties"]["authMode"] == "AMLToken" and body["properties"]["more"] == 1
    uri = f"https://localhost:{arm.ports['scoring']}/endpoints/{name}/score"
    assert body["properties"]["scoringUri"] == uri


def test_kinds(arm, manage):
    """A serverless endpoint returns its keys; neither kind can be found as the other."""
    name = arm.endpoint("serverless")
    status, keys = regenerate(manage, name, "Primary", "serverless")
    now = arm.keys(name)
    assert status == 200 and keys == {each: now[each] for each in ("primaryKey", "secondaryKey")}
    assert now["regenerated"] == ["Primary"]
    assert regenerate(manage, name, "Primary")[0] == 404
    assert regenerate(manage, arm.endpoint(), "Primary", "serverless")[0] == 404


def test_faults(arm, manage, ask, score):
    """Each bad request is refused, and is recorded as a fault in the log."""
    name = arm.endpoint()
    assert manage(name, "/regenerateKeys", b'{"keyType":"primary"}')[0] == 400
    assert manage(name, "/listKeys", b"{}")[0] == 400
    assert score(name, "a-token", "PUT") == 400
    key = arm.keys(name)["primaryKey"]
    # The command identifies itself, so the request must have everything that the command always
    # sends.
    path = f"/endpoints/{name}/score"
    assert ask("scoring", "GET", path, key, **{"User-Agent": "rekey/1"})[0] == 400
    faults = [
        request["faults"]
        for request in [*arm.requests(name), *arm.requests(f"{name}@score")]
        if request["faults"]
    ]
    assert len(faults) == 4


def test_control_refuses(arm):
    name = arm.endpoint()
    for method, path, body in (
        ("PUT", f"/keys/{name}", {"thirdKey": "x"}),
        ("PUT", f"/keys/{name}?regenerate=primary", None),
        ("PUT", f"/scenario/{name}", {"stale": 1}),
    ):
        with pytest.raises(AssertionError, match="400|error|no such"):
            arm.control(method, path, body)
    assert arm.keys(name)["regenerated"] == []


def test_a_mark_excludes_older_connections(arm):
    """A connection may be closed before a mark, and its end be recorded after it."""
    start = arm.mark()
    with socket.create_connection(("localhost", arm.ports["plain"])):
        wait_until(lambda: arm.connections("plain", start, idle=0), "a connection")
        mark = arm.mark()
    assert [event["event"] for event in arm.connections("plain", start)][-1] == "close"
    assert arm.connections("plain", mark) == []
