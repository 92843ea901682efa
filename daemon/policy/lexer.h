/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The bytes of a policy file → lines, words and items, each with the place that it came from. Pure. Must not
 * know which sections and keys there are. */

#include <stdbool.h>
#include <stddef.h>

#include "policy/types.h"
#include "policy/values.h"

/* Both bound what reading a core dump or a log by mistake can cost; no policy that a person wrote comes
 * near. */
#define POLICY_FILE_MAX (1U << 20)
#define POLICY_LINE_MAX (64U << 10)

/* No valid word of a section header has as many bytes. */
#define LEXER_WORD_SIZE 128

/* Where a piece of the joined line was in the file. */
typedef struct LexerSegment {
        unsigned offset; /* into the joined line */
        unsigned line;
        unsigned column; /* of the segment's first byte */
} LexerSegment;

typedef struct Lexer {
        const char *file, *bytes; /* the caller's */
        size_t n_bytes, position;
        unsigned line_number;

        /* The line, continuations joined. Readers may cut it into strings by NUL bytes. */
        char *line;
        size_t n_line;
        LexerSegment *segments;
        size_t n_segments;
        bool too_long; /* `line` is only its beginning */
        PolicyOrigin too_long_origin;

        /* The list item last read, and which byte of the line each of its bytes came from. */
        char *item;
        unsigned *item_offsets;
        size_t n_item;
} Lexer;

/* file and bytes must outlive the lexer. 0 or -ENOMEM; lexer_done() in both cases. */
int lexer_init(Lexer *l, const char *file, const char *bytes, size_t n_bytes);
void lexer_done(Lexer *l);

/* Reads up to the end of a line that is not continued, without comments; false at the end of the file. */
bool lexer_read_line(Lexer *l);

/* Copies the next word of a section header, at most its first LEXER_WORD_SIZE - 1 bytes. Returns the offset
 * of what follows it and its blanks. */
size_t lexer_read_word(const Lexer *l, size_t i, char ret[static LEXER_WORD_SIZE]);

/* Reads the next item of a list, without its quotes and with its escapes of glob characters. 1; 0 at the
 * end; -EINVAL and *ret_error, whose offset is one of the line. */
int lexer_read_item(Lexer *l, size_t *inout_position, ValueError *ret_error);

/* Where a byte of the joined line was in the file. */
PolicyOrigin lexer_origin(const Lexer *l, size_t offset);

/* Where a byte of the item last read was. */
static inline PolicyOrigin lexer_item_origin(const Lexer *l, size_t offset) {
        return lexer_origin(l, l->item_offsets[offset]);
}

static inline bool lexer_is_blank(char c) {
        return c == ' ' || c == '\t';
}
