#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What collectors take: rsyslog and syslog-ng, with the configuration in barbwire.journal-fields(7), read an alert from
a journal and write it as JSON. Every field arrives as "journalctl -o json" prints it, without -a; of a field with
several values each has a single-valued form beside it.

In a mount namespace of its own, as both read the journal of their machine."""

import ctypes
import json
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../harness"))

import harness
import journal_files
import tap
import unpacked
from tap import Skip, require, require_equal

MANUAL = os.path.join(HERE, "../../daemon/man/barbwire.journal-fields.7.scd.in")
MACHINE_ID = "0123456789abcdef0123456789abcdef"
PATIENCE = 20 * tap.SLOW
CLONE_NEWNS = 0x20000
# What the manual's configuration names.
OUTPUT = "/var/log/barbwire.json"
# journalctl adds the place of the entry, and which journal it is from.
OF_THE_READER = re.compile("__|_TRANSPORT$")
RSYSLOG = ("rsyslog", "libestr0", "libfastjson4", "liblognorm5")
SYSLOG_NG = ("syslog-ng-core", "libivykis0", "libnet1", "libpcre3", "libjson-c5", "libglib2.0-0", "libwrap0")


def mount(*words):
    subprocess.run(["mount", *words], check=True)


class Journal:
    """This machine's journal has one alert, and entries that are none."""

    def __init__(self, directory):
        self.directory, self.entry = directory, None

    def open(self):
        directory = self.directory
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNS) != 0:
            raise Skip("no mount namespace of its own", environment=True)
        mount("--make-rprivate", "/")
        for name in ("journal", "empty", "log"):
            os.mkdir(f"{directory}/{name}", 0o755)
        self.bind("/etc/machine-id", MACHINE_ID + "\n")
        for place in ("/run/log/journal", "/var/log/journal"):
            os.makedirs(place, exist_ok=True)
        mount("--bind", f"{directory}/empty", "/run/log/journal")
        os.makedirs(f"{directory}/journal/{MACHINE_ID}")
        self.write()
        mount("--bind", f"{directory}/log", "/var/log")
        os.mkdir("/var/log/journal")
        mount("--bind", f"{directory}/journal", "/var/log/journal")
        self.entry, = [e for e in self.read() if e.get("BARBWIRE_ALERT_ID")]

    def bind(self, path, text):
        with open(f"{self.directory}/file", "w", encoding="ascii") as out:
            out.write(text)
        mount("--bind", f"{self.directory}/file", path)

    def write(self):
        alert = subprocess.run([harness.program("alert-entry")], capture_output=True, check=True).stdout
        forged = alert.replace(b"BARBWIRE_ALERT_ID=", b"BARBWIRE_ALERT_ID=f")
        entries = b""
        for number, (fields, unit) in enumerate(((b"MESSAGE=Started.\n", "barbwire.service"),
                                                 (alert, "barbwire.service"), (forged, "user@1000.service"))):
            usec = journal_files.BEGIN * 10 ** 6 + number
            entries += (f"__REALTIME_TIMESTAMP={usec}\n__MONOTONIC_TIMESTAMP={number + 1}\n"
                        f"_BOOT_ID={journal_files.BOOT}\n_HOSTNAME=alpha\n_UID=990\n_SYSTEMD_UNIT={unit}\n").encode()
            entries += fields + b"\n"
        path = f"{self.directory}/journal/{MACHINE_ID}/system.journal"
        if not os.access(journal_files.REMOTE, os.X_OK):
            raise Skip(f"needs {journal_files.REMOTE}", environment=True)
        made = subprocess.run([journal_files.REMOTE, "-o", path, "-"], input=entries, capture_output=True, check=False)
        require_equal(made.returncode, 0, made.stderr.decode())

    @staticmethod
    def read():
        out = subprocess.run(["journalctl", "-o", "json", "_SYSTEMD_UNIT=barbwire.service"], capture_output=True,
                             check=True).stdout
        return [json.loads(line) for line in out.splitlines()]

    def fields(self):
        """{name: value} of those with one value, and {name: values} of the others."""
        mine = {k: v for k, v in self.entry.items() if not OF_THE_READER.match(k)}
        return ({k: v for k, v in mine.items() if not isinstance(v, list)},
                {k: v for k, v in mine.items() if isinstance(v, list)})


def journal_has_all(journal):
    """journalctl prints every field without -a, but for the one that is documented to be long; every field with several
    values has a form with one."""
    single, several = journal.fields()
    require_equal([k for k, v in single.items() if v is None], ["BARBWIRE_JSON_COMPLETE"], "fields without a value")
    require(len(json.dumps(json.loads(single["BARBWIRE_JSON"]))) > 1000 and len(several) >= 6, f"{several.keys()}")
    mains = {k: k.replace("BARBWIRE_FILE", "BARBWIRE_MAIN_FILE") for k in several}
    lacking = [k for k, main in mains.items() if not {f"{k}_LIST", main, f"{main}_LIST"} & set(single) - {k}]
    require(set(lacking) <= {"BARBWIRE_FILE_AGE_USEC", "BARBWIRE_FILE_PID", "BARBWIRE_FILE_UID", "BARBWIRE_FILE_EXE",
                             "BARBWIRE_FILE_COMM", "BARBWIRE_FILE_GENERATION", "BARBWIRE_FILE_VIA",
                             "BARBWIRE_FILE_ROUTE"}, f"without a form of one value: {lacking}")


def configuration(name):
    """The block of the manual whose first line is a comment with this name."""
    with open(MANUAL, encoding="utf-8") as manual:
        blocks = re.findall(r"^```\n(.*?)^```\n", manual.read(), re.MULTILINE | re.DOTALL)
    block, = [b for b in blocks if b.startswith(f"# {name}\n")]
    return block.replace("\\\\", "\\") # scdoc(5)


def collected(command, env):
    """What the program has written once it has written a line: it runs until then."""
    if os.path.exists(OUTPUT):
        os.unlink(OUTPUT)
    process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    try:
        end = time.monotonic() + PATIENCE
        while not os.path.exists(OUTPUT) or not open(OUTPUT, encoding="utf-8").read().endswith("\n"):
            if process.poll() is not None or time.monotonic() > end:
                process.kill()
                raise tap.Failure(f"{command[0]}: nothing came: {process.communicate()[0][-2000:]}")
            time.sleep(0.02)
    finally:
        process.terminate() # it ends after it has written all that it has read
        process.communicate(timeout=PATIENCE)
    with open(OUTPUT, encoding="utf-8") as out:
        return [json.loads(line) for line in out]


def require_complete(journal, alerts):
    single, several = journal.fields()
    require_equal(len(alerts), 1, "alerts, of which another unit's is none")
    got = alerts[0]
    require_equal({k: got.get(k) for k, v in single.items() if v is not None},
                  {k: v for k, v in single.items() if v is not None}, "fields with one value")
    complete = json.loads(got["BARBWIRE_JSON_COMPLETE"])
    require_equal((complete["id"], len(complete["files"])), (single["BARBWIRE_ALERT_ID"], 8), "the complete alert")
    require(all(got.get(k) in v for k, v in several.items()), f"one of several values: {sorted(several)}")


def rsyslog(journal):
    root = unpacked.unpack("rsyslog", RSYSLOG)
    with open("/var/log/rsyslog.conf", "w", encoding="utf-8") as out:
        out.write('global(workDirectory="/var/log")\n' + configuration("rsyslog"))
    library = f"{root}/usr/lib/x86_64-linux-gnu"
    require_complete(journal, collected([f"{root}/usr/sbin/rsyslogd", "-n", "-f", "/var/log/rsyslog.conf", "-i",
                                         "/var/log/rsyslog.pid", "-M", f"{library}/rsyslog"],
                                        unpacked.libraries(root)))


def syslog_ng(journal):
    root = unpacked.unpack("syslog-ng", SYSLOG_NG)
    with open("/var/log/syslog-ng.conf", "w", encoding="utf-8") as out:
        out.write("@version: 3.38\n" + configuration("syslog-ng"))
    modules = f"{root}/usr/lib/syslog-ng/3.38"
    require_complete(journal, collected([f"{root}/usr/sbin/syslog-ng", "-F", "-f", "/var/log/syslog-ng.conf",
                                         f"--module-path={modules}", "-R", "/var/log/ng.persist", "-p",
                                         "/var/log/ng.pid", "-c", "/var/log/ng.ctl", "--no-caps"],
                                        unpacked.libraries(root, modules)))


def main():
    if os.geteuid() != 0:
        tap.skip_all("needs root", environment=True)
    t = tap.Tap()
    with tempfile.TemporaryDirectory(prefix="barbwire-test-") as directory:
        journal = Journal(directory)
        t.setup("a journal with an alert", journal.open)
        t.case("journalctl -o json prints every field", journal_has_all, journal)
        t.case("rsyslog passes it on", rsyslog, journal)
        t.case("syslog-ng passes it on", syslog_ng, journal)
        subprocess.run(["umount", "-l", "/var/log/journal", "/var/log", "/run/log/journal", "/etc/machine-id"],
                       check=False)
    t.done()


if __name__ == "__main__":
    main()
