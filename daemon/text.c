/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Names come from whoever is accused: nothing they contain may reach a terminal or a log unescaped. */

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "text.h"
#include "utf8.h"
#include "util.h"

static void put(FILE *f, const char *data, size_t size, bool double_backslash) {
        while (size > 0) {
                uint32_t point;
                size_t n = utf8_sequence(data, size, &point);
                bool plain = n > 0 && !utf8_is_deceptive(point);

                n = MAX(n, (size_t)1);
                if (double_backslash && data[0] == '\\')
                        fputs("\\\\", f);
                else if (plain)
                        fwrite(data, 1, n, f);
                else
                        for (size_t i = 0; i < n; i++)
                                fprintf(f, "\\x%02x", (unsigned char)data[i]);

                data += n;
                size -= n;
        }
}

/* A blank (of those that are not escaped anyway), the brackets, the quotation mark and the arrow that sentences are made
 * of. */
static bool name_needs_quotes(const char *data, size_t size) {
        static const struct {
                uint32_t first, last;
        } ranges[] = {
                        {' ', ' '},
                        {'"', '"'},
                        {'(', ')'},
                        {'[', '['},
                        {']', ']'},
                        {0xa0, 0xa0},     /* no-break space */
                        {0x1680, 0x1680}, /* Ogham space mark */
                        {0x2000, 0x200a}, /* en quad … hair space */
                        {0x202f, 0x202f}, /* narrow no-break space */
                        {0x205f, 0x205f}, /* mathematical space */
                        {0x2192, 0x2192}, /* rightwards arrow */
                        {0x3000, 0x3000}, /* ideographic space */
                        {0xffa0, 0xffa0}, /* halfwidth Hangul filler */
        };

        for (size_t n; size > 0; data += n, size -= n) {
                uint32_t point;

                n = utf8_sequence(data, size, &point);
                for (size_t i = 0; n > 0 && i < ELEMENTSOF(ranges); i++)
                        if (point >= ranges[i].first && point <= ranges[i].last)
                                return true;
                n = MAX(n, (size_t)1);
        }
        return false;
}

static void put_name(FILE *f, const char *data, size_t size, bool double_backslash) {
        if (!name_needs_quotes(data, size)) {
                put(f, data, size, double_backslash);
                return;
        }
        fputc('"', f);
        for (const char *mark; (mark = memchr(data, '"', size)); size -= (size_t)(mark + 1 - data), data = mark + 1) {
                put(f, data, (size_t)(mark - data), double_backslash);
                fputs("\\x22", f);
        }
        put(f, data, size, double_backslash);
        fputc('"', f);
}

void text_put_bytes(FILE *f, const char *data, size_t size) {
        put(f, data, size, true);
}

void text_put_string(FILE *f, const char *s) {
        put(f, s, strlen(s), false);
}

void text_put_name_bytes(FILE *f, const char *data, size_t size) {
        put_name(f, data, size, true);
}

void text_put_name(FILE *f, const char *s) {
        put_name(f, s, strlen(s), false);
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

int text_close(FILE **f) {
        bool failed = ferror(*f);

        /* fclose() flushes, and that may be what fails. */
        if (fclose(STEAL_PTR(*f)) != 0 || failed)
                return -ENOMEM;
        return 0;
}
