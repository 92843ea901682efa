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

static json_t *globs_to_json(const PolicyGlob *globs, size_t n) {
        json_auto_t *array = json_array();

        for (size_t i = 0; i < n; i++)
                if (json_array_append_new(array, text_to_json(globs[i].glob)) < 0)
                        return NULL;
        return STEAL_PTR(array);
}

static json_t *strings_to_json(char *const *strings, size_t n) {
        json_auto_t *array = json_array();

        for (size_t i = 0; i < n; i++)
                if (json_array_append_new(array, text_to_json(strings[i])) < 0)
                        return NULL;
        return STEAL_PTR(array);
}

static json_t *origin_to_json(const PolicyOrigin *o) {
        _cleanup_free_ char *text = NULL;

        if (asprintf(&text, "%s:%u", o->file, o->line) < 0) {
                text = NULL;
                return NULL;
        }
        return text_to_json(text);
}

/* As Destination= takes it: ADDRESS/PREFIX:PORTS, an IPv6 one in brackets. */
static json_t *destination_to_json(const PolicyDestination *d) {
        bool v6 = d->family == AF_INET6;
        char address[INET6_ADDRSTRLEN], ports[16] = "", text[96];

        (void)inet_ntop(d->family, d->address, address, sizeof(address));
        if (d->port_first == d->port_last)
                (void)snprintf(ports, sizeof(ports), ":%u", d->port_first);
        else if (d->port_first > 0 || d->port_last < UINT16_MAX)
                (void)snprintf(ports, sizeof(ports), ":%u-%u", d->port_first, d->port_last);
        (void)snprintf(text, sizeof(text), "%s%s/%u%s%s", v6 && ports[0] ? "[" : "", address, d->prefix,
                v6 && ports[0] ? "]" : "", ports);
        return json_string(text);
}

static json_t *destinations_to_json(const PolicyAllow *a) {
        json_auto_t *array = json_array();

        for (size_t i = 0; i < a->n_destinations; i++)
                if (json_array_append_new(array, destination_to_json(&a->destinations[i])) < 0)
                        return NULL;
        return STEAL_PTR(array);
}

static json_t *class_to_json(const PolicyClass *c) {
        return json_pack("{s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:s?, s:o}",
                "name", text_to_json(c->name),
                "description", c->description ? text_to_json(c->description) : json_null(),
                "paths", globs_to_json(c->paths, c->n_paths),
                "excludes", globs_to_json(c->excludes, c->n_excludes),
                "techniques", strings_to_json(c->techniques, c->n_techniques),
                "window_usec", (json_int_t)c->window_usec,
                "score", (json_int_t)c->score,
                "severity", c->severity < 0 ? NULL : severity_to_string(c->severity),
                "origin", origin_to_json(&c->origin));
}

static json_t *allow_to_json(const PolicyAllow *a) {
        return json_pack("{s:o, s:o, s:o, s:o, s:o}",
                "name", text_to_json(a->name),
                "classes", strings_to_json(a->classes, a->n_classes),
                "exes", globs_to_json(a->exes, a->n_exes),
                "destinations", destinations_to_json(a),
                "origin", origin_to_json(&a->origin));
}

json_t *policy_to_json(const Policy *p) {
        json_auto_t *classes = json_array(), *allows = json_array();

        for (size_t i = 0; i < p->n_classes; i++)
                if (json_array_append_new(classes, class_to_json(&p->classes[i])) < 0)
                        return NULL;
        for (size_t i = 0; i < p->n_allows; i++)
                if (json_array_append_new(allows, allow_to_json(&p->allows[i])) < 0)
                        return NULL;
        return json_pack("{s:O, s:O}", "classes", classes, "allows", allows);
}
