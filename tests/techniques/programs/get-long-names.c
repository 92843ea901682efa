/* SPDX-License-Identifier: GPL-2.0-or-later */

/* G14: the key is deeper, or its path longer, than any path buffer: it is reached component by component. */

#include <limits.h>

#include "play.h"

/* KEY may be longer than PATH_MAX, which open(2) rejects, so it is opened component by component. */
static int open_walking(const char *path) {
        int at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        const char *begin = path + 1;

        for (const char *slash = strchr(begin, '/'); slash; begin = slash + 1, slash = strchr(begin, '/')) {
                char component[NAME_MAX + 1];
                int next;

                snprintf(component, sizeof(component), "%.*s", (int)(slash - begin), begin);
                next = openat(at, component, O_PATH | O_DIRECTORY | O_CLOEXEC);
                if (next < 0)
                        play_die("cannot enter %s", component);
                close(at);
                at = next;
        }
        return openat(at, begin, O_RDONLY | O_CLOEXEC);
}

int main(int argc, char **argv) {
        Play p;

        play_init(&p, argc, argv);
        if (play_variant(&p, "walk"))
                play_steal(&p, open_walking(p.key));
        else if (play_variant(&p, "direct"))
                play_steal(&p, open(p.key, O_RDONLY | O_CLOEXEC));
        else
                play_unknown(&p);
        return 0;
}
