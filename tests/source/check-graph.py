#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The architecture of daemon/: which folder may need which. Checked twice, from the symbols of the object files, which
cannot lie, and from the includes, which also show types and macros.

usage: check-graph.py ROOT BUILD"""

import collections
import glob
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import tap
import tree
from tap import require

# Each folder and those right below it; what is below these is allowed, too. "" is daemon/ itself.
ARROWS = {
    "basic": (),
    "event": ("basic",),
    "glob": ("basic",),
    "policy": ("event", "glob"),
    "sensor": ("policy",),
    "alert": ("policy",),
    "sink": ("alert",),
    "query": ("alert", "policy"),
    "": ("sensor", "sink", "query"),
    "client": ("alert", "policy"),
    "man": ("alert",),
}
# Single files of a folder that is otherwise not allowed: the client speaks the protocol that the daemon answers, and
# reads the journal as the daemon does.
ALSO = {"client": ("query/varlink", "sink/fleet", "sink/follow", "sink/reader")}
# Programs that only the build runs.
BUILD_TOOLS = {"daemon/client/make-completions.c", "daemon/man/journal-fields.c"}
# Headers of bpf/ that are not the interface between the kernel's programs and the daemon.
KERNEL_SIDE = re.compile(r"bpf/(?!abi/)")
# In the pure library: reaches neither the kernel's tables nor systemd, so that it can be fuzzed and tested as it is.
IMPURE_HEADERS = re.compile(r"^(bpf/|systemd/|cap-ng\.h)|\.skel\.h$")


def folder(name):
    """daemon/policy/load.c → policy."""
    return os.path.dirname(name)[len("daemon/"):] if name.startswith("daemon/") else os.path.dirname(name)


def below(name):
    found = set()
    pending = list(ARROWS[name])
    while pending:
        current = pending.pop()
        if current not in found:
            found.add(current)
            pending += ARROWS[current]
    return found


def is_allowed(name, target):
    a, b = folder(name), folder(target)
    return a == b or b in below(a) or os.path.splitext(target)[0][len("daemon/"):] in ALSO.get(a, ())


def objects(root, build, names):
    """{source: its object file}, of the daemon's libraries and both programs."""
    sources = {re.sub("/", "_", name): name for name in names if re.match(r"daemon/.*\.c$", name)}
    found = {}
    for path in glob.glob(f"{glob.escape(build)}/daemon/lib*.a.p/*.o") + \
            glob.glob(f"{glob.escape(build)}/barbwire*.p/*.o"):
        base = os.path.basename(path)[:-len(".o")]
        # meson names an object by its source below the meson.build that lists it.
        name = sources.get(base) or sources.get(f"daemon_{base}")
        # Where a file has moved, the object of its old place stays behind.
        if name:
            found[name] = path
    return found


def symbol_graph(found):
    """{source: {source that defines what it needs: [symbols]}}"""
    needed, owner = collections.defaultdict(set), {}
    for name, path in found.items():
        listing = subprocess.run(["nm", "--format=posix", path], capture_output=True, text=True, check=True).stdout
        for line in listing.splitlines():
            symbol, kind = line.split()[:2]
            if kind == "U":
                needed[name].add(symbol)
            elif kind.isupper() and kind != "W":
                owner[symbol] = name
    graph = collections.defaultdict(lambda: collections.defaultdict(list))
    for name, symbols in needed.items():
        for symbol in sorted(symbols):
            if owner.get(symbol, name) != name:
                graph[name][owner[symbol]].append(symbol)
    return graph


def check_table():
    for name, targets in ARROWS.items():
        require(set(targets) <= set(ARROWS), f"{name}: unknown folder among {targets}")


def check_folders(names):
    unknown = {folder(name) for name in names if re.match(r"daemon/.*\.[ch]$", name)} - set(ARROWS)
    require(not unknown, f"folders of daemon/ that the table does not have: {sorted(unknown)}")


def check_objects(names, found):
    missing = {name for name in names if re.match(r"daemon/.*\.c$", name)} - set(found) - BUILD_TOOLS
    require(not missing, f"sources that no library and no program has: {sorted(missing)}")


def check_symbols(graph):
    wrong = [f"{name} needs {', '.join(symbols)} of {target}" for name, targets in sorted(graph.items())
             for target, symbols in sorted(targets.items()) if not is_allowed(name, target)]
    require(not wrong, "against the arrows:\n" + "\n".join(wrong))


def check_includes(includes):
    wrong = []
    for name, entries in sorted(includes.items()):
        for _, target in entries:
            if not target:
                continue
            if name.startswith("bpf/"):
                allowed = target.startswith("bpf/")
            elif target.startswith("bpf/"):
                allowed = not KERNEL_SIDE.match(target) and folder(name) != "basic"
            else:
                allowed = is_allowed(name, target)
            if not allowed:
                wrong.append(f"{name} includes {target}")
    require(not wrong, "against the arrows:\n" + "\n".join(wrong))


def check_cycle(graph):
    cycle = tree.find_cycle(graph)
    require(not cycle, f"a cycle: {' → '.join(cycle or ())}")


def check_skeleton(includes):
    users = [name for name, entries in includes.items() if any(w.endswith(".skel.h") for w, _ in entries)]
    require(users == ["daemon/sensor/load.c"], f"files that include a skeleton: {users}")


def check_pure(includes, found):
    pure = [name for name, path in found.items() if "/libbarbwire-pure.a.p/" in path]
    require(pure, "no pure files")
    for name in pure:
        pending, seen = [name], set()
        while pending:
            current = pending.pop()
            if current in seen:
                continue
            seen.add(current)
            for written, target in includes[current]:
                require(not IMPURE_HEADERS.search(written),
                        f"{name} is in the pure library, but {current} includes {written}")
                if target:
                    pending.append(target)


def main():
    root, build = map(os.path.realpath, sys.argv[1:3])
    names = tree.tracked_files(root)
    includes = tree.includes(root, names)
    found = objects(root, build, names)
    graph = symbol_graph(found)
    t = tap.Tap()
    t.case("the table of arrows knows its folders", check_table)
    for what, edges in (("the table of arrows", ARROWS), ("who needs whose symbols", graph),
                        ("the include graph", {name: [target for _, target in entries if target]
                                               for name, entries in includes.items()})):
        t.case(f"{what} has no cycle", check_cycle, edges)
    t.case("every folder is in the table", check_folders, names)
    t.case("every source is in a library or a program", check_objects, names, found)
    t.case("symbols follow the arrows", check_symbols, graph)
    t.case("includes follow the arrows", check_includes, includes)
    t.case("only sensor/load.c includes the skeleton", check_skeleton, includes)
    t.case("pure files include neither libbpf nor systemd", check_pure, includes, found)
    t.done()


if __name__ == "__main__":
    main()
