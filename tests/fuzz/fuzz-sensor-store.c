/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Any bytes as the names of descriptors that systemd has kept: what is found, removed and left is what the
 * names say, each descriptor is closed once, and none is taken for programs and tables of ours, which
 * /dev/null is not. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <systemd/sd-daemon.h>

#include "basic/log.h"
#include "sensor/carry.h"

#define PREFIX "bw-"
#define IDENTITY_LENGTH (FD_STORE_IDENTITY_SIZE - 1)
#define WHAT_AT (strlen(PREFIX) + IDENTITY_LENGTH + 1)
#define DESCRIPTORS_MAX 64
/* systemd's own limit. */
#define NAME_MAX_BYTES 255

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok) {
        if (!ok)
                abort();
}

/* As the store is to understand them: what is not ours has no place in it. */
typedef struct Model {
        char *names[DESCRIPTORS_MAX];
        bool kept[DESCRIPTORS_MAX];
        size_t n;
        int n_sockets;
} Model;

static bool name_is(const char *name, const char *identity, const char *what) {
        size_t n = what ? strlen(what) : 0;

        if (identity && memcmp(name + strlen(PREFIX), identity, IDENTITY_LENGTH) != 0)
                return false;
        if (!what)
                return true;
        name += WHAT_AT;
        return what[n - 1] == '.' ? strncmp(name, what, n) == 0 : strcmp(name, what) == 0;
}

static bool descriptor_is_open(size_t i) {
        return fcntl(SD_LISTEN_FDS_START + (int)i, F_GETFD) >= 0;
}

static void check_found(const Model *m, const FdStore *s, const char *identity, const char *what) {
        int first = -1;

        for (size_t i = 0; i < m->n && first < 0; i++)
                if (m->kept[i] && name_is(m->names[i], identity, what))
                        first = SD_LISTEN_FDS_START + (int)i;
        check(fd_store_find(s, identity, what) == first);
}

static void check_nth(const Model *m, const FdStore *s, const char *what) {
        size_t n = 0;

        for (size_t i = 0; i < m->n; i++)
                if (m->kept[i] && name_is(m->names[i], NULL, what))
                        check(fd_store_nth(s, what, n++) == SD_LISTEN_FDS_START + (int)i);
        check(fd_store_nth(s, what, n) == -1);
}

static void check_all(const Model *m, const FdStore *s, const char *identity) {
        char other[FD_STORE_IDENTITY_SIZE] = "";

        for (size_t i = 0; i < m->n; i++) {
                check(descriptor_is_open(i) ==
                                (m->kept[i] || strncmp(m->names[i], PREFIX, strlen(PREFIX)) != 0));
                if (m->kept[i]) {
                        check_found(m, s, identity, m->names[i] + WHAT_AT);
                        check_found(m, s, NULL, m->names[i] + WHAT_AT);
                }
        }
        check_found(m, s, identity, NULL);
        check_nth(m, s, "program.");
        check_nth(m, s, sensor_carry_names);

        bool any = fd_store_other(s, identity, other);
        check(any == (other[0] != 0));
        if (any) {
                check(strlen(other) <= IDENTITY_LENGTH && memcmp(other, identity, IDENTITY_LENGTH) != 0);
                check(fd_store_find(s, other, NULL) >= 0);
        }
}

static void remove_some(Model *m, FdStore *s, const char *identity, const char *what, const char *but) {
        fd_store_remove(s, identity, what, but);
        for (size_t i = 0; i < m->n; i++)
                if (m->kept[i] && name_is(m->names[i], identity, what) &&
                                !(but && name_is(m->names[i], NULL, but)))
                        m->kept[i] = false;
}

/* Nothing here is what it says it is. */
static void check_carried(const FdStore *s, const char *identity) {
        uint32_t programs[SENSOR_CARRY_PROGRAMS_MAX];
        SensorPlan plan = {};
        SensorParts parts;
        SensorCarry carry;

        memcpy(plan.identity, identity, IDENTITY_LENGTH);
        for (size_t i = 0; i < SENSOR_MAPS; i++)
                plan.shapes[i] = (SensorShape){ .type = 1, .key_bytes = 4, .value_bytes = 4, .entries = 1 };
        int r = sensor_carry_adopt(s, &plan, &parts);
        check(r == (fd_store_find(s, plan.identity, NULL) < 0 ? -ENOENT : -EBADMSG));
        (void)sensor_carry_find(s, &plan, &carry);
        for (size_t i = 0; i < SENSOR_MAPS; i++)
                check(carry.reuse[i] < 0 && carry.copy[i] < 0);
        check(sensor_carry_programs(s, programs) == 0);
        SensorHeld held = sensor_carry_count(s);
        check(held.marks == 0 && held.contents == 0 && held.objects == 0 && held.files == 0 &&
                        held.lineages == 0 && held.mappings == 0 && held.names == 0 && held.rings == 0);
}

/* The text's pieces, of which a ':' is the end. */
static void descriptors_pass(Model *m, char *text) {
        char number[24];
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        for (char *name; m->n < DESCRIPTORS_MAX && (name = strsep(&text, ":")); m->n++) {
                size_t n = strlen(name);

                m->names[m->n] = name;
                m->kept[m->n] = strncmp(name, PREFIX, strlen(PREFIX)) == 0 && n > WHAT_AT;
                m->n_sockets += strncmp(name, PREFIX, strlen(PREFIX)) != 0;
        }
        null = fcntl(null, F_DUPFD_CLOEXEC, SD_LISTEN_FDS_START + DESCRIPTORS_MAX);
        check(null >= 0);
        for (size_t i = 0; i < m->n; i++)
                check(dup2(null, SD_LISTEN_FDS_START + (int)i) >= 0);
        close(null);
        snprintf(number, sizeof(number), "%zu", m->n);
        setenv("LISTEN_FDS", number, 1);
        snprintf(number, sizeof(number), "%d", getpid());
        setenv("LISTEN_PID", number, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static char text[DESCRIPTORS_MAX * (NAME_MAX_BYTES + 1)];
        _cleanup_(fd_store_freep) FdStore *s = NULL;
        char identity[FD_STORE_IDENTITY_SIZE] = "0123456789abcdef";
        Model m = {};
        int fd;

        log_set_max_level(LOG_EMERG);
        /* libsystemd takes a backslash as an escape. */
        if (size >= sizeof(text) || memchr(data, 0, size) || memchr(data, '\\', size))
                return 0;
        memcpy(text, data, size);
        text[size] = 0;
        setenv("LISTEN_FDNAMES", text, 1);
        for (int i = 0; i < DESCRIPTORS_MAX; i++)
                close(SD_LISTEN_FDS_START + i);
        descriptors_pass(&m, text);
        /* systemd passes as many names as descriptors. */
        if (strchr(getenv("LISTEN_FDNAMES") + (m.names[m.n - 1] - text), ':'))
                return 0;

        check(fd_store_new(&s) == 0 && !fd_store_keeps(s));
        check(fd_store_sockets(s, &fd) == m.n_sockets);
        for (size_t i = 0; i < m.n; i++)
                if (m.kept[i]) {
                        memcpy(identity, m.names[i] + strlen(PREFIX), IDENTITY_LENGTH);
                        break;
                }
        check_all(&m, s, identity);
        check_carried(s, identity);
        remove_some(&m, s, identity, "program.", NULL);
        check_all(&m, s, identity);
        remove_some(&m, s, NULL, sensor_carry_names, NULL);
        remove_some(&m, s, identity, NULL, SENSOR_RING_NAME);
        check_all(&m, s, identity);
        check_carried(s, identity);
        return 0;
}
