/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <arpa/inet.h>
#include <string.h>

#include "json-line.h"
#include "policy-json.h"
#include "util.h"

/* All of these return NULL when memory is short, which makes the caller's json_pack() fail. */

static json_t *text_to_json(const char *text) {
        return json_from_bytes(text, strlen(text));
}

/* Items of `size` bytes that begin with a string. */
static json_t *list_to_json(const void *items, size_t n, size_t size) {
        json_auto_t *array = json_array();

        for (size_t i = 0; i < n; i++)
                if (json_array_append_new(array, text_to_json(*(char *const *)((const char *)items + i * size))) < 0)
                        return NULL;
        return STEAL_PTR(array);
}
#define LIST(items, n) list_to_json(items, n, sizeof(*(items)))

static json_t *origin_to_json(const PolicyOrigin *o) {
        _cleanup_free_ char *text = NULL;

        if (asprintf(&text, "%s:%u", o->file, o->line) < 0) {
                text = NULL;
                return NULL;
        }
        return text_to_json(text);
}

static json_t *description_to_json(const char *text) {
        return text ? text_to_json(text) : json_null();
}

/* As Port= takes it; "" for every port. */
static const char *ports_format(unsigned first, unsigned last, char ret[static 16]) {
        ret[0] = 0;
        if (first == last)
                (void)snprintf(ret, 16, "%u", first);
        else if (first > 0 || last < UINT16_MAX)
                (void)snprintf(ret, 16, "%u-%u", first, last);
        return ret;
}

/* As Destination= takes it: ADDRESS/PREFIX:PORTS, an IPv6 one in brackets. */
static json_t *destinations_to_json(const PolicyDestination *d, size_t n) {
        json_auto_t *array = json_array();

        for (; n > 0; n--, d++) {
                char address[INET6_ADDRSTRLEN], ports[16], text[96];

                (void)inet_ntop(d->family, d->address, address, sizeof(address));
                bool port = ports_format(d->port_first, d->port_last, ports)[0];
                bool brackets = port && d->family == AF_INET6;
                (void)snprintf(text, sizeof(text), "%s%s/%u%s%s%s", brackets ? "[" : "", address, d->prefix,
                        brackets ? "]" : "", port ? ":" : "", ports);
                if (json_array_append_new(array, json_string(text)) < 0)
                        return NULL;
        }
        return STEAL_PTR(array);
}

static json_t *ports_to_json(const PolicyPorts *p, size_t n) {
        json_auto_t *array = json_array();
        char text[16];

        for (; n > 0; n--, p++)
                if (json_array_append_new(array,
                                    json_string(ports_format(p->first, p->last, text)[0] ? text : "*")) < 0)
                        return NULL;
        return STEAL_PTR(array);
}

static json_t *class_to_json(const void *section) {
        const PolicyClass *c = section;

        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:s?, s:o}",
                "name", text_to_json(c->name),
                "description", description_to_json(c->description),
                "paths", LIST(c->paths, c->n_paths),
                "excludes", LIST(c->excludes, c->n_excludes),
                "techniques", LIST(c->techniques, c->n_techniques),
                "window_usec", (json_int_t)c->window_usec,
                "late_window_usec", (json_int_t)c->late_window_usec,
                "score", (json_int_t)c->score,
                "severity", c->severity < 0 ? NULL : severity_to_string(c->severity),
                "origin", origin_to_json(&c->origin));
}

static json_t *allow_to_json(const void *section) {
        const PolicyAllow *a = section;

        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:s}",
                "name", text_to_json(a->name),
                "classes", LIST(a->classes, a->n_classes),
                "exes", LIST(a->exes, a->n_exes),
                "scripts", LIST(a->scripts, a->n_scripts),
                "units", LIST(a->units, a->n_units),
                "users", LIST(a->users, a->n_users),
                "ancestors", LIST(a->ancestors, a->n_ancestors),
                "container", a->container,
                "destinations", destinations_to_json(a->destinations, a->n_destinations),
                "origin", origin_to_json(&a->origin),
                "output", a->clean ? "clean" : "secret");
}

static json_t *carrier_to_json(const void *section) {
        const PolicyCarrier *c = section;

        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:i, s:o, s:b}",
                "name", text_to_json(c->who.name),
                "description", description_to_json(c->description),
                "classes", LIST(c->who.classes, c->who.n_classes),
                "exes", LIST(c->who.exes, c->who.n_exes),
                "units", LIST(c->who.units, c->who.n_units),
                "users", LIST(c->who.users, c->who.n_users),
                "paths", LIST(c->paths, c->n_paths),
                "egress", c->egress,
                "score", c->score,
                "origin", origin_to_json(&c->who.origin),
                "terminal", c->terminal);
}

static json_t *lineage_to_json(const void *section) {
        const PolicyLineage *l = section;

        return json_pack("{s:o, s:o, s:o, s:o, s:i, s:o}",
                "name", text_to_json(l->name),
                "description", description_to_json(l->description),
                "exes", LIST(l->exes, l->n_exes),
                "units", LIST(l->units, l->n_units),
                "score", l->score,
                "origin", origin_to_json(&l->origin));
}

static json_t *peer_to_json(const void *section) {
        const PolicyPeer *d = section;

        return json_pack("{s:o, s:o, s:o, s:o, s:i, s:b, s:o}",
                "name", text_to_json(d->name),
                "description", description_to_json(d->description),
                "addresses", destinations_to_json(d->addresses, d->n_addresses),
                "ports", ports_to_json(d->ports, d->n_ports),
                "score", d->score,
                "ignore", d->ignore,
                "origin", origin_to_json(&d->origin));
}

static json_t *sections_to_json(const void *sections, size_t n, size_t size, json_t *(*to_json)(const void *section)) {
        json_auto_t *array = json_array();

        for (size_t i = 0; i < n; i++)
                if (json_array_append_new(array, to_json((const char *)sections + i * size)) < 0)
                        return NULL;
        return STEAL_PTR(array);
}
#define SECTIONS(sections, n, to_json) sections_to_json(sections, n, sizeof(*(sections)), to_json)

json_t *policy_to_json(const Policy *p) {
        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:{s:i, s:i, s:i}}",
                "classes", SECTIONS(p->classes, p->n_classes, class_to_json),
                "allows", SECTIONS(p->allows, p->n_allows, allow_to_json),
                "carriers", SECTIONS(p->carriers, p->n_carriers, carrier_to_json),
                "lineages", SECTIONS(p->lineages, p->n_lineages, lineage_to_json),
                "destinations", SECTIONS(p->peers, p->n_peers, peer_to_json),
                "scoring", "alert", (int)p->scoring.alert, "medium", (int)p->scoring.medium, "high",
                (int)p->scoring.high);
}
