# SPDX-License-Identifier: GPL-2.0-or-later
"""Figures of the daemon itself: the time of its start, its memory, its activity when idle, the rate of alerts that it
can write, and the time of an operation by BPF program. Each function returns {name: value}; units are in the names."""

import contextlib
import os
import re
import statistics
import subprocess
import time

import harness
import varlink
from harness import program
from tap import require, require_equal

ALERTS_KEPT = 4096  # MaxAlerts= by default
STARTS, QUERIES = 5, 20
IDLE_SECONDS = 10
# Rates in alerts per second, tried one after the other until one is too high.
RATES = (1000, 2000, 5000, 10000, 15000, 20000, 30000, 50000)
RATE_SECONDS = 2
STATS_SWITCH = "/proc/sys/kernel/bpf_stats_enabled"


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))]


def fdinfo(pid):
    """The fdinfo of the descriptors of a process: a dict for each."""
    for number in os.listdir(f"/proc/{pid}/fdinfo"):
        with contextlib.suppress(FileNotFoundError), open(f"/proc/{pid}/fdinfo/{number}", encoding="ascii") as file:
            yield dict(line.rstrip("\n").split(":", 1) for line in file if ":" in line)


def hooks_of(pid):
    """The hooks to which a process has attached BPF programs: names of tracepoints, and attach types of cgroups."""
    return {info.get("tp_name", info["link_type"] + info.get("attach_type", "") + info.get("target_btf_id", "")).strip()
            for info in fdinfo(pid) if "link_id" in info}


def programs_of(pid):
    """{hook: the statistics of its program}"""
    by_id = {info["prog_id"].strip(): info for info in fdinfo(pid) if "verified_insns" in info}
    return {info.get("tp_name", "cgroup" + info.get("attach_type", "").strip()).strip(): by_id[info["prog_id"].strip()]
            for info in fdinfo(pid) if "link_id" in info and info["prog_id"].strip() in by_id}


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return dict(line.rstrip("\n").split(":", 1) for line in file)


def switches(status):
    return int(status["voluntary_ctxt_switches"])


def cpu_seconds(pid):
    """The processor time in nanoseconds, which /proc/PID/stat has in ticks only."""
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0]) / 1e9


def start(policies, starts=STARTS):
    """The time from the start of the program to its line "armed"."""
    took = []
    for _ in range(starts):
        begin = time.monotonic()
        with harness.Barbwired(policies):
            took.append(time.monotonic() - begin)
    return {"start_to_armed_ms": statistics.median(took) * 1e3}


def memory(pid):
    status, held, seen = status_of(pid), 0, set()
    for info in fdinfo(pid):
        name = info.get("map_id") and "map" + info["map_id"] or "verified_insns" in info and "prog" + info["prog_id"]
        if name and name not in seen:
            seen.add(name)
            held += int(info["memlock"])
    return {"rss_kib": int(status["VmRSS"].split()[0]), "rss_anonymous_kib": int(status["RssAnon"].split()[0]),
            "bpf_memory_kib": held // 1024}


def idle(pid, seconds=IDLE_SECONDS):
    """The activity of the daemon while no event concerns it. (Here the sleep is the measured time.)"""
    before, cpu_before = switches(status_of(pid)), cpu_seconds(pid)
    time.sleep(seconds)
    return {"idle_wakeups_per_second": (switches(status_of(pid)) - before) / seconds,
            "idle_cpu_percent": (cpu_seconds(pid) - cpu_before) / seconds * 100}


def verified(pid):
    return {f"verified_{hook}": int(info["verified_insns"]) for hook, info in sorted(programs_of(pid).items())}


@contextlib.contextmanager
def bpf_stats():
    """Within it, the kernel measures each run of a program, which itself takes time."""
    with open(STATS_SWITCH, "r+", encoding="ascii") as switch:
        before = switch.read()
        switch.seek(0)
        switch.write("1\n")
    try:
        yield
    finally:
        with open(STATS_SWITCH, "w", encoding="ascii") as switch:
            switch.write(before)


def hook_times(scene, pid, operations, seconds):
    """{operation: {hook: [runs, ns each]}} of the machine while the operation ran, alone on its core."""
    result = {}
    with bpf_stats():
        for operation in operations:
            before = programs_of(pid)
            subprocess.run([scene.operations, str(seconds), scene.short, scene.root, operation], check=True,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            after = programs_of(pid)
            result[operation] = {}
            for hook, info in sorted(after.items()):
                runs = int(info["run_cnt"]) - int(before[hook]["run_cnt"])
                if runs:
                    ns = int(info["run_time_ns"]) - int(before[hook]["run_time_ns"])
                    result[operation][hook] = [runs, ns / runs]
    return result


class Storm:
    """with Storm(scene, count, rate) as storm: it has read the secret; go() causes the correlations."""

    def __init__(self, path, count, rate, first=0):
        self.process = subprocess.Popen([program("bench-storm"), path, str(first), str(count), str(rate)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        require_equal(self.process.stdout.readline(), "opened\n", "the storm")
        return self

    def __exit__(self, *exception):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def begin(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self):
        """Returns the duration in seconds, and [(port, µs since the epoch)]."""
        seconds, moments = float(self.process.stdout.readline()), []
        for line in self.process.stdout:
            if line == "done\n":
                break
            port, moment = line.split()
            moments.append((int(port), int(moment)))
        return seconds, moments

    def go(self):
        self.begin()
        return self.end()


def rate_holds(scene, rate, seconds):
    """Whether each of so many alerts per second is written as JSON, by a new daemon whose output is discarded at once.
    Returns the actual rate, or None."""
    command = harness.Barbwired(scene.policies(None)).command
    count = int(rate * seconds)
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True) as daemon:
        try:
            for line in daemon.stderr:
                if "armed" in line:
                    break
            with Storm(scene.stolen, count, rate) as storm:
                took, _ = storm.go()
        finally:
            daemon.terminate()
        summary = next(line for line in daemon.stderr if "stopped:" in line)
    numbers = {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", summary)}
    require(numbers["alerts"] > 0, f"no alert was written: {summary}")
    # A flood alert with a count is not a loss, but does not count here.
    complete = numbers["alerts"] >= count and not any(
        numbers[name] for name in harness.LOSSES + ("repeats", "unwritten"))
    return count / took if complete else None


def alerts_per_second(scene, rates=RATES, seconds=RATE_SECONDS):
    best = 0
    for rate in rates:
        held = rate_holds(scene, rate, seconds)
        if not held:
            break
        best = held
    return {"alerts_per_second": best}


def query(scene, bw, kept=ALERTS_KEPT, queries=QUERIES):
    """The time that a client waits for all kept alerts, for one of them, and for the status."""
    before = len(bw.alerts)
    with Storm(scene.stolen, kept, kept) as storm:
        storm.go()
    bw.wait(lambda: len(bw.alerts) >= before + kept, harness.ALERT_TIMEOUT, f"{kept} alerts")
    took = {"all": [], "one": [], "status": []}
    with varlink.Connection(f"{scene.root}/socket") as connection:
        def call(which, method, more=False, **parameters):
            begin = time.monotonic()
            connection.send(method, more=more, **parameters)
            replies, continues = [], True
            while continues:
                reply, continues = connection.receive()
                replies.append(reply)
            took[which].append(time.monotonic() - begin)
            return replies

        for _ in range(queries):
            alerts = [alert for reply in call("all", "ListAlerts", more=True) for alert in reply["alerts"]]
            call("one", "GetAlert", id=alerts[0]["id"])
            call("status", "GetStatus")
    return {"query_alerts": len(alerts), "query_all_ms": percentile(took["all"], 0.5) * 1e3,
            "query_one_p50_us": percentile(took["one"], 0.5) * 1e6,
            "query_status_p50_us": percentile(took["status"], 0.5) * 1e6,
            "query_status_p99_us": percentile(took["status"], 0.99) * 1e6}
