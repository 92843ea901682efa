/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/strv.h"
#include "basic/util.h"
#include "sink/journal-files.h"

static bool ends_with(const char *name, const char *end) {
        size_t n = strlen(name), n_end = strlen(end);

        return n > n_end && strcmp(name + n - n_end, end) == 0;
}

/* "….journal~": it was not closed in order; what it has is read. */
static bool is_journal(const char *name) {
        return ends_with(name, ".journal") || ends_with(name, ".journal~");
}

/* The id of a machine, or where systemd-journal-remote(8) writes by default. */
static bool is_directory_of_journals(const char *name) {
        return (strlen(name) == 32 && strspn(name, "0123456789abcdef") == 32) || strcmp(name, "remote") == 0;
}

static int list_one(const char *directory, bool deeper, char ***files, size_t *n) {
        DIR *d = opendir(directory);
        int r = 0;

        if (!d)
                return -errno;
        for (const struct dirent *e; r >= 0 && (e = readdir(d));) {
                bool below = deeper && is_directory_of_journals(e->d_name);
                char *path = NULL;

                if (!below && !is_journal(e->d_name))
                        continue;
                if (asprintf(&path, "%s/%s", directory, e->d_name) < 0) {
                        r = -ENOMEM;
                        break;
                }
                if (!below) {
                        r = strv_consume(files, n, path);
                        continue;
                }
                /* One that is no directory, is gone again or may not be read is as if it was not there. */
                r = list_one(path, false, files, n);
                free(path);
                r = r == -ENOMEM ? r : 0;
        }
        closedir(d);
        return r;
}

static int by_text(const void *a, const void *b) {
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Both places, of which one may be missing. */
static int list_below(const char *root, char ***files, size_t *n) {
        static const char *const places[] = { "/var/log/journal", "/run/log/journal" };
        int r = -ENOENT;

        for (size_t i = 0; i < ELEMENTSOF(places); i++) {
                _cleanup_free_ char *path = NULL;

                if (asprintf(&path, "%s%s", root, places[i]) < 0)
                        return -ENOMEM;
                int one = list_one(path, true, files, n);
                if (one == -ENOMEM)
                        return one;
                if (one >= 0 || r == -ENOENT)
                        r = one;
        }
        return r;
}

/* By name, which is the order of time for the archived files of one host. */
int journal_source_list(const JournalSource *s, char ***files, size_t *n) {
        int r = 0;

        for (const char *const *f = s->files; f && *f && r >= 0; f++)
                r = strv_extend(files, n, *f);
        if (r >= 0 && s->directory)
                r = list_one(s->directory, true, files, n);
        else if (r >= 0 && !s->files)
                r = list_below(s->root ?: "", files, n);
        if (*n > 0)
                qsort(*files, *n, sizeof(**files), by_text);
        return r;
}

int journal_source_open(const JournalSource *s, sd_journal **ret) {
        _cleanup_(strv_freep) char **files = NULL;
        size_t n = 0;

        if (s->files && s->files[0])
                return sd_journal_open_files(ret, (const char **)s->files, 0);
        if (s->directory)
                return sd_journal_open_directory(ret, s->directory, 0);
        if (!s->root)
                return sd_journal_open(ret, s->merge ? 0 : SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);
        int r = journal_source_list(s, &files, &n);
        if (r >= 0)
                r = n > 0 ? sd_journal_open_files(ret, (const char **)files, 0) : -ENOENT;
        return r;
}

/* A journal without any file that can be read opens nonetheless. */
static int visit_opened(sd_journal *j, JournalVisitor visit, void *userdata) {
        uint64_t n_bytes = 0;

        int r = sd_journal_get_usage(j, &n_bytes);
        if (r >= 0 && n_bytes == 0)
                r = -ENOENT;
        return r < 0 ? r : visit(j, userdata);
}

int journal_all_files(const JournalSource *s, JournalVisitor visit, void *userdata) {
        sd_journal *j = NULL;

        int r = journal_source_open(s, &j);
        if (r >= 0)
                r = visit_opened(j, visit, userdata);
        sd_journal_close(j);
        return r;
}

/* 1: it was visited; 0: it cannot be read, for the reason in *error. */
static int visit_file(const char *path, JournalVisitor visit, void *userdata, int *error) {
        const char *paths[] = { path, NULL };
        sd_journal *j = NULL;

        int r = sd_journal_open_files(&j, paths, 0);
        if (r < 0) {
                *error = r;
                return r == -ENOMEM ? r : 0;
        }
        r = visit_opened(j, visit, userdata);
        sd_journal_close(j);
        return r < 0 ? r : 1;
}

typedef struct Files {
        char **seen; /* sorted */
        size_t n_seen, n_read;
        int error; /* of one that cannot be read */
} Files;

/* Visits those that were not there before. Returns how many there are. */
static int files_visit(
                const JournalSource *s, Files *f, JournalVisitor visit, void *userdata, JournalCounts *c) {
        _cleanup_(strv_freep) char **files = NULL;
        size_t n = 0, n_before = f->n_seen;

        int r = journal_source_list(s, &files, &n);
        for (size_t i = 0; i < n && r >= 0; i++) {
                if (n_before > 0 && bsearch(files + i, f->seen, n_before, sizeof(*f->seen), by_text))
                        continue;
                r = visit_file(files[i], visit, userdata, &f->error);
                f->n_read += r > 0;
                c->n_unreadable += r == 0 && f->error != -ENOENT;
                if (r >= 0)
                        r = strv_extend(&f->seen, &f->n_seen, files[i]);
        }
        if (r < 0)
                return r;
        if (f->n_seen > 0)
                qsort(f->seen, f->n_seen, sizeof(*f->seen), by_text);
        return (int)(f->n_seen - n_before);
}

int journal_each_file(const JournalSource *s, JournalVisitor visit, void *userdata, JournalCounts *c) {
        Files f = { .error = -ENOENT };
        int r;

        if (!s->directory && !s->files && !s->root && !s->merge)
                return journal_all_files(s, visit, userdata);
        /* A file that is archived meanwhile has another name then. What is read twice has the same ids. */
        do
                r = files_visit(s, &f, visit, userdata, c);
        while (r > 0 && !s->files);
        strv_free(f.seen);
        return r < 0 ? r : f.n_read > 0 ? 0 : f.error;
}
