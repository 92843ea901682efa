/* SPDX-License-Identifier: GPL-2.0-or-later */

/* H08, H09: the secret is among what another program is started with. "environment", "argument": those of a
 * child. "crontab", "script": a job that is left in a file, for a process that starts it as cron and shells
 * do. "cmdline": an argument that every process may read in /proc. */

#include "cast.h"

#define JOB "relay.job"
/* The arguments of this program when it is executed again: run:GIVER:VIA:HEX. */
#define RUN "run:"
#define HEX_MAX (2 * PLAY_SECRET_MAX + 1)

static const char *self;

static void hex_encode(char *ret) {
        for (size_t i = 0; i < p.n_secret; i++)
                sprintf(ret + 2 * i, "%02x", (unsigned char)p.secret[i]);
}

static void hex_decode(const char *hex) {
        unsigned byte;

        for (p.n_secret = 0; p.n_secret < sizeof(p.secret) && sscanf(hex, "%2x", &byte) == 1; hex += 2)
                p.secret[p.n_secret++] = (char)byte;
}

static char *run_argument(const char *via) {
        static char text[HEX_MAX + 64];
        int n = snprintf(text, sizeof(text), RUN "%d:%s:", getpid(), via);

        hex_encode(text + n);
        return text;
}

static int run(char *variant) {
        pid_t parents[] = { getppid(), 0 };
        char *giver = variant + strlen(RUN), *via = strchr(giver, ':') + 1, *hex = strchr(via, ':') + 1,
             way[64];

        via[-1] = hex[-1] = 0;
        hex_decode(*hex ? hex : getenv("SECRET"));
        if (strcmp(via, "child") == 0) {
                play_truth(&p, atoi(giver), parents);
        } else {
                snprintf(way, sizeof(way), "%d:giver:file", atoi(giver));
                play_tell(&p, atoi(giver), getpid(), getpid(), parents, via, way);
        }
        play_send(&p);
        return 0;
}

static int start_child(void) {
        char environment[HEX_MAX + 16] = "SECRET=", *environ_new[] = { environment, NULL }, *argument,
                                   port[16];
        pid_t child;

        secret_read();
        argument = run_argument("child");
        if (play_variant(&p, "environment")) {
                hex_encode(environment + strlen(environment));
                *(strrchr(argument, ':') + 1) = 0;
        }
        snprintf(port, sizeof(port), "%u", p.port);
        child = fork();
        if (child == 0) {
                execle(self, self, argument, p.key, p.address, port, NULL, environ_new);
                play_die("exec");
        }
        return play_wait(child);
}

static void job_write(const char *via) {
        char line[HEX_MAX + 8192];
        int fd = open(JOB, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        int n = snprintf(line, sizeof(line), "exec %s %s %s %s %u\n", self, run_argument(via), p.key,
                        p.address, p.port);

        if (fd < 0 || write(fd, line, (size_t)n) != n)
                play_die("write the job");
}

static void give_line(void) {
        secret_read();
        job_write("fork");
}

static void give_script(void) {
        secret_read();
        job_write("file");
}

static void give_argument(void) {
        char text[HEX_MAX + 64];

        secret_read();
        snprintf(text, sizeof(text), "hold:");
        hex_encode(text + strlen(text));
        execl(self, self, text, NULL);
        play_die("exec");
}

/* As cron does: reads the line, and starts a shell for it. */
static void take_line(void) {
        char line[HEX_MAX + 8192];
        int fd = open(JOB, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd >= 0 ? read(fd, line, sizeof(line) - 1) : -1;
        pid_t job;

        if (n <= 0)
                play_die("read the job");
        line[n] = 0;
        job = fork();
        if (job == 0) {
                execl("/bin/sh", "sh", "-c", line, NULL);
                play_die("exec");
        }
        exit(play_wait(job));
}

static void take_script(void) {
        actor_exec(-1, -1, "/bin/sh", JOB, NULL);
}

static void take_argument(void) {
        char path[32], text[HEX_MAX + 8192], *hex;
        int fd;
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/%d/cmdline", cast.other);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
        if (n <= 0)
                play_die("%s", path);
        text[n] = 0;
        hex = text + strlen(text) + 1;
        hex_decode(hex + strlen("hold:"));
        play_send(&p);
}

/* The process that runs the job prints the truth itself, since it is not known before. */
static const Scene scenes[] = {
        { "crontab", NULL, .give = give_line, .take = take_line },
        { "script", NULL, .give = give_script, .take = take_script },
        { "cmdline", "memory|trace|file", .give = give_argument, .take = take_argument },
        { .name = NULL },
};

int main(int argc, char **argv) {
        char path[4096];
        ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

        if (n < 0)
                play_die("/proc/self/exe");
        path[n] = 0;
        self = path;
        if (argc == 2) {
                cast_hold();
                return 0;
        }
        if (argc == 5 && strncmp(argv[1], RUN, strlen(RUN)) == 0) {
                play_init(&p, argc, argv);
                return run(argv[1]);
        }
        if (argc == 5 && (strcmp(argv[1], "environment") == 0 || strcmp(argv[1], "argument") == 0)) {
                play_init(&p, argc, argv);
                return start_child();
        }
        return cast_play(scenes, argc, argv);
}
