/* Follows the chain of records of a file, every field of the header used.
 *
 *   walk read|map FILE             by read(2) in blocks of 256 KiB, or over a memory map
 *   walk memory FILE BYTES TIMES   so much of its beginning, read into memory first, so many times
 *
 * Prints what `house-hot walk` and `house-hot memory` print. */
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "plain.h"

struct seen {
    uint64_t packets, stamps, wire, captured, counters, kinds;
};

static size_t walk(uint8_t *bytes, size_t count, void *own)
{
    struct seen seen = *(struct seen *)own;
    size_t at = 0;
    while (at + HEAD <= count) {
        const uint8_t *head = bytes + at;
        size_t length = be16(head + 10);
        if (length < HEAD || at + length > count) break;
        uint64_t stamp;
        memcpy(&stamp, head, sizeof stamp);
        unsigned type = head[8] & 0x7Fu, wire = be16(head + 14);
        size_t headers = HEAD;
        if (head[8] & 0x80) {
            do {
                headers += 8;
                if (headers > length) return at;
            } while (head[headers - 8] & 0x80);
        }
        headers += type == 2 || type == 11 || type == 16 ? 2 : 0;
        size_t stored = length - headers;
        seen.packets++;
        seen.stamps += stamp;
        seen.wire += wire;
        seen.captured += stored < wire ? stored : wire;
        seen.counters += be16(head + 12);
        seen.kinds += type + head[9];
        at += length;
    }
    *(struct seen *)own = seen;
    return at;
}

static int in_memory(const char *path, size_t bytes, unsigned long times)
{
    struct seen seen = {0, 0, 0, 0, 0, 0};
    uint8_t *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) die("mmap");
    /* Large pages where they are to be had: where small ones happen to lie makes a third of the figure. */
    madvise(memory, bytes, MADV_HUGEPAGE);
    int fd = open_to_read(path);
    size_t have = 0;
    ssize_t got;
    while ((got = read(fd, memory + have, bytes - have)) > 0) have += (size_t)got;
    if (got < 0) die(path);
    struct timespec begun, done;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    for (unsigned long time = 0; time < times; time++) walk(memory, have, &seen);
    clock_gettime(CLOCK_MONOTONIC, &done);
    long long nanos = (done.tv_sec - begun.tv_sec) * 1000000000ll + done.tv_nsec - begun.tv_nsec;
    uint64_t sum = seen.stamps + seen.wire + seen.captured + seen.counters + seen.kinds;
    printf("packets %llu nanos %lld sum %016llx\n", (unsigned long long)seen.packets, nanos, (unsigned long long)sum);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 5) return in_memory(argv[2], strtoull(argv[3], NULL, 10), strtoul(argv[4], NULL, 10));
    if (argc != 3) return 2;
    struct seen seen = {0, 0, 0, 0, 0, 0};
    int fd = open_to_read(argv[2]);
    if (strcmp(argv[1], "map") == 0) {
        struct stat about;
        if (fstat(fd, &about) != 0) die(argv[2]);
        uint8_t *bytes = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes == MAP_FAILED) die("mmap");
        madvise(bytes, (size_t)about.st_size, MADV_SEQUENTIAL);
        walk(bytes, (size_t)about.st_size, &seen);
    } else {
        in_blocks(fd, walk, &seen);
    }
    uint64_t sum = seen.stamps + seen.wire + seen.captured + seen.counters + seen.kinds;
    printf("packets %llu sum %016llx\n", (unsigned long long)seen.packets, (unsigned long long)sum);
    return 0;
}
