/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/list.h"

int policy_list_append(void *field, size_t *n, size_t size, const void *item) {
        char **items = field;

        char *larger = reallocarray(*items, *n + 2, size);
        if (!larger)
                return -ENOMEM;
        *items = larger;
        memcpy(larger + *n * size, item, size);
        memset(larger + ++*n * size, 0, size);
        return 0;
}

void policy_list_clear(void *field, size_t *n, size_t size, bool owned) {
        char **items = field;

        for (size_t i = 0; owned && i < *n; i++)
                free(*(char **)(*items + i * size));
        free(*items);
        *items = NULL;
        *n = 0;
}
