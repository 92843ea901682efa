# SPDX-License-Identifier: GPL-2.0-or-later
"""S03: a rule that names a script. It applies if the kernel executed the script of that path, whatever its first line
says beside the interpreter, and only root can change which code runs then."""

import atexit
import os
import pwd
import shutil
import sys
import tempfile

from harness import program, truths
from net import HOST_V4
from rows.identity import CLASS, judge, play_paused, reload
from tap import require

# execveat(2): the kernel gives the interpreter the name /dev/fd/N.
BY_DESCRIPTOR = """
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
os.set_inheritable(fd, True)
os.execve(fd, sys.argv[1:], os.environ)
"""


class Scripts:
    """Scripts of root, and an interpreter for them, in directories that only root can write: one of them below /usr,
    where links of root may lead."""

    def __init__(self, home):
        self.usr = self.directory("/usr/local")
        self.run = self.directory("/opt")
        self.loose = os.path.join(self.run, "loose")
        os.mkdir(self.loose)
        os.chmod(self.loose, 0o757)
        self.interpreter = os.path.join(self.usr, "interpreter")
        self.writable_interpreter = os.path.join(self.usr, "writable-interpreter")
        for target, mode in ((self.interpreter, 0o755), (self.writable_interpreter, 0o757)):
            shutil.copyfile(program("technique-beat-identity"), target)
            os.chmod(target, mode)
        self.allowed = []
        self.plain = self.script(self.run, "plain")
        self.options = self.script(self.run, "options", f"{self.interpreter} -wT")
        self.env = self.script(self.usr, "env", "/usr/bin/env interpreter")
        self.envs_options = self.script(self.usr, "envs-options", "/usr/bin/env -S interpreter -x")
        self.writable = self.script(self.run, "writable", mode=0o757)
        self.foreign = self.script(self.run, "foreign")
        os.chown(self.foreign, pwd.getpwnam("nobody").pw_uid, -1)
        self.moved = self.script(self.loose, "moved")
        self.badly_interpreted = self.script(self.run, "badly-interpreted", self.writable_interpreter)
        self.as_argument = self.script(self.run, "as-argument", f"{self.interpreter} -sP", rule=False)
        self.elsewhere = self.script(self.usr, "plain", rule=False)
        self.link = os.path.join(self.usr, "link")
        os.symlink(self.plain, self.link)
        # In a directory of a user, who can make it lead elsewhere before the interpreter opens it.
        self.users = os.path.join(home.root.decode(), "script")
        os.mkdir(self.users)
        os.chmod(self.users, 0o777)
        self.users_link = os.path.join(self.users, "link")
        os.symlink(self.plain, self.users_link)
        os.symlink(self.interpreter, os.path.join(self.users, "interpreter"))

    @staticmethod
    def directory(where):
        made = tempfile.mkdtemp(prefix="barbwire-script-", dir=where)
        os.chmod(made, 0o755)
        atexit.register(shutil.rmtree, made, ignore_errors=True)
        return made

    def script(self, directory, name, line=None, mode=0o755, rule=True):
        path = os.path.join(directory, name)
        with open(path, "w", encoding="ascii") as out:
            out.write(f"#!{line or self.interpreter}\n")
        os.chmod(path, mode)
        if rule:
            self.allowed.append(path)
        return path


def prepare(home, directory):
    scripts = Scripts(home)
    with open(os.path.join(directory, "92-script.conf"), "w", encoding="utf-8") as out:
        out.write(f"[Allow script]\nClass={CLASS}\nExe={' '.join(scripts.allowed)}\n"
                  f"[Allow script-argument]\nClass={CLASS}\nExe={scripts.interpreter}\n"
                  f"Script={scripts.as_argument}\n")
    return scripts


def play(stage, command, alerts=True, cwd=None, env=None):
    key, secret = stage.home.key()
    result = stage.net.run([*command, key, HOST_V4, "443"], env={**os.environ, **(env or {})}, cwd=cwd)
    require(result.returncode == 0, f"{command}: status {result.returncode}\n{result.stderr}")
    judge(stage, truths(result.stdout), key, secret, alerts)


def part(t, stage, s):
    case = t.case
    by_path = {"PATH": f"{s.usr}:/usr/bin"}

    case("S03 script, honest: by its path", play, stage, [s.plain], alerts=False)
    case("S03 script, honest: its first line has options", play, stage, [s.options], alerts=False)
    case("S03 script, honest: by a link below /usr", play, stage, [s.link], alerts=False)
    case("S03 script, honest: env looks its interpreter up", play, stage, [s.env], alerts=False, env=by_path)
    case("S03 script, honest: env -S", play, stage, [s.envs_options], alerts=False, env=by_path)
    case("S03 script, honest: Script= of one with options", play, stage, [s.as_argument], alerts=False)
    case("S03 script, honest: Script= as an argument", play, stage, [s.interpreter, s.as_argument], alerts=False)
    case("S03 script, honest: a reload in between", play_paused, stage, s.plain, None, lambda _: reload(stage), False)
    case("S03 script: as an argument of its interpreter", play, stage, [s.interpreter, s.plain])
    case("S03 script: the same name in another directory", play, stage, [s.elsewhere])
    case("S03 script: PERL5OPT", play, stage, [s.options], env={"PERL5OPT": "-Mthief"})
    case("S03 script: PERL5OPT, and env", play, stage, [s.env], env={**by_path, "PERL5OPT": "-Mthief"})
    case("S03 script: writable by others", play, stage, [s.writable])
    case("S03 script: owned by a user", play, stage, [s.foreign])
    case("S03 script: in a directory that others may write", play, stage, [s.moved])
    case("S03 script: its interpreter is writable by others", play, stage, [s.badly_interpreted])
    case("S03 script: by a user's link", play, stage, [s.users_link])
    case("S03 script: by a relative name", play, stage, ["./plain"], cwd=s.run)
    case("S03 script: by a name with dots", play, stage, [f"{s.users}/../../..{s.plain}"])
    case("S03 script: by a descriptor", play, stage, [sys.executable, "-c", BY_DESCRIPTOR, s.plain])
    case("S03 script: env finds a user's link to a program of root", play, stage, [s.env],
         env={"PATH": f"{s.users}:/usr/bin"})
    case("S03 script: under ptrace", play, stage, [program("technique-beat-launch"), "trace", "-", "-", s.plain])
    case("S03 script: env under ptrace", play, stage, [program("technique-beat-launch"), "trace-past", "-", "-", s.env],
         env=by_path)
    case("S03 script: in a user namespace", play, stage, ["unshare", "--user", "--map-root-user", s.plain])
