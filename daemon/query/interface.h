/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The interfaces of the query socket, as Varlink describes them. No code. */

#define BARBWIRE_INTERFACE "io.barbwire.Barbwire"
#define SERVICE_INTERFACE "org.varlink.service"

typedef struct QueryInterface {
        const char *name, *description;
} QueryInterface;

#define QUERY_INTERFACES 2
extern const QueryInterface query_interfaces[QUERY_INTERFACES];
