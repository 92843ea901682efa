/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <string.h>

#include <jansson.h>

#include "alert/json.h"
#include "alert/mark.h"
#include "alert/state.h"
#include "basic/json-util.h"
#include "basic/strv.h"
#include "basic/time-util.h"

/* The latest files are known, so this is when the oldest of them was opened. */
static uint64_t since_usec(const Alert *a) {
        uint64_t age = 0;

        for (size_t i = 0; i < a->n_files; i++)
                age = MAX(age, a->files[i].age_usec);
        return a->realtime_usec > age ? a->realtime_usec - age : 0;
}

static uint64_t until_usec(const Event *e, const Alert *a) {
        uint64_t left = e->mark.until_mono_ns > e->mono_ns ? e->mark.until_mono_ns - e->mono_ns : 0;

        return a->realtime_usec + left / NSEC_PER_USEC;
}

/* NULL for a name that is not known. */
static json_t *name_or_null(const AlertBytes *name) {
        return name->size > 0 ? json_from_bytes(name->data, name->size) : json_null();
}

int mark_to_json(const Event *e, const Policy *p, const PolicyNames *names, const AlertEpoch *epoch,
                char **ret) {
        const EventCorrelation *c = &e->mark.holder;
        _cleanup_(alert_freep) Alert *a = NULL;
        _cleanup_(strv_freep) char **bound = NULL;

        int r = alert_of_mark(e, p, names, epoch, &a);
        if (r >= 0)
                r = alert_class_names(c, c->bound, p, names, &bound);
        if (r < 0)
                return r;

        json_auto_t *o = json_pack("{s:b, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:b, s:I, s:I}",
                        "suspect", a->suspect, "pid",
                        a->suspect ? json_null() : json_integer(a->process.pid), "start_time",
                        a->suspect ? json_null() : json_from_time(a->process.start_realtime_usec), "comm",
                        name_or_null(&a->process.comm), "exe", name_or_null(&a->process.exe), "uid",
                        (json_int_t)a->process.uid, "classes", json_from_strings(a->classes), "bound",
                        json_from_strings(bound), "since", json_from_time(since_usec(a)), "until",
                        json_from_time(until_usec(e, a)), "files", alert_files_to_json(a), "files_more",
                        a->files_more, "user", (json_int_t)e->mark.payer, "cgroup_id",
                        (json_int_t)c->process.cgroup_id);
        return o ? json_to_line(o, ret) : -ENOMEM;
}

int account_to_json(const EventAccount *a, char **ret) {
        json_auto_t *o = json_pack("{s:s, s:I, s:I, s:o, s:I, s:I, s:I}", "table",
                        share_table_name(a->table), "user", (json_int_t)a->uid, "cgroup_id",
                        (json_int_t)a->cgroup_id, "cgroup",
                        a->cgroup_id ? json_from_bytes(a->cgroup, strlen(a->cgroup)) : json_null(), "live",
                        (json_int_t)a->live, "refused", (json_int_t)a->refused, "max", (json_int_t)a->max);

        return o ? json_to_line(o, ret) : -ENOMEM;
}
