/* One descriptor for all threads, one stream each; before that every stream is attached, measured and detached. */
#include "client.h"
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int fd;
static long left;

static void *capture(void *argument)
{
    int stream = *(int *)argument;
    pthread_mutex_lock(&lock);
    CHECK(dag_attach_stream64(fd, stream, 0, 8 * 1024 * 1024));
    struct timeval maxwait = {0, 100 * 1000}, poll = {0, 10 * 1000};
    CHECK(dag_set_stream_poll64(fd, stream, 16, &maxwait, &poll));
    CHECK(dag_start_stream(fd, stream));
    pthread_mutex_unlock(&lock);
    uint8_t *bottom = NULL;
    for (int done = 0; !done;) {
        uint8_t *top = dag_advance_stream(fd, stream, &bottom);
        if (top == NULL) die("dag_advance_stream");
        pthread_mutex_lock(&lock);
        for (; left > 0 && top - bottom >= dag_record_size; bottom += RECORD_LEN(bottom)) {
            if (!is_packet(bottom)) continue;
            show(bottom);
            left--;
        }
        done = left == 0;
        pthread_mutex_unlock(&lock);
    }
    CHECK(dag_detach_stream(fd, stream));
    return NULL;
}

int main(int argc, char **argv)
{
    left = wanted(argc, argv);
    fd = dag_open(argv[1]);
    CHECK(fd);
    int count = dag_rx_get_stream_count(fd);
    int numbers[8], streams = 0;
    for (int n = 0; n < count && streams < 8; n++) {
        if (dag_attach_stream64(fd, 2 * n, 0, 0) < 0) {
            if (errno == ENOMEM) continue;
            die("dag_attach_stream64");
        }
        if (dag_get_stream_buffer_size64(fd, 2 * n) < 1) die("no memory");
        CHECK(dag_detach_stream(fd, 2 * n));
        numbers[streams++] = 2 * n;
    }
    pthread_t threads[8];
    for (int n = 0; n < streams; n++) pthread_create(&threads[n], NULL, capture, &numbers[n]);
    for (int n = 0; n < streams; n++) pthread_join(threads[n], NULL);
    CHECK(dag_close(fd));
    return 0;
}
