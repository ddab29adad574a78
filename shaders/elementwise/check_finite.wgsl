// Appends to flags [1 + COUNT], of which flags[0] are filled, what x [SIZE] holds: 1 for NaN, 2 for an infinity, 3 for
// both. x holds f32: as bits, since drivers may assume that there is neither.

const SIZE: u32 = 1u;

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> flags: array<u32>;

var<workgroup> found: array<u32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32) {
  var own = 0u;
  for (var i = lane; i < SIZE; i += 64u) {
    let magnitude = x[i] & 0x7fffffffu;
    if (magnitude >= 0x7f800000u) {
      own |= select(2u, 1u, magnitude > 0x7f800000u);
    }
  }
  found[lane] = own;
  for (var stride = 32u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (lane < stride) {
      found[lane] |= found[lane + stride];
    }
  }
  if (lane == 0u) {
    flags[1u + flags[0]] = found[0];
    flags[0]++;
  }
}
