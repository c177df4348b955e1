// Which copies of the algorithms this build holds, and which of them the machine can run.
#include "correlate.h"

namespace corr2d {

#define CORR2D_DECLARE(set)                                   \
    int correlate_##set(const Job&, int, bool (*)());         \
    int folded_##set(const Job&, int, bool (*)());            \
    int sparse_##set(const Job&, int, bool (*)());            \
    int integer_##set(const Job&, int, bool (*)());           \
    int separable_##set(const Job&, int, bool (*)());         \
    int box_##set(const Job&, int, bool (*)());               \
    int fft_##set(const Job&, int, bool (*)());               \
    int gradient_##set(const Job&, int, bool (*)());          \
    void spectrum_##set(const Job&, const void*, void*);       \
    int canny_##set(const EdgeJob&, int, bool (*)());
#define CORR2D_ROW(set) \
    {#set, has_##set, \
     {correlate_##set, folded_##set, sparse_##set, integer_##set, separable_##set, box_##set, fft_##set, \
      gradient_##set}, spectrum_##set, canny_##set}

#if defined(__x86_64__)
CORR2D_DECLARE(baseline)
CORR2D_DECLARE(avx2)
CORR2D_DECLARE(avx512)

namespace {
bool has_baseline() { return true; }
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool has_avx512() {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}
}  // namespace

const InstructionSet kInstructionSets[] = {CORR2D_ROW(baseline), CORR2D_ROW(avx2), CORR2D_ROW(avx512)};
const int kInstructionSetCount = 3;

#elif defined(__aarch64__)
CORR2D_DECLARE(neon)

namespace {
bool has_neon() { return true; }
}  // namespace

const InstructionSet kInstructionSets[] = {CORR2D_ROW(neon)};
const int kInstructionSetCount = 1;

#else
CORR2D_DECLARE(baseline)

namespace {
bool has_baseline() { return true; }
}  // namespace

const InstructionSet kInstructionSets[] = {CORR2D_ROW(baseline)};
const int kInstructionSetCount = 1;
#endif

}  // namespace corr2d
