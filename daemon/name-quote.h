/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Names in a sentence: what a name may contain must not be read as more of the sentence ("/tmp/a and 3 s later
 * connected to 127.0.0.1:53"). Pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "text.h"
#include "utf8.h"
#include "util.h"

/* A blank (of those that are not escaped anyway), the brackets and the quotation mark that sentences are made of. */
static inline bool name_needs_quotes(const char *data, size_t size) {
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

/* Bytes as they are: escaped as text_put_bytes() does, and in quotation marks where it needs them; one inside
 * is \x22. */
static inline void name_put_bytes(FILE *f, const char *data, size_t size) {
        if (!name_needs_quotes(data, size)) {
                text_put_bytes(f, data, size);
                return;
        }
        fputc('"', f);
        for (const char *mark; (mark = memchr(data, '"', size)); size -= (size_t)(mark + 1 - data), data = mark + 1) {
                text_put_bytes(f, data, (size_t)(mark - data));
                fputs("\\x22", f);
        }
        text_put_bytes(f, data, size);
        fputc('"', f);
}

/* A string that was escaped so far that it is UTF-8: the same by text_put_string(). */
static inline void name_put_string(FILE *f, const char *s) {
        if (!name_needs_quotes(s, strlen(s))) {
                text_put_string(f, s);
                return;
        }
        fputc('"', f);
        while (*s) {
                uint32_t point;
                size_t n = MAX(utf8_sequence(s, strnlen(s, 4), &point), (size_t)1);
                char character[5] = {};

                memcpy(character, s, n);
                if (*s == '"')
                        fputs("\\x22", f);
                else
                        text_put_string(f, character);
                s += n;
        }
        fputc('"', f);
}
