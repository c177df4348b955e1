// The library's own thread pool: persistent, fork-safe, never nested; small work runs on the caller.
#pragma once
#include <cstddef>
#include <cstdint>

namespace corr2d {

// Working memory of one thread, kept between calls so that a call pays no page faults. Grows, never shrinks.
class Scratch {
public:
    // Aligned to a cache line; nullptr when memory is exhausted. Invalidates what it returned before.
    void* reserve(size_t bytes);
    ~Scratch();

private:
    void* data_ = nullptr;
    size_t size_ = 0;
};

using Task = void (*)(void* context, int64_t task, Scratch& scratch);

// Runs task(context, 0..count-1) on at most `threads` threads, the caller among them. A second caller that comes while
// the pool is busy runs alone. `interrupted` is asked by the caller between its tasks, at most every 50 ms (long
// enough to cost nothing, short enough for Ctrl-C to feel immediate); once it says true no further task begins, and
// the call returns false.
bool run_tasks(int64_t count, int threads, Task task, void* context, bool (*interrupted)());

int hardware_threads();  // CPUs this process may use

// What a run may report; combined with |.
enum Outcome : int { kDone = 0, kNotFinite = 1, kOutOfMemory = 2, kInterrupted = 4 };

namespace {

// Runs work(0..count-1, scratch), each of which gives an Outcome, and gives all outcomes together.
template <class Work> int run_all(int64_t count, int threads, bool (*interrupted)(), Work work) {
    struct Call {
        Work& work;
        int outcome;
    } call = {work, kDone};
    const auto task = [](void* context, int64_t index, Scratch& scratch) {
        Call& c = *static_cast<Call*>(context);
        const int outcome = c.work(index, scratch);
        if (outcome != kDone) __atomic_fetch_or(&c.outcome, outcome, __ATOMIC_RELAXED);
    };
    const bool completed = run_tasks(count, threads, task, &call, interrupted);
    return __atomic_load_n(&call.outcome, __ATOMIC_RELAXED) | (completed ? 0 : int(kInterrupted));
}

}  // namespace

}  // namespace corr2d
