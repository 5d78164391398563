// The models that are compared with ONNX Runtime: every operator in several shapes, and small whole networks.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/nn/tensor.h"
#include "tests/support/onnx_builder.h"

namespace lynceus::test {

/// The largest difference, in parts of the largest absolute output, where both sides add up in float or better: a sum
/// of n products is off by at most n * 2^-24 of the sum of their magnitudes, and in practice by its root.
inline constexpr double kRelativeBound = 1e-5;
/// For numbers that are moved, compared or chosen.
inline constexpr double kExact = 0;

struct ConformanceCase {
  std::string name;
  OnnxBuilder model;
  std::vector<nn::NamedTensor> inputs;
  double bound = kRelativeBound;  ///< the difference that is allowed, in parts of the largest absolute output
  double step = 0;                ///< and beside it: a quantisation step where ties may differ
};

/// Collects cases; input "x" holds random numbers that depend on the position of the case.
class Cases {
 public:
  /// Gets the builder and the input's name; returns the output's, which is float.
  using Build = std::function<std::string(OnnxBuilder&, const std::string&)>;

  struct Options {
    int opset = 17;
    float low = -1, high = 1;
    double bound = kRelativeBound;
  };

  void add(const std::string& name, const nn::Shape& input, const Build& build, const Options& options);
  void add(const std::string& name, const nn::Shape& input, const Build& build) { add(name, input, build, Options{}); }
  std::vector<ConformanceCase> take() { return std::move(m_cases); }

 private:
  std::vector<ConformanceCase> m_cases;
};

using Ints = std::vector<int64_t>;
using Floats = std::vector<float>;

/// Integers or booleans as float, so that they can leave the graph.
inline std::string asFloat(OnnxBuilder& b, const std::string& value) {
  return b.node("Cast", {value}).integer("to", OnnxBuilder::Proto::FLOAT);
}
/// Floats as int64.
inline std::string asInts(OnnxBuilder& b, const std::string& value) {
  return b.node("Cast", {value}).integer("to", OnnxBuilder::Proto::INT64);
}
inline std::string scalar(OnnxBuilder& b, float value) { return b.constant({{}, Floats{value}}); }

void addConvolutions(Cases& cases);
void addPools(Cases& cases);
void addActivations(Cases& cases);
void addArithmetic(Cases& cases);
void addNormalizations(Cases& cases);
void addReductions(Cases& cases);
void addResizes(Cases& cases);
void addSampling(Cases& cases);
void addMatrices(Cases& cases);
void addMovements(Cases& cases);
void addIndexing(Cases& cases);
void addExporterHabits(Cases& cases);

std::vector<ConformanceCase> operatorCases();
std::vector<ConformanceCase> networkCases();
std::vector<ConformanceCase> quantizedCases();

/// What is not compared because ONNX Runtime refuses it or departs from the standard.
struct Exclusion {
  const char* what;
  const char* reason;
};
const std::vector<Exclusion>& exclusions();

}  // namespace lynceus::test
