/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The baseline: empty programs on the hooks of a sensor, attached as barbwired attaches its own. Their cost
 * is that of the kernel; what barbwired costs beyond it is its own. The hooks are those of the daemon's own
 * list, so that the two cannot differ.
 *
 * empty SENSOR CGROUP: prints "armed" and the number of programs, and keeps them attached until stdin ends.
 * Hooks that the kernel lacks are left out, as the daemon does. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "sensor/hooks.h"

/* The name of the kernel's object in that of a section, after the '/'. */
static int section_target(const char *section, const HookInfo *info, enum bpf_attach_type attach) {
        const char *name = strchr(section, '/') + 1;
        int id = libbpf_find_vmlinux_btf_id(name, attach);

        return id > 0 || !info->formerly ? id : libbpf_find_vmlinux_btf_id(info->formerly, attach);
}

/* Returns a link, -ENOENT if the kernel lacks this hook, or another negative errno. */
static int section_attach(const char *section, const HookInfo *info, int cgroup) {
        /* 1 allows a connect, 0 everything else. */
        const struct bpf_insn instructions[] = {
                { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = info->cgroup != 0 },
                { .code = BPF_JMP | BPF_EXIT },
        };
        LIBBPF_OPTS(bpf_prog_load_opts, options);
        enum bpf_prog_type type;
        int program, link;

        if (libbpf_prog_type_by_name(section, &type, &options.expected_attach_type) < 0)
                return -EINVAL;
        if (!info->cgroup) {
                int id = section_target(section, info, options.expected_attach_type);

                if (id < 0)
                        return -ENOENT;
                options.attach_btf_id = (__u32)id;
        }
        program = bpf_prog_load(type, "bench_empty", "GPL", instructions, 2, &options);
        if (program < 0)
                return -errno;
        link = info->cgroup ? bpf_link_create(program, cgroup, info->cgroup, NULL)
                            : bpf_raw_tracepoint_open(NULL, program);
        return link < 0 ? -errno : link;
}

int main(int argc, char **argv) {
        int cgroup, kind, n = 0;
        char c;

        kind = argc == 3 ? sensor_kind_from_string(argv[1]) : -EINVAL;
        if (kind < 0 || kind >= SENSOR_KINDS) {
                fprintf(stderr, "usage: %s lsm|fentry|tracepoint CGROUP\n", argv[0]);
                return 2;
        }
        cgroup = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (cgroup < 0) {
                perror(argv[2]);
                return 1;
        }
        for (int i = 0; i < BW_HOOK_MAX; i++) {
                /* This one is attached only while a class has Action=deny. */
                const char *section = i == BW_HOOK_DENY_DATA ? NULL : hook_infos[i].sections[kind];
                int link = section ? section_attach(section, &hook_infos[i], cgroup) : -ENOENT;

                if (link >= 0) {
                        n++; /* detached when the process exits, as its descriptor is closed */
                } else if (link != -ENOENT) {
                        fprintf(stderr, "%s: %s\n", section, strerror(-link));
                        return 1;
                }
        }
        printf("armed %d\n", n);
        fflush(stdout);
        while (read(0, &c, 1) > 0)
                ;
        return 0;
}
