#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""No alerts under the default policy: servers and clients with their keys and passwords, a browser, the boot of a
system, and a backup under a rule of a site. In each case, the theft of the same file raises an alert."""

import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import postgresql
import scene as stage
from postgresql import PostgreSQL
from scene import PATH, URL, USERS

import harness
import tap
from net import HOST_V4, ip
from tap import Skip, require, require_equal

HTTPS_PORT = 9443
BROWSER = "/usr/lib/firefox-esr/firefox-esr"
# On two shared cores the first start, which creates the profile, takes long.
BROWSER_TIMEOUT = 120
BOOT_TIMEOUT = 150

NGINX_CONFIG = """
daemon off; pid /run/nginx-test.pid; error_log stderr; worker_processes 2;
events {{}}
http {{
    access_log off;
    server {{
        listen {port} ssl;
        ssl_certificate /etc/ssl/test.pem; ssl_certificate_key /etc/ssl/private/test.key;
        location / {{ proxy_pass {upstream}; }}
    }}
}}
"""

# The example of README.md: its address is one of the host's in this network.
SITE_POLICY = """
[Class payroll]
Description=Payroll exports
Path=/srv/payroll/**.csv ~/payroll/**
Window=5min
Score=60
[Allow nightly-backup]
Class=payroll ssh-private-keys
Exe=/usr/local/bin/restic
Destination=198.51.100.7:443
"""
BACKUP_SERVER = "198.51.100.7"


def tls_server(s):
    """nginx as a TLS proxy before another server: its worker processes talk to both sides."""
    if not shutil.which("nginx", path=PATH):
        raise Skip("nginx is not installed", environment=True)
    world = s.world
    world.do("openssl", "req", "-batch", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-keyout", "/etc/ssl/private/test.key", "-out", "/etc/ssl/test.pem",
             "-subj", "/CN=test", "-days", "2")
    world.do("sh", "-c", "cat >/etc/nginx-test.conf; mkdir -p /var/log/nginx",
             stdin=NGINX_CONFIG.format(port=HTTPS_PORT, upstream=URL))
    with s.silence():
        server = s.net.popen(world.command("root", ["nginx", "-c", "/etc/nginx-test.conf"]), namespace=s.net.host,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            result = s.run(["curl", "-sSk", "--retry", "20", "--retry-delay", "1", "--retry-connrefused",
                            f"https://{HOST_V4}:{HTTPS_PORT}/"])
        finally:
            server.terminate()
            _, said = server.communicate()
        require_equal(result.stdout, "hello\n", f"through nginx: {result.stderr}{said}")
    s.theft("/etc/ssl/private/test.key", "tls-private-keys")


def database_client(s, user):
    password = f"decoy-{user}"
    path = s.world.write(user, ".pgpass", f"{HOST_V4}:{postgresql.PORT}:*:{user}:{password}\n")
    out = s.silent(["psql", "-X", "-w", "-At", "-h", HOST_V4, "-d", "test", "-c", "select 42"], user)
    require_equal(out, "42\n", "psql")
    require(password in PostgreSQL.passwords, f"passwords that arrived: {PostgreSQL.passwords}")
    s.theft(path, "database-credentials")


def gnupg(s, user):
    """Keys are created, used and exported, with a download before the agent forgets them."""
    script = f"""
        gpg -q --batch --passphrase '' --quick-generate-key {user}@example.org default default never
        echo text | gpg -q --batch --clearsign >signed
        gpg -q --batch --verify signed
        gpg -q --batch --passphrase '' --pinentry-mode loopback --export-secret-keys >exported
        curl -sS {URL}
        gpgconf --kill all
    """
    out = s.silent(["sh", "-ec", script], user, needs="gpg")
    require("hello" in out, f"gpg's session said {out!r}")
    directory = f"{s.world.home_of(user)}/.gnupg/private-keys-v1.d"
    s.theft(f"{directory}/{s.world.do('ls', directory, user=user).splitlines()[0]}", "gpg-private-keys")


def browser(s):
    """Twice: the first start creates the profile, the second one reads it."""
    if not os.access(BROWSER, os.X_OK):
        raise Skip("firefox-esr is not installed", environment=True)
    profile = f"{s.world.home_of('ana')}/.mozilla/firefox/test.default"
    s.world.do("mkdir", "-p", profile, user="ana")
    for _ in range(2):
        s.silent([BROWSER, "--headless", "--no-remote", "--profile", profile, "--screenshot",
                  f"{s.world.home_of('ana')}/screenshot.png", URL], "ana", timeout=BROWSER_TIMEOUT,
                 needs="/usr/bin/env")
    require(os.path.exists(f"{s.world.home_of('ana')}/screenshot.png"), "no page was shown")
    for name in ("cookies.sqlite", "key4.db"):
        s.theft(f"{profile}/{name}", "browsers")


def interactive_shell(s):
    """A shell under sudo reads its history; then a download is typed."""
    path = s.world.write("ana", ".bash_history", "echo decoy\n")
    s.world.do("sh", "-c", "echo 'root ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/root; chmod 440 /etc/sudoers.d/root")
    out = s.silent(["sudo", "-n", "-u", "ana", "-H", "bash", "-i"], stdin=f"history | head -n 1\ncurl -sS {URL}\n")
    require("echo decoy" in out and "hello" in out, f"the shell said {out!r}")
    s.theft(path, "shell-history")


def own_environment(s):
    """Allocators and sanitizers read the environment of their own process there; that of another process is secret."""
    script = ("import socket; open('/proc/self/environ').read();"
              f"socket.create_connection(('{HOST_V4}', 443))")
    s.silent([sys.executable, "-c", script], needs="/usr/bin/env")
    s.theft(f"/proc/{os.getppid()}/environ", "process-secrets")


def backup(s):
    """The policy file in README.md: no alert for its destination, one for any other."""
    path = s.world.write("ana", "payroll/november.csv", "decoy\n")
    s.world.stand_in("/usr/local/bin/restic")
    command = ["/usr/local/bin/restic", "blocking", path]
    s.silent([*command, BACKUP_SERVER, "443"], needs="/usr/bin/env")
    for where in ((BACKUP_SERVER, "444"), (HOST_V4, "443")):
        s.run([*command, *where], needs="/usr/bin/env")
        s.bw.wait_alert(lambda a, where=where: a["process"]["exe"] == command[0] and
                        a["destination"]["address"] == where[0] and str(a["destination"]["port"]) == where[1],
                        f"the backup to {where}")
    s.theft(path, "payroll")


def boot(s):
    """A system boots and powers off, as in a container: journald, dbus, logind, the files of its users."""
    before = len(s.bw.alerts)
    result = subprocess.run([os.path.join(harness.SOURCE_ROOT, "tests/box/systemd-box"), "systemctl",
                             "is-system-running"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            timeout=BOOT_TIMEOUT)
    if result.returncode == 77:
        raise Skip(result.stderr.strip(), environment=True)
    require(result.stdout.strip() in ("running", "degraded"), f"the box: {result.stdout}{result.stderr}")
    s.require_silence(before)


# Units of a box, which has no network: each fails to connect. PID 1 reads the environment of the first.
UNITS = {
    "shop.service": "EnvironmentFile=/srv/shop/.env\n"
                    "ExecStart=-/bin/bash -c '[ $TOKEN = decoy ] && exec 3<>/dev/tcp/{}/443'",
    "next.service": "ExecStart=-/bin/bash -c 'exec 3<>/dev/tcp/{}/443'",
    "thief.service": "ExecStart=-/bin/bash -c 'read -r token </srv/shop/.env; exec 3<>/dev/tcp/{}/443'",
}


def environment_of_unit(s):
    """EnvironmentFile= of a unit: neither it nor what PID 1 starts next raises an alert, a unit that opens it does."""
    script = "mkdir -p /srv/shop; echo TOKEN=decoy >/srv/shop/.env\n"
    for name, service in UNITS.items():
        text = "[Service]\nType=oneshot\n" + service.format(HOST_V4) + "\n"
        script += f"cat >/run/systemd/system/{name} <<'END'\n{text}END\n"
    script += "systemctl daemon-reload\nsystemctl start shop next thief"
    before = len(s.bw.alerts)
    result = subprocess.run([os.path.join(harness.SOURCE_ROOT, "tests/box/systemd-box"), "sh", "-ec", script],
                            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=BOOT_TIMEOUT)
    if result.returncode == 77:
        raise Skip(result.stderr.strip(), environment=True)
    require_equal(result.returncode, 0, f"the box: {result.stdout}{result.stderr}")
    s.bw.wait_alert(lambda a: a["process"]["unit"] == "thief.service" and a["classes"] == ["app-secrets"],
                    "the unit that opens it")
    others = [a for a in s.bw.alerts[before:] if a["process"]["unit"] != "thief.service"]
    require(not others, f"alerts of other units: {others}")


def main():
    t = tap.Tap()
    with tempfile.TemporaryDirectory(prefix="barbwire-site-") as site:
        os.chmod(site, 0o755)
        with open(f"{site}/90-site.conf", "w", encoding="utf-8") as out:
            out.write(SITE_POLICY)
        os.chmod(f"{site}/90-site.conf", 0o644)
        with stage.scene((site, harness.DEFAULT_POLICY)) as s, postgresql.serving(s.net):
            ip("-n", s.net.host, "address", "add", f"{BACKUP_SERVER}/32", "dev", "lo")
            ip("-n", s.net.thief, "route", "add", f"{BACKUP_SERVER}/32", "via", HOST_V4)
            t.case("nginx with its key, and its theft", tls_server, s)
            for user in USERS:
                t.case(f"{user}: psql with ~/.pgpass, and its theft", database_client, s, user)
                t.case(f"{user}: gpg, and a key's theft", gnupg, s, user)
            t.case("ana: an interactive shell, and its history's theft", interactive_shell, s)
            t.case("a process's own environment, and another's", own_environment, s)
            t.case("ana: a browser starts, and its cookies are stolen", browser, s)
            t.case("a backup under a site's rule", backup, s)
            t.case("a system boots", boot, s)
            t.case("PID 1 reads the environment of a unit", environment_of_unit, s)
            t.case("no loss", stage.no_loss, s.bw)
    t.done()


if __name__ == "__main__":
    main()
