/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "basic/time-util.h"

#define SEC_PER_MIN 60
#define SEC_PER_HOUR (60 * SEC_PER_MIN)
#define SEC_PER_DAY (24 * SEC_PER_HOUR)

/* The conversions cannot fail: 2^64 microseconds end in the year 586524, which fits into tm_year and into
 * the text. */

void time_format_utc(uint64_t usec, char ret[static TIME_TEXT_SIZE]) {
        time_t seconds = (time_t)(usec / USEC_PER_SEC);
        struct tm tm = { 0 };

        (void)gmtime_r(&seconds, &tm);
        size_t n = strftime(ret, TIME_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
        (void)snprintf(ret + n, TIME_TEXT_SIZE - n, ".%06uZ", (unsigned)(usec % USEC_PER_SEC));
}

int time_parse_utc(const char *text, uint64_t *ret_usec) {
        unsigned fraction;
        struct tm tm = { 0 };
        int n = 0;

        const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
        if (!rest || sscanf(rest, ".%6uZ%n", &fraction, &n) != 1 || n != strlen(".000000Z") ||
                        rest[n] != '\0')
                return -EBADMSG;

        time_t seconds = timegm(&tm);
        if (seconds < 0)
                return -EBADMSG;
        *ret_usec = (uint64_t)seconds * USEC_PER_SEC + fraction;
        return 0;
}

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
        uint64_t sec = (now_usec - MIN(usec, now_usec)) / USEC_PER_SEC;
        uint64_t days = sec / SEC_PER_DAY, hours = sec / SEC_PER_HOUR, min = sec / SEC_PER_MIN;

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

void text_put_age(FILE *f, uint64_t usec) {
        uint64_t msec = usec / 1000, sec = msec / 1000, min = sec / 60, hours = min / 60;

        if (msec == 0)
                fputs("less than 1 ms", f);
        else if (sec == 0)
                fprintf(f, "%" PRIu64 " ms", msec);
        else if (min == 0)
                fprintf(f, "%" PRIu64 ".%" PRIu64 " s", sec, msec % 1000 / 100);
        else if (hours == 0)
                fprintf(f, "%" PRIu64 " min %" PRIu64 " s", min, sec % 60);
        else
                fprintf(f, "%" PRIu64 " h %" PRIu64 " min", hours, min % 60);
}
