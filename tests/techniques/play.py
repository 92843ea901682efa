# SPDX-License-Identifier: GPL-2.0-or-later
"""What all rows of the catalogue share: play a theft, find its alert, and compare each of its claims with the truth;
and the expected result of each sensor."""

import collections
import fnmatch
import json
import os
import re
import shutil

import harness
import tap
from rows.expected import EVERYWHERE, HOLES, SHARES, row_of
from harness import as_text, program, truths
from net import HOST_V4
from tap import Failure, Skip, require, require_equal

CANNOT = 77  # play.h: PLAY_CANNOT
SSH = "ssh-private-keys"
# An alert takes milliseconds. After this time, a marker theft proves whether it is missing.
SOON = 0.5 * tap.SLOW


class Missed(Failure):
    """The theft succeeded, and has no alert."""


def hole_of(name, sensor, kernel):
    """The reason why this sensor on this kernel misses the case; None: it has to detect it."""
    return next((hole["reason"] for hole in HOLES
                 if sensor in hole["sensors"] and any(fnmatch.fnmatchcase(name, glob) for glob in hole["cases"])
                 and kernel < hole.get("before", kernel + (0,))), None)


def sensor_in_use(bw):
    """From the line that barbwired prints when it is armed."""
    return re.search(r"armed: sensor (\w+)", "\n".join(bw.stderr)).group(1)


class Dealer:
    """Selects a share of the cases: those that kernels or sensors may treat differently, the first theft and the first
    honest program of each row, and one in SHARES of the others, by their position in the row."""

    def __init__(self, share):
        self.share = share
        self.dealt = collections.Counter()

    def deals(self, name):
        if self.share is None or any(fnmatch.fnmatchcase(name, glob) for glob in EVERYWHERE):
            return True
        group = row_of(name), "honest" in name
        place = self.dealt[group]
        self.dealt[group] += 1
        return place == 0 or place % SHARES == self.share


class Catalogue:
    """Runs cases like Tap. A case that is listed as a hole must be missed; its name ends in "[hole]"."""

    def __init__(self, t, stage, share=None):
        self.t, self.stage, self.sensor = t, stage, sensor_in_use(stage.bw)
        self.dealer, self.n_cases, self.n_played = Dealer(share), 0, 0

    def case(self, name, function, *args, **kwargs):
        self.n_cases += 1
        if not self.dealer.deals(name):
            return True
        self.n_played += 1
        reason = hole_of(name, self.sensor, harness.kernel_version())
        if reason is None:
            return self.t.case(name, function, *args, **kwargs)
        return self.t.case(name + " [hole]", self.missed, reason, function, *args, **kwargs)

    def missed(self, reason, function, *args, **kwargs):
        # The marker theft proves that no alert comes; waiting before it is of no use.
        self.stage.soon = 0
        try:
            function(*args, **kwargs)
        except Missed:
            return
        finally:
            self.stage.soon = SOON
        raise Failure(f"it is detected, but rows/expected.py lists it as a hole of {self.sensor}: {reason}")


class Stage:
    """The daemon, the network and the decoys that one part of the catalogue shares."""

    def __init__(self, bw, net, home):
        self.bw, self.net, self.home = bw, net, home
        self.n_plays = 0
        self.soon = SOON

    def scratch(self, where):
        """A directory for one play; rules of the tests match its parent."""
        self.n_plays += 1
        path = os.path.join(self.home.root.decode(), where, str(self.n_plays))
        os.makedirs(path)
        return path

    def play(self, name, variant, key, address=HOST_V4, port=443, command=None,
             directory="scratch"):
        result = self.run(command or [program("technique-" + name), variant, key, address, str(port)],
                          cwd=self.scratch(directory))
        if result.returncode == CANNOT:
            raise Skip(f"{name} {variant}: {result.stderr.strip()}", environment=True)
        self.require_done(result, f"{name} {variant}")
        return result.stdout

    # What denied.py expects otherwise.

    def run(self, command, **kwargs):
        return self.net.run(command, **kwargs)

    def require_done(self, result, what):
        require(result.returncode == 0, f"{what}: status {result.returncode}\n{result.stderr}")

    def reached(self, secret):
        self.net.sink.wait_arrived(secret)

    def waits(self):
        """Seconds to wait for what may not come, or None: it comes."""
        return None

    def require_got(self, got, what):
        require(got, what)

    def theft(self, name, variant, address=HOST_V4, port=443, protocol="tcp", make_key=None, decode=None, names=None,
              **kwargs):
        """One theft, and its alert: every claim of the alert must be true. decode: restores the stolen bytes from those
        that arrived."""
        key, secret = (make_key or self.home.key)()
        thefts = truths(self.play(name, variant, key, address, port))
        require(thefts, "no truth line")
        self.arrived(secret, decode)
        return [self.check(truth, key, address, port, protocol, names=names, **kwargs) for truth in thefts]

    def arrived(self, secret, decode=None):
        if not decode:
            self.reached(secret)
            return
        with self.net.sink.changed:
            require(self.net.sink.changed.wait_for(
                lambda: any(secret in decode(entry[3]) for entry in self.net.sink.arrived), harness.ALERT_TIMEOUT),
                "the secret has not arrived")

    def check(self, truth, key, address, port, protocol, names=None, **kwargs):
        wanted = {"family": "inet6" if ":" in address and not address.startswith("::ffff:") else "inet",
                  "protocol": protocol, "address": address.removeprefix("::ffff:"), "port": port}
        return self.check_to(truth, key, wanted, names, **kwargs)

    def check_to(self, truth, key, wanted, names=None, **kwargs):
        """wanted: members of the alert's destination. names(path): whether it names the file; by default only the path
        of the key does."""
        names = names or (lambda path: path == as_text(key))
        alert = self.find(truth, names, lambda alert: all(
            alert["destination"].get(name) == value for name, value in wanted.items()), f"to {wanted}")
        check_alert(alert, truth, names, **kwargs)
        return alert

    def find(self, truth, names, fits, what):
        def is_it(alert):
            return alert["process"]["pid"] == truth.sender and fits(alert) and any(
                names(entry["path"] or "") for entry in alert["files"])

        try:
            return self.bw.wait_alert(is_it, "the alert", self.soon)
        except Failure:
            # Every earlier alert has come when that of the marker theft has.
            self.bw.prove_delivered(self.net, self.home)
        found = self.bw.find(is_it)
        others = [json.dumps({name: alert[name] for name in ("files", "destination", "summary")})[:1500]
                  for alert in self.bw.find(lambda alert: alert["process"]["pid"] == truth.sender)]
        if others and not found:
            raise Failure(f"no alert {what}, but by the same sender:\n" + "\n".join(others))
        if not found:
            raise Missed(f"missed: no alert of the sender {truth.sender}, {what}")
        return found[0]

    def expect_silence(self, sender, what):
        self.bw.expect_no_alert(lambda a: a["process"]["pid"] == sender, self.net, self.home, what)


def check_route(entry, truth):
    """The route: each hop, the first giver first."""
    route = [(hop["pid"], hop["comm"], hop["via"]) for hop in entry.get("route") or []]
    fits = len(route) == len(truth.way) and all(
        (pid, comm) == hop[:2] and via in hop[2] for (pid, comm, via), hop in zip(route, truth.way))
    require(fits, f"files[].route: got {route}, wanted {truth.way}")


def check_file(entry, truth, class_name, toucher_exe):
    require(class_name in entry["classes"], f"files[].classes: {entry['classes']}")
    require(entry["via"] in truth.via, f"files[].via: got {entry['via']}, wanted {truth.via}")
    if "received" in truth.via and entry["pid"] != truth.toucher:
        # The opener and the receiver have both touched it.
        require(entry["generation"] > 0, f"generation: {entry}")
    else:
        require_equal(entry["pid"], truth.toucher, "files[].pid")
        require_equal(entry["generation"] > 0, truth.toucher != truth.sender, "files[].generation > 0")
        check_route(entry, truth)
    require(0 <= entry["age_ms"] < 600_000, f"age_ms: {entry['age_ms']}")
    require_equal(entry["truncated"], False, "files[].truncated")
    if toucher_exe:
        require_equal(entry["exe"], toucher_exe, "files[].exe")


def check_alert(alert, truth, names, class_name=SSH, toucher_exe=None):
    process = alert["process"]
    require_equal(process["pid"], truth.sender, "process.pid")
    # 0: any thread of the process.
    require(truth.tid in (0, process["tid"]), f"process.tid: got {process['tid']}, wanted {truth.tid}")
    require_equal(process["uid"], 0, "process.uid")
    require(harness.start_matches(alert, truth.start_ticks),
            f"start_time {process['start_time']} is not {harness.ticks_to_realtime(truth.start_ticks)}")
    require_equal([a["pid"] for a in alert["lineage"]][:len(truth.lineage)], truth.lineage, "lineage")
    require(class_name in alert["classes"], f"classes: {alert['classes']}")
    check_file(next(e for e in alert["files"] if names(e["path"] or "")), truth, class_name, toucher_exe)
    require(alert["reasons"] and alert["techniques"] and alert["summary"], f"explains nothing: {alert}")


def opened(path):
    """Opens a file of no class twice, so that the kernel programs have cached it as such."""
    for _ in range(2):
        with open(path, "rb") as file:
            file.read()


def write(path, text):
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


def install(source, target):
    """A copy to which an [Allow] rule can apply: owned by root, and not writable by others."""
    shutil.copyfile(source, target)
    os.chmod(target, 0o755)
    return target


def programs(home, **sources):
    """Copies of programs under the names that rules use: {name: path}."""
    directory = os.path.join(home.root.decode(), "programs")
    os.makedirs(directory, mode=0o755, exist_ok=True)
    return {name: install(source, os.path.join(directory, name.replace("_", "-"))) for name, source in sources.items()}
