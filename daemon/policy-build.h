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
        bool *voids;   /* per allow: one of its lines was bad, so it must not be used, whatever follows */
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

/* The section of that name; a new one, with every default, if there is none yet. -E2BIG: there are
 * POLICY_SECTIONS_MAX already. */
int policy_open_class(Policy *p, const char *name, PolicyOrigin origin, size_t *ret_index);
int policy_open_allow(Policy *p, const char *name, PolicyOrigin origin, size_t *ret_index);

/* Append a copy of text. -E2BIG: there are POLICY_ITEMS_MAX already. */
int policy_globs_append(PolicyGlob **globs, size_t *n, const char *text, PolicyOrigin origin);
int policy_strv_append(char ***strv, size_t *n, const char *text);

void policy_globs_clear(PolicyGlob **globs, size_t *n);
void policy_strv_clear(char ***strv, size_t *n);
void policy_class_done(PolicyClass *c);
void policy_allow_done(PolicyAllow *a);

#define POLICY_WINDOW_DEFAULT_USEC (60 * USEC_PER_SEC)
#define POLICY_SCORE_DEFAULT 50
#define POLICY_MARKS_DEFAULT 8192
#define POLICY_PROCESSES_DEFAULT 8192
#define POLICY_ALERTS_DEFAULT 4096
#define POLICY_RING_DEFAULT_BYTES (UINT64_C(8) << 20)
