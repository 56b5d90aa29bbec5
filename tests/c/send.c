/* Sends on stream 1 of a card that has no TERF, and waits until all has gone. */
#include "client.h"
#include <unistd.h>

int main(int argc, char **argv)
{
    long left = wanted(argc, argv);
    int fd = dag_open(argv[1]);
    CHECK(fd);
    CHECK(dag_attach_stream64(fd, 1, 0, 0));
    CHECK(dag_start_stream(fd, 1));
    uint8_t record[88] = {0};
    record[8] = ERF_TYPE_ETH;
    record[9] = 4;
    record[11] = 88;
    record[15] = 64;
    for (; left > 0; left--) {
        record[40] = (uint8_t)left;
        CHECK(dag_tx_stream_copy_bytes(fd, 1, record, sizeof record));
    }
    while (dag_get_stream_buffer_level(fd, 1) > 0) usleep(500);
    CHECK(dag_stop_stream(fd, 1));
    CHECK(dag_detach_stream(fd, 1));
    return 0;
}
