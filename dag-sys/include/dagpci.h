/*
 * dagpci.h - the codes of some kinds of cards.
 *
 * Clean-room: written from docs/libdag-contract.md (section 3). Except for those seen in public (4.2S, 4.23S, 10X2-P) the numbers
 * are this library's own: compile against the headers of the library that the program runs on.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef DAGPCI_H
#define DAGPCI_H

#include <stdint.h>

#define PCI_VENDOR_ID_ENDACE 0xeace

#define PCI_DEVICE_ID_DAG4_20 0x4200   /* takes the FCS off */
#define PCI_DEVICE_ID_DAG4_23 0x4230   /* takes the FCS off */
#define PCI_DEVICE_ID_DAG10X2_P 0xa120
#define PCI_DEVICE_ID_DAG9_2X2 0x92e2
#define PCI_DEVICE_ID_DAG9_2SX2 0x92e3
#define PCI_DEVICE_ID_VDAG 0x00fd
#define PCI_DEVICE_ID_EMULATED 0xe300  /* the emulated card */

#endif
