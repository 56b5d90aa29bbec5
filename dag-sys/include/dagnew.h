/*
 * dagnew.h - the older name of the API's header. SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef DAGNEW_H
#define DAGNEW_H

#include "dagapi.h"

#endif
