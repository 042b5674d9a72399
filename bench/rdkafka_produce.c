/* Throughput of librdkafka's idempotent producer: what an ordinary client gets, as opposed to what a server could take.
 *
 *   rdkafka_produce BOOTSTRAP TOPIC RECORD_BYTES COUNT WARMUP
 *
 * Default settings but for idempotence (acks=all). The window opens when WARMUP records are acknowledged and closes with the last. One line of JSON.
 */
#define _GNU_SOURCE
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static long acknowledged, warmup, total;
static double window_start;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void delivered(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque) {
    (void)producer;
    (void)opaque;
    if (message->err) {
        fprintf(stderr, "rdkafka_produce: %s\n", rd_kafka_err2str(message->err));
        exit(1);
    }
    if (++acknowledged == warmup) window_start = now();
}

static void set(rd_kafka_conf_t *conf, const char *key, const char *value) {
    char error[512];
    if (rd_kafka_conf_set(conf, key, value, error, sizeof error) != RD_KAFKA_CONF_OK) {
        fprintf(stderr, "rdkafka_produce: %s\n", error);
        exit(1);
    }
}

int main(int argc, char **argv) {
    if (argc != 6) {
        fputs("rdkafka_produce BOOTSTRAP TOPIC RECORD_BYTES COUNT WARMUP\n", stderr);
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
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    rd_kafka_t *producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
    if (!producer) {
        fprintf(stderr, "rdkafka_produce: %s\n", error);
        return 1;
    }
    rd_kafka_topic_t *topic = rd_kafka_topic_new(producer, argv[2], NULL);
    char *value = malloc(record_bytes);
    memset(value, 'x', record_bytes);
    window_start = now();
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
    printf("{\"mode\": \"librdkafka %s\", \"seconds\": %.4f, \"records_per_s\": %.0f}\n", rd_kafka_version_str(), elapsed, (double)count / elapsed);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(producer);
    free(value);
    return 0;
}
