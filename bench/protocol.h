/* Kafka's protocol as far as the load generators share it: primitive types, request headers, one request at a time, the server's CPU time.
 * A program includes it once; `port` and `server_pid` are its options. Everything here ends the program when it fails. */
#ifndef BARNABAS_BENCH_PROTOCOL_H
#define BARNABAS_BENCH_PROTOCOL_H

#include <arpa/inet.h>
#include <endian.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static long port, server_pid;

static void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("bench: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    exit(1);
}

static inline int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* ---- primitive types ---- */

static inline uint8_t *put16(uint8_t *p, int v) { uint16_t x = htobe16((uint16_t)v); memcpy(p, &x, 2); return p + 2; }
static inline uint8_t *put32(uint8_t *p, int32_t v) { uint32_t x = htobe32((uint32_t)v); memcpy(p, &x, 4); return p + 4; }
static inline uint8_t *put64(uint8_t *p, int64_t v) { uint64_t x = htobe64((uint64_t)v); memcpy(p, &x, 8); return p + 8; }
static inline uint8_t *put_uvarint(uint8_t *p, uint64_t v) {
    while (v >= 0x80) { *p++ = (uint8_t)(v | 0x80); v >>= 7; }
    *p++ = (uint8_t)v;
    return p;
}
static inline uint8_t *put_varint(uint8_t *p, int64_t v) { return put_uvarint(p, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63)); }
static inline uint8_t *put_compact(uint8_t *p, const char *s) {
    size_t n = strlen(s);
    p = put_uvarint(p, n + 1);
    memcpy(p, s, n);
    return p + n;
}
static inline int get16(const uint8_t *p) { uint16_t x; memcpy(&x, p, 2); return (int16_t)be16toh(x); }
static inline int32_t get32(const uint8_t *p) { uint32_t x; memcpy(&x, p, 4); return (int32_t)be32toh(x); }
static inline int64_t get64(const uint8_t *p) { uint64_t x; memcpy(&x, p, 8); return (int64_t)be64toh(x); }
static inline uint64_t get_uvarint(const uint8_t **p) {
    uint64_t v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        uint8_t b = *(*p)++;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80)) return v;
    }
    fail("a varint of the server doesn't end");
    return 0;
}
static inline void skip_tags(const uint8_t **p) {
    for (uint64_t n = get_uvarint(p); n > 0; n--) {
        get_uvarint(p);
        uint64_t size = get_uvarint(p);
        *p += size;
    }
}
static inline void skip_compact(const uint8_t **p) {
    uint64_t n = get_uvarint(p);
    if (n) *p += n - 1;
}

static inline uint8_t *put_header(uint8_t *p, int key, int version, int flexible) {
    p = put16(put16(p + 4, key), version);
    p = put32(p, 0);
    p = put16(p, 5);
    memcpy(p, "bench", 5);
    p += 5;
    if (flexible) *p++ = 0;
    return p;
}

static int connect_once(void) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0) { close(fd); return -1; }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

/* Sends the request in [buffer, end) and returns the body behind the correlation id; NULL when the connection fails. */
static const uint8_t *call(int fd, uint8_t *buffer, uint8_t *end, uint8_t *reply, size_t reply_size) {
    put32(buffer, (int32_t)(end - buffer - 4));
    if (write(fd, buffer, (size_t)(end - buffer)) != end - buffer) return NULL;
    if (recv(fd, reply, 4, MSG_WAITALL) != 4) return NULL;
    int32_t size = get32(reply);
    if (size < 4 || (size_t)size > reply_size) return NULL;
    if (recv(fd, reply, (size_t)size, MSG_WAITALL) != size) return NULL;
    return reply + 4;
}

static inline int64_t server_cpu_ms(void) {
    if (!server_pid) return 0;
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%ld/stat", server_pid);
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof line - 1);
    if (n <= 0) fail("no process %ld", server_pid);
    close(fd);
    line[n] = 0;
    unsigned long user, system;
    if (sscanf(strrchr(line, ')') + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2) fail("can't read %s", path);
    return (int64_t)(user + system) * 1000 / sysconf(_SC_CLK_TCK);
}

#endif
