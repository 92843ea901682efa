/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Where a UTF-8 sequence ends, independent of the locale, and which code points are not fit to be seen. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the well-formed sequence (RFC 3629: shortest form, no surrogates, up to U+10FFFF) that data
 * begins with, 1 … 4; 0 when there is none. *ret_point: its code point. */
size_t utf8_sequence(const char *data, size_t size, uint32_t *ret_point);

/* What a terminal or a viewer obeys or hides: control characters (C0, DEL, C1), direction marks, and what takes no
 * place or looks like a blank, so that two names look the same. */
bool utf8_is_deceptive(uint32_t point);
