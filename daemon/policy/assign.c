/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/assign.h"
#include "policy/list.h"
#include "policy/values.h"

typedef union Item {
        char *string; /* the first member of each of those with one */
        PolicyGlob glob;
        PolicyName name;
        PolicyUser user;
        PolicyAddress destinations[VALUE_ADDRESSES_MAX];
        PolicyPorts ports;
} Item;

/* Parses one item of a list, which may stand for up to VALUE_ADDRESSES_MAX items. */
static int item_parse(const KeyInfo *k, const char *text, Item *ret, size_t *ret_n, ValueError *ret_error) {
        *ret_n = 1;
        switch (k->type) {
        case KEY_ADDRESSES:
        case KEY_NETWORKS:
                return value_parse_address(
                                text, k->type == KEY_ADDRESSES, ret->destinations, ret_n, ret_error);
        case KEY_PORTS:
                return value_parse_ports(text, &ret->ports, ret_error);
        default:
                return k->check ? k->check(text, ret_error) : 0;
        }
}

static int item_append(PolicyReader *reader, const KeyInfo *k, char *section) {
        const Lexer *l = &reader->lexer;
        size_t *n_items = (size_t *)(section + k->n_field), n;
        ValueError e;
        Item item = {};

        int r = item_parse(k, l->item, &item, &n, &e);
        if (r == -EINVAL)
                return reader_error_at(reader, lexer_item_origin(l, MIN(e.offset, l->n_item)), "%s=: %s",
                                k->key, e.text);
        if (r < 0)
                return r;
        if (*n_items + n > POLICY_ITEMS_MAX)
                return -E2BIG;

        for (size_t i = 0; r >= 0 && i < n; i++) {
                char *bytes = (char *)&item + i * k->item;
                PolicyOrigin origin = lexer_item_origin(l, 0);

                if (k->type == KEY_STRINGS) {
                        item.string = strdup(l->item);
                        if (!item.string)
                                return -ENOMEM;
                }
                if (k->origin > 0)
                        memcpy(bytes + k->origin, &origin, sizeof(origin));
                r = policy_list_append(section + k->field, n_items, k->item, bytes);
                if (r < 0 && k->type == KEY_STRINGS)
                        free(item.string);
        }
        return r;
}

static int list_assign(PolicyReader *reader, const KeyInfo *k, char *section, size_t value) {
        Lexer *l = &reader->lexer;
        ValueError e;
        int r;

        while ((r = lexer_read_item(l, &value, &e)) != 0) {
                r = r > 0 ? item_append(reader, k, section)
                          : reader_error_at(reader, lexer_origin(l, e.offset), "%s=: %s", k->key, e.text);
                if (r == -E2BIG)
                        return reader_error_at(reader, lexer_item_origin(l, 0),
                                        "more than %u items in %s=: use patterns, or split the section in "
                                        "two",
                                        POLICY_ITEMS_MAX, k->key);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int scalar_parse(const KeyInfo *k, const char *text, uint64_t *ret, ValueError *ret_error) {
        Severity severity;
        int64_t number;
        int r;

        switch (k->type) {
        case KEY_SPAN:
                return value_parse_timespan(text, k->min, k->max, ret, ret_error);
        case KEY_SIZE:
                return value_parse_size(text, k->min, k->max, ret, ret_error);
        case KEY_BOOL:
                return value_parse_bool(text, ret, ret_error);
        case KEY_PASSES:
                return value_parse_passes(text, ret, ret_error);
        case KEY_SEVERITY:
                severity = severity_from_string(text);
                if (severity < SEVERITY_LOW)
                        return value_error(ret_error, 0,
                                        "must be low, medium or high, or empty to follow from the score");
                *ret = (uint64_t)severity;
                return 0;
        case KEY_CHOICE:
                return value_parse_choice(text, k->choices, ret, ret_error);
        default:
                r = value_parse_number(text, (int64_t)k->min, (int64_t)k->max, &number, ret_error);
                if (r == 0)
                        *ret = (uint64_t)number;
                return r;
        }
}

static int key_assign(PolicyReader *reader, const KeyInfo *k, size_t value) {
        char *section = section_item(reader->policy, reader->section, reader->index);
        const char *text = reader->lexer.line + value;
        uint64_t number;
        ValueError e;
        int r;

        if (!*text) {
                key_reset(k, section);
                return 0;
        }
        if (k->item > 0)
                return list_assign(reader, k, section, value);

        r = k->type == KEY_TEXT ? value_check_utf8(text, &e) : scalar_parse(k, text, &number, &e);
        if (r < 0)
                return reader_error(reader, value + e.offset, "%s=: %s", k->key, e.text);
        if (k->type != KEY_TEXT) {
                key_set(k, section, number);
                return 0;
        }

        char *copy = strdup(text);
        if (!copy)
                return -ENOMEM;
        key_reset(k, section);
        *(char **)(section + k->field) = copy;
        return 0;
}

static int report_unknown_key(PolicyReader *reader, size_t offset, const char *key) {
        char quoted[VALUE_QUOTE_SIZE], known[128] = "";
        ValueNearest nearest = {};

        /* A key of earlier snapshots: the rule would mean another thing without it. */
        if (reader->section == SECTION_ALLOW && strcmp(key, "Output") == 0)
                return reader_error(reader, offset,
                                "Output= is gone: Passes= names all that a rule passes on, write "
                                "Passes=children for Output=clean");
        (void)value_quote(key, strlen(key), quoted);
        for (const KeyInfo *k = policy_keys; k->key; k++)
                if (k->section == reader->section) {
                        size_t n = strlen(known);

                        value_consider(&nearest, key, k->key);
                        (void)snprintf(known + n, sizeof(known) - n, " %s=", k->key);
                }
        if (nearest.name)
                return reader_error(
                                reader, offset, "unknown key %s=, did you mean %s=?", quoted, nearest.name);

        for (const KeyInfo *k = policy_keys; k->key; k++)
                if (strcmp(key, k->key) == 0)
                        return reader_error(reader, offset, "%s= belongs in %s, not in %s", key,
                                        policy_sections[k->section].header,
                                        policy_sections[reader->section].header);
        return reader_error(reader, offset, "unknown key %s=: %s has%s", quoted,
                        policy_sections[reader->section].header, known);
}

int reader_assign(PolicyReader *reader, size_t key, size_t value) {
        const char *name = reader->lexer.line + key;

        for (const KeyInfo *k = policy_keys; k->key; k++)
                if (k->section == reader->section && strcmp(k->key, name) == 0)
                        return key_assign(reader, k, value);
        return report_unknown_key(reader, key, name);
}
