/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What the kernel reports: records of the ring buffer → Event, the texts of its counters, cgroup paths.
 *
 * This folder may include basic/ and bpf/abi/. It must not know which policy led to a record or what is made
 * of it. Pure: no files, no kernel.
 *
 * Decoding is total: a record is checked (version, kind, size, every string's bounds and terminator, every
 * count) before anything in it is used. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/event.h"

/* A view into the record; valid as long as the record is. Any byte may occur but, outside cmdline, NUL. */
typedef struct Bytes {
        const char *data; /* never NULL; data[size] is NUL */
        size_t size;      /* 0: not known */
} Bytes;

typedef struct EventAncestor {
        uint64_t start_boot_ns;
        uint32_t pid;
        Bytes comm, exe;
} EventAncestor;

/* One hand-over: the giver, and by which means (BW_VIA_RECEIVED or later). */
typedef struct EventHop {
        uint32_t pid;
        uint8_t via;
        Bytes comm;
} EventHop;

/* Which file an executable or script was; inode 0: not known. */
typedef struct EventObject {
        uint64_t inode, ctime_ns;
        uint32_t device;
} EventObject;

typedef struct EventFile {
        uint64_t mono_ns, classes, inode;
        uint32_t device, pid, uid;
        uint8_t generation, via;
        bool path_truncated, handed_over, route_cut, named, execed, real_lost, owned;
        Bytes path, exe, comm;
        Bytes real_path; /* size 0: none, or `path` */
        EventObject exe_object, script_object;
        Bytes script;                /* that the opener ran; size 0: none, or not known */
        EventHop route[BW_HOPS_MAX]; /* the first giver first */
        size_t n_route;
} EventFile;

/* inode 0: the process runs no script, or it is not known which. */
typedef struct EventScript {
        uint64_t inode, ctime_ns, size;
        uint32_t device;
        uint32_t flags; /* BW_SCRIPT_* */
        Bytes path;
} EventScript;

typedef struct EventProcess {
        uint64_t start_boot_ns, cgroup_id, exe_inode;
        uint32_t exe_device, pid, tid, uid, loginuid, mount_namespace, group;
        uint32_t flags; /* BW_PROCESS_* */
        Bytes comm, exe, cmdline /* NUL-separated arguments, no final NUL counted */, cgroup;
        EventScript script;
} EventProcess;

typedef struct EventCorrelation {
        uint64_t classes, fresh, window_ns;
        uint64_t bound;  /* of `fresh`, of a mark of all: held under rules alone */
        uint64_t passed; /* only as rules of others pass it on: bound, or late */
        uint32_t slot, generation;
        uint8_t flags, action; /* enum bw_action */
        EventProcess process;
        struct bw_destination destination;
        Bytes destination_path; /* AF_UNIX */
        size_t n_lineage, n_files;
        EventAncestor lineage[BW_LINEAGE_MAX];
        EventFile files[BW_FILES_MAX]; /* newest first */
} EventCorrelation;

/* Whether the file's data came to the process by a socket that a process of another user than its own, the
 * opener's, wrote to: that user may have meant to make it look like a thief. */
bool event_file_framed(const EventFile *f, const EventProcess *p);

/* Whether the file's data went through an internet socket of this host. */
bool event_file_looped(const EventFile *f);

/* Whether data left by an internet socket to an address that the kernel's hook did not see: that of a single
 * packet on a raw socket (bpf/egress/egress.bpf.h on_sent()). The address is 0.0.0.0 or :: then, but nothing
 * is sent to port 0 of that. */
bool event_destination_unknown(const struct bw_destination *d);

/* A user, or one of their cgroups, has filled its share of a table. */
typedef struct EventShare {
        uint64_t cgroup_id; /* 0: all of the user's together */
        uint64_t live, refused;
        uint32_t table; /* enum bw_share_of */
        uint32_t uid, pid;
        char comm[BW_COMM_SIZE];
        char cgroup[BW_CGROUP_NAME_SIZE];
} EventShare;

/* What a process holds, or, with BW_CORRELATION_SUSPECT, a user and cgroup as a whole. */
typedef struct EventMark {
        EventCorrelation holder; /* without egress and ancestors; its cgroup is known by cgroup_id alone */
        uint64_t until_mono_ns;
        uint32_t payer;  /* uid that is charged */
        uint32_t number; /* of the listing */
} EventMark;

/* The entries of a user in one cgroup or in all of them. */
typedef struct EventAccount {
        uint64_t cgroup_id; /* 0: all */
        uint64_t live, refused, max;
        uint32_t table; /* enum bw_share_of */
        uint32_t uid, number;
        char cgroup[BW_CGROUP_NAME_SIZE];
} EventAccount;

typedef struct Event {
        enum bw_kind kind;
        uint64_t boot_ns, mono_ns;
        uint32_t cpu;
        union {
                EventCorrelation correlation;
                struct {
                        uint64_t start_boot_ns;
                        uint32_t pid;
                } exit;
                struct {
                        uint64_t value;
                        uint32_t number; /* BW_KIND_LOSS: enum bw_loss; BW_KIND_COUNT: enum bw_count */
                } state;
                EventShare share;
                EventMark mark;
                EventAccount account;
        };
} Event;

/* Decodes one record. 0; -EBADMSG: a check failed, and *ret_why is a constant that names it; -EPROTO: a
 * version or kind that this build does not know. ret is untouched on failure. */
int event_decode(const void *record, size_t size, Event *ret, const char **ret_why);
