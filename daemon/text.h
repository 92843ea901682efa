/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What all text for people shares: names that can do a terminal no harm, and how long ago something was.
 * Pure. Write errors stick to the stream: text_close() tells of them. */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Any bytes: control bytes, what is not UTF-8, and code points that a terminal obeys or hides (C1 controls,
 * direction marks, zero width) become \xNN, a backslash \\. */
void text_put_bytes(FILE *f, const char *data, size_t size);

/* A string that was escaped so far that it is UTF-8 (alert-json.h): the same, but a backslash stays one. */
void text_put_string(FILE *f, const char *s);

/* The same two for a name in a sentence: in quotation marks (one inside is \x22) where it has blanks, brackets or a
 * quotation mark, so that it is not read as more of the sentence ("/tmp/a and 3 s later connected to 127.0.0.1:53"). */
void text_put_name_bytes(FILE *f, const char *data, size_t size);
void text_put_name(FILE *f, const char *s);

/* "1.2 s", "2 min 5 s": two units at most, cut off rather than rounded. */
void text_put_age(FILE *f, uint64_t usec);

/* Ends a stream that open_memstream() began: what it wrote to is whole on success only. -ENOMEM. */
int text_close(FILE **f);
