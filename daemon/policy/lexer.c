/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "basic/util.h"
#include "policy/lexer.h"

int lexer_init(Lexer *l, const char *file, const char *bytes, size_t n_bytes) {
        /* Each array has at most as many elements as a line has bytes, and one for its end. */
        size_t size = MIN(n_bytes, (size_t)POLICY_LINE_MAX) + 2;

        *l = (Lexer){
                .file = file,
                .bytes = bytes,
                .n_bytes = n_bytes,
                .line = malloc(size),
                .segments = reallocarray(NULL, size, sizeof(LexerSegment)),
                .item = malloc(size),
                .item_offsets = reallocarray(NULL, size, sizeof(unsigned)),
        };
        return l->line && l->segments && l->item && l->item_offsets ? 0 : -ENOMEM;
}

void lexer_done(Lexer *l) {
        free(l->line);
        free(l->segments);
        free(l->item);
        free(l->item_offsets);
}

PolicyOrigin lexer_origin(const Lexer *l, size_t offset) {
        size_t low = 0, high = l->n_segments;

        while (high - low > 1) {
                size_t middle = low + (high - low) / 2;
                if (l->segments[middle].offset <= offset)
                        low = middle;
                else
                        high = middle;
        }

        const LexerSegment *s = l->segments + low;
        return (PolicyOrigin){
                .file = l->file,
                .line = s->line,
                .column = s->column + (unsigned)offset - s->offset,
        };
}

static bool is_continued(const char *line, size_t n) {
        size_t backslashes = 0;

        /* In an even number of backslashes the last one is itself escaped. */
        while (backslashes < n && line[n - 1 - backslashes] == '\\')
                backslashes++;
        return backslashes % 2 == 1;
}

static void line_append(Lexer *l, const char *bytes, size_t n, unsigned column) {
        size_t room = POLICY_LINE_MAX - l->n_line;

        if (l->too_long)
                return;

        l->segments[l->n_segments++] = (LexerSegment){
                .offset = (unsigned)l->n_line,
                .line = l->line_number,
                .column = column,
        };
        memcpy(l->line + l->n_line, bytes, MIN(n, room));
        l->n_line += MIN(n, room);
        if (n > room) {
                l->too_long = true;
                l->too_long_origin = lexer_origin(l, l->n_line);
        }
}

/* Reads up to the end of a line that is not continued; false at the end of the file. */
bool lexer_read_line(Lexer *l) {
        static const char byte_order_mark[] = "\xef\xbb\xbf";
        bool more;

        l->n_line = l->n_segments = 0;
        l->too_long = false;

        do {
                size_t left = l->n_bytes - l->position, n = left, blank = 0;
                unsigned column = 1;

                if (left == 0)
                        return l->n_segments > 0;

                const char *start = l->bytes + l->position;
                const char *newline = memchr(start, '\n', left);
                if (newline)
                        n = (size_t)(newline - start);
                l->position += n + (newline ? 1 : 0);
                l->line_number++;

                if (n > 0 && start[n - 1] == '\r')
                        n--;
                if (l->line_number == 1 && n >= 3 && memcmp(start, byte_order_mark, 3) == 0) {
                        start += 3;
                        n -= 3;
                        column += 3;
                }

                more = true;
                while (blank < n && lexer_is_blank(start[blank]))
                        blank++;
                if (blank < n && (start[blank] == '#' || start[blank] == ';'))
                        continue;
                if (blank == n && l->n_segments == 0)
                        continue;

                more = is_continued(start, n);
                line_append(l, start, n, column);
                if (more)
                        l->line[l->n_line - 1] = ' ';
        } while (more);
        return true;
}

size_t lexer_read_word(const Lexer *l, size_t i, char ret[static LEXER_WORD_SIZE]) {
        const char *line = l->line;
        size_t n = 0;

        while (lexer_is_blank(line[i]))
                i++;
        for (; line[i] && line[i] != ']' && !lexer_is_blank(line[i]); i++)
                if (n < LEXER_WORD_SIZE - 1)
                        ret[n++] = line[i];
        ret[n] = 0;
        while (lexer_is_blank(line[i]))
                i++;
        return i;
}

int lexer_read_item(Lexer *l, size_t *inout_position, ValueError *ret_error) {
        size_t i = *inout_position, quote = 0;
        bool quoted = false;

        while (lexer_is_blank(l->line[i]))
                i++;
        if (!l->line[i])
                return 0;

        l->n_item = 0;
        l->item_offsets[0] = (unsigned)i;
        for (; l->line[i] && (quoted || !lexer_is_blank(l->line[i])); i++) {
                const char *c = l->line + i;

                if (*c == '"') {
                        quoted = !quoted;
                        quote = i;
                        continue;
                }
                if (*c == '\t') {
                        *inout_position = strlen(l->line);
                        return value_error(ret_error, i, "tab inside quotes: write ? to match it");
                }
                if (*c == '\\' && c[1] == ' ')
                        i++;
                else if (*c == '\\' && c[1] && !lexer_is_blank(c[1])) {
                        l->item_offsets[l->n_item] = (unsigned)i++;
                        l->item[l->n_item++] = '\\';
                }
                l->item_offsets[l->n_item] = (unsigned)i;
                l->item[l->n_item++] = l->line[i];
        }
        l->item[l->n_item] = 0;
        if (l->n_item > 0)
                l->item_offsets[l->n_item] = (unsigned)i;
        *inout_position = i;

        if (quoted)
                return value_error(ret_error, quote,
                                "the quote is not closed: add one, or write \\\" for a literal quote");
        if (l->n_item == 0)
                return value_error(ret_error, l->item_offsets[0], "empty item: remove it");
        return 1;
}
