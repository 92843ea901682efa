/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What is learned is what rule.c would suggest for each alert; equal rules are one group, with all of their
 * destinations. A theft in the time that is learned from must not become a rule by itself: what is seldom,
 * or looks like one, is shown apart. Must not access the system. */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <nettle/sha2.h>

#include "alert/alert.h"
#include "alert/copy.h"
#include "alert/recorded.h"
#include "alert/replay.h"
#include "basic/escape.h"
#include "basic/json-util.h"
#include "basic/time-util.h"
#include "basic/util.h"
#include "client/learn.h"

/* The key of each is kept, so that a repeated alert counts once. */
#define LEARN_ALERTS_MAX 250000
/* A person reads the first few. */
#define FILES_MAX 3
/* Of what is kept for all groups and keys: a quarter million keys take a third. ITEM: what an item of a set
 * costs beside its text. */
#define LEARN_BYTES_MAX (UINT64_C(128) << 20)
#define ITEM_BYTES 96
/* Alerts are smaller, but for names that somebody made to be long. Of an id: ALERT_ID_SIZE; of a host's
 * name: HOST_NAME_MAX. */
#define NAME_BYTES_MAX 64
/* Files of as many classes at once are what a harvester reads. */
#define HARVEST_CLASSES 3

static const struct {
        unsigned bit;
        const char *text;
} apart_texts[] = {
        { LEARN_HARVEST, "THEFT? It, or its lineage, read sensitive files of several classes." },
        { LEARN_COMPANY, "THEFT? Its incidents have alerts that no rule should allow, too." },
        { LEARN_TOOL, "THEFT? This program sends any file to any place: a thief would use it, too." },
        { LEARN_EVERYWHERE, "It sent to many addresses: name their networks in Destination=." },
        { LEARN_USERS, "A program of the user's own, which a thief who is that user can change." },
        { LEARN_SELDOM, "It was seen on fewer days than --min-days=." },
};

/* ---- groups ---- */

static int bytes_take(Learning *l, uint64_t n) {
        l->n_bytes += n;
        return l->n_bytes > LEARN_BYTES_MAX ? -E2BIG : 0;
}

static int set_add(Learning *l, json_t *set, const char *item) {
        if (json_object_get(set, item))
                return 0;
        int r = bytes_take(l, strlen(item) + ITEM_BYTES);
        return r < 0 ? r : json_object_set_new(set, item, json_true()) < 0 ? -ENOMEM : 0;
}

static void group_done(LearnGroup *g) {
        json_t *sets[] = { g->risks, g->destinations, g->days, g->hosts, g->incidents, g->files, g->sample };

        for (size_t i = 0; i < ELEMENTSOF(sets); i++)
                json_decref(sets[i]);
        free(g->name);
        free(g->body);
        free(g->why);
}

int learn_new(const Policy *p, const PolicyNames *names, Learning *ret) {
        Learning l = { .policy = p,
                .names = names,
                .known = json_array(),
                .seen = json_object(),
                .bad_incidents = json_object(),
                .hosts = json_object(),
                .groups = calloc(LEARN_GROUPS_MAX, sizeof(LearnGroup)) };
        int r = l.known && l.seen && l.bad_incidents && l.hosts && l.groups ? 0 : -ENOMEM;

        for (size_t i = 0; r == 0 && i < p->n_classes; i++)
                if (json_array_append_new(l.known, json_string(p->classes[i].name)) < 0)
                        r = -ENOMEM;
        if (r < 0)
                learn_done(&l);
        else
                *ret = l;
        return r;
}

void learn_done(Learning *l) {
        for (size_t i = 0; i < l->n_groups; i++)
                group_done(&l->groups[i]);
        free(l->groups);
        json_decref(l->known);
        json_decref(l->seen);
        json_decref(l->bad_incidents);
        json_decref(l->hosts);
        *l = (Learning){};
}

/* The group of a rule (its text), or of a reason why there is none; NULL: there is no room for it. */
static LearnGroup *group_find(Learning *l, const char *name, bool is_rule, const char *text) {
        for (size_t i = 0; i < l->n_groups; i++) {
                LearnGroup *g = &l->groups[i];
                const char *has = is_rule ? g->body : g->why;

                if (has && strcmp(has, text) == 0)
                        return g;
        }
        if (l->n_groups == LEARN_GROUPS_MAX)
                return NULL;
        LearnGroup *g = &l->groups[l->n_groups];
        *g = (LearnGroup){
                .body = is_rule ? strdup(text) : NULL,
                .why = is_rule ? NULL : strdup(text),
                .risks = json_object(),
                .destinations = json_object(),
                .days = json_object(),
                .hosts = json_object(),
                .incidents = json_object(),
                .files = json_object(),
        };
        uint8_t digest[8];
        struct sha256_ctx hash;
        /* An answer is found again by the name: nobody may make another rule of the same. */
        sha256_init(&hash);
        sha256_update(&hash, strlen(text), (const uint8_t *)text);
        sha256_digest(&hash, sizeof(digest), digest);
        if (asprintf(&g->name, "learned-%s-%02x%02x%02x%02x%02x%02x%02x%02x", name, digest[0], digest[1],
                            digest[2], digest[3], digest[4], digest[5], digest[6], digest[7]) < 0)
                g->name = NULL;
        l->n_groups++;
        return g;
}

static bool group_is_complete(const LearnGroup *g) {
        return g->name && (g->body || g->why) && g->risks && g->destinations && g->days && g->hosts &&
               g->incidents && g->files;
}

/* curl and its like: their business is what a thief needs, whatever the file and the destination. */
static bool is_tool(const char *exe) {
        static const char *const names[] = { "aria2c", "base32", "base64", "busybox", "bzip2", "cat", "cp",
                "cpio", "curl", "dd", "ftp", "gzip", "head", "lftp", "nc", "nc.openbsd", "nc.traditional",
                "ncat", "od", "openssl", "rclone", "rsync", "scp", "sed", "sftp", "socat", "sort", "ssh",
                "tail", "tar", "tee", "telnet", "toybox", "wget", "xxd", "xz", "zip", "zstd" };
        const char *slash = strrchr(exe, '/');

        for (size_t i = 0; slash && i < ELEMENTSOF(names); i++)
                if (strcmp(slash + 1, names[i]) == 0)
                        return true;
        return false;
}

static bool alert_is_harvest(const json_t *alert) {
        const json_t *reason;
        size_t i;

        json_array_foreach(json_object_get(alert, "reasons"), i,
                        reason) if (strncmp(recorded_string(reason, "text"), "its lineage ", 12) ==
                                    0) return true;
        return json_array_size(json_object_get(alert, "classes")) >= HARVEST_CLASSES;
}

/* Each comment line apart, as groups of many alerts have many of the same. */
static int risks_add(Learning *l, json_t *risks, const char *lines) {
        int r = 0;

        for (const char *end; r == 0 && (end = strchr(lines, '\n')); lines = end + 1) {
                _cleanup_free_ char *line = strndup(lines, (size_t)(end - lines));
                r = line ? set_add(l, risks, line) : -ENOMEM;
        }
        return r;
}

static int group_add(Learning *l, LearnGroup *g, const json_t *alert, uint64_t usec) {
        const char *time = recorded_string(alert, "time");
        _cleanup_free_ char *day = strndup(time, strcspn(time, "T"));
        json_int_t score = json_integer_value(json_object_get(alert, "score"));
        const json_t *file;
        size_t i;

        int r = day && group_is_complete(g) ? set_add(l, g->days, day) : -ENOMEM;
        if (r == 0)
                r = set_add(l, g->hosts, recorded_string(alert, "host"));
        if (r == 0)
                r = set_add(l, g->incidents, recorded_string(alert, "incident"));
        json_array_foreach(json_object_get(alert, "files"), i, file) {
                if (r == 0 && json_object_size(g->files) <= FILES_MAX)
                        r = set_add(l, g->files, recorded_string(file, "path"));
        }
        if (!g->sample || json_integer_value(json_object_get(g->sample, "score")) < score) {
                json_decref(g->sample);
                g->sample = json_incref((json_t *)alert);
        }
        if (is_tool(recorded_string(json_object_get(alert, "process"), "exe")))
                g->apart |= LEARN_TOOL;
        if (alert_is_harvest(alert))
                g->apart |= LEARN_HARVEST;
        g->n_alerts++;
        g->last_usec = MAX(g->last_usec, usec);
        return r;
}

static int proposal_add(Learning *l, const json_t *alert, uint64_t usec, const Proposal *p) {
        int r = 0;

        if (p->why) {
                LearnGroup *g = group_find(l, "none", false, p->why);

                l->n_left_out += !g;
                r = set_add(l, l->bad_incidents, recorded_string(alert, "incident"));
                return r < 0 || !g ? r : group_add(l, g, alert, usec);
        }
        for (size_t i = 0; r == 0 && i < p->n_rules; i++) {
                LearnGroup *g = group_find(l, p->rules[i].name, true, p->rules[i].body);

                l->n_left_out += !g;
                if (!g)
                        continue;
                g->apart |= p->rules[i].users ? LEARN_USERS : 0;
                r = group_add(l, g, alert, usec);
                if (r == 0)
                        r = risks_add(l, g->risks, p->risks);
                if (r == 0 && p->rules[i].destination) {
                        if (json_object_size(g->destinations) < LEARN_DESTINATIONS_MAX)
                                r = set_add(l, g->destinations, p->rules[i].destination);
                        else if (!json_object_get(g->destinations, p->rules[i].destination))
                                g->apart |= LEARN_EVERYWHERE;
                }
        }
        return r;
}

static bool alert_is_selftest(const json_t *alert) {
        const json_t *classes = json_object_get(alert, "classes");

        return json_array_size(classes) == 1 &&
               strcmp(json_string_value(json_array_get(classes, 0)) ?: "", ALERT_SELFTEST_CLASS) == 0;
}

int learn_add(Learning *l, const json_t *alert, SuggestLook look) {
        char key[ALERT_COPY_KEY_SIZE];
        Replay replay = {};
        Proposal proposal;
        uint64_t usec;

        if (alert_is_selftest(alert) || json_to_time(json_object_get(alert, "time"), &usec) < 0)
                return 0;
        int r = alert_copy_key(alert, key);
        if (r < 0 || json_object_get(l->seen, key))
                return r;
        if (json_object_size(l->seen) == LEARN_ALERTS_MAX)
                return -E2BIG;
        if (strlen(recorded_string(alert, "id")) > NAME_BYTES_MAX ||
                        strlen(recorded_string(alert, "incident")) > NAME_BYTES_MAX ||
                        strlen(recorded_string(alert, "host")) > NAME_BYTES_MAX) {
                l->n_refused++;
                return 0;
        }
        r = set_add(l, l->seen, key);
        if (r == 0)
                r = set_add(l, l->hosts, recorded_string(alert, "host"));
        if (r == 0)
                r = alert_replay(l->policy, l->names, alert, &replay);
        if (r == -EBADMSG) {
                l->n_refused++;
                return 0;
        }
        if (r < 0)
                return r;
        bool silent = replay.result == REPLAY_SILENCE;
        replay_done(&replay);
        l->n_alerts++;
        l->n_silent += silent;
        l->first_usec = l->first_usec == 0 ? usec : MIN(l->first_usec, usec);
        l->last_usec = MAX(l->last_usec, usec);
        if (silent)
                return 0;
        r = alert_propose(alert, l->known, look, &proposal);
        if (r < 0)
                return r;
        r = proposal_add(l, alert, usec, &proposal);
        proposal_done(&proposal);
        return r;
}

/* ---- what is allowed ---- */

static int group_compare(const void *a, const void *b) {
        const LearnGroup *x = a, *y = b;

        if (!x->body != !y->body)
                return x->body ? -1 : 1;
        /* Rules for the system first, then those of users, then what looks like a theft. */
        bool bad_x = x->apart & ~LEARN_USERS, bad_y = y->apart & ~LEARN_USERS;
        if (bad_x != bad_y)
                return bad_x ? 1 : -1;
        if (!x->apart != !y->apart)
                return x->apart ? 1 : -1;
        if (x->n_alerts != y->n_alerts)
                return x->n_alerts > y->n_alerts ? -1 : 1;
        return strcmp(x->name, y->name);
}

void learn_finish(Learning *l, uint64_t min_days, bool may_decide) {
        for (size_t i = 0; i < l->n_groups; i++) {
                LearnGroup *g = &l->groups[i];
                const char *incident;
                json_t *value;

                if (json_object_size(g->days) < min_days)
                        g->apart |= LEARN_SELDOM;
                json_object_foreach(g->incidents, incident,
                                value) if (json_object_get(l->bad_incidents, incident)) g->apart |=
                                LEARN_COMPANY;
                if (g->body && !g->answered && may_decide && g->apart == 0)
                        g->answer = LEARN_YES;
        }
        if (l->n_groups > 0)
                qsort(l->groups, l->n_groups, sizeof(*l->groups), group_compare);
}

#define MADE_BY "# Made by barbwirectl learn"

bool learn_made(const char *text) {
        return strncmp(text, MADE_BY, strlen(MADE_BY)) == 0;
}

void learn_read_answers(Learning *l, const char *dropin) {
        static const char mark[] = "# learn: ", section[] = "[Allow ";

        for (const char *line = dropin; line; line = strchr(line, '\n')) {
                line += *line == '\n';
                bool answers = strncmp(line, mark, strlen(mark)) == 0;
                if (!answers && strncmp(line, section, strlen(section)) != 0)
                        continue;
                const char *answer = line + strlen(mark),
                           *name = answers ? strchr(answer, ' ') : line + strlen(section) - 1;
                for (size_t i = 0; name && i < l->n_groups; i++) {
                        LearnGroup *g = &l->groups[i];
                        size_t n = strlen(g->name);

                        if (strncmp(name + 1, g->name, n) != 0 ||
                                        (name[1 + n] && name[1 + n] != (answers ? '\n' : ']')))
                                continue;
                        g->answer = !answers || strncmp(answer, "yes ", 4) == 0 ? LEARN_YES
                                    : strncmp(answer, "no ", 3) == 0            ? LEARN_NO
                                                                                : LEARN_UNDECIDED;
                        g->answered = g->answer != LEARN_UNDECIDED;
                }
        }
}

/* ---- the drop-in ---- */

static void put_set(FILE *f, json_t *set, size_t max) {
        const char *item;
        json_t *value;
        size_t n = 0;

        json_object_foreach(set, item, value) {
                if (n == max) {
                        fputs(", …", f);
                        break;
                }
                fputs(n++ > 0 ? ", " : "", f);
                text_put_string(f, item);
        }
}

static void put_counts(FILE *f, const LearnGroup *g) {
        size_t n_incidents = json_object_size(g->incidents), n_days = json_object_size(g->days),
               n_hosts = json_object_size(g->hosts);
        char date[TIME_TEXT_SIZE];

        fprintf(f, "# %" PRIu64 " alert%s in %zu incident%s, on %zu day%s, on %zu host%s (", g->n_alerts,
                        g->n_alerts == 1 ? "" : "s", n_incidents, n_incidents == 1 ? "" : "s", n_days,
                        n_days == 1 ? "" : "s", n_hosts, n_hosts == 1 ? "" : "s");
        put_set(f, g->hosts, 3);
        fprintf(f, "); the last %s; the worst ", time_format_short(g->last_usec, date));
        text_put_string(f, recorded_string(g->sample, "severity"));
        fprintf(f, " %" JSON_INTEGER_FORMAT ":\n# ",
                        json_integer_value(json_object_get(g->sample, "score")));
        text_put_string(f, recorded_string(g->sample, "summary"));
        fputs(" (", f);
        text_put_string(f, recorded_string(g->sample, "id"));
        fputs(")\n# Files: ", f);
        put_set(f, g->files, FILES_MAX);
        fputc('\n', f);
}

/* With a "#" before each line where it is not allowed. */
static void put_section(FILE *f, const LearnGroup *g) {
        const char *off = g->answer == LEARN_YES ? "" : "#", *destination;
        json_t *value;

        fprintf(f, "%s[Allow %s]\n", off, g->name);
        for (const char *line = g->body, *end; (end = strchr(line, '\n')); line = end + 1)
                fprintf(f, "%s%.*s\n", off, (int)(end - line), line);
        json_object_foreach(g->destinations, destination, value)
                        fprintf(f, "%sDestination=%s\n", off, destination);
}

int learn_put_group(FILE *f, const LearnGroup *g) {
        static const char *const answers[] = { "undecided", "yes", "no" };
        const char *risk;
        json_t *value;

        fputc('\n', f);
        if (!g->body) {
                put_counts(f, g);
                fputs(g->why, f);
                return 0;
        }
        fprintf(f, "# learn: %s %s\n", answers[g->answer], g->name);
        for (size_t i = 0; i < ELEMENTSOF(apart_texts); i++)
                if (g->apart & apart_texts[i].bit)
                        fprintf(f, "# %s\n", apart_texts[i].text);
        put_counts(f, g);
        json_object_foreach(g->risks, risk, value) fprintf(f, "%s\n", risk);
        put_section(f, g);
        return 0;
}

/* Those that are allowed, or not; or, without rules, those that none should allow. */
static void put_groups(FILE *f, const Learning *l, const char *title, bool rules, bool allowed) {
        size_t n = 0;

        for (size_t i = 0; i < l->n_groups; i++) {
                const LearnGroup *g = &l->groups[i];

                if ((g->body != NULL) != rules || (g->answer == LEARN_YES) != allowed)
                        continue;
                if (n++ == 0)
                        fprintf(f, "\n# ---- %s ----\n", title);
                (void)learn_put_group(f, g);
        }
}

char *learn_dropin(const Learning *l) {
        char first[TIME_TEXT_SIZE], last[TIME_TEXT_SIZE];
        TextStream text;
        FILE *f = text_open(&text);

        if (!f)
                return NULL;
        fprintf(f, MADE_BY " of %" PRIu64 " alerts of %zu host%s", l->n_alerts, json_object_size(l->hosts),
                        json_object_size(l->hosts) == 1 ? "" : "s");
        if (l->n_alerts > 0)
                fprintf(f, ", from %s to %s", time_format_short(l->first_usec, first),
                                time_format_short(l->last_usec, last));
        fprintf(f,
                        ".\n# %" PRIu64
                        " of them raise none by the policy on disk. Not learned by itself: review each "
                        "rule, then run\n"
                        "# \"barbwired --check\", and load it with \"systemctl reload barbwire\".\n",
                        l->n_silent);
        if (l->n_refused > 0)
                fprintf(f,
                                "# %" PRIu64
                                " entries are left out: they have not the shape of an alert, or its size.\n",
                                l->n_refused);
        if (l->n_left_out > 0)
                fprintf(f,
                                "# %" PRIu64
                                " alerts are not shown: there are more than %d programs and reasons.\n",
                                l->n_left_out, LEARN_GROUPS_MAX);
        put_groups(f, l, "Allowed", true, true);
        put_groups(f, l, "Not allowed: remove the # where it should be", true, false);
        put_groups(f, l, "No rule should allow these", false, false);
        return text_take(&text);
}

static json_t *names_to_json(json_t *set) {
        json_t *array = json_array(), *value;
        const char *item;

        json_object_foreach(set, item, value) if (json_array_append_new(array, json_string(item)) < 0) {
                json_decref(array);
                return NULL;
        }
        return array;
}

json_t *learn_to_json(const Learning *l) {
        json_auto_t *groups = json_array();

        for (size_t i = 0; i < l->n_groups; i++) {
                const LearnGroup *g = &l->groups[i];
                TextStream text;

                if (!text_open(&text))
                        return NULL;
                (void)learn_put_group(text.stream, g);
                _cleanup_free_ char *section = text_take(&text);
                if (!section)
                        return NULL;
                if (json_array_append_new(groups,
                                    json_pack("{s:s, s:b, s:b, s:b, s:I, s:o, s:o, s:s}", "name", g->name,
                                                    "possible", g->body != NULL, "allowed",
                                                    g->answer == LEARN_YES, "apart", g->apart != 0, "alerts",
                                                    (json_int_t)g->n_alerts, "days", names_to_json(g->days),
                                                    "hosts", names_to_json(g->hosts), "section", section)) <
                                0)
                        return NULL;
        }
        return json_pack("{s:I, s:I, s:O}", "alerts", (json_int_t)l->n_alerts, "silent",
                        (json_int_t)l->n_silent, "groups", groups);
}
