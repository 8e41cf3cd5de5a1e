import { harmless } from "@lendbuf/shared/harmless";
import { describe, expect, it } from "vitest";
import { type Column, Table } from "./table.ts";
import { cut, widthOf } from "./text.ts";

interface Row {
  name: string;
  size: number;
  about: string;
}

const COLUMNS: Column<Row>[] = [
  { title: "NAME", cell: ({ name }) => name },
  { title: "SIZE", cell: ({ size }) => String(size), align: "right", leaveOut: 2 },
  { title: "ABOUT", cell: ({ about }) => about, leaveOut: 1 },
];
const ROWS: Row[] = [
  { name: "a", size: 5, about: "the first one" },
  { name: "sim0/channel", size: 1024, about: "" },
];

describe("a table", () => {
  it.each([
    [80, ["NAME          SIZE  ABOUT", "a                5  the first one", "sim0/channel  1024"]],
    [31, ["NAME         SIZE  ABOUT", "a               5  the first o…", "sim0/chann…  1024"]],
    [20, ["NAME          SIZE", "a                5", "sim0/channel  1024"]],
    [12, ["NAME", "a", "sim0/channel"]],
    [8, ["NAME", "a", "sim0/ch…"]],
  ])("in %i columns", (total, lines) => {
    expect(new Table(COLUMNS, total).lines(ROWS)).toEqual(lines);
  });

  it("says its titles once, and keeps its columns for what comes later", () => {
    const table = new Table(COLUMNS, 20);
    table.lines(ROWS);

    expect(table.lines([{ name: "a-name-that-is-too-long", size: 1, about: "x" }])).toEqual(["a-name-that…     1"]);
  });

  it("cuts nothing where the width is unknown", () => {
    const table = new Table(COLUMNS, Number.POSITIVE_INFINITY);
    table.lines(ROWS);

    expect(table.lines([{ name: "a-name-that-is-too-long", size: 1, about: "x" }])[0]).toContain(
      "a-name-that-is-too-long",
    );
  });
});

describe("text from elsewhere", () => {
  it.each([
    ["\x1b]0;title\x07", "\ufffd]0;title\ufffd"],
    ["two\nlines", "two\ufffdlines"],
    ["\u202egnorw", "\ufffdgnorw"],
    ["größe 測定", "größe 測定"],
  ])("%j becomes harmless", (text, expected) => {
    expect(harmless(text)).toBe(expected);
  });

  it("is measured in columns, and cut between characters", () => {
    expect(widthOf("測定")).toBe(4);
    expect(widthOf("e\u0301")).toBe(1);
    expect(cut("測定測定", 6)).toBe("測定…");
    expect(cut("abc", 3)).toBe("abc");
  });
});
