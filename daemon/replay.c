/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "alert/alert.h"
#include "alert/copy.h"
#include "alert/recorded.h"
#include "alert/replay.h"
#include "basic/escape.h"
#include "basic/json-util.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "replay.h"
#include "sink/reader.h"

/* The key of each is kept, so that a repeated alert is judged once: about 50 MiB then. */
#define REPLAY_ALERTS_MAX 250000
/* A larger one has names that somebody made to be long. */
#define REPLAY_LINE_MAX (64U * 1024)

typedef struct ReplayRun {
        const Policy *policy;
        const PolicyNames *names;
        json_t *seen; /* keys of alerts: a set */
        uint64_t count[_REPLAY_MAX], n_malformed;
} ReplayRun;

/* "silence  Nov 22 10:00:00 alpha 48c273957cf-a high 80: SUMMARY" and, indented, why. */
static void line_print(const json_t *alert, const Replay *r) {
        const char *id = recorded_string(alert, "id"), *dash = strchr(id, '-');
        char date[TIME_TEXT_SIZE];
        uint64_t usec = 0;

        (void)json_to_time(json_object_get(alert, "time"), &usec);
        printf("%-8s %s ", replay_result_to_string(r->result), time_format_short(usec, date));
        text_put_string(stdout, recorded_string(alert, "host"));
        putchar(' ');
        text_put_string(stdout, dash ? dash + 1 : id);
        putchar(' ');
        text_put_string(stdout, recorded_string(alert, "severity"));
        printf(" %" JSON_INTEGER_FORMAT ": ", json_integer_value(json_object_get(alert, "score")));
        text_put_string(stdout, recorded_string(alert, "summary"));
        if (r->why) {
                fputs("\n         ", stdout);
                text_put_string(stdout, r->why);
        }
        putchar('\n');
}

static int on_alert(json_t *alert, const char *line, void *userdata) {
        ReplayRun *run = userdata;
        const char *id = recorded_string(alert, "id");
        char key[ALERT_COPY_KEY_SIZE];
        Replay replay = {};

        int r = alert_copy_key(alert, key);
        if (r < 0 || json_object_get(run->seen, key))
                return r;
        if (strlen(line) > REPLAY_LINE_MAX || strlen(id) > ALERT_ID_SIZE) {
                run->n_malformed++;
                return 0;
        }
        if (json_object_size(run->seen) == REPLAY_ALERTS_MAX)
                return -E2BIG;
        if (json_object_set_new(run->seen, key, json_true()) < 0)
                return -ENOMEM;
        r = alert_replay(run->policy, run->names, alert, &replay);
        if (r == -EBADMSG) {
                run->n_malformed++;
                return 0;
        }
        if (r < 0)
                return r;
        run->count[replay.result]++;
        line_print(alert, &replay);
        replay_done(&replay);
        return 0;
}

static int source_of(const char *path, JournalSource *s, const char *files[static 2]) {
        struct stat st;

        if (strcmp(path, REPLAY_SYSTEM) == 0)
                return 0;
        if (stat(path, &st) < 0)
                return -errno;
        if (S_ISDIR(st.st_mode)) {
                s->directory = path;
        } else {
                files[0] = path;
                s->files = files;
        }
        return 0;
}

int replay_print(const char *path, uint64_t since_usec, uint64_t until_usec, const Policy *p,
                const PolicyNames *names) {
        ReplayRun run = { .policy = p, .names = names, .seen = json_object() };
        JournalSource source = { .since_usec = since_usec, .until_usec = until_usec };
        const char *files[2] = {};
        JournalCounts counts = {};
        uint64_t total = 0;

        int r = run.seen ? source_of(path, &source, files) : -ENOMEM;
        if (r == 0)
                r = journal_read_alerts(&source, on_alert, &run, &counts);
        json_decref(run.seen);
        if (r == -E2BIG)
                log_error("--replay=%s: more than %d alerts; choose a shorter time with --since= and "
                          "--until=.",
                                path, REPLAY_ALERTS_MAX);
        else if (r < 0)
                (void)log_error_errno(r, "--replay=%s: Failed to read alerts: %m", path);
        if (r < 0)
                return r;
        for (ReplayResult i = 0; i < _REPLAY_MAX; i++)
                total += run.count[i];
        if (counts.n_malformed + run.n_malformed + counts.n_foreign > 0)
                log_warning("--replay=%s: %" PRIu64
                            " entries are left out: they hold no alert that this version can read, or a "
                            "login user's process wrote them.",
                                path, counts.n_malformed + run.n_malformed + counts.n_foreign);
        printf("%" PRIu64 " alerts: %" PRIu64 " raised, %" PRIu64 " changed, %" PRIu64 " silenced, %" PRIu64
               " unknown.\n",
                        total, run.count[REPLAY_RAISE], run.count[REPLAY_CHANGE], run.count[REPLAY_SILENCE],
                        run.count[REPLAY_UNKNOWN]);
        return 0;
}
