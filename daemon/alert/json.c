/* SPDX-License-Identifier: GPL-2.0-or-later */

/* An alert for programs. Does not escape for people: a name that is valid UTF-8 is written as it is,
 * newlines and direction marks included; the line itself is ASCII (\uNNNN), so printing it is safe.
 *
 * Names are bytes, JSON strings are not. So, inside every string that contains a name, a backslash is
 * written
 * \\ and a byte that is not UTF-8 (or is NUL) \xNN, both before JSON's own escaping: undone in that order,
 * the bytes are exact. summary is alert_sentence()'s, already escaped, and not escaped twice. */

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "alert/fields.h"
#include "alert/json.h"
#include "basic/json-util.h"
#include "basic/util.h"

/* All of these return NULL when out of memory, and setting NULL into an object or array fails in turn: one
 * check for each object is enough. */

static json_t *json_from_name(const AlertBytes *b) {
        return json_from_bytes(b->data, b->size);
}

/* Our own words, or the policy's: these may be any bytes. */
static json_t *json_from_text(const char *s) {
        return json_from_bytes(s, strlen(s));
}

static json_t *json_from_u64(uint64_t n) {
        return json_integer((json_int_t)MIN(n, (uint64_t)INT64_MAX));
}

static json_t *json_from_sentence(const Alert *a) {
        _cleanup_free_ char *sentence = alert_sentence(a);

        return sentence ? json_string(sentence) : NULL;
}

static json_t *json_from_flags(uint32_t flags) {
        json_auto_t *array = json_array();
        const char *name;

        for (unsigned bit = 0; (name = process_flag_name(bit)); bit++)
                if (flags >> bit & 1 && json_array_append_new(array, json_string(name)) < 0)
                        return NULL;
        return STEAL_PTR(array);
}

static json_t *json_from_object(const AlertFieldTable *t, const void *object);

static json_t *json_from_list(const AlertFieldTable *t, AlertList list) {
        json_auto_t *array = json_array();

        for (size_t i = 0; i < list.n; i++)
                if (json_array_append_new(array,
                                    json_from_object(t, (const char *)list.items + i * t->object_size)) < 0)
                        return NULL;
        return STEAL_PTR(array);
}

static json_t *json_from_value(AlertFieldType type, AlertValue v) {
        const AlertFieldTable *table = alert_field_table(type);

        switch (type) {
        case ALERT_FIELD_text:
                return json_from_text(v.text);
        case ALERT_FIELD_text_or_null:
                return v.text_or_null ? json_from_text(v.text_or_null) : json_null();
        case ALERT_FIELD_name:
                return json_from_name(v.name);
        case ALERT_FIELD_name_or_null:
                return v.name_or_null->size > 0 ? json_from_name(v.name_or_null) : json_null();
        case ALERT_FIELD_number:
                return json_from_u64(v.number);
        case ALERT_FIELD_points:
                return json_integer(v.points);
        case ALERT_FIELD_port:
                return json_integer(v.port->destination.port);
        case ALERT_FIELD_uid_or_null:
                return v.uid_or_null == UINT32_MAX ? json_null() : json_integer(v.uid_or_null);
        case ALERT_FIELD_boolean:
                return json_boolean(v.boolean);
        case ALERT_FIELD_time:
                return json_from_time(v.time);
        case ALERT_FIELD_age:
                return json_from_u64(v.age / 1000);
        case ALERT_FIELD_delay:
                return json_from_u64(v.delay / 1000);
        case ALERT_FIELD_strings:
                return json_from_strings(v.strings);
        case ALERT_FIELD_flags:
                return json_from_flags(v.flags);
        case ALERT_FIELD_sentence:
                return json_from_sentence(v.sentence);
        case ALERT_FIELD_reasons:
                return json_from_list(table, v.reasons);
        case ALERT_FIELD_lineage:
                return json_from_list(table, v.lineage);
        case ALERT_FIELD_files:
                return json_from_list(table, v.files);
        case ALERT_FIELD_route:
                return json_from_list(table, v.route);
        case ALERT_FIELD_process:
                return json_from_object(table, v.process);
        case ALERT_FIELD_destination:
                return json_from_object(table, v.destination);
        }
        return NULL;
}

static json_t *json_from_object(const AlertFieldTable *t, const void *object) {
        json_auto_t *o = json_object();

        for (const AlertField *f = t->fields; f < t->fields + t->n; f++) {
                AlertValue v = f->get(object);

                if (f->type == ALERT_FIELD_delay && v.delay == 0)
                        continue;
                if (json_object_set_new(o, f->name, json_from_value(f->type, v)) < 0)
                        return NULL;
        }
        return STEAL_PTR(o);
}

json_t *alert_files_to_json(const Alert *a) {
        return json_from_list(alert_field_table(ALERT_FIELD_files), (AlertList){ a->files, a->n_files });
}

int alert_to_json(const Alert *a, json_t **ret, char **ret_line) {
        json_auto_t *o = json_from_object(&alert_fields, a);
        if (!o)
                return -ENOMEM;

        int r = json_to_line(o, ret_line);
        if (r >= 0)
                *ret = STEAL_PTR(o);
        return r;
}
