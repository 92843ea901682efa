/* SPDX-License-Identifier: GPL-2.0-or-later */

/* /init of the initrd: loads the modules that the disks need, mounts the root of the guest and the modules
 * of the kernel, and executes systemd. It is a program, since a script would need busybox to be fetched. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A disk appears some milliseconds after its driver is loaded; emulation on a busy machine is slower. */
#define DISK_TRIES 1000
#define DISK_PAUSE_USEC 20000

static void die(const char *what) {
        fprintf(stderr, "vm: init: %s: %s\n", what, strerror(errno));
        reboot(RB_POWER_OFF);
        _exit(1);
}

/* In the order of /modules/list, dependencies first. */
static void modules_load(void) {
        char line[256], path[300];
        FILE *list = fopen("/modules/list", "re");

        while (list && fgets(line, sizeof(line), list)) {
                line[strcspn(line, "\n")] = 0;
                snprintf(path, sizeof(path), "/modules/%s", line);
                int fd = open(path, O_RDONLY | O_CLOEXEC);
                if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST))
                        die(path);
                close(fd);
        }
        if (list)
                fclose(list);
}

static void disk_mount(const char *disk, const char *directory, unsigned long flags) {
        for (int i = 0; i < DISK_TRIES; i++) {
                if (mount(disk, directory, "ext4", flags, "") == 0)
                        return;
                usleep(DISK_PAUSE_USEC);
        }
        die(disk);
}

int main(void) {
        mkdir("/dev", 0755);
        mkdir("/root", 0755);
        if (mount("dev", "/dev", "devtmpfs", 0, NULL) < 0)
                die("/dev");
        int console = open("/dev/console", O_RDWR);
        for (int fd = 0; console >= 0 && fd < 3; fd++)
                dup2(console, fd);
        if (console > 2)
                close(console);

        modules_load();
        disk_mount("/dev/vda", "/root", MS_NOATIME);
        disk_mount("/dev/vdb", "/root/usr/lib/modules", MS_RDONLY);
        if (mount("/dev", "/root/dev", NULL, MS_MOVE, NULL) < 0 || chdir("/root") < 0 ||
                        mount("/root", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
                die("switching to the root file system");
        execl("/sbin/init", "/sbin/init", (char *)NULL);
        die("/sbin/init");
}
