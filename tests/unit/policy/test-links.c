/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Patterns that lead through links stand for what these lead to, too; links that others than root can change
 * are not followed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy/follow.h"
#include "policy/links.h"
#include "policy/match.h"
#include "policy/variants.h"
#include "glob/automaton.h"
#include "basic/util.h"
#include "../policy-fixture.h"

/* What is a link on the machine of these tests. */
static const struct {
        const char *from, *to;
        int r;
} machine[] = {
        { "/bin", "/usr/bin", 1 },
        { "/bin/vi", "/usr/bin/vim.basic", 1 },
        { "/bin/tool", "/usr/bin/busybox", 1 },
        { "/bin/sh", "/usr/bin/dash", 1 },
        { "/var/run", "/run", 1 },
        { "/var/run/key", "/run/key", 1 },
        { "/odd", "/new [x]*", 1 },
        { "/etc/mtab", "/proc/7/mounts", 1 },
        { "/theirs/key", NULL, -EPERM },
        { "/var/run/s", "/run/s", 1 },
        { "/circle/key", NULL, -ELOOP },
        { "/hidden/key", NULL, -EACCES },
};

static bool denied; /* /var/run may not be looked at */

static int follow(const char *path, char **ret) {
        for (size_t i = 0; i < ELEMENTSOF(machine); i++)
                if (strcmp(machine[i].from, path) == 0) {
                        if (denied && strncmp(path, "/var/run", 8) == 0)
                                return -EACCES;
                        if (machine[i].r > 0)
                                assert_non_null(*ret = strdup(machine[i].to));
                        return machine[i].r;
                }
        return 0;
}

static Policy *followed(const char *text) {
        Policy *p = parsed(text, strlen(text));

        assert_int_equal(policy_follow_links(p, follow), 0);
        assert_int_equal(policy_finish(p), 0);
        assert_int_equal(policy_report_links(p), 0);
        return p;
}

static bool has_path(const Policy *p, const char *path) {
        return policy_match_path(p, p->classes[0].paths, p->classes[0].n_paths, path) != NULL;
}

static bool has_exe(const Policy *p, const char *path) {
        return policy_match_path(p, p->allows[0].exes, p->allows[0].n_exes, path) != NULL;
}

static void test_matched(void **state) {
        _cleanup_(policy_freep) Policy *p = followed("[Class c]\nPath=/var/run/key /var/run/*/k "
                                                     "/{srv,var/run}/s /odd/* /plain/x /etc/mtab ~/.x\n"
                                                     "[Allow a]\nClass=c\nExe=/bin/vi /bin/x? /bin/sh\n");
        (void)state;

        assert_true(has_path(p, "/var/run/key"));
        assert_true(has_path(p, "/run/key"));
        assert_true(has_path(p, "/run/y/k"));
        assert_false(has_path(p, "/run/y/z/k"));
        assert_true(has_path(p, "/plain/x"));
        /* Only one of the alternatives is a link. */
        assert_true(has_path(p, "/srv/s"));
        assert_true(has_path(p, "/run/s"));
        /* What a link leads to is no pattern. */
        assert_true(has_path(p, "/new [x]*/y"));
        assert_false(has_path(p, "/new x/y"));
        /* As the reader's own, it has another name for everybody. */
        assert_false(has_path(p, "/proc/7/mounts"));
        assert_true(has_exe(p, "/usr/bin/vim.basic"));
        assert_true(has_exe(p, "/usr/bin/xz"));
        assert_true(has_exe(p, "/usr/bin/dash"));
        assert_false(has_exe(p, "/usr/bin/vi"));

        expect(p, 0, "f:5:21: ", "/bin/sh allows the interpreter");
}

static bool variant_matches(const Policy *p, const char *glob, const char *path) {
        char *variant;

        for (size_t k = 0; policy_glob_variant(p, glob, k, &variant) > 0; k++) {
                bool matches = glob_match_reference(variant, path, strlen(path));

                free(variant);
                if (matches)
                        return true;
        }
        return false;
}

/* What is passed over without being expanded would not have matched. */
static void test_passed_over(void **state) {
        _cleanup_(policy_freep) Policy *p =
                        followed("[Class c]\nPath=/var/run/key /var/run/*/k /{srv,var/run}/s /odd/* "
                                 "/**/run/** ~/.x/y* "
                                 "/**/.z/{id,key}.[pq]em /r\\{x/*k /**/*.k ~/**/w /run/[ks]* /**/key\n"
                                 "[Allow a]\nClass=c\nExe=/bin/vi /bin/x? /{bin,lib}/tool\n");
        static const char *const paths[] = { "/", "/run/key", "/run", "/run/a/k", "/run/s", "/srv/s",
                "/var/run/key", "/new [x]*/a", "/new x/a", "/home/ana/.x/y", "/home/ana/.x/yy/z",
                "/root/.x/y1", "/box/root/.x/y", "/.x/y", "/.z/id.pem", "/a/.z/key.qem", "/a/.z/key.rem",
                "/z/id.pem", "/r{x/k", "/r{x/ak", "/r{x/a", "/a.k", "/b/a.k", "/root/w", "/home/b/c/d/w",
                "/usr/bin/vim.basic", "/usr/bin/xz", "/usr/bin/busybox", "/lib/tool", "/bin/vi", "/key",
                "/a/key", "/akey" };
        size_t n_matches = 0;
        (void)state;

        for (size_t i = 0; i < p->classes[0].n_paths + p->allows[0].n_exes; i++)
                for (size_t k = 0; k < ELEMENTSOF(paths); k++) {
                        const PolicyGlob *g =
                                        i < p->classes[0].n_paths
                                                        ? p->classes[0].paths + i
                                                        : p->allows[0].exes + i - p->classes[0].n_paths;
                        bool matches = variant_matches(p, g->glob, paths[k]);

                        if ((policy_match_path(p, g, 1, paths[k]) != NULL) != matches)
                                fail_msg("%s and %s: %d", g->glob, paths[k], matches);
                        n_matches += matches;
                }
        assert_in_range(n_matches, 25, 60);
}

static void test_messages(void **state) {
        _cleanup_(policy_freep) Policy *p = followed("[Class c]\n"
                                                     "Path=/var/run/key\n"
                                                     "Path=/theirs/key\n"
                                                     "Path=/circle/key\n"
                                                     "Path=/hidden/key\n"
                                                     "[Allow a]\nClass=c\n"
                                                     "Exe=/bin/tool\n");
        _cleanup_(policy_freep) Policy *vendor = NULL;
        (void)state;

        expect(p, 0, "f:2:6: ", "/var/run/key leads to /run/key through a link: both are matched");
        assert_int_equal(p->messages[0].level, POLICY_NOTE);
        expect(p, 1, "f:3:6: ",
                        "the links in /theirs/key are not followed, so that nothing may match: others than "
                        "root can change them; name the path that they lead to");
        assert_int_equal(p->messages[1].level, POLICY_WARNING);
        expect(p, 2, "f:4:6: ", "Too many levels of symbolic links");
        expect(p, 3, "f:8:5: ", "/bin/tool is a link to /usr/bin/busybox, which runs other programs");
        assert_int_equal(p->n_messages, 4);
        assert_int_equal(p->n_errors, 0);
        /* One link must not allow all that an interpreter runs. */
        assert_false(has_exe(p, "/usr/bin/busybox"));
        assert_true(has_exe(p, "/bin/tool"));

        const char *text = "[Class c]\nPath=/var/run/key\n";
        assert_int_equal(policy_new(&vendor), 0);
        assert_int_equal(policy_parse(vendor, "/usr/lib/barbwire/policy.d/1.conf", text, strlen(text)), 0);
        assert_int_equal(policy_follow_links(vendor, follow), 0);
        assert_int_equal(policy_finish(vendor), 0);
        assert_int_equal(policy_report_links(vendor), 0);
        assert_int_equal(vendor->n_messages, 0);
}

/* After its start the daemon has no privileges: a reload must not lose what was seen with them. */
static void test_inherit(void **state) {
        const char *text = "[Class c]\nPath=/var/run/key\n";
        _cleanup_(policy_freep) Policy *before = followed(text);
        (void)state;

        denied = true;
        _cleanup_(policy_freep) Policy *p = followed(text);
        denied = false;
        assert_int_equal(p->n_messages, 0);
        assert_false(has_path(p, "/run/key"));
        assert_int_equal(policy_inherit_links(p, NULL), 0);
        assert_false(has_path(p, "/run/key"));
        assert_int_equal(policy_inherit_links(p, before), 0);
        assert_true(has_path(p, "/run/key"));
}

static void expect_follow(const char *path, int r, const char *to) {
        _cleanup_free_ char *got = NULL;

        assert_int_equal(path_follow_links(path, &got), r);
        if (to)
                assert_string_equal(got, to);
}

/* Of this machine: only root has links that are followed. */
static void test_follow(void **state) {
        char directory[] = "/tmp/test-policy-links-XXXXXX", path[64];
        (void)state;

        expect_follow("/", 0, NULL);
        expect_follow("/usr/bin", 0, NULL);
        expect_follow("/no/such/place", 0, NULL);
        expect_follow("/etc/passwd/x", 0, NULL);
        assert_int_equal(access("/var/run/.", F_OK), 0);
        expect_follow("/var/run", 1, "/run");
        expect_follow("/var/run/no/such", 1, "/run/no/such");
        expect_follow("/proc/self/root/var/run", 1, "/run");

        assert_non_null(mkdtemp(directory));
        (void)snprintf(path, sizeof(path), "%s/link", directory);
        assert_int_equal(symlink("/usr/bin", path), 0);
        expect_follow(path, -EPERM, NULL);
        expect_follow(directory, 0, NULL);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(rmdir(directory), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_matched),
                cmocka_unit_test(test_passed_over),
                cmocka_unit_test(test_messages),
                cmocka_unit_test(test_inherit),
                cmocka_unit_test(test_follow),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
