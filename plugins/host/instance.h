// One job of a plugin from create to destroy, and what it leaves behind.
#pragma once

#include <functional>
#include <memory>

#include "plugins/host/library.h"
#include "plugins/host/services.h"

namespace lynceus::plugins {

/// What is done with an instance and the struct that create() gave for it.
using Work = std::function<Expected<lynceus_status>(void* instance, const void* interfaceStruct)>;

/// Makes an instance, has `work` use it, ends it and its services, and releases what the plugin allocated. Exceptions
/// that it threw and threads that it has not ended are the library's damage(); then nothing that they may still use is
/// taken away.
/// @param work  not called where create() did not succeed.
/// @return what create() or work() returned; an error where the plugin threw.
Expected<lynceus_status> runInstance(Library& library, uint32_t model, const std::shared_ptr<Services>& services,
                                     const Work& work);

}  // namespace lynceus::plugins
