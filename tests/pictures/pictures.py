"""The program behind `make pictures`: writes the pictures of docs/ that are made from the code.

    pictures.py BUILD MODEL FOLDER    BUILD has rekey, clock.so, outcomes; MODEL is tests/model
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.append(str(ROOT / "tests/lint"))

import house
import layout
import memory
import outcome
import request
import rotation
import run


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def printed(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout


def main():
    build, model, folder = map(Path, sys.argv[1:])
    sources = [text_of(f"src/{name}") for name in ("rekey.c", "exchange.c", "operation.h")]
    headers = [text_of(f"src/{name}") for name in ("rekey_error.h", "rekey.h")]
    pictures = {
        "house": house.draw(layout, ROOT),
        "memory": memory.draw(text_of("docs/memory.md")),
        "outcome": outcome.draw(*headers, printed(build / "outcomes")),
        "request": request.draw(*sources),
        "rotation": rotation.draw(text_of("src/rotate.c"), printed(model, "-a")),
        "run": run.draw(run.in_a_namespace(build.resolve())),
    }
    folder.mkdir(exist_ok=True)
    for name, picture in pictures.items():
        (folder / f"{name}.svg").write_text(picture.svg(), encoding="utf-8")


if __name__ == "__main__":
    main()
