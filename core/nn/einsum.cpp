#include "core/nn/einsum.h"

#include <algorithm>
#include <map>

namespace lynceus::nn {
namespace {

class Parser {
 public:
  explicit Parser(const OpCall& call) : m_call(call) {}

  Expected<EinsumPlan> plan() {
    std::string equation = m_call.text("equation", "");
    equation.erase(std::remove(equation.begin(), equation.end(), ' '), equation.end());
    const size_t arrow = equation.find("->");
    if (auto ok = readOperands(equation.substr(0, arrow)); !ok) return passError(ok);
    auto output = arrow == std::string::npos ? implicitOutput() : readOutput(equation.substr(arrow + 2));
    if (!output) return passError(output);
    return arrange(*output);
  }

 private:
  // Letters, and one "..." that stands for `hidden` axes.
  Expected<EinsumLabels> readTerm(const std::string& term, int hidden) const {
    EinsumLabels labels;
    for (size_t i = 0; i < term.size(); ++i) {
      const char c = term[i];
      if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
        labels.push_back(c);
      } else if (term.compare(i, 3, "...") == 0 && term.find('.') == i) {
        for (int k = hidden; k-- > 0;) labels.push_back(-k);
        i += 2;
      } else {
        return m_call.refuse("the equation \"{}\" has the term \"{}\"", m_call.text("equation", ""), term);
      }
    }
    return labels;
  }

  Expected<void> readOperands(const std::string& left) {
    for (size_t from = 0; from <= left.size();) {
      const size_t comma = std::min(left.find(',', from), left.size());
      if (auto ok = readOperand(left.substr(from, comma - from)); !ok) return ok;
      from = comma + 1;
    }
    if (m_operands.size() != m_call.inputCount())
      return m_call.refuse("the equation names {} operands, but there are {}", m_operands.size(), m_call.inputCount());
    return {};
  }

  Expected<void> readOperand(const std::string& term) {
    const size_t at = m_operands.size();
    if (!m_call.has(at)) return m_call.refuse("operand {} is missing", at);
    const Shape& shape = m_call.shape(at);
    const bool dots = term.find('.') != std::string::npos;
    const int letters = static_cast<int>(std::count_if(term.begin(), term.end(), [](char c) { return c != '.'; }));
    const int hidden = dots ? static_cast<int>(shape.size()) - letters : 0;
    const auto labels = readTerm(term, std::max(hidden, 0));
    if (!labels) return passError(labels);
    if (labels->size() != shape.size())
      return m_call.refuse("the term \"{}\" does not fit an operand of shape {}", term, shapeText(shape));
    m_hidden = std::max(m_hidden, hidden);
    for (size_t d = 0; d < shape.size(); ++d) {
      int64_t& size = m_sizes.emplace((*labels)[d], 1).first->second;
      if (shape[d] != 1 && size != 1 && size != shape[d])
        return m_call.refuse("an index of the term \"{}\" has sizes {} and {}", term, size, shape[d]);
      if (shape[d] != 1) size = shape[d];
    }
    m_operands.push_back(*labels);
    return {};
  }

  // The axes of "...", then the letters that occur once, in alphabetical order.
  Expected<EinsumLabels> implicitOutput() const {
    EinsumLabels output;
    for (const auto& [label, size] : m_sizes) {
      int64_t uses = 0;
      for (const EinsumLabels& labels : m_operands) uses += std::count(labels.begin(), labels.end(), label);
      if (label <= 0 || uses == 1) output.push_back(label);
    }
    return output;
  }

  Expected<EinsumLabels> readOutput(const std::string& term) const {
    auto labels = readTerm(term, m_hidden);
    if (!labels) return labels;
    if (m_hidden > 0 && term.find('.') == std::string::npos)
      return m_call.refuse("the result \"{}\" has to name the axes of \"...\"", term);
    for (auto it = labels->begin(); it != labels->end(); ++it)
      if (!m_sizes.count(*it) || std::find(labels->begin(), it, *it) != it)
        return m_call.refuse("the result \"{}\" has an index twice, or one that no operand has", term);
    return labels;
  }

  Expected<EinsumPlan> arrange(EinsumLabels order) const {
    EinsumPlan plan;
    plan.operands = m_operands;
    plan.result = order;
    for (const EinsumLabel label : order) plan.output.push_back(m_sizes.at(label));
    for (const auto& [label, size] : m_sizes) {
      if (std::find(order.begin(), order.end(), label) != order.end()) continue;
      plan.summed.push_back(size);
      order.push_back(label);
    }
    Shape all = plan.output;
    all.insert(all.end(), plan.summed.begin(), plan.summed.end());
    if (!checkedCount(all)) return m_call.refuse("its indices have the sizes {}: too many products", shapeText(all));
    for (size_t i = 0; i < m_operands.size(); ++i) {
      const Shape strides = stridesOf(m_call.shape(i));
      Shape steps(order.size(), 0);
      for (size_t d = 0; d < strides.size(); ++d)
        if (m_call.shape(i)[d] != 1)
          steps[std::find(order.begin(), order.end(), m_operands[i][d]) - order.begin()] += strides[d];
      plan.steps.push_back(std::move(steps));
    }
    return plan;
  }

  const OpCall& m_call;
  std::vector<EinsumLabels> m_operands;
  std::map<EinsumLabel, int64_t> m_sizes;  // in the order of implicit results
  int m_hidden = 0;                        // most axes that "..." stands for
};

}  // namespace

Expected<EinsumPlan> einsumPlan(const OpCall& call) { return Parser(call).plan(); }

}  // namespace lynceus::nn
