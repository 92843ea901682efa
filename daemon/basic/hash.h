/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* FNV-1a, 64 bits (Fowler, Noll, Vo), for keys that nobody chooses in order to make them collide. Its values
 * are written to files that outlive the program: it never changes. */

#include <stddef.h>
#include <stdint.h>

#define FNV1A_INIT UINT64_C(0xcbf29ce484222325)

/* Continues the hash of what came before; FNV1A_INIT: nothing. */
static inline uint64_t fnv1a(uint64_t hash, const void *data, size_t size) {
        for (const unsigned char *p = data; size > 0; p++, size--)
                hash = (hash ^ *p) * UINT64_C(0x100000001b3);
        return hash;
}
