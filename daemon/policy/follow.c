/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/util.h"
#include "policy/follow.h"

/* As the kernel: MAXSYMLINKS in include/linux/namei.h. */
#define LINKS_FOLLOWED_MAX 40

static bool only_root_changes(const struct stat *st) {
        return st->st_uid == 0 && (st->st_mode & S_IWOTH) == 0 &&
               ((st->st_mode & S_IWGRP) == 0 || st->st_gid == 0);
}

/* Where the walk is: `done` has no link, `rest` begins with '/' or is empty. */
typedef struct Walk {
        char *done, *rest;
        bool trusted; /* only root can change what is in `done` */
        bool missing; /* `done` does not exist, so that nothing in it is a link */
        unsigned n_followed;
} Walk;

static void walk_done(Walk *w) {
        free(w->done);
        free(w->rest);
}

static int text_replace(char **s, char *new) {
        if (!new)
                return -ENOMEM;
        free(*s);
        *s = new;
        return 0;
}

/* `at` is a link in the directory w->done; `tail` follows it. */
static int walk_link(Walk *w, const char *at, const char *tail) {
        char target[PATH_MAX], *rest;

        if (!w->trusted)
                return -EPERM;
        if (++w->n_followed > LINKS_FOLLOWED_MAX)
                return -ELOOP;
        ssize_t n = readlink(at, target, sizeof(target));
        if (n <= 0 || n == sizeof(target))
                return n < 0 ? -errno : -ELOOP;

        bool absolute = target[0] == '/';
        if (asprintf(&rest, "%s%.*s%s", absolute ? "" : "/", (int)n, target, tail) < 0)
                return -ENOMEM;
        if (absolute)
                w->done[0] = 0;
        return text_replace(&w->rest, rest);
}

/* Takes one component from w->rest. */
static int walk_step(Walk *w) {
        const char *name = w->rest + strspn(w->rest, "/");
        size_t n = strcspn(name, "/");
        _cleanup_free_ char *at = NULL, *rest = strdup(name + n);
        struct stat st;

        if (!rest)
                return -ENOMEM;
        if (n == 2 && name[0] == '.' && name[1] == '.') {
                char *slash = strrchr(w->done, '/');

                if (slash)
                        *slash = 0;
        } else if (n > 0 && !(n == 1 && name[0] == '.')) {
                if (asprintf(&at, "%s/%.*s", w->done, (int)n, name) < 0) {
                        at = NULL;
                        return -ENOMEM;
                }
                if (!w->missing && lstat(at, &st) < 0) {
                        if (errno != ENOENT && errno != ENOTDIR)
                                return -errno;
                        w->missing = true;
                }
                if (!w->missing && S_ISLNK(st.st_mode))
                        return walk_link(w, at, rest);
                w->trusted = w->trusted && !w->missing && only_root_changes(&st);
                (void)text_replace(&w->done, STEAL_PTR(at));
        }
        return text_replace(&w->rest, STEAL_PTR(rest));
}

int path_follow_links(const char *path, char **ret) {
        _cleanup_(walk_done) Walk w = { .done = strdup(""), .rest = strdup(path) };
        struct stat st;

        if (!w.done || !w.rest)
                return -ENOMEM;
        if (stat("/", &st) < 0)
                return -errno;
        w.trusted = only_root_changes(&st);
        while (w.rest[0]) {
                int r = walk_step(&w);
                if (r < 0)
                        return r;
        }
        if (w.n_followed == 0)
                return 0;
        *ret = STEAL_PTR(w.done);
        return 1;
}
