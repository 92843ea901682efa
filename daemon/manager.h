/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Owns the event loop and everything that hangs on it. The one place where all modules meet:
 * ring → decode → alert → output, and signals, reload, losses and repeats around it. */

#include <stdbool.h>
#include <sys/types.h>

#include "alert-sink.h"
#include "hooks.h"
#include "util.h"

typedef struct ManagerOptions {
        const char *config_file;   /* --config=, or NULL */
        char *const *policy_dirs;  /* --policy-dir=, NULL-terminated, or NULL for the standard directories */
        const char *listen_path;   /* --listen=, or NULL: only a socket that systemd passed */
        AlertFormat format;
        SensorKind sensor;         /* --sensor= */
} ManagerOptions;

typedef struct Manager Manager;

/* Errors of all of these are logged where they are known. options must outlive the manager. */
int manager_new(const ManagerOptions *options, Manager **ret);
Manager *manager_free(Manager *m);
DEFINE_CLEANUP(Manager, manager_free);

/* Reads and compiles the policy. A bad line is reported and skipped. */
int manager_load_policy(Manager *m);

/* Loads the programs, hands them the policy and attaches them. -EOPNOTSUPP: this kernel cannot. */
int manager_load_sensor(Manager *m);

/* Opens where alerts go and adds every event source. The last thing that may need privilege. */
int manager_open(Manager *m);

/* Says that the watch is on, and runs until SIGTERM or SIGINT (0) or until it cannot go on (negative). */
int manager_run(Manager *m);
