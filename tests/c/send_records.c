/* In the way of libtrace's transmit: room of 256 KiB at a time in a window of 4 MiB, asked for without a sleep until there is some, and
 * whole records committed in it, less than was reserved. With a third argument it plays the card: an even stream in reverse mode. */
#include "send.h"

#define ROOM (256 * 1024)

static uint8_t *room(int fd, int stream)
{
    for (;;) {
        uint8_t *space = dag_tx_get_stream_space64(fd, stream, ROOM);
        if (space != NULL) return space;
        if (errno != EAGAIN) die("dag_tx_get_stream_space64");
    }
}

int main(int argc, char **argv)
{
    long packets = wanted(argc, argv);
    char name[DAGNAME_BUFSIZE];
    int stream;
    CHECK(dag_parse_name(argv[1], name, sizeof name, &stream));
    int fd = dag_open(name);
    CHECK(fd);
    if (argc > 3 && dag_set_mode(fd, stream, DAG_REVERSE_MODE) != 0) die("dag_set_mode");
    CHECK(dag_attach_stream64(fd, stream, 0, 4 * 1024 * 1024));
    CHECK(dag_start_stream(fd, stream));
    struct timeval maxwait = {0, 0}, poll = {0, 0};
    CHECK(dag_set_stream_poll64(fd, stream, 0, &maxwait, &poll));
    uint8_t *space = NULL;
    unsigned used = 0;
    for (unsigned number = 0; number < (unsigned)packets; number++) {
        if (space == NULL) {
            space = room(fd, stream);
            used = 0;
        }
        dag_record_t *record = (dag_record_t *)(space + used);
        unsigned len = make_header(record, frame_len(number), (int)(number % 2));
        make_frame(number, record->rec.eth.dst);
        memset(record->rec.eth.dst + frame_len(number), 0, len - dag_record_size - 2 - frame_len(number));
        used += len;
        if (used + 2048 > ROOM || number + 1 == (unsigned)packets) {
            if (dag_tx_stream_commit_records64(fd, stream, used) == NULL) die("dag_tx_stream_commit_records64");
            space = NULL;
        }
    }
    drain(fd, stream);
    CHECK(dag_stop_stream(fd, stream));
    CHECK(dag_detach_stream(fd, stream));
    CHECK(dag_close(fd));
    return 0;
}
