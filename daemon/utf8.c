/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Strict UTF-8, because what is judged here was named by an attacker: mbrtowc() would depend on the locale.
 * Must not accept what jansson or a terminal would refuse. */

#include "utf8.h"

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
