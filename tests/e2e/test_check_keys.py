"""`regenerate --check-keys`: the keys are listed before and after the POST. If a key differs, the
unknown outcome becomes a success by comparison. If it does not, that proves nothing
(docs/service.md 7.3)."""

from conftest import EXEC, error

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
    result.says("which counts as success (somebody else may have changed it)")
    assert result.word == "succeeded" and not file.exists()


def test_unknown_and_not_changed_stays_unknown(arm, rekey, tmp_path):
    name, file = arm.play(post=[{"cut": 0, "then": "reset"}], execute="never"), tmp_path / "operation"
    result = check(rekey, name, "--operation-file", str(file), code=12)
    result.says("unchanged, but the list may be out of date: the key may have been regenerated")
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
