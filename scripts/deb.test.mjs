// The package as a host gets it: built, installed into a root of its own, used, and removed.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildDeb } from "./deb.mjs";
import { findCommand } from "./requirements.mjs";
import { ROOT } from "./step.mjs";

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** What differs from the package that is given away is how small it is. */
const QUICK = { level: 0 };
const PARTS = join(ROOT, "packaging/deb");
const isRoot = process.getuid() === 0;
const hasDpkg = findCommand("dpkg-deb", PATH) !== undefined && process.arch === "x64";
const canInstall = isRoot && hasDpkg;

let folder;
let deb;

function output(command, ...args) {
  return execFileSync(command, args, { encoding: "utf8" });
}

describe.skipIf(!hasDpkg)(
  `the Debian package${hasDpkg ? "" : " (needs dpkg-deb: sudo apt-get install dpkg)"}`,
  { timeout: 300_000 },
  () => {
    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), "lendbuf-deb-test-"));
      deb = await buildDeb(folder, QUICK);
    }, 300_000);
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    it("has the same bytes when it is built again", async () => {
      const again = await buildDeb(join(folder, "again"), QUICK);

      expect(readFileSync(again).equals(readFileSync(deb))).toBe(true);
    });

    it("belongs to root, and only programs can be run", () => {
      const entries = output("dpkg-deb", "-c", deb).trimEnd().split("\n");

      expect(entries.filter((line) => !/^\S+ root\/root /.test(line))).toEqual([]);
      const programs = entries.filter((line) => line.startsWith("-rwx")).map((line) => line.split("/").at(-1));
      expect(programs.sort()).toEqual([
        "lendbuf-agent.js",
        "lendbuf-holders",
        "lendbuf-hook",
        "lendbuf-warden",
        "lendbuf.js",
      ]);
    });

    it("says what it needs", () => {
      const depends = output("dpkg-deb", "-f", deb, "Depends");

      expect(depends).toMatch(
        /^nodejs \(>= 20\.19\), libc6 \(>= 2\.\d+\), libstdc\+\+6 \(>= \d+[.\d]*\), libgcc-s1\n$/,
      );
    });

    it("brings a configuration that is its admin's to change, and that its own command finds valid", () => {
      const root = join(folder, "configuration");
      output("dpkg-deb", "-R", deb, root);

      expect(readFileSync(join(root, "DEBIAN/conffiles"), "utf8")).toBe("/etc/lendbuf/agent.toml\n");
      expect(readFileSync(join(root, "DEBIAN/md5sums"), "utf8")).not.toContain("agent.toml");
      expect(output(join(root, "usr/bin/lendbuf"), "config", "check", join(root, "etc/lendbuf/agent.toml"))).toMatch(
        /agent\.toml is valid: 0 accounts, 0 rules\.\n$/,
      );
      expect(readFileSync(join(PARTS, "lendbuf.service"), "utf8")).toContain(" --config /etc/lendbuf/agent.toml ");
    });

    it("names the licences of what it brings", () => {
      const licences = output(
        "sh",
        "-c",
        `dpkg-deb --fsys-tarfile "${deb}" | tar -xO ./usr/share/doc/lendbuf/third-party-licences`,
      );

      for (const name of ["commander", "geist", "libsql", "pino", "react", "ws", "zod"])
        expect(licences).toMatch(new RegExp(`^${name} \\d`, "m"));
      expect(licences).toContain("SIL OPEN FONT LICENSE");
      expect(licences).not.toContain("GNU GENERAL PUBLIC LICENSE");
    });

    it.skipIf(!canInstall)(
      `is installed, lends, and is purged without a trace${isRoot ? "" : " (dpkg --root is root's: run it as root)"}`,
      async () => {
        const root = emptyRoot();
        const before = treeOf(root);

        dpkg(root, "--install", deb);
        if (findCommand("systemd-sysusers", PATH))
          for (const file of ["passwd", "group"])
            expect(readFileSync(join(root, "etc", file), "utf8")).toMatch(/^lendbuf:/m);
        expect(output("dpkg", `--root=${root}`, "--verify", "lendbuf")).toBe("");

        const completed = output(
          "bash",
          "-c",
          `. "${root}/usr/share/bash-completion/completions/lendbuf"; complete -p lendbuf`,
        );
        expect(completed).toMatch(/^complete .*lendbuf\n$/);
        await lendAndTakeBack(root);

        mkdirSync(join(root, "var/lib/lendbuf"), { recursive: true });
        mkdirSync(join(root, "etc/udev/rules.d"), { recursive: true });
        writeFileSync(join(root, "etc/udev/rules.d/70-lendbuf-0000:01:00.0.rules"), "");
        dpkg(root, "--remove", "lendbuf");
        expect(existsSync(join(root, "usr/bin/lendbuf"))).toBe(false);
        expect(existsSync(join(root, "var/lib/lendbuf"))).toBe(true);
        dpkg(root, "--purge", "lendbuf");
        rmSync(join(root, "etc/udev"), { recursive: true });
        expect(treeOf(root)).toEqual(before);
      },
    );

    it.skipIf(isRoot)("lends from where it was unpacked by somebody who is not root", async () => {
      const root = join(folder, "unpacked");
      output("dpkg-deb", "-x", deb, root);

      await lendAndTakeBack(root);
    });

    it.skipIf(!findCommand("man", PATH))("has manual pages that the formatter takes without a warning", () => {
      const root = join(folder, "pages");
      output("dpkg-deb", "-x", deb, root);
      for (const page of ["man1/lendbuf.1.gz", "man8/lendbuf-agent.8.gz"]) {
        const options = { encoding: "utf8", env: { ...process.env, LC_ALL: "C.UTF-8", MANWIDTH: "200" } };
        const { stdout, stderr } = spawnSync("man", ["--warnings", "-l", join(root, "usr/share/man", page)], options);

        expect(stderr).toBe("");
        expect(stdout).toMatch(/NAME\n +lendbuf/);
      }
    });
  },
);

describe("the service's files", () => {
  const hardware = readFileSync(join(ROOT, "docs/hardware.md"), "utf8");

  it.each(["lendbuf.service", "71-lendbuf-group.rules"])("%s is what docs/hardware.md quotes", (part) => {
    expect(hardware).toContain(`\n${readFileSync(join(PARTS, part), "utf8")}\`\`\`\n`);
  });

  it.skipIf(!findCommand("systemd-analyze", PATH))("the unit has nothing that systemd does not know", () => {
    const unit = join(mkdtempSync(join(tmpdir(), "lendbuf-unit-")), "lendbuf.service");
    try {
      // Not installed here, and its page neither: another program stands in.
      const text = readFileSync(join(PARTS, "lendbuf.service"), "utf8").replace(
        /^ExecStart=.*$/m,
        "ExecStart=/bin/true",
      );
      writeFileSync(unit, text.replace(/^Documentation=.*\n/m, ""));
      const { stdout, stderr } = spawnSync("systemd-analyze", ["verify", unit], { encoding: "utf8" });

      expect(`${stdout}${stderr}`).not.toContain("lendbuf.service");
    } finally {
      rmSync(join(unit, ".."), { recursive: true });
    }
  });
});

it.skipIf(!findCommand("systemd-analyze", PATH))("is exposed as little as docs/security.md says", () => {
  const folder = mkdtempSync(join(tmpdir(), "lendbuf-unit-"));
  try {
    const unit = join(folder, "lendbuf.service");
    copyFileSync(join(PARTS, "lendbuf.service"), unit);
    const args = ["security", "--offline=true", "--no-pager", unit];
    const { stdout } = spawnSync("systemd-analyze", args, { encoding: "utf8" });
    const [, said] = /an exposure of \*\*([\d.]+)\*\*/.exec(readFileSync(join(ROOT, "docs/security.md"), "utf8"));

    const [, found] = /exposure level for lendbuf\.service: ([\d.]+)/.exec(stdout);

    expect(Number(found)).toBeLessThanOrEqual(Number(said));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** As dpkg finds a system on which nothing is installed. */
function emptyRoot() {
  const root = mkdtempSync(join(folder, "root-"));
  for (const place of ["etc", "tmp", "var/lib/dpkg/info", "var/lib/dpkg/updates", "var/log"])
    mkdirSync(join(root, place), { recursive: true });
  writeFileSync(join(root, "var/lib/dpkg/status"), "");
  for (const file of ["passwd", "group"]) cpSync(join("/etc", file), join(root, "etc", file));
  return root;
}

/** Its dependencies are this machine's, which that root's dpkg does not know of. */
function dpkg(root, ...words) {
  const options = [`--root=${root}`, "--force-depends", "--force-script-chrootless", "--no-triggers"];
  const { status, stdout, stderr } = spawnSync("dpkg", [...options, ...words], {
    encoding: "utf8",
    env: { PATH, LC_ALL: "C" },
  });
  if (status !== 0) throw new Error(`dpkg ${words[0]} exited with ${status}:\n${stdout}${stderr}`);
}

/** Without dpkg's own books and the accounts, which stay. */
function treeOf(root) {
  const names = readdirSync(root, { recursive: true });
  return names
    .filter((name) => !/^(var\/lib\/dpkg|var\/log|etc\/(passwd|group|g?shadow)-?$|etc\/\.pwd\.lock)/.test(name))
    .sort();
}

async function lendAndTakeBack(root) {
  const socket = join(folder, "agent.sock");
  const env = { PATH, HOME: folder, LENDBUF_SOCKET: socket };
  const args = ["--port", "0", "--state", join(folder, "state"), "--devices", "none"];
  const agent = spawn(join(root, "usr/bin/lendbuf-agent"), args, { env, stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(agent, "exit");
  try {
    const said = [];
    for await (const line of createInterface({ input: agent.stdout }))
      if (said.push(line) && line.startsWith("Ready: ")) break;
    agent.stdout.resume();
    const lendbuf = (...words) => execFileSync(join(root, "usr/bin/lendbuf"), words, { env, encoding: "utf8" });

    expect(wardenOf(agent.pid)).toBe(join(root, "usr/lib/lendbuf/packages/native/build/Release/lendbuf-warden"));
    expect(lendbuf("status")).toContain(String(agent.pid));
    expect(lendbuf("exec", "sim0/ddr", "--", "sh", "-c", "echo borrowed >&3; echo $LENDBUF_SIZE")).toMatch(/^\d+\n$/);
    expect(lendbuf("audit")).toMatch(/revoked .* sim0\/ddr .* released/);
    const url = /http:\/\/\S+/.exec(said.find((line) => line.startsWith("Dashboard: ")))[0];
    expect((await fetch(url)).status).toBe(200);
  } finally {
    agent.kill("SIGTERM");
    await exited;
  }
  expect(agent.exitCode).toBe(0);
}

function wardenOf(pid) {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean);
  return children.map((child) => readlinkSync(`/proc/${child}/exe`)).find((exe) => exe.includes("warden"));
}
