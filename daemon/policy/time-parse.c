/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Must not read a clock: the caller passes the current time. */

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "basic/util.h"
#include "policy/time-parse.h"
#include "policy/values.h"

/* The end of the year 9999, the last one that RFC 3339 can express. Nothing below overflows. */
#define SECONDS_MAX 253402300799ULL

/* Longer than any useful time span; longer ones are refused. */
#define SPAN_SIZE 96

/* Skips a prefix of that shape, in which 0 stands for any digit. */
static bool shape_take(const char **s, const char *shape) {
        const char *p = *s;

        for (; *shape; shape++, p++)
                if (*shape == '0' ? !isdigit((unsigned char)*p) : *p != *shape)
                        return false;
        *s = p;
        return true;
}

/* ".5" → 500,000; an empty string is 0. Digits after the sixth are ignored. */
static bool fraction_take(const char **s, uint64_t *ret_usec) {
        uint64_t usec = 0, unit = USEC_PER_SEC;
        const char *p = *s;

        if (*p == '.') {
                if (!isdigit((unsigned char)*++p))
                        return false;
                for (; isdigit((unsigned char)*p); p++)
                        usec += (unit /= 10) * (uint64_t)(*p - '0');
        }
        *s = p;
        *ret_usec = usec;
        return true;
}

/* "10:00", "10:00:00", "10:00:00.5" */
static bool clock_take(const char **s, struct tm *tm, uint64_t *ret_usec) {
        const char *p = *s;

        if (!shape_take(&p, "00:00"))
                return false;
        tm->tm_hour = atoi(*s);
        tm->tm_min = atoi(*s + 3);
        if (shape_take(&p, ":00")) {
                tm->tm_sec = atoi(p - 2);
                if (!fraction_take(&p, ret_usec))
                        return false;
        }
        *s = p;
        return tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec < 60;
}

/* "Z" or "+01:00", to the end of the string; an empty string is local time. */
static bool offset_parse(const char *s, bool *ret_local, int *ret_sec) {
        const char *digits = s + 1;
        int hours = 0, minutes = 0;

        *ret_local = !*s;
        if (*s && strcasecmp(s, "Z") != 0) {
                const char *p = digits;

                if ((*s != '+' && *s != '-') || !shape_take(&p, "00:00") || *p)
                        return false;
                hours = atoi(digits);
                minutes = atoi(digits + 3);
        }
        *ret_sec = (*s == '-' ? -1 : 1) * (hours * 60 + minutes) * 60;
        return hours < 24 && minutes < 60;
}

/* "2026-11-22", "2026-11-22 10:00", "2026-11-22T10:00:00Z" */
static int date_parse(const char *s, uint64_t *ret_usec) {
        const char *p = s;
        uint64_t usec = 0;
        int offset_sec;
        bool local;

        if (!shape_take(&p, "0000-00-00"))
                return -EINVAL;
        struct tm tm = { .tm_year = atoi(s) - 1900, .tm_mon = atoi(s + 5) - 1, .tm_mday = atoi(s + 8) };
        struct tm date = tm;
        /* timegm() turns February 30 into March 2: a date that it changes does not exist. */
        if (timegm(&date) == -1 || date.tm_mon != tm.tm_mon || date.tm_mday != tm.tm_mday)
                return -EINVAL;
        if (*p && (!strchr(" Tt", *p++) || !clock_take(&p, &tm, &usec)))
                return -EINVAL;
        if (!offset_parse(p, &local, &offset_sec))
                return -EINVAL;

        tm.tm_isdst = -1;
        int64_t sec = local ? (int64_t)mktime(&tm) : (int64_t)timegm(&tm) - offset_sec;
        if (sec < 0 || sec > (int64_t)SECONDS_MAX)
                return -EINVAL;
        *ret_usec = (uint64_t)sec * USEC_PER_SEC + usec;
        return 0;
}

/* The midnight that began the day `days` ago. */
static int day_parse(int days, uint64_t now_usec, uint64_t *ret_usec) {
        time_t now_sec = (time_t)(now_usec / USEC_PER_SEC);
        struct tm tm = {};

        (void)localtime_r(&now_sec, &tm);
        tm.tm_mday -= days;
        tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
        tm.tm_isdst = -1;
        int64_t sec = mktime(&tm);
        if (sec < 0)
                return -EINVAL;
        *ret_usec = (uint64_t)sec * USEC_PER_SEC;
        return 0;
}

/* "2h", before now. More than now is the beginning of 1970. */
static int span_parse(const char *span, uint64_t now_usec, uint64_t *ret_usec) {
        ValueError error;
        uint64_t usec;

        if (value_parse_timespan(span, 0, SECONDS_MAX * USEC_PER_SEC, &usec, &error) < 0)
                return -EINVAL;
        *ret_usec = now_usec - MIN(usec, now_usec);
        return 0;
}

/* "1795341600", "1795341600.5" */
static int seconds_parse(const char *s, uint64_t *ret_usec) {
        const char *p = s + strspn(s, "0123456789");
        uint64_t usec;

        /* 12 digits reach beyond the year 9999, and fit. */
        if (p == s || p - s > 12)
                return -EINVAL;
        uint64_t sec = strtoull(s, NULL, 10);
        if (!fraction_take(&p, &usec) || *p || sec > SECONDS_MAX)
                return -EINVAL;
        *ret_usec = sec * USEC_PER_SEC + usec;
        return 0;
}

int time_parse(const char *s, uint64_t now_usec, uint64_t *ret_usec) {
        static const char ago[] = " ago";
        size_t n = strlen(s);
        char span[SPAN_SIZE];

        if (strcmp(s, "now") == 0) {
                *ret_usec = now_usec;
                return 0;
        }
        if (strcmp(s, "today") == 0)
                return day_parse(0, now_usec, ret_usec);
        if (strcmp(s, "yesterday") == 0)
                return day_parse(1, now_usec, ret_usec);
        if (*s == '-')
                return span_parse(s + 1, now_usec, ret_usec);
        if (*s == '@')
                return seconds_parse(s + 1, ret_usec);
        if (n < strlen(ago) || strcmp(s + n - strlen(ago), ago) != 0)
                return date_parse(s, ret_usec);
        if (n - strlen(ago) >= sizeof(span))
                return -EINVAL;
        (void)snprintf(span, sizeof(span), "%.*s", (int)(n - strlen(ago)), s);
        return span_parse(span, now_usec, ret_usec);
}
