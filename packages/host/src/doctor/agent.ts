import { type Check, fine } from "./check.ts";

export const agentCheck: Check = {
  name: "agent",
  look: ({ noAgent, devices }) =>
    noAgent === null
      ? [
          fine(
            "agent",
            `an agent runs, as uid ${process.getuid!()}, with ${devices?.length === 1 ? "1 device" : `${devices?.length ?? 0} devices`}`,
            "All of this was looked at by the agent itself.",
          ),
        ]
      : [
          {
            subject: "agent",
            severity: "warning",
            seen: `No agent was asked: ${noAgent}`,
            means: `Permissions and limits are those of uid ${process.getuid!()}, and what revokes on each device was not tried: the agent tries it when it starts.`,
            advice: "Start the agent, then ask again.",
            command: "sudo systemctl start lendbuf",
          },
        ],
};
