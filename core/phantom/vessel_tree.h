// Pulmonary arteries, veins and airways: trees that fill the lobes.
//
// Jittered points fill each lobe; a minimum-cost tree joins them (Cuntz et al., "One rule to grow them all", 2010);
// radii follow Murray's law, r^k of a parent is the sum of its children's.
#pragma once

#include "core/phantom/field.h"
#include "core/phantom/mediastinum.h"

namespace lynceus::phantom {

struct TreeNode {
  Point3 at;
  int parent = -1;  ///< -1 for the root
  int terminals = 0;
  double radiusMm = 0;
};

/// Nodes in the order of growth: a parent comes before its children.
using Tree = std::vector<TreeNode>;

/// Which lobe a point of the lung (anatomy's frame) belongs to: 0 right upper, 1 middle, 2 right lower, 3 left upper,
/// 4 left lower.
int lobeAt(const Anatomy& anatomy, const Point3& p);

/// Grows one tree through `points` (anatomy's frame, in the lung).
Tree growTree(const Fields& fields, const Pose& pose, const Point3& root, std::vector<Point3> points,
              double terminalRadiusMm, double murrayExponent = 2.95);

/// Arteries, veins and airways of both lungs.
void addLungTrees(const Anatomy& anatomy, const Fields& fields, Scene& scene);

}  // namespace lynceus::phantom
