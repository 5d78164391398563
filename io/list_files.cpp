#include "io/list_files.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include <dirent.h>
#include <sys/stat.h>

namespace lynceus::io {
namespace {

namespace fs = std::filesystem;

using Identity = std::pair<dev_t, ino_t>;

Identity identityOf(const struct stat& status) { return {status.st_dev, status.st_ino}; }

struct Found {
  std::string path;
  Identity identity;
  bool isLink = false;  // itself; not whether a link led to its folder
};

class Lister {
 public:
  Lister(bool nested, const job::Context& context) : m_nested(nested), m_context(context) {}

  FolderListing list(const fs::path& root) {
    m_folders.push_back(root.string());
    // Links wait until all folders without are known, so that a file keeps its own path.
    while (!m_folders.empty() || !m_links.empty()) {
      if (m_folders.empty()) m_folders.push_back(m_links.extract(m_links.begin()).value());
      const std::string folder = std::move(m_folders.back());
      m_folders.pop_back();
      if (m_context.cancelled()) break;
      listFolder(folder);
    }
    keepEachOnce();
    return std::move(m_listing);
  }

 private:
  void listFolder(const std::string& folder) {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(folder.c_str()), closedir);
    struct stat status {};
    if (!directory || fstat(dirfd(directory.get()), &status) != 0) {
      ++m_listing.unreadableFolders;
      return;
    }
    if (!m_visited.insert(identityOf(status)).second) return;
    errno = 0;
    while (const dirent* entry = readdir(directory.get())) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      std::string path = folder;
      if (path.back() != '/') path += '/';
      path += name;
      const bool isFolder = entry->d_type == DT_DIR, isLink = entry->d_type == DT_LNK;
      if (!isFolder && fstatat(dirfd(directory.get()), entry->d_name, &status, 0) != 0) {
        ++(isLink ? m_listing.danglingLinks : m_listing.otherFiles);
      } else if (isFolder || S_ISDIR(status.st_mode)) {
        if (m_nested) addFolder(std::move(path), isLink);
      } else if (S_ISREG(status.st_mode)) {
        m_files.push_back({std::move(path), identityOf(status), isLink});
      } else {
        ++m_listing.otherFiles;
      }
      errno = 0;
    }
    if (errno != 0) ++m_listing.unreadableFolders;  // a damaged medium: not all of it was listed
  }

  void addFolder(std::string path, bool isLink) {
    if (isLink) {
      m_links.insert(std::move(path));
    } else {
      m_folders.push_back(std::move(path));
    }
  }

  void keepEachOnce() {
    std::sort(m_files.begin(), m_files.end(), [](const Found& a, const Found& b) {
      return std::tie(a.identity, a.isLink, a.path) < std::tie(b.identity, b.isLink, b.path);
    });
    m_files.erase(std::unique(m_files.begin(), m_files.end(),
                              [](const Found& a, const Found& b) { return a.identity == b.identity; }),
                  m_files.end());
    std::sort(m_files.begin(), m_files.end(), [](const Found& a, const Found& b) { return a.path < b.path; });
    for (const Found& file : m_files) m_listing.files.emplace_back(file.path);
  }

  const bool m_nested;
  const job::Context& m_context;
  FolderListing m_listing;
  // Texts rather than paths, which take several times as long to join and to compare.
  std::vector<std::string> m_folders;
  std::set<std::string> m_links;
  std::set<Identity> m_visited;
  std::vector<Found> m_files;
};

}  // namespace

FolderListing listFiles(const fs::path& folder, bool nested, const job::Context& context) {
  return Lister(nested, context).list(folder);
}

}  // namespace lynceus::io
