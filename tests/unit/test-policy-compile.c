/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Policy → tables, and the verdicts of the default policy (daemon/policy.d below $BW_SOURCE_ROOT or
 * argv[1]). */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "../../daemon/glob-automaton.h"
#include "../../daemon/policy-compile.h"

static const char *source_root;

static Policy *parsed(const char *text) {
        Policy *p = NULL;

        assert_int_equal(policy_new(&p), 0);
        assert_int_equal(policy_parse(p, "f", text, strlen(text)), 0);
        assert_int_equal(policy_finish(p), 0);
        return p;
}

static PolicyTables *compiled(const Policy *p, PolicyNames *names) {
        PolicyTables *t = NULL;
        PolicyMessage m = {};

        int r = policy_compile(p, names, 0, &t, &m);
        if (r < 0)
                fail_msg("%d: %s", r, m.text ? m.text : "-");
        assert_null(m.text);
        return t;
}

static struct bw_bits match(const PolicyTables *t, enum bw_automaton which, const char *path) {
        return glob_automaton_match(t->cells, t->table->outputs, t->table->byte_class[which],
                        t->table->start[which], path, strlen(path), true);
}

static uint64_t classes_of(const PolicyTables *t, const char *path) {
        struct bw_bits b = match(t, BW_AUTOMATON_FILE, path);
        return b.word[BW_FILE_WORD_INCLUDE] & ~b.word[BW_FILE_WORD_EXCLUDE];
}

/* Compiling must fail with r, and say so at `at`. */
static void expect_failure(const Policy *p, size_t max_cells, int r, const char *at, const char *contains) {
        _cleanup_(policy_names_done) PolicyNames names = {};
        PolicyTables *t = NULL;
        PolicyMessage m = {};

        assert_int_equal(policy_compile(p, &names, max_cells, &t, &m), r);
        assert_null(t);
        assert_null(names.class_names[0]);
        _cleanup_free_ char *s = policy_message_format(&m);
        free(m.text);
        assert_non_null(s);
        if (strncmp(s, at, strlen(at)) != 0 || !strstr(s, contains))
                fail_msg("wanted \"%s … %s …\", got \"%s\"", at, contains, s);
}

static void test_tables(void **state) {
        _cleanup_(policy_freep) Policy *p =
                        parsed("[Class a]\nPath=/a/** /both\nExcludePath=/a/not\nWindow=2s\n"
                               "[Class b]\nPath=/b /both ~/x\nExcludePath=~/x/y\n"
                               "[Allow one]\nClass=a b\nExe=/usr/bin/one /usr/bin/{many,three}\n"
                               "[Allow two]\nClass=b\nExe=/usr/bin/two\nDestination=192.0.2.0/23:443 "
                               "[2001:db8::/33]:1-2\n"
                               "[Allow three]\nClass=b\nExe=/usr/bin/three\nDestination=any:53\n");
        _cleanup_(policy_names_done) PolicyNames names = {};
        (void)state;

        assert_int_equal(p->n_messages, 0);
        _cleanup_(policy_tables_freep) PolicyTables *t = compiled(p, &names);
        assert_string_equal(names.class_names[0], "a");
        assert_string_equal(names.class_names[1], "b");
        assert_string_equal(names.rule_names[2], "three");
        assert_int_equal(t->table->window_ns[0], 2000000000);
        assert_int_equal(t->table->window_ns[1], 60000000000);
        assert_int_equal(t->table->window_ns[2], 0);
        assert_int_equal(t->n_patterns[BW_AUTOMATON_FILE], 9);
        assert_int_equal(t->n_patterns[BW_AUTOMATON_EXE], 4);
        assert_true(t->n_states[BW_AUTOMATON_FILE] > 0 && t->n_states[BW_AUTOMATON_EXE] > 0);
        assert_true(t->n_outputs > 1 && t->n_cells > 256);

        assert_int_equal(classes_of(t, "/a/x/y"), 1);
        assert_int_equal(classes_of(t, "/a/not"), 0);
        assert_int_equal(match(t, BW_AUTOMATON_FILE, "/a/not").word[BW_FILE_WORD_INCLUDE], 1);
        assert_int_equal(match(t, BW_AUTOMATON_FILE, "/a/not").word[BW_FILE_WORD_EXCLUDE], 1);
        assert_int_equal(classes_of(t, "/both"), 3);
        assert_int_equal(classes_of(t, "/home/u/x"), 2);
        assert_int_equal(match(t, BW_AUTOMATON_FILE, "/root/x/y").word[BW_FILE_WORD_EXCLUDE], 2);
        assert_int_equal(match(t, BW_AUTOMATON_EXE, "/usr/bin/one").word[0], 1);
        assert_int_equal(match(t, BW_AUTOMATON_EXE, "/usr/bin/two").word[0], 2);
        assert_int_equal(match(t, BW_AUTOMATON_EXE, "/usr/bin/three").word[0], 5);
        assert_int_equal(match(t, BW_AUTOMATON_EXE, "/a/x").word[0], 0);

        const struct bw_rule *rules = t->table->rules;
        assert_int_equal(rules[0].classes, 3);
        assert_int_equal(rules[0].n_nets, 0);
        assert_int_equal(rules[1].classes, 2);
        assert_int_equal(rules[1].n_nets, 2);
        assert_int_equal(rules[2].n_nets, 2);
        assert_int_equal(rules[3].classes, 0);
        assert_int_equal(t->n_nets, 4);

        static const struct {
                const char *address, *mask;
                unsigned family, rule, first, last;
        } nets[] = {
                        {"192.0.2.0", "255.255.254.0", AF_INET, 1, 443, 443},
                        {"2001:db8::", "ffff:ffff:8000::", AF_INET6, 1, 1, 2},
                        {"0.0.0.0", "0.0.0.0", AF_INET, 2, 53, 53},
                        {"::", "::", AF_INET6, 2, 53, 53},
        };
        for (size_t i = 0; i < ELEMENTSOF(nets); i++) {
                const struct bw_net *n = t->table->nets + i;
                uint8_t address[16] = {}, mask[16] = {};

                assert_int_equal(inet_pton((int)nets[i].family, nets[i].address, address), 1);
                assert_int_equal(inet_pton((int)nets[i].family, nets[i].mask, mask), 1);
                assert_memory_equal(n->address, address, 16);
                assert_memory_equal(n->mask, mask, 16);
                assert_int_equal(n->family, nets[i].family);
                assert_int_equal(n->rule, nets[i].rule);
                assert_int_equal(n->port_first, nets[i].first);
                assert_int_equal(n->port_last, nets[i].last);
        }
        assert_int_equal(t->table->nets[4].family, 0);

        _cleanup_(policy_freep) Policy *none = parsed("");
        _cleanup_(policy_tables_freep) PolicyTables *empty = compiled(none, &names);
        assert_int_equal(classes_of(empty, "/both"), 0);
        assert_string_equal(names.class_names[0], "a");
}

/* Homes are taken literally, whatever bytes they hold. */
static void test_homes(void **state) {
        _cleanup_(policy_freep) Policy *p = parsed("[Class a]\nPath=~/.k/{x,y}\n");
        static const char *const homes[] = {"/srv/*", "/srv/[a]", "/srv/{b,c}", "/srv/d\\e", "/h\xff?"};
        _cleanup_(policy_names_done) PolicyNames names = {};
        (void)state;

        p->homes = calloc(ELEMENTSOF(homes) + 1, sizeof(char *));
        assert_non_null(p->homes);
        for (size_t i = 0; i < ELEMENTSOF(homes); i++)
                p->homes[p->n_homes++] = strdup(homes[i]);

        _cleanup_(policy_tables_freep) PolicyTables *t = compiled(p, &names);
        for (size_t i = 0; i < ELEMENTSOF(homes); i++)
                for (unsigned k = 0; k < 4; k++) {
                        char path[64];

                        (void)snprintf(path, sizeof(path), "%s%s/.k/%c", k & 1 ? "/var/machine" : "",
                                        homes[i], k & 2 ? 'y' : 'x');
                        assert_int_equal(classes_of(t, path), 1);
                }
        assert_int_equal(classes_of(t, "/srv/z/.k/x"), 0);
        assert_int_equal(classes_of(t, "/srv/a/.k/x"), 0);
        assert_int_equal(classes_of(t, "/srv/b/.k/x"), 0);
        assert_int_equal(classes_of(t, "/srv/de/.k/x"), 0);
        assert_int_equal(classes_of(t, "/h\xffx/.k/x"), 0);
        assert_int_equal(classes_of(t, "/home/u/v/.k/x"), 0);
        assert_int_equal(classes_of(t, "/root/.k/z"), 0);
}

static Policy *many_classes(unsigned first, unsigned n) {
        _cleanup_free_ char *text = malloc(100 * n + 1);
        char *end = text;

        assert_non_null(text);
        *end = 0;
        for (unsigned i = first; i < first + n; i++)
                end += sprintf(end, "[Class c%u]\nPath=/%u\n[Allow r%u]\nClass=c%u\nExe=/%u\n", i, i, i, i,
                                i);
        return parsed(text);
}

static void test_names(void **state) {
        _cleanup_(policy_names_done) PolicyNames names = {};
        (void)state;

        _cleanup_(policy_freep) Policy *p = parsed("[Class a]\nPath=/a\n[Class b]\nPath=/b\n");
        _cleanup_(policy_tables_freep) PolicyTables *t = compiled(p, &names);
        assert_int_equal(classes_of(t, "/b"), 2);
        assert_ptr_equal(policy_class_by_bit(p, &names, 1), policy_class_by_name(p, "b"));
        assert_null(policy_class_by_bit(p, &names, 2));
        assert_null(policy_class_by_bit(p, &names, 64));

        /* a is given up, b stays, c does not get a's bit. */
        _cleanup_(policy_freep) Policy *q =
                        parsed("[Class c]\nPath=/c\n[Class b]\nPath=/b\n[Allow x]\nClass=c\nExe=/x\n");
        _cleanup_(policy_tables_freep) PolicyTables *u = compiled(q, &names);
        assert_string_equal(names.class_names[0], "a");
        assert_string_equal(names.class_names[1], "b");
        assert_string_equal(names.class_names[2], "c");
        assert_null(policy_class_by_bit(q, &names, 0));
        assert_int_equal(classes_of(u, "/b"), 2);
        assert_int_equal(classes_of(u, "/c"), 4);
        assert_int_equal(u->table->rules[0].classes, 4);
        assert_int_equal(u->table->window_ns[0], 0);

        /* 61 more fill it up; then only bits that were given up are taken, the lowest first. */
        _cleanup_(policy_freep) Policy *r = many_classes(0, 61);
        _cleanup_(policy_tables_freep) PolicyTables *v = compiled(r, &names);
        assert_int_equal(classes_of(v, "/0"), 1 << 3);
        assert_string_equal(names.class_names[2], "c");
        assert_string_equal(names.class_names[3], "c0");
        assert_string_equal(names.class_names[63], "c60");
        assert_string_equal(names.rule_names[1], "r0");
        _cleanup_(policy_freep) Policy *s = many_classes(1, 61);
        _cleanup_(policy_tables_freep) PolicyTables *w = compiled(s, &names);
        assert_string_equal(names.class_names[0], "c61");
        assert_string_equal(names.class_names[4], "c1");
        assert_int_equal(classes_of(w, "/61"), 1);
        assert_int_equal(classes_of(w, "/1"), 1 << 4);
        assert_int_equal(w->table->rules[2].classes, 1 << 4);
        assert_int_equal(match(w, BW_AUTOMATON_EXE, "/1").word[0], 1 << 2);

        /* A failure leaves the names alone. */
        _cleanup_(policy_freep) Policy *big = many_classes(100, 65);
        PolicyTables *none = NULL;
        PolicyMessage m = {};
        assert_int_equal(policy_compile(big, &names, 0, &none, &m), -E2BIG);
        free(m.text);
        assert_string_equal(names.class_names[0], "c61");
}

static void test_limits(void **state) {
        _cleanup_free_ char *text = malloc(65536);
        char *end = text;
        (void)state;

        _cleanup_(policy_freep) Policy *classes = many_classes(0, 65);
        expect_failure(classes, 0, -E2BIG, "f:321:1: ", "[Class c64] is one more than the 64 classes");

        assert_non_null(text);
        end = stpcpy(text, "[Class c]\nPath=/c\n");
        for (unsigned i = 0; i < 257; i++)
                end += sprintf(end, "[Allow r%u]\nClass=c\nExe=/x\n", i);
        _cleanup_(policy_freep) Policy *rules = parsed(text);
        expect_failure(rules, 0, -E2BIG, "f:771:1: ", "[Allow r256] is one more than the 256 rules");

        end = stpcpy(text, "[Class c]\nPath=/c\n[Allow a]\nClass=c\nExe=/x\nDestination=1.1.1.1\n"
                           "[Allow b]\nClass=c\nExe=/x\n");
        for (unsigned i = 0; i < 256; i++)
                end += sprintf(end, "Destination=1.1.1.1\n");
        _cleanup_(policy_freep) Policy *nets = parsed(text);
        expect_failure(nets, 0, -E2BIG,
                        "f:265:13: ", "[Allow b] has more destinations than are left of 256");

        /* Read backwards, any a may be the one that 20 bytes are left after: 2^20 sets of places to
         * remember. */
        _cleanup_(policy_freep) Policy *states =
                        parsed("[Class c]\nPath=/ok /x/????????????????????a*\nPath=/c\n");
        expect_failure(states, 0, -E2BIG,
                        "f:2:10: ", "with /x/????????????????????a* the patterns for files");

        end = stpcpy(text, "[Class c]\nPath=");
        for (unsigned i = 0; i < 200; i++)
                end += sprintf(end, "/some/directory/%u/file\\\n ", i * 7919);
        _cleanup_(policy_freep) Policy *cells = parsed(text);
        assert_int_equal(cells->n_messages, 0);
        expect_failure(cells, 700, -ENOSPC, "f:", "do not fit into the table of 700 cells");
        expect_failure(cells, 300, -ENOSPC,
                        "f:3:2: ", "from /some/directory/7919/file on the patterns for files");
}

/* What the default policy says, on Debian and on Fedora. NULL: not sensitive. */
static const struct {
        const char *path;
        const char *class;
} verdicts[] = {
#define SYSTEM "system-credentials"
#define SSH "ssh-private-keys"
#define AWS "cloud-aws"
#define REGISTRY "package-registries"
                {"/etc/shadow", SYSTEM},
                {"/etc/shadow-", SYSTEM},
                {"/etc/gshadow", SYSTEM},
                {"/etc/gshadow-", SYSTEM},
                {"/etc/sudoers", SYSTEM},
                {"/etc/sudoers.d/90-admins", SYSTEM},
                {"/etc/security/opasswd", SYSTEM},
                {"/etc/krb5.keytab", SYSTEM},
                {"/var/lib/sss/db/cache_example.org.ldb", SYSTEM},
                {"/var/lib/sss/secrets/secrets.ldb", SYSTEM},
                {"/var/backups/shadow.bak", SYSTEM},
                {"/var/backups/gshadow.bak", SYSTEM},
                {"/etc/passwd", NULL},
                {"/etc/passwd-", NULL},
                {"/etc/group", NULL},
                {"/etc/hosts", NULL},
                {"/etc/resolv.conf", NULL},
                {"/etc/nsswitch.conf", NULL},
                {"/etc/ssl/certs/ca-certificates.crt", NULL},
                {"/etc/sudo.conf", NULL},
                {"/etc/sudoers.d", NULL},
                {"/etc/shadow.d/x", NULL},
                {"/etc/security/limits.conf", NULL},
                {"/var/lib/sss/mc/passwd", NULL},
                {"/var/lib/sss/pubconf/known_hosts", NULL},
                {"/var/backups/passwd.bak", NULL},
                {"/shadow", NULL},
                {"/root/.ssh/id_ed25519", SSH},
                {"/home/x/.ssh/id_ed25519", SSH},
                {"/home/x/.ssh/work/deploy", SSH},
                {"/home/x/.ssh/id_rsa.pub.bak", SSH},
                {"/home/x/.ssh/identity", SSH},
                {"/var/lib/postgresql/.ssh/id_rsa", SSH},
                {"/opt/runner [1]/.ssh/id_rsa", SSH},
                {"/var/lib/docker/overlay2/0af/merged/root/.ssh/id_ed25519", SSH},
                {"/var/lib/machines/web/home/x/.ssh/id_ecdsa", SSH},
                {"/var/lib/machines/db/var/lib/postgresql/.ssh/id_rsa", SSH},
                {"/var/home/x/.ssh/id_ed25519", SSH},
                {"/etc/ssh/ssh_host_ed25519_key", SSH},
                {"/etc/ssh/ssh_host_rsa_key", SSH},
                {"/etc/ssh/ssh_host_rsa_key.pub", NULL},
                {"/etc/ssh/sshd_config", NULL},
                {"/home/x/.ssh/id_ed25519.pub", NULL},
                {"/home/x/.ssh/work/deploy-cert.pub", NULL},
                {"/home/x/.ssh/known_hosts", NULL},
                {"/root/.ssh/known_hosts.old", NULL},
                {"/home/x/.ssh/config", NULL},
                {"/home/x/.ssh/config.d/work", NULL},
                {"/home/x/.ssh/config.d/a/b", NULL},
                {"/home/x/.ssh/authorized_keys", NULL},
                {"/home/x/.ssh/authorized_keys2", NULL},
                {"/home/x/.ssh/environment", NULL},
                {"/home/x/.ssh/rc", NULL},
                {"/home/x/.ssh/allowed_signers", NULL},
                {"/var/lib/postgresql/.ssh/known_hosts", NULL},
                {"/home/x/.ssh", NULL},
                {"/home/x/ssh/id_rsa", NULL},
                {"/home/x/src/.ssh/id_rsa", NULL},
                {"/srv/x/.ssh/id_rsa", NULL},
                {"/home/x/.aws/credentials", AWS},
                {"/root/.aws/credentials", AWS},
                {"/home/x/.aws/cli/cache/0a1b.json", AWS},
                {"/home/x/.aws/sso/cache/0a1b.json", AWS},
                {"/var/lib/docker/overlay2/0af/merged/root/.aws/credentials", AWS},
                {"/home/x/.aws/config", NULL},
                {"/home/x/.aws/cli/alias", NULL},
                {"/home/x/.npmrc", REGISTRY},
                {"/root/.npmrc", REGISTRY},
                {"/home/x/.yarnrc.yml", REGISTRY},
                {"/home/x/.pypirc", REGISTRY},
                {"/home/x/.config/pip/pip.conf", REGISTRY},
                {"/home/x/.cargo/credentials", REGISTRY},
                {"/home/x/.cargo/credentials.toml", REGISTRY},
                {"/home/x/.gem/credentials", REGISTRY},
                {"/home/x/.m2/settings.xml", REGISTRY},
                {"/home/x/.nuget/NuGet/NuGet.Config", REGISTRY},
                {"/home/x/.config/composer/auth.json", REGISTRY},
                {"/home/x/.composer/auth.json", REGISTRY},
                {"/home/x/.cargo/config.toml", NULL},
                {"/home/x/src/project/.npmrc", NULL},
                {"/usr/lib/node_modules/npm/.npmrc", NULL},
};

static const struct {
        const char *exe;
        const char *allows; /* names, in the policy's order, separated by spaces */
} allowed[] = {
                {"/usr/sbin/sshd", "login ssh-server"},
                {"/usr/bin/sshd", "login ssh-server"},
                {"/usr/lib/openssh/sshd-session", "login ssh-server"},
                {"/usr/libexec/openssh/sshd-auth", "login ssh-server"},
                {"/usr/bin/login", "login"},
                {"/usr/bin/su", "login"},
                {"/usr/libexec/gdm-session-worker", "login"},
                {"/usr/lib/x86_64-linux-gnu/sddm/sddm-helper", "login"},
                {"/usr/bin/sudo", "privilege"},
                {"/usr/lib/cargo/bin/sudo", "privilege"},
                {"/usr/sbin/visudo", "privilege"},
                {"/usr/lib/polkit-1/polkit-agent-helper-1", "privilege"},
                {"/usr/sbin/unix_chkpwd", "pam-helpers"},
                {"/usr/bin/unix_chkpwd", "pam-helpers"},
                {"/usr/sbin/cron", "job-schedulers"},
                {"/usr/bin/crond", "job-schedulers"},
                {"/usr/sbin/atd", "job-schedulers"},
                {"/usr/lib/systemd/systemd", "systemd"},
                {"/usr/lib/systemd/systemd-executor", "systemd"},
                {"/usr/lib/systemd/systemd-userwork", "systemd"},
                {"/usr/lib/systemd/systemd-logind", ""},
                {"/usr/bin/passwd", "account-tools"},
                {"/usr/sbin/useradd", "account-tools"},
                {"/usr/sbin/adduser", ""},
                {"/usr/libexec/sssd/sssd_be", "name-services"},
                {"/usr/sbin/nscd", "name-services"},
                {"/usr/bin/ssh", "ssh-client"},
                {"/usr/bin/ssh-agent", "ssh-client"},
                {"/usr/libexec/openssh/ssh-keysign", "ssh-client"},
                {"/usr/bin/gnome-keyring-daemon", ""},
                {"/usr/local/aws-cli/v2/2.15.0/dist/aws", "aws-cli"},
                {"/usr/bin/aws", ""},
                {"/usr/bin/node", "npm"},
                {"/usr/bin/node-22", "npm"},
                {"/usr/local/bin/node", "npm"},
                {"/usr/bin/cargo", "cargo"},
                {"/usr/lib/rust-1.80/bin/cargo", "cargo"},
                {"/home/x/.cargo/bin/cargo", ""},
                {"/usr/bin/python3.11", ""},
                {"/usr/bin/ruby3.1", ""},
                {"/usr/bin/bash", ""},
                {"/usr/bin/curl", ""},
                {"/tmp/sshd", ""},
                {"/var/lib/docker/overlay2/0af/merged/usr/bin/ssh", ""},
};

static Policy *default_policy(void) {
        static const char passwd[] = "root:x:0:0:root:/root:/bin/bash\nx:x:1000:1000::/home/x:/bin/sh\n"
                                     "postgres:x:1:1::/var/lib/postgresql:/bin/sh\nrunner:x:2:2::/opt/"
                                     "runner [1]:/bin/sh\n"
                                     "daemon:x:3:3::/usr/sbin:/usr/sbin/nologin\nnobody:x:4:4::/"
                                     "nonexistent:/usr/sbin/nologin\n";
        char dir[4096], name[] = "/tmp/test-policy-compile-XXXXXX";
        char *dirs[] = {dir, NULL};
        Policy *p = NULL;

        (void)snprintf(dir, sizeof(dir), "%s/daemon/policy.d", source_root);
        _cleanup_close_ int fd = mkstemp(name);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, passwd, sizeof(passwd) - 1), sizeof(passwd) - 1);
        assert_int_equal(policy_load("/dev/null", dirs, name, &p), 0);
        assert_int_equal(unlink(name), 0);
        return p;
}

static void test_default_policy(void **state) {
        _cleanup_(policy_freep) Policy *p = NULL;
        _cleanup_(policy_names_done) PolicyNames names = {};
        (void)state;

        if (!source_root) {
                print_message("# neither BW_SOURCE_ROOT nor an argument says where daemon/policy.d is\n");
                skip();
        }

        p = default_policy();
        for (size_t i = 0; i < p->n_messages; i++) {
                _cleanup_free_ char *s = policy_message_format(p->messages + i);
                print_message("%s\n", s);
        }
        assert_int_equal(p->n_messages, 0);
        assert_true(p->n_files >= 4);
        assert_int_equal(p->n_homes, 3);

        _cleanup_(policy_tables_freep) PolicyTables *t = compiled(p, &names);
        print_message("# default policy: %zu + %zu patterns, %zu + %zu states, %zu cells, %zu outputs, %zu "
                      "nets\n",
                        t->n_patterns[0], t->n_patterns[1], t->n_states[0], t->n_states[1], t->n_cells,
                        t->n_outputs, t->n_nets);

        for (size_t i = 0; i < ELEMENTSOF(verdicts); i++) {
                uint64_t wanted = 0, got = classes_of(t, verdicts[i].path);

                for (unsigned bit = 0; verdicts[i].class && bit < BW_CLASSES_MAX; bit++)
                        if (names.class_names[bit] && strcmp(names.class_names[bit], verdicts[i].class) == 0)
                                wanted = UINT64_C(1) << bit;
                if (got != wanted || (verdicts[i].class && !wanted))
                        fail_msg("%s: classes %#lx, not %#lx", verdicts[i].path, got, wanted);
        }

        for (size_t i = 0; i < ELEMENTSOF(allowed); i++) {
                struct bw_bits b = match(t, BW_AUTOMATON_EXE, allowed[i].exe);
                char got[256] = "";

                for (unsigned bit = 0; bit < BW_RULES_MAX; bit++)
                        if (b.word[bit / 64] >> bit % 64 & 1) {
                                if (got[0])
                                        (void)strcat(got, " ");
                                (void)strcat(got, names.rule_names[bit]);
                        }
                if (strcmp(got, allowed[i].allows) != 0)
                        fail_msg("%s: \"%s\", not \"%s\"", allowed[i].exe, got, allowed[i].allows);
        }

        /* What is a script's interpreter must never be allowed to send a token anywhere. */
        for (unsigned bit = 0; bit < BW_RULES_MAX; bit++)
                if (names.rule_names[bit] && strcmp(names.rule_names[bit], "npm") == 0)
                        assert_int_equal(t->table->rules[bit].n_nets, 6);

        const PolicyClass *ssh = policy_class_by_name(p, SSH);
        assert_int_equal(ssh->severity, SEVERITY_HIGH);
        for (size_t i = 0; i < p->n_classes; i++) {
                assert_non_null(p->classes[i].description);
                assert_true(p->classes[i].n_techniques > 0);
        }
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_tables),
                        cmocka_unit_test(test_homes),
                        cmocka_unit_test(test_names),
                        cmocka_unit_test(test_limits),
                        cmocka_unit_test(test_default_policy),
        };

        source_root = argc > 1 ? argv[1] : getenv("BW_SOURCE_ROOT");
        return cmocka_run_group_tests(tests, NULL, NULL);
}
