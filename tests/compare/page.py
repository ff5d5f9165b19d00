# page.py - the page that `make compare` writes, from the measurements of compare.py: times and
# memory as ratios to rekey in the same round, because times of a machine that others use as well
# mean nothing alone; bytes and sizes as they are.

import datetime
import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import statistics
import subprocess
import tempfile

import installed

# For each row: its name on the page, and the Debian packages that it needs.
ROWS = {
    "rekey": ("rekey, static", ()),
    "rekey_dynamic": ("rekey, dynamic", ()),
    "curl": ("curl, one POST", ("curl",)),
    "script": ("curl in a script", ("curl", "jq")),
    "az": ("az", ("azure-cli",)),
    "python": ("SDK for Python", ("python3-azure",)),
    "node": ("SDK for JavaScript", ()),
}
PROGRAMS = {"rekey": "REKEY_STATIC", "rekey_dynamic": "REKEY"}  # the variables that name them
TEXT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "page.md")


def ratio(results, name, kind, what):
    """The ratio to rekey, round by round: the median, and the quartiles."""
    mine, theirs = ([each[what] for each in results[row][kind]] for row in ("rekey", name))
    ratios = sorted(b / a for a, b in zip(mine, theirs, strict=True))
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return middle, (low, high)


def shown(middle, quartiles):
    """The median with one decimal digit below 10, and the quartiles if their text differs."""
    middle, low, high = (
        f"{each:.1f}" if each < 10 else f"{each:.0f}" for each in (middle, *quartiles)
    )
    return middle if low == high else f"{middle} ({low} to {high})"


def table(heads, rows):
    return "\n".join(
        [
            "| | " + " | ".join(heads) + " |",
            "|---" * (len(heads) + 1) + "|",
            *("| " + " | ".join(row) + " |" for row in rows),
        ]
    )


def rows(results, cells):
    """A row for each tool that could be measured."""
    return [[ROWS[name][0], *cells(name)] for name in ROWS if "failed" not in results[name]]


def speed(results):
    def cells(name):
        if name == "rekey":
            return ["1"] * 4
        return [
            shown(*ratio(results, name, kind, what))
            for kind, what in (
                ("times", "wall"),
                ("times", "CPU"),
                ("sizes", "largest"),
                ("sizes", "together"),
            )
        ]

    return table(
        ["wall time", "CPU time", "memory: the largest process", "memory: all at one time"],
        rows(results, cells),
    )


def middle(results, name, kind, what):
    return f"{statistics.median(each[what] for each in results[name][kind]):,.0f}"


def wire(results):
    return table(
        ["bytes sent", "bytes received", "TLS connections", "requests", "processes"],
        rows(
            results,
            lambda name: [
                *(
                    middle(results, name, "times", what)
                    for what in ("sent", "received", "handshakes", "requests")
                ),
                middle(results, name, "sizes", "processes"),
            ],
        ),
    )


def version(*command):
    """The first line of its output."""
    return (
        subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        .stdout.partition("\n")[0]
        .strip()
    )


def on_disk(name, node_modules):
    """The software that a row needs, and the versions."""
    if name in PROGRAMS:
        program = os.environ[PROGRAMS[name]]
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["strip", "-o", f"{folder}/rekey", program], check=True)
            return installed.of_folder(folder), version(program, "--version")
    if name == "node":
        owner = version("dpkg-query", "-S", os.path.realpath(shutil.which("node")))
        sizes = [
            installed.of_packages(owner.partition(":")[0]),
            installed.of_folder(node_modules),
        ]
        names = [f"Node.js {version('node', '--version')}"]
        for package in ("@azure/identity", "@azure/arm-machinelearning"):
            with open(f"{node_modules}/{package}/package.json", encoding="utf-8") as file:
                names.append(f"{package} {json.load(file)['version']}")
        return {key: sum(each[key] for each in sizes) for key in sizes[0]}, ", ".join(names)
    packages = ROWS[name][1]
    names = [f"{each} {installed.version(each)}" for each in packages]
    if name == "python":
        names += [
            f"{each} {importlib.metadata.version(each)}"
            for each in ("azure-identity", "azure-mgmt-machinelearningservices")
        ]
    return installed.of_packages(*packages), ", ".join(names)


def size(sizes):
    megabytes = sizes["KB"] / 1024
    if megabytes < 1:
        return f"{sizes['KB']} KB"
    return f"{megabytes:.1f} MB" if megabytes < 100 else f"{megabytes:.0f} MB"


def imported():
    """The size of the modules of python3-azure that sdk.py imports."""
    folders = [
        importlib.util.find_spec(name).submodule_search_locations[0]
        for name in (
            "azure.core",
            "azure.identity",
            "azure.mgmt.core",
            "azure.mgmt.machinelearningservices",
        )
    ]
    return size({"KB": sum(installed.of_folder(folder)["KB"] for folder in folders)})


def disk(results, node_modules):
    def cells(name):
        sizes, versions = on_disk(name, node_modules)
        return [size(sizes), f"{sizes['files']:,}", str(sizes["packages"]), versions]

    return table(["size", "files", "Debian packages", "versions"], rows(results, cells))


def lost(results):
    def cells(name):
        for end in results[name]["lost"].values():
            times = {1: "once", 2: "twice"}.get(end["changed"], f"{end['changed']} times")
            yield f"changed {times}, exit code {end['code']}"

    return table(["connection reset", "503"], rows(results, cells))


def failures(results):
    lines = [
        f"- {ROWS[name][0]}: {result['failed']}"
        for name, result in results.items()
        if "failed" in result
    ]
    return "\n".join(["Not measured on this machine:", "", *lines, "", ""]) if lines else ""


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        processor = next(
            (line.partition(":")[2].strip() for line in file if line.startswith("model name")),
            "unknown",
        )
    return (
        f"{os.cpu_count()} processors ({processor}, {platform.machine()}), "
        f"Linux {platform.release()}, {platform.freedesktop_os_release()['PRETTY_NAME']}"
    )


def write(output, results, rounds, size_rounds, load, node_modules):
    alone = "" if "failed" in results["python"] else f" (sdk.py imports {imported()} of them)"
    with open(TEXT, encoding="utf-8") as file:
        text = file.read()
    for name, value in {
        "speed": speed(results),
        "wire": wire(results),
        "disk": disk(results, node_modules),
        "lost": lost(results),
        "failures": failures(results),
        "machine": machine(),
        "rounds": str(rounds),
        "size_rounds": str(size_rounds),
        "load": f"{load:.1f}",
        "largest": middle(results, "rekey", "sizes", "largest"),
        "together": middle(results, "rekey", "sizes", "together"),
        "imported": alone,
        "date": datetime.date.today().strftime("%-d %B %Y"),
    }.items():
        text = text.replace(f"{{{name}}}", value)
    with open(output, "w", encoding="utf-8") as file:
        file.write(text)
