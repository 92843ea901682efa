/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <string.h>

#include "basic/escape.h"
#include "glob/automaton.h"
#include "glob/parse.h"
#include "policy/build.h"
#include "policy/check.h"
#include "policy/lineage.h"
#include "policy/match.h"
#include "policy/sample.h"
#include "policy/values.h"

/* Programs that run scripts: a rule that allows one of them allows every script. With `versioned`, names
 * followed by a version (python3.11) count, too. */
static const struct {
        const char *name;
        bool versioned;
} interpreters[] = {
        { "bash", false },
        { "busybox", false },
        { "dash", false },
        { "env", false },
        { "java", false },
        { "lua", true },
        { "node", false },
        { "nodejs", false },
        { "perl", true },
        { "php", true },
        { "python", true },
        { "python3", true },
        { "ruby", true },
        { "sh", false },
        { "zsh", false },
};

/* Where interpreters are installed: a glob that matches names in one of these directories allows them, too.
 */
static const char *const interpreter_directories[] = { "/bin", "/usr/bin", "/usr/local/bin" };

/* Any user can put an executable with an allowed name there. */
static const char *const writable_directories[] = { "/tmp/", "/var/tmp/", "/dev/shm/", "/home/" };

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

/* True if the addresses include every host. */
static bool names_everywhere(const PolicyAddress *destinations, size_t n) {
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
                                "%s allows the interpreter \"%s\" and therefore every script: add %s",
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
                                        "%s is where users can put programs of their own: name a program "
                                        "that only root can change",
                                        quoted);
                else if (strncmp(glob, "/**", 3) == 0)
                        r = policy_message_add(p, POLICY_WARNING, globs[i].origin,
                                        "%s allows a program of that name in any directory, including "
                                        "writable ones: name the directory",
                                        quoted);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int warn_of_paths(Policy *p, const PolicyAllow *a) {
        const PolicyGlob *astray = policy_path_astray(p, a);
        char quoted[VALUE_QUOTE_SIZE];

        if (!astray)
                return 0;
        return policy_message_add(p, POLICY_WARNING, astray->origin,
                        "%s is of none of the classes of [Allow %s], so that it has no effect there: name "
                        "the class in Class=, or correct the path",
                        value_quote(astray->glob, strlen(astray->glob), quoted), a->name);
}

static int warn_of_allow(Policy *p, const PolicyAllow *a) {
        int r = warn_of_interpreters(p, a, "Script=, Unit=, Ancestor=, or a Destination= narrower than any");

        if (r == 0)
                r = warn_of_paths(p, a);
        if (r == 0)
                r = warn_of_writable(p, a->exes, a->n_exes);
        if (r == 0)
                r = warn_of_writable(p, a->scripts, a->n_scripts);
        if (r == 0)
                r = warn_of_writable(p, a->ancestors, a->n_ancestors);
        return r;
}

static int warn_of_carrier(Policy *p, const PolicyCarrier *c) {
        int r = c->own ? 0 : warn_of_interpreters(p, &c->rule, "Unit=");

        if (r == 0)
                r = warn_of_writable(p, c->rule.exes, c->rule.n_exes);
        if (r == 0 && c->score != 0 && !c->egress)
                r = policy_message_add(p, POLICY_WARNING, c->rule.origin,
                                "[Carrier %s] has Score= without Egress=yes, which has no effect: add "
                                "Egress=yes, or remove Score=",
                                c->rule.name);
        return r;
}

/* Programs that start sessions and read /etc/shadow for it: one that no rule names, and that connects to a
 * directory service, would lock everybody out. */
static const char *const session_starters[] = {
        "/usr/sbin/sshd",
        "/usr/bin/login",
        "/usr/bin/su",
        "/usr/bin/sudo",
        "/usr/sbin/unix_chkpwd",
        "/usr/lib/systemd/systemd-executor",
};

static bool class_allows(const Policy *p, const PolicyClass *c, const char *exe) {
        for (size_t i = 0; i < p->n_allows; i++) {
                const PolicyAllow *a = p->allows + i;

                for (size_t k = 0; k < a->n_classes; k++)
                        if (strcmp(a->classes[k].name, c->name) == 0 &&
                                        (!exe || policy_match_path(p, a->exes, a->n_exes, exe)))
                                return true;
        }
        return false;
}

static int warn_of_denial(Policy *p, const PolicyClass *c) {
        bool locks = policy_class_locks(p, c);
        int r = 0;

        if ((!policy_class_denies(p, c) && !locks) || strcmp(c->name, POLICY_SELFTEST_CLASS) == 0)
                return 0;
        if (!class_allows(p, c, NULL))
                return policy_message_add(p, POLICY_WARNING, c->origin,
                                locks ? "[Class %s] has Access=allowed and no [Allow] section: no program "
                                        "can read its files; add an [Allow] section"
                                      : "[Class %s] has Action=deny and no [Allow] section: every program "
                                        "that reads its files is cut off from the network for Window=; add "
                                        "an [Allow] section",
                                c->name);
        bool sessions = policy_match_path(p, c->paths, c->n_paths, "/etc/shadow");
        for (size_t i = 0; sessions && r == 0 && i < ELEMENTSOF(session_starters); i++)
                if (!class_allows(p, c, session_starters[i]))
                        r = policy_message_add(p, POLICY_WARNING, c->origin,
                                        "[Class %s] has %s, and no [Allow] section of it names %s: "
                                        "logins %s fail; allow it, or name its unit in Never=",
                                        c->name, locks ? "Access=allowed" : "Action=deny",
                                        session_starters[i], locks ? "will" : "may");
        return r;
}

static int warn_of_enforcement(Policy *p) {
        for (size_t i = 0; i < p->n_classes; i++)
                if ((p->classes[i].action != POLICY_ALERT || p->classes[i].access != POLICY_ACCESS_ANY) &&
                                p->enforcement.off)
                        return policy_message_add(p, POLICY_WARNING, p->classes[i].origin,
                                        "[Class %s] has %s, but nothing is refused: the kernel was started "
                                        "with barbwire.enforce=0",
                                        p->classes[i].name,
                                        p->classes[i].action != POLICY_ALERT ? "Action=deny"
                                                                             : "Access=allowed");
        return 0;
}

static int warn_of_class(Policy *p, const PolicyClass *c) {
        if (c->fail_closed && c->action == POLICY_ALERT && c->access == POLICY_ACCESS_ANY) {
                int r = policy_message_add(p, POLICY_WARNING, c->origin,
                                "[Class %s] has FailClosed=yes, which has no effect: add Action=deny or "
                                "Access=allowed",
                                c->name);
                if (r < 0)
                        return r;
        }
        if (c->late_window_usec == 0 || c->late_window_usec >= c->window_usec)
                return 0;
        return policy_message_add(p, POLICY_WARNING, c->origin,
                        "[Class %s] has a LateWindow= shorter than its Window=, so that no egress is late: "
                        "write LateWindow=0 if that is intended",
                        c->name);
}

static int warn_of_lineage(Policy *p, const PolicyLineage *l) {
        if (l->n_exes == 0 && l->n_units == 0)
                return policy_message_add(p, POLICY_WARNING, l->origin,
                                "[Lineage %s] matches nothing: add Exe= or Unit=", l->name);
        if (l->score == 0 && !l->description)
                return policy_message_add(p, POLICY_WARNING, l->origin,
                                "[Lineage %s] has no effect: add Score= or Description=", l->name);
        return 0;
}

static int warn_of_destination(Policy *p, const PolicyDestination *d) {
        if (d->n_addresses == 0 && d->n_ports == 0)
                return policy_message_add(p, POLICY_WARNING, d->origin,
                                "[Destination %s] matches nothing: add Address= or Port=", d->name);
        if (d->ignore && d->n_ports == 0 && names_everywhere(d->addresses, d->n_addresses))
                return policy_message_add(p, POLICY_WARNING, d->origin,
                                "[Destination %s] matches every destination with Ignore=yes, so that no "
                                "alert is ever raised: narrow Address=, or add Port=",
                                d->name);
        if (d->score == 0 && !d->ignore && !d->description)
                return policy_message_add(p, POLICY_WARNING, d->origin,
                                "[Destination %s] has no effect: add Score=, Ignore= or Description=",
                                d->name);
        return 0;
}

static int policy_warn(Policy *p) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < p->n_classes; i++)
                r = warn_of_class(p, p->classes + i) ?: warn_of_denial(p, p->classes + i);
        if (r == 0)
                r = warn_of_enforcement(p);
        for (size_t i = 0; r == 0 && i < p->n_allows; i++)
                r = warn_of_allow(p, p->allows + i);
        for (size_t i = 0; r == 0 && i < p->n_carriers; i++)
                r = warn_of_carrier(p, p->carriers + i);
        for (size_t i = 0; r == 0 && i < p->n_lineages; i++)
                r = warn_of_lineage(p, p->lineages + i);
        for (size_t i = 0; r == 0 && i < p->n_destinations; i++)
                r = warn_of_destination(p, p->destinations + i);
        return r;
}

static int report_unknown_class(Policy *p, const char *type, const PolicyAllow *a, const PolicyName *class) {
        ValueNearest nearest = {};

        for (size_t i = 0; i < p->n_classes; i++)
                value_consider(&nearest, class->name, p->classes[i].name);
        if (nearest.name)
                return policy_message_add(p, POLICY_ERROR, class->origin,
                                "[%s %s] is ignored: there is no [Class %s], did you mean %s?", type,
                                a->name, class->name, nearest.name);
        return policy_message_add(p, POLICY_ERROR, class->origin,
                        "[%s %s] is ignored: there is no [Class %s]; add it, or remove the name", type,
                        a->name, class->name);
}

/* Resolves a user that is written as a number. */
static void user_parse(PolicyUser *u) {
        ValueError ignored;
        int64_t uid;

        /* UINT32_MAX means "no user" to system calls. */
        if (!u->known && value_parse_number(u->name, 0, UINT32_MAX - 1, &uid, &ignored) == 0) {
                u->uid = (uint32_t)uid;
                u->known = true;
        }
}

/* The following checks return 0 if the section is usable, 1 if it is not and that was reported, or -ENOMEM.
 */
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
                                "[%s %s] is ignored: there is no user %s; correct the name, or write the "
                                "UID of a user whose directory cannot be asked yet",
                                type, a->name,
                                value_quote(a->users[i].name, strlen(a->users[i].name), quoted));
                return r < 0 ? r : 1;
        }
        return 0;
}

static int allow_check(Policy *p, const PolicyAllow *a) {
        int r = class_names_check(p, "Allow", a);

        if (r == 0)
                r = users_check(p, "Allow", a);
        if (r != 0)
                return r;

        if (a->n_classes == 0 && a->n_paths > 0)
                r = policy_message_add(p, POLICY_ERROR, a->origin,
                                "[Allow %s] is ignored: no file of its Path= is of a class; name the class "
                                "in Class=, or correct the path",
                                a->name);
        else if (a->n_classes == 0)
                r = policy_message_add(p, POLICY_ERROR, a->origin,
                                "[Allow %s] is ignored: it has no Class=; name the classes that it allows, "
                                "or files of them in Path=",
                                a->name);
        else if (a->n_exes == 0)
                r = policy_message_add(p, POLICY_ERROR, a->origin,
                                "[Allow %s] is ignored: it has no Exe=; name the programs that it allows",
                                a->name);
        else if (policy_rule_is_users(a) && a->n_destinations == 0)
                r = policy_message_add(p, POLICY_ERROR, a->origin,
                                "[Allow %s] is ignored: it has ~/ in Exe= or Script= without Destination=, "
                                "and "
                                "a user's program may be changed by every program of that user; name where "
                                "it "
                                "may send",
                                a->name);
        else if (a->container && a->n_units == 0)
                r = policy_message_add(p, POLICY_ERROR, a->origin,
                                "[Allow %s] is ignored: it has Container=yes without Unit=, and any "
                                "container could bring such a program; name the unit of the container",
                                a->name);
        else
                return 0;
        return r < 0 ? r : 1;
}

static int carrier_check(Policy *p, const PolicyCarrier *c) {
        const PolicyAllow *rule = &c->rule;
        int r = class_names_check(p, "Carrier", rule);

        if (r == 0)
                r = users_check(p, "Carrier", rule);
        if (r != 0)
                return r;
        if (rule->n_exes == 0 && rule->n_units + rule->n_users + rule->n_classes + c->terminal > 0)
                r = policy_message_add(p, POLICY_ERROR, rule->origin,
                                "[Carrier %s] is ignored: it has Class=, Unit=, User= or Terminal= without "
                                "Exe=; name the programs",
                                rule->name);
        else if (c->own && (rule->n_exes == 0 || c->n_paths == 0))
                r = policy_message_add(p, POLICY_ERROR, rule->origin,
                                "[Carrier %s] is ignored: it has Own=yes without both Exe= and Path=; name "
                                "the programs and their files",
                                rule->name);
        else if (c->own && c->egress + c->terminal + rule->n_classes + rule->n_units + rule->n_users > 0)
                r = policy_message_add(p, POLICY_ERROR, rule->origin,
                                "[Carrier %s] is ignored: it has Own=yes with Class=, Unit=, User=, "
                                "Terminal= or Egress=; make that a section of its own",
                                rule->name);
        else if (c->egress && c->n_paths == 0)
                r = policy_message_add(p, POLICY_ERROR, rule->origin,
                                "[Carrier %s] is ignored: it has Egress=yes without Path=; name the sockets "
                                "or files",
                                rule->name);
        else if (rule->n_exes + c->n_paths == 0)
                r = policy_message_add(p, POLICY_ERROR, rule->origin,
                                "[Carrier %s] is ignored: it has neither Exe= nor Path=; name programs, "
                                "files or sockets",
                                rule->name);
        else
                return 0;
        return r < 0 ? r : 1;
}

/* Removes the names of classes that have no Path=. True if that removed the last one. */
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

/* The selftest proves that what is to be refused is: a connection, or the open of its decoy, which it could
 * not send if both were. */
static void selftest_finish(Policy *p) {
        PolicyClass *selftest = NULL;
        bool denies = false, locks = false;

        for (size_t i = 0; i < p->n_classes; i++)
                if (strcmp(p->classes[i].name, POLICY_SELFTEST_CLASS) == 0)
                        selftest = p->classes + i;
                else {
                        denies |= p->classes[i].action != POLICY_ALERT;
                        locks |= p->classes[i].access == POLICY_ACCESS_ALLOWED;
                }
        if (!selftest)
                return;
        selftest->action = denies ? POLICY_DENY : POLICY_ALERT;
        selftest->access = locks && !denies ? POLICY_ACCESS_ALLOWED : POLICY_ACCESS_ANY;
}

static int classes_finish(Policy *p) {
        for (size_t i = 0; i < p->n_classes; i++) {
                PolicyClass *c = p->classes + i;
                int r = 0;

                if (c->n_paths == 0)
                        r = policy_message_add(p, POLICY_ERROR, c->origin,
                                        "[Class %s] is ignored: it has no Path=; name its files, or disable "
                                        "the class by linking its file to /dev/null",
                                        c->name);
                if (r < 0)
                        return r;
                if (c->late_window_usec == POLICY_LATE_WINDOW_UNSET)
                        c->late_window_usec = MAX(POLICY_LATE_WINDOW_DEFAULT_USEC, c->window_usec);
        }
        sections_prune(p, SECTION_CLASS);
        selftest_finish(p);
        return 0;
}

static int rules_finish(Policy *p) {
        PolicyAllow *a;

        for (size_t i = 0; (a = policy_rule(p, i)); i++) {
                /* Reported with the line that broke it. */
                int r = a->broken         ? 1
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
                                "Alert=%u, Medium=%u and High=%u are ignored: they must be in ascending "
                                "order",
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
        text_hex(digest, sizeof(digest), b->policy.hash);
}

int policy_finish(Policy *p) {
        int r = 0;

        hash_finish(policy_build(p));
        PolicyAllow *a;
        for (size_t i = 0; r == 0 && i < p->n_allows; i++)
                if (p->allows[i].n_classes == 0)
                        r = policy_classes_of_paths(p, p->allows + i);
        for (size_t i = 0; r == 0 && (a = policy_rule(p, i)); i++) {
                if (a->broken || !allow_prune_classes(p, a))
                        continue;
                a->broken = true;
                r = policy_message_add(p, POLICY_ERROR, a->origin,
                                "[%s %s] is ignored: no class that it names has a Path=",
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
                p->classes[i].late_window_usec =
                                MAX(p->classes[i].late_window_usec, p->classes[i].window_usec);
        return r;
}
