/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* An overlay in the current directory, in a mount namespace of this process. */

#include <sched.h>
#include <sys/mount.h>

#include "play.h"

#define OVERLAY_TREE "tree"
#define OVERLAY_UPPER "upper"
#define OVERLAY_LOWER "lower"

static inline void overlay_must(int result, const char *what) {
        if (result < 0)
                play_die("%s", what);
}

/* Directories that are NULL are made here. */
static inline void overlay_mount_at(const char *tree, const char *lower, const char *upper) {
        char options[16384], here[4096];

        if (unshare(CLONE_NEWNS) < 0)
                play_exit(PLAY_CANNOT, "unshare");
        overlay_must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "make mounts private");
        if (!getcwd(here, sizeof(here)))
                play_die("getcwd");
        if (!tree)
                overlay_must(mkdir(OVERLAY_TREE, 0700), "mkdir");
        if (!lower)
                overlay_must(mkdir(OVERLAY_LOWER, 0700), "mkdir");
        if (!upper)
                overlay_must(mkdir(OVERLAY_UPPER, 0700), "mkdir");
        overlay_must(mkdir("work", 0700), "mkdir");
        snprintf(options, sizeof(options), "lowerdir=%s%s,upperdir=%s%s,workdir=%s/work", lower ?: here,
                        lower ? "" : "/" OVERLAY_LOWER, upper ?: here, upper ? "" : "/" OVERLAY_UPPER, here);
        if (mount("overlay", tree ?: OVERLAY_TREE, "overlay", 0, options) < 0)
                play_exit(PLAY_CANNOT, "mount -t overlay");
}

static inline void overlay_mount(void) {
        overlay_mount_at(NULL, NULL, NULL);
}

static inline int overlay_open(const char *in, const char *name, int flags) {
        char path[8192];

        snprintf(path, sizeof(path), "%s/%s", in, name);
        int fd = open(path, flags | O_CLOEXEC, 0600);
        if (fd < 0)
                play_die("open %s", path);
        return fd;
}
