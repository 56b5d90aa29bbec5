/* Attaches a stream twice, looks at the parts of the card by component, and gives up without stopping. */
#include "client.h"
#include <dag_config_api.h>

int main(int argc, char **argv)
{
    long left = wanted(argc, argv);
    int fd = dag_open(argv[1]);
    CHECK(fd);
    dag_card_ref_t card = dag_config_init(argv[1]);
    if (card == NULL) die("dag_config_init");
    dag_component_t root = dag_config_get_root_component(card);
    if (dag_component_get_subcomponent_count_of_type(root, kComponentGpp) != 0) die("a GPP");
    dag_component_t duck = dag_component_get_subcomponent(root, kComponentDUCK, 0);
    attr_uuid_t synchronised = dag_component_get_config_attribute_uuid(duck, kBooleanAttributeDUCKSynchronized);
    if (!dag_config_get_boolean_attribute(card, synchronised)) die("not synchronised");
    attr_uuid_t crystal = dag_component_get_config_attribute_uuid(duck, kUint32AttributeDUCKCrystalFrequency);
    if (dag_config_get_uint32_attribute(card, crystal) == 0) die("no crystal");
    CHECK(dag_configure(fd, "varlen slen=65528"));
    if (dag_attach_stream(fd, 0, 0, 4 * 1024 * 1024) != 0) die("dag_attach_stream");
    if (dag_attach_stream(fd, 0, 0, 4 * 1024 * 1024) != 0) die("dag_attach_stream again");
    CHECK(dag_start_stream(fd, 0));
    struct timeval maxwait = {0, 0}, poll = {0, 10000};
    CHECK(dag_set_stream_poll(fd, 0, 88, &maxwait, &poll));
    uint8_t *bottom = NULL;
    while (left > 0) {
        uint8_t *top = dag_advance_stream(fd, 0, &bottom);
        if (top == NULL) die("dag_advance_stream");
        if (top - bottom < 88) die("a wait without limit has ended early");
        for (; left > 0 && bottom < top; left--, bottom += RECORD_LEN(bottom)) show(bottom);
    }
    dag_detach_stream(fd, 0);
    dag_config_dispose(card);
    dag_close(fd);
    return 0;
}
