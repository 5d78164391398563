#include <random>

#include "tests/conformance/onnx/cases.h"

namespace lynceus::test {

using nn::Shape;
using Node = OnnxBuilder::NodeBuilder;

namespace {

constexpr Cases::Options kMoves{17, -1, 1, kExact};

// Indices in [-size, size) for each axis in turn of the last dimension.
nn::Tensor randomIndices(const Shape& shape, const Shape& sizes, unsigned seed) {
  std::mt19937 generator(seed);
  Ints values(static_cast<size_t>(nn::elementCount(shape)));
  for (size_t i = 0; i < values.size(); ++i) {
    const int64_t size = sizes[i % sizes.size()];
    values[i] = static_cast<int64_t>(generator() % static_cast<unsigned>(2 * size)) - size;
  }
  return {shape, values};
}

// The numbers 0 … n - 1 in another order: no index twice.
nn::Tensor permutation(const Shape& shape, int64_t n, unsigned seed) {
  Ints values;
  for (int64_t i = 0; i < n; ++i) values.push_back(i);
  std::mt19937 generator(seed);
  for (size_t i = values.size(); i-- > 1;) std::swap(values[i], values[generator() % (i + 1)]);
  values.resize(static_cast<size_t>(nn::elementCount(shape)));
  return {shape, values};
}

void addGathers(Cases& cases) {
  const Shape shape{2, 3, 5, 7, 4};
  for (const int64_t axis : {0, 1, 2, 4, -1})
    for (const Shape& at : {Shape{}, Shape{3}, Shape{2, 2}}) {
      const int64_t size = shape[static_cast<size_t>(axis < 0 ? axis + 5 : axis)];
      cases.add(
          "Gather along " + std::to_string(axis), shape,
          [&](OnnxBuilder& b, const std::string& x) {
            return b.node("Gather", {x, b.constant(randomIndices(at, {size}, 3))}).integer("axis", axis).output();
          },
          kMoves);
    }
  for (const int64_t axis : {0, 1, 3, -1}) {
    const int64_t size = shape[static_cast<size_t>(axis < 0 ? axis + 5 : axis)];
    cases.add(
        "GatherElements along " + std::to_string(axis), shape,
        [&](OnnxBuilder& b, const std::string& x) {
          Shape at{2, 2, 3, 5, 4};
          at[static_cast<size_t>(axis < 0 ? axis + 5 : axis)] = 6;
          return b.node("GatherElements", {x, b.constant(randomIndices(at, {size}, 4))}).integer("axis", axis).output();
        },
        kMoves);
  }
  for (const int64_t tuple : {1, 2, 3, 5})
    cases.add(
        "GatherND by " + std::to_string(tuple), shape,
        [&](OnnxBuilder& b, const std::string& x) {
          const nn::Tensor at = randomIndices({3, 2, tuple}, Shape(shape.begin(), shape.begin() + tuple), 5);
          return b.node("GatherND", {x, b.constant(at)}).output();
        },
        kMoves);
  for (const int64_t batch : {1, 2})
    cases.add(
        "GatherND in batches", shape,
        [&](OnnxBuilder& b, const std::string& x) {
          const Shape at = batch == 1 ? Shape{2, 4, 2} : Shape{2, 3, 2};
          const Shape sizes(shape.begin() + batch, shape.begin() + batch + 2);
          return b.node("GatherND", {x, b.constant(randomIndices(at, sizes, 6))}).integer("batch_dims", batch).output();
        },
        kMoves);
  cases.add(
      "Gather where the network says", {2, 6, 5},
      [](OnnxBuilder& b, const std::string& x) {
        const std::string best = b.node("ArgMax", {x}).integer("axis", 2).integer("keepdims", 0);
        return b.node("Gather", {x, best}).integer("axis", 2).output();
      },
      kMoves);
}

void addScatters(Cases& cases) {
  const Shape shape{3, 4, 5, 6};
  for (const int64_t axis : {0, 1, 2, -1})
    cases.add("ScatterElements along " + std::to_string(axis), shape,
              [&](OnnxBuilder& b, const std::string& x) {
                // One index along the axis for every line: none is written twice.
                Shape at{3, 4, 5, 6};
                const auto d = static_cast<size_t>(axis < 0 ? axis + 4 : axis);
                const int64_t size = at[d];
                at[d] = 1;
                return b
                    .node("ScatterElements",
                          {x, b.constant(randomIndices(at, {size}, 7)), b.constant(randomTensor(at, 8))})
                    .integer("axis", axis)
                    .output();
              },
              {axis == 1 ? 11 : 16, -1, 1, kExact});
  cases.add("Scatter 9", {3, 5},
            [](OnnxBuilder& b, const std::string& x) {
              return b.node("Scatter", {x, b.constant({{1, 3}, Ints{1, 0, 2}}), b.constant(randomTensor({1, 3}, 9))})
                  .output();
            },
            {9, -1, 1, kExact});
  for (const char* reduction : {"add", "mul", "min", "max"}) {
    const int opset = reduction[0] == 'm' && reduction[1] != 'u' ? 18 : 16;
    cases.add(std::string("ScatterElements ") + reduction, shape,
              [&](OnnxBuilder& b, const std::string& x) {
                const Shape at{2, 3, 4, 9};
                return b
                    .node("ScatterElements",
                          {x, b.constant(randomIndices(at, {6}, 10)), b.constant(randomTensor(at, 11))})
                    .integer("axis", 3)
                    .text("reduction", reduction)
                    .output();
              },
              {opset});
    cases.add(std::string("ScatterND ") + reduction, shape,
              [&](OnnxBuilder& b, const std::string& x) {
                return b
                    .node("ScatterND",
                          {x, b.constant(randomIndices({7, 2}, {3, 4}, 12)), b.constant(randomTensor({7, 5, 6}, 13))})
                    .text("reduction", reduction)
                    .output();
              },
              {opset});
  }
  for (const int opset : {11, 13, 16, 18})
    cases.add("ScatterND", {6, 4, 5},
              [](OnnxBuilder& b, const std::string& x) {
                return b
                    .node("ScatterND",
                          {x, b.constant(permutation({2, 2, 1}, 6, 14)), b.constant(randomTensor({2, 2, 4, 5}, 15))})
                    .output();
              },
              {opset, -1, 1, kExact});
}

void addMaking(Cases& cases) {
  for (const int64_t axis : {0, 1, -1})
    cases.add("OneHot", {3, 5},
              [&](OnnxBuilder& b, const std::string& x) {
                return b.node("OneHot", {asInts(b, x), b.constant({{}, Ints{4}}), b.constant({{2}, Floats{-0.5F, 2}})})
                    .integer("axis", axis)
                    .output();
              },
              {11, -6, 6, kExact});
  for (const int64_t upper : {0, 1})
    for (const int64_t k : {-2, 0, 1, 9})
      cases.add(
          "Trilu", {2, 3, 5, 7},
          [&](OnnxBuilder& b, const std::string& x) {
            return b.node("Trilu", {x, b.constant({{}, Ints{k}})}).integer("upper", upper).output();
          },
          kMoves);
  cases.add("Range of integers", {1, 1, 5}, [](OnnxBuilder& b, const std::string& x) {
    const std::string size = b.node("Gather", {(std::string)b.node("Shape", {x}), b.constant({{}, Ints{2}})});
    const std::string steps = b.node("Range", {b.constant({{}, Ints{0}}), size, b.constant({{}, Ints{1}})});
    return b.node("Add", {x, asFloat(b, steps)}).output();
  });
  cases.add("Range of floats", {1, 7}, [](OnnxBuilder& b, const std::string& x) {
    return b.node("Add", {x, (std::string)b.node("Range", {scalar(b, 3), scalar(b, -0.4F), scalar(b, -0.5F)})})
        .output();
  });
  cases.add("Size and NonZero", {2, 3, 4}, [](OnnxBuilder& b, const std::string& x) {
    const std::string where = b.node("NonZero", {b.constant({{2, 4}, Floats{0, 1, 0, 2, 3, 0, 0, 4}})});
    const std::string sum = b.node("Mul", {x, asFloat(b, b.node("Size", {x}))});
    return b.node("Mul", {sum, (std::string)b.node("ReduceSum", {asFloat(b, where)})}).output();
  });
}

}  // namespace

void addIndexing(Cases& cases) {
  addGathers(cases);
  addScatters(cases);
  addMaking(cases);
}

}  // namespace lynceus::test
