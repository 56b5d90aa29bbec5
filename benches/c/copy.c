/* Reads files once, one after another, and writes what is in them to one file, or nowhere.
 *
 *   copy OUTPUT INPUT...      OUTPUT - is nowhere */
#include "plain.h"

int main(int argc, char **argv)
{
    if (argc < 3) return 2;
    int out = strcmp(argv[1], "-") == 0 ? -1 : open_to_write(argv[1]);
    uint8_t *block = malloc(BLOCK);
    if (block == NULL) die("malloc");
    for (int number = 2; number < argc; number++) {
        int in = open_to_read(argv[number]);
        ssize_t got;
        while ((got = read(in, block, BLOCK)) > 0) {
            if (out >= 0) write_all(out, block, (size_t)got);
        }
        if (got < 0) die(argv[number]);
        close(in);
    }
    return 0;
}
