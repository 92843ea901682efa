/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <bpf/bpf.h>

#include "sensor/hook-watch.h"
#include "basic/fdinfo.h"
#include "basic/strv.h"
#include "basic/util.h"

/* So many programs fit on one hook of one cgroup (include/linux/bpf-cgroup-defs.h, BPF_CGROUP_MAX_PROGS). */
#define PROGRAMS_MAX 64
/* And so many on one function (include/linux/bpf.h, BPF_MAX_TRAMP_LINKS, before 6.0 BPF_MAX_TRAMP_PROGS). */
#define TRAMPOLINE_MAX 38

/* Lines of the link's fdinfo: kernel/bpf/syscall.c bpf_link_show_fdinfo(), kernel/bpf/cgroup.c, since 5.8.
 */
HookWatch hook_watch_open(int link_fd) {
        HookWatch w = { .fdinfo = fdinfo_open(link_fd) };
        uint64_t cgroup;

        if (!fdinfo_read(w.fdinfo, "prog_id", &w.program) || !fdinfo_read(w.fdinfo, "cgroup_id", &cgroup))
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
        return w->fdinfo < 0 || (fdinfo_read(w->fdinfo, "prog_id", &program) && program == w->program &&
                                                fdinfo_read(w->fdinfo, "cgroup_id", &cgroup) && cgroup != 0);
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
        _cleanup_(strv_freep) char **programs = calloc(1, sizeof(*programs));
        size_t n = 0;

        if (!programs)
                return -ENOMEM;
        for (size_t i = 0; i < ELEMENTSOF(hooks); i++) {
                uint32_t ids[PROGRAMS_MAX], n_ids = PROGRAMS_MAX;

                if (bpf_prog_query(cgroup_fd, hooks[i].type, 0, NULL, ids, &n_ids) < 0)
                        return -errno;
                for (uint32_t k = 0; k < n_ids; k++) {
                        if (id_is_own(ids[k], own, n_own))
                                continue;
                        int r = strv_consume(&programs, &n, program_describe(hooks[i].name, ids[k]));
                        if (r < 0)
                                return r;
                }
        }
        *ret = STEAL_PTR(programs);
        return 0;
}

/* kernel/bpf/cgroup.c __cgroup_bpf_attach(): all programs of a hook are attached with the same flags, and a
 * link is attached with BPF_F_ALLOW_MULTI. */
static char *cgroup_obstacle(int error, const char *section, int cgroup_fd, int type) {
        uint32_t ids[PROGRAMS_MAX], n_ids = PROGRAMS_MAX, flags = 0;
        char *text = NULL;

        if (bpf_prog_query(cgroup_fd, type, 0, &flags, ids, &n_ids) < 0 || n_ids == 0)
                return NULL;
        _cleanup_free_ char *program = program_describe(section, ids[0]);
        if (!program)
                return NULL;
        int n = -1;
        if (error == -EPERM && !(flags & BPF_F_ALLOW_MULTI))
                n = asprintf(&text,
                                "%s is attached to the root cgroup, and admits no other: attach it with "
                                "BPF_F_ALLOW_MULTI, or detach it (bpftool cgroup detach)",
                                program);
        else if (error == -E2BIG)
                n = asprintf(&text,
                                "%u programs are attached to the root cgroup, as many as the kernel admits "
                                "(the first is %s): detach one (bpftool cgroup detach)",
                                n_ids, program);
        return n < 0 ? NULL : text;
}

/* kernel/bpf/trampoline.c bpf_trampoline_link_prog(); kernel/trace/ftrace.c register_ftrace_direct(). */
static char *function_obstacle(int error, const char *section) {
        char *text = NULL;
        int n = -1;

        if (error == -E2BIG)
                n = asprintf(&text,
                                "other programs have all %d places of this function (\"bpftool prog list\" "
                                "shows them, of type lsm or tracing): end one",
                                TRAMPOLINE_MAX);
        else if (error == -EBUSY)
                n = asprintf(&text,
                                "a live patch or another tracer has replaced this function (%s): remove it",
                                strchr(section, '/') + 1);
        return n < 0 ? NULL : text;
}

char *hook_watch_obstacle(int error, const char *section, int cgroup_fd, int type) {
        return type ? cgroup_obstacle(error, section, cgroup_fd, type) : function_obstacle(error, section);
}
