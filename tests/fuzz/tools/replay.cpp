// A fuzz target without a fuzzer, for compilers that have none and for runs that must be the same each time:
//   replay-<target> SEEDS REGRESSIONS MUTATIONS
// runs every file of both folders, then so many mutations of the seeds, the same ones each time. An input that crashes,
// or takes a minute, is left as crash-<target> in the current folder.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

namespace fs = std::filesystem;
using Bytes = std::vector<uint8_t>;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr unsigned kHangSeconds = 60;
std::string g_crashFile;  // a signal handler has no other way to these two
const Bytes* g_running = nullptr;

void keepInput(int signal) {
  const int file = open(g_crashFile.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
  [[maybe_unused]] const ssize_t written = write(file, g_running->data(), g_running->size());
  close(file);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void run(const Bytes& input) {
  g_running = &input;
  alarm(kHangSeconds);
  LLVMFuzzerTestOneInput(input.data(), input.size());
  alarm(0);
}

std::vector<Bytes> filesIn(const fs::path& folder) {
  std::vector<fs::path> paths;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    if (entry.is_regular_file()) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<Bytes> files;
  for (const fs::path& path : paths) {
    std::ifstream in(path, std::ios::binary);
    files.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return files;
}

/// The same sequence with every standard library, unlike its distributions.
class Mutator {
 public:
  explicit Mutator(const std::vector<Bytes>& seeds) : m_seeds(seeds) {}

  Bytes next() {
    Bytes bytes = m_seeds[below(m_seeds.size())];
    for (size_t changes = 1 + below(4); changes > 0 && !bytes.empty(); --changes) change(bytes);
    return bytes;
  }

 private:
  size_t below(size_t limit) { return m_random() % limit; }

  void change(Bytes& bytes) {
    const size_t at = below(bytes.size());
    const size_t length = std::min(bytes.size() - at, 1 + below(64));
    const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    const auto end = begin + static_cast<std::ptrdiff_t>(length);
    switch (below(8)) {
      case 0:
      case 1: bytes[at] ^= static_cast<uint8_t>(1U << below(8)); return;
      case 2: bytes[at] = static_cast<uint8_t>(m_random()); return;
      case 3: putNumber(bytes, at); return;
      case 4: bytes.erase(begin, end); return;
      case 5: bytes.resize(at); return;
      case 6: {
        const Bytes again(begin, end);
        bytes.insert(begin, again.begin(), again.end());
        return;
      }
      default: splice(bytes, at);
    }
  }

  // Lengths and counts break at their limits.
  void putNumber(Bytes& bytes, size_t at) {
    constexpr uint32_t kNumbers[] = {0, 1, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF};
    const uint32_t number = kNumbers[below(std::size(kNumbers))];
    const size_t width = size_t{1} << below(3);
    for (size_t i = 0; i < width && at + i < bytes.size(); ++i) bytes[at + i] = static_cast<uint8_t>(number >> (8 * i));
  }

  void splice(Bytes& bytes, size_t at) {
    const Bytes& other = m_seeds[below(m_seeds.size())];
    if (other.empty()) return;
    bytes.resize(at);
    bytes.insert(bytes.end(), other.begin() + static_cast<std::ptrdiff_t>(below(other.size())), other.end());
  }

  const std::vector<Bytes>& m_seeds;
  std::mt19937_64 m_random{20261122};
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: %s SEEDS REGRESSIONS MUTATIONS\n", argv[0]);
    return 2;
  }
  g_crashFile = (fs::current_path() / ("crash-" + fs::path(argv[0]).filename().string().substr(7))).string();
  for (const int signal : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGALRM}) std::signal(signal, keepInput);
  const std::vector<Bytes> seeds = filesIn(argv[1]), regressions = filesIn(argv[2]);
  if (seeds.empty()) {
    std::fprintf(stderr, "%s: there are no seeds in %s; make-seeds writes them\n", argv[0], argv[1]);
    return 1;
  }
  for (const Bytes& input : seeds) run(input);
  for (const Bytes& input : regressions) run(input);
  const int mutations = std::atoi(argv[3]);
  Mutator mutator(seeds);
  for (int i = 0; i < mutations; ++i) run(mutator.next());
  std::printf("%zu seeds, %zu regressions, %d mutations\n", seeds.size(), regressions.size(), mutations);
}
