// The geometry of one kernel launch. An op's <op>_launch.h computes it from sizes and DeviceLimits.
#pragma once

#include "core/device_limits.h"
#include "core/error.h"

namespace kgf {

struct Launch {
  int64_t blocks_x = 1;  // problems or tasks (times the cluster's blocks): up to 2^31 - 1
  int64_t blocks_y = 1;  // parts of one: up to 65535
  int threads = 256;
  int cluster = 1;  // adjacent blocks along x that share their shared memory
  int64_t shared_bytes = 0;

  bool empty() const { return blocks_x == 0 || blocks_y == 0; }
};

// Throws Error unless a device of these limits can run the launch.
inline void check_launch(const Launch& launch, const DeviceLimits& limits, const char* op) {
  KGF_CHECK(launch.blocks_x < int64_t{1} << 31 && launch.blocks_y < 1 << 16, op,
            " must be cut into at most 2^31 - 1 by 65535 blocks, got ", launch.blocks_x, " by ",
            launch.blocks_y, "; take fewer problems or smaller images at a time");
  KGF_CHECK(launch.threads >= 1 && launch.threads <= max_threads_a_block, op, " needs 1..",
            max_threads_a_block, " threads a block, got ", launch.threads);
  KGF_CHECK(launch.shared_bytes <= limits.shared_a_block, op, " needs ", launch.shared_bytes,
            " bytes of shared memory a block, this GPU has ", limits.shared_a_block);
  KGF_CHECK(launch.cluster >= 1 && launch.cluster <= limits.blocks_a_cluster &&
                launch.blocks_x % launch.cluster == 0,
            op, " needs clusters of ", launch.cluster, " blocks out of ", launch.blocks_x,
            ", this GPU has clusters of ", limits.blocks_a_cluster);
}

}  // namespace kgf
