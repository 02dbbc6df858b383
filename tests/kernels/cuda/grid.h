// Enough of CUDA to run a kernel on the CPU: the blocks of a grid one after another, the threads of
// a block side by side, with a barrier where the kernel synchronises.
#pragma once
#include <barrier>
#include <cmath>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#define __global__
#define __device__
#define __shared__ static

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
};
inline thread_local dim3 threadIdx, blockIdx;
inline dim3 blockDim, gridDim;
inline std::unique_ptr<std::barrier<>> grid_barrier;

inline void __syncthreads() { grid_barrier->arrive_and_wait(); }
inline unsigned __umulhi(unsigned a, unsigned b) { return unsigned((uint64_t(a) * b) >> 32); }

using std::exp;
using std::log;
using std::pow;
using std::sqrt;

template <class... P>
void run_grid(void (*kernel)(P...), const unsigned* shape, P... arguments) {
  gridDim = {shape[0], shape[1], 1};
  blockDim = {shape[2], shape[3], 1};
  unsigned count = blockDim.x * blockDim.y;
  grid_barrier = std::make_unique<std::barrier<>>(count);
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < count; ++t)
    threads.emplace_back([=] {
      threadIdx = {t % blockDim.x, t / blockDim.x, 0};
      for (unsigned y = 0; y < gridDim.y; ++y)
        for (unsigned x = 0; x < gridDim.x; ++x) {
          blockIdx = {x, y, 0};
          kernel(arguments...);
          grid_barrier->arrive_and_wait();
        }
    });
  for (auto& thread : threads) thread.join();
}
