// The thread pool where the system refuses threads, where tasks throw, and in forked processes.
#include "core/thread_pool.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <new>
#include <thread>
#include <vector>

#include "expect.h"
#include "thread_limit.h"

using namespace kgf;
using test::asked_threads;
using test::most_threads;
using test::running_threads;
using test::unlimited;

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

// Lets the pool, whose own threads end first, have at most `given` threads from here on.
void start_anew(int threads, int given) {
  most_threads = unlimited;
  set_num_threads(2);
  parallel_for(2, [](int64_t) {});
  set_num_threads(threads);
  most_threads = given;
}

void tasks_run_with_the_threads_there_are() {
  for (int given : {0, 1, 2, 7, 30}) {
    start_anew(32, given);
    for (int round = 0; round < 3; ++round) EXPECT(every_task_runs_once());
    EXPECT(num_threads() == 32 && running_threads <= given / 2);
  }
}

void a_refused_thread_is_not_asked_for_again() {
  start_anew(9, 2);
  EXPECT(every_task_runs_once());
  const int asked = asked_threads;
  most_threads = unlimited;
  EXPECT(every_task_runs_once() && asked_threads == asked);
  set_num_threads(4);
  EXPECT(every_task_runs_once() && running_threads == 3);
}

void threads_are_counted_before_they_are_needed() {
  start_anew(1, unlimited);
  const int before = running_threads;
  for (int given : {0, 1, 5, 15, 16, 100}) {
    most_threads = before + given;
    EXPECT(startable_threads(8) == (given >= 16 ? 8 : given / 2));
    EXPECT(startable_threads(0) == 0 && running_threads == before);
  }
}

void exceptions_reach_the_caller_and_lose_no_other_task() {
  for (int given : {0, 3, unlimited}) {
    start_anew(5, given);
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
  start_anew(6, unlimited);
  EXPECT(every_task_runs_once());
  most_threads = 0;
  EXPECT(child_works());
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
  threads_are_counted_before_they_are_needed();
  exceptions_reach_the_caller_and_lose_no_other_task();
  forked_children_have_threads_of_their_own();
  a_child_that_gets_no_thread_works_alone();
  a_fork_beside_running_tasks_leaves_a_pool_that_works();
  return test::finish();
}
