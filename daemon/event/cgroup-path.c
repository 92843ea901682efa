/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Unit and container from the path of a cgroup. Must not look at the system: neither /sys nor a bus.
 *
 * The unit of an alert is the innermost one that is not a slice, as the host's systemd names it: for a
 * service of a user's manager that is foo.service, not user@1000.service. Names below a container's cgroup
 * are the container's and are skipped, so that its sshd.service is not taken for the host's. The container
 * is the innermost one, which the process really runs in. The names in a delegated subtree are chosen by its
 * owner, so both are a hint, not a proof. The system's unit is the outermost one, whose name the system
 * chose.
 *
 * The views point into the middle of a path: unlike other Bytes, the byte after them is '/', '.' or NUL.
 * Names keep systemd's \xNN escapes, as systemctl and machinectl print units. */

#include <string.h>

#include "event/cgroup-path.h"
#include "basic/util.h"

/* unit_name_is_valid() in systemd's src/basic/unit-name.c */
#define UNIT_NAME_BYTES "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ:-_.\\@"
#define UNIT_NAME_MAX 255

/* Length of a container's id with every engine that follows Docker: a SHA-256 in hex. */
#define ID_DIGITS 64

static const Bytes nothing = { .data = "" };

static bool bytes_equal(Bytes b, const char *s) {
        return b.size == strlen(s) && memcmp(b.data, s, b.size) == 0;
}

static bool bytes_strip_prefix(Bytes *b, const char *prefix) {
        size_t n = strlen(prefix);
        if (b->size <= n || memcmp(b->data, prefix, n) != 0)
                return false;

        *b = (Bytes){ .data = b->data + n, .size = b->size - n };
        return true;
}

static bool bytes_strip_suffix(Bytes *b, const char *suffix) {
        size_t n = strlen(suffix);
        if (b->size <= n || memcmp(b->data + b->size - n, suffix, n) != 0)
                return false;

        b->size -= n;
        return true;
}

/* How many of the first bytes are of the set. */
static size_t memspn(Bytes b, const char *set) {
        size_t n = 0;

        while (n < b.size && b.data[n] && strchr(set, b.data[n]))
                n++;
        return n;
}

/* Takes the next component off the front; size 0 at the end. */
static Bytes path_next_raw(Bytes *path) {
        while (path->size > 0 && path->data[0] == '/')
                *path = (Bytes){ .data = path->data + 1, .size = path->size - 1 };
        if (path->size == 0)
                return nothing;

        const char *slash = memchr(path->data, '/', path->size);
        Bytes component = { .data = path->data, .size = slash ? (size_t)(slash - path->data) : path->size };
        *path = (Bytes){ .data = path->data + component.size, .size = path->size - component.size };
        return component;
}

/* systemd puts a "_" before a name that could be taken for one of the kernel's own files. */
static Bytes path_next(Bytes *path) {
        Bytes component = path_next_raw(path);

        bytes_strip_prefix(&component, "_");
        return component;
}

static bool is_unit(Bytes name) {
        /* Sockets, mounts and swaps have a cgroup while their helper commands run. */
        static const char *const suffixes[] = { ".service", ".scope", ".socket", ".mount", ".swap" };

        if (name.size > UNIT_NAME_MAX)
                return false;
        for (size_t i = 0; i < name.size; i++)
                if (name.data[i] == '\0' || !strchr(UNIT_NAME_BYTES, name.data[i]))
                        return false;
        for (size_t i = 0; i < ELEMENTSOF(suffixes); i++)
                if (bytes_strip_suffix(&name, suffixes[i]))
                        return true;
        return false;
}

/* Takes groups of so many hex digits, with '-' between them, off the front; groups ends with 0. */
static bool bytes_strip_hex(Bytes *b, const uint8_t *groups) {
        Bytes left = *b;

        for (size_t i = 0; groups[i] > 0; i++) {
                if (i > 0 && !bytes_strip_prefix(&left, "-"))
                        return false;
                if (left.size < groups[i] || memspn(left, "0123456789abcdef") < groups[i])
                        return false;
                left = (Bytes){ .data = left.data + groups[i], .size = left.size - groups[i] };
        }
        *b = left;
        return true;
}

/* Ids that engines other than Docker's kind give: "<32 hex>-<digits>" of ECS on Fargate (its container
 * metadata, "DockerId"); "<UUID>.TASK.scope" of an allocation of Nomad (client/lib/cgroupslib/editor.go). */
static Bytes component_other_id(Bytes component) {
        static const uint8_t task[] = { 32, 0 }, uuid[] = { 8, 4, 4, 4, 12, 0 };
        Bytes rest = component;

        if (bytes_strip_hex(&rest, task) && bytes_strip_prefix(&rest, "-") &&
                        memspn(rest, "0123456789") == rest.size)
                return component;
        rest = component;
        if (bytes_strip_hex(&rest, uuid) && bytes_strip_prefix(&rest, ".") &&
                        bytes_strip_suffix(&rest, ".scope")) {
                bytes_strip_suffix(&component, ".scope");
                return component;
        }
        return nothing;
}

/* Below "garden", or its "good" and "bad" (guardian's CPU entitlement): a handle of Cloud Foundry or
 * Concourse, which is a UUID, or the short form of guardian's own. */
static Bytes garden_handle(Bytes component) {
        static const uint8_t uuid[] = { 8, 4, 4, 4, 12, 0 }, handle[] = { 8, 4, 4, 4, 4, 0 };
        Bytes rest = component;

        if (bytes_strip_hex(&rest, uuid) && rest.size == 0)
                return component;
        rest = component;
        return bytes_strip_hex(&rest, handle) && rest.size == 0 ? component : nothing;
}

/* "<64 hex>", "docker-<64 hex>.scope", "libpod-<64 hex>", "cri-containerd:<64 hex>". */
static Bytes component_id(Bytes component) {
        bytes_strip_suffix(&component, ".scope");
        if (component.size < ID_DIGITS)
                return nothing;

        Bytes id = { .data = component.data + component.size - ID_DIGITS, .size = ID_DIGITS };
        for (size_t i = 0; i < id.size; i++)
                if (id.data[i] == '\0' || !strchr("0123456789abcdef", id.data[i]))
                        return nothing;

        Bytes engine = { .data = component.data, .size = component.size - ID_DIGITS };
        if (engine.size == 0)
                return id;
        if (engine.data[engine.size - 1] != '-' && engine.data[engine.size - 1] != ':')
                return nothing;
        /* conmon watches the container from outside. */
        if (bytes_equal(engine, "libpod-conmon-") || bytes_equal(engine, "crio-conmon-"))
                return nothing;
        return id;
}

/* The container a component stands for. `next` is the component below: systemd-nspawn keeps itself
 * ("supervisor") apart from what it contains ("payload"). */
static Bytes component_container(Bytes component, Bytes next) {
        Bytes id = component_id(component);
        if (id.size == 0)
                id = component_other_id(component);
        if (id.size > 0)
                return id;

        Bytes name = component;
        if (bytes_strip_prefix(&name, "lxc.payload."))
                return name;
        if (bytes_strip_prefix(&name, "machine-") && bytes_strip_suffix(&name, ".scope"))
                return bytes_equal(next, "supervisor") ? nothing : name;

        name = component;
        if (bytes_strip_prefix(&name, "systemd-nspawn@") && bytes_strip_suffix(&name, ".service"))
                return bytes_equal(next, "payload") ? name : nothing;

        return nothing;
}

void cgroup_split(Bytes cgroup, Bytes *ret_unit, Bytes *ret_container) {
        Bytes component = path_next(&cgroup);
        bool garden = false;

        *ret_unit = *ret_container = nothing;
        while (component.size > 0) {
                Bytes next = path_next(&cgroup), container = component_container(component, next);

                if (garden && container.size == 0)
                        container = garden_handle(component);
                garden = bytes_equal(component, "garden") ||
                         (garden && (bytes_equal(component, "good") || bytes_equal(component, "bad")));
                if (ret_container->size == 0 && is_unit(component))
                        *ret_unit = component;
                if (container.size > 0)
                        *ret_container = container;
                component = next;
        }
}

Bytes cgroup_system_unit(Bytes cgroup) {
        if (cgroup.size == 0 || cgroup.data[0] != '/')
                return nothing;

        for (;;) {
                Bytes component = path_next_raw(&cgroup);
                Bytes name = component;

                if (!bytes_strip_suffix(&name, ".slice"))
                        return component;
        }
}
