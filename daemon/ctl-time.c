/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Must not ask for the time: the caller says what "now" is. */

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ctl-time.h"
#include "policy-values.h"
#include "util.h"

#define USEC_PER_MIN (60 * USEC_PER_SEC)
#define USEC_PER_HOUR (60 * USEC_PER_MIN)
#define USEC_PER_DAY (24 * USEC_PER_HOUR)

/* The year 9999, the last one that RFC 3339 can write. Anything later is a mistake, and nothing below
 * overflows. */
#define SECONDS_MAX 253402300799ULL
#define YEAR_MAX 9999

/* Reads `min` to `max` digits, moving on. */
static bool digits_take(const char **s, size_t min, size_t max, uint64_t *ret) {
        uint64_t v = 0;
        size_t n = 0;

        while (n < max && isdigit((unsigned char)(*s)[n]))
                v = v * 10 + (uint64_t)((*s)[n++] - '0');
        if (n < min)
                return false;
        *s += n;
        *ret = v;
        return true;
}

/* ".5" → 500,000; nothing there is fine. Digits beyond microseconds are cut off. */
static bool fraction_take(const char **s, uint64_t *ret_usec) {
        uint64_t usec = 0, unit = USEC_PER_SEC;

        if (**s != '.') {
                *ret_usec = 0;
                return true;
        }
        const char *p = *s + 1;
        for (; isdigit((unsigned char)*p); p++) {
                unit /= 10;
                usec += unit * (uint64_t)(*p - '0');
        }
        if (p == *s + 1)
                return false;
        *s = p;
        *ret_usec = usec;
        return true;
}

/* "2026-11-22" */
static bool date_take(const char **s, struct tm *tm) {
        const char *p = *s;
        uint64_t year, month, day;

        if (!digits_take(&p, 4, 4, &year) || *p++ != '-' || !digits_take(&p, 2, 2, &month) || *p++ != '-' ||
                        !digits_take(&p, 2, 2, &day) || year > YEAR_MAX || month < 1 || month > 12)
                return false;

        /* timegm() makes March of the 30th of February: a date that changes was none. It also finds the
         * weekday. */
        struct tm date = {.tm_year = (int)year - 1900, .tm_mon = (int)month - 1, .tm_mday = (int)day};
        if (timegm(&date) == -1 || date.tm_mday != (int)day)
                return false;
        tm->tm_year = date.tm_year;
        tm->tm_mon = date.tm_mon;
        tm->tm_mday = date.tm_mday;
        tm->tm_wday = date.tm_wday;
        *s = p;
        return true;
}

/* "10:00", "10:00:00", "10:00:00.5" */
static bool clock_take(const char **s, struct tm *tm, uint64_t *ret_usec) {
        const char *p = *s;
        uint64_t hour, min, sec = 0, usec = 0;

        if (!digits_take(&p, 1, 2, &hour) || *p++ != ':' || !digits_take(&p, 2, 2, &min))
                return false;
        if (*p == ':') {
                p++;
                if (!digits_take(&p, 2, 2, &sec) || !fraction_take(&p, &usec))
                        return false;
        }
        if (hour > 23 || min > 59 || sec > 59)
                return false;
        tm->tm_hour = (int)hour;
        tm->tm_min = (int)min;
        tm->tm_sec = (int)sec;
        *ret_usec = usec;
        *s = p;
        return true;
}

/* "", "Z", "+01:00", " UTC", " CET": everything that is left must be one. *ret_local: tm is in local time;
 * else it is *ret_offset_sec east of UTC. */
static bool zone_take(const char *s, struct tm *tm, bool *ret_local, int64_t *ret_offset_sec) {
        uint64_t hours, minutes;

        *ret_local = false;
        *ret_offset_sec = 0;
        if (strcmp(s, "Z") == 0 || strcmp(s, "z") == 0 || strcmp(s, " UTC") == 0)
                return true;
        if (*s == '+' || *s == '-') {
                int64_t sign = *s++ == '-' ? -1 : 1;

                if (!digits_take(&s, 2, 2, &hours) || *s++ != ':' || !digits_take(&s, 2, 2, &minutes) ||
                                *s || hours > 23 || minutes > 59)
                        return false;
                *ret_offset_sec = sign * (int64_t)(hours * 3600 + minutes * 60);
                return true;
        }

        *ret_local = true;
        tm->tm_isdst = -1;
        if (!*s)
                return true;
        for (int dst = 0; dst < 2; dst++)
                if (*s == ' ' && strcmp(s + 1, tzname[dst]) == 0) {
                        tm->tm_isdst = dst;
                        return true;
                }
        return false;
}

static int moment_parse(const char *s, uint64_t now_usec, uint64_t *ret_usec) {
        static const char *const weekdays[] = {"Sun ", "Mon ", "Tue ", "Wed ", "Thu ", "Fri ", "Sat "};
        time_t now_sec = (time_t)(now_usec / USEC_PER_SEC);
        int weekday = -1;
        uint64_t usec = 0;
        int64_t offset_sec;
        struct tm tm = {};
        bool local, has_clock = true;

        for (int i = 0; i < (int)ELEMENTSOF(weekdays); i++)
                if (strncasecmp(s, weekdays[i], 4) == 0) {
                        weekday = i;
                        s += 4;
                }

        if (date_take(&s, &tm)) {
                if (weekday >= 0 && weekday != tm.tm_wday)
                        return -EINVAL;
                has_clock = *s == 'T' || *s == 't' || (*s == ' ' && isdigit((unsigned char)s[1]));
                s += has_clock;
        } else {
                if (weekday >= 0)
                        return -EINVAL;
                (void)localtime_r(&now_sec, &tm);
        }
        if (has_clock && !clock_take(&s, &tm, &usec))
                return -EINVAL;
        if (!zone_take(s, &tm, &local, &offset_sec))
                return -EINVAL;

        int64_t sec = local ? (int64_t)mktime(&tm) : (int64_t)timegm(&tm) - offset_sec;
        if (sec < 0 || sec > (int64_t)SECONDS_MAX)
                return -EINVAL;
        *ret_usec = (uint64_t)sec * USEC_PER_SEC + usec;
        return 0;
}

/* Midnight of the day that is so many days from now. */
static int day_parse(int days, uint64_t now_usec, uint64_t *ret_usec) {
        time_t now_sec = (time_t)(now_usec / USEC_PER_SEC);
        struct tm tm = {};

        (void)localtime_r(&now_sec, &tm);
        tm.tm_mday += days;
        tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
        tm.tm_isdst = -1;
        int64_t sec = mktime(&tm);
        if (sec < 0)
                return -EINVAL;
        *ret_usec = (uint64_t)sec * USEC_PER_SEC;
        return 0;
}

/* The span before, or after, now. */
static int relative_parse(const char *span, bool before, uint64_t now_usec, uint64_t *ret_usec) {
        ValueError error;
        uint64_t usec;

        if (value_parse_timespan(span, 0, SECONDS_MAX * USEC_PER_SEC, &usec, &error) < 0)
                return -EINVAL;
        /* Longer ago than anything is: everything. */
        *ret_usec = before ? now_usec - MIN(usec, now_usec) : now_usec + usec;
        return 0;
}

int time_parse(const char *s, uint64_t now_usec, uint64_t *ret_usec) {
        static const char ago[] = " ago";
        static const struct {
                const char *name;
                int days;
        } days[] = {{"today", 0}, {"yesterday", -1}, {"tomorrow", 1}};
        size_t n = strlen(s);

        if (strcmp(s, "now") == 0) {
                *ret_usec = now_usec;
                return 0;
        }
        for (size_t i = 0; i < ELEMENTSOF(days); i++)
                if (strcmp(s, days[i].name) == 0)
                        return day_parse(days[i].days, now_usec, ret_usec);
        if (*s == '+' || *s == '-')
                return relative_parse(s + 1, *s == '-', now_usec, ret_usec);
        if (*s == '@') {
                uint64_t sec, usec;

                s++;
                /* 12 digits reach beyond the year 9999. */
                if (!digits_take(&s, 1, 12, &sec) || !fraction_take(&s, &usec) || *s || sec > SECONDS_MAX)
                        return -EINVAL;
                *ret_usec = sec * USEC_PER_SEC + usec;
                return 0;
        }
        if (n >= strlen(ago) && strcmp(s + n - strlen(ago), ago) == 0) {
                char span[TIME_TEXT_SIZE];

                if (n - strlen(ago) >= sizeof(span))
                        return -EINVAL;
                (void)snprintf(span, sizeof(span), "%.*s", (int)(n - strlen(ago)), s);
                return relative_parse(span, true, now_usec, ret_usec);
        }
        return moment_parse(s, now_usec, ret_usec);
}

/* Cannot fail: 2^64 microseconds end in the year 586524, which fits tm_year and the text. */
static const char *format_local(uint64_t usec, const char *format, char ret[static TIME_TEXT_SIZE]) {
        time_t seconds = (time_t)(usec / USEC_PER_SEC);
        struct tm tm = {};

        (void)localtime_r(&seconds, &tm);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)strftime(ret, TIME_TEXT_SIZE, format, &tm);
#pragma GCC diagnostic pop
        return ret;
}

const char *time_format(uint64_t usec, char ret[static TIME_TEXT_SIZE]) {
        return format_local(usec, "%a %Y-%m-%d %H:%M:%S %Z", ret);
}

const char *time_format_short(uint64_t usec, char ret[static TIME_TEXT_SIZE]) {
        return format_local(usec, "%b %d %H:%M:%S", ret);
}

const char *time_format_ago(uint64_t usec, uint64_t now_usec, char ret[static TIME_TEXT_SIZE]) {
        uint64_t d = now_usec - MIN(usec, now_usec);
        uint64_t days = d / USEC_PER_DAY, hours = d / USEC_PER_HOUR, min = d / USEC_PER_MIN,
                 sec = d / USEC_PER_SEC;

        if (usec > now_usec)
                (void)snprintf(ret, TIME_TEXT_SIZE, "in the future");
        else if (days > 0)
                (void)snprintf(ret, TIME_TEXT_SIZE, "%" PRIu64 " day%s ago", days, days == 1 ? "" : "s");
        else if (hours > 0)
                (void)snprintf(ret, TIME_TEXT_SIZE, "%" PRIu64 "h %" PRIu64 "min ago", hours, min % 60);
        else if (min > 0)
                (void)snprintf(ret, TIME_TEXT_SIZE, "%" PRIu64 "min %" PRIu64 "s ago", min, sec % 60);
        else
                (void)snprintf(ret, TIME_TEXT_SIZE, "%" PRIu64 "s ago", sec);
        return ret;
}
