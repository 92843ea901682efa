/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Any bytes as the alerts of a journal, one a line: what suggest, learn and --check --replay= make of them.
 * What they write is printable, and a policy that has no error; and learn takes back what it has written. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "alert/replay.h"
#include "basic/util.h"
#include "client/learn.h"
#include "policy/build.h"
#include "policy/check.h"
#include "policy/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char rules[] =
                "[Class keys]\nPath=/keys/* ~/.keys/*\n[Class more]\nPath=/more/*\n"
                "[Allow system]\nClass=keys\nExe=/opt/p\nDestination=192.0.2.7:443\n"
                "[Allow script]\nClass=keys\nExe=/usr/bin/perl\nScript=/opt/s.py\nUnit=p.service\n"
                "[Allow user]\nClass=more\nExe=~/bin/*\nUser=1000\nDestination=any:443\n";

static void check(bool ok) {
        if (!ok)
                abort();
}

static Policy *policy_of(const char *more) {
        Policy *p;

        check(policy_new(&p) == 0 && policy_parse(p, "fuzz.conf", rules, strlen(rules)) == 0 &&
                        (!more || policy_parse(p, "more.conf", more, strlen(more)) == 0) &&
                        policy_finish(p) == 0);
        return p;
}

/* Whatever an alert holds, a drop-in has no byte that a terminal obeys, and no error. */
static void check_text(const char *text) {
        _cleanup_(policy_freep) Policy *p = policy_of(text);

        for (const unsigned char *c = (const unsigned char *)text; *c; c++)
                check(*c == '\n' || (*c >= 0x20 && *c != 0x7f));
        check(p->n_errors == 0);
}

static void check_suggestion(const json_t *alert, const json_t *classes) {
        _cleanup_free_ char *text = NULL, *why = NULL;

        check(alert_suggest(alert, classes, NULL, &text, &why) == 0);
        check_text(text);
        check(!why || !strstr(text, "\n[Allow"));
}

static void look_nowhere(const char *path, ExplainProgram *ret) {
        *ret = (ExplainProgram){ .path = path, .seen = true, .regular = true, .kept = true };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static PolicyNames names;
        static PolicyTables *tables;
        static Policy *p;
        static json_t *classes;
        Learning l;

        if (!p) {
                PolicyMessage m = {};

                p = policy_of(NULL);
                check(p->n_errors == 0 && policy_compile(p, &names, 0, &tables, &m) == 0);
                classes = json_pack("[s, s]", "keys", "more");
                check(classes);
        }
        check(learn_new(p, &names, &l) == 0);
        for (size_t at = 0; at < size;) {
                const uint8_t *end = memchr(data + at, '\n', size - at) ?: data + size;
                json_auto_t *alert = json_loadb((const char *)data + at, (size_t)(end - data) - at, 0, NULL);
                Replay replay = {};

                at = (size_t)(end - data) + 1;
                if (!alert)
                        continue;
                int r = alert_replay(p, &names, alert, &replay);
                check(r == 0 || r == -EBADMSG);
                if (r == 0)
                        check((unsigned)replay.result < _REPLAY_MAX);
                replay_done(&replay);
                if (r == 0)
                        check_suggestion(alert, classes);
                check(learn_add(&l, alert, at % 2 ? look_nowhere : NULL) == 0);
        }
        learn_finish(&l, 1, true);
        _cleanup_free_ char *text = learn_dropin(&l), *again = NULL;
        json_auto_t *object = learn_to_json(&l);
        check(text && object && learn_made(text));
        check_text(text);
        /* What it has written, it reads as it meant it. */
        learn_read_answers(&l, text);
        again = learn_dropin(&l);
        check(again && strcmp(text, again) == 0);
        learn_done(&l);
        return 0;
}
