// The files of a folder as people have them: nested, linked, half readable, on media of any kind.
#pragma once

#include <filesystem>
#include <vector>

#include "core/job/context.h"

namespace lynceus::io {

struct FolderListing {
  std::vector<std::filesystem::path> files;  ///< regular files, sorted by path; may be links to them
  int unreadableFolders = 0;                 ///< that may not be opened
  int danglingLinks = 0;                     ///< links to what is not there
  int otherFiles = 0;                        ///< pipes, sockets, devices: opening one may wait forever
};

/// All files in `folder` and, where `nested`, below it. Links are followed, to files and to folders; what can be
/// reached in several ways is listed once, by the path without links where there is one, else by the first. Opens no
/// file. The result does not depend on the order in which the file system lists. Cut short where the context is
/// cancelled.
FolderListing listFiles(const std::filesystem::path& folder, bool nested, const job::Context& context);

}  // namespace lynceus::io
