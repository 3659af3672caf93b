#include "base/memory.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>
#include <string>

namespace firn {
namespace {

std::string ReadText(const char* path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

/// The number after `name` at the beginning of a line.
std::optional<std::uint64_t> NumberAfter(const std::string& text, std::string_view name) {
  for (std::size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + 1)) {
    if (at != 0 && text[at - 1] != '\n') continue;
    const std::size_t begin = text.find_first_of("0123456789", at + name.size());
    if (begin == std::string::npos) return std::nullopt;
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data() + begin, text.data() + text.size(), number);
    if (error == std::errc()) return number;
  }
  return std::nullopt;
}

std::optional<MemoryState> OfMachine() {
  const std::string text = ReadText("/proc/meminfo");
  const auto total = NumberAfter(text, "MemTotal:"), available = NumberAfter(text, "MemAvailable:");
  if (!total || !available) return std::nullopt;
  return MemoryState{*total << 10, *available << 10};
}

std::optional<MemoryState> OfGroup() {
  const auto limit = NumberAfter(ReadText("/sys/fs/cgroup/memory.max"), "");  // "max" where there is none
  const auto used = NumberAfter(ReadText("/sys/fs/cgroup/memory.current"), "");
  if (!limit || !used) return std::nullopt;
  const std::uint64_t cached = NumberAfter(ReadText("/sys/fs/cgroup/memory.stat"), "file ").value_or(0);
  const std::uint64_t held = *used - std::min(*used, cached);
  return MemoryState{*limit, *limit - std::min(*limit, held)};
}

}  // namespace

std::optional<MemoryState> ReadMemoryState() {
  const auto machine = OfMachine(), group = OfGroup();
  if (!machine || !group) return machine ? machine : group;
  return group->available < machine->available ? group : machine;
}

}  // namespace firn
