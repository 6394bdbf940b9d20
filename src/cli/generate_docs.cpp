// Writes what is made from the command table: the manual pages and the completions that stand in man/ and
// completions/. Usage: aiot_generate_docs SOURCE_DIR OUTPUT_DIR

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "cli/command_table.h"
#include "cli/completion.h"
#include "cli/manual.h"

namespace {

bool write_file(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  out.flush();
  if (!out) std::fprintf(stderr, "cannot write %s\n", path.c_str());
  return static_cast<bool>(out);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: aiot_generate_docs SOURCE_DIR OUTPUT_DIR\n");
    return 2;
  }
  const std::filesystem::path source(argv[1]);
  const std::filesystem::path output(argv[2]);
  std::ifstream frame_file(source / "man" / "aiot.1.in", std::ios::binary);
  std::ostringstream frame;
  frame << frame_file.rdbuf();
  if (!frame_file) {
    std::fprintf(stderr, "cannot read man/aiot.1.in\n");
    return 1;
  }
  using namespace aiot::cli;
  bool good = write_file(output / "man" / "aiot.1", overview_manual(frame.str()));
  for (const CommandRow& row : command_table()) {
    const std::string page = "aiot-" + std::string(row.name) + "." + std::to_string(manual_section(row));
    good = write_file(output / "man" / page, command_manual(row)) && good;
  }
  good = write_file(output / "completions" / "aiot.bash", bash_completion()) && good;
  good = write_file(output / "completions" / "_aiot", zsh_completion()) && good;
  good = write_file(output / "completions" / "aiot.fish", fish_completion()) && good;
  return good ? 0 : 1;
}
