/* What a program in C pays for dag_advance_stream and for walking what it lends. Prints how many calls or records it has handled, and the
 * nanoseconds that took.
 *
 *   advance empty CALLS     on dag0, to which nothing comes
 *   advance walk RECORDS    on dag1, whose stream is full before the clock starts */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <dagapi.h>

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

int main(int argc, char **argv)
{
    if (argc != 3) return 2;
    int walks = strcmp(argv[1], "walk") == 0;
    uint64_t wanted = strtoull(argv[2], NULL, 10), done = 0, wire = 0;
    int fd = dag_open(walks ? "/dev/dag1" : "/dev/dag0");
    if (fd < 0) die("dag_open");
    if (dag_attach_stream64(fd, 0, 0, 0) != 0) die("dag_attach_stream64");
    struct timeval maxwait = {0, 0}, poll = {0, 0};
    if (dag_set_stream_poll64(fd, 0, 0, &maxwait, &poll) != 0) die("dag_set_stream_poll64");
    if (dag_start_stream(fd, 0) != 0) die("dag_start_stream");
    uint8_t *bottom = NULL;
    if (walks) sleep(2);
    uint64_t begun = now();
    while (done < wanted) {
        uint8_t *top = dag_advance_stream(fd, 0, &bottom);
        if (top == NULL) die("dag_advance_stream");
        if (!walks) {
            done++;
            continue;
        }
        /* As much as is good for a cache, as Suricata does, and dag by itself. */
        uint8_t *end = top - bottom > (4 << 20) ? bottom + (4 << 20) : top;
        while (bottom < end && done < wanted) {
            dag_record_t *record = (dag_record_t *)bottom;
            wire += (uint64_t)(uint16_t)(record->wlen << 8 | record->wlen >> 8);
            bottom += (uint16_t)(record->rlen << 8 | record->rlen >> 8);
            done++;
        }
    }
    uint64_t took = now() - begun;
    /* That it is used keeps it from being left out. */
    printf("%llu %llu %llu\n", (unsigned long long)done, (unsigned long long)took, (unsigned long long)wire);
    return 0;
}
