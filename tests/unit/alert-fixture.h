/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* A small policy and the event of one theft, for the tests of alerts. Contains no assertions. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "alert/json.h"
#include "alert/alert.h"
#include "basic/util.h"

/* Bits, neither in the order of the classes in the policy nor in that of their scores. */
enum { APP = 7, SSH = 9, AWS = 12, GONE = 20 };
#define BIT(n) (1ULL << (n))

static char *ssh_techniques[] = { (char *)"T1552.004", (char *)"T1552.001", NULL };
static char *aws_techniques[] = { (char *)"T1552.001", (char *)"T1041", NULL };

static PolicyClass fixture_classes[] = {
        { .name = (char *)"app-secrets", .score = 20, .severity = _SEVERITY_INVALID },
        { .name = (char *)"ssh-private-keys",
                        .description = (char *)"SSH private keys",
                        .techniques = ssh_techniques,
                        .n_techniques = 2,
                        .score = 80,
                        .severity = _SEVERITY_INVALID },
        { .name = (char *)"cloud-aws",
                        .techniques = aws_techniques,
                        .n_techniques = 2,
                        .score = 60,
                        .severity = _SEVERITY_INVALID },
};
static const Policy policy = {
        .classes = fixture_classes,
        .n_classes = ELEMENTSOF(fixture_classes),
        .scoring = { .alert = 20, .medium = 40, .high = 70 },
};
static const PolicyNames names = {
        .class_names = { [APP] = (char *)"app-secrets",
                        [SSH] = (char *)"ssh-private-keys",
                        [AWS] = (char *)"cloud-aws",
                        [GONE] = (char *)"given-up" },
};

#define NOW_MONO_NS (1000 * NSEC_PER_SEC)
/* The egress, 5000.000001 s after boot, is at 2026-11-22T10:05:01.023456Z. */
static const AlertEpoch epoch = {
        .monotonic_usec = NOW_MONO_NS / NSEC_PER_USEC,
        .realtime_minus_boottime_usec = 1795341901023456 - 5000000001,
        .boot_id = "0123456789abcdef0123456789abcdef",
};
#define EVENT_ID "0123456789abcdef0123456789abcdef-0000048c273957cf-a"

static inline Bytes view(const char *s) {
        return (Bytes){ .data = s, .size = strlen(s) };
}

/* ana's python3 opened her key 1.2 s ago and connects. */
static inline Event event_new(void) {
        Event e = {
                .kind = BW_KIND_CORRELATION, .boot_ns = 5000000001999, .mono_ns = NOW_MONO_NS, .cpu = 10
        };
        EventCorrelation *c = &e.correlation;

        c->classes = BIT(SSH);
        c->fresh = UINT64_MAX; /* whichever classes a test adds */
        c->process.start_boot_ns = 4999000001000;
        c->process.pid = 19535;
        c->process.tid = 19536;
        c->process.uid = 1000;
        c->process.loginuid = 1001;
        c->process.mount_namespace = 4026531841;
        c->process.comm = view("python3");
        c->process.exe = view("/usr/bin/python3");
        c->process.cmdline = (Bytes){ .data = "python3\0-c\0import os", .size = 20 };
        c->process.cgroup = view("/user.slice/user-1000.slice/session-3.scope");

        c->destination.address[0] = 192;
        c->destination.address[2] = 2;
        c->destination.address[3] = 7;
        c->destination.port = 443;
        c->destination.family = AF_INET;
        c->destination.protocol = 6;
        c->destination.act = BW_ACT_CONNECT;

        c->n_lineage = 2;
        c->lineage[0] = (EventAncestor){ .pid = 1230, .comm = view("bash"), .exe = view("/usr/bin/bash") };
        c->lineage[1] = (EventAncestor){ .pid = 700, .comm = view("sshd"), .exe = view("") };

        c->n_files = 1;
        c->files[0].mono_ns = NOW_MONO_NS - 1234 * NSEC_PER_MSEC;
        c->files[0].classes = BIT(SSH);
        c->files[0].pid = 19535;
        c->files[0].uid = 1002;
        c->files[0].via = BW_VIA_OPEN;
        c->files[0].path = view("/home/ana/.ssh/id_ed25519");
        c->files[0].exe = view("/usr/bin/python3");
        c->files[0].comm = view("python3");
        return e;
}

/* Most values are not known. IPv6, a datagram, no class. */
static inline Event event_sparse(void) {
        Event e = { .kind = BW_KIND_CORRELATION, .mono_ns = NOW_MONO_NS };
        EventCorrelation *c = &e.correlation;

        c->process.loginuid = UINT32_MAX;
        c->process.comm = c->process.exe = c->process.cmdline = c->process.cgroup = view("");
        c->destination.family = AF_INET6;
        c->destination.protocol = 250;
        c->destination.act = BW_ACT_SEND;
        c->n_files = 1;
        c->files[0].via = BW_VIA_OPEN;
        c->files[0].path = c->files[0].exe = c->files[0].comm = view("");
        return e;
}

/* The same file, opened by sh, whose child curl connects. */
static inline Event event_new_inherited(void) {
        Event e = event_new();

        e.correlation.process.pid = 12;
        e.correlation.process.comm = view("curl");
        e.correlation.process.exe = view("/usr/bin/curl");
        e.correlation.files[0].pid = 11;
        e.correlation.files[0].generation = 1;
        e.correlation.files[0].via = BW_VIA_FORK;
        e.correlation.files[0].comm = view("sh");
        e.correlation.files[0].exe = view("/usr/bin/sh");
        return e;
}

/* The same file, read by cat; gzip compressed it, and nc sends it. */
static inline Event event_new_piped(void) {
        Event e = event_new_inherited();
        EventFile *f = e.correlation.files;

        e.correlation.process.comm = view("nc");
        e.correlation.process.exe = view("/usr/bin/nc");
        f->pid = 10;
        f->uid = e.correlation.process.uid;
        f->comm = view("cat");
        f->exe = view("/usr/bin/cat");
        f->via = BW_VIA_PIPE;
        f->generation = f->n_route = 2;
        f->handed_over = true;
        f->route[0] = (EventHop){ .pid = 10, .via = BW_VIA_PIPE, .comm = view("cat") };
        f->route[1] = (EventHop){ .pid = 11, .via = BW_VIA_SOCKET, .comm = view("gzip") };
        return e;
}

/* Replaces the destination by a local service or another one without an internet address. first, second: the
 * numbers in struct bw_destination. */
static inline void event_to(Event *e, uint16_t family, uint32_t first, uint32_t second, const char *path) {
        const uint32_t numbers[] = { first, second };

        e->correlation.destination = (struct bw_destination){ .family = family, .act = BW_ACT_CONNECT };
        memcpy(e->correlation.destination.address, numbers, sizeof(numbers));
        e->correlation.destination_path = view(path);
}

/* Returns its JSON; NULL on failure. */
static inline char *alert_line(const Alert *a) {
        json_auto_t *object = NULL;
        char *line = NULL;

        return alert_to_json(a, &object, &line) < 0 ? NULL : line;
}
