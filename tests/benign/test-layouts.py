#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Where other distributions have the programs of logins, sudo, ssh and packages, and snap those of clouds: no alerts
under the default policy. Another program stands in for each. Beside them, and through them, thefts raise alerts."""

import contextlib
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import scene as stage

import harness
import tap
from net import HOST_V4
from tap import require, require_equal

SHADOW, HOST_KEY, KEY = "/etc/shadow", "/etc/ssh/ssh_host_layout_key", "/root/.ssh/id_layout"
KUBE, AWS, GCP = "/root/.kube/config", "/root/.aws/credentials", "/root/.config/gcloud/credentials.db"
TLS = "/etc/letsencrypt/live/layout.example/privkey.pem"
STORE = "/nix/store/0c1p2xk7a9zq4m5n6r8s0t1v2w3x4y5z"
# Directories of the machine in which the world may have files of its own, and those that it has for itself.
COVERED = ("/usr/bin", "/usr/sbin", "/usr/lib", "/usr/libexec")
OWN = ("/nix", "/snap", "/var/roothome", "/usr/lib64/misc")

# Programs, and what each of them reads.
LAYOUTS = {
    "Fedora": ((SHADOW, "/usr/libexec/openssh/sshd-session", "/usr/bin/sshd", "/usr/bin/unix_chkpwd", "/usr/bin/greetd",
                "/usr/libexec/sddm-helper", "/usr/bin/dnf5", "/usr/libexec/packagekitd"),
               (HOST_KEY, "/usr/libexec/openssh/sshd-session", "/usr/libexec/openssh/ssh-keysign")),
    "Arch": ((SHADOW, "/usr/lib/ssh/sshd-session", "/usr/lib/ssh/sshd-auth", "/usr/lib/gdm-session-worker",
              "/usr/lib/accounts-daemon", "/usr/bin/doas", "/usr/bin/pacman", "/usr/bin/ly-dm"),
             (HOST_KEY, "/usr/lib/ssh/sshd-session", "/usr/lib/ssh/ssh-keysign")),
    "openSUSE": ((SHADOW, "/usr/libexec/ssh/sshd-session", "/usr/libexec/gdm/gdm-session-worker", "/usr/bin/zypper",
                  "/usr/libexec/polkit-1/polkit-agent-helper-1", "/usr/sbin/unix2_chkpwd", "/usr/libexec/pwaccessd"),
                 (HOST_KEY, "/usr/libexec/ssh/sshd-session", "/usr/libexec/ssh/ssh-keysign")),
    "Alpine": ((SHADOW, "/usr/sbin/sshd.pam", "/usr/lib/ssh/sshd-session.pam", "/usr/sbin/apk", "/usr/sbin/dcron"),
               (HOST_KEY, "/usr/sbin/sshd.pam", "/usr/lib/ssh/sshd-session.pam")),
    "Gentoo": ((SHADOW, "/usr/lib64/misc/sshd-session"), (HOST_KEY, "/usr/lib64/misc/sshd-session")),
    "NixOS": ((SHADOW, f"{STORE}-openssh-10.0p2/libexec/sshd-session", f"{STORE}-sudo-1.9.17/bin/sudo",
               f"{STORE}-shadow-4.18.0-su/bin/su", f"{STORE}-linux-pam-1.7.0/bin/unix_chkpwd",
               f"{STORE}-systemd-257.6/lib/systemd/systemd-executor", f"{STORE}-cron-4.1/bin/cron"),
              (KEY, f"{STORE}-openssh-10.0p2/bin/ssh", f"{STORE}-openssh-10.0p2/bin/ssh-add"),
              (HOST_KEY, f"{STORE}-openssh-10.0p2/bin/sshd")),
    "ostree": ((SHADOW, "/usr/bin/rpm-ostree", "/usr/bin/su"), ("/var/roothome/.ssh/id_layout", "/usr/bin/ssh")),
    "snap": ((KUBE, "/snap/kubectl/3526/kubectl", "/snap/helm/451/helm", "/snap/k9s/155/bin/k9s"),
             (AWS, "/snap/aws-cli/1148/bin/aws"),
             (GCP, "/snap/google-cloud-cli/332/platform/bundledpythonunix/bin/python3.11"),
             (TLS, "/snap/certbot/4325/bin/python3.12")),
    "Debian": ((SHADOW, "/usr/sbin/dropbear"), (HOST_KEY, "/usr/sbin/dropbear"), (KEY, "/usr/bin/dbclient"),
               (KUBE, "/usr/bin/docker"), (TLS, "/usr/sbin/rsyslogd", "/usr/bin/docker-registry"),
               ("/etc/pgbouncer/userlist.txt", "/usr/sbin/pgbouncer"),
               ("/root/.my.cnf", "/usr/bin/prometheus-mysqld-exporter"),
               ("/root/.pgpass", "/usr/bin/prometheus-postgres-exporter")),
}
# Beside a program of the layout, or with its name elsewhere.
THIEVES = {
    "Fedora": "/usr/libexec/openssh/sftp-server", "Arch": "/usr/lib/ssh/helper", "openSUSE": "/usr/libexec/ssh/helper",
    "Alpine": "/usr/sbin/sshd.other", "Gentoo": "/usr/lib64/misc/helper", "NixOS": f"{STORE}-evil-1/bin/sshd",
    "ostree": "/usr/lib/ostree-thief", "snap": "/snap/other/1/bin/aws", "Debian": "/usr/lib/dropbear-thief",
}
SETUP = """
set -e
for d in {covered}; do
    mkdir -p "$1/layouts$d/upper" "$1/layouts$d/work"
    mount -t overlay -o "lowerdir=$d,upperdir=$1/layouts$d/upper,workdir=$1/layouts$d/work" overlay "$d"
done
for d in {own}; do mount -t tmpfs -o mode=755 tmpfs "$d"; done
"""


@contextlib.contextmanager
def mount_points():
    """Those that this machine does not have, as long as the test runs."""
    made = []
    try:
        for path in OWN:
            parents = [path]
            while not os.path.exists(parents[0]):
                parents.insert(0, os.path.dirname(parents[0]))
            for name in parents[1:]:
                os.mkdir(name, 0o755)
                made.append(name)
        yield
    finally:
        for name in reversed(made):
            os.rmdir(name)


def setup(s):
    s.world.do("sh", "-c", SETUP.format(covered=" ".join(COVERED), own=" ".join(OWN)), "sh", f"{s.world.root}/world")


def secret_of(s, path):
    """Below root's home of the world, if it is one of a home."""
    return path.replace("/root/", s.world.home_of("root") + "/", 1) if path.startswith("/root/") else path


def install(s, program, secret):
    s.world.do("sh", "-ec", 'mkdir -p "${2%/*}" "${3%/*}"; rm -f "$2"; cp "$1" "$2"; chmod 755 "$2"; '
               '[ -e "$3" ] || echo decoy >"$3"', "sh", harness.program("technique-out-tcp"), program, secret)


def layout(s, name):
    """All programs of a layout read what is theirs; then a thief reads each file, and each program another's."""
    uses = [(program, secret_of(s, secret)) for secret, *programs in LAYOUTS[name] for program in programs]
    thief, other = THIEVES[name], secret_of(s, "/root/.git-credentials")
    for program, secret in uses + [(thief, other)]:
        install(s, program, secret)
    before = s.alerts_so_far()
    for program, secret in uses:
        result = s.run([program, "blocking", secret, HOST_V4, "443"], needs="/usr/bin/env")
        require_equal(result.returncode, 0, f"{program} {secret}\n{result.stderr}")
    s.require_silence(before)
    before = len(s.bw.alerts)
    thefts = [(thief, secret) for secret in {secret for _, secret in uses}]
    thefts += [(program, other) for program in {program for program, _ in uses}]
    for program, secret in thefts:
        result = s.run([program, "blocking", secret, HOST_V4, "443"], needs="/usr/bin/env")
        require_equal(result.returncode, 0, f"{program} {secret}\n{result.stderr}")
    s.bw.prove_delivered(s.net, s.home)
    missed = [(program, secret) for program, secret in thefts
              if not any(harness.touches(a, secret.encode()) and a["process"]["exe"] == program
                         for a in s.bw.alerts[before:])]
    require(not missed, f"no alert of {missed}")


def agents(s, policy):
    """Off, then linked to from a directory of the site."""
    agent, secret = "/usr/bin/osqueryd", secret_of(s, KEY)
    install(s, agent, secret)
    install(s, "/usr/bin/osqueryx", secret)

    def alerts(program):
        before = s.alerts_so_far()
        s.run([program, "blocking", secret, HOST_V4, "443"], needs="/usr/bin/env")
        s.bw.prove_delivered(s.net, s.home)
        return [a for a in s.bw.alerts[before:] if a["process"]["exe"] == program]

    require(alerts(agent), "no alert while it is off")
    os.symlink(os.path.join(harness.SOURCE_ROOT, "daemon/optional.d/security-agents.conf"),
               f"{policy}/security-agents.conf")
    require("policy reloaded" in s.bw.reload(), "the reload")
    require(not alerts(agent), "an alert while it is on")
    require(alerts("/usr/bin/osqueryx"), "no alert of a program beside it")


def other_port(s):
    """Whatever runs with the Python of certbot's snap."""
    python = LAYOUTS["snap"][3][1]
    before = s.alerts_so_far()
    s.run([python, "blocking", TLS, HOST_V4, "444"], needs="/usr/bin/env")
    s.bw.prove_delivered(s.net, s.home)
    require(any(harness.touches(a, TLS.encode()) for a in s.bw.alerts[before:]), "no alert")


def main():
    t = tap.Tap()
    with tempfile.TemporaryDirectory() as policy, mount_points(), \
            stage.scene((harness.DEFAULT_POLICY, policy)) as s:
        os.chmod(policy, 0o755)
        t.setup("directories of other distributions", setup, s)
        for name in LAYOUTS:
            t.case(f"{name}, and thefts beside and through its programs", layout, s, name)
        t.case("certbot's Python to another port", other_port, s)
        t.case("security agents, whose rules are off by default", agents, s, policy)
        t.case("no loss", stage.no_loss, s.bw)
    t.done()


if __name__ == "__main__":
    main()
