/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Must not be used where speed matters: the plain matcher backtracks, and each "~/" is a pattern per home.
 */

#include <string.h>

#include "glob/automaton.h"
#include "policy/match.h"
#include "policy/variants.h"
#include "basic/util.h"

#define SPECIAL "\\?*[]{},"

/* Whether the path has what a pattern, or the rest of one, begins with. */
static bool text_has(const PolicyPath *path, const char *glob) {
        return memmem(path->text, path->length, glob, strcspn(glob, SPECIAL)) != NULL;
}

/* What every path that a pattern matches begins and ends with, if no link is followed. */
static bool ends_fit(const char *glob, const PolicyPath *path) {
        size_t head = strcspn(glob, SPECIAL), n = head + strlen(glob + head), tail = n;

        if (head > path->length || memcmp(glob, path->text, head) != 0)
                return false;
        /* Most begin with any directories. */
        if (strncmp(glob, "/**/", 4) == 0 && !text_has(path, glob + 4))
                return false;
        while (tail > head && !strchr(SPECIAL, glob[tail - 1]))
                tail--;
        return n - tail <= path->length &&
               memcmp(glob + tail, path->text + path->length - (n - tail), n - tail) == 0;
}

/* Whether a link may lead from what the pattern names to this path. */
static bool links_fit(const PolicyPath *path, const char *glob) {
        size_t head = strcspn(glob, SPECIAL);

        for (size_t i = 0; i < MIN(path->n_links, ELEMENTSOF(path->links)); i++)
                if (strncmp(glob, path->links[i]->from, MIN(head, strlen(path->links[i]->from))) == 0)
                        return true;
        return path->n_links > ELEMENTSOF(path->links);
}

PolicyPath policy_path_look(const Policy *p, const char *text) {
        PolicyPath path = { .text = text, .length = strlen(text) };

        for (size_t i = 0; i < p->n_links; i++) {
                const PolicyLink *l = p->links + i;

                if (l->error != 0 || strncmp(text, l->to, strlen(l->to)) != 0)
                        continue;
                if (path.n_links < ELEMENTSOF(path.links))
                        path.links[path.n_links] = l;
                path.n_links++;
        }
        return path;
}

/* Most patterns do not match: what cannot is not expanded. */
static bool glob_match(const Policy *p, const char *glob, const PolicyPath *path) {
        bool home = glob[0] == '~';
        char *variant;

        if (!home && ends_fit(glob, path) && glob_match_reference(glob, path->text, path->length))
                return true;
        /* Whatever the home is, "/.x/y" of "~/.x/y*" is in the path. */
        if (home ? !text_has(path, glob + 1) : !links_fit(path, glob))
                return false;
        for (size_t k = home ? 0 : 1; policy_glob_variant(p, glob, k, &variant) > 0; k++) {
                _cleanup_free_ char *owned = variant;

                if (glob_match_reference(owned, path->text, path->length))
                        return true;
        }
        return false;
}

const PolicyGlob *policy_match_looked(
                const Policy *p, const PolicyGlob *globs, size_t n, const PolicyPath *path) {
        for (size_t i = 0; i < n; i++)
                if (glob_match(p, globs[i].glob, path))
                        return globs + i;
        return NULL;
}

const PolicyGlob *policy_match_path(const Policy *p, const PolicyGlob *globs, size_t n, const char *path) {
        const PolicyPath looked = policy_path_look(p, path);
        return policy_match_looked(p, globs, n, &looked);
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
