/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Times as people write and read them, in microseconds since the epoch and in the local time zone ($TZ).
 * Pure. */

#include <stddef.h>
#include <stdint.h>

/* systemd.time(7): "2026-11-22 10:00[:00[.5]]", "2026-11-22", "10:00[:00]", "now", "today", "yesterday",
 * "tomorrow",
 * "-2h", "2h ago", "+5min", "@EPOCH[.5]", RFC 3339; a weekday before a date, which must be right, and "UTC"
 * or the local time zone's abbreviation behind a time. -EINVAL: none of these, or before the epoch. */
int time_parse(const char *s, uint64_t now_usec, uint64_t *ret_usec);

/* Fits every text below. */
#define TIME_TEXT_SIZE 96

/* "Sun 2026-11-22 13:07:42 UTC", as systemctl status. Returns ret. */
const char *time_format(uint64_t usec, char ret[static TIME_TEXT_SIZE]);
/* "Nov 22 13:07:42", as journalctl. Returns ret. */
const char *time_format_short(uint64_t usec, char ret[static TIME_TEXT_SIZE]);
/* "2h 5min ago". Returns ret. */
const char *time_format_ago(uint64_t usec, uint64_t now_usec, char ret[static TIME_TEXT_SIZE]);
