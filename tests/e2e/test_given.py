"""Wrong values that people give as a token, a client secret, a key value or a name. Each is refused
before anything is sent; the message says what the value is and what to do. A value that is only
written differently is read correctly. Pipes to which nobody writes, and a reader that does not
read: --timeout and a signal end the wait."""

import codecs
import os
import secrets
import signal
import subprocess
import time

import pytest

from conftest import CERTS, ENVIRONMENT, EXEC, REKEY, SLOW, TOKEN, header, wait_until

JWT = f"eyJ0eXAiOiJKV1QifQ.{secrets.token_urlsafe(40)}.{secrets.token_urlsafe(20)}"
BOM = codecs.BOM_UTF8


@pytest.fixture
def refuses(arm, rekey):
    """A function that runs `rekey regenerate` with an unusable value. Checks that no host is
    contacted, and that no part of the value is shown."""

    def run(*arguments, code, hidden=JWT, **more):
        mark = arm.mark()
        where = [*rekey.options("e", "forbidden-tls"), "--key-type", "primary"]
        result = rekey.run("regenerate", *where, *arguments, code=code, **more)
        assert arm.forbidden(mark) == [] and arm.connections("authority", mark) == []
        assert hidden not in result.err + result.out
        return result

    return run


# ---- tokens --------------------------------------------------------------------------------------

UTF16 = "UTF-16, as Windows PowerShell"
QUOTES = "is in quotation marks"
# The content of the file, or of the variable, for a token T; and words of the refusal.
TOKENS = {
    "double quotes": ('"T"', QUOTES),
    "single quotes": ("'T'", QUOTES),
    "an opening quote": ('"T', QUOTES),
    "a closing quote": ('T"', QUOTES),
    "quotes and a comma": ('"T",', QUOTES),
    "backquotes": ("`T`", QUOTES),
    "angle brackets": ("<T>", "is in angle brackets"),
    "an open bracket": ("<T", "is in angle brackets"),
    "a comma": ("T,", "ends with ','"),
    "a semicolon": ("T;", "ends with ';'"),
    "a JSON object": ('{"accessToken":"T","expiresOn":"2026-01-01"}', "is JSON"),
    "JSON in lines": ('{\n  "accessToken": "T"\n}', "is JSON"),
    "a JSON array": ('["T"]', "is JSON"),
    "the scheme": ("Bearer T", "name of a scheme"),
    "the scheme in another case": ("bEARER T", "name of a scheme"),
    "the field": ("Authorization: Bearer T", "name of a scheme or a header"),
    "a blank in front": (" T", "has a space: byte 1"),
    "a space at the end": ("T ", "has a space"),
    "a tab": ("T\tx", "byte {} is \\x09"),
    "two": ("T T", "has a space"),
    "two lines": ("T\nT", "has more than one line"),
    "an empty line at the end": ("T\n\n", "has more than one line"),
    "a name in front": ("access_token=T", "has '=' as byte 13"),
    "a comma inside": ("T,T", "has ','"),
    "a colon": ("T:x", "has ':'"),
    "a percent sign": ("T%3D", "has '%'"),
    "a dollar sign": ("$T", "has '$' as byte 1"),
    "another alphabet": ("Tö", "is not ASCII"),
    "a typographic quote": ("“T”", "is not ASCII: byte 1"),
    "a zero-width space": ("T\u200b", "is not ASCII"),
    "a control character": ("T\x01", "byte {} is \\x01"),
    "an escape": ("\x1b[0mT", "byte 1 is \\x1B"),
    "DEL": ("T\x7f", "\\x7F"),
}


@pytest.mark.parametrize("source", ["environment", "file", "stdin"])
@pytest.mark.parametrize("case", TOKENS)
def test_a_value_that_is_not_a_token(rekey, refuses, case, source):
    text, words = TOKENS[case][0].replace("T", JWT), TOKENS[case][1].format(len(JWT) + 1)
    if source == "environment":
        refuses(token=text, code=2).says("AZURE_ACCESS_TOKEN", words, "az account")
    elif source == "file":
        (rekey.directory / "token").write_text(text + "\n", newline="")
        refuses("--token-file", "token", token=None, code=2).says("--token-file", words)
    else:
        refuses("--token-file", "-", token=None, stdin=text.encode(), code=2).says(words)


ENCODINGS = {
    "UTF-16 of PowerShell": codecs.BOM_UTF16_LE + f"{JWT}\r\n".encode("utf-16-le"),
    "UTF-16, big-endian": codecs.BOM_UTF16_BE + f"{JWT}\r\n".encode("utf-16-be"),
    "UTF-16 without its mark": f"{JWT}\n".encode("utf-16-le"),
    "UTF-16, big-endian, without its mark": f"{JWT}".encode("utf-16-be"),
    "UTF-32": codecs.BOM_UTF32_LE + JWT.encode("utf-32-le"),
    "UTF-16, the mark alone": codecs.BOM_UTF16_LE,
}


@pytest.mark.parametrize("kind", ["token", "secret", "value", "federated"])
@pytest.mark.parametrize("case", ENCODINGS)
def test_another_encoding(rekey, refuses, who, case, kind):
    (rekey.directory / "file").write_bytes(ENCODINGS[case])
    given = {
        "token": (["--token-file", "file"], {"token": None, "code": 2}),
        "secret": (["--secret-file", "file", "--auth", "secret"], {**who(), "code": 14}),
        "value": (["--key-value-file", "file"], {"code": 2}),
        "federated": (
            ["--auth", "workload"],
            {**who(AZURE_FEDERATED_TOKEN_FILE="file"), "code": 14},
        ),
    }[kind]
    refuses(*given[0], **given[1]).says(UTF16, "iconv")


# Other ways to write a token: read correctly.
WRITTEN = {
    "as it is": b"",
    "a line end": b"\n",
    "a line end of Windows": b"\r\n",
}


@pytest.mark.parametrize("mark", [b"", BOM], ids=["plain", "BOM"])
@pytest.mark.parametrize("end", WRITTEN)
def test_a_token_written_in_another_way(arm, rekey, mark, end):
    name = arm.endpoint()
    (rekey.directory / "token").write_bytes(mark + TOKEN.encode() + WRITTEN[end])
    rekey.regenerate(name, "--token-file", "token", token=None)
    assert {header(each, "Authorization") for each in arm.requests(name)} == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize("mark", [b"", BOM], ids=["plain", "BOM"])
@pytest.mark.parametrize("end", WRITTEN)
def test_a_key_value_written_in_another_way(arm, rekey, mark, end):
    name, value = arm.endpoint(), secrets.token_urlsafe(30)
    (rekey.directory / "value").write_bytes(mark + value.encode() + WRITTEN[end])
    rekey.regenerate(name, "--key-value-file", "value")
    assert arm.keys(name)["primaryKey"] == value


# ---- client secrets and names --------------------------------------------------------------------


@pytest.fixture
def who(arm):
    """A function that gives the environment of an application, at the stand-in for Entra."""

    def make(**more):
        names = {
            "AZURE_TENANT_ID": "11111111-2222-3333-4444-555555555555",
            "AZURE_CLIENT_ID": "66666666-7777-8888-9999-000000000000",
            "AZURE_AUTHORITY_HOST": arm.url("authority"),
        }
        return {"env": {**names, **more}, "token": None}

    return make


CLIENT_SECRETS = {
    "double quotes": ('"S"', QUOTES),
    "single quotes": ("'S'", QUOTES),
    "angle brackets": ("<S>", "is in angle brackets"),
    "JSON": ('{"password":"S"}', "is JSON"),
    "a carriage return": ("S\r", "carriage return (\\x0D)"),
    "a carriage return inside": ("S\rx", "dos2unix"),
    "two lines": ("S\nx", "has more than one line"),
    "a line end at the end": ("S\n", "has more than one line"),
    "CRLF at the end": ("S\r\n", "carriage return"),
    "a tab": ("S\tx", "byte {} is \\x09"),
    "a blank in front": (" S", "begins or ends with a space"),
    "a space at the end": ("S ", "begins or ends with a space"),
    "Latin-1": (b"S\xe4", "is not UTF-8: byte {} is \\xE4"),
}


@pytest.mark.parametrize("source", ["environment", "file", "credentials"])
@pytest.mark.parametrize("case", CLIENT_SECRETS)
def test_a_value_that_is_not_a_client_secret(rekey, refuses, who, case, source):
    secret = secrets.token_urlsafe(30)
    text, words = CLIENT_SECRETS[case]
    data = (text.encode() if isinstance(text, str) else text).replace(b"S", secret.encode(), 1)
    words = words.format(len(secret) + 1)
    if source == "environment":
        more = who(AZURE_CLIENT_SECRET=os.fsdecode(data))
        result = refuses("--auth", "secret", code=14, hidden=secret, **more)
        result.says("AZURE_CLIENT_SECRET", words)
        return
    file = rekey.directory / "client-secret"
    file.write_bytes(data if data.endswith(b"\r") else data + b"\n")
    if source == "file":
        arguments, more = ["--secret-file", "client-secret"], who()
    else:
        arguments, more = ["--auth", "secret"], who(CREDENTIALS_DIRECTORY=str(rekey.directory))
    refuses(*arguments, code=14, hidden=secret, **more).says("client-secret", words)


FEDERATED = {
    "quotes": ('"T"', QUOTES),
    "JSON": ('{"value":"T","count":1}', "is JSON"),
    "a comma": ("T,", "ends with ','"),
    "the scheme": ("Bearer T", "name of a scheme"),
    "two": ("T T", "has a space"),
    "a path": ("file:T", "has ':'"),
}


@pytest.mark.parametrize("case", FEDERATED)
def test_a_file_that_is_not_a_federated_token(rekey, refuses, who, case):
    text, words = FEDERATED[case]
    (rekey.directory / "file").write_text(text.replace("T", JWT) + "\n")
    more = who(AZURE_FEDERATED_TOKEN_FILE="file")
    refuses("--auth", "workload", code=14, **more).says("'file': the token", words)


# A file of NAME=VALUE lines that was written on Windows gives every value a carriage return.
WINDOWS = {
    "AZURE_ACCESS_TOKEN": [],
    "AZURE_CLIENT_SECRET": ["--auth", "secret"],
    "AZURE_TENANT_ID": ["--auth", "secret"],
    "AZURE_CLIENT_ID": ["--auth", "secret"],
    "AZURE_AUTHORITY_HOST": ["--auth", "secret"],
    "AZURE_CLIENT_CERTIFICATE_PATH": ["--auth", "certificate"],
    "AZURE_FEDERATED_TOKEN_FILE": ["--auth", "workload"],
    "IMDS_ENDPOINT": ["--auth", "imds"],
    "AZURE_SUBSCRIPTION_ID": [],
    "AZURE_DEFAULTS_GROUP": [],
    "AZURE_DEFAULTS_WORKSPACE": [],
    "REKEY_MANAGEMENT_URL": [],
    "SSL_CERT_FILE": [],
    "HTTPS_PROXY": [],
    "https_proxy": [],
    "NO_PROXY": [],
}


@pytest.mark.parametrize("variable", WINDOWS)
def test_a_variable_with_a_carriage_return(arm, rekey, who, variable):
    """The message names the variable and what is wrong with it; nothing is sent."""
    mark = arm.mark()
    env = {
        **who()["env"],
        "AZURE_CLIENT_SECRET": secrets.token_urlsafe(30),
        "AZURE_ACCESS_TOKEN": TOKEN,
        "AZURE_CLIENT_CERTIFICATE_PATH": "device.pem",
        "AZURE_FEDERATED_TOKEN_FILE": "token",
        "AZURE_SUBSCRIPTION_ID": "s",
        "AZURE_DEFAULTS_GROUP": "g",
        "AZURE_DEFAULTS_WORKSPACE": "wsp",
        "REKEY_MANAGEMENT_URL": arm.url("forbidden-tls"),
        "SSL_CERT_FILE": str(CERTS / "ca-all.pem"),
        "HTTPS_PROXY": "http://user:password@127.0.0.1:1",
        "NO_PROXY": "example.com",
    }
    if "https" not in variable.lower() and variable != "NO_PROXY":
        del env["HTTPS_PROXY"], env["NO_PROXY"]
    env[variable] = env.get(variable, "http://127.0.0.1:1") + "\r"
    arguments = ["-n", "e", "--key-type", "primary", *WINDOWS[variable]]
    result = rekey.run("regenerate", *arguments, env=env, token=None, code=(2, 11, 14))
    words = {"AZURE_FEDERATED_TOKEN_FILE": "'token\\x0D'", "SSL_CERT_FILE": "ca-all.pem\\x0D'"}
    options = {
        "AZURE_SUBSCRIPTION_ID": "--subscription",
        "AZURE_DEFAULTS_GROUP": "--resource-group",
        "AZURE_DEFAULTS_WORKSPACE": "--workspace-name",
    }
    result.says("\\x0D", words.get(variable, options.get(variable, variable)))
    assert "password" not in result.err and "\r" not in result.err
    assert arm.forbidden(mark) == [] and arm.connections("authority", mark) == []


# ---- input that never comes ----------------------------------------------------------------------

on_this_machine = pytest.mark.skipif(bool(EXEC), reason="the emulator opens and waits itself")


def sleeps(pid):
    """The process waits for an event, not for the processor."""
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] == "S"


# Places for a pipe to which nobody writes.
PIPES = ["--token-file", "--secret-file", "--key-value-file", "--proxy-auth-file"]
PIPES += ["--ca-file", "federated", "certificate"]


def with_pipe(rekey, who, option):
    """Options and more for a run that reads `pipe`."""
    os.mkfifo(rekey.directory / "pipe")
    if option == "federated":
        return ["--auth", "workload"], who(AZURE_FEDERATED_TOKEN_FILE="pipe")
    if option == "certificate":
        return ["--auth", "certificate"], who(AZURE_CLIENT_CERTIFICATE_PATH="pipe")
    if option == "--secret-file":
        return ["--secret-file", "pipe"], who()
    if option == "--token-file":
        return ["--token-file", "pipe"], {"token": None}
    if option in ("--ca-file", "--proxy-auth-file"):
        (rekey.directory / "token").write_text(TOKEN)
        proxy = ["--proxy", "http://127.0.0.1:1"] if option == "--proxy-auth-file" else []
        return [option, "pipe", *proxy, "--token-file", "token"], {"token": None}
    return [option, "pipe"], {}


@on_this_machine
@pytest.mark.parametrize("option", PIPES)
def test_a_pipe_that_nobody_writes(rekey, refuses, who, option):
    """--timeout bounds the wait."""
    arguments, more = with_pipe(rekey, who, option)
    result = refuses(*arguments, "--timeout", "1", code=(2, 11, 14), **more)
    result.says("'pipe'", "no more data came before the limit (--timeout)")
    assert 1 <= result.seconds < 3 * SLOW


@on_this_machine
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("option", PIPES)
def test_a_signal_ends_the_wait_for_a_pipe(arm, rekey, who, option, number):
    """The command ends at once, as if it had never begun."""
    arguments, more = with_pipe(rekey, who, option)
    name = arm.endpoint()
    process = rekey.start_regenerate(name, *arguments, **more)
    descriptors = f"/proc/{process.pid}/fd"
    wait_until(lambda: opened(descriptors, "/pipe") and sleeps(process.pid), "it waits")
    process.signal(number)
    result = rekey.finish(process, 10)
    result.says("the operation was interrupted")
    assert result.after_signal < 0.2 * SLOW
    assert arm.requests(name) == []


def opened(folder, end):
    try:
        return any(os.readlink(f"{folder}/{fd}").endswith(end) for fd in os.listdir(folder))
    except OSError:
        return False


@on_this_machine
@pytest.mark.parametrize("option", ["--token-file", "federated"])
def test_a_pipe_that_never_ends(rekey, refuses, who, option):
    """The pipe is written to, and stays open."""
    arguments, more = with_pipe(rekey, who, option)
    pipe = os.open(rekey.directory / "pipe", os.O_RDWR)
    try:
        os.write(pipe, JWT.encode())
        result = refuses(*arguments, "--timeout", "1", code=(2, 14), **more)
        result.says("no more data came before the limit (--timeout)")
    finally:
        os.close(pipe)


@on_this_machine
def test_a_pipe_that_is_written_late(arm, rekey):
    """The reader comes first, and waits for a slow writer."""
    os.mkfifo(rekey.directory / "pipe")
    name = arm.endpoint()
    process = rekey.start_regenerate(name, "--token-file", "pipe", token=None)
    wait_until(lambda: opened(f"/proc/{process.pid}/fd", "/pipe"), "it is opened")
    with open(rekey.directory / "pipe", "wb", buffering=0) as pipe:
        pipe.write(TOKEN[:7].encode())
        wait_until(lambda: sleeps(process.pid), "it waits for the rest")
        pipe.write(TOKEN[7:].encode() + b"\n")
    rekey.finish(process, 0, name)
    assert arm.counts(name) == (1, 0)


@on_this_machine
def test_a_signal_while_nobody_reads(arm, rekey):
    """Standard error is a full pipe: a line that cannot be written does not stop the command."""
    read, write = os.pipe()
    name = arm.endpoint()
    os.set_blocking(write, False)
    try:
        while True:
            os.write(write, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(write, True)
    command = [REKEY, "regenerate", *map(str, rekey.options(name)), "--key-type", "primary", "-v"]
    env = {**ENVIRONMENT, "AZURE_ACCESS_TOKEN": TOKEN}
    process = subprocess.Popen(command, env=env, stderr=write, stdin=subprocess.DEVNULL)
    os.close(write)
    try:
        wait_until(lambda: sleeps(process.pid), "it waits for its reader")
        sent = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code = process.wait(5)
        assert time.monotonic() - sent < 0.2 * SLOW
        assert code == 10 and arm.requests(name) == []
    finally:
        process.kill()
        process.wait()
        os.close(read)
