// The device "reference": runs the graph as the file has it, node after node, through plain loops.
#pragma once

#include <memory>

#include "core/compute/device.h"

namespace lynceus::nn::reference {

std::unique_ptr<compute::Device> makeDevice();

}  // namespace lynceus::nn::reference
