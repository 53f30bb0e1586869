// What the fake CUDA runtime gives to the other fakes.
#pragma once

#include <cstddef>
#include <functional>

// Puts work on a stream: nothing is done before somebody waits for it.
void fake_launch(void* stream, std::function<void()> work);
// Whether these bytes lie in what cudaMalloc gave.
bool fake_is_on_gpu(const void* memory, size_t bytes);
