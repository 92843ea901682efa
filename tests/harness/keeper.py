# SPDX-License-Identifier: GPL-2.0-or-later
"""What stands for systemd where a test has no unit: it keeps the descriptors that barbwired asks it to keep."""

import os
import socket
import sys
import threading

# sd_listen_fds_with_names(3): from 3 on, for the process itself.
HANDED = """
import fcntl, os, sys
fds = [fcntl.fcntl(int(fd), fcntl.F_DUPFD_CLOEXEC, 512) for fd in sys.argv[1].split(",")]
for i, fd in enumerate(fds):
    os.dup2(fd, 3 + i)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES=sys.argv[2])
os.execv(sys.argv[3], sys.argv[3:])
"""


class Manager:
    """with Manager(directory) as manager: what barbwired asks systemd to keep is kept, until the end."""

    def __init__(self, directory):
        self.address, self.kept = f"{directory}/manager", []  # pairs: name, descriptor
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.reader = threading.Thread(target=self.read)

    def read(self):
        while True:
            message, descriptors, _, _ = socket.recv_fds(self.socket, 4096, 8)
            if not message:
                return
            fields = dict(line.split("=", 1) for line in message.decode().splitlines() if "=" in line)
            # A barrier waits until its descriptor is closed.
            if "FDSTORE" in fields:
                self.kept += [(fields["FDNAME"], descriptor) for descriptor in descriptors]
            else:
                for descriptor in descriptors:
                    os.close(descriptor)
            if "FDSTOREREMOVE" in fields:
                removed = [entry for entry in self.kept if entry[0] == fields["FDNAME"]]
                self.kept = [entry for entry in self.kept if entry not in removed]
                for _, descriptor in removed:
                    os.close(descriptor)

    def descriptors(self):
        return [descriptor for _, descriptor in self.kept]

    def command(self, command):
        """The command, as a child that has inherited descriptors() has to run it to find them."""
        return [sys.executable, "-ISc", HANDED, ",".join(map(str, self.descriptors())),
                ":".join(name for name, _ in self.kept), *command]

    def __enter__(self):
        self.socket.bind(self.address)
        self.reader.start()
        os.environ["NOTIFY_SOCKET"] = self.address
        return self

    def __exit__(self, *exception):
        del os.environ["NOTIFY_SOCKET"]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self.address)
        self.reader.join()
        for descriptor in self.descriptors():
            os.close(descriptor)
        self.socket.close()
