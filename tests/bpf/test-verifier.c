/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Does this kernel's verifier take every program, and with how many instructions? Printed, and held to half of the
 * verifier's limit of a million, so that a change that makes it explode is seen before a kernel refuses it.
 * Usage: test-verifier OBJECT */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#define PROGRAMS_MAX 64
#define INSTRUCTIONS_MAX 500000
#define LOG_STATS 4 /* BPF_LOG_STATS, kernel/bpf/verifier.c: only "processed N insns …" */

__attribute__((format(printf, 2, 0))) static int on_print(enum libbpf_print_level level, const char *format, va_list ap) {
        return level == LIBBPF_WARN ? vfprintf(stderr, format, ap) : 0;
}

int main(int argc, char **argv) {
        static char names[PROGRAMS_MAX][64], log[1 << 20];
        struct bpf_object *object;
        struct bpf_program *p;
        int n = 0, failed = 0;

        if (argc != 2)
                return 2;
        if (geteuid() != 0) {
                puts("1..0 # SKIP needs root");
                return 77;
        }
        libbpf_set_print(on_print);
        object = bpf_object__open_file(argv[1], NULL);
        if (!object)
                return 1;
        bpf_object__for_each_program(p, object)
                if (n < PROGRAMS_MAX)
                        snprintf(names[n++], sizeof(names[0]), "%s", bpf_program__name(p));
        bpf_object__close(object);

        printf("1..%d\n", n);
        for (int i = 0; i < n; i++) {
                object = bpf_object__open_file(argv[1], NULL);
                if (!object)
                        return 1;
                bpf_object__for_each_program(p, object)
                        bpf_program__set_autoload(p, strcmp(bpf_program__name(p), names[i]) == 0);
                p = bpf_object__find_program_by_name(object, names[i]);
                log[0] = 0;
                bpf_program__set_log_buf(p, log, sizeof(log));
                bpf_program__set_log_level(p, LOG_STATS);
                int r = bpf_object__load(object);
                const char *at = strstr(log, "processed ");
                long processed = at ? atol(at + strlen("processed ")) : -1;
                /* Some machines take no LSM and no fexit programs, whoever asks: tests/vm loads them. */
                if (r == -EPERM && (strncmp(names[i], "bw_lsm_", 7) == 0 || strncmp(names[i], "bw_fexit_", 9) == 0)) {
                        printf("ok %d - %s # SKIP SKIP-ENV: this machine does not allow such programs\n", i + 1, names[i]);
                        bpf_object__close(object);
                        continue;
                }
                int ok = r == 0 && processed > 0 && processed <= INSTRUCTIONS_MAX;
                printf("%sok %d - %s: %ld instructions\n", ok ? "" : "not ", i + 1, names[i], processed);
                if (!ok)
                        printf("# load: %d; %.800s\n", r, log);
                failed += !ok;
                bpf_object__close(object);
        }
        return failed != 0;
}
