/* Ethernet records made into pcap with nanoseconds or into pcapng, without their FCS.
 *
 *   convert pcap|pcapng INPUT OUTPUT      - is standard input or output */
#include "plain.h"

struct job {
    int out, is_ng;
    size_t used;
    uint8_t *block;
};

static inline void put32(uint8_t **to, uint32_t value)
{
    memcpy(*to, &value, sizeof value);
    *to += sizeof value;
}

static void begin(struct job *job)
{
    uint8_t *to = job->block;
    if (job->is_ng) {
        uint32_t section[] = {0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0xFFFFFFFF, 0xFFFFFFFF, 28};
        /* An interface with stamps in nanoseconds (if_tsresol). */
        uint32_t interface[] = {1, 32, 1, 262144, 9 | 1 << 16, 9, 0, 32};
        for (size_t at = 0; at < sizeof section / 4; at++) put32(&to, section[at]);
        for (size_t at = 0; at < sizeof interface / 4; at++) put32(&to, interface[at]);
    } else {
        uint32_t head[] = {0xA1B23C4D, 2 | 4 << 16, 0, 0, 262144, 1};
        for (size_t at = 0; at < sizeof head / 4; at++) put32(&to, head[at]);
    }
    job->used = (size_t)(to - job->block);
}

static size_t convert(uint8_t *bytes, size_t count, void *own)
{
    struct job *job = own;
    size_t at = 0;
    while (at + HEAD <= count) {
        const uint8_t *head = bytes + at;
        size_t length = be16(head + 10);
        if (length < HEAD + 2 || at + length > count) break;
        uint64_t stamp;
        memcpy(&stamp, head, sizeof stamp);
        uint32_t seconds = (uint32_t)(stamp >> 32);
        uint32_t nanos = (uint32_t)(((stamp & 0xFFFFFFFF) * 1000000000u + (1ull << 31)) >> 32);
        if (nanos == 1000000000u) {
            seconds++;
            nanos = 0;
        }
        uint32_t wire = be16(head + 14), stored = (uint32_t)length - HEAD - 2;
        uint32_t original = wire - 4, captured = stored < original ? stored : original;
        if (job->used + 40 + length > BLOCK) {
            write_all(job->out, job->block, job->used);
            job->used = 0;
        }
        uint8_t *to = job->block + job->used;
        if (job->is_ng) {
            uint64_t time = (uint64_t)seconds * 1000000000u + nanos;
            uint32_t padded = (captured + 3) & ~3u, whole = 32 + padded;
            put32(&to, 6);
            put32(&to, whole);
            put32(&to, 0);
            put32(&to, (uint32_t)(time >> 32));
            put32(&to, (uint32_t)time);
            put32(&to, captured);
            put32(&to, original);
            memcpy(to, head + HEAD + 2, captured);
            memset(to + captured, 0, padded - captured);
            to += padded;
            put32(&to, whole);
        } else {
            put32(&to, seconds);
            put32(&to, nanos);
            put32(&to, captured);
            put32(&to, original);
            memcpy(to, head + HEAD + 2, captured);
            to += captured;
        }
        job->used = (size_t)(to - job->block);
        at += length;
    }
    return at;
}

int main(int argc, char **argv)
{
    if (argc != 4) return 2;
    struct job job = {open_to_write(argv[3]), strcmp(argv[1], "pcapng") == 0, 0, malloc(BLOCK)};
    if (job.block == NULL) die("malloc");
    begin(&job);
    in_blocks(open_to_read(argv[2]), convert, &job);
    write_all(job.out, job.block, job.used);
    return 0;
}
