/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Reads globs: braces, then items. Knows nothing of automata. */

#include <errno.h>
#include <string.h>

#include "glob/automaton.h"
#include "glob/parse.h"
#include "basic/util.h"

/* Alternatives multiply, and each costs as much as a pattern of its own. Real lists name a dozen files. */
#define GLOB_ALTERNATIVES_MAX 64

/* NUL is in no set, as no path contains it. */
static const ByteSet set_any = { { ~UINT64_C(1), ~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0) } };
static const ByteSet set_not_slash = { { ~(UINT64_C(1) | UINT64_C(1) << '/'), ~UINT64_C(0), ~UINT64_C(0),
                ~UINT64_C(0) } };

static int error_at(GlobError *ret_error, size_t offset, const char *message) {
        *ret_error = (GlobError){ .offset = offset, .message = message };
        return -EINVAL;
}

static ByteSet set_of(uint8_t byte) {
        ByteSet set = {};

        byte_set_add(&set, byte);
        return set;
}

static bool set_equal(const ByteSet *a, const ByteSet *b) {
        return memcmp(a, b, sizeof(*a)) == 0;
}

static bool item_is_byte(const GlobItem *item, uint8_t byte) {
        ByteSet set = set_of(byte);

        return item->kind == GLOB_ITEM_BYTE && set_equal(&item->set, &set);
}

bool glob_item_is_slash(const GlobItem *item) {
        return item_is_byte(item, '/');
}

/* Reads one member of a set at s[*inout_at]. -EINVAL: the text ends there. */
static int set_member_read(const char *s, size_t *inout_at, uint8_t *ret_byte) {
        size_t at = *inout_at;

        if (s[at] == '\\')
                at++;
        if (s[at] == '\0')
                return -EINVAL;
        *ret_byte = (uint8_t)s[at];
        *inout_at = at + 1;
        return 0;
}

/* Reads the set that opens at s[0]. Error offsets count from s. */
static int set_read(const char *s, ByteSet *ret_set, size_t *ret_length, GlobError *ret_error) {
        static const char unterminated[] = "this [ has no ]: close the set, or write \\[ for the byte";
        static const char slash[] = "a set cannot contain '/': split the pattern there";
        bool negated = s[1] == '!' || s[1] == '^';
        size_t first = negated ? 2 : 1, at = first;
        ByteSet set = {};

        while (s[at] != ']' || at == first) {
                size_t member = at;
                uint8_t low, high;

                if (set_member_read(s, &at, &low) < 0)
                        return error_at(ret_error, 0, unterminated);
                high = low;
                if (s[at] == '-' && s[at + 1] != ']') {
                        at++;
                        if (set_member_read(s, &at, &high) < 0)
                                return error_at(ret_error, 0, unterminated);
                }
                if (low == '/' || high == '/')
                        return error_at(ret_error, member, slash);
                if (high < low)
                        return error_at(ret_error, member,
                                        "this range is reversed: write the lower byte first, or \\- for a "
                                        "'-'");
                for (unsigned byte = low; byte <= high; byte++)
                        byte_set_add(&set, (uint8_t)byte);
        }

        for (size_t i = 0; i < ELEMENTSOF(set.word); i++)
                set.word[i] = (negated ? ~set.word[i] : set.word[i]) & set_not_slash.word[i];
        if (set_equal(&set, &(ByteSet){}))
                return error_at(ret_error, 0, "this set is empty: no byte can match it");

        *ret_set = set;
        *ret_length = at + 1;
        return 0;
}

/* Length of the next unit, whose bytes are not braces or commas of their own: an escaped byte, a set, or one
 * byte. */
static int token_measure(const char *s, size_t *ret_length, GlobError *ret_error) {
        ByteSet set;

        if (*s == '[')
                return set_read(s, &set, ret_length, ret_error);
        if (*s == '\\') {
                if (s[1] == '\0')
                        return error_at(ret_error, 0, "nothing follows this \\: write \\\\ for the byte");
                *ret_length = 2;
                return 0;
        }
        *ret_length = 1;
        return 0;
}

/* Reads the braces that open at s[0]. Returns their length and the number of their alternatives. */
static int braces_measure(const char *s, size_t *ret_length, size_t *ret_n, GlobError *ret_error) {
        size_t n = 1, length;

        for (size_t at = 1; s[at] != '\0'; at += length) {
                int r = token_measure(s + at, &length, ret_error);
                if (r < 0) {
                        ret_error->offset += at;
                        return r;
                }
                if (s[at] == '{')
                        return error_at(ret_error, at,
                                        "braces cannot be nested: write each alternative in full");
                if (s[at] == '}') {
                        *ret_length = at + 1;
                        *ret_n = n;
                        return 0;
                }
                if (s[at] == ',')
                        n++;
        }
        return error_at(ret_error, 0, "this { has no }: close the braces, or write \\{ for the byte");
}

int glob_count_alternatives(const char *glob, size_t *ret_n, GlobError *ret_error) {
        size_t n = 1, length;

        for (size_t at = 0; glob[at] != '\0'; at += length) {
                size_t n_here = 1;
                int r = glob[at] == '{' ? braces_measure(glob + at, &length, &n_here, ret_error)
                                        : token_measure(glob + at, &length, ret_error);
                if (r < 0) {
                        ret_error->offset += at;
                        return r;
                }
                if (glob[at] == '}')
                        return error_at(ret_error, at,
                                        "this } has no {: open the braces, or write \\} for the byte");
                if (n_here > GLOB_ALTERNATIVES_MAX / n)
                        return error_at(ret_error, at,
                                        "the braces stand for more than 64 patterns: split this one, or use "
                                        "* or a set");
                n *= n_here;
        }
        *ret_n = n;
        return 0;
}

void glob_expansion_done(GlobExpansion *e) {
        free(e->text);
        free(e->origin);
}

static void expansion_append(GlobExpansion *e, const char *glob, size_t at, size_t length) {
        /* An escaped '/' is a plain one: later stages see one spelling. */
        if (length == 2 && glob[at] == '\\' && glob[at + 1] == '/') {
                at++;
                length--;
        }
        for (size_t i = 0; i < length; i++) {
                e->text[e->length] = glob[at + i];
                e->origin[e->length++] = at + i;
        }
}

int glob_expand(const char *glob, size_t alternative, GlobExpansion *ret) {
        size_t glob_length = strlen(glob), length = 0;
        _cleanup_(glob_expansion_done) GlobExpansion e = {
                .text = malloc(glob_length + 1),
                .origin = malloc((glob_length + 1) * sizeof(size_t)),
        };
        GlobError ignored;

        if (!e.text || !e.origin)
                return -ENOMEM;

        for (size_t at = 0; at < glob_length; at += length) {
                size_t n, chosen, end, token;

                if (glob[at] != '{') {
                        int r = token_measure(glob + at, &length, &ignored);
                        if (r < 0)
                                return r;
                        expansion_append(&e, glob, at, length);
                        continue;
                }

                int r = braces_measure(glob + at, &length, &n, &ignored);
                if (r < 0)
                        return r;
                chosen = alternative % n;
                alternative /= n;
                end = at + length - 1;
                for (size_t i = at + 1, index = 0; i < end; i += token) {
                        r = token_measure(glob + i, &token, &ignored);
                        if (r < 0)
                                return r;
                        if (glob[i] == ',')
                                index++;
                        else if (index == chosen)
                                expansion_append(&e, glob, i, token);
                }
        }
        e.text[e.length] = '\0';
        e.origin[e.length] = glob_length;

        *ret = e;
        e = (GlobExpansion){};
        return 0;
}

typedef struct Parser {
        GlobItem *items;
        size_t n_items;
        size_t component; /* first item of the component being read */
} Parser;

static void parser_append(Parser *p, GlobItemKind kind, const ByteSet *set) {
        p->items[p->n_items++] = (GlobItem){ .kind = kind, .set = set ? *set : (ByteSet){} };
}

static bool parser_at_component_start(const Parser *p) {
        return p->n_items > 0 && p->n_items == p->component;
}

/* Paths are matched after "." and ".." were resolved. */
static const char *parser_check_component(const Parser *p) {
        size_t n = p->n_items - p->component;

        for (size_t i = 0; i < n; i++)
                if (!item_is_byte(&p->items[p->component + i], '.'))
                        return NULL;
        if (n == 1)
                return "no path has a \".\" component: leave it out";
        if (n == 2)
                return "no path has a \"..\" component: write the directory it leads to";
        return NULL;
}

/* Reads the stars at text[at]. *ret_length includes the '/' that belongs to a ** which is a component by
 * itself.
 */
static const char *parser_read_stars(Parser *p, const char *text, size_t *ret_length) {
        size_t n = strspn(text, "*");

        *ret_length = n;
        if (n > 2)
                return "three stars mean nothing: write * within a component, ** across components";
        if (n == 1) {
                parser_append(p, GLOB_ITEM_STAR, NULL);
        } else if (parser_at_component_start(p) && text[2] == '/') {
                /* A second one in a row adds nothing. */
                if (p->items[p->n_items - 1].kind != GLOB_ITEM_DIRS)
                        parser_append(p, GLOB_ITEM_DIRS, NULL);
                p->component = p->n_items;
                *ret_length = 3;
        } else if (parser_at_component_start(p) && text[2] == '\0') {
                /* In this order a leading "**" is recognised as such in "/" "**" too. */
                parser_append(p, GLOB_ITEM_GLOBSTAR, NULL);
                parser_append(p, GLOB_ITEM_BYTE, &set_any);
        } else
                parser_append(p, GLOB_ITEM_GLOBSTAR, NULL);
        return NULL;
}

static int parse_text(Parser *p, const GlobExpansion *e, GlobError *ret_error) {
        const char *text = e->text, *message;
        size_t length, component_at = 0;

        if (text[0] != '/')
                return error_at(ret_error, e->origin[0], "a pattern is absolute: begin it with '/'");

        for (size_t at = 0; at < e->length; at += length) {
                ByteSet set;
                GlobError error;

                length = 1;
                switch (text[at]) {
                case '/':
                        if (parser_at_component_start(p))
                                return error_at(ret_error, e->origin[at],
                                                "no path has \"//\": write one '/'");
                        message = parser_check_component(p);
                        if (message)
                                return error_at(ret_error, e->origin[component_at], message);
                        set = set_of('/');
                        parser_append(p, GLOB_ITEM_BYTE, &set);
                        p->component = p->n_items;
                        component_at = at + 1;
                        break;
                case '*':
                        message = parser_read_stars(p, text + at, &length);
                        if (message)
                                return error_at(ret_error, e->origin[at], message);
                        if (parser_at_component_start(p))
                                component_at = at + length;
                        break;
                case '?':
                        parser_append(p, GLOB_ITEM_BYTE, &set_not_slash);
                        break;
                case '[': {
                        int r = set_read(text + at, &set, &length, &error);
                        if (r < 0)
                                return error_at(ret_error, e->origin[at], error.message);
                        parser_append(p, GLOB_ITEM_BYTE, &set);
                        break;
                }
                case '\\':
                        length = 2;
                        set = set_of((uint8_t)text[at + 1]);
                        parser_append(p, GLOB_ITEM_BYTE, &set);
                        break;
                default:
                        set = set_of((uint8_t)text[at]);
                        parser_append(p, GLOB_ITEM_BYTE, &set);
                }
        }

        if (parser_at_component_start(p))
                return error_at(ret_error, e->origin[e->length - 1],
                                "no path ends in '/': leave it out, or append ** for whatever is below the "
                                "directory");
        message = parser_check_component(p);
        if (message)
                return error_at(ret_error, e->origin[component_at], message);
        return 0;
}

int glob_parse(const char *glob, size_t alternative, GlobItem **ret_items, size_t *ret_n_items,
                GlobError *ret_error) {

        _cleanup_(glob_expansion_done) GlobExpansion e = {};
        _cleanup_free_ GlobItem *items = NULL;
        Parser p = {};
        int r;

        r = glob_expand(glob, alternative, &e);
        if (r < 0)
                return r;

        /* A byte makes at most one item. */
        items = calloc(e.length + 1, sizeof(GlobItem));
        if (!items)
                return -ENOMEM;
        p.items = items;
        r = parse_text(&p, &e, ret_error);
        if (r < 0)
                return r;

        *ret_items = STEAL_PTR(items);
        *ret_n_items = p.n_items;
        return 0;
}

int glob_check(const char *glob, size_t *ret_offset, const char **ret_message) {
        GlobError error = {};
        size_t n = 0;
        int r;

        r = glob_count_alternatives(glob, &n, &error);
        for (size_t i = 0; r >= 0 && i < n; i++) {
                _cleanup_free_ GlobItem *items = NULL;
                size_t n_items;

                r = glob_parse(glob, i, &items, &n_items, &error);
        }
        if (r == -EINVAL) {
                *ret_offset = error.offset;
                *ret_message = error.message;
        }
        return r;
}
