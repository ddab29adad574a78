// Adds the products of DEPTH staged steps to an invocation's outputs, `total`, and its rows of the left operand to `row_sums`.
workgroupBarrier();
for (var d = 0u; d < DEPTH; d++) {
  var r: array<vec4f, VECTORS>;
  // @unroll
  for (var v = 0u; v < VECTORS; v++) {
    r[v] = right[d * STRIDE + v * ACROSS + lane % ACROSS];
  }
  // @unroll
  for (var u = 0u; u < VECTORS; u++) {
    let l = left[d * STRIDE + u * ACROSS + lane / ACROSS];
    // @if SUMS
    row_sums[u] += l;
    // @unroll
    for (var e = 0u; e < 4u; e++) {
      // @unroll
      for (var v = 0u; v < VECTORS; v++) {
        total[(u * 4u + e) * VECTORS + v] += l[e] * r[v];
      }
    }
  }
}
workgroupBarrier();
