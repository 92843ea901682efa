/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* A conversation with barbwired over its socket. Every error is said on standard error, with the remedy,
 * before it is returned: callers pass it on in silence. */

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "util.h"

#define CTL_SOCKET_PATH "/run/barbwire/io.barbwire.Barbwire"

/* A first connection may start the service, which takes some seconds; sd-varlink's clients wait as long. */
#define CTL_TIMEOUT_USEC (45 * USEC_PER_SEC)

typedef struct CtlClient CtlClient;

/* may_start: a connection to CTL_SOCKET_PATH makes systemd start the service. false: it is left as it is,
 * and not running is -ENOTCONN. */
int ctl_client_new(const char *socket_path, bool may_start, CtlClient **ret);
/* The same, but says nothing of why it cannot. */
int ctl_client_try(const char *socket_path, bool may_start, CtlClient **ret);
CtlClient *ctl_client_free(CtlClient *c);
DEFINE_CLEANUP(CtlClient, ctl_client_free);

/* method: without the interface. parameters: or NULL for none. more: there may be several replies. */
int ctl_client_send(CtlClient *c, const char *method, json_t *parameters, bool more);

/* The next reply's parameters, a new reference to an object. 1: more replies follow; 0: it was the last one;
 * -ETIME, of which nothing is said: none within the time, UINT64_MAX being any. */
int ctl_client_receive(CtlClient *c, uint64_t timeout_usec, json_t **ret);

/* Says that an answer lacks what it must have, and returns -EBADMSG. */
int ctl_client_malformed(void);

/* A call with one reply. */
int ctl_client_call(CtlClient *c, const char *method, json_t *parameters, json_t **ret);
