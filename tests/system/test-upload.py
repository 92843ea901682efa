#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Two hosts that upload their journals over HTTPS with client certificates to a third, by the commands of the manual
(barbwirectl(1), MANY HOSTS), and the last alert of a host that is switched off. The receiver and one host are in
network namespaces of their own in a box (tests/box/systemd-box), with systemd's own units. Needs no BPF."""

import json
import os
import re
import socket
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../harness"))

import fleet
import harness
import journal_files
import journal_forger
import service
import tap
from ctl import Ctl
from service import run, systemctl, wait_until
from tap import require, require_equal

MANUAL = os.path.join(harness.SOURCE_ROOT, "daemon/man/barbwirectl.1.scd")
UPLOAD = "systemd-journal-upload.service"
DIRECTORY, REMOTE = "/root/journals", "/var/log/journal/remote"
NAMES = {"logs.example.org": "10.77.0.1", "web1.example.org": "10.77.0.2", "web2.example.org": "10.77.0.3"}


def commands():
    """The blocks of commands and files of the manual, in order."""
    with open(MANUAL, encoding="utf-8") as page:
        text = page.read()
    text = text[text.index("# MANY HOSTS"):]
    text = text[:text.index("\n# ", 1)]
    blocks = re.findall(r"^```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [block.replace("\\\\\n", "\\\n") for block in blocks]


def shell(block, *prefix, host="logs.example.org"):
    """As an administrator would; what installs packages is done before."""
    script = block.replace("\nhost=web1.example.org\n", f"\nhost={host}\n")
    script = re.sub(r"^apt install .*$", "", script, flags=re.MULTILINE)
    run(*prefix, "sh", "-e", "-c", script)


def network():
    """The box is web1; the receiver and web2 have namespaces of their own. All know each other by name."""
    run("ip", "link", "add", "hosts", "type", "bridge")
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "set", "hosts", "up")
    run("ip", "addr", "add", f"{NAMES['web1.example.org']}/24", "dev", "hosts")
    for name in ("logs", "web2"):
        run("ip", "netns", "add", name)
        run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        run("ip", "link", "set", name, "master", "hosts", "up")
        run("ip", "-n", name, "addr", "add", f"{NAMES[name + '.example.org']}/24", "dev", "eth0")
        run("ip", "-n", name, "link", "set", "eth0", "up")
    with open("/etc/hosts", "a", encoding="ascii") as hosts:
        hosts.writelines(f"{address} {name}\n" for name, address in NAMES.items())


def drop_in(unit, text):
    os.makedirs(f"/etc/systemd/system/{unit}.d", exist_ok=True)
    with open(f"/etc/systemd/system/{unit}.d/barbwire.conf", "w", encoding="ascii") as out:
        out.write(text)
    systemctl("daemon-reload")


def receiver(blocks):
    """stunnel is in the receiver's network namespace; the receiver itself has no network."""
    shell(blocks[0])
    drop_in("journal-tls.service", "[Service]\nNetworkNamespacePath=/run/netns/logs\n")
    # The receiver is on the file system of one of the hosts.
    shell(blocks[2].replace("/etc/ssl/journal/", "/etc/ssl/receiver/"))
    for unit in ("systemd-journal-remote.socket", "journal-tls.service"):
        require_equal(service.show("ActiveState", unit), "active", unit)


SENDER = """import sys
sys.path.insert(0, sys.argv[1])
import socket
import journal_files, journal_forger
a = journal_files.alert(int(sys.argv[2]), int(sys.argv[3]))
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journald:
    journald.connect(journal_forger.JOURNALD_SOCKET)
    journald.send(journal_forger.datagram(journal_forger.entry_of(a)))
"""


def false_service():
    """barbwire.service of the box raises an alert when it starts, and another one when it is stopped."""
    with open("/etc/sender.py", "w", encoding="ascii") as out:
        out.write(SENDER)
    harness_path = os.path.join(HERE, "../harness")
    send = f"{sys.executable} -B /etc/sender.py {harness_path}"
    with open("/etc/systemd/system/barbwire.service", "w", encoding="ascii") as out:
        # Until journald has looked at the sender, it must not end.
        out.write(f"[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart={send} 1 60\nExecStart=journalctl --sync\n"
                  f"ExecStop={send} 2 120\nExecStop=journalctl --sync\n")
    systemctl("daemon-reload")


def alerts():
    return Ctl("/run/nobody").objects("alerts", "-D", REMOTE)


def expect(hosts_and_numbers):
    """[(host, number of the alert)] that the receiver has."""
    def found():
        if not os.path.isdir(REMOTE) or not any(name.endswith(".journal") for name in os.listdir(REMOTE)):
            return False
        return {(a["host"], int(a["id"].split("-")[1], 16)) for a in alerts()} == hosts_and_numbers
    wait_until(found, f"alerts {hosts_and_numbers}")


def both(blocks):
    """web1 by its unit, web2 by the same program in its own network namespace, from a journal of its own."""
    shell(blocks[3], host="web1.example.org")
    systemctl("start", "barbwire.service")
    require_equal(service.show("ActiveState", UPLOAD), "active", "the uploader")
    os.makedirs("/tmp/web2")
    a = journal_files.alert(7, 180)
    usec = round((journal_files.BEGIN + 180) * 1e6)
    fleet.write("/tmp/web2/system.journal", [(usec, {**journal_forger.entry_of(a), **fleet.OF_HOST,
                                                     "_HOSTNAME": "web2"})] +
                fleet.heartbeats(2, [(time.time(), "hour")], _HOSTNAME="web2"))
    upload_web2("web2.example.org")
    expect({(socket.gethostname(), 1), ("web2", 7)})
    listed = Ctl("/run/nobody").run("hosts", "-D", REMOTE, "--json=short").stdout.decode()
    states = {host["host"]: host["state"] for host in map(json.loads, listed.splitlines())}
    require_equal(states, {socket.gethostname(): "silent", "web2": "ok"}, "the hosts")


def upload_web2(certificate, check=True):
    """With a configuration of its own: the program does not let options replace what that says."""
    key, path = f"{DIRECTORY}/{certificate}", "/tmp/web2.conf"
    with open(path, "w", encoding="ascii") as out:
        out.write(f"[Upload]\nURL=https://logs.example.org:19532\nServerKeyFile={key}.key\n"
                  f"ServerCertificateFile={key}.pem\nTrustedCertificateFile={DIRECTORY}/ca.pem\n")
    return run("ip", "netns", "exec", "web2", "sh", "-e", "-c",
               f"mount --bind {path} /etc/systemd/journal-upload.conf; "
               "exec /lib/systemd/systemd-journal-upload -D /tmp/web2 --follow=no", check=check)


def stranger():
    """A certificate that is not of the CA is refused."""
    run("sh", "-c", f"cd {DIRECTORY} && openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=web3 -keyout web3.key "
        "-out web3.pem")
    before = alerts()
    require(upload_web2("web3", check=False).returncode != 0, "a stranger could upload")
    require_equal(alerts(), before, "what the receiver has")


def switched_off(blocks):
    """A host that is switched off stops both services at once; its last alert is raised while Barbwire is stopped."""
    shell(blocks[4])
    systemctl("stop", "barbwire.service", UPLOAD)
    require_equal(service.show("ActiveState", UPLOAD), "inactive", "the uploader")
    numbers = {int(a["id"].split("-")[1], 16) for a in alerts() if a["host"] == socket.gethostname()}
    require_equal(numbers, {1, 2}, "alerts of the host that was switched off")


def inside():
    service.forget_machine()
    t = tap.Tap()
    blocks = commands()
    t.setup("three hosts", network)
    t.setup("a service that raises alerts", false_service)
    t.setup("the receiver, by the manual", receiver, blocks)
    t.case("two hosts upload, and are one list", both, blocks)
    t.case("a certificate of another CA", stranger)
    t.case("a host that is switched off", switched_off, blocks)
    t.done()
    sys.exit(0)


if __name__ == "__main__":
    for needed in (journal_files.REMOTE, "/usr/bin/stunnel", "/usr/bin/openssl"):
        if not os.access(needed, os.X_OK):
            tap.skip_all(f"needs {needed}", environment=True)
    service.main(__file__, inside)
