/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "basic/util.h"
#include "policy/pattern-list.h"

void pattern_list_done(PatternList *l) {
        for (size_t i = 0; i < l->n; i++)
                free((char *)l->patterns[i].glob);
        free(l->patterns);
        free(l->sources);
}

int pattern_list_append(PatternList *l, const char *prefix, const char *glob, unsigned bit,
                const PolicyGlob *source) {
        const PolicyGlob **sources = reallocarray(l->sources, l->n + 1, sizeof(*sources));
        if (!sources)
                return -ENOMEM;
        l->sources = sources;
        sources[l->n] = source;

        GlobPattern *patterns = reallocarray(l->patterns, l->n + 1, sizeof(*patterns));
        if (!patterns)
                return -ENOMEM;
        l->patterns = patterns;

        char *text;
        if (asprintf(&text, "%s%s", prefix, glob) < 0)
                return -ENOMEM;
        patterns[l->n++] = (GlobPattern){ .glob = text, .bit = bit };
        return 0;
}
