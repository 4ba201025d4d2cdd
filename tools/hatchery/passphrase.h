// The master passphrase: from a file, the environment, or a prompt on the terminal.
#pragma once

#include "ca/base/secret.h"

#include <filesystem>

namespace hatchery::command {

enum class PassphraseUse {
    Open,   ///< of an existing data directory
    Choose  ///< a new one: asked for twice on the terminal
};

/// In this order: the first line of `file` unless the path is empty, HATCHERY_PASSPHRASE, a prompt
/// without echo on /dev/tty. The environment variable is wiped and removed, so that no child
/// process inherits it: call once, before there are threads.
/// @errors Unavailable  none of them is there, the file is empty or unreadable, or the two answers
/// differ
Result<Secret> read_passphrase(const std::filesystem::path& file, PassphraseUse use);

}  // namespace hatchery::command
