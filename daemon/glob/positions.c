/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Patterns → positions: a tree in the order of reading, whose equal subtrees are then merged. */

#include <errno.h>
#include <string.h>

#include "glob/positions.h"

/* Limit of tree nodes before merging, 16 bytes each: two orders of magnitude more than 10,000 paths of a
 * real system need. */
#define NODES_MAX (1U << 22)

#define NONE UINT32_MAX

typedef struct TreeNode {
        uint32_t label; /* of the edge that leads here: a byte, or as in GlobEdge */
        uint32_t first_child;
        uint32_t next; /* sibling; siblings are sorted by label */
        uint32_t output;
} TreeNode;

typedef struct Tree {
        TreeNode *nodes;
        size_t n, size;
        GlobPositions *p;
} Tree;

static void tree_done(Tree *t) {
        free(t->nodes);
}

int glob_array_grow(void *inout_array, size_t *inout_size, size_t n, size_t element_bytes) {
        size_t size = *inout_size;
        void *array;

        if (n < size)
                return 0;
        /* Pointers to different types may not alias: hence copies of the pointer. */
        memcpy(&array, inout_array, sizeof(array));
        size = MAX(size * 2, (size_t)64);
        array = reallocarray(array, size, element_bytes);
        if (!array)
                return -ENOMEM;
        memcpy(inout_array, &array, sizeof(array));
        *inout_size = size;
        return 0;
}

GlobPositions *glob_positions_free(GlobPositions *p) {
        if (!p)
                return NULL;
        free(p->sets);
        free(p->positions);
        free(p->edges);
        free(p->outputs);
        free(p);
        return NULL;
}

static int tree_add(Tree *t, uint32_t label, uint32_t *ret) {
        int r;

        if (t->n >= NODES_MAX)
                return -E2BIG;
        r = glob_array_grow(&t->nodes, &t->size, t->n, sizeof(TreeNode));
        if (r < 0)
                return r;
        t->nodes[t->n] = (TreeNode){ .label = label, .first_child = NONE, .next = NONE };
        *ret = (uint32_t)t->n++;
        return 0;
}

static int tree_descend(Tree *t, uint32_t *inout_node, uint32_t label) {
        uint32_t previous = NONE, at = t->nodes[*inout_node].first_child, added;
        int r;

        while (at != NONE && t->nodes[at].label < label) {
                previous = at;
                at = t->nodes[at].next;
        }
        if (at != NONE && t->nodes[at].label == label) {
                *inout_node = at;
                return 0;
        }

        r = tree_add(t, label, &added);
        if (r < 0)
                return r;
        t->nodes[added].next = at;
        if (previous == NONE)
                t->nodes[*inout_node].first_child = added;
        else
                t->nodes[previous].next = added;
        *inout_node = added;
        return 0;
}

/* The only member of a set, or 256. */
static uint32_t set_single(const ByteSet *set) {
        uint32_t single = 256;

        for (size_t i = 0; i < ELEMENTSOF(set->word); i++) {
                uint64_t word = set->word[i];

                if (word == 0)
                        continue;
                if (single < 256 || (word & (word - 1)) != 0)
                        return 256;
                single = (uint32_t)(64 * i) + (uint32_t)__builtin_ctzll(word);
        }
        return single;
}

static int label_of_set(GlobPositions *p, const ByteSet *set, uint32_t *ret) {
        uint32_t single = set_single(set);
        int r;

        if (single < 256) {
                *ret = single;
                return 0;
        }

        for (size_t i = 0; i < p->n_sets; i++)
                if (memcmp(&p->sets[i], set, sizeof(*set)) == 0) {
                        *ret = (uint32_t)(GLOB_LABEL_SET + i);
                        return 0;
                }

        r = glob_array_grow(&p->sets, &p->sets_size, p->n_sets, sizeof(ByteSet));
        if (r < 0)
                return r;
        p->sets[p->n_sets] = *set;
        *ret = (uint32_t)(GLOB_LABEL_SET + p->n_sets++);
        return 0;
}

static int item_label(GlobPositions *p, const GlobItem *item, uint32_t *ret) {
        switch (item->kind) {
        case GLOB_ITEM_BYTE:
                return label_of_set(p, &item->set, ret);
        case GLOB_ITEM_STAR:
                *ret = GLOB_LABEL_COMPONENT;
                return 0;
        case GLOB_ITEM_GLOBSTAR:
                *ret = GLOB_LABEL_ANY;
                return 0;
        case GLOB_ITEM_DIRS:
                *ret = GLOB_LABEL_DIRS;
                return 0;
        }
        return -EINVAL;
}

/* True if any beginning is accepted once the rest has been read up to a '/'. */
static bool items_are_sticky(const GlobItem *items, size_t n) {
        return n > 1 && (items[1].kind == GLOB_ITEM_DIRS || items[1].kind == GLOB_ITEM_GLOBSTAR);
}

/* Rewrites the items into the order of reading and returns how many are left to read. */
static size_t items_reverse(GlobItem *items, size_t n) {
        bool sticky = items_are_sticky(items, n);

        /* A '/' and zero or more directories read the same from both ends, so the '/' may stay in
         * front. */
        for (size_t i = 0; i < n / 2; i++) {
                GlobItem item = items[i];
                items[i] = items[n - 1 - i];
                items[n - 1 - i] = item;
        }
        for (size_t i = 0; i + 1 < n; i++)
                if (items[i].kind == GLOB_ITEM_DIRS) {
                        GlobItem item = items[i];
                        items[i] = items[i + 1];
                        items[i + 1] = item;
                        i++;
                }
        if (!sticky)
                return n;

        /* A beginning that may be anything is not read: reading it would keep the position, and every
         * combination of positions, alive up to the root. "**" ends at the next '/' instead, which always
         * follows. */
        if (items[n - 1].kind == GLOB_ITEM_DIRS)
                n--;
        if (n > 1 && items[n - 2].kind == GLOB_ITEM_GLOBSTAR)
                items[n - 2].kind = GLOB_ITEM_STAR;
        return n;
}

static int output_add(GlobPositions *p, uint32_t *inout_index, bool sticky, unsigned bit) {
        struct bw_bits *bits;

        if (*inout_index == 0) {
                int r = glob_array_grow(
                                &p->outputs, &p->outputs_size, p->n_outputs, sizeof(struct bw_output));
                if (r < 0)
                        return r;
                p->outputs[p->n_outputs] = (struct bw_output){};
                *inout_index = (uint32_t)p->n_outputs++;
        }
        bits = sticky ? &p->outputs[*inout_index].sticky : &p->outputs[*inout_index].final;
        bits->word[bit / 64] |= UINT64_C(1) << (bit % 64);
        return 0;
}

static int tree_insert(Tree *t, const char *glob, size_t alternative, unsigned bit) {
        _cleanup_free_ GlobItem *items = NULL;
        size_t n, n_read;
        uint32_t node = 0;
        GlobError ignored;
        bool sticky;
        int r;

        r = glob_parse(glob, alternative, &items, &n, &ignored);
        if (r < 0)
                return r;

        sticky = items_are_sticky(items, n);
        n_read = items_reverse(items, n);
        for (size_t i = 0; i < n_read; i++) {
                uint32_t label;

                r = item_label(t->p, &items[i], &label);
                if (r < 0)
                        return r;
                r = tree_descend(t, &node, label);
                /* Whole directories end at the '/' before the first of them. */
                if (r >= 0 && items[i].kind == GLOB_ITEM_DIRS)
                        r = tree_descend(t, &node, '/');
                if (r < 0)
                        return r;
        }
        return output_add(t->p, &t->nodes[node].output, sticky, bit);
}

static int tree_insert_all(Tree *t, const GlobPattern *patterns, size_t n, size_t *ret_culprit) {
        for (size_t i = 0; i < n; i++) {
                size_t n_alternatives = 0;
                GlobError ignored;
                int r;

                r = patterns[i].bit < 256
                                    ? glob_count_alternatives(patterns[i].glob, &n_alternatives, &ignored)
                                    : -EINVAL;
                for (size_t k = 0; r >= 0 && k < n_alternatives; k++)
                        r = tree_insert(t, patterns[i].glob, k, patterns[i].bit);
                if (r < 0) {
                        *ret_culprit = i;
                        return r;
                }
        }
        return 0;
}

/* Splits every class into the bytes inside and those outside of the set. */
static void classes_split(GlobPositions *p, const ByteSet *set) {
        uint8_t inside[256] = {};
        size_t in[256] = {}, all[256] = {};

        for (unsigned byte = 1; byte < 256; byte++) {
                all[p->byte_class[byte]]++;
                in[p->byte_class[byte]] += byte_set_has(set, (uint8_t)byte);
        }
        for (size_t c = 1, n = p->n_classes; c <= n; c++)
                if (in[c] > 0 && in[c] < all[c])
                        inside[c] = (uint8_t)++p->n_classes;
        for (unsigned byte = 1; byte < 256; byte++)
                if (byte_set_has(set, (uint8_t)byte) && inside[p->byte_class[byte]] != 0)
                        p->byte_class[byte] = inside[p->byte_class[byte]];
}

/* At most 255 classes come of 255 bytes; NUL, which no path holds, shares one. */
static void classes_compute(Tree *t) {
        GlobPositions *p = t->p;
        ByteSet single = {};
        size_t members[256] = {};

        for (unsigned byte = 1; byte < 256; byte++)
                p->byte_class[byte] = 1;
        p->n_classes = 1;

        byte_set_add(&single, '/');
        for (size_t i = 1; i < t->n; i++)
                if (t->nodes[i].label < GLOB_LABEL_SET)
                        byte_set_add(&single, (uint8_t)t->nodes[i].label);
        for (unsigned byte = 1; byte < 256; byte++)
                if (byte_set_has(&single, (uint8_t)byte)) {
                        ByteSet set = {};
                        byte_set_add(&set, (uint8_t)byte);
                        classes_split(p, &set);
                }
        for (size_t i = 0; i < p->n_sets; i++)
                classes_split(p, &p->sets[i]);

        p->slash_class = p->byte_class['/'];
        for (unsigned byte = 1; byte < 256; byte++)
                members[p->byte_class[byte]]++;
        for (size_t c = 1; c <= p->n_classes; c++)
                if (c != p->slash_class && (p->other_class == 0 || members[c] > members[p->other_class]))
                        p->other_class = (uint8_t)c;
        p->byte_class[0] = p->other_class;
}

/* Replaces bytes by classes in the sets and in the labels, and restores the order of siblings by label. */
static int labels_translate(Tree *t) {
        GlobPositions *p = t->p;
        uint32_t other_set = NONE;
        int r;

        for (size_t i = 0; i < p->n_sets; i++) {
                ByteSet classes = {};

                for (unsigned byte = 1; byte < 256; byte++)
                        if (byte_set_has(&p->sets[i], (uint8_t)byte))
                                byte_set_add(&classes, p->byte_class[byte]);
                p->sets[i] = classes;
        }

        for (size_t i = 1; i < t->n; i++) {
                uint32_t *label = &t->nodes[i].label;

                if (*label >= GLOB_LABEL_SET)
                        continue;
                if (p->byte_class[*label] != p->other_class) {
                        *label = p->byte_class[*label];
                        continue;
                }
                if (other_set == NONE) {
                        r = glob_array_grow(&p->sets, &p->sets_size, p->n_sets, sizeof(ByteSet));
                        if (r < 0)
                                return r;
                        p->sets[p->n_sets] = (ByteSet){};
                        byte_set_add(&p->sets[p->n_sets], p->other_class);
                        other_set = (uint32_t)(GLOB_LABEL_SET + p->n_sets++);
                }
                *label = other_set;
        }
        return 0;
}

static int edge_compare(const void *a, const void *b) {
        const GlobEdge *x = a, *y = b;

        return x->label < y->label ? -1 : x->label > y->label;
}

static uint64_t mix(uint64_t hash, uint64_t value) {
        hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
        return hash ^ hash >> 29;
}

static uint64_t position_hash(const GlobPositions *p, const GlobPosition *q) {
        const struct bw_output *o = &p->outputs[q->output];
        uint64_t hash = mix(q->loop, q->n_edges);

        for (uint32_t i = 0; i < q->n_edges; i++) {
                const GlobEdge *e = &p->edges[q->first_edge + i];
                hash = mix(hash, (uint64_t)e->label << 32 | e->to);
        }
        for (size_t i = 0; i < ELEMENTSOF(o->final.word); i++)
                hash = mix(mix(hash, o->final.word[i]), o->sticky.word[i]);
        return hash;
}

static bool position_equal(const GlobPositions *p, const GlobPosition *a, const GlobPosition *b) {
        return a->loop == b->loop && a->n_edges == b->n_edges &&
               memcmp(&p->edges[a->first_edge], &p->edges[b->first_edge], a->n_edges * sizeof(GlobEdge)) ==
                               0 &&
               memcmp(&p->outputs[a->output], &p->outputs[b->output], sizeof(struct bw_output)) == 0;
}

/* Equal subtrees become one position. Children come after their parent in the tree, so backwards. */
static int tree_merge(Tree *t) {
        GlobPositions *p = t->p;
        _cleanup_free_ uint32_t *merged = NULL, *table = NULL;
        size_t slots = 64;

        while (slots < 2 * t->n)
                slots *= 2;
        merged = calloc(t->n, sizeof(uint32_t));
        table = malloc(slots * sizeof(uint32_t));
        if (!merged || !table || glob_array_grow(&p->edges, &p->edges_size, 0, sizeof(GlobEdge)) < 0)
                return -ENOMEM;
        memset(table, 0xff, slots * sizeof(uint32_t));

        for (size_t i = t->n; i-- > 0;) {
                const TreeNode *node = &t->nodes[i];
                GlobPosition q = {
                        .first_edge = (uint32_t)p->n_edges,
                        .output = node->output,
                        .loop = i > 0 ? glob_label_loop(node->label) : GLOB_LOOP_NONE,
                };
                size_t slot;
                int r;

                for (uint32_t child = node->first_child; child != NONE; child = t->nodes[child].next) {
                        r = glob_array_grow(&p->edges, &p->edges_size, p->n_edges, sizeof(GlobEdge));
                        if (r < 0)
                                return r;
                        p->edges[p->n_edges++] =
                                        (GlobEdge){ .label = t->nodes[child].label, .to = merged[child] };
                        q.n_edges++;
                }
                if (q.n_edges > 1)
                        qsort(&p->edges[q.first_edge], q.n_edges, sizeof(GlobEdge), edge_compare);

                slot = position_hash(p, &q) & (slots - 1);
                while (table[slot] != NONE && !position_equal(p, &p->positions[table[slot]], &q))
                        slot = (slot + 1) & (slots - 1);
                if (table[slot] == NONE) {
                        r = glob_array_grow(&p->positions, &p->positions_size, p->n_positions,
                                        sizeof(GlobPosition));
                        if (r < 0)
                                return r;
                        p->positions[p->n_positions] = q;
                        table[slot] = (uint32_t)p->n_positions++;
                } else
                        p->n_edges = q.first_edge;
                merged[i] = table[slot];
        }
        p->start = merged[0];
        return 0;
}

int glob_positions_new(const GlobPattern *patterns, size_t n, GlobPositions **ret, size_t *ret_culprit) {
        _cleanup_(glob_positions_freep) GlobPositions *p = calloc(1, sizeof(GlobPositions));
        _cleanup_(tree_done) Tree t = { .p = p };
        uint32_t root;
        int r;

        if (!p)
                return -ENOMEM;
        /* Index 0 stays empty and stands for "none". */
        p->outputs = calloc(1, sizeof(struct bw_output));
        if (!p->outputs)
                return -ENOMEM;
        p->outputs_size = p->n_outputs = 1;

        r = tree_add(&t, NONE, &root);
        if (r < 0)
                return r;
        r = tree_insert_all(&t, patterns, n, ret_culprit);
        if (r < 0)
                return r;
        classes_compute(&t);
        r = labels_translate(&t);
        if (r < 0)
                return r;
        r = tree_merge(&t);
        if (r < 0)
                return r;

        *ret = STEAL_PTR(p);
        return 0;
}
