// The thread pool: every task runs once, from any number of callers, after a fork, and until it is interrupted.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "threads.h"

using corr2d::run_tasks;
using corr2d::Scratch;

namespace {

#define REQUIRE(condition)                                                   \
    do {                                                                     \
        if (!(condition)) {                                                  \
            std::printf("%s:%d: %s\n", __FILE__, __LINE__, #condition);      \
            std::exit(1);                                                    \
        }                                                                    \
    } while (false)

bool never() { return false; }

void count_task(void* context, int64_t index, Scratch& scratch) {
    static_cast<unsigned char*>(scratch.reserve(64 + size_t(index % 5) * 64))[0] = 1;
    (*static_cast<std::vector<std::atomic<int>>*>(context))[size_t(index)]++;
}

void every_task_runs_once(int threads) {
    for (const int64_t count : {0, 1, 2, 3, 1000}) {
        std::vector<std::atomic<int>> seen(static_cast<size_t>(count));
        REQUIRE(run_tasks(count, threads, count_task, &seen, never));
        for (auto& times : seen) REQUIRE(times == 1);
    }
}

void callers_do_not_disturb_each_other() {
    std::vector<std::thread> callers;
    for (int c = 0; c < 4; ++c)
        callers.emplace_back([] {
            for (int repeat = 0; repeat < 200; ++repeat) every_task_runs_once(2);
        });
    for (auto& caller : callers) caller.join();
}

[[maybe_unused]] void a_child_of_fork_has_its_own_pool() {
    const pid_t child = fork();
    if (child == 0) {
        alarm(20);
        every_task_runs_once(3);
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    every_task_runs_once(3);
}

std::atomic<int> polls{0};

void an_interrupt_stops_the_rest() {
    std::atomic<int> done{0};
    const auto slow_task = [](void* context, int64_t, Scratch&) {
        usleep(5000);
        ++*static_cast<std::atomic<int>*>(context);
    };
    REQUIRE(!run_tasks(10000, 2, slow_task, &done, [] { return ++polls >= 2; }));
    REQUIRE(polls >= 2);
    REQUIRE(done < 1000);
}

}  // namespace

int main() {
    every_task_runs_once(1);
    every_task_runs_once(4);
    callers_do_not_disturb_each_other();
#if !defined(__SANITIZE_THREAD__)  // the thread sanitizer does not follow a fork
    a_child_of_fork_has_its_own_pool();
#endif
    an_interrupt_stops_the_rest();
    std::puts("threads: all passed");
}
