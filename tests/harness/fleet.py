# SPDX-License-Identifier: GPL-2.0-or-later
"""Journal files of many hosts, with all fields that an alert has, a file for each host: what a receiver of journals
has after some days. `python3 fleet.py DIRECTORY [HOSTS [ALERTS [DAYS]]]` makes them; the last day is the latest."""

import concurrent.futures
import json
import os
import struct
import subprocess
import sys

import journal_files
import journal_forger
from message_ids import MESSAGE_IDS

# As an entry has: values of one host, and of one alert.
OF_HOST = {"_TRANSPORT": "journal", "_UID": "990", "_GID": "990", "_COMM": "barbwired", "_EXE": "/usr/sbin/barbwired",
           "_CMDLINE": "/usr/sbin/barbwired --alerts=journal", "_SELINUX_CONTEXT": "unconfined\n",
           "_SYSTEMD_CGROUP": "/system.slice/barbwire.service", "_SYSTEMD_SLICE": "system.slice", "_PID": "700",
           "_SYSTEMD_UNIT": journal_files.UNIT, "SYSLOG_FACILITY": "10", "SYSLOG_IDENTIFIER": "barbwired"}
POLICY = "5e" * 32


def flat(a):
    """The fields of an alert besides those of journal_forger.entry_of()."""
    p, f, d = a["process"], a["files"][0], a["destination"]
    of_file = {"FILE": f["path"], "FILE_CLASS": f["class"], "FILE_AGE_USEC": "5000", "FILE_PID": f["pid"],
               "FILE_UID": f["uid"], "FILE_EXE": f["exe"], "FILE_COMM": f["comm"], "FILE_GENERATION": 0,
               "FILE_VIA": "open"}
    fields = {"INCIDENT": a["incident"], "SEVERITY": a["severity"], "SCORE": a["score"], "EVIDENCE": a["evidence"],
              "REASON": "+80 a reason", "REASON_LIST": "+80 a reason", "ACTION": "alert", "CLASS": a["classes"][0],
              "CLASS_LIST": " ".join(a["classes"]), "TECHNIQUE": "T1552.004", "TECHNIQUE_LIST": "T1552.004",
              "PID": p["pid"], "TID": p["tid"], "EXE": p["exe"], "COMM": p["comm"], "CMDLINE": p["cmdline"],
              "UID": p["uid"], "CGROUP": "/", "MOUNT_NAMESPACE": 1, "FLOOD": "no", "SUSPECT": "no", "FILE_COUNT": 1,
              "START_TIME": 1795305600000000, "POLICY": POLICY, "DESTINATION_FAMILY": d["family"],
              "DESTINATION_PROTOCOL": d["protocol"], "DESTINATION_ADDRESS": d["address"], "DESTINATION": d["text"],
              "DESTINATION_PORT": d["port"], "DESTINATION_ACT": d["act"], **of_file,
              **{f"MAIN_{name}": value for name, value in of_file.items()}}
    return {f"BARBWIRE_{name}": str(value) for name, value in fields.items()}


def entries_of_host(host, n, days):
    """n alerts over so many days, two of an incident, the same ones on every host but for their times."""
    name, step = f"host-{host:04}", days * journal_files.DAY / n
    machine = f"{host:032x}"
    for i in range(n):
        seconds = i * step + host % 60
        number = host << 32 | i + 1
        a = journal_files.alert(number, seconds, incident=number - i % 2, policy=POLICY,
                                destination={"address": f"192.0.2.{i % 200 + 1}", "text": f"192.0.2.{i % 200 + 1}:443"},
                                **journal_files.program(f"/opt/host-{host}/program-{i // 2 % 50}"))
        usec = round((journal_files.BEGIN + seconds) * 1e6)
        yield usec, {**journal_forger.entry_of(a), **flat(a), **OF_HOST, "_HOSTNAME": name, "_MACHINE_ID": machine,
                     "BARBWIRE_TIME": str(usec)}


def heartbeats(host, moments, **changes):
    """[(usec, entry)] of a host at those times, in seconds since 1970; an event of each: start, hour or stop."""
    fields = {"BARBWIRE_VERSION": "1", "BARBWIRE_SENSOR": "lsm", "BARBWIRE_HEALTH": "ok", "BARBWIRE_POLICY": POLICY,
              "BARBWIRE_TOTAL": "0", **changes}
    return [(round(moment * 1e6),
             {**OF_HOST, "MESSAGE": "Monitoring goes on", "MESSAGE_ID": MESSAGE_IDS["HEARTBEAT"], "PRIORITY": "6",
              "BARBWIRE_HEARTBEAT": event, "_HOSTNAME": f"host-{host:04}", "_MACHINE_ID": f"{host:032x}",
              "BARBWIRE_TIME": str(round(moment * 1e6)), **fields}) for moment, event in moments]


def exported(dated, boot=journal_files.BOOT):
    out = []
    for usec, entry in dated:
        monotonic = usec - journal_files.BEGIN * 10 ** 6 + 10 ** 15
        out.append(f"__REALTIME_TIMESTAMP={usec}\n__MONOTONIC_TIMESTAMP={monotonic}\n_BOOT_ID={boot}\n".encode())
        for name, value in entry.items():
            for item in value if isinstance(value, list) else [value]:
                item = item.encode()
                out.append(name.encode() + (b"\n" + struct.pack("<Q", len(item)) if b"\n" in item else b"=") + item +
                           b"\n")
        out.append(b"\n")
    return b"".join(out)


def write(path, dated):
    """Makes a journal file of [(usec, entry)], which are in order."""
    made = subprocess.run([journal_files.REMOTE, "-o", path, "-"], input=exported(dated), capture_output=True,
                          timeout=600, check=False)
    if made.returncode != 0:
        raise RuntimeError(f"systemd-journal-remote: {made.stderr.decode()}")


def host_file(directory, host, n, days):
    write(f"{directory}/remote-host-{host:04}.journal", entries_of_host(host, n, days))


def make(directory, hosts, alerts, days):
    """Alerts in all, the same number for each host."""
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool:
        for done in [pool.submit(host_file, directory, host, alerts // hosts, days) for host in range(1, hosts + 1)]:
            done.result()


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[2:]]
    make(sys.argv[1], *(numbers + [500, 200000, 10][len(numbers):]))
    print(json.dumps({"files": len(os.listdir(sys.argv[1]))}))
