/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* A Policy under construction, for parse.c, check.c, load.c and homes.c. Private to policy/, except for
 * policy_new(). */

#include <stdbool.h>
#include <stdint.h>

#include <nettle/sha2.h>

#include "policy/schema.h"
#include "policy/types.h"

/* A broken file of 1 MiB can contain half a million errors. A person reads the first few. */
#define POLICY_MESSAGES_MAX 1000
/* Names are searched linearly, which is fast for 1024. policy_compile() accepts far fewer. */
#define POLICY_SECTIONS_MAX 1024
/* Items of one list. 64 classes of that many globs exceed the automaton's table. */
#define POLICY_ITEMS_MAX 4096

/* The object that policy_new() allocates. */
typedef struct PolicyBuild {
        Policy policy;          /* first, so that a Policy * is a PolicyBuild * */
        struct sha256_ctx hash; /* of all bytes read so far */
        char **names;           /* names of files that only messages refer to */
        size_t n_names;
} PolicyBuild;

static inline PolicyBuild *policy_build(Policy *p) {
        return (PolicyBuild *)p;
}

/* Starts an empty policy with every default set. */
int policy_new(Policy **ret);

/* Adds a message. Beyond POLICY_MESSAGES_MAX, errors are only counted. 0 or -ENOMEM. */
_printf_(4, 5) int policy_message_add(
                Policy *p, PolicyMessageLevel level, PolicyOrigin origin, const char *format, ...);

/* Adds a message about a file as a whole. `file` is copied. */
_printf_(4, 5) int policy_message_add_file(
                Policy *p, PolicyMessageLevel level, const char *file, const char *format, ...);

/* Appends to p->files; *ret is the copy that origins point to. */
int policy_add_file(Policy *p, const char *file, const char **ret);
int policy_add_home(Policy *p, const char *home, size_t n_home);

/* Finds the section of that name, or adds one with every default set. -E2BIG: there are POLICY_SECTIONS_MAX
 * already. */
int policy_section_open(Policy *p, Section s, const char *name, PolicyOrigin origin, size_t *ret_index);

/* Adds an error in a section. A section that could permit more without the wrong line becomes unusable as a
 * whole. 0 or -ENOMEM. */
_printf_(5, 6) int policy_section_error(
                Policy *p, Section s, size_t index, PolicyOrigin origin, const char *format, ...);
