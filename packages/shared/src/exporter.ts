/** What turns a buffer's ranges into an fd. */
export const EXPORTERS = ["memfd", "vfio", "staged", "udmabuf", "dma-heap"] as const;
export type Exporter = (typeof EXPORTERS)[number];
