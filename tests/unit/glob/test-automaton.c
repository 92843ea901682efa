/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The automaton: its size, its packed form, its limits, and its verdicts against those of the plain matcher.
 * The language itself is tested in test-parse.c. */

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "../glob-packed.h"

static void test_bit_out_of_range(void **state) {
        GlobPattern patterns[] = { { "/a", 255 }, { "/b", 256 } };
        size_t culprit = SIZE_MAX;
        GlobAutomaton *a = NULL;

        (void)state;
        assert_int_equal(glob_automaton_new(patterns, 2, 1000, &a, &culprit), -EINVAL);
        assert_int_equal(culprit, 1);
}

static size_t n_states_of(const char *format, size_t n, unsigned n_bits) {
        _cleanup_(glob_automaton_freep) GlobAutomaton *a = NULL;
        _cleanup_free_ GlobPattern *patterns = calloc(n, sizeof(GlobPattern));
        _cleanup_free_ char *text = calloc(n, 64);

        assert_true(patterns && text);
        for (size_t i = 0; i < n; i++) {
                const char *at = strchr(format, '#');

                (void)snprintf(text + 64 * i, 64, "%.*s%zu%s", (int)(at - format), format, i + 100, at + 1);
                patterns[i] = (GlobPattern){ .glob = text + 64 * i, .bit = (unsigned)i % n_bits };
        }
        a = automaton(patterns, n);
        return glob_automaton_n_states(a);
}

/* "**" at both ends makes 2^n combinations, unless a match at the front keeps no position. */
static void test_growth(void **state) {
        size_t n20, n60;

        (void)state;
        n20 = n_states_of("/**/home/*/.d#/**", 20, 1);
        n60 = n_states_of("/**/home/*/.d#/**", 60, 1);
        print_message("# one bit: %zu states for 20 patterns, %zu for 60\n", n20, n60);
        assert_true(n60 <= 3 * n20);

        n20 = n_states_of("/**/.d#/**", 20, 60);
        n60 = n_states_of("/**/.d#/**", 60, 60);
        print_message("# own bits, no '*' between: %zu states for 20 patterns, %zu for 60\n", n20, n60);
        assert_true(n60 <= 3 * n20 + 60);

        n20 = n_states_of("/**.d#/**", 20, 60);
        n60 = n_states_of("/**.d#/**", 60, 60);
        assert_true(n60 <= 3 * n20 + 60);

        /* Which name was two components ago and which was one ago are both still open when "home" or
         * something else comes: n² combinations that any automaton has to tell apart. Never more. */
        n20 = n_states_of("/**/home/*/.d#/**", 20, 60);
        n60 = n_states_of("/**/home/*/.d#/**", 60, 60);
        print_message("# own bits, '*' between: %zu states for 20 patterns, %zu for 60\n", n20, n60);
        assert_true(n20 >= 20 * 20 && n60 <= 9 * n20);
}

static void test_small(void **state) {
        static const GlobPattern alternatives[] = { { "/{a,b,c,d}x/{e,f,g}", 0 }, { "/[a-d]x/[efg]", 0 } };
        static const GlobPattern all[] = { { "/**", 0 } };
        _cleanup_(glob_automaton_freep) GlobAutomaton *a = automaton(alternatives, 1);
        _cleanup_(glob_automaton_freep) GlobAutomaton *b = automaton(alternatives, 2);
        _cleanup_(glob_automaton_freep) GlobAutomaton *sets = automaton(alternatives + 1, 1);
        _cleanup_(glob_automaton_freep) GlobAutomaton *c = automaton(all, 1);
        _cleanup_(glob_automaton_freep) GlobAutomaton *none = automaton(NULL, 0);

        (void)state;
        /* dead, start, [efg], '/', 'x', [a-d], the root's '/' */
        assert_int_equal(glob_automaton_n_states(a), 7);
        assert_int_equal(glob_automaton_n_states(b), 7);
        /* '/', [a-d], [efg], 'x', all others */
        assert_int_equal(glob_automaton_n_byte_classes(sets), 5);
        /* dead, start, one byte of the last component, more of it, done */
        assert_int_equal(glob_automaton_n_states(c), 5);
        assert_int_equal(glob_automaton_n_states(none), 1);
}

/* The kernel stops where no output can be added any more, and skips components that no pattern reads. */
static void test_stop_and_skip(void **state) {
        static const GlobPattern literal = { "/etc/shadow", 0 }, anywhere = { "/**/.ssh/**", 0 };
        _cleanup_(packed_done) Packed l = {}, s = {}, n = {};

        (void)state;
        packed_build(&l, &literal, 1);
        assert_int_equal(l.cells[0].next, BW_DEFAULT_SKIPS);
        assert_int_equal(l.cells[0].check, BW_IS_HEADER);
        assert_int_equal(l.cells[l.start].next, BW_DEFAULT_SKIPS);

        packed_build(&s, &anywhere, 1);
        uint32_t in_name = s.cells[s.start].next;
        const struct bw_cell *x = &s.cells[s.start + s.byte_class['x']];
        if (x->check == s.start)
                in_name = s.cells[x->next].next;
        assert_true(in_name & BW_DEFAULT_SKIPS);
        assert_int_not_equal(in_name & BW_STATE_MASK, 0);

        packed_build(&n, NULL, 0);
        assert_int_equal(n.start, 0);
        assert_int_equal(n.used, 256);
        struct bw_bits bits = packed_match(&n, "/a", true);
        assert_int_equal(bits_count(&bits), 0);
}

/* Sets of single bytes only: the most classes there can be. */
static void test_all_bytes_differ(void **state) {
        char globs[254][6];
        GlobPattern patterns[254];
        size_t n = 0;

        (void)state;
        for (unsigned byte = 1; byte < 256; byte++)
                if (byte != '/') {
                        (void)snprintf(globs[n], sizeof(globs[n]), "/a\\%cb", (char)byte);
                        patterns[n] = (GlobPattern){ .glob = globs[n], .bit = (unsigned)n };
                        n++;
                }
        _cleanup_(glob_automaton_freep) GlobAutomaton *a = automaton(patterns, n);
        _cleanup_(packed_done) Packed p = {};

        assert_int_equal(glob_automaton_n_byte_classes(a), 255);
        packed_add(&p, a);
        for (size_t i = 0; i < n; i++) {
                char path[5] = { '/', 'a', globs[i][3], 'b' };
                struct bw_bits bits = packed_match(&p, path, true);

                assert_int_equal(bits_count(&bits), 1);
                assert_true(bits_have(&bits, (unsigned)i));
        }
}

static void test_two_automata(void **state) {
        static const GlobPattern files[] = { { "/**/.ssh/**", 0 }, { "/etc/shadow", 1 } };
        static const GlobPattern executables[] = { { "/usr/bin/ssh", 0 }, { "/usr/{,s}bin/sshd", 200 } };
        _cleanup_(packed_done) Packed p = {};
        uint8_t file_class[256];
        uint32_t file_start;
        struct bw_bits bits;

        (void)state;
        packed_build(&p, files, 2);
        file_start = p.start;
        memcpy(file_class, p.byte_class, sizeof(file_class));
        /* Empty, sticky 0, final 1. */
        assert_int_equal(p.n_outputs, 3);
        packed_build(&p, executables, 2);
        /* Final 0 and final 200 are new. */
        assert_int_equal(p.n_outputs, 5);
        packed_build(&p, executables, 2);
        assert_int_equal(p.n_outputs, 5);

        bits = packed_match(&p, "/usr/sbin/sshd", true);
        assert_true(bits_have(&bits, 200) && bits_count(&bits) == 1);
        bits = packed_match(&p, "/usr/bin/ssh", true);
        assert_true(bits_have(&bits, 0) && bits_count(&bits) == 1);
        bits = packed_match(&p, "/etc/shadow", true);
        assert_int_equal(bits_count(&bits), 0);
        bits = glob_automaton_match(p.cells, p.outputs, file_class, file_start, "/etc/shadow",
                        strlen("/etc/shadow"), true);
        assert_true(bits_have(&bits, 1) && bits_count(&bits) == 1);
        bits = glob_automaton_match(p.cells, p.outputs, file_class, file_start, "/usr/sbin/sshd",
                        strlen("/usr/sbin/sshd"), true);
        assert_int_equal(bits_count(&bits), 0);
}

static void test_states_limit(void **state) {
        /* 2^n combinations of what was read, since each pattern needs a beginning of its own. */
        GlobPattern patterns[16] = { { "/etc/shadow", 0 } };
        char text[16][32];
        size_t culprit = SIZE_MAX, ignored;
        GlobAutomaton *a = NULL;

        (void)state;
        for (size_t i = 1; i < 16; i++) {
                (void)snprintf(text[i], sizeof(text[i]), "/a%zx/**/x%zx/**", i, i);
                patterns[i] = (GlobPattern){ .glob = text[i], .bit = (unsigned)i };
        }
        assert_int_equal(glob_automaton_new(patterns, 16, 1000, &a, &culprit), -E2BIG);
        assert_null(a);
        assert_in_range(culprit, 2, 14);
        /* Without it the ones before fit; with it they do not. */
        assert_int_equal(glob_automaton_new(patterns, culprit + 1, 1000, &a, &ignored), -E2BIG);
        assert_int_equal(ignored, culprit);
        assert_int_equal(glob_automaton_new(patterns, culprit, 1000, &a, &ignored), 0);
        a = glob_automaton_free(a);
        assert_int_equal(glob_automaton_new(patterns, 1, 2, &a, &culprit), -E2BIG);
        assert_int_equal(culprit, 0);
}

static void test_outputs_limit(void **state) {
        /* 11 bits in any combination, by 11 bytes that are there or not: 2,048 outputs. */
        GlobPattern patterns[11];
        char text[11][64];
        size_t culprit = SIZE_MAX;
        GlobAutomaton *a = NULL;

        (void)state;
        for (size_t i = 0; i < 11; i++) {
                memset(text[i], '?', 12);
                (void)snprintf(text[i] + 12, 2, " ");
                text[i][0] = '/';
                text[i][i + 1] = 'x';
                text[i][12] = '\0';
                patterns[i] = (GlobPattern){ .glob = text[i], .bit = (unsigned)i * 20 };
        }
        assert_int_equal(glob_automaton_new(patterns, 11, 1U << 20, &a, &culprit), -E2BIG);
        assert_int_equal(culprit, 10);
        a = automaton(patterns, 10);

        _cleanup_(packed_done) Packed p = {};
        packed_add(&p, a);
        assert_int_equal(p.n_outputs, 1024);
        glob_automaton_free(a);
}

static void test_table_full(void **state) {
        static const GlobPattern patterns[] = { { "/etc/shadow", 0 }, { "/**/.ssh/**", 1 },
                { "/etc/gshadow", 2 } };
        _cleanup_(glob_automaton_freep) GlobAutomaton *a = automaton(patterns, 3);
        struct bw_cell cells[1024], before[1024];
        struct bw_output outputs[8] = {};
        uint8_t byte_class[256] = { 77 };
        size_t used = 1, n_outputs = 1, needed;
        uint32_t start = 88;

        (void)state;
        memset(cells, 0xaa, sizeof(cells));
        assert_int_equal(glob_automaton_pack(
                                         a, cells, 1024, &used, outputs, 8, &n_outputs, byte_class, &start),
                        0);
        needed = used;
        assert_in_range(needed, 256 + 16, 400);
        assert_int_equal(n_outputs, 4);

        memset(cells, 0xaa, sizeof(cells));
        memset(before, 0xaa, sizeof(before));
        byte_class[0] = 77;
        start = 88;
        used = n_outputs = 1;
        for (size_t n_cells = 0; n_cells < needed; n_cells++) {
                assert_int_equal(glob_automaton_pack(a, cells, n_cells, &used, outputs, 8, &n_outputs,
                                                 byte_class, &start),
                                -ENOSPC);
                assert_true(used == 1 && n_outputs == 1 && start == 88 && byte_class[0] == 77);
                assert_memory_equal(cells, before, sizeof(cells));
        }
        assert_int_equal(glob_automaton_pack(a, cells, needed, &used, outputs, 3, &n_outputs, byte_class,
                                         &start),
                        -ENOSPC);
        assert_true(used == 1 && n_outputs == 1 && start == 88 && byte_class[0] == 77);
        assert_int_equal(glob_automaton_pack(a, cells, needed, &used, outputs, 4, &n_outputs, byte_class,
                                         &start),
                        0);
        assert_int_equal(used, needed);
        for (size_t i = needed; i < 1024; i++)
                assert_memory_equal(&cells[i], &before[i], sizeof(struct bw_cell));
}

static uint64_t random_next(uint64_t *seed) {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        return *seed >> 11;
}

static size_t random_below(uint64_t *seed, size_t n) {
        return random_next(seed) % n;
}

/* A glob, what it stands for without braces, and a path that it should match. */
typedef struct Sample {
        char glob[256];
        char plain[2][256];
        char path[256];
} Sample;

static void sample_append(Sample *s, const char *glob, const char *path) {
        strcat(s->glob, glob);
        strcat(s->plain[0], glob);
        strcat(s->plain[1], glob);
        strcat(s->path, path);
}

static void sample_make(Sample *s, uint64_t *seed) {
        static const char *const parts[][2] = { { "a", "a" }, { "b", "b" }, { ".", "." }, { "ab", "ab" },
                { "?", "a" }, { "?", "\xfe" }, { "[ab]", "b" }, { "[!a]", "b" }, { "[!b.]", "x" },
                { "[.b]", "b" }, { "*", "" }, { "*", "a" }, { "*", "ab.b" }, { "**", "" }, { "**", "b/a" },
                { "**", "a/" }, { "\\a", "a" }, { "/", "/" }, { "/", "/" }, { "/", "/" }, { "/", "/" },
                { "/**/", "/" }, { "/**/", "/b/" }, { "/**/", "/a/b/" }, { "/*/", "/a/" } };
        static const char *const heads[][2] = { { "/", "/" }, { "/", "/" }, { "/**/", "/" },
                { "/**/", "/a/b/" }, { "/**", "/b" }, { "/*", "/a" } };
        static const char *const tails[][2] = { { "a", "a" }, { "b*", "b" }, { "/**", "/a" },
                { "/**", "/b/a" }, { "", "" } };
        size_t n = 1 + random_below(seed, 6), head = random_below(seed, ELEMENTSOF(heads));
        size_t tail = random_below(seed, ELEMENTSOF(tails));

        *s = (Sample){};
        sample_append(s, heads[head][0], heads[head][1]);
        for (size_t i = 0, braces = random_below(seed, 12); i < n; i++) {
                const char *const *part = parts[random_below(seed, ELEMENTSOF(parts))];
                const char *const *alternative = parts[random_below(seed, ELEMENTSOF(parts))];

                if (i != braces) {
                        sample_append(s, part[0], part[1]);
                        continue;
                }
                snprintf(s->glob + strlen(s->glob), 64, "{%s,%s}", part[0], alternative[0]);
                strcat(s->plain[0], part[0]);
                strcat(s->plain[1], alternative[0]);
                strcat(s->path, random_below(seed, 2) ? part[1] : alternative[1]);
        }
        sample_append(s, tails[tail][0], tails[tail][1]);
}

static void path_mutate(char *path, uint64_t *seed) {
        static const char alphabet[] = "/.ab";

        for (size_t n = random_below(seed, 4); n > 0; n--) {
                size_t length = strlen(path), at = 1 + random_below(seed, length);

                switch (random_below(seed, 3)) {
                case 0:
                        if (at < length)
                                path[at] = alphabet[random_below(seed, 4)];
                        break;
                case 1:
                        if (at < length)
                                memmove(path + at, path + at + 1, length - at);
                        break;
                default:
                        memmove(path + at + 1, path + at, length - at + 1);
                        path[at] = alphabet[random_below(seed, 4)];
                }
        }
}

static void samples_compare(
                const Packed *p, const Sample *samples, size_t n, const char *path, size_t *n_matched) {
        struct bw_bits complete = packed_match(p, path, true), part = packed_match(p, path, false);

        for (size_t i = 0; i < n; i++) {
                const Sample *s = &samples[i];
                bool first = reference(s->plain[0], path), second = reference(s->plain[1], path);
                bool sticky = (first && strncmp(s->plain[0], "/**", 3) == 0) ||
                              (second && strncmp(s->plain[1], "/**", 3) == 0);

                if (reference(s->glob, path) != (first || second))
                        fail_msg("%s is not %s or %s on %s", s->glob, s->plain[0], s->plain[1], path);
                if (bits_have(&complete, (unsigned)i * 37) != (first || second))
                        fail_msg("%s on %s: should be %d", s->glob, path, first || second);
                if (bits_have(&part, (unsigned)i * 37) != sticky)
                        fail_msg("%s on …%s: should be %d", s->glob, path, sticky);
                if (sticky) {
                        char longer[300];

                        snprintf(longer, sizeof(longer), "/ab/.%s", path);
                        assert_true(reference(s->glob, longer));
                }
                *n_matched += first || second;
        }
}

/* A million pairs of a pattern and a path. */
static void test_property(void **state) {
        const size_t n_wanted_pairs = 1000000;
        size_t n_paths = 0, n_matched = 0, n_compared = 0;
        uint64_t seed = UINT64_C(0x9e3779b97f4a7c15);
        _cleanup_(packed_done) Packed p = {};

        (void)state;
        while (n_compared < n_wanted_pairs) {
                Sample samples[6];
                GlobPattern patterns[6];
                size_t n_wanted = 1 + random_below(&seed, 6), n = 0;

                for (size_t tries = 0; n < n_wanted && tries < 50; tries++) {
                        const char *message;
                        size_t offset;

                        sample_make(&samples[n], &seed);
                        if (glob_check(samples[n].glob, &offset, &message) < 0)
                                continue;
                        patterns[n] = (GlobPattern){ .glob = samples[n].glob, .bit = (unsigned)n * 37 };
                        n++;
                }
                p.used = 1;
                p.n_outputs = 0;
                packed_build(&p, patterns, n);
                for (size_t i = 0; i < 20 && n > 0; i++, n_paths++) {
                        char path[300];

                        snprintf(path, 256, "%s", samples[random_below(&seed, n)].path);
                        path_mutate(path, &seed);
                        samples_compare(&p, samples, n, path, &n_matched);
                        n_compared += n;
                }
        }
        print_message("# %zu paths, %zu pairs with a pattern, %zu of them matches\n", n_paths, n_compared,
                        n_matched);
        /* A test of rejections alone would prove little. */
        assert_in_range(n_matched, n_compared / 5, n_compared);
}

static void pattern_make(char glob[static 128], char path[static 128], size_t i, uint64_t *seed, size_t n) {
        static const char *const files[] = { "credentials.json", "id_rsa", "token", ".env", "secrets.yaml",
                "db.conf", "private.pem", "server.key", "service-account.json", "config", "auth.json",
                "master.key" };
        const char *file = files[random_below(seed, ELEMENTSOF(files))];
        int tenant = (int)random_below(seed, n);

        switch (i % 8) {
        case 0:
                (void)snprintf(glob, 128, "/srv/tenant%04d/secrets/%s", tenant, file);
                (void)snprintf(path, 128, "/srv/tenant%04d/secrets/%s", tenant, file);
                break;
        case 1:
                (void)snprintf(glob, 128, "/srv/tenant%04d/private/**", tenant);
                (void)snprintf(path, 128, "/srv/tenant%04d/private/a/b/%s", tenant, file);
                break;
        case 2:
                (void)snprintf(glob, 128, "/**/.tenant%04d/%s", tenant, file);
                (void)snprintf(path, 128, "/home/u/.tenant%04d/%s", tenant, file);
                break;
        case 3:
                (void)snprintf(glob, 128, "/etc/tenant%04d/ssl/*.key", tenant);
                (void)snprintf(path, 128, "/etc/tenant%04d/ssl/x.key", tenant);
                break;
        case 4:
                (void)snprintf(glob, 128, "/opt/tenant%04d/conf/{%s,%s.bak}", tenant, file, file);
                (void)snprintf(path, 128, "/opt/tenant%04d/conf/%s.bak", tenant, file);
                break;
        case 5:
                (void)snprintf(glob, 128, "/**/.tenant%04d/keys/**", tenant);
                (void)snprintf(path, 128, "/x/.tenant%04d/keys/tenant%04d/keys/k", tenant, tenant);
                break;
        case 6:
                (void)snprintf(glob, 128, "/var/lib/tenant%04d/**/%s", tenant, file);
                (void)snprintf(path, 128, "/var/lib/tenant%04d/keys/%s", tenant, file);
                break;
        default:
                (void)snprintf(glob, 128, "/home/*/.config/tenant%04d/%s", tenant, file);
                (void)snprintf(path, 128, "/home/u/.config/tenant%04d/%s", tenant, file);
        }
}

static void many_patterns(size_t n, unsigned n_bits, size_t max_cells) {
        _cleanup_free_ GlobPattern *patterns = calloc(n, sizeof(GlobPattern));
        _cleanup_free_ char *globs = calloc(n, 128), *paths = calloc(n, 128);
        _cleanup_(glob_automaton_freep) GlobAutomaton *a = NULL;
        _cleanup_(packed_done) Packed p = {};
        uint64_t seed = n;
        struct timespec begin, end;

        assert_true(patterns && globs && paths);
        for (size_t i = 0; i < n; i++) {
                pattern_make(globs + 128 * i, paths + 128 * i, i, &seed, n);
                patterns[i] = (GlobPattern){ .glob = globs + 128 * i,
                        .bit = (unsigned)random_below(&seed, n_bits) };
        }
        assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &begin), 0);
        a = automaton(patterns, n);
        packed_add(&p, a);
        assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &end), 0);
        print_message("# %zu patterns: %zu states, %zu classes, %zu outputs, %zu cells, %.3f s\n", n,
                        glob_automaton_n_states(a), glob_automaton_n_byte_classes(a), p.n_outputs, p.used,
                        (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9);
        assert_true(p.used <= max_cells);

        for (size_t i = 0; i < 100; i++) {
                char *path = paths + 128 * random_below(&seed, n);
                struct bw_bits expected = {}, bits;

                if (i % 2)
                        path[1 + random_below(&seed, strlen(path) - 1)] = "/a0."[random_below(&seed, 4)];
                for (size_t j = 0; j < n; j++)
                        if (!bits_have(&expected, patterns[j].bit) && reference(patterns[j].glob, path))
                                expected.word[patterns[j].bit / 64] |= UINT64_C(1) << patterns[j].bit % 64;
                bits = packed_match(&p, path, true);
                assert_memory_equal(&bits, &expected, sizeof(bits));
        }
}

/* Within a tenth of what was reached: room for other patterns is worth having. */
static void test_many_patterns(void **state) {
        (void)state;
        many_patterns(150, 20, 17000);
        many_patterns(1000, 20, 70000);
        many_patterns(10000, 20, 400000);
}

/* A default that skips may stand for a state that is not itself, in two ways; both want a fork of many
 * branches. */
static void test_forks(void **state) {
        static const char *const extra[] = { "/a/b", "/a/*/**" };

        (void)state;
        for (size_t e = 0; e < ELEMENTSOF(extra); e++) {
                _cleanup_(packed_done) Packed p = {};
                GlobPattern patterns[61];
                char text[60][32];
                uint64_t seed = 99;

                for (size_t i = 0; i < 60; i++) {
                        (void)snprintf(text[i], sizeof(text[i]), i % 2 ? "/**/%c%zu%c/**" : "/%c%zu/x%c",
                                        (char)('a' + i % 26), i, (char)('a' + i % 25));
                        patterns[i] = (GlobPattern){ .glob = text[i], .bit = (unsigned)i };
                }
                patterns[60] = (GlobPattern){ .glob = extra[e], .bit = 60 };
                packed_build(&p, patterns, 61);

                for (size_t i = 0; i < 4000; i++) {
                        char path[128] = "";
                        struct bw_bits bits;

                        for (size_t c = 1 + random_below(&seed, 5); c > 0; c--) {
                                size_t k = random_below(&seed, 60);
                                const char *glob = text[k] + (k % 2 ? 3 : 0);
                                size_t length = k % 2 ? strlen(glob) - 3 : strlen(glob);

                                strncat(path, glob, length);
                                if (random_below(&seed, 4) == 0)
                                        strcat(path, random_below(&seed, 4) ? "/a" : "/");
                        }
                        strcat(path, "/q");
                        bits = packed_match(&p, path, true);
                        for (size_t j = 0; j < 61; j++)
                                if (bits_have(&bits, (unsigned)j) != reference(patterns[j].glob, path))
                                        fail_msg("%s on %s", patterns[j].glob, path);
                }
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bit_out_of_range),
                cmocka_unit_test(test_growth),
                cmocka_unit_test(test_small),
                cmocka_unit_test(test_stop_and_skip),
                cmocka_unit_test(test_all_bytes_differ),
                cmocka_unit_test(test_two_automata),
                cmocka_unit_test(test_states_limit),
                cmocka_unit_test(test_outputs_limit),
                cmocka_unit_test(test_table_full),
                cmocka_unit_test(test_property),
                cmocka_unit_test(test_many_patterns),
                cmocka_unit_test(test_forks),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
