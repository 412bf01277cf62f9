#include "vxlan/filter/element_batch.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <cstring>

namespace shoal::vxlan {
namespace {

// An attribute's length has 16 bits: a list of elements of at most 80 bytes stays well below.
constexpr size_t kElementsOfMessage = 400;

uint16_t swapped(uint16_t value) { return static_cast<uint16_t>((value << 8) | (value >> 8)); }

class Writer {
 public:
  // Starts a message of nfnetlink; a length is filled in when the next begins or all ends.
  void begin(uint16_t type, uint16_t flags, uint32_t sequence, const nfgenmsg& header) {
    end();
    start_ = out_.size();
    nlmsghdr message{};
    message.nlmsg_type = type;
    message.nlmsg_flags = flags;
    message.nlmsg_seq = sequence;
    put_raw(&message, sizeof message);
    put_raw(&header, sizeof header);
    open_ = true;
  }
  void put(uint16_t type, const void* data, size_t size) {
    const nlattr attribute{static_cast<uint16_t>(sizeof(nlattr) + size), type};
    put_raw(&attribute, sizeof attribute);
    put_raw(data, size);
    while (out_.size() % NLA_ALIGNTO != 0) out_.push_back(0);
  }
  void put_string(uint16_t type, std::string_view text) {
    const std::string whole(text);
    put(type, whole.c_str(), whole.size() + 1);
  }
  template <typename Fill>
  void nest(uint16_t type, Fill fill) {
    const size_t at = out_.size();
    const nlattr attribute{0, static_cast<uint16_t>(type | NLA_F_NESTED)};
    put_raw(&attribute, sizeof attribute);
    fill();
    const auto size = static_cast<uint16_t>(out_.size() - at);
    std::memcpy(out_.data() + at, &size, sizeof size);
  }
  Bytes take() {
    end();
    return std::move(out_);
  }

 private:
  void end() {
    if (!open_) return;
    const auto size = static_cast<uint32_t>(out_.size() - start_);
    std::memcpy(out_.data() + start_, &size, sizeof size);
  }
  void put_raw(const void* data, size_t size) {
    const auto* bytes = static_cast<const uint8_t*>(data);
    out_.insert(out_.end(), bytes, bytes + size);
  }

  Bytes out_;
  size_t start_ = 0;
  bool open_ = false;
};

constexpr uint16_t tables_type(uint16_t type) { return (NFNL_SUBSYS_NFTABLES << 8) | type; }

nfgenmsg family_header(uint8_t family) { return {family, NFNETLINK_V0, 0}; }

void put_value(Writer& out, uint16_t type, const Bytes& bytes) {
  out.nest(type, [&] { out.put(NFTA_DATA_VALUE, bytes.data(), bytes.size()); });
}

void put_element(Writer& out, const ElementChange& change) {
  out.nest(NFTA_LIST_ELEM, [&] {
    put_value(out, NFTA_SET_ELEM_KEY, change.element.key);
    if (!change.element.key_end.empty()) {
      put_value(out, NFTA_SET_ELEM_KEY_END, change.element.key_end);
    }
    if (change.add) put_value(out, NFTA_SET_ELEM_DATA, change.element.value);
  });
}

// Changes of one message: of one kind and one map.
using Group = std::vector<const ElementChange*>;

std::vector<Group> groups_of(std::span<const ElementChange> changes) {
  std::vector<Group> out;
  for (const bool add : {false, true}) {
    for (const std::string_view map : kPortMaps) {
      Group group;
      for (const ElementChange& change : changes) {
        if (change.add != add || change.element.map != map) continue;
        group.push_back(&change);
        if (group.size() == kElementsOfMessage) out.push_back(std::exchange(group, {}));
      }
      if (!group.empty()) out.push_back(std::move(group));
    }
  }
  return out;
}

// The attributes below `data`; ends at the first that does not fit.
template <typename Each>
void for_each_attribute(ByteView data, Each each) {
  while (data.size() >= sizeof(nlattr)) {
    nlattr attribute{};
    std::memcpy(&attribute, data.data(), sizeof attribute);
    if (attribute.nla_len < sizeof(nlattr) || attribute.nla_len > data.size()) return;
    each(attribute.nla_type & NLA_TYPE_MASK,
         data.subspan(sizeof(nlattr), attribute.nla_len - sizeof(nlattr)));
    const size_t step = (attribute.nla_len + NLA_ALIGNTO - 1) & ~size_t{NLA_ALIGNTO - 1};
    data = data.subspan(std::min(step, data.size()));
  }
}

Bytes value_of(ByteView nest) {
  Bytes out;
  for_each_attribute(nest, [&](int type, ByteView data) {
    if (type == NFTA_DATA_VALUE) out.assign(data.begin(), data.end());
  });
  return out;
}

MapElement element_of(ByteView nest, std::string_view map) {
  MapElement out{map, {}, {}, {}};
  for_each_attribute(nest, [&](int type, ByteView data) {
    if (type == NFTA_SET_ELEM_KEY) out.key = value_of(data);
    if (type == NFTA_SET_ELEM_KEY_END) out.key_end = value_of(data);
    if (type == NFTA_SET_ELEM_DATA) out.value = value_of(data);
  });
  return out;
}

// Bits of a filter of connections, for which uapi has no names: which fields of a tuple count.
constexpr uint32_t kFilterSource = 1U << 0;
constexpr uint32_t kFilterDestination = 1U << 1;
constexpr uint32_t kFilterProtocol = 1U << 3;
constexpr uint32_t kFilterToPort = 1U << 5;

void begin_forgetting(Writer& out, const Ip& address, uint32_t sequence) {
  const auto family = static_cast<uint8_t>(address.is_v4() ? AF_INET : AF_INET6);
  // A version, so that the family is heeded.
  out.begin((NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE, NLM_F_REQUEST | NLM_F_ACK,
            sequence, {family, 1, 0});
}

void put_filter(Writer& out, uint32_t asked, uint32_t answered) {
  out.nest(CTA_FILTER, [&] {
    out.put(CTA_FILTER_ORIG_FLAGS, &asked, sizeof asked);
    out.put(CTA_FILTER_REPLY_FLAGS, &answered, sizeof answered);
  });
}

}  // namespace

Bytes encode_element_batch(std::string_view table, std::span<const ElementChange> changes,
                           uint32_t sequence) {
  Writer out;
  const nfgenmsg batch{AF_UNSPEC, NFNETLINK_V0, swapped(NFNL_SUBSYS_NFTABLES)};
  out.begin(NFNL_MSG_BATCH_BEGIN, NLM_F_REQUEST, sequence++, batch);
  const std::vector<Group> groups = groups_of(changes);
  for (size_t i = 0; i < groups.size(); ++i) {
    const bool add = groups[i].front()->add;
    const uint16_t flags = static_cast<uint16_t>(NLM_F_REQUEST | (add ? NLM_F_CREATE : 0) |
                                                 (i + 1 == groups.size() ? NLM_F_ACK : 0));
    out.begin(tables_type(add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM), flags, sequence++,
              family_header(NFPROTO_INET));
    out.put_string(NFTA_SET_ELEM_LIST_TABLE, table);
    out.put_string(NFTA_SET_ELEM_LIST_SET, groups[i].front()->element.map);
    out.nest(NFTA_SET_ELEM_LIST_ELEMENTS, [&] {
      for (const ElementChange* change : groups[i]) put_element(out, *change);
    });
  }
  out.begin(NFNL_MSG_BATCH_END, NLM_F_REQUEST, sequence, batch);
  return out.take();
}

Bytes encode_element_dump(std::string_view table, std::string_view map, uint32_t sequence) {
  Writer out;
  out.begin(tables_type(NFT_MSG_GETSETELEM), NLM_F_REQUEST | NLM_F_DUMP, sequence,
            family_header(NFPROTO_INET));
  out.put_string(NFTA_SET_ELEM_LIST_TABLE, table);
  out.put_string(NFTA_SET_ELEM_LIST_SET, map);
  return out.take();
}

Result<std::vector<MapElement>> parse_elements(ByteView message, std::string_view map) {
  constexpr size_t kHeaders = sizeof(nlmsghdr) + sizeof(nfgenmsg);
  nlmsghdr header{};
  if (message.size() < kHeaders) return data_loss("nfnetlink sent a message without a header");
  std::memcpy(&header, message.data(), sizeof header);
  if (header.nlmsg_type != tables_type(NFT_MSG_NEWSETELEM)) {
    return data_loss("nfnetlink sent something that is no element");
  }
  std::vector<MapElement> out;
  for_each_attribute(message.subspan(kHeaders), [&](int type, ByteView list) {
    if (type != NFTA_SET_ELEM_LIST_ELEMENTS) return;
    for_each_attribute(list, [&](int, ByteView nest) { out.push_back(element_of(nest, map)); });
  });
  return out;
}

Bytes encode_forget_asked(uint8_t protocol, const Ip& address, uint16_t port, uint32_t sequence) {
  Writer out;
  begin_forgetting(out, address, sequence);
  out.nest(CTA_TUPLE_ORIG, [&] {
    out.nest(CTA_TUPLE_IP, [&] {
      out.put(address.is_v4() ? CTA_IP_V4_DST : CTA_IP_V6_DST, address.bytes().data(),
              address.bytes().size());
    });
    const uint16_t number = swapped(port);
    out.nest(CTA_TUPLE_PROTO, [&] {
      out.put(CTA_PROTO_NUM, &protocol, sizeof protocol);
      out.put(CTA_PROTO_DST_PORT, &number, sizeof number);
    });
  });
  put_filter(out,
             kFilterProtocol | kFilterToPort | (address.is_unspecified() ? 0 : kFilterDestination),
             0);
  return out.take();
}

Bytes encode_forget_answers(const Ip& address, uint32_t sequence) {
  Writer out;
  begin_forgetting(out, address, sequence);
  out.nest(CTA_TUPLE_REPLY, [&] {
    out.nest(CTA_TUPLE_IP, [&] {
      out.put(address.is_v4() ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, address.bytes().data(),
              address.bytes().size());
    });
  });
  put_filter(out, 0, kFilterSource);
  return out.take();
}

}  // namespace shoal::vxlan
