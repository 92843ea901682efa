/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The matcher that the automaton is tested against. It reads the glob's text from left to right over the
 * path from left to right, and shares nothing with the automaton but the expansion of braces: keep it that
 * way. */

#include <string.h>

#include "glob/automaton.h"
#include "glob/parse.h"
#include "basic/util.h"

/* True if the set at glob[0] contains the byte. */
static bool set_match(const char *glob, char byte, size_t *ret_length) {
        const unsigned char *s = (const unsigned char *)glob + 1;
        const unsigned char c = (unsigned char)byte;
        bool negated = false, found = false;

        if (*s == '!' || *s == '^') {
                negated = true;
                s++;
        }
        do {
                unsigned char low, high;

                if (*s == '\\')
                        s++;
                low = high = *s++;
                if (s[0] == '-' && s[1] != ']') {
                        s++;
                        if (*s == '\\')
                                s++;
                        high = *s++;
                }
                if (low <= c && c <= high)
                        found = true;
        } while (*s != ']');

        *ret_length = (size_t)((const char *)s - glob) + 1;
        return byte != '/' && found != negated;
}

/* Matches one byte of the path. *ret_length: how much of the glob was used. */
static bool byte_match(const char *glob, char byte, size_t *ret_length) {
        switch (*glob) {
        case '[':
                return set_match(glob, byte, ret_length);
        case '\\':
                *ret_length = 2;
                return glob[1] == byte;
        case '?':
                *ret_length = 1;
                return byte != '/';
        default:
                *ret_length = 1;
                return *glob == byte;
        }
}

/* reached[j]: what was read of the glob so far matches the first j bytes of the path. */
static bool text_match(const char *glob, const char *path, size_t path_length, bool *reached) {
        size_t length;

        memset(reached, 0, path_length + 1);
        reached[0] = true;

        while (*glob != '\0') {
                if (strcmp(glob, "/**") == 0) {
                        for (size_t j = 0; j + 1 < path_length; j++)
                                if (reached[j] && path[j] == '/')
                                        return true;
                        return false;
                }

                if (strncmp(glob, "/**/", 4) == 0) {
                        /* Nothing, or a '/' and any bytes; the glob's second '/' comes next. */
                        bool inside = false;
                        for (size_t j = 0; j < path_length; j++) {
                                inside = inside || (reached[j] && path[j] == '/');
                                reached[j + 1] = reached[j + 1] || inside;
                        }
                        length = 3;
                } else if (*glob == '*') {
                        bool crosses = glob[1] == '*';
                        for (size_t j = 0; j < path_length; j++)
                                if (reached[j] && (crosses || path[j] != '/'))
                                        reached[j + 1] = true;
                        length = crosses ? 2 : 1;
                } else {
                        (void)byte_match(glob, '\0', &length);
                        for (size_t j = path_length; j > 0; j--) {
                                size_t same_length;
                                reached[j] = reached[j - 1] && byte_match(glob, path[j - 1], &same_length);
                        }
                        reached[0] = false;
                }
                glob += length;
        }
        return reached[path_length];
}

bool glob_match_reference(const char *glob, const char *path, size_t path_length) {
        size_t n_glob = strlen(glob), n_first = strcspn(glob, "\\?*[{"), n_last = 0, n, offset;
        const char *message;
        GlobError error;

        /* Most globs differ in their first or last byte and need not be read. */
        while (n_last < n_glob && !strchr("\\?*]}", glob[n_glob - n_last - 1]))
                n_last++;
        if (MAX(n_first, n_last) > path_length || memcmp(path, glob, n_first) != 0 ||
                        memcmp(path + path_length - n_last, glob + n_glob - n_last, n_last) != 0)
                return false;

        _cleanup_free_ bool *reached = malloc(path_length + 1);
        if (!reached || glob_count_alternatives(glob, &n, &error) < 0)
                return false;
        for (size_t i = 0; i < n; i++) {
                _cleanup_(glob_expansion_done) GlobExpansion e = {};

                if (glob_expand(glob, i, &e) < 0)
                        return false;
                if (text_match(e.text, path, path_length, reached))
                        return glob_check(glob, &offset, &message) == 0;
        }
        return false;
}
