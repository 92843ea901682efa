/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Must not know which key a value belongs to, and must not resolve names: a policy that depends on DNS can
 * be changed by anyone who can forge an answer. */

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "abi/policy.h"
#include "glob/automaton.h"
#include "policy/values.h"
#include "basic/escape.h"

#define NAME_LENGTH_MAX 63
/* No value of any key has more digits: 24 h are 86,400,000,000 µs. */
#define DIGITS_MAX 12
#define TIMESPAN_LIMIT (UINT64_C(1) << 62)
/* The longest keyword is 12 bytes long ("MaxProcesses"); a mistyped one is not much longer. */
#define KEYWORD_MAX 32

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

static bool is_letter(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

int value_error(ValueError *e, size_t offset, const char *format, ...) {
        va_list ap;

        e->offset = offset;
        va_start(ap, format);
        (void)vsnprintf(e->text, sizeof(e->text), format, ap);
        va_end(ap);
        return -EINVAL;
}

const char *value_quote(const char *s, size_t n, char ret[static VALUE_QUOTE_SIZE]) {
        static const char hex[] = "0123456789abcdef";
        size_t used = 0;

        for (size_t i = 0; i < n;) {
                uint32_t point = 0;
                size_t length = utf8_sequence(s + i, n - i, &point);
                bool printable = length > 0 && !utf8_is_deceptive(point);

                if (used + MAX(length, 4U) + 4 > VALUE_QUOTE_SIZE) {
                        memcpy(ret + used, "...", 3);
                        used += 3;
                        break;
                }
                if (printable) {
                        memcpy(ret + used, s + i, length);
                        used += length;
                        i += length;
                } else {
                        ret[used++] = '\\';
                        ret[used++] = 'x';
                        ret[used++] = hex[(unsigned char)s[i] >> 4];
                        ret[used++] = hex[(unsigned char)s[i] & 15];
                        i++;
                }
        }
        ret[used] = 0;
        return ret;
}

unsigned value_distance(const char *a, const char *b) {
        unsigned row[KEYWORD_MAX + 1];
        size_t n_a = strlen(a), n_b = strlen(b);

        if (n_a > KEYWORD_MAX || n_b > KEYWORD_MAX)
                return 99;

        for (size_t j = 0; j <= n_b; j++)
                row[j] = (unsigned)j;
        for (size_t i = 1; i <= n_a; i++) {
                unsigned diagonal = row[0];
                row[0] = (unsigned)i;
                for (size_t j = 1; j <= n_b; j++) {
                        unsigned replaced = diagonal + (a[i - 1] != b[j - 1]);
                        unsigned shorter = MIN(row[j], row[j - 1]) + 1;
                        diagonal = row[j];
                        row[j] = MIN(replaced, shorter);
                }
        }
        return row[n_b];
}

void value_consider(ValueNearest *n, const char *written, const char *name) {
        unsigned distance = value_distance(written, name);

        /* Three is another word, not a slip. */
        if (distance < (n->name ? n->distance : 3))
                *n = (ValueNearest){ .name = name, .distance = distance };
}

int value_check_name(const char *s, ValueError *ret_error) {
        size_t i;

        for (i = 0; s[i]; i++) {
                bool good = is_letter(s[i]) || is_digit(s[i]) || (i > 0 && strchr("_.-", s[i]));

                if (!good || i >= NAME_LENGTH_MAX)
                        break;
        }
        if (i == 0 || s[i])
                return value_error(ret_error, i,
                                "a name is 1 to %u of the characters A-Z a-z 0-9 _ . - and begins with a "
                                "letter or digit",
                                NAME_LENGTH_MAX);
        return 0;
}

int value_check_argument(const char *s, ValueError *ret_error) {
        size_t n = strcspn(s, "*");

        if (n == 0)
                return value_error(ret_error, 0, "every program is started with that: name an argument");
        if (s[n] && s[n + 1])
                return value_error(ret_error, n, "a * stands for the end of an argument: write it last");
        if (n >= BW_ARGUMENT_SIZE)
                return value_error(ret_error, BW_ARGUMENT_SIZE - 1,
                                "of an argument %d bytes are compared: end it with a * there",
                                BW_ARGUMENT_SIZE - 1);
        return 0;
}

int value_check_technique(const char *s, ValueError *ret_error) {
        static const char shape[] = "T0000.000"; /* 0 stands for any digit */
        size_t i;

        for (i = 0; shape[i]; i++)
                if (shape[i] == '0' ? !is_digit(s[i]) : s[i] != shape[i])
                        break;
        if (s[i] || (i != 5 && i != 9))
                return value_error(ret_error, i,
                                "a technique is T and 4 digits, and for a sub-technique a dot and 3 digits: "
                                "write T1552 or T1552.004");
        return 0;
}

int value_check_utf8(const char *s, ValueError *ret_error) {
        size_t n = strlen(s), length;

        for (size_t i = 0; i < n; i += length) {
                uint32_t point;

                length = utf8_sequence(s + i, n - i, &point);
                if (length == 0)
                        return value_error(ret_error, i,
                                        "byte 0x%02x is not valid UTF-8: save the file as UTF-8",
                                        (unsigned char)s[i]);
        }
        return 0;
}

/* Parses the digits at s. Returns their number, or 0 if there are more than any value needs. */
static size_t digits_parse(const char *s, uint64_t *ret) {
        uint64_t v = 0;
        size_t n;

        for (n = 0; is_digit(s[n]); n++) {
                if (n >= DIGITS_MAX)
                        return 0;
                v = v * 10 + (uint64_t)(s[n] - '0');
        }
        if (n > 0)
                *ret = v;
        return n;
}

/* Checks a glob, of which the first n_hidden bytes are replaced by `shown`. */
static int glob_checked(const char *s, size_t n_hidden, const char *shown, ValueError *ret_error) {
        _cleanup_free_ char *glob = NULL;
        const char *message = NULL;
        size_t offset = 0, n_shown = strlen(shown);

        if (asprintf(&glob, "%s%s", shown, s + n_hidden) < 0) {
                glob = NULL;
                return -ENOMEM;
        }
        int r = glob_check(glob, &offset, &message);
        return r == -EINVAL ? value_error(ret_error, offset - MIN(offset, n_shown) + n_hidden, "%s", message)
                            : r;
}

int value_check_absolute(const char *s, ValueError *ret_error) {
        if (s[0] != '/')
                return value_error(ret_error, 0, "a path begins with /");
        return glob_checked(s, 0, "", ret_error);
}

int value_check_program(const char *s, ValueError *ret_error) {
        if (s[0] == '~')
                return value_error(ret_error, 0,
                                "an executable in a home can be replaced by its user: write the absolute "
                                "path of one that only root can change");
        return value_check_absolute(s, ret_error);
}

int value_check_program_of_user(const char *s, ValueError *ret_error) {
        if (s[0] == '~' && s[1] == '/')
                return glob_checked(s, 1, "", ret_error);
        return s[0] == '~' ? value_check_path(s, ret_error) : value_check_absolute(s, ret_error);
}

int value_check_path(const char *s, ValueError *ret_error) {
        if (s[0] == '~' && s[1] == '/')
                return glob_checked(s, 1, "", ret_error);
        if (s[0] == '~')
                return value_error(ret_error, 1,
                                "~ must be followed by /, as ~/ stands for every home: write one user's "
                                "home as an absolute path");
        if (s[0] != '/')
                return value_error(ret_error, 0,
                                "a path begins with / or ~/: write /**/NAME for a name in any directory");
        return glob_checked(s, 0, "", ret_error);
}

int value_check_unit(const char *s, ValueError *ret_error) {
        const char *slash = strchr(s, '/');
        char quoted[VALUE_QUOTE_SIZE];

        if (slash)
                return value_error(ret_error, (size_t)(slash - s),
                                "a unit has a name and no path: write nginx.service or ssh@*.service");
        if (!strpbrk(s, ".*"))
                return value_error(ret_error, strlen(s),
                                "the name of a unit ends in its type: write %s.service",
                                value_quote(s, strlen(s), quoted));
        return glob_checked(s, 0, "/", ret_error);
}

int value_check_never(const char *s, ValueError *ret_error) {
        return s[0] == '/' || s[0] == '~' ? value_check_program(s, ret_error)
                                          : value_check_unit(s, ret_error);
}

int value_parse_number(const char *s, int64_t min, int64_t max, int64_t *ret, ValueError *ret_error) {
        size_t n_sign = min < 0 && (s[0] == '-' || s[0] == '+') ? 1 : 0;
        uint64_t digits = 0;

        size_t n = digits_parse(s + n_sign, &digits);
        if (n == 0 || s[n_sign + n])
                return value_error(ret_error, n_sign + n, "not a number from %d to %d", (int)min, (int)max);
        int64_t v = s[0] == '-' ? -(int64_t)digits
                                : (int64_t)digits; /* no overflow: 12 digits are 40 bits */
        if (v < min || v > max)
                return value_error(ret_error, 0, "must be from %d to %d", (int)min, (int)max);
        *ret = v;
        return 0;
}

int value_parse_bool(const char *s, uint64_t *ret, ValueError *ret_error) {
        static const char *const words[] = { "no", "yes", "false", "true", "off", "on", "0", "1" };

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (strcmp(s, words[i]) == 0) {
                        *ret = i % 2;
                        return 0;
                }
        return value_error(ret_error, 0, "must be yes or no");
}

int value_parse_choice(const char *s, const char *const *words, uint64_t *ret, ValueError *ret_error) {
        char known[128] = "";

        for (size_t i = 0; words[i]; i++) {
                size_t n = strlen(known);

                if (strcmp(s, words[i]) == 0) {
                        *ret = i;
                        return 0;
                }
                (void)snprintf(known + n, sizeof(known) - n, "%s%s",
                                i == 0         ? ""
                                : words[i + 1] ? ", "
                                               : " or ",
                                words[i]);
        }
        return value_error(ret_error, 0, "must be %s", known);
}

static const struct {
        const char *name;
        unsigned bit;
} passes_words[] = {
        { "output", BW_RULE_OUTPUT },
        { "files", BW_RULE_FILES },
        { "children", BW_RULE_CHILDREN },
};

int value_parse_passes(const char *s, uint64_t *ret, ValueError *ret_error) {
        size_t i = 0, n_words = 0;
        bool nothing = false;
        uint64_t passes = 0;

        for (; s[i]; n_words++) {
                size_t n = strcspn(s + i, " \t"), k = 0;

                while (k < ELEMENTSOF(passes_words) &&
                                (strlen(passes_words[k].name) != n ||
                                                memcmp(s + i, passes_words[k].name, n) != 0))
                        k++;
                if (k < ELEMENTSOF(passes_words))
                        passes |= passes_words[k].bit;
                else if (n == strlen("nothing") && memcmp(s + i, "nothing", n) == 0)
                        nothing = true;
                else
                        return value_error(ret_error, i,
                                        "must be nothing, or a list of output, files and children");
                i += n;
                i += strspn(s + i, " \t");
        }
        if (nothing && n_words > 1)
                return value_error(ret_error, 0, "nothing stands alone: remove it, or the other words");
        *ret = passes;
        return 0;
}

const char *value_format_passes(unsigned passes, char ret[static VALUE_PASSES_SIZE]) {
        char *end = ret;

        for (size_t i = 0; i < ELEMENTSOF(passes_words); i++)
                if (passes & passes_words[i].bit)
                        end += sprintf(end, "%s%s", end > ret ? " " : "", passes_words[i].name);
        if (end == ret)
                memcpy(ret, "nothing", sizeof("nothing"));
        return ret;
}

static uint64_t unit_usec(const char *s, size_t n) {
        static const struct {
                const char *name;
                uint64_t usec;
        } units[] = {
                { "", USEC_PER_SEC },
                { "us", 1 },
                { "usec", 1 },
                { "ms", 1000 },
                { "msec", 1000 },
                { "s", USEC_PER_SEC },
                { "sec", USEC_PER_SEC },
                { "second", USEC_PER_SEC },
                { "seconds", USEC_PER_SEC },
                { "m", 60 * USEC_PER_SEC },
                { "min", 60 * USEC_PER_SEC },
                { "minute", 60 * USEC_PER_SEC },
                { "minutes", 60 * USEC_PER_SEC },
                { "h", 3600 * USEC_PER_SEC },
                { "hr", 3600 * USEC_PER_SEC },
                { "hour", 3600 * USEC_PER_SEC },
                { "hours", 3600 * USEC_PER_SEC },
                { "d", 86400 * USEC_PER_SEC },
                { "day", 86400 * USEC_PER_SEC },
                { "days", 86400 * USEC_PER_SEC },
        };

        for (size_t i = 0; i < ELEMENTSOF(units); i++)
                if (strlen(units[i].name) == n && memcmp(units[i].name, s, n) == 0)
                        return units[i].usec;
        return 0;
}

int value_parse_timespan(
                const char *s, uint64_t min, uint64_t max, uint64_t *ret_usec, ValueError *ret_error) {
        uint64_t total = 0;
        size_t i = strspn(s, " \t");

        do {
                uint64_t integer = 0, fraction = 0, scale = 1;
                size_t n = digits_parse(s + i, &integer), n_fraction = 0, n_unit = 0;

                if (n == 0)
                        return value_error(ret_error, i, "not a time span: write 60s, 5min or 1h 30min");
                i += n;
                if (s[i] == '.') {
                        n_fraction = digits_parse(s + i + 1, &fraction);
                        if (n_fraction == 0 || n_fraction > 6)
                                return value_error(
                                                ret_error, i, "1 to 6 digits must follow the decimal point");
                        i += 1 + n_fraction;
                }
                for (size_t k = 0; k < n_fraction; k++)
                        scale *= 10;
                i += strspn(s + i, " \t");
                while (is_letter(s[i + n_unit]))
                        n_unit++;

                uint64_t unit = unit_usec(s + i, n_unit);
                if (unit == 0)
                        return value_error(ret_error, i, "unknown unit of time: use ms, s, min, h or d");

                /* Saturates far above any max instead of overflowing. */
                integer = MIN(integer, TIMESPAN_LIMIT / unit);
                total = MIN(total + integer * unit + fraction * unit / scale, TIMESPAN_LIMIT);
                i += n_unit;
                i += strspn(s + i, " \t");
        } while (s[i]);

        if (total < min || total > max)
                return value_error(ret_error, 0, "must be from %us to %us", (unsigned)(min / USEC_PER_SEC),
                                (unsigned)(max / USEC_PER_SEC));
        *ret_usec = total;
        return 0;
}

int value_parse_size(const char *s, uint64_t min, uint64_t max, uint64_t *ret_bytes, ValueError *ret_error) {
        uint64_t v = 0;
        unsigned shift = 0;

        size_t n = digits_parse(s, &v);
        if (n == 0)
                return value_error(ret_error, 0, "not a size: write 512K or 8M");
        if (s[n] == 'K')
                shift = 10;
        else if (s[n] == 'M')
                shift = 20;
        if (s[n + (shift > 0)])
                return value_error(ret_error, n,
                                "a size is a number of bytes, or a number with K or M: write 512K or 8M");

        v <<= shift; /* no overflow: 12 digits are 40 bits */
        if (v < min || v > max || (v & (v - 1)) != 0)
                return value_error(ret_error, 0, "must be a power of two from %uK to %uK",
                                (unsigned)(min >> 10), (unsigned)(max >> 10));
        *ret_bytes = v;
        return 0;
}

/* Port 0 is an error, as it cannot be reached; "*" includes it for protocols without ports. */
static int ports_parse(const char *s, size_t offset, PolicyPorts *ret, ValueError *ret_error) {
        uint64_t first = 0, last = 0;

        if (strcmp(s + offset, "*") == 0) {
                *ret = (PolicyPorts){ .last = UINT16_MAX };
                return 0;
        }

        size_t n = digits_parse(s + offset, &first), end = offset + n;
        last = first;
        if (n > 0 && s[end] == '-') {
                n = digits_parse(s + end + 1, &last);
                end += 1 + n;
        }
        if (n == 0 || s[end])
                return value_error(ret_error, end, "not a port: write 443, 8000-8100, or * for every port");
        if (first < 1 || first > UINT16_MAX || last > UINT16_MAX)
                return value_error(ret_error, offset, "a port is from 1 to 65535");
        if (first > last)
                return value_error(ret_error, offset, "the range is empty: write %u-%u", (unsigned)last,
                                (unsigned)first);
        *ret = (PolicyPorts){ .first = (uint16_t)first, .last = (uint16_t)last };
        return 0;
}

int value_parse_ports(const char *s, PolicyPorts *ret, ValueError *ret_error) {
        return ports_parse(s, 0, ret, ret_error);
}

static void address_mask(uint8_t address[16], unsigned prefix) {
        for (unsigned i = 0; i < 16; i++) {
                unsigned keep = prefix > 8 * i ? MIN(prefix - 8 * i, 8U) : 0;
                address[i] &= (uint8_t)(0xff00U >> keep);
        }
}

/* s[offset … offset+n): ADDR or ADDR/PREFIX. */
static int network_parse(const char *s, size_t offset, size_t n, bool bracketed, PolicyAddress *d,
                ValueError *ret_error) {
        static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
        char text[INET6_ADDRSTRLEN + 1], meant[INET6_ADDRSTRLEN], quoted[VALUE_QUOTE_SIZE];
        const char *slash = memchr(s + offset, '/', n);
        size_t n_address = slash ? (size_t)(slash - (s + offset)) : n;
        bool fits = n_address < sizeof(text);

        if (fits) {
                memcpy(text, s + offset, n_address);
                text[n_address] = 0;
        }
        d->family = memchr(s + offset, ':', n_address) ? AF_INET6 : AF_INET;
        if (bracketed && d->family == AF_INET)
                return value_error(ret_error, offset, "brackets are for IPv6 addresses only: remove them");
        if (!fits || inet_pton(d->family, text, d->address) != 1)
                return value_error(ret_error, offset,
                                "\"%s\" is not an address, and names are not resolved: write ADDRESS or "
                                "NETWORK/BITS with an optional :PORT (an IPv6 address with a port in "
                                "brackets), \"loopback\" or \"any:PORT\"",
                                value_quote(s + offset, n_address, quoted));

        unsigned bits = d->family == AF_INET ? 32 : 128;
        d->prefix = bits;
        if (slash) {
                uint64_t v = 0;
                size_t digits = digits_parse(slash + 1, &v);

                if (digits == 0 || n_address + 1 + digits != n || v > bits)
                        return value_error(ret_error, offset + n_address + 1,
                                        "the slash must be followed by the number of network bits, 0 to %u",
                                        bits);
                d->prefix = (unsigned)v;
        }

        uint8_t masked[16];
        memcpy(masked, d->address, sizeof(masked));
        address_mask(masked, d->prefix);
        if (memcmp(masked, d->address, sizeof(masked)) != 0) {
                (void)inet_ntop(d->family, masked, meant, sizeof(meant));
                return value_error(ret_error, offset,
                                "the address has bits set beyond /%u: write %s/%u for the network, or %s "
                                "alone for one address",
                                d->prefix, meant, d->prefix, text);
        }

        /* The BPF programs report IPv4 addresses as such, also on IPv6 sockets. */
        if (d->family == AF_INET6 && d->prefix >= 96 && memcmp(d->address, mapped, sizeof(mapped)) == 0) {
                memmove(d->address, d->address + 12, 4);
                memset(d->address + 4, 0, 12);
                d->family = AF_INET;
                d->prefix -= 96;
        }
        return 0;
}

/* The addresses of this host: connections to 0.0.0.0 and :: use loopback (ip(7)). */
static size_t loopback_networks(PolicyAddress ret[static VALUE_ADDRESSES_MAX]) {
        ret[0] = (PolicyAddress){ .family = AF_INET, .address = { 127 }, .prefix = 8 };
        ret[1] = (PolicyAddress){ .family = AF_INET, .prefix = 32 };
        ret[2] = (PolicyAddress){ .family = AF_INET6, .address = { [15] = 1 }, .prefix = 128 };
        ret[3] = (PolicyAddress){ .family = AF_INET6, .prefix = 128 };
        return 4;
}

int value_parse_address(const char *s, bool with_port, PolicyAddress ret[static VALUE_ADDRESSES_MAX],
                size_t *ret_n, ValueError *ret_error) {
        PolicyAddress d[VALUE_ADDRESSES_MAX] = {};
        PolicyPorts ports = { .last = UINT16_MAX };
        size_t offset = 0, n_host = strlen(s), n = 1;
        const char *port = NULL;
        bool bracketed = s[0] == '[';
        int r;

        if (bracketed) {
                offset = 1;
                n_host = strcspn(s + 1, "]");
                const char *close = s + 1 + n_host;
                if (!close[0])
                        return value_error(ret_error, 0,
                                        "the bracket is not closed: write [2001:db8::/32]:443");
                if (close[1] == ':')
                        port = close + 2;
                else if (close[1])
                        return value_error(ret_error, n_host + 2,
                                        "only a port may follow the bracket, and the number of network bits "
                                        "goes inside: write [2001:db8::/32]:443");
        } else {
                const char *colon = strchr(s, ':');
                if (colon && !strchr(colon + 1, ':')) {
                        n_host = (size_t)(colon - s);
                        port = colon + 1;
                }
        }

        if (port && !with_port)
                return value_error(ret_error, (size_t)(port - s) - 1,
                                "an address has no port here: write it into Port=");
        if (port) {
                r = ports_parse(s, (size_t)(port - s), &ports, ret_error);
                if (r < 0)
                        return r;
        }

        if (!bracketed && n_host == strlen("loopback") && memcmp(s, "loopback", n_host) == 0)
                n = loopback_networks(d);
        else if (!bracketed && n_host == strlen("any") && memcmp(s, "any", n_host) == 0) {
                if (!port && with_port)
                        return value_error(ret_error, 0,
                                        "\"any\" needs a port: write any:443, or any:* for every port");
                d[0].family = AF_INET;
                d[1].family = AF_INET6;
                n = 2;
        } else {
                r = network_parse(s, offset, n_host, bracketed, d, ret_error);
                if (r < 0)
                        return r;
        }

        for (size_t i = 0; i < n; i++) {
                d[i].port_first = ports.first;
                d[i].port_last = ports.last;
                ret[i] = d[i];
        }
        *ret_n = n;
        return 0;
}
