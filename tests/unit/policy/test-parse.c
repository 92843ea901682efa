/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The reader of *.conf: the place and the effect of each error, and the meaning of correct lines.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "policy/build.h"
#include "policy/check.h"
#include "policy/homes.h"
#include "policy/parse.h"
#include "../policy-fixture.h"

#define C "[Class c]\n"
#define A "[Allow a]\n"
#define L "[Lineage l]\n"
#define D "[Destination d]\n"
#define GOOD C "Path=/a\n" A "Class=c\nExe=/usr/bin/a\n"

/* message: its place, and a part of what it says. */
static const struct {
        const char *text, *message;
} malformed[] = {
        /* Lines and headers. */
        { "Path=/a\n", "f:1:1: not in a section" },
        { "\n  x\n", "f:2:3: not in a section" },
        { C "junk\n", "f:2:1: neither [Section] nor Key=value" },
        { C " =5\n", "f:2:2: the key is missing" },
        { "[Foo]\n", "f:1:2: unknown section \"Foo\", known are [Class NAME], [Allow NAME], [Carrier NAME], "
                     "[Lineage NAME], [Destination NAME], [Scoring], [Enforcement], [Correlator] or "
                     "[Query]" },
        { "[Class]\n", "f:1:7: a name is 1 to 63" },
        { "[Class -x]\n", "f:1:8: a name is" },
        { "[Class a/b]\n", "f:1:9: a name is" },
        { "[Class a b]\n", "f:1:10: a section header is" },
        { "[Class a\n", "f:1:9: a section header is" },
        { "[Class a] x\n", "f:1:10: nothing may follow" },
        { "[Correlator x]\n", "f:1:13: [Correlator] takes no name" },
        { "  [Class a\x01]\n", "f:1:11: a name is" },
        { C "Pth=/a\n", "f:2:1: unknown key Pth=, did you mean Path=?" },
        { C "path=/a\n", "f:2:1: did you mean Path=?" },
        { C "Exe=/a\n", "f:2:1: Exe= belongs in [Allow NAME], not in [Class NAME]" },
        { C "Colour=red\n", "f:2:1: unknown key Colour=: [Class NAME] has Path= ExcludePath=" },
        { C "P\xff=1\n", "f:2:2: byte 0xff is not valid UTF-8" },
        { C "Path=/a\x01\n", "f:2:8: control byte 0x01" },
        { C "Path=/a\rb\n", "f:2:8: control byte 0x0d" },
        { "\xef\xbb\xbfoops\n", "f:1:4: not in a section" },

        /* Items. */
        { C "Path=/a b /c\n", "f:2:9: a path begins with / or ~/" },
        { C "Path=/a  [\n", "f:2:10: a path begins with /" },
        { C "Path=/a /b[c\n", "f:2:11: ]" },
        { C "Path=~/.ssh/[\n", "f:2:13: ]" },
        { C "Path=~root/x\n", "f:2:7: ~ must be followed by /" },
        { C "Path=/a \\\n    /b \\\n  x\n", "f:4:3: a path begins with /" },
        { C "Path=/a \\\n# remark\n  /b[c\n", "f:4:5: ]" },
        { C "Path=\"/a b\n", "f:2:6: quote is not closed" },
        { C "Path=/a \"\"\n", "f:2:9: empty item" },
        { C "Path=\"/a\tb\"\n", "f:2:9: tab inside quotes" },
        { C "Path=/a\\ /***\n", "f:2:11: three stars" },
        { C "ExcludePath=x\n", "f:2:13: a path begins with /" },

        /* Values. */
        { C "Window=5 parsecs\n", "f:2:10: unknown unit of time" },
        { C "Window=soon\n", "f:2:8: not a time span" },
        { C "Window=500ms\n", "f:2:8: must be from 1s to 86400s" },
        { C "Window=25h\n", "f:2:8: must be from 1s to 86400s" },
        { C "Window=1.h\n", "f:2:9: decimal point" },
        { C "Window=1h min\n", "f:2:11: not a time span" },
        { C "Window=99999999999999999999\n", "f:2:8: not a time span" },
        { C "Score=101\n", "f:2:7: must be from 0 to 100" },
        { C "Score=5x\n", "f:2:8: not a number" },
        { C "Score = -1\n", "f:2:9: not a number" },
        { C "Severity=High\n", "f:2:10: must be low, medium or high" },
        { C "Technique=T1003 T12\n", "f:2:20: a technique is T and 4 digits" },
        { C "Technique=T1003.0081\n", "f:2:20: a technique is" },
        { C "Description=a\xff\n", "f:2:14: not valid UTF-8" },
        { "[Correlator]\nMaxMarks=255\n", "f:2:10: must be from 256 to 1048576" },
        { "[Correlator]\nMaxProcesses=1048577\n", "f:2:14: must be from 256 to 1048576" },
        { "[Correlator]\nRingBuffer=3M\n", "f:2:12: a power of two from 256K to 262144K" },
        { "[Correlator]\nRingBuffer=512M\n", "f:2:12: a power of two" },
        { "[Enforcement]\nEnabled=maybe\n", "f:2:9: must be no, yes or dry-run" },
        { "[Enforcement]\nNever=bin/ssh\n", "f:2:10: Never=: a unit has a name and no path" },
        { "[Enforcement x]\n", "f:1:14: section is ignored: [Enforcement] takes no name" },
        { C "Action=refuse\n", "f:2:8: must be alert, deny, stop or kill" },
        { "[Query]\nMaxAlerts=0\n", "f:2:11: must be from 1 to 65536" },
        { "[Query x]\n", "f:1:8: [Query] takes no name" },
        { "[Correlator]\nRingBuffer=8G\n", "f:2:13: a size is a number of bytes" },

        /* Allow rules. */
        { A "Class=c /d\n", "f:2:9: a name is" },
        { A "Exe=bash\n", "f:2:5: a path begins with /" },
        { A "Exe=~x/bin/x\n", "f:2:6: ~ must be followed by /" },
        { A "Exe=/a\nAncestor=~/bin/x\n", "f:3:10: an executable in a home" },
        { A "Destination=10.1.2.3/8\n", "f:2:13: write 10.0.0.0/8 for the network, or 10.1.2.3 alone" },
        { A "Destination=[2001:db8::1/32]:443\n", "f:2:14: write 2001:db8::/32 for the network" },
        { A "Destination=10.0.0.0/33\n", "f:2:22: 0 to 32" },
        { A "Destination=::/129\n", "f:2:16: 0 to 128" },
        { A "Destination=10.0.0.0/\n", "f:2:22: 0 to 32" },
        { A "Destination=example.org:443\n", "f:2:13: names are not resolved" },
        { A "Destination=10.0.0.1:0\n", "f:2:22: from 1 to 65535" },
        { A "Destination=10.0.0.1:70000\n", "f:2:22: from 1 to 65535" },
        { A "Destination=10.0.0.1:9-8\n", "f:2:22: write 8-9" },
        { A "Destination=10.0.0.1:\n", "f:2:22: not a port" },
        { A "Destination=10.0.0.1:4x\n", "f:2:23: not a port" },
        { A "Destination=[::1\n", "f:2:13: bracket is not closed" },
        { A "Destination=[2001:db8::]/32:443\n", "f:2:25: goes inside" },
        { A "Destination=[10.0.0.1]:443\n", "f:2:14: for IPv6 addresses only" },
        { A "Destination=any\n", "f:2:13: \"any\" needs a port" },
        { A "Destination=loopback:x\n", "f:2:22: not a port" },
        { A "Script=deploy.py\n", "f:2:8: a path begins with /" },
        { A "Script=/a ~deploy.py\n", "f:2:12: ~ must be followed by /" },
        { A "Ancestor=/a[\n", "f:2:12: ]" },
        { A "Unit=/system.slice/nginx.service\n", "f:2:6: a name and no path" },
        { A "Unit=a.service b/c.service\n", "f:2:17: a name and no path" },
        { A "Unit=nginx\n", "f:2:11: nginx.service" },
        { A "Unit=a.service ab[.service\n", "f:2:18: ]" },
        { A "Path=b\n", "f:2:6: a path begins with /" },
        { A "ExcludeArgument=*\n", "f:2:17: name an argument" },
        { A "ExcludeArgument=-x --a*b\n", "f:2:23: write it last" },
        { A "ExcludeArgument=12345678901234567890123456789012\n", "f:2:48: 31 bytes are compared" },
        { A "Container=perhaps\n", "f:2:11: must be yes or no" },
        { A "Scripts=/a\n", "f:2:1: did you mean Script=?" },

        /* Sections that score. */
        { L "Exe=bash\n", "f:2:5: a path begins with /" },
        { L "Exe=~/bash\n", "f:2:5: a path begins with /" },
        { L "Score=101\n", "f:2:7: must be from -100 to 100" },
        { L "Score=-101\n", "f:2:7: must be from -100 to 100" },
        { L "Score=--1\n", "f:2:8: not a number from -100 to 100" },
        { L "Score=+\n", "f:2:8: not a number" },
        { L "Path=/a\n", "f:2:1: Path= belongs in [Class NAME], not in [Lineage NAME]" },
        { D "Address=10.0.0.0/8 10.1.1.1:443\n", "f:2:28: write it into Port=" },
        { D "Address=any:53\n", "f:2:12: write it into Port=" },
        { D "Address=example.org\n", "f:2:9: names are not resolved" },
        { D "Port=443 0\n", "f:2:10: a port is from 1" },
        { D "Port=9-8\n", "f:2:6: write 8-9" },
        { D "Ignore=y\n", "f:2:8: must be yes or no" },
        { D "Destination=10.0.0.0/8\n",
                        "f:2:1: Destination= belongs in [Allow NAME], not in [Destination NAME]" },
        { "[Scoring]\nAlert=101\n", "f:2:7: must be from 0 to 100" },
        { "[Scoring]\nAlert=-1\n", "f:2:7: not a number" },
        { "[Scoring x]\n", "f:1:10: [Scoring] takes no name" },
        { C "LateWindow=25h\n", "f:2:12: must be from 0s to 86400s" },
};

static void test_malformed(void **state) {
        static const struct {
                const char *section, *consequence;
        } sections[] = {
                { A, "[Allow a] is ignored: " },
                { L, "[Lineage l] is ignored: " },
                { D, "[Destination d] is ignored: " },
        };
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(malformed); i++) {
                const char *text = malformed[i].text, *says = strstr(malformed[i].message, ": ") + 2;
                _cleanup_(policy_freep) Policy *p = parsed(text, strlen(text));
                _cleanup_free_ char *at = strndup(malformed[i].message, says - malformed[i].message);

                assert_non_null(at);
                expect(p, 0, at, says);
                assert_int_equal(p->n_messages, 1);
                assert_int_equal(p->n_errors, 1);
                assert_int_equal(p->messages[0].level, POLICY_ERROR);
                for (size_t k = 0; k < ELEMENTSOF(sections); k++)
                        if (strncmp(text, sections[k].section, strlen(sections[k].section)) == 0)
                                expect(p, 0, at, sections[k].consequence);
        }
}

static void test_nul_and_length(void **state) {
        static const char nul[] = "[Class c]\nPath=/a\0b\nScore=7\n";
        static const char nul_header[] = "[Class c\0]\nScore=7\n[Class d]\nScore=8\n";
        _cleanup_(policy_freep) Policy *p = parsed(nul, sizeof(nul) - 1), *q = NULL, *r = NULL, *s = NULL;
        (void)state;

        expect(p, 0, "f:2:8: ", "NUL byte: save the file as UTF-8 text");
        assert_int_equal(p->classes[0].n_paths, 0);
        assert_int_equal(p->classes[0].score, 7);

        q = parsed(nul_header, sizeof(nul_header) - 1);
        expect(q, 0, "f:1:9: ", "NUL byte");
        assert_int_equal(q->n_classes, 1);
        assert_string_equal(q->classes[0].name, "d");

        /* 64 KiB are fine, one byte more is not; also when it is a continuation that passes the limit. */
        size_t n = 65536;
        _cleanup_free_ char *line = malloc(n + 64);
        assert_non_null(line);
        memset(line, 'a', n + 64);
        memcpy(line, "[Class c]\nDescription=", 22);
        line[10 + n] = '\n';
        r = parsed(line, 10 + n + 1);
        assert_int_equal(r->n_messages, 0);
        assert_int_equal(strlen(r->classes[0].description), n - 12);
        line[10 + n] = 'a';
        line[10 + n + 1] = '\n';
        memcpy(line + 10 + n + 2, "Score=9\n", 8);
        s = parsed(line, 10 + n + 10);
        expect(s, 0, "f:2:65537: ", "the line is longer than 65536 bytes");
        assert_int_equal(s->n_messages, 1);
        assert_null(s->classes[0].description);
        assert_int_equal(s->classes[0].score, 9);

        line[10 + n - 1] = '\\';
        line[10 + n] = '\n';
        line[10 + n + 1] = 'x';
        _cleanup_(policy_freep) Policy *t = parsed(line, 10 + n + 2);
        expect(t, 0, "f:3:1: ", "the line is longer than");
}

static void test_file_size(void **state) {
        size_t n = (1U << 20) + 1;
        _cleanup_free_ char *data = malloc(n);
        (void)state;

        assert_non_null(data);
        memset(data, '\n', n);
        memcpy(data, C, strlen(C));
        _cleanup_(policy_freep) Policy *p = parsed(data, n - 1), *q = parsed(data, n);
        assert_int_equal(p->n_messages, 0);
        assert_int_equal(p->n_classes, 1);
        expect(q, 0, "f: ", "it is larger than 1048576 bytes");
        assert_int_equal(q->n_classes, 0);
        assert_int_equal(q->n_files, 1);
}

static void test_many_messages(void **state) {
        _cleanup_free_ char *data = malloc(2 * 1500);
        (void)state;

        assert_non_null(data);
        for (size_t i = 0; i < 1500; i++)
                memcpy(data + 2 * i, "x\n", 2);
        _cleanup_(policy_freep) Policy *p = parsed(data, 2 * 1500);
        assert_int_equal(p->n_errors, 1500);
        assert_int_equal(p->n_messages, 1001);
        expect(p, 1000, "f:1001:1: ", "more than 1000 messages");
}

static void test_many_items(void **state) {
        static const char *const keys[] = {
                "Path=", "Technique=", "Class=", "Exe=", "Destination=", "User="
        };
        static const char *const items[] = { "/a ", "T1000 ", "c ", "/a ", "1.2.3.4 ", "0 " };
        (void)state;

        for (size_t k = 0; k < ELEMENTSOF(keys); k++) {
                _cleanup_free_ char *data = malloc(65536);
                assert_non_null(data);
                char *end = stpcpy(stpcpy(data, k < 2 ? C : A), keys[k]);
                size_t column = strlen(keys[k]) + 4096 * strlen(items[k]) + 1;
                for (size_t i = 0; i < 4098; i++)
                        end = stpcpy(end, items[k]);

                char at[64];
                (void)snprintf(at, sizeof(at), "f:2:%zu: ", column);
                _cleanup_(policy_freep) Policy *p = parsed(data, (size_t)(end - data));
                expect(p, 0, at, "more than 4096 items");
                assert_int_equal(p->n_messages, 1);
        }
}

static void test_many_sections(void **state) {
        (void)state;
        static const char *const types[] = { "Class", "Allow", "Carrier", "Lineage", "Destination" };

        for (unsigned k = 0; k < ELEMENTSOF(types); k++) {
                _cleanup_free_ char *data = malloc(65536);
                assert_non_null(data);
                char *end = data, at[64];
                for (unsigned i = 0; i < 1025; i++)
                        end += sprintf(end, "[%s n%u]\n", types[k], i);
                end = stpcpy(end, "Path=/a\n[Class n0]\nScore=3\n[Allow n0]\nExe=/a\n");

                _cleanup_(policy_freep) Policy *p = parsed(data, (size_t)(end - data));
                (void)snprintf(at, sizeof(at), "f:1025:1: section is ignored: more than 1024 [%s] sections",
                                types[k]);
                expect(p, 0, at, "");
                assert_int_equal(p->n_messages, 1);
                const size_t counts[] = { p->n_classes, p->n_allows, p->n_carriers, p->n_lineages,
                        p->n_destinations };
                assert_int_equal(counts[k], 1024);
                assert_int_equal(p->classes[0].score, 3);
                assert_int_equal(p->allows[0].n_exes, 1);
        }
}

static void test_items(void **state) {
        _cleanup_(policy_freep) Policy *p = finished(C "Path=/a\\ b \"/c d\" /e\"f g\"h\\\n"
                                                       "   /i\\*j \"/k\\\"l\" /\xff\n"
                                                       "Path=~/m\nExcludePath=/n\n");
        static const char *const globs[] = { "/a b", "/c d", "/ef gh", "/i\\*j", "/k\\\"l", "/\xff", "~/m" };
        static const unsigned lines[] = { 2, 2, 2, 3, 3, 3, 4 }, columns[] = { 6, 13, 19, 4, 11, 18, 6 };
        (void)state;

        dump(p);
        assert_int_equal(p->n_messages, 0);
        const PolicyClass *c = p->classes;
        assert_int_equal(c->n_paths, ELEMENTSOF(globs));
        for (size_t i = 0; i < ELEMENTSOF(globs); i++) {
                assert_string_equal(c->paths[i].glob, globs[i]);
                assert_int_equal(c->paths[i].origin.line, lines[i]);
                assert_int_equal(c->paths[i].origin.column, columns[i]);
        }
        assert_int_equal(c->n_excludes, 1);
}

/* Two backslashes at the end of a line are one that is escaped, three are that and a continuation. */
static void test_continuation(void **state) {
        _cleanup_(policy_freep) Policy *p = finished(C "Path=/a\\\\\nScore=3\nPath=/b\\\\\\\n /c \\\n");
        (void)state;

        assert_int_equal(p->n_messages, 0);
        assert_int_equal(p->classes[0].score, 3);
        assert_int_equal(p->classes[0].n_paths, 3);
        assert_string_equal(p->classes[0].paths[0].glob, "/a\\\\");
        assert_string_equal(p->classes[0].paths[1].glob, "/b\\\\");
        assert_int_equal(p->classes[0].paths[2].origin.line, 5);
}

static void test_merge_and_reset(void **state) {
        _cleanup_(policy_freep) Policy *p = NULL;
        (void)state;

        assert_int_equal(policy_new(&p), 0);
        static const char one[] = C "Path=/a\nTechnique=T1000\nScore=1\n" A
                                    "Class=c\nExe=/usr/bin/a\nDestination=1.1.1.1\n[Class d]\nPath=/d\n";
        static const char two[] = A "Exe=/usr/bin/b\nDestination=\nDestination=2.2.2.2\nClass=\nClass=d\n" C
                                    "Path=\nPath=/b\nExcludePath=/b/x\nTechnique=\n";
        assert_int_equal(policy_parse(p, "1", one, strlen(one)), 0);
        assert_int_equal(policy_parse(p, "2", two, strlen(two)), 0);
        assert_int_equal(policy_finish(p), 0);
        dump(p);
        assert_int_equal(p->n_messages, 0);
        assert_int_equal(p->n_classes, 2);
        assert_int_equal(p->n_allows, 1);
        assert_int_equal(p->n_files, 2);

        const PolicyClass *c = policy_class_by_name(p, "c");
        assert_int_equal(c->n_paths, 1);
        assert_string_equal(c->paths[0].glob, "/b");
        assert_string_equal(c->paths[0].origin.file, "2");
        assert_int_equal(c->n_techniques, 0);
        assert_int_equal(c->score, 1);
        assert_string_equal(c->origin.file, "1");

        const PolicyAllow *a = p->allows;
        assert_int_equal(a->n_exes, 2);
        assert_int_equal(a->n_classes, 1);
        assert_string_equal(a->classes[0].name, "d");
        assert_int_equal(a->classes[0].origin.line, 6);
        assert_int_equal(a->n_destinations, 1);
        assert_int_equal(a->destinations[0].address[0], 2);
}

/* An [Allow] with an ignored line may lack a restriction: nothing makes it usable again. */
static void test_void(void **state) {
        static const char *const later[] = {
                A "Destination=300.0.0.1\n",
                A "Destinaton=1.2.3.4\n",
                A "Destination=1.2.3.4\n\nwhat\n",
                A "Destination=\"1.2.3.4\n",
                A "Destination=1.2.3.4\x01\n",
                A "Exe=~/x\n",
                "[Allow a\nDestination=1.2.3.4\n",
                "[Alow a]\nDestination=1.2.3.4\n",
                "[allow a]\nDestination=1.2.3.4\n",
                "[Allow a] #\nDestination=1.2.3.4\n",
        };
        static const char after[] = A "Destination=\nClass=c\nExe=/usr/bin/b\n";
        (void)state;

        for (size_t i = 0; i < 2 * ELEMENTSOF(later); i++) {
                _cleanup_(policy_freep) Policy *p = NULL;
                bool first = i % 2;
                const char *bad = later[i / 2];

                assert_int_equal(policy_new(&p), 0);
                assert_int_equal(policy_parse(p, "1", first ? bad : GOOD, strlen(first ? bad : GOOD)), 0);
                assert_int_equal(policy_parse(p, "2", first ? GOOD : bad, strlen(first ? GOOD : bad)), 0);
                assert_int_equal(policy_parse(p, "3", after, strlen(after)), 0);
                assert_int_equal(policy_finish(p), 0);
                assert_int_equal(p->n_allows, 0);
                assert_int_equal(p->n_classes, 1);
                assert_true(p->n_errors > 0);
        }

        _cleanup_(policy_freep) Policy *p = finished(GOOD "[Alow a]\n");
        expect(p, 1, "f:6:1: ", "[Allow a] is ignored, as this header may be a misspelling of it");

        /* Errors of other sections do not matter. */
        _cleanup_(policy_freep) Policy *q =
                        finished(GOOD "[Class d]\nPath=x /y\nScore=x\n[Allow b]\nx\n[Foo a]\n");
        assert_int_equal(q->n_allows, 1);
        assert_string_equal(q->allows[0].name, "a");
        assert_int_equal(q->n_classes, 2);
        assert_int_equal(policy_class_by_name(q, "d")->n_paths, 1);
        assert_int_equal(policy_class_by_name(q, "d")->score, 50);
}

static void test_finish(void **state) {
        static const struct {
                const char *text;
                const char *at;
                const char *contains;
                PolicyMessageLevel level;
                size_t n_classes, n_allows;
        } cases[] = {
                { C "Path=/a\n" A "Exe=/x\n",
                                "f:3:1: ", "[Allow a] is ignored: it has no Class=", POLICY_ERROR, 1, 0 },
                { C "Path=/a\n" A "Class=c\n",
                                "f:3:1: ", "[Allow a] is ignored: it has no Exe=", POLICY_ERROR, 1, 0 },
                { C "Path=/a\n" A "Class=c zzz\nExe=/x\n", "f:4:9: ", "there is no [Class zzz]",
                                POLICY_ERROR, 1, 0 },
                { "[Class keys]\nPath=/a\n" A "Class=kyes\nExe=/x\n", "f:4:7: ", "did you mean keys?",
                                POLICY_ERROR, 1, 0 },
                { C "Score=5\n", "f:1:1: ", "[Class c] is ignored: it has no Path=", POLICY_ERROR, 0, 0 },
                { C "Path=/a\n" A "Class=c\nExe=/usr/bin/python3.11\n", "f:5:5: ", "interpreter \"python\"",
                                POLICY_WARNING, 1, 1 },
                { C "Path=/a\n" A "Class=c\nExe=/usr/bin/x /opt/{a,node}\n",
                                "f:5:16: ", "interpreter \"node\"", POLICY_WARNING, 1, 1 },
                { C "Path=/a\n" A "Class=c\nExe=/usr/bin/*\n", "f:5:5: ", "interpreter \"bash\"",
                                POLICY_WARNING, 1, 1 },
                { C "Path=/a\n" A "Class=c\nExe=/usr/*bin/z?h\n", "f:5:5: ", "interpreter \"zsh\"",
                                POLICY_WARNING, 1, 1 },
                { C "Path=/a\n" A "Class=c\nExe=/tmp/x\n", "f:5:5: ", "where users can put", POLICY_WARNING,
                                1, 1 },
                { C "Path=/a\n" A "Class=c\nExe=/home/*/x\nDestination=1.2.3.4\n",
                                "f:5:5: ", "where users can put", POLICY_WARNING, 1, 1 },
                { C "Path=/a\n" A "Class=c\nExe=/**/x\n", "f:5:5: ", "in any directory", POLICY_WARNING, 1,
                                1 },
                { GOOD "Script=/var/tmp/x.py\n", "f:6:8: ", "where users can put", POLICY_WARNING, 1, 1 },
                { GOOD "Ancestor=/dev/shm/x\n", "f:6:10: ", "where users can put", POLICY_WARNING, 1, 1 },
                { C "Path=/a\n" A "Class=c\nUser=0\nExe=/usr/bin/perl\n", "f:6:5: ", "interpreter \"perl\"",
                                POLICY_WARNING, 1, 1 },
                { C "Path=/a\n" A "Class=c\nDestination=1.2.3.4 any:443\nExe=/usr/bin/node\n",
                                "f:6:5: ", "interpreter \"node\"", POLICY_WARNING, 1, 1 },
                { GOOD "Exe=~/bin/x\n", "f:3:1: ",
                                "[Allow a] is ignored: it has ~/ in Exe= or Script= without Destination=",
                                POLICY_ERROR, 1, 0 },
                { GOOD "Container=yes\n", "f:3:1: ",
                                "[Allow a] is ignored: it has Container=yes without Unit=", POLICY_ERROR, 1,
                                0 },
                { GOOD "User=0 nemo\n", "f:6:8: ", "there is no user nemo", POLICY_ERROR, 1, 0 },
                { GOOD "User=4294967295\n", "f:6:6: ", "there is no user", POLICY_ERROR, 1, 0 },
                { C "Path=/a\nWindow=2h\nLateWindow=1h\n",
                                "f:1:1: ", "LateWindow= shorter than its Window=", POLICY_WARNING, 1, 0 },
                { L "Score=3\n", "f:1:1: ", "[Lineage l] matches nothing", POLICY_WARNING, 0, 0 },
                { L "Exe=/a\n", "f:1:1: ", "[Lineage l] has no effect", POLICY_WARNING, 0, 0 },
                { D "Score=3\n", "f:1:1: ", "[Destination d] matches nothing", POLICY_WARNING, 0, 0 },
                { D "Address=any\n", "f:1:1: ", "[Destination d] has no effect", POLICY_WARNING, 0, 0 },
                { D "Address=any\nIgnore=yes\n",
                                "f:1:1: ", "[Destination d] matches every destination with Ignore=yes",
                                POLICY_WARNING, 0, 0 },
                { "[Scoring]\nAlert=50\n\n[Scoring]\nHigh=60\n", "f:4:1: ",
                                "Alert=50, Medium=40 and High=60 are ignored: they must be in ascending "
                                "order",
                                POLICY_ERROR, 0, 0 },
                { "[Scoring]\nHigh=39\n", "f:1:1: ", "must be in ascending order", POLICY_ERROR, 0, 0 },
        };
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(policy_freep) Policy *p = finished(cases[i].text);

                expect(p, 0, cases[i].at, cases[i].contains);
                assert_int_equal(p->n_messages, 1);
                assert_int_equal(p->messages[0].level, cases[i].level);
                assert_int_equal(p->n_errors, cases[i].level == POLICY_ERROR);
                assert_int_equal(p->n_classes, cases[i].n_classes);
                assert_int_equal(p->n_allows, cases[i].n_allows);
        }

        /* Rules that name only a class without files are ignored; other rules lose that class. */
        _cleanup_(policy_freep) Policy *p = finished(
                        A "Class=c\nExe=/x\n[Allow b]\nClass=c d c\nExe=/x\n" C "[Class d]\nPath=/d\n");
        expect(p, 0, "f:1:1: ", "no class that it names has a Path=");
        expect(p, 1, "f:7:1: ", "[Class c] is ignored: it has no Path=");
        assert_int_equal(p->n_messages, 2);
        assert_int_equal(p->n_allows, 1);
        assert_string_equal(p->allows[0].name, "b");
        assert_int_equal(p->allows[0].n_classes, 1);
        assert_string_equal(p->allows[0].classes[0].name, "d");
        assert_int_equal(p->allows[0].classes[0].origin.column, 9);

        /* An interpreter that may talk to named places only, and names that merely look like one. */
        _cleanup_(policy_freep) Policy *q = finished(
                        GOOD "[Allow b]\nClass=c\nExe=/usr/bin/node\nDestination=1.2.3.4\n"
                             "[Allow e]\nClass=c\nExe=/usr/bin/python3\nScript=/usr/bin/x\n"
                             "[Allow f]\nClass=c\nExe=/usr/bin/python3\nUnit=x.service\nContainer=yes\n"
                             "[Allow g]\nClass=c\nExe=/usr/bin/python3\nAncestor=/usr/sbin/cron\n"
                             "[Allow d]\nClass=c\nExe=/usr/bin/ssh /usr/bin/nodeadm /opt/env/x "
                             "/usr/libexec/sssd/*\n");
        dump(q);
        assert_int_equal(q->n_messages, 0);
        assert_int_equal(q->n_allows, 6);
}

static void test_users(void **state) {
        _cleanup_(policy_freep) Policy *p = NULL;
        static const char text[] = GOOD "User=backup 7\n[Allow b]\nClass=c\nExe=/x\nUser=backup ana\n";
        (void)state;

        assert_int_equal(policy_new(&p), 0);
        assert_int_equal(policy_parse(p, "f", text, strlen(text)), 0);
        policy_resolve_user(p, "backup", 34);
        policy_resolve_user(p, "backup", 35); /* the first counts */
        policy_resolve_user(p, "7", 36);      /* a name is looked for before a number */
        assert_int_equal(policy_finish(p), 0);
        expect(p, 0, "f:10:13: ", "there is no user ana");
        assert_int_equal(p->n_allows, 1);
        assert_int_equal(p->allows[0].users[0].uid, 34);
        assert_int_equal(p->allows[0].users[1].uid, 36);
}

/* As with [Allow]: an ignored line may have been a restriction. */
static void test_broken_scores(void **state) {
        _cleanup_(policy_freep) Policy *p = finished(
                        D "Address=10.0.0.0/8\nIgnore=yes\nPort=44x\n" D "Port=\n" L
                          "Exe=/a\nScore=-50\nUnit=a/b\n"
                          "[Destination e]\nAddress=10.0.0.0/8\nIgnore=yes\n[Destnation e]\nPort=443\n"
                          "[Destination g]\nAddress=10.0.0.0/8\nIgnore=yes\n");
        (void)state;

        assert_int_equal(p->n_errors, 4);
        assert_int_equal(p->n_destinations, 1);
        assert_string_equal(p->destinations[0].name, "g");
        assert_int_equal(p->n_lineages, 0);
}

static void test_hostile_text(void **state) {
        _cleanup_(policy_freep) Policy *p = finished("[Class c]\nPath=/a\n\x1b[2J\xc2\x9b=x\nK\xc2\x9b"
                                                     "ey=1\n");
        (void)state;

        expect(p, 0, "f:3:1: ", "control byte 0x1b");
        expect(p, 1, "f:4:1: ", "unknown key K\\xc2\\x9bey=");
        for (size_t i = 0; i < p->n_messages; i++)
                for (const char *c = p->messages[i].text; *c; c++)
                        assert_true((unsigned char)*c >= 0x20 && (unsigned char)*c < 0x7f);
}

/* The selftest's class is refused what other classes are, whatever it says itself. */
static void test_selftest_class(void **state) {
        static const struct {
                const char *others;
                PolicyAction action;
                PolicyAccess access;
        } cases[] = {
                { "", POLICY_ALERT, POLICY_ACCESS_ANY },
                { "Action=kill\n", POLICY_DENY, POLICY_ACCESS_ANY },
                { "Access=allowed\n", POLICY_ALERT, POLICY_ACCESS_ALLOWED },
                { "Action=deny\nAccess=allowed\n", POLICY_DENY, POLICY_ACCESS_ANY },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                for (unsigned own = 0; own < 2; own++) {
                        char text[256];

                        (void)snprintf(text, sizeof(text), "[Class %s]\nPath=/d\n%s[Class a]\nPath=/a\n%s",
                                        POLICY_SELFTEST_CLASS, own ? "Action=stop\nAccess=allowed\n" : "",
                                        cases[i].others);
                        _cleanup_(policy_freep) Policy *p = finished(text);
                        const PolicyClass *c = policy_class_by_name(p, POLICY_SELFTEST_CLASS);

                        assert_non_null(c);
                        assert_int_equal(c->action, cases[i].action);
                        assert_int_equal(c->access, cases[i].access);
                }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_malformed),
                cmocka_unit_test(test_nul_and_length),
                cmocka_unit_test(test_file_size),
                cmocka_unit_test(test_many_messages),
                cmocka_unit_test(test_many_items),
                cmocka_unit_test(test_many_sections),
                cmocka_unit_test(test_items),
                cmocka_unit_test(test_continuation),
                cmocka_unit_test(test_merge_and_reset),
                cmocka_unit_test(test_void),
                cmocka_unit_test(test_finish),
                cmocka_unit_test(test_users),
                cmocka_unit_test(test_broken_scores),
                cmocka_unit_test(test_hostile_text),
                cmocka_unit_test(test_selftest_class),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
