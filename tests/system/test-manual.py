#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The manual pages agree with the programs: options, keys, defaults. Needs no root."""

import glob
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import harness
import tap
from ctl import CTL
from tap import Skip, require, require_equal

MAN = os.path.join(harness.SOURCE_ROOT, "daemon/man")
# The page that the build makes.
GENERATED = os.path.join(harness.TEST_BIN, "../daemon/man/barbwire.journal-fields.7.scd")


def read(*path):
    with open(os.path.join(harness.SOURCE_ROOT, *path), encoding="utf-8") as file:
        return file.read()


def pages():
    """{name: path of its source}"""
    return {os.path.basename(path).removesuffix(".scd"): path for path in [*glob.glob(f"{MAN}/*.scd"), GENERATED]}


def page(name):
    return read(pages()[name])


def section(text, title):
    found = re.search(rf"^# {re.escape(title)}\n(.*?)(?=^# |\Z)", text, re.MULTILINE | re.DOTALL)
    require(found, f"no section {title}")
    return found[1]


def options(program, name):
    """Compares the options, including whether they take an argument."""
    said = subprocess.run([program, "--help"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=True, timeout=60).stdout
    helped = set(re.findall(r"^ +(?:-\w )?(--[a-z-]+=?)", said, re.MULTILINE))
    defined = "\n".join(re.findall(r"^\*-.*$", section(page(name), "OPTIONS"), re.MULTILINE))
    require(len(helped) > 5, f"--help lists {helped}")
    require_equal(set(re.findall(r"--[a-z-]+=?", defined)), helped, f"options in {name}, and in --help")


def exit_statuses(name, source):
    status = section(page(name), "EXIT STATUS")
    source = re.search(r"enum \{\s+\w+_OK = 0.*?\};", read(source), re.DOTALL)[0]
    require_equal(re.findall(r"^\*(\d+)\*$", status, re.MULTILINE), re.findall(r"= (\d+)", source),
                  f"exit statuses in {name}, and in the source")


def keys():
    table = re.findall(r"\{ SECTION_(\w+), \"(\w+)\"", read("daemon/policy/schema.c"))
    require(table, "no table of keys in the source")
    for kind, name, title in (("CLASS", "barbwire.policy.5", "[CLASS NAME] SECTION"),
                              ("ALLOW", "barbwire.policy.5", "[ALLOW NAME] SECTION"),
                              ("CARRIER", "barbwire.policy.5", "[CARRIER NAME] SECTION"),
                              ("LINEAGE", "barbwire.policy.5", "[LINEAGE NAME] SECTION"),
                              ("DESTINATION", "barbwire.policy.5", "[DESTINATION NAME] SECTION"),
                              ("SCORING", "barbwire.policy.5", "[SCORING] SECTION"),
                              ("CORRELATOR", "barbwire.conf.5", "[CORRELATOR] SECTION"),
                              ("QUERY", "barbwire.conf.5", "[QUERY] SECTION")):
        terms = re.findall(r"^\*\w+=\*(?:, \*\w+=\*)*$", section(page(name), title), re.MULTILINE)
        documented = re.findall(r"(\w+)=", " ".join(terms))
        require_equal(sorted(documented), sorted(key for k, key in table if k == kind), f"keys in {title}")


def defaults():
    header = read("daemon/policy/schema.h")

    def constant(name):
        return int(re.search(rf"#define {name} \(?(?:UINT64_C\()?(\d+)", header)[1])

    for name, key, wanted in (
            ("barbwire.policy.5", "Window", f"{constant('POLICY_WINDOW_DEFAULT_USEC') // 60}min"),
            ("barbwire.policy.5", "Score", str(constant("POLICY_SCORE_DEFAULT"))),
            ("barbwire.conf.5", "MaxMarks", str(constant("POLICY_MARKS_DEFAULT"))),
            ("barbwire.conf.5", "MaxProcesses", str(constant("POLICY_PROCESSES_DEFAULT"))),
            ("barbwire.conf.5", "MaxHops", str(constant("POLICY_HOPS_DEFAULT"))),
            ("barbwire.conf.5", "RingBuffer", str(constant("POLICY_RING_DEFAULT_BYTES")))):
        entry = re.search(rf"^\*{key}=\*\n(.*?)(?=^\S)", page(name), re.MULTILINE | re.DOTALL)[1]
        if wanted == "0":
            wanted = r"a\s+size\s+from\s+the\s+machine:\s+one\s+(?:byte\s+)?for\s+each[^.]*"
        require(re.search(rf"Defaults\s+to\s+{wanted}\.", entry),
                f"{name}: {key}= does not default to {wanted}: {entry}")


def examples():
    """Every policy in a page passes the check."""
    shown = [example for name in ("barbwire.policy.5", "barbwire.conf.5")
             for example in re.findall(r"^```\n(\[.*?)^```$", page(name), re.MULTILINE | re.DOTALL)]
    require(len(shown) >= 2, f"examples: {shown}")
    with harness.Home() as home:
        directory = os.fsdecode(home.root)
        for name in os.listdir(harness.DEFAULT_POLICY):
            shutil.copy(os.path.join(harness.DEFAULT_POLICY, name), directory)
        for number, example in enumerate(shown):
            with open(f"{directory}/9{number}-example.conf", "w", encoding="utf-8") as out:
                out.write(example)
        result = subprocess.run([harness.BARBWIRED, "--check", f"--policy-dir={directory}"], stdin=subprocess.DEVNULL,
                                capture_output=True, text=True, timeout=60)
    # Notes say what links on this machine lead to.
    complaints = [line for line in result.stderr.splitlines() if not line.endswith(" (note)")]
    require_equal((result.returncode, complaints), (0, []), "--check")


def references():
    """Our pages that are referred to exist."""
    names = set(pages())
    named = {f"{match[0]}.{match[1]}" for name in names
             for match in re.findall(r"\*(barbwire[\w.-]*)\*\((\d)\)", page(name))}
    named |= {f"{match[0]}.{match[1]}" for match in re.findall(r"man:(barbwire[\w.-]*)\((\d)\)",
                                                               read("units/barbwire.service.in"))}
    require(named <= names, f"not there: {named - names}")


def rendered():
    if not shutil.which("scdoc"):
        raise Skip("needs scdoc")
    for path in pages().values():
        with open(path, "rb") as source:
            result = subprocess.run(["scdoc"], stdin=source, capture_output=True, timeout=60)
        require(result.returncode == 0 and not result.stderr, f"{path}: {result.stderr}")


def main():
    t = tap.Tap()
    t.case("barbwired(8) and --help name the same options", options, harness.BARBWIRED, "barbwired.8")
    t.case("barbwirectl(1) and --help name the same options", options, CTL, "barbwirectl.1")
    t.case("exit statuses of barbwired", exit_statuses, "barbwired.8", "daemon/barbwired.c")
    t.case("exit statuses of barbwirectl", exit_statuses, "barbwirectl.1", "daemon/client/ctl.h")
    t.case("keys of the policy and the configuration", keys)
    t.case("defaults", defaults)
    t.case("examples pass --check", examples)
    t.case("pages that are referred to exist", references)
    t.case("scdoc accepts every page", rendered)
    t.done()


if __name__ == "__main__":
    main()
