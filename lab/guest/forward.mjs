// node forward.mjs ADDRESS PORT: what comes to PORT of ADDRESS, from outside of the machine, goes on to the same port of 127.0.0.1,
// where the agent listens: it answers there only.
import { connect, createServer } from "node:net";

const [address, port] = process.argv.slice(2);

const server = createServer({ allowHalfOpen: true }, (outside) => {
  const inside = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
  outside.pipe(inside).pipe(outside);
  outside.on("error", () => inside.destroy());
  inside.on("error", () => outside.destroy());
});
server.listen(port, address);
