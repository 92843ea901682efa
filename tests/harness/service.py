# SPDX-License-Identifier: GPL-2.0-or-later
"""barbwired as a service of the systemd in a box: the tools of an administrator (systemctl, journalctl, drop-ins), and
thefts whose alerts are waited for in the journal."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time

import harness
import tap
from net import HOST_V4, Net
from tap import Failure, require_equal

UNIT = "barbwire.service"
SOCKET_UNIT = "barbwire.socket"
BOX = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../box")
# The program is in the build directory.
BUILD = os.path.dirname(harness.BARBWIRED)
FILES = os.path.join(BUILD, "installed-files")
NEWER = "--newer" in sys.argv
DROP_IN = f"/run/systemd/system/{UNIT}.d/50-test.conf"
WAIT_TIMEOUT = harness.ALERT_TIMEOUT
POLL_SECONDS = 0.05


def main(program, inside):
    """The main program of a test that runs in a box: executes systemd-box, in which the program runs again and calls
    inside(). With --newer, the box has the files of another release, whose systemd is newer than this machine's."""
    if "--inside" in sys.argv:
        inside()
    harness.require_machine()
    if not os.access("/lib/systemd/systemd", os.X_OK):
        tap.skip_all("needs systemd", environment=True)
    options, python = [], sys.executable
    if NEWER:
        options, python = ["--root", debian_root()], "python3"
        prepare_files()
    box = os.path.join(BOX, "systemd-box")
    os.execv(box, [box, *options, "-b", harness.SOURCE_ROOT, "-b", BUILD, "--", python, "-B", os.path.abspath(program),
                   *sys.argv[1:], "--inside"])


def debian_root(*options):
    made = subprocess.run([os.path.join(BOX, "debian-root"), *options], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=False)
    if made.returncode == 77:
        tap.skip_all(made.stderr.strip(), environment=True)
    if made.returncode != 0:
        sys.exit(made.stderr)
    return made.stdout.strip()


def prepare_files():
    """Installs the files of a package into a directory. What this build has installed on the machine itself can still
    be uninstalled afterwards."""
    log = os.path.join(BUILD, "meson-logs/install-log.txt")
    shutil.rmtree(FILES, ignore_errors=True)
    if os.path.exists(log):
        shutil.copy(log, log + ".kept")
    made = subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", FILES],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if os.path.exists(log + ".kept"):
        os.replace(log + ".kept", log)
    if made.returncode != 0:
        sys.exit(made.stdout + made.stderr)


def sanitized():
    with open(harness.BARBWIRED, "rb") as binary:
        return b"__asan_init" in binary.read()


def install():
    """Installs barbwire with meson, or, where there is no meson, like a package manager."""
    if sanitized():
        # The sandbox forbids tracing, which LeakSanitizer needs. Leaks are found by the tests outside of it.
        for unit in (UNIT, "barbwire-selftest.service"):
            path = f"/run/systemd/system/{unit}.d/10-sanitizers.conf"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="ascii") as out:
                out.write("[Service]\nEnvironment=ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1\n")
    if not NEWER:
        run("meson", "install", "-C", BUILD, "--no-rebuild")
        return
    run("cp", "-a", f"{FILES}/.", "/")
    configuration = [run("find", FILES, "-path", f"*/{directory}/barbwire.conf", "-printf", "/%P").stdout
                     for directory in ("sysusers.d", "tmpfiles.d")]
    run(os.path.join(harness.SOURCE_ROOT, "units/after-install"), *configuration)


def run(*args, check=True):
    result = subprocess.run(args, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120 * tap.SLOW)
    if check and result.returncode != 0:
        raise Failure(f"{' '.join(args)}: exit status {result.returncode}\n{result.stdout}{result.stderr}\n"
                      + last_words())
    return result


def systemctl(*args, check=True):
    return run("systemctl", "--no-ask-password", *args, check=check)


def show(name, unit=UNIT):
    return run("systemctl", "show", "--property", name, "--value", unit).stdout.strip()


def states():
    """The latest entries of the service and of its socket."""
    return show("ActiveState"), show("ActiveState", SOCKET_UNIT)


def main_pid():
    return int(show("MainPID"))


def journal_entries(*matches):
    """The entries that journalctl shows, the oldest first."""
    run("journalctl", "--sync")
    text = run("journalctl", "--output=json", "--all", "--no-pager", *matches).stdout
    return [json.loads(line) for line in text.splitlines()]


def journal():
    """All entries of the unit."""
    return journal_entries("--unit", UNIT)


def as_text(value):
    """A field in the JSON of journalctl is a string, bytes if it is not UTF-8, or a list of several values."""
    if isinstance(value, list):
        return bytes(value).decode(errors="backslashreplace")
    return value or ""


def last_words():
    text = run("journalctl", "--unit", UNIT, "--output=short-monotonic", "-n", "15", "--no-pager", check=False)
    return text.stdout


def wait_until(look, what, timeout=WAIT_TIMEOUT):
    deadline = time.monotonic() + timeout
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise Failure(f"{what}: not in {timeout} s\n{last_words()}")
        time.sleep(POLL_SECONDS)


def wait_message(pattern, since, what):
    """Waits for an entry after the first `since` ones whose message matches."""
    return wait_until(lambda: next((e for e in journal()[since:] if re.search(pattern, as_text(e["MESSAGE"]))), None),
                      what)


def configure(text):
    """Sets the drop-in of the unit; None: removes it."""
    os.makedirs(os.path.dirname(DROP_IN), exist_ok=True)
    if text:
        with open(DROP_IN, "w", encoding="utf-8") as out:
            out.write(text)
    else:
        os.unlink(DROP_IN)
    systemctl("daemon-reload")


def forget_machine():
    """Removes an installed barbwire: the box is a copy of this machine, which may have one."""
    run("rm", "-rf", "/etc/barbwire", "/srv/payroll")
    for name in ("passwd", "shadow", "group", "gshadow"):
        if os.path.exists(f"/etc/{name}"):
            run("sed", "-i", "/^barbwire:/d", f"/etc/{name}")


def is_alert_of(entry, path):
    """Whether the entry is an alert whose message names the file."""
    return f"opened {harness.as_text(path)} and " in as_text(entry["MESSAGE"])


# Opens argv[1], prints "read", and for each line on stdin connects to argv[2]:443.
PATIENT_THIEF = """
import socket, sys
open(sys.argv[1], "rb").read()
print("read", flush=True)
for line in sys.stdin:
    socket.create_connection((sys.argv[2], 443)).sendall(b"x")
    print("sent", flush=True)
"""


class PatientThief:
    """with PatientThief(net, path) as thief: it has read the file, and sends on request."""

    def __init__(self, net, path):
        self.process = net.popen([sys.executable, "-c", PATIENT_THIEF, path, HOST_V4], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE)

    def heard(self, word):
        require_equal(self.process.stdout.readline(), word + b"\n", "the thief")

    def send(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        self.heard(b"sent")

    def __enter__(self):
        self.heard(b"read")
        return self

    def __exit__(self, *exception):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Thefts:
    def __init__(self, net, home):
        self.net, self.home = net, home

    def play(self, path=None, **kwargs):
        """Steals this key, or a new one; returns the entry of its alert and the path of the key."""
        path = path or self.home.key()[0]
        result = self.net.run([harness.program("technique-out-tcp"), "blocking", path, HOST_V4, "443"], **kwargs)
        require_equal(result.returncode, 0, f"the theft's exit status\n{result.stderr}")
        return self.wait_alert(path), path

    def wait_alert(self, path, repeats="0"):
        return wait_until(lambda: next((e for e in journal() if is_alert_of(e, path) and
                                        e["BARBWIRE_REPEATS"] == repeats), None), f"alert of {path}")


@contextlib.contextmanager
def cases(make_thefts=Thefts):
    """For inside(): the TAP of its cases, and thefts for them, in a box that knows nothing of barbwire on the machine.
    Prints the plan and exits afterwards."""
    forget_machine()
    t = tap.Tap()
    with Net() as net, harness.Home() as home:
        yield t, make_thefts(net, home)
    t.done()
