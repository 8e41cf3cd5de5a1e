// One process at a time. The lock is an abstract socket's name: it ends with its process, however that ends.
import { createHash } from "node:crypto";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** Does `work` while nobody else does what bears the same name; `wait` is called once where it has to wait for another. */
export async function alone(name, work, wait) {
  const lock = createServer();
  for (let told = false; !(await listens(lock, name)); await sleep(200)) {
    if (!told) wait();
    told = true;
  }
  try {
    return await work();
  } finally {
    lock.close();
  }
}

function listens(server, name) {
  return new Promise((resolve, reject) => {
    const accept = () => {
      server.off("error", refuse);
      resolve(true);
    };
    const refuse = (error) => {
      server.off("listening", accept);
      if (error.code === "EADDRINUSE") resolve(false);
      else reject(error);
    };
    server.once("listening", accept);
    server.once("error", refuse);
    server.listen(`\0lendbuf-${createHash("sha256").update(name).digest("hex").slice(0, 16)}`);
  });
}
