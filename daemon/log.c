/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "log.h"

static int max_level = LOG_INFO;

void log_set_max_level(int level) {
        max_level = level;
}

int log_level_from_string(const char *s) {
        static const char *const names[] = {
                "emerg", "alert", "crit", "error", "warning", "notice", "info", "debug",
        };

        if (strcmp(s, "err") == 0)
                return LOG_ERR;
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (strcmp(s, names[i]) == 0 || (s[0] == (char)('0' + i) && s[1] == 0))
                        return i;
        return -EINVAL;
}

void log_message(int level, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list ap;

        if (level > max_level)
                return;

        int saved = errno;
        va_start(ap, format);
        int n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n < 0) {
                text = NULL;
                return;
        }

        for (char *p = text; *p; p++)
                if (iscntrl((unsigned char)*p))
                        *p = '?';

        /* The journal reads the priority from the line, a person does not want to. */
        if (getenv("JOURNAL_STREAM"))
                fprintf(stderr, "<%d>%s\n", level, text);
        else
                fprintf(stderr, "barbwired: %s%s\n", level <= LOG_ERR ? "error: " : level == LOG_WARNING ? "warning: " : "",
                        text);
        errno = saved;
}
