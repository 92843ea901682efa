/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Does this kernel's verifier take every program, and with how many instructions? Printed, and held to half
 * of the verifier's limit of a million, so that a change that makes it explode is seen before a kernel
 * refuses it. Usage: test-verifier OBJECT [INSTRUCTIONS_MAX] */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "sensor/hooks.h"

#define PROGRAMS_MAX 64
#define INSTRUCTIONS_MAX 500000
#define LOG_STATS 4 /* BPF_LOG_STATS, kernel/bpf/verifier.c: only "processed N insns …" */
#define LOG_ALL 1   /* BPF_LOG_LEVEL1: what it has walked of a program that it refuses */
#define LOG_SIZE (16 << 20)
#define SHOWN_BYTES 3000

__attribute__((format(printf, 2, 0))) static int on_print(
                enum libbpf_print_level level, const char *format, va_list ap) {
        return level == LIBBPF_WARN ? vfprintf(stderr, format, ap) : 0;
}

static char buffer[LOG_SIZE];

/* What older kernels call the place that a program is attached to, or NULL. */
static const char *formerly_of(const char *section) {
        for (size_t i = 0; i < BW_HOOK_MAX; i++)
                for (size_t k = 0; k < SENSOR_KINDS; k++)
                        if (hook_infos[i].sections[k] && strcmp(hook_infos[i].sections[k], section) == 0)
                                return hook_infos[i].formerly;
        return NULL;
}

/* Loads one program of an object. formerly: for the place of that name, unless it is NULL. Returns the
 * result of libbpf, *ret_processed: the number of instructions, -1 if the verifier did not say. */
static int program_try(const char *path, const char *name, const char *formerly, unsigned level,
                long *ret_processed) {
        struct bpf_object *object = bpf_object__open_file(path, NULL);
        struct bpf_program *p;
        const char *at;

        if (!object)
                return -errno;
        bpf_object__for_each_program(p, object)
                        bpf_program__set_autoload(p, strcmp(bpf_program__name(p), name) == 0);
        p = bpf_object__find_program_by_name(object, name);
        if (formerly)
                bpf_program__set_attach_target(p, 0, formerly);
        buffer[0] = 0;
        bpf_program__set_log_buf(p, buffer, sizeof(buffer));
        bpf_program__set_log_level(p, level);
        int r = bpf_object__load(object);
        at = strstr(buffer, "processed ");
        *ret_processed = at ? atol(at + strlen("processed ")) : -1;
        bpf_object__close(object);
        return r;
}

static int program_load(const char *path, const char *name, const char *section, unsigned level,
                long *ret_processed) {
        int r = program_try(path, name, NULL, level, ret_processed);

        return r == -ESRCH && formerly_of(section)
                               ? program_try(path, name, formerly_of(section), level, ret_processed)
                               : r;
}

/* The end of the log says why: each line as a diagnostic of TAP. */
static void log_show(void) {
        size_t length = strlen(buffer);
        char *rest = buffer + (length > SHOWN_BYTES ? length - SHOWN_BYTES : 0), *line;

        while ((line = strsep(&rest, "\n")))
                printf("# %s\n", line);
}

int main(int argc, char **argv) {
        static char names[PROGRAMS_MAX][64], sections[PROGRAMS_MAX][64];
        struct bpf_object *object;
        struct bpf_program *p;
        int n = 0, failed = 0;

        if (argc != 2 && argc != 3)
                return 2;
        const long limit = argc == 3 ? atol(argv[2]) : INSTRUCTIONS_MAX;
        const char *only = getenv("BW_ONLY") ?: "";
        if (geteuid() != 0) {
                puts("1..0 # SKIP needs root");
                return 77;
        }
        libbpf_set_print(on_print);
        object = bpf_object__open_file(argv[1], NULL);
        if (!object)
                return 1;
        bpf_object__for_each_program(p, object) {
                if (n == PROGRAMS_MAX || !strstr(bpf_program__name(p), only))
                        continue;
                snprintf(names[n], sizeof(names[0]), "%s", bpf_program__name(p));
                snprintf(sections[n++], sizeof(sections[0]), "%s", bpf_program__section_name(p));
        }
        bpf_object__close(object);

        printf("1..%d\n", n);
        for (int i = 0; i < n; i++) {
                long processed, unused;
                int r = program_load(argv[1], names[i], sections[i], LOG_STATS, &processed);
                /* Some machines reject LSM and fexit programs altogether: tests/vm loads them. */
                if (r == -EPERM && (strncmp(names[i], "bw_lsm_", 7) == 0 ||
                                                   strncmp(names[i], "bw_deny_", 8) == 0 ||
                                                   strncmp(names[i], "bw_fexit_", 9) == 0)) {
                        printf("ok %d - %s # SKIP SKIP-ENV: this machine does not allow such programs\n",
                                        i + 1, names[i]);
                        continue;
                }
                /* The function or the hook that it is for is not in this kernel. */
                if (r == -ESRCH) {
                        printf("ok %d - %s # SKIP SKIP-ENV: this kernel has nothing to attach it to\n",
                                        i + 1, names[i]);
                        continue;
                }
                int ok = r == 0 && processed > 0 && processed <= limit;
                printf("%sok %d - %s: %ld instructions\n", ok ? "" : "not ", i + 1, names[i], processed);
                if (!ok) {
                        printf("# load: %d\n", r);
                        if (r)
                                program_load(argv[1], names[i], sections[i], LOG_ALL | LOG_STATS, &unused);
                        log_show();
                }
                failed += !ok;
        }
        return failed != 0;
}
