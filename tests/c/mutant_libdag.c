/* The emulated card's libdag with one thing changed, which MUTANT names. It is linked to the real one under the name libreal.so, which has
 * every function that is not here. */
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <dagapi.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static dag_size_t wanted_mindata;
static struct timeval wanted_maxwait, wanted_poll;
static uint8_t *last_top;
static int started, records;

static int is(const char *what)
{
    const char *chosen = getenv("MUTANT");
    return chosen != NULL && strcmp(chosen, what) == 0;
}

static int fail(int number)
{
    errno = number;
    return -1;
}

int dag_parse_name(const char *name, char *buffer, int buflen, int *stream)
{
    int result = REAL(dag_parse_name)(name, buffer, buflen, stream);
    return is("any-name") ? 0 : result;
}

int dag_open(const char *name)
{
    int fd = REAL(dag_open)(name);
    if (fd < 0 && is("absent-card")) return fail(EACCES);
    return fd;
}

int dag_rx_get_stream_count(int fd)
{
    int count = REAL(dag_rx_get_stream_count)(fd);
    return is("count") && count > 0 ? count - 1 : count;
}

dag_ssize_t dag_get_stream_buffer_size64(int fd, int stream)
{
    dag_ssize_t size = REAL(dag_get_stream_buffer_size64)(fd, stream);
    if (size == 0 && is("bare-size")) return fail(EINVAL);
    return size;
}

int dag_attach_stream64(int fd, int stream, uint32_t flags, dag_size_t window)
{
    int result = REAL(dag_attach_stream64)(fd, stream, flags, window);
    last_top = NULL;
    started = records = 0;
    if (result == 0) return 0;
    if (errno == EBUSY && is("shared")) return 0;
    if (errno == EINVAL && is("absent-stream")) return fail(ENODEV);
    if (errno == ENOMEM && is("bare-attach")) return fail(EINVAL);
    return result;
}

int dag_start_stream(int fd, int stream)
{
    int result = REAL(dag_start_stream)(fd, stream);
    if (is("start-unattached")) return 0;
    started = result == 0;
    return result;
}

int dag_stop_stream(int fd, int stream)
{
    int was_started = started;
    started = 0;
    if (!was_started && is("stop-twice")) return fail(EINVAL);
    return REAL(dag_stop_stream)(fd, stream);
}

int dag_detach_stream(int fd, int stream)
{
    int result = REAL(dag_detach_stream)(fd, stream);
    return started && is("detach-running") ? fail(EBUSY) : result;
}

int dag_set_stream_poll64(int fd, int stream, dag_size_t mindata, struct timeval *maxwait, struct timeval *poll)
{
    wanted_mindata = mindata;
    wanted_maxwait = *maxwait;
    wanted_poll = *poll;
    return REAL(dag_set_stream_poll64)(fd, stream, is("impatient") ? 0 : mindata, maxwait, poll);
}

int dag_get_stream_poll64(int fd, int stream, dag_size_t *mindata, struct timeval *maxwait, struct timeval *poll)
{
    int result = REAL(dag_get_stream_poll64)(fd, stream, mindata, maxwait, poll);
    if (is("impatient") && result == 0) {
        *mindata = wanted_mindata;
        *maxwait = wanted_maxwait;
        *poll = wanted_poll;
    }
    if (is("forgetful") && result == 0) *mindata = 12345;
    return result;
}

uint8_t *dag_advance_stream(int fd, int stream, uint8_t **bottom)
{
    if (is("greedy") && *bottom != NULL && last_top != NULL) *bottom = last_top;
    uint8_t *top = REAL(dag_advance_stream)(fd, stream, bottom);
    if (top == NULL) return NULL;
    if (is("blocking") && wanted_mindata == 0) {
        usleep((useconds_t)(wanted_maxwait.tv_sec * 1000000 + wanted_maxwait.tv_usec));
    }
    last_top = top;
    if (top == *bottom && is("null")) return errno = EAGAIN, NULL;
    if (top > *bottom && is("partial")) return top - 8;
    if (top > *bottom + 64 && is("skipping")) *bottom += 32;
    if (top > *bottom && is("backwards")) return *bottom - 64;
    return top;
}

uint8_t *dag_rx_stream_next_record(int fd, int stream)
{
    uint8_t *record = REAL(dag_rx_stream_next_record)(fd, stream);
    return ++records == 3 && is("third-record") ? (errno = EIO, NULL) : record;
}

uint8_t *dag_tx_get_stream_space64(int fd, int stream, dag_size_t size)
{
    uint8_t *room = REAL(dag_tx_get_stream_space64)(fd, stream, size);
    return room == NULL && size > (1 << 30) && is("later") ? (errno = EAGAIN, NULL) : room;
}

dag_ssize_t dag_get_stream_buffer_level64(int fd, int stream)
{
    dag_ssize_t level = REAL(dag_get_stream_buffer_level64)(fd, stream);
    return level >= 0 && is("level") ? fail(ENOTTY) : level;
}
