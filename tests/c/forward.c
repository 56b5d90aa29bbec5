/* In the way of DPMI's wiretap: what arrives at one interface leaves at the other, sent from where it lies. It goes on until so many
 * packets were forwarded. */
#include "send.h"

int main(int argc, char **argv)
{
    long left = wanted(argc, argv);
    int fd = dag_open(argv[1]);
    CHECK(fd);
    struct timeval maxwait = {0, 100 * 1000}, poll = {0, 10 * 1000};
    for (int stream = 0; stream < 2; stream++) {
        if (dag_attach_stream(fd, stream, 0, 4 * 1024 * 1024) != 0) die("dag_attach_stream");
        if (dag_set_stream_poll(fd, stream, 16, &maxwait, &poll) != 0) die("dag_set_stream_poll");
        CHECK(dag_start_stream(fd, stream));
    }
    while (left > 0) {
        uint8_t *record = dag_rx_stream_next_inline(fd, 0, 1);
        if (record == NULL) {
            if (errno == EAGAIN) continue;
            die("dag_rx_stream_next_inline");
        }
        if (is_packet(record)) {
            show(record);
            left--;
        }
        ((dag_record_t *)record)->flags.iface = (uint8_t)(((dag_record_t *)record)->flags.iface ^ 1);
        if (dag_tx_stream_commit_bytes(fd, 1, RECORD_LEN(record)) == NULL) die("dag_tx_stream_commit_bytes");
    }
    drain(fd, 1);
    for (int stream = 0; stream < 2; stream++) {
        CHECK(dag_stop_stream(fd, stream));
        CHECK(dag_detach_stream(fd, stream));
    }
    CHECK(dag_close(fd));
    return 0;
}
