#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The catalogue's table in README.md: what each sensor catches, from expected.py, which run.py holds it to.

usage: table.py [--readme]     as TAP: whether the catalogue is in order and README tells the same; --readme: writes it"""

import fnmatch
import os
import re
import sys
from unittest import mock

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../lib"), os.path.join(HERE, "../vm")]

import harness
import jobs
import play
import run
import tap
from expected import ELSEWHERE, EVERYWHERE, HOLES, SENSORS, TECHNIQUES, row_of
from tap import require, require_equal

README = os.path.join(harness.SOURCE_ROOT, "README.md")
BEGIN, END = "<!-- techniques: written by tests/techniques/table.py --readme -->", "<!-- techniques: end -->"


def case_names():
    """Of all parts, and nothing is run."""
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


def render():
    lines = ["| | technique | " + " | ".join(f"`{sensor}`" for sensor in SENSORS) + " |",
             "|---" * (len(SENSORS) + 2) + "|"]
    for row, what in TECHNIQUES.items():
        lines.append(f"| {row} | {what} | " + " | ".join(cell(row, sensor) for sensor in SENSORS) + " |")
    lines += ["", "| | and against the daemon | what becomes of it | played by `tests/` |", "|---|---|---|---|"]
    lines += [f"| {row} | {what} | {told} | {test} |" for row, what, told, test in ELSEWHERE]
    lines.append("")
    for number, hole in enumerate(HOLES, 1):
        where = "" if len(hole["sensors"]) == len(SENSORS) else ", ".join(f"`{s}`" for s in hole["sensors"]) + " "
        since = "before {}.{}".format(*hole["before"]) if "before" in hole else ""
        lines.append(f"({number}) {f'{where}{since}'.strip() or 'every sensor'}: not {hole['what']}: {hole['reason']}.")
        lines.append("")
    return lines[:-1]


def readme_parts():
    with open(README, encoding="utf-8") as source:
        text = source.read()
    require(BEGIN in text and END in text, f"README.md lacks {BEGIN}")
    before, rest = text.split(BEGIN + "\n", 1)
    told, after = rest.split(END, 1)
    return before, told, after


def check_rows(names):
    require_equal(sorted(set(re.findall(r"^[GHES]\d\d(?= )", "\n".join(names), re.MULTILINE))), sorted(TECHNIQUES),
                  "rows that have cases, and rows that are told of")


def check_names(names):
    twice = sorted({name for name in names if names.count(name) > 1})
    require(not twice, f"cases of one name: {twice}")


def check_holes(names):
    for hole in HOLES:
        require(hole["what"] and hole["reason"] and set(hole["sensors"]) <= set(SENSORS), f"incomplete: {hole}")
        for glob in hole["cases"]:
            require(row_of(glob) in TECHNIQUES, f"of no row: {glob}")
            require(fnmatch.filter(names, glob), f"no such case: {glob}")


def dealt(names, share):
    dealer = play.Dealer(share)
    return {name for name in names if dealer.deals(name)}


def check_shares(names):
    """What tests/vm/run plays on a kernel with a sensor is of every row; over all kernels a sensor has every case, and so
    has a kernel over all sensors."""
    for glob in EVERYWHERE:
        require(fnmatch.filter(names, glob), f"no such case: {glob}")
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


def check_readme():
    require_equal(readme_parts()[1].splitlines(), render(), "README.md, which table.py --readme writes")


def main():
    if sys.argv[1:] == ["--readme"]:
        before, _, after = readme_parts()
        with open(README, "w", encoding="utf-8") as out:
            out.write(before + "\n".join([BEGIN, *render(), ""]) + END + after)
        return
    names = case_names()
    t = tap.Tap()
    t.case("each row has cases, and each case a row", check_rows, names)
    t.case("each case has a name of its own", check_names, names)
    t.case("each hole is one of a case, with its reason", check_holes, names)
    t.case("guests have every row, each kernel and each sensor every case", check_shares, names)
    t.case("what is played elsewhere is there", check_elsewhere)
    t.case("README.md tells the same", check_readme)
    t.done()


if __name__ == "__main__":
    main()
