/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Does the kernel run the automaton as user space does? Random policies and a tree of files with awkward
 * names: each file is opened, and whether the kernel says it matched is compared with the plain matcher's
 * answer. */

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/stat.h>

#include "glob/automaton.h"
#include "policy/build.h"
#include "policy/check.h"
#include "policy/parse.h"
#include "policy/compile.h"
#include "sensor/sensor.h"

#define FILES 120
#define ROUNDS 60
#define PATTERNS 6
/* The deepest path: 190 components below the directory, which has two. */
#define DEEP 190

static Sensor *sensor;
static char directory[64];
static char *paths[FILES];
static unsigned n_paths;
static uint32_t random_state = 20261122;

static uint32_t random_below(uint32_t n) {
        random_state ^= random_state << 13;
        random_state ^= random_state >> 17;
        random_state ^= random_state << 5;
        return random_state % n;
}

/* A few letters, so that patterns and names meet often. */
static void random_name(char *to, size_t length) {
        static const char letters[] = "aab.\xff\x1b";

        for (size_t i = 0; i < length; i++)
                to[i] = letters[random_below(sizeof(letters) - 1)];
        if (to[0] == '.')
                to[0] = 'a'; /* neither "." nor ".." */
        to[length] = 0;
}

static void path_add(const char *path) {
        int fd = open(path, O_CREAT | O_RDONLY | O_CLOEXEC, 0600);

        if (fd < 0) /* is a directory from another draw */
                return;
        close(fd);
        paths[n_paths++] = strdup(path);
}

static void tree_make(void) {
        char path[4096];

        while (n_paths < FILES - 3) {
                size_t n = snprintf(path, sizeof(path), "%s", directory);
                for (unsigned depth = random_below(4); depth > 0; depth--) {
                        path[n++] = '/';
                        random_name(path + n, 1 + random_below(3));
                        n += strlen(path + n);
                        (void)mkdir(path, 0700);
                }
                path[n++] = '/';
                /* around the length that a dentry keeps in itself, and the longest a name may be */
                static const unsigned lengths[] = { 1, 2, 3, 31, 32, 39, 40, 41, 63, 254, 255 };
                random_name(path + n, lengths[random_below(sizeof(lengths) / sizeof(lengths[0]))]);
                path_add(path);
        }

        size_t n = snprintf(path, sizeof(path), "%s", directory);
        for (unsigned i = 0; i < DEEP; i++) {
                n += snprintf(path + n, sizeof(path) - n, "/ab");
                (void)mkdir(path, 0700);
        }
        snprintf(path + n, sizeof(path) - n, "/b.a");
        path_add(path);
        snprintf(path, sizeof(path), "%s/a\nb", directory);
        path_add(path);
}

static int on_tree_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        (void)st;
        (void)type;
        (void)ftw;
        return remove(path);
}

static int setup(void **state) {
        const SensorLimits limits = {
                .marks_max = 1024, .processes_max = 1024, .ring_bytes = 1 << 20, .cells = POLICY_CELLS_MAX
        };
        const Machine machine = machine_read();
        const SensorSizes sizes = sensor_sizes(&machine, &limits);

        (void)state;
        strcpy(directory, "/tmp/barbwire-match.XXXXXX");
        assert_non_null(mkdtemp(directory));
        tree_make();
        _cleanup_(btf_freep) struct btf *types = NULL;
        assert_int_equal(sensor_kernel_check(&types), 0);
        assert_int_equal(sensor_new(SENSOR_TRACEPOINT, types, &sizes, NULL, &sensor), 0);
        return 0;
}

static int teardown(void **state) {
        (void)state;
        sensor = sensor_free(sensor);
        for (unsigned i = 0; i < n_paths; i++)
                free(paths[i]);
        return nftw(directory, on_tree_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* A glob that is made from a path that exists, by replacing parts of it, so that it nearly matches. */
static void random_glob(char *to, size_t size) {
        const char *from = paths[random_below(n_paths)] + strlen(directory);
        size_t n;

        /* The directory stays in it: nothing that others open meanwhile may match. */
        n = snprintf(to, size, "%s%s", random_below(3) == 0 ? "/**" : "/tmp", strrchr(directory, '/'));
        for (const char *p = from; *p && n < size - 8; p++) {
                uint32_t r = random_below(strlen(from) > 100 ? 200 : 14);
                if (*p == '/') {
                        if (r == 0)
                                n += snprintf(to + n, size - n, "/**");
                        to[n++] = '/';
                } else if (*p == '\x1b' || *p == '\n' || r == 0) {
                        to[n++] = '?';
                } else if (r == 1) {
                        to[n++] = '*';
                        while (p[1] && p[1] != '/' && random_below(3) > 0)
                                p++;
                } else if (r == 2) {
                        n += snprintf(to + n, size - n, "[!b]");
                } else {
                        to[n++] = *p;
                }
                while (n >= 2 && to[n - 1] == '*' && to[n - 2] == '*' && p[1] && p[1] != '/')
                        n--; /* no "**" inside a component by accident */
        }
        to[n] = 0;
}

static uint64_t opens_matched(void) {
        return sensor_count(sensor, BW_COUNT_OPENS_MATCHED);
}

static void test_kernel_agrees(void **state) {
        unsigned verdicts = 0, matches = 0, globs = 0;
        bool attached = false;

        (void)state;
        for (unsigned round = 0; round < ROUNDS; round++) {
                _cleanup_(policy_freep) Policy *p = NULL;
                _cleanup_(policy_tables_freep) PolicyTables *t = NULL;
                PolicyMessage message = {};
                PolicyNames names = {};
                char patterns[PATTERNS][5000], text[PATTERNS * 5100];
                unsigned n_patterns = 0;
                size_t n = snprintf(text, sizeof(text), "[Class decoy]\n");

                while (n_patterns < PATTERNS) {
                        const char *why;
                        size_t at;
                        random_glob(patterns[n_patterns], sizeof(patterns[0]));
                        if (glob_check(patterns[n_patterns], &at, &why) < 0)
                                continue;
                        n += snprintf(text + n, sizeof(text) - n, "Path=\"%s\"\n", patterns[n_patterns++]);
                }
                assert_int_equal(policy_new(&p), 0);
                assert_int_equal(policy_parse(p, "test.conf", text, n), 0);
                assert_int_equal(policy_finish(p), 0);
                assert_int_equal(p->n_errors, 0);
                int r = policy_compile(p, &names, sensor_max_cells(sensor), &t, &message);
                policy_names_done(&names);
                free(message.text);
                if (r == -E2BIG || r == -ENOSPC)
                        continue; /* too wild: refused, as it should be */
                assert_int_equal(r, 0);
                globs += n_patterns;

                sensor_policy_write(sensor, t);
                if (!attached)
                        assert_int_equal(sensor_attach(sensor), 0);
                attached = true;

                for (unsigned i = 0; i < n_paths; i++) {
                        bool expected = false;
                        for (unsigned k = 0; k < n_patterns; k++)
                                expected |= glob_match_reference(patterns[k], paths[i], strlen(paths[i]));

                        uint64_t before = opens_matched();
                        int fd = open(paths[i], O_RDONLY | O_CLOEXEC);
                        assert_true(fd >= 0);
                        close(fd);
                        bool matched = opens_matched() > before;
                        if (matched != expected) {
                                print_error("%s: the kernel says %d\n", paths[i], matched);
                                for (unsigned k = 0; k < n_patterns; k++)
                                        print_error("  %s\n", patterns[k]);
                        }
                        assert_int_equal(matched, expected);
                        verdicts++;
                        matches += matched;
                }
        }
        print_message("# %u verdicts of %u patterns, %u of them matches\n", verdicts, globs, matches);
        assert_true(verdicts > ROUNDS / 2 * FILES && matches > verdicts / 50 && matches < verdicts);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_kernel_agrees, setup, teardown),
        };

        if (geteuid() != 0) {
                puts("1..0 # SKIP needs root");
                return 77;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
