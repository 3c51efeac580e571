#include "core/format/json_builder.hpp"

#include "core/format/json_events.hpp"

namespace snapback {
namespace {

class BuilderEvents final : public JsonEvents {
 public:
  explicit BuilderEvents(JsonBuilder& builder) : builder_(builder) {}

 private:
  void on_scalar(Json&& value) override { builder_.put(std::move(value)); }
  void on_open(Json&& empty) override { builder_.open(std::move(empty)); }
  void on_close() override { builder_.close(); }
  void on_key(std::string&& name) override { builder_.key(std::move(name)); }

  JsonBuilder& builder_;
};

}  // namespace

Json parse_bounded(const char* document, std::string_view text, std::size_t max_members) {
  JsonBuilder builder(document, max_members);
  BuilderEvents events(builder);
  if (!Json::sax_parse(text.begin(), text.end(), &events)) fields::damaged(document, "it is no JSON");
  return std::move(builder.value());
}

}  // namespace snapback
