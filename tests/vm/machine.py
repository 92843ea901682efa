# SPDX-License-Identifier: GPL-2.0-or-later
"""Boots a guest for one job and reads the results that it wrote. Only these count, never the exit status of qemu."""

import dataclasses
import json
import os
import re
import subprocess
import sys
import tarfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import tally

# Logs and TAP; the journal of a long run is a few MiB.
RESULT_BYTES = 64 << 20
# Seconds for boot, unpacking and shutdown, in addition to the limits of the steps.
BOOT_SECONDS = 180
# A guest gets its limit in time of processors, however long others of the machine make it wait. One that hangs without
# using any ends after that many times its limit.
IDLE_LIMITS = 4
CONSOLE_LINES, DIAGNOSTIC_LINES = 25, 80
# An old processor: emulating newer features (AVX, access prevention, larger page tables) costs a fifth more time than
# programs gain by them. rdrand, for early randomness, is the exception.
# The names of machine and processor for qemu, and of the console for the kernel.
MACHINES = {"amd64": ("microvm", "Nehalem-v1,rdrand=on", "ttyS0"),
            "arm64": ("virt,gic-version=2", "cortex-a57", "ttyAMA0")}


@dataclasses.dataclass
class Outcome:
    """The result of one step."""
    job: object
    step: object
    cases: list = dataclasses.field(default_factory=list)  # (name, "passed" | "failed" | "skipped", reason)
    seconds: float = 0.0
    problem: str = ""  # why the step failed, if it is not a case that failed
    diagnostics: str = ""
    notes: list = dataclasses.field(default_factory=list)

    def count(self, verdict):
        return sum(1 for case in self.cases if case[1] == verdict)

    @property
    def passed(self):
        return not self.problem and self.count("failed") == 0


@dataclasses.dataclass
class Run:
    """The result of one job."""
    job: object
    kernel: object
    outcomes: list
    seconds: float = 0.0
    release: str = ""
    console: str = ""
    directory: str = ""

    @property
    def passed(self):
        return bool(self.outcomes) and all(outcome.passed for outcome in self.outcomes)


def tap_read(text):
    """[(name, verdict, reason)] of a TAP stream, and what is wrong with the stream, if anything."""
    cases = []
    for line in text.splitlines():
        none, case = tally.TAP_NONE.match(line), tally.TAP_LINE.match(line)
        if none:
            # A job only has steps that its guest can run.
            return [], f"the test did not run: {none.group(1)}"
        if case:
            verdict = "failed" if case.group(1) else "skipped" if (case.group(3) or "").upper() == "SKIP" else "passed"
            cases.append((case.group(2), verdict, case.group(4) or ""))
    plan = re.search(r"^1\.\.(\d+)", text, re.MULTILINE)
    if not plan:
        return cases, "it ended before its plan"
    if int(plan.group(1)) != len(cases) or not cases:
        return cases, f"{len(cases)} cases of {plan.group(1)}"
    return cases, ""


def outcome_read(directory, job, number):
    step = job.steps[number]
    base = os.path.join(directory, f"{number:02}")
    if not os.path.exists(base + ".json"):
        return Outcome(job, step, problem="the guest ended before it, or hung in it")
    texts = {}
    for stream in ("stdout", "stderr"):
        with open(f"{base}.{stream}", encoding="utf-8", errors="backslashreplace") as file:
            texts[stream] = file.read()
    with open(base + ".json", encoding="ascii") as file:
        result = json.load(file)
    cases, problem = tap_read(texts["stdout"])
    if result["status"] is None:
        problem = f"not done in {result['seconds']} s"
    elif not problem and result["status"] not in (0, 1):
        problem = f"exit status {result['status']}"
    notes = [line[2:] for line in texts["stdout"].splitlines() if line.startswith("# ")]
    return Outcome(job, step, cases, result["seconds"], problem,
                   "\n".join(texts["stderr"].splitlines()[-DIAGNOSTIC_LINES:]), notes)


def clock_khz(job):
    """An argument that spares the guest the calibration of its clock, which fails on a busy machine."""
    if job.counts_instructions:
        return "tsc_early_khz=1000000"
    with open("/proc/cpuinfo", encoding="ascii") as info:
        mhz = re.search(r"cpu MHz\s*:\s*([\d.]+)", info.read())
    return f"tsc_early_khz={float(mhz[1]) * 1000:.0f}" if mhz else ""


def accelerator(job):
    # sleep=off: time that the guest would be idle for passes at once.
    if job.counts_instructions:
        return ["-accel", "tcg,thread=single,tb-size=512", "-icount", "shift=0,sleep=off"]
    return ["-accel", "tcg,thread=multi,tb-size=512"]


def command(qemu, kernel, root, payload, result, job):
    machine, cpu, console = MACHINES[job.architecture]
    arguments = (f"console={console} quiet panic=-1 mitigations=off nokaslr no_timer_check tsc=reliable "
                 f"{clock_khz(job)} random.trust_cpu=on rdinit=/init systemd.show_status=0 "
                 f"systemd.unit={job.target} vm.job={job.name} {job.arguments}")
    # If this program is killed, its guests are killed, too.
    words = ["setpriv", "--pdeathsig", "KILL", *qemu, "-nodefaults", "-no-user-config", "-display", "none",
             "-no-reboot", "-machine", machine, *accelerator(job), "-cpu", cpu,
             "-smp", str(job.cpus), "-m", str(job.megabytes),
             "-serial", "stdio", "-kernel", kernel.image, "-initrd", kernel.initrd, "-append", arguments]
    # In this order they become vda to vdd; arm64 probes the last one first.
    disks = [("root", root, "snapshot=on"), ("modules", kernel.modules, "readonly=on"),
             ("payload", payload, "readonly=on"), ("result", result, "cache=unsafe")]
    for name, path, options in disks if job.architecture == "amd64" else reversed(disks):
        words += ["-drive", f"file={path},if=none,id={name},format=raw,{options}",
                  "-device", f"virtio-blk-device,drive={name}"]
    return words


def console_read(stream, lines, path):
    """Copies the console to a file as well, so that a person can follow it."""
    with open(path, "w", encoding="ascii", buffering=1) as out:
        for line in stream:
            lines.append(re.sub(r"[^\t\x20-\x7e]", "", line.decode(errors="replace")))
            out.write(lines[-1] + "\n")


def processor_seconds(pid):
    """What a process has used."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_over(limit, used, passed):
    """Whether a guest hangs that has used that many seconds of a processor until now."""
    return used > limit or passed > IDLE_LIMITS * limit


def wait(process, limit, cpus):
    """Waits for the end of a guest. False: it hangs."""
    begin = time.monotonic()
    while True:
        try:
            process.wait(1)
            return True
        except subprocess.TimeoutExpired:
            if is_over(limit, processor_seconds(process.pid) / cpus, time.monotonic() - begin):
                return False


def boot(qemu, kernel, root, payload, job, directory):
    """Runs one job to its end or to its time limit. Its files are kept in `directory`."""
    os.makedirs(directory, exist_ok=True)
    result, begin, console = os.path.join(directory, "result.raw"), time.monotonic(), []
    with open(result, "wb") as out:
        out.truncate(RESULT_BYTES)
    process = subprocess.Popen(command(qemu, kernel, root, payload, result, job), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    reader = threading.Thread(target=console_read, daemon=True,
                              args=(process.stdout, console, os.path.join(directory, "console")))
    reader.start()
    limit = BOOT_SECONDS + sum(step.seconds for step in job.steps)
    try:
        if not wait(process, limit, job.cpus):
            console.append(f"(not done in {limit} s of a processor, or in {IDLE_LIMITS * limit} s)")
    finally:
        process.kill()
        process.wait()
        reader.join()
    try:
        with tarfile.open(result) as tar:
            tar.extractall(directory)
    except tarfile.ReadError:
        console.append("(the guest wrote no result)")
    os.unlink(result)

    run = Run(job, kernel, [outcome_read(directory, job, number) for number in range(len(job.steps))],
              round(time.monotonic() - begin, 1), console="\n".join(console[-CONSOLE_LINES:]), directory=directory)
    try:
        with open(os.path.join(directory, "guest.json"), encoding="ascii") as file:
            run.release = json.load(file)["release"]
    except FileNotFoundError:
        pass
    return run
