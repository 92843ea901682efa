/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Each file is followed alone. Of one journal of all files, libsystemd returns what is later than the last
 * entry that it returned: what a host sent late would never be shown. */

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "alert/message-ids.h"
#include "basic/json-util.h"
#include "basic/sigbus-guard.h"
#include "basic/strv.h"
#include "basic/time-util.h"
#include "basic/util.h"
#include "sink/fleet.h"
#include "sink/journal-files.h"

/* systemd cuts a file to its own size after each write, so that inotify(7) reports it; the writer maps it.
 */
#define EVENTS (IN_CREATE | IN_MOVED_TO | IN_MODIFY | IN_ATTRIB)
/* Many entries at once are read at once: journalctl waits as long. */
#define SETTLE_MS 250

static const struct {
        const char *id, *name;
} kinds[] = {
        { MESSAGE_ID_ALERT, "alert" }, { MESSAGE_ID_LOSS, "loss" }, { MESSAGE_ID_POLICY, "policy" },
        { MESSAGE_ID_FOREIGN, "foreign" }, { MESSAGE_ID_DELAY, "delay" }, { MESSAGE_ID_SHARE, "share" },
        { MESSAGE_ID_HEARTBEAT, "heartbeat" }, { MESSAGE_ID_FALLBACK, "fallback" },
        { MESSAGE_ID_SELFTEST, "selftest" }, /* of its own unit */
};

typedef struct FollowedFile {
        sd_journal *journal; /* NULL: it is archived, and gets no more entries */
        char *path;
        dev_t device;
        ino_t inode; /* it keeps it when it is archived and gets another name */
        bool listed; /* by the last listing */
} FollowedFile;

typedef struct Follower {
        const JournalSource *source;
        JournalReaderHandler handler;
        void *userdata;
        FollowedFile *files; /* sorted by device and inode */
        size_t n, n_allocated;
        int inotify;
        JournalCounts counts;
} Follower;

/* Returns where the file is, or belongs. */
static size_t file_find(const Follower *f, const struct stat *st, bool *ret_found) {
        size_t low = 0, high = f->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                const FollowedFile *file = f->files + middle;

                if (file->device != st->st_dev ? file->device < st->st_dev : file->inode < st->st_ino)
                        low = middle + 1;
                else
                        high = middle;
        }
        *ret_found = low < f->n && f->files[low].device == st->st_dev && f->files[low].inode == st->st_ino;
        return low;
}

static size_t hex_length(const char *text) {
        return strspn(text, "0123456789abcdef");
}

/* As systemd names files that are full, "….journal" or, if they were not closed in order, "….journal~":
 * NAME@ and the id of the sequence, its number and the time; or NAME@ and the time and a random number. */
static bool is_archived(const char *path) {
        const char *name = strrchr(path, '/') ?: path, *at = strrchr(name, '@'),
                   *suffix = strrchr(name, '.');

        if (!at || !suffix || suffix < at)
                return false;
        if (strcmp(suffix, ".journal~") == 0)
                return hex_length(at + 1) == 16 && at[17] == '-' && hex_length(at + 18) == 16;
        return strcmp(suffix, ".journal") == 0 && hex_length(at + 1) == 32 && at[33] == '-' &&
               hex_length(at + 34) == 16 && at[50] == '-' && hex_length(at + 51) == 16;
}

static int file_seek(sd_journal *j, bool from_head) {
        int r = sd_journal_set_data_threshold(j, 0);

        for (size_t i = 0; i < ELEMENTSOF(kinds) && r >= 0; i++) {
                char match[64];

                (void)snprintf(match, sizeof(match), "MESSAGE_ID=%s", kinds[i].id);
                r = sd_journal_add_match(j, match, 0);
        }
        if (r >= 0)
                r = sd_journal_add_match(j, "_SYSTEMD_UNIT=barbwire.service", 0);
        if (r >= 0)
                r = sd_journal_add_disjunction(j);
        if (r >= 0)
                r = sd_journal_add_match(j, "MESSAGE_ID=" MESSAGE_ID_SELFTEST, 0);
        if (r >= 0)
                r = sd_journal_add_match(j, "_SYSTEMD_UNIT=barbwire-selftest.service", 0);
        if (r >= 0 && !from_head) {
                r = sd_journal_seek_tail(j);
                if (r >= 0)
                        r = sd_journal_previous(j);
                /* At its end, no later entry would be found. */
                from_head = r == 0;
        }
        return r >= 0 && from_head ? sd_journal_seek_head(j) : r;
}

static int watch_directory_of(Follower *f, const char *path) {
        _cleanup_free_ char *directory = strdup(path);
        char *slash = directory ? strrchr(directory, '/') : NULL;

        if (!directory)
                return -ENOMEM;
        if (slash)
                *slash = '\0';
        /* The same directory has the same watch. */
        return inotify_add_watch(f->inotify, slash ? (directory[0] ? directory : "/") : ".", EVENTS) < 0
                               ? -errno
                               : 0;
}

static int state_take(Follower *f, sd_journal *j) {
        _cleanup_free_ char *id = NULL, *usec = NULL;
        const char *name = "?";
        size_t size;
        bool heartbeat;

        int r = journal_entry_get(j, "MESSAGE_ID", &id, &size);
        if (r >= 0)
                r = journal_entry_get(j, "BARBWIRE_TIME", &usec, &size);
        if (r < 0) {
                f->counts.n_malformed += r != -ENOMEM;
                return r == -ENOMEM ? r : 0;
        }
        heartbeat = strcmp(id, MESSAGE_ID_HEARTBEAT) == 0;
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                if (strcmp(kinds[i].id, id) == 0)
                        name = kinds[i].name;
        json_auto_t *o = json_pack("{s:s, s:s, s:o, s:o, s:o}", "kind", "state", "state", name, "host",
                        journal_entry_json(j, "_HOSTNAME"), "time", json_from_time(strtoull(usec, NULL, 10)),
                        "summary", journal_entry_json(j, "MESSAGE"));
        if (!o)
                return -ENOMEM;
        if (heartbeat && (json_object_set_new(o, "event", journal_entry_json(j, "BARBWIRE_HEARTBEAT")) < 0 ||
                                         json_object_set_new(o, "health",
                                                         journal_entry_json(j, "BARBWIRE_HEALTH")) < 0))
                return -ENOMEM;
        return f->handler(o, NULL, f->userdata);
}

static int entry_take(Follower *f, sd_journal *j) {
        _cleanup_free_ char *line = NULL, *id = NULL;
        json_auto_t *alert = NULL;
        size_t size;

        if (!journal_entry_is_of_service(j)) {
                f->counts.n_foreign++;
                return 0;
        }
        int r = journal_entry_get(j, "BARBWIRE_ALERT_ID", &id, &size);
        if (r == -ENOENT)
                return state_take(f, j);
        r = r < 0 ? r : journal_entry_read(j, &f->counts, &line, &alert);
        return r < 0 || !alert ? MIN(r, 0) : f->handler(alert, line, f->userdata);
}

/* A file that was cut or removed gets no more entries: that is no error. */
static int file_read(Follower *f, sd_journal *j) {
        int r;

        while ((r = sd_journal_next(j)) > 0) {
                r = entry_take(f, j);
                if (r < 0)
                        return r;
        }
        return r == -ENOMEM ? r : 0;
}

static int files_read(Follower *f) {
        int r = 0;

        for (size_t i = 0; i < f->n && r >= 0; i++)
                if (f->files[i].journal)
                        r = file_read(f, f->files[i].journal);
        return r;
}

/* Owns the journal from then on. */
static int file_insert(Follower *f, size_t at, const char *path, const struct stat *st, sd_journal *j) {
        char *copy = strdup(path);

        if (copy && f->n == f->n_allocated) {
                size_t n = MAX(f->n_allocated * 2, (size_t)64);
                FollowedFile *files = reallocarray(f->files, n, sizeof(*files));

                if (!files)
                        free(STEAL_PTR(copy));
                else {
                        f->files = files;
                        f->n_allocated = n;
                }
        }
        if (!copy) {
                sd_journal_close(j);
                return -ENOMEM;
        }
        memmove(f->files + at + 1, f->files + at, (f->n++ - at) * sizeof(*f->files));
        f->files[at] = (FollowedFile){
                .journal = j, .path = copy, .device = st->st_dev, .inode = st->st_ino, .listed = true
        };
        return 0;
}

static void file_remove(Follower *f, size_t at) {
        sd_journal_close(f->files[at].journal);
        free(f->files[at].path);
        memmove(f->files + at, f->files + at + 1, (--f->n - at) * sizeof(*f->files));
}

/* It is known already. */
static int file_again(FollowedFile *file, const char *path) {
        file->listed = true;
        if (strcmp(file->path, path) == 0)
                return 0;
        char *copy = strdup(path);
        if (!copy)
                return -ENOMEM;
        free(file->path);
        file->path = copy;
        return 0;
}

static int file_add(Follower *f, const char *path, bool from_head) {
        const char *paths[] = { path, NULL };
        bool known, archived = is_archived(path);
        sd_journal *j = NULL;
        struct stat st;

        if (stat(path, &st) < 0)
                return 0;
        size_t at = file_find(f, &st, &known);
        /* An archived file that was removed: a new one has its inode. */
        if (known && !archived && !f->files[at].journal) {
                file_remove(f, at);
                known = false;
        }
        if (known)
                return file_again(f->files + at, path);
        int r = watch_directory_of(f, path);
        /* What was archived before is never read: a host may have hundreds. */
        if (r >= 0 && archived && !from_head)
                return file_insert(f, at, path, &st, NULL);
        if (r >= 0)
                r = sd_journal_open_files(&j, paths, 0);
        if (r >= 0)
                r = file_seek(j, from_head);
        if (r < 0) {
                sd_journal_close(j);
                /* It may be a file that its writer has not begun yet. */
                return r == -ENOMEM || r == -ENOSPC || r == -EMFILE ? r : 0;
        }
        if (archived) {
                r = file_read(f, j);
                sd_journal_close(STEAL_PTR(j));
        }
        return r < 0 ? r : file_insert(f, at, path, &st, j);
}

/* from_head: what appeared since. */
static int files_add(Follower *f, bool from_head) {
        _cleanup_(strv_freep) char **files = NULL;
        size_t n = 0;

        for (size_t i = 0; i < f->n; i++)
                f->files[i].listed = false;
        int r = journal_source_list(f->source, &files, &n);
        for (size_t i = 0; i < n && r >= 0; i++)
                r = file_add(f, files[i], from_head);
        return r;
}

/* Closes those that get no more entries, after they were read: they would keep descriptors, and the space of
 * files that were removed. A listing may lack a file because its directory could not be read. */
static void files_close(Follower *f) {
        for (size_t i = f->n; i-- > 0;) {
                FollowedFile *file = f->files + i;
                struct stat st;

                if (!file->listed &&
                                (stat(file->path, &st) < 0 ? errno == ENOENT
                                                           : st.st_ino != file->inode ||
                                                                                st.st_dev != file->device))
                        file_remove(f, i);
                else if (file->listed && is_archived(file->path))
                        sd_journal_close(STEAL_PTR(file->journal));
        }
}

static int follower_wait(Follower *f) {
        struct pollfd p = { .fd = f->inotify, .events = POLLIN };
        char events[16 * 1024];

        while (poll(&p, 1, -1) < 0)
                if (errno != EINTR)
                        return -errno;
        (void)poll(NULL, 0, SETTLE_MS);
        while (read(f->inotify, events, sizeof(events)) > 0)
                ;
        return 0;
}

static int follower_run(Follower *f, void (*ready)(void *userdata)) {
        f->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        if (f->inotify < 0)
                return -errno;
        /* Also a directory without any file yet. */
        if (f->source->directory && inotify_add_watch(f->inotify, f->source->directory, EVENTS) < 0)
                return -errno;
        int r = files_add(f, false);
        if (r >= 0 && f->n == 0 && !f->source->directory)
                r = -ENOENT;
        if (r >= 0)
                ready(f->userdata);
        while (r >= 0) {
                r = follower_wait(f);
                if (r >= 0)
                        r = files_add(f, true);
                if (r >= 0)
                        r = files_read(f);
                if (r >= 0)
                        files_close(f);
        }
        return r;
}

int journal_follow(const JournalSource *s, JournalReaderHandler handler, void (*ready)(void *userdata),
                void *userdata, JournalCounts *ret) {
        Follower f = { .source = s, .handler = handler, .userdata = userdata, .inotify = -1 };
        struct sigaction before;
        struct rlimit limit;

        /* A descriptor for each host. select(2), which could not take them, is not used. */
        if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
                limit.rlim_cur = limit.rlim_max;
                (void)setrlimit(RLIMIT_NOFILE, &limit);
        }

        int r = sigbus_guard_begin(&before);
        if (r < 0)
                return r;
        r = follower_run(&f, ready);
        sigbus_guard_end(&before);
        while (f.n > 0)
                file_remove(&f, f.n - 1);
        free(f.files);
        closep(&f.inotify);
        *ret = f.counts;
        return r;
}
