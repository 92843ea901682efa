/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Objects without a descriptor: System V message queues and semaphores, and the kernel's log. */

#include "abi/event.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"
#include "mark/mark.bpf.h"
#include "mark/object.bpf.h"
#include "process/shm.bpf.h"
#include "files/flow.bpf.h"

/* ---- System V message queues and semaphores; POSIX queues are files ---- */

/* The current, marked process is about to send to it. via: BW_VIA_QUEUE or BW_VIA_SEMAPHORES. */
static __always_inline void queue_gives(int id, __u32 via) {
        struct object o;

        object_of_ipc(&o, via, id);
        object_filled(o.holder, o.is, o.via | FLOW_FILES);
}

/* The current process has received from it. */
__noinline int queue_takes(int id, __u32 via) {
        struct object o;

        object_of_ipc(&o, via, id);
        object_reaches(&o, false);
        return 0;
}

static __always_inline void on_queue_received(int id) {
        if (anything_is_marked(BW_COUNT_OBJECTS_LIVE))
                queue_takes(id, BW_VIA_QUEUE);
}

/* include/uapi/linux/sem.h: all values of a set, up to 32,000 of two bytes each. A call for one of them
 * moves no more than a status does. */
#define GETALL 13
#define SETALL 17
#define IPC_64 0x100 /* some interfaces add it */

/* semctl(2) begins or has returned. It does not wait, so the values that it reads were there when it began,
 * unless both calls are made in the same moment. */
static __always_inline void semaphores_used(int id, __u32 command, bool begins) {
        command &= ~IPC_64;
        if (begins && command == SETALL && current_holds())
                queue_gives(id, BW_VIA_SEMAPHORES);
        if (command == GETALL && anything_is_marked(BW_COUNT_OBJECTS_LIVE))
                queue_takes(id, BW_VIA_SEMAPHORES);
}

/* ---- the kernel's log ---- */

/* The current process reads it by syslog(2), and has no descriptor of it. */
__noinline int log_taken(void) {
        struct object o = {};

        if (!anything_is_marked(BW_COUNT_OBJECTS_LIVE))
                return 0;
        object_of_log(&o);
        object_reaches(&o, false);
        return 0;
}
