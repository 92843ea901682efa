/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* An alert's JSON (alert-json.h) for a person in a terminal: barbwired --alerts=text and barbwirectl show. Pure. */

#include <stdbool.h>

#include <jansson.h>

/* The sentence and all that stands behind it, several lines: who, what was opened and by whom, the way it took to the
 * socket, the lineage as a tree, why the score is what it is. colour: ANSI escapes. Printable UTF-8 whatever the names
 * contain. A field that is missing or of another type is left out: the text never fails for a stranger's JSON. Newly
 * allocated; NULL when memory is short. */
char *alert_show(const json_t *alert, bool colour);
