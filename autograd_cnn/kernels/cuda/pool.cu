// Pooling over planes of depth×height×width (1 for missing axes). Sizes are arguments; the window's
// kernel, stride, dilation and padding are macros, so that its loops are unrolled.
//
// Backward each input entry looks at the windows that cover it: no atomics, so the sums are the
// same at every run.

#include "common.cuh"

typedef unsigned char Byte;

__device__ inline int tap_number(int d, int h, int w) { return (d * KH + h) * KW + w; }

// Along one axis: the output whose tap `tap` sees the input at `place`, or −1.
__device__ inline int seen_from(int place, int tap, int stride, int dilation, int before,
                                int outputs) {
  int from = place + before - tap * dilation;
  if (from < 0 || from % stride) return -1;
  return from / stride < outputs ? from / stride : -1;
}

#define PLACES(name, DEPTH, HEIGHT, WIDTH)              \
  int w_##name = int(i % WIDTH);                        \
  int h_##name = int(i / WIDTH % HEIGHT);               \
  int d_##name = int(i / WIDTH / HEIGHT % DEPTH);       \
  Index plane = i / WIDTH / HEIGHT / DEPTH;

#define EACH_TAP                      \
  for (int kd = 0; kd < KD; ++kd)     \
    for (int kh = 0; kh < KH; ++kh)   \
      for (int kw = 0; kw < KW; ++kw)

// Of a tap of the output here: the input place that it sees; the next tap if that is padding.
#define SEES(d, h, w)                                                       \
  int d = d_out * SD - PD + kd * DD, h = h_out * SH - PH + kh * DH,         \
      w = w_out * SW - PW + kw * DW;                                        \
  if (d < 0 || d >= depth || h < 0 || h >= height || w < 0 || w >= width) continue;

// Of a tap and the input here: the output whose tap sees it, and where that lies; the next tap if none.
#define COVERED_BY(at, d, h, w)                              \
  int d = seen_from(d_in, kd, SD, DD, PD, out_depth);        \
  int h = seen_from(h_in, kh, SH, DH, PH, out_height);       \
  int w = seen_from(w_in, kw, SW, DW, PW, out_width);        \
  if (d < 0 || h < 0 || w < 0) continue;                     \
  Index at = start + ((Index)d * out_height + h) * out_width + w;

// The largest entry of each window, and the number of the first tap that holds it. NaN wins over
// everything, padding over nothing.
extern "C" __global__ void max_pool(const T* x, T* y, SWITCH* switches, int depth, int height,
                                    int width, int out_depth, int out_height, int out_width,
                                    Index size) {
  for (Index i = first_item(); i < size; i += all_items()) {
    PLACES(out, out_depth, out_height, out_width)
    const T* image = x + plane * depth * height * width;
    A best = 0;
    int number = -1;
    EACH_TAP {
      SEES(d, h, w)
      A value = A(image[((Index)d * height + h) * width + w]);
      if (number < 0 || value > best || (value != value && best == best)) {
        best = value;
        number = tap_number(kd, kh, kw);
      }
    }
    y[i] = T(best);
    switches[i] = (SWITCH)(number < 0 ? 0 : number);
  }
}

extern "C" __global__ void max_pool_gradient(const T* g, const SWITCH* switches, T* result,
                                             int depth, int height, int width, int out_depth,
                                             int out_height, int out_width, Index size) {
  for (Index i = first_item(); i < size; i += all_items()) {
    PLACES(in, depth, height, width)
    Index start = plane * out_depth * out_height * out_width;
    A total = 0;
    EACH_TAP {
      COVERED_BY(at, d, h, w)
      if (int(switches[at]) == tap_number(kd, kh, kw)) total += A(g[at]);
    }
    result[i] = T(total);
  }
}

// How many entries a window averages along one axis: those inside, and with PADDED the padding.
__device__ inline int window_count(int out, int kernel, int stride, int dilation, int before,
                                   int after, int size) {
  int count = 0, low = PADDED ? -before : 0, high = PADDED ? size + after : size;
  for (int tap = 0; tap < kernel; ++tap) {
    int place = out * stride - before + tap * dilation;
    if (place >= low && place < high) ++count;
  }
  return count;
}

__device__ inline A window_divisor(int d, int h, int w, int depth, int height, int width) {
  return A(window_count(d, KD, SD, DD, PD, QD, depth)) *
         A(window_count(h, KH, SH, DH, PH, QH, height)) *
         A(window_count(w, KW, SW, DW, PW, QW, width));
}

extern "C" __global__ void average_pool(const T* x, T* y, int depth, int height, int width,
                                        int out_depth, int out_height, int out_width, Index size) {
  for (Index i = first_item(); i < size; i += all_items()) {
    PLACES(out, out_depth, out_height, out_width)
    const T* image = x + plane * depth * height * width;
    A total = 0;
    EACH_TAP {
      SEES(d, h, w)
      total += A(image[((Index)d * height + h) * width + w]);
    }
    y[i] = T(total / window_divisor(d_out, h_out, w_out, depth, height, width));
  }
}

extern "C" __global__ void average_pool_gradient(const T* g, T* result, int depth, int height,
                                                 int width, int out_depth, int out_height,
                                                 int out_width, Index size) {
  for (Index i = first_item(); i < size; i += all_items()) {
    PLACES(in, depth, height, width)
    Index start = plane * out_depth * out_height * out_width;
    A total = 0;
    EACH_TAP {
      COVERED_BY(at, d, h, w)
      total += A(g[at]) / window_divisor(d, h, w, depth, height, width);
    }
    result[i] = T(total);
  }
}
