/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Formats an alert's JSON (alert/json.h) as text: barbwired --alerts=text and barbwirectl show. Pure. */

#include <stdbool.h>

#include <jansson.h>

/* Returns several lines: the sentence, the process, the files and their openers, the route to the
 * destination, the lineage as a tree, the reasons of the score. colour: ANSI escapes. Printable UTF-8
 * whatever the names contain. A field that is missing or of another type is left out, as the JSON may come
 * from anywhere. Newly allocated; NULL when out of memory. */
char *alert_details(const json_t *alert, bool colour);

/* What an alert's action means, in words, of an egress or of an open; NULL: nothing was to be done, or it is
 * unknown. */
const char *alert_action_meaning(const char *action, bool open);
