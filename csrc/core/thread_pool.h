// The threads of the extension: few, persistent, asleep when idle.
//
// Waits block (condition variables) and never spin: on a shared machine a spinning barrier meets a
// descheduled core and costs more than the work. The calling thread takes part, so one thread means
// no pool at all.
#pragma once

#include <cstdint>
#include <functional>

namespace kgf {

// Threads used by parallel_for from here on, the caller included; throws Error unless 1..1024.
void set_num_threads(int count);
int num_threads();

// Calls task(i) once for every i in [0, count), in any order, and returns when all are done.
// The first exception that a task throws is thrown again here. Calls from inside a task run serially.
void parallel_for(int64_t count, const std::function<void(int64_t)>& task);

}  // namespace kgf
