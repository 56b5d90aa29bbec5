/* Captures from a DAG card: prints a line for each packet, and what was lost.
 *
 *   cc capture.c -o capture $(pkg-config --cflags --libs libdag)      # or: cc capture.c -o capture -Iinclude -Llib -ldag
 *   ./capture dag0 10                                                 # card, or card and stream as dag0:2; number of packets
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dagapi.h>

static void failed(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

int main(int argc, char **argv)
{
    char device[DAGNAME_BUFSIZE];
    int stream;
    if (argc != 3 || dag_parse_name(argv[1], device, sizeof device, &stream) < 0) {
        fprintf(stderr, "usage: %s dagN[:STREAM] PACKETS\n", argv[0]);
        return 2;
    }
    long left = atol(argv[2]);
    int card = dag_open(device);
    if (card < 0) failed(device);
    if (dag_attach_stream64(card, stream, 0, 0) < 0) failed("attach");
    /* At least a header, or a tenth of a second. */
    struct timeval maxwait = {0, 100000}, poll = {0, 10000};
    if (dag_set_stream_poll64(card, stream, dag_record_size, &maxwait, &poll) < 0) failed("poll parameters");
    if (dag_start_stream(card, stream) < 0) failed("start");

    uint64_t lost = 0;
    uint8_t *bottom = NULL; /* everything before it is given back by the next advance */
    while (left > 0) {
        uint8_t *top = dag_advance_stream(card, stream, &bottom);
        if (top == NULL) failed("advance");
        while (left > 0 && top - bottom >= dag_record_size) {
            dag_record_t *record = (dag_record_t *)bottom;
            int len = ntohs(record->rlen), type = record->type & ERF_TYPE_MASK;
            if (len < dag_record_size) {
                fprintf(stderr, "a record of %d bytes\n", len);
                return 1;
            }
            if (top - bottom < len) break; /* the rest of it comes with the next advance */
            bottom += len;
            if (type == ERF_TYPE_PAD || type == ERF_TYPE_META) continue;
            /* Seconds since 1970 in the upper half, their 2^-32 parts in the lower one; little-endian, unlike all else. */
            uint32_t seconds = (uint32_t)(record->ts >> 32);
            uint64_t nanoseconds = ((record->ts & 0xffffffff) * 1000000000) >> 32;
            printf("%" PRIu32 ".%09" PRIu64 " port %d %d bytes\n", seconds, nanoseconds, record->flags.iface,
                   ntohs(record->wlen));
            if (type == ERF_TYPE_ETH) lost += ntohs(record->lctr);
            left--;
        }
    }
    fprintf(stderr, "%" PRIu64 " lost\n", lost);
    if (dag_stop_stream(card, stream) < 0) failed("stop");
    if (dag_detach_stream(card, stream) < 0) failed("detach");
    dag_close(card);
    return 0;
}
