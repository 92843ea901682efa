/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Attaches every program of an object file, cgroup programs to a cgroup2 directory, until stdin ends:
 * empty OBJECT CGROUP. Prints "armed". */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/libbpf.h>

int main(int argc, char **argv) {
        struct bpf_program *program;
        struct bpf_object *object;
        int cgroup;
        char c;

        if (argc != 3) {
                fprintf(stderr, "usage: %s OBJECT CGROUP\n", argv[0]);
                return 2;
        }
        cgroup = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        object = bpf_object__open_file(argv[1], NULL);
        if (cgroup < 0 || !object || bpf_object__load(object) < 0) {
                fprintf(stderr, "cannot load %s: %s\n", argv[1], strerror(errno));
                return 1;
        }
        bpf_object__for_each_program(program, object) {
                int is_cgroup = strncmp(bpf_program__section_name(program), "cgroup/", 7) == 0;
                /* Ends with the process, as its descriptor does. */
                struct bpf_link *link = is_cgroup ? bpf_program__attach_cgroup(program, cgroup)
                                                  : bpf_program__attach(program);

                if (!link) {
                        fprintf(stderr, "cannot attach %s: %s\n", bpf_program__name(program),
                                        strerror(errno));
                        return 1;
                }
        }
        printf("armed\n");
        fflush(stdout);
        while (read(0, &c, 1) > 0)
                ;
        return 0;
}
