#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Queries of a barbwired in a terminal, by a Varlink client that is not ours: every reply conforms to the description
of the interface, alerts are those on standard output, and whatever clients do, a theft raises its alert at once."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import harness
import varlink
from cases import Scene, cases
from harness import program, truths
from net import HOST_V4
from tap import Failure, require, require_equal
from varlink import Connection, VarlinkError

SERVICE = "org.varlink.service"
# The minimum of MaxMarks=, more processes than can be marked then, and the time that they may take to start: a mark
# whose window has passed makes room for another.
MARKS_MAX, HOLDERS, HOLDERS_SECONDS = 1024, 1300, 60
# A cgroup of one user has an eighth of the marks (bpf/mark/share.bpf.h), and what its processes write counts, too.
CROWDS, CROWD_UID = 20, 65100
# daemon/query/server.c: usual_limits.
CLIENTS_MAX, REQUEST_MAX, REQUEST_SECONDS, REPLY_SECONDS = 64, 64 << 10, 10, 30
# Memory that so many clients may use (there: 16 MiB at most), and what malloc keeps in addition.
RSS_GROWTH_MAX = 24 << 20
# For a loaded machine, and the second by which a timer may be late.
LATE_SECONDS = 5
# An answer waits for one compilation of the policy at most: what `barbwired --check` takes, which does little else.
RELOADS, ASK_SECONDS, COMPILATIONS_MAX = 20, 0.01, 2
# An alert takes milliseconds; with the start of the thief, and everything else that runs here:
AT_ONCE_SECONDS = 3


# A parser of interface descriptions, varlink.org/Interface-Definition.

class Interface:
    def __init__(self, text):
        code = re.sub(r"#.*", "", text)
        self.tokens = re.findall(r"->|\[\]|\[string\]|[\w.]+|[?():,]", code)
        self.types, self.methods, self.errors = {}, {}, {}
        self.expect("interface")
        self.name = self.tokens.pop(0)
        while self.tokens:
            kind, name = self.tokens.pop(0), self.tokens.pop(0)
            if kind == "method":
                call = self.read_struct()
                self.expect("->")
                self.methods[name] = (call, self.read_struct())
            else:
                {"type": self.types, "error": self.errors}[kind][name] = self.read_struct()

    def expect(self, token):
        require_equal(self.tokens.pop(0), token, "the description")

    def read_struct(self):
        """{name: type}; a type is a word, a struct, or a pair of a modifier and a type."""
        self.expect("(")
        fields = {}
        while self.tokens[0] != ")":
            name = self.tokens.pop(0)
            self.expect(":")
            fields[name] = self.read_type()
            if self.tokens[0] == ",":
                self.tokens.pop(0)
        self.expect(")")
        return fields

    def read_type(self):
        if self.tokens[0] in ("?", "[]", "[string]"):
            return self.tokens.pop(0), self.read_type()
        return self.read_struct() if self.tokens[0] == "(" else self.tokens.pop(0)

    def check(self, value, kind, where):
        """Fails unless the value has that type, without missing or undescribed members."""
        basic = {"string": str, "int": int, "bool": bool, "float": float}
        if isinstance(kind, tuple):
            modifier, inner = kind
            if modifier == "?":
                if value is not None:
                    self.check(value, inner, where)
                return
            container = {"[]": list, "[string]": dict}[modifier]
            require(isinstance(value, container), f"{where} is no {container}: {value!r}")
            for key, item in enumerate(value) if container is list else value.items():
                self.check(item, inner, f"{where}[{key}]")
        elif isinstance(kind, dict):
            require(isinstance(value, dict), f"{where} is no object: {value!r}")
            require(not set(value) - set(kind), f"{where} has {set(value) - set(kind)}, which is not described")
            for name, inner in kind.items():
                missing = name not in value and not (isinstance(inner, tuple) and inner[0] == "?")
                require(not missing, f"{where} lacks {name}")
                self.check(value.get(name), inner, f"{where}.{name}")
        elif kind in basic:
            require(type(value) is basic[kind], f"{where} is no {kind}: {value!r}")
        else:
            self.check(value, self.types[kind], where)


class Client(Connection):
    """A connection that checks all replies against the description."""

    interfaces = {}

    def __init__(self, scene):
        super().__init__(scene.socket)
        self.method = None

    def send(self, method, more=False, **parameters):
        self.method = method if "." in method else f"{varlink.INTERFACE}.{method}"
        super().send(method, more, **parameters)

    def receive(self):
        try:
            parameters, continues = super().receive()
        except VarlinkError as error:
            interface, name = error.name.rsplit(".", 1)
            described = self.interfaces[interface]
            described.check(error.parameters, described.errors[name], error.name)
            raise
        interface, name = self.method.rsplit(".", 1)
        described = self.interfaces[interface]
        described.check(parameters, described.methods[name][1], self.method)
        return parameters, continues

    def list(self, **filters):
        return [alert for reply in self.stream("ListAlerts", **filters) for alert in reply["alerts"]]

    def fails(self, wanted, method, more=False, **parameters):
        self.send(method, more, **parameters)
        try:
            reply, _ = self.receive()
        except VarlinkError as error:
            require_equal((error.name, error.parameters), wanted, f"{method} {parameters}")
            return
        raise Failure(f"{method} {parameters}: no error but {str(reply)[:300]}")


class Queried(Scene):
    def __init__(self, net, home):
        self.crowded = home.decoy(os.path.join(home.root, b"crowded"))[0]
        super().__init__(net, home, f"[Correlator]\nMaxMarks={MARKS_MAX}\n"
                         + harness.policy_class("crowded", [self.crowded.decode()], Window=f"{HOLDERS_SECONDS}s",
                                                LateWindow="0", Score=5, Severity="low"))

    def client(self):
        if not Client.interfaces:
            self.describe()
        return Client(self)

    def describe(self):
        with Connection(self.socket) as plain:
            for name in (varlink.INTERFACE, SERVICE):
                text = plain.call(f"{SERVICE}.GetInterfaceDescription", interface=name)["description"]
                Client.interfaces[name] = Interface(text)
                require_equal(Client.interfaces[name].name, name, "interface")

    def raw(self):
        raw = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        raw.settimeout(varlink.TIMEOUT)
        raw.connect(self.socket)
        return raw

    def theft(self, key=None):
        """Returns the alert from standard output."""
        key = key or self.home.key()[0]
        result = self.net.run([program("technique-out-tcp"), "blocking", key, HOST_V4, "443"])
        require_equal(result.returncode, 0, f"the theft's exit status\n{result.stderr}")
        sender = truths(result.stdout)[0].sender
        return self.bw.wait_alert(lambda a: a["process"]["pid"] == sender and harness.touches(a, key), "the theft")

    def theft_at_once(self, what):
        begin = time.monotonic()
        alert = self.theft()
        seconds = time.monotonic() - begin
        require(seconds < AT_ONCE_SECONDS, f"{what}: the alert was raised after {seconds:.1f} s")
        return alert

    def resident(self):
        with open(f"/proc/{self.bw.pid}/status", encoding="ascii", errors="replace") as status:
            return int(re.search(r"^VmRSS:\s+(\d+) kB", status.read(), re.M)[1]) << 10


def call_of(method, **members):
    return json.dumps({"method": f"{varlink.INTERFACE}.{method}", **members}).encode() + b"\0"


def wait_closed(raw, seconds):
    """Reads until the daemon closes the connection."""
    deadline = time.monotonic() + seconds
    while True:
        raw.settimeout(max(0.1, deadline - time.monotonic()))
        try:
            if not raw.recv(1 << 20):
                return
        except (ConnectionResetError, BrokenPipeError):
            return
        except TimeoutError:
            raise Failure(f"the connection is not closed after {seconds} s") from None


# ---- valid calls ----

def described(scene):
    scene.describe()
    require_equal(set(Client.interfaces[varlink.INTERFACE].methods),
                  {"GetStatus", "ListAlerts", "GetAlert", "Follow", "ListRules", "ListMarks",
                   "WatchProcesses"}, "methods")
    with scene.client() as client:
        require_equal(client.call(f"{SERVICE}.GetInfo")["interfaces"], list(Client.interfaces), "interfaces")
        client.call(f"{SERVICE}.GetInterfaceDescription", interface=SERVICE)
    require_equal(os.stat(scene.socket).st_mode & 0o777, 0o600, "the socket's mode")


def status(scene):
    with scene.client() as client, scene.client() as _:
        reply = client.call("GetStatus")
        require_equal((reply["pid"], reply["state"], reply["degraded"]), (scene.bw.pid, "ok", []), "status")
        require(reply["hooks"] and all(hook["attached"] for hook in reply["hooks"]), f"hooks: {reply['hooks']}")
        require_equal(reply["clients"], 2, "clients")
        require_equal(reply["marks"]["max"], MARKS_MAX * 9 // 10, "marks")  # of the table, the rest is a reserve
        require_equal(reply["policy"]["errors"], 0, "errors of the policy")
        require(any(path.endswith("/90-test.conf") for path in reply["policy"]["files"]), f"{reply['policy']}")
        causes = {entry["cause"] for entry in reply["losses"]}
        missing = set(harness.LOSSES) - {"lost"} - causes
        require(not missing, f"losses without {missing}: {causes}")


def marks(scene):
    """Every reply is as the interface describes it (Client), also those of several clients that share a listing."""
    key, _ = scene.home.key()
    reader = scene.net.popen(["/bin/bash", "-c", 'read -r line < "$1"; echo ready; exec sleep 1000', "bash", key],
                             stdout=subprocess.PIPE)
    try:
        require_equal(reader.stdout.readline(), b"ready\n", "the reader")
        with scene.client() as one, scene.client() as other:
            replies = [list(client.stream("ListMarks")) for client in (one, other)]
    finally:
        reader.kill()
        reader.communicate()
    for reply, in replies:
        require(reply["complete"] and reader.pid in {m["pid"] for m in reply["marks"]}, f"{reply}")


def processes(scene):
    """The first samples: entries of processes, and of what they opened of which classes (test-top.py has the rest)."""
    key, _ = scene.home.key()
    with scene.client() as client:
        found = set()
        for reply in client.stream("WatchProcesses", interval=100000):
            if not found:
                scene.net.run(["cat", key])
            found |= {bool(p["classes"]) for p in reply["processes"]}
            require_equal(reply["table"] is not None, reply["last"], "the table")
            if found == {True, False}:
                break


def rules(scene):
    with scene.client() as client:
        policy, reply = client.call("GetStatus")["policy"], client.call("ListRules")
    require_equal((len(reply["classes"]), len(reply["allows"])), (policy["classes"], policy["allows"]), "numbers")
    mine, = [c for c in reply["classes"] if c["name"] == "crowded"]
    require_equal((mine["paths"], mine["window_usec"], mine["score"]),
                  ([scene.crowded.decode()], HOLDERS_SECONDS * 1000000, 5), "class")
    require(mine["origin"].endswith("/90-test.conf:3"), f"origin: {mine['origin']}")


def listed(scene):
    """Each filter selects as described."""
    ssh = scene.theft()
    middle = time.time_ns() // 1000
    aws = scene.theft(scene.home.decoy(os.path.join(scene.home.path, b".aws/credentials"))[0])
    low = scene.theft(scene.home.decoy(os.path.join(scene.home.root, b"crowded"))[0])
    require(len({a["severity"] for a in (ssh, aws, low)}) > 1, "all of one severity")
    ranks = {"low": 0, "medium": 1, "high": 2}

    with scene.client() as client:
        alerts = client.list()
        require_equal(alerts, [ssh, aws, low], "the list")
        require_equal(client.call("ListAlerts")["alerts"], alerts, "the list in one reply")

        def check(predicate, **filters):
            wanted = [a["id"] for a in alerts if predicate(a)]
            require_equal([a["id"] for a in client.list(**filters)], wanted, f"list by {filters}")
            return wanted

        check(lambda a: a != ssh, since=middle)
        check(lambda a: a == ssh, until=middle)
        check(lambda a: False, since=middle, until=middle)
        for severity, rank in ranks.items():
            check(lambda a, rank=rank: ranks[a["severity"]] >= rank, severity=severity)
        for name in ("ssh-private-keys", "crowded", "no-such-class"):
            check(lambda a, name=name: name in a["classes"], **{"class": name})
        check(lambda a: a == aws, pid=aws["process"]["pid"])
        check(lambda a: True, uid=0)
        check(lambda a: False, uid=1)
        check(lambda a: False, unit="no-such.service")
        check(lambda a: a["process"]["unit"] and a["process"]["unit"] == ssh["process"]["unit"],
              unit=ssh["process"]["unit"] or "no-such.service")
        check(lambda a: a != ssh, limit=2)
        check(lambda a: a == ssh, limit=1, **{"class": "ssh-private-keys"})
        for filters in ({"sience": 1}, {"limit": 0}, {"severity": "worst"}, {"pid": "1"}):
            client.fails((f"{SERVICE}.InvalidParameter", {"parameter": next(iter(filters))}), "ListAlerts", **filters)


def got(scene):
    wanted = scene.theft()
    boot, short = wanted["id"].split("-", 1)
    with scene.client() as client:
        for name in (wanted["id"], short):
            require_equal(client.call("GetAlert", id=name)["alert"], wanted, name)
        for name in (boot, "", short[:-1], "nonsense\N{BLACK HEART SUIT}\\"):
            client.fails((f"{varlink.INTERFACE}.NoSuchAlert", {"id": name}), "GetAlert", id=name)
        client.fails((f"{SERVICE}.InvalidParameter", {"parameter": "id"}), "GetAlert")
        client.fails((f"{SERVICE}.MethodNotFound", {"method": f"{varlink.INTERFACE}.Reset"}), "Reset")
        client.fails((f"{SERVICE}.InterfaceNotFound", {"interface": "org.example"}), "org.example.X")


def overfull(scene):
    """More processes than can be marked open a sensitive file, as so many users that their shares fill the table."""
    os.chmod(scene.crowded, 0o644)
    crowds = []
    try:
        for uid in range(CROWD_UID, CROWD_UID + CROWDS):
            command = [program("robust-crowd"), "hold", str(HOLDERS // CROWDS), scene.crowded]
            crowds.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, user=uid,
                                           group=uid, extra_groups=[]))
            require_equal(crowds[-1].stdout.readline(), "ready\n", "crowd")
    finally:
        for crowd in crowds:
            crowd.communicate()


def followed(scene):
    """The alert, the policy and the loss, and nothing earlier."""
    scene.theft()
    with scene.client() as client, scene.client() as other:
        client.fails((f"{SERVICE}.ExpectedMore", {}), "Follow")
        client.send("Follow", more=True)
        require_equal(client.receive(), ({}, True), "the first reply")
        for _ in range(2):
            theft = scene.theft()
            require_equal(client.receive(), ({"alert": theft}, True), "the alert")
        policy = other.call("GetStatus")["policy"]
        scene.bw.reload()
        reply, continues = client.receive()
        change = reply.get("policy")
        require(continues and list(reply) == ["policy"] and change, f"after SIGHUP: {reply}")
        require_equal([change[name] for name in ("kind", "state", "hash", "previous", "refused", "files", "classes",
                                                 "allows", "errors")],
                      ["state", "policy", policy["hash"], policy["hash"], False, len(policy["files"]),
                       policy["classes"], policy["allows"], 0], "the change of policy")
        overfull(scene)
        raised, deadline = {}, time.monotonic() + harness.ALERT_TIMEOUT
        while raised.get("cause") != "mark_refused":
            require(time.monotonic() < deadline, f"no process was refused a mark: {other.call('GetStatus')}")
            scene.bw.prove_delivered(scene.net, scene.home)
            reply, _ = client.receive()
            raised = reply.get("loss", {})
        lost, = [entry for entry in other.call("GetStatus")["losses"] if entry["cause"] == "mark_refused"]
        require(lost["count"] >= raised["total"] > 0 and lost["last"], f"raised {raised}, status {lost}")
        reply = other.call("GetStatus")
        require(reply["state"] == "degraded" and reply["degraded"], f"ok after a loss: {reply['degraded']}")


# ---- bad clients ----

def half_closed(scene):
    with scene.raw() as raw:
        raw.sendall(call_of("GetStatus") * 3)
        raw.shutdown(socket.SHUT_WR)
        received = b""
        while piece := raw.recv(1 << 16):
            received += piece
    require_equal(len([json.loads(reply) for reply in received.split(b"\0")[:-1]]), 3, "replies")


def malformed(scene):
    for bad in (b"\0", b"{}\0", b"[]\0", b"GET / HTTP/1.1\r\n\r\n\0", b"\xff" * 100 + b"\0", b"[" * 60000 + b"\0"):
        with scene.raw() as raw:
            raw.sendall(bad)
            wait_closed(raw, LATE_SECONDS)
    with scene.client() as client:
        client.call("GetStatus")


def huge(scene):
    """A call is refused as soon as it is too long, not when it is complete; the longest valid one is answered."""
    with scene.raw() as raw:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            raw.sendall(b'{"method":"' + b"x" * (8 << 20))
        wait_closed(raw, LATE_SECONDS)
    padded = call_of("GetStatus")[:-1]
    with scene.raw() as raw:
        raw.sendall(padded + b" " * (REQUEST_MAX - 1 - len(padded)) + b"\0")
        require(raw.recv(10).startswith(b'{"'), "no answer")


def pipelined(scene):
    """A thousand listings at once, which are read, while a theft is played."""
    with scene.client() as client:
        request = call_of("ListAlerts", parameters={"limit": 3}) * 1000
        client.socket.setblocking(False)
        sent = client.socket.send(request)
        scene.theft_at_once("pipelined calls")
        client.method = f"{varlink.INTERFACE}.ListAlerts"
        client.socket.settimeout(varlink.TIMEOUT)
        for _ in range(sent // (len(request) // 1000)):
            require_equal(len(client.receive()[0]["alerts"]), 3, "alerts")


def full_house(scene):
    """One client more than allowed gets an error; when they have left, the next one is served."""
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(scene.client()) for _ in range(CLIENTS_MAX)]
        crowd[0].call("GetStatus")
        with scene.client() as late:
            try:
                late.receive()
            except VarlinkError as error:
                require_equal((error.name, error.parameters),
                              (f"{varlink.INTERFACE}.TooManyClients", {"max": CLIENTS_MAX}), "error")
            else:
                raise Failure("client number 65 is served")
        require_equal(crowd[-1].call("GetStatus")["clients"], CLIENTS_MAX, "clients")
        scene.theft_at_once("a full house")
    with scene.client() as client:
        client.call("GetStatus")


def all_at_once(scene, sanitized):
    """As many bad clients of every kind as allowed: each is closed in time, memory is bounded, thefts raise alerts."""
    before = scene.resident()
    begin = time.monotonic()
    slow, deaf, followers = [], [], []
    with contextlib.ExitStack() as stack:
        for n in range(CLIENTS_MAX - 3):
            raw = stack.enter_context(scene.raw())
            if n % 3 == 0:  # an incomplete call of the maximum length
                raw.sendall(b'{"method":"' + b"x" * (REQUEST_MAX - 100))
                slow.append(raw)
            elif n % 3 == 1:  # sends calls, and does not read
                raw.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    while True:
                        raw.send(call_of("ListRules"))
                deaf.append(raw)
            else:  # follows, and does not read
                raw.sendall(call_of("Follow", more=True))
                followers.append(raw)
        with scene.client() as client, scene.client() as other:
            other.send("Follow", more=True)
            other.receive()
            alert = scene.theft_at_once("hostile clients")
            require_equal(other.receive(), ({"alert": alert}, True), "the well-behaved follower")
            require(client.call("GetStatus")["clients"] > 50, "clients")
            grown = scene.resident() - before
            require(sanitized or grown < RSS_GROWTH_MAX, f"resident memory has grown by {grown >> 10} KiB")
            for raw in slow:
                wait_closed(raw, begin + REQUEST_SECONDS + LATE_SECONDS - time.monotonic())
            require(time.monotonic() - begin > REQUEST_SECONDS - 1, "closed too early")
            # Without reading from them.
            left = len(deaf) + len(followers) + 2
            deadline = begin + REPLY_SECONDS + LATE_SECONDS
            while client.call("GetStatus")["clients"] > left - len(deaf):
                require(time.monotonic() < deadline, "who does not read is still there")
                time.sleep(0.2)
            require(time.monotonic() - begin > REPLY_SECONDS - 1, "closed too early")
            scene.theft_at_once("what is left of them")
            return grown


def robust(t, scene, sanitized):
    grown = all_at_once(scene, sanitized)
    t.note(f"{CLIENTS_MAX} clients of the worst kinds: resident memory grew by {grown >> 10} KiB")


def median(values):
    return sorted(values)[len(values) // 2]


def compiled(scene):
    """The seconds that a compilation of the same policy takes."""
    begin = time.monotonic()
    policy = [argument for argument in scene.bw.command if argument.startswith("--policy-dir=")]
    subprocess.run([harness.BARBWIRED, "--check", *policy], stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - begin


def reloaded(t, scene):
    """The policy is compiled between two answers, which limits their time. What else the machine does delays some of
    both, so that medians are compared."""
    site, slowest, reference = f"{scene.directory}/policy.d/91-more.conf", [], []
    with Connection(scene.socket) as client, ThreadPoolExecutor(1) as worker:
        for n in range(RELOADS):
            reference.append(compiled(scene))
            before = client.call("GetStatus")["policy"]["classes"]
            with open(site, "w", encoding="ascii") as out:
                out.write(harness.policy_class("more", ["/srv/more"]) if n % 2 == 0 else "")
            reload, took = worker.submit(scene.bw.reload), []
            while not reload.done():
                begin = time.monotonic()
                client.call("GetStatus")
                took.append(time.monotonic() - begin)
                time.sleep(ASK_SECONDS)
            slowest.append(max(took))
            require("policy reloaded" in reload.result(), reload.result())
            require_equal(client.call("GetStatus")["policy"]["classes"] - before, (-1) ** n, "classes more than before")
    t.note(f"the slowest answer of a reload took {median(slowest) * 1000:.0f} ms (median; at most "
           f"{max(slowest) * 1000:.0f} ms), barbwired --check {median(reference) * 1000:.0f} ms")
    require(median(slowest) < median(reference) * COMPILATIONS_MAX, f"slow answers: {slowest}, {reference}")
    scene.theft()


def foreign_programs(net, home):
    """Other BPF programs on our hooks are reported by status, and once as a record."""
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        cgroup = next(line.split()[1] for line in mounts if line.split()[2] == "cgroup2")
    scene = Queried(net, home)
    with subprocess.Popen([program("bench-empty"), "tracepoint", cgroup], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as other:
        require(other.stdout.readline().startswith(b"armed "), "the other programs")
        with scene.bw, scene.client() as client:
            reply = client.call("GetStatus")
            require_equal((reply["state"], reply["degraded"]), ("ok", []), "ok with other programs")
            # Those of other programs that run here are attached, too.
            ours = [text for text in reply["foreign"] if re.fullmatch(r"cgroup/\w+: program \d+ \(bench_empty\)", text)]
            require(ours, f"foreign programs: {reply['foreign']}")
            raised = scene.bw.wait(lambda: [s for s in scene.bw.states if s["state"] == "foreign"],
                                   harness.ALERT_TIMEOUT,
                                 "the record")
            require_equal([state["programs"] for state in raised], [reply["foreign"]], "programs reported")
            require(all(text in raised[0]["summary"] for text in ours), f"summary: {raised[0]['summary']}")
            scene.theft()


def stopped(scene):
    """While clients query and follow."""
    with scene.client() as client, scene.raw() as raw:
        client.send("Follow", more=True)
        client.receive()
        raw.sendall(call_of("ListRules") * 500)
        scene.bw.stop()
        wait_closed(client.socket, LATE_SECONDS)
    scene.bw.require_no_loss(("lost", "mark_refused", "object_refused"))


def main():
    with open(harness.BARBWIRED, "rb") as binary:
        sanitized = b"__asan_init" in binary.read()
    with cases() as (t, net, home):
        scene = Queried(net, home)
        with scene.bw:
            t.case("the interfaces describe themselves", described, scene)
            t.case("GetStatus", status, scene)
            t.case("ListRules", rules, scene)
            t.case("ListMarks", marks, scene)
            t.case("WatchProcesses", processes, scene)
            t.case("ListAlerts, by each filter", listed, scene)
            t.case("GetAlert, by id and by short id", got, scene)
            t.case("half-closed: still answered", half_closed, scene)
            t.case("malformed: closed", malformed, scene)
            t.case("huge: closed", huge, scene)
            t.case("a thousand calls at once", pipelined, scene)
            t.case(f"{CLIENTS_MAX} clients, and one more", full_house, scene)
            t.case("every bad kind at once", robust, t, scene, sanitized)
            t.case(f"{RELOADS} reloads: no answer takes long", reloaded, t, scene)
            t.case("Follow: the alert, the policy and the loss", followed, scene)
            t.case("SIGTERM while clients wait", stopped, scene)
        t.case("other programs on our hooks", foreign_programs, net, home)


if __name__ == "__main__":
    main()
