/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* For policy/test-default.c: what ends tracking in the default policy, and what does not. */

#include <stdint.h>

#include "abi/policy.h"
#include "default-policy-files.h"

static const char *const no_marks[] = {
        "/usr/lib/systemd/systemd",
        "/usr/lib/systemd/systemd-journald",
        "/usr/lib/systemd/systemd-resolved",
        "/usr/bin/dbus-daemon",
        "/usr/bin/dbus-broker",
        "/usr/sbin/sshd",
        "/usr/lib/openssh/sshd-session",
        "/usr/sbin/rsyslogd",
        "/usr/sbin/nscd",
        "/usr/libexec/sssd/sssd_nss",
        "/usr/bin/gpg-agent",
        "/usr/bin/ssh-agent",
        "/usr/lib/xorg/Xorg",
        "/usr/bin/Xwayland",
        "/usr/bin/pipewire",
        "/usr/bin/containerd-shim-runc-v2",
        "/usr/bin/dockerd",
        "/usr/libexec/git-core/git-remote-http",
        "/usr/sbin/barbwired",
};

/* What they read from a terminal does not mark them. */
static const char *const drawers[] = {
        "/usr/libexec/gnome-terminal-server",
        "/usr/bin/xterm",
        "/usr/bin/konsole",
        "/usr/bin/kitty",
        "/usr/bin/tmux",
        "/usr/bin/screen",
        "/usr/bin/systemd-run",
        "/usr/bin/login",
        "/usr/sbin/agetty",
};

static const char *const marked[] = {
        "/usr/bin/bash",
        "/usr/bin/dash",
        "/usr/bin/python3.11",
        "/usr/bin/node",
        "/usr/bin/perl",
        "/usr/bin/cat",
        "/usr/bin/tee",
        "/usr/bin/cp",
        "/usr/bin/tar",
        "/usr/bin/gzip",
        "/usr/bin/base64",
        "/usr/bin/nc.openbsd",
        "/usr/bin/socat",
        "/usr/bin/curl",
        "/usr/bin/ssh",
        "/usr/bin/scp",
        "/usr/bin/git",
        "/usr/bin/docker",
        "/usr/bin/sudo",
        "/usr/bin/script",
        "/usr/bin/expect",
        "/usr/bin/su",
        "/usr/bin/systemd-cat",
        "/usr/bin/busctl",
        "/usr/bin/gpg",
        "/usr/bin/gh",
        "/usr/sbin/nginx",
        "/usr/sbin/cron",
        "/tmp/sshd",
};

static const struct {
        const char *path;
        uint64_t is;
} places[] = {
        { "/run/systemd/journal/stdout", BW_CARRIER_SILENT },
        { "/run/systemd/journal/dev-log", BW_CARRIER_SILENT },
        { "/var/log/nginx/access.log", BW_CARRIER_SILENT },
        { "/var/log/wtmp", BW_CARRIER_SILENT },
        { "/etc/ssh/ssh_known_hosts", BW_CARRIER_SILENT },
        { "/etc/passwd", BW_CARRIER_SILENT },
        { "/usr/bin/x", BW_CARRIER_SILENT },
        { "/run/docker.sock", BW_CARRIER_EGRESS },
        { "/run/user/1000/podman/podman.sock", BW_CARRIER_EGRESS },
        { "/run/containerd/containerd.sock", BW_CARRIER_EGRESS },
        { "/run/snapd.socket", BW_CARRIER_EGRESS },
        { "/run/dbus/system_bus_socket", BW_CARRIER_EGRESS },
        { "/run/crio/crio.sock", BW_CARRIER_EGRESS },
        { "/run/systemd/resolve/io.systemd.Resolve", BW_CARRIER_EGRESS },
        { "/run/libvirt/virtqemud-sock", BW_CARRIER_EGRESS },
        { "/run/nscd/socket", BW_CARRIER_EGRESS },
        /* Places that a thief can write to. */
        { "/tmp/x", 0 },
        { "/var/tmp/x", 0 },
        { "/dev/shm/x", 0 },
        { H "x", 0 },
        { "/run/user/1000/bus", 0 },
        { H ".ssh/known_hosts.x", 0 },
        { H ".ssh/id_rsa", 0 },
        { "/etc/shadow", 0 },
        { "/tmp/var/log/x", 0 },
        { H "run/docker.sock", 0 },
        { "/tmp/docker.sock", 0 },
};

/* Files in which only what their own program writes is not followed. */
static const struct {
        const char *path, *exe, *not_exe;
} own[] = {
        { H ".bash_history", "/usr/bin/bash", "/usr/bin/cp" },
        { H ".local/share/fish/fish_history", "/usr/bin/fish", "/usr/bin/less" },
        { H ".psql_history", "/usr/lib/postgresql/15/bin/psql", "/usr/bin/bash" },
        { H ".lesshst", "/usr/bin/less", "/usr/bin/bash" },
        { H ".lesshsQ", "/usr/bin/less", "/usr/bin/cp" },
        { H ".viminfo", "/usr/bin/vim.basic", "/usr/bin/cp" },
        { H ".viminfo.tmp", "/usr/bin/vim", "/usr/bin/python3.11" },
        { "/root/.viminfz.tmp", "/usr/bin/vi", "/usr/bin/bash" },
        { H ".local/state/nvim/shada/main.shada.tmp.a", "/usr/bin/nvim", "/usr/bin/cp" },
        { H ".local/share/recently-used.xbel", "/usr/bin/gedit", "/usr/bin/python3.11" },
        { "/root/.ssh/known_hosts", "/usr/bin/ssh", "/usr/bin/cp" },
        { H ".ssh/known_hosts2", "/usr/bin/ssh-keygen", "/usr/bin/bash" },
};
