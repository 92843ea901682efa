/* SPDX-License-Identifier: GPL-2.0-or-later */

/* H06, H01: the secret is put into shared memory: a file without a name, a named one, System V, an ordinary
 * file, an inherited mapping. The taker maps it before the secret is opened ("-early"), or afterwards. "vm":
 * the taker is a process of its own that shares the memory of the giver. */

#include <dirent.h>
#include <linux/sched.h>
#include <linux/userfaultfd.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include "cast.h"

#define RELAY "relay.memory"
#define SIZE ((size_t)65536)

/* The layout of the memory. */
typedef struct Shared {
        size_t n;
        char bytes[PLAY_SECRET_MAX];
} Shared;

static Shared *shared;
static int memory = -1, pair[2];

static Shared *map(int fd, int flags) {
        void *at = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | flags, fd, 0);

        if (at == MAP_FAILED)
                play_die("mmap");
        return at;
}

static void put(void) {
        memcpy(shared->bytes, p.secret, p.n_secret);
        shared->n = p.n_secret;
}

/* As any program does, the taker sends it from a buffer of its own. */
static void get(void) {
        p.n_secret = shared->n;
        memcpy(p.secret, shared->bytes, p.n_secret);
        if (p.n_secret == 0)
                play_die("nothing is in the memory");
        play_send(&p);
}

/* As written by write(2): the bytes, without a length before them. */
static void get_written(void) {
        p.n_secret = strnlen((const char *)shared, sizeof(p.secret));
        memcpy(p.secret, shared, p.n_secret);
        if (p.n_secret == 0)
                play_die("nothing is in the memory");
        play_send(&p);
}

static void memfd_make(void) {
        memory = memfd_create("relay", MFD_CLOEXEC);
        if (memory < 0 || ftruncate(memory, (off_t)SIZE) < 0)
                play_die("memfd_create");
}

static void anonymous_map(void) {
        shared = map(-1, MAP_ANONYMOUS);
}

static void zero_map(void) {
        int fd = open("/dev/zero", O_RDWR | O_CLOEXEC);

        if (fd < 0)
                play_die("/dev/zero");
        shared = map(fd, 0);
}

/* userfaultfd(2): what the taker reads is what the giver has copied there. The pages are at the same place
 * in both. */
#define FAULTS ((void *)0x200000000000)

static void faults_take(void) {
        struct uffdio_api api = { .api = UFFD_API };
        struct uffdio_register range = { .range = { (uintptr_t)FAULTS, SIZE },
                .mode = UFFDIO_REGISTER_MODE_MISSING };

        memory = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
        if (memory < 0)
                play_exit(PLAY_CANNOT, "userfaultfd");
        shared = mmap(FAULTS, SIZE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        if (shared == MAP_FAILED || ioctl(memory, UFFDIO_API, &api) < 0 ||
                        ioctl(memory, UFFDIO_REGISTER, &range) < 0)
                play_die("UFFDIO_REGISTER");
        play_pass(pair[1], memory);
}

static void faults_give(void) {
        int fd = play_receive(pair[0]);
        struct uffdio_copy copy = { .dst = (uintptr_t)FAULTS, .len = SIZE };

        anonymous_map();
        secret_read();
        put();
        copy.src = (uintptr_t)shared;
        if (ioctl(fd, UFFDIO_COPY, &copy) < 0)
                play_die("UFFDIO_COPY");
}

static void file_make(void) {
        memory = open(RELAY, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
        if (memory < 0 || ftruncate(memory, (off_t)SIZE) < 0)
                play_die("open " RELAY);
}

static void map_it(void) {
        shared = map(memory, 0);
}

static void give_mapped(void) {
        secret_read();
        map_it();
        put();
}

static void give_inherited(void) {
        secret_read();
        put();
}

/* The giver had it mapped before, like the taker. */
static void give_mapped_early(void) {
        map_it();
        secret_read();
        put();
}

static void give_written(void) {
        secret_read();
        secret_write(memory);
}

static void give_own(void) {
        secret_read();
        memory = memfd_create("relay", MFD_CLOEXEC);
        secret_write(memory);
        if (dup2(memory, CAST_FD) < 0)
                play_die("dup2");
}

static void take_mapped(void) {
        map_it();
        get();
}

static void take_read(void) {
        ssize_t n = pread(memory, p.secret, sizeof(p.secret), 0);

        if (n <= 0)
                play_die("pread");
        /* The file is longer than what was written. */
        p.n_secret = strnlen(p.secret, (size_t)n);
        play_send(&p);
}

/* As every program does with the tables of the C library: a process that maps a file only to read it gives
 * nothing away. */
static void map_to_read(void) {
        int fd = open(RELAY, O_RDONLY | O_CLOEXEC);

        if (fd < 0 || mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED)
                play_die("mmap " RELAY);
}

static void give_nothing(void) {
        secret_read();
        map_to_read();
}

static void take_nothing(void) {
        map_to_read();
        play_send_nothing(&p);
}

/* By name: the directory is a tmpfs, which every user may write. */
static void name_make(char *ret, size_t n) {
        snprintf(ret, n, "/barbwire-relay.%d", cast.conductor);
}

static void name_open(int flags) {
        char name[64];

        name_make(name, sizeof(name));
        memory = shm_open(name, O_RDWR | flags, 0600);
        if (memory < 0)
                play_die("shm_open");
}

static void name_give(void) {
        secret_read();
        name_open(O_CREAT | O_EXCL);
        if (ftruncate(memory, (off_t)SIZE) < 0)
                play_die("ftruncate");
        map_it();
        put();
}

static void name_take(void) {
        char name[64];

        name_open(0);
        name_make(name, sizeof(name));
        shm_unlink(name);
        take_mapped();
}

static void sysv_make(void) {
        memory = shmget(IPC_PRIVATE, SIZE, IPC_CREAT | 0600);
        if (memory < 0)
                play_die("shmget");
}

static void sysv_attach(void) {
        shared = shmat(memory, NULL, 0);
        if ((intptr_t)shared == -1)
                play_die("shmat");
}

static void sysv_give(void) {
        secret_read();
        sysv_attach();
        put();
}

static void sysv_give_early(void) {
        sysv_attach();
        secret_read();
        put();
}

static void sysv_get(void) {
        shmctl(memory, IPC_RMID, NULL);
        get();
}

static void sysv_take(void) {
        sysv_attach();
        sysv_get();
}

/* By the mappings of the giver, in /proc: memory that no name leads to. */
static void lent_take(void) {
        const char *wanted = play_variant(&p, "sysv-lent") ? "/SYSV" : "/dev/zero";
        char path[64], name[512], target[128];
        const struct dirent *entry;

        snprintf(path, sizeof(path), "/proc/%d/map_files", cast.other);
        DIR *mappings = opendir(path);
        if (!mappings)
                play_exit(PLAY_CANNOT, "%s", path);
        while (memory < 0 && (entry = readdir(mappings))) {
                snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
                ssize_t n = readlink(name, target, sizeof(target) - 1);
                if (n > 0 && strncmp(target, wanted, strlen(wanted)) == 0)
                        memory = open(name, O_RDONLY | O_CLOEXEC);
        }
        closedir(mappings);
        if (memory < 0)
                play_exit(PLAY_CANNOT, "no mapping of %s in %s", wanted, path);
        if (pread(memory, p.secret, sizeof(p.secret), offsetof(Shared, bytes)) <= 0)
                play_die("pread");
        p.n_secret = strnlen(p.secret, sizeof(p.secret));
        play_send(&p);
}

static void anonymous_give(void) {
        anonymous_map();
        give_inherited();
}

static void segment_give(void) {
        sysv_make();
        sysv_give();
        shmctl(memory, IPC_RMID, NULL);
}

static void pair_prepare(void) {
        if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
                play_die("socketpair");
}

static void pass_give(void) {
        secret_read();
        memory = memfd_create("relay", MFD_CLOEXEC);
        secret_write(memory);
        play_pass(pair[1], memory);
}

static void pass_take(void) {
        memory = play_receive(pair[0]);
        take_read();
}

/* "-early": both have mapped the memory before the secret is opened. */
static const Scene scenes[] = {
        { "memfd-inherited", "file", .prepare = memfd_make, .give = give_written, .take = take_read },
        { "memfd-proc", "file", .give = give_own, .take = cast_take_other },
        { "memfd-passed", "file|received|socket", .prepare = pair_prepare, .give = pass_give,
                        .take = pass_take },
        { "memfd", "file|memory", .prepare = memfd_make, .give = give_mapped, .take = take_mapped },
        { "memfd-taker-early", "memory", .prepare = memfd_make, .ready = map_it, .give = give_mapped,
                        .take = get },
        { "memfd-early", "memory", .prepare = memfd_make, .ready = map_it, .give = give_mapped_early,
                        .take = get },
        { "memfd-written", "file|memory", .prepare = memfd_make, .ready = map_it, .give = give_written,
                        .take = get_written },
        { "posix", "file|memory", .give = name_give, .take = name_take },
        { "sysv", "file|memory", .prepare = sysv_make, .give = sysv_give, .take = sysv_take },
        { "sysv-taker-early", "memory", .prepare = sysv_make, .ready = sysv_attach, .give = sysv_give,
                        .take = sysv_get },
        { "sysv-early", "memory", .prepare = sysv_make, .ready = sysv_attach, .give = sysv_give_early,
                        .take = sysv_get },
        { "file", "file|memory", .prepare = file_make, .give = give_mapped, .take = take_mapped },
        { "file-taker-early", "memory", .prepare = file_make, .ready = map_it, .give = give_mapped,
                        .take = get },
        { "file-early", "memory", .prepare = file_make, .ready = map_it, .give = give_mapped_early,
                        .take = get },
        { "nothing", "memory", .prepare = file_make, .give = give_nothing, .take = take_nothing },
        { "zero-early", "memory", .prepare = zero_map, .give = give_inherited, .take = get },
        { "faults", "trace", .prepare = pair_prepare, .ready = faults_take, .give = faults_give,
                        .take = get },
        { "anonymous-lent", "trace", .give = anonymous_give, .take = lent_take },
        { "sysv-lent", "trace|file|memory", .give = segment_give, .take = lent_take },
        { "anonymous-early", "memory", .prepare = anonymous_map, .give = give_inherited, .take = get },
        { .name = NULL },
};

static void send_shared(void) {
        play_send(&p);
}

/* Neither a thread nor a child with a copy: the same memory when the secret is read into it. */
static int play_vm(void) {
        pid_t lineage[] = { getpid(), getppid(), 0 }, child = cast_clone(CLONE_VM, send_shared);
        char way[64];

        snprintf(way, sizeof(way), "%d:giver:memory", getpid());
        prctl(PR_SET_NAME, "giver");
        play_tell(&p, getpid(), child, child, lineage, "memory", way);
        secret_read();
        if (kill(child, SIGUSR1) < 0)
                play_die("kill");
        return play_wait(child);
}

int main(int argc, char **argv) {
        if (argc == 5 && strcmp(argv[1], "vm") == 0) {
                play_init(&p, argc, argv);
                return play_vm();
        }
        return cast_play(scenes, argc, argv);
}
