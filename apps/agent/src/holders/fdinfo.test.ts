import { expect, it } from "vitest";
import { parseFdinfo } from "./fdinfo.ts";

const HEAD = "pos:\t0\nflags:\t0400002\nmnt_id:\t14\nino:\t37\nsize:\t16384\ncount:\t2\nexp_name:\tvfio_pci_core\n";

it("a dma-buf's fdinfo says its exporter, size, references and name", () => {
  expect(parseFdinfo(`${HEAD}name:\tsim0/ch0\n`)).toEqual({
    exporter: "vfio_pci_core",
    size: 16_384,
    count: 2,
    name: "sim0/ch0",
  });
});

it("one without a name has none", () => {
  expect(parseFdinfo(HEAD)).toMatchObject({ exporter: "vfio_pci_core", name: null });
});

it("a name with newlines is a name, and says nothing else", () => {
  const name = "x\nsize:\t1\nexp_name:\tdrm\nname:\ty";

  expect(parseFdinfo(`${HEAD}name:\t${name}\n`)).toEqual({ exporter: "vfio_pci_core", size: 16_384, count: 2, name });
});

it("what is no dma-buf is none", () => {
  expect(parseFdinfo("pos:\t0\nflags:\t02\nmnt_id:\t14\nino:\t37\n")).toBeUndefined();
  expect(parseFdinfo("")).toBeUndefined();
});
