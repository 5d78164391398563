#include "tests/conformance/onnx/cases.h"

namespace lynceus::test {

using nn::Shape;
using Node = OnnxBuilder::NodeBuilder;

namespace {

using Set = std::function<void(Node&)>;

// By scales, or by sizes where there are any.
void addResize(Cases& cases, const std::string& name, const Shape& input, const Floats& scales, const Ints& sizes,
               const Set& set, int opset) {
  cases.add("Resize " + name, input,
            [&](OnnxBuilder& b, const std::string& x) {
              std::vector<std::string> inputs{x, ""};
              inputs.push_back(sizes.empty() ? b.constant({{static_cast<int64_t>(scales.size())}, scales}) : "");
              if (!sizes.empty()) inputs.push_back(b.ints(sizes));
              Node n = b.node("Resize", inputs);
              set(n);
              return n.output();
            },
            {opset});
}

void addCubic(Cases& cases) {
  for (const char* coordinates : {"half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"})
    for (const int64_t exclude : {0, 1})
      for (const Floats& scales : {Floats{1, 1, 2, 2}, Floats{1, 1, 1.5F, 0.7F}})
        addResize(
            cases, std::string("cubic ") + coordinates, {2, 3, 7, 9}, scales, {},
            [&](Node& n) {
              n.text("mode", "cubic").text("coordinate_transformation_mode", coordinates);
              n.integer("exclude_outside", exclude).real("cubic_coeff_a", exclude ? -0.5F : -0.75F);
            },
            13);
  addResize(
      cases, "cubic to sizes", {1, 3, 7, 9}, {}, {1, 3, 12, 5}, [](Node& n) { n.text("mode", "cubic"); }, 18);
}

void addAntialias(Cases& cases) {
  const auto antialias = [](const char* mode, int64_t exclude) {
    return [=](Node& n) { n.text("mode", mode).integer("antialias", 1).integer("exclude_outside", exclude); };
  };
  for (const char* mode : {"linear", "cubic"})
    for (const int64_t exclude : {0, 1}) {
      addResize(cases, std::string("antialias ") + mode, {1, 3, 9, 11}, {1, 1, 0.5F, 0.4F}, {},
                antialias(mode, exclude), 18);
      addResize(cases, std::string("antialias to sizes ") + mode, {1, 3, 9, 11}, {}, {1, 3, 4, 13},
                antialias(mode, exclude), 19);
    }
  addResize(cases, "antialias of a volume", {1, 3, 9, 11, 8}, {1, 1, 0.5F, 0.4F, 0.6F}, {}, antialias("linear", 0), 18);
  addResize(cases, "antialias of a volume to sizes", {1, 1, 9, 11, 8}, {}, {1, 1, 4, 5, 6}, antialias("linear", 0), 19);
}

void addCrops(Cases& cases) {
  const Floats regions[] = {{0, 0, 0.1F, 0.2F, 0.3F, 1, 1, 0.6F, 0.9F, 0.8F},
                            {0, 0, -0.2F, 0, 0.5F, 1, 1, 0.7F, 1.3F, 1}};
  for (const Floats& region : regions)
    for (const char* mode : {"linear", "nearest"})
      cases.add(std::string("Resize of a region, ") + mode, {1, 3, 5, 7, 6},
                [&](OnnxBuilder& b, const std::string& x) {
                  return b.node("Resize", {x, b.constant({{10}, region}), "", b.ints({1, 3, 4, 5, 8})})
                      .text("mode", mode)
                      .text("coordinate_transformation_mode", "tf_crop_and_resize")
                      .real("extrapolation_value", 3)
                      .output();
                },
                {13});
  for (const int type : {OnnxBuilder::Proto::INT8, OnnxBuilder::Proto::UINT8, OnnxBuilder::Proto::INT32})
    for (const Floats& region : regions)
      cases.add("Resize of a region of integers", {1, 3, 5, 7, 6},
                [&](OnnxBuilder& b, const std::string& x) {
                  const std::string scaled = b.node("Mul", {x, scalar(b, 100)});
                  const std::string integers = b.node("Cast", {b.node("Abs", {scaled}).output()}).integer("to", type);
                  return asFloat(b,
                                 b.node("Resize", {integers, b.constant({{10}, region}), "", b.ints({1, 3, 4, 5, 8})})
                                     .text("mode", "nearest")
                                     .text("coordinate_transformation_mode", "tf_crop_and_resize")
                                     .real("extrapolation_value", -3.7F));
                },
                {13, -1, 1, kExact});
}

void addPolicies(Cases& cases) {
  for (const char* policy : {"stretch", "not_larger", "not_smaller"})
    for (const char* mode : {"linear", "nearest"})
      addResize(
          cases, std::string(policy) + " " + mode, {1, 3, 4, 5, 6}, {}, {7, 12, 9},
          [&](Node& n) {
            n.text("mode", mode).text("keep_aspect_ratio_policy", policy).ints("axes", {2, 3, 4});
          },
          18);
}

}  // namespace

void addResizes(Cases& cases) {
  const Shape shape{1, 5, 4, 5, 6};
  const auto resize = [&](const std::string& name, const std::string& mode, const std::string& coordinates,
                          const std::string& nearest, const std::vector<float>& scales, const Ints& sizes,
                          const Shape& input, int opset) {
    cases.add("Resize " + name, input,
              [&](OnnxBuilder& b, const std::string& x) {
                std::vector<std::string> inputs{
                    x, "", scales.empty() ? "" : b.constant({{static_cast<int64_t>(scales.size())}, scales})};
                if (!sizes.empty()) inputs.push_back(b.ints(sizes));
                Node n =
                    b.node("Resize", inputs).text("mode", mode).text("coordinate_transformation_mode", coordinates);
                if (!nearest.empty()) n.text("nearest_mode", nearest);
                return n.output();
              },
              {opset});
  };
  for (const char* coordinates :
       {"half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners", "half_pixel_symmetric"}) {
    const int opset = std::string(coordinates) == "half_pixel_symmetric" ? 19 : 13;
    for (const std::vector<float>& scales : {std::vector<float>{1, 1, 2, 2, 2}, std::vector<float>{1, 1, 1.5F, 3, 1}}) {
      resize(std::string("linear ") + coordinates, "linear", coordinates, "", scales, {}, shape, opset);
      for (const char* nearest : {"floor", "round_prefer_floor", "round_prefer_ceil", "ceil"})
        resize(std::string("nearest ") + coordinates + " " + nearest, "nearest", coordinates, nearest, scales, {},
               shape, opset);
    }
    resize(std::string("linear to sizes ") + coordinates, "linear", coordinates, "", {}, {1, 5, 7, 9, 11}, shape,
           opset);
    resize(std::string("nearest to sizes ") + coordinates, "nearest", coordinates, "floor", {}, {1, 5, 8, 10, 9}, shape,
           opset);
    resize(std::string("linear, smaller ") + coordinates, "linear", coordinates, "", {1, 1, 0.5F, 0.6F, 0.5F}, {},
           shape, opset);
  }
  resize("linear, 1 channel", "linear", "half_pixel", "", {1, 1, 2, 2, 2}, {}, {2, 1, 3, 4, 5}, {17});
  resize("linear 2D", "linear", "half_pixel", "", {1, 1, 2, 2}, {}, {2, 3, 4, 5}, {17});
  resize("nearest 1D", "nearest", "asymmetric", "floor", {1, 1, 2}, {}, {2, 3, 4}, {17});
  cases.add("Resize 10 nearest", shape,
            [](OnnxBuilder& b, const std::string& x) {
              return b.node("Resize", {x, b.constant({{5}, std::vector<float>{1, 1, 2, 2, 2}})})
                  .text("mode", "nearest")
                  .output();
            },
            {10});
  cases.add("Upsample 9 nearest", shape,
            [](OnnxBuilder& b, const std::string& x) {
              return b.node("Upsample", {x, b.constant({{5}, std::vector<float>{1, 1, 2, 2, 2}})})
                  .text("mode", "nearest")
                  .output();
            },
            {9});
  cases.add("Resize 18 with axes", shape,
            [](OnnxBuilder& b, const std::string& x) {
              return b.node("Resize", {x, "", b.constant({{3}, std::vector<float>{2, 2, 2}})})
                  .ints("axes", {2, 3, 4})
                  .text("mode", "linear")
                  .output();
            },
            {18});
  addCubic(cases);
  addAntialias(cases);
  addCrops(cases);
  addPolicies(cases);
}

}  // namespace lynceus::test
