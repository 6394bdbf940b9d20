#include "cli/psk_options.h"

#include "cli/context.h"

namespace aiot::cli {

void PskOptions::configure(CLI::App& app) {
  add_text(app, "--psk-file", settings_.file,
           "coaps: file with pre-shared keys, lines of IDENTITY:KEY, the key in hex or as text in quotes",
           "FILE")
      .environment("AIOT_PSK_FILE");
  add_text(app, "--psk-identity", settings_.identity,
           "coaps: the identity whose key to use (default: the only one in the file)", "IDENTITY")
      .environment("AIOT_PSK_IDENTITY");
}

void PskOptions::apply(Context& context) const { context.use_psk(settings_); }

}  // namespace aiot::cli
