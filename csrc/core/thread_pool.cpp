#include "core/thread_pool.h"

#include <atomic>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/error.h"

#ifndef _WIN32
#include <pthread.h>
#endif

namespace kgf {
namespace {

thread_local bool inside_task = false;

class Pool {
 public:
  explicit Pool(int workers) {
    for (int i = 0; i < workers; ++i) threads_.emplace_back([this] { work(); });
  }

  ~Pool() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  int workers() const { return static_cast<int>(threads_.size()); }

  void run(int64_t count, const std::function<void(int64_t)>& task) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      task_ = &task;
      count_ = count;
      next_ = 0;
      failure_ = nullptr;
      busy_ = workers();
      ++round_;
    }
    wake_.notify_all();
    drain();
    std::unique_lock<std::mutex> lock(mutex_);
    done_.wait(lock, [this] { return busy_ == 0; });
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  void drain() {
    inside_task = true;
    for (int64_t i = next_++; i < count_; i = next_++) {
      try {
        (*task_)(i);
      } catch (...) {
        std::lock_guard<std::mutex> lock(mutex_);
        if (!failure_) failure_ = std::current_exception();
      }
    }
    inside_task = false;
  }

  void work() {
    uint64_t seen = 0;
    while (true) {
      {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [&] { return stopping_ || round_ != seen; });
        if (stopping_) return;
        seen = round_;
      }
      drain();
      std::lock_guard<std::mutex> lock(mutex_);
      if (--busy_ == 0) done_.notify_one();
    }
  }

  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  const std::function<void(int64_t)>* task_ = nullptr;
  int64_t count_ = 0;
  std::atomic<int64_t> next_{0};
  int busy_ = 0;
  uint64_t round_ = 0;
  bool stopping_ = false;
  std::exception_ptr failure_;
};

// One pool a process. A forked child has none of its parent's threads, so it starts anew and leaks
// the parent's object, whose threads it could not join.
struct State {
  std::mutex use;
  std::atomic<int> threads{1};
  std::unique_ptr<Pool> pool;
};

State* state = nullptr;

State& current() {
  static std::once_flag once;
  std::call_once(once, [] {
    state = new State;
#ifndef _WIN32
    pthread_atfork(nullptr, nullptr, [] {
      const int threads = state->threads;
      state = new State;
      state->threads = threads;
    });
#endif
  });
  return *state;
}

}  // namespace

void set_num_threads(int count) {
  KGF_CHECK(count >= 1 && count <= 1024, "threads must be in 1..1024, got ", count);
  current().threads = count;
}

int num_threads() { return current().threads; }

void parallel_for(int64_t count, const std::function<void(int64_t)>& task) {
  State& shared = current();
  const int threads = shared.threads;
  // A second caller finds the pool in use and works alone: two teams would fight for the cores.
  std::unique_lock<std::mutex> use(shared.use, std::defer_lock);
  if (threads == 1 || count < 2 || inside_task || !use.try_lock()) {
    for (int64_t i = 0; i < count; ++i) task(i);
    return;
  }
  if (!shared.pool || shared.pool->workers() != threads - 1) {
    shared.pool.reset();
    shared.pool = std::make_unique<Pool>(threads - 1);
  }
  shared.pool->run(count, task);
}

}  // namespace kgf
