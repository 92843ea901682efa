# SPDX-License-Identifier: GPL-2.0-or-later
"""Directories on another machine, from the view of the kernel: mounted by sshfs from an SFTP server on a socket pair,
and by NFS from the kernel's own server on loopback."""

import contextlib
import os
import shutil
import socket
import subprocess
import time

from tap import SLOW, Failure, Skip

SFTP_SERVER = "/usr/lib/openssh/sftp-server"
NFSD = "/proc/fs/nfsd"
NFS_PORT = 2049
# include/uapi/linux/nfsd/export.h: insecure ports, asynchronous writes, no subtree check, with a file system id.
NFSEXP = 0x0002 | 0x0010 | 0x0400 | 0x2000


def run(*command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def is_mounted(directory):
    with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as mounts:
        return any(line.split()[1] == directory for line in mounts)


@contextlib.contextmanager
def sshfs(_, served, directory):
    """Mounts `served` at `directory`. The first argument is the directory above all that may be served."""
    program = shutil.which("sshfs")
    if not program or not os.path.exists(SFTP_SERVER) or not os.path.exists("/dev/fuse"):
        raise Skip("no sshfs, no SFTP server or no /dev/fuse here", environment=True)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        server = subprocess.Popen([SFTP_SERVER], stdin=theirs, stdout=theirs)
        client = subprocess.Popen([program, "-f", "-o", "passive", f"nobody:{served}", directory], stdin=ours,
                                  stdout=ours)
    try:
        deadline = time.monotonic() + 10 * SLOW
        while not is_mounted(directory):
            if client.poll() is not None or time.monotonic() > deadline:
                raise Failure(f"sshfs does not mount: {client.poll()}")
            time.sleep(0.02)
        yield
    finally:
        run("umount", directory)
        for process in (client, server):
            process.terminate()
            process.wait(timeout=30)


def put(path, text):
    """Mounts without retries: what the kernel rejects fails at once."""
    with open(path, "wb", buffering=0) as out:
        out.write(text.encode())


class Nfs:
    """with Nfs() as nfs: nfs(...) mounts like sshfs(). One server, started by the first mount, stopped at the end."""

    def __init__(self):
        self.root = None

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self.root:
            put(f"{NFSD}/threads", "0\n")

    def start(self, root):
        """The kernel would ask mountd(8) about permissions: they are written to it before it does."""
        for module in ("nfsd", "nfsv4"):
            if run("modprobe", "-q", module).returncode != 0:
                raise Skip(f"this kernel has no module {module}", environment=True)
        run("mount", "-t", "nfsd", "nfsd", NFSD)
        until = int(time.time()) + 3600
        put("/proc/net/rpc/auth.unix.ip/channel", f"nfsd 127.0.0.1 {until} loopback\n")
        put("/proc/net/rpc/nfsd.export/channel", f"loopback {root} {until} {NFSEXP} 0 0 0\n")
        put("/proc/net/rpc/nfsd.fh/channel", f"loopback 1 \\x00000000 {until} {root}\n")
        put(f"{NFSD}/versions", "-3 +4 +4.1 +4.2\n")
        put(f"{NFSD}/nfsv4gracetime", "10\n")
        with socket.create_server(("127.0.0.1", NFS_PORT)) as listening:
            try:
                put(f"{NFSD}/portlist", f"{listening.fileno()}\n")
            except ConnectionRefusedError:
                raise Skip("this kernel's NFS server wants rpcbind(8)", environment=True) from None
        put(f"{NFSD}/threads", "1\n")
        self.root = root
        # After a crash the server waits some seconds for earlier clients. Not every kernel allows to shorten that.
        with contextlib.suppress(OSError):
            put(f"{NFSD}/v4_end_grace", "Y\n")

    @contextlib.contextmanager
    def __call__(self, root, served, directory):
        if not self.root:
            self.start(root)
        source = f"127.0.0.1:/{os.path.relpath(served, root)}"
        result = run("mount", "-i", "-t", "nfs4", "-o",
                     "vers=4.2,proto=tcp,sec=sys,addr=127.0.0.1,clientaddr=127.0.0.1",
                     source, directory)
        if result.returncode != 0:
            raise Failure(f"NFS does not mount: {result.stderr}")
        try:
            yield
        finally:
            run("umount", directory)
