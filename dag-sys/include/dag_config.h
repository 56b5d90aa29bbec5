/*
 * dag_config.h - types of the configuration and status API. Clean-room: written from docs/libdag-contract.md (sections 3, 6).
 *
 * All numbers here are this library's own: compile against the headers of the library that the program runs on.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef DAG_CONFIG_H
#define DAG_CONFIG_H

#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A card, and a part of one; NULL is none. */
typedef struct dag_card_ *dag_card_ref_t;
typedef struct dag_component_ *dag_component_t;

/* Names an attribute of a card. */
typedef uint64_t attr_uuid_t;
#define kNullAttributeUuid ((attr_uuid_t)0)

typedef enum dag_err {
    kDagErrNone = 0,
    kDagErrGeneral = 1,
    kDagErrInvalidCardRef = 2,
    kDagErrInvalidComponent = 3,
    kDagErrNoSuchAttribute = 4,
    kDagErrInvalidParameter = 5,
    kDagErrUnimplemented = 6
} dag_err_t;

/* Parts of a card. */
typedef enum dag_component_code {
    kComponentInvalid = 0,
    kComponentRoot = 0x0101,
    kComponentPort = 0x0102,
    kComponentGpp = 0x0103,
    kComponentDUCK = 0x0104,
    kComponentStream = 0x0105,
    kComponentStreamFeatures = 0x0106,
    kComponentTerf = 0x0107
} dag_component_code_t;

/* Attributes of cards and their parts. */
typedef enum dag_attribute_code {
    kAttributeInvalid = 0,
    kBooleanAttributeActive = 0x0201,
    kBooleanAttributeFault = 0x0202,
    kBooleanAttributeLocalFault = 0x0203,
    kBooleanAttributeLock = 0x0204,
    kBooleanAttributePeerLink = 0x0205,
    kBooleanAttributePromisc = 0x0206,
    kBooleanAttributeVarlen = 0x0207,
    kBooleanAttributeDUCKSynchronized = 0x0208,
    kBooleanAttributeLink = 0x0209,
    kUint32AttributeSnaplength = 0x0301,
    kUint32AttributeStreamDropCount = 0x0302,
    kUint32AttributeTerfStripCrc = 0x0303,
    kUint32AttributeDUCKCrystalFrequency = 0x0304,
    kStructAttributeMemNode = 0x0401
} dag_attribute_code_t;

/* Values of kUint32AttributeTerfStripCrc: how many bits of FCS the card takes off what it sends. */
typedef enum terf_strip {
    kTerfNoStrip = 0,
    kTerfStrip16 = 1,
    kTerfStrip32 = 2
} terf_strip_t;

/* The value of kStructAttributeMemNode: the NUMA node of a stream's memory, or -1. */
typedef struct mem_node {
    int32_t node;
} mem_node_t;

#ifdef __cplusplus
}
#endif

#endif
