"""The arithmetic of `make compare`."""

import installed
import page
import process
import pytest


def test_peaks():
    # A shell that runs all the time, and two pairs of processes, one after the other.
    shell = {"from": 0, "to": 10, "peak": 1}
    first, second = {"from": 1, "to": 4, "peak": 20}, {"from": 2, "to": 3, "peak": 3}
    third, fourth = {"from": 5, "to": 8, "peak": 15}, {"from": 6, "to": 9, "peak": 9}
    assert process.peaks([shell, first, second, third, fourth]) == {"largest": 20, "together": 25}
    assert process.peaks([shell, first, second]) == {"largest": 20, "together": 24}
    assert process.peaks([shell]) == {"largest": 1, "together": 1}


@pytest.mark.parametrize(
    "values, text",
    [
        ((3, 3, 3), "3.0"),
        ((9.94, 9.91, 9.96), "9.9 (9.9 to 10.0)"),
        ((24.2, 23.8, 24.4), "24"),
        ((12, 9, 99.6), "12 (9.0 to 100)"),
    ],
)
def test_shown(values, text):
    assert page.shown(values[0], values[1:]) == text


def test_ratio_is_round_by_round():
    # The second round was ten times slower for both.
    results = {
        "rekey": {"times": [{"wall": 1}, {"wall": 10}, {"wall": 1}]},
        "az": {"times": [{"wall": 30}, {"wall": 310}, {"wall": 32}]},
    }
    assert page.ratio(results, "az", "times", "wall") == (31, (30.5, 31.5))


def test_closure(monkeypatch):
    known = {
        "tool": {"depends": installed.names("missing | library (>= 1), virtual:any, nowhere")},
        "library": {"depends": installed.names("base, tool")},
        "real": {"depends": []},
        "base": {"depends": []},
        "other": {"depends": []},
    }
    monkeypatch.setattr(installed, "packages", lambda: (known, {"virtual": "real"}))
    assert installed.closure(["tool"]) == {"tool", "library", "base", "real"}


def test_sized_sees_all_processes(tmp_path):
    result, code = process.sized(
        ["/bin/sh", "-c", "head -c 20000000 /dev/zero | tail -c 20000000 >/dev/null; exit 3"],
        {"PATH": "/bin"},
        tmp_path / "error",
    )
    assert code == 3 and result["processes"] == 3
    assert 18000 < result["largest"] < result["together"] < 40000
