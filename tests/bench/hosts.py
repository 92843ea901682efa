# SPDX-License-Identifier: GPL-2.0-or-later
"""How the list of alerts grows with the hosts whose journals are collected: the same number of alerts, of few hosts and
of ten times as many, in processor time, which other activity of the machine affects less. Needs no root."""

import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../harness")]

import fleet
from ctl import CTL

FEW, MANY, ALERTS, ROUNDS = 20, 200, 10000, 5


def listed(directory):
    """(processor seconds, MiB) of the list of all incidents."""
    with subprocess.Popen([CTL, "alerts", "-D", directory], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL) as client:
        _, status, used = os.wait4(client.pid, 0)
        client.returncode = os.waitstatus_to_exitcode(status)
    if client.returncode != 0:
        raise RuntimeError(f"barbwirectl alerts: {client.returncode}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def growth(few=FEW, many=MANY, alerts=ALERTS):
    with tempfile.TemporaryDirectory(prefix="barbwire-bench-hosts-", dir="/var/tmp") as scratch:
        for hosts in (few, many):
            os.mkdir(f"{scratch}/{hosts}")
            fleet.make(f"{scratch}/{hosts}", hosts, alerts, 1)
        # The least is what the work itself takes.
        rounds = [[listed(f"{scratch}/{hosts}") for hosts in (few, many)] for _ in range(ROUNDS)]
    took = [min(pair[i][0] for pair in rounds) for i in range(2)]
    return {"hosts_few_us_each": took[0] * 1e6 / alerts, "hosts_growth": took[1] / took[0],
            "hosts_mib": max(pair[1][1] for pair in rounds)}


if __name__ == "__main__":
    print(json.dumps(growth()))
