/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "glob/parse.h"
#include "policy/variants.h"

/* Bytes of the directories, or of the path, that an alternative of a pattern begins with. */
static size_t literal_size(const char *glob) {
        size_t n = strcspn(glob, "\\?*[");

        if (!glob[n])
                return n;
        while (n > 0 && glob[n] != '/')
                n--;
        return n;
}

const PolicyLink *policy_link_find(const Policy *p, const char *from, size_t n) {
        for (size_t i = 0; i < p->n_links; i++)
                if (strncmp(p->links[i].from, from, n) == 0 && !p->links[i].from[n])
                        return p->links + i;
        return NULL;
}

int policy_literals_each(const PolicyGlob *glob, LiteralVisitor *visit, void *userdata) {
        GlobError error;
        size_t n_alternatives = 0;

        if (glob_count_alternatives(glob->glob, &n_alternatives, &error) < 0)
                return 0;
        for (size_t i = 0; i < n_alternatives; i++) {
                _cleanup_(glob_expansion_done) GlobExpansion e = {};

                int r = glob_expand(glob->glob, i, &e);
                if (r < 0)
                        return r;
                size_t n = literal_size(e.text);
                if (e.text[0] == '/' && n > 0)
                        r = visit(userdata, e.text, n);
                if (r != 0)
                        return r;
        }
        return 0;
}

/* The pattern that matches only this path; or, if that ends in '/', every directory in it (homes.c). NULL:
 * out of memory. */
static char *glob_escape(const char *path) {
        char *s = malloc(2 * strlen(path) + 2), *end = s;
        if (!s)
                return NULL;

        for (; *path; path++) {
                if (strchr("\\?*[]{},", *path))
                        *end++ = '\\';
                *end++ = *path;
        }
        if (end > s && end[-1] == '/')
                *end++ = '*';
        *end = 0;
        return s;
}

typedef struct Variant {
        const Policy *policy;
        size_t n; /* how many are before it */
        char *text;
} Variant;

static int literal_variant(void *userdata, const char *text, size_t n) {
        Variant *v = userdata;
        const PolicyLink *link = policy_link_find(v->policy, text, n);

        if (!link || link->error != 0 || v->n-- > 0)
                return 0;
        _cleanup_free_ char *to = glob_escape(link->to);
        if (!to || asprintf(&v->text, "%s%s", to, text + n) < 0) {
                v->text = NULL;
                return -ENOMEM;
        }
        return 1;
}

static int link_variant(const Policy *p, const char *glob, size_t n, char **ret) {
        Variant v = { .policy = p, .n = n };

        if (p->n_links == 0)
                return 0;
        int r = policy_literals_each(&(PolicyGlob){ .glob = (char *)glob }, literal_variant, &v);
        *ret = v.text;
        return r;
}

/* "~/REST" stands for every home under any prefix: a container's root file system is seen from the host too.
 */
int policy_glob_variant(const Policy *p, const char *glob, size_t n, char **ret) {
        static const char *const everywhere[] = { "/home/*", "/root" };

        if (glob[0] != '~') {
                if (n > 0)
                        return link_variant(p, glob, n - 1, ret);
                *ret = strdup(glob);
                return *ret ? 1 : -ENOMEM;
        }
        if (n >= ELEMENTSOF(everywhere) + p->n_homes)
                return 0;
        _cleanup_free_ char *home = n < ELEMENTSOF(everywhere)
                                                    ? strdup(everywhere[n])
                                                    : glob_escape(p->homes[n - ELEMENTSOF(everywhere)]);
        if (!home || asprintf(ret, "/**%s%s", home, glob + 1) < 0) {
                *ret = NULL;
                return -ENOMEM;
        }
        return 1;
}

int pattern_list_append_variants(PatternList *l, const Policy *p, const PolicyGlob *source, unsigned bit) {
        for (size_t n = 0;; n++) {
                _cleanup_free_ char *variant = NULL;
                int r = policy_glob_variant(p, source->glob, n, &variant);

                if (r <= 0)
                        return r;
                r = pattern_list_append(l, "", variant, bit, source);
                if (r < 0)
                        return r;
        }
}
