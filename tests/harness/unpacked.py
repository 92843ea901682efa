# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs of Debian packages that cannot be installed on the same machine: from this machine's archive, unpacked into
the cache of the tests."""

import glob
import os
import shutil
import subprocess
import tempfile

from tap import Skip

CACHE = os.environ.get("BW_CACHE_DIR", "/var/cache/barbwire-tests")


def unpack(name, packages):
    """Returns a directory with the files of these packages. It is made once for each version of the first one."""
    policy = subprocess.run(["apt-cache", "policy", packages[0]], capture_output=True, text=True, check=False)
    candidate = [line.split()[1] for line in policy.stdout.splitlines() if line.strip().startswith("Candidate:")]
    if not candidate or candidate[0] == "(none)":
        raise Skip(f"this machine's archive has no {packages[0]}", environment=True)
    root = os.path.join(CACHE, f"{name}-{candidate[0].replace(':', '_')}")
    if os.path.isdir(root):
        return root
    os.makedirs(CACHE, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as directory:
        got = subprocess.run(["apt-get", "-q", "download", *packages], cwd=directory, capture_output=True, text=True,
                             check=False)
        if got.returncode != 0:
            raise Skip(f"cannot download {packages}: {got.stderr[-300:]}", environment=True)
        for archive in glob.glob(f"{directory}/*.deb"):
            subprocess.run(["dpkg-deb", "-x", archive, f"{directory}/root"], check=True)
        shutil.move(f"{directory}/root", root)
    return root


def libraries(root, *more):
    """The environment in which its programs find its libraries."""
    found = {os.path.dirname(path) for path in glob.glob(f"{root}/**/lib*.so*", recursive=True)}
    return {**os.environ, "LD_LIBRARY_PATH": ":".join([*sorted(found), *more])}
