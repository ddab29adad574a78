/**
 * What the values of settings mean, for the help texts: one line a value. Several commands have these settings.
 *
 * @module
 */
import type { Setting } from "./setting.ts";

type Meanings = NonNullable<Setting["meanings"]>;

/** Of `--model`. */
export const MODEL_MEANINGS: Meanings = [
  ["lenet", "The tutorial's LeNet, for colour images of 32 x 32 pixels"],
  ["lenet-gray", "LeNet for grey images of 32 x 32 pixels; colours are made grey"],
];

/** Of `--data`. */
export const DATA_MEANINGS: Meanings = [
  ["cifar10", "60,000 photos of 10 classes; downloaded once (170 MB)"],
  ["synthetic", "12,000 drawn shapes and textures of 10 classes; no download"],
  ["DIR", "A folder of .bin files in CIFAR's format"],
  ["FILE.tar.gz", "An archive of such files"],
  ["FILE.bin", "One such file, for training and for testing"],
];

/** Of `--normalize`. */
export const NORMALIZE_MEANINGS: Meanings = [
  ["half", "(x / 255 - 0.5) / 0.5, as in PyTorch's tutorial"],
  ["cifar10", "By the mean and the deviation of each channel of CIFAR-10"],
];

/** Of `--on-nan`. */
export const ON_NAN_MEANINGS: Meanings = [
  ["stop", "End the run with an error"],
  ["restore", "Continue from the last good checkpoint with half the rate"],
];

/** Of `--backend`. */
export const BACKEND_MEANINGS: Meanings = [
  ["vulkan", "Linux and Windows"],
  ["metal", "macOS"],
  ["dx12", "Windows"],
  ["gl", "Linux and Windows, for old graphics cards"],
];

/** Of `--tune`. */
export const TUNE_MEANINGS: Meanings = [
  ["off", "Measure nothing: the same kernels on every day"],
  ["auto", "On a GPU, measure those that were not measured before, for at most 5 s"],
  ["full", "Measure all"],
];
