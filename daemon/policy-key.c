/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The keys of each section and what they take. An empty value restores the default or empties the list. A
 * value that is wrong is reported and changes nothing. */

#include <errno.h>
#include <string.h>

#include "glob-automaton.h"
#include "policy-build.h"
#include "policy-parser.h"
#include "policy-values.h"

/* Shorter than a fork and a connect can take on a loaded machine, a window finds nothing; a mark older than
 * a day accuses whatever a login session does next. */
#define WINDOW_MIN_USEC USEC_PER_SEC
#define WINDOW_MAX_USEC (86400 * USEC_PER_SEC)
#define SCORE_MAX 100
/* An idle desktop runs some 200 processes; at a million the tables take hundreds of MiB of kernel memory. */
#define TABLE_MIN 256
#define TABLE_MAX (1U << 20)
/* The smallest holds five of the largest records, the largest a second of 20,000 medium ones (bpf/event.h).
 */
#define RING_MIN_BYTES (UINT64_C(256) << 10)
#define RING_MAX_BYTES (UINT64_C(256) << 20)
/* 4,096 alerts take some 12 MiB; among many more, looking for one would take longer than a turn of the loop may. */
#define ALERTS_MIN 1
#define ALERTS_MAX (1U << 16)

static PolicyClass *parser_class(const Parser *ps) {
        return ps->policy->classes + ps->index;
}

static PolicyAllow *parser_allow(const Parser *ps) {
        return ps->policy->allows + ps->index;
}

static int report_too_many(Parser *ps, PolicyOrigin origin) {
        return parser_report_at(ps, origin,
                        "more than %u items in one list; use globs, or split the section in two",
                        POLICY_ITEMS_MAX);
}

static int globs_assign(Parser *ps, size_t value, PolicyGlob **globs, size_t *n_globs, bool home_allowed) {
        if (!ps->line[value])
                policy_globs_clear(globs, n_globs);

        for (;;) {
                const char *message = NULL;
                size_t offset = 0, home = 0; /* bytes of ~ that glob_check() is not shown */

                int r = parser_read_item(ps, &value);
                if (r == 0 || r == -ENOMEM)
                        return r;
                if (r < 0)
                        continue;

                if (ps->item[0] == '~' && !home_allowed)
                        message = "an executable in a home can be replaced by its user: write the absolute "
                                  "path of one that only root can change";
                else if (ps->item[0] == '~' && ps->item[1] != '/') {
                        offset = 1;
                        message = "after ~ comes /: ~/ stands for every user's home, one user's is an "
                                  "absolute path";
                } else if (ps->item[0] == '~')
                        home = 1;
                else if (ps->item[0] != '/')
                        message = home_allowed ? "a path begins with / or ~/; for a name in any directory "
                                                 "write /**/NAME"
                                               : "a path begins with /";

                if (!message) {
                        r = glob_check(ps->item + home, &offset, &message);
                        if (r == -ENOMEM)
                                return r;
                        offset += home;
                }
                if (message)
                        r = parser_report_at(
                                        ps, parser_item_origin(ps, MIN(offset, ps->n_item)), "%s", message);
                else {
                        r = policy_globs_append(globs, n_globs, ps->item, parser_item_origin(ps, 0));
                        if (r == -E2BIG)
                                return report_too_many(ps, parser_item_origin(ps, 0));
                }
                if (r < 0)
                        return r;
        }
}

static int assign_paths(Parser *ps, size_t value) {
        PolicyClass *c = parser_class(ps);
        return globs_assign(ps, value, &c->paths, &c->n_paths, true);
}

static int assign_excludes(Parser *ps, size_t value) {
        PolicyClass *c = parser_class(ps);
        return globs_assign(ps, value, &c->excludes, &c->n_excludes, true);
}

static int assign_exes(Parser *ps, size_t value) {
        PolicyAllow *a = parser_allow(ps);
        return globs_assign(ps, value, &a->exes, &a->n_exes, false);
}

static int report_value(Parser *ps, size_t value, const ValueError *e) {
        return parser_report(ps, value + e->offset, "%s", e->text);
}

static int report_item(Parser *ps, const ValueError *e) {
        return parser_report_at(ps, parser_item_origin(ps, MIN(e->offset, ps->n_item)), "%s", e->text);
}

static int assign_window(Parser *ps, size_t value) {
        uint64_t usec = POLICY_WINDOW_DEFAULT_USEC;
        ValueError e;

        if (ps->line[value] && value_parse_timespan(ps->line + value, WINDOW_MIN_USEC, WINDOW_MAX_USEC,
                                               &usec, &e) < 0)
                return report_value(ps, value, &e);
        parser_class(ps)->window_usec = usec;
        return 0;
}

static int assign_score(Parser *ps, size_t value) {
        unsigned score = POLICY_SCORE_DEFAULT;
        ValueError e;

        if (ps->line[value] && value_parse_number(ps->line + value, 0, SCORE_MAX, &score, &e) < 0)
                return report_value(ps, value, &e);
        parser_class(ps)->score = score;
        return 0;
}

static int assign_severity(Parser *ps, size_t value) {
        Severity s = severity_from_string(ps->line + value);

        if (ps->line[value] && s == _SEVERITY_INVALID)
                return parser_report(ps, value,
                                "must be low, medium or high, or empty: it then follows from the score");
        parser_class(ps)->severity = s;
        return 0;
}

static int assign_description(Parser *ps, size_t value) {
        _cleanup_free_ char *copy = NULL;
        PolicyClass *c = parser_class(ps);
        ValueError e;

        if (value_check_utf8(ps->line + value, &e) < 0)
                return report_value(ps, value, &e);
        if (ps->line[value]) {
                copy = strdup(ps->line + value);
                if (!copy)
                        return -ENOMEM;
        }
        free(c->description);
        c->description = STEAL_PTR(copy);
        return 0;
}

static int assign_techniques(Parser *ps, size_t value) {
        PolicyClass *c = parser_class(ps);
        ValueError e;
        int r;

        if (!ps->line[value])
                policy_strv_clear(&c->techniques, &c->n_techniques);

        while ((r = parser_read_item(ps, &value)) != 0) {
                if (r > 0)
                        r = value_check_technique(ps->item, &e) < 0
                                            ? report_item(ps, &e)
                                            : policy_strv_append(&c->techniques, &c->n_techniques, ps->item);
                if (r == -E2BIG)
                        return report_too_many(ps, parser_item_origin(ps, 0));
                if (r == -ENOMEM)
                        return r;
        }
        return 0;
}

static int allow_append_class(Parser *ps) {
        PolicyAllow *a = parser_allow(ps);

        PolicyOrigin *larger = reallocarray(a->class_origins, a->n_classes + 1, sizeof(PolicyOrigin));
        if (!larger)
                return -ENOMEM;
        a->class_origins = larger;
        larger[a->n_classes] = parser_item_origin(ps, 0);
        return policy_strv_append(&a->classes, &a->n_classes, ps->item);
}

static int assign_classes(Parser *ps, size_t value) {
        PolicyAllow *a = parser_allow(ps);
        ValueError e;
        int r;

        if (!ps->line[value])
                policy_strv_clear(&a->classes, &a->n_classes);

        while ((r = parser_read_item(ps, &value)) != 0) {
                if (r > 0)
                        r = value_check_name(ps->item, &e) < 0 ? report_item(ps, &e)
                                                               : allow_append_class(ps);
                if (r == -E2BIG)
                        return report_too_many(ps, parser_item_origin(ps, 0));
                if (r == -ENOMEM)
                        return r;
        }
        return 0;
}

static int allow_append_destinations(Parser *ps, PolicyDestination *d, size_t n) {
        PolicyAllow *a = parser_allow(ps);

        if (a->n_destinations + n > POLICY_ITEMS_MAX)
                return -E2BIG;

        PolicyDestination *larger = reallocarray(a->destinations, a->n_destinations + n, sizeof(*d));
        if (!larger)
                return -ENOMEM;
        a->destinations = larger;
        for (size_t i = 0; i < n; i++) {
                d[i].origin = parser_item_origin(ps, 0);
                larger[a->n_destinations++] = d[i];
        }
        return 0;
}

static int assign_destinations(Parser *ps, size_t value) {
        PolicyAllow *a = parser_allow(ps);
        PolicyDestination d[VALUE_DESTINATIONS_MAX];
        ValueError e;
        size_t n;
        int r;

        if (!ps->line[value]) {
                free(a->destinations);
                a->destinations = NULL;
                a->n_destinations = 0;
        }

        while ((r = parser_read_item(ps, &value)) != 0) {
                if (r > 0)
                        r = value_parse_destination(ps->item, d, &n, &e) < 0
                                            ? report_item(ps, &e)
                                            : allow_append_destinations(ps, d, n);
                if (r == -E2BIG)
                        return report_too_many(ps, parser_item_origin(ps, 0));
                if (r == -ENOMEM)
                        return r;
        }
        return 0;
}

static int assign_table_size(Parser *ps, size_t value, unsigned fallback, unsigned *size) {
        unsigned n = fallback;
        ValueError e;

        if (ps->line[value] && value_parse_number(ps->line + value, TABLE_MIN, TABLE_MAX, &n, &e) < 0)
                return report_value(ps, value, &e);
        *size = n;
        return 0;
}

static int assign_marks(Parser *ps, size_t value) {
        return assign_table_size(ps, value, POLICY_MARKS_DEFAULT, &ps->policy->correlator.marks_max);
}

static int assign_processes(Parser *ps, size_t value) {
        return assign_table_size(ps, value, POLICY_PROCESSES_DEFAULT, &ps->policy->correlator.processes_max);
}

static int assign_ring(Parser *ps, size_t value) {
        uint64_t n = POLICY_RING_DEFAULT_BYTES;
        ValueError e;

        if (ps->line[value] &&
                        value_parse_size(ps->line + value, RING_MIN_BYTES, RING_MAX_BYTES, &n, &e) < 0)
                return report_value(ps, value, &e);
        ps->policy->correlator.ring_bytes = n;
        return 0;
}

static int assign_alerts(Parser *ps, size_t value) {
        unsigned n = POLICY_ALERTS_DEFAULT;
        ValueError e;

        if (ps->line[value] && value_parse_number(ps->line + value, ALERTS_MIN, ALERTS_MAX, &n, &e) < 0)
                return report_value(ps, value, &e);
        ps->policy->alerts_max = n;
        return 0;
}

const SectionInfo policy_sections[_SECTION_MAX] = {
        [SECTION_CLASS] = { "Class", "[Class NAME]", policy_open_class },
        [SECTION_ALLOW] = { "Allow", "[Allow NAME]", policy_open_allow },
        [SECTION_CORRELATOR] = { "Correlator", "[Correlator]", NULL },
        [SECTION_QUERY] = { "Query", "[Query]", NULL },
};

const char *section_list(char ret[static SECTION_LIST_SIZE]) {
        size_t n = 0;

        for (unsigned i = SECTION_CLASS; i < _SECTION_MAX; i++)
                n += (size_t)snprintf(ret + n, SECTION_LIST_SIZE - n, "%s%s",
                        i == SECTION_CLASS ? "" : i + 1 < _SECTION_MAX ? ", " : " or ", policy_sections[i].header);
        return ret;
}

static const struct {
        Section section;
        const char *key;
        int (*assign)(Parser *ps, size_t value); /* value: its offset in the line */
} keys[] = {
                {SECTION_CLASS, "Path", assign_paths},
                {SECTION_CLASS, "ExcludePath", assign_excludes},
                {SECTION_CLASS, "Window", assign_window},
                {SECTION_CLASS, "Score", assign_score},
                {SECTION_CLASS, "Severity", assign_severity},
                {SECTION_CLASS, "Description", assign_description},
                {SECTION_CLASS, "Technique", assign_techniques},
                {SECTION_ALLOW, "Class", assign_classes},
                {SECTION_ALLOW, "Exe", assign_exes},
                {SECTION_ALLOW, "Destination", assign_destinations},
                {SECTION_CORRELATOR, "MaxMarks", assign_marks},
                {SECTION_CORRELATOR, "MaxProcesses", assign_processes},
                {SECTION_CORRELATOR, "RingBuffer", assign_ring},
                {SECTION_QUERY, "MaxAlerts", assign_alerts},
};

static int report_unknown_key(Parser *ps, size_t offset, const char *key) {
        char quoted[VALUE_QUOTE_SIZE], known[128] = "";
        unsigned nearest_distance = 3; /* more is another word, not a slip */
        const char *nearest = NULL;

        (void)value_quote(key, strlen(key), quoted);
        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                unsigned d = value_distance(key, keys[i].key);

                if (keys[i].section == ps->section) {
                        if (d < nearest_distance) {
                                nearest_distance = d;
                                nearest = keys[i].key;
                        }
                        size_t n = strlen(known);
                        (void)snprintf(known + n, sizeof(known) - n, " %s=", keys[i].key);
                }
        }
        if (nearest)
                return parser_report(ps, offset, "unknown key %s=, did you mean %s=?", quoted, nearest);

        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                if (strcmp(key, keys[i].key) == 0)
                        return parser_report(ps, offset, "%s= belongs into a section %s", key,
                                        policy_sections[keys[i].section].header);
        return parser_report(ps, offset, "unknown key %s=; in %s there are%s", quoted, policy_sections[ps->section].header,
                        known);
}

int parser_assign(Parser *ps, size_t key, size_t value) {
        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                if (keys[i].section == ps->section && strcmp(keys[i].key, ps->line + key) == 0)
                        return keys[i].assign(ps, value);
        return report_unknown_key(ps, key, ps->line + key);
}
