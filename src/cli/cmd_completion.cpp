#include "cli/command.h"
#include "cli/completion.h"
#include "cli/context.h"
#include "cli/exit_status.h"
#include "cli/options.h"
#include "cli/output.h"

namespace aiot::cli {

namespace {

class CompletionCommand final : public Command {
 public:
  [[nodiscard]] CommandHelp help() const override {
    return {"bash|zsh|fish",
            "Prints the completion script for a shell. Packages install it; otherwise load it from the "
            "shell's own "
            "start-up file, or put it where the shell looks.",
            {{"source <(aiot completion bash)", "in ~/.bashrc"},
             {"source <(aiot completion zsh)", "in ~/.zshrc, after compinit"},
             {"aiot completion fish > ~/.config/fish/completions/aiot.fish", "for fish"}},
            {}};
  }

  void configure(CLI::App& app) override {
    add_choice(app, "SHELL", shell_, "the shell: bash, zsh or fish", {"bash", "zsh", "fish"}).required();
  }

  int run(Context& context) override {
    context.output().write(shell_ == "bash"  ? bash_completion()
                           : shell_ == "zsh" ? zsh_completion()
                                             : fish_completion());
    return kDone;
  }

 private:
  std::string shell_;
};

}  // namespace

std::unique_ptr<Command> make_completion_command() { return std::make_unique<CompletionCommand>(); }

}  // namespace aiot::cli
