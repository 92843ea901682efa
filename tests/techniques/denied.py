# SPDX-License-Identifier: GPL-2.0-or-later
"""The rows of the family "out" with Action=deny of the class: no byte of the secret reaches the other side, and the
alert says that it was refused. What a sensor cannot refuse is in rows/expected.py, and has an alert that says so."""

import fnmatch
import os
import signal
import subprocess

import play
import tap
from rows.expected import NOT_REFUSED
from harness import kernel_version, program, touches
from net import HOST_V4
from tap import require, require_equal

# So many bytes of the secret in a row are a leak; decoys have more of them than what they have in common.
PIECE = 16
# Some programs have a child that waits for what is refused, or wait for the end of a connection whose data is.
WAITS_SECONDS = 3 * tap.SLOW


def is_refused(name, sensor, kernel):
    return not any(sensor in entry["sensors"] and kernel < entry.get("before", kernel + (0,))
                   and any(fnmatch.fnmatchcase(name, glob) for glob in entry["cases"]) for entry in NOT_REFUSED)


class Stage(play.Stage):
    """Plays thefts as its base does, and judges them by what is refused."""

    def __init__(self, bw, net, home):
        super().__init__(bw, net, home)
        bw.refuses = True
        self.refused, self.secrets = True, []
        self.last = None
        make_key = home.key

        def key(*args, **kwargs):
            path, secret = make_key(*args, **kwargs)
            self.secrets.append(secret)
            return path, secret
        home.key = key

    def begin(self, refused):
        self.refused, self.secrets = refused, []

    def waits(self):
        return WAITS_SECONDS if self.refused else None

    def run(self, command, **kwargs):
        process = self.net.popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 text=True, start_new_session=True, **kwargs)
        try:
            out, err = process.communicate(timeout=self.waits())
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
        self.last = subprocess.CompletedProcess(command, process.returncode, out, err)
        return self.last

    def require_done(self, result, what):
        """A thief notices by errors, or not at all (a datagram of another process)."""

    def reached(self, secret):
        if not self.refused:
            super().reached(secret)

    def require_got(self, got, what):
        require(bool(got) != self.refused, f"{what}; refused: {self.refused}")

    def arrived(self, secret, decode=None):
        self.reached(secret)

    def leaked(self):
        """After what an honest program sends, which is behind everything that a thief sent."""
        marker = os.urandom(PIECE).hex().encode()
        path = os.path.join(self.scratch("marker"), "marker")
        with open(path, "wb") as out:
            out.write(marker)
        require_equal(self.net.run([program("technique-out-tcp"), "blocking", path, HOST_V4, "443"]).returncode, 0,
                      "an honest program beside the thief")
        self.net.sink.wait_arrived(marker)
        # The beginning of every decoy is the same.
        return [secret[at:at + PIECE] for secret in self.secrets
                for at in range(len(secret) // 2, len(secret) - PIECE, PIECE)
                if self.net.sink.has(secret[at:at + PIECE])]

    def check_to(self, truth, key, wanted, names=None, **kwargs):
        alert = self.bw.wait_alert(
            lambda a: a["process"]["pid"] == truth.sender and touches(a, key)
            and a["action"] == ("denied" if self.refused else "not-denied"),
            f"an alert that says what was done; refused: {self.refused}")
        if self.refused:
            require_equal(self.leaked(), [], "bytes of the secret that arrived")
        return alert

    def expect_silence(self, sender, what):
        require_equal(self.last.returncode, 0, f"{what}: {self.last.stderr}")
        super().expect_silence(sender, what)


class Catalogue(play.Catalogue):
    """Runs cases with Action=deny. The name of one that this sensor cannot refuse ends in "[not refused]"."""

    def case(self, name, function, *args, **kwargs):
        # Repeats: tests/system/test-enforcement.py.
        if name.startswith("repeats") or play.hole_of(name, self.sensor, kernel_version()) is not None:
            return True
        refused = is_refused(name, self.sensor, kernel_version())
        self.stage.begin(refused)
        return self.t.case(name + ("" if refused else " [not refused]"), function, *args, **kwargs)


def policy(directory):
    with open(os.path.join(directory, "99-denied.conf"), "w", encoding="ascii") as out:
        out.write(f"[Class {play.SSH}]\nAction=deny\n")
