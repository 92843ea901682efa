/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "glob/parse.h"
#include "policy/list.h"
#include "policy/match.h"
#include "policy/sample.h"

/* What a wildcard is replaced with: a name that no pattern excludes. */
#define ANY_NAME 'x'

/* A path that a pattern without braces matches. Of a set it is the first byte, or one that "!" leaves. NULL:
 * out of memory. */
static char *sample_make(const char *glob) {
        const char *rest = glob[0] == '~' ? glob + 1 : glob;
        char *text = malloc(strlen(rest) + sizeof("/root"));
        if (!text)
                return NULL;

        size_t n = rest != glob ? (size_t)(stpcpy(text, "/root") - text) : 0;
        while (*rest) {
                size_t stars = strspn(rest, "*");

                if (stars > 0) {
                        text[n++] = ANY_NAME;
                        rest += stars;
                } else if (*rest == '?') {
                        text[n++] = ANY_NAME;
                        rest++;
                } else if (*rest == '[') {
                        bool negated = rest[1] == '!' || rest[1] == '^';
                        const char *first = rest + 1 + negated;

                        text[n++] = negated ? ANY_NAME : *first == '\\' ? first[1] : *first;
                        rest = first + 1 + strcspn(first + 1, "]");
                        rest += *rest == ']';
                } else {
                        rest += *rest == '\\' && rest[1];
                        text[n++] = *rest++;
                }
        }
        text[n] = 0;
        return text;
}

static bool class_has(const Policy *p, const PolicyClass *c, const char *path) {
        return policy_match_path(p, c->paths, c->n_paths, path) &&
               !policy_match_path(p, c->excludes, c->n_excludes, path);
}

/* Whether a file that the item names is of the class. 1, 0 or -ENOMEM. */
static int item_meets(const Policy *p, const PolicyGlob *item, const PolicyClass *c) {
        size_t n = 0;
        GlobError error;

        if (glob_count_alternatives(item->glob, &n, &error) < 0)
                return 0;
        for (size_t i = 0; i < n; i++) {
                _cleanup_(glob_expansion_done) GlobExpansion e = {};

                int r = glob_expand(item->glob, i, &e);
                if (r < 0)
                        return r;
                _cleanup_free_ char *path = sample_make(e.text);
                if (!path)
                        return -ENOMEM;
                if (class_has(p, c, path))
                        return 1;
        }
        return 0;
}

int policy_classes_of_paths(const Policy *p, PolicyAllow *a) {
        for (size_t i = 0; i < p->n_classes; i++)
                for (size_t k = 0; k < a->n_paths; k++) {
                        int r = item_meets(p, a->paths + k, p->classes + i);
                        if (r < 0)
                                return r;
                        if (r == 0)
                                continue;
                        PolicyName name = { .name = strdup(p->classes[i].name),
                                .origin = a->paths[k].origin };
                        if (!name.name)
                                return -ENOMEM;
                        r = policy_list_append(&a->classes, &a->n_classes, sizeof(name), &name);
                        if (r < 0) {
                                free(name.name);
                                return r;
                        }
                        break;
                }
        return 0;
}

const PolicyGlob *policy_path_astray(const Policy *p, const PolicyAllow *a) {
        for (size_t k = 0; k < a->n_paths; k++) {
                bool met = false;

                for (size_t i = 0; i < a->n_classes && !met; i++) {
                        const PolicyClass *c = policy_class_by_name(p, a->classes[i].name);

                        met = c && item_meets(p, a->paths + k, c) != 0;
                }
                if (!met)
                        return a->paths + k;
        }
        return NULL;
}
