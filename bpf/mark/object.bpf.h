/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Non-process mark holders (pipes, the receiving ends of unix sockets, inodes, memory) and how they are
 * keyed: by the kernel's identifiers, never by name. */

#include "abi/event.h"
#include "abi/shared.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"
#include "lib/path.bpf.h"

/* include/uapi/linux/magic.h: file systems of the kernel, where reads do not return what was written. */
#define PROC_SUPER_MAGIC 0x9fa0
#define SYSFS_MAGIC 0x62656572
#define CGROUP_SUPER_MAGIC 0x27e0eb
#define CGROUP2_SUPER_MAGIC 0x63677270
#define DEBUGFS_MAGIC 0x64626720
#define TRACEFS_MAGIC 0x74726163
#define SECURITYFS_MAGIC 0x73636673
#define ANON_INODE_FS_MAGIC 0x09041934 /* regular files, by their mode, since 6.16 */

/* The same file, and some elsewhere: file systems that store data on another host. */
#define NFS_SUPER_MAGIC 0x6969
#define SMB_SUPER_MAGIC 0x517b
#define CIFS_SUPER_MAGIC 0xff534d42
#define SMB2_SUPER_MAGIC 0xfe534d42
#define CODA_SUPER_MAGIC 0x73757245
#define AFS_SUPER_MAGIC 0x5346414f
#define AFS_FS_MAGIC 0x6b414653
#define V9FS_MAGIC 0x01021997
#define CEPH_SUPER_MAGIC 0x00c36400   /* include/linux/ceph/ceph_fs.h */
#define LUSTRE_SUPER_MAGIC 0x0bd00bd0 /* of a module that is not in the kernel's tree */
#define FUSE_SUPER_MAGIC 0x65735546

#define BTRFS_SUPER_MAGIC 0x9123683e

/* Beginnings of "fuse.NAME" (mount(8)) for those that store data on another host. */
#define FUSE_NAME_SIZE 8
static const char fuse_remote[][FUSE_NAME_SIZE] = {
        "sshfs",
        "rclone",
        "s3fs",
        "gcsfuse",
        "goofys",
        "geesefs",
        "juicefs",
        "davfs",
        "mountpo" /* mountpoint-s3 */,
        "blobfus" /* blobfuse2 */,
        "gluster" /* glusterfs */,
        "seaweed" /* seaweedfs */,
        "curlftp" /* curlftpfs */,
        "google-" /* google-drive-ocamlfuse */,
};

struct object {
        __u64 holder;  /* key of its entry; 0: it cannot hold one */
        __u64 is;      /* a second hash of its identity */
        __u64 address; /* of the kernel object, to see whether it still exists; 0: not known */
        __u32 via;     /* enum bw_via of what passes through it, and FLOW_TO_MEMORY */
};

/* Two hashes identify an object: the key and the owner of its mark. */
static __always_inline void object_set(struct object *o, enum bw_via via, __u64 a, __u64 b, __u64 c) {
        o->holder = BW_HOLDER_OBJECT | hash_mix(hash_mix(hash_mix(shared.name_seed, a), b), c);
        o->is = hash_mix(hash_mix(hash_mix(~shared.name_seed, c), b), a) | 1;
        o->via = via;
        o->address = 0;
}

#define TMPFS_MAGIC 0x01021994
#define RAMFS_MAGIC 0x858458f6
#define HUGETLBFS_MAGIC 0x958458f6

/* Which subvolume of btrfs an inode is in: they share a device number, and each has inode numbers of its
 * own. Where it is not known, the generation, which is that of the transaction that made the file, tells
 * nearly all files with the same number apart: a number is not used again. */
__noinline __u64 inode_subvolume(__u64 address) {
        const struct inode *inode = (const struct inode *)address;
        __u64 root = 0, id = 0;

        if (!btrfs_root_at)
                return ~(__u64)READ_OFTEN(inode, i_generation);
        bpf_probe_read_kernel(&root, sizeof(root), (const void *)inode - btrfs_root_at);
        bpf_probe_read_kernel(&id, sizeof(id), (const void *)root + btrfs_id_at);
        return id;
}

/* The key of a file is its inode number. Its generation is only part of `is`, so that the entry of a deleted
 * file is replaced by the file that gets its number. */
static __always_inline void object_set_file(
                struct object *o, const struct inode *inode, __u64 device, __u64 number, __u64 magic) {
        __u64 generation = READ_OFTEN(inode, i_generation);

        object_set(o, BW_VIA_FILE, device, number,
                        magic == BTRFS_SUPER_MAGIC ? inode_subvolume((__u64)inode) : 0);
        o->is = hash_mix(o->is, generation) | 1;
        o->address = (__u64)inode;
        if (magic == TMPFS_MAGIC || magic == RAMFS_MAGIC || magic == HUGETLBFS_MAGIC)
                o->via |= FLOW_TO_MEMORY; /* see struct object_ref */
}

static __always_inline bool magic_is_kernels(__u64 magic) {
        return magic == PROC_SUPER_MAGIC || magic == SYSFS_MAGIC || magic == CGROUP2_SUPER_MAGIC ||
               magic == CGROUP_SUPER_MAGIC || magic == DEBUGFS_MAGIC || magic == TRACEFS_MAGIC ||
               magic == SECURITYFS_MAGIC || magic == ANON_INODE_FS_MAGIC;
}

/* Devices of the kernel itself (drivers/char/mem.c): mapping the one is mapping anonymous memory; what is
 * written to the other is read from it, from /proc/kmsg, and by syslog(2). */
#define ZERO_DEVICE (1 << 20 | 5)
#define LOG_DEVICE (1 << 20 | 11)

static __always_inline void object_of_log(struct object *o) {
        object_set(o, BW_VIA_FILE, LOG_DEVICE, 0, 0);
}

/* System V shared memory, message queues and semaphores are identified by their id in the IPC namespace,
 * which includes a sequence number against reuse (ipc/util.h ipc_buildid()). */
static __always_inline void object_of_ipc(struct object *o, enum bw_via via, int id) {
        object_set(o, via, BPF_CORE_READ(current_task(), nsproxy, ipc_ns, ns.inum), (__u32)id, via);
}

/* Whether this file system stores data on another host. */
static __always_inline bool super_is_remote(const struct super_block *super) {
        __u64 magic = BPF_CORE_READ(super, s_magic), name = 0, remote;

        if (magic != FUSE_SUPER_MAGIC)
                return magic == NFS_SUPER_MAGIC || magic == SMB_SUPER_MAGIC || magic == CIFS_SUPER_MAGIC ||
                       magic == SMB2_SUPER_MAGIC || magic == CODA_SUPER_MAGIC || magic == AFS_SUPER_MAGIC ||
                       magic == AFS_FS_MAGIC || magic == V9FS_MAGIC || magic == CEPH_SUPER_MAGIC ||
                       magic == LUSTRE_SUPER_MAGIC;
        bpf_probe_read_kernel_str(&name, sizeof(name), BPF_CORE_READ(super, s_subtype));
        for (__u32 i = 0; i < sizeof(fuse_remote) / FUSE_NAME_SIZE; i++) {
                __builtin_memcpy(&remote, fuse_remote[i], FUSE_NAME_SIZE);
                if (name == remote)
                        return true;
        }
        return false;
}

/* ---- overlays ---- */

#define OVERLAYFS_SUPER_MAGIC 0x794c7630
#define OVERLAYS_MAX 2 /* on one another: FILESYSTEM_MAX_STACK_DEPTH (include/linux/fs.h) */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* Since 6.5 and 5.19, as the two changes of struct ovl_inode, whose type is in the kernel's BTF only where
 * overlayfs is no module. */
struct backing_file {};

struct address_space_operations {
        void *read_folio;
};

#pragma clang attribute pop

static __always_inline bool inode_is_overlay(const struct inode *inode) {
        return READ_OFTEN(inode, i_sb, s_magic) == OVERLAYFS_SUPER_MAGIC;
}

/* fs/overlayfs/ovl_entry.h struct ovl_inode: behind the inode is the dentry of the file in the upper layer.
 */
static __always_inline __u64 overlay_upper(__u64 inode_address) {
        const struct dentry *dentry = NULL;

        bpf_probe_read_kernel(&dentry, sizeof(dentry),
                        (const void *)inode_address + bpf_core_type_size(struct inode));
        return dentry ? (__u64)READ_OFTEN(dentry, d_inode) : 0;
}

/* The inode in the lower layers of a file of an overlay, also after that file was copied to the upper layer;
 * 0: it has none. It is behind that dentry, in a struct ovl_path since 5.19, and in the first one of a
 * struct ovl_entry since 6.5. */
static __always_inline __u64 overlay_lowest(__u64 inode_address) {
        const void *at = (const void *)inode_address + bpf_core_type_size(struct inode) + sizeof(__u64);
        __u64 words[2]; /* struct ovl_path: the layer and the dentry */

        if (bpf_core_type_exists(struct backing_file)) {
                /* struct ovl_entry: the number of pairs, and these */
                if (bpf_probe_read_kernel(words, sizeof(*words), at) || !words[0])
                        return 0;
                at = (const void *)words[0];
                if (bpf_probe_read_kernel(words, sizeof(*words), at) || !(__u32)words[0])
                        return 0;
                at += sizeof(*words);
        }
        if (bpf_probe_read_kernel(words, sizeof(words), at) || !words[0])
                return 0;
        if (!bpf_core_field_exists(struct address_space_operations, read_folio))
                return words[0];
        return (__u64)READ_OFTEN((const struct dentry *)words[1], d_inode);
}

__noinline __u64 overlay_lower(__u64 inode_address) {
        return overlay_lowest(inode_address);
}

/* The inode whose data a file of an overlay shows: that of its upper layer or, if it has none there, of a
 * lower one. Its own, if struct ovl_inode is not what is expected, and what is found is no regular file. */
__noinline __u64 overlay_shows(__u64 inode_address) {
        __u64 below = overlay_upper(inode_address) ?: overlay_lowest(inode_address);

        if ((READ_OFTEN((const struct inode *)below, i_mode) & S_IFMT) != S_IFREG)
                return inode_address;
        return below;
}

/* ---- files ---- */

/* A pipe, a FIFO or a regular file. A file of an overlay is the one below, which has its data. Inode numbers
 * of pipes may wrap; the addresses of two that exist at the same time differ. */
static __always_inline void object_of_inode(struct object *o, const struct inode *inode) {
        __u32 type = READ_OFTEN(inode, i_mode) & S_IFMT;

        o->holder = 0;
        if (type == S_IFIFO) {
                object_set(o, BW_VIA_PIPE, READ_OFTEN(inode, i_sb, s_dev), READ_OFTEN(inode, i_ino),
                                (__u64)inode);
                o->address = (__u64)inode;
                return;
        }
        if (type != S_IFREG)
                return;
        __u64 magic = READ_OFTEN(inode, i_sb, s_magic);
        for (__u32 i = 0; i < OVERLAYS_MAX && magic == OVERLAYFS_SUPER_MAGIC; i++) {
                inode = (const struct inode *)overlay_shows((__u64)inode);
                magic = READ_OFTEN(inode, i_sb, s_magic);
        }
        __u64 device = READ_OFTEN(inode, i_sb, s_dev);
        if (magic == FUSE_SUPER_MAGIC) /* the next mount reuses the device number, and its inode numbers
                                          begin at 2 again */
                device = BPF_CORE_READ(inode, i_sb, s_bdi, id);
        if (!magic_is_kernels(magic))
                object_set_file(o, inode, device, READ_OFTEN(inode, i_ino), magic);
}

enum presence {
        OBJECT_PRESENT,
        OBJECT_GONE,
        OBJECT_UNSEEN, /* it is not in the kernel's cache: it may be a file on a disk, or a deleted one */
};

/* Whether a file's inode is in the kernel's cache. The memory of one that has left it looks as before until
 * it is used again, with the list of its names overwritten (fs/inode.c evict(), i_callback()). Not every
 * file system hashes its inodes, but each lists them. */
static __always_inline bool inode_is_cached(const struct inode *inode) {
        return (__u64)BPF_CORE_READ(inode, i_sb_list.next) !=
               (__u64)inode + bpf_core_field_offset(struct inode, i_sb_list);
}

/* Whether the file that was at this address, with the second hash `is`, exists: as long as it has links or
 * is in use. It can leave the cache before. address 0: it had left already. */
__noinline int inode_presence(__u64 address, __u64 is, __u32 memory_only) {
        const struct inode *inode = (const struct inode *)address;
        struct object o = {};

        if (!address)
                return OBJECT_UNSEEN;
        object_of_inode(&o, inode);
        if (o.is == is && !BPF_CORE_READ(inode, i_nlink) && BPF_CORE_READ(inode, i_count.counter) <= 0)
                return OBJECT_GONE;
        if (o.is == is && inode_is_cached(inode))
                return OBJECT_PRESENT;
        /* A file of an overlay is another one once it was copied to the upper layer. */
        return memory_only && !inode_is_overlay(inode) ? OBJECT_GONE : OBJECT_UNSEEN;
}

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct unix_address {
        struct {
                atomic_t refs;
        } refcnt;
};

#pragma clang attribute pop

/* Whether a unix socket may have got its address when it was connected already, as neither a listener nor
 * another accepted socket has that, too. */
__noinline int sock_bound_late(__u64 sk) {
        const struct unix_address *address = BPF_CORE_READ((const struct unix_sock *)sk, addr);

        return address && BPF_CORE_READ(address, refcnt.refs.counter) == 1;
}

/* Data written to a unix socket is held by the receiving end. Its address may be reused, so its inode number
 * is part of the key. A socket that has not been accepted has no inode; it, and the accepted one, which have
 * their listener's address, are keyed by the PID of the process that connected. before: as what it was
 * before it was bound. */
static __always_inline void object_of_sock(struct object *o, const struct sock *sk, bool before) {
        const struct unix_sock *own = (const struct unix_sock *)sk;
        const struct socket_alloc *alloc = (const void *)BPF_CORE_READ(sk, sk_socket) -
                                           bpf_core_field_offset(struct socket_alloc, socket);
        const struct pid *peer = !before && BPF_CORE_READ(own, addr) ? BPF_CORE_READ(sk, sk_peer_pid) : NULL;
        __u32 number = 0;

        if (peer)
                bpf_probe_read_kernel(&number, sizeof(number),
                                (const void *)peer + bpf_core_field_offset(struct pid, numbers) +
                                                bpf_core_field_offset(struct upid, nr));
        object_set(o, BW_VIA_SOCKET, (__u64)sk,
                        number ? (__u64)number << 32 : BPF_CORE_READ(alloc, vfs_inode.i_ino), 0);
        o->address = (__u64)sk;
}

/* The sock behind a file that is a socket of this family, or NULL. */
static __always_inline const struct sock *file_sock(const struct inode *inode, __u16 family) {
        const struct socket_alloc *alloc =
                        (const void *)inode - bpf_core_field_offset(struct socket_alloc, vfs_inode);
        const struct sock *sk = READ_OFTEN(alloc, socket.sk);

        return READ_OFTEN(sk, __sk_common.skc_family) == family ? sk : NULL;
}

static __always_inline const struct sock *file_unix_sock(const struct inode *inode) {
        return file_sock(inode, AF_UNIX);
}

/* Netlink sockets of this protocol are there for processes: the kernel has none. With others, only root may
 * send to a process (net/netlink/af_netlink.c netlink_sendmsg(), NL_CFG_F_NONROOT_SEND). */
#define NETLINK_USERSOCK 2

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct net {
        struct ns_common ns;
};

struct sock_common___net {
        struct {
                struct net *net;
        } skc_net;
};

#pragma clang attribute pop

/* The network namespace of such a socket; 0: the file is none. Apart, as every read comes by. */
__noinline __u64 netlink_namespace(__u64 inode) {
        const struct sock *sk = file_sock((const struct inode *)inode, AF_NETLINK);

        return sk && BPF_CORE_READ(sk, sk_protocol) == NETLINK_USERSOCK
                               ? BPF_CORE_READ((const struct sock_common___net *)sk, skc_net.net, ns.inum)
                               : 0;
}

/* Those of a network namespace are one object, as what names the receiver is in the sender's memory. */
static __always_inline void object_of_netlink(struct object *o, const struct inode *inode) {
        __u64 namespace = netlink_namespace((__u64)inode);

        if (namespace)
                object_set(o, BW_VIA_SOCKET, namespace, NETLINK_USERSOCK, AF_NETLINK);
}
