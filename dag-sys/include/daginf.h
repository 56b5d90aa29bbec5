/*
 * daginf.h - what a card is, and the state of its clock.
 *
 * Clean-room: written from docs/libdag-contract.md (sections 3, 4.2, 4.3). The layout of daginf_t and dag_card_inf_t and the number
 * of the ioctl are this library's own: a program that uses them has to be compiled against the headers of the library it runs on.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef DAGINF_H
#define DAGINF_H

#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/types.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* From dag_info(). */
typedef struct daginf {
    uint32_t id;          /* number of the card: N of /dev/dagN */
    uint32_t device_code; /* which kind of card */
} daginf_t;

/* From dag_pciinfo(). */
typedef struct dag_card_inf {
    uint32_t device_code; /* which kind of card */
    uint32_t brd_rev;     /* revision of the board: 0 is A */
    char bus_id[32];      /* where it is plugged in, such as "0000:01:00.0" */
} dag_card_inf_t;

/* The clock, as the driver tells it. */
typedef struct duckinf {
    int64_t Phase_Correction;
    uint64_t Last_Ticks; /* ERF time */
    uint64_t Last_TSC;
    time_t Stat_Start;
    time_t Stat_End;
    uint32_t Crystal_Freq;
    uint32_t Synth_Freq;
    uint32_t Resyncs;
    uint32_t Bad_Pulses;
    uint32_t Worst_Freq_Err;
    uint32_t Worst_Phase_Err;
    uint32_t Health_Thresh;
    uint32_t Pulses;
    uint32_t Single_Pulses_Missing;
    uint32_t Longest_Pulse_Missing;
    uint32_t Health; /* not 0: synchronised */
    uint32_t Sickness;
    int32_t Freq_Err;
    int32_t Phase_Err;
    uint32_t Set_Duck_Field;
} duckinf_t;

/* ioctl on a card's descriptor that reads a duckinf_t. An emulated card refuses it with ENOTTY. */
#define DAGIOC_CARD_DUCK _IOWR('D', 0x45, duckinf_t)

#ifdef __cplusplus
}
#endif

#endif
