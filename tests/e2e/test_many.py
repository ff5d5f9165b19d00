"""Many clients in one thread, each with its own TLS connection and trust anchors: as many as fit
into the one arena of mbedTLS's owner, or fifty over the heap of a guest."""

import re
import subprocess

import pytest
from conftest import BUILD, CERTS, ENVIRONMENT, EXEC, GUEST, SLOW, TOKEN


def run(arm, count, listener="main"):
    names = [arm.endpoint("three-polls"), arm.endpoint(), arm.endpoint()]
    before = arm.keys(names[0])
    done = subprocess.run(
        [*EXEC, BUILD / "many", "localhost", str(arm.ports[listener]), CERTS / "ca.pem"]
        + [str(count), *names],
        env={**ENVIRONMENT, "TOKEN": TOKEN},
        capture_output=True,
        text=True,
        timeout=60 * SLOW,
    )
    print(done.stdout)
    return done, arm.keys(names[0])["primaryKey"] != before["primaryKey"]


@pytest.mark.board
@pytest.mark.parametrize("listener", ["main", "tls12"])
def test_two_at_once(arm, listener):
    """One regenerates a key, the other lists its keys; neither takes arena memory that the other
    needs."""
    done, changed = run(arm, 2, listener)
    assert done.returncode == 0 and "succeeded: 2 of 2" in done.stdout and changed, done


def small_arena():
    """With 32 bits the largest arena has 128 KB, enough for two connections at the same time."""
    many = BUILD / "many"
    return not GUEST and many.exists() and many.read_bytes()[4] == 1  # EI_CLASS: ELFCLASS32


@pytest.mark.skipif(small_arena(), reason="two fit into an arena of 128 KB, and are tried above")
@pytest.mark.parametrize("count", [50 if GUEST else 6])
def test_many_at_once(arm, count):
    done, changed = run(arm, count)
    assert (
        done.returncode == 0 and f"succeeded: {count} of {count}" in done.stdout and changed
    ), done


@pytest.mark.skipif(small_arena(), reason="of eight in an arena of 128 KB none gets through")
@pytest.mark.skipif(GUEST, reason="the C library's heap does not end")
def test_more_than_the_arena_has(arm):
    """Some of the clients end, with an error that says how much would have been needed; the others
    are not disturbed. The client that regenerates a key may end after its POST: outcome unknown."""
    done, _ = run(arm, 8)
    good = int(re.search(r"succeeded: (\d+) of 8", done.stdout)[1])
    failed = re.findall(r"(?m)^\d+: (.*)$", done.stdout)
    assert done.returncode == 1 and 0 < good < 8 and len(failed) == 8 - good, done.stdout
    assert sum("outcome 12" in line for line in failed) <= 1, done.stdout
    for line in failed:
        assert re.match("outcome 1[25] limit: TLS needs more memory", line), line
        needed = int(re.search(r"at least (\d+) bytes are needed", line)[1])
        assert 32767 * 8 < needed < 320_000, line  # REKEY_ARENA_MAX
