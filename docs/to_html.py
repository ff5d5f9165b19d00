"""Makes HTML of README.md, of the pages in docs and of the manual pages, by cmark-gfm and mandoc, and
checks every link between them. Links to pages lead to their HTML; other files that a page links to,
pictures among them, are copied.

    to_html.py [--root ROOT] FOLDER    prints each broken link; the exit code is 1 if there is one
"""

import argparse
import html
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

STYLE = """
:root { color-scheme: light dark; }
body { max-width: 50em; margin: 2em auto; padding: 0 1em; font: 1em/1.5 sans-serif; }
pre { overflow-x: auto; padding: .6em; background: #8882; }
code { font-size: .95em; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
td, th { border: 1px solid #8886; padding: .2em .5em; text-align: left; vertical-align: top; }
img { max-width: 100%; }
"""
ATTRIBUTE = re.compile(r'\b(href|src|srcset)="([^"]*)"')
ELSEWHERE = re.compile(r"(?:[a-z]+:)?//|[a-z]+:", re.I)


def page_name(path):
    """The name of a page's HTML; None for a file that is copied."""
    if path == "README.md":
        return "index.html"
    if path.endswith(".md"):
        return path[: -len("md")] + "html"
    return path + ".html" if re.fullmatch(r"docs/\w+\.[1-8]", path) else None


def add_ids(text):
    """Gives the headings the identifiers that GitHub gives them."""
    seen = {}

    def name(match):
        words = html.unescape(re.sub(r"<[^>]*>", "", match[2])).strip().lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        seen[slug] = seen.get(slug, -1) + 1
        if seen[slug] > 0:
            slug += f"-{seen[slug]}"
        return f'<h{match[1]} id="{slug}">{match[2]}</h{match[1]}>'

    return re.sub(r"<h([1-6])>(.*?)</h\1>", name, text, flags=re.S)


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout


class Site:
    def __init__(self, root, out):
        self.root, self.out = root, out
        self.faults = []
        self.pages = ["README.md"]
        for pattern in ("docs/*.md", "docs/*.[1-8]"):
            self.pages += sorted(str(path.relative_to(root)) for path in root.glob(pattern))

    def follow(self, page, link):
        """What a link of a page becomes in its HTML. What it leads to will be there."""
        path, mark, fragment = link.partition("#")
        if path == "" or ELSEWHERE.match(path):
            return link
        target = os.path.normpath(os.path.join(os.path.dirname(page), unquote(path)))
        source, name = self.root / target, page_name(target)
        if target.startswith("..") or not source.exists():
            self.faults.append(f"{page}: there is no {path}")
            return link
        if name is not None:
            if target not in self.pages:
                self.pages.append(target)
            return os.path.relpath(name, os.path.dirname(page) or ".") + mark + fragment
        copy = self.out / target
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, dirs_exist_ok=True)
        else:
            shutil.copy(source, copy)
        return link

    def convert(self, page):
        source = self.root / page
        if not page.endswith(".md"):
            text = run("mandoc", "-Thtml", "-Oman=%N.%S.html", source)
            return text.replace("</head>", f"<style>{STYLE}</style></head>")
        body = add_ids(
            run(
                "cmark-gfm",
                "--unsafe",
                "-e",
                "table",
                "-e",
                "autolink",
                "-e",
                "strikethrough",
                source,
            )
        )

        def rewrite(match):
            link = self.follow(page, html.unescape(match[2]))
            return f'{match[1]}="{html.escape(link)}"'

        title = html.escape(re.search(r"^# (.*)", source.read_text(encoding="utf-8"), re.M)[1])
        return (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width">\n'
            f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
            + ATTRIBUTE.sub(rewrite, body)
            + "</body>\n</html>\n"
        )

    def write(self):
        for page in self.pages:  # it grows
            target = self.out / page_name(page)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(self.convert(page), encoding="utf-8")
        self.check()

    def check(self):
        """That what the HTML links to is there, with its fragment."""
        texts = {
            path: path.read_text(encoding="utf-8")
            for path in (self.out / page_name(page) for page in self.pages)
        }
        for path, text in texts.items():
            for _, value in ATTRIBUTE.findall(text):
                link = html.unescape(value)
                name, mark, fragment = link.partition("#")
                if ELSEWHERE.match(name):
                    continue
                target = Path(os.path.normpath(path.parent / unquote(name))) if name else path
                there = target.exists() and (
                    not mark or f'id="{html.escape(fragment)}"' in texts.get(target, "")
                )
                if not there:
                    self.faults.append(f"{path.relative_to(self.out)}: broken link: {link}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[1])
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    shutil.rmtree(given.folder, ignore_errors=True)
    site = Site(given.root.resolve(), given.folder)
    site.write()
    print("\n".join(site.faults) or f"{given.folder}/index.html")
    return 1 if site.faults else 0


if __name__ == "__main__":
    sys.exit(main())
