/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The glob language, as items that the automaton is built from. Private to glob/, except for the braces.
 *
 * Paths are absolute and contain no "//", "." or ".."; a glob begins with '/'.
 *
 *   x        that byte; \x is the byte x even if it has a meaning here
 *   ?        one byte but '/'
 *   [a-z]    one byte of the set, [!a-z] or [^a-z] one that is not in it; never '/', even inside a range
 *   *        any bytes but '/', also none
 *   **       any bytes, also '/', also none;
 *            as a component by itself: any number of directories, also none;
 *            as the last component: everything below the directory, but not the directory itself
 *   {a,b}    either; may be empty, may not be nested */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ByteSet {
        uint64_t word[4];
} ByteSet;

static inline bool byte_set_has(const ByteSet *set, uint8_t byte) {
        return set->word[byte / 64] >> (byte % 64) & 1;
}

static inline void byte_set_add(ByteSet *set, uint8_t byte) {
        set->word[byte / 64] |= UINT64_C(1) << (byte % 64);
}

static inline void byte_set_remove(ByteSet *set, uint8_t byte) {
        set->word[byte / 64] &= ~(UINT64_C(1) << (byte % 64));
}

typedef enum GlobItemKind {
        GLOB_ITEM_BYTE,     /* one byte of `set` */
        GLOB_ITEM_STAR,     /* any bytes but '/' */
        GLOB_ITEM_GLOBSTAR, /* any bytes */
        GLOB_ITEM_DIRS,     /* nothing, or any bytes that end in '/'; stands after a '/' only */
} GlobItemKind;

typedef struct GlobItem {
        GlobItemKind kind;
        ByteSet set;
} GlobItem;

typedef struct GlobError {
        size_t offset;       /* of the wrong byte in the glob as written */
        const char *message; /* constant: the error and its remedy */
} GlobError;

bool glob_item_is_slash(const GlobItem *item);

/* How many globs the braces stand for, 1 … 64. -EINVAL and *ret_error: the braces or a set are malformed. */
int glob_count_alternatives(const char *glob, size_t *ret_n, GlobError *ret_error);

/* A glob without braces; origin[i] is where text[i] stands in the glob as written. */
typedef struct GlobExpansion {
        char *text;
        size_t *origin;
        size_t length;
} GlobExpansion;

void glob_expansion_done(GlobExpansion *e);

/* Alternative 0 … n-1 of a glob that glob_count_alternatives() accepted. -ENOMEM. */
int glob_expand(const char *glob, size_t alternative, GlobExpansion *ret);

/* Reads alternative 0 … n-1 of a glob that glob_count_alternatives() accepted. -EINVAL and *ret_error,
 * -ENOMEM. */
int glob_parse(const char *glob, size_t alternative, GlobItem **ret_items, size_t *ret_n_items,
                GlobError *ret_error);
