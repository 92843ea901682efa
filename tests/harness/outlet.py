# SPDX-License-Identifier: GPL-2.0-or-later
"""The output of programs through FIFOs below /var/log, whose readers the default policy does not mark ([Carrier
syslog]). A test that reads the output of a thief from a pipe would be marked, with everything that it starts."""

import os
import subprocess
import tempfile

LOGS = "/var/log"
# For tests with a policy of their own.
POLICY = f"[Carrier outlet]\nPath={LOGS}/**\n"


def fifo():
    """Both ends of a FIFO, the reader's first; its name is removed."""
    with tempfile.TemporaryDirectory(prefix="barbwire-test.", dir=LOGS) as directory:
        path = os.path.join(directory, "output")
        os.mkfifo(path, 0o600)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        writer = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    os.set_blocking(reader, True)
    return reader, writer


def popen(command, **kwargs):
    """subprocess.Popen(), with such a FIFO for each PIPE of stdout and stderr."""
    readers, writers = {}, []
    for name in ("stdout", "stderr"):
        if kwargs.get(name) == subprocess.PIPE:
            readers[name], kwargs[name] = fifo()
            writers.append(kwargs[name])
    text = kwargs.get("text")
    try:
        process = subprocess.Popen(command, **kwargs)
    except BaseException:
        for reader in readers.values():
            os.close(reader)
        raise
    finally:
        for writer in writers:
            os.close(writer)
    for name, reader in readers.items():
        setattr(process, name, open(reader, "r" if text else "rb", **(
            {"encoding": kwargs.get("encoding"), "errors": kwargs.get("errors")} if text else {})))
    return process
