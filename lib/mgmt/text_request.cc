#include "mgmt/text_request.h"

#include <algorithm>
#include <charconv>

#include "env/limits.h"

namespace ndb::mgmt {

namespace {

// How much may lie unread: one bulk and one request behind it.
constexpr std::size_t kBufferMax = limits::kTextBulkBytesMax + 64 * limits::kTextLineBytesMax;

template <class F>
void for_each_argument(std::string_view arguments, F f) {
  while (!arguments.empty()) {
    const std::size_t comma = arguments.find(',');
    std::string_view one = arguments.substr(0, comma);
    arguments = comma == std::string_view::npos ? std::string_view{} : arguments.substr(comma + 1);
    ArgumentSpec spec;
    spec.known = true;
    if (one.starts_with('#')) {
      spec.number = true;
      one.remove_prefix(1);
    }
    if (one.ends_with('!')) {
      spec.mandatory = true;
      one.remove_suffix(1);
    }
    f(one, spec);
  }
}

constexpr std::string_view kLength = "Content-Length";

}  // namespace

std::string_view trim(std::string_view s) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t first = s.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return s.substr(first, s.find_last_not_of(kBlanks) - first + 1);
}

std::vector<std::string_view> split_words(std::string_view s, std::string_view separators) {
  std::vector<std::string_view> found;
  for (std::size_t at = s.find_first_not_of(separators); at != std::string_view::npos;) {
    const std::size_t end = std::min(s.find_first_of(separators, at), s.size());
    found.push_back(s.substr(at, end - at));
    at = s.find_first_not_of(separators, end);
  }
  return found;
}

bool parse_number(std::string_view text, std::int64_t* number) {
  if (text.starts_with('+')) text.remove_prefix(1);
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

ArgumentSpec find_argument(std::string_view arguments, std::string_view name) {
  ArgumentSpec found;
  for_each_argument(arguments, [&](std::string_view one, const ArgumentSpec& spec) {
    if (one == name && one != "*") found = spec;
  });
  return found;
}

std::string_view Request::text(std::string_view name, std::string_view absent) const {
  auto i = values.find(name);
  return i == values.end() ? absent : std::string_view(i->second);
}
std::int64_t Request::number(std::string_view name, std::int64_t absent) const {
  std::int64_t v = 0;
  auto i = values.find(name);
  return i != values.end() && parse_number(i->second, &v) ? v : absent;
}

void RequestReader::feed(Bytes bytes) {
  if (state_ == State::broken) return;
  if (at_ > 0) {
    buffer_.erase(0, at_);
    at_ = 0;
  }
  buffer_.append(bytes);
}

bool RequestReader::take_line(std::string_view* line) {
  const std::size_t end = buffer_.find('\n', at_);
  if (end == std::string::npos) return false;
  *line = trim(std::string_view(buffer_).substr(at_, end - at_));
  at_ = end + 1;
  return true;
}

RequestReader::Got RequestReader::complain(std::string* complaint, std::string text, State next) {
  *complaint = std::move(text);
  state_ = next;
  building_ = Request{};
  wrong_.clear();
  return next == State::broken ? Got::broken : Got::complaint;
}

void RequestReader::wrong(std::string_view what, std::string_view token) {
  if (wrong_.empty()) wrong_ = std::string(what) + ", '" + std::string(token) + "'";
}

RequestReader::Got RequestReader::next(Request* request, std::string* complaint) {
  while (state_ != State::broken) {
    if (state_ == State::length_bulk) return on_bulk(request, complaint);
    const std::size_t before = at_;
    std::string_view line;
    if (!take_line(&line)) {
      if (unread() >= limits::kTextLineBytesMax) break;
      return Got::nothing;
    }
    if (at_ - before > limits::kTextLineBytesMax) break;
    Got got = Got::nothing;
    switch (state_) {
      case State::skipping:
        if (line.empty()) state_ = State::command;
        if (line.find_first_of(":=") != std::string_view::npos || line.empty()) continue;
        state_ = State::command;  // somebody typed a command without arguments and now types the next one
        [[fallthrough]];
      case State::command:
        if (!line.empty()) got = on_command(line, complaint);
        break;
      case State::arguments:
        if (line.empty()) {
          got = on_end(request, complaint);
        } else {
          on_argument(line);
        }
        break;
      case State::line_bulk:
        if (line.empty()) return finish(request);
        building_.bulk.append(line).push_back('\n');
        if (building_.bulk.size() > limits::kTextBulkBytesMax) state_ = State::broken;
        break;
      case State::length_bulk:
      case State::broken:
        break;
    }
    if (got != Got::nothing) return got;
  }
  buffer_.clear();
  at_ = 0;
  return complain(complaint, "Invalid arg. format, 'line too long'", State::broken);
}

RequestReader::Got RequestReader::on_command(std::string_view line, std::string* complaint) {
  auto found = std::find_if(commands_.begin(), commands_.end(), [&](const CommandSpec& c) { return c.name == line; });
  if (found == commands_.end()) {
    return complain(complaint, "Unknown command, '" + std::string(line) + "'", State::skipping);
  }
  building_ = Request{};
  building_.command = &*found;
  wrong_.clear();
  state_ = State::arguments;
  return Got::nothing;
}

void RequestReader::on_argument(std::string_view line) {
  const std::size_t colon = line.find_first_of(":=");
  if (colon == std::string_view::npos) {
    wrong("Invalid arg. format", line);
    return;
  }
  std::string_view name = trim(line.substr(0, colon));
  std::string_view value = trim(line.substr(colon + 1));
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
  const bool more = name.starts_with('+');
  if (more) name = trim(name.substr(1));
  const ArgumentSpec spec = find_argument(building_.command->arguments, name);
  if (!spec.known) {
    wrong("Unknown argument", name);
    return;
  }
  std::int64_t number = 0;
  if (spec.number && !parse_number(value, &number)) {
    wrong("Type mismatch", name);
    return;
  }
  auto [i, fresh] = building_.values.try_emplace(std::string(name));
  if (fresh == more) {
    wrong(more ? "Invalid arg. format" : "Argument given twice", name);
  } else if (i->second.size() + value.size() > limits::kTextBulkBytesMax) {
    wrong("Invalid arg. format", name);
  } else {
    i->second.append(value);
  }
}

RequestReader::Got RequestReader::on_end(Request* request, std::string* complaint) {
  const std::string_view arguments = building_.command->arguments;
  for_each_argument(arguments, [&](std::string_view name, const ArgumentSpec& spec) {
    if (spec.mandatory && !building_.has(name)) wrong("Missing arg.", name);
  });
  const bool has_bulk = find_argument(arguments, kLength).known;
  if (!wrong_.empty()) {
    // What follows the empty line of such a command is a bulk of unknown length.
    return complain(complaint, wrong_, has_bulk ? State::broken : State::command);
  }
  if (arguments.ends_with('*')) {
    state_ = State::line_bulk;
    return Got::nothing;
  }
  if (!has_bulk || !building_.has(kLength)) return finish(request);
  const std::int64_t length = building_.number(kLength);
  if (length < 1 || length > static_cast<std::int64_t>(limits::kTextBulkBytesMax)) {
    building_.bad_bulk = true;
    const Got got = finish(request);
    state_ = State::broken;
    return got;
  }
  bulk_bytes_ = static_cast<std::size_t>(length);
  state_ = State::length_bulk;
  return on_bulk(request, complaint);
}

RequestReader::Got RequestReader::on_bulk(Request* request, std::string* complaint) {
  // The line end behind it may be "\r\n" when somebody types.
  if (unread() < bulk_bytes_ + 1) return Got::nothing;
  std::size_t end = at_ + bulk_bytes_;
  if (buffer_[end] == '\r') {
    if (unread() < bulk_bytes_ + 2) return Got::nothing;
    ++end;
  }
  if (buffer_[end] != '\n') return complain(complaint, "Invalid arg. format, 'Content-Length'", State::broken);
  building_.bulk.assign(buffer_, at_, bulk_bytes_);
  at_ = end + 1;
  return finish(request);
}

RequestReader::Got RequestReader::finish(Request* request) {
  *request = std::move(building_);
  building_ = Request{};
  state_ = State::command;
  return Got::request;
}

static_assert(kBufferMax > limits::kTextBulkBytesMax + limits::kTextLineBytesMax);

}  // namespace ndb::mgmt
