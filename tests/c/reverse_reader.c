/* Reads, in reverse mode, what another process sends on an odd stream. NULL with EAGAIN is nothing yet. */
#include "client.h"

int main(int argc, char **argv)
{
    long left = wanted(argc, argv);
    int fd = dag_open(argv[1]);
    CHECK(fd);
    if (dag_set_mode(fd, 1, DAG_REVERSE_MODE) != 0) die("dag_set_mode");
    CHECK(dag_attach_stream(fd, 1, 0, 0));
    CHECK(dag_start_stream(fd, 1));
    fprintf(stderr, "reading\n");
    struct timeval maxwait = {0, 100000}, poll = {0, 1000};
    CHECK(dag_set_stream_poll(fd, 1, 16, &maxwait, &poll));
    uint8_t *bottom = NULL;
    while (left > 0) {
        uint8_t *top = dag_advance_stream(fd, 1, &bottom);
        if (top == NULL) {
            if (errno == EAGAIN) continue;
            die("dag_advance_stream");
        }
        for (; left > 0 && bottom < top; left--, bottom += RECORD_LEN(bottom)) show(bottom);
    }
    return 0;
}
