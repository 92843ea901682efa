/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* An alert's JSON, made small enough for readers that drop a long field. Pure. */

#include <stddef.h>

/* line: the complete alert (alert/json.h), which is longer than max. main_file: the index of the file that
 * must stay. *ret: as many of its members as fit into max bytes (at least 2,048), newly allocated. Lists are
 * shorter, the middle of a long string is "…", and the member "cut" names each of them. -ENOMEM; -EBADMSG:
 * it is no alert. */
int alert_compact(const char *line, size_t main_file, size_t max, char **ret);
