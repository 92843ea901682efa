/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The Varlink protocol (varlink.org) on bytes: a message is a JSON object that one NUL byte ends. Calls and
 * replies, for the side that answers and for the side that asks. Knows no method. Pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

#include "util.h"

/* Errors that every service shares; each in the description of org.varlink.service. */
#define VARLINK_ERROR_INTERFACE_NOT_FOUND "org.varlink.service.InterfaceNotFound"
#define VARLINK_ERROR_METHOD_NOT_FOUND "org.varlink.service.MethodNotFound"
#define VARLINK_ERROR_METHOD_NOT_IMPLEMENTED "org.varlink.service.MethodNotImplemented"
#define VARLINK_ERROR_INVALID_PARAMETER "org.varlink.service.InvalidParameter"
#define VARLINK_ERROR_EXPECTED_MORE "org.varlink.service.ExpectedMore"

/* Bytes of the first message in data, its NUL included; 0: it has not ended yet. The first n_searched bytes
 * are known to hold no NUL. */
size_t varlink_message_size(const char *data, size_t size, size_t n_searched);

typedef struct VarlinkCall {
        json_t *message;    /* owns the rest */
        const char *method; /* "INTERFACE.METHOD", any string */
        json_t *parameters; /* an object; NULL: there are none */
        bool oneway, more, upgrade;
} VarlinkCall;

/* size: without the NUL. Members that Varlink does not know are ignored. -EBADMSG: not a call; -ENOMEM. */
int varlink_call_parse(const char *data, size_t size, VarlinkCall *ret);
void varlink_call_done(VarlinkCall *c);

typedef struct VarlinkReply {
        json_t *message;    /* owns the rest */
        json_t *parameters; /* an object; NULL: there are none */
        const char *error;  /* "INTERFACE.ERROR"; NULL: it went well */
        bool continues;     /* another reply to the same call comes */
} VarlinkReply;

/* As varlink_call_parse(). */
int varlink_reply_parse(const char *data, size_t size, VarlinkReply *ret);
void varlink_reply_done(VarlinkReply *r);

/* A call as bytes: *ret_size of them, the NUL included, newly allocated. Takes the reference to the
 * parameters, an object. -ENOMEM, also when that is NULL: a filter that could not be made must not become a
 * call without one. */
int varlink_call_format(const char *method, json_t *parameters, bool more, char **ret, size_t *ret_size);

/* A reply whose parameters, the text of a JSON object, are written between the two. The stream remembers
 * errors. */
void varlink_reply_begin(FILE *f);
void varlink_reply_end(FILE *f, bool continues);

/* A whole reply that is the last one, or an error; parameters as with varlink_call_format(). */
int varlink_reply_write(FILE *f, json_t *parameters);
int varlink_error_write(FILE *f, const char *error, json_t *parameters);
