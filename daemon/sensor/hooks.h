/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The hooks of each sensor. A hook is one place in the kernel; the sensor decides which program is attached
 * there (bpf/barbwire.bpf.c has all programs, and says what each misses). */

#include <stdbool.h>

#include <linux/bpf.h>

#include "abi/hooks.h"

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
        const char *not_monitored;          /* what a sensor without it leaves out: "files that …" */
        const char *sections[SENSOR_KINDS]; /* of its program: "lsm/file_open"; NULL: not of that sensor */
        const char *formerly;               /* what older kernels call the place: "io_uring_submit_sqe" */
        enum bpf_attach_type cgroup;        /* of a program on the root cgroup; 0 (BPF_CGROUP_INET_INGRESS,
                                               which is never used): others */
        bool essential;                     /* no sensor works without it */
        bool dispensable;                   /* a kernel that lacks it does not need it */
        bool elsewhere;                     /* the tracepoint sensor covers it by another hook */
        bool denies;      /* it only refuses egress: attached while a class has Action=deny;
                             `not_monitored` is what it refuses */
        bool locks;       /* it only refuses opens: the same for Access=allowed */
        int (*act)(void); /* makes it fire, see sensor/hook-proof.h; NULL: the daemon cannot make it fire
                           */
} HookInfo;

/* What a sensor without the hook does: "Not monitored", with `not_monitored`. */
static inline const char *hook_without(const HookInfo *info) {
        return info->denies ? "Not refused" : "Not monitored";
}

/* By enum bw_hook, from the table in bpf/abi/hooks.h. */
extern const HookInfo hook_infos[BW_HOOK_MAX];

/* A part of a program, see BW_TAILS there. */
typedef struct TailInfo {
        enum bw_hook hook;
        const char *program;
} TailInfo;

/* By enum bw_tail. */
extern const TailInfo tail_infos[BW_TAIL_MAX];

/* Whether the program of this name is one: it has the section of its hook, and is not attached. */
bool tail_is(const char *program);
