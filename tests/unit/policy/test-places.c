/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The default policy (daemon/policy.d below $BW_SOURCE_ROOT or argv[1]) against a list of the places where
 * secrets lie (tests/unit/places.txt): each has the class that the list names, or the reason why it has
 * none; no pattern is without an example; and what all of them cost. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "glob/automaton.h"
#include "../default-policy.h"
#include "../default-policy-files.h"

/* Per cent of the places that must be of a class. */
#define SHARE_WANTED 85
/* Half of what one table of the kernel holds: the rest is for the site, and for more homes than here. */
#define BYTES_MAX (2U << 20)
/* A dozen is left to the site. */
#define CLASSES_MAX (BW_CLASSES_MAX - 12)

typedef struct Place {
        char *path, *class, *reason; /* class "-": none, for the reason */
        unsigned line;
} Place;

static Place places[2000];
static size_t n_places;

static uint64_t classes_of(const char *path) {
        struct bw_bits b = glob_automaton_match(tables->cells, tables->table->outputs,
                        tables->table->byte_class[BW_AUTOMATON_FILE],
                        tables->table->start[BW_AUTOMATON_FILE], path, strlen(path), true);

        return b.word[BW_FILE_WORD_INCLUDE] & ~b.word[BW_FILE_WORD_EXCLUDE];
}

/* The names of the classes, joined by '+'; "-": none. */
static const char *class_text(uint64_t classes) {
        static char text[256];
        size_t n = 0;

        (void)snprintf(text, sizeof(text), "-");
        for (unsigned bit = 0; bit < BW_CLASSES_MAX; bit++)
                if (classes >> bit & 1 && n < sizeof(text))
                        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", n > 0 ? "+" : "",
                                        names.class_names[bit]);
        return text;
}

static char *in_home(const char *path) {
        char *s = NULL;

        if (path[0] == '~')
                assert_true(asprintf(&s, "/home/x%s", path + 1) > 0);
        else
                assert_non_null(s = strdup(path));
        return s;
}

static void test_list(void **state) {
        size_t wrong = 0, in_class = 0;
        (void)state;

        for (size_t i = 0; i < n_places; i++) {
                _cleanup_free_ char *path = in_home(places[i].path);
                const char *got = class_text(classes_of(path));

                in_class += strcmp(places[i].class, "-") != 0;
                if (strcmp(got, places[i].class) == 0)
                        continue;
                print_message("# places.txt:%u: %s is of class %s, not %s\n", places[i].line, places[i].path,
                                got, places[i].class);
                wrong++;
        }
        print_message("# %zu places, %zu of a class\n", n_places, in_class);
        assert_int_equal(wrong, 0);
        assert_true(in_class * 100 >= n_places * SHARE_WANTED);
}

static void test_reasons(void **state) {
        (void)state;

        for (size_t i = 0; i < n_places; i++) {
                bool none = strcmp(places[i].class, "-") == 0;

                if (none != (places[i].reason && strlen(places[i].reason) >= 10))
                        fail_msg("places.txt:%u: a reason is needed for no class, and only then",
                                        places[i].line);
                for (size_t k = 0; k < i; k++)
                        if (strcmp(places[i].path, places[k].path) == 0)
                                fail_msg("places.txt:%u: %s is in line %u, too", places[i].line,
                                                places[i].path, places[k].line);
        }
}

static bool matches_somewhere(const char *glob, const char *path) {
        _cleanup_free_ char *in = in_home(path), *full = NULL;

        if (glob[0] == '~')
                assert_true(asprintf(&full, "/home/*%s", glob + 1) > 0);
        return glob_match_reference(full ?: glob, in, strlen(in));
}

/* A pattern that matches nothing that is known is a typing error, or its example is missing. */
static void test_examples(void **state) {
        size_t missing = 0;
        (void)state;

        for (size_t c = 0; c < policy->n_classes; c++)
                for (size_t k = 0; k < policy->classes[c].n_paths; k++) {
                        const PolicyGlob *g = policy->classes[c].paths + k;
                        bool found = strcmp(policy->classes[c].name, "barbwire-selftest") == 0;

                        for (size_t i = 0; !found && i < n_places; i++)
                                found = matches_somewhere(g->glob, places[i].path);
                        for (size_t i = 0; !found && i < ELEMENTSOF(files); i++)
                                found = files[i].class && matches_somewhere(g->glob, files[i].path);
                        if (!found)
                                print_message("# %s:%u: no example of %s\n", g->origin.file, g->origin.line,
                                                g->glob);
                        missing += !found;
                }
        assert_int_equal(missing, 0);
}

static void test_cost(void **state) {
        (void)state;

        print_message("# %zu bytes, %zu classes, %zu rules\n", tables->n_cells * sizeof(struct bw_cell),
                        policy->n_classes, policy->n_allows);
        assert_true(tables->n_cells * sizeof(struct bw_cell) < BYTES_MAX);
        assert_true(policy->n_classes <= CLASSES_MAX);
}

static void list_read(void) {
        _cleanup_free_ char *name = NULL;
        _cleanup_fclose_ FILE *f = NULL;
        char line[4096];
        unsigned number = 0;

        assert_true(asprintf(&name, "%s/tests/unit/places.txt", source_root) > 0);
        f = fopen(name, "re");
        assert_non_null(f);
        while (fgets(line, sizeof(line), f)) {
                char *rest = line, *path, *class, *reason;

                number++;
                line[strcspn(line, "\n")] = '\0';
                if (line[0] == '#')
                        continue;
                path = strsep(&rest, "\t");
                class = strsep(&rest, "\t");
                reason = strsep(&rest, "\t");
                if (!path || !class || rest || n_places >= ELEMENTSOF(places))
                        fail_msg("places.txt:%u: not PATH, a tab and CLASS", number);
                places[n_places++] = (Place){ strdup(path), strdup(class), reason ? strdup(reason) : NULL,
                        number };
        }
        assert_true(n_places > 0);
}

static int setup(void **state) {
        (void)state;
        default_policy_load("root:x:0:0:root:/root:/bin/bash\nx:x:1000:1000::/home/x:/bin/sh\n");
        list_read();
        return 0;
}

static int teardown(void **state) {
        (void)state;
        for (size_t i = 0; i < n_places; i++) {
                free(places[i].path);
                free(places[i].class);
                free(places[i].reason);
        }
        default_policy_done();
        return 0;
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_list),
                cmocka_unit_test(test_reasons),
                cmocka_unit_test(test_examples),
                cmocka_unit_test(test_cost),
        };

        if (!default_policy_found(argc, argv))
                return 0;
        return cmocka_run_group_tests(tests, setup, teardown);
}
