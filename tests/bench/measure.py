# SPDX-License-Identifier: GPL-2.0-or-later
"""Rounds of measuring: each operation and each workload under each configuration, in another order each round."""

import json
import os
import resource
import shlex
import statistics
import subprocess

import harness
from configurations import Unavailable

# A tree that every Debian machine has, and that is large enough.
TREE = "/usr/share"


def operations_measure(scene, seconds, operations):
    command = [scene.operations, str(seconds), scene.short, scene.root, *operations]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    return {name: float(value) for name, value in (line.split() for line in result.stdout.splitlines())}


def compile_commands(scene, count):
    """How ninja would compile so many of this project's sources, spread over the alphabet; the objects go to the scene."""
    build = os.path.dirname(harness.BARBWIRED)
    with open(f"{build}/compile_commands.json", encoding="utf-8") as file:
        entries = [e for e in json.load(file) if "/daemon/" in e["file"] and "libbarbwire" in e["output"]]
    entries.sort(key=lambda e: e["file"])
    result = []
    for entry in entries[::max(1, len(entries) // count)][:count]:
        words = shlex.split(entry["command"])
        words[words.index("-o") + 1] = f"{scene.root}/object.o"
        # Nor its list of dependencies: the build directory stays as it is.
        if "-MF" in words:
            words[words.index("-MF") + 1] = f"{scene.root}/object.d"
        result.append((words, entry["directory"]))
    return result


def workload_compile(scene, count):
    for words, directory in compile_commands(scene, count):
        subprocess.run(words, cwd=directory, stdin=subprocess.DEVNULL, check=True)


def workload_stat(*_):
    """find(1) asks for every file's size."""
    subprocess.run(["find", TREE, "-xdev", "-size", "+1000000k"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   check=True)


WORKLOADS = {"compile": workload_compile, "stat-heavy": workload_stat}


def workload_measure(scene, name, compiled):
    """User and system time of all its processes, in ns."""
    def spent():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before = spent()
    WORKLOADS[name](scene, compiled)
    return (spent() - before) * 1e9


class Rounds:
    """{operation: {configuration: [ns per round]}}"""

    def __init__(self, scene, configurations, operations, workloads):
        self.scene, self.configurations = scene, configurations
        self.operations, self.workloads = operations, workloads
        self.times = {what: {name: [] for name in configurations.names} for what in operations + workloads}

    def round(self, number, seconds, compiled, on_entered=lambda name, entered: None):
        """Another order each round: what a configuration leaves behind must not always hit the same neighbour. compiled: how
        much the compile compiles; 0: a round without workloads. on_entered is called after the measuring."""
        names = list(self.configurations.names)
        shift = number % len(names)
        order = names[shift:] + names[:shift]
        if number % 2:
            order.reverse()
        for name in order:
            try:
                with self.configurations.enter(name) as entered:
                    self.measure(name, seconds, compiled)
                    on_entered(name, entered)
            except Unavailable as reason:
                self.configurations.leave_out(name, reason)

    def measure(self, name, seconds, compiled):
        if self.operations:
            for operation, value in operations_measure(self.scene, seconds, self.operations).items():
                self.times[operation][name].append(value)
        for workload in self.workloads if compiled else ():
            self.times[workload][name].append(workload_measure(self.scene, workload, compiled))


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def summarise(times, reference=("bare", "empty")):
    """{operation: {configuration: {"ns": …, "bare": ratio, "empty": ratio, "added": …}}}: ratios are taken within a round, then
    their median: drift from round to round cancels out. Of each the median, the least and the most."""
    report = {}
    for operation, by_name in times.items():
        report[operation] = {}
        for name, values in by_name.items():
            if not values:
                continue
            entry = report[operation][name] = {"ns": spread(values)}
            for other in reference:
                below = by_name.get(other)
                if below and name != other:
                    entry[other] = spread([a / b for a, b in zip(values, below)])
                    entry[f"added_to_{other}"] = spread([a - b for a, b in zip(values, below)])
    return report
