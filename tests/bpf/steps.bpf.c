/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Single steps of the programs, which test-steps.c calls with a state of the tables that two processors
 * leave together, or a crowd of processes: they collide too rarely for a test to wait for it. */

#include "abi/counters.h"
#include "abi/event.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"
#include "mark/activity.bpf.h"
#include "mark/objects.bpf.h"

char LICENSE[] SEC("license") = "GPL";

SEC("raw_tp")
int step_object_put(struct bpf_raw_tracepoint_args *ctx) {
        return object_put(bpf_get_current_task(), ctx->args[0], ctx->args[1], ctx->args[2]);
}

SEC("raw_tp")
int step_activity_add(struct bpf_raw_tracepoint_args *ctx) {
        return activity_add(ctx->args[0], 1, 0, ACTIVITY_OPEN);
}
