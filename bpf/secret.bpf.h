/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Of which classes is a file? A path is one of a file's names: it may have others (links), be reached by another way (bind
 * mounts, a mount namespace of one's own, an overlay), or have lost the one that tells (rename). So when the path says
 * nothing, the inode is asked: was it seen under a name that matches, or is another of its names known to the kernel, or does
 * it matter where its file system is mounted on the host? */

#include "identity.bpf.h"
#include "object.bpf.h"

/* What inodes were found to be, by one of their names. LRU: a machine has some hundreds of such files. */
struct secret {
        __u64 is; /* the second hash of what it is */
        __u64 classes;
        __u32 generation; /* of the policy */
        __u32 zero;
};

struct {
        __uint(type, BPF_MAP_TYPE_LRU_HASH);
        __uint(max_entries, 4096);
        __type(key, __u64);
        __type(value, struct secret);
} bw_secrets SEC(".maps");

static __always_inline void secret_learn(const struct inode *inode, __u64 classes, __u32 generation) {
        struct object o;

        object_of_inode(&o, inode);
        const struct secret s = { .is = o.is, .classes = classes, .generation = generation };
        const struct secret *known = o.holder ? bpf_map_lookup_elem(&bw_secrets, &o.holder) : NULL;
        if (!o.holder || (known && known->is == s.is && known->classes == classes && known->generation == generation))
                return;
        bpf_map_update_elem(&bw_secrets, &o.holder, &s, BPF_ANY);
        /* Behind it: what was judged before is judged again. */
        __sync_fetch_and_add(&shared.secrets_learnt, 1);
}

__noinline __u64 secret_known(__u64 inode, __u32 generation) {
        struct object o;

        object_of_inode(&o, (const struct inode *)inode);
        const struct secret *s = o.holder ? bpf_map_lookup_elem(&bw_secrets, &o.holder) : NULL;
        return s && s->is == o.is && s->generation == generation ? s->classes : 0;
}

/* ---- where a file system is mounted ---- */

/* Mounts of one file system looked at. A host has one or two, and one more for each service with namespaces of its own; the
 * host's own are among the first that were made. */
#define MOUNTS_MAX 64

static __always_inline struct mount *mount_first(const struct super_block *sb) {
        if (!bpf_core_field_exists(struct mount, mnt_next_for_sb)) {
                const struct super_block___before_6_18 *before = (const void *)sb;
                const void *first = BPF_CORE_READ(before, s_mounts.next);
                return (void *)first - bpf_core_field_offset(struct mount___before_6_18, mnt_instance);
        }
        return BPF_CORE_READ(sb, s_mounts);
}

static __always_inline struct mount *mount_next(const struct mount *mount) {
        if (!bpf_core_field_exists(struct mount, mnt_next_for_sb)) {
                const struct mount___before_6_18 *before = (const void *)mount;
                const void *next = BPF_CORE_READ(before, mnt_instance.next);
                return (void *)next - bpf_core_field_offset(struct mount___before_6_18, mnt_instance);
        }
        return BPF_CORE_READ(mount, mnt_next_for_sb);
}

/* The mount of a whole file system on the host, as struct vfsmount; 0: there is none. The host's first one in the list is taken;
 * what is mounted twice has two names for everything, and the other one is not looked at. */
static __always_inline __u64 mount_of_host(const struct super_block *sb, const struct host *h) {
        __u64 root = (__u64)BPF_CORE_READ(sb, s_root);
        const struct mount *m = mount_first(sb);

        for (__u32 i = 0; i < MOUNTS_MAX; i++) {
                if (!m)
                        break;
                if ((__u64)BPF_CORE_READ(m, mnt.mnt_root) == root && (__u64)BPF_CORE_READ(m, mnt_ns) == h->mount_namespace)
                        return (__u64)m + bpf_core_field_offset(struct mount, mnt);
                m = mount_next(m);
        }
        return 0;
}

/* Below which mount have the names of an inode to be judged, as struct vfsmount, when the path by which it was reached says
 * nothing? reached_by: the mount of that path, 0: there was none. 0: it has no other names. */
__noinline __u64 names_mount(__u64 inode_address, __u64 reached_by) {
        const struct inode *inode = (const struct inode *)inode_address;
        const struct super_block *sb = READ_OFTEN(inode, i_sb);
        const struct mount *m = (const struct mount *)(reached_by - bpf_core_field_offset(struct mount, mnt));
        const struct host *h = host_get();

        if (!h)
                return 0;
        /* By a mount of a part of its file system, or one that is not the host's. */
        if (!reached_by || (__u64)READ_OFTEN(m, mnt.mnt_root) != (__u64)READ_OFTEN(sb, s_root) ||
            (__u64)READ_OFTEN(m, mnt_ns) != h->mount_namespace)
                return mount_of_host(sb, h);
        return READ_OFTEN(inode, i_nlink) > 1 ? reached_by : 0;
}

/* ---- other names ---- */

/* Names of one inode looked at: a key has one, or a few links that backups made. */
#define ALIASES_MAX 16

/* The names of an inode that are in the cache of dentries, as they are below a mount of its file system. */
__noinline __u64 aliases_match(__u32 table, __u64 inode_address, __u64 vfsmount) {
        const struct inode *inode = (const struct inode *)inode_address;
        __u64 at = bpf_core_field_exists(struct dentry, d_u) ? bpf_core_field_offset(struct dentry, d_u.d_alias) :
                                                             bpf_core_field_offset(struct dentry___newer, d_alias);
        __u64 node = (__u64)BPF_CORE_READ(inode, i_dentry.first), classes = 0;

        for (__u32 i = 0; i < ALIASES_MAX; i++) {
                if (!node)
                        break;
                classes |= path_match(table, BW_AUTOMATON_FILE, vfsmount, node - at);
                node = (__u64)BPF_CORE_READ((struct hlist_node *)node, next);
        }
        return classes;
}

#define OVERLAYFS_SUPER_MAGIC 0x794c7630

/* Is there an inode here that could be below this one? */
static __always_inline const struct inode *inode_below(const struct file *file, const struct inode *above) {
        const struct inode *inode = BPF_CORE_READ(file, f_inode);

        return inode != above && BPF_CORE_READ(inode, i_mode) == BPF_CORE_READ(above, i_mode) &&
                        BPF_CORE_READ(inode, i_sb, s_root) ?
                inode :
                NULL;
}

/* What lies below an open file of an overlay: its private data is the file there, or, since 6.13, a struct whose first member
 * that is (fs/overlayfs/file.c), which the kernel's types do not tell where overlayfs is a module. */
static __always_inline const struct inode *inode_overlaid(const struct file *file, const struct inode *inode) {
        const struct file *below = BPF_CORE_READ(file, private_data);
        const struct inode *found = inode_below(below, inode);

        if (found)
                return found;
        if (bpf_probe_read_kernel(&below, sizeof(below), below))
                return NULL;
        return inode_below(below, inode);
}

/* ---- all of it ---- */

/* The classes of an inode whose path, if any, says nothing. */
static __always_inline __u64 inode_classes(__u32 table, const struct inode *inode, __u64 reached_by, __u32 generation) {
        __u64 classes = secret_known((__u64)inode, generation);
        if (classes)
                return classes;

        __u64 mount = names_mount((__u64)inode, reached_by);
        return mount ? aliases_match(table, (__u64)inode, mount) : 0;
}

/* The path that a file goes by: of a unix socket whoever it is connected to, with no dentry where that has no path. NULL: none. */
static __always_inline const struct path *file_path(const struct file *file) {
        const struct inode *inode = READ_OFTEN(file, f_inode);

        if ((READ_OFTEN(inode, i_mode) & S_IFMT) != S_IFSOCK)
                return &file->f_path;
        const struct unix_sock *own = (const struct unix_sock *)file_unix_sock(inode);
        const struct unix_sock *peer = own ? (const struct unix_sock *)READ_OFTEN(own, peer) : NULL;
        return peer ? &peer->path : NULL;
}

/* The classes of an open file by this table of the policy; of a unix socket, those of the path that it is connected to. */
__noinline __u64 file_classes(__u32 table, __u32 generation, __u64 file_address) {
        const struct file *file = (const struct file *)file_address;
        const struct inode *inode = READ_OFTEN(file, f_inode);
        const struct path *path = file_path(file);
        __u64 mnt = (__u64)READ_OFTEN(path, mnt), dentry = (__u64)READ_OFTEN(path, dentry), classes = 0;
        /* Below an overlay's: its path may be the overlay's, or of a mount that nobody sees. */
        bool below = READ_OFTEN(file, f_mode) & FMODE_NOACCOUNT;

        if (!path || !dentry)
                return 0;
        if (!below)
                classes = path_match(table, BW_AUTOMATON_FILE, mnt, dentry);
        if (!classes && (below || (READ_OFTEN(inode, i_mode) & S_IFMT) == S_IFREG)) {
                classes = inode_classes(table, inode, below ? 0 : mnt, generation);
                if (!classes && READ_OFTEN(inode, i_sb, s_magic) == OVERLAYFS_SUPER_MAGIC) {
                        const struct inode *overlaid = inode_overlaid(file, inode);
                        if (overlaid)
                                classes = inode_classes(table, overlaid, 0, generation);
                }
        }
        if (classes)
                secret_learn(inode, classes, generation);
        return classes;
}

/* ---- what was judged to be nothing ---- */

/* Most opens are of files that were opened before, by the same name, and were nothing. All that such a verdict came from is
 * summed up in a number: the inode and how many links it has, the names and mounts up to the root, what the policy was and what
 * was known of inodes. As long as that comes out as it did, the verdict stands, and nothing has to be told of renames or mounts:
 * they change the sum. It is made of what can be read directly, and so takes a third of the time that the automaton does.
 *
 * A name counts by the hash that the dentry has of it, which is salted with its parent's address, its length, and its first
 * eight bytes; and by how often it was changed: a sum that was made before a rename, of what was judged after it, is of no use when
 * the name is changed back. By the slot that follows from a dentry's address; the newer one wins. A power of two. */
#define HARMLESS_SLOTS 16384

struct {
        __uint(type, BPF_MAP_TYPE_ARRAY);
        __uint(max_entries, HARMLESS_SLOTS);
        __type(key, __u32);
        __type(value, __u64);
} bw_harmless SEC(".maps");

/* What the verifier knows for a pointer to this type, which each of its fields is then one instruction away from. */
#define DIRECT(type, address) ((const type *)bpf_rdonly_cast((const void *)(address), bpf_core_type_id_kernel(type)))

/* The first bytes of a name; nearly all names are in the dentry. */
static __always_inline __u64 name_begins(const struct dentry *d, __u64 hash_len) {
        const __u64 at = bpf_core_field_exists(struct dentry, d_iname) ? bpf_core_field_offset(struct dentry, d_iname) :
                                                                        bpf_core_field_offset(struct dentry___newer, d_shortname);
        __u64 name = hash_len >> 32 < NAME_INLINE ? address_of(d) + at : (__u64)d->d_name.name;

        return address_of(DIRECT(struct hlist_head, name)->first);
}

/* How often the dentry was changed (fs/dcache.c __d_move()), read as what this file can read directly: with what is before it. */
static __always_inline __u64 name_changes(const struct dentry *d) {
        const __u64 at = address_of(d) + bpf_core_field_offset(struct dentry, d_seq) - sizeof(__u32);

        return address_of(DIRECT(struct hlist_head, at)->first) >> 32;
}

static __always_inline __u64 *harmless_slot(__u64 dentry) {
        __u32 slot = hash_mix(0, dentry) % HARMLESS_SLOTS;

        return bpf_map_lookup_elem(&bw_harmless, &slot);
}

/* Two values at once: the second one's part need not wait for the sum. */
static __always_inline __u64 sum_mix(__u64 sum, __u64 a, __u64 b) {
        return hash_mix(sum, a + b * 0xd1b54a32d192ed03ULL);
}

#define SUM_HARMLESS 0 /* it stands in its slot */
#define SUM_NONE 1     /* it may not: not all is seen, or there are other names, which do not count */

/* The sum for an open file. The first mount's root stands for the file system. */
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
        sum = sum_mix(sum, (__u64)shared.generation << 32 | shared.secrets_learnt, dentry);
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
                        sum = sum_mix(sum, hash_len + name_changes(d), name_begins(d, hash_len));
                        d = parent;
                }
        }
        return SUM_NONE;
}

/* It was judged to be nothing when its sum was this. What comes from other names that it has, by way of its mount or below an overlay,
 * is not in the sum; and files of procfs and the like are not only looked at by name. */
__noinline int harmless_keep(__u64 file_address, __u64 sum) {
        const struct file *file = (const struct file *)file_address;
        const struct inode *inode = READ_OFTEN(file, f_inode);
        const struct super_block *sb = READ_OFTEN(inode, i_sb);
        const struct vfsmount *mnt = READ_OFTEN(file, f_path.mnt);
        const struct mount *m = (const void *)mnt - bpf_core_field_offset(struct mount, mnt);
        __u64 magic = READ_OFTEN(sb, s_magic), *kept = harmless_slot((__u64)READ_OFTEN(file, f_path.dentry));
        const struct host *h = host_get();

        if (kept && h && sum != SUM_NONE && (READ_OFTEN(inode, i_mode) & S_IFMT) == S_IFREG && magic != OVERLAYFS_SUPER_MAGIC &&
            !magic_is_kernels(magic) && READ_OFTEN(m, mnt.mnt_root) == READ_OFTEN(sb, s_root) &&
            (__u64)READ_OFTEN(m, mnt_ns) == h->mount_namespace)
                *kept = sum;
        return 0;
}

/* Learns of what classes a file is by its present name. */
__noinline int name_learn_classes(__u64 vfsmount, __u64 dentry_address) {
        const struct dentry *dentry = (const struct dentry *)dentry_address;
        const struct inode *inode = BPF_CORE_READ(dentry, d_inode);
        struct policy_view v;

        if (!inode || !policy_view_get(&v))
                return 0;
        __u64 classes = path_match(v.index, BW_AUTOMATON_FILE, vfsmount, dentry_address);
        if (classes && policy_view_held(&v))
                secret_learn(inode, classes, v.table->generation);
        return 0;
}

/* Entries of a directory looked at when it is moved: those of a home's .ssh or .aws, but not all of a source tree. */
#define CHILDREN_MAX 128

/* What the cache knows of what is in a directory: files that nobody has looked at since the start are not found. */
__noinline int names_learn_classes(__u64 vfsmount, __u64 dentry) {
        const struct dentry___since_6_8 *newer = (const void *)dentry;
        const struct dentry___before_6_8 *older = (const void *)dentry;
        __u64 node, end, at;

        /* A list either way, whose links begin with the next one's address. */
        if (bpf_core_field_exists(newer->d_children)) {
                node = (__u64)BPF_CORE_READ(newer, d_children.first);
                end = 0;
                at = bpf_core_field_offset(struct dentry___since_6_8, d_sib);
        } else {
                node = (__u64)BPF_CORE_READ(older, d_subdirs.next);
                end = dentry + bpf_core_field_offset(struct dentry___before_6_8, d_subdirs);
                at = bpf_core_field_offset(struct dentry___before_6_8, d_child);
        }
        for (__u32 i = 0; i < CHILDREN_MAX && node && node != end; i++) {
                name_learn_classes(vfsmount, node - at);
                if (bpf_probe_read_kernel(&node, sizeof(node), (const void *)node))
                        break;
        }
        return 0;
}

/* What has this name is about to get another one, or to lose it. */
static __always_inline void on_name_changed(const struct path *directory, const struct dentry *dentry) {
        __u64 mnt = (__u64)BPF_CORE_READ(directory, mnt), address = address_of(dentry);
        __u32 type = BPF_CORE_READ(dentry, d_inode, i_mode) & S_IFMT;

        if (type == S_IFDIR)
                names_learn_classes(mnt, address);
        else if (type == S_IFREG)
                name_learn_classes(mnt, address);
}
