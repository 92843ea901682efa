/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The file: a byte that selects one of two copies, and the copies, each as JSON with a NUL: {"classes":
 * [name or null, …], "rules": [[name or null, print], …]}, by bit. */

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <jansson.h>

#include "basic/json-util.h"
#include "basic/util.h"
#include "policy/names.h"

/* 320 names of 3 KiB each; the longest one of the default policy has 30 bytes. Pages that are not written
 * take no memory. */
#define COPY_BYTES (1 << 20)
#define COPY_AT(copy) (1 + (off_t)(copy)*COPY_BYTES)

int policy_names_file_new(void) {
        int fd = memfd_create("barbwire-names", MFD_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

static char which_copy(int fd) {
        char copy = 0;

        return pread(fd, &copy, 1, 0) == 1 && copy == 1;
}

int policy_names_write(const PolicyNames *names, int fd) {
        json_auto_t *o = json_pack("{s:[], s:[]}", "classes", "rules");
        json_t *classes = json_object_get(o, "classes"), *rules = json_object_get(o, "rules");
        char copy = !which_copy(fd);
        int r = o ? 0 : -1;

        for (size_t i = 0; i < BW_CLASSES_MAX && r == 0; i++)
                r = json_array_append_new(classes, json_pack("s?", names->class_names[i]));
        for (size_t i = 0; i < BW_RULES_MAX && r == 0; i++)
                r = json_array_append_new(rules, json_pack("[s?, I]", names->rule_names[i],
                                                                 (json_int_t)names->rule_prints[i]));
        _cleanup_free_ char *text = NULL;
        if (r < 0 || json_to_line(o, &text) < 0)
                return -ENOMEM;

        size_t n = strlen(text) + 1;
        if (n > COPY_BYTES)
                return -E2BIG;
        ssize_t written = pwrite(fd, text, n, COPY_AT(copy));
        if (written == (ssize_t)n)
                written = pwrite(fd, &copy, 1, 0);
        return written < 0 ? -errno : written == 1 ? 0 : -ENOSPC;
}

static int name_take(const json_t *from, char **ret) {
        const char *name = json_string_value(from);

        *ret = name ? strdup(name) : NULL;
        return name && !*ret ? -ENOMEM : 0;
}

int policy_names_read(int fd, PolicyNames *ret) {
        off_t at = COPY_AT(which_copy(fd)), end = lseek(fd, 0, SEEK_END);
        size_t n = end > at ? MIN(end - at, (off_t)COPY_BYTES) : 0;
        _cleanup_free_ char *text = calloc(1, n + 1);

        if (!text)
                return -ENOMEM;
        if (n == 0 || pread(fd, text, n, at) != (ssize_t)n)
                return -EBADMSG;
        json_auto_t *o = json_loads(text, 0, NULL);
        const json_t *classes = json_object_get(o, "classes"), *rules = json_object_get(o, "rules");
        if (json_array_size(classes) != BW_CLASSES_MAX || json_array_size(rules) != BW_RULES_MAX)
                return -EBADMSG;

        int r = 0;
        for (size_t i = 0; i < BW_CLASSES_MAX && r == 0; i++)
                r = name_take(json_array_get(classes, i), &ret->class_names[i]);
        for (size_t i = 0; i < BW_RULES_MAX && r == 0; i++) {
                const json_t *rule = json_array_get(rules, i);

                ret->rule_prints[i] = json_integer_value(json_array_get(rule, 1));
                r = name_take(json_array_get(rule, 0), &ret->rule_names[i]);
        }
        return r;
}
