import { describe, expect, it } from "vitest";
import type { AgentProcess } from "../../agent/test/harness.ts";
import { prepareVisits } from "./prepare-visits.ts";
import { Terminal } from "./terminal.ts";
import { browserNeeded, hasBrowser, rowOf, see, type Visitors } from "./visitor.ts";

const RING = 1_048_576;

describe.skipIf(!hasBrowser)(`lending from a browser${browserNeeded}`, () => {
  let agent: AgentProcess;
  let visitors: Visitors;
  prepareVisits((prepared) => ({ agent, visitors } = prepared));

  it("teaches whoever comes before anything was lent, and takes the secret out of the address", async () => {
    const page = await visitors.visit(agent);

    await see(page.getByRole("heading", { name: "Nothing has been lent yet" })).toBeVisible();
    await see(page.getByText("npx lendbuf exec sim0/ch0 --for 15m -- sleep 900")).toBeVisible();
    expect(page.url()).toBe(`${agent.url}/`);
    expect(await page.evaluate(() => window.history.length)).toBeLessThanOrEqual(2);
  });

  it("delegates, shows who claims it, revokes, and says how the kernel took the memory from the program", async () => {
    const page = await visitors.visit(agent);
    const row = rowOf(page, "sim0/ch0");
    await row.getByRole("button", { name: "Delegate sim0/ch0" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("15 min").click();
    await dialog.getByLabel("What for").fill("bring-up");
    await see(dialog.getByText("Revoking it touches nobody else.")).toBeVisible();
    await dialog.getByRole("button", { name: "Delegate", exact: true }).click();
    const [, id] = /Delegation (\d+)/.exec(
      (await dialog.getByRole("heading", { name: /^Delegation \d+/ }).textContent())!,
    )!;
    await see(dialog.getByText(`npx lendbuf claim ${id} -- COMMAND`)).toBeVisible();
    await dialog.getByRole("button", { name: "Done" }).click();
    await see(row).toContainText("Offered");

    await using program = await new Terminal(agent, ["claim", id!], RING).ready();
    await see(row).toContainText("Lent");
    await see(row).toContainText("bring-up");
    await see(row).toContainText(/14m 5\ds left/);
    const before = await program.read(0, 4);
    await row.getByRole("button", { name: `Revoke delegation ${id} of sim0/ch0` }).click();

    await see(row).toContainText("Free");
    await see(row).toContainText(/ended by an operator\s*ftruncate answered 0, \d+\.\d\d ms\s*revoked, size 0/);
    await see(
      page.getByRole("status").getByText(`Delegation ${id} of sim0/ch0: revoked, ftruncate, size 0`),
    ).toBeAttached();
    expect(before).toMatch(/^[0-9a-f]{8}$/);
    expect(await program.read(0, 4)).toBe("EFAULT");
  });

  it("is lent out in one browser and seen in another", async () => {
    const [here, there] = await Promise.all([visitors.visit(agent), visitors.visit(agent)]);
    await using program = await new Terminal(agent, ["exec", "sim0/ch1", "--for", "1h"], RING).ready();
    await see(rowOf(here, "sim0/ch1")).toContainText("Lent");
    await see(rowOf(there, "sim0/ch1")).toContainText("Lent");

    await rowOf(there, "sim0/ch1")
      .getByRole("button", { name: /^Revoke/ })
      .click();

    await see(rowOf(here, "sim0/ch1")).toContainText("revoked, size 0");
    expect(await program.read(0, 4)).toBe("EFAULT");
  });

  it("is revoked with the keyboard alone", async () => {
    await using program = await new Terminal(agent, ["exec", "sim0/ch2"], RING).ready();
    const page = await visitors.visit(agent);
    await see(rowOf(page, "sim0/ch2")).toContainText("Lent");

    for (const key of ["j", "j", "j"]) await page.keyboard.press(key);
    await see(rowOf(page, "sim0/ch2").getByRole("link")).toBeFocused();
    await page.keyboard.press("r");

    await see(rowOf(page, "sim0/ch2")).toContainText("revoked, size 0");
    expect(await program.read(0, 4)).toBe("EFAULT");
  });

  it("is not revoked at one click where that ends others too: names them, and wants the device typed", async () => {
    await using program = await new Terminal(agent, ["exec", "sim0/ch1"], RING).ready();
    await using other = await new Terminal(agent, ["exec", "sim0/ch2", "--purpose", "somebody's"], RING).ready();
    const rewrite = (message: string) => message.replaceAll('"scope":"buffer"', '"scope":"device"');
    const page = await visitors.visit(agent, { rewrite });
    await see(rowOf(page, "sim0/ch2")).toContainText("Lent");

    await rowOf(page, "sim0/ch1")
      .getByRole("button", { name: /^Revoke/ })
      .click();
    const dialog = page.getByRole("dialog");
    await see(dialog).toContainText("It also ends 1 of others");
    await see(dialog.getByRole("listitem")).toContainText("sim0/ch2");
    await see(dialog.getByRole("button", { name: "Revoke", exact: true })).toBeDisabled();
    expect(await program.read(0, 4)).toMatch(/^[0-9a-f]{8}$/);
    await dialog.getByLabel("Type sim0 to go on").fill("sim0");
    await page.keyboard.press("Enter");

    await see(rowOf(page, "sim0/ch1")).toContainText("revoked, size 0");
    expect(await program.read(0, 4)).toBe("EFAULT");
    expect(await other.read(0, 4)).toMatch(/^[0-9a-f]{8}$/);
  });

  it("that is stuck stands in red above everything, and is not called revoked", async () => {
    await using _program = await new Terminal(agent, ["exec", "sim0/ch1"], RING).ready();
    const revocation = `{"attempts":3,"method":"ftruncate","lastErrno":"EBUSY","waitingFor":"an importer holds on","unproven":false,"since":${Date.now() - 60_000}}`;
    const rewrite = (message: string) =>
      message
        .replaceAll('"state":"active"', '"state":"revoking"')
        .replaceAll('"revocation":null', `"revocation":${revocation}`);
    const page = await visitors.visit(agent, { rewrite });

    await see(page.getByRole("list", { name: "What is wrong" })).toContainText(
      /sim0\/ch1: delegation \d+ of uid:\d+ is being taken back since 1m \d*s? ?ago; attempt 3, EBUSY, an importer holds on/,
    );
    await see(rowOf(page, "sim0/ch1")).toContainText("Revoking");
    await see(rowOf(page, "sim0/ch1")).not.toContainText("revoked");
  });

  it("waits in line, and is given on when the one before is revoked", async () => {
    await using first = await new Terminal(agent, ["exec", "sim0/ddr", "--for", "1h"], RING).ready();
    const page = await visitors.visit(agent);
    await rowOf(page, "sim0/ddr").getByRole("button", { name: "Delegate sim0/ddr" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("button", { name: "Delegate", exact: true }).click();
    await see(dialog.getByRole("alert")).toContainText('Buffer "sim0/ddr" is lent until');
    await dialog.getByLabel(/Wait in line/).check();
    await dialog.getByRole("button", { name: "Delegate", exact: true }).click();
    await see(dialog).toContainText("It waits in line, place 1.");
    await dialog.getByRole("button", { name: "Done" }).click();
    await see(rowOf(page, "sim0/ddr")).toContainText("1 in line");

    await rowOf(page, "sim0/ddr")
      .getByRole("button", { name: /^Revoke/ })
      .click();

    await see(rowOf(page, "sim0/ddr")).toContainText("Offered");
    await see(rowOf(page, "sim0/ddr")).toContainText("revoked, ftruncate, size 0");
    expect(await first.read(0, 4)).toBe("EFAULT");
    await rowOf(page, "sim0/ddr")
      .getByRole("button", { name: /^Withdraw/ })
      .click();
    await see(rowOf(page, "sim0/ddr")).toContainText("Free");
  });

  it("searches and filters in the address, and opens a buffer whose memory is live", async () => {
    await using program = await new Terminal(agent, ["exec", "sim0/ch3", "--read-only"], RING, ["read-only"]).ready();
    const page = await visitors.visit(agent);
    await see(rowOf(page, "sim0/ch3")).toContainText("Lent");
    await page.keyboard.press("/");
    await page.keyboard.type("ch3");
    await see(page.getByRole("link", { name: "sim0/ch0", exact: true })).toHaveCount(0);
    await see(page).toHaveURL(/\?q=ch3$/);
    await page.getByRole("button", { name: /^Lent/ }).click();
    await see(page).toHaveURL(/\?q=ch3&state=lent$/);

    await page.getByRole("link", { name: "sim0/ch3", exact: true }).last().click();

    await see(page).toHaveURL(/\/buffers\?id=sim0\/ch3$/);
    await see(page.getByRole("heading", { name: "sim0/ch3" })).toBeVisible();
    const bytes = page.getByRole("group", { name: "Bytes" });
    const shown = await bytes.textContent();
    await see(bytes).not.toHaveText(shown!);
    await page.getByText("Waveform").click();
    await see(page.getByRole("img", { name: /Waveform of 1024 samples/ })).toBeVisible();
    await see(page.locator("canvas")).toBeVisible();
    expect(await program.read(0, 4)).toMatch(/^[0-9a-f]{8}$/);
  });

  it("ends everything when that is held down, and nothing when it is let go", async () => {
    await using program = await new Terminal(agent, ["exec", "sim0/ch0"], RING).ready();
    const page = await visitors.visit(agent);
    await see(rowOf(page, "sim0/ch0")).toContainText("Lent");
    const panic = page.getByRole("button", { name: "Revoke everything" });
    await panic.focus();
    await page.keyboard.down("Enter");
    await see(page.getByText("Ends 1 delegation: everybody's, on sim0.")).toBeVisible();
    await page.keyboard.up("Enter");
    await see(page.getByText("Let go too early: nothing was ended.")).toBeVisible();
    expect(await program.read(0, 4)).toMatch(/^[0-9a-f]{8}$/);

    await panic.hover();
    await page.mouse.down();

    await see(
      page.getByText(/^1 delegation revoked, 0 cancelled in \d+\.\d ms. Nothing remains.$/).first(),
    ).toBeVisible();
    await page.mouse.up();
    expect(await program.read(0, 4)).toBe("EFAULT");
  });

  it("ends all of an account after it was shown what that hits, and nobody else's", async () => {
    const connection = await agent.connect();
    const theirs = await connection.call("delegations.request", { buffer: "sim0/ch1", account: "uid:4711" });
    const other = await connection.call("delegations.request", { buffer: "sim0/ch2" });
    const page = await visitors.visit(agent);
    await page.getByRole("button", { name: "Revoke a part" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("one account").click();
    await see(dialog.getByRole("button", { name: "Revoke", exact: true })).toBeDisabled();
    await dialog.getByLabel("Which account").fill("uid:4711");

    await see(dialog.getByRole("heading", { name: "This ends 1 delegation" })).toBeVisible();
    await see(dialog.getByRole("listitem")).toContainText("sim0/ch1");
    await dialog.getByRole("button", { name: "Revoke 1" }).click();

    await see(dialog.getByText(/^0 delegations revoked, 1 cancelled in \d+\.\d ms. Nothing remains.$/)).toBeVisible();
    const stateOf = async (id: number) => (await connection.call("delegations.get", { id })).state;
    expect([await stateOf(theirs.id), await stateOf(other.id)]).toEqual(["cancelled", "offered"]);
    await connection.call("delegations.revokeAll");
    connection.close();
  });
});
