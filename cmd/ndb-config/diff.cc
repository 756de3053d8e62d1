// diff            the generation before the present one, and the present one
// diff A          A (a generation) and the present one; FILE: the present one and the file
// diff A B|FILE   as they are given
#include "changes.h"
#include "commands.h"

namespace ndb::cli {
namespace {

struct Side {
  StoredConfig config;
  std::string name;  // of the side, for people
};

struct Diff final : Command {
  std::vector<std::string> sides;

  void declare(Options& o) override {
    o.list("sides", &sides,
           "generations, the second may be a file (- = standard input); a file alone: with the "
           "present one",
           "A");
  }

  int run(Tool& tool) override {
    if (sides.size() > 2) return tool.usage("two sides can be compared, not " + std::to_string(sides.size()));
    Side a, b;
    std::string first = "0", second = "0";
    if (sides.size() == 2) {
      first = sides[0];
      second = sides[1];
      if (!is_number(first)) return tool.usage("'" + first + "' is no generation; only the second side may be a file");
    } else if (sides.size() == 1) {
      (is_number(sides[0]) ? first : second) = sides[0];
    }
    if (int status = load(tool, second, &b); status != kExitDone) return status;
    if (sides.empty()) {
      if (generation_ <= 1) return tool.refuse("there is no generation before the first one");
      first = std::to_string(generation_ - 1);
    }
    if (int status = load(tool, first, &a); status != kExitDone) return status;
    const bool stock = a.config.stock() || b.config.stock();
    a.config.config.stock = b.config.config.stock = stock;
    const Comparison c = compare(a.config, b.config.config, stock);
    print_problems(tool, b.name, c.problems);
    print_comparison(tool, c, a.name, b.name);
    return kExitDone;
  }

 private:
  static bool is_number(const std::string& s) {
    return s.size() <= 9 && s.find_first_not_of("0123456789") == std::string::npos;
  }

  int load(Tool& tool, const std::string& word, Side* side) {
    if (!is_number(word)) {
      auto f = read_config_file(tool, word);
      if (!f) return tool.fail(f.failure());
      if (!f->ok) return tool.refuse("'" + f->source + "' has errors; correct it first");
      side->config.config = f->config;
      side->name = f->source;
      return kExitDone;
    }
    auto stored = read_config(tool, std::stoull(word));
    if (!stored) return tool.fail(stored.failure());
    generation_ = stored->generation;
    *side = {*stored, "generation " + std::to_string(stored->generation)};
    return kExitDone;
  }

  std::uint64_t generation_ = 0;  // of the side that was loaded last
};

}  // namespace

std::unique_ptr<Command> make_diff() { return make_command<Diff>(); }
}  // namespace ndb::cli
