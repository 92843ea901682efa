#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs in the guest: the steps of the job that the kernel's command line names, each with its time limit, which is
longer on a busy machine. After each step, the results so far are written to the result disk, so that they are kept if
the guest hangs later."""

import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import time

SOURCE = "/vm/src"
PAYLOAD_JOBS = "/vm/jobs.json"
RESULTS = "/vm/results"
RESULT_DISK = "/dev/vdd"


# A guest of a quiet machine has booted and unpacked its payload after that many seconds.
BOOT_SECONDS = 10
SLOWNESS_MAX = 4


def uptime():
    with open("/proc/uptime", encoding="ascii") as file:
        return float(file.read().split()[0])


def slowness(booted):
    """By how much the limits grow if the guest has booted after that many seconds, as other work of the machine slows
    it down: limits end what hangs, not what is slow."""
    return min(max(1.0, booted / BOOT_SECONDS), SLOWNESS_MAX)


def say(text):
    """For the console, whose end is shown when a guest hangs."""
    print(f"vm: [{uptime()}] {text}", flush=True)


def results_write():
    with open(RESULT_DISK, "r+b") as disk:
        with tarfile.open(fileobj=disk, mode="w|") as tar:
            tar.add(RESULTS, arcname=".")
        disk.flush()
        os.fsync(disk.fileno())


def run(number, step, environment, slow):
    """Runs one step in a session of its own, and kills that session at its end."""
    say(f"{step['name']} {step['sensor'] or ''}")
    begin, base = time.monotonic(), f"{RESULTS}/{number:02}"
    environment = {**os.environ, **environment, **step["environment"]}
    if step["sensor"]:
        environment["BW_SENSOR"] = step["sensor"]
    with open(base + ".stdout", "wb") as out, open(base + ".stderr", "wb") as err:
        process = subprocess.Popen(step["command"], cwd=SOURCE, env=environment, stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=err, start_new_session=True)
        try:
            status = process.wait(step["seconds"] * slow)
        except subprocess.TimeoutExpired:
            status = None
        # Processes that a killed test left behind must not disturb the next one.
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
    seconds = round(time.monotonic() - begin, 1)
    with open(base + ".json", "w", encoding="ascii") as out:
        json.dump({"status": status, "seconds": seconds}, out)
    say(f"{step['name']}: {'timed out' if status is None else f'status {status}'} after {seconds} s")
    results_write()


def main():
    os.makedirs(RESULTS)
    with open("/proc/cmdline", encoding="ascii") as line:
        name = re.search(r"\bvm\.job=(\S+)", line.read())[1]
    with open(PAYLOAD_JOBS, encoding="utf-8") as jobs:
        payload = json.load(jobs)
    slow = slowness(uptime())
    payload["environment"]["BW_SLOW"] = str(float(payload["environment"]["BW_SLOW"]) * slow)
    say(f"{name} on {os.uname().release}, limits times {slow:.1f}")
    with open(f"{RESULTS}/guest.json", "w", encoding="ascii") as out:
        json.dump({"release": os.uname().release, "version": os.uname().version}, out)
    for number, step in enumerate(payload["jobs"][name]):
        run(number, step, payload["environment"], slow)
    for command, file in ((["journalctl", "-b", "-o", "short-monotonic", "--no-pager"], "journal"),
                          (["dmesg"], "dmesg")):
        with open(f"{RESULTS}/{file}", "wb") as out:
            # Through a pipe: under SELinux these commands may not write to our files.
            out.write(subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).stdout)
    results_write()
    say("done")


if __name__ == "__main__":
    sys.exit(main())
