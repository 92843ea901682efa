/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The sections, the keys of each, and what they take: tables, and one function for each type of value. An empty
 * value restores the default or empties the list. A value that is wrong is reported and changes nothing. */

#include <errno.h>
#include <string.h>

#include "../bpf/event.h"
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

#define MANY(type, array, ...)                                                                               \
        .size = sizeof(type), .items = offsetof(Policy, array), .n_items = offsetof(Policy, n_##array),       \
        .origin = offsetof(type, origin)

const SectionInfo policy_sections[_SECTION_MAX] = {
        [SECTION_CLASS] = { "Class", "[Class NAME]", MANY(PolicyClass, classes) },
        [SECTION_ALLOW] = { "Allow", "[Allow NAME]", MANY(PolicyAllow, allows),
                            .broken = offsetof(PolicyAllow, broken)},
        [SECTION_CARRIER] = { "Carrier", "[Carrier NAME]", .size = sizeof(PolicyCarrier),
                              .items = offsetof(Policy, carriers), .n_items = offsetof(Policy, n_carriers),
                              .origin = offsetof(PolicyCarrier, who.origin),
                              .broken = offsetof(PolicyCarrier, who.broken)},
        [SECTION_LINEAGE] = { "Lineage", "[Lineage NAME]", MANY(PolicyLineage, lineages),
                              .broken = offsetof(PolicyLineage, broken)},
        [SECTION_DESTINATION] = { "Destination", "[Destination NAME]", MANY(PolicyPeer, peers),
                                  .broken = offsetof(PolicyPeer, broken)},
        [SECTION_SCORING] = { "Scoring", "[Scoring]", .items = offsetof(Policy, scoring),
                              .origin = offsetof(PolicyScoring, origin)},
        [SECTION_CORRELATOR] = { "Correlator", "[Correlator]", .items = 0 },
        [SECTION_QUERY] = { "Query", "[Query]", .items = 0 },
};

/* What policy-build.c takes for granted. */
_Static_assert(offsetof(PolicyClass, name) == 0 && offsetof(PolicyAllow, name) == 0 &&
                offsetof(PolicyCarrier, who.name) == 0 && offsetof(PolicyLineage, name) == 0 && offsetof(PolicyPeer, name) == 0 &&
                offsetof(PolicyGlob, glob) == 0 && offsetof(PolicyName, name) == 0 &&
                offsetof(PolicyUser, name) == 0, "names come first");

#define COUNTED(type, array, count, element)                                                                 \
        .field = offsetof(type, array), .n_field = offsetof(type, count), .item = sizeof(element)
#define LIST(type, array, element) COUNTED(type, array, n_##array, element)
#define ITEMS(type, array, element) LIST(type, array, element), .origin = offsetof(element, origin)
#define PROGRAMS(array, element)                                                                             \
        COUNTED(PolicyCarrier, who.array, who.n_##array, element), .origin = offsetof(element, origin)
#define SCALAR(type, member, low, high, initial)                                                             \
        .field = offsetof(type, member), .min = (uint64_t)(low), .max = (uint64_t)(high),                     \
        .fallback = (uint64_t)(initial)
#define FIELD(type, member) .field = offsetof(type, member)

static const KeyInfo keys[] = {
        {SECTION_CLASS, "Path", KEY_STRINGS, ITEMS(PolicyClass, paths, PolicyGlob), .check = value_check_path},
        {SECTION_CLASS, "ExcludePath", KEY_STRINGS, ITEMS(PolicyClass, excludes, PolicyGlob),
          .check = value_check_path},
        {SECTION_CLASS, "Window", KEY_SPAN,
          SCALAR(PolicyClass, window_usec, WINDOW_MIN_USEC, WINDOW_MAX_USEC, POLICY_WINDOW_DEFAULT_USEC)},
        {SECTION_CLASS, "LateWindow", KEY_SPAN,
          SCALAR(PolicyClass, late_window_usec, 0, WINDOW_MAX_USEC, POLICY_LATE_WINDOW_UNSET)},
        {SECTION_CLASS, "Score", KEY_UNSIGNED, SCALAR(PolicyClass, score, 0, SCORE_MAX, POLICY_SCORE_DEFAULT)},
        {SECTION_CLASS, "Severity", KEY_SEVERITY, FIELD(PolicyClass, severity)},
        {SECTION_CLASS, "Description", KEY_TEXT, FIELD(PolicyClass, description)},
        {SECTION_CLASS, "Technique", KEY_STRINGS, LIST(PolicyClass, techniques, char *),
          .check = value_check_technique},

        {SECTION_ALLOW, "Class", KEY_STRINGS, ITEMS(PolicyAllow, classes, PolicyName), .check = value_check_name},
        {SECTION_ALLOW, "Exe", KEY_STRINGS, ITEMS(PolicyAllow, exes, PolicyGlob), .check = value_check_program},
        {SECTION_ALLOW, "Script", KEY_STRINGS, ITEMS(PolicyAllow, scripts, PolicyGlob),
          .check = value_check_program},
        {SECTION_ALLOW, "Unit", KEY_STRINGS, ITEMS(PolicyAllow, units, PolicyGlob), .check = value_check_unit},
        {SECTION_ALLOW, "Ancestor", KEY_STRINGS, ITEMS(PolicyAllow, ancestors, PolicyGlob),
          .check = value_check_program},
        {SECTION_ALLOW, "User", KEY_STRINGS, ITEMS(PolicyAllow, users, PolicyUser)},
        {SECTION_ALLOW, "Container", KEY_BOOL, FIELD(PolicyAllow, container)},
        {SECTION_ALLOW, "Destination", KEY_DESTINATIONS, ITEMS(PolicyAllow, destinations, PolicyDestination)},
        {SECTION_ALLOW, "Output", KEY_OUTPUT, FIELD(PolicyAllow, clean)},

        {SECTION_CARRIER, "Exe", KEY_STRINGS, PROGRAMS(exes, PolicyGlob), .check = value_check_program},
        {SECTION_CARRIER, "Class", KEY_STRINGS, PROGRAMS(classes, PolicyName), .check = value_check_name},
        {SECTION_CARRIER, "Unit", KEY_STRINGS, PROGRAMS(units, PolicyGlob), .check = value_check_unit},
        {SECTION_CARRIER, "User", KEY_STRINGS, PROGRAMS(users, PolicyUser)},
        {SECTION_CARRIER, "Terminal", KEY_BOOL, FIELD(PolicyCarrier, terminal)},
        {SECTION_CARRIER, "Path", KEY_STRINGS, ITEMS(PolicyCarrier, paths, PolicyGlob), .check = value_check_path},
        {SECTION_CARRIER, "Egress", KEY_BOOL, FIELD(PolicyCarrier, egress)},
        {SECTION_CARRIER, "Score", KEY_INT, SCALAR(PolicyCarrier, score, -SCORE_MAX, SCORE_MAX, 0)},
        {SECTION_CARRIER, "Description", KEY_TEXT, FIELD(PolicyCarrier, description)},

        {SECTION_LINEAGE, "Exe", KEY_STRINGS, ITEMS(PolicyLineage, exes, PolicyGlob),
          .check = value_check_absolute},
        {SECTION_LINEAGE, "Unit", KEY_STRINGS, ITEMS(PolicyLineage, units, PolicyGlob), .check = value_check_unit},
        {SECTION_LINEAGE, "Score", KEY_INT, SCALAR(PolicyLineage, score, -SCORE_MAX, SCORE_MAX, 0)},
        {SECTION_LINEAGE, "Description", KEY_TEXT, FIELD(PolicyLineage, description)},

        {SECTION_DESTINATION, "Address", KEY_ADDRESSES, ITEMS(PolicyPeer, addresses, PolicyDestination)},
        {SECTION_DESTINATION, "Port", KEY_PORTS, LIST(PolicyPeer, ports, PolicyPorts)},
        {SECTION_DESTINATION, "Score", KEY_INT, SCALAR(PolicyPeer, score, -SCORE_MAX, SCORE_MAX, 0)},
        {SECTION_DESTINATION, "Ignore", KEY_BOOL, FIELD(PolicyPeer, ignore)},
        {SECTION_DESTINATION, "Description", KEY_TEXT, FIELD(PolicyPeer, description)},

        {SECTION_SCORING, "Alert", KEY_UNSIGNED,
          SCALAR(PolicyScoring, alert, 0, SCORE_MAX, POLICY_SCORE_ALERT_DEFAULT)},
        {SECTION_SCORING, "Medium", KEY_UNSIGNED,
          SCALAR(PolicyScoring, medium, 0, SCORE_MAX, POLICY_SCORE_MEDIUM_DEFAULT)},
        {SECTION_SCORING, "High", KEY_UNSIGNED,
          SCALAR(PolicyScoring, high, 0, SCORE_MAX, POLICY_SCORE_HIGH_DEFAULT)},

        {SECTION_CORRELATOR, "MaxMarks", KEY_UNSIGNED,
          SCALAR(Policy, correlator.marks_max, TABLE_MIN, TABLE_MAX, POLICY_MARKS_DEFAULT)},
        {SECTION_CORRELATOR, "MaxProcesses", KEY_UNSIGNED,
          SCALAR(Policy, correlator.processes_max, TABLE_MIN, TABLE_MAX, POLICY_PROCESSES_DEFAULT)},
        {SECTION_CORRELATOR, "RingBuffer", KEY_SIZE,
          SCALAR(Policy, correlator.ring_bytes, RING_MIN_BYTES, RING_MAX_BYTES, POLICY_RING_DEFAULT_BYTES)},
        {SECTION_CORRELATOR, "MaxHops", KEY_UNSIGNED, SCALAR(Policy, hops_max, 1, BW_HOPS_MAX, POLICY_HOPS_DEFAULT)},

        {SECTION_QUERY, "MaxAlerts", KEY_UNSIGNED,
          SCALAR(Policy, alerts_max, ALERTS_MIN, ALERTS_MAX, POLICY_ALERTS_DEFAULT)},
};

const char *section_list(char ret[static SECTION_LIST_SIZE]) {
        size_t n = 0;

        for (unsigned i = SECTION_CLASS; i < _SECTION_MAX; i++)
                n += (size_t)snprintf(ret + n, SECTION_LIST_SIZE - n, "%s%s",
                        i == SECTION_CLASS ? "" : i + 1 < _SECTION_MAX ? ", " : " or ", policy_sections[i].header);
        return ret;
}

void *section_item(Policy *p, Section s, size_t index) {
        const SectionInfo *info = &policy_sections[s];
        void *items = (char *)p + info->items;

        return info->size > 0 ? *(char **)items + index * info->size : items;
}

static void scalar_set(const KeyInfo *k, void *field, uint64_t value) {
        switch (k->type) {
        case KEY_UNSIGNED:
        case KEY_INT:
                *(unsigned *)field = (unsigned)value; /* or int: the same bits */
                break;
        case KEY_BOOL:
        case KEY_OUTPUT:
                *(bool *)field = value;
                break;
        case KEY_SEVERITY:
                *(Severity *)field = (Severity)value;
                break;
        default:
                *(uint64_t *)field = value;
        }
}

static void key_reset(const KeyInfo *k, void *section) {
        char *field = (char *)section + k->field;

        if (k->item > 0)
                policy_list_clear(field, (size_t *)((char *)section + k->n_field), k->item, k->type == KEY_STRINGS);
        else if (k->type == KEY_TEXT) {
                free(*(char **)field);
                *(char **)field = NULL;
        } else
                scalar_set(k, field, k->type == KEY_SEVERITY ? (uint64_t)_SEVERITY_INVALID : k->fallback);
}

void section_reset(Section s, void *item) {
        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                if (keys[i].section == s)
                        key_reset(&keys[i], item);
}

typedef union Item {
        char *string; /* what each of these begins with */
        PolicyGlob glob;
        PolicyName name;
        PolicyUser user;
        PolicyDestination destinations[VALUE_DESTINATIONS_MAX];
        PolicyPorts ports;
} Item;

/* What the text says: up to VALUE_DESTINATIONS_MAX items. */
static int item_parse(const KeyInfo *k, const char *text, Item *ret, size_t *ret_n, ValueError *ret_error) {
        *ret_n = 1;
        switch (k->type) {
        case KEY_DESTINATIONS:
        case KEY_ADDRESSES:
                return value_parse_destination(text, k->type == KEY_DESTINATIONS, ret->destinations, ret_n, ret_error);
        case KEY_PORTS:
                return value_parse_ports(text, &ret->ports, ret_error);
        default:
                return k->check ? k->check(text, ret_error) : 0;
        }
}

static int item_append(Parser *ps, const KeyInfo *k, char *section) {
        size_t *n_items = (size_t *)(section + k->n_field), n;
        ValueError e;
        Item item = {};

        int r = item_parse(k, ps->item, &item, &n, &e);
        if (r == -EINVAL)
                return parser_report_at(ps, parser_item_origin(ps, MIN(e.offset, ps->n_item)), "%s", e.text);
        if (r < 0)
                return r;
        if (*n_items + n > POLICY_ITEMS_MAX)
                return -E2BIG;

        for (size_t i = 0; r >= 0 && i < n; i++) {
                char *bytes = (char *)&item + i * k->item;
                PolicyOrigin origin = parser_item_origin(ps, 0);

                if (k->type == KEY_STRINGS) {
                        item.string = strdup(ps->item);
                        if (!item.string)
                                return -ENOMEM;
                }
                if (k->origin > 0)
                        memcpy(bytes + k->origin, &origin, sizeof(origin));
                r = policy_list_append(section + k->field, n_items, k->item, bytes);
                if (r < 0 && k->type == KEY_STRINGS)
                        free(item.string);
        }
        return r;
}

static int list_assign(Parser *ps, const KeyInfo *k, char *section, size_t value) {
        int r;

        while ((r = parser_read_item(ps, &value)) != 0) {
                if (r > 0)
                        r = item_append(ps, k, section);
                if (r == -E2BIG)
                        return parser_report_at(ps, parser_item_origin(ps, 0),
                                        "more than %u items in one list; use globs, or split the section in two",
                                        POLICY_ITEMS_MAX);
                if (r == -ENOMEM)
                        return r;
        }
        return 0;
}

static int scalar_parse(const KeyInfo *k, const char *text, uint64_t *ret, ValueError *ret_error) {
        Severity severity;
        int64_t number;
        int r;

        switch (k->type) {
        case KEY_SPAN:
                return value_parse_timespan(text, k->min, k->max, ret, ret_error);
        case KEY_SIZE:
                return value_parse_size(text, k->min, k->max, ret, ret_error);
        case KEY_BOOL:
                return value_parse_bool(text, ret, ret_error);
        case KEY_OUTPUT:
                *ret = strcmp(text, "clean") == 0;
                if (!*ret && strcmp(text, "secret") != 0)
                        return value_error(ret_error, 0, "must be secret or clean");
                return 0;
        case KEY_SEVERITY:
                severity = severity_from_string(text);
                if (severity == _SEVERITY_INVALID)
                        return value_error(ret_error, 0,
                                        "must be low, medium or high, or empty: it then follows from the score");
                *ret = (uint64_t)severity;
                return 0;
        default:
                r = value_parse_number(text, (int64_t)k->min, (int64_t)k->max, &number, ret_error);
                if (r == 0)
                        *ret = (uint64_t)number;
                return r;
        }
}

static int key_assign(Parser *ps, const KeyInfo *k, size_t value) {
        char *section = section_item(ps->policy, ps->section, ps->index);
        const char *text = ps->line + value;
        uint64_t number;
        ValueError e;
        int r;

        if (!*text) {
                key_reset(k, section);
                return 0;
        }
        if (k->item > 0)
                return list_assign(ps, k, section, value);

        r = k->type == KEY_TEXT ? value_check_utf8(text, &e) : scalar_parse(k, text, &number, &e);
        if (r < 0)
                return parser_report(ps, value + e.offset, "%s", e.text);
        if (k->type != KEY_TEXT) {
                scalar_set(k, section + k->field, number);
                return 0;
        }

        char *copy = strdup(text);
        if (!copy)
                return -ENOMEM;
        key_reset(k, section);
        *(char **)(section + k->field) = copy;
        return 0;
}

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
        return parser_report(ps, offset, "unknown key %s=; in %s there are%s", quoted,
                        policy_sections[ps->section].header, known);
}

int parser_assign(Parser *ps, size_t key, size_t value) {
        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                if (keys[i].section == ps->section && strcmp(keys[i].key, ps->line + key) == 0)
                        return key_assign(ps, &keys[i], value);
        return report_unknown_key(ps, key, ps->line + key);
}
