// y [SIZE] = a op b, broadcast together, one invocation an element.

alias T = f32;
alias U = f32;
const OP: u32 = 0u;
// T is f32: only then can an operand be no number.
const FLOAT: bool = true;
const SIZE: u32 = 1u;
// The dimensions of y, outermost first, the last RANK of them used, and the operands' strides along each.
const RANK: u32 = 6u;
const DIMS: array<u32, 6> = array<u32, 6>(1u, 1u, 1u, 1u, 1u, 1u);
const A: array<u32, 6> = array<u32, 6>(0u, 0u, 0u, 0u, 0u, 0u);
const B: array<u32, 6> = array<u32, 6>(0u, 0u, 0u, 0u, 0u, 0u);

@group(0) @binding(0) var<storage, read> a: array<T>;
@group(0) @binding(1) var<storage, read> b: array<T>;
@group(0) @binding(2) var<storage, read_write> y: array<U>;

// Looks at the bits, since drivers may assume that there is no NaN.
fn is_nan(v: T) -> bool {
  return FLOAT && (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

// WGSL's pow is defined for positive bases only: this one follows C for the rest.
fn power(base: f32, exponent: f32) -> f32 {
  if (exponent == 0.0) {
    return 1.0;
  }
  let whole = floor(exponent) == exponent;
  let odd = whole && abs(exponent) < 16777216.0 && (u32(abs(exponent)) & 1u) == 1u;
  let small = whole && abs(exponent) <= 4.0;
  var magnitude: f32;
  if (small) {
    // Products are exact where logarithms are not.
    let n = u32(abs(exponent));
    magnitude = 1.0;
    for (var i = 0u; i < n; i++) {
      magnitude *= abs(base);
    }
    magnitude = select(magnitude, 1.0 / magnitude, exponent < 0.0);
  } else {
    magnitude = pow(abs(base), exponent);
    if (base == 0.0) {
      magnitude = select(0.0, 1.0 / abs(base), exponent < 0.0);
    }
  }
  if (base < 0.0 && !whole) {
    return bitcast<f32>(bits(0x7fc00000u));
  }
  return select(magnitude, -magnitude, odd && (base < 0.0 || (base == 0.0 && bitcast<u32>(base) != 0u)));
}

// Keeps the compiler from rejecting a constant that is not a number.
fn bits(pattern: u32) -> u32 {
  return pattern + (SIZE - SIZE);
}

fn op(p: T, q: T) -> U {
  switch (OP) {
    case 0u: { return U(p + q); }
    case 1u: { return U(p - q); }
    case 2u: { return U(p * q); }
    case 3u: { return U(p / q); }
    case 4u: { return U(power(f32(p), f32(q))); }
    case 5u: { return U(select(select(max(p, q), q, is_nan(q)), p, is_nan(p))); }
    case 6u: { return U(select(select(min(p, q), q, is_nan(q)), p, is_nan(p))); }
    case 7u: { return U(p == q); }
    case 8u: { return U(p != q || is_nan(p) || is_nan(q)); }
    case 9u: { return U(p < q); }
    case 10u: { return U(p <= q); }
    case 11u: { return U(p > q); }
    case 12u: { return U(p >= q); }
    case 13u: { return U(select(p, T(0), q <= T(0))); }
    case 14u: { return U(select(f32(q) * power(f32(p), f32(q) - 1.0), 0.0, f32(q) == 0.0)); }
    case 15u: { return U(select(log(f32(p)), 0.0, f32(p) == 0.0 && f32(q) >= 0.0)); }
    default: { return U(p == q || (is_nan(p) && is_nan(q))); }
  }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= SIZE) {
    return;
  }
  var rest = i;
  var at_a = 0u;
  var at_b = 0u;
  // @unroll
  for (var d = 0u; d < RANK; d++) {
    let along = rest % DIMS[5u - d];
    rest /= DIMS[5u - d];
    at_a += along * A[5u - d];
    at_b += along * B[5u - d];
  }
  y[i] = op(a[at_a], b[at_b]);
}
