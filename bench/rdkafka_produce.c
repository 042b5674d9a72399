/* librdkafka's idempotent producer: what an ordinary client gets, as opposed to what a server could take.
 *
 *   rdkafka_produce BOOTSTRAP TOPIC RECORD_BYTES COUNT WARMUP [RATE PARTITIONS]
 *
 * Default settings but for idempotence (acks=all). Throughput: the window opens when WARMUP records are acknowledged and closes with the last;
 * busiest_thread is the share of the window that the client's busiest thread was on a processor: near 1, the client is what bounds it.
 * With a RATE, latency: that many records a second, one at a time, to each partition in turn, without linger; from the moment that a record is due
 * until its acknowledgement, without the first WARMUP ones. One line of JSON.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <librdkafka/rdkafka.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static long acknowledged, warmup, total;
static double window_start;
enum { MAX_THREADS = 64 };
static struct thread { long id; double seconds; } threads[MAX_THREADS]; /* on a processor before the window */
static double *due, *latency; /* by record's number; only with a rate */

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Seconds that this process' threads have been on a processor; how many threads. */
static int thread_times(struct thread *found) {
    int n = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *entry; tasks && n < MAX_THREADS && (entry = readdir(tasks));) {
        char path[300];
        double nanoseconds;
        snprintf(path, sizeof path, "/proc/self/task/%s/schedstat", entry->d_name);
        FILE *file = entry->d_name[0] == '.' ? NULL : fopen(path, "r");
        if (!file) continue;
        if (fscanf(file, "%lf", &nanoseconds) == 1) found[n++] = (struct thread){atol(entry->d_name), nanoseconds / 1e9};
        fclose(file);
    }
    if (tasks) closedir(tasks);
    return n;
}

static double busiest_thread(double elapsed) {
    struct thread after[MAX_THREADS];
    double most = 0;
    for (int i = thread_times(after) - 1; i >= 0; i--) {
        double before = 0;
        for (int j = 0; j < MAX_THREADS; j++) if (threads[j].id == after[i].id) before = threads[j].seconds;
        if (after[i].seconds - before > most) most = after[i].seconds - before;
    }
    return most / elapsed;
}

static void open_window(void) {
    window_start = now();
    thread_times(threads);
}

static void delivered(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque) {
    (void)producer;
    (void)opaque;
    if (latency) latency[(long)(intptr_t)message->_private] = now() - due[(long)(intptr_t)message->_private];
    if (message->err) {
        fprintf(stderr, "rdkafka_produce: %s\n", rd_kafka_err2str(message->err));
        exit(1);
    }
    if (++acknowledged == warmup) open_window();
}

static void set(rd_kafka_conf_t *conf, const char *key, const char *value) {
    char error[512];
    if (rd_kafka_conf_set(conf, key, value, error, sizeof error) != RD_KAFKA_CONF_OK) {
        fprintf(stderr, "rdkafka_produce: %s\n", error);
        exit(1);
    }
}

static int by_value(const void *one, const void *other) {
    double difference = *(const double *)one - *(const double *)other;
    return (difference > 0) - (difference < 0);
}

static void send_at_rate(rd_kafka_t *producer, rd_kafka_topic_t *topic, char *value, size_t record_bytes, double rate, long partitions) {
    due = calloc((size_t)total, sizeof *due);
    latency = calloc((size_t)total, sizeof *latency);
    for (double start = now(); acknowledged < total;) {
        static long sent;
        for (; sent < total && start + (double)sent / rate <= now(); sent++) {
            due[sent] = start + (double)sent / rate;
            if (rd_kafka_produce(topic, (int32_t)(sent % partitions), RD_KAFKA_MSG_F_COPY, value, record_bytes, NULL, 0, (void *)(intptr_t)sent)) {
                fprintf(stderr, "rdkafka_produce: %s\n", rd_kafka_err2str(rd_kafka_last_error()));
                exit(1);
            }
        }
        double left = sent < total ? start + (double)sent / rate - now() : 0.01;
        rd_kafka_poll(producer, left > 0.0005 ? 1 : 0);
    }
    qsort(latency + warmup, (size_t)(total - warmup), sizeof *latency, by_value);
    long count = total - warmup;
    printf("{\"mode\": \"librdkafka %s, %.0f/s\", \"p50_ms\": %.3f, \"p99_ms\": %.3f}\n", rd_kafka_version_str(), rate,
           latency[warmup + count / 2] * 1000, latency[warmup + count * 99 / 100] * 1000);
}

int main(int argc, char **argv) {
    if (argc != 6 && argc != 8) {
        fputs("rdkafka_produce BOOTSTRAP TOPIC RECORD_BYTES COUNT WARMUP [RATE PARTITIONS]\n", stderr);
        return 2;
    }
    char error[512];
    size_t record_bytes = (size_t)atol(argv[3]);
    long count = atol(argv[4]);
    warmup = atol(argv[5]);
    total = warmup + count;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", argv[1]);
    set(conf, "enable.idempotence", "true");
    if (argc == 8) set(conf, "linger.ms", "0");
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    rd_kafka_t *producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
    if (!producer) {
        fprintf(stderr, "rdkafka_produce: %s\n", error);
        return 1;
    }
    rd_kafka_topic_t *topic = rd_kafka_topic_new(producer, argv[2], NULL);
    char *value = malloc(record_bytes);
    memset(value, 'x', record_bytes);
    if (argc == 8) {
        send_at_rate(producer, topic, value, record_bytes, atof(argv[6]), atol(argv[7]));
        return 0;
    }
    open_window();
    for (long sent = 0; sent < total;) {
        if (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, value, record_bytes, NULL, 0, NULL) == 0) {
            if (++sent % 10000 == 0) rd_kafka_poll(producer, 0);
        } else if (rd_kafka_last_error() == RD_KAFKA_RESP_ERR__QUEUE_FULL)
            rd_kafka_poll(producer, 10);
        else {
            fprintf(stderr, "rdkafka_produce: %s\n", rd_kafka_err2str(rd_kafka_last_error()));
            return 1;
        }
    }
    while (acknowledged < total) rd_kafka_poll(producer, 10);
    double elapsed = now() - window_start;
    printf("{\"mode\": \"librdkafka %s\", \"seconds\": %.4f, \"records_per_s\": %.0f, \"busiest_thread\": %.3f}\n", rd_kafka_version_str(), elapsed,
           (double)count / elapsed, busiest_thread(elapsed));
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(producer);
    free(value);
    return 0;
}
