/* SPDX-License-Identifier: GPL-2.0-or-later */

/* H05: the secret is in a file that the giver serves: FUSE. Every reader gets what the giver answers, by
 * /dev/fuse. */

#include <linux/fuse.h>
#include <sys/mount.h>
#include <sys/uio.h>

#include "cast.h"

#define PLACE "served"
#define FILE_NODE 2

static int device = -1;

static void served_prepare(void) {
        char options[96];

        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                play_die("unshare");
        device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
        snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", device);
        if (device < 0 || mkdir(PLACE, 0700) < 0 || mount("served", PLACE, "fuse", 0, options) < 0)
                play_exit(PLAY_CANNOT, "FUSE");
}

static void answer(uint64_t unique, int error, const void *bytes, size_t n) {
        struct fuse_out_header header = {
                .len = (uint32_t)(sizeof(header) + n), .error = error, .unique = unique
        };
        struct iovec parts[2] = { { &header, sizeof(header) }, { (void *)bytes, n } };

        if (writev(device, parts, 2) < 0 && errno != ENOENT)
                play_die("answer");
}

static struct fuse_attr attributes(uint64_t node) {
        return (struct fuse_attr){ .ino = node,
                .size = node == FILE_NODE ? p.n_secret : 0,
                .nlink = 1,
                .mode = node == FILE_NODE ? S_IFREG | 0600 : S_IFDIR | 0700 };
}

/* Returns whether the file was closed. */
static bool request_answer(const struct fuse_in_header *in) {
        struct fuse_init_out init = { .major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 4096 };
        struct fuse_entry_out entry = { .nodeid = FILE_NODE, .attr = attributes(FILE_NODE) };
        struct fuse_attr_out attr = { .attr = attributes(in->nodeid) };
        struct fuse_open_out opened = { .fh = 1 };
        const struct fuse_read_in *read_in = (const void *)(in + 1);

        switch (in->opcode) {
        case FUSE_INIT:
                answer(in->unique, 0, &init, sizeof(init));
                break;
        case FUSE_LOOKUP:
                answer(in->unique, 0, &entry, sizeof(entry));
                break;
        case FUSE_GETATTR:
                answer(in->unique, 0, &attr, sizeof(attr));
                break;
        case FUSE_OPEN:
                answer(in->unique, 0, &opened, sizeof(opened));
                break;
        case FUSE_READ:
                answer(in->unique, 0, p.secret, read_in->offset ? 0 : p.n_secret);
                break;
        case FUSE_RELEASE:
                answer(in->unique, 0, NULL, 0);
                return true;
        case FUSE_FORGET:
        case FUSE_BATCH_FORGET:
        case FUSE_INTERRUPT:
                break;
        default:
                answer(in->unique, -ENOSYS, NULL, 0);
        }
        return false;
}

static void served_give(void) {
        static char buffer[1 << 17] __attribute__((aligned(8)));

        secret_read();
        actor_done();
        do {
                if (read(device, buffer, sizeof(buffer)) < (ssize_t)sizeof(struct fuse_in_header))
                        play_die("no request");
        } while (!request_answer((const struct fuse_in_header *)buffer));
}

static void served_take(void) {
        play_read(&p, open(PLACE "/key", O_RDONLY | O_CLOEXEC));
        play_send(&p);
}

static const Scene scenes[] = {
        { "fuse", "file", .prepare = served_prepare, .give = served_give, .take = served_take },
        { .name = NULL },
};

int main(int argc, char **argv) {
        return cast_play(scenes, argc, argv);
}
