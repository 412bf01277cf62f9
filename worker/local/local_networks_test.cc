#include "worker/local/local_networks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/local/local_fakes.h"
#include "worker/shared_resolvers.h"

namespace shoal::worker {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using Part = SharedResolvers::Part;

class LocalNetworksTest : public testing::Test {
 protected:
  LocalNetworksTest() { start(); }

  // A daemon that starts on what the last one wrote.
  void start() {
    local_ = std::make_unique<LocalNetworks>(
        LocalPorts{kernel_, host_ports_, shared_.part(Part::kLocal), disk_, loop_, rng_,
                   [this](std::function<void()> work) { loop_.post(std::move(work)); },
                   [this] { return cluster_subnets_; },
                   [](std::string_view name) { return name == "overlay-net"; }});
    kernel_.on_departed = [this](const EndpointId& id) { local_->on_endpoint_departed(id); };
    const Status started = local_->start(disk_.networks, disk_.endpoints);
    EXPECT_TRUE(started.ok()) << started.error().message;
    loop_.run();
  }
  Result<manager::Network> create(const std::string& name, bool internal = false) {
    manager::NetworkSpec spec;
    spec.name = name;
    spec.driver = "bridge";
    spec.internal = internal;
    Result<manager::Network> out = internal_error("no answer");
    local_->create(spec, [&](Result<manager::Network> made) { out = std::move(made); });
    loop_.run();
    return out;
  }
  Result<Attached> attach(const std::string& network, const std::string& name,
                          const std::string& path, const std::vector<std::string>& ports = {}) {
    AttachRequest request;
    request.spec.ports = ports;
    request.network = network;
    request.space.path = path;
    request.spec.name = name;
    Result<Attached> out = internal_error("no answer");
    local_->attach(request, [&](Result<Attached> attached) { out = std::move(attached); });
    loop_.run();
    return out;
  }
  Status detach(const std::string& network, const std::string& name) {
    Status out = internal_error("no answer");
    local_->detach(network, name, [&](Status detached) { out = std::move(detached); });
    loop_.run();
    return out;
  }
  Status remove(const std::string& network) {
    Status out = internal_error("no answer");
    local_->remove(network, [&](const Result<NetworkId>& removed) {
      out = removed.ok() ? ok_status() : Status(removed.error());
    });
    loop_.run();
    return out;
  }
  const vxlan::DesiredEndpoint* desired(const EndpointId& id) const {
    const HostEndpoint* const endpoint = kernel_.state.endpoint(id);
    return endpoint == nullptr ? nullptr : &endpoint->desired;
  }

  fakes::FakeLoop loop_;
  fakes::FakeHostKernel kernel_{loop_};
  fakes::FakeHostPorts host_ports_{loop_};
  fakes::FakeLocalDisk disk_{loop_};
  fakes::FakeResolvers resolvers_;
  SharedResolvers shared_{resolvers_};
  SeededRng rng_{1};
  std::vector<Prefix> cluster_subnets_;
  std::unique_ptr<LocalNetworks> local_;
};

TEST_F(LocalNetworksTest, ANetworkIsOnDiskAndInTheKernelWhenItIsAnswered) {
  const auto shop = create("shop");
  ASSERT_TRUE(shop.ok()) << shop.error().message;
  EXPECT_THAT(disk_.networks.networks, ElementsAre(*shop));
  ASSERT_THAT(*kernel_.state.networks, SizeIs(1));
  EXPECT_EQ(kernel_.state.networks->front().network, shop->id);
  EXPECT_TRUE(remove("shop").ok());
  EXPECT_THAT(disk_.networks.networks, IsEmpty());
  EXPECT_THAT(*kernel_.state.networks, IsEmpty());
}

TEST_F(LocalNetworksTest, WhatTheKernelRefusesIsUndone) {
  kernel_.network_error = already_exists("the name is taken");
  EXPECT_EQ(create("shop").error().code, ErrorClass::kAlreadyExists);
  EXPECT_THAT(disk_.networks.networks, IsEmpty());
  EXPECT_THAT(*kernel_.state.networks, IsEmpty());
  kernel_.network_error.reset();
  ASSERT_TRUE(create("shop").ok());
  kernel_.endpoint_error = internal_error("no veth");
  EXPECT_EQ(attach("shop", "web", "/web").error().message, "no veth");
  EXPECT_THAT(kernel_.state.endpoints, IsEmpty());
  EXPECT_THAT(disk_.endpoints, IsEmpty());
  EXPECT_THAT(resolvers_.served, IsEmpty());
  EXPECT_TRUE(remove("shop").ok()) << "the lease was given back";
}

TEST_F(LocalNetworksTest, ADiskThatRefusesChangesNothing) {
  disk_.error = resource_exhausted("the disk is full");
  EXPECT_EQ(create("shop").error().code, ErrorClass::kResourceExhausted);
  EXPECT_THAT(local_->book().networks(), IsEmpty());
  disk_.error.reset();
  ASSERT_TRUE(create("shop").ok());
  disk_.error = resource_exhausted("the disk is full");
  EXPECT_EQ(attach("shop", "web", "/web").error().code, ErrorClass::kResourceExhausted);
  EXPECT_EQ(remove("shop").error().code, ErrorClass::kResourceExhausted);
  EXPECT_THAT(local_->book().networks(), SizeIs(1)) << "nor is it removed";
}

TEST_F(LocalNetworksTest, TheClusterIsAvoided) {
  cluster_subnets_ = {*Prefix::parse("172.17.0.0/16")};
  kernel_.routes = {*Prefix::parse("172.18.0.0/24")};
  EXPECT_EQ(create("shop")->subnets.at(0).prefix.str(), "172.19.0.0/16");
  EXPECT_EQ(create("overlay-net").error().code, ErrorClass::kAlreadyExists);
}

TEST_F(LocalNetworksTest, AnAttachIsWrittenDownBeforeTheKernelAndAfter) {
  ASSERT_TRUE(create("shop").ok());
  const auto web = attach("shop", "web", "/web");
  ASSERT_TRUE(web.ok()) << web.error().message;
  EXPECT_EQ(web->ifname, "eth0");
  ASSERT_THAT(disk_.history, SizeIs(2));
  EXPECT_EQ(disk_.history[0].phase, Attachment::Phase::kIntent);
  EXPECT_EQ(disk_.history[1].phase, Attachment::Phase::kAttached);
  EXPECT_THAT(resolvers_.served, SizeIs(1));
  EXPECT_EQ(resolvers_.names().size(), 1U);
  EXPECT_EQ(attach("shop", "web", "/web")->endpoint, web->endpoint) << "asked again";
  EXPECT_EQ(attach("shop", "www", "/web").error().code, ErrorClass::kAlreadyExists);
  EXPECT_EQ(attach("shop", "web", "/gone").error().code, ErrorClass::kNotFound);
  EXPECT_EQ(remove("shop").error().code, ErrorClass::kConflict);
  EXPECT_TRUE(detach("", "web").ok());
  EXPECT_THAT(kernel_.state.endpoints, IsEmpty());
  EXPECT_THAT(resolvers_.served, IsEmpty());
  EXPECT_EQ(resolvers_.names().size(), 0U);
  EXPECT_EQ(detach("shop", "web").error().code, ErrorClass::kNotFound);
  EXPECT_TRUE(remove("shop").ok());
}

TEST_F(LocalNetworksTest, TheFirstNetworkWithAWayOutIsTheWayOut) {
  ASSERT_TRUE(create("inside", true).ok());
  ASSERT_TRUE(create("front").ok());
  ASSERT_TRUE(create("back").ok());
  const EndpointId inside = attach("inside", "web", "/web")->endpoint.id;
  loop_.advance(std::chrono::seconds(1));
  const EndpointId front = attach("front", "web", "/web")->endpoint.id;
  loop_.advance(std::chrono::seconds(1));
  const EndpointId back = attach("back", "web", "/web")->endpoint.id;
  EXPECT_THAT(desired(inside)->gateways, IsEmpty());
  EXPECT_THAT(desired(front)->gateways, SizeIs(1));
  EXPECT_THAT(desired(back)->gateways, IsEmpty());
  EXPECT_TRUE(detach("front", "web").ok());
  EXPECT_THAT(desired(back)->gateways, SizeIs(1));
}

TEST_F(LocalNetworksTest, AStartRestoresAndUndoes) {
  ASSERT_TRUE(create("shop").ok());
  const Attached web = *attach("shop", "web", "/web");
  const Attached api = *attach("shop", "api", "/api");
  // It died while api was on its way, and its network came back without the stray one's.
  disk_.endpoints.at(api.endpoint.id).phase = Attachment::Phase::kIntent;
  Attachment stray = disk_.endpoints.at(web.endpoint.id);
  stray.endpoint.id = EndpointId("sssssssssssssssssssssssss");
  stray.endpoint.network_id = NetworkId("xxxxxxxxxxxxxxxxxxxxxxxxx");
  disk_.endpoints.emplace(stray.endpoint.id, stray);
  const Prefix pool = disk_.networks.pool_v6;
  local_.reset();
  start();
  ASSERT_THAT(kernel_.state.endpoints, SizeIs(1));
  EXPECT_EQ(kernel_.state.endpoints[0]->desired.id, web.endpoint.id);
  EXPECT_THAT(kernel_.state.departed, SizeIs(2));
  EXPECT_THAT(disk_.endpoints, SizeIs(1));
  EXPECT_EQ(disk_.networks.pool_v6, pool) << "drawn once";
  EXPECT_EQ(attach("shop", "web", "/web")->endpoint.addresses, web.endpoint.addresses);
  EXPECT_TRUE(attach("shop", "api", "/api").ok());
}

TEST_F(LocalNetworksTest, WhatIsLeftOfADetachedEndpointIsRememberedUntilItIsGone) {
  ASSERT_TRUE(create("shop").ok());
  const EndpointId web = attach("shop", "web", "/web")->endpoint.id;
  kernel_.departs = false;
  EXPECT_TRUE(detach("shop", "web").ok()) << "it is answered at once";
  ASSERT_TRUE(disk_.endpoints.contains(web));
  EXPECT_EQ(disk_.endpoints.at(web).phase, Attachment::Phase::kIntent);
  // A crash: the next daemon has it taken out again.
  local_.reset();
  start();
  ASSERT_THAT(kernel_.state.departed, SizeIs(1));
  EXPECT_EQ(kernel_.state.departed[0].id, web);
  EXPECT_TRUE(attach("shop", "web", "/web").ok()) << "the next does not wait for it";
  EXPECT_THAT(disk_.endpoints, SizeIs(2));
  kernel_.tell_departed();
  loop_.run();
  EXPECT_THAT(disk_.endpoints, SizeIs(1));
  EXPECT_FALSE(disk_.endpoints.contains(web));
}

TEST_F(LocalNetworksTest, WhatDidNotChangeIsTheSameObjectInTheNextState) {
  ASSERT_TRUE(create("shop").ok());
  const EndpointId web = attach("shop", "web", "/web")->endpoint.id;
  const HostState before = kernel_.state;
  const EndpointId api = attach("shop", "api", "/api")->endpoint.id;
  EXPECT_EQ(kernel_.state.networks, before.networks);
  EXPECT_EQ(kernel_.state.endpoint(web), before.endpoint(web));
  EXPECT_NE(kernel_.state.endpoint(api), nullptr);
  EXPECT_TRUE(
      std::is_sorted(kernel_.state.endpoints.begin(), kernel_.state.endpoints.end(),
                     [](const auto& a, const auto& b) { return a->desired.id < b->desired.id; }));
}

TEST_F(LocalNetworksTest, ANameWinsOverTheBeginningOfAnotherId) {
  ASSERT_TRUE(create("shop").ok());
  const std::string id = attach("shop", "web", "/web")->endpoint.id.str();
  for (size_t length = 1; length < 4; ++length) {
    const std::string name = id.substr(0, length);
    ASSERT_TRUE(attach("shop", name, "/" + name).ok());
    EXPECT_EQ(local_->find_endpoint("shop", name)->spec.name, name);
  }
  EXPECT_EQ(local_->find_endpoint("", id.substr(0, 12))->spec.name, "web");
  EXPECT_EQ(local_->find_endpoint("", "").error().code, ErrorClass::kNotFound);
}

TEST_F(LocalNetworksTest, AnEndpointWhoseNamespaceIsGoneIsTakenOut) {
  ASSERT_TRUE(create("shop").ok());
  const EndpointId web = attach("shop", "web", "/web")->endpoint.id;
  local_->on_endpoint_gone(web, "process 7 ended");
  local_->on_endpoint_gone(web, "told twice");
  loop_.run();
  EXPECT_THAT(kernel_.state.endpoints, IsEmpty());
  EXPECT_THAT(disk_.endpoints, IsEmpty());
  EXPECT_TRUE(attach("shop", "web", "/web2").ok()) << "its name is free";
}

TEST_F(LocalNetworksTest, ManyAtOnceInOneNamespaceHaveTheirTurns) {
  ASSERT_TRUE(create("a").ok());
  ASSERT_TRUE(create("b").ok());
  int attached = 0;
  for (const char* network : {"a", "b"}) {
    AttachRequest request;
    request.network = network;
    request.space.path = "/web";
    request.spec.name = "web";
    local_->attach(request, [&](const Result<Attached>& done) { attached += done.ok() ? 1 : 0; });
  }
  loop_.run();
  EXPECT_EQ(attached, 2);
  ASSERT_THAT(resolvers_.served, SizeIs(1));
  EXPECT_THAT(resolvers_.served.begin()->second.networks, SizeIs(2));
}

TEST_F(LocalNetworksTest, WhatIsUnderWayIsAnsweredAtTheEnd) {
  ASSERT_TRUE(create("shop").ok());
  AttachRequest request;
  request.network = "shop";
  request.space.path = "/web";
  request.spec.name = "web";
  std::optional<ErrorClass> answer;
  local_->attach(request, [&](const Result<Attached>& done) { answer = done.error().code; });
  local_->stop();
  EXPECT_EQ(answer, ErrorClass::kUnavailable);
  loop_.run();
}

TEST(SharedResolversTest, ServesTheUnionUntilTheLastIsGone) {
  fakes::FakeResolvers server;
  SharedResolvers shared(server);
  Resolvers& overlays = shared.part(Part::kOverlays);
  Resolvers& local = shared.part(Part::kLocal);
  NamespaceRef space;
  space.device = 4;
  space.inode = 7;
  const NetworkId a("aaaaaaaaaaaaaaaaaaaaaaaaa");
  const NetworkId b("bbbbbbbbbbbbbbbbbbbbbbbbb");
  const uint16_t port = *local.serve("4:7", space, {b}, false);
  EXPECT_EQ(*overlays.serve("4:7", space, {a}, true), port);
  EXPECT_THAT(server.served.at("4:7").networks, ElementsAre(a, b));
  EXPECT_TRUE(server.served.at("4:7").may_forward);
  EXPECT_TRUE(shared.served(Part::kOverlays, space));
  overlays.stop("4:7");
  EXPECT_THAT(server.served.at("4:7").networks, ElementsAre(b));
  EXPECT_FALSE(server.served.at("4:7").may_forward);
  EXPECT_FALSE(shared.served(Part::kOverlays, space));
  EXPECT_TRUE(shared.served(Part::kLocal, space));
  local.stop("4:7");
  EXPECT_THAT(server.served, IsEmpty());
  EXPECT_FALSE(local.update("4:7", {b}, true).ok());
}

TEST_F(LocalNetworksTest, PublishedPortsAreHeldLedWrittenDownAndGivenBack) {
  ASSERT_TRUE(create("shop").ok());
  const auto web = attach("shop", "web", "/web", {"8080:80", "9000-9009:9000-9009/udp"});
  ASSERT_TRUE(web.ok()) << web.error().message;
  EXPECT_THAT(web->endpoint.ports,
              ElementsAre("0.0.0.0:8080:80/tcp", "0.0.0.0:9000-9009:9000-9009/udp"));
  const EndpointId id = web->endpoint.id;
  EXPECT_THAT(host_ports_.held.at(id), SizeIs(2));
  EXPECT_EQ(disk_.endpoints.at(id).endpoint.ports, web->endpoint.ports);
  const auto& led = kernel_.state.endpoint(id)->ports;
  ASSERT_THAT(led, SizeIs(2));
  EXPECT_EQ(led[0], (vxlan::PortForward{6, Ip(), 8080, 8080, web->endpoint.addresses[0].ip, 80}));
  EXPECT_EQ(led[1].last, 9009);
  EXPECT_TRUE(kernel_.state.endpoint(id)->desired.port.hairpin);
  // Asked again; and for others.
  EXPECT_TRUE(attach("shop", "web", "/web", {"8080:80", "9000-9009:9000-9009/udp"}).ok());
  EXPECT_EQ(attach("shop", "web", "/web", {"81"}).error().code, ErrorClass::kAlreadyExists);
  // A daemon that starts holds them again.
  host_ports_.held.clear();
  start();
  EXPECT_THAT(host_ports_.held.at(id), SizeIs(2));
  EXPECT_THAT(kernel_.state.endpoint(id)->ports, SizeIs(2));
  EXPECT_TRUE(detach("shop", "web").ok());
  EXPECT_THAT(host_ports_.held, IsEmpty());
}

TEST_F(LocalNetworksTest, PortsThatCannotBePublishedLeaveNothing) {
  ASSERT_TRUE(create("shop").ok());
  ASSERT_TRUE(create("vault", true).ok());
  EXPECT_EQ(attach("shop", "web", "/web", {"80:80:80:80"}).error().code,
            ErrorClass::kInvalidArgument);
  EXPECT_THAT(attach("vault", "web", "/web", {"80"}).error().message, HasSubstr("internal"));
  EXPECT_THAT(attach("shop", "web", "/web", {"[::]:80:80"}).error().message,
              HasSubstr("no IPv6 address"));
  host_ports_.error = already_exists("port 80 is in use by nginx");
  EXPECT_THAT(attach("shop", "web", "/web", {"80:80"}).error().message, HasSubstr("nginx"));
  host_ports_.error.reset();
  kernel_.endpoint_error = internal_error("no rules");
  EXPECT_FALSE(attach("shop", "web", "/web", {"80:80"}).ok());
  EXPECT_THAT(host_ports_.held, IsEmpty());
  EXPECT_THAT(disk_.endpoints, IsEmpty());
  kernel_.endpoint_error.reset();
  EXPECT_TRUE(attach("shop", "web", "/web", {"80:80"}).ok());
}

}  // namespace
}  // namespace shoal::worker
