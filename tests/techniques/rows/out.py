# SPDX-License-Identifier: GPL-2.0-or-later
"""E01-E11: egress."""

import contextlib
import os
import socket
import subprocess

import harness
import remote
from harness import program, truths
from net import HOST_V4, HOST_V6, THIEF_V4
from play import SSH, programs, write
from tap import require, require_equal


def repeats(stage):
    """Five times to one destination is one alert; the number of repeats follows under the same id at the end."""
    key, secret = stage.home.key()
    truth, = truths(stage.play("out-tcp", "repeat", key, port=443))
    stage.reached(secret)
    first = stage.check(truth, key, HOST_V4, 443, "tcp")
    second = stage.check(truth, key, HOST_V4, 444, "tcp")
    require(first["id"] != second["id"], "two destinations, one id")
    again = stage.bw.wait_alert(lambda a: a["id"] == first["id"] and a["repeats"] == 4,
                                "the same id with repeats 4")
    require_equal(again["destination"], first["destination"], "destination of the second report")
    ours = stage.bw.find(lambda a: a["process"]["pid"] == truth.sender)
    require_equal({a["id"] for a in ours}, {first["id"], second["id"]}, "ids")


PULL_PORT = 8081
LOCAL_PORT = 8080  # out-local.c


def existing(stage, variant):
    alert, = stage.theft("out-existing", variant, protocol="udp" if variant == "udp" else "tcp")
    require(alert["destination"]["act"] in ("send", "connect"), f"act: {alert['destination']}")


def raw(stage):
    key, _ = stage.home.key()
    truth, = truths(stage.play("out-existing", "raw", key))
    alert = stage.check_to(truth, key, {"family": "inet", "protocol": "icmp"})
    # The tracepoint sensor knows that it was sent, but not the destination.
    require(alert["destination"]["address"] in (HOST_V4, ""), f"destination: {alert['destination']}")
    require(not any("is this host" in reason["text"] for reason in alert["reasons"]), f"reasons: {alert['reasons']}")


def pulled(stage, variant):
    """The other side connects and fetches the secret: the alert names its address, and our port."""
    key, secret = stage.home.key()
    process = stage.net.popen([program("technique-out-existing"), variant, key, HOST_V4, str(PULL_PORT)],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    require_equal(process.stdout.readline(), "listening\n", "the thief")
    with stage.net.inside(stage.net.host):
        peer = socket.create_connection((THIEF_V4, PULL_PORT))
    got = b""
    with peer, contextlib.suppress(TimeoutError):
        peer.settimeout(stage.waits())
        while piece := peer.recv(65536):
            got += piece
    stage.require_got(got == secret, "what the other side got")
    out, err = process.communicate(timeout=30)
    stage.require_done(subprocess.CompletedProcess(process.args, process.returncode, out, err), "the thief")
    truth, = truths(out)
    alert = stage.check(truth, key, HOST_V4, PULL_PORT, "tcp")
    require_equal(alert["destination"]["act"], "accept", "destination.act")


def packet(stage, variant, family):
    """The sink receives an ordinary datagram."""
    key, secret = stage.home.key()
    truth, = truths(stage.play("out-packet", variant, key))
    stage.reached(secret)
    stage.check_to(truth, key, {"family": family} if family else {})


def option(stage, variant):
    """What the kernel adds to packets: no sink receives it as data."""
    key, _ = stage.home.key()
    truth, = truths(stage.play("out-option", variant, key, HOST_V6))
    stage.check_to(truth, key, {"family": "inet6", "protocol": "udp"})


def local(stage, variant, wanted, passes_on=True, port=443):
    key, secret = stage.home.key()
    output = stage.play("out-local", variant, key, port=port)
    truth, = truths(output)
    if passes_on:
        stage.reached(secret)
    else:
        stage.require_got(f"arrived={secret.hex()}" in output.splitlines(), "the service gets it")
    alert = stage.check_to(truth, key, wanted)
    if wanted["family"] == "unix":
        require((alert["destination"]["path"] or "").endswith("/docker.sock"), f"destination: {alert['destination']}")


def vsock(stage):
    # The module for vsock within one machine is not loaded on demand.
    subprocess.run(["modprobe", "-q", "vsock_loopback"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   check=False)
    local(stage, "vsock", {"family": "vsock"}, False)


def remote_file(stage, mount, variant, silenced=False):
    """The file is on another machine. Several files are one alert, which names the first."""
    scratch = "remote-silent" if silenced else "remote"
    served, here = (os.path.join(stage.scratch(scratch), name) for name in ("served", "here"))
    os.mkdir(served)
    os.mkdir(here)
    with mount(os.fsdecode(stage.home.root), served, here):
        key, _ = stage.home.key()
        truth, = truths(stage.play("out-file", variant, key, here))
        # By a program of its own, since a process that reads the copy is marked.
        same = remote.run("cmp", os.path.join(served, "copy"), key).returncode == 0
        (require if silenced else stage.require_got)(same, "the copy is the same")
        if silenced:
            stage.expect_silence(truth.sender, "[Carrier] Path= names the file")
            return
        alert = stage.check_to(truth, key, {"family": "file", "path": os.path.join(here, "copy"), "act": "send"})
        require(os.path.join(here, "copy") in alert["summary"], f"summary: {alert['summary']}")


def remote_home(stage, mount):
    """Data that was read from a network file system may be written back to it."""
    served, (key, _) = stage.scratch("remote"), stage.home.key()
    here = os.path.dirname(os.fsdecode(key))
    require(remote.run("cp", key, served).returncode == 0, "cp")
    with mount(os.fsdecode(stage.home.root), served, here):
        truth, = truths(stage.play("out-file", "write", key, here))
        stage.expect_silence(truth.sender, "from and to one file system")


def folder(stage):
    """A [Carrier] says that this folder is synchronised with a server."""
    where = stage.scratch("synced")
    key, _ = stage.home.key()
    truth, = truths(stage.play("out-file", "write", key, where))
    alert = stage.check_to(truth, key, {"family": "file", "path": os.path.join(where, "copy")})
    require(any("a folder that is synchronised" in reason["text"] for reason in alert["reasons"]), alert["reasons"])


def prepare(net, home, directory):
    """The service behind this socket reaches the network for every client."""
    write(os.path.join(directory, "93-out.conf"),
          f"[Carrier test-engine]\nPath={os.fsdecode(home.root)}/scratch/*/docker.sock\nEgress=yes\n"
          f"[Carrier test-synced]\nPath={os.fsdecode(home.root)}/synced/**\nEgress=yes\nScore=-5\n"
          "Description=a folder that is synchronised\n"
          f"[Carrier test-remote]\nPath={os.fsdecode(home.root)}/remote-silent/**\n"
          + harness.policy_allow("test-other", programs(home, other=program("technique-out-tcp"))["other"],
                                 [SSH], [HOST_V4 + ":443"]))


def part(t, stage, _):
    for variant in ("write", "send", "sendmsg", "shell", "udp"):
        t.case(f"E02 on a connection that existed before: {variant}", existing, stage, variant)
    for variant in ("sendfile", "splice"):
        t.case(f"E06 {variant} to a connection that existed before", existing, stage, variant)
    for variant in ("accept", "accepted"):
        t.case(f"E03 the other side connects, {variant}", pulled, stage, variant)
    t.case("E08 an echo request on a raw socket", raw, stage)
    for variant in ("blocking", "nonblocking"):
        for what, address in (("v4", HOST_V4), ("v6", HOST_V6), ("IPv4-mapped", "::ffff:" + HOST_V4)):
            t.case(f"E01 TCP {what} {variant}", stage.theft, "out-tcp", variant, address)
    for variant in ("connected", "sendto", "sendmsg", "sendmmsg"):
        for what, address in (("v4", HOST_V4), ("v6", HOST_V6), ("IPv4-mapped", "::ffff:" + HOST_V4)):
            t.case(f"E04 UDP {what} {variant}", stage.theft, "out-udp", variant, address, 443, "udp")
    t.case("repeats: one id, written again at exit", repeats, stage)
    t.case("E05 directly to port 53", stage.theft, "out-udp", "sendto", HOST_V4, 53, "udp")
    t.case("E05 through a resolver on loopback", local, stage, "resolver",
           {"family": "inet", "protocol": "udp", "address": "127.0.0.53", "port": 53}, port=53)
    for variant, what in (("sendto", "to an address"), ("bound", "bound to an interface, written"),
                          ("ring", "from a mapped ring")):
        t.case(f"E08 packet socket, {what}", packet, stage, variant, "packet")
    t.case("E08 a header that an option asks for, sent by another process", option, stage, "header")
    t.case("E08 the addresses of groups that it joins", option, stage, "groups")
    t.case("E08 an AF_XDP socket, sent by poll", packet, stage, "xdp", "family-44")
    t.case("E09 a TUN device", packet, stage, "tun", None)
    t.case("E09 SCTP", local, stage, "sctp",
           {"family": "inet", "protocol": "sctp", "address": "127.0.0.1", "port": LOCAL_PORT}, False)
    t.case("E09 vsock", vsock, stage)
    with remote.Nfs() as nfs:
        for mount, what in ((remote.sshfs, "sshfs"), (nfs, "NFS")):
            for variant in ("write", "sendfile", "mapped"):
                t.case(f"E09 a file on {what}, {variant}", remote_file, stage, mount, variant)
            t.case(f"E09 a file on {what}, with [Carrier] Path=", remote_file, stage, mount, "write", True)
            t.case(f"E09 a file on {what}, from and to it", remote_home, stage, mount)
    t.case("E10 a folder that a [Carrier] with Egress= names", folder, stage)
    t.case("E10 through a proxy on loopback", local, stage, "proxy",
           {"family": "inet", "protocol": "tcp", "address": "127.0.0.1", "port": LOCAL_PORT})
    for variant, what in (("stream", "connected to"), ("sendto", "by a datagram")):
        t.case(f"E10 a container engine's socket, {what}", local, stage, variant, {"family": "unix"}, False)
    # The policy allows this destination to another program.
    t.case("E11 the destination of an allowed program, by another", stage.theft, "out-tcp", "blocking")
