#ifndef C_ALLOCATION_COUNT_H
#define C_ALLOCATION_COUNT_H

#include <stdint.h>

/// The number of heap allocations that the calling thread has made so far.
///
/// Counted with glibc only; elsewhere it stays 0.
uint64_t allocation_count(void);

#endif
