// What becomes of the sum `value`, of type T, before it is stored at `to`: the bias of its channel is added, then relu, then
// 0 where mask is not positive.
// @if BIAS
value += bias[channel];
// @if RELU
value = select(value, T(0), value < T(0));
// @if MASK
value = select(value, T(0), mask[to] <= T(0));
