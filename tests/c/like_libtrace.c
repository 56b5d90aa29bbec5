/* Drains at the start in a loop that compares a saved end, sets the poll parameters before every packet, counts what lies ready in 32
 * bits, edits records where they lie, asks for the clock, and leaves its configuration reference open. With a third argument it
 * wants the card's name to be a character device. */
#include "client.h"
#include <dag_config_api.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

int main(int argc, char **argv)
{
    long left = wanted(argc, argv);
    struct stat device;
    if (argc > 3 && (stat(argv[1], &device) < 0 || !S_ISCHR(device.st_mode))) die("no device");
    int fd = dag_open(argv[1]);
    CHECK(fd);
    dag_card_ref_t card = dag_config_init(argv[1]);
    if (card == NULL) die("dag_config_init");
    dag_component_t root = dag_config_get_root_component(card);
    attr_uuid_t any = dag_component_get_config_attribute_uuid(root, kUint32AttributeSnaplength);
    dag_config_set_uint32_attribute(card, any, 65535);
    dag_config_set_boolean_attribute(card, 0, 1);
    duckinf_t duck = {0};
    if (ioctl(fd, DAGIOC_CARD_DUCK, &duck) >= 0) die("the clock of an emulated card cannot be read so");
    CHECK(dag_attach_stream64(fd, 0, 0, 0));
    CHECK(dag_start_stream(fd, 0));
    struct timeval zero = {0, 0};
    CHECK(dag_set_stream_poll64(fd, 0, 0, &zero, &zero));
    uint8_t *bottom = NULL;
    uint8_t *top = dag_advance_stream(fd, 0, &bottom);
    if (top == NULL) die("the first advance");
    uint32_t difference = (uint32_t)(top - bottom);
    while (difference != 0) {
        bottom += difference;
        if (dag_advance_stream(fd, 0, &bottom) == NULL) die("draining");
        difference = (uint32_t)(top - bottom);
    }
    top = bottom;
    while (left > 0) {
        struct timeval maxwait = {0, 100000}, poll = {0, 10000};
        CHECK(dag_set_stream_poll64(fd, 0, sizeof(dag_record_t), &maxwait, &poll));
        top = dag_advance_stream(fd, 0, &bottom);
        if (top == NULL) die("dag_advance_stream");
        uint32_t available = (uint32_t)(top - bottom);
        if (available < (uint32_t)dag_record_size) continue;
        dag_record_t *record = (dag_record_t *)bottom;
        unsigned len = RECORD_LEN(bottom);
        if (len > available) continue;
        show(bottom);
        /* As when an application sets a direction, or a record was received in error. */
        record->flags.iface = (uint8_t)(record->flags.iface + 1);
        record->rlen = 0x1000;
        bottom += len;
        left--;
    }
    CHECK(dag_stop_stream(fd, 0));
    CHECK(dag_detach_stream(fd, 0));
    CHECK(dag_close(fd));
    return 0;
}
