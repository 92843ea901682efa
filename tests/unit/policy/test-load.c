/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Which files make a policy, and in which order: precedence, masks, drop-ins, what cannot be read; and whose
 * homes
 * "~/" stands for. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "policy/load.h"
#include "policy/types.h"
#include "../policy-fixture.h"

typedef struct Fixture {
        char root[64];
        char old[4096];
} Fixture;

static int setup(void **state) {
        Fixture *f = calloc(1, sizeof(*f));
        assert_non_null(f);
        assert_non_null(getcwd(f->old, sizeof(f->old)));
        (void)strcpy(f->root, "/tmp/test-policy-load-XXXXXX");
        assert_non_null(mkdtemp(f->root));
        assert_int_equal(chdir(f->root), 0);
        *state = f;
        return 0;
}

static int on_remove(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
        (void)st;
        (void)flag;
        (void)ftw;
        return remove(path);
}

static int teardown(void **state) {
        Fixture *f = *state;

        assert_int_equal(chdir(f->old), 0);
        assert_int_equal(nftw(f->root, on_remove, 16, FTW_DEPTH | FTW_PHYS), 0);
        free(f);
        return 0;
}

/* Writes a file and every directory above it. */
static void put(const char *path, const char *text) {
        _cleanup_free_ char *copy = strdup(path);
        assert_non_null(copy);

        for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = 0;
                if (mkdir(copy, 0755) < 0)
                        assert_int_equal(errno, EEXIST);
                *slash = '/';
        }
        _cleanup_fclose_ FILE *f = fopen(path, "w");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
}

static Policy *loaded(const char *config, char *const *dirs, const char *passwd, int r) {
        Policy *p = NULL;

        assert_int_equal(policy_load(config, dirs, passwd, &p), r);
        assert_non_null(p);
        return p;
}

/* Paths and files joined by spaces, in the policy's order. */
static void expect_paths(const Policy *p, const char *class, const char *paths) {
        const PolicyClass *c = policy_class_by_name(p, class);
        char got[1024] = "";

        for (size_t i = 0; c && i < c->n_paths; i++) {
                if (i > 0)
                        (void)strcat(got, " ");
                (void)strcat(got, c->paths[i].glob);
        }
        assert_string_equal(got, paths);
}

static void expect_files(const Policy *p, const char *files) {
        char got[1024] = "";

        for (size_t i = 0; i < p->n_files; i++) {
                if (i > 0)
                        (void)strcat(got, " ");
                (void)strcat(got, p->files[i]);
        }
        assert_string_equal(got, files);
}

static char *const dirs_ab[] = { (char *)"a", (char *)"b", NULL };

static void test_precedence(void **state) {
        (void)state;

        put("passwd", "");
        put("b/10-x.conf", "[Class x]\nPath=/b10\n");
        put("a/20-x.conf", "[Class x]\nPath=/a20\n");
        put("b/20-x.conf", "[Class x]\nPath=/b20\n");
        put("b/30-x.conf", "[Class x]\nPath=/b30\n");
        put("b/30-y.conf", "[Class x]\nPath=/b30y\n");
        put("b/9.conf", "[Class x]\nPath=/b9\n");
        put("b/99.conf", "");
        put("b/not.txt", "nonsense");
        put("b/.conf", "nonsense");
        put("b/.hidden.conf", "nonsense");
        put("b/x.conf~", "nonsense");
        assert_int_equal(symlink("/dev/null", "a/30-x.conf"), 0);
        put("a/30-y.conf", "");

        _cleanup_(policy_freep) Policy *p = loaded("/dev/null", dirs_ab, "passwd", 0);
        assert_int_equal(p->n_messages, 0);
        expect_files(p, "b/10-x.conf a/20-x.conf b/9.conf");
        expect_paths(p, "x", "/b10 /a20 /b9");
        assert_int_equal(p->n_homes, 0);
}

static void test_dropins(void **state) {
        (void)state;

        put("passwd", "");
        put("b/10-x.conf", "[Class x]\nPath=/b10\nScore=1\n");
        put("b/20-x.conf", "[Class x]\nPath=/b20\n[Class y]\nPath=/y\nScore=2\n");
        put("b/10-x.conf.d/2.conf", "[Class x]\nPath=/b10d2\n");
        put("b/10-x.conf.d/3.conf", "[Class x]\nPath=/b10d3\n");
        put("b/10-x.conf.d/4.conf", "[Class x]\nPath=/b10d4\n");
        put("b/10-x.conf.d/sub.conf.d/5.conf", "nonsense");
        put("a/10-x.conf.d/1.conf", "[Class x]\nPath=/a10d1\n[Class y]\nScore=3\n");
        put("a/10-x.conf.d/3.conf", "[Class x]\nPath=/a10d3\nScore=4\n");
        assert_int_equal(symlink("/dev/null", "a/10-x.conf.d/4.conf"), 0);

        _cleanup_(policy_freep) Policy *p = loaded("/dev/null", dirs_ab, "passwd", 0);
        assert_int_equal(p->n_messages, 0);
        expect_files(p, "b/10-x.conf a/10-x.conf.d/1.conf b/10-x.conf.d/2.conf a/10-x.conf.d/3.conf "
                        "b/20-x.conf");
        expect_paths(p, "x", "/b10 /a10d1 /b10d2 /a10d3 /b20");
        assert_int_equal(policy_class_by_name(p, "x")->score, 4);
        assert_int_equal(policy_class_by_name(p, "y")->score, 2);

        /* A mask masks the drop-ins, too; drop-ins of a missing file are reported. */
        assert_int_equal(symlink("/dev/null", "a/10-x.conf"), 0);
        put("a/40-z.conf.d/1.conf", "[Class x]\nPath=/z\n");
        _cleanup_(policy_freep) Policy *q = loaded("/dev/null", dirs_ab, "passwd", 0);
        expect_files(q, "b/20-x.conf");
        assert_int_equal(q->n_messages, 1);
        expect(q, 0, "40-z.conf: ", "drop-ins in 40-z.conf.d are ignored");
        assert_int_equal(q->messages[0].level, POLICY_WARNING);
}

static void test_void_across_files(void **state) {
        (void)state;

        put("passwd", "");
        put("a/1.conf", "[Class x]\nPath=/x\n[Allow r]\nClass=x\nExe=/usr/bin/x\n[Allow "
                        "s]\nClass=x\nExe=/usr/bin/s\n");
        put("a/1.conf.d/site.conf", "[Allow r]\nDestination=nowhere\n");
        put("b/2.conf", "[Allow r]\nExe=/usr/bin/y\nDestination=192.0.2.1\n");
        _cleanup_(policy_freep) Policy *p = loaded("/dev/null", dirs_ab, "passwd", 0);
        assert_int_equal(p->n_messages, 1);
        expect(p, 0, "a/1.conf.d/site.conf:2:13: ", "[Allow r] is ignored: ");
        assert_int_equal(p->n_allows, 1);
        assert_string_equal(p->allows[0].name, "s");
}

static void test_broken(void **state) {
        (void)state;

        put("passwd", "");
        put("b/1.conf", "[Class x]\nPath=/b1\n");
        put("b/2.conf", "[Class x]\nPath=/b2\n");
        put("b/5.conf", "[Class x]\nPath=/b5\n");
        put("a/5.conf.d", "a file, not a directory");
        assert_int_equal(symlink("nowhere", "a/1.conf"), 0);
        assert_int_equal(mkdir("a/2.conf", 0755), 0);
        assert_int_equal(mkfifo("a/3.conf", 0600), 0);
        assert_int_equal(symlink("4.conf", "a/4.conf"), 0);

        _cleanup_(policy_freep) Policy *p = loaded("/dev/null", dirs_ab, "passwd", 0);
        expect(p, 0, "a/1.conf: ", "a link to a missing file");
        expect(p, 1, "a/2.conf: ", "it is a directory");
        expect(p, 2, "a/3.conf: ", "not a regular file");
        expect(p, 3, "a/4.conf: ", strerror(ELOOP));
        expect(p, 4, "a/5.conf.d: ", strerror(ENOTDIR));
        assert_int_equal(p->n_messages, 5);
        assert_int_equal(p->n_errors, 5);
        expect_paths(p, "x", "/b1 /b2 /b5");

        /* root reads everything */
        assert_int_equal(chmod("b/5.conf", 0), 0);
        if (access("b/5.conf", R_OK) < 0) {
                _cleanup_(policy_freep) Policy *q = loaded("/dev/null", dirs_ab, "passwd", 0);
                expect(q, 4, "b/5.conf: ", strerror(EACCES));
        }
}

static void test_named(void **state) {
        static char *const missing[] = { (char *)"a", (char *)"gone", NULL };
        static char *const only_a[] = { (char *)"a", NULL };
        (void)state;

        put("passwd", "");
        put("a/1.conf", "[Class x]\nPath=/x\n");
        put("my.conf", "[Correlator]\nMaxMarks=512\n[Class x]\nPath=/my\n");
        put("my.conf.d/1.conf", "nonsense");

        _cleanup_(policy_freep) Policy *p = loaded("my.conf", only_a, "passwd", 0);
        assert_int_equal(p->n_messages, 0);
        expect_files(p, "my.conf a/1.conf");
        assert_int_equal(p->correlator.marks_max, 512);

        _cleanup_(policy_freep) Policy *q = loaded("gone.conf", only_a, "passwd", -ENOENT);
        expect(q, 0, "gone.conf: ", strerror(ENOENT));
        _cleanup_(policy_freep) Policy *r = loaded("a", only_a, "passwd", -EISDIR);
        expect(r, 0, "a: ", "it is a directory");
        _cleanup_(policy_freep) Policy *s = loaded("my.conf", missing, "passwd", -ENOENT);
        expect(s, 0, "gone: ", strerror(ENOENT));
        _cleanup_(policy_freep) Policy *t = loaded("my.conf", only_a, "gone", -ENOENT);
        expect(t, 0, "gone: ", strerror(ENOENT));

        put("empty/x", "");
        static char *const empty[] = { (char *)"empty", NULL };
        _cleanup_(policy_freep) Policy *u = loaded("/dev/null", empty, "passwd", 0);
        expect(u, 0, "empty: ", "nothing is monitored");
        assert_int_equal(u->n_errors, 1);
        static char *const both[] = { (char *)"empty", (char *)"./empty", NULL };
        _cleanup_(policy_freep) Policy *v = loaded("/dev/null", both, "passwd", 0);
        expect(v, 0, "empty, ./empty: ", "nothing is monitored");
}

static void test_limits(void **state) {
        static char *const only_a[] = { (char *)"a", NULL };
        char name[64];
        (void)state;

        put("passwd", "");
        for (unsigned i = 0; i < 1025; i++) {
                (void)snprintf(name, sizeof(name), "a/%04u.conf", i);
                put(name, "[Class x]\nPath=/x\n");
        }
        _cleanup_(policy_freep) Policy *p = loaded("/dev/null", only_a, "passwd", 0);
        assert_int_equal(p->n_files, 1024);
        assert_int_equal(p->n_messages, 1);
        expect(p, 0, "1024.conf: ", "1024 files were read already");

        _cleanup_free_ char *large = malloc((1U << 20) + 2);
        assert_non_null(large);
        memset(large, '#', (1U << 20) + 1);
        large[(1U << 20) + 1] = 0;
        put("b/1.conf", large);
        large[1U << 20] = 0;
        put("b/2.conf", large);
        static char *const only_b[] = { (char *)"b", NULL };
        _cleanup_(policy_freep) Policy *q = loaded("/dev/null", only_b, "passwd", 0);
        expect(q, 0, "b/1.conf: ", "larger than 1048576 bytes");
        expect(q, 1, "b: ", "nothing is monitored");
        assert_int_equal(q->n_messages, 2);
}

static void expect_homes(const char *passwd, const char *homes) {
        static char *const only_a[] = { (char *)"a", NULL };
        char got[1024] = "";

        put("passwd", passwd);
        put("a/1.conf", "[Class x]\nPath=/x\n");
        _cleanup_(policy_freep) Policy *p = loaded("/dev/null", only_a, "passwd", 0);
        assert_int_equal(p->n_messages, 0);
        for (size_t i = 0; i < p->n_homes; i++) {
                if (i > 0)
                        (void)strcat(got, " ");
                (void)strcat(got, p->homes[i]);
        }
        assert_string_equal(got, homes);
}

static void test_homes(void **state) {
        (void)state;

        expect_homes("root:x:0:0:root:/root:/bin/bash\n"
                     "a:x:1:1::/home/a:/bin/sh\n"
                     "b:x:1:1::/home/b/:/bin/sh\n"
                     "c:x:1:1::/home/dept/c:/bin/sh\n"
                     "d:x:1:1::/var//lib/d/:/bin/sh\n"
                     "e:x:1:1::/var/lib/d:/bin/sh\n"
                     "games:x:2:2:bin:/usr/games:/sbin/nologin\n"
                     "run:x:2:2:a link:/var/run/run:/sbin/nologin\n"
                     "n:x:3:3::/nonexistent:/bin/false\n"
                     "n:x:3:3::/dev/null:/bin/false\n"
                     "n:x:3:3::/:/bin/false\n"
                     "n:x:3:3::///:/bin/false\n"
                     "n:x:3:3:::/bin/false\n"
                     "n:x:3:3::relative:/bin/false\n"
                     "n:x:3:3::/srv/../etc:/bin/false\n"
                     "n:x:3:3::/srv/.:/bin/false\n"
                     "f:x:3:3::/srv/..f/.g:/bin/false\n"
                     "too:few:fields:/etc\n"
                     "no:shell:3:3::/etc\n"
                     "\n"
                     "+::::::\n"
                     "h:x:1:1::/root/h:",
                        "/home/dept/c /var/lib/d /usr/games /run/run /srv/..f/.g /root/h");
        expect_homes("", "");
}

/* Homes beside each other are one pattern; one that ends in '/' stands for them. */
static void test_neighbours(void **state) {
        (void)state;

        /* Three are not enough, a fourth is; one home of two users is one. */
        expect_homes("a:x:1:1::/srv/p/a:/bin/sh\nb:x:1:1::/srv/p/b:/bin/sh\nc:x:1:1::/srv/p/c:/bin/sh\n"
                     "c:x:1:1::/srv/p/c/:/bin/sh\n",
                        "/srv/p/a /srv/p/b /srv/p/c");
        expect_homes("x:x:1:1::/opt/x:/bin/sh\n"
                     "a:x:1:1::/srv/p/a:/bin/sh\nb:x:1:1::/srv/p/b:/bin/sh\nq:x:1:1::/srv/p:/bin/sh\n"
                     "y:x:1:1::/srv/p/b/y:/bin/sh\nz:x:1:1::/srv/pp/z:/bin/sh\n"
                     "c:x:1:1::/srv/p/c:/bin/sh\nd:x:1:1::/srv/p/d:/bin/sh\n",
                        "/opt/x /srv/p/ /srv/p /srv/p/b/y /srv/pp/z");
        /* "/" and any of its directories would be every directory. */
        expect_homes("a:x:1:1::/a:/bin/sh\nb:x:1:1::/b:/bin/sh\nc:x:1:1::/c:/bin/sh\nd:x:1:1::/d:/bin/sh\n"
                     "e:x:1:1::/e:/bin/sh\n",
                        "/a /b /c /d /e");
}

/* The first homes, as many as the compiler accepts; a warning says what to do about the others. */
static void test_too_many_homes(void **state) {
        static char *const only_a[] = { (char *)"a", NULL };
        _cleanup_free_ char *text = malloc(1U << 20);
        char *end = text;
        (void)state;

        assert_non_null(text);
        put("a/1.conf", "[Class x]\nPath=/x\n");
        /* 5,000 in one directory, 32 elsewhere. */
        for (unsigned i = 0; i < 5000; i++)
                end += sprintf(end, "u:x:1:1::/home/x/%u:/bin/sh\n", i);
        for (unsigned i = 0; i < 32; i++)
                end += sprintf(end, "u:x:1:1::/srv/%u/users/%u:/bin/sh\n", i, i);
        put("passwd", text);
        _cleanup_(policy_freep) Policy *p = loaded("/dev/null", only_a, "passwd", 0);
        assert_int_equal(p->n_messages, 0);
        assert_int_equal(p->n_homes, 33);
        assert_string_equal(p->homes[0], "/home/x/");
        assert_string_equal(p->homes[32], "/srv/31/users/31");

        end = stpcpy(end, "u:x:1:1::/opt/\xc2\x9b/x:/bin/sh\nu:x:1:1::/srv/0/users/0:/bin/sh\nu:x:1:1::/srv/"
                          "y/x:/bin/sh\n");
        put("passwd", text);
        _cleanup_(policy_freep) Policy *q = loaded("/dev/null", only_a, "passwd", 0);
        assert_int_equal(q->n_homes, 33);
        assert_int_equal(q->n_messages, 1);
        expect(q, 0, "passwd: ",
                        "33 home directories besides /root and /home/* and for none of 2 others, from "
                        "/opt/\\xc2\\x9b/x on");
        expect(q, 0, "passwd: ", "Path=/srv/*/users/*/.ssh/id_*");
        assert_int_equal(q->messages[0].level, POLICY_WARNING);

        /* A path as long as a thousand homes costs too much. */
        end = stpcpy(text, "u:x:1:1::/srv/first:/bin/sh\nu:x:1:1::/");
        memset(end, 'a', 1024);
        (void)strcpy(end + 1024 - strlen("/srv/first") - 1, ":/bin/sh\n");
        put("passwd", text);
        _cleanup_(policy_freep) Policy *l = loaded("/dev/null", only_a, "passwd", 0);
        assert_int_equal(l->n_homes, 2);
        assert_int_equal(l->n_messages, 0);
        /* A short path after it still fits. */
        (void)strcpy(end + 1024 - strlen("/srv/first") - 1, "a:/bin/sh\nu:x:1:1::/srv/last:/bin/sh\n");
        put("passwd", text);
        _cleanup_(policy_freep) Policy *m = loaded("/dev/null", only_a, "passwd", 0);
        assert_int_equal(m->n_homes, 2);
        assert_string_equal(m->homes[1], "/srv/last");
        expect(m, 0, "passwd: ", "none of 1 others, from /aaa");

        /* Directories of homes, too. */
        end = text;
        for (unsigned i = 0; i < 200; i++)
                end += sprintf(end, "u:x:1:1::/srv/%u/users/%u:/bin/sh\n", i / 5, i);
        put("passwd", text);
        _cleanup_(policy_freep) Policy *d = loaded("/dev/null", only_a, "passwd", 0);
        assert_int_equal(d->n_homes, 32);
        assert_string_equal(d->homes[31], "/srv/31/users/");
        expect(d, 0, "passwd: ", "none of 8 others, from /srv/32/users/160 on");
}

/* User= is resolved by the passwd file; an unknown user is an error, with its place. */
static void test_users(void **state) {
        static char *const only_a[] = { (char *)"a", NULL };
        (void)state;

        put("passwd", "root:x:0:0:root:/root:/bin/bash\nbackup:x:34:34::/var/backups:/bin/sh\n"
                      "backup:x:35:35::/:/bin/sh\nodd:x:x:1::/:/bin/sh\nbig:x:4294967330:1::/:/bin/sh\n"
                      "short:x:9\nempty:x::1::/:/bin/sh\n");
        put("a/1.conf", "[Class x]\nPath=/x\n[Allow a]\nClass=x\nExe=/y\nUser=backup root 1000\n"
                        "[Allow b]\nClass=x\nExe=/y\nUser=root \\\n  ana\n[Allow "
                        "c]\nClass=x\nExe=/y\nUser=odd\n"
                        "[Allow d]\nClass=x\nExe=/y\nUser=big\n[Allow e]\nClass=x\nExe=/y\nUser=short\n"
                        "[Allow f]\nClass=x\nExe=/y\nUser=empty\n");
        _cleanup_(policy_freep) Policy *p = loaded("/dev/null", only_a, "passwd", 0);
        static const char *const places[] = { "a/1.conf:11:3: [Allow b] is ignored: there is no user ana",
                "a/1.conf:15:6: [Allow c] is ignored: there is no user odd",
                "a/1.conf:19:6: [Allow d] is ignored: there is no user big",
                "a/1.conf:23:6: [Allow e] is ignored: there is no user short",
                "a/1.conf:27:6: [Allow f] is ignored: there is no user empty" };
        for (size_t i = 0; i < ELEMENTSOF(places); i++)
                expect(p, i, places[i], "or write the UID of a user whose directory cannot be asked yet");
        assert_int_equal(p->n_messages, ELEMENTSOF(places));
        assert_int_equal(p->n_allows, 1);
        const PolicyUser *u = p->allows[0].users;
        assert_int_equal(p->allows[0].n_users, 3);
        assert_int_equal(u[0].uid, 34);
        assert_int_equal(u[1].uid, 0);
        assert_int_equal(u[2].uid, 1000);
}

/* The standard directories, below a root of our own. */
static void standard_child(void) {
        put("usr/lib/barbwire/barbwire.conf", "[Correlator]\nMaxMarks=1024\n");
        put("etc/barbwire/barbwire.conf", "[Correlator]\nMaxMarks=1024\n");
        put("usr/local/lib/barbwire/barbwire.conf.d/2.conf", "[Correlator]\nMaxProcesses=512\n");
        put("run/barbwire/barbwire.conf.d/1.conf", "[Correlator]\nMaxProcesses=256\n");
        put("usr/lib/barbwire/policy.d/10.conf", "[Class x]\nPath=/lib10\n");
        put("usr/lib/barbwire/policy.d/20.conf", "[Class x]\nPath=/lib20\n");
        put("usr/local/lib/barbwire/policy.d/20.conf", "[Class x]\nPath=/local20\n");
        put("run/barbwire/policy.d/05.conf", "[Class x]\nPath=/run05\n");
        put("etc/barbwire/policy.d/20.conf.d/site.conf", "[Class x]\nPath=/etc20\n");
        put("etc/passwd", "p:x:1:1::/var/lib/p:/bin/sh\n");
        if (chroot(".") < 0 || chdir("/") < 0)
                _exit(77);

        Policy *p = loaded(NULL, NULL, NULL, 0);
        assert_int_equal(p->n_messages, 0);
        expect_files(p, "/etc/barbwire/barbwire.conf /run/barbwire/barbwire.conf.d/1.conf "
                        "/usr/local/lib/barbwire/barbwire.conf.d/2.conf /run/barbwire/policy.d/05.conf "
                        "/usr/lib/barbwire/policy.d/10.conf /usr/local/lib/barbwire/policy.d/20.conf "
                        "/etc/barbwire/policy.d/20.conf.d/site.conf");
        expect_paths(p, "x", "/run05 /lib10 /local20 /etc20");
        assert_int_equal(p->correlator.marks_max, 1024);
        assert_int_equal(p->correlator.processes_max, 512);
        assert_string_equal(p->homes[0], "/var/lib/p");
        p = policy_free(p);

        /* An installation without any file cannot start. */
        assert_int_equal(mkdir("/none", 0755), 0);
        assert_int_equal(chroot("/none"), 0);
        assert_int_equal(chdir("/"), 0);
        p = loaded(NULL, NULL, NULL, 0);
        expect(p, 0, "/etc/passwd: ", "~/ stands for /root and /home/* only");
        expect(p, 1,
                        "/etc/barbwire/policy.d, /run/barbwire/policy.d, /usr/local/lib/barbwire/policy.d, "
                        "/usr/lib/barbwire/policy.d: ",
                        "nothing is monitored");
        assert_int_equal(p->n_errors, 1);
        p = policy_free(p);
        _exit(0);
}

static void test_standard(void **state) {
        int status;
        (void)state;

        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                /* A failed assertion goes back to cmocka, which ends this process with 1: no test follows.
                 */
                standard_child();
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == 77)
                skip();
        assert_int_equal(WEXITSTATUS(status), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_precedence),
                TEST(test_dropins),
                TEST(test_void_across_files),
                TEST(test_broken),
                TEST(test_named),
                TEST(test_limits),
                TEST(test_homes),
                TEST(test_neighbours),
                TEST(test_too_many_homes),
                TEST(test_users),
                TEST(test_standard),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
