/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Diagnostics of the daemon itself, on stderr: for a person in a terminal, with a priority prefix when
 * stderr is the journal (sd-daemon(3)). Alerts never go this way. */

#include <errno.h>
#include <stdbool.h>
#include <syslog.h>

#include "basic/util.h"

/* Looks at stderr: from now on messages never block. Before, they go there as they are. */
void log_open(void);

/* Is stderr connected to the journal ($JOURNAL_STREAM, systemd.exec(5))? */
bool log_is_journal(void);

/* Messages above this syslog level are dropped. Default: LOG_INFO. */
void log_set_max_level(int level);

/* "error", "warning", "info", "debug" or another syslog name, or its number. -EINVAL. */
int log_level_from_string(const char *s);

/* One message, no newline. Control bytes in it are made visible: a path must not be able to write to the
 * terminal. */
void log_message(int level, const char *format, ...) _printf_(2, 3);

#define log_error(...) log_message(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_WARNING, __VA_ARGS__)
#define log_notice(...) log_message(LOG_NOTICE, __VA_ARGS__)
#define log_info(...) log_message(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_message(LOG_DEBUG, __VA_ARGS__)

/* Logs an error that names its cause as %m, and returns it as a negative errno: `return log_error_errno(r,
 * "Failed to open %s: %m", path)`. */
int log_message_errno(int level, int error, const char *format, ...) _printf_(3, 4);

#define log_error_errno(error, ...) log_message_errno(LOG_ERR, (error), __VA_ARGS__)
#define log_warning_errno(error, ...) log_message_errno(LOG_WARNING, (error), __VA_ARGS__)
#define log_oom() log_message_errno(LOG_ERR, -ENOMEM, "Out of memory.")
