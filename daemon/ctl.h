/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The commands of barbwirectl, and the command line that they share. */

#include <stdbool.h>

#include <jansson.h>

/* Exit statuses. status: failed means degraded. */
enum {
        CTL_OK = 0,
        CTL_FAILED = 1,
        CTL_USAGE = 2,
        CTL_NOT_RUNNING = 3,
};

typedef struct Ctl {
        const char *socket_path;
        json_t *filter; /* ListAlerts' parameters */
        bool reverse;   /* newest first */
} Ctl;

/* Each does what its name says and returns an exit status, or, when it has said what went wrong, a negative
 * errno: -ENOTCONN where the daemon is not running. operand: the alert's id, else NULL. */
int ctl_status(const Ctl *c, const char *operand);
int ctl_alerts(const Ctl *c, const char *operand);
int ctl_show(const Ctl *c, const char *operand);
int ctl_follow(const Ctl *c, const char *operand);
int ctl_rules(const Ctl *c, const char *operand);
int ctl_selftest(const Ctl *c, const char *operand);

/* An alert, with all that stands behind it. */
int ctl_print_alert(const json_t *alert);
