/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <inttypes.h>
#include <string.h>

#include "alert/state.h"
#include "basic/escape.h"
#include "basic/json-util.h"
#include "basic/util.h"

static int loss_sentence(const StateAlert *a, char **ret) {
        if (a->remedy)
                return asprintf(ret,
                                "Detection gap (%s): %" PRIu64 " new, %" PRIu64 " in total: %s; remedy: %s",
                                a->cause, a->count, a->total, a->meaning, a->remedy);
        return asprintf(ret, "Detection gap (%s): %" PRIu64 " new, %" PRIu64 " in total: %s", a->cause,
                        a->count, a->total, a->meaning);
}

static int policy_sentence(const StateAlert *a, char **ret) {
        const char *what = !a->previous                        ? "Policy loaded"
                           : strcmp(a->previous, a->hash) == 0 ? "Policy reloaded without changes"
                                                               : "Policy changed";

        if (a->refused)
                return asprintf(ret,
                                "Reload failed, keeping the current policy (SHA-256 %s): run barbwired "
                                "--check "
                                "to see the errors",
                                a->hash);
        if (a->n_errors > 0)
                return asprintf(ret,
                                "%s (SHA-256 %s): %zu files, %zu classes, %zu allow rules; lines ignored "
                                "because of errors: %zu",
                                what, a->hash, a->n_files, a->n_classes, a->n_allows, a->n_errors);
        return asprintf(ret, "%s (SHA-256 %s): %zu files, %zu classes, %zu allow rules", what, a->hash,
                        a->n_files, a->n_classes, a->n_allows);
}

static int delay_sentence(const StateAlert *a, char **ret) {
        uint64_t sec = a->longest_usec / (uint64_t)USEC_PER_SEC;

        if (a->count == 1)
                return asprintf(ret,
                                "1 alert was delivered late, %" PRIu64
                                " s after the event, because its receiver had stopped or was too slow; it "
                                "was "
                                "not lost",
                                sec);
        return asprintf(ret,
                        "%" PRIu64 " alerts were delivered late, up to %" PRIu64
                        " s after the event, because their receiver had stopped or was too slow; none was "
                        "lost",
                        a->count, sec);
}

/* "a, b, c", newly allocated; NULL when out of memory. */
static char *strings_text(char *const *strings) {
        TextStream text;
        FILE *f = text_open(&text);

        if (!f)
                return NULL;
        for (char *const *p = strings; *p; p++)
                fprintf(f, p == strings ? "%s" : ", %s", *p);
        return text_take(&text);
}

static int fallback_sentence(const StateAlert *a, char **ret) {
        _cleanup_free_ char *services = strings_text(a->programs);
        size_t n = 0;

        if (!services)
                return -1;
        while (a->programs[n])
                n++;
        return asprintf(ret,
                        "Class %s has fallen back to dry-run until the policy changes: within an hour after "
                        "the last change, trusted programs of %zu services were refused something (%s)",
                        a->class, n, services);
}

static int foreign_sentence(const StateAlert *a, char **ret) {
        _cleanup_free_ char *programs = strings_text(a->programs);

        if (!programs)
                return -1;
        return asprintf(ret,
                        "Other BPF programs are attached to the network hooks and may block or redirect "
                        "connections: %s",
                        programs);
}

#define BEYOND_MARKS "what is read beyond it is only known of the user and cgroup as a whole"
#define BEYOND_FILES "other files of the same class are only known by the name that they are opened by"
#define BEYOND_LINEAGES "the ancestors of further ones are not known, and no [Allow] applies to them"
#define BEYOND_MAPPINGS                                                                                     \
        "data that passes through further ones is only known of the user and cgroup as a whole"
#define BEYOND_NAMES "alerts may lack the paths of further ones"
#define BEYOND_RINGS "what further ones open or receive in batches may be missed"

static const struct {
        const char *name, *entries, *beyond;
} share_tables[BW_SHARE_TABLES] = {
        [BW_SHARE_MARKS] = { "processes", "marked processes", BEYOND_MARKS },
        [BW_SHARE_OBJECTS] = { "objects", "marked objects", BEYOND_MARKS },
        [BW_SHARE_FILES] = { "files", "remembered sensitive files", BEYOND_FILES },
        [BW_SHARE_LINEAGES] = { "lineages", "running processes", BEYOND_LINEAGES },
        [BW_SHARE_MAPPINGS] = { "mappings", "shared mappings", BEYOND_MAPPINGS },
        [BW_SHARE_NAMES] = { "names", "names of executables and files", BEYOND_NAMES },
        [BW_SHARE_RINGS] = { "rings", "io_uring rings", BEYOND_RINGS },
};

/* A name that anybody may have chosen, as text. */
static char *name_text(const char *name) {
        char *text = NULL;
        size_t size;

        _cleanup_fclose_ FILE *f = open_memstream(&text, &size);
        if (!f)
                return NULL;
        text_put_name_bytes(f, name, strlen(name));
        if (text_close(&f) < 0) {
                free(text);
                return NULL;
        }
        return text;
}

static int share_sentence(const StateAlert *a, char **ret) {
        _cleanup_free_ char *comm = name_text(a->share->comm),
                            *cgroup = name_text(a->share->cgroup[0] ? a->share->cgroup : "/");

        if (!comm || !cgroup)
                return -1;
        const char *what = share_tables[a->share->table].entries;
        _cleanup_free_ char *whose = NULL;

        if (a->share->cgroup_id == 0 ? asprintf(&whose, "their share of %s", what) < 0
                                     : asprintf(&whose, "the share of %s of the cgroup %s", what, cgroup) <
                                                        0)
                return -1;
        return asprintf(ret,
                        "User %" PRIu32 " has filled %s (%" PRIu64 ", the latest by %s, pid %" PRIu32
                        "): %s",
                        a->share->uid, whose, a->share->live, comm, a->share->pid,
                        share_tables[a->share->table].beyond);
}

const char *heartbeat_event_to_string(HeartbeatEvent event) {
        static const char *const names[_HEARTBEAT_MAX] = {
                [HEARTBEAT_START] = "start", [HEARTBEAT_HOUR] = "hour", [HEARTBEAT_STOP] = "stop"
        };

        return names[event];
}

static int heartbeat_sentence(const StateAlert *a, char **ret) {
        static const char *const what[_HEARTBEAT_MAX] = { [HEARTBEAT_START] = "Monitoring has started",
                [HEARTBEAT_HOUR] = "Monitoring goes on",
                [HEARTBEAT_STOP] = "Monitoring has ended" };

        return asprintf(ret, "%s: barbwired %s, sensor %s, policy SHA-256 %s, %s; losses: %" PRIu64,
                        what[a->event], a->version, a->sensor, a->hash, a->reasons[0] ? "degraded" : "ok",
                        a->total);
}

static json_t *heartbeat_members(const StateAlert *a) {
        return json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:I}", "event", heartbeat_event_to_string(a->event),
                        "version", a->version, "sensor", a->sensor, "health",
                        a->reasons[0] ? "degraded" : "ok", "reasons", json_from_strings(a->reasons),
                        "policy", a->hash, "losses", (json_int_t)a->total);
}

static json_t *loss_members(const StateAlert *a) {
        return json_pack("{s:s, s:I, s:I}", "cause", a->cause, "count", (json_int_t)a->count, "total",
                        (json_int_t)a->total);
}

static json_t *policy_members(const StateAlert *a) {
        return json_pack("{s:s, s:s?, s:b, s:I, s:I, s:I, s:I}", "hash", a->hash, "previous", a->previous,
                        "refused", a->refused, "files", (json_int_t)a->n_files, "classes",
                        (json_int_t)a->n_classes, "allows", (json_int_t)a->n_allows, "errors",
                        (json_int_t)a->n_errors);
}

static json_t *delay_members(const StateAlert *a) {
        return json_pack("{s:I, s:I}", "count", (json_int_t)a->count, "longest_ms",
                        (json_int_t)(a->longest_usec / 1000));
}

static json_t *foreign_members(const StateAlert *a) {
        return json_pack("{s:o}", "programs", json_from_strings(a->programs));
}

static json_t *fallback_members(const StateAlert *a) {
        return json_pack("{s:s, s:o}", "class", a->class, "services", json_from_strings(a->programs));
}

static json_t *share_members(const StateAlert *a) {
        const EventShare *s = a->share;

        return json_pack("{s:s, s:I, s:o, s:I, s:I, s:o, s:I, s:I}", "table", share_tables[s->table].name,
                        "uid", (json_int_t)s->uid, "cgroup",
                        s->cgroup_id ? json_from_bytes(s->cgroup, strlen(s->cgroup)) : json_null(),
                        "cgroup_id", (json_int_t)s->cgroup_id, "pid", (json_int_t)s->pid, "comm",
                        json_from_bytes(s->comm, strlen(s->comm)), "live", (json_int_t)s->live, "refused",
                        (json_int_t)s->refused);
}

const char *share_table_name(unsigned table) {
        return share_tables[table].name;
}

static const struct {
        const char *name;
        int (*sentence)(const StateAlert *a, char **ret);
        json_t *(*members)(const StateAlert *a);
} kinds[] = {
        [STATE_LOSS] = { "loss", loss_sentence, loss_members },
        [STATE_POLICY] = { "policy", policy_sentence, policy_members },
        [STATE_FOREIGN] = { "foreign", foreign_sentence, foreign_members },
        [STATE_DELAY] = { "delay", delay_sentence, delay_members },
        [STATE_SHARE] = { "share", share_sentence, share_members },
        [STATE_HEARTBEAT] = { "heartbeat", heartbeat_sentence, heartbeat_members },
        [STATE_FALLBACK] = { "fallback", fallback_sentence, fallback_members },
};

StateAlert state_alert_policy(const Policy *p, bool refused, const char *previous, uint64_t realtime_usec) {
        return (StateAlert){
                .kind = STATE_POLICY,
                .realtime_usec = realtime_usec,
                .hash = p->hash,
                .previous = previous,
                .refused = refused,
                .n_files = p->n_files,
                .n_classes = p->n_classes,
                .n_allows = p->n_allows,
                .n_errors = p->n_errors,
        };
}

StateAlert state_alert_foreign(char *const *programs, uint64_t realtime_usec) {
        return (StateAlert){
                .kind = STATE_FOREIGN,
                .realtime_usec = realtime_usec,
                .meaning = "Other BPF programs are attached to the network hooks.",
                .programs = programs,
        };
}

StateAlert state_alert_share(const EventShare *share, uint64_t realtime_usec) {
        return (StateAlert){ .kind = STATE_SHARE, .realtime_usec = realtime_usec, .share = share };
}

char *state_alert_sentence(const StateAlert *a) {
        char *s = NULL;

        return kinds[a->kind].sentence(a, &s) < 0 ? NULL : s;
}

char *state_alert_json(const StateAlert *a) {
        _cleanup_free_ char *sentence = state_alert_sentence(a);
        char *line = NULL;

        if (!sentence)
                return NULL;
        json_auto_t *o = json_pack("{s:s, s:s, s:o, s:s}", "kind", "state", "state", kinds[a->kind].name,
                        "time", json_from_time(a->realtime_usec), "summary", sentence);
        json_auto_t *more = kinds[a->kind].members(a);

        if (json_object_update(o, more) < 0 || json_to_line(o, &line) < 0)
                return NULL;
        return line;
}
