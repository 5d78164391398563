#include "core/phantom/lesion.h"

#include "core/phantom/random.h"

namespace lynceus::phantom {

std::string_view name(Texture texture) {
  constexpr std::string_view kNames[] = {"solid", "part-solid", "ground-glass"};
  return kNames[static_cast<int>(texture)];
}
std::string_view name(Margin margin) {
  constexpr std::string_view kNames[] = {"smooth", "lobulated", "spiculated", "irregular", "ill-defined"};
  return kNames[static_cast<int>(margin)];
}
std::string_view name(Attachment attachment) {
  constexpr std::string_view kNames[] = {"isolated", "juxta-pleural", "juxta-vascular",
                                         "fissural", "endobronchial", "juxta-mediastinal"};
  return kNames[static_cast<int>(attachment)];
}
std::string_view name(Calcification calcification) {
  constexpr std::string_view kNames[] = {"none", "diffuse", "central", "laminated", "popcorn"};
  return kNames[static_cast<int>(calcification)];
}
std::string_view name(Inside inside) {
  constexpr std::string_view kNames[] = {"even", "cavity", "air-bronchogram", "bubbles", "fat"};
  return kNames[static_cast<int>(inside)];
}
std::string_view name(Origin origin) {
  constexpr std::string_view kNames[] = {"nodule", "lymph-node", "metastasis", "satellite", "mass"};
  return kNames[static_cast<int>(origin)];
}
std::string_view name(Location location) {
  constexpr std::string_view kNames[] = {"apical", "perihilar", "basal", "peripheral", "central"};
  return kNames[static_cast<int>(location)];
}
std::string_view name(LesionKind kind) { return kind == LesionKind::sculpted ? "sculpted" : "grown"; }

LesionCase LesionCase::draw(uint64_t seed, int count, int atLeast) {
  Random random(seed, kStreamNodules + 50);
  const int usual = std::max(atLeast, random.integer(9));
  LesionCase c;
  const double kind = random.uniform();
  c.mass = kind < 0.08;
  c.metastases = kind > 0.96;
  c.count = count >= 0 ? count : c.metastases ? 10 + random.integer(31) : c.mass ? std::max(1, usual) : usual;
  return c;
}

}  // namespace lynceus::phantom
