/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Tables that fit the terminal. */

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "basic/util.h"
#include "client/output.h"

typedef enum CtlCut {
        CTL_CUT_NEVER,
        CTL_CUT_END,
        CTL_CUT_BEGINNING, /* for a path */
        CTL_CUT_NAME,      /* for NAME[NUMBER], which keeps the number */
} CtlCut;

typedef struct CtlColumn {
        const char *name;
        CtlCut cut;   /* where the terminal is too narrow */
        size_t least; /* below this width it is cut last */
        bool right;   /* for numbers */
} CtlColumn;

typedef struct CtlTable CtlTable;

/* columns: must outlive it. */
int ctl_table_new(const CtlColumn *columns, size_t n_columns, CtlTable **ret);
CtlTable *ctl_table_free(CtlTable *t);
DEFINE_CLEANUP(CtlTable, ctl_table_free);
/* Adds the next cell of the row; after the last one a new row begins. Control bytes are escaped. Errors
 * stick to the table: ctl_table_print() returns them. */
_printf_(3, 4) void ctl_table_add(CtlTable *t, CtlColour colour, const char *format, ...);
/* Adds the items, joined by commas; "-" for none. */
void ctl_table_add_list(CtlTable *t, const json_t *array);
/* Adds the first item, and how many more there are: "/etc/shadow +3"; "-" for none. */
void ctl_table_add_first(CtlTable *t, const json_t *array);
/* Prints a heading, the rows and an empty line; nothing when there are no rows. Columns are cut to the
 * terminal's width, or to width where there is no terminal; 0: they are not. -ENOMEM, which it prints. */
int ctl_table_print(const CtlTable *t, size_t width);
