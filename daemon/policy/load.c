/* SPDX-License-Identifier: GPL-2.0-or-later */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "basic/directory-users.h"
#include "basic/strv.h"
#include "policy/build.h"
#include "policy/check.h"
#include "policy/follow.h"
#include "policy/homes.h"
#include "policy/lexer.h"
#include "policy/links.h"
#include "policy/load.h"
#include "policy/parse.h"
#include "policy/values.h"

static const char *const standard_directories[] = {
        "/etc/barbwire",
        "/run/barbwire",
        "/usr/local/lib/barbwire",
        "/usr/lib/barbwire",
};

/* One file per class and as many drop-ins stay far below this limit; each file may have POLICY_FILE_MAX
 * bytes. */
#define FILES_MAX 1024
/* 65,536 users of 256 bytes. Larger sites use a directory service. */
#define PASSWD_MAX (16U << 20)

/* The kernel's command line: COMMAND_LINE_SIZE is at most 4,096 (arch/.../include/asm/setup.h). */
#define COMMAND_LINE_MAX 4096

typedef enum FileState {
        FILE_ABSENT,
        FILE_BROKEN, /* it exists, but cannot be read; reported */
        FILE_MASKED,
        FILE_PARSED,
} FileState;

/* The directories of one search; the first one has precedence. */
typedef struct SearchPath {
        const char *const *directories;
        size_t n;
} SearchPath;

typedef struct NameList {
        char **names;
        size_t n;
} NameList;

static void name_list_done(NameList *l) {
        strv_clear(&l->names, &l->n);
}

/* "a/b", or "a" if b is "". */
static char *path_join(const char *a, const char *b) {
        char *s;

        int r = *b ? asprintf(&s, "%s/%s", a, b) : asprintf(&s, "%s", a);
        return r < 0 ? NULL : s;
}

static int compare_strings(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Reads to the end of the file, or max + 1 bytes of a longer one. */
static int descriptor_read(int fd, size_t max, char **ret, size_t *ret_size) {
        _cleanup_free_ char *data = NULL;
        size_t size = 0, allocated = 0;

        for (;;) {
                if (size == allocated) {
                        if (size > max)
                                break;
                        allocated = MAX(2 * allocated, (size_t)4096);
                        allocated = MIN(allocated, max + 1);
                        char *larger = realloc(data, allocated);
                        if (!larger)
                                return -ENOMEM;
                        data = larger;
                }

                ssize_t n = read(fd, data + size, allocated - size);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                size += (size_t)n;
        }
        *ret = STEAL_PTR(data);
        *ret_size = size;
        return 0;
}

static int report_broken(Policy *p, const char *path, const char *why) {
        return policy_message_add_file(p, POLICY_ERROR, path, "ignored: %s", why);
}

/* Opens and parses a file. Returns a FileState, or -ENOMEM. With FILE_BROKEN, *ret_error is the negative
 * errno. */
static int file_load(Policy *p, const char *path, int *ret_error) {
        _cleanup_free_ char *data = NULL;
        const char *why = NULL;
        struct stat st;
        size_t size = 0;
        int r = 0;

        /* O_NONBLOCK, as it may be a FIFO. */
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0) {
                r = -errno;
                if (r == -ENOENT) {
                        if (lstat(path, &st) < 0)
                                return FILE_ABSENT;
                        why = "it is a link to a missing file; to mask a file, link it to /dev/null";
                }
        } else if (fstat(fd, &st) < 0)
                r = -errno;
        else if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)) /* /dev/null */
                return FILE_MASKED;
        else if (S_ISDIR(st.st_mode)) {
                r = -EISDIR;
                why = "it is a directory";
        } else if (!S_ISREG(st.st_mode)) {
                r = -EINVAL;
                why = "it is not a regular file";
        } else if (st.st_size == 0)
                return FILE_MASKED;
        else
                r = descriptor_read(fd, POLICY_FILE_MAX, &data, &size);

        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                *ret_error = r;
                r = report_broken(p, path, why ? why : strerror(-r));
                return r < 0 ? r : FILE_BROKEN;
        }

        r = policy_parse(p, path, data, size);
        return r < 0 ? r : FILE_PARSED;
}

/* Loads the first usable sub/name of the directories. */
static int search_load(Policy *p, SearchPath dirs, const char *sub, const char *name) {
        int state = FILE_ABSENT, error;

        if (p->n_files >= FILES_MAX) {
                int r = policy_message_add_file(p, POLICY_ERROR, name,
                                "ignored: %u files were read already; merge some of them", FILES_MAX);
                return r < 0 ? r : FILE_BROKEN;
        }

        for (size_t i = 0; i < dirs.n && state <= FILE_BROKEN; i++) {
                _cleanup_free_ char *dir = path_join(dirs.directories[i], sub);
                _cleanup_free_ char *path = dir ? path_join(dir, name) : NULL;
                if (!path)
                        return -ENOMEM;

                int r = file_load(p, path, &error);
                if (r < 0)
                        return r;
                state = MAX(state, r);
        }
        return state;
}

static int names_collect(const char *path, const char *suffix, NameList *l) {
        _cleanup_closedir_ DIR *d = opendir(path);
        if (!d)
                return -errno;

        for (;;) {
                errno = 0;
                const struct dirent *entry = readdir(d);
                if (!entry)
                        return -errno;

                size_t n = strlen(entry->d_name), n_suffix = strlen(suffix);
                if (entry->d_name[0] == '.' || n <= n_suffix ||
                                strcmp(entry->d_name + n - n_suffix, suffix) != 0)
                        continue;

                int r = strv_extend(&l->names, &l->n, entry->d_name);
                if (r < 0)
                        return r;
        }
}

/* Collects the names in `sub` of every directory, sorted, without duplicates. With `required` each directory
 * must exist; the first negative errno is returned, after a message. */
static int search_collect(Policy *p, SearchPath dirs, const char *sub, const char *suffix, bool required,
                NameList *l) {
        size_t n = 0;

        for (size_t i = 0; i < dirs.n; i++) {
                _cleanup_free_ char *path = path_join(dirs.directories[i], sub);
                if (!path)
                        return -ENOMEM;

                int r = names_collect(path, suffix, l);
                if (r == 0 || (r == -ENOENT && !required))
                        continue;
                if (r == -ENOMEM)
                        return r;
                int q = report_broken(p, path, strerror(-r));
                if (q < 0 || required)
                        return q < 0 ? q : r;
        }

        if (l->n > 1)
                qsort(l->names, l->n, sizeof(char *), compare_strings);
        for (size_t i = 0; i < l->n; i++)
                if (n > 0 && strcmp(l->names[n - 1], l->names[i]) == 0)
                        free(l->names[i]);
                else
                        l->names[n++] = l->names[i];
        if (l->names)
                l->names[n] = NULL;
        l->n = n;
        return 0;
}

static int dropins_load(Policy *p, SearchPath dirs, const char *sub, const char *name) {
        _cleanup_(name_list_done) NameList l = {};
        _cleanup_free_ char *dropins = NULL;

        if (asprintf(&dropins, "%s%s%s.d", sub, *sub ? "/" : "", name) < 0) {
                dropins = NULL;
                return -ENOMEM;
        }

        int r = search_collect(p, dirs, dropins, ".conf", false, &l);
        for (size_t i = 0; r >= 0 && i < l.n; i++)
                r = search_load(p, dirs, dropins, l.names[i]);
        return MIN(r, 0);
}

/* Drop-ins of a missing file are never read; the name is probably misspelt. */
static int orphans_report(Policy *p, SearchPath dirs, const char *sub, const NameList *files) {
        _cleanup_(name_list_done) NameList l = {};
        char quoted[VALUE_QUOTE_SIZE];

        int r = search_collect(p, dirs, sub, ".conf.d", false, &l);
        for (size_t i = 0; r >= 0 && i < l.n; i++) {
                char *name = l.names[i];

                name[strlen(name) - strlen(".d")] = 0;
                if (files->n == 0 ||
                                !bsearch(&name, files->names, files->n, sizeof(char *), compare_strings))
                        r = policy_message_add_file(p, POLICY_WARNING, name,
                                        "drop-ins in %s.d are ignored: there is no file of that name to add "
                                        "to; rename the directory",
                                        value_quote(name, strlen(name), quoted));
        }
        return r;
}

static int policies_load(Policy *p, SearchPath dirs, const char *sub, bool required) {
        _cleanup_(name_list_done) NameList l = {};

        int r = search_collect(p, dirs, sub, ".conf", required, &l);
        if (r < 0)
                return r;
        for (size_t i = 0; i < l.n; i++) {
                r = search_load(p, dirs, sub, l.names[i]);
                /* Drop-ins of a masked file must not bring a part of it back. */
                if (r == FILE_PARSED)
                        r = dropins_load(p, dirs, sub, l.names[i]);
                if (r < 0)
                        return r;
        }
        return orphans_report(p, dirs, sub, &l);
}

static int config_load(Policy *p, const char *config_file, SearchPath dirs) {
        int error = 0, r;

        if (config_file) {
                r = file_load(p, config_file, &error);
                if (r == FILE_ABSENT) {
                        r = report_broken(p, config_file, strerror(ENOENT));
                        return r < 0 ? r : -ENOENT;
                }
                return r == FILE_BROKEN ? error : MIN(r, 0);
        }

        /* Its drop-ins are read without it, too: usually there is no such file. */
        r = search_load(p, dirs, "", "barbwire.conf");
        return r < 0 ? r : dropins_load(p, dirs, "", "barbwire.conf");
}

/* Asks NSS for users that the policy names and no list has: not every directory can be listed. */
static void directory_users_resolve(Policy *p) {
        const PolicyAllow *a;

        for (size_t i = 0; (a = policy_rule(p, i)); i++)
                for (size_t k = 0; k < a->n_users; k++) {
                        const PolicyUser *u = a->users + k;
                        bool number = u->name[0] >= '0' && u->name[0] <= '9';
                        const struct passwd *found = u->known || number ? NULL : getpwnam(u->name);

                        if (found)
                                policy_resolve_user(p, u->name, found->pw_uid);
                }
}

/* A directory that does not answer is no error: it may start later than the service. */
static int directory_users_read(Policy *p, char **text, size_t *size) {
        bool complete = false;

        int r = directory_users_append(text, size, &complete);
        if (r == -ENOMEM || (r == 0 && complete))
                return r;
        return policy_message_add_file(p, POLICY_WARNING, "/etc/nsswitch.conf",
                        "not all users could be listed%s%s, so that ~/ may not stand for the home of each: "
                        "reload the policy when the directory service answers, or add Path= for its homes "
                        "to "
                        "the classes",
                        r < 0 ? ": " : "", r < 0 ? strerror(-r) : "");
}

/* Reads the passwd file, and asks NSS, for the homes that ~/ stands for and the users that User= names. */
static int users_load(Policy *p, const char *passwd_file) {
        const char *path = passwd_file ? passwd_file : "/etc/passwd";
        _cleanup_free_ char *data = NULL;
        size_t size = 0;
        int r;

        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        r = fd < 0 ? -errno : descriptor_read(fd, PASSWD_MAX, &data, &size);
        if (r == 0 && size > PASSWD_MAX)
                r = -EFBIG;
        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                int q = policy_message_add_file(p, passwd_file ? POLICY_ERROR : POLICY_WARNING, path,
                                "failed to read the users, so that ~/ stands for /root and /home/* only: %s",
                                strerror(-r));
                return q < 0 ? q : passwd_file ? r : 0;
        }

        if (!passwd_file && (r = directory_users_read(p, &data, &size)) < 0)
                return r;

        /* strsep() needs a NUL at the end; earlier ones have no meaning in this file. */
        char *text = realloc(data, size + 1);
        if (!text)
                return -ENOMEM;
        data = text;
        text[size] = 0;
        r = policy_add_users(p, path, text, path_follow_links);
        if (r == 0 && !passwd_file)
                directory_users_resolve(p);
        return r;
}

/* A policy without a class is a mistake, most often a misspelt directory: the message names all of them. */
static int empty_report(Policy *p, SearchPath dirs, const char *sub) {
        _cleanup_free_ char *list = strdup("");

        for (size_t i = 0; list && i < dirs.n; i++) {
                _cleanup_free_ char *before = list;
                if (asprintf(&list, "%s%s%s%s", before, *before ? ", " : "", dirs.directories[i], sub) < 0)
                        list = NULL;
        }
        return list ? policy_message_add_file(p, POLICY_ERROR, list,
                                      "there is no usable [Class], so that nothing is monitored: add one")
                    : -ENOMEM;
}

static int load_all(Policy *p, const char *config_file, char *const *policy_dirs, const char *passwd_file) {
        SearchPath standard = { standard_directories, ELEMENTSOF(standard_directories) };
        SearchPath named = { (const char *const *)policy_dirs, 0 };

        int r = config_load(p, config_file, standard);
        if (r < 0)
                return r;

        if (policy_dirs) {
                while (policy_dirs[named.n])
                        named.n++;
                r = policies_load(p, named, "", true);
        } else
                r = policies_load(p, standard, "policy.d", false);
        if (r < 0)
                return r;

        r = users_load(p, passwd_file);
        if (r < 0)
                return r;
        r = policy_follow_links(p, path_follow_links);
        if (r == 0)
                r = policy_finish(p);
        if (r == 0)
                r = policy_report_links(p);
        if (r < 0 || p->n_classes > 0)
                return r;
        return empty_report(p, policy_dirs ? named : standard, policy_dirs ? "" : "/policy.d");
}

/* For the rescue of a machine that a wrong policy cuts off: "barbwire.enforce=0". */
static bool kernel_forbids(void) {
        _cleanup_close_ int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
        char text[COMMAND_LINE_MAX + 1], *rest = text;

        ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
        text[MAX(n, 0)] = 0;
        for (char *word; (word = strsep(&rest, " \n"));)
                if (strcmp(word, "barbwire.enforce=0") == 0)
                        return true;
        return false;
}

int policy_load(const char *config_file, char *const *policy_dirs, const char *passwd_file, Policy **ret) {
        _cleanup_(policy_freep) Policy *p = NULL;

        int r = policy_new(&p);
        if (r < 0)
                return r;
        p->enforcement.off = kernel_forbids();
        r = load_all(p, config_file, policy_dirs, passwd_file);
        if (r == -ENOMEM)
                return r;
        *ret = STEAL_PTR(p);
        return r;
}
