/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <cap-ng.h>

#include "basic/log.h"
#include "privilege.h"
#include "basic/util.h"

#define DYNAMIC_UID_MIN 61184
#define DYNAMIC_UID_MAX 65519
#define NOBODY_UID 65534

/* Does any process run as this uid? The directories of /proc belong to their process's effective uid. */
static bool uid_runs_processes(uid_t uid) {
        _cleanup_closedir_ DIR *proc = opendir("/proc");

        if (!proc)
                return false;
        for (struct dirent *e; (e = readdir(proc));) {
                struct stat st;
                if (isdigit((unsigned char)e->d_name[0]) && fstatat(dirfd(proc), e->d_name, &st, 0) == 0 &&
                                st.st_uid == uid)
                        return true;
        }
        return false;
}

int privilege_find_user(const char *name, uid_t *ret_uid, gid_t *ret_gid) {
        errno = 0;
        struct passwd *pw = getpwnam(name ?: "barbwire");

        if (pw) {
                if (pw->pw_uid == 0 || pw->pw_uid == NOBODY_UID || strcmp(pw->pw_name, "nobody") == 0) {
                        log_error("--user=%s: barbwired needs a uid of its own, neither root nor nobody.",
                                        pw->pw_name);
                        return -EPERM;
                }
                *ret_uid = pw->pw_uid;
                *ret_gid = pw->pw_gid;
                return 0;
        }
        if (name) {
                log_error("--user=%s: no such user.", name);
                return -ESRCH;
        }

        /* Start anywhere, so that two daemons in two containers of one kernel hardly meet. */
        unsigned n = DYNAMIC_UID_MAX - DYNAMIC_UID_MIN + 1, start = getpid() % n;
        for (unsigned i = 0; i < n; i++) {
                uid_t uid = DYNAMIC_UID_MIN + (start + i) % n;
                if (!getpwuid(uid) && !getgrgid(uid) && !uid_runs_processes(uid)) {
                        *ret_uid = uid;
                        *ret_gid = uid;
                        return 0;
                }
        }
        log_error("No unused uid between %d and %d: create a user \"barbwire\", or specify one with "
                  "--user=.",
                        DYNAMIC_UID_MIN, DYNAMIC_UID_MAX);
        return -ESRCH;
}

/* Reads /proc/self/status (proc_pid_status(5)). */
static int privilege_verify(uid_t uid, bool bounding) {
        _cleanup_fclose_ FILE *f = fopen("/proc/self/status", "re");
        char line[256];
        unsigned seen = 0;

        if (!f) {
                return log_error_errno(errno, "Failed to read /proc/self/status to verify that all "
                                              "privileges were dropped: %m");
        }
        while (fgets(line, sizeof(line), f)) {
                unsigned long long value;
                unsigned r, e, s, fs;
                char set[8];

                if (sscanf(line, "Cap%7[A-Za-z]: %llx", set, &value) == 2) {
                        seen++;
                        if (value == 0 || (strcmp(set, "Bnd") == 0 && !bounding))
                                continue;
                        log_error("Failed to drop all capabilities: Cap%s is still %016llx.", set, value);
                        return -EPERM;
                } else if (sscanf(line, "Uid: %u %u %u %u", &r, &e, &s, &fs) == 4) {
                        seen++;
                        if (r == uid && e == uid && s == uid && fs == uid && uid != 0)
                                continue;
                        log_error("Failed to change the uid: it is %u instead of %u.", e, uid);
                        return -EPERM;
                } else if (sscanf(line, "NoNewPrivs: %u", &r) == 1) {
                        seen++;
                        if (r == 1)
                                continue;
                        log_error("Failed to set no_new_privs: it is still off.");
                        return -EPERM;
                }
        }
        if (seen < 7) { /* CapInh, CapPrm, CapEff, CapBnd, CapAmb, Uid, NoNewPrivs */
                log_error("/proc/self/status is incomplete: cannot verify that all privileges were "
                          "dropped.");
                return -EPERM;
        }
        return 0;
}

int privilege_drop(uid_t uid, gid_t gid) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
                return log_error_errno(errno, "Failed to set no_new_privs: %m");
        }

        if (capng_get_caps_process() < 0) {
                log_error("Failed to read the capabilities of this process.");
                return -EPERM;
        }
        /* Without CAP_SETPCAP the bounding set stays as the unit set it: harmless under no_new_privs. */
        bool bounding = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
        capng_clear(CAPNG_SELECT_ALL);
        if (bounding && capng_apply(CAPNG_SELECT_BOUNDS) < 0) {
                log_error("Failed to empty the capability bounding set.");
                return -EPERM;
        }

        if (geteuid() == 0) {
                if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0) {
                        return log_error_errno(errno, "Failed to change to uid %u and gid %u: %m", uid, gid);
                }
        } else {
                uid = geteuid();
        }

        if (capng_apply(CAPNG_SELECT_CAPS | CAPNG_SELECT_AMBIENT) < 0) {
                log_error("Failed to drop capabilities.");
                return -EPERM;
        }
        return privilege_verify(uid, bounding);
}
