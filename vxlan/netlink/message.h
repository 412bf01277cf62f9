// Message: one rtnetlink request, built with libnl's attribute writer. Attribute reading: bounded
// look-ups in what the kernel sent.
#pragma once

#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/types/ip.h"

namespace shoal::vxlan {

class Message {
 public:
  // `type` is RTM_...; `header` the family's fixed header (ifinfomsg, ndmsg, ...).
  template <typename Header>
  Message(uint16_t type, int flags, const Header& header)
      : message_(nlmsg_alloc_simple(type, NLM_F_REQUEST | flags)) {
    append(&header, sizeof header);
  }

  void put(int attribute, const void* data, size_t size);
  void put_u8(int attribute, uint8_t value) { put(attribute, &value, sizeof value); }
  void put_u16(int attribute, uint16_t value) { put(attribute, &value, sizeof value); }
  void put_u32(int attribute, uint32_t value) { put(attribute, &value, sizeof value); }
  void put_string(int attribute, std::string_view value);
  void put_ip(int attribute, const Ip& ip) { put(attribute, ip.bytes().data(), ip.bytes().size()); }
  void put_mac(int attribute, const Mac& mac) {
    put(attribute, mac.bytes().data(), mac.bytes().size());
  }
  // Attributes that `fill` puts are nested below `attribute`.
  template <typename Fill>
  void nest(int attribute, Fill fill) {
    nlattr* const start = begin_nest(attribute);
    fill();
    nla_nest_end(message_.get(), start);
  }
  // A fixed header inside a nest (VETH_INFO_PEER).
  template <typename Header>
  void append_header(const Header& header) {
    append(&header, sizeof header);
  }

  nlmsghdr* header() const { return nlmsg_hdr(message_.get()); }

 private:
  struct Free {
    void operator()(nl_msg* message) const { nlmsg_free(message); }
  };
  void append(const void* data, size_t size);
  nlattr* begin_nest(int attribute);

  std::unique_ptr<nl_msg, Free> message_;
};

// The attributes of a message or nest; missing and ill-sized ones are nullopt.
class Attributes {
 public:
  Attributes() = default;
  Attributes(const nlattr* head, int size) : head_(head), size_(size) {}
  // After the fixed header of a message.
  template <typename Header>
  static Attributes of(const nlmsghdr* message) {
    return {nlmsg_attrdata(message, sizeof(Header)), nlmsg_attrlen(message, sizeof(Header))};
  }

  const nlattr* find(int type) const;
  bool has(int type) const { return find(type) != nullptr; }
  Attributes nested(int type) const;
  std::string string(int type) const;  // empty when missing
  std::optional<Ip> ip(int type) const;
  std::optional<Mac> mac(int type) const;
  template <typename T>
  std::optional<T> number(int type) const {
    static_assert(std::is_integral_v<T>);
    const nlattr* const attribute = find(type);
    if (attribute == nullptr || nla_len(attribute) < static_cast<int>(sizeof(T))) return {};
    T value;
    std::memcpy(&value, nla_data(attribute), sizeof value);
    return value;
  }

 private:
  const nlattr* head_ = nullptr;
  int size_ = 0;
};

}  // namespace shoal::vxlan
