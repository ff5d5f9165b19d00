"""`regenerate --check-keys`: the keys are listed before and after the POST. If a key differs, the
unknown outcome becomes a success by comparison. If it does not, that proves nothing
(docs/service.md 7.3)."""

import json

import pytest

from conftest import ACCEPTED, EXEC, RUNNING, error

STALL = {"cut": 0, "then": "stall"}


def check(rekey, name, *arguments, **more):
    return rekey.regenerate(name, "--check-keys", *arguments, **more)


def test_a_success_is_seen(arm, rekey):
    name = arm.endpoint("ok-200")
    check(rekey, name).says("--check-keys: the key has changed")
    assert [each["kind"] for each in arm.requests(name)] == ["list", "post", "list"]


def test_unknown_and_changed_is_a_success_by_comparison(arm, rekey, tmp_path):
    name, file = arm.play(post=[{"cut": 0, "then": "reset"}], execute="post"), tmp_path / "operation"
    result = check(rekey, name, "--operation-file", str(file), code=0)
    result.says("which counts as success (somebody else may have changed it, or the first list was")
    assert result.word == "succeeded" and not file.exists()


@pytest.mark.parametrize(
    "scenario, why",
    [
        ({"post": [{"cut": 0, "then": "reset"}]}, "the connection broke: Connection reset by peer"),
        ({"post": [ACCEPTED], "poll": [RUNNING, *4 * [error(404)]]}, "the service no longer knows the operation"),
        ({"post": [{"status": 500}]}, "the service answered with an error, and may have executed the request"),
    ],
)
def test_a_success_by_comparison_does_not_look_confirmed(arm, rekey, scenario, why):
    """The report has neither the status nor the HTTP status of the answer that proved nothing."""
    name = arm.play(**scenario, execute="post")
    result = check(rekey, name, "--poll-interval", "0", "-o", "json")
    result.says(f"error: {why} (localhost:", "By comparison: the Primary key was regenerated")
    report = json.loads(result.out)
    assert report["outcome"] == "succeeded" and report["status"] == "By comparison"
    assert report["error"] is None and report["httpStatus"] is None


def test_a_first_list_that_is_out_of_date(arm, rekey):
    """It cannot be told from a regeneration by this run, and the line says so."""
    name = arm.play()
    arm.regenerate(name, "Primary")
    lists = [{"status": 200, "body": "{keys_before}"}, {"status": 200, "body": "{keys}"}]
    arm.play(name=name, list=lists, post=[{"cut": 0, "then": "reset"}], execute="never")
    check(rekey, name).says("or the first list was out of date", "By comparison: ")
    assert arm.keys(name)["regenerated"] == ["Primary"]


def test_unknown_and_not_changed_stays_unknown(arm, rekey, tmp_path):
    name, file = arm.play(post=[{"cut": 0, "then": "reset"}], execute="never"), tmp_path / "operation"
    result = check(rekey, name, "--operation-file", str(file), code=12)
    result.says("unchanged, but the list may be out of date: the key may have been regenerated")
    assert result.err.count("error: ") == 1 and "error: the connection broke: Connection" in result.err
    assert file.exists()


def test_nothing_is_sent_if_the_keys_cannot_be_listed(arm, rekey):
    name = arm.play(list=[{"status": 403}], post=[{"status": 200}])
    result = check(rekey, name, code=1)
    assert result.word == "refused" and arm.counts(name)[0] == 0


def test_a_list_that_fails_afterwards_changes_nothing(arm, rekey):
    name = arm.play(list=[{"status": 200, "body": "{keys}"}, {"status": 403}], post=[{"status": 200}])
    check(rekey, name).says("could not be listed afterwards")


def test_verbose_shows_each_request_as_it_was(arm, rekey):
    name = arm.endpoint("three-polls")
    result = check(rekey, name, "-v")
    requests = [line for line in result.lines if line.startswith("rekey: > ")]
    host = f"https://localhost:{arm.ports['main']}"
    assert requests == [
        f"rekey: > {each['method']} {host}"
        + (each["target"] if each["method"] == "POST" else each["target"].partition("?")[0])
        for each in arm.requests(name)
    ]


def test_the_timeout_is_for_all_of_it(arm, rekey):
    late = error(429, ["Retry-After", "3"])
    keys = {"status": 200, "body": "{keys}"}
    name = arm.play(list=[late, keys, STALL], post=[{"status": 200}])
    result = check(rekey, name, "--timeout", "5")
    result.says("could not be listed afterwards", "the deadline")
    assert result.seconds < 7 or EXEC
