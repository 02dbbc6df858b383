// Noise from a seed and a counter alone: Philox 4×32-10 (Salmon et al. 2011, "Parallel random
// numbers: as easy as 1, 2, 3"). Entry i is word i mod 4 of block i / 4, whatever the grid.

#include "common.cuh"

struct Words {
  unsigned word[4];
};

__device__ inline Words philox(unsigned long long counter, unsigned long long high,
                               unsigned long long key) {
  unsigned c0 = unsigned(counter), c1 = unsigned(counter >> 32);
  unsigned c2 = unsigned(high), c3 = unsigned(high >> 32);
  unsigned k0 = unsigned(key), k1 = unsigned(key >> 32);
  for (int round = 0; round < 10; ++round) {
    unsigned high0 = __umulhi(0xD2511F53u, c0), low0 = 0xD2511F53u * c0;
    unsigned high1 = __umulhi(0xCD9E8D57u, c2), low1 = 0xCD9E8D57u * c2;
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

// 24 random bits as a float in [0, 1).
__device__ inline float unit(unsigned word) { return float(word >> 8) * 5.9604644775390625e-8f; }

extern "C" __global__ void philox_words(unsigned* words, unsigned long long counter,
                                        unsigned long long high, unsigned long long key) {
  Words block = philox(counter, high, key);
  for (int i = 0; i < 4; ++i) words[i] = block.word[i];
}

extern "C" __global__ void uniform(float* y, unsigned long long seed, Index size) {
  for (Index block = first_item(); 4 * block < size; block += all_items()) {
    Words words = philox(block, 0, seed);
    for (int i = 0; i < 4 && 4 * block + i < size; ++i) y[4 * block + i] = unit(words.word[i]);
  }
}

// x·scale where the number drawn for the entry is at least p, else 0: the mask is never stored.
extern "C" __global__ void dropout(const T* x, T* y, unsigned long long seed, float p, double scale,
                                   Index size) {
  for (Index block = first_item(); 4 * block < size; block += all_items()) {
    Words words = philox(block, 0, seed);
    for (int i = 0; i < 4 && 4 * block + i < size; ++i) {
      Index at = 4 * block + i;
      y[at] = T(unit(words.word[i]) >= p ? A(x[at]) * A(scale) : A(x[at]) * A(0));
    }
  }
}
