#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""No alerts under the default policy: logins, sudo, ssh, accounts and jobs of this machine (logins.py). Beside them
thefts."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import logins
import scene as stage
from sshd import Server

import tap


def main():
    t = tap.Tap()
    with stage.scene() as s:
        with Server(s) as server:
            logins.cases(t, s, server)
        t.case("no loss", stage.no_loss, s.bw)
    t.done()


if __name__ == "__main__":
    main()
