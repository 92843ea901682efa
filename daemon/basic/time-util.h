/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Clocks and dates in microseconds, and their texts. */

#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "basic/util.h"

static inline uint64_t time_now_usec(clockid_t clock) {
        struct timespec ts;

        clock_gettime(clock, &ts);
        return ts.tv_sec * USEC_PER_SEC + ts.tv_nsec / NSEC_PER_USEC;
}

/* Fits every text below. */
#define TIME_TEXT_SIZE 96

/* "2026-01-02T03:04:05.000006Z": RFC 3339 in UTC, always with six digits of the second's fraction. */
void time_format_utc(uint64_t usec, char ret[static TIME_TEXT_SIZE]);

/* Reads what time_format_utc() writes. -EBADMSG: it has another shape, or is before 1970. */
int time_parse_utc(const char *text, uint64_t *ret_usec);

/* For people, in the local time zone ($TZ). "Sun 2026-11-22 13:07:42 UTC", as systemctl status. Returns ret.
 */
const char *time_format(uint64_t usec, char ret[static TIME_TEXT_SIZE]);
/* "Nov 22 13:07:42", as journalctl. Returns ret. */
const char *time_format_short(uint64_t usec, char ret[static TIME_TEXT_SIZE]);
/* "2h 5min ago". Returns ret. */
const char *time_format_ago(uint64_t usec, uint64_t now_usec, char ret[static TIME_TEXT_SIZE]);

/* "1.2 s", "2 min 5 s": two units at most, cut off rather than rounded. */
void text_put_age(FILE *f, uint64_t usec);
