// What the kernels that compute a tile through workgroup memory share: a workgroup stages DEPTH steps of both operands, and
// each invocation sums EACH x EACH outputs from there, by parts/tile_sum.wgsl.

// The side of the tile, a multiple of 16, and of the part that an invocation computes: 4 or 8, as vectors at a distance of
// ACROSS vectors.
const SIDE: u32 = 64u;
const EACH: u32 = 4u;
const DEPTH: u32 = 16u;
const QUADS: u32 = SIDE / 4u;
const ACROSS: u32 = SIDE / EACH;
const VECTORS: u32 = EACH / 4u;
const LANES: u32 = ACROSS * ACROSS;
// One vector more than a row has: neighbours that stage one column each then write to different banks.
const STRIDE: u32 = QUADS + 1u;
const TURNS: u32 = DEPTH * QUADS / LANES;

// At each step: four rows of the left operand, or four columns of the right one, in a vector.
var<workgroup> left: array<vec4f, DEPTH * STRIDE>;
var<workgroup> right: array<vec4f, DEPTH * STRIDE>;
