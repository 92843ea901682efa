# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases without alerts: every program whose task is to read the passwords of the system or SSH keys of users, and what
users do on the network after they have logged in. Beside them thefts of the same files, which raise alerts."""

import contextlib
import os
import pty
import select
import shlex
import shutil
import subprocess

from scene import PASSWORD, URL, USERS

from net import HOST_V4
from tap import Failure, Skip, require, require_equal

FORWARD_PORT = 8022
# An @reboot job runs as soon as cron starts.
CRON_TIMEOUT = 20
LOGIN_TIMEOUT = 20
REOPEN_SECONDS = 0.05


def ssh(s, server, user, command, *options, wanted, program="ssh", **environment):
    out = s.silent([program, *server.options(user), *options, f"{user}@{HOST_V4}", *command], user, **environment)
    require(wanted in out, f"ssh said {out!r}")


def password_login(s, server, user):
    ssh(s, server, user, ["curl", "-sS", URL], "-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1",
        wanted="hello\n", SSH_ASKPASS=f"{s.world.home_of(user)}/askpass", SSH_ASKPASS_REQUIRE="force")


def agent(s, server, user):
    """ssh never opens the key: the agent has it, and a session on the other host uses the agent."""
    server.options(user)
    key = f"{s.world.home_of(user)}/.ssh/id_ed25519"
    script = (f"ssh-add -q {key} && ssh -A -F none -o StrictHostKeyChecking=accept-new -o IdentityFile=none "
              f"-o UserKnownHostsFile={s.world.home_of(user)}/.ssh/known_hosts {user}@{HOST_V4} "
              f"ssh-add -l '&&' curl -sS {URL}")
    out = s.silent(["ssh-agent", "sh", "-c", script], user)
    require("ED25519" in out and "hello" in out, f"the agent's session said {out!r}")


def copy(s, server, user):
    home = s.world.home_of(user)
    s.world.write(user, "plain", "nothing of interest\n")
    s.silent(["scp", *server.options(user), f"{home}/plain", f"{user}@{HOST_V4}:{home}/up"], user)
    s.silent(["scp", "-O", *server.options(user), f"{user}@{HOST_V4}:{home}/up", f"{home}/down"], user)
    s.world.write(user, "batch", f"put {home}/plain {home}/sftp-up\nget {home}/sftp-up {home}/sftp-down\n")
    s.silent(["sftp", *server.options(user), "-b", f"{home}/batch", f"{user}@{HOST_V4}"], user)
    for name in ("down", "sftp-down"):
        require_equal(s.world.do("cat", f"{home}/{name}", user=user), "nothing of interest\n", name)


def git_over_ssh(s, server, user):
    home = s.world.home_of(user)
    command = "ssh " + " ".join(server.options(user))
    script = f"""
        git init -q --bare -b main {home}/repository
        git clone -q ssh://{user}@{HOST_V4}{home}/repository {home}/clone
        cd {home}/clone
        git config user.email {user}@example.org; git config user.name {user}
        date >file; git add file; git commit -q -m change
        git push -q origin HEAD:main
        git fetch -q origin
        git log --oneline origin/main
    """
    out = s.silent(["sh", "-ec", script], user, needs="git", GIT_SSH_COMMAND=command)
    require("change" in out, f"git said {out!r}")


def shown(s, server, user, around):
    """A user who has logged in displays a key on a terminal, types something, and continues the session."""
    options = server.options(user)
    home = s.world.home_of(user)
    script = f"cat {home}/.ssh/id_ed25519; : >{home}/shown; read typed; echo $typed; curl -sS {URL}"
    session = shlex.join(["ssh", "-tt", *options, f"{user}@{HOST_V4}", f"{around} sh -c '{script}'; curl -sS {URL}"])
    out = s.silent(["sh", "-c", f"rm -f shown; (until [ -e shown ]; do :; done; echo typed) | {session}"], user,
                   needs=around)
    require("PRIVATE KEY" in out and out.count("hello") == 2 and "typed" in out, f"the session said {out!r}")


def multiplexed(s, user):
    """One window of tmux displays a key, and the next one downloads a file; so does the shell that started both."""
    home = s.world.home_of(user)
    script = f"""
        tmux -f /dev/null -L test new-session -d 'cat {home}/.ssh/id_ed25519; tmux -L test wait-for -S shown; cat'
        tmux -L test wait-for shown
        until tmux -L test capture-pane -p >{home}/screen; grep -q PRIVATE {home}/screen; do :; done
        tmux -L test new-window 'curl -sS {URL} >{home}/fetched; tmux -L test wait-for -S fetched'
        tmux -L test wait-for fetched
        cat {home}/fetched
        curl -sS {URL}
        tmux -L test kill-server
    """
    require_equal(s.silent(["sh", "-ec", script], user, needs="tmux"), "hello\nhello\n", "tmux")


def sudo(s):
    s.world.do("sh", "-c", "echo 'ana ALL=(ALL) ALL' >/etc/sudoers.d/ana; chmod 440 /etc/sudoers.d/ana")
    require_equal(s.silent(["sudo", "-S", "-p", "", "curl", "-sS", URL], "ana", stdin=f"{PASSWORD}\n"), "hello\n",
                  "sudo curl")


def su(s, user, to):
    out = s.silent(["su", to, "-c", f"curl -sS {URL}"], user, stdin=f"{PASSWORD}\n")
    require("hello\n" in out, f"su said {out!r}")


def login(s):
    """login(1) needs a terminal, and discards input that was typed before its prompt."""
    master, slave = pty.openpty()
    with s.silence():
        process = s.net.popen(s.world.command("root", ["setsid", "--ctty", "--wait", "login", "ana"]),
                              stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        try:
            answer(process, master, b"Password:", PASSWORD)
            answer(process, master, b"$ ", f"curl -sS {URL} >fetched; exit")
            process.wait(LOGIN_TIMEOUT)
        finally:
            process.kill()
            process.wait()
            os.close(master)
    require_equal(s.world.do("cat", f"{s.world.home_of('ana')}/fetched", user="ana"), "hello\n", "what was fetched")


def answer(process, terminal, question, text):
    said = b""
    while question not in said:
        if not select.select([terminal], [], [], LOGIN_TIMEOUT)[0]:
            raise Failure(f"login said {said!r}, and not {question!r}")
        try:
            said += os.read(terminal, 4096)
        except OSError as error:
            # login hangs the terminal up, and opens it again.
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(REOPEN_SECONDS)
                raise Failure(f"login has ended, and said {said!r}") from error
    os.write(terminal, text.encode() + b"\n")


def accounts(s):
    """Changes accounts with the programs of the system, like an administrator."""
    s.silent(["useradd", "-m", "-d", f"{s.world.root}/home/ben", "ben"])
    s.silent(["chpasswd"], stdin=f"ben:{PASSWORD}\n")
    s.silent(["passwd", "-S", "ben"])
    s.silent(["getent", "shadow", "ben"])
    s.silent(["userdel", "ben"])


def cron(s):
    """The crontab of a user and that of the system, with jobs that download a file."""
    if not shutil.which("cron", path="/usr/sbin"):
        raise Skip("cron is not installed", environment=True)
    world, fetched = s.world, []
    for user in USERS:
        fetched.append(f"{world.home_of(user)}/cron-{user}")
        job = f"@reboot {user} curl -sS {URL} >{fetched[-1]}.part && mv {fetched[-1]}.part {fetched[-1]}\n"
        world.do("sh", "-c", f"cat >/etc/cron.d/{user}", stdin=job)
    fetched.append(f"{world.home_of('ana')}/crontab")
    world.do("sh", "-c", "mkdir -p /var/spool/cron/crontabs; chgrp crontab /var/spool/cron/crontabs;"
             "chmod 1730 /var/spool/cron/crontabs")
    world.do("crontab", "-", user="ana",
             stdin=f"@reboot curl -sS {URL} >{fetched[-1]}.part && mv {fetched[-1]}.part {fetched[-1]}\n")
    with s.silence(), running(s, ["/usr/sbin/cron", "-f"]):
        s.bw.wait(lambda: all(os.path.exists(path) for path in fetched), CRON_TIMEOUT, "cron's jobs")


@contextlib.contextmanager
def running(s, command):
    process = s.net.popen(s.world.command("root", command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def cases(t, s, server, users=USERS, tools=True):
    """tools: also with git and tmux."""
    home = s.world.home_of
    for user in users:
        t.case(f"{user}: ssh with a key", ssh, s, server, user, ["echo", "in"], wanted="in\n")
        t.case(f"{user}: ssh host curl", ssh, s, server, user, ["curl", "-sS", URL], wanted="hello\n")
        t.case(f"{user}: ssh with a password, and curl", password_login, s, server, user)
        # ssh opens another connection, after it has read the key.
        t.case(f"{user}: ssh forwarding a port", ssh, s, server, user,
               ["curl", "-sS", f"http://127.0.0.1:{FORWARD_PORT}/"],
               "-R", f"{FORWARD_PORT}:{HOST_V4}:80", wanted="hello\n")
        t.case(f"{user}: ssh-agent", agent, s, server, user)
        t.case(f"{user}: scp and sftp", copy, s, server, user)
        t.case(f"{user}: a key on the terminal of an ssh session", shown, s, server, user, "env")
        if tools:
            t.case(f"{user}: git over ssh", git_over_ssh, s, server, user)
            t.case(f"{user}: a key in a window of tmux", multiplexed, s, user)
        if server.process:
            t.case(f"{user}: (theft) the key that was just used", s.theft,
                   f"{home(user)}/.ssh/id_ed25519", "ssh-private-keys")
    t.case("root: a key on the terminal of sudo", shown, s, server, "root", "sudo")
    if server.process:
        t.case("(theft) the server's key", s.theft, "/etc/ssh/ssh_host_ed25519_key", "ssh-host-keys")
    t.case("ana: sudo curl", sudo, s)
    t.case("root: sudo curl", s.silent, ["sudo", "-n", "curl", "-sS", URL])
    t.case("root: sudo curl as another user", s.silent, ["sudo", "-n", "-u", "nobody", "curl", "-sS", URL])
    t.case("ana: su -c curl", su, s, "ana", "root")
    t.case("root: su -c curl", su, s, "root", "ana")
    t.case("login", login, s)
    t.case("accounts", accounts, s)
    t.case("cron jobs that curl", cron, s)
    for path in ("/etc/shadow", "/etc/sudoers", "/etc/gshadow"):
        t.case(f"(theft) {path}", s.theft, path, "system-credentials")
