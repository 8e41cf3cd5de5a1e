import { describe, it } from "vitest";
import type { AgentProcess } from "../../agent/test/harness.ts";
import { prepareVisits } from "./prepare-visits.ts";
import { browserNeeded, hasBrowser, see, type Visitors } from "./visitor.ts";

describe.skipIf(!hasBrowser)(`the doctor's findings on the Host page${browserNeeded}`, () => {
  let agent: AgentProcess;
  let visitors: Visitors;
  prepareVisits((prepared) => ({ agent, visitors } = prepared));

  it("are those that the agent has: the worst first, the rest where it is asked for", async () => {
    const connection = await agent.connect();
    const { findings } = await connection.call("host.doctor");
    connection.close();
    const of = (...severities: string[]) => findings.filter(({ severity }) => severities.includes(severity));
    const page = await visitors.visit(agent, { path: "/host" });
    const list = page.getByRole("list", { name: "Findings" }).getByRole("listitem");

    await see(list).toHaveCount(of("warning", "problem").length);
    await page.getByRole("button", { name: /in order$/ }).click();

    await see(list).toHaveCount(findings.length);
    const [worst] = [...of("problem"), ...of("warning"), ...of("note")];
    await see(list.first()).toContainText(worst!.advice);
    await see(list.last()).toContainText("In order");
    await page.getByRole("button", { name: "Only problems and warnings" }).click();
    await see(list).toHaveCount(of("warning", "problem").length);
  });
});
