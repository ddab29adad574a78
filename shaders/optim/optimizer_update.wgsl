// One step of an optimizer: p [4 SIZE], and as many of its states a, b, c as it has, given the gradients g. What a step
// does is in the optimizer's own file, such as adam.wgsl, which is included instead of formula.wgsl.

// In vectors of four. The tensors of a group are in one block, each from a multiple of 16 vectors on, with gaps between
// them that may hold anything.
const SIZE: u32 = 1u;
const STATES: u32 = 3u;
const MAXIMIZE: bool = false;
// Added to the gradient, or, decoupled, taken off the parameter.
const WEIGHT_DECAY: f32 = 0.0;
const DECOUPLED: bool = false;
// Each parameter has scalars of its own, made from its count of steps, by the number that owners has for each 16
// vectors. The first of them are FIRST of the owners. Otherwise the rate is all that there is.
const COUNTED: u32 = 1u;
const FIRST: u32 = 0u;
// 1: the old values of p and the states are read from other buffers.
const APART: u32 = 1u;

const PLAIN: bool = COUNTED < 1u;
const A: bool = 0u < STATES;
const B: bool = 1u < STATES;
const C: bool = 2u < STATES;
const IN_PLACE: bool = APART < 1u;
const OLD_P: bool = 0u < APART;
const OLD_A: bool = 0u < STATES * APART;
const OLD_B: bool = 1u < STATES * APART;
const OLD_C: bool = 2u < STATES * APART;

@group(0) @binding(0) var<storage, read_write> p: array<vec4f>;
@group(0) @binding(1) var<storage, read> g: array<vec4f>;
// @if A
@group(0) @binding(2) var<storage, read_write> a: array<vec4f>;
// @if B
@group(0) @binding(3) var<storage, read_write> b: array<vec4f>;
// @if C
@group(0) @binding(4) var<storage, read_write> c: array<vec4f>;
// @if PLAIN
@group(0) @binding(5) var<storage, read> rate: array<f32>;
// @if COUNTED
@group(0) @binding(6) var<storage, read> scalars: array<vec4f>;
// @if COUNTED
@group(0) @binding(7) var<storage, read> owners: array<u32>;
// @if OLD_P
@group(0) @binding(8) var<storage, read> old_p: array<vec4f>;
// @if OLD_A
@group(0) @binding(9) var<storage, read> old_a: array<vec4f>;
// @if OLD_B
@group(0) @binding(10) var<storage, read> old_b: array<vec4f>;
// @if OLD_C
@group(0) @binding(11) var<storage, read> old_c: array<vec4f>;

// @include "optim/formula.wgsl"

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  // Four lanes share 16 vectors, so that one owner serves all that a lane has to do.
  let unit = (group.y * groups.x + group.x) * 16u + lane / 4u;
  var s: vec4f;
  // Read before any branch: a software driver then reads it once for all lanes.
  // @if PLAIN
  s.x = rate[0];
  // @if COUNTED
  s = scalars[owners[FIRST + min(unit, (SIZE - 1u) / 16u)]];
  // @unroll
  for (var e = 0u; e < 4u; e++) {
    let i = unit * 16u + e * 4u + lane % 4u;
    if (i < SIZE) {
      var value: vec4f;
      var state_a: vec4f;
      var state_b: vec4f;
      var state_c: vec4f;
      // @if IN_PLACE
      {
        value = p[i];
        // @if A
        state_a = a[i];
        // @if B
        state_b = b[i];
        // @if C
        state_c = c[i];
      }
      // @if OLD_P
      {
        value = old_p[i];
        // @if A
        state_a = old_a[i];
        // @if B
        state_b = old_b[i];
        // @if C
        state_c = old_c[i];
      }
      var gradient = select(g[i], -g[i], MAXIMIZE);
      if (DECOUPLED) {
        value -= s.x * WEIGHT_DECAY * value;
      } else if (WEIGHT_DECAY != 0.0) {
        gradient += WEIGHT_DECAY * value;
      }
      update(s, gradient, &value, &state_a, &state_b, &state_c);
      p[i] = value;
      // @if A
      a[i] = state_a;
      // @if B
      b[i] = state_b;
      // @if C
      c[i] = state_c;
    }
  }
}
