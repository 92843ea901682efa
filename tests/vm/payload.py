# SPDX-License-Identifier: GPL-2.0-or-later
"""What every guest of a run is given: the programs as they were built on the host, the tests, and the jobs' steps."""

import dataclasses
import io
import json
import os
import sys
import tarfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import harness
import service

SOURCES = ("daemon/man", "daemon/policy.d", "tests", "units")
# Emulated, a core has about a twentieth of its speed.
ENVIRONMENT = {"BARBWIRED": "/vm/build/barbwired", "BW_TEST_BIN": "/vm/build/tests", "BW_SOURCE_ROOT": "/vm/src",
               "BW_SLOW": "6", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"}


def owned_by_root(member):
    """As installed: an [Allow] rule holds for what is root's."""
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    member.mode &= ~0o022
    return None if "__pycache__" in member.name or member.name.endswith(".p") else member


def played(directory):
    """The names of the programs there that tests play. Tests of units are no kernel's matter, and would take a guest
    seconds to unpack."""
    return [name for name in sorted(os.listdir(directory)) if not name.startswith("test-") and
            os.path.isfile(f"{directory}/{name}") and os.access(f"{directory}/{name}", os.X_OK)]


def write_native(path, jobs):
    """With what is tested on this machine, too."""
    service.prepare_files()
    write(path, jobs, service.BUILD, harness.TEST_BIN, ("barbwired", "barbwirectl", "installed-files"))


def write(path, jobs, build, test_bin, names):
    """A tar, to be the guest's disk as it is."""
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
