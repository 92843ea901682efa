/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Copies the template of barbwire.journal-fields(7) from standard input to standard output, and puts the
 * fields of alert/field-list.h where the template names a table: "@ALERT@", "@PROCESS@", "@FILE@",
 * "@DESTINATION@". Runs at build time: includes nothing of the daemon but the list. */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alert/field-list.h"

typedef struct Field {
        const char *name, *journal, *type, *doc;
} Field;

typedef struct Table {
        const char *marker, *object; /* object: the JSON member whose members the fields are, as a prefix */
        bool repeated;               /* each field occurs once for each object */
        const Field *fields;
        size_t n;
} Table;

#define ROW(name, journal, type, value, doc) { #name, journal, #type, doc },
static const Field alert[] = { ALERT_FIELDS(ROW, ROW) };
static const Field process[] = { ALERT_PROCESS_FIELDS(ROW, ROW) };
static const Field file[] = { ALERT_FILE_FIELDS(ROW, ROW) };
static const Field destination[] = { ALERT_DESTINATION_FIELDS(ROW, ROW) };

#define TABLE(marker, object, repeated, fields)                                                             \
        { "@" marker "@\n", object, repeated, fields, sizeof(fields) / sizeof((fields)[0]) }
static const Table tables[] = {
        TABLE("ALERT", "", false, alert),
        TABLE("PROCESS", "process.", false, process),
        TABLE("FILE", "files[].", true, file),
        TABLE("DESTINATION", "destination.", false, destination),
};

/* Escapes what scdoc(5) takes for markup. */
static void put_text(const char *s) {
        for (; *s; s++) {
                if (strchr("\\*_", *s))
                        putchar('\\');
                putchar(*s);
        }
}

static bool type_is_list(const char *type) {
        static const char *const lists[] = { "strings", "flags", "reasons", "lineage" };

        for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
                if (strcmp(type, lists[i]) == 0)
                        return true;
        return false;
}

/* "*BARBWIRE_SCORE=* (_score_)", and the documentation below it. MESSAGE= is among the fields of every
 * entry. */
static void put_table(const Table *t) {
        for (const Field *f = t->fields; f < t->fields + t->n; f++) {
                if (!f->journal || strncmp(f->journal, "BARBWIRE_", 9) != 0)
                        continue;
                printf("*%s=* (", f->journal);
                put_text(t->object);
                put_text(f->name);
                printf(t->repeated || type_is_list(f->type) ? ") +\n\t" : ")\n\t");
                put_text(f->doc);
                printf("\n\n");
        }
}

static const Table *line_table(const char *line) {
        for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
                if (strcmp(line, tables[i].marker) == 0)
                        return &tables[i];
        return NULL;
}

int main(void) {
        char *line = NULL;
        size_t size = 0, n = 0;

        while (getline(&line, &size, stdin) > 0) {
                const Table *t = line_table(line);

                n += t != NULL;
                if (t)
                        put_table(t);
                else
                        fputs(line, stdout);
        }
        free(line);
        if (n != sizeof(tables) / sizeof(tables[0])) {
                fprintf(stderr, "Failed to fill in the template: it names %zu tables instead of %zu\n", n,
                                sizeof(tables) / sizeof(tables[0]));
                return EXIT_FAILURE;
        }
        return ferror(stdin) || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
