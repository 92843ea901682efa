/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Names come from whoever is accused: nothing they contain may reach a terminal or a log unescaped. */

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "text.h"
#include "utf8.h"
#include "util.h"

/* Code points that a terminal or a viewer obeys or hides, besides ASCII's control bytes. */
static bool is_deceptive(uint32_t point) {
        static const struct {
                uint32_t first, last;
        } ranges[] = {
                        {0x80, 0x9f},       /* C1 controls: CSI, OSC, … */
                        {0xad, 0xad},       /* soft hyphen */
                        {0x61c, 0x61c},     /* Arabic letter mark */
                        {0x180e, 0x180e},   /* Mongolian vowel separator */
                        {0x200b, 0x200f},   /* zero width, direction marks */
                        {0x2028, 0x202e},   /* line and paragraph separator, direction embedding and override
                                             */
                        {0x2060, 0x206f},   /* word joiner, invisible operators, direction isolates */
                        {0xfeff, 0xfeff},   /* byte order mark */
                        {0xfff9, 0xfffb},   /* interlinear annotation */
                        {0xe0000, 0xe007f}, /* tags */
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
                bool plain = n > 0 && point >= 0x20 && point != 0x7f && !is_deceptive(point);

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

void text_put_bytes(FILE *f, const char *data, size_t size) {
        put(f, data, size, true);
}

void text_put_string(FILE *f, const char *s) {
        put(f, s, strlen(s), false);
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
