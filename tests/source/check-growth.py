#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Each thing that grows has one place: a hook, a loss, a count, an alert field, a command and a class are added to a
copy of the tree as daemon/HACKING.md says, and appear in all that is made from their lines.

usage: check-growth.py ROOT"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import tap
import tree
from tap import require, require_equal

COMMAND = """/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <stdio.h>

#include "client/ctl.h"

int ctl_attempt(const Ctl *c, const char *pid) {
        (void)c;
        printf("attempts of %s\\n", pid);
        return CTL_OK;
}
"""
PROGRAM = """
SEC("tp_btf/sched_switch")
int BPF_PROG(bw_sched_switch) {
        HOOK_FIRED(BW_HOOK_SWITCH);
        count(BW_COUNT_ATTEMPTS);
        report_loss(BW_LOSS_ATTEMPT_LOST);
        return 0;
}
"""
CLASS = """[Class attempts]
Description=keys of attempts
Technique=T1552.001
Path=/etc/attempt.key

[Allow attempts]
Class=attempts
Exe=/usr/bin/attempt
"""


LIST_END = r"\n/\* clang-format on \*/"
# The lines of daemon/HACKING.md, "Adding something": (file, where, the new line, which has what was there as \\g<0>).
LINES = (
    # A hook; its program is above. It is also where a loss and a count happen.
    ("bpf/abi/hooks.h", r"^#define BW_HOOKS\(X\) +\\\n",
     r'\g<0>        X(SWITCH, "attempts", BW_TRACEPOINT("tp_btf/sched_switch")) \\\n'),
    # A loss of the kernel, at the end of its list, and one of the daemon.
    ("bpf/abi/counters.h", LIST_END,
     r' \\\n        X(ATTEMPT_LOST, "attempt_lost", "an attempt was not judged", NULL)\g<0>'),
    ("daemon/event/counters.h", LIST_END,
     r' \\\n        X(ATTEMPT_MISSED, "attempt_missed", "it was missed", NULL)\g<0>'),
    ("daemon/status.c", r"^ +counts\[LOSS_HOOK_GONE\] =", r"        counts[LOSS_ATTEMPT_MISSED] = 0;\n\g<0>"),
    # A count.
    ("bpf/abi/counters.h", r"^ +BW_COUNT_MAX$", r"        BW_COUNT_ATTEMPTS,\n\g<0>"),
    # An alert field.
    ("daemon/alert/field-list.h", r'^ +F\(container, "BARBWIRE_CONTAINER"',
     r'        F(attempt, "BARBWIRE_ATTEMPT", number, o->process.attempt, "The number of its attempt.") \\\n\g<0>'),
    ("daemon/alert/alert.h", r"^ +AlertBytes unit, container;$", r"\g<0>\n                unsigned attempt;"),
    # A command; its function is above.
    ("daemon/client/verbs.h", r"^ +VERB\(suggest,",
     r'        VERB(attempt, "PID", 0, "Show the attempts of a process") \\\n\g<0>'),
    ("daemon/meson.build", r"^ +'client/alerts\.c',$", r"\g<0>\n        'client/attempt.c',"),
)


def edit(path, where, line):
    with open(path, encoding="utf-8") as file:
        text, n = re.subn(where, lambda match: match.expand(line), file.read(), count=1, flags=re.MULTILINE)
    require_equal(n, 1, f"places for a new line in {path}")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def add_all(root):
    for name, text in (("bpf/barbwire.bpf.c", PROGRAM), ("daemon/client/attempt.c", COMMAND),
                       ("daemon/policy.d/45-attempt.conf", CLASS)):
        with open(f"{root}/{name}", "a", encoding="utf-8") as out:
            out.write(text)
    for name, where, line in LINES:
        edit(f"{root}/{name}", where, line)


def run(*args, **kwargs):
    result = subprocess.run(args, stdin=subprocess.DEVNULL, capture_output=True, text=True, **kwargs)
    require(result.returncode == 0, f"{' '.join(args)}: {result.returncode}\n{(result.stdout + result.stderr)[-3000:]}")
    return result.stdout


def read(path):
    with open(path, "rb") as file:
        return file.read()


def built(root):
    add_all(root)
    run("meson", "setup", "-Dtests=disabled", "-Dwerror=true", "-Doptimization=0", f"{root}/build", root)
    run("ninja", "-C", f"{root}/build")


def in_program(root, *texts):
    program = read(f"{root}/build/barbwired")
    for text in texts:
        require(text.encode() in program, f"barbwired lacks {text}")


def field(root):
    in_program(root, "BARBWIRE_ATTEMPT")
    page = read(f"{root}/build/daemon/man/barbwire.journal-fields.7.scd").decode()
    require("BARBWIRE_ATTEMPT" in page and "The number of its attempt." in page, "not in barbwire.journal-fields(7)")
    require(re.search(rb"attempt: int", read(f"{root}/build/barbwired")), "not in the description of the interface")


def command(root):
    program = f"{root}/build/barbwirectl"
    require("Show the attempts of a process" in run(program, "--help"), "not in --help")
    require_equal(run(program, "attempt", "7"), "attempts of 7\n", "what it prints")
    for shell in ("barbwirectl", "_barbwirectl"):
        require(b"attempt" in read(f"{root}/build/units/{shell}"), f"{shell} does not complete it")


def policy(root):
    text = run(f"{root}/build/barbwirectl", "explain", "/etc/attempt.key", f"--policy-dir={root}/daemon/policy.d")
    require("attempts" in text, text)


def main():
    source = os.path.realpath(sys.argv[1])
    t = tap.Tap()
    with tempfile.TemporaryDirectory(prefix="barbwire-growth-") as root:
        for name in tree.tracked_files(source):
            os.makedirs(os.path.dirname(f"{root}/{name}"), exist_ok=True)
            shutil.copy(f"{source}/{name}", f"{root}/{name}")
        if t.case("the lines of HACKING.md are all that a build needs", built, root):
            t.case("a hook", in_program, root, "attempts", "tp_btf/sched_switch")
            t.case("a loss of the kernel, and one of the daemon", in_program, root, "attempt_lost", "attempt_missed")
            t.case("an alert field", field, root)
            t.case("a command", command, root)
            t.case("a class", policy, root)
    t.done()


if __name__ == "__main__":
    main()
