// The threads of the extension: few, persistent, asleep when idle.
//
// Waits block (condition variables) and never spin: on a shared machine a spinning barrier meets a
// descheduled core and costs more than the work. The calling thread takes part, so one thread means
// no pool at all.
#pragma once

#include <cstdint>
#include <functional>

namespace kgf {

// Threads used by parallel_for from here on, the caller included; throws Error unless 1..1024. Where the
// system gives fewer, parallel_for uses those, down to the caller alone, until another number is set.
void set_num_threads(int count);
int num_threads();

// How many of `wished` threads could be started now so that as many again could follow. For libraries
// that cannot do with fewer threads than they were told.
int startable_threads(int wished);

// Where a thread begins in its share of the tasks. A pass that reads what an earlier one wrote goes
// through it from the end, where the caches still hold it.
enum class Order { first_to_last, last_to_first };

// Calls task(i) once for every i in [0, count) and returns when all are done. Thread t of T begins with
// the share count·t/T .. count·(t+1)/T, the same in every call, so that what it wrote in one call it
// reads in the next from its own cache; whoever is done helps the others. The first exception that a
// task throws is thrown again here. Calls from inside a task run serially.
void parallel_for(int64_t count, const std::function<void(int64_t)>& task,
                  Order order = Order::first_to_last);

}  // namespace kgf
