#include "vxlan/filter/render.h"

#include <gtest/gtest.h>

namespace shoal::vxlan {
namespace {

// What "nft list table" prints of the table.
std::string listing(uint16_t port) { return render_dns_table(port); }

TEST(RenderDns, IsRecognisedForItsPortOnly) {
  EXPECT_TRUE(shows_dns_redirect(listing(5300), 5300));
  EXPECT_FALSE(shows_dns_redirect(listing(5300), 530));
  EXPECT_FALSE(shows_dns_redirect(listing(530), 5300));
  EXPECT_FALSE(shows_dns_redirect("", 5300));
}

TEST(RenderDns, AMissingOrAddedRuleIsNoticed) {
  std::string text = listing(5300);
  const size_t tcp = text.find("    ip daddr 127.0.0.11 tcp");
  std::string without = text;
  without.erase(tcp, without.find('\n', tcp) - tcp);
  EXPECT_FALSE(shows_dns_redirect(without, 5300));
  text.insert(tcp, "    ip daddr 127.0.0.11 udp dport 53 drop\n");
  EXPECT_FALSE(shows_dns_redirect(text, 5300));
  std::string elsewhere = listing(5300);
  elsewhere.replace(elsewhere.find("output"), 6, "input");
  EXPECT_FALSE(shows_dns_redirect(elsewhere, 5300));
}

TEST(RenderDns, ReplacesInOneTransaction) {
  EXPECT_EQ(render_dns_redirect(5300),
            "table ip shoal-dns\ndelete table ip shoal-dns\n" + render_dns_table(5300));
}

}  // namespace
}  // namespace shoal::vxlan
