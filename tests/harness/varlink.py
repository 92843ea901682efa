# SPDX-License-Identifier: GPL-2.0-or-later
"""A minimal Varlink client (varlink.org): JSON objects that end with a NUL byte, on a Unix socket."""

import json
import socket

SOCKET = "/run/barbwire/io.barbwire.Barbwire"
INTERFACE = "io.barbwire.Barbwire"
# More than a daemon needs to start and to answer on a busy machine.
TIMEOUT = 60


class VarlinkError(Exception):
    def __init__(self, name, parameters):
        super().__init__(f"{name} {parameters}")
        self.name, self.parameters = name, parameters


class Connection:
    """with Connection() as c: c.call("GetStatus")"""

    def __init__(self, path=SOCKET, timeout=TIMEOUT):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.received = b""
        try:
            self.socket.connect(path)
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.socket.close()

    def send(self, method, more=False, **parameters):
        request = {"method": method if "." in method else f"{INTERFACE}.{method}", "parameters": parameters}
        if more:
            request["more"] = True
        self.socket.sendall(json.dumps(request).encode() + b"\0")

    def receive(self):
        """Reads one reply: its parameters, and whether more follow."""
        while b"\0" not in self.received:
            piece = self.socket.recv(1 << 16)
            if not piece:
                raise EOFError("the other side has closed the connection")
            self.received += piece
        message, self.received = self.received.split(b"\0", 1)
        reply = json.loads(message)
        if "error" in reply:
            raise VarlinkError(reply["error"], reply.get("parameters"))
        return reply.get("parameters") or {}, reply.get("continues", False)

    def call(self, method, **parameters):
        self.send(method, **parameters)
        return self.receive()[0]

    def stream(self, method, **parameters):
        """Yields the parameters of every reply."""
        self.send(method, more=True, **parameters)
        continues = True
        while continues:
            reply, continues = self.receive()
            yield reply


def call(method, **parameters):
    with Connection() as connection:
        return connection.call(method, **parameters)


def list_alerts(**filters):
    """All alerts, the oldest first."""
    with Connection() as connection:
        return [alert for reply in connection.stream("ListAlerts", **filters) for alert in reply["alerts"]]
