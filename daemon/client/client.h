/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* A connection to barbwired. Every error is printed on standard error, with the remedy, before it is
 * returned: callers only pass it on. */

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "basic/util.h"

#define CTL_SOCKET_PATH "/run/barbwire/io.barbwire.Barbwire"

/* The first connection may activate the service, which takes some seconds; sd-varlink's clients wait as
 * long. */
#define CTL_TIMEOUT_USEC (45 * USEC_PER_SEC)

typedef struct CtlClient CtlClient;

/* All connections are made over ssh to that host ("[USER@]HOST"), by `barbwirectl bridge` there, which does
 * not start the service. NULL: here. */
void ctl_client_set_host(const char *host);
/* Its name without the user; NULL: here. */
const char *ctl_client_host(void);

/* may_start: connecting to CTL_SOCKET_PATH may make systemd activate the service. Otherwise, a service that
 * is not running is -ENOTCONN. */
int ctl_client_new(const char *socket_path, bool may_start, CtlClient **ret);
/* The same, without printing errors. */
int ctl_client_try(const char *socket_path, bool may_start, CtlClient **ret);
CtlClient *ctl_client_free(CtlClient *c);
DEFINE_CLEANUP(CtlClient, ctl_client_free);

/* For poll(2). */
int ctl_client_fd(const CtlClient *c);

/* method: without the interface. parameters: NULL for none. more: ask for several replies. */
int ctl_client_send(CtlClient *c, const char *method, json_t *parameters, bool more);

/* Waits for the next reply and returns its parameters, a new reference to an object. 1: more replies follow;
 * 0: it was the last one; -ETIME, which is not printed: none came within timeout_usec (UINT64_MAX: no
 * limit). */
int ctl_client_receive(CtlClient *c, uint64_t timeout_usec, json_t **ret);

/* Copies between standard input and output and the daemon, until one of them ends. */
int ctl_client_bridge(CtlClient *c);

/* Prints that a reply lacks a required member, and returns -EBADMSG. */
int ctl_client_malformed(void);

/* Sends a call that has one reply, and waits for it. */
int ctl_client_call(CtlClient *c, const char *method, json_t *parameters, json_t **ret);

/* One such call, on a connection of its own. may_start: see ctl_client_new(). */
int ctl_client_ask(const char *socket_path, bool may_start, const char *method, json_t *parameters,
                json_t **ret);
