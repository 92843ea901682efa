/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Never the digest of another file than the one that ran. A file is taken for it if path, device and inode
 * are those of the record, in the same boot, and it has not changed since: the time of its last change is
 * recorded; that of the sender's executable must be before the process started. Any doubt is said.
 *
 * Runs as root, and paths come from processes of anybody: nothing but a regular file is opened, and no link
 * is followed. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include <nettle/sha2.h>

#include "alert/recorded.h"
#include "basic/escape.h"
#include "basic/json-util.h"
#include "basic/util.h"
#include "client/digest.h"

/* A larger one would keep a person waiting for seconds. */
#define SIZE_MAX_BYTES (UINT64_C(1) << 30)
/* File systems date a change with the clock of the last timer interrupt; the start is exact. */
#define CHANGE_MARGIN_USEC (2 * USEC_PER_SEC)

static uint64_t change_nsec(const struct stat *st) {
        return (uint64_t)st->st_ctim.tv_sec * NSEC_PER_SEC + (uint64_t)st->st_ctim.tv_nsec;
}

static bool same_change(const struct stat *a, const struct stat *b) {
        return change_nsec(a) == change_nsec(b) && a->st_size == b->st_size && a->st_ino == b->st_ino &&
               a->st_dev == b->st_dev;
}

static bool unchanged(const DigestObject *o, const struct stat *st) {
        if (o->size_known && (uint64_t)st->st_size != o->size)
                return false;
        if (o->change_known)
                return change_nsec(st) == o->change_nsec;
        return change_nsec(st) / NSEC_PER_USEC + CHANGE_MARGIN_USEC < o->unchanged_usec;
}

/* Why the numbers of its file system prove nothing; NULL: they do. */
static const char *doubt(const DigestObject *o, int fd, const struct stat *st) {
        struct statfs fs;

        if (fstatfs(fd, &fs) < 0)
                return "its file system could not be examined";
        if (fs.f_type == FUSE_SUPER_MAGIC)
                return "on FUSE, where a program makes up the contents";
        if (fs.f_type == BTRFS_SUPER_MAGIC && !o->change_known)
                return "on btrfs, where subvolumes share inode numbers";
        if (fs.f_flags & ST_RDONLY)
                return "on a read-only file system, which another image may have replaced";
        if (fs.f_type == OVERLAYFS_SUPER_MAGIC &&
                        (major(st->st_dev) != o->major || minor(st->st_dev) != o->minor))
                return "on an overlay, which has device numbers of its own";
        return NULL;
}

/* The device as the kernel knows it: on btrfs, stat(2) has one for each subvolume, and it is not compared:
 * inode, time of change and size of a script are. */
static bool is_object(const DigestObject *o, int fd, const struct stat *st) {
        struct statfs fs;
        bool btrfs = fstatfs(fd, &fs) >= 0 && fs.f_type == BTRFS_SUPER_MAGIC;

        return st->st_ino == o->inode &&
               (btrfs || (major(st->st_dev) == o->major && minor(st->st_dev) == o->minor));
}

/* Reads at most `size` bytes and one more: a file that grows is another one. */
static int file_hash(int fd, uint64_t size, uint8_t ret[static SHA256_DIGEST_SIZE]) {
        struct sha256_ctx hash;
        uint8_t buffer[65536];
        uint64_t done = 0;

        sha256_init(&hash);
        for (;;) {
                ssize_t n = read(fd, buffer, sizeof(buffer));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                sha256_update(&hash, (size_t)n, buffer);
                done += (uint64_t)n;
                if (done > size)
                        return -ESTALE;
        }
        sha256_digest(&hash, SHA256_DIGEST_SIZE, ret);
        return done == size ? 0 : -ESTALE;
}

/* Opens for looking only, without a link on the way. */
static int path_open(const char *path) {
        struct open_how how = { .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS };
        long fd = syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

        return fd < 0 ? -errno : (int)fd;
}

/* The file of a descriptor that was opened for looking. */
static int file_reopen(int fd) {
        char path[32];

        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        int r = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        return r < 0 ? -errno : r;
}

DigestState digest_read(const DigestObject *o, char ret[static DIGEST_HEX_SIZE], const char **ret_why) {
        uint8_t digest[SHA256_DIGEST_SIZE] = {};
        struct stat before, after;

        if (o->path[0] != '/') {
                *ret_why = "its path is not complete";
                return DIGEST_UNPROVEN;
        }
        _cleanup_close_ int looked = path_open(o->path);
        if (looked < 0) {
                bool gone = looked == -ENOENT || looked == -ENOTDIR || looked == -ELOOP;

                *ret_why = gone ? "gone" : "it cannot be opened";
                return gone ? DIGEST_GONE : DIGEST_UNPROVEN;
        }
        *ret_why = "gone: another file has its name";
        if (fstat(looked, &before) < 0 || !S_ISREG(before.st_mode))
                return DIGEST_GONE;
        const char *why = doubt(o, looked, &before);
        if (why) {
                *ret_why = why;
                return DIGEST_UNPROVEN;
        }
        if (!is_object(o, looked, &before))
                return DIGEST_GONE;
        *ret_why = "changed since";
        if (!unchanged(o, &before))
                return DIGEST_CHANGED;
        if ((uint64_t)before.st_size > SIZE_MAX_BYTES) {
                *ret_why = "larger than 1 GiB";
                return DIGEST_UNPROVEN;
        }
        _cleanup_close_ int fd = file_reopen(looked);
        int r = fd < 0 ? fd : file_hash(fd, (uint64_t)before.st_size, digest);
        if (r < 0 && r != -ESTALE) {
                *ret_why = "it cannot be read";
                return DIGEST_UNPROVEN;
        }
        if (r < 0 || fstat(fd, &after) < 0 || !same_change(&before, &after))
                return DIGEST_CHANGED;
        text_hex(digest, sizeof(digest), ret);
        *ret_why = "same";
        return DIGEST_SAME;
}

/* "8:1/1234" of a sender's executable, "8:1/1234/1733000000.123456789" of what an opener ran,
 * "8:1/1234/1733000000.123456789/532" of a sender's script. */
static bool object_parse(const char *text, DigestObject *o) {
        uint64_t sec = 0, nsec = 0;
        int short_end = 0, change_end = 0, end = 0;

        int n = sscanf(text, "%u:%u/%" SCNu64 "%n/%" SCNu64 ".%" SCNu64 "%n/%" SCNu64 "%n", &o->major,
                        &o->minor, &o->inode, &short_end, &sec, &nsec, &change_end, &o->size, &end);
        o->change_known = n >= 5;
        o->size_known = n == 6;
        o->change_nsec = sec * NSEC_PER_SEC + nsec;
        return (n == 3 || n >= 5) && sec < UINT64_MAX / NSEC_PER_SEC &&
               text[n == 6              ? end
                               : n == 5 ? change_end
                                        : short_end] == 0;
}

static int entry_add(json_t *digests, const char *role, const char *kind, const char *path,
                DigestState state, const char *why, const char *hex) {
        static const char *const states[] = { "same", "changed", "gone", "unproven" };
        json_t *entry = json_pack("{s:s, s:s, s:s, s:s, s:s?, s:s}", "role", role, "kind", kind, "path",
                        path, "state", states[state], "sha256", state == DIGEST_SAME ? hex : NULL, "text",
                        why);

        return json_array_append_new(digests, entry) < 0 ? -ENOMEM : 0;
}

/* What ran the programs: the process of the alert, or a file's opener. */
typedef struct Runner {
        const json_t *alert, *o; /* o: its member with exe, script and what they were */
        const char *role, *boot_id;
} Runner;

static int runner_add(json_t *digests, const Runner *r, bool script) {
        const json_t *process = json_object_get(r->alert, "process");
        const char *id = recorded_string(r->alert, "id"), *why = NULL,
                   *path = recorded_string(r->o, script ? "script" : "exe"),
                   *text = recorded_string(r->o, script ? "script_object" : "exe_object");
        _cleanup_free_ char *bytes = recorded_name(path);
        DigestObject o = { .path = bytes };
        DigestState state = DIGEST_UNPROVEN;
        char hex[DIGEST_HEX_SIZE] = "";

        if (!bytes)
                return -ENOMEM;
        if (!path[0])
                return 0;
        if (strncmp(id, r->boot_id, strlen(r->boot_id)) != 0 || id[strlen(r->boot_id)] != '-')
                why = "of another boot or host: device numbers prove nothing";
        else if (recorded_flag(process, "not-host"))
                why = "it sees other files than this host";
        else if (!object_parse(text, &o) ||
                        (!o.change_known && json_to_time(json_object_get(r->o, "start_time"),
                                                            &o.unchanged_usec) < 0))
                why = "not recorded which file it was";
        else if (r->o == process && !script && recorded_flag(process, "memory")) {
                state = DIGEST_GONE;
                why = "gone: it never was a file on disk";
        } else
                state = digest_read(&o, hex, &why);
        return entry_add(digests, r->role, script ? "script" : "executable", path, state, why, hex);
}

static bool same_run(const json_t *a, const json_t *b, bool script) {
        const char *path = script ? "script" : "exe", *object = script ? "script_object" : "exe_object";

        return strcmp(recorded_string(a, path), recorded_string(b, path)) == 0 &&
               strcmp(recorded_string(a, object), recorded_string(b, object)) == 0;
}

/* What several openers ran is listed once, and nothing of an opener that is the sender. */
static int openers_add(json_t *digests, const json_t *alert, const char *boot_id) {
        const json_t *files = json_object_get(alert, "files"), *file;
        size_t i;

        json_array_foreach(files, i, file) {
                Runner runner = { .alert = alert, .o = file, .role = "opener", .boot_id = boot_id };

                if (recorded_opener_sent(alert, file))
                        continue;
                for (unsigned script = 0; script < 2; script++) {
                        bool listed = false;

                        for (size_t k = 0; k < i; k++) {
                                const json_t *other = json_array_get(files, k);
                                listed |= !recorded_opener_sent(alert, other) &&
                                          same_run(other, file, script);
                        }
                        int r = listed ? 0 : runner_add(digests, &runner, script);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

int digest_add(json_t *alert, const char *boot_id) {
        json_auto_t *digests = json_array();
        Runner sender = {
                .alert = alert, .o = json_object_get(alert, "process"), .role = "sender", .boot_id = boot_id
        };

        int r = digests ? runner_add(digests, &sender, false) : -ENOMEM;
        if (r >= 0)
                r = runner_add(digests, &sender, true);
        if (r >= 0)
                r = openers_add(digests, alert, boot_id);
        if (r < 0)
                return r;
        return json_object_set(alert, "digests", digests) < 0 ? -ENOMEM : 0;
}
