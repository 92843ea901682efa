/* SPDX-License-Identifier: GPL-2.0-or-later */

/* One file's bytes → sections of a Policy, and a message with line and column for everything that is wrong.
 * Pure: files are found and read by policy-load.c. Must never give up on a file because of a line, and must
 * never let an [Allow] allow more than was written: a bad line voids the whole section, as it does with
 * [Destination] and [Lineage], which can make an alert silent. */

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "policy-build.h"
#include "policy-parser.h"
#include "policy-values.h"

static bool is_blank(char c) {
        return c == ' ' || c == '\t';
}

PolicyOrigin parser_origin(const Parser *ps, size_t offset) {
        size_t low = 0, high = ps->n_segments;

        while (high - low > 1) {
                size_t middle = low + (high - low) / 2;
                if (ps->segments[middle].offset <= offset)
                        low = middle;
                else
                        high = middle;
        }

        const ParserSegment *s = ps->segments + low;
        return (PolicyOrigin){
                        .file = ps->file,
                        .line = s->line,
                        .column = s->column + (unsigned)offset - s->offset,
        };
}

int parser_report_at(Parser *ps, PolicyOrigin origin, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list ap;

        va_start(ap, format);
        int r = vasprintf(&text, format, ap);
        va_end(ap);
        if (r < 0)
                return -ENOMEM;

        bool *broken = section_broken(ps->policy, ps->section, ps->index);
        if (!broken)
                return policy_message_add(ps->policy, POLICY_ERROR, origin, "%s", text);
        *broken = true;
        return policy_message_add(ps->policy, POLICY_ERROR, origin, "%s (the whole [%s %s] is not used)", text,
                        policy_sections[ps->section].type,
                        *(char **)section_item(ps->policy, ps->section, ps->index));
}

static bool is_continued(const char *line, size_t n) {
        size_t backslashes = 0;

        /* An even number of them is pairs: the last one is itself escaped. */
        while (backslashes < n && line[n - 1 - backslashes] == '\\')
                backslashes++;
        return backslashes % 2 == 1;
}

static void line_append(Parser *ps, const char *bytes, size_t n, unsigned column) {
        size_t room = POLICY_LINE_MAX - ps->n_line;

        if (ps->too_long)
                return;

        ps->segments[ps->n_segments++] = (ParserSegment){
                        .offset = (unsigned)ps->n_line,
                        .line = ps->line_number,
                        .column = column,
        };
        memcpy(ps->line + ps->n_line, bytes, MIN(n, room));
        ps->n_line += MIN(n, room);
        if (n > room) {
                ps->too_long = true;
                ps->too_long_origin = parser_origin(ps, ps->n_line);
        }
}

/* Reads up to the end of a line that is not continued; false at the end of the file. */
static bool line_read(Parser *ps) {
        static const char byte_order_mark[] = "\xef\xbb\xbf";
        bool more;

        ps->n_line = ps->n_segments = 0;
        ps->too_long = false;

        do {
                size_t left = ps->n_bytes - ps->position, n = left, blank = 0;
                unsigned column = 1;

                if (left == 0)
                        return ps->n_segments > 0;

                const char *start = ps->bytes + ps->position;
                const char *newline = memchr(start, '\n', left);
                if (newline)
                        n = (size_t)(newline - start);
                ps->position += n + (newline ? 1 : 0);
                ps->line_number++;

                if (n > 0 && start[n - 1] == '\r')
                        n--;
                if (ps->line_number == 1 && n >= 3 && memcmp(start, byte_order_mark, 3) == 0) {
                        start += 3;
                        n -= 3;
                        column += 3;
                }

                more = true;
                while (blank < n && is_blank(start[blank]))
                        blank++;
                if (blank < n && (start[blank] == '#' || start[blank] == ';'))
                        continue;
                if (blank == n && ps->n_segments == 0)
                        continue;

                more = is_continued(start, n);
                line_append(ps, start, n, column);
                if (more)
                        ps->line[ps->n_line - 1] = ' ';
        } while (more);
        return true;
}

int parser_read_item(Parser *ps, size_t *inout_position) {
        size_t i = *inout_position, quote = 0;
        bool quoted = false;

        while (is_blank(ps->line[i]))
                i++;
        if (!ps->line[i])
                return 0;

        ps->n_item = 0;
        ps->item_offsets[0] = (unsigned)i;
        for (; ps->line[i] && (quoted || !is_blank(ps->line[i])); i++) {
                const char *c = ps->line + i;

                if (*c == '"') {
                        quoted = !quoted;
                        quote = i;
                        continue;
                }
                if (*c == '\t') {
                        *inout_position = strlen(ps->line);
                        int r = parser_report(ps, i, "a tab inside quotes; write ? where a path has one");
                        return r < 0 ? r : -EINVAL;
                }
                if (*c == '\\' && c[1] == ' ')
                        i++;
                else if (*c == '\\' && c[1] && !is_blank(c[1])) {
                        ps->item_offsets[ps->n_item] = (unsigned)i++;
                        ps->item[ps->n_item++] = '\\';
                }
                ps->item_offsets[ps->n_item] = (unsigned)i;
                ps->item[ps->n_item++] = ps->line[i];
        }
        ps->item[ps->n_item] = 0;
        if (ps->n_item > 0)
                ps->item_offsets[ps->n_item] = (unsigned)i;
        *inout_position = i;

        if (quoted) {
                int r = parser_report(ps, quote,
                                "the quote is not closed; write \\\" for a quote that is part of the value");
                return r < 0 ? r : -EINVAL;
        }
        if (ps->n_item == 0) {
                int r = parser_report(ps, ps->item_offsets[0], "an empty item; leave it out");
                return r < 0 ? r : -EINVAL;
        }
        return 1;
}

static int report_control_byte(Parser *ps, size_t offset) {
        unsigned byte = (unsigned char)ps->line[offset];

        if (byte == 0)
                return parser_report(ps, offset, "a NUL byte; save the file as UTF-8 text");
        return parser_report(
                        ps, offset, "control byte 0x%02x; remove it, or write ? where a path has it", byte);
}

static int assignment_parse(Parser *ps, size_t start, size_t end) {
        char *line = ps->line, sections[SECTION_LIST_SIZE];
        ValueError e;

        if (ps->section == SECTION_SKIPPED)
                return 0;
        if (ps->section == SECTION_NONE)
                return parser_report(ps, start, "not in a section; begin with %s", section_list(sections));
        for (size_t i = start; i < end; i++)
                if ((unsigned char)line[i] < 0x20 && line[i] != '\t')
                        return report_control_byte(ps, i);

        char *equals = strchr(line + start, '=');
        if (!equals)
                return parser_report(ps, start, "neither [Section] nor Key=value; a comment begins with #");

        size_t key_end = (size_t)(equals - line), value = key_end + 1;
        if (key_end == start)
                return parser_report(ps, start, "the key is missing before the =");
        while (is_blank(line[key_end - 1]))
                key_end--;
        line[key_end] = 0;
        while (is_blank(line[value]))
                value++;

        if (value_check_utf8(line + start, &e) < 0)
                return parser_report(ps, start + e.offset, "%s", e.text);

        return parser_assign(ps, start, value);
}

/* A header that looks like one of a section that grants, but cannot be understood, may have meant to restrict it
 * further. */
static int break_misspelt(Parser *ps, const char *type, const char *name) {
        PolicyOrigin origin = parser_origin(ps, 0);
        size_t index;
        ValueError e;

        for (Section s = SECTION_CLASS; s < _SECTION_MAX; s++) {
                if (policy_sections[s].broken == 0 || value_distance(type, policy_sections[s].type) > 2 ||
                                value_check_name(name, &e) < 0)
                        continue;

                int r = section_open(ps->policy, s, name, origin, &index);
                if (r == -E2BIG) /* then there is no such section */
                        return 0;
                if (r < 0)
                        return r;
                *section_broken(ps->policy, s, index) = true;
                return policy_message_add(ps->policy, POLICY_ERROR, origin,
                                "[%s %s] is not used at all, because this section may have meant to restrict it",
                                policy_sections[s].type, name);
        }
        return 0;
}

/* Copies what lies between blanks, at most 127 bytes, which no valid word has. Returns the offset behind it.
 */
static size_t word_read(const char *line, size_t i, char ret[static 128]) {
        size_t n = 0;

        while (is_blank(line[i]))
                i++;
        for (; line[i] && line[i] != ']' && !is_blank(line[i]); i++)
                if (n < 127)
                        ret[n++] = line[i];
        ret[n] = 0;
        while (is_blank(line[i]))
                i++;
        return i;
}

static Section section_from_type(const char *type) {
        for (Section s = SECTION_CLASS; s < _SECTION_MAX; s++)
                if (strcmp(type, policy_sections[s].type) == 0)
                        return s;
        return SECTION_NONE;
}

static int header_parse(Parser *ps, size_t start, size_t end) {
        static const char trailer[] = "; the lines below it are not used";
        char type[128], name[128], quoted[VALUE_QUOTE_SIZE], sections[SECTION_LIST_SIZE];
        PolicyOrigin origin = parser_origin(ps, start);
        ValueError e;
        int r;

        ps->section = SECTION_SKIPPED;

        size_t name_start = word_read(ps->line, start + 1, type);
        size_t i = word_read(ps->line, name_start, name);
        Section section = section_from_type(type);
        const SectionInfo *info = &policy_sections[section];

        if (ps->too_long)
                r = parser_report_at(ps, ps->too_long_origin, "a line longer than %u bytes%s",
                                POLICY_LINE_MAX, trailer);
        else if (i < end && (unsigned char)ps->line[i] < 0x20)
                r = report_control_byte(ps, i);
        else if (ps->line[i] != ']')
                r = parser_report(ps, i, "a section header is %s%s", section_list(sections), trailer);
        else if (i + 1 < end)
                r = parser_report(ps, i + 1, "nothing may follow the ] of a section header%s", trailer);
        else if (section == SECTION_NONE)
                r = parser_report(ps, start + 1, "unknown section \"%s\", known are %s%s",
                                value_quote(type, strlen(type), quoted), section_list(sections), trailer);
        else if (info->size == 0) {
                if (!name[0]) {
                        ps->section = section;
                        if (info->origin > 0)
                                memcpy((char *)section_item(ps->policy, section, 0) + info->origin, &origin,
                                                sizeof(origin));
                        return 0;
                }
                r = parser_report(ps, name_start, "%s has no name%s", info->header, trailer);
        } else if (value_check_name(name, &e) < 0)
                r = parser_report(ps, name_start + e.offset, "%s%s", e.text, trailer);
        else {
                r = section_open(ps->policy, section, name, origin, &ps->index);
                if (r == 0)
                        ps->section = section;
                if (r != -E2BIG)
                        return r;
                r = parser_report(ps, start, "more than %u [%s] sections%s", POLICY_SECTIONS_MAX, type,
                                trailer);
        }
        return r < 0 ? r : break_misspelt(ps, type, name);
}

static int line_parse(Parser *ps) {
        size_t start = 0, end = ps->n_line;

        while (end > 0 && is_blank(ps->line[end - 1]))
                end--;
        while (start < end && is_blank(ps->line[start]))
                start++;
        ps->line[end] = 0;

        if (ps->line[start] == '[')
                return header_parse(ps, start, end);
        if (ps->too_long && ps->section != SECTION_SKIPPED)
                return parser_report_at(ps, ps->too_long_origin,
                                "a line longer than %u bytes; split it, a second assignment adds to the "
                                "first",
                                POLICY_LINE_MAX);
        return start == end ? 0 : assignment_parse(ps, start, end);
}

int policy_parse(Policy *p, const char *file, const char *bytes, size_t n_bytes) {
        Parser ps = {.policy = p, .bytes = bytes, .n_bytes = n_bytes};

        int r = policy_add_file(p, file, &ps.file);
        if (r < 0)
                return r;
        sha256_update(&policy_build(p)->hash, n_bytes, (const uint8_t *)bytes);
        if (n_bytes > POLICY_FILE_MAX)
                return policy_message_add(p, POLICY_ERROR, (PolicyOrigin){.file = ps.file},
                                "larger than %u bytes, not read; split it", POLICY_FILE_MAX);

        /* Of each there are at most as many as bytes in a line, and one more for its end. */
        size_t size = MIN(n_bytes, (size_t)POLICY_LINE_MAX) + 2;
        _cleanup_free_ char *line = malloc(size), *item = malloc(size);
        _cleanup_free_ unsigned *item_offsets = reallocarray(NULL, size, sizeof(unsigned));
        _cleanup_free_ ParserSegment *segments = reallocarray(NULL, size, sizeof(ParserSegment));
        if (!line || !item || !item_offsets || !segments)
                return -ENOMEM;
        ps.line = line;
        ps.item = item;
        ps.item_offsets = item_offsets;
        ps.segments = segments;

        while (line_read(&ps)) {
                r = line_parse(&ps);
                if (r < 0)
                        return r;
        }
        return 0;
}
