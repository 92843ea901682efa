/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <string.h>

#include "basic/strv.h"

char **strv_free(char **strv) {
        for (char **s = strv; s && *s; s++)
                free(*s);
        free(strv);
        return NULL;
}

void strv_clear(char ***strv, size_t *n) {
        *strv = strv_free(*strv);
        *n = 0;
}

int strv_consume(char ***strv, size_t *n, char *item) {
        _cleanup_free_ char *owned = item;
        size_t counted = 0;

        if (!owned)
                return -ENOMEM;
        if (!n) {
                while (*strv && (*strv)[counted])
                        counted++;
                n = &counted;
        }
        char **larger = reallocarray(*strv, *n + 2, sizeof(char *));
        if (!larger)
                return -ENOMEM;
        *strv = larger;
        larger[(*n)++] = STEAL_PTR(owned);
        larger[*n] = NULL;
        return 0;
}

int strv_extend(char ***strv, size_t *n, const char *item) {
        return strv_consume(strv, n, strdup(item));
}

bool strv_contains(char *const *strv, const char *item) {
        for (char *const *s = strv; s && *s; s++)
                if (strcmp(*s, item) == 0)
                        return true;
        return false;
}
