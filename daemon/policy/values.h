/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Values of policy keys: text → numbers, times, networks. Pure. Every parser takes a NUL-terminated string
 * and returns 0, or -EINVAL and in ValueError the wrong byte, the error and its remedy. */

#include <stddef.h>
#include <stdint.h>

#include "policy/types.h"

typedef struct ValueError {
        size_t offset; /* of the byte that is wrong */
        char text[320];
} ValueError;

/* [A-Za-z0-9][A-Za-z0-9_.-]{0,62}: safe in file names, journal fields and terminals alike. */
int value_check_name(const char *s, ValueError *ret_error);
int value_check_technique(const char *s, ValueError *ret_error);
int value_check_utf8(const char *s, ValueError *ret_error);

/* An argument of a program, or with a last "*" the beginning of one: shorter than BW_ARGUMENT_SIZE. */
int value_check_argument(const char *s, ValueError *ret_error);

/* Globs. These may also return -ENOMEM. */
int value_check_absolute(const char *s, ValueError *ret_error); /* /… */
int value_check_program(const char *s, ValueError *ret_error);  /* /…, with a reason why not ~/… */
int value_check_program_of_user(const char *s, ValueError *ret_error); /* /… or ~/… */
int value_check_path(const char *s, ValueError *ret_error);            /* /… or ~/… */
int value_check_unit(const char *s, ValueError *ret_error);            /* one name, without '/' */
int value_check_never(const char *s, ValueError *ret_error);           /* a program, or a unit */

/* A sign is valid only if min is negative. */
int value_parse_number(const char *s, int64_t min, int64_t max, int64_t *ret, ValueError *ret_error);

/* As in systemd: yes, true, on, 1 and their opposites. */
int value_parse_bool(const char *s, uint64_t *ret, ValueError *ret_error);

/* One of these words, by its place in the NULL-terminated list. */
int value_parse_choice(const char *s, const char *const *words, uint64_t *ret, ValueError *ret_error);

/* "output", "files" and "children", or "nothing": BW_RULE_PASSES, or some of its bits. */
int value_parse_passes(const char *s, uint64_t *ret, ValueError *ret_error);
/* The same for "rules" and messages. */
#define VALUE_PASSES_SIZE sizeof("output files children")
const char *value_format_passes(unsigned passes, char ret[static VALUE_PASSES_SIZE]);

/* systemd.time(7): "90", "90s", "1h 30min", "1.5h". */
int value_parse_timespan(
                const char *s, uint64_t min, uint64_t max, uint64_t *ret_usec, ValueError *ret_error);

/* A number of bytes, with K or M: a power of two from min to max, which are multiples of 1 KiB. */
int value_parse_size(const char *s, uint64_t min, uint64_t max, uint64_t *ret_bytes, ValueError *ret_error);

/* "loopback" stands for the most networks. */
#define VALUE_ADDRESSES_MAX 4
/* with_port: a port may follow the address and must follow "any". */
int value_parse_address(const char *s, bool with_port, PolicyAddress ret[static VALUE_ADDRESSES_MAX],
                size_t *ret_n, ValueError *ret_error);

/* "443", "8000-8100", "*". */
int value_parse_ports(const char *s, PolicyPorts *ret, ValueError *ret_error);

/* Fills *e. Returns -EINVAL. */
_printf_(3, 4) int value_error(ValueError *e, size_t offset, const char *format, ...);

/* Edit distance (insertions, deletions, replacements) of two words; at least 99 if one is too long for a
 * keyword. */
unsigned value_distance(const char *a, const char *b);

/* The name closest to a misspelt word among those considered, or NULL if none is close. Start with {}. */
typedef struct ValueNearest {
        const char *name;
        unsigned distance;
} ValueNearest;

void value_consider(ValueNearest *n, const char *written, const char *name);

/* Makes bytes printable for a message and cuts them to a readable length: deceptive code points
 * (utf8_is_deceptive()) and invalid UTF-8 become \\xNN; a backslash stays one, as in the pattern that is
 * quoted. Returns ret. */
#define VALUE_QUOTE_SIZE 104
const char *value_quote(const char *s, size_t n, char ret[static VALUE_QUOTE_SIZE]);
