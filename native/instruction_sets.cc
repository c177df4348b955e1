// Which copies of `correlate` this build holds, and which of them the machine can run.
#include "correlate.h"

namespace corr2d {

#if defined(__x86_64__)
int correlate_baseline(const Job&, int, bool (*)());
int correlate_avx2(const Job&, int, bool (*)());
int correlate_avx512(const Job&, int, bool (*)());

namespace {
bool has_baseline() { return true; }
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool has_avx512() {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}
}  // namespace

const InstructionSet kInstructionSets[] = {{"baseline", has_baseline, correlate_baseline},
                                           {"avx2", has_avx2, correlate_avx2},
                                           {"avx512", has_avx512, correlate_avx512}};
const int kInstructionSetCount = 3;

#elif defined(__aarch64__)
int correlate_neon(const Job&, int, bool (*)());

namespace {
bool has_neon() { return true; }
}  // namespace

const InstructionSet kInstructionSets[] = {{"neon", has_neon, correlate_neon}};
const int kInstructionSetCount = 1;

#else
int correlate_baseline(const Job&, int, bool (*)());

namespace {
bool has_baseline() { return true; }
}  // namespace

const InstructionSet kInstructionSets[] = {{"baseline", has_baseline, correlate_baseline}};
const int kInstructionSetCount = 1;
#endif

}  // namespace corr2d
