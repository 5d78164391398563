// Post-training quantisation: a float32 ONNX file becomes one whose convolutions compute on 8-bit integers, in the
// standard form (QuantizeLinear and DequantizeLinear pairs) that other runtimes read, too. Symmetric: zero points are
// 0; weights int8 for each output channel, activations int8, or uint8 where never negative, with one scale each.
#pragma once

#include <functional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/compute/device.h"
#include "core/error.h"
#include "core/nn/tensor.h"

namespace lynceus::nn {

struct QuantizeOptions {
  std::set<std::string> keepFloat;  ///< names of nodes that stay float32; node_names.h has those that the file omits
};

/// A value (or several that share a scale) that became 8-bit integers.
struct QuantizedValue {
  std::vector<std::string> names;  ///< in the file, in the order of computation
  Type type = Type::i8;            ///< i8, or u8 where never negative
  float largest = 0;               ///< |x| while calibrating
  float threshold = 0;             ///< |x| that the largest integer stands for; chosen by MagnitudeHistogram

  float scale() const { return threshold > 0 ? threshold / static_cast<float>(type == Type::u8 ? 255 : 127) : 1; }
};

struct QuantizedModel {
  std::string onnx;        ///< the bytes of the new file
  std::string foldedOnnx;  ///< the float32 network that it was made of: the file with batch normalisation folded
  std::vector<QuantizedValue> values;
  size_t convolutions = 0;  ///< that compute on integers now
  size_t floatConvolutions = 0;
};

/// One float tensor for each input of the network, in its order.
using Sample = std::vector<Tensor>;

/// Everything of the file that is not changed stays, such as names, metadata and other nodes; nodes without a name get
/// one. The operator set becomes
/// 13 where it was older and no node changes its meaning by that.
/// @param file     stands for it in errors. Weights in external files are refused.
/// @param samples  typical of what the network will see; more and more varied is better.
/// @param device   runs the float32 network on the samples.
Expected<QuantizedModel> quantizeModel(std::span<const std::byte> onnx, const std::string& file,
                                       std::span<const Sample> samples, compute::Device& device,
                                       const QuantizeOptions& options = {});

/// How far an output of the quantised network is from the float32 one.
struct OutputError {
  std::string name;
  double largest = 0;      ///< largest absolute difference, in units of the float32 output's RMS
  double rms = 0;          ///< RMS difference, in the same units
  double correlation = 1;  ///< Pearson's
};

/// Of a quantised value inside: signal-to-noise ratio against float32, all errors of the steps before it included.
struct ValueError {
  std::string name;
  double snrDb = 0;
};

struct QuantizationErrors {
  std::vector<OutputError> outputs;
  std::vector<ValueError> values;
};

/// Both networks' outputs for one sample.
using OutputsSeen =
    std::function<Expected<void>(const std::vector<NamedTensor>& float32, const std::vector<NamedTensor>& quantized)>;

/// Runs both networks on samples that were not used to calibrate.
/// @param seen  called for each sample, if given; its error ends the comparison.
Expected<QuantizationErrors> compareQuantized(const QuantizedModel& model, std::span<const Sample> samples,
                                              compute::Device& device, const OutputsSeen& seen = {});

}  // namespace lynceus::nn
