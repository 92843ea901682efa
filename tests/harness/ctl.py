# SPDX-License-Identifier: GPL-2.0-or-later
"""barbwirectl under test, with pipes or on a terminal; and a false daemon that sends what a real one never does."""

import contextlib
import fcntl
import json
import os
import pty
import re
import socket
import struct
import subprocess
import termios
import threading

import harness
from tap import require, require_equal

CTL = os.environ.get("BARBWIRECTL") or os.path.join(os.path.dirname(harness.BARBWIRED), "barbwirectl")
TIMEOUT = 60


def environment(**changes):
    """The environment without variables that change the output, except for the given ones."""
    kept = {name: value for name, value in os.environ.items()
            if not re.match(r"SYSTEMD_|NO_COLOR|PAGER|LESS|COLUMNS|TERM|TZ|LC_|LANG", name)}
    return {**kept, "TERM": "xterm", "TZ": "UTC", **changes}


class Ctl:
    def __init__(self, path):
        self.path = path

    def command(self, *args):
        return [CTL, f"--socket={self.path}", *args]

    def run(self, *args, prefix=(), **changes):
        return subprocess.run([*prefix, *self.command(*args)], stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=TIMEOUT, env=environment(**changes))

    def expect(self, status, *args, **kwargs):
        """Runs it, and returns standard output and standard error as text."""
        result = self.run(*args, **kwargs)
        out, err = result.stdout.decode(), result.stderr.decode()
        require_equal(result.returncode, status, f"exit status of {args}\n{out}{err}")
        require(status == 0 or err or out, f"{args}: failed without a word")
        return out, err

    def objects(self, *args):
        return [json.loads(line) for line in self.expect(0, "--json=short", *args)[0].splitlines()]

    def terminal(self, *args, columns=80, **changes):
        """Runs it on a terminal of its own, and returns the bytes of its standard output."""
        near, far = pty.openpty()
        fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        process = subprocess.Popen(self.command(*args), stdin=far, stdout=far, stderr=far, start_new_session=True,
                                   env=environment(**changes))
        os.close(far)
        patience = threading.Timer(TIMEOUT, process.kill)
        patience.start()
        said = read_all(near)
        patience.cancel()
        require_equal(process.wait(TIMEOUT), 0, f"exit status of {args} on a terminal\n{said}")
        return said.replace(b"\r\n", b"\n").decode()


def read_all(fd):
    """Reads until the other side of the terminal is closed, which Linux reports as EIO."""
    said = b""
    while True:
        try:
            piece = os.read(fd, 65536)
        except OSError:
            piece = b""
        if not piece:
            os.close(fd)
            return said
        said += piece


class FalseDaemon:
    """Answers each method with the given bytes, and stores the calls."""

    def __init__(self, path, **answers):
        self.path, self.answers, self.calls = path, answers, []
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        self.listener.bind(path)
        self.listener.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self.listener.accept()
                with peer, contextlib.suppress(OSError):
                    self.answer(peer)

    def answer(self, peer):
        received = b""
        while piece := peer.recv(65536):
            received += piece
            while b"\0" in received:
                message, received = received.split(b"\0", 1)
                call = json.loads(message)
                self.calls.append(call)
                answer = self.answers.get(call["method"].rsplit(".", 1)[1], b"")
                if answer is None:
                    return
                peer.sendall(answer)

    def __enter__(self):
        return Ctl(self.path), self

    def __exit__(self, *exception):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def reply(parameters=None, **rest):
    return json.dumps({"parameters": parameters or {}, **rest}).encode() + b"\0"


def error(name, **parameters):
    return reply(parameters, error=name)
