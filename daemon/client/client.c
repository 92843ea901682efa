/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Prints what the daemon sent only by ctl_error(), which escapes it. */

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "barbwire-config.h"
#include "client/client.h"
#include "client/output.h"
#include "basic/escape.h"
#include "basic/socket-util.h"
#include "basic/time-util.h"
#include "query/varlink.h"

#define INTERFACE "io.barbwire.Barbwire."

/* The daemon sends at most 1 MiB in one reply: a larger one is not from barbwired. */
#define REPLY_BYTES_MAX (16U * 1024 * 1024)
#define READ_BYTES (64U * 1024)

/* CTL_NOT_RUNNING of client/ctl.h, as barbwirectl exits on the other host. */
#define CTL_NOT_RUNNING_THERE 3

struct CtlClient {
        int fd;
        const char *socket_path;
        char *data; /* received, and not returned yet */
        size_t size, n_searched, allocated;
};

/* systemd keeps this link for journald while the unit is neither inactive nor failed (src/core/unit.c,
 * unit_export_invocation_id(), unit_unlink_state_files()), and everybody may read it. The alternative is
 * D-Bus. */
static bool service_is_down(const char *socket_path) {
        struct stat st;

        return strcmp(socket_path, CTL_SOCKET_PATH) == 0 && lstat("/run/systemd/system", &st) >= 0 &&
               lstat("/run/systemd/units/invocation:barbwire.service", &st) < 0 && errno == ENOENT;
}

/* ssh speaks for the other host; it and barbwirectl there print their own errors. */
static struct {
        const char *host;
        pid_t pid;
} remote;

void ctl_client_set_host(const char *host) {
        remote.host = host;
}

const char *ctl_client_host(void) {
        const char *at = remote.host ? strrchr(remote.host, '@') : NULL;

        return at ? at + 1 : remote.host;
}

/* For the shell of the other host. Newly allocated; NULL: out of memory. */
static char *bridge_command(const char *socket_path) {
        TextStream text;
        FILE *f = text_open(&text);

        if (!f)
                return NULL;
        fputs("barbwirectl --socket='", f);
        for (const char *c = socket_path; *c; c++)
                if (*c == '\'')
                        fputs("'\\''", f);
                else
                        fputc(*c, f);
        fputs("' bridge", f);
        return text_take(&text);
}

/* The program that systemctl -H runs, without a terminal and X11, as it does. */
static int remote_connect(const char *socket_path, int *ret_fd) {
        _cleanup_free_ char *command = bridge_command(socket_path);
        int fds[2];

        if (!command)
                return -ENOMEM;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
                return -errno;
        pid_t pid = fork();
        if (pid < 0) {
                int r = -errno;

                close(fds[0]);
                close(fds[1]);
                return r;
        }
        if (pid == 0) {
                if (dup2(fds[1], STDIN_FILENO) < 0 || dup2(fds[1], STDOUT_FILENO) < 0)
                        _exit(127);
                execlp("ssh", "ssh", "-xT", "--", remote.host, command, NULL);
                ctl_error("Failed to run ssh: %s", strerror(errno));
                (void)fflush(stderr);
                _exit(127);
        }
        close(fds[1]);
        remote.pid = pid;
        *ret_fd = fds[0];
        return 0;
}

/* Its exit status, when it closed the connection: that of barbwirectl there, or of ssh. */
static int remote_lost(void) {
        int status = 0;

        while (waitpid(remote.pid, &status, 0) < 0 && errno == EINTR)
                ;
        remote.pid = 0;
        if (WIFEXITED(status) && WEXITSTATUS(status) == CTL_NOT_RUNNING_THERE)
                return -ENOTCONN;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
                ctl_error("Connection closed by barbwired on %s.", ctl_client_host());
        else
                ctl_error("No connection to barbwired on %s; see the message of ssh or barbwirectl above.",
                                ctl_client_host());
        return -ECONNRESET;
}

static int connect_failed(const char *socket_path, int error) {
        bool standard = strcmp(socket_path, CTL_SOCKET_PATH) == 0;

        switch (error) {
        case ENOENT:
        case ECONNREFUSED:
                if (standard)
                        ctl_error("barbwired is not running. Start it with: systemctl enable --now "
                                  "barbwire");
                else
                        ctl_error("No daemon listens on %s. Start it with: barbwired --listen=%s",
                                        socket_path, socket_path);
                return -ENOTCONN;
        case EACCES:
        case EPERM:
                if (standard)
                        ctl_error("Access denied: %s: users in group systemd-journal may query barbwired. "
                                  "Run \"sudo usermod -aG systemd-journal $USER\" and log in again.",
                                        socket_path);
                else
                        ctl_error("Access denied: %s: only its owner and root may query this daemon.",
                                        socket_path);
                return -EACCES;
        case EAGAIN:
                ctl_error("barbwired does not accept the connection: too many clients are connecting. Try "
                          "again later.");
                return -EAGAIN;
        default:
                ctl_error("Failed to connect to %s: %s", socket_path, strerror(error));
                return -error;
        }
}

int ctl_client_try(const char *socket_path, bool may_start, CtlClient **ret) {
        struct timeval timeout = { .tv_sec = CTL_TIMEOUT_USEC / USEC_PER_SEC };
        struct sockaddr_un address;

        int r = unix_address(socket_path, &address);
        if (r < 0)
                return r;
        if (remote.host) {
                _cleanup_(ctl_client_freep) CtlClient *far = calloc(1, sizeof(*far));

                if (!far)
                        return -ENOMEM;
                far->fd = -1;
                far->socket_path = remote.host;
                r = remote_connect(socket_path, &far->fd);
                if (r >= 0)
                        *ret = STEAL_PTR(far);
                return r;
        }
        if (!may_start && service_is_down(socket_path))
                return -ENOENT;

        _cleanup_(ctl_client_freep) CtlClient *c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        /* SO_SNDTIMEO also limits connect(2), which blocks while the backlog is full (unix(7)). */
        if (c->fd < 0 || setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0 ||
                        connect(c->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                return -errno;
        c->socket_path = socket_path;
        *ret = STEAL_PTR(c);
        return 0;
}

int ctl_client_new(const char *socket_path, bool may_start, CtlClient **ret) {
        int r = ctl_client_try(socket_path, may_start, ret);
        return r < 0 ? connect_failed(socket_path, -r) : 0;
}

CtlClient *ctl_client_free(CtlClient *c) {
        if (!c)
                return NULL;
        closep(&c->fd);
        free(c->data);
        free(c);
        return NULL;
}

int ctl_client_fd(const CtlClient *c) {
        return c->fd;
}

static int connection_lost(int error) {
        if (remote.pid > 0)
                return remote_lost();
        ctl_error("Connection closed by barbwired (%s); see \"journalctl -u barbwire\".",
                        error ? strerror(error) : "end of file");
        return -ECONNRESET;
}

int ctl_client_send(CtlClient *c, const char *method, json_t *parameters, bool more) {
        _cleanup_free_ char *name = NULL, *call = NULL;
        size_t size, done = 0;

        if (asprintf(&name, INTERFACE "%s", method) < 0)
                return ctl_error_memory();
        if (varlink_call_format(name, parameters ? json_incref(parameters) : json_object(), more, &call,
                            &size) < 0)
                return ctl_error_memory();
        while (done < size) {
                ssize_t n = send(c->fd, call + done, size - done, MSG_NOSIGNAL);
                if (n < 0)
                        return connection_lost(errno);
                done += (size_t)n;
        }
        return 0;
}

/* Waits for data, and receives it. */
static int client_fill(CtlClient *c, uint64_t deadline_usec) {
        struct pollfd p = { .fd = c->fd, .events = POLLIN };
        int wait_ms = -1;

        if (deadline_usec != UINT64_MAX) {
                uint64_t now = time_now_usec(CLOCK_MONOTONIC);
                if (now >= deadline_usec)
                        return -ETIME;
                wait_ms = (int)((deadline_usec - now) / 1000) + 1;
        }
        if (c->size > REPLY_BYTES_MAX) {
                ctl_error("Reply too large (over %u MiB): %s is not a socket of barbwired.",
                                REPLY_BYTES_MAX >> 20, c->socket_path);
                return -EMSGSIZE;
        }
        if (c->size + READ_BYTES > c->allocated) {
                size_t allocated = MAX(2 * c->allocated, (size_t)2 * READ_BYTES);
                char *data = realloc(c->data, allocated);
                if (!data)
                        return ctl_error_memory();
                c->data = data;
                c->allocated = allocated;
        }
        if (poll(&p, 1, wait_ms) <= 0)
                return 0; /* the caller checks the deadline again */
        ssize_t n = recv(c->fd, c->data + c->size, READ_BYTES, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n <= 0)
                return connection_lost(n < 0 ? errno : 0);
        c->size += (size_t)n;
        return 0;
}

/* Counts the parts of an id: "BOOT-NS-CPU" has three. 0: not an id. */
static size_t id_parts(const char *id) {
        size_t n_parts = 0, n;

        for (;; id += n + 1) {
                n = strspn(id, "0123456789abcdef");
                if (n == 0 || (id[n] && id[n] != '-'))
                        return 0;
                n_parts++;
                if (!id[n])
                        return n_parts;
        }
}

/* The journal keeps alerts for longer. A complete id has an index; a short one (without the boot id) is
 * searched in the alerts' JSON. Any other text must not become part of a command that people copy. */
static int no_such_alert(const char *id) {
        size_t n_parts = id_parts(id);

        if (n_parts == 3)
                ctl_error("No alert %s among those that barbwired keeps. The journal may still have it: "
                          "journalctl -o verbose _SYSTEMD_UNIT=barbwire.service BARBWIRE_ALERT_ID=%s",
                                id, id);
        else if (n_parts == 2)
                ctl_error("No alert %s among those that barbwired keeps. The journal may still have it: "
                          "journalctl -a -o cat --output-fields=BARBWIRE_JSON "
                          "_SYSTEMD_UNIT=barbwire.service | grep -F -e '-%s\"'",
                                id, id);
        else
                ctl_error("No alert %s; \"barbwirectl alerts\" lists those that barbwired keeps.", id);
        return -ENOENT;
}

/* Prints an error of the daemon, perhaps of another version. Negative errno. */
static int reply_refused(const VarlinkReply *reply) {
        const char *id = json_string_value(json_object_get(reply->parameters, "id")) ?: "with this id";
        const char *what = json_string_value(json_object_get(reply->parameters, "parameter"));

        if (strcmp(reply->error, INTERFACE "NoSuchAlert") == 0)
                return no_such_alert(id);
        if (strcmp(reply->error, INTERFACE "AmbiguousAlert") == 0) {
                ctl_error("Alerts of several boots have the id %s. Give the complete id, which "
                          "\"barbwirectl alerts --json=short\" prints.",
                                id);
                return -ENOTUNIQ;
        }
        if (strcmp(reply->error, INTERFACE "TooManyClients") == 0) {
                ctl_error("Too many clients are connected to barbwired (limit: %lld). Try again later.",
                                ctl_number(reply->parameters, "max"));
                return -EBUSY;
        }
        if (strcmp(reply->error, VARLINK_ERROR_METHOD_NOT_FOUND) == 0 ||
                        strcmp(reply->error, VARLINK_ERROR_INTERFACE_NOT_FOUND) == 0 ||
                        strcmp(reply->error, VARLINK_ERROR_INVALID_PARAMETER) == 0)
                ctl_error("barbwired does not support this request of barbwirectl " BARBWIRE_VERSION
                          " (%s%s%s): it is of another version. Restart it with: systemctl restart barbwire",
                                reply->error, what ? ": " : "", what ?: "");
        else
                ctl_error("barbwired refused the request: %s", reply->error);
        return -EPROTO;
}

int ctl_client_receive(CtlClient *c, uint64_t timeout_usec, json_t **ret) {
        uint64_t deadline = timeout_usec == UINT64_MAX ? UINT64_MAX
                                                       : time_now_usec(CLOCK_MONOTONIC) + timeout_usec;
        VarlinkReply reply;
        size_t size;
        int r;

        while ((size = varlink_message_size(c->data, c->size, c->n_searched)) == 0) {
                c->n_searched = c->size;
                r = client_fill(c, deadline);
                if (r < 0)
                        return r;
        }
        assert(c->data); /* it has a message */
        r = varlink_reply_parse(c->data, size - 1, &reply);
        memmove(c->data, c->data + size, c->size - size);
        c->size -= size;
        c->n_searched = 0;
        if (r == -ENOMEM)
                return ctl_error_memory();
        if (r < 0)
                return ctl_client_malformed();

        if (reply.error) {
                r = reply_refused(&reply);
        } else {
                *ret = reply.parameters ? json_incref(reply.parameters) : json_object();
                r = *ret ? reply.continues : ctl_error_memory();
        }
        varlink_reply_done(&reply);
        return r;
}

int ctl_client_malformed(void) {
        ctl_error("Malformed reply: this is not barbwired, or it is of another version than "
                  "barbwirectl " BARBWIRE_VERSION ".");
        return -EBADMSG;
}

int ctl_client_call(CtlClient *c, const char *method, json_t *parameters, json_t **ret) {
        int r = ctl_client_send(c, method, parameters, false);
        if (r < 0)
                return r;
        r = ctl_client_receive(c, CTL_TIMEOUT_USEC, ret);
        if (r == -ETIME)
                ctl_error("barbwired does not reply; see \"systemctl status barbwire\".");
        return r;
}

int ctl_client_ask(const char *socket_path, bool may_start, const char *method, json_t *parameters,
                json_t **ret) {
        _cleanup_(ctl_client_freep) CtlClient *c = NULL;

        int r = ctl_client_new(socket_path, may_start, &c);
        if (r < 0)
                return r;
        assert(c);
        return ctl_client_call(c, method, parameters, ret);
}

/* Copies what can be read. 0: the end of the file. */
static int bridge_copy(int from, int to) {
        char data[READ_BYTES];
        ssize_t n = read(from, data, sizeof(data)), done = 0;

        if (n <= 0)
                return n < 0 ? -errno : 0;
        while (done < n) {
                ssize_t written = write(to, data + done, (size_t)(n - done));

                if (written < 0)
                        return -errno;
                done += written;
        }
        return 1;
}

int ctl_client_bridge(CtlClient *c) {
        struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN },
                { .fd = c->fd, .events = POLLIN } };
        int r = 1;

        while (r > 0) {
                if (poll(fds, ELEMENTSOF(fds), -1) < 0)
                        return -errno;
                if (fds[1].revents)
                        r = bridge_copy(c->fd, STDOUT_FILENO);
                if (r > 0 && fds[0].revents)
                        r = bridge_copy(STDIN_FILENO, c->fd);
        }
        return r;
}
