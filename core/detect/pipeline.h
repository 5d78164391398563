// The one detection engine: volume in, findings out. Command line, desktop and listener all run this.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/compute/device.h"
#include "core/detect/decode.h"
#include "core/detect/finding.h"
#include "core/image/volume.h"
#include "core/job/context.h"
#include "core/model/package.h"

namespace lynceus::detect {

enum class Region { lung, whole };

struct Options {
  Region region = Region::lung;
  std::optional<double> threshold;  ///< calibrated score; absent: the model's operating point
  compute::Precision precision = compute::Precision::fp32;
};

/// A model on a device, ready for any number of volumes. One volume at a time.
class Pipeline {
 public:
  /// Reads and checks the package's files and network. The device is shared: it outlives every pipeline on it.
  static Expected<Pipeline> create(model::Package package, std::shared_ptr<compute::Device> device);

  /// Finds, segments and measures. Fills everything of the result but `series`, which the caller knows.
  /// A volume that breaks an input rule gives a result of status rejectedInput, not an error.
  /// @return ErrorCode::cancelled when the context was cancelled; what the device says when it fails.
  Expected<DetectionResult> run(const image::Volume& volume, const model::SeriesFacts& facts, const Options& options,
                                const job::Context& context);

  const model::Package& package() const { return m_package; }
  const nn::Graph& network() const { return m_graph; }

 private:
  Pipeline(model::Package package, nn::Graph graph, std::shared_ptr<compute::Device> device);
  /// All candidates in the isotropic image whose centre lies in the region (nullptr: anywhere).
  Expected<std::vector<Candidate>> search(const image::Image<float>& hu, const image::Mask* region,
                                          compute::Precision precision, const job::Context& context);
  Expected<compute::Executable*> executableFor(const image::Int3& tileSize, compute::Precision precision);

  model::Package m_package;
  nn::Graph m_graph;
  std::shared_ptr<compute::Device> m_device;
  image::Int3 m_compiledFor;
  compute::Precision m_compiledIn = compute::Precision::fp32;
  std::unique_ptr<compute::Executable> m_executable;
};

}  // namespace lynceus::detect
