/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <arpa/inet.h>
#include <string.h>

#include "basic/json-util.h"
#include "basic/util.h"
#include "policy/json.h"
#include "policy/schema.h"
#include "policy/values.h"

/* All of these return NULL when out of memory, which makes json_object_set_new() and json_array_append_new()
 * fail. */

static json_t *text_to_json(const char *text) {
        return json_from_bytes(text, strlen(text));
}

/* Items of `size` bytes that begin with a string. */
static json_t *strings_to_json(const char *items, size_t n, size_t size) {
        json_auto_t *array = json_array();

        for (size_t i = 0; i < n; i++)
                if (json_array_append_new(array, text_to_json(*(char *const *)(items + i * size))) < 0)
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
static json_t *addresses_to_json(const PolicyAddress *d, size_t n) {
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

static json_t *key_to_json(const KeyInfo *k, const char *item) {
        const void *field = item + k->field;
        void *const *list = field; /* of the types that are lists or texts only: others are not as large */
        size_t n = k->item > 0 ? *(const size_t *)(item + k->n_field) : 0;
        char passes[VALUE_PASSES_SIZE];
        Severity severity;

        switch (k->type) {
        case KEY_STRINGS:
                return strings_to_json(*list, n, k->item);
        case KEY_ADDRESSES:
        case KEY_NETWORKS:
                return addresses_to_json(*list, n);
        case KEY_PORTS:
                return ports_to_json(*list, n);
        case KEY_TEXT:
                return *list ? text_to_json(*list) : json_null();
        case KEY_UNSIGNED:
                return json_integer(*(const unsigned *)field);
        case KEY_INT:
                return json_integer(*(const int *)field);
        case KEY_BOOL:
                return json_boolean(*(const bool *)field);
        case KEY_PASSES:
                return json_string(value_format_passes(*(const unsigned *)field, passes));
        case KEY_CHOICE:
                return json_string(k->choices[*(const unsigned *)field]);
        case KEY_SEVERITY:
                severity = *(const Severity *)field;
                return severity < 0 ? json_null() : json_string(severity_to_string(severity));
        default:
                return json_integer((json_int_t) * (const uint64_t *)field);
        }
}

static json_t *item_to_json(Section s, const char *item) {
        const SectionInfo *info = &policy_sections[s];
        json_auto_t *o = json_object();
        int r = 0;

        if (info->size > 0)
                r = json_object_set_new(o, "name", text_to_json(*(char *const *)item));
        for (const KeyInfo *k = policy_keys; r == 0 && k->key; k++)
                if (k->section == s)
                        r = json_object_set_new(o, k->json, key_to_json(k, item));
        if (r == 0 && info->size > 0)
                r = json_object_set_new(
                                o, "origin", origin_to_json((const PolicyOrigin *)(item + info->origin)));
        return r == 0 ? STEAL_PTR(o) : NULL;
}

static json_t *section_to_json(const Policy *p, Section s) {
        const SectionInfo *info = &policy_sections[s];
        const char *items = (const char *)p + info->items;

        if (info->size == 0)
                return item_to_json(s, items);

        json_auto_t *array = json_array();
        size_t n = *(const size_t *)((const char *)p + info->n_items);
        for (size_t i = 0; i < n; i++)
                if (json_array_append_new(array, item_to_json(s, *(char *const *)items + i * info->size)) <
                                0)
                        return NULL;
        return STEAL_PTR(array);
}

json_t *policy_to_json(const Policy *p) {
        json_auto_t *o = json_object();

        for (Section s = SECTION_CLASS; s < _SECTION_MAX; s++)
                if (policy_sections[s].json &&
                                json_object_set_new(o, policy_sections[s].json, section_to_json(p, s)) < 0)
                        return NULL;
        return STEAL_PTR(o);
}
