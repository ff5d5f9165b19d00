"""references.py finds the faults that are planted into a small tree, and no others."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
GOOD = """\
# A page

`make unit` and `make B=build/x LIMITS="A=1 B=2" e2e 2>/dev/null` [below](#12-the-rest), [twice](#more-1),
[another](other.md#a-heading-of-it), src/a.c, src/*.[ch], src/..., `make -C elsewhere target`, boards/<board>/board.mk, src/a{b}
make sure

    make unit BOARD=x # as often as you like

## 1.2 The rest
```sh
# no heading
make unit
make e2e
```
### More
### More
"""


@pytest.fixture
def tree(tmp_path):
    files = {
        "Makefile": ".PHONY: unit e2e\nunit e2e: all\n\ttrue\n$(B)/x/%.o: y\nall: ## x\n",
        "README.md": GOOD.replace("other.md", "docs/other.md"),
        "docs/page.md": GOOD,
        "docs/other.md": "# A heading, of `it`\n",
        "docs/changelog.md": "src/gone.c, see changelog.md\n",
        "src/a.c": '// docs/page.md 1.2, and docs/other.md,\n// "A heading,\n// of `it`"; page.md, changelog.md\n'
        'const char *path = "src/none.c"; // make sure; `make`\n',
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def check(tree):
    command = [sys.executable, HERE / "references.py", tree]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_what_is_good(tree):
    assert check(tree).stdout == "references: all lead somewhere\n"


@pytest.mark.parametrize(
    "path, text, said",
    [
        ("src/a.c", "// docs/page.md 1.3", "docs/page.md has no section 1.3"),
        ("src/a.c", "// page.md 1.2 and 4", "page.md has no section 4"),
        ("src/a.c", "// docs/page.md\n// 1.2.3", "docs/page.md has no section 1.2.3"),
        ("src/a.c", '"docs/page.md 1"', "docs/page.md has no section 1"),
        ("boards/x.service", "# docs/other.md, section 1", "docs/other.md has no section 1"),
        ("docs/x.1", '.\\" docs/other.md, "A heading"', 'docs/other.md has no section "A heading"'),
        ("tests/x.py", '# docs/page.md,\n# "The\n# end"', 'docs/page.md has no section "The end"'),
        ("tests/x.py", '"""See "The end" in docs/page.md."""', 'has no section "The end"'),
        ("tests/x.py", '"""\nSee none.md."""', "there is no page none.md"),
        ("src/a.c", "// src/b.c", "there is no src/b.c"),
        ("docs/page.md", "(tests/x/*.c)", "there is no tests/x/*.c"),
        ("docs/page.md", "`boards/x`.", "there is no boards/x"),
        ("docs/page.md", "`make unit none`", "make has no target none"),
        ("docs/page.md", "    cd x && make none", "make has no target none"),
        ("docs/page.md", "```sh\nmake\nmake none\n```", "make has no target none"),
        ("docs/page.md", "`make\nnone`", "make has no target none"),
        ("src/a.c", "// `make none`", "make has no target none"),
        ("docs/page.md", "[x](none)", "the link leads to none, which does not exist"),
        ("docs/page.md", "[x](#none)", "page.md has no anchor #none"),
        ("docs/page.md", "[x](other.md#more)", "other.md has no anchor #more"),
    ],
)
def test_what_leads_nowhere(tree, path, text, said):
    file = tree / path
    file.parent.mkdir(exist_ok=True)
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    file.write_text(before + "\n" + text + "\n", encoding="utf-8")
    result = check(tree)
    first = before.count("\n") + 2
    assert result.returncode == 1
    assert said in result.stdout and result.stdout.startswith(f"{path}:")
    assert first <= int(result.stdout.split(":")[1]) <= first + text.count("\n")
