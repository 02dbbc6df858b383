// Batch normalisation of N×C×positions, stored with channels apart (NCHW) or together (NHWC).
//
// A slice of the images goes over one channel (NCHW), or 32 neighbouring ones (NHWC), so that
// neighbouring threads always read neighbouring entries. Each slice leaves a mean and a sum of
// squares about it; they are merged by the formula of Chan, Golub and LeVeque (1983), which loses
// nothing to a large mean.

#include "common.cuh"

#define THREADS 256

struct Place {
  int channel, column, rank, ranks;
  Index first, last;  // items of this slice: item = image * positions + position
  bool inside;
};

__device__ inline Place place_of(int channels, Index items, bool together) {
  Place place;
  place.column = together ? threadIdx.x : 0;
  place.ranks = together ? blockDim.y : blockDim.x * blockDim.y;
  place.rank = together ? threadIdx.y : threadIdx.y * blockDim.x + threadIdx.x;
  place.channel = together ? blockIdx.x * blockDim.x + threadIdx.x : blockIdx.x;
  place.inside = place.channel < channels;
  place.first = items * blockIdx.y / gridDim.y;
  place.last = items * (blockIdx.y + 1) / gridDim.y;
  return place;
}

__device__ inline Index offset_of(Index item, int channel, int channels, Index positions,
                                  bool together) {
  if (together) return item * channels + channel;
  Index image = item / positions;
  return (image * channels + channel) * positions + (item - image * positions);
}

// The mean of each slice and Σ(x − mean)², at slice * channels + channel. The second pass goes about
// a rounded mean; what it finds left over corrects both.
extern "C" __global__ void batch_moments(const T* x, double* means, double* squares, int channels,
                                         Index positions, Index items, int together) {
  __shared__ A shared[THREADS];
  Place place = place_of(channels, items, together);
  A* mine = shared + place.column * place.ranks;
  A count = A(place.last - place.first), total = 0, rest = 0, spread = 0;
  for (Index i = place.first + place.rank; place.inside && i < place.last; i += place.ranks)
    total += A(x[offset_of(i, place.channel, channels, positions, together)]);
  A mean = sum_of_ranks(total, mine, place.rank, place.ranks) / (count > 0 ? count : A(1));
  for (Index i = place.first + place.rank; place.inside && i < place.last; i += place.ranks) {
    A centred = A(x[offset_of(i, place.channel, channels, positions, together)]) - mean;
    rest += centred;
    spread += centred * centred;
  }
  rest = sum_of_ranks(rest, mine, place.rank, place.ranks);
  spread = sum_of_ranks(spread, mine, place.rank, place.ranks);
  if (place.inside && place.rank == 0 && count > 0) {
    double left = double(rest) / double(count);
    means[(Index)blockIdx.y * channels + place.channel] = double(mean) + left;
    squares[(Index)blockIdx.y * channels + place.channel] = double(spread) - left * double(rest);
  }
}

// The slices merged: the mean and 1/√(variance + eps) of each channel.
extern "C" __global__ void batch_statistics(const double* means, const double* squares,
                                            A* mean, A* inverse_std, int channels, int slices, Index items,
                                            double eps) {
  for (Index c = first_item(); c < channels; c += all_items()) {
    double count = 0, middle = 0, spread = 0;
    for (int s = 0; s < slices; ++s) {
      double more = double(items * (s + 1) / slices - items * s / slices);
      if (more == 0) continue;
      double apart = means[(Index)s * channels + c] - middle;
      spread += squares[(Index)s * channels + c];
      spread += apart * apart * count * more / (count + more);
      middle += apart * more / (count + more);
      count += more;
    }
    mean[c] = A(middle);
    inverse_std[c] = A(1.0 / sqrt(spread / count + eps));
  }
}

// y = (x − mean)·inverse_std·weight + bias (+ other), then max(0, y) where `relu`. Any of weight,
// bias and other may be null.
extern "C" __global__ void batch_apply(const T* x, const A* mean, const A* inverse_std,
                                       const T* weight, const T* bias, const T* other, T* y,
                                       int channels, Index positions, Index size, int together,
                                       int relu) {
  for (Index i = first_item(); i < size; i += all_items()) {
    int c = int(together ? i % channels : i / positions % channels);
    A scale = weight ? inverse_std[c] * A(weight[c]) : inverse_std[c];
    A value = (A(x[i]) - mean[c]) * scale;
    if (bias) value += A(bias[c]);
    if (other) value += A(other[i]);
    y[i] = T(relu && !(value > 0) && value == value ? A(0) : value);
  }
}

// Of each slice: Σ g and Σ g·(x − mean). Where y is given the gradient counts only where y > 0:
// y is the answer of a ReLU behind the norm.
extern "C" __global__ void batch_gradient_sums(const T* g, const T* x, const T* y, const A* mean,
                                               A* sums, A* products, int channels, Index positions,
                                               Index items, int together) {
  __shared__ A shared[THREADS];
  Place place = place_of(channels, items, together);
  A* mine = shared + place.column * place.ranks;
  A total = 0, product = 0, centre = place.inside ? mean[place.channel] : A(0);
  for (Index i = place.first + place.rank; place.inside && i < place.last; i += place.ranks) {
    Index at = offset_of(i, place.channel, channels, positions, together);
    A slope = !y || A(y[at]) > 0 ? A(g[at]) : A(0);
    total += slope;
    product += slope * (A(x[at]) - centre);
  }
  total = sum_of_ranks(total, mine, place.rank, place.ranks);
  product = sum_of_ranks(product, mine, place.rank, place.ranks);
  if (place.inside && place.rank == 0) {
    sums[(Index)blockIdx.y * channels + place.channel] = total;
    products[(Index)blockIdx.y * channels + place.channel] = product;
  }
}

// The slices added: the gradients of weight and bias, and the means that the input's needs.
extern "C" __global__ void batch_gradient_means(const A* sums, const A* products,
                                                const A* inverse_std, A* weight_gradient,
                                                A* bias_gradient, A* along, A* across,
                                                int channels, int slices, Index items) {
  for (Index c = first_item(); c < channels; c += all_items()) {
    double total = 0, product = 0, inverse = double(inverse_std[c]);
    for (int s = 0; s < slices; ++s) {
      total += double(sums[(Index)s * channels + c]);
      product += double(products[(Index)s * channels + c]);
    }
    bias_gradient[c] = A(total);
    weight_gradient[c] = A(product * inverse);
    along[c] = A(total / double(items));
    across[c] = A(product * inverse * inverse / double(items));
  }
}

// inverse_std·weight·(g − along − (x − mean)·across), with g as in batch_gradient_sums.
extern "C" __global__ void batch_input_gradient(const T* g, const T* x, const T* y, const A* mean,
                                                const A* inverse_std, const T* weight,
                                                const A* along, const A* across, T* result,
                                                int channels, Index positions, Index size,
                                                int together) {
  for (Index i = first_item(); i < size; i += all_items()) {
    int c = int(together ? i % channels : i / positions % channels);
    A slope = !y || A(y[i]) > 0 ? A(g[i]) : A(0);
    A scale = weight ? inverse_std[c] * A(weight[c]) : inverse_std[c];
    result[i] = T((slope - along[c] - (A(x[i]) - mean[c]) * across[c]) * scale);
  }
}
