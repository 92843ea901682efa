#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Beside other users of BPF on the same hooks (neighbour.c), attached before and after barbwired: thefts are alerted,
and what is in the way of a hook is named, with the remedy. The sensor decides what is played: BW_SENSOR=."""

import contextlib
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import harness
from cases import Scene, cases
from ctl import Ctl
from net import HOST_V4
from tap import require, require_equal

# BPF_MAX_TRAMP_LINKS (include/linux/bpf.h).
PLACES = 38
SENSOR = os.environ.get("BW_SENSOR", "tracepoint")
# The function whose places are taken, as a section of each sensor.
OPEN = {"lsm": "lsm/file_open", "fentry": "fexit/security_file_open"}.get(SENSOR)
CGROUP_HOOKS = ("cgroup/connect4", "cgroup/sendmsg4", "cgroup_skb/egress")
EVERYWHERE = ("tp_btf/sys_exit", "tp_btf/sched_process_exec", "tp_btf/sched_process_exit")


@contextlib.contextmanager
def neighbour(section, count=1, cgroup=None, exclusive=False, wanted=None):
    """Other programs; wanted: a pattern of what they say, if not that all are attached."""
    command = [harness.program("neighbour"), section, str(count), *([cgroup] if cgroup else []),
               *(["exclusive"] if exclusive else [])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        said = process.stdout.readline()
        require(re.match(wanted or f"{count} Success", said), f"{command}: {said}")
        yield process


def all_hooks(stack):
    """A neighbour on every kind of hook that the sensor has."""
    hooks = [(section, None) for section in EVERYWHERE]
    hooks += [(section, harness.cgroup2()) for section in CGROUP_HOOKS] if not OPEN else [(OPEN, None)]
    for section, cgroup in hooks:
        stack.enter_context(neighbour(section, cgroup=cgroup))


def steal(scene):
    """By TCP and by UDP."""
    for thief, *arguments in (("out-tcp", "blocking"), ("out-udp", "sendto")):
        seen, key = len(scene.bw.alerts), scene.home.key()[0]
        result = scene.net.run([harness.program(f"technique-{thief}"), *arguments, key, HOST_V4, "443"])
        require_equal(result.returncode, 0, f"{thief}\n{result.stderr}")
        scene.bw.wait(lambda: any(harness.touches(a, key) for a in scene.bw.alerts[seen:]), harness.ALERT_TIMEOUT,
                      f"the alert of {thief}")


def refused(scene, *words):
    """It does not start, and says why."""
    scene.bw.start()
    status = scene.bw.process.wait(harness.ALERT_TIMEOUT)
    for reader in scene.bw.readers:
        reader.join()
    errors = [line for line in scene.bw.stderr if "Failed to attach hook " in line]
    require(status != 0 and len(errors) == 1 and all(word in errors[0] for word in words),
            (status, scene.bw.stderr[-5:]))


def around(net, home):
    """Neighbours that were there first, and some that come later."""
    with contextlib.ExitStack() as before:
        all_hooks(before)
        scene = Scene(net, home)
        with scene.bw, contextlib.ExitStack() as after:
            all_hooks(after)
            steal(scene)
            [status] = Ctl(scene.socket).objects("status")
            require_equal((status["state"], status["degraded"]), ("ok", []), "with neighbours")
            named = [text for text in status["foreign"] if text.endswith(" (neighbour)")]
            require_equal(len(named), 0 if OPEN else 2, status["foreign"])
            if OPEN:
                # The last place is taken by a neighbour that comes later; there is none for a further one.
                after.enter_context(neighbour(OPEN, PLACES, wanted=r"3\d Argument list too long"))
            else:
                for section in CGROUP_HOOKS[:2]:
                    after.enter_context(neighbour(section, cgroup=harness.cgroup2(), exclusive=True,
                                                  wanted="0 Operation not permitted"))
            steal(scene)
            scene.bw.stop()
            scene.bw.require_no_loss()


def exclusive_before(net, home):
    """The kernel admits no program beside it: barbwired does not start without that hook."""
    with neighbour("cgroup/connect4", cgroup=harness.cgroup2(), exclusive=True):
        refused(Scene(net, home), "hook cgroup/connect4: cgroup/connect4: program ", "(neighbour) is attached to the "
                "root cgroup, and admits no other", "BPF_F_ALLOW_MULTI", "bpftool cgroup detach")


def no_place(net, home):
    """No place is left on a function that the sensor needs: it does not start, or as another one, which it says."""
    # systemd has a place of its own (RestrictFileSystems=).
    with neighbour(OPEN, PLACES + 1, wanted=r"3[5-8] Argument list too long"):
        refused(Scene(net, home), f"hook {OPEN}: other programs have all {PLACES} places", "bpftool prog list")
        if SENSOR == "fentry": # auto would be lsm
            return
        scene = Scene(net, home)
        scene.bw.command = [word for word in scene.bw.command if not word.startswith("--sensor=")]
        with scene.bw:
            steal(scene)
            status = json.loads(Ctl(scene.socket).expect(1, "--json=short", "status")[0])
            require(status["state"] == "degraded" and status["sensor"] != SENSOR, status["sensor"])
            require(re.search(f"Sensor {SENSOR} is not used, as its hook {OPEN} could not be attached: other programs "
                              f"have all {PLACES} places .*; then restart barbwired", status["degraded"][0]),
                    status["degraded"])


def main():
    with cases() as (t, net, home):
        t.case("neighbours on every hook, before and after", around, net, home)
        if OPEN:
            t.case("a function without a free place", no_place, net, home)
        else:
            t.case("a neighbour that admits no other", exclusive_before, net, home)


if __name__ == "__main__":
    main()
