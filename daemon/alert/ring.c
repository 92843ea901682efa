/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Two circular buffers, indexed by sequence number: alerts, and the log. The members that a filter compares
 * are read from the JSON once, when the alert is put. Must not look at the clock or the system. */

#include <errno.h>
#include <string.h>

#include "alert/ring.h"
#include "alert/alert.h"
#include "basic/strv.h"
#include "basic/hash.h"
#include "basic/json-util.h"

typedef struct Item {
        char *line, *id, *unit, *incident; /* unit, incident: NULL when not known */
        char **classes;                    /* NULL-terminated */
        size_t size;
        uint64_t realtime_usec;
        Severity severity;
        int action; /* enum bw_action */
        uint32_t pid, uid;
} Item;

typedef struct LogItem {
        LineKind kind;
        uint64_t sequence; /* of an alert */
        char *state;       /* the line of a state alert */
} LogItem;

struct AlertRing {
        size_t n_max, n_bytes;
        uint64_t begin, end, log_begin, log_end;
        Item *items;
        uint64_t *hashes; /* of the ids, so that finding one of 4,096 takes a microsecond or two */
        LogItem *log;
};

static void item_done(Item *i) {
        strv_free(i->classes);
        free(i->line);
        free(i->id);
        free(i->unit);
        free(i->incident);
        *i = (Item){};
}

static Item *ring_item(const AlertRing *r, uint64_t sequence) {
        if (sequence < r->begin || sequence >= r->end)
                return NULL;
        return r->items + sequence % r->n_max;
}

static int classes_read(const json_t *array, char ***ret) {
        size_t n = 0;
        int r = 0;

        /* An empty list is a list, too. */
        *ret = calloc(1, sizeof(char *));
        if (!*ret)
                return -ENOMEM;
        for (size_t i = 0; r >= 0 && i < json_array_size(array); i++) {
                const char *name = json_string_value(json_array_get(array, i));

                r = name ? strv_extend(ret, &n, name) : -EBADMSG;
        }
        return r;
}

static int item_read(const json_t *alert, const char *line, Item *ret) {
        const char *id = json_string_value(json_object_get(alert, "id"));
        const char *severity = json_string_value(json_object_get(alert, "severity"));
        const json_t *process = json_object_get(alert, "process"),
                     *classes = json_object_get(alert, "classes");
        const json_t *pid = json_object_get(process, "pid"), *uid = json_object_get(process, "uid");
        const char *unit = json_string_value(json_object_get(process, "unit")),
                   *incident = json_string_value(json_object_get(alert, "incident"));
        const char *action = json_string_value(json_object_get(alert, "action"));
        Item i = {
                .action = action ? action_from_string(action) : BW_ACTION_ALERT,
                .severity = severity ? severity_from_string(severity) : _SEVERITY_INVALID,
                .pid = (uint32_t)json_integer_value(pid),
                .uid = (uint32_t)json_integer_value(uid),
                .size = strlen(line),
        };

        if (!id || i.severity < 0 || !json_is_integer(pid) || !json_is_integer(uid) ||
                        !json_is_array(classes) ||
                        json_to_time(json_object_get(alert, "time"), &i.realtime_usec) < 0)
                return -EBADMSG;

        int r = classes_read(classes, &i.classes);
        i.line = strdup(line);
        i.id = strdup(id);
        i.unit = unit ? strdup(unit) : NULL;
        i.incident = incident ? strdup(incident) : NULL;
        if (r >= 0 && (!i.line || !i.id || (unit && !i.unit) || (incident && !i.incident)))
                r = -ENOMEM;
        if (r < 0) {
                item_done(&i);
                return r;
        }
        *ret = i;
        return 0;
}

static void log_drop_oldest(AlertRing *r) {
        LogItem *i = r->log + r->log_begin++ % r->n_max;

        if (i->state)
                r->n_bytes -= strlen(i->state);
        free(i->state);
        *i = (LogItem){};
}

static void log_put(AlertRing *r, LogItem i) {
        if (r->log_end - r->log_begin == r->n_max)
                log_drop_oldest(r);
        r->log[r->log_end++ % r->n_max] = i;
}

static void ring_drop_oldest(AlertRing *r) {
        Item *i = ring_item(r, r->begin);

        r->n_bytes -= i->size;
        item_done(i);
        r->begin++;
}

/* Keeps the newest one, however large it is. */
static void ring_shrink(AlertRing *r) {
        while (r->n_bytes > ALERT_RING_BYTES_MAX && r->end - r->begin > 1)
                ring_drop_oldest(r);
        while (r->n_bytes > ALERT_RING_BYTES_MAX && r->log_end - r->log_begin > 1)
                log_drop_oldest(r);
}

int alert_ring_new(size_t n_max, AlertRing **ret) {
        _cleanup_(alert_ring_freep) AlertRing *r = calloc(1, sizeof(*r));

        if (!r)
                return -ENOMEM;
        r->n_max = n_max;
        r->items = calloc(n_max, sizeof(*r->items));
        r->hashes = calloc(n_max, sizeof(*r->hashes));
        r->log = calloc(n_max, sizeof(*r->log));
        if (!r->items || !r->hashes || !r->log)
                return -ENOMEM;
        *ret = STEAL_PTR(r);
        return 0;
}

AlertRing *alert_ring_free(AlertRing *r) {
        if (!r)
                return NULL;
        while (r->begin < r->end)
                ring_drop_oldest(r);
        while (r->log_begin < r->log_end)
                log_drop_oldest(r);
        free(r->items);
        free(r->hashes);
        free(r->log);
        free(r);
        return NULL;
}

/* Ids are ours: nobody chooses them so that they collide. */
static uint64_t id_hash(const char *id) {
        return fnv1a(FNV1A_INIT, id, strlen(id));
}

static bool ring_find_exact(const AlertRing *r, const char *id, uint64_t *ret_sequence) {
        uint64_t hash = id_hash(id);

        /* Walks the array, not the sequence numbers: a division for each would cost more than the rest. */
        for (size_t i = 0; i < r->n_max; i++)
                if (r->hashes[i] == hash && r->items[i].id && strcmp(r->items[i].id, id) == 0) {
                        *ret_sequence = r->begin + (i + r->n_max - r->begin % r->n_max) % r->n_max;
                        return true;
                }
        return false;
}

int alert_ring_put(AlertRing *r, const json_t *alert, const char *line) {
        uint64_t sequence;
        Item item;

        int e = item_read(alert, line, &item);
        if (e < 0)
                return e;

        if (ring_find_exact(r, item.id, &sequence)) {
                r->n_bytes -= ring_item(r, sequence)->size;
                item_done(ring_item(r, sequence));
        } else {
                if (r->end - r->begin == r->n_max)
                        ring_drop_oldest(r);
                sequence = r->end++;
        }
        r->items[sequence % r->n_max] = item;
        r->hashes[sequence % r->n_max] = id_hash(item.id);
        r->n_bytes += item.size;
        log_put(r, (LogItem){ .kind = LINE_ALERT, .sequence = sequence });
        ring_shrink(r);
        return 0;
}

int alert_ring_put_state(AlertRing *r, StateKind kind, const char *line) {
        static const LineKind kinds[] = {
                [STATE_LOSS] = LINE_LOSS,
                [STATE_POLICY] = LINE_POLICY,
                [STATE_FOREIGN] = LINE_FOREIGN,
                [STATE_DELAY] = LINE_DELAY,
                [STATE_SHARE] = LINE_SHARE,
                [STATE_FALLBACK] = LINE_FALLBACK,
        };
        char *copy = strdup(line);

        if (!copy)
                return -ENOMEM;
        r->n_bytes += strlen(copy);
        log_put(r, (LogItem){ .kind = kinds[kind], .state = copy });
        ring_shrink(r);
        return 0;
}

uint64_t alert_ring_begin(const AlertRing *r) {
        return r->begin;
}

uint64_t alert_ring_end(const AlertRing *r) {
        return r->end;
}

const char *alert_ring_line(const AlertRing *r, uint64_t sequence) {
        const Item *i = ring_item(r, sequence);

        return i ? i->line : NULL;
}

static bool item_has_class(const Item *i, const char *class) {
        for (char *const *c = i->classes; *c; c++)
                if (strcmp(*c, class) == 0)
                        return true;
        return false;
}

static bool item_is_selftest(const Item *i) {
        return i->classes[0] && !i->classes[1] && strcmp(i->classes[0], ALERT_SELFTEST_CLASS) == 0;
}

static bool item_matches(const Item *i, const AlertFilter *f) {
        return i->realtime_usec >= f->since_usec &&
               (f->until_usec == 0 || i->realtime_usec <= f->until_usec) && i->severity >= f->severity &&
               (!f->by_action || i->action == f->action) &&
               (f->class ? item_has_class(i, f->class) : !item_is_selftest(i)) &&
               (!f->unit || (i->unit && strcmp(i->unit, f->unit) == 0)) &&
               (!f->incident || (i->incident && strcmp(i->incident, f->incident) == 0)) &&
               (!f->by_pid || i->pid == f->pid) && (!f->by_uid || i->uid == f->uid);
}

bool alert_ring_matches(const AlertRing *r, uint64_t sequence, const AlertFilter *f) {
        const Item *i = ring_item(r, sequence);

        return i && item_matches(i, f);
}

int alert_matches(const json_t *alert, const AlertFilter *f) {
        Item i;

        int r = item_read(alert, "", &i);
        if (r < 0)
                return r;
        r = item_matches(&i, f);
        item_done(&i);
        return r;
}

const char *alert_ring_incident(const AlertRing *r, uint64_t sequence) {
        const Item *i = ring_item(r, sequence);

        return i ? i->incident : NULL;
}

uint64_t alert_ring_seek(const AlertRing *r, const AlertFilter *filter, size_t limit) {
        uint64_t sequence = r->end;

        for (uint64_t s = r->end; s-- > r->begin;) {
                if (!alert_ring_matches(r, s, filter))
                        continue;
                sequence = s;
                if (limit > 0 && --limit == 0)
                        break;
        }
        return sequence;
}

int alert_ring_find(const AlertRing *r, const char *id, uint64_t *ret_sequence) {
        uint64_t sequence = 0;
        bool found = false;

        if (ring_find_exact(r, id, ret_sequence))
                return 0;
        for (uint64_t s = r->begin; s < r->end; s++) {
                const char *dash = strchr(ring_item(r, s)->id, '-');

                if (!dash || strcmp(dash + 1, id) != 0)
                        continue;
                if (found)
                        return -ENOTUNIQ;
                found = true;
                sequence = s;
        }
        if (!found)
                return -ENOENT;
        *ret_sequence = sequence;
        return 0;
}

uint64_t alert_ring_log_begin(const AlertRing *r) {
        return r->log_begin;
}

uint64_t alert_ring_log_end(const AlertRing *r) {
        return r->log_end;
}

const char *alert_ring_log_line(const AlertRing *r, uint64_t number, LineKind *ret_kind) {
        if (number < r->log_begin || number >= r->log_end)
                return NULL;

        const LogItem *i = r->log + number % r->n_max;
        *ret_kind = i->kind;
        return i->kind == LINE_ALERT ? alert_ring_line(r, i->sequence) : i->state;
}
