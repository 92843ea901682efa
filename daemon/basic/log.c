/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "basic/log.h"
#include "basic/escape.h"

static int max_level = LOG_INFO;
static int log_fd = STDERR_FILENO;
static bool is_socket;
static bool is_journal;
static unsigned n_dropped;

void log_set_max_level(int level) {
        max_level = level;
}

/* Is this the stream that systemd connected to the journal (systemd.exec(5), $JOURNAL_STREAM)? The variable
 * alone is not enough: children of a service inherit it. */
static bool stream_is_journal(const struct stat *st) {
        const char *stream = getenv("JOURNAL_STREAM");
        unsigned long long device, inode;

        return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && st->st_dev == device &&
               st->st_ino == inode;
}

void log_open(void) {
        struct stat st;

        if (fstat(STDERR_FILENO, &st) < 0)
                return;
        is_socket = S_ISSOCK(st.st_mode);
        is_journal = stream_is_journal(&st);
        /* O_NONBLOCK belongs to the open file, which others share: open it anew. Sockets take MSG_DONTWAIT.
         */
        if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) {
                int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
                if (fd >= 0)
                        log_fd = fd;
        }
}

bool log_is_journal(void) {
        return is_journal;
}

int log_level_from_string(const char *s) {
        static const char *const names[] = {
                "emerg",
                "alert",
                "crit",
                "error",
                "warning",
                "notice",
                "info",
                "debug",
        };

        if (strcmp(s, "err") == 0)
                return LOG_ERR;
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (strcmp(s, names[i]) == 0 || (s[0] == (char)('0' + i) && s[1] == 0))
                        return i;
        return -EINVAL;
}

/* A message that cannot be written at once is dropped: a stalled terminal must not stall the daemon. */
static void log_write(const char *line, size_t size) {
        ssize_t n = is_socket ? send(log_fd, line, size, MSG_DONTWAIT | MSG_NOSIGNAL)
                              : write(log_fd, line, size);

        if (n < 0)
                n_dropped++;
}

static void log_line(int level, const char *text) {
        _cleanup_free_ char *line = NULL;
        int n;

        /* The journal reads the priority from the line, a person does not want to. */
        if (is_journal)
                n = asprintf(&line, "<%d>%s\n", level, text);
        else
                n = asprintf(&line, "barbwired: %s%s\n",
                                level <= LOG_ERR       ? "error: "
                                : level == LOG_WARNING ? "warning: "
                                                       : "",
                                text);
        if (n < 0) {
                line = NULL;
                return;
        }
        log_write(line, n);
}

/* Names in it may be anybody's; a line break would begin a message of their own. */
static void text_mend(char *text, size_t size) {
        for (size_t i = 0, n; i < size; i += n) {
                uint32_t point;

                n = utf8_sequence(text + i, size - i, &point);
                if (n > 0 && !utf8_is_deceptive(point))
                        continue;
                n = MAX(n, (size_t)1);
                memset(text + i, '?', n);
        }
}

static _printf_(2, 0) void log_messagev(int level, const char *format, va_list ap) {
        _cleanup_free_ char *text = NULL;

        if (level > max_level)
                return;

        int saved = errno;
        int n = vasprintf(&text, format, ap);
        if (n < 0) {
                text = NULL;
                return;
        }

        text_mend(text, (size_t)n);

        if (n_dropped > 0) {
                char note[64];
                unsigned dropped = n_dropped;
                n_dropped = 0;
                snprintf(note, sizeof(note), "%u messages could not be written.", dropped);
                log_line(LOG_WARNING, note);
                if (n_dropped > 0)
                        n_dropped += dropped - 1; /* not yet */
        }
        log_line(level, text);
        errno = saved;
}

void log_message(int level, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        log_messagev(level, format, ap);
        va_end(ap);
}

int log_message_errno(int level, int error, const char *format, ...) {
        va_list ap;

        errno = abs(error);
        va_start(ap, format);
        log_messagev(level, format, ap);
        va_end(ap);
        return -abs(error);
}
