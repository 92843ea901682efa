/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "basic/json-util.h"
#include "basic/escape.h"
#include "basic/time-util.h"
#include "basic/util.h"

json_t *json_from_bytes(const char *data, size_t size) {
        /* Four bytes, "\xNN", for one. */
        _cleanup_free_ char *text = malloc(size * 4 + 1);
        if (!text)
                return NULL;

        char *out = text;
        while (size > 0) {
                uint32_t point;
                size_t n = utf8_sequence(data, size, &point);

                if (n == 0 || point == 0) {
                        out += sprintf(out, "\\x%02x", (unsigned char)*data);
                        n = 1;
                } else if (point == '\\')
                        out = mempcpy(out, "\\\\", 2);
                else
                        out = mempcpy(out, data, n);

                data += n;
                size -= n;
        }

        return json_stringn(text, (size_t)(out - text));
}

json_t *json_from_strings(char *const *strings) {
        json_auto_t *array = json_array();

        for (char *const *s = strings; *s; s++)
                if (json_array_append_new(array, json_from_bytes(*s, strlen(*s))) < 0)
                        return NULL;
        return STEAL_PTR(array);
}

json_t *json_from_time(uint64_t usec) {
        char text[TIME_TEXT_SIZE];

        time_format_utc(usec, text);
        return json_string(text);
}

int json_to_time(const json_t *time, uint64_t *ret_usec) {
        const char *text = json_string_value(time);

        return text ? time_parse_utc(text, ret_usec) : -EBADMSG;
}

/* Of an alert, as a rule: then nothing is allocated twice. */
#define LINE_BYTES 4096

typedef struct Line {
        char *data;
        size_t size, room;
        bool failed;
} Line;

static int on_dump(const char *data, size_t size, void *userdata) {
        Line *l = userdata;

        if (l->room - l->size <= size) {
                size_t room = 2 * (l->size + size) + LINE_BYTES;
                char *larger = realloc(l->data, room);

                l->failed |= !larger;
                if (!larger)
                        return -1;
                l->data = larger;
                l->room = room;
        }
        memcpy(l->data + l->size, data, size);
        l->size += size;
        return 0;
}

/* Not json_dumps(): jansson 2.14 does not notice when its buffer cannot grow for a key, and goes on without
 * the key. Nor to a stream: it writes a few bytes at a time. */
int json_to_line(const json_t *o, char **ret) {
        Line l = { 0 };

        if (json_dump_callback(o, on_dump, &l, JSON_COMPACT | JSON_ENSURE_ASCII) < 0 || l.failed ||
                        !l.data) {
                free(l.data);
                return -ENOMEM;
        }
        l.data[l.size] = '\0';
        *ret = l.data;
        return 0;
}
