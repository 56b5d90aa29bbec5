/* A libdag that is no emulated card's: as far as programs can tell, a vendor's. What it does is chosen by FAKE_LIBDAG; without
 * it, it is a good card of which a ring of 1 MiB is received, a part of the last record missing at every other look.
 * Compiled with NARROW it has the 32-bit functions only, and no configuration functions. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <dag_config_api.h>
#include <dagapi.h>
#include <dagpci.h>

#define RING (1 << 20)
#define RECORD 88
#define FD 4711

static uint8_t *ring;
static uint64_t filled, released;
static int looks, attached;
static uint32_t told_mindata;

static int is(const char *what)
{
    const char *chosen = getenv("FAKE_LIBDAG");
    return chosen != NULL && strcmp(chosen, what) == 0;
}

static int fail(int number)
{
    errno = number;
    return -1;
}

int dag_open(const char *name)
{
    if (strcmp(name, "/dev/dag0") != 0) return fail(ENOENT);
    if (is("eacces")) return fail(EACCES);
    return FD;
}

int dag_close(int fd) { return fd == FD ? 0 : fail(EBADF); }
int dag_rx_get_stream_count(int fd) { return fd == FD ? 2 : fail(EBADF); }

#ifdef NARROW
int dag_get_stream_buffer_size(int fd, int stream)
#else
dag_ssize_t dag_get_stream_buffer_size64(int fd, int stream)
#endif
{
    (void)fd;
    if (stream == 0) return RING;
    return stream == 2 ? 0 : fail(EINVAL);
}

#ifdef NARROW
int dag_attach_stream(int fd, int stream, uint32_t flags, uint32_t window)
#else
int dag_attach_stream64(int fd, int stream, uint32_t flags, dag_size_t window)
#endif
{
    (void)fd, (void)flags, (void)window;
    if (stream == 2) return fail(ENOMEM);
    if (stream != 0) return fail(EINVAL);
    if (is("ebusy") || attached) return fail(EBUSY);
    int memory = memfd_create("ring", 0);
    if (memory < 0 || ftruncate(memory, RING) < 0) return -1;
    ring = mmap(NULL, 2 * RING, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mmap(ring, RING, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memory, 0);
    mmap(ring + RING, RING, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memory, 0);
    attached = 1;
    return 0;
}

int dag_detach_stream(int fd, int stream)
{
    (void)fd, (void)stream;
    attached = 0;
    munmap(ring, 2 * RING);
    return 0;
}

int dag_start_stream(int fd, int stream) { return (void)fd, (void)stream, attached ? 0 : fail(EINVAL); }
int dag_stop_stream(int fd, int stream) { return (void)fd, (void)stream, 0; }

#ifdef NARROW
int dag_set_stream_poll(int fd, int stream, uint32_t mindata, struct timeval *maxwait, struct timeval *poll)
#else
int dag_set_stream_poll64(int fd, int stream, dag_size_t mindata, struct timeval *maxwait, struct timeval *poll)
#endif
{
    (void)fd, (void)stream, (void)maxwait, (void)poll;
    told_mindata = (uint32_t)mindata;
    return 0;
}

#ifdef NARROW
int dag_get_stream_poll(int fd, int stream, uint32_t *mindata, struct timeval *maxwait, struct timeval *poll)
#else
int dag_get_stream_poll64(int fd, int stream, dag_size_t *mindata, struct timeval *maxwait, struct timeval *poll)
#endif
{
    (void)fd, (void)stream;
    *mindata = told_mindata;
    maxwait->tv_sec = poll->tv_sec = 0;
    maxwait->tv_usec = poll->tv_usec = 10000;
    return 0;
}

/* Records of 2^-26 s, a second apart. */
static void fill(void)
{
    static uint32_t number;
    while (filled + RECORD <= released + RING / 2) {
        uint8_t record[RECORD] = {0};
        uint32_t seconds = 1700000000u + number, fraction = number << 6;
        memcpy(record, &fraction, 4);
        memcpy(record + 4, &seconds, 4);
        record[8] = ERF_TYPE_ETH;
        record[9] = 4;
        record[11] = RECORD;
        record[13] = number == 5 ? 3 : 0;
        record[15] = 64;
        if (is("short") && number % 100 == 50) record[11] = 3;
        memcpy(ring + filled % RING, record, RECORD);
        number++;
        filled += RECORD;
    }
}

uint8_t *dag_advance_stream(int fd, int stream, uint8_t **bottom)
{
    (void)fd, (void)stream;
    if (is("null")) return errno = EIO, NULL;
    if (is("eagain")) return errno = EAGAIN, NULL;
    if (is("eintr") && looks++ % 2 == 0) return errno = EINTR, NULL;
    if (*bottom != NULL) {
        uint64_t offset = (uint64_t)(*bottom - ring);
        released += (offset + 2 * RING - released % RING) % RING;
    }
    if (is("hanging") && filled > 0) {
        *bottom = ring + released % RING;
        return *bottom + (filled - released);
    }
    fill();
    looks++;
    *bottom = ring + released % RING;
    uint64_t ready = filled - released;
    if (is("backwards") && looks > 3) return *bottom - 8;
    if (is("taken-back") && looks > 3) return *bottom;
    if (is("huge")) return *bottom + RING + 8;
    static uint64_t shown;
    uint64_t end = released + ready;
    if (looks % 2 == 0 && end >= shown + RECORD) end -= 30;
    shown = end;
    return *bottom + (end - released);
}

#ifndef NARROW
dag_card_inf_t *dag_pciinfo(int fd)
{
    static dag_card_inf_t info;
    info.device_code = PCI_DEVICE_ID_DAG9_2X2;
    info.brd_rev = 2;
    strcpy(info.bus_id, "0000:17:00.0");
    return fd == FD ? &info : NULL;
}

char *dag_device_name(unsigned int code, int flag)
{
    (void)flag;
    return code == PCI_DEVICE_ID_DAG9_2X2 ? "DAG 9.2X2" : "unknown";
}

static char card, root, features, duck;

dag_card_ref_t dag_config_init(const char *name) { return (void)name, (dag_card_ref_t)&card; }
void dag_config_dispose(dag_card_ref_t ref) { (void)ref; }
dag_component_t dag_config_get_root_component(dag_card_ref_t ref) { return (void)ref, (dag_component_t)&root; }

dag_component_t dag_component_get_subcomponent(dag_component_t parent, dag_component_code_t code, int index)
{
    if (parent != (dag_component_t)&root || index != 0) return NULL;
    if (code == kComponentStreamFeatures) return (dag_component_t)&features;
    return code == kComponentDUCK ? (dag_component_t)&duck : NULL;
}

attr_uuid_t dag_config_get_indexed_attribute_uuid(dag_card_ref_t ref, dag_attribute_code_t code, int index)
{
    (void)ref;
    return code == kUint32AttributeStreamDropCount && index == 0 ? 77 : kNullAttributeUuid;
}

attr_uuid_t dag_component_get_config_attribute_uuid(dag_component_t part, dag_attribute_code_t code)
{
    if (part == (dag_component_t)&duck && code == kBooleanAttributeDUCKSynchronized) return 78;
    return kNullAttributeUuid;
}

dag_err_t dag_config_get_uint32_attribute_ex(dag_card_ref_t ref, attr_uuid_t uuid, uint32_t *value)
{
    (void)ref;
    if (uuid != 77) return kDagErrGeneral;
    /* It has counted since long before. */
    *value = 4000000000u;
    return kDagErrNone;
}

uint8_t dag_config_get_boolean_attribute(dag_card_ref_t ref, attr_uuid_t uuid) { return (void)ref, uuid == 78 ? 0 : 1; }
uint32_t dag_config_get_interface_count(dag_card_ref_t ref) { return (void)ref, 2; }
#endif
