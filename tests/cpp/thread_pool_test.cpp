// The thread pool where the system refuses threads, where tasks throw, and in forked processes. The
// function pthread_create below stands in for a limit on threads, which the C++ library then meets.
#include "core/thread_pool.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <new>
#include <stdexcept>
#include <thread>
#include <vector>

#include "expect.h"

using namespace kgf;

namespace {

constexpr int unlimited = -1;
// Threads that may still be started.
std::atomic<int> available{unlimited};

}  // namespace

extern "C" __attribute__((visibility("default"))) int pthread_create(
    pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*), void* argument) {
  using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto create = reinterpret_cast<Create>(dlsym(RTLD_NEXT, "pthread_create"));
  if (available == 0) return EAGAIN;
  if (available > 0) --available;
  return create(thread, attributes, run, argument);
}

namespace {

constexpr int64_t many = 1000;

bool every_task_runs_once() {
  std::vector<std::atomic<int>> hits(many);
  parallel_for(many, [&](int64_t i) { ++hits[i]; });
  parallel_for(many, [&](int64_t i) { ++hits[i]; }, Order::last_to_first);
  for (const auto& hit : hits) {
    if (hit != 2) return false;
  }
  return true;
}

// Changing the number of threads makes parallel_for start them anew.
void start_anew(int threads, int available_threads) {
  available = unlimited;
  set_num_threads(1);
  set_num_threads(threads);
  available = available_threads;
}

void tasks_run_with_the_threads_there_are() {
  for (int given : {0, 1, 2, 7, 30}) {
    start_anew(32 + given, given);  // another number each time
    for (int round = 0; round < 3; ++round) EXPECT(every_task_runs_once());
    EXPECT(num_threads() == 32 + given);
  }
}

void a_refused_thread_is_not_asked_for_again() {
  start_anew(9, 2);
  EXPECT(every_task_runs_once());
  available = 5;
  EXPECT(every_task_runs_once());
  EXPECT(available == 5);
  set_num_threads(4);
  EXPECT(every_task_runs_once());
  EXPECT(available == 2);
}

void exceptions_reach_the_caller_and_lose_no_other_task() {
  for (int given : {0, 3, unlimited}) {
    start_anew(given == unlimited ? 5 : 16 + given, given);
    std::atomic<int> done{0};
    const auto one_fails = [&] {
      parallel_for(many, [&](int64_t i) {
        ++done;
        if (i == many - 1) throw std::bad_alloc();
      });
    };
    EXPECT(test::throws<std::bad_alloc>(one_fails));
    EXPECT(done == many);
    const auto all_fail = [] { parallel_for(many, [](int64_t) { throw 7; }); };
    EXPECT(test::throws<int>(all_fail));
    EXPECT(every_task_runs_once());
  }
}

// Whether a forked child's parallel_for does its work.
bool child_works() {
  const pid_t child = fork();
  if (child == 0) _exit(every_task_runs_once() ? 0 : 1);
  int status = 0;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void forked_children_have_threads_of_their_own() {
  start_anew(3, unlimited);
  EXPECT(every_task_runs_once());
  EXPECT(child_works());
  EXPECT(every_task_runs_once());
}

void a_child_that_gets_no_thread_works_alone() {
  start_anew(6, 5);
  EXPECT(every_task_runs_once());
  EXPECT(available == 0 && child_works());
}

void a_fork_beside_running_tasks_leaves_a_pool_that_works() {
  start_anew(3, unlimited);
  std::atomic<bool> begun{false}, over{false};
  std::thread other([&] {
    parallel_for(2, [&](int64_t) {
      begun = true;
      while (!over) std::this_thread::yield();
    });
  });
  while (!begun) std::this_thread::yield();
  EXPECT(child_works());
  over = true;
  other.join();
  EXPECT(every_task_runs_once());
}

}  // namespace

int main() {
  tasks_run_with_the_threads_there_are();
  a_refused_thread_is_not_asked_for_again();
  exceptions_reach_the_caller_and_lose_no_other_task();
  forked_children_have_threads_of_their_own();
  a_child_that_gets_no_thread_works_alone();
  a_fork_beside_running_tasks_leaves_a_pool_that_works();
  return test::finish();
}
