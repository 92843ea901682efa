/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The tables of sections and keys, which drive parsing, defaults, freeing and ListRules. To add a key, add a
 * line to policy_keys and its field to types.h. Private to policy/. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/types.h"
#include "policy/values.h"

#define POLICY_WINDOW_DEFAULT_USEC (60 * USEC_PER_SEC)
#define POLICY_LATE_WINDOW_DEFAULT_USEC (3600 * USEC_PER_SEC)
#define POLICY_LATE_WINDOW_UNSET UINT64_MAX /* until policy_finish() */
#define POLICY_SCORE_DEFAULT 50
#define POLICY_SCORE_ALERT_DEFAULT 20
#define POLICY_SCORE_MEDIUM_DEFAULT 40
#define POLICY_SCORE_HIGH_DEFAULT 70
#define POLICY_MARKS_DEFAULT 0     /* from the machine */
#define POLICY_PROCESSES_DEFAULT 0 /* from the machine */
#define POLICY_HOPS_DEFAULT 8
#define POLICY_ALERTS_DEFAULT 4096
#define POLICY_RING_DEFAULT_BYTES 0 /* from the machine */

typedef enum Section {
        SECTION_NONE,
        SECTION_SKIPPED, /* its header was malformed: its lines are ignored */
        SECTION_CLASS,
        SECTION_ALLOW,
        SECTION_CARRIER,
        SECTION_LINEAGE,
        SECTION_DESTINATION,
        SECTION_SCORING,
        SECTION_ENFORCEMENT,
        SECTION_CORRELATOR,
        SECTION_QUERY,
        _SECTION_MAX,
} Section;

/* A section with a name has a struct that begins with `char *name`, in an array of the Policy. */
typedef struct SectionInfo {
        const char *type, *header; /* "Class", "[Class NAME]" */
        const char *json;          /* its member in ListRules; NULL: none */
        size_t size;               /* of the struct; 0: a single section without a name */
        size_t items, n_items; /* offset in the Policy of the array and its count, or of the one struct */
        size_t origin;         /* offset in the struct; 0: not kept */
        size_t broken;         /* offset in the struct; 0: a wrong line is ignored by itself */
} SectionInfo;

typedef enum KeyType {
        KEY_STRINGS, /* a list of structs that begin with a `char *` */
        KEY_ADDRESSES,
        KEY_NETWORKS, /* destinations without a port */
        KEY_PORTS,
        KEY_TEXT,
        KEY_UNSIGNED,
        KEY_INT,
        KEY_SPAN,
        KEY_SIZE,
        KEY_BOOL,
        KEY_PASSES,
        KEY_SEVERITY,
        KEY_CHOICE, /* one of the words in `choices`, by its place */
} KeyType;

typedef struct KeyInfo {
        Section section;
        const char *key;
        const char *json; /* its member in ListRules; NULL: none */
        KeyType type;
        size_t field;                                       /* offset in the section's struct */
        size_t n_field;                                     /* lists: of the count */
        size_t item;                                        /* lists: bytes of one */
        size_t origin;                                      /* lists: offset in the item; 0: not kept */
        int (*check)(const char *s, ValueError *ret_error); /* KEY_STRINGS: of an item; NULL: anything */
        uint64_t min, max, fallback;                        /* scalars; of KEY_INT as int64_t */
        const char *const *choices;                         /* KEY_CHOICE, NULL-terminated */
} KeyInfo;

/* By Section; those before SECTION_CLASS have no type. */
extern const SectionInfo policy_sections[_SECTION_MAX];
/* Ends with one whose key is NULL. */
extern const KeyInfo policy_keys[];

/* "[Class NAME], [Allow NAME] or …" */
#define SECTION_LIST_SIZE 256
const char *section_list(char ret[static SECTION_LIST_SIZE]);

/* Returns the struct of a section; `index` is ignored for a section without a name. */
void *section_item(Policy *p, Section s, size_t index);
/* Sets every key to its default and frees previous values. */
void section_reset(Section s, void *item);
void key_reset(const KeyInfo *k, void *item);
/* Sets a scalar. */
void key_set(const KeyInfo *k, void *item, uint64_t value);
/* Frees the values and the name. */
void section_done(Section s, void *item);

static inline bool *section_broken(Policy *p, Section s, size_t index) {
        return policy_sections[s].broken > 0
                               ? (bool *)((char *)section_item(p, s, index) + policy_sections[s].broken)
                               : NULL;
}
