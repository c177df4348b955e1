#include "threads.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>

#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#elif !defined(_WIN32)
#include <pthread.h>
#endif

namespace corr2d {

void* Scratch::reserve(size_t bytes) {
    constexpr size_t kCacheLine = 64;
    if (bytes > size_) {
        ::operator delete(data_, std::align_val_t(kCacheLine));
        data_ = ::operator new(bytes, std::align_val_t(kCacheLine), std::nothrow);
        size_ = data_ ? bytes : 0;
    }
    return data_;
}

Scratch::~Scratch() { ::operator delete(data_, std::align_val_t(64)); }

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kPollInterval = std::chrono::milliseconds(50);
// So long a thread that has nothing to do looks for work before it sleeps: waking it takes 10 to 100 microseconds on a
// virtual machine, as long as filtering a small image. bench/threads_worth.py shows what it brings.
constexpr auto kWatch = std::chrono::microseconds(50);

// The CPU this thread runs on; -1 where that is not known.
int current_cpu() {
#if defined(__linux__)
    return sched_getcpu();
#else
    return -1;
#endif
}

// Moves this thread off `cpu`, to any other CPU it may use, for good; `before` is the CPU it was moved off last.
void leave_cpu(int cpu, int& before) {
#if defined(__linux__)
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
    if (before >= 0) CPU_SET(before, &allowed);
    CPU_CLR(cpu, &allowed);
    if (CPU_COUNT(&allowed) > 0 && sched_setaffinity(0, sizeof allowed, &allowed) == 0) before = cpu;
#else
    (void)cpu, (void)before;
#endif
}

// Watches for `kWatch` whether `happened` says so, as long as `may_watch` does, with a rest between two looks.
template <class Happened, class MayWatch, class Rest> void watch(Happened happened, MayWatch may_watch, Rest between) {
    constexpr int kLooks = 16;  // between two looks at the clock, which take as long
    const auto end = Clock::now() + kWatch;
    while (may_watch() && Clock::now() < end)
        for (int look = 0; look < kLooks; ++look) {
            if (happened()) return;
            between();
        }
}

inline void rest() {
#if defined(__x86_64__) || defined(_M_X64)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

Scratch& thread_scratch() {
    thread_local Scratch scratch;
    return scratch;
}

struct Batch {
    std::atomic<int64_t> next{0};
    std::atomic<bool> stop{false};
    int64_t count;
    Task task;
    void* context;

    Batch(int64_t tasks, Task function, void* data) : count(tasks), task(function), context(data) {}

    bool step() {
        if (stop.load(std::memory_order_relaxed)) return false;
        const int64_t task_index = next.fetch_add(1, std::memory_order_relaxed);
        if (task_index >= count) return false;
        task(context, task_index, thread_scratch());
        return true;
    }
};

void drain_on_caller(Batch& batch, bool (*interrupted)()) {
    auto last = Clock::now();
    while (batch.step()) {
        const auto now = Clock::now();
        if (now - last < kPollInterval) continue;
        last = now;
        if (interrupted()) batch.stop = true;
    }
}

class Pool {
public:
    // False when another caller holds the pool.
    bool run(Batch& batch, int threads, bool (*interrupted)()) {
        std::unique_lock busy(busy_, std::try_to_lock);
        if (!busy) return false;
        grow(threads - 1);
        caller_cpu_.store(current_cpu(), std::memory_order_relaxed);
        {
            std::lock_guard lock(mutex_);
            batch_ = &batch;
            seats_ = threads - 1;
            ++generation_;
        }
        wake_.notify_all();
        drain_on_caller(batch, interrupted);
        {
            std::lock_guard lock(mutex_);
            seats_ = 0;  // a worker that wakes late finds no seat and the batch is gone
        }
        // Yielding, because the last worker may be waiting for this very CPU.
        watch([&] { return active_.load(std::memory_order_acquire) == 0; }, [] { return true; }, std::this_thread::yield);
        std::unique_lock lock(mutex_);
        while (!idle_.wait_for(lock, kPollInterval, [&] { return active_ == 0; })) {
            lock.unlock();
            if (interrupted()) batch.stop = true;
            lock.lock();
        }
        return true;
    }

private:
    void grow(int workers) {
        // Where the system refuses a thread the work is done by those there are.
        try {
            for (; workers_ < workers; ++workers_) std::thread([this] { work(); }).detach();
        } catch (const std::system_error&) {
        }
    }

    bool beside_caller() const {
        const int cpu = current_cpu();
        return cpu >= 0 && cpu == caller_cpu_.load(std::memory_order_relaxed);
    }

    void work() {
        uint64_t seen = 0;
        int left = -1;
        for (;;) {
            // Not on the caller's CPU, which it would hold up where the others are busy.
            watch([&] { return generation_.load(std::memory_order_relaxed) != seen; }, [&] { return !beside_caller(); }, rest);
            std::unique_lock lock(mutex_);
            wake_.wait(lock, [&] { return generation_ != seen; });
            // Linux wakes a thread on the waker's CPU where it takes the others, asleep under a hypervisor, for busy; there it
            // stays, call after call, and halves the speed: 148 instead of 96 us for 14 tasks of 10 us after a sleep.
            if (beside_caller()) {
                lock.unlock();
                leave_cpu(current_cpu(), left);
                lock.lock();
            }
            seen = generation_;
            if (seats_ == 0) continue;
            --seats_;
            ++active_;
            Batch* batch = batch_;
            lock.unlock();
            while (batch->step()) {
            }
            lock.lock();
            if (--active_ == 0) idle_.notify_one();
        }
    }

    std::mutex busy_, mutex_;
    std::condition_variable wake_, idle_;
    Batch* batch_ = nullptr;
    int seats_ = 0, workers_ = 0;
    // Written under the lock; atomic for those who watch them without it.
    std::atomic<int> active_{0}, caller_cpu_{-1};
    std::atomic<uint64_t> generation_{0};
};

// Never destroyed: its threads live as long as the process, and a child of fork starts with a fresh one, because
// threads and the state of their locks do not survive a fork.
std::atomic<Pool*> the_pool{nullptr};

void forget_pool() { the_pool = new (std::nothrow) Pool; }

Pool* pool() {
    static const bool ready = [] {
        forget_pool();
#if !defined(_WIN32)
        pthread_atfork(nullptr, nullptr, forget_pool);
#endif
        return true;
    }();
    (void)ready;
    return the_pool;
}

}  // namespace

bool run_tasks(int64_t count, int threads, Task task, void* context, bool (*interrupted)()) {
    Batch batch(count, task, context);
    const int wanted = int(count < threads ? count : threads);
    Pool* shared = wanted > 1 ? pool() : nullptr;
    if (shared == nullptr || !shared->run(batch, wanted, interrupted)) drain_on_caller(batch, interrupted);
    return !batch.stop;
}

int hardware_threads() {
#if defined(__linux__)
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return CPU_COUNT(&allowed);
#endif
    const unsigned count = std::thread::hardware_concurrency();
    return count ? int(count) : 1;
}

}  // namespace corr2d
