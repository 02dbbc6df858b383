// One launch for all parameters. A table gives, for each piece of at most CHUNK entries, the
// addresses of weights, gradients and state, and its length; rates stand on the device, so that a
// captured step follows their changes. `shadow`, where not null, takes the weights in half precision.

#include "common.cuh"

struct Piece {
  A* weights;
  const T* gradients;
  A* first;
  A* second;
  T* shadow;
  long long length;
};

__device__ inline void write(const Piece& piece, Index i, A value) {
  piece.weights[i] = value;
  if (piece.shadow) piece.shadow[i] = T(value);
}

// rates: learning rate, momentum, dampening, weight decay, 1 for Nesterov, 1 for the first step,
// the scale of the loss.
extern "C" __global__ void sgd(const Piece* pieces, const double* rates) {
  Piece piece = pieces[blockIdx.x];
  A rate = A(rates[0]), momentum = A(rates[1]), damping = A(1) - A(rates[2]), decay = A(rates[3]);
  bool nesterov = rates[4] != 0, start = rates[5] != 0;
  A unscale = A(1.0 / rates[6]);
  for (Index i = threadIdx.x; i < piece.length; i += blockDim.x) {
    A weight = piece.weights[i], g = A(piece.gradients[i]) * unscale + decay * weight;
    if (piece.first) {
      A velocity = start ? g : momentum * piece.first[i] + damping * g;
      piece.first[i] = velocity;
      g = nesterov ? g + momentum * velocity : velocity;
    }
    write(piece, i, weight - rate * g);
  }
}

// rates: learning rate, β₁, β₂, eps, weight decay, 1 where the decay is decoupled (AdamW), number
// of the step, scale of the loss.
extern "C" __global__ void adam(const Piece* pieces, const double* rates) {
  Piece piece = pieces[blockIdx.x];
  A rate = A(rates[0]), beta1 = A(rates[1]), beta2 = A(rates[2]), eps = A(rates[3]);
  A decay = A(rates[4]), unscale = A(1.0 / rates[7]);
  bool decoupled = rates[5] != 0;
  A correct1 = A(1.0 - pow(rates[1], rates[6])), correct2 = A(sqrt(1.0 - pow(rates[2], rates[6])));
  for (Index i = threadIdx.x; i < piece.length; i += blockDim.x) {
    A weight = piece.weights[i], g = A(piece.gradients[i]) * unscale;
    if (decoupled) weight -= rate * decay * weight;
    else g += decay * weight;
    A m = piece.first[i] = beta1 * piece.first[i] + (A(1) - beta1) * g;
    A v = piece.second[i] = beta2 * piece.second[i] + (A(1) - beta2) * g * g;
    write(piece, i, weight - rate / correct1 * m / (sqrt(v) / correct2 + eps));
  }
}
