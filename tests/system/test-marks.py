#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""barbwirectl marks: who is marked with what, in whose share, and whose share is full; a large table is listed
completely while thefts go on being alerted."""

import os
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import harness
import tap
import varlink
from cases import cases
from crowd import Crowd, CrowdedScene, as_user
from ctl import Ctl
from harness import program, touches
from net import HOST_V4
from tap import require, require_equal

# The largest listing asked for has marks of two users; a cgroup of one user has an eighth of the table.
MARKS_MAX, MANY, USERS = 80_000, 9_000, (65011, 65012)
FLOODER, SLEEPER, OPENER = 65013, 65014, 65015
CGROUP_PART = 8
# daemon/listing.c
LISTING_SECONDS = 1
# A theft during a listing is alerted as fast as any.
# On a machine with other work a theft takes long in itself.
THEFTS, DELAY_MAX_SECONDS, DELAY_MAX_QUIET = 5, 1 * tap.SLOW, 5


def listing(scene):
    """The complete result, and whether it says that it is complete."""
    marks, accounts, complete = [], [], None
    with varlink.Connection(scene.socket) as client:
        for reply in client.stream("ListMarks"):
            marks += reply["marks"]
            accounts += reply["accounts"]
            complete = reply["complete"]
    return marks, accounts, complete


def newer_listing(scene):
    """One that was begun after this call: an answer may be that of another client, as old as LISTING_SECONDS."""
    begin = time.monotonic()
    while True:
        asked = time.monotonic()
        result = listing(scene)
        if asked > begin + LISTING_SECONDS:
            return result


def shown(scene):
    """A marked process has its file, class, route and share; an unmarked one is not in the list."""
    key, _ = scene.home.key()
    # At the end of the file, cat has exited.
    script = 'cat "$1" | { read -r -d "" data; echo ready; exec sleep 1000; }; :'
    reader = scene.net.popen(["tail", "-f", key], stdout=subprocess.PIPE)
    taker = scene.net.popen(["/bin/bash", "-c", script, "bash", key], stdout=subprocess.PIPE, start_new_session=True)
    sleeper = scene.net.popen(["sleep", "1000"])
    try:
        require(reader.stdout.readline().startswith(b"-----BEGIN"), "the reader")
        require_equal(taker.stdout.readline(), b"ready\n", "the process that it is handed to")
        marks, accounts, complete = listing(scene)
        require(complete, "the list says that it is not complete")
        mine = {m["pid"]: m for m in marks if touches(m, key)}
        require(reader.pid in mine and sleeper.pid not in {m["pid"] for m in marks}, f"{list(mine)} of {len(marks)}")
        first = mine[reader.pid]
        require_equal((first["comm"], first["exe"], first["uid"], first["classes"], first["bound"], first["suspect"]),
                      ("tail", os.path.realpath("/usr/bin/tail"), 0, ["ssh-private-keys"], [], False), "the reader")
        require_equal(first["files"][0]["via"], "open", "the reader's file")
        require(first["since"] < first["until"], f"{first['since']} {first['until']}")
        routes = [[(hop["comm"], hop["via"]) for hop in m["files"][0]["route"]] for m in mine.values()]
        require_equal(sorted(routes), [[], [("cat", "pipe")]], "routes")
        share, = [a for a in accounts if (a["table"], a["user"]) == ("processes", 0) and
                  a["cgroup_id"] == first["cgroup_id"]]
        require(share["live"] >= len(mine) and share["max"] > share["live"] and share["refused"] == 0, f"{share}")
        out, _ = Ctl(scene.socket).expect(0, "marks")
        require(f"tail[{reader.pid}]" in out and f"[{sleeper.pid}]" not in out and "pipe from cat[" in out and
                "REFUSED" in out and "not complete" not in out, out)
    finally:
        os.killpg(taker.pid, signal.SIGKILL)
        for process in (reader, taker, sleeper):
            process.kill()
            process.communicate()


def unmarked(scene):
    """Users without a mark: one has a process, another had one, and what is left is a file that is remembered."""
    key, _ = scene.key(OPENER)
    sleeper = subprocess.Popen(["sleep", "1000"], **as_user(SLEEPER))
    try:
        subprocess.run(["cat", key], check=True, stdout=subprocess.DEVNULL, **as_user(OPENER))
        _, accounts, complete = newer_listing(scene)
        require(complete, "the list says that it is not complete")
        live = {(a["table"], a["user"], a["cgroup_id"] == 0): a["live"] for a in accounts}
        mine = {table: live[table] for table in live if table[1] in (OPENER, SLEEPER) and table[0] != "mappings"}
        require_equal(mine, {("files", OPENER, True): 1, ("lineages", SLEEPER, True): 1,
                             ("lineages", SLEEPER, False): 1}, "accounts of users without a mark")
        keys = [(a["table"], a["user"], a["cgroup_id"]) for a in accounts]
        require_equal(len(keys), len(set(keys)), "accounts, each once")
    finally:
        sleeper.kill()
        sleeper.wait()


def filled(scene):
    """A user whose share is full: the account says so, and what stands for the other processes is in the list."""
    key, _ = scene.key(FLOODER)
    limit = MARKS_MAX * 9 // 10 // CGROUP_PART
    with Crowd(scene.net, key, "sleepers", limit + 50, **as_user(FLOODER)):
        marks, accounts, complete = newer_listing(scene)
        require(complete, "the list says that it is not complete")
        share, = [a for a in accounts if (a["table"], a["user"]) == ("processes", FLOODER) and a["cgroup_id"]]
        require_equal((share["live"], share["max"]), (limit, limit), "the full share")
        require(share["refused"] >= 50, f"refused: {share}")
        total, = [a for a in accounts if (a["table"], a["user"], a["cgroup_id"]) == ("processes", FLOODER, 0)]
        require_equal((total["live"], total["max"], total["cgroup"]), (limit, 2 * limit, None), "the user's share")
        suspect, = [m for m in marks if m["suspect"]]
        require_equal((suspect["pid"], suspect["user"], suspect["cgroup_id"], suspect["classes"]),
                      (None, FLOODER, share["cgroup_id"], ["ssh-private-keys"]), "the suspect")
        out, _ = Ctl(scene.socket).expect(0, "marks")
        require("(all others)" in out and "1 full share" in out, out[-500:])


def theft_seconds(scene):
    """From the start of the thief to its alert."""
    key, content = scene.home.key()
    began = time.monotonic()
    scene.net.run([program("technique-out-tcp"), "blocking", key, HOST_V4, "443"])
    scene.net.sink.wait_arrived(content)
    scene.bw.wait_alert(lambda a: touches(a, key), "a theft")
    return time.monotonic() - began


def many(scene):
    """Thousands of marks: every listing has all of them, and thefts meanwhile are alerted at once."""
    quiet = max(theft_seconds(scene) for _ in range(THEFTS))
    crowds = [Crowd(scene.net, scene.key(user)[0], "sleepers", MANY // 2, **as_user(user)) for user in USERS]
    with crowds[0], crowds[1]:
        stop, results, errors = threading.Event(), [], []

        def list_again():
            while not stop.is_set():
                try:
                    marks, _, complete = listing(scene)
                    results.append((complete, sum(m["user"] in USERS for m in marks)))
                except (OSError, EOFError, varlink.VarlinkError) as error:
                    errors.append(error)
                    return
        clients = [threading.Thread(target=list_again) for _ in range(2)]
        for client in clients:
            client.start()
        delays = [theft_seconds(scene) for _ in range(THEFTS)]
        stop.set()
        for client in clients:
            client.join()
        require_equal(errors, [], "errors of clients")
        # Each crowder itself is marked, too.
        require(results and all(r == (True, MANY + len(USERS)) for r in results), f"listings: {results}")
        require(max(delays) < DELAY_MAX_SECONDS + DELAY_MAX_QUIET * quiet, f"thefts took {delays}, {quiet} before")
        print(f"# {len(results)} listings of {results[0][1]} marks, thefts alerted within {max(delays):.2f} s")


def main():
    with cases() as (t, net, home):
        scene = CrowdedScene(net, home, f"[Correlator]\nMaxMarks={MARKS_MAX}\n")
        with scene.bw:
            t.case("a marked process, and one that is not", shown, scene)
            t.case("users without a mark", unmarked, scene)
            t.case("a user whose share is full", filled, scene)
            t.case(f"{MANY} marks, and thefts meanwhile", many, scene)
            scene.bw.stop()
            scene.bw.require_no_loss(harness.preemption_losses())


if __name__ == "__main__":
    main()
