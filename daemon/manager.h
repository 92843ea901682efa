/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The daemon: barbwired.c starts it in order, manager.c owns the event loop and all state, listing.c lists
 * marks, activity.c shows what processes do, privilege.c drops what startup needed, status.c answers
 * queries.
 *
 * These files may include every folder but client/. No folder may include them. Here alone all of them meet:
 * ring → decode → alert → sink, with signals, reload, losses and repeats. */

#include <stdbool.h>
#include <sys/types.h>

#include "sink/sink.h"
#include "sensor/hooks.h"
#include "basic/util.h"

typedef struct ManagerOptions {
        const char *config_file;  /* --config=, or NULL */
        char *const *policy_dirs; /* --policy-dir=, NULL-terminated, or NULL for the standard directories */
        const char *listen_path;  /* --listen=, or NULL: only a socket that systemd passed */
        AlertFormat format;
        SensorKind sensor; /* --sensor= */
} ManagerOptions;

typedef struct Manager Manager;

/* All of these log their errors where the cause is known. options must outlive the manager. */
int manager_new(const ManagerOptions *options, Manager **ret);
Manager *manager_free(Manager *m);
DEFINE_CLEANUP(Manager, manager_free);

/* Reads and compiles the policy. A bad line is reported and skipped. */
int manager_load_policy(Manager *m);

/* Loads the programs, writes the policy and attaches them. -EOPNOTSUPP: this kernel is not supported. */
int manager_load_sensor(Manager *m);

/* Opens the sink and the query socket, and adds every event source. The last step that may need privilege.
 */
int manager_open(Manager *m);

/* Logs that it is armed, and runs until SIGTERM or SIGINT (0) or a fatal error (negative). */
int manager_run(Manager *m);
