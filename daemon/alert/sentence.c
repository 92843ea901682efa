/* SPDX-License-Identifier: GPL-2.0-or-later */

/* An alert in one sentence. The parts (a process, a file, an act) are rendered first, then one format string
 * for each case makes the sentence, so that a sentence can be found by its words.
 *
 * Names are chosen by the accused process: none may reach a terminal or a log unescaped, or be read as more
 * of the sentence. Must not add facts; the Alert has them all. */

#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>

#include "alert/alert.h"
#include "basic/escape.h"
#include "basic/time-util.h"
#include "basic/util.h"

typedef struct Parts {
        char *sender, *act, *opener, *files, *age, *route, *labels;
} Parts;

static void parts_done(Parts *p) {
        char *all[] = { p->sender, p->act, p->opener, p->files, p->age, p->route, p->labels };

        for (size_t i = 0; i < ELEMENTSOF(all); i++)
                free(all[i]);
}

char *bytes_escape(const char *data, size_t size) {
        TextStream text;
        FILE *f = text_open(&text);

        if (!f)
                return NULL;
        text_put_bytes(f, data, size);
        return text_take(&text);
}

static void put_name(FILE *f, const AlertBytes *name) {
        text_put_name_bytes(f, name->data, name->size);
}

static void put_comm(FILE *f, const AlertBytes *comm) {
        if (comm->size > 0)
                put_name(f, comm);
        else
                fputs("a process", f);
}

/* A thread chooses its name and a script gives its own to its interpreter, so the executable's name stands
 * beside one that the kernel would not have derived from it. */
static void put_process(FILE *f, const AlertBytes *comm, const AlertBytes *exe) {
        const char *slash = exe->size > 0 ? memrchr(exe->data, '/', exe->size) : NULL;
        const char *base = slash ? slash + 1 : exe->data;
        size_t size = exe->size - (slash ? (size_t)(base - exe->data) : 0);
        size_t comm_size = MIN(size, (size_t)BW_COMM_SIZE - 1);

        put_comm(f, comm);
        if (size == 0 || (comm->size == comm_size && memcmp(comm->data, base, comm_size) == 0))
                return;
        fputs(" [", f);
        text_put_name_bytes(f, base, size);
        fputc(']', f);
}

static void put_sender(FILE *f, const Alert *a, const AlertFile *file) {
        (void)file;
        put_process(f, &a->process.comm, &a->process.exe);
}

static void put_opener(FILE *f, const Alert *a, const AlertFile *file) {
        (void)a;
        put_process(f, &file->comm, &file->exe);
}

static void put_destination(FILE *f, const Alert *a) {
        const AlertBytes *path = &a->destination.path;

        if (path->size == 0) {
                fputs(a->destination.text, f);
                return;
        }
        put_name(f, path);
        if (a->destination.family == BW_FAMILY_FILE)
                fputs(" (a file that leaves this machine)", f);
}

static void put_act(FILE *f, const Alert *a, const AlertFile *file) {
        bool denied = action_refused(a->action);

        (void)file;
        if (strcmp(a->destination.act, "accept") == 0)
                fputs(denied ? "was refused a connection from " : "accepted a connection from ", f);
        else if (strcmp(a->destination.act, "connect") == 0)
                fputs(denied ? "was refused a connection to " : "connected to ", f);
        else if (strcmp(a->destination.protocol, "udp") == 0)
                fputs(denied ? "was refused a datagram to " : "sent a datagram to ", f);
        else
                fputs(denied ? "was not allowed to send data to " : "sent data to ", f);
        put_destination(f, a);
        if (a->action == BW_ACTION_STOPPED)
                fputs(", and was stopped", f);
        else if (a->action == BW_ACTION_KILLED)
                fputs(", and was killed", f);
        else if (a->action == BW_ACTION_WOULD_DENY)
                fputs(" (would be refused without dry-run)", f);
        else if (a->action == BW_ACTION_NOT_DENIED)
                fputs(" (could not be refused)", f);
}

/* "ssh-private-keys, high", "tls-private-keys, bound, medium" */
static void put_labels(FILE *f, const Alert *a, const AlertFile *file) {
        (void)file;
        for (char *const *c = a->classes; *c; c++) {
                text_put_bytes(f, *c, strlen(*c));
                fputs(", ", f);
        }
        if (a->evidence != EVIDENCE_UNBOUND)
                fprintf(f, "%s, ", evidence_to_string(a->evidence));
        if (a->sight != SIGHT_NONE)
                fputs(a->sight == SIGHT_FIRST ? "first sight of this script, " : "known script, ", f);
        fputs(severity_to_string(a->score.severity), f);
}

static bool file_has_class(const AlertFile *f, const char *class) {
        for (char *const *c = f->classes; *c; c++)
                if (strcmp(*c, class) == 0)
                        return true;
        return false;
}

/* False for a remembered file of other classes: its window is over, or the destination is allowed for it. */
static bool file_is_alerted(const Alert *a, const AlertFile *f) {
        for (char *const *c = a->classes; *c; c++)
                if (file_has_class(f, *c))
                        return true;
        return false;
}

/* The newest file of the worst class, of those if `named` that an earlier alert of this egress named. NULL:
 * none of the remembered files is of an alerted class. */
static const AlertFile *alert_worst_file(const Alert *a, bool named) {
        for (char *const *c = a->classes; *c; c++)
                for (size_t i = 0; i < a->n_files; i++)
                        if (a->files[i].named == named && file_has_class(&a->files[i], *c))
                                return &a->files[i];
        return NULL;
}

/* The file that the alert was raised for. */
const AlertFile *alert_main_file(const Alert *a) {
        return alert_worst_file(a, false) ?: alert_worst_file(a, true);
}

static void put_main_file(FILE *f, const Alert *a, const AlertFile *file) {
        if (file && !file->path_lost) {
                /* A complete path begins with a slash: the ellipsis cannot be part of a name. */
                if (file->path_truncated)
                        fputs("…", f);
                put_name(f, &file->path);
                if (file->real_path.size > 0) {
                        fputs(" (known as ", f);
                        put_name(f, &file->real_path);
                        fputc(')', f);
                }
                return;
        }
        if (a->classes[0]) {
                const char *class = file ? file->classes[0] : a->classes[0];

                fputs("a file of class ", f);
                text_put_bytes(f, class, strlen(class));
        } else
                fputs("a sensitive file", f);
        if (file) {
                fputs(", ", f);
                fputs(file->path.data, f); /* our own words */
        }
}

/* "/home/ana/.ssh/id_ed25519 (and 3 more files)" */
static void put_files(FILE *f, const Alert *a, const AlertFile *file) {
        size_t n = 0;

        put_main_file(f, a, file);
        for (size_t i = 0; i < a->n_files; i++)
                n += &a->files[i] != file && file_is_alerted(a, &a->files[i]);
        if (n == 0)
                return;
        if (n == 1)
                fputs(a->files_more ? " (and at least 1 more file)" : " (and 1 more file)", f);
        else
                fprintf(f, a->files_more ? " (and at least %zu more files)" : " (and %zu more files)", n);
}

static void put_age(FILE *f, const Alert *a, const AlertFile *file) {
        (void)a;
        text_put_age(f, file->age_usec);
}

/* "cat → pipe → gzip → pipe → nc". A name that contains an arrow is quoted. */
static void put_route(FILE *f, const Alert *a, const AlertFile *file) {
        if (file->route_cut)
                fputs("… → ", f);
        for (size_t i = 0; i < file->n_route; i++) {
                put_comm(f, &file->route[i].comm);
                fprintf(f, " → %s → ", file->route[i].via);
        }
        put_comm(f, &a->process.comm);
}

static char *part(void (*put)(FILE *f, const Alert *a, const AlertFile *file), const Alert *a,
                const AlertFile *file) {
        TextStream text;

        if (!text_open(&text))
                return NULL;
        put(text.stream, a, file);
        return text_take(&text);
}

/* Parts of what the sender did itself. -1: out of memory. */
static int format_own(const Alert *a, const AlertFile *file, const Parts *p, char **ret) {
        if (!file)
                return asprintf(ret, "%s (pid %" PRIu32 ", uid %" PRIu32 ") opened %s and then %s [%s]",
                                p->sender, a->process.pid, a->process.uid, p->files, p->act, p->labels);
        if (strcmp(file->via, "received") == 0)
                return asprintf(ret,
                                "%s (pid %" PRIu32 ", uid %" PRIu32
                                ") received an open descriptor of %s and %s later %s [%s]",
                                p->sender, a->process.pid, a->process.uid, p->files, p->age, p->act,
                                p->labels);
        if (strcmp(file->via, "trace") == 0)
                return asprintf(ret,
                                "%s (pid %" PRIu32 ", uid %" PRIu32
                                ") read %s by a system call and %s later %s [%s]",
                                p->sender, a->process.pid, a->process.uid, p->files, p->age, p->act,
                                p->labels);
        return asprintf(ret, "%s (pid %" PRIu32 ", uid %" PRIu32 ") opened %s and %s later %s [%s]",
                        p->sender, a->process.pid, a->process.uid, p->files, p->age, p->act, p->labels);
}

/* The same where another process opened the file. */
static int format_obtained(const Alert *a, const AlertFile *file, const Parts *p, char **ret) {
        if (file->n_route > 0)
                return asprintf(ret,
                                "%s (pid %" PRIu32 ", uid %" PRIu32 ") %s %s after %s (pid %" PRIu32
                                ") read %s; the data came through: %s%s [%s]",
                                p->sender, a->process.pid, a->process.uid, p->act, p->age, p->opener,
                                file->pid, p->files, p->route,
                                file->framed ? ", a socket that another user wrote to, perhaps to frame it"
                                             : "",
                                p->labels);
        if (file->handed_over)
                return asprintf(ret,
                                "%s (pid %" PRIu32 ", uid %" PRIu32 ") %s %s after %s (pid %" PRIu32
                                ") read %s [%s]",
                                p->sender, a->process.pid, a->process.uid, p->act, p->age, p->opener,
                                file->pid, p->files, p->labels);
        if (file->generation > 1)
                return asprintf(ret,
                                "%s (pid %" PRIu32 ", uid %" PRIu32
                                ") %s %s after its ancestor %s (pid %" PRIu32 ") opened %s [%s]",
                                p->sender, a->process.pid, a->process.uid, p->act, p->age, p->opener,
                                file->pid, p->files, p->labels);
        return asprintf(ret,
                        "%s (pid %" PRIu32 ", uid %" PRIu32 ") %s %s after its parent %s (pid %" PRIu32
                        ") opened %s [%s]",
                        p->sender, a->process.pid, a->process.uid, p->act, p->age, p->opener, file->pid,
                        p->files, p->labels);
}

/* Files are those of other processes, and any of them may be the one whose data left. */
static int format_suspect(const Alert *a, const Parts *p, char **ret) {
        return asprintf(ret,
                        "%s (pid %" PRIu32 ", uid %" PRIu32 ") %s; it is not tracked itself, as its user or "
                        "cgroup has filled its share of a table: their "
                        "processes read or renamed %s [%s]",
                        p->sender, a->process.pid, a->process.uid, p->act, p->files, p->labels);
}

/* Access=allowed: there was no egress. */
static int format_open(const Alert *a, const Parts *p, char **ret) {
        return asprintf(ret, "%s (pid %" PRIu32 ", uid %" PRIu32 ") %s %s%s [%s]", p->sender, a->process.pid,
                        a->process.uid, action_refused(a->action) ? "was not allowed to open" : "opened",
                        p->files,
                        a->action == BW_ACTION_WOULD_DENY ? " (would be refused without dry-run)" : "",
                        p->labels);
}

static char *sentence_of_first(const Alert *a) {
        const AlertFile *file = alert_main_file(a);
        _cleanup_(parts_done) Parts p = {
                .sender = part(put_sender, a, file),
                .act = part(put_act, a, file),
                .files = part(put_files, a, file),
                .labels = part(put_labels, a, file),
        };
        char *text;

        if (!p.sender || !p.act || !p.files || !p.labels)
                return NULL;
        if (file) {
                p.opener = part(put_opener, a, file);
                p.age = part(put_age, a, file);
                p.route = part(put_route, a, file);
                if (!p.opener || !p.age || !p.route)
                        return NULL;
        }

        if (a->destination.family == BW_FAMILY_NONE)
                return format_open(a, &p, &text) < 0 ? NULL : text;
        if (a->suspect)
                return format_suspect(a, &p, &text) < 0 ? NULL : text;
        /* By how it came, not by the PID: the opener's may have been reused for the sender. */
        bool obtained = file && (file->generation > 0 || file->n_route > 0);
        int r = obtained ? format_obtained(a, file, &p, &text) : format_own(a, file, &p, &text);
        return r < 0 ? NULL : text;
}

char *alert_sentence(const Alert *a) {
        _cleanup_free_ char *first = sentence_of_first(a);
        char *text;
        int r;

        if (!first)
                return NULL;
        if (a->repeats == 0)
                return STEAL_PTR(first);
        if (a->flood)
                r = asprintf(&text,
                                "%s (and %" PRIu64
                                " more by the same user and executable within 10 s, rate-limited)",
                                first, a->repeats);
        else if (a->repeats == 1)
                r = asprintf(&text, "%s (repeated once within its window)", first);
        else
                r = asprintf(&text, "%s (repeated %" PRIu64 " times within its window)", first, a->repeats);
        return r < 0 ? NULL : text;
}
