"""The operation file: its content at each point of a run, what survives a kill, and how `rekey
wait` finishes an operation of another run (docs/service.md 4.9). If a file is damaged or leads to
another host, the outcome is unknown, and nothing is sent."""

import os
import re
import shlex
import signal
import stat
import subprocess

import pytest

from conftest import (
    ACCEPTED,
    CERTS,
    DONE,
    EXEC,
    NOW,
    REKEY,
    RUNNING,
    TOKEN,
    error,
    header,
    wait_until,
)

STALL = {"cut": 0, "then": "stall"}


def fields(path):
    """The lines "name value" of the file, as a dictionary; `url` may be empty."""
    return dict(line.split(" ", 1) for line in path.read_text().splitlines() if " " in line)


@pytest.fixture
def op(tmp_path):
    """The path of the operation file, in a directory with no other file."""
    (tmp_path / "state").mkdir()
    return tmp_path / "state/op"


@pytest.fixture
def left(arm, rekey, op):
    """A function that leaves an accepted operation behind, with its file. Returns the endpoint."""

    def leave(**scenario):
        name = arm.play(**{"post": [ACCEPTED], "poll": [RUNNING, DONE], **scenario})
        rekey.regenerate(name, "--no-wait", "--operation-file", op, code=13)
        return name

    return leave


# ---- its content ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "base, kind",
    [
        ("async-only", "Azure-AsyncOperation"),
        ("location-only", "Location"),
        ("operation-location", "Operation-Location"),
    ],
)
def test_content(arm, rekey, op, base, kind):
    name = arm.endpoint(base)
    rekey.regenerate(name, "--no-wait", "--operation-file", op, code=13, key_type="secondary")
    given = [value for field, value in arm.answers(name)[0]["headers"] if field == kind][0]
    record, text = fields(op), op.read_text()
    assert record["kind"] == kind and record["url"] == given and record["key-type"] == "Secondary"
    assert (
        record["management"] == f"localhost:{arm.ports['main']}"
        and f"onlineEndpoints/{name}" in record["endpoint"]
    )
    assert record["request-id"] == header(arm.requests(name, "post")[0], "x-ms-client-request-id")
    assert re.fullmatch(r"rekey-operation \d+", text.splitlines()[0])
    assert TOKEN not in text
    assert stat.S_IMODE(op.stat().st_mode) == 0o600
    assert os.listdir(op.parent) == ["op"]


def test_mode_whatever_the_umask(arm, rekey, op):
    prefix = [] if EXEC else ["sh", "-c", 'umask 0; exec "$@"', "sh"]
    rekey.regenerate(
        arm.endpoint("forever"), "--no-wait", "--operation-file", op, code=13, prefix=prefix
    )
    assert stat.S_IMODE(op.stat().st_mode) == 0o600


def test_the_intent_is_there_before_the_post(arm, rekey, op):
    """Killed while it waits for the answer to the POST: the file has no URL, and the outcome is
    unknown."""
    name = arm.play(post=[STALL])
    process = rekey.start_regenerate(name, "--operation-file", op)
    arm.wait_for(name, "request")
    process.kill()
    record = fields(op)
    assert record["kind"] == "none" and record.get("url", "") == ""
    assert record["request-id"] == header(arm.requests(name)[0], "x-ms-client-request-id")
    assert os.listdir(op.parent) == ["op"]
    mark = arm.mark()
    rekey.wait(op, code=12).says("rekey list-keys")
    assert op.exists() and arm.connections("main", mark) == []


def test_each_new_url_replaces_the_one_before(arm, rekey, op):
    name = arm.endpoint("adopt-url")
    arm.play(
        base="adopt-url",
        name=name,
        poll=[{**RUNNING, "headers": [["Azure-AsyncOperation", "{new_async}"], NOW]}, STALL],
    )
    process = rekey.start_regenerate(name, "--operation-file", op)
    arm.wait_for(name, "request", 2, "async")
    process.kill()
    assert fields(op)["url"].endswith(arm.requests(name, "async")[1]["target"])
    assert os.listdir(op.parent) == ["op"]


def test_a_repeated_post_renews_the_intent(arm, rekey, op):
    """The id in the file is that of the current POST, and an unsafe attempt is recorded."""
    name = arm.play(post=[error(500, NOW), STALL])
    process = rekey.start_regenerate(name, "--operation-file", op, "--retry-unsafe")
    arm.wait_for(name, "request", 2, "post")
    process.kill()
    assert fields(op)["request-id"] == header(
        arm.requests(name, "post")[1], "x-ms-client-request-id"
    )
    assert fields(op)["unsure"] == "yes"


# ---- when it is removed --------------------------------------------------------------------------


def test_removed_or_kept(arm, rekey, op):
    """Removed on exit 0 and 1, and if nothing was executed; kept on 12 and 13."""
    for scenario, code, kept in (
        ("three-polls", 0, False),
        ("ok-200", 0, False),
        ("failed", 1, False),
        ("http-409", 1, False),
        ("unauthorized", 14, False),
        ("poll-403", 12, True),
        ("http-500", 12, True),
        ("no-url", 12, True),
        ("other-host", 12, True),
        ("expire-while-polling", 13, True),
    ):
        rekey.regenerate(arm.endpoint(scenario), "--operation-file", op, code=code)
        assert os.listdir(op.parent) == (["op"] if kept else []), scenario
        op.unlink(missing_ok=True)


def test_not_even_begun_when_nobody_is_reached(arm, rekey, op):
    rekey.regenerate(
        arm.endpoint(), "--operation-file", op, "--timeout", "1", listener="closer", code=10
    )
    assert os.listdir(op.parent) == []


# ---- the file exists already, or cannot be written -----------------------------------------------


@pytest.mark.parametrize("content", ["", "anything"], ids=["empty", "text"])
def test_an_existing_file_is_never_overwritten(arm, rekey, op, content):
    op.write_text(content)
    mark = arm.mark()
    rekey.regenerate(arm.endpoint(), "--operation-file", op, code=2).says(
        str(op), "rekey wait", "remove it"
    )
    assert op.read_text() == content and os.listdir(op.parent) == ["op"]
    assert arm.connections("main", mark) == []


def test_a_dangling_link_is_not_followed(arm, rekey, op):
    op.symlink_to("nowhere")
    name = arm.endpoint()
    rekey.regenerate(name, "--operation-file", op, code=(2, 15))
    assert op.is_symlink() and os.listdir(op.parent) == ["op"] and arm.requests(name) == []


def test_a_file_that_appears_meanwhile_is_not_overwritten(arm, rekey, op, main_put_back, gate):
    """Two runs with one file at the same time: the second must not replace the first one's file."""
    arm.control(
        "PUT",
        "/scenario/@main",
        {
            "connect": [
                {"before_handshake": True, "cut": 0, "do_before": [gate.line], "then": "reset"}
            ]
        },
    )
    mark, name = arm.mark(), arm.endpoint()
    process = rekey.start_regenerate(name, "--operation-file", op)
    wait_until(lambda: arm.connections("main", mark, idle=0), "a connection")
    op.write_text("somebody else's\n")
    gate.open()
    result = rekey.finish(process, (2, 15), name)
    assert "exists" in result.err and "error -0x0000" not in result.err
    assert op.read_text() == "somebody else's\n" and arm.requests(name) == []
    assert os.listdir(op.parent) == ["op"]


@pytest.mark.parametrize("place", ["missing/op", "file/op", "."])
def test_a_place_that_cannot_be_written(arm, rekey, tmp_path, place):
    """The error comes before the POST: nothing is sent."""
    (tmp_path / "file").write_text("")
    name = arm.endpoint()
    rekey.regenerate(name, "--operation-file", tmp_path / place, code=(2, 15))
    assert arm.requests(name) == []


def test_a_directory_that_cannot_be_written(arm, rekey, namespace, op):
    """The directory is mounted read-only, so that the test also works for root."""
    folder = shlex.quote(str(op.parent))
    prefix = namespace("m", f"mount --bind {folder} {folder} && mount -o remount,bind,ro {folder}")
    name = arm.endpoint()
    rekey.regenerate(name, "--operation-file", op, prefix=prefix, code=15).says(
        "Read-only file system"
    )
    assert arm.requests(name) == []


@pytest.mark.parametrize("mode", [0o500, 0o300], ids=["not-writable", "not-readable"])
def test_nothing_is_left_in_a_directory_without_rights(arm, rekey, nobody, mode):
    """A file that stayed after exit 15 would say that a POST may have been sent."""
    folder, prefix = nobody
    name = arm.endpoint("three-polls")
    folder.chmod(mode)
    result = rekey.regenerate(name, "--operation-file", folder / "op", prefix=prefix, code=(0, 15))
    folder.chmod(0o700)
    assert os.listdir(folder) == []
    assert arm.counts(name) == ((1, 3) if result.code == 0 else (0, 0))


def test_a_full_disk(arm, rekey, namespace, op):
    """A file system of one page, which another file fills: nothing is sent, and no part of a file
    stays."""
    folder, listing = shlex.quote(str(op.parent)), rekey.directory / "listing"
    prefix = namespace(
        "m",
        f"mount -t tmpfs -o size=4k none {folder} && head -c 4096 /dev/zero > {folder}/other\n"
        f'"$@" || code=$?; ls {folder} > {shlex.quote(str(listing))}; exit ${{code:-0}}',
    )
    name = arm.endpoint()
    result = rekey.regenerate(name, "--operation-file", op, prefix=prefix, code=15)
    assert listing.read_text() == "other\n"
    result.says("No space left on device")
    assert arm.requests(name) == []


def test_a_disk_that_fills_up_after_the_post(arm, rekey, namespace, op):
    """docs/service.md 4.9: a later failure to save is reported, and the operation continues."""
    folder = shlex.quote(str(op.parent))
    prefix = namespace("m", f"mount -t tmpfs -o size=8k none {folder}")
    name = arm.play(
        post=[{**ACCEPTED, "headers": [["Azure-AsyncOperation", "{async:6000}"], NOW]}],
        poll=[RUNNING, DONE],
    )
    result = rekey.regenerate(name, "--operation-file", op, prefix=prefix, code=0)
    result.says("could not be saved", "No space left on device")


@pytest.mark.skipif(bool(EXEC), reason="the emulator writes files, too")
def test_the_remedy_if_no_url_was_saved(arm, rekey, op):
    """`rekey wait` is named only if the file has a URL, which can be an earlier one."""
    arguments = ["--operation-file", op, "--timeout", "3"]
    prefix = ["sh", "-c", 'ulimit -f 4; exec "$@"', "sh"]
    long = [["Azure-AsyncOperation", "{async:6000}"], NOW]
    name = arm.play(post=[{**ACCEPTED, "headers": long}], poll=[STALL])
    result = rekey.regenerate(name, *arguments, prefix=prefix, code=13)
    result.says("could not be saved", "`rekey wait` cannot continue", "no --operation-file has the")
    assert "to continue: " not in result.err and fields(op)["kind"] == "none"
    rekey.wait(op, code=12).says("the saved operation has no polling URL")
    op.unlink()
    long = [["Azure-AsyncOperation", "{new_async:6000}"], NOW]
    name = arm.play(post=[ACCEPTED], poll=[{**RUNNING, "headers": long}, STALL])
    result = rekey.regenerate(name, *arguments, prefix=prefix, code=13)
    result.says("could not be saved", "`rekey wait` continues the operation", "to continue: rekey")
    assert fields(op)["kind"] == "Azure-AsyncOperation"


# ---- rekey wait ----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", ["1", "2"])
def test_wait_saves_a_new_url(arm, rekey, left, op, number):
    """Whatever the format of the file that it read: all but the URL is as before."""
    new = {**RUNNING, "headers": [["Azure-AsyncOperation", "{new_async}"], NOW]}
    left(poll=[new, STALL])
    if number == "1":
        text = op.read_text().replace("rekey-operation 2", "rekey-operation 1")
        op.write_text(re.sub("(?m)^boot.*\n", "", text))
    before = fields(op)
    rekey.wait(op, "--timeout", "3", code=13).says("`rekey wait` continues the operation")
    after = fields(op)
    assert after.pop("url") != before.pop("url") and after.pop("rekey-operation") == "2"
    assert number == "2" or (after.pop("boot"), after.pop("boot-ms")) == ("none", "0")
    assert after == {name: value for name, value in before.items() if name != "rekey-operation"}


@pytest.mark.board
def test_wait_finishes(arm, rekey, left, op):
    name = left()
    result = rekey.wait(op, "-o", "json", name=name)
    assert (
        result.json["outcome"] == "succeeded"
        and result.json["keyType"] == "Primary"
        and result.json["polls"] == 2
    )
    assert not op.exists() and arm.keys(name)["regenerated"] == ["Primary"]
    assert arm.counts(name) == (1, 2)
    ids = {header(request, "x-ms-client-request-id") for request in arm.requests(name)}
    assert len(ids) == 1  # the polls of the second run carry the first one's id


@pytest.mark.parametrize("kind", ["signed_async", "signed_location"])
def test_a_signed_url_survives(arm, rekey, left, op, kind):
    field = "Azure-AsyncOperation" if kind == "signed_async" else "Location"
    name = left(post=[{**ACCEPTED, "headers": [[field, f"{{{kind}}}"]]}])
    rekey.wait(op, "-v", "--poll-interval", "0", name=name)
    assert arm.counts(name) == (1, 2)


def test_a_url_of_exactly_the_limit_survives(arm, rekey, left, op, limits):
    name = left(
        post=[
            {
                **ACCEPTED,
                "headers": [["Azure-AsyncOperation", f"{{async:{limits['REKEY_URL_MAX']}}}"]],
            }
        ]
    )
    rekey.wait(op, "--poll-interval", "0", name=name)
    assert arm.counts(name) == (1, 2)


@pytest.mark.board
def test_a_kill_during_a_poll(arm, rekey, op):
    name = arm.play(post=[ACCEPTED], poll=[RUNNING, STALL, RUNNING, DONE])
    process = rekey.start_regenerate(name, "--operation-file", op)
    arm.wait_for(name, "request", 2, "async")
    process.kill()
    assert process.popen.returncode == -signal.SIGKILL
    rekey.wait(op, name=name)
    assert not op.exists() and arm.counts(name) == (1, 4)


@pytest.mark.parametrize(
    "poll, code, kept",
    [
        ({"status": 200, "body": {"status": "Failed", "error": {"code": "TheCode"}}}, 1, False),
        (error(403), 12, True),
        (error(401), 13, True),
        ({"status": 200, "body": "?"}, 12, True),
    ],
)
def test_other_ends_of_a_wait(arm, rekey, left, op, poll, code, kept):
    left(poll=[poll])
    rekey.wait(op, code=code)
    assert op.exists() == kept


@pytest.mark.parametrize("status", [403, 404])
def test_a_wait_that_is_refused_speaks_of_the_identity(arm, rekey, left, op, status):
    """docs/service.md 4.9: on resuming, 403 or 404 also says that another identity may be in use."""
    left(poll=[error(status, NOW)])
    rekey.wait(op, code=12).says("identity")


def test_a_failure_after_a_remembered_attempt_stays_unknown(arm, rekey, op):
    """The file carries what the first run recorded."""
    failed = {"status": 200, "body": {"status": "Failed"}}
    name = arm.play(post=[error(500, NOW), ACCEPTED], poll=[failed])
    rekey.regenerate(name, "--retry-unsafe", "--no-wait", "--operation-file", op, code=13)
    rekey.wait(op, code=12, name=name)


# docs/service.md 7.2: a polling URL exists, so a failure on our side ends with 13; 10, 11 and 14
# are for failures before the POST.
OUR_SIDE = {
    "no-token": {"token": None},
    "empty-token": {"token": None, "env": {"AZURE_ACCESS_TOKEN": ""}},
    "no-token-file": {"token": None, "arguments": ["--token-file", "/nonexistent"]},
    "no-anchors": {"arguments": ["--ca-file", "/nonexistent"]},
    "network": {"listener": "closer", "arguments": ["--timeout", "1"]},
}


@pytest.mark.parametrize("what", OUR_SIDE)
def test_a_failure_on_our_side_while_waiting_is_13(arm, rekey, left, op, main_put_back, what):
    more = dict(OUR_SIDE[what])
    name = left()
    arguments = more.pop("arguments", [])
    if more.pop("listener", None):
        arm.control("PUT", "/listener/main?state=down")
    rekey.wait(op, *arguments, code=13, **more)
    assert op.exists() and arm.counts(name) == (1, 0)


def test_an_untrusted_server_while_waiting_is_13(arm, rekey, left, op, main_put_back):
    name = left()
    arm.control("PUT", "/certificate/main?name=unknown")
    rekey.wait(op, code=13, name=name).says("captive portal?")
    assert op.exists()


def test_an_intent_is_12_even_without_a_token(arm, rekey, op):
    """docs/service.md 7.2: after the POST began, a missing token does not mean `nothing was
    executed`."""
    process = rekey.start_regenerate(name := arm.play(post=[STALL]), "--operation-file", op)
    arm.wait_for(name, "request")
    process.kill()
    rekey.wait(op, code=12, token=None)
    assert op.exists()


def edit(op, old, new):
    text = op.read_text()
    assert old in text
    op.write_text(text.replace(old, new))


# What happens to the file, and the exit code. In every case nothing is sent, and the file stays.
DAMAGES = {
    "empty": (lambda op: op.write_text(""), 12),
    "half": (lambda op: op.write_text(op.read_text()[:-40]), 12),
    "no-end": (lambda op: edit(op, "\nend\n", "\n"), 12),
    "a-line-missing": (lambda op: op.write_text(re.sub("kind .*\n", "", op.read_text())), 12),
    "a-line-too-many": (lambda op: edit(op, "\nend\n", "\nmore\nend\n"), 12),
    "unknown-kind": (lambda op: edit(op, "Azure-AsyncOperation", "Azure-SyncOperation"), 12),
    "short-request-id": (
        lambda op: op.write_text(re.sub("request-id .", "request-id ", op.read_text())),
        12,
    ),
    "kind-without-url": (lambda op: op.write_text(re.sub("url .*", "url ", op.read_text())), 12),
    "not-a-record": (lambda op: op.write_bytes(bytes(range(256)) * 40), 12),
    "too-long": (lambda op: op.write_text(op.read_text() + "x" * 100000), 12),
    "another-format": (
        lambda op: edit(op, "rekey-operation 2\n", "rekey-operation 999\n"),
        (12, 15),
    ),
    "an-escape": (lambda op: edit(op, "key-type P", "key-type \x1b[31mP"), 12),
    "a-carriage-return": (
        lambda op: op.write_bytes(re.sub(b"request-id .", b"request-id \r", op.read_bytes())),
        12,
    ),
    "a-directory": (lambda op: (op.unlink(), op.mkdir()), 15),
    "a-pipe": (lambda op: (op.unlink(), os.mkfifo(op)), 15),
    "a-link": (lambda op: (op.unlink(), op.symlink_to("elsewhere")), 15),
}


def test_damaged_files(arm, rekey, left, op):
    left()
    good, mark = op.read_text(), arm.mark()
    for damage, (change, code) in DAMAGES.items():
        op = op.with_name(f"{damage}.op")
        op.write_text(good)
        change(op)
        result = rekey.wait(op, code=code)
        assert ".op'" in result.err and os.path.lexists(op), damage
    assert arm.connections("main", mark) == []


def test_a_record_that_leads_elsewhere(arm, rekey, left, op):
    """The host is compared with the configured management host, never with the one in the
    record."""
    left()
    mark = arm.mark()
    for url in (
        "https://localhost:{forbidden-tls}/x",
        "https://127.0.0.2:{main}/x",
        "http://localhost:{forbidden}/x",
        "https://user@localhost:{main}/x",
        "https://localhost:{main}\\@127.0.0.1:{forbidden-tls}/x",
        "/x",
        "https://localhost:{main}/" + "x" * 9000,
    ):
        op.write_text(
            re.sub("url .*", lambda _: "url " + url.format_map(arm.ports), op.read_text())
        )
        rekey.wait(op, code=12)
        assert op.exists(), url
    assert arm.forbidden(mark) == [] and arm.connections("main", mark) == []


def test_a_record_of_another_management_host(arm, rekey, left, op):
    """The record and its URL agree with each other, but not with the option: nothing is sent."""
    left()
    mark = arm.mark()
    rekey.wait(op, "--management-url", arm.url("forbidden-tls"), code=12)
    assert arm.forbidden(mark) == [] and arm.connections("main", mark) == []


def test_no_such_directory(rekey):
    rekey.wait("nothing/op", code=2).says("'nothing/op'", "No such file")


@pytest.mark.parametrize("place", ["op", "./op", "folder/op", "folder//op", "{}/op"])
def test_nothing_to_wait_for(arm, rekey, place):
    """The command runs after each restart. Usually there is no operation, and then no host is
    contacted."""
    (rekey.directory / "folder").mkdir()
    file, mark = place.format(rekey.directory), arm.mark()
    rekey.wait(file).says(f"nothing to wait for: there is no '{file}'")
    value = rekey.wait(file, "-o", "json", "-q").json
    assert value["outcome"] == "succeeded" and value["httpStatus"] is None and value["polls"] == 0
    assert arm.connections("main", mark) == []


@pytest.mark.parametrize("place", ["folder", "folder/", "file/op", "missing/op", "link", "gone/op"])
def test_a_path_without_an_operation_is_not_a_success(rekey, place):
    """A wrong path, or a file system that is not mounted, may hide an operation."""
    (rekey.directory / "folder").mkdir()
    (rekey.directory / "file").touch()
    (rekey.directory / "link").symlink_to("nowhere")
    (rekey.directory / "gone").symlink_to("nowhere")
    rekey.wait(place, code=(2, 12, 15)).says(f"'{place}'")


# ---- the line that --no-wait prints --------------------------------------------------------------


def printed_line(result):
    lines = [line for line in result.lines if "rekey wait --operation-file" in line]
    assert len(lines) == 1
    return lines[0][lines[0].index("rekey wait --operation-file") :]


def run_as_printed(rekey, line, env):
    """Runs the line in a shell, in the directory of the first run, with the command in PATH."""
    folder = rekey.directory / "bin"
    folder.mkdir()
    (folder / "rekey").write_text(f'#!/bin/sh\nexec {shlex.join([*EXEC, str(REKEY)])} "$@"\n')
    (folder / "rekey").chmod(0o755)
    return subprocess.run(
        ["sh", "-c", line],
        cwd=rekey.directory,
        timeout=60,
        stderr=subprocess.PIPE,
        env={"PATH": f"{folder}:{os.environ['PATH']}", **env},
    )


@pytest.mark.parametrize(
    "file, ca",
    [("op", "ca.pem"), ('a b/it\'s $HOME `x`; "q" \\ *.op', "my 'own' ca.pem")],
    ids=["plain", "quoted"],
)
def test_the_line_runs_as_it_is_printed(arm, rekey, file, ca):
    path = rekey.directory / file
    path.parent.mkdir(exist_ok=True)
    (rekey.directory / ca).write_bytes((CERTS / "ca.pem").read_bytes())
    name = arm.play(post=[ACCEPTED], poll=[RUNNING, DONE])
    result = rekey.regenerate(name, "--no-wait", "--operation-file", file, "--ca-file", ca, code=13)
    assert path.exists()
    run = run_as_printed(rekey, printed_line(result), {"AZURE_ACCESS_TOKEN": TOKEN})
    assert run.returncode == 0, run.stderr.decode()
    assert not path.exists() and arm.counts(name) == (1, 2)


def test_the_line_names_the_token_file(arm, rekey):
    (rekey.directory / "my token").write_text(TOKEN)
    name = arm.play(post=[ACCEPTED], poll=[RUNNING, DONE])
    result = rekey.regenerate(
        name, "--no-wait", "--operation-file", "op", "--token-file", "my token", token=None, code=13
    )
    run = run_as_printed(rekey, printed_line(result), {})
    assert run.returncode == 0, run.stderr.decode()


def test_no_wait_without_a_file_prints_no_line(arm, rekey):
    """There is no file for `rekey wait` to read."""
    result = rekey.regenerate(arm.endpoint("forever"), "--no-wait", code=13)
    assert "rekey wait --operation-file" not in result.err and "cannot continue" in result.err


def test_no_wait_of_an_operation_that_ends_at_once(arm, rekey, op):
    rekey.regenerate(arm.endpoint("ok-200"), "--no-wait", "--operation-file", op)
    assert not op.exists()


def test_no_wait_stops_before_the_first_poll(arm, rekey, left, op):
    assert arm.counts(left()) == (1, 0)


def test_a_wait_without_the_management_url(arm, rekey, left, op):
    left()
    mark = arm.mark()
    more = ["--ca-file", CERTS / "ca-all.pem"]
    result = rekey.run("wait", "--operation-file", op, *more, code=12)
    result.says(f"give --management-url https://localhost:{arm.ports['main']}")
    assert arm.connections("main", mark) == [] and op.exists()


def test_the_line_to_continue_names_the_identity(arm, rekey, op):
    name = arm.play(post=[ACCEPTED])
    more = ["--auth", "token", "--cloud", "usgov", "--no-wait", "--operation-file", op]
    rekey.regenerate(name, *more, code=13).says("--cloud 'usgov' --auth 'token'")


@pytest.mark.skipif(bool(EXEC), reason="the emulator writes files, too")
def test_a_limit_on_the_size_of_files(arm, rekey, op):
    """ulimit -f, LimitFSIZE: by default it causes a signal, after which nobody would know what was
    started."""
    name = arm.endpoint()
    prefix = ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh"]
    result = rekey.regenerate(name, "--operation-file", op, prefix=prefix, code=15)
    result.says("File too large")
    assert arm.counts(name) == (0, 0) and not op.exists()
