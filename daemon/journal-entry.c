/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Names go into fields as the bytes they are: journald stores any byte, and a search must find what was
 * opened, not our spelling of it. MESSAGE alone is for eyes, and is escaped.
 *
 * journald keeps neither the order nor the number of equal fields of one entry: what belongs together (a
 * file and who opened it) stands together in BARBWIRE_JSON only. A field whose value is not known is
 * absent. */

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>

#include "journal-entry.h"
#include "message-ids.h"
#include "util.h"

/* Not LOG_ALERT and above: those page people and are sent to every terminal (wall) on some systems, and
 * one alert is an observation, not a proof. */
static const int priorities[_SEVERITY_MAX] = {
        [SEVERITY_LOW] = LOG_NOTICE,
        [SEVERITY_MEDIUM] = LOG_WARNING,
        [SEVERITY_HIGH] = LOG_CRIT,
};
/* Whoever watches for "err" and worse must see that the watcher was blind for a moment. */
#define PRIORITY_LOSS LOG_ERR
/* Nothing is missing, but somebody acted on it later than they would have. */
#define PRIORITY_DELAY LOG_WARNING

static int alert_priority(const Alert *a) {
        bool selftest = a->classes[0] && !a->classes[1] && strcmp(a->classes[0], ALERT_SELFTEST_CLASS) == 0;

        return selftest ? LOG_INFO : priorities[a->score.severity];
}

static int policy_priority(const StateAlert *a) {
        if (a->refused || a->n_errors > 0)
                return LOG_WARNING;
        /* Whoever wants to go unseen changes the policy first. */
        return a->previous && strcmp(a->previous, a->hash) != 0 ? LOG_NOTICE : LOG_INFO;
}

static bool value_is_text(const char *data, size_t size) {
        for (size_t i = 0; i < size; i++)
                if ((unsigned char)data[i] < 0x20 || data[i] == 0x7f)
                        return false;
        return true;
}

/* Write errors stick to the stream: its closer sees them. */
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

static void put_name(FILE *f, const char *field, const AlertBytes *name) {
        if (name->size > 0)
                put_bytes(f, field, name->data, name->size);
}

static void put_number(FILE *f, const char *field, uint64_t n) {
        fprintf(f, "%s=%" PRIu64 "\n", field, n);
}

static void put_header(FILE *f, const char *sentence, const char *message_id, int priority,
                uint64_t realtime_usec) {
        put_string(f, "MESSAGE", sentence);
        put_string(f, "MESSAGE_ID", message_id);
        put_number(f, "PRIORITY", (uint64_t)priority);
        put_number(f, "SYSLOG_FACILITY", LOG_FAC(LOG_AUTHPRIV));
        put_string(f, "SYSLOG_IDENTIFIER", "barbwired");
        put_number(f, "BARBWIRE_TIME", realtime_usec);
}

/* " exe=/usr/bin/x": a value without spaces, so that a line of them can be taken apart again. */
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
static int put_lineage(FILE *f, const Alert *a) {
        for (size_t i = 0; i < a->n_lineage; i++) {
                const AlertAncestor *ancestor = &a->lineage[i];

                fprintf(f, "BARBWIRE_LINEAGE=ancestor=%zu pid=%" PRIu32, i + 1, ancestor->pid);
                int r = put_word(f, "comm", &ancestor->comm);
                if (r >= 0)
                        r = put_word(f, "exe", &ancestor->exe);
                if (r < 0)
                        return r;
                fputc('\n', f);
        }
        return 0;
}

static void put_flags(FILE *f, uint32_t flags) {
        const char *name;

        for (unsigned bit = 0; (name = process_flag_name(bit)); bit++)
                if (flags >> bit & 1)
                        put_string(f, "BARBWIRE_EXE_FLAG", name);
}

static void put_process(FILE *f, const Alert *a) {
        put_number(f, "BARBWIRE_PID", a->process.pid);
        put_number(f, "BARBWIRE_TID", a->process.tid);
        put_number(f, "BARBWIRE_START_TIME", a->process.start_realtime_usec);
        put_number(f, "BARBWIRE_UID", a->process.uid);
        if (a->process.loginuid != UINT32_MAX)
                put_number(f, "BARBWIRE_LOGINUID", a->process.loginuid);
        put_name(f, "BARBWIRE_EXE", &a->process.exe);
        put_flags(f, a->process.flags);
        put_name(f, "BARBWIRE_COMM", &a->process.comm);
        put_name(f, "BARBWIRE_CMDLINE", &a->process.cmdline);
        put_name(f, "BARBWIRE_UNIT", &a->process.unit);
        put_name(f, "BARBWIRE_CGROUP", &a->process.cgroup);
        put_name(f, "BARBWIRE_CONTAINER", &a->process.container);
        put_number(f, "BARBWIRE_MOUNT_NAMESPACE", a->process.mount_namespace);
}

/* "cat|pipe|gzip|pipe|nc": one line, so that a search finds it; the last one is who sent. */
static int put_way(FILE *f, const Alert *a, const AlertFile *file) {
        if (file->n_way == 0)
                return 0;
        fprintf(f, "BARBWIRE_WAY=%s", file->way_cut ? "…|" : "");
        for (size_t i = 0; i <= file->n_way; i++) {
                const AlertBytes *comm = i < file->n_way ? &file->way[i].comm : &a->process.comm;
                _cleanup_free_ char *text = bytes_escape(comm->data, comm->size);

                if (!text)
                        return -ENOMEM;
                for (const char *p = text; *p; p++)
                        if (*p == '|')
                                fputs("\\x7c", f);
                        else
                                fputc(*p, f);
                if (i < file->n_way)
                        fprintf(f, "|%s|", file->way[i].via);
        }
        fputc('\n', f);
        return 0;
}

static int put_file(FILE *f, const Alert *a, const AlertFile *file) {
        put_name(f, "BARBWIRE_FILE", &file->path);
        put_strings(f, "BARBWIRE_FILE_CLASS", file->classes);
        put_number(f, "BARBWIRE_FILE_AGE_USEC", file->age_usec);
        put_number(f, "BARBWIRE_FILE_PID", file->pid);
        put_number(f, "BARBWIRE_FILE_UID", file->uid);
        put_name(f, "BARBWIRE_FILE_EXE", &file->exe);
        put_name(f, "BARBWIRE_FILE_COMM", &file->comm);
        put_number(f, "BARBWIRE_FILE_HOPS", file->hops);
        put_string(f, "BARBWIRE_FILE_VIA", file->via);
        return put_way(f, a, file);
}

static void put_destination(FILE *f, const Alert *a) {
        put_string(f, "BARBWIRE_DESTINATION_FAMILY", a->destination.family_name);
        put_string(f, "BARBWIRE_DESTINATION_PROTOCOL", a->destination.protocol);
        if (a->destination.address[0])
                put_string(f, "BARBWIRE_DESTINATION_ADDRESS", a->destination.address);
        put_name(f, "BARBWIRE_DESTINATION_PATH", &a->destination.path);
        if (a->destination.address[0] && a->destination.family != AF_PACKET)
                put_number(f, "BARBWIRE_DESTINATION_PORT", a->destination.port);
        put_string(f, "BARBWIRE_DESTINATION_ACT", a->destination.act);
}

/* "+80 touched a secret: …" */
static int put_reasons(FILE *f, const Score *s) {
        for (size_t i = 0; i < s->n_reasons; i++) {
                _cleanup_free_ char *text = NULL;

                if (asprintf(&text, "%+d %s", s->reasons[i].points, s->reasons[i].text) < 0)
                        return -ENOMEM;
                put_string(f, "BARBWIRE_REASON", text);
        }
        return 0;
}

static int put_alert(FILE *f, const void *alert, const char *json) {
        const Alert *a = alert;
        _cleanup_free_ char *sentence = alert_sentence(a);
        int r;

        if (!sentence)
                return -ENOMEM;
        put_header(f, sentence, MESSAGE_ID_THEFT, alert_priority(a), a->realtime_usec);
        put_string(f, "BARBWIRE_ALERT_ID", a->id);
        put_string(f, "BARBWIRE_SEVERITY", severity_to_string(a->score.severity));
        put_number(f, "BARBWIRE_SCORE", (uint64_t)a->score.score);
        r = put_reasons(f, &a->score);
        if (r < 0)
                return r;
        put_strings(f, "BARBWIRE_CLASS", a->classes);
        put_strings(f, "BARBWIRE_TECHNIQUE", a->techniques);
        put_number(f, "BARBWIRE_REPEATS", a->repeats);
        put_string(f, "BARBWIRE_FLOOD", a->flood ? "yes" : "no");
        if (a->delayed_usec > 0)
                put_number(f, "BARBWIRE_DELAYED_MS", a->delayed_usec / 1000);
        put_process(f, a);
        r = put_lineage(f, a);
        if (r < 0)
                return r;
        for (size_t i = 0; r >= 0 && i < a->n_files; i++)
                r = put_file(f, a, &a->files[i]);
        if (r < 0)
                return r;
        put_destination(f, a);
        put_string(f, "BARBWIRE_JSON", json);
        return 0;
}

static int put_state(FILE *f, const void *alert, const char *json) {
        const StateAlert *a = alert;
        _cleanup_free_ char *sentence = state_alert_sentence(a);

        (void)json;
        if (!sentence)
                return -ENOMEM;
        if (a->kind == STATE_LOSS) {
                put_header(f, sentence, MESSAGE_ID_LOSS, PRIORITY_LOSS, a->realtime_usec);
                put_string(f, "BARBWIRE_CAUSE", a->cause);
                put_number(f, "BARBWIRE_COUNT", a->count);
                put_number(f, "BARBWIRE_TOTAL", a->total);
                return 0;
        }
        if (a->kind == STATE_FOREIGN) {
                put_header(f, sentence, MESSAGE_ID_FOREIGN, LOG_NOTICE, a->realtime_usec);
                put_strings(f, "BARBWIRE_PROGRAM", a->programs);
                return 0;
        }
        if (a->kind == STATE_DELAY) {
                put_header(f, sentence, MESSAGE_ID_DELAY, PRIORITY_DELAY, a->realtime_usec);
                put_number(f, "BARBWIRE_COUNT", a->count);
                put_number(f, "BARBWIRE_DELAYED_MS", a->longest_usec / 1000);
                return 0;
        }
        put_header(f, sentence, MESSAGE_ID_POLICY, policy_priority(a), a->realtime_usec);
        put_string(f, "BARBWIRE_POLICY", a->hash);
        if (a->previous)
                put_string(f, "BARBWIRE_POLICY_BEFORE", a->previous);
        put_string(f, "BARBWIRE_POLICY_REFUSED", a->refused ? "1" : "0");
        put_number(f, "BARBWIRE_POLICY_ERRORS", a->n_errors);
        return 0;
}

static int entry_make(
        int (*put)(FILE *f, const void *alert, const char *json),
        const void *alert,
        const char *json,
        char **ret,
        size_t *ret_size) {
        _cleanup_free_ char *data = NULL;
        size_t size;
        _cleanup_fclose_ FILE *f = open_memstream(&data, &size);

        if (!f)
                return -ENOMEM;
        bool failed = put(f, alert, json) < 0 || ferror(f);
        /* It flushes, and that may be what fails, with an error or with NULL alone. */
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
