/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* The environment and the first argument of a process, read from its memory. They are reliable at exec only;
 * later the process may have overwritten them. */

#include "abi/policy.h"
#include "lib/kernel.bpf.h"
#include "lib/maps.bpf.h"
#include "lib/path.bpf.h"
#include "mark/name.bpf.h"

/* ---- environment ---- */

/* Bytes of an entry read in one step: nearly all are shorter; a longer one takes several steps. */
#define ENTRY_CHUNK 128
/* A login has some 30 entries in 3 KiB, a program in a pod some hundred, and a build has been seen to pass
 * on 70 KiB in one. If there are more bytes, or more entries (or chunks of long ones), no rule applies. */
#define ENVIRONMENT_MAX (1 << 20)
#define ENTRIES_MAX (1 << 16)
#define ENTRIES_AT_ONCE 128 /* divides it; see entries_look() */

/* Result of entry_look(): the chunk's length with its NUL; */
#define ENTRY_LENGTH(r) ((__u32)(r)&0xff)
/* the entry sets a variable that makes the program run other code; */
#define ENTRY_INJECTS (1ULL << 32)
/* it is a list of directories for code, from this many bytes on. */
#define ENTRY_LIST(r) ((r) >> 40)

/* Whether the entry sets that variable to a value. `name` includes the '='. */
static __always_inline __u64 entry_is(const __u64 *head, const char *name, const __u32 length) {
        __u64 wanted[3] = {}, other = 0;

        __builtin_memcpy(wanted, name, length);
        for (__u32 i = 0; i < 3; i++) {
                __u32 n = length > 8 * i ? length - 8 * i : 0;
                __u64 mask = n >= 8 ? ~0ULL
                                    : (1ULL << 8 * n) - 1; /* little endian: the first byte is the lowest */
                other |= (head[i] ^ wanted[i]) & mask;
        }
        return !other && (head[length / 8] >> length % 8 * 8 & 0xff) ? ENTRY_INJECTS : 0;
}

#define ENTRY_IS(head, name) entry_is((head), name, sizeof(name) - 1)
#define ENTRY_LISTS(head, name) (ENTRY_IS((head), name) ? (__u64)(sizeof(name) - 1) << 40 : 0)

/* Examines one chunk. secure: the dynamic linker ignores its variables (ld.so(8) on secure-execution mode).
 * Returns 0 if the memory cannot be read. */
__noinline __u64 entry_look(__u64 address, __u32 secure) {
        union {
                __u64 head[ENTRY_CHUNK / 8];
                char text[ENTRY_CHUNK];
        } chunk;
        __u64 injects = 0;

        chunk.head[0] = chunk.head[1] = chunk.head[2] = 0;
        long n = bpf_probe_read_user_str(chunk.text, sizeof(chunk.text), (void *)address);
        if (n <= 0)
                return 0;

        /* The first letter excludes most entries. */
        switch ((__u8)chunk.head[0]) {
        case 'L':
                /* LUA_INIT_5_4= and the like, too. */
                injects |= ENTRY_IS(chunk.head, "LUA_INIT") | ENTRY_IS(chunk.head, "LUA_PATH") |
                           ENTRY_IS(chunk.head, "LUA_CPATH");
                if (!secure)
                        injects |= ENTRY_IS(chunk.head, "LD_PRELOAD=") | ENTRY_IS(chunk.head, "LD_AUDIT=") |
                                   ENTRY_LISTS(chunk.head, "LD_LIBRARY_PATH=");
                break;
        case 'P':
                injects |= ENTRY_IS(chunk.head, "PYTHONPATH=") | ENTRY_IS(chunk.head, "PYTHONHOME=") |
                           ENTRY_IS(chunk.head, "PYTHONSTARTUP=") | ENTRY_IS(chunk.head, "PYTHONINSPECT=") |
                           ENTRY_IS(chunk.head, "PYTHONUSERBASE=") | ENTRY_IS(chunk.head, "PERL5OPT=") |
                           ENTRY_IS(chunk.head, "PERL5LIB=") | ENTRY_IS(chunk.head, "PERLLIB=") |
                           ENTRY_IS(chunk.head, "PERL5DB=") | ENTRY_IS(chunk.head, "PHPRC=") |
                           ENTRY_IS(chunk.head, "PHP_INI_SCAN_DIR=");
                break;
        case 'S': /* bash traces every command, with code in PS4= */
                injects |= ENTRY_IS(chunk.head, "SHELLOPTS=");
                break;
        case 'C':
                injects |= ENTRY_IS(chunk.head, "CLASSPATH=");
                break;
        case 'N':
                injects |= ENTRY_IS(chunk.head, "NODE_OPTIONS=") | ENTRY_LISTS(chunk.head, "NODE_PATH=") |
                           ENTRY_IS(chunk.head, "NODE_REPL_EXTERNAL");
                break;
        case 'R':
                injects |= ENTRY_IS(chunk.head, "RUBYOPT=") | ENTRY_IS(chunk.head, "RUBYLIB=");
                break;
        case 'J':
                injects |= ENTRY_IS(chunk.head, "JAVA_TOOL_OPTIONS=") |
                           ENTRY_IS(chunk.head, "JDK_JAVA_OPTIONS=");
                break;
        case '_':
                injects |= ENTRY_IS(chunk.head, "_JAVA_OPTIONS=");
                break;
        case 'B':
                injects |= ENTRY_IS(chunk.head, "BASH_ENV=");
                break;
        case 'G':
                if (!secure)
                        injects |= ENTRY_IS(chunk.head, "GCONV_PATH=");
                break;
        case 'O':
                injects |= ENTRY_IS(chunk.head, "OPENSSL_CONF=") | ENTRY_IS(chunk.head, "OPENSSL_ENGINES=") |
                           ENTRY_IS(chunk.head, "OPENSSL_MODULES=");
                break;
        }
        return injects | (__u64)n;
}

/* Bytes of a list of directories that are examined: more than a line of a terminal. */
#define LIST_MAX 1024
#define LIST_STEP 64 /* divides it */

/* Between the steps: the last bytes of the current directory, above how many bytes it has, up to 8. */
#define LIST_LENGTH 0x0f
#define LIST_ENDS 0x10
#define LIST_BAD 0x20

static __always_inline __u64 word_is(__u64 word, __u64 other) {
        return ((word ^ other) - 1) >> 63; /* for words without the highest bit */
}

/* Examines some bytes of a list of directories. Those below /usr, /opt and /lib* are root's, or what is
 * there counts as foreign code when it is mapped; the dynamic linker takes an empty one for the working
 * directory. Without branches, as the verifier walks every iteration. */
__noinline __u64 list_step(__u64 address, __u64 state) {
        char text[LIST_STEP] = {};
        __u64 last = state >> 8, n = state & LIST_LENGTH, bad = 0, done = 0;
        long length = bpf_probe_read_user_str(text, sizeof(text), (void *)address);

        for (__u32 i = 0; i < LIST_STEP - 1; i++) {
                __u64 byte = (__u8)text[i], past = done;
                done |= word_is(byte, 0);
                __u64 end = word_is(byte, ':') | word_is(byte, ';') | done;

                /* The first byte of a name is the highest here. */
                bad |= (1 - past) & end & (((n - 5) >> 63) | word_is(last & 0xffffff, 0x2f2e2e) /* "/.." */);
                last = (last << 8 | byte) & 0xffffffffffffff;
                n += 1 - n / 8;
                bad |= (1 - end) & word_is(last & 0xffffffff, 0x2f2e2e2f); /* "/../" */
                bad |= (1 - end) & word_is(n, 5) &
                       (1 - (word_is(last & 0xffffffffff, 0x2f7573722f) /* "/usr/" */ |
                                            word_is(last & 0xffffffffff, 0x2f6f70742f) /* "/opt/" */ |
                                            word_is(last >> 8 & 0xffffffff, 0x2f6c6962) /* "/lib" */));
                last *= 1 - end;
                n *= 1 - end;
                barrier_var(n);
                barrier_var(last);
        }
        return last << 8 | n | (length == LIST_STEP ? 0 : LIST_ENDS) | (length < 0 || bad ? LIST_BAD : 0);
}

/* Whether a list of directories names only those that are root's. */
static __always_inline bool list_is_roots(__u64 at) {
        __u64 state = 0;

        for (__u32 i = 0; i < LIST_MAX / LIST_STEP; i++) {
                state = list_step(at + i * (LIST_STEP - 1), state);
                if (state & (LIST_ENDS | LIST_BAD))
                        return !(state & LIST_BAD);
                barrier_var(state);
        }
        return false;
}

/* Result of entries_look(): a finding, or the address to continue at, which is never as low as a finding,
 * with a flag if that is inside an entry, and one if a list of directories begins there. */
#define ENTRIES_INSIDE (1ULL << 63)
#define ENTRIES_LIST (1ULL << 62)

/* Examines some entries of the current process's environment. A loop within a loop, as the verifier walks
 * every iteration. */
__noinline __u64 entries_look(__u64 at, __u64 end, __u32 secure) {
        __u64 inside = at / ENTRIES_INSIDE;

        at &= ~ENTRIES_INSIDE;
        for (__u32 i = 0; i < ENTRIES_AT_ONCE; i++) {
                if (at >= end)
                        return FINDING_GOOD;
                __u64 r = entry_look(at, secure);
                __u64 length = ENTRY_LENGTH(r);
                if (!length)
                        return FINDING_UNSEEN;
                if (r & ENTRY_INJECTS && !inside)
                        return FINDING_BAD;
                if (ENTRY_LIST(r) && !inside)
                        return (at + ENTRY_LIST(r)) | ENTRIES_LIST | ENTRIES_INSIDE;
                inside = length / ENTRY_CHUNK; /* cut: its NUL took the place of a byte */
                barrier_var(inside);
                at += length - inside;
        }
        return at | inside * ENTRIES_INSIDE;
}

/* What follows from a result of entries_look(): a list of directories that are not all root's is a finding.
 * Apart from the loop that calls it, as the verifier walks every iteration. */
__noinline __u64 entries_judge(__u64 r) {
        if (r & ENTRIES_LIST && !list_is_roots(r & ~(ENTRIES_LIST | ENTRIES_INSIDE)))
                return FINDING_BAD;
        return r & ~ENTRIES_LIST;
}

/* Examines the environment of the current process, in parts. Returns a finding, or an address, where there
 * are more entries than are examined. */
__noinline __u64 environment_find(__u64 at, __u64 end, __u32 secure) {
        for (__u32 i = 0; i < ENTRIES_MAX / ENTRIES_AT_ONCE && at > FINDING_UNSEEN; i++)
                at = entries_judge(entries_look(at, end, secure));
        return at;
}

/* Examines the environment of the current process, `pid`. */
__noinline int environment_look(__u32 pid) {
        struct task_struct *task = current_task();
        /* An exec that raised its ids (bprm->secureexec, kernel's security/commoncap.c). */
        __u32 secure = BPF_CORE_READ(task, cred, uid.val) != BPF_CORE_READ(task, cred, euid.val) ||
                       BPF_CORE_READ(task, cred, gid.val) != BPF_CORE_READ(task, cred, egid.val);
        __u64 r = BPF_CORE_READ(task, mm, env_start), end = BPF_CORE_READ(task, mm, env_end);
        bool complete = end - r <= ENVIRONMENT_MAX;

        if (!complete)
                end = r + ENVIRONMENT_MAX;
        r = environment_find(r, end, secure);
        struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);
        if (p)
                p->environment = r > FINDING_UNSEEN || (r == FINDING_GOOD && !complete) ? FINDING_UNSEEN : r;
        return 0;
}

/* ---- arguments ---- */

/* Drops the rules that an argument of the current process, `pid`, excludes (ExcludeArgument=). Returns its
 * length with the NUL, at most ENTRY_CHUNK; 0: it cannot be read. inside: it is the rest of a long one. */
__noinline __u64 argument_look(__u64 address, __u32 table, __u32 pid, __u32 inside) {
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);
        union {
                __u64 head[ENTRY_CHUNK / 8];
                char text[ENTRY_CHUNK];
        } chunk;

        for (__u32 i = 0; i < BW_ARGUMENT_WORDS; i++)
                chunk.head[i] = 0;
        long n = bpf_probe_read_user_str(chunk.text, sizeof(chunk.text), (void *)address);
        if (n <= 0 || !t || !p)
                return 0;
        if (inside)
                return n;
        for (__u32 i = 0; i < BW_ARGUMENTS_MAX; i++) {
                const struct bw_argument *a = &t->arguments[i];
                __u32 rule = a->rule % BW_RULES_MAX;
                __u64 other = 0;

                if (!a->used)
                        break;
                for (__u32 k = 0; k < BW_ARGUMENT_WORDS; k++)
                        other |= (chunk.head[k] ^ a->text[k]) & a->mask[k];
                p->rules.word[rule / 64] &= ~((((other | -other) >> 63) ^ 1) << rule % 64);
        }
        return n;
}

/* Examines some arguments. Returns as entries_look(). */
__noinline __u64 arguments_look(__u64 at, __u64 end, __u32 table, __u32 pid) {
        __u64 inside = at / ENTRIES_INSIDE;

        at &= ~ENTRIES_INSIDE;
        for (__u32 i = 0; i < ENTRIES_AT_ONCE; i++) {
                if (at >= end)
                        return FINDING_GOOD;
                __u64 length = argument_look(at, table, pid, inside);
                if (!length)
                        return FINDING_UNSEEN;
                inside = length / ENTRY_CHUNK;
                barrier_var(inside);
                at += length - inside;
        }
        return at | inside * ENTRIES_INSIDE;
}

/* Drops the rules of the current process, `pid`, that its arguments exclude; all that ask for any, if the
 * arguments cannot be read to their end. */
__noinline int arguments_judge(__u32 table, __u32 pid) {
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        struct task_struct *task = current_task();
        __u64 at = BPF_CORE_READ(task, mm, arg_start), end = BPF_CORE_READ(task, mm, arg_end);

        for (__u32 i = 0; i < ENTRIES_MAX / ENTRIES_AT_ONCE && at > FINDING_UNSEEN; i++)
                at = arguments_look(at, end, table, pid);
        struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);
        if (p && t && at != FINDING_GOOD)
                for (__u32 i = 0; i < BW_WORDS; i++)
                        p->rules.word[i] &= ~t->asks[BW_CONDITION_ARGUMENT].word[i];
        return 0;
}

/* ---- script ---- */

/* One byte of a path given as text. state includes BW_DEFAULT_SKIPS. Returns the next state in the lower
 * half, and above it the output after a '/', otherwise 0. */
static __always_inline __u64 text_step(const struct bw_table *t, const struct bw_cell *cells, __u32 which,
                __u32 state, __u32 byte) {
        if (byte != '/' && state & BW_DEFAULT_SKIPS)
                return state;
        state = automaton_step(cells, state & BW_STATE_MASK,
                        t->byte_class[which % BW_AUTOMATON_SLOTS][byte & 0xff]);
        if (byte != '/')
                return state;
        state &= BW_STATE_MASK;
        __u64 output = cells[state & cells_mask].check & BW_OUTPUT_MASK;
        return output << 32 | state;
}

/* Weight of a byte of a component: a component lighter than 3 is empty, "." or "..". */
#define SHAPE_DOT 1
#define SHAPE_OTHER 4
#define SHAPE_MIN 3

/* include/uapi/linux/{stat,major}.h: pseudo-terminals, consoles and lines, and what stands for one */
#define S_IFCHR 0020000
#define TERMINAL_MAJOR_MIN 3
#define TERMINAL_MAJOR_MAX 5
#define TERMINAL_MAJOR_UNIX98 136 /* the first of eight */

/* Whether descriptor 0 of the current process is a terminal. */
static __always_inline bool input_is_terminal(struct task_struct *task) {
        const struct file *file = descriptor_file(task, 0);
        const struct inode *inode = BPF_CORE_READ(file, f_inode);
        __u32 major = BPF_CORE_READ(inode, i_rdev) >> 20;

        return (BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFCHR &&
               (major - TERMINAL_MAJOR_MIN <= TERMINAL_MAJOR_MAX - TERMINAL_MAJOR_MIN ||
                               major - TERMINAL_MAJOR_UNIX98 < 8);
}

#define SCRIPT_TERMINAL "/dev/tty" /* what Script= calls a prompt */

/* Reads argv[1] of the current process, or SCRIPT_TERMINAL if that has no argument, or -i alone, and
 * reads its commands from a terminal. Returns false if there is neither, or it is too long. */
static __always_inline bool script_read(struct scratch *s, struct task_struct *task) {
        __u64 at = BPF_CORE_READ(task, mm, arg_start), end = BPF_CORE_READ(task, mm, arg_end);

        long n = bpf_probe_read_user_str(s->text, TEXT_MAX, (void *)at);
        if (n <= 0 || n >= TEXT_MAX || at + n > end)
                return false;
        at += n;
        n = at < end ? bpf_probe_read_user_str(s->text, TEXT_MAX, (void *)at) : 0;
        if (n < 0 || n == 1 || n >= TEXT_MAX)
                return false;
        if (n == 0 || (n == sizeof("-i") && at + n == end && s->text[0] == '-' && s->text[1] == 'i')) {
                if (!input_is_terminal(task))
                        return false;
                n = sizeof(SCRIPT_TERMINAL);
                __builtin_memcpy(s->text, SCRIPT_TERMINAL, sizeof(SCRIPT_TERMINAL));
        }
        s->length = n - 1;
        return s->text[0] == '/';
}

/* Bytes per inner loop. Divides TEXT_MAX. */
#define TEXT_AT_ONCE 8

/* Steps over some bytes of the text in the current thread's scratch, backwards, after the first `done`. */
__noinline int text_steps(__u32 table, __u32 which, __u32 done) {
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        const struct bw_cell *cells = bpf_map_lookup_elem(&bw_cells, &table);
        __u64 thread = bpf_get_current_pid_tgid();
        struct scratch *s = bpf_map_lookup_elem(&bw_scratch, &thread);

        if (!t || !cells || !s)
                return 0;
        for (__u32 i = 0; i < TEXT_AT_ONCE; i++) {
                __u32 left = *(volatile __u32 *)&s->length - done - i;
                if ((__s32)left <= 0)
                        break;
                __u64 byte = (__u8)s->text[(left - 1) & (TEXT_MAX - 1)];
                __u64 r = text_step(t, cells, which, s->state, byte);

                s->state = r;
                s->output = COMPONENT_OUTPUT(r);
                bits_or(&s->bits, &t->outputs[s->output % BW_OUTPUTS_MAX].sticky);
                s->hash = hash_mix(s->hash, byte);

                /* Arithmetic instead of branches. */
                __u64 dot = ((byte ^ '.') - 1) >> 63, slash = ((byte ^ '/') - 1) >> 63;
                __u64 thin = (s->shape - SHAPE_MIN) >> 63;
                s->bad |= slash & thin;
                s->shape = (s->shape + SHAPE_OTHER - dot * (SHAPE_OTHER - SHAPE_DOT)) & (slash - 1);
        }
        return 0;
}

/* Runs an automaton over the path in the current thread's scratch: leaves the matching rules there, a hash
 * of the text, and whether it has an empty component, "." or "..". */
__noinline int text_match(__u32 table, __u32 which) {
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        __u64 thread = bpf_get_current_pid_tgid();
        struct scratch *s = bpf_map_lookup_elem(&bw_scratch, &thread);

        if (!t || !s)
                return 0;
        s->state = t->start[which % BW_AUTOMATON_SLOTS];
        s->hash = shared.name_seed;
        for (__u32 done = 0; done < TEXT_MAX; done += TEXT_AT_ONCE) {
                if (done >= *(volatile __u32 *)&s->length)
                        break;
                text_steps(table, which, done);
        }
        bits_or(&s->bits, &t->outputs[s->output % BW_OUTPUTS_MAX].final);
        if (s->bad)
                __builtin_memset(&s->bits, 0, sizeof(s->bits));
        return 0;
}

/* The rules that name the script which the process `pid` executed: added to those of its executable, with
 * BW_AUTOMATON_SCRIPT to those of its first argument, and with BW_AUTOMATON_ANCESTOR to what its children
 * inherit. A script of the user's counts for rules of the user level only. Returns whether there is any. */
__noinline int program_match(__u32 table, __u32 which, __u32 pid) {
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);
        __u64 program = p ? p->program : 0;

        if (!program || !t || (p->users_program && which == BW_AUTOMATON_ANCESTOR))
                return false;
        const struct short_name *name = name_get(program);
        struct scratch *s = name ? scratch_get() : NULL;
        if (!s)
                return false;
        s->length = name->length;
        __builtin_memcpy(s->text, name->text, TEXT_MAX);
        text_match(table, which);
        if (p->users_program)
                for (__u32 i = 0; i < BW_WORDS; i++)
                        s->bits.word[i] &= t->asks[BW_CONDITION_OWNER].word[i];
        bits_or(which == BW_AUTOMATON_EXE                ? &p->rules
                        : which == BW_AUTOMATON_ANCESTOR ? &p->own
                                                         : &p->script,
                        &s->bits);
        bool any = s->bits.word[0] | s->bits.word[1] | s->bits.word[2] | s->bits.word[3];
        scratch_put();
        return any;
}

/* Runs the automaton over the script path that an interpreter was started with, as text, and stores the
 * matching rules in the entry of `pid`, the current process: not those of the user level, as whose file is
 * at that path is not known. For another policy the result is updated only if the text is the same as at
 * exec.
 */
__noinline int script_look(__u32 table, __u32 pid) {
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);

        if (!p || !t)
                return 0;
        struct scratch *s = scratch_get();
        if (!s)
                return 0;
        s->bad = !script_read(s, current_task());
        text_match(table, BW_AUTOMATON_SCRIPT);

        __u64 hash = s->hash | 1;
        if (!p->script_hash || p->script_hash == hash) {
                for (__u32 i = 0; i < BW_WORDS; i++)
                        s->bits.word[i] &= ~t->asks[BW_CONDITION_OWNER].word[i];
                p->script = s->bits;
                p->script_hash = hash;
        }
        scratch_put();
        return 0;
}
