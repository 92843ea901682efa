/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Keys → the fields of a Policy, by the table of schema: one function for each type of value. An empty value
 * restores the default or empties the list. A wrong value is reported and changes nothing. Pure. */

#include <stddef.h>

#include "policy/build.h"
#include "policy/lexer.h"
#include "policy/schema.h"

/* The state of reading one file into the policy. */
typedef struct PolicyReader {
        Policy *policy;
        Lexer lexer;
        Section section; /* of the current line */
        size_t index;    /* of that section among those of its type */
} PolicyReader;

/* Adds an error to the policy, at a byte of the line: see policy_section_error(). 0 or -ENOMEM. */
#define reader_error(reader, offset, ...)                                                                   \
        reader_error_at(reader, lexer_origin(&(reader)->lexer, offset), __VA_ARGS__)
#define reader_error_at(reader, origin, ...)                                                                \
        policy_section_error((reader)->policy, (reader)->section, (reader)->index, origin, __VA_ARGS__)

/* Assigns the value at offset `value` to the key at offset `key`; both are NUL-terminated in the line, and
 * tabs are the only bytes below 0x20 in them. 0 or -ENOMEM. */
int reader_assign(PolicyReader *reader, size_t key, size_t value);
