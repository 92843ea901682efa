/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Both directions of both messages. Must not look into parameters: what they mean is not known here. */

#include <errno.h>
#include <string.h>

#include "json-line.h"
#include "varlink.h"

size_t varlink_message_size(const char *data, size_t size, size_t n_searched) {
        const char *end = n_searched < size ? memchr(data + n_searched, 0, size - n_searched) : NULL;

        return end ? (size_t)(end - data) + 1 : 0;
}

/* A member that is there twice could be read either way: refused. So is a string with a NUL in it, by
 * jansson. */
static int message_parse(const char *data, size_t size, json_t **ret) {
        json_error_t error;
        json_auto_t *message = json_loadb(data, size, JSON_REJECT_DUPLICATES, &error);

        if (!message)
                return json_error_code(&error) == json_error_out_of_memory ? -ENOMEM : -EBADMSG;
        if (!json_is_object(message))
                return -EBADMSG;
        *ret = STEAL_PTR(message);
        return 0;
}

/* Null is the same as not there at all. */
static json_t *member(const json_t *message, const char *name) {
        json_t *value = json_object_get(message, name);

        return json_is_null(value) ? NULL : value;
}

static int member_bool(const json_t *message, const char *name, bool *ret) {
        const json_t *value = member(message, name);

        if (value && !json_is_boolean(value))
                return -EBADMSG;
        *ret = json_is_true(value);
        return 0;
}

static int member_object(const json_t *message, const char *name, json_t **ret) {
        json_t *value = member(message, name);

        if (value && !json_is_object(value))
                return -EBADMSG;
        *ret = value;
        return 0;
}

int varlink_call_parse(const char *data, size_t size, VarlinkCall *ret) {
        json_auto_t *message = NULL;
        VarlinkCall c = {};

        int r = message_parse(data, size, &message);
        if (r < 0)
                return r;
        c.method = json_string_value(member(message, "method"));
        if (!c.method || member_object(message, "parameters", &c.parameters) < 0 ||
                        member_bool(message, "oneway", &c.oneway) < 0 ||
                        member_bool(message, "more", &c.more) < 0 ||
                        member_bool(message, "upgrade", &c.upgrade) < 0)
                return -EBADMSG;
        c.message = STEAL_PTR(message);
        *ret = c;
        return 0;
}

void varlink_call_done(VarlinkCall *c) {
        json_decref(c->message);
        *c = (VarlinkCall){};
}

int varlink_reply_parse(const char *data, size_t size, VarlinkReply *ret) {
        json_auto_t *message = NULL;
        VarlinkReply reply = {};

        int r = message_parse(data, size, &message);
        if (r < 0)
                return r;

        const json_t *error = member(message, "error");
        reply.error = json_string_value(error);
        if ((error && !reply.error) || member_object(message, "parameters", &reply.parameters) < 0 ||
                        member_bool(message, "continues", &reply.continues) < 0)
                return -EBADMSG;
        reply.message = STEAL_PTR(message);
        *ret = reply;
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

/* error: of our own making, so it needs no escaping. */
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
