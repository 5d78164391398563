#include "core/nn/attribute_types.h"

#include <array>

namespace lynceus::nn {
namespace {

enum Kind : size_t { integer, number, text, integers, numbers, tensor };  // in the order of Attribute

constexpr std::array<const char*, 6> kKindNames{"an integer",         "a number",          "a text",
                                                "a list of integers", "a list of numbers", "a tensor"};

// All that kernels read. ONNX gives a name the same kind in every operator, but for what kindOf() knows.
const std::map<std::string, Kind>& kinds() {
  static const std::map<std::string, Kind> table = [] {
    std::map<std::string, Kind> all;
    for (const char* name : {"align_corners",
                             "allowzero",
                             "antialias",
                             "axis",
                             "batch_dims",
                             "block_size",
                             "blocksize",
                             "ceil_mode",
                             "count_include_pad",
                             "detect_negative",
                             "detect_positive",
                             "end",
                             "exclude_outside",
                             "exclusive",
                             "fmod",
                             "group",
                             "k",
                             "keepdims",
                             "largest",
                             "noop_with_empty_axes",
                             "num_groups",
                             "output_dtype",
                             "p",
                             "reverse",
                             "select_last_index",
                             "size",
                             "spatial",
                             "start",
                             "storage_order",
                             "to",
                             "training_mode",
                             "transA",
                             "transB",
                             "upper",
                             "value_int"})
      all[name] = integer;
    for (const char* name : {"alpha", "beta", "bias", "cubic_coeff_a", "epsilon", "extrapolation_value", "gamma",
                             "lambd", "max", "min", "value_float"})
      all[name] = number;
    for (const char* name : {"approximate", "auto_pad", "coordinate_transformation_mode", "equation",
                             "keep_aspect_ratio_policy", "mode", "nearest_mode", "padding_mode", "reduction"})
      all[name] = text;
    for (const char* name : {"axes", "dilations", "ends", "kernel_shape", "output_padding", "output_shape", "pads",
                             "perm", "split", "starts", "strides", "value_ints"})
      all[name] = integers;
    all["scales"] = all["value_floats"] = numbers;
    all["value"] = tensor;
    return all;
  }();
  return table;
}

Kind kindOf(const std::string& op, const std::string& name, Kind usual) {
  return op == "Pad" && name == "value" ? number : usual;
}

}  // namespace

Expected<void> checkAttributeTypes(const Node& node) {
  for (const auto& [name, value] : node.attributes) {
    const auto known = kinds().find(name);
    if (known == kinds().end()) continue;
    const Kind expected = kindOf(node.op, name, known->second);
    if (value.index() != expected)
      return makeError(ErrorCode::badInput, "attribute {} is {}, expected {}", name, kKindNames[value.index()],
                       kKindNames[expected]);
  }
  return {};
}

}  // namespace lynceus::nn
