#include "core/format/object_reader.hpp"

#include <utility>

#include "core/format/json_builder.hpp"
#include "core/format/json_events.hpp"

namespace snapback {
namespace {

class ObjectEvents final : public JsonEvents {
 public:
  ObjectEvents(const char* name, std::size_t max_members, ObjectVisitor& visitor) : document_(name), visitor_(visitor), builder_(name, max_members) {}

 private:
  using Taken = ObjectVisitor::Taken;

  // Depth at which values begin: the member itself, or the elements of its list.
  std::size_t value_depth() const { return taken_ == Taken::whole ? 1 : 2; }

  void on_key(std::string&& name) override {
    if (depth_ == 1) {
      taken_ = visitor_.member(name);
      member_ = std::move(name);
    } else if (taken_ != Taken::skipped) {
      builder_.key(std::move(name));
    }
  }

  void on_open(Json&& empty) override {
    ++depth_;
    if (depth_ == 1) {
      if (!empty.is_object()) no_object();
    } else if (taken_ != Taken::skipped) {
      if (depth_ > value_depth())
        builder_.open(std::move(empty));
      else if (!empty.is_array())
        no_list();
    }
  }

  void on_close() override {
    if (depth_ > 1 && taken_ != Taken::skipped && depth_ > value_depth()) {
      builder_.close();
      hand_over();
    }
    --depth_;
  }

  void on_scalar(Json&& value) override {
    if (depth_ == 0) no_object();
    if (taken_ == Taken::skipped) return;
    if (depth_ < value_depth()) no_list();
    builder_.put(std::move(value));
    hand_over();
  }

  void hand_over() {
    if (builder_.complete()) visitor_.value(member_, builder_.value());
  }

  [[noreturn]] void no_object() const { fields::damaged(document_, "it is no JSON object"); }
  [[noreturn]] void no_list() const { fields::damaged(document_, "\"" + member_ + "\" is no array"); }

  const char* document_;
  ObjectVisitor& visitor_;
  JsonBuilder builder_;
  Taken taken_ = Taken::skipped;
  std::string member_;
  std::size_t depth_ = 0;
};

}  // namespace

void read_object(const char* name, std::string_view text, std::size_t max_members, ObjectVisitor& visitor) {
  ObjectEvents events(name, max_members, visitor);
  if (!Json::sax_parse(text.begin(), text.end(), &events)) fields::damaged(name, "it is no JSON");
}

}  // namespace snapback
