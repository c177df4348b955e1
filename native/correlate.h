// The primitive `correlate`: every result value is the sum over channels and taps of weight times continued image.
#pragma once
#include "view.h"

namespace corr2d {

using Correlate = int (*)(const Job& job, int threads, bool (*interrupted)());

// The definition, tap by tap through the index maps: the slow twin that tests hold the fast one against, bit by bit.
int correlate_slow(const Job& job, int threads, bool (*interrupted)());

struct InstructionSet {
    const char* name;
    bool (*available)();
    Correlate correlate;
};

// Every instruction set this build holds, plainest first.
extern const InstructionSet kInstructionSets[];
extern const int kInstructionSetCount;

}  // namespace corr2d
