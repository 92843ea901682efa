/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Must not print what the daemon sent other than through ctl_error(), which escapes it. */

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include "barbwire-config.h"
#include "ctl-client.h"
#include "ctl-output.h"
#include "time-now.h"
#include "varlink.h"

#define INTERFACE "io.barbwire.Barbwire."

/* The daemon sends 1 MiB at most in one reply: whoever sends more than this is something else. */
#define REPLY_BYTES_MAX (16U * 1024 * 1024)
#define READ_BYTES (64U * 1024)

struct CtlClient {
        int fd;
        char *data; /* what was received and not taken yet */
        size_t size, n_searched, allocated;
};

/* systemd keeps this link while the unit is neither inactive nor failed, for journald (src/core/unit.c,
 * unit_export_invocation_id(), unit_unlink_state_files()); anyone may look. Asking systemd itself would take
 * D-Bus. */
static bool service_is_down(const char *socket_path) {
        struct stat st;

        return strcmp(socket_path, CTL_SOCKET_PATH) == 0 && lstat("/run/systemd/system", &st) >= 0 &&
               lstat("/run/systemd/units/invocation:barbwire.service", &st) < 0 && errno == ENOENT;
}

static int connect_failed(const char *socket_path, int error) {
        bool standard = strcmp(socket_path, CTL_SOCKET_PATH) == 0;

        switch (error) {
        case ENOENT:
        case ECONNREFUSED:
                if (standard)
                        ctl_error("Barbwire is not running. Start it with: systemctl enable --now barbwire");
                else
                        ctl_error("Nobody listens on %s. Start it with: barbwired --listen=%s", socket_path,
                                        socket_path);
                return -ENOTCONN;
        case EACCES:
        case EPERM:
                if (standard)
                        ctl_error("You may not ask Barbwire. Members of the group systemd-journal may: run "
                                  "\"sudo usermod -aG systemd-journal $USER\" and log in again.");
                else
                        ctl_error("You may not connect to %s: its owner may, and root.", socket_path);
                return -EACCES;
        case EAGAIN:
                ctl_error("Barbwire does not take the connection: too many ask it at the same time.");
                return -EAGAIN;
        default:
                ctl_error("Cannot connect to %s: %s", socket_path, strerror(error));
                return -error;
        }
}

int ctl_client_try(const char *socket_path, bool may_start, CtlClient **ret) {
        struct timeval timeout = {.tv_sec = CTL_TIMEOUT_USEC / USEC_PER_SEC};
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        if (strlen(socket_path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        strcpy(address.sun_path, socket_path);
        if (!may_start && service_is_down(socket_path))
                return -ENOENT;

        _cleanup_(ctl_client_freep) CtlClient *c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        /* The time to send holds for connecting, too: a full backlog would block it (unix(7)). */
        if (c->fd < 0 || setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0 ||
                        connect(c->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                return -errno;
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

static int connection_lost(int error) {
        ctl_error("Barbwire has ended the conversation (%s); \"journalctl -u barbwire\" may say why.",
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

/* Waits and takes in what has come. */
static int client_fill(CtlClient *c, uint64_t deadline_usec) {
        struct pollfd p = {.fd = c->fd, .events = POLLIN};
        int wait_ms = -1;

        if (deadline_usec != UINT64_MAX) {
                uint64_t now = time_now_usec(CLOCK_MONOTONIC);
                if (now >= deadline_usec)
                        return -ETIME;
                wait_ms = (int)((deadline_usec - now) / 1000) + 1;
        }
        if (c->size > REPLY_BYTES_MAX) {
                ctl_error("What answers sends more than Barbwire does: it is something else.");
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
                return 0; /* the deadline is looked at again */
        ssize_t n = recv(c->fd, c->data + c->size, READ_BYTES, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n <= 0)
                return connection_lost(n < 0 ? errno : 0);
        c->size += (size_t)n;
        return 0;
}

/* "BOOT-NS-CPU" has three. 0: these are not such parts. */
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

/* The journal keeps alerts for longer. It is searched by the whole id; of a short one (an alert's, without the boot id)
 * what ends so is looked for in the alerts' JSON. Nothing else is put into a command that people copy. */
static int no_such_alert(const char *id) {
        size_t n_parts = id_parts(id);

        if (n_parts == 3)
                ctl_error("There is no alert %s among the last ones. The journal may still have it: "
                          "journalctl -o verbose _SYSTEMD_UNIT=barbwire.service BARBWIRE_ALERT_ID=%s",
                                id, id);
        else if (n_parts == 2)
                ctl_error("There is no alert %s among the last ones. The journal may still have it: "
                          "journalctl -a -o cat --output-fields=BARBWIRE_JSON _SYSTEMD_UNIT=barbwire.service | grep -F -e '-%s\"'",
                                id, id);
        else
                ctl_error("There is no alert %s: \"barbwirectl alerts\" lists the last ones.", id);
        return -ENOENT;
}

/* The daemon's own errors, and those that come from a daemon of another version. */
static int reply_refused(const VarlinkReply *reply) {
        const char *id = json_string_value(json_object_get(reply->parameters, "id")) ?: "with this id";
        const char *what = json_string_value(json_object_get(reply->parameters, "parameter"));

        if (strcmp(reply->error, INTERFACE "NoSuchAlert") == 0)
                return no_such_alert(id);
        if (strcmp(reply->error, INTERFACE "AmbiguousAlert") == 0) {
                ctl_error("There is an alert %s of more than one boot: give its whole id, which "
                          "\"barbwirectl alerts --json=short\" tells.",
                                id);
                return -ENOTUNIQ;
        }
        if (strcmp(reply->error, VARLINK_ERROR_METHOD_NOT_FOUND) == 0 ||
                        strcmp(reply->error, VARLINK_ERROR_INTERFACE_NOT_FOUND) == 0 ||
                        strcmp(reply->error, VARLINK_ERROR_INVALID_PARAMETER) == 0)
                ctl_error("The daemon that runs does not know what this barbwirectl (" BARBWIRE_VERSION
                          ") asks (%s%s%s): it is of another version. Restart it with: systemctl restart "
                          "barbwire",
                                reply->error, what ? ": " : "", what ?: "");
        else
                ctl_error("Barbwire refuses: %s", reply->error);
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
        ctl_error("The answer is malformed: the daemon is not Barbwire, or of another version than this "
                  "barbwirectl (" BARBWIRE_VERSION ").");
        return -EBADMSG;
}

int ctl_client_call(CtlClient *c, const char *method, json_t *parameters, json_t **ret) {
        int r = ctl_client_send(c, method, parameters, false);
        if (r < 0)
                return r;
        r = ctl_client_receive(c, CTL_TIMEOUT_USEC, ret);
        if (r == -ETIME)
                ctl_error("Barbwire does not answer; \"systemctl status barbwire\" may say why.");
        return r;
}
