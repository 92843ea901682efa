# SPDX-License-Identifier: GPL-2.0-or-later
"""The result of a run: a table for people (also for RESULTS.md), JSON for programs, TAP for meson."""

import datetime
import json
import re

from jobs import KERNELS, SENSORS, TOMORROW

# Up to so many cases of a test are named one by one in RESULTS.md.
NAMED_MAX = 8
RESULTS_BEGIN, RESULTS_END = "<!-- kernels: written by tests/vm/run --readme -->", "<!-- kernels: end -->"


def verdict(outcome):
    """The result of a step in a few words, for a table."""
    numbers = f"{outcome.count('passed')} passed"
    if outcome.count("failed") or outcome.problem:
        numbers = f"FAILED ({outcome.problem or str(outcome.count('failed')) + ' of ' + str(len(outcome.cases))})"
    if outcome.count("skipped"):
        numbers += f", {outcome.count('skipped')} skipped"
    return numbers


def explain(outcome):
    """What a person needs to investigate a step that did not pass."""
    lines = [f"FAILED: {outcome.job.name}: {outcome.step.name} {outcome.step.sensor}: {outcome.problem}".rstrip(": ")]
    lines += [f"  not ok: {name}" for name, result, _ in outcome.cases if result == "failed"]
    lines += ["  " + line for line in outcome.diagnostics.splitlines()]
    return "\n".join(lines)


def show(runs, say):
    rows = [("job", "kernel", "sensor", "test", "result", "seconds")]
    for run in runs:
        for outcome in run.outcomes:
            rows.append((run.job.name, run.kernel.version, outcome.step.sensor or "-", outcome.step.name,
                         verdict(outcome), f"{outcome.seconds:.0f}"))
        rows.append((run.job.name, run.kernel.version, "", "(guest in all)", "", f"{run.seconds:.0f}"))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    for run in runs:
        failed = [outcome for outcome in run.outcomes if not outcome.passed]
        for outcome in failed:
            say(explain(outcome))
        if any(outcome.problem for outcome in failed):
            say(f"the console of {run.job.name} ended with:\n{run.console}")
        for outcome in run.outcomes:
            for note in outcome.notes:
                say(f"{run.job.name}: {note}")
            for name, result, reason in outcome.cases:
                if result == "skipped":
                    say(f"skipped: {run.job.name}: {name}: {reason}")


def as_json(runs, seconds):
    return json.dumps({
        "seconds": round(seconds, 1),
        "jobs": [{
            "name": run.job.name, "kernel": run.kernel.label, "version": run.kernel.version, "release": run.release,
            "arguments": run.job.arguments, "seconds": run.seconds, "passed": run.passed,
            "steps": [{
                "name": outcome.step.name, "sensor": outcome.step.sensor or None, "seconds": outcome.seconds,
                "problem": outcome.problem or None, "notes": outcome.notes,
                "cases": [dict(zip(("name", "result", "reason"), case)) for case in outcome.cases],
            } for outcome in run.outcomes],
        } for run in runs]}, indent=1)


def tap(runs, say):
    """One case for each kernel and sensor; returns whether the run passed."""
    outcomes, failed = [(run, outcome) for run in runs for outcome in run.outcomes], 0
    for number, (run, outcome) in enumerate(outcomes, 1):
        name = f"{run.job.kernel} ({run.kernel.version}) {outcome.step.sensor}: {outcome.step.name}"
        if outcome.passed:
            say(f"ok {number} - {name}")
        elif run.job.kernel == TOMORROW:
            say(f"not ok {number} - {name} # TODO the newest kernel: the full run fails")
        else:
            failed += 1
            say(f"not ok {number} - {name}")
    say(f"1..{len(outcomes)}")
    return failed == 0


def results_table(runs):
    """The results of each sensor on each kernel, then those of the other jobs."""
    cells, versions, lines = {}, {}, []
    for run in runs:
        versions[run.job.kernel] = run.kernel.version
        for outcome in run.outcomes:
            if run.job.name == run.job.kernel:
                cells.setdefault((run.job.kernel, outcome.step.sensor), []).append(outcome)
    lines += ["| kernel (Debian's) | " + " | ".join(f"`{sensor}`" for sensor in SENSORS) + " |",
              "|---" * (len(SENSORS) + 1) + "|"]
    for kernel in KERNELS:
        line = [f"{versions.get(kernel, kernel)}"]
        for sensor in SENSORS:
            outcomes = cells.get((kernel, sensor), [])
            passed, failed, skipped = (sum(o.count(v) for o in outcomes) for v in ("passed", "failed", "skipped"))
            text = f"{passed} tests passed" if outcomes else "not run"
            # What the sensor reports as not monitored there.
            text += f", {skipped} skipped" if skipped else ""
            if failed or any(not o.passed for o in outcomes):
                text += f", {failed} failed" if failed else ", not all ran"
            if sensor == "lsm" and outcomes and outcomes[0].job.arguments:
                text += f" (booted with `{outcomes[0].job.arguments}`)"
            line.append(text)
        lines.append("| " + " | ".join(line) + " |")
    lines += ["", "| other jobs | kernel | |", "|---|---|---|"]
    for outcome in (outcome for run in runs if run.job.name != run.job.kernel for outcome in run.outcomes):
        named = [name for name, result, _ in outcome.cases if result == "passed"]
        named = named if len(named) <= NAMED_MAX else [verdict(outcome)]
        named += [f"FAILED: {name}" for name, result, _ in outcome.cases if result == "failed"]
        named += [f"FAILED: {outcome.problem}"] if outcome.problem else []
        sensor = f" ({outcome.step.sensor})" if outcome.step.sensor else ""
        name = outcome.step.name if outcome.job.architecture == "amd64" else f"arm64: {outcome.step.name}"
        lines.append(f"| {name}{sensor} | {versions[outcome.job.kernel]} | {'; '.join(named)} |")
    return lines


def results_share(runs):
    """How many cases of techniques were played with each sensor on each kernel, from the notes of run.py."""
    notes = [re.match(r"(\d+) of (\d+) cases", note) for run in runs if run.job.name == run.job.kernel
             for outcome in run.outcomes for note in outcome.notes]
    shares = sorted({int(note[1]) for note in notes if note})
    if not shares:
        return ""
    total = next(note[2] for note in notes if note)
    return f"; each cell has {shares[0]} to {shares[-1]} of the {total} cases of techniques, with cases of every row"


def results_write(path, runs):
    """Replaces the text between the two marker comments."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    before, rest = text.split(RESULTS_BEGIN)
    after = rest.split(RESULTS_END)[1]
    body = "\n".join([f"Run {datetime.date.today()}, emulated by qemu{results_share(runs)}:", "", *results_table(runs)])
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{before}{RESULTS_BEGIN}\n{body}\n{RESULTS_END}{after}")
