#include "core/compute/device.h"

#include "core/nn/cpu/device.h"
#include "core/nn/reference/device.h"

namespace lynceus::compute {

Expected<std::unique_ptr<Device>> openDevice(std::string_view name) {
  if (name == "auto" || name == "cpu") return nn::cpu::makeDevice();
  if (name == "reference") return nn::reference::makeDevice();
  return makeError(ErrorCode::wrongUse, "there is no device \"{}\": use auto, cpu or reference", name);
}

}  // namespace lynceus::compute
