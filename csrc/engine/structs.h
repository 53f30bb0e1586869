// The structures of engine.h that begin with their size, from programs with an older or a newer header.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "engine/failure.h"

namespace kgf::engine {

struct Field {
  size_t begin, end, alignment;
};

#define KGF_FIELD(S, name) \
  Field { offsetof(S, name), offsetof(S, name) + sizeof(S::name), alignof(decltype(S::name)) }

// FieldsOf<S>::all: every field of S, in order.
template <class S>
struct FieldsOf;

template <>
struct FieldsOf<kgf_options> {
  static constexpr Field all[] = {
      KGF_FIELD(kgf_options, struct_size), KGF_FIELD(kgf_options, onnxruntime),
      KGF_FIELD(kgf_options, threads),     KGF_FIELD(kgf_options, device),
      KGF_FIELD(kgf_options, tensorrt),    KGF_FIELD(kgf_options, cudart),
      KGF_FIELD(kgf_options, stream)};
};

template <>
struct FieldsOf<kgf_info> {
  static constexpr Field all[] = {KGF_FIELD(kgf_info, struct_size), KGF_FIELD(kgf_info, scale),
                                  KGF_FIELD(kgf_info, shrinks),     KGF_FIELD(kgf_info, channels),
                                  KGF_FIELD(kgf_info, kernel_size), KGF_FIELD(kgf_info, numbers),
                                  KGF_FIELD(kgf_info, overlap),     KGF_FIELD(kgf_info, least_side),
                                  KGF_FIELD(kgf_info, most_side),   KGF_FIELD(kgf_info, device)};
};

template <>
struct FieldsOf<kgf_run_options> {
  static constexpr Field all[] = {
      KGF_FIELD(kgf_run_options, struct_size), KGF_FIELD(kgf_run_options, tile),
      KGF_FIELD(kgf_run_options, overlap),     KGF_FIELD(kgf_run_options, progress),
      KGF_FIELD(kgf_run_options, user),        KGF_FIELD(kgf_run_options, memory),
      KGF_FIELD(kgf_run_options, stream)};
};

#undef KGF_FIELD

constexpr size_t rounded_up(size_t size, size_t alignment) {
  return (size + alignment - 1) / alignment * alignment;
}

// Whether FieldsOf<S> leaves no field out.
template <class S>
constexpr bool fields_are_complete() {
  size_t end = 0;
  for (const Field& field : FieldsOf<S>::all) {
    if (field.begin != rounded_up(end, field.alignment)) return false;
    end = field.end;
  }
  return rounded_up(end, alignof(S)) == sizeof(S);
}

template <class T>
void check_pointer(const T* pointer, const char* argument) {
  require(pointer != nullptr, argument, " must not be null");
  require(reinterpret_cast<uintptr_t>(pointer) % alignof(T) == 0, argument, " must be aligned to ",
          alignof(T), " bytes");
}

// Refuses a size that ends inside a field: the rest of a pointer would come from elsewhere.
template <class S>
void check_struct_size(size_t size, const char* argument) {
  static_assert(fields_are_complete<S>(), "FieldsOf<S> must name every field of S in order");
  constexpr size_t most = 4096;
  bool fits = size >= sizeof(size_t) && size <= most;
  for (const Field& field : FieldsOf<S>::all)
    fits = fits && (size <= field.begin || size >= field.end);
  require(fits, argument, ".struct_size must be the size of the structure, ", sizeof(S),
          " in this version, or end with one of its fields, got ", size);
}

// A structure as this version knows it. Fields that an older program does not have keep their default;
// those of a newer one must be 0, which stands for their default.
template <class S>
S read_struct(const S* given, const S& defaults, const char* argument) {
  S known = defaults;
  if (!given) return known;
  check_pointer(given, argument);
  const size_t size = given->struct_size;
  check_struct_size<S>(size, argument);
  std::memcpy(static_cast<void*>(&known), given, std::min(size, sizeof(S)));
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  const bool is_known = std::all_of(bytes + std::min(size, sizeof(S)), bytes + size,
                                    [](unsigned char byte) { return byte == 0; });
  require(is_known, argument,
          " sets a field that version " KGF_VERSION
          " of the library does not have; use a newer library, or leave the field 0");
  return known;
}

// Fills in as much of the caller's structure as it has; what this version does not know becomes 0.
template <class S>
void write_struct(S known, S* given, const char* argument) {
  check_pointer(given, argument);
  const size_t size = given->struct_size;
  check_struct_size<S>(size, argument);
  known.struct_size = size;
  std::memset(static_cast<void*>(given), 0, size);
  std::memcpy(static_cast<void*>(given), &known, std::min(size, sizeof(S)));
}

}  // namespace kgf::engine
