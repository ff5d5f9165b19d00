# stack.py ENTRY LIMIT FILE.ci... - the deepest path from ENTRY through the core, by gcc's -fcallgraph-info=su,da. Calls
# by pointer (of the port) and into the C library are not part of the core's own stack; they are listed separately.
# Fails above LIMIT bytes, on recursion, and on a frame whose size gcc does not know.

import re
import sys

NODE = re.compile(r'node: \{ title: "([^"]*)" label: "([^"]*)"')
EDGE = re.compile(r'edge: \{ sourcename: "([^"]*)" targetname: "([^"]*)"')
SIZE = re.compile(r'(\d+) bytes \(([\w,]+)')


def main():
    entry, limit, files = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    frames, calls = {}, {}
    for name in files:
        with open(name) as file:
            text = file.read()
        for title, label in NODE.findall(text):
            size = SIZE.search(label)
            if size:
                if size.group(2) not in ("static", "dynamic,bounded"):
                    sys.exit(f"stack: the frame of {title} is {size.group(2)}")
                frames[title] = int(size.group(1))
        for source, target in EDGE.findall(text):
            calls.setdefault(source, set()).add(target)

    def deepest(function, path):
        if function in path:
            sys.exit("stack: recursion: " + " -> ".join(path + [function]))
        if function not in frames:
            return 0, []
        below, way = max((deepest(callee, path + [function]) for callee in calls.get(function, ())),
                         default=(0, []))
        return frames[function] + below, [function] + way

    total, way = deepest(entry, [])
    outside = sorted({c for f in frames for c in calls.get(f, ()) if c not in frames})
    print(f"stack of {entry}, deepest path: {total} bytes (the limit is {limit})")
    for function in way:
        print(f"  {frames[function]:5} {function.split(':')[-1]}")
    print("not counted, outside the core: " + ", ".join(outside))
    if not way or total > limit:
        sys.exit(1)


main()
