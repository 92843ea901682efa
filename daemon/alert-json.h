/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The alert as JSON: the shape that --alerts=json, Varlink and barbwirectl share. Fields are added, never renamed:
 *
 * kind ("alert"), id, time (RFC 3339, UTC, microseconds), severity, score, summary, reasons[{points,text}],
 * action ("alert"), classes[], techniques[], repeats,
 * process{pid,tid,start_time,exe,comm,cmdline,uid,loginuid|null,unit|null,cgroup,container|null,mount_namespace},
 * lineage[{pid,exe,comm}], lineage_more, files[{path|null,class,classes[],age_ms,pid,uid,exe,comm,hops,via,truncated}],
 * files_more, destination{family ("inet","inet6"),protocol,address,port,act ("connect","send")}. */

#include "alert.h"

/* One line without newline, newly allocated. Bytes that are not UTF-8, and NUL, become U+FFFD-free text: each such
 * byte is written as \xNN, so the JSON is always valid. */
int alert_to_json(const Alert *a, char **ret);
