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
