/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Parses a datagram of journald's native protocol, for the tests of the code that writes it. Contains no
 * assertions. */

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct Field {
        char name[65];
        const char *data; /* into the datagram */
        size_t size;
} Field;

typedef struct Datagram {
        Field fields[1024]; /* journald accepts no more in one entry */
        size_t n;
} Datagram;

/* As journald's journal_field_valid() does it for clients. */
static inline bool field_name_is_valid(const char *name, size_t size) {
        if (size == 0 || size > 64 || name[0] == '_' || (name[0] >= '0' && name[0] <= '9'))
                return false;
        for (size_t i = 0; i < size; i++)
                if (!((name[i] >= 'A' && name[i] <= 'Z') || (name[i] >= '0' && name[i] <= '9') ||
                                    name[i] == '_'))
                        return false;
        return true;
}

/* false: journald would drop some of it. */
static inline bool datagram_parse(const char *data, size_t size, Datagram *ret) {
        const char *end = data + size;

        ret->n = 0;
        while (data < end) {
                const char *newline = memchr(data, '\n', (size_t)(end - data));
                if (!newline || ret->n == sizeof(ret->fields) / sizeof(ret->fields[0]))
                        return false;
                const char *equals = memchr(data, '=', (size_t)(newline - data));
                const char *name_end = equals ? equals : newline;
                Field *f = &ret->fields[ret->n++];

                if (!field_name_is_valid(data, (size_t)(name_end - data)))
                        return false;
                memset(f->name, 0, sizeof(f->name));
                memcpy(f->name, data, (size_t)(name_end - data));
                if (equals) {
                        f->data = equals + 1;
                        f->size = (size_t)(newline - f->data);
                } else {
                        uint64_t length;

                        if ((size_t)(end - newline - 1) < sizeof(length))
                                return false;
                        memcpy(&length, newline + 1, sizeof(length));
                        f->data = newline + 1 + sizeof(length);
                        f->size = (size_t)le64toh(length);
                        if (f->size >= (size_t)(end - f->data) || f->data[f->size] != '\n')
                                return false;
                }
                data = f->data + f->size + 1;
        }
        return true;
}

/* The n-th instance of the field, from 0 on; NULL: none. */
static inline const Field *datagram_nth(const Datagram *d, const char *name, size_t n) {
        for (size_t i = 0; i < d->n; i++)
                if (strcmp(d->fields[i].name, name) == 0 && n-- == 0)
                        return &d->fields[i];
        return NULL;
}

static inline size_t datagram_count(const Datagram *d, const char *name) {
        size_t n = 0;

        while (datagram_nth(d, name, n))
                n++;
        return n;
}

static inline void assert_nth(const Datagram *d, const char *name, size_t n, const void *data, size_t size) {
        const Field *f = datagram_nth(d, name, n);

        assert_non_null(f);
        assert_int_equal(f->size, size);
        assert_memory_equal(f->data, data, size);
}

static inline void assert_only(const Datagram *d, const char *name, const char *value) {
        assert_int_equal(datagram_count(d, name), 1);
        assert_nth(d, name, 0, value, strlen(value));
}
