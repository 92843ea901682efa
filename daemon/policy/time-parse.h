/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Reads times as people write them on a command line. Pure. */

#include <stdint.h>

#define TIME_PARSE_EXAMPLES                                                                                 \
        "2026-11-22, \"2026-11-22 10:00\", 2026-11-22T10:00:00Z, now, today, yesterday, -2h, \"2h ago\" "   \
        "or @1795341600"

/* A date; a date and a time of day, in the local time zone ($TZ) unless an RFC 3339 offset follows; now,
 * today, yesterday; a time span before now ("-2h", "2h ago", see systemd.time(7)); "@" and seconds since
 * 1970. Returns microseconds since 1970. -EINVAL: none of these, before 1970, or after the year 9999. */
int time_parse(const char *s, uint64_t now_usec, uint64_t *ret_usec);
