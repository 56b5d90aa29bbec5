/*
 * dag_config_api.h - the configuration and status API (libdagconf). Clean-room: written from docs/libdag-contract.md (section 6).
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef DAG_CONFIG_API_H
#define DAG_CONFIG_API_H

#include <stdint.h>

#include "dag_config.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Opens a card by any of its names, "dag0:2" included. NULL with ENOENT, EACCES. To be given back. */
dag_card_ref_t dag_config_init(const char *name);
/* Gives the card back and closes the descriptor that dag_config_get_card_fd() gave. */
void dag_config_dispose(dag_card_ref_t card);
/* A descriptor for the calls of dagapi.h; -1 on failure. */
int dag_config_get_card_fd(dag_card_ref_t card);

dag_component_t dag_config_get_root_component(dag_card_ref_t card);
/* The `index`-th part of a kind; NULL if there is none. */
dag_component_t dag_component_get_subcomponent(dag_component_t component, dag_component_code_t code, int index);
unsigned int dag_component_get_subcomponent_count_of_type(dag_component_t component, dag_component_code_t code);

/* kNullAttributeUuid if there is none. */
attr_uuid_t dag_component_get_config_attribute_uuid(dag_component_t component, dag_attribute_code_t code);
attr_uuid_t dag_component_get_attribute_uuid(dag_component_t component, dag_attribute_code_t code);
/* By stream number for attributes of streams. */
attr_uuid_t dag_config_get_indexed_attribute_uuid(dag_card_ref_t card, dag_attribute_code_t code, int index);
attr_uuid_t dag_config_get_indexed_named_attribute_uuid(dag_card_ref_t card, const char *name, int index);

/* The value in words; NULL if there is none. Valid until the next call on the card. */
const char *dag_config_get_attribute_to_string(dag_card_ref_t card, attr_uuid_t uuid);

/* 0 where there is no value; the forms with _ex say so. A number is read as 32 or 64 bits alike. */
uint8_t dag_config_get_boolean_attribute(dag_card_ref_t card, attr_uuid_t uuid);
uint32_t dag_config_get_uint32_attribute(dag_card_ref_t card, attr_uuid_t uuid);
uint64_t dag_config_get_uint64_attribute(dag_card_ref_t card, attr_uuid_t uuid);
dag_err_t dag_config_get_boolean_attribute_ex(dag_card_ref_t card, attr_uuid_t uuid, uint8_t *value);
dag_err_t dag_config_get_uint32_attribute_ex(dag_card_ref_t card, attr_uuid_t uuid, uint32_t *value);
dag_err_t dag_config_get_uint64_attribute_ex(dag_card_ref_t card, attr_uuid_t uuid, uint64_t *value);
/* Points *value at the struct, which is the library's and valid until the next call on the card. */
dag_err_t dag_config_get_struct_attribute(dag_card_ref_t card, attr_uuid_t uuid, void **value);

dag_err_t dag_config_set_boolean_attribute(dag_card_ref_t card, attr_uuid_t uuid, uint8_t value);
dag_err_t dag_config_set_uint32_attribute(dag_card_ref_t card, attr_uuid_t uuid, uint32_t value);

/* Number of ports. */
uint32_t dag_config_get_interface_count(dag_card_ref_t card);

/* An error in words; never NULL. */
const char *dag_config_strerror(dag_err_t error);

#ifdef __cplusplus
}
#endif

#endif
