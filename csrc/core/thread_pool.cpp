#include "core/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
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

using Task = std::function<void(int64_t)>;

// One thread's tasks, taken one after another by whoever comes. A cache line of its own.
struct alignas(64) Share {
  std::atomic<int64_t> taken{0};
  int64_t begin = 0, end = 0;

  // The next task, or -1 when none is left.
  int64_t take(Order order) {
    const int64_t k = taken.fetch_add(1, std::memory_order_relaxed);
    if (k >= end - begin) return -1;
    return order == Order::first_to_last ? begin + k : end - 1 - k;
  }
};

class Pool {
 public:
  // Starts up to `wished` workers. Where the system refuses a thread (a limit on processes, no memory
  // for its stack), half of those it gave are ended again: the tasks need memory too, and other
  // libraries need threads.
  explicit Pool(int wished) : wished_(wished), shares_(wished + 1) {
    threads_.reserve(wished);
    try {
      while (workers() < wished) {
        const size_t me = threads_.size() + 1;
        threads_.emplace_back([this, me] { work(me); });
      }
      keep(wished);
    } catch (const std::exception&) {  // std::system_error or std::bad_alloc
      keep(workers() / 2);
    }
  }

  ~Pool() { keep(0); }

  int wished() const { return wished_; }

  void run(int64_t count, const Task& task, Order order) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      const int64_t threads = static_cast<int64_t>(members_);
      for (int64_t t = 0; t < threads; ++t) {
        shares_[t].taken = 0;
        shares_[t].begin = count * t / threads;
        shares_[t].end = count * (t + 1) / threads;
      }
      task_ = &task;
      order_ = order;
      failure_ = nullptr;
      busy_ = workers();
      ++round_;
    }
    wake_.notify_all();
    drain(0);
    std::unique_lock<std::mutex> lock(mutex_);
    done_.wait(lock, [this] { return busy_ == 0; });
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  int workers() const { return static_cast<int>(threads_.size()); }

  // Ends the workers beyond the first `count`; none may be at a task.
  void keep(int count) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      members_ = static_cast<size_t>(count) + 1;
    }
    wake_.notify_all();
    while (workers() > count) {
      threads_.back().join();
      threads_.pop_back();
    }
  }

  void drain(size_t me) {
    inside_task = true;
    for (size_t k = 0; k < members_; ++k) {
      Share& share = shares_[(me + k) % members_];
      for (int64_t i = share.take(order_); i >= 0; i = share.take(order_)) {
        try {
          (*task_)(i);
        } catch (...) {
          std::lock_guard<std::mutex> lock(mutex_);
          if (!failure_) failure_ = std::current_exception();
        }
      }
    }
    inside_task = false;
  }

  void work(size_t me) {
    uint64_t seen = 0;
    while (true) {
      {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [&] { return me >= members_ || round_ != seen; });
        if (me >= members_) return;
        seen = round_;
      }
      drain(me);
      std::lock_guard<std::mutex> lock(mutex_);
      if (--busy_ == 0) done_.notify_one();
    }
  }

  const int wished_;
  std::vector<Share> shares_;
  size_t members_ = SIZE_MAX;  // threads that take part, the caller included; all while they start
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  const Task* task_ = nullptr;
  Order order_ = Order::first_to_last;
  int busy_ = 0;
  uint64_t round_ = 0;
  std::exception_ptr failure_;
  std::vector<std::thread> threads_;
};

// One pool a process. A forked child has none of its parent's threads, so it starts anew and leaks
// the parent's object, whose threads it could not join.
struct State {
  std::mutex use;
  std::atomic<int> threads{1};
  std::unique_ptr<Pool> pool;
};

// Made at load time rather than in the first call, which a fork in another thread could interrupt.
State* state = [] {
#ifndef _WIN32
  pthread_atfork(nullptr, nullptr, [] {
    const int threads = state->threads;
    state = new State;
    state->threads = threads;
  });
#endif
  return new State;
}();

}  // namespace

void set_num_threads(int count) {
  KGF_CHECK(count >= 1 && count <= 1024, "threads must be in 1..1024, got ", count);
  state->threads = count;
}

int num_threads() { return state->threads; }

int startable_threads(int wished) {
  std::mutex counted;  // held until the last thread has started, so that all exist at once
  std::vector<std::thread> threads;
  {
    const std::lock_guard<std::mutex> lock(counted);
    try {
      threads.reserve(2 * static_cast<size_t>(wished));
      for (int i = 0; i < 2 * wished; ++i) {
        threads.emplace_back([&counted] {
          // The C library reserves address space for every thread that allocates.
          void* volatile memory = std::malloc(1);
          std::free(memory);
          const std::lock_guard<std::mutex> wait(counted);
        });
      }
    } catch (const std::exception&) {  // the system gives no more
    }
  }
  for (std::thread& thread : threads) thread.join();
  return std::min(wished, static_cast<int>(threads.size() / 2));
}

void parallel_for(int64_t count, const std::function<void(int64_t)>& task, Order order) {
  State& shared = *state;
  const int threads = shared.threads;
  // A second caller finds the pool in use and works alone: two teams would fight for the cores.
  std::unique_lock<std::mutex> use(shared.use, std::defer_lock);
  if (threads == 1 || count < 2 || inside_task || !use.try_lock()) {
    for (int64_t i = 0; i < count; ++i) task(order == Order::first_to_last ? i : count - 1 - i);
    return;
  }
  if (!shared.pool || shared.pool->wished() != threads - 1) {
    shared.pool.reset();
    shared.pool = std::make_unique<Pool>(threads - 1);
  }
  shared.pool->run(count, task, order);
}

}  // namespace kgf
