// Which kernel runs which operator: filled before main() by LYN_REGISTER_OP in the file that defines the kernel.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace lynceus::nn {

/// Oldest and newest ONNX operator set that Lynceus reads.
inline constexpr int kFirstOpset = 7;
inline constexpr int kLastOpset = 21;

struct OpsetRange {
  int first, last;
};
constexpr OpsetRange opset(int first, int last) { return {first, last}; }

/// Kernels of one backend by (operator, opset). Read-only after start-up, so any thread may look things up.
template <class Kernel>
class Registry {
 public:
  bool add(const std::string& op, OpsetRange range, Kernel kernel) {
    m_kernels[op].push_back({range, kernel});
    return true;
  }
  /// nullptr where this backend does not run the operator at this opset.
  const Kernel* find(const std::string& op, int opsetVersion) const {
    const auto it = m_kernels.find(op);
    if (it == m_kernels.end()) return nullptr;
    for (const Entry& e : it->second)
      if (e.range.first <= opsetVersion && opsetVersion <= e.range.last) return &e.kernel;
    return nullptr;
  }
  std::vector<std::string> operators() const {
    std::vector<std::string> names;
    for (const auto& [name, entries] : m_kernels) names.push_back(name);
    return names;
  }

 private:
  struct Entry {
    OpsetRange range;
    Kernel kernel;
  };
  std::map<std::string, std::vector<Entry>> m_kernels;
};

}  // namespace lynceus::nn

#define LYN_CONCAT_TOKENS(a, b) a##b
#define LYN_CONCAT(a, b) LYN_CONCAT_TOKENS(a, b)
/// At namespace scope in lynceus::nn::<backend>: `LYN_REGISTER_OP(reference, "MaxPool", opset(8, 21), kMaxPool);`
#define LYN_REGISTER_OP(backend, op, opsets, kernel)                        \
  [[maybe_unused]] static const bool LYN_CONCAT(registered_, __COUNTER__) = \
      ::lynceus::nn::backend::kernels().add(op, opsets, kernel)
