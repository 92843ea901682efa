/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Every system call of the newest kernel, in each interface that these programs can meet: what it moves, and
 * which body handles it. tests/source/check-numbers.py compares the numbers with the kernel's headers; one
 * that is not in here is CALL_UNKNOWN.
 *
 * X(name, x86_64, i386, x32, arm64, arm, moves, body). The numbers are those of syscall_64.tbl and
 * syscall_32.tbl in arch/x86/entry/syscalls, scripts/syscall.tbl and arch/arm/tools/syscall.tbl. NA: this
 * interface does not have the call.
 *
 * moves, as the process sees it. IN: it gets data or descriptors that another process, a file or the network
 * may have put there. OUT: another process, a file or the network gets them from it. BOTH; NONE: neither.
 *
 * body: enum call, without its prefix. These four have none. NOTHING is moved. ELSEWHERE: another hook
 * fires. HOLE: it is not followed, although it moves as much as a secret has. FEW: it is not followed
 * either, as one call moves a few bytes: a number, a time, a size, a status, an option. NAME and UNNAME are
 * the same as HOLE and FEW for what the name carries; the file that has it is judged. */

#define NA CALLS_MAX /* a place that no number has */

/* clang-format off */
#define BW_CALLS(X)                                                                                        \
        X(read,                           0,   3,   0,  63,   3, IN,   READ)                               \
        X(write,                          1,   4,   1,  64,   4, OUT,  WRITE)                              \
        X(open,                           2,   5,   2,  NA,   5, IN,   OPEN)                               \
        X(close,                          3,   6,   3,  57,   6, NONE, NOTHING)                            \
        X(stat,                           4, 106,   4,  NA, 106, IN,   FEW)                                \
        X(fstat,                          5, 108,   5,  80, 108, IN,   FEW)                                \
        X(lstat,                          6, 107,   6,  NA, 107, IN,   FEW)                                \
        X(poll,                           7, 168,   7,  NA, 168, IN,   FEW)                                \
        X(lseek,                          8,  19,   8,  62,  19, NONE, NOTHING)                            \
        X(mmap,                           9,  90,   9, 222,  NA, BOTH, MAP)                                \
        X(mprotect,                      10, 125,  10, 226, 125, BOTH, ELSEWHERE)                          \
        X(munmap,                        11,  91,  11, 215,  91, NONE, NOTHING)                            \
        X(brk,                           12,  45,  12, 214,  45, NONE, NOTHING)                            \
        X(rt_sigaction,                  13, 174, 512, 134, 174, NONE, NOTHING)                            \
        X(rt_sigprocmask,                14, 175,  14, 135, 175, NONE, NOTHING)                            \
        X(rt_sigreturn,                  15, 173, 513, 139, 173, NONE, NOTHING)                            \
        X(ioctl,                         16,  54, 514,  29,  54, BOTH, IOCTL)                              \
        X(pread64,                       17, 180,  17,  67, 180, IN,   READ)                               \
        X(pwrite64,                      18, 181,  18,  68, 181, OUT,  WRITE)                              \
        X(readv,                         19, 145, 515,  65, 145, IN,   READ_PARTS)                         \
        X(writev,                        20, 146, 516,  66, 146, OUT,  WRITE)                              \
        X(access,                        21,  33,  21,  NA,  33, IN,   FEW)                                \
        X(pipe,                          22,  42,  22,  NA,  42, NONE, NOTHING)                            \
        X(select,                        23,  82,  23,  NA,  NA, IN,   FEW)                                \
        X(sched_yield,                   24, 158,  24, 124, 158, NONE, NOTHING)                            \
        X(mremap,                        25, 163,  25, 216, 163, NONE, NOTHING)                            \
        X(msync,                         26, 144,  26, 227, 144, NONE, NOTHING)                            \
        X(mincore,                       27, 218,  27, 232, 219, IN,   FEW)                                \
        X(madvise,                       28, 219,  28, 233, 220, NONE, NOTHING)                            \
        X(shmget,                        29, 395,  29, 194, 307, OUT,  FEW)                                \
        X(shmat,                         30, 397,  30, 196, 305, BOTH, ATTACH)                             \
        X(shmctl,                        31, 396,  31, 195, 308, BOTH, FEW)                                \
        X(dup,                           32,  41,  32,  23,  41, NONE, NOTHING)                            \
        X(dup2,                          33,  63,  33,  NA,  63, NONE, NOTHING)                            \
        X(pause,                         34,  29,  34,  NA,  29, NONE, NOTHING)                            \
        X(nanosleep,                     35, 162,  35, 101, 162, NONE, NOTHING)                            \
        X(getitimer,                     36, 105,  36, 102, 105, NONE, NOTHING)                            \
        X(alarm,                         37,  27,  37,  NA,  NA, NONE, NOTHING)                            \
        X(setitimer,                     38, 104,  38, 103, 104, NONE, NOTHING)                            \
        X(getpid,                        39,  20,  39, 172,  20, NONE, NOTHING)                            \
        X(sendfile,                      40, 187,  40,  71, 187, BOTH, SENDFILE)                           \
        X(socket,                        41, 359,  41, 198, 281, NONE, NOTHING)                            \
        X(connect,                       42, 362,  42, 203, 283, OUT,  CONNECT)                            \
        X(accept,                        43,  NA,  43, 202, 285, BOTH, ELSEWHERE)                          \
        X(sendto,                        44, 369,  44, 206, 290, OUT,  SEND_TO)                            \
        X(recvfrom,                      45, 371, 517, 207, 292, IN,   READ)                               \
        X(sendmsg,                       46, 370, 518, 211, 296, OUT,  SEND_MESSAGE)                       \
        X(recvmsg,                       47, 372, 519, 212, 297, IN,   RECEIVE)                            \
        X(shutdown,                      48, 373,  48, 210, 293, OUT,  FEW)                                \
        X(bind,                          49, 361,  49, 200, 282, OUT,  BIND)                               \
        X(listen,                        50, 363,  50, 201, 284, NONE, NOTHING)                            \
        X(getsockname,                   51, 367,  51, 204, 286, IN,   FEW)                                \
        X(getpeername,                   52, 368,  52, 205, 287, IN,   FEW)                                \
        X(socketpair,                    53, 360,  53, 199, 288, NONE, NOTHING)                            \
        X(setsockopt,                    54, 366, 541, 208, 294, BOTH, OPTION)                             \
        X(getsockopt,                    55, 365, 542, 209, 295, IN,   FEW)                                \
        X(clone,                         56, 120,  56, 220, 120, OUT,  ELSEWHERE)                          \
        X(fork,                          57,   2,  57,  NA,   2, OUT,  ELSEWHERE)                          \
        X(vfork,                         58, 190,  58,  NA, 190, OUT,  ELSEWHERE)                          \
        X(execve,                        59,  11, 520, 221,  11, IN,   EXEC)                               \
        X(exit,                          60,   1,  60,  93,   1, OUT,  FEW)                                \
        X(wait4,                         61, 114,  61, 260, 114, IN,   FEW)                                \
        X(kill,                          62,  37,  62, 129,  37, OUT,  FEW)                                \
        X(uname,                         63, 122,  63, 160, 122, IN,   FEW)                                \
        X(semget,                        64, 393,  64, 190, 299, OUT,  FEW)                                \
        X(semop,                         65,  NA,  65, 193, 298, BOTH, FEW)                                \
        X(semctl,                        66, 394,  66, 191, 300, BOTH, SEMAPHORES)                         \
        X(shmdt,                         67, 398,  67, 197, 306, NONE, NOTHING)                            \
        X(msgget,                        68, 399,  68, 186, 303, OUT,  FEW)                                \
        X(msgsnd,                        69, 400,  69, 189, 301, OUT,  QUEUE_SEND)                         \
        X(msgrcv,                        70, 401,  70, 188, 302, IN,   QUEUE_RECEIVE)                      \
        X(msgctl,                        71, 402,  71, 187, 304, BOTH, FEW)                                \
        X(fcntl,                         72,  55,  72,  25,  55, BOTH, FEW)                                \
        X(flock,                         73, 143,  73,  32, 143, BOTH, FEW)                                \
        X(fsync,                         74, 118,  74,  82, 118, NONE, NOTHING)                            \
        X(fdatasync,                     75, 148,  75,  83, 148, NONE, NOTHING)                            \
        X(truncate,                      76,  92,  76,  45,  92, OUT,  FEW)                                \
        X(ftruncate,                     77,  93,  77,  46,  93, OUT,  FEW)                                \
        X(getdents,                      78, 141,  78,  NA, 141, IN,   HOLE)                               \
        X(getcwd,                        79, 183,  79,  17, 183, IN,   FEW)                                \
        X(chdir,                         80,  12,  80,  49,  12, OUT,  FEW)                                \
        X(fchdir,                        81, 133,  81,  50, 133, OUT,  FEW)                                \
        X(rename,                        82,  38,  82,  NA,  38, OUT,  NAME)                               \
        X(mkdir,                         83,  39,  83,  NA,  39, OUT,  HOLE)                               \
        X(rmdir,                         84,  40,  84,  NA,  40, OUT,  FEW)                                \
        X(creat,                         85,   8,  85,  NA,   8, IN,   OPEN)                               \
        X(link,                          86,   9,  86,  NA,   9, OUT,  NAME)                               \
        X(unlink,                        87,  10,  87,  NA,  10, OUT,  UNNAME)                             \
        X(symlink,                       88,  83,  88,  NA,  83, OUT,  HOLE)                               \
        X(readlink,                      89,  85,  89,  NA,  85, IN,   HOLE)                               \
        X(chmod,                         90,  15,  90,  NA,  15, OUT,  FEW)                                \
        X(fchmod,                        91,  94,  91,  52,  94, OUT,  FEW)                                \
        X(chown,                         92, 182,  92,  NA, 182, OUT,  FEW)                                \
        X(fchown,                        93,  95,  93,  55,  95, OUT,  FEW)                                \
        X(lchown,                        94,  16,  94,  NA,  16, OUT,  FEW)                                \
        X(umask,                         95,  60,  95, 166,  60, NONE, NOTHING)                            \
        X(gettimeofday,                  96,  78,  96, 169,  78, NONE, NOTHING)                            \
        X(getrlimit,                     97,  76,  97, 163,  NA, IN,   FEW)                                \
        X(getrusage,                     98,  77,  98, 165,  77, NONE, NOTHING)                            \
        X(sysinfo,                       99, 116,  99, 179, 116, IN,   FEW)                                \
        X(times,                        100,  43, 100, 153,  43, NONE, NOTHING)                            \
        X(ptrace,                       101,  26, 521, 117,  26, BOTH, TRACE)                              \
        X(getuid,                       102,  24, 102, 174,  24, NONE, NOTHING)                            \
        X(syslog,                       103, 103, 103, 116, 103, IN,   LOG)                                \
        X(getgid,                       104,  47, 104, 176,  47, NONE, NOTHING)                            \
        X(setuid,                       105,  23, 105, 146,  23, NONE, NOTHING)                            \
        X(setgid,                       106,  46, 106, 144,  46, NONE, NOTHING)                            \
        X(geteuid,                      107,  49, 107, 175,  49, NONE, NOTHING)                            \
        X(getegid,                      108,  50, 108, 177,  50, NONE, NOTHING)                            \
        X(setpgid,                      109,  57, 109, 154,  57, OUT,  FEW)                                \
        X(getppid,                      110,  64, 110, 173,  64, NONE, NOTHING)                            \
        X(getpgrp,                      111,  65, 111,  NA,  65, NONE, NOTHING)                            \
        X(setsid,                       112,  66, 112, 157,  66, NONE, NOTHING)                            \
        X(setreuid,                     113,  70, 113, 145,  70, NONE, NOTHING)                            \
        X(setregid,                     114,  71, 114, 143,  71, NONE, NOTHING)                            \
        X(getgroups,                    115,  80, 115, 158,  80, NONE, NOTHING)                            \
        X(setgroups,                    116,  81, 116, 159,  81, NONE, NOTHING)                            \
        X(setresuid,                    117, 164, 117, 147, 164, NONE, NOTHING)                            \
        X(getresuid,                    118, 165, 118, 148, 165, NONE, NOTHING)                            \
        X(setresgid,                    119, 170, 119, 149, 170, NONE, NOTHING)                            \
        X(getresgid,                    120, 171, 120, 150, 171, NONE, NOTHING)                            \
        X(getpgid,                      121, 132, 121, 155, 132, IN,   FEW)                                \
        X(setfsuid,                     122, 138, 122, 151, 138, NONE, NOTHING)                            \
        X(setfsgid,                     123, 139, 123, 152, 139, NONE, NOTHING)                            \
        X(getsid,                       124, 147, 124, 156, 147, NONE, NOTHING)                            \
        X(capget,                       125, 184, 125,  90, 184, NONE, NOTHING)                            \
        X(capset,                       126, 185, 126,  91, 185, NONE, NOTHING)                            \
        X(rt_sigpending,                127, 176, 522, 136, 176, NONE, NOTHING)                            \
        X(rt_sigtimedwait,              128, 177, 523, 137, 177, IN,   FEW)                                \
        X(rt_sigqueueinfo,              129, 178, 524, 138, 178, OUT,  FEW)                                \
        X(rt_sigsuspend,                130, 179, 130, 133, 179, NONE, NOTHING)                            \
        X(sigaltstack,                  131, 186, 525, 132, 186, NONE, NOTHING)                            \
        X(utime,                        132,  30, 132,  NA,  NA, OUT,  FEW)                                \
        X(mknod,                        133,  14, 133,  NA,  14, OUT,  HOLE)                               \
        X(uselib,                       134,  86,  NA,  NA,  86, BOTH, ELSEWHERE)                          \
        X(personality,                  135, 136, 135,  92, 136, NONE, NOTHING)                            \
        X(ustat,                        136,  62, 136,  NA,  62, NONE, NOTHING)                            \
        X(statfs,                       137,  99, 137,  43,  99, IN,   FEW)                                \
        X(fstatfs,                      138, 100, 138,  44, 100, IN,   FEW)                                \
        X(sysfs,                        139, 135, 139,  NA, 135, NONE, NOTHING)                            \
        X(getpriority,                  140,  96, 140, 141,  96, IN,   FEW)                                \
        X(setpriority,                  141,  97, 141, 140,  97, OUT,  FEW)                                \
        X(sched_setparam,               142, 154, 142, 118, 154, OUT,  FEW)                                \
        X(sched_getparam,               143, 155, 143, 121, 155, IN,   FEW)                                \
        X(sched_setscheduler,           144, 156, 144, 119, 156, OUT,  FEW)                                \
        X(sched_getscheduler,           145, 157, 145, 120, 157, IN,   FEW)                                \
        X(sched_get_priority_max,       146, 159, 146, 125, 159, NONE, NOTHING)                            \
        X(sched_get_priority_min,       147, 160, 147, 126, 160, NONE, NOTHING)                            \
        X(sched_rr_get_interval,        148, 161, 148, 127, 161, NONE, NOTHING)                            \
        X(mlock,                        149, 150, 149, 228, 150, NONE, NOTHING)                            \
        X(munlock,                      150, 151, 150, 229, 151, NONE, NOTHING)                            \
        X(mlockall,                     151, 152, 151, 230, 152, NONE, NOTHING)                            \
        X(munlockall,                   152, 153, 152, 231, 153, NONE, NOTHING)                            \
        X(vhangup,                      153, 111, 153,  58, 111, NONE, NOTHING)                            \
        X(modify_ldt,                   154, 123, 154,  NA,  NA, NONE, NOTHING)                            \
        X(pivot_root,                   155, 217, 155,  41, 218, NONE, NOTHING)                            \
        X(_sysctl,                      156, 149,  NA,  NA, 149, NONE, NOTHING)                            \
        X(prctl,                        157, 172, 157, 167, 172, BOTH, FEW)                                \
        X(arch_prctl,                   158, 384, 158,  NA,  NA, NONE, NOTHING)                            \
        X(adjtimex,                     159, 124, 159, 171, 124, OUT,  FEW)                                \
        X(setrlimit,                    160,  75, 160, 164,  75, OUT,  FEW)                                \
        X(chroot,                       161,  61, 161,  51,  61, NONE, NOTHING)                            \
        X(sync,                         162,  36, 162,  81,  36, NONE, NOTHING)                            \
        X(acct,                         163,  51, 163,  89,  51, NONE, NOTHING)                            \
        X(settimeofday,                 164,  79, 164, 170,  79, OUT,  FEW)                                \
        X(mount,                        165,  21, 165,  40,  21, OUT,  FEW)                                \
        X(umount2,                      166,  52, 166,  39,  52, NONE, NOTHING)                            \
        X(swapon,                       167,  87, 167, 224,  87, NONE, NOTHING)                            \
        X(swapoff,                      168, 115, 168, 225, 115, NONE, NOTHING)                            \
        X(reboot,                       169,  88, 169, 142,  88, NONE, NOTHING)                            \
        X(sethostname,                  170,  74, 170, 161,  74, OUT,  FEW)                                \
        X(setdomainname,                171, 121, 171, 162, 121, OUT,  FEW)                                \
        X(iopl,                         172, 110, 172,  NA,  NA, NONE, NOTHING)                            \
        X(ioperm,                       173, 101, 173,  NA,  NA, NONE, NOTHING)                            \
        X(create_module,                174, 127,  NA,  NA,  NA, NONE, NOTHING)                            \
        X(init_module,                  175, 128, 175, 105, 128, NONE, NOTHING)                            \
        X(delete_module,                176, 129, 176, 106, 129, NONE, NOTHING)                            \
        X(get_kernel_syms,              177, 130,  NA,  NA,  NA, NONE, NOTHING)                            \
        X(query_module,                 178, 167,  NA,  NA,  NA, NONE, NOTHING)                            \
        X(quotactl,                     179, 131, 179,  60, 131, NONE, NOTHING)                            \
        X(nfsservctl,                   180, 169,  NA,  42, 169, NONE, NOTHING)                            \
        X(getpmsg,                      181, 188, 181,  NA,  NA, NONE, NOTHING)                            \
        X(putpmsg,                      182, 189, 182,  NA,  NA, NONE, NOTHING)                            \
        X(afs_syscall,                  183, 137, 183,  NA,  NA, NONE, NOTHING)                            \
        X(tuxcall,                      184,  NA, 184,  NA,  NA, NONE, NOTHING)                            \
        X(security,                     185,  NA, 185,  NA,  NA, NONE, NOTHING)                            \
        X(gettid,                       186, 224, 186, 178, 224, NONE, NOTHING)                            \
        X(readahead,                    187, 225, 187, 213, 225, NONE, NOTHING)                            \
        X(setxattr,                     188, 226, 188,   5, 226, OUT,  HOLE)                               \
        X(lsetxattr,                    189, 227, 189,   6, 227, OUT,  HOLE)                               \
        X(fsetxattr,                    190, 228, 190,   7, 228, OUT,  HOLE)                               \
        X(getxattr,                     191, 229, 191,   8, 229, IN,   HOLE)                               \
        X(lgetxattr,                    192, 230, 192,   9, 230, IN,   HOLE)                               \
        X(fgetxattr,                    193, 231, 193,  10, 231, IN,   HOLE)                               \
        X(listxattr,                    194, 232, 194,  11, 232, IN,   HOLE)                               \
        X(llistxattr,                   195, 233, 195,  12, 233, IN,   HOLE)                               \
        X(flistxattr,                   196, 234, 196,  13, 234, IN,   HOLE)                               \
        X(removexattr,                  197, 235, 197,  14, 235, NONE, NOTHING)                            \
        X(lremovexattr,                 198, 236, 198,  15, 236, NONE, NOTHING)                            \
        X(fremovexattr,                 199, 237, 199,  16, 237, NONE, NOTHING)                            \
        X(tkill,                        200, 238, 200, 130, 238, OUT,  FEW)                                \
        X(time,                         201,  13, 201,  NA,  NA, NONE, NOTHING)                            \
        X(futex,                        202, 240, 202,  98, 240, BOTH, FEW)                                \
        X(sched_setaffinity,            203, 241, 203, 122, 241, OUT,  FEW)                                \
        X(sched_getaffinity,            204, 242, 204, 123, 242, IN,   FEW)                                \
        X(set_thread_area,              205, 243,  NA,  NA,  NA, NONE, NOTHING)                            \
        X(io_setup,                     206, 245, 543,   0, 243, BOTH, SETUP)                              \
        X(io_destroy,                   207, 246, 207,   1, 244, NONE, NOTHING)                            \
        X(io_getevents,                 208, 247, 208,   4, 245, IN,   ELSEWHERE)                          \
        X(io_submit,                    209, 248, 544,   2, 246, BOTH, SUBMIT)                             \
        X(io_cancel,                    210, 249, 210,   3, 247, NONE, NOTHING)                            \
        X(get_thread_area,              211, 244,  NA,  NA,  NA, NONE, NOTHING)                            \
        X(lookup_dcookie,               212, 253, 212,  18, 249, IN,   FEW)                                \
        X(epoll_create,                 213, 254, 213,  NA, 250, NONE, NOTHING)                            \
        X(epoll_ctl_old,                214,  NA,  NA,  NA,  NA, NONE, NOTHING)                            \
        X(epoll_wait_old,               215,  NA,  NA,  NA,  NA, IN,   FEW)                                \
        X(remap_file_pages,             216, 257, 216, 234, 253, NONE, NOTHING)                            \
        X(getdents64,                   217, 220, 217,  61, 217, IN,   HOLE)                               \
        X(set_tid_address,              218, 258, 218,  96, 256, NONE, NOTHING)                            \
        X(restart_syscall,              219,   0, 219, 128,   0, NONE, NOTHING)                            \
        X(semtimedop,                   220,  NA, 220, 192, 312, BOTH, FEW)                                \
        X(fadvise64,                    221, 250, 221, 223,  NA, NONE, NOTHING)                            \
        X(timer_create,                 222, 259, 526, 107, 257, NONE, NOTHING)                            \
        X(timer_settime,                223, 260, 223, 110, 258, NONE, NOTHING)                            \
        X(timer_gettime,                224, 261, 224, 108, 259, NONE, NOTHING)                            \
        X(timer_getoverrun,             225, 262, 225, 109, 260, NONE, NOTHING)                            \
        X(timer_delete,                 226, 263, 226, 111, 261, NONE, NOTHING)                            \
        X(clock_settime,                227, 264, 227, 112, 262, OUT,  FEW)                                \
        X(clock_gettime,                228, 265, 228, 113, 263, NONE, NOTHING)                            \
        X(clock_getres,                 229, 266, 229, 114, 264, NONE, NOTHING)                            \
        X(clock_nanosleep,              230, 267, 230, 115, 265, NONE, NOTHING)                            \
        X(exit_group,                   231, 252, 231,  94, 248, OUT,  FEW)                                \
        X(epoll_wait,                   232, 256, 232,  NA, 252, IN,   FEW)                                \
        X(epoll_ctl,                    233, 255, 233,  21, 251, BOTH, FEW)                                \
        X(tgkill,                       234, 270, 234, 131, 268, OUT,  FEW)                                \
        X(utimes,                       235, 271, 235,  NA, 269, OUT,  FEW)                                \
        X(vserver,                      236, 273,  NA,  NA, 313, NONE, NOTHING)                            \
        X(mbind,                        237, 274, 237, 235, 319, NONE, NOTHING)                            \
        X(set_mempolicy,                238, 276, 238, 237, 321, NONE, NOTHING)                            \
        X(get_mempolicy,                239, 275, 239, 236, 320, NONE, NOTHING)                            \
        X(mq_open,                      240, 277, 240, 180, 274, OUT,  FEW)                                \
        X(mq_unlink,                    241, 278, 241, 181, 275, NONE, NOTHING)                            \
        X(mq_timedsend,                 242, 279, 242, 182, 276, OUT,  WRITE)                              \
        X(mq_timedreceive,              243, 280, 243, 183, 277, IN,   READ)                               \
        X(mq_notify,                    244, 281, 527, 184, 278, OUT,  FEW)                                \
        X(mq_getsetattr,                245, 282, 245, 185, 279, IN,   FEW)                                \
        X(kexec_load,                   246, 283, 528, 104, 347, NONE, NOTHING)                            \
        X(waitid,                       247, 284, 529,  95, 280, IN,   FEW)                                \
        X(add_key,                      248, 286, 248, 217, 309, OUT,  HOLE)                               \
        X(request_key,                  249, 287, 249, 218, 310, OUT,  HOLE)                               \
        X(keyctl,                       250, 288, 250, 219, 311, BOTH, HOLE)                               \
        X(ioprio_set,                   251, 289, 251,  30, 314, BOTH, FEW)                                \
        X(ioprio_get,                   252, 290, 252,  31, 315, IN,   FEW)                                \
        X(inotify_init,                 253, 291, 253,  NA, 316, NONE, NOTHING)                            \
        X(inotify_add_watch,            254, 292, 254,  27, 317, NONE, NOTHING)                            \
        X(inotify_rm_watch,             255, 293, 255,  28, 318, NONE, NOTHING)                            \
        X(migrate_pages,                256, 294, 256, 238, 400, NONE, NOTHING)                            \
        X(openat,                       257, 295, 257,  56, 322, IN,   OPEN)                               \
        X(mkdirat,                      258, 296, 258,  34, 323, OUT,  HOLE)                               \
        X(mknodat,                      259, 297, 259,  33, 324, OUT,  HOLE)                               \
        X(fchownat,                     260, 298, 260,  54, 325, OUT,  FEW)                                \
        X(futimesat,                    261, 299, 261,  NA, 326, OUT,  FEW)                                \
        X(newfstatat,                   262,  NA, 262,  79,  NA, IN,   FEW)                                \
        X(unlinkat,                     263, 301, 263,  35, 328, OUT,  UNNAME)                             \
        X(renameat,                     264, 302, 264,  38, 329, OUT,  NAME)                               \
        X(linkat,                       265, 303, 265,  37, 330, OUT,  NAME)                               \
        X(symlinkat,                    266, 304, 266,  36, 331, OUT,  HOLE)                               \
        X(readlinkat,                   267, 305, 267,  78, 332, IN,   HOLE)                               \
        X(fchmodat,                     268, 306, 268,  53, 333, OUT,  FEW)                                \
        X(faccessat,                    269, 307, 269,  48, 334, IN,   FEW)                                \
        X(pselect6,                     270, 308, 270,  72, 335, IN,   FEW)                                \
        X(ppoll,                        271, 309, 271,  73, 336, IN,   FEW)                                \
        X(unshare,                      272, 310, 272,  97, 337, NONE, NOTHING)                            \
        X(set_robust_list,              273, 311, 530,  99, 338, NONE, NOTHING)                            \
        X(get_robust_list,              274, 312, 531, 100, 339, NONE, NOTHING)                            \
        X(splice,                       275, 313, 275,  76, 340, BOTH, SPLICE)                             \
        X(tee,                          276, 315, 276,  77, 342, BOTH, TEE)                                \
        X(sync_file_range,              277, 314, 277,  84,  NA, NONE, NOTHING)                            \
        X(vmsplice,                     278, 316, 532,  75, 343, BOTH, VMSPLICE)                           \
        X(move_pages,                   279, 317, 533, 239, 344, NONE, NOTHING)                            \
        X(utimensat,                    280, 320, 280,  88, 348, OUT,  FEW)                                \
        X(epoll_pwait,                  281, 319, 281,  22, 346, IN,   FEW)                                \
        X(signalfd,                     282, 321, 282,  NA, 349, NONE, NOTHING)                            \
        X(timerfd_create,               283, 322, 283,  85, 350, NONE, NOTHING)                            \
        X(eventfd,                      284, 323, 284,  NA, 351, NONE, NOTHING)                            \
        X(fallocate,                    285, 324, 285,  47, 352, OUT,  FEW)                                \
        X(timerfd_settime,              286, 325, 286,  86, 353, OUT,  FEW)                                \
        X(timerfd_gettime,              287, 326, 287,  87, 354, IN,   FEW)                                \
        X(accept4,                      288, 364, 288, 242, 366, BOTH, ELSEWHERE)                          \
        X(signalfd4,                    289, 327, 289,  74, 355, NONE, NOTHING)                            \
        X(eventfd2,                     290, 328, 290,  19, 356, NONE, NOTHING)                            \
        X(epoll_create1,                291, 329, 291,  20, 357, NONE, NOTHING)                            \
        X(dup3,                         292, 330, 292,  24, 358, NONE, NOTHING)                            \
        X(pipe2,                        293, 331, 293,  59, 359, NONE, NOTHING)                            \
        X(inotify_init1,                294, 332, 294,  26, 360, NONE, NOTHING)                            \
        X(preadv,                       295, 333, 534,  69, 361, IN,   READ_PARTS)                         \
        X(pwritev,                      296, 334, 535,  70, 362, OUT,  WRITE)                              \
        X(rt_tgsigqueueinfo,            297, 335, 536, 240, 363, OUT,  FEW)                                \
        X(perf_event_open,              298, 336, 298, 241, 364, IN,   HOLE)                               \
        X(recvmmsg,                     299, 337, 537, 243, 365, IN,   RECEIVE_MANY)                       \
        X(fanotify_init,                300, 338, 300, 262, 367, IN,   FANOTIFY)                           \
        X(fanotify_mark,                301, 339, 301, 263, 368, NONE, NOTHING)                            \
        X(prlimit64,                    302, 340, 302, 261, 369, BOTH, FEW)                                \
        X(name_to_handle_at,            303, 341, 303, 264, 370, NONE, NOTHING)                            \
        X(open_by_handle_at,            304, 342, 304, 265, 371, IN,   OPEN)                               \
        X(clock_adjtime,                305, 343, 305, 266, 372, OUT,  FEW)                                \
        X(syncfs,                       306, 344, 306, 267, 373, NONE, NOTHING)                            \
        X(sendmmsg,                     307, 345, 538, 269, 374, OUT,  SEND_MESSAGE)                       \
        X(setns,                        308, 346, 308, 268, 375, NONE, NOTHING)                            \
        X(getcpu,                       309, 318, 309, 168, 345, NONE, NOTHING)                            \
        X(process_vm_readv,             310, 347, 539, 270, 376, IN,   VM_READ)                            \
        X(process_vm_writev,            311, 348, 540, 271, 377, OUT,  VM_WRITE)                           \
        X(kcmp,                         312, 349, 312, 272, 378, NONE, NOTHING)                            \
        X(finit_module,                 313, 350, 313, 273, 379, NONE, NOTHING)                            \
        X(sched_setattr,                314, 351, 314, 274, 380, OUT,  FEW)                                \
        X(sched_getattr,                315, 352, 315, 275, 381, IN,   FEW)                                \
        X(renameat2,                    316, 353, 316, 276, 382, OUT,  NAME)                               \
        X(seccomp,                      317, 354, 317, 277, 383, NONE, NOTHING)                            \
        X(getrandom,                    318, 355, 318, 278, 384, NONE, NOTHING)                            \
        X(memfd_create,                 319, 356, 319, 279, 385, OUT,  FEW)                                \
        X(kexec_file_load,              320,  NA, 320, 294, 401, NONE, NOTHING)                            \
        X(bpf,                          321, 357, 321, 280, 386, BOTH, HOLE)                               \
        X(execveat,                     322, 358, 545, 281, 387, IN,   EXEC)                               \
        X(userfaultfd,                  323, 374, 323, 282, 388, NONE, NOTHING)                            \
        X(membarrier,                   324, 375, 324, 283, 389, NONE, NOTHING)                            \
        X(mlock2,                       325, 376, 325, 284, 390, NONE, NOTHING)                            \
        X(copy_file_range,              326, 377, 326, 285, 391, BOTH, SPLICE)                             \
        X(preadv2,                      327, 378, 546, 286, 392, IN,   READ_PARTS)                         \
        X(pwritev2,                     328, 379, 547, 287, 393, OUT,  WRITE)                              \
        X(pkey_mprotect,                329, 380, 329, 288, 394, BOTH, ELSEWHERE)                          \
        X(pkey_alloc,                   330, 381, 330, 289, 395, NONE, NOTHING)                            \
        X(pkey_free,                    331, 382, 331, 290, 396, NONE, NOTHING)                            \
        X(statx,                        332, 383, 332, 291, 397, IN,   FEW)                                \
        X(io_pgetevents,                333, 385, 333, 292, 399, IN,   ELSEWHERE)                          \
        X(rseq,                         334, 386, 334, 293, 398, NONE, NOTHING)                            \
        X(uretprobe,                    335,  NA, 335,  NA,  NA, NONE, NOTHING)                            \
        X(uprobe,                       336,  NA, 336,  NA,  NA, NONE, NOTHING)                            \
        X(pidfd_send_signal,            424, 424, 424, 424, 424, OUT,  FEW)                                \
        X(io_uring_setup,               425, 425, 425, 425, 425, BOTH, ELSEWHERE)                          \
        X(io_uring_enter,               426, 426, 426, 426, 426, BOTH, ELSEWHERE)                          \
        X(io_uring_register,            427, 427, 427, 427, 427, BOTH, REGISTER)                           \
        X(open_tree,                    428, 428, 428, 428, 428, NONE, NOTHING)                            \
        X(move_mount,                   429, 429, 429, 429, 429, OUT,  FEW)                                \
        X(fsopen,                       430, 430, 430, 430, 430, NONE, NOTHING)                            \
        X(fsconfig,                     431, 431, 431, 431, 431, OUT,  FEW)                                \
        X(fsmount,                      432, 432, 432, 432, 432, NONE, NOTHING)                            \
        X(fspick,                       433, 433, 433, 433, 433, NONE, NOTHING)                            \
        X(pidfd_open,                   434, 434, 434, 434, 434, NONE, NOTHING)                            \
        X(clone3,                       435, 435, 435, 435, 435, OUT,  ELSEWHERE)                          \
        X(close_range,                  436, 436, 436, 436, 436, NONE, NOTHING)                            \
        X(openat2,                      437, 437, 437, 437, 437, IN,   OPEN)                               \
        X(pidfd_getfd,                  438, 438, 438, 438, 438, IN,   FETCH)                              \
        X(faccessat2,                   439, 439, 439, 439, 439, IN,   FEW)                                \
        X(process_madvise,              440, 440, 440, 440, 440, NONE, NOTHING)                            \
        X(epoll_pwait2,                 441, 441, 441, 441, 441, IN,   FEW)                                \
        X(mount_setattr,                442, 442, 442, 442, 442, OUT,  FEW)                                \
        X(quotactl_fd,                  443, 443, 443, 443, 443, NONE, NOTHING)                            \
        X(landlock_create_ruleset,      444, 444, 444, 444, 444, NONE, NOTHING)                            \
        X(landlock_add_rule,            445, 445, 445, 445, 445, NONE, NOTHING)                            \
        X(landlock_restrict_self,       446, 446, 446, 446, 446, NONE, NOTHING)                            \
        X(memfd_secret,                 447, 447, 447, 447,  NA, NONE, NOTHING)                            \
        X(process_mrelease,             448, 448, 448, 448, 448, NONE, NOTHING)                            \
        X(futex_waitv,                  449, 449, 449, 449, 449, IN,   FEW)                                \
        X(set_mempolicy_home_node,      450, 450, 450, 450, 450, NONE, NOTHING)                            \
        X(cachestat,                    451, 451, 451, 451, 451, IN,   FEW)                                \
        X(fchmodat2,                    452, 452, 452, 452, 452, OUT,  FEW)                                \
        X(map_shadow_stack,             453, 453, 453, 453, 453, NONE, NOTHING)                            \
        X(futex_wake,                   454, 454, 454, 454, 454, OUT,  FEW)                                \
        X(futex_wait,                   455, 455, 455, 455, 455, IN,   FEW)                                \
        X(futex_requeue,                456, 456, 456, 456, 456, OUT,  FEW)                                \
        X(statmount,                    457, 457, 457, 457, 457, IN,   FEW)                                \
        X(listmount,                    458, 458, 458, 458, 458, IN,   FEW)                                \
        X(lsm_get_self_attr,            459, 459, 459, 459, 459, NONE, NOTHING)                            \
        X(lsm_set_self_attr,            460, 460, 460, 460, 460, NONE, NOTHING)                            \
        X(lsm_list_modules,             461, 461, 461, 461, 461, NONE, NOTHING)                            \
        X(mseal,                        462, 462, 462, 462, 462, NONE, NOTHING)                            \
        X(setxattrat,                   463, 463, 463, 463, 463, OUT,  HOLE)                               \
        X(getxattrat,                   464, 464, 464, 464, 464, IN,   HOLE)                               \
        X(listxattrat,                  465, 465, 465, 465, 465, IN,   HOLE)                               \
        X(removexattrat,                466, 466, 466, 466, 466, NONE, NOTHING)                            \
        X(open_tree_attr,               467, 467, 467, 467, 467, NONE, NOTHING)                            \
        X(file_getattr,                 468, 468, 468, 468, 468, IN,   FEW)                                \
        X(file_setattr,                 469, 469, 469, 469, 469, OUT,  FEW)                                \
        X(listns,                       470, 470, 470, 470, 470, IN,   FEW)                                \
        X(rseq_slice_yield,             471, 471, 471, 471, 471, NONE, NOTHING)                            \
        X(waitpid,                       NA,   7,  NA,  NA,  NA, IN,   FEW)                                \
        X(break,                         NA,  17,  NA,  NA,  NA, NONE, NOTHING)                            \
        X(oldstat,                       NA,  18,  NA,  NA,  NA, IN,   FEW)                                \
        X(umount,                        NA,  22,  NA,  NA,  NA, NONE, NOTHING)                            \
        X(stime,                         NA,  25,  NA,  NA,  NA, OUT,  FEW)                                \
        X(oldfstat,                      NA,  28,  NA,  NA,  NA, IN,   FEW)                                \
        X(stty,                          NA,  31,  NA,  NA,  NA, NONE, NOTHING)                            \
        X(gtty,                          NA,  32,  NA,  NA,  NA, NONE, NOTHING)                            \
        X(nice,                          NA,  34,  NA,  NA,  34, OUT,  FEW)                                \
        X(ftime,                         NA,  35,  NA,  NA,  NA, NONE, NOTHING)                            \
        X(prof,                          NA,  44,  NA,  NA,  NA, NONE, NOTHING)                            \
        X(signal,                        NA,  48,  NA,  NA,  NA, NONE, NOTHING)                            \
        X(lock,                          NA,  53,  NA,  NA,  NA, NONE, NOTHING)                            \
        X(mpx,                           NA,  56,  NA,  NA,  NA, NONE, NOTHING)                            \
        X(ulimit,                        NA,  58,  NA,  NA,  NA, NONE, NOTHING)                            \
        X(oldolduname,                   NA,  59,  NA,  NA,  NA, IN,   FEW)                                \
        X(sigaction,                     NA,  67,  NA,  NA,  67, NONE, NOTHING)                            \
        X(sgetmask,                      NA,  68,  NA,  NA,  NA, NONE, NOTHING)                            \
        X(ssetmask,                      NA,  69,  NA,  NA,  NA, NONE, NOTHING)                            \
        X(sigsuspend,                    NA,  72,  NA,  NA,  72, NONE, NOTHING)                            \
        X(sigpending,                    NA,  73,  NA,  NA,  73, NONE, NOTHING)                            \
        X(oldlstat,                      NA,  84,  NA,  NA,  NA, IN,   FEW)                                \
        X(readdir,                       NA,  89,  NA,  NA,  NA, IN,   HOLE)                               \
        X(profil,                        NA,  98,  NA,  NA,  NA, NONE, NOTHING)                            \
        X(socketcall,                    NA, 102,  NA,  NA,  NA, BOTH, SOCKETCALL)                         \
        X(olduname,                      NA, 109,  NA,  NA,  NA, IN,   FEW)                                \
        X(idle,                          NA, 112,  NA,  NA,  NA, NONE, NOTHING)                            \
        X(vm86old,                       NA, 113,  NA,  NA,  NA, NONE, NOTHING)                            \
        X(ipc,                           NA, 117,  NA,  NA,  NA, BOTH, IPC)                                \
        X(sigreturn,                     NA, 119,  NA,  NA, 119, NONE, NOTHING)                            \
        X(sigprocmask,                   NA, 126,  NA,  NA, 126, NONE, NOTHING)                            \
        X(bdflush,                       NA, 134,  NA,  NA, 134, NONE, NOTHING)                            \
        X(_llseek,                       NA, 140,  NA,  NA, 140, NONE, NOTHING)                            \
        X(_newselect,                    NA, 142,  NA,  NA, 142, IN,   FEW)                                \
        X(vm86,                          NA, 166,  NA,  NA,  NA, NONE, NOTHING)                            \
        X(ugetrlimit,                    NA, 191,  NA,  NA, 191, IN,   FEW)                                \
        X(mmap2,                         NA, 192,  NA,  NA, 192, BOTH, MAP)                                \
        X(truncate64,                    NA, 193,  NA,  NA, 193, OUT,  FEW)                                \
        X(ftruncate64,                   NA, 194,  NA,  NA, 194, OUT,  FEW)                                \
        X(stat64,                        NA, 195,  NA,  NA, 195, IN,   FEW)                                \
        X(lstat64,                       NA, 196,  NA,  NA, 196, IN,   FEW)                                \
        X(fstat64,                       NA, 197,  NA,  NA, 197, IN,   FEW)                                \
        X(lchown32,                      NA, 198,  NA,  NA, 198, OUT,  FEW)                                \
        X(getuid32,                      NA, 199,  NA,  NA, 199, NONE, NOTHING)                            \
        X(getgid32,                      NA, 200,  NA,  NA, 200, NONE, NOTHING)                            \
        X(geteuid32,                     NA, 201,  NA,  NA, 201, NONE, NOTHING)                            \
        X(getegid32,                     NA, 202,  NA,  NA, 202, NONE, NOTHING)                            \
        X(setreuid32,                    NA, 203,  NA,  NA, 203, NONE, NOTHING)                            \
        X(setregid32,                    NA, 204,  NA,  NA, 204, NONE, NOTHING)                            \
        X(getgroups32,                   NA, 205,  NA,  NA, 205, NONE, NOTHING)                            \
        X(setgroups32,                   NA, 206,  NA,  NA, 206, NONE, NOTHING)                            \
        X(fchown32,                      NA, 207,  NA,  NA, 207, OUT,  FEW)                                \
        X(setresuid32,                   NA, 208,  NA,  NA, 208, NONE, NOTHING)                            \
        X(getresuid32,                   NA, 209,  NA,  NA, 209, NONE, NOTHING)                            \
        X(setresgid32,                   NA, 210,  NA,  NA, 210, NONE, NOTHING)                            \
        X(getresgid32,                   NA, 211,  NA,  NA, 211, NONE, NOTHING)                            \
        X(chown32,                       NA, 212,  NA,  NA, 212, OUT,  FEW)                                \
        X(setuid32,                      NA, 213,  NA,  NA, 213, NONE, NOTHING)                            \
        X(setgid32,                      NA, 214,  NA,  NA, 214, NONE, NOTHING)                            \
        X(setfsuid32,                    NA, 215,  NA,  NA, 215, NONE, NOTHING)                            \
        X(setfsgid32,                    NA, 216,  NA,  NA, 216, NONE, NOTHING)                            \
        X(fcntl64,                       NA, 221,  NA,  NA, 221, BOTH, FEW)                                \
        X(sendfile64,                    NA, 239,  NA,  NA, 239, BOTH, SENDFILE)                           \
        X(statfs64,                      NA, 268,  NA,  NA, 266, IN,   FEW)                                \
        X(fstatfs64,                     NA, 269,  NA,  NA, 267, IN,   FEW)                                \
        X(arm_fadvise64_64,              NA,  NA,  NA,  NA, 270, NONE, NOTHING)                            \
        X(pciconfig_iobase,              NA,  NA,  NA,  NA, 271, NONE, NOTHING)                            \
        X(fadvise64_64,                  NA, 272,  NA,  NA,  NA, NONE, NOTHING)                            \
        X(pciconfig_read,                NA,  NA,  NA,  NA, 272, NONE, NOTHING)                            \
        X(pciconfig_write,               NA,  NA,  NA,  NA, 273, NONE, NOTHING)                            \
        X(send,                          NA,  NA,  NA,  NA, 289, OUT,  WRITE)                              \
        X(recv,                          NA,  NA,  NA,  NA, 291, IN,   READ)                               \
        X(fstatat64,                     NA, 300,  NA,  NA, 327, IN,   FEW)                                \
        X(arm_sync_file_range,           NA,  NA,  NA,  NA, 341, NONE, NOTHING)                            \
        X(clock_gettime64,               NA, 403,  NA,  NA, 403, NONE, NOTHING)                            \
        X(clock_settime64,               NA, 404,  NA,  NA, 404, OUT,  FEW)                                \
        X(clock_adjtime64,               NA, 405,  NA,  NA, 405, OUT,  FEW)                                \
        X(clock_getres_time64,           NA, 406,  NA,  NA, 406, NONE, NOTHING)                            \
        X(clock_nanosleep_time64,        NA, 407,  NA,  NA, 407, NONE, NOTHING)                            \
        X(timer_gettime64,               NA, 408,  NA,  NA, 408, NONE, NOTHING)                            \
        X(timer_settime64,               NA, 409,  NA,  NA, 409, NONE, NOTHING)                            \
        X(timerfd_gettime64,             NA, 410,  NA,  NA, 410, IN,   FEW)                                \
        X(timerfd_settime64,             NA, 411,  NA,  NA, 411, OUT,  FEW)                                \
        X(utimensat_time64,              NA, 412,  NA,  NA, 412, OUT,  FEW)                                \
        X(pselect6_time64,               NA, 413,  NA,  NA, 413, IN,   FEW)                                \
        X(ppoll_time64,                  NA, 414,  NA,  NA, 414, IN,   FEW)                                \
        X(io_pgetevents_time64,          NA, 416,  NA,  NA, 416, IN,   ELSEWHERE)                          \
        X(recvmmsg_time64,               NA, 417,  NA,  NA, 417, IN,   RECEIVE_MANY)                       \
        X(mq_timedsend_time64,           NA, 418,  NA,  NA, 418, OUT,  WRITE)                              \
        X(mq_timedreceive_time64,        NA, 419,  NA,  NA, 419, IN,   READ)                               \
        X(semtimedop_time64,             NA, 420,  NA,  NA, 420, BOTH, FEW)                                \
        X(rt_sigtimedwait_time64,        NA, 421,  NA,  NA, 421, IN,   FEW)                                \
        X(futex_time64,                  NA, 422,  NA,  NA, 422, BOTH, FEW)                                \
        X(sched_rr_get_interval_time64,  NA, 423,  NA,  NA, 423, NONE, NOTHING)

/* socketcall(2): SYS_NAME of include/uapi/linux/net.h. The arguments are in memory. */
#define BW_SOCKET_CALLS(X)                                                                                 \
        X(SOCKET,       1, NONE, NOTHING)                                                                  \
        X(BIND,         2, OUT,  BIND)                                                                     \
        X(CONNECT,      3, OUT,  CONNECT)                                                                  \
        X(LISTEN,       4, NONE, NOTHING)                                                                  \
        X(ACCEPT,       5, BOTH, ELSEWHERE)                                                                \
        X(GETSOCKNAME,  6, IN,   FEW)                                                                      \
        X(GETPEERNAME,  7, IN,   FEW)                                                                      \
        X(SOCKETPAIR,   8, NONE, NOTHING)                                                                  \
        X(SEND,         9, OUT,  WRITE)                                                                    \
        X(RECV,        10, IN,   READ)                                                                     \
        X(SENDTO,      11, OUT,  SEND_TO)                                                                  \
        X(RECVFROM,    12, IN,   READ)                                                                     \
        X(SHUTDOWN,    13, OUT,  FEW)                                                                      \
        X(SETSOCKOPT,  14, BOTH, OPTION)                                                                   \
        X(GETSOCKOPT,  15, IN,   FEW)                                                                      \
        X(SENDMSG,     16, OUT,  SEND_MESSAGE)                                                             \
        X(RECVMSG,     17, IN,   RECEIVE)                                                                  \
        X(ACCEPT4,     18, BOTH, ELSEWHERE)                                                                \
        X(RECVMMSG,    19, IN,   RECEIVE_MANY)                                                             \
        X(SENDMMSG,    20, OUT,  SEND_MESSAGE)                                                             \

/* ipc(2): include/uapi/linux/ipc.h. The further arguments are those of the call that it stands for. */
#define BW_IPC_CALLS(X)                                                                                    \
        X(SEMOP,        1, BOTH, FEW)                                                                      \
        X(SEMGET,       2, OUT,  FEW)                                                                      \
        X(SEMCTL,       3, BOTH, SEMAPHORES)                                                               \
        X(SEMTIMEDOP,   4, BOTH, FEW)                                                                      \
        X(MSGSND,      11, OUT,  QUEUE_SEND)                                                               \
        X(MSGRCV,      12, IN,   QUEUE_RECEIVE)                                                            \
        X(MSGGET,      13, OUT,  FEW)                                                                      \
        X(MSGCTL,      14, BOTH, FEW)                                                                      \
        X(SHMAT,       21, BOTH, ATTACH)                                                                   \
        X(SHMDT,       22, NONE, NOTHING)                                                                  \
        X(SHMGET,      23, OUT,  FEW)                                                                      \
        X(SHMCTL,      24, BOTH, FEW)
/* clang-format on */
