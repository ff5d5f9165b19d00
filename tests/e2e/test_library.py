"""What `make install-library` leaves, as an application meets it: archives, headers, pkg-config."""

import re

from conftest import CERTS, GROUP, ROOT, SUBSCRIPTION, TOKEN, WORKSPACE
from making import FOR_THIS_MACHINE, need, prefix, run  # noqa: F401 (a fixture)

pytestmark = FOR_THIS_MACHINE


def test_the_example_builds_against_the_installed_library(arm, prefix, tmp_path):
    need("cc", "pkg-config")
    example = re.search(r"^```c\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)[1]
    (tmp_path / "example.c").write_text(example)
    run(
        "sh",
        "-ec",
        "cc -Wall -Wextra -Werror example.c $(pkg-config --cflags --libs rekey) -o example",
        env={"PKG_CONFIG_PATH": str(prefix / "lib/pkgconfig")},
        cwd=tmp_path,
    )
    name = arm.endpoint("three-polls")
    before = arm.keys(name)
    place = [SUBSCRIPTION, GROUP, WORKSPACE, name]
    text = run(
        tmp_path / "example",
        "localhost",
        arm.ports["main"],
        CERTS / "ca.pem",
        *place,
        env={"TOKEN": TOKEN},
    )
    assert text == "outcome 0, error , polls 3\n"
    assert arm.keys(name)["primaryKey"] != before["primaryKey"]


def test_every_installed_header_stands_alone(prefix, tmp_path):
    need("cc", "pkg-config")
    flags = run(
        "pkg-config", "--cflags", "rekey", env={"PKG_CONFIG_PATH": str(prefix / "lib/pkgconfig")}
    ).split()
    for path in sorted((prefix / "include/rekey").glob("*.h")):
        (tmp_path / "one.c").write_text(f'#include "{path.name}"\n')
        run("cc", "-Wall", "-Werror", *flags, "-fsyntax-only", tmp_path / "one.c")


def test_the_core_has_no_name_of_mbedtls(prefix):
    """An application with an mbedTLS of its own links -lrekey alone."""
    names = {
        archive: set(re.findall(r" ([A-Za-z]) (\w+)$", run("nm", prefix / "lib" / archive), re.M))
        for archive in ("librekey.a", "librekey-tls.a")
    }
    core = {name for _, name in names["librekey.a"]}
    assert not [name for name in core if re.match("mbedtls_|psa_|rekey_tls_", name)]
    for archive, symbols in names.items():  # and an application has no name of its own taken
        public = {name for kind, name in symbols if kind in "TDBRC"}
        assert not [n for n in public if not re.match("rekey_|mbedtls_|psa_", n)], archive
