# SPDX-License-Identifier: GPL-2.0-or-later
"""The jobs of a week, from the files in jobs/, one for each machine. A chain is jobs in the same home, one after the
other, as what one leaves behind must not make the next one alarm:

    [NAME]                 also the name of its user, with a home of its own
    user root              it is root's instead
    needs PROGRAM...       it is skipped without them, by name or path; a job whose last command is missing is, too
    long                   it takes minutes: only with --long
    unit NAME              the jobs run in a control group of that name
    low N                  first sights of people's own scripts, each an alert of low severity
    thief SEVERITY PATH    beside the jobs, a program that no rule names reads that file: an alert of this severity
    file MODE PATH         below the home; absolute: of root's. Made before barbwired starts
    setup                  commands of root's, at the same time; ~/ is the home
    job TEXT               a script of bash
    theft SEVERITY TEXT    another one, which must raise an alert of this severity; played after the jobs

Lines that begin with four spaces continue the last of the lower four."""

import os
from dataclasses import dataclass, field

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "jobs")
MACHINES = ("laptop", "ci-runner", "web-server", "database-host", "container-host", "administrator", "second-list")
INDENT = "    "


@dataclass
class Chain:
    name: str
    machine: str
    user: str = "own"
    long: bool = False
    needs: list = field(default_factory=list)
    unit: str = ""
    low: int = 0
    thief: list = field(default_factory=list)  # (severity, path)
    files: list = field(default_factory=list)  # (mode, path, text)
    setup: str = ""
    jobs: list = field(default_factory=list)  # (text, script)
    thefts: list = field(default_factory=list)  # (severity, text, script)


def chain_add(chain, key, rest, body):
    if key == "file":
        mode, path = rest.split(" ", 1)
        chain.files.append((mode, path, body))
    elif key == "job":
        chain.jobs.append((rest, body))
    elif key == "theft":
        chain.thefts.append((*rest.split(" ", 1), body))
    elif key == "setup":
        chain.setup = body
    elif key == "thief":
        chain.thief.append(tuple(rest.split(" ", 1)))
    elif key == "needs":
        chain.needs = rest.split()
    elif key == "long":
        chain.long = True
    elif key in ("user", "unit", "low"):
        setattr(chain, key, int(rest) if key == "low" else rest)
    else:
        raise ValueError(f"{chain.machine}, {chain.name}: {key}?")


def read(machine):
    """The chains of one machine."""
    chains, last, body = [], None, []

    def finish():
        if last:
            chain_add(chains[-1], *last, "".join(body).rstrip("\n") + "\n" * bool(body))

    with open(os.path.join(FOLDER, machine), encoding="utf-8") as lines:
        for line in lines:
            if line.startswith(INDENT):
                body.append(line[len(INDENT):])
                continue
            if line.startswith("#") or not line.strip():
                body.append("\n" * bool(body and not line.strip()))
                continue
            finish()
            last, body = None, []
            if line.startswith("["):
                chains.append(Chain(line.strip().strip("[]"), machine))
            else:
                key, _, rest = line.rstrip("\n").partition(" ")
                last = key, rest
    finish()
    return chains


def read_all():
    return [chain for machine in MACHINES for chain in read(machine)]
