/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Finds the policy's files and reads them, after the manner of systemd's unit files: vendor, run-time and
 * local directories, drop-ins, masks. Must not judge what is in them, and must not stop at one that cannot
 * be read: it becomes a message, and the same name from a later directory is used, since a worse policy is
 * better than none.
 *
 * When a file or directory that the caller named cannot be read, the Policy is handed out all the same,
 * because the message that says which is in it. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "policy-build.h"
#include "policy-parser.h"
#include "policy-values.h"

static const char *const standard_directories[] = {
                "/etc/barbwire",
                "/run/barbwire",
                "/usr/local/lib/barbwire",
                "/usr/lib/barbwire",
};

/* A class a file and as many sites' drop-ins stay far below; each may be of POLICY_FILE_MAX. */
#define FILES_MAX 1024
/* Each home adds a pattern per ~/ glob, of which the default policy has about 110: 32 homes whose paths have nothing
 * in common make its table half as large again, 256 do not fit into it, and nothing at all would be watched. Where
 * people live beside each other their parent directory stands for all, of which there may be as many; few systems
 * have homes in as many other places. */
#define HOMES_MAX 32
/* Of the paths together, 32 of common length: each byte is states by the hundred if they have nothing in common. With
 * twice as many the default policy no longer fits. */
#define HOMES_SIZE_MAX 1024
/* So many homes in one directory are no accident: it is one for homes. */
#define NEIGHBOURS_MIN 4
/* 65,536 users of 256 bytes: more are kept in a directory service, not in this file. */
#define PASSWD_MAX (16U << 20)

typedef enum FileState {
        FILE_ABSENT,
        FILE_BROKEN, /* there is something, but it cannot be read; reported */
        FILE_MASKED,
        FILE_PARSED,
} FileState;

/* The directories that one search goes through; the first has precedence. */
typedef struct SearchPath {
        const char *const *directories;
        size_t n;
} SearchPath;

typedef struct NameList {
        char **names;
        size_t n;
} NameList;

static void name_list_done(NameList *l) {
        for (size_t i = 0; i < l->n; i++)
                free(l->names[i]);
        free(l->names);
}

static void closedirp(DIR **d) {
        if (*d)
                closedir(*d);
}

/* a/b, or a alone when b is "". */
static char *path_join(const char *a, const char *b) {
        char *s;

        int r = *b ? asprintf(&s, "%s/%s", a, b) : asprintf(&s, "%s", a);
        return r < 0 ? NULL : s;
}

static int compare_strings(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Reads to the end, or max+1 bytes of what is longer. */
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
        return policy_message_add_file(p, POLICY_ERROR, path, "not used: %s", why);
}

/* Opens and parses. A FileState, or -ENOMEM. With FILE_BROKEN, *ret_error is the negative errno. */
static int file_load(Policy *p, const char *path, int *ret_error) {
        _cleanup_free_ char *data = NULL;
        const char *why = NULL;
        struct stat st;
        size_t size = 0;
        int r = 0;

        /* Not blocking: anything may lie there, a FIFO too. */
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0) {
                r = -errno;
                if (r == -ENOENT) {
                        if (lstat(path, &st) < 0)
                                return FILE_ABSENT;
                        why = "it is a link to nothing; to mask a file, link it to /dev/null";
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
                                "not used: %u files are read already; join some", FILES_MAX);
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
        _cleanup_(closedirp) DIR *d = opendir(path);
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

                char **larger = reallocarray(l->names, l->n + 1, sizeof(char *));
                if (!larger)
                        return -ENOMEM;
                l->names = larger;
                larger[l->n] = strdup(entry->d_name);
                if (!larger[l->n])
                        return -ENOMEM;
                l->n++;
        }
}

/* The names in sub of every directory, sorted, each once. With `required` each directory must be there: the
 * first negative errno is returned, after a message. */
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

/* Drop-ins of a file that is not there are read by nobody: most likely a misspelt name. */
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
                                        "there are drop-ins in %s.d, but no such file: they are not used",
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
                /* What adds to a masked file must not bring a part of it back. */
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

        /* Its drop-ins stand for themselves: usually there is nothing else. */
        r = search_load(p, dirs, "", "barbwire.conf");
        return r < 0 ? r : dropins_load(p, dirs, "", "barbwire.conf");
}

/* Brings a home into the form that the kernel shows. False: it has none, or ~/ stands for it anyway. */
static bool home_normalize(char *home) {
        static const char *const needless[] = {"", "/root", "/nonexistent", "/dev/null"};
        char *end = home;

        if (home[0] != '/')
                return false;
        for (const char *component = home; *component;) {
                component += strspn(component, "/");
                size_t n = strcspn(component, "/");

                if (n == 0)
                        break;
                if (component[0] == '.' && (n == 1 || (n == 2 && component[1] == '.')))
                        return false;
                *end++ = '/';
                memmove(end, component, n);
                end += n;
                component += n;
        }
        *end = 0;

        for (size_t i = 0; i < ELEMENTSOF(needless); i++)
                if (strcmp(home, needless[i]) == 0)
                        return false;
        return strncmp(home, "/home/", 6) != 0 || strchr(home + 6, '/');
}

/* A user's name, number (UINT32_MAX: none) and home in passwd(5). False: not such a line. line is cut into
 * pieces. */
static bool passwd_parse(char *line, char **ret_name, uint32_t *ret_uid, char **ret_home) {
        char *fields[6];

        for (size_t i = 0; i < ELEMENTSOF(fields); i++) {
                fields[i] = strsep(&line, ":");
                if (!fields[i])
                        return false;
        }
        if (!line) /* the shell's field must follow */
                return false;

        char *end;
        unsigned long uid = strtoul(fields[2], &end, 10);
        *ret_name = fields[0];
        bool good = fields[2][0] >= '0' && fields[2][0] <= '9' && !*end && uid < UINT32_MAX;
        *ret_uid = good ? (uint32_t)uid : UINT32_MAX;
        *ret_home = fields[5];
        return true;
}

typedef struct Home {
        const char *path;
        size_t n_parent; /* bytes of its parent directory */
        size_t order;    /* in the file */
        bool neighbours; /* stands for all in its parent directory */
} Home;

static int home_compare_order(const void *a, const void *b) {
        const Home *x = a, *y = b;

        return x->order < y->order ? -1 : x->order > y->order;
}

static int home_compare_path(const void *a, const void *b) {
        const Home *x = a, *y = b;
        int r = strcmp(x->path, y->path);

        return r ? r : home_compare_order(a, b);
}

static bool home_same_parent(const Home *x, const Home *y) {
        return x->n_parent == y->n_parent && memcmp(x->path, y->path, x->n_parent) == 0;
}

/* Neighbours side by side, the first in the file first. */
static int home_compare_parent(const void *a, const void *b) {
        const Home *x = a, *y = b;

        if (x->n_parent != y->n_parent)
                return x->n_parent < y->n_parent ? -1 : 1;
        int r = memcmp(x->path, y->path, x->n_parent);
        return r ? r : home_compare_order(a, b);
}

/* Each once. */
static size_t homes_unique(Home *homes, size_t n) {
        size_t n_kept = 0;

        if (n > 1)
                qsort(homes, n, sizeof(*homes), home_compare_path);
        for (size_t i = 0; i < n; i++)
                if (n_kept == 0 || strcmp(homes[n_kept - 1].path, homes[i].path) != 0)
                        homes[n_kept++] = homes[i];
        return n_kept;
}

/* One for all neighbours. Not below the root: under any prefix, as ~/ is, that would be every directory there is. */
static size_t homes_join(Home *homes, size_t n) {
        size_t n_kept = 0, n_run;

        if (n > 1)
                qsort(homes, n, sizeof(*homes), home_compare_parent);
        for (size_t i = 0; i < n; i += n_run) {
                for (n_run = 1; i + n_run < n && home_same_parent(&homes[i], &homes[i + n_run]);)
                        n_run++;
                bool neighbours = n_run >= NEIGHBOURS_MIN && homes[i].n_parent > 0;
                for (size_t k = 0; k < (neighbours ? 1 : n_run); k++) {
                        homes[n_kept] = homes[i + k];
                        homes[n_kept++].neighbours = neighbours;
                }
        }
        if (n_kept > 1)
                qsort(homes, n_kept, sizeof(*homes), home_compare_order);
        return n_kept;
}

static int homes_add(Policy *p, const char *passwd_file, Home *homes, size_t n) {
        size_t n_single = 0, n_joined = 0, n_more = 0, size = 0;
        const char *first = NULL;
        char quoted[VALUE_QUOTE_SIZE];

        n = homes_unique(homes, n);
        n = homes_join(homes, n);
        for (size_t i = 0; i < n; i++) {
                const Home *home = homes + i;
                size_t *n_kind = home->neighbours ? &n_joined : &n_single;

                /* "PARENT/": see policy-compile.c */
                size_t n_path = home->neighbours ? home->n_parent + 1 : strlen(home->path);

                if (*n_kind >= HOMES_MAX || n_path > HOMES_SIZE_MAX - size) {
                        first = first ?: home->path;
                        n_more++;
                        continue;
                }
                (*n_kind)++;
                size += n_path;
                int r = policy_add_home(p, home->path, n_path);
                if (r < 0)
                        return r;
        }
        if (n_more == 0)
                return 0;
        return policy_message_add_file(p, POLICY_WARNING, passwd_file,
                        "~/ stands for %zu home directories besides /root and /home/*, and %zu others, from %s on, are "
                        "not among them: for those add Path= to the classes, such as "
                        "\"[Class ssh-private-keys]\" with Path=/srv/*/users/*/.ssh/id_*",
                        n_single + n_joined, n_more, value_quote(first, strlen(first), quoted));
}

static int users_parse(Policy *p, const char *passwd_file, char *data) {
        _cleanup_free_ Home *homes = NULL;
        size_t n_homes = 0, n_allocated = 0;

        for (char *line; (line = strsep(&data, "\n"));) {
                char *name, *home;
                uint32_t uid;

                if (!passwd_parse(line, &name, &uid, &home))
                        continue;
                if (uid != UINT32_MAX)
                        policy_resolve_user(p, name, uid);
                if (!home_normalize(home))
                        continue;
                if (n_homes == n_allocated) {
                        n_allocated = MAX(2 * n_allocated, (size_t)64);
                        Home *larger = reallocarray(homes, n_allocated, sizeof(*homes));
                        if (!larger)
                                return -ENOMEM;
                        homes = larger;
                }
                homes[n_homes] = (Home){
                                .path = home,
                                .n_parent = (size_t)(strrchr(home, '/') - home),
                                .order = n_homes,
                };
                n_homes++;
        }
        return homes_add(p, passwd_file, homes, n_homes);
}

/* The homes that ~/ stands for, and the users that User= names. */
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
                                "%s: ~/ stands for /root and /home/* only", strerror(-r));
                return q < 0 ? q : passwd_file ? r : 0;
        }

        /* strsep() needs an end; a file has no NUL byte that means anything. */
        char *text = realloc(data, size + 1);
        if (!text)
                return -ENOMEM;
        data = text;
        text[size] = 0;
        return users_parse(p, path, text);
}

static int load_all(Policy *p, const char *config_file, char *const *policy_dirs, const char *passwd_file) {
        SearchPath standard = {standard_directories, ELEMENTSOF(standard_directories)};
        SearchPath named = {(const char *const *)policy_dirs, 0};

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
        r = policy_finish(p);
        if (r < 0 || p->n_classes > 0)
                return r;
        return policy_message_add_file(p, POLICY_WARNING,
                        policy_dirs && policy_dirs[0] ? policy_dirs[0] : "/usr/lib/barbwire/policy.d",
                        "no [Class] is left of any file: nothing is watched");
}

int policy_load(const char *config_file, char *const *policy_dirs, const char *passwd_file, Policy **ret) {
        _cleanup_(policy_freep) Policy *p = NULL;

        int r = policy_new(&p);
        if (r < 0)
                return r;
        r = load_all(p, config_file, policy_dirs, passwd_file);
        if (r == -ENOMEM)
                return r;
        *ret = STEAL_PTR(p);
        return r;
}
