#include "query/hot_graph.h"

#include <gmock/gmock.h>

namespace firn::query {
namespace {

using testing::Optional;

HotGraph WithEfforts() {
  HotGraph graph;
  graph.efforts = {{0.8F, 10}, {0.9F, 20}, {0.92F, 30}};
  return graph;
}

TEST(HotGraphTest, AMeasuredPromiseHasItsBeam) {
  const HotGraph graph = WithEfforts();
  EXPECT_THAT(graph.BeamFor(0.8F, 10), Optional(10U));
  EXPECT_THAT(graph.BeamFor(0.9F, 10), Optional(20U));
  EXPECT_THAT(graph.BeamFor(0.92F, 10), Optional(30U));
}

TEST(HotGraphTest, BetweenTwoPromisesTheBeamLiesOnTheLineRoundedUp) {
  const HotGraph graph = WithEfforts();
  EXPECT_THAT(graph.BeamFor(0.85F, 10), Optional(15U));
  EXPECT_THAT(graph.BeamFor(0.9101F, 10), Optional(26U));
}

TEST(HotGraphTest, BelowTheLeastPromiseItsBeamIsTaken) { EXPECT_THAT(WithEfforts().BeamFor(0.3F, 10), Optional(10U)); }

TEST(HotGraphTest, BeyondTheHighestThereIsNoBeam) { EXPECT_EQ(WithEfforts().BeamFor(0.95F, 10), std::nullopt); }

TEST(HotGraphTest, MoreNeighboursTakeAProportionallyWiderBeam) {
  EXPECT_THAT(WithEfforts().BeamFor(0.9F, 100), Optional(200U));
  EXPECT_THAT(WithEfforts().BeamFor(0.8F, 5), Optional(10U));
}

}  // namespace
}  // namespace firn::query
