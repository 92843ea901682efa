/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* SHA-256 of the programs and scripts of an alert's sender and openers, read now from this machine's file
 * system, where the recorded numbers prove that it is what ran. */

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#define DIGEST_HEX_SIZE 65

/* What an alert records of a file. */
typedef struct DigestObject {
        const char *path; /* its bytes */
        uint64_t inode;
        uint32_t major, minor; /* of the kernel's device, not of stat(2) where they differ */
        bool change_known, size_known;
        uint64_t change_nsec;    /* the time of its last change, since 1970, if that is known */
        uint64_t unchanged_usec; /* else: it was no later than this */
        uint64_t size;           /* its bytes */
} DigestObject;

typedef enum DigestState {
        DIGEST_SAME,
        DIGEST_CHANGED,
        DIGEST_GONE,
        DIGEST_UNPROVEN,
} DigestState;

/* ret: 64 hex digits with DIGEST_SAME, else untouched. *ret_why: a constant that says what the state means.
 */
DigestState digest_read(const DigestObject *o, char ret[static DIGEST_HEX_SIZE], const char **ret_why);

/* Adds the member "digests" to an alert: an array of objects with "role" (sender, opener), "kind"
 * (executable, script), "path", "state" (same, changed, gone, unproven), "sha256" (or null) and "text", the
 * state in words. boot_id: of this machine, 32 hex digits. -ENOMEM. */
int digest_add(json_t *alert, const char *boot_id);
