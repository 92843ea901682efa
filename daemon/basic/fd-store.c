/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <string.h>

#include <systemd/sd-daemon.h>

#include "basic/log.h"
#include "basic/strv.h"
#include "basic/fd-store.h"

/* Do not wait longer for systemd. */
#define SYNC_USEC (5 * USEC_PER_SEC)

#define PREFIX "bw-"
#define IDENTITY_AT (sizeof(PREFIX) - 1)
#define WHAT_AT (IDENTITY_AT + FD_STORE_IDENTITY_SIZE)

typedef struct Entry {
        char *name; /* at least WHAT_AT bytes */
        int fd;
} Entry;

struct FdStore {
        Entry *entries;
        size_t n;
        bool keeps;
        int n_sockets, socket; /* the last one; not ours to close */
};

/* Without FDPOLL=0 systemd refuses descriptors that cannot be polled, such as maps. */
static int store_notify(const char *act, const char *name, int fd) {
        _cleanup_free_ char *text = NULL;

        if (asprintf(&text, "%s=1\nFDNAME=%s\nFDPOLL=0", act, name) < 0)
                return -ENOMEM;
        int r = sd_pid_notify_with_fds(0, false, text, fd >= 0 ? &fd : NULL, fd >= 0);
        return MIN(r, 0);
}

static int store_add(FdStore *s, char *name, int fd) {
        Entry *entries = name ? reallocarray(s->entries, s->n + 1, sizeof(*entries)) : NULL;

        if (!entries) {
                free(name);
                return -ENOMEM;
        }
        s->entries = entries;
        entries[s->n++] = (Entry){ .name = name, .fd = fd };
        return 0;
}

int fd_store_new(FdStore **ret) {
        _cleanup_(fd_store_freep) FdStore *s = calloc(1, sizeof(*s));
        _cleanup_(strv_freep) char **names = NULL;

        if (!s)
                return -ENOMEM;
        s->keeps = getenv("NOTIFY_SOCKET");
        int n = sd_listen_fds_with_names(true, &names);
        if (n < 0) {
                return log_error_errno(n, "Failed to receive file descriptors from the service manager: %m");
        }
        for (int i = 0; i < n; i++) {
                if (strncmp(names[i], PREFIX, IDENTITY_AT) != 0) {
                        s->socket = SD_LISTEN_FDS_START + i;
                        s->n_sockets++;
                        continue;
                }
                if (strlen(names[i]) <= WHAT_AT) {
                        log_warning("Ignoring unknown file descriptor \"%s\" in the descriptor store.",
                                        names[i]);
                        (void)store_notify("FDSTOREREMOVE", names[i], -1);
                        close(SD_LISTEN_FDS_START + i);
                        continue;
                }
                int r = store_add(s, strdup(names[i]), SD_LISTEN_FDS_START + i);
                if (r < 0)
                        return r;
        }
        *ret = STEAL_PTR(s);
        return 0;
}

FdStore *fd_store_free(FdStore *s) {
        if (!s)
                return NULL;
        for (size_t i = 0; i < s->n; i++) {
                free(s->entries[i].name);
                close(s->entries[i].fd);
        }
        free(s->entries);
        free(s);
        return NULL;
}

int fd_store_sockets(const FdStore *s, int *ret_fd) {
        *ret_fd = s->socket;
        return s->n_sockets;
}

bool fd_store_keeps(const FdStore *s) {
        return s->keeps;
}

static bool entry_is_of(const Entry *e, const char *identity) {
        return !identity || strncmp(e->name + IDENTITY_AT, identity, FD_STORE_IDENTITY_SIZE - 1) == 0;
}

static bool entry_is(const Entry *e, const char *what) {
        size_t n = what ? strlen(what) : 0;

        return n == 0 || (what[n - 1] == '.' ? strncmp(e->name + WHAT_AT, what, n)
                                             : strcmp(e->name + WHAT_AT, what)) == 0;
}

bool fd_store_other(const FdStore *s, const char *identity, char ret[static FD_STORE_IDENTITY_SIZE]) {
        for (size_t i = 0; i < s->n; i++)
                if (!entry_is_of(&s->entries[i], identity)) {
                        memcpy(ret, s->entries[i].name + IDENTITY_AT, FD_STORE_IDENTITY_SIZE - 1);
                        ret[FD_STORE_IDENTITY_SIZE - 1] = 0;
                        return true;
                }
        return false;
}

int fd_store_find(const FdStore *s, const char *identity, const char *what) {
        for (size_t i = 0; i < s->n; i++)
                if (entry_is_of(&s->entries[i], identity) && entry_is(&s->entries[i], what))
                        return s->entries[i].fd;
        return -1;
}

int fd_store_nth(const FdStore *s, const char *what, size_t n) {
        for (size_t i = 0; i < s->n; i++)
                if (entry_is(&s->entries[i], what) && n-- == 0)
                        return s->entries[i].fd;
        return -1;
}

int fd_store_put(const FdStore *s, const char *identity, const char *what, int fd) {
        _cleanup_free_ char *name = NULL;

        if (!s->keeps)
                return 0;
        if (asprintf(&name, PREFIX "%s-%s", identity, what) < 0)
                return -ENOMEM;
        return store_notify("FDSTORE", name, fd);
}

void fd_store_remove(FdStore *s, const char *identity, const char *what, const char *but) {
        size_t kept = 0;

        for (size_t i = 0; i < s->n; i++) {
                Entry *e = &s->entries[i];

                if (!entry_is_of(e, identity) || !entry_is(e, what) || (but && entry_is(e, but))) {
                        s->entries[kept++] = *e;
                        continue;
                }
                (void)store_notify("FDSTOREREMOVE", e->name, -1);
                free(e->name);
                close(e->fd);
        }
        s->n = kept;
}

void fd_store_sync(const FdStore *s) {
        if (s->keeps && sd_notify_barrier(0, SYNC_USEC) < 0)
                log_warning("The service manager does not respond: the descriptor store may be out of "
                            "date.");
}
