/* SPDX-License-Identifier: GPL-2.0-or-later */

/* E05, E09, E10: the secret is given to a service on this machine that reaches the network: behind a unix
 * socket ("stream", "sendto"), a proxy and a resolver on loopback, which pass it on, and peers that are
 * reached by SCTP and vsock. The service is forked before the secret is opened; if it does not pass the
 * secret on, it prints it: arrived=HEX. */

#include <linux/vm_sockets.h>
#include <stdbool.h>
#include <sys/un.h>

#include "play.h"

/* In the directory that the play runs in. */
#define SOCKET "docker.sock"
#define LOCAL_PORT 8080
#define VSOCK_LOCAL 1 /* VMADDR_CID_LOCAL, since Linux 5.6 */

typedef union Address {
        struct sockaddr any;
        struct sockaddr_in inet;
        struct sockaddr_un local;
        struct sockaddr_vm vm;
} Address;

typedef struct Service {
        const char *name;
        int family, type, protocol;
        const char *address;
        uint16_t port;
        bool passes_on;
} Service;

static const Service services[] = {
        { "stream", AF_UNIX, SOCK_STREAM, 0, SOCKET, 0, false },
        { "sendto", AF_UNIX, SOCK_DGRAM, 0, SOCKET, 0, false },
        { "proxy", AF_INET, SOCK_STREAM, 0, "127.0.0.1", LOCAL_PORT, true },
        { "resolver", AF_INET, SOCK_DGRAM, 0, "127.0.0.53", 53, true },
        { "sctp", AF_INET, SOCK_STREAM, IPPROTO_SCTP, "127.0.0.1", LOCAL_PORT, false },
        { "vsock", AF_VSOCK, SOCK_STREAM, 0, "", LOCAL_PORT, false },
};

static Play p;

static socklen_t address_make(const Service *s, Address *ret) {
        *ret = (Address){ .any = { .sa_family = (sa_family_t)s->family } };
        if (s->family == AF_UNIX) {
                strcpy(ret->local.sun_path, s->address);
                return sizeof(ret->local);
        }
        if (s->family == AF_VSOCK) {
                ret->vm.svm_cid = VSOCK_LOCAL;
                ret->vm.svm_port = s->port;
                return sizeof(ret->vm);
        }
        inet_pton(AF_INET, s->address, &ret->inet.sin_addr);
        ret->inet.sin_port = htons(s->port);
        return sizeof(ret->inet);
}

static int service_socket(const Service *s) {
        int fd = socket(s->family, s->type | SOCK_CLOEXEC, s->protocol);

        if (fd < 0)
                play_exit(PLAY_CANNOT, "%s: socket", s->name);
        return fd;
}

static void serve(const Service *s, int fd) {
        if (s->type == SOCK_STREAM)
                fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        play_read(&p, fd);
        if (s->passes_on && s->type == SOCK_STREAM) {
                play_send(&p);
        } else if (s->passes_on) {
                struct sockaddr_storage address;
                socklen_t length = play_address(&p, &address);

                if (sendto(play_socket(&address, SOCK_DGRAM), p.secret, p.n_secret, 0,
                                    (struct sockaddr *)&address, length) < 0)
                        play_die("pass it on");
        } else {
                printf("arrived=");
                for (size_t i = 0; i < p.n_secret; i++)
                        printf("%02x", (unsigned char)p.secret[i]);
                printf("\n");
        }
        exit(0);
}

int main(int argc, char **argv) {
        pid_t parents[] = { getppid(), 0 }, service;
        const Service *s = services, *end = services + sizeof(services) / sizeof(*services);
        Address address;
        socklen_t length;
        int listening, fd, on = 1;

        play_init(&p, argc, argv);
        while (s < end && !play_variant(&p, s->name))
                s++;
        if (s == end)
                play_unknown(&p);
        listening = service_socket(s);
        length = address_make(s, &address);
        if (s->family == AF_INET)
                (void)setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (bind(listening, &address.any, length) < 0 ||
                        (s->type == SOCK_STREAM && listen(listening, 1) < 0))
                play_exit(s->family == AF_VSOCK ? PLAY_CANNOT : 1, "%s: bind", s->name);
        service = fork();
        if (service == 0)
                serve(s, listening);
        play_truth(&p, getpid(), parents);
        play_read(&p, open(p.key, O_RDONLY | O_CLOEXEC));
        fd = service_socket(s);
        if (s->type == SOCK_STREAM && connect(fd, &address.any, length) < 0)
                play_die("connect");
        if (sendto(fd, p.secret, p.n_secret, 0, s->type == SOCK_STREAM ? NULL : &address.any,
                            s->type == SOCK_STREAM ? 0 : length) != (ssize_t)p.n_secret)
                play_die("send");
        return play_wait(service);
}
