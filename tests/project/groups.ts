/**
 * Groups files of tests into processes of about the same time.
 *
 * @module
 */

/** The seconds that each file of tests took. `WGRAD_TEST_TIMES=tests/times.json ./bootstrap test` renews the list. */
export type FileTimes = Readonly<Record<string, number>>;

/** The files of one process. */
export interface Group {
  readonly files: readonly string[];
  readonly seconds: number;
  /** Whether some of its tests need a program that CI installs while other tests run. */
  readonly needsTools: boolean;
}

/** Of a file that is not in the list. */
const DEFAULT_SECONDS = 3;
/** A group is full from here on: starting a process costs little beside this, and the last one is not long alone. */
const GROUP_SECONDS = 12;

/** The files of tests at a path: the file itself, or those in the folder and below. */
export function listTests(path: string): string[] {
  path = path.replace(/^\.\/|\/$/g, "");
  if (Deno.statSync(path).isFile) return [path];
  const entries = [...Deno.readDirSync(path)].sort((a, b) => a.name < b.name ? -1 : 1);
  return entries.flatMap(({ name, isDirectory }) => {
    const found = `${path}/${name}`;
    return isDirectory ? listTests(found) : name.endsWith("_test.ts") ? [found] : [];
  });
}

/** Whether a file of tests imports `support/tools.ts`, which looks for programs from outside. */
export function needsTools(file: string): boolean {
  return /from "[^"]*\/tools\.ts"/.test(Deno.readTextFileSync(file));
}

/**
 * Splits files into groups, the longest first. Long files are alone; short ones share a process, those that need tools
 * with others that do.
 */
export function groupFiles(
  files: readonly string[],
  times: FileTimes,
  tools: (file: string) => boolean = needsTools,
): Group[] {
  const groups: Group[] = [], secondsOf = (file: string) => times[file] ?? DEFAULT_SECONDS;
  for (const needsTools of [false, true]) {
    const rest = files.filter((file) => tools(file) === needsTools).sort((a, b) => secondsOf(b) - secondsOf(a));
    while (rest.length > 0) {
      const group = [rest.shift()!];
      let seconds = secondsOf(group[0]!);
      while (rest.length > 0 && seconds + secondsOf(rest.at(-1)!) <= GROUP_SECONDS) {
        seconds += secondsOf(rest.at(-1)!);
        group.push(rest.pop()!);
      }
      groups.push({ files: group, seconds, needsTools });
    }
  }
  return groups.sort((a, b) => b.seconds - a.seconds);
}
