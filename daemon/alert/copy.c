/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <string.h>

#include <nettle/sha2.h>

#include "alert/copy.h"
#include "alert/recorded.h"
#include "basic/escape.h"
#include "basic/json-util.h"
#include "basic/util.h"

/* Without what a repeat adds to it (alert/sentence.c). */
static size_t sentence_length(const json_t *alert) {
        static const char *const added[] = { " (repeated ", " (and " };
        const char *text = recorded_string(alert, "summary"), *end = NULL;
        bool repeated = json_integer_value(json_object_get(alert, "repeats")) > 0;

        for (size_t i = 0; i < ELEMENTSOF(added) && repeated; i++)
                for (const char *c = text; (c = strstr(c, added[i])); c++)
                        end = !end || c > end ? c : end;
        return end ? (size_t)(end - text) : strlen(text);
}

/* All that copies have in common: equal texts for equal values. */
static char *common_text(const json_t *alert) {
        static const char *const changed[] = { "repeats", "delayed_ms" };
        json_auto_t *copy = json_copy((json_t *)alert);

        if (!copy || json_object_set_new(copy, "summary",
                                     json_stringn(recorded_string(alert, "summary"),
                                                     sentence_length(alert))) < 0)
                return NULL;
        for (size_t i = 0; i < ELEMENTSOF(changed); i++)
                (void)json_object_del(copy, changed[i]);
        return json_dumps(copy, JSON_COMPACT | JSON_SORT_KEYS);
}

int alert_is_copy(const json_t *a, const json_t *b) {
        _cleanup_free_ char *x = common_text(a), *y = common_text(b);

        return x && y ? strcmp(x, y) == 0 : -ENOMEM;
}

int alert_copy_key(const json_t *alert, char ret[static ALERT_COPY_KEY_SIZE]) {
        _cleanup_free_ char *text = common_text(alert);
        uint8_t digest[(ALERT_COPY_KEY_SIZE - 1) / 2];
        struct sha256_ctx hash;

        if (!text)
                return -ENOMEM;
        sha256_init(&hash);
        sha256_update(&hash, strlen(text), (const uint8_t *)text);
        sha256_digest(&hash, sizeof(digest), digest);
        text_hex(digest, sizeof(digest), ret);
        return 0;
}
