/* Opens the libraries at run time by their unversioned names and takes each function from whichever has it. */
#include "client.h"
#include <dag_config.h>
#include <dlfcn.h>

static void *libraries[2];

static void *function(const char *name)
{
    for (int n = 0; n < 2; n++) {
        void *found = dlsym(libraries[n], name);
        if (found != NULL) return found;
    }
    fprintf(stderr, "no %s\n", name);
    exit(1);
}

int main(int argc, char **argv)
{
    long left = wanted(argc, argv);
    libraries[0] = dlopen("libdag.so", RTLD_LAZY);
    libraries[1] = dlopen("libdagconf.so", RTLD_LAZY);
    if (!libraries[0] || !libraries[1]) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    /* What the configuration library refers to is found through it, too. */
    if (dlsym(libraries[1], "dag_config_init") == NULL) return 1;
    void (*set_progname)(char *) = (void (*)(char *))function("dagutil_set_progname");
    int (*parse_name)(const char *, char *, int, int *) = (int (*)(const char *, char *, int, int *))function("dag_parse_name");
    int (*open_card)(char *) = (int (*)(char *))function("dag_open");
    void (*close_card)(int) = (void (*)(int))function("dag_close");
    daginf_t *(*info)(int) = (daginf_t * (*)(int)) function("dag_info");
    int (*attach)(int, int, uint32_t, uint32_t) = (int (*)(int, int, uint32_t, uint32_t))function("dag_attach_stream");
    int (*detach)(int, int) = (int (*)(int, int))function("dag_detach_stream");
    int (*start)(int, int) = (int (*)(int, int))function("dag_start_stream");
    int (*stop)(int, int) = (int (*)(int, int))function("dag_stop_stream");
    int (*get_poll)(int, int, uint32_t *, struct timeval *, struct timeval *) =
        (int (*)(int, int, uint32_t *, struct timeval *, struct timeval *))function("dag_get_stream_poll");
    int (*set_poll)(int, int, uint32_t, struct timeval *, struct timeval *) =
        (int (*)(int, int, uint32_t, struct timeval *, struct timeval *))function("dag_set_stream_poll");
    uint8_t *(*advance)(int, int, uint8_t **) = (uint8_t * (*)(int, int, uint8_t **)) function("dag_advance_stream");
    int (*types)(int, int, uint8_t *, int) = (int (*)(int, int, uint8_t *, int))function("dag_get_stream_erf_types");
    function("dag_config_init");
    function("dag_config_get_indexed_named_attribute_uuid");
    function("dag_config_get_attribute_to_string");

    char name[DAGNAME_BUFSIZE];
    int stream;
    set_progname(argv[0]);
    CHECK(parse_name(argv[1], name, sizeof name, &stream));
    int fd = open_card(name);
    CHECK(fd);
    if (info(fd)->device_code == 0x4200) die("no such old card");
    uint8_t known[255];
    int count = types(fd, stream, known, sizeof known);
    if (count < 1 || (known[0] & ERF_TYPE_MASK) != ERF_TYPE_ETH) die("no Ethernet");
    CHECK(attach(fd, stream, 0, 0));
    CHECK(start(fd, stream));
    uint32_t mindata;
    struct timeval maxwait, poll;
    CHECK(get_poll(fd, stream, &mindata, &maxwait, &poll));
    maxwait.tv_usec = 50000;
    CHECK(set_poll(fd, stream, mindata, &maxwait, &poll));
    uint8_t *bottom = NULL, *top = NULL;
    while (left > 0) {
        top = advance(fd, stream, &bottom);
        if (top == NULL) die("dag_advance_stream");
        for (; left > 0 && bottom < top; bottom += RECORD_LEN(bottom)) {
            if (!is_packet(bottom)) continue;
            show(bottom);
            left--;
        }
    }
    CHECK(stop(fd, stream));
    CHECK(detach(fd, stream));
    close_card(fd);
    return 0;
}
