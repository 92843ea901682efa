/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What a process was started with: its environment and its first argument, read from its own memory. Only at exec are
 * they what the program was given; later it may have written others there. */

#include "taint.bpf.h"

/* ---- environment ---- */

/* Bytes of an entry read at one time: nearly all are shorter; of a longer one the rest is read in as many steps. */
#define ENTRY_CHUNK 128
/* Entries, or chunks of long ones, that are looked at. A login has some 30 entries, a program in a pod some hundred;
 * of one that has more nothing good can be said, and no rule holds. */
#define ENTRIES_MAX 512
#define ENTRIES_AT_ONCE 32 /* divides it; see entries_look() */

/* Results of entry_look(): the chunk's length with its NUL; */
#define ENTRY_LENGTH(r) ((__u32)(r) & 0xff)
/* it names a variable that makes the program run other code. */
#define ENTRY_INJECTS (1ULL << 32)

/* Is it that variable, with a value? `name` has its '='. */
static __always_inline __u64 entry_is(const __u64 *head, const char *name, const __u32 length) {
        __u64 wanted[3] = {}, other = 0;

        __builtin_memcpy(wanted, name, length);
        for (__u32 i = 0; i < 3; i++) {
                __u32 n = length > 8 * i ? length - 8 * i : 0;
                __u64 mask = n >= 8 ? ~0ULL : (1ULL << 8 * n) - 1; /* little endian: the first byte is the lowest */
                other |= (head[i] ^ wanted[i]) & mask;
        }
        return !other && (head[length / 8] >> length % 8 * 8 & 0xff) ? ENTRY_INJECTS : 0;
}

#define ENTRY_IS(head, name) entry_is((head), name, sizeof(name) - 1)

/* Looks at one chunk. secure: the dynamic linker ignores its variables (ld.so(8) on secure-execution mode). Returns
 * 0 when the memory cannot be read. */
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

        /* Every name is in capitals: most entries are told apart by their first letter. */
        switch ((__u8)chunk.head[0]) {
        case 'L':
                injects |= ENTRY_IS(chunk.head, "LUA_INIT=");
                if (!secure)
                        injects |= ENTRY_IS(chunk.head, "LD_PRELOAD=") | ENTRY_IS(chunk.head, "LD_AUDIT=") |
                                ENTRY_IS(chunk.head, "LD_LIBRARY_PATH=");
                break;
        case 'P':
                injects |= ENTRY_IS(chunk.head, "PYTHONPATH=") | ENTRY_IS(chunk.head, "PYTHONHOME=") |
                        ENTRY_IS(chunk.head, "PYTHONSTARTUP=") | ENTRY_IS(chunk.head, "PERL5OPT=") |
                        ENTRY_IS(chunk.head, "PERL5LIB=") | ENTRY_IS(chunk.head, "PERLLIB=");
                break;
        case 'N':
                injects |= ENTRY_IS(chunk.head, "NODE_OPTIONS=");
                break;
        case 'R':
                injects |= ENTRY_IS(chunk.head, "RUBYOPT=") | ENTRY_IS(chunk.head, "RUBYLIB=");
                break;
        case 'J':
                injects |= ENTRY_IS(chunk.head, "JAVA_TOOL_OPTIONS=") | ENTRY_IS(chunk.head, "JDK_JAVA_OPTIONS=");
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
                injects |= ENTRY_IS(chunk.head, "OPENSSL_CONF=");
                break;
        }
        return injects | (__u64)n;
}

/* Results of entries_look(): a finding, or where to go on, which is never so low, and whether that goes on with an entry. */
#define ENTRIES_INSIDE (1ULL << 63)

/* Looks at some entries of the current process's environment. The verifier follows each turn of a loop: so many turns are a
 * loop in a loop. */
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
                inside = length / ENTRY_CHUNK; /* cut: its NUL took the place of a byte */
                barrier_var(inside);
                at += length - inside;
        }
        return at | inside * ENTRIES_INSIDE;
}

/* Finds out about the current process's environment, whose entry is `pid`'s. */
__noinline int environment_look(__u32 pid) {
        struct task_struct *task = current_task();
        /* An exec that raised its ids (bprm->secureexec, kernel's security/commoncap.c). */
        __u32 secure = BPF_CORE_READ(task, cred, uid.val) != BPF_CORE_READ(task, cred, euid.val) ||
                BPF_CORE_READ(task, cred, gid.val) != BPF_CORE_READ(task, cred, egid.val);
        __u64 end = BPF_CORE_READ(task, mm, env_end);
        __u64 r = BPF_CORE_READ(task, mm, env_start);

        for (__u32 i = 0; i < ENTRIES_MAX / ENTRIES_AT_ONCE; i++) {
                r = entries_look(r, end, secure);
                if (r <= FINDING_UNSEEN)
                        break;
        }

        struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);
        if (p)
                p->environment = r <= FINDING_UNSEEN ? r : FINDING_UNSEEN;
        return 0;
}

/* ---- script ---- */

/* One byte of a path that is text. state: with BW_DEFAULT_SKIPS; returns the next one in the lower half, and above it the
 * output after a '/', otherwise the empty one. */
static __always_inline __u64 script_step(const struct bw_table *t, const struct bw_cell *cells, __u32 state, __u32 byte) {
        if (byte != '/' && state & BW_DEFAULT_SKIPS)
                return state;
        state = automaton_step(cells, state & BW_STATE_MASK, t->byte_class[BW_AUTOMATON_SCRIPT][byte & 0xff]);
        if (byte != '/')
                return state;
        state &= BW_STATE_MASK;
        __u64 output = cells[state & cells_mask].check & BW_OUTPUT_MASK;
        return output << 32 | state;
}

/* Weight of a byte of a component: one that weighs less than 3 is empty, "." or "..". */
#define SHAPE_DOT 1
#define SHAPE_OTHER 4
#define SHAPE_MIN 3

/* Reads argv[1] of the current process. false: there is none, or it is too long. */
static __always_inline bool script_read(struct scratch *s, struct task_struct *task) {
        __u64 at = BPF_CORE_READ(task, mm, arg_start), end = BPF_CORE_READ(task, mm, arg_end);

        long n = bpf_probe_read_user_str(s->text, TEXT_MAX, (void *)at);
        if (n <= 0 || n >= TEXT_MAX || at + n >= end)
                return false;
        at += n;
        n = bpf_probe_read_user_str(s->text, TEXT_MAX, (void *)at);
        if (n <= 1 || n >= TEXT_MAX)
                return false;
        s->length = n - 1;
        return s->text[0] == '/';
}

/* Bytes that are stepped over at once: the other turns are the loop's around it. Divides TEXT_MAX. */
#define SCRIPT_AT_ONCE 8

/* Some bytes of the text in the current thread's scratch, from its end on: those behind the first `done`. */
__noinline int script_steps(__u32 table, __u32 done) {
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        const struct bw_cell *cells = bpf_map_lookup_elem(&bw_cells, &table);
        __u64 thread = bpf_get_current_pid_tgid();
        struct scratch *s = bpf_map_lookup_elem(&bw_scratch, &thread);

        if (!t || !cells || !s)
                return 0;
        for (__u32 i = 0; i < SCRIPT_AT_ONCE; i++) {
                __u32 left = *(volatile __u32 *)&s->length - done - i;
                if ((__s32)left <= 0)
                        break;
                __u64 byte = (__u8)s->text[(left - 1) & (TEXT_MAX - 1)];
                __u64 r = script_step(t, cells, s->state, byte);

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

/* Runs the automaton over the path that an interpreter was started with, as text, and writes the rules that match to
 * the entry of `pid`, the current process. What was found at exec is found anew, for another policy, only if the text is
 * still the same. */
__noinline int script_look(__u32 table, __u32 pid) {
        const struct bw_table *t = bpf_map_lookup_elem(&bw_table, &table);
        struct process *p = bpf_map_lookup_elem(&bw_processes, &pid);

        if (!t || !p)
                return 0;
        struct scratch *s = scratch_get();
        if (!s)
                return 0;
        s->state = t->start[BW_AUTOMATON_SCRIPT];
        s->hash = shared.name_seed;
        s->bad = !script_read(s, current_task());

        for (__u32 done = 0; done < TEXT_MAX; done += SCRIPT_AT_ONCE) {
                if (done >= *(volatile __u32 *)&s->length)
                        break;
                script_steps(table, done);
        }
        bits_or(&s->bits, &t->outputs[s->output % BW_OUTPUTS_MAX].final);
        if (s->bad)
                __builtin_memset(&s->bits, 0, sizeof(s->bits));

        __u64 hash = s->hash | 1;
        if (!p->script_hash || p->script_hash == hash) {
                p->script = s->bits;
                p->script_hash = hash;
        }
        scratch_put();
        return 0;
}
