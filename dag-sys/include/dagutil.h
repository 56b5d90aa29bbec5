/*
 * dagutil.h - what programs for DAG cards share. Clean-room: written from docs/libdag-contract.md (section 5).
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef DAGUTIL_H
#define DAGUTIL_H

#ifdef __cplusplus
extern "C" {
#endif

/* The name that stands before messages of the library; kept, not copied. */
void dagutil_set_progname(char *name);

#ifdef __cplusplus
}
#endif

#endif
