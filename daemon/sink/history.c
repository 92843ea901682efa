/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Reads the journal backwards, so that the newest alerts are found even when time or room does not suffice
 * for all.
 *
 * A repeated alert was written twice, with the same id: the later entry counts, and the alert keeps the
 * place of the first one, as in alert/ring.h. Neither the alerts' times nor their ids give that order:
 * alerts of two CPUs are written in the order in which the kernel's ring buffer accepted them. */

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <systemd/sd-journal.h>

#include "alert/ring.h"
#include "event/cgroup-path.h"
#include "sink/history.h"
#include "sink/reader.h"
#include "alert/message-ids.h"
#include "basic/sigbus-guard.h"
#include "basic/time-util.h"
#include "basic/util.h"

/* Records wait in the kernel's ring buffer meanwhile, which must not fill. 4,096 alerts of usual size take
 * about 0.6 s on a slow machine, most of it for parsing their JSON; the rest is for journals that are read
 * from disk. */
#define WALK_USEC_MAX (2 * USEC_PER_SEC)

typedef struct Past {
        char *line; /* as it was written last */
        size_t size;
        uint64_t steps;  /* back from the journal's end to its oldest entry that was read */
        bool from_first; /* that entry was its first one */
} Past;

typedef struct History {
        sd_journal *journal;
        json_t *places; /* id → index in items: used as a hash table */
        Past *items;
        size_t n_items, n_allocated;
        size_t n_from_first, n_bytes;
} History;

static void history_done(History *h) {
        for (size_t i = 0; i < h->n_items; i++)
                free(h->items[i].line);
        free(h->items);
        json_decref(h->places);
        sd_journal_close(h->journal);
}

int journal_history_unit(const char *cgroup, char **ret) {
        static const char service[] = ".service";
        Bytes name = cgroup_system_unit((Bytes){ .data = cgroup, .size = strlen(cgroup) });
        const char *end = name.data + name.size;

        if (*end || name.size <= strlen(service) || strcmp(end - strlen(service), service) != 0)
                return -ENXIO;
        /* systemd prefixes names that could be mistaken for the kernel's own files. */
        char *unit = strdup(name.data + (name.data[0] == '_'));
        if (!unit)
                return -ENOMEM;
        *ret = unit;
        return 0;
}

/* Not sd_pid_get_unit(): it also reads /proc/1, which ProtectProc=invisible hides. */
static int own_unit(char **ret) {
        _cleanup_fclose_ FILE *f = fopen("/proc/self/cgroup", "re");
        _cleanup_free_ char *line = NULL;
        size_t n_allocated = 0;

        if (!f)
                return -errno;
        while (getline(&line, &n_allocated, f) > 0)
                if (strncmp(line, "0::", 3) == 0) {
                        line[strcspn(line, "\n")] = '\0';
                        return journal_history_unit(line + 3, ret);
                }
        return -ENXIO;
}

static int history_match(History *h, const char *unit) {
        _cleanup_free_ char *unit_match = NULL, *uid_match = NULL;
        int r;

        /* journald looks up the sender's unit by its PID, which may be reused by then; the kernel itself
         * adds the uid to the datagram (unix(7), SCM_CREDENTIALS). */
        if (asprintf(&unit_match, "_SYSTEMD_UNIT=%s", unit) < 0)
                return -ENOMEM;
        if (asprintf(&uid_match, "_UID=%u", geteuid()) < 0)
                return -ENOMEM;
        r = sd_journal_add_match(h->journal, unit_match, 0);
        if (r >= 0)
                r = sd_journal_add_match(h->journal, uid_match, 0);
        if (r >= 0)
                r = sd_journal_add_match(h->journal, "MESSAGE_ID=" MESSAGE_ID_ALERT, 0);
        return r;
}

static int history_open(History *h) {
        _cleanup_free_ char *unit = NULL;
        int r;

        r = own_unit(&unit);
        if (r < 0)
                return r;
        h->places = json_object();
        if (!h->places)
                return -ENOMEM;

        /* The system's own files: neither those of users' processes nor those of other machines. */
        r = sd_journal_open(&h->journal, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);
        if (r < 0)
                return r;
        /* It also succeeds when no file is readable. */
        if (sd_journal_has_runtime_files(h->journal) == 0 &&
                        sd_journal_has_persistent_files(h->journal) == 0)
                return -ENOENT;
        r = sd_journal_set_data_threshold(h->journal, 0);
        if (r >= 0)
                r = history_match(h, unit);
        if (r >= 0)
                r = sd_journal_seek_tail(h->journal);
        return r;
}

/* Takes ownership of line. */
static int history_add(History *h, const char *id, char *line, size_t size) {
        _cleanup_free_ char *owned = line;

        if (h->n_items == h->n_allocated) {
                size_t n = MAX(h->n_allocated * 2, (size_t)64);
                Past *items = reallocarray(h->items, n, sizeof(*items));
                if (!items)
                        return -ENOMEM;
                h->items = items;
                h->n_allocated = n;
        }
        if (json_object_set_new(h->places, id, json_integer((json_int_t)h->n_items)) < 0)
                return -ENOMEM;
        h->items[h->n_items++] = (Past){ .line = STEAL_PTR(owned), .size = size };
        h->n_bytes += size;
        return 0;
}

/* Adds the current entry. 1: no room for it; negative: it is not an alert of ours. */
static int history_take(History *h, uint64_t steps) {
        _cleanup_free_ char *id = NULL, *repeats = NULL, *line = NULL;
        size_t size;
        int r;

        r = journal_entry_get(h->journal, "BARBWIRE_ALERT_ID", &id, &size);
        if (r >= 0)
                r = journal_entry_get(h->journal, "BARBWIRE_REPEATS", &repeats, &size);
        if (r < 0)
                return r;

        const json_t *place = json_object_get(h->places, id);
        if (!place) {
                json_auto_t *alert = NULL;

                r = journal_entry_alert(h->journal, &line, &size, &alert);
                if (r < 0)
                        return r;
                if (size > ALERT_RING_BYTES_MAX - h->n_bytes)
                        return 1;
                r = history_add(h, id, STEAL_PTR(line), size);
                if (r < 0)
                        return r;
        }

        Past *past = &h->items[place ? (size_t)json_integer_value(place) : h->n_items - 1];
        past->steps = steps;
        if (!past->from_first && strcmp(repeats, "0") == 0) {
                past->from_first = true;
                h->n_from_first++;
        }
        return 0;
}

/* Stops after n_max alerts whose first entry was read: all others are older. */
static int history_walk(History *h, size_t n_max) {
        uint64_t end = time_now_usec(CLOCK_MONOTONIC) + WALK_USEC_MAX;

        for (uint64_t steps = 0; h->n_from_first < n_max; steps++) {
                if (time_now_usec(CLOCK_MONOTONIC) >= end)
                        break;
                int r = sd_journal_previous(h->journal);
                if (r <= 0)
                        return r;
                r = history_take(h, steps);
                if (r == -ENOMEM)
                        return r;
                if (r > 0)
                        break;
        }
        return 0;
}

/* The oldest first. An alert whose first entry was not reached is older than all others. */
static int past_compare(const void *a, const void *b) {
        const Past *x = a, *y = b;

        if (x->from_first != y->from_first)
                return x->from_first ? 1 : -1;
        return x->steps > y->steps ? -1 : x->steps < y->steps;
}

static int history_deliver(History *h, size_t n_max, JournalHistoryHandler handler, void *userdata) {
        int n = 0;

        if (h->n_items > 0)
                qsort(h->items, h->n_items, sizeof(*h->items), past_compare);
        for (size_t i = h->n_items - MIN(h->n_items, n_max); i < h->n_items; i++) {
                json_auto_t *alert = NULL;
                int r = journal_alert_parse(NULL, h->items[i].line, h->items[i].size, &alert);

                if (r >= 0)
                        r = handler(alert, h->items[i].line, userdata);
                if (r < 0 && r != -EBADMSG)
                        return r;
                n += r >= 0;
        }
        return n;
}

static int history_read(size_t n_max, JournalHistoryHandler handler, void *userdata) {
        _cleanup_(history_done) History h = {};
        int r, walked;

        r = history_open(&h);
        if (r < 0)
                return r;
        walked = history_walk(&h, n_max);
        r = history_deliver(&h, n_max, handler, userdata);
        return walked < 0 ? walked : r;
}

int journal_history_read(size_t n_max, JournalHistoryHandler handler, void *userdata) {
        struct sigaction before;
        int r;

        /* libsystemd maps the journal's files, and a failing disk must not keep the daemon from starting. */
        r = sigbus_guard_begin(&before);
        if (r < 0)
                return r;
        r = history_read(n_max, handler, userdata);
        sigbus_guard_end(&before);
        return r;
}
