/* The C twin of skim.py, tally.py, walk.py and newest.py: CRC-32C, going through a batch's records without making objects, both with the header in one call for
 * the common case, counting what was fetched, going over a log's batches, and telling the newest record of each key.
 *
 * Owns speed, no rule: skim.py, tally.py, walk.py, newest.py and validation.py define what each function answers, property tests hold the twins equal. Limited API, so that one build
 * serves every CPython from 3.11 on. CRC-32C uses the CPU's own instruction where it has one (x86 with SSE4.2 and PCLMUL, found at run time; ARM with CRC32,
 * found at compile time), else tables.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if (defined(__x86_64__) || defined(_M_X64)) && defined(__GNUC__)
#define HAVE_X86 1
#include <immintrin.h>
#elif defined(__ARM_FEATURE_CRC32)
#define HAVE_ARM 1
#include <arm_acle.h>
#endif

/* Below this many bytes, handing over the GIL costs the one thread more than the others gain by it (bench/records.py; docs/records.md). */
#define RELEASE_GIL_FROM (128 * 1024)

/* ---- CRC-32C ---- */

#define POLYNOMIAL 0x82F63B78u /* Castagnoli, bits reversed */
#define LONG_BLOCK 2048        /* three of these are summed side by side */
#define SHORT_BLOCK 256

static uint32_t tables[8][256];
static uint32_t (*crc_update)(uint32_t, const uint8_t *, size_t);

static uint64_t load_le(const uint8_t *p)
{
    uint64_t word;
    memcpy(&word, p, 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

static uint32_t crc_by_tables(uint32_t crc, const uint8_t *p, size_t size)
{
    for (; size >= 8; p += 8, size -= 8) {
        uint64_t word = load_le(p) ^ crc;
        crc = tables[7][word & 0xFF] ^ tables[6][word >> 8 & 0xFF] ^ tables[5][word >> 16 & 0xFF] ^ tables[4][word >> 24 & 0xFF] ^
              tables[3][word >> 32 & 0xFF] ^ tables[2][word >> 40 & 0xFF] ^ tables[1][word >> 48 & 0xFF] ^ tables[0][word >> 56];
    }
    for (; size; p++, size--)
        crc = tables[0][(crc ^ *p) & 0xFF] ^ crc >> 8;
    return crc;
}

#ifdef HAVE_X86

static uint32_t long_shift[2], short_shift[2]; /* factors that move a CRC over one block, over two */

/* x to the power of `n`, modulo the polynomial. */
static uint32_t power_of_x(unsigned n)
{
    uint32_t value = 0x80000000u;
    while (n--)
        value = value >> 1 ^ (value & 1 ? POLYNOMIAL : 0);
    return value;
}

__attribute__((target("sse4.2,pclmul"))) static inline uint32_t moved(uint32_t crc, uint32_t factor)
{
    __m128i product = _mm_clmulepi64_si128(_mm_cvtsi32_si128((int)crc), _mm_cvtsi32_si128((int)factor), 0);
    return (uint32_t)_mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

/* One stream waits three cycles for each step; three streams fill that time. */
__attribute__((target("sse4.2,pclmul"))) static inline uint32_t crc_three(uint32_t crc, const uint8_t *p, size_t block, const uint32_t *shift)
{
    uint64_t a = crc, b = 0, c = 0;
    for (size_t i = 0; i < block; i += 8) {
        a = _mm_crc32_u64(a, load_le(p + i));
        b = _mm_crc32_u64(b, load_le(p + block + i));
        c = _mm_crc32_u64(c, load_le(p + 2 * block + i));
    }
    return moved((uint32_t)a, shift[1]) ^ moved((uint32_t)b, shift[0]) ^ (uint32_t)c;
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t crc_by_x86(uint32_t crc, const uint8_t *p, size_t size)
{
    for (; size >= 3 * LONG_BLOCK; p += 3 * LONG_BLOCK, size -= 3 * LONG_BLOCK)
        crc = crc_three(crc, p, LONG_BLOCK, long_shift);
    for (; size >= 3 * SHORT_BLOCK; p += 3 * SHORT_BLOCK, size -= 3 * SHORT_BLOCK)
        crc = crc_three(crc, p, SHORT_BLOCK, short_shift);
    uint64_t wide = crc;
    for (; size >= 8; p += 8, size -= 8)
        wide = _mm_crc32_u64(wide, load_le(p));
    crc = (uint32_t)wide;
    for (; size; p++, size--)
        crc = _mm_crc32_u8(crc, *p);
    return crc;
}

#elif defined(HAVE_ARM)

static uint32_t crc_by_arm(uint32_t crc, const uint8_t *p, size_t size)
{
    for (; size >= 8; p += 8, size -= 8)
        crc = __crc32cd(crc, load_le(p));
    for (; size; p++, size--)
        crc = __crc32cb(crc, *p);
    return crc;
}

#endif

static void prepare_crc(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = i;
        for (int bit = 0; bit < 8; bit++)
            value = value >> 1 ^ (value & 1 ? POLYNOMIAL : 0);
        tables[0][i] = value;
    }
    for (int t = 1; t < 8; t++)
        for (uint32_t i = 0; i < 256; i++)
            tables[t][i] = tables[0][tables[t - 1][i] & 0xFF] ^ tables[t - 1][i] >> 8;
    crc_update = crc_by_tables;
#ifdef HAVE_X86
    /* The product of two reversed 32-bit words, taken through the CRC instruction, comes out 33 places on. */
    for (unsigned i = 0; i < 2; i++) {
        long_shift[i] = power_of_x(8 * LONG_BLOCK * (i + 1) - 33);
        short_shift[i] = power_of_x(8 * SHORT_BLOCK * (i + 1) - 33);
    }
    __builtin_cpu_init();
    if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul"))
        crc_update = crc_by_x86;
#elif defined(HAVE_ARM)
    crc_update = crc_by_arm;
#endif
}

static uint32_t crc32c(uint32_t crc, const uint8_t *p, size_t size)
{
    return ~crc_update(~crc, p, size);
}

/* ---- records ---- */

enum { OK, INVALID, UNREADABLE };
enum { REJECTED = 1, OUT_OF_LINE = 2, NOT_CANONICAL = 4, NEGATIVE_TIME = 8 };

typedef struct {
    int64_t before_ms, after_ms, max_bytes;
    int8_t codec, needs_key, log_append_time;
} Rules; /* unpacked: skim.RULES has no padding */

#define RULES_SIZE 27

typedef struct {
    const uint8_t *at, *end;
    int plain; /* so far, every varint was the shortest one for its value */
} Reader;

/* 1: read; 0: the bytes end; -1: it never ends. */
static inline int read_varint(Reader *r, int32_t *value)
{
    if (r->at < r->end && *r->at < 0x80) {
        uint32_t byte = *r->at++;
        *value = (int32_t)(byte >> 1 ^ (0 - (byte & 1)));
        return 1;
    }
    uint32_t raw = 0;
    for (int shift = 0; shift <= 28; shift += 7) {
        if (r->at == r->end)
            return 0;
        uint32_t byte = *r->at++;
        raw |= (byte & 0x7F) << shift;
        if (byte < 0x80) {
            r->plain &= byte != 0 && (shift < 28 || byte < 0x10);
            *value = (int32_t)(raw >> 1 ^ (0 - (raw & 1)));
            return 1;
        }
    }
    return -1;
}

static inline int read_varlong(Reader *r, int64_t *value)
{
    uint64_t raw = 0;
    for (int shift = 0; shift <= 63; shift += 7) {
        if (r->at == r->end)
            return 0;
        uint64_t byte = *r->at++;
        raw |= (byte & 0x7F) << shift;
        if (byte < 0x80) {
            r->plain &= (byte != 0 || shift == 0) && (shift < 63 || byte == 1);
            *value = (int64_t)(raw >> 1 ^ (0 - (raw & 1)));
            return 1;
        }
    }
    return -1;
}

/* Step over a key or a value: 1 if there is one, 0 if it is null, -1 if the bytes are wrong. */
static inline int step_over(Reader *r)
{
    int32_t size;
    if (read_varint(r, &size) != 1)
        return -1;
    if (size < 0) {
        r->plain &= size == -1 && r->at[-1] == 1;
        return 0;
    }
    if (size > r->end - r->at)
        return -1;
    r->at += size;
    return 1;
}

static int step_over_headers(Reader *r, int skip)
{
    int32_t count, size;
    if (read_varint(r, &count) != 1 || count < 0 || (!skip && count > r->end - r->at))
        return 0;
    while (count--) {
        if (read_varint(r, &size) != 1 || size < 0 || size > r->end - r->at)
            return 0;
        for (uint8_t seen = 0; size; size--) {
            seen |= *r->at++;
            if (seen & 0x80)
                r->plain = 0; /* whether it is UTF-8 is for others to find out */
        }
        if (step_over(r) < 0)
            return 0;
    }
    return 1;
}

static inline int is_rejected(const Rules *rules, int has_key, int64_t timestamp, int is_append_time, int64_t now_ms)
{
    if (rules->needs_key && !has_key)
        return 1;
    if (timestamp != -1 && !rules->log_append_time) {
        uint64_t age_ms = (uint64_t)now_ms - (uint64_t)timestamp; /* overflows as Java's */
        return (int64_t)age_ms > rules->before_ms || (int64_t)(0 - age_ms) > rules->after_ms;
    }
    return is_append_time;
}

typedef struct {
    int64_t base_timestamp, append_time, now_ms;
    int32_t count;
    int has_append_time, skip;
} Asked;

static int skim_records(const uint8_t *data, const uint8_t *end, const Asked *asked, const Rules *rules, int *flags, int64_t *greatest)
{
    Reader r = {data, end, 1};
    *flags = 0;
    *greatest = -1;
    for (int32_t index = 0; index < asked->count; index++) {
        int32_t size, offset_delta;
        int64_t delta;
        int found = read_varint(&r, &size);
        if (found != 1)
            return found < 0 ? UNREADABLE : INVALID;
        if (!asked->skip && (size < 0 || size > end - r.at))
            return INVALID;
        const uint8_t *start = r.at;
        if (r.at == end)
            return INVALID;
        r.plain &= *r.at++ == 0;
        if (read_varlong(&r, &delta) != 1 || read_varint(&r, &offset_delta) != 1)
            return INVALID;
        int has_key = step_over(&r);
        if (has_key < 0 || step_over(&r) < 0 || !step_over_headers(&r, asked->skip))
            return INVALID;
        if (!asked->skip && r.at - start != size)
            return INVALID;
        if (offset_delta != index)
            *flags |= OUT_OF_LINE | NOT_CANONICAL;
        if (index == 0 && delta != 0)
            r.plain = 0;
        int64_t timestamp = asked->has_append_time ? asked->append_time : (int64_t)((uint64_t)asked->base_timestamp + (uint64_t)delta);
        if (timestamp < -1)
            *flags |= NEGATIVE_TIME;
        if (is_rejected(rules, has_key, timestamp, asked->has_append_time, asked->now_ms))
            *flags |= REJECTED;
        if (timestamp > *greatest)
            *greatest = timestamp;
    }
    if (!r.plain)
        *flags |= NOT_CANONICAL;
    return r.at == end ? OK : INVALID;
}

/* ---- batches ---- */

static inline uint64_t big(const uint8_t *p, int size)
{
    uint64_t value = 0;
#if defined(__GNUC__) && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (size == 8) {
        memcpy(&value, p, 8);
        return __builtin_bswap64(value);
    }
    if (size == 4) {
        uint32_t word;
        memcpy(&word, p, 4);
        return __builtin_bswap32(word);
    }
#endif
    while (size--)
        value = value << 8 | *p++;
    return value;
}

static inline uint8_t *put_big(uint8_t *p, int size, uint64_t value)
{
    while (size--)
        *p++ = (uint8_t)(value >> 8 * size);
    return p;
}

#define HEADER_SIZE 61
#define RUNS 4096
#define REMEMBERED 5

typedef struct {
    int64_t base_offset, next_offset, largest_offset, first_offset, epoch, room, interval, entry_position, entry_timestamp;
    int64_t position, max_timestamp, offset_of_max;
} Course; /* as walk.COURSE */

typedef struct {
    int64_t producer_id;
    int16_t epoch;
    int8_t is_run, is_open; /* is_open: a transaction began since the run did, or since its last marker */
    int32_t count, oldest;  /* of `latest` */
    int32_t latest[REMEMBERED];
} Run;

typedef struct {
    uint8_t *entries, *times; /* the next free place of each */
    int32_t *told;
    Py_ssize_t told_count;
    Run *runs;
} Found;

/* Keep the batch at `at` of a producer, unless it falls out of its run again. `is_kept`: it doesn't. */
static void tell(Found *found, const uint8_t *p, int32_t at, int is_kept)
{
    int64_t producer_id = (int64_t)big(p + 43, 8);
    int16_t epoch = (int16_t)big(p + 51, 2);
    int is_control = p[22] & 0x20, is_transactional = p[22] & 0x10;
    int32_t row = (int32_t)found->told_count++;
    Run *run = &found->runs[(uint64_t)producer_id % RUNS];
    found->told[row] = at;
    if (!run->is_run || run->producer_id != producer_id || run->epoch != epoch) {
        *run = (Run){.producer_id = producer_id, .epoch = epoch, .is_run = 1};
        is_kept = 1;
    }
    is_kept |= is_control || (is_transactional && !run->is_open);
    run->is_open = !is_control && (is_transactional || run->is_open);
    if (is_kept)
        return;
    if (run->count == REMEMBERED)
        found->told[run->latest[run->oldest]] = -1;
    else
        run->count++;
    run->latest[run->oldest] = row;
    run->oldest = (run->oldest + 1) % REMEMBERED;
}

/* Put the headers of `before`, back to back, and of the batches at `positions` of `data` through runs; the headers that are left go to `out`. Their number. */
static Py_ssize_t thin_batches(const uint8_t *before, Py_ssize_t earlier, const uint8_t *data, const int32_t *positions, Py_ssize_t later, Found *found,
                               uint8_t *out)
{
    for (Py_ssize_t i = 0; i < earlier; i++)
        tell(found, before + i * HEADER_SIZE, (int32_t)i, 0);
    for (Py_ssize_t i = 0; i < later; i++)
        tell(found, data + positions[i], (int32_t)(earlier + i), 0);
    Py_ssize_t kept = 0;
    for (Py_ssize_t i = 0; i < earlier + later; i++)
        if (found->told[i] >= 0)
            memcpy(out + HEADER_SIZE * kept++, i < earlier ? before + i * HEADER_SIZE : data + positions[i - earlier], HEADER_SIZE);
    return kept;
}

/* 1 if all that is whole in `data` was valid, 0 if it wasn't. */
static int walk_batches(const uint8_t *data, Py_ssize_t size, Course *c, Found *found)
{
    const int64_t start = c->position;
    Py_ssize_t at = 0;
    int64_t batch_size;
    for (; size - at >= HEADER_SIZE; at += batch_size) {
        const uint8_t *p = data + at;
        batch_size = (int64_t)(int32_t)big(p + 8, 4) + 12;
        if (batch_size > size - at)
            break;
        int64_t base = (int64_t)big(p, 8), delta = (int32_t)big(p + 23, 4), last, max_timestamp = (int64_t)big(p + 35, 8);
        if (batch_size < HEADER_SIZE || p[16] != 2 || delta < 0 || base < c->next_offset || base > c->largest_offset - delta ||
            crc32c(0, p + 21, (size_t)batch_size - 21) != (uint32_t)big(p + 17, 4))
            return 0;
        last = base + delta;
        if (max_timestamp > c->max_timestamp) {
            c->max_timestamp = max_timestamp;
            c->offset_of_max = last;
        }
        if (start + at - c->entry_position > c->interval && c->room > 0) {
            found->entries = put_big(put_big(found->entries, 4, (uint64_t)(last - c->base_offset)), 4, (uint64_t)(start + at));
            if (c->max_timestamp > c->entry_timestamp) {
                found->times = put_big(put_big(found->times, 8, (uint64_t)c->max_timestamp), 4, (uint64_t)(c->offset_of_max - c->base_offset));
                c->entry_timestamp = c->max_timestamp;
            }
            c->entry_position = start + at;
            c->room--;
        }
        int32_t epoch = (int32_t)big(p + 12, 4);
        int is_newer = epoch > c->epoch, has_producer = !(p[43] & 0x80) && last >= c->first_offset;
        if (is_newer)
            c->epoch = epoch;
        if (has_producer)
            tell(found, p, (int32_t)at, is_newer);
        else if (is_newer)
            found->told[found->told_count++] = (int32_t)at;
        c->next_offset = last + 1;
        c->position = start + at + batch_size;
    }
    return 1;
}

/* ---- counting ---- */

typedef struct {
    int64_t from_offset, records, payload;
} Tally;

/* Adds the records that are at or behind `from_offset`; 0, with nothing added, if the bytes are wrong. */
static int tally_records(const uint8_t *data, const uint8_t *end, int32_t count, int64_t base_offset, Tally *tally)
{
    Reader r = {data, end, 1};
    int64_t records = 0, payload = 0;
    for (int32_t i = 0; i < count; i++) {
        int32_t size, offset_delta, length;
        int64_t delta;
        if (read_varint(&r, &size) != 1 || size < 1 || size > end - r.at)
            return 0;
        const uint8_t *next = r.at + size;
        r.at++;
        if (read_varlong(&r, &delta) != 1 || read_varint(&r, &offset_delta) != 1)
            return 0;
        int64_t bytes = 0;
        for (int part = 0; part < 2; part++) {
            if (read_varint(&r, &length) != 1 || length > end - r.at)
                return 0;
            if (length > 0) {
                r.at += length;
                bytes += length;
            }
        }
        if (r.at > next)
            return 0;
        r.at = next;
        if ((int64_t)((uint64_t)base_offset + (uint64_t)(int64_t)offset_delta) >= tally->from_offset) {
            records++;
            payload += bytes;
        }
    }
    if (r.at != end)
        return 0;
    tally->records += records;
    tally->payload += payload;
    return 1;
}

/* Where in `data` the first batch lies that is compressed, or that isn't a sound one of magic 2, or that isn't whole. */
static Py_ssize_t tally_batches(const uint8_t *data, Py_ssize_t size, int64_t *next_offset, Tally *tally)
{
    Py_ssize_t at = 0;
    while (size - at >= HEADER_SIZE) {
        const uint8_t *p = data + at;
        int64_t batch_size = (int64_t)(int32_t)big(p + 8, 4) + 12, base = (int64_t)big(p, 8);
        if (batch_size < HEADER_SIZE || batch_size > size - at || p[16] != 2 || (p[22] & 0x07))
            break;
        if (!(p[22] & 0x20) && !tally_records(p + HEADER_SIZE, p + batch_size, (int32_t)big(p + 57, 4), base, tally))
            break;
        *next_offset = (int64_t)((uint64_t)base + (uint64_t)(int64_t)(int32_t)big(p + 23, 4) + 1);
        at += batch_size;
    }
    return at;
}

/* ---- the newest record of a key ---- */

#define SLOT 24
#define DIGEST 16

static inline uint32_t rotated(uint32_t value, int by)
{
    return value << by | value >> (32 - by);
}

static const uint32_t md5_sines[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1,
    0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453,
    0xd8a1e681, 0xe7d3fbc8, 0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a, 0xfffa3942,
    0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05,
    0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665, 0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d,
    0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};
static const uint8_t md5_shifts[16] = {7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21};

static void md5_block(uint32_t *state, const uint8_t *p)
{
    uint32_t words[16], a = state[0], b = state[1], c = state[2], d = state[3];
    for (int i = 0; i < 16; i++, p += 4)
        words[i] = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    for (int i = 0; i < 64; i++) {
        uint32_t mixed;
        int word;
        if (i < 16)
            mixed = (b & c) | (~b & d), word = i;
        else if (i < 32)
            mixed = (d & b) | (~d & c), word = (5 * i + 1) & 15;
        else if (i < 48)
            mixed = b ^ c ^ d, word = (3 * i + 5) & 15;
        else
            mixed = c ^ (b | ~d), word = (7 * i) & 15;
        mixed += a + md5_sines[i] + words[word];
        a = d, d = c, c = b;
        b += rotated(mixed, md5_shifts[i / 16 * 4 + i % 4]);
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
}

static void md5(const uint8_t *data, size_t size, uint8_t *digest)
{
    uint32_t state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    uint8_t last[128] = {0};
    size_t done = 0;
    for (; size - done >= 64; done += 64)
        md5_block(state, data + done);
    size_t rest = size - done, padded = rest < 56 ? 64 : 128;
    if (rest)
        memcpy(last, data + done, rest);
    last[rest] = 0x80;
    for (int i = 0; i < 8; i++)
        last[padded - 8 + i] = (uint8_t)((uint64_t)size * 8 >> 8 * i);
    md5_block(state, last);
    if (padded == 128)
        md5_block(state, last + 64);
    for (int i = 0; i < DIGEST; i++)
        digest[i] = (uint8_t)(state[i / 4] >> 8 * (i % 4));
}

/* The slot of a key, or the free one where it would stand; NULL where a full table doesn't have it. */
static uint8_t *slot_of(uint8_t *slots, uint64_t count, const uint8_t *digest, int *is_known)
{
    static const uint8_t empty[DIGEST];
    uint64_t number = count ? big(digest, 8) % count : 0;
    for (uint64_t tries = 0; tries < count; tries++) {
        uint8_t *slot = slots + number * SLOT;
        *is_known = memcmp(slot, digest, DIGEST) == 0;
        if (*is_known || memcmp(slot, empty, DIGEST) == 0)
            return slot;
        if (++number == count)
            number = 0;
    }
    return NULL;
}

typedef struct {
    const uint8_t *key;
    int32_t key_size;
    int has_key, has_value;
    int64_t offset;
} Keyed;

/* The next record as `take_record` judges it, without its values. 0 where the bytes are wrong. */
static int next_keyed(Reader *r, int64_t base_offset, Keyed *found)
{
    int32_t size, offset_delta, count;
    int64_t delta;
    if (read_varint(r, &size) != 1 || size < 1 || size > r->end - r->at)
        return 0;
    const uint8_t *end = r->at++ + size;
    if (read_varlong(r, &delta) != 1 || read_varint(r, &offset_delta) != 1 || read_varint(r, &found->key_size) != 1)
        return 0;
    found->has_key = found->key_size >= 0;
    found->key = r->at;
    if (found->has_key) {
        if (found->key_size > r->end - r->at)
            return 0;
        r->at += found->key_size;
    }
    found->has_value = step_over(r);
    if (found->has_value < 0 || read_varint(r, &count) != 1 || count < 0 || count > r->end - r->at)
        return 0;
    while (count--)
        if (step_over(r) != 1 || step_over(r) < 0) /* a name, a value */
            return 0;
    found->offset = base_offset + offset_delta;
    return r->at == end;
}

static int are_sound(const uint8_t *data, const uint8_t *end, int32_t count, int64_t base_offset)
{
    Reader r = {data, end, 1};
    Keyed found;
    for (int32_t i = 0; i < count; i++)
        if (!next_keyed(&r, base_offset, &found))
            return 0;
    return r.at == end;
}

typedef struct {
    const uint8_t *data, *end;
    int32_t count;
    int64_t base_offset;
    uint8_t *slots;
    uint64_t slot_count;
} Batch;

/* As newest.note_keys. 0: the bytes are wrong; nothing is noted then. */
static int note_keys(const Batch *batch, int64_t from_offset, int64_t room, int64_t *added, int64_t *noted, int *is_whole)
{
    Reader r = {batch->data, batch->end, 1};
    if (!are_sound(batch->data, batch->end, batch->count, batch->base_offset))
        return 0;
    *added = 0, *noted = -1, *is_whole = 1;
    for (int32_t i = 0; i < batch->count; i++) {
        Keyed found;
        uint8_t digest[DIGEST], *slot;
        int is_known;
        next_keyed(&r, batch->base_offset, &found);
        if (!found.has_key || found.offset < from_offset)
            continue;
        if (*added >= room) {
            *is_whole = 0;
            break;
        }
        md5(found.key, (size_t)found.key_size, digest);
        slot = slot_of(batch->slots, batch->slot_count, digest, &is_known);
        if (slot == NULL) {
            *is_whole = 0;
            break;
        }
        if (!is_known) {
            memcpy(slot, digest, DIGEST);
            ++*added;
        }
        put_big(slot + DIGEST, 8, (uint64_t)found.offset);
        *noted = found.offset;
    }
    return 1;
}

/* As newest.judge. 0: the bytes are wrong. */
static int judge(const Batch *batch, int64_t latest_offset, int drops_tombstones, int64_t *kept, int64_t *tombstones, uint8_t *verdicts)
{
    Reader r = {batch->data, batch->end, 1};
    *kept = *tombstones = 0;
    for (int32_t i = 0; i < batch->count; i++) {
        Keyed found;
        if (!next_keyed(&r, batch->base_offset, &found))
            return 0;
        verdicts[i] = 1;
        if (found.offset <= latest_offset) {
            verdicts[i] = found.has_key && (found.has_value || !drops_tombstones);
            if (verdicts[i]) {
                uint8_t digest[DIGEST];
                int is_known = 0;
                md5(found.key, (size_t)found.key_size, digest);
                const uint8_t *slot = slot_of(batch->slots, batch->slot_count, digest, &is_known);
                verdicts[i] = slot == NULL || !is_known || (int64_t)big(slot + DIGEST, 8) <= found.offset;
            }
        }
        *kept += verdicts[i];
        *tombstones += verdicts[i] && !found.has_value;
    }
    return r.at == batch->end;
}

/* ---- the module ---- */

#define FIELDS 10 /* of validation.Valid */
#define RECORD_FIELDS 5 /* of record.Record */

typedef struct {
    PyObject *valid; /* the class */
} State;

static int get_rules(PyObject *object, Rules *rules)
{
    char *bytes;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(object, &bytes, &size) < 0)
        return 0;
    if (size != RULES_SIZE) {
        PyErr_Format(PyExc_ValueError, "rules take %d bytes, not %zd", RULES_SIZE, size);
        return 0;
    }
    memcpy(&rules->before_ms, bytes, 8);
    memcpy(&rules->after_ms, bytes + 8, 8);
    memcpy(&rules->max_bytes, bytes + 16, 8);
    rules->codec = bytes[24];
    rules->needs_key = bytes[25];
    rules->log_append_time = bytes[26];
    return 1;
}

static int expects(const char *name, Py_ssize_t given, Py_ssize_t least, Py_ssize_t most)
{
    if (given >= least && given <= most)
        return 1;
    PyErr_Format(PyExc_TypeError, "%s takes %zd to %zd arguments, not %zd", name, least, most, given);
    return 0;
}

static PyObject *native_crc32c(PyObject *module, PyObject *const *args, Py_ssize_t given)
{
    Py_buffer view;
    unsigned long value = 0;
    if (!expects("crc32c", given, 1, 2))
        return NULL;
    if (given == 2) {
        value = PyLong_AsUnsignedLong(args[1]);
        if (value == (unsigned long)-1 && PyErr_Occurred())
            return NULL;
    }
    if (PyObject_GetBuffer(args[0], &view, PyBUF_SIMPLE) < 0)
        return NULL;
    if (view.len >= RELEASE_GIL_FROM) {
        Py_BEGIN_ALLOW_THREADS
        value = crc32c((uint32_t)value, view.buf, (size_t)view.len);
        Py_END_ALLOW_THREADS
    } else {
        value = crc32c((uint32_t)value, view.buf, (size_t)view.len);
    }
    PyBuffer_Release(&view);
    return PyLong_FromUnsignedLong(value);
}

static PyObject *native_skim(PyObject *module, PyObject *const *args, Py_ssize_t given)
{
    Py_buffer view;
    Rules rules;
    Asked asked = {0};
    int status, flags;
    int64_t greatest;
    if (!expects("skim", given, 7, 7) || !get_rules(args[5], &rules))
        return NULL;
    asked.count = (int32_t)PyLong_AsLong(args[1]);
    asked.base_timestamp = PyLong_AsLongLong(args[2]);
    asked.has_append_time = args[3] != Py_None;
    if (asked.has_append_time)
        asked.append_time = PyLong_AsLongLong(args[3]);
    asked.skip = PyObject_IsTrue(args[4]);
    asked.now_ms = PyLong_AsLongLong(args[6]);
    if (PyErr_Occurred() || PyObject_GetBuffer(args[0], &view, PyBUF_SIMPLE) < 0)
        return NULL;
    const uint8_t *data = view.buf;
    if (view.len >= RELEASE_GIL_FROM) {
        Py_BEGIN_ALLOW_THREADS
        status = skim_records(data, data + view.len, &asked, &rules, &flags, &greatest);
        Py_END_ALLOW_THREADS
    } else {
        status = skim_records(data, data + view.len, &asked, &rules, &flags, &greatest);
    }
    PyBuffer_Release(&view);
    if (status != OK)
        flags = 0, greatest = 0;
    return Py_BuildValue("iiL", status, flags, (long long)greatest);
}

typedef struct {
    int64_t base_timestamp, max_timestamp, producer_id;
    int32_t base_sequence, count;
    int16_t attributes, producer_epoch;
} Header;

/* Whether the header, and that of the rules which concerns it, make this the common case. */
static int is_common(const uint8_t *p, Py_ssize_t size, const Rules *rules, Header *h)
{
    if (size < HEADER_SIZE || size > rules->max_bytes || rules->log_append_time)
        return 0;
    if (big(p, 8) != 0 || (int64_t)big(p + 8, 4) + 12 != size || p[16] != 2)
        return 0;
    h->attributes = (int16_t)big(p + 21, 2);
    h->base_timestamp = (int64_t)big(p + 27, 8);
    h->max_timestamp = (int64_t)big(p + 35, 8);
    h->producer_id = (int64_t)big(p + 43, 8);
    h->producer_epoch = (int16_t)big(p + 51, 2);
    h->base_sequence = (int32_t)big(p + 53, 4);
    h->count = (int32_t)big(p + 57, 4);
    int codec = h->attributes & 7;
    if (h->attributes & 0x28 || codec > 4 || (rules->codec >= 0 && rules->codec != codec)) /* LogAppendTime, control; to be compressed otherwise */
        return 0;
    return h->count > 0 && (int64_t)(int32_t)big(p + 23, 4) + 1 == h->count && (h->producer_id < 0 || h->base_sequence >= 0);
}

static int is_sound(const uint8_t *p, Py_ssize_t size, const Rules *rules, const Header *h, int64_t now_ms)
{
    Asked asked = {.base_timestamp = h->base_timestamp, .now_ms = now_ms, .count = h->count};
    int flags;
    int64_t greatest;
    if (crc32c(0, p + 21, (size_t)size - 21) != (uint32_t)big(p + 17, 4))
        return 0;
    if (h->attributes & 7)
        return 1; /* the caller decompresses the records, then has them skimmed */
    return skim_records(p + HEADER_SIZE, p + size, &asked, rules, &flags, &greatest) == OK && !(flags & REJECTED) && greatest == h->max_timestamp;
}

static PyObject *native_quick(PyObject *module, PyObject *const *args, Py_ssize_t given)
{
    Py_buffer view;
    Rules rules;
    Header h;
    State *state = PyModule_GetState(module);
    if (!expects("quick", given, 3, 3) || !get_rules(args[1], &rules))
        return NULL;
    int64_t now_ms = PyLong_AsLongLong(args[2]);
    if (now_ms == -1 && PyErr_Occurred())
        return NULL;
    if (!PyMemoryView_Check(args[0]) || state->valid == NULL)
        Py_RETURN_NONE;
    if (PyObject_GetBuffer(args[0], &view, PyBUF_SIMPLE) < 0)
        return NULL;
    const uint8_t *p = view.buf;
    Py_ssize_t size = view.len;
    int sound = !view.readonly && is_common(p, size, &rules, &h);
    if (sound && size >= RELEASE_GIL_FROM) {
        Py_BEGIN_ALLOW_THREADS
        sound = is_sound(p, size, &rules, &h, now_ms);
        Py_END_ALLOW_THREADS
    } else if (sound) {
        sound = is_sound(p, size, &rules, &h, now_ms);
    }
    PyBuffer_Release(&view);
    if (!sound)
        Py_RETURN_NONE;
    PyObject *valid = PyType_GenericAlloc((PyTypeObject *)state->valid, FIELDS);
    if (valid == NULL)
        return NULL;
    Py_INCREF(args[0]);
    PyObject *fields[FIELDS] = {
        args[0],
        PyLong_FromSsize_t(size),
        PyLong_FromLong(h.attributes),
        PyLong_FromLong(h.count),
        PyLong_FromLongLong(h.base_timestamp),
        PyLong_FromLongLong(h.max_timestamp),
        PyLong_FromLongLong(h.producer_id),
        PyLong_FromLong(h.producer_epoch),
        PyLong_FromLong(h.base_sequence),
        PyLong_FromLong(-1),
    };
    int failed = 0;
    for (int i = 0; i < FIELDS; i++) {
        if (fields[i] == NULL)
            failed = 1;
        else if (PyTuple_SetItem(valid, i, fields[i]) < 0) /* takes the reference in any case */
            failed = 1;
    }
    if (failed) {
        Py_DECREF(valid);
        return NULL;
    }
    return valid;
}

/* Whether `type` is a NamedTuple of so many fields; sets an exception if not. */
static int is_tuple_class(PyObject *type, Py_ssize_t wanted)
{
    if (PyType_Check(type) && PyType_IsSubtype((PyTypeObject *)type, &PyTuple_Type)) {
        PyObject *fields = PyObject_GetAttrString(type, "_fields");
        Py_ssize_t count = fields == NULL ? -1 : PyObject_Size(fields);
        Py_XDECREF(fields);
        if (count == wanted)
            return 1;
    }
    if (!PyErr_Occurred())
        PyErr_Format(PyExc_TypeError, "a NamedTuple of %zd fields is wanted", wanted);
    return 0;
}

static PyObject *native_returns(PyObject *module, PyObject *type)
{
    State *state = PyModule_GetState(module);
    if (!is_tuple_class(type, FIELDS))
        return NULL;
    PyObject *old = state->valid;
    Py_INCREF(type);
    state->valid = type;
    Py_XDECREF(old);
    Py_RETURN_NONE;
}

/* A key or a value as an object, None if it is null; NULL without an exception set if the bytes are wrong. */
static PyObject *take_bytes(Reader *r)
{
    const uint8_t *before;
    int32_t size;
    if (read_varint(r, &size) != 1 || size > r->end - r->at)
        return NULL;
    if (size < 0)
        Py_RETURN_NONE;
    before = r->at;
    r->at += size;
    return PyBytes_FromStringAndSize((const char *)before, size);
}

static PyObject *take_header(Reader *r)
{
    int32_t size;
    if (read_varint(r, &size) != 1 || size < 0 || size > r->end - r->at)
        return NULL;
    PyObject *name = PyUnicode_DecodeUTF8((const char *)r->at, size, NULL);
    r->at += size;
    PyObject *content = name == NULL ? NULL : take_bytes(r);
    PyObject *pair = content == NULL ? NULL : PyTuple_Pack(2, name, content);
    Py_XDECREF(name);
    Py_XDECREF(content);
    return pair;
}

static PyObject *take_headers(Reader *r)
{
    int32_t count;
    if (read_varint(r, &count) != 1 || count < 0 || count > r->end - r->at)
        return NULL;
    PyObject *headers = PyTuple_New(count);
    for (int32_t i = 0; headers != NULL && i < count; i++) {
        PyObject *pair = take_header(r);
        if (pair == NULL || PyTuple_SetItem(headers, i, pair) < 0)
            Py_CLEAR(headers);
    }
    return headers;
}

/* Put `item`, whose reference it takes, into a fresh tuple. */
static inline int put(PyObject *tuple, Py_ssize_t index, PyObject *item)
{
    return item != NULL && PyTuple_SetItem(tuple, index, item) == 0;
}

static PyObject *take_record(Reader *r, const Asked *asked, int64_t base_offset, PyObject *type)
{
    int32_t size, offset_delta;
    int64_t delta;
    if (read_varint(r, &size) != 1 || size < 1 || size > r->end - r->at)
        return NULL;
    const uint8_t *end = r->at++ + size; /* a record's attributes mean nothing */
    if (read_varlong(r, &delta) != 1 || read_varint(r, &offset_delta) != 1)
        return NULL;
    int64_t timestamp = asked->has_append_time ? asked->append_time : (int64_t)((uint64_t)asked->base_timestamp + (uint64_t)delta);
    PyObject *record = PyType_GenericAlloc((PyTypeObject *)type, RECORD_FIELDS);
    if (record == NULL)
        return NULL;
    if (put(record, 0, PyLong_FromLongLong(base_offset + offset_delta)) && put(record, 1, PyLong_FromLongLong(timestamp)) &&
        put(record, 2, take_bytes(r)) && put(record, 3, take_bytes(r)) && put(record, 4, take_headers(r)) && r->at == end)
        return record;
    Py_DECREF(record);
    return NULL;
}

/* The list of records, or None where the bytes are wrong in any way: record.iterate_records then says how. */
static PyObject *native_read_records(PyObject *module, PyObject *const *args, Py_ssize_t given)
{
    Py_buffer view;
    Asked asked = {0};
    if (!expects("read_records", given, 6, 6) || !is_tuple_class(args[5], RECORD_FIELDS))
        return NULL;
    asked.count = (int32_t)PyLong_AsLong(args[1]);
    int64_t base_offset = PyLong_AsLongLong(args[2]);
    asked.base_timestamp = PyLong_AsLongLong(args[3]);
    asked.has_append_time = args[4] != Py_None;
    if (asked.has_append_time)
        asked.append_time = PyLong_AsLongLong(args[4]);
    if (PyErr_Occurred() || PyObject_GetBuffer(args[0], &view, PyBUF_SIMPLE) < 0)
        return NULL;
    Reader r = {view.buf, (const uint8_t *)view.buf + view.len, 1};
    PyObject *records = PyList_New(0);
    int failed = records == NULL || base_offset > INT64_MAX - INT32_MAX || base_offset < INT64_MIN - (int64_t)INT32_MIN;
    for (int32_t i = 0; !failed && i < asked.count; i++) {
        PyObject *record = take_record(&r, &asked, base_offset, args[5]);
        failed = record == NULL || PyList_Append(records, record) < 0;
        Py_XDECREF(record);
    }
    failed = failed || r.at != r.end;
    PyBuffer_Release(&view);
    if (!failed)
        return records;
    Py_XDECREF(records);
    if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_UnicodeDecodeError))
        return NULL;
    PyErr_Clear();
    Py_RETURN_NONE;
}

static PyObject *native_walk(PyObject *module, PyObject *const *args, Py_ssize_t given)
{
    Py_buffer view;
    Course course;
    char *bytes;
    Py_ssize_t course_size;
    if (!expects("walk", given, 2, 2) || PyBytes_AsStringAndSize(args[1], &bytes, &course_size) < 0)
        return NULL;
    if (course_size != sizeof(course))
        return PyErr_Format(PyExc_ValueError, "a course takes %zu bytes, not %zd", sizeof(course), course_size);
    memcpy(&course, bytes, sizeof(course));
    if (PyObject_GetBuffer(args[0], &view, PyBUF_SIMPLE) < 0)
        return NULL;
    const size_t most = (size_t)view.len / HEADER_SIZE + 1;
    uint8_t *entries = malloc(most * 8), *times = malloc(most * 12);
    int32_t *told = malloc(most * 4);
    Found found = {entries, times, told, 0, calloc(RUNS, sizeof(Run))};
    PyObject *answer = NULL;
    if (view.len > INT32_MAX) {
        PyErr_SetString(PyExc_ValueError, "a window of more than 2 GiB");
    } else if (entries == NULL || times == NULL || told == NULL || found.runs == NULL) {
        PyErr_NoMemory();
    } else {
        int sound;
        Py_ssize_t kept = 0;
        Py_BEGIN_ALLOW_THREADS
        sound = walk_batches(view.buf, view.len, &course, &found);
        for (Py_ssize_t i = 0; i < found.told_count; i++)
            if (told[i] >= 0)
                told[kept++] = told[i];
        Py_END_ALLOW_THREADS
        answer = Py_BuildValue("iy#y#y#y#", sound, &course, (Py_ssize_t)sizeof(course), entries, (Py_ssize_t)(found.entries - entries), times,
                               (Py_ssize_t)(found.times - times), told, kept * 4);
    }
    free(entries);
    free(times);
    free(told);
    free(found.runs);
    PyBuffer_Release(&view);
    return answer;
}

static PyObject *native_thin(PyObject *module, PyObject *const *args, Py_ssize_t given)
{
    Py_buffer view;
    char *places, *before;
    Py_ssize_t places_size, before_size;
    if (!expects("thin", given, 3, 3) || PyBytes_AsStringAndSize(args[1], &places, &places_size) < 0 ||
        PyBytes_AsStringAndSize(args[2], &before, &before_size) < 0 || PyObject_GetBuffer(args[0], &view, PyBUF_SIMPLE) < 0)
        return NULL;
    const Py_ssize_t earlier = before_size / HEADER_SIZE, later = places_size / 4, rows = earlier + later;
    int32_t *positions = malloc((size_t)later * 4 + 1);
    uint8_t *out = malloc((size_t)rows * HEADER_SIZE + 1);
    Found found = {NULL, NULL, malloc((size_t)rows * 4 + 1), 0, calloc(RUNS, sizeof(Run))};
    PyObject *answer = NULL;
    if (positions == NULL || out == NULL || found.told == NULL || found.runs == NULL) {
        PyErr_NoMemory();
    } else {
        int fits = rows <= INT32_MAX && before_size % HEADER_SIZE == 0 && places_size % 4 == 0;
        memcpy(positions, places, (size_t)later * 4);
        for (Py_ssize_t i = 0; i < later; i++)
            fits &= positions[i] >= 0 && positions[i] <= view.len - HEADER_SIZE;
        if (fits)
            answer = PyBytes_FromStringAndSize(
                (const char *)out,
                HEADER_SIZE * thin_batches((const uint8_t *)before, earlier, view.buf, positions, later, &found, out));
        else
            PyErr_SetString(PyExc_ValueError, "no whole headers are there");
    }
    free(positions);
    free(out);
    free(found.told);
    free(found.runs);
    PyBuffer_Release(&view);
    return answer;
}

static PyObject *native_tally(PyObject *module, PyObject *const *args, Py_ssize_t given)
{
    Py_buffer view;
    Tally tally = {0};
    if (!expects("tally", given, 2, 2))
        return NULL;
    tally.from_offset = PyLong_AsLongLong(args[1]);
    if (PyErr_Occurred() || PyObject_GetBuffer(args[0], &view, PyBUF_SIMPLE) < 0)
        return NULL;
    int64_t next_offset = tally.from_offset;
    Py_ssize_t at = tally_batches(view.buf, view.len, &next_offset, &tally);
    PyBuffer_Release(&view);
    return Py_BuildValue("nLLL", at, (long long)next_offset, (long long)tally.records, (long long)tally.payload);
}

static PyObject *native_tally_records(PyObject *module, PyObject *const *args, Py_ssize_t given)
{
    Py_buffer view;
    Tally tally = {0};
    if (!expects("tally_records", given, 4, 4))
        return NULL;
    int32_t count = (int32_t)PyLong_AsLong(args[1]);
    int64_t base_offset = PyLong_AsLongLong(args[2]);
    tally.from_offset = PyLong_AsLongLong(args[3]);
    if (PyErr_Occurred() || PyObject_GetBuffer(args[0], &view, PyBUF_SIMPLE) < 0)
        return NULL;
    int sound = tally_records(view.buf, (const uint8_t *)view.buf + view.len, count, base_offset, &tally);
    PyBuffer_Release(&view);
    if (!sound)
        Py_RETURN_NONE;
    return Py_BuildValue("LL", (long long)tally.records, (long long)tally.payload);
}

/* The arguments that note_keys and judge begin with; `table` is theirs to release, and so is `view`. 0 with an exception set. */
static int get_batch(PyObject *const *args, PyObject *table_object, Py_buffer *view, Py_buffer *table, Batch *batch)
{
    long count = PyLong_AsLong(args[1]);
    batch->base_offset = PyLong_AsLongLong(args[2]);
    if (PyErr_Occurred() || PyObject_GetBuffer(args[0], view, PyBUF_SIMPLE) < 0)
        return 0;
    if (PyObject_GetBuffer(table_object, table, PyBUF_WRITABLE) < 0) {
        PyBuffer_Release(view);
        return 0;
    }
    batch->data = view->buf;
    batch->end = batch->data + view->len;
    batch->count = count < 0 || count > view->len ? -1 : (int32_t)count;
    batch->slots = table->buf;
    batch->slot_count = (uint64_t)table->len / SLOT;
    if (batch->base_offset > INT64_MAX - INT32_MAX || batch->base_offset < INT64_MIN - (int64_t)INT32_MIN)
        batch->count = -1;
    return 1;
}

static PyObject *native_note_keys(PyObject *module, PyObject *const *args, Py_ssize_t given)
{
    Py_buffer view, table;
    Batch batch;
    int64_t added = 0, noted = -1;
    int is_whole = 1, sound = 0;
    if (!expects("note_keys", given, 6, 6))
        return NULL;
    int64_t from_offset = PyLong_AsLongLong(args[3]), room = PyLong_AsLongLong(args[5]);
    if (PyErr_Occurred() || !get_batch(args, args[4], &view, &table, &batch))
        return NULL;
    if (batch.count >= 0) {
        Py_BEGIN_ALLOW_THREADS
        sound = note_keys(&batch, from_offset, room, &added, &noted, &is_whole);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&view);
    PyBuffer_Release(&table);
    if (!sound)
        Py_RETURN_NONE;
    return Py_BuildValue("LLO", (long long)added, (long long)noted, is_whole ? Py_True : Py_False);
}

static PyObject *native_judge(PyObject *module, PyObject *const *args, Py_ssize_t given)
{
    Py_buffer view, table;
    Batch batch;
    int64_t kept = 0, tombstones = 0;
    int sound = 0;
    if (!expects("judge", given, 6, 6))
        return NULL;
    int64_t latest_offset = PyLong_AsLongLong(args[4]);
    int drops_tombstones = PyObject_IsTrue(args[5]);
    if (PyErr_Occurred() || !get_batch(args, args[3], &view, &table, &batch))
        return NULL;
    uint8_t *verdicts = malloc(batch.count > 0 ? (size_t)batch.count : 1);
    if (verdicts != NULL && batch.count >= 0) {
        Py_BEGIN_ALLOW_THREADS
        sound = judge(&batch, latest_offset, drops_tombstones, &kept, &tombstones, verdicts);
        Py_END_ALLOW_THREADS
    }
    PyBuffer_Release(&view);
    PyBuffer_Release(&table);
    PyObject *answer = NULL;
    if (verdicts == NULL)
        PyErr_NoMemory();
    else if (sound)
        answer = Py_BuildValue("LLy#", (long long)kept, (long long)tombstones, verdicts, (Py_ssize_t)batch.count);
    else
        answer = Py_NewRef(Py_None);
    free(verdicts);
    return answer;
}

static PyMethodDef methods[] = {
    {"crc32c", (PyCFunction)(void (*)(void))native_crc32c, METH_FASTCALL, "CRC-32C of a buffer, continuing from a value."},
    {"skim", (PyCFunction)(void (*)(void))native_skim, METH_FASTCALL, "See skim.skim."},
    {"quick", (PyCFunction)(void (*)(void))native_quick, METH_FASTCALL, "The answer of validation.validate in the common case, or None."},
    {"read_records", (PyCFunction)(void (*)(void))native_read_records, METH_FASTCALL, "What record.iterate_records yields, as a list, or None."},
    {"tally", (PyCFunction)(void (*)(void))native_tally, METH_FASTCALL, "See tally.tally."},
    {"tally_records", (PyCFunction)(void (*)(void))native_tally_records, METH_FASTCALL, "See tally.tally_records."},
    {"thin", (PyCFunction)(void (*)(void))native_thin, METH_FASTCALL, "See walk.thin."},
    {"note_keys", (PyCFunction)(void (*)(void))native_note_keys, METH_FASTCALL, "See newest.note_keys."},
    {"judge", (PyCFunction)(void (*)(void))native_judge, METH_FASTCALL, "See newest.judge."},
    {"walk", (PyCFunction)(void (*)(void))native_walk, METH_FASTCALL, "See walk.walk."},
    {"returns", native_returns, METH_O, "Name the class of what quick returns."},
    {NULL, NULL, 0, NULL},
};

static int execute(PyObject *module)
{
    const char *wanted = getenv("BARNABAS_NATIVE");
    if (wanted != NULL && strcmp(wanted, "0") == 0) {
        PyErr_SetString(PyExc_ImportError, "BARNABAS_NATIVE=0 asks for the pure Python twin");
        return -1;
    }
    prepare_crc();
    return 0;
}

static int traverse(PyObject *module, visitproc visit, void *arg)
{
    State *state = PyModule_GetState(module);
    if (state != NULL)
        Py_VISIT(state->valid);
    return 0;
}

static int clear(PyObject *module)
{
    State *state = PyModule_GetState(module);
    if (state != NULL) {
        PyObject *old = state->valid;
        state->valid = NULL;
        Py_XDECREF(old);
    }
    return 0;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, execute}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_native", "The C twin of skim.py, tally.py, walk.py and newest.py.", sizeof(State), methods, slots, traverse, clear, NULL,
};

PyMODINIT_FUNC PyInit__native(void)
{
    return PyModuleDef_Init(&definition);
}
