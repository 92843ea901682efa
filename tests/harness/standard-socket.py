#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""barbwirectl at its default socket, in a mount namespace with a /run of its own. Arguments: barbwirectl, the socket,
the id of another user."""

import os
import shutil
import socket
import subprocess
import sys

ctl, path, nobody = sys.argv[1], sys.argv[2], int(sys.argv[3])


def run(verb, **kwargs):
    result = subprocess.run([ctl, verb], capture_output=True, text=True, timeout=60, check=False, **kwargs)
    return result.returncode, result.stderr


def drop():
    os.setgroups([])
    os.setgid(nobody)
    os.setuid(nobody)


subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"], check=True)
# The clone may be in a directory that only root can access.
ctl = shutil.copy(ctl, "/run/barbwirectl")
assert run("status") == run("alerts"), run("alerts")
status, said = run("alerts")
assert status == 3 and "systemctl enable --now barbwire" in said, said

# systemd listens, the service is down: status must not activate it.
for directory in ("/run/barbwire", "/run/systemd/system", "/run/systemd/units"):
    os.makedirs(directory)
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
os.chmod(path, 0o660)
listener.listen()
status, said = run("status")
assert status == 3 and "systemctl enable --now barbwire" in said, said
listener.setblocking(False)
try:
    listener.accept()
    sys.exit("status connected to a socket whose service is down")
except BlockingIOError:
    pass

# The service is up: barbwirectl connects, and the connection is closed here.
os.symlink("0" * 32, "/run/systemd/units/invocation:barbwire.service")
with subprocess.Popen([ctl, "status"], stderr=subprocess.PIPE, text=True) as asker:
    listener.setblocking(True)
    listener.accept()[0].close()
    said = asker.communicate()[1]
assert asker.returncode == 1 and "journalctl -u barbwire" in said, said

# Another user.
status, said = run("alerts", preexec_fn=drop)
assert status == 1 and f"Access denied: {path}: users in group systemd-journal may query barbwired" in said, said
assert "usermod -aG systemd-journal $USER" in said and "log in again" in said, said
