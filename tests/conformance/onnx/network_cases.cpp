#include "tests/conformance/onnx/cases.h"
#include "tests/support/networks.h"

namespace lynceus::test {
namespace {

class Networks {
 public:
  ConformanceCase& add(const char* name, const OnnxBuilder& model, const nn::Shape& image, unsigned seed) {
    m_cases.push_back({name, model, {{"image", randomTensor(image, seed)}}});
    return m_cases.back();
  }
  std::vector<ConformanceCase> take() { return std::move(m_cases); }

 private:
  std::vector<ConformanceCase> m_cases;
};

void addUnetrs(Networks& cases) {
  UnetrOptions options{.hidden = 48, .layers = 4, .heads = 4, .mlp = 96, .features = 4, .classes = 3};
  cases.add("UNETR, batch 2", unetr(options, {-1, 1, 32, 48, 32}), {2, 1, 32, 48, 32}, 11);
  options.split = true;
  cases.add("UNETR, queries by Split", unetr(options, {1, 2, 32, 32, 48}), {1, 2, 32, 32, 48}, 12);
  options.einsum = true;
  cases.add("UNETR with Einsum", unetr(options, {1, 1, 32, 48, 16}), {1, 1, 32, 48, 16}, 13);
  options.decomposedNorm = true;
  options.einsum = options.split = false;
  cases.add("UNETR with LayerNorm spelled out", unetr(options, {-1, 1, 32, 32, 32}), {1, 1, 32, 32, 32}, 14);
}

}  // namespace

std::vector<ConformanceCase> networkCases() {
  Networks cases;
  cases.add("residual U-Net, batch 2", residualUNet(8, {-1, 1, -1, -1, -1}), {2, 1, 16, 24, 16}, 1);
  cases.add("residual U-Net, wider", residualUNet(16, {1, 1, 32, 32, 32}), {1, 1, 32, 32, 32}, 2);
  cases.add("crop classifier", cropClassifier({8, 16, 32}, {-1, 1, 24, 24, 24}), {3, 1, 24, 24, 24}, 3);
  cases.add("crop classifier with odd channels", cropClassifier({5, 17, 9}, {-1, 2, 17, 16, 19}), {1, 2, 17, 16, 19},
            4);
  cases.add("Medical3DNet, batch 3", medical3DNet({8, 16, 32}, 24, {-1, 1, 24, 16, 24}), {3, 1, 24, 16, 24}, 5);
  cases.add("Medical3DNet, odd sides", medical3DNet({8, 16}, 12, {1, 1, 17, 22, 15}), {1, 1, 17, 22, 15}, 6);
  for (const nn::Shape& coord : {nn::Shape{2, 3, 8, 4, 12}, nn::Shape{1, 3, 4, 8, 8}}) {
    const nn::Shape image{coord[0], 1, 4 * coord[2], 4 * coord[3], 4 * coord[4]};
    cases.add("DSB res18", dsbRes18(2, {-1, 1, -1, -1, -1}), image, 7)
        .inputs.push_back({"coord", randomTensor(coord, 8)});
  }
  cases.add("RetinaNet, uneven levels", monaiRetinaNet(8, 32, {-1, 1, -1, -1, -1}), {1, 1, 52, 44, 22}, 8);
  cases.add("RetinaNet, batch 2", monaiRetinaNet(8, 16, {2, 1, 48, 32, 16}), {2, 1, 48, 32, 16}, 9);
  cases.add("nnU-Net", nnUNet({8, 16, 24, 32}, 3, {-1, 1, -1, -1, -1}), {2, 1, 32, 24, 40}, 10);
  cases.add("SegResNet, 2 channels", segResNet(8, 3, {-1, 2, -1, -1, -1}), {1, 2, 32, 24, 40}, 11);
  addUnetrs(cases);
  return cases.take();
}

}  // namespace lynceus::test
