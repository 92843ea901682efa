# SPDX-License-Identifier: GPL-2.0-or-later
"""What programs print, through FIFOs below /var/log: what is written there marks nobody who reads it, by the default
policy ([Carrier syslog]). A test that read from a pipe what a thief prints would be marked, and all that it starts."""

import os
import subprocess
import tempfile

LOGS = "/var/log"
# For a test with a policy of its own.
POLICY = f"[Carrier outlet]\nPath={LOGS}/**\n"


def fifo():
    """Both ends, the reader's first; it has no name any more."""
    with tempfile.TemporaryDirectory(prefix="barbwire-test.", dir=LOGS) as directory:
        path = os.path.join(directory, "output")
        os.mkfifo(path, 0o600)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        writer = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    os.set_blocking(reader, True)
    return reader, writer


def popen(command, **kwargs):
    """subprocess.Popen(); each PIPE for stdout and stderr is such a FIFO."""
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
