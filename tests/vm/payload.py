# SPDX-License-Identifier: GPL-2.0-or-later
"""The disk that every guest of a run gets: the programs built on the host, the tests, and the steps of the jobs."""

import dataclasses
import io
import json
import os
import sys
import tarfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import harness
import service

# Beside what is installed and the tests: the tables that the tests take names and numbers from.
SOURCES = ("bpf/abi", "daemon/alert/message-ids.h", "daemon/event/counters.h", "daemon/man", "daemon/policy.d", "tests",
           "units")
# An emulated core has about a twentieth of the speed.
ENVIRONMENT = {"BARBWIRED": "/vm/build/barbwired", "BW_TEST_BIN": "/vm/build/tests", "BW_SOURCE_ROOT": "/vm/src",
               "BW_SLOW": "6", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"}


def owned_by_root(member):
    """As installed: an [Allow] rule applies to files that root owns."""
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    member.mode &= ~0o022
    return None if "__pycache__" in member.name or member.name.endswith(".p") else member


def played(directory):
    """The names of the programs there that the tests run. Unit tests do not depend on the kernel, and would take a
    guest seconds to unpack."""
    return [name for name in sorted(os.listdir(directory)) if not name.startswith("test-") and
            os.path.isfile(f"{directory}/{name}") and os.access(f"{directory}/{name}", os.X_OK)]


def write_native(path, jobs):
    """The payload with the build that is tested on this machine, too."""
    service.prepare_files()
    write(path, jobs, service.BUILD, harness.TEST_BIN, ("barbwired", "barbwirectl", "installed-files"))


def write(path, jobs, build, test_bin, names):
    """Writes a tar, which is the disk of the guest as it is."""
    with tarfile.open(path, "w") as tar:
        for name in SOURCES:
            tar.add(os.path.join(harness.SOURCE_ROOT, name), f"src/{name}", filter=owned_by_root)
        for name in names:
            tar.add(os.path.join(build, name), f"build/{name}", filter=owned_by_root)
        for name in played(test_bin):
            tar.add(os.path.join(test_bin, name), f"build/tests/{name}", filter=owned_by_root)
        plan = {"environment": ENVIRONMENT,
                "jobs": {job.name: [dataclasses.asdict(step) for step in job.steps] for job in jobs}}
        text = json.dumps(plan).encode()
        member = tarfile.TarInfo("jobs.json")
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text))
