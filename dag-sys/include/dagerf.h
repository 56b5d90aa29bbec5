/*
 * dagerf.h - the ERF record, its types, and small questions about records.
 *
 * Clean-room: written from docs/libdag-contract.md (sections 3, 4.1, 5), which was derived from programs that call libdag and
 * from public descriptions of the ERF format. No vendor header was used.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef DAGERF_H
#define DAGERF_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Length of the header that every record has. Signed: callers compare it with differences of pointers. */
#define dag_record_size 16

/* Record types. Macros, since callers test them with #ifndef. The low seven bits of the type byte; bit 7 says that an
 * extension header follows. In types marked (c) the loss counter holds a colour. */
#define ERF_TYPE_LEGACY 0
#define ERF_TYPE_HDLC_POS 1
#define ERF_TYPE_ETH 2
#define ERF_TYPE_ATM 3
#define ERF_TYPE_AAL5 4
#define ERF_TYPE_MC_HDLC 5
#define ERF_TYPE_MC_RAW 6
#define ERF_TYPE_MC_ATM 7
#define ERF_TYPE_MC_RAW_CHANNEL 8
#define ERF_TYPE_MC_AAL5 9
#define ERF_TYPE_COLOR_HDLC_POS 10     /* (c) */
#define ERF_TYPE_COLOR_ETH 11          /* (c) */
#define ERF_TYPE_MC_AAL2 12
#define ERF_TYPE_IP_COUNTER 13
#define ERF_TYPE_TCP_FLOW_COUNTER 14
#define ERF_TYPE_DSM_COLOR_HDLC_POS 15 /* (c) */
#define ERF_TYPE_DSM_COLOR_ETH 16      /* (c) */
#define ERF_TYPE_COLOR_MC_HDLC_POS 17  /* (c) */
#define ERF_TYPE_AAL2 18
#define ERF_TYPE_COLOR_HASH_POS 19     /* (c) */
#define ERF_TYPE_COLOR_HASH_ETH 20     /* (c) */
#define ERF_TYPE_INFINIBAND 21
#define ERF_TYPE_IPV4 22
#define ERF_TYPE_IPV6 23
#define ERF_TYPE_RAW_LINK 24
#define ERF_TYPE_INFINIBAND_LINK 25
#define ERF_TYPE_META 27
#define ERF_TYPE_OPA_SNC 28
#define ERF_TYPE_OPA_9B 29
#define ERF_TYPE_INTERNAL0 32
#define ERF_TYPE_INTERNAL1 33
#define ERF_TYPE_INTERNAL2 34
#define ERF_TYPE_INTERNAL3 35
#define ERF_TYPE_INTERNAL4 36
#define ERF_TYPE_INTERNAL5 37
#define ERF_TYPE_INTERNAL6 38
#define ERF_TYPE_INTERNAL7 39
#define ERF_TYPE_INTERNAL8 40
#define ERF_TYPE_INTERNAL9 41
#define ERF_TYPE_INTERNAL10 42
#define ERF_TYPE_INTERNAL11 43
#define ERF_TYPE_INTERNAL12 44
#define ERF_TYPE_INTERNAL13 45
#define ERF_TYPE_INTERNAL14 46
#define ERF_TYPE_INTERNAL15 47
#define ERF_TYPE_PAD 48

/* The range of known types; ERF_TYPE_MAX also sizes arrays. */
#define ERF_TYPE_MIN 1
#define ERF_TYPE_MAX 48
#define TYPE_MIN ERF_TYPE_MIN
#define TYPE_MAX ERF_TYPE_MAX

#define ERF_TYPE_MASK 0x7F
#define ERF_TYPE_MORE_EXT 0x80

/* The older spelling. Types that came later have no such name. */
#define TYPE_LEGACY ERF_TYPE_LEGACY
#define TYPE_HDLC_POS ERF_TYPE_HDLC_POS
#define TYPE_ETH ERF_TYPE_ETH
#define TYPE_ATM ERF_TYPE_ATM
#define TYPE_AAL5 ERF_TYPE_AAL5
#define TYPE_MC_HDLC ERF_TYPE_MC_HDLC
#define TYPE_MC_RAW ERF_TYPE_MC_RAW
#define TYPE_MC_ATM ERF_TYPE_MC_ATM
#define TYPE_MC_RAW_CHANNEL ERF_TYPE_MC_RAW_CHANNEL
#define TYPE_MC_AAL5 ERF_TYPE_MC_AAL5
#define TYPE_COLOR_HDLC_POS ERF_TYPE_COLOR_HDLC_POS
#define TYPE_COLOR_ETH ERF_TYPE_COLOR_ETH
#define TYPE_MC_AAL2 ERF_TYPE_MC_AAL2
#define TYPE_IP_COUNTER ERF_TYPE_IP_COUNTER
#define TYPE_TCP_FLOW_COUNTER ERF_TYPE_TCP_FLOW_COUNTER
#define TYPE_DSM_COLOR_HDLC_POS ERF_TYPE_DSM_COLOR_HDLC_POS
#define TYPE_DSM_COLOR_ETH ERF_TYPE_DSM_COLOR_ETH
#define TYPE_COLOR_MC_HDLC_POS ERF_TYPE_COLOR_MC_HDLC_POS
#define TYPE_AAL2 ERF_TYPE_AAL2
#define TYPE_COLOR_HASH_POS ERF_TYPE_COLOR_HASH_POS
#define TYPE_COLOR_HASH_ETH ERF_TYPE_COLOR_HASH_ETH
#define TYPE_INFINIBAND ERF_TYPE_INFINIBAND
#define TYPE_IPV4 ERF_TYPE_IPV4
#define TYPE_IPV6 ERF_TYPE_IPV6
#define TYPE_RAW_LINK ERF_TYPE_RAW_LINK
#define TYPE_INFINIBAND_LINK ERF_TYPE_INFINIBAND_LINK
#define TYPE_PAD ERF_TYPE_PAD

/* Extension header types: the low seven bits of the first byte of an extension header. */
#define EXT_HDR_TYPE_CLASSIFICATION 3
#define EXT_HDR_TYPE_INTERCEPT_ID 4
#define EXT_HDR_TYPE_RAW_LINK 5
#define EXT_HDR_TYPE_BFS 6
#define EXT_HDR_TYPE_CHANNELISED 12
#define EXT_HDR_TYPE_SIGNATURE 14
#define EXT_HDR_TYPE_PACKET_ID 15
#define EXT_HDR_TYPE_FLOW_ID 16
#define EXT_HDR_TYPE_HOST_ID 17
#define EXT_HDR_TYPE_ANCHOR_ID 18
#define EXT_HDR_TYPE_ENTROPY 19

#if defined(__GNUC__)
#define DAG_PACKED __attribute__((packed))
#else
#error "the ERF record needs a compiler that packs structs as GCC does"
#endif

/* What follows the headers, by type. Fields of more than one byte are big-endian. */
typedef struct erf_pos_rec {
    uint32_t hdlc;
    uint8_t pload[1];
} DAG_PACKED erf_pos_rec_t;

typedef struct erf_eth_rec {
    uint8_t offset;
    uint8_t pad;
    uint8_t dst[6];
    uint8_t src[6];
    uint16_t etype;
    uint8_t pload[1];
} DAG_PACKED erf_eth_rec_t;

typedef struct erf_atm_rec {
    uint32_t header;
    uint8_t pload[1];
} DAG_PACKED erf_atm_rec_t;

typedef struct erf_aal5_rec {
    uint32_t header;
    uint8_t pload[1];
} DAG_PACKED erf_aal5_rec_t;

typedef struct erf_mc_hdlc_rec {
    uint32_t mc_header;
    uint8_t pload[1];
} DAG_PACKED erf_mc_hdlc_rec_t;

typedef union erf_payload {
    erf_pos_rec_t pos;
    erf_eth_rec_t eth;
    erf_atm_rec_t atm;
    erf_aal5_rec_t aal5;
    erf_mc_hdlc_rec_t mc_hdlc;
} DAG_PACKED erf_payload_t;

/* The flags byte, from the least significant bit on. The interface has three bits, of which the third is bit 6. */
typedef struct erf_flags {
    uint8_t iface : 2;
    uint8_t vlen : 1;
    uint8_t trunc : 1;
    uint8_t rxerror : 1;
    uint8_t dserror : 1;
    uint8_t iface_high : 1;
    uint8_t reserved : 1;
} DAG_PACKED erf_flags_t;

/* A record. `rec` lies behind the 16 bytes of the header, where extension headers lie if there are any. */
typedef struct dag_record {
    uint64_t ts;       /* little-endian: seconds since 1970 in the high half, 2^-32 s in the low half */
    uint8_t type;      /* bit 7: an extension header follows */
    erf_flags_t flags;
    uint16_t rlen;     /* big-endian: bytes of the whole record; 16 at least */
    uint16_t lctr;     /* big-endian: records lost before this one, or a colour */
    uint16_t wlen;     /* big-endian: bytes on the wire; of Ethernet with its FCS */
    erf_payload_t rec;
} DAG_PACKED dag_record_t;

/* Sets the interface of a record, 0 to 7. */
#define DAG_ERF_SET_IFACE(record, number)                                   \
    do {                                                                    \
        (record)->flags.iface = (uint8_t)((unsigned)(number) & 3u);         \
        (record)->flags.iface_high = (uint8_t)(((unsigned)(number) >> 2) & 1u); \
    } while (0)

/* What dagerf_type_to_string() answers about types without a name. */
typedef enum dagerf_unknown {
    TT_ERROR = 0 /* an empty string */
} dagerf_unknown_t;

/* Whether a record is of an Ethernet, colour or multichannel type: not 0 if so. Looks at the type byte only. */
unsigned int dagerf_is_ethernet_type(uint8_t *erf);
unsigned int dagerf_is_color_type(uint8_t *erf);
unsigned int dagerf_is_multichannel_type(uint8_t *erf);

/* Number of extension headers of the record of `len` bytes; 0 if there are none, or if they do not fit. */
unsigned int dagerf_ext_header_count(uint8_t *erf, size_t len);

/* The name of a type (bit 7 is ignored); never NULL. */
const char *dagerf_type_to_string(uint8_t type, dagerf_unknown_t unknown);

#ifdef __cplusplus
}
#endif

#endif
