/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The reasons of a score, to compare them with a text. Include cmocka.h first. */

#include <stdbool.h>
#include <stdio.h>

#include "alert/score.h"

/* expected: lines of "POINTS TEXT"; sign: a positive number has its sign. Also compares the sum. */
static inline void assert_score_lines(const Score *s, bool sign, int score, const char *expected) {
        char lines[4096] = "";
        size_t n = 0;
        int sum = 0;

        for (size_t i = 0; i < s->n_reasons; i++) {
                int points = s->reasons[i].points;

                n += (size_t)snprintf(lines + n, sizeof(lines) - n, "%s%d %s\n",
                                sign && points >= 0 ? "+" : "", points, s->reasons[i].text);
                sum += points;
        }
        assert_string_equal(lines, expected);
        assert_int_equal(s->score, score);
        assert_int_equal(sum, score);
}
