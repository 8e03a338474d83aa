/* transform upper, lower, crlf, lf: bytes as `LC_ALL=C tr` and `sed` see them. A file's last line
 * may lack its line feed and keeps lacking it. */
#include "kernels/transform.h"

#include <string.h>

/* Moves the 26 letters from `first` on to the other case. */
static int change_case(struct transform_io *io, uint8_t first)
{
    for (;;) {
        ssize_t n = source_read(&io->source, io->block, STREAM_BLOCK);
        if (n <= 0)
            return (int)n;
        for (ssize_t i = 0; i < n; i++)
            io->block[i] ^= (uint8_t)(io->block[i] - first) < 26 ? 'a' ^ 'A' : 0;
        int r = sink_put(&io->sink, io->block, (size_t)n);
        if (r < 0)
            return r;
    }
}

int transform_upper(struct transform_io *io)
{
    return change_case(io, 'a');
}

int transform_lower(struct transform_io *io)
{
    return change_case(io, 'A');
}

/* sed 's/$/\r/' */
int transform_crlf(struct transform_io *io)
{
    bool in_line = false;
    for (;;) {
        ssize_t n = source_read(&io->source, io->block, STREAM_BLOCK);
        if (n < 0)
            return (int)n;
        if (n == 0)
            return in_line ? sink_put(&io->sink, "\r", 1) : 0;
        const uint8_t *at = io->block, *end = at + n;
        in_line = end[-1] != '\n';
        while (at < end) {
            const uint8_t *feed = memchr(at, '\n', (size_t)(end - at));
            const uint8_t *stop = feed ? feed : end;
            int r = sink_put(&io->sink, at, (size_t)(stop - at));
            if (r == 0 && feed)
                r = sink_put(&io->sink, "\r\n", 2);
            if (r < 0)
                return r;
            at = feed ? feed + 1 : end;
        }
    }
}

/* sed 's/\r$//' */
int transform_lf(struct transform_io *io)
{
    bool held = false; /* the last block ended in a carriage return */
    for (;;) {
        ssize_t n = source_read(&io->source, io->block, STREAM_BLOCK);
        if (n <= 0)
            return (int)n; /* one that is held ends the last line: it goes */
        const uint8_t *at = io->block, *end = at + n;
        int r = held && *at != '\n' ? sink_put(&io->sink, "\r", 1) : 0;
        held = end[-1] == '\r';
        end -= held;
        while (r == 0 && at < end) {
            const uint8_t *cr = memchr(at, '\r', (size_t)(end - at));
            const uint8_t *stop = cr ? cr : end;
            bool goes = cr && cr + 1 < io->block + n && cr[1] == '\n';
            r = sink_put(&io->sink, at, (size_t)(stop - at) + (cr && !goes));
            at = stop + (cr != NULL);
        }
        if (r < 0)
            return r;
    }
}
