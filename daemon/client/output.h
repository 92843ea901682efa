/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Output in the manner of systemctl and journalctl: colour, pager, JSON, errors. */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "basic/util.h"

typedef enum JsonMode {
        JSON_MODE_OFF,
        JSON_MODE_SHORT,  /* an object a line */
        JSON_MODE_PRETTY, /* indented */
        JSON_MODE_OCSF,   /* alerts as findings of OCSF, an object a line */
} JsonMode;

/* Reads the environment and the terminal. Call it once, before anything is printed. */
void ctl_output_open(JsonMode mode, bool pager);
/* Flushes, and waits for the pager. Negative: not everything could be written, which it prints. */
int ctl_output_close(void);
/* Flushes. Negative: not everything could be written. */
int ctl_output_flush(void);

/* The terminal may have another size now. */
void ctl_output_resize(void);
/* Columns of the terminal; 0: standard output is not one. */
size_t ctl_output_width(void);
bool ctl_wants_json(void);
bool ctl_wants_ocsf(void);
bool ctl_wants_colour(void);

typedef enum CtlColour {
        CTL_PLAIN,
        CTL_RED,
        CTL_YELLOW,
        CTL_GREEN,
        CTL_BOLD,
        CTL_UNDERLINED,
} CtlColour;

/* The escape sequence; CTL_PLAIN ends a colour. Empty without colours. */
const char *ctl_colour(CtlColour colour);
/* The colour for a severity. */
CtlColour ctl_severity_colour(const char *severity);

/* Pipes what follows into a pager, if standard output is a terminal. */
void ctl_pager_open(void);

/* Prints an object, in the mode that --json= asked for. */
int ctl_print_json(const json_t *o);

/* Formats text, and escapes what a terminal would obey. Newly allocated; NULL: out of memory. */
_printf_(1, 0) char *ctl_format(const char *format, va_list ap);
/* Prints a line on standard output, or on standard error. Control bytes are escaped, as names may be
 * anything. */
_printf_(1, 2) void ctl_print(const char *format, ...);
_printf_(1, 2) void ctl_error(const char *format, ...);
/* "--OPTION=VALUE: REASON" on standard error. Returns -EINVAL. */
_printf_(3, 4) int ctl_error_option(const char *option, const char *value, const char *format, ...);
/* Prints that memory is exhausted, and returns -ENOMEM. */
int ctl_error_memory(void);

/* Returns a member's string, or otherwise; its number, or 0. */
const char *ctl_string(const json_t *o, const char *key, const char *otherwise);
long long ctl_number(const json_t *o, const char *key);
