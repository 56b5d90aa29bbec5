/*
 * dag_emu.h - what only the emulated card has. Not part of libdag; a program that is to run on a real card as well looks these
 * up with dlsym().
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef DAG_EMU_H
#define DAG_EMU_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Version of this header. A library that has this function is the emulated card, never a real one. */
uint32_t dag_emu_abi_version(void);

/* 1: the feed of the card is over, and everything of this attached stream has been handed out; 0: not so; -1: failure. */
int dag_emu_end_of_feed(int dagfd, int stream_num);

/* Records that an attached stream has dropped, and those of them that no record's loss counter has told yet. */
int dag_emu_stream_drops(int dagfd, int stream_num, uint32_t *dropped, uint64_t *untold);

/* Describes the card in JSON: writes up to `size` bytes, NUL included, and returns the length that it would take, or -1. */
int64_t dag_emu_describe(int dagfd, char *buffer, size_t size);

#ifdef __cplusplus
}
#endif

#endif
