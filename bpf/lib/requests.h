/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What is chosen by a number within a system call, and the families of sockets: as lib/calls.h, and compared
 * with the kernel's headers by the same test. moves is what it says there. */

#include "lib/calls.h"

/* clang-format off */

/* Operations of io_uring: IORING_OP_NAME of include/uapi/linux/io_uring.h. X(name, number, moves, body);
 * body: enum operation, without its prefix. */
#define BW_OPERATIONS(X)                                                                                   \
        X(NOP,                    0, NONE, NOTHING)                                                        \
        X(READV,                  1, IN,   READ)                                                           \
        X(WRITEV,                 2, OUT,  WRITE)                                                          \
        X(FSYNC,                  3, NONE, NOTHING)                                                        \
        X(READ_FIXED,             4, IN,   READ)                                                           \
        X(WRITE_FIXED,            5, OUT,  WRITE)                                                          \
        X(POLL_ADD,               6, IN,   FEW)                                                            \
        X(POLL_REMOVE,            7, NONE, NOTHING)                                                        \
        X(SYNC_FILE_RANGE,        8, NONE, NOTHING)                                                        \
        X(SENDMSG,                9, OUT,  WRITE)                                                          \
        X(RECVMSG,               10, IN,   READ)                                                           \
        X(TIMEOUT,               11, NONE, NOTHING)                                                        \
        X(TIMEOUT_REMOVE,        12, NONE, NOTHING)                                                        \
        X(ACCEPT,                13, BOTH, ELSEWHERE)                                                      \
        X(ASYNC_CANCEL,          14, NONE, NOTHING)                                                        \
        X(LINK_TIMEOUT,          15, NONE, NOTHING)                                                        \
        X(CONNECT,               16, OUT,  CONNECT)                                                        \
        X(FALLOCATE,             17, OUT,  FEW)                                                            \
        X(OPENAT,                18, IN,   OPEN)                                                           \
        X(CLOSE,                 19, NONE, NOTHING)                                                        \
        X(FILES_UPDATE,          20, NONE, NOTHING)                                                        \
        X(STATX,                 21, IN,   FEW)                                                            \
        X(READ,                  22, IN,   READ)                                                           \
        X(WRITE,                 23, OUT,  WRITE)                                                          \
        X(FADVISE,               24, NONE, NOTHING)                                                        \
        X(MADVISE,               25, NONE, NOTHING)                                                        \
        X(SEND,                  26, OUT,  WRITE)                                                          \
        X(RECV,                  27, IN,   READ)                                                           \
        X(OPENAT2,               28, IN,   OPEN)                                                           \
        X(EPOLL_CTL,             29, OUT,  FEW)                                                            \
        X(SPLICE,                30, BOTH, MOVE)                                                           \
        X(PROVIDE_BUFFERS,       31, NONE, NOTHING)                                                        \
        X(REMOVE_BUFFERS,        32, NONE, NOTHING)                                                        \
        X(TEE,                   33, BOTH, MOVE)                                                           \
        X(SHUTDOWN,              34, OUT,  FEW)                                                            \
        X(RENAMEAT,              35, OUT,  HOLE)                                                           \
        X(UNLINKAT,              36, OUT,  FEW)                                                            \
        X(MKDIRAT,               37, OUT,  HOLE)                                                           \
        X(SYMLINKAT,             38, OUT,  HOLE)                                                           \
        X(LINKAT,                39, OUT,  HOLE)                                                           \
        X(MSG_RING,              40, OUT,  FEW)                                                            \
        X(FSETXATTR,             41, OUT,  HOLE)                                                           \
        X(SETXATTR,              42, OUT,  HOLE)                                                           \
        X(FGETXATTR,             43, IN,   HOLE)                                                           \
        X(GETXATTR,              44, IN,   HOLE)                                                           \
        X(SOCKET,                45, NONE, NOTHING)                                                        \
        X(URING_CMD,             46, BOTH, HOLE)                                                           \
        X(SEND_ZC,               47, OUT,  WRITE)                                                          \
        X(SENDMSG_ZC,            48, OUT,  WRITE)                                                          \
        X(READ_MULTISHOT,        49, IN,   READ)                                                           \
        X(WAITID,                50, IN,   FEW)                                                            \
        X(FUTEX_WAIT,            51, IN,   FEW)                                                            \
        X(FUTEX_WAKE,            52, OUT,  FEW)                                                            \
        X(FUTEX_WAITV,           53, IN,   FEW)                                                            \
        X(FIXED_FD_INSTALL,      54, IN,   INSTALL)                                                        \
        X(FTRUNCATE,             55, OUT,  FEW)                                                            \
        X(BIND,                  56, OUT,  HOLE)                                                           \
        X(LISTEN,                57, NONE, NOTHING)                                                        \
        X(RECV_ZC,               58, IN,   READ)                                                           \
        X(EPOLL_WAIT,            59, IN,   FEW)                                                            \
        X(READV_FIXED,           60, IN,   READ)                                                           \
        X(WRITEV_FIXED,          61, OUT,  WRITE)                                                          \
        X(PIPE,                  62, NONE, NOTHING)                                                        \
        X(NOP128,                63, NONE, NOTHING)                                                        \
        X(URING_CMD128,          64, BOTH, HOLE)

/* Requests of io_uring_register(2): IORING_NAME there. X(name, number, moves, body); body: enum registration, without
 * its prefix. A file is examined when a request takes it from the ring's table. */
#define BW_REGISTRATIONS(X)                                                                                \
        X(REGISTER_BUFFERS,            0, BOTH, BUFFERS)                                                   \
        X(UNREGISTER_BUFFERS,          1, NONE, NOTHING)                                                   \
        X(REGISTER_FILES,              2, BOTH, ELSEWHERE)                                                 \
        X(UNREGISTER_FILES,            3, NONE, NOTHING)                                                   \
        X(REGISTER_EVENTFD,            4, OUT,  FEW)                                                       \
        X(UNREGISTER_EVENTFD,          5, NONE, NOTHING)                                                   \
        X(REGISTER_FILES_UPDATE,       6, BOTH, ELSEWHERE)                                                 \
        X(REGISTER_EVENTFD_ASYNC,      7, OUT,  FEW)                                                       \
        X(REGISTER_PROBE,              8, NONE, NOTHING)                                                   \
        X(REGISTER_PERSONALITY,        9, NONE, NOTHING)                                                   \
        X(UNREGISTER_PERSONALITY,     10, NONE, NOTHING)                                                   \
        X(REGISTER_RESTRICTIONS,      11, NONE, NOTHING)                                                   \
        X(REGISTER_ENABLE_RINGS,      12, NONE, NOTHING)                                                   \
        X(REGISTER_FILES2,            13, BOTH, ELSEWHERE)                                                 \
        X(REGISTER_FILES_UPDATE2,     14, BOTH, ELSEWHERE)                                                 \
        X(REGISTER_BUFFERS2,          15, BOTH, BUFFERS)                                                   \
        X(REGISTER_BUFFERS_UPDATE,    16, BOTH, BUFFERS)                                                   \
        X(REGISTER_IOWQ_AFF,          17, NONE, NOTHING)                                                   \
        X(UNREGISTER_IOWQ_AFF,        18, NONE, NOTHING)                                                   \
        X(REGISTER_IOWQ_MAX_WORKERS,  19, NONE, NOTHING)                                                   \
        X(REGISTER_RING_FDS,          20, NONE, NOTHING)                                                   \
        X(UNREGISTER_RING_FDS,        21, NONE, NOTHING)                                                   \
        X(REGISTER_PBUF_RING,         22, NONE, NOTHING)                                                   \
        X(UNREGISTER_PBUF_RING,       23, NONE, NOTHING)                                                   \
        X(REGISTER_SYNC_CANCEL,       24, NONE, NOTHING)                                                   \
        X(REGISTER_FILE_ALLOC_RANGE,  25, NONE, NOTHING)                                                   \
        X(REGISTER_PBUF_STATUS,       26, NONE, NOTHING)                                                   \
        X(REGISTER_NAPI,              27, NONE, NOTHING)                                                   \
        X(UNREGISTER_NAPI,            28, NONE, NOTHING)                                                   \
        X(REGISTER_CLOCK,             29, NONE, NOTHING)                                                   \
        X(REGISTER_CLONE_BUFFERS,     30, BOTH, BUFFERS)                                                   \
        X(REGISTER_SEND_MSG_RING,     31, OUT,  FEW)                                                       \
        X(REGISTER_ZCRX_IFQ,          32, NONE, NOTHING)                                                   \
        X(REGISTER_RESIZE_RINGS,      33, NONE, NOTHING)                                                   \
        X(REGISTER_MEM_REGION,        34, NONE, NOTHING)                                                   \
        X(REGISTER_QUERY,             35, NONE, NOTHING)                                                   \
        X(REGISTER_ZCRX_CTRL,         36, BOTH, HOLE)                                                      \
        X(REGISTER_BPF_FILTER,        37, NONE, NOTHING)

/* Flags of requests, IOSQE_NAME there, and of those that send and receive, IORING_NAME; flags of a ring,
 * IORING_SETUP_NAME. X(name, number, body). FOLLOWED: it changes what is moved, or which hook fires, and these
 * programs know it; IGNORED: it does not change that. */
#define BW_REQUEST_FLAGS(X)                                                                                \
        X(FIXED_FILE,           0x1,  FOLLOWED)                                                           \
        X(IO_DRAIN,             0x2,  IGNORED)                                                            \
        X(IO_LINK,              0x4,  IGNORED)                                                            \
        X(IO_HARDLINK,          0x8,  IGNORED)                                                            \
        X(ASYNC,                0x10, IGNORED)                                                             \
        X(BUFFER_SELECT,        0x20, IGNORED)                                                             \
        X(CQE_SKIP_SUCCESS,     0x40, FOLLOWED)

#define BW_SOCKET_FLAGS(X)                                                                                 \
        X(RECVSEND_POLL_FIRST,  0x1,   IGNORED)                                                            \
        X(RECV_MULTISHOT,       0x2,   FOLLOWED)                                                           \
        X(RECVSEND_FIXED_BUF,   0x4,   IGNORED)                                                            \
        X(SEND_ZC_REPORT_USAGE, 0x8,   IGNORED)                                                            \
        X(RECVSEND_BUNDLE,      0x10,  IGNORED)                                                            \
        X(SEND_VECTORIZED,      0x20,  IGNORED)

#define BW_RING_FLAGS(X)                                                                                   \
        X(IOPOLL,               0x1,       IGNORED)                                                        \
        X(SQPOLL,               0x2,       IGNORED)                                                        \
        X(SQ_AFF,               0x4,       IGNORED)                                                        \
        X(CQSIZE,               0x8,       IGNORED)                                                        \
        X(CLAMP,                0x10,      IGNORED)                                                        \
        X(ATTACH_WQ,            0x20,      IGNORED)                                                        \
        X(R_DISABLED,           0x40,      IGNORED)                                                        \
        X(SUBMIT_ALL,           0x80,      IGNORED)                                                        \
        X(COOP_TASKRUN,         0x100,     IGNORED)                                                        \
        X(TASKRUN_FLAG,         0x200,     IGNORED)                                                        \
        X(SQE128,               0x400,     IGNORED)                                                        \
        X(CQE32,                0x800,     IGNORED)                                                        \
        X(SINGLE_ISSUER,        0x1000,    IGNORED)                                                        \
        X(DEFER_TASKRUN,        0x2000,    IGNORED)                                                        \
        X(NO_MMAP,              0x4000,    IGNORED)                                                        \
        X(REGISTERED_FD_ONLY,   0x8000,    IGNORED)                                                        \
        X(NO_SQARRAY,           0x10000,   IGNORED)                                                        \
        X(HYBRID_IOPOLL,        0x20000,   IGNORED)                                                        \
        X(CQE_MIXED,            0x40000,   IGNORED)                                                        \
        X(SQE_MIXED,            0x80000,   IGNORED)                                                        \
        X(SQ_REWIND,            0x100000,  IGNORED)

/* Requests of ptrace(2): PTRACE_NAME of include/uapi/linux/ptrace.h, and of asm/ptrace*.h of x86 (where both
 * interfaces have the same numbers), arm64 and arm. X(name, x86, arm64, arm, moves, body); moves, as the tracer
 * sees it; body: enum trace, without its prefix. */
#define BW_TRACES(X)                                                                                       \
        X(TRACEME,                            0,      0,      0, NONE, NOTHING)                            \
        X(PEEKTEXT,                           1,      1,      1, IN,   READS)                              \
        X(PEEKDATA,                           2,      2,      2, IN,   READS)                              \
        X(PEEKUSR,                            3,      3,      3, IN,   READS)                              \
        X(POKETEXT,                           4,      4,      4, OUT,  WRITES)                             \
        X(POKEDATA,                           5,      5,      5, OUT,  WRITES)                             \
        X(POKEUSR,                            6,      6,      6, OUT,  WRITES)                             \
        X(CONT,                               7,      7,      7, OUT,  FEW)                                \
        X(KILL,                               8,      8,      8, OUT,  FEW)                                \
        X(SINGLESTEP,                         9,      9,      9, OUT,  FEW)                                \
        X(GETREGS,                           12,     NA,     12, IN,   READS)                              \
        X(SETREGS,                           13,     NA,     13, OUT,  WRITES)                             \
        X(GETFPREGS,                         14,     NA,     14, IN,   READS)                              \
        X(SETFPREGS,                         15,     NA,     15, OUT,  WRITES)                             \
        X(ATTACH,                            16,     16,     16, BOTH, ATTACHES)                           \
        X(DETACH,                            17,     17,     17, OUT,  FEW)                                \
        X(GETFPXREGS,                        18,     NA,     NA, IN,   READS)                              \
        X(SETFPXREGS,                        19,     NA,     NA, OUT,  WRITES)                             \
        X(GETWMMXREGS,                       NA,     NA,     18, IN,   READS)                              \
        X(SETWMMXREGS,                       NA,     NA,     19, OUT,  WRITES)                             \
        X(OLDSETOPTIONS,                     21,     NA,     21, NONE, NOTHING)                            \
        X(SYSCALL,                           24,     24,     24, OUT,  FEW)                                \
        X(GET_THREAD_AREA,                   25,     NA,     22, IN,   READS)                              \
        X(SET_THREAD_AREA,                   26,     NA,     NA, OUT,  WRITES)                             \
        X(SET_SYSCALL,                       NA,     NA,     23, OUT,  WRITES)                             \
        X(GETCRUNCHREGS,                     NA,     NA,     25, IN,   READS)                              \
        X(SETCRUNCHREGS,                     NA,     NA,     26, OUT,  WRITES)                             \
        X(GETVFPREGS,                        NA,     NA,     27, IN,   READS)                              \
        X(SETVFPREGS,                        NA,     NA,     28, OUT,  WRITES)                             \
        X(GETHBPREGS,                        NA,     NA,     29, IN,   READS)                              \
        X(SETHBPREGS,                        NA,     NA,     30, OUT,  WRITES)                             \
        X(GETFDPIC,                          NA,     NA,     31, IN,   READS)                              \
        X(ARCH_PRCTL,                        30,     NA,     NA, BOTH, SWAPS)                              \
        X(SYSEMU,                            31,     31,     NA, OUT,  FEW)                                \
        X(SYSEMU_SINGLESTEP,                 32,     32,     NA, OUT,  FEW)                                \
        X(SINGLEBLOCK,                       33,     NA,     NA, OUT,  FEW)                                \
        X(PEEKMTETAGS,                       NA,     33,     NA, IN,   READS)                              \
        X(POKEMTETAGS,                       NA,     34,     NA, OUT,  WRITES)                             \
        X(SETOPTIONS,                    0x4200, 0x4200, 0x4200, NONE, NOTHING)                            \
        X(GETEVENTMSG,                   0x4201, 0x4201, 0x4201, IN,   FEW)                                \
        X(GETSIGINFO,                    0x4202, 0x4202, 0x4202, IN,   READS)                              \
        X(SETSIGINFO,                    0x4203, 0x4203, 0x4203, OUT,  WRITES)                             \
        X(GETREGSET,                     0x4204, 0x4204, 0x4204, IN,   READS)                              \
        X(SETREGSET,                     0x4205, 0x4205, 0x4205, OUT,  WRITES)                             \
        X(SEIZE,                         0x4206, 0x4206, 0x4206, BOTH, ATTACHES)                           \
        X(INTERRUPT,                     0x4207, 0x4207, 0x4207, NONE, NOTHING)                            \
        X(LISTEN,                        0x4208, 0x4208, 0x4208, NONE, NOTHING)                            \
        X(PEEKSIGINFO,                   0x4209, 0x4209, 0x4209, IN,   READS)                              \
        X(GETSIGMASK,                    0x420a, 0x420a, 0x420a, IN,   READS)                              \
        X(SETSIGMASK,                    0x420b, 0x420b, 0x420b, OUT,  WRITES)                             \
        X(SECCOMP_GET_FILTER,            0x420c, 0x420c, 0x420c, IN,   READS)                              \
        X(SECCOMP_GET_METADATA,          0x420d, 0x420d, 0x420d, IN,   FEW)                                \
        X(GET_SYSCALL_INFO,              0x420e, 0x420e, 0x420e, IN,   READS)                              \
        X(GET_RSEQ_CONFIGURATION,        0x420f, 0x420f, 0x420f, IN,   READS)                              \
        X(SET_SYSCALL_USER_DISPATCH_CONFIG, 0x4210, 0x4210, 0x4210, OUT, WRITES)                           \
        X(GET_SYSCALL_USER_DISPATCH_CONFIG, 0x4211, 0x4211, 0x4211, IN, READS)                             \
        X(SET_SYSCALL_INFO,              0x4212, 0x4212, 0x4212, OUT,  WRITES)

/* Families of sockets: AF_NAME of include/linux/socket.h. X(name, number, moves, body); body: enum family, without
 * its prefix: whether a socket of it LEAVES this host, STAYS here (requests to the kernel), or has a PATH or a name
 * under which another process of this host listens. */
#define BW_FAMILIES(X)                                                                                     \
        X(UNSPEC,      0, NONE, STAYS)                                                                     \
        X(UNIX,        1, BOTH, PATH)                                                                      \
        X(INET,        2, BOTH, LEAVES)                                                                    \
        X(AX25,        3, BOTH, LEAVES)                                                                    \
        X(IPX,         4, BOTH, LEAVES)                                                                    \
        X(APPLETALK,   5, BOTH, LEAVES)                                                                    \
        X(NETROM,      6, BOTH, LEAVES)                                                                    \
        X(BRIDGE,      7, BOTH, LEAVES)                                                                    \
        X(ATMPVC,      8, BOTH, LEAVES)                                                                    \
        X(X25,         9, BOTH, LEAVES)                                                                    \
        X(INET6,      10, BOTH, LEAVES)                                                                    \
        X(ROSE,       11, BOTH, LEAVES)                                                                    \
        X(DECnet,     12, BOTH, LEAVES)                                                                    \
        X(NETBEUI,    13, BOTH, LEAVES)                                                                    \
        X(SECURITY,   14, BOTH, LEAVES)                                                                    \
        X(KEY,        15, NONE, STAYS)                                                                     \
        X(NETLINK,    16, BOTH, PATH)                                                                      \
        X(PACKET,     17, BOTH, LEAVES)                                                                    \
        X(ASH,        18, BOTH, LEAVES)                                                                    \
        X(ECONET,     19, BOTH, LEAVES)                                                                    \
        X(ATMSVC,     20, BOTH, LEAVES)                                                                    \
        X(RDS,        21, BOTH, LEAVES)                                                                    \
        X(SNA,        22, BOTH, LEAVES)                                                                    \
        X(IRDA,       23, BOTH, LEAVES)                                                                    \
        X(PPPOX,      24, BOTH, LEAVES)                                                                    \
        X(WANPIPE,    25, BOTH, LEAVES)                                                                    \
        X(LLC,        26, BOTH, LEAVES)                                                                    \
        X(IB,         27, BOTH, LEAVES)                                                                    \
        X(MPLS,       28, BOTH, LEAVES)                                                                    \
        X(CAN,        29, BOTH, LEAVES)                                                                    \
        X(TIPC,       30, BOTH, LEAVES)                                                                    \
        X(BLUETOOTH,  31, BOTH, LEAVES)                                                                    \
        X(IUCV,       32, BOTH, LEAVES)                                                                    \
        X(RXRPC,      33, BOTH, LEAVES)                                                                    \
        X(ISDN,       34, BOTH, LEAVES)                                                                    \
        X(PHONET,     35, BOTH, LEAVES)                                                                    \
        X(IEEE802154, 36, BOTH, LEAVES)                                                                    \
        X(CAIF,       37, BOTH, LEAVES)                                                                    \
        X(ALG,        38, NONE, STAYS)                                                                     \
        X(NFC,        39, BOTH, LEAVES)                                                                    \
        X(VSOCK,      40, BOTH, LEAVES)                                                                    \
        X(KCM,        41, BOTH, LEAVES)                                                                    \
        X(QIPCRTR,    42, BOTH, LEAVES)                                                                    \
        X(SMC,        43, BOTH, LEAVES)                                                                    \
        X(XDP,        44, BOTH, LEAVES)                                                                    \
        X(MCTP,       45, BOTH, LEAVES)

/* Requests of ioctl(2) that move data or descriptors between files or processes. They cannot be enumerated: each
 * driver has its own, so one that is not here moves nothing that is known. X(name, number, moves, body); body: enum
 * control, without its prefix. */
#define BW_CONTROLS(X)                                                                                     \
        X(FICLONE,                   0x40049409, BOTH, CLONE)                                              \
        X(FICLONERANGE,              0x4020940d, BOTH, CLONE_RANGE)                                        \
        X(FIDEDUPERANGE,             0xc0189436, BOTH, FEW)                                                \
        X(UFFDIO_COPY,               0xc028aa03, OUT,  COPIES)                                             \
        X(SECCOMP_IOCTL_NOTIF_ADDFD, 0x40182103, OUT,  ADDS)                                               \
        X(SECCOMP_IOCTL_NOTIF_SEND,  0xc0182101, OUT,  FEW)                                                \
        X(TIOCSTI,                   0x5412,     OUT,  HOLE)                                               \
        X(TIOCCONS,                  0x541d,     OUT,  HOLE)                                               \
        X(KDSKBSENT,                 0x4b49,     OUT,  HOLE)                                               \
        X(FS_IOC_SETVERSION,         0x40087602, OUT,  HOLE)                                               \
        X(EXT4_IOC_SETVERSION,       0x40086604, OUT,  HOLE)                                               \
        X(EXT4_IOC_MOVE_EXT,         0xc028660f, BOTH, HOLE)                                               \
        X(EXT4_IOC_SWAP_BOOT,        0x6611,     BOTH, HOLE)                                               \
        X(XFS_IOC_SWAPEXT,           0xc0c0586d, BOTH, HOLE)                                               \
        X(XFS_IOC_EXCHANGE_RANGE,    0x40285881, BOTH, HOLE)                                               \
        X(F2FS_IOC_MOVE_RANGE,       0xc020f509, BOTH, HOLE)                                               \
        X(BTRFS_IOC_SNAP_CREATE,     0x50009401, BOTH, HOLE)                                               \
        X(BTRFS_IOC_SNAP_CREATE_V2,  0x50009417, BOTH, HOLE)                                               \
        X(BTRFS_IOC_SEND,            0x40489426, BOTH, HOLE)                                               \
        X(LOOP_SET_FD,               0x4c00,     BOTH, HOLE)                                               \
        X(LOOP_CHANGE_FD,            0x4c06,     BOTH, HOLE)                                               \
        X(LOOP_CONFIGURE,            0x4c0a,     BOTH, HOLE)
/* clang-format on */
