/* In the way of libpcap's transmit: the configuration API first, then a record in three copies: header, frame, padding. What is
 * waiting is sent before the stream is stopped. */
#include "send.h"
#include <dag_config_api.h>

int main(int argc, char **argv)
{
    long packets = wanted(argc, argv);
    char name[DAGNAME_BUFSIZE];
    int stream;
    CHECK(dag_parse_name(argv[1], name, sizeof name, &stream));
    dag_card_ref_t card = dag_config_init(argv[1]);
    if (card == NULL) die("dag_config_init");
    int fd = dag_config_get_card_fd(card);
    if (dag_tx_get_stream_count(fd) < 1) die("no transmit stream");
    if (dag_get_stream_buffer_size64(fd, stream) <= 0) die("no memory");
    uint32_t interfaces = dag_config_get_interface_count(card);
    if (interfaces == 0) die("no interface");
    uint8_t types[255];
    if (dag_get_stream_erf_types(fd, stream, types, sizeof types) < 1) die("no types");
    dag_component_t terf = dag_component_get_subcomponent(dag_config_get_root_component(card), kComponentTerf, 0);
    uint32_t strip = 99;
    if (terf != NULL) {
        attr_uuid_t fcs = dag_component_get_config_attribute_uuid(terf, kUint32AttributeTerfStripCrc);
        if (dag_config_get_uint32_attribute_ex(card, fcs, &strip) != kDagErrNone) die("no rule about the FCS");
        if (strip != kTerfNoStrip && strip != kTerfStrip16 && strip != kTerfStrip32) die("another rule about the FCS");
    }
    CHECK(dag_attach_stream64(fd, stream, 0, 0));
    CHECK(dag_start_stream(fd, stream));
    for (unsigned number = 0; number < (unsigned)packets; number++) {
        uint8_t frame[MOST], padding[16] = {0};
        dag_record_t record;
        make_frame(number, frame);
        unsigned len = make_header(&record, frame_len(number), (int)(number % interfaces));
        unsigned head = dag_record_size + 2;
        CHECK(dag_tx_stream_copy_bytes64(fd, stream, (uint8_t *)&record, head));
        CHECK(dag_tx_stream_copy_bytes64(fd, stream, frame, frame_len(number)));
        CHECK(dag_tx_stream_copy_bytes64(fd, stream, padding, len - head - frame_len(number)));
    }
    drain(fd, stream);
    CHECK(dag_stop_stream(fd, stream));
    CHECK(dag_detach_stream(fd, stream));
    dag_config_dispose(card);
    return 0;
}
