/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The classes of a file. A path is one name of a file: there may be others (links), other paths to it (bind
 * mounts, a private mount namespace, an overlay), and it may have been renamed. So if the path does not
 * match, the inode is examined: whether it was seen under a matching name, whether another name of it is
 * cached by the kernel, and where its file system is mounted on the host. */

#include "abi/policy.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"
#include "lib/path.bpf.h"
#include "mark/object.bpf.h"
#include "process/identity.bpf.h"
#include "files/sensitive.bpf.h"

/* ---- where a file system is mounted ---- */

/* Where the host has mounted each file system, or each subvolume of btrfs: the address of its root's dentry,
 * and that of the struct vfsmount. It is noted at an open by way of that mount, and when a search has found
 * it, so that the list of mounts need not be searched: every namespace adds to that list, and which end of
 * it is older differs between kernels. An entry is compared with the kernel before it is used, as addresses
 * are reused. LRU: without an entry the list is searched again. */
struct {
        __uint(type, BPF_MAP_TYPE_LRU_HASH);
        __uint(max_entries, 4096);
        __type(key, __u64);
        __type(value, __u64);
} bw_host_mounts SEC(".maps");

/* Mounts of a file system that are examined if its mount is not noted: a thousand namespaces have some of
 * each.
 */
#define MOUNTS_AT_ONCE 64
#define MOUNTS_TURNS 256

static __always_inline struct mount *mount_first(const struct super_block *sb) {
        if (!bpf_core_field_exists(struct mount, mnt_next_for_sb)) {
                const struct super_block___before_6_18 *before = (const void *)sb;
                const void *first = BPF_CORE_READ(before, s_mounts.next);
                return (void *)first - bpf_core_field_offset(struct mount___before_6_18, mnt_instance);
        }
        return BPF_CORE_READ(sb, s_mounts);
}

/* Before 6.18 the list is a ring through the super_block, which is no mount and looks like none: after it,
 * the first one comes again. */
static __always_inline struct mount *mount_next(const struct mount *mount) {
        if (!bpf_core_field_exists(struct mount, mnt_next_for_sb)) {
                const struct mount___before_6_18 *before = (const void *)mount;
                const void *next = BPF_CORE_READ(before, mnt_instance.next);
                return (void *)next - bpf_core_field_offset(struct mount___before_6_18, mnt_instance);
        }
        return BPF_CORE_READ(mount, mnt_next_for_sb);
}

/* fs/btrfs: the inode number of the root of every subvolume, and of nothing else
 * (BTRFS_FIRST_FREE_OBJECTID, include/uapi/linux/btrfs_tree.h). */
#define BTRFS_SUBVOLUME_ROOT 256

/* The root of what can be mounted as a whole, and has all names of a file in it: the dentry of the root of
 * the file system or, on btrfs, of the subvolume that `dentry` is in. 0: it is too deep in there. */
__noinline __u64 volume_root(__u64 dentry) {
        const struct dentry *d = (const struct dentry *)dentry;
        const struct super_block *sb = READ_OFTEN(d, d_sb);

        if (READ_OFTEN(sb, s_magic) != BTRFS_SUPER_MAGIC)
                return (__u64)READ_OFTEN(sb, s_root);
        for (__u32 i = 0; i < BW_PATH_STEPS_MAX; i++) {
                const struct dentry *parent = READ_OFTEN(d, d_parent);
                if (READ_OFTEN(d, d_inode, i_ino) == BTRFS_SUBVOLUME_ROOT || parent == d)
                        return (__u64)d;
                d = parent;
        }
        return 0;
}

/* Whether a mount, as struct vfsmount, is one of that complete file system or subvolume on the host. One
 * branch, as the verifier walks every iteration of a search. */
static __always_inline bool mount_is_hosts(__u64 vfsmount, __u64 root, const struct host *h) {
        const struct mount *m = (const struct mount *)(vfsmount - bpf_core_field_offset(struct mount, mnt));

        return !(((__u64)READ_OFTEN(m, mnt.mnt_root) ^ root) |
                        ((__u64)READ_OFTEN(m, mnt_ns) ^ h->mount_namespace));
}

/* Whether it is one of any complete file system or subvolume on the host. */
static __always_inline bool mount_is_volume_of_host(__u64 vfsmount, const struct host *h) {
        const struct mount *m = (const struct mount *)(vfsmount - bpf_core_field_offset(struct mount, mnt));
        __u64 root = (__u64)READ_OFTEN(m, mnt.mnt_root);

        return (__u64)READ_OFTEN(m, mnt_ns) == h->mount_namespace && volume_root(root) == root;
}

static __always_inline void mount_note(__u64 root, __u64 vfsmount) {
        const __u64 *noted = bpf_map_lookup_elem(&bw_host_mounts, &root);

        /* May fail: then the list of mounts is searched again. */
        if (!noted || *noted != vfsmount)
                bpf_map_update_elem(&bw_host_mounts, &root, &vfsmount, BPF_ANY);
}

static __always_inline __u64 mount_noted(__u64 root, const struct host *h) {
        const __u64 *noted = bpf_map_lookup_elem(&bw_host_mounts, &root);

        return noted && mount_is_hosts(*noted, root, h) ? *noted : 0;
}

/* No address: a walk that begins with it finds no mount, and ends at the root of the file system. */
#define MOUNT_UNKNOWN 1ULL

/* That a search has found nothing is noted, too, as a time, in whose lowest bit it is whether the search was
 * cut: all opens by containers of a file system that the host has only parts of would search again.
 * Addresses of the kernel have bit 63. */
#define SEARCH_AGAIN_NS 1000000000ULL

static __always_inline void search_note(__u64 root, bool cut) {
        mount_note(root, (bpf_ktime_get_ns() & ~1ULL) | cut);
}

/* Whether a search has just failed; *ret: what mount_of_host() returns then. */
static __always_inline bool search_failed(__u64 root, __u64 *ret) {
        const __u64 *noted = bpf_map_lookup_elem(&bw_host_mounts, &root);
        __u64 at = noted ? *noted : ~0ULL;

        if (at >> 63 || bpf_ktime_get_ns() - at > SEARCH_AGAIN_NS)
                return false;
        if (at & 1)
                report_loss(BW_LOSS_NAMES_CUT);
        *ret = at & 1 ? MOUNT_UNKNOWN : 0;
        return true;
}

/* Added to the address of a mount that was found. Addresses of objects are even. */
#define MOUNT_FOUND 1ULL

/* Goes on from a mount to the one that is the host's, which is returned with MOUNT_FOUND, or to the next one
 * to examine; 0 after the last. */
__noinline __u64 mounts_search_some(__u64 at, __u64 first, __u64 root) {
        const __u64 mnt_at = bpf_core_field_offset(struct mount, mnt);
        const struct mount *m = (const struct mount *)at;
        const struct host *h = host_get();

        for (__u32 i = 0; h && i < MOUNTS_AT_ONCE; i++) {
                if (mount_is_hosts((__u64)m + mnt_at, root, h))
                        return (__u64)m | MOUNT_FOUND;
                m = mount_next(m);
                if (!m || (__u64)m == first)
                        return 0;
        }
        return (__u64)m;
}

/* The same through all of the list. What follows from the result is in the caller: the verifier would walk
 * it after every iteration. */
__noinline __u64 mounts_search(__u64 first, __u64 root) {
        __u64 m = first;

        for (__u32 i = 0; i < MOUNTS_TURNS && m && !(m & MOUNT_FOUND); i++)
                m = mounts_search_some(m, first, root);
        return m;
}

/* The mount of a complete file system or subvolume on the host, as struct vfsmount; 0 if there is none. If
 * it is mounted twice, the latest that was used is taken, and names below the other are not examined. If the
 * search was cut, MOUNT_UNKNOWN: names are then judged as if the file system were the host's root. */
__noinline __u64 mount_of_host(__u64 root) {
        const struct dentry *d = (const struct dentry *)root;
        const struct host *h = host_get();

        if (!h)
                return 0;
        __u64 noted = mount_noted(root, h);
        if (noted || search_failed(root, &noted))
                return noted;
        __u64 m = mounts_search((__u64)mount_first(READ_OFTEN(d, d_sb)), root);
        if (m & MOUNT_FOUND) {
                m = m - MOUNT_FOUND + bpf_core_field_offset(struct mount, mnt);
                mount_note(root, m);
                return m;
        }
        search_note(root, m != 0);
        if (m)
                report_loss(BW_LOSS_NAMES_CUT);
        return m ? MOUNT_UNKNOWN : 0;
}

/* Where in a dentry the list of the names of its inode is linked. */
static __always_inline __u64 alias_at(void) {
        return bpf_core_field_exists(struct dentry, d_u)
                               ? bpf_core_field_offset(struct dentry, d_u.d_alias)
                               : bpf_core_field_offset(struct dentry___newer, d_alias);
}

/* Subvolumes in each other. */
#define SUBVOLUMES_MAX 4

/* The mount, as struct vfsmount, below which the names of an inode are to be matched if the path that it was
 * reached by did not match. reached_by: the mount of that path, or 0. Returns 0 if it has no other names. */
__noinline __u64 names_mount(__u64 inode_address, __u64 reached_by) {
        const struct inode *inode = (const struct inode *)inode_address;
        const __u64 alias = (__u64)READ_OFTEN(inode, i_dentry.first);
        const struct host *h = host_get();
        __u64 root = alias ? volume_root(alias - alias_at()) : 0;

        if (!h || !root)
                return 0;
        __u64 only = READ_OFTEN(inode, i_nlink) > 1 ? reached_by : 0;
        if (reached_by && mount_is_hosts(reached_by, root, h)) {
                mount_note(root, reached_by);
                return only;
        }
        /* By the host's mount of a subvolume that this one is in: it has all names, unless this one is
         * mounted elsewhere, too. */
        if (reached_by && mount_is_volume_of_host(reached_by, h))
                return mount_noted(root, h) ?: only;
        /* Reached by a mount of a part of its file system, or by one that is not the host's. */
        for (__u32 i = 0; i < SUBVOLUMES_MAX && root; i++) {
                __u64 mount = mount_of_host(root);
                __u64 above = (__u64)READ_OFTEN((const struct dentry *)root, d_parent);
                if (mount || above == root)
                        return mount;
                root = volume_root(above);
        }
        return 0;
}

/* ---- other names ---- */

/* Names of an inode that are examined: a key has one, or a link for each of some dozens of backups; a file
 * of a package in a store has hundreds. A loop around a loop, as the verifier walks every iteration. */
#define ALIASES_AT_ONCE 64
#define ALIASES_TURNS 16

/* The classes of some cached names of an inode, below a mount of its file system, from this entry of its
 * list on. */
__noinline __u64 aliases_match_some(__u32 table, __u64 node, __u64 vfsmount) {
        const __u64 at = alias_at();
        __u64 classes = 0;

        for (__u32 i = 0; i < ALIASES_AT_ONCE && node; i++) {
                classes |= path_match(table, BW_AUTOMATON_FILE, vfsmount, node - at);
                node = (__u64)BPF_CORE_READ((struct hlist_node *)node, next);
        }
        return classes;
}

/* The entry after those. */
__noinline __u64 aliases_skip(__u64 node) {
        for (__u32 i = 0; i < ALIASES_AT_ONCE && node; i++)
                node = (__u64)READ_OFTEN((const struct hlist_node *)node, next);
        return node;
}

/* The classes of all of them; *ret_cut: of those that are examined, there are more. Inlined, as there may be
 * only eight frames. */
static __always_inline __u64 aliases_match(
                __u32 table, const struct inode *inode, __u64 vfsmount, bool *ret_cut) {
        __u64 node = (__u64)READ_OFTEN(inode, i_dentry.first), classes = 0;

        for (__u32 i = 0; i < ALIASES_TURNS && node; i++) {
                classes |= aliases_match_some(table, node, vfsmount);
                node = aliases_skip(node);
        }
        *ret_cut = node != 0;
        return classes;
}

/* ---- all of it ---- */

/* The classes of an inode whose path, below the mount that it was reached by, did not match; 0: it was not
 * reached by a path. */
static __always_inline __u64 inode_classes(
                __u32 table, const struct inode *inode, __u64 reached_by, __u64 dentry, bool *ret_cut) {
        __u64 classes = sensitive_known((__u64)inode, table, reached_by, dentry);
        if (classes)
                return classes;

        __u64 mount = names_mount((__u64)inode, reached_by);
        return mount ? aliases_match(table, inode, mount, ret_cut) : 0;
}

/* The first cached name of an inode, below a mount, that is of a class; 0: none is. Inlined, as there may be
 * only eight frames. */
static __always_inline __u64 alias_find(__u32 table, __u64 inode_address, __u64 vfsmount) {
        const struct inode *inode = (const struct inode *)inode_address;
        __u64 node = (__u64)READ_OFTEN(inode, i_dentry.first);
        const __u64 at = alias_at();

        for (__u32 i = 0; i < ALIASES_AT_ONCE && node; i++) {
                if (path_match(table, BW_AUTOMATON_FILE, vfsmount, node - at))
                        return node - at;
                node = (__u64)BPF_CORE_READ((struct hlist_node *)node, next);
        }
        return 0;
}

/* Stores by which name a file is known, once: that by which it was reached, if that is of a class (dentry 0:
 * by none), or another one of it; of a file of an overlay, one in its layers. */
static __always_inline void inode_call(__u64 inode, __u32 table, __u64 vfsmount, __u64 dentry) {
        __u64 holder = sensitive_holder(inode), at = inode, name;

        if (!holder || bpf_map_lookup_elem(&bw_sensitive_names, &holder))
                return;
        if (dentry && !path_match(table, BW_AUTOMATON_FILE, vfsmount, dentry))
                dentry = 0;
        for (__u32 i = 0; i < 2 && !dentry; i++) {
                bool overlay = inode_is_overlay((const struct inode *)inode);
                if (overlay)
                        at = i == 0 ? overlay_shows(inode) : overlay_lower(inode);
                vfsmount = at ? names_mount(at, overlay ? 0 : vfsmount) : 0;
                dentry = vfsmount ? alias_find(table, at, vfsmount) : 0;
                if (!overlay)
                        break;
        }
        if (!dentry)
                return;
        name = name_learn(vfsmount, dentry, file_salt((const struct inode *)at), bpf_get_current_task());
        int r = name ? MAP_INSERT(&bw_sensitive_names, &holder, &name) : -1;
        if (r && r != -EEXIST)
                count(BW_COUNT_NAMES_REFUSED);
        struct sensitive *s = sensitive_get(holder);
        if (!s) /* the file was forgotten meanwhile, and nobody would remove the name */
                bpf_map_delete_elem(&bw_sensitive_names, &holder);
        else if (r && r != -EEXIST)
                s->nameless = 1;
}

/* A file has more names than are examined, and its class is not known. One that everybody may read is known
 * to be no secret, or has been made readable by a thief: that is a loss. Any other may be of every class. */
static __always_inline void names_are_cut(
                __u32 table, const struct inode *inode, __u64 vfsmount, __u64 dentry) {
        if (READ_OFTEN(inode, i_mode) & S_IROTH)
                report_loss(BW_LOSS_NAMES_CUT);
        else
                name_suspect(vfsmount, dentry, classes_exist(table));
}

/* The path to match for a file: of a unix socket that of its peer, without a dentry if the peer has no path.
 * NULL: none. */
static __always_inline const struct path *file_path(const struct file *file) {
        const struct inode *inode = READ_OFTEN(file, f_inode);

        if ((READ_OFTEN(inode, i_mode) & S_IFMT) != S_IFSOCK)
                return &file->f_path;
        const struct unix_sock *own = (const struct unix_sock *)file_unix_sock(inode);
        const struct unix_sock *peer = own ? (const struct unix_sock *)READ_OFTEN(own, peer) : NULL;
        return peer ? &peer->path : NULL;
}

/* The classes of an open file in this policy table; of a unix socket, those of its peer's path. They are
 * remembered for its other names, if the share of `task` has room; those of a file that is only written, for
 * nothing else. */
__noinline __u64 file_classes(__u32 table, __u32 generation, __u64 file_address, __u64 task) {
        const struct file *file = (const struct file *)file_address;
        const struct inode *inode = READ_OFTEN(file, f_inode);
        const struct path *path = file_path(file);
        __u64 mnt = (__u64)READ_OFTEN(path, mnt), dentry = (__u64)READ_OFTEN(path, dentry), classes = 0;
        __u32 mode = READ_OFTEN(file, f_mode);
        bool cut = false;

        if (!path || !dentry)
                return 0;
        /* The path of the file below an overlay's may be the overlay's, or that of an internal mount. */
        if (mode & FMODE_NOACCOUNT)
                mnt = dentry = 0;
        else
                classes = path_match(table, BW_AUTOMATON_FILE, mnt, dentry);
        if (!classes && (!dentry || (READ_OFTEN(inode, i_mode) & S_IFMT) == S_IFREG)) {
                classes = inode_classes(table, inode, mnt, dentry, &cut);
                /* Of an overlay also by the names in its layers. */
                for (__u32 i = 0; i < 2 && !classes && inode_is_overlay(inode); i++) {
                        __u64 layer = i == 0 ? overlay_shows((__u64)inode) : overlay_lower((__u64)inode);
                        if (layer)
                                classes = inode_classes(table, (const struct inode *)layer, 0, 0, &cut);
                }
        }
        if (classes)
                sensitive_learn((__u64)inode, classes, generation, task, false);
        else if (cut)
                names_are_cut(table, inode, (__u64)READ_OFTEN(path, mnt), (__u64)READ_OFTEN(path, dentry));
        return mode & FMODE_READ ? classes : 0;
}

/* inode_call() of an open file that has a class. Not by file_classes(), which has no stack left for it. */
__noinline int file_call(__u64 file_address, __u32 table) {
        const struct file *file = (const struct file *)file_address;
        const struct inode *inode = READ_OFTEN(file, f_inode);
        __u64 mnt = 0, dentry = 0;

        if ((READ_OFTEN(inode, i_mode) & S_IFMT) != S_IFREG)
                return 0;
        if (!(READ_OFTEN(file, f_mode) & FMODE_NOACCOUNT)) {
                mnt = (__u64)READ_OFTEN(file, f_path.mnt);
                dentry = (__u64)READ_OFTEN(file, f_path.dentry);
        }
        inode_call((__u64)inode, table, mnt, dentry);
        return 0;
}

/* The same of a name that the file is about to lose, or to get another one beside. */
__noinline int entry_call(__u64 inode, __u32 table, __u64 vfsmount, __u64 dentry) {
        inode_call(inode, table, vfsmount, dentry);
        return 0;
}

/* ---- cache of files without a class ---- */

/* Most opens are of files that were opened by the same name before, and have no class. A checksum covers
 * everything that such a verdict depends on: the inode and its link count, the names and mounts up to the
 * root, the policy, and the known sensitive inodes. While it is unchanged, so is the verdict, and renames
 * and mounts need no hook, as they change the sum. It is made from direct reads only, and takes a third of
 * the automaton's time.
 *
 * A name is covered by the dentry's hash, which is salted with the parent's address, its length, its first
 * eight bytes, and the number of its changes: without the latter a sum made before a rename, for a verdict
 * made after it, would be valid again once the name is changed back. The address of the dentry determines
 * the slot; the newer sum replaces the older. A power of two: 128 KiB, for as many files as a large build or
 * a busy server uses. */
#define HARMLESS_SLOTS 16384

struct {
        __uint(type, BPF_MAP_TYPE_ARRAY);
        __uint(max_entries, HARMLESS_SLOTS);
        __type(key, __u32);
        __type(value, __u64);
} bw_harmless SEC(".maps");

/* A pointer that the verifier knows the type of, so that reading a field is one instruction. */
#define DIRECT(type, address)                                                                               \
        ((const type *)bpf_rdonly_cast((const void *)(address), bpf_core_type_id_kernel(type)))

/* The first bytes of a name; nearly all names are in the dentry. */
static __always_inline __u64 name_begins(const struct dentry *d, __u64 hash_len) {
        const __u64 at = bpf_core_field_exists(struct dentry, d_iname)
                                         ? bpf_core_field_offset(struct dentry, d_iname)
                                         : bpf_core_field_offset(struct dentry___newer, d_shortname);
        __u64 name = hash_len >> 32 < NAME_INLINE ? address_of(d) + at : (__u64)d->d_name.name;

        return address_of(DIRECT(struct hlist_head, name)->first);
}

/* The number of changes of the dentry (fs/dcache.c __d_move()), read together with the four bytes before it,
 * as only pointers can be read directly here. */
static __always_inline __u64 name_count(const struct dentry *d) {
        const __u64 at = address_of(d) + bpf_core_field_offset(struct dentry, d_seq) - sizeof(__u32);

        return address_of(DIRECT(struct hlist_head, at)->first) >> 32;
}

static __always_inline __u64 *harmless_slot(__u64 dentry) {
        __u32 slot = hash_mix(0, dentry) % HARMLESS_SLOTS;

        return bpf_map_lookup_elem(&bw_harmless, &slot);
}

/* Mixes two values at once: the second product does not depend on the sum. */
static __always_inline __u64 sum_mix(__u64 sum, __u64 a, __u64 b) {
        return hash_mix(sum, a + b * 0xd1b54a32d192ed03ULL);
}

#define SUM_HARMLESS 0 /* the sum is in its slot */
#define SUM_NONE 1     /* the verdict depends on more: the walk is incomplete, or there are other names */

/* The sum of an open file. The root of the first mount represents the file system, or its subvolume. */
__noinline __u64 file_sum(__u64 file_address) {
        const __u64 mount_at = bpf_core_field_offset(struct mount, mnt);
        __u64 sum = shared.name_seed;

        if (!READS_ARE_DIRECT)
                return SUM_NONE;
        const struct file *file = DIRECT(struct file, file_address);
        const struct inode *inode = file->f_inode;
        const struct dentry *d = file->f_path.dentry;
        const struct mount *m = DIRECT(struct mount, address_of(file->f_path.mnt) - mount_at);
        const struct dentry *root = m->mnt.mnt_root;
        const __u64 dentry = address_of(d);

        if (inode->i_nlink != 1)
                return SUM_NONE;
        sum = sum_mix(sum, (__u64)shared.generation << 32 | shared.sensitive_learnt, dentry);
        sum = sum_mix(sum, address_of(inode) + inode->i_generation, inode->i_ino);
        sum = sum_mix(sum, address_of(root), address_of(m->mnt_ns));
        for (__u32 i = 0; i < WALK_STEPS; i++) {
                if (d == root) {
                        const struct mount *parent = m->mnt_parent;
                        if (parent == m) {
                                const __u64 *kept = harmless_slot(dentry);
                                return kept && *kept == sum ? SUM_HARMLESS : sum;
                        }
                        d = m->mnt_mountpoint;
                        m = parent;
                        root = m->mnt.mnt_root;
                        sum = hash_mix(sum, address_of(root));
                } else {
                        __u64 hash_len = d->d_name.hash_len;
                        const struct dentry *parent = d->d_parent;
                        if (parent == d)
                                break;
                        sum = sum_mix(sum, hash_len + name_count(d), name_begins(d, hash_len));
                        d = parent;
                }
        }
        return SUM_NONE;
}

/* Stores the sum of a file that has no class. Not if the verdict depended on what the sum does not cover:
 * other names because of its mount (also if its subvolume is not what is mounted, as that may be mounted
 * elsewhere), or an overlay; and not for procfs and similar, whose files are not
 * judged by name only. */
__noinline int harmless_keep(__u64 file_address, __u64 sum) {
        const struct file *file = (const struct file *)file_address;
        const struct inode *inode = READ_OFTEN(file, f_inode);
        const struct super_block *sb = READ_OFTEN(inode, i_sb);
        const struct vfsmount *mnt = READ_OFTEN(file, f_path.mnt);
        __u64 magic = READ_OFTEN(sb, s_magic), *kept = harmless_slot((__u64)READ_OFTEN(file, f_path.dentry));
        const struct host *h = host_get();

        if (kept && h && sum != SUM_NONE && (READ_OFTEN(inode, i_mode) & S_IFMT) == S_IFREG &&
                        magic != OVERLAYFS_SUPER_MAGIC && !magic_is_kernels(magic) &&
                        mount_is_hosts((__u64)mnt, volume_root((__u64)READ_OFTEN(file, f_path.dentry)), h))
                *kept = sum;
        return 0;
}
