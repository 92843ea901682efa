#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a refusal costs: the time of sendto(2) of a datagram by a process that holds nothing, and by one that holds a
secret, with Action=alert (a repeat of its alert) and Action=deny.

usage: denied.py [ROUNDS]     in another order each round; prints medians in ns"""

import os
import statistics
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import harness
from cases import Scene
from net import HOST_V4, Net
from tap import require

CALLS = 20000
SENDER = """
import socket, sys, time
path, address, calls = sys.argv[1], sys.argv[2], int(sys.argv[3])
if path:
    open(path, "rb").read()
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
to = (address, 9)
refused = 0
def once():
    global refused
    try:
        s.sendto(b"12345678", to)
    except PermissionError:
        refused += 1
once()
refused = 0
begun = time.perf_counter_ns()
for _ in range(calls):
    once()
print((time.perf_counter_ns() - begun) / calls, refused)
"""
CASES = {"nothing, Action=alert": (False, "alert"), "nothing, Action=deny": (False, "deny"),
         "secret, Action=alert": (True, "alert"), "secret, Action=deny": (True, "deny")}


def measure(scene, places, holds, action):
    scene.write_policy(harness.policy_class("bench-denied", [f"{places}/**"], Action=action))
    require("policy reloaded" in scene.bw.reload(), "reload")
    path, _ = scene.home.decoy(os.path.join(places.encode(), os.urandom(4).hex().encode()))
    result = scene.net.run([sys.executable, "-c", SENDER, path if holds else "", HOST_V4, str(CALLS)])
    spent, refused = result.stdout.split()
    require(int(refused) == (CALLS if holds and action == "deny" else 0), f"{refused} calls were refused")
    return float(spent)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with Net() as net, harness.Home() as home:
        scene, places = Scene(net, home, ""), f"{home.root.decode()}/denied"
        found = {name: [] for name in CASES}
        with scene.bw:
            for n in range(rounds):
                names = list(CASES)
                for name in names[n % len(names):] + names[:n % len(names)]:
                    found[name].append(measure(scene, places, *CASES[name]))
    for name, values in found.items():
        print(f"{name:24} {statistics.median(values):6.0f} ns  ({min(values):.0f} to {max(values):.0f})")


if __name__ == "__main__":
    main()
