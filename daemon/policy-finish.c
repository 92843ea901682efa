/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What can only be judged once every file is read: references between sections, sections that lack
 * something, and rules that are wider or narrower than their author may think. Pure. */

#include <errno.h>
#include <string.h>

#include "glob-automaton.h"
#include "glob-parse.h"
#include "lineage-match.h"
#include "policy-build.h"
#include "policy-parser.h"
#include "policy-values.h"

/* Programs that run what they are told: to allow one is to allow whatever script it is given. Names with a
 * version behind them (python3.11) count. */
static const struct {
        const char *name;
        bool versioned;
} interpreters[] = {
                {"bash", false},
                {"busybox", false},
                {"dash", false},
                {"env", false},
                {"java", false},
                {"lua", true},
                {"node", false},
                {"nodejs", false},
                {"perl", true},
                {"php", true},
                {"python", true},
                {"python3", true},
                {"ruby", true},
                {"sh", false},
                {"zsh", false},
};

/* Where distributions and administrators put them: a glob over one of these allows them too. */
static const char *const interpreter_directories[] = {"/bin", "/usr/bin", "/usr/local/bin"};

/* Anybody can put an executable there under the name that a rule allows. */
static const char *const writable_directories[] = {"/tmp/", "/var/tmp/", "/dev/shm/", "/home/"};

static const char *name_interpreter(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(interpreters); i++) {
                size_t n = strlen(interpreters[i].name);

                if (strncmp(name, interpreters[i].name, n) == 0 && (interpreters[i].versioned || !name[n]))
                        return interpreters[i].name;
        }
        return NULL;
}

/* Of a glob without braces. */
static const char *pattern_interpreter(const char *glob) {
        const char *named = name_interpreter(strrchr(glob, '/') + 1);

        if (named || !strpbrk(glob, "\\?*["))
                return named;
        for (size_t i = 0; i < ELEMENTSOF(interpreters); i++)
                for (size_t d = 0; d < ELEMENTSOF(interpreter_directories); d++) {
                        char path[32];

                        int n = snprintf(path, sizeof(path), "%s/%s", interpreter_directories[d],
                                        interpreters[i].name);
                        if (glob_match_reference(glob, path, (size_t)n))
                                return interpreters[i].name;
                }
        return NULL;
}

const char *policy_interpreter(const char *glob) {
        const char *named = NULL;
        size_t n = 0;
        GlobError error;

        if (glob_count_alternatives(glob, &n, &error) < 0)
                return NULL;
        for (size_t i = 0; !named && i < n; i++) {
                _cleanup_(glob_expansion_done) GlobExpansion e = {};

                if (glob_expand(glob, i, &e) < 0)
                        return NULL;
                named = pattern_interpreter(e.text);
        }
        return named;
}

/* Any host whatever. */
static bool names_everywhere(const PolicyDestination *destinations, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (destinations[i].prefix == 0)
                        return true;
        return false;
}

static int warn_of_interpreters(Policy *p, const PolicyAllow *a, const char *remedy) {
        if (a->n_scripts > 0 || a->n_units > 0 || a->n_ancestors > 0 ||
                        (a->n_destinations > 0 && !names_everywhere(a->destinations, a->n_destinations)))
                return 0;

        for (size_t i = 0; i < a->n_exes; i++) {
                const PolicyGlob *exe = a->exes + i;
                const char *interpreter = policy_interpreter(exe->glob);
                char quoted[VALUE_QUOTE_SIZE];

                if (!interpreter)
                        continue;
                int r = policy_message_add(p, POLICY_WARNING, exe->origin,
                                "%s allows the interpreter \"%s\", and with it every script: add %s",
                                value_quote(exe->glob, strlen(exe->glob), quoted), interpreter, remedy);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int warn_of_writable(Policy *p, const PolicyGlob *globs, size_t n) {
        for (size_t i = 0; i < n; i++) {
                const char *glob = globs[i].glob, *where = NULL;
                char quoted[VALUE_QUOTE_SIZE];
                int r = 0;

                (void)value_quote(glob, strlen(glob), quoted);
                for (size_t k = 0; k < ELEMENTSOF(writable_directories); k++)
                        if (strncmp(glob, writable_directories[k], strlen(writable_directories[k])) == 0)
                                where = writable_directories[k];
                if (where)
                        r = policy_message_add(p, POLICY_WARNING, globs[i].origin,
                                        "%s is where users can put programs of their own: allow one that only root "
                                        "can change",
                                        quoted);
                else if (strncmp(glob, "/**", 3) == 0)
                        r = policy_message_add(p, POLICY_WARNING, globs[i].origin,
                                        "%s allows a program of that name in any directory, writable ones too: name "
                                        "the directory",
                                        quoted);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int warn_of_allow(Policy *p, const PolicyAllow *a) {
        int r = warn_of_interpreters(p, a,
                        "Script=, Unit= or Ancestor=, or a Destination= that is not everywhere");

        if (r == 0)
                r = warn_of_writable(p, a->exes, a->n_exes);
        if (r == 0)
                r = warn_of_writable(p, a->scripts, a->n_scripts);
        if (r == 0)
                r = warn_of_writable(p, a->ancestors, a->n_ancestors);
        if (r == 0 && a->clean && a->n_destinations == 0)
                r = policy_message_add(p, POLICY_WARNING, a->origin,
                                "[Allow %s] has Output=clean, but no Destination=: without one nothing is marked at all",
                                a->name);
        return r;
}

static int warn_of_carrier(Policy *p, const PolicyCarrier *c) {
        int r = warn_of_interpreters(p, &c->who, "Unit=");

        if (r == 0)
                r = warn_of_writable(p, c->who.exes, c->who.n_exes);
        if (r == 0 && c->score != 0 && !c->egress)
                r = policy_message_add(p, POLICY_WARNING, c->who.origin,
                                "[Carrier %s] has a Score=, which changes nothing without Egress=yes", c->who.name);
        return r;
}

static int warn_of_class(Policy *p, const PolicyClass *c) {
        if (c->late_window_usec == 0 || c->late_window_usec >= c->window_usec)
                return 0;
        return policy_message_add(p, POLICY_WARNING, c->origin,
                        "[Class %s] has a LateWindow= shorter than its Window=: no egress is ever late; write "
                        "LateWindow=0 if that is meant",
                        c->name);
}

static int warn_of_lineage(Policy *p, const PolicyLineage *l) {
        if (l->n_exes == 0 && l->n_units == 0)
                return policy_message_add(p, POLICY_WARNING, l->origin,
                                "[Lineage %s] matches nothing: it needs Exe= or Unit=", l->name);
        if (l->score == 0 && !l->description)
                return policy_message_add(p, POLICY_WARNING, l->origin,
                                "[Lineage %s] changes nothing: it has neither Score= nor Description=", l->name);
        return 0;
}

static int warn_of_peer(Policy *p, const PolicyPeer *d) {
        if (d->n_addresses == 0 && d->n_ports == 0)
                return policy_message_add(p, POLICY_WARNING, d->origin,
                                "[Destination %s] matches nothing: it needs Address= or Port=", d->name);
        if (d->ignore && d->n_ports == 0 && names_everywhere(d->addresses, d->n_addresses))
                return policy_message_add(p, POLICY_WARNING, d->origin,
                                "[Destination %s] ignores every destination: nothing is ever told", d->name);
        if (d->score == 0 && !d->ignore && !d->description)
                return policy_message_add(p, POLICY_WARNING, d->origin,
                                "[Destination %s] changes nothing: it has neither Score= nor Ignore= nor "
                                "Description=",
                                d->name);
        return 0;
}

static int policy_warn(Policy *p) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < p->n_classes; i++)
                r = warn_of_class(p, p->classes + i);
        for (size_t i = 0; r == 0 && i < p->n_allows; i++)
                r = warn_of_allow(p, p->allows + i);
        for (size_t i = 0; r == 0 && i < p->n_carriers; i++)
                r = warn_of_carrier(p, p->carriers + i);
        for (size_t i = 0; r == 0 && i < p->n_lineages; i++)
                r = warn_of_lineage(p, p->lineages + i);
        for (size_t i = 0; r == 0 && i < p->n_peers; i++)
                r = warn_of_peer(p, p->peers + i);
        return r;
}

static int report_unknown_class(Policy *p, const char *type, const PolicyAllow *a, const PolicyName *class) {
        unsigned nearest_distance = 3; /* more is another name, not a slip */
        const char *nearest = NULL;

        for (size_t i = 0; i < p->n_classes; i++) {
                unsigned d = value_distance(class->name, p->classes[i].name);

                if (d < nearest_distance) {
                        nearest_distance = d;
                        nearest = p->classes[i].name;
                }
        }
        if (nearest)
                return policy_message_add(p, POLICY_ERROR, class->origin,
                                "there is no [Class %s], did you mean %s? (the whole [%s %s] is not used)",
                                class->name, nearest, type, a->name);
        return policy_message_add(p, POLICY_ERROR, class->origin,
                        "there is no [Class %s]: add it, or leave the name out (the whole [%s %s] is not used)",
                        class->name, type, a->name);
}

/* A user that is written as a number. */
static void user_parse(PolicyUser *u) {
        ValueError ignored;
        int64_t uid;

        /* The last one means "none" to every system call. */
        if (!u->known && value_parse_number(u->name, 0, UINT32_MAX - 1, &uid, &ignored) == 0) {
                u->uid = (uint32_t)uid;
                u->known = true;
        }
}

/* Of these checks, 0: can be used; 1: cannot, and that is reported. */
static int class_names_check(Policy *p, const char *type, const PolicyAllow *a) {
        for (size_t i = 0; i < a->n_classes; i++)
                if (!policy_class_by_name(p, a->classes[i].name)) {
                        int r = report_unknown_class(p, type, a, a->classes + i);
                        return r < 0 ? r : 1;
                }
        return 0;
}

static int users_check(Policy *p, const char *type, const PolicyAllow *a) {
        char quoted[VALUE_QUOTE_SIZE];

        for (size_t i = 0; i < a->n_users; i++) {
                user_parse(a->users + i);
                if (a->users[i].known)
                        continue;
                int r = policy_message_add(p, POLICY_ERROR, a->users[i].origin,
                                "there is no user %s in the passwd file: correct the name, or write the number of one "
                                "from elsewhere (the whole [%s %s] is not used)",
                                value_quote(a->users[i].name, strlen(a->users[i].name), quoted), type, a->name);
                return r < 0 ? r : 1;
        }
        return 0;
}

static const char unused[] = "not used";

static int allow_check(Policy *p, const PolicyAllow *a) {
        int r = class_names_check(p, "Allow", a);

        if (r == 0)
                r = users_check(p, "Allow", a);
        if (r != 0)
                return r;

        if (a->n_classes == 0)
                r = policy_message_add(p, POLICY_ERROR, a->origin,
                                "[Allow %s] has no Class=, %s: say which class of files it is about", a->name, unused);
        else if (a->n_exes == 0)
                r = policy_message_add(p, POLICY_ERROR, a->origin,
                                "[Allow %s] has no Exe=, %s: say which program is allowed", a->name, unused);
        else if (a->container && a->n_units == 0)
                r = policy_message_add(p, POLICY_ERROR, a->origin,
                                "[Allow %s] has Container=yes, but no Unit=, %s: say which container, or every one "
                                "could bring such a program",
                                a->name, unused);
        else
                return 0;
        return r < 0 ? r : 1;
}

static int carrier_check(Policy *p, const PolicyCarrier *c) {
        const PolicyAllow *who = &c->who;
        int r = class_names_check(p, "Carrier", who);

        if (r == 0)
                r = users_check(p, "Carrier", who);
        if (r != 0)
                return r;
        if (who->n_exes == 0 && who->n_units + who->n_users + who->n_classes + c->terminal > 0)
                r = policy_message_add(p, POLICY_ERROR, who->origin,
                                "[Carrier %s] has Class=, Unit=, User= or Terminal=, but no Exe=, %s: say which program",
                                who->name, unused);
        else if (c->egress && c->n_paths == 0)
                r = policy_message_add(p, POLICY_ERROR, who->origin,
                                "[Carrier %s] has Egress=yes, but no Path=, %s: say which sockets or files", who->name, unused);
        else if (who->n_exes + c->n_paths == 0)
                r = policy_message_add(p, POLICY_ERROR, who->origin,
                                "[Carrier %s] has neither Exe= nor Path=, %s: say which program, file or socket",
                                who->name, unused);
        else
                return 0;
        return r < 0 ? r : 1;
}

/* Forgets names of classes that exist but have no Path=. True when none is left, though there was one. */
static bool allow_prune_classes(const Policy *p, PolicyAllow *a) {
        size_t n = 0;

        for (size_t i = 0; i < a->n_classes; i++) {
                const PolicyClass *c = policy_class_by_name(p, a->classes[i].name);

                if (c && c->n_paths == 0)
                        free(a->classes[i].name);
                else
                        a->classes[n++] = a->classes[i];
        }
        bool emptied = n == 0 && a->n_classes > 0;
        a->n_classes = n;
        return emptied;
}

static bool section_is_unusable(Policy *p, Section s, size_t i) {
        return s == SECTION_CLASS ? p->classes[i].n_paths == 0 : *section_broken(p, s, i);
}

static void sections_prune(Policy *p, Section s) {
        const SectionInfo *info = &policy_sections[s];
        size_t *n_items = (size_t *)((char *)p + info->n_items), n = 0;

        for (size_t i = 0; i < *n_items; i++)
                if (section_is_unusable(p, s, i))
                        section_done(s, section_item(p, s, i));
                else
                        memmove(section_item(p, s, n++), section_item(p, s, i), info->size);
        *n_items = n;
}

static int classes_finish(Policy *p) {
        for (size_t i = 0; i < p->n_classes; i++) {
                PolicyClass *c = p->classes + i;
                int r = 0;

                if (c->n_paths == 0)
                        r = policy_message_add(p, POLICY_ERROR, c->origin,
                                        "[Class %s] has no Path=, not used: name its files; to switch a class off, "
                                        "mask its file by a link to /dev/null",
                                        c->name);
                if (r < 0)
                        return r;
                if (c->late_window_usec == POLICY_LATE_WINDOW_UNSET)
                        c->late_window_usec = MAX(POLICY_LATE_WINDOW_DEFAULT_USEC, c->window_usec);
        }
        sections_prune(p, SECTION_CLASS);
        return 0;
}

static int rules_finish(Policy *p) {
        PolicyAllow *a;

        for (size_t i = 0; (a = policy_rule(p, i)); i++) {
                /* What an earlier bad line broke was reported with it. */
                int r = a->broken        ? 1
                        : i < p->n_allows ? allow_check(p, a)
                                          : carrier_check(p, p->carriers + (i - p->n_allows));
                if (r < 0)
                        return r;
                a->broken = r > 0;
        }
        sections_prune(p, SECTION_ALLOW);
        sections_prune(p, SECTION_CARRIER);
        return 0;
}

static int scoring_finish(Policy *p) {
        PolicyScoring *s = &p->scoring;
        int r = 0;

        if (s->alert > s->medium || s->medium > s->high) {
                r = policy_message_add(p, POLICY_ERROR, s->origin,
                                "Alert=%u, Medium=%u and High=%u are not in this order; the defaults are used",
                                s->alert, s->medium, s->high);
                section_reset(SECTION_SCORING, s);
        }
        return r;
}

static int lineages_finish(Policy *p) {
        PolicyMessage m = {};

        sections_prune(p, SECTION_LINEAGE);
        int r = lineage_table_new(p, &p->lineage_table, &m);
        if (m.text)
                r = policy_message_add(p, POLICY_ERROR, m.origin, "%s", m.text);
        free(m.text);
        return r;
}

static void hash_finish(PolicyBuild *b) {
        uint8_t digest[SHA256_DIGEST_SIZE];

        sha256_digest(&b->hash, sizeof(digest), digest);
        for (size_t i = 0; i < sizeof(digest); i++)
                (void)snprintf(b->policy.hash + 2 * i, 3, "%02x", digest[i]);
}

void policy_resolve_user(Policy *p, const char *name, uint32_t uid) {
        PolicyAllow *a;

        for (size_t i = 0; (a = policy_rule(p, i)); i++)
                for (size_t k = 0; k < a->n_users; k++) {
                        PolicyUser *u = a->users + k;

                        /* The first line of a name is what the system takes, too. */
                        if (!u->known && strcmp(u->name, name) == 0) {
                                u->uid = uid;
                                u->known = true;
                        }
                }
}

int policy_finish(Policy *p) {
        int r = 0;

        hash_finish(policy_build(p));
        PolicyAllow *a;
        for (size_t i = 0; r == 0 && (a = policy_rule(p, i)); i++) {
                if (a->broken || !allow_prune_classes(p, a))
                        continue;
                a->broken = true;
                r = policy_message_add(p, POLICY_ERROR, a->origin, "[%s %s] is not used: no class that it names has a Path=",
                                i < p->n_allows ? "Allow" : "Carrier", a->name);
        }
        if (r == 0)
                r = classes_finish(p);
        if (r == 0)
                r = rules_finish(p);
        if (r < 0)
                return r;
        sections_prune(p, SECTION_DESTINATION);
        r = lineages_finish(p);
        if (r == 0)
                r = scoring_finish(p);
        if (r == 0)
                r = policy_warn(p);
        for (size_t i = 0; i < p->n_classes; i++)
                p->classes[i].late_window_usec = MAX(p->classes[i].late_window_usec, p->classes[i].window_usec);
        return r;
}
