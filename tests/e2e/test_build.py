"""Builds of other people: a board outside of the tree."""

import os
import shutil

import pytest
from conftest import ROOT
from making import FOR_THIS_MACHINE, make, need, run

pytestmark = FOR_THIS_MACHINE


# ---- a board outside of the tree -----------------------------------------------------------------


@pytest.fixture
def board(tmp_path):
    """A folder with a board that has limits, a source and rules of its own."""
    need("gcc")
    folder = tmp_path / f"board-of-{os.getpid()}"
    folder.mkdir()
    (folder / "board.mk").write_text(
        "BOARD_TITLE   := a board of somebody else\n"
        "BOARD_LIMITS  := REKEY_URL_MAX=6000 REKEY_STAGING_MAX=8000\n"
        "BOARD_PROGRAM := sizes\n"
        "CC            := gcc\n"
        "CFLAGS        := -O0\n"
    )
    (folder / "rules.mk").write_text(
        "$(B)/sizes: $(B)/board/sizes.o $(B)/librekey.a\n\t$(call say,LD)\n\t$(link)\n"
    )
    (folder / "sizes.c").write_text(
        "#include <stdio.h>\n"
        '#include "rekey_config.h"\n'
        "int main(void) {\n"
        '    return printf("%s %d %d", REKEY_BOARD, REKEY_URL_MAX, REKEY_STAGING_MAX) < 0;\n'
        "}\n"
    )
    yield folder
    shutil.rmtree(ROOT / "build" / folder.name, ignore_errors=True)


def test_a_board_outside_of_the_tree(board):
    built = ROOT / "build" / board.name
    make(f"BOARD={board}")
    assert run(built / "sizes") == f"{board.name} 6000 8000"
    make(f"BOARD={board}", f"build/{board.name}/unit/span")
    assert "failed" not in run(built / "unit/span").lower()
    (built / "sizes").unlink()
    make(f"BOARD={os.path.relpath(board, ROOT)}/")
    assert run(built / "sizes") == f"{board.name} 6000 8000"


def test_a_board_that_there_is_not(tmp_path):
    for name, place in (("no-such", "boards/no-such"), (f"{tmp_path}", tmp_path)):
        assert f"there is no {place}/board.mk" in make(f"BOARD={name}", "help", code=2)
