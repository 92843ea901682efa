# SPDX-License-Identifier: GPL-2.0-or-later
"""What programs print, through a terminal: who reads it there is not marked by what a marked program prints, as a
test would be that read from a pipe."""

import os
import pty
import subprocess
import threading
import tty


def relay(master, to):
    with os.fdopen(to, "wb", buffering=0) as out:
        while True:
            try:
                piece = os.read(master, 65536)
            except OSError:  # EIO: the other side is closed, and all of it was read
                break
            try:
                if not piece or not out.write(piece):
                    break
            except BrokenPipeError:
                break
    os.close(master)


def popen(command, **kwargs):
    """subprocess.Popen(); each PIPE for stdout and stderr is read by way of a terminal in raw mode."""
    masters, slaves = {}, []
    for name in ("stdout", "stderr"):
        if kwargs.get(name) == subprocess.PIPE:
            masters[name], slave = pty.openpty()
            tty.setraw(slave)
            os.set_blocking(masters[name], True)
            kwargs[name] = slave
            slaves.append(slave)
    text = kwargs.get("text")
    try:
        process = subprocess.Popen(command, **kwargs)
    except BaseException:
        for master in masters.values():
            os.close(master)
        raise
    finally:
        for slave in slaves:
            os.close(slave)
    for name, master in masters.items():
        read_end, write_end = os.pipe()
        threading.Thread(target=relay, args=(master, write_end), daemon=True).start()
        setattr(process, name, open(read_end, "r" if text else "rb", **(
            {"encoding": kwargs.get("encoding"), "errors": kwargs.get("errors")} if text else {})))
    return process
