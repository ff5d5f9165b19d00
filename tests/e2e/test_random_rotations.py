"""Random rotations with the real command: failures of the network and the service, clock changes,
signals and rollbacks occur at random, and another gateway follows. Whenever a key changes, the
stand-in itself looks at the key files: a slot whose key is in one of them must never be
regenerated.

REKEY_ROTATIONS is the total number of regenerations; REKEY_SEED repeats a run."""

import concurrent.futures
import os
import random
import signal

import pytest

from conftest import ALL, DONE, EXEC, NOW, RUNNING, SANITIZED, SEED

pytestmark = pytest.mark.skipif(
    bool(EXEC) or SANITIZED, reason="the clock of a command under an emulator cannot be shifted"
)

ROTATIONS = int(os.environ.get("REKEY_ROTATIONS", "200" if ALL else "24"))
GATEWAYS = 12  # at the same time: most of the time is waiting
TIMEOUT = 4  # seconds; a list may be stale for half of that time
CODES = (0, 1, 2, 10, 11, 12, 13, 15)  # 11: the clock was set to a time before the build
LOST = {"cut": 0, "then": "reset"}
ACCEPTED = {"status": 202, "headers": [["Location", "{location}"], NOW], "body": ""}
LATER = {"status": 429, "headers": [["Retry-After", "1"]]}
LIST = {"status": 200, "body": "{keys}"}

# The service's reaction to a regeneration, its weight, and when the key changes.
SERVICES = [
    (8, {}),
    (4, {"post": [ACCEPTED], "execute": "post"}),
    (4, {"post": [ACCEPTED], "execute": "success", "poll": [RUNNING, DONE]}),
    (3, {"post": [LOST], "execute": "post"}),
    (3, {"post": [LOST, {"status": 200}], "execute": "never"}),
    (3, {"post": [LOST], "execute": {"after": 1.5}}),
    (2, {"post": [{"status": 500}], "execute": "post"}),
    (2, {"post": [{"status": 403}], "execute": "never"}),
    (2, {"post": [LATER, {"status": 200}]}),
    (2, {"post": [ACCEPTED], "execute": "first-poll", "poll": [{"cut": 0, "then": "reset"}]}),
    (2, {"list": [LIST, {"status": 503}, LIST]}),
]


class Gateway:
    """A rotator and a follower of one endpoint."""

    def __init__(self, arm, rekey, preload, seed):
        self.arm, self.rekey, self.preload = arm, rekey, preload
        self.random, self.done = random.Random(seed), []
        self.name = arm.endpoint()
        self.rotator = rekey.directory / f"{self.name}-rotator"
        self.follower = rekey.directory / f"{self.name}-follower"
        for state in (self.rotator, self.follower):
            state.mkdir()
        arm.control("PUT", f"/watch/{self.name}", [str(s / "key") for s in (self.rotator, self.follower)])

    def run(self, command, state, *arguments, hurt=True):
        """One run, which may be stopped or killed at any time, and whose clock may have any
        value."""
        signals = [None] * 6 + [signal.SIGTERM] * 2 + [signal.SIGKILL] * 2
        what = self.random.choice(signals) if hurt else None
        shift = self.random.choice([0, 0, 0, 7200, -7200, 86400 * 30]) if hurt else 0
        more = ["--timeout", str(TIMEOUT), "--exec", "/bin/true"]
        more += ["--settle", "2"] if command == "sync" else ["--poll-interval", "1"]
        process = self.rekey.start_switch(
            command, self.name, *more, *arguments, state=state, env=self.preload("clock", CLOCK_SHIFT=str(shift))
        )
        if what is not None:
            try:
                process.popen.wait(self.random.uniform(0, 2))
            except Exception:  # it is still running
                process.popen.send_signal(what)
        result = process.end()
        self.done.append((command, arguments, what, shift, result.code, result.err))
        # A signal may come before the run has begun anything.
        assert result.code in CODES or (what and result.code == -what), self.story()
        return result.code

    def until_done(self, command, state, *arguments):
        """Nothing disturbs these runs: one of the first few must succeed."""
        for _ in range(4):
            if self.run(command, state, *arguments, hurt=False) == 0:
                return
        raise AssertionError(self.story())

    def story(self):
        return "\n".join(str(each) for each in self.done[-8:])

    def play(self, scenario):
        lag = self.random.choice([0, 0, 0.7, 1.2])
        self.arm.play(name=self.name, stale_for=lag, **scenario)

    def rounds(self, count):
        self.until_done("rotate", self.rotator)
        self.until_done("sync", self.follower, "--key-type", "primary")
        while len(self.arm.keys(self.name)["regenerated"]) < count:
            weights, scenarios = zip(*SERVICES)
            made = len(self.arm.keys(self.name)["regenerated"])
            back = False
            # The follower must have followed before a second rotation begins, and before a rotation
            # after a rollback begins. Usually --min-age ensures that; here it is 0.
            while not back and len(self.arm.keys(self.name)["regenerated"]) == made:
                self.play(self.random.choices(scenarios, weights)[0])
                back = self.random.random() < 0.2 and (self.rotator / "key.previous").exists()
                self.run("rotate", self.rotator, *(["--rollback"] if back else []))
                self.check()
            self.arm.play(name=self.name)
            self.until_done("rotate", self.rotator, "--min-age", "86400")
            self.run("sync", self.follower)
            self.check()
            self.until_done("sync", self.follower)
            if (self.follower / "key").read_text() != (self.rotator / "key").read_text():
                self.until_done("rotate", self.follower, "--rollback")
            self.check()
        return len(self.arm.keys(self.name)["regenerated"])

    def check(self):
        keys = self.arm.keys(self.name)
        accepted = (keys["primaryKey"], keys["secondaryKey"])
        assert keys["violations"] == [], f"{keys['violations']}\n{self.story()}"
        for state in (self.rotator, self.follower):
            path = state / "key"
            assert not path.exists() or path.read_text() in accepted, f"{state}\n{self.story()}"


@pytest.mark.sweep(1)
def test_random_rotations(arm, rekey, preload):
    print(f"REKEY_SEED={SEED}")
    each = -(-ROTATIONS // GATEWAYS)
    with concurrent.futures.ThreadPoolExecutor(GATEWAYS) as pool:
        gateways = [Gateway(arm, rekey, preload, SEED + i) for i in range(GATEWAYS)]
        made = list(pool.map(lambda gateway: gateway.rounds(each), gateways))
    runs = sum(len(gateway.done) for gateway in gateways)
    print(f"{sum(made)} regenerations in {runs} runs: the keys in use were accepted all the time")
    assert sum(made) >= ROTATIONS
