/* `udp port 53`, written by hand for Ethernet records, as tcpdump understands it: IPv4 that is no later fragment, and IPv6 without extension
 * headers; not inside of VLAN tags.
 *
 *   filter INPUT OUTPUT      - is standard input or output */
#include "plain.h"

struct job {
    int out;
    size_t used;
    uint8_t *block;
};

static inline int is_wanted(const uint8_t *frame, size_t stored)
{
    if (stored < 38) return 0;
    size_t ports;
    unsigned type = be16(frame + 12);
    if (type == 0x0800) {
        if (frame[23] != 17 || (be16(frame + 20) & 0x1FFF) != 0) return 0;
        ports = 14 + (frame[14] & 15u) * 4;
    } else if (type == 0x86DD) {
        if (frame[20] != 17) return 0;
        ports = 54;
    } else {
        return 0;
    }
    if (ports + 4 > stored) return 0;
    return be16(frame + ports) == 53 || be16(frame + ports + 2) == 53;
}

static size_t choose(uint8_t *bytes, size_t count, void *own)
{
    struct job *job = own;
    size_t at = 0;
    while (at + HEAD <= count) {
        const uint8_t *head = bytes + at;
        size_t length = be16(head + 10);
        if (length < HEAD + 2 || at + length > count) break;
        size_t stored = length - HEAD - 2, wire = be16(head + 14);
        if (is_wanted(head + HEAD + 2, stored < wire ? stored : wire)) {
            if (job->used + length > BLOCK) {
                write_all(job->out, job->block, job->used);
                job->used = 0;
            }
            memcpy(job->block + job->used, head, length);
            job->used += length;
        }
        at += length;
    }
    return at;
}

int main(int argc, char **argv)
{
    if (argc != 3) return 2;
    struct job job = {open_to_write(argv[2]), 0, malloc(BLOCK)};
    if (job.block == NULL) die("malloc");
    in_blocks(open_to_read(argv[1]), choose, &job);
    write_all(job.out, job.block, job.used);
    return 0;
}
