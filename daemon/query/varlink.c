/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Must not interpret parameters. */

#include <errno.h>
#include <string.h>

#include "basic/json-util.h"
#include "query/varlink.h"

size_t varlink_message_size(const char *data, size_t size, size_t n_searched) {
        const char *end = n_searched < size ? memchr(data + n_searched, 0, size - n_searched) : NULL;

        return end ? (size_t)(end - data) + 1 : 0;
}

/* Null is the same as a missing member. */
static json_t *member(const json_t *message, const char *name) {
        json_t *value = json_object_get(message, name);

        return json_is_null(value) ? NULL : value;
}

static bool flag(const json_t *message, const char *name) {
        return json_is_true(json_object_get(message, name));
}

/* Rejects duplicate members, which are ambiguous, and flags that are no booleans. jansson rejects strings
 * that contain NUL. */
static int message_parse(const char *data, size_t size, const char *const flags[], json_t **ret) {
        json_error_t error;
        json_auto_t *message = json_loadb(data, size, JSON_REJECT_DUPLICATES, &error);
        const json_t *parameters = member(message, "parameters");

        if (!message)
                return json_error_code(&error) == json_error_out_of_memory ? -ENOMEM : -EBADMSG;
        if (!json_is_object(message) || (parameters && !json_is_object(parameters)))
                return -EBADMSG;
        for (; *flags; flags++) {
                const json_t *value = member(message, *flags);

                if (value && !json_is_boolean(value))
                        return -EBADMSG;
        }
        *ret = STEAL_PTR(message);
        return 0;
}

int varlink_call_parse(const char *data, size_t size, VarlinkCall *ret) {
        static const char *const flags[] = { "oneway", "more", "upgrade", NULL };
        json_auto_t *message = NULL;

        int r = message_parse(data, size, flags, &message);
        if (r < 0)
                return r;
        const char *method = json_string_value(member(message, "method"));
        if (!method)
                return -EBADMSG;
        *ret = (VarlinkCall){
                .method = method,
                .parameters = member(message, "parameters"),
                .oneway = flag(message, "oneway"),
                .more = flag(message, "more"),
                .upgrade = flag(message, "upgrade"),
        };
        ret->message = STEAL_PTR(message);
        return 0;
}

void varlink_call_done(VarlinkCall *c) {
        json_decref(c->message);
        *c = (VarlinkCall){};
}

int varlink_reply_parse(const char *data, size_t size, VarlinkReply *ret) {
        static const char *const flags[] = { "continues", NULL };
        json_auto_t *message = NULL;

        int r = message_parse(data, size, flags, &message);
        if (r < 0)
                return r;
        const json_t *error = member(message, "error");
        if (error && !json_is_string(error))
                return -EBADMSG;
        *ret = (VarlinkReply){
                .error = json_string_value(error),
                .parameters = member(message, "parameters"),
                .continues = flag(message, "continues"),
        };
        ret->message = STEAL_PTR(message);
        return 0;
}

void varlink_reply_done(VarlinkReply *r) {
        json_decref(r->message);
        *r = (VarlinkReply){};
}

int varlink_call_format(const char *method, json_t *parameters, bool more, char **ret, size_t *ret_size) {
        json_auto_t *owned = parameters;
        json_auto_t *message = owned ? json_pack("{s:s, s:O, s:o*}", "method", method, "parameters", owned,
                                                       "more", more ? json_true() : NULL)
                                     : NULL;
        char *line;

        if (!message)
                return -ENOMEM;
        int r = json_to_line(message, &line);
        if (r < 0)
                return r;
        *ret = line;
        *ret_size = strlen(line) + 1;
        return 0;
}

void varlink_reply_begin(FILE *f) {
        fputs("{\"parameters\":", f);
}

void varlink_reply_end(FILE *f, bool continues) {
        fputs(continues ? ",\"continues\":true}" : "}", f);
        fputc(0, f);
}

int varlink_reply_write(FILE *f, json_t *parameters) {
        json_auto_t *owned = parameters;
        _cleanup_free_ char *line = NULL;

        int r = owned ? json_to_line(owned, &line) : -ENOMEM;
        if (r < 0)
                return r;
        varlink_reply_begin(f);
        fputs(line, f);
        varlink_reply_end(f, false);
        return 0;
}

/* error: a constant, so it needs no escaping. */
int varlink_error_write(FILE *f, const char *error, json_t *parameters) {
        json_auto_t *owned = parameters;
        _cleanup_free_ char *line = NULL;

        int r = owned ? json_to_line(owned, &line) : -ENOMEM;
        if (r < 0)
                return r;
        fprintf(f, "{\"error\":\"%s\",\"parameters\":%s}", error, line);
        fputc(0, f);
        return 0;
}
