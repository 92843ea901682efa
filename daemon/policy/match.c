/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Must not be used where speed matters: the plain matcher backtracks, and each "~/" is a pattern per home.
 */

#include <string.h>

#include "glob/automaton.h"
#include "policy/match.h"
#include "policy/variants.h"

const PolicyGlob *policy_match_path(const Policy *p, const PolicyGlob *globs, size_t n, const char *path) {
        for (size_t i = 0; i < n; i++) {
                char *variant;

                for (size_t k = 0; policy_glob_variant(p, globs[i].glob, k, &variant) > 0; k++) {
                        _cleanup_free_ char *owned = variant;

                        if (glob_match_reference(owned, path, strlen(path)))
                                return globs + i;
                }
        }
        return NULL;
}

const PolicyGlob *policy_match_unit(const Policy *p, const PolicyGlob *globs, size_t n, const char *unit) {
        for (size_t i = 0; i < n; i++) {
                char *path, *slashed;

                if (asprintf(&path, "/%s", globs[i].glob) < 0)
                        return NULL;
                _cleanup_free_ char *owned = path;
                if (asprintf(&slashed, "/%s", unit) < 0)
                        return NULL;
                _cleanup_free_ char *owned_unit = slashed;
                const PolicyGlob glob = { .glob = owned };
                if (policy_match_path(p, &glob, 1, owned_unit))
                        return globs + i;
        }
        return NULL;
}

bool policy_match_network(const PolicyAddress *d, const struct bw_destination *to) {
        unsigned bytes = d->prefix / 8, rest = d->prefix % 8;

        return d->family == to->family && memcmp(d->address, to->address, bytes) == 0 &&
               (rest == 0 || ((d->address[bytes] ^ to->address[bytes]) & (0xff00U >> rest)) == 0);
}

bool policy_match_address(const PolicyAddress *d, size_t n, const struct bw_destination *to) {
        for (size_t i = 0; i < n; i++)
                if (policy_match_network(d + i, to) && d[i].port_first <= to->port &&
                                to->port <= d[i].port_last)
                        return true;
        return false;
}
