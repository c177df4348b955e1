#include "hysteresis.h"

#include <bit>
#include <cstring>
#include <utility>

namespace corr2d {
namespace {

// A root's state. A root that touches a seam is given a port while bands are being joined: state -2 - port.
constexpr int32_t kWeak = 0, kReached = 1;

inline uint64_t lowest(int bits) { return bits >= 64 ? ~uint64_t(0) : (uint64_t(1) << bits) - 1; }

// Bit n is the lowest bit of byte n: the product brings the eight bits together in the highest byte.
inline uint64_t gather_bits(uint64_t bytes) { return ((bytes & 0x0101010101010101) * 0x0102040810204080) >> 56; }

// The candidates and the strong ones among 64 classes, as bits; false where there is none.
bool read_classes(const uint8_t* classes, uint64_t& candidates, uint64_t& strong) {
    uint64_t words[8], any = 0;
    std::memcpy(words, classes, 64);
    for (const uint64_t word : words) any |= word;
    candidates = strong = 0;
    if (any == 0) return false;
    for (int n = 0; n < 8; ++n) {
        // Bytes lie in memory in the order of columns whatever the machine's byte order is.
        const uint64_t word = std::endian::native == std::endian::little ? words[n] : __builtin_bswap64(words[n]);
        candidates |= gather_bits(word) << (8 * n);
        strong |= gather_bits(word >> 1) << (8 * n);
    }
    return true;
}

// Calls touch(one, other) for every run of the upper row that touches one of the lower row. Both go from left to right.
template <class Touch>
bool meet(const EdgeRun* upper, int64_t upper_count, const EdgeRun* lower, int64_t lower_count, Touch touch) {
    int64_t first = 0;
    for (int64_t n = 0; n < lower_count; ++n) {
        while (first < upper_count && upper[first].end < lower[n].begin) ++first;
        for (int64_t m = first; m < upper_count && upper[m].begin <= lower[n].end; ++m)
            if (!touch(m, n)) return false;
    }
    return true;
}

}  // namespace

bool EdgeBand::add_row(const uint8_t* classes, int64_t columns) {
    const int64_t first = runs_.count();
    if (!starts_.push(first)) return false;
    bool open = false, open_strong = false;
    int64_t begin = 0;
    const auto close = [&](int64_t end) {
        open = false;
        return runs_.push({int32_t(begin), int32_t(end), int32_t(runs_.count()), open_strong ? kReached : kWeak});
    };
    for (int64_t x = 0; x < columns; x += 64) {
        uint64_t candidates, strong;
        if (!read_classes(classes + x, candidates, strong) && !open) continue;
        int at = 0;
        while (at < 64) {
            if (!open) {
                const uint64_t rest = candidates >> at;
                if (rest == 0) break;
                at += std::countr_zero(rest);
                begin = x + at;
                open = true;
                open_strong = false;
            }
            const int length = std::countr_one(candidates >> at);
            open_strong |= ((strong >> at) & lowest(length)) != 0;
            at += length;
            if (at < 64 && !close(x + at)) return false;
        }
    }
    if (open && !close(columns)) return false;
    if (starts_.count() < 2 || runs_.count() == 0) return true;
    const int64_t above = starts_[starts_.count() - 2];
    return meet(&runs_[0] + above, first - above, &runs_[0] + first, runs_.count() - first, [&](int64_t m, int64_t n) {
        unite(int32_t(above + m), int32_t(first + n));
        return true;
    });
}

int32_t EdgeBand::root(int32_t run) {
    while (runs_[run].parent != run) run = runs_[run].parent = runs_[runs_[run].parent].parent;
    return run;
}

// The earlier run becomes the root, so that parents come before their children.
void EdgeBand::unite(int32_t one, int32_t other) {
    one = root(one);
    other = root(other);
    if (one == other) return;
    const int32_t first = one < other ? one : other, second = one < other ? other : one;
    runs_[second].parent = first;
    runs_[first].state |= runs_[second].state;
}

void EdgeBand::settle() {
    for (int64_t n = 0; n < runs_.count(); ++n) runs_[n].parent = runs_[runs_[n].parent].parent;
}

void EdgeBand::write_row(int64_t y, uint8_t* out, int64_t columns, uint8_t value) const {
    std::memset(out, 0, size_t(columns));
    const Rows rows = row(y);
    for (int64_t n = rows.first; n < rows.last; ++n) {
        const EdgeRun& run = runs_[n];
        if (runs_[run.parent].state != kReached) continue;
        // Most runs are a pixel or two, less than a call of memset costs.
        for (int32_t x = run.begin; x < run.end; ++x) out[x] = value;
    }
}

bool join(EdgeBand* bands, int64_t count, int64_t bands_per_plane) {
    struct Port {
        int32_t parent;
        bool reached;
        EdgeRun* root;
    };
    Growing<Port> ports;
    const auto port_of = [&](EdgeBand& band, int64_t run) {
        EdgeRun* const root = &band.runs_[band.runs_[run].parent];
        if (root->state >= 0) {
            const int32_t port = int32_t(ports.count());
            if (!ports.push({port, root->state == kReached, root})) return int32_t(-1);
            root->state = -2 - port;
        }
        return -2 - root->state;
    };
    const auto top = [&](int32_t port) {
        while (ports[port].parent != port) port = ports[port].parent = ports[ports[port].parent].parent;
        return port;
    };
    for (int64_t b = 1; b < count; ++b) {
        if (b % bands_per_plane == 0) continue;
        EdgeBand &upper = bands[b - 1], &lower = bands[b];
        if (upper.runs_.count() == 0 || lower.runs_.count() == 0) continue;
        const EdgeBand::Rows last = upper.row(upper.starts_.count() - 1), first = lower.row(0);
        const bool done = meet(&upper.runs_[0] + last.first, last.last - last.first, &lower.runs_[0], first.last,
                               [&](int64_t m, int64_t n) {
                                   int32_t one = port_of(upper, last.first + m), other = port_of(lower, n);
                                   if (one < 0 || other < 0) return false;
                                   one = top(one);
                                   other = top(other);
                                   if (one == other) return true;
                                   if (one > other) std::swap(one, other);
                                   ports[other].parent = one;
                                   ports[one].reached |= ports[other].reached;
                                   return true;
                               });
        if (!done) return false;
    }
    for (int64_t n = 0; n < ports.count(); ++n) ports[n].root->state = ports[top(int32_t(n))].reached ? kReached : kWeak;
    return true;
}

}  // namespace corr2d
