/* SPDX-License-Identifier: GPL-2.0-or-later */

/* top: what each process does, live. The daemon counts as long as this connection is open. Without curses: a
 * screen that is written anew each time needs two sequences that every terminal has (ECMA-48). */

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "basic/json-util.h"
#include "basic/time-util.h"
#include "client/client.h"
#include "client/ctl.h"
#include "client/output.h"
#include "client/table.h"
#include "client/top-rows.h"

/* Lines of the screen that are no rows: two above the table, its heading, an empty one and that of the
 * cursor. */
#define SCREEN_LINES_OTHER 5
/* If neither $LINES nor the terminal has a height. */
#define SCREEN_LINES_DEFAULT 24

/* Marks are asked for no more than a tenth of the time: to list a full table takes tenths of a second. */
#define MARKS_PAUSE 9

/* Samples between two looks for processes that have ended, whose rows need not be kept. */
#define SAMPLES_TO_FORGET 60

#define CLEAR "\x1b[H\x1b[J"
#define CURSOR_HIDE "\x1b[?25l"
#define CURSOR_SHOW "\x1b[?25h"

typedef struct Top {
        const Ctl *ctl;
        CtlClient *client;
        TopRows *rows;
        TopColumn by;
        bool reverse;
        bool screen; /* the terminal is ours */
        struct termios before;
        int signals;
        int signal;   /* that ends it; 0: none has come */
        bool quit;    /* the key was pressed */
        bool escaped; /* an escape sequence has begun, */
        bool bracket; /* and its second byte was read */
        json_t *table;
        uint64_t n_samples, marks_next_usec;
        uint64_t sampled_realtime_usec;
} Top;

static void screen_leave(Top *t) {
        if (!t->screen)
                return;
        fputs(CURSOR_SHOW, stdout);
        (void)fflush(stdout);
        (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &t->before);
        t->screen = false;
}

/* Signals stay enabled: Ctrl-C and Ctrl-Z arrive as such. */
static int screen_enter(Top *t) {
        struct termios raw;

        if (tcgetattr(STDIN_FILENO, &t->before) < 0)
                return -errno;
        raw = t->before;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        raw.c_cc[VMIN] = 1;
        raw.c_cc[VTIME] = 0;
        if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) < 0)
                return -errno;
        t->screen = true;
        fputs(CURSOR_HIDE, stdout);
        return 0;
}

static size_t screen_lines(void) {
        const char *lines = getenv("LINES");
        struct winsize size = {};

        if (lines && atoi(lines) > 0)
                return (size_t)atoi(lines);
        return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) >= 0 && size.ws_row > 0 ? size.ws_row
                                                                               : SCREEN_LINES_DEFAULT;
}

/* ---- what is shown ---- */

static void row_print(CtlTable *table, const TopRow *row) {
        _cleanup_free_ char *classes = top_row_classes(row), *marks = top_row_marks(row);

        ctl_table_add(table, CTL_PLAIN, "%s[%" PRIu32 "]", row->comm, row->pid);
        ctl_table_add(table, CTL_PLAIN, "%" PRIu32, row->uid);
        ctl_table_add(table, CTL_PLAIN, "%.1f", row->opens_rate);
        ctl_table_add(table, CTL_PLAIN, "%" PRIu64, row->sensitive);
        ctl_table_add(table, CTL_PLAIN, "%" PRIu64, row->given);
        ctl_table_add(table, CTL_PLAIN, "%" PRIu64, row->taken);
        ctl_table_add(table, row->egress > 0 ? CTL_YELLOW : CTL_PLAIN, "%" PRIu64, row->egress);
        ctl_table_add(table, CTL_PLAIN, "%s", classes ?: "?");
        ctl_table_add(table, CTL_PLAIN, "%s", marks ?: "?");
}

/* Two lines: what there is, and what the kernel could not count. */
static void summary_print(const Top *t, const TopRow *const *sorted, size_t n) {
        uint64_t dropped = (uint64_t)ctl_number(t->table, "dropped"),
                 refused = (uint64_t)ctl_number(t->table, "refused");
        char date[TIME_TEXT_SIZE];
        size_t n_marked = 0;
        double opens = 0;

        for (size_t i = 0; i < n; i++) {
                n_marked += json_array_size(sorted[i]->marks) > 0;
                opens += sorted[i]->opens_rate;
        }
        printf("%s: %zu processes, %zu marked, %.1f opens/s; by %s%s\n",
                        time_format_short(t->sampled_realtime_usec, date), n, n_marked, opens,
                        top_columns[t->by].name, t->reverse ? ", reversed" : "");
        if (dropped + refused > 0)
                printf("%sNot all was counted: %" PRIu64 " processes made room for others, %" PRIu64
                       " counts had none.%s\n",
                                ctl_colour(CTL_YELLOW), dropped, refused, ctl_colour(CTL_PLAIN));
        else if (t->screen)
                puts("q quits, < and > choose the column, r reverses");
        else
                putchar('\n');
}

static int table_print(const TopRow *const *sorted, size_t n) {
        static const CtlColumn columns[_TOP_COLUMNS_MAX] = {
                [TOP_PROCESS] = { .cut = CTL_CUT_NAME },
                [TOP_UID] = { .right = true },
                [TOP_OPENS] = { .right = true },
                [TOP_SENSITIVE] = { .right = true },
                [TOP_GIVEN] = { .right = true },
                [TOP_TAKEN] = { .right = true },
                [TOP_EGRESS] = { .right = true },
                [TOP_CLASSES] = { .cut = CTL_CUT_END },
                [TOP_MARKS] = { .cut = CTL_CUT_END },
        };
        CtlColumn named[_TOP_COLUMNS_MAX];
        _cleanup_(ctl_table_freep) CtlTable *table = NULL;

        for (size_t i = 0; i < _TOP_COLUMNS_MAX; i++) {
                named[i] = columns[i];
                named[i].name = top_columns[i].name;
        }
        int r = ctl_table_new(named, ELEMENTSOF(named), &table);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++)
                row_print(table, sorted[i]);
        return ctl_table_print(table, 0);
}

static int sample_print_json(const Top *t, const TopRow *const *sorted, size_t n) {
        json_auto_t *processes = json_array();

        for (size_t i = 0; i < n; i++)
                if (json_array_append_new(processes, top_row_to_json(sorted[i])) < 0)
                        return ctl_error_memory();
        json_auto_t *sample = json_pack("{s:o, s:O, s:O}", "time", json_from_time(t->sampled_realtime_usec),
                        "processes", processes, "table", t->table);
        return sample ? ctl_print_json(sample) : ctl_error_memory();
}

static int sample_print(const Top *t) {
        _cleanup_free_ const TopRow **sorted = NULL;
        size_t limit = (size_t)ctl_number(t->ctl->filter, "limit"), n;

        if (top_rows_sort(t->rows, t->by, t->reverse, &sorted, &n) < 0)
                return ctl_error_memory();
        size_t shown = limit > 0 ? MIN(n, limit) : n;
        int r;
        if (ctl_wants_json()) {
                r = sample_print_json(t, sorted, shown);
        } else {
                if (t->screen) {
                        size_t lines = screen_lines();

                        ctl_output_resize();
                        shown = MIN(shown, lines > SCREEN_LINES_OTHER ? lines - SCREEN_LINES_OTHER : 1);
                        fputs(CLEAR, stdout);
                }
                summary_print(t, sorted, n);
                r = table_print(sorted, shown);
        }
        return r < 0 ? r : ctl_output_flush();
}

/* ---- what comes ---- */

/* Which processes hold what; as often as it is cheap. */
static int marks_update(Top *t) {
        uint64_t begin = time_now_usec(CLOCK_MONOTONIC);
        json_auto_t *all = NULL;

        if (begin < t->marks_next_usec)
                return 0;
        int r = ctl_marks_ask(t->ctl, &all);
        if (r < 0)
                return r;
        r = top_rows_set_marks(t->rows, json_object_get(all, "marks"));
        uint64_t end = time_now_usec(CLOCK_MONOTONIC);
        t->marks_next_usec = end + MARKS_PAUSE * (end - begin);
        return r == -EBADMSG ? ctl_client_malformed() : r < 0 ? ctl_error_memory() : 0;
}

static bool has_ended(uint32_t pid) {
        return kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

/* The first sample is what the next are compared with. */
static int sample_end(Top *t) {
        top_rows_end_sample(t->rows, time_now_usec(CLOCK_MONOTONIC));
        t->sampled_realtime_usec = time_now_usec(CLOCK_REALTIME);
        if (t->n_samples++ == 0)
                return 0;
        int r = marks_update(t);
        if (r < 0)
                return r;
        r = sample_print(t);
        if (t->n_samples % SAMPLES_TO_FORGET == 0)
                top_rows_forget(t->rows, has_ended);
        if (t->ctl->top.once)
                t->quit = true;
        return r;
}

/* Handles one reply. -ETIME: there is none yet. */
static int reply_receive(Top *t, uint64_t timeout_usec) {
        json_auto_t *reply = NULL;

        int r = ctl_client_receive(t->client, timeout_usec, &reply);
        if (r < 0)
                return r;
        if (r == 0)
                return ctl_client_malformed();
        r = top_rows_add(t->rows, json_object_get(reply, "processes"));
        if (r < 0)
                return r == -EBADMSG ? ctl_client_malformed() : ctl_error_memory();
        if (!json_is_true(json_object_get(reply, "last")))
                return 0;
        json_decref(t->table);
        t->table = json_incref(json_object_get(reply, "table"));
        return sample_end(t);
}

static int connection_open(Top *t) {
        int r = ctl_client_new(t->ctl->socket_path, true, &t->client);
        if (r < 0)
                return r;
        json_auto_t *parameters = json_pack("{s:I}", "interval", (json_int_t)t->ctl->top.delay_usec);
        t->n_samples = 0;
        top_rows_restart(t->rows);
        return parameters ? ctl_client_send(t->client, "WatchProcesses", parameters, true)
                          : ctl_error_memory();
}

/* Gives the terminal back while it is stopped. The kernel need not count then. */
static int suspend(Top *t) {
        screen_leave(t);
        t->client = ctl_client_free(t->client);
        (void)raise(SIGSTOP);
        int r = screen_enter(t);
        if (r < 0)
                return r;
        return connection_open(t);
}

static int signal_take(Top *t) {
        struct signalfd_siginfo si;

        if (read(t->signals, &si, sizeof(si)) != sizeof(si))
                return 0;
        switch (si.ssi_signo) {
        case SIGWINCH:
                return t->n_samples > 1 ? sample_print(t) : 0;
        case SIGTSTP:
                return suspend(t);
        default:
                t->signal = (int)si.ssi_signo;
                return 0;
        }
}

static void column_move(Top *t, int by) {
        t->by = (TopColumn)(((int)t->by + by + _TOP_COLUMNS_MAX) % _TOP_COLUMNS_MAX);
}

static void key_pressed(Top *t, char key) {
        bool escaped = t->escaped, bracket = t->bracket;

        t->escaped = key == '\x1b';
        t->bracket = escaped && (key == '[' || key == 'O');
        if (t->escaped || t->bracket)
                return;
        if (bracket) {
                if (key == 'C' || key == 'D')
                        column_move(t, key == 'C' ? 1 : -1);
                return;
        }
        if (key == 'q' || key == 'Q')
                t->quit = true;
        else if (key == 'r')
                t->reverse = !t->reverse;
        else if (key == '<' || key == '>')
                column_move(t, key == '>' ? 1 : -1);
        for (int i = 0; i < _TOP_COLUMNS_MAX; i++)
                if (top_columns[i].key == key)
                        t->by = (TopColumn)i;
}

static int keys_take(Top *t) {
        char keys[64];
        ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));

        if (n <= 0) /* the terminal has gone */
                t->quit = n == 0 || errno != EINTR;
        for (ssize_t i = 0; i < n; i++)
                key_pressed(t, keys[i]);
        return n > 0 && !t->quit && t->n_samples > 1 ? sample_print(t) : 0;
}

/* With a terminal: waits for replies, keys and signals. */
static int screen_step(Top *t) {
        struct pollfd fds[] = {
                { .fd = ctl_client_fd(t->client), .events = POLLIN },
                { .fd = STDIN_FILENO, .events = POLLIN },
                { .fd = t->signals, .events = POLLIN },
        };
        int r = 0;

        if (poll(fds, ELEMENTSOF(fds), -1) < 0)
                return errno == EINTR ? 0 : -errno;
        if (fds[2].revents)
                r = signal_take(t);
        if (r >= 0 && fds[1].revents)
                r = keys_take(t);
        /* What has come by then; a part of a reply waits for its rest. */
        while (r >= 0 && fds[0].revents && !t->quit && t->signal == 0)
                r = reply_receive(t, 1);
        return r == -ETIME ? 0 : r;
}

static int top_run(Top *t) {
        int r = top_rows_new(&t->rows);

        if (r < 0)
                return ctl_error_memory();
        if (t->screen)
                r = screen_enter(t);
        if (r < 0) {
                t->screen = false;
                ctl_error("Failed to set up the terminal: %s", strerror(-r));
                return r;
        }
        r = connection_open(t);
        while (r >= 0 && !t->quit && t->signal == 0)
                r = t->screen ? screen_step(t) : reply_receive(t, UINT64_MAX);
        return r;
}

/* Blocks what would end the program without giving the terminal back. */
static int signals_open(Top *t, sigset_t *mask) {
        static const int wanted[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH };

        sigemptyset(mask);
        for (size_t i = 0; i < ELEMENTSOF(wanted); i++)
                sigaddset(mask, wanted[i]);
        if (sigprocmask(SIG_BLOCK, mask, NULL) < 0)
                return -errno;
        t->signals = signalfd(-1, mask, SFD_CLOEXEC | SFD_NONBLOCK);
        return t->signals < 0 ? -errno : 0;
}

int ctl_top(const Ctl *c, const char *operand) {
        Top t = { .ctl = c, .by = c->top.by, .reverse = c->reverse, .signals = -1 };
        sigset_t mask;
        int r = 0;

        (void)operand;
        t.screen = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && !ctl_wants_json() && !c->top.once;
        if (t.screen)
                r = signals_open(&t, &mask);
        if (r < 0) {
                ctl_error("Failed to set up signals: %s", strerror(-r));
                return r;
        }
        r = top_run(&t);
        screen_leave(&t);
        ctl_client_free(t.client);
        top_rows_free(t.rows);
        json_decref(t.table);
        closep(&t.signals);
        if (t.signal != 0) { /* as it would have ended without us */
                (void)signal(t.signal, SIG_DFL);
                (void)raise(t.signal);
                (void)sigprocmask(SIG_UNBLOCK, &mask, NULL);
        }
        return r < 0 ? r : CTL_OK;
}
