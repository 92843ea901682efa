/* SPDX-License-Identifier: GPL-2.0-or-later */

/* H04, H05, H06, by other places in which the kernel stores bytes: message queues, semaphores, a terminal,
 * netlink, the kernel's log, a core file, the attributes of a file, its name, a symbolic link, a key. */

#include <dirent.h>
#include <glob.h>
#include <linux/keyctl.h>
#include <linux/netlink.h>
#include <mqueue.h>
#include <pty.h>
#include <sys/klog.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/xattr.h>
#include <termios.h>

#include "cast.h"

#define RELAY "relay.kernel"
/* One after the other, so that some reuse the memory of an earlier one. */
#define TERMINALS 50
#define ATTRIBUTE "user.relay"

typedef struct Message {
        long type;
        char bytes[PLAY_SECRET_MAX];
} Message;

static int queue = -1, terminal[2];

/* In a core file and in the kernel's log, the secret is between two words, which no program has among its
 * constants. A line ends with another byte, as each line of the log is an entry of its own. */
#define WORD 8
#define LINE_END '|'

static void word_make(char ret[static WORD]) {
        for (size_t i = 0; i < WORD; i++)
                ret[i] = (char)("relay<<<"[i] ^ 1);
}

static void sysv_make(void) {
        queue = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
        if (queue < 0)
                play_die("msgget");
}

static void sysv_give(void) {
        Message message = { .type = 1 };

        secret_read();
        memcpy(message.bytes, p.secret, p.n_secret);
        if (msgsnd(queue, &message, p.n_secret, 0) < 0)
                play_die("msgsnd");
}

/* The result of a call. */
static void taken(ssize_t n) {
        if (n <= 0)
                play_die("nothing came (%s)", p.variant);
        p.n_secret = (size_t)n;
        play_send(&p);
}

static void sysv_take(void) {
        Message message;
        ssize_t n = msgrcv(queue, &message, sizeof(message.bytes), 0, 0);

        msgctl(queue, IPC_RMID, NULL);
        memcpy(p.secret, message.bytes, n > 0 ? (size_t)n : 0);
        taken(n);
}

/* A byte in each semaphore of a set. */
static unsigned short values[PLAY_SECRET_MAX];

static void semaphores_make(void) {
        struct stat st;

        if (stat(p.key, &st) < 0)
                play_die("stat %s", p.key);
        queue = semget(IPC_PRIVATE, (int)st.st_size, IPC_CREAT | 0600);
        if (queue < 0)
                play_die("semget");
}

static void semaphores_give(void) {
        secret_read();
        for (size_t i = 0; i < p.n_secret; i++)
                values[i] = (unsigned char)p.secret[i];
        if (semctl(queue, 0, SETALL, values) < 0)
                play_die("SETALL");
}

static void semaphores_take(void) {
        struct semid_ds set;

        if (semctl(queue, 0, IPC_STAT, &set) < 0 || semctl(queue, 0, GETALL, values) < 0)
                play_die("GETALL");
        semctl(queue, 0, IPC_RMID);
        for (size_t i = 0; i < set.sem_nsems; i++)
                p.secret[i] = (char)values[i];
        taken((ssize_t)set.sem_nsems);
}

static struct sockaddr_nl receiver;

static int netlink_open(void) {
        int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_USERSOCK);

        if (fd < 0)
                play_exit(errno == EPROTONOSUPPORT ? PLAY_CANNOT : 1, "a netlink socket");
        return fd;
}

static void netlink_make(void) {
        socklen_t length = sizeof(receiver);

        queue = netlink_open();
        receiver.nl_family = AF_NETLINK;
        if (bind(queue, (const struct sockaddr *)&receiver, length) < 0 ||
                        getsockname(queue, (struct sockaddr *)&receiver, &length) < 0)
                play_die("bind");
}

static void netlink_give(void) {
        secret_read();
        if (sendto(netlink_open(), p.secret, p.n_secret, 0, (const struct sockaddr *)&receiver,
                            sizeof(receiver)) < 0)
                play_die("sendto");
}

static void netlink_take(void) {
        taken(recv(queue, p.secret, sizeof(p.secret), 0));
}

/* The length of what it writes. */
static size_t marked_make(char *ret) {
        word_make(ret);
        for (size_t i = 0; i < p.n_secret; i++)
                ret[WORD + i] = p.secret[i] == '\n' ? LINE_END : p.secret[i];
        word_make(ret + WORD + p.n_secret);
        return 2 * WORD + p.n_secret;
}

/* Finds the last secret in what was read, and sends it. */
static void marked_send(const char *bytes, size_t n) {
        const char *begin = NULL, *end = NULL, *at = bytes;
        char word[WORD];

        word_make(word);
        while ((at = memmem(at, n - (size_t)(at - bytes), word, WORD))) {
                begin = end;
                end = at;
                at += WORD;
        }
        if (!begin || (size_t)(end - begin) - WORD > sizeof(p.secret))
                play_die("no secret (%s)", p.variant);
        p.n_secret = (size_t)(end - begin) - WORD;
        for (size_t i = 0; i < p.n_secret; i++)
                p.secret[i] = begin[WORD + i] == LINE_END ? '\n' : begin[WORD + i];
        play_send(&p);
}

/* At the lowest priority, which no console shows. */
static void log_give(void) {
        char line[PLAY_SECRET_MAX + 64] = "<7>";
        int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

        if (fd < 0)
                play_exit(PLAY_CANNOT, "/dev/kmsg");
        secret_read();
        size_t n = 3 + marked_make(line + 3);
        line[n++] = '\n'; /* otherwise more may follow, and it is kept back */
        if (write(fd, line, n) != (ssize_t)n)
                play_die("write /dev/kmsg");
}

static void log_open(void) {
        queue = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (queue < 0 || lseek(queue, 0, SEEK_END) < 0)
                play_exit(PLAY_CANNOT, "/dev/kmsg");
}

/* /proc/kmsg is read to its end: what was read once does not come again. */
static void log_drain(void) {
        char bytes[8192];

        queue = open("/proc/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (queue < 0)
                play_exit(PLAY_CANNOT, "/proc/kmsg");
        while (read(queue, bytes, sizeof(bytes)) > 0)
                ;
}

/* An entry at a time; others may be among them. */
static void log_take(void) {
        static char all[1 << 18];
        size_t n = 0;
        ssize_t more;

        while (n < sizeof(all) - 8192 && (more = read(queue, all + n, 8192)) > 0)
                n += (size_t)more;
        marked_send(all, n);
}

static void log_call(void) {
        static char all[1 << 20];
        int n = klogctl(3 /* SYSLOG_ACTION_READ_ALL */, all, sizeof(all));

        if (n < 0)
                play_exit(PLAY_CANNOT, "syslog(2)");
        marked_send(all, (size_t)n);
}

/* core(5): the file is in the working directory. */
static void core_give(void) {
        static char marked[PLAY_SECRET_MAX + 64];
        char pattern[8] = "";
        int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY | O_CLOEXEC);

        if (fd < 0 || read(fd, pattern, sizeof(pattern) - 1) < 4 || strncmp(pattern, "core", 4) != 0 ||
                        setrlimit(RLIMIT_CORE, &(struct rlimit){ RLIM_INFINITY, RLIM_INFINITY }) < 0)
                play_exit(PLAY_CANNOT, "core files");
        secret_read();
        marked_make(marked);
        abort();
}

static void core_take(void) {
        static char all[64 << 20];
        glob_t found;

        if (glob("core*", 0, NULL, &found) != 0)
                play_die("no core file");
        int fd = open(found.gl_pathv[0], O_RDONLY | O_CLOEXEC);
        ssize_t n = read(fd, all, sizeof(all));
        if (n <= 0)
                play_die("read %s", found.gl_pathv[0]);
        unlink(found.gl_pathv[0]);
        marked_send(all, (size_t)n);
}

static void posix_name(char *ret, size_t n) {
        snprintf(ret, n, "/barbwire-relay.%d", cast.conductor);
}

static mqd_t posix_open(int flags) {
        char name[64];
        mqd_t q;

        posix_name(name, sizeof(name));
        q = mq_open(name, flags | O_CLOEXEC, 0600, NULL);
        if (q < 0)
                play_exit(errno == ENOSYS ? PLAY_CANNOT : 1, "mq_open");
        return q;
}

static void posix_make(void) {
        queue = posix_open(O_CREAT | O_RDONLY);
}

static void posix_give(void) {
        secret_read();
        if (mq_send(posix_open(O_CREAT | O_WRONLY), p.secret, p.n_secret, 0) < 0)
                play_die("mq_send");
}

static void posix_take(void) {
        char bytes[8192]; /* the default size of a message: mq_overview(7) */
        ssize_t n = mq_receive(queue >= 0 ? queue : posix_open(O_RDONLY), bytes, sizeof(bytes), NULL);
        char name[64];

        posix_name(name, sizeof(name));
        mq_unlink(name);
        memcpy(p.secret, bytes, n > 0 ? (size_t)n : 0);
        taken(n);
}

static void terminal_make(void) {
        struct termios raw;

        memset(&raw, 0, sizeof(raw));
        cfmakeraw(&raw);
        if (openpty(&terminal[0], &terminal[1], NULL, &raw, NULL) < 0)
                play_die("openpty");
}

static void terminal_give(void) {
        secret_read();
        secret_write(terminal[1]);
}

static void terminal_take(void) {
        taken(read(terminal[0], p.secret, sizeof(p.secret)));
}

/* Input that is typed. */
static void terminal_type(void) {
        secret_read();
        secret_write(terminal[0]);
}

static void terminal_see(void) {
        taken(read(terminal[1], p.secret, sizeof(p.secret)));
}

/* As sudo(8) and script(1) do: what is displayed on a terminal of their own is displayed on the one where
 * they were started. */
static int outer[2];

static void terminals_make(void) {
        terminal_make();
        outer[0] = terminal[0];
        outer[1] = terminal[1];
        terminal_make();
}

static void terminal_relay(void) {
        p.n_secret = (size_t)read(terminal[0], p.secret, sizeof(p.secret));
        secret_write(outer[1]);
}

static void outer_take(void) {
        taken(read(outer[0], p.secret, sizeof(p.secret)));
}

/* The output comes back to the processes that had the secret. */
static void terminal_return(void) {
        p.n_secret = (size_t)read(terminal[0], p.secret, sizeof(p.secret));
        secret_write(terminal[0]);
}

/* On a terminal that no process reads, and that no longer exists when the next one is created. */
static void terminal_lose(void) {
        terminal_make();
        terminal_give();
        close(terminal[0]);
        close(terminal[1]);
}

static void terminal_anew(void) {
        for (int i = 0; i < TERMINALS; i++) {
                terminal_make();
                if (write(terminal[1], "hello", 5) != 5 ||
                                read(terminal[0], p.secret, sizeof(p.secret)) != 5)
                        play_die("a terminal");
                close(terminal[0]);
                close(terminal[1]);
        }
        play_send_nothing(&p);
}

static void relay_make(void) {
        close(open(RELAY, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

static void attribute_give(void) {
        secret_read();
        if (setxattr(RELAY, ATTRIBUTE, p.secret, p.n_secret, 0) < 0)
                play_exit(errno == EOPNOTSUPP ? PLAY_CANNOT : 1, "setxattr");
}

static void attribute_take(void) {
        taken(getxattr(RELAY, ATTRIBUTE, p.secret, sizeof(p.secret)));
}

static void link_give(void) {
        secret_read();
        if (symlink(p.secret, RELAY) < 0)
                play_die("symlink");
}

static void link_take(void) {
        taken(readlink(RELAY, p.secret, sizeof(p.secret)));
}

static void directory_make(void) {
        if (mkdir(RELAY, 0700) < 0)
                play_die("mkdir");
}

static void name_give(void) {
        char path[PLAY_SECRET_MAX + 32];

        secret_read();
        snprintf(path, sizeof(path), RELAY "/%s", p.secret);
        if (mkdir(path, 0700) < 0)
                play_die("mkdir");
}

static void name_take(void) {
        DIR *directory = opendir(RELAY);
        const struct dirent *entry;

        while (directory && (entry = readdir(directory)))
                if (entry->d_name[0] != '.') {
                        strcpy(p.secret, entry->d_name);
                        taken((ssize_t)strlen(p.secret));
                        return;
                }
        play_die("no name");
}

static long key_call(int operation, long a, long b, long c) {
        return syscall(SYS_keyctl, operation, a, b, c, 0);
}

static void key_name(char *ret, size_t n) {
        snprintf(ret, n, "barbwire-relay.%d", cast.conductor);
}

static void key_give(void) {
        char name[64];
        long key;

        key_name(name, sizeof(name));
        secret_read();
        key = syscall(SYS_add_key, "user", name, p.secret, p.n_secret, KEY_SPEC_USER_KEYRING);
        if (key < 0)
                play_exit(PLAY_CANNOT, "add_key");
        /* Every process of the same user may read it. */
        if (key_call(KEYCTL_SETPERM, key, 0x3f3f0000, 0) < 0)
                play_die("KEYCTL_SETPERM");
}

static void key_take(void) {
        char name[64];
        long key, n;

        key_name(name, sizeof(name));
        key = syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_USER_KEYRING, "user", name, 0);
        if (key < 0) /* a separate session may not see the keys of its user */
                play_exit(PLAY_CANNOT, "keyctl");
        n = key_call(KEYCTL_READ, key, (long)p.secret, sizeof(p.secret));
        key_call(KEYCTL_UNLINK, key, KEY_SPEC_USER_KEYRING, 0);
        taken(n);
}

#define ANYHOW "pipe|socket|file|memory"

static const Scene scenes[] = {
        { "queue-sysv", "queue", .prepare = sysv_make, .give = sysv_give, .take = sysv_take },
        { "queue-sysv-blocked", "queue", .prepare = sysv_make, .give = sysv_give, .take = sysv_take,
                        .blocked = SYS_msgrcv },
        { "queue-posix", "file", .give = posix_give, .take = posix_take },
        { "queue-posix-blocked", "file", .ready = posix_make, .give = posix_give, .take = posix_take,
                        .blocked = SYS_mq_timedreceive },
        { "semaphores", "semaphores", .prepare = semaphores_make, .give = semaphores_give,
                        .take = semaphores_take },
        { "netlink", "socket", .prepare = netlink_make, .give = netlink_give, .take = netlink_take },
        { "netlink-blocked", "socket", .prepare = netlink_make, .give = netlink_give, .take = netlink_take,
                        .blocked = SYS_recvfrom },
        { "log", "file", .ready = log_open, .give = log_give, .take = log_take },
        { "log-proc", "file", .ready = log_drain, .give = log_give, .take = log_take },
        { "log-call", "file", .give = log_give, .take = log_call },
        { "core", "file", .give = core_give, .killed = true, .take = core_take },
        { "terminal", "terminal", .prepare = terminal_make, .give = terminal_give, .take = terminal_take },
        { "terminal-blocked", "terminal", .prepare = terminal_make, .give = terminal_give,
                        .take = terminal_take, .blocked = SYS_read },
        { "terminal-typed", "terminal", .prepare = terminal_make, .give = terminal_type,
                        .take = terminal_see },
        { "terminal-two", "terminal", .prepare = terminals_make, .n_carriers = 1, .give = terminal_give,
                        .carry = terminal_relay, .take = outer_take },
        { "terminal-returned", "terminal", .prepare = terminal_make, .n_carriers = 1, .give = terminal_give,
                        .carry = terminal_return, .take = terminal_see },
        { "terminal-new", "terminal", .give = terminal_lose, .mortal = true, .take = terminal_anew },
        { "attribute", ANYHOW, .prepare = relay_make, .give = attribute_give, .take = attribute_take },
        { "link", ANYHOW, .give = link_give, .take = link_take },
        { "name", ANYHOW, .prepare = directory_make, .give = name_give, .take = name_take },
        { "key", ANYHOW, .give = key_give, .take = key_take },
        { .name = NULL },
};

int main(int argc, char **argv) {
        return cast_play(scenes, argc, argv);
}
