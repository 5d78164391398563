// The device "cpu": oneDNN and OpenMP loops on all cores, float32, activations in channels-last order.
#pragma once

#include <memory>

#include "core/compute/device.h"

namespace lynceus::nn::cpu {

std::unique_ptr<compute::Device> makeDevice();

}  // namespace lynceus::nn::cpu
