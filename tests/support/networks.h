// Whole networks of the kinds that find and outline lesions, with random weights.
#pragma once

#include "tests/support/networks/crop_classifier.h"
#include "tests/support/networks/dsb_res18.h"
#include "tests/support/networks/medical_3d_net.h"
#include "tests/support/networks/nn_unet.h"
#include "tests/support/networks/residual_unet.h"
#include "tests/support/networks/retina_net.h"
#include "tests/support/networks/seg_res_net.h"
#include "tests/support/networks/unetr.h"
