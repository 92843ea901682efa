/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What every line of JSON we write shares. */

#include <stdint.h>

#include <jansson.h>

/* A time as RFC 3339, UTC, with microseconds. NULL when memory is short. */
json_t *json_from_time(uint64_t usec);

/* One line without newline, pure ASCII, newly allocated. -ENOMEM. */
int json_to_line(const json_t *o, char **ret);
