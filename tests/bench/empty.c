/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The yardstick: programs on the hooks of a sensor, which do nothing, attached as barbwired attaches its own. What barbwire
 * costs beyond these is its own doing; what these cost is the kernel's. The hooks are the daemon's own list, so there is no
 * second one that could say something else.
 *
 * empty SENSOR CGROUP: prints "armed" and how many, and keeps them until stdin ends. What the kernel does not have is left
 * out, as the daemon does. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "hooks.h"

/* The kernel's object behind a section's name: what follows the '/', of its kind. */
static int section_target(const char *section, const HookInfo *info, enum bpf_attach_type attach) {
        const char *name = strchr(section, '/') + 1;
        int id = libbpf_find_vmlinux_btf_id(name, attach);

        return id > 0 || !info->formerly ? id : libbpf_find_vmlinux_btf_id(info->formerly, attach);
}

/* Returns a link, -ENOENT if the kernel has no such place, or another negative errno. */
static int section_attach(const char *section, const HookInfo *info, int cgroup) {
        /* A connect is allowed by 1, everything else by 0. */
        const struct bpf_insn instructions[] = {
                {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = info->cgroup != 0},
                {.code = BPF_JMP | BPF_EXIT},
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
                const char *section = hook_infos[i].sections[kind];
                int link = section ? section_attach(section, &hook_infos[i], cgroup) : -ENOENT;

                if (link >= 0) {
                        n++; /* it ends with the process, as its descriptor does */
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
