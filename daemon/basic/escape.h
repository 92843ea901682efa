/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Names that can do a terminal no harm: strict UTF-8, escaping of what a terminal obeys or hides, and
 * quotation marks for names in a sentence. Pure. Write errors stick to the stream: text_close() returns
 * them. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Bytes of the well-formed sequence (RFC 3629: shortest form, no surrogates, up to U+10FFFF) that data
 * begins with, 1 … 4; 0 when there is none. *ret_point: its code point. */
size_t utf8_sequence(const char *data, size_t size, uint32_t *ret_point);

/* True for what a terminal or a viewer obeys or hides: control characters (C0, DEL, C1), direction marks,
 * and what takes no place or looks like a blank, so that two names look the same. */
bool utf8_is_deceptive(uint32_t point);

/* Writes bytes as lower-case hex digits with a NUL: ret has 2 * size + 1 bytes. */
void text_hex(const uint8_t *data, size_t size, char *ret);

/* Writes any bytes: deceptive code points and bytes that are not UTF-8 become \xNN, a backslash \\. */
void text_put_bytes(FILE *f, const char *data, size_t size);

/* The same for a string that json_from_bytes() has escaped already: a backslash stays one. */
void text_put_string(FILE *f, const char *s);

/* The same two for a name in a sentence: in quotation marks (one inside is \x22) where it has blanks,
 * brackets or a quotation mark, so that it is not read as more of the sentence ("/tmp/a and 3 s later
 * connected to 127.0.0.1:53"). */
void text_put_name_bytes(FILE *f, const char *data, size_t size);
void text_put_name(FILE *f, const char *s);

/* A text that is written piece by piece. text_open() returns its stream; NULL: out of memory. text_take()
 * closes the stream and returns the text, newly allocated; NULL: something could not be written. */
typedef struct TextStream {
        FILE *stream;
        char *text;
        size_t size;
} TextStream;

FILE *text_open(TextStream *ret);
char *text_take(TextStream *t);

/* Closes a stream of open_memstream(). -ENOMEM: something could not be written, the text is not to be used.
 */
int text_close(FILE **f);
