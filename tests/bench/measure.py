# SPDX-License-Identifier: GPL-2.0-or-later
"""Rounds of measurements: each operation and each workload under each configuration, in another order each round."""

import json
import os
import resource
import shlex
import statistics
import subprocess

import harness
from configurations import Unavailable

# A large directory that every Debian machine has.
TREE = "/usr/share"


def operations_measure(scene, seconds, operations):
    command = [scene.operations, str(seconds), scene.short, scene.root, *operations]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    return {name: float(value) for name, value in (line.split() for line in result.stdout.splitlines())}


def compile_commands(scene, count):
    """The commands by which ninja would compile so many of this project's sources; the objects go to the scene."""
    build = os.path.dirname(harness.BARBWIRED)
    with open(f"{build}/compile_commands.json", encoding="utf-8") as file:
        entries = [e for e in json.load(file) if "/daemon/" in e["file"] and "libbarbwire" in e["output"]]
    entries.sort(key=lambda e: e["file"])
    result = []
    for entry in entries[::max(1, len(entries) // count)][:count]:
        words = shlex.split(entry["command"])
        words[words.index("-o") + 1] = f"{scene.root}/object.o"
        # So does the list of dependencies: the build directory is not changed.
        if "-MF" in words:
            words[words.index("-MF") + 1] = f"{scene.root}/object.d"
        result.append((words, entry["directory"]))
    return result


def workload_compile(scene, count):
    for words, directory in compile_commands(scene, count):
        subprocess.run(words, cwd=directory, stdin=subprocess.DEVNULL, check=True)


def workload_stat(*_):
    """find(1) reads the size of every file."""
    subprocess.run(["find", TREE, "-xdev", "-size", "+1000000k"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   check=True)


WORKLOADS = {"compile": workload_compile, "stat-heavy": workload_stat}


def workload_measure(scene, name, compiled):
    """User and system time of all processes of a workload, in ns."""
    def spent():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before = spent()
    WORKLOADS[name](scene, compiled)
    return (spent() - before) * 1e9


class Rounds:
    """{operation: {configuration: [ns per round]}}"""

    def __init__(self, scene, configurations, operations, workloads, on_failure=None):
        """on_failure(name, error): a configuration that fails is left out from then on; None: it ends the run."""
        self.scene, self.configurations, self.on_failure = scene, configurations, on_failure
        self.operations, self.workloads = operations, workloads
        self.times = {what: {name: [] for name in configurations.names} for what in operations + workloads}

    def round(self, number, seconds, compiled, on_entered=lambda name, entered: None):
        """Another order each round, so that the after-effects of a configuration do not always hit the same one.
        compiled: the number of sources to compile; 0: a round without workloads. on_entered is called after the
        measurement."""
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
            except Exception as error:
                if not self.on_failure:
                    raise
                self.on_failure(name, error)
                self.configurations.leave_out(name, f"failed in round {number + 1}: {error}")

    def measure(self, name, seconds, compiled):
        if self.operations:
            for operation, value in operations_measure(self.scene, seconds, self.operations).items():
                self.times[operation][name].append(value)
        for workload in self.workloads if compiled else ():
            self.times[workload][name].append(workload_measure(self.scene, workload, compiled))


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def summarise(times, reference=("bare", "empty")):
    """{operation: {configuration: {"ns": …, "bare": ratio, "empty": ratio, "added": …}}}, each with median, minimum and
    maximum. Ratios are taken within a round, so that drift from round to round cancels out."""
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
                    # A clock that has not moved says nothing of a ratio.
                    ratios = [a / b for a, b in zip(values, below) if b > 0]
                    if ratios:
                        entry[other] = spread(ratios)
                    entry[f"added_to_{other}"] = spread([a - b for a, b in zip(values, below)])
    return report
