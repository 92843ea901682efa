/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The state of the reader, shared by policy-file.c (lines, sections, items) and policy-key.c (what each key
 * takes). Private to them. */

#include <stdbool.h>
#include <stddef.h>

#include "policy-file.h"

/* No policy that a person wrote comes near; both bound what a mistaken file (a core, a log) can cost. */
#define POLICY_FILE_MAX (1U << 20)
#define POLICY_LINE_MAX (64U << 10)

typedef enum Section {
        SECTION_NONE,
        SECTION_SKIPPED, /* its header was bad: its lines are not judged */
        SECTION_CLASS,
        SECTION_ALLOW,
        SECTION_CORRELATOR,
        SECTION_QUERY,
        _SECTION_MAX,
} Section;

typedef struct SectionInfo {
        const char *type, *header; /* "Class", "[Class NAME]" */
        /* NULL: there is one only, and it has no name. */
        int (*open)(Policy *p, const char *name, PolicyOrigin origin, size_t *ret_index);
} SectionInfo;

/* By Section; those before SECTION_CLASS have no type. */
extern const SectionInfo policy_sections[_SECTION_MAX];

/* "[Class NAME], [Allow NAME] or …" */
#define SECTION_LIST_SIZE 256
const char *section_list(char ret[static SECTION_LIST_SIZE]);

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
        size_t index; /* of the class or allow */

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

/* Adds an error; inside an [Allow] it voids the section. 0 or -ENOMEM. */
_printf_(3, 4) int parser_report_at(Parser *ps, PolicyOrigin origin, const char *format, ...);
#define parser_report(ps, offset, ...) parser_report_at(ps, parser_origin(ps, offset), __VA_ARGS__)

/* Reads the next item of a list. 1; 0 at the end; -EINVAL when it is malformed and that is reported;
 * -ENOMEM. */
int parser_read_item(Parser *ps, size_t *inout_position);

/* Assigns the value at offset `value` to the key at offset `key`; both are NUL-terminated in the line, and
 * nothing below 0x20 but tabs is in them. 0 or -ENOMEM. */
int parser_assign(Parser *ps, size_t key, size_t value);
