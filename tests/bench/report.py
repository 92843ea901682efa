# SPDX-License-Identifier: GPL-2.0-or-later
"""The results as text, for RESULTS.md, and as a plot; and the targets, each with what was measured."""

import os
import re
import subprocess

import harness

RESULTS = f"{harness.SOURCE_ROOT}/tests/bench/RESULTS.md"
SVG = f"{harness.SOURCE_ROOT}/tests/bench/cost.svg"
BEGIN, END = "<!-- cost: written by tests/bench/run --readme -->", "<!-- cost: end -->"
PLOTTED = ("stat", "open-close-deep", "open-close-allowed", "connect-udp", "send-udp", "pipe-write-read",
           "fork-exec-exit")
TITLES = {"bare": "bare, ns", "empty": "empty programs", "barbwire-0": "Barbwire, 2 patterns", "barbwire": "Barbwire",
          "barbwire-10000": "Barbwire, 10,000 patterns", "bpftrace": "bpftrace", "audit": "kernel audit",
          "opensnoop": "opensnoop", "fatrace": "fatrace"}
PEERS = ("bpftrace", "audit", "opensnoop", "fatrace")


def short_number(value):
    return f"{value:,.0f}" if value >= 10 else f"{value:.2f}"


def text(results):
    """A table: the bare machine in ns, the others as multiples of it."""
    names = results["configurations"]
    rows = [["operation", *names]]
    for operation, entry in results["operations"].items():
        row = [operation]
        for name in names:
            if name == "bare" and name in entry:
                row.append(f"{entry[name]['ns']['median']:,.0f} ns")
            elif name in entry and "bare" in entry[name]:
                ratio = entry[name]["bare"]
                row.append(f"{ratio['median']:.2f} ({ratio['min']:.2f}–{ratio['max']:.2f})")
            else:
                row.append(f"{entry[name]['ns']['median']:,.0f} ns" if name in entry else "–")
        rows.append(row)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    lines += [f"{name}: not measured: {why}" for name, why in results.get("missing", {}).items()]
    return "\n".join(lines)


def figures_text(figures):
    lines = []
    for name, value in figures.items():
        if isinstance(value, (int, float)):
            lines.append(f"{name:32} {value:,.3f}" if isinstance(value, float) else f"{name:32} {value:,}")
        elif name == "journal_loaded":
            lines += [f"journal at {v['made_per_second']:,.0f}/s: wrote {v['written']:,} of {v['made']:,}"
                      f" ({v['written_per_second']:,.0f}/s), another's p50 {v['p50_ms']:.1f} ms,"
                      f" p99 {v['p99_ms']:.1f} ms,"
                      f" processor time for each: ours {v['us_each']:.0f} µs, journald's {v['journald_us_each']:.0f} µs"
                      for v in value]
        elif name == "hook_times":
            lines.append("in the kernel, ns for each run of a program (with bpf_stats, which costs some of it):")
            lines += [f"  {operation:30} "
                      + ", ".join(f"{hook} {ns:.0f} × {runs}" for hook, (runs, ns) in hooks.items())
                      for operation, hooks in value.items()]
    return "\n".join(lines)


# ---- targets ----

def ratio(results, operation, name, other):
    return results["operations"][operation][name][other]["median"]


def added(results, operation, name):
    return results["operations"][operation][name]["added_to_bare"]["median"]


def targets(results):
    """[(what, wanted, measured, met)], without those that were not measured."""
    found = []

    def target(what, limit, measure, at_least=False, unit=""):
        try:
            came = measure()
        except (KeyError, IndexError, ValueError, ZeroDivisionError):
            return
        found.append((what, f"{'≥' if at_least else '≤'} {limit:,}{unit}", f"{short_number(came)}{unit}",
                      came >= limit if at_least else came <= limit))

    target("open+close, 8 components: added cost, relative to empty programs", 2,
           lambda: added(results, "open-close-deep", "barbwire") / added(results, "open-close-deep", "empty"),
           unit=" ×")
    for peer in PEERS:
        target(f"the same, relative to {TITLES[peer]}", 1,
               lambda peer=peer:
               added(results, "open-close-deep", "barbwire") / added(results, "open-close-deep", peer),
               unit=" ×")
    for operation in ("connect-udp", "connect-close-tcp", "send-udp", "send-tcp"):
        target(f"{operation}: relative to empty programs", 1.25,
               lambda op=operation: ratio(results, op, "barbwire", "empty"), unit=" ×")
    target("open-close-allowed: relative to the bare machine", 2,
           lambda: ratio(results, "open-close-allowed", "barbwire", "bare"), unit=" ×")
    target("send-tcp by a process with a bound mark, 300 others alive: relative to one without", 1.1,
           lambda: results["operations"]["send-tcp-bound"]["barbwire"]["ns"]["median"]
           / results["operations"]["send-tcp"]["barbwire"]["ns"]["median"], unit=" ×")
    target("fork-exec-exit: relative to empty programs", 1.10,
           lambda: ratio(results, "fork-exec-exit", "barbwire", "empty"), unit=" ×")
    target("compile, user+sys: relative to the bare machine", 1.01,
           lambda: ratio(results, "compile", "barbwire", "bare"), unit=" ×")
    target("open+close, 8 components: 10,000 patterns, relative to the default policy", 1.10,
           lambda: results["operations"]["open-close-deep"]["barbwire-10000"]["ns"]["median"]
           / results["operations"]["open-close-deep"]["barbwire"]["ns"]["median"], unit=" ×")
    figures = results.get("figures", {})
    target("alerts written without loss, JSON", 20000, lambda: figures["alerts_per_second"], at_least=True, unit="/s")
    target("connect() to the entry in the journal, idle, p99", 5, lambda: figures["journal_idle_p99_ms"], unit=" ms")
    target("the same at the highest rate without a flood alert", 100,
           lambda: max(v["p99_ms"] for v in figures["journal_loaded"] if v["written"] == v["made"]), unit=" ms")
    target("RSS, including mapped policy tables", 8, lambda: figures["rss_kib"] / 1024, unit=" MiB")
    target("BPF memory", 24, lambda: figures["bpf_memory_kib"] / 1024, unit=" MiB")
    target("idle wake-ups a second", 0.2, lambda: figures["idle_wakeups_per_second"])
    target("list of alerts: of 200 hosts, relative to as many alerts of 20, processor time", 2,
           lambda: figures["hosts_growth"], unit=" ×")
    target("start to armed", 300, lambda: figures["start_to_armed_ms"], unit=" ms")
    return found


def targets_text(results):
    return "\n".join(f"{'met ' if met else 'MISSED'.ljust(4)}  {what}: {came} (wanted {wanted})"
                     for what, wanted, came, met in targets(results))


# ---- RESULTS.md ----

def markdown(results):
    names = [name for name in results["configurations"] if name != "bare"]
    machine = results["machine"]
    lines = [f"Run {results['date']} on {machine['cpus']} × {machine['cpu']}, Linux {machine['kernel']}, sensor"
             f" `{results['sensor']}`, default policy, load {machine['load'][0]:.1f} before and"
             f" {machine['load_after'][0]:.1f} after: medians of {results['rounds']} interleaved rounds, as multiples"
             f" of the bare machine.",
             "", "| | " + " | ".join(TITLES[name] for name in ["bare"] + names) + " |", "|---" * (len(names) + 2) + "|"]
    for operation, entry in results["operations"].items():
        cells = [f"{entry['bare']['ns']['median']:,.0f}"]
        cells += [f"{entry[name]['bare']['median']:.2f}" if "bare" in entry.get(name, {}) else "" for name in names]
        lines.append(f"| {operation} | " + " | ".join(cells) + " |")
    lines += ["", "![cost added to one operation](cost.svg)", "", "| target | wanted | measured |", "|---|---|---|"]
    lines += [f"| {what} | {wanted} | {came}{'' if met else ' (missed)'} |"
              for what, wanted, came, met in targets(results)]
    return "\n".join(lines)


def results_write(results):
    with open(RESULTS, encoding="utf-8") as file:
        before = file.read()
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    if not pattern.search(before):
        raise SystemExit(f"{RESULTS} has no place for it: {BEGIN}")
    after = pattern.sub(lambda _: f"{BEGIN}\n{markdown(results)}\n{END}", before)
    with open(RESULTS, "w", encoding="utf-8") as file:
        file.write(after)
    plot(results, SVG)


def plot(results, path):
    """Plots the cost that each configuration adds to an operation, in ns, with minimum and maximum of the rounds."""
    names = [name for name in results["configurations"] if name != "bare"]
    rows = [operation for operation in PLOTTED if operation in results["operations"]]
    data = "\n".join(
        f'"{operation}" ' + " ".join(
            "{median} {min} {max}".format(**{
                k: max(v, 1) for k, v in results["operations"][operation][name]["added_to_bare"].items()})
            for name in names)
        for operation in rows)
    columns = ", ".join(f"$d using {2 + 3 * i}:{3 + 3 * i}:{4 + 3 * i}:xtic(1) title '{TITLES[name]}'"
                        for i, name in enumerate(names))
    script = f"""set terminal svg size 1100,480 font 'sans,11' background 'white' name 'barbwire'
set output '{path}'
set style data histogram
set style histogram errorbars gap 2 lw 0.6
set style fill solid 0.7 border -1
set logscale y
set yrange [1:*]
set ylabel 'added to one operation, ns'
set grid ytics
set key outside right top
set xtics rotate by -20
$d << EOD
{data}
EOD
plot {columns}
"""
    subprocess.run(["gnuplot"], input=script, text=True, check=True)
    with open(path, encoding="utf-8") as file:
        body = file.read()
    head, rest = body.split("?>", 1)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{head}?>\n<!-- SPDX-License-Identifier: GPL-2.0-or-later -->{rest}")
    os.chmod(path, 0o644)
