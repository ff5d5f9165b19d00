# fleet.py - the program behind `make fleet`: a fleet of gateways against the service's bucket of writes, as a
# discrete-event model.
#
#     fleet.py write | check      writes docs/fleet.svg and prints the table, or exits 1 if docs/fleet.svg or the table in
#                                 docs/fleet.md differs
#
# Azure Resource Manager gives each principal a bucket of 200 writes that is refilled with 10 a second, and answers 429
# to a request that finds it empty (docs/service.md 2.6). The delays are read from the units, the number of attempts
# from src/rekey_config.h. A gateway that got 429 asks again after Retry-After, at most five times. Then it ends with
# 10, and systemd starts it again after RestartSec.
#
# The model leaves out reads (polls, which have their own bucket), the time that an answer takes, others who use the
# principal, and the inaccuracy of timers (AccuracySec). The service's Retry-After is not documented; here it is
# RETRY_AFTER. The random numbers have a fixed seed: two runs give the same bytes.

import heapq
import math
import os
import random
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path.append(os.path.join(ROOT, "tests/pictures"))
import style

BUCKET, REFILL = 200, 10    # size in writes, and refill per second
RETRY_AFTER = 10            # seconds
LIST = [0]                  # a run that finds the key not due, or a sync: listKeys
# A run that rotates: listKeys, regenerateKeys, its first poll after 10 s, listKeys, --settle, listKeys. Seconds before each write.
ROTATION = [0, 0, 10, 60]
FLEET = 10000
SIZES = [100, 200, 300, 500, 1000, 2000, 3000, 5000, 10000, 20000, 30000, 50000, 60000]


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


def setting(unit, name):
    """The value of a setting of a unit, such as 6h or 10min, in seconds."""
    text = re.search(rf"^{name}=(\d+)(h|min)$", read(f"boards/linux/systemd/{unit}.in"), re.M)
    return int(text[1]) * {"h": 3600, "min": 60}[text[2]]


RESTART = setting("rekey-rotate@.service", "RestartSec")
TRIES = int(re.search(r"^#define REKEY_TRIES_MAX (\d+)u$", read("src/rekey_config.h"), re.M)[1])
SPREAD = {name: setting(f"rekey-{name}@.timer", "RandomizedDelaySec") for name in ("rotate", "sync")}


class Bucket:
    """The bucket of one principal."""

    def __init__(self):
        self.level, self.at, self.refused = BUCKET, 0.0, 0

    def take(self, now):
        self.level = min(BUCKET, self.level + (now - self.at) * REFILL)
        self.at = now
        if self.level < 1:
            self.refused += 1
            return False
        self.level -= 1
        return True


def run(starts, steps, service_back=0):
    """Gateways that start at these times, each with these writes. Before `service_back` the service cannot be reached.
    Returns the seconds from each start (or from `service_back`) to the end, without those that a run takes anyway, and
    the number of requests that got 429."""
    bucket, waits = Bucket(), []
    events = [(at, number, 0, 0) for number, at in enumerate(starts)]    # time, gateway, step, attempts
    heapq.heapify(events)
    while events:
        at, number, step, tries = heapq.heappop(events)
        if at < service_back:
            heapq.heappush(events, (at + RESTART, number, 0, 0))
        elif not bucket.take(at):
            again = tries + 1 < TRIES
            next_try = (at + RETRY_AFTER, number, step, tries + 1) if again else (at + RESTART, number, 0, 0)
            heapq.heappush(events, next_try)
        elif step + 1 < len(steps):
            heapq.heappush(events, (at + steps[step + 1], number, step + 1, 0))
        else:
            waits.append(at - max(starts[number], service_back) - sum(steps))
    return sorted(waits), bucket.refused


def spread(n, seconds, seed):
    """The delay of each machine: evenly distributed, as systemd derives it from the machine ID."""
    machines = random.Random(seed)
    return [machines.random() * seconds for _ in range(n)]


def cases(n):
    """{case: (starts, steps, time at which the service is back)}"""
    outage = 4 * 3600
    return {
        "all at once, the key is not due": ([0.0] * n, LIST, 0),
        "all at once, all rotate": ([0.0] * n, ROTATION, 0),
        "sync.timer": (spread(n, SPREAD["sync"], "sync"), LIST, 0),
        "rotate.timer, the key is not due": (spread(n, SPREAD["rotate"], "rotate"), LIST, 0),
        "rotate.timer, all rotate": (spread(n, SPREAD["rotate"], "rotate"), ROTATION, 0),
        "sync.timer, after an outage of 4 hours": (spread(n, SPREAD["sync"], "sync"), LIST, outage),
    }


def in_words(seconds):
    if seconds < 0.5:
        return "none"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def table():
    yield f"| {FLEET:,} gateways, one principal | answered 429 | wait of the 99th percentile | worst wait of the last gateway |"
    yield "|---|---|---|---|"
    for name, (starts, steps, back) in cases(FLEET).items():
        waits, refused = run(starts, steps, back)
        yield f"| {name} | {refused:,} | {in_words(waits[len(waits) * 99 // 100])} | {in_words(waits[-1])} |"


# ---- the plot ------------------------------------------------------------------------------------

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 780, 410, 80, 210, 40, 50
SECONDS = [(1, "none"), (10, "10 s"), (60, "1 min"), (600, "10 min"), (3600, "1 h"), (21600, "6 h"), (86400, "1 day")]
CURVES = {
    "all at once": ("red", lambda n: ([0.0] * n, LIST)),
    "rotate.timer, all rotate": ("violet", lambda n: (spread(n, SPREAD["rotate"], "rotate"), ROTATION)),
    "sync.timer": ("blue", lambda n: (spread(n, SPREAD["sync"], "sync"), LIST)),
}


def x_of(n):
    share = math.log(n / SIZES[0]) / math.log(SIZES[-1] / SIZES[0])
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def y_of(seconds):
    share = math.log(max(seconds, 1)) / math.log(SECONDS[-1][0])
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def svg():
    """The longest wait by the size of the fleet."""
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    picture = style.Picture(
        WIDTH, HEIGHT, "Worst wait of the last gateway, by the number of gateways of one principal",
        "Three curves over fleets of 100 to 60,000 gateways. All at once: hours, from some thousand gateways on."
        " With the delays of the two timers: no wait up to some ten thousand gateways.")
    picture.text(LEFT, 24, "Worst wait of the last gateway", "bold")
    for seconds, name in SECONDS:
        y = round(y_of(seconds))
        picture.line([(LEFT, y), (right, y)])
        picture.text(LEFT - 8, y + 4, name, anchor="end")
    for n in (100, 1000, 10000, 60000):
        x = round(x_of(n))
        picture.line([(x, TOP), (x, bottom)], "grid dashed" if n == FLEET else "grid")
        picture.text(x, bottom + 18, f"{n:,}", anchor="middle")
    picture.text((LEFT + right) // 2, HEIGHT - 12, "gateways of one principal", anchor="middle")
    for name, (colour, case) in CURVES.items():
        # For a larger fleet that starts all at once the model takes minutes, and shows nothing
        # more.
        sizes = [n for n in SIZES if n <= FLEET or name != "all at once"]
        points = [(round(x_of(n)), round(y_of(run(*case(n))[0][-1]))) for n in sizes]
        picture.line(points, f"{colour} curve")
        picture.text(points[-1][0] + 8, points[-1][1] + 4, name)
    return picture.svg()


def main():
    rows, picture = list(table()), svg()
    print(*rows, sep="\n")
    if sys.argv[1] == "write":
        with open(os.path.join(ROOT, "docs/fleet.svg"), "w", encoding="utf-8") as file:
            file.write(picture)
    elif read("docs/fleet.svg") != picture or "\n".join(rows) not in read("docs/fleet.md"):
        sys.exit("docs/fleet.svg, or the table in docs/fleet.md, is not what `make fleet` says")


if __name__ == "__main__":
    main()
