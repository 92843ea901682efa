/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Cuts the least that suffices: each level is tried in turn. What an alert is judged by (ids, times,
 * severity, score, evidence, action, the worst class, the main file, the destination) is in the last one,
 * too. */

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <jansson.h>

#include "basic/escape.h"
#include "basic/json-util.h"
#include "basic/util.h"
#include "sink/compact.h"

/* Items of a list, and bytes of a string as JSON has it. */
typedef struct Level {
        size_t files, lineage, route, list, string;
} Level;

static const Level levels[] = {
        { 8, 8, 8, 16, 512 },
        { 4, 8, 4, 16, 512 },
        { 2, 4, 4, 16, 256 },
        { 1, 4, 2, 8, 256 },
        { 1, 2, 1, 4, 128 },
        { 1, 1, 1, 1, 24 },
};

/* Of our own making, short, and of no use in part. */
static const char *const uncut[] = { "id", "incident", "time", "process.start_time", "process.script_object",
        "process.exe_object", "severity", "evidence", "action", "policy", "destination.address" };

/* A list, and the member that says that it is not complete. */
static const struct {
        const char *list, *flag;
} flags[] = {
        { "files", "files_more" },
        { "lineage", "lineage_more" },
        { "route", "route_cut" },
};

typedef struct Cutter {
        const Level *level;
        size_t main_file;
        json_t *cut; /* paths of the members that were cut, each once */
        bool failed; /* out of memory */
} Cutter;

static void cut_note(Cutter *c, const char *path) {
        const json_t *item;
        size_t i;

        json_array_foreach(c->cut, i, item) if (strcmp(json_string_value(item), path) == 0) return;
        c->failed |= json_array_append_new(c->cut, json_string(path)) < 0;
}

/* Bytes of the character at s, or of its escaped form (basic/json-util.h), and how many JSON takes for it.
 */
static size_t unit_size(const char *s, size_t size, size_t *ret_encoded) {
        uint32_t point = 0;
        size_t n = utf8_sequence(s, size, &point);

        if (*s == '\\' && size > 1) {
                n = s[1] == 'x' && size >= 4 ? 4 : 2;
                *ret_encoded = n == 4 ? 5 : 4;
        } else if (n > 1)
                *ret_encoded = point > 0xffff ? 12 : 6;
        else
                *ret_encoded = *s == '"' || *s == '\\' ? 2 : (unsigned char)*s < 0x20 ? 6 : 1;
        return MAX(n, (size_t)1);
}

/* Its beginning and its end: of a path, both tell more than the middle. */
static json_t *cut_string(Cutter *c, const char *path, const json_t *value) {
        static const char ellipsis[] = "…"; /* 6 bytes in JSON */
        const char *s = json_string_value(value);
        size_t size = json_string_length(value), max = c->level->string, encoded = 0, unit = 0;
        size_t head = 0, tail = size, done = 0;

        for (size_t i = 0; i < ELEMENTSOF(uncut); i++)
                if (strcmp(path, uncut[i]) == 0)
                        return json_incref((json_t *)value);
        for (size_t i = 0; i < size; i += unit_size(s + i, size - i, &unit), encoded += unit)
                if (encoded <= (max - 6) / 2)
                        head = i;
        if (encoded <= max)
                return json_incref((json_t *)value);
        for (size_t i = 0; i < size && tail == size; done += unit) {
                i += unit_size(s + i, size - i, &unit);
                if (encoded - done - unit <= (max - 6) / 2)
                        tail = i;
        }
        cut_note(c, path);
        return json_sprintf("%.*s%s%s", (int)head, s, ellipsis, s + tail);
}

static json_t *cut_value(Cutter *c, const char *path, const json_t *value);

static json_t *cut_array(Cutter *c, const char *path, const json_t *array) {
        json_auto_t *copy = json_array();
        size_t n = json_array_size(array), max = c->level->list, first = 0;
        bool files = strcmp(path, "files") == 0;

        if (files)
                max = c->level->files;
        else if (strcmp(path, "lineage") == 0)
                max = c->level->lineage;
        else if (strcmp(path, "files.route") == 0) {
                max = c->level->route;
                first = n > max ? n - max : 0; /* the last hops, to the sender */
        }
        if (n > max)
                cut_note(c, path);
        for (size_t i = first; i < n && i < first + max; i++) {
                bool last = i == first + max - 1, main = files && last && c->main_file > i;

                if (json_array_append_new(copy,
                                    cut_value(c, path, json_array_get(array, main ? c->main_file : i))) < 0)
                        return NULL;
        }
        return STEAL_PTR(copy);
}

static json_t *cut_object(Cutter *c, const char *path, const json_t *object) {
        json_auto_t *copy = json_object();
        const char *name;
        json_t *member;

        json_object_foreach((json_t *)object, name, member) {
                _cleanup_free_ char *inner = NULL;

                if (asprintf(&inner, "%s%s%s", path, path[0] ? "." : "", name) < 0 ||
                                json_object_set_new(copy, name, cut_value(c, inner, member)) < 0)
                        return NULL;
        }
        for (size_t i = 0; i < ELEMENTSOF(flags); i++)
                if (json_array_size(json_object_get(copy, flags[i].list)) <
                                                json_array_size(json_object_get(object, flags[i].list)) &&
                                json_object_set_new(copy, flags[i].flag, json_true()) < 0)
                        return NULL;
        return STEAL_PTR(copy);
}

static json_t *cut_value(Cutter *c, const char *path, const json_t *value) {
        return json_is_object(value)   ? cut_object(c, path, value)
               : json_is_array(value)  ? cut_array(c, path, value)
               : json_is_string(value) ? cut_string(c, path, value)
                                       : json_incref((json_t *)value);
}

static int level_try(const json_t *alert, size_t main_file, const Level *level, char **ret) {
        json_auto_t *cut = json_array();
        Cutter c = { .level = level, .main_file = main_file, .cut = cut };
        json_auto_t *copy = cut ? cut_object(&c, "", alert) : NULL;

        if (!copy || c.failed || json_object_set(copy, "cut", cut) < 0)
                return -ENOMEM;
        return json_to_line(copy, ret);
}

int alert_compact(const char *line, size_t main_file, size_t max, char **ret) {
        json_auto_t *alert = json_loads(line, 0, NULL);

        if (!json_is_object(alert))
                return -EBADMSG;
        for (size_t i = 0; i < ELEMENTSOF(levels); i++) {
                _cleanup_free_ char *compact = NULL;

                int r = level_try(alert, main_file, &levels[i], &compact);
                if (r < 0)
                        return r;
                if (strlen(compact) <= max) {
                        *ret = STEAL_PTR(compact);
                        return 0;
                }
        }
        return -EBADMSG;
}
