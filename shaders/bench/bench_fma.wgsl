// y [invocations] = the sum of CHAINS numbers, each multiplied by a and added to b, 16 LOOPS times: nothing but
// fused multiply-adds on registers, in chains that do not wait for each other. Measures what the arithmetic units can do.

const CHAINS: u32 = 12u;
const LOOPS: u32 = 1u;

// a and b; read, so that no compiler can know them.
@group(0) @binding(0) var<storage, read> factors: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let a = factors[0];
  let b = factors[1];
  var chain: array<f32, CHAINS>;
  // @unroll
  for (var c = 0u; c < CHAINS; c++) {
    chain[c] = f32((id.x + c) % 64u) / 64.0;
  }
  for (var loops = 0u; loops < LOOPS; loops++) {
    // @unroll
    for (var i = 0u; i < 16u; i++) {
      // @unroll
      for (var c = 0u; c < CHAINS; c++) {
        chain[c] = fma(chain[c], a, b);
      }
    }
  }
  var total = 0.0;
  // @unroll
  for (var c = 0u; c < CHAINS; c++) {
    total += chain[c];
  }
  y[id.x] = total;
}
