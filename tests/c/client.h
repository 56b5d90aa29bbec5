/* What the clients share: each prints a digest of every packet, a line each, and says on standard error what went wrong. */
#ifndef CLIENT_H
#define CLIENT_H

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dagapi.h>

#define RECORD_TYPE(record) ((record)[8] & 0x7f)
#define RECORD_LEN(record) ((unsigned)((record)[10] << 8 | (record)[11]))
#define RECORD_LOSS(record) ((unsigned)((record)[12] << 8 | (record)[13]))

static inline void die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

#define CHECK(call) do { if ((call) < 0) die(#call); } while (0)

/* FNV-1a over the record without its stamp and loss counter. */
static inline uint64_t digest(const uint8_t *record)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (unsigned at = 8; at < RECORD_LEN(record); at++) {
        if (at != 12 && at != 13) {
            hash = (hash ^ record[at]) * 0x100000001b3u;
        }
    }
    return hash;
}

static inline int is_packet(const uint8_t *record)
{
    return RECORD_TYPE(record) != ERF_TYPE_PAD && RECORD_TYPE(record) != ERF_TYPE_META;
}

static inline void show(const uint8_t *record)
{
    printf("%016llx\n", (unsigned long long)digest(record));
}

/* argv: card, number of packets. */
static inline long wanted(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: %s CARD PACKETS\n", argv[0]);
        exit(2);
    }
    return atol(argv[2]);
}

#endif
