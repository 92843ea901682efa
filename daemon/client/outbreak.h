/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Outbreaks: the same on several hosts at nearly the same time, which no single host can notice. Pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "client/rows.h"

/* The least number of hosts, and within which time. A worm takes minutes; administrators who roll something
 * out wait for a day. */
#define OUTBREAK_HOSTS 3
#define OUTBREAK_USEC (UINT64_C(3600) * 1000000)

/* A policy change is said where a member's host had it so long before the first alert: jobs run once a day.
 */
#define OUTBREAK_POLICY_USEC (24 * OUTBREAK_USEC)

/* As many causes are named; the rest is counted. */
#define OUTBREAK_CAUSES_MAX 4

typedef struct OutbreakCause {
        const char *what;  /* AlertRow.program, or AlertRow.address */
        const char *class; /* of the program's files; NULL: it is an address */
} OutbreakCause;

typedef struct Outbreak {
        uint64_t first_usec, last_usec;
        size_t n_hosts, n_alerts;
        const char *id; /* of its first alert */
        OutbreakCause causes[OUTBREAK_CAUSES_MAX];
        size_t n_causes;  /* may be more than are named */
        size_t n_changed; /* hosts whose policy had changed before; set by the caller */
        const char *changed_host;
        uint64_t changed_usec; /* the latest of those changes, and where it was */
} Outbreak;

/* Whether a rule of the policy names that address ("192.0.2.7 443"). */
typedef bool (*OutbreakNamed)(const char *address, void *userdata);

/* Links the alerts, raises their severity by one, and returns the outbreaks, the earliest first:
 * AlertRow.outbreak is the index there, plus 1. rows: sorted. named: NULL where no policy is known. -ENOMEM.
 */
int outbreaks_find(AlertRows *rows, OutbreakNamed named, void *userdata, Outbreak **ret, size_t *ret_n);

/* In words: "the program /opt/x (class ssh-private-keys); the destination 192.0.2.7 port 443". Newly
 * allocated; NULL: out of memory. */
char *outbreak_causes(const Outbreak *o);

/* The member "outbreak" of the JSON of its alerts. before: the alert's own severity. NULL: out of memory. */
json_t *outbreak_to_json(const Outbreak *o, Severity before);
