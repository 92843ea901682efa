/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <string.h>

#include "abi/activity.h"
#include "activity.h"
#include "basic/json-util.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "status-json.h"

/* The accuracy of a sample's time: a twentieth of the shortest interval. */
#define SAMPLE_ACCURACY_USEC (USEC_PER_SEC / 200)

/* What a turn looks at, or empties: some ten microseconds, and half a millisecond and more for the largest
 * table, of 262,144 entries. What it writes: at two microseconds an entry a quarter of a millisecond. So it
 * is as short as query/server.c needs it. */
#define ENTRIES_PER_TURN 4096U
#define BYTES_PER_TURN (QUERY_BATCH_BYTES / 4)

/* bpf/lib/maps.bpf.h */
#define TICK_SHIFT 24

struct ActivityView {
        ActivityView *next;
        uint64_t interval_usec, due_usec;
        size_t position; /* in the table, while a sample is being written; 0: none is */
        uint32_t tick;   /* when that was begun: what is counted from then on is in the next one, too */
        uint32_t from;   /* the same of the sample before; 0: there is none */
        bool woken;      /* it is due, and its client takes the sample when it has read the one before */
};

struct Activity {
        Sensor *sensor;
        const PolicyNames *names;
        void (*on_due)(void *userdata);
        void *userdata;
        ActivityView *views;
        size_t n_cleared;       /* entries, for the first view: once all are, the programs count */
        sd_event_source *timer; /* for the view that is due first, of those that are not woken */
        ActivitySource source;
};

static uint32_t tick_now(void) {
        return (uint32_t)(time_now_usec(CLOCK_MONOTONIC) * NSEC_PER_USEC >> TICK_SHIFT) ?: 1;
}

/* A view that is past due but not woken counts: then the timer fires at once. */
static void activity_arm(Activity *a) {
        uint64_t first = UINT64_MAX;

        for (const ActivityView *v = a->views; v; v = v->next)
                if (!v->woken)
                        first = MIN(first, v->due_usec);
        if (first != UINT64_MAX)
                (void)sd_event_source_set_time(a->timer, first);
        (void)sd_event_source_set_enabled(a->timer, first != UINT64_MAX ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        uint64_t now = time_now_usec(CLOCK_MONOTONIC);
        Activity *a = userdata;

        (void)source;
        (void)usec;
        for (ActivityView *v = a->views; v; v = v->next)
                v->woken |= v->due_usec <= now;
        a->on_due(a->userdata);
        activity_arm(a);
        return 0;
}

static ActivityView *on_begin(uint64_t interval_usec, void *userdata) {
        ActivityView *v = calloc(1, sizeof(*v));
        Activity *a = userdata;

        if (!v)
                return NULL;
        if (!a->views)
                a->n_cleared = 0;
        *v = (ActivityView){
                .next = a->views,
                .interval_usec = interval_usec,
                .due_usec = time_now_usec(CLOCK_MONOTONIC),
                .woken = true,
        };
        a->views = v;
        return v;
}

static void on_end(ActivityView *v, void *userdata) {
        Activity *a = userdata;

        for (ActivityView **p = &a->views; *p; p = &(*p)->next)
                if (*p == v) {
                        *p = v->next;
                        break;
                }
        free(v);
        if (!a->views) {
                sensor_activity_want(a->sensor, false);
                log_debug("No client watches processes: the kernel does not count any more.");
        }
        activity_arm(a);
}

static bool on_is_due(const ActivityView *v, void *userdata) {
        (void)userdata;
        return v->position > 0 || time_now_usec(CLOCK_MONOTONIC) >= v->due_usec;
}

/* Null: the entry is of the process itself. */
static json_t *classes_to_json(uint64_t classes, const PolicyNames *names) {
        json_auto_t *array = json_array();

        if (classes == 0)
                return json_null();
        for (size_t i = 0; i < BW_CLASSES_MAX; i++)
                if (classes >> i & 1 &&
                                json_array_append_new(array, json_string(names->class_names[i] ?: "?")) < 0)
                        return NULL;
        return STEAL_PTR(array);
}

/* Writes an entry and returns its size, or -ENOMEM. */
static int entry_write(const Activity *a, const struct bw_activity *e, uint64_t boot_usec, FILE *f) {
        _cleanup_free_ char *line = NULL;
        json_auto_t *o = json_pack("{s:I, s:I, s:o, s:o, s:I, s:o, s:I, s:I, s:I, s:I}", "pid",
                        (json_int_t)e->pid, "start_ns", (json_int_t)e->start_boot_ns, "start_time",
                        json_from_time(boot_usec + e->start_boot_ns / NSEC_PER_USEC), "comm",
                        json_from_bytes(e->comm, strnlen(e->comm, sizeof(e->comm))), "uid",
                        (json_int_t)e->uid, "classes", classes_to_json(e->classes, a->names), "opens",
                        (json_int_t)e->opens, "given", (json_int_t)e->given, "taken", (json_int_t)e->taken,
                        "egress", (json_int_t)e->egress);

        if (!o || json_to_line(o, &line) < 0)
                return -ENOMEM;
        return fprintf(f, "%s", line);
}

static int table_write(const Activity *a, FILE *f) {
        _cleanup_free_ char *line = NULL;
        const SensorTable t = sensor_activity_table(a->sensor);
        json_auto_t *o = status_table_to_json(&t);

        if (!o || json_to_line(o, &line) < 0)
                return -ENOMEM;
        fprintf(f, "%s", line);
        return 0;
}

/* Ends a sample. If it took longer than the interval, one follows at once, and none is made up for. */
static void view_end_sample(Activity *a, ActivityView *v) {
        v->position = 0;
        v->woken = false;
        v->from = v->tick;
        v->due_usec = MAX(v->due_usec + v->interval_usec, time_now_usec(CLOCK_MONOTONIC));
        activity_arm(a);
}

/* Empties some more of the table. Returns whether all of it is empty or in use: then the programs count. */
static bool activity_begin(Activity *a) {
        size_t n = sensor_n_activity(a->sensor), step = MIN(n - a->n_cleared, ENTRIES_PER_TURN);

        if (step == 0)
                return true;
        sensor_activity_clear(a->sensor, a->n_cleared, step);
        a->n_cleared += step;
        if (a->n_cleared == n) {
                sensor_activity_want(a->sensor, true);
                log_debug("A client watches processes: the kernel counts what they do.");
        }
        return false;
}

static int on_write(ActivityView *v, FILE *f, void *userdata) {
        Activity *a = userdata;
        uint64_t boot_usec = time_now_usec(CLOCK_REALTIME) - time_now_usec(CLOCK_BOOTTIME);
        size_t n = sensor_n_activity(a->sensor), n_bytes = 0;
        size_t end = MIN(n, v->position + ENTRIES_PER_TURN);
        const char *separator = "";
        struct bw_activity e;
        int r = 0;

        fputs("{\"processes\":[", f);
        if (!activity_begin(a))
                end = 0;
        else if (v->position == 0)
                v->tick = tick_now();
        for (; v->position < end && n_bytes < BYTES_PER_TURN; v->position++) {
                if (!sensor_activity(a->sensor, v->position, &e) ||
                                (v->from != 0 && (int32_t)(e.tick - v->from) < 0))
                        continue;
                fputs(separator, f);
                separator = ",";
                r = entry_write(a, &e, boot_usec, f);
                if (r < 0)
                        return r;
                n_bytes += (size_t)r;
        }
        if (v->position < n) {
                fputs("],\"last\":false,\"table\":null}", f);
                return 0;
        }
        fputs("],\"last\":true,\"table\":", f);
        r = table_write(a, f);
        fputc('}', f);
        view_end_sample(a, v);
        return r;
}

int activity_new(sd_event *event, Sensor *sensor, const PolicyNames *names, void (*on_due)(void *userdata),
                void *userdata, Activity **ret) {
        _cleanup_(activity_freep) Activity *a = calloc(1, sizeof(*a));

        if (!a)
                return -ENOMEM;
        a->sensor = sensor;
        a->names = names;
        a->on_due = on_due;
        a->userdata = userdata;
        a->source = (ActivitySource){
                .begin = on_begin, .end = on_end, .is_due = on_is_due, .write = on_write, .userdata = a
        };
        int r = sd_event_add_time(event, &a->timer, CLOCK_MONOTONIC, 0, SAMPLE_ACCURACY_USEC, on_timer, a);
        if (r >= 0)
                r = sd_event_source_set_enabled(a->timer, SD_EVENT_OFF);
        if (r >= 0)
                *ret = STEAL_PTR(a);
        return r;
}

Activity *activity_free(Activity *a) {
        if (!a)
                return NULL;
        sd_event_source_disable_unref(a->timer);
        free(a);
        return NULL;
}

const ActivitySource *activity_source(const Activity *a) {
        return &a->source;
}
