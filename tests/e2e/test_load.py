"""Rotations under load: an application that scores with the key in the key file is never refused,
and a gateway that follows a rotator never holds a refused key once it has run.

The application does what docs/rotation.md tells one to do: it reads the key file again when the
file has changed. If a key is refused nevertheless, it reads the file and tries once more, because
the file may have changed during the request."""

import http.client
import ssl
import threading
import time

import pytest

from conftest import CERTS, wait_until

ROTATIONS = 50
INTERVAL = 0.01


class Application(threading.Thread):
    """Scores every 10 ms over one connection until it is stopped; its last request comes after
    that."""

    def __init__(self, arm, name, path):
        super().__init__()
        self.path, self.halt, self.failure = path, threading.Event(), None
        self.scored = self.refused = self.repeated = 0
        self.key, self.stamp = None, None
        self.url = f"/endpoints/{name}/score"
        context = ssl.create_default_context(cafile=CERTS / "ca.pem")
        port = arm.ports["scoring"]
        self.connection = http.client.HTTPSConnection("localhost", port, context=context)

    def read(self):
        """Reads the key if the file is not the same as before."""
        seen = self.path.stat()
        stamp = (seen.st_ino, seen.st_mtime_ns)
        if stamp != self.stamp:
            self.stamp, self.key = stamp, self.path.read_text()

    def accepted(self):
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        self.connection.request("POST", self.url, b"{}", headers)
        answer = self.connection.getresponse()
        answer.read()
        assert answer.status in (200, 401), answer.status
        return answer.status == 200

    def score(self):
        self.read()
        self.scored += 1
        if not self.accepted():
            self.repeated += 1
            self.read()
            if not self.accepted():
                self.refused += 1

    def run(self):
        try:
            while not self.halt.wait(INTERVAL):
                self.score()
            self.score()
        except Exception as error:  # set by the test
            self.failure = error
        finally:
            self.connection.close()

    def stop(self):
        self.halt.set()
        self.join()
        assert self.failure is None, self.failure


@pytest.fixture
def application(arm, tmp_path):
    """A function that starts an application."""
    started = []

    def start(name, path):
        started.append(Application(arm, name, path))
        started[-1].start()
        return started[-1]

    yield start
    for each in started:
        each.halt.set()
        each.join()


# A delay at the service, and how rekey makes sure that a key is accepted before it activates the
# key.
VARIANTS = {
    "at-once": ({}, ["--settle", "0"], ROTATIONS),
    "probe": ({"accept_after": 0.3}, ["--probe", "--poll-interval", "1"], 8),
    "settle": ({"accept_after": 0.5}, ["--settle", "1"], 8),
    "probe-stale": (
        {"accept_after": 0.3, "stale_lists": 1, "base": "three-polls"},
        ["--probe", "--poll-interval", "1"],
        4,
    ),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_rotations_under_load(arm, rekey, application, capsys, variant):
    scenario, arguments, rotations = VARIANTS[variant]
    name = arm.play(**scenario)
    rekey.rotate(name)
    one = application(name, rekey.directory / "state/key")
    for number in range(rotations):
        scored = one.scored
        rekey.rotate(name, *arguments)
        wait_until(lambda: one.scored >= scored + 2 or one.failure, "requests meanwhile")
        assert len(arm.keys(name)["regenerated"]) == number + 1
    one.stop()
    assert one.refused == 0, f"{one.refused} of {one.scored} requests were refused"
    assert one.scored >= 2 * rotations
    with capsys.disabled():
        print(
            f"\n{variant}: {rotations} rotations, {one.scored} requests, {one.repeated} repeated,"
            " none refused"
        )


def test_the_application_can_be_refused(arm, rekey, application):
    """A control for the test above: a key that is activated before it is accepted is refused."""
    name = arm.play(accept_after=2)
    rekey.rotate(name)
    one = application(name, rekey.directory / "state/key")
    rekey.rotate(name)
    wait_until(lambda: one.refused > 0 or one.failure, "a refusal")
    one.stop()


@pytest.mark.parametrize("first", ["primary", "secondary"])
def test_a_rotator_and_a_gateway_that_follows(arm, rekey, application, capsys, first):
    """The documented intervals, scaled down: the other gateway runs at least twice within the
    rotator's --min-age (here three times in 2 s). It may continue to use a key that the rotator has
    replaced; that key is accepted until the rotator regenerates it, --min-age later. So its
    application is never refused: from the first run on if that run read the key that the rotator
    uses, otherwise from the first run after the first rotation."""
    min_age, rotations = 2, 3
    folders = {each: rekey.directory / each for each in ("rotator", "gateway")}
    for folder in folders.values():
        folder.mkdir()

    def run_both(*more):
        rekey.rotate(name, *more, state=folders["rotator"])
        rekey.sync(name, state=folders["gateway"])

    name = arm.play()
    rekey.rotate(name, state=folders["rotator"])
    rekey.sync(name, "--key-type", first, state=folders["gateway"])
    if first == "secondary":
        run_both()
    applications = [application(name, folder / "key") for folder in folders.values()]
    done, due = len(arm.keys(name)["regenerated"]), time.monotonic()
    while len(arm.keys(name)["regenerated"]) < done + rotations:
        run_both("--min-age", str(min_age))
        due += min_age / 3
        wait_until(lambda: time.monotonic() >= due, "the next run of the timers")
    for each in applications:
        each.stop()
        assert each.refused == 0
    keys = arm.keys(name)
    held = {(folder / "key").read_text() for folder in folders.values()}
    assert held <= {keys["primaryKey"], keys["secondaryKey"]}
    with capsys.disabled():
        print(
            f"\na rotator and a gateway that began with {first}: {rotations} rotations,"
            f" {' and '.join(str(each.scored) for each in applications)} requests, none refused"
        )
