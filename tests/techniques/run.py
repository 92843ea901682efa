#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Plays the technique catalogue for real against one running barbwired and holds each alert against the
truth.

usage: run.py get|hand|out|state|identity|all     (a part of the catalogue: one meson test each; all: each
part but the text output, which is no kernel's matter, against one daemon, for where starting one takes long)"""

import os
import shutil
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import harness
import identity
import tap
from harness import as_text, program, truths
from net import HOST_V4, HOST_V6, THIEF_V4, Net
from tap import Failure, Skip, require, require_equal

CANNOT = 77  # play.h: PLAY_CANNOT
SSH = "ssh-private-keys"
# Longer than any buffer of a path: 28 components of 200 bytes are over PATH_MAX (4096).
LONG_COMPONENTS, LONG_NAME = 28, b"long" * 50
# Components that the kernel programs walk at least (bpf/policy.h: BW_PATH_STEPS_MAX, which counts mounts, too), the
# file's own name included.
COMPONENTS_MAX = 200
# A loss that was told already is told again after 10 s (daemon/manager.c: LOSS_TELL_USEC).
STATE_TIMEOUT = 30


class Stage:
    """The daemon, the network and the decoys that one part of the catalogue shares."""

    def __init__(self, bw, net, home):
        self.bw, self.net, self.home = bw, net, home

    def play(self, name, variant, key, address=HOST_V4, port=443, command=None):
        result = self.net.run(command or [program("technique-" + name), variant, key, address, str(port)])
        if result.returncode == CANNOT:
            raise Skip(f"{name} {variant}: {result.stderr.strip()}", environment=True)
        require(result.returncode == 0, f"{name} {variant}: status {result.returncode}\n{result.stderr}")
        return result.stdout

    def theft(self, name, variant, address=HOST_V4, port=443, protocol="tcp", make_key=None, **kwargs):
        """One theft, and its alert: every claim of the alert must be true."""
        key, secret = (make_key or self.home.key)()
        output = self.play(name, variant, key, address, port, **kwargs)
        told = truths(output)
        require(told, f"no truth line: {output}")
        self.net.sink.wait_arrived(secret)
        return [self.check(truth, key, address, port, protocol) for truth in told]

    def check(self, truth, key, address, port, protocol, **kwargs):
        wanted = {"family": "inet6" if ":" in address and not address.startswith("::ffff:") else "inet",
                  "protocol": protocol, "address": address.removeprefix("::ffff:"), "port": port}

        def is_it(alert):
            return alert["process"]["pid"] == truth.sender and harness.touches(alert, key) and all(
                alert["destination"][name] == value for name, value in wanted.items())

        alert = self.bw.wait_alert(is_it, f"alert for {key!r} by {truth.sender} to {wanted}")
        check_alert(alert, truth, key, **kwargs)
        return alert

    def expect_silence(self, sender, what):
        self.bw.expect_no_alert(lambda a: a["process"]["pid"] == sender, self.net, self.home, what)


def check_alert(alert, truth, key, class_name=SSH, toucher_exe=None):
    process = alert["process"]
    require_equal(process["pid"], truth.sender, "process.pid")
    require_equal(process["tid"], truth.tid, "process.tid")
    require_equal(process["uid"], 0, "process.uid")
    require(harness.start_matches(alert, truth.start_ticks),
            f"start_time {process['start_time']} is not {harness.ticks_to_realtime(truth.start_ticks)}")
    require_equal([a["pid"] for a in alert["lineage"]][:len(truth.lineage)], truth.lineage, "lineage")
    require(class_name in alert["classes"], f"classes: {alert['classes']}")
    entry = next(e for e in alert["files"] if e["path"] == as_text(key))
    require_equal(entry["pid"], truth.toucher, "files[].pid")
    require(class_name in entry["classes"], f"files[].classes: {entry['classes']}")
    own = truth.toucher == truth.sender
    require_equal((entry["via"], entry["hops"] > 0), ("open" if own else "fork", not own),
                  "files[] via, hops > 0")
    require(0 <= entry["age_ms"] < 60_000, f"age_ms: {entry['age_ms']}")
    require_equal(entry["truncated"], False, "files[].truncated")
    if toucher_exe:
        require_equal(entry["exe"], toucher_exe, "files[].exe")
    require(alert["reasons"] and alert["techniques"] and alert["summary"], f"explains nothing: {alert}")


# G: getting the bytes

def open_call(stage, variant):
    alert, = stage.theft("get-open-calls", variant)
    exe = program("technique-get-open-calls")
    require_equal(alert["process"]["exe"], exe, "process.exe")
    require_equal(alert["process"]["comm"], os.path.basename(exe)[:15], "process.comm")
    require(f" {variant} " in alert["process"]["cmdline"], f"cmdline: {alert['process']['cmdline']}")


def deep_key(home, components, name=b"d"):
    """A decoy whose absolute path has this many components; made relative, as it may be longer than
    PATH_MAX."""
    missing = components - (home.ssh.count(b"/") + 1)
    path, at = home.ssh, os.open(home.ssh, os.O_PATH)
    for _ in range(missing):
        os.mkdir(name, dir_fd=at)
        deeper = os.open(name, os.O_PATH | os.O_DIRECTORY, dir_fd=at)
        os.close(at)
        at, path = deeper, path + b"/" + name
    content = home.secret()
    fd = os.open(b"id_deep", os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600, dir_fd=at)
    os.write(fd, content)
    os.close(fd)
    os.close(at)
    return path + b"/id_deep", content


def deep_path(stage):
    stage.theft("get-long-names", "direct", make_key=lambda: deep_key(stage.home, COMPONENTS_MAX))


def too_deep_path(stage, components, name):
    """What no buffer holds is an alert with the path's end, or a loss that is told: never silence."""
    key, secret = deep_key(stage.home, components, name)
    before = len(stage.bw.states)
    truth, = truths(stage.play("get-long-names", "walk", key))
    stage.net.sink.wait_arrived(secret)

    def told():
        return ([a for a in stage.bw.alerts if a["process"]["pid"] == truth.sender]
                or [s for s in stage.bw.states[before:] if s.get("cause") == "path_truncated"])

    # Losses are told with the next records: the marker's.
    stage.bw.prove_delivered(stage.net, stage.home)
    found, = stage.bw.wait(told, STATE_TIMEOUT, "an alert or a state record")[:1]
    if found["kind"] == "state":
        return
    for entry in found["files"]:
        shown = (entry["path"] or "").encode()
        if entry["pid"] == truth.toucher and entry["truncated"] and shown:
            if key.endswith(shown.lstrip(b"./")):
                return
    raise Failure(f"the file is not shown as the cut end of its path: {str(found['files'])[:600]}")


HOSTILE_NAMES = {
    "newline": b"id_a\nb", "escape": b"id_\x1b[2J\x1b]0;title\x07",
    "invalid UTF-8": b"id_\xff\xfe\xc0\xaf\xed\xa0\x80",
    "quote and backslash": b"id_\"\\'$(x)`", "spaces": b" id  ", "UTF-8": "id_schlüssel_鍵".encode(),
    "longest": b"i" * 255, "longest invalid": b"\xff" * 255,
    "controls": bytes(range(1, 47)) + bytes(range(48, 128)),
}


def hostile_name(stage, name):
    stage.theft("get-open-calls", "openat", make_key=lambda: stage.home.key(name))


def shell_descriptor(stage, shell, script, variant, toucher_is_shell):
    key, secret = stage.home.key()
    send = program("technique-send")
    command = [shell, "-c", script, "sh", send, key.decode(), HOST_V4, "443"]
    truth, = truths(stage.play("send", variant, key, command=command))
    stage.net.sink.wait_arrived(secret)
    alert = stage.check(truth, key, HOST_V4, 443, "tcp")
    require_equal(truth.toucher != truth.sender, toucher_is_shell, "the shell itself opened it")
    entry = next(e for e in alert["files"] if e["path"] == key.decode())
    require_equal(entry["exe"], os.path.realpath(shell), "files[].exe")
    require_equal(alert["process"]["exe"], send, "process.exe")


def excluded_path(stage):
    """~/.ssh/*.pub is nobody's secret: the default policy excludes it."""
    key, secret = stage.home.key(b"id_decoy.pub")
    truth, = truths(stage.play("get-open-calls", "openat", key))
    stage.net.sink.wait_arrived(secret)
    stage.expect_silence(truth.sender, "an excluded path")


def part_get(t, stage):
    for variant in ("open", "openat", "openat2", "creat", "handle", "int80"):
        t.case(f"G01/G06 opened by {variant}", open_call, stage, variant)
    for variant in ("chdir", "fchdir", "dirfd", "dotdot", "symlink-file", "symlink-directory",
                    "proc-self-root", "proc-self-cwd", "proc-parent-root", "dev-fd"):
        t.case(f"G02 named through {variant}", stage.theft, "get-path-forms", variant)
    t.case("G09 sh: exec 3<key; exec thief", shell_descriptor, stage, "/bin/sh",
           'exec 3<"$2"; exec "$1" self:3 "$2" "$3" "$4"', "self:3", False)
    t.case("G09 sh: exec 3<key; thief", shell_descriptor, stage, "/bin/sh",
           'exec 3<"$2"; "$1" parent:3 "$2" "$3" "$4"; exit $?', "parent:3", True)
    # dash opens it before it forks, bash afterwards.
    if os.path.basename(os.path.realpath("/bin/sh")) == "dash":
        t.case("G09 dash: thief < key", shell_descriptor, stage, "/bin/sh",
               '"$1" parent "$2" "$3" "$4" < "$2"; exit $?', "parent", True)
    t.case("G09 bash: thief < key", shell_descriptor, stage, "/bin/bash",
           '"$1" self "$2" "$3" "$4" < "$2"; exit $?', "self", False)
    t.case(f"G14 {COMPONENTS_MAX} components deep", deep_path, stage)
    t.case("G14 deeper than is walked", too_deep_path, stage, COMPONENTS_MAX + 60, b"deeper")
    t.case("G14 longer than PATH_MAX", too_deep_path, stage, LONG_COMPONENTS, LONG_NAME)
    for what, name in HOSTILE_NAMES.items():
        t.case(f"G14 hostile name: {what}", hostile_name, stage, name)
    t.case("ExcludePath stays silent", excluded_path, stage)


# H: handing them on

def orphan(stage):
    alert, = stage.theft("hand-lineage", "orphan")
    dead = alert["lineage"][:2]
    exe = program("technique-hand-lineage")
    require_equal([a["exe"] for a in dead], [exe, exe], "exe of the dead ancestors")
    require_equal(alert["lineage"][2]["pid"], os.getpid(), "the dead grandparent's parent")


def exec_after_read(stage):
    alert, = stage.theft("hand-lineage", "exec")
    require_equal(alert["process"]["exe"], program("technique-send"), "process.exe")
    require_equal(alert["files"][0]["exe"], program("technique-hand-lineage"), "files[].exe, as it was then")


def part_hand(t, stage):
    for variant in ("threads", "fork", "vfork-exec", "clone3"):
        t.case(f"H01 {variant}", stage.theft, "hand-lineage", variant)
    t.case("H01 double fork, setsid, the parents dead", orphan, stage)
    t.case("H02 exec of another program after the read", exec_after_read, stage)


# E: getting them out

def repeats(stage):
    """Five times to one destination is one alert; what repeats became known is told under the same id at the
    end."""
    key, secret = stage.home.key()
    truth, = truths(stage.play("out-tcp", "repeat", key, port=443))
    stage.net.sink.wait_arrived(secret)
    first = stage.check(truth, key, HOST_V4, 443, "tcp")
    second = stage.check(truth, key, HOST_V4, 444, "tcp")
    require(first["id"] != second["id"], "two destinations, one id")
    again = stage.bw.wait_alert(lambda a: a["id"] == first["id"] and a["repeats"] == 4,
                                "the same id with repeats 4")
    require_equal(again["destination"], first["destination"], "destination of the second report")
    ours = stage.bw.find(lambda a: a["process"]["pid"] == truth.sender)
    require_equal({a["id"] for a in ours}, {first["id"], second["id"]}, "ids")


# Where a sensor does not see data on connections: it says so when it starts.
NO_DATA = "no hook tp_btf/sock_send_length"
# Pages that are sent without a message: no hook of any sensor's before.
SEND_PAGE_UNTIL = (6, 5)
PULL_PORT = 8081


def require_data_seen(stage, variant):
    if any(NO_DATA in line for line in stage.bw.stderr):
        raise Skip("this kernel has no sock_send_length: the sensor says that it does not see this", environment=True)
    if variant in ("sendfile", "splice") and harness.kernel_version() < SEND_PAGE_UNTIL:
        raise Skip("before 6.5 pages go out without a message, which no hook sees", environment=True)


def existing(stage, variant):
    require_data_seen(stage, variant)
    alert, = stage.theft("out-existing", variant, protocol="udp" if variant == "udp" else "tcp")
    require(alert["destination"]["act"] in ("send", "connect"), f"act: {alert['destination']}")


def raw(stage):
    require_data_seen(stage, "raw")
    key, _ = stage.home.key()
    truth, = truths(stage.play("out-existing", "raw", key))
    # The tracepoint sensor knows that it was sent, and not whereto.
    alert = stage.bw.wait_alert(lambda a: a["process"]["pid"] == truth.sender and a["destination"]["protocol"] == "icmp",
                                "alert of the echo request")
    require(alert["destination"]["address"] in (HOST_V4, "0.0.0.0"), f"destination: {alert['destination']}")
    check_alert(alert, truth, key)


def pulled(stage, variant):
    """The other side connects and takes it: the alert names it, and the port that it came to."""
    require_data_seen(stage, variant)
    key, secret = stage.home.key()
    process = stage.net.popen([program("technique-out-existing"), variant, key, HOST_V4, str(PULL_PORT)],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    require_equal(process.stdout.readline(), "listening\n", "the thief")
    with stage.net.inside(stage.net.host):
        peer = socket.create_connection((THIEF_V4, PULL_PORT))
    with peer:
        got = b""
        while piece := peer.recv(65536):
            got += piece
    require_equal(got, secret, "what the other side got")
    out, err = process.communicate(timeout=30)
    require_equal(process.returncode, 0, f"the thief: {err}")
    truth, = truths(out)
    alert = stage.check(truth, key, HOST_V4, PULL_PORT, "tcp")
    require_equal(alert["destination"]["act"], "accept", "destination.act")


def part_out(t, stage):
    for variant in ("write", "send", "sendmsg", "shell", "udp"):
        t.case(f"E02 on a connection that was there before: {variant}", existing, stage, variant)
    for variant in ("sendfile", "splice"):
        t.case(f"E06 {variant} to a connection that was there before", existing, stage, variant)
    for variant in ("accept", "accepted"):
        t.case(f"E03 the other side connects, {variant}", pulled, stage, variant)
    t.case("E08 an echo request on a raw socket", raw, stage)
    for variant in ("blocking", "nonblocking"):
        for what, address in (("v4", HOST_V4), ("v6", HOST_V6), ("IPv4-mapped", "::ffff:" + HOST_V4)):
            t.case(f"E01 TCP {what} {variant}", stage.theft, "out-tcp", variant, address)
    for variant in ("connected", "sendto", "sendmsg", "sendmmsg"):
        for what, address in (("v4", HOST_V4), ("v6", HOST_V6), ("IPv4-mapped", "::ffff:" + HOST_V4)):
            t.case(f"E04 UDP {what} {variant}", stage.theft, "out-udp", variant, address, 443, "udp")
    t.case("repeats: one id, told again at exit", repeats, stage)


# S: beating identity, state or sensor

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
    require_equal(len(ours), 1, "alerts for the PID that three processes wore")


class Paused:
    """state-pause: has opened the key, waits for go()."""

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
    """Class brief has Window=1s; time itself must pass here."""
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


def waits_for_the_window(stage):
    """Class patient has Window=1s and the long tier: waiting lowers the score, and buys no silence."""
    scores = {}
    for name, seconds in (("late", 1.5), ("soon", 0)):
        path, _ = stage.home.decoy(os.path.join(stage.home.root, b"patient/%d-%s" % (stage.home.count, name.encode())))
        paused = Paused(stage, "self", path)
        time.sleep(seconds)
        truth, = paused.go()
        alert = stage.check(truth, path, HOST_V4, 443, "tcp", class_name="patient")
        scores[name] = alert["score"]
        waited = [r for r in alert["reasons"] if "waited" in r["text"]]
        require_equal([r["points"] for r in waited], [-25] if name == "late" else [], f"{name}: {alert['reasons']}")
    require(scores["late"] < scores["soon"], f"scores: {scores}")


def repeats_at_window_end(stage):
    """A process that goes on living: its repeats are told when the window (1 s) has passed."""
    path = os.path.join(stage.home.root, b"brief/%d-again" % stage.home.count)
    stage.home.decoy(path)
    script = ("import socket, sys; open(sys.argv[1]).read(); s = socket.socket(type=socket.SOCK_DGRAM); "
              "[s.sendto(b'x', (sys.argv[2], 9)) for _ in range(3)]; print('sent', flush=True); sys.stdin.read()")
    process = stage.net.popen([sys.executable, "-c", script, path, HOST_V4], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    try:
        require_equal(process.stdout.readline(), "sent\n", "the thief")
        stage.bw.wait_alert(lambda a: a["process"]["pid"] == process.pid and a["repeats"] == 2, "the repeats")
        require(process.poll() is None, "it lives")
    finally:
        process.communicate()


def require_reload(stage, word):
    answer = stage.bw.reload()
    require(f"policy {word}" in answer, f"reload said: {answer}")
    return answer


def reload_between(stage):
    key, secret = stage.home.key()
    paused = Paused(stage, "self", key)
    require_reload(stage, "reloaded")
    truth, = paused.go()
    stage.net.sink.wait_arrived(secret)
    stage.check(truth, key, HOST_V4, 443, "tcp")


def new_class_on_reload(stage, policy_dir):
    """A class that a reload brings works at once; one that a reload takes away is silent at once."""
    path = os.path.join(stage.home.root, b"late-class/secret")
    conf = os.path.join(policy_dir, "95-late.conf")
    stage.home.decoy(path)
    truth, = truths(stage.play("out-tcp", "blocking", path))
    stage.expect_silence(truth.sender, "no class yet")
    write(conf, harness.policy_class("late", ["/**/late-class/*"], Technique="T1552.001"))
    require_reload(stage, "reloaded")
    truth, = truths(stage.play("out-tcp", "blocking", path))
    stage.check(truth, path, HOST_V4, 443, "tcp", class_name="late")
    os.unlink(conf)
    require_reload(stage, "reloaded")
    truth, = truths(stage.play("out-tcp", "blocking", path))
    stage.expect_silence(truth.sender, "the class is gone")


def bad_reload(stage, policy_dir):
    """What cannot be read leaves the old policy in force, and says why."""
    conf = os.path.join(policy_dir, "96-bad.conf")
    write(conf, "[Class bad]\nPath=relative/[unclosed\n[Nonsense\nfoo\n")
    try:
        answer = require_reload(stage, "kept")
        require("96-bad.conf" in answer or stage.bw.stderr_since(0, "96-bad.conf:"), f"no file in {answer}")
        stage.theft("out-tcp", "blocking")
    finally:
        os.unlink(conf)
    require_reload(stage, "reloaded")
    stage.theft("out-tcp", "blocking")


def write(path, text):
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


def allowed_silent(stage, exe):
    key, secret = stage.home.key()
    truth, = Paused(stage, "self", key, exe).go()
    stage.net.sink.wait_arrived(secret)
    stage.expect_silence(truth.sender, "an allowed program")


def allowed_child_clean(stage, exe_lineage):
    """Allowed without Destination=: the open makes no mark, so whatever it starts is clean too."""
    for variant in ("fork", "vfork-exec", "exec"):
        key, secret = stage.home.key()
        result = stage.net.run([exe_lineage, variant, key, HOST_V4, "443"])
        require(result.returncode == 0, result.stderr)
        truth, = truths(result.stdout)
        stage.net.sink.wait_arrived(secret)
        stage.expect_silence(truth.sender, f"{variant} from an allowed program")


def copy_not_allowed(stage, exe):
    """The same bytes under another path have no allowance."""
    other = os.path.join(os.path.dirname(exe), "other")
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
    """The child carries the mark without the allowance: it alerts where its parent was quiet."""
    key, _ = stage.home.key()
    parent, child = Paused(stage, "both", key, exe, 443).go()
    stage.check(child, key, HOST_V4, 443, "tcp")
    stage.expect_silence(parent.sender, "the allowed parent")


def install(source, target):
    """A copy that an allow rule may hold for: root's, and nobody else can write it."""
    shutil.copyfile(source, target)
    os.chmod(target, 0o755)
    return target


def test_policy(home, directory):
    """The classes and rules of the state part, beside the default policy."""
    programs = os.path.join(home.root.decode(), "programs")
    os.mkdir(programs, 0o755)
    exes = {name: install(program("technique-" + source), os.path.join(programs, "technique-" + name))
            for name, source in (("allowed", "state-pause"), ("allowed-line", "hand-lineage"),
                                 ("bound", "state-pause"), ("send", "send"))}
    write(os.path.join(directory, "90-test.conf"),
          harness.policy_class("brief", ["/**/brief/*"], Window="1s", LateWindow="1s", Technique="T1552.001")
          + harness.policy_class("patient", ["/**/patient/*"], Window="1s", LateWindow="1min", Score=60)
          + harness.policy_allow("test-allowed", exes["allowed"], [SSH])
          + harness.policy_allow("test-allowed-line", exes["allowed-line"], [SSH])
          + harness.policy_allow("test-bound", exes["bound"], [SSH], [HOST_V4 + ":443"]))
    return exes


def part_state(t, stage, exes, policy_dir):
    t.case("S05 PID reuse", pid_reuse, stage)
    t.case("S04 outside the window", outside_window, stage)
    t.case("S04 waits for the window to end", waits_for_the_window, stage)
    t.case("repeats: told at the window's end", repeats_at_window_end, stage)
    t.case("S08 a mark survives a reload", reload_between, stage)
    t.case("a class comes and goes by reload", new_class_on_reload, stage, policy_dir)
    t.case("S08 a bad policy on reload keeps the old one", bad_reload, stage, policy_dir)
    if not harness.sees_host():
        return
    t.case("allow: an allowed program is silent", allowed_silent, stage, exes["allowed"])
    t.case("allow: what an allowed program starts is clean", allowed_child_clean, stage,
           exes["allowed-line"])
    t.case("S01 allow: a copy elsewhere is not allowed", copy_not_allowed, stage, exes["allowed"])
    t.case("allow: Destination= is quiet there", bound_quiet, stage, exes["bound"])
    t.case("allow: Destination= alerts elsewhere", bound_elsewhere, stage, exes["bound"])
    t.case("allow: Destination= does not hold for a child", bound_child, stage, exes["bound"])


def end(stage, provoked):
    ids = [a["id"] for a in stage.bw.find(lambda a: a["repeats"] == 0)]
    require_equal(len(ids), len(set(ids)), "alerts with an id of their own")
    summary = stage.bw.stop()
    require_equal(summary["alerts"], len(ids), "alerts in the summary")
    stage.bw.require_whole(provoked)


# Text output

PRINTABLE = set(range(0x20, 0x7F)) | {0x0A}


def text_output(net, home):
    """--alerts=text under hostile names: only printable UTF-8 and newlines reach the terminal."""
    with harness.Barbwired(alerts="text") as bw:
        for name in HOSTILE_NAMES.values():
            key, _ = home.key(name)
            result = net.run([program("technique-get-open-calls"), "openat", key, HOST_V4, "443"])
            require(result.returncode == 0, result.stderr)
        key, _ = home.key(b"id_last_of_all")
        net.run([program("technique-get-open-calls"), "openat", key, HOST_V4, "443"])
        bw.wait(lambda: any(b"id_last_of_all" in line for line in bw.output), harness.ALERT_TIMEOUT,
                "the last alert")
        bw.stop()
    output = b"\n".join(bw.output)
    text = output.decode("utf-8")
    bad = sorted({c for c in text if ord(c) < 0x80 and ord(c) not in PRINTABLE or 0x80 <= ord(c) < 0xA0})
    require(not bad, f"control characters in text output: {bad}")
    for shown in (r"id_a\x0ab", r"id_\x1b[2J", r"\xff\xfe\xc0\xaf", "鍵"):
        require(shown in text, f"{shown} is not in the text output:\n{text[:3000]}")


def main():
    every = ("get", "hand", "out", "state", "identity")
    if len(sys.argv) != 2 or sys.argv[1] not in every + ("all",):
        sys.exit(__doc__)
    played = every if sys.argv[1] == "all" else sys.argv[1:]
    (harness.require_host if "identity" in played else harness.require_machine)()
    t = tap.Tap()
    with Net() as net, harness.Home() as home:
        policy_dir = os.path.join(home.root.decode(), "policy.d")
        os.mkdir(policy_dir)
        exes = test_policy(home, policy_dir) if "state" in played else {}
        actors = identity.test_policy(home, policy_dir) if "identity" in played else None
        with harness.Barbwired([harness.DEFAULT_POLICY, policy_dir]) as bw:
            stage = Stage(bw, net, home)
            parts = {"get": part_get, "hand": part_hand, "out": part_out,
                     "state": lambda *args: part_state(*args, exes, policy_dir),
                     "identity": lambda *args: identity.part(*args, actors)}
            for part in played:
                parts[part](t, stage)
            # The paths deeper or longer than any buffer are counted, as they must be.
            provoked = ("lost", "path_truncated") if "get" in played else ()
            provoked += harness.preemption_losses()
            t.case("SIGTERM: exit 0, no loss, every alert counted", end, stage, provoked)
        if sys.argv[1] == "get":
            t.case("G14 text output under hostile names", text_output, net, home)
    t.done()


if __name__ == "__main__":
    main()
