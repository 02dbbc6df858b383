// What goes along rows: layer normalisation, softmax and its logarithm, cross-entropy. One block a
// row of `width` entries; blockDim.x is a power of two.

#include "common.cuh"

#define THREADS 256

extern "C" __global__ void layer_norm(const T* x, const T* weight, const T* bias, T* y, A* mean,
                                      A* inverse_std, int width, double eps) {
  __shared__ A shared[THREADS];
  const T* row = x + (Index)blockIdx.x * width;
  A total = 0, spread = 0;
  for (int i = threadIdx.x; i < width; i += blockDim.x) total += A(row[i]);
  A middle = sum_of_ranks(total, shared, threadIdx.x, blockDim.x) / A(width);
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    A centred = A(row[i]) - middle;
    spread += centred * centred;
  }
  spread = sum_of_ranks(spread, shared, threadIdx.x, blockDim.x);
  A inverse = A(1.0 / sqrt(double(spread) / width + eps));
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    A value = (A(row[i]) - middle) * inverse;
    if (weight) value *= A(weight[i]);
    if (bias) value += A(bias[i]);
    y[(Index)blockIdx.x * width + i] = T(value);
  }
  if (threadIdx.x == 0) {
    mean[blockIdx.x] = middle;
    inverse_std[blockIdx.x] = inverse;
  }
}

extern "C" __global__ void layer_norm_input_gradient(const T* g, const T* x, const T* weight,
                                                     const A* mean, const A* inverse_std,
                                                     T* result, int width) {
  __shared__ A shared[THREADS];
  Index start = (Index)blockIdx.x * width;
  A middle = mean[blockIdx.x], inverse = inverse_std[blockIdx.x], total = 0, product = 0;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    A slope = A(g[start + i]) * (weight ? A(weight[i]) : A(1));
    total += slope;
    product += slope * (A(x[start + i]) - middle);
  }
  A along = sum_of_ranks(total, shared, threadIdx.x, blockDim.x) / A(width);
  A across = sum_of_ranks(product, shared, threadIdx.x, blockDim.x) * inverse * inverse / A(width);
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    A slope = A(g[start + i]) * (weight ? A(weight[i]) : A(1));
    result[start + i] = T(inverse * (slope - along - (A(x[start + i]) - middle) * across));
  }
}

// Σ exp(x − largest) of a row, and its largest entry, in every thread.
__device__ inline A row_total(const T* row, int width, A* shared, A* largest) {
  A most = A(row[0]), total = 0;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    A value = A(row[i]);
    if (!(value <= most)) most = value;
  }
  *largest = maximum_of_ranks(most, shared, threadIdx.x, blockDim.x);
  for (int i = threadIdx.x; i < width; i += blockDim.x) total += exp(A(row[i]) - *largest);
  return sum_of_ranks(total, shared, threadIdx.x, blockDim.x);
}

extern "C" __global__ void softmax(const T* x, T* y, int width) {
  __shared__ A shared[THREADS];
  Index start = (Index)blockIdx.x * width;
  A largest, total = row_total(x + start, width, shared, &largest);
  for (int i = threadIdx.x; i < width; i += blockDim.x)
    y[start + i] = T(exp(A(x[start + i]) - largest) / total);
}

extern "C" __global__ void log_softmax(const T* x, T* y, int width) {
  __shared__ A shared[THREADS];
  Index start = (Index)blockIdx.x * width;
  A largest, total = log(row_total(x + start, width, shared, &largest));
  for (int i = threadIdx.x; i < width; i += blockDim.x)
    y[start + i] = T(A(x[start + i]) - largest - total);
}

// −Σ target·log softmax(x) of each row; a target of 0 counts for nothing, whatever stands there.
extern "C" __global__ void cross_entropy(const T* x, const T* target, T* losses, int width) {
  __shared__ A shared[THREADS];
  Index start = (Index)blockIdx.x * width;
  A largest, total = log(row_total(x + start, width, shared, &largest)), loss = 0;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    A part = A(target[start + i]);
    if (part != 0) loss -= part * (A(x[start + i]) - largest - total);
  }
  loss = sum_of_ranks(loss, shared, threadIdx.x, blockDim.x);
  if (threadIdx.x == 0) losses[blockIdx.x] = T(loss);
}
