/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* All hooks, and the sensors they make up: a table, and no logic. A hook is one place in the kernel; which program hangs
 * on it depends on the sensor (bpf/barbwire.bpf.c has them all, with what each misses). */

#include <stdbool.h>

#include <linux/bpf.h>

#include "../bpf/shared.h"

/* Best first. */
typedef enum SensorKind {
        SENSOR_LSM,
        SENSOR_FENTRY,
        SENSOR_TRACEPOINT,
        SENSOR_KINDS,
        SENSOR_AUTO = SENSOR_KINDS, /* the first that works */
} SensorKind;

const char *sensor_kind_to_string(SensorKind kind);
/* -EINVAL: there is none of that name. */
int sensor_kind_from_string(const char *name);

typedef struct HookInfo {
        const char *sections[SENSOR_KINDS]; /* of its program: "lsm/file_open"; NULL: not of that sensor */
        const char *formerly;               /* what older kernels call the place: "io_uring_submit_sqe" */
        enum bpf_attach_type cgroup;        /* of a program on the root cgroup; 0 (an attach type of no interest here): others */
        bool essential;                     /* without it the sensor is none */
        bool dispensable;                   /* a kernel that does not have it needs none */
        bool elsewhere;                     /* the tracepoint sensor sees it by another hook */
        const char *blinds;                 /* what is not seen without it: "files that …" */
        int (*act)(void);                   /* makes it run, see hook-proof.h; NULL: nothing that the daemon may do does */
} HookInfo;

/* By enum bw_hook; the last ones are empty. */
extern const HookInfo hook_infos[BW_HOOK_MAX];
