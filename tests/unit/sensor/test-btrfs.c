/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Where btrfs keeps the subvolume of an inode, from types that are made here. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <bpf/btf.h>
#include <cmocka.h>

#include "sensor/btrfs.h"

/* A struct with one member of 8 bytes at that offset, and a second one. */
static void add_struct(struct btf *b, const char *name, const char *first, int64_t first_bytes,
                const char *second, int64_t second_bytes, int type) {
        assert_true(btf__add_struct(b, name, 1024) > 0);
        assert_int_equal(btf__add_field(b, first, type, (uint32_t)first_bytes * 8, 0), 0);
        assert_int_equal(btf__add_field(b, second, type, (uint32_t)second_bytes * 8, 0), 0);
}

static struct btf *types(int64_t root, int64_t inode) {
        struct btf *b = btf__new_empty();

        assert_non_null(b);
        int type = btf__add_int(b, "u64", 8, 0);
        add_struct(b, "btrfs_inode", "root", root, "vfs_inode", inode, type);
        add_struct(b, "btrfs_root", "node", 0, "root_key", 720, type);
        add_struct(b, "btrfs_key", "type", 8, "objectid", 16, type);
        return b;
}

static void test_layout(void **state) {
        struct btf *b = types(8, 512);
        BtrfsLayout layout;

        (void)state;
        assert_true(btrfs_layout(b, &layout));
        assert_int_equal(layout.root, 504);
        assert_int_equal(layout.id, 736);
        btf__free(b);
}

/* Types that do not fit are those of another kernel: nothing is read by them. */
static void test_unknown(void **state) {
        struct btf *none = btf__new_empty(), *reversed = types(512, 8);
        BtrfsLayout layout = { .root = 1, .id = 2 };

        (void)state;
        /* The module's, if this machine has it. */
        if (!btrfs_layout(none, &layout))
                assert_int_equal(layout.root, 1);
        layout = (BtrfsLayout){ .root = 1, .id = 2 };
        if (!btrfs_layout(reversed, &layout))
                assert_int_equal(layout.id, 2);
        btf__free(none);
        btf__free(reversed);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_layout),
                cmocka_unit_test(test_unknown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
