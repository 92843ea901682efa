/* SPDX-License-Identifier: GPL-2.0-or-later */

/* learn: reads the alerts of a journal, asks, and writes a drop-in. */

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alert/details.h"
#include "alert/recorded.h"
#include "client/ctl.h"
#include "client/learn.h"
#include "client/output.h"
#include "basic/escape.h"

/* Seen on so many days, a program is not what somebody tried once. */
#define MIN_DAYS_DEFAULT 3
/* A drop-in of an earlier run. */
#define DROPIN_BYTES_MAX (16U * 1024 * 1024)

typedef struct Lesson {
        Learning learning;
        char host[HOST_NAME_MAX + 1]; /* of this machine, whose files can be looked at */
} Lesson;

static int on_alert(json_t *alert, const char *line, void *userdata) {
        Lesson *lesson = userdata;
        bool here = strcmp(recorded_string(alert, "host"), lesson->host) == 0;

        if (strlen(line) > LEARN_LINE_MAX) {
                lesson->learning.n_refused++;
                return 0;
        }
        /* A record of severity info is no alert: nothing has to be allowed. */
        if (strcmp(recorded_string(alert, "severity"), "info") == 0)
                return 0;
        return learn_add(&lesson->learning, alert, here ? ctl_program_look : NULL);
}

/* -ENOENT: there is none yet. -EFBIG: it is longer, and what is cut would be forgotten; -EBADMSG: it has a
 * NUL. */
static int file_read(const char *path, char **ret) {
        _cleanup_fclose_ FILE *f = fopen(path, "re");
        _cleanup_free_ char *text = NULL;
        size_t size = 0;

        if (!f)
                return -errno;
        text = malloc(DROPIN_BYTES_MAX + 2);
        if (!text)
                return -ENOMEM;
        size = fread(text, 1, DROPIN_BYTES_MAX + 1, f);
        if (ferror(f))
                return -EIO;
        if (size > DROPIN_BYTES_MAX)
                return -EFBIG;
        text[size] = 0;
        if (strlen(text) != size)
                return -EBADMSG;
        *ret = STEAL_PTR(text);
        return 0;
}

/* Replaces it at once, so that an answer is never lost, and a reload never reads a half. */
static int file_write(const char *path, const char *text) {
        _cleanup_free_ char *temporary = NULL;

        if (asprintf(&temporary, "%s.XXXXXX", path) < 0) {
                temporary = NULL;
                return -ENOMEM;
        }
        int fd = mkostemp(temporary, O_CLOEXEC);
        if (fd < 0)
                return -errno;
        FILE *f = fdopen(fd, "w");
        if (!f) {
                int r = -errno;

                (void)close(fd);
                (void)unlink(temporary);
                return r;
        }
        int r = fputs(text, f) < 0 || fchmod(fd, 0644) < 0 || fflush(f) != 0 || fsync(fd) < 0 ? -errno : 0;
        if (fclose(f) != 0 && r == 0)
                r = -errno;
        if (r == 0 && rename(temporary, path) < 0)
                r = -errno;
        if (r < 0)
                (void)unlink(temporary);
        return r;
}

static int dropin_write(const Learning *l, const char *path) {
        _cleanup_free_ char *text = learn_dropin(l);

        if (!text)
                return ctl_error_memory();
        int r = file_write(path, text);
        if (r < 0)
                ctl_error("Failed to write %s: %s", path, strerror(-r));
        return r;
}

static int group_show(const LearnGroup *g) {
        _cleanup_free_ char *details = alert_details(g->sample, ctl_wants_colour());

        if (!details)
                return ctl_error_memory();
        (void)learn_put_group(stdout, g);
        printf("\n%s\n", details);
        return 0;
}

/* Asks about one group. 1: it was decided or left open; 0: quit. */
static int group_ask(LearnGroup *g, size_t number, size_t n) {
        char answer[64];

        for (;;) {
                printf("\n[%zu/%zu]", number, n);
                (void)learn_put_group(stdout, g);
                fputs("Allow it? [y]es, [n]o, [s]how an alert, Enter to decide later, [q]uit: ", stdout);
                if (ctl_output_flush() < 0 || !fgets(answer, sizeof(answer), stdin))
                        return 0;
                switch (answer[0]) {
                case 'y':
                        g->answer = LEARN_YES;
                        break;
                case 'n':
                        g->answer = LEARN_NO;
                        break;
                case 's': {
                        int r = group_show(g);
                        if (r < 0)
                                return r;
                        continue;
                }
                case 'q':
                        return 0;
                case '\n':
                        return 1;
                default:
                        continue;
                }
                g->answered = true;
                return 1;
        }
}

/* Each answer is written at once: the next run goes on with what is undecided. */
static int learning_ask(Learning *l, const char *path) {
        size_t n = 0, number = 0;
        int r = 1;

        for (size_t i = 0; i < l->n_groups; i++)
                n += l->groups[i].body && !l->groups[i].answered;
        for (size_t i = 0; r > 0 && i < l->n_groups; i++) {
                if (!l->groups[i].body || l->groups[i].answered)
                        continue;
                r = group_ask(&l->groups[i], ++number, n);
                if (r > 0 && l->groups[i].answered && dropin_write(l, path) < 0)
                        return -EIO;
        }
        putchar('\n');
        return r;
}

static int learning_print(const Ctl *c, Learning *l) {
        size_t n_rules = 0, n_allowed = 0;

        if (ctl_wants_json()) {
                json_auto_t *o = learn_to_json(l);
                return o ? ctl_print_json(o) : ctl_error_memory();
        }
        _cleanup_free_ char *text = learn_dropin(l);
        if (!text)
                return ctl_error_memory();
        if (c->learn.dry_run || !c->learn.output) {
                ctl_pager_open();
                fputs(text, stdout);
        }
        for (size_t i = 0; i < l->n_groups; i++) {
                n_rules += l->groups[i].body != NULL;
                n_allowed += l->groups[i].body && l->groups[i].answer == LEARN_YES;
        }
        if (!c->learn.dry_run && c->learn.output)
                ctl_print("%s: %zu of %zu rules allowed. Review it, then: barbwired --check && systemctl "
                          "reload "
                          "barbwire",
                                c->learn.output, n_allowed, n_rules);
        return 0;
}

/* What an earlier run allowed is asked again, and written again: the drop-in is no part of the policy that
 * its alerts are evaluated by. */
static void output_leave_out(Policy *p, const char *path) {
        struct stat output, st;

        if (!path || stat(path, &output) < 0)
                return;
        for (size_t i = 0; i < p->n_files; i++)
                if (stat(p->files[i], &st) == 0 && st.st_dev == output.st_dev && st.st_ino == output.st_ino)
                        policy_leave_out(p, p->files[i]);
}

static int learning_decide(const Ctl *c, Learning *l) {
        _cleanup_free_ char *before = NULL;
        int r = c->learn.output ? file_read(c->learn.output, &before) : -ENOENT;

        if (r < 0 && r != -ENOENT) {
                ctl_error("Failed to read %s: %s", c->learn.output, strerror(-r));
                return r;
        }
        if (before && !learn_made(before)) {
                ctl_error("%s was not made by barbwirectl learn: name another file with --output=.",
                                c->learn.output);
                return -EEXIST;
        }
        if (before)
                learn_read_answers(l, before);
        learn_finish(l, c->learn.min_days ?: MIN_DAYS_DEFAULT, !c->learn.interactive);
        r = c->learn.interactive && !c->learn.dry_run ? learning_ask(l, c->learn.output) : 0;
        if (r >= 0 && c->learn.output && !c->learn.dry_run)
                r = dropin_write(l, c->learn.output);
        return r;
}

int ctl_learn(const Ctl *c, const char *operand) {
        _cleanup_(policy_names_done) PolicyNames names = {};
        _cleanup_(policy_freep) Policy *p = NULL;
        JournalCounts counts;
        Lesson lesson = {};

        (void)operand;
        if (c->learn.interactive && !c->learn.output) {
                ctl_error("--interactive requires --output=FILE, which keeps the answers.");
                return CTL_USAGE;
        }
        (void)gethostname(lesson.host, HOST_NAME_MAX);
        int r = ctl_policy_load(c, &p, &names);
        if (r < 0)
                return r;
        output_leave_out(p, c->learn.output);
        if (learn_new(p, &names, &lesson.learning) < 0)
                return ctl_error_memory();
        r = ctl_journal_each(c, on_alert, &lesson, &counts);
        if (r == -E2BIG)
                ctl_error("There are too many alerts: choose a shorter time with --since= and --until=.");
        if (r >= 0)
                r = learning_decide(c, &lesson.learning);
        if (r >= 0)
                r = learning_print(c, &lesson.learning);
        learn_done(&lesson.learning);
        return r < 0 ? r : CTL_OK;
}
