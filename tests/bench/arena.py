# arena.py - the program behind `make arena`: a complete operation of the firmware (TLS 1.2, a full handshake, POST,
# three polls) that prints each allocation of mbedTLS (arena_trace.c). Prints a table of the owners of the memory over
# time, and writes docs/arena.svg. Two runs give the same bytes.
#
#     arena.py ELF BYTES      the firmware, and the size of its arena; environment: NM

import bisect
import collections
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "tests", "arm"))
from firmware import Firmware, Service

EVENT = r"^arena: (take|free) (\w+) (\d+) (\w+) (-?\d+) (\w+)$"
UNIT = 4     # bytes: a block is a header of one unit, and then whole units
# Owners, with the colour of each: from the bottom of the picture to its top.
OWNERS = {
    "record in": "#64748b", "record out": "#94a3b8", "handshake": "#0284c7", "certificates": "#16a34a",
    "signatures": "#c2410c", "key exchange": "#7c3aed", "ciphers": "#ca8a04", "session": "#db2777",
}
# The first row that matches the calling function, the current activity and the state gives the
# owner.
RULES = [
    (r"x509|asn1|rsa_alloc|parse_certificate$", "other", None, "certificates"), (r"mpi", "other", 3, "certificates"),
    (r"", "signature", None, "signatures"), (r"gcm|aes", None, None, "ciphers"),
    (r"session|handshake_client_step", None, None, "session"),
    (r"ssl|md_setup|tls_prf", None, None, "handshake"), (r"mpi|ecp|ecdh", None, None, "key exchange"),
]
# The names of mbedTLS's states: the message that is sent or received in each.
STATES = {-1: "set up", 3: "Certificate", 4: "ServerKeyExchange", 8: "ClientKeyExchange", 9: "key derivation", 11: "Finished (sent)",
          12: "Finished (received)", 16: "Finished (received)", 13: "Finished (received)", 15: "handshake over", 27: "requests, close"}
SHOWN = ("set up", "Certificate", "ServerKeyExchange", "ClientKeyExchange", "Finished (received)", "handshake over")
MANY = 300      # from so many events of a state on, only the maximum is drawn: the others depend on random numbers


def functions(elf):
    """Returns a function that names the function at an address."""
    lines = subprocess.run([os.environ["NM"], elf], capture_output=True, text=True, check=True).stdout
    found = sorted((int(address, 16) & ~1, re.sub(r"\..*", "", name)) for address, name in re.findall(r"^(\w+) [tT] (\S+)$", lines, re.M))
    addresses = [address for address, _ in found]
    return lambda address: found[bisect.bisect_right(addresses, address & ~1) - 1][1]


def owner(size, caller, state, work):
    if caller == "mbedtls_ssl_setup":
        return "record in" if size > 16384 else "record out"
    for form, doing, when, name in RULES:
        if re.search(form, caller) and doing in (None, work) and when in (None, state):
            return name
    sys.exit(f"arena: {caller} allocates, and has no owner")


def moments(text, name_of):
    """(state, {owner: bytes of the arena}, {owner: bytes of lent memory}) after each event."""
    live, record = {}, range(0)
    for kind, address, size, caller, state, work in re.findall(EVENT, text, re.M):
        address, size, state = int(address, 16), int(size), int(state)
        if kind == "take":
            who = owner(size, name_of(int(caller, 16)), state, work)
            live[address] = (who, UNIT + (size + UNIT - 1) // UNIT * UNIT)
            record = range(address + 1, address + size) if who == "record in" else record
        else:
            del live[address]
        own, lent = collections.Counter(), collections.Counter()
        for at, (who, taken) in live.items():
            (lent if at in record else own)[who] += taken
        yield STATES[state], own, lent


def total(moment):
    return sum(moment[1].values()) + sum(moment[2].values())


def by_state(events):
    """{state: its events}, in the order of the states."""
    found = {}
    for event in events:
        found.setdefault(event[0], []).append(event)
    return found


def table(states, size):
    """For each state, the moment with the most memory in use."""
    columns = {name: max(events, key=total) for name, events in states.items() if name in SHOWN}

    def row(name, values):
        return f"  {name:30}" + "".join(f"{f'{value:,}' if value else '':>21}" for value in values)

    yield f"{'arena, bytes in use':32}" + "".join(f"{name:>21}" for name in columns)
    for who in OWNERS:
        yield row(who, [own[who] + lent[who] for _, own, lent in columns.values()])
    yield row("in all", [total(moment) for moment in columns.values()])
    yield row("in lent memory (of record in)", [sum(lent.values()) for _, _, lent in columns.values()])
    yield row(f"in the arena, of {size:,}", [sum(own.values()) for _, own, _ in columns.values()])


# ---- the picture ---------------------------------------------------------------------------------

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 960, 520, 60, 120, 110, 34
HIGHEST = 25000


def drawn(states):
    """The events in the order in which they are drawn. If there are very many, only the first, the maximum and the last
    are."""
    for events in states.values():
        yield from events if len(events) < MANY else [events[0], *[max(events, key=total)] * 20, events[-1]]


def steps(values, x, y):
    """A line from left to right that steps up and down at each event."""
    for at, value in enumerate(values):
        if at == 0 or values[at - 1] != value:
            yield f"{x(at)},{y(value)}"
        if at + 1 == len(values) or values[at + 1] != value:
            yield f"{x(at + 1)},{y(value)}"


def area(lows, highs, x, y, colour):
    """A layer of the stack: its lower and upper bound at each event."""
    edge = [*steps(highs, x, y), *reversed(list(steps(lows, x, y)))]
    return f'<polygon fill="{colour}" points="{" ".join(edge)}"/>'


def svg(states, size):
    """The memory in use after each event, one owner on top of the other; lent memory is at its place, at the end of the
    record."""
    events = list(drawn(states))
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM

    def x(event):
        return f"{LEFT + event * (right - LEFT) / len(events):.1f}"

    def y(held):
        return f"{bottom - held * (bottom - TOP) / HIGHEST:.1f}"

    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">'
    yield "<title>Who holds the arena of the firmware during one operation</title>"
    yield "<desc>Bytes in use by owner, through the handshake and the requests; the peak is below the size of the arena.</desc>"
    yield "<style>.ground{fill:#fff;stroke:#d0d7de}text{fill:#1f2328}line{stroke:#9ca3af;stroke-opacity:.5}"
    yield ".size{stroke:#dc2626;stroke-opacity:1;stroke-dasharray:5 4}"
    yield "@media(prefers-color-scheme:dark){.ground{fill:#0d1117;stroke:#30363d}text{fill:#e6edf3}}</style>"
    yield f'<rect class="ground" x="1" y="1" width="{WIDTH - 2}" height="{HEIGHT - 2}" rx="8"/>'
    yield f'<text x="{LEFT}" y="24">Bytes of the arena in use after each allocation and release of one operation (TLS 1.2)</text>'
    yield f'<text x="{LEFT}" y="{HEIGHT - 10}">Memory that is drawn downwards from the top of "record in" is in its unused end, which is lent to the arena.</text>'
    for held in range(0, HIGHEST + 1, 5000):
        yield f'<line x1="{LEFT}" x2="{right}" y1="{y(held)}" y2="{y(held)}"/>'
        yield f'<text x="{LEFT - 6}" y="{y(held)}" dy="4" text-anchor="end">{held:,}</text>'
    lows = [0] * len(events)
    for who, colour in OWNERS.items():
        highs = [low + own[who] for low, (_, own, _) in zip(lows, events)]
        yield area(lows, highs, x, y, colour)
        lows = highs
        if who == "record in":
            ends = highs
    for who, colour in OWNERS.items():
        lows = [end - lent[who] for end, (_, _, lent) in zip(ends, events)]
        if lows != ends:
            yield area(lows, ends, x, y, colour)
        ends = lows
    for number, (who, colour) in enumerate(reversed(OWNERS.items())):
        yield f'<rect x="{right + 10}" y="{TOP + 30 + 20 * number}" width="12" height="12" fill="{colour}"/>'
        yield f'<text x="{right + 28}" y="{TOP + 40 + 20 * number}">{who}</text>'
    yield f'<line class="size" x1="{LEFT}" x2="{right}" y1="{y(size)}" y2="{y(size)}"/>'
    yield f'<text x="{right + 10}" y="{y(size)}" dy="4">arena {size:,}</text>'
    names = [event[0] for event in events]
    for at, name in enumerate(names):
        if at == 0 or names[at - 1] != name:
            yield f'<line x1="{x(at)}" x2="{x(at)}" y1="{TOP - 6}" y2="{bottom}"/>'
            yield f'<text transform="translate({float(x(at)) + 10:.1f} {TOP - 8}) rotate(-35)">{name}</text>'
    yield "</svg>"


def main():
    elf, size = sys.argv[1], int(sys.argv[2])
    service = Service(os.path.join(ROOT, "build/certs"))
    firmware = Firmware(elf, service.ports)
    try:
        run = firmware.run("three-polls--arena")
    finally:
        firmware.close()
        service.close()
    if run.code != 0:
        sys.exit(f"arena: exit {run.code}\n{run.text[-2000:]}")
    states = by_state(moments(run.text, functions(elf)))
    print(*(line.rstrip() for line in table(states, size)), sep="\n")
    with open(os.path.join(ROOT, "docs/arena.svg"), "w", encoding="utf-8") as file:
        file.write("\n".join(svg(states, size)) + "\n")


if __name__ == "__main__":
    main()
