/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Cgroup paths as systems really make them, and as an attacker would. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "event/cgroup-path.h"
#include "basic/util.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID2 "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define ID32 "0123456789abcdef0123456789abcdef"
#define UUID "3f0c1b9e-1d2a-4c55-9d0e-7a1f2b3c4d5e"
#define USER "/user.slice/user-1000.slice/user@1000.service"
#define POD "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1234.slice"

typedef struct Case {
        const char *cgroup, *unit, *container;
} Case;

static const Case cases[] = {
        { "", "", "" },
        { "/", "", "" },
        { "///", "", "" },
        { "/init.scope", "init.scope", "" },
        { "/system.slice", "", "" },
        { "/system.slice/ssh.service", "ssh.service", "" },
        { "/system.slice/ssh.service/", "ssh.service", "" },
        { "/system.slice/ssh.service/sub/group", "ssh.service", "" },
        { "/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service", "" },
        { "/system.slice/run-user-1000.mount", "run-user-1000.mount", "" },
        { "/system.slice/foo.socket", "foo.socket", "" },
        { "/system.slice/dev-sda2.swap", "dev-sda2.swap", "" },
        { "/system.slice/dev-disk-by\\x2duuid.swap", "dev-disk-by\\x2duuid.swap", "" },
        { "/user.slice/user-1000.slice/session-3.scope", "session-3.scope", "" },
        { USER "/init.scope", "init.scope", "" },
        { USER "/app.slice/foo.service", "foo.service", "" },
        { USER "/app.slice", "user@1000.service", "" },
        { USER "/app.slice/app-org.gnome.Terminal.slice/vte-spawn-1.scope", "vte-spawn-1.scope", "" },

        /* cg_escape() */
        { "/system.slice/_cgroup.service", "cgroup.service", "" },
        { "/_system.slice/__x.service", "_x.service", "" },
        { "/_", "", "" },
        { "/_/ssh.service", "ssh.service", "" },

        /* Not unit names. */
        { "/.service", "", "" },
        { "/service", "", "" },
        { "/a b.service", "", "" },
        { "/a\nb.service", "", "" },
        { "/foo.timer", "", "" },

        { "/docker/" ID, "", ID },
        { "/system.slice/docker-" ID ".scope", "docker-" ID ".scope", ID },
        { "/system.slice/docker-" ID ".scope/init", "docker-" ID ".scope", ID },
        { "/docker/" ID "/docker/" ID2, "", ID2 },
        { "/system.slice/docker-" ID ".scope/docker/" ID2, "docker-" ID ".scope", ID2 },
        /* A container chooses the names below it: its ssh.service is not the host's. */
        { "/system.slice/docker-" ID ".scope/system.slice/ssh.service", "docker-" ID ".scope", ID },
        { POD "/cri-containerd-" ID ".scope", "cri-containerd-" ID ".scope", ID },
        { POD "/crio-" ID ".scope", "crio-" ID ".scope", ID },
        { "/kubepods/burstable/pod12-34/" ID, "", ID },
        { "/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:" ID, "containerd.service",
                        ID },
        { "/machine.slice/libpod-" ID ".scope/container", "libpod-" ID ".scope", ID },
        { USER "/user.slice/libpod-" ID ".scope/container", "libpod-" ID ".scope", ID },
        { "/system.slice/web.service/libpod-payload-" ID, "web.service", ID },
        { "/machine.slice/libpod-conmon-" ID ".scope", "libpod-conmon-" ID ".scope", "" },
        { POD "/crio-conmon-" ID ".scope", "crio-conmon-" ID ".scope", "" },
        { "/machine.slice/libpod_pod_" ID ".slice", "", "" },

        /* ECS on Fargate and on EC2, Nomad, Garden. */
        { "/ecs/" ID32 "/" ID32 "-0527074092", "", ID32 "-0527074092" },
        { "/ecs/" UUID "/" ID, "", ID },
        { "/ecs/" ID32 "/" ID32, "", "" },
        { "/ecs/" ID32 "/" ID32 "-", "", "" },
        { "/ecs/" ID32 "/" ID32 "-12x", "", "" },
        { "/nomad.slice/share.slice/" UUID ".web.scope", UUID ".web.scope", UUID ".web" },
        { "/nomad.slice/reserve.slice/" UUID ".db-1.scope/x", UUID ".db-1.scope", UUID ".db-1" },
        { "/nomad.slice/share.slice/" UUID ".scope", UUID ".scope", "" },
        { "/garden/" UUID, "", UUID },
        { "/system.slice/garden.service/garden/good/" UUID "/x", "garden.service", UUID },
        { "/garden/0a1b2c3d-4e5f-6071-8293-a4b5", "", "0a1b2c3d-4e5f-6071-8293-a4b5" },
        { "/garden/" UUID "0", "", "" },
        { "/garden/x/" UUID, "", "" },
        { "/good/" UUID, "", "" },

        /* 63 digits, 65 digits, capitals. */
        { "/docker/123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "", "" },
        { "/docker/0" ID, "", "" },
        { "/docker/F123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "", "" },

        { "/machine.slice/machine-foo.scope", "machine-foo.scope", "foo" },
        { "/machine.slice/machine-foo.scope/payload", "machine-foo.scope", "foo" },
        { "/machine.slice/machine-foo.scope/payload/system.slice/ssh.service", "machine-foo.scope", "foo" },
        { "/machine.slice/machine-foo.scope/supervisor", "machine-foo.scope", "" },
        { "/machine.slice/machine-a\\x2db.scope", "machine-a\\x2db.scope", "a\\x2db" },
        { "/machine.slice/machine-.scope", "machine-.scope", "" },
        { "/machine.slice/systemd-nspawn@foo.service/payload/init.scope", "systemd-nspawn@foo.service",
                        "foo" },
        { "/machine.slice/systemd-nspawn@foo.service/supervisor", "systemd-nspawn@foo.service", "" },
        { "/lxc.payload.web", "", "web" },
        { "/lxc.payload.web/system.slice/ssh.service", "", "web" },
        { "/lxc.payload.", "", "" },
        { "/lxc.monitor.web", "", "" },

        /* The path's beginning was cut. */
        { "ice/docker-" ID ".scope", "docker-" ID ".scope", ID },
};

static void assert_view(const char *what, const char *cgroup, Bytes got, const char *expected) {
        if (got.size != strlen(expected) || memcmp(got.data, expected, got.size) != 0)
                fail_msg("%s of %s: \"%.*s\", wanted \"%s\"", what, cgroup, (int)got.size, got.data,
                                expected);
}

static void test_cases(void **state) {
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                /* An exact block: ASan sees a read past its end. */
                _cleanup_free_ char *copy = strdup(cases[i].cgroup);
                assert_non_null(copy);
                Bytes cgroup = { .data = copy, .size = strlen(copy) };

                Bytes unit, container;

                cgroup_split(cgroup, &unit, &container);
                assert_view("unit", copy, unit, cases[i].unit);
                assert_view("container", copy, container, cases[i].container);
        }
}

static void test_longest_unit(void **state) {
        (void)state;
        char path[1 + 256 + 1];
        Bytes unit, container;

        memset(path, 'a', sizeof(path));
        path[0] = '/';
        memcpy(path + 1 + 255 - strlen(".service"), ".service", strlen(".service"));
        cgroup_split((Bytes){ .data = path, .size = 1 + 255 }, &unit, &container);
        assert_int_equal(unit.size, 255);

        memset(path + 1, 'a', 256);
        memcpy(path + 1 + 256 - strlen(".service"), ".service", strlen(".service"));
        cgroup_split((Bytes){ .data = path, .size = 1 + 256 }, &unit, &container);
        assert_int_equal(unit.size, 0);
}

static void test_system_unit(void **state) {
        static const struct {
                const char *cgroup, *unit;
        } cases_outermost[] = {
                { "", "" },
                { "/", "" },
                { "/init.scope", "init.scope" },
                { "/system.slice", "" },
                { "/system.slice/a.service", "a.service" },
                { "/system.slice/a.service/b.scope", "a.service" },
                { "/system.slice/system-ssh.slice/ssh@1.service", "ssh@1.service" },
                { "/user.slice/user-1000.slice/session-3.scope", "session-3.scope" },
                { "/user.slice/user-1000.slice/session-3.scope/nginx.service", "session-3.scope" },
                { USER "/app.slice/x.scope", "user@1000.service" },
                { USER "/app.slice/app-org.gnome.Terminal.slice/vte-spawn-1.scope", "user@1000.service" },
                { USER "/init.scope", "user@1000.service" },
                { USER, "user@1000.service" },
                { "/user.slice/user-1000.slice", "" },
                { "/machine.slice/machine-foo.scope/payload/system.slice/ssh.service", "machine-foo.scope" },
                { "/machine.slice/systemd-nspawn@foo.service/payload/init.scope",
                                "systemd-nspawn@foo.service" },
                { "/machine.slice/libpod-" ID ".scope/container", "libpod-" ID ".scope" },
                { "/docker/" ID, "docker" },
                { "/kubepods/burstable/pod12-34/" ID, "kubepods" },
                { POD "/cri-containerd-" ID ".scope", "cri-containerd-" ID ".scope" },
                /* Unchanged, and not only names that systemd would choose. */
                { "/system.slice/_cpu.service", "_cpu.service" },
                { "/.slice/a.service", ".slice" },
                { "/a.slice/b.slicer/c.service", "b.slicer" },
                { "//system.slice//a.service//", "a.service" },
                /* The path's beginning was cut. */
                { "ice/user@1000.service/app.slice/nginx.service", "" },
                { "nginx.service", "" },
        };
        (void)state;

        for (size_t i = 0; i < ELEMENTSOF(cases_outermost); i++) {
                size_t n = strlen(cases_outermost[i].cgroup);
                _cleanup_free_ char *copy = malloc(n + 1);

                assert_non_null(copy);
                memcpy(copy, cases_outermost[i].cgroup, n + 1);
                assert_view("system unit", copy, cgroup_system_unit((Bytes){ .data = copy, .size = n }),
                                cases_outermost[i].unit);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_cases),
                cmocka_unit_test(test_longest_unit),
                cmocka_unit_test(test_system_unit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
