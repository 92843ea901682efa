/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Up to four globs and a path, separated by NUL: the packed automaton must agree with the plain matcher.
 * The first byte's low bit packs a second automaton before it; the next one gives a table too small for
 * most. */

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "glob/automaton.h"
#include "basic/util.h"

#define PATTERNS_MAX 4
/* Enough for four globs of some dozens of bytes. What four globs can blow up beyond is not worth waiting
 * for. */
#define STATES_MAX 512
#define CELLS_MAX (1U << 14)

DEFINE_CLEANUP(GlobAutomaton, glob_automaton_free);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
        if (!condition)
                abort();
}

/* A glob that is rejected is rejected within its text, and with a reason. */
static bool check(const char *glob) {
        const char *message = NULL;
        size_t offset = SIZE_MAX;

        if (glob_check(glob, &offset, &message) == 0)
                return true;
        require(message != NULL && offset <= strlen(glob));
        return false;
}

static void compare(const GlobAutomaton *a, const GlobPattern *patterns, size_t n, const char *path,
                unsigned options) {

        _cleanup_free_ struct bw_cell *cells = calloc(CELLS_MAX, sizeof(struct bw_cell));
        struct bw_output outputs[64] = {};
        size_t used = 1, n_outputs = 1, length = strlen(path), n_cells = options & 2 ? 300 : CELLS_MAX;
        uint8_t byte_class[256];
        uint32_t start;

        require(cells != NULL);
        if (options & 1)
                (void)glob_automaton_pack(
                                a, cells, n_cells, &used, outputs, 64, &n_outputs, byte_class, &start);
        if (glob_automaton_pack(a, cells, n_cells, &used, outputs, 64, &n_outputs, byte_class, &start) < 0)
                return;
        require(used <= n_cells && start < used);

        struct bw_bits complete =
                        glob_automaton_match(cells, outputs, byte_class, start, path, length, true);
        struct bw_bits part = glob_automaton_match(cells, outputs, byte_class, start, path, length, false);
        for (size_t i = 0; i < n; i++) {
                bool matched = complete.word[i] & 1;

                require(matched == glob_match_reference(patterns[i].glob, path, length));
                if (part.word[i] & 1) {
                        _cleanup_free_ char *longer = NULL;

                        require(matched);
                        require(asprintf(&longer, "/x%s", path) >= 0);
                        require(glob_match_reference(patterns[i].glob, longer, strlen(longer)));
                } else if (strncmp(patterns[i].glob, "/**", 3) == 0)
                        require(!matched);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_(glob_automaton_freep) GlobAutomaton *a = NULL;
        _cleanup_free_ char *text = NULL;
        GlobPattern patterns[PATTERNS_MAX] = {};
        size_t n = 0, at = 0, culprit;
        char *fields[PATTERNS_MAX + 1];
        size_t n_fields = 0;
        int r;

        if (size < 2)
                return 0;
        text = malloc(size);
        require(text != NULL);
        memcpy(text, data + 1, size - 1);
        text[size - 1] = '\0';
        while (at < size && n_fields < ELEMENTSOF(fields)) {
                fields[n_fields++] = text + at;
                at += strlen(text + at) + 1;
        }

        for (size_t i = 0; i + 1 < n_fields; i++)
                if (check(fields[i])) {
                        /* A word each, so that both verdicts on a pattern are easy to read off. */
                        patterns[n] = (GlobPattern){ .glob = fields[i], .bit = (unsigned)n * 64 };
                        n++;
                }
        r = glob_automaton_new(patterns, n, STATES_MAX, &a, &culprit);
        require(r == 0 || (r == -E2BIG && culprit < n));
        /* Every path is absolute. */
        if (r == 0 && n_fields > 1 && fields[n_fields - 1][0] == '/')
                compare(a, patterns, n, fields[n_fields - 1], data[0]);
        return 0;
}
