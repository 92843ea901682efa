# SPDX-License-Identifier: GPL-2.0-or-later
"""Two network namespaces joined by a veth pair: that of the thief, and that of a host that accepts all data.

No packet leaves the machine. Programs inherit the namespace of the thread that starts them, so that their lineage has
no `ip netns exec`."""

import contextlib
import ctypes
import http.server
import os
import selectors
import socket
import socketserver
import subprocess
import threading
import time

import outlet
from tap import SLOW, Failure

THIEF_V4, HOST_V4 = "192.0.2.1", "192.0.2.7"  # TEST-NET-1, RFC 5737
THIEF_V6, HOST_V6 = "2001:db8::1", "2001:db8::7"  # RFC 3849
# The benchmarking network, RFC 2544: every address in it is the host, for tests that need many destinations.
MANY_V4 = "198.18.0.0/15"
TCP_PORTS = (443, 444, 445, 8443)
UDP_PORTS = (53, 443)
HTTP_PORT = 80

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def ip(*args):
    result = subprocess.run(("ip",) + args, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if result.returncode != 0:
        raise RuntimeError(f"ip {' '.join(args)}: {result.stderr.strip()}")


class Sink(threading.Thread):
    """Accepts everything on its sockets, and stores it: (protocol, address, port, bytes)."""

    def __init__(self):
        super().__init__(daemon=True)
        self.selector = selectors.DefaultSelector()
        self.arrived = []
        self.open = []  # what has arrived on connections that go on
        self.changed = threading.Condition()
        self.wake_read, self.wake_write = os.pipe()
        self.selector.register(self.wake_read, selectors.EVENT_READ, None)

    def listen(self, family, kind, port):
        sock = socket.socket(family, kind)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", port))
        if kind == socket.SOCK_STREAM:
            sock.listen(1024)
        sock.setblocking(False)
        on_ready = self.on_connection if kind == socket.SOCK_STREAM else self.on_datagram
        self.selector.register(sock, selectors.EVENT_READ, (on_ready, None))

    def on_connection(self, sock, _):
        peer, _ = sock.accept()
        peer.setblocking(False)
        self.open.append(bytearray())
        self.selector.register(peer, selectors.EVENT_READ, (self.on_bytes, self.open[-1]))

    def on_bytes(self, sock, received):
        try:
            piece = sock.recv(65536)
        except ConnectionResetError:
            piece = b""
        if piece:
            received += piece
            return
        local = sock.getsockname()
        self.selector.unregister(sock)
        sock.close()
        self.remember("tcp", local, bytes(received))
        self.open = [entry for entry in self.open if entry is not received]

    def on_datagram(self, sock, _):
        self.remember("udp", sock.getsockname(), sock.recv(65536))

    def remember(self, protocol, local, received):
        with self.changed:
            self.arrived.append((protocol, local[0], local[1], received))
            self.changed.notify_all()

    def run(self):
        while True:
            for key, _ in self.selector.select():
                if key.data is None:
                    return
                key.data[0](key.fileobj, key.data[1])

    def has(self, piece):
        """Whether these bytes have arrived, also on a connection that goes on."""
        return any(piece in received for received in [*self.open, *(entry[3] for entry in self.arrived)])

    def wait_arrived(self, piece, timeout=10 * SLOW):
        """Waits until data arrives that contains these bytes, and returns it."""
        deadline = time.monotonic() + timeout
        with self.changed:
            while True:
                for entry in self.arrived:
                    if piece in entry[3]:
                        return entry
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Failure(f"nothing with {piece[:60]!r} arrived at the sink in {timeout} s")
                self.changed.wait(left)

    def close(self):
        os.write(self.wake_write, b"x")
        self.join()
        for key in list(self.selector.get_map().values()):
            if key.data is not None:
                key.fileobj.close()
        self.selector.close()
        os.close(self.wake_read)
        os.close(self.wake_write)


class QuietHandler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"hello\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Net:
    """with Net() as net: net.popen() runs programs in the namespace of the thief."""

    def __init__(self):
        self.thief = f"barbwire-{os.getpid()}-thief"
        self.host = f"barbwire-{os.getpid()}-host"
        self.sink = None
        self.http = None

    def __enter__(self):
        try:
            self.build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def build(self):
        near, far = f"bwt{os.getpid()}", f"bwh{os.getpid()}"
        for name in (self.thief, self.host):
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("-n", self.thief, "link", "add", near, "type", "veth", "peer", "name", far, "netns", self.host)
        for name, link, v4, v6 in ((self.thief, near, THIEF_V4, THIEF_V6),
                                   (self.host, far, HOST_V4, HOST_V6)):
            ip("-n", name, "address", "add", v4 + "/24", "dev", link)
            ip("-n", name, "address", "add", v6 + "/64", "dev", link, "nodad")
            ip("-n", name, "link", "set", link, "up")
        ip("-n", self.host, "route", "add", "local", MANY_V4, "dev", "lo")
        ip("-n", self.thief, "route", "add", MANY_V4, "via", HOST_V4)
        self.sink = Sink()
        with self.inside(self.host):
            for family in (socket.AF_INET, socket.AF_INET6):
                for port in TCP_PORTS:
                    self.sink.listen(family, socket.SOCK_STREAM, port)
                for port in UDP_PORTS:
                    self.sink.listen(family, socket.SOCK_DGRAM, port)
            self.http = http.server.ThreadingHTTPServer(("0.0.0.0", HTTP_PORT), QuietHandler)
        self.sink.start()
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def __exit__(self, *exception):
        if self.http:
            self.http.shutdown()
            self.http.server_close()
        if self.sink and self.sink.is_alive():
            self.sink.close()
        # Deleting a namespace deletes its end of the veth pair, and that deletes the other end.
        for name in (self.thief, self.host):
            subprocess.run(("ip", "netns", "delete", name), stdin=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)

    @contextlib.contextmanager
    def inside(self, name):
        """Within it, the calling thread is in that namespace, with the sockets and children that it creates."""
        with open("/proc/thread-self/ns/net", "rb") as before, open("/run/netns/" + name, "rb") as after:
            if libc.setns(after.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            try:
                yield
            finally:
                if libc.setns(before.fileno(), CLONE_NEWNET) != 0:
                    os._exit(1)

    @contextlib.contextmanager
    def serving(self, port, handler):
        """Within it, a socketserver handler gets each connection to that port in the network of the host."""
        with self.inside(self.host):
            server = socketserver.ThreadingTCPServer(("0.0.0.0", port), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()

    def popen(self, command, namespace=None, **kwargs):
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        with self.inside(namespace or self.thief):
            return outlet.popen(command, **kwargs)

    def run(self, command, timeout=60 * SLOW, **kwargs):
        """Runs a program in the namespace of the thief; returns CompletedProcess with stdout and stderr as text."""
        process = self.popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             errors="surrogateescape", **kwargs)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise Failure(f"{command} did not end in {timeout} s\n{out}\n{err}") from None
        return subprocess.CompletedProcess(command, process.returncode, out, err)
