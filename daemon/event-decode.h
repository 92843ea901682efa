/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Bytes from the ring buffer → Event. Pure and total: a record is checked (version, kind, size, every string's
 * bounds and terminator, every count) before anything in it is used. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../bpf/event.h"

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

/* One hand-over: by whom, and by which means (BW_VIA_RECEIVED and what follows it). */
typedef struct EventHop {
        uint32_t pid;
        uint8_t via;
        Bytes comm;
} EventHop;

typedef struct EventFile {
        uint64_t mono_ns, classes, inode;
        uint32_t device, pid, uid;
        uint8_t hops, via;
        bool path_truncated, handed_over, way_cut;
        Bytes path, exe, comm;
        EventHop way[BW_HOPS_MAX]; /* the first giver first */
        size_t n_way;
} EventFile;

typedef struct EventProcess {
        uint64_t start_boot_ns, cgroup_id, exe_inode;
        uint32_t exe_device, pid, tid, uid, loginuid, mount_namespace, pid_namespace;
        uint32_t flags; /* BW_PROCESS_* */
        Bytes comm, exe, cmdline /* NUL-separated arguments, no final NUL counted */, cgroup;
} EventProcess;

typedef struct EventCorrelation {
        uint64_t classes, fresh, window_ns;
        uint32_t slot, generation;
        uint8_t flags;
        EventProcess process;
        struct bw_destination destination;
        Bytes destination_path; /* AF_UNIX */
        size_t n_lineage, n_files;
        EventAncestor lineage[BW_LINEAGE_MAX];
        EventFile files[BW_FILES_MAX]; /* newest first */
} EventCorrelation;

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
                        uint64_t count;
                        uint32_t counter;
                } state;
        };
} Event;

/* Decodes one record. 0; -EBADMSG: not a record of ours, *ret_why a constant that says which check failed;
 * -EPROTO: a version or kind this build does not know. ret untouched on failure. */
int event_decode(const void *record, size_t size, Event *ret, const char **ret_why);
