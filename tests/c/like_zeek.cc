// C++: record by record, with the helpers of dagerf.h, and the configuration API of the other header.
#include "client.h"
#include <dag_config_api.h>
#include <dagerf.h>
#include <dagutil.h>

int main(int argc, char **argv)
{
    long left = wanted(argc, argv);
    dag_card_ref_t card = dag_config_init(argv[1]);
    if (!card) die("dag_config_init");
    int fd = dag_config_get_card_fd(card);
    CHECK(dag_attach_stream64(fd, 0, 0, 4 * 1024 * 1024));
    CHECK(dag_start_stream(fd, 0));
    timeval maxwait = {0, 100 * 1000}, poll = {0, 0};
    CHECK(dag_set_stream_poll64(fd, 0, 0, &maxwait, &poll));
    uint8_t types[ERF_TYPE_MAX] = {0};
    if (dag_get_stream_erf_types(fd, 0, types, ERF_TYPE_MAX) < 1) die("no types");
    dag_record_t only_type = {};
    only_type.type = types[0];
    if (!dagerf_is_ethernet_type(reinterpret_cast<uint8_t *>(&only_type))) die("not Ethernet");
    if (strcmp(dagerf_type_to_string(types[0], TT_ERROR), "ETH") != 0) die("not called ETH");
    while (left > 0) {
        uint8_t *record = dag_rx_stream_next_record(fd, 0);
        if (!record) {
            if (errno == EAGAIN) continue;
            die("dag_rx_stream_next_record");
        }
        if (!is_packet(record)) continue;
        if (dagerf_ext_header_count(record, RECORD_LEN(record)) != 0) die("extension headers");
        show(record);
        left--;
    }
    CHECK(dag_stop_stream(fd, 0));
    CHECK(dag_detach_stream(fd, 0));
    dag_config_dispose(card);
    return 0;
}
