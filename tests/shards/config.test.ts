import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import {
  addressOf,
  checkGroups,
  GROUPS,
  partitionOf,
} from "../../scripts/shards/config.ts";

const modulo = (modulus: number, remainder: number) =>
  [...Array(GROUPS).keys()].filter((group) => group % modulus === remainder);

test.each([1, 2, 4, 8, 16])(
  "a shard of every %ith group is one partition",
  (modulus) => {
    for (let remainder = 0; remainder < modulus; remainder++) {
      const groups = modulo(modulus, remainder);
      expect(partitionOf({ name: "s", groups })).toEqual({
        modulus,
        remainder,
      });
    }
  },
);

test.each([
  ["neighbours", [0, 1]],
  ["three", [0, 4, 8]],
  ["none", []],
  ["one twice", [0, 0]],
  ["a group that there is not", [16]],
])("a shard cannot have %s", (_, groups) => {
  expect(() => partitionOf({ name: "s", groups })).toThrow(/^s: groups must/);
});

test("three shards: one with half of the groups, two with a quarter", () => {
  checkGroups([
    { name: "a", groups: modulo(2, 0) },
    { name: "b", groups: modulo(4, 1) },
    { name: "c", groups: modulo(4, 3) },
  ]);
});

test("each group has one shard", () => {
  const half = { name: "a", groups: modulo(2, 0) };
  expect(() => checkGroups([half])).toThrow("group 1 belongs to no shard");
  const all = { name: "b", groups: modulo(1, 0) };
  expect(() => checkGroups([half, all])).toThrow("group 0 belongs to a and b");
});

test("an address has no user and no password", () => {
  expect(addressOf("postgresql://me:secret@db.example/x?sslmode=disable"))
    .toEqual({ host: "db.example", port: "5432", dbname: "x" });
});

test("docs/scaling.md says what is refused, all of it and nothing else", () => {
  const page = readFileSync("docs/scaling.md", "utf8");
  const [, table = ""] = /## What is refused\n([^]*?)\n## /.exec(page) ?? [];
  const said = table.split("\n").filter((line) => line.startsWith("| `"))
    .flatMap((line) => [...line.split("|")[1]!.matchAll(/`(\w+)`/g)])
    .map(([, name]) => name).filter((name) =>
      name !== "transfer_credits_batch"
    );
  const own = "scripts/shards/own";
  const refused = readdirSync(own).flatMap((file) => [
    ...readFileSync(`${own}/${file}`, "utf8").matchAll(
      /'(\w+) cannot be called through the router'/g,
    ),
  ]).map(([, name]) => name);
  expect(said.sort()).toEqual(refused.sort());
});
