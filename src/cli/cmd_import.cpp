#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "cli/command.h"
#include "cli/context.h"
#include "cli/import_run.h"
#include "cli/options.h"
#include "core/base/text.h"

namespace aiot::cli {

namespace {

class ImportCommand final : public Command {
 public:
  [[nodiscard]] CommandHelp help() const override {
    return {
        "FILE|-",
        "Adds values to a broker's history, one JSON object a line with node, resource, time (RFC 3339 or "
        "seconds since 1970) and value, as 'aiot export' and 'aiot --json history' print them; \"encoding\" "
        "is base64 where value is, \"format\" the content format, other members are passed over. It prints "
        "how many values it added.\n\n"
        "Lines are sent in requests of up to 10,000 lines and 512 KB, of which each is taken whole or not "
        "at all. At the first line that the broker refuses it stops and names it: what came in requests "
        "before stands, and is counted. What is imported twice stands twice, and what is older than the "
        "broker's --retention does not stay.",
        {{"aiot import history.ndjson", "a file"},
         {"zstd -dc january.ndjson.zst | aiot import --broker paris -", "standard input, to another broker"}},
        {"aiot-export(1)", "aiot-history(1)"}};
  }

  void configure(CLI::App& app) override {
    add_argument(app, "FILE", file_, "what to import; - is standard input", true);
  }

  int run(Context& context) override {
    auto api = BrokerApi::of(context);
    if (!api) return context.fail(api.error());
    if (file_ == "-") return ImportRun(context, std::move(*api), STDIN_FILENO, "standard input").run();
    const std::string name = text::escape_controls(file_);
    const int fd = ::open(file_.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
      Error error = errno_error(fmt::format("cannot read {}", name), errno);
      error.code = Errc::internal;
      return context.fail(error);
    }
    const int status = ImportRun(context, std::move(*api), fd, name).run();
    ::close(fd);
    return status;
  }

 private:
  std::string file_;
};

}  // namespace

std::unique_ptr<Command> make_import_command() { return std::make_unique<ImportCommand>(); }

}  // namespace aiot::cli
