// How many result rows a thread takes at a time, where what a band needs of its neighbours is only read again.
#pragma once
#include "gather.h"

namespace corr2d {
namespace {

constexpr int64_t kBandRows = 64;
// A small image is cut finer, or one thread would have it all: 64 rows are eight bands for four threads or more. Rows
// that two bands read are read twice, which stays far below the products that made threads worth their while.
constexpr int64_t kLeastBandRows = 8;
constexpr int64_t kBandsPerThread = 2;

// Rows of a band, a multiple of 4, when `beside` other cuts of the call leave as many tasks as they say.
inline int64_t band_rows_for(int64_t rows, int64_t beside, int threads) {
    if (threads <= 1) return kBandRows;
    const int64_t wanted = ceil_divide(kBandsPerThread * threads, most(beside, 1));
    return clamp(round_up(ceil_divide(rows, wanted), 4), kLeastBandRows, kBandRows);
}

}  // namespace
}  // namespace corr2d
