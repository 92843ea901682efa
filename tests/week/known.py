# SPDX-License-Identifier: GPL-2.0-or-later
"""The budget: false alarms that are known, as the holes of the techniques are, (chain, job): (severity, how many, why).
Each is one to mend. A job that raises more than this fails."""

OUTPUT = "what a program with a rule printed is bound evidence in the shell that asked for it, whatever that does next"
MODULE = "python3 -m has no script that a rule could name"
JAVA = "maven is java, which runs any program"
FEW = "a number of two digits is no secret, but carries the mark"
INTRUDER = "a shell in a service reads its credential as an intruder there would"
CLIENT = "a server marks its clients of the same user; what they send back to it is no theft, as it had that before"
THEFT = "it is none: a secret is stored in a database"

KNOWN = {
    ("less1", "the number of matches in a variable"): ("high", 1, FEW),
    ("aws1", "the output of aws configure get in a variable, then curl"): ("low", 1, OUTPUT),
    ("gh1", "$(gh auth token) given to curl"): ("low", 1, OUTPUT),
    ("pass1", "pass show in a variable, then curl"): ("low", 1, OUTPUT),
    ("pass1", "curl with $(pass …)"): ("low", 1, OUTPUT),
    ("pass1", "mbsync with PassCmd"): ("low", 1, OUTPUT),
    ("pass1", "msmtp with passwordeval"): ("low", 1, OUTPUT),
    ("mbsync", "mbsync with PassCmd of a netrc"): ("medium", 1, "grep is not named by a rule"),
    ("pip1", "python3 -m pip install"): ("medium", 1, MODULE),
    ("pip1", "python3 -m pip download"): ("medium", 1, MODULE),
    ("pip1", "pip of the venv with -m"): ("medium", 1, MODULE),
    ("mvn1", "mvn"): ("medium", 2, JAVA),
    ("mvn1", "again"): ("medium", 2, JAVA),
    ("units1", "cat of a credential in a unit's script"): ("medium", 1, INTRUDER),
    ("units1", "curl with $(cat …) of a unit's credential"): ("medium", 1, INTRUDER),
    ("perl1", "perl looks up a user, and fetches"): ("high", 1, "perl -e is no script"),
    ("o-db", "perl's DBI with ~/.pgpass"): ("medium", 1, "perl -e is no script"),
    ("podman1", "podman login's file"): ("high", 2, "one that made a secret marks the next, by shared memory"),
    ("rootnode", "node serves HTTPS with a key, and asks another server"): ("low", 2, CLIENT),
    ("rootnode", "again"): ("low", 2, CLIENT),
    ("rootpy", "/usr/bin/python3 serves HTTPS with a key, and asks another server"): ("low", 2, CLIENT),
    ("rootpy", "again"): ("low", 2, CLIENT),
    ("redis1", "a secret's client, and then others"): ("medium", 1, THEFT),
}
