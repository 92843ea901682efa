#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""No alerts under the default policy: network clients, package managers and a compilation, as root and as a user, with
their token files in the usual places."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import scene as stage
from scene import URL, USERS

import tap
from net import HOST_V4
from registry import Registry
from tap import require, require_equal

# The mirror of apt-get may be slow or unreachable; in both cases it must not raise an alert.
APT_TIMEOUT = 240
NPM_TIMEOUT = 120


def fetch(s, user, *command, stdin=None):
    require_equal(s.silent([*command, URL], user, stdin=stdin), "hello\n", "what was fetched")


def fetch_with_netrc(s, user):
    """wget reads the file by default, curl with an option."""
    path = s.world.write(user, ".netrc", f"machine {HOST_V4} login x password decoy\n")
    fetch(s, user, "wget", "-q", "-O", "-")
    fetch(s, user, "curl", "-sS", "-n")
    s.theft(path, "netrc")
    # pip prefers variables in the environment to its settings.
    s.world.do("rm", path)


def git_over_https(s, user):
    """The forge does not exist; the password has been looked up by then."""
    path = s.world.write(user, ".git-credentials", f"http://x:decoy@{HOST_V4}\n")
    s.silent(["git", "-c", "credential.helper=store", "ls-remote", f"http://x@{HOST_V4}/repository.git"], user,
             status=None, GIT_TERMINAL_PROMPT="0")
    s.theft(path, "code-forges")


def apt_update(s):
    before = len(s.bw.alerts)
    subprocess.run(["apt-get", "-q", "-o", "Acquire::Retries=0", "update"], stdin=subprocess.DEVNULL,
                   capture_output=True, timeout=APT_TIMEOUT, check=False)
    s.require_silence(before)


def apt_with_password(s):
    secret = "/etc/apt/auth.conf.d/test.conf"
    s.world.do("sh", "-c", f"umask 077; echo 'machine {URL} login ana password decoy' >{secret}; mkdir -p /run/lists; "
               f"echo 'deb [trusted=yes] {URL} ./' >/etc/apt/test.list")
    options = ("Acquire::Retries=0", "Dir::Etc::sourcelist=/etc/apt/test.list", "Dir::Etc::sourceparts=/dev/null",
               "Dir::State::lists=/run/lists", "Acquire::AllowInsecureRepositories=true")
    s.silent(["apt-get", "-q", *[word for option in options for word in ("-o", option)], "update"], status=None,
             timeout=APT_TIMEOUT)
    s.theft(secret, "subscriptions")


def npm_install(s, registry, user):
    """The token is used, and the honest script of the package downloads a file, as many do."""
    s.world.add_npm()
    rc = s.world.write(user, ".npmrc", registry.npmrc())
    s.world.write(user, "application/package.json", '{"name":"application","version":"1.0.0"}', 0o644)
    registry.asked.clear()
    s.silent(["npm", "install", "--no-audit", "--no-fund", "--no-update-notifier", "--foreground-scripts",
              "--prefix", f"{s.world.home_of(user)}/application", "honest"], user, timeout=NPM_TIMEOUT, needs="node")
    require("/honest" in registry.asked, f"npm showed no token: {registry.asked}")
    built = f"{s.world.home_of(user)}/application/node_modules/honest/built"
    require_equal(s.world.do("cat", built, user=user), "hello\n", "what the package's script made")
    s.theft(rc, "npm-registries")


def pip_install(s, registry, user):
    conf = s.world.write(user, ".config/pip/pip.conf", registry.pip_conf())
    registry.asked.clear()
    s.silent(["/usr/bin/pip3", "install", "-q", "--disable-pip-version-check", "--no-cache-dir", "--target",
              f"{s.world.home_of(user)}/site", "honestwheel"], user, timeout=NPM_TIMEOUT)
    require("/simple/honestwheel/" in registry.asked, f"pip showed no token: {registry.asked}")
    s.theft(conf, "python-registries")


def stand_in(s, user, program, secret, name):
    """A client that is not in Debian, replaced by a program at its real path, owned by root; then the file is stolen,
    and the same program is not allowed when it is owned by a user."""
    path = s.world.write(user, secret, "decoy\n")
    s.world.stand_in(program)
    s.silent([program, "blocking", path, HOST_V4, "443"], user, needs="/usr/bin/env")
    s.theft(path, name)
    copy = os.path.join(s.world.home_of(user), os.path.basename(program))
    s.world.do("cp", program, copy, user=user)
    s.run([copy, "blocking", path, HOST_V4, "443"], user, needs="/usr/bin/env")
    s.bw.wait_alert(lambda a: a["process"]["exe"] == copy, "a user's copy of an allowed program")


def theft_of_others(s):
    """A file of each class that no program here may read."""
    for secret, name in ((".config/gcloud/credentials.db", "cloud-gcp"),
                         (".azure/msal_token_cache.json", "cloud-azure"),
                         (".mozilla/firefox/a.default/logins.json", "browsers"),
                         ("Documents/all.kdbx", "password-stores"),
                         ("src/shop/.env", "app-secrets")):
        s.theft(s.world.write("ana", secret, "decoy\n"), name)
    s.world.do("sh", "-c", "mkdir -p /etc/wireguard; umask 077; echo decoy >/etc/wireguard/wg0.conf")
    s.theft("/etc/wireguard/wg0.conf", "vpn-wifi")


def compile_project(s, user):
    """Many forks and opens, without the network; then make downloads a file."""
    make = "all: p0.o p1.o p2.o p3.o p4.o p5.o p6.o p7.o\n\tar rc all.a *.o\n\tcurl -sS " + URL + " >fetched\n"
    s.world.write(user, "project/Makefile", make, 0o644)
    for n in range(8):
        s.world.write(user, f"project/p{n}.c", f"#include <stdio.h>\nint p{n}(void);\n"
                      f'int p{n}(void) {{ return puts("{n}"); }}\n', 0o644)
    s.silent(["make", "-s", "-j4", "-C", f"{s.world.home_of(user)}/project"], user)


def main():
    t = tap.Tap()
    with stage.scene() as s, Registry(s.net, HOST_V4) as registry:
        registry.add_npm("honest", files={"build.js": f"""
            const http = require("http"), fs = require("fs");
            http.get("{URL}", r => r.pipe(fs.createWriteStream("built")));
        """}, scripts={"postinstall": "node build.js"})
        registry.add_wheel("honestwheel")
        # Few cases need the refusals as well: without --long, those of one user that use the network by themselves.
        few = stage.DENY and not stage.LONG
        for user in USERS[-1:] if few else USERS:
            t.case(f"{user}: curl", fetch, s, user, "curl", "-sS")
            t.case(f"{user}: wget", fetch, s, user, "wget", "-q", "-O", "-")
            t.case(f"{user}: wget and curl with ~/.netrc, and its theft", fetch_with_netrc, s, user)
            t.case(f"{user}: git over HTTP with ~/.git-credentials, and its theft", git_over_https, s, user)
            t.case(f"{user}: getent passwd", s.silent, ["getent", "passwd", "root"], user)
            t.case(f"{user}: getent hosts", s.silent, ["getent", "ahosts", "barbwire.invalid"], user, None)
            t.case(f"{user}: npm install with a token, and its theft", npm_install, s, registry, user)
            t.case(f"{user}: pip install with a token, and its theft", pip_install, s, registry, user)
            for program, secret, name in () if few else (
                    ("/usr/local/bin/cargo", ".cargo/credentials.toml", "package-registries"),
                    ("/usr/local/aws-cli/v2/2.15.0/dist/aws", ".aws/credentials", "cloud-aws"),
                    ("/usr/local/bin/kubectl", ".kube/config", "kubernetes"),
                    ("/usr/local/bin/rclone", ".config/rclone/rclone.conf", "cloud-other"),
                    ("/usr/local/bin/podman", ".docker/config.json", "container-registries"),
                    ("/usr/local/bin/gh", ".config/gh/hosts.yml", "code-forges"),
                    ("/usr/local/bin/codex", ".codex/auth.json", "ai-tools"),
                    ("/usr/local/bin/bitcoind", ".bitcoin/wallet.dat", "wallets"),
                    ("/usr/local/bin/sops", ".config/sops/age/keys.txt", "password-stores"),
                    ("/usr/local/bin/restic", ".config/restic/password", "backup-keys"),
                    ("/usr/local/bin/cosign", "project/cosign.key", "signing-keys"),
                    ("/usr/local/bin/stripe", ".config/stripe/config.toml", "hosting-services"),
                    ("/usr/local/bin/doppler", ".doppler/.doppler.yaml", "infrastructure"),
                    ("/usr/local/bin/influx", ".influxdbv2/configs", "database-clients"),
                    ("/usr/local/bin/lncli", ".lnd/wallet.db", "wallets")):
                t.case(f"{user}: {program}-like, and a theft of ~/{secret}", stand_in, s, user, program, secret, name)
            if not few:
                t.case(f"{user}: a compilation", compile_project, s, user)
        t.case("(theft) files that no program here may read", theft_of_others, s)
        t.case("apt-get update", apt_update, s)
        t.case("apt-get update with a password, and its theft", apt_with_password, s)
        t.case("no loss", stage.no_loss, s.bw)
    t.done()


if __name__ == "__main__":
    main()
