/* SPDX-License-Identifier: GPL-2.0-or-later */

/* All methods are in one table, and described in query/interface.c: tests/system/test-query.py compares
 * every reply with that. Alerts are copied from the ring as text. Every method only reads,
 * but WatchProcesses, whose call has the kernel count until it ends. */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "barbwire-config.h"
#include "alert/alert.h"
#include "basic/time-util.h"
#include "query/interface.h"
#include "query/methods.h"
#include "query/varlink.h"

/* The longest single reply, which the buffer of any Varlink library can hold. With `more`, a listing is
 * split. */
#define REPLY_BYTES_MAX (1024U * 1024)

/* Of WatchProcesses: ten times a second is as often as a person can follow; more than an hour is no view. */
#define WATCH_INTERVAL_USEC USEC_PER_SEC
#define WATCH_INTERVAL_USEC_MIN (USEC_PER_SEC / 10)
#define WATCH_INTERVAL_USEC_MAX (3600 * USEC_PER_SEC)

struct Query {
        const QuerySource *source;
        VarlinkCall call;
        int (*step)(Query *q, FILE *f); /* writes the next batch; NULL: complete */
        AlertFilter filter;             /* borrows strings from the call */
        char incident[ALERT_ID_SIZE];   /* one of them */
        uint64_t next, end;             /* in the ring, or in its log; in the lines of a listing of marks */
        uint64_t listing;               /* the number of that listing */
        ActivityView *view;             /* or NULL */
        bool open;                      /* the reply of a listing has begun */
};

static int reply_error(FILE *f, const char *error, const char *name, const char *value) {
        return varlink_error_write(f, error, json_pack("{s:s}", name, value));
}

static int reply_expected_more(FILE *f) {
        return varlink_error_write(f, VARLINK_ERROR_EXPECTED_MORE, json_object());
}

static const char *parameter_string(const Query *q, const char *name) {
        return json_string_value(json_object_get(q->call.parameters, name));
}

static bool parameter_integer(const Query *q, const char *name, uint64_t *ret) {
        const json_t *value = json_object_get(q->call.parameters, name);

        if (!json_is_integer(value))
                return false;
        *ret = (uint64_t)json_integer_value(value);
        return true;
}

static int get_status(Query *q, FILE *f) {
        return varlink_reply_write(f, q->source->status(q->source->userdata));
}

static int list_rules(Query *q, FILE *f) {
        return varlink_reply_write(f, q->source->rules(q->source->userdata));
}

static int get_info(Query *q, FILE *f) {
        json_auto_t *names = json_array();

        (void)q;
        for (size_t i = 0; i < QUERY_INTERFACES; i++)
                if (json_array_append_new(names, json_string(query_interfaces[i].name)) < 0)
                        return -ENOMEM;
        return varlink_reply_write(f, json_pack("{s:s, s:s, s:s, s:s, s:O}", "vendor", "Barbwire", "product",
                                                      "barbwired", "version", BARBWIRE_VERSION, "url",
                                                      "man:barbwired(8)", "interfaces", names));
}

static int get_interface_description(Query *q, FILE *f) {
        const char *name = parameter_string(q, "interface");

        for (size_t i = 0; i < QUERY_INTERFACES; i++)
                if (strcmp(query_interfaces[i].name, name) == 0)
                        return varlink_reply_write(f,
                                        json_pack("{s:s}", "description", query_interfaces[i].description));
        return reply_error(f, VARLINK_ERROR_INTERFACE_NOT_FOUND, "interface", name);
}

static int get_alert(Query *q, FILE *f) {
        const char *id = parameter_string(q, "id");
        uint64_t sequence;

        int r = alert_ring_find(q->source->ring, id, &sequence);
        if (r == -ENOTUNIQ)
                return reply_error(f, BARBWIRE_INTERFACE ".AmbiguousAlert", "id", id);
        if (r < 0)
                return reply_error(f, BARBWIRE_INTERFACE ".NoSuchAlert", "id", id);
        varlink_reply_begin(f);
        fprintf(f, "{\"alert\":%s}", alert_ring_line(q->source->ring, sequence));
        varlink_reply_end(f, false);
        return 0;
}

/* With `more` each batch is a reply of its own, otherwise a piece of the only one. */
static int list_step(Query *q, FILE *f) {
        const AlertRing *ring = q->source->ring;
        const char *separator = q->open ? "," : "";
        size_t n_bytes = 0;

        if (!q->open) {
                varlink_reply_begin(f);
                fputs("{\"alerts\":[", f);
                q->open = true;
        }
        for (; q->next < q->end; q->next++) {
                if (!alert_ring_matches(ring, q->next, &q->filter))
                        continue;

                const char *line = alert_ring_line(ring, q->next);
                size_t size = strlen(line);
                if (n_bytes > 0 && n_bytes + size > QUERY_BATCH_BYTES)
                        break;
                fputs(separator, f);
                fputs(line, f);
                separator = ",";
                n_bytes += size;
        }

        bool last = q->next == q->end;
        if (last || q->call.more) {
                fputs("]}", f);
                varlink_reply_end(f, !last);
                q->open = false;
        }
        q->step = last ? NULL : list_step;
        return 0;
}

/* Whether the listing is too long for one reply. */
static bool listing_is_long(const Query *q) {
        const AlertRing *ring = q->source->ring;
        size_t n_bytes = 0;

        for (uint64_t s = q->next; s < q->end && n_bytes <= REPLY_BYTES_MAX; s++)
                if (alert_ring_matches(ring, s, &q->filter))
                        n_bytes += strlen(alert_ring_line(ring, s)) + 1;
        return n_bytes > REPLY_BYTES_MAX;
}

/* The incident of any of its alerts, or one whose first alert is not kept any more. NULL: none is wanted. */
static const char *incident_of(Query *q, const char *id) {
        uint64_t sequence;

        if (!id)
                return NULL;
        if (alert_ring_find(q->source->ring, id, &sequence) >= 0)
                id = alert_ring_incident(q->source->ring, sequence) ?: id;
        (void)snprintf(q->incident, sizeof(q->incident), "%s", id);
        return q->incident;
}

static int list_alerts(Query *q, FILE *f) {
        const char *severity = parameter_string(q, "severity"), *action = parameter_string(q, "action");
        uint64_t pid = 0, uid = 0, limit = 0;
        AlertFilter filter = {
                .severity = SEVERITY_LOW,
                .class = parameter_string(q, "class"),
                .unit = parameter_string(q, "unit"),
                .incident = incident_of(q, parameter_string(q, "incident")),
                .by_action = action,
                .by_pid = parameter_integer(q, "pid", &pid),
                .by_uid = parameter_integer(q, "uid", &uid),
                .pid = (uint32_t)pid,
                .uid = (uint32_t)uid,
        };

        if (severity && (filter.severity = severity_from_string(severity)) < 0)
                return reply_error(f, VARLINK_ERROR_INVALID_PARAMETER, "parameter", "severity");
        if (action && (filter.action = action_from_string(action)) < 0)
                return reply_error(f, VARLINK_ERROR_INVALID_PARAMETER, "parameter", "action");
        (void)parameter_integer(q, "since", &filter.since_usec);
        (void)parameter_integer(q, "until", &filter.until_usec);
        (void)parameter_integer(q, "limit", &limit);

        q->filter = filter;
        q->next = alert_ring_seek(q->source->ring, &filter, limit);
        q->end = alert_ring_end(q->source->ring);
        if (!q->call.more && listing_is_long(q))
                return reply_expected_more(f);
        return list_step(q, f);
}

static void write_missed(FILE *f, uint64_t *n_missed) {
        if (*n_missed == 0)
                return;
        varlink_reply_begin(f);
        fprintf(f, "{\"missed\":%" PRIu64 "}", *n_missed);
        varlink_reply_end(f, true);
        *n_missed = 0;
}

static int follow_step(Query *q, FILE *f) {
        static const char *const members[] = {
                [LINE_ALERT] = "alert",
                [LINE_LOSS] = "loss",
                [LINE_POLICY] = "policy",
                [LINE_FOREIGN] = "foreign",
                [LINE_DELAY] = "delay",
                [LINE_SHARE] = "share",
                [LINE_FALLBACK] = "fallback",
        };
        const AlertRing *ring = q->source->ring;
        uint64_t begin = alert_ring_log_begin(ring), end = alert_ring_log_end(ring);
        uint64_t n_missed = begin > q->next ? begin - q->next : 0;
        size_t n_bytes = 0;

        for (q->next += n_missed; q->next < end; q->next++) {
                LineKind kind;
                const char *line = alert_ring_log_line(ring, q->next, &kind);
                if (!line) {
                        n_missed++;
                        continue;
                }

                size_t size = strlen(line);
                if (n_bytes > 0 && n_bytes + size > QUERY_BATCH_BYTES)
                        break;
                write_missed(f, &n_missed);
                varlink_reply_begin(f);
                fprintf(f, "{\"%s\":%s}", members[kind], line);
                varlink_reply_end(f, true);
                n_bytes += size;
        }
        write_missed(f, &n_missed);
        q->step = follow_step;
        return 0;
}

static int follow(Query *q, FILE *f) {
        if (!q->call.more)
                return reply_expected_more(f);
        q->next = alert_ring_log_end(q->source->ring);
        q->step = follow_step;
        varlink_reply_begin(f);
        fputs("{}", f);
        varlink_reply_end(f, true);
        return 0;
}

static const MarkList *query_marks(const Query *q) {
        return q->source->marks(q->listing, q->source->userdata);
}

/* The lines of one kind until the batch is full. */
static void marks_write(Query *q, FILE *f, const MarkList *l, MarkListKind kind, size_t *n_bytes) {
        const MarkLines *lines = &l->of[kind];
        size_t first = kind == MARK_LIST_ACCOUNTS ? 0 : l->of[MARK_LIST_ACCOUNTS].n;
        const char *separator = "";

        for (; q->next >= first && q->next < first + lines->n; q->next++) {
                const char *line = lines->lines[q->next - first];
                size_t size = strlen(line);

                if (*n_bytes > 0 && *n_bytes + size > QUERY_BATCH_BYTES)
                        break;
                fputs(separator, f);
                fputs(line, f);
                separator = ",";
                *n_bytes += size;
        }
}

static int marks_step(Query *q, FILE *f) {
        static const MarkList gone = { .done = true };
        const MarkList *l = query_marks(q) ?: &gone;
        size_t n_bytes = 0, n_lines = l->of[MARK_LIST_ACCOUNTS].n + l->of[MARK_LIST_MARKS].n;

        if (!q->call.more && l->n_bytes > QUERY_BATCH_BYTES)
                return reply_expected_more(f);
        varlink_reply_begin(f);
        fputs("{\"accounts\":[", f);
        marks_write(q, f, l, MARK_LIST_ACCOUNTS, &n_bytes);
        fputs("],\"marks\":[", f);
        marks_write(q, f, l, MARK_LIST_MARKS, &n_bytes);
        bool last = q->next >= n_lines;
        fprintf(f, "],\"complete\":%s}", !last ? "null" : l->complete ? "true" : "false");
        varlink_reply_end(f, !last);
        q->step = last ? NULL : marks_step;
        return 0;
}

static int list_marks(Query *q, FILE *f) {
        (void)f;
        q->listing = q->source->marks_begin(q->source->userdata);
        q->step = marks_step;
        return q->listing == 0 ? -ENOMEM : 0;
}

static bool activity_is_due(const Query *q) {
        return q->source->activity->is_due(q->view, q->source->activity->userdata);
}

static int activity_step(Query *q, FILE *f) {
        q->step = activity_step;
        if (!activity_is_due(q))
                return 0;
        varlink_reply_begin(f);
        int r = q->source->activity->write(q->view, f, q->source->activity->userdata);
        varlink_reply_end(f, true);
        return r;
}

static int watch_processes(Query *q, FILE *f) {
        uint64_t interval_usec = WATCH_INTERVAL_USEC;

        if (!q->call.more)
                return reply_expected_more(f);
        (void)parameter_integer(q, "interval", &interval_usec);
        q->view = q->source->activity->begin(interval_usec, q->source->activity->userdata);
        q->step = activity_step;
        return q->view ? 0 : -ENOMEM;
}

typedef struct Parameter {
        const char *name;
        json_type type;
        bool required;
        json_int_t min, max; /* of an integer */
} Parameter;

static const struct Method {
        const char *name;
        int (*begin)(Query *q, FILE *f);
        Parameter parameters[11]; /* ends with one without a name */
} methods[] = {
        { BARBWIRE_INTERFACE ".GetStatus", get_status, {} },
        { BARBWIRE_INTERFACE ".ListAlerts", list_alerts,
                        {
                                        { "since", JSON_INTEGER, false, 0, INT64_MAX },
                                        { "until", JSON_INTEGER, false, 1,
                                                        INT64_MAX }, /* 0 is "no end" to the ring */
                                        { "severity", JSON_STRING, false, 0, 0 },
                                        { "class", JSON_STRING, false, 0, 0 },
                                        { "action", JSON_STRING, false, 0, 0 },
                                        { "pid", JSON_INTEGER, false, 0, UINT32_MAX },
                                        { "uid", JSON_INTEGER, false, 0, UINT32_MAX },
                                        { "unit", JSON_STRING, false, 0, 0 },
                                        { "incident", JSON_STRING, false, 0, 0 },
                                        { "limit", JSON_INTEGER, false, 1, UINT32_MAX },
                        } },
        { BARBWIRE_INTERFACE ".GetAlert", get_alert, { { "id", JSON_STRING, true, 0, 0 } } },
        { BARBWIRE_INTERFACE ".Follow", follow, {} },
        { BARBWIRE_INTERFACE ".ListRules", list_rules, {} },
        { BARBWIRE_INTERFACE ".ListMarks", list_marks, {} },
        { BARBWIRE_INTERFACE ".WatchProcesses", watch_processes,
                        { { "interval", JSON_INTEGER, false, WATCH_INTERVAL_USEC_MIN,
                                        WATCH_INTERVAL_USEC_MAX } } },
        { SERVICE_INTERFACE ".GetInfo", get_info, {} },
        { SERVICE_INTERFACE ".GetInterfaceDescription", get_interface_description,
                        { { "interface", JSON_STRING, true, 0, 0 } } },
};

/* Returns the first parameter that is missing, unknown (a mistyped filter must not be ignored) or of another
 * type. */
static const char *call_bad_parameter(const VarlinkCall *c, const Parameter *known) {
        const char *name;
        json_t *value;

        for (const Parameter *p = known; p->name; p++)
                if (p->required && !json_is_string(json_object_get(c->parameters, p->name)))
                        return p->name;
        json_object_foreach(c->parameters, name, value) {
                const Parameter *p = known;

                while (p->name && strcmp(p->name, name) != 0)
                        p++;
                if (!p->name)
                        return name;
                if (json_is_null(value))
                        continue;
                if (json_typeof(value) != p->type)
                        return name;
                if (p->type == JSON_INTEGER &&
                                (json_integer_value(value) < p->min || json_integer_value(value) > p->max))
                        return name;
        }
        return NULL;
}

static int reply_no_such_method(FILE *f, const char *method) {
        const char *dot = strrchr(method, '.');
        size_t n = dot ? (size_t)(dot - method) : 0;

        for (size_t i = 0; i < QUERY_INTERFACES; i++)
                if (strlen(query_interfaces[i].name) == n &&
                                memcmp(query_interfaces[i].name, method, n) == 0)
                        return reply_error(f, VARLINK_ERROR_METHOD_NOT_FOUND, "method", method);
        return varlink_error_write(
                        f, VARLINK_ERROR_INTERFACE_NOT_FOUND, json_pack("{s:s%}", "interface", method, n));
}

static int call_step(Query *q, FILE *f) {
        const struct Method *m = methods;

        /* Without a reply a call has no effect. */
        if (q->call.oneway)
                return 0;
        while (m < methods + ELEMENTSOF(methods) && strcmp(m->name, q->call.method) != 0)
                m++;
        if (m == methods + ELEMENTSOF(methods))
                return reply_no_such_method(f, q->call.method);
        if (q->call.upgrade)
                return reply_error(f, VARLINK_ERROR_METHOD_NOT_IMPLEMENTED, "method", q->call.method);

        const char *bad = call_bad_parameter(&q->call, m->parameters);
        if (bad)
                return reply_error(f, VARLINK_ERROR_INVALID_PARAMETER, "parameter", bad);
        return m->begin(q, f);
}

int query_new(const QuerySource *source, const char *message, size_t size, Query **ret) {
        _cleanup_(query_freep) Query *q = calloc(1, sizeof(*q));

        if (!q)
                return -ENOMEM;
        int r = varlink_call_parse(message, size, &q->call);
        if (r < 0)
                return r;
        q->source = source;
        q->step = call_step;
        *ret = STEAL_PTR(q);
        return 0;
}

Query *query_free(Query *q) {
        if (!q)
                return NULL;
        if (q->view)
                q->source->activity->end(q->view, q->source->activity->userdata);
        varlink_call_done(&q->call);
        free(q);
        return NULL;
}

QueryState query_state(const Query *q) {
        if (!q->step)
                return QUERY_OVER;
        if (q->step == follow_step && q->next == alert_ring_log_end(q->source->ring))
                return QUERY_WAITS;
        if (q->step == marks_step) {
                const MarkList *l = query_marks(q);
                return l && !l->done ? QUERY_WAITS : QUERY_READY;
        }
        if (q->step == activity_step)
                return activity_is_due(q) ? QUERY_READY : QUERY_WAITS;
        return QUERY_READY;
}

int query_next(Query *q, char **ret, size_t *ret_size) {
        int (*step)(Query *, FILE *) = q->step;
        _cleanup_free_ char *batch = NULL;
        size_t size;
        FILE *f = open_memstream(&batch, &size);

        if (!f)
                return -ENOMEM;
        q->step = NULL;
        int r = step(q, f);
        bool failed = ferror(f);
        if ((fclose(f) != 0 || failed || !batch) && r >= 0)
                r = -ENOMEM;
        if (r < 0)
                return r;
        *ret = STEAL_PTR(batch);
        *ret_size = size;
        return 0;
}
