/* A load generator that speaks Kafka's protocol and costs as little as it can, so that what is measured is the server.
 *
 *   load produce  --port P --topic T --connections 4 --inflight 4 --batch 262144 --record 1024 --count N [--warmup N] [--pid SERVER]
 *   load fetch    --port P --topic T --connections 4 --max-bytes 1048576 --count BYTES [--warmup BYTES] [--pid SERVER]
 *   load latency  --port P --topic T --connections 4 --rate 2000 --record 100 --count N [--warmup N] [--pid SERVER]
 *   load probe    --port P [--seconds 60]                        waits until Metadata lists a broker
 *   load touch    --count BYTES                                  writes a byte to each page of fresh memory, then frees it
 *
 * Counts are requests (produce, latency) or bytes of records (fetch). `--names 1` uses topic names (Produce 9, Fetch 12) instead of ids.
 * One thread, one epoll. Every answer is checked for its error codes. One line of JSON on standard output. Linux, no libraries.
 * Latency is open-loop: records are sent by the clock, whether earlier ones are acknowledged or not.
 */
#define _GNU_SOURCE
#include "protocol.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>

enum { MAX_CONNECTIONS = 4096, MAX_PARTITIONS = 1024, IN_SIZE = 1 << 18, OUT_SIZE = 1 << 17, PIECE = 512, BATCH_HEADER = 61 };

static const char *mode, *topic = "bench";
static long connections = 4, inflight = 1, batch_bytes = 0, record_bytes = 100, count, warmup, rate = 2000, max_bytes = 1 << 20;
static long by_names = 0, seconds = 60;

static int partitions, produce_version, fetch_version;
static uint8_t topic_id[16];
static uint8_t *batch;          /* one record batch, sent again and again */
static size_t batch_size;
static uint8_t head[256];       /* a Produce request up to its records; size, correlation id and partition are patched */
static size_t head_size, head_partition_at;
static const uint8_t tail[3];   /* empty tags of partition, topic and request */

static uint32_t crc32c(const uint8_t *p, size_t n) {
    static uint32_t table[256];
    if (!table[1])
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t c = i;
            for (int k = 0; k < 8; k++) c = c & 1 ? c >> 1 ^ 0x82f63b78 : c >> 1;
            table[i] = c;
        }
    uint32_t c = ~0u;
    while (n--) c = table[(c ^ *p++) & 0xff] ^ c >> 8;
    return ~c;
}

/* ---- a record batch and the request around it ---- */

/* Fills `batch` with as many records of `record_bytes` (value size) as fit `batch_bytes`, at least one. */
static void build_batch(void) {
    batch = malloc((size_t)batch_bytes + (size_t)record_bytes + 256);
    uint8_t *p = batch + BATCH_HEADER;
    uint32_t seed = 1, records = 0;
    do {
        uint8_t body[64], *b = body;
        *b++ = 0;                              /* attributes */
        b = put_varint(b, 0);                  /* timestamp delta */
        b = put_varint(b, records);            /* offset delta */
        b = put_varint(b, -1);                 /* null key */
        b = put_varint(b, record_bytes);
        size_t fixed = (size_t)(b - body);
        p = put_varint(p, (int64_t)(fixed + (size_t)record_bytes + 1));
        memcpy(p, body, fixed);
        p += fixed;
        for (long i = 0; i < record_bytes; i++) *p++ = (uint8_t)((seed = seed * 1664525u + 1013904223u) >> 24);
        *p++ = 0;                              /* no headers */
        records++;
    } while (p - batch + record_bytes + 32 <= batch_bytes);
    batch_size = (size_t)(p - batch);
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    int64_t ms = t.tv_sec * 1000LL + t.tv_nsec / 1000000;
    uint8_t *h = put64(batch, 0);
    h = put32(h, (int32_t)batch_size - 12);
    h = put32(h, -1);                          /* leader epoch: the leader's to set */
    *h++ = 2;                                  /* magic */
    uint8_t *crc = h;
    h = put16(h + 4, 0);
    h = put32(h, (int32_t)records - 1);
    h = put64(put64(h, ms), ms);
    h = put64(h, -1);
    h = put16(h, -1);
    h = put32(h, -1);
    put32(h, (int32_t)records);
    put32(crc, (int32_t)crc32c(crc + 4, batch_size - 21));
}

static void build_produce_head(void) {
    uint8_t *p = put_header(head, 0, produce_version, 1);
    *p++ = 0;                                  /* no transactional id */
    p = put32(put16(p, -1), 30000);            /* acks=all */
    *p++ = 2;
    if (produce_version >= 13) { memcpy(p, topic_id, 16); p += 16; }
    else p = put_compact(p, topic);
    *p++ = 2;
    head_partition_at = (size_t)(p - head);
    p = put_uvarint(put32(p, 0), batch_size + 1);
    head_size = (size_t)(p - head);
    put32(head, (int32_t)(head_size + batch_size + sizeof tail - 4));
}

/* ---- blocking calls, for the start ---- */

static int version_of(const uint8_t *body, int key) {
    int32_t n = get32(body + 2);
    for (const uint8_t *p = body + 6; n--; p += 6)
        if (get16(p) == key) return get16(p + 4);
    return -1;
}

/* Finds the topic's id and partition count by Metadata 12; returns whether every partition has a leader. */
static int read_metadata(int fd, uint8_t *reply, size_t reply_size) {
    uint8_t request[512], *p = put_header(request, 3, 12, 1);
    *p++ = 2;
    memset(p, 0, 16);
    p = put_compact(p + 16, topic);
    *p++ = 0;
    *p++ = 0;                                  /* don't create */
    *p++ = 0;
    *p++ = 0;
    const uint8_t *r = call(fd, request, p, reply, reply_size);
    if (!r) fail("no answer to Metadata");
    skip_tags(&r);
    r += 4;
    for (uint64_t n = get_uvarint(&r) - 1; n--; skip_tags(&r)) { r += 4; skip_compact(&r); r += 4; skip_compact(&r); }
    skip_compact(&r);
    r += 4;
    if (get_uvarint(&r) != 2) fail("Metadata doesn't answer for one topic");
    int error = get16(r);
    r += 2;
    if (error == 3 || error == 5) return 0;
    if (error) fail("Metadata answers %d for %s", error, topic);
    skip_compact(&r);
    memcpy(topic_id, r, 16);
    r += 17;
    partitions = (int)get_uvarint(&r) - 1;
    if (partitions < 1 || partitions > MAX_PARTITIONS) fail("%d partitions", partitions);
    return get16(r) == 0;
}

static void discover(void) {
    static uint8_t reply[1 << 20];
    int fd = connect_once();
    if (fd < 0) fail("nobody listens on 127.0.0.1:%ld", port);
    uint8_t request[64];
    const uint8_t *r = call(fd, request, put_header(request, 18, 0, 0), reply, sizeof reply);
    if (!r || get16(r)) fail("no answer to ApiVersions 0");
    produce_version = version_of(r, 0);
    fetch_version = version_of(r, 1);
    int produce_limit = by_names ? 12 : 13, fetch_limit = by_names ? 12 : 17;
    if (produce_version > produce_limit) produce_version = produce_limit;
    if (fetch_version > fetch_limit) fetch_version = fetch_limit;
    if (produce_version < 9 || fetch_version < 12) fail("needs Produce 9 and Fetch 12, the server has %d and %d", produce_version, fetch_version);
    if (version_of(r, 3) < 12) partitions = 8;  /* no ids without Metadata 12 */
    else
        for (int tries = 0; !read_metadata(fd, reply, sizeof reply); tries++) {
            if (tries > 1000) fail("%s has no leaders", topic);
            usleep(10000);
        }
    close(fd);
}

static int probe(void) {
    int64_t deadline = now_ns() + seconds * 1000000000LL;
    uint8_t request[64], reply[8192];
    while (now_ns() < deadline) {
        int fd = connect_once();
        if (fd >= 0) {
            uint8_t *p = put32(put_header(request, 3, 1, 0), 0);
            const uint8_t *r = call(fd, request, p, reply, sizeof reply);
            int64_t at = now_ns();
            close(fd);
            if (r && get32(r) > 0) { printf("{\"listed_ns\": %ld}\n", at); return 0; }
        }
        usleep(1000);
    }
    fail("no broker listed within %ld s", seconds);
    return 1;
}

/* The first touch of a page costs a virtual machine far more than later ones: have it behind us before anything is measured. */
static int touch(void) {
    char *memory = mmap(NULL, (size_t)count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) fail("no %ld bytes of memory to touch", count);
    for (long i = 0; i < count; i += 4096) memory[i] = 1;
    return 0;
}

/* ---- connections ---- */

enum phase { FRAME, RESPONSE, PARTITION, BATCH, SKIP, TAIL };

struct connection {
    int fd, waits_for_room;
    uint8_t *in;
    size_t in_start, in_end;
    uint8_t *out;               /* small requests, or a fetch request, not yet sent */
    size_t out_start, out_end;
    size_t bulk_at;             /* bytes sent of the large request under way; 0: none */
    uint8_t bulk_head[256];
    long under_way;             /* requests sent, or being sent, without an answer */
    int next_partition;
    /* answers arrive in order, so the times that requests were sent at form a ring */
    int64_t *sent, *due;
    size_t sent_first, sent_last;
    /* fetch */
    enum phase phase;
    size_t frame_left, records_left, skip;
    uint64_t partitions_left;
    int partition;
    int64_t high_watermark;
    int64_t *offsets;
};

static struct connection all[MAX_CONNECTIONS];
static int epoll_fd;
static long requests_started, done, total;      /* done and total: requests, or bytes for fetch */
static int64_t window_start_ns, window_end_ns, cpu_start_ms, cpu_end_ms;
static long records_a_batch;
static int32_t correlation;
static uint32_t *latencies, *late;              /* microseconds * 10: from send, from the time it was due */
static size_t ring_size;

/* CPU time of the server so far, in ms. */
static void count_done(long more) {
    if (done < warmup && done + more >= warmup) {
        window_start_ns = now_ns();
        cpu_start_ms = server_cpu_ms();
    }
    if (done < total && done + more >= total) {
        window_end_ns = now_ns();
        cpu_end_ms = server_cpu_ms();
    }
    done += more;
}

static void want(struct connection *c, int room) {
    if (c->waits_for_room == room) return;
    c->waits_for_room = room;
    struct epoll_event e = {.events = EPOLLIN | (room ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
}

static int no_room(ssize_t n) {
    if (n >= 0) return 0;
    if (errno == EAGAIN) return 1;
    fail("the server closed a connection: %s", strerror(errno));
    return 1;
}

/* Sends what is pending; returns whether all of it left. */
static int flush(struct connection *c) {
    while (c->out_start < c->out_end) {
        ssize_t n = send(c->fd, c->out + c->out_start, c->out_end - c->out_start, MSG_NOSIGNAL);
        if (no_room(n)) { want(c, 1); return 0; }
        c->out_start += (size_t)n;
    }
    c->out_start = c->out_end = 0;
    while (c->bulk_at && c->bulk_at - 1 < head_size + batch_size + sizeof tail) {
        size_t at = c->bulk_at - 1;
        struct iovec parts[3];
        int n = 0;
        if (at < head_size) parts[n++] = (struct iovec){c->bulk_head + at, head_size - at};
        size_t b = at > head_size ? at - head_size : 0;
        if (b < batch_size) parts[n++] = (struct iovec){batch + b, batch_size - b};
        size_t t = b >= batch_size ? at - head_size - batch_size : 0;
        parts[n++] = (struct iovec){(void *)(tail + t), sizeof tail - t};
        struct msghdr m = {.msg_iov = parts, .msg_iovlen = (size_t)n};
        ssize_t k = sendmsg(c->fd, &m, MSG_NOSIGNAL);
        if (no_room(k)) { want(c, 1); return 0; }
        c->bulk_at += (size_t)k;
    }
    c->bulk_at = 0;
    want(c, 0);
    return 1;
}

static int is_large(void) { return batch_size > OUT_SIZE / 8; }

static void start_produce(struct connection *c, int64_t due_ns) {
    int large = is_large();
    uint8_t *p = large ? c->bulk_head : c->out + c->out_end;
    memcpy(p, head, head_size);
    put32(p + 8, ++correlation);
    put32(p + head_partition_at, c->next_partition);
    c->next_partition = (c->next_partition + 1) % partitions;
    if (large) c->bulk_at = 1;
    else {
        memcpy(p + head_size, batch, batch_size);
        memcpy(p + head_size + batch_size, tail, sizeof tail);
        c->out_end += head_size + batch_size + sizeof tail;
    }
    if (due_ns) {
        if (c->sent_last - c->sent_first == ring_size) fail("%zu records wait on one connection: the server can't keep up", ring_size);
        c->sent[c->sent_last % ring_size] = now_ns();
        c->due[c->sent_last++ % ring_size] = due_ns;
    }
    c->under_way++;
    requests_started++;
}

static int room_for_one(const struct connection *c) {
    return is_large() ? !c->bulk_at : OUT_SIZE - c->out_end >= head_size + batch_size + sizeof tail;
}

/* Keeps `inflight` requests under way until all are started. */
static void pump_produce(struct connection *c) {
    while (c->under_way < inflight && requests_started < total) {
        if (!room_for_one(c)) {
            if (!flush(c)) return;
            continue;
        }
        start_produce(c, 0);
    }
    if (!c->waits_for_room) flush(c);
}

static void produce_answer(struct connection *c, const uint8_t *r) {
    r += 4;
    skip_tags(&r);
    if (get_uvarint(&r) != 2) fail("Produce answers for no topic");
    if (produce_version >= 13) r += 16;
    else skip_compact(&r);
    if (get_uvarint(&r) != 2) fail("Produce answers for no partition");
    int error = get16(r + 4);
    if (error) fail("Produce answers error %d", error);
    c->under_way--;
    if (latencies) {
        size_t i = c->sent_first++ % ring_size;
        int64_t t = now_ns();
        if (done >= warmup && done < total) {
            latencies[done - warmup] = (uint32_t)((t - c->sent[i]) / 100);
            late[done - warmup] = (uint32_t)((t - c->due[i]) / 100);
        }
    }
    count_done(1);
}

static void read_produce(struct connection *c) {
    ssize_t n = recv(c->fd, c->in + c->in_end, IN_SIZE - c->in_end, 0);
    if (no_room(n)) return;
    if (n == 0) fail("the server closed a connection");
    c->in_end += (size_t)n;
    while (c->in_end - c->in_start >= 4) {
        size_t size = (size_t)(uint32_t)get32(c->in + c->in_start);
        if (size > IN_SIZE - 4) fail("an answer to Produce of %zu bytes", size);
        if (c->in_end - c->in_start - 4 < size) break;
        produce_answer(c, c->in + c->in_start + 4);
        c->in_start += 4 + size;
    }
    memmove(c->in, c->in + c->in_start, c->in_end - c->in_start);
    c->in_end -= c->in_start;
    c->in_start = 0;
}

/* ---- fetch: partitions are dealt out to the connections; each is read to its end, then again from 0 ---- */

static void start_fetch(struct connection *c) {
    int first = (int)(c - all) % partitions, mine = 0;
    for (int i = first; i < partitions; i += (int)connections) mine++;
    uint8_t *p = put_header(c->out, 1, fetch_version, 1);
    put32(c->out + 8, ++correlation);
    if (fetch_version < 15) p = put32(p, -1);
    p = put32(put32(put32(p, 500), 1), 0x7fffffff);
    *p++ = 0;
    p = put32(put32(p, 0), -1);
    *p++ = 2;
    if (fetch_version >= 13) { memcpy(p, topic_id, 16); p += 16; }
    else p = put_compact(p, topic);
    p = put_uvarint(p, (uint64_t)mine + 1);
    for (int i = first; i < partitions; i += (int)connections) {
        p = put64(put32(put32(p, i), -1), c->offsets[i]);
        p = put32(put64(put32(p, -1), -1), (int32_t)max_bytes);
        *p++ = 0;
    }
    memcpy(p, "\0\1\1\0", 4);                  /* tags; nothing forgotten; no rack; tags */
    p += 4;
    put32(c->out, (int32_t)(p - c->out - 4));
    c->out_end = (size_t)(p - c->out);
    c->under_way = 1;
    flush(c);
}

/* Consumes what is known to be there; returns 0 when more bytes are needed. */
static int step_fetch(struct connection *c) {
    size_t have = c->in_end - c->in_start, need;
    const uint8_t *start = c->in + c->in_start, *r = start;
    switch (c->phase) {
    case FRAME:
        if (have < 4) return 0;
        c->frame_left = (size_t)get32(r);
        c->in_start += 4;
        c->phase = RESPONSE;
        return 1;
    case RESPONSE:
        need = c->frame_left < PIECE ? c->frame_left : PIECE;
        if (have < need) return 0;
        r += 4;
        skip_tags(&r);
        if (get16(r + 4)) fail("Fetch answers error %d", get16(r + 4));
        r += 10;
        if (get_uvarint(&r) != 2) fail("Fetch answers for no topic");
        if (fetch_version >= 13) r += 16;
        else skip_compact(&r);
        c->partitions_left = get_uvarint(&r) - 1;
        c->phase = PARTITION;
        break;
    case PARTITION: {
        need = c->frame_left < PIECE ? c->frame_left : PIECE;
        if (have < need) return 0;
        c->partition = get32(r);
        if (c->partition < 0 || c->partition >= partitions) fail("Fetch answers for partition %d", c->partition);
        if (get16(r + 4)) fail("Fetch answers error %d for partition %d", get16(r + 4), c->partition);
        c->high_watermark = get64(r + 6);
        r += 30;
        if (get_uvarint(&r) > 1) fail("aborted transactions in a benchmark");
        r += 4;
        uint64_t n = get_uvarint(&r);
        c->records_left = n ? n - 1 : 0;
        count_done((long)c->records_left);
        c->phase = BATCH;
        break;
    }
    case BATCH:
        if (c->records_left == 0) {
            /* From the front again before the next request: one that finds all its partitions at their ends would wait for news. */
            if (c->offsets[c->partition] >= c->high_watermark) c->offsets[c->partition] = 0;
            need = c->frame_left < PIECE ? c->frame_left : PIECE;
            if (have < need) return 0;
            skip_tags(&r);
            c->phase = --c->partitions_left ? PARTITION : TAIL;
            break;
        }
        need = c->records_left < BATCH_HEADER ? c->records_left : BATCH_HEADER;
        if (have < need) return 0;
        c->skip = c->records_left;             /* what doesn't hold a whole batch is skipped */
        if (need == BATCH_HEADER) {
            size_t size = (size_t)get32(r + 8) + 12;
            if (size <= c->records_left) {
                c->skip = size;
                c->offsets[c->partition] = get64(r) + get32(r + 23) + 1;
            }
        }
        c->records_left -= c->skip;
        c->phase = SKIP;
        return 1;
    case SKIP:
        if (have == 0) return 0;
        r += have < c->skip ? have : c->skip;
        c->skip -= (size_t)(r - start);
        if (c->skip == 0) c->phase = BATCH;
        break;
    case TAIL:
        if (have < c->frame_left) return 0;
        r += c->frame_left;
        c->phase = FRAME;
        c->under_way = 0;
        break;
    }
    c->in_start += (size_t)(r - start);
    c->frame_left -= (size_t)(r - start);
    return 1;
}

static void read_fetch(struct connection *c) {
    ssize_t n = recv(c->fd, c->in + c->in_end, IN_SIZE - c->in_end, 0);
    if (no_room(n)) return;
    if (n == 0) fail("the server closed a connection");
    c->in_end += (size_t)n;
    while (c->under_way && step_fetch(c)) {}
    memmove(c->in, c->in + c->in_start, c->in_end - c->in_start);
    c->in_end -= c->in_start;
    c->in_start = 0;
    if (!c->under_way && done < total) start_fetch(c);
}

/* ---- the loops ---- */

static void open_connections(int fetching) {
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < connections; i++) {
        struct connection *c = &all[i];
        c->fd = connect_once();
        if (c->fd < 0) fail("connection %d is refused", i);
        fcntl(c->fd, F_SETFL, O_NONBLOCK);
        c->in = malloc(IN_SIZE);
        c->out = malloc(OUT_SIZE);
        c->next_partition = i % partitions;
        if (fetching) c->offsets = calloc((size_t)partitions, sizeof *c->offsets);
        if (ring_size) { c->sent = calloc(ring_size, 8); c->due = calloc(ring_size, 8); }
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &e);
    }
}

static void handle_events(const struct timespec *wait, int fetching) {
    struct epoll_event events[256];
    int n = epoll_pwait2(epoll_fd, events, 256, wait, NULL);
    for (int i = 0; i < n; i++) {
        struct connection *c = events[i].data.ptr;
        if (events[i].events & EPOLLOUT) flush(c);
        if (events[i].events & ~EPOLLOUT) {
            if (fetching) read_fetch(c);
            else read_produce(c);
        }
        if (!fetching && !latencies) pump_produce(c);
    }
}

static void run_closed_loop(int fetching) {
    open_connections(fetching);
    if (warmup == 0) { window_start_ns = now_ns(); cpu_start_ms = server_cpu_ms(); }
    for (int i = 0; i < connections; i++) {
        if (!fetching) pump_produce(&all[i]);
        else if (i < partitions) start_fetch(&all[i]);
    }
    while (done < total) handle_events(NULL, fetching);
}

static void run_open_loop(void) {
    ring_size = 1 << 16;
    latencies = calloc((size_t)count, sizeof *latencies);
    late = calloc((size_t)count, sizeof *late);
    open_connections(0);
    prctl(PR_SET_TIMERSLACK, 1);
    if (warmup == 0) { window_start_ns = now_ns(); cpu_start_ms = server_cpu_ms(); }
    int64_t start = now_ns();
    while (done < total) {
        int64_t due = start + requests_started * 1000000000LL / rate, left = due - now_ns();
        if (requests_started < total && left <= 0) {
            struct connection *c = &all[requests_started % connections];
            if (!room_for_one(c)) fail("the server takes no more: it can't keep up with %ld/s", rate);
            start_produce(c, due);
            if (!c->waits_for_room) flush(c);
            left = 0;
        }
        struct timespec wait = {left > 0 ? left / 1000000000 : 0, left > 0 ? left % 1000000000 : 0};
        handle_events(requests_started < total ? &wait : NULL, 0);
    }
}

static int by_size(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double quantile(const uint32_t *sorted, double q) { return sorted[(size_t)((double)(count - 1) * q)] / 10.0; }

static void print_quantiles(const char *prefix, uint32_t *values) {
    qsort(values, (size_t)count, sizeof *values, by_size);
    printf(", \"%sp50_us\": %.1f, \"%sp99_us\": %.1f, \"%sp999_us\": %.1f, \"%smax_us\": %.1f", prefix, quantile(values, 0.5), prefix, quantile(values, 0.99),
           prefix, quantile(values, 0.999), prefix, quantile(values, 1));
}

static void read_options(int argc, char **argv) {
    struct { const char *name; long *value; } options[] = {
        {"--port", &port}, {"--connections", &connections}, {"--inflight", &inflight}, {"--batch", &batch_bytes}, {"--record", &record_bytes},
        {"--count", &count}, {"--warmup", &warmup}, {"--pid", &server_pid}, {"--rate", &rate}, {"--max-bytes", &max_bytes},
        {"--names", &by_names}, {"--seconds", &seconds},
    };
    if (argc < 2) fail("load produce|fetch|latency|probe --port P ...");
    mode = argv[1];
    for (int i = 2; i + 1 < argc; i += 2) {
        size_t k = 0, n = sizeof options / sizeof *options;
        if (!strcmp(argv[i], "--topic")) { topic = argv[i + 1]; continue; }
        while (k < n && strcmp(argv[i], options[k].name)) k++;
        if (k == n) fail("unknown option %s", argv[i]);
        *options[k].value = atol(argv[i + 1]);
    }
    if (!port && strcmp(mode, "touch")) fail("--port is missing");
    if (connections < 1 || connections > MAX_CONNECTIONS) fail("--connections is 1 to %d", MAX_CONNECTIONS);
    if (strlen(topic) > 100) fail("--topic is too long");
}

int main(int argc, char **argv) {
    read_options(argc, argv);
    if (!strcmp(mode, "probe")) return probe();
    if (count < 1) fail("--count is missing");
    if (!strcmp(mode, "touch")) return touch();
    total = warmup + count;
    discover();
    build_batch();
    records_a_batch = get32(batch + 57);
    build_produce_head();
    int fetching = !strcmp(mode, "fetch");
    if (!strcmp(mode, "latency")) run_open_loop();
    else if (fetching || !strcmp(mode, "produce")) run_closed_loop(fetching);
    else fail("unknown mode %s", mode);

    double elapsed = (double)(window_end_ns - window_start_ns) / 1e9, cpu = (double)(cpu_end_ms - cpu_start_ms) / 1e3;
    double bytes = fetching ? (double)count : (double)count * (double)batch_size;
    printf("{\"mode\": \"%s\", \"seconds\": %.4f, \"server_cpu_seconds\": %.3f, \"mb_per_s\": %.1f, \"cpu_s_per_gb\": %.3f", mode, elapsed, cpu,
           bytes / 1e6 / elapsed, cpu / (bytes / 1e9));
    if (!fetching)
        printf(", \"requests_per_s\": %.0f, \"records_per_s\": %.0f", (double)count / elapsed, (double)count * (double)records_a_batch / elapsed);
    if (latencies) { print_quantiles("", latencies); print_quantiles("due_", late); }
    puts("}");
    return 0;
}
