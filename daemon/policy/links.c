/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <string.h>

#include "policy/build.h"
#include "policy/check.h"
#include "policy/links.h"
#include "policy/list.h"
#include "policy/values.h"
#include "policy/variants.h"

typedef struct Follow {
        Policy *policy;
        PolicyFollow *follow;
} Follow;

static int link_add(const Follow *f, const char *from, size_t n) {
        _cleanup_free_ char *path = strndup(from, n), *to = NULL;

        if (!path)
                return -ENOMEM;
        int r = f->follow(path, &to);
        if (r == 0 || r == -ENOMEM)
                return r;
        /* What is there depends on who looks: /etc/mtab. */
        if (r > 0 && strncmp(to, "/proc/", 6) == 0)
                return 0;
        /* Else a rule for one of its tools would become one for all of them. */
        if (r > 0 && policy_interpreter(to) && !policy_interpreter(path))
                r = -ENOEXEC;
        r = policy_list_append(&f->policy->links, &f->policy->n_links, sizeof(PolicyLink),
                        &(PolicyLink){ .from = path, .to = to, .error = MIN(r, 0) });
        if (r == 0)
                path = to = NULL;
        return r;
}

typedef int GlobVisitor(void *userdata, const PolicyGlob *glob);

static int list_each(const PolicyGlob *globs, size_t n, GlobVisitor *visit, void *userdata) {
        int r = 0;

        for (size_t i = 0; i < n && r == 0; i++)
                r = visit(userdata, globs + i);
        return r;
}

/* Visits each pattern in which links are followed, until that returns other than 0. */
static int globs_each(const Policy *p, GlobVisitor *visit, void *userdata) {
        const PolicyAllow *a;
        int r = 0;

        for (size_t i = 0; r == 0 && i < p->n_classes; i++) {
                const PolicyClass *c = p->classes + i;

                r = list_each(c->paths, c->n_paths, visit, userdata);
                r = r ?: list_each(c->excludes, c->n_excludes, visit, userdata);
        }
        for (size_t i = 0; r == 0 && (a = policy_rule(p, i)); i++) {
                r = list_each(a->paths, a->n_paths, visit, userdata);
                r = r ?: list_each(a->exes, a->n_exes, visit, userdata);
                r = r ?: list_each(a->scripts, a->n_scripts, visit, userdata);
                r = r ?: list_each(a->ancestors, a->n_ancestors, visit, userdata);
        }
        for (size_t i = 0; r == 0 && i < p->n_carriers; i++)
                r = list_each(p->carriers[i].paths, p->carriers[i].n_paths, visit, userdata);
        for (size_t i = 0; r == 0 && i < p->enforcement.n_never; i++)
                if (p->enforcement.never[i].glob[0] == '/')
                        r = list_each(p->enforcement.never + i, 1, visit, userdata);
        for (size_t i = 0; r == 0 && i < p->n_lineages; i++)
                r = list_each(p->lineages[i].exes, p->lineages[i].n_exes, visit, userdata);
        return r;
}

static int literal_follow(void *userdata, const char *text, size_t n) {
        const Follow *f = userdata;

        return policy_link_find(f->policy, text, n) ? 0 : link_add(f, text, n);
}

static int glob_follow(void *userdata, const PolicyGlob *glob) {
        return policy_literals_each(glob, literal_follow, userdata);
}

int policy_follow_links(Policy *p, PolicyFollow *follow) {
        return globs_each(p, glob_follow, &(Follow){ p, follow });
}

typedef struct Report {
        Policy *policy;
        const PolicyGlob *glob;
} Report;

static int literal_report(void *userdata, const char *text, size_t n) {
        const Report *report = userdata;
        const PolicyLink *link = policy_link_find(report->policy, text, n);
        char from[VALUE_QUOTE_SIZE], to[VALUE_QUOTE_SIZE];

        if (!link || link->error == -EACCES)
                return 0;
        (void)value_quote(text, n, from);
        (void)value_quote(link->to ?: "", strlen(link->to ?: ""), to);
        /* Vendors' files are written for machines of every kind. */
        if (link->error == 0 && strncmp(report->glob->origin.file, "/usr/", 5) == 0)
                return 0;
        if (link->error == 0)
                return policy_message_add(report->policy, POLICY_NOTE, report->glob->origin,
                                "%s leads to %s through a link: both are matched", from, to);
        if (link->error == -ENOEXEC)
                return policy_message_add(report->policy, POLICY_WARNING, report->glob->origin,
                                "%s is a link to %s, which runs other programs as well, so that it is not "
                                "followed: name that program, and what else must be true of it",
                                from, to);
        return policy_message_add(report->policy, POLICY_WARNING, report->glob->origin,
                        "the links in %s are not followed, so that nothing may match: %s; name the path "
                        "that "
                        "they lead to",
                        from,
                        link->error == -EPERM ? "others than root can change them" : strerror(-link->error));
}

static int glob_report(void *userdata, const PolicyGlob *glob) {
        return policy_literals_each(glob, literal_report, &(Report){ userdata, glob });
}

int policy_report_links(Policy *p) {
        return p->n_links > 0 ? globs_each(p, glob_report, p) : 0;
}

int policy_inherit_links(Policy *p, const Policy *before) {
        for (size_t i = 0; before && i < p->n_links; i++) {
                PolicyLink *link = p->links + i;
                const PolicyLink *old = policy_link_find(before, link->from, strlen(link->from));

                if (link->error != -EACCES || !old || old->error != 0)
                        continue;
                _cleanup_free_ char *to = strdup(old->to);
                if (!to)
                        return -ENOMEM;
                link->to = STEAL_PTR(to);
                link->error = 0;
        }
        return 0;
}
