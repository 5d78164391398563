// The only file that includes ITK: it compiles slowly.
#include "io/formats/image_file.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iostream>
#include <limits>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <system_error>
#include <type_traits>
#include <vector>

#include <fcntl.h>
#include <itkMetaImageIO.h>
#include <itkNiftiImageIO.h>
#include <itkNrrdImageIO.h>
#include <unistd.h>
#include <zlib.h>

#include "io/memory.h"

namespace lynceus::io {
namespace {

namespace fs = std::filesystem;
using image::Geometry;
using image::Vec3;

struct Format {
  const char* extension;
  const char* name;
  bool writable;  // in one file, so that it can appear at once
};

// Longer extensions first where one ends in another.
constexpr Format kFormats[] = {{".nii.gz", "NIfTI", true},   {".nii", "NIfTI", true}, {".mha", "MetaImage", true},
                               {".mhd", "MetaImage", false}, {".nrrd", "NRRD", true}, {".nhdr", "NRRD", false}};

const Format* formatOf(const fs::path& path) {
  std::string name = path.filename().string();
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const Format& f : kFormats) {
    if (name.ends_with(f.extension)) return &f;
  }
  return nullptr;
}

itk::ImageIOBase::Pointer makeIo(const Format& format) {
  const std::string_view name = format.name;
  if (name == "NIfTI") return itk::NiftiImageIO::New().GetPointer();
  if (name == "MetaImage") return itk::MetaImageIO::New().GetPointer();
  return itk::NrrdImageIO::New().GetPointer();
}

// ITK's exceptions carry source lines and class names; a person needs the last part only.
std::string reasonOf(const std::exception& e) {
  const auto* itkError = dynamic_cast<const itk::ExceptionObject*>(&e);
  std::string text = itkError ? itkError->GetDescription() : e.what();
  for (char& c : text) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  if (const auto at = text.find("): "); text.starts_with("ITK ERROR") && at != std::string::npos) text.erase(0, at + 3);
  while (!text.empty() && (text.back() == ' ' || text.back() == '.')) text.pop_back();
  return text;
}

// MetaIO tells std::cerr what we tell the caller in a sentence. Nests; std::cerr is back when the last one ends.
class SilentCerr {
 public:
  SilentCerr() {
    const std::lock_guard lock(g_mutex);
    if (g_users++ == 0) g_state = std::cerr.rdstate(), std::cerr.setstate(std::ios::failbit);
  }
  ~SilentCerr() {
    const std::lock_guard lock(g_mutex);
    if (--g_users == 0) std::cerr.clear(g_state);
  }
  SilentCerr(const SilentCerr&) = delete;
  SilentCerr& operator=(const SilentCerr&) = delete;

 private:
  static inline std::mutex g_mutex;
  static inline int g_users = 0;
  static inline std::ios::iostate g_state = std::ios::goodbit;
};

// The MetaImage library writes beyond its buffers on lines longer than these, so no such header reaches it.
Expected<void> checkMetaHeader(const fs::path& path) {
  constexpr size_t kLongestLine = 250, kMostLines = 200;
  std::ifstream file(path, std::ios::binary);
  std::string line;
  for (size_t n = 1; n <= kMostLines; ++n) {
    line.clear();
    char c = 0;
    while (line.size() <= kLongestLine && file.get(c) && c != '\n') line += c;
    const bool text = std::all_of(line.begin(), line.end(), [](char k) { return (k >= 32 && k < 127) || k == '\r'; });
    if (!text || line.size() > kLongestLine || line.find('=') == std::string::npos) {
      return makeError(ErrorCode::badInput, "{}: line {} of the MetaImage header is not of the form 'Key = value'",
                       path.string(), n);
    }
    if (line.starts_with("ElementDataFile")) return {};
  }
  return makeError(ErrorCode::badInput, "{}: the MetaImage header names no ElementDataFile", path.string());
}

// The NIfTI library takes the zeros behind a cut gzip stream for voxels, so the stream is checked to its last byte.
Expected<void> checkGzip(const fs::path& path) {
  const std::unique_ptr<gzFile_s, decltype(&gzclose)> file(gzopen(path.c_str(), "rb"), gzclose);
  std::vector<char> buffer(1 << 18);
  gzbuffer(file.get(), 1 << 17);
  while (gzread(file.get(), buffer.data(), static_cast<unsigned>(buffer.size())) > 0) {
  }
  int code = Z_OK;
  const char* reason = gzerror(file.get(), &code);
  if (code == Z_OK) return {};
  return makeError(ErrorCode::badInput, "{}: the file is cut off or damaged ({}); copy it again from the source",
                   path.string(), reason);
}

// Bytes that the zlib or gzip stream unpacks to which begins where `file` stands; nothing where it is damaged.
std::optional<uint64_t> unpackedBytes(std::istream& file) {
  z_stream stream{};
  if (inflateInit2(&stream, MAX_WBITS + 32) != Z_OK) return {};
  std::vector<char> in(1 << 16), out(1 << 18);
  int state = Z_OK;
  while (state == Z_OK) {
    file.read(in.data(), static_cast<std::streamsize>(in.size()));
    if (file.gcount() == 0) break;
    stream.next_in = reinterpret_cast<Bytef*>(in.data());
    stream.avail_in = static_cast<uInt>(file.gcount());
    do {
      stream.next_out = reinterpret_cast<Bytef*>(out.data());
      stream.avail_out = static_cast<uInt>(out.size());
      state = inflate(&stream, Z_NO_FLUSH);
    } while (state == Z_OK && stream.avail_out == 0);
    if (state == Z_BUF_ERROR) state = Z_OK;  // it wants more
  }
  const uint64_t bytes = stream.total_out;
  inflateEnd(&stream);
  if (state != Z_STREAM_END) return {};
  return bytes;
}

// The MetaImage library waits forever for the rest of compressed voxels that are damaged or too few.
Expected<void> checkCompressedMeta(const fs::path& path, uint64_t expectedBytes) {
  std::ifstream header(path, std::ios::binary);
  bool compressed = false;
  for (std::string line; std::getline(header, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    const size_t equals = std::min(line.find('='), line.size() - 1);
    const size_t from = std::min(line.find_first_not_of(" =", equals), line.size());
    const std::string value = line.substr(from, line.find_last_not_of(' ') + 1 - from);
    if (line.starts_with("CompressedData ")) compressed = value.find_first_of("Tt1") == 0;
    if (!line.starts_with("ElementDataFile")) continue;
    if (!compressed) return {};
    std::ifstream other(path.parent_path() / value, std::ios::binary);
    const auto bytes = unpackedBytes(value == "LOCAL" || value == "Local" || value == "local" ? header : other);
    if (bytes && *bytes >= expectedBytes) return {};
    break;
  }
  return makeError(ErrorCode::badInput,
                   "{}: the file is cut off or its compressed voxels are damaged; copy it again "
                   "from the source",
                   path.string());
}

// ITK aborts the program where the axes of a NIfTI header are not numbers. Offsets: nifti1.h.
Expected<void> checkNiftiAxes(const fs::path& path) {
  constexpr float kLargest = 1e6F;  // mm: a kilometre from the scanner
  std::array<char, 348> header{};
  const std::unique_ptr<gzFile_s, decltype(&gzclose)> file(gzopen(path.c_str(), "rb"), gzclose);
  if (!file || gzread(file.get(), header.data(), header.size()) != static_cast<int>(header.size())) return {};
  const bool swapped = header[0] == 0;  // else it begins with the low byte of 348
  const auto sane = [&](size_t from, size_t count) {
    for (size_t i = 0; i < count; ++i) {
      std::array<char, sizeof(float)> bytes{};
      std::copy_n(&header[from + i * sizeof(float)], bytes.size(), bytes.begin());
      if (swapped) std::reverse(bytes.begin(), bytes.end());
      if (!(std::abs(std::bit_cast<float>(bytes)) <= kLargest)) return false;
    }
    return true;
  };
  const auto used = [&](size_t code) { return header[code] != 0 || header[code + 1] != 0; };
  const bool spacing = sane(76, 4), quaternion = !used(252) || sane(256, 6), matrix = !used(254) || sane(280, 12);
  if (spacing && quaternion && matrix) return {};
  return makeError(ErrorCode::badGeometry,
                   "{}: the {} in the NIfTI header is not finite or beyond all bounds; write the "
                   "file anew from its source",
                   path.string(),
                   !spacing      ? "voxel spacing (pixdim)"
                   : !quaternion ? "orientation (qform)"
                                 : "orientation (sform)");
}

Vec3 toVec3(const std::vector<double>& v) { return {v[0], v[1], v[2]}; }

Expected<ImageFileInfo> describe(const itk::ImageIOBase& header, const Format& format, const fs::path& path) {
  const unsigned dimensions = header.GetNumberOfDimensions();
  bool volume = dimensions >= 3;
  for (unsigned d = 3; d < dimensions; ++d) volume = volume && header.GetDimensions(d) == 1;
  if (!volume || header.GetNumberOfComponents() != 1) {
    return makeError(ErrorCode::badInput,
                     "{}: the image has {} dimensions and {} values in each voxel; a CT volume has "
                     "3 and 1",
                     path.string(), dimensions, header.GetNumberOfComponents());
  }
  for (unsigned d = 0; d < 3; ++d) {
    if (header.GetDimensions(d) > static_cast<itk::SizeValueType>(std::numeric_limits<int>::max())) {
      return makeError(ErrorCode::badInput, "{}: the image size {} is not possible", path.string(),
                       header.GetDimensions(d));
    }
  }
  ImageFileInfo info;
  Geometry& g = info.geometry;
  g.size = {static_cast<int>(header.GetDimensions(0)), static_cast<int>(header.GetDimensions(1)),
            static_cast<int>(header.GetDimensions(2))};
  g.spacingMm = {header.GetSpacing(0), header.GetSpacing(1), header.GetSpacing(2)};
  g.originMm = {header.GetOrigin(0), header.GetOrigin(1), header.GetOrigin(2)};
  for (unsigned a = 0; a < 3; ++a) g.direction[a] = toVec3(header.GetDirection(a));
  if (auto checked = g.check(); !checked) {
    return makeError(ErrorCode::badGeometry, "{}: {}", path.string(), checked.error().message);
  }
  info.format = format.name;
  info.voxelType = itk::ImageIOBase::GetComponentTypeAsString(header.GetComponentType());
  return info;
}

struct OpenFile {
  itk::ImageIOBase::Pointer reader;
  ImageFileInfo info;
};

Expected<OpenFile> openFile(const fs::path& path) {
  const Format* format = formatOf(path);
  if (!format) {
    return makeError(ErrorCode::unsupported, "{}: only .nii, .nii.gz, .mha, .mhd, .nrrd and .nhdr are read",
                     path.string());
  }
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) return makeError(ErrorCode::wrongUse, "there is no file {}", path.string());
  if (::access(path.c_str(), R_OK) != 0) {
    return makeError(ErrorCode::resource, "{}: the file may not be read: {}", path.string(), std::strerror(errno));
  }
  if (std::string_view(format->name) == "MetaImage") {
    if (auto sound = checkMetaHeader(path); !sound) return passError(sound);
  }
  if (std::string_view(format->name) == "NIfTI") {
    if (auto sound = checkNiftiAxes(path); !sound) return passError(sound);
  }
  OpenFile open{makeIo(*format), {}};
  const SilentCerr silent;
  try {
    open.reader->SetFileName(path.string());
    if (!open.reader->CanReadFile(path.c_str())) {
      return makeError(ErrorCode::badInput, "{}: the file is not {} in spite of its name, or is damaged", path.string(),
                       format->name);
    }
    open.reader->ReadImageInformation();
  } catch (const std::exception& e) {
    return makeError(ErrorCode::badInput, "{}: the {} header cannot be used: {}", path.string(), format->name,
                     reasonOf(e));
  }
  auto info = describe(*open.reader, *format, path);
  if (!info) return passError(info);
  open.info = std::move(*info);
  return open;
}

// Values that are not integral are rounded once; the largest error is kept.
template <class T>
Expected<ImageFile> toVolume(const std::vector<T>& values, const Geometry& geometry, const fs::path& path) {
  std::vector<int16_t> hu(values.size());
  double largest = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const auto exact = static_cast<double>(values[i]);
    const double rounded = std::nearbyint(exact);
    if (!(rounded >= std::numeric_limits<int16_t>::min() && rounded <= std::numeric_limits<int16_t>::max())) {
      return makeError(ErrorCode::badInput,
                       "{}: the value {} is outside -32768 to 32767 Hounsfield units: this is not a CT volume in HU",
                       path.string(), exact);
    }
    hu[i] = static_cast<int16_t>(rounded);
    largest = std::max(largest, std::abs(exact - rounded));
  }
  auto volume = image::Volume::create(geometry, std::move(hu));
  if (!volume) return passError(volume);
  return ImageFile{std::move(*volume), largest};
}

template <class T>
Expected<ImageFile> readAs(OpenFile& open, const fs::path& path) {
  const auto voxels = open.info.geometry.voxelCount();
  if (auto fits = checkMemory(path.string(), voxels, sizeof(T) + sizeof(int16_t)); !fits) return passError(fits);
  std::vector<T> values(static_cast<size_t>(voxels));
  const unsigned dimensions = open.reader->GetNumberOfDimensions();
  itk::ImageIORegion region(dimensions);
  for (unsigned d = 0; d < dimensions; ++d) {
    region.SetIndex(d, 0);
    region.SetSize(d, open.reader->GetDimensions(d));
  }
  open.reader->SetIORegion(region);
  open.reader->Read(values.data());
  return toVolume(values, open.info.geometry, path);
}

Expected<ImageFile> readPixels(OpenFile& open, const fs::path& path) {
  using Io = itk::IOComponentEnum;
  switch (open.reader->GetComponentType()) {
    case Io::UCHAR: return readAs<uint8_t>(open, path);
    case Io::CHAR: return readAs<int8_t>(open, path);
    case Io::USHORT: return readAs<uint16_t>(open, path);
    case Io::SHORT: return readAs<int16_t>(open, path);
    case Io::UINT: return readAs<uint32_t>(open, path);
    case Io::INT: return readAs<int32_t>(open, path);
    case Io::ULONG:
    case Io::ULONGLONG: return readAs<uint64_t>(open, path);
    case Io::LONG:
    case Io::LONGLONG: return readAs<int64_t>(open, path);
    case Io::FLOAT: return readAs<float>(open, path);
    case Io::DOUBLE: return readAs<double>(open, path);
    default: break;
  }
  return makeError(ErrorCode::unsupported, "{}: voxels of type {} cannot be read as Hounsfield units", path.string(),
                   open.info.voxelType);
}

// Beside the target, so that the rename stays on one file system; the extension stays for ITK's sake.
fs::path temporaryName(const fs::path& path) {
  return path.parent_path() / fmt::format(".lynceus-{}-{}", ::getpid(), path.filename().string());
}

Expected<void> writeTemporary(const image::Volume& volume, const fs::path& path, const Format& format) {
  const Geometry& g = volume.geometry();
  const auto writer = makeIo(format);
  writer->SetFileName(path.string());
  writer->SetNumberOfDimensions(3);
  writer->SetPixelType(itk::IOPixelEnum::SCALAR);
  writer->SetComponentType(itk::IOComponentEnum::SHORT);
  writer->SetNumberOfComponents(1);
  writer->SetUseCompression(!path.string().ends_with(".nii"));
  const int size[] = {g.size.x, g.size.y, g.size.z};
  const double spacing[] = {g.spacingMm.x, g.spacingMm.y, g.spacingMm.z};
  const double origin[] = {g.originMm.x, g.originMm.y, g.originMm.z};
  itk::ImageIORegion region(3);
  for (unsigned d = 0; d < 3; ++d) {
    const Vec3& axis = g.direction[d];
    writer->SetDimensions(d, static_cast<itk::SizeValueType>(size[d]));
    writer->SetSpacing(d, spacing[d]);
    writer->SetOrigin(d, origin[d]);
    writer->SetDirection(d, std::vector<double>{axis.x, axis.y, axis.z});
    region.SetIndex(d, 0);
    region.SetSize(d, static_cast<itk::SizeValueType>(size[d]));
  }
  writer->SetIORegion(region);
  const SilentCerr silent;
  try {
    writer->Write(volume.hu().data());
  } catch (const std::exception& e) {
    return makeError(ErrorCode::resource, "{}", reasonOf(e));
  }
  // The format libraries do not all notice a full disk; what can be read back is there.
  const auto back = readImage(path);
  if (!back || !std::ranges::equal(back->volume.hu(), volume.hu())) {
    return makeError(ErrorCode::resource, "what was written does not read back");
  }
  return {};
}

fs::path folderOf(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

// Compressed or not: the uncompressed size must be free, so that a full disk is found before anything is written.
Expected<void> checkSpace(const image::Volume& volume, const fs::path& path) {
  constexpr double kMiB = 1024.0 * 1024.0;
  std::error_code error;
  const auto space = fs::space(folderOf(path), error);
  const auto needed = static_cast<std::uintmax_t>(volume.geometry().voxelCount()) * sizeof(int16_t) + 4096;
  if (error || space.available >= needed) return {};
  return makeError(ErrorCode::resource, "{}: the disk is full: {:.1f} MiB are needed and {:.1f} MiB are free",
                   path.string(), static_cast<double>(needed) / kMiB, static_cast<double>(space.available) / kMiB);
}

}  // namespace

bool isImageFileName(const fs::path& path) { return formatOf(path) != nullptr; }

Expected<ImageFileInfo> readImageFileInfo(const fs::path& path) {
  auto open = openFile(path);
  if (!open) return passError(open);
  return std::move(open->info);
}

Expected<ImageFile> readImage(const fs::path& path) {
  auto open = openFile(path);
  if (!open) return passError(open);
  if (path.extension() == ".gz") {
    if (auto whole = checkGzip(path); !whole) return passError(whole);
  }
  const SilentCerr silent;
  try {
    if (open->info.format == "MetaImage") {
      auto whole = checkCompressedMeta(path, static_cast<uint64_t>(open->reader->GetImageSizeInBytes()));
      if (!whole) return passError(whole);
    }
    return readPixels(*open, path);
  } catch (const std::bad_alloc&) {
    return makeError(ErrorCode::resource, "{}: there is not enough memory for this volume", path.string());
  } catch (const std::exception& e) {
    return makeError(ErrorCode::badInput, "{}: the voxels cannot be read, the file may be cut off: {}", path.string(),
                     reasonOf(e));
  }
}

Expected<image::Volume> readImageFile(const fs::path& path) {
  auto file = readImage(path);
  if (!file) return passError(file);
  return std::move(file->volume);
}

Expected<void> checkWritable(const fs::path& path) {
  const Format* format = formatOf(path);
  if (!format || !format->writable) {
    return makeError(ErrorCode::wrongUse, "{}: the name must end in .nii.gz, .nii, .mha or .nrrd", path.string());
  }
  const fs::path folder = folderOf(path);
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    return makeError(ErrorCode::wrongUse, "{}: there is no folder {}", path.string(), folder.string());
  }
  if (fs::is_directory(path, ignored)) return makeError(ErrorCode::wrongUse, "{} is a folder", path.string());
  if (::access(folder.c_str(), W_OK | X_OK) != 0) {
    return makeError(ErrorCode::resource, "{}: the folder may not be written to: {}", path.string(),
                     std::strerror(errno));
  }
  return {};
}

Expected<void> writeImageFile(const image::Volume& volume, const fs::path& path) {
  if (auto writable = checkWritable(path); !writable) return writable;
  if (auto space = checkSpace(volume, path); !space) return space;
  const fs::path temporary = temporaryName(path);
  const auto written = writeTemporary(volume, temporary, *formatOf(path));
  std::error_code error;
  if (written) fs::rename(temporary, path, error);
  if (written && !error) return {};
  const std::string reason = written ? error.message() : written.error().message;
  fs::remove(temporary, error);
  return makeError(ErrorCode::resource, "{}: the file cannot be written: {}", path.string(), reason);
}

}  // namespace lynceus::io
