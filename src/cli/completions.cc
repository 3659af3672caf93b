#include "cli/completions.h"

namespace firn::cli {
namespace {

std::string Join(const std::vector<std::string>& words) {
  std::string joined;
  for (const std::string& word : words) joined += (joined.empty() ? "" : " ") + word;
  return joined;
}

std::string CommandNames(const std::vector<CompletionCommand>& commands) {
  std::vector<std::string> names;
  for (const CompletionCommand& command : commands) {
    if (!command.name.empty()) names.push_back(command.name);
  }
  return Join(names);
}

std::string CommonOptions(const std::vector<CompletionCommand>& commands) {
  for (const CompletionCommand& command : commands) {
    if (command.name.empty()) return Join(command.options);
  }
  return {};
}

/// zsh runs the same function through bashcompinit.
std::string Bash(const std::vector<CompletionCommand>& commands) {
  std::string script = R"(_firn() {
  local word=${COMP_WORDS[COMP_CWORD]} command="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in -*) ;; *) command=${COMP_WORDS[i]}; break ;; esac
  done
  local options=")" + CommonOptions(commands) +
                       R"("
  case $command in
    "") [[ $word == -* ]] || options=")" +
                       CommandNames(commands) + "\" ;;\n";
  for (const CompletionCommand& command : commands) {
    if (!command.name.empty())
      script += "    " + command.name + ") options=\"$options " + Join(command.options) + "\" ;;\n";
  }
  script += R"BASH(  esac
  if [[ -n $command && $word != -* && $((i + 1)) -eq $COMP_CWORD ]]; then
    case $command in
      load|search|index|recall|rows|create|show|drop) COMPREPLY=($(compgen -W "$(firn tables 2>/dev/null)" -- "$word")); return ;;
    esac
  fi
  if [[ -n $command && $word != -* ]]; then COMPREPLY=($(compgen -f -- "$word")); return; fi
  COMPREPLY=($(compgen -W "$options" -- "$word"))
}
complete -o filenames -F _firn firn
)BASH";
  return script;
}

std::string Fish(const std::vector<CompletionCommand>& commands) {
  std::string script = "complete -c firn -f\n";
  for (const CompletionCommand& command : commands) {
    const std::string where = command.name.empty() ? "" : " -n '__fish_seen_subcommand_from " + command.name + "'";
    if (!command.name.empty()) {
      script += "complete -c firn -n __fish_use_subcommand -a " + command.name + " -d '" + command.help + "'\n";
    }
    for (const std::string& option : command.options)
      script += "complete -c firn" + where + " -l " + option.substr(2) + " -r\n";
  }
  script +=
      "complete -c firn -n '__fish_seen_subcommand_from load search index recall rows show drop' -a '(firn tables "
      "2>/dev/null)'\n";
  script += "complete -c firn -n '__fish_seen_subcommand_from load create' -F\n";
  return script;
}

}  // namespace

std::string CompletionScript(std::string_view shell, const std::vector<CompletionCommand>& commands) {
  if (shell == "fish") return Fish(commands);
  if (shell == "zsh") return "autoload -U +X bashcompinit && bashcompinit\n" + Bash(commands);
  return Bash(commands);
}

}  // namespace firn::cli
