/* What a node of many topics, groups and members is asked, by a client that costs as little as it can.
 *
 *   scale join      --port P --members 500 --group G               until every member of one new group has its assignment
 *   scale commit    --port P --groups 2000 --connections 64 --count N --topic T [--warmup N] [--pid SERVER]
 *   scale metadata  --port P --count N [--pid SERVER]               Metadata for all topics, one request after another
 *
 * One thread; a connection a member. Every answer is checked for its error codes. One line of JSON on standard output. Linux, no libraries.
 */
#define _GNU_SOURCE
#include "protocol.h"

#include <sys/epoll.h>

enum { MAX_CONNECTIONS = 4096, FIND_COORDINATOR = 10, JOIN_GROUP = 11, SYNC_GROUP = 14, OFFSET_COMMIT = 8, METADATA = 3 };
enum { NOT_READY_FROM = 14, NOT_READY_TO = 16, MEMBER_ID_REQUIRED = 79 };  /* COORDINATOR_LOAD_IN_PROGRESS, _NOT_AVAILABLE, NOT_COORDINATOR */

static const char *mode, *topic = "bench", *group = "bench";
static long members = 500, groups = 2000, connections = 64, count, warmup;
static int epoll_fd;

struct peer {
    int fd;
    uint8_t *in;
    size_t have, room;
    char member_id[128];
    int generation, synced;
};

static struct peer *peers;

static uint8_t *put_text(uint8_t *p, const char *s) {
    size_t n = strlen(s);
    p = put16(p, (int)n);
    memcpy(p, s, n);
    return p + n;
}

static const uint8_t *get_text(const uint8_t *p, char *into, size_t room) {
    int n = get16(p);
    if (n < 0) { *into = 0; return p + 2; }
    if ((size_t)n >= room) fail("a text of %d bytes", n);
    memcpy(into, p + 2, (size_t)n);
    into[n] = 0;
    return p + 2 + n;
}

static void open_peers(long n) {
    peers = calloc((size_t)n, sizeof *peers);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (long i = 0; i < n; i++) {
        peers[i].fd = connect_once();
        if (peers[i].fd < 0) fail("connection %ld is refused", i);
        peers[i].room = 1 << 12;
        peers[i].in = malloc(peers[i].room);
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = &peers[i]};
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, peers[i].fd, &e);
    }
}

static void send_request(struct peer *peer, uint8_t *request, const uint8_t *end) {
    put32(request, (int32_t)(end - request - 4));
    if (write(peer->fd, request, (size_t)(end - request)) != end - request) fail("a connection takes no more");
}

/* Waits for answers; gives each whole one, behind its correlation id, to `answer`. */
static void handle(void (*answer)(struct peer *, const uint8_t *)) {
    struct epoll_event events[256];
    int n = epoll_wait(epoll_fd, events, 256, 60000);
    if (n <= 0) fail("no answer for a minute");
    for (int i = 0; i < n; i++) {
        struct peer *peer = events[i].data.ptr;
        ssize_t got = recv(peer->fd, peer->in + peer->have, peer->room - peer->have, 0);
        if (got <= 0) fail("a connection is closed");
        peer->have += (size_t)got;
        if (peer->have < 4) continue;
        size_t size = (size_t)get32(peer->in) + 4;
        if (size > peer->room) peer->in = realloc(peer->in, peer->room = size);
        if (peer->have < size) continue;
        peer->have = 0;  /* one request at a time: nothing is behind it */
        answer(peer, peer->in + 8);
    }
}

static int is_not_ready(int error) {
    if (error < NOT_READY_FROM || error > NOT_READY_TO) return 0;
    usleep(1000);
    return 1;
}

static void find_coordinator(void) {
    uint8_t request[256], reply[1024];
    int fd = connect_once();
    if (fd < 0) fail("nobody listens on 127.0.0.1:%ld", port);
    for (int tries = 0;; tries++) {
        uint8_t *p = put_text(put_header(request, FIND_COORDINATOR, 1, 0), group);
        *p++ = 0;
        const uint8_t *r = call(fd, request, p, reply, sizeof reply);
        if (!r) fail("no answer to FindCoordinator");
        if (!get16(r + 4)) break;
        if (tries > 10000) fail("no coordinator: error %d", get16(r + 4));
        usleep(1000);
    }
    close(fd);
}

/* ---- join ---- */

static long synced;
static int32_t assigned_generation;

static void join(struct peer *peer) {
    uint8_t request[512], *p = put_text(put_header(request, JOIN_GROUP, 5, 0), group);
    p = put_text(put32(put32(p, 30000), 60000), peer->member_id);
    p = put_text(put16(p, -1), "consumer");
    p = put_text(put32(p, 1), "range");
    uint8_t *size_at = p;
    p = put_text(put32(put16(p + 4, 0), 1), topic);
    p = put32(p, -1);
    put32(size_at, (int32_t)(p - size_at - 4));
    send_request(peer, request, p);
}

/* Everybody gets an assignment of one partition. `r` stands at the members that the leader was told. */
static void sync_group(struct peer *peer, const uint8_t *r) {
    int n = get32(r);
    r += 4;
    uint8_t *request = malloc(1024 + (size_t)n * 256);
    uint8_t *p = put_text(put32(put_text(put_header(request, SYNC_GROUP, 3, 0), group), peer->generation), peer->member_id);
    p = put32(put16(p, -1), n);
    char id[128];
    for (int i = 0; i < n; i++) {
        r = get_text(r, id, sizeof id);
        int instance = get16(r);
        r += 2 + (instance > 0 ? instance : 0);
        r += 4 + get32(r);
        p = put_text(p, id);
        uint8_t *size_at = p;
        p = put_text(put32(put16(p + 4, 0), 1), topic);
        p = put32(put32(put32(p, 1), i), -1);
        put32(size_at, (int32_t)(p - size_at - 4));
    }
    send_request(peer, request, p);
    free(request);
}

static void join_answer(struct peer *peer, const uint8_t *r) {
    int error = get16(r + 4);
    if (peer->generation >= 0) {               /* SyncGroup */
        if (error) fail("SyncGroup answers %d", error);
        if (get32(r + 6) < 1) fail("an empty assignment");
        peer->synced = 1;
        synced++;
        return;
    }
    if (is_not_ready(error)) { join(peer); return; }
    char text[128], leader[128];
    const uint8_t *at = get_text(get_text(r + 10, text, sizeof text), leader, sizeof leader);
    at = get_text(at, peer->member_id, sizeof peer->member_id);
    if (error == MEMBER_ID_REQUIRED) { join(peer); return; }
    if (error) fail("JoinGroup answers %d", error);
    peer->generation = get32(r + 6);
    if (assigned_generation && assigned_generation != peer->generation) fail("the group has had a second generation");
    assigned_generation = peer->generation;
    sync_group(peer, at);
}

static void run_join(void) {
    find_coordinator();
    open_peers(members);
    int64_t start = now_ns(), cpu = server_cpu_ms();
    for (long i = 0; i < members; i++) { peers[i].generation = -1; join(&peers[i]); }
    while (synced < members) handle(join_answer);
    printf("{\"mode\": \"join\", \"seconds\": %.4f, \"server_cpu_seconds\": %.3f}\n", (double)(now_ns() - start) / 1e9,
           (double)(server_cpu_ms() - cpu) / 1e3);
}

/* ---- commit ---- */

static long committed, asked;
static int64_t start_ns, start_cpu_ms;

static void commit(struct peer *peer) {
    char name[32];
    snprintf(name, sizeof name, "group-%ld", asked % groups);
    uint8_t request[512], *p = put_text(put_header(request, OFFSET_COMMIT, 7, 0), name);
    p = put16(put_text(put32(p, -1), ""), -1);
    p = put_text(put32(p, 1), topic);
    p = put64(put32(put32(p, 1), 0), asked);
    p = put16(put32(p, -1), -1);
    asked++;
    send_request(peer, request, p);
}

static void commit_answer(struct peer *peer, const uint8_t *r) {
    char name[128];
    const uint8_t *at = get_text(r + 8, name, sizeof name);
    int error = get16(at + 8);
    if (error && !is_not_ready(error)) fail("OffsetCommit answers %d", error);
    if (!error && ++committed == warmup) { start_ns = now_ns(); start_cpu_ms = server_cpu_ms(); }
    if (committed < warmup + count) commit(peer);
}

static void run_commit(void) {
    find_coordinator();
    open_peers(connections);
    start_ns = now_ns();
    for (long i = 0; i < connections; i++) commit(&peers[i]);
    while (committed < warmup + count) handle(commit_answer);
    double elapsed = (double)(now_ns() - start_ns) / 1e9, cpu = (double)(server_cpu_ms() - start_cpu_ms) / 1e3;
    printf("{\"mode\": \"commit\", \"seconds\": %.4f, \"server_cpu_seconds\": %.3f, \"commits_per_s\": %.0f}\n", elapsed, cpu, (double)count / elapsed);
}

/* ---- metadata ---- */

static void run_metadata(void) {
    uint8_t request[64];
    size_t room = 64 << 20;
    uint8_t *reply = malloc(room);
    int fd = connect_once();
    if (fd < 0) fail("nobody listens on 127.0.0.1:%ld", port);
    for (long i = -warmup; i < count; i++) {
        if (i == 0) { start_ns = now_ns(); start_cpu_ms = server_cpu_ms(); }
        uint8_t *p = put_header(request, METADATA, 12, 1);
        *p++ = 0;                              /* all topics */
        *p++ = 0;
        *p++ = 0;
        *p++ = 0;
        if (!call(fd, request, p, reply, room)) fail("no answer to Metadata");
    }
    double elapsed = (double)(now_ns() - start_ns) / 1e9, cpu = (double)(server_cpu_ms() - start_cpu_ms) / 1e3;
    printf("{\"mode\": \"metadata\", \"seconds\": %.4f, \"ms\": %.3f, \"server_cpu_seconds\": %.3f}\n", elapsed, elapsed / (double)count * 1e3, cpu);
}

int main(int argc, char **argv) {
    struct { const char *name; long *value; } options[] = {
        {"--port", &port}, {"--members", &members}, {"--groups", &groups}, {"--connections", &connections}, {"--count", &count},
        {"--warmup", &warmup}, {"--pid", &server_pid},
    };
    if (argc < 2) fail("scale join|commit|metadata --port P ...");
    mode = argv[1];
    for (int i = 2; i + 1 < argc; i += 2) {
        size_t k = 0, n = sizeof options / sizeof *options;
        if (!strcmp(argv[i], "--topic")) { topic = argv[i + 1]; continue; }
        if (!strcmp(argv[i], "--group")) { group = argv[i + 1]; continue; }
        while (k < n && strcmp(argv[i], options[k].name)) k++;
        if (k == n) fail("unknown option %s", argv[i]);
        *options[k].value = atol(argv[i + 1]);
    }
    if (!port) fail("--port is missing");
    if (members < 1 || members > MAX_CONNECTIONS || connections < 1 || connections > MAX_CONNECTIONS) fail("1 to %d connections", MAX_CONNECTIONS);
    if (strlen(topic) > 100 || strlen(group) > 100) fail("a name is too long");
    if (!strcmp(mode, "join")) run_join();
    else if (count < 1) fail("--count is missing");
    else if (!strcmp(mode, "commit")) run_commit();
    else if (!strcmp(mode, "metadata")) run_metadata();
    else fail("unknown mode %s", mode);
    return 0;
}
