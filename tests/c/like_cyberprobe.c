/* Seconds where microseconds were meant, and a record is taken only while more than its header lies ready. */
#include "client.h"

int main(int argc, char **argv)
{
    long left = wanted(argc, argv);
    int fd = dag_open(argv[1]);
    CHECK(fd);
    if (dag_linktype(fd) != ERF_TYPE_ETH) die("dag_linktype");
    CHECK(dag_attach_stream64(fd, 0, 0, 16 * 1024 * 1024));
    CHECK(dag_start_stream(fd, 0));
    struct timeval maxwait = {50000, 0}, poll = {0, 1000};
    CHECK(dag_set_stream_poll64(fd, 0, 1024, &maxwait, &poll));
    uint8_t *bottom = NULL;
    while (left > 0) {
        uint8_t *top = dag_advance_stream(fd, 0, &bottom);
        if (top == NULL) die("dag_advance_stream");
        int available = (int)(top - bottom);
        while (left > 0 && available > dag_record_size && available >= (int)RECORD_LEN(bottom)) {
            show(bottom);
            left--;
            available -= (int)RECORD_LEN(bottom);
            bottom += RECORD_LEN(bottom);
        }
    }
    CHECK(dag_stop_stream(fd, 0));
    CHECK(dag_detach_stream(fd, 0));
    CHECK(dag_close(fd));
    return 0;
}
