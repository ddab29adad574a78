import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { execute, read, type Result, ROOT } from "./support.ts";

// A test runs a copy of `bootstrap` in a folder whose name has a space, with a PATH that holds only the tools it needs
// and the programs the test plants, so that each decision can be made to happen without changing the machine.

const TOOLS = ["sh", "cat", "sed", "head", "tail", "dirname", "uname", "id", "mkdir", "chmod", "env", "ls"];

class Sandbox implements AsyncDisposable {
  private constructor(readonly folder: string, readonly bin: string, readonly log: string) {}

  static async make(): Promise<Sandbox> {
    const folder = join(await Deno.makeTempDir(), "a checkout");
    const sandbox = new Sandbox(folder, join(folder, "..", "bin"), join(folder, "..", "log"));
    await Deno.mkdir(sandbox.bin, { recursive: true });
    await Deno.mkdir(sandbox.folder);
    await Deno.copyFile(join(ROOT, "bootstrap"), join(folder, "bootstrap"));
    for (const tool of TOOLS) {
      const { stdout } = await execute("sh", ["-c", `command -v ${tool}`]);
      await Deno.symlink(stdout.trim(), join(sandbox.bin, tool));
    }
    // A loader and a driver of its own, so that it does not matter what the machine has.
    await sandbox.plant("ldconfig", "exit 0");
    await Deno.mkdir(join(folder, "..", "lib"));
    await Deno.writeTextFile(join(folder, "..", "lib", "libvulkan.so.1"), "");
    await sandbox.driver("libgood.so");
    return sandbox;
  }

  /** Adds a program, a shell script that notes its call in the log. */
  async plant(name: string, script: string, folder = this.bin): Promise<void> {
    await Deno.mkdir(folder, { recursive: true });
    const path = join(folder, name);
    await Deno.writeTextFile(path, `#!/bin/sh\necho ${name} "$@" >>"$LOG"\n${script}\n`);
    await Deno.chmod(path, 0o755);
  }

  /** A Deno of this version, which prints the arguments it is given and the folder it is run in. */
  async plantDeno(version: string, folder?: string): Promise<void> {
    const script =
      `if [ "$1" = --version ]; then echo "deno ${version} (stable)"; else printf '<%s>' "$@"; echo; pwd -P; fi`;
    await this.plant("deno", script, folder);
  }

  /** Writes the manifest of a driver whose library is `lib/libgood.so`, or is missing under any other name. */
  async driver(library: string): Promise<void> {
    const lib = join(this.folder, "..", "lib");
    await Deno.writeTextFile(join(lib, "libgood.so"), "");
    await Deno.writeTextFile(
      join(lib, "icd.json"),
      JSON.stringify({ file_format_version: "1.0.0", ICD: { library_path: library, api_version: "1.3.0" } }, null, 4),
    );
  }

  async calls(): Promise<string[]> {
    const text = await Deno.readTextFile(this.log).catch(() => "");
    return text.split("\n").filter((line) => line !== "" && line !== "deno --version" && line !== "ldconfig -p");
  }

  run(args: string[], env: Record<string, string> = {}): Promise<Result> {
    const parent = join(this.folder, "..");
    return execute(join(this.bin, "sh"), [join(this.folder, "bootstrap"), ...args], {
      cwd: parent,
      clearEnv: true,
      env: {
        PATH: this.bin,
        HOME: parent,
        LOG: this.log,
        LD_LIBRARY_PATH: join(parent, "lib"),
        VK_DRIVER_FILES: join(parent, "lib", "icd.json"),
        XDG_RUNTIME_DIR: parent,
        ...env,
      },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(join(this.folder, ".."), { recursive: true });
  }
}

const linux = Deno.build.os === "linux";

Deno.test("bootstrap is POSIX shell and names the version that its tests run on", async () => {
  assertEquals(await execute("sh", ["-n", "bootstrap"]), { code: 0, stdout: "", stderr: "" });
  assert(read("bootstrap").startsWith("#!/bin/sh\n"));
  assert(read("bootstrap").includes(`\nVERSION=${Deno.version.deno}\n`), Deno.version.deno);
});

Deno.test("bootstrap --help and a missing task", async () => {
  const asked = await execute("./bootstrap", ["--help"]);
  assert(asked.code === 0 && asked.stdout.startsWith("Usage: ./bootstrap TASK"), asked.stdout);
  assertEquals(await execute("./bootstrap", []), asked);
  const flag = await execute("./bootstrap", ["--quick"]);
  assertEquals([flag.code, flag.stderr.split("\n").length], [2, 2]);
});

Deno.test("bootstrap says nothing, is quick, and keeps arguments and exit code when all is there", async () => {
  const env = { XDG_RUNTIME_DIR: ROOT };
  const warm = await execute("./bootstrap", ["wgrad", "--version"], { env });
  assertEquals([warm.code, warm.stderr], [0, ""]);
  // The processor's time, which other programs on the machine do not lengthen as they do the clock's. The shell's own
  // time is in the first line of `times`, that of its children in the second.
  const seconds = async (command: string) => {
    const { stdout } = await execute("sh", ["-c", `${command} >/dev/null; times`], { env, cwd: "/" });
    const parts = stdout.trim().split("\n").at(-1)!.matchAll(/(\d+)m([\d.]+)s/g);
    return [...parts].reduce((sum, [, minutes, rest]) => sum + 60 * Number(minutes) + Number(rest), 0);
  };
  const more: number[] = [];
  for (let i = 0; i < 3; i++) {
    const whole = await seconds(`'${join(ROOT, "bootstrap")}' wgrad --version`);
    const task = await seconds(`cd '${ROOT}' && '${Deno.execPath()}' task --quiet wgrad --version`);
    assert(whole > 0 && task > 0);
    more.push(whole - task);
  }
  assert(Math.min(...more) < 0.5, `bootstrap adds ${more.map((one) => one.toFixed(2))} s`);
  assertEquals((await execute("./bootstrap", ["wgrad", "no such command"], { env })).code, 2);
});

Deno.test({
  name: "bootstrap uses the pinned Deno of the PATH, in its own folder, with the arguments as they are",
  ignore: !linux,
  async fn() {
    await using sandbox = await Sandbox.make();
    await sandbox.plantDeno("2.9.6");
    const { code, stdout, stderr } = await sandbox.run(["train", "a b", "$HOME", "--x='y'"]);
    assertEquals([code, stderr], [0, ""]);
    const [args, cwd] = stdout.split("\n");
    assertEquals(args, "<task><--quiet><train><a b><$HOME><--x='y'>");
    assertEquals(cwd, await Deno.realPath(sandbox.folder));
  },
});

Deno.test({
  name: "bootstrap tells the folder in which the user stands, where relative paths start",
  ignore: !linux,
  async fn() {
    await using sandbox = await Sandbox.make();
    await sandbox.plant("deno", `if [ "$1" = --version ]; then echo "deno 2.9.6"; else echo "$INIT_CWD"; fi`);
    const { stdout } = await sandbox.run(["train"]);
    assertEquals(stdout, `${await Deno.realPath(join(sandbox.folder, ".."))}\n`);
  },
});

Deno.test({
  name: "bootstrap installs the pinned Deno once, where the PATH has none or another",
  ignore: !linux,
  async fn() {
    for (const other of [undefined, "2.9.5", "12.9.6"]) {
      await using sandbox = await Sandbox.make();
      if (other !== undefined) await sandbox.plantDeno(other);
      const prepared = join(sandbox.folder, "..", "prepared");
      await sandbox.plantDeno("2.9.6", prepared);
      // What npm would leave behind.
      const target = join(sandbox.folder, ".tools/node_modules/@deno/linux-x64-glibc");
      await sandbox.plant(
        "npm",
        `mkdir -p "${target}"; cat "${prepared}/deno" >"${target}/deno"; chmod 755 "${target}/deno"; echo noise`,
      );
      const first = await sandbox.run(["test"]);
      assertEquals([first.code, first.stdout.split("\n")[0]], [0, "<task><--quiet><test>"]);
      assert(first.stderr.includes("bootstrap: installing Deno 2.9.6 into .tools/ from npm\n"), first.stderr);
      assertEquals(first.stderr.includes("the deno on the PATH is not 2.9.6"), other !== undefined);
      const second = await sandbox.run(["test"]);
      assertEquals([second.code, second.stdout], [0, first.stdout]);
      const npm = (await sandbox.calls()).filter((line) => line.startsWith("npm "));
      assertEquals(npm.length, 1);
      assert(npm[0]?.includes("--ignore-scripts") && npm[0].endsWith(" deno@2.9.6"), npm[0]);
    }
  },
});

Deno.test({
  name: "bootstrap says what to do without npm, when npm fails, and when its Deno does not run",
  ignore: !linux,
  async fn() {
    await using sandbox = await Sandbox.make();
    const without = await sandbox.run(["test"]);
    assertEquals([without.code, without.stdout], [1, ""]);
    assert(/^bootstrap: error: npm is needed to install Deno 2\.9\.6: [^\n]+\n$/.test(without.stderr), without.stderr);
    await sandbox.plant("npm", "echo no network >&2; exit 7");
    const failed = await sandbox.run(["test"]);
    assertEquals(failed.code, 1);
    assert(failed.stderr.includes("no network\nbootstrap: error: npm could not install Deno 2.9.6"), failed.stderr);
    await sandbox.plant("npm", "exit 0");
    const useless = await sandbox.run(["test"]);
    assertEquals(useless.code, 1);
    assert(useless.stderr.includes("error: npm has no Deno 2.9.6 that runs on this system"), useless.stderr);
  },
});

Deno.test({
  name: "bootstrap takes a driver for found only where its library is there",
  ignore: !linux,
  async fn() {
    await using sandbox = await Sandbox.make();
    await sandbox.plantDeno("2.9.6");
    const lib = await Deno.realPath(join(sandbox.folder, "..", "lib"));
    for (const good of ["libgood.so", "./libgood.so", join(lib, "libgood.so")]) {
      await sandbox.driver(good);
      assertEquals((await sandbox.run(["test"])).stderr, "", good);
    }
    for (const stale of ["libgone.so", "./libgone.so", join(lib, "libgone.so")]) {
      await sandbox.driver(stale);
      const { code, stderr } = await sandbox.run(["test"]);
      assertEquals(code, 1, stale);
      assert(/^bootstrap: error: no Vulkan driver is found where VK_DRIVER_FILES [^\n]+\n$/.test(stderr), stderr);
    }
    await sandbox.driver("libgood.so");
    const several = { VK_DRIVER_FILES: `/none.json:${lib}/icd.json` };
    assertEquals((await sandbox.run(["test"], several)).stderr, "");
    const older = { VK_DRIVER_FILES: "", VK_ICD_FILENAMES: `${lib}/icd.json` };
    assertEquals((await sandbox.run(["test"], older)).stderr, "");
    await Deno.mkdir(join(lib, "share/vulkan/icd.d"), { recursive: true });
    await Deno.rename(join(lib, "icd.json"), join(lib, "share/vulkan/icd.d/icd.json"));
    const found = { VK_DRIVER_FILES: "", XDG_DATA_HOME: join(lib, "share") };
    assertEquals((await sandbox.run(["test"], found)).stderr, "");
  },
});

/** Without the loader of Vulkan there is no driver, whatever manifests the machine itself has. */
const none = { VK_DRIVER_FILES: "", LD_LIBRARY_PATH: "" };

/** A machine whose linker finds no library in the folders of the real one. */
async function withoutVulkan(): Promise<Sandbox> {
  const sandbox = await Sandbox.make();
  await sandbox.plantDeno("2.9.6");
  await Deno.remove(join(sandbox.bin, "uname"));
  await sandbox.plant("uname", `case $1 in -m) echo none ;; *) echo Linux ;; esac`);
  return sandbox;
}

Deno.test({
  name: "bootstrap installs a Vulkan driver by apt-get, with the package lists if need be",
  ignore: !linux,
  async fn() {
    for (const listed of [true, false]) {
      await using sandbox = await withoutVulkan();
      const folder = join(sandbox.folder, "..");
      await sandbox.plant("id", "echo 0", join(folder, "root"));
      // After the installation the linker finds what it did not before.
      await sandbox.plant("ldconfig", `[ -f "$LOG.installed" ] && cat "$LOG.installed"; exit 0`);
      await Deno.mkdir(join(folder, "xdg/vulkan/icd.d"), { recursive: true });
      await Deno.rename(join(folder, "lib/icd.json"), join(folder, "xdg/vulkan/icd.d/icd.json"));
      await Deno.writeTextFile(
        `${sandbox.log}.libraries`,
        "\tlibvulkan.so.1 => /x/libvulkan.so.1\n\tlibgood.so => /x/libgood.so\n",
      );
      await sandbox.plant(
        "apt-get",
        `case $1 in
         update) echo >"$LOG.lists" ;;
         install) if [ ! -f "$LOG.lists" ]; then echo "E: Unable to locate package" >&2; exit 100; fi
                  cat "$LOG.libraries" >"$LOG.installed"; echo noise ;;
         esac`,
      );
      if (listed) await Deno.writeTextFile(`${sandbox.log}.lists`, "");
      const env = { ...none, PATH: `${join(folder, "root")}:${sandbox.bin}`, XDG_DATA_HOME: join(folder, "xdg") };
      const { code, stdout, stderr } = await sandbox.run(["test"], env);
      assertEquals(stderr, "bootstrap: installing a Vulkan driver: apt-get install mesa-vulkan-drivers\n");
      assertEquals([code, stdout.split("\n")[0]], [0, "<task><--quiet><test>"]);
      const apt = (await sandbox.calls()).filter((line) => line.startsWith("apt-get ")).map((line) =>
        line.split(" ")[1]
      );
      assertEquals(apt, listed ? ["install"] : ["install", "update", "install"]);
      assertEquals((await sandbox.run(["test"], env)).stderr, "");
    }
  },
});

Deno.test({
  name: "bootstrap says what to do when apt-get fails, without root, and without apt-get",
  ignore: !linux,
  async fn() {
    await using sandbox = await withoutVulkan();
    const other = await sandbox.run(["test"], none);
    assertEquals([other.code, other.stdout], [1, ""]);
    assert(/^bootstrap: error: no Vulkan driver is found\. Install [^\n]+\n$/.test(other.stderr), other.stderr);
    await sandbox.plant("apt-get", "echo no network >&2; exit 100");
    await Deno.remove(join(sandbox.bin, "id"));
    await sandbox.plant("id", "echo 1000");
    const user = await sandbox.run(["test"], none);
    assertEquals(user.code, 1);
    assert(
      /^bootstrap: error: [^\n]+ as root, run apt-get install mesa-vulkan-drivers[^\n]+\n$/.test(user.stderr),
      user.stderr,
    );
    await sandbox.plant("sudo", 'exec "$@"');
    const failed = await sandbox.run(["test"], none);
    assertEquals(failed.code, 1);
    assert(failed.stderr.includes("no network\nbootstrap: error: apt-get could not install"), failed.stderr);
    assert((await sandbox.calls()).some((line) => line.startsWith("sudo apt-get update")));
  },
});

Deno.test("bootstrap says how a command of wgrad is run, for each that is not a task", async () => {
  const { COMMANDS } = await import("../../src/cli/commands.ts");
  const tasks = Object.keys(JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json"))).tasks);
  for (const name of COMMANDS.map(({ name }) => name).filter((name) => !tasks.includes(name))) {
    const { code, stdout, stderr } = await execute("sh", [join(ROOT, "bootstrap"), name, "--json"]);
    const why = `bootstrap: error: ${name} is a command of wgrad, not a task: run ./bootstrap wgrad ${name} --json\n`;
    assertEquals([code, stdout, stderr], [2, "", why]);
  }
});

Deno.test({
  name: "bootstrap makes a private XDG_RUNTIME_DIR where the variable names no folder",
  ignore: !linux,
  async fn() {
    await using sandbox = await Sandbox.make();
    await sandbox.plant("deno", `if [ "$1" = --version ]; then echo "deno 2.9.6"; else echo "$XDG_RUNTIME_DIR"; fi`);
    const made = join(await Deno.realPath(sandbox.folder), ".tools/runtime");
    const first = await sandbox.run(["test"], { XDG_RUNTIME_DIR: "" });
    assertEquals([first.code, first.stdout], [0, `${made}\n`]);
    assertEquals(first.stderr.split("\n").length, 2);
    assertEquals((await Deno.stat(made)).mode! & 0o777, 0o700);
    const second = await sandbox.run(["test"], { XDG_RUNTIME_DIR: "/no/such/folder" });
    assertEquals([second.stdout, second.stderr], [`${made}\n`, ""]);
  },
});
