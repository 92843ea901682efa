/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The lists of a Policy: arrays of structs of any type, and their length. */

#include <stdbool.h>
#include <stddef.h>

/* `field` is the address of the pointer to the items, each of `size` bytes. An item of zeroes follows the
 * last one. 0 or -ENOMEM. */
int policy_list_append(void *field, size_t *n, size_t size, const void *item);

/* owned: each item begins with a `char *` that is freed with it. */
void policy_list_clear(void *field, size_t *n, size_t size, bool owned);
