/* SPDX-License-Identifier: GPL-2.0-or-later */

/* An alert for programs. Must not escape for people: a name that is valid UTF-8 arrives as it is, newlines
 * and direction marks included; the line itself is ASCII (\uNNNN), so printing it does no harm.
 *
 * Names are bytes, JSON strings are not. So, inside every string that stems from a name, a backslash is
 * written \\ and a byte that is not UTF-8 (or is NUL) \xNN, both before JSON's own escaping: undone in that
 * order, the bytes are exact. summary is alert_sentence()'s, already readable, and not escaped twice. */

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <time.h>

#include "alert-json.h"
#include "json-line.h"
#include "util.h"

/* All of these return NULL when memory is short, and setting NULL into an object or array fails in turn: one
 * check at the end of each object is enough. */

static json_t *json_from_name(const AlertBytes *b) {
        return json_from_bytes(b->data, b->size);
}

static json_t *json_from_name_or_null(const AlertBytes *b) {
        return b->size > 0 ? json_from_name(b) : json_null();
}

static json_t *json_from_u64(uint64_t n) {
        return json_integer((json_int_t)MIN(n, (uint64_t)INT64_MAX));
}

static json_t *json_from_summary(const Alert *a) {
        _cleanup_free_ char *sentence = alert_sentence(a);

        return sentence ? json_string(sentence) : NULL;
}

static json_t *json_from_reasons(const Score *s) {
        json_auto_t *array = json_array();

        for (size_t i = 0; i < s->n_reasons; i++) {
                const ScoreReason *reason = &s->reasons[i];
                json_auto_t *o = json_object();

                if (json_object_set_new(o, "points", json_integer(reason->points)) < 0 ||
                                json_object_set_new(o, "text",
                                                json_from_bytes(reason->text, strlen(reason->text))) < 0 ||
                                json_array_append(array, o) < 0)
                        return NULL;
        }

        return STEAL_PTR(array);
}

static json_t *json_from_flags(uint32_t flags) {
        json_auto_t *array = json_array();
        const char *name;

        for (unsigned bit = 0; (name = process_flag_name(bit)); bit++)
                if (flags >> bit & 1 && json_array_append_new(array, json_string(name)) < 0)
                        return NULL;
        return STEAL_PTR(array);
}

static json_t *json_from_process(const Alert *a) {
        const __typeof__(a->process) *p = &a->process;
        json_auto_t *o = json_object();

        if (json_object_set_new(o, "pid", json_integer(p->pid)) < 0 ||
                        json_object_set_new(o, "tid", json_integer(p->tid)) < 0 ||
                        json_object_set_new(o, "start_time", json_from_time(p->start_realtime_usec)) < 0 ||
                        json_object_set_new(o, "exe", json_from_name(&p->exe)) < 0 ||
                        json_object_set_new(o, "comm", json_from_name(&p->comm)) < 0 ||
                        json_object_set_new(o, "cmdline", json_from_name(&p->cmdline)) < 0 ||
                        json_object_set_new(o, "uid", json_integer(p->uid)) < 0 ||
                        json_object_set_new(o, "loginuid",
                                        p->loginuid == UINT32_MAX ? json_null()
                                                                  : json_integer(p->loginuid)) < 0 ||
                        json_object_set_new(o, "unit", json_from_name_or_null(&p->unit)) < 0 ||
                        json_object_set_new(o, "cgroup", json_from_name(&p->cgroup)) < 0 ||
                        json_object_set_new(o, "container", json_from_name_or_null(&p->container)) < 0 ||
                        json_object_set_new(o, "mount_namespace", json_integer(p->mount_namespace)) < 0 ||
                        json_object_set_new(o, "flags", json_from_flags(p->flags)) < 0)
                return NULL;

        return STEAL_PTR(o);
}

static json_t *json_from_lineage(const Alert *a) {
        json_auto_t *array = json_array();

        for (size_t i = 0; i < a->n_lineage; i++) {
                const AlertAncestor *ancestor = &a->lineage[i];
                json_auto_t *o = json_object();

                if (json_object_set_new(o, "pid", json_integer(ancestor->pid)) < 0 ||
                                json_object_set_new(o, "exe", json_from_name(&ancestor->exe)) < 0 ||
                                json_object_set_new(o, "comm", json_from_name(&ancestor->comm)) < 0 ||
                                json_array_append(array, o) < 0)
                        return NULL;
        }

        return STEAL_PTR(array);
}

static json_t *json_from_way(const AlertFile *f) {
        json_auto_t *array = json_array();

        for (size_t i = 0; i < f->n_way; i++)
                if (json_array_append_new(array, json_pack("{s:I, s:o, s:s}", "pid", (json_int_t)f->way[i].pid, "comm",
                                                         json_from_name(&f->way[i].comm), "via", f->way[i].via)) < 0)
                        return NULL;
        return STEAL_PTR(array);
}

static json_t *json_from_file(const AlertFile *f) {
        const char *class = f->classes[0];
        json_auto_t *o = json_object();

        if (json_object_set_new(o, "path", json_from_name_or_null(&f->path)) < 0 ||
                        json_object_set_new(o, "class",
                                        class ? json_from_bytes(class, strlen(class)) : json_null()) < 0 ||
                        json_object_set_new(o, "classes", json_from_strings(f->classes)) < 0 ||
                        json_object_set_new(o, "age_ms", json_from_u64(f->age_usec / 1000)) < 0 ||
                        json_object_set_new(o, "pid", json_integer(f->pid)) < 0 ||
                        json_object_set_new(o, "uid", json_integer(f->uid)) < 0 ||
                        json_object_set_new(o, "exe", json_from_name(&f->exe)) < 0 ||
                        json_object_set_new(o, "comm", json_from_name(&f->comm)) < 0 ||
                        json_object_set_new(o, "hops", json_integer(f->hops)) < 0 ||
                        json_object_set_new(o, "via", json_string(f->via)) < 0 ||
                        json_object_set_new(o, "truncated", json_boolean(f->path_truncated)) < 0 ||
                        json_object_set_new(o, "way", json_from_way(f)) < 0 ||
                        json_object_set_new(o, "way_cut", json_boolean(f->way_cut)) < 0)
                return NULL;

        return STEAL_PTR(o);
}

static json_t *json_from_files(const Alert *a) {
        json_auto_t *array = json_array();

        for (size_t i = 0; i < a->n_files; i++)
                if (json_array_append_new(array, json_from_file(&a->files[i])) < 0)
                        return NULL;
        return STEAL_PTR(array);
}

static json_t *json_from_destination(const Alert *a) {
        json_auto_t *o = json_object();

        if (json_object_set_new(o, "family", json_string(a->destination.family_name)) < 0 ||
                        json_object_set_new(o, "protocol", json_string(a->destination.protocol)) < 0 ||
                        json_object_set_new(o, "address", json_string(a->destination.address)) < 0 ||
                        json_object_set_new(o, "port", json_integer(a->destination.port)) < 0 ||
                        json_object_set_new(o, "act", json_string(a->destination.act)) < 0 ||
                        json_object_set_new(o, "path", json_from_name_or_null(&a->destination.path)) < 0)
                return NULL;

        return STEAL_PTR(o);
}

static json_t *json_from_alert(const Alert *a) {
        json_auto_t *o = json_object();

        if (json_object_set_new(o, "kind", json_string("alert")) < 0 ||
                        json_object_set_new(o, "id", json_from_bytes(a->id, strlen(a->id))) < 0 ||
                        json_object_set_new(o, "time", json_from_time(a->realtime_usec)) < 0 ||
                        json_object_set_new(o, "severity",
                                        json_string(severity_to_string(a->score.severity))) < 0 ||
                        json_object_set_new(o, "score", json_integer(a->score.score)) < 0 ||
                        json_object_set_new(o, "summary", json_from_summary(a)) < 0 ||
                        json_object_set_new(o, "reasons", json_from_reasons(&a->score)) < 0 ||
                        json_object_set_new(o, "action", json_string("alert")) < 0 ||
                        json_object_set_new(o, "classes", json_from_strings(a->classes)) < 0 ||
                        json_object_set_new(o, "techniques", json_from_strings(a->techniques)) < 0 ||
                        json_object_set_new(o, "repeats", json_from_u64(a->repeats)) < 0 ||
                        json_object_set_new(o, "process", json_from_process(a)) < 0 ||
                        json_object_set_new(o, "lineage", json_from_lineage(a)) < 0 ||
                        json_object_set_new(o, "lineage_more", json_boolean(a->lineage_more)) < 0 ||
                        json_object_set_new(o, "files", json_from_files(a)) < 0 ||
                        json_object_set_new(o, "files_more", json_boolean(a->files_more)) < 0 ||
                        json_object_set_new(o, "flood", json_boolean(a->flood)) < 0 ||
                        json_object_set_new(o, "destination", json_from_destination(a)) < 0)
                return NULL;
        if (a->delayed_usec > 0 &&
                        json_object_set_new(o, "delayed_ms", json_from_u64(a->delayed_usec / 1000)) < 0)
                return NULL;

        return STEAL_PTR(o);
}

int alert_to_json(const Alert *a, json_t **ret, char **ret_line) {
        json_auto_t *o = json_from_alert(a);
        if (!o)
                return -ENOMEM;

        int r = json_to_line(o, ret_line);
        if (r >= 0)
                *ret = STEAL_PTR(o);
        return r;
}
