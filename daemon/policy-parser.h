/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The state of the reader, shared by policy-file.c (lines, sections, items) and policy-key.c (what each key
 * takes), and the tables of sections and keys, by which policy-build.c makes and frees them. Private to them. */

#include <stdbool.h>
#include <stddef.h>

#include "policy-file.h"
#include "policy-values.h"

/* No policy that a person wrote comes near; both bound what a mistaken file (a core, a log) can cost. */
#define POLICY_FILE_MAX (1U << 20)
#define POLICY_LINE_MAX (64U << 10)

typedef enum Section {
        SECTION_NONE,
        SECTION_SKIPPED, /* its header was bad: its lines are not judged */
        SECTION_CLASS,
        SECTION_ALLOW,
        SECTION_CARRIER,
        SECTION_LINEAGE,
        SECTION_DESTINATION,
        SECTION_SCORING,
        SECTION_CORRELATOR,
        SECTION_QUERY,
        _SECTION_MAX,
} Section;

/* A section of many has a struct that begins with `char *name`, in an array of the Policy. */
typedef struct SectionInfo {
        const char *type, *header; /* "Class", "[Class NAME]" */
        size_t size;               /* of the struct; 0: there is one section only, and it has no name */
        size_t items, n_items;     /* offset in the Policy of the array and its count, or of the one struct */
        size_t origin;             /* offset in the struct; 0: not kept */
        size_t broken;             /* offset in the struct; 0: a bad line costs no more than itself */
} SectionInfo;

typedef enum KeyType {
        KEY_STRINGS, /* a list of structs that begin with a `char *` */
        KEY_DESTINATIONS,
        KEY_ADDRESSES, /* destinations without a port */
        KEY_PORTS,
        KEY_TEXT,
        KEY_UNSIGNED,
        KEY_INT,
        KEY_SPAN,
        KEY_SIZE,
        KEY_BOOL,
        KEY_OUTPUT,
        KEY_SEVERITY,
} KeyType;

typedef struct KeyInfo {
        Section section;
        const char *key;
        KeyType type;
        size_t field;   /* offset in the section's struct */
        size_t n_field; /* lists: of the count */
        size_t item;    /* lists: bytes of one */
        size_t origin;  /* lists: offset in the item; 0: not kept */
        int (*check)(const char *s, ValueError *ret_error); /* KEY_STRINGS: of an item; NULL: anything */
        uint64_t min, max, fallback; /* scalars; of KEY_INT as int64_t */
} KeyInfo;

/* By Section; those before SECTION_CLASS have no type. */
extern const SectionInfo policy_sections[_SECTION_MAX];

/* "[Class NAME], [Allow NAME] or …" */
#define SECTION_LIST_SIZE 256
const char *section_list(char ret[static SECTION_LIST_SIZE]);

/* The struct of one section; `index` is not looked at where there is only one. */
void *section_item(Policy *p, Section s, size_t index);
/* Gives every key its default; of a struct that is in use, this frees what they own. */
void section_reset(Section s, void *item);
/* Frees what it owns, its name too. */
void section_done(Section s, void *item);
/* The section of that name; a new one, with every default, if there is none yet. -E2BIG: there are
 * POLICY_SECTIONS_MAX already. */
int section_open(Policy *p, Section s, const char *name, PolicyOrigin origin, size_t *ret_index);

static inline bool *section_broken(Policy *p, Section s, size_t index) {
        return policy_sections[s].broken > 0
                ? (bool *)((char *)section_item(p, s, index) + policy_sections[s].broken)
                : NULL;
}

/* Where a piece of the joined line was in the file. */
typedef struct ParserSegment {
        unsigned offset; /* into the joined line */
        unsigned line;
        unsigned column; /* of the segment's first byte */
} ParserSegment;

typedef struct Parser {
        Policy *policy;
        const char *file;
        const char *bytes;
        size_t n_bytes, position;
        unsigned line_number;

        Section section;
        size_t index; /* of the section among those of its type */

        /* The line, continuations joined. */
        char *line;
        size_t n_line;
        ParserSegment *segments;
        size_t n_segments;
        bool too_long;
        PolicyOrigin too_long_origin;

        /* The list item last read, and which byte of the line each of its bytes came from. */
        char *item;
        unsigned *item_offsets;
        size_t n_item;
} Parser;

/* Where a byte of the joined line, or of the item last read, was in the file. */
PolicyOrigin parser_origin(const Parser *ps, size_t offset);

static inline PolicyOrigin parser_item_origin(const Parser *ps, size_t offset) {
        return parser_origin(ps, ps->item_offsets[offset]);
}

/* Adds an error; a section that could grant more without the line is not used at all. 0 or -ENOMEM. */
_printf_(3, 4) int parser_report_at(Parser *ps, PolicyOrigin origin, const char *format, ...);
#define parser_report(ps, offset, ...) parser_report_at(ps, parser_origin(ps, offset), __VA_ARGS__)

/* Reads the next item of a list. 1; 0 at the end; -EINVAL when it is malformed and that is reported;
 * -ENOMEM. */
int parser_read_item(Parser *ps, size_t *inout_position);

/* Assigns the value at offset `value` to the key at offset `key`; both are NUL-terminated in the line, and
 * nothing below 0x20 but tabs is in them. 0 or -ENOMEM. */
int parser_assign(Parser *ps, size_t key, size_t value);
