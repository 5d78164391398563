#include "tests/conformance/onnx/cases.h"
#include "tests/support/networks.h"

namespace lynceus::test {

std::vector<ConformanceCase> networkCases() {
  std::vector<ConformanceCase> cases;
  const auto add = [&](const char* name, const OnnxBuilder& model, const nn::Shape& image, unsigned seed) {
    cases.push_back({name, model, {{"image", randomTensor(image, seed)}}});
  };
  add("residual U-Net, batch 2", residualUNet(8, {-1, 1, -1, -1, -1}), {2, 1, 16, 24, 16}, 1);
  add("residual U-Net, wider", residualUNet(16, {1, 1, 32, 32, 32}), {1, 1, 32, 32, 32}, 2);
  add("crop classifier", cropClassifier({8, 16, 32}, {-1, 1, 24, 24, 24}), {3, 1, 24, 24, 24}, 3);
  add("crop classifier with odd channels", cropClassifier({5, 17, 9}, {-1, 2, 17, 16, 19}), {1, 2, 17, 16, 19}, 4);
  return cases;
}

}  // namespace lynceus::test
