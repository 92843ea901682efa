#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The tables of barbwire-detection(7): what each sensor detects, from rows/expected.py, which run.py enforces.

usage: table.py [--write]     checks, as TAP, that the catalogue is consistent and the manual agrees with it; --write:
                              writes the generated parts of the manual"""

import fnmatch
import glob
import os
import re
import sys
from unittest import mock

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../harness"), os.path.join(HERE, "../vm")]

import harness
import jobs
import play
import run
import tap
from rows.expected import CHANNELS, ELSEWHERE, EVERYWHERE, HOLES, SENSORS, TECHNIQUES, row_of
from tap import require, require_equal

PAGE = os.path.join(harness.SOURCE_ROOT, "daemon/man/barbwire-detection.7.scd")


def case_names():
    """The names of all cases of all parts; none is run."""
    names = []
    recorder = mock.Mock(case=lambda name, *args, **kwargs: names.append(name))
    with mock.patch.object(harness, "sees_host", return_value=True):
        for prepare, part in run.PARTS.values():
            part(recorder, mock.MagicMock(), *([mock.MagicMock()] if prepare else []))
    return names


def cell(row, sensor):
    marks = [(number, hole) for number, hole in enumerate(HOLES, 1)
             if sensor in hole["sensors"] and row in map(row_of, hole["cases"])]
    nothing = any(row + " *" in hole["cases"] and "before" not in hole for _, hole in marks)
    return ("no" if nothing else "yes") + "".join(f" ({number})" for number, _ in marks)


def scdoc(text):
    """Text of the catalogue, in which `...` is literal, as scdoc source."""
    plain, *rest = text.split("`")
    pieces = [re.sub(r"([\\*_~])", r"\\\1", plain)]
    for literal, piece in zip(rest[::2], rest[1::2]):
        pieces += ["_" + re.sub(r"([\\*_~.])", r"\\\1", literal) + "_", re.sub(r"([\\*_~])", r"\\\1", piece)]
    return "".join(pieces)


def scdoc_table(alignments, rows):
    """The first row is the title."""
    lines = []
    for number, row in enumerate(rows):
        for column, text in enumerate(row):
            begin = "|" if column == 0 else ":"
            lines.append(f"{begin}{alignments[column] if number == 0 else ' '} {text}")
    return lines


def techniques():
    rows = [["*Row*", "*Technique*", *(f"*{sensor}*" for sensor in SENSORS)]]
    rows += [[row, scdoc(what), *(cell(row, sensor) for sensor in SENSORS)] for row, what in TECHNIQUES.items()]
    return scdoc_table("[<" + "[" * len(SENSORS), rows)


def closed_by(hole):
    """Which sensors detect it, and on which kernels."""
    sensors = [f"*{sensor}*" for sensor in SENSORS if sensor not in hole["sensors"]]
    since = ["every sensor since Linux {}.{}".format(*hole["before"])] if "before" in hole else []
    return "Detected by " + " and ".join([*sensors, *since]) if sensors or since else "No sensor detects it"


def exceptions():
    lines = []
    for number, hole in enumerate(HOLES, 1):
        where = "every sensor" if len(hole["sensors"]) == len(SENSORS) else ", ".join(f"*{s}*" for s in hole["sensors"])
        since = ", before Linux {}.{}".format(*hole["before"]) if "before" in hole else ""
        what = hole["what"][0].upper() + hole["what"][1:]
        lines += [f"({number}) {where}{since}", f"\t{scdoc(what)}: {scdoc(hole['reason'])}. It carries"
                  f" {scdoc(hole['carries'])}. {closed_by(hole)}.", ""]
    return lines[:-1]


def elsewhere():
    rows = [["*Row*", "*Technique*", "*Result*", "*Test*"]]
    rows += [[row, scdoc(what), scdoc(result), ", ".join(f"_{scdoc(test)}_" for test in tests.split(", "))]
             for row, what, result, tests in ELSEWHERE]
    return scdoc_table("[<<[", rows)


def calls():
    """The system calls, operations of io_uring and requests of ioctl(2) that the tables of bpf/lib/ call a hole."""
    names = []
    for header, macro, form in (("calls.h", "BW_CALLS", "{}"), ("requests.h", "BW_OPERATIONS", "IORING_OP_{}"),
                                ("requests.h", "BW_REGISTRATIONS", "IORING_{}"),
                                ("requests.h", "BW_CONTROLS", "{}")):
        with open(os.path.join(harness.SOURCE_ROOT, "bpf/lib", header), encoding="utf-8") as source:
            rows = re.search(rf"#define {macro}\(X\)((?:.*\\\n)+.*\n)", source.read())[1]
        names += sorted(form.format(name) for name in re.findall(r"X\((\w+),[^)]* (?:HOLE|NAME)\)", rows))
    return [", ".join(f"_{scdoc(name)}_" for name in names) + "."]


def channels():
    rows = [["*Channel*", "*Bytes in a call*", "*KiB a second*"]]
    rows += [[scdoc(what), f"{size}", f"{rate:,}"] for _, what, size, rate in CHANNELS]
    return scdoc_table("[]]", rows)


def allow_rules():
    """The [Allow] sections of the default policy: (name, {key: values}, the comment before it, or before the rule
    that it follows)."""
    rules = []
    for path in sorted(glob.glob(os.path.join(harness.DEFAULT_POLICY, "*.conf"))):
        with open(path, encoding="utf-8") as source:
            text = source.read()
        block, before, inside, keys = [], "", False, {}
        for line in text.split("\n"):
            if not line:
                block, inside = [], False
            elif line.startswith("#"):
                block += [] if inside else [line[1:].strip()]
            elif line.startswith("["):
                kind, _, name = line.strip("[]").partition(" ")
                before = " ".join(block) or (before if kind == "Allow" else "")
                # Another section of the same name extends it.
                known = next((k for n, k, _ in rules if n == name), None) if kind == "Allow" else None
                keys, inside = known if known is not None else {}, True
                if kind == "Allow" and known is None:
                    rules.append((name, keys, before))
            elif "=" in line:
                key, _, value = line.partition("=")
                keys.setdefault(key, []).extend(value.split())
    return rules


def allowed():
    """What remains of a secret to a thief who has such a program."""
    lines = []
    for name, keys, comment in allow_rules():
        sends = ", ".join(keys.get("Destination", ["anywhere"]))
        passes = ", ".join(keys.get("Passes", ["output", "files", "children"]))
        only = ", ".join(f"{key}=" for key in ("Script", "Unit", "User", "Ancestor") if key in keys)
        said = re.split(r"(?<=[a-z)\]\"])[.] ", comment + " ")
        gap = next((sentence.strip() for sentence in said[1:] if sentence.startswith("Known gap")), "")
        reason = re.split(r"(?<=[a-z)\]])[.:] ", comment + " ")[0].strip().rstrip(".")
        lines += [f"*{scdoc(name)}*: {scdoc(', '.join(keys['Class']))}",
                  f"\tSends to: {scdoc(sends)}. Passes: {passes}{only and '; only with ' + only}." +
                  "".join(f" {scdoc(sentence)}." for sentence in (reason, gap) if sentence), ""]
    return lines[:-1]


PARTS = {"allowed": allowed, "channels": channels, "techniques": techniques, "exceptions": exceptions,
         "elsewhere": elsewhere, "calls": calls}


def part_pattern(name):
    """Comments of scdoc, on lines of their own, around what is generated."""
    return re.compile(rf"(^; {name}: written by tests/techniques/table.py --write\n\n)(.*?)(\n\n; {name}: end\n)",
                      re.MULTILINE | re.DOTALL)


def page_read():
    with open(PAGE, encoding="utf-8") as source:
        return source.read()


def page_write():
    text = page_read()
    for name, render in PARTS.items():
        body = "\n".join(render())
        text, n = part_pattern(name).subn(lambda match, body=body: match[1] + body + match[3], text)
        require(n == 1, f"{PAGE} has {n} places for {name}")
    with open(PAGE, "w", encoding="utf-8") as out:
        out.write(text)


def check_rows(names):
    require_equal(sorted(set(re.findall(r"^[GHES]\d\d(?= )", "\n".join(names), re.MULTILINE))), sorted(TECHNIQUES),
                  "rows that have cases, and rows of the catalogue")


def check_names(names):
    twice = sorted({name for name in names if names.count(name) > 1})
    require(not twice, f"cases of one name: {twice}")


def check_holes(names):
    for hole in HOLES:
        require(hole["what"] and hole["reason"] and hole["carries"] and set(hole["sensors"]) <= set(SENSORS),
                f"incomplete: {hole}")
        for case in hole["cases"]:
            require(row_of(case) in TECHNIQUES, f"of no row: {case}")
            require(fnmatch.filter(names, case), f"no such case: {case}")


def dealt(names, share):
    dealer = play.Dealer(share)
    return {name for name in names if dealer.deals(name)}


def check_shares(names):
    """tests/vm/run plays a case of every row on each kernel with each sensor. Over all kernels each sensor gets every
    case, and over all sensors each kernel does."""
    for case in EVERYWHERE:
        require(fnmatch.filter(names, case), f"no such case: {case}")
    played = {(job.kernel, step.sensor): dealt(names, int(step.command[-1])) for job in jobs.full(jobs.SENSORS)
              for step in job.steps if job.name == job.kernel and step.name == "techniques"}
    require_equal(len(played), len(jobs.KERNELS) * len(SENSORS), "kernels x sensors")
    for pair, cases in played.items():
        missing = set(map(row_of, names)) - set(map(row_of, cases))
        require(not missing, f"{pair}: no case of {missing}")
    for which, axis in enumerate((jobs.KERNELS, SENSORS)):
        for place in axis:
            missing = set(names).difference(*(cases for pair, cases in played.items() if pair[which] == place))
            require(not missing, f"{place}: never {sorted(missing)[:5]}")


def check_elsewhere():
    for _, _, _, tests in ELSEWHERE:
        for name in tests.split(", "):
            require(os.path.exists(os.path.join(harness.SOURCE_ROOT, "tests", name)), f"no such test: {name}")


def check_channels():
    """The channels of the table are those that bench/channels.c measures."""
    with open(os.path.join(harness.SOURCE_ROOT, "tests/bench/channels.c"), encoding="utf-8") as source:
        table = re.search(r"^static const Channel channels\[\] = \{\n(.*?)^\};", source.read(),
                          re.MULTILINE | re.DOTALL)
    measured = re.findall(r'\{ "([\w-]+)", (\d+), \w+ \}', table[1])
    require_equal([(name, int(size)) for name, size in measured], [(name, size) for name, _, size, _ in CHANNELS],
                  "channels")


def check_manual():
    text = page_read()
    for name, render in PARTS.items():
        found = part_pattern(name).search(text)
        require(found, f"{PAGE} has no place for {name}")
        require_equal(found[2].splitlines(), render(), f"{PAGE}, {name}, which table.py --write writes")


def main():
    if sys.argv[1:] == ["--write"]:
        page_write()
        return
    names = case_names()
    t = tap.Tap()
    t.case("each row has cases, and each case has a row", check_rows, names)
    t.case("each case has a name of its own", check_names, names)
    t.case("each hole names a case and a reason", check_holes, names)
    t.case("guests play every row, each kernel and each sensor every case", check_shares, names)
    t.case("tests of the other rows exist", check_elsewhere)
    t.case("small channels are those that were measured", check_channels)
    t.case("barbwire-detection(7) agrees with the catalogue", check_manual)
    t.done()


if __name__ == "__main__":
    main()
