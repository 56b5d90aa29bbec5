/* Runs a program and says what it took: nanoseconds by the clock, microseconds of processor in user and system mode, the most memory it
 * had resident in KiB, and its exit status. What it says goes to a file, as the program has the standard streams.
 *
 *   measured REPORT PROGRAM [ARGUMENT...]
 *
 * A small program of its own, because a child begins with the resident memory of the one that started it as its maximum. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000ll + time.tv_nsec;
}

static long long micros(struct timeval time)
{
    return time.tv_sec * 1000000ll + time.tv_usec;
}

int main(int argc, char **argv)
{
    if (argc < 3) return 2;
    long long begun = now();
    pid_t child = fork();
    if (child < 0) {
        perror("fork");
        return 2;
    }
    if (child == 0) {
        execvp(argv[2], argv + 2);
        fprintf(stderr, "%s: %s\n", argv[2], strerror(errno));
        _exit(127);
    }
    int status;
    struct rusage usage;
    while (wait4(child, &status, 0, &usage) < 0) {
        if (errno != EINTR) {
            perror("wait4");
            return 2;
        }
    }
    long long took = now() - begun;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    FILE *report = fopen(argv[1], "w");
    if (report == NULL) {
        perror(argv[1]);
        return 2;
    }
    fprintf(report, "%lld %lld %lld %ld %d\n", took, micros(usage.ru_utime), micros(usage.ru_stime), usage.ru_maxrss, code);
    if (fclose(report) != 0) {
        perror(argv[1]);
        return 2;
    }
    return 0;
}
