/* SPDX-License-Identifier: GPL-2.0-or-later */

/* H04, H06, G10, by the calls of an ordinary 32-bit program: socketcall(2) and ipc(2), each of which stands
 * for many others. */

#include "compat.h"
#include "cast.h"

#ifdef __x86_64__

#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/shm.h>

/* arch/x86/entry/syscalls/syscall_32.tbl; include/uapi/linux/net.h, ipc.h */
#define I386_SOCKETCALL 102
#define I386_IPC 117
enum { CALL_SEND = 9, CALL_RECV = 10, CALL_SENDMSG = 16, CALL_RECVMSG = 17 };
enum { CALL_MSGSND = 11, CALL_MSGRCV = 12, CALL_SHMAT = 21 };

/* struct msghdr, cmsghdr, msgbuf and ipc_kludge as 32-bit programs have them. */
typedef struct Room {
        uint32_t arguments[6];
        uint32_t message[7], data[2];
        struct {
                uint32_t size;
                int32_t level, type;
                int32_t fd;
        } control;
        uint32_t kludge[2], at;
        struct {
                int32_t type;
                char bytes[PLAY_SECRET_MAX];
        } queued;
        char bytes[PLAY_SECRET_MAX];
} Room;

static Room *room;
static int pair[2], id;

#define LOW(pointer) ((uint32_t)(uintptr_t)(pointer))

static void prepare(void) {
        compat_begin();
        room = (Room *)(void *)compat_memory(sizeof(*room));
}

static long socketcall(int call, uint32_t a, uint32_t b, uint32_t c) {
        memcpy(room->arguments, (uint32_t[6]){ a, b, c }, sizeof(room->arguments));
        return int80(I386_SOCKETCALL, call, LOW(room->arguments), 0, 0, 0);
}

static void taken(const char *bytes, long n) {
        if (n <= 0)
                play_die("nothing came (%s)", p.variant);
        memcpy(p.secret, bytes, (size_t)n);
        p.n_secret = (size_t)n;
        play_send(&p);
}

static void pair_make(void) {
        prepare();
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
                play_die("socketpair");
}

static void pair_give(void) {
        secret_read();
        memcpy(room->bytes, p.secret, p.n_secret);
        socketcall(CALL_SEND, (uint32_t)pair[1], LOW(room->bytes), (uint32_t)p.n_secret);
}

static void pair_take(void) {
        taken(room->bytes, socketcall(CALL_RECV, (uint32_t)pair[0], LOW(room->bytes), sizeof(room->bytes)));
}

/* One byte, and room for a descriptor. */
static uint32_t message_make(int fd) {
        room->control.size = sizeof(room->control);
        room->control.level = SOL_SOCKET;
        room->control.type = SCM_RIGHTS;
        room->control.fd = fd;
        memcpy(room->data, (uint32_t[2]){ LOW(room->bytes), 1 }, sizeof(room->data));
        memcpy(room->message,
                        (uint32_t[7]){ 0, 0, LOW(room->data), 1, LOW(&room->control),
                                        sizeof(room->control) },
                        sizeof(room->message));
        return LOW(room->message);
}

static void scm_give(void) {
        socketcall(CALL_SENDMSG, (uint32_t)pair[1], message_make(key_open()), 0);
}

static void scm_take(void) {
        socketcall(CALL_RECVMSG, (uint32_t)pair[0], message_make(-1), 0);
        play_read(&p, room->control.fd);
        play_send(&p);
}

static long ipc(int call, long first, long second, long third, const void *pointer) {
        return int80(I386_IPC, call, first, second, third, LOW(pointer));
}

static void queue_make(void) {
        prepare();
        id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
        if (id < 0)
                play_die("msgget");
}

static void queue_give(void) {
        secret_read();
        room->queued.type = 1;
        memcpy(room->queued.bytes, p.secret, p.n_secret);
        ipc(CALL_MSGSND, id, (long)p.n_secret, 0, &room->queued);
}

static void queue_take(void) {
        memcpy(room->kludge, (uint32_t[2]){ LOW(&room->queued) }, sizeof(room->kludge));
        long n = ipc(CALL_MSGRCV, id, sizeof(room->queued.bytes), 0, room->kludge);
        msgctl(id, IPC_RMID, NULL);
        taken(room->queued.bytes, n);
}

static char *attached;

static void memory_make(void) {
        prepare();
        id = shmget(IPC_PRIVATE, PLAY_SECRET_MAX, IPC_CREAT | 0600);
        if (id < 0)
                play_die("shmget");
}

static void memory_attach(void) {
        ipc(CALL_SHMAT, id, 0, LOW(&room->at), NULL);
        attached = (char *)(uintptr_t)room->at;
}

static void memory_give(void) {
        secret_read();
        memory_attach();
        memcpy(attached, p.secret, p.n_secret);
}

static void memory_take(void) {
        if (!attached)
                memory_attach();
        shmctl(id, IPC_RMID, NULL);
        taken(attached, (long)strnlen(attached, PLAY_SECRET_MAX));
}

static const Scene scenes[] = {
        { "send", "socket", .prepare = pair_make, .give = pair_give, .take = pair_take },
        { "send-blocked", "socket", .prepare = pair_make, .give = pair_give, .take = pair_take,
                        .blocked = I386_SOCKETCALL },
        { "scm", "received|socket", .prepare = pair_make, .give = scm_give, .take = scm_take, .own = true },
        { "queue", "queue", .prepare = queue_make, .give = queue_give, .take = queue_take },
        { "queue-blocked", "queue", .prepare = queue_make, .give = queue_give, .take = queue_take,
                        .blocked = I386_IPC },
        { "memory", "memory", .prepare = memory_make, .give = memory_give, .take = memory_take },
        { "memory-early", "memory", .prepare = memory_make, .ready = memory_attach, .give = memory_give,
                        .take = memory_take },
        { .name = NULL },
};

int main(int argc, char **argv) {
        return cast_play(scenes, argc, argv);
}

#else

int main(void) {
        errno = ENOSYS;
        play_exit(PLAY_CANNOT, "no int 0x80 on this architecture");
}

#endif
