/* Opens through the configuration API, reads and writes back the poll parameters, walks without looking whether a record is whole,
 * and asks for the drop counter by number. */
#include "client.h"
#include <dag_config_api.h>
#include <fcntl.h>

int main(int argc, char **argv)
{
    long left = wanted(argc, argv);
    dag_card_ref_t card = dag_config_init(argv[1]);
    if (card == NULL) die("dag_config_init");
    int fd = dag_config_get_card_fd(card);
    int stream = 0;
    char name[DAGNAME_BUFSIZE];
    CHECK(dag_parse_name(argv[1], name, sizeof name, &stream));
    CHECK(fcntl(fd, F_GETFL));
    CHECK(dag_attach_stream64(fd, stream, 0, 0));
    attr_uuid_t drops = kNullAttributeUuid;
    if (dag_component_get_subcomponent(dag_config_get_root_component(card), kComponentStreamFeatures, 0) != NULL)
        drops = dag_config_get_indexed_attribute_uuid(card, kUint32AttributeStreamDropCount, stream);
    if (drops == kNullAttributeUuid) die("no drop counter");
    dag_size_t mindata;
    struct timeval maxwait, poll;
    CHECK(dag_get_stream_poll64(fd, stream, &mindata, &maxwait, &poll));
    if (poll.tv_sec == 0 && poll.tv_usec == 0) die("poll is zero");
    mindata = 65536;
    maxwait.tv_sec = 0;
    maxwait.tv_usec = 100000;
    CHECK(dag_set_stream_poll64(fd, stream, mindata, &maxwait, &poll));
    CHECK(dag_start_stream(fd, stream));
    uint8_t types[255];
    CHECK(dag_get_stream_erf_types(fd, stream, types, 255));
    uint8_t *bottom = NULL, *top = NULL;
    while (left > 0) {
        while (top - bottom < dag_record_size) {
            top = dag_advance_stream(fd, stream, &bottom);
            if (top == NULL) die("dag_advance_stream");
        }
        while (left > 0 && top - bottom >= dag_record_size) {
            dag_record_t *record = (dag_record_t *)bottom;
            if (is_packet(bottom)) {
                show(bottom);
                left--;
            }
            bottom += RECORD_LEN((uint8_t *)record);
        }
    }
    uint32_t dropped = 1;
    uint64_t wide = 1;
    if (dag_config_get_uint32_attribute_ex(card, drops, &dropped) != kDagErrNone) die("32-bit drop counter");
    if (dag_config_get_uint64_attribute_ex(card, drops, &wide) != kDagErrNone || wide < dropped) die("64-bit drop counter");
    fprintf(stderr, "dropped %u\n", dropped);
    CHECK(dag_stop_stream(fd, stream));
    CHECK(dag_detach_stream(fd, stream));
    dag_config_dispose(card);
    return 0;
}
