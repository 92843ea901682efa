/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <errno.h>
#include <string.h>

#include "policy/assign.h"
#include "policy/parse.h"

static int report_control_byte(PolicyReader *reader, size_t offset) {
        unsigned byte = (unsigned char)reader->lexer.line[offset];

        if (byte == 0)
                return reader_error(reader, offset, "NUL byte: save the file as UTF-8 text");
        return reader_error(reader, offset,
                        "control byte 0x%02x: remove it, or write ? to match it in a path", byte);
}

static int assignment_parse(PolicyReader *reader, size_t start, size_t end) {
        char *line = reader->lexer.line, sections[SECTION_LIST_SIZE];
        ValueError e;

        if (reader->section == SECTION_SKIPPED)
                return 0;
        if (reader->section == SECTION_NONE)
                return reader_error(reader, start, "the line is not in a section: begin with %s",
                                section_list(sections));
        for (size_t i = start; i < end; i++)
                if ((unsigned char)line[i] < 0x20 && line[i] != '\t')
                        return report_control_byte(reader, i);

        char *equals = strchr(line + start, '=');
        if (!equals)
                return reader_error(reader, start,
                                "the line is neither [Section] nor Key=value: begin a comment with #");

        size_t key_end = (size_t)(equals - line), value = key_end + 1;
        if (key_end == start)
                return reader_error(reader, start, "the key is missing before the =: write Key=value");
        while (lexer_is_blank(line[key_end - 1]))
                key_end--;
        line[key_end] = 0;
        while (lexer_is_blank(line[value]))
                value++;

        if (value_check_utf8(line + start, &e) < 0)
                return reader_error(reader, start + e.offset, "%s", e.text);

        return reader_assign(reader, start, value);
}

/* A malformed header may be that of an existing section whose further lines restrict it: that section must
 * not be used without them. */
static int break_misspelt(PolicyReader *reader, const char *type, const char *name) {
        PolicyOrigin origin = lexer_origin(&reader->lexer, 0);
        size_t index;
        ValueError e;

        for (Section s = SECTION_CLASS; s < _SECTION_MAX; s++) {
                if (policy_sections[s].broken == 0 || value_distance(type, policy_sections[s].type) > 2 ||
                                value_check_name(name, &e) < 0)
                        continue;

                int r = policy_section_open(reader->policy, s, name, origin, &index);
                if (r == -E2BIG) /* then that section does not exist */
                        return 0;
                if (r < 0)
                        return r;
                *section_broken(reader->policy, s, index) = true;
                return policy_message_add(reader->policy, POLICY_ERROR, origin,
                                "[%s %s] is ignored, as this header may be a misspelling of it: correct the "
                                "header",
                                policy_sections[s].type, name);
        }
        return 0;
}

static Section section_from_type(const char *type) {
        for (Section s = SECTION_CLASS; s < _SECTION_MAX; s++)
                if (strcmp(type, policy_sections[s].type) == 0)
                        return s;
        return SECTION_NONE;
}

static int header_parse(PolicyReader *reader, size_t start, size_t end) {
        const Lexer *l = &reader->lexer;
        char type[LEXER_WORD_SIZE], name[LEXER_WORD_SIZE], quoted[VALUE_QUOTE_SIZE],
                        sections[SECTION_LIST_SIZE];
        PolicyOrigin origin = lexer_origin(&reader->lexer, start);
        ValueError e;
        int r;

        reader->section = SECTION_SKIPPED;

        size_t name_start = lexer_read_word(l, start + 1, type);
        size_t i = lexer_read_word(l, name_start, name);
        Section section = section_from_type(type);
        const SectionInfo *info = &policy_sections[section];

        if (l->too_long)
                r = reader_error_at(reader, l->too_long_origin,
                                "section is ignored: the line is longer than %u bytes", POLICY_LINE_MAX);
        else if (i < end && (unsigned char)l->line[i] < 0x20)
                r = report_control_byte(reader, i);
        else if (l->line[i] != ']')
                r = reader_error(reader, i, "section is ignored: a section header is %s",
                                section_list(sections));
        else if (i + 1 < end)
                r = reader_error(reader, i + 1,
                                "section is ignored: nothing may follow the ] of a section header");
        else if (section == SECTION_NONE)
                r = reader_error(reader, start + 1,
                                "section is ignored: unknown section \"%s\", known are %s",
                                value_quote(type, strlen(type), quoted), section_list(sections));
        else if (info->size == 0) {
                if (!name[0]) {
                        reader->section = section;
                        if (info->origin > 0)
                                memcpy((char *)section_item(reader->policy, section, 0) + info->origin,
                                                &origin, sizeof(origin));
                        return 0;
                }
                r = reader_error(reader, name_start, "section is ignored: %s takes no name", info->header);
        } else if (value_check_name(name, &e) < 0)
                r = reader_error(reader, name_start + e.offset, "section is ignored: %s", e.text);
        else {
                r = policy_section_open(reader->policy, section, name, origin, &reader->index);
                if (r == 0)
                        reader->section = section;
                if (r != -E2BIG)
                        return r;
                r = reader_error(reader, start, "section is ignored: more than %u [%s] sections",
                                POLICY_SECTIONS_MAX, type);
        }
        return r < 0 ? r : break_misspelt(reader, type, name);
}

static int line_parse(PolicyReader *reader) {
        Lexer *l = &reader->lexer;
        size_t start = 0, end = l->n_line;

        while (end > 0 && lexer_is_blank(l->line[end - 1]))
                end--;
        while (start < end && lexer_is_blank(l->line[start]))
                start++;
        l->line[end] = 0;

        if (l->line[start] == '[')
                return header_parse(reader, start, end);
        if (l->too_long && reader->section != SECTION_SKIPPED)
                return reader_error_at(reader, l->too_long_origin,
                                "the line is longer than %u bytes: split it, a second assignment adds to "
                                "the first",
                                POLICY_LINE_MAX);
        return start == end ? 0 : assignment_parse(reader, start, end);
}

int policy_parse(Policy *p, const char *file, const char *bytes, size_t n_bytes) {
        PolicyReader reader = { .policy = p };
        const char *name;

        int r = policy_add_file(p, file, &name);
        if (r < 0)
                return r;
        sha256_update(&policy_build(p)->hash, n_bytes, (const uint8_t *)bytes);
        if (n_bytes > POLICY_FILE_MAX)
                return policy_message_add(p, POLICY_ERROR, (PolicyOrigin){ .file = name },
                                "file is ignored: it is larger than %u bytes; split it", POLICY_FILE_MAX);

        r = lexer_init(&reader.lexer, name, bytes, n_bytes);
        while (r == 0 && lexer_read_line(&reader.lexer))
                r = line_parse(&reader);
        lexer_done(&reader.lexer);
        return r;
}
