// Philox4x32-10, the counter-based generator: a number is a function of its key and counter alone, so
// results do not depend on threads, batches or devices.
//
// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
#pragma once

#include <cstdint>

#include "core/host_device.h"

namespace kgf {

// What a draw is for: the last word of the counter (block, step, stream, purpose).
enum Purpose : uint32_t { purpose_corner = 0, purpose_noise = 1 };

struct Philox {
  uint32_t w[4];
};

KGF_HOST_DEVICE static inline Philox philox(uint64_t seed, uint32_t block, uint32_t step,
                                            uint32_t stream, uint32_t purpose) {
  uint32_t key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
  uint32_t c0 = block, c1 = step, c2 = stream, c3 = purpose;
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53u} * c0, p1 = uint64_t{0xCD9E8D57u} * c2;
    c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ key0;
    c1 = static_cast<uint32_t>(p1);
    c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ key1;
    c3 = static_cast<uint32_t>(p0);
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

// Uniform in [0, 1) with 53 bits.
KGF_HOST_DEVICE static inline double uniform(const Philox& random) {
  const uint64_t bits = (uint64_t{random.w[0]} << 21) ^ (random.w[1] >> 11);
  return static_cast<double>(bits) * 0x1p-53;
}

}  // namespace kgf
