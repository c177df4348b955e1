// Which copies of the algorithms this build holds, and which of them the machine can run.
#include "correlate.h"

namespace corr2d {

#define CORR2D_DECLARE(set)                                       \
    bool has_##set();                                             \
    int direct_##set(const Job&, int, bool (*)());                \
    int folded_##set(const Job&, int, bool (*)());                \
    int sparse_##set(const Job&, int, bool (*)());                \
    int integer_##set(const Job&, int, bool (*)());               \
    int separable_##set(const Job&, int, bool (*)());             \
    int box_##set(const Job&, int, bool (*)());                   \
    int fft_##set(const Job&, int, bool (*)());                   \
    int gradient_##set(const Job&, int, bool (*)());              \
    int spectrum_##set(const Job&, const void*, void*, Scratch&); \
    int lag_products_##set(const Job&, double*, int, bool (*)()); \
    int lag_spectra_##set(const Job&, double*, int, bool (*)());  \
    int canny_##set(const EdgeJob&, int, bool (*)());
// A set that another extends, in whole numbers alone, has the other's copy of everything else.
#define CORR2D_ROW_WITH(name, set, whole)                                                                            \
    {#name,                                                                                                          \
     has_##name,                                                                                                     \
     {direct_##set, folded_##set, sparse_##set, integer_##whole, separable_##set, box_##set, fft_##set, gradient_##set}, \
     spectrum_##set,                                                                                                 \
     lag_products_##set,                                                                                             \
     lag_spectra_##set,                                                                                              \
     canny_##set},
#define CORR2D_ROW(set) CORR2D_ROW_WITH(set, set, set)

// CMakeLists.txt defines CORR2D_WITH_<set> for every set it builds, and the machine's architecture with it.
#ifdef CORR2D_WITH_baseline
CORR2D_DECLARE(baseline)
bool has_baseline() { return true; }
#endif
#ifdef CORR2D_WITH_avx2
CORR2D_DECLARE(avx2)
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
#endif
#ifdef CORR2D_WITH_avx512
CORR2D_DECLARE(avx512)
bool has_avx512() {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}
#endif
#if defined(CORR2D_WITH_avx512) && defined(CORR2D_WITH_avx512vnni)
#define CORR2D_VNNI
int integer_avx512vnni(const Job&, int, bool (*)());
bool has_avx512vnni() { return has_avx512() && __builtin_cpu_supports("avx512vnni"); }
#endif
#ifdef CORR2D_WITH_neon
CORR2D_DECLARE(neon)
bool has_neon() { return true; }
#endif

const InstructionSet kInstructionSets[] = {
#ifdef CORR2D_WITH_baseline
    CORR2D_ROW(baseline)
#endif
#ifdef CORR2D_WITH_avx2
    CORR2D_ROW(avx2)
#endif
#ifdef CORR2D_WITH_avx512
    CORR2D_ROW(avx512)
#endif
#ifdef CORR2D_VNNI
    CORR2D_ROW_WITH(avx512vnni, avx512, avx512vnni)
#endif
#ifdef CORR2D_WITH_neon
    CORR2D_ROW(neon)
#endif
};
const int kInstructionSetCount = sizeof kInstructionSets / sizeof kInstructionSets[0];

}  // namespace corr2d
