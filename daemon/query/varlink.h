/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The Varlink protocol (varlink.org): a message is a JSON object, terminated by a NUL byte. Parses and
 * formats calls and replies, for server and client. Knows no method. Pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

#include "basic/util.h"

/* Errors of org.varlink.service, which every service may return. */
#define VARLINK_ERROR_INTERFACE_NOT_FOUND "org.varlink.service.InterfaceNotFound"
#define VARLINK_ERROR_METHOD_NOT_FOUND "org.varlink.service.MethodNotFound"
#define VARLINK_ERROR_METHOD_NOT_IMPLEMENTED "org.varlink.service.MethodNotImplemented"
#define VARLINK_ERROR_INVALID_PARAMETER "org.varlink.service.InvalidParameter"
#define VARLINK_ERROR_EXPECTED_MORE "org.varlink.service.ExpectedMore"

/* Returns the size of the first message in data, including its NUL; 0: it is not complete. The first
 * n_searched bytes are known to contain no NUL. */
size_t varlink_message_size(const char *data, size_t size, size_t n_searched);

typedef struct VarlinkCall {
        json_t *message;    /* owns the rest */
        const char *method; /* "INTERFACE.METHOD", any string */
        json_t *parameters; /* an object; NULL: there are none */
        bool oneway, more, upgrade;
} VarlinkCall;

/* size: without the NUL. Unknown members are ignored. -EBADMSG: not a call; -ENOMEM. */
int varlink_call_parse(const char *data, size_t size, VarlinkCall *ret);
void varlink_call_done(VarlinkCall *c);

typedef struct VarlinkReply {
        json_t *message;    /* owns the rest */
        json_t *parameters; /* an object; NULL: there are none */
        const char *error;  /* "INTERFACE.ERROR"; NULL: success */
        bool continues;     /* another reply to the same call follows */
} VarlinkReply;

/* As varlink_call_parse(). */
int varlink_reply_parse(const char *data, size_t size, VarlinkReply *ret);
void varlink_reply_done(VarlinkReply *r);

/* Formats a call, newly allocated; *ret_size includes the NUL. Takes the reference to the parameters, an
 * object. -ENOMEM, also if that is NULL: a filter that could not be allocated must not become a call without
 * a filter. */
int varlink_call_format(const char *method, json_t *parameters, bool more, char **ret, size_t *ret_size);

/* Writes a reply; the caller writes its parameters, a JSON object, between the two calls. Errors stick to
 * the stream. */
void varlink_reply_begin(FILE *f);
void varlink_reply_end(FILE *f, bool continues);

/* Writes a last reply, or an error; parameters as for varlink_call_format(). */
int varlink_reply_write(FILE *f, json_t *parameters);
int varlink_error_write(FILE *f, const char *error, json_t *parameters);
