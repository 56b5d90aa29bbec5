/* The C surface of libdag, as bindgen reads it: found with -I, so that a vendor's own headers can take the place of ours. */
/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include <dagapi.h>
#include <dagerf.h>
#include <dagnew.h>
#include <daginf.h>
#include <dagpci.h>
#include <dagutil.h>
#include <dag_config.h>
#include <dag_config_api.h>
