/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What a small channel carries: values that one process sets and another may read, which are not followed.
 * Each round sets a value and reads it back, as a second process would, and compares them; "NAME BYTES RATE"
 * is printed for each: bytes in one call, and KiB a second. tests/techniques/table.py has the table of
 * barbwire-detection(7), whose figures come from here.
 *
 * usage: bench-channels [NAME] */

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Each is measured for this long. */
#define MEASURE_NSEC 200000000ULL
#define VALUE_MAX 1024
/* Of strings that may be longer. */
#define SOURCE_BYTES 512
#define ALIAS_BYTES 255
#define CONTEXT_BYTES 64
#define NAME_BYTES 100
#define OFFSET_BYTES 7 /* it is positive */
#define INTERPRETER_BYTES 200

typedef struct Channel {
        const char *name;
        size_t bytes; /* in one call */
        /* Moves a value; 0, or -1 with errno. `in` has printable bytes. */
        int (*move)(const char *in, char *out);
} Channel;

static int descriptor = -1, other = -1;

static int temporary(void) {
        char path[] = "/tmp/barbwire-channel-XXXXXX";

        if (descriptor < 0) {
                descriptor = mkstemp(path);
                (void)unlink(path);
        }
        return descriptor;
}

static int move_eventfd(const char *in, char *out) {
        if (descriptor < 0)
                descriptor = eventfd(0, EFD_NONBLOCK);
        return write(descriptor, in, 8) == 8 && read(descriptor, out, 8) == 8 ? 0 : -1;
}

static int move_epoll(const char *in, char *out) {
        struct epoll_event e = { .events = EPOLLIN }, got;

        if (descriptor < 0) {
                descriptor = epoll_create1(0);
                other = eventfd(1, 0);
                if (epoll_ctl(descriptor, EPOLL_CTL_ADD, other, &e) < 0)
                        return -1;
        }
        memcpy(&e.data, in, 8);
        if (epoll_ctl(descriptor, EPOLL_CTL_MOD, other, &e) < 0 || epoll_wait(descriptor, &got, 1, 0) != 1)
                return -1;
        memcpy(out, &got.data, 8);
        return 0;
}

static int move_sigqueue(const char *in, char *out) {
        union sigval value;
        siginfo_t info;
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGRTMIN);
        memcpy(&value, in, 8);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || sigqueue(getpid(), SIGRTMIN, value) < 0 ||
                        sigwaitinfo(&set, &info) < 0)
                return -1;
        memcpy(out, &info.si_value, 8);
        return 0;
}

static int move_status(const char *in, char *out) {
        int status;
        pid_t child = vfork();

        if (child == 0)
                _exit((unsigned char)in[0]);
        if (child < 0 || waitpid(child, &status, 0) < 0)
                return -1;
        out[0] = (char)WEXITSTATUS(status);
        return 0;
}

/* Beginning and length of a lock, which a second open file description sees. */
static int move_lock(const char *in, char *out) {
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        char path[32];

        if (other < 0) {
                snprintf(path, sizeof(path), "/proc/self/fd/%d", temporary());
                other = open(path, O_RDWR | O_CLOEXEC);
        }
        uint64_t begin = 0, length = 0;
        memcpy(&begin, in, 7);
        memcpy(&length, in + 7, 7);
        lock.l_start = (off_t)begin;
        lock.l_len = (off_t)length;
        if (fcntl(descriptor, F_OFD_SETLK, &lock) < 0)
                return -1;
        struct flock seen = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        if (fcntl(other, F_OFD_GETLK, &seen) < 0)
                return -1;
        memcpy(out, &seen.l_start, 7);
        memcpy(out + 7, &seen.l_len, 7);
        lock.l_type = F_UNLCK;
        return fcntl(descriptor, F_OFD_SETLK, &lock);
}

static int move_window(const char *in, char *out) {
        struct winsize size;

        if (descriptor < 0 && openpty(&descriptor, &other, NULL, NULL, NULL) < 0)
                return -1;
        memcpy(&size, in, 8);
        if (ioctl(other, TIOCSWINSZ, &size) < 0 || ioctl(descriptor, TIOCGWINSZ, &size) < 0)
                return -1;
        memcpy(out, &size, 8);
        return 0;
}

static int move_comm(const char *in, char *out) {
        char name[16] = "";
        int fd;

        memcpy(name, in, 15);
        if (prctl(PR_SET_NAME, name) < 0)
                return -1;
        fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
        if (fd < 0 || read(fd, out, 15) != 15)
                return -1;
        return close(fd);
}

/* In a namespace of its own: no other test may see the name. */
static int move_hostname(const char *in, char *out) {
        struct utsname uts;

        if (descriptor < 0) {
                if (unshare(CLONE_NEWUTS) < 0)
                        return -1;
                descriptor = dup(0);
        }
        if (sethostname(in, 64) < 0 || uname(&uts) < 0)
                return -1;
        memcpy(out, uts.nodename, 64);
        return 0;
}

static int move_limit(const char *in, char *out) {
        struct rlimit limit, got;
        uint64_t soft = 0;

        memcpy(&soft, in, 7);
        if (getrlimit(RLIMIT_FSIZE, &limit) < 0)
                return -1;
        limit.rlim_cur = (rlim_t)soft;
        if (prlimit(getpid(), RLIMIT_FSIZE, &limit, NULL) < 0 ||
                        prlimit(getpid(), RLIMIT_FSIZE, NULL, &got) < 0)
                return -1;
        memcpy(out, &got.rlim_cur, 7);
        return 0;
}

static int move_nice(const char *in, char *out) {
        int value = in[0] & 15;

        if (setpriority(PRIO_PROCESS, 0, value) < 0)
                return -1;
        out[0] = (char)((in[0] & ~15) | getpriority(PRIO_PROCESS, 0));
        return 0;
}

static int move_times(const char *in, char *out) {
        struct timespec times[2] = {};
        struct stat s;

        memcpy(&times[0].tv_sec, in, 4);
        memcpy(&times[1].tv_sec, in + 4, 4);
        if (futimens(temporary(), times) < 0 || fstat(descriptor, &s) < 0)
                return -1;
        memcpy(out, &s.st_atim.tv_sec, 4);
        memcpy(out + 4, &s.st_mtim.tv_sec, 4);
        return 0;
}

static int move_size(const char *in, char *out) {
        struct stat s;
        off_t size = 0;

        memcpy(&size, in, 5);
        if (ftruncate(temporary(), size & 0x3ffffffffff) < 0 || fstat(descriptor, &s) < 0)
                return -1;
        memcpy(out, &s.st_size, 5);
        return 0;
}

static int move_mode(const char *in, char *out) {
        struct stat s;

        if (fchmod(temporary(), (mode_t)(unsigned char)in[0]) < 0 || fstat(descriptor, &s) < 0)
                return -1;
        out[0] = (char)(s.st_mode & 0xff);
        return 0;
}

/* As the program of a filter, of which only the last instruction must be one that ends it. */
static int move_filter(const char *in, char *out) {
        struct sock_filter code[VALUE_MAX / 4 + 1] = {}, got[VALUE_MAX / 4 + 1];
        const size_t n = VALUE_MAX / 4;
        struct sock_fprog program = { (unsigned short)(n + 1), code };
        socklen_t length = (socklen_t)(n + 1);

        if (descriptor < 0)
                descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        for (size_t i = 0; i < n; i++) {
                code[i] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, 0);
                memcpy(&code[i].k, in + i * 4, 4);
        }
        code[n] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
        if (setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ||
                        getsockopt(descriptor, SOL_SOCKET, SO_GET_FILTER, got, &length) < 0)
                return -1;
        for (size_t i = 0; i < n; i++)
                memcpy(out + i * 4, &got[i].k, 4);
        return 0;
}

/* Of a file system in a mount namespace of its own. */
static int move_source(const char *in, char *out) {
        static char table[1 << 20], source[SOURCE_BYTES + 1];
        size_t size = 0;
        ssize_t n;
        int fd;

        if (descriptor < 0) {
                if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                        return -1;
                descriptor = dup(0);
        }
        memcpy(source, in, SOURCE_BYTES);
        if (mount(source, "/tmp", "tmpfs", 0, NULL) < 0)
                return -1;
        fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
        while ((n = read(fd, table + size, sizeof(table) - size)) > 0)
                size += (size_t)n;
        close(fd);
        char *found = memmem(table, size, source, SOURCE_BYTES);
        if (umount("/tmp") < 0)
                return -1;
        memcpy(out, found ?: "", found ? SOURCE_BYTES : 1);
        return 0;
}

/* Of a network interface, in a namespace of its own. */
static int move_alias(const char *in, char *out) {
        if (descriptor < 0) {
                if (unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 ||
                                mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
                                mount("sysfs", "/sys", "sysfs", 0, NULL) < 0)
                        return -1;
                descriptor = open("/sys/class/net/lo/ifalias", O_RDWR | O_CLOEXEC);
        }
        return pwrite(descriptor, in, ALIAS_BYTES, 0) == ALIAS_BYTES &&
                                               pread(descriptor, out, ALIAS_BYTES, 0) == ALIAS_BYTES
                               ? 0
                               : -1;
}

/* The name of an option that no file system has, in the message about it. */
static int move_context(const char *in, char *out) {
        char name[CONTEXT_BYTES + 1] = "", message[256];
        const char *found;
        ssize_t n;

        if (descriptor < 0)
                descriptor = (int)syscall(SYS_fsopen, "tmpfs", 1 /* FSOPEN_CLOEXEC */);
        memcpy(name, in, CONTEXT_BYTES);
        if (descriptor < 0 ||
                        (syscall(SYS_fsconfig, descriptor, 0 /* FSCONFIG_SET_FLAG */, name, NULL, 0) < 0 &&
                                        errno != EINVAL))
                return -1;
        n = read(descriptor, message, sizeof(message));
        found = n > 0 ? memmem(message, (size_t)n, name, CONTEXT_BYTES) : NULL;
        if (!found)
                return -1;
        memcpy(out, found, CONTEXT_BYTES);
        return 0;
}

/* Reads a table of the kernel's from its beginning; the size, or -1. */
static ssize_t table_read(const char *path, char *table, size_t size) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        size_t length = 0;
        ssize_t n = -1;

        while (fd >= 0 && length < size && (n = read(fd, table + length, size - length)) > 0)
                length += (size_t)n;
        close(fd);
        return n < 0 ? -1 : (ssize_t)length;
}

/* Copies a value that the table has; 0, or -1. */
static int table_find(const char *path, const char *value, size_t n, char *out) {
        static char table[1 << 20];
        ssize_t size = table_read(path, table, sizeof(table));
        const char *found = size > 0 ? memmem(table, (size_t)size, value, n) : NULL;

        if (!found)
                return -1;
        memcpy(out, found, n);
        return 0;
}

/* Mounts a file system of the kernel's, in a mount namespace of its own. */
static int private_mount(const char *type) {
        return unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0
                               ? -1
                               : mount(type, "/tmp", type, 0, NULL);
}

/* The abstract name of a unix socket, in a network namespace of its own. */
static int move_unix_name(const char *in, char *out) {
        struct sockaddr_un name = { .sun_family = AF_UNIX };
        int r;

        if (other < 0 && (other = unshare(CLONE_NEWNET)) < 0)
                return -1;
        memcpy(name.sun_path + 1, in, NAME_BYTES);
        descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        r = bind(descriptor, (struct sockaddr *)&name,
                            (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + NAME_BYTES)) < 0
                            ? -1
                            : table_find("/proc/net/unix", in, NAME_BYTES, out);
        close(descriptor);
        return r;
}

static int datagram_pair(int fds[static 2]) {
        const int yes = 1;

        return socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0,
                               fds) < 0 || setsockopt(fds[1], SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)) < 0
                               ? -1
                               : 0;
}

/* User and group of an empty datagram, which root chooses. -1 is none. */
static int move_credentials(const char *in, char *out) {
        static int fds[2] = { -1 };
        union {
                struct cmsghdr header;
                char room[CMSG_SPACE(sizeof(struct ucred))];
        } sent = { .header = { CMSG_LEN(sizeof(struct ucred)), SOL_SOCKET, SCM_CREDENTIALS } }, got;
        struct msghdr message = { .msg_control = &sent, .msg_controllen = sizeof(sent) };
        struct ucred who = { .pid = getpid() };

        if (fds[0] < 0 && datagram_pair(fds) < 0)
                return -1;
        memcpy(&who.uid, in, 4);
        memcpy(&who.gid, in + 4, 4);
        memcpy(CMSG_DATA(&sent.header), &who, sizeof(who));
        if (sendmsg(fds[0], &message, 0) < 0)
                return -1;
        message.msg_control = &got;
        message.msg_controllen = sizeof(got);
        if (recvmsg(fds[1], &message, 0) < 0)
                return -1;
        memcpy(&who, CMSG_DATA(&got.header), sizeof(who));
        memcpy(out, &who.uid, 4);
        memcpy(out + 4, &who.gid, 4);
        return 0;
}

/* The abstract name of the socket that an empty datagram comes from. */
static int move_sender_name(const char *in, char *out) {
        struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = "\0barbwire-channels" }, name = to;
        socklen_t length = offsetof(struct sockaddr_un, sun_path) + 1 + NAME_BYTES;
        int from, r;

        if (descriptor < 0) {
                descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
                if (bind(descriptor, (struct sockaddr *)&to, sizeof(to)) < 0)
                        return -1;
        }
        memcpy(name.sun_path + 1, in, NAME_BYTES);
        from = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        r = bind(from, (struct sockaddr *)&name, length) < 0 ||
                                            sendto(from, NULL, 0, 0, (struct sockaddr *)&to, sizeof(to)) <
                                                            0 ||
                                            recvfrom(descriptor, NULL, 0, 0, (struct sockaddr *)&name,
                                                            &length) < 0
                            ? -1
                            : 0;
        memcpy(out, name.sun_path + 1, NAME_BYTES);
        close(from);
        return r;
}

/* The offset of an open file that two processes have. */
static int move_offset(const char *in, char *out) {
        int64_t where = 0;

        if (descriptor < 0 && (descriptor = memfd_create("offset", MFD_CLOEXEC)) < 0)
                return -1;
        memcpy(&where, in, OFFSET_BYTES);
        if (lseek(descriptor, where, SEEK_SET) < 0 || (where = lseek(descriptor, 0, SEEK_CUR)) < 0)
                return -1;
        memcpy(out, &where, OFFSET_BYTES);
        return 0;
}

static int move_marker(const char *in, char *out) {
        static char line[4096];
        ssize_t n;

        if (descriptor < 0) {
                if (private_mount("tracefs") < 0)
                        return -1;
                descriptor = open("/tmp/trace_marker", O_WRONLY | O_CLOEXEC);
                other = open("/tmp/trace_pipe", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        }
        if (write(descriptor, in, SOURCE_BYTES) != SOURCE_BYTES)
                return -1;
        n = read(other, line, sizeof(line));
        const char *found = n > 0 ? memmem(line, (size_t)n, in, SOURCE_BYTES) : NULL;
        memcpy(out, found ?: "", found ? SOURCE_BYTES : 1);
        return 0;
}

/* An event that a process makes the kernel report of a device, in namespaces of its own. */
static int move_uevent(const char *in, char *out) {
        static char text[2048];
        ssize_t n = 1;

        if (descriptor < 0) {
                struct sockaddr_nl all = { .nl_family = AF_NETLINK, .nl_groups = 1 };

                if (unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 ||
                                mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
                                mount("sysfs", "/sys", "sysfs", 0, NULL) < 0)
                        return -1;
                descriptor = open("/sys/class/net/lo/uevent", O_WRONLY | O_CLOEXEC);
                other = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
                if (bind(other, (struct sockaddr *)&all, sizeof(all)) < 0)
                        return -1;
        }
        int size = snprintf(text, sizeof(text), "add 00000000-0000-0000-0000-000000000000 A=%.*s",
                        SOURCE_BYTES, in);
        if (write(descriptor, text, (size_t)size) != size)
                return -1;
        n = recv(other, text, sizeof(text), 0);
        const char *found = n > 0 ? memmem(text, (size_t)n, in, SOURCE_BYTES) : NULL;
        memcpy(out, found ?: "", found ? SOURCE_BYTES : 1);
        return 0;
}

/* The interpreter of a kind of programs that there is none of. */
static int move_binfmt(const char *in, char *out) {
        char text[INTERPRETER_BYTES + 64];
        int r;

        if (descriptor < 0) {
                if (private_mount("binfmt_misc") < 0)
                        return -1;
                descriptor = open("/tmp/register", O_WRONLY | O_CLOEXEC);
        }
        int size = snprintf(
                        text, sizeof(text), ":bw-bench:M::\\x01no-program::/%.*s:", INTERPRETER_BYTES, in);
        if (write(descriptor, text, (size_t)size) != size)
                return -1;
        r = table_find("/tmp/bw-bench", in, INTERPRETER_BYTES, out);
        int entry = open("/tmp/bw-bench", O_WRONLY | O_CLOEXEC);
        if (write(entry, "-1", 2) != 2)
                r = -1;
        close(entry);
        return r;
}

static const Channel channels[] = {
        { "eventfd", 8, move_eventfd },
        { "epoll", 8, move_epoll },
        { "sigqueue", 8, move_sigqueue },
        { "exit-status", 1, move_status },
        { "lock", 14, move_lock },
        { "window-size", 8, move_window },
        { "comm", 15, move_comm },
        { "hostname", 64, move_hostname },
        { "limit", 7, move_limit },
        { "priority", 1, move_nice },
        { "file-times", 8, move_times },
        { "file-size", 5, move_size },
        { "file-mode", 1, move_mode },
        { "socket-filter", 1024, move_filter },
        { "mount-source", 512, move_source },
        { "interface-alias", 255, move_alias },
        { "mount-option", 64, move_context },
        { "unix-name", 100, move_unix_name },
        { "sender-name", 100, move_sender_name },
        { "file-offset", 7, move_offset },
        { "credentials", 8, move_credentials },
        { "trace-marker", 512, move_marker },
        { "uevent", 512, move_uevent },
        { "binfmt", 200, move_binfmt },
};

static uint64_t now_nsec(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* In a process of its own, as it changes what others could notice. */
static int channel_measure(const Channel *c) {
        char in[VALUE_MAX], out[VALUE_MAX] = "";
        uint64_t begin = now_nsec(), rounds = 0, spent;

        do {
                for (size_t i = 0; i < c->bytes; i++)
                        in[i] = (char)('a' + (rounds + i) % 26);
                if (c->move(in, out) < 0) {
                        fprintf(stderr, "%s: %s\n", c->name, strerror(errno));
                        return 1;
                }
                if (memcmp(in, out, c->bytes) != 0) {
                        fprintf(stderr, "%s: something else arrived\n", c->name);
                        return 1;
                }
                rounds++;
                spent = now_nsec() - begin;
        } while (spent < MEASURE_NSEC);
        printf("%s %zu %.0f\n", c->name, c->bytes, (double)(rounds * c->bytes) / 1024 * 1e9 / (double)spent);
        return fflush(stdout);
}

int main(int argc, char **argv) {
        int status, failed = 0;

        for (size_t i = 0; i < sizeof(channels) / sizeof(channels[0]); i++) {
                if (argc > 1 && strcmp(argv[1], channels[i].name) != 0)
                        continue;
                pid_t child = fork();
                if (child == 0)
                        _exit(channel_measure(&channels[i]) != 0);
                if (child < 0 || waitpid(child, &status, 0) < 0)
                        return 1;
                failed |= status != 0;
        }
        return failed;
}
