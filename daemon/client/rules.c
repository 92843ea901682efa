/* SPDX-License-Identifier: GPL-2.0-or-later */

/* rules: a table with a line per section of the policy, or the sections of one name as they would be written
 * in the policy, with every setting. */

#include <errno.h>
#include <string.h>

#include "client/client.h"
#include "client/ctl.h"
#include "client/output.h"
#include "client/table.h"

/* Where the output goes to a file or another program: as wide as a terminal usually is. */
#define WIDTH_DEFAULT 80

/* How a member of the reply becomes a setting. Members that are missing, null, false or empty have none. */
typedef enum SettingType {
        SETTING_TEXT, /* a string, or an array of strings: a line for each */
        SETTING_NUMBER,
        SETTING_FLAG,
        SETTING_SPAN,         /* microseconds */
        SETTING_NETWORKS,     /* an array of networks */
        SETTING_DESTINATIONS, /* an array of networks with ports */
} SettingType;

typedef struct Setting {
        const char *key, *member;
        SettingType type;
} Setting;

static const struct Kind {
        const char *name, *member; /* of a section, and of its array in the reply */
        const char *matches[3];    /* the members that the table may show, the most telling first */
        Setting settings[12];
} kinds[] = {
        { .name = "Class",
                        .member = "classes",
                        .matches = { "paths" },
                        .settings = { { "Description", "description", SETTING_TEXT },
                                        { "Path", "paths", SETTING_TEXT },
                                        { "ExcludePath", "excludes", SETTING_TEXT },
                                        { "Technique", "techniques", SETTING_TEXT },
                                        { "Score", "score", SETTING_NUMBER },
                                        { "Severity", "severity", SETTING_TEXT },
                                        { "Code", "code", SETTING_FLAG },
                                        { "Window", "window_usec", SETTING_SPAN },
                                        { "LateWindow", "late_window_usec", SETTING_SPAN } } },
        { .name = "Allow",
                        .member = "allows",
                        .matches = { "exes" },
                        .settings = { { "Class", "classes", SETTING_TEXT },
                                        { "Path", "paths", SETTING_TEXT }, { "Exe", "exes", SETTING_TEXT },
                                        { "Script", "scripts", SETTING_TEXT },
                                        { "ExcludeArgument", "excluded_arguments", SETTING_TEXT },
                                        { "Unit", "units", SETTING_TEXT }, { "User", "users", SETTING_TEXT },
                                        { "Ancestor", "ancestors", SETTING_TEXT },
                                        { "Container", "container", SETTING_FLAG },
                                        { "Destination", "destinations", SETTING_DESTINATIONS },
                                        { "Passes", "passes", SETTING_TEXT } } },
        { .name = "Carrier",
                        .member = "carriers",
                        .matches = { "exes", "paths" },
                        .settings = { { "Description", "description", SETTING_TEXT },
                                        { "Class", "classes", SETTING_TEXT },
                                        { "Exe", "exes", SETTING_TEXT }, { "Unit", "units", SETTING_TEXT },
                                        { "User", "users", SETTING_TEXT }, { "Path", "paths", SETTING_TEXT },
                                        { "Terminal", "terminal", SETTING_FLAG },
                                        { "Own", "own", SETTING_FLAG }, { "Egress", "egress", SETTING_FLAG },
                                        { "Score", "score", SETTING_NUMBER } } },
        { .name = "Lineage",
                        .member = "lineages",
                        .matches = { "exes", "units" },
                        .settings = { { "Description", "description", SETTING_TEXT },
                                        { "Exe", "exes", SETTING_TEXT }, { "Unit", "units", SETTING_TEXT },
                                        { "Score", "score", SETTING_NUMBER } } },
        { .name = "Destination",
                        .member = "destinations",
                        .matches = { "addresses", "ports" },
                        .settings = { { "Description", "description", SETTING_TEXT },
                                        { "Address", "addresses", SETTING_NETWORKS },
                                        { "Port", "ports", SETTING_TEXT },
                                        { "Ignore", "ignore", SETTING_FLAG },
                                        { "Score", "score", SETTING_NUMBER } } },
};

/* Do the members stand in the array from i on, one behind the other, all with the same port? Returns the
 * port as it is written (":443", or ""); NULL: they do not. */
static const char *networks_find(const json_t *array, size_t i, const char *const *members) {
        const char *first = json_string_value(json_array_get(array, i)), *port = NULL;
        size_t n = strlen(members[0]);

        if (first && strncmp(first, members[0], n) == 0 && (!first[n] || first[n] == ':'))
                port = first + n;
        for (size_t k = 1; port && members[k]; k++) {
                bool bracketed = port[0] && strchr(members[k], ':');
                const char *item = json_string_value(json_array_get(array, i + k));
                char wanted[96];

                (void)snprintf(wanted, sizeof(wanted), "%s%s%s%s", bracketed ? "[" : "", members[k],
                                bracketed ? "]" : "", port);
                if (!item || strcmp(item, wanted) != 0)
                        port = NULL;
        }
        return port;
}

/* Networks as they are written in the policy, which has names for some: "any:443". has_ports: a network
 * without ports is written "any:*". NULL: out of memory. */
static json_t *networks_name(const json_t *networks, bool has_ports) {
        static const struct {
                const char *name;
                const char *members[5]; /* up to NULL; an IPv4 network first */
        } known[] = {
                { "any", { "0.0.0.0/0", "::/0" } },
                { "loopback", { "127.0.0.0/8", "0.0.0.0/32", "::1/128", "::/128" } },
        };
        json_auto_t *names = json_array();
        size_t n;

        for (size_t i = 0; i < json_array_size(networks); i += n) {
                json_t *name = json_incref(json_array_get(networks, i));

                n = 1;
                for (size_t k = 0; k < ELEMENTSOF(known); k++) {
                        const char *port = networks_find(networks, i, known[k].members);

                        if (!port)
                                continue;
                        json_decref(name);
                        name = json_sprintf("%s%s", known[k].name, port[0] || !has_ports ? port : ":*");
                        while (known[k].members[n])
                                n++;
                        break;
                }
                if (json_array_append_new(names, name) < 0)
                        return NULL;
        }
        return STEAL_PTR(names);
}

/* "1h 30min" */
static const char *span_format(long long usec, char ret[static 96]) {
        static const struct {
                const char *name;
                long long usec;
        } units[] = { { "h", 3600000000 }, { "min", 60000000 }, { "s", 1000000 }, { "ms", 1000 } };
        size_t n = 0;

        ret[0] = 0;
        for (size_t i = 0; i < ELEMENTSOF(units); usec %= units[i++].usec)
                if (usec >= units[i].usec)
                        n += (size_t)snprintf(ret + n, 96 - n, "%s%lld%s", n > 0 ? " " : "",
                                        usec / units[i].usec, units[i].name);
        return n > 0 ? ret : "0";
}

static void setting_print_list(const char *key, const json_t *array) {
        const json_t *item;
        size_t i;

        json_array_foreach(array, i, item) {
                ctl_print("%s=%s", key, json_string_value(item) ?: "?");
        }
}

static int setting_print(const Setting *setting, const json_t *value) {
        json_auto_t *named = NULL;
        char span[96];

        switch (setting->type) {
        case SETTING_TEXT:
                if (json_is_string(value))
                        ctl_print("%s=%s", setting->key, json_string_value(value));
                setting_print_list(setting->key, value);
                break;
        case SETTING_NUMBER:
                if (json_is_integer(value))
                        printf("%s=%lld\n", setting->key, (long long)json_integer_value(value));
                break;
        case SETTING_FLAG:
                if (json_is_true(value))
                        printf("%s=yes\n", setting->key);
                break;
        case SETTING_SPAN:
                if (json_is_integer(value))
                        printf("%s=%s\n", setting->key, span_format(json_integer_value(value), span));
                break;
        case SETTING_NETWORKS:
        case SETTING_DESTINATIONS:
                named = networks_name(value, setting->type == SETTING_DESTINATIONS);
                if (!named)
                        return ctl_error_memory();
                setting_print_list(setting->key, named);
                break;
        }
        return 0;
}

static int section_print(const struct Kind *kind, const json_t *section) {
        int r = 0;

        ctl_print("# %s", ctl_string(section, "origin", "?"));
        fputs(ctl_colour(CTL_BOLD), stdout);
        ctl_print("[%s %s]", kind->name, ctl_string(section, "name", "?"));
        fputs(ctl_colour(CTL_PLAIN), stdout);
        for (const Setting *s = kind->settings; r >= 0 && s->key; s++)
                r = setting_print(s, json_object_get(section, s->member));
        return r;
}

/* Prints all that are left of the reply. */
static int sections_print(const json_t *rules) {
        const json_t *section;
        size_t n = 0, i;
        int r = 0;

        ctl_pager_open();
        for (size_t k = 0; k < ELEMENTSOF(kinds); k++) {
                json_array_foreach(json_object_get(rules, kinds[k].member), i, section) {
                        if (r < 0)
                                return r;
                        fputs(n++ > 0 ? "\n" : "", stdout);
                        r = section_print(kinds + k, section);
                }
        }
        return r;
}

static int row_add(CtlTable *t, const struct Kind *kind, const json_t *section) {
        const char *const *matches = kind->matches;

        ctl_table_add(t, CTL_BOLD, "%s", ctl_string(section, "name", "-"));
        ctl_table_add(t, CTL_PLAIN, "%s", kind->name);
        ctl_table_add_first(t, json_object_get(section, "classes"));
        while (matches[1] && json_array_size(json_object_get(section, matches[0])) == 0)
                matches++;
        json_auto_t *named = networks_name(json_object_get(section, matches[0]), false);
        if (!named)
                return ctl_error_memory();
        ctl_table_add_first(t, named);
        return 0;
}

static int summary_print(const json_t *rules) {
        static const CtlColumn columns[] = {
                { .name = "NAME" },
                { .name = "KIND" },
                { .name = "CLASS", .cut = CTL_CUT_END },
                { .name = "MATCHES", .cut = CTL_CUT_END },
        };
        _cleanup_(ctl_table_freep) CtlTable *t = NULL;
        const json_t *scoring = json_object_get(rules, "scoring"), *section;
        size_t n_classes = json_array_size(json_object_get(rules, "classes")),
               n_allows = json_array_size(json_object_get(rules, "allows")), i;

        int r = ctl_table_new(columns, ELEMENTSOF(columns), &t);
        for (size_t k = 0; r >= 0 && k < ELEMENTSOF(kinds); k++) {
                json_array_foreach(json_object_get(rules, kinds[k].member), i, section) {
                        if (r >= 0)
                                r = row_add(t, kinds + k, section);
                }
        }
        if (r < 0)
                return r;
        ctl_pager_open();
        r = ctl_table_print(t, WIDTH_DEFAULT);
        if (r < 0)
                return r;
        printf("Scores: alert from %lld, medium from %lld, high from %lld.\n", ctl_number(scoring, "alert"),
                        ctl_number(scoring, "medium"), ctl_number(scoring, "high"));
        printf("%zu class%s, %zu allow rule%s.\n", n_classes, n_classes == 1 ? "" : "es", n_allows,
                        n_allows == 1 ? "" : "s");
        return 0;
}

/* Removes what has another name, and the scores. Returns how many sections are left. */
static size_t rules_select(json_t *rules, const char *name) {
        size_t n = 0;

        for (size_t k = 0; k < ELEMENTSOF(kinds); k++) {
                json_t *array = json_object_get(rules, kinds[k].member);

                for (size_t i = json_array_size(array); i-- > 0;)
                        if (strcmp(ctl_string(json_array_get(array, i), "name", ""), name) != 0)
                                (void)json_array_remove(array, i);
                n += json_array_size(array);
        }
        (void)json_object_del(rules, "scoring");
        return n;
}

int ctl_rules(const Ctl *c, const char *name) {
        json_auto_t *rules = NULL;

        int r = ctl_client_ask(c->socket_path, true, "ListRules", NULL, &rules);
        if (r < 0)
                return r;
        if (!json_is_array(json_object_get(rules, "classes")) ||
                        !json_is_array(json_object_get(rules, "allows")))
                return ctl_client_malformed();
        if (name && rules_select(rules, name) == 0) {
                ctl_error("No section of the policy is named '%s'; see barbwirectl rules.", name);
                return -ENOENT;
        }
        if (!ctl_wants_json())
                return name ? sections_print(rules) : summary_print(rules);
        ctl_pager_open();
        return ctl_print_json(rules);
}
