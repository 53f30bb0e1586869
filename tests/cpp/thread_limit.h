// A limit on the threads of a process, as containers have one: it replaces pthread_create for the C++
// library and whatever else a test loads. For one source file of a program.
#pragma once

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <memory>

namespace kgf::test {

constexpr int unlimited = 1 << 20;

// Threads that may run at once beside those that run without the limit's knowledge; those that do; and how
// often one was asked for.
inline std::atomic<int> most_threads{unlimited}, running_threads{0}, asked_threads{0};

struct Start {
  void* (*run)(void*);
  void* argument;
};

inline void* counted(void* start) {
  const std::unique_ptr<Start> one(static_cast<Start*>(start));
  void* const result = one->run(one->argument);
  --running_threads;
  return result;
}

}  // namespace kgf::test

extern "C" __attribute__((visibility("default"))) int pthread_create(
    pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*), void* argument) {
  using namespace kgf::test;
  using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto create = reinterpret_cast<Create>(dlsym(RTLD_NEXT, "pthread_create"));
  ++asked_threads;
  if (++running_threads > most_threads) {
    --running_threads;
    return EAGAIN;
  }
  auto start = std::make_unique<Start>(Start{run, argument});
  const int error = create(thread, attributes, counted, start.get());
  if (error) {
    --running_threads;
  } else {
    start.release();
  }
  return error;
}
