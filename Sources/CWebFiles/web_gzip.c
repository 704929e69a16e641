#include "web_files.h"

#include <limits.h>
#include <zlib.h>

/// With a header and a checksum around the deflated bytes (RFC 1952).
static const int gzip_window = 15 + 16;
static const int memory_level = 9;

size_t web_gzip(const unsigned char *bytes, size_t count, unsigned char *result, size_t capacity) {
    if (count > UINT_MAX || capacity > UINT_MAX) return 0;
    z_stream stream = {0};
    if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, gzip_window, memory_level, Z_DEFAULT_STRATEGY) != Z_OK) return 0;
    stream.next_in = (unsigned char *)bytes;
    stream.avail_in = (unsigned)count;
    stream.next_out = result;
    stream.avail_out = (unsigned)capacity;
    int state = deflate(&stream, Z_FINISH);
    size_t written = stream.total_out;
    deflateEnd(&stream);
    return state == Z_STREAM_END ? written : 0;
}
