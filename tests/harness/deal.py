# SPDX-License-Identifier: GPL-2.0-or-later
"""What takes long and says little more each time is dealt over runs: each plays its share, and so many runs play all.

usage: deal.py SHARES     prints the share of this run, or all"""

import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
DAY_SECONDS = 86400


def share_of_today(shares):
    """Which of so many shares (0 ...) this run plays. The commit says it, so that a run of the same tree plays the
    same; without git, the day. BW_SHARE=N says it instead; None if BW_SHARE=all: every share is played."""
    asked = os.environ.get("BW_SHARE")
    if asked == "all":
        return None
    if asked:
        return int(asked) % shares
    said = subprocess.run(["git", "-C", HERE, "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout
    return int(said, 16) % shares if said else int(time.time()) // DAY_SECONDS % shares


def dealt(items, shares):
    """Those of a list that this run plays, in their order."""
    share = share_of_today(shares)
    return [item for n, item in enumerate(items) if share is None or n % shares == share]


def is_dealt(n, shares):
    """Does this run play the n-th of what is dealt?"""
    return share_of_today(shares) in (None, n % shares)


def changed(root, commits):
    """The files that the latest commits have changed, as paths below root; none without git."""
    def git(*arguments):
        return subprocess.run(["git", "-C", root, *arguments], capture_output=True, text=True, check=False)

    result = git("diff", "--name-only", f"HEAD~{commits}")
    if result.returncode:  # fewer commits than that: all files are new
        result = git("ls-files")
    return set(result.stdout.split())


if __name__ == "__main__":
    print("all" if share_of_today(int(sys.argv[1])) is None else share_of_today(int(sys.argv[1])))
