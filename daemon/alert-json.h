/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The alert as JSON: the shape that --alerts=json, Varlink and barbwirectl share. Fields are added, never renamed:
 *
 * kind ("alert"), id, time (RFC 3339, UTC, microseconds), severity, score, summary, reasons[{points,text}],
 * action ("alert"), classes[], techniques[], repeats,
 * process{pid,tid,start_time,exe,comm,cmdline,uid,loginuid|null,unit|null,cgroup,container|null,mount_namespace,
 * flags[] (what speaks against trusting its executable: "not-roots","writable","directory-writable","deleted","memory",
 * "not-host","injected","foreign-code","traced")},
 * lineage[{pid,exe,comm}], lineage_more, files[{path|null,class,classes[],age_ms,pid,uid,exe,comm,hops,via,truncated}],
 * files_more, flood, destination{family ("inet","inet6"),protocol,address,port,act ("connect","send","accept")},
 * and delayed_ms when it was told more than ALERT_DELAYED_USEC after its time. */

#include <jansson.h>

#include "alert.h"

/* The object, and its text: one line without newline, pure ASCII, newly allocated. In what stems from a name (paths, executables, comm, command
 * lines, cgroups) a backslash is written \\ and a byte that is not UTF-8, or is NUL, \xNN, before JSON's own escaping:
 * undone in that order the bytes are exact, and the JSON is always valid. -ENOMEM. */
int alert_to_json(const Alert *a, json_t **ret, char **ret_line);
