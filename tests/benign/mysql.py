# SPDX-License-Identifier: GPL-2.0-or-later
"""As much of a MySQL server as its client needs to load a file into a table."""

import re
import socketserver
import struct

PORT = 3306
# Capabilities: long passwords, a database at connect, LOAD DATA LOCAL, protocol 4.1, transactions, the secure
# connection, plug-ins.
CAPABILITIES = 0x1 | 0x8 | 0x80 | 0x200 | 0x2000 | 0x8000 | 0x80000
OK = b"\0\0\0\2\0\0\0"


class MySQL(socketserver.BaseRequestHandler):
    """A server that accepts every password and asks for the file that a query names (MySQL Internals, "Protocol::
    HandshakeV10", "Protocol::LOCAL_INFILE_Request")."""

    loaded = []

    def message(self, number, body):
        self.request.sendall(struct.pack("<I", len(body))[:3] + bytes([number % 256]) + body)

    def receive(self, n):
        data = b""
        while len(data) < n:
            piece = self.request.recv(n - len(data))
            if not piece:
                raise ConnectionError
            data += piece
        return data

    def packet(self):
        head = self.receive(4)
        return head[3], self.receive(int.from_bytes(head[:3], "little"))

    def handle(self):
        try:
            self.message(0, b"\n5.7.0\0" + struct.pack("<I", 1) + b"8 bytes.\0" +
                         struct.pack("<HBHH", CAPABILITIES & 0xffff, 33, 2, CAPABILITIES >> 16) + b"\x15" + bytes(10) +
                         b"and 12 more.\0mysql_native_password\0")
            self.packet()
            self.message(2, OK)
            while True:
                _, query = self.packet()
                if query[:1] == b"\1":  # COM_QUIT
                    return
                wanted = re.search(rb"INFILE '(.*?)'", query)
                number = 0
                if wanted:
                    self.message(1, b"\xfb" + wanted[1])
                    number, piece = self.packet()
                    while piece:
                        self.loaded.append(piece)
                        number, piece = self.packet()
                self.message(number + 1, OK)
        except ConnectionError:
            pass


def serving(net):
    """It serves in the network of the host."""
    return net.serving(PORT, MySQL)
