/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What can carry a mark and is no process, and how it is known: a pipe, the receiving end of a unix socket, a file's inode,
 * memory. Never by a name. */

#include "taint.bpf.h"

/* include/uapi/linux/magic.h: what is read there was not written there. */
#define PROC_SUPER_MAGIC 0x9fa0
#define SYSFS_MAGIC 0x62656572
#define CGROUP_SUPER_MAGIC 0x27e0eb
#define CGROUP2_SUPER_MAGIC 0x63677270
#define DEBUGFS_MAGIC 0x64626720
#define TRACEFS_MAGIC 0x74726163
#define SECURITYFS_MAGIC 0x73636673
#define ANON_INODE_FS_MAGIC 0x09041934 /* regular files, by their mode, since 6.16 */

/* And these, and others that are not in that file: what is written there is somewhere else. */
#define NFS_SUPER_MAGIC 0x6969
#define SMB_SUPER_MAGIC 0x517b
#define CIFS_SUPER_MAGIC 0xff534d42
#define SMB2_SUPER_MAGIC 0xfe534d42
#define CODA_SUPER_MAGIC 0x73757245
#define AFS_SUPER_MAGIC 0x5346414f
#define AFS_FS_MAGIC 0x6b414653
#define V9FS_MAGIC 0x01021997
#define CEPH_SUPER_MAGIC 0x00c36400 /* include/linux/ceph/ceph_fs.h */
#define LUSTRE_SUPER_MAGIC 0x0bd00bd0 /* of a module that is not in the kernel's tree */
#define FUSE_SUPER_MAGIC 0x65735546

/* "fuse.NAME" in mount(8): how the names of those begin that bring files to another machine. */
#define FUSE_NAME_SIZE 8
static const char fuse_remote[][FUSE_NAME_SIZE] = {
        "sshfs", "rclone", "s3fs", "gcsfuse", "goofys", "geesefs", "juicefs", "davfs", "mountpo" /* mountpoint-s3 */,
        "blobfus" /* blobfuse2 */, "gluster" /* glusterfs */, "seaweed" /* seaweedfs */, "curlftp" /* curlftpfs */,
        "google-" /* google-drive-ocamlfuse */,
};

struct object {
        __u64 holder; /* 0: it is none */
        __u64 is;     /* start_boot_ns of its mark */
        __u32 via;    /* enum bw_via of what passes through it */
};

/* An object is what two hashes of it say. */
static __always_inline void object_set(struct object *o, enum bw_via via, __u64 a, __u64 b, __u64 c) {
        o->holder = BW_HOLDER_OBJECT | hash_mix(hash_mix(hash_mix(shared.name_seed, a), b), c);
        o->is = hash_mix(hash_mix(hash_mix(~shared.name_seed, c), b), a) | 1;
        o->via = via;
}

static __always_inline bool magic_is_kernels(__u64 magic) {
        return magic == PROC_SUPER_MAGIC || magic == SYSFS_MAGIC || magic == CGROUP2_SUPER_MAGIC ||
                magic == CGROUP_SUPER_MAGIC || magic == DEBUGFS_MAGIC || magic == TRACEFS_MAGIC ||
                magic == SECURITYFS_MAGIC || magic == ANON_INODE_FS_MAGIC;
}

/* Memory and message queues of System V's are known by their numbers in their namespace. In the number is a count of those that had
 * its place before (ipc/util.h ipc_buildid()). */
static __always_inline void object_of_ipc(struct object *o, enum bw_via via, int id) {
        object_set(o, via, BPF_CORE_READ(current_task(), nsproxy, ipc_ns, ns.inum), (__u32)id, via);
}

/* Is what is written to this file system sent to another machine? */
static __always_inline bool super_is_remote(const struct super_block *super) {
        __u64 magic = BPF_CORE_READ(super, s_magic), name = 0, remote;

        if (magic != FUSE_SUPER_MAGIC)
                return magic == NFS_SUPER_MAGIC || magic == SMB_SUPER_MAGIC || magic == CIFS_SUPER_MAGIC ||
                        magic == SMB2_SUPER_MAGIC || magic == CODA_SUPER_MAGIC || magic == AFS_SUPER_MAGIC ||
                        magic == AFS_FS_MAGIC || magic == V9FS_MAGIC || magic == CEPH_SUPER_MAGIC || magic == LUSTRE_SUPER_MAGIC;
        bpf_probe_read_kernel_str(&name, sizeof(name), BPF_CORE_READ(super, s_subtype));
        for (__u32 i = 0; i < sizeof(fuse_remote) / FUSE_NAME_SIZE; i++) {
                __builtin_memcpy(&remote, fuse_remote[i], FUSE_NAME_SIZE);
                if (name == remote)
                        return true;
        }
        return false;
}

/* A pipe, a FIFO, a regular file. The inodes of pipes are numbered anew when the numbers wrap; their addresses differ as
 * long as both are there. */
static __always_inline void object_of_inode(struct object *o, const struct inode *inode) {
        __u32 type = READ_OFTEN(inode, i_mode) & S_IFMT;
        __u64 number = READ_OFTEN(inode, i_ino), device = READ_OFTEN(inode, i_sb, s_dev);

        o->holder = 0;
        if (type == S_IFIFO) {
                object_set(o, BW_VIA_PIPE, device, number, (__u64)inode);
                return;
        }
        if (type != S_IFREG)
                return;
        __u64 magic = READ_OFTEN(inode, i_sb, s_magic);
        if (magic == FUSE_SUPER_MAGIC) /* the next one that is mounted has the same device, and numbers its inodes from 2 on */
                device = BPF_CORE_READ(inode, i_sb, s_bdi, id);
        if (!magic_is_kernels(magic)) {
                object_set(o, BW_VIA_FILE, device, number, READ_OFTEN(inode, i_generation));
        }
}

/* What is written to a unix socket waits at the other end. Addresses come again, so there is more to it: the number of its inode.
 * One that has not been accepted yet has none; it and the accepted one, which have their listener's address, are known by the
 * number of the process that connected them. */
static __always_inline void object_of_sock(struct object *o, const struct sock *sk) {
        const struct unix_sock *own = (const struct unix_sock *)sk;
        const struct socket_alloc *alloc =
                (const void *)BPF_CORE_READ(sk, sk_socket) - bpf_core_field_offset(struct socket_alloc, socket);
        const struct pid *peer = BPF_CORE_READ(own, addr) ? BPF_CORE_READ(sk, sk_peer_pid) : NULL;
        __u32 number = 0;

        if (peer)
                bpf_probe_read_kernel(&number, sizeof(number), (const void *)peer + bpf_core_field_offset(struct pid, numbers) +
                        bpf_core_field_offset(struct upid, nr));
        object_set(o, BW_VIA_SOCKET, (__u64)sk, number ? (__u64)number << 32 : BPF_CORE_READ(alloc, vfs_inode.i_ino), 0);
}

/* The sock behind a file that is a unix socket, or NULL. */
static __always_inline const struct sock *file_unix_sock(const struct inode *inode) {
        const struct socket_alloc *alloc = (const void *)inode - bpf_core_field_offset(struct socket_alloc, vfs_inode);
        const struct sock *sk = BPF_CORE_READ(alloc, socket.sk);

        return BPF_CORE_READ(sk, __sk_common.skc_family) == AF_UNIX ? sk : NULL;
}
