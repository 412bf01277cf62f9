#include "worker/dns/names/name_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/ports/ports.h"

namespace shoal::worker::dns {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

NetworkId net(const std::string& letter) { return NetworkId(letter); }

NameEntry entry(const std::string& network, const std::string& key, const std::string& name,
                std::vector<std::string> ips, std::vector<std::string> aliases = {}) {
  NameEntry out{.network = net(network),
                .network_name = network + "net",
                .key = key,
                .name = name,
                .aliases = std::move(aliases),
                .short_id = key.substr(0, 12)};
  for (const std::string& ip : ips) out.ips.push_back(*Ip::parse(ip));
  return out;
}

struct Seen {
  Found found;
  std::vector<std::string> values;  // in the order answered

  friend bool operator==(const Seen&, const Seen&) = default;
  friend void PrintTo(const Seen& seen, std::ostream* out) {
    *out << static_cast<int>(seen.found);
    for (const auto& value : seen.values) *out << " " << value;
  }
};

Seen look(const NameTable& table, std::vector<NetworkId> networks, const std::string& name,
          bool v4 = true, bool v6 = false, uint64_t random = 0) {
  Answer answer;
  Seen seen{table.lookup(networks, *Name::from_text(name), v4, v6, random, answer), {}};
  for (const Ip& ip : answer.addresses) seen.values.push_back(ip.str());
  return seen;
}

Seen look_back(const NameTable& table, std::vector<NetworkId> networks, const std::string& ip) {
  Answer answer;
  Seen seen{table.reverse(networks, *Ip::parse(ip), answer), {}};
  for (const Name& name : answer.names) seen.values.push_back(name.text());
  return seen;
}

const Seen kNothing{Found::kUnknown, {}};
const Seen kEmpty{Found::kNoData, {}};
Seen is(std::vector<std::string> values) { return {Found::kAnswer, std::move(values)}; }

TEST(NameTable, NameAliasAndShortIdWithoutCase) {
  NameTable table;
  table.upsert(entry("a", "k1k2k3k4k5k6k7", "Web", {"10.0.0.2", "fd00::2"}, {"FrontEnd"}));
  for (const char* name : {"web", "WEB", "frontend", "k1k2k3k4k5k6", "K1K2k3k4k5k6"}) {
    EXPECT_EQ(look(table, {net("a")}, name), is({"10.0.0.2"})) << name;
    EXPECT_EQ(look(table, {net("a")}, name, false, true), is({"fd00::2"})) << name;
  }
  EXPECT_EQ(look(table, {net("a")}, "k1k2k3k4k5k6k7"), kNothing);
  EXPECT_EQ(look(table, {net("b")}, "web"), kNothing) << "another network's names are not told";
  EXPECT_EQ(look(table, {}, "web"), kNothing);
}

TEST(NameTable, ExistsWithoutThatFamily) {
  NameTable table;
  table.upsert(entry("a", "e1", "web", {"10.0.0.2"}));
  table.upsert(entry("a", "e2", "bare", {}));
  EXPECT_EQ(look(table, {net("a")}, "web", false, true), kEmpty);
  EXPECT_EQ(look(table, {net("a")}, "web.anet", false, true), kEmpty);
  EXPECT_EQ(look(table, {net("a")}, "web", false, false), kEmpty) << "another type, such as MX";
  EXPECT_EQ(look(table, {net("a")}, "bare"), kEmpty);
}

TEST(NameTable, AttachOrderDecides) {
  NameTable table;
  table.upsert(entry("a", "e1", "web", {"10.0.0.2"}));
  table.upsert(entry("b", "e2", "web", {"10.0.1.2", "fd01::2"}));
  EXPECT_EQ(look(table, {net("a"), net("b")}, "web"), is({"10.0.0.2"}));
  EXPECT_EQ(look(table, {net("b"), net("a")}, "web"), is({"10.0.1.2"}));
  EXPECT_EQ(look(table, {net("a"), net("b")}, "web", false, true), is({"fd01::2"}))
      << "the first network with an address of the family";
}

TEST(NameTable, NetworkSuffixAtEverySplit) {
  NameTable table;
  NameEntry dotted = entry("a", "e1", "web.1", {"10.0.0.2"});
  dotted.network_name = "My.Net";
  table.upsert(dotted);
  table.upsert(entry("b", "e2", "web.1.my", {"10.0.1.2"}));
  const std::vector<NetworkId> both{net("a"), net("b")};
  EXPECT_EQ(look(table, both, "web.1.my.net"), is({"10.0.0.2"}));
  EXPECT_EQ(look(table, both, "web.1"), is({"10.0.0.2"}));
  EXPECT_EQ(look(table, both, "web.1.bnet"), kNothing) << "web.1 is not in that network";
  EXPECT_EQ(look(table, both, "web.1.my.bnet"), is({"10.0.1.2"}));
  EXPECT_EQ(look(table, {net("b")}, "web.1.my.net"), kNothing) << "not attached";
  // A whole name comes before a split.
  table.upsert(entry("b", "e3", "web.1.my.net", {"10.0.1.3"}));
  EXPECT_EQ(look(table, both, "web.1.my.net"), is({"10.0.1.3"}));
}

TEST(NameTable, AliasOfSeveralIsShuffled) {
  NameTable table;
  std::vector<std::string> all;
  for (int i = 1; i <= 5; ++i) {
    all.push_back("10.0.0." + std::to_string(i));
    table.upsert(entry("a", "e" + std::to_string(i), "w" + std::to_string(i), {all.back()}, {"w"}));
  }
  std::set<std::string> first;
  SeededRng rng(1);
  for (int i = 0; i < 200; ++i) {
    const Seen seen = look(table, {net("a")}, "w", true, false, rng.next());
    EXPECT_THAT(seen.values, ::testing::UnorderedElementsAreArray(all));
    first.insert(seen.values.front());
  }
  EXPECT_EQ(first.size(), all.size()) << "everyone comes first at times";
}

TEST(NameTable, ASharedAddressIsToldOnceAndStaysForTheOther) {
  NameTable table;
  table.upsert(entry("a", "e1", "w1", {"10.0.0.2"}, {"w", "W", "w1"}));
  table.upsert(entry("a", "e2", "w2", {"10.0.0.2"}, {"w"}));
  EXPECT_EQ(look(table, {net("a")}, "w"), is({"10.0.0.2"}));
  EXPECT_EQ(look_back(table, {net("a")}, "10.0.0.2"), is({"w1.anet", "w2.anet"}));
  EXPECT_TRUE(table.remove(net("a"), "e1"));
  EXPECT_EQ(look(table, {net("a")}, "w"), is({"10.0.0.2"}));
  EXPECT_EQ(look_back(table, {net("a")}, "10.0.0.2"), is({"w2.anet"}));
  EXPECT_TRUE(table.remove(net("a"), "e2"));
  EXPECT_FALSE(table.remove(net("a"), "e2"));
  EXPECT_EQ(look(table, {net("a")}, "w"), kNothing);
  EXPECT_EQ(look_back(table, {net("a")}, "10.0.0.2"), kNothing);
  EXPECT_EQ(table.size(), 0U);
}

TEST(NameTable, UpsertReplaces) {
  NameTable table;
  table.upsert(entry("a", "e1", "old", {"10.0.0.2"}, {"x"}));
  table.upsert(entry("a", "e1", "new", {"10.0.0.3"}));
  EXPECT_EQ(table.size(), 1U);
  EXPECT_EQ(look(table, {net("a")}, "old"), kNothing);
  EXPECT_EQ(look(table, {net("a")}, "x"), kNothing);
  EXPECT_EQ(look(table, {net("a")}, "new"), is({"10.0.0.3"}));
  EXPECT_EQ(look_back(table, {net("a")}, "10.0.0.2"), kNothing);
  table.remove_network(net("a"));
  EXPECT_EQ(look(table, {net("a")}, "new"), kNothing);
  EXPECT_EQ(table.size(), 0U);
}

TEST(NameTable, WhatIsNoDomainNameIsLeftOut) {
  NameTable table;
  table.upsert(entry("a", "e1", "bad..name", {"10.0.0.2"}, {std::string(70, 'x'), "good", ""}));
  EXPECT_EQ(look(table, {net("a")}, "good"), is({"10.0.0.2"}));
  EXPECT_EQ(look_back(table, {net("a")}, "10.0.0.2"), kEmpty) << "known, but nameless";
  EXPECT_EQ(look(table, {net("a")}, "."), kNothing);
}

TEST(NameTable, AnswersAreBounded) {
  NameTable table;
  for (uint32_t i = 0; i < NameTable::kMaxAddresses + 500; ++i) {
    NameEntry many = entry("a", "e" + std::to_string(i), "", {}, {"all"});
    many.ips = {Ip::v4(0x0a000000 + i)};
    table.upsert(std::move(many));
  }
  const Seen seen = look(table, {net("a")}, "all", true, false, 77);
  EXPECT_EQ(seen.values.size(), NameTable::kMaxAddresses);
  EXPECT_EQ(std::set<std::string>(seen.values.begin(), seen.values.end()).size(),
            NameTable::kMaxAddresses);
}

// The slow oracle: a list of entries, searched as the header says.
class Oracle {
 public:
  void upsert(const NameEntry& entry) {
    remove(entry.network, entry.key);
    entries_.push_back(entry);
    for (NameEntry& other : entries_) {
      if (other.network == entry.network) other.network_name = entry.network_name;
    }
  }
  bool remove(const NetworkId& network, const std::string& key) {
    return std::erase_if(entries_, [&](const NameEntry& entry) {
             return entry.network == network && entry.key == key;
           }) > 0;
  }
  Found lookup(const std::vector<NetworkId>& networks, const std::string& name, bool v4,
               std::set<Ip>& out) const {
    bool exists = false;
    for (const NetworkId& id : networks) {
      if (collect(id, name, "", v4, exists, out)) return Found::kAnswer;
    }
    for (size_t dot = name.rfind('.'); dot != std::string::npos && dot > 0;
         dot = name.rfind('.', dot - 1)) {
      for (const NetworkId& id : networks) {
        if (collect(id, name.substr(0, dot), name.substr(dot + 1), v4, exists, out)) {
          return Found::kAnswer;
        }
      }
    }
    return exists ? Found::kNoData : Found::kUnknown;
  }

 private:
  bool collect(const NetworkId& id, const std::string& name, const std::string& network, bool v4,
               bool& exists, std::set<Ip>& out) const {
    for (const NameEntry& entry : entries_) {
      if (entry.network != id) continue;
      if (!network.empty() && network != entry.network_name) continue;
      const bool named = entry.name == name || entry.short_id == name ||
                         std::count(entry.aliases.begin(), entry.aliases.end(), name) > 0;
      if (!named) continue;
      exists = true;
      for (const Ip& ip : entry.ips) {
        if (ip.is_v4() == v4) out.insert(ip);
      }
    }
    return !out.empty();
  }

  std::vector<NameEntry> entries_;
};

TEST(NameTable, AgreesWithTheSlowOracle) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SeededRng rng(seed);
    NameTable table;
    Oracle oracle;
    const std::vector<std::string> labels{"a", "b", "c", "a.b", "b.c", "c.a", "a.b.c", "c.c"};
    const auto label = [&] { return labels[rng.below(labels.size())]; };
    for (int step = 0; step < 600; ++step) {
      const std::string network(1, static_cast<char>('p' + rng.below(3)));
      const std::string key = "key" + std::to_string(rng.below(12));
      if (rng.below(3) == 0) {
        EXPECT_EQ(table.remove(net(network), key), oracle.remove(net(network), key));
      } else {
        NameEntry made = entry(network, key, label(), {});
        made.network_name = rng.below(8) == 0 ? label() : "c";
        for (uint64_t i = rng.below(3); i > 0; --i) made.aliases.push_back(label());
        for (uint64_t i = rng.below(3); i > 0; --i) {
          std::array<uint8_t, 16> v6{0xfd};
          v6[15] = static_cast<uint8_t>(rng.below(6));
          made.ips.push_back(rng.below(2) == 0 ? Ip::v4(static_cast<uint32_t>(rng.below(6)))
                                               : Ip::v6(v6));
        }
        table.upsert(made);
        oracle.upsert(made);
      }
      std::vector<NetworkId> networks{net("p"), net("q"), net("r")};
      std::rotate(networks.begin(), networks.begin() + static_cast<long>(rng.below(3)),
                  networks.end());
      networks.resize(rng.below(4));
      const std::string name = rng.below(2) == 0 ? label() : label() + "." + label();
      const bool v4 = rng.below(2) == 0;
      std::set<Ip> expected;
      const Found found = oracle.lookup(networks, name, v4, expected);
      Answer answer;
      EXPECT_EQ(table.lookup(networks, *Name::from_text(name), v4, !v4, rng.next(), answer), found)
          << name << " seed " << seed << " step " << step;
      EXPECT_EQ(std::set<Ip>(answer.addresses.begin(), answer.addresses.end()), expected)
          << name << " seed " << seed << " step " << step;
      EXPECT_EQ(answer.addresses.size(), expected.size());
    }
  }
}

}  // namespace
}  // namespace shoal::worker::dns
