/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What every line of JSON we write shares. */

#include <stdint.h>

#include <jansson.h>

/* What stems from a name is bytes, and JSON strings are not: a backslash is written \\ and a byte that is
 * not UTF-8, or is NUL, \xNN, before JSON's own escaping. NULL: out of memory. */
json_t *json_from_bytes(const char *data, size_t size);

/* An array of them, NULL-terminated, the same. */
json_t *json_from_strings(char *const *strings);

/* A time as RFC 3339, UTC, with microseconds. NULL: out of memory. */
json_t *json_from_time(uint64_t usec);

/* The way back, of exactly that shape. -EBADMSG: it is none. */
int json_to_time(const json_t *time, uint64_t *ret_usec);

/* One line without newline, pure ASCII, newly allocated. -ENOMEM. */
int json_to_line(const json_t *o, char **ret);
