/* SPDX-License-Identifier: GPL-2.0-or-later */

/* An alert in one sentence. Names come from whoever is accused: nothing they contain may reach a terminal or
 * a log unescaped, or pass for more of the sentence. Must not add facts; the Alert has them all. */

#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>

#include "alert.h"
#include "text.h"
#include "util.h"

static void put_string(FILE *f, const char *s) {
        text_put_bytes(f, s, strlen(s));
}

char *bytes_escape(const char *data, size_t size) {
        _cleanup_free_ char *text = NULL;
        size_t text_size;

        _cleanup_fclose_ FILE *f = open_memstream(&text, &text_size);
        if (!f)
                return NULL;

        text_put_bytes(f, data, size);
        return text_close(&f) < 0 ? NULL : STEAL_PTR(text);
}

static void put_comm(FILE *f, const AlertBytes *comm) {
        if (comm->size > 0)
                text_put_name_bytes(f, comm->data, comm->size);
        else
                fputs("a process", f);
}

static void put_path(FILE *f, const AlertFile *file) {
        /* A whole path begins with a slash: the ellipsis cannot be part of a name. */
        if (file->path_truncated)
                fputs("…", f);
        text_put_name_bytes(f, file->path.data, file->path.size);
}

static void put_destination(FILE *f, const Alert *a) {
        const AlertBytes *path = &a->destination.path;

        switch (a->destination.family) {
        case AF_INET6:
                fprintf(f, "[%s]:%u", a->destination.address, a->destination.port);
                break;
        case AF_INET:
                fprintf(f, "%s:%u", a->destination.address, a->destination.port);
                break;
        case AF_UNIX:
                if (path->size > 0)
                        text_put_name_bytes(f, path->data, path->size);
                else
                        fputs("a local service", f);
                break;
        case BW_FAMILY_FILE:
                fputs("the file ", f);
                if (path->size > 0)
                        text_put_name_bytes(f, path->data, path->size);
                fputs(path->size > 0 ? ", which leaves this machine" : "of another machine", f);
                break;
        case AF_VSOCK:
                fprintf(f, "vsock CID %s, port %u", a->destination.address, a->destination.port);
                break;
        case AF_PACKET:
                fprintf(f, "network interface %s", a->destination.address);
                break;
        default:
                fprintf(f, "a socket of %s", a->destination.family_name);
        }
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

/* "connected to 192.0.2.7:443" */
static void put_act(FILE *f, const Alert *a, const char *when) {
        bool inet = a->destination.family == AF_INET || a->destination.family == AF_INET6;

        if (strcmp(a->destination.act, "accept") == 0) {
                fputs("had a connection from ", f);
                if (inet)
                        fprintf(f, "%s on port %u", a->destination.address, a->destination.port);
                else
                        put_destination(f, a);
                fputs(when, f);
                return;
        }
        if (strcmp(a->destination.act, "connect") == 0)
                fprintf(f, "connected%s to ", when);
        else
                fprintf(f, "sent %s%s to ", strcmp(a->destination.protocol, "udp") == 0 ? "a datagram" : "data", when);
        put_destination(f, a);
}

/* "opened FILE and 1.2 s later connected to" */
static void put_own_act(FILE *f, const Alert *a, const AlertFile *file) {
        fputs(file && strcmp(file->via, "received") == 0 ? " was passed " : " opened ", f);
        if (put_files(f, a, file))
                fputc(',', f);
        fputs(" and ", f);
        if (file) {
                text_put_age(f, file->age_usec);
                fputs(" later", f);
        } else
                fputs("then", f);
        fputc(' ', f);
        put_act(f, a, "");
}

/* ", started by sh (pid 11) which opened FILE, connected 1.2 s later to" */
static void put_inherited_act(FILE *f, const Alert *a, const AlertFile *file) {
        _cleanup_free_ char *when = NULL;
        size_t size;
        FILE *age = open_memstream(&when, &size);

        fputs(file->handed_over ? ", which holds what " : file->hops > 1 ? ", a descendant of " : ", started by ", f);
        put_comm(f, &file->comm);
        fprintf(f, " (pid %" PRIu32 ") %s ", file->pid, file->handed_over ? "read from" : "which opened");
        (void)put_files(f, a, file);
        if (age) {
                fputc(' ', age);
                text_put_age(age, file->age_usec);
                fputs(" later", age);
                fclose(age);
        }
        fputs(", ", f);
        put_act(f, a, when ?: "");
}

/* "; it came by cat → pipe → gzip → pipe → nc". An arrow in a name is its owner's: such a name is quoted. */
static void put_way(FILE *f, const Alert *a, const AlertFile *file) {
        if (file->n_way == 0)
                return;
        fprintf(f, "; it came by %s", file->way_cut ? "… → " : "");
        for (size_t i = 0; i < file->n_way; i++) {
                put_comm(f, &file->way[i].comm);
                fprintf(f, " → %s → ", file->way[i].via);
        }
        put_comm(f, &a->process.comm);
}

static void put_sentence(FILE *f, const Alert *a) {
        const AlertFile *file = alert_main_file(a);

        put_comm(f, &a->process.comm);
        fprintf(f, " (pid %" PRIu32 ", uid %" PRIu32 ")", a->process.pid, a->process.uid);
        /* By how it came, not by the pid: the opener's may have been given to this process since. */
        if (file && (file->hops > 0 || file->n_way > 0))
                put_inherited_act(f, a, file);
        else
                put_own_act(f, a, file);
        if (file)
                put_way(f, a, file);

        fputs(" [", f);
        put_classes(f, a->classes);
        fprintf(f, "%s%s]", a->classes[0] ? ", " : "", severity_to_string(a->score.severity));

        if (a->flood && a->repeats > 0)
                fprintf(f, " (and %" PRIu64 " more by this program and user within 10 s, counted and not told one by one)",
                                a->repeats);
        else if (a->repeats == 1)
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
        return text_close(&f) < 0 ? NULL : STEAL_PTR(text);
}
