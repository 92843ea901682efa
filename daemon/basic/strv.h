/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Lists of strings: NULL-terminated, list and strings allocated; NULL is an empty list, too. Where a count
 * is kept beside the list, its address is given; NULL: the strings are counted. */

#include <stdbool.h>
#include <stddef.h>

#include "basic/util.h"

/* Takes NULL; returns NULL. */
char **strv_free(char **strv);
DEFINE_CLEANUP(char *, strv_free);

/* Frees the list, too, and sets *n to 0. */
void strv_clear(char ***strv, size_t *n);

/* Appends item and owns it, also on failure. item NULL stands for one that could not be allocated. -ENOMEM.
 */
int strv_consume(char ***strv, size_t *n, char *item);

/* Appends a copy. -ENOMEM. */
int strv_extend(char ***strv, size_t *n, const char *item);

bool strv_contains(char *const *strv, const char *item);
