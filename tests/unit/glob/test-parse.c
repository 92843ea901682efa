/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The glob language: what each glob matches, to the automaton and to the plain matcher; what is refused. */

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "../glob-packed.h"

static void expect(const char *glob, const char *path, bool expected) {
        _cleanup_(packed_done) Packed p = {};
        GlobPattern pattern = { .glob = glob, .bit = 200 };
        struct bw_bits bits;

        packed_build(&p, &pattern, 1);
        bits = packed_match(&p, path, true);
        if (bits_have(&bits, 200) != expected)
                fail_msg("automaton: %s %s %s", glob, expected ? "must match" : "must not match", path);
        assert_int_equal(bits_count(&bits), expected);
        if (reference(glob, path) != expected)
                fail_msg("reference: %s %s %s", glob, expected ? "must match" : "must not match", path);
}

static void test_language(void **state) {
        static const struct {
                const char *glob, *path;
                bool expected;
        } table[] = {
                /* literals */
                { "/etc/shadow", "/etc/shadow", true },
                { "/etc/shadow", "/etc/shadow-", false },
                { "/etc/shadow", "/etc/shado", false },
                { "/etc/shadow", "/x/etc/shadow", false },
                { "/etc/shadow", "/shadow", false },
                { "/a", "/a", true },
                { "/a", "/b", false },
                { "/n\n\x1b", "/n\n\x1b", true },
                { "/\xff\x80", "/\xff\x80", true },
                { "/\xff\x80", "/\xff\x81", false },
                { "/a/..b/.c.", "/a/..b/.c.", true },
                /* ? */
                { "/a?c", "/abc", true },
                { "/a?c",
                                "/a\xe9"
                                "c",
                                true },
                { "/a?c", "/a\nc", true },
                { "/a?c", "/a/c", false },
                { "/a?c", "/ac", false },
                { "/???", "/abc", true },
                { "/???", "/abcd", false },
                /* sets */
                { "/[abc]", "/b", true },
                { "/[abc]", "/d", false },
                { "/[a-cx]", "/x", true },
                { "/[a-c]", "/d", false },
                { "/[!a-c]", "/d", true },
                { "/[^a-c]", "/b", false },
                { "/[!a-c]", "/\xff", true },
                { "/a[!b]c", "/a/c", false },
                { "/a[.-0]c", "/a/c", false },
                { "/a[.-0]c", "/a0c", true },
                { "/[]a]", "/]", true },
                { "/[!]a]", "/]", false },
                { "/[!]a]", "/b", true },
                { "/[a-]", "/-", true },
                { "/[-a]", "/-", true },
                { "/[a!]", "/!", true },
                { "/[\\]]", "/]", true },
                { "/[a\\-c]", "/b", false },
                { "/[a\\-c]", "/-", true },
                { "/[*?]", "/*", true },
                { "/[*?]", "/a", false },
                { "/[\x80-\xff]", "/\xc3", true },
                { "/[\x80-\xff]", "/a", false },
                /* escapes */
                { "/\\*", "/*", true },
                { "/\\*", "/a", false },
                { "/\\?\\[\\\\", "/?[\\", true },
                { "/\\a", "/a", true },
                { "\\/a\\/b", "/a/b", true },
                /* * */
                { "/*", "/a", true },
                { "/*", "/.a", true },
                { "/*", "/a/b", false },
                { "/a*", "/a", true },
                { "/a*c", "/a/c", false },
                { "/a*b*c", "/axbxbc", true },
                { "/a/*/c", "/a/b/c", true },
                { "/a/*/c", "/a/c", false },
                { "/a/*/c", "/a/b/b/c", false },
                { "/home/*/.ssh/id_*", "/home/eve/.ssh/id_rsa", true },
                { "/home/*/.ssh/id_*", "/home/.ssh/id_rsa", false },
                { "/home/*/.ssh/id_*", "/home/eve/.ssh/x/id_rsa", false },
                { "/*\n*", "/a\nb", true },
                /* ** as a component */
                { "/a/**/b", "/a/b", true },
                { "/a/**/b", "/a/x/b", true },
                { "/a/**/b", "/a/x/y/b", true },
                { "/a/**/b", "/a/xb", false },
                { "/a/**/b", "/ab", false },
                { "/a/**/b", "/a/b/c", false },
                { "/**/b", "/b", true },
                { "/**/b", "/x/y/b", true },
                { "/**/b", "/xb", false },
                { "/**/**/b", "/b", true },
                { "/**/**/b", "/x/b", true },
                { "/**/*", "/x", true },
                { "/a/**/**/b", "/a/x/b", true },
                { "/a/**/x/**/b", "/a/x/b", true },
                { "/a/**/x/**/b", "/a/q/x/q/b", true },
                { "/a/**/x/**/b", "/a/q/b", false },
                { "/a/**/x", "/b/a/x", false },
                { "/**/.env", "/srv/app/.env", true },
                { "/**/.env", "/srv/app/x.env", false },
                /* ** as the last component */
                { "/a/**", "/a/b", true },
                { "/a/**", "/a/b/c", true },
                { "/a/**", "/a", false },
                { "/a/**", "/ab", false },
                { "/**", "/a", true },
                { "/**", "/a/b", true },
                { "/**/**", "/a", true },
                { "/a/**/**", "/a/b", true },
                { "/a/**/**", "/a", false },
                { "/**/.ssh/**", "/root/.ssh/id", true },
                { "/**/.ssh/**", "/.ssh/a/b", true },
                { "/**/.ssh/**", "/root/.ssh", false },
                { "/**/.ssh/**", "/root/x.ssh/id", false },
                { "/a/{**,b}", "/a/x/y", true },
                /* ** next to other bytes */
                { "/srv/payroll/**.csv", "/srv/payroll/a.csv", true },
                { "/srv/payroll/**.csv", "/srv/payroll/x/y.csv", true },
                { "/srv/payroll/**.csv", "/srv/payroll/.csv", true },
                { "/srv/payroll/**.csv", "/srv/payroll.csv", false },
                { "/srv/payroll/**.csv", "/srv/payroll/x.csv/y", false },
                { "/a**", "/a", true },
                { "/a**", "/a/b", true },
                { "/a**", "/b", false },
                { "/a**/b", "/a/b", true },
                { "/a**/b", "/ab", false },
                { "/a**/b", "/ax/y/b", true },
                { "/**a/b", "/x/ya/b", true },
                { "/**a/b", "/a/b", true },
                { "/**a/b", "/x/b", false },
                { "/x/**a/**b", "/x/ya/b", true },
                { "/x/**a/**b", "/x/b", false },
                /* braces */
                { "/etc/{shadow,gshadow}{,-}", "/etc/shadow", true },
                { "/etc/{shadow,gshadow}{,-}", "/etc/gshadow-", true },
                { "/etc/{shadow,gshadow}{,-}", "/etc/shadow--", false },
                { "/**/.env{,.*}", "/srv/.env", true },
                { "/**/.env{,.*}", "/srv/.env.local", true },
                { "/**/.env{,.*}", "/srv/.envx", false },
                { "/{a,b/c}/d", "/b/c/d", true },
                { "{/a,/b}", "/b", true },
                { "/{a}", "/a", true },
                { "/a{}b", "/ab", true },
                { "/\\{a,b\\}", "/{a,b}", true },
                { "/{a\\,b,c}", "/a,b", true },
                { "/{[,}],c}", "/}", true },
                { "/{[,}],c}", "/c", true },
                { "/[{]", "/{", true },
                { "/a,b", "/a,b", true },
                /* what no path should be is compared byte by byte */
                { "/a/**/b", "/a//b", true },
                { "/a/*/b", "/a//b", true },
                { "/a/b", "/a//b", false },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                expect(table[i].glob, table[i].path, table[i].expected);
}

static void test_malformed(void **state) {
        static const struct {
                const char *glob;
                size_t offset;
                const char *message;
        } table[] = {
                { "", 0, "absolute" },
                { "a", 0, "absolute" },
                { "{a,/b}", 1, "absolute" },
                { "/", 0, "ends in '/'" },
                { "/a/", 2, "ends in '/'" },
                { "/a/**/", 5, "ends in '/'" },
                { "/a{,/}", 4, "ends in '/'" },
                { "/a//b", 3, "\"//\"" },
                { "/a/**//b", 6, "\"//\"" },
                { "/a/{,b}/c", 7, "\"//\"" },
                { "/a\\//b", 4, "\"//\"" },
                { "/a/./b", 3, "\".\"" },
                { "/.", 1, "\".\"" },
                { "/a/../b", 3, "\"..\"" },
                { "/a/**/..", 6, "\"..\"" },
                { "/a/.{,.}", 3, "\".\"" },
                { "/a/\\./b", 3, "\".\"" },
                { "/a***", 2, "three stars" },
                { "/a/*{*,}*", 3, "three stars" },
                { "/[a", 1, "no ]" },
                { "/[]", 1, "no ]" },
                { "/[!]", 1, "no ]" },
                { "/[a\\", 1, "no ]" },
                { "/[a-", 1, "no ]" },
                { "/x[z-a]", 3, "reversed" },
                { "/x[a/]", 4, "'/'" },
                { "/x[+-/]", 3, "'/'" },
                { "/[!\x01-.0-\xff]", 1, "empty" },
                { "/a\\", 2, "follows" },
                { "/{a", 1, "no }" },
                { "/a}", 2, "no {" },
                { "/{a,{b,c}}", 4, "nested" },
                { "/{a,[}", 4, "no ]" },
                { "/{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}", 31, "64" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                GlobPattern patterns[] = { { "/a", 0 }, { table[i].glob, 1 }, { "bad too", 2 } };
                const char *message = NULL;
                size_t offset = SIZE_MAX, culprit = SIZE_MAX;
                GlobAutomaton *a = NULL;

                if (glob_check(table[i].glob, &offset, &message) != -EINVAL)
                        fail_msg("%s must be refused", table[i].glob);
                if (offset != table[i].offset || !strstr(message, table[i].message))
                        fail_msg("%s: at %zu: %s", table[i].glob, offset, message);
                assert_int_equal(glob_automaton_new(patterns, 3, 1000, &a, &culprit), -EINVAL);
                assert_int_equal(culprit, 1);
                assert_null(a);
                assert_false(reference(table[i].glob, "/a"));
        }
}

static void test_well_formed(void **state) {
        const char *message = "untouched";
        size_t offset = 77;

        (void)state;
        assert_int_equal(glob_check("/{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}", &offset, &message), 0);
        assert_int_equal(offset, 77);
        assert_string_equal(message, "untouched");
}

/* Only what holds for whatever the path begins with may be said of a truncated path. */
static void test_truncated_path(void **state) {
        static const GlobPattern patterns[] = { { "/**/.ssh/**", 0 }, { "/home/*/.ssh/**", 1 },
                { "/**.key", 2 }, { "/a/b.key", 3 }, { "/**", 4 } };
        _cleanup_(packed_done) Packed p = {};
        struct bw_bits bits;

        (void)state;
        packed_build(&p, patterns, ELEMENTSOF(patterns));
        bits = packed_match(&p, "/home/eve/.ssh/id", false);
        assert_int_equal(bits.word[0], 1 << 0 | 1 << 4);
        bits = packed_match(&p, "/home/eve/.ssh/id", true);
        assert_int_equal(bits.word[0], 1 << 0 | 1 << 1 | 1 << 4);
        bits = packed_match(&p, "/a/b.key", false);
        assert_int_equal(bits.word[0], 1 << 2 | 1 << 4);
        bits = packed_match(&p, "/a/b.key", true);
        assert_int_equal(bits.word[0], 1 << 2 | 1 << 3 | 1 << 4);
}

static void test_excludes(void **state) {
        static const GlobPattern patterns[] = {
                { "/**/.ssh/**", BW_FILE_WORD_INCLUDE * 64 + 3 },
                { "/**/.ssh/*.pub", BW_FILE_WORD_EXCLUDE * 64 + 3 },
                { "/**/.ssh/known_hosts*", BW_FILE_WORD_EXCLUDE * 64 + 3 },
                { "/**/*.pub", BW_FILE_WORD_INCLUDE * 64 + 63 },
        };
        _cleanup_(packed_done) Packed p = {};
        struct bw_bits bits;

        (void)state;
        packed_build(&p, patterns, ELEMENTSOF(patterns));
        bits = packed_match(&p, "/root/.ssh/id.pub", true);
        assert_true(bits.word[BW_FILE_WORD_INCLUDE] == (UINT64_C(1) << 3 | UINT64_C(1) << 63));
        assert_true(bits.word[BW_FILE_WORD_EXCLUDE] == UINT64_C(1) << 3);
        bits = packed_match(&p, "/root/.ssh/known_hosts.old", true);
        assert_true(bits.word[BW_FILE_WORD_INCLUDE] == UINT64_C(1) << 3);
        assert_true(bits.word[BW_FILE_WORD_EXCLUDE] == UINT64_C(1) << 3);
        bits = packed_match(&p, "/root/.ssh/id", true);
        assert_true(bits.word[BW_FILE_WORD_INCLUDE] == UINT64_C(1) << 3);
        assert_true(bits.word[BW_FILE_WORD_EXCLUDE] == 0);
}

static void test_long_paths(void **state) {
        char path[PATH_MAX], name[256];
        size_t length = 0;

        (void)state;
        memset(name, 'n', 255);
        name[255] = '\0';
        for (size_t i = 0; i < 15; i++)
                length += (size_t)snprintf(path + length, sizeof(path) - length, "/%s", name);
        (void)snprintf(path + length, sizeof(path) - length, "/%.254s", name);
        assert_int_equal(strlen(path), PATH_MAX - 1);
        expect("/**/n*n", path, true);
        expect("/n**n", path, true);
        expect("/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*", path, true);
        expect("/*/*/*/*/*/*/*/*/*/*/*/*/*/*/*", path, false);
        expect(path, path, true);
        path[1] = 'm';
        expect("/n**", path, false);
        expect("/m**", path, true);

        path[0] = '\0';
        for (size_t i = 0; i < 200; i++)
                (void)snprintf(path + 2 * i, 3, "/%c", (char)('a' + (int)(i % 26)));
        expect("/a/b/**/q/r", path, true);
        expect("/b/**/q/r", path, false);
        expect(path, path, true);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_language),
                cmocka_unit_test(test_malformed),
                cmocka_unit_test(test_well_formed),
                cmocka_unit_test(test_truncated_path),
                cmocka_unit_test(test_excludes),
                cmocka_unit_test(test_long_paths),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
