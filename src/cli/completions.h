#pragma once
// Completion scripts for bash, zsh and fish.

#include <string>
#include <string_view>
#include <vector>

namespace firn::cli {

struct CompletionCommand {
  std::string name;  // "" = options that every command takes
  std::string help;
  std::vector<std::string> options;  // "--where"
};

/// `shell` is "bash", "zsh" or "fish". Commands and options complete from the list, table names by asking `firn
/// tables`.
std::string CompletionScript(std::string_view shell, const std::vector<CompletionCommand>& commands);

}  // namespace firn::cli
