// The one detection engine: volume in, findings out. Command line, desktop and listener all run this.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/compute/device.h"
#include "core/detect/decode.h"
#include "core/detect/finding.h"
#include "core/detect/lung_region.h"
#include "core/detect/network.h"
#include "core/image/volume.h"
#include "core/job/context.h"
#include "core/model/package.h"

namespace lynceus::detect {

struct Options {
  Region region = Region::lung;
  std::optional<double> threshold;  ///< calibrated score; absent: the model's operating point
  compute::Precision precision = compute::Precision::fp32;
  bool tta = false;  ///< logits are means over the eight mirror images: eight times the computation
};

/// A model on a device, ready for any number of volumes. One volume at a time.
class Pipeline {
 public:
  /// Reads the package's files once, compares them with their hashes and the networks' outputs with what model.toml
  /// says of them: what differs is refused before anything runs. The device is shared: it outlives every pipeline on
  /// it.
  static Expected<Pipeline> create(model::Package package, std::shared_ptr<compute::Device> device);

  /// Finds, segments and measures. Fills everything of the result but `series`, which the caller knows.
  /// A volume that breaks an input rule gives a result of status rejectedInput, not an error.
  /// @return ErrorCode::cancelled when the context was cancelled; what the device says when it fails.
  Expected<DetectionResult> run(const image::Volume& volume, const model::SeriesFacts& facts, const Options& options,
                                const job::Context& context);

  const model::Package& package() const { return m_package; }
  const nn::Graph& network() const { return m_network.graph(); }

 private:
  Pipeline(model::Package package, Network network, std::optional<Network> secondNetwork,
           std::shared_ptr<compute::Device> device);
  /// All candidates in the isotropic image whose centre lies in the region (nullptr: anywhere).
  Expected<std::vector<Candidate>> search(const image::Image<float>& hu, const image::Mask* region,
                                          const Options& options, const job::Context& context);
  /// What the network says of one tile: with options.tta the mean over its mirror images.
  Expected<TileOutputs> runTile(const nn::Tensor& tile, const Options& options, const job::Context& context);
  /// Keeps the strongest candidate of each lesion; the second stage, where there is one, sees as many as it asks for.
  Expected<std::vector<Candidate>> choose(std::vector<Candidate> candidates, const image::Volume& volume,
                                          const image::Geometry& grid, const Options& options,
                                          const job::Context& context);
  Provenance provenance(const Options& options) const;

  model::Package m_package;
  std::shared_ptr<compute::Device> m_device;  // before the networks: what they compiled goes first
  Network m_network;
  std::optional<Network> m_secondNetwork;
};

}  // namespace lynceus::detect
