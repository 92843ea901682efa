/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Against a journald of our own: one that reads, one that does not, one that is away and comes back. A
 * real event loop, and no waiting: the delays of the retry timer are noted and shortened. */

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

#include "../../daemon/alert-journal.h"
#include "../../daemon/journal-entry.h"
#include "alert-fixture.h"
#include "journal-datagram.h"

/* ---- what stands between the journal and the system ---- */

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
        char directory[32], path[64];
        int journald;
        unsigned n_congested, n_cleared;
        size_t waiting_at_congested, waiting_at_cleared;
} Fixture;

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

        /* What journald of systemd 252 asks for: exactly these. */
        assert_int_equal(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
        assert_int_equal(fstat(fd, &st), 0);
        *ret_size = (size_t)st.st_size;
        *ret = malloc(*ret_size);
        assert_non_null(*ret);
        assert_int_equal(pread(fd, *ret, *ret_size, 0), st.st_size);
        close(fd);
}

/* One entry, newly allocated; NULL: none is there. */
static char *journald_receive(Fixture *f, size_t *ret_size) {
        static char buffer[512 * 1024];
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof(int))];
        } control;
        struct iovec iov = { .iov_base = buffer, .iov_len = sizeof(buffer) };
        struct msghdr message = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control),
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

/* Takes what is there and checks that it is the next entries in order: BARBWIRE_REPEATS counts. Returns
 * the next. */
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

/* Lets journald and the journal take turns until nothing waits. Returns the next. */
static unsigned journald_take_all(Fixture *f, unsigned next) {
        do {
                next = journald_take(f, next);
                if (alert_journal_n_waiting(f->journal) > 0)
                        assert_true(sd_event_run(f->event, UINT64_MAX) > 0);
        } while (alert_journal_n_waiting(f->journal) > 0);
        return journald_take(f, next);
}

static void assert_idle(Fixture *f) {
        int enabled = SD_EVENT_OFF;

        assert_int_equal(alert_journal_n_waiting(f->journal), 0);
        assert_int_equal(sd_event_run(f->event, 0), 0);
        if (timer)
                assert_true(sd_event_source_get_enabled(timer, &enabled) == 0 && enabled == SD_EVENT_OFF);
}

static void on_congestion(bool congested, void *userdata) {
        Fixture *f = userdata;

        if (congested) {
                assert_int_equal(f->n_congested++, f->n_cleared);
                f->waiting_at_congested = alert_journal_n_waiting(f->journal);
        } else {
                assert_int_equal(++f->n_cleared, f->n_congested);
                f->waiting_at_cleared = alert_journal_n_waiting(f->journal);
        }
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

        alert_journal_free(f->journal);
        journald_close(f);
        (void)rmdir(f->directory);
        sd_event_unref(f->event);
        free(f);
        return 0;
}

static void journal_open(Fixture *f) {
        assert_int_equal(alert_journal_new(f->event, f->path, on_congestion, f, &f->journal), 0);
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

static void send_number(Fixture *f, unsigned number, size_t cmdline_bytes) {
        _cleanup_(alert_freep) Alert *a = alert_number(number, cmdline_bytes);
        _cleanup_free_ char *json = alert_line(a);

        assert_int_equal(alert_journal_send(f->journal, a, json), 0);
}

/* Until the socket is full, and one more. Returns the next number. */
static unsigned send_until_waiting(Fixture *f, unsigned number) {
        while (alert_journal_n_waiting(f->journal) < 2) {
                assert_true(number < 100000);
                send_number(f, number++, 0);
        }
        return number;
}

/* ---- tests ---- */

/* What arrives is what journal_entry_from_*() made. */
static void test_sends(void **state) {
        Fixture *f = *state;
        const StateAlert loss = { .cause = "ring_full", .meaning = "lost", .count = 3, .total = 7 };
        _cleanup_(alert_freep) Alert *a = alert_number(0, 0);
        _cleanup_free_ char *expected[2] = {}, *got[2] = {};
        size_t expected_size[2], got_size[2];

        a->process.comm.data[0] = '\n';
        _cleanup_free_ char *json = alert_line(a);
        journald_open(f);
        journal_open(f);
        assert_idle(f);
        assert_int_equal(alert_journal_send(f->journal, a, json), 0);
        assert_int_equal(alert_journal_send_state(f->journal, &loss), 0);
        assert_idle(f);

        assert_int_equal(journal_entry_from_alert(a, json, &expected[0], &expected_size[0]), 0);
        assert_int_equal(journal_entry_from_state(&loss, &expected[1], &expected_size[1]), 0);
        for (size_t i = 0; i < 2; i++) {
                got[i] = journald_receive(f, &got_size[i]);
                assert_non_null(got[i]);
                assert_int_equal(got_size[i], expected_size[i]);
                assert_memory_equal(got[i], expected[i], got_size[i]);
                free(STEAL_PTR(got[i]));
                free(STEAL_PTR(expected[i]));
        }
        assert_null(journald_receive(f, &got_size[0]));
        assert_int_equal(n_delays, 0);
}

/* journald does not read: nothing blocks, nothing spins, and all arrives in order once it reads. */
static void test_waits(void **state) {
        Fixture *f = *state;

        journald_open(f);
        journal_open(f);
        unsigned n = send_until_waiting(f, 0);
        for (unsigned i = 0; i < 20; i++)
                send_number(f, n++, 0);
        assert_int_equal(alert_journal_n_waiting(f->journal), 22);
        assert_int_equal(sd_event_run(f->event, 0), 0);

        assert_int_equal(journald_take_all(f, 0), n);
        assert_idle(f);
        assert_int_equal(n_delays, 0);
}

#define MIB (1024 * 1024)

static void test_congestion(void **state) {
        Fixture *f = *state;
        _cleanup_(alert_freep) Alert *sample = alert_number(1000, 20000);
        _cleanup_free_ char *data = NULL, *json = alert_line(sample);
        size_t size;
        unsigned n = 0;

        assert_int_equal(journal_entry_from_alert(sample, json, &data, &size), 0);
        journald_open(f);
        journal_open(f);
        for (unsigned round = 1; round <= 2; round++) {
                unsigned first = n;

                while (f->n_congested < round) {
                        assert_true(n < first + 1000);
                        send_number(f, n++, 20000);
                }
                /* To one entry; numbers of fewer digits make it some bytes shorter. */
                assert_true(f->waiting_at_congested * size > 2 * MIB - size / 2);
                assert_true((f->waiting_at_congested - 2) * size < 2 * MIB);
                /* The owner may be in the middle of a batch. */
                for (unsigned i = 0; i < 20; i++)
                        send_number(f, n++, 20000);
                assert_int_equal(f->n_cleared, round - 1);

                assert_int_equal(journald_take_all(f, first), n);
                assert_int_equal(f->n_congested, round);
                assert_int_equal(f->n_cleared, round);
                /* To what the socket takes at once. */
                assert_true(f->waiting_at_cleared * size <= MIB);
                assert_true(f->waiting_at_cleared * size > MIB / 2);
                assert_idle(f);
        }
}

/* Away from the start: tried again, ever more seldom, and at once when it is there. */
static void test_away(void **state) {
        static const uint64_t expected[] = {
                100000, 200000, 400000, 800000, 1600000, 3200000, 5000000, 5000000,
        };
        Fixture *f = *state;

        journal_open(f);
        assert_idle(f);
        for (unsigned i = 0; i < 3; i++)
                send_number(f, i, 0);
        assert_int_equal(alert_journal_n_waiting(f->journal), 3);
        /* A timer is on its way: more entries do not mean more tries. */
        assert_int_equal(n_delays, 1);

        while (n_delays < ELEMENTSOF(expected))
                assert_true(sd_event_run(f->event, UINT64_MAX) > 0);
        assert_memory_equal(delays, expected, sizeof(expected));

        journald_open(f);
        assert_int_equal(journald_take_all(f, 0), 3);
        assert_int_equal(n_delays, ELEMENTSOF(expected));
        assert_idle(f);

        /* The next time it begins anew. */
        journald_close(f);
        n_delays = 0;
        send_number(f, 3, 0);
        assert_int_equal(n_delays, 1);
        assert_int_equal(delays[0], expected[0]);
        journald_open(f);
        assert_int_equal(journald_take_all(f, 3), 4);
        assert_idle(f);
}

/* Restarted while entries wait for room in its socket: what it had is gone with it, what waited is not. */
static void test_restarted(void **state) {
        Fixture *f = *state;

        journald_open(f);
        journal_open(f);
        unsigned n = send_until_waiting(f, 0);
        unsigned waiting = (unsigned)alert_journal_n_waiting(f->journal);

        journald_close(f);
        while (n_delays == 0)
                assert_true(sd_event_run(f->event, UINT64_MAX) > 0);
        assert_int_equal(alert_journal_n_waiting(f->journal), waiting);
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
        assert_int_equal(alert_journal_send(f->journal, a, json), 0);
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

/* The kernel has its own troubles. */
static void test_faults(void **state) {
        Fixture *f = *state;

        journald_open(f);
        journal_open(f);

        faults[0] = EINTR;
        send_number(f, 0, 0);
        assert_idle(f);
        assert_int_equal(n_sent_memfd, 0);

        /* No room for so large a datagram now: its bytes can come another way. */
        faults[0] = ENOBUFS;
        send_number(f, 1, 0);
        assert_idle(f);
        assert_int_equal(n_sent_memfd, 1);

        static const int others[] = { ENOMEM, ECONNREFUSED, ENOENT, ENOTCONN, EPIPE, EACCES };
        for (unsigned i = 0; i < ELEMENTSOF(others); i++) {
                n_delays = 0;
                faults[0] = others[i];
                send_number(f, 2 + i, 0);
                assert_int_equal(alert_journal_n_waiting(f->journal), 1);
                assert_int_equal(n_delays, 1);
                assert_true(sd_event_run(f->event, UINT64_MAX) > 0);
                assert_idle(f);
        }

        /* Neither way. */
        n_delays = 0;
        faults[0] = EMSGSIZE;
        faults[1] = ETOOMANYREFS;
        send_number(f, 8, 0);
        assert_int_equal(n_delays, 1);
        assert_int_equal(alert_journal_n_waiting(f->journal), 1);
        assert_int_equal(journald_take_all(f, 0), 9);
        assert_idle(f);
}

/* The last words go out as far as there is room, and the owner is not called any more. */
static void test_last_words(void **state) {
        Fixture *f = *state;

        journald_open(f);
        journal_open(f);
        unsigned n = 0;
        while (f->n_congested == 0)
                send_number(f, n++, 20000);
        unsigned next = journald_take(f, 0);
        assert_true(next > 0 && next < n);
        f->journal = alert_journal_free(f->journal);
        assert_null(f->journal);
        assert_int_equal(f->n_cleared, 0);
        assert_true(journald_take(f, next) > next);
        assert_int_equal(sd_event_run(f->event, 0), 0);

        /* journald is back since the last try, and the timer has not run yet. */
        journald_close(f);
        journal_open(f);
        send_number(f, 0, 0);
        send_number(f, 1, 0);
        journald_open(f);
        f->journal = alert_journal_free(f->journal);
        assert_int_equal(journald_take(f, 0), 2);

        /* Nobody there at all. */
        journald_close(f);
        journal_open(f);
        send_number(f, 0, 0);
        f->journal = alert_journal_free(f->journal);
        assert_null(alert_journal_free(NULL));
}

static void test_bad_path(void **state) {
        Fixture *f = *state;
        char path[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1];

        memset(path, 'x', sizeof(path) - 1);
        path[sizeof(path) - 1] = '\0';
        assert_int_equal(alert_journal_new(f->event, path, on_congestion, f, &f->journal), -ENAMETOOLONG);
        assert_null(f->journal);
        /* The longest that fits needs its NUL. */
        path[sizeof(path) - 2] = '\0';
        assert_int_equal(alert_journal_new(f->event, path, on_congestion, f, &f->journal), 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_sends),
                TEST(test_waits),
                TEST(test_congestion),
                TEST(test_away),
                TEST(test_restarted),
                TEST(test_large),
                TEST(test_large_waits),
                TEST(test_faults),
                TEST(test_last_words),
                TEST(test_bad_path),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
