// What every kernel here uses: T is the type of the arrays, A the type of sums, as the compiler's
// command line says: float for half and single precision, double for double.

#ifdef HALF
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#endif

typedef long long Index;
typedef ENTRY T;
typedef TOTAL A;

__device__ inline Index first_item() { return (Index)blockIdx.x * blockDim.x + threadIdx.x; }
__device__ inline Index all_items() { return (Index)gridDim.x * blockDim.x; }

// The threads of a block that work on one channel or row: `rank` among `count`, a power of two.
// `shared` holds `count` values of theirs; the sum is in the same order at every run.
__device__ inline A sum_of_ranks(A value, A* shared, int rank, int count) {
  shared[rank] = value;
  __syncthreads();
  for (int half = count / 2; half > 0; half /= 2) {
    if (rank < half) shared[rank] += shared[rank + half];
    __syncthreads();
  }
  A total = shared[0];
  __syncthreads();  // nobody writes the next sum before all have read this one
  return total;
}

__device__ inline A maximum_of_ranks(A value, A* shared, int rank, int count) {
  shared[rank] = value;
  __syncthreads();
  for (int half = count / 2; half > 0; half /= 2) {
    if (rank < half && !(shared[rank] >= shared[rank + half])) shared[rank] = shared[rank + half];
    __syncthreads();
  }
  A largest = shared[0];
  __syncthreads();
  return largest;
}
