/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Names are written as the bytes that they are: journald stores any byte, and a search must find the path
 * that was opened, not an escaped form of it. MESSAGE alone is for people, and is escaped.
 *
 * journald keeps neither the order nor the number of equal fields of one entry: which of them belong
 * together (a file and its opener) is in BARBWIRE_JSON only. A field whose value is not known is absent. */

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>

#include "sink/compact.h"
#include "sink/entry.h"
#include "alert/fields.h"
#include "alert/message-ids.h"
#include "basic/escape.h"
#include "basic/util.h"

/* Not LOG_ALERT and above: on some systems those page people and are sent to every terminal (wall), and one
 * alert is an observation, not a proof. */
static const int priorities[_SEVERITY_MAX] = {
        [SEVERITY_INFO] = LOG_INFO,
        [SEVERITY_LOW] = LOG_NOTICE,
        [SEVERITY_MEDIUM] = LOG_WARNING,
        [SEVERITY_HIGH] = LOG_CRIT,
};
/* A filter for "err" and worse must include a detection gap. */
#define PRIORITY_LOSS LOG_ERR
/* Nothing is missing, but a response started late. */
#define PRIORITY_DELAY LOG_WARNING

static int alert_priority(const Alert *a) {
        bool selftest = a->classes[0] && !a->classes[1] && strcmp(a->classes[0], ALERT_SELFTEST_CLASS) == 0;

        return selftest ? LOG_INFO : priorities[a->score.severity];
}

static int policy_priority(const StateAlert *a) {
        if (a->refused || a->n_errors > 0)
                return LOG_WARNING;
        /* An intruder would change the policy first. */
        return a->previous && strcmp(a->previous, a->hash) != 0 ? LOG_NOTICE : LOG_INFO;
}

static bool value_is_text(const char *data, size_t size) {
        for (size_t i = 0; i < size; i++)
                if ((unsigned char)data[i] < 0x20 || data[i] == 0x7f)
                        return false;
        return true;
}

/* Write errors stick to the stream: entry_make() checks for them. */
static void put_bytes(FILE *f, const char *field, const char *data, size_t size) {
        if (value_is_text(data, size))
                fprintf(f, "%s=", field);
        else {
                const uint64_t length = htole64(size);

                fprintf(f, "%s\n", field);
                fwrite(&length, sizeof(length), 1, f);
        }
        fwrite(data, 1, size, f);
        fputc('\n', f);
}

static void put_string(FILE *f, const char *field, const char *value) {
        put_bytes(f, field, value, strlen(value));
}

static void put_strings(FILE *f, const char *field, char *const *values) {
        for (char *const *v = values; *v; v++)
                put_string(f, field, *v);
}

/* Shippers of a journal keep the first or last of equal fields, or none. So each list has a second form in
 * one field, BARBWIRE_CLASS_LIST= of BARBWIRE_CLASS=: closes the list's text, and writes it. */
static int put_list(FILE *f, const char *field, TextStream *list) {
        _cleanup_free_ char *text = text_take(list), *name = NULL;

        if (!text || asprintf(&name, "%s_LIST", field) < 0)
                return -ENOMEM;
        if (text[0])
                put_string(f, name, text);
        return 0;
}

static int put_strings_list(FILE *f, const char *field, char *const *values) {
        TextStream list;

        if (!text_open(&list))
                return -ENOMEM;
        for (char *const *v = values; *v; v++)
                fprintf(list.stream, "%s%s", v > values ? " " : "", *v);
        return put_list(f, field, &list);
}

static void put_name(FILE *f, const char *field, const AlertBytes *name) {
        if (name->size > 0)
                put_bytes(f, field, name->data, name->size);
}

static void put_number(FILE *f, const char *field, uint64_t n) {
        fprintf(f, "%s=%" PRIu64 "\n", field, n);
}

static void put_boolean(FILE *f, const char *field, bool value) {
        put_string(f, field, value ? "yes" : "no");
}

/* journalctl -o json shows a field of 4,096 bytes or more, name and "=" included, as null. */
#define JSON_FIELD "BARBWIRE_JSON"
#define JSON_MAX (4096 - sizeof(JSON_FIELD) - 1)

static void put_header(FILE *f, const char *message_id, int priority) {
        put_string(f, "MESSAGE_ID", message_id);
        put_number(f, "PRIORITY", (uint64_t)priority);
        put_number(f, "SYSLOG_FACILITY", LOG_FAC(LOG_AUTHPRIV));
        put_string(f, "SYSLOG_IDENTIFIER", "barbwired");
}

/* " exe=/usr/bin/x": a value without spaces, so that a line of them can be split again. */
static int put_word(FILE *f, const char *key, const AlertBytes *value) {
        _cleanup_free_ char *text = bytes_escape(value->data, value->size);
        if (!text)
                return -ENOMEM;

        fprintf(f, " %s=", key);
        for (const char *p = text; *p; p++)
                if (*p == ' ')
                        fputs("\\x20", f);
                else
                        fputc(*p, f);
        return 0;
}

/* "ancestor=1 pid=1230 comm=bash exe=/usr/bin/bash": numbered, because journald does not keep the order. */
static int put_ancestor(FILE *f, size_t number, const AlertAncestor *ancestor) {
        fprintf(f, "ancestor=%zu pid=%" PRIu32, number, ancestor->pid);
        int r = put_word(f, "comm", &ancestor->comm);
        return r < 0 ? r : put_word(f, "exe", &ancestor->exe);
}

static int put_lineage(FILE *f, const char *field, const Alert *a) {
        TextStream list;

        for (size_t i = 0; i < a->n_lineage; i++) {
                fprintf(f, "%s=", field);
                int r = put_ancestor(f, i + 1, &a->lineage[i]);
                if (r < 0)
                        return r;
                fputc('\n', f);
        }
        if (!text_open(&list))
                return -ENOMEM;
        for (size_t i = 0; i < a->n_lineage; i++) {
                fputs(i > 0 ? " " : "", list.stream);
                int r = put_ancestor(list.stream, i + 1, &a->lineage[i]);
                if (r < 0) {
                        free(text_take(&list));
                        return r;
                }
        }
        return put_list(f, field, &list);
}

static int put_flags(FILE *f, const char *field, uint32_t flags) {
        const char *name, *blank = "";
        TextStream list;

        if (!text_open(&list))
                return -ENOMEM;
        for (unsigned bit = 0; (name = process_flag_name(bit)); bit++)
                if (flags >> bit & 1) {
                        put_string(f, field, name);
                        fprintf(list.stream, "%s%s", blank, name);
                        blank = " ";
                }
        return put_list(f, field, &list);
}

/* "cat|pipe|gzip|pipe|nc": one line, so that a search finds it; the sender is the last one. */
static int put_route(FILE *f, const char *field, const Alert *a, const AlertFile *file) {
        if (file->n_route == 0)
                return 0;
        fprintf(f, "%s=%s", field, file->route_cut ? "…|" : "");
        for (size_t i = 0; i <= file->n_route; i++) {
                const AlertBytes *comm = i < file->n_route ? &file->route[i].comm : &a->process.comm;
                _cleanup_free_ char *text = bytes_escape(comm->data, comm->size);

                if (!text)
                        return -ENOMEM;
                for (const char *p = text; *p; p++)
                        if (*p == '|')
                                fputs("\\x7c", f);
                        else
                                fputc(*p, f);
                if (i < file->n_route)
                        fprintf(f, "|%s|", file->route[i].via);
        }
        fputc('\n', f);
        return 0;
}

/* "+80 accessed a sensitive file: …" */
static int put_reasons(FILE *f, const char *field, const Score *s) {
        TextStream list;

        if (!text_open(&list))
                return -ENOMEM;
        for (size_t i = 0; i < s->n_reasons; i++) {
                const ScoreReason *reason = &s->reasons[i];
                _cleanup_free_ char *text = NULL;

                if (asprintf(&text, "%+d %s", reason->points, reason->text) < 0) {
                        free(text_take(&list));
                        return -ENOMEM;
                }
                put_string(f, field, text);
                fprintf(list.stream, "%s%s", i > 0 ? "; " : "", text);
        }
        return put_list(f, field, &list);
}

static int put_sentence(FILE *f, const char *field, char *sentence) {
        _cleanup_free_ char *owned = sentence;

        if (!owned)
                return -ENOMEM;
        put_string(f, field, owned);
        return 0;
}

static bool family_has_port(const Alert *a) {
        return a->destination.address[0] && a->destination.family != AF_PACKET;
}

static const AlertFile *main_file(const Alert *a) {
        return alert_main_file(a) ?: a->n_files > 0 ? a->files : NULL;
}

static int put_fields(FILE *f, const AlertFieldTable *t, const void *object, const Alert *a);
static int put_main_file(FILE *f, const AlertFieldTable *t, const Alert *a);

/* name: the journal's. */
static int put_value(
                FILE *f, const char *name, const AlertField *field, const void *object, const Alert *a) {
        const AlertFieldTable *table = alert_field_table(field->type);
        AlertValue v = field->get(object);
        int r = 0;

        switch (field->type) {
        case ALERT_FIELD_text:
                if (v.text[0])
                        put_string(f, name, v.text);
                break;
        case ALERT_FIELD_text_or_null:
                if (v.text_or_null)
                        put_string(f, name, v.text_or_null);
                break;
        case ALERT_FIELD_name:
                put_name(f, name, v.name);
                break;
        case ALERT_FIELD_name_or_null:
                put_name(f, name, v.name_or_null);
                break;
        case ALERT_FIELD_number:
                put_number(f, name, v.number);
                break;
        case ALERT_FIELD_points:
                fprintf(f, "%s=%d\n", name, v.points);
                break;
        case ALERT_FIELD_port:
                if (family_has_port(v.port))
                        put_number(f, name, v.port->destination.port);
                break;
        case ALERT_FIELD_uid_or_null:
                if (v.uid_or_null != UINT32_MAX)
                        put_number(f, name, v.uid_or_null);
                break;
        case ALERT_FIELD_boolean:
                put_boolean(f, name, v.boolean);
                break;
        case ALERT_FIELD_time:
                put_number(f, name, v.time);
                break;
        case ALERT_FIELD_age:
                put_number(f, name, v.age);
                break;
        case ALERT_FIELD_delay:
                if (v.delay > 0)
                        put_number(f, name, v.delay);
                break;
        case ALERT_FIELD_strings:
                put_strings(f, name, v.strings);
                /* That of a file among others is the main file's alone. */
                return object == a ? put_strings_list(f, name, v.strings) : 0;
        case ALERT_FIELD_flags:
                return put_flags(f, name, v.flags);
        case ALERT_FIELD_sentence:
                return put_sentence(f, name, alert_sentence(v.sentence));
        case ALERT_FIELD_reasons:
                return put_reasons(f, name, &a->score);
        case ALERT_FIELD_lineage:
                return put_lineage(f, name, a);
        case ALERT_FIELD_route:
                return put_route(f, name, a, object);
        case ALERT_FIELD_files:
                for (size_t i = 0; r >= 0 && i < v.files.n; i++)
                        r = put_fields(f, table, (const AlertFile *)v.files.items + i, a);
                return r < 0 ? r : put_main_file(f, table, a);
        case ALERT_FIELD_process:
        case ALERT_FIELD_destination:
                return put_fields(f, table, a, a);
        }
        return r;
}

/* Fields of an object that is part of `a`. A list or object without a field of its own is written as its
 * fields. */
static int put_fields(FILE *f, const AlertFieldTable *t, const void *object, const Alert *a) {
        for (const AlertField *field = t->fields; field < t->fields + t->n; field++) {
                if (!field->journal && !alert_field_table(field->type))
                        continue;
                int r = put_value(f, field->journal, field, object, a);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The one file that the sentence names, once more in fields that occur once: BARBWIRE_MAIN_FILE_PID= of
 * BARBWIRE_FILE_PID=. */
static int put_main_file(FILE *f, const AlertFieldTable *t, const Alert *a) {
        const AlertFile *file = main_file(a);

        put_number(f, "BARBWIRE_FILE_COUNT", a->n_files);
        for (const AlertField *field = t->fields; file && field < t->fields + t->n; field++) {
                _cleanup_free_ char *name = NULL;
                int r;

                if (!field->journal)
                        continue;
                if (asprintf(&name, "BARBWIRE_MAIN_%s", field->journal + strlen("BARBWIRE_")) < 0)
                        return -ENOMEM;
                r = field->type == ALERT_FIELD_strings ? put_strings_list(f, name, field->get(file).strings)
                                                       : put_value(f, name, field, file, a);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The complete alert, too, where it is longer than what every reader shows. */
static int put_json(FILE *f, const Alert *a, const char *json) {
        const AlertFile *file = main_file(a);
        _cleanup_free_ char *compact = NULL;

        if (strlen(json) <= JSON_MAX) {
                put_string(f, JSON_FIELD, json);
                return 0;
        }
        int r = alert_compact(json, file ? (size_t)(file - a->files) : 0, JSON_MAX, &compact);
        if (r == -EBADMSG) { /* a long field is better than no alert */
                put_string(f, JSON_FIELD, json);
                return 0;
        }
        if (r < 0)
                return r;
        put_string(f, JSON_FIELD, compact);
        put_string(f, JSON_FIELD "_COMPLETE", json);
        return 0;
}

static int put_alert(FILE *f, const void *alert, const char *json) {
        const Alert *a = alert;

        put_header(f, MESSAGE_ID_ALERT, alert_priority(a));
        int r = put_fields(f, &alert_fields, a, a);
        if (r < 0)
                return r;
        return put_json(f, a, json);
}

static void put_loss(FILE *f, const StateAlert *a) {
        put_header(f, MESSAGE_ID_LOSS, PRIORITY_LOSS);
        put_string(f, "BARBWIRE_CAUSE", a->cause);
        put_number(f, "BARBWIRE_COUNT", a->count);
        put_number(f, "BARBWIRE_TOTAL", a->total);
}

static void put_foreign(FILE *f, const StateAlert *a) {
        put_header(f, MESSAGE_ID_FOREIGN, LOG_NOTICE);
        put_strings(f, "BARBWIRE_PROGRAM", a->programs);
}

static void put_delay(FILE *f, const StateAlert *a) {
        put_header(f, MESSAGE_ID_DELAY, PRIORITY_DELAY);
        put_number(f, "BARBWIRE_COUNT", a->count);
        put_number(f, "BARBWIRE_DELAYED_USEC", a->longest_usec);
}

/* What was refused until now is only reported from now on. */
static void put_fallback(FILE *f, const StateAlert *a) {
        put_header(f, MESSAGE_ID_FALLBACK, LOG_ERR);
        put_string(f, "BARBWIRE_CLASS", a->class);
        put_strings(f, "BARBWIRE_SERVICE", a->programs);
}

/* A flood by somebody, which costs that user's own tracking. */
static void put_share(FILE *f, const StateAlert *a) {
        const EventShare *s = a->share;

        put_header(f, MESSAGE_ID_SHARE, LOG_WARNING);
        put_string(f, "BARBWIRE_TABLE", share_table_name(s->table));
        put_number(f, "BARBWIRE_UID", s->uid);
        put_number(f, "BARBWIRE_PID", s->pid);
        put_string(f, "BARBWIRE_COMM", s->comm);
        put_string(f, "BARBWIRE_CGROUP_NAME", s->cgroup_id ? s->cgroup : "");
        put_number(f, "BARBWIRE_COUNT", s->live);
        put_number(f, "BARBWIRE_REFUSED", s->refused);
}

static void put_policy(FILE *f, const StateAlert *a) {
        put_header(f, MESSAGE_ID_POLICY, policy_priority(a));
        put_string(f, "BARBWIRE_POLICY", a->hash);
        if (a->previous)
                put_string(f, "BARBWIRE_POLICY_BEFORE", a->previous);
        put_boolean(f, "BARBWIRE_POLICY_REFUSED", a->refused);
        put_number(f, "BARBWIRE_POLICY_ERRORS", a->n_errors);
}

static void put_heartbeat(FILE *f, const StateAlert *a) {
        put_header(f, MESSAGE_ID_HEARTBEAT, a->reasons[0] ? LOG_WARNING : LOG_INFO);
        put_string(f, "BARBWIRE_HEARTBEAT", heartbeat_event_to_string(a->event));
        put_string(f, "BARBWIRE_VERSION", a->version);
        put_string(f, "BARBWIRE_SENSOR", a->sensor);
        put_string(f, "BARBWIRE_HEALTH", a->reasons[0] ? "degraded" : "ok");
        put_strings(f, "BARBWIRE_DEGRADED", a->reasons);
        put_string(f, "BARBWIRE_POLICY", a->hash);
        put_number(f, "BARBWIRE_TOTAL", a->total);
}

static int put_state(FILE *f, const void *alert, const char *json) {
        static void (*const kinds[])(FILE * f, const StateAlert *a) = {
                [STATE_LOSS] = put_loss,
                [STATE_POLICY] = put_policy,
                [STATE_FOREIGN] = put_foreign,
                [STATE_DELAY] = put_delay,
                [STATE_SHARE] = put_share,
                [STATE_HEARTBEAT] = put_heartbeat,
                [STATE_FALLBACK] = put_fallback,
        };
        const StateAlert *a = alert;

        (void)json;
        int r = put_sentence(f, "MESSAGE", state_alert_sentence(a));
        if (r < 0)
                return r;
        put_number(f, "BARBWIRE_TIME", a->realtime_usec);
        kinds[a->kind](f, a);
        return 0;
}

static int entry_make(int (*put)(FILE *f, const void *alert, const char *json), const void *alert,
                const char *json, char **ret, size_t *ret_size) {
        _cleanup_free_ char *data = NULL;
        size_t size;
        _cleanup_fclose_ FILE *f = open_memstream(&data, &size);

        if (!f)
                return -ENOMEM;
        bool failed = put(f, alert, json) < 0 || ferror(f);
        /* It flushes, which may fail with an error or by leaving NULL. */
        if (fclose(STEAL_PTR(f)) != 0 || failed || !data)
                return -ENOMEM;
        *ret = STEAL_PTR(data);
        *ret_size = size;
        return 0;
}

int journal_entry_from_alert(const Alert *a, const char *json, char **ret, size_t *ret_size) {
        return entry_make(put_alert, a, json, ret, ret_size);
}

int journal_entry_from_state(const StateAlert *a, char **ret, size_t *ret_size) {
        return entry_make(put_state, a, NULL, ret, ret_size);
}
