/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* A Policy while it is put together: what policy-file.c, policy-finish.c and policy-load.c share and nobody
 * else may see. Pure. */

#include <stdbool.h>
#include <stdint.h>

#include <nettle/sha2.h>

#include "policy-file.h"

/* A hostile or broken file of 1 MiB can hold half a million mistakes. A person reads the first few. */
#define POLICY_MESSAGES_MAX 1000
/* Names are looked up one after the other; 1024 keep that fast, and policy_compile() takes far fewer. */
#define POLICY_SECTIONS_MAX 1024
/* Items of one list: 64 classes of that many globs are beyond what the automaton's table holds. */
#define POLICY_ITEMS_MAX 4096

/* What policy_new() really allocates. */
typedef struct PolicyBuild {
        Policy policy; /* first, so that a Policy * is a PolicyBuild * */
        struct sha256_ctx hash; /* of what was read so far */
        char **names;  /* names of files that only messages refer to */
        size_t n_names;
} PolicyBuild;

static inline PolicyBuild *policy_build(Policy *p) {
        return (PolicyBuild *)p;
}

/* Adds a message; from POLICY_MESSAGES_MAX on it is only counted. 0 or -ENOMEM. */
_printf_(4, 5) int policy_message_add(
                Policy *p, PolicyMessageLevel level, PolicyOrigin origin, const char *format, ...);

/* A message about the file as a whole. `file` is copied. */
_printf_(4, 5) int policy_message_add_file(
                Policy *p, PolicyMessageLevel level, const char *file, const char *format, ...);

/* Appends to p->files; *ret is the copy that origins point to. */
int policy_add_file(Policy *p, const char *file, const char **ret);
int policy_add_home(Policy *p, const char *home, size_t n_home);

/* Lists: `field` is the address of the pointer to the items, each of `size` bytes. Behind the last item there is
 * one of zeroes. An owned item begins with a `char *` that goes with it. */
int policy_list_append(void *field, size_t *n, size_t size, const void *item);
void policy_list_clear(void *field, size_t *n, size_t size, bool owned);

#define POLICY_WINDOW_DEFAULT_USEC (60 * USEC_PER_SEC)
#define POLICY_LATE_WINDOW_DEFAULT_USEC (3600 * USEC_PER_SEC)
#define POLICY_LATE_WINDOW_UNSET UINT64_MAX /* until policy_finish() */
#define POLICY_SCORE_DEFAULT 50
#define POLICY_SCORE_ALERT_DEFAULT 20
#define POLICY_SCORE_MEDIUM_DEFAULT 40
#define POLICY_SCORE_HIGH_DEFAULT 70
#define POLICY_MARKS_DEFAULT 8192
#define POLICY_PROCESSES_DEFAULT 8192
#define POLICY_HOPS_DEFAULT 8
#define POLICY_ALERTS_DEFAULT 4096
#define POLICY_RING_DEFAULT_BYTES (UINT64_C(8) << 20)
