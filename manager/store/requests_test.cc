// A request takes effect once, however often it is tried.
#include "manager/store/store_fixture.h"

namespace shoal::manager {
namespace {

using ::testing::HasSubstr;

class RequestsTest : public StoreTest {
 protected:
  // `since` 0: the first try.
  Outcome request(const std::string& id, Operation operation, uint64_t since = 0) {
    Command command{now_, ++seed_, std::move(operation)};
    command.request = id_of<NetworkId>(id).str();
    command.since = since;
    return store_.apply(store_.applied_index() + 1, command);
  }
  CreateNetwork create(const std::string& id, const std::string& name) {
    CreateNetwork op = network_op(name);
    op.id = id_of<NetworkId>(id);
    return op;
  }
  uint64_t now_index() const { return store_.applied_index(); }
};

TEST_F(RequestsTest, ANetworkMadeAndRemovedIsNotMadeAgain) {
  const uint64_t since = now_index();
  EXPECT_TRUE(request("a", create("a", "web")).answer.ok());
  EXPECT_TRUE(request("b", RemoveNetwork{id_of<NetworkId>("a")}).answer.ok());
  const Outcome again = request("a", create("a", "web"), since);
  ASSERT_TRUE(again.answer.ok()) << "it was done";
  EXPECT_EQ(std::get<Network>(*again.answer).id, id_of<NetworkId>("a"));
  EXPECT_TRUE(again.changes.empty());
  EXPECT_FALSE(store_.find_network("web").ok());
}

TEST_F(RequestsTest, ARemovalThatNobodyTriesAgainIsRemembered) {
  const uint64_t since = now_index();
  request("a", create("a", "web"));
  const Object last = run(RemoveNetwork{id_of<NetworkId>("a")}).changes.back().object;
  const HandledRequest removal{id_of<NetworkId>("a").str(), id_of<NetworkId>("a"), now_index()};
  EXPECT_EQ(std::get<HandledRequest>(last), removal);
  EXPECT_TRUE(request("a", create("a", "web"), since).answer.ok());
  EXPECT_FALSE(store_.find_network("web").ok()) << "it was made, and removed";
}

TEST_F(RequestsTest, ANetworkMadeIsAnsweredAlsoWhenItsNameIsAnothersByNow) {
  const uint64_t since = now_index();
  request("a", create("a", "web"));
  request("b", RemoveNetwork{id_of<NetworkId>("a")});
  request("c", create("c", "web"));
  EXPECT_TRUE(request("a", create("a", "web"), since).answer.ok());
  EXPECT_EQ((*store_.find_network("web"))->id, id_of<NetworkId>("c"));
}

TEST_F(RequestsTest, ARemovalTriedAgainRemovesNothingElse) {
  request("a", create("a", "web"));
  const uint64_t since = now_index();
  EXPECT_TRUE(request("b", RemoveNetwork{id_of<NetworkId>("a")}).answer.ok());
  request("c", create("c", "web"));
  EXPECT_TRUE(request("b", RemoveNetwork{id_of<NetworkId>("c")}, since).answer.ok());
  EXPECT_NE(store_.network(id_of<NetworkId>("c")), nullptr);
}

TEST_F(RequestsTest, ARemovalThatSomebodyElseDidIsRefused) {
  request("a", create("a", "web"));
  const uint64_t since = now_index();
  request("b", RemoveNetwork{id_of<NetworkId>("a")});
  const Outcome other = request("d", RemoveNetwork{id_of<NetworkId>("a")}, since);
  ASSERT_FALSE(other.answer.ok());
  EXPECT_EQ(other.answer.error().code, ErrorClass::kNotFound);
}

TEST_F(RequestsTest, ARefusedRequestIsNotRemembered) {
  request("a", create("a", "web"));
  EXPECT_FALSE(request("b", create("b", "web")).answer.ok());
  request("c", RemoveNetwork{id_of<NetworkId>("a")});
  EXPECT_TRUE(request("b", create("b", "web"), 1).answer.ok());
  EXPECT_EQ((*store_.find_network("web"))->id, id_of<NetworkId>("b"));
}

TEST_F(RequestsTest, WhatWasForgottenIsSaidToBeUnknown) {
  const uint64_t since = now_index();
  request("a", create("a", "web"));
  request("b", RemoveNetwork{id_of<NetworkId>("a")});
  const uint64_t later = now_index();
  for (size_t i = 0; i < kHandledRequests; ++i) {
    const std::string id = "x" + std::to_string(i) + "x";
    request(id, create(id, "web"));
    request("r" + std::to_string(i) + "x", RemoveNetwork{id_of<NetworkId>(id)});
  }
  const auto records = store_.objects();
  EXPECT_EQ(std::count_if(records.begin(), records.end(),
                          [](const Object& object) {
                            return std::holds_alternative<HandledRequest>(object);
                          }),
            kHandledRequests)
      << "bounded";
  const Outcome again = request("a", create("a", "web"), since);
  ASSERT_FALSE(again.answer.ok());
  EXPECT_EQ(again.answer.error().code, ErrorClass::kDeadlineExceeded);
  EXPECT_FALSE(store_.find_network("web").ok());
  EXPECT_TRUE(request("n", create("n", "web"), now_index()).answer.ok()) << "tried of late";
  EXPECT_TRUE(request("o", create("o", "other")).answer.ok()) << "not tried before";
  EXPECT_FALSE(request("p", create("p", "third"), later).answer.ok());
}

TEST_F(RequestsTest, AStoreLoadedFromItsObjectsRemembers) {
  const uint64_t since = now_index();
  request("a", create("a", "web"));
  request("b", RemoveNetwork{id_of<NetworkId>("a")});
  Store loaded;
  for (Object& object : store_.objects()) loaded.load(std::move(object));
  ASSERT_TRUE(loaded.finish_load(store_.applied_index()).ok());
  store_ = std::move(loaded);
  EXPECT_TRUE(request("a", create("a", "web"), since).answer.ok());
  EXPECT_FALSE(store_.find_network("web").ok());
}

TEST_F(RequestsTest, RecordsThatContradictEachOtherAreDamage) {
  for (const HandledRequest& second : {HandledRequest{"a", id_of<NetworkId>("n"), 8},
                                       HandledRequest{"b", id_of<NetworkId>("n"), 7}}) {
    Store store;
    store.load(HandledRequest{"a", id_of<NetworkId>("n"), 7});
    store.load(second);
    const Status loaded = store.finish_load(9);
    ASSERT_FALSE(loaded.ok());
    EXPECT_THAT(loaded.error().message, HasSubstr("request"));
  }
}

}  // namespace
}  // namespace shoal::manager
