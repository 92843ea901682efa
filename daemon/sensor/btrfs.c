/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <string.h>

#include <bpf/btf.h>

#include "basic/util.h"
#include "sensor/btrfs.h"

/* The offset of a member in bytes; -1 if there is no such type or member. */
static int64_t member_offset(const struct btf *btf, const char *type, const char *member) {
        int32_t id = btf__find_by_name_kind(btf, type, BTF_KIND_STRUCT);
        const struct btf_type *t = id > 0 ? btf__type_by_id(btf, (uint32_t)id) : NULL;

        for (uint32_t i = 0; t && i < btf_vlen(t); i++)
                if (strcmp(btf__name_by_offset(btf, btf_members(t)[i].name_off), member) == 0)
                        return btf_member_bit_offset(t, i) / 8;
        return -1;
}

static bool layout_read(const struct btf *btf, BtrfsLayout *ret) {
        int64_t inode = member_offset(btf, "btrfs_inode", "vfs_inode"),
                root = member_offset(btf, "btrfs_inode", "root"),
                key = member_offset(btf, "btrfs_root", "root_key"),
                number = member_offset(btf, "btrfs_key", "objectid");

        if (inode < 0 || root < 0 || key < 0 || number < 0 || inode <= root)
                return false;
        *ret = (BtrfsLayout){ .root = (uint32_t)(inode - root), .id = (uint32_t)(key + number) };
        return true;
}

bool btrfs_layout(struct btf *kernel, BtrfsLayout *ret) {
        if (layout_read(kernel, ret))
                return true;
        struct btf *module = btf__load_module_btf("btrfs", kernel);
        bool found = module && layout_read(module, ret);

        btf__free(module);
        return found;
}
