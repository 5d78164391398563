// Throws across the C interface.
#include <stdexcept>

#include "broken.h"

static lynceus_status detect(void*, const lynceus_volume*) { throw std::runtime_error("the model file is empty"); }
