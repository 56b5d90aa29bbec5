/* Four threads that ask the card for its streams without end, and children of them that do so once: none may hang. */
#include "client.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

static int fd;
static atomic_int ended;

static void *ask(void *nothing)
{
    while (!ended) dag_rx_get_stream_count(fd);
    return nothing;
}

int main(void)
{
    pthread_t threads[4];
    fd = dag_open("/dev/dag0");
    if (fd < 0) return 1;
    for (int n = 0; n < 4; n++) pthread_create(&threads[n], NULL, ask, NULL);
    int failed = 0;
    for (int n = 0; n < 20; n++) {
        pid_t child = fork();
        if (child == 0) {
            /* Its own card: what its parent had open is not open here. */
            alarm(20);
            int own = dag_open("/dev/dag0");
            _exit(own >= 0 && dag_rx_get_stream_count(own) > 0 ? 0 : 1);
        }
        int status;
        waitpid(child, &status, 0);
        failed += status != 0;
    }
    ended = 1;
    for (int n = 0; n < 4; n++) pthread_join(threads[n], NULL);
    printf("%d failed\n", failed);
    return failed != 0;
}
