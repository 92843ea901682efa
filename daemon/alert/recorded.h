/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Reads values back from the JSON of an alert (alert/json.h), which is not trusted. Pure. */

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "abi/event.h"

/* A member's string; "" where it has none. */
const char *recorded_string(const json_t *o, const char *key);

/* Undoes json_from_bytes(). Newly allocated; NULL: out of memory. */
char *recorded_name(const char *s);

/* The second word of a command line, which is the script of an interpreter that was started with it first.
 * *ret NULL: there is none, or it was cut. 0 or -ENOMEM. */
int recorded_script(const char *cmdline, char **ret);

/* Whether a command line has this argument of ExcludeArgument=. 1 or 0; -ENODATA: it was cut, or is not
 * known; -ENOMEM. */
int recorded_argument(const char *cmdline, const char *wanted);

/* Whether the process has this flag ("not-roots"), and BW_PROCESS_* of all that it has. */
bool recorded_flag(const json_t *process, const char *flag);
uint32_t recorded_flags(const json_t *process);

/* Whether the process of the alert opened this file itself, as the program that it still was at the egress.
 */
bool recorded_opener_sent(const json_t *alert, const json_t *file);

/* The outermost unit of the process, newly allocated: what Unit= is compared with. 0 or -ENOMEM. */
int recorded_unit(const json_t *process, char **ret);

/* family 0: no internet address. */
struct bw_destination recorded_destination(const json_t *alert);
