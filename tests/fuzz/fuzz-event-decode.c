/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Any bytes → Event → Alert → sentence, text and JSON. Nothing may crash, nothing unprintable may come out,
 * and the JSON must be JSON that says what went in. */

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "alert/json.h"
#include "alert/details.h"
#include "alert/mark.h"
#include "alert/alert.h"
#include "basic/util.h"
#include "basic/escape.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *techniques[] = { (char *)"T1552.004", (char *)"T1041", NULL };
static PolicyClass classes[] = {
        { .name = (char *)"low\xff\n", .score = 10, .severity = _SEVERITY_INVALID },
        { .name = (char *)"high",
                        .description = (char *)"\x1b[31m\\",
                        .techniques = techniques,
                        .n_techniques = 2,
                        .score = 90,
                        .severity = SEVERITY_MEDIUM },
};
static PolicyGlob sockets[] = { { .glob = (char *)"/run/*.sock" } };
static PolicyCarrier carriers[] = {
        { .rule.name = (char *)"\x1b", .paths = sockets, .n_paths = 1, .egress = true, .score = -100 },
};
static const Policy policy = {
        .classes = classes,
        .n_classes = ELEMENTSOF(classes),
        .carriers = carriers,
        .n_carriers = ELEMENTSOF(carriers),
        .scoring = { .alert = 20, .medium = 40, .high = 70 },
};
static const PolicyNames names = {
        .class_names = { [0] = (char *)"low\xff\n", [1] = (char *)"high", [5] = (char *)"given-up" },
};

static const AlertEpoch epoch = {
        .realtime_minus_boottime_usec = 1795341901123456,
        .boot_id = "0123456789abcdef0123456789abcdef",
};

static void check(bool ok) {
        if (!ok)
                abort();
}

/* Complete UTF-8, no control character but the allowed one. */
static void check_printable(const char *text, uint32_t allowed) {
        for (size_t left = strlen(text); left > 0;) {
                uint32_t point;
                size_t n = utf8_sequence(text, left, &point);

                check(n > 0);
                check(point == allowed ||
                                (point >= 0x20 && point != 0x7f && !(point >= 0x80 && point < 0xa0)));
                text += n;
                left -= n;
        }
}

static void check_json(const Alert *a) {
        _cleanup_free_ char *line = NULL;
        json_auto_t *object = NULL;

        check(alert_to_json(a, &object, &line) == 0);
        check_printable(line, 0x7f);

        json_auto_t *root = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        check(root && json_equal(root, object));

        _cleanup_free_ char *text = alert_details(root, false);
        check(text);
        check_printable(text, '\n');

        check(json_array_size(json_object_get(root, "files")) == a->n_files);
        for (size_t i = 0; i < a->n_files; i++)
                check(json_array_size(json_object_get(json_array_get(json_object_get(root, "files"), i),
                                      "route")) == a->files[i].n_route);
        check(json_array_size(json_object_get(root, "lineage")) == a->n_lineage);
        check(strcmp(json_string_value(json_object_get(root, "id")), a->id) == 0);
}

static void check_score(const Score *s) {
        int sum = 0;

        for (size_t i = 0; i < s->n_reasons; i++)
                sum += s->reasons[i].points;
        check(sum == s->score && s->score >= 1 && s->score <= 100);
}

static void check_correlation(const Event *e) {
        _cleanup_(alert_freep) Alert *a = NULL;

        check(alert_new(e, &policy, &names, &epoch, 0, &a) == 0);
        check_score(&a->score);

        _cleanup_free_ char *sentence = alert_sentence(a);
        check(sentence);
        check_printable(sentence, 0x20);

        check_json(a);
}

static void check_line(const char *line) {
        json_auto_t *root = json_loads(line, JSON_REJECT_DUPLICATES, NULL);

        check(root);
        check_printable(line, 0x7f);
}

static void check_mark(const Event *e) {
        _cleanup_free_ char *line = NULL;

        check(mark_to_json(e, &policy, &names, &epoch, &line) == 0);
        check_line(line);
}

static void check_account(const EventAccount *a) {
        _cleanup_free_ char *line = NULL;

        check(account_to_json(a, &line) == 0);
        check_line(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        /* A block of exactly this size at an odd address: the sanitizers see any read that is too far or
         * taken to be aligned. */
        _cleanup_free_ char *block = malloc(size + 1);
        const char *why = NULL;
        Event e;

        check(block);
        if (size > 0)
                memcpy(block + 1, data, size);

        int r = event_decode(block + 1, size, &e, &why);
        check((r < 0) == (why != NULL));
        if (r == 0 && e.kind == BW_KIND_CORRELATION)
                check_correlation(&e);
        if (r == 0 && e.kind == BW_KIND_MARK)
                check_mark(&e);
        if (r == 0 && e.kind == BW_KIND_ACCOUNT)
                check_account(&e.account);
        return 0;
}
