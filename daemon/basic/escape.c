/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Names come from the accused process: nothing in them may reach a terminal or a log unescaped. UTF-8 is
 * decoded here and not by mbrtowc(), which depends on the locale; what jansson or a terminal refuses is
 * refused. */

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "basic/escape.h"
#include "basic/util.h"

size_t utf8_sequence(const char *data, size_t size, uint32_t *ret_point) {
        /* The smallest code point that needs so many bytes: anything below is an overlong form. */
        static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
        const unsigned char *p = (const unsigned char *)data;
        uint32_t point;
        size_t n;

        if (size == 0)
                return 0;

        if (p[0] < 0x80) {
                n = 1;
                point = p[0];
        } else if ((p[0] & 0xe0) == 0xc0) {
                n = 2;
                point = p[0] & 0x1f;
        } else if ((p[0] & 0xf0) == 0xe0) {
                n = 3;
                point = p[0] & 0x0f;
        } else if ((p[0] & 0xf8) == 0xf0) {
                n = 4;
                point = p[0] & 0x07;
        } else
                return 0;

        if (n > size)
                return 0;

        for (size_t i = 1; i < n; i++) {
                if ((p[i] & 0xc0) != 0x80)
                        return 0;
                point = point << 6 | (p[i] & 0x3f);
        }

        if (point < smallest[n] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
                return 0;

        *ret_point = point;
        return n;
}

bool utf8_is_deceptive(uint32_t point) {
        static const struct {
                uint32_t first, last;
        } ranges[] = {
                { 0x00, 0x1f },       /* C0 controls */
                { 0x7f, 0x9f },       /* DEL; C1 controls: CSI, OSC, ... */
                { 0xad, 0xad },       /* soft hyphen */
                { 0x34f, 0x34f },     /* combining grapheme joiner */
                { 0x61c, 0x61c },     /* Arabic letter mark */
                { 0x115f, 0x1160 },   /* Hangul fillers */
                { 0x180e, 0x180e },   /* Mongolian vowel separator */
                { 0x200b, 0x200f },   /* zero width, direction marks */
                { 0x2028, 0x202e },   /* line and paragraph separator, direction embedding and override */
                { 0x2060, 0x206f },   /* word joiner, invisible operators, direction isolates */
                { 0x2800, 0x2800 },   /* Braille without a dot */
                { 0x3164, 0x3164 },   /* Hangul filler */
                { 0xfe00, 0xfe0f },   /* variation selectors */
                { 0xfeff, 0xfeff },   /* byte order mark */
                { 0xfff9, 0xfffb },   /* interlinear annotation */
                { 0xe0000, 0xe007f }, /* tags */
                { 0xe0100, 0xe01ef }, /* variation selectors, too */
        };

        for (size_t i = 0; i < ELEMENTSOF(ranges); i++)
                if (point >= ranges[i].first && point <= ranges[i].last)
                        return true;
        return false;
}

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

/* A blank (of those that are not escaped anyway), the brackets, the quotation mark and the arrow that
 * sentences are made of. */
static bool name_needs_quotes(const char *data, size_t size) {
        static const struct {
                uint32_t first, last;
        } ranges[] = {
                { ' ', ' ' }, { '"', '"' }, { '(', ')' }, { '[', '[' }, { ']', ']' },
                { 0xa0, 0xa0 },     /* no-break space */
                { 0x1680, 0x1680 }, /* Ogham space mark */
                { 0x2000, 0x200a }, /* en quad … hair space */
                { 0x202f, 0x202f }, /* narrow no-break space */
                { 0x205f, 0x205f }, /* mathematical space */
                { 0x2192, 0x2192 }, /* rightwards arrow */
                { 0x3000, 0x3000 }, /* ideographic space */
                { 0xffa0, 0xffa0 }, /* halfwidth Hangul filler */
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
        for (const char *mark; (mark = memchr(data, '"', size));
                        size -= (size_t)(mark + 1 - data), data = mark + 1) {
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

FILE *text_open(TextStream *ret) {
        *ret = (TextStream){};
        ret->stream = open_memstream(&ret->text, &ret->size);
        return ret->stream;
}

char *text_take(TextStream *t) {
        if (text_close(&t->stream) < 0) {
                free(t->text);
                return NULL;
        }
        return t->text;
}

int text_close(FILE **f) {
        bool failed = ferror(*f);

        /* fclose() flushes, and that may be what fails. */
        if (fclose(STEAL_PTR(*f)) != 0 || failed)
                return -ENOMEM;
        return 0;
}

void text_hex(const uint8_t *data, size_t size, char *ret) {
        for (size_t i = 0; i < size; i++)
                (void)snprintf(ret + 2 * i, 3, "%02x", data[i]);
}
