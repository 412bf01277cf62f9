// Unknown: what a newer version wrote into a message and this one does not know, serialised. It is
// kept with the object and written back with it, so that a field survives a round trip through an
// older manager.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace shoal::manager {

class Unknown {
 public:
  Unknown() = default;
  explicit Unknown(std::string fields) {
    if (!fields.empty()) fields_ = std::make_shared<const std::string>(std::move(fields));
  }
  std::string_view fields() const { return fields_ ? std::string_view(*fields_) : ""; }

  friend bool operator==(const Unknown& a, const Unknown& b) { return a.fields() == b.fields(); }

 private:
  std::shared_ptr<const std::string> fields_;  // none: nothing is unknown, as a rule
};

}  // namespace shoal::manager
