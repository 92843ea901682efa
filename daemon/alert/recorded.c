/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "alert/alert.h"
#include "alert/recorded.h"
#include "event/cgroup-path.h"
#include "basic/util.h"

const char *recorded_string(const json_t *o, const char *key) {
        return json_string_value(json_object_get(o, key)) ?: "";
}

static int hex_digit(char c) {
        const char *digits = "0123456789abcdef", *d = c ? strchr(digits, c) : NULL;
        return d ? (int)(d - digits) : -1;
}

char *recorded_name(const char *s) {
        char *name = malloc(strlen(s) + 1), *out = name;

        for (; name && *s; s++) {
                *out = *s;
                if (*s == '\\' && s[1] == 'x' && hex_digit(s[2]) >= 0 && hex_digit(s[3]) >= 0) {
                        *out = (char)((unsigned)hex_digit(s[2]) << 4 | (unsigned)hex_digit(s[3]));
                        s += 3;
                } else if (*s == '\\' && s[1] == '\\')
                        s++;
                out++;
        }
        if (name)
                *out = 0;
        return name;
}

/* The way back from cmdline_format() in alert/alert.c. */
/* Takes the next word off a command line, without its quotes. Returns false if there is none. */
static bool word_take(const char **line, char *ret) {
        bool quoted = false;

        if (!*line)
                return false;
        const char *c = *line;
        for (; *c && (*c != ' ' || quoted); c++) {
                if (*c == '\'')
                        quoted = !quoted;
                else
                        *ret++ = *c == '\\' && !quoted && c[1] ? *++c : *c;
        }
        *ret = 0;
        *line = *c ? c + 1 : NULL;
        return true;
}

int recorded_script(const char *cmdline, char **ret) {
        _cleanup_free_ char *line = recorded_name(cmdline), *word = line ? malloc(strlen(line) + 1) : NULL;
        const char *rest = line;

        if (!word)
                return -ENOMEM;
        bool first = word_take(&rest, word);
        bool second = first && word_take(&rest, word);
        *ret = second && !strstr(word, "…") ? STEAL_PTR(word) : NULL;
        return 0;
}

int recorded_argument(const char *cmdline, const char *wanted) {
        _cleanup_free_ char *line = recorded_name(cmdline), *word = line ? malloc(strlen(line) + 1) : NULL;
        size_t n = strlen(wanted);
        const char *rest = line;
        bool cut = false;

        if (!word)
                return -ENOMEM;
        if (!line[0])
                return -ENODATA;
        while (word_take(&rest, word)) {
                if (wanted[n - 1] == '*' ? strncmp(word, wanted, n - 1) == 0 : strcmp(word, wanted) == 0)
                        return 1;
                cut |= strstr(word, "…") != NULL;
        }
        return cut ? -ENODATA : 0;
}

bool recorded_flag(const json_t *process, const char *flag) {
        const json_t *item;
        size_t i;

        json_array_foreach(json_object_get(process, "flags"), i,
                        item) if (strcmp(json_string_value(item) ?: "", flag) == 0) return true;
        return false;
}

uint32_t recorded_flags(const json_t *process) {
        uint32_t flags = 0;
        const char *name;

        for (unsigned bit = 0; (name = process_flag_name(bit)); bit++)
                if (recorded_flag(process, name))
                        flags |= UINT32_C(1) << bit;
        return flags;
}

bool recorded_opener_sent(const json_t *alert, const json_t *file) {
        const json_t *process = json_object_get(alert, "process");

        return strcmp(recorded_string(file, "exe"), recorded_string(process, "exe")) == 0 &&
               json_integer_value(json_object_get(file, "pid")) ==
                               json_integer_value(json_object_get(process, "pid"));
}

int recorded_unit(const json_t *process, char **ret) {
        _cleanup_free_ char *path = recorded_name(recorded_string(process, "cgroup"));

        if (!path)
                return -ENOMEM;
        Bytes unit = cgroup_system_unit((Bytes){ .data = path, .size = strlen(path) });
        *ret = strndup(unit.data, unit.size);
        return *ret ? 0 : -ENOMEM;
}

struct bw_destination recorded_destination(const json_t *alert) {
        const json_t *d = json_object_get(alert, "destination");
        bool v6 = strcmp(recorded_string(d, "family"), "inet6") == 0;
        struct bw_destination to = { .protocol = 6, .act = BW_ACT_CONNECT };
        json_int_t port = json_integer_value(json_object_get(d, "port"));

        if (!v6 && strcmp(recorded_string(d, "family"), "inet") != 0)
                return to;
        if (inet_pton(v6 ? AF_INET6 : AF_INET, recorded_string(d, "address"), to.address) != 1)
                return to;
        to.family = v6 ? AF_INET6 : AF_INET;
        to.port = port > 0 && port <= UINT16_MAX ? (uint16_t)port : 0;
        return to;
}
