/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* A policy from a text, and what is said of it. Include cmocka.h first. */

#include <string.h>

#include "../../daemon/policy-file.h"

static inline Policy *parsed(const char *text, size_t n) {
        Policy *p = NULL;

        assert_int_equal(policy_new(&p), 0);
        assert_int_equal(policy_parse(p, "f", text, n), 0);
        return p;
}

static inline Policy *finished(const char *text) {
        Policy *p = parsed(text, strlen(text));

        assert_int_equal(policy_finish(p), 0);
        return p;
}

static inline void dump(const Policy *p) {
        for (size_t i = 0; i < p->n_messages; i++) {
                _cleanup_free_ char *s = policy_message_format(p->messages + i);
                print_message("        %s\n", s);
        }
}

/* The whole message must begin with `at` and contain `contains`. */
static inline void expect(const Policy *p, size_t i, const char *at, const char *contains) {
        if (i >= p->n_messages) {
                dump(p);
                fail_msg("message %zu is missing: %s %s", i, at, contains);
        }

        _cleanup_free_ char *s = policy_message_format(p->messages + i);
        assert_non_null(s);
        if (strncmp(s, at, strlen(at)) != 0 || !strstr(s, contains)) {
                dump(p);
                fail_msg("wanted \"%s … %s …\", got \"%s\"", at, contains, s);
        }
}
