// JPEG 2000 codestreams for tests, made with OpenJPEG.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include <openjpeg.h>

namespace lynceus::test {

struct Jpeg2000 {
  int columns = 0, rows = 0;
  int precision = 16;
  bool isSigned = false;
  int tileSize = 0;  ///< 0: one tile
  OPJ_CODEC_FORMAT format = OPJ_CODEC_J2K;
};

/// Lossless. Empty where OpenJPEG could not.
inline std::vector<uint8_t> encodeJpeg2000(const Jpeg2000& how, const std::vector<int>& values) {
  struct Sink {
    std::vector<uint8_t> bytes;
    size_t at = 0;
  } sink;
  opj_cparameters_t p;
  opj_set_default_encoder_parameters(&p);
  p.tcp_numlayers = 1;
  p.cp_disto_alloc = 1;
  int smallest = how.columns < how.rows ? how.columns : how.rows;
  if (how.tileSize > 0) {
    p.tile_size_on = OPJ_TRUE;
    p.cp_tdx = p.cp_tdy = how.tileSize;
    smallest = how.tileSize;
  }
  while (p.numresolution > 1 && (1 << (p.numresolution - 1)) > smallest) --p.numresolution;
  opj_image_cmptparm_t component{};
  component.dx = component.dy = 1;
  component.w = static_cast<OPJ_UINT32>(how.columns);
  component.h = static_cast<OPJ_UINT32>(how.rows);
  component.prec = static_cast<OPJ_UINT32>(how.precision);
  component.sgnd = how.isSigned ? 1 : 0;
  opj_image_t* image = opj_image_create(1, &component, OPJ_CLRSPC_GRAY);
  image->x1 = component.w;
  image->y1 = component.h;
  for (size_t i = 0; i < values.size(); ++i) image->comps[0].data[i] = values[i];
  opj_codec_t* codec = opj_create_compress(how.format);
  opj_stream_t* stream = opj_stream_create(1 << 16, OPJ_FALSE);
  opj_stream_set_user_data(stream, &sink, nullptr);
  opj_stream_set_write_function(stream, [](void* from, OPJ_SIZE_T count, void* user) -> OPJ_SIZE_T {
    auto& s = *static_cast<Sink*>(user);
    if (s.bytes.size() < s.at + count) s.bytes.resize(s.at + count);
    std::memcpy(s.bytes.data() + s.at, from, count);
    s.at += count;
    return count;
  });
  opj_stream_set_skip_function(stream, [](OPJ_OFF_T count, void* user) -> OPJ_OFF_T {
    auto& s = *static_cast<Sink*>(user);
    s.at += static_cast<size_t>(count);
    return count;
  });
  opj_stream_set_seek_function(stream, [](OPJ_OFF_T to, void* user) -> OPJ_BOOL {
    static_cast<Sink*>(user)->at = static_cast<size_t>(to);
    return OPJ_TRUE;
  });
  const bool done = opj_setup_encoder(codec, &p, image) && opj_start_compress(codec, image, stream) &&
                    opj_encode(codec, stream) && opj_end_compress(codec, stream);
  opj_stream_destroy(stream);
  opj_destroy_codec(codec);
  opj_image_destroy(image);
  return done ? sink.bytes : std::vector<uint8_t>();
}

}  // namespace lynceus::test
