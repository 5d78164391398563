#include "tests/conformance/onnx/cases.h"

namespace lynceus::test {

using nn::Shape;
using Node = OnnxBuilder::NodeBuilder;

namespace {

// Some positions lie outside of the image.
void addGridSamples(Cases& cases) {
  struct Sampling {
    Shape input, grid;
    const char* mode;
    int opset;
  };
  const Sampling samplings[] = {
      {{2, 3, 5, 7, 6}, {2, 4, 3, 5, 3}, "linear", 20},   {{1, 1, 9, 4, 5}, {1, 3, 7, 2, 3}, "linear", 20},
      {{1, 17, 3, 5, 4}, {1, 3, 3, 3, 3}, "linear", 20},  {{2, 3, 5, 7, 6}, {2, 4, 3, 5, 3}, "nearest", 20},
      {{1, 33, 3, 4, 5}, {1, 2, 3, 4, 3}, "nearest", 20}, {{2, 3, 5, 7}, {2, 4, 3, 2}, "bilinear", 16},
      {{2, 3, 5, 7}, {2, 4, 3, 2}, "nearest", 16},        {{2, 3, 5, 7}, {2, 4, 3, 2}, "bicubic", 16},
      {{2, 3, 8, 7}, {2, 4, 3, 2}, "cubic", 20},          {{2, 3, 5, 7}, {2, 6, 6, 2}, "linear", 20},
  };
  for (const Sampling& s : samplings)
    for (const char* padding : {"zeros", "border", "reflection"})
      for (const int64_t corners : {0, 1})
        cases.add(std::string("GridSample ") + s.mode + " " + padding + (corners ? ", corners" : ""), s.input,
                  [&](OnnxBuilder& b, const std::string& x) {
                    return b.node("GridSample", {x, b.constant(randomTensor(s.grid, 17, -1.4F, 1.4F))})
                        .text("mode", s.mode)
                        .text("padding_mode", padding)
                        .integer("align_corners", corners)
                        .output();
                  },
                  {s.opset});
}

void addAffineGrids(Cases& cases) {
  for (const Ints& size : {Ints{2, 1, 3, 5, 7}, Ints{2, 3, 5, 4}})
    for (const int64_t corners : {0, 1}) {
      const auto axes = static_cast<int64_t>(size.size()) - 2;
      cases.add("AffineGrid", {2, axes, axes + 1},
                [&](OnnxBuilder& b, const std::string& x) {
                  return b.node("AffineGrid", {x, b.ints(size)}).integer("align_corners", corners).output();
                },
                {20});
    }
  cases.add("AffineGrid and GridSample", {1, 2, 6, 5, 7},
            [](OnnxBuilder& b, const std::string& x) {
              const std::string theta = b.constant(randomTensor({1, 3, 4}, 18));
              const std::string grid = b.node("AffineGrid", {theta, b.ints({1, 2, 4, 5, 3})});
              return b.node("GridSample", {x, grid}).output();
            },
            {20});
}

}  // namespace

void addSampling(Cases& cases) {
  addGridSamples(cases);
  addAffineGrids(cases);
}

}  // namespace lynceus::test
