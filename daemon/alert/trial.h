/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The first hour of a policy: a class whose denials hit trusted programs of several services falls back to a
 * dry run, so that a wrong rule does not take a fleet down.
 *
 * A thief must not be able to end the enforcement of a class by its own denials, whatever it executes. So a
 * denial counts only if nobody but root can have caused it:
 *
 * - the file belongs to root, and was opened by root: a user's own file, or one that a user's process opens,
 *   never counts;
 * - the same program opened the file and sent the data: nothing that a service starts for others;
 * - only root can change what it executes, and it has run no other code since, see BW_PROCESS_FLAGS;
 * - it, and each ancestor up to PID 1, executes this program: cron, at and mail servers run commands for
 * users, and these are other programs than the service itself;
 * - it is in a service of the system's manager, whose cgroup a user cannot enter.
 *
 * And services are counted, not denials: an intruder who can make a service of root's do anything
 * has one. Instances of a template are one service, as a client may start them (socket units with
 * Accept=yes). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/policy.h"
#include "event/decode.h"

/* A class falls back when so many services were hit. One or two mistakes in the rules of a class are what a
 * dry run is for; an intruder who holds three services of root's holds the machine. */
#define TRIAL_SERVICES 3

/* Longer names are cut: what is the same until here is one service. */
#define TRIAL_SERVICE_SIZE 80

typedef struct Trial {
        uint64_t policy; /* its identity: a reload of the same policy is none */
        char services[BW_CLASSES_MAX][TRIAL_SERVICES][TRIAL_SERVICE_SIZE];
} Trial;

/* The service that a denial counts for, in ret, of TRIAL_SERVICE_SIZE bytes: "nginx.service",
 * "foo@.service". False: it does not count. classes: those that were denied. */
bool trial_service(const EventCorrelation *c, uint64_t classes, char *ret);

/* Counts a denial of these classes by the policy in force, which has this identity. Returns those that have
 * to fall back by it, bit n for class n; t->services has the services. */
uint64_t trial_count(Trial *t, uint64_t policy, const EventCorrelation *c, uint64_t classes);
