/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Has the programs sweep and list their tables, by system calls of this process that they take as a request.
 * Needs no privilege. */

#include <sys/syscall.h>
#include <unistd.h>

#include "basic/time-util.h"
#include "basic/util.h"
#include "sensor/private.h"

/* With fewer marked objects no sweep is needed: they leave when their windows pass, or others are marked.
 * Nor does anything but OBJECTS_REPORTED of bpf/mark/objects.bpf.h, 1,024 entries, begin one, so that
 * entries of an idle machine, as those of a file system that was unmounted, wait for sensor_tend(), which
 * looks at this many each minute. That does no harm: they refuse nobody an entry, and what lies at their
 * addresses now is only compared. */
#define SWEEP_ABOVE 64
/* Remembered files live long: a part of them is examined each time. */
#define SWEEP_FILES_MAX 8192
/* Entries that one system call of the daemon examines: bpf/mark/mark.bpf.h, SWEEP_FULL. */
#define SWEEP_ENTRIES 64
/* Calls at a time: 4,096 entries, which take up to 8 ms (sensor/sweep-pace.h). Records and queries do not
 * wait for more. */
#define SWEEP_CALLS 64
/* Of bpf/process/lifecycle.bpf.h, SWEEP_PIDS for each: 4 million PIDs, the highest that there can be, within
 * a day. They take half a millisecond. */
#define TEND_CALLS 64
/* bpf/lib/maps.bpf.h */
#define TICK_SHIFT 24

/* A listing goes on while less than this part of the ring waits to be read: the programs write none of its
 * records above a quarter (bpf/egress/list.bpf.h), and one call writes some dozens. */
#define LIST_RING_PART 8

/* bpf/mark/name.bpf.h, NAMES_REPORTED and SWEEP_NAMES */
#define NAMES_ABOVE 1024
#define NAMES_ENTRIES 64

/* A round looks at every PID: 5 us for 64 of them, 0.3 s if there are four million. The next one begins no
 * earlier than this many times its duration later, so that they take at most 2 % of one CPU. */
#define NAMES_PAUSE 50

/* Calls of a round that ends whatever it has seen: all PIDs that there can be, twice. What keeps a queue
 * from being emptied is another's bug. */
#define NAMES_CALLS_MAX (2 * (1U << 22) / NAMES_ENTRIES)

static uint64_t live(const Sensor *s, enum bw_count count) {
        return __atomic_load_n(&s->shared->counts[count], __ATOMIC_RELAXED);
}

void sensor_call(Sensor *s, uint64_t n) {
        __atomic_store_n(&s->shared->sweep_pid, (uint32_t)getpid(), __ATOMIC_RELAXED);
        for (uint64_t i = 0; i < n; i++)
                (void)syscall(SYS_getppid); /* not the C library's cached value */
        __atomic_store_n(&s->shared->sweep_pid, 0, __ATOMIC_RELAXED);
}

/* Begins a listing. Returns its number. */
static uint32_t list_next(Sensor *s) {
        uint32_t number = s->shared->list_begun + 1 ?: 1;

        __atomic_store_n(&s->shared->list_number, number, __ATOMIC_RELAXED);
        return number;
}

/* Whether the programs have looked at all marks, objects, files and processes since it began. */
static bool list_done(const Sensor *s) {
        const struct bw_shared *shared = s->shared;
        const uint32_t *const listed[] = { &shared->marks_listed, &shared->objects_listed,
                &shared->files_listed, &shared->lineages_listed };

        for (size_t i = 0; i < ELEMENTSOF(listed); i++)
                if (__atomic_load_n(listed[i], __ATOMIC_RELAXED) != shared->list_number)
                        return false;
        return true;
}

/* ---- names that are in use: bpf/mark/name.bpf.h ---- */

static bool names_wanted(const Sensor *s) {
        return live(s, BW_COUNT_NAMES_LIVE) > NAMES_ABOVE;
}

static void names_end(Sensor *s) {
        Names *n = &s->names;

        if (n->step == NAMES_LOOK) {
                __atomic_store_n(&s->shared->list_number, 0, __ATOMIC_RELAXED);
                __atomic_store_n(&s->shared->list_quiet, 0, __ATOMIC_RELAXED);
        }
        __atomic_store_n(&s->shared->names_swept, 0, __ATOMIC_RELAXED);
        n->step = NAMES_REST;
        n->next_usec = time_now_usec(CLOCK_MONOTONIC) + NAMES_PAUSE * n->spent_usec;
}

/* Gives a search up, for a listing that somebody waits for. */
static void names_give_way(Sensor *s) {
        if (s->names.step == NAMES_LOOK)
                names_end(s);
}

static void names_begin(Sensor *s) {
        uint32_t round = s->shared->names_round + 1 ?: 1;

        s->names.step = NAMES_LOOK;
        s->names.calls = s->names.spent_usec = 0;
        __atomic_store_n(&s->shared->list_quiet, 1, __ATOMIC_RELAXED);
        /* Before the round: what is stored or copied from now on has its number. */
        __atomic_store_n(&s->shared->names_round, round, __ATOMIC_SEQ_CST);
        (void)list_next(s);
}

/* Does `calls` system calls' worth of the search for names that are in use, and of the removal of others;
 * begins one if it is wanted and not too soon. Returns whether a part is left. */
static bool names_sweep(Sensor *s, unsigned calls) {
        Names *n = &s->names;
        uint64_t now_usec = time_now_usec(CLOCK_MONOTONIC);

        if (n->step == NAMES_REST) {
                if (!names_wanted(s) || s->listing || now_usec < n->next_usec)
                        return false;
                names_begin(s);
        }
        uint64_t some = n->step == NAMES_SWEEP ? MIN(n->calls, (uint64_t)calls) : calls;
        sensor_call(s, some);
        n->spent_usec += time_now_usec(CLOCK_MONOTONIC) - now_usec;
        if (n->step == NAMES_SWEEP) {
                n->calls -= some;
                if (n->calls == 0)
                        names_end(s);
        } else if (list_done(s)) {
                uint32_t round = s->shared->names_round;

                names_end(s);
                __atomic_store_n(&s->shared->names_swept, round, __ATOMIC_RELAXED);
                n->step = NAMES_SWEEP;
                n->calls = live(s, BW_COUNT_NAMES_LIVE) / NAMES_ENTRIES + 1;
        } else {
                n->calls += some;
                if (n->calls > NAMES_CALLS_MAX)
                        names_end(s);
        }
        return n->step != NAMES_REST;
}

/* ---- sweeps ---- */

uint64_t sensor_n_swept(const Sensor *s) {
        return live(s, BW_COUNT_OBJECTS_LIVE) + live(s, BW_COUNT_FILES_LIVE);
}

bool sensor_wants_sweep(const Sensor *s) {
        return live(s, BW_COUNT_OBJECTS_LIVE) > SWEEP_ABOVE || live(s, BW_COUNT_FILES_LIVE) > SWEEP_ABOVE ||
               names_wanted(s);
}

bool sensor_sweep(Sensor *s) {
        uint64_t objects = live(s, BW_COUNT_OBJECTS_LIVE), files = live(s, BW_COUNT_FILES_LIVE);
        uint64_t some = MIN(files, (uint64_t)SWEEP_FILES_MAX), n = MAX(objects, some);

        if (s->names.step != NAMES_REST)
                return names_sweep(s, SWEEP_CALLS);
        if (!s->sweep_calls && sensor_wants_sweep(s))
                s->sweep_calls = n / SWEEP_ENTRIES + 1;
        uint64_t calls = MIN(s->sweep_calls, (uint64_t)SWEEP_CALLS);
        sensor_call(s, calls);
        s->sweep_calls -= calls;
        return s->sweep_calls > 0 || names_sweep(s, SWEEP_CALLS);
}

/* Resets a tick until when the programs have more to do, once it has passed. */
static void tick_end(uint32_t *tick) {
        uint32_t until = __atomic_load_n(tick, __ATOMIC_RELAXED);
        uint32_t now = (uint32_t)(time_now_usec(CLOCK_MONOTONIC) * NSEC_PER_USEC >> TICK_SHIFT);

        if (until && (int32_t)(now - until) > 0)
                /* Not if a program has prolonged it meanwhile. */
                (void)__atomic_compare_exchange_n(
                                tick, &until, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

void sensor_tend(Sensor *s) {
        tick_end(&s->shared->memory_until);
        tick_end(&s->shared->suspects);
        sensor_call(s, TEND_CALLS);
}

void sensor_policy_apply(Sensor *s) {
        sensor_call(s, live(s, BW_COUNT_FILES_LIVE) / SWEEP_ENTRIES + 1);
}

/* ---- listings ---- */

uint32_t sensor_list_begin(Sensor *s) {
        names_give_way(s);
        s->listing = true;
        s->list_written = false;
        __atomic_store_n(&s->shared->list_missed, 0, __ATOMIC_RELAXED);
        return list_next(s);
}

bool sensor_list_step(Sensor *s) {
        unsigned long written = record_ring_written(s->ring), waiting = written - record_ring_read(s->ring);

        if (s->list_written)
                return record_ring_read(s->ring) >= s->list_end;
        if (waiting > s->parts.shapes[SENSOR_MAP_RING].entries / LIST_RING_PART)
                return false;
        sensor_call(s, 1);
        if (list_done(s)) {
                s->list_written = true;
                s->list_end = record_ring_written(s->ring);
        }
        return false;
}

uint64_t sensor_list_end(Sensor *s) {
        s->listing = false;
        __atomic_store_n(&s->shared->list_number, 0, __ATOMIC_RELAXED);
        return __atomic_load_n(&s->shared->list_missed, __ATOMIC_RELAXED);
}
