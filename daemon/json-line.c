/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <stdbool.h>
#include <time.h>

#include "json-line.h"
#include "util.h"

json_t *json_from_time(uint64_t usec) {
        time_t seconds = (time_t)(usec / USEC_PER_SEC);
        char date[64], text[96];
        struct tm tm = {0};

        /* Cannot fail: 2^64 microseconds end in the year 586524, which fits tm_year and the buffer. */
        (void)gmtime_r(&seconds, &tm);
        (void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
        (void)snprintf(text, sizeof(text), "%s.%06uZ", date, (unsigned)(usec % USEC_PER_SEC));
        return json_string(text);
}

int json_to_line(const json_t *o, char **ret) {
        _cleanup_free_ char *line = NULL;
        size_t size;
        _cleanup_fclose_ FILE *f = open_memstream(&line, &size);

        if (!f)
                return -ENOMEM;

        /* Not json_dumps(): jansson 2.14 does not notice when its buffer cannot grow for a key, and goes on
         * without the key. A stream remembers. */
        bool failed = json_dumpf(o, f, JSON_COMPACT | JSON_ENSURE_ASCII) < 0 || ferror(f);
        if (fclose(STEAL_PTR(f)) != 0 || failed)
                return -ENOMEM;

        *ret = STEAL_PTR(line);
        return 0;
}
