/* The frames that the clients send: number N has 46 to 1486 bytes behind its addresses, which N decides. */
#ifndef SEND_H
#define SEND_H

#include "client.h"
#include <arpa/inet.h>
#include <unistd.h>

#define FCS_LEN 4
#define MOST 1514

static inline unsigned frame_len(unsigned number)
{
    return 60 + number * 37 % 1441;
}

static inline void make_frame(unsigned number, uint8_t *frame)
{
    static const uint8_t head[14] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5};
    memcpy(frame, head, sizeof head);
    for (unsigned at = sizeof head; at < frame_len(number); at++) frame[at] = (uint8_t)(number >> 8 * (at % 4));
}

/* Header and the two bytes before an Ethernet frame; gives the length of the record. */
static inline unsigned make_header(dag_record_t *record, unsigned frame_len, int interface)
{
    unsigned len = (dag_record_size + 2 + frame_len + FCS_LEN + 7) / 8 * 8;
    memset(record, 0, dag_record_size + 2);
    record->type = ERF_TYPE_ETH;
    record->flags.vlen = 1;
    DAG_ERF_SET_IFACE(record, interface);
    record->rlen = htons((uint16_t)len);
    record->wlen = htons((uint16_t)(frame_len + FCS_LEN));
    return len;
}

/* All that was handed over is on the wire: the level is 0, or it stays where it is. */
static inline void drain(int fd, int stream)
{
    dag_ssize_t before = -1;
    int same = 0;
    for (;;) {
        dag_ssize_t level = dag_get_stream_buffer_level64(fd, stream);
        if (level < 0) die("dag_get_stream_buffer_level64");
        if (level == 0) return;
        same = level == before ? same + 1 : 0;
        if (same > 1000) {
            fprintf(stderr, "%lld bytes stay\n", (long long)level);
            exit(1);
        }
        before = level;
        usleep(10 * 1000);
    }
}

#endif
