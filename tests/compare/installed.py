# installed.py - the software that a command needs: Debian packages that the smallest Debian (those
# of the priority `required`, apt, and their dependencies) does not have, or the files of a folder.

import functools
import os
import subprocess

# Fields of dpkg-query, separated by tabs.
FIELDS = (
    "${Package}\t${Priority}\t${Installed-Size}\t${Version}\t${Provides}\t"
    "${Pre-Depends}, ${Depends}\n"
)


def names(text):
    """The names in a list of dependencies; alternatives are in one entry."""
    return [
        [each.split("(")[0].split(":")[0].strip() for each in alternatives.split("|")]
        for alternatives in text.split(",")
        if alternatives.strip()
    ]


@functools.cache
def packages():
    """All installed packages, by name and by each name that they provide."""
    known, provided = {}, {}
    for line in subprocess.run(
        ["dpkg-query", "-W", "-f", FIELDS], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.splitlines():
        name, priority, size, version, provides, depends = line.split("\t")
        if version:
            known[name] = {
                "required": priority == "required" or name == "apt",
                "KB": int(size or 0),
                "version": version,
                "depends": names(depends),
            }
            provided.update({each: name for [each] in names(provides)})
    return known, provided


def closure(wanted):
    """The packages, and all their dependencies; of alternatives, the first one that is
    installed."""
    known, provided = packages()
    found, left = set(), list(wanted)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            for alternatives in known[name]["depends"]:
                there = [
                    each if each in known else provided[each]
                    for each in alternatives
                    if each in known or each in provided
                ]
                left += there[:1]
    return found


def of_packages(*wanted):
    """Size in KB, number of files and number of packages beyond the smallest Debian."""
    known, _ = packages()
    more = closure(wanted) - closure([name for name in known if known[name]["required"]])
    return {
        "KB": sum(known[name]["KB"] for name in more),
        "files": sum(map(files_of, more)),
        "packages": len(more),
    }


def files_of(package):
    listed = subprocess.run(
        ["dpkg-query", "-L", package], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    return sum(os.path.isfile(path) for path in listed.splitlines())


def of_folder(folder):
    sizes = [
        os.lstat(os.path.join(where, name)).st_size
        for where, _, files in os.walk(folder)
        for name in files
    ]
    return {"KB": sum((size + 1023) // 1024 for size in sizes), "files": len(sizes), "packages": 0}


def version(package):
    return packages()[0][package]["version"]
