// The difference between desired and observed, as ordered ops.
//
// Applying the plan to the observed state gives the desired state, and planning again gives no ops
// (plan_test.cc proves both against a model kernel). Order: a device is configured before it is up;
// a MAC has its VTEP before an IP points at the MAC, and loses it after; an endpoint's interface is
// complete before its port lets a frame through. What does not carry our mark is never in an op.
#pragma once

#include "base/types/result.h"
#include "vxlan/model/model.h"
#include "vxlan/plan/op.h"

namespace shoal::vxlan {

// Whether what is ours but not desired is removed. Kept until the worker knows its whole state.
enum class Prune : bool { kNo, kYes };

// br0, vxlan0, remote FDB entries and neighbours; with kYes also ports of endpoints that are not
// desired.
Plan plan_overlay(const DesiredOverlay& desired, const NamespaceState& observed, Prune prune);

// The veth pair, its port and the interface inside. kAlreadyExists when the asked-for name is taken
// by an interface that is not this endpoint's, naming it.
Result<Plan> plan_endpoint(const DesiredEndpoint& desired, const ObservedEndpoint& observed);

// Takes the endpoint's port away, and with it its interface.
Plan plan_remove_endpoint(const EndpointId& endpoint, const NamespaceState& overlay);

}  // namespace shoal::vxlan
