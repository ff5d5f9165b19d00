"""The text of an error: the fault, the remedy, and nothing else. It names a host only if the host
has something to do with the error. A general remedy never follows a precise one."""

import socket
import uuid

import pytest

from conftest import CERTS, error

RIGHT = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/"
FORBIDDEN = error(403, code="AuthorizationFailed", message="no")


def own(result):
    """All lines but the last, without "rekey: "."""
    return [line.removeprefix("rekey: ") for line in result.lines[:-1]]


def nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.mark.parametrize(
    "command, kind, action",
    [
        ("regenerate", "post", "regenerateKeys/action"),
        ("list-keys", "list", "listKeys/action"),
        ("show", "get", "read"),
    ],
)
@pytest.mark.board
def test_a_right_that_is_missing(arm, rekey, command, kind, action):
    name = arm.play(**{kind: [FORBIDDEN]})
    more = ["--key-type", "primary"] if command == "regenerate" else []
    result = rekey.run(command, *rekey.options(name), *more, code=1, name=name)
    assert result.lines[-2].startswith(f"rekey: the identity needs the permission {RIGHT}{action}: an Owner")


def test_a_right_of_a_serverless_endpoint(arm, rekey):
    name = arm.play(kind="serverless", list=[FORBIDDEN])
    result = rekey.list_keys(name, "--kind", "serverless", code=1)
    result.says("/serverlessEndpoints/listKeys/action")


def test_a_name_that_is_not_known(arm, rekey):
    result = rekey.rotate(arm.play(list=[error(404)]), code=1)
    assert own(result)[-1] == "check --subscription, -g, -w, -n and --kind"
    assert "needs the permission" not in result.err


UNAUTHORIZED = [error(401, code="InvalidAuthenticationToken")] * 2


def test_a_given_token_that_is_refused(arm, rekey):
    result = rekey.rotate(arm.play(list=UNAUTHORIZED), code=14)
    assert own(result)[-1] == "the token is for another cloud, tenant or audience, or has expired: get a new one"


def test_a_token_of_the_identity_that_is_refused(arm, rekey):
    tenant, client, secret = str(uuid.uuid4()), str(uuid.uuid4()), "s" * 20
    arm.identity(tenant, client_id=client, secret=secret)
    env = {
        "AZURE_TENANT_ID": tenant,
        "AZURE_CLIENT_ID": client,
        "AZURE_CLIENT_SECRET": secret,
        "AZURE_AUTHORITY_HOST": arm.url("authority"),
    }
    result = rekey.list_keys(arm.play(list=UNAUTHORIZED), token=None, env=env, code=14)
    assert "the clock; `rekey token` shows what the identity gets" in own(result)[-1]


def test_local_errors_name_no_host(arm, rekey, tmp_path, hook):
    """Nor do they show the ids of the last answer."""
    rekey.rotate(arm.endpoint())
    result = rekey.rotate(arm.endpoint(), code=15)
    assert own(result) == [
        "error: the state of the rotation cannot be used: 'state/state': it belongs to another "
        "endpoint: correct the endpoint's name if that is wrong; if you meant to change it, put "
        "this directory aside"
    ]
    name = arm.endpoint()
    (tmp_path / "two").mkdir()
    result = rekey.rotate(name, "--exec", hook.that("exit 1"), state="two", code=15)
    assert "localhost" not in result.err and "x-ms-" not in result.err
    result = rekey.rotate(name, state="two", code=15)
    assert own(result) == [
        "error: the hook of an earlier run must run first, and this run has no --exec",
        "give --exec PROGRAM",
    ]


def test_the_remedy_for_another_endpoint_works(arm, rekey, tmp_path):
    first, second = arm.endpoint(), arm.endpoint()
    rekey.rotate(first)
    rekey.rotate(second, code=15)
    rekey.rotate(first)
    (tmp_path / "state").rename(tmp_path / "aside")
    (tmp_path / "state").mkdir()
    rekey.rotate(second, "--timeout", "4")


def test_a_program_without_a_path(arm, rekey):
    result = rekey.rotate(arm.endpoint(), "--exec", "systemctl", code=2)
    assert own(result) == ["error: --exec 'systemctl': the path of a program is needed: PATH is not searched"]


def test_no_identity(arm, rekey):
    """One line for each identity, with what it lacks."""
    there = {"IMDS_ENDPOINT": f"http://127.0.0.1:{nobody_listens()}"}
    result = rekey.list_keys(arm.endpoint(), token=None, code=14, env=there)
    lines = own(result)
    assert lines[0].startswith("error: no token could be obtained (")
    kinds = [line.split(":")[1].strip() for line in lines[1:-1] if line.startswith("error: not ")]
    assert kinds == ["not token", "not secret", "not certificate", "not workload", "not arc", "not imds"]
    assert lines[-1].startswith("there is no managed identity here: give --token-file FILE")
    result = rekey.list_keys(arm.endpoint(), token=None, code=14, env={**there, "INVOCATION_ID": "x"})
    assert "drop-in" in own(result)[-1] and "--token-file" not in own(result)[-1]


def test_an_authority_that_cannot_be_reached(arm, rekey):
    port = nobody_listens()
    secret = {"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_CLIENT_SECRET": "s" * 20}
    env = {**secret, "AZURE_AUTHORITY_HOST": f"https://127.0.0.1:{port}"}
    result = rekey.list_keys(arm.endpoint(), "--timeout", "5", token=None, code=10, env=env)
    result.says(f"Connection refused (127.0.0.1:{port})")


# The cause, and the only line after the errors.
HINTS = {
    "issuer": (["--ca-file", str(CERTS / "elsewhereOnly.pem")], {}, 11, "if you trust that issuer"),
    "clock": ([], {"CLOCK_SHIFT": "-1000000000"}, 11, "nothing was sent: set the device's clock"),
    "no anchors": (["--ca-file", "/nowhere"], {}, 11, None),
    "no tenant": (["--auth", "secret"], {}, 14, None),
}


@pytest.mark.parametrize("row", HINTS)
def test_one_remedy(arm, rekey, preload, row):
    arguments, env, code, hint = HINTS[row]
    env = preload("clock", **env) if env else None
    name = arm.endpoint()
    result = rekey.list_keys(name, *arguments, code=code, env=env)
    behind = [line for line in own(result) if not line.startswith("error: ")]
    assert len(behind) == (hint is not None) and all(hint in line for line in behind)


def test_no_system_certificates(arm, rekey, namespace):
    mounts = "for each in /etc/ssl /etc/pki; do [ ! -d $each ] || mount -t tmpfs none $each; done"
    given = [each for each in rekey.options(arm.endpoint()) if each != "--ca-file" and each != CERTS / "ca-all.pem"]
    result = rekey.run("show", *given, code=11, prefix=namespace("m", mounts))
    assert "install ca-certificates" in own(result)[0] and len(own(result)) == 1


def test_a_given_token_is_not_checked(arm, rekey):
    result = rekey.run("token", "--ca-file", CERTS / "ca-all.pem", code=0)
    assert own(result) == ["the token was read, but not checked: `rekey check` asks the service"]


def test_a_key_that_is_null_afterwards(arm, rekey):
    name = arm.play(
        list=[{"status": 200, "body": "{keys}"}, {"status": 200, "body": {"primaryKey": None, "secondaryKey": "x"}}],
        post=[{"status": 200}],
    )
    rekey.regenerate(name, "--check-keys").says("the listed key is null now, but the list may be out of date")
