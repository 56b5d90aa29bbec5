/* A descriptor for each thread, 32-bit calls, poll parameters set after the start, at most some of what lies ready consumed at a time,
 * and no clean-up at the end. CARD is of the form dagN; a thread for each stream. */
#include "client.h"
#include <pthread.h>

#define AT_A_TIME (4 << 10)

static pthread_mutex_t output = PTHREAD_MUTEX_INITIALIZER;
static long left;

static void *capture(void *argument)
{
    char name[DAGNAME_BUFSIZE];
    int stream;
    CHECK(dag_parse_name(argument, name, DAGNAME_BUFSIZE, &stream));
    int fd = dag_open(name);
    CHECK(fd);
    if (stream > 2 * dag_rx_get_stream_count(fd)) die("too high a stream");
    if (dag_set_mode(fd, stream, DAG_NORMAL_MODE) != 0) die("dag_set_mode");
    CHECK(dag_attach_stream(fd, stream, 0, 0));
    CHECK(dag_start_stream(fd, stream));
    struct timeval maxwait = {0, 100 * 1000}, poll = {0, 10 * 1000};
    CHECK(dag_set_stream_poll(fd, stream, 32 * 1024, &maxwait, &poll));
    uint8_t *bottom = NULL;
    for (;;) {
        uint8_t *top = dag_advance_stream(fd, stream, &bottom);
        if (top == NULL) {
            if (errno == EAGAIN) continue;
            die("dag_advance_stream");
        }
        if (top != bottom && top - bottom < dag_record_size) die("less than a header");
        long processed = 0;
        while (top - bottom >= dag_record_size && processed < AT_A_TIME) {
            unsigned len = RECORD_LEN(bottom);
            if (len < (unsigned)dag_record_size) die("a record too short");
            if (top - bottom < (long)len) break;
            pthread_mutex_lock(&output);
            if (is_packet(bottom) && left > 0) {
                show(bottom);
                left--;
            }
            int done = left == 0;
            pthread_mutex_unlock(&output);
            if (done) return NULL;
            processed += len;
            bottom += len;
        }
    }
}

int main(int argc, char **argv)
{
    left = wanted(argc, argv);
    int streams = argc > 3 ? atoi(argv[3]) : 1;
    pthread_t threads[8];
    char names[8][32];
    for (int n = 0; n < streams && n < 8; n++) {
        snprintf(names[n], sizeof names[n], "%s:%d", argv[1], 2 * n);
        pthread_create(&threads[n], NULL, capture, names[n]);
    }
    for (int n = 0; n < streams && n < 8; n++) pthread_join(threads[n], NULL);
    fflush(stdout);
    return 0;
}
