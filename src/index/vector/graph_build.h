#pragma once
// Builds a Graph: bytes of all rows, near rows, neighbours, codes.

#include <cstdint>
#include <memory>
#include <vector>

#include "index/vector/graph.h"
#include "index/vector/neighbour_selection.h"

namespace firn::index {

class GraphBuilder {
 public:
  GraphBuilder(std::size_t rows, const GraphOptions& options, TaskPool& pool, const Deadline& deadline)
      : options_(options), pool_(pool), deadline_(deadline), graph_(new Graph()), rows_(rows) {}

  Result<std::unique_ptr<Graph>> Build(std::size_t dim, simd::Metric metric, const RowReader& read);

 private:
  Result<std::unique_ptr<Graph>> BuildOver(std::size_t dim, simd::Metric metric, const RowReader& read);
  Status EncodeRows(std::size_t dim, const RowReader& read);
  Status ChooseNeighbours();
  Status SearchForNeighbours();
  void ChooseEntries();
  void EnterByLongest();
  void WriteEntries();
  void FaceQueries();
  void AllocateNodes();
  Status WriteNodes();
  void WriteBlock(const std::int8_t* centre, const RowTerms& centre_terms, std::span<const std::uint32_t> neighbours,
                  std::uint8_t* block) const;
  ByteRows Rows() const { return {bytes_, graph_->terms_, graph_->space_.axes()}; }
  Status ForRows(const char* what, const std::function<void(std::size_t first, std::size_t end)>& body) const;

  const GraphOptions& options_;
  TaskPool& pool_;
  const Deadline& deadline_;
  std::unique_ptr<Graph> graph_;
  std::size_t rows_;
  std::vector<float> squares_;  // dot: |x|^2 of each row
  std::vector<std::int8_t> bytes_;
  std::vector<Neighbour> nearest_;
  Adjacency adjacency_{};
};

}  // namespace firn::index
