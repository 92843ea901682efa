/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* For tests of the tables of marks: a sensor with its own limits and a class with one file, and children
 * that act on request. */

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include <bpf/bpf.h>

#include "event/decode.h"
#include "policy/build.h"
#include "policy/check.h"
#include "policy/parse.h"
#include "policy/compile.h"
#include "sensor/private.h"
#include "sensor/sensor.h"

/* Where a child has the connection that it accepted. */
#define CHILD_CONNECTION 200
/* Of one order. */
#define CHILD_WRITES 2000

#define PROCESSES_MAX 4096
#define ACCOUNTS_MAX 64
#define CLASSES_MAX 4

typedef struct Fixture {
        Sensor *sensor;
        char directory[64];
        char secret[128], of_class[CLASSES_MAX][128];
        int marks, processes; /* the kernel's tables */
        Event last;
        EventShare last_share;
        unsigned n_correlations, shares_reported;
        EventAccount account[ACCOUNTS_MAX]; /* of a listing */
        unsigned accounts;
        int listener; /* children accept its connections */
} Fixture;

/* A child that acts on request, so that the test knows its PID in advance. */
typedef struct Child {
        pid_t pid;
        int orders, done;
} Child;

static Fixture fixture;

/* The descriptor of a map of this id, if it has this name; or -1. */
static inline int map_open(uint32_t id, const char *name) {
        struct bpf_map_info info = {};
        uint32_t size = sizeof(info);
        int fd = bpf_map_get_fd_by_id(id);

        if (fd >= 0 && (bpf_obj_get_info_by_fd(fd, &info, &size) < 0 || strcmp(info.name, name) != 0)) {
                close(fd);
                fd = -1;
        }
        return fd;
}

/* A map that only the programs hold, of those that our sensor's programs use: other processes of the machine
 * may load the same ones. */
static inline int map_find(const char *name) {
        for (unsigned i = 0; i < BW_HOOK_MAX; i++) {
                uint32_t ids[64];
                struct bpf_prog_info info = { .map_ids = (uintptr_t)ids, .nr_map_ids = ELEMENTSOF(ids) };
                uint32_t size = sizeof(info);

                if (bpf_obj_get_info_by_fd(fixture.sensor->parts.programs[i], &info, &size) < 0)
                        continue;
                for (unsigned k = 0; k < info.nr_map_ids && k < ELEMENTSOF(ids); k++) {
                        int fd = map_open(ids[k], name);
                        if (fd >= 0)
                                return fd;
                }
        }
        return -1;
}

/* A file of one of the classes that a test has besides "decoy", by the place of its name. */
static inline void open_of_class(unsigned n) {
        int fd = open(fixture.of_class[n], O_RDONLY | O_CLOEXEC);
        if (fd >= 0)
                close(fd);
}

/* late: LateWindow=, the life of a mark. rules: sections. classes: names, each of a class with a file. */
static inline int fixture_open_with(
                const SensorSizes *sizes, const char *late, const char *rules, const char *classes) {
        _cleanup_(policy_freep) Policy *p = NULL;
        _cleanup_(policy_tables_freep) PolicyTables *t = NULL;
        PolicyMessage message = {};
        PolicyNames names = {};
        char text[4096], name[32];

        strcpy(fixture.directory, "/tmp/barbwire-marks.XXXXXX");
        assert_non_null(mkdtemp(fixture.directory));
        fixture.shares_reported = 0;
        snprintf(fixture.secret, sizeof(fixture.secret), "%s/secret", fixture.directory);
        assert_int_equal(chmod(fixture.directory, 0777), 0);
        close(open(fixture.secret, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));

        snprintf(text, sizeof(text),
                        "[Class decoy]\nPath=%s\nPath=%s/file-secret*\nWindow=1s\nLateWindow=%s\n",
                        fixture.secret, fixture.directory, late);
        for (unsigned i = 0; sscanf(classes, " %31s", name) == 1; i++) {
                assert_true(i < CLASSES_MAX);
                classes = strstr(classes, name) + strlen(name);
                (void)snprintf(fixture.of_class[i], sizeof(fixture.of_class[i]), "%s/file-%s",
                                fixture.directory, name);
                close(open(fixture.of_class[i], O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
                (void)snprintf(text + strlen(text), sizeof(text) - strlen(text),
                                "[Class %s]\nPath=%s\nLateWindow=%s\n", name, fixture.of_class[i], late);
        }
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s", rules);
        assert_int_equal(policy_new(&p), 0);
        assert_int_equal(policy_parse(p, "test.conf", text, strlen(text)), 0);
        assert_int_equal(policy_finish(p), 0);
        assert_int_equal(p->n_errors, 0);
        assert_int_equal(policy_compile(p, &names, 0, &t, &message), 0);
        policy_names_done(&names);

        _cleanup_(btf_freep) struct btf *types = NULL;
        assert_int_equal(sensor_kernel_check(&types), 0);
        assert_int_equal(sensor_new(SENSOR_TRACEPOINT, types, sizes, NULL, &fixture.sensor), 0);
        sensor_policy_write(fixture.sensor, t);
        assert_int_equal(sensor_attach(fixture.sensor), 0);
        fixture.marks = map_find("bw_marks");
        fixture.processes = map_find("bw_processes");
        assert_true(fixture.marks >= 0 && fixture.processes >= 0);
        return 0;
}

static inline int fixture_open(const SensorSizes *sizes, const char *late) {
        return fixture_open_with(sizes, late, "", "");
}

static inline SensorSizes fixture_sizes(unsigned marks_max) {
        const SensorLimits limits = {
                .marks_max = marks_max, .processes_max = PROCESSES_MAX, .ring_bytes = 1 << 20
        };
        const Machine machine = machine_read();

        return sensor_sizes(&machine, &limits);
}

static inline int teardown(void **state) {
        (void)state;
        close(fixture.marks);
        close(fixture.processes);
        fixture.sensor = sensor_free(fixture.sensor);
        unlink(fixture.secret);
        char pattern[80];
        glob_t files;
        (void)snprintf(pattern, sizeof(pattern), "%s/file-*", fixture.directory);
        if (glob(pattern, 0, NULL, &files) == 0) {
                for (size_t i = 0; i < files.gl_pathc; i++)
                        unlink(files.gl_pathv[i]);
                globfree(&files);
        }
        rmdir(fixture.directory);
        return 0;
}

static inline void open_secret(void) {
        int fd = open(fixture.secret, O_RDONLY | O_CLOEXEC);
        if (fd >= 0)
                close(fd);
}

static inline void send_out(void) {
        struct sockaddr_in to = {
                .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
        };
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        (void)!sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to));
        close(fd);
}

static inline void write_text(int fd) {
        static const char text[] = "twenty bytes and more, as a secret has\n";

        if (fd >= 0)
                (void)!write(fd, text, sizeof(text));
}

/* A file that each child of its own, or all of them, write to. */
static inline void write_file(bool shared) {
        char path[128];

        (void)snprintf(path, sizeof(path), "%s/file-%d", fixture.directory, shared ? 0 : getpid());
        int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
        write_text(fd);
        close(fd);
}

/* Another file of the class, which nobody has opened yet. */
static inline void open_another(void) {
        static unsigned n;
        char path[128];

        (void)snprintf(path, sizeof(path), "%s/file-secret-%d-%u", fixture.directory, getpid(), n++);
        int fd = open(path, O_CREAT | O_RDONLY | O_CLOEXEC, 0644);
        close(fd);
}

/* Every read changes the mark, so that every write makes a new content. */
static inline void write_again(unsigned n) {
        for (unsigned i = 0; i < n; i++) {
                open_secret();
                write_file(true);
        }
}

/* A new pipe, which stays open, gets a content of its own. */
static inline void write_pipe(void) {
        int fds[2];

        open_secret();
        if (pipe(fds) == 0)
                write_text(fds[1]);
}

/* Memory that a child of its own would share. */
static inline void map_shared(void) {
        void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        (void)p;
}

/* Code that another user than root can change. */
static inline void map_code(void) {
        char path[128];

        (void)snprintf(path, sizeof(path), "%s/file-code", fixture.directory);
        int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0755);
        write_text(fd);
        if (fchown(fd, 65001, 65001) == 0)
                (void)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
        close(fd);
}

/* A child sends, and ends. */
static inline void child_sends(void) {
        pid_t pid = fork();

        if (pid == 0) {
                send_out();
                _exit(0);
        }
        (void)waitpid(pid, NULL, 0);
}

/* A child opens the secret, and what it executes then sends. */
static inline void child_executes(void) {
        pid_t pid = fork();

        if (pid == 0) {
                open_secret();
                (void)execl("/bin/bash", "bash", "-c", ": > /dev/udp/127.0.0.1/9", NULL);
                _exit(1);
        }
        (void)waitpid(pid, NULL, 0);
}

/* A new connection closes the previous one. */
static inline void accept_one(void) {
        int fd = accept(fixture.listener, NULL, NULL);

        (void)!dup2(fd, CHILD_CONNECTION);
        close(fd);
}

static inline void child_obey(char order) {
        switch (order) {
        case 'i':
                if (fork() != 0)
                        _exit(0);
                break;
        case '0' ... '3':
                open_of_class((unsigned)(order - '0'));
                break;
        case 'c':
                map_code();
                break;
        case 'e':
                child_executes();
                break;
        case 'k':
                child_sends();
                break;
        case 'o':
                open_secret();
                break;
        case 'a':
                open_another();
                break;
        case 's':
                send_out();
                break;
        case 'f':
                write_file(false);
                break;
        case 'x':
                write_again(CHILD_WRITES);
                break;
        case 'p':
                write_pipe();
                break;
        case 'm':
                map_shared();
                break;
        case 'l':
                accept_one();
                break;
        case 'w':
                (void)!send(CHILD_CONNECTION, "x", 1, MSG_NOSIGNAL);
                break;
        }
}

/* Forks a child that obeys 'o' (open the secret), '0' to '3' (open the file of a class), 's' (send), 'k'
 * (have a child send), 'e' (have a child open, execute and send), 'f' (write to a file of its own), 'x' (to
 * a shared one, many times), 'p' (to a pipe), 'm' (map memory), 'l' (accept a connection), 'w' (send on it),
 * 'c' (map code) and 'i' (go on as a child of itself), answers each by an event, which carries no mark as a
 * pipe would, and ends at end of file. */
static inline Child child_start_as(uid_t uid) {
        int orders[2], done = eventfd(0, EFD_CLOEXEC);
        Child c;

        assert_int_equal(pipe2(orders, O_CLOEXEC), 0);
        assert_true(done >= 0);
        c.pid = fork();
        assert_true(c.pid >= 0);
        if (c.pid == 0) {
                char order;
                close(orders[1]);
                /* It ends with this process, also if a case fails. A change of uid resets that. */
                if (setresuid(uid, uid, uid) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
                        _exit(1);
                while (read(orders[0], &order, 1) == 1) {
                        child_obey(order);
                        (void)eventfd_write(done, 1);
                }
                _exit(0);
        }
        close(orders[0]);
        c.orders = orders[1];
        c.done = done;
        return c;
}

static inline Child child_start(void) {
        return child_start_as(0);
}

static inline void child_order(const Child *c, char order) {
        eventfd_t answer;

        assert_int_equal(write(c->orders, &order, 1), 1);
        assert_int_equal(eventfd_read(c->done, &answer), 0);
}

/* The last one started first: it holds the pipes of those before it open. */
static inline void child_end(Child *c) {
        close(c->orders);
        close(c->done);
        assert_int_equal(waitpid(c->pid, NULL, 0), c->pid);
}

static inline int on_record(const void *record, size_t size, void *userdata) {
        const char *why;
        Event e;

        (void)userdata;
        assert_int_equal(event_decode(record, size, &e, &why), 0);
        if (e.kind == BW_KIND_CORRELATION) {
                fixture.n_correlations++;
                fixture.last = e;
        }
        if (e.kind == BW_KIND_SHARE) {
                fixture.shares_reported++;
                fixture.last_share = e.share;
        }
        if (e.kind == BW_KIND_ACCOUNT) {
                assert_true(fixture.accounts < ACCOUNTS_MAX);
                fixture.account[fixture.accounts++] = e.account;
        }
        return 0;
}

/* Everything a child did before it answered is in the ring: programs run in its own context. */
static inline unsigned correlations(void) {
        fixture.n_correlations = 0;
        while (sensor_consume(fixture.sensor, 64, on_record, NULL) == 64)
                ;
        return fixture.n_correlations;
}

static inline uint64_t count(enum bw_count c) {
        return sensor_count(fixture.sensor, c);
}

static inline uint64_t loss(enum bw_loss l) {
        uint64_t all[BW_LOSS_MAX];

        sensor_losses(fixture.sensor, all);
        return all[l];
}

/* The setup of a case that leaves nothing behind, and needs nothing new: it takes the sensor of the case
 * before, if there is one, as each start takes seconds. The last of such cases has a teardown. */
static inline int fixture_share(void **state, int (*setup)(void **state)) {
        if (!fixture.sensor)
                return setup(state);
        (void)correlations();
        return 0;
}
