// Hysteresis as reachability: a candidate is an edge if a chain of candidates, each touching the next at a side or a
// corner, leads from it to a strong one. No order of visits enters, so threads cannot change the result.
//
// Candidates are kept as runs along rows, 16 bytes each, joined by union-find (Tarjan 1975): bands of rows each for
// themselves, then across the seams between bands.
#pragma once
#include <cstdint>
#include <cstdlib>

namespace corr2d {

// A vector of plain values that reports exhausted memory instead of throwing.
template <class T> class Growing {
public:
    Growing() = default;
    Growing(const Growing&) = delete;
    Growing& operator=(const Growing&) = delete;
    ~Growing() { std::free(values_); }

    bool push(const T& value) {
        if (count_ == room_ && !grow()) return false;
        values_[count_++] = value;
        return true;
    }
    T& operator[](int64_t n) { return values_[n]; }
    const T& operator[](int64_t n) const { return values_[n]; }
    int64_t count() const { return count_; }

private:
    bool grow() {
        const int64_t room = room_ ? 2 * room_ : 256;
        T* const values = static_cast<T*>(std::realloc(values_, size_t(room) * sizeof(T)));
        if (values == nullptr) return false;
        values_ = values;
        room_ = room;
        return true;
    }

    T* values_ = nullptr;
    int64_t count_ = 0, room_ = 0;
};

// Columns [begin, end) of a row. `parent` is a run of the same band, itself at a root; `state` is of use at roots only.
struct EdgeRun {
    int32_t begin, end, parent, state;
};

constexpr uint8_t kCandidate = 1, kStrong = 3;  // bits of a pixel's class; a strong one is a candidate too
constexpr int64_t kClassUnit = 64;              // rows of classes are zero up to a multiple of this

class EdgeBand {
public:
    // The next row of the band; false when memory is exhausted.
    bool add_row(const uint8_t* classes, int64_t columns);
    // To be called after the last row: every run then knows its root.
    void settle();
    // After `join`: writes row y of the band.
    void write_row(int64_t y, uint8_t* out, int64_t columns, uint8_t value) const;

    friend bool join(EdgeBand* bands, int64_t count, int64_t bands_per_plane);

private:
    struct Rows {
        int64_t first, last;
    };
    Rows row(int64_t y) const { return {starts_[y], y + 1 < starts_.count() ? starts_[y + 1] : runs_.count()}; }
    int32_t root(int32_t run);
    void unite(int32_t one, int32_t other);

    Growing<EdgeRun> runs_;
    Growing<int64_t> starts_;  // the first run of each row
};

// Joins the settled bands of each plane, every `bands_per_plane` of which lie below one another; false when memory is
// exhausted.
bool join(EdgeBand* bands, int64_t count, int64_t bands_per_plane);

}  // namespace corr2d
