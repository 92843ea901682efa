/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The journal entry of an alert, parsed. Include cmocka.h first. */

#include <stdlib.h>

#include "alert-fixture.h"
#include "journal-datagram.h"
#include "sink/entry.h"

typedef struct Sent {
        char *data;
        Datagram d;
} Sent;

static inline Sent *sent_free(Sent *s) {
        if (s)
                free(s->data);
        free(s);
        return NULL;
}
DEFINE_CLEANUP(Sent, sent_free);

static inline Alert *alert_of(const Event *e) {
        Alert *a = NULL;

        assert_int_equal(alert_new(e, &policy, &names, &epoch, 0, &a), 0);
        return a;
}

static inline Sent *sent_of(const Alert *a) {
        Sent *s = calloc(1, sizeof(*s));
        _cleanup_free_ char *json = alert_line(a);
        size_t size;

        assert_non_null(s);
        assert_int_equal(journal_entry_from_alert(a, json, &s->data, &size), 0);
        assert_true(datagram_parse(s->data, size, &s->d));
        return s;
}

static inline Sent *sent_of_event(const Event *e) {
        _cleanup_(alert_freep) Alert *a = alert_of(e);

        return sent_of(a);
}
