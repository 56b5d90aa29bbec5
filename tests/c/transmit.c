/* Sends. Usage: transmit CARD STREAM WAY PACKETS [reverse], where WAY is
 *   copy     header, frame and padding piece by piece, as libpcap does; the level is awaited before the stop
 *   commit   room for several records, of which whole ones are committed, as libtrace does
 *   bytes    the same by the 32-bit calls
 *   inline   forwards what stream 0 receives, with the interface changed, as a wiretap does */
#include "client.h"
#include <arpa/inet.h>
#include <dag_config_api.h>
#include <unistd.h>

static int fd, stream;

/* A frame of 60 bytes that says which it is; its record has room for an FCS that the card makes. */
static void fill(dag_record_t *record, uint8_t *frame, unsigned number)
{
    memset(record, 0, sizeof *record);
    record->type = ERF_TYPE_ETH;
    record->flags.vlen = 1;
    DAG_ERF_SET_IFACE(record, number % 2);
    record->rlen = htons(88);
    record->wlen = htons(64);
    memset(frame, 0x55, 60);
    memset(frame, 2, 12);
    frame[12] = 0x88;
    frame[13] = 0xb5;
    memcpy(frame + 14, &number, sizeof number);
}

static void drain(void)
{
    while (dag_get_stream_buffer_level64(fd, stream) > 0) usleep(500);
}

static void copy(long packets)
{
    uint8_t frame[60], padding[10] = {0};
    dag_record_t record;
    for (long n = 0; n < packets; n++) {
        fill(&record, frame, (unsigned)n);
        CHECK(dag_tx_stream_copy_bytes64(fd, stream, (uint8_t *)&record, 18));
        CHECK(dag_tx_stream_copy_bytes64(fd, stream, frame, sizeof frame));
        CHECK(dag_tx_stream_copy_bytes64(fd, stream, padding, sizeof padding));
    }
}

static void commit(long packets, int narrow)
{
    dag_record_t record;
    for (long n = 0; n < packets;) {
        uint8_t *space = narrow ? dag_tx_get_stream_space(fd, stream, 10 * 88) : dag_tx_get_stream_space64(fd, stream, 10 * 88);
        if (space == NULL) {
            if (errno == EAGAIN) continue;
            die("space");
        }
        /* Less than was asked for. */
        unsigned some = 0;
        for (; some < 7 && n < packets; some++, n++) {
            memset(space + some * 88, 0, 88);
            fill(&record, space + some * 88 + 18, (unsigned)n);
            memcpy(space + some * 88, &record, 16);
        }
        uint8_t *next = narrow ? dag_tx_stream_commit_bytes(fd, stream, some * 88) : dag_tx_stream_commit_records64(fd, stream, some * 88);
        if (next == NULL) die("commit");
    }
}

static void forward(long packets)
{
    CHECK(dag_attach_stream(fd, 0, 0, 4 * 1024 * 1024));
    CHECK(dag_start_stream(fd, 0));
    while (packets > 0) {
        uint8_t *record = dag_rx_stream_next_inline(fd, 0, stream);
        if (record == NULL) {
            if (errno == EAGAIN) continue;
            die("dag_rx_stream_next_inline");
        }
        ((dag_record_t *)record)->flags.iface ^= 1;
        if (dag_tx_stream_commit_bytes(fd, stream, RECORD_LEN(record)) == NULL) die("commit");
        packets--;
    }
    CHECK(dag_stop_stream(fd, 0));
    CHECK(dag_detach_stream(fd, 0));
}

int main(int argc, char **argv)
{
    if (argc < 5) return 2;
    long packets = atol(argv[4]);
    stream = atoi(argv[2]);
    fd = dag_open(argv[1]);
    CHECK(fd);
    if (argc > 5 && dag_set_mode(fd, stream, DAG_REVERSE_MODE) != 0) die("dag_set_mode");
    if (argc <= 5) {
        dag_card_ref_t card = dag_config_init(argv[1]);
        dag_component_t terf = dag_component_get_subcomponent(dag_config_get_root_component(card), kComponentTerf, 0);
        uint32_t strip = 99;
        attr_uuid_t uuid = dag_component_get_config_attribute_uuid(terf, kUint32AttributeTerfStripCrc);
        if (dag_config_get_uint32_attribute_ex(card, uuid, &strip) != kDagErrNone || strip != kTerfStrip32) die("no TERF");
        dag_config_dispose(card);
        if (dag_tx_get_stream_count(fd) < 1) die("no transmit streams");
    }
    CHECK(dag_attach_stream64(fd, stream, 0, 4 * 1024 * 1024));
    struct timeval zero = {0, 0};
    CHECK(dag_set_stream_poll64(fd, stream, 0, &zero, &zero));
    CHECK(dag_start_stream(fd, stream));
    if (strcmp(argv[3], "copy") == 0) copy(packets);
    else if (strcmp(argv[3], "commit") == 0) commit(packets, 0);
    else if (strcmp(argv[3], "bytes") == 0) commit(packets, 1);
    else if (strcmp(argv[3], "inline") == 0) forward(packets);
    else return 2;
    drain();
    CHECK(dag_stop_stream(fd, stream));
    CHECK(dag_detach_stream(fd, stream));
    CHECK(dag_close(fd));
    return 0;
}
