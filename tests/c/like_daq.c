/* A callback for each packet, of which the length is taken from the record and not from the wire, so that padding is part of it; what was
 * not consumed when enough packets were seen waits for the next acquire. Acquires of 64 packets each, until there are enough. */
#include "client.h"
#include <arpa/inet.h>

struct context {
    int fd, stream;
    uint8_t *bottom, *top;
    unsigned long long seen, dropped;
};

typedef void (*callback)(void *user, const dag_record_t *record, const uint8_t *packet, uint32_t caplen);

static void packet(void *user, const dag_record_t *record, const uint8_t *bytes, uint32_t caplen)
{
    long *left = user;
    if (bytes != record->rec.eth.dst || caplen + 18 != ntohs(record->rlen)) die("a frame elsewhere");
    show((const uint8_t *)record);
    --*left;
}

static int acquire(struct context *context, int count, callback call, void *user)
{
    for (int seen = 0; seen < count;) {
        if (context->top - context->bottom < dag_record_size) {
            context->top = dag_advance_stream(context->fd, context->stream, &context->bottom);
            if (context->top == NULL) return errno == EAGAIN ? 0 : -1;
            if (context->top == context->bottom) return 0;
        }
        dag_record_t *record = (dag_record_t *)context->bottom;
        unsigned len = ntohs(record->rlen);
        if (len < (unsigned)dag_record_size) return -1;
        /* Not all of it is there: what comes next begins with it. */
        if (context->top - context->bottom < (long)len) {
            context->top = context->bottom;
            continue;
        }
        context->bottom += len;
        if ((record->type & ERF_TYPE_MASK) != ERF_TYPE_ETH) continue;
        context->dropped += ntohs(record->lctr);
        context->seen++;
        call(user, record, (uint8_t *)record + dag_record_size + 2, len - dag_record_size - 2);
        seen++;
    }
    return 0;
}

int main(int argc, char **argv)
{
    long left = wanted(argc, argv);
    struct context context = {0};
    char name[DAGNAME_BUFSIZE];
    CHECK(dag_parse_name(argv[1], name, sizeof name, &context.stream));
    if (context.stream % 2 != 0) die("no receive stream");
    context.fd = dag_open(name);
    CHECK(context.fd);
    CHECK(dag_attach_stream(context.fd, context.stream, 0, 0));
    CHECK(dag_start_stream(context.fd, context.stream));
    struct timeval maxwait = {0, 100 * 1000}, poll = {0, 5 * 1000};
    CHECK(dag_set_stream_poll(context.fd, context.stream, 32 * 1024, &maxwait, &poll));
    while (left > 0) {
        if (acquire(&context, left < 64 ? (int)left : 64, packet, &left) < 0) die("acquire");
    }
    fprintf(stderr, "seen %llu dropped %llu\n", context.seen, context.dropped);
    CHECK(dag_stop_stream(context.fd, context.stream));
    CHECK(dag_detach_stream(context.fd, context.stream));
    CHECK(dag_close(context.fd));
    return 0;
}
