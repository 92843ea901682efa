/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Entries of tables that only the programs know: struct object_ref, the first members of struct mark, struct
 * charge_key and struct charge, of bpf/lib/maps.bpf.h; struct sensitive of bpf/files/sensitive.bpf.h. */

#include <stdint.h>

#include "abi/event.h"

typedef struct ObjectRef {
        uint64_t is, content, until_mono_ns, address, cgroup;
        uint32_t uid;
        uint8_t via, memory_only, zero[2];
} ObjectRef;

typedef struct Sensitive {
        uint64_t is, classes, address, cgroup;
        uint32_t generation, uid;
        uint8_t class, memory_only, named, nameless, zero[4];
} Sensitive;

typedef struct Mark {
        uint64_t start_boot_ns, until_mono_ns;
        uint32_t last[64], bound_last[64];
        uint64_t rules[4];
        uint32_t n_files, reported, changes, refs;
        uint8_t more[4096]; /* at least the rest */
} Mark;

typedef struct ChargeKey {
        uint64_t cgroup;
        uint32_t uid, table;
} ChargeKey;

typedef struct Charge {
        int64_t live;
        uint64_t refused, reported, reported_ns;
        uint32_t listed, zero;
        char name[BW_CGROUP_NAME_SIZE];
} Charge;
