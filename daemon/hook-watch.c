/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <bpf/bpf.h>

#include "hook-watch.h"
#include "util.h"

/* So many programs fit on one hook of one cgroup (include/linux/bpf-cgroup-defs.h, BPF_CGROUP_MAX_PROGS). */
#define PROGRAMS_MAX 64

/* A line of the link's fdinfo (kernel/bpf/syscall.c bpf_link_show_fdinfo(), kernel/bpf/cgroup.c, since 5.8); false: it
 * has none of that name. */
static bool fdinfo_read(int fdinfo, const char *key, uint64_t *ret) {
        char text[1024];

        ssize_t n = pread(fdinfo, text, sizeof(text) - 1, 0);
        if (n <= 0)
                return false;
        text[n] = 0;
        const char *at = strstr(text, key);
        if (!at)
                return false;
        *ret = strtoull(at + strlen(key), NULL, 10);
        return true;
}

HookWatch hook_watch_open(int link_fd) {
        HookWatch w = { .fdinfo = -1 };
        uint64_t cgroup;
        char path[64];

        snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", link_fd);
        w.fdinfo = open(path, O_RDONLY | O_CLOEXEC);
        if (w.fdinfo < 0 || !fdinfo_read(w.fdinfo, "\nprog_id:", &w.program) ||
                !fdinfo_read(w.fdinfo, "\ncgroup_id:", &cgroup))
                hook_watch_close(&w);
        return w;
}

void hook_watch_close(HookWatch *w) {
        closep(&w->fdinfo);
        w->fdinfo = -1;
}

bool hook_watch_intact(const HookWatch *w) {
        uint64_t program, cgroup;

        /* A detached link has lost its cgroup. */
        return w->fdinfo < 0 || (fdinfo_read(w->fdinfo, "\nprog_id:", &program) && program == w->program &&
                                        fdinfo_read(w->fdinfo, "\ncgroup_id:", &cgroup) && cgroup != 0);
}

static char *program_describe(const char *hook, uint32_t id) {
        struct bpf_prog_info info = {};
        uint32_t size = sizeof(info);
        char *text = NULL;

        _cleanup_close_ int fd = bpf_prog_get_fd_by_id(id); /* takes CAP_SYS_ADMIN */
        bool named = fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0 && info.name[0];
        if (asprintf(&text, "%s: program %u%s%s%s", hook, id, named ? " (" : "", named ? info.name : "",
                    named ? ")" : "") < 0)
                return NULL;
        return text;
}

static bool id_is_own(uint32_t id, const uint32_t *own, size_t n_own) {
        for (size_t i = 0; i < n_own; i++)
                if (own[i] == id)
                        return true;
        return false;
}

int hook_watch_foreign(int cgroup_fd, const uint32_t *own, size_t n_own, char ***ret) {
        static const struct {
                enum bpf_attach_type type;
                const char *name;
        } hooks[] = {
                { BPF_CGROUP_INET4_CONNECT, "cgroup/connect4" },
                { BPF_CGROUP_INET6_CONNECT, "cgroup/connect6" },
                { BPF_CGROUP_UDP4_SENDMSG, "cgroup/sendmsg4" },
                { BPF_CGROUP_UDP6_SENDMSG, "cgroup/sendmsg6" },
        };
        char **programs = calloc(ELEMENTSOF(hooks) * PROGRAMS_MAX + 1, sizeof(*programs));
        size_t n = 0;
        int r = programs ? 0 : -ENOMEM;

        for (size_t i = 0; i < ELEMENTSOF(hooks) && r >= 0; i++) {
                uint32_t ids[PROGRAMS_MAX], n_ids = PROGRAMS_MAX;

                if (bpf_prog_query(cgroup_fd, hooks[i].type, 0, NULL, ids, &n_ids) < 0)
                        r = -errno;
                for (uint32_t k = 0; k < n_ids && r >= 0; k++)
                        if (!id_is_own(ids[k], own, n_own) && !(programs[n++] = program_describe(hooks[i].name, ids[k])))
                                r = -ENOMEM;
        }
        if (r < 0) {
                hook_watch_foreign_free(programs);
                return r;
        }
        *ret = programs;
        return 0;
}

char **hook_watch_foreign_free(char **programs) {
        for (char **p = programs; p && *p; p++)
                free(*p);
        free(programs);
        return NULL;
}
