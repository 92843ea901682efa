/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* An alert as JSON: the same object for --alerts=json, Varlink and barbwirectl. Its fields are those of
 * alert/field-list.h; from 1.0 on fields are added, never renamed. */

#include <jansson.h>

#include "alert/alert.h"

/* Returns the object and its text: one line without newline, pure ASCII, newly allocated. In names (paths,
 * executables, comm, command lines, cgroups) a backslash is written \\ and a byte that is not UTF-8, or is
 * NUL, \xNN, before JSON's own escaping: undone in that order the bytes are exact, and the JSON is always
 * valid. -ENOMEM. */
int alert_to_json(const Alert *a, json_t **ret, char **ret_line);

/* The value of its member "files" alone, a new array; NULL: out of memory. */
json_t *alert_files_to_json(const Alert *a);
