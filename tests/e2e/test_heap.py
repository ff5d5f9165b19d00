"""Nothing on the heap: an interposed malloc family (heap.so) counts calls in the running command,
and the names to which the objects in the archives refer are checked."""

import re
import shutil
import subprocess

import pytest

from conftest import BUILD, CERTS, NOW, error

FAMILY = (
    "malloc calloc realloc reallocarray free memalign posix_memalign aligned_alloc valloc pvalloc "
    "cfree strdup strndup asprintf vasprintf getline getdelim open_memstream sbrk brk"
).split()

CONTROL = """
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
    int calls = argc > 1 ? atoi(argv[1]) : 0;

    for (int i = 0; i < calls; i++) {
        void *volatile p = i % 3 == 0 ? malloc(10) : i % 3 == 1 ? calloc(2, 5) : strdup("text");

        if (p == NULL) {
            return 1;
        }
    }
    if (fork() == 0) { /* what a child does is not counted */
        void *volatile p = malloc(10);

        exit(p == NULL);
    }
    wait(NULL);
    if (argc > 2) {
        exit(0);
    }
    return 0;
}
"""


@pytest.fixture
def count(preload, tmp_path):
    """A function that gives the environment for a run, and a function that returns the count."""
    report = tmp_path / "heap"

    def counted():
        return int(re.fullmatch(r"heap allocations: (\d+)\n", report.read_text())[1])

    return preload("heap", HEAP_REPORT=str(report)), counted


def test_the_counter_counts(count, tmp_path):
    """A control: a program that uses the heap, and ends by return or by exit."""
    environment, counted = count
    (tmp_path / "control.c").write_text(CONTROL)
    subprocess.run(
        [shutil.which("cc") or "gcc", "-O0", "-o", "control", "control.c"], cwd=tmp_path, check=True
    )
    for arguments in (["0"], ["1"], ["7"], ["3", "exit"]):
        subprocess.run([tmp_path / "control", *arguments], env=environment, check=True)
        assert counted() == int(arguments[0])


RUNS = {
    "three-polls": ("three-polls", 0, []),
    "signed": ("signed", 0, ["--poll-interval", "0", "-v", "-o", "json"]),
    "repeated": ("http-503-retry", 0, []),
    "refused": ("http-400", 1, []),
    "unknown": ("reset-after-post", 12, []),
    "operation-file": ("three-polls", 0, ["--operation-file", "op"]),
    "no-wait": ("three-polls", 13, ["--no-wait", "--operation-file", "op"]),
}


@pytest.mark.parametrize("run", RUNS)
def test_regenerate(arm, rekey, count, run):
    """From main to exit, including name lookup, which happens in a child."""
    environment, counted = count
    scenario, code, arguments = RUNS[run]
    rekey.regenerate(arm.endpoint(scenario), *arguments, env=environment, code=code)
    assert counted() == 0


def test_many_handshakes(arm, rekey, count):
    environment, counted = count
    close = ["Connection", "close"]
    name = arm.play(post=[error(429, NOW, close)] * 3 + [{"status": 200}])
    rekey.regenerate(name, env=environment, listener="tls12-noticket")
    assert counted() == 0 and len(arm.handshakes(name)) == 4


@pytest.mark.parametrize("arguments", [[], ["-o", "json"]])
def test_list_keys(arm, rekey, count, arguments):
    environment, counted = count
    rekey.list_keys(arm.endpoint(), *arguments, env=environment)
    assert counted() == 0


@pytest.mark.parametrize("listener", ["unknown", "expired"])
def test_a_certificate_that_is_not_trusted(arm, rekey, count, listener):
    environment, counted = count
    rekey.regenerate(arm.endpoint(), env=environment, listener=listener, code=11)
    assert counted() == 0


def test_a_large_bundle(arm, rekey, count):
    environment, counted = count
    rekey.regenerate(arm.endpoint(), "--ca-file", CERTS / "bundle.pem", env=environment)
    assert counted() == 0


def test_without_an_operation(rekey, count):
    environment, counted = count
    for argument, code in (("--help", 0), ("--version", 0), ("frobnicate", 2)):
        assert rekey.start(argument, env=environment).end().code == code
        assert counted() == 0


@pytest.mark.parametrize("archive", ["librekey.a", "libmbedtls.a"])
def test_no_object_refers_to_the_heap(archive):
    """Our objects and our build of mbedTLS; the names as the linker sees them."""
    # Not nm: with link-time optimization it would show the names from before the optimization.
    tool = shutil.which("readelf") or pytest.skip("there is no readelf")
    text = subprocess.run([tool, "-sW", BUILD / archive], stdout=subprocess.PIPE, check=True).stdout
    names = re.findall(r" UND (\w+)$", text.decode(), re.M)
    assert "memcmp" in names  # names were listed at all
    assert [name for name in names if name in FAMILY] == []
