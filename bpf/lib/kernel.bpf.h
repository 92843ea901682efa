/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The kernel's types, declared by hand: only the fields that we read, relocated against the running kernel's
 * BTF when the programs are loaded (CO-RE). The build needs no BTF, and this file lists what we depend on.
 * Field order and gaps are meaningless. A name with ___ is a flavour: the same type in another kernel
 * version. */

#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_endian.h>

/* The verifier refuses arithmetic on a pointer that has not been compared with NULL. Compilers since clang
 * 21 may add to it first and compare afterwards, as the addition alone does no harm. Here the pointer
 * becomes a new value in the branch where it is not NULL, so that nothing can be computed from it before.
 * Not for bpf_ringbuf_reserve(): the second comparison of the caller costs nothing for the value of a map,
 * but kernels before 6.2 or so also follow the other branch for a record, and miss its release there. Not
 * for older compilers either, whose code kernels 5.10 and 6.1 take as it is: there the new value hides from
 * them how offsets are made. */
#if __clang_major__ >= 20
#define CHECKED_FIRST(call)                                                                                 \
        ({                                                                                                  \
                void *__result = (call);                                                                    \
                if (__result)                                                                               \
                        barrier_var(__result);                                                              \
                __result;                                                                                   \
        })
#define bpf_map_lookup_elem(...) CHECKED_FIRST((bpf_map_lookup_elem)(__VA_ARGS__))
#endif

/* The index below `size`, a power of two. A compiler that has seen a comparison drops the mask, and may
 * compare another register than the one that it uses then: the verifier needs the mask, and gets it here. */
#define INDEX_BELOW(index, size)                                                                            \
        ({                                                                                                  \
                __u64 __index = (index);                                                                    \
                barrier_var(__index);                                                                       \
                __index &((size)-1);                                                                        \
        })

/* Adds n to a word that other CPUs change, too; the compiler moves no access across it. Not
 * __sync_fetch_and_add(): for that, compilers since clang 21 return the value before, even to nobody, by an
 * instruction that kernel 5.10 does not know. */
#define ATOMIC_ADD(word, n)                                                                                 \
        ({                                                                                                  \
                barrier();                                                                                  \
                (void)__atomic_fetch_add((word), (n), __ATOMIC_RELAXED);                                    \
                barrier();                                                                                  \
        })

/* Reading through a pointer whose type the verifier knows is one instruction; the helper that
 * BPF_CORE_READ() calls takes ten nanoseconds, and an open needs some thirty reads. Since 6.2
 * bpf_rdonly_cast() makes such a pointer from any number: a chain of fields is then read directly, and an
 * unreadable field is 0, as with the helper. The kernel's BTF shows whether the function exists, as the
 * verifier lists such functions in an enum; where it does not, the loader leaves a call that is never
 * reached. */
extern void *bpf_rdonly_cast(const void *object, __u32 btf_id) __ksym __weak;

enum special_kfunc_type {
        KF_bpf_rdonly_cast = 1,
};
#define READS_ARE_DIRECT bpf_core_enum_value_exists(enum special_kfunc_type, KF_bpf_rdonly_cast)

/* A kernel object's address as a number. To the verifier the arguments of LSM and fexit programs, and values
 * read through a typed pointer, are pointers, which a global function does not accept. Negating a value
 * makes it a number. */
static __always_inline __u64 address_of(const void *object) {
        __u64 address = (__u64)object;

        asm volatile("%0 = -%0\n%0 = -%0" : "+r"(address));
        return address;
}

#define POINTER_CLASS 5 /* __builtin_classify_type() */
#define UNQUALIFIED(value) typeof(((void)0, value))

/* BPF_CORE_READ() for the paths that every open or system call takes. Not used everywhere, as the verifier
 * takes twice as long for such a read, and there are hundreds. */
#define READ_OFTEN(src, a, ...)                                                                             \
        ({                                                                                                  \
                UNQUALIFIED(___arrow((src), a, ##__VA_ARGS__)) __value;                                     \
                if (READS_ARE_DIRECT) {                                                                     \
                        typeof(src) __from = bpf_rdonly_cast(                                               \
                                        (const void *)(src), bpf_core_type_id_kernel(UNQUALIFIED(*(src)))); \
                        __value = ___arrow(__from, a, ##__VA_ARGS__);                                       \
                        __value = (typeof(__value))__builtin_choose_expr(                                   \
                                        __builtin_classify_type(__value) == POINTER_CLASS,                  \
                                        address_of((const void *)(__u64)__value), __value);                 \
                } else {                                                                                    \
                        BPF_CORE_READ_INTO(&__value, (src), a, ##__VA_ARGS__);                              \
                }                                                                                           \
                __value;                                                                                    \
        })

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct inode;
struct dentry;
struct vfsmount;
struct mount;
struct socket;
struct mm_struct;
struct mnt_namespace;
struct pid;
struct callback_head;

/* include/linux/dcache.h. hash_len: length in the upper half, whatever the byte order (HASH_LEN_DECLARE). */
struct qstr {
        __u64 hash_len;
        const unsigned char *name;
};

struct hlist_node {
        struct hlist_node *next;
};

struct hlist_head {
        struct hlist_node *first;
};

struct dentry {
        unsigned int d_flags;
        struct dentry *d_parent;
        struct qstr d_name;
        struct inode *d_inode;
        struct super_block *d_sb;
        struct seqcount_spinlock {
        } d_seq; /* a number */
        unsigned char d_iname[1];
        union {
                struct hlist_node d_alias; /* the next dentry of the same inode */
        } d_u;
};

struct dentry___newer {
        union {
        } d_shortname;
        struct hlist_node d_alias;
};

struct list_head {
        struct list_head *next;
};

/* The cached entries of a directory: since 6.8, and before. */
struct dentry___since_6_8 {
        struct hlist_node d_sib;
        struct hlist_head d_children;
};

struct dentry___before_6_8 {
        struct list_head d_child;
        struct list_head d_subdirs;
};

typedef struct {
        int counter;
} atomic_t;

typedef struct {
        unsigned int val;
} kuid_t;

typedef struct {
        unsigned int val;
} kgid_t;

struct backing_dev_info {
        unsigned long long id; /* counted since boot */
};

struct file_system_type {
        const char *name;
};

struct super_block {
        unsigned int s_dev;
        struct user_namespace *s_user_ns;
        void *s_bdev; /* the disk */
        struct file_system_type *s_type;
        unsigned long s_magic;
        struct backing_dev_info *s_bdi;
        const char *s_subtype; /* of "fuse.NAME" */
        struct dentry *s_root;
        struct mount *s_mounts; /* since 6.18 */
};

struct super_block___before_6_18 {
        struct list_head s_mounts;
};

struct mount___before_6_18 {
        struct list_head mnt_instance;
};

struct rb_node {
        struct rb_node *rb_left;
};

struct rb_root {
        struct rb_node *rb_node;
};

struct rb_root_cached {
        struct rb_root rb_root;
};

struct address_space {
        struct rb_root_cached i_mmap; /* the mappings of a file */
};

typedef struct {
        long counter;
} atomic_long_t;

/* Without the owner in kernels with CONFIG_PREEMPT_RT. */
struct rw_semaphore {
        atomic_long_t owner;
};

struct inode {
        struct rw_semaphore i_rwsem;
        unsigned short i_mode;
        kuid_t i_uid;
        kgid_t i_gid;
        struct super_block *i_sb;
        struct address_space *i_mapping;
        unsigned long i_ino;
        __u32 i_generation;
        unsigned int i_rdev, i_nlink;
        atomic_t i_count;           /* who uses it */
        struct list_head i_sb_list; /* of its file system's inodes; to itself: it has left the cache */
        struct hlist_head i_dentry; /* its dentries that the cache knows: its names */
};

/* fs/proc/internal.h: contains every inode of procfs; pid is the process or thread that the file is about.
 */
struct proc_inode {
        struct pid *pid;
        struct inode vfs_inode;
};

struct path {
        struct vfsmount *mnt;
        struct dentry *dentry;
};

struct cred;

struct file {
        unsigned int f_mode, f_flags;
        const struct cred *f_cred;
        struct inode *f_inode;
        struct path f_path;
        void *private_data;
};

struct vm_area_struct {
        struct file *vm_file;
};

/* include/net/sock.h. Addresses and skc_dport are in network order, skc_num in the host's. */
struct in6_addr {
        union {
                __u8 u6_addr8[16];
        } in6_u;
};

struct sock_common {
        __u32 skc_daddr;
        __u16 skc_dport;
        __u16 skc_num;
        unsigned short skc_family;
        volatile unsigned char skc_state;
        struct in6_addr skc_v6_daddr;
        struct {
                atomic_t refs;
        } skc_refcnt;
};

struct sock {
        struct sock_common __sk_common;
        __u16 sk_type;
        __u16 sk_protocol;
        __u32 sk_max_ack_backlog;
        struct pid *sk_peer_pid; /* of a unix socket: the peer at connect time */
        struct socket *sk_socket;
};

struct socket {
        struct file *file;
        struct sock *sk;
};

/* include/net/sock.h: contains every inode of sockfs. */
struct socket_alloc {
        struct socket socket;
        struct inode vfs_inode;
};

/* include/net/af_unix.h. path: where the socket is bound to, or, of an accepted one, the socket that
 * listened. */
struct unix_sock {
        struct unix_address *addr; /* what it is bound to; of an accepted one, the listener's */
        struct path path;
        struct sock *peer;
};

/* include/trace/events/sock.h: this type exists where the tracepoint does. */
typedef void (*btf_trace_sock_send_length)(void *, struct sock *, int, int);

/* net/packet/internal.h: the interface it is bound to */
struct packet_sock {
        int ifindex;
};

/* include/net/flow.h, inet_sock.h, linux/udp.h: a corked datagram */
struct flowi4 {
        __u32 daddr;
        union {
                struct {
                        __u16 dport;
                } ports;
        } uli;
};

struct flowi6 {
        struct in6_addr daddr;
        union {
                struct {
                        __u16 dport;
                } ports;
        } uli;
};

struct flowi {
        union {
                struct flowi4 ip4;
                struct flowi6 ip6;
        } u;
};

struct inet_cork_full {
        struct flowi fl;
};

struct inet_sock {
        struct inet_cork_full cork;
        __be16 inet_sport;
};

struct udp_sock {
        int pending; /* AF_INET, AF_INET6: it has begun */
};

/* include/linux/tty.h. link: the other end of a pseudo-terminal, which no other terminal has. */
struct tty_port;

struct tty_struct {
        struct tty_port *port;
        struct tty_struct *link;
        void *driver_data; /* of the end that programs run on: its dentry in devpts */
};

struct tty_file_private {
        struct tty_struct *tty;
};

struct kiocb {
        struct file *ki_filp;
};

struct msghdr {
        void *msg_name;
        int msg_namelen;
};

/* fs/mount.h */
struct vfsmount {
        struct dentry *mnt_root;
        int mnt_flags;
        void *mnt_idmap; /* which users its owners are shown as; since 6.2 */
};

struct vfsmount___before_6_2 {
        void *mnt_userns; /* since 5.12 */
};

struct mount {
        struct mount *mnt_parent;
        struct dentry *mnt_mountpoint;
        struct vfsmount mnt;
        struct mnt_namespace *mnt_ns;
        struct mount *mnt_next_for_sb; /* since 6.18 */
};

struct fs_struct {
        struct path root, pwd;
};

/* include/linux/fdtable.h */
struct fdtable {
        unsigned int max_fds;
        struct file **fd;
};

struct files_struct {
        atomic_t count; /* tasks that have it */
        struct fdtable *fdt;
};

struct mm_struct {
        struct file *exe_file;
        unsigned long arg_start, arg_end, env_start, env_end;
};

/* In task_struct.exit_state: it has exited, and its parent has not noticed yet. */
#define EXIT_ZOMBIE 0x20

/* include/linux/pid_types.h */
#define PIDTYPE_SID 3

struct signal_struct {
        atomic_t live;
        struct pid *pids[4];
};

struct user_namespace {
        struct user_namespace *parent;
        kuid_t owner;
};

struct cred {
        kuid_t uid, euid;
        kgid_t gid, egid;
        struct user_namespace *user_ns;
};

struct ns_common {
        unsigned int inum;
};

struct mnt_namespace {
        struct ns_common ns;
        struct user_namespace *user_ns;
};

/* include/linux/idr.h, xarray.h */
struct xarray {
        void *xa_head;
};

struct idr {
        struct xarray idr_rt;
};

struct xa_node {
        unsigned char shift;
        void *slots[64];
};

struct pid_namespace {
        struct idr idr; /* of struct pid, by their numbers in it */
        struct task_struct *child_reaper;
        struct ns_common ns;
};

struct css_set;

struct cgroup_namespace {
        struct css_set *root_cset;
};

struct ipc_namespace {
        struct ns_common ns;
};

struct nsproxy {
        struct ipc_namespace *ipc_ns;
        struct mnt_namespace *mnt_ns;
        struct cgroup_namespace *cgroup_ns;
};

struct upid {
        int nr;
        struct pid_namespace *ns;
};

struct pid {
        struct hlist_head tasks[1]; /* PIDTYPE_PID: the one task that has this number, by its pid_links[0] */
        unsigned int level;
        struct upid numbers[1];
};

/* fs/kernfs: the parent was renamed when it became RCU-protected (6.15). */
struct kernfs_node {
        const char *name;
        __u64 id;
        struct kernfs_node *__parent;
};

struct kernfs_node___before_6_15 {
        struct kernfs_node *parent;
};

struct cgroup {
        struct kernfs_node *kn;
};

struct css_set {
        struct cgroup *dfl_cgrp;
};

#if defined(__TARGET_ARCH_x86)
struct thread_info {
        __u32 status;
};
#else
struct thread_info {
        unsigned long flags;
};
#endif

struct task_struct {
        struct thread_info thread_info;
        unsigned int flags;
        int pid, tgid, exit_state;
        __u64 start_boottime;
        struct task_struct *real_parent, *parent, *group_leader;
        struct mm_struct *mm;
        const struct cred *cred;
        kuid_t loginuid;
        char comm[16];
        unsigned int ptrace;
        struct fs_struct *fs;
        void *vfork_done; /* of a child of vfork(2), which runs, until it executes a program or ends */
        struct files_struct *files;
        struct nsproxy *nsproxy;
        struct signal_struct *signal;
        struct pid *thread_pid;
        struct hlist_node pid_links[1];
        struct css_set *cgroups;
        struct io_uring_task *io_uring;
        struct callback_head *task_works;
};

struct bpf_iter_meta;

struct bpf_iter__task {
        struct bpf_iter_meta *meta;
        struct task_struct *task;
};

struct bpf_iter__task_vma {
        struct bpf_iter_meta *meta;
        struct task_struct *task;
        struct vm_area_struct *vma;
};

struct bpf_iter__task_file {
        struct bpf_iter_meta *meta;
        struct task_struct *task;
        struct file *file;
};

/* The only place that knows registers: the number of the system call, whether it came through the 32-bit
 * interface, which has other numbers, and its arguments. */
#if defined(__TARGET_ARCH_x86)
struct pt_regs {
        unsigned long orig_ax, bx, cx, dx, si, di, r8, r10;
};
#define SYSCALL_NUMBER(regs) ((int)(regs)->orig_ax)
#define TS_COMPAT 0x0002 /* arch/x86/include/asm/thread_info.h */
#define SYSCALL_IS_COMPAT(task) (READ_OFTEN(task, thread_info.status) & TS_COMPAT)
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
        unsigned long regs[31];
        unsigned long orig_x0;
        int syscallno;
};
#define SYSCALL_NUMBER(regs) ((regs)->syscallno)
#define TIF_32BIT 22 /* arch/arm64/include/asm/thread_info.h */
#define SYSCALL_IS_COMPAT(task) (READ_OFTEN(task, thread_info.flags) & (1UL << TIF_32BIT))
#else
#error "Barbwire knows the registers of x86_64 and arm64 only."
#endif

#pragma clang attribute pop

/* include/linux/fs.h, include/uapi/linux/stat.h */
#define FMODE_READ 0x1
#define FMODE_WRITE 0x2
#define FMODE_EXEC 0x20            /* in f_flags: exec opened it */
#define FMODE_NOACCOUNT 0x20000000 /* opened by a file system for itself: the file below an overlay's */
#define S_IFMT 00170000
#define S_IFDIR 0040000
#define S_IFREG 0100000
#define S_IFIFO 0010000
#define S_IFSOCK 0140000
#define S_IROTH 0004

/* include/linux/dcache.h: the dentry is not connected to the tree (a file opened by its handle). */
#define DCACHE_DISCONNECTED 0x20

#define AF_UNSPEC 0
#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define AF_KEY 15
#define AF_NETLINK 16
#define AF_PACKET 17
#define AF_ALG 38
#define AF_VSOCK 40
#define AF_XDP 44

/* include/linux/net.h, include/net/tcp_states.h */
#define SOCK_STREAM 1
#define SOCK_PACKET 10 /* of AF_PACKET, with an address of its own kind */
#define TCP_CLOSE 7

/* include/linux/ptrace.h: access to the memory, not only to other files of /proc/PID; requested by a system
 * call, not by opening a file of /proc. */
#define PTRACE_MODE_ATTACH 0x02
#define PTRACE_MODE_REALCREDS 0x10
#define FOLL_WRITE 0x01 /* include/linux/mm_types.h */

/* include/linux/fs.h: masks of file_permission */
#define MAY_WRITE 0x2
#define MAY_READ 0x4

/* include/linux/mman.h */
#define PROT_EXEC 0x4
#define MAP_SHARED 0x1 /* and MAP_SHARED_VALIDATE: 0x3 */
#define MAP_ANONYMOUS 0x20

/* include/linux/err.h, include/uapi/asm-generic/errno*.h; fs/mount.h MNT_NS_INTERNAL: of a mount that the
 * kernel keeps to itself. */
#define MAX_ERRNO 4095
#define E2BIG 7
#define EEXIST 17
#define EINVAL 22
#define ENOSYS 38
#define MNT_NS_INTERNAL ((__u64)-EINVAL)

/* include/linux/mount.h */
#define MNT_NOSUID 0x01

/* include/linux/sched.h */
#define PF_KTHREAD 0x00200000
#define PF_IO_WORKER 0x00000010 /* of io_uring */

/* include/linux/rwsem.h, kernel/locking/rwsem.c: flags in the address of the task that holds it for writing.
 */
#define RWSEM_OWNER_FLAGS 0x7

static __always_inline struct task_struct *current_task(void) {
        return (struct task_struct *)bpf_get_current_task();
}

/* CLOCK_BOOTTIME of the process's start: tells the owners of one PID apart. */
static __always_inline __u64 task_start(struct task_struct *task) {
        return BPF_CORE_READ(task, group_leader, start_boottime);
}

/* The PID namespace that a task is in: that of the last of its numbers. */
static __always_inline struct pid_namespace *task_pid_namespace(struct task_struct *task) {
        struct pid *pid = BPF_CORE_READ(task, thread_pid);
        struct pid_namespace *ns = NULL;

        bpf_probe_read_kernel(&ns, sizeof(ns),
                        (void *)pid + bpf_core_field_offset(struct pid, numbers) +
                                        BPF_CORE_READ(pid, level) * bpf_core_type_size(struct upid) +
                                        bpf_core_field_offset(struct upid, ns));
        return ns;
}

/* The parent of a kernfs node; NULL above the root. */
static __always_inline struct kernfs_node *kernfs_up(struct kernfs_node *node) {
        if (bpf_core_field_exists(struct kernfs_node, __parent))
                return BPF_CORE_READ(node, __parent);

        struct kernfs_node___before_6_15 *before = (struct kernfs_node___before_6_15 *)node;
        return BPF_CORE_READ(before, parent);
}

/* The file of a descriptor of `task`, or NULL. */
static __always_inline struct file *descriptor_file(struct task_struct *task, long fd) {
        struct fdtable *table = READ_OFTEN(task, files, fdt);
        struct file **files = READ_OFTEN(table, fd);

        if (fd < 0 || fd >= READ_OFTEN(table, max_fds))
                return NULL;
        return (struct file *)READ_OFTEN(
                        (const struct hlist_head *)(files + fd), first); /* a pointer, whose ever */
}
