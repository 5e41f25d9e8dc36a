import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import type { Sale } from "./sale.ts";

/** The sandbox's sales, which survive a restart as the database does. */
export interface Shelf {
  find(id: string): Sale | undefined;
  /** What the same order has come to before. */
  repeated(idempotencyKey: string | undefined): Sale | undefined;
  /** Of one customer, newest first. */
  of(customer: string): Sale[];
  keep(sale: Sale): void;
}

/** Opens the sales that are kept in a file, but for those that nobody paid in time. */
export function openShelf(file: string): Shelf {
  const kept: Sale[] = existsSync(file)
    ? JSON.parse(readFileSync(file, "utf8"))
    : [];
  const now = new Date().toISOString();
  const sales = new Map(
    kept.filter(({ payment, expiresAt }) =>
      payment.status !== "open" || expiresAt > now
    ).map((sale) => [sale.id, sale]),
  );
  return {
    find: (id) => sales.get(id),
    repeated: (key) =>
      key === undefined
        ? undefined
        : [...sales.values()].find(({ order }) => order.idempotencyKey === key),
    of: (customer) =>
      [...sales.values()].reverse()
        .filter(({ order }) => order.customer === customer),
    keep: (sale) => {
      sales.set(sale.id, sale);
      writeFileSync(`${file}.new`, JSON.stringify([...sales.values()]), {
        mode: 0o600,
      });
      renameSync(`${file}.new`, file);
    },
  };
}
