/* SPDX-License-Identifier: GPL-2.0-or-later */

/* A digest is that of the file that ran, or there is none: every way in which a file can be another one. */

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "basic/json-util.h"
#include "basic/time-util.h"
#include "basic/util.h"
#include "client/digest.h"

/* sha256sum of "abc". */
#define DIGEST_OF_ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define BOOT_ID "0123456789abcdef0123456789abcdef"
#define HOUR (3600 * USEC_PER_SEC)

static char directory[] = "/tmp/barbwire-digest-XXXXXX";
static char path[128], other[128];

static void file_write(const char *name, const char *text) {
        _cleanup_fclose_ FILE *f = fopen(name, "we");

        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
}

/* The program, as it is recorded now: it started in an hour. */
static DigestObject recorded(bool script) {
        struct stat st;

        assert_int_equal(stat(path, &st), 0);
        return (DigestObject){
                .path = path,
                .inode = st.st_ino,
                .major = major(st.st_dev),
                .minor = minor(st.st_dev),
                .change_known = script,
                .size_known = script,
                .change_nsec = (uint64_t)st.st_ctim.tv_sec * NSEC_PER_SEC + (uint64_t)st.st_ctim.tv_nsec,
                .size = (uint64_t)st.st_size,
                .unchanged_usec = time_now_usec(CLOCK_REALTIME) + HOUR,
        };
}

static void assert_state(const DigestObject *o, DigestState wanted, const char *wanted_why) {
        char hex[DIGEST_HEX_SIZE] = "";
        const char *why = NULL;

        assert_int_equal(digest_read(o, hex, &why), wanted);
        assert_string_equal(why, wanted_why);
        assert_string_equal(hex, wanted == DIGEST_SAME ? DIGEST_OF_ABC : "");
}

static int setup(void **state) {
        (void)state;
        file_write(path, "abc");
        return 0;
}

static int teardown(void **state) {
        (void)state;
        (void)remove(path);
        (void)remove(other);
        return 0;
}

static void test_same(void **state) {
        (void)state;
        DigestObject exe = recorded(false), script = recorded(true);

        assert_state(&exe, DIGEST_SAME, "same");
        assert_state(&script, DIGEST_SAME, "same");
}

/* It was there before the process, but within the precision of the clock. */
static void test_too_young(void **state) {
        (void)state;
        DigestObject exe = recorded(false);

        exe.unchanged_usec = time_now_usec(CLOCK_REALTIME);
        assert_state(&exe, DIGEST_CHANGED, "changed since");
}

/* The same bytes, written again, are a change: it may have been another one meanwhile. */
static void test_changed(void **state) {
        (void)state;
        DigestObject script = recorded(true), exe = recorded(false);

        exe.unchanged_usec = script.change_nsec / NSEC_PER_USEC;
        script.change_nsec--;
        assert_state(&script, DIGEST_CHANGED, "changed since");
        assert_state(&exe, DIGEST_CHANGED, "changed since");
        script.change_nsec++;
        script.size++;
        assert_state(&script, DIGEST_CHANGED, "changed since");
        script.size_known = false; /* of what an opener ran, its size is not recorded */
        assert_state(&script, DIGEST_SAME, "same");
}

static void test_gone(void **state) {
        static const char replaced[] = "gone: another file has its name";
        (void)state;
        DigestObject exe = recorded(false), script = recorded(true);

        file_write(other, "abc");
        assert_int_equal(rename(other, path), 0); /* an upgrade */
        assert_state(&exe, DIGEST_GONE, replaced);
        assert_state(&script, DIGEST_GONE, replaced);
        DigestObject device = recorded(false);
        device.minor++;
        assert_state(&device, DIGEST_GONE, replaced);

        assert_int_equal(rename(path, other), 0);
        assert_state(&exe, DIGEST_GONE, "gone");
        /* The very file, by a link that somebody made. */
        DigestObject linked = exe;
        struct stat st;
        assert_int_equal(stat(other, &st), 0);
        linked.inode = st.st_ino;
        assert_int_equal(symlink(other, path), 0);
        assert_state(&linked, DIGEST_GONE, replaced);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(symlink(directory, path), 0);
        char below[160];
        (void)snprintf(below, sizeof(below), "%s/other", path);
        linked.path = below;
        assert_state(&linked, DIGEST_GONE, "gone");
        assert_int_equal(unlink(path), 0);
        assert_int_equal(mkfifo(path, 0600), 0); /* is not opened, which would wait */
        DigestObject fifo = recorded(false);
        assert_state(&fifo, DIGEST_GONE, replaced);
}

static void test_unproven(void **state) {
        (void)state;
        DigestObject exe = recorded(false);

        exe.path = "bin/true";
        assert_state(&exe, DIGEST_UNPROVEN, "its path is not complete");
        assert_int_equal(truncate(path, (off_t)(1ULL << 30) + 1), 0);
        DigestObject large = recorded(false);
        assert_state(&large, DIGEST_UNPROVEN, "larger than 1 GiB");
}

static atomic_bool stop;

static void *change(void *userdata) {
        (void)userdata;
        while (!atomic_load(&stop))
                (void)chmod(path, 0700);
        return NULL;
}

/* It is examined once more after it was read. 256 MiB take longer than a tick of the file system's clock. */
static void test_changed_while_read(void **state) {
        (void)state;
        pthread_t thread;
        char hex[DIGEST_HEX_SIZE] = "";
        const char *why = NULL;

        assert_int_equal(truncate(path, 256 << 20), 0);
        const DigestObject exe = recorded(false);
        atomic_store(&stop, false);
        assert_int_equal(pthread_create(&thread, NULL, change, NULL), 0);
        DigestState s = digest_read(&exe, hex, &why);
        atomic_store(&stop, true);
        (void)pthread_join(thread, NULL);
        assert_int_equal(s, DIGEST_CHANGED);
        assert_string_equal(hex, "");
}

static json_t *alert_of_program(const char *boot, const char *flag) {
        const DigestObject o = recorded(true);
        json_auto_t *start = json_from_time(time_now_usec(CLOCK_REALTIME) + HOUR);
        char exe[128], opener[160], script[192];

        (void)snprintf(exe, sizeof(exe), "%u:%u/%" PRIu64, o.major, o.minor, o.inode);
        (void)snprintf(opener, sizeof(opener), "%s/%" PRIu64 ".%09" PRIu64, exe,
                        (uint64_t)(o.change_nsec / NSEC_PER_SEC), (uint64_t)(o.change_nsec % NSEC_PER_SEC));
        (void)snprintf(script, sizeof(script), "%s/%" PRIu64, opener, o.size);
        json_t *alert = json_pack("{s:o, s:{s:i, s:s, s:s, s:s, s:s, s:O, s:[s]}, s:[{s:i,s:s},"
                                  "{s:i,s:s}, {s:i,s:s,s:s,s:s,s:s}, {s:i,s:s,s:s}, {s:i,s:s,s:s}]}",
                        "id", json_sprintf("%s-1-0", boot), "process", "pid", 7, "exe", path, "exe_object",
                        exe, "script", path, "script_object", script, "start_time", start, "flags", flag,
                        "files", "pid", 7, "exe", path, "pid", 8, "exe", "/usr/bin/cat", "pid", 9, "exe",
                        path, "exe_object", opener, "script", path, "script_object", opener, "pid", 10,
                        "exe", path, "exe_object", opener, "pid", 11, "exe", path, "exe_object",
                        "1:1/1/1.000000000");
        assert_non_null(alert);
        return alert;
}

static void assert_digest(const json_t *alert, size_t i, const char *state, const char *text) {
        const json_t *digest = json_array_get(json_object_get(alert, "digests"), i);

        assert_string_equal(json_string_value(json_object_get(digest, "state")), state);
        assert_string_equal(json_string_value(json_object_get(digest, "text")), text);
        const char *hex = json_string_value(json_object_get(digest, "sha256"));
        assert_string_equal(hex ?: "", strcmp(state, "same") == 0 ? DIGEST_OF_ABC : "");
}

static void test_alert(void **state) {
        (void)state;
        json_auto_t *alert = alert_of_program(BOOT_ID, "traced");
        assert_int_equal(digest_add(alert, BOOT_ID), 0);
        assert_int_equal(json_array_size(json_object_get(alert, "digests")), 6);
        assert_digest(alert, 0, "same", "same");
        assert_digest(alert, 1, "same", "same");
        assert_digest(alert, 2, "unproven", "not recorded which file it was");
        /* Of openers: each once, but another object of the same path is another program. */
        assert_digest(alert, 3, "same", "same");
        assert_digest(alert, 4, "same", "same");
        assert_digest(alert, 5, "gone", "gone: another file has its name");

        json_auto_t *before = alert_of_program("1123456789abcdef0123456789abcdef", "traced");
        assert_int_equal(digest_add(before, BOOT_ID), 0);
        assert_digest(before, 0, "unproven", "of another boot or host: device numbers prove nothing");
        assert_digest(before, 1, "unproven", "of another boot or host: device numbers prove nothing");

        json_auto_t *container = alert_of_program(BOOT_ID, "not-host");
        assert_int_equal(digest_add(container, BOOT_ID), 0);
        assert_digest(container, 0, "unproven", "it sees other files than this host");

        json_auto_t *memory = alert_of_program(BOOT_ID, "memory");
        assert_int_equal(digest_add(memory, BOOT_ID), 0);
        assert_digest(memory, 0, "gone", "gone: it never was a file on disk");

        json_auto_t *old = alert_of_program(BOOT_ID, "traced");
        (void)json_object_del(json_object_get(old, "process"), "exe_object");
        json_t *opener = json_array_get(json_object_get(old, "files"), 2);
        json_object_set_new(opener, "exe_object", json_string("1:1/1/1.000000000x"));
        assert_int_equal(digest_add(old, BOOT_ID), 0);
        assert_digest(old, 0, "unproven", "not recorded which file it was");
        assert_digest(old, 3, "unproven", "not recorded which file it was");

        json_auto_t *strange = json_pack("{s:[i], s:i}", "files", 1, "process", 2);
        assert_int_equal(digest_add(strange, BOOT_ID), 0);
        assert_int_equal(json_array_size(json_object_get(strange, "digests")), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_same, setup, teardown),
                cmocka_unit_test_setup_teardown(test_too_young, setup, teardown),
                cmocka_unit_test_setup_teardown(test_changed, setup, teardown),
                cmocka_unit_test_setup_teardown(test_gone, setup, teardown),
                cmocka_unit_test_setup_teardown(test_unproven, setup, teardown),
                cmocka_unit_test_setup_teardown(test_changed_while_read, setup, teardown),
                cmocka_unit_test_setup_teardown(test_alert, setup, teardown),
        };

        if (!mkdtemp(directory))
                return EXIT_FAILURE;
        (void)snprintf(path, sizeof(path), "%s/program", directory);
        (void)snprintf(other, sizeof(other), "%s/other", directory);
        int r = cmocka_run_group_tests(tests, NULL, NULL);
        (void)rmdir(directory);
        return r;
}
