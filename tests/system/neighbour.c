/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Another user of BPF on the same hooks: empty programs, which a test attaches before or after barbwired's.
 *
 * neighbour SECTION COUNT [CGROUP [exclusive]]: attaches COUNT programs, prints how many it could attach and
 * the error that ended it ("38 Argument list too long", "1 Success"), and keeps them until stdin ends. Other
 * programs of a cgroup's hook are admitted, but for exclusive. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

/* Returns a descriptor of the program, or a negative errno. */
static int program_load(const char *section, bool cgroup, enum bpf_attach_type *ret_attach) {
        /* Of a cgroup, 1 admits what is done; elsewhere 0 does. */
        const struct bpf_insn instructions[] = {
                { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = cgroup },
                { .code = BPF_JMP | BPF_EXIT },
        };
        LIBBPF_OPTS(bpf_prog_load_opts, options);
        enum bpf_prog_type type;

        if (libbpf_prog_type_by_name(section, &type, &options.expected_attach_type) < 0)
                return -EINVAL;
        if (!cgroup) {
                int id = libbpf_find_vmlinux_btf_id(strchr(section, '/') + 1, options.expected_attach_type);

                if (id < 0)
                        return id;
                options.attach_btf_id = (__u32)id;
        }
        *ret_attach = options.expected_attach_type;
        int fd = bpf_prog_load(type, "neighbour", "GPL", instructions, 2, &options);
        return fd < 0 ? -errno : fd;
}

int main(int argc, char **argv) {
        const char *section = argc > 2 ? argv[1] : "";
        long count = argc > 2 ? strtol(argv[2], NULL, 10) : 0, n = 0;
        bool exclusive = argc > 4;
        enum bpf_attach_type type = 0;
        int cgroup = argc > 3 ? open(argv[3], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1, r = 0, program = -1;
        char c;

        if (count < 1 || !strchr(section, '/') || (argc > 3 && cgroup < 0)) {
                fprintf(stderr, "usage: %s SECTION COUNT [CGROUP [exclusive]]\n", argv[0]);
                return 2;
        }
        for (; n < count && r >= 0; n += r >= 0) {
                program = program_load(section, cgroup >= 0, &type);
                if (program < 0) {
                        fprintf(stderr, "%s: %s\n", section, strerror(-program));
                        return 1;
                }
                r = exclusive     ? bpf_prog_attach(program, cgroup, type, 0)
                    : cgroup >= 0 ? bpf_link_create(program, cgroup, type, NULL)
                                  : bpf_raw_tracepoint_open(NULL, program);
                if (r < 0)
                        r = -errno;
        }
        printf("%ld %s\n", n, strerror(r < 0 ? -r : 0));
        if (fflush(stdout) != 0)
                return 1;
        while (read(STDIN_FILENO, &c, 1) > 0)
                ;
        /* A link ends with its descriptor. */
        return exclusive && n > 0 && bpf_prog_detach2(program, cgroup, type) < 0;
}
