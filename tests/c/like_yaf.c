/* 32-bit calls, poll parameters after the start, and a walk that trusts every length. */
#include "client.h"

int main(int argc, char **argv)
{
    long left = wanted(argc, argv);
    int fd = dag_open(argv[1]);
    CHECK(fd);
    CHECK(dag_attach_stream(fd, 0, 0, 0));
    CHECK(dag_start_stream(fd, 0));
    struct timeval maxwait = {0, 250000}, poll = {0, 100};
    CHECK(dag_set_stream_poll(fd, 0, 8000, &maxwait, &poll));
    uint8_t *bottom = NULL;
    while (left > 0) {
        uint8_t *top = dag_advance_stream(fd, 0, &bottom);
        if (top == NULL) die("dag_advance_stream");
        for (; left > 0 && bottom < top; bottom += RECORD_LEN(bottom)) {
            if (!is_packet(bottom)) continue;
            show(bottom);
            left--;
        }
    }
    CHECK(dag_stop_stream(fd, 0));
    CHECK(dag_detach_stream(fd, 0));
    CHECK(dag_close(fd));
    return 0;
}
