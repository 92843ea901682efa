# SPDX-License-Identifier: GPL-2.0-or-later
"""What a package leaves on a system: the files of before and after, and what an administrator changes."""

import itertools
import os
import re

import harness
from service import UNIT, systemctl
from tap import require, require_equal

SITE = "/etc/barbwire/policy.d/90-site.conf"
CONFIGURATION = "/etc/barbwire/barbwire.conf"
# What belongs to the package manager, the journal, or the rest of the system. /etc: files of users, which keep the user
# barbwire, and the copies that their tools make.
OTHERS = re.compile(r"/(dev|proc|sys|srv|tmp|var/tmp|var/tmp/.*|run|run/(?!barbwire).*"
                    r"|var/log/(journal|apt|dpkg\.log|alternatives).*|var/cache/(apt|debconf|ldconfig)"
                    r"|var/lib/(apt|dpkg|rpm|systemd/(?!deb-systemd).*)"
                    r"|etc/(passwd|shadow|group|gshadow)-?|etc/\.pwd\.lock|etc/ld\.so\.cache|root/.*)(/|$)")
# Except what has our name: what PID 1 keeps of units in /run and /var, private directories in /tmp, lists of dpkg.
OURS = re.compile("barbwire")
UNSEEN = ("/dev", "/proc", "/sys", "/root")
# Where packages have files. Elsewhere the machine of a box goes on working.
PLACES = ("/etc", "/run", "/tmp", "/usr", "/var/lib")


def configure(thefts):
    """An administrator changes the conffile and adds a policy."""
    with open(CONFIGURATION, "a", encoding="utf-8") as out:
        out.write("[Query]\nMaxAlerts=5000\n")
    with open(SITE, "w", encoding="utf-8") as out:
        out.write(harness.policy_class("payroll", ["/srv/payroll/**"]))
    systemctl("restart", UNIT)
    thefts.play(thefts.home.decoy(b"/srv/payroll/2024.csv")[0])


def files(only_ours=False):
    """{path: mode, owner} of everything that could be the package's; only_ours: of what has our name."""
    found = {}
    for directory, children, names in itertools.chain(*map(os.walk, PLACES if only_ours else ("/",))):
        paths = [os.path.join(directory, name) for name in children]
        children[:] = [name for path, name in zip(paths, children)
                       if path not in UNSEEN and not os.path.ismount(path) or path in PLACES]
        for name in children + names:
            path = os.path.join(directory, name)
            if not OURS.search(name) and (only_ours or OTHERS.match(path)):
                continue
            try:
                status = os.lstat(path)
            except FileNotFoundError:
                # Others work, too.
                continue
            found[path] = (oct(status.st_mode), status.st_uid, status.st_gid)
    return found


def require_files(before, kept, what, only_ours=False):
    """Nothing but these is there that was not before, and nothing is missing."""
    got = files(only_ours)
    more = sorted(set(got) - set(before) - set(kept))
    require(not more, f"{what}: left behind: {more}")
    require_equal(sorted(set(before) - set(got)), [], f"{what}: files that are gone")
    require_equal(sorted(set(kept) - set(got)), [], f"{what}: not kept")
    changed = sorted(path for path in before if got[path] != before[path])
    require(not changed, f"{what}: other mode or owner: {changed}")
