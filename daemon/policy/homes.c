/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "basic/strv.h"
#include "policy/build.h"
#include "policy/homes.h"
#include "policy/values.h"

/* Each home adds a pattern per ~/ glob. Of a policy with 110 of these, 32 homes without a common prefix
 * enlarge the table by half; 256 do not fit into it, and nothing would be monitored. The common
 * parent directory of several homes stands for all of them, and there may be as many such directories; few
 * systems have homes in as many places. */
#define HOMES_MAX 32
/* Bytes of all these paths, 32 of usual length: without a common prefix each byte adds hundreds of states.
 * With twice as many such a policy no longer fits. */
#define HOMES_SIZE_MAX 1024
/* A directory with as many homes is one for homes. */
#define NEIGHBOURS_MIN 4
void policy_resolve_user(Policy *p, const char *name, uint32_t uid) {
        PolicyAllow *a;

        for (size_t i = 0; (a = policy_rule(p, i)); i++)
                for (size_t k = 0; k < a->n_users; k++) {
                        PolicyUser *u = a->users + k;

                        /* getpwnam(3) uses the first line of a name, too. */
                        if (!u->known && strcmp(u->name, name) == 0) {
                                u->uid = uid;
                                u->known = true;
                        }
                }
}

/* Normalizes a home to the form of the kernel's paths. False: it is not usable. */
static bool home_normalize(char *home) {
        char *end = home;

        if (home[0] != '/')
                return false;
        for (const char *component = home; *component;) {
                component += strspn(component, "/");
                size_t n = strcspn(component, "/");

                if (n == 0)
                        break;
                if (component[0] == '.' && (n == 1 || (n == 2 && component[1] == '.')))
                        return false;
                *end++ = '/';
                memmove(end, component, n);
                end += n;
                component += n;
        }
        *end = 0;
        return home[0];
}

/* False: ~/ stands for it anyway, or for nothing there. */
static bool home_is_needed(const char *home) {
        static const char *const needless[] = { "", "/root", "/nonexistent", "/dev/null" };

        for (size_t i = 0; i < ELEMENTSOF(needless); i++)
                if (strcmp(home, needless[i]) == 0)
                        return false;
        return strncmp(home, "/home/", 6) != 0 || strchr(home + 6, '/');
}

/* Parses a line of passwd(5), which is cut into pieces. *ret_uid: UINT32_MAX if it is not a number. False:
 * the line is malformed. */
static bool passwd_parse(char *line, char **ret_name, uint32_t *ret_uid, char **ret_home) {
        char *fields[6];

        for (size_t i = 0; i < ELEMENTSOF(fields); i++) {
                fields[i] = strsep(&line, ":");
                if (!fields[i])
                        return false;
        }
        if (!line) /* the shell's field must follow */
                return false;

        char *end;
        unsigned long uid = strtoul(fields[2], &end, 10);
        *ret_name = fields[0];
        bool good = fields[2][0] >= '0' && fields[2][0] <= '9' && !*end && uid < UINT32_MAX;
        *ret_uid = good ? (uint32_t)uid : UINT32_MAX;
        *ret_home = fields[5];
        return true;
}

typedef struct Home {
        const char *path;
        size_t n_parent; /* bytes of its parent directory */
        size_t order;    /* in the file */
        bool neighbours; /* stands for all in its parent directory */
} Home;

static int home_compare_order(const void *a, const void *b) {
        const Home *x = a, *y = b;

        return x->order < y->order ? -1 : x->order > y->order;
}

static int home_compare_path(const void *a, const void *b) {
        const Home *x = a, *y = b;
        int r = strcmp(x->path, y->path);

        return r ? r : home_compare_order(a, b);
}

static bool home_same_parent(const Home *x, const Home *y) {
        return x->n_parent == y->n_parent && memcmp(x->path, y->path, x->n_parent) == 0;
}

/* Sorts homes with the same parent next to each other, in the order of the file. */
static int home_compare_parent(const void *a, const void *b) {
        const Home *x = a, *y = b;

        if (x->n_parent != y->n_parent)
                return x->n_parent < y->n_parent ? -1 : 1;
        int r = memcmp(x->path, y->path, x->n_parent);
        return r ? r : home_compare_order(a, b);
}

/* Removes duplicates. */
static size_t homes_unique(Home *homes, size_t n) {
        size_t n_kept = 0;

        if (n > 1)
                qsort(homes, n, sizeof(*homes), home_compare_path);
        for (size_t i = 0; i < n; i++)
                if (n_kept == 0 || strcmp(homes[n_kept - 1].path, homes[i].path) != 0)
                        homes[n_kept++] = homes[i];
        return n_kept;
}

/* Replaces homes with the same parent by one entry for the parent. Not for homes in the root directory: as
 * ~/ matches under any prefix, that would be every directory. */
static size_t homes_join(Home *homes, size_t n) {
        size_t n_kept = 0, n_run;

        if (n > 1)
                qsort(homes, n, sizeof(*homes), home_compare_parent);
        for (size_t i = 0; i < n; i += n_run) {
                for (n_run = 1; i + n_run < n && home_same_parent(&homes[i], &homes[i + n_run]);)
                        n_run++;
                bool neighbours = n_run >= NEIGHBOURS_MIN && homes[i].n_parent > 0;
                for (size_t k = 0; k < (neighbours ? 1 : n_run); k++) {
                        homes[n_kept] = homes[i + k];
                        homes[n_kept++].neighbours = neighbours;
                }
        }
        if (n_kept > 1)
                qsort(homes, n_kept, sizeof(*homes), home_compare_order);
        return n_kept;
}

static int homes_add(Policy *p, const char *passwd_file, Home *homes, size_t n) {
        size_t n_single = 0, n_joined = 0, n_more = 0, size = 0;
        const char *first = NULL;
        char quoted[VALUE_QUOTE_SIZE];

        n = homes_unique(homes, n);
        n = homes_join(homes, n);
        for (size_t i = 0; i < n; i++) {
                const Home *home = homes + i;
                size_t *n_kind = home->neighbours ? &n_joined : &n_single;

                /* "PARENT/": see policy/compile.c */
                size_t n_path = home->neighbours ? home->n_parent + 1 : strlen(home->path);

                if (*n_kind >= HOMES_MAX || n_path > HOMES_SIZE_MAX - size) {
                        first = first ?: home->path;
                        n_more++;
                        continue;
                }
                (*n_kind)++;
                size += n_path;
                int r = policy_add_home(p, home->path, n_path);
                if (r < 0)
                        return r;
        }
        if (n_more == 0)
                return 0;
        return policy_message_add_file(p, POLICY_WARNING, passwd_file,
                        "~/ stands for %zu home directories besides /root and /home/* and for none of %zu "
                        "others, from %s on: add Path= for them to the classes, such as "
                        "Path=/srv/*/users/*/.ssh/id_* to [Class ssh-private-keys]",
                        n_single + n_joined, n_more, value_quote(first, strlen(first), quoted));
}

int policy_add_users(Policy *p, const char *passwd_file, char *text, PolicyFollow *follow) {
        _cleanup_(strv_freep) char **followed = NULL;
        _cleanup_free_ Home *homes = NULL;
        size_t n_homes = 0, n_allocated = 0, n_followed = 0;

        for (char *line; (line = strsep(&text, "\n"));) {
                char *name, *home;
                uint32_t uid;

                if (!passwd_parse(line, &name, &uid, &home))
                        continue;
                if (uid != UINT32_MAX)
                        policy_resolve_user(p, name, uid);
                if (!home_normalize(home))
                        continue;
                /* /home and /root may themselves be links: ostree's are in /var. */
                char *to = NULL;
                int r = follow(home, &to);
                if (r > 0)
                        r = strv_consume(&followed, &n_followed, to);
                if (r == -ENOMEM)
                        return r;
                home = to ?: home;
                if (!home_is_needed(home))
                        continue;
                if (n_homes == n_allocated) {
                        n_allocated = MAX(2 * n_allocated, (size_t)64);
                        Home *larger = reallocarray(homes, n_allocated, sizeof(*homes));
                        if (!larger)
                                return -ENOMEM;
                        homes = larger;
                }
                homes[n_homes] = (Home){
                        .path = home,
                        .n_parent = (size_t)(strrchr(home, '/') - home),
                        .order = n_homes,
                };
                n_homes++;
        }
        return homes_add(p, passwd_file, homes, n_homes);
}
