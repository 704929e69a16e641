// The files of the web client, as they are in the folder "web".
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

#endif
