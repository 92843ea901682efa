/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The queue and the journal's socket, against a journald of the test's own: one that reads, one that does
 * not, one that is absent and comes back. A real event loop without waiting: the delays of the retry timer
 * are noted and shortened. */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <cmocka.h>

#include "sink/journal-socket.h"
#include "sink/queue.h"
#include "sink/entry.h"
#include "basic/time-util.h"
#include "../alert-fixture.h"
#include "../journal-datagram.h"

/* ---- replacements of system calls ---- */

#define DELAYS_MAX 16
static uint64_t delays[DELAYS_MAX];
static size_t n_delays;
static sd_event_source *timer;

int sd_event_source_set_time_relative(sd_event_source *s, uint64_t usec) {
        int (*real)(sd_event_source *, uint64_t);

        *(void **)&real = dlsym(RTLD_NEXT, "sd_event_source_set_time_relative");
        if (n_delays < DELAYS_MAX)
                delays[n_delays] = usec;
        n_delays++;
        timer = s;
        return real(s, 1);
}

/* Errors that the next calls get, 0: none. */
static int faults[4];
static size_t n_sent_memfd;

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
        int fault = faults[0];

        memmove(faults, faults + 1, sizeof(faults) - sizeof(faults[0]));
        if (fault != 0) {
                errno = fault;
                return -1;
        }
        ssize_t n = syscall(SYS_sendmsg, fd, message, flags);
        n_sent_memfd += n >= 0 && message->msg_controllen > 0;
        return n;
}

/* ---- a journald ---- */

typedef struct Fixture {
        sd_event *event;
        AlertJournal *journal;
        AlertQueue *queue;
        char directory[32], path[64];
        int journald;
        unsigned n_blocked, n_unblocked;
} Fixture;

static size_t n_waiting(Fixture *f) {
        uint64_t since_usec;
        size_t n = alert_queue_waiting(f->queue, &since_usec);

        assert_int_equal(n == 0, since_usec == 0);
        return n;
}

static void journald_open(Fixture *f) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        f->journald = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        assert_true(f->journald >= 0);
        memcpy(address.sun_path, f->path, strlen(f->path));
        assert_int_equal(bind(f->journald, (const struct sockaddr *)&address, sizeof(address)), 0);
}

static void journald_close(Fixture *f) {
        if (f->journald >= 0)
                close(f->journald);
        f->journald = -1;
        (void)unlink(f->path);
}

static void memfd_read(int fd, char **ret, size_t *ret_size) {
        struct stat st;

        /* journald of systemd 252 requires exactly these. */
        assert_int_equal(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
        assert_int_equal(fstat(fd, &st), 0);
        *ret_size = (size_t)st.st_size;
        *ret = malloc(*ret_size);
        assert_non_null(*ret);
        assert_int_equal(pread(fd, *ret, *ret_size, 0), st.st_size);
        close(fd);
}

/* Returns one entry, newly allocated; NULL: none has arrived. */
static char *journald_receive(Fixture *f, size_t *ret_size) {
        static char buffer[512 * 1024];
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof(int))];
        } control;
        struct iovec iov = { .iov_base = buffer, .iov_len = sizeof(buffer) };
        struct msghdr message = {
                .msg_iov = &iov,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };
        char *data = NULL;
        int fd;

        ssize_t n = recvmsg(f->journald, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n < 0) {
                assert_int_equal(errno, EAGAIN);
                return NULL;
        }
        assert_false(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
        if (CMSG_FIRSTHDR(&message)) {
                assert_int_equal(n, 0);
                assert_int_equal(control.header.cmsg_type, SCM_RIGHTS);
                memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
                memfd_read(fd, &data, ret_size);
                return data;
        }
        assert_true(n > 0);
        data = malloc((size_t)n);
        assert_non_null(data);
        *ret_size = (size_t)n;
        return memcpy(data, buffer, (size_t)n);
}

/* Receives all entries and checks that they are the next ones in order, by BARBWIRE_REPEATS. Returns the
 * next number. */
static unsigned journald_take(Fixture *f, unsigned next) {
        for (;;) {
                size_t size;
                _cleanup_free_ char *data = journald_receive(f, &size);
                static Datagram d;
                char expected[16];

                if (!data)
                        return next;
                assert_true(datagram_parse(data, size, &d));
                const Field *repeats = datagram_nth(&d, "BARBWIRE_REPEATS", 0);
                assert_non_null(repeats);
                (void)snprintf(expected, sizeof(expected), "%u", next++);
                assert_int_equal(repeats->size, strlen(expected));
                assert_memory_equal(repeats->data, expected, repeats->size);
        }
}

/* Lets journald and the queue take turns until nothing waits. Returns the next number. */
static unsigned journald_take_all(Fixture *f, unsigned next) {
        do {
                next = journald_take(f, next);
                if (n_waiting(f) > 0)
                        assert_true(sd_event_run(f->event, UINT64_MAX) > 0);
        } while (n_waiting(f) > 0);
        return journald_take(f, next);
}

static void assert_idle(Fixture *f) {
        int enabled = SD_EVENT_OFF;

        assert_int_equal(n_waiting(f), 0);
        assert_true(alert_queue_ready(f->queue));
        assert_int_equal(f->n_blocked, f->n_unblocked);
        assert_int_equal(sd_event_run(f->event, 0), 0);
        if (timer)
                assert_true(sd_event_source_get_enabled(timer, &enabled) == 0 && enabled == SD_EVENT_OFF);
}

/* The owner relies on it: called once for each change, when the queue can be asked for its state. */
static void on_blocked(bool blocked, void *userdata) {
        Fixture *f = userdata;

        assert_int_equal(alert_queue_ready(f->queue), !blocked);
        assert_int_equal(f->n_blocked - f->n_unblocked, !blocked);
        f->n_blocked += blocked;
        f->n_unblocked += !blocked;
}

static int setup(void **state) {
        Fixture *f = calloc(1, sizeof(*f));

        if (!f)
                return -1;
        n_delays = n_sent_memfd = 0;
        timer = NULL;
        memset(faults, 0, sizeof(faults));
        strcpy(f->directory, "/tmp/test-journal-XXXXXX");
        if (!mkdtemp(f->directory))
                return -1;
        (void)snprintf(f->path, sizeof(f->path), "%s/socket", f->directory);
        f->journald = -1;
        *state = f;
        return sd_event_new(&f->event);
}

static int teardown(void **state) {
        Fixture *f = *state;

        alert_queue_free(f->queue);
        alert_journal_free(f->journal);
        journald_close(f);
        (void)rmdir(f->directory);
        sd_event_unref(f->event);
        free(f);
        return 0;
}

static void journal_open(Fixture *f) {
        assert_int_equal(alert_journal_new(f->path, &f->journal), 0);
        assert_int_equal(alert_queue_new(f->event, alert_journal_fd(f->journal), alert_journal_send,
                                         f->journal, on_blocked, f, &f->queue),
                        0);
}

/* ---- alerts ---- */

static Alert *alert_number(unsigned number, size_t cmdline_bytes) {
        Event e = event_new();
        Alert *a;

        assert_int_equal(alert_new(&e, &policy, &names, &epoch, 0, &a), 0);
        a->repeats = number;
        if (cmdline_bytes > 0) {
                free(a->process.cmdline.data);
                a->process.cmdline.data = malloc(cmdline_bytes + 1);
                assert_non_null(a->process.cmdline.data);
                memset(a->process.cmdline.data, 'x', cmdline_bytes);
                a->process.cmdline.data[cmdline_bytes] = '\0';
                a->process.cmdline.size = cmdline_bytes;
        }
        return a;
}

static int put_alert(Fixture *f, const Alert *a, bool keep) {
        _cleanup_free_ char *json = alert_line(a), *data = NULL;
        size_t size;

        assert_int_equal(journal_entry_from_alert(a, json, &data, &size), 0);
        return alert_queue_put(f->queue, data, size, keep);
}

static int put_number(Fixture *f, unsigned number, size_t cmdline_bytes, bool keep) {
        _cleanup_(alert_freep) Alert *a = alert_number(number, cmdline_bytes);

        return put_alert(f, a, keep);
}

static void send_number(Fixture *f, unsigned number, size_t cmdline_bytes) {
        assert_int_equal(put_number(f, number, cmdline_bytes, true), 0);
}

/* Until the socket is full, and one more. Returns the next number. */
static unsigned send_until_waiting(Fixture *f, unsigned number) {
        while (n_waiting(f) < 2) {
                assert_true(number < 100000);
                send_number(f, number++, 0);
        }
        return number;
}

/* ---- tests ---- */

/* Entries arrive as they were put. */
static void test_sends(void **state) {
        Fixture *f = *state;
        _cleanup_(alert_freep) Alert *a = alert_number(0, 0);
        size_t expected_size, got_size;

        a->process.comm.data[0] = '\n';
        _cleanup_free_ char *json = alert_line(a), *expected = NULL, *got = NULL;
        journald_open(f);
        journal_open(f);
        assert_idle(f);
        assert_int_equal(put_alert(f, a, true), 0);
        assert_int_equal(put_alert(f, a, false), 0);
        assert_idle(f);

        assert_int_equal(journal_entry_from_alert(a, json, &expected, &expected_size), 0);
        for (size_t i = 0; i < 2; i++) {
                free(got);
                got = journald_receive(f, &got_size);
                assert_non_null(got);
                assert_int_equal(got_size, expected_size);
                assert_memory_equal(got, expected, got_size);
        }
        assert_null(journald_receive(f, &got_size));
        assert_int_equal(n_delays, 0);
        assert_int_equal(f->n_blocked, 0);
}

/* journald does not read: nothing blocks, nothing spins, and every entry arrives in order once it reads. */
static void test_waits(void **state) {
        Fixture *f = *state;

        journald_open(f);
        journal_open(f);
        unsigned n = send_until_waiting(f, 0);
        for (unsigned i = 0; i < 20; i++)
                send_number(f, n++, 0);
        assert_int_equal(n_waiting(f), 22);
        assert_int_equal(sd_event_run(f->event, 0), 0);

        assert_int_equal(journald_take_all(f, 0), n);
        assert_idle(f);
        assert_int_equal(n_delays, 0);
}

#define MIB (1024 * 1024)

/* Refused with an empty queue: the handler is called all the same when there is room, or at the next retry.
 */
static void test_refused(void **state) {
        Fixture *f = *state;
        unsigned n = 0;

        journald_open(f);
        journal_open(f);
        while (put_number(f, n, 0, false) == 0)
                assert_true(++n < 100000);
        assert_int_equal(sd_event_run(f->event, 0), 0);
        assert_int_equal(journald_take(f, 0), n);
        assert_true(sd_event_run(f->event, UINT64_MAX) > 0);
        assert_idle(f);

        journald_close(f);
        n_delays = 0;
        for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(put_number(f, n, 0, false), -EAGAIN);
                assert_false(alert_queue_ready(f->queue));
                assert_true(sd_event_run(f->event, UINT64_MAX) > 0);
                assert_true(alert_queue_ready(f->queue));
        }
        assert_int_equal(n_delays, 3);
        assert_int_equal(delays[2], 4 * delays[0]);
        journald_open(f);
        assert_int_equal(put_number(f, n, 0, false), 0);
        assert_int_equal(journald_take(f, n), n + 1);
        assert_idle(f);
}

/* Absent from the start: retried at growing intervals, and connected at the first retry after it appears. */
static void test_away(void **state) {
        static const uint64_t expected[] = {
                100000,
                200000,
                400000,
                800000,
                1600000,
                3200000,
                5000000,
                5000000,
        };
        Fixture *f = *state;

        journal_open(f);
        assert_idle(f);
        for (unsigned i = 0; i < 3; i++)
                send_number(f, i, 0);
        assert_int_equal(n_waiting(f), 3);
        /* The timer is armed: more entries do not cause more attempts. */
        assert_int_equal(n_delays, 1);

        while (n_delays < ELEMENTSOF(expected))
                assert_true(sd_event_run(f->event, UINT64_MAX) > 0);
        assert_memory_equal(delays, expected, sizeof(expected));

        journald_open(f);
        assert_int_equal(journald_take_all(f, 0), 3);
        assert_int_equal(n_delays, ELEMENTSOF(expected));
        assert_idle(f);

        /* The next time starts with the shortest interval again. */
        journald_close(f);
        n_delays = 0;
        send_number(f, 3, 0);
        assert_int_equal(n_delays, 1);
        assert_int_equal(delays[0], expected[0]);
        journald_open(f);
        assert_int_equal(journald_take_all(f, 3), 4);
        assert_idle(f);
}

/* Restarted while entries wait for room in its socket: entries in the socket are lost, waiting ones are not.
 */
static void test_restarted(void **state) {
        Fixture *f = *state;

        journald_open(f);
        journal_open(f);
        unsigned n = send_until_waiting(f, 0);
        unsigned waiting = (unsigned)n_waiting(f);

        journald_close(f);
        while (n_delays == 0)
                assert_true(sd_event_run(f->event, UINT64_MAX) > 0);
        assert_int_equal(n_waiting(f), waiting);
        send_number(f, n++, 0);

        journald_open(f);
        assert_int_equal(journald_take_all(f, n - waiting - 1), n);
        assert_idle(f);
}

static int lowest_free_descriptor(void) {
        int fd = dup(STDERR_FILENO);

        close(fd);
        return fd;
}

/* Too large for a datagram, with small ones around it. */
static void test_large(void **state) {
        Fixture *f = *state;
        size_t size, expected_size;
        _cleanup_(alert_freep) Alert *a = alert_number(1, 3 * MIB);
        _cleanup_free_ char *expected = NULL, *json = alert_line(a);

        journald_open(f);
        journal_open(f);
        int free_descriptor = lowest_free_descriptor();
        send_number(f, 0, 0);
        assert_int_equal(n_sent_memfd, 0);
        assert_int_equal(put_alert(f, a, true), 0);
        assert_int_equal(n_sent_memfd, 1);
        assert_int_equal(lowest_free_descriptor(), free_descriptor);
        send_number(f, 2, 0);
        assert_int_equal(n_sent_memfd, 1);
        assert_idle(f);

        _cleanup_free_ char *first = journald_receive(f, &size);
        assert_non_null(first);
        _cleanup_free_ char *large = journald_receive(f, &size);
        assert_non_null(large);
        assert_int_equal(journal_entry_from_alert(a, json, &expected, &expected_size), 0);
        assert_true(size > 6 * MIB); /* once as a field, once as JSON */
        assert_int_equal(size, expected_size);
        assert_int_equal(memcmp(large, expected, size), 0);
        assert_int_equal(journald_take(f, 2), 3);
}

/* Large ones wait in the same order as all others. */
static void test_large_waits(void **state) {
        Fixture *f = *state;

        journald_open(f);
        journal_open(f);
        unsigned n = send_until_waiting(f, 0);
        send_number(f, n++, MIB);
        send_number(f, n++, 0);
        assert_int_equal(n_sent_memfd, 0);
        assert_int_equal(journald_take_all(f, 0), n);
        assert_int_equal(n_sent_memfd, 1);
        assert_idle(f);
}

/* Errors of the kernel. */
static void test_faults(void **state) {
        Fixture *f = *state;

        journald_open(f);
        journal_open(f);

        faults[0] = EINTR;
        send_number(f, 0, 0);
        assert_idle(f);
        assert_int_equal(n_sent_memfd, 0);

        /* No room for so large a datagram: its bytes are sent as a descriptor. */
        faults[0] = ENOBUFS;
        send_number(f, 1, 0);
        assert_idle(f);
        assert_int_equal(n_sent_memfd, 1);

        static const int others[] = { ENOMEM, ECONNREFUSED, ENOENT, ENOTCONN, EPIPE, EACCES };
        for (unsigned i = 0; i < ELEMENTSOF(others); i++) {
                n_delays = 0;
                faults[0] = others[i];
                send_number(f, 2 + i, 0);
                assert_int_equal(n_waiting(f), 1);
                assert_int_equal(n_delays, 1);
                assert_true(sd_event_run(f->event, UINT64_MAX) > 0);
                assert_idle(f);
        }

        /* Neither as a datagram nor as a descriptor. */
        n_delays = 0;
        faults[0] = EMSGSIZE;
        faults[1] = ETOOMANYREFS;
        send_number(f, 8, 0);
        assert_int_equal(n_delays, 1);
        assert_int_equal(n_waiting(f), 1);
        assert_int_equal(journald_take_all(f, 0), 9);
        assert_idle(f);
}

static uint64_t soon(void) {
        return time_now_usec(CLOCK_MONOTONIC) + USEC_PER_SEC / 20;
}

/* At shutdown the event loop no longer runs. */
static void test_drain(void **state) {
        Fixture *f = *state;

        journald_open(f);
        journal_open(f);
        assert_true(alert_queue_drain(f->queue, 0));
        unsigned n = send_until_waiting(f, 0);
        assert_false(alert_queue_drain(f->queue, 0));
        assert_false(alert_queue_drain(f->queue, soon()));
        assert_int_equal(n_waiting(f), 2);
        unsigned next = journald_take(f, 0);
        assert_true(alert_queue_drain(f->queue, UINT64_MAX));
        assert_int_equal(journald_take(f, next), n);
        assert_idle(f);

        /* journald is back since the last attempt, and the timer has not fired yet. */
        journald_close(f);
        send_number(f, 0, 0);
        send_number(f, 1, 0);
        assert_false(alert_queue_drain(f->queue, soon()));
        journald_open(f);
        assert_true(alert_queue_drain(f->queue, UINT64_MAX));
        assert_int_equal(journald_take(f, 0), 2);

        /* No journald at all. */
        journald_close(f);
        send_number(f, 0, 0);
        assert_false(alert_queue_drain(f->queue, soon()));
        assert_int_equal(n_waiting(f), 1);
        f->queue = alert_queue_free(f->queue);
        assert_null(f->queue);
        assert_null(alert_queue_free(NULL));
        assert_null(alert_journal_free(NULL));
}

static void test_bad_path(void **state) {
        Fixture *f = *state;
        char path[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1];

        memset(path, 'x', sizeof(path) - 1);
        path[sizeof(path) - 1] = '\0';
        assert_int_equal(alert_journal_new(path, &f->journal), -ENAMETOOLONG);
        assert_null(f->journal);
        /* The longest that fits needs its NUL. */
        path[sizeof(path) - 2] = '\0';
        assert_int_equal(alert_journal_new(path, &f->journal), 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_sends),
                TEST(test_waits),
                TEST(test_refused),
                TEST(test_away),
                TEST(test_restarted),
                TEST(test_large),
                TEST(test_large_waits),
                TEST(test_faults),
                TEST(test_drain),
                TEST(test_bad_path),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
