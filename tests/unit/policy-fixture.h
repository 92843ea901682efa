/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* A policy from a text, and its messages. Include cmocka.h first. */

#include <string.h>

#include "abi/policy.h"
#include "policy/build.h"
#include "policy/check.h"
#include "policy/parse.h"
#include "policy/types.h"

static inline Policy *parsed(const char *text, size_t n) {
        Policy *p = NULL;

        assert_int_equal(policy_new(&p), 0);
        assert_int_equal(policy_parse(p, "f", text, n), 0);
        return p;
}

static inline Policy *finished_as(const char *file, const char *text) {
        Policy *p = NULL;

        assert_int_equal(policy_new(&p), 0);
        assert_int_equal(policy_parse(p, file, text, strlen(text)), 0);
        assert_int_equal(policy_finish(p), 0);
        return p;
}

static inline Policy *finished(const char *text) {
        return finished_as("f", text);
}

static inline void dump(const Policy *p) {
        for (size_t i = 0; i < p->n_messages; i++) {
                _cleanup_free_ char *s = policy_message_format(p->messages + i);
                print_message("        %s\n", s);
        }
}

/* The formatted message must begin with `at` and contain `contains`. */
static inline void expect_message(const PolicyMessage *m, const char *at, const char *contains) {
        _cleanup_free_ char *s = policy_message_format(m);

        assert_non_null(s);
        if (strncmp(s, at, strlen(at)) != 0 || !strstr(s, contains))
                fail_msg("wanted \"%s … %s …\", got \"%s\"", at, contains, s);
}

static inline void expect(const Policy *p, size_t i, const char *at, const char *contains) {
        if (i >= p->n_messages) {
                dump(p);
                fail_msg("message %zu is missing: %s %s", i, at, contains);
        }
        expect_message(p->messages + i, at, contains);
}

/* The rules whose User= names this user. */
static inline struct bw_bits rules_of_user(const struct bw_table *t, uint32_t uid) {
        struct bw_bits rules = {};

        for (const struct bw_user *u = t->users; u < t->users + BW_USERS_MAX && u->used; u++)
                if (u->uid == uid)
                        rules.word[u->rule / 64] |= UINT64_C(1) << u->rule % 64;
        return rules;
}
