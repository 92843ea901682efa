/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What barbwirectl prints, the way systemctl and journalctl do: colour, pager, JSON, tables, errors. */

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "util.h"

typedef enum JsonMode {
        JSON_MODE_OFF,
        JSON_MODE_SHORT,  /* an object a line */
        JSON_MODE_PRETTY, /* indented */
} JsonMode;

/* Looks at the environment and the terminal, once, before anything is printed. */
void ctl_output_open(JsonMode mode, bool pager);
/* Waits for the pager. Negative: not everything could be written, which it says. */
int ctl_output_close(void);
/* What was printed is to be seen now. Negative: it cannot be written. */
int ctl_output_flush(void);

bool ctl_wants_json(void);
bool ctl_wants_colour(void);

typedef enum CtlColour {
        CTL_PLAIN,
        CTL_RED,
        CTL_YELLOW,
        CTL_GREEN,
        CTL_BOLD,
} CtlColour;

/* What begins it, or (CTL_PLAIN) ends it; empty without colours. */
const char *ctl_colour(CtlColour colour);
/* Of a severity's name. */
CtlColour ctl_severity_colour(const char *severity);

/* Sends what follows through a pager, if there is one and a person to use it. */
void ctl_pager_open(void);

/* One object. */
int ctl_print_json(const json_t *o);

/* One line on standard output; on standard error. Control bytes in it are escaped: names may be anything. */
_printf_(1, 2) void ctl_print(const char *format, ...);
_printf_(1, 2) void ctl_error(const char *format, ...);
/* Says so, and returns -ENOMEM. */
int ctl_error_memory(void);

/* A member's text, or what stands for it where it is not there or no string. Its number, or 0. */
const char *ctl_string(const json_t *o, const char *key, const char *otherwise);
long long ctl_number(const json_t *o, const char *key);

typedef enum CtlCut {
        CTL_CUT_NEVER,
        CTL_CUT_END,
        CTL_CUT_BEGINNING, /* of a path the end says more */
        CTL_CUT_NAME,      /* of NAME[NUMBER], which never loses the number */
} CtlCut;

typedef struct CtlColumn {
        const char *name;
        CtlCut cut;   /* where the terminal is too narrow */
        size_t least; /* cut below this width only when nothing else can give way; 0: there is no such width */
        bool right;   /* numbers */
} CtlColumn;

typedef struct CtlTable CtlTable;

/* columns: must outlive it. */
int ctl_table_new(const CtlColumn *columns, size_t n_columns, CtlTable **ret);
CtlTable *ctl_table_free(CtlTable *t);
DEFINE_CLEANUP(CtlTable, ctl_table_free);
/* The next cell of the row; after the last one a new row begins. Its control bytes are escaped. That memory
 * was short is known when it is printed. */
_printf_(3, 4) void ctl_table_add(CtlTable *t, CtlColour colour, const char *format, ...);
/* The items, joined by the separator; "-" for none. */
void ctl_table_add_list(CtlTable *t, const json_t *array, const char *separator);
/* A heading, the rows, and an empty line; nothing when there are none. -ENOMEM, which it says. */
int ctl_table_print(const CtlTable *t);
