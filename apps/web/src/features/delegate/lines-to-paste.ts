import type { Delegation } from "@lendbuf/shared/delegation";

/** How a program on the agent's host takes what was offered: only the socket there can hand over memory. */
export function linesToPaste({ id, access }: Pick<Delegation, "id" | "access">, socket: string) {
  const at = addressOf(socket);
  const isWritable = access === "read-write";
  return [
    {
      label: "Run a program with it, which finds the memory as file descriptor 3",
      text: `${at}npx lendbuf claim ${id} -- COMMAND`,
    },
    { label: "Or hold it until Ctrl-C", text: `${at}npx lendbuf claim ${id}` },
    {
      label: "In that program, in Python",
      text: `import mmap, os\nmemory = mmap.mmap(int(os.environ["LENDBUF_FD"]), int(os.environ["LENDBUF_SIZE"])${isWritable ? "" : ", prot=mmap.PROT_READ"})\nprint(memory[:16].hex(" ", 2))`,
    },
    {
      label: "In a TypeScript program of its own",
      text: `import { connect } from "@lendbuf/client/connect";\n\nconst agent = await connect(${at ? `{ path: "${socket}" }` : ""});\nconst lease = await agent.claim(${id});\nconst bytes = new Uint8Array(16);\nlease.map().read(0, bytes); // throws once it was taken back`,
    },
  ];
}

/** How to borrow in one step, without an offer. */
export function execLine(
  buffer: string,
  lease: string,
  { access, exporter }: Pick<Delegation, "access" | "exporter">,
  socket: string,
): string {
  const at = addressOf(socket);
  const options = [access === "read-only" && " --read-only", exporter && ` --exporter ${exporter}`]
    .filter(Boolean)
    .join("");
  return `${at}npx lendbuf exec ${buffer} --for ${lease}${options} -- COMMAND`;
}

/** Programs look where agents listen by default; anywhere else they must be told. */
function addressOf(socket: string): string {
  return /(^\/run\/(user\/\d+\/)?lendbuf|^\/tmp\/lendbuf-\d+)\/agent\.sock$/.test(socket)
    ? ""
    : `LENDBUF_SOCKET=${socket} `;
}
