/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <stdio.h>
#include <stdlib.h>

#include "abi/event.h"
#include "abi/policy.h"
#include "policy/list.h"
#include "policy/schema.h"

/* A window shorter than a fork and a connect on a loaded machine detects nothing; one longer than a day
 * raises alerts for unrelated acts of a login session. */
#define WINDOW_MIN_USEC USEC_PER_SEC
#define WINDOW_MAX_USEC (86400 * USEC_PER_SEC)
#define SCORE_MAX 100
/* An idle desktop runs some 200 processes. For a million the tables take hundreds of MiB of kernel memory.
 */
#define TABLE_MIN 256
#define TABLE_MAX (1U << 20)
/* The smallest ring has room for five of the largest records, the largest one for a second of 20,000 medium
 * ones (bpf/abi/event.h). */
#define RING_MIN_BYTES (UINT64_C(256) << 10)
#define RING_MAX_BYTES (UINT64_C(256) << 20)
/* 4,096 alerts take some 12 MiB. A search among many more would block the event loop for too long. */
#define ALERTS_MIN 1
#define ALERTS_MAX (1U << 16)

#define MANY(type, array, ...)                                                                              \
        .size = sizeof(type), .items = offsetof(Policy, array), .n_items = offsetof(Policy, n_##array),     \
        .origin = offsetof(type, origin)

const SectionInfo policy_sections[_SECTION_MAX] = {
        [SECTION_CLASS] = { "Class", "[Class NAME]", "classes", MANY(PolicyClass, classes) },
        [SECTION_ALLOW] = { "Allow", "[Allow NAME]", "allows", MANY(PolicyAllow, allows),
                        .broken = offsetof(PolicyAllow, broken) },
        [SECTION_CARRIER] = { "Carrier", "[Carrier NAME]", "carriers", .size = sizeof(PolicyCarrier),
                        .items = offsetof(Policy, carriers), .n_items = offsetof(Policy, n_carriers),
                        .origin = offsetof(PolicyCarrier, rule.origin),
                        .broken = offsetof(PolicyCarrier, rule.broken) },
        [SECTION_LINEAGE] = { "Lineage", "[Lineage NAME]", "lineages", MANY(PolicyLineage, lineages),
                        .broken = offsetof(PolicyLineage, broken) },
        [SECTION_DESTINATION] = { "Destination", "[Destination NAME]", "destinations",
                        MANY(PolicyDestination, destinations),
                        .broken = offsetof(PolicyDestination, broken) },
        [SECTION_SCORING] = { "Scoring", "[Scoring]", "scoring", .items = offsetof(Policy, scoring),
                        .origin = offsetof(PolicyScoring, origin) },
        [SECTION_ENFORCEMENT] = { "Enforcement", "[Enforcement]", "enforcement",
                        .items = offsetof(Policy, enforcement) },
        [SECTION_CORRELATOR] = { "Correlator", "[Correlator]", NULL, .items = 0 },
        [SECTION_QUERY] = { "Query", "[Query]", NULL, .items = 0 },
};

/* policy/build.c and policy/list.c rely on it. */
_Static_assert(offsetof(PolicyClass, name) == 0 && offsetof(PolicyAllow, name) == 0 &&
                                offsetof(PolicyCarrier, rule.name) == 0 &&
                                offsetof(PolicyLineage, name) == 0 &&
                                offsetof(PolicyDestination, name) == 0 && offsetof(PolicyGlob, glob) == 0 &&
                                offsetof(PolicyName, name) == 0 && offsetof(PolicyUser, name) == 0,
                "names come first");

#define COUNTED(type, array, count, element)                                                                \
        .field = offsetof(type, array), .n_field = offsetof(type, count), .item = sizeof(element)
#define LIST(type, array, element) COUNTED(type, array, n_##array, element)
#define ITEMS(type, array, element) LIST(type, array, element), .origin = offsetof(element, origin)
#define PROGRAMS(array, element)                                                                            \
        COUNTED(PolicyCarrier, rule.array, rule.n_##array, element), .origin = offsetof(element, origin)
#define SCALAR(type, member, low, high, initial)                                                            \
        .field = offsetof(type, member), .min = (uint64_t)(low), .max = (uint64_t)(high),                   \
        .fallback = (uint64_t)(initial)
#define FIELD(type, member) .field = offsetof(type, member)
#define CHOICE(type, member, words, initial)                                                                \
        .field = offsetof(type, member), .choices = (words), .fallback = (uint64_t)(initial)

/* As PolicyAction, PolicyAccess and PolicyEnforced. */
static const char *const actions[] = { "alert", "deny", "stop", "kill", NULL };
static const char *const accesses[] = { "any", "allowed", NULL };
static const char *const enforced[] = { "no", "yes", "dry-run", NULL };

const KeyInfo policy_keys[] = {
        { SECTION_CLASS, "Path", "paths", KEY_STRINGS, ITEMS(PolicyClass, paths, PolicyGlob),
                        .check = value_check_path },
        { SECTION_CLASS, "ExcludePath", "excludes", KEY_STRINGS, ITEMS(PolicyClass, excludes, PolicyGlob),
                        .check = value_check_path },
        { SECTION_CLASS, "Window", "window_usec", KEY_SPAN,
                        SCALAR(PolicyClass, window_usec, WINDOW_MIN_USEC, WINDOW_MAX_USEC,
                                        POLICY_WINDOW_DEFAULT_USEC) },
        { SECTION_CLASS, "LateWindow", "late_window_usec", KEY_SPAN,
                        SCALAR(PolicyClass, late_window_usec, 0, WINDOW_MAX_USEC,
                                        POLICY_LATE_WINDOW_UNSET) },
        { SECTION_CLASS, "Score", "score", KEY_UNSIGNED,
                        SCALAR(PolicyClass, score, 0, SCORE_MAX, POLICY_SCORE_DEFAULT) },
        { SECTION_CLASS, "Severity", "severity", KEY_SEVERITY, FIELD(PolicyClass, severity) },
        { SECTION_CLASS, "FirstSight", "first_sight", KEY_BOOL, FIELD(PolicyClass, first_sight) },
        { SECTION_CLASS, "Code", "code", KEY_BOOL, FIELD(PolicyClass, code) },
        { SECTION_CLASS, "Action", "action", KEY_CHOICE,
                        CHOICE(PolicyClass, action, actions, POLICY_ALERT) },
        { SECTION_CLASS, "ActionHops", "action_hops", KEY_UNSIGNED,
                        SCALAR(PolicyClass, action_hops, 0, BW_HOPS_MAX, BW_HOPS_MAX) },
        { SECTION_CLASS, "Access", "access", KEY_CHOICE,
                        CHOICE(PolicyClass, access, accesses, POLICY_ACCESS_ANY) },
        { SECTION_CLASS, "FailClosed", "fail_closed", KEY_BOOL, FIELD(PolicyClass, fail_closed) },
        { SECTION_CLASS, "Description", "description", KEY_TEXT, FIELD(PolicyClass, description) },
        { SECTION_CLASS, "Technique", "techniques", KEY_STRINGS, LIST(PolicyClass, techniques, char *),
                        .check = value_check_technique },

        { SECTION_ALLOW, "Class", "classes", KEY_STRINGS, ITEMS(PolicyAllow, classes, PolicyName),
                        .check = value_check_name },
        { SECTION_ALLOW, "Path", "paths", KEY_STRINGS, ITEMS(PolicyAllow, paths, PolicyGlob),
                        .check = value_check_path },
        { SECTION_ALLOW, "Exe", "exes", KEY_STRINGS, ITEMS(PolicyAllow, exes, PolicyGlob),
                        .check = value_check_program_of_user },
        { SECTION_ALLOW, "Script", "scripts", KEY_STRINGS, ITEMS(PolicyAllow, scripts, PolicyGlob),
                        .check = value_check_program_of_user },
        { SECTION_ALLOW, "Unit", "units", KEY_STRINGS, ITEMS(PolicyAllow, units, PolicyGlob),
                        .check = value_check_unit },
        { SECTION_ALLOW, "Ancestor", "ancestors", KEY_STRINGS, ITEMS(PolicyAllow, ancestors, PolicyGlob),
                        .check = value_check_program },
        { SECTION_ALLOW, "User", "users", KEY_STRINGS, ITEMS(PolicyAllow, users, PolicyUser) },
        { SECTION_ALLOW, "ExcludeArgument", "excluded_arguments", KEY_STRINGS,
                        ITEMS(PolicyAllow, excluded, PolicyName), .check = value_check_argument },
        { SECTION_ALLOW, "Container", "container", KEY_BOOL, FIELD(PolicyAllow, container) },
        { SECTION_ALLOW, "Destination", "destinations", KEY_ADDRESSES,
                        ITEMS(PolicyAllow, destinations, PolicyAddress) },
        { SECTION_ALLOW, "Passes", "passes", KEY_PASSES,
                        SCALAR(PolicyAllow, passes, 0, BW_RULE_PASSES, BW_RULE_PASSES) },

        { SECTION_CARRIER, "Exe", "exes", KEY_STRINGS, PROGRAMS(exes, PolicyGlob),
                        .check = value_check_program },
        { SECTION_CARRIER, "Class", "classes", KEY_STRINGS, PROGRAMS(classes, PolicyName),
                        .check = value_check_name },
        { SECTION_CARRIER, "Unit", "units", KEY_STRINGS, PROGRAMS(units, PolicyGlob),
                        .check = value_check_unit },
        { SECTION_CARRIER, "User", "users", KEY_STRINGS, PROGRAMS(users, PolicyUser) },
        { SECTION_CARRIER, "Terminal", "terminal", KEY_BOOL, FIELD(PolicyCarrier, terminal) },
        { SECTION_CARRIER, "Path", "paths", KEY_STRINGS, ITEMS(PolicyCarrier, paths, PolicyGlob),
                        .check = value_check_path },
        { SECTION_CARRIER, "Own", "own", KEY_BOOL, FIELD(PolicyCarrier, own) },
        { SECTION_CARRIER, "Egress", "egress", KEY_BOOL, FIELD(PolicyCarrier, egress) },
        { SECTION_CARRIER, "Score", "score", KEY_INT,
                        SCALAR(PolicyCarrier, score, -SCORE_MAX, SCORE_MAX, 0) },
        { SECTION_CARRIER, "Description", "description", KEY_TEXT, FIELD(PolicyCarrier, description) },

        { SECTION_LINEAGE, "Exe", "exes", KEY_STRINGS, ITEMS(PolicyLineage, exes, PolicyGlob),
                        .check = value_check_absolute },
        { SECTION_LINEAGE, "Unit", "units", KEY_STRINGS, ITEMS(PolicyLineage, units, PolicyGlob),
                        .check = value_check_unit },
        { SECTION_LINEAGE, "Score", "score", KEY_INT,
                        SCALAR(PolicyLineage, score, -SCORE_MAX, SCORE_MAX, 0) },
        { SECTION_LINEAGE, "Description", "description", KEY_TEXT, FIELD(PolicyLineage, description) },

        { SECTION_DESTINATION, "Address", "addresses", KEY_NETWORKS,
                        ITEMS(PolicyDestination, addresses, PolicyAddress) },
        { SECTION_DESTINATION, "Port", "ports", KEY_PORTS, LIST(PolicyDestination, ports, PolicyPorts) },
        { SECTION_DESTINATION, "Score", "score", KEY_INT,
                        SCALAR(PolicyDestination, score, -SCORE_MAX, SCORE_MAX, 0) },
        { SECTION_DESTINATION, "Ignore", "ignore", KEY_BOOL, FIELD(PolicyDestination, ignore) },
        { SECTION_DESTINATION, "Description", "description", KEY_TEXT,
                        FIELD(PolicyDestination, description) },

        { SECTION_SCORING, "Alert", "alert", KEY_UNSIGNED,
                        SCALAR(PolicyScoring, alert, 0, SCORE_MAX, POLICY_SCORE_ALERT_DEFAULT) },
        { SECTION_SCORING, "Medium", "medium", KEY_UNSIGNED,
                        SCALAR(PolicyScoring, medium, 0, SCORE_MAX, POLICY_SCORE_MEDIUM_DEFAULT) },
        { SECTION_SCORING, "High", "high", KEY_UNSIGNED,
                        SCALAR(PolicyScoring, high, 0, SCORE_MAX, POLICY_SCORE_HIGH_DEFAULT) },

        { SECTION_ENFORCEMENT, "Enabled", "enabled", KEY_CHOICE,
                        CHOICE(PolicyEnforcement, enabled, enforced, POLICY_ENFORCED_YES) },
        { SECTION_ENFORCEMENT, "Never", "never", KEY_STRINGS, ITEMS(PolicyEnforcement, never, PolicyGlob),
                        .check = value_check_never },

        { SECTION_CORRELATOR, "MaxMarks", NULL, KEY_UNSIGNED,
                        SCALAR(Policy, correlator.marks_max, TABLE_MIN, TABLE_MAX, POLICY_MARKS_DEFAULT) },
        { SECTION_CORRELATOR, "MaxProcesses", NULL, KEY_UNSIGNED,
                        SCALAR(Policy, correlator.processes_max, TABLE_MIN, TABLE_MAX,
                                        POLICY_PROCESSES_DEFAULT) },
        { SECTION_CORRELATOR, "RingBuffer", NULL, KEY_SIZE,
                        SCALAR(Policy, correlator.ring_bytes, RING_MIN_BYTES, RING_MAX_BYTES,
                                        POLICY_RING_DEFAULT_BYTES) },
        { SECTION_CORRELATOR, "MaxHops", NULL, KEY_UNSIGNED,
                        SCALAR(Policy, hops_max, 1, BW_HOPS_MAX, POLICY_HOPS_DEFAULT) },

        { SECTION_QUERY, "MaxAlerts", NULL, KEY_UNSIGNED,
                        SCALAR(Policy, alerts_max, ALERTS_MIN, ALERTS_MAX, POLICY_ALERTS_DEFAULT) },
        {},
};

const char *section_list(char ret[static SECTION_LIST_SIZE]) {
        size_t n = 0;

        for (unsigned i = SECTION_CLASS; i < _SECTION_MAX; i++)
                n += (size_t)snprintf(ret + n, SECTION_LIST_SIZE - n, "%s%s",
                                i == SECTION_CLASS     ? ""
                                : i + 1 < _SECTION_MAX ? ", "
                                                       : " or ",
                                policy_sections[i].header);
        return ret;
}

void *section_item(Policy *p, Section s, size_t index) {
        const SectionInfo *info = &policy_sections[s];
        void *items = (char *)p + info->items;

        return info->size > 0 ? *(char **)items + index * info->size : items;
}

void key_set(const KeyInfo *k, void *item, uint64_t value) {
        void *field = (char *)item + k->field;

        switch (k->type) {
        case KEY_UNSIGNED:
        case KEY_PASSES:
        case KEY_INT:
        case KEY_CHOICE:
                *(unsigned *)field = (unsigned)value; /* or int: the same bits */
                break;
        case KEY_BOOL:
                *(bool *)field = value;
                break;
        case KEY_SEVERITY:
                *(Severity *)field = (Severity)value;
                break;
        default:
                *(uint64_t *)field = value;
        }
}

void key_reset(const KeyInfo *k, void *item) {
        char *field = (char *)item + k->field;

        if (k->item > 0)
                policy_list_clear(field, (size_t *)((char *)item + k->n_field), k->item,
                                k->type == KEY_STRINGS);
        else if (k->type == KEY_TEXT) {
                free(*(char **)field);
                *(char **)field = NULL;
        } else
                key_set(k, item, k->type == KEY_SEVERITY ? (uint64_t)_SEVERITY_INVALID : k->fallback);
}

void section_reset(Section s, void *item) {
        for (const KeyInfo *k = policy_keys; k->key; k++)
                if (k->section == s)
                        key_reset(k, item);
}

void section_done(Section s, void *item) {
        section_reset(s, item);
        free(*(char **)item);
}
