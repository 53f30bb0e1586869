// Where real threads that play a team on the host meet.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace kgf::test {

class Barrier {
 public:
  explicit Barrier(int count) : count_(count) {}

  void wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    const int64_t round = round_;
    if (++waiting_ == count_) {
      waiting_ = 0;
      ++round_;
      all_here_.notify_all();
    } else {
      all_here_.wait(lock, [&] { return round_ != round; });
    }
  }

 private:
  std::mutex mutex_;
  std::condition_variable all_here_;
  const int count_;
  int waiting_ = 0;
  int64_t round_ = 0;
};

}  // namespace kgf::test
