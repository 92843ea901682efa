# SPDX-License-Identifier: GPL-2.0-or-later
"""As much of a PostgreSQL server as its client needs."""

import socketserver
import struct

PORT = 5432


class PostgreSQL(socketserver.BaseRequestHandler):
    """A server that asks for a password in the clear and answers every query with one row (PostgreSQL 15,
    chapter 55, "Message Formats")."""

    passwords = []

    def message(self, kind, body=b""):
        self.request.sendall(kind + struct.pack("!I", len(body) + 4) + body)

    def receive(self, n):
        data = b""
        while len(data) < n:
            piece = self.request.recv(n - len(data))
            if not piece:
                raise ConnectionError
            data += piece
        return data

    def handle(self):
        try:
            while True:
                length, code = struct.unpack("!II", self.receive(8))
                self.receive(length - 8)
                if code == 196608:  # version 3.0
                    break
                self.request.sendall(b"N")  # no TLS, no GSSAPI
            self.message(b"R", struct.pack("!I", 3))
            while True:
                kind, length = struct.unpack("!cI", self.receive(5))
                body = self.receive(length - 4)
                if kind == b"p":
                    self.passwords.append(body.rstrip(b"\0").decode())
                    self.message(b"R", struct.pack("!I", 0))
                    self.message(b"S", b"server_version\00015.0\0")
                elif kind == b"Q":
                    self.message(b"T", struct.pack("!H", 1) + b"answer\0" + struct.pack("!IHIHIH", 0, 0, 25, 65535,
                                                                                     0xffffffff, 0))
                    self.message(b"D", struct.pack("!HI", 1, 2) + b"42")
                    self.message(b"C", b"SELECT 1\0")
                else:
                    return
                self.message(b"Z", b"I")
        except ConnectionError:
            pass


def serving(net):
    """It serves in the network of the host."""
    return net.serving(PORT, PostgreSQL)
