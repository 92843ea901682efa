/* SPDX-License-Identifier: GPL-2.0-or-later */

/* H03 to H06, by what is shared before the secret is there, and without a call that moves it: pages that are
 * in a pipe already, the rings of io_uring, io_setup(2) and packet sockets, a private mapping of a file, a
 * socket that gets its name late, and a program that has the secret in itself. */

#include <linux/aio_abi.h>
#include <linux/if_packet.h>
#include <linux/io_uring.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "cast.h"

#define RELAY "relay.late"
#define PAGE 4096
#define ENTRIES 64 /* of 64 bytes each: a page */

static int memory = -1, pair[2];
static char *shared;

/* Copied into the program's file in the place of this text. */
#define PLACE "the secret is to be here"
static volatile char embedded[PLAY_SECRET_MAX] = PLACE;

static void send_shared(void) {
        p.n_secret = strnlen(shared, sizeof(p.secret));
        memcpy(p.secret, shared, p.n_secret);
        if (p.n_secret == 0)
                play_die("nothing is in the memory");
        play_send(&p);
}

static void map_at(off_t where, int flags) {
        shared = mmap(NULL, PAGE, PROT_READ | (flags & MAP_SHARED ? PROT_WRITE : 0), flags, memory, where);
        if (shared == MAP_FAILED)
                play_die("mmap");
}

static void give_shared(void) {
        secret_read();
        memcpy(shared, p.secret, p.n_secret);
}

/* ---- pages in a pipe ---- */

static void lend(void) {
        struct iovec page;

        shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        page = (struct iovec){ shared, PAGE };
        if (shared == MAP_FAILED || vmsplice(cast_out(), &page, 1, 0) != PAGE)
                play_die("vmsplice");
        give_shared();
}

static void take_page(void) {
        ssize_t n = read(cast_in(), p.secret, sizeof(p.secret));

        if (n <= 0)
                play_die("read");
        p.n_secret = strnlen(p.secret, (size_t)n);
        play_send(&p);
}

/* ---- rings ---- */

static void uring_make(void) {
        struct io_uring_params params = {};

        memory = (int)syscall(SYS_io_uring_setup, ENTRIES, &params);
        if (memory < 0)
                play_exit(PLAY_CANNOT, "io_uring_setup");
}

static void uring_map(void) {
        map_at(IORING_OFF_SQES, MAP_SHARED);
}

static void uring_give(void) {
        secret_read();
        uring_map();
        memcpy(shared, p.secret, p.n_secret);
}

static void uring_take(void) {
        uring_map();
        send_shared();
}

static void uring_give_early(void) {
        uring_map();
        give_shared();
}

/* Newer kernels (7.1 or so) give it to no child (fs/aio.c, VMA_DONTCOPY_BIT), where the address is no memory
 * then. */
static bool child_has(aio_context_t context) {
        unsigned char there;
        int status;
        pid_t pid = fork();

        if (pid == 0)
                _exit(mincore((void *)context, PAGE, &there) < 0);
        return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* The context is the address of the ring, which children have, too; behind its header are the events. */
static void aio_make(void) {
        aio_context_t context = 0;

        if (syscall(SYS_io_setup, ENTRIES, &context) < 0)
                play_exit(errno == ENOSYS ? PLAY_CANNOT : 1, "io_setup");
        if (!child_has(context))
                play_exit(PLAY_CANNOT, "children do not inherit the ring");
        shared = (char *)context + 64;
}

static void packets_make(void) {
        struct tpacket_req ring = {
                .tp_block_size = PAGE, .tp_block_nr = 1, .tp_frame_size = PAGE, .tp_frame_nr = 1
        };

        memory = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
        if (memory < 0 || setsockopt(memory, SOL_PACKET, PACKET_RX_RING, &ring, sizeof(ring)) < 0)
                play_die("PACKET_RX_RING");
}

static void packets_map(void) {
        map_at(0, MAP_SHARED);
}

static void packets_give(void) {
        packets_map();
        give_shared();
}

/* ---- a private mapping ---- */

static void file_make(void) {
        memory = open(RELAY, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
        if (memory < 0 || ftruncate(memory, PAGE) < 0)
                play_die("open " RELAY);
}

static void private_map(void) {
        map_at(0, MAP_PRIVATE);
}

static void give_written(void) {
        secret_read();
        secret_write(memory);
}

/* ---- a socket ---- */

static void pair_make(void) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                play_die("socketpair");
}

static void pair_give(void) {
        secret_read();
        secret_write(pair[1]);
}

static void bound_take(void) {
        struct sockaddr_un name = { .sun_family = AF_UNIX };

        snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "relay.late.%d", cast.conductor);
        if (bind(pair[0], (struct sockaddr *)&name, sizeof(name)) < 0)
                play_die("bind");
        play_read(&p, pair[0]);
        play_send(&p);
}

/* ---- a program ---- */

static void program_give(void) {
        static char bytes[1 << 21];
        int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC),
            to = open(RELAY, O_CREAT | O_WRONLY | O_CLOEXEC, 0700);
        ssize_t n = read(from, bytes, sizeof(bytes));
        char *place = bytes;

        /* Not the text as a constant, which others follow. */
        do {
                place = memmem(place + 1, (size_t)(bytes + n - place - 1), PLACE, sizeof(PLACE));
                if (!place)
                        play_die("the program's file");
        } while (place[sizeof(PLACE)] || memcmp(place + sizeof(PLACE), place + sizeof(PLACE) + 1, PAGE / 2));
        secret_read();
        memcpy(place, p.secret, p.n_secret);
        if (write(to, bytes, (size_t)n) != n)
                play_die("write " RELAY);
        close(to);
}

static void program_take(void) {
        char port[8];

        snprintf(port, sizeof(port), "%u", p.port);
        execl("./" RELAY, "taker", "embedded", p.key, p.address, port, NULL);
        play_die("exec " RELAY);
}

static void embedded_send(void) {
        while (p.n_secret < sizeof(p.secret) && embedded[p.n_secret]) {
                p.secret[p.n_secret] = embedded[p.n_secret];
                p.n_secret++;
        }
        play_send(&p);
}

/* ---- a script, whose first line has the end of the secret ---- */

#define SCRIPT_BYTES 32 /* the line may have 255, with the path of this program */

static void script_give(void) {
        char own[PAGE] = "", line[2 * PAGE];
        int to = open(RELAY, O_CREAT | O_WRONLY | O_CLOEXEC, 0700), n;

        secret_read();
        if (readlink("/proc/self/exe", own, sizeof(own) - 1) < 0 || p.n_secret < SCRIPT_BYTES)
                play_die("/proc/self/exe");
        n = snprintf(line, sizeof(line), "#!%s ", own);
        for (size_t i = p.n_secret - SCRIPT_BYTES; i < p.n_secret; i++)
                n += sprintf(line + n, "%02x", (unsigned char)p.secret[i]);
        line[n++] = '\n';
        if (n > 255)
                play_exit(PLAY_CANNOT, "the path of this program is too long");
        if (write(to, line, (size_t)n) != n)
                play_die("write " RELAY);
        close(to);
}

static void script_send(const char *text) {
        for (; p.n_secret < SCRIPT_BYTES; p.n_secret++)
                if (sscanf(text + 2 * p.n_secret, "%2hhx", (unsigned char *)p.secret + p.n_secret) != 1)
                        play_die("the first line of " RELAY);
        play_send(&p);
}

static const Scene scenes[] = {
        { "lent", "pipe", .prepare = cast_pipes, .give = lend, .take = take_page },
        { "uring", "memory", .prepare = uring_make, .give = uring_give, .take = uring_take },
        { "uring-early", "memory", .prepare = uring_make, .ready = uring_map, .give = uring_give_early,
                        .take = send_shared },
        { "aio-early", "memory", .prepare = aio_make, .give = give_shared, .take = send_shared },
        { "packets-early", "memory", .prepare = packets_make, .ready = packets_map, .give = packets_give,
                        .take = send_shared },
        { "private-early", "file|memory", .prepare = file_make, .ready = private_map, .give = give_written,
                        .take = send_shared },
        { "bound", "socket", .prepare = pair_make, .give = pair_give, .take = bound_take },
        { "program", "file", .give = program_give, .take = program_take },
        { "script", "file", .give = script_give, .take = program_take },
        { .name = NULL },
};

int main(int argc, char **argv) {
        if (argc == 5 && strcmp(argv[1], "embedded") == 0) {
                play_init(&p, argc, argv);
                embedded_send();
                return 0;
        }
        /* the text of the first line, the script, and its arguments */
        if (argc == 7 && strcmp(argv[2], "./" RELAY) == 0) {
                play_init(&p, argc - 2, argv + 2);
                script_send(argv[1]);
                return 0;
        }
        return cast_play(scenes, argc, argv);
}
