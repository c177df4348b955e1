// Transforms of n points along a panel: n records of L complex values each, one after another, every lane a transform of
// its own. Forward is decimation in frequency, in place, and leaves the frequencies in the order in which they fall;
// inverse is its mirror image and starts from that order. Nobody between the two needs another one.
#pragma once
#include <cmath>
#include <new>

#include "complex.h"
#include "transform_size.h"

namespace corr2d {
namespace {

// exp(-2 pi i j / n) in double; the angle is brought into the first octant, where sine and cosine lose nothing.
struct Root {
    double re, im;
};
inline Root unit_root(int64_t j, int64_t n) {
    constexpr double kTurn = 6.283185307179586476925286766559;
    const int64_t octant = 8 * j / n;
    const int64_t rest = octant % 2 == 0 ? 8 * j - octant * n : (octant + 1) * n - 8 * j;  // eighths of a turn / n
    const double angle = kTurn / 8 * (double(rest) / double(n)), c = std::cos(angle), s = std::sin(angle);
    const bool swapped = (octant + 1) / 2 % 2 == 1;
    const double cosine = swapped ? s : c, sine = swapped ? c : s;
    return {octant >= 2 && octant < 6 ? -cosine : cosine, octant < 4 ? -sine : sine};
}

// The factors of a step over n points, [j][k - 1] = exp(-2 pi i j k / n) for k below the radix. Computed once per size
// and kept for the life of the process (at most 60 KB for all sizes). Null when memory is exhausted.
template <class T> const T* step_factors(int64_t n) {
    static T* tables[kLargestTransform / 16 + 1];
    T** place = &tables[n / 16];
    T* table = __atomic_load_n(place, __ATOMIC_ACQUIRE);
    if (table != nullptr) return table;
    const int64_t count = radix(n) - 1, rows = n / radix(n);
    table = new (std::nothrow) T[size_t(rows * count * 2)];
    if (table == nullptr) return nullptr;
    for (int64_t j = 0; j < rows; ++j)
        for (int64_t k = 0; k < count; ++k) {
            const Root root = unit_root(j * (k + 1) % n, n);
            table[(j * count + k) * 2] = T(root.re);
            table[(j * count + k) * 2 + 1] = T(root.im);
        }
    T* first = nullptr;
    if (__atomic_compare_exchange_n(place, &first, table, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) return table;
    delete[] table;  // another thread was faster
    return first;
}

template <int R, class T> struct Factors {
    Complex<T> w[R - 1];

    inline __attribute__((always_inline)) explicit Factors(const T* table) {
        for (int k = 0; k < R - 1; ++k) w[k] = {broadcast(table[2 * k]), broadcast(table[2 * k + 1])};
    }
};

// What a step makes of the values of its R parts at one place, forward and back.
template <int R, class T> inline __attribute__((always_inline)) void split(Complex<T> (&a)[R], const Factors<R, T>& factors) {
    small_transform<false>(a);
    for (int k = 1; k < R; ++k) a[k] = times(a[k], factors.w[k - 1]);
}
template <int R, class T> inline __attribute__((always_inline)) void merge(Complex<T> (&a)[R], const Factors<R, T>& factors) {
    for (int k = 1; k < R; ++k) a[k] = times_conjugate(a[k], factors.w[k - 1]);
    small_transform<true>(a);
}

// Real parts and imaginary parts are two images: each is brought to its own scale where it is first read.
template <class T> struct Scaled {
    Vector<T> re, im;
    inline __attribute__((always_inline)) Complex<T> operator()(const T* source) const {
        return {load(source) * re, load(source + kLanes<T>) * im};
    }
};
template <class T> struct Unscaled {
    inline __attribute__((always_inline)) Complex<T> operator()(const T* source) const { return load_record(source); }
};

template <class T> class Transform {
public:
    struct Step {
        int64_t size;
        int radix;
        const T* factors;
    };

    explicit Transform(int64_t n) {
        for (ready_ = true; n > 4; n /= steps_[count_++].radix) {
            steps_[count_] = {n, radix(n), step_factors<T>(n)};
            ready_ &= steps_[count_].factors != nullptr;
        }
    }

    bool ready() const { return ready_; }
    const Step& first() const { return steps_[0]; }

    // All steps but the last, which is over 4 neighbouring records and has no factors: see `fours`.
    void forward(T* panel) const { descend(panel, 0); }
    void forward(T* panel, const Scaled<T>& scaled) const {
        step<false>(panel, steps_[0], 1, scaled);
        const int64_t part = steps_[0].size / steps_[0].radix;
        if (part > 4)
            for (int p = 0; p < steps_[0].radix; ++p) descend(panel + p * part * kRecord<T>, 1);
    }
    // The mirror image: what `forward` without scales did is undone, the first step excepted where `but_first`.
    void inverse(T* panel, bool but_first) const {
        if (!but_first) return ascend(panel, 0);
        const int64_t part = steps_[0].size / steps_[0].radix;
        if (part > 4)
            for (int p = 0; p < steps_[0].radix; ++p) ascend(panel + p * part * kRecord<T>, 1);
    }

    template <bool Inverse> void fours(T* panel) const {
        for (int64_t j = 0; j < steps_[0].size; j += 4, panel += 4 * kRecord<T>) {
            Complex<T> a[4];
            for (int k = 0; k < 4; ++k) a[k] = load_record(panel + k * kRecord<T>);
            small_transform<Inverse>(a);
            for (int k = 0; k < 4; ++k) store_record(panel + k * kRecord<T>, a[k]);
        }
    }

private:
    // A block of at most this size is taken through all its steps, so that it stays in L1 meanwhile.
    static constexpr int64_t kNearRecords = 16 * 1024 / (kRecord<T> * int64_t(sizeof(T)));

    Step steps_[8];
    int count_ = 0;
    bool ready_;

    void descend(T* block, int k) const {
        if (steps_[k].size > kNearRecords) {
            step<false>(block, steps_[k], 1, Unscaled<T>{});
            const int64_t part = steps_[k].size / steps_[k].radix;
            for (int p = 0; p < steps_[k].radix; ++p) descend(block + p * part * kRecord<T>, k + 1);
            return;
        }
        const int64_t size = steps_[k].size;
        for (; k < count_; ++k) step<false>(block, steps_[k], size / steps_[k].size, Unscaled<T>{});
    }

    void ascend(T* block, int k) const {
        if (steps_[k].size > kNearRecords) {
            const int64_t part = steps_[k].size / steps_[k].radix;
            for (int p = 0; p < steps_[k].radix; ++p) ascend(block + p * part * kRecord<T>, k + 1);
            step<true>(block, steps_[k], 1, Unscaled<T>{});
            return;
        }
        for (int last = count_ - 1; last >= k; --last)
            step<true>(block, steps_[last], steps_[k].size / steps_[last].size, Unscaled<T>{});
    }

    template <bool Inverse, class Load> static void step(T* data, const Step& s, int64_t blocks, const Load& read) {
        if (s.radix == 4) step_blocks<4, Inverse>(data, s, blocks, read);
        else if (s.radix == 3) step_blocks<3, Inverse>(data, s, blocks, read);
        else step_blocks<8, Inverse>(data, s, blocks, read);
    }

    // Factors are loaded once for all blocks.
    template <int R, bool Inverse, class Load>
    static void step_blocks(T* data, const Step& s, int64_t blocks, const Load& read) {
        const int64_t part = s.size / R * kRecord<T>;
        for (int64_t j = 0; j < s.size / R; ++j) {
            const Factors<R, T> factors(s.factors + j * 2 * (R - 1));
            T* at = data + j * kRecord<T>;
            for (int64_t b = 0; b < blocks; ++b, at += R * part) {
                Complex<T> a[R];
                for (int k = 0; k < R; ++k) a[k] = read(at + k * part);
                if constexpr (Inverse) merge(a, factors);
                else split(a, factors);
                for (int k = 0; k < R; ++k) store_record(at + k * part, a[k]);
            }
        }
    }
};

}  // namespace
}  // namespace corr2d
