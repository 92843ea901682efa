/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Strict UTF-8, because what is judged here was named by an attacker: mbrtowc() would depend on the locale.
 * Must not accept what jansson or a terminal would refuse. */

#include "utf8.h"
#include "util.h"

size_t utf8_sequence(const char *data, size_t size, uint32_t *ret_point) {
        /* The smallest code point that needs so many bytes: anything below is an overlong form. */
        static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
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
                        {0x00, 0x1f},       /* C0 controls */
                        {0x7f, 0x9f},       /* DEL; C1 controls: CSI, OSC, ... */
                        {0xad, 0xad},       /* soft hyphen */
                        {0x34f, 0x34f},     /* combining grapheme joiner */
                        {0x61c, 0x61c},     /* Arabic letter mark */
                        {0x115f, 0x1160},   /* Hangul fillers */
                        {0x180e, 0x180e},   /* Mongolian vowel separator */
                        {0x200b, 0x200f},   /* zero width, direction marks */
                        {0x2028, 0x202e},   /* line and paragraph separator, direction embedding and override */
                        {0x2060, 0x206f},   /* word joiner, invisible operators, direction isolates */
                        {0x2800, 0x2800},   /* Braille without a dot */
                        {0x3164, 0x3164},   /* Hangul filler */
                        {0xfe00, 0xfe0f},   /* variation selectors */
                        {0xfeff, 0xfeff},   /* byte order mark */
                        {0xfff9, 0xfffb},   /* interlinear annotation */
                        {0xe0000, 0xe007f}, /* tags */
                        {0xe0100, 0xe01ef}, /* variation selectors, too */
        };

        for (size_t i = 0; i < ELEMENTSOF(ranges); i++)
                if (point >= ranges[i].first && point <= ranges[i].last)
                        return true;
        return false;
}
