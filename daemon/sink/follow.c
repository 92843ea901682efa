/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Each file is followed alone. Of one journal of all files, libsystemd returns what is later than the last
 * entry that it returned: what a host sent late would never be shown. */

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
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
        { MESSAGE_ID_ALERT, "alert" },
        { MESSAGE_ID_LOSS, "loss" },
        { MESSAGE_ID_POLICY, "policy" },
        { MESSAGE_ID_FOREIGN, "foreign" },
        { MESSAGE_ID_DELAY, "delay" },
        { MESSAGE_ID_SHARE, "share" },
        { MESSAGE_ID_HEARTBEAT, "heartbeat" },
};

typedef struct FollowedFile {
        sd_journal *journal;
        dev_t device;
        ino_t inode; /* it keeps it when it is archived and gets another name */
} FollowedFile;

typedef struct Follower {
        const JournalSource *source;
        JournalReaderHandler handler;
        void *userdata;
        FollowedFile *files;
        size_t n;
        int inotify;
        JournalCounts counts;
} Follower;

static bool is_followed(const Follower *f, const struct stat *st) {
        for (size_t i = 0; i < f->n; i++)
                if (f->files[i].inode == st->st_ino && f->files[i].device == st->st_dev)
                        return true;
        return false;
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

static int file_add(Follower *f, const char *path, bool from_head) {
        const char *paths[] = { path, NULL };
        struct stat st;
        sd_journal *j = NULL;

        if (stat(path, &st) < 0 || is_followed(f, &st))
                return 0;
        FollowedFile *files = reallocarray(f->files, f->n + 1, sizeof(*files));
        if (!files)
                return -ENOMEM;
        f->files = files;
        int r = watch_directory_of(f, path);
        if (r >= 0)
                r = sd_journal_open_files(&j, paths, 0);
        if (r >= 0)
                r = file_seek(j, from_head);
        if (r < 0) {
                sd_journal_close(j);
                /* It may be a file that its writer has not begun yet. */
                return r == -ENOMEM || r == -ENOSPC || r == -EMFILE ? r : 0;
        }
        f->files[f->n++] = (FollowedFile){ .journal = j, .device = st.st_dev, .inode = st.st_ino };
        return 0;
}

/* from_head: what appeared since. */
static int files_add(Follower *f, bool from_head) {
        _cleanup_(strv_freep) char **files = NULL;
        size_t n = 0;

        int r = journal_source_list(f->source, &files, &n);
        for (size_t i = 0; i < n && r >= 0; i++)
                r = file_add(f, files[i], from_head);
        return r;
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

static int files_read(Follower *f) {
        for (size_t i = 0; i < f->n; i++) {
                int r;

                while ((r = sd_journal_next(f->files[i].journal)) > 0) {
                        r = entry_take(f, f->files[i].journal);
                        if (r < 0)
                                return r;
                }
                /* A file that was cut or removed gets no more entries. */
                if (r == -ENOMEM)
                        return r;
        }
        return 0;
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
        }
        return r;
}

int journal_follow(const JournalSource *s, JournalReaderHandler handler, void (*ready)(void *userdata),
                void *userdata, JournalCounts *ret) {
        Follower f = { .source = s, .handler = handler, .userdata = userdata, .inotify = -1 };
        struct sigaction before;

        int r = sigbus_guard_begin(&before);
        if (r < 0)
                return r;
        r = follower_run(&f, ready);
        sigbus_guard_end(&before);
        for (size_t i = 0; i < f.n; i++)
                sd_journal_close(f.files[i].journal);
        free(f.files);
        closep(&f.inotify);
        *ret = f.counts;
        return r;
}
