/* A producer and a consumer on two threads, over one ring of records that is mapped twice in a row: what the emulated card and its reader
 * could do at best. Positions are passed on by release and acquire, and nobody sleeps.
 *
 *   ring headers|records small|imix PACKETS MEMORY
 *
 * `headers`: the payload lies in the ring since the first lap, and each lap writes the 16 bytes before it. `records`: each record is copied whole
 * from a template, and its header put in. A lap begins with the first of 1024 records, and a PAD record closes it, so that each lies where it lay a lap
 * before. The consumer uses every field of every header. Prints what `house-hot card` prints; the clock starts with the first lap. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>

#include "plain.h"

#define PATTERN 1024u
/* Published at once, and released at once. */
#define TURN 1024u
#define BATCH (256u << 10)

static struct {
    _Alignas(128) _Atomic uint64_t top;
    _Alignas(128) _Atomic uint64_t bottom;
    _Alignas(128) uint8_t *ring;
    uint64_t memory, packets;
    int whole;
    uint32_t start[PATTERN + 1];
    uint8_t *image;
} shared;

/* Between two looks at the other's position. Where both share a core with others, whoever waits must let the other have it. */
static void rest(unsigned *looks)
{
    if (++*looks > 1000) sched_yield();
}

static void put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void header(uint8_t *at, unsigned type, unsigned flags, unsigned length, unsigned wire)
{
    memset(at, 0, HEAD);
    at[8] = (uint8_t)type;
    at[9] = (uint8_t)flags;
    put16(at + 10, length);
    put16(at + 14, wire);
}

/* The records of the pattern, stamps 0. */
static void make(int imix)
{
    static const unsigned frames[12] = {64, 594, 64, 64, 594, 1518, 64, 64, 594, 64, 594, 64};
    for (unsigned n = 0; n < PATTERN; n++) {
        unsigned wire = imix ? frames[n * 7 % 12] : 64;
        shared.start[n + 1] = shared.start[n] + ((HEAD + 2 + wire + 7) & ~7u);
    }
    shared.image = malloc(shared.start[PATTERN]);
    if (shared.image == NULL) die("malloc");
    memset(shared.image, 0x5A, shared.start[PATTERN]);
    for (unsigned n = 0; n < PATTERN; n++) {
        unsigned wire = imix ? frames[n * 7 % 12] : 64;
        header(shared.image + shared.start[n], 2, 4 | (n & 1), shared.start[n + 1] - shared.start[n], wire);
    }
}

static void *produce(void *unused)
{
    (void)unused;
    uint8_t *ring = shared.ring;
    const uint64_t memory = shared.memory;
    uint64_t head = 0, at = 0, limit = memory, stamp = 1700000000ull << 32, words[PATTERN];
    unsigned n = 0, lengths[PATTERN];
    for (unsigned k = 0; k < PATTERN; k++) {
        memcpy(&words[k], shared.image + shared.start[k] + 8, 8);
        lengths[k] = shared.start[k + 1] - shared.start[k];
    }
    int painted = 0;
    for (uint64_t left = shared.packets; left > 0;) {
        for (unsigned turn = 0; turn < TURN && left > 0; turn++) {
            unsigned length = lengths[n];
            int closes = at + length != memory && at + length + HEAD > memory;
            uint64_t need = closes ? memory - at : length;
            if (head + need > limit) {
                atomic_store_explicit(&shared.top, head, memory_order_release);
                unsigned looks = 0;
                do {
                    limit = atomic_load_explicit(&shared.bottom, memory_order_acquire) + memory;
                    rest(&looks);
                } while (head + need > limit);
            }
            if (closes) {
                header(ring + at, 48, 4, (unsigned)need, 0);
                n = 0;
            } else {
                if (!painted || shared.whole) memcpy(ring + at, shared.image + shared.start[n], length);
                memcpy(ring + at, &stamp, 8);
                memcpy(ring + at + 8, &words[n], 8);
                stamp++;
                n = (n + 1) % PATTERN;
                left--;
            }
            head += need;
            at += need;
            if (at >= memory) {
                at -= memory;
                painted = 1;
                n = 0;
            }
        }
        atomic_store_explicit(&shared.top, head, memory_order_release);
    }
    atomic_store_explicit(&shared.top, head | 1, memory_order_release);
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 5) return 2;
    shared.whole = strcmp(argv[1], "records") == 0;
    shared.packets = strtoull(argv[3], NULL, 10);
    shared.memory = strtoull(argv[4], NULL, 10);
    make(strcmp(argv[2], "imix") == 0);
    int fd = memfd_create("ring", 0);
    if (fd < 0 || ftruncate(fd, (off_t)shared.memory) != 0) die("memfd");
    shared.ring = mmap(NULL, 2 * shared.memory, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (shared.ring == MAP_FAILED) die("mmap");
    for (int half = 0; half < 2; half++) {
        void *at = mmap(shared.ring + (uint64_t)half * shared.memory, shared.memory, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
        if (at == MAP_FAILED) die("mmap");
    }
    struct timespec begun, done;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    pthread_t producer;
    if (pthread_create(&producer, NULL, produce, NULL) != 0) die("pthread_create");
    uint64_t packets = 0, stamps = 0, wires = 0, captured = 0, counters = 0, kinds = 0, bottom = 0, end = 0;
    for (unsigned looks = 0; !end; rest(&looks)) {
        uint64_t top = atomic_load_explicit(&shared.top, memory_order_acquire);
        uint64_t last = top & ~1ull;
        if (top & 1) end = 1;
        while (bottom < last) {
            looks = 0;
            const uint8_t *first = shared.ring + bottom % shared.memory;
            uint64_t at = 0, count = last - bottom;
            while (at < count && at < BATCH) {
                const uint8_t *head = first + at;
                uint64_t stamp;
                memcpy(&stamp, head, 8);
                unsigned type = head[8] & 0x7Fu, wire = be16(head + 14);
                size_t length = be16(head + 10), stored = length - HEAD - 2;
                if (length < HEAD) return 3;
                packets += type != 48;
                stamps += stamp;
                wires += wire;
                captured += stored < wire ? stored : wire;
                counters += be16(head + 12);
                kinds += type + head[9];
                at += length;
            }
            bottom += at;
            atomic_store_explicit(&shared.bottom, bottom, memory_order_release);
        }
    }
    clock_gettime(CLOCK_MONOTONIC, &done);
    pthread_join(producer, NULL);
    long long nanos = (done.tv_sec - begun.tv_sec) * 1000000000ll + done.tv_nsec - begun.tv_nsec;
    uint64_t sum = stamps + wires + captured + counters + kinds;
    printf("packets %llu nanos %lld sum %016llx\n", (unsigned long long)packets, nanos, (unsigned long long)sum);
    return packets == shared.packets ? 0 : 1;
}
