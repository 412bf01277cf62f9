#include "vxlan/netlink/message.h"

#include "base/types/check.h"

namespace shoal::vxlan {

void Message::put(int attribute, const void* data, size_t size) {
  SHOAL_CHECK(nla_put(message_.get(), attribute, static_cast<int>(size), data) == 0,
              "a request outgrew its page");
}

void Message::put_string(int attribute, std::string_view value) {
  put(attribute, std::string(value).c_str(), value.size() + 1);
}

void Message::append(const void* data, size_t size) {
  SHOAL_CHECK(message_ != nullptr, "out of memory");
  SHOAL_CHECK(nlmsg_append(message_.get(), const_cast<void*>(data), size, NLMSG_ALIGNTO) == 0,
              "a request outgrew its page");
}

nlattr* Message::begin_nest(int attribute) {
  nlattr* const start = nla_nest_start(message_.get(), attribute);
  SHOAL_CHECK(start != nullptr, "a request outgrew its page");
  return start;
}

const nlattr* Attributes::find(int type) const {
  return head_ == nullptr ? nullptr : nla_find(head_, size_, type);
}

Attributes Attributes::nested(int type) const {
  const nlattr* const attribute = find(type);
  if (attribute == nullptr) return {};
  return {static_cast<const nlattr*>(nla_data(attribute)), nla_len(attribute)};
}

std::string Attributes::string(int type) const {
  const nlattr* const attribute = find(type);
  if (attribute == nullptr) return {};
  const auto* const text = static_cast<const char*>(nla_data(attribute));
  return {text, strnlen(text, static_cast<size_t>(nla_len(attribute)))};
}

std::optional<Ip> Attributes::ip(int type) const {
  const nlattr* const attribute = find(type);
  if (attribute == nullptr) return {};
  auto ip = Ip::from_bytes(
      {static_cast<const uint8_t*>(nla_data(attribute)), static_cast<size_t>(nla_len(attribute))});
  if (!ip) return {};
  return *ip;
}

std::optional<Mac> Attributes::mac(int type) const {
  const nlattr* const attribute = find(type);
  std::array<uint8_t, 6> bytes{};
  if (attribute == nullptr || nla_len(attribute) != static_cast<int>(bytes.size())) return {};
  std::memcpy(bytes.data(), nla_data(attribute), bytes.size());
  return Mac(bytes);
}

}  // namespace shoal::vxlan
