/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The table of fields: names are unique and valid, and the interface description has every field with its
 * documentation. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alert/field-varlink.h"
#include "alert/fields.h"
#include "basic/util.h"
#include "../journal-datagram.h"

typedef struct Names {
        const char *items[128];
        size_t n;
} Names;

static void names_add(Names *all, const char *name) {
        for (size_t i = 0; i < all->n; i++)
                if (strcmp(all->items[i], name) == 0)
                        fail_msg("used twice: %s", name);
        assert_true(all->n < ELEMENTSOF(all->items));
        all->items[all->n++] = name;
}

/* Adds the journal names of an object and of the objects in it. Returns how many fields they have. */
static size_t table_check(const AlertFieldTable *t, Names *journal) {
        Names json = {};
        size_t n = t->n;

        for (const AlertField *f = t->fields; f < t->fields + t->n; f++) {
                const AlertFieldTable *inner = alert_field_table(f->type);

                names_add(&json, f->name);
                if (f->journal) {
                        assert_true(field_name_is_valid(f->journal, strlen(f->journal)));
                        names_add(journal, f->journal);
                }
                if (inner)
                        n += table_check(inner, journal);
        }
        return n;
}

static void test_names(void **state) {
        Names journal = {};
        (void)state;

        assert_true(table_check(&alert_fields, &journal) > journal.n);
        assert_true(journal.n > 40);
        for (size_t i = 0; i < journal.n; i++)
                assert_true(strcmp(journal.items[i], "MESSAGE") == 0 ||
                                strncmp(journal.items[i], "BARBWIRE_", strlen("BARBWIRE_")) == 0);
}

static void assert_described(const AlertFieldTable *t) {
        for (const AlertField *f = t->fields; f < t->fields + t->n; f++) {
                char doc[64], member[64];

                (void)snprintf(doc, sizeof(doc), "\n# %s: ", f->name);
                (void)snprintf(member, sizeof(member), "%s%s: ", f == t->fields ? "(" : "  ", f->name);
                const char *found = strstr(ALERT_VARLINK_TYPES, doc);
                if (!found || found[strlen(doc)] == '\n')
                        fail_msg("not documented: %s", f->name);
                if (!strstr(ALERT_VARLINK_TYPES, member))
                        fail_msg("not a member of a type: %s", f->name);
                if (alert_field_table(f->type))
                        assert_described(alert_field_table(f->type));
        }
}

static void test_varlink(void **state) {
        (void)state;
        assert_described(&alert_fields);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_varlink),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
