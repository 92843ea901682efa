/* SPDX-License-Identifier: GPL-2.0-or-later */

/* An alert for people: one sentence, or the sentence and what stands behind it. Names come from whoever is
 * accused: nothing they contain may reach a terminal or a log unescaped. Must not add facts; the Alert has
 * them all. */

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "alert.h"
#include "utf8.h"
#include "util.h"

/* Code points that a terminal or a viewer obeys or hides, besides ASCII's control bytes. */
static bool is_deceptive(uint32_t point) {
        static const struct {
                uint32_t first, last;
        } ranges[] = {
                        {0x80, 0x9f},       /* C1 controls: CSI, OSC, … */
                        {0xad, 0xad},       /* soft hyphen */
                        {0x61c, 0x61c},     /* Arabic letter mark */
                        {0x180e, 0x180e},   /* Mongolian vowel separator */
                        {0x200b, 0x200f},   /* zero width, direction marks */
                        {0x2028, 0x202e},   /* line and paragraph separator, direction embedding and override
                                             */
                        {0x2060, 0x206f},   /* word joiner, invisible operators, direction isolates */
                        {0xfeff, 0xfeff},   /* byte order mark */
                        {0xfff9, 0xfffb},   /* interlinear annotation */
                        {0xe0000, 0xe007f}, /* tags */
        };

        for (size_t i = 0; i < ELEMENTSOF(ranges); i++)
                if (point >= ranges[i].first && point <= ranges[i].last)
                        return true;
        return false;
}

/* Write errors stick to the stream: its closer sees them. */
static void put_escaped(FILE *f, const char *data, size_t size) {
        while (size > 0) {
                uint32_t point;
                size_t n = utf8_sequence(data, size, &point);
                bool plain = n > 0 && point >= 0x20 && point != 0x7f && point != '\\' &&
                             !is_deceptive(point);

                n = MAX(n, (size_t)1);
                if (plain)
                        fwrite(data, 1, n, f);
                else if (n == 1 && data[0] == '\\')
                        fputs("\\\\", f);
                else
                        for (size_t i = 0; i < n; i++)
                                fprintf(f, "\\x%02x", (unsigned char)data[i]);

                data += n;
                size -= n;
        }
}

static void put_string(FILE *f, const char *s) {
        put_escaped(f, s, strlen(s));
}

/* Ends a stream that open_memstream() began; *text is whole on success only. */
static int stream_close(FILE **f) {
        bool failed = ferror(*f);

        /* fclose() flushes, and that may be what fails. */
        if (fclose(STEAL_PTR(*f)) != 0 || failed)
                return -ENOMEM;
        return 0;
}

char *bytes_escape(const char *data, size_t size) {
        _cleanup_free_ char *text = NULL;
        size_t text_size;

        _cleanup_fclose_ FILE *f = open_memstream(&text, &text_size);
        if (!f)
                return NULL;

        put_escaped(f, data, size);
        return stream_close(&f) < 0 ? NULL : STEAL_PTR(text);
}

/* Two units at most, cut off rather than rounded. */
static void put_age(FILE *f, uint64_t usec) {
        uint64_t msec = usec / 1000, sec = msec / 1000, min = sec / 60, hours = min / 60;

        if (msec == 0)
                fputs("less than 1 ms", f);
        else if (sec == 0)
                fprintf(f, "%" PRIu64 " ms", msec);
        else if (min == 0)
                fprintf(f, "%" PRIu64 ".%" PRIu64 " s", sec, msec % 1000 / 100);
        else if (hours == 0)
                fprintf(f, "%" PRIu64 " min %" PRIu64 " s", min, sec % 60);
        else
                fprintf(f, "%" PRIu64 " h %" PRIu64 " min", hours, min % 60);
}

static void put_comm(FILE *f, const AlertBytes *comm) {
        if (comm->size > 0)
                put_escaped(f, comm->data, comm->size);
        else
                fputs("a process", f);
}

static void put_path(FILE *f, const AlertFile *file) {
        /* A whole path begins with a slash: the ellipsis cannot be part of a name. */
        if (file->path_truncated)
                fputs("…", f);
        put_escaped(f, file->path.data, file->path.size);
}

static void put_destination(FILE *f, const Alert *a) {
        if (a->destination.family == AF_INET6)
                fprintf(f, "[%s]:%u", a->destination.address, a->destination.port);
        else
                fprintf(f, "%s:%u", a->destination.address, a->destination.port);
}

static void put_classes(FILE *f, char *const *classes) {
        for (char *const *c = classes; *c; c++) {
                if (c != classes)
                        fputs(", ", f);
                put_string(f, *c);
        }
}

static bool file_has_class(const AlertFile *f, const char *class) {
        for (char *const *c = f->classes; *c; c++)
                if (strcmp(*c, class) == 0)
                        return true;
        return false;
}

/* A file may be remembered whose classes are not alerted: its window is over, or the destination is allowed.
 */
static bool file_is_alerted(const Alert *a, const AlertFile *f) {
        for (char *const *c = a->classes; *c; c++)
                if (file_has_class(f, *c))
                        return true;
        return false;
}

/* The newest file of the worst class. NULL: none of the remembered ones. */
static const AlertFile *alert_main_file(const Alert *a) {
        for (char *const *c = a->classes; *c; c++)
                for (size_t i = 0; i < a->n_files; i++)
                        if (file_has_class(&a->files[i], *c))
                                return &a->files[i];
        return NULL;
}

/* "/home/ana/.ssh/id_ed25519 and 3 more files". Returns whether it told more than one. */
static bool put_files(FILE *f, const Alert *a, const AlertFile *main_file) {
        size_t n_others = 0;

        if (main_file && main_file->path.size > 0)
                put_path(f, main_file);
        else if (a->classes[0]) {
                fputs("a file of class ", f);
                put_string(f, main_file ? main_file->classes[0] : a->classes[0]);
        } else
                fputs("a sensitive file", f);

        for (size_t i = 0; i < a->n_files; i++)
                if (&a->files[i] != main_file && file_is_alerted(a, &a->files[i]))
                        n_others++;
        if (n_others > 0)
                fprintf(f, " and %s%zu more file%s", a->files_more ? "at least " : "", n_others,
                                n_others == 1 ? "" : "s");

        return n_others > 0;
}

/* "opened FILE and 1.2 s later connected to" */
static void put_own_act(FILE *f, const Alert *a, const AlertFile *file) {
        fputs(" opened ", f);
        if (put_files(f, a, file))
                fputc(',', f);
        fputs(" and ", f);
        if (file) {
                put_age(f, file->age_usec);
                fputs(" later", f);
        } else
                fputs("then", f);
        fputs(a->destination.sent ? " sent a datagram to " : " connected to ", f);
}

/* ", started by sh (pid 11) which opened FILE, connected 1.2 s later to" */
static void put_inherited_act(FILE *f, const Alert *a, const AlertFile *file) {
        fputs(file->hops > 1 ? ", a descendant of " : ", started by ", f);
        put_comm(f, &file->comm);
        fprintf(f, " (pid %" PRIu32 ") which opened ", file->pid);
        (void)put_files(f, a, file);
        fputs(a->destination.sent ? ", sent a datagram " : ", connected ", f);
        put_age(f, file->age_usec);
        fputs(" later to ", f);
}

static void put_sentence(FILE *f, const Alert *a) {
        const AlertFile *file = alert_main_file(a);

        put_comm(f, &a->process.comm);
        fprintf(f, " (pid %" PRIu32 ", uid %" PRIu32 ")", a->process.pid, a->process.uid);
        /* By how it came, not by the pid: the opener's may have been given to this process since. */
        if (file && strcmp(file->via, "fork") == 0)
                put_inherited_act(f, a, file);
        else
                put_own_act(f, a, file);
        put_destination(f, a);

        fputs(" [", f);
        put_classes(f, a->classes);
        fprintf(f, "%s%s]", a->classes[0] ? ", " : "", severity_to_string(a->score.severity));

        if (a->repeats == 1)
                fputs(" (and again once within its window)", f);
        else if (a->repeats > 1)
                fprintf(f, " (and again %" PRIu64 " times within its window)", a->repeats);
}

char *alert_sentence(const Alert *a) {
        _cleanup_free_ char *text = NULL;
        size_t size;

        _cleanup_fclose_ FILE *f = open_memstream(&text, &size);
        if (!f)
                return NULL;

        put_sentence(f, a);
        return stream_close(&f) < 0 ? NULL : STEAL_PTR(text);
}

static void put_time(FILE *f, uint64_t usec) {
        time_t seconds = (time_t)(usec / USEC_PER_SEC);
        char date[64];
        struct tm tm = {0};

        /* Cannot fail: 2^64 microseconds end in the year 586524, which fits tm_year and the buffer. */
        (void)localtime_r(&seconds, &tm);
        (void)strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
        fputs(date, f);
        fprintf(f, ".%06u", (unsigned)(usec % USEC_PER_SEC));
}

static void put_severity(FILE *f, Severity severity, bool colour) {
        static const char *const colours[_SEVERITY_MAX] = {
                        [SEVERITY_MEDIUM] = "\x1b[33m", /* yellow */
                        [SEVERITY_HIGH] = "\x1b[31m",   /* red */
        };
        bool coloured = colour && colours[severity];

        if (coloured)
                fputs(colours[severity], f);
        for (const char *p = severity_to_string(severity); *p; p++)
                fputc(toupper((unsigned char)*p), f);
        if (coloured)
                fputs("\x1b[0m", f);
}

/* Values stand in one column, so that the eye finds them. */
static void put_label(FILE *f, const char *label) {
        fprintf(f, "    %-13s", label);
}

static void put_bytes_line(FILE *f, const char *label, const AlertBytes *b) {
        if (b->size == 0)
                return;

        put_label(f, label);
        put_escaped(f, b->data, b->size);
        fputc('\n', f);
}

static void put_user_line(FILE *f, const Alert *a) {
        put_label(f, "user");
        fprintf(f, "uid %" PRIu32, a->process.uid);
        if (a->process.loginuid != UINT32_MAX)
                fprintf(f, ", logged in as uid %" PRIu32, a->process.loginuid);
        fputc('\n', f);
}

/* Oldest first, as it happened: "systemd (1) → sshd (700) → bash (1200) → python3 (1234)". */
static void put_lineage_line(FILE *f, const Alert *a) {
        put_label(f, "lineage");
        if (a->lineage_more)
                fputs("… → ", f);
        for (size_t i = a->n_lineage; i > 0; i--) {
                put_comm(f, &a->lineage[i - 1].comm);
                fprintf(f, " (%" PRIu32 ") → ", a->lineage[i - 1].pid);
        }
        put_comm(f, &a->process.comm);
        fprintf(f, " (%" PRIu32 ")\n", a->process.pid);
}

static void put_file_line(FILE *f, const AlertFile *file) {
        put_label(f, "file");
        if (file->path.size > 0)
                put_path(f, file);
        else
                fputs("(name lost)", f);

        fputs(" [", f);
        put_classes(f, file->classes);
        fputs("], opened ", f);
        put_age(f, file->age_usec);
        fputs(" before by ", f);
        put_comm(f, &file->comm);
        fprintf(f, " (pid %" PRIu32 ", uid %" PRIu32, file->pid, file->uid);
        if (file->exe.size > 0) {
                fputs(", ", f);
                put_escaped(f, file->exe.data, file->exe.size);
        }
        fprintf(f, "), via %s", file->via);
        if (file->hops > 0)
                fprintf(f, ", %u hop%s", file->hops, file->hops == 1 ? "" : "s");
        fputc('\n', f);
}

static void put_score_lines(FILE *f, const Score *s) {
        put_label(f, "score");
        fprintf(f, "%d, the sum of\n", s->score);
        for (size_t i = 0; i < s->n_reasons; i++) {
                put_label(f, "");
                fprintf(f, "%+4d  ", s->reasons[i].points);
                put_string(f, s->reasons[i].text);
                fputc('\n', f);
        }
}

static void put_techniques_line(FILE *f, const Alert *a) {
        put_label(f, "techniques");
        put_classes(f, a->techniques);
        fputc('\n', f);
}

static void put_text(FILE *f, const Alert *a, bool colour) {
        put_time(f, a->realtime_usec);
        fputc(' ', f);
        put_severity(f, a->score.severity, colour);
        fputs("  ", f);
        put_sentence(f, a);
        fputc('\n', f);

        put_bytes_line(f, "executable", &a->process.exe);
        put_bytes_line(f, "command", &a->process.cmdline);
        put_bytes_line(f, "unit", &a->process.unit);
        put_bytes_line(f, "container", &a->process.container);
        put_user_line(f, a);
        put_lineage_line(f, a);

        for (size_t i = 0; i < a->n_files; i++)
                put_file_line(f, &a->files[i]);
        if (a->files_more) {
                put_label(f, "");
                fputs("and older ones, not remembered\n", f);
        }

        put_label(f, "destination");
        fprintf(f, "%s ", a->destination.protocol);
        put_destination(f, a);
        fputc('\n', f);

        put_score_lines(f, &a->score);
        put_techniques_line(f, a);
        put_label(f, "id");
        put_string(f, a->id);
        fputc('\n', f);
}

char *alert_text(const Alert *a, bool colour) {
        _cleanup_free_ char *text = NULL;
        size_t size;

        _cleanup_fclose_ FILE *f = open_memstream(&text, &size);
        if (!f)
                return NULL;

        put_text(f, a, colour);
        return stream_close(&f) < 0 ? NULL : STEAL_PTR(text);
}
