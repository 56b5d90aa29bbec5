/* Everything wrong that a program can do: each call must fail with the errno that is right, and nothing must crash. */
#include "client.h"
#include <dag_config_api.h>
#include <dag_emu.h>
#include <dagpci.h>
#include <dagutil.h>
#include <limits.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static int wrong;

#define FAILS(call, number)                                                                                  \
    do {                                                                                                     \
        errno = 0;                                                                                           \
        if ((long)(call) != -1 || errno != (number)) {                                                       \
            fprintf(stderr, "%s: errno %d and not %d\n", #call, errno, number);                              \
            wrong++;                                                                                         \
        }                                                                                                    \
    } while (0)

#define IS_NULL(call, number)                                                                                \
    do {                                                                                                     \
        errno = 0;                                                                                           \
        if ((call) != NULL || errno != (number)) {                                                           \
            fprintf(stderr, "%s: errno %d and not %d\n", #call, errno, number);                              \
            wrong++;                                                                                         \
        }                                                                                                    \
    } while (0)

#define HOLDS(what)                                                                                          \
    do {                                                                                                     \
        if (!(what)) {                                                                                       \
            fprintf(stderr, "not so: %s\n", #what);                                                          \
            wrong++;                                                                                         \
        }                                                                                                    \
    } while (0)

/* No call is to crash, whatever the descriptor and the stream. */
static void every_call(int fd, int stream, int expected)
{
    uint8_t *bottom = NULL;
    uint8_t buffer[64];
    uint32_t mindata32;
    dag_size_t mindata64;
    struct timeval maxwait = {0, 1000}, poll = {0, 1000};
    FAILS(dag_attach_stream(fd, stream, 0, UINT32_MAX), expected);
    FAILS(dag_attach_stream64(fd, stream, UINT32_MAX, UINT64_MAX), expected);
    FAILS(dag_detach_stream(fd, stream), expected);
    FAILS(dag_start_stream(fd, stream), expected);
    FAILS(dag_stop_stream(fd, stream), expected);
    FAILS(dag_get_stream_poll(fd, stream, &mindata32, &maxwait, &poll), expected);
    FAILS(dag_get_stream_poll64(fd, stream, &mindata64, &maxwait, &poll), expected);
    FAILS(dag_set_stream_poll(fd, stream, 1, &maxwait, &poll), expected);
    FAILS(dag_set_stream_poll64(fd, stream, UINT64_MAX, &maxwait, &poll), expected);
    FAILS(dag_get_stream_buffer_size(fd, stream), expected);
    FAILS(dag_get_stream_buffer_size64(fd, stream), expected);
    FAILS(dag_get_stream_buffer_level(fd, stream), expected);
    FAILS(dag_get_stream_buffer_level64(fd, stream), expected);
    FAILS(dag_get_stream_erf_types(fd, stream, buffer, sizeof buffer), expected);
    FAILS(dag_set_mode(fd, stream, UINT32_MAX), expected);
    FAILS(dag_tx_stream_copy_bytes(fd, stream, buffer, sizeof buffer), expected);
    FAILS(dag_tx_stream_copy_bytes64(fd, stream, NULL, UINT64_MAX), expected);
    IS_NULL(dag_advance_stream(fd, stream, &bottom), expected);
    IS_NULL(dag_advance_stream(fd, stream, NULL), expected);
    IS_NULL(dag_rx_stream_next_record(fd, stream), expected);
    IS_NULL(dag_rx_stream_next_inline(fd, stream, stream), expected);
    IS_NULL(dag_tx_get_stream_space(fd, stream, UINT32_MAX), expected);
    IS_NULL(dag_tx_get_stream_space64(fd, stream, UINT64_MAX), expected);
    IS_NULL(dag_tx_stream_commit_bytes(fd, stream, 1), expected);
    IS_NULL(dag_tx_stream_commit_bytes64(fd, stream, 1), expected);
    IS_NULL(dag_tx_stream_commit_records64(fd, stream, 1), expected);
}

static void closed_cards(int fd)
{
    uint8_t types[8];
    static const int streams[] = {0, 1, 2, -1, INT_MAX, INT_MIN};
    for (unsigned n = 0; n < sizeof streams / sizeof *streams; n++) every_call(fd, streams[n], EBADF);
    FAILS(dag_close(fd), EBADF);
    FAILS(dag_configure(fd, ""), EBADF);
    FAILS(dag_rx_get_stream_count(fd), EBADF);
    FAILS(dag_tx_get_stream_count(fd), EBADF);
    FAILS(dag_linktype(fd), EBADF);
    FAILS(dag_get_erf_types(fd, types, sizeof types), EBADF);
    FAILS(dag_emu_describe(fd, NULL, 0), EBADF);
    IS_NULL(dag_info(fd), EBADF);
    IS_NULL(dag_pciinfo(fd), EBADF);
}

static void names(void)
{
    char buffer[DAGNAME_BUFSIZE], small[4];
    int stream = 7;
    FAILS(dag_parse_name(NULL, buffer, sizeof buffer, &stream), EINVAL);
    FAILS(dag_parse_name("dag0", NULL, 100, &stream), EINVAL);
    FAILS(dag_parse_name("dag0", small, sizeof small, &stream), EINVAL);
    FAILS(dag_parse_name("dag0", buffer, -1, &stream), EINVAL);
    FAILS(dag_parse_name("eth0", buffer, sizeof buffer, &stream), EINVAL);
    FAILS(dag_parse_name("\xff\xfe", buffer, sizeof buffer, &stream), EINVAL);
    HOLDS(stream == 7);
    HOLDS(dag_parse_name("dag3:4", buffer, sizeof buffer, NULL) == 0 && strcmp(buffer, "/dev/dag3") == 0);
    FAILS(dag_open(NULL), EINVAL);
    FAILS(dag_open("/dev/null"), ENOENT);
    FAILS(dag_open("dag7"), ENOENT);
    /* Descriptions that are none. */
    FAILS(dag_open("dag8"), EINVAL);
    FAILS(dag_open("dag9"), ENOENT);
    IS_NULL(dag_config_init(NULL), EINVAL);
    IS_NULL(dag_config_init("dag7"), ENOENT);
}

static void configuration(void)
{
    void *nonsense[] = {NULL, (void *)1, (void *)2, &wrong, (void *)UINTPTR_MAX, (void *)(UINTPTR_MAX << 32 | 2)};
    for (unsigned n = 0; n < sizeof nonsense / sizeof *nonsense; n++) {
        dag_card_ref_t card = (dag_card_ref_t)nonsense[n];
        dag_component_t part = (dag_component_t)nonsense[n];
        void *place;
        uint32_t value;
        HOLDS(dag_config_get_root_component(card) == NULL);
        FAILS(dag_config_get_card_fd(card), EINVAL);
        HOLDS(dag_component_get_subcomponent(part, kComponentStream, 0) == NULL);
        HOLDS(dag_component_get_subcomponent_count_of_type(part, kComponentStream) == 0);
        HOLDS(dag_component_get_config_attribute_uuid(part, kUint32AttributeSnaplength) == kNullAttributeUuid);
        HOLDS(dag_component_get_attribute_uuid(part, kUint32AttributeSnaplength) == kNullAttributeUuid);
        HOLDS(dag_config_get_indexed_attribute_uuid(card, kUint32AttributeStreamDropCount, 0) == kNullAttributeUuid);
        HOLDS(dag_config_get_indexed_named_attribute_uuid(card, NULL, 0) == kNullAttributeUuid);
        HOLDS(dag_config_get_attribute_to_string(card, 1) == NULL);
        HOLDS(dag_config_get_uint32_attribute_ex(card, 256, &value) != kDagErrNone);
        HOLDS(dag_config_get_struct_attribute(card, 256, &place) != kDagErrNone);
        HOLDS(dag_config_set_uint32_attribute(card, 256, 1) != kDagErrNone);
        HOLDS(dag_config_set_boolean_attribute(card, UINT64_MAX, 1) != kDagErrNone);
        HOLDS(dag_config_get_interface_count(card) == 0);
        dag_config_dispose(card);
    }
    dag_card_ref_t card = dag_config_init("/dev/dag0");
    HOLDS(card != NULL);
    dag_component_t root = dag_config_get_root_component(card);
    HOLDS(dag_component_get_subcomponent(root, kComponentStream, -1) == NULL);
    HOLDS(dag_component_get_subcomponent(root, kComponentStream, INT_MAX) == NULL);
    HOLDS(dag_component_get_subcomponent(root, (dag_component_code_t)-1, 0) == NULL);
    HOLDS(dag_component_get_subcomponent(root, kComponentTerf, 0) == NULL);
    HOLDS(dag_config_get_indexed_attribute_uuid(card, kUint32AttributeStreamDropCount, 1000) == kNullAttributeUuid);
    /* By the number of the stream, and by the number that older programs count it by. */
    HOLDS(dag_config_get_indexed_attribute_uuid(card, kUint32AttributeStreamDropCount, 1) ==
          dag_config_get_indexed_attribute_uuid(card, kUint32AttributeStreamDropCount, 2));
    attr_uuid_t drops = dag_config_get_indexed_attribute_uuid(card, kUint32AttributeStreamDropCount, 0);
    HOLDS(drops != kNullAttributeUuid && drops < 0x80000000u);
    HOLDS(dag_config_get_uint32_attribute_ex(card, drops, NULL) != kDagErrNone);
    HOLDS(dag_config_set_uint32_attribute(card, drops, 1) != kDagErrNone);
    attr_uuid_t snaplen = dag_component_get_config_attribute_uuid(root, kUint32AttributeSnaplength);
    HOLDS(dag_config_set_uint32_attribute(card, snaplen, 0) != kDagErrNone);
    HOLDS(dag_config_set_uint32_attribute(card, snaplen, 96) == kDagErrNone);
    HOLDS(dag_config_get_uint32_attribute(card, snaplen) == 96);
    HOLDS(strcmp(dag_config_get_attribute_to_string(card, snaplen), "96") == 0);
    mem_node_t *node = NULL;
    dag_component_t stream = dag_component_get_subcomponent(root, kComponentStream, 0);
    attr_uuid_t memory = dag_component_get_config_attribute_uuid(stream, kStructAttributeMemNode);
    HOLDS(dag_config_get_struct_attribute(card, memory, (void **)&node) == kDagErrNone && node->node == -1);
    HOLDS(dag_config_strerror(kDagErrNone) != NULL && dag_config_strerror((dag_err_t)12345) != NULL);
    HOLDS(dag_config_get_interface_count(card) == 2);
    int fd = dag_config_get_card_fd(card);
    dag_config_dispose(card);
    dag_config_dispose(card);
    FAILS(dag_start_stream(fd, 0), EBADF);
}

static void streams(void)
{
    int fd = dag_open("/dev/dag0"), other = dag_open("0");
    uint8_t *bottom = NULL, *top, types[2];
    struct timeval maxwait = {0, 100000}, poll = {0, 1000}, negative = {-1, 0};
    HOLDS(fd >= 0 && other >= 0 && fd != other);
    every_call(fd, 1, EINVAL);
    every_call(fd, 6, EINVAL);
    every_call(fd, -2, EINVAL);
    every_call(fd, INT_MAX, EINVAL);
    /* Stream 4 exists and has no memory. */
    HOLDS(dag_get_stream_buffer_size64(fd, 4) == 0);
    FAILS(dag_attach_stream64(fd, 4, 0, 0), ENOMEM);
    FAILS(dag_get_stream_erf_types(fd, 0, types, 1), EINVAL);
    FAILS(dag_get_stream_erf_types(fd, 0, types, -1), EINVAL);
    FAILS(dag_get_stream_erf_types(fd, 0, NULL, 100), EINVAL);
    HOLDS(dag_get_stream_erf_types(fd, 0, types, 2) == 1 && types[1] == 0);
    FAILS(dag_set_mode(fd, 0, DAG_REVERSE_MODE), ENOTSUP);
    FAILS(dag_configure(fd, NULL), EINVAL);
    FAILS(dag_configure(fd, "slen=x"), EINVAL);
    HOLDS(dag_configure(fd, "varlen slen=65528 something=else") == 0);
    /* Before attach, between attach and start. */
    IS_NULL(dag_advance_stream(fd, 0, &bottom), EINVAL);
    HOLDS(dag_attach_stream64(fd, 0, 0, 0) == 0);
    FAILS(dag_attach_stream64(other, 0, 0, 0), EBUSY);
    IS_NULL(dag_advance_stream(fd, 0, &bottom), EINVAL);
    IS_NULL(dag_advance_stream(other, 0, &bottom), EINVAL);
    IS_NULL(dag_rx_stream_next_record(fd, 0), EINVAL);
    HOLDS(dag_stop_stream(fd, 0) == 0);
    FAILS(dag_set_stream_poll64(fd, 0, 1, NULL, &poll), EINVAL);
    FAILS(dag_set_stream_poll64(fd, 0, 1, &maxwait, &negative), EINVAL);
    FAILS(dag_get_stream_poll64(fd, 0, NULL, &maxwait, &poll), EINVAL);
    HOLDS(dag_set_stream_poll64(fd, 0, 1000, &maxwait, &poll) == 0);
    HOLDS(dag_start_stream(fd, 0) == 0 && dag_start_stream(fd, 0) == 0);
    errno = 4242;
    top = dag_advance_stream(fd, 0, &bottom);
    HOLDS(errno == 4242);
    HOLDS(top != NULL && top - bottom >= 1000);
    /* Pointers that were never lent. */
    uint8_t *bad[] = {top + 8, bottom - 8, (uint8_t *)8, (uint8_t *)UINTPTR_MAX, (uint8_t *)&wrong};
    for (unsigned n = 0; n < sizeof bad / sizeof *bad; n++) {
        uint8_t *pointer = bad[n];
        IS_NULL(dag_advance_stream(fd, 0, &pointer), EINVAL);
        HOLDS(pointer == bad[n]);
    }
    /* The same place in the other mapping. */
    uint8_t *high = top + dag_get_stream_buffer_size64(fd, 0);
    HOLDS(dag_advance_stream(fd, 0, &high) != NULL);
    HOLDS(high < top + 8);
    HOLDS(dag_detach_stream(fd, 0) == 0);
    FAILS(dag_detach_stream(fd, 0), EINVAL);
    /* Closed behind the library's back, and the number used again. */
    close(fd);
    int again = dag_open("dag0");
    HOLDS(again == fd);
    HOLDS(dag_attach_stream64(again, 0, 0, 0) == 0);
    HOLDS(dag_close(again) == 0 && dag_close(other) == 0);
}

static void transmits(void)
{
    uint8_t record[88] = {0};
    int fd = dag_open("dag2"), other = dag_open("dag2");
    HOLDS(fd >= 0 && dag_tx_get_stream_count(fd) == 2 && dag_rx_get_stream_count(fd) == 1);
    HOLDS(dag_get_stream_buffer_size64(fd, 3) > 0);
    every_call(fd, 5, EINVAL);
    IS_NULL(dag_tx_get_stream_space64(fd, 1, 8), EINVAL);
    HOLDS(dag_attach_stream64(fd, 1, 0, 0) == 0);
    FAILS(dag_attach_stream64(other, 1, 0, 0), EBUSY);
    IS_NULL(dag_tx_get_stream_space64(fd, 1, 8), EINVAL);
    FAILS(dag_tx_stream_copy_bytes64(fd, 1, record, sizeof record), EINVAL);
    HOLDS(dag_start_stream(fd, 1) == 0);
    IS_NULL(dag_tx_get_stream_space64(fd, 1, UINT64_MAX), EINVAL);
    IS_NULL(dag_tx_get_stream_space(other, 1, 8), EINVAL);
    IS_NULL(dag_tx_stream_commit_bytes64(fd, 1, 8), EINVAL);
    HOLDS(dag_tx_get_stream_space64(fd, 1, 88) != NULL);
    IS_NULL(dag_tx_stream_commit_records64(fd, 1, 96), EINVAL);
    IS_NULL(dag_tx_stream_commit_bytes(fd, 1, UINT32_MAX), EINVAL);
    FAILS(dag_tx_stream_copy_bytes(fd, 1, NULL, 8), EINVAL);
    FAILS(dag_tx_stream_copy_bytes64(fd, 1, record, UINT64_MAX), EINVAL);
    uint8_t *bottom = NULL;
    IS_NULL(dag_advance_stream(fd, 1, &bottom), EINVAL);
    IS_NULL(dag_rx_stream_next_record(fd, 1), EINVAL);
    IS_NULL(dag_rx_stream_next_inline(fd, 1, 1), EINVAL);
    FAILS(dag_set_mode(fd, 3, DAG_REVERSE_MODE), ENOTSUP);
    /* What is no record goes nowhere, and does not stay. */
    HOLDS(dag_tx_stream_copy_bytes64(fd, 1, record, sizeof record) == sizeof record);
    for (int n = 0; n < 1000 && dag_get_stream_buffer_level64(fd, 1) > 0; n++) usleep(1000);
    HOLDS(dag_get_stream_buffer_level64(fd, 1) == 0);
    /* A part of a record stays until the stop. */
    record[11] = 88;
    HOLDS(dag_tx_stream_copy_bytes64(fd, 1, record, 40) == 40);
    usleep(20000);
    HOLDS(dag_get_stream_buffer_level64(fd, 1) == 40);
    HOLDS(dag_stop_stream(fd, 1) == 0 && dag_get_stream_buffer_level64(fd, 1) == 0);
    HOLDS(dag_close(fd) == 0 && dag_close(other) == 0);
}

static int shared;

static void *waits(void *nothing)
{
    uint8_t *bottom = NULL;
    (void)nothing;
    struct timeval forever = {0, 0}, poll = {0, 10000};
    dag_set_stream_poll64(shared, 0, 1 << 30, &forever, &poll);
    while (dag_advance_stream(shared, 0, &bottom) != NULL) {
    }
    HOLDS(errno == EBADF || errno == EINVAL);
    return NULL;
}

/* A stream is closed while another thread waits on it. */
static void closed_while_waiting(void)
{
    pthread_t thread;
    shared = dag_open("dag0");
    HOLDS(dag_attach_stream64(shared, 0, 0, 0) == 0 && dag_start_stream(shared, 0) == 0);
    pthread_create(&thread, NULL, waits, NULL);
    usleep(50000);
    HOLDS(dag_close(shared) == 0);
    pthread_join(thread, NULL);
}

/* The child has nothing open, and takes nothing from its parent. */
static void forked(void)
{
    int fd = dag_open("dag0");
    uint8_t *bottom = NULL;
    HOLDS(dag_attach_stream64(fd, 0, 0, 0) == 0 && dag_start_stream(fd, 0) == 0);
    pid_t child = fork();
    if (child == 0) {
        wrong = 0;
        closed_cards(fd);
        int own = dag_open("dag0");
        HOLDS(own >= 0 && dag_attach_stream64(own, 0, 0, 0) == 0 && dag_start_stream(own, 0) == 0);
        HOLDS(dag_advance_stream(own, 0, &bottom) != NULL);
        exit(wrong != 0);
    }
    int status = -1;
    HOLDS(waitpid(child, &status, 0) == child && status == 0);
    HOLDS(dag_advance_stream(fd, 0, &bottom) != NULL);
    HOLDS(dag_close(fd) == 0);
}

static void helpers(void)
{
    uint8_t record[24] = {0};
    record[8] = 0x80 | ERF_TYPE_ETH;
    record[16] = 0x80;
    HOLDS(dagerf_ext_header_count(record, sizeof record) == 0);
    record[16] = 3;
    HOLDS(dagerf_ext_header_count(record, sizeof record) == 1);
    HOLDS(dagerf_ext_header_count(record, 20) == 0);
    HOLDS(dagerf_ext_header_count(NULL, 100) == 0);
    HOLDS(dagerf_is_ethernet_type(record) && !dagerf_is_color_type(record) && !dagerf_is_multichannel_type(record));
    HOLDS(!dagerf_is_ethernet_type(NULL));
    for (int type = 0; type < 256; type++) HOLDS(dagerf_type_to_string((uint8_t)type, TT_ERROR) != NULL);
    dagutil_set_progname(NULL);
    HOLDS(dag_device_name(PCI_DEVICE_ID_EMULATED, 1) != NULL && strstr(dag_device_name(PCI_DEVICE_ID_EMULATED, 1), "emulated"));
    HOLDS(dag_device_name(0xffffffff, -1) != NULL);
    HOLDS(dag_emu_abi_version() == 1);
}

int main(void)
{
    static const int nothing[] = {-1, 0, 1, 2, 99, INT_MAX, INT_MIN};
    for (unsigned n = 0; n < sizeof nothing / sizeof *nothing; n++) closed_cards(nothing[n]);
    names();
    helpers();
    configuration();
    streams();
    transmits();
    closed_while_waiting();
    forked();
    int fd = dag_open("dag0");
    HOLDS(dag_info(fd)->device_code == PCI_DEVICE_ID_EMULATED && dag_pciinfo(fd)->brd_rev == 0);
    HOLDS(strcmp(dag_pciinfo(fd)->bus_id, "EMULATED") == 0);
    dag_close(fd);
    closed_cards(fd);
    if (wrong) fprintf(stderr, "%d things are wrong\n", wrong);
    return wrong != 0;
}
