# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the cases of a privileged test play: a network, a home with decoys, and a barbwired that answers queries."""

import atexit
import contextlib
import os
import shutil
import tempfile

import harness
import tap
from net import Net


@contextlib.contextmanager
def cases():
    """For main(): the TAP of its cases, a network and a home. Prints the plan and exits afterwards."""
    harness.require_machine()
    t = tap.Tap()
    with Net() as net, harness.Home() as home:
        yield t, net, home
    t.done()


class Scene:
    """with scene.bw: barbwired is armed, and listens on scene.socket. It has the default policy and, unless None, this
    one; parent: where its directory is, instead of the home's."""

    def __init__(self, net, home, policy=None, parent=None):
        self.net, self.home = net, home
        self.directory = tempfile.mkdtemp(prefix="barbwire-test-", dir=parent or home.root.decode())
        atexit.register(shutil.rmtree, self.directory, ignore_errors=True)
        os.chmod(self.directory, 0o755)
        self.socket, self.policy = f"{self.directory}/socket", f"{self.directory}/policy.d"
        os.mkdir(self.policy, 0o755)
        if policy is not None:
            self.write_policy(policy)
        self.bw = harness.Barbwired((harness.DEFAULT_POLICY, self.policy), args=[f"--listen={self.socket}"])

    def write_policy(self, text):
        with open(f"{self.policy}/90-test.conf", "w", encoding="ascii") as out:
            out.write(text)
