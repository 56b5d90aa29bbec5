/* What the plain programs share: reading in blocks such that whole records lie in them, and writing. They are the limit beside which ours
 * are measured: nothing is checked that is not needed to stay within the block. */
#ifndef PLAIN_H
#define PLAIN_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK (256u << 10)
#define HEAD 16u

static inline unsigned be16(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static inline void die(const char *what)
{
    perror(what);
    exit(1);
}

static inline int open_to_read(const char *path)
{
    int fd = strcmp(path, "-") == 0 ? 0 : open(path, O_RDONLY);
    if (fd < 0) die(path);
    return fd;
}

static inline int open_to_write(const char *path)
{
    int fd = strcmp(path, "-") == 0 ? 1 : open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0) die(path);
    return fd;
}

static inline void write_all(int fd, const uint8_t *bytes, size_t count)
{
    while (count > 0) {
        ssize_t done = write(fd, bytes, count);
        if (done < 0) die("write");
        bytes += done;
        count -= (size_t)done;
    }
}

/* Gives stretches of whole records to `each`, which returns how many bytes of them it has taken. */
static inline void in_blocks(int fd, size_t (*each)(uint8_t *bytes, size_t count, void *own), void *own)
{
    uint8_t *block = malloc(BLOCK);
    if (block == NULL) die("malloc");
    size_t kept = 0;
    for (;;) {
        ssize_t got = read(fd, block + kept, BLOCK - kept);
        if (got < 0) die("read");
        if (got == 0) break;
        size_t have = kept + (size_t)got, taken = each(block, have, own);
        kept = have - taken;
        memmove(block, block + taken, kept);
    }
    free(block);
}

#endif
