#include "core/nn/passes/memory_plan.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <random>
#include <tuple>

namespace lynceus::nn {
namespace {

// Pairs of buffers that the search compares at most, and orders it tries at most.
constexpr size_t kSearchPairs = 20'000'000;
constexpr size_t kSearchTries = 3000;

enum class Fit { tightestGap, lowestGap };
using Order = std::vector<size_t>;

struct Placed {
  size_t begin, end;  // bytes
  size_t firstStep, lastStep;
};

class Planner {
 public:
  explicit Planner(std::span<const Buffer> buffers) : m_buffers(buffers.begin(), buffers.end()) {
    for (Buffer& b : m_buffers) b.bytes = (b.bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
    m_best.offsets.assign(m_buffers.size(), 0);
    m_best.arenaBytes = std::numeric_limits<size_t>::max();
    m_loads.assign(m_buffers.size(), 0);
    findLoads();
  }

  MemoryPlan plan() {
    tryOrders();
    if (!isOptimal()) search();
    return std::move(m_best);
  }

 private:
  // The bytes alive in each step, from what begins and ends there; for each buffer the most that it lives with.
  void findLoads() {
    std::vector<size_t> steps;
    for (const Buffer& b : m_buffers) steps.insert(steps.end(), {b.firstStep, b.lastStep});
    std::sort(steps.begin(), steps.end());
    steps.erase(std::unique(steps.begin(), steps.end()), steps.end());
    const auto at = [&](size_t step) {
      return static_cast<size_t>(std::lower_bound(steps.begin(), steps.end(), step) - steps.begin());
    };
    std::vector<size_t> begins(steps.size() + 1, 0), ends(steps.size() + 1, 0), alive(steps.size(), 0);
    for (const Buffer& b : m_buffers) {
      begins[at(b.firstStep)] += b.bytes;
      ends[at(b.lastStep) + 1] += b.bytes;
    }
    size_t sum = 0;
    for (size_t s = 0; s < steps.size(); ++s) {
      sum = sum + begins[s] - ends[s];
      alive[s] = sum;
      m_best.boundBytes = std::max(m_best.boundBytes, sum);
    }
    for (size_t i = 0; i < m_buffers.size(); ++i)
      for (size_t s = at(m_buffers[i].firstStep); s < steps.size() && steps[s] <= m_buffers[i].lastStep; ++s)
        m_loads[i] = std::max(m_loads[i], alive[s]);
  }

  bool isOptimal() const { return m_best.arenaBytes <= m_best.boundBytes; }

  // Places the buffers one after the other, each in a gap that is free all its life. Returns the arena's bytes.
  size_t place(const Order& order, Fit fit) {
    m_offsets.assign(m_buffers.size(), 0);
    m_placed.clear();
    size_t arena = 0;
    for (const size_t i : order) {
      const Buffer& b = m_buffers[i];
      const size_t offset = findGap(b, fit);
      m_offsets[i] = offset;
      arena = std::max(arena, offset + b.bytes);
      const Placed placed{offset, offset + b.bytes, b.firstStep, b.lastStep};
      const auto after = std::upper_bound(m_placed.begin(), m_placed.end(), offset,
                                          [](size_t begin, const Placed& p) { return begin < p.begin; });
      m_placed.insert(after, placed);
    }
    if (arena < m_best.arenaBytes) {
      m_best.arenaBytes = arena;
      m_best.offsets = m_offsets;
    }
    return arena;
  }

  // m_placed is sorted by begin, so one walk over what lives at the same time meets every gap.
  size_t findGap(const Buffer& b, Fit fit) const {
    size_t top = 0, tightest = std::numeric_limits<size_t>::max(), offset = 0;
    for (const Placed& p : m_placed) {
      if (p.firstStep > b.lastStep || p.lastStep < b.firstStep) continue;
      if (p.begin >= top + b.bytes && p.begin - top < tightest) {
        if (fit == Fit::lowestGap) return top;
        tightest = p.begin - top;
        offset = top;
      }
      top = std::max(top, p.end);
    }
    return tightest == std::numeric_limits<size_t>::max() ? top : offset;
  }

  template <class Key>
  void tryOrder(const Key& key) {
    Order order = m_all;
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return key(a) > key(b); });
    for (const Fit fit : {Fit::tightestGap, Fit::lowestGap})
      if (!isOptimal()) place(order, fit);
  }

  void tryOrders() {
    for (size_t i = 0; i < m_buffers.size(); ++i)
      if (m_buffers[i].bytes != 0) m_all.push_back(i);
    const auto bytes = [&](size_t i) { return m_buffers[i].bytes; };
    const auto life = [&](size_t i) { return m_buffers[i].lastStep - m_buffers[i].firstStep + 1; };
    const auto late = [&](size_t i) { return m_buffers[i].firstStep; };
    tryOrder([&](size_t i) { return std::tuple(bytes(i), life(i)); });
    tryOrder([&](size_t i) { return std::tuple(m_loads[i], bytes(i)); });
    tryOrder([&](size_t i) { return std::tuple(static_cast<double>(bytes(i)) * static_cast<double>(life(i))); });
    tryOrder([&](size_t i) { return std::tuple(life(i), bytes(i)); });
    tryOrder([&](size_t i) { return std::tuple(m_loads[i], life(i)); });
    tryOrder([&](size_t i) { return std::tuple(late(i), bytes(i)); });
    tryOrder([&](size_t i) { return std::tuple(~late(i), bytes(i)); });
  }

  // Every plan can be had by placing its buffers by rising offset, each as low as it goes: so the best plan lies
  // among the orders, and the search walks from the best one found so far by moving single buffers.
  void search() {
    Order current = m_all;
    std::stable_sort(current.begin(), current.end(),
                     [&](size_t a, size_t b) { return m_best.offsets[a] < m_best.offsets[b]; });
    size_t currentArena = m_best.arenaBytes;
    const size_t pairs = current.size() * current.size() / 2 + 1;
    const size_t tries = std::min(kSearchTries, kSearchPairs / pairs);
    std::mt19937 random(1);  // its numbers are fixed by the standard, those of the distributions are not
    for (size_t t = 0; t < tries && !isOptimal(); ++t) {
      Order next = current;
      const size_t from = random() % next.size(), to = random() % next.size();
      if (t % 2 == 0) {
        std::swap(next[from], next[to]);
      } else {
        const size_t moved = next[from];
        next.erase(next.begin() + static_cast<ptrdiff_t>(from));
        next.insert(next.begin() + static_cast<ptrdiff_t>(to), moved);
      }
      const size_t arena = place(next, Fit::lowestGap);
      if (arena > currentArena) continue;
      current = std::move(next);
      currentArena = arena;
    }
  }

  std::vector<Buffer> m_buffers;  // bytes rounded up
  std::vector<size_t> m_loads;    // the most bytes alive in a step of the buffer's life
  Order m_all;                    // the buffers that take bytes
  MemoryPlan m_best;
  std::vector<size_t> m_offsets;  // of the plan being made
  std::vector<Placed> m_placed;
};

}  // namespace

MemoryPlan planMemory(std::span<const Buffer> buffers) { return Planner(buffers).plan(); }

}  // namespace lynceus::nn
