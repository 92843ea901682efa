# SPDX-License-Identifier: GPL-2.0-or-later
"""The source tree as the tests in this folder see it."""

import os
import re
import subprocess


def tracked_files(root):
    """What git knows, and what is new and not ignored; without git, everything but build directories."""
    if os.path.exists(f"{root}/.git"):
        # The clone may belong to another user than the one who tests it.
        listing = subprocess.run(["git", "-c", f"safe.directory={root}", "-C", root, "ls-files", "-z", "--cached",
                                  "--others", "--exclude-standard"], capture_output=True, check=True).stdout
        names = {os.fsdecode(name) for name in listing.split(b"\0") if name}
    else:
        names = set()
        for directory, children, files in os.walk(root):
            children[:] = [c for c in children if c != ".git" and not c.startswith("build")]
            names |= {os.path.relpath(os.path.join(directory, name), root) for name in files}
    return sorted(name for name in names if os.path.isfile(os.path.join(root, name)))


def lines_of(root, name):
    with open(os.path.join(root, name), encoding="utf-8", errors="surrogateescape") as file:
        return file.read().splitlines()


def includes(root, names):
    """{file: [(as written, file in the tree or None)]} for C sources and headers of bpf/ and daemon/."""
    names = set(names)
    graph = {}
    for name in sorted(names):
        if re.match(r"(bpf|daemon)/.*\.[ch]$", name):
            written = [m.group(1) for m in (re.match(r'\s*#\s*include\s*[<"]([^>"]+)', line)
                                            for line in lines_of(root, name)) if m]
            graph[name] = [(w, next((f"{r}/{w}" for r in ("daemon", "bpf") if f"{r}/{w}" in names), None))
                           for w in written]
    return graph


def find_cycle(graph):
    """One cycle of {node: nodes} as a list that ends where it begins, or None."""
    done, path = set(), []

    def visit(node):
        if node in path:
            return path[path.index(node):] + [node]
        if node in done:
            return None
        path.append(node)
        for target in sorted(graph.get(node, ())):
            cycle = visit(target)
            if cycle:
                return cycle
        path.pop()
        done.add(node)
        return None

    return next((cycle for cycle in map(visit, sorted(graph)) if cycle), None)
