/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Any bytes as the file of names that the previous instance left, the first one saying in which of its two
 * places the rest stands: names → a policy compiled with them. Whatever is taken is written and read again
 * as it is, and tables come out that can be used, with each class under the bit that its name has. */

#include <errno.h>
#include <string.h>

#include "policy/build.h"
#include "policy/check.h"
#include "policy/parse.h"
#include "policy/compile.h"
#include "policy/names.h"

/* COPY_BYTES of policy/names.c: longer input is not read. */
#define COPY_BYTES (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok) {
        if (!ok)
                abort();
}

static bool name_is_same(const char *a, const char *b) {
        return a == b || (a && b && strcmp(a, b) == 0);
}

static const Policy *policy_of_ours(void) {
        static const char text[] = "[Class keys]\nPath=/k/*\n[Class more]\nPath=/m/*\n"
                                   "[Allow reader]\nExe=/usr/bin/reader\nClass=keys\n";
        static Policy *p;

        if (!p)
                check(policy_new(&p) == 0 && policy_parse(p, "fuzz.conf", text, strlen(text)) == 0 &&
                                policy_finish(p) == 0 && p->n_errors == 0);
        return p;
}

static void check_written(const PolicyNames *names) {
        _cleanup_close_ int fd = policy_names_file_new();
        _cleanup_(policy_names_done) PolicyNames again = {};

        check(fd >= 0);
        int r = policy_names_write(names, fd);
        if (r == -E2BIG) /* what was escaped in one way may be longer in another */
                return;
        check(r == 0 && policy_names_read(fd, &again) == 0);
        for (size_t i = 0; i < BW_CLASSES_MAX; i++)
                check(name_is_same(names->class_names[i], again.class_names[i]));
        for (size_t i = 0; i < BW_RULES_MAX; i++)
                check(name_is_same(names->rule_names[i], again.rule_names[i]) &&
                                names->rule_prints[i] == again.rule_prints[i]);
}

static void check_compiles(PolicyNames *names) {
        _cleanup_(policy_tables_freep) PolicyTables *t = NULL;
        const Policy *p = policy_of_ours();
        PolicyMessage m = {};

        int r = policy_compile(p, names, 8192, &t, &m);
        check(r == 0 || r == -ENOSPC || r == -E2BIG);
        check((r < 0) == (m.text != NULL) && (r < 0) == (t == NULL));
        free(m.text);
        for (size_t i = 0; t && i < p->n_classes; i++) {
                size_t n = 0;

                for (size_t bit = 0; bit < BW_CLASSES_MAX; bit++)
                        n += name_is_same(names->class_names[bit], p->classes[i].name);
                check(n >= 1);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_close_ int fd = policy_names_file_new();
        _cleanup_(policy_names_done) PolicyNames names = {};

        check(fd >= 0);
        if (size > 0) {
                check(pwrite(fd, data, 1, 0) == 1);
                check(pwrite(fd, data + 1, size - 1, 1 + (data[0] == 1 ? COPY_BYTES : 0)) ==
                                (ssize_t)size - 1);
        }
        int r = policy_names_read(fd, &names);
        check(r == 0 || r == -EBADMSG);
        if (r == 0) {
                check_written(&names);
                check_compiles(&names);
        }
        return 0;
}
