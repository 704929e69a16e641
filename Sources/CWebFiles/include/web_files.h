// The files of the web client, as they are in the folder "web", and their compression.
#ifndef WEB_FILES_H
#define WEB_FILES_H

#include <stddef.h>

struct web_file {
    const char *path;
    const unsigned char *bytes;
    size_t count;
};

/// How many files there are.
size_t web_file_count(void);

/// The file at an index below the count.
const struct web_file *web_file_at(size_t index);

/// Compresses with gzip into `result`; 0 when that does not fit into `capacity`.
size_t web_gzip(const unsigned char *bytes, size_t count, unsigned char *result, size_t capacity);

#endif
