/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Where a UTF-8 sequence ends, independent of the locale. */

#include <stddef.h>
#include <stdint.h>

/* Bytes of the well-formed sequence (RFC 3629: shortest form, no surrogates, up to U+10FFFF) that data
 * begins with, 1 … 4; 0 when there is none. *ret_point: its code point. */
size_t utf8_sequence(const char *data, size_t size, uint32_t *ret_point);
