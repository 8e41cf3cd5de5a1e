import { type Check, fine } from "./check.ts";

export const exportersCheck: Check = {
  name: "exporter",
  look({ files }) {
    const heaps = files.list("/dev/dma_heap").map((name) => `/dev/dma_heap/${name}`);
    return [
      { name: "udmabuf", nodes: ["/dev/udmabuf"], load: "sudo modprobe udmabuf" },
      { name: "dma-heap", nodes: heaps.length > 0 ? heaps : ["/dev/dma_heap/system"], load: null },
    ].map(({ name, nodes, load }) => {
      const there = nodes.filter((node) => files.exists(node));
      const usable = there.filter((node) => files.mayOpen(node));
      const what = "It makes dma-bufs of system memory, which nobody can revoke; real devices do not need it.";
      if (usable.length > 0) return fine(name, `${usable.join(", ")} can be opened`, what);
      const isThere = there.length > 0;
      return {
        subject: name,
        severity: "note" as const,
        seen: isThere
          ? `${there.map((node) => `${node} (${files.ownership(node)})`).join(", ")} cannot be opened by uid ${process.getuid!()}`
          : `there is no ${nodes.join(", ")}`,
        means: what,
        advice: "Nothing needs to be done, unless you want that exporter.",
        command: isThere ? `sudo chown ${process.getuid!()} ${there.join(" ")}` : load,
      };
    });
  },
};
