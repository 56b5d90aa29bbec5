/*
 * dagapi.h - streams of a DAG card: receive, transmit.
 *
 * Clean-room: written from docs/libdag-contract.md (sections 1 to 5 and 8), which was derived from programs that call libdag and from
 * public documents. No vendor header was used. Values that the contract calls free are this library's own; a program is
 * to be compiled against the headers of the library that it runs on.
 *
 * Unless said otherwise a function returns 0 or a count, and on failure -1 (or NULL) with errno set:
 *
 *   EBADF   the descriptor is no open card
 *   EINVAL  no such stream, the stream is not attached or not started, or an argument is out of range
 *   ENOMEM  the stream has no memory
 *   EBUSY   the stream is attached elsewhere
 *   EIO     the card has gone
 *
 * Streams: even numbers receive, odd ones transmit. A stream has one owner. Calls on different streams need no lock.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef DAGAPI_H
#define DAGAPI_H

#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>
#include <sys/types.h>

#include "dagerf.h"
#include "daginf.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef uint64_t dag_size_t;
typedef int64_t dag_ssize_t;

/* Room for a name such as "/dev/dag0" or "dag0:2". */
#define DAGNAME_BUFSIZE 128
/* Stream numbers are below this. */
#define DAG_STREAM_MAX 256
/* Numbers of cards that programs look for are below this: with any stream a name is then no longer than what libpcap has room for,
 * nine characters. */
#define DAG_MAX_BOARDS 100

#define DAGF_NONBLOCK 0x01

/* Modes of dag_set_mode(). */
#define DAG_NORMAL_MODE 0
#define DAG_REVERSE_MODE 1

/* --- cards --------------------------------------------------------------------------------------------------------------- */

/* Reads a name of the form [/dev/][dag]N[:M]: writes "/dev/dagN" into `buffer` and M, or 0, into *stream_number. Does not look
 * whether there is such a card. */
int dag_parse_name(const char *name, char *buffer, int buflen, int *stream_number);

/* Opens a card, such as "/dev/dag0" or "dag0". Returns a descriptor. ENOENT: no such card; EACCES: no permission. */
int dag_open(const char *name);
int dag_close(int dagfd);

/* Settings as text: "varlen", "novarlen", "slen=N". What is not known is ignored. */
int dag_configure(int dagfd, const char *settings);

/* What the card is. Valid until the descriptor is closed. */
daginf_t *dag_info(int dagfd);
dag_card_inf_t *dag_pciinfo(int dagfd);

/* The name of a kind of card; never NULL. */
char *dag_device_name(unsigned int device_code, int flag);

/* Streams that exist, with or without memory. */
int dag_rx_get_stream_count(int dagfd);
int dag_tx_get_stream_count(int dagfd);

/* Record types of a stream or of the card: a list that ends with 0, `size` bytes at most; returns how many there are. */
int dag_get_stream_erf_types(int dagfd, int stream_num, uint8_t *types, int size);
int dag_get_erf_types(int dagfd, uint8_t *types, int size);
/* The one type of the card (deprecated). */
int dag_linktype(int dagfd);

/* --- streams ------------------------------------------------------------------------------------------------------------- */

/* Memory of a stream in bytes; 0: it exists and has none; -1: there is no such stream. Needs no attach. */
dag_ssize_t dag_get_stream_buffer_size64(int dagfd, int stream_num);
int dag_get_stream_buffer_size(int dagfd, int stream_num);

/* Bytes that wait in a stream: to be read, or, of a transmit stream, to be sent. */
dag_ssize_t dag_get_stream_buffer_level64(int dagfd, int stream_num);
int dag_get_stream_buffer_level(int dagfd, int stream_num);

/* DAG_REVERSE_MODE, before attach: this program plays the card. ENOTSUP: not on this card. */
int dag_set_mode(int dagfd, int stream_num, uint32_t mode);

/* Becomes the owner of a stream. `flags` is 0. The memory is mapped so that no caller sees where the ring ends. */
int dag_attach_stream(int dagfd, int stream_num, uint32_t flags, uint32_t extra_window_size);
int dag_attach_stream64(int dagfd, int stream_num, uint32_t flags, dag_size_t extra_window_size);
int dag_detach_stream(int dagfd, int stream_num);
int dag_start_stream(int dagfd, int stream_num);
int dag_stop_stream(int dagfd, int stream_num);

/* When a wait for data ends: as soon as `mindata` bytes lie ready, or after `maxwait`, looking every `poll`. mindata 0: at once.
 * maxwait 0: no limit. May be set before or after the start. */
int dag_get_stream_poll(int dagfd, int stream_num, uint32_t *mindata, struct timeval *maxwait, struct timeval *poll);
int dag_set_stream_poll(int dagfd, int stream_num, uint32_t mindata, struct timeval *maxwait, struct timeval *poll);
int dag_get_stream_poll64(int dagfd, int stream_num, dag_size_t *mindata, struct timeval *maxwait, struct timeval *poll);
int dag_set_stream_poll64(int dagfd, int stream_num, dag_size_t mindata, struct timeval *maxwait, struct timeval *poll);

/* --- receive ------------------------------------------------------------------------------------------------------------- */

/* Gives everything before *bottom back to the card (NULL: nothing, the first call), waits by the poll parameters, and returns the
 * end of what can be read; *bottom is its begin. Nothing in time: the two are equal. Whole records. NULL: failure. */
uint8_t *dag_advance_stream(int dagfd, int stream_num, uint8_t **bottom);

/* The next record, valid until the next call. NULL with EAGAIN: none in time. Not to be mixed with dag_advance_stream(). */
uint8_t *dag_rx_stream_next_record(int dagfd, int stream_num);

/* The next record of a receive stream, so that committing its rlen bytes on the transmit stream sends it. */
uint8_t *dag_rx_stream_next_inline(int dagfd, int rx_stream_num, int tx_stream_num);

/* --- transmit: whole ERF records, padded to multiples of 8 bytes ------------------------------------------------------------ */

/* Contiguous room to write to. NULL with EAGAIN: not now. */
uint8_t *dag_tx_get_stream_space(int dagfd, int stream_num, uint32_t size);
uint8_t *dag_tx_get_stream_space64(int dagfd, int stream_num, dag_size_t size);

/* Sends what was written; returns where to go on. */
uint8_t *dag_tx_stream_commit_bytes(int dagfd, int stream_num, uint32_t size);
uint8_t *dag_tx_stream_commit_bytes64(int dagfd, int stream_num, dag_size_t size);
uint8_t *dag_tx_stream_commit_records64(int dagfd, int stream_num, dag_size_t size);

/* Copies and sends; a record may come in several pieces. Returns the bytes taken. */
int dag_tx_stream_copy_bytes(int dagfd, int stream_num, uint8_t *source, uint32_t size);
dag_ssize_t dag_tx_stream_copy_bytes64(int dagfd, int stream_num, uint8_t *source, dag_size_t size);

#ifdef __cplusplus
}
#endif

#endif
