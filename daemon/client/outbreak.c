/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Each alert has some keys: its program with each class, and its address. Alerts of one key are looked at in
 * the order of time, through a window of an hour; where that has enough hosts, all in it are linked. Alerts
 * that two keys link are one outbreak. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/escape.h"
#include "basic/json-util.h"
#include "client/outbreak.h"

typedef struct Key {
        const char *what, *class;
        uint64_t usec;
        uint32_t row, host;
} Key;

typedef struct Finder {
        AlertRows *rows;
        OutbreakNamed named;
        void *userdata;
        Key *keys;
        size_t n, n_allocated;
        const char **hosts; /* sorted by address */
        size_t n_hosts;
        uint32_t *n_in_window; /* alerts by host */
        uint32_t *parents;     /* by row: another one of its outbreak, at last the first one */
        bool *members;         /* by row */
} Finder;

static int by_pointer(const void *a, const void *b) {
        const char *x = *(const char *const *)a, *y = *(const char *const *)b;

        return x < y ? -1 : x > y;
}

static int by_key(const void *a, const void *b) {
        const Key *x = a, *y = b;

        if (x->what != y->what)
                return x->what < y->what ? -1 : 1;
        if (x->class != y->class)
                return x->class < y->class ? -1 : 1;
        if (x->usec != y->usec)
                return x->usec < y->usec ? -1 : 1;
        return x->row < y->row ? -1 : x->row > y->row;
}

static int key_add(Finder *f, Key key) {
        if (f->n == f->n_allocated) {
                size_t n = MAX(f->n_allocated * 2, (size_t)256);
                Key *keys = reallocarray(f->keys, n, sizeof(*keys));

                if (!keys)
                        return -ENOMEM;
                f->keys = keys;
                f->n_allocated = n;
        }
        f->keys[f->n++] = key;
        return 0;
}

static int keys_of_row(Finder *f, uint32_t i) {
        const AlertRow *row = f->rows->items + i;
        const char *const *host = bsearch(&row->host, f->hosts, f->n_hosts, sizeof(*f->hosts), by_pointer);
        Key key = { .usec = row->usec, .row = i, .host = (uint32_t)(host - f->hosts) };
        int r = 0;

        if (row->selftest)
                return 0;
        for (const char *c = row->classes; r >= 0 && *c && row->program[0];) {
                size_t n = strcspn(c, ",");
                _cleanup_free_ char *class = strndup(c, n);

                key.what = row->program;
                key.class = class ? alert_rows_text(f->rows, class) : NULL;
                r = key.class ? key_add(f, key) : -ENOMEM;
                c += n + (c[n] == ',');
        }
        key.what = row->address;
        key.class = NULL;
        return r >= 0 && row->address[0] ? key_add(f, key) : r;
}

static uint32_t root_of(Finder *f, uint32_t row) {
        while (f->parents[row] != row)
                row = f->parents[row] = f->parents[f->parents[row]];
        return row;
}

static void link_rows(Finder *f, uint32_t a, uint32_t b) {
        uint32_t x = root_of(f, a), y = root_of(f, b);

        /* Rows are sorted: the root is the earliest. */
        f->parents[MAX(x, y)] = MIN(x, y);
        f->members[a] = f->members[b] = true;
}

/* The alerts first … end - 1 of the keys are of the same key. */
static void group_look(Finder *f, size_t first, size_t end) {
        size_t n_hosts = 0, linked = first; /* all before that are linked already */

        for (size_t last = first, begin = first; last < end; last++) {
                n_hosts += f->n_in_window[f->keys[last].host]++ == 0;
                while (f->keys[last].usec - f->keys[begin].usec > OUTBREAK_USEC)
                        n_hosts -= --f->n_in_window[f->keys[begin++].host] == 0;
                if (n_hosts < OUTBREAK_HOSTS)
                        continue;
                for (size_t i = MAX(begin, linked); i <= last; i++)
                        link_rows(f, f->keys[begin].row, f->keys[i].row);
                linked = last + 1;
        }
        for (size_t i = first; i < end; i++)
                f->n_in_window[f->keys[i].host] = 0;
}

static int finder_run(Finder *f) {
        int r = 0;

        for (uint32_t i = 0; i < f->rows->n; i++) {
                f->hosts[i] = f->rows->items[i].host;
                f->parents[i] = i;
        }
        qsort(f->hosts, f->rows->n, sizeof(*f->hosts), by_pointer);
        for (size_t i = 0; i < f->rows->n; i++)
                if (f->n_hosts == 0 || f->hosts[f->n_hosts - 1] != f->hosts[i])
                        f->hosts[f->n_hosts++] = f->hosts[i];
        if (f->n_hosts < OUTBREAK_HOSTS)
                return 0;
        for (uint32_t i = 0; r >= 0 && i < f->rows->n; i++)
                r = keys_of_row(f, i);
        if (r < 0 || f->n == 0)
                return r;
        qsort(f->keys, f->n, sizeof(*f->keys), by_key);
        for (size_t i = 0, end; i < f->n; i = end) {
                for (end = i + 1; end < f->n && f->keys[end].what == f->keys[i].what &&
                                  f->keys[end].class == f->keys[i].class;)
                        end++;
                if (end - i >= OUTBREAK_HOSTS &&
                                (f->keys[i].class || !f->named || !f->named(f->keys[i].what, f->userdata)))
                        group_look(f, i, end);
        }
        return 0;
}

/* Numbers the outbreaks, and raises their alerts. */
static int outbreaks_make(Finder *f, Outbreak **ret, size_t *ret_n) {
        size_t n = 0;

        for (uint32_t i = 0; i < f->rows->n; i++)
                n += f->members[i] && root_of(f, i) == i;
        Outbreak *outbreaks = calloc(n + 1, sizeof(*outbreaks));
        if (!outbreaks)
                return -ENOMEM;
        n = 0;
        for (uint32_t i = 0; i < f->rows->n; i++) {
                AlertRow *row = f->rows->items + i;
                uint32_t root = root_of(f, i);

                if (!f->members[i])
                        continue;
                if (root == i) {
                        outbreaks[n] = (Outbreak){ .first_usec = row->usec, .id = row->id };
                        row->outbreak = (unsigned)++n;
                }
                row->outbreak = f->rows->items[root].outbreak;
                Outbreak *o = outbreaks + row->outbreak - 1;
                o->last_usec = row->usec;
                o->n_alerts++;
                row->severity = MIN(row->severity + 1, SEVERITY_HIGH);
        }
        *ret = outbreaks;
        *ret_n = n;
        return 0;
}

typedef struct Member {
        const char *what, *class;
        unsigned outbreak;
        uint32_t host;
} Member;

static int by_outbreak(const void *a, const void *b) {
        const Member *x = a, *y = b;

        if (x->outbreak != y->outbreak)
                return x->outbreak < y->outbreak ? -1 : 1;
        return x->host < y->host ? -1 : x->host > y->host;
}

static int by_cause(const void *a, const void *b) {
        const Member *x = a, *y = b;

        if (x->outbreak != y->outbreak)
                return x->outbreak < y->outbreak ? -1 : 1;
        if (x->what != y->what)
                return x->what < y->what ? -1 : 1;
        if (x->class != y->class)
                return x->class < y->class ? -1 : 1;
        return x->host < y->host ? -1 : x->host > y->host;
}

/* Counts the hosts of each, and names what enough of them have in common. */
static int outbreaks_count(Finder *f, Outbreak *outbreaks) {
        _cleanup_free_ Member *members = calloc(f->n + 1, sizeof(*members));
        size_t n = 0, n_hosts = 0;

        if (!members)
                return -ENOMEM;
        for (size_t i = 0; i < f->n; i++)
                if (f->members[f->keys[i].row])
                        members[n++] = (Member){ .what = f->keys[i].what,
                                .class = f->keys[i].class,
                                .host = f->keys[i].host,
                                .outbreak = f->rows->items[f->keys[i].row].outbreak };
        qsort(members, n, sizeof(*members), by_outbreak);
        for (size_t i = 0; i < n; i++)
                outbreaks[members[i].outbreak - 1].n_hosts +=
                                i == 0 || by_outbreak(members + i - 1, members + i) != 0;
        qsort(members, n, sizeof(*members), by_cause);
        for (size_t i = 0; i < n; i++) {
                const Member *m = members + i;
                bool same = i > 0 && m[-1].outbreak == m->outbreak && m[-1].what == m->what &&
                            m[-1].class == m->class;

                n_hosts = !same ? 1 : n_hosts + (m[-1].host != m->host);
                /* Once: with the host that makes it enough. */
                if (n_hosts != OUTBREAK_HOSTS || (same && m[-1].host == m->host))
                        continue;
                if (!m->class && f->named && f->named(m->what, f->userdata))
                        continue;
                Outbreak *o = outbreaks + m->outbreak - 1;
                if (o->n_causes < OUTBREAK_CAUSES_MAX)
                        o->causes[o->n_causes] = (OutbreakCause){ .what = m->what, .class = m->class };
                o->n_causes++;
        }
        return 0;
}

int outbreaks_find(AlertRows *rows, OutbreakNamed named, void *userdata, Outbreak **ret, size_t *ret_n) {
        Finder f = { .rows = rows, .named = named, .userdata = userdata };

        f.hosts = calloc(rows->n + 1, sizeof(*f.hosts));
        f.n_in_window = calloc(rows->n + 1, sizeof(*f.n_in_window));
        f.parents = calloc(rows->n + 1, sizeof(*f.parents));
        f.members = calloc(rows->n + 1, sizeof(*f.members));
        int r = f.hosts && f.n_in_window && f.parents && f.members ? finder_run(&f) : -ENOMEM;
        if (r >= 0)
                r = outbreaks_make(&f, ret, ret_n);
        if (r >= 0) {
                r = outbreaks_count(&f, *ret);
                if (r < 0)
                        free(STEAL_PTR(*ret));
        }
        free(f.keys);
        free(f.hosts);
        free(f.n_in_window);
        free(f.parents);
        free(f.members);
        return r;
}

static void put_cause(FILE *f, const OutbreakCause *cause) {
        const char *port = strchr(cause->what, ' ');

        if (cause->class)
                fprintf(f, "the program %s (class %s)", cause->what, cause->class);
        else
                fprintf(f, "the destination %.*s, port %s", (int)(port ? port - cause->what : 0),
                                cause->what, port ? port + 1 : "?");
}

char *outbreak_causes(const Outbreak *o) {
        TextStream text;
        FILE *f = text_open(&text);

        if (!f)
                return NULL;
        for (size_t i = 0; i < MIN(o->n_causes, (size_t)OUTBREAK_CAUSES_MAX); i++) {
                fputs(i > 0 ? "; " : "", f);
                put_cause(f, o->causes + i);
        }
        if (o->n_causes > OUTBREAK_CAUSES_MAX)
                fprintf(f, "; and %zu more", o->n_causes - OUTBREAK_CAUSES_MAX);
        return text_take(&text);
}

json_t *outbreak_to_json(const Outbreak *o, Severity before) {
        json_auto_t *causes = json_array();

        for (size_t i = 0; i < MIN(o->n_causes, (size_t)OUTBREAK_CAUSES_MAX); i++) {
                const OutbreakCause *cause = o->causes + i;
                json_t *c = cause->class ? json_pack("{s:s, s:s}", "program", cause->what, "class",
                                                           cause->class)
                                         : json_pack("{s:s}", "destination", cause->what);

                if (json_array_append_new(causes, c) < 0)
                        return NULL;
        }
        return json_pack("{s:s, s:s, s:I, s:I, s:o, s:o, s:O, s:I, s:I, s:o}", "id", o->id,
                        "severity_before", severity_to_string(before), "hosts", (json_int_t)o->n_hosts,
                        "alerts", (json_int_t)o->n_alerts, "first", json_from_time(o->first_usec), "last",
                        json_from_time(o->last_usec), "causes", causes, "causes_total",
                        (json_int_t)o->n_causes, "policy_changed_hosts", (json_int_t)o->n_changed,
                        "policy_changed",
                        o->n_changed > 0 ? json_pack("{s:s, s:o}", "host", o->changed_host, "time",
                                                           json_from_time(o->changed_usec))
                                         : json_null());
}
